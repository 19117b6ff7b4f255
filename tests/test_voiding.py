from datetime import datetime, timedelta, timezone

import attrs
import pytest

from contracts import STRANGE, check_door
from record_strategies import BOARD, LEAN, START
from salespipeline import metrics
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, NaiveTimeError, UnknownKeyError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Approved,
    Created,
    Deleted,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    Voided,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory, Reading
from salespipeline.lifecycle import RECYCLABLE_STATUSES, STANDARD_STATUSES, LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome
from salespipeline.rules import Code, DeniedError, Result

NOW = Reading.AS_KNOWN_NOW
DAY = timedelta(days=1)


def day(number):
    return START + number * DAY


def of_deal(kind, sequence, at, /, **facts):
    return kind(record="d-1", sequence=sequence, at=day(at), **facts)


def of_contact(kind, sequence, at, /, **facts):
    return kind(record="c-1", sequence=sequence, at=day(at), **facts)


def deal(*stages):
    """A deal opened in talk on day 0, and moved by a command on each day after it."""
    record, event = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    history = DealHistory([event])
    for stage in stages:
        record, event = record.move(stage, at=record.changed_at + DAY, by="ada", pipeline=BOARD)
        history = history.append(event)
    return history


def contact(*steps, stage="lead", scheme=STANDARD_STATUSES):
    """A contact created on day 0, and advanced or given a lead status on each day after it."""
    record, event = Contact.create("c-1", at=START, by="form", stage=stage, scheme=scheme)
    history = ContactHistory([event])
    for step in steps:
        at = record.changed_at + DAY
        command = record.advance if step in set(LifecycleStage) else record.set_lead_status
        record, event = command(step, at=at, by="ada", scheme=scheme)
        history = history.append(event)
    return history


def void(history, *mistakes, at=20, **facts):
    return history.void(*mistakes, at=day(at), by="eve", why="a mistake", **facts)[0]


def refusal(history, *mistakes, at=20, **facts):
    """The denials of a void, by code, each with what it found; none where it is allowed."""
    decision = history.decide_void(*mistakes, at=day(at), **facts)
    assert bool(decision) == (decision.denials == ())
    assert decision.result is (Result.DENIED if decision.denials else Result.ALLOWED)
    return {denial.code: denial.actual for denial in decision.denials}


def state(history):
    record = history.latest
    return record and attrs.evolve(record, version=0, changed_at=START)


# The last event


def test_voiding_the_last_move_puts_the_record_back_where_it_was():
    before, history = deal("offer"), deal("offer", "signed")
    longer, voids = history.void(3, at=day(5), by="eve", role="head", why="not signed yet")
    assert voids == (
        of_deal(Voided, 4, 5, by="eve", role="head", why="not signed yet", voids=("d-1", 3)),
    )
    assert longer.events == (*history.events, *voids)
    assert history.latest.outcome is Outcome.WON
    assert state(longer) == state(before)
    assert (longer.latest.version, longer.latest.changed_at) == (4, day(5))


def test_the_mistake_stays_known_then_and_never_was_as_known_now():
    history = void(deal("offer"), 2, at=5)
    assert [history.as_of(day(at)).stage for at in (0, 1, 4, 5)] == [
        "talk", "offer", "offer", "talk",
    ]  # fmt: skip
    now = [history.as_of(day(at), reading=NOW).stage for at in (0, 1, 4, 5)]
    assert now == ["talk"] * 4


def test_figures_of_before_the_void_stay_and_those_after_it_are_right():
    history = void(deal("signed"), 2, at=5)
    for at, won in ((4, 1), (5, 0)):
        assert metrics.win_rate_closed([history], as_of=day(at)).numerator == won
        assert metrics.win_rate_created([history], as_of=day(at)).denominator == 1


def test_a_mistaken_lifecycle_stage_is_undone_where_a_move_backward_is_denied():
    history = contact("customer")
    with pytest.raises(DeniedError):
        history.latest.advance("lead", at=day(5), by="ada")
    assert void(history, 2).latest.lifecycle_stage is LifecycleStage.LEAD


def test_the_version_counts_a_voided_event_as_known_now_too():
    history = void(deal("offer"), 2, at=5)
    versions = [history.as_of(day(at), reading=NOW).version for at in (0, 1, 4, 5)]
    assert versions == [1, 2, 2, 3]


# What depends on a mistake


