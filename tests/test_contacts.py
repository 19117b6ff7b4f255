from datetime import UTC, date, datetime, timedelta, timezone

import attrs
import pytest

from contracts import check_door, check_value
from record_strategies import START
from salespipeline.attributes import Attributes
from salespipeline.conditions import named, present
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, NaiveTimeError, UnknownKeyError, WrongTypeError
from salespipeline.events import (
    Created,
    LeadStatusSet,
    LifecycleStageSet,
    NextStep,
    OptedIn,
    OptedOut,
    Start,
)
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import (
    LIFECYCLE,
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    Status,
    StatusKind,
    StatusScheme,
)
from salespipeline.rules import Code, DeniedError, Result, Rule, Rulebook

DAY = timedelta(days=1)
FIRST = {"at": START, "by": "form"}
NEXT = {"at": START + DAY, "by": "ada"}
NAIVE = datetime(2026, 1, 2)  # noqa: DTZ001 - the naive instant is the point
STEPS = Rulebook.forward("steps", LifecycleStage, skips=False, creation=["lead"])


def contact_at(stage=None, **more):
    return Contact.create("c-1", stage=stage, **FIRST, **more)[0]


def codes(decision):
    return [denial.code for denial in decision.denials]


def is_text(value):
    return isinstance(value, str) and value != ""


def is_text_or_none(value):
    return value is None or is_text(value)


def is_none(value):
    return value is None


# The value

FULL = {
    "id": "c-1",
    "version": 9,
    "lifecycle_stage": LifecycleStage.SQL,
    "stage_since": START,
    "changed_at": START + DAY,
    "lead_status": "bad_timing",
    "status_since": START + DAY,
    "revisit_on": date(2026, 9, 1),
    "created_at": START,
    "name": "Ada",
    "email": "ada@example.org",
    "company": "Example",
    "account": "a-1",
    "owner": "bob",
    "source": "fair",
    "next_step": NextStep("call"),
    "opted_out": True,
    "approvals": frozenset({"legal"}),
    "verdict": "fit",
    "attributes": Attributes({"seats": 4}),
}
EMPTY = {
    "id": "c-2",
    "version": 1,
    "lifecycle_stage": None,
    "stage_since": None,
    "changed_at": START,
    "lead_status": None,
    "status_since": None,
    "revisit_on": None,
    "created_at": START + DAY,
    "name": None,
    "email": None,
    "company": None,
    "account": None,
    "owner": None,
    "source": None,
    "next_step": None,
    "opted_out": False,
    "approvals": frozenset(),
    "verdict": None,
    "attributes": Attributes(),
}


def test_a_contact_is_a_value_of_all_its_fields():
    contact = Contact(**FULL)
    others = [attrs.evolve(contact, **{name: EMPTY[name]}) for name in FULL]
    check_value(contact, Contact(**FULL), *others)


def test_a_contact_made_by_commands_is_a_value_like_one_written_out():
    contact, _ = contact_at("lead", name="Ada").opt_out(**NEXT)
    written = Contact(
        **EMPTY
        | {
            "id": "c-1",
            "version": 2,
            "lifecycle_stage": LifecycleStage.LEAD,
            "stage_since": START,
            "changed_at": START + DAY,
            "created_at": START,
            "name": "Ada",
            "opted_out": True,
        }
    )
    check_value(contact, written, contact_at("lead", name="Ada"))
    assert repr(contact) == repr(written)
    assert type(contact) is Contact
    assert not hasattr(contact, "__dict__")


# Creating


def test_a_new_contact_holds_what_it_was_created_with_and_nothing_else():
    given = {"name": "Ada", "email": "a@b.c", "company": "X", "account": "a-1", "owner": "bob"}
    contact, event = Contact.create(
        "c-1", **FIRST, role="form", source="fair", attributes={"seats": [4]}, **given
    )
    expected = EMPTY | given | {"id": "c-1", "source": "fair", "created_at": START}
    assert contact == Contact(**expected | {"attributes": Attributes({"seats": (4,)})})
    assert event == Created(
        record="c-1", sequence=1, at=START, by="form", role="form", source="fair",
        attributes=Attributes({"seats": (4,)}), **given,
    )  # fmt: skip


