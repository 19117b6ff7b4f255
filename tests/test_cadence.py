from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_value
from salespipeline.cadence import (
    ATTEMPTS,
    EVERY_DAY,
    MONTHLY_CHECK_IN,
    QUARTERLY_REVIEW,
    RENEWAL,
    Attempts,
    Recurrence,
    Reminders,
    Roll,
    Touch,
    WorkingDays,
    follow_up,
)
from salespipeline.errors import InvalidValueError, NaiveTimeError, UnknownKeyError, WrongTypeError
from salespipeline.events import Term
from salespipeline.money import Money
from salespipeline.periods import Period, Unit, at_time, stepped

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = WorkingDays(holidays=[date(2026, 5, 1), date(2026, 5, 25)])


def day(text):
    return date.fromisoformat(text)


def dates(touches):
    return [str(touch.on) for touch in touches]


def march(number, hour=0):
    return datetime(2026, 3, number, hour, tzinfo=UTC)


# Working days


@pytest.mark.parametrize(
    ("given", "roll", "found"),
    [
        ("2026-05-01", "following", "2026-05-04"), ("2026-05-01", "preceding", "2026-04-30"),
        ("2026-05-01", "stay", "2026-05-01"), ("2026-05-04", "following", "2026-05-04"),
        ("2026-05-23", "following", "2026-05-26"),
    ],
)  # fmt: skip
def test_a_date_that_is_no_working_day_goes_where_it_is_told(given, roll, found):
    assert str(WEEK.rolled(day(given), roll)) == found


@pytest.mark.parametrize(
    ("given", "number", "found"),
    [
        ("2026-04-30", 1, "2026-05-04"), ("2026-05-04", -1, "2026-04-30"),
        ("2026-05-02", 1, "2026-05-04"), ("2026-05-02", 0, "2026-05-02"),
        ("2026-05-22", 5, "2026-06-01"),
    ],
)  # fmt: skip
def test_working_days_are_counted_over_weekends_and_holidays(given, number, found):
    assert str(WEEK.plus(day(given), number)) == found


def test_the_working_days_between_two_dates_leave_the_last_out():
    assert WEEK.between(day("2026-04-27"), day("2026-05-04")) == 4
    assert WEEK.between(day("2026-05-02"), day("2026-05-04")) == 0
    assert WEEK.between(day("2026-01-01"), day("2027-01-01")) == 259
    assert WEEK.between(day("2026-05-04"), day("2026-05-01")) == 0


def test_a_week_may_end_on_another_day():
    gulf = WorkingDays(weekend=[4, 5])
    assert day("2026-05-01") not in gulf
    assert day("2026-05-03") in gulf
    check_value(gulf, WorkingDays(weekend={5, 4}), WEEK, EVERY_DAY)


def test_days_that_are_none_are_refused():
    with pytest.raises(InvalidValueError, match="leave one to work on"):
        WorkingDays(weekend=range(7))
    with pytest.raises(InvalidValueError, match="from 0, Monday, to 6"):
        WorkingDays(weekend=[7])
    with pytest.raises(WrongTypeError):
        WorkingDays(weekend=[True])
    with pytest.raises(WrongTypeError, match="'holidays' must be several dates"):
        WorkingDays(holidays="2026-05-01")
    with pytest.raises(WrongTypeError, match="'holidays' must be a date"):
        WorkingDays(holidays=["2026-05-01"])
    with pytest.raises(UnknownKeyError):
        WEEK.rolled(day("2026-05-01"), "up")
    with pytest.raises(InvalidValueError, match="at most 100,000"):
        WEEK.plus(day("2026-05-01"), 10**9)
    with pytest.raises(InvalidValueError, match="beyond the years"):
        WEEK.plus(date.max, 1)


# Attempts


def test_attempts_come_on_their_days_with_their_channels():
    found = ATTEMPTS.within(Period.year(2026), start=day("2026-03-02"))
    assert [(touch.number, str(touch.on), touch.channel) for touch in found] == [
        (1, "2026-03-02", "call"), (2, "2026-03-04", "email"), (3, "2026-03-08", "call"),
        (4, "2026-03-15", "email"),
    ]  # fmt: skip


