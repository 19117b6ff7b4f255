"""How records are counted into a table: by what they are grouped, and in which units."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from attrs import evolve, field, frozen

from salespipeline._courses import Course, Life, course, life_of
from salespipeline._folds import ATTRIBUTE
from salespipeline._record import Record
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.events import Event, FieldSet, Merged, OwnerChanged
from salespipeline.history import DealHistory, History
from salespipeline.money import Money
from salespipeline.periods import Period, check_zone, on

Known: TypeAlias = Sequence[Any]


class Moment(StrEnum):
    """The instant at which a record's group is read: nobody owns yesterday's deal but then."""

    CREATION = "creation"
    CLOSING = "closing"
    AS_OF = "as_of"


class Why(StrEnum):
    """Why a record is left out of a duration."""

    START_UNKNOWN = "start_unknown"
    NEGATIVE_DURATION = "negative_duration"
    ENTRY_UNKNOWN = "entry_unknown"
    NEVER_ENTERED = "never_entered"


@frozen
class Count:
    """How many records a row stands for, and their amounts together in minor units."""

    n: int
    minor: int = 0

    def __add__(self, other: Self) -> Self:
        """Both together."""
        return type(self)(self.n + other.n, self.minor + other.minor)


Row = TypeVar("Row", bound=tuple[Any, ...])

_ALIKE = ("name", "as_of", "periods", "resolution", "zone", "by", "by_at", "settings")


@frozen
class Tally(Generic[Row]):
    """Counts of records by what they are alike in.

    Attributes:
        name: What was counted, such as lifetimes or visits.
        as_of: The instant it was counted from.
        rows: The number of records, and their amounts together, by row.
        periods: The periods that the numbers in rows refer to.
        resolution: The length of one unit of duration; None for calendar days.
        zone: The zone whose calendar dates made days.
        by: The field that they are grouped by, or None.
        by_at: When that field was read, where there is a choice; None otherwise.
        settings: What else was asked for when counting, by name.
    """

    name: str
    as_of: datetime
    rows: Mapping[Row, Count] = field(hash=False)
    periods: tuple[Period, ...] = ()
    resolution: timedelta | None = None
    zone: tzinfo = UTC
    by: str | None = None
    by_at: Moment | None = None
    settings: tuple[tuple[str, Hashable], ...] = ()

    def __add__(self, other: Self) -> Self:
        """The tally of both bodies of records together.

        Raises:
            WrongTypeError: The other is no tally.
            InvalidValueError: They were not counted alike.
        """
        if not isinstance(other, Tally):
            raise WrongTypeError("other", "a Tally", other)
        faults = tuple(
            f"{name} differs: {getattr(self, name)!r} and {getattr(other, name)!r}"
            for name in _ALIKE
            if getattr(self, name) != getattr(other, name)
        )
        if faults:
            raise InvalidValueError("tallies", faults)
        rows = dict(self.rows)
        for row, count in other.rows.items():
            rows[row] = rows.get(row, Count(0)) + count
        return evolve(self, rows=rows)

    def where(self, keep: Callable[[Row], bool]) -> Self:
        """The same tally with only the rows that a test keeps."""
        return evolve(self, rows={row: count for row, count in self.rows.items() if keep(row)})

    def groups(self) -> dict[Hashable, Self]:
        """One tally for each group, in the order in which the groups were met."""
        parts: dict[Hashable, dict[Row, Count]] = {}
        for row, count in self.rows.items():
            parts.setdefault(row[0], {})[row] = count
        return {group: evolve(self, rows=rows) for group, rows in parts.items()}

    @property
    def n(self) -> int:
        """How many were counted: deals, contacts, or stays of deals in stages."""
        return sum(count.n for count in self.rows.values())


H = TypeVar("H", bound=History[Any, Any])


def several(histories: Iterable[H], kind: type[H]) -> Iterable[H]:
    if isinstance(histories, str) or not isinstance(histories, Iterable):
        raise stranger(kind, histories)
    return histories


def stranger(kind: type[History[Any, Any]], value: object) -> WrongTypeError:
    """What says that something is not among the histories of a kind."""
    name = f"{kind.__name__.removesuffix('History').lower()}s"
    return WrongTypeError(name, f"several {kind.__name__} values", value)


def courses(deals: Iterable[DealHistory], at: datetime) -> Iterator[Course]:
    """The course of each deal that was there at an instant in UTC, up to that instant."""
    for deal in several(deals, DealHistory):
        if type(deal) is not DealHistory:
            raise stranger(DealHistory, deal)
        if deal.settled_at <= at:
            yield deal.whole_course
        else:
            known = deal.standing(at)
            if known:
                yield course(known)


def lives(deals: Iterable[DealHistory], at: datetime) -> Iterator[tuple[Life, Course, datetime]]:
    """How long each deal lived that was there at an instant in UTC, its course, when settled."""
    for deal in several(deals, DealHistory):
        if type(deal) is not DealHistory:
            raise stranger(DealHistory, deal)
        settled = deal.settled_at
        if settled <= at:
            yield deal.whole_life, deal.whole_course, settled
        else:
            known = deal.standing(at)
            if known:
                ran = course(known)
                yield life_of(known, ran.closing, ran.outcome, ran.amount), ran, settled


def measure(zone: tzinfo, resolution: timedelta | None) -> Callable[[datetime, datetime], int]:
    """How to count the units of duration between two instants in UTC."""
    check_zone(zone)
    if resolution is not None:
        unit = check_resolution(resolution)
        return lambda start, end: (end - start) // unit
    if zone is UTC:
        return lambda start, end: end.toordinal() - start.toordinal()
    return lambda start, end: on(end, zone).toordinal() - on(start, zone).toordinal()


def check_resolution(resolution: object) -> timedelta:
    if not isinstance(resolution, timedelta):
        raise WrongTypeError("resolution", "a timedelta", resolution)
    if resolution <= timedelta():
        raise InvalidValueError("resolution", (f"{resolution} is not more than nothing",))
    return resolution


def stepper(steps: Sequence[Period]) -> Callable[[datetime], int | None] | None:
    """How to find the number of the period that an instant lies in; None without periods."""
    for before, after in pairwise(steps):
        if after.start < before.end:
            fault = f"{after} does not begin after {before}"
            raise InvalidValueError("periods", (fault,))
    starts, ends = [step.start for step in steps], [step.end for step in steps]
    if len(steps) == 1:  # the usual case, and every deal is asked twice
        ((start,), (end,)) = starts, ends
        return lambda at: 0 if start <= at < end else None

    def step(at: datetime) -> int | None:
        number = bisect_right(starts, at) - 1
        return number if number >= 0 and at < ends[number] else None

    return step if steps else None


def event_at(moment: Moment, each: Course) -> Event:
    """The event after which a deal's group is read."""
    known, closing = each[0], each[4]  # by places, since names take longer
    if closing is not None and moment is Moment.CLOSING:
        return closing
    last: Event = known[0] if moment is Moment.CREATION else known[-1]
    return last


