"""Every change of the open pipeline, event by event."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from salespipeline._doors import instance, instances
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError
from salespipeline.events import ActivityRecorded, Deleted, Event, Merged, Opened, Voided
from salespipeline.history import DealHistory
from salespipeline.money import Money
from salespipeline.periods import Period, check_zone, midnight, on
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._book import of_field
from salespipeline.tallies._counting import Known, Tally, several, stepper, stranger, table


class BridgeTerm(StrEnum):
    """What a change of the open pipeline is put down to, in the order of a bridge."""

    START = "start"
    NEW = "new"
    REOPENED = "reopened"
    MOVED_IN = "moved_in"
    INCREASED = "increased"
    DECREASED = "decreased"
    MOVED_OUT = "moved_out"
    WON = "won"
    LOST = "lost"
    TRANSFERRED = "transferred"
    REDENOMINATED = "redenominated"
    CORRECTED = "corrected"
    RATE_CHANGE = "rate_change"
    END = "end"
    WON_BESIDE = "won_beside"


class Flow(NamedTuple):
    """A row of `flows`: changes of the open pipeline that are alike.

    Its count holds how many changes there were, and the amount that came in, less what left.

    Attributes:
        group: The value of what deals are grouped by, where the amount came in or was.
        step: The number of the period.
        term: What the change is put down to; or what stood at the period's start or end.
        currency: The currency of the amount, or None of deals without one.
        stage: The keys of the pipeline and of the stage in which the amount came in or was.
    """

    group: Hashable
    step: int
    term: BridgeTerm
    currency: str | None
    stage: StageKey


class _State(NamedTuple):
    """What a bridge asks of a deal; None in its place stands for a deal that is not there."""

    outcome: Outcome
    there: bool
    group: Hashable
    amount: Money | None
    stage: StageKey


_Reading: TypeAlias = Callable[[Deal | None], _State | None]
_Units: TypeAlias = tuple[str | None, int]
_Change: TypeAlias = tuple[BridgeTerm, _State, _Units]

_CORRECTING = frozenset({Voided, Deleted, Merged})
_MOMENT = timedelta(microseconds=1)
_CLOSING = {Outcome.WON: BridgeTerm.WON, Outcome.LOST: BridgeTerm.LOST}


@asks(window=Period, net=bool)
def flows(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: str | None = None,
    window: Period | None = None,
    net: bool = False,
    zone: tzinfo = UTC,
) -> Tally[Flow]:
    """Sum what came into the open pipeline, left it and changed in it, in each period.

    Knowledge is walked through: an event counts at the instant from which it had both happened
    and been recorded, and a period begins and ends with what was known just before its instants.

    Args:
        deals: The histories of deals.
        periods: Periods that do not overlap, in order; the tally is as of the end of the last.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was just then.
        window: The due dates that count: a deal is in the pipeline while it is open and
            expected to close in it. Every open deal if not given.
        net: Whether to compare only the two ends of a period, instead of taking each event.
        zone: The zone whose calendar dates due dates are.
    """
    steps = instances(Period, periods, "periods")
    if not steps:
        raise InvalidValueError("periods", ("there is none",))
    stepper(steps)
    read = _reading(of_field(by), window, zone)
    counts: dict[Any, list[int]] = {}
    for deal in several(deals, DealHistory):
        if type(deal) is not DealHistory:
            raise stranger(DealHistory, deal)
        for number, step in enumerate(steps):
            for term, state, (currency, minor) in _bridged(*_walk(deal, step, read), net=net):
                key = (state.group, number, term, currency, state.stage)
                row = counts.setdefault(key, [0, 0])
                row[0] += 1
                row[1] += minor
    asked = (("window", window), ("net", net))
    rows = table(counts, Flow)
    return Tally("flows", steps[-1].end - _MOMENT, rows, steps, None, zone, by, settings=asked)


def _bridged(
    before: _State | None, walk: Iterable[tuple[type, _State | None]], *, net: bool
) -> Iterator[_Change]:
    """All that a deal gives to the bridge of one period."""
    if before is not None and before.there:
        yield BridgeTerm.START, before, _units(before.amount)
    last = before
    for kind, after in walk:
        if not net:
            yield from _changes(last, after, kind)
        last = after
    if net:
        yield from _net_changes(before, last)
    if last is not None and last.there:
        yield BridgeTerm.END, last, _units(last.amount)


def _reading(
    group: Callable[[Any], Hashable] | None, window: Period | None, zone: tzinfo
) -> _Reading:
    """How to read from a snapshot what a bridge asks of it."""
    check_zone(zone)
    due = None if window is None else due_within(window, zone)

    def read(deal: Deal | None) -> _State | None:
        if deal is None:
            return None
        there = deal.outcome is Outcome.OPEN and (due is None or due(deal.expected_close))
        of = group and group(deal)
        return _State(deal.outcome, there, of, deal.amount, (deal.pipeline, deal.stage))

    return read


def due_within(window: Period, zone: tzinfo, name: str = "window") -> Callable[[date | None], bool]:
    """How to tell whether a date, if there is one, begins within a period."""
    asked = instance(Period, window, name)
    first, end = _first_day(asked.start, zone), _first_day(asked.end, zone)
    return lambda day: day is not None and first <= day < end


def _first_day(at: datetime, zone: tzinfo) -> date:
    """The first date that begins at an instant or later."""
    day = on(at, zone)
    return day if midnight(day, zone) >= at else day + timedelta(days=1)


# The states of a deal in a period, one after the other


def _walk(
    deal: DealHistory, step: Period, read: _Reading
) -> tuple[_State | None, Iterable[tuple[type, _State | None]]]:
    """The state just before a period, and each event that becomes known in it with that after."""
    events = deal.events
    if deal.settled_at != events[-1].at:
        return _walk_knowledge(deal, step, read)
    if events[0].at >= step.end:
        return None, ()
    if deal.settled_at < step.start:
        return _settled(deal, read), ()
    before = Deal.replay(event for event in events if event.at < step.start)
    within = [event for event in events if step.start <= event.at < step.end]
    return read(before), _follow(before, within, read)


def _settled(deal: DealHistory, read: _Reading) -> _State | None:
    """The state after all events; of a closed deal nobody asks more."""
    return read(Deal.replay(deal.events)) if deal.whole_course.closing is None else None


def _follow(
    deal: Deal | None, events: Iterable[Event], read: _Reading
) -> Iterator[tuple[type, _State | None]]:
    for event in events:
        kind = type(event)
        if kind is not ActivityRecorded:
            deal = Deal.replay((event,)) if deal is None else deal.follow(event)
            yield kind, read(deal)


def _known_at(event: Event) -> datetime:
    """The instant from which an event had happened and was recorded."""
    recorded = event.recorded_at
    return event.at if recorded is None or recorded < event.at else recorded


def _walk_knowledge(
    deal: DealHistory, step: Period, read: _Reading
) -> tuple[_State | None, Iterable[tuple[type, _State | None]]]:
    """The same of a history that was learnt of in another order than it is told in."""
    instants = sorted({at for at in map(_known_at, deal.events) if step.start <= at < step.end})
    before = deal.standing(step.start - _MOMENT)
    return read(Deal.replay(before)), _learn(deal, instants, read)


def _learn(
    deal: DealHistory, instants: Iterable[datetime], read: _Reading
) -> Iterator[tuple[type, _State | None]]:
    """At each instant first what is now known not to hold, or to hold again; then what is new."""
    for at in instants:
        known = deal.standing(at)
        fresh = [
            event
            for event in known
            if event is deal.events[event.sequence - 1] and _known_at(event) == at
        ]
        new = {event.sequence for event in fresh}
        held: list[Any] = [event for event in known if event.sequence not in new]
        yield Voided, read(_replayed(held))
        for event in fresh:
            held = sorted((*held, event), key=_sequence)
            yield type(event), read(_replayed(held))


def _sequence(event: Event) -> int:
    return event.sequence


def _replayed(events: Known) -> Deal | None:
    """The snapshot after events; None while nothing is known of the deal's beginning."""
    return Deal.replay(events) if events and type(events[0]) is Opened else None


