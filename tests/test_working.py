"""How much working time lies between two instants."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import check_door, check_value
from salespipeline.cadence import EVERY_DAY, WorkingDays
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.working import WorkingHours

OFFICE = WorkingHours(time(9), time(17))
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def march(day, hour=0, minute=0):
    """An instant of March 2026, which begins on a Sunday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_working_hours_are_a_value():
    def made(**other):
        return WorkingHours(**{"opens": time(9), "closes": time(17)} | other)

    holiday = WorkingDays(holidays=[date(2026, 3, 4)])
    check_value(made(), made(), made(opens=time(8)), made(zone=BERLIN), made(days=holiday))


@pytest.mark.parametrize(
    ("start", "end", "worked"),
    [
        (march(2, 10), march(2, 12), 2 * HOUR),
        (march(2, 7), march(2, 9, 30), HOUR / 2),
        (march(2, 16, 30), march(3, 9, 15), 0.75 * HOUR),
        (march(6, 16), march(9, 10), 2 * HOUR),  # from Friday to Monday
        (march(7, 10), march(8, 20), 0 * HOUR),  # a weekend
        (march(2), march(9), 40 * HOUR),
        (march(2, 20), march(3, 3), 0 * HOUR),
    ],
)
def test_nights_and_weekends_do_not_count(start, end, worked):
    assert OFFICE.between(start, end) == worked
    assert OFFICE.between(end, start) == -worked


def test_holidays_do_not_count():
    closed = WorkingHours(time(9), time(17), days=WorkingDays(holidays=[date(2026, 3, 3)]))
    assert closed.between(march(2, 16), march(4, 10)) == 2 * HOUR


def test_the_hours_are_by_the_clock_of_the_zone():
    berlin = WorkingHours(time(9), time(17), zone=BERLIN)
    assert berlin.between(march(2, 7), march(2, 9)) == HOUR  # it opens at 8 in UTC
    assert berlin.between(march(30, 6), march(30, 8)) == HOUR  # and in summer at 7


def test_a_working_day_is_as_long_when_the_clocks_change():
    night = WorkingHours(time(1), time(9), zone=BERLIN, days=EVERY_DAY)
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 5, 1)):
        start = datetime.combine(day, time(), BERLIN)
        end = datetime.combine(day + timedelta(days=1), time(), BERLIN)
        assert night.between(start, end) == night.length == 8 * HOUR


def test_a_day_that_ends_before_it_begins_is_refused():
    with pytest.raises(InvalidValueError, match="closes at 09:00:00, which is not after"):
        WorkingHours(time(9), time(9))


def test_each_part_is_checked():
    check_door(lambda value: WorkingHours(value, time(17)))
    check_door(lambda value: WorkingHours(time(9), value))
    check_door(lambda value: WorkingHours(time(9), time(17), zone=value))
    check_door(lambda value: WorkingHours(time(9), time(17), days=value))
    with pytest.raises(WrongTypeError, match="a time without a zone"):
        WorkingHours(time(9, tzinfo=UTC), time(17))
    check_door(lambda value: OFFICE.between(value, march(2)))
    check_door(lambda value: OFFICE.between(march(2), value))


moments = st.integers(0, 60 * 24 * 40).map(lambda minutes: march(25) + timedelta(minutes=minutes))
hours = st.tuples(st.integers(0, 22), st.integers(1, 23), st.sampled_from([UTC, BERLIN])).filter(
    lambda parts: parts[0] < parts[1]
)


@given(hours, moments, moments, moments)
def test_working_times_add_and_never_run_backwards(parts, one, two, three):
    opens, closes, zone = parts
    office = WorkingHours(time(opens), time(closes), zone)
    whole = office.between(one, two) + office.between(two, three)
    assert whole == office.between(one, three)
    if one <= two:
        assert timedelta() <= office.between(one, two) <= two - one + 2 * HOUR


@given(hours, moments, moments)
def test_working_time_is_a_plain_count_of_minutes(parts, one, two):
    opens, closes, _ = parts
    office = WorkingHours(time(opens), time(closes))
    start, end = sorted((one, two))
    end = min(end, start + timedelta(days=4))
    minutes = int((end - start) / timedelta(minutes=1))
    plain = sum(
        opens <= at.hour < closes and at.weekday() < 5
        for at in (start + timedelta(minutes=n) for n in range(minutes))
    )
    assert office.between(start, end) == timedelta(minutes=plain)
