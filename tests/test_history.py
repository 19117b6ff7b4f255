import pickle
from datetime import date, datetime, timedelta, timezone

import attrs
import pytest

from contracts import STRANGE, check_door, check_value
from record_strategies import BOARD, START
from salespipeline._courses import course
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import HistoryError, NaiveTimeError, UnknownKeyError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    Created,
    Deleted,
    Event,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    Start,
    Voided,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory, Reading, Visit
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome

DAY = timedelta(days=1)
NINE, TEN = Money(9, "EUR"), Money(10, "EUR")
NAIVE = datetime(2026, 1, 2)  # noqa: DTZ001 - the naive instant is the point
LONG_AFTER = START + 400 * DAY


def day(number):
    return START + number * DAY


def of_contact(event, sequence, at, /, **facts):
    return event(record="c-1", sequence=sequence, at=day(at), **facts)


def of_deal(event, sequence, at, /, **facts):
    return event(record="d-1", sequence=sequence, at=day(at), **facts)


def entering(event, sequence, at, stage, pipeline="board", **facts):
    return of_deal(event, sequence, at, pipeline=pipeline, stage=stage, **facts)


def contact(*events, **facts):
    return ContactHistory([of_contact(Created, 1, 0, **facts), *events])


def deal(*events, **facts):
    return DealHistory([entering(Opened, 1, 0, "talk", **facts), *events])


def stays(visits):
    """Visits as (state, first day, last day)."""
    return [
        (visit.state, (visit.entered - START).days, visit.left and (visit.left - START).days)
        for visit in visits
    ]


LEAD, MQL, SQL = LifecycleStage.LEAD, LifecycleStage.MQL, LifecycleStage.SQL
OWNER = of_deal(OwnerChanged, 2, 1, owner="bob")


# Values


def test_a_history_is_a_value_of_its_events():
    check_value(deal(OWNER), deal(OWNER), deal(), deal(attrs.evolve(OWNER, owner="eve")))
    status = of_contact(LeadStatusSet, 2, 1, status="new")
    check_value(contact(status), contact(status), contact(), contact(name="Ada"))


def test_a_copied_history_gives_the_same_answers():
    moved = entering(Moved, 2, 3, "offer")
    for history in (deal(moved), deal(moved, of_deal(Deleted, 3, 5))):
        copied = pickle.loads(pickle.dumps(history))  # noqa: S301 - our own bytes
        assert copied.visits(day(9)) == history.visits(day(9))
        assert copied.as_of(day(4)) == history.as_of(day(4))
        assert copied.settled_at == history.settled_at


def test_a_visit_is_a_value():
    visit = Visit("talk", "board", START, day(2), 1, True)
    check_value(
        visit,
        Visit("talk", "board", START, day(2)),
        Visit("offer", "board", START, day(2)),
        Visit("talk", "lean", START, day(2)),
        Visit("talk", "board", day(1), day(2)),
        Visit("talk", "board", START, None),
        Visit("talk", "board", START, day(2), 2),
        Visit("talk", "board", START, day(2), 1, entry_known=False),
    )


def test_a_visit_is_open_until_it_is_left():
    assert Visit("talk", "board", START, None).is_open
    assert not Visit("talk", "board", START, START).is_open


def test_the_readings_are_two():
    assert [str(reading) for reading in Reading] == ["as_known_then", "as_known_now"]


# What is no history


def faults_of(history, events):
    with pytest.raises(HistoryError) as caught:
        history(events)
    return caught.value


def test_nothing_is_no_history():
    error = faults_of(DealHistory, [])
    assert (error.record, error.faults) == (None, ("there is no event in it",))


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
def test_what_is_no_events_is_no_history(value):
    for history in (ContactHistory, DealHistory):
        with pytest.raises((HistoryError, WrongTypeError)):
            history(value)


def test_something_that_is_no_event_is_refused_before_all_else():
    with pytest.raises(WrongTypeError, match="'events' must be an Event"):
        DealHistory([entering(Opened, 1, 0, "talk"), "moved"])


