"""What contacts and deals have in common; each test runs for both."""

from datetime import UTC, date, datetime, timedelta, timezone

import attrs
import pytest

from contracts import STRANGE, check_door, check_value
from record_strategies import BOARD, START
from salespipeline._drafts import EVENTS
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import (
    InvalidValueError,
    NaiveTimeError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import (
    ActivityRecorded,
    ApprovalWithdrawn,
    Approved,
    Assessed,
    Deleted,
    Direction,
    FieldSet,
    LifecycleStageSet,
    Merged,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    OwnerChanged,
    Voided,
)
from salespipeline.money import Money
from salespipeline.rules import Code, DeniedError, Result

DAY = timedelta(days=1)
NEXT = {"at": START + DAY, "by": "bob", "role": "sales"}
NAIVE = datetime(2026, 1, 2)  # noqa: DTZ001 - the naive instant is the point


def new_contact():
    return Contact.create("r-1", at=START, by="ada")[0]


def new_deal():
    return Deal.open("r-1", at=START, by="ada", pipeline=BOARD)[0]


@pytest.fixture(params=[new_contact, new_deal], ids=["contact", "deal"])
def record(request):
    return request.param()


def is_text(value):
    return isinstance(value, str) and value != ""


def is_text_or_none(value):
    return value is None or is_text(value)


def is_none(value):
    return value is None


def changed(before, after):
    """The fields in which two snapshots differ, with what the later one holds."""
    return {
        name: getattr(after, name)
        for name in before.names()
        if getattr(before, name) != getattr(after, name)
    }


# What every command does

COMMANDS = {
    OwnerChanged: lambda record, **when: record.change_owner("eve", **when),
    FieldSet: lambda record, **when: record.set_field("source", "fair", **when),
    NextStepPlanned: lambda record, **when: record.plan_next_step("call", **when),
    NextStepDone: lambda record, **when: record.complete_next_step(**when),
    Assessed: lambda record, **when: record.assess("bant", "budget", "met", **when),
    Approved: lambda record, **when: record.approve("legal", **when),
    Deleted: lambda record, **when: record.delete(**when),
}


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_yields_the_event_that_follows_and_says_who_did_it_as_what(kind, record):
    _, event = COMMANDS[kind](record, **NEXT)
    assert type(event) is kind
    assert (event.record, event.sequence) == ("r-1", 2)
    assert (event.at, event.by, event.role) == (START + DAY, "bob", "sales")
    assert (event.recorded_at, event.system, event.original_id, event.origin) == (None,) * 4


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_leaves_the_snapshot_it_is_given_to_as_it_was(kind, record):
    before = attrs.asdict(record, recurse=False)
    COMMANDS[kind](record, **NEXT)
    assert attrs.asdict(record, recurse=False) == before


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_change_before_the_last_one_is_denied_with_the_earliest_instant(kind, record):
    late, _ = record.change_owner("bob", **NEXT)
    with pytest.raises(DeniedError) as caught:
        COMMANDS[kind](late, at=START + DAY / 2, by="bob")
    decision = caught.value.decision
    assert str(caught.value) == (
        f"cannot record {kind.__name__} on {record.kind} 'r-1': 2026-01-01T12:00:00+00:00 is "
        "before its last change; earliest: 2026-01-02T00:00:00+00:00"
    )
    assert decision.result is Result.DENIED
    (denial,) = decision.denials
    assert (denial.code, denial.field) == (Code.BEFORE_LAST_EVENT, "at")
    assert (denial.actual, denial.expected) == (START + DAY / 2, START + DAY)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_change_at_the_instant_of_the_last_one_is_legal(kind, record):
    _, event = COMMANDS[kind](record, at=START, by="bob")
    assert event.at == START


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_an_instant_of_any_zone_is_recorded_in_utc(kind, record):
    east = (START + DAY).astimezone(timezone(timedelta(hours=5)))
    _, event = COMMANDS[kind](record, at=east, by="bob")
    assert event.at == START + DAY
    assert event.at.tzinfo is UTC


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_refuses_what_is_no_instant_and_nobody(kind, record):
    command = COMMANDS[kind]
    with pytest.raises(NaiveTimeError, match=r"^'at' must be a datetime with a zone"):
        command(record, at=NAIVE, by="bob")
    check_door(lambda value: command(record, at=value, by="bob"))
    check_door(lambda value: command(record, at=START, by=value), takes=is_text)
    check_door(lambda value: command(record, at=START, by="bob", role=value), takes=is_text_or_none)


def test_a_change_moves_the_version_and_the_instant_of_the_last_change(record):
    after, _ = record.change_owner("eve", **NEXT)
    assert changed(record, after) == {"version": 2, "changed_at": START + DAY, "owner": "eve"}


# Fields


@pytest.mark.parametrize("owner", ["eve", None])
def test_a_record_is_given_to_somebody_or_to_nobody(record, owner):
    after, event = record.change_owner("bob", **NEXT)[0].change_owner(owner, **NEXT)
    assert after.owner == event.owner == owner


def test_an_owner_is_text(record):
    check_door(lambda value: record.change_owner(value, **NEXT), takes=is_text_or_none)


def test_an_attribute_is_set_under_its_name(record):
    once, event = record.set_field("attributes.seats", [4, 5], **NEXT)
    assert (event.field, event.value) == ("attributes.seats", (4, 5))
    twice, _ = once.set_field("attributes.tier.name", Money(1, "EUR"), **NEXT)
    assert dict(twice.attributes) == {"seats": (4, 5), "tier.name": Money(1, "EUR")}


@pytest.mark.parametrize(
    "field", ["id", "version", "owner", "stage", "attributes", "attributes.", "colour", "", None, 3]
)
def test_a_field_that_another_command_sets_or_that_is_none_is_refused_with_those_there_are(
    record, field
):
    with pytest.raises(UnknownKeyError) as caught:
        record.set_field(field, "x", **NEXT)
    assert caught.value.what == f"field of a {record.kind}"
    assert caught.value.known == (*type(record).fields, "attributes.<name>")


def test_the_name_of_a_field_is_text(record):
    check_door(lambda value: record.set_field(value, "x", **NEXT))


def test_the_value_of_a_field_is_text_or_none(record):
    check_door(lambda value: record.set_field("source", value, **NEXT), takes=is_text_or_none)


def test_the_value_of_an_attribute_is_plain(record):
    for value in STRANGE:
        try:
            after, event = record.set_field("attributes.x", value, **NEXT)
        except SalesPipelineError:
            assert not isinstance(value, str | int | type(None))
        else:
            assert after.attributes["x"] == event.value
            hash(after)


# Activities


def test_an_activity_changes_no_state(record):
    after, event = record.record_activity("call", direction="inbound", **NEXT)
    assert changed(record, after) == {"version": 2}
    assert isinstance(event, ActivityRecorded)
    assert (event.kind, event.direction) == ("call", Direction.INBOUND)


def test_an_activity_may_be_dated_back_and_say_when_it_was_recorded(record):
    late, _ = record.change_owner("bob", **NEXT)
    after, event = late.record_activity("call", at=START, by="eve", recorded_at=START + 2 * DAY)
    assert (event.at, event.recorded_at) == (START, START + 2 * DAY)
    assert after.changed_at == START + DAY


def test_an_activity_recorded_at_once_is_recorded_at_its_own_instant(record):
    east = timezone(timedelta(hours=5))
    _, event = record.record_activity(
        "call", at=START, by="eve", recorded_at=START.astimezone(east)
    )
    assert event.recorded_at == START
    assert event.recorded_at.tzinfo is UTC


def test_an_activity_is_not_recorded_before_it_happened(record):
    with pytest.raises(InvalidValueError, match=r"^recorded_at: 2026-01-01T00:00:00\+00:00 is bef"):
        record.record_activity("call", at=START + DAY, by="eve", recorded_at=START)


def test_an_activity_refuses_strange_facts(record):
    when = {"at": START, "by": "eve"}
    check_door(lambda value: record.record_activity(value, **when), takes=is_text)
    check_door(lambda value: record.record_activity("call", at=value, by="eve"))
    check_door(lambda value: record.record_activity("call", at=START, by=value), takes=is_text)
    check_door(lambda value: record.record_activity("call", direction=value, **when), takes=is_none)
    check_door(
        lambda value: record.record_activity("call", recorded_at=value, **when), takes=is_none
    )


# Next steps


def test_a_next_step_takes_the_place_of_any_other_until_it_is_done(record):
    once, _ = record.plan_next_step("call", due=date(2026, 1, 9), **NEXT)
    assert once.next_step == NextStep("call", date(2026, 1, 9))
    twice, event = once.plan_next_step("visit", **NEXT)
    assert twice.next_step == NextStep("visit")
    assert (event.what, event.due) == ("visit", None)
    done, _ = twice.complete_next_step(**NEXT)
    assert done.next_step is None


def test_a_next_step_has_words_and_a_date(record):
    check_door(lambda value: record.plan_next_step(value, **NEXT), takes=is_text)
    check_door(lambda value: record.plan_next_step("call", due=value, **NEXT), takes=is_none)
    with pytest.raises(WrongTypeError, match="'due' must be a date without a time"):
        record.plan_next_step("call", due=START, **NEXT)


# Assessments and approvals


def test_an_assessment_keeps_all_that_was_answered_and_sets_the_verdict(record):
    facts = {"evidence": "e-mail", "source": "buyer", "expires_at": START + 9 * DAY}
    once, event = record.assess("bant", "budget", "met", verdict="fit", **facts, **NEXT)
    assert once.verdict == "fit"
    assert {name: getattr(event, name) for name in facts} == facts
    assert (event.framework, event.criterion, event.answer) == ("bant", "budget", "met")
    twice, _ = once.assess("bant", "need", "unknown", **NEXT)
    assert twice.verdict == "fit"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_assessment_names_framework_criterion_and_answer(record, place):
    def assess(value):
        words = ["bant", "budget", "met"]
        words[place] = value
        return record.assess(*words, **NEXT)

    check_door(assess, takes=is_text)


def test_an_assessment_refuses_strange_facts(record):
    def assess(**facts):
        return record.assess("bant", "budget", "met", **facts, **NEXT)

    for name in ("evidence", "source", "verdict"):
        check_door(lambda value, name=name: assess(**{name: value}), takes=is_text_or_none)
    check_door(lambda value: assess(expires_at=value), takes=is_none)


def test_an_approval_is_in_force_until_it_is_withdrawn(record):
    both = record.approve("legal", **NEXT)[0].approve("finance", **NEXT)[0]
    assert both.approvals == {"legal", "finance"}
    again, _ = both.approve("legal", **NEXT)
    assert again.approvals == both.approvals
    left, event = again.withdraw_approval("legal", **NEXT)
    assert left.approvals == {"finance"}
    assert event == ApprovalWithdrawn(record="r-1", sequence=5, approval="legal", **NEXT)


def test_an_approval_that_is_not_in_force_cannot_be_withdrawn(record):
    both = record.approve("legal", **NEXT)[0].approve("finance", **NEXT)[0]
    with pytest.raises(UnknownKeyError) as caught:
        both.withdraw_approval("board", **NEXT)
    assert str(caught.value) == (
        f"unknown approval of {record.kind} 'r-1': 'board'; known: 'finance', 'legal'"
    )


def test_an_approval_is_text(record):
    check_door(lambda value: record.approve(value, **NEXT), takes=is_text)
    check_door(lambda value: record.withdraw_approval(value, **NEXT))


# Deleting


def test_a_deleted_record_leaves_no_snapshot(record):
    after, event = record.delete(why="asked to be forgotten", **NEXT)
    assert after is None
    assert event == Deleted(record="r-1", sequence=2, why="asked to be forgotten", **NEXT)
    assert type(record).replay([event], record) is None


def test_a_reason_for_deleting_is_text(record):
    check_door(lambda value: record.delete(why=value, **NEXT), takes=is_text_or_none)


# Replaying


def test_replaying_nothing_leaves_what_there_was(record):
    assert type(record).replay([], record) is record
    assert type(record).replay([]) is None


def test_what_an_event_does_not_change_is_held_on_to_field_by_field(record):
    held = {name: f"the {name}" for name in record.names()} | {"version": 1}
    event = ActivityRecorded(record="r-1", sequence=2, at=START, kind="call")
    after = type(record)(**held).follow(event)
    assert {name: getattr(after, name) for name in record.names()} == held | {"version": 2}


def test_what_comes_after_a_deletion_brings_nothing_back(record):
    gone = Deleted(record="r-1", sequence=2, at=START)
    owner = OwnerChanged(record="r-1", sequence=3, at=START, owner="bob")
    assert type(record).replay([gone, owner], record) is None


@pytest.mark.parametrize(
    "event",
    [
        Merged(record="r-1", sequence=2, at=START + DAY, other="r-9"),
        Voided(record="r-1", sequence=2, at=START + DAY, voids=("r-1", 1), why="a slip"),
    ],
    ids=["merged", "voided"],
)
def test_a_merge_and_a_void_count_as_changes_and_set_nothing(record, event):
    after = type(record).replay([event], record)
    assert changed(record, after) == {"version": 2, "changed_at": START + DAY}


def test_an_event_that_runs_backwards_does_not_take_back_the_last_change(record):
    late, _ = record.change_owner("bob", **NEXT)
    early = OwnerChanged(record="r-1", sequence=3, at=START - DAY, owner="eve")
    after = type(record).replay([early], late)
    assert (after.owner, after.changed_at) == ("eve", START + DAY)


# Events that are written into a draft


@pytest.mark.parametrize("kind", EVENTS)
def test_a_draft_of_an_event_becomes_one_like_any_other(kind):
    facts = {name: f"some {name}" for name in attrs.fields_dict(kind)}
    draft = EVENTS[kind]()
    for name, fact in facts.items():
        setattr(draft, name, fact)
    draft.__class__ = kind
    check_value(draft, kind(**facts), *(kind(**facts | {name: "other"}) for name in facts))
    assert type(draft) is kind


def test_a_draft_starts_empty_and_takes_nothing_that_its_class_has_no_field_for():
    draft = EVENTS[LifecycleStageSet]()
    with pytest.raises(AttributeError):
        draft.record  # noqa: B018 - the access is the test
    with pytest.raises(AttributeError):
        draft.another = 1
