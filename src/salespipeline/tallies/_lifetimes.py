"""How long deals lived, and how they ended."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple, TypeAlias, cast

from attrs import evolve

from salespipeline._courses import Course, Life
from salespipeline._doors import choice, instances, repeated
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import Event, Lost, Start
from salespipeline.history import DealHistory
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Count,
    Moment,
    Tally,
    Why,
    event_at,
    grouping,
    lives,
    measure,
    stepper,
)

Causes: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Causes in order, each with the reasons that mean it."""


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
        cluster: The value of what they are clustered by; None without a clustering.
        cause: How they ended, where causes were asked for: won, lost, or one of those causes;
            None while open.
    """

    group: Hashable
    created: int | None
    closed: int | None
    entry: int
    age: int | None
    why: Why | None
    outcome: Outcome
    currency: str | None
    cluster: Hashable = None
    cause: str | None = None


def check_causes(causes: object) -> Causes:
    """Causes with their reasons, each reason once and in order.

    Raises:
        WrongTypeError: They are no mapping.
        InvalidValueError: A cause has no name or the name of an outcome, has no reasons, or
            shares one with another.
    """
    if causes is None:
        return ()
    if not isinstance(causes, Mapping):
        raise WrongTypeError("causes", "a mapping of causes to the reasons that mean them", causes)
    given = tuple(cast("Mapping[object, object]", causes).items())
    faults = [fault for name, reasons in given for fault in _faults(name, reasons)]
    if faults:
        raise InvalidValueError("causes", tuple(faults))
    named = tuple((str(name), tuple(sorted({*cast("Any", each)}))) for name, each in given)
    shared = repeated(reason for _, reasons in named for reason in reasons)
    if shared:
        faults = [f"the reason {brief(reason)} means several causes" for reason in shared]
        raise InvalidValueError("causes", tuple(faults))
    return named


@asks(causes=check_causes)
def lifetimes(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CLOSING,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    cluster: str | None = None,
    causes: Mapping[str, Collection[str]] | None = None,
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
        cluster: A field that deals alike share, such as the account, read when ``by`` is: for
            intervals that do not take each deal for a trial of its own.
        causes: Further ways to end beside won and lost, each with the reasons of a lost deal
            that mean it, as they are written, such as ``{"no_decision": ["no decision"]}``.

    Raises:
        WrongTypeError: The causes are no mapping.
        InvalidValueError: A cause has no name or the name of an outcome, has no reasons, or
            shares one with another.
    """
    moment = None if by is None and cluster is None else choice(Moment, by_at, "by_at")
    tally = lifetimes_of(
        deals, grouping(by), as_of=as_of, by_at=moment, periods=periods, zone=zone,
        resolution=resolution, cluster=cluster, causes=causes,
    )  # fmt: skip
    return evolve(tally, by=by, by_at=moment)


def lifetimes_of(
    deals: Iterable[DealHistory],
    group: Callable[[Course, Event], Hashable] | None,
    *,
    as_of: datetime,
    by_at: Moment | None = None,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    cluster: str | None = None,
    causes: Mapping[str, Collection[str]] | None = None,
    worth: Outcome | None = None,
) -> Tally[Lifetime]:
    """`lifetimes` grouped by whatever can be read of a deal, just after an event if that is asked.

    With ``worth`` only the amounts of deals of that outcome are added up.
    """
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    named, length = check_causes(causes), measure(zone, resolution)
    clustered, placed = grouping(cluster), _placer(steps)
    meaning = {reason: name for name, reasons in named for reason in reasons}
    alike = resolution is None and zone is UTC
    plain = alike and not (placed or group or clustered or meaning)
    counts: dict[Any, list[int]] = {}
    for life, ran, settled in lives(deals, at):
        key: Any = life
        if not plain:
            read: Any = by_at and event_at(by_at, ran)
            key = (
                life if alike else _measured(ran, at, length),
                group and group(ran, read),
                placed and placed(ran, settled),
                clustered and clustered(ran, read),
                _cause(ran.outcome, ran.closing, meaning) if meaning else None,
            )
        row = counts.get(key)
        if row is None:
            counts[key] = row = [0, 0]
        row[0] += 1
        amount = ran[5]
        if amount is not None and (worth is None or ran[3] is worth):
            row[1] += amount.minor
    settings = tuple(each for each in (("cluster", cluster), ("causes", named)) if each[1])
    return Tally("lifetimes", at, _rows(counts, at), steps, resolution, zone, settings=settings)