def test_a_gap_in_the_numbers_is_refused():
    error = faults_of(
        DealHistory, [entering(Opened, 1, 0, "talk"), attrs.evolve(OWNER, sequence=3)]
    )
    assert str(error) == "history of 'd-1': number 2 has the sequence number 3"


def test_an_event_of_another_record_is_refused():
    error = faults_of(
        DealHistory, [entering(Opened, 1, 0, "talk"), attrs.evolve(OWNER, record="d-2")]
    )
    assert error.faults == ("number 2 is an event of another record, 'd-2'",)


def test_a_first_event_that_creates_nothing_is_refused():
    error = faults_of(DealHistory, [attrs.evolve(OWNER, sequence=1)])
    assert error.faults == ("it begins with OwnerChanged",)


def test_a_second_creation_is_refused():
    error = faults_of(DealHistory, [entering(Opened, 1, 0, "talk"), entering(Opened, 2, 1, "talk")])
    assert error.faults == ("it has at number 2 Opened",)


def test_an_event_of_the_other_kind_is_refused():
    (fault,) = faults_of(ContactHistory, [entering(Opened, 1, 0, "talk")]).faults
    assert fault.startswith("number 1 is no event of a contact: Opened(record='d-1'")
    (fault,) = faults_of(DealHistory, [of_contact(Created, 1, 0)]).faults
    assert fault.startswith("number 1 is no event of a deal: Created(record='c-1'")


def test_an_event_of_no_kind_is_refused():
    (fault,) = faults_of(DealHistory, [entering(Opened, 1, 0, "talk"), of_deal(Event, 2, 1)]).faults
    assert fault.startswith("number 2 is no event of a deal: Event(")


@pytest.mark.parametrize(
    "instant", [NAIVE, day(1).astimezone(timezone(timedelta(hours=2)))], ids=["naive", "zoned"]
)
@pytest.mark.parametrize("name", ["at", "recorded_at"])
def test_an_instant_that_is_not_in_utc_is_refused(instant, name):
    event = attrs.evolve(OWNER, **{name: instant})
    (fault,) = faults_of(DealHistory, [entering(Opened, 1, 0, "talk"), event]).faults
    assert fault == f"number 2 has {name!r} that is no instant in UTC: {instant!r}"


def test_a_history_is_complete_from_an_instant_in_utc():
    for history, first in (
        (DealHistory, entering(Opened, 1, 0, "talk", observed_from=NAIVE)),
        (ContactHistory, of_contact(Created, 1, 0, observed_from=NAIVE)),
    ):
        (fault,) = faults_of(history, [first]).faults
        assert fault.startswith("number 1 has 'observed_from' that is no instant in UTC")


@pytest.mark.parametrize("name", ["at", "recorded_at"])
def test_what_is_no_instant_is_refused(name):
    first = entering(Opened, 1, 0, "talk")
    for number, event in ((1, first), (2, OWNER)):

        def history(value, number=number, event=event):
            bent = attrs.evolve(event, **{name: value})
            return DealHistory([bent] if number == 1 else [first, bent])

        check_door(history, takes=lambda value: value is None and name == "recorded_at")


def test_a_time_of_day_is_no_instant():
    bent = attrs.evolve(OWNER, at=day(1).timetz())
    (fault,) = faults_of(DealHistory, [entering(Opened, 1, 0, "talk"), bent]).faults
    assert fault.startswith("number 2 has 'at' that is no instant in UTC: datetime.time(0, 0, tz")


