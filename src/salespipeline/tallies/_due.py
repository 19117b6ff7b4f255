"""What became of the dates on which deals were expected to close."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from salespipeline._courses import Course, course
from salespipeline._doors import choice, instances, whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import (
    CloseDateChanged,
    Deleted,
    Event,
    Lost,
    Merged,
    Opened,
    Reopened,
    Start,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.periods import Period, check_zone, midnight, on, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Known,
    Tally,
    grouping,
    measure,
    several,
    stepper,
    stranger,
    table,
    tell,
)

_MOMENT = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_MOST_DAYS = 36_525


class Ended(StrEnum):
    """What became, by the end of a period, of a deal that was due in it.

    Attributes:
        WON: It was won.
        LOST: It was lost.
        SLIPPED: It is open, and expected after the period.
        STILL_DUE: It is open, and expected in the period, or before it.
        UNDATED: It is open, and expected on no date.
        GONE: It was deleted, or voided as a mistake.
    """

    WON = "won"
    LOST = "lost"
    SLIPPED = "slipped"
    STILL_DUE = "still_due"
    UNDATED = "undated"
    GONE = "gone"


class Expected(StrEnum):
    """Which expectation a closing is held beside.

    Attributes:
        OPENING: The date that the deal was opened with.
        PERIOD_START: The date that stood when the period began.
        BEFORE_CLOSING: The date that stood so many days before the closing.
    """

    OPENING = "opening"
    PERIOD_START = "period_start"
    BEFORE_CLOSING = "before_closing"


class NoDate(StrEnum):
    """Why a closing has no expectation beside it.

    Attributes:
        UNDATED: The deal was expected on no date then.
        OPENED_LATER: It was not there then, or not open.
        START_UNKNOWN: It is only known to have been opened by some time.
    """

    UNDATED = "undated"
    OPENED_LATER = "opened_later"
    START_UNKNOWN = "start_unknown"


class Due(NamedTuple):
    """A row of `due`: deals open in a period, alike in what became of their expected dates.

    Attributes:
        group: The value of what they are grouped by, when the period began or, if later, at the
            opening; None without a grouping.
        period: The number of the period.
        ended: What became of those due in the period; None for deals that were not due in it.
        outcome: How they stand at its end, or at the instant if earlier; None where gone.
        later: How often the date was moved to a later day while the deal was open.
        later_month: How often to a later calendar month.
        later_quarter: How often to a later quarter.
        earlier: How often to an earlier day.
        open_days: How many days of the period they were open; None where an instant lies before
            the one that it follows, and where gone.
        error: The date of the closing in the period less the expected one, in days; None where
            nothing closed, and where there is no such date.
        why: Why a closing has no expected date, or None.
        currency: The currency of their amount when the group was read, or None without one.
    """

    group: Hashable
    period: int
    ended: Ended | None
    outcome: Outcome | None
    later: int
    later_month: int
    later_quarter: int
    earlier: int
    open_days: int | None
    error: int | None
    why: NoDate | None
    currency: str | None


Beside: TypeAlias = tuple[Expected, int | None]
"""The expectation that a closing is held beside, with its days before the closing."""

Length: TypeAlias = Callable[[datetime, datetime], int]
"""How to count the days between two instants."""


class _Asked(NamedTuple):
    """What is asked of every deal.

    Attributes:
        group: How to read its group, or None.
        beside: The expectation that a closing is held beside.
        quarters: How many months into a calendar year its own years begin.
        zone: The zone whose calendar dates count.
        length: How to count the days between two instants.
    """

    group: Callable[[Course, Event], Hashable] | None
    beside: Beside
    quarters: int
    zone: tzinfo
    length: Length


class _Window(NamedTuple):
    """A period as deals are counted in it.

    Attributes:
        start: The instant it begins.
        before: The last moment before it.
        last: Its last moment that is known of.
        cut: The end of it, or the instant judged from if earlier.
        first_day: The ordinal of its first date.
        end_day: The ordinal of the first date after it.
    """

    start: datetime
    before: datetime
    last: datetime
    cut: datetime
    first_day: int
    end_day: int


def from_month(first_month: object) -> int:
    """How many months into a calendar year its own years begin."""
    if not 1 <= whole(first_month, "first_month") <= 12:
        fault = f"{brief(first_month)} is not from 1 to 12"
        raise InvalidValueError("first_month", (fault,))
    return whole(first_month, "first_month") - 1


@asks(first_month=from_month, expected_at=Expected)
def due(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    periods: Iterable[Period],
    by: str | None = None,
    expected_at: Expected | str = Expected.PERIOD_START,
    days_before: int | None = None,
    first_month: int = 1,
    zone: tzinfo = UTC,
) -> Tally[Due]:
    """Count deals open in periods by what became of their expected closing dates.

    A deal is due in a period that holds the date on which it was expected to close as known just
    before the period began, when it was open. What became of it is by the period's end, or by the
    instant if that is earlier, as known at the instant; a deal that is deleted later was due all
    the same. A date belongs to the period in which it begins in the zone. A date written at the
    very instant of a closing, or while the deal is closed, is no move: systems write the closing
    itself there.

    Args:
        deals: The histories of deals; one that was not open in a period has no row for it.
        as_of: The instant to judge from; no period begins after it.
        periods: Periods that do not overlap, in order.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was just before
            the period, or, for a deal opened in it, at the opening.
        expected_at: Which expectation closings are held beside.
        days_before: How many days before the closing, for that expectation only.
        first_month: The month that years, and so quarters, begin with.
        zone: The zone whose calendar dates make days.

    Raises:
        InvalidValueError: There is no period, one begins after the instant, or the days before
            the closing are missing, needless or absurd.
    """
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    asked = _Asked(
        grouping(by), _beside(expected_at, days_before), from_month(first_month), zone,
        measure(zone, None),
    )  # fmt: skip
    windows = _windows(steps, at, zone)
    counts: dict[Any, list[int]] = {}
    for deal in several(deals, DealHistory):
        if type(deal) is not DealHistory:
            raise stranger(DealHistory, deal)
        settled, whole = deal.settled_at, deal.whole_course
        for number, window in enumerate(windows):
            if settled <= window.before and whole.closing is not None:
                continue
            if settled <= at and whole.known[0].at > window.last:
                continue
            _count(deal, number, window, at, asked, counts)
    (expected, before), first = asked.beside, asked.quarters + 1
    settings = (("expected_at", expected), ("days_before", before), ("first_month", first))
    return Tally("due", at, table(counts, Due), steps, None, zone, by, None, settings)


def _count(
    deal: DealHistory,
    number: int,
    window: _Window,
    at: datetime,
    asked: _Asked,
    counts: dict[Any, list[int]],
) -> None:
    """Count a deal in a window, if it was open in it."""
    begins, ends = _around(deal, at, window)
    was_open = begins is not None and begins.outcome is Outcome.OPEN
    first = begins if was_open else _came_in(ends, window.start)
    if first is None:
        return
    key = (
        asked.group and asked.group(first, first.known[-1]),
        number,
        _ended(first, ends, window) if was_open else None,
        None if ends is None else ends.outcome,
        *_moves(ends, window.start, asked.quarters),
        _open_days(ends, window, asked.length),
        *_error(deal, first if was_open else None, ends, window, asked),
        None if first.amount is None else first.amount.currency,
    )
    tell(counts, key, first.amount)


def _beside(expected_at: Expected | str, days_before: int | None) -> Beside:
    """The expectation asked for, past its door."""
    expected = choice(Expected, expected_at, "expected_at")
    counted = expected is Expected.BEFORE_CLOSING
    if days_before is None and not counted:
        return expected, None
    if days_before is None or not counted:
        fault = f"give it with expected_at={Expected.BEFORE_CLOSING.value!r}, and only with that"
        raise InvalidValueError("days_before", (fault,))
    if not 0 <= whole(days_before, "days_before") <= _MOST_DAYS:
        fault = f"{brief(days_before)} is not from 0 to {_MOST_DAYS}"
        raise InvalidValueError("days_before", (fault,))
    return expected, days_before


def _windows(steps: tuple[Period, ...], at: datetime, zone: tzinfo) -> list[_Window]:
    stepper(steps)  # refuses what overlaps
    faults = [f"{step} begins after {at.isoformat()}" for step in steps if step.start > at]
    if faults or not steps:
        raise InvalidValueError("periods", tuple(faults or ["there is none"]))
    return [_window(step, at, zone) for step in steps]


def _window(step: Period, at: datetime, zone: tzinfo) -> _Window:
    before = max(step.start, _FIRST + _MOMENT) - _MOMENT
    last, cut = min(step.end - _MOMENT, at), min(step.end, at)
    return _Window(
        step.start, before, last, cut, _first_day(step.start, zone), _first_day(step.end, zone)
    )


def _first_day(at: datetime, zone: tzinfo) -> int:
    """The ordinal of the first date that begins at an instant or after it."""
    day = on(at, check_zone(zone))
    return day.toordinal() + (midnight(day, zone) < at)


def _around(
    deal: DealHistory, at: datetime, window: _Window
) -> tuple[Course | None, Course | None]:
    """A deal as known just before a window, and at its end as known at the instant."""
    settled = deal.settled_at
    if settled <= window.before:
        return deal.whole_course, deal.whole_course
    begins = _course(deal.standing(window.before))
    if settled <= window.last:
        return begins, deal.whole_course
    if settled <= at:  # what is known at the instant was known all along
        return begins, _course(deal.standing(window.last))
    since = tuple(event for event in deal.known(at) if event.at <= window.last)
    there = since and type(since[0]) is Opened and all(type(e) is not Deleted for e in since)
    return begins, _course(since) if there else None


def _course(known: Known) -> Course | None:
    """The course of events without its stays; None without events."""
    return course(tuple(known), stays=False) if known else None


def _came_in(ends: Course | None, start: datetime) -> Course | None:
    """A deal as it was when it was opened, or opened again, in a period; None if it was not open.

    One that was open all along, though nobody knew, is read at its opening.
    """
    if ends is None or (ends.closing is not None and ends.closing.at < start):
        return None
    begun = (
        place
        for place, event in enumerate(ends.known, 1)
        if event.at >= start and type(event) in _BEGINNING
    )
    return _course(ends.known[: next(begun, 1)])


_BEGINNING = frozenset({Opened, Reopened})


def _expected(known: Known) -> date | None:
    """The date on which a deal is expected to close after its events."""
    expected: date | None = known[0].expected_close
    for event in known:
        kind = event.__class__
        if kind is CloseDateChanged:
            expected = event.expected_close
        elif kind is Merged and expected is None and event.creation is not None:
            expected = event.creation.expected_close
    return expected


def _ended(begins: Course, ends: Course | None, window: _Window) -> Ended | None:
    """What became of an open deal; None where it was not due in the window."""
    expected = _expected(begins.known)
    if expected is None or not window.first_day <= expected.toordinal() < window.end_day:
        return None
    if ends is None:
        return Ended.GONE
    if ends.outcome is not Outcome.OPEN:
        return Ended.WON if ends.outcome is Outcome.WON else Ended.LOST
    expected = _expected(ends.known)
    if expected is None:
        return Ended.UNDATED
    return Ended.SLIPPED if expected.toordinal() >= window.end_day else Ended.STILL_DUE


def _moves(ends: Course | None, start: datetime, quarters: int) -> tuple[int, int, int, int]:
    """How often the date was moved later by day, month and quarter, and how often earlier."""
    if ends is None or CloseDateChanged not in ends.kinds:
        return _NONE
    later = later_month = later_quarter = earlier = 0
    for before, after in _moved(ends.known, start):
        later += after > before
        earlier += after < before
        month, then = after.year * 12 + after.month - 1, before.year * 12 + before.month - 1
        later_month += month > then
        later_quarter += (month - quarters) // 3 > (then - quarters) // 3
    return later, later_month, later_quarter, earlier


_NONE = (0, 0, 0, 0)


def _moved(known: Known, start: datetime) -> Iterator[tuple[date, date]]:
    """The dates before and after each move from an instant on, made while the deal was open."""
    moves: list[tuple[datetime, date | None, date | None]] = []
    expected, is_open = known[0].expected_close, known[0].outcome is Outcome.OPEN
    for event in known:
        kind = event.__class__
        if kind is CloseDateChanged:
            if is_open:
                moves.append((event.at, expected, event.expected_close))
            expected = event.expected_close
        elif kind is Merged and expected is None and event.creation is not None:
            expected = event.creation.expected_close
        elif kind is Won or kind is Lost:
            is_open = False
            while moves and moves[-1][0] == event.at:
                moves.pop()
        elif kind is Reopened:
            is_open = True
    for at, before, after in moves:
        if at >= start and before is not None and after is not None:
            yield before, after


def _open_days(ends: Course | None, window: _Window, length: Length) -> int | None:
    """How many days of a window a deal was open; None where its instants run backwards."""
    days = 0
    for begin, end in () if ends is None else _open_stretches(ends.known):
        if end is not None and end < begin:
            return None
        first, last = max(begin, window.start), min(end or window.cut, window.cut)
        days += length(first, last) if first < last else 0
    return None if ends is None else days


def _open_stretches(known: Known) -> Iterator[tuple[datetime, datetime | None]]:
    """When a deal began to be open, and when it ceased, or None while it is."""
    begin = known[0].at if known[0].outcome is Outcome.OPEN else None
    for event in known:
        kind = event.__class__
        if begin is not None and (kind is Won or kind is Lost):
            yield begin, event.at
            begin = None
        elif begin is None and kind is Reopened:
            begin = event.at
    if begin is not None:
        yield begin, None


def _error(
    deal: DealHistory,
    begins: Course | None,
    ends: Course | None,
    window: _Window,
    asked: _Asked,
) -> tuple[int | None, NoDate | None]:
    """How many days late a closing in a window came, or why that cannot be said."""
    closing = None if ends is None else ends.closing
    if ends is None or closing is None or not window.start <= closing.at <= window.last:
        return None, None
    expected_at, days_before = asked.beside
    if expected_at is Expected.OPENING:
        known: Known = ends.known[:1]
        if ends.known[0].start is Start.BY_THEN:
            return None, NoDate.START_UNKNOWN
    elif expected_at is Expected.PERIOD_START:
        known = () if begins is None else begins.known
    else:
        known = _open_before(deal, closing.at, days_before or 0)
    if not known:
        return None, NoDate.OPENED_LATER
    expected = _expected(known)
    if expected is None:
        return None, NoDate.UNDATED
    return on(closing.at, asked.zone).toordinal() - expected.toordinal(), None


def _open_before(deal: DealHistory, closed: datetime, days: int) -> Known:
    """What was known of a deal so many days before it closed; nothing if it was not open."""
    span = timedelta(days) + _MOMENT
    then = () if closed - _FIRST < span else deal.standing(closed - span)
    there = _course(then)
    return () if there is None or there.outcome is not Outcome.OPEN else there.known
