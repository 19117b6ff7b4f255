"""What readers of every system share: items and their problems, systems, and logs of events."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Intake, Item, Problem, RowRefusedError
from salespipeline.connectors._logs import ContactLog, DealLog
from salespipeline.connectors._systems import System, in_order
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    ContactLinked,
    ContactUnlinked,
    Created,
    Deleted,
    Direction,
    FieldSet,
    ForecastCategory,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedIn,
    OptedOut,
    OwnerChanged,
    Probability,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    Start,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage

SHORT = Pipeline(
    "short",
    [Stage("talk"), Stage("offer"), Stage("won", outcome="won"), Stage("lost", outcome="lost")],
)
CRM = System("crm", {"short": SHORT}, "short")


def at(day):
    return datetime(2026, 3, day, tzinfo=UTC)


def deal(*rows, system=CRM):
    """The log of a deal that was opened in ``talk`` on the first day."""
    log = DealLog("d-1", system)
    for row in ({"at": at(1), "stage": "talk"}, *rows):
        log.happen(row)
    return log


def contact(*rows, **beginning):
    """The log of a contact that was created on the first day."""
    log = ContactLog("c-1", CRM)
    for row in ({"at": at(1), **beginning}, *rows):
        log.happen(row)
    return log


def kinds(log):
    return [type(event) for event in log.events]


# Deals


def test_a_deal_begins_with_all_that_its_first_row_says():
    log = DealLog("d-1", CRM)
    log.happen({
        "at": at(2), "stage": "offer", "start": Start.BY_THEN, "observed_from": at(3),
        "amount": Money(5, "EUR"), "expected_close": date(2026, 6, 1), "contacts": ("c-1", "c-2"),
        "title": "Fleet", "account": "ACME", "source": "web", "owner": "ada", "renews": "d-0",
        "attributes": Attributes({"seats": 4}), "probability": Decimal("0.5"),
        "forecast_category": ForecastCategory.COMMIT, "by": "ada", "role": "API",
        "recorded_at": at(4), "event_id": "h-1",
    })  # fmt: skip
    assert kinds(log) == [Opened, ProbabilitySet, ForecastCategorySet]
    opened, *later = log.events
    assert (opened.start, opened.observed_from) == (Start.BY_THEN, at(3))
    assert (opened.pipeline, opened.stage, opened.outcome) == ("short", "offer", Outcome.OPEN)
    assert (opened.amount, opened.contacts) == (Money(5, "EUR"), ("c-1", "c-2"))
    assert (opened.title, opened.account, opened.owner) == ("Fleet", "ACME", "ada")
    assert (opened.source, opened.renews) == ("web", "d-0")
    assert opened.attributes["seats"] == 4
    assert [event.original_id for event in log.events] == [
        "h-1", "h-1/ProbabilitySet", "h-1/ForecastCategorySet",
    ]  # fmt: skip
    assert {(event.by, event.role, event.recorded_at, event.system) for event in later} == {
        ("ada", "API", at(4), "crm")
    }


def test_a_deal_lacks_a_stage_and_without_a_known_pipeline_that_too_until_it_has_begun():
    log = DealLog("d-1", CRM)
    assert log.lacks({"at": at(1)}) == ("stage", "it has no stage for its deal to begin in")
    assert log.lacks({"at": at(1), "stage": "talk"}) is None
    nowhere = DealLog("d-1", System("crm", {}))
    assert nowhere.lacks({"at": at(1), "stage": "talk"})[0] == "pipeline"
    nowhere.happen({"at": at(1), "stage": "talk", "pipeline": "gone"})
    assert nowhere.lacks({"at": at(2)}) is None


def test_a_stage_is_a_move_a_win_a_loss_or_a_reopening_by_what_it_means():
    rows = [
        {"at": at(day), "stage": stage}
        for day, stage in enumerate(["offer", "won", "won", "lost", "talk"], 2)
    ]
    log = deal(*rows)
    assert kinds(log) == [Opened, Moved, Won, Moved, Lost, Reopened]
    assert [event.sequence for event in log.events] == [1, 2, 3, 4, 5, 6]


def test_a_stage_of_no_known_pipeline_is_kept_and_open():
    log = deal({"at": at(2), "stage": "won"}, {"at": at(3), "stage": "limbo", "pipeline": "gone"})
    assert kinds(log) == [Opened, Won, Reopened]
    assert log.events[2].pipeline == "gone"


def test_a_close_takes_its_amount_and_reason_and_writes_no_change_of_amount():
    log = deal({"at": at(2), "stage": "lost", "amount": Money(9, "EUR"), "reason": "price"})
    assert kinds(log) == [Opened, Lost]
    assert (log.events[1].amount, log.events[1].reason) == (Money(9, "EUR"), "price")


def test_what_does_not_differ_is_not_written_again():
    row = {
        "amount": Money(9, "EUR"), "expected_close": date(2026, 6, 1), "owner": "ada", "title": "A",
        "attributes": Attributes({"seats": 4}),
    }  # fmt: skip
    log = deal({"at": at(2), **row}, {"at": at(3), **row})
    assert kinds(log) == [
        Opened, AmountChanged, CloseDateChanged, OwnerChanged, FieldSet, FieldSet,
    ]  # fmt: skip
    assert {event.at for event in log.events[1:]} == {at(2)}


def test_a_fact_of_none_takes_away_and_an_absent_one_leaves():
    row = {
        "amount": Money(9, "EUR"), "expected_close": date(2026, 6, 1), "owner": "ada", "title": "A",
        "probability": Decimal("0.5"), "forecast_category": ForecastCategory.COMMIT,
    }  # fmt: skip
    log = deal({"at": at(2), **row}, {"at": at(3)}, {"at": at(4), **dict.fromkeys(row)})
    history = DealHistory(log.events)
    kept, left = history.as_of(at(3)), history.latest
    assert (kept.amount, kept.owner, kept.title) == (Money(9, "EUR"), "ada", "A")
    assert kept.probability == Probability(Decimal("0.5"), ProbabilityBasis.UNTIL_MOVE)
    assert (left.amount, left.expected_close, left.owner, left.title) == (None,) * 4
    assert (left.probability, left.forecast_category) == (None, None)


def test_a_probability_has_the_basis_that_its_row_says():
    row = {"at": at(2), "probability": Decimal("0.3"), "basis": ProbabilityBasis.MODEL}
    assert deal(row).events[1].basis is ProbabilityBasis.MODEL


def test_contacts_are_linked_and_unlinked():
    log = deal(
        {"at": at(2), "contact_linked": "c-1"},
        {"at": at(3), "contact_linked": "c-2", "contact_unlinked": "c-1"},
    )
    assert kinds(log) == [Opened, ContactLinked, ContactLinked, ContactUnlinked]
    assert DealHistory(log.events).latest.contacts == ("c-2",)


# Contacts


def test_a_contact_is_created_with_what_its_first_row_says():
    log = contact(stage=LifecycleStage.LEAD, lead_status="new", name="Ada", opted_out=True)
    assert kinds(log) == [Created, OptedOut]
    assert (log.events[0].lifecycle_stage, log.events[0].lead_status) == ("lead", "new")
    assert log.events[0].name == "Ada"
    assert ContactLog("c-2", CRM).lacks({"at": at(1)}) is None


def test_a_contact_opts_out_and_in():
    log = contact({"at": at(2), "opted_out": True}, {"at": at(3), "opted_out": False})
    assert kinds(log) == [Created, OptedOut, OptedIn]
    history = ContactHistory(log.events)
    assert [history.as_of(at(day)).opted_out for day in (1, 2, 3)] == [False, True, False]


def test_a_stage_is_recorded_with_the_status_after_it_and_a_status_alone_by_itself():
    log = contact(
        {"at": at(2), "stage": LifecycleStage.SQL, "lead_status": "new"},
        {"at": at(3), "stage": LifecycleStage.SQL, "lead_status": "connected"},
        {"at": at(4), "stage": LifecycleStage.SQL},
        {"at": at(5), "lead_status": None},
        stage=LifecycleStage.LEAD,
    )
    assert kinds(log) == [
        Created, LifecycleStageSet, LeadStatusSet, LifecycleStageSet, LeadStatusSet,
    ]  # fmt: skip
    assert [event.lead_status for event in log.events[1::2]] == ["new", "connected"]
    assert (log.events[2].status_left, log.events[4].status_left) == ("new", "connected")
    assert ContactHistory(log.events).latest.lead_status is None


# What both can do


@pytest.mark.parametrize("log", [deal, contact])
def test_steps_are_planned_and_done(log):
    step = NextStep("call", date(2026, 4, 1))
    written = log({"at": at(2), "next_step": step}, {"at": at(3), "next_step": None})
    assert kinds(written)[1:] == [NextStepPlanned, NextStepDone]
    assert (written.events[1].what, written.events[1].due) == ("call", date(2026, 4, 1))


@pytest.mark.parametrize("log", [deal, contact])
def test_activities_merges_and_deletions_are_written_last(log):
    row = {
        "at": at(2), "owner": "ada", "activity": "call", "direction": Direction.INBOUND,
        "merged": "x-2", "deleted": True, "event_id": "h-2",
    }  # fmt: skip
    written = log(row)
    assert kinds(written)[1:] == [OwnerChanged, ActivityRecorded, Merged, Deleted]
    assert written.events[2].direction is Direction.INBOUND
    assert (written.events[3].other, written.events[3].creation) == ("x-2", None)
    assert [event.original_id for event in written.events[1:]] == [
        "h-2", "h-2/ActivityRecorded", "h-2/Merged", "h-2/Deleted",
    ]  # fmt: skip
    assert kinds(log({"at": at(2), "deleted": False}))[1:] == []


@pytest.mark.parametrize("log", [deal, contact])
def test_identities_stay_unique_where_one_row_is_several_events(log):
    rows = [
        {"at": at(2), "owner": "ada", "activity": "call", "event_id": "h-1"},
        {"at": at(3), "owner": "bob", "activity": "call", "event_id": "h-2"},
        {"at": at(4), "activity": "call"},
    ]
    identities = [event.identity for event in log(*rows).events]
    assert len(set(identities)) == len(identities)
    assert ("crm", "h-2") in identities


@pytest.mark.parametrize("log", [deal, contact])
def test_only_what_was_learnt_later_says_so(log):
    rows = [
        {"at": at(2), "owner": "ada", "recorded_at": at(5)},
        {"at": at(3), "owner": "bob", "recorded_at": at(3)},
        {"at": at(4), "owner": "eve"},
    ]
    assert [event.recorded_at for event in log(*rows).events] == [None, at(5), None, None]


# Systems


def test_a_system_says_what_a_stage_means_and_takes_an_unknown_one_for_open():
    assert CRM.outcome("short", "won") is Outcome.WON
    for pipeline, stage in [("short", "limbo"), ("gone", "won"), (None, "won")]:
        assert CRM.outcome(pipeline, stage) is Outcome.OPEN


def test_changes_are_put_in_order_with_stages_before_statuses_before_the_rest():
    changes = [
        {"at": at(2), "owner": "ada"},
        {"at": at(2), "lead_status": "new"},
        {"at": at(2), "stage": "lead"},
        {"at": at(1), "email": "a"},
        {"at": at(2), "email": "b"},
    ]
    assert in_order(changes) == [changes[place] for place in (3, 2, 1, 0, 4)]


# Items


def item(**cells):
    problems = []
    return Item(7, cells, problems, "deals"), problems


def test_an_item_reads_a_value_or_reports_it_where_it_stands():
    found, problems = item()
    assert found.read("5", "properties.amount", lambda value, _: int(value)) == 5
    assert found.read(None, "properties.amount", lambda value, _: int(value)) is None
    assert problems == []
    assert found.read("x", "properties.amount", lambda value, _: int(value)) is None
    [problem] = problems
    assert (problem.row, problem.column, problem.value) == (7, "properties.amount", "x")
    assert (problem.refused, problem.table) == (False, "deals")
    assert problem.reason.startswith("it cannot be read: ValueError")


def test_a_door_is_told_the_name_of_a_value_or_its_column():
    found, _ = item()
    assert found.read(1, "a.b", lambda _, name: name) == "a.b"
    assert found.read(1, "a.b", lambda _, name: name, name="amount") == "amount"


def test_a_needed_value_that_cannot_be_read_gives_the_item_up():
    def door(value, name):
        raise WrongTypeError(name, "text", value)

    found, problems = item()
    with pytest.raises(RowRefusedError):
        found.read(7, "id", door, needed=True)
    assert problems == [Problem(7, "id", 7, "'id' must be text (got 7)", True, "deals")]


def test_an_item_is_refused_or_a_value_noted():
    found, problems = item()
    found.note("closed", "it is open", "soon")
    with pytest.raises(RowRefusedError):
        found.refuse(None, "it is empty")
    assert [(problem.column, problem.refused) for problem in problems] == [
        ("closed", False), (None, True),
    ]  # fmt: skip


# Intake


def use(found):
    found.identity = found.given.get("id")
    if found.identity is None:
        found.refuse("id", "it has no id")
    if "bad" in found.given:
        found.refuse("bad", "it is bad", found.given["bad"])


def test_items_used_and_refused_add_up_over_all_tables():
    intake = Intake()
    intake.each([{"id": "1"}, 7, {"id": "2", "bad": 1}], use, what="several deals", table="deal")
    intake.each([{"id": None}, {"id": "2", "bad": 2}], use, what="several stages", table="stage")
    assert (intake.used, intake.refused) == (1, [None, "2", None, "2"])
    read = intake.read([], [SHORT])
    assert (read.used, read.refused, read.incomplete) == (1, 4, ("2",))
    assert (read.histories, read.pipelines) == ((), (SHORT,))
    assert [(problem.table, problem.row, problem.column) for problem in read.problems] == [
        ("deal", 2, None), ("deal", 3, "bad"), ("stage", 1, "id"), ("stage", 2, "bad"),
    ]  # fmt: skip
    assert read.problems[0].reason == "it must be a mapping (got 7)"
    assert read.problems[0].value == 7


def test_what_is_no_items_is_refused_with_what_they_should_be():
    for given in (None, "deals", {"id": 1}, 7):
        with pytest.raises(WrongTypeError, match="several deals"):
            Intake().each(given, use, what="several deals")


def test_items_that_stop_being_readable_are_one_error():
    def given():
        yield {"id": "1"}
        raise UnicodeError("no such letter")

    with pytest.raises(InvalidValueError, match="what follows row 1 cannot be read: no such"):
        Intake().each(given(), use, what="several deals")