def test_all_faults_are_named_at_once_in_sequence_order():
    error = faults_of(
        DealHistory,
        [
            attrs.evolve(OWNER, sequence=7),
            of_contact(OwnerChanged, 2, 1, owner=None),
            of_contact(Created, 3, 1),
            of_deal(OwnerChanged, 4, 1, owner=None, recorded_at=NAIVE),
            entering(Opened, 6, 1, "talk"),
            attrs.evolve(OWNER, sequence=6, at=None),
        ],
    )
    assert error.record == "d-1"
    starts = [
        "number 1 has the sequence number 7",
        "it begins with OwnerChanged",
        "number 2 is an event of another record, 'c-1'",
        "number 3 is no event of a deal: Created(",
        "number 4 has 'recorded_at' that is no instant in UTC: datetime.datetime(2026, 1, 2, 0, 0)",
        "number 5 has the sequence number 6",
        "it has at number 5 Opened",
        "number 6 has 'at' that is no instant in UTC: None",
    ]
    assert len(error.faults) == len(starts)
    for fault, start in zip(error.faults, starts, strict=True):
        assert fault.startswith(start)


# Appending


def test_a_history_grows_by_one_event_and_stays_as_it_was():
    before = deal()
    after = before.append(OWNER)
    assert after == deal(OWNER)
    assert before.events == deal().events
    assert after.record == "d-1"


def test_an_event_that_does_not_follow_is_refused():
    with pytest.raises(HistoryError, match="number 2 has the sequence number 3"):
        deal().append(attrs.evolve(OWNER, sequence=3))
    check_door(deal().append)


# What is known


def test_a_record_is_not_known_before_its_creation():
    history = deal(OWNER)
    before = START - timedelta(microseconds=1)
    assert history.known(before) == history.standing(before) == ()
    assert history.as_of(before) is None
    assert history.visits(before) == ()


def test_an_event_counts_from_its_own_instant_on():
    history = deal(OWNER)
    assert history.as_of(day(1)).owner == "bob"
    assert history.as_of(day(1) - timedelta(microseconds=1)).owner is None


def test_an_instant_of_any_zone_asks_for_the_same():
    east = timezone(timedelta(hours=9))
    history = deal(OWNER)
    assert history.known(day(1).astimezone(east)) == history.known(day(1)) == history.events
    assert history.visits(day(1).astimezone(east)) == history.visits(day(1))


def test_a_deleted_record_is_none_from_then_on_and_figures_before_it_stay():
    history = deal(OWNER, of_deal(Deleted, 3, 5))
    assert history.as_of(day(5) - timedelta(seconds=1)).owner == "bob"
    assert history.standing(day(4)) == history.events[:2]
    for at in (day(5), day(9)):
        assert history.as_of(at) is None
        assert history.as_of(at, reading=Reading.AS_KNOWN_NOW) is None
        assert history.standing(at) == ()
    assert history.latest is None


def test_a_deletion_that_was_a_mistake_is_voided():
    undone = of_deal(Voided, 3, 6, voids=("d-1", 2), why="a slip")
    history = deal(of_deal(Deleted, 2, 5), undone)
    assert history.as_of(day(5)) is None
    assert history.as_of(day(6)).version == 3
    assert history.as_of(day(5), reading=Reading.AS_KNOWN_NOW).version == 2
    assert history.latest.changed_at == day(6)


def test_a_void_acts_from_its_own_instant_as_known_then_and_always_as_known_now():
    history = contact(
        of_contact(LifecycleStageSet, 2, 1, stage=LifecycleStage.CUSTOMER),
        of_contact(Voided, 3, 8, voids=("c-1", 2), why="the wrong person"),
        lifecycle_stage=LEAD,
    )
    now = Reading.AS_KNOWN_NOW
    assert history.as_of(day(7)).lifecycle_stage is LifecycleStage.CUSTOMER
    assert history.as_of(day(8)).lifecycle_stage is LEAD
    assert history.as_of(day(7), reading=now).lifecycle_stage is LEAD
    assert history.as_of(day(7), reading="as_known_now") == history.as_of(day(7), reading=now)
    assert stays(history.visits(day(7))) == [("lead", 0, 1), ("customer", 1, None)]
    assert stays(history.visits(day(7), reading=now)) == [("lead", 0, None)]
    assert stays(history.visits(day(8))) == [("lead", 0, None)]
    assert history.latest.version == 3