def test_a_move_in_the_middle_is_denied_with_all_that_depends_on_it():
    history = deal("offer", "hold", "signed")
    decision = history.decide_void(2, at=day(9))
    (denial,) = decision.denials
    assert (denial.code, denial.rule, denial.field) == (Code.HAS_DEPENDANTS, "deal", "dependants")
    assert (denial.actual, denial.expected) == ((3, 4), ())
    assert (decision.source, decision.target) == ((2,), (2,))
    with pytest.raises(DeniedError) as caught:
        void(history, 2, at=9)
    assert caught.value.decision == decision
    assert str(caught.value) == (
        "cannot void event 2 (Moved) of deal 'd-1': what depends on it must go too, by "
        "with_dependants=True: event 3 (Moved) left the stage 'offer', event 4 (Won) left the "
        "stage 'hold'"
    )


def test_what_depends_on_it_is_voided_with_it_last_to_first():
    history = deal("offer", "hold", "signed")
    facts = {"by": "eve", "role": "head", "why": "the wrong deal"}
    longer, voids = history.void(2, at=day(9), with_dependants=True, **facts)
    assert voids == tuple(
        of_deal(Voided, sequence, 9, voids=("d-1", number), **facts)
        for sequence, number in ((5, 4), (6, 3), (7, 2))
    )
    assert state(longer) == state(deal())
    assert longer.as_of(day(8)).outcome is Outcome.WON
    assert longer.as_of(day(8), reading=NOW).outcome is Outcome.OPEN


def test_a_decision_with_dependants_is_allowed_and_says_so():
    decision = deal("offer", "hold").decide_void(2, with_dependants=True)
    assert decision.explain("deal 'd-1'") == "can void event 2 (Moved) of deal 'd-1'"


def test_what_came_back_to_the_same_stage_by_itself_depends_on_nothing():
    history = deal("offer", "talk", "hold")
    assert refusal(history, 2) == {Code.HAS_DEPENDANTS: (3,)}
    longer = void(history, 2, with_dependants=True)
    assert longer.latest.stage == "hold"
    assert [visit.state for visit in longer.visits(day(30))] == ["talk", "hold"]


def test_many_dependants_are_all_listed_and_few_of_them_told():
    history = deal(*["offer", "talk"] * 5, "hold")
    longer = void(history, 1, with_dependants=True)
    assert len(longer.events) == 24
    (denial,) = history.decide_void(1).denials
    assert denial.actual == tuple(range(2, 13))
    assert denial.message.count("event") == 5
    assert denial.message.endswith("event 6 (Moved) happened to the record, and 6 more")
    (denial,) = deal(*["offer", "talk"] * 2, "hold").decide_void(1).denials
    assert denial.message.endswith("event 6 (Moved) happened to the record")


def test_what_says_nothing_of_a_stage_depends_on_no_move():
    record, opened = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    record, moved = record.move("offer", at=day(1), by="ada", pipeline=BOARD)
    history = DealHistory([opened, moved])
    for method, *arguments in (
        ("change_amount", Money(5, "EUR")),
        ("change_owner", "bob"),
        ("set_field", "source", "fair"),
        ("approve", "head"),
        ("withdraw_approval", "head"),
        ("record_activity", "call"),
        ("assess", "bant", "need", "met"),
    ):
        record, event = getattr(record, method)(*arguments, at=day(2), by="ada")
        history = history.append(event)
    assert refusal(history, moved) == {}
    assert void(history, moved).latest.stage == "talk"
    assert void(history, moved).latest.owner == "bob"


def test_a_withdrawal_does_not_depend_on_the_approval():
    record, opened = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    record, approved = record.approve("head", at=day(1), by="ada")
    _, withdrawn = record.withdraw_approval("head", at=day(2), by="ada")
    assert refusal(DealHistory([opened, approved, withdrawn]), approved) == {}


# Deals


def test_a_stage_left_that_is_not_known_depends_on_nothing():
    opened = of_deal(Opened, 1, 0, pipeline="board", stage="talk")
    offer = of_deal(Moved, 2, 1, pipeline="board", stage="offer")
    signed = of_deal(Won, 3, 2, pipeline="board", stage="signed", pipeline_left="lean")
    history = DealHistory([opened, offer, signed])
    assert refusal(history, 2) == {}
    assert void(history, 2).latest.outcome is Outcome.WON
    known = attrs.evolve(signed, pipeline_left="board", stage_left="offer")
    assert refusal(DealHistory([opened, offer, known]), 2) == {Code.HAS_DEPENDANTS: (3,)}
    half = attrs.evolve(signed, pipeline_left=None, stage_left="offer")
    assert refusal(DealHistory([opened, offer, half]), 2) == {Code.HAS_DEPENDANTS: (3,)}


