"""Instants in UTC, half-open periods, and calendar steps between them.

Every instant that enters the library is converted to UTC here: arithmetic between two datetimes
of one `ZoneInfo` compares wall clocks and is wrong across summer time.
A `zone` says in which calendar a day, week or month is counted; its default is UTC.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from enum import StrEnum
from typing import Self

from attrs import field, frozen

from salespipeline._doors import choice, whole
from salespipeline.errors import InvalidValueError, NaiveTimeError, WrongTypeError, brief


class Unit(StrEnum):
    """A calendar step."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_STEP = {
    Unit.DAY: {"days": 1},
    Unit.WEEK: {"weeks": 1},
    Unit.MONTH: {"months": 1},
    Unit.QUARTER: {"months": 3},
    Unit.YEAR: {"years": 1},
}

_MOST_STEPS = 4_000_000
_LARGEST = {"year": 9999, "quarter": 4, "month": 12, "first_month": 12}


def utc(value: object, name: str = "at") -> datetime:
    """The same instant as a plain `datetime` in UTC.

    Args:
        value: A datetime with a zone; subclasses such as a pandas ``Timestamp`` are read as
            instants, to the microsecond.
        name: What the value is, for the message.

    Raises:
        WrongTypeError: It is not a datetime (a `date` is a day, not an instant).
        NaiveTimeError: It has no zone.
        InvalidValueError: It lies outside the years 1 to 9999 once in UTC, or names no instant,
            as pandas' ``NaT``, which is a datetime, does not.

    >>> from datetime import timedelta, timezone
    >>> utc(datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    datetime.datetime(2026, 2, 28, 23, 0, tzinfo=datetime.timezone.utc)
    """
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    if not isinstance(value, datetime):
        raise WrongTypeError(name, "a datetime with a zone", value)
    try:
        moved = None if value.utcoffset() is None else value.astimezone(UTC)
    except OverflowError:
        fault = f"{brief(value)} lies outside the calendar in UTC"
        raise InvalidValueError(name, (fault,)) from None
    except Exception as why:  # noqa: BLE001 - a zone may be anyone's code
        fault = f"{brief(value)} names no instant: {brief(why)}"
        raise InvalidValueError(name, (fault,)) from None
    if moved is None:
        raise NaiveTimeError(name, value)
    return datetime.combine(_plain_date(moved), _plain_time(moved), UTC)


def _plain_date(value: datetime) -> date:
    return date(value.year, value.month, value.day)


def _plain_time(value: datetime) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond)


def check_zone(zone: object) -> tzinfo:
    """The zone itself.

    Raises:
        WrongTypeError: It is no `tzinfo`; a name must be given as ``ZoneInfo(name)``.
    """
    if not isinstance(zone, tzinfo):
        raise WrongTypeError("zone", "a tzinfo such as UTC or ZoneInfo('Europe/Berlin')", zone)
    return zone


def check_date(value: object, name: str) -> date:
    """The calendar date itself.

    Raises:
        WrongTypeError: It is no `date`, or a datetime, which is an instant.
    """
    if not isinstance(value, date) or isinstance(value, datetime):
        raise WrongTypeError(name, "a date without a time", value)
    return value


def on(at: datetime, zone: tzinfo = UTC) -> date:
    """The calendar date of an instant in a zone.

    Raises:
        SalesPipelineError: ``at`` is no instant, ``zone`` no zone, or that date lies outside the
            years 1 to 9999.

    >>> on(datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    datetime.date(2026, 12, 31)
    """
    if zone is UTC and type(at) is datetime and at.tzinfo is UTC:
        return at.date()
    instant, there = utc(at), check_zone(zone)
    try:
        return _plain_date(instant.astimezone(there))
    except Exception as why:  # noqa: BLE001 - a zone may be anyone's code
        fault = f"{instant.isoformat()} has no date in {brief(there)}: {brief(why)}"
        raise InvalidValueError("at", (fault,)) from None


def days_between(start: datetime, end: datetime, zone: tzinfo = UTC) -> int:
    """The days from one instant to another: the difference of their calendar dates in a zone.

    Negative where ``end`` is on an earlier date than ``start``; never clamped.
    Counting dates, not 24-hour spans, is unbiased for a mean and does not shift with summer time.

    >>> days_between(datetime(2026, 1, 1, 23, tzinfo=UTC), datetime(2026, 1, 2, 1, tzinfo=UTC))
    1
    """
    return on(end, zone).toordinal() - on(start, zone).toordinal()