def test_a_voided_void_counts_for_nothing():
    history = deal(
        OWNER,
        of_deal(Voided, 3, 3, voids=("d-1", 2), why="the wrong deal"),
        of_deal(Voided, 4, 5, voids=("d-1", 3), why="it was the right one"),
    )
    assert history.as_of(day(4)).owner is None
    assert history.as_of(day(5)).owner == "bob"
    assert history.as_of(day(4), reading=Reading.AS_KNOWN_NOW).owner == "bob"
    assert history.latest.owner == "bob"


def test_a_voided_creation_leaves_nothing():
    history = deal(OWNER, of_deal(Voided, 3, 3, voids=("d-1", 1), why="a copy"))
    assert history.as_of(day(2)).owner == "bob"
    assert history.as_of(day(3)) is None
    assert history.known(day(3)) == ()
    assert history.latest is None


def test_a_void_names_an_event_by_its_id_in_its_system():
    read = attrs.evolve(OWNER, system="crm", original_id="e-4")
    by_number = of_deal(Voided, 3, 3, voids=("d-1", 2), why="a slip")
    assert deal(read, by_number).latest.owner == "bob"
    assert deal(read, attrs.evolve(by_number, voids=("crm", "e-4"))).latest.owner is None


def test_what_was_recorded_later_is_known_from_then_and_always_as_known_now():
    history = deal(attrs.evolve(OWNER, recorded_at=day(6)))
    assert history.as_of(day(5)).owner is None
    assert history.as_of(day(6)).owner == "bob"
    assert history.as_of(day(1), reading=Reading.AS_KNOWN_NOW).owner == "bob"
    assert history.as_of(day(0), reading=Reading.AS_KNOWN_NOW).owner is None


def test_a_record_whose_creation_was_recorded_later_is_not_known_before():
    history = deal(OWNER, recorded_at=day(6))
    assert history.known(day(5)) == ()
    assert history.as_of(day(6)).owner == "bob"


def test_sequence_is_order_even_where_instants_run_backwards():
    history = deal(
        of_deal(AmountChanged, 2, 5, amount=NINE), of_deal(AmountChanged, 3, 2, amount=TEN)
    )
    assert history.as_of(day(3)).amount == TEN
    assert history.latest.amount == TEN
    assert history.latest.changed_at == day(5)


def test_asking_refuses_what_is_no_instant_and_no_reading():
    for history in (deal(OWNER), contact()):
        for ask in (history.known, history.as_of, history.visits):
            check_door(ask)
            check_door(lambda value, ask=ask: ask(START, reading=value))
            with pytest.raises(NaiveTimeError, match=r"^'as_of' must be a datetime with a zone"):
                ask(NAIVE)
        with pytest.raises(UnknownKeyError):
            history.as_of(START, reading="as_known_tomorrow")
    check_door(contact().status_visits)


@pytest.mark.parametrize(
    "second",
    [
        of_deal(OwnerChanged, 2, -1, owner="bob"),
        attrs.evolve(OWNER, recorded_at=day(1)),
        of_deal(Deleted, 2, 1),
        of_deal(Voided, 2, 1, voids=("d-1", 9), why="nothing there"),
    ],
    ids=["backwards", "recorded later", "deleted", "voided"],
)
def test_only_an_orderly_history_is_ever_settled(second):
    assert deal(OWNER).settled_at == day(1)
    assert deal(second).settled_at > LONG_AFTER


# Visits of a deal


def test_visits_are_half_open_and_follow_one_another():
    history = deal(
        entering(Moved, 2, 2, "offer"),
        entering(Won, 3, 5, "signed"),
        entering(Moved, 4, 9, "kept"),
    )
    assert stays(history.visits(day(12))) == [
        ("talk", 0, 2), ("offer", 2, 5), ("signed", 5, 9), ("kept", 9, None),
    ]  # fmt: skip
    assert stays(history.visits(day(5))) == [("talk", 0, 2), ("offer", 2, 5), ("signed", 5, None)]
    assert stays(history.visits(day(4))) == [("talk", 0, 2), ("offer", 2, None)]