def test_a_reopening_depends_on_the_closing_even_where_no_stage_is_known():
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Lost, 2, 1, pipeline="board", stage="gone"),
            of_deal(Reopened, 3, 2, pipeline="board", stage="offer"),
        ]
    )
    decision = history.decide_void(2)
    assert decision.denials[0].actual == (3,)
    assert "event 3 (Reopened) reopened a closed deal" in decision.explain()
    assert state(void(history, 2, with_dependants=True)) == state(void(void(history, 3), 2))


def test_the_same_stage_key_in_another_pipeline_is_another_stage():
    record, opened = Deal.open("d-1", at=START, by="ada", pipeline=BOARD, stage="offer")
    record, lean = record.move("offer", at=day(1), by="ada", pipeline=LEAN)
    _, trial = record.move("trial", at=day(2), by="ada", pipeline=LEAN)
    history = DealHistory([opened, lean, trial])
    assert trial.stage_left == opened.stage
    assert refusal(history, lean) == {Code.HAS_DEPENDANTS: (3,)}


def test_a_retired_key_is_another_stage_than_its_successor():
    assert BOARD.current("call") == "talk"
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Moved, 2, 1, pipeline="board", stage="call"),
            of_deal(Moved, 3, 2, pipeline="board", stage="offer", stage_left="call"),
        ]
    )
    assert refusal(history, 2) == {Code.HAS_DEPENDANTS: (3,)}


def test_what_an_event_says_and_was_never_so_depends_on_nothing():
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Moved, 2, 1, pipeline="board", stage="offer"),
            of_deal(Moved, 3, 2, pipeline="board", stage="hold", stage_left="ghost"),
            of_deal(Reopened, 4, 3, pipeline="board", stage="talk", stage_left="hold"),
        ]
    )
    assert refusal(history, 2) == {}
    assert refusal(history, 3) == {Code.HAS_DEPENDANTS: (4,)}


def test_undoing_a_void_breaks_nothing_that_was_untrue_before_the_void():
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Moved, 2, 1, pipeline="board", stage="offer"),
            of_deal(Moved, 3, 2, pipeline="board", stage="hold", stage_left="talk"),
        ]
    )
    longer = void(history, 2)
    assert refusal(longer, 4) == {}
    assert state(void(longer, 4)) == state(history)


# Contacts


def test_a_stage_that_says_it_left_another_depends_on_it():
    history = contact("marketing_qualified_lead", "sales_qualified_lead", "connected")
    assert refusal(history, 2) == {Code.HAS_DEPENDANTS: (3, 4)}
    assert refusal(history, 3) == {Code.HAS_DEPENDANTS: (4,)}
    assert refusal(history, 4) == {}
    told = history.decide_void(2).explain()
    assert "event 3 (LifecycleStageSet) left the stage 'marketing_qualified_lead'" in told
    assert "event 4 (LeadStatusSet) left the lead status 'new'" in told
    longer = void(history, 2, with_dependants=True)
    assert longer.latest.lifecycle_stage is LifecycleStage.LEAD
    assert longer.latest.lead_status is None


def test_a_status_in_the_middle_has_the_next_one_depend_on_it():
    history = contact("sales_qualified_lead", "connected", "bad_timing", "open_deal")
    assert refusal(history, 3) == {Code.HAS_DEPENDANTS: (4, 5)}
    assert void(history, 3, with_dependants=True).latest.lead_status == "new"
    assert void(history, 5).latest.lead_status == "bad_timing"


def read_contact(stage, *events):
    return ContactHistory([of_contact(Created, 1, 0, lifecycle_stage=stage), *events])


def test_a_status_depends_on_a_stage_in_which_its_scheme_is_active():
    history = read_contact(
        LifecycleStage.LEAD,
        of_contact(LifecycleStageSet, 2, 1, stage=LifecycleStage.SQL),
        of_contact(LeadStatusSet, 3, 2, status="connected"),
    )
    decision = history.decide_void(2)
    assert decision.denials[0].actual == (3,)
    assert "event 3 (LeadStatusSet) set a lead status of scheme 'standard'" in decision.explain()
    cleared = attrs.evolve(history.events[2], status=None)
    assert refusal(ContactHistory([*history.events[:2], cleared]), 2) == {}