def midnight(day: date, zone: tzinfo = UTC) -> datetime:
    """The instant, in UTC, at which a calendar date begins in a zone.

    Raises:
        WrongTypeError: ``day`` is no date, or ``zone`` no zone.
        InvalidValueError: That instant lies outside the calendar in UTC.
    """
    naive = datetime.combine(check_date(day, "day"), time())
    return utc(naive.replace(tzinfo=check_zone(zone)), "day")


def _start(value: object) -> datetime:
    return utc(value, "start")


def _end(value: object) -> datetime:
    return utc(value, "end")


@frozen
class Period:
    """A stretch of time from ``start`` up to, and without, ``end``.

    Periods that follow each other share an instant and no moment, so counts over them add.

    Args:
        start: The first instant in it.
        end: The first instant after it; later than ``start``.

    Raises:
        InvalidValueError: ``end`` is not after ``start``.

    >>> Period.month(2026, 2).days()
    28
    >>> Period.quarter(2026, 1, first_month=4).start.date()
    datetime.date(2026, 4, 1)
    """

    start: datetime = field(converter=_start)
    end: datetime = field(converter=_end)

    def __attrs_post_init__(self) -> None:
        """Refuse a period without any moment in it."""
        if self.end <= self.start:
            fault = f"the end {self.end.isoformat()} is not after {self.start.isoformat()}"
            raise InvalidValueError("period", (fault,))

    @classmethod
    def between(cls, start: date, end: date, *, zone: tzinfo = UTC) -> Self:
        """From the beginning of one calendar date to the beginning of another."""
        return cls(midnight(start, zone), midnight(end, zone))

    @classmethod
    def day(cls, day: date, *, zone: tzinfo = UTC) -> Self:
        """One calendar date; 23 or 25 hours long when the clocks change."""
        return cls._from(check_date(day, "day"), Unit.DAY, zone)

    @classmethod
    def week(cls, year: int, week: int, *, zone: tzinfo = UTC) -> Self:
        """A week of ISO 8601: from Monday; week 1 holds the year's first Thursday."""
        _check_parts(year=year)
        try:
            monday = date.fromisocalendar(year, whole(week, "week"), 1)
        except (ValueError, OverflowError):
            fault = f"the year {year} has no ISO week {brief(week)}"
            raise InvalidValueError("period", (fault,)) from None
        return cls._from(monday, Unit.WEEK, zone)

    @classmethod
    def month(cls, year: int, month: int, *, zone: tzinfo = UTC) -> Self:
        """A calendar month."""
        _check_parts(year=year, month=month)
        return cls._from(date(year, month, 1), Unit.MONTH, zone)

    @classmethod
    def quarter(cls, year: int, quarter: int, *, first_month: int = 1, zone: tzinfo = UTC) -> Self:
        """A quarter of a year that begins with ``first_month``.

        Args:
            year: The calendar year in which the year begins.
            quarter: 1 to 4.
            first_month: 1 for calendar years, 4 for a fiscal year from April.
            zone: The zone whose calendar counts.
        """
        _check_parts(year=year, quarter=quarter, first_month=first_month)
        start = _moved(date(year, first_month, 1), months=3 * (quarter - 1))
        return cls._from(start, Unit.QUARTER, zone)

    @classmethod
    def year(cls, year: int, *, first_month: int = 1, zone: tzinfo = UTC) -> Self:
        """A year that begins with ``first_month`` of the calendar year ``year``."""
        _check_parts(year=year, first_month=first_month)
        return cls._from(date(year, first_month, 1), Unit.YEAR, zone)

    @classmethod
    def containing(
        cls, at: datetime, unit: Unit, *, first_month: int = 1, zone: tzinfo = UTC
    ) -> Self:
        """The calendar step that an instant lies in.

        Args:
            at: The instant.
            unit: Day, week (from Monday), month, quarter or year.
            first_month: The month that years, and so quarters, begin with.
            zone: The zone whose calendar counts.
        """
        unit = choice(Unit, unit, "unit")
        _check_parts(first_month=first_month)
        return cls._from(_floor(on(utc(at), zone), unit, first_month), unit, zone)

    @classmethod
    def _from(cls, start: date, unit: Unit, zone: tzinfo) -> Self:
        return cls.between(start, _moved(start, **_STEP[unit]), zone=zone)

    def __contains__(self, at: datetime) -> bool:
        """Whether an instant lies in the period."""
        return self.start <= utc(at) < self.end

    def days(self, zone: tzinfo = UTC) -> int:
        """The calendar days from its start to its end in a zone."""
        return days_between(self.start, self.end, zone)

    def preceding(self, zone: tzinfo = UTC) -> Self:
        """The period just before it that is as long: what a figure compares with fairly.

        From midnight to midnight in the zone it is as many dates, whatever the clocks do;
        otherwise as much elapsed time. It is not the calendar step before: before March come the
        31 days that end with February.

        Raises:
            InvalidValueError: It reaches beyond the years 1 to 9999.

        >>> before = Period.month(2026, 3).preceding()
        >>> before.start.date(), before.days()
        (datetime.date(2026, 1, 29), 31)
        """
        first, end = on(self.start, zone), on(self.end, zone)
        if first < end and self == type(self).between(first, end, zone=zone):
            return type(self).between(_moved(first, days=(first - end).days), first, zone=zone)
        try:
            return type(self)(self.start - (self.end - self.start), self.start)
        except OverflowError:
            fault = f"it reaches from {self.start.isoformat()} beyond the years 1 to 9999"
            raise InvalidValueError("period", (fault,)) from None

    def steps(self, unit: Unit, *, first_month: int = 1, zone: tzinfo = UTC) -> Iterator[Self]:
        """The whole calendar steps that touch the period, in order.

        The first and the last may reach beyond it: a month is always a whole month.

        >>> quarter = Period.quarter(2026, 1)
        >>> [month.days() for month in quarter.steps(Unit.MONTH)]
        [31, 28, 31]
        """
        step = self.containing(self.start, unit, first_month=first_month, zone=zone)
        while step.start < self.end:
            yield step
            step = self._from(on(step.end, zone), choice(Unit, unit, "unit"), zone)