def endings(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment = Moment.CLOSING,
    periods: tuple[Period, ...] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    cluster: str | None = None,
) -> Tally[Lifetime]:
    """Count deals by how they ended alone: `lifetimes` without ages and amounts, for rates."""
    measure(zone, resolution)
    at, placed = utc(as_of, "as_of"), _placer(periods)
    group, clustered = grouping(by), grouping(cluster)
    counts: dict[Any, int] = {}
    for _, ran, settled in lives(deals, at):
        read: Any = (group or clustered) and event_at(by_at, ran)
        key = (
            group and group(ran, read),
            placed and placed(ran, settled),
            ran.outcome,
            clustered and clustered(ran, read),
        )
        counts[key] = counts.get(key, 0) + 1
    rows: dict[Lifetime, Count] = {}
    for (of, within, outcome, shared), n in counts.items():
        created, closed = within or _NOWHERE
        rows[Lifetime(of, created, closed, 0, None, None, outcome, None, shared)] = Count(n)
    return Tally("endings", at, rows, periods, resolution, zone, by)


_Lived: TypeAlias = tuple[int, int | None, Why | None, Outcome, str | None]

_Placed: TypeAlias = tuple[int | None, int | None]
"""The numbers of the periods in which a deal was created and closed."""


def _placer(steps: Sequence[Period]) -> Callable[[Course, datetime], _Placed] | None:
    """How to place a deal, settled at an instant, in periods; None without periods."""
    step = stepper(steps)
    if step is None:
        return None
    first = steps[0].start

    def placed(ran: Course, settled: datetime) -> _Placed:
        if settled < first:  # it was over before all of them
            return _NOWHERE
        closing = ran[4]
        return step(ran[0][0].at), None if closing is None else step(closing.at)

    return placed


_NOWHERE = None, None
_ALONE = None, None, None, None


def _measured(ran: Course, at: datetime, length: Callable[[datetime, datetime], int]) -> _Lived:
    """How long a deal lived, in the units that were asked for."""
    first, closing = ran.known[0], ran.closing
    days = length(first.at, at if closing is None else closing.at)
    seen = first.observed_from
    entry = 0 if seen is None else max(0, length(first.at, seen))
    currency = None if ran.amount is None else ran.amount.currency
    return entry, *_age(first.start, days), ran.outcome, currency


def _rows(counts: Mapping[Any, Sequence[int]], at: datetime) -> dict[Lifetime, Count]:
    """The rows of counts; lives that are open are as old as they are at the instant."""
    rows: dict[Lifetime, Count] = {}
    for key, numbers in counts.items():
        lived, group, placed, cluster, cause = (key, *_ALONE) if isinstance(key, Life) else key
        created, closed = placed or _NOWHERE
        told: _Lived
        if isinstance(lived, Life):
            days = at.toordinal() - lived.days if lived.outcome is Outcome.OPEN else lived.days
            told = (lived.entry, *_age(lived.start, days), lived.outcome, lived.currency)
        else:
            told = lived
        row, count = Lifetime(group, created, closed, *told, cluster, cause), Count(*numbers)
        rows[row] = rows[row] + count if row in rows else count
    return rows


def _faults(name: object, reasons: object) -> Iterator[str]:
    if not isinstance(name, str) or not name:
        yield f"the cause {brief(name)} is not text that is not empty"
    elif name in tuple(Outcome):
        yield f"{brief(name)} is an outcome, and needs no reasons"
    if not isinstance(reasons, tuple | list | set | frozenset):
        yield f"the reasons of {brief(name)} are not several: {brief(reasons)}"
        return
    each = cast("Iterable[object]", reasons)
    yield from (
        f"the reason {brief(reason)} of {brief(name)} is not text that is not empty"
        for reason in each
        if not isinstance(reason, str) or not reason
    )
    if not reasons:
        yield f"no reason means {brief(name)}"


def _cause(outcome: Outcome, closing: Event | None, meaning: Mapping[str, str]) -> str | None:
    """How a deal ended: won, lost, or the cause that its reason for being lost means."""
    if type(closing) is Lost and closing.reason is not None:
        return meaning.get(closing.reason, outcome.value)
    return None if outcome is Outcome.OPEN else outcome.value


def _age(start: Start, length: int) -> tuple[int | None, Why | None]:
    if start is Start.BY_THEN:
        return None, Why.START_UNKNOWN
    return (length, None) if length >= 0 else (None, Why.NEGATIVE_DURATION)
