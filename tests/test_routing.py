from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_value
from salespipeline.cadence import Attempts, Recurrence
from salespipeline.conditions import equals
from salespipeline.errors import InvalidValueError, NaiveTimeError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Direction,
    LeadStatusSet,
    LifecycleStageSet,
    NextStepPlanned,
    OptedOut,
)
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import LifecycleStage, StatusScheme, Team
from salespipeline.routing import Routing, Task, Why
from salespipeline.scoring import EngagementRule, FitRule, ScoreModel, Thresholds
from stories import START, day

MODEL = ScoreModel(
    "leads",
    fit=[FitRule("school", equals("attributes.industry", "education"), 30)],
    engagement=[EngagementRule("webinars", "webinar", 20)],
    tiers=Thresholds({"cold": 0, "warm": 30, "hot": 60}),
    hand_over=60,
)
ROUTING = Routing(MODEL)
SQL = LifecycleStage.SALES_QUALIFIED_LEAD


def contact(*told, record="c-1", stage=None, industry="education"):
    """A contact created on day 0, with what is told as (day, type, facts)."""
    attributes = {"industry": industry} if industry else {}
    events = [
        Created(
            record=record, sequence=1, at=START, by="form", lifecycle_stage=stage,
            lead_status="new" if stage is SQL else None, attributes=attributes, owner="sam",
        )
    ]  # fmt: skip
    for n, (at, kind, facts) in enumerate(told, 2):
        events.append(kind(record=record, sequence=n, at=day(at), by="sam", **facts))
    return ContactHistory(events)


def did(at, kind, direction=Direction.INBOUND):
    return at, ActivityRecorded, {"kind": kind, "direction": direction}


def tried(at, kind="call"):
    return did(at, kind, Direction.OUTBOUND)


def parked(at, revisit_on=None):
    return at, LeadStatusSet, {"status": "bad_timing", "revisit_on": revisit_on}


def route(history, *, as_of=40, routing=ROUTING):
    found = routing.routes([history], as_of=day(as_of))
    return found[0] if found else None


# Hand-over


def test_a_contact_is_handed_to_sales_when_its_score_is_reached():
    history = contact(did(1, "webinar"), did(3, "webinar"))
    assert route(history, as_of=2) is None
    found = route(history)
    assert (found.to, found.why, found.since) == (Team.SALES, Why.SCORE_REACHED, day(3))
    assert found.stage is LifecycleStage.MQL
    assert found.message == "its score of 70 has reached 60"


def test_an_mql_is_handed_over_as_it_is():
    history = contact(did(1, "webinar"), did(3, "webinar"), stage=LifecycleStage.MQL)
    assert route(history).stage is None


def test_nobody_is_handed_over_who_opted_out_or_is_with_sales_already_or_without_a_model():
    ready = [did(1, "webinar"), did(3, "webinar")]
    assert route(contact(*ready, (4, OptedOut, {}))) is None
    assert route(contact(*ready, stage=SQL)) is None
    assert route(contact(*ready, stage=LifecycleStage.CUSTOMER)) is None
    assert route(contact(*ready), routing=Routing()) is None
    plain = ScoreModel("plain", fit=MODEL.fit)
    assert route(contact(*ready), routing=Routing(plain)) is None


def test_a_score_that_has_decayed_hands_nobody_over():
    assert route(contact(did(1, "webinar"), industry=None)) is None


# Back to marketing


def test_a_lead_that_was_tried_often_enough_goes_back_to_marketing():
    calls = [tried(n) for n in range(1, 6)]
    assert route(contact(*calls[:4], stage=SQL)) is None
    found = route(contact(*calls, stage=SQL))
    assert (found.to, found.why, found.since) == (Team.MARKETING, Why.ATTEMPTS_USED_UP, day(5))
    assert (found.lead_status, found.message) == ("bad_timing", "5 attempts have found no answer")


def test_an_answer_begins_the_count_anew():
    calls = [tried(1), tried(2), tried(3), did(4, "email"), tried(5), tried(6)]
    assert route(contact(*calls, stage=SQL)) is None
    three = Routing(attempts=3)
    assert route(contact(*calls, stage=SQL), routing=three) is None
    assert route(contact(*calls, tried(7), stage=SQL), routing=three).since == day(7)