def test_a_status_stays_where_its_scheme_is_active_in_the_stage_without_the_mistake():
    history = contact(
        "opportunity", "bad_timing", stage="sales_qualified_lead", scheme=RECYCLABLE_STATUSES
    )
    assert refusal(history, 2, scheme=RECYCLABLE_STATUSES) == {}
    longer = void(history, 2, scheme=RECYCLABLE_STATUSES)
    assert longer.latest.lifecycle_stage is LifecycleStage.SQL
    assert longer.latest.lead_status == "bad_timing"
    onward = contact("opportunity", "bad_timing", scheme=RECYCLABLE_STATUSES)
    unsaid = [*onward.events[:2], attrs.evolve(onward.events[2], status_left=None, ruling=None)]
    assert refusal(ContactHistory(unsaid), 2, scheme=RECYCLABLE_STATUSES) == {
        Code.HAS_DEPENDANTS: (3,)
    }
    assert refusal(ContactHistory(unsaid), 2) == {}


def test_a_stage_that_kept_a_lead_status_depends_on_what_led_to_it():
    history = contact(
        "connected", "opportunity", stage="sales_qualified_lead", scheme=RECYCLABLE_STATUSES
    )
    assert history.latest.lead_status == "connected"
    decision = history.decide_void(2, scheme=RECYCLABLE_STATUSES)
    assert decision.denials[0].actual == (3,)
    assert "event 3 (LifecycleStageSet) kept the lead status 'connected'" in decision.explain()
    longer = void(history, 2, with_dependants=True, scheme=RECYCLABLE_STATUSES)
    assert longer.latest.lead_status == "new"


def test_a_stage_that_began_or_cleared_the_lead_status_depends_on_no_status():
    assert refusal(contact("connected", "opportunity", stage="sales_qualified_lead"), 2) == {}
    begun = contact("sales_qualified_lead")
    assert begun.events[1].lead_status == "new"
    assert refusal(begun, 2) == {}


def test_a_stage_without_a_lead_status_depends_on_no_status_that_was_cleared():
    history = contact("connected", stage="sales_qualified_lead")
    cleared = of_contact(LeadStatusSet, 3, 2, status=None, status_left="connected")
    reached = of_contact(
        LifecycleStageSet, 4, 3, stage=LifecycleStage.CUSTOMER, stage_left=LifecycleStage.SQL
    )
    assert refusal(ContactHistory([*history.events, cleared, reached]), 3) == {}


def test_a_backward_move_that_was_read_depends_on_nothing_and_is_what_is_left():
    history = read_contact(
        None,
        of_contact(LifecycleStageSet, 2, 1, stage=LifecycleStage.CUSTOMER),
        of_contact(LifecycleStageSet, 3, 2, stage=LifecycleStage.LEAD),
    )
    assert history.latest.lifecycle_stage is LifecycleStage.CUSTOMER
    assert void(history, 2).latest.lifecycle_stage is LifecycleStage.LEAD


def test_none_as_what_was_left_means_no_stage_where_a_rulebook_had_ruled():
    history = void(contact("lead", stage=None), 2)
    _, event = history.latest.advance("subscriber", at=day(21), by="ada")
    history = history.append(event)
    assert event.stage_left is None
    decision = history.decide_void(3)
    assert decision.denials[0].actual == (4,)
    assert "event 4 (LifecycleStageSet) left no stage" in decision.explain()
    read = ContactHistory([*history.events[:3], attrs.evolve(event, ruling=None)])
    assert refusal(read, 3, at=21) == {}


# Voids of events that are voided, and of voids


def test_voiding_an_event_twice_is_denied_with_the_void_that_did_it():
    history = void(deal("offer"), 2)
    assert refusal(history, 2) == {Code.ALREADY_VOIDED: 3}
    with pytest.raises(DeniedError, match=r"event 2 \(Moved\) is voided already, by event 3 \(Vo"):
        void(history, 2, with_dependants=True)


