from datetime import datetime, timedelta

import pytest

from contracts import check_door, check_value
from record_strategies import START
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, NaiveTimeError, UnknownKeyError, WrongTypeError
from salespipeline.events import LeadStatusSet, LifecycleStageSet
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import RECYCLABLE_STATUSES, LifecycleStage, Status, StatusScheme
from salespipeline.rules import Code, DeniedError, Rulebook
from salespipeline.triggers import (
    HUBSPOT_TRIGGERS,
    STANDARD_TRIGGERS,
    Behaviour,
    Trigger,
    TriggerSet,
)

DAY = timedelta(days=1)
NOW = {"at": START + DAY, "by": "site"}
NAIVE = datetime(2026, 1, 2)  # noqa: DTZ001 - the naive instant is the point
LEAD, MQL, SQL = LifecycleStage.LEAD, LifecycleStage.MQL, LifecycleStage.SQL
OPPORTUNITY, CUSTOMER = LifecycleStage.OPPORTUNITY, LifecycleStage.CUSTOMER
ANYWHERE = (None, *LifecycleStage)
FAIR = TriggerSet.of("fair", {"visited_our_stand": "lead", "took_a_pen": None})
TALKED = TriggerSet("talked", [Trigger("talked", SQL, "connected")])
"""A behaviour that says a stage and a status at once."""

CALLS = StatusScheme(
    "calls",
    [Status("fresh", kind="initial"), Status("reached"), Status("offer")],
    former={"open_deal": "offer", "connected": "reached"},
    rulebook=Rulebook.explicit("calls", {"fresh": ["reached"], "reached": ["offer"], "offer": []}),
)
"""A scheme in which an offer may only follow a talk."""


def contact_at(stage, **more):
    return Contact.create("c-1", stage=stage, at=START, by="form", **more)[0]


def stages_after(triggers, behaviour):
    """The stage after a behaviour, by the stage before it."""
    return {
        stage: triggers.apply(contact_at(stage), behaviour, **NOW)[0].lifecycle_stage
        for stage in ANYWHERE
    }


def is_text(value):
    return isinstance(value, str) and value != ""


def is_none(value):
    return value is None


# What the sets that ship say

STANDARD = {
    "subscriber": ["list_sign_up"],
    "lead": ["content_download", "pricing_page_visit", "form", "webinar", "email_reply"],
    "marketing_qualified_lead": [
        "meeting_booked", "sample_ordered", "quote_requested", "demo_requested",
        "trial_completed", "score_reached",
    ],
    "opportunity": ["commitment"],
    "customer": ["deal_won"],
}  # fmt: skip
HUBSPOT = {
    "subscriber": ["list_sign_up"],
    "lead": [
        "content_download", "form", "webinar", "email_reply", "meeting_booked", "sample_ordered",
        "quote_requested", "demo_requested",
    ],
    "opportunity": ["deal_opened"],
    "customer": ["deal_won"],
}  # fmt: skip
REACHING = [
    (triggers, behaviour, LifecycleStage(stage))
    for triggers, table in ((STANDARD_TRIGGERS, STANDARD), (HUBSPOT_TRIGGERS, HUBSPOT))
    for stage, behaviours in table.items()
    for behaviour in behaviours
]


@pytest.mark.parametrize("triggers", [STANDARD_TRIGGERS, HUBSPOT_TRIGGERS], ids=lambda t: t.name)
def test_a_set_that_ships_knows_every_standard_behaviour(triggers):
    assert set(triggers.behaviours) == set(Behaviour)


@pytest.mark.parametrize(
    ("triggers", "behaviour", "stage"), REACHING, ids=lambda v: getattr(v, "name", v)
)
def test_a_behaviour_takes_whoever_is_behind_its_stage_there_and_nobody_else(
    triggers, behaviour, stage
):
    for before, after in stages_after(triggers, behaviour).items():
        behind = before is None or before < stage
        assert after is (stage if behind else before)


def test_by_the_standard_set_a_deal_opened_while_sql_is_a_status_and_the_stage_stays():
    contact, events = STANDARD_TRIGGERS.apply(
        contact_at("sales_qualified_lead"), "deal_opened", **NOW
    )
    assert (contact.lifecycle_stage, contact.lead_status) == (SQL, "open_deal")
    assert [type(event) for event in events] == [LeadStatusSet]


