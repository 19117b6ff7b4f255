from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import (
    InvalidValueError,
    NaiveTimeError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.periods import (
    Period,
    Unit,
    check_date,
    check_zone,
    days_between,
    midnight,
    on,
    utc,
)

BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
APIA = ZoneInfo("Pacific/Apia")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAWN = datetime(1, 1, 1, tzinfo=UTC)
DOOM = datetime(9999, 12, 31, 23, tzinfo=UTC)


def is_seven(value):
    return type(value) is int and value == 7


class BrokenZone(tzinfo):
    """A zone that forgets to say its offset."""


class SlyZone(tzinfo):
    """A zone that knows offsets and cannot convert."""

    def utcoffset(self, _when):
        return timedelta()

    def fromutc(self, _when):
        raise RuntimeError("no table")


# Instants


def test_an_instant_comes_back_in_utc():
    moved = utc(datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=BERLIN))
    assert moved == datetime(2026, 7, 1, 10, 30, 15, 123456, tzinfo=UTC)
    assert moved.tzinfo is UTC


def test_an_instant_that_is_in_utc_already_is_not_copied():
    assert utc(NEW_YEAR) is NEW_YEAR


def test_a_timestamp_of_pandas_becomes_a_plain_datetime_cut_to_the_microsecond():
    pandas = pytest.importorskip("pandas", reason="the value is a real Timestamp")
    read = utc(pandas.Timestamp("2026-03-01T12:00:00.123456789+02:00"))
    assert type(read) is datetime
    assert read == datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)


def test_a_missing_time_of_pandas_names_no_instant():
    pandas = pytest.importorskip("pandas", reason="the value is a real NaT")
    with pytest.raises(InvalidValueError, match=r"^at: NaT names no instant"):
        utc(pandas.NaT)


def test_a_naive_datetime_is_refused_by_name():
    with pytest.raises(NaiveTimeError, match="'closed_at' must be a datetime with a zone"):
        utc(datetime(2026, 1, 1), "closed_at")  # noqa: DTZ001 - that is the point


def test_a_date_is_a_day_and_no_instant():
    with pytest.raises(WrongTypeError, match=r"'at' must be a datetime with a zone \(got datetime"):
        utc(date(2026, 1, 1))


def test_an_instant_before_the_calendar_in_utc_is_refused():
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    with pytest.raises(InvalidValueError, match="lies outside the calendar in UTC"):
        utc(early)


def test_a_zone_that_gives_no_offset_gives_no_instant():
    with pytest.raises(InvalidValueError, match="names no instant: NotImplementedError"):
        utc(datetime(2026, 1, 1, tzinfo=BrokenZone()))


def test_whatever_is_no_datetime_is_refused():
    check_door(utc)


# Zones and dates


def test_a_zone_is_a_tzinfo_and_not_its_name():
    assert check_zone(BERLIN) is BERLIN
    with pytest.raises(WrongTypeError, match=r"'zone' must be a tzinfo .* \(got 'Europe/Berlin'\)"):
        check_zone("Europe/Berlin")


def test_whatever_is_no_zone_is_refused():
    check_door(check_zone)
    check_door(lambda zone: on(NEW_YEAR, zone))
    check_door(lambda zone: midnight(date(2026, 1, 1), zone))


def test_a_date_has_no_time():
    assert check_date(date(2026, 1, 1), "on") == date(2026, 1, 1)
    with pytest.raises(WrongTypeError, match="'on' must be a date without a time"):
        check_date(NEW_YEAR, "on")


def test_whatever_is_no_date_is_refused():
    check_door(lambda value: check_date(value, "on"))


def test_the_date_of_an_instant_depends_on_the_zone():
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert on(late) == date(2026, 12, 31)
    assert on(late, BERLIN) == date(2027, 1, 1)
    assert on(late, SAO_PAULO) == date(2026, 12, 31)
    assert on(late.astimezone(BERLIN)) == date(2026, 12, 31)


def test_an_instant_whose_date_lies_beyond_the_calendar_is_refused():
    with pytest.raises(InvalidValueError, match=r"9999-12-31T23:00:00\+00:00 has no date in"):
        on(DOOM, BERLIN)
    with pytest.raises(InvalidValueError, match="has no date in"):
        on(DAWN, SAO_PAULO)


def test_a_zone_that_cannot_convert_gives_no_date():
    with pytest.raises(InvalidValueError, match=r"has no date in .*: RuntimeError"):
        on(NEW_YEAR, SlyZone())