def test_a_self_move_in_read_history_stays_in_the_same_visit():
    history = deal(entering(Moved, 2, 2, "talk"), entering(Reopened, 3, 4, "talk"))
    assert stays(history.visits(day(9))) == [("talk", 0, None)]
    assert history.latest.stage_since == START


def test_the_same_stage_of_another_pipeline_is_another_visit():
    history = deal(entering(Moved, 2, 2, "talk", pipeline="lean"))
    assert [(visit.pipeline, visit.number) for visit in history.visits(day(9))] == [
        ("board", 1),
        ("lean", 1),
    ]


def test_visits_to_a_stage_are_numbered():
    history = deal(
        entering(Lost, 2, 2, "gone"), entering(Reopened, 3, 4, "talk"), entering(Lost, 4, 6, "gone")
    )
    visits = [(visit.state, visit.number) for visit in history.visits(day(9))]
    assert visits == [("talk", 1), ("gone", 1), ("talk", 2), ("gone", 2)]


def test_a_visit_that_runs_backwards_is_given_as_it_was_recorded():
    history = deal(entering(Moved, 2, 5, "offer"), entering(Moved, 3, 3, "hold"))
    assert stays(history.visits(day(9))) == [("talk", 0, 5), ("offer", 5, 3), ("hold", 3, None)]


def test_a_stage_that_no_pipeline_has_is_visited_all_the_same():
    history = deal(entering(Moved, 2, 2, "ghost", pipeline="long gone"))
    assert history.latest.stage == "ghost"
    assert history.visits(day(3))[-1].state == "ghost"


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        ({}, [True, True, True]),
        ({"start": Start.BY_THEN}, [False, True, True]),
        ({"observed_from": day(3)}, [False, False, True]),
        ({"start": Start.BY_THEN, "observed_from": day(2)}, [False, False, True]),
    ],
    ids=["exact", "by then", "observed from", "both"],
)
def test_an_entry_is_known_only_where_the_history_is(facts, known):
    history = deal(entering(Moved, 2, 2, "offer"), entering(Moved, 3, 4, "hold"), **facts)
    assert [visit.entry_known for visit in history.visits(day(9))] == known


# Visits of a contact


def test_a_contact_visits_stages_forward_only_and_skipped_ones_not_at_all():
    history = contact(
        of_contact(LifecycleStageSet, 2, 2, stage=SQL),
        of_contact(LifecycleStageSet, 3, 4, stage=MQL),
        of_contact(LifecycleStageSet, 4, 6, stage=LifecycleStage.CUSTOMER),
        lifecycle_stage=LEAD,
    )
    assert stays(history.visits(day(9))) == [
        ("lead", 0, 2), ("sales_qualified_lead", 2, 6), ("customer", 6, None),
    ]  # fmt: skip
    assert all(visit.pipeline is None for visit in history.visits(day(9)))


def test_a_contact_on_no_stage_visits_none():
    history = contact(of_contact(LifecycleStageSet, 2, 2, stage=LEAD))
    assert history.visits(day(1)) == ()
    assert stays(history.visits(day(2))) == [("lead", 2, None)]


def test_what_is_no_stage_opens_no_visit_of_a_contact():
    history = contact(of_contact(ActivityRecorded, 2, 1, kind="call"), lifecycle_stage=LEAD)
    assert stays(history.visits(day(3))) == [("lead", 0, None)]
    assert history.status_visits(day(3)) == ()


def test_a_contact_known_only_by_then_entered_its_stage_some_time_before():
    history = contact(
        of_contact(LifecycleStageSet, 2, 2, stage=SQL, lead_status="new"),
        lifecycle_stage=LEAD,
        start=Start.BY_THEN,
    )
    assert [visit.entry_known for visit in history.visits(day(3))] == [False, True]
    assert [visit.entry_known for visit in history.status_visits(day(3))] == [True]