@pytest.mark.parametrize("stage", [stage for stage in ANYWHERE if stage is not SQL])
@pytest.mark.parametrize("scheme", [RECYCLABLE_STATUSES, StatusScheme.of("own", {"a": "initial"})])
def test_by_the_standard_set_a_deal_opened_outside_sql_changes_nothing(stage, scheme):
    contact = contact_at(stage, scheme=scheme)
    assert STANDARD_TRIGGERS.apply(contact, "deal_opened", **NOW, scheme=scheme) == (contact, ())


def test_by_the_standard_set_no_behaviour_confirms_that_a_lead_is_sales_qualified():
    assert SQL not in {trigger.stage for trigger in STANDARD_TRIGGERS.triggers}


def test_by_the_standard_set_only_a_customer_becomes_an_evangelist():
    after = stages_after(STANDARD_TRIGGERS, "promoted_us")
    assert after.pop(CUSTOMER) is LifecycleStage.EVANGELIST
    assert all(before is stage for before, stage in after.items())


@pytest.mark.parametrize(
    "behaviour",
    ["pricing_page_visit", "trial_completed", "score_reached", "commitment", "promoted_us"],
)
def test_by_hubspots_set_what_no_default_update_names_moves_nothing(behaviour):
    assert all(
        before is after for before, after in stages_after(HUBSPOT_TRIGGERS, behaviour).items()
    )


def test_hubspots_set_sets_no_status_and_asks_for_no_stage():
    assert {(each.status, each.while_in) for each in HUBSPOT_TRIGGERS.triggers} == {(None, None)}


def test_by_hubspots_set_a_deal_opened_ends_the_status_or_keeps_it_as_the_scheme_says():
    ended, _ = HUBSPOT_TRIGGERS.apply(contact_at(SQL), "deal_opened", **NOW)
    contact = contact_at(SQL, scheme=RECYCLABLE_STATUSES)
    kept, _ = HUBSPOT_TRIGGERS.apply(contact, "deal_opened", **NOW, scheme=RECYCLABLE_STATUSES)
    assert (ended.lead_status, kept.lead_status) == (None, "new")


# Applying


def test_events_say_who_when_and_by_which_rules_like_those_of_commands():
    lead = contact_at("lead")
    expected = lead.advance("customer", **NOW, role="billing")
    contact, events = STANDARD_TRIGGERS.apply(lead, Behaviour.DEAL_WON, **NOW, role="billing")
    assert (contact, events) == (expected[0], (expected[1],))


def test_the_events_continue_the_contacts_history():
    lead, created = Contact.create("c-1", stage="lead", at=START, by="form")
    contact, events = TALKED.apply(lead, "talked", **NOW)
    assert [type(event) for event in events] == [LifecycleStageSet, LeadStatusSet]
    assert [event.lead_status for event in events[:1]] == ["new"]
    assert (contact.lifecycle_stage, contact.lead_status) == (SQL, "connected")
    assert ContactHistory([created, *events]).latest == contact


def test_a_stage_reached_before_leaves_only_the_status_to_be_set():
    contact, events = TALKED.apply(contact_at(SQL), "talked", **NOW)
    assert contact.lead_status == "connected"
    assert [type(event) for event in events] == [LeadStatusSet]


@pytest.mark.parametrize("stage", [OPPORTUNITY, CUSTOMER])
def test_a_status_does_not_apply_where_the_scheme_is_not_active(stage):
    contact = contact_at(stage)
    assert TALKED.apply(contact, "talked", **NOW) == (contact, ())


def test_a_status_that_the_contact_has_under_a_retired_key_is_not_set_again():
    held = StatusScheme.of("held", {"fresh": "initial", "open_deal": "working"})
    contact, _ = contact_at(SQL, scheme=held).set_lead_status("open_deal", **NOW, scheme=held)
    assert STANDARD_TRIGGERS.apply(contact, "deal_opened", **NOW, scheme=CALLS) == (contact, ())
    moved, _ = STANDARD_TRIGGERS.with_trigger(Trigger("rang", status="offer")).apply(
        contact, "rang", **NOW, scheme=CALLS
    )
    assert moved is contact


def test_a_status_named_by_a_retired_key_is_set_by_its_successor():
    contact, events = TALKED.apply(contact_at("lead"), "talked", **NOW, scheme=CALLS)
    assert contact.lead_status == events[1].status == "reached"


def test_an_sql_read_without_a_status_gets_that_of_the_trigger():
    lead, created = Contact.create("c-1", stage="lead", at=START, by="form")
    bare = LifecycleStageSet(record="c-1", sequence=2, at=START, stage=SQL)
    contact, _ = STANDARD_TRIGGERS.apply(
        ContactHistory([created, bare]).latest, "deal_opened", **NOW
    )
    assert lead.lead_status is None
    assert contact.lead_status == "open_deal"