def test_an_attempt_on_a_weekend_is_made_on_the_next_working_day():
    weekdays = Attempts(ATTEMPTS.steps, days=WEEK)
    assert dates(weekdays.touches(day("2026-03-02")))[2:] == ["2026-03-09", "2026-03-16"]


def test_attempts_can_be_counted_in_working_days():
    counted = Attempts([(1, "call"), (3, "call"), (7, "call")], days=WEEK, counted=True)
    found = dates(counted.touches(day("2026-05-02")))
    assert found == ["2026-05-04", "2026-05-06", "2026-05-12"]


def test_the_next_attempt_is_the_first_after_the_last_one_made():
    start = day("2026-03-02")
    assert ATTEMPTS.next_due(start=start).number == 1
    assert ATTEMPTS.next_due(start=start, after=day("2026-03-05")).number == 3
    assert ATTEMPTS.next_due(start=start, after=day("2026-03-15")) is None


def test_an_attempt_is_overdue_from_the_day_after_it_and_a_later_one_makes_up_for_it():
    start = day("2026-03-02")
    assert ATTEMPTS.overdue(start=start, as_of=march(2, 23)) == ()
    assert dates(ATTEMPTS.overdue(start=start, as_of=march(9))) == [
        "2026-03-02", "2026-03-04", "2026-03-08",
    ]  # fmt: skip
    late = ATTEMPTS.overdue(start=start, as_of=march(9), after=day("2026-03-05"))
    assert [touch.number for touch in late] == [3]


def test_today_is_todays_date_in_the_zone():
    late = march(2, 23)  # already the third in Berlin
    assert ATTEMPTS.overdue(start=day("2026-03-02"), as_of=late, zone=BERLIN) != ()


def test_attempts_that_are_none_are_refused_with_every_fault():
    with pytest.raises(InvalidValueError, match="there is no attempt"):
        Attempts([])
    with pytest.raises(InvalidValueError) as caught:
        Attempts([(3, "call"), (0, "email")])
    assert len(caught.value.faults) == 2
    for steps in ("call", 5, [3], [(1, "call", 2)]):
        with pytest.raises(WrongTypeError, match="several pairs of a day and a channel"):
            Attempts(steps)
    with pytest.raises(WrongTypeError, match="'channel' must be a str"):
        Attempts([(1, None)])


# Recurrences


def test_a_monthly_touch_keeps_to_the_day_it_began_on_where_the_month_has_it():
    found = MONTHLY_CHECK_IN.within(Period.year(2026), start=day("2026-01-31"))
    assert dates(found)[:4] == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]
    assert [touch.number for touch in found][:2] == [1, 2]


def test_a_quarterly_review_is_a_meeting_every_three_months():
    found = QUARTERLY_REVIEW.within(Period.year(2027), start=day("2026-11-15"))
    assert dates(found) == ["2027-02-15", "2027-05-15", "2027-08-15", "2027-11-15"]
    assert {touch.channel for touch in found} == {"meeting"}
    assert [touch.number for touch in found] == [1, 2, 3, 4]


def test_a_recurrence_that_goes_to_the_next_working_day_may_reach_the_next_month():
    monthly = Recurrence("month", days=WEEK)
    june = monthly.within(Period.month(2026, 6), start=day("2026-03-31"))
    assert dates(june) == ["2026-06-01", "2026-06-30"]
    assert dates(monthly.within(Period.month(2026, 5), start=day("2026-04-01"))) == ["2026-05-04"]
    weekly = Recurrence("week", 2, days=WEEK)
    assert dates(weekly.within(Period.month(2026, 5), start=day("2026-04-11"))) == [
        "2026-05-11", "2026-05-26",
    ]  # fmt: skip


