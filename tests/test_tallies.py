"""Counting records into tallies, and adding tallies."""

import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError
from salespipeline.events import Deleted
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import Outcome
from salespipeline.tallies import (
    Count,
    Lifetime,
    Moment,
    Person,
    Standing,
    Stay,
    Why,
    lifetimes,
    people,
    standings,
    visits,
)
from stories import (
    BY_THEN,
    contact,
    day,
    days,
    deal,
    euros,
    given_to,
    lost,
    moved,
    reached,
    reopened,
    won,
    worth,
)

OPEN, WON, LOST = Outcome.OPEN, Outcome.WON, Outcome.LOST
TALK, OFFER, SIGNED = ("board", "talk"), ("board", "offer"), ("board", "signed")
COUNTERS = {"lifetimes": lifetimes, "visits": visits, "standings": standings, "people": people}


def _only(tally):
    """The one row of a tally, which stands for one record."""
    [(row, count)] = tally.rows.items()
    assert count.n == 1
    return row


def _lifetime(history, at, **options):
    return _only(lifetimes([history], as_of=day(at), **options))


def _empty(text):
    """Whether a strange value is several records, and none."""
    return isinstance(text, tuple | list | dict | set) and not text


# Counts and tallies as values


def test_a_count_is_a_value():
    check_value(Count(2, 30), Count(2, 30), Count(2, 31), Count(1, 30), Count(2))


def test_counts_add_records_and_amounts():
    assert Count(2, 30) + Count(1, -5) == Count(3, 25)


def test_a_tally_is_a_value():
    history = deal(0, won(9, 900))
    month = days(0, 31)
    made = [lifetimes([history], as_of=day(20), periods=[month]) for _ in range(2)]
    check_value(
        *made,
        lifetimes([history], as_of=day(21), periods=[month]),
        lifetimes([history], as_of=day(20)),
        lifetimes([history], as_of=day(20), periods=[month], by="owner"),
        lifetimes([], as_of=day(20), periods=[month]),
        standings([history], as_of=day(20)),
    )


@pytest.mark.parametrize("name", COUNTERS)
def test_a_tally_survives_pickling(name):
    records = [contact(0, stage="lead")] if name == "people" else [deal(0, amount=euros(9))]
    tally = COUNTERS[name](records, as_of=day(20))
    assert pickle.loads(pickle.dumps(tally)) == tally  # noqa: S301 - our own bytes
    assert tally.n == 1


def test_the_tally_of_nobody_is_empty_and_adds_nothing():
    tally = lifetimes([deal(0)], as_of=day(5))
    nobody = lifetimes([], as_of=day(5))
    assert (nobody.rows, nobody.n) == ({}, 0)
    assert tally + nobody == tally == nobody + tally


def test_tallies_add_row_by_row():
    first = standings([deal(0, amount=euros(3)), deal(0)], as_of=day(5))
    second = standings([deal(1, amount=euros(4)), deal(1, stage="offer")], as_of=day(5))
    assert (first + second).rows == {
        Standing(None, TALK, OPEN, "EUR"): Count(2, 700),
        Standing(None, TALK, OPEN, None): Count(1),
        Standing(None, OFFER, OPEN, None): Count(1),
    }


def test_adding_changes_neither_tally():
    first, second = (standings([deal(0)], as_of=day(5)) for _ in range(2))
    _ = first + second
    assert first.n == second.n == 1


@pytest.mark.parametrize(
    ("differing", "named"),
    [
        (visits([], as_of=day(5)), "name"),
        (lifetimes([], as_of=day(6)), "as_of"),
        (lifetimes([], as_of=day(5), periods=[days(0, 9)]), "periods"),
        (lifetimes([], as_of=day(5), resolution=timedelta(hours=1)), "resolution"),
        (lifetimes([], as_of=day(5), zone=ZoneInfo("Asia/Kolkata")), "zone"),
        (lifetimes([], as_of=day(5), by="owner"), "by"),
    ],
)
def test_tallies_that_were_not_counted_alike_do_not_add(differing, named):
    with pytest.raises(InvalidValueError, match=f"{named} differs") as caught:
        _ = lifetimes([], as_of=day(5)) + differing
    assert all(fault.split()[0] in (named, "by_at") for fault in caught.value.faults)