def test_whether_a_contact_is_where_the_trigger_asks_is_judged_before_it_moves():
    promoted = TriggerSet("own", [Trigger("talked", SQL, "connected", while_in=[MQL])])
    contact, events = promoted.apply(contact_at(MQL), "talked", **NOW)
    assert (contact.lifecycle_stage, contact.lead_status, len(events)) == (SQL, "connected", 2)
    for stage in (None, LEAD, SQL):
        asked = contact_at(stage)
        assert promoted.apply(asked, "talked", **NOW) == (asked, ())


# What is denied


def denied(call):
    with pytest.raises(DeniedError) as caught:
        call()
    return [denial.code for denial in caught.value.decision.denials]


def test_a_stage_that_the_rulebook_denies_is_denied_with_its_reason():
    steps = Rulebook.forward("steps", LifecycleStage, skips=False)
    lead = contact_at("lead")
    assert denied(lambda: STANDARD_TRIGGERS.apply(lead, "deal_won", **NOW, rulebook=steps)) == [
        Code.SKIP
    ]


def test_where_the_status_is_denied_the_stage_is_not_reached_either():
    offered = TriggerSet("offered", [Trigger("offered", SQL, "offer")])
    lead = contact_at("lead")
    codes = denied(lambda: offered.apply(lead, "offered", **NOW, scheme=CALLS))
    assert codes == [Code.NO_SUCH_MOVE]
    assert lead == contact_at("lead")


def test_a_status_that_the_scheme_lacks_is_denied():
    own = StatusScheme.of("own", {"fresh": "initial"})
    contact = contact_at(SQL, scheme=own)
    codes = denied(lambda: STANDARD_TRIGGERS.apply(contact, "deal_opened", **NOW, scheme=own))
    assert codes == [Code.UNKNOWN_STATE]


def test_an_instant_before_the_last_change_is_denied_only_where_something_would_happen():
    early = {"at": START - DAY, "by": "site"}
    customer = contact_at(CUSTOMER)
    assert STANDARD_TRIGGERS.apply(customer, "form", **early) == (customer, ())
    assert denied(lambda: STANDARD_TRIGGERS.apply(contact_at(None), "form", **early)) == [
        Code.BEFORE_LAST_EVENT
    ]


# Knowing a behaviour, and not


def test_a_behaviour_that_the_set_does_not_know_is_an_error_that_names_those_it_knows():
    with pytest.raises(UnknownKeyError) as caught:
        FAIR.apply(contact_at(None), "visited_our_stnad", **NOW)
    assert caught.value.known == ("visited_our_stand", "took_a_pen")
    assert "behaviour of trigger set 'fair'" in str(caught.value)


def test_a_set_can_be_asked_whether_it_knows_a_behaviour():
    assert "took_a_pen" in FAIR
    assert Behaviour.FORM in STANDARD_TRIGGERS
    assert "call" not in STANDARD_TRIGGERS
    assert 7 not in STANDARD_TRIGGERS
    assert [] not in STANDARD_TRIGGERS


def test_a_behaviour_that_moves_nothing_is_known_and_moves_nothing():
    contact = contact_at(None)
    assert FAIR.apply(contact, "took_a_pen", **NOW) == (contact, ())
    assert FAIR.trigger("took_a_pen") == Trigger("took_a_pen")


def test_a_recorded_activity_is_applied_by_its_own_kind():
    contact, activity = contact_at(None).record_activity(Behaviour.WEBINAR, **NOW)
    contact, _ = STANDARD_TRIGGERS.apply(contact, activity.kind, at=activity.at, by=activity.by)
    assert (contact.lifecycle_stage, contact.version) == (LEAD, 3)


# Building a set


def test_a_set_is_extended_and_a_behaviour_of_it_is_told_anew():
    more = FAIR.with_trigger(Trigger("gave_a_card", MQL))
    assert more.behaviours == ("visited_our_stand", "took_a_pen", "gave_a_card")
    again = more.with_trigger(Trigger("took_a_pen", LifecycleStage.SUBSCRIBER))
    assert again.behaviours == more.behaviours
    assert again.trigger("took_a_pen").stage is LifecycleStage.SUBSCRIBER
    assert FAIR.trigger("took_a_pen").stage is None


def test_a_set_made_from_stages_is_the_one_made_from_triggers():
    assert TriggerSet("fair", [Trigger("visited_our_stand", LEAD), Trigger("took_a_pen")]) == FAIR


