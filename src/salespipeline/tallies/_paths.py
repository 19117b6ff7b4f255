"""Which ways deals took through the stages, and how each way ended."""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, cast

from salespipeline._courses import ENTERING, Leg
from salespipeline._doors import choice
from salespipeline.events import Event
from salespipeline.history import DealHistory
from salespipeline.periods import utc
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Count, Known, Moment, Tally, courses, event_at, grouping


class Path(NamedTuple):
    """A row of `paths`: deals that took the same way.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        stages: The keys of the pipeline and of the stage of each visit, in order; of a closed
            deal those before it was closed for good, so that a closed stage among them is one
            that the deal was opened again from.
        outcome: Open, won or lost.
    """

    group: Hashable
    stages: tuple[StageKey, ...]
    outcome: Outcome


@asks()
def paths(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CLOSING,
) -> Tally[Path]:
    """Count deals by the way they took through the stages, as known at an instant.

    A deal is closed for good by the closing that is in force; what it did after that, such as
    going on to another won stage, is not part of the way.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by.
        by_at: When to read that field; for a deal that is open, closing is as of the instant.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    group = grouping(by)
    counts = Counter[Any]()
    for each in courses(deals, at):
        known, _, stays, outcome, closing, _, _ = each
        of = group and group(each, event_at(moment, each))
        number = len(stays) if closing is None else _visits_before(known, closing)
        counts[of, tuple([leg for leg, _ in stays]), number, outcome] += 1
    rows: Counter[Path] = Counter()
    for (of, legs, number, outcome), n in counts.items():
        stages = tuple(leg.stage for leg in cast("tuple[Leg, ...]", legs)[:number])
        rows[Path(of, stages, outcome)] += n
    table = {row: Count(n) for row, n in rows.items()}
    return Tally("paths", at, table, by=by, by_at=None if by is None else moment)


def _visits_before(known: Known, closing: Event) -> int:
    """How many visits began before the event that closed a deal."""
    number, stage, pipeline = 0, None, None
    for event in known:
        if type(event) not in ENTERING or event.sequence >= closing.sequence:
            continue
        if event.stage != stage or event.pipeline != pipeline:
            number, stage, pipeline = number + 1, event.stage, event.pipeline
    return number