def test_a_contact_may_begin_at_any_stage_and_gets_its_status():
    contact, event = Contact.create("c-1", stage="sales_qualified_lead", **FIRST)
    assert contact.lifecycle_stage is event.lifecycle_stage is LifecycleStage.SQL
    assert contact.stage_since == contact.status_since == START
    assert contact.lead_status == event.lead_status == "new"
    assert event.ruling == LIFECYCLE.ruling


def test_a_contact_may_be_known_only_by_then():
    _, event = Contact.create("c-1", start="by_then", **FIRST)
    assert event.start is Start.BY_THEN
    assert event.ruling is None


def test_a_rulebook_says_where_contacts_begin():
    assert contact_at("lead", rulebook=STEPS).lifecycle_stage is LifecycleStage.LEAD
    with pytest.raises(DeniedError) as caught:
        contact_at("customer", rulebook=STEPS)
    assert str(caught.value) == (
        "cannot begin contact 'c-1' in 'customer': nothing begins there; allowed: 'lead'"
    )
    assert caught.value.decision == STEPS.decide(None, LifecycleStage.CUSTOMER)


def test_creating_refuses_strange_facts():
    check_door(lambda value: Contact.create(value, **FIRST), takes=is_text)
    check_door(lambda value: Contact.create("c-1", at=value, by="form"))
    check_door(lambda value: Contact.create("c-1", at=START, by=value), takes=is_text)
    for name in ("role", "name", "email", "company", "account", "owner", "source"):
        check_door(
            lambda value, name=name: Contact.create("c-1", **FIRST, **{name: value}),
            takes=is_text_or_none,
        )
    for name in ("start", "rulebook", "scheme"):
        check_door(lambda value, name=name: Contact.create("c-1", **FIRST, **{name: value}))
    check_door(contact_at, takes=is_none)
    check_door(
        lambda value: Contact.create("c-1", **FIRST, attributes=value),
        takes=lambda value: value is None or value == {},
    )


def test_a_contact_is_not_created_at_a_naive_instant():
    with pytest.raises(NaiveTimeError):
        Contact.create("c-1", at=NAIVE, by="form")


# The lifecycle


def test_a_skip_is_allowed():
    contact, event = contact_at("lead").advance("opportunity", **NEXT)
    assert contact.lifecycle_stage is LifecycleStage.OPPORTUNITY
    assert contact.stage_since == contact.changed_at == START + DAY
    assert event == LifecycleStageSet(
        record="c-1", sequence=2, stage=LifecycleStage.OPPORTUNITY,
        stage_left=LifecycleStage.LEAD, ruling=LIFECYCLE.ruling, **NEXT,
    )  # fmt: skip


def test_a_skip_is_denied_where_the_rulebook_says_so():
    contact = contact_at("lead", rulebook=STEPS)
    assert codes(contact.decide("customer", rulebook=STEPS)) == [Code.SKIP]
    with pytest.raises(DeniedError, match="'steps' passes over no state"):
        contact.advance("customer", rulebook=STEPS, **NEXT)
    _, event = contact.advance("marketing_qualified_lead", rulebook=STEPS, **NEXT)
    assert event.ruling == STEPS.ruling


def test_a_move_backward_is_denied_with_the_reason_and_what_would_do():
    with pytest.raises(DeniedError) as caught:
        contact_at("customer").advance("lead", **NEXT)
    assert str(caught.value) == (
        "cannot move contact 'c-1' from 'customer' to 'lead': the lifecycle moves forward only; "
        "allowed: 'evangelist'"
    )
    assert codes(caught.value.decision) == [Code.BACKWARD]


def test_reaching_the_stage_a_contact_is_on_is_denied_as_a_command():
    assert codes(contact_at("lead").decide("lead")) == [Code.ALREADY_THERE]
    with pytest.raises(DeniedError, match="it is already there"):
        contact_at("lead").advance("lead", **NEXT)


def test_a_contact_without_a_stage_may_reach_any():
    assert all(contact_at().options())
    contact, event = contact_at().advance("subscriber", **NEXT)
    assert contact.lifecycle_stage is LifecycleStage.SUBSCRIBER
    assert event.stage_left is None