def test_a_recurrence_never_ends_but_what_is_asked_of_it_does():
    daily = Recurrence("day")
    assert daily.next_due(start=day("2026-01-01"), after=day("2526-01-01")).on == day("2526-01-02")
    assert len(daily.within(Period.year(2500), start=day("2026-01-01"))) == 365
    ends = Recurrence("year").within(
        Period(datetime(9990, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
        start=day("2026-06-01"),
    )
    assert (len(ends), str(ends[-1].on)) == (10, "9999-06-01")
    assert MONTHLY_CHECK_IN.next_due(start=date.max) is None


def test_a_recurrence_of_nothing_is_refused():
    with pytest.raises(InvalidValueError, match="from 1 to 1,000"):
        Recurrence("month", 0)
    with pytest.raises(UnknownKeyError):
        Recurrence("fortnight")
    with pytest.raises(WrongTypeError, match="'days' must be a WorkingDays"):
        Recurrence("month", days=5)
    with pytest.raises(WrongTypeError, match="'period' must be a Period"):
        MONTHLY_CHECK_IN.within(2026, start=day("2026-01-01"))
    with pytest.raises(WrongTypeError, match="'start' must be a date"):
        MONTHLY_CHECK_IN.within(Period.year(2026), start=march(1))
    with pytest.raises(NaiveTimeError):
        MONTHLY_CHECK_IN.overdue(start=day("2026-01-01"), as_of=datetime(2026, 3, 1))  # noqa: DTZ001


# Before a date, and after one


def test_renewal_reminders_come_before_the_end_of_a_term():
    term = Term(day("2026-01-01"), day("2027-01-01"), Money("1200", "EUR"))
    assert dates(RENEWAL.of_term(term)) == ["2026-10-03", "2026-11-02", "2026-12-02"]
    careful = Reminders([30, 90], days=WEEK)
    assert dates(careful.of_term(term)) == ["2026-10-02", "2026-12-02"]
    assert [touch.number for touch in careful.of_term(term)] == [1, 2]


def test_reminders_of_nothing_are_refused():
    for days in ([], [-1]):
        with pytest.raises(InvalidValueError, match="whole days before the end"):
            Reminders(days)
    with pytest.raises(WrongTypeError, match="'term' must be a Term"):
        RENEWAL.of_term(day("2026-01-01"))


def test_a_promise_is_followed_up_on_the_next_working_day():
    assert follow_up(day("2026-04-30"), days=WEEK) == Touch(day("2026-05-04"), "follow-up")
    assert str(follow_up(day("2026-05-01"), after_days=0, days=WEEK).on) == "2026-05-04"
    with pytest.raises(InvalidValueError, match="must not be negative"):
        follow_up(day("2026-05-01"), after_days=-1)


# Clocks


@pytest.mark.parametrize(
    ("on", "clock", "hour"),
    [
        ("2026-03-28", time(10), 9), ("2026-03-29", time(10), 8), ("2026-10-24", time(10), 8),
        ("2026-10-25", time(10), 9),
        ("2026-03-29", time(2, 30), 1),  # skipped: as much later, 03:30
        ("2026-10-25", time(2, 30), 0),  # twice: the first
    ],
)  # fmt: skip
def test_ten_oclock_stays_ten_oclock_when_the_clocks_change(on, clock, hour):
    found = Touch(day(on), "check-in").at(clock, BERLIN)
    assert (found.tzinfo, found.hour) == (UTC, hour)
    assert found == at_time(day(on), clock, BERLIN)


def test_a_time_with_a_zone_of_its_own_is_refused():
    for clock in (time(10, tzinfo=UTC), "10:00"):
        with pytest.raises(WrongTypeError, match="'clock' must be a time without a zone"):
            at_time(day("2026-03-28"), clock, BERLIN)


def test_dates_are_counted_from_one_day_on():
    assert stepped(day("2026-03-31"), Unit.MONTH, -1) == day("2026-02-28")
    assert stepped(day("2024-02-29"), "year", 4) == day("2028-02-29")
    assert stepped(day("2026-03-31"), Unit.QUARTER, 1) == day("2026-06-30")
    for number in (10**7, 10**400):
        with pytest.raises(InvalidValueError, match="beyond the years 1 to 9999"):
            stepped(day("2026-03-31"), Unit.DAY, number)


def test_touches_are_values():
    one = Touch(day("2026-03-01"), "attempt", "call", 2)
    check_value(one, Touch(day("2026-03-01"), "attempt", "call", 2), Touch(one.on, "attempt"))
    check_value(
        Recurrence("month"), Recurrence(Unit.MONTH), QUARTERLY_REVIEW, Recurrence("month", 2)
    )
    assert Roll("stay") is Roll.STAY
    assert timedelta(days=1) == day("2026-03-02") - day("2026-03-01")