def stepped(day: date, unit: Unit, number: int) -> date:
    """The date so many calendar steps after a day, before it where the number is negative.

    A month later is the same day of the next month, or its last where it has no such day; so
    count from one day on, never from step to step.

    Args:
        day: The date to count from.
        unit: Day, week, month, quarter or year.
        number: How many steps.

    Raises:
        InvalidValueError: That is beyond the years 1 to 9999.

    >>> [str(stepped(date(2026, 1, 31), Unit.MONTH, n)) for n in (1, 2)]
    ['2026-02-28', '2026-03-31']
    """
    steps = whole(number, "number")
    if abs(steps) > _MOST_STEPS:
        raise InvalidValueError("date", (f"{brief(steps)} steps are beyond the years 1 to 9999",))
    [(name, size)] = _STEP[choice(Unit, unit, "unit")].items()
    return _moved(check_date(day, "day"), **{name: size * steps})


def at_time(day: date, clock: time, zone: tzinfo) -> datetime:
    """The instant at which a clock in a zone shows a time on a date.

    A time that the clocks skip is as much later; of a time that they show twice it is the first.

    Args:
        day: The date there.
        clock: The time there, without a zone of its own.
        zone: The zone.

    >>> from zoneinfo import ZoneInfo
    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> [at_time(date(2026, 3, d), time(10), berlin).hour for d in (28, 29)]
    [9, 8]
    """
    if not isinstance(clock, time) or clock.tzinfo is not None:
        raise WrongTypeError("clock", "a time without a zone", clock)
    plain = clock.replace(fold=0)
    return utc(datetime.combine(check_date(day, "day"), plain, check_zone(zone)))


def _check_parts(**parts: object) -> None:
    """Refuse what no calendar has, naming every part that is wrong."""
    faults = tuple(
        f"the {name} {brief(value)} is not from 1 to {_LARGEST[name]}"
        for name, value in parts.items()
        if not 1 <= whole(value, name) <= _LARGEST[name]
    )
    if faults:
        raise InvalidValueError("period", faults)


def _moved(day: date, **step: int) -> date:
    """The date so many days, weeks, months or years later."""
    from dateutil.relativedelta import relativedelta  # noqa: PLC0415 - it takes long to import

    try:
        return day + relativedelta(**step)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        fault = f"it reaches from {day} beyond the years 1 to 9999"
        raise InvalidValueError("period", (fault,)) from None


def _floor(day: date, unit: Unit, first_month: int) -> date:
    """The date on which the calendar step that holds ``day`` begins."""
    if unit is Unit.DAY:
        return day
    if unit is Unit.WEEK:
        return _moved(day, days=-day.weekday())
    months = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}[unit]
    return _moved(day.replace(day=1), months=-((day.month - first_month) % months))