def test_tallies_grouped_at_different_moments_do_not_add():
    closing, creation = (
        lifetimes([], as_of=day(5), by="owner", by_at=moment) for moment in ("closing", "creation")
    )
    with pytest.raises(InvalidValueError, match="by_at differs"):
        _ = closing + creation


def test_the_moment_of_grouping_does_not_matter_without_a_grouping():
    closing, creation = (
        lifetimes([deal(0)], as_of=day(5), by_at=moment) for moment in ("closing", "creation")
    )
    assert (closing + creation).n == 2


def test_only_a_tally_is_added_to_a_tally():
    tally = lifetimes([], as_of=day(5))
    check_door(lambda other: tally + other)


def test_where_keeps_rows_and_how_they_were_counted():
    tally = lifetimes([deal(0), deal(0, won(3))], as_of=day(5), by="owner")
    kept = tally.where(lambda row: row.outcome is WON)
    assert (kept.n, kept.by, tally.n) == (1, "owner", 2)


def test_groups_part_a_tally_in_the_order_met():
    histories = [deal(0, owner="bob"), deal(0, owner="ada"), deal(0, lost(1), owner="bob")]
    groups = lifetimes(histories, as_of=day(5), by="owner").groups()
    assert [(group, part.n) for group, part in groups.items()] == [("bob", 2), ("ada", 1)]


# Lifetimes


def test_an_open_deal_is_as_old_as_the_days_to_the_instant():
    assert _lifetime(deal(0), 12) == Lifetime(None, None, None, 0, 12, None, OPEN, None)


def test_a_closed_deal_is_as_old_as_at_its_close():
    row = _lifetime(deal(2, won(9, 900)), 30)
    assert row == Lifetime(None, None, None, 0, 7, None, WON, "EUR")


def test_a_deal_that_was_reopened_is_open_and_lives_on():
    history = deal(0, lost(4), reopened(6))
    assert (_lifetime(history, 5).outcome, _lifetime(history, 5).age) == (LOST, 4)
    assert (_lifetime(history, 9).outcome, _lifetime(history, 9).age) == (OPEN, 9)


def test_a_deal_that_was_opened_as_won_is_won_on_that_day():
    row = _lifetime(deal(3, stage="signed", outcome=WON), 9)
    assert (row.outcome, row.age) == (WON, 0)


def test_a_deal_that_is_not_yet_there_or_deleted_is_not_counted():
    later, deleted = deal(10), deal(0, (4, Deleted, {}))
    for counter in (lifetimes, visits, standings):
        assert counter([later, deleted], as_of=day(5)).n == 0
        assert counter([later, deleted], as_of=day(3)).n == 1


def test_amounts_are_summed_in_minor_units_for_each_currency():
    dollars = deal(0, worth(1, Money("0.01", "USD")))
    tally = lifetimes([deal(0, amount=euros(3)), deal(0, amount=euros(4)), dollars], as_of=day(5))
    assert {row.currency: count for row, count in tally.rows.items()} == {
        "EUR": Count(2, 700),
        "USD": Count(1, 1),
    }


def test_an_amount_counts_as_it_was_at_the_instant():
    history = deal(0, worth(5, euros(7)), worth(9, None), amount=euros(3))
    counted = [lifetimes([history], as_of=day(at)).rows for at in (4, 6, 10)]
    assert [[(row.currency, n.minor) for row, n in rows.items()] for rows in counted] == [
        [("EUR", 300)],
        [("EUR", 700)],
        [(None, 0)],
    ]


def test_a_deal_known_only_by_then_has_no_age_and_counts():
    row = _lifetime(deal(0, won(9), start=BY_THEN), 20)
    assert (row.age, row.why, row.outcome) == (None, Why.START_UNKNOWN, WON)