def test_a_behaviour_named_twice_is_a_fault_for_each():
    with pytest.raises(InvalidValueError) as caught:
        TriggerSet("own", [Trigger(key) for key in ("form", "call", "form", "call", "visit")])
    assert caught.value.faults == (
        "the behaviour 'form' occurs twice",
        "the behaviour 'call' occurs twice",
    )


def test_a_set_without_a_trigger_is_refused():
    with pytest.raises(InvalidValueError, match="there is no trigger in it"):
        TriggerSet.of("own", {})


def test_a_trigger_to_a_stage_that_everybody_it_concerns_has_reached_is_refused():
    with pytest.raises(
        InvalidValueError, match="the stage 'lead' is beyond no stage of 'while_in'"
    ):
        Trigger("form", LEAD, while_in=[LEAD, CUSTOMER])
    assert Trigger("form", MQL, while_in=[LEAD, CUSTOMER]).stage is MQL


def test_a_trigger_that_concerns_no_stage_is_refused():
    with pytest.raises(InvalidValueError, match="'while_in' names no stage"):
        Trigger("form", LEAD, while_in=[])


def test_stages_may_be_given_by_their_keys():
    by_key = Trigger("form", "opportunity", while_in=["lead", "customer"])
    assert by_key == Trigger("form", OPPORTUNITY, while_in={CUSTOMER, LEAD})


# Values and doors


def test_a_trigger_is_a_value():
    check_value(
        Trigger("form", MQL, "new", [LEAD]),
        Trigger(Behaviour.FORM, MQL, "new", [LEAD]),
        Trigger("call", MQL, "new", [LEAD]),
        Trigger("form", SQL, "new", [LEAD]),
        Trigger("form", MQL, "open_deal", [LEAD]),
        Trigger("form", MQL, "new", [LifecycleStage.SUBSCRIBER]),
        Trigger("form", MQL, "new"),
    )


def test_a_set_is_a_value():
    one = Trigger("form", LEAD)
    check_value(
        TriggerSet("own", [one]),
        TriggerSet("own", (one,)),
        TriggerSet("other", [one]),
        TriggerSet("own", [one, Trigger("call")]),
        TriggerSet("own", [Trigger("form", MQL)]),
    )


def test_the_doors_of_a_trigger_refuse_what_is_strange():
    check_door(Trigger, takes=is_text)
    check_door(lambda value: Trigger("form", value), takes=is_none)
    check_door(lambda value: Trigger("form", LEAD, value), takes=lambda v: is_none(v) or is_text(v))
    check_door(lambda value: Trigger("form", MQL, None, value), takes=is_none)
    check_door(lambda value: Trigger("form", MQL, None, [value]))


def test_the_doors_of_a_set_refuse_what_is_strange():
    check_door(lambda value: TriggerSet(value, [Trigger("form")]), takes=is_text)
    check_door(lambda value: TriggerSet("own", value))
    check_door(lambda value: TriggerSet("own", [value]))
    check_door(lambda value: TriggerSet.of("own", value))
    check_door(lambda value: TriggerSet.of("own", {"form": value}), takes=is_none)
    check_door(FAIR.trigger)
    check_door(FAIR.with_trigger)


def test_the_doors_of_applying_refuse_what_is_strange_even_where_nothing_would_happen():
    contact = contact_at(CUSTOMER)

    def applied(**given):
        asked = {"contact": contact, "behaviour": "took_a_pen", **NOW} | given
        return FAIR.apply(asked.pop("contact"), asked.pop("behaviour"), **asked)

    check_door(lambda value: applied(contact=value))
    check_door(lambda value: applied(behaviour=value))
    check_door(lambda value: applied(at=value))
    check_door(lambda value: applied(by=value), takes=is_text)
    check_door(lambda value: applied(role=value), takes=lambda v: is_none(v) or is_text(v))
    check_door(lambda value: applied(rulebook=value))
    check_door(lambda value: applied(scheme=value))
    with pytest.raises(NaiveTimeError):
        applied(at=NAIVE)


def test_every_fault_of_a_call_is_named_at_once():
    with pytest.raises(InvalidValueError) as caught:
        FAIR.apply(contact_at(None), "rang", at=NAIVE, by="", role=7)
    assert caught.value.subject == "trigger"
    assert len(caught.value.faults) == 4


def test_a_set_is_no_plain_mapping():
    with pytest.raises(WrongTypeError, match="a mapping of behaviours to stages"):
        TriggerSet.of("own", [("form", "lead")])