def test_attempts_before_the_lead_came_to_sales_do_not_count():
    reached = (3, LifecycleStageSet, {"stage": SQL, "lead_status": "new"})
    calls = [tried(1), tried(2), reached, tried(4)]
    assert route(contact(*calls), routing=Routing(attempts=3)) is None
    assert route(contact(*calls), routing=Routing(attempts=1)).since == day(4)


def test_only_the_kinds_that_are_attempts_count():
    calls = Routing(attempts=2, attempt_kinds=["call"])
    assert route(contact(tried(1), tried(2, "letter"), stage=SQL), routing=calls) is None
    assert route(contact(tried(1), tried(2), stage=SQL), routing=calls).why is Why.ATTEMPTS_USED_UP


def test_a_scheme_without_a_status_to_recycle_suggests_none():
    own = StatusScheme.of("own", {"new": "initial", "called": "working"})
    found = route(contact(tried(1), stage=SQL), routing=Routing(attempts=1, scheme=own))
    assert (found.why, found.lead_status) == (Why.ATTEMPTS_USED_UP, None)


def test_a_lead_of_bad_timing_is_with_marketing():
    found = route(contact(parked(2, date(2026, 6, 1)), stage=SQL))
    assert (found.to, found.why, found.since) == (Team.MARKETING, Why.BAD_TIMING, day(2))
    assert found.message == "a good fit for later until 2026-06-01"


def test_a_disqualified_lead_goes_nowhere():
    gone = (2, LeadStatusSet, {"status": "unqualified"})
    assert route(contact(gone, tried(3), tried(4), stage=SQL), routing=Routing(attempts=1)) is None


# Waking up


def test_a_lead_wakes_up_on_the_date_to_revisit_it():
    history = contact(parked(2, date(2026, 2, 1)), stage=SQL)
    assert route(history, as_of=30).why is Why.BAD_TIMING
    found = route(history, as_of=31)  # the first of February
    assert (found.to, found.why, found.lead_status) == (Team.SALES, Why.REVISIT_DUE, "connected")


def test_the_date_to_revisit_is_a_date_in_the_zone():
    history = contact(parked(2, date(2026, 2, 1)), stage=SQL)
    late = day(31) - timedelta(minutes=30)
    assert ROUTING.routes([history], as_of=late)[0].why is Why.BAD_TIMING
    [found] = ROUTING.routes([history], as_of=late, zone=ZoneInfo("Europe/Berlin"))
    assert found.why is Why.REVISIT_DUE


def test_a_lead_that_comes_back_by_itself_wakes_up_then():
    history = contact(did(1, "webinar"), parked(2), did(9, "demo_requested"), stage=SQL)
    found = route(history)
    assert (found.why, found.since) == (Why.ENGAGEMENT_RETURNED, day(9))
    assert route(history, as_of=8).why is Why.BAD_TIMING
    only_forms = Routing(return_kinds=["form"])
    assert route(history, routing=only_forms).why is Why.BAD_TIMING


def test_a_lead_that_opted_out_does_not_wake_up():
    history = contact(parked(2, date(2026, 1, 9)), (3, OptedOut, {}), stage=SQL)
    assert route(history).why is Why.BAD_TIMING


def test_a_scheme_of_ones_own_wakes_up_with_its_first_status():
    own = StatusScheme.of("own", {"new": "initial", "bad_timing": "recycle"})
    history = contact(parked(2), did(9, "form"), stage=SQL)
    assert route(history, routing=Routing(scheme=own)).lead_status == "new"


def test_who_is_not_there_yet_has_no_route():
    assert route(contact(), as_of=-1) is None
    assert ROUTING.routes([], as_of=day(1)) == ()


# The worklist


def work(*histories, as_of=20, until=None, routing=ROUTING):
    return routing.worklist(histories, as_of=day(as_of), until=until)


def test_a_new_lead_is_due_by_the_cadence_from_the_day_it_came_to_sales():
    [task] = work(contact(stage=SQL), as_of=3)
    assert task == Task("c-1", "sam", date(2026, 1, 1), 3, "attempt 1", "call", "new", "warm", 30)


