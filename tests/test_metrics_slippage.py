"""How far expected closing dates can be relied on: slippage, pushes, and the error of the date."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from contracts import check_door, check_value
from salespipeline.errors import (
    InvalidValueError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import CloseDateChanged, Deleted, Merged, Opened, Start, Voided
from salespipeline.history import DealHistory
from salespipeline.metrics.slippage import close_date_error, pushes, slippage
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import lifetimes
from salespipeline.tallies._due import Due, Ended, Expected, NoDate, due
from stories import BY_THEN, START, day, deal, euros, given_to, lost, reopened, won, worth

# Day 0 is 2026-01-01; February is days 31 to 58, March begins on day 59.
FEBRUARY = Period.month(2026, 2)
LATE = day(200)


def dated(number):
    """The date of a day."""
    return None if number is None else (START + timedelta(days=number)).date()


def expects(at, number):
    return at, CloseDateChanged, {"expected_close": dated(number)}


def opened(at, number, *steps, **facts):
    """A deal opened on a day, expected to close on another."""
    return deal(at, *steps, expected_close=dated(number), **facts)


def ends(result):
    return {end.ended.value: end.amounts.n for end in result.ends if end.amounts.n}


BODY = (
    opened(0, 40, won(38, 900), amount=euros(1000), owner="ada"),
    opened(0, 40, lost(50), amount=euros(200), owner="ada"),
    opened(0, 40, expects(45, 70), amount=euros(300), owner="bob"),
    opened(0, 40, expects(45, 70), won(80), owner="bob"),
    opened(0, 40, expects(35, 50), amount=euros(500), owner="bob"),
    opened(0, 40, expects(36, None), owner="bob"),
    opened(0, 40, (41, Deleted, {}), owner="bob"),
    # not due in February
    opened(0, 70, owner="ada"),
    opened(0, 40, expects(20, 70), owner="ada"),
    opened(0, None, owner="ada"),
    opened(0, 40, won(20), owner="ada"),
    opened(33, 40, lost(50), owner="eve"),
)


# Slippage


def test_each_deal_due_ends_in_one_way():
    found = slippage(BODY, as_of=LATE, period=FEBRUARY)
    assert ends(found) == {
        "won": 1, "lost": 1, "slipped": 2, "still_due": 1, "undated": 1, "gone": 1,
    }  # fmt: skip
    assert found.due.n == 7
    assert found.is_over
    assert (found.as_of, found.period) == (LATE, FEBRUARY)


def test_amounts_are_those_when_the_period_began_and_sum_to_those_due():
    found = slippage(BODY, as_of=LATE, period=FEBRUARY)
    amounts = {end.ended: end.amounts.total() for end in found.ends}
    assert amounts[Ended.WON] == Money(1000, "EUR")  # it was sold for 900
    assert amounts[Ended.UNDATED] is None
    assert found.due.total() == Money(2000, "EUR")
    assert found.due.without_amount == 3
    late = deal(0, worth(20, euros(70)), worth(40, euros(90)), expected_close=dated(40))
    assert slippage([late], as_of=LATE, period=FEBRUARY).due.total() == Money(70, "EUR")


def test_three_slippage_rates_are_in_use():
    found = slippage(BODY, as_of=LATE, period=FEBRUARY)
    assert (found.slipped.numerator, found.slipped.denominator) == (2, 7)
    assert found.not_closed.numerator == 5  # petavue: neither won nor lost
    assert found.not_won.numerator == 6  # getchief: a loss too
    assert found.of("won", "lost", Ended.WON).numerator == 2
    assert found.slipped.interval.method == "wilson"
    with pytest.raises(UnknownKeyError):
        found.of("derailed")


def test_the_present_dates_would_show_no_slippage():
    """A slipped deal says a later date now: only the date as it was tells."""
    slipped = [each for each in BODY if each.as_of(day(58)) is not None]
    now = [each.as_of(day(58)) for each in slipped]
    assert (
        sum(each.expected_close == dated(70) and each.outcome is Outcome.OPEN for each in now) == 4
    )
    assert slippage(slipped, as_of=LATE, period=FEBRUARY).slipped.numerator == 2


def test_while_the_period_runs_deals_are_still_due():
    found = slippage(BODY, as_of=day(37), period=FEBRUARY)
    assert ends(found) == {"still_due": 6, "undated": 1}
    assert not found.is_over
    begun = slippage(BODY, as_of=FEBRUARY.start, period=FEBRUARY)
    assert ends(begun) == {"still_due": 7}


def test_a_move_on_the_day_of_the_instant_counts_and_one_after_does_not():
    body = [opened(0, 40, expects(45, 70))]
    assert ends(slippage(body, as_of=day(45), period=FEBRUARY)) == {"slipped": 1}
    moment = timedelta(microseconds=1)
    assert ends(slippage(body, as_of=day(45) - moment, period=FEBRUARY)) == {"still_due": 1}


def test_what_happens_at_the_periods_end_is_not_in_it():
    at_start, at_end = 31, 59
    body = [opened(0, 40, won(at_end)), opened(0, 40, expects(at_end, 70))]
    assert ends(slippage(body, as_of=LATE, period=FEBRUARY)) == {"still_due": 2}
    body = [opened(0, 40, won(at_start)), opened(0, 40, expects(at_start, 70))]
    assert ends(slippage(body, as_of=LATE, period=FEBRUARY)) == {"won": 1, "slipped": 1}


def test_the_first_and_the_last_date_of_the_period_are_in_it():
    body = [opened(0, number) for number in (30, 31, 58, 59)]
    assert slippage(body, as_of=LATE, period=FEBRUARY).due.n == 2
    assert ends(slippage([opened(0, 40, expects(40, 59))], as_of=LATE, period=FEBRUARY)) == {
        "slipped": 1
    }
    assert ends(slippage([opened(0, 40, expects(40, 58))], as_of=LATE, period=FEBRUARY)) == {
        "still_due": 1
    }


def test_a_date_pulled_before_the_period_is_still_due_there():
    body = [opened(0, 40, expects(32, 5))]
    assert ends(slippage(body, as_of=LATE, period=FEBRUARY)) == {"still_due": 1}


def test_dates_are_those_of_the_periods_zone():
    berlin = ZoneInfo("Europe/Berlin")
    february = Period.month(2026, 2, zone=berlin)
    body = [opened(0, number) for number in (30, 31, 58, 59)]
    assert slippage(body, as_of=LATE, period=february, zone=berlin).due.n == 2
    assert slippage(body, as_of=LATE, period=Period(day(31.5), day(59.5))).due.n == 2


def test_periods_that_follow_each_other_share_no_date():
    halves = [Period(day(31), day(45.5)), Period(day(45.5), day(59))]
    body = [opened(0, number) for number in range(31, 59)]
    tally = due(body, as_of=LATE, periods=halves)
    due_in = [slippage(tally, period=half).due.n for half in halves]
    assert due_in == [15, 13]


def test_a_deal_voided_as_a_mistake_is_gone():
    wrong = opened(0, 40)
    void = Voided(record="d-1", sequence=2, at=day(50), voids=wrong.events[0].identity, why="twice")
    body = [wrong.append(void)]
    assert ends(slippage(body, as_of=LATE, period=FEBRUARY)) == {"gone": 1}
    assert ends(slippage(body, as_of=day(49), period=FEBRUARY)) == {"still_due": 1}


def test_a_deal_deleted_after_the_period_ended_it_as_it_did():
    body = [opened(0, 40, won(45), (70, Deleted, {}))]
    assert ends(slippage(body, as_of=LATE, period=FEBRUARY)) == {"won": 1}


def test_a_mistake_found_after_the_period_counts_as_it_is_known():
    mistaken = opened(0, 40, won(45))
    void = Voided(record="d-1", sequence=3, at=day(70), voids=mistaken.events[1].identity, why="no")
    body = [mistaken.append(void)]
    assert ends(slippage(body, as_of=day(69), period=FEBRUARY)) == {"won": 1}
    assert ends(slippage(body, as_of=day(70), period=FEBRUARY)) == {"still_due": 1}


def late(at, number, recorded):
    """A change of the expected date that the system learnt of later."""
    event = CloseDateChanged(
        record="d-1",
        sequence=2,
        at=day(at),
        expected_close=dated(number),
        recorded_at=day(recorded),
    )
    return opened(0, 40).append(event)


def test_the_date_when_the_period_began_is_the_one_known_then():
    body = [late(20, 70, 33)]
    assert ends(slippage(body, as_of=LATE, period=FEBRUARY)) == {"slipped": 1}
    assert slippage([late(20, 70, 30)], as_of=LATE, period=FEBRUARY).due.n == 0


def test_a_closing_recorded_after_the_period_is_of_the_period():
    event = deal(0, won(45), expected_close=dated(40)).events[1]
    body = [opened(0, 40).append(evolve(event, recorded_at=day(63)))]
    assert ends(slippage(body, as_of=day(62), period=FEBRUARY)) == {"still_due": 1}
    assert ends(slippage(body, as_of=day(63), period=FEBRUARY)) == {"won": 1}


def test_a_date_from_a_merged_record_counts():
    other = deal(1, record="d-2", expected_close=dated(40))
    undated, unlike = deal(0).merge(other), opened(0, 70).merge(other)
    assert slippage([undated], as_of=LATE, period=FEBRUARY).due.n == 1
    assert slippage([unlike], as_of=LATE, period=FEBRUARY).due.n == 0
    unknown = deal(0, (1, Merged, {"other": "d-2"}))
    assert slippage([unknown], as_of=LATE, period=FEBRUARY).due.n == 0
    moved = deal(0, record="d-1").merge(
        deal(1, expects(33, 50), record="d-2", expected_close=dated(40))
    )
    assert pushes([moved], as_of=LATE, period=FEBRUARY).by_day.moves == 1


def test_slippage_by_owner_is_of_who_had_the_deal_when_the_period_began():
    body = [opened(0, 40, given_to(20, "bob"), given_to(40, "eve"), lost(45), owner="ada")]
    found = slippage(body, as_of=LATE, period=FEBRUARY, by="owner")
    assert list(found) == ["bob"]
    assert ends(found["bob"]) == {"lost": 1}


def test_groups_recombine_and_one_without_deals_due_has_rates_of_nothing():
    found = slippage(BODY, as_of=LATE, period=FEBRUARY, by="owner")
    assert sum(each.due.n for each in found.values()) == 7
    assert found["eve"].slipped.value is None
    assert found["eve"].slipped.denominator == 0


def test_slippage_of_nothing_is_undefined():
    found = slippage([], as_of=LATE, period=FEBRUARY)
    assert (found.due.n, found.slipped.value, found.slipped.interval) == (0, None, None)
    assert len(found.ends) == len(Ended)


def test_slippage_is_told_in_rows():
    found = slippage(BODY, as_of=LATE, period=FEBRUARY)
    rows = found.to_dicts()
    assert [row["ended"] for row in rows] == [each.value for each in Ended]
    assert rows[2]["share"] == pytest.approx(2 / 7)
    assert rows[0]["is_over"] is True
    assert "slipped" in str(found)
    assert found.row()["not_won_numerator"] == 6


def test_results_are_values():
    made = [slippage(BODY, as_of=LATE, period=FEBRUARY) for _ in range(2)]
    check_value(*made, slippage(BODY[1:], as_of=LATE, period=FEBRUARY))
    made = [pushes(BODY, as_of=LATE, period=FEBRUARY) for _ in range(2)]
    check_value(*made, pushes(BODY[:3], as_of=LATE, period=FEBRUARY))
    made = [close_date_error(BODY, as_of=LATE, period=FEBRUARY) for _ in range(2)]
    check_value(*made, close_date_error(BODY[1:], as_of=LATE, period=FEBRUARY))


def test_a_tally_says_no_period_that_begins_after_the_instant():
    with pytest.raises(InvalidValueError, match="begins after"):
        slippage(BODY, as_of=day(30), period=FEBRUARY)
    with pytest.raises(InvalidValueError, match="there is none"):
        due(BODY, as_of=LATE, periods=[])
    with pytest.raises(InvalidValueError, match="does not begin after"):
        due(BODY, as_of=LATE, periods=[FEBRUARY, FEBRUARY])


def test_slippage_takes_a_tally_counted_elsewhere():
    quarters = [Period.month(2026, month) for month in (1, 2)]
    one, two = (due(part, as_of=LATE, periods=quarters) for part in (BODY[:5], BODY[5:]))
    found = slippage(one + two, period=FEBRUARY)
    assert found == slippage(BODY, as_of=LATE, period=FEBRUARY)
    with pytest.raises(UnknownKeyError, match="period of the tally"):
        slippage(one, period=Period.month(2026, 3))
    with pytest.raises(InvalidValueError, match="this figure needs due"):
        slippage(lifetimes(BODY, as_of=LATE), period=FEBRUARY)


def test_tallies_counted_otherwise_do_not_add():
    options = {"as_of": LATE, "periods": [FEBRUARY]}
    plain = due(BODY, **options)
    for other in ({"expected_at": "opening"}, {"first_month": 2}):
        with pytest.raises(InvalidValueError, match="settings differs"):
            plain + due(BODY, **options, **other)


def test_strange_input_is_refused():
    check_door(lambda value: slippage(value, as_of=LATE, period=FEBRUARY), takes=_empty)
    check_door(lambda value: slippage(BODY, as_of=value, period=FEBRUARY))
    check_door(lambda value: slippage(BODY, as_of=LATE, period=value))
    check_door(lambda value: slippage(BODY, as_of=LATE, period=FEBRUARY, by=value), takes=_is_none)
    check_door(lambda value: slippage(BODY, as_of=LATE, period=FEBRUARY, zone=value))
    check_door(lambda value: slippage(BODY, as_of=LATE, period=FEBRUARY, level=value))
    with pytest.raises(WrongTypeError, match="DealHistory"):
        due([object()], as_of=LATE, periods=[FEBRUARY])


def _empty(value):
    return isinstance(value, (list, tuple, dict, set, bytes, bytearray)) and not value


def _is_none(value):
    return value is None


# Pushes


def test_pushes_are_counted_by_day_month_and_quarter():
    # 40 is in February, 50 too, 70 in March, 95 in April
    body = [opened(0, 40, expects(32, 50), expects(33, 70), expects(34, 95), expects(35, 60))]
    found = pushes(body, as_of=LATE, period=FEBRUARY)
    counted = (found.by_day, found.by_month, found.by_quarter, found.pull_ins)
    assert [each.moves for each in counted] == [3, 2, 1, 1]
    assert found.pushed.numerator == found.pushed.denominator == 1


def test_a_quarter_may_begin_with_any_month():
    body = [opened(0, 40, expects(32, 70))]  # February to March
    options = {"as_of": LATE, "period": FEBRUARY}
    assert pushes(body, **options).by_quarter.moves == 0
    assert pushes(body, **options, first_month=3).by_quarter.moves == 1
    assert pushes(body, **options, first_month=12).by_quarter.moves == 1
    assert pushes(body, **options, first_month=2).by_quarter.moves == 0
    body = [opened(0, 20, expects(32, 40))]  # January to February
    assert pushes(body, **options, first_month=12).by_quarter.moves == 0
    assert pushes(body, **options, first_month=2).by_quarter.moves == 1


def test_a_year_has_no_gap_between_december_and_january():
    turn = Period.year(2026)
    body = [opened(0, 350, expects(9, 380))]  # December 2026 to January 2027
    found = pushes(body, as_of=LATE, period=turn)
    assert (found.by_month.moves, found.by_quarter.moves) == (1, 1)


def test_the_first_date_and_its_removal_are_no_moves():
    body = [deal(0, expects(32, 40), expects(33, None), expects(34, 90))]
    found = pushes(body, as_of=LATE, period=FEBRUARY)
    assert (found.by_day.moves, found.pull_ins.moves, found.pushed.value) == (0, 0, 0)


def test_the_same_date_written_again_is_no_move():
    found = pushes([opened(0, 40, expects(32, 40))], as_of=LATE, period=FEBRUARY)
    assert (found.by_day.moves, found.pull_ins.moves) == (0, 0)


def test_moves_before_the_period_and_after_the_instant_do_not_count():
    body = [opened(0, 40, expects(30, 50), expects(31, 60), expects(58, 61), expects(59, 90))]
    assert pushes(body, as_of=LATE, period=FEBRUARY).by_day.moves == 2
    assert pushes(body, as_of=day(57), period=FEBRUARY).by_day.moves == 1


def test_a_date_written_by_the_closing_itself_is_no_move():
    for steps in (
        [expects(45, 45), won(45)],
        [won(45), expects(45, 45)],
        [won(45), expects(46, 46)],
    ):
        found = pushes([opened(0, 40, *steps)], as_of=LATE, period=FEBRUARY)
        assert (found.by_day.moves, found.pull_ins.moves) == (0, 0)
    moved = opened(0, 40, expects(44, 50), expects(45, 45), lost(45))
    assert pushes([moved], as_of=LATE, period=FEBRUARY).by_day.moves == 1


def test_a_reopened_deal_is_pushed_again():
    body = [opened(0, 40, lost(35), expects(36, 90), reopened(40), expects(41, 95))]
    found = pushes(body, as_of=LATE, period=FEBRUARY)
    assert found.by_day.moves == 1
    assert found.by_day.open_months == Fraction(4 + 19) / Fraction("30.436875")


def test_pushes_are_told_for_each_month_open():
    body = [opened(0, 40, expects(32, 50), expects(33, 60)), opened(45, 60), opened(0, 40, won(31))]
    found = pushes(body, as_of=LATE, period=FEBRUARY)
    assert found.by_day.open_months == Fraction(28 + 14) / Fraction("30.436875")
    assert found.by_day.value == pytest.approx(2 * 30.436875 / 42)
    assert found.times == {0: 2, 2: 1}
    assert (found.pushed.numerator, found.pushed.denominator) == (1, 3)


def test_the_interval_of_a_ratio_is_the_linearised_one():
    body = [opened(0, 40, expects(32, 50), expects(33, 60)), opened(45, 60)]
    rate = pushes(body, as_of=LATE, period=FEBRUARY).by_day
    # y = 2, 0; x = 28, 14 days; R = 2/42; residuals 2 - 28R and -14R
    r = 2 / 42
    spread = (2 - 28 * r) ** 2 + (14 * r) ** 2
    error = (spread * 2 / 1) ** 0.5 / 42 * 30.436875
    assert rate.interval.method == "linearised ratio"
    assert rate.interval.high == pytest.approx(rate.value + 1.959964 * error)
    assert rate.interval.low == 0
    narrow = pushes(body, as_of=LATE, period=FEBRUARY, level=0.5).by_day.interval
    assert narrow.low == pytest.approx(rate.value - 0.6744898 * error)


def test_one_deal_or_no_move_has_no_interval():
    one = [opened(0, 40, expects(32, 50))]
    assert pushes(one, as_of=LATE, period=FEBRUARY).by_day.interval is None
    assert pushes([*one, *one], as_of=LATE, period=FEBRUARY).pull_ins.interval is None
    nothing = pushes([], as_of=LATE, period=FEBRUARY)
    assert (nothing.by_day.value, nothing.pushed.value, nothing.times) == (None, None, {})


def test_a_deal_open_for_no_day_has_no_rate():
    found = pushes([opened(31, 40)], as_of=day(31), period=FEBRUARY)
    assert (found.pushed.denominator, found.by_day.value) == (1, None)


def test_a_deal_that_closed_as_it_opened_was_open_for_no_day():
    body = [deal(40, outcome=Outcome.WON, stage="signed")]
    found = pushes(body, as_of=LATE, period=FEBRUARY)
    assert (found.pushed.denominator, found.by_day.open_months) == (1, 0)


def test_deals_that_are_gone_or_run_backwards_are_left_out_by_reason():
    body = [
        opened(0, 40, (41, Deleted, {})),
        opened(40, 50, lost(35)),
        opened(0, 40),
    ]
    found = pushes(body, as_of=LATE, period=FEBRUARY)
    assert found.left_out == {"gone": 1, "negative_duration": 1}
    assert found.pushed.denominator == 1


def test_a_deal_closed_before_the_period_or_opened_after_it_is_not_there():
    body = [opened(0, 40, lost(20)), opened(60, 70), opened(0, 40, lost(20), given_to(40, "eve"))]
    assert due(body, as_of=LATE, periods=[FEBRUARY]).n == 0


def test_a_deal_that_nobody_knew_of_before_the_period_came_in_with_it():
    first = evolve(opened(10, 40).events[0], recorded_at=day(35))
    tally = due([DealHistory([first])], as_of=LATE, periods=[FEBRUARY], by="owner")
    [row] = tally.rows
    assert (row.ended, row.outcome, row.open_days) == (None, Outcome.OPEN, 28)


def test_a_deal_that_was_open_all_along_though_nobody_knew_came_in_with_the_period():
    mistaken = opened(0, 40, lost(20), given_to(25, "bob"), owner="ada")
    void = Voided(record="d-1", sequence=4, at=day(40), voids=mistaken.events[1].identity, why="no")
    [row] = due([mistaken.append(void)], as_of=LATE, periods=[FEBRUARY], by="owner").rows
    assert (row.group, row.ended, row.outcome, row.open_days) == ("ada", None, Outcome.OPEN, 28)


def test_a_deal_known_to_be_open_may_turn_out_to_have_been_lost():
    lost_early = evolve(deal(0, lost(20)).events[1], recorded_at=day(40))
    [row] = due([opened(0, 40).append(lost_early)], as_of=LATE, periods=[FEBRUARY]).rows
    assert (row.ended, row.open_days, row.error, row.why) == (Ended.LOST, 0, None, None)


def test_a_history_whose_opening_lies_after_the_period_is_not_in_it():
    body = [opened(80, 90, expects(40, 95))]
    assert due(body, as_of=LATE, periods=[FEBRUARY]).n == 0


def test_pushes_by_owner():
    found = pushes(BODY, as_of=LATE, period=FEBRUARY, by="owner")
    assert found["bob"].by_day.moves == 3
    assert found["ada"].by_day.moves == 0
    assert found["eve"].pushed.denominator == 1


def test_pushes_are_told_in_a_row():
    row = pushes(BODY, as_of=LATE, period=FEBRUARY).row()
    assert row["by_day_moves"] == 3
    assert row["left_out_why"] == "1 gone"
    assert isinstance(row["by_day"], float)


def test_the_first_month_is_one_of_twelve():
    tally = due(BODY, as_of=LATE, periods=[FEBRUARY], first_month=4)
    assert pushes(tally, period=FEBRUARY, first_month=4) == pushes(tally, period=FEBRUARY)
    with pytest.raises(InvalidValueError, match="it was counted with first_month=4"):
        pushes(tally, period=FEBRUARY, first_month=1)
    check_door(
        lambda value: pushes(BODY, as_of=LATE, period=FEBRUARY, first_month=value),
        takes=lambda value: value is None or (type(value) is int and value == 7),
    )


# The error of the expected date

CLOSED = (
    opened(0, 40, expects(35, 55), won(45)),  # 5 days late by the start, -10 by a week before
    opened(0, 35, won(31)),
    opened(0, 50, expects(30, 41), won(41), expects(41, 90)),
    opened(33, 45, won(55)),
    deal(0, won(40)),
    opened(0, 40, lost(41)),
    opened(0, 40, won(60)),
    opened(0, 40),
)


def test_a_closing_is_held_beside_the_date_when_the_period_began():
    found = close_date_error(CLOSED, as_of=LATE, period=FEBRUARY)
    assert found.days == {-4: 1, 0: 1, 5: 1}
    assert (found.n, found.mean_days, found.median_days) == (3, Fraction(1, 3), 0)
    assert found.left_out == {"opened_later": 1, "undated": 1}
    assert [rate.numerator for rate in (found.early, found.on_time, found.late)] == [1, 1, 1]


def test_a_closing_may_be_held_beside_the_date_at_its_opening():
    found = close_date_error(CLOSED, as_of=LATE, period=FEBRUARY, expected_at="opening")
    assert found.days == {-9: 1, -4: 1, 5: 1, 10: 1}
    assert found.left_out == {"undated": 1}
    unknown = opened(0, 40, won(45), start=BY_THEN)
    found = close_date_error([unknown], as_of=LATE, period=FEBRUARY, expected_at=Expected.OPENING)
    assert (found.n, found.left_out) == (0, {"start_unknown": 1})


def test_a_closing_may_be_held_beside_the_date_some_days_before_it():
    def error(number):
        return close_date_error(
            CLOSED, as_of=LATE, period=FEBRUARY, expected_at="before_closing", days_before=number
        )

    assert error(0).days == {-10: 1, -4: 1, 0: 1, 10: 1}
    assert error(7).days == {-10: 1, -4: 1, 0: 1, 10: 1}
    assert error(10).days == {-4: 1, 0: 1, 5: 1, 10: 1}  # the change of day 35 was not yet made
    assert error(22).days == {-9: 1, -4: 1, 5: 1}
    assert error(22).left_out == {"opened_later": 1, "undated": 1}
    assert error(36_525).left_out == {"opened_later": 5}


def test_the_date_before_a_closing_is_never_that_of_an_earlier_close():
    body = [opened(0, 40, lost(35), reopened(44), won(45))]
    found = close_date_error(
        body, as_of=LATE, period=FEBRUARY, expected_at="before_closing", days_before=5
    )
    assert found.left_out == {"opened_later": 1}


def test_the_closing_may_be_won_lost_or_either():
    options = {"as_of": LATE, "period": FEBRUARY}
    assert close_date_error(CLOSED, **options, outcome="lost").days == {1: 1}
    assert close_date_error(CLOSED, **options, outcome=None).n == 4
    with pytest.raises(InvalidValueError, match="has not closed"):
        close_date_error(CLOSED, **options, outcome="open")


def test_an_overwritten_date_does_not_make_the_error_zero():
    """HubSpot writes the closing into the expected date: the date before it is what counts."""
    overwritten = opened(0, 35, expects(45, 45), won(45))
    for expected_at in ("period_start", "opening"):
        found = close_date_error(
            [overwritten], as_of=LATE, period=FEBRUARY, expected_at=expected_at
        )
        assert found.days == {10: 1}
    found = close_date_error(
        [overwritten], as_of=LATE, period=FEBRUARY, expected_at="before_closing", days_before=0
    )
    assert found.days == {10: 1}


def test_the_date_of_a_closing_is_that_of_the_zone():
    body = [opened(0, 40, won(40.99))]
    berlin = ZoneInfo("Europe/Berlin")
    assert close_date_error(body, as_of=LATE, period=FEBRUARY).days == {0: 1}
    assert close_date_error(body, as_of=LATE, period=FEBRUARY, zone=berlin).days == {1: 1}


def test_the_mean_has_a_normal_interval_and_the_rest_quantiles():
    body = [opened(0, 40, won(number)) for number in (38, 40, 45)]
    found = close_date_error(body, as_of=LATE, period=FEBRUARY)
    # deviations from the mean 1: -3, -1, 4; variance 13
    assert found.interval.high == pytest.approx(1 + 1.959964 * (13 / 3) ** 0.5)
    assert found.interval.low == pytest.approx(1 - 1.959964 * (13 / 3) ** 0.5)
    assert [found.quantile(share) for share in (0.2, 1 / 3, 0.5, 0.9)] == [-2, -2, 0, 5]
    one = close_date_error(body[:1], as_of=LATE, period=FEBRUARY)
    assert (one.interval, one.median_days) == (None, -2)
    none = close_date_error([], as_of=LATE, period=FEBRUARY)
    assert (none.mean_days, none.median_days, none.interval, none.quantile(0.5)) == (None,) * 4
    assert none.late.value is None


def test_errors_by_owner():
    body = [opened(0, 40, won(41), owner="ada"), opened(33, 40, won(45), owner="bob")]
    found = close_date_error(body, as_of=LATE, period=FEBRUARY, by="owner", expected_at="opening")
    assert {owner: dict(each.days) for owner, each in found.items()} == {
        "ada": {1: 1},
        "bob": {5: 1},
    }


def test_a_deal_opened_as_closed_has_its_own_date():
    body = [deal(40, outcome=Outcome.WON, stage="signed", expected_close=dated(42))]
    found = close_date_error(body, as_of=LATE, period=FEBRUARY, expected_at="opening")
    assert found.days == {-2: 1}


def test_days_before_are_given_with_their_rule_and_only_with_it():
    options = {"as_of": LATE, "period": FEBRUARY}
    for wrong in (
        {"expected_at": "before_closing"},
        {"days_before": 7},
        {"expected_at": "opening", "days_before": 7},
    ):
        with pytest.raises(InvalidValueError, match="before_closing"):
            close_date_error(CLOSED, **options, **wrong)
    for wrong in (-1, 36_526):
        with pytest.raises(InvalidValueError, match="is not from 0"):
            close_date_error(CLOSED, **options, expected_at="before_closing", days_before=wrong)
    with pytest.raises(WrongTypeError):
        close_date_error(CLOSED, **options, expected_at="before_closing", days_before=2.5)
    check_door(
        lambda value: close_date_error(CLOSED, **options, expected_at=value),
        takes=lambda value: value is None,
    )
    check_door(
        lambda value: close_date_error(CLOSED, **options, outcome=value),
        takes=lambda value: value is None,
    )


def test_a_tally_keeps_the_expectation_that_it_was_counted_with():
    tally = due(CLOSED, as_of=LATE, periods=[FEBRUARY], expected_at="opening")
    asked = {"as_of": LATE, "period": FEBRUARY}
    assert close_date_error(tally, **asked) == close_date_error(
        CLOSED, **asked, expected_at="opening"
    )
    assert close_date_error(tally, **asked, expected_at="opening").n == 4
    with pytest.raises(InvalidValueError, match="counted with expected_at"):
        close_date_error(tally, **asked, expected_at="period_start")


# The tally


def test_a_row_says_what_became_of_the_date():
    body = [opened(0, 40, expects(33, 41), won(45), owner="ada", amount=euros(10))]
    assert dict(due(body, as_of=LATE, periods=[FEBRUARY], by="owner").rows).keys() == {
        Due("ada", 0, Ended.WON, Outcome.WON, 1, 0, 0, 0, 14, 5, None, "EUR")
    }
    [row] = due([deal(40, lost(41))], as_of=LATE, periods=[FEBRUARY]).rows
    assert row.why is NoDate.OPENED_LATER


def test_all_of_time_is_a_period():
    ever = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    found = pushes(BODY, as_of=LATE, period=ever)
    assert found.by_day.moves == 4
    assert found.pushed.denominator == len(BODY) - 1
    early = opened(0, 40, won(45))
    span = {"expected_at": "before_closing", "days_before": 36_525}
    assert close_date_error([early], as_of=LATE, period=ever, **span).n == 0


def test_a_date_at_the_beginning_of_the_calendar_is_one():
    first = datetime.min.replace(tzinfo=UTC)
    body = [
        DealHistory(
            [
                Opened(
                    record="d",
                    sequence=1,
                    at=first,
                    pipeline="board",
                    stage="talk",
                    start=Start.EXACT,
                )
            ]
        ).append(CloseDateChanged(record="d", sequence=2, at=first, expected_close=date.max))
    ]
    period = Period(first, first + timedelta(days=9))
    assert due(body, as_of=first, periods=[period]).n == 1