def test_a_negative_age_is_left_out_and_never_clamped():
    row = _lifetime(deal(9, won(3)), 20)
    assert (row.age, row.why, row.outcome) == (None, Why.NEGATIVE_DURATION, WON)


def test_the_entry_is_the_age_at_which_the_history_begins_to_be_complete():
    assert _lifetime(deal(0, observed_from=day(30)), 40).entry == 30
    assert _lifetime(deal(9, observed_from=day(3)), 40).entry == 0
    assert _lifetime(deal(9), 40).entry == 0


def test_creation_and_closing_are_placed_in_periods():
    periods = [days(0, 10), days(20, 30)]
    cases = [(0, 9), (9, 10), (10, 20), (19, 29), (20, 30)]
    rows = [_lifetime(deal(a, won(b)), 99, periods=periods) for a, b in cases]
    assert [(row.created, row.closed) for row in rows] == [
        (0, 0),
        (0, None),
        (None, 1),
        (None, 1),
        (1, None),
    ]


def test_before_all_periods_and_while_open_there_is_no_period():
    row = _lifetime(deal(0), 99, periods=[days(10, 20)])
    assert (row.created, row.closed) == (None, None)


def test_periods_may_be_what_steps_yields():
    steps = Period.quarter(2026, 1).steps(Unit.MONTH)
    tally = lifetimes([deal(40)], as_of=day(50), periods=steps)
    assert tally.periods == tuple(Period.month(2026, month) for month in (1, 2, 3))
    assert _only(tally).created == 1
    steps = Period.quarter(2026, 1).steps(Unit.MONTH)
    assert people([], as_of=day(50), periods=steps).periods == tally.periods


def test_days_are_those_of_the_zone():
    history = deal(0, won(0.9))  # from midnight to 21:36, in UTC
    assert _lifetime(history, 9).age == 0
    assert _lifetime(history, 9, zone=ZoneInfo("Asia/Kolkata")).age == 1


def test_a_resolution_counts_whole_units_of_elapsed_time():
    history = deal(0, won(1.99))
    assert _lifetime(history, 9, resolution=timedelta(hours=1)).age == 47
    assert _lifetime(history, 9, resolution=timedelta(days=1)).age == 1
    assert _lifetime(deal(0.5, won(0.4)), 9, resolution=timedelta(hours=1)).age is None


def test_a_group_is_as_it_was_at_the_moment_asked_for():
    history = deal(0, given_to(2, "bob"), won(4), given_to(6, "eve"), owner="ada")
    assert {moment: _lifetime(history, 9, by="owner", by_at=moment).group for moment in Moment} == {
        Moment.CREATION: "ada",
        Moment.CLOSING: "bob",
        Moment.AS_OF: "eve",
    }


def test_the_closing_of_an_open_deal_is_as_of_the_instant():
    history = deal(0, lost(1), given_to(2, "bob"), reopened(3), given_to(5, "eve"), owner="ada")
    assert _lifetime(history, 4, by="owner").group == "bob"
    assert _lifetime(history, 9, by="owner").group == "eve"


def test_deals_are_grouped_by_attributes_too():
    history = deal(0, attributes={"product": "kit"})
    assert _lifetime(history, 9, by="attributes.product").group == "kit"
    assert _lifetime(history, 9, by="attributes.region").group is None


# Visits


def test_each_stay_is_counted_with_its_length_and_what_came_next():
    history = deal(0, moved(3, "offer"), moved(4, "talk"), won(9))
    assert visits([history], as_of=day(20)).rows == {
        Stay(None, TALK, 1, 3, None, OFFER, latest=False): Count(1),
        Stay(None, OFFER, 1, 1, None, TALK): Count(1),
        Stay(None, TALK, 2, 5, None, SIGNED): Count(1),
        Stay(None, SIGNED, 1, 11, None, None): Count(1),
    }


