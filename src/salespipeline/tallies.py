"""Tallies: the small tables of counts that a figure needs of a body of records.

A metric counts histories into a tally and finishes the tally into a figure. Tallies add like
numbers: the tally of two bodies of records is the sum of theirs, so records can be counted in
parts, by several processes or by another engine, and finish to the same figure.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import chain, pairwise
from typing import Any, Generic, NamedTuple, Self, TypeAlias, TypeVar, cast

from attrs import evolve, field, frozen

from salespipeline._doors import choice, instances
from salespipeline._folds import ATTRIBUTE
from salespipeline._record import Record
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.events import Created, Event, LifecycleStageSet, Merged, Opened, Start
from salespipeline.history import (
    ENTERING,
    ContactHistory,
    Course,
    DealHistory,
    History,
    Leg,
    StageKey,
    course,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.periods import Period, check_zone, on, utc
from salespipeline.pipelines import Outcome

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


class Lifetime(NamedTuple):
    """A row of `lifetimes`: deals alike in how long they lived and how they ended.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        created: The number of the period they were created in; None outside all.
        closed: The number of the period they were closed in; None outside all, and while open.
        entry: Their age when their history begins to be complete; 0 from the start.
        age: Their age at the close, or while open as of the instant; None where left out.
        why: Why the age is left out, or None.
        outcome: Open, won or lost.
        currency: The currency of their amount, or None without an amount.
    """

    group: Hashable
    created: int | None
    closed: int | None
    entry: int
    age: int | None
    why: Why | None
    outcome: Outcome
    currency: str | None


class Stay(NamedTuple):
    """A row of `visits`: stays in a stage alike in length and in what came next.

    Attributes:
        group: The value of what they are grouped by, when the visit began.
        stage: The keys of the pipeline and of the stage.
        number: 1 for first visits, 2 for second ones, and so on.
        length: How long they stayed, or have stayed so far; None where left out.
        why: Why the length is left out, or None.
        next: The stage entered next, or None while they are still there.
    """

    group: Hashable
    stage: StageKey
    number: int
    length: int | None
    why: Why | None
    next: StageKey | None


class Standing(NamedTuple):
    """A row of `standings`: deals that stand in the same stage.

    Attributes:
        group: The value of what they are grouped by, as of the instant.
        stage: The keys of the pipeline and of the stage.
        outcome: Open, won or lost.
        currency: The currency of their amount, or None without an amount.
    """

    group: Hashable
    stage: StageKey
    outcome: Outcome
    currency: str | None


class Person(NamedTuple):
    """A row of `people`: contacts alike in how far they have come.

    Attributes:
        group: The value of what they are grouped by.
        cohort: The number of the period of their first event at lead or beyond; None outside
            all, and before.
        stage: The furthest lifecycle stage, or None.
        status: The key of the lead status, or None.
    """

    group: Hashable
    cohort: int | None
    stage: LifecycleStage | None
    status: str | None


@frozen
class Count:
    """How many records a row stands for, and their amounts together in minor units."""

    n: int
    minor: int = 0

    def __add__(self, other: Self) -> Self:
        """Both together."""
        return type(self)(self.n + other.n, self.minor + other.minor)


Row = TypeVar("Row", bound=tuple[Any, ...])

_ALIKE = ("name", "as_of", "periods", "resolution", "zone", "by", "by_at")


@frozen
class Tally(Generic[Row]):
    """Counts of records by what they are alike in.

    Attributes:
        name: What was counted: lifetimes, visits, standings or people.
        as_of: The instant it was counted from.
        rows: The number of records, and their amounts together, by row.
        periods: The periods that the numbers in rows refer to.
        resolution: The length of one unit of duration; None for calendar days.
        zone: The zone whose calendar dates made days.
        by: The field that they are grouped by, or None.
        by_at: When that field was read, where there is a choice; None otherwise.
    """

    name: str
    as_of: datetime
    rows: Mapping[Row, Count] = field(hash=False)
    periods: tuple[Period, ...] = ()
    resolution: timedelta | None = None
    zone: tzinfo = UTC
    by: str | None = None
    by_at: Moment | None = None

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


def lifetimes(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CLOSING,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[Lifetime]:
    """Count deals by how long they lived and how they ended, as known at an instant.

    Args:
        deals: The histories of deals; one that was not created, or was deleted, by ``as_of``
            is not counted.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by.
        by_at: When to read that field; for a deal that is open, closing is as of the instant.
        periods: Periods that do not overlap, in order, in which to place creation and closing.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    steps = instances(Period, periods, "periods")
    step, length, group = _stepper(steps), _measure(zone, resolution), _grouping(Deal, by)
    counts: dict[Any, list[int]] = {}
    for known, _, _, outcome, closing, amount in courses(deals, at):
        opened = known[0]
        closed = None if closing is None else closing.at
        age, why = _age(opened, length(opened.at, closed or at))
        key = (
            group and group(known, _event_at(moment, known, closing)),
            step and step(opened.at),
            step and closed and step(closed),
            0 if opened.observed_from is None else max(0, length(opened.at, opened.observed_from)),
            age,
            why,
            outcome,
            None if amount is None else amount.currency,
        )
        _count(counts, key, amount)
    rows, read = _rows(counts, Lifetime), None if by is None else moment
    return Tally("lifetimes", at, rows, steps, resolution, zone, by, read)