def test_the_next_attempt_follows_the_last_one_made():
    history = contact(tried(0), stage=SQL)
    assert work(history, as_of=1) == ()
    [task] = work(history, as_of=2)
    assert (str(task.due), task.why, task.channel) == ("2026-01-03", "attempt 2", "email")
    [later] = work(history, as_of=1, until=date(2026, 1, 31))
    assert (later.overdue_days, later.due) == (-1, task.due)


def test_a_next_step_that_was_agreed_comes_before_the_cadence():
    agreed = (2, NextStepPlanned, {"what": "send the offer", "due": date(2026, 1, 15)})
    [task] = work(contact(agreed, stage=SQL))
    assert (task.why, str(task.due), task.overdue_days) == ("send the offer", "2026-01-15", 6)


def test_a_lead_that_wakes_up_is_due_on_that_day():
    due = contact(parked(2, date(2026, 1, 10)), record="c-1", stage=SQL)
    back = contact(parked(2), did(7, "form"), record="c-2", stage=SQL)
    later = contact(parked(2, date(2026, 6, 1)), record="c-3", stage=SQL)
    tasks = work(due, back, later)
    assert [(task.record, str(task.due)) for task in tasks] == [
        ("c-2", "2026-01-08"), ("c-1", "2026-01-10"),
    ]  # fmt: skip


def test_what_was_due_longest_comes_first_then_the_higher_score_then_the_status():
    old = contact(record="old", stage=SQL)
    hot = contact(did(0, "webinar"), did(0, "webinar"), record="hot", stage=SQL)
    connected = (0, LeadStatusSet, {"status": "connected"})
    spoke = contact(connected, record="spoke", stage=SQL)
    agreed = (0, NextStepPlanned, {"what": "call", "due": date(2025, 12, 30)})
    promised = contact(agreed, record="promised", stage=SQL)
    tasks = work(spoke, old, hot, promised)
    assert [task.record for task in tasks] == ["promised", "hot", "old", "spoke"]


def test_nobody_is_on_it_who_opted_out_is_used_up_or_is_not_with_sales():
    calls = [tried(n) for n in range(5)]
    assert work(
        contact((1, OptedOut, {}), stage=SQL), contact(*calls, stage=SQL), contact(),
        contact(stage=LifecycleStage.CUSTOMER),
        contact((1, LeadStatusSet, {"status": "unqualified"}), stage=SQL),
    ) == ()  # fmt: skip
    assert work(contact(stage=SQL), as_of=-1) == ()


def test_a_cadence_that_has_ended_asks_for_nothing_more():
    once = Routing(cadence=Attempts([(1, "call")]))
    assert work(contact(tried(0), stage=SQL), routing=once) == ()
    weekly = Routing(cadence=Recurrence("week"))
    assert [str(task.due) for task in work(contact(tried(0), stage=SQL), routing=weekly)] == [
        "2026-01-08"
    ]


def test_without_a_model_there_is_no_tier():
    [task] = work(contact(stage=SQL), routing=Routing())
    assert (task.tier, task.points) == (None, None)


# What is refused


def test_a_routing_is_a_value():
    check_value(Routing(MODEL, 3), Routing(MODEL, attempts=3), Routing(), ROUTING)


def test_a_routing_that_is_none_is_refused():
    with pytest.raises(InvalidValueError, match="must be at least 1"):
        Routing(attempts=0)
    for wrong in (
        {"model": "leads"}, {"attempts": 2.5}, {"attempt_kinds": "call"}, {"scheme": "standard"},
        {"cadence": 5}, {"return_kinds": [""]},
    ):  # fmt: skip
        with pytest.raises(WrongTypeError):
            Routing(**wrong)
    with pytest.raises(WrongTypeError, match="several ContactHistory"):
        ROUTING.routes("c-1", as_of=day(1))
    with pytest.raises(NaiveTimeError):
        ROUTING.worklist([], as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(WrongTypeError, match="'until' must be a date"):
        ROUTING.worklist([], as_of=day(1), until=day(2))