def test_whatever_is_no_instant_has_no_date():
    check_door(on)


def test_two_minutes_over_midnight_are_a_day_and_a_long_day_is_none():
    before = datetime(2026, 1, 1, 23, 59, tzinfo=UTC)
    assert days_between(before, before + timedelta(minutes=2)) == 1
    assert days_between(NEW_YEAR, before) == 0


def test_days_backward_are_negative():
    assert days_between(datetime(2026, 3, 1, tzinfo=UTC), NEW_YEAR) == -59


def test_days_are_counted_in_the_calendar_of_the_zone():
    start, end = datetime(2026, 1, 1, 22, tzinfo=UTC), datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    assert days_between(start, end) == 0
    assert days_between(start, end, BERLIN) == 1


def test_a_leap_year_has_a_day_more():
    leaps = {year: Period.year(year).days() for year in (1900, 2000, 2023, 2024, 2100)}
    assert leaps == {1900: 365, 2000: 366, 2023: 365, 2024: 366, 2100: 365}


# Midnight where clocks change


def test_midnight_is_the_instant_at_which_the_date_begins():
    assert midnight(date(2026, 7, 1), BERLIN) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert midnight(date(2026, 1, 1)) == NEW_YEAR


def test_a_day_begins_when_the_clocks_skip_midnight():
    # In Brazil the clocks went from 00:00 to 01:00 on 4 November 2018.
    start = midnight(date(2018, 11, 4), SAO_PAULO)
    assert start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert on(start, SAO_PAULO) == date(2018, 11, 4)
    assert on(start - timedelta(microseconds=1), SAO_PAULO) == date(2018, 11, 3)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 28), BERLIN, 24),
        (date(2026, 3, 29), BERLIN, 23),
        (date(2026, 10, 25), BERLIN, 25),
        (date(2018, 11, 4), SAO_PAULO, 23),
        (date(2019, 2, 16), SAO_PAULO, 25),
        (date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe"), 24.5),
    ],
)
def test_a_day_is_shorter_or_longer_when_the_clocks_change(day, zone, hours):
    period = Period.day(day, zone=zone)
    assert period.end - period.start == timedelta(hours=hours)
    assert period.days(zone) == 1


def test_a_day_that_a_country_left_out_is_no_period():
    # Samoa went from 29 to 31 December 2011.
    with pytest.raises(InvalidValueError, match="is not after"):
        Period.day(date(2011, 12, 30), zone=APIA)
    december = Period.month(2011, 12, zone=APIA)
    dates = [on(day.start, APIA).day for day in december.steps(Unit.DAY, zone=APIA)]
    assert dates == [*range(1, 30), 31]


def test_midnight_beyond_the_calendar_is_refused():
    with pytest.raises(InvalidValueError, match=r"^day: .* lies outside the calendar in UTC"):
        midnight(date(1, 1, 1), BERLIN)


# Periods


def test_a_period_is_a_value():
    check_value(
        Period(NEW_YEAR, datetime(2026, 2, 1, tzinfo=UTC)),
        Period.month(2026, 1),
        Period.month(2026, 2),
        Period.month(2026, 1, zone=BERLIN),
        Period.quarter(2026, 1),
    )


def test_a_period_holds_its_start_and_not_its_end():
    month = Period.month(2026, 2)
    assert month.start in month
    assert month.end not in month
    assert month.end - timedelta(microseconds=1) in month
    assert month.start - timedelta(microseconds=1) not in month