def test_every_reason_against_a_move_is_given_at_once():
    contact, _ = contact_at("customer").opt_out(**NEXT)
    decision = contact.decide("lead", at=START)
    assert decision.result is Result.DENIED
    assert codes(decision) == [Code.BACKWARD, Code.BEFORE_LAST_EVENT]
    assert decision.denials[1].expected == START + DAY
    assert codes(contact.decide("lead")) == [Code.BACKWARD]
    assert codes(contact.decide("evangelist", at=START + DAY)) == []


def test_the_options_are_a_decision_for_each_stage_in_order():
    options = contact_at("opportunity").options()
    assert [option.target for option in options] == list(LifecycleStage)
    assert [option.target for option in options if option] == ["customer", "evangelist"]
    assert not any(contact_at("lead").options(at=START - DAY))


def test_a_recorded_backward_move_changes_nothing_but_the_version():
    contact = contact_at("customer")
    backward = LifecycleStageSet(record="c-1", sequence=2, at=START, stage=LifecycleStage.LEAD)
    after = Contact.replay([backward], contact)
    assert after == attrs.evolve(contact, version=2)


def test_a_stage_recorded_twice_was_reached_the_first_time():
    again = LifecycleStageSet(record="c-1", sequence=2, at=START + DAY, stage=LifecycleStage.LEAD)
    after = Contact.replay([again], contact_at("lead"))
    assert (after.stage_since, after.changed_at) == (START, START + DAY)


def test_reaching_a_further_stage_consumes_the_approvals():
    approved, _ = contact_at("lead").approve("legal", **NEXT)
    assert approved.advance("customer", **NEXT)[0].approvals == frozenset()
    backward = LifecycleStageSet(
        record="c-1", sequence=3, at=START + DAY, stage=LifecycleStage.SUBSCRIBER
    )
    assert Contact.replay([backward], approved).approvals == {"legal"}


def test_a_status_does_not_consume_the_approvals():
    approved, _ = contact_at("sales_qualified_lead").approve("legal", **NEXT)
    assert approved.set_lead_status("connected", **NEXT)[0].approvals == {"legal"}


def test_advancing_refuses_strange_facts():
    contact = contact_at("lead")
    check_door(lambda value: contact.advance(value, **NEXT))
    check_door(contact.decide)
    check_door(lambda value: contact.decide("customer", at=value), takes=is_none)
    check_door(lambda value: contact.decide("customer", rulebook=value))
    check_door(lambda value: contact.options(rulebook=value))
    check_door(lambda value: contact.options(at=value), takes=is_none)
    check_door(lambda value: contact.advance("customer", at=value, by="ada"))
    check_door(lambda value: contact.advance("customer", at=START, by=value), takes=is_text)
    for name in ("rulebook", "scheme"):
        check_door(lambda value, name=name: contact.advance("customer", **NEXT, **{name: value}))


def test_a_stage_reached_at_an_instant_of_any_zone_is_recorded_in_utc():
    east = (START + DAY).astimezone(timezone(timedelta(hours=5)))
    _, event = contact_at().advance("lead", at=east, by="ada")
    assert event.at == START + DAY
    assert event.at.tzinfo is UTC


# The lead status


def test_reaching_sql_sets_the_initial_status():
    contact, event = contact_at("lead").advance("sales_qualified_lead", **NEXT)
    assert contact.lead_status == event.lead_status == "new"
    assert contact.status_since == START + DAY


def test_leaving_sql_clears_the_status():
    sql = contact_at("sales_qualified_lead").set_lead_status(
        "bad_timing", revisit_on=date(2026, 9, 1), **NEXT
    )[0]
    contact, event = sql.advance("opportunity", **NEXT)
    assert event.lead_status is None
    assert (contact.lead_status, contact.status_since, contact.revisit_on) == (None, None, None)