def test_a_move_to_the_same_stage_begins_no_stay():
    history = deal(0, moved(3, "talk"), moved(5, "offer"), moved(6, "offer"))
    slow = visits([history], as_of=day(8), by="owner").rows
    assert slow == visits([history], as_of=day(8)).rows
    assert [(row.stage, row.length, row.next) for row in slow] == [
        (TALK, 5, OFFER),
        (OFFER, 3, None),
    ]


def test_the_same_stage_of_two_pipelines_is_two_stages():
    history = deal(0, moved(3, "talk", "lean"))
    assert [row.stage for row in visits([history], as_of=day(8)).rows] == [TALK, ("lean", "talk")]
    assert visits([history], as_of=day(8), by="owner").n == 2


def test_a_stay_belongs_to_who_owned_the_deal_when_it_began():
    history = deal(
        0, given_to(2, "bob"), moved(3, "offer"), given_to(4, "eve"), won(5), owner="ada"
    )
    rows = visits([history], as_of=day(9), by="owner").rows
    assert [(row.group, row.stage[1]) for row in rows] == [
        ("ada", "talk"),
        ("bob", "offer"),
        ("eve", "signed"),
    ]


def test_a_stay_that_may_have_begun_earlier_has_no_length():
    known_by_then = deal(0, moved(5, "offer"), start=BY_THEN)
    seen_late = deal(0, moved(5, "offer"), moved(9, "talk"), observed_from=day(5))
    rows = visits([known_by_then], as_of=day(20)).rows
    assert [(row.length, row.why) for row in rows] == [(None, Why.ENTRY_UNKNOWN), (15, None)]
    rows = visits([seen_late], as_of=day(20)).rows
    assert [(row.length, row.why) for row in rows] == [
        (None, Why.ENTRY_UNKNOWN),
        (None, Why.ENTRY_UNKNOWN),
        (11, None),
    ]


def test_a_stay_that_ends_before_it_begins_is_left_out_and_never_clamped():
    rows = visits([deal(5, moved(4, "offer"))], as_of=day(9)).rows
    assert [(row.length, row.why) for row in rows] == [(None, Why.NEGATIVE_DURATION), (5, None)]


def test_stays_are_measured_in_the_zone_or_the_resolution_asked_for():
    history = deal(0, moved(0.9, "offer"))
    lengths = [
        [row.length for row in visits([history], as_of=day(2), **options).rows]
        for options in (
            {},
            {"zone": ZoneInfo("Asia/Kolkata")},
            {"resolution": timedelta(hours=1)},
        )
    ]
    assert lengths == [[0, 2], [1, 1], [21, 26]]


# Standings


def test_deals_stand_where_they_are_at_the_instant():
    history = deal(0, moved(3, "offer"), won(6, 9), amount=euros(5), owner="ada")
    counted = [_only(standings([history], as_of=day(at), by="owner")) for at in (1, 4, 8)]
    assert counted == [
        Standing("ada", TALK, OPEN, "EUR"),
        Standing("ada", OFFER, OPEN, "EUR"),
        Standing("ada", SIGNED, WON, "EUR"),
    ]


def test_deals_that_came_different_ways_stand_in_one_row():
    straight, round_about = deal(0, stage="offer"), deal(0, moved(2, "offer"))
    assert standings([straight, round_about], as_of=day(5)).rows == {
        Standing(None, OFFER, OPEN, None): Count(2)
    }


# People


def test_a_contact_counts_with_its_furthest_stage_and_its_status():
    history = contact(0, reached(3, "sales_qualified_lead", "NEW"), reached(5, "lead", "NEW"))
    assert _only(people([history], as_of=day(9))) == Person(
        None, None, LifecycleStage.SALES_QUALIFIED_LEAD, "NEW"
    )


def test_a_cohort_is_the_period_of_the_first_event_at_lead_or_beyond():
    periods = [days(0, 10), days(10, 20)]
    cases = {
        "a lead from the start": (contact(2, stage="lead"), 0),
        "a lead later on": (contact(2, reached(12, "lead")), 1),
        "a skip": (contact(2, reached(3, "subscriber"), reached(12, "customer")), 1),
        "a lead again": (contact(2, reached(3, "lead"), reached(12, "lead")), 0),
        "a lead outside all": (contact(2, reached(25, "lead")), None),
        "no lead": (contact(2, stage="subscriber"), None),
        "on no stage": (contact(2), None),
    }
    for name, (history, cohort) in cases.items():
        assert _only(people([history], as_of=day(30), periods=periods)).cohort == cohort, name


