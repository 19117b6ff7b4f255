"""Which stages deals stand in."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from salespipeline.history import DealHistory
from salespipeline.periods import utc
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Count, Tally, courses, grouping, tell


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


@asks()
def standings(
    deals: Iterable[DealHistory], *, as_of: datetime, by: str | None = None
) -> Tally[Standing]:
    """Count deals by the stage that they stand in, as known at an instant.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as of the instant.
    """
    at, group = utc(as_of, "as_of"), grouping(by)
    counts: dict[Any, list[int]] = {}
    for each in courses(deals, at):
        known, _, stays, outcome, _, amount, _ = each
        currency = None if amount is None else amount.currency
        tell(counts, (stays[-1][0], group and group(each, known[-1]), outcome, currency), amount)
    rows: dict[Standing, Count] = {}
    for (leg, of, outcome, currency), count in counts.items():
        row = Standing(of, leg.stage, outcome, currency)
        rows[row] = rows.get(row, Count(0)) + Count(*count)
    return Tally("standings", at, rows, by=by)