def test_the_recyclable_scheme_keeps_the_status_through_the_opportunity():
    scheme = RECYCLABLE_STATUSES
    sql = contact_at("sales_qualified_lead").set_lead_status("connected", scheme=scheme, **NEXT)[0]
    opportunity, _ = sql.advance("opportunity", at=START + 2 * DAY, by="ada", scheme=scheme)
    assert (opportunity.lead_status, opportunity.status_since) == ("connected", START + DAY)
    back, _ = opportunity.set_lead_status("bad_timing", at=START + 3 * DAY, by="a", scheme=scheme)
    assert back.lead_status == "bad_timing"
    customer, _ = back.advance("customer", at=START + 3 * DAY, by="ada", scheme=scheme)
    assert customer.lead_status is None


@pytest.mark.parametrize("stage", [None, "lead", "opportunity", "evangelist"])
def test_setting_a_status_where_the_scheme_is_not_active_is_denied(stage):
    contact = contact_at(stage)
    decision = contact.decide_status("connected")
    assert codes(decision) == [Code.STATUS_INACTIVE]
    (denial,) = decision.denials
    assert denial.code == "status_inactive"
    assert (denial.actual, denial.expected) == (contact.lifecycle_stage, (LifecycleStage.SQL,))
    with pytest.raises(DeniedError) as caught:
        contact.set_lead_status("connected", **NEXT)
    assert caught.value.decision == decision
    assert "'standard' has lead statuses for 'sales_qualified_lead' only" in str(caught.value)


def test_a_scheme_of_two_stages_names_both():
    (denial,) = contact_at("lead").decide_status("new", scheme=RECYCLABLE_STATUSES).denials
    assert denial.message == (
        "scheme 'recyclable' has lead statuses for 'sales_qualified_lead' or 'opportunity' only"
    )


def test_bad_timing_carries_the_date_to_revisit():
    sql = contact_at("sales_qualified_lead")
    waiting, event = sql.set_lead_status("bad_timing", revisit_on=date(2026, 9, 1), **NEXT)
    assert event == LeadStatusSet(
        record="c-1", sequence=2, status="bad_timing", status_left="new",
        revisit_on=date(2026, 9, 1), ruling=event.ruling, **NEXT,
    )  # fmt: skip
    assert (waiting.lead_status, waiting.revisit_on) == ("bad_timing", date(2026, 9, 1))
    assert waiting.lifecycle_stage is LifecycleStage.SQL
    back, _ = waiting.set_lead_status("connected", **NEXT)
    assert (back.lead_status, back.revisit_on) == ("connected", None)


def test_a_date_to_revisit_stays_while_the_status_does():
    waiting, _ = contact_at("sales_qualified_lead").set_lead_status(
        "bad_timing", revisit_on=date(2026, 9, 1), **NEXT
    )
    again = LeadStatusSet(record="c-1", sequence=3, at=START + 2 * DAY, status="bad_timing")
    assert Contact.replay([again], waiting).revisit_on == date(2026, 9, 1)
    assert Contact.replay([again], waiting).status_since == START + DAY
    later = attrs.evolve(again, revisit_on=date(2026, 12, 1))
    assert Contact.replay([later], waiting).revisit_on == date(2026, 12, 1)


def test_statuses_go_in_any_direction():
    contact = contact_at("sales_qualified_lead")
    for status in ("unqualified", "open_deal", "attempted_to_contact", "new", "connected"):
        contact, event = contact.set_lead_status(status, **NEXT)
        assert contact.lead_status == event.status == status


def test_the_status_a_contact_has_and_one_that_is_none_are_denied():
    contact = contact_at("sales_qualified_lead")
    assert codes(contact.decide_status("new")) == [Code.ALREADY_THERE]
    unknown = contact.decide_status("made_up")
    assert unknown.result is Result.NO_SUCH_MOVE
    assert codes(unknown) == [Code.UNKNOWN_STATE]
    early = contact.decide_status("new", at=START - DAY)
    assert codes(early) == [Code.ALREADY_THERE, Code.BEFORE_LAST_EVENT]


def test_a_retired_status_key_is_read_as_its_successor():
    scheme = StatusScheme(
        "calls",
        [Status("fresh", kind=StatusKind.INITIAL), Status("called")],
        former={"ringing": "called"},
    )
    contact = contact_at("sales_qualified_lead", scheme=scheme)
    called, event = contact.set_lead_status("ringing", scheme=scheme, **NEXT)
    assert called.lead_status == event.status == "called"
    retired = attrs.evolve(called, lead_status="ringing")
    assert codes(retired.decide_status("called", scheme=scheme)) == [Code.ALREADY_THERE]