def test_contacts_are_grouped_as_they_were_when_they_became_leads():
    history = contact(0, given_to(1, "bob"), reached(2, "lead"), given_to(3, "eve"), owner="ada")
    groups = {at: _only(people([history], as_of=day(9), by="owner", by_at=at)) for at in Moment}
    assert groups[Moment.CREATION].group == "bob"
    assert groups[Moment.AS_OF].group == groups[Moment.CLOSING].group == "eve"
    assert _only(people([history], as_of=day(1), by="owner")).group == "ada"


def test_a_contact_that_is_not_there_is_not_counted():
    histories = [contact(10), contact(0, (4, Deleted, {}))]
    assert people(histories, as_of=day(5)).n == 0


# What the doors refuse


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
def test_every_counter_needs_an_instant_with_a_zone(counter):
    check_door(lambda value: counter([], as_of=value))
    with pytest.raises(SalesPipelineError, match="'as_of' must be a datetime with a zone"):
        counter([], as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
def test_every_counter_needs_several_histories(counter):
    check_door(lambda value: counter(value, as_of=day(1)), takes=_empty)


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
def test_every_counter_refuses_histories_of_the_other_kind(counter):
    other = deal(0) if counter is people else contact(0)
    with pytest.raises(WrongTypeError, match="History values"):
        counter([other], as_of=day(1))


def test_a_single_history_is_not_several():
    with pytest.raises(WrongTypeError):
        lifetimes(deal(0), as_of=day(1))


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
def test_every_counter_refuses_to_group_by_what_is_no_field(counter):
    check_door(lambda value: counter([], as_of=day(1), by=value), takes=lambda value: value is None)
    for by in ("attributes", "attributes.", "size"):
        with pytest.raises(SalesPipelineError, match="unknown field of a"):
            counter([], as_of=day(1), by=by)


@pytest.mark.parametrize("counter", [lifetimes, people])
def test_periods_must_be_periods_in_order_that_do_not_overlap(counter):
    check_door(lambda value: counter([], as_of=day(1), periods=value), takes=_empty)
    for wrong in ([days(0, 10), days(9, 20)], [days(10, 20), days(0, 10)]):
        with pytest.raises(InvalidValueError, match="does not begin after"):
            counter([], as_of=day(1), periods=wrong)


@pytest.mark.parametrize("counter", [lifetimes, people])
def test_the_moment_of_grouping_must_be_one_of_three(counter):
    check_door(lambda value: counter([], as_of=day(1), by_at=value))


@pytest.mark.parametrize("counter", [lifetimes, visits])
def test_a_resolution_is_more_than_nothing(counter):
    check_door(
        lambda value: counter([], as_of=day(1), resolution=value),
        takes=lambda value: value is None,
    )
    for wrong in (timedelta(), timedelta(hours=-1)):
        with pytest.raises(InvalidValueError, match="not more than nothing"):
            counter([], as_of=day(1), resolution=wrong)


@pytest.mark.parametrize("counter", [lifetimes, visits])
@pytest.mark.parametrize("resolution", [None, timedelta(hours=1)])
def test_a_zone_is_a_zone_with_a_resolution_too(counter, resolution):
    check_door(lambda value: counter([], as_of=day(1), zone=value, resolution=resolution))


def test_a_tally_says_how_it_was_counted():
    zone = ZoneInfo("Asia/Kolkata")
    tally = visits([deal(0)], as_of=day(1).astimezone(zone), by="owner", zone=zone)
    assert (tally.name, tally.as_of, tally.by, tally.zone) == ("visits", day(1), "owner", zone)
    assert tally.as_of.tzinfo is UTC