def _event_at(moment: Moment, known: Known, closing: Event | None) -> Event:
    """The event after which a deal's group is read."""
    last: Event = known[0] if moment is Moment.CREATION else known[-1]
    return closing if moment is Moment.CLOSING and closing is not None else last


def _age(opened: Opened, length: int) -> tuple[int | None, Why | None]:
    if opened.start is Start.BY_THEN:
        return None, Why.START_UNKNOWN
    return (length, None) if length >= 0 else (None, Why.NEGATIVE_DURATION)


def visits(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[Stay]:
    """Count the stays of deals in stages by how long they were, as known at an instant.

    The stay that a deal is in, closed stages included, counts as unfinished.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was when the
            visit began.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at = utc(as_of, "as_of")
    length, group = _measure(zone, resolution), _grouping(Deal, by)
    quick = group is None and resolution is None and zone is UTC
    counts = Counter[Any]()
    slow = _count_legs(courses(deals, at), at, counts) if quick else courses(deals, at)
    for known, known_from, stays, *_ in slow:
        starts = _entering(known)
        ends = [*(event.at for event in starts[1:]), at]
        for (leg, _), event, left in zip(stays, starts, ends, strict=True):
            unknown = known_from is not None and event.at <= known_from
            why = Why.ENTRY_UNKNOWN if unknown else None
            counts[leg, group and group(known, event), length(event.at, left), why] += 1
    rows = Counter[Stay]()
    for (leg, of, days, why), n in counts.items():
        reason = why or (Why.NEGATIVE_DURATION if days < 0 else None)
        stay = Stay(of, leg.stage, leg.number, None if reason else days, reason, leg.next)
        rows[stay] += n
    table = {stay: Count(n) for stay, n in rows.items()}
    return Tally("visits", at, table, (), resolution, zone, by)


def _count_legs(walk: Iterable[Course], at: datetime, counts: Counter[Any]) -> list[Course]:
    """Count visits by calendar days in UTC, one after the other without stopping.

    Returns:
        The courses that need a closer look, since not every entry is known.
    """
    unknown: list[Course] = []

    def known() -> Iterator[Iterable[tuple[Leg, int]]]:
        for each in walk:
            if each[1] is None:
                yield each[2]
            else:
                unknown.append(each)

    today = at.toordinal()
    for (leg, days), n in Counter(chain.from_iterable(known())).items():
        counts[leg, None, today - days if leg.next is None else days, None] += n
    return unknown


def _entering(known: Iterable[Any]) -> list[Any]:
    """The events that begin a visit; a move to the stage that the deal is in begins none."""
    entering = [event for event in known if type(event) in ENTERING]
    stages = [(event.pipeline, event.stage) for event in entering]
    return [event for n, event in enumerate(entering) if n == 0 or stages[n] != stages[n - 1]]


def standings(
    deals: Iterable[DealHistory], *, as_of: datetime, by: str | None = None
) -> Tally[Standing]:
    """Count deals by the stage that they stand in, as known at an instant.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as of the instant.
    """
    at, group = utc(as_of, "as_of"), _grouping(Deal, by)
    counts: dict[Any, list[int]] = {}
    for known, _, stays, outcome, _, amount in courses(deals, at):
        currency = None if amount is None else amount.currency
        _count(counts, (stays[-1][0], group and group(known, known[-1]), outcome, currency), amount)
    rows: dict[Standing, Count] = {}
    for (leg, of, outcome, currency), count in counts.items():
        row = Standing(of, leg.stage, outcome, currency)
        rows[row] = rows.get(row, Count(0)) + Count(*count)
    return Tally("standings", at, rows, by=by)


def people(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    periods: Iterable[Period] = (),
) -> Tally[Person]:
    """Count contacts by how far they have come, as known at an instant.

    A contact's cohort is the period of its first event at lead or beyond; a skip to a further
    stage is such an event.

    Args:
        contacts: The histories of contacts.
        as_of: The instant to judge from.
        by: A field of the contact, or ``attributes.`` and a name, to group by.
        by_at: Creation reads that field when the contact became a lead, or, before it did, when
            it was created; as of the instant otherwise.
        periods: Periods that do not overlap, in order, in which to place cohorts.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    steps = instances(Period, periods, "periods")
    step, group = _stepper(steps), _grouping(Contact, by)
    counts: dict[Any, list[int]] = {}
    for contact in _several(contacts, ContactHistory):
        if type(contact) is not ContactHistory:
            raise WrongTypeError("histories", "several ContactHistory values", contact)
        known = contact.standing(at)
        if not known:
            continue
        stands = cast("Contact", Contact.replay(known))
        lead = next(filter(_is_lead, known), None)
        seen = (lead or known[0]) if moment is Moment.CREATION else known[-1]
        key = (
            group and group(known, seen),
            step and lead and step(lead.at),
            stands.lifecycle_stage,
            stands.lead_status,
        )
        _count(counts, key, None)
    rows, read = _rows(counts, Person), None if by is None else moment
    return Tally("people", at, rows, steps, by=by, by_at=read)


def _is_lead(event: object) -> bool:
    """Whether an event puts a contact at lead or beyond."""
    if isinstance(event, LifecycleStageSet):
        return event.stage >= LifecycleStage.LEAD
    begun = event.creation if isinstance(event, Merged) else event
    stage = begun.lifecycle_stage if isinstance(begun, Created) else None
    return stage is not None and stage >= LifecycleStage.LEAD


H = TypeVar("H", bound=History[Any, Any])


def _several(histories: Iterable[H], kind: type[H]) -> Iterable[H]:
    if isinstance(histories, str) or not isinstance(histories, Iterable):
        raise WrongTypeError("histories", f"several {kind.__name__} values", histories)
    return histories


def courses(deals: Iterable[DealHistory], at: datetime) -> Iterator[Course]:
    """The course of each deal that was there at an instant in UTC, up to that instant."""
    for deal in _several(deals, DealHistory):
        if type(deal) is not DealHistory:
            raise WrongTypeError("histories", "several DealHistory values", deal)
        if deal.settled_at <= at:
            yield deal.whole_course
        else:
            known = deal.standing(at)
            if known:
                yield course(known)


def _measure(zone: tzinfo, resolution: timedelta | None) -> Callable[[datetime, datetime], int]:
    """How to count the units of duration between two instants in UTC."""
    check_zone(zone)
    if resolution is not None:
        unit = _check_resolution(resolution)
        return lambda start, end: (end - start) // unit
    if zone is UTC:
        return lambda start, end: end.toordinal() - start.toordinal()
    return lambda start, end: on(end, zone).toordinal() - on(start, zone).toordinal()


def _check_resolution(resolution: object) -> timedelta:
    if not isinstance(resolution, timedelta):
        raise WrongTypeError("resolution", "a timedelta", resolution)
    if resolution <= timedelta():
        raise InvalidValueError("resolution", (f"{resolution} is not more than nothing",))
    return resolution


def _stepper(steps: Sequence[Period]) -> Callable[[datetime], int | None] | None:
    """How to find the number of the period that an instant lies in; None without periods."""
    for before, after in pairwise(steps):
        if after.start < before.end:
            fault = f"{after} does not begin after {before}"
            raise InvalidValueError("periods", (fault,))
    starts = [step.start for step in steps]

    def step(at: datetime) -> int | None:
        number = bisect_right(starts, at) - 1
        return number if number >= 0 and at < steps[number].end else None

    return step if steps else None


def _grouping(kind: type[Record], by: str | None) -> Callable[[Known, Event], Hashable] | None:
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

    return value


def _count(counts: dict[Any, list[int]], key: tuple[Any, ...], amount: Money | None) -> None:
    row = counts.get(key)
    if row is None:
        counts[key] = row = [0, 0]
    row[0] += 1
    if amount is not None:
        row[1] += amount.minor


def _rows(counts: dict[Any, list[int]], row: Callable[..., Row]) -> dict[Row, Count]:
    return {row(*key): Count(*count) for key, count in counts.items()}
