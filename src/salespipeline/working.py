"""How much working time lies between two instants."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from attrs import field, frozen

from salespipeline._doors import instance
from salespipeline.cadence import WorkingDays
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.periods import at_time, check_zone, on, utc

_FIRST = date(2000, 1, 3)


def _clock(value: object) -> time:
    if not isinstance(value, time) or value.tzinfo is not None:
        raise WrongTypeError("clock", "a time without a zone", value)
    return time(value.hour, value.minute, value.second, value.microsecond)


def _days(value: object) -> WorkingDays:
    return instance(WorkingDays, value, "days")


@frozen
class WorkingHours:
    """From when to when people work, on which dates, by whose clock.

    Attributes:
        opens: When a working day begins, by the clock of the zone.
        closes: When it ends, later on the same day.
        zone: The zone of that clock.
        days: Which dates are working days; Monday to Friday if not given.

    Raises:
        InvalidValueError: It closes before it opens.

    >>> office = WorkingHours(time(9), time(17))
    >>> friday = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
    >>> print(office.between(friday, datetime(2026, 3, 9, 9, 15, tzinfo=UTC)))
    0:45:00
    """

    opens: time = field(converter=_clock)
    closes: time = field(converter=_clock)
    zone: tzinfo = field(default=UTC, converter=check_zone)
    days: WorkingDays = field(factory=WorkingDays, converter=_days)

    def __attrs_post_init__(self) -> None:
        """Refuse a day that ends before it begins."""
        if self.closes <= self.opens:
            fault = f"it closes at {self.closes}, which is not after it opens at {self.opens}"
            raise InvalidValueError("working hours", (fault,))

    @property
    def length(self) -> timedelta:
        """How long a working day is."""
        return datetime.combine(_FIRST, self.closes) - datetime.combine(_FIRST, self.opens)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from one instant to another; negative where the other is earlier.

        A working day counts its length from its opening on, whatever the clocks do: times add.

        Args:
            start: From when.
            end: Until when.

        Raises:
            SalesPipelineError: One is no instant, or has no date in the zone.
        """
        begins, until = utc(start, "start"), utc(end, "end")
        if until < begins:
            return -self.between(until, begins)
        first, last = on(begins, self.zone), on(until, self.zone)
        whole = self.days.between(first, last) * self.length
        return whole + self._so_far(until, last) - self._so_far(begins, first)

    def _so_far(self, at: datetime, day: date) -> timedelta:
        """How much of a date's working time has passed."""
        if day not in self.days:
            return timedelta()
        passed = at - at_time(day, self.opens, self.zone)
        return min(max(passed, timedelta()), self.length)
