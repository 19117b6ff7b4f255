"""How long deals lived, and how they ended."""

from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from salespipeline._doors import choice, instances
from salespipeline.deals import Deal
from salespipeline.events import Event, Opened, Start
from salespipeline.history import DealHistory
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._counting import (
    Known,
    Moment,
    Tally,
    Why,
    courses,
    grouping,
    measure,
    stepper,
    table,
    tell,
)


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
    step, length, group = stepper(steps), measure(zone, resolution), grouping(Deal, by)
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
        tell(counts, key, amount)
    rows, read = table(counts, Lifetime), None if by is None else moment
    return Tally("lifetimes", at, rows, steps, resolution, zone, by, read)


def _event_at(moment: Moment, known: Known, closing: Event | None) -> Event:
    """The event after which a deal's group is read."""
    last: Event = known[0] if moment is Moment.CREATION else known[-1]
    return closing if moment is Moment.CLOSING and closing is not None else last


def _age(opened: Opened, length: int) -> tuple[int | None, Why | None]:
    if opened.start is Start.BY_THEN:
        return None, Why.START_UNKNOWN
    return (length, None) if length >= 0 else (None, Why.NEGATIVE_DURATION)
