"""What counting reads of a deal's events, worked out once, and told alike of deals alike."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import sub
from typing import Any, NamedTuple

from attrs import frozen

from salespipeline.events import (
    AmountChanged,
    Created,
    Lost,
    Merged,
    Moved,
    Opened,
    Reopened,
    Start,
    Won,
)
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, StageKey


@frozen(eq=False)
class Leg:
    """A visit without its instants, shared by every deal that takes the same way.

    Attributes:
        stage: The stage visited.
        number: 1 for the deal's first visit to it, 2 for the second, and so on.
        next: The stage visited next, or None for the last.
        latest: Whether it is the deal's last visit to the stage.
    """

    stage: StageKey
    number: int
    next: StageKey | None
    latest: bool


class Course(NamedTuple):
    """What counting reads of a deal's events, worked out once.

    Attributes:
        known: The events that hold, the opening first.
        known_from: The instant up to which a visit may have begun earlier than its event says,
            or None where every entry is known.
        stays: The visits in order, each with its length in calendar days of UTC; the last, which
            has not ended, with the proleptic ordinal of the date on which it began.
        outcome: How the deal stands.
        closing: The event that closed it, or None while it is open.
        amount: What it is worth, or None.
        kinds: Which kinds of events they are; one set for all deals alike.
    """

    known: tuple[Any, ...]
    known_from: datetime | None
    stays: tuple[tuple[Leg, int], ...]
    outcome: Outcome
    closing: Opened | Won | Lost | None
    amount: Money | None
    kinds: frozenset[type]


def entries_known_from(first: Created | Opened) -> datetime | None:
    """The instant up to which visits may have begun earlier than their events say, or None."""
    begun = first.at if first.start is Start.BY_THEN else None
    if begun is None or first.observed_from is None:
        return first.observed_from or begun
    return max(begun, first.observed_from)


@lru_cache(maxsize=4096)
def _legs(stages: tuple[StageKey, ...]) -> tuple[Leg, ...]:
    following = (*stages[1:], None)
    return tuple(
        Leg(
            stage, stages[:place].count(stage) + 1, following[place], stage not in following[place:]
        )
        for place, stage in enumerate(stages)
    )


def course(known: tuple[Any, ...], *, stays: bool = True) -> Course:
    """What counting reads of the events of a deal that hold.

    Args:
        known: The events.
        stays: Whether to work out the visits, which takes longest; else there are none.
    """
    amount = known[0].amount
    closing = None if known[0].outcome is Outcome.OPEN else known[0]
    stages: list[StageKey] = []
    days: list[int] = []
    stage = pipeline = None
    for event in known:
        kind = event.__class__
        if kind in ENTERING:
            if event.stage != stage or event.pipeline != pipeline:
                stage, pipeline = event.stage, event.pipeline
                stages.append((event.pipeline, event.stage))
                days.append(event.at.toordinal())
            if kind is Won or kind is Lost:
                closing = event
                amount = amount if event.amount is None else event.amount
            elif kind is Reopened:
                closing = None
        elif kind is AmountChanged:
            amount = event.amount
        elif kind is Merged and amount is None and event.creation is not None:
            amount = event.creation.amount
    visits: tuple[tuple[Leg, int], ...] = ()
    if stays:
        lengths = (*map(sub, days[1:], days), days[-1])
        visits = tuple(map(_shared, _legs(tuple(stages)), lengths))
    unknown_until = entries_known_from(known[0])
    kinds = _once(frozenset(map(type, known)))
    return Course(known, unknown_until, visits, outcome_of(closing), closing, amount, kinds)


@lru_cache(maxsize=4096)
def _once(kinds: frozenset[type]) -> frozenset[type]:
    return kinds


@lru_cache(maxsize=65536)
def _shared(leg: Leg, days: int) -> tuple[Leg, int]:
    """One pair for all deals alike: a body of records holds few, so that counting them is fast."""
    return leg, days


ENTERING = frozenset({Opened, Moved, Won, Lost, Reopened})
"""The events that put a deal into a stage."""


@frozen(eq=False)
class Life:
    """How long a deal lived, in calendar days of UTC, shared by every deal alike.

    Attributes:
        outcome: How it stands.
        days: The days from the opening to the closing; of an open deal the proleptic ordinal of
            the date on which it was opened.
        entry: How many days after the opening its history begins to be complete, from 0 on.
        start: Whether it is known when it was opened.
        currency: The currency of its amount, or None without an amount.
    """

    outcome: Outcome
    days: int
    entry: int
    start: Start
    currency: str | None


def life_of(
    known: Sequence[Any],
    closing: Opened | Won | Lost | None,
    outcome: Outcome,
    amount: Money | None,
) -> Life:
    """The life of a deal, one object for all deals alike, so that counting them is fast."""
    first: Opened = known[0]
    opened = first.at.toordinal()
    days = opened if closing is None else closing.at.toordinal() - opened
    seen = first.observed_from
    entry = 0 if seen is None else max(0, seen.toordinal() - opened)
    return _alike(outcome, days, entry, first.start, None if amount is None else amount.currency)


_alike = lru_cache(maxsize=65536)(Life)


def outcome_of(closing: Opened | Won | Lost | None) -> Outcome:
    """How a deal stands, by the event that closed it."""
    if closing is None:
        return Outcome.OPEN
    if isinstance(closing, Opened):
        return closing.outcome
    return Outcome.WON if isinstance(closing, Won) else Outcome.LOST