def test_of_two_voids_that_were_read_the_last_is_named_and_both_count():
    history = deal("offer")
    for number in (3, 4):
        history = history.append(of_deal(Voided, number, 5, voids=("d-1", 2), why="no"))
    assert refusal(history, 2) == {Code.ALREADY_VOIDED: 4}
    once = void(history, 4)
    assert refusal(once, 2) == {Code.ALREADY_VOIDED: 3}
    assert once.latest.stage == "talk"
    assert void(once, 3).latest.stage == "offer"


def test_a_void_is_voided_and_the_event_counts_again():
    history = deal("offer", "signed")
    voided = void(history, 3, at=5)
    again = void(voided, 4, at=7)
    assert state(again) == state(history)
    assert [again.as_of(day(at)).stage for at in (4, 5, 6, 7)] == [
        "signed", "offer", "offer", "signed",
    ]  # fmt: skip
    assert again.as_of(day(5), reading=NOW).stage == "signed"
    assert refusal(again, 4) == {Code.ALREADY_VOIDED: 5}
    assert refusal(again, 3) == {}
    assert state(void(again, 3)) == state(voided)
    assert state(void(again, 5)) == state(voided)
    assert state(void(void(again, 5), 6)) == state(history)


def test_what_was_recorded_on_account_of_a_void_depends_on_it():
    history = void(deal("offer"), 2, at=5)
    _, held = history.latest.move("hold", at=day(6), by="ada", pipeline=BOARD)
    history = history.append(held)
    assert refusal(history, 3) == {Code.HAS_DEPENDANTS: (4,)}
    longer, voids = history.void(3, at=day(8), by="eve", why="it was right", with_dependants=True)
    assert [each.voids for each in voids] == [("d-1", 4), ("d-1", 3)]
    assert longer.latest.stage == "offer"


def test_an_event_cannot_come_back_where_what_it_says_is_so_no_longer():
    history = void(void(deal("offer", "hold"), 3), 2)
    for facts in ({}, {"with_dependants": True}):
        assert refusal(history, 4, **facts) == {Code.NOT_MET: 3}
    with pytest.raises(DeniedError) as caught:
        void(history, 4)
    assert str(caught.value) == (
        "cannot void event 4 (Voided) of deal 'd-1': event 3 (Moved) would come back and says "
        "that it left the stage 'offer', which is not so now"
    )
    assert state(void(void(history, 5), 4)) == state(deal("offer", "hold"))


def test_the_voids_of_one_command_are_taken_back_together():
    history = deal("offer", "talk", "hold")
    longer, voids = history.void(2, at=day(9), by="eve", why="no", with_dependants=True)
    assert refusal(longer, voids[0]) == {Code.NOT_MET: 3}
    assert refusal(longer, voids[1]) == {Code.HAS_DEPENDANTS: (4,)}
    assert refusal(longer, *voids) == {}
    assert state(void(longer, *voids)) == state(history)


def test_voids_of_different_times_are_taken_back_together():
    history = void(deal("offer", "hold"), 3, at=5)
    _, signed = history.latest.move("signed", at=day(6), by="ada", pipeline=BOARD)
    history = void(history.append(signed), 5, at=7)
    assert [type(event) for event in history.events[3:]] == [Voided, Won, Voided]
    assert refusal(history, 6) == {}
    assert refusal(history, 4) == {}
    assert refusal(history, 4, 6) == {Code.NOT_MET: 5}


# Several events


def test_events_are_voided_together():
    history = deal("offer", "hold", "signed")
    longer, voids = history.void(3, 4, at=day(9), by="eve", why="no")
    assert [each.voids for each in voids] == [("d-1", 4), ("d-1", 3)]
    assert state(longer) == state(deal("offer"))
    assert refusal(history, 3, 2) == {Code.HAS_DEPENDANTS: (4,)}
    decision = history.decide_void(4, 3, 3)
    assert (decision.source, decision.target) == ((3, 4), (3, 4))
    assert decision.explain("it") == "can void event 3 (Moved), event 4 (Won) of it"


def test_events_of_one_identity_are_voided_together():
    crm = {"system": "crm", "original_id": "e-7"}
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(OwnerChanged, 2, 1, owner="bob", **crm),
            of_deal(Moved, 3, 1, pipeline="board", stage="offer", **crm),
        ]
    )
    longer, voids = history.void(("crm", "e-7"), at=day(5), by="eve", why="no")
    assert [each.voids for each in voids] == [("crm", "e-7")]
    assert (longer.latest.owner, longer.latest.stage) == (None, "talk")
    assert len(history.void(2, 3, at=day(5), by="eve", why="no")[1]) == 1
    assert refusal(longer, 3) == {Code.ALREADY_VOIDED: 4}