def test_a_period_keeps_its_ends_in_utc():
    start = datetime(2026, 7, 1, tzinfo=BERLIN)
    period = Period(start, start + timedelta(days=1))
    assert period.start.tzinfo is UTC
    assert period.start == datetime(2026, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize("length", [timedelta(), timedelta(microseconds=-1)])
def test_a_period_without_a_moment_in_it_is_refused(length):
    with pytest.raises(InvalidValueError, match=r"^period: the end .* is not after 2026-01-01"):
        Period(NEW_YEAR, NEW_YEAR + length)


def test_a_naive_end_is_refused_by_its_own_name():
    with pytest.raises(NaiveTimeError, match="'end' must be"):
        Period(NEW_YEAR, datetime(2026, 2, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(NaiveTimeError, match="'start' must be"):
        Period(datetime(2026, 2, 1), NEW_YEAR)  # noqa: DTZ001 - that is the point


def test_between_takes_the_beginnings_of_two_dates():
    january = Period.between(date(2026, 1, 1), date(2026, 2, 1), zone=BERLIN)
    assert january == Period.month(2026, 1, zone=BERLIN)


@pytest.mark.parametrize(
    ("year", "week", "monday"),
    [
        # The table of example dates in Wikipedia's article on the ISO week date.
        (2004, 53, date(2004, 12, 27)),
        (2005, 1, date(2005, 1, 3)),
        (2008, 1, date(2007, 12, 31)),
        (2009, 1, date(2008, 12, 29)),
        (2009, 53, date(2009, 12, 28)),
        (2020, 53, date(2020, 12, 28)),
    ],
)
def test_a_week_of_iso_8601_begins_on_its_monday(year, week, monday):
    period = Period.week(year, week)
    assert on(period.start) == monday
    assert period.days() == 7


def test_a_year_of_fifty_two_weeks_has_no_fifty_third():
    with pytest.raises(InvalidValueError, match=r"^period: the year 2021 has no ISO week 53$"):
        Period.week(2021, 53)
    with pytest.raises(InvalidValueError, match="the year 2021 has no ISO week 0"):
        Period.week(2021, 0)


def test_a_fiscal_quarter_counts_from_the_first_month():
    assert Period.quarter(2026, 1, first_month=4) == Period.quarter(2026, 2)
    assert Period.quarter(2026, 4, first_month=4) == Period.quarter(2027, 1)
    assert Period.quarter(2026, 2, first_month=11).start == datetime(2027, 2, 1, tzinfo=UTC)


def test_a_fiscal_year_counts_from_the_first_month():
    year = Period.year(2026, first_month=4)
    assert (on(year.start), on(year.end)) == (date(2026, 4, 1), date(2027, 4, 1))


def test_every_wrong_part_of_a_quarter_is_named():
    expected = (
        "^period: the year 0 is not from 1 to 9999; the quarter 5 is not from 1 to 4; "
        "the first_month 13 is not from 1 to 12$"
    )
    with pytest.raises(InvalidValueError, match=expected):
        Period.quarter(0, 5, first_month=13)


@pytest.mark.parametrize("last", [Period.year, lambda year: Period.month(year, 12)])
def test_the_last_step_of_the_calendar_has_no_end(last):
    with pytest.raises(InvalidValueError, match="beyond the years 1 to 9999"):
        last(9999)


def test_a_fiscal_quarter_beyond_the_calendar_is_refused():
    with pytest.raises(InvalidValueError, match="beyond the years 1 to 9999"):
        Period.quarter(9999, 4, first_month=12)


def test_whatever_is_no_year_month_week_or_quarter_is_refused():
    check_door(Period.year, takes=is_seven)
    check_door(lambda value: Period.month(value, 1), takes=is_seven)
    check_door(lambda value: Period.month(2026, value), takes=is_seven)
    check_door(lambda value: Period.week(value, 1), takes=is_seven)
    check_door(lambda value: Period.week(2026, value), takes=is_seven)
    check_door(lambda value: Period.quarter(2026, value))
    check_door(lambda value: Period.quarter(2026, 1, first_month=value), takes=is_seven)
    check_door(
        lambda value: Period.containing(NEW_YEAR, Unit.DAY, first_month=value), takes=is_seven
    )


def test_whatever_is_no_day_or_instant_makes_no_period():
    check_door(Period.day)
    check_door(lambda value: Period(value, NEW_YEAR))
    check_door(lambda value: Period(NEW_YEAR, value))
    check_door(lambda value: Period.between(value, date(2026, 1, 1)))
    check_door(lambda value: value in Period.month(2026, 1))


# The step that an instant lies in


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (Unit.DAY, Period.day(date(2026, 2, 19))),
        (Unit.WEEK, Period.week(2026, 8)),
        (Unit.MONTH, Period.month(2026, 2)),
        (Unit.QUARTER, Period.quarter(2026, 1)),
        (Unit.YEAR, Period.year(2026)),
    ],
)
def test_an_instant_lies_in_one_step_of_each_unit(unit, expected):
    at = datetime(2026, 2, 19, 12, tzinfo=UTC)
    assert Period.containing(at, unit) == expected
    assert Period.containing(at, unit.value) == expected


def test_an_instant_lies_in_the_fiscal_year_that_began_last():
    at = datetime(2026, 2, 19, tzinfo=UTC)
    year = Period.containing(at, Unit.YEAR, first_month=4)
    assert year == Period.year(2025, first_month=4)
    quarter = Period.containing(at, Unit.QUARTER, first_month=2)
    assert quarter == Period.quarter(2026, 1, first_month=2)


def test_the_month_of_an_instant_depends_on_the_zone():
    at = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    assert Period.containing(at, Unit.MONTH) == Period.month(2026, 1)
    assert Period.containing(at, Unit.MONTH, zone=BERLIN) == Period.month(2026, 2, zone=BERLIN)


def test_a_fiscal_year_that_began_before_the_calendar_is_refused():
    with pytest.raises(InvalidValueError, match="beyond the years 1 to 9999"):
        Period.containing(datetime(1, 2, 1, tzinfo=UTC), Unit.YEAR, first_month=4)


def test_an_unknown_unit_is_refused_with_the_units_there_are():
    expected = "unknown unit: 'fortnight'; known: 'day', 'week', 'month', 'quarter', 'year'"
    with pytest.raises(UnknownKeyError, match=expected):
        Period.containing(NEW_YEAR, "fortnight")


# Steps


def test_a_year_falls_into_its_quarters():
    steps = list(Period.year(2026).steps(Unit.QUARTER))
    assert steps == [Period.quarter(2026, quarter) for quarter in (1, 2, 3, 4)]


def test_the_steps_of_a_part_of_a_month_are_whole_months():
    part = Period.between(date(2026, 1, 15), date(2026, 2, 2))
    assert list(part.steps(Unit.MONTH)) == [Period.month(2026, 1), Period.month(2026, 2)]


def test_a_period_that_ends_where_a_step_begins_does_not_touch_that_step():
    part = Period.between(date(2026, 1, 15), date(2026, 2, 1))
    assert list(part.steps("month")) == [Period.month(2026, 1)]


def test_fiscal_years_step_from_the_first_month():
    steps = Period.between(date(2026, 3, 1), date(2026, 5, 1)).steps(Unit.YEAR, first_month=4)
    assert list(steps) == [Period.year(2025, first_month=4), Period.year(2026, first_month=4)]


def test_steps_in_a_zone_begin_at_its_midnights():
    march = Period.month(2026, 3, zone=BERLIN)
    lengths = [day.end - day.start for day in march.steps(Unit.DAY, zone=BERLIN)]
    assert len(lengths) == 31
    assert [n for n, length in enumerate(lengths, 1) if length != timedelta(hours=24)] == [29]


def test_steps_at_the_end_of_the_calendar_stop_with_an_error_of_ours():
    last = Period(DOOM, DOOM + timedelta(minutes=1))
    with pytest.raises(SalesPipelineError, match="beyond the years 1 to 9999"):
        list(last.steps(Unit.DAY))


def test_a_strange_unit_of_steps_is_refused():
    check_door(lambda unit: list(Period.month(2026, 1).steps(unit)))


# The period before


def test_the_period_before_a_month_has_as_many_days_and_is_not_the_month_before():
    """Frappe compares a month of 31 days with 30 before it; neither do months compare."""
    march = Period.month(2026, 3)
    assert march.preceding() == Period.between(date(2026, 1, 29), date(2026, 3, 1))
    assert march.preceding().days() == march.days() == 31
    assert Period.month(2026, 2).days() == 28


def test_the_period_before_is_of_dates_in_the_zone_whatever_the_clocks_do():
    berlin = ZoneInfo("Europe/Berlin")
    week = Period.between(date(2026, 3, 30), date(2026, 4, 6), zone=berlin)
    before = week.preceding(berlin)  # the clocks went forward on 29 March
    assert before == Period.between(date(2026, 3, 23), date(2026, 3, 30), zone=berlin)
    assert before.end - before.start == timedelta(days=7) - timedelta(hours=1)
    assert week.preceding().end - week.preceding().start == timedelta(days=7)


def test_the_period_before_a_stretch_of_time_takes_as_much_time():
    morning = Period(datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert morning.preceding() == Period(datetime(2026, 3, 1, tzinfo=UTC), morning.start)
    odd = Period(datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
    assert odd.preceding().start == datetime(2026, 2, 27, 12, tzinfo=UTC)


def test_the_period_before_lies_within_the_calendar():
    for end in (datetime(1, 1, 9, tzinfo=UTC), datetime(1, 1, 9, 1, tzinfo=UTC)):
        with pytest.raises(InvalidValueError, match="beyond the years 1 to 9999"):
            Period(datetime(1, 1, 3, tzinfo=UTC), end).preceding()
    check_door(Period.month(2026, 3).preceding)