def test_visits_to_statuses_end_where_there_is_none():
    history = contact(
        of_contact(LeadStatusSet, 2, 1, status="connected"),
        of_contact(LeadStatusSet, 3, 3, status="connected", revisit_on=date(2026, 9, 1)),
        of_contact(LifecycleStageSet, 4, 5, stage=LifecycleStage.OPPORTUNITY),
        of_contact(LeadStatusSet, 5, 7, status="connected"),
        lifecycle_stage=SQL,
        lead_status="new",
    )
    visits = history.status_visits(day(9))
    assert stays(visits) == [("new", 0, 1), ("connected", 1, 5), ("connected", 7, None)]
    assert [visit.number for visit in visits] == [1, 1, 2]
    assert stays(history.status_visits(day(6))) == [("new", 0, 1), ("connected", 1, 5)]


# What counting reads


def test_the_course_of_a_deal_is_its_stages_its_end_and_its_amount():
    lost = entering(Lost, 4, 7, "gone", amount=NINE)
    history = deal(
        entering(Moved, 2, 2, "offer"), of_deal(AmountChanged, 3, 3, amount=TEN), lost, amount=TEN
    )
    ran = history.whole_course
    assert [(leg.stage, leg.number, leg.next, days) for leg, days in ran.stays] == [
        (("board", "talk"), 1, ("board", "offer"), 2),
        (("board", "offer"), 1, ("board", "gone"), 5),
        (("board", "gone"), 1, None, day(7).toordinal()),
    ]
    assert (ran.outcome, ran.closing, ran.amount) == (Outcome.LOST, lost, NINE)
    assert ran.known == history.events
    assert ran.known_from is None


def test_the_course_of_a_deal_opened_closed_is_closed_by_its_opening():
    won = deal(outcome=Outcome.WON).whole_course
    assert (won.outcome, won.closing.sequence) == (Outcome.WON, 1)
    reopened = deal(entering(Reopened, 2, 1, "offer"), outcome=Outcome.WON).whole_course
    assert (reopened.outcome, reopened.closing) == (Outcome.OPEN, None)


def test_the_course_of_a_win_without_an_amount_keeps_the_amount_before():
    ran = course(deal(entering(Won, 2, 1, "signed"), amount=NINE).events)
    assert (ran.outcome, ran.amount) == (Outcome.WON, NINE)
    gone = course(deal(of_deal(AmountChanged, 2, 1, amount=None), amount=NINE).events)
    assert gone.amount is None


def test_deals_that_take_the_same_way_share_its_legs():
    first, second = deal(OWNER).whole_course, deal().whole_course
    assert first.stays[0][0] is second.stays[0][0]


# Commands and histories


def test_a_history_of_commands_ends_in_the_snapshot_that_they_gave():
    ada, created = Contact.create("c-1", at=START, by="form", name="Ada")
    ada, sql = ada.advance("sales_qualified_lead", at=day(2), by="ada")
    ada, status = ada.set_lead_status("connected", at=day(2), by="ada")
    assert ContactHistory([created, sql, status]).latest == ada
    sale, opening = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    sale, won = sale.win(at=day(3), by="ada", pipeline=BOARD)
    assert DealHistory([opening, won]).latest == sale
    assert DealHistory([opening, won]).as_of(day(3)) == sale


def test_an_activity_dated_back_is_known_from_when_it_was_recorded():
    sale, opening = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    sale, moved = sale.move("offer", at=day(5), by="ada", pipeline=BOARD)
    sale, call = sale.record_activity("call", at=day(2), by="ada", recorded_at=day(6))
    history = DealHistory([opening, moved, call])
    assert call not in history.known(day(5))
    assert call in history.known(day(6))
    assert call in history.known(day(2), reading=Reading.AS_KNOWN_NOW)
    assert history.latest == sale


def test_a_beginning_known_only_by_then_leaves_its_entry_unknown_wherever_records_begin():
    first = attrs.evolve(
        entering(Opened, 1, 2, "talk"), start=Start.BY_THEN, observed_from=START + DAY
    )
    [visit] = DealHistory([first]).visits(START + 9 * DAY)
    assert not visit.entry_known