# What a change from one state to the next is put down to


def _changes(before: _State | None, after: _State | None, kind: type) -> Iterator[_Change]:
    """The terms of one event."""
    if kind in _CORRECTING or after is None:
        yield from _corrected(before, after)
    elif before is not None and before.there:
        yield from _worth(before, after.amount)
        if not after.there:
            yield _leaving(after), before, _units(after.amount, -1)
        elif after.group != before.group:
            yield BridgeTerm.TRANSFERRED, before, _units(after.amount, -1)
            yield BridgeTerm.TRANSFERRED, after, _units(after.amount)
    else:
        yield from _entering(before, after)


def _net_changes(before: _State | None, after: _State | None) -> Iterator[_Change]:
    """The term of the two ends of a period; two where a deal changed in worth and in group."""
    if before is not None and before.there and after is not None and not after.there:
        yield _leaving(after), before, _units(before.amount, -1)
    else:
        yield from _changes(before, after, Opened)


def _units(amount: Money | None, sign: int = 1) -> _Units:
    return (None, 0) if amount is None else (amount.currency, sign * amount.minor)


def _corrected(before: _State | None, after: _State | None) -> Iterator[_Change]:
    """What was taken back and put in its place."""
    was = before if before is not None and before.there else None
    now = after if after is not None and after.there else None
    if was and now and was.group == now.group:
        currency, gain = _gain(was.amount, now.amount)
        if was.amount == now.amount:
            return
        if currency is not None:
            yield BridgeTerm.CORRECTED, now, (currency, gain)
            return
    if was:
        yield BridgeTerm.CORRECTED, was, _units(was.amount, -1)
    if now:
        yield BridgeTerm.CORRECTED, now, _units(now.amount)


def _gain(old: Money | None, now: Money | None) -> _Units:
    """What an amount rose by; in no currency where it came in another."""
    if old is None or now is None:
        return _units(now) if old is None else _units(old, -1)
    if old.currency != now.currency:
        return None, 0
    return now.currency, now.minor - old.minor


def _leaving(after: _State) -> BridgeTerm:
    return _CLOSING.get(after.outcome, BridgeTerm.MOVED_OUT)


def _entering(before: _State | None, after: _State) -> Iterator[_Change]:
    """What a deal that was not in the pipeline came in by; or that it was won beside it."""
    if after.there:
        if before is None:
            term = BridgeTerm.NEW
        elif before.outcome is Outcome.OPEN:
            term = BridgeTerm.MOVED_IN
        else:
            term = BridgeTerm.REOPENED
        yield term, after, _units(after.amount)
    elif after.outcome is Outcome.WON and (before is None or before.outcome is not Outcome.WON):
        yield BridgeTerm.WON_BESIDE, after, _units(after.amount)


def _worth(before: _State, now: Money | None) -> Iterator[_Change]:
    """What another amount is put down to."""
    old = before.amount
    if old == now:
        return
    currency, gain = _gain(old, now)
    if currency is None:
        yield BridgeTerm.REDENOMINATED, before, _units(old, -1)
        yield BridgeTerm.REDENOMINATED, before, _units(now)
    elif now is None or gain < 0:
        yield BridgeTerm.DECREASED, before, (currency, gain)
    else:
        yield BridgeTerm.INCREASED, before, (currency, gain)