def test_what_goes_with_an_event_of_its_identity_may_break_what_is_before_it():
    crm = {"system": "crm", "original_id": "e-7"}
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Moved, 2, 1, pipeline="board", stage="offer"),
            of_deal(Moved, 3, 2, pipeline="board", stage="hold", **crm),
            of_deal(Moved, 4, 3, pipeline="board", stage="silent", stage_left="hold"),
            of_deal(Lost, 5, 4, pipeline="board", stage="gone"),
            of_deal(Reopened, 6, 5, pipeline="board", stage="talk", **crm),
        ]
    )
    assert refusal(history, 5) == {Code.HAS_DEPENDANTS: (4, 6)}
    longer, voids = history.void(5, at=day(9), by="eve", why="no", with_dependants=True)
    assert [each.voids for each in voids] == [("crm", "e-7"), ("d-1", 4), ("d-1", 5)]
    assert longer.latest.stage == "offer"


# The creation and the deletion


def test_everything_depends_on_the_creation_whatever_it_says():
    record, opened = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    record, owner = record.change_owner("bob", at=day(1), by="ada")
    _, call = record.record_activity("call", at=day(1), by="ada")
    history = DealHistory([opened, owner, call])
    assert refusal(history, 1) == {Code.HAS_DEPENDANTS: (2, 3)}
    assert refusal(deal(), 1) == {}


def test_a_record_whose_creation_is_voided_never_was():
    history = void(deal("offer"), 1, at=5, with_dependants=True)
    assert history.latest is None
    assert history.as_of(day(4)).stage == "offer"
    assert history.as_of(day(5)) is None
    assert history.as_of(day(4), reading=NOW) is None
    assert metrics.win_rate_created([history], as_of=day(5)).denominator == 0


def test_of_a_record_that_never_was_nothing_is_voided_but_what_brings_it_back():
    history = void(deal("offer"), 1, with_dependants=True)
    assert refusal(history, 1) == {Code.ALREADY_VOIDED: 4}
    assert refusal(history, 2)[Code.CREATION_VOIDED] == 4
    with pytest.raises(DeniedError) as caught:
        void(history, 3)
    assert str(caught.value) == (
        "cannot void event 3 (Voided) of deal 'd-1': its creation is voided; void event 4 "
        "(Voided) to bring it back, and event 2 (Moved) would come back and says that it happened "
        "to the record, which is not so now"
    )
    back = void(history, 4)
    assert state(back) == state(deal())
    assert state(void(back, 3)) == state(deal("offer"))
    assert state(void(history, 3, 4)) == state(deal("offer"))


def test_the_way_back_to_a_voided_creation_may_lead_over_several_voids():
    history = void(void(void(deal(), 1), 2), 3)
    assert history.latest is None
    assert refusal(history, 2) == {}
    assert refusal(history, 4) == {}
    assert state(void(history, 4)) == state(void(history, 2)) == state(deal())


def deleted(history, at=10):
    return history.append(history.latest.delete(at=day(at), by="ada")[1])


def test_of_a_deleted_record_nothing_is_voided_but_the_deletion():
    history = deleted(deal("offer"))
    assert refusal(history, 2) == {Code.DELETED: 3}
    with pytest.raises(DeniedError, match=r"it is deleted; void event 3 \(Deleted\) to bring it"):
        void(history, 2)
    back = void(history, 3)
    assert state(back) == state(deal("offer"))
    assert state(void(back, 2)) == state(void(history, 2, 3)) == state(deal())
    assert refusal(history, 1)[Code.DELETED] == 3


def test_what_happened_since_a_deletion_was_voided_depends_on_that():
    history = void(deleted(deal("offer")), 3, at=11)
    record, owner = history.latest.change_owner("bob", at=day(12), by="ada")
    history = history.append(owner)
    assert refusal(history, 4) == {Code.HAS_DEPENDANTS: (5,)}
    longer = void(history, 4, with_dependants=True)
    assert longer.latest is None
    assert longer.as_of(day(12)) == record
    assert refusal(longer, 2) == {Code.DELETED: 3}