def test_the_status_options_are_a_decision_for_each_status_in_order():
    options = contact_at("sales_qualified_lead").status_options()
    assert [option.target for option in options if not option] == ["new"]
    assert len(options) == 6
    assert not any(contact_at("lead").status_options())


def test_a_status_that_another_system_cleared_is_none():
    contact = contact_at("sales_qualified_lead")
    cleared = LeadStatusSet(record="c-1", sequence=2, at=START + DAY, status=None)
    after = Contact.replay([cleared], contact)
    assert (after.lead_status, after.status_since) == (None, None)


def test_setting_a_status_refuses_strange_facts():
    contact = contact_at("sales_qualified_lead")
    check_door(lambda value: contact.set_lead_status(value, **NEXT))
    check_door(contact.decide_status, takes=is_text)
    check_door(lambda value: contact.decide_status("connected", scheme=value))
    check_door(lambda value: contact.status_options(scheme=value))
    check_door(lambda value: contact.set_lead_status("connected", **NEXT, scheme=value))
    check_door(
        lambda value: contact.set_lead_status("bad_timing", **NEXT, revisit_on=value),
        takes=is_none,
    )
    with pytest.raises(WrongTypeError, match="'revisit_on' must be a date without a time"):
        contact.set_lead_status("bad_timing", **NEXT, revisit_on=START)


# Consent


def test_a_contact_opts_out_and_in():
    out, event = contact_at().opt_out(**NEXT)
    assert out.opted_out
    assert event == OptedOut(record="c-1", sequence=2, **NEXT)
    back, event = out.opt_in(**NEXT)
    assert not back.opted_out
    assert event == OptedIn(record="c-1", sequence=3, **NEXT)


def test_consent_is_not_dated_before_the_last_change():
    for command in (contact_at().opt_out, contact_at().opt_in):
        with pytest.raises(DeniedError, match="is before its last change"):
            command(at=START - DAY, by="ada")


# Fields

SETTING = {
    "id": lambda _: Contact.create("c-9", **FIRST),
    "version": lambda contact: contact.opt_in(**NEXT),
    "lifecycle_stage": lambda contact: contact.advance("customer", **NEXT),
    "stage_since": lambda contact: contact.advance("customer", **NEXT),
    "changed_at": lambda contact: contact.opt_in(**NEXT),
    "lead_status": lambda contact: contact.set_lead_status("connected", **NEXT),
    "status_since": lambda contact: contact.set_lead_status("connected", **NEXT),
    "revisit_on": lambda contact: contact.set_lead_status(
        "bad_timing", revisit_on=date(2026, 9, 1), **NEXT
    ),
    "created_at": lambda _: Contact.create("c-1", at=START - DAY, by="form"),
    "name": lambda contact: contact.set_field("name", "Ada", **NEXT),
    "email": lambda contact: contact.set_field("email", "ada@example.org", **NEXT),
    "company": lambda contact: contact.set_field("company", "Example", **NEXT),
    "account": lambda contact: contact.set_field("account", "a-1", **NEXT),
    "owner": lambda contact: contact.change_owner("bob", **NEXT),
    "source": lambda contact: contact.set_field("source", "fair", **NEXT),
    "next_step": lambda contact: contact.plan_next_step("call", **NEXT),
    "opted_out": lambda contact: contact.opt_out(**NEXT),
    "approvals": lambda contact: contact.approve("legal", **NEXT),
    "verdict": lambda contact: contact.assess("bant", "need", "met", verdict="fit", **NEXT),
    "attributes": lambda contact: contact.set_field("attributes.seats", 4, **NEXT),
}
HELD = {
    "id": "c-9",
    "version": 2,
    "lifecycle_stage": LifecycleStage.CUSTOMER,
    "stage_since": START + DAY,
    "changed_at": START + DAY,
    "lead_status": "connected",
    "status_since": START + DAY,
    "created_at": START - DAY,
}


