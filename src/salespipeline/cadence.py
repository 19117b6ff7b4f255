"""Cadences: on which dates to get in touch, planned from a start.

A cadence is a value; asked with a start, it gives touches in order of dates. Dates are calendar
dates; `Touch.at` gives the instant at which a clock in a zone shows a time on that date, so that
ten o'clock stays ten o'clock when the clocks change.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, tzinfo
from enum import StrEnum
from itertools import dropwhile, takewhile
from typing import Any, cast

from attrs import field, frozen

from salespipeline._doors import choice, instance, instances, text, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import Term
from salespipeline.periods import Period, Unit, at_time, check_date, on, stepped, utc

_MOST_DAYS = 100_000
_LONGEST_STEP = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31, Unit.QUARTER: 92, Unit.YEAR: 366}


class Roll(StrEnum):
    """Where a date goes that is no working day."""

    STAY = "stay"
    FOLLOWING = "following"
    PRECEDING = "preceding"


def _weekend(value: object) -> frozenset[int]:
    days = frozenset(whole(day, "weekend") for day in instances(int, value, "weekend"))
    if not days < frozenset(range(7)):
        fault = f"must be days from 0, Monday, to 6, and leave one to work on (got {sorted(days)})"
        raise InvalidValueError("weekend", (fault,))
    return days


def _holidays(value: Any) -> frozenset[date]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise WrongTypeError("holidays", "several dates", value)
    return frozenset(check_date(day, "holidays") for day in cast("Iterable[object]", value))


@frozen
class WorkingDays:
    """Which dates are working days.

    Attributes:
        weekend: The days of the week that are none, Monday being 0; Saturday and Sunday if not
            given.
        holidays: The dates that are none beside.

    >>> may = WorkingDays(holidays=[date(2026, 5, 1)])
    >>> str(may.rolled(date(2026, 5, 1), Roll.FOLLOWING)), str(may.plus(date(2026, 4, 30), 1))
    ('2026-05-04', '2026-05-04')
    """

    weekend: frozenset[int] = field(default=frozenset({5, 6}), converter=_weekend)
    holidays: frozenset[date] = field(default=frozenset(), converter=_holidays)

    def __contains__(self, day: date) -> bool:
        """Whether a date is a working day."""
        return check_date(day, "day").weekday() not in self.weekend and day not in self.holidays

    def rolled(self, day: date, roll: Roll) -> date:
        """The date itself where it is a working day; else the next one, or the one before.

        Args:
            day: The date.
            roll: Where to look: ``stay`` leaves every date where it is.
        """
        way = choice(Roll, roll, "roll")
        found = check_date(day, "day")
        while way is not Roll.STAY and found not in self:
            found = stepped(found, Unit.DAY, 1 if way is Roll.FOLLOWING else -1)
        return found

    def plus(self, day: date, number: int) -> date:
        """The working day so many working days after a date; before it where negative.

        Args:
            day: The date; none after it gives the date itself.
            number: How many working days.
        """
        found, left = check_date(day, "day"), whole(number, "number")
        if abs(left) > _MOST_DAYS:
            raise InvalidValueError(
                "number", (f"must be at most {_MOST_DAYS:,} (got {brief(left)})",)
            )
        while left:
            found = stepped(found, Unit.DAY, 1 if left > 0 else -1)
            if found in self:
                left += -1 if left > 0 else 1
        return found

    def between(self, start: date, end: date) -> int:
        """How many working days lie from a date up to another, which is not counted."""
        days = (check_date(end, "end") - check_date(start, "start")).days
        weeks, rest = divmod(max(days, 0), 7)
        first = start.weekday()
        odd = sum((first + n) % 7 not in self.weekend for n in range(rest))
        off = sum(start <= day < end and day.weekday() not in self.weekend for day in self.holidays)
        return weeks * (7 - len(self.weekend)) + odd - off


EVERY_DAY = WorkingDays(weekend=())
"""Every date is a working day."""


@frozen
class Touch:
    """One planned time to get in touch.

    Attributes:
        on: The calendar date.
        what: What it is, such as ``attempt`` or ``quarterly review``.
        channel: By which channel, such as ``call``; empty where that is left open.
        number: Its number in the cadence, from 1.
    """

    on: date
    what: str
    channel: str = ""
    number: int = 1

    def at(self, clock: time, zone: tzinfo) -> datetime:
        """The instant at which a clock in a zone shows a time on that date."""
        return at_time(self.on, clock, zone)


class Cadence(ABC):
    """What gives touches from a start, in order of dates."""

    @abstractmethod
    def touches(self, start: date, *, since: date | None = None) -> Iterator[Touch]:
        """The touches from a start on, in order, which may never end.

        Args:
            start: The date that the cadence counts from.
            since: The date from which on they are wanted; all if not given.
        """

    def within(self, period: Period, *, start: date, zone: tzinfo = UTC) -> tuple[Touch, ...]:
        """The touches whose dates begin within a period.

        Args:
            period: The period; a date belongs to it where its midnight in the zone does.
            start: The date that the cadence counts from.
            zone: The zone whose dates they are.

        >>> march = Period.month(2026, 3)
        >>> [str(each.on) for each in ATTEMPTS.within(march, start=date(2026, 2, 27))]
        ['2026-03-01', '2026-03-05', '2026-03-12']
        """
        instance(Period, period, "period")
        first = _first_date(period.start, zone)
        end = _first_date(period.end, zone)
        found = self.touches(check_date(start, "start"), since=first)
        late = dropwhile(lambda touch: touch.on < first, found)
        return tuple(takewhile(lambda touch: touch.on < end, late))

    def next_due(self, *, start: date, after: date | None = None) -> Touch | None:
        """The first touch after a date.

        Args:
            start: The date that the cadence counts from.
            after: The date of the last touch that was made; None where none was.

        Returns:
            None where the cadence has ended by then.
        """
        done = None if after is None else check_date(after, "after")
        found = self.touches(check_date(start, "start"), since=done)
        return next((touch for touch in found if done is None or touch.on > done), None)

    def overdue(
        self, *, start: date, as_of: datetime, after: date | None = None, zone: tzinfo = UTC
    ) -> tuple[Touch, ...]:
        """The touches that should have been made and were not.

        Args:
            start: The date that the cadence counts from.
            as_of: The instant judged from; a touch of that day is not overdue yet.
            after: The date of the last touch that was made, which makes up for those before.
            zone: The zone whose dates they are.
        """
        today = on(utc(as_of, "as_of"), zone)
        done = None if after is None else check_date(after, "after")
        found = self.touches(check_date(start, "start"), since=done)
        late = (touch for touch in takewhile(lambda each: each.on < today, found))
        return tuple(touch for touch in late if done is None or touch.on > done)


def _first_date(at: datetime, zone: tzinfo) -> date:
    """The first date whose midnight is not before an instant."""
    day = on(at, zone)
    return day if at_time(day, time(), zone) >= at else stepped(day, Unit.DAY, 1)


def _what(value: object) -> str:
    return text(value, "what")


def _steps(value: Any) -> tuple[tuple[int, str], ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise WrongTypeError("steps", "several pairs of a day and a channel", value)
    steps: list[tuple[int, str]] = []
    for step in cast("Iterable[object]", value):
        pair = cast("tuple[object, ...]", step)
        if not isinstance(step, tuple) or len(pair) != 2:
            raise WrongTypeError("steps", "several pairs of a day and a channel", pair)
        steps.append((whole(pair[0], "day"), instance(str, pair[1], "channel")))
    return tuple(steps)


def _days(value: object) -> WorkingDays:
    return instance(WorkingDays, value, "days")


def _roll(value: object) -> Roll:
    return choice(Roll, value, "roll")


@frozen
class Attempts(Cadence):
    """Attempts on set days after a start, each by its channel.

    Attributes:
        steps: The day of each attempt, 1 being the start, with its channel; in order of days.
        what: What they are.
        days: Which dates are working days.
        counted: Whether the days counted are working days; else calendar days.
        roll: Where a date goes that is no working day.

    Raises:
        InvalidValueError: There is no attempt, a day is below 1, or a day comes before the last.
    """

    steps: tuple[tuple[int, str], ...] = field(converter=_steps)
    what: str = field(default="attempt", converter=_what)
    days: WorkingDays = field(default=EVERY_DAY, converter=_days)
    counted: bool = False
    roll: Roll = field(default=Roll.FOLLOWING, converter=_roll)

    def __attrs_post_init__(self) -> None:
        """Refuse a sequence of nothing, or one out of order."""
        numbers = [day for day, _ in self.steps]
        faults = [] if numbers else ["there is no attempt"]
        faults += [f"day {day} is before the start, day 1" for day in numbers if day < 1]
        if numbers != sorted(numbers):
            faults.append(f"the days {numbers} are not in order")
        if faults:
            raise InvalidValueError("attempts", tuple(faults))

    def touches(self, start: date, *, since: date | None = None) -> Iterator[Touch]:  # noqa: ARG002 - few enough
        """The attempts from a start on, in order."""
        begun = self.days.rolled(start, self.roll)
        for number, (day, channel) in enumerate(self.steps, 1):
            if self.counted:
                found = self.days.plus(begun, day - 1)
            else:
                found = self.days.rolled(stepped(start, Unit.DAY, day - 1), self.roll)
            yield Touch(found, self.what, channel, number)


def _unit(value: object) -> Unit:
    return choice(Unit, value, "unit")


def _every(value: object) -> int:
    number = whole(value, "every")
    if not 1 <= number <= 1000:
        raise InvalidValueError("every", (f"must be from 1 to 1,000 (got {number})",))
    return number


@frozen
class Recurrence(Cadence):
    """Touches that come again and again, such as a quarterly review; the first one step on.

    Attributes:
        unit: The calendar step.
        every: How many steps lie between two touches.
        what: What they are.
        channel: By which channel.
        days: Which dates are working days.
        roll: Where a date goes that is no working day.
    """

    unit: Unit = field(converter=_unit)
    every: int = field(default=1, converter=_every)
    what: str = field(default="check-in", converter=_what)
    channel: str = ""
    days: WorkingDays = field(default=EVERY_DAY, converter=_days)
    roll: Roll = field(default=Roll.FOLLOWING, converter=_roll)

    def touches(self, start: date, *, since: date | None = None) -> Iterator[Touch]:
        """The touches from a start on, for as long as there are dates."""
        number = self._first(start, since)
        while True:
            try:
                planned = stepped(start, self.unit, number * self.every)
                found = self.days.rolled(planned, self.roll)
            except InvalidValueError:  # the calendar has ended
                return
            yield Touch(found, self.what, self.channel, number)
            number += 1

    def _first(self, start: date, since: date | None) -> int:
        """A number from which on no touch since a date is left out."""
        if since is None:
            return 1
        slack = len(self.days.holidays) + 14
        step = _LONGEST_STEP[self.unit] * self.every
        return max(1, ((since - start).days - slack) // step)


def _before(value: object) -> tuple[int, ...]:
    days = instances(int, value, "days_before")
    if not days or any(whole(day, "days_before") < 0 for day in days):
        fault = f"must be whole days before the end, at least one of them (got {list(days)})"
        raise InvalidValueError("days_before", (fault,))
    return tuple(sorted(set(days), reverse=True))


@frozen
class Reminders(Cadence):
    """Touches before a date, such as the end of a term.

    Attributes:
        days_before: How many days before that date each comes, the earliest first.
        what: What they are.
        channel: By which channel.
        days: Which dates are working days.
        roll: Where a date goes that is no working day; to the one before if not given.
    """

    days_before: tuple[int, ...] = field(converter=_before)
    what: str = field(default="renewal reminder", converter=_what)
    channel: str = ""
    days: WorkingDays = field(default=EVERY_DAY, converter=_days)
    roll: Roll = field(default=Roll.PRECEDING, converter=_roll)

    def touches(self, start: date, *, since: date | None = None) -> Iterator[Touch]:  # noqa: ARG002 - few enough
        """The touches before a date, which is what this cadence counts from, in order."""
        for number, days in enumerate(self.days_before, 1):
            found = self.days.rolled(stepped(start, Unit.DAY, -days), self.roll)
            yield Touch(found, self.what, self.channel, number)

    def of_term(self, term: Term) -> tuple[Touch, ...]:
        """The touches before a term ends.

        >>> from salespipeline.money import Money
        >>> term = Term(date(2026, 1, 1), date(2027, 1, 1), Money("1200", "EUR"))
        >>> [str(each.on) for each in RENEWAL.of_term(term)]
        ['2026-10-03', '2026-11-02', '2026-12-02']
        """
        return tuple(self.touches(instance(Term, term, "term").end))


def follow_up(
    promised: date, *, after_days: int = 1, days: WorkingDays = EVERY_DAY, channel: str = ""
) -> Touch:
    """The touch that follows a date on which something was promised.

    Args:
        promised: The date.
        after_days: How many working days later.
        days: Which dates are working days.
        channel: By which channel.
    """
    later = whole(after_days, "after_days")
    if later < 0:
        raise InvalidValueError("after_days", (f"must not be negative (got {later})",))
    found = instance(WorkingDays, days, "days").plus(promised, later)
    return Touch(days.rolled(found, Roll.FOLLOWING), "follow-up", channel)


ATTEMPTS = Attempts(((1, "call"), (3, "email"), (7, "call"), (14, "email")))
"""Four attempts within two weeks, calls and e-mails in turn."""

MONTHLY_CHECK_IN = Recurrence(Unit.MONTH, what="monthly check-in")
"""A check-in a month."""

QUARTERLY_REVIEW = Recurrence(Unit.QUARTER, what="quarterly business review", channel="meeting")
"""A business review a quarter."""

RENEWAL = Reminders((90, 60, 30))
"""Reminders 90, 60 and 30 days before a term ends."""
