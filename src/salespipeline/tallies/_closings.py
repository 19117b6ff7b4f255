"""Why deals were won or lost, and in which stage."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from salespipeline._courses import ENTERING
from salespipeline._doors import instances
from salespipeline.events import Lost, Opened, Won
from salespipeline.history import DealHistory
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Known,
    Moment,
    Tally,
    courses,
    grouping,
    stepper,
    table,
    tell,
)


class Closing(NamedTuple):
    """A row of `closings`: closed deals alike in how, why and from where they were closed.

    Attributes:
        group: The value of what they are grouped by, at closing; None without a grouping.
        closed: The number of the period they were closed in; None outside all.
        outcome: Won or lost.
        reason: The reason given, or None.
        stage: The keys of the pipeline and of the stage they were closed from; None for deals
            that were closed from the start.
        currency: The currency of their amount, or None without an amount.
    """

    group: Hashable
    closed: int | None
    outcome: Outcome
    reason: str | None
    stage: StageKey | None
    currency: str | None


@asks()
def closings(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    periods: Iterable[Period] = (),
) -> Tally[Closing]:
    """Count closed deals by how, why and from where they were closed, as known at an instant.

    A deal counts once, by the closing that is in force; one that was opened again is open, and
    is not counted.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was at closing.
        periods: Periods that do not overlap, in order, in which to place the closing.
    """
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    step, group = stepper(steps), grouping(by)
    counts: dict[Any, list[int]] = {}
    for each in courses(deals, at):
        known, _, _, outcome, closing, amount, _ = each
        if closing is None:
            continue
        key = (
            group and group(each, closing),
            step and step(closing.at),
            outcome,
            None if isinstance(closing, Opened) else closing.reason,
            None if isinstance(closing, Opened) else _stage_left(known, closing),
            None if amount is None else amount.currency,
        )
        tell(counts, key, amount)
    rows, read = table(counts, Closing), None if by is None else Moment.CLOSING
    return Tally("closings", at, rows, steps, by=by, by_at=read)


def _stage_left(known: Known, closing: Won | Lost) -> StageKey:
    """The stage that a deal was closed from: as its closing says, or else the one before it."""
    if closing.stage_left is not None:
        return closing.pipeline_left or closing.pipeline, closing.stage_left
    before = known[0]
    for event in known:
        if type(event) in ENTERING and event.sequence < closing.sequence:
            before = event
    return before.pipeline, before.stage