def test_every_field_of_a_contact_has_a_command_that_sets_it():
    assert tuple(SETTING) == Contact.names() == tuple(FULL)


@pytest.mark.parametrize("field", SETTING)
def test_a_field_is_set_by_its_command_and_its_event(field):
    contact, created = Contact.create("c-1", stage="sales_qualified_lead", **FIRST)
    after, event = SETTING[field](contact)
    expected = HELD.get(field, FULL[field])
    assert getattr(contact, field) != expected
    assert getattr(after, field) == expected
    events = [event] if isinstance(event, Created) else [created, event]
    assert ContactHistory(events).latest == after


@pytest.mark.parametrize("field", ["name", "email", "company", "account", "source"])
def test_a_plain_field_is_text_or_none(field):
    contact = contact_at(**{field: "before"})
    assert getattr(contact.set_field(field, None, **NEXT)[0], field) is None
    check_door(lambda value: contact.set_field(field, value, **NEXT), takes=is_text_or_none)


def test_the_subject_of_a_message_is_the_kind_and_the_id():
    assert contact_at().subject == "contact 'c-1'"


def test_a_stage_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(UnknownKeyError) as caught:
        contact_at().advance("other", **NEXT)
    assert caught.value.known == tuple(LifecycleStage)


def test_attributes_of_a_new_contact_are_refused_with_every_fault():
    with pytest.raises(InvalidValueError) as caught:
        Contact.create("c-1", **FIRST, attributes={"a": object(), "b": NAIVE})
    assert len(caught.value.faults) == 2


# What conditions see


def test_conditions_on_a_status_see_the_date_given_with_it():
    book = Rulebook.free(
        "dated",
        list(LeadStatus),
        rules=[Rule("a date", present("revisit_on"), targets=[LeadStatus.BAD_TIMING])],
    )
    scheme = attrs.evolve(STANDARD_STATUSES, rulebook=book)
    sql, _ = Contact.create("c-1", at=START, by="ada", stage="sales_qualified_lead")
    without = sql.decide_status("bad_timing", scheme=scheme)
    assert [(denial.rule, denial.field) for denial in without.denials] == [("a date", "revisit_on")]
    on = date(2026, 9, 1)
    assert sql.decide_status("bad_timing", revisit_on=on, scheme=scheme)
    options = sql.status_options(revisit_on=on, scheme=scheme)
    assert [option.target for option in options if not option] == ["new"]
    parked, event = sql.set_lead_status(
        "bad_timing", at=START, by="ada", revisit_on=on, scheme=scheme
    )
    assert (parked.revisit_on, event.revisit_on, type(event.status)) == (on, on, str)
    back, _ = parked.set_lead_status("connected", at=START, by="ada", scheme=scheme)
    assert not back.decide_status("bad_timing", scheme=scheme)
    with pytest.raises(WrongTypeError, match="'revisit_on' must be a date"):
        sql.decide_status("bad_timing", revisit_on="soon", scheme=scheme)


def test_a_lower_stage_is_backward_beside_whatever_a_rulebook_has_against_it():
    def broken(_facts):
        raise RuntimeError("no answer")

    book = Rulebook.free(
        "free", LifecycleStage, rules=[Rule("asked", named("broken"))],
        predicates={"broken": broken},
    )  # fmt: skip
    customer, _ = Contact.create("c-1", at=START, by="ada", stage="customer")
    decision = customer.decide("lead", rulebook=book)
    assert decision.result is Result.DENIED
    assert [denial.code for denial in decision.denials] == ["failed", "backward"]


@pytest.mark.parametrize(
    ("command", "argument", "named"),
    [("advance", "nope", "'nope'"), ("set_lead_status", "", "'status'")],
)
def test_a_command_names_all_that_is_wrong_with_its_arguments(command, argument, named):
    contact, _ = Contact.create("c-1", at=START, by="ada", stage="sales_qualified_lead")
    with pytest.raises(InvalidValueError) as caught:
        getattr(contact, command)(argument, at="soon", by="")
    for name in ("'at'", "'by'", named):
        assert name in str(caught.value)
    with pytest.raises(WrongTypeError, match="'override' must be an Override"):
        getattr(contact, command)("opportunity", at=START, by="ada", override=5)