@overload
def grouping(by: str) -> Callable[[Course, Event], Any]: ...


@overload
def grouping(by: str | None) -> Callable[[Course, Event], Any] | None: ...


def grouping(by: str | None) -> Callable[[Course, Event], Any] | None:
    """How to read the value of a field of a deal just after an event; None without a grouping."""
    read, first = reading(Deal, by), by and _said_at_first(by)
    if read is None:
        return None
    if by is None or not first:
        return lambda each, last: read(each.known, last)
    telling = _telling(by)

    def value(each: Course, last: Event) -> Hashable:  # by places, since names take longer
        return first(each[0][0]) if telling.isdisjoint(each[6]) else read(each[0], last)

    return value


@overload
def reading(kind: type[Record], by: str) -> Callable[[Known, Event], Any]: ...


@overload
def reading(kind: type[Record], by: str | None) -> Callable[[Known, Event], Any] | None: ...


def reading(kind: type[Record], by: str | None) -> Callable[[Known, Event], Any] | None:
    """How to read the value of a field just after an event; None without a grouping."""
    if by is None:
        return None
    names = tuple(name for name in kind.names() if name != "attributes")
    attribute = by.removeprefix(ATTRIBUTE) if isinstance(by, str) else None
    if by not in names and (not attribute or attribute == by):
        raise UnknownKeyError(f"field of a {kind.kind}", by, (*names, f"{ATTRIBUTE}<name>"))

    def value(known: Known, last: Event) -> Hashable:
        record: Any = kind.replay(event for event in known if event.sequence <= last.sequence)
        found: Hashable = getattr(record, by) if by in names else record.attributes.get(attribute)
        return found

    first = _said_at_first(by)
    return value if first is None else _sooner(by, first, value)


def account_of(each: Course) -> str | None:
    """The account of a deal after all its events."""
    known = each[0]  # by places, since names take longer
    account: str | None = known[0].account
    if not _ACCOUNT_SAID.isdisjoint(each[6]):
        account = reading(Deal, "account")(known, known[-1])
    return account


_ACCOUNT_SAID = frozenset({Merged, FieldSet})

_SAID_AT_FIRST = frozenset({"account", "company", "owner", "source"})
"""Fields that a record's beginning says, and that few events change."""


def _said_at_first(by: str) -> Callable[[Any], Hashable] | None:
    """How to read what a record's beginning says of a field that seldom changes, or None."""
    if by in _SAID_AT_FIRST:
        return attrgetter(by)
    name = by.removeprefix(ATTRIBUTE)
    return None if name == by else lambda first: first.attributes.get(name)


def _telling(by: str) -> frozenset[type]:
    """The kinds of events that may change such a field."""
    return frozenset({Merged, FieldSet, OwnerChanged} if by == "owner" else {Merged, FieldSet})


def _sooner(
    by: str,
    first: Callable[[Any], Hashable],
    replayed: Callable[[Known, Event], Hashable],
) -> Callable[[Known, Event], Hashable]:
    """How to read a field that seldom changes: a replay takes long, and most need none."""
    telling = _telling(by)

    def value(known: Known, last: Event) -> Hashable:
        found = first(known[0])
        for event in known:  # pragma: no branch - the last event is among them
            kind = event.__class__
            if kind in telling:
                if kind is OwnerChanged:
                    found = event.owner
                elif kind is Merged or event.field == by:
                    break
            if event is last:
                return found
        return replayed(known, last)

    return value


def tell(counts: dict[Any, list[int]], key: tuple[Any, ...], amount: Money | None) -> None:
    row = counts.get(key)
    if row is None:
        counts[key] = row = [0, 0]
    row[0] += 1
    if amount is not None:
        row[1] += amount.minor


def table(counts: dict[Any, list[int]], row: Callable[..., Row]) -> dict[Row, Count]:
    return {row(*key): Count(*count) for key, count in counts.items()}
