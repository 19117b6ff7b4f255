"""What deals are worth one by one, by how they stand."""

from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, TypeAlias

from salespipeline._doors import choice, instances
from salespipeline.history import DealHistory
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Count,
    Moment,
    Tally,
    courses,
    event_at,
    grouping,
    stepper,
)

Sizes: TypeAlias = dict[tuple[Hashable, Outcome, int | None, str | None], dict[int | None, int]]
"""How many deals there are of each amount, by group, outcome, period of closing and currency."""


class Size(NamedTuple):
    """A row of `amounts`: deals of one size that stand alike.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        outcome: Open, won or lost.
        closed: The number of the period they were closed in; None outside all, and while open.
        currency: The currency of their amount, or None without an amount.
        minor: The amount of each in minor units, or None without an amount.
    """

    group: Hashable
    outcome: Outcome
    closed: int | None
    currency: str | None
    minor: int | None


@asks()
def amounts(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CLOSING,
    periods: Iterable[Period] = (),
    outcome: Outcome | str | None = None,
) -> Tally[Size]:
    """Count deals by what each is worth, as known at an instant.

    Where amounts are seldom equal it has about as many rows as there are deals.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by.
        by_at: When to read that field; for a deal that is open, closing is as of the instant.
        periods: Periods that do not overlap, in order, in which to place closing.
        outcome: The one outcome whose deals to count; all if not given.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    steps = instances(Period, periods, "periods")
    only = None if outcome is None else choice(Outcome, outcome, "outcome")
    sizes = counted_sizes(deals, at=at, by=by, by_at=moment, periods=steps, outcome=only)
    asked, read = (("outcome", only),), None if by is None else moment
    return Tally("amounts", at, dict(_rows(sizes)), steps, by=by, by_at=read, settings=asked)


def counted_sizes(
    deals: Iterable[DealHistory],
    *,
    at: datetime,
    by: str | None,
    by_at: Moment,
    periods: tuple[Period, ...],
    outcome: Outcome | None,
) -> Sizes:
    """The same counts without a row for each: as many objects as deals are slow to keep."""
    step, group = stepper(periods), grouping(by)
    sizes: Sizes = {}
    for each in courses(deals, at):
        stands, closing, amount = each.outcome, each.closing, each.amount
        if outcome is not None and stands is not outcome:
            continue
        currency, minor = (None, None) if amount is None else (amount.currency, amount.minor)
        placed = step(closing.at) if step and closing else None
        key = (group and group(each, event_at(by_at, each)), stands, placed, currency)
        counts = sizes.get(key)
        if counts is None:
            sizes[key] = counts = {}
        counts[minor] = counts.get(minor, 0) + 1
    return sizes


def _rows(sizes: Sizes) -> Iterator[tuple[Size, Count]]:
    """One row for each size."""
    for (group, outcome, closed, currency), counts in sizes.items():
        for minor, n in counts.items():
            yield Size(group, outcome, closed, currency, minor), Count(n, n * (minor or 0))