def test_each_of_two_deletions_that_were_read_is_voided():
    events = deleted(deal()).events
    history = DealHistory([*events, attrs.evolve(events[-1], sequence=3)])
    assert refusal(history, 1)[Code.DELETED] == 3
    assert "void event 3 (Deleted) to bring it back" in history.decide_void(1).explain()
    once = void(history, 3)
    assert once.latest is None
    assert state(void(once, 2)) == state(deal())


def test_a_deleted_record_whose_creation_is_voided_comes_back_deleted():
    history = deleted(deal()).append(of_deal(Voided, 3, 12, voids=("d-1", 1), why="no"))
    assert refusal(history, 2) == {Code.CREATION_VOIDED: 3}
    assert refusal(history, 3) == {}
    assert refusal(void(history, 3), 1)[Code.DELETED] == 2
    assert state(void(history, 2, 3)) == state(deal())


def test_voids_that_were_read_may_void_themselves_and_what_comes_after_them():
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Voided, 2, 1, voids=("d-1", 3), why="no"),
            of_deal(Voided, 3, 2, voids=("d-1", 1), why="no"),
            of_deal(Voided, 4, 3, voids=("d-1", 4), why="no"),
            of_deal(Voided, 5, 4, voids=("d-1", 99), why="nothing there"),
        ]
    )
    assert refusal(history, 5) == {Code.CREATION_VOIDED: 3}
    assert refusal(history, 4)[Code.ALREADY_VOIDED] == 4
    assert refusal(history, 3)[Code.ALREADY_VOIDED] == 2


def test_a_void_that_was_read_before_its_event_is_undone():
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Voided, 2, 1, voids=("d-1", 3), why="no"),
            of_deal(Moved, 3, 2, pipeline="board", stage="offer", stage_left="ghost"),
        ]
    )
    assert history.latest.stage == "talk"
    assert void(history, 2).latest.stage == "offer"


# When


def test_a_void_before_the_last_change_is_denied_with_the_earliest_instant():
    history = deal("offer", "hold")
    decision = history.decide_void(3, at=day(1))
    (denial,) = decision.denials
    assert (denial.code, denial.rule, denial.field) == (Code.BEFORE_LAST_EVENT, "deal", "at")
    assert (denial.actual, denial.expected) == (day(1), day(2))
    assert denial == history.latest.decide("gone", pipeline=BOARD, at=day(1)).denials[0]
    assert refusal(history, 3, at=2) == {}
    assert history.decide_void(3)


def test_an_activity_sets_no_earliest_instant_but_of_its_own_void():
    history = deal("offer")
    _, call = history.latest.record_activity("call", at=day(8), by="ada")
    history = history.append(call)
    assert refusal(history, 2, at=5) == {}
    assert refusal(history, 3, at=5) == {Code.BEFORE_LAST_EVENT: day(5)}
    assert refusal(history, 3, at=8) == {}


def test_a_deletion_sets_the_earliest_instant_too():
    assert refusal(deleted(deal()), 2, at=9) == {Code.BEFORE_LAST_EVENT: day(9)}


def test_a_voided_creation_sets_the_earliest_instant_too():
    opened = of_deal(Opened, 1, 9, pipeline="board", stage="talk")
    history = DealHistory([opened, of_deal(Voided, 2, 5, voids=("d-1", 1), why="no")])
    assert refusal(history, 2, at=8) == {Code.BEFORE_LAST_EVENT: day(8)}
    assert refusal(history, 2, at=9) == {}


def test_the_instant_of_a_void_may_be_of_any_zone():
    zone = timezone(5 * timedelta(hours=1))
    _, (event,) = deal("offer").void(2, at=day(3).astimezone(zone), by="eve", why="no")
    assert event == of_deal(Voided, 3, 3, by="eve", why="no", voids=("d-1", 2))


def test_every_reason_is_given_at_once():
    history = void(deal("offer", "hold"), 3, at=5)
    assert refusal(history, 1, 3, at=4) == {
        Code.ALREADY_VOIDED: 4,
        Code.HAS_DEPENDANTS: (2,),
        Code.BEFORE_LAST_EVENT: day(4),
    }


# Which events


def test_an_event_is_meant_by_itself_its_number_or_its_identity():
    history = DealHistory(
        [
            of_deal(Opened, 1, 0, pipeline="board", stage="talk"),
            of_deal(Approved, 2, 1, approval="head"),
            of_deal(OwnerChanged, 3, 1, owner="bob", system="crm", original_id="e-4"),
        ]
    )
    named = (3, ("crm", "e-4"), history.events[2], attrs.evolve(history.events[2]))
    assert {void(history, each).events[-1].voids for each in named} == {("crm", "e-4")}
    numbered = (2, ("d-1", 2), history.events[1])
    assert {void(history, each).events[-1].voids for each in numbered} == {("d-1", 2)}


def test_an_event_that_is_not_there_is_unknown():
    history, other = deal("offer"), deal("hold")
    strangers = (
        0, 3, -1, True, ("d-1", 3), ("d-1", True), ("d-1", 1.0), ("d-2", 1), ("d-1",),
        other.events[1], attrs.evolve(history.events[1], sequence=1), "d-1",
        attrs.evolve(history.events[1], sequence=9), attrs.evolve(history.events[1], sequence=None),
    )  # fmt: skip
    for meant in strangers:
        with pytest.raises(UnknownKeyError) as caught:
            history.decide_void(meant)
        assert (caught.value.what, caught.value.key) == ("event of deal 'd-1'", meant)
        assert caught.value.known == ("1 to 2",)
    with pytest.raises(UnknownKeyError, match="unknown event of deal 'd-1': 3; known: '1 to 2'"):
        void(history, 3)


def test_a_stale_copy_of_an_event_is_unknown():
    history = deal("offer")
    with pytest.raises(UnknownKeyError):
        void(history, attrs.evolve(history.events[1], by="bob"))


def test_no_event_at_all_is_refused():
    for ask in (deal().decide_void, lambda: void(deal())):
        with pytest.raises(InvalidValueError, match="no event is given"):
            ask()


def test_all_faults_are_named_at_once():
    with pytest.raises(InvalidValueError) as caught:
        deal().void(7, (), at=None, by="", why="", role=3, with_dependants=1)
    message = str(caught.value)
    for name in ("7", "()", "'at'", "'by'", "'why'", "'role'", "'with_dependants'"):
        assert name in message
    with pytest.raises(InvalidValueError) as caught:
        contact().decide_void(7, at=3, with_dependants=None, scheme=None)
    for name in ("7", "'at'", "'with_dependants'", "'scheme'"):
        assert name in str(caught.value)


@pytest.mark.parametrize("history", [deal("offer"), contact("customer")], ids=["deal", "contact"])
def test_every_door_refuses_what_is_strange(history):
    def asked(**facts):
        mistake = facts.pop("mistake", 2)
        said = {"at": day(9), "by": "eve", "why": "a mistake"} | facts
        return history.void(mistake, **said)

    def is_text(value):
        return isinstance(value, str) and value != ""

    check_door(lambda value: asked(mistake=value))
    check_door(history.decide_void)
    check_door(lambda value: asked(at=value))
    check_door(lambda value: history.decide_void(2, at=value), takes=lambda value: value is None)
    check_door(lambda value: asked(by=value), takes=is_text)
    check_door(lambda value: asked(why=value), takes=is_text)
    check_door(lambda value: asked(role=value), takes=lambda value: value is None or is_text(value))
    check_door(lambda value: asked(with_dependants=value), takes=lambda v: isinstance(v, bool))
    if isinstance(history, ContactHistory):
        check_door(lambda value: asked(scheme=value))
        check_door(lambda value: history.decide_void(2, scheme=value))
    for value in STRANGE:
        with pytest.raises(UnknownKeyError):
            history.decide_void(("d-1", value))


def test_a_naive_instant_is_refused():
    naive = datetime(2026, 2, 1)  # noqa: DTZ001 - the naive instant is the point
    with pytest.raises(NaiveTimeError):
        deal("offer").void(2, at=naive, by="eve", why="no")


def test_a_deal_has_no_scheme():
    with pytest.raises(TypeError, match="scheme"):
        deal("offer").decide_void(2, scheme=STANDARD_STATUSES)


def test_a_scheme_is_one():
    with pytest.raises(WrongTypeError, match="scheme"):
        contact("customer").decide_void(2, scheme="standard")


def test_a_history_stays_as_it_was():
    history = deal("offer")
    events = history.events
    longer = void(history, 2)
    assert history.events is events
    assert (
        longer.append(of_deal(ActivityRecorded, 4, 30, kind="call")).latest.version
        == len(longer.events) + 1
    )
    assert longer.settled_at > day(10_000)
    assert deleted(history).events[:2] == events
    assert type(deleted(history).events[-1]) is Deleted
