"""What deals are worth, and where the money stands."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import overload

from attrs import frozen

from salespipeline._doors import instances
from salespipeline.history import DealHistory, StageKey
from salespipeline.metrics._figure import Amounts, Counting
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics.outcomes import CLOSED
from salespipeline.pipelines import Outcome, Pipeline
from salespipeline.tallies import Lifetime, Standing, Tally, standings

_NOW = Counting[DealHistory](standings, None, None)


@CLOSED.figure
def average_deal_size(tally: Tally[Lifetime], _level: float) -> Amounts:
    """What won deals are worth: their number and amounts, whose mean is the average deal size.

    A won deal without an amount is counted, and is not in the mean.
    A period selects deals closed in it; a group is the one at closing.

    Returns:
        The amounts by currency; ask it for ``mean()`` or ``total()``.

    Source: ActiveCampaign, What is a sales pipeline? (average deal size).
    """
    return Amounts.of(
        (row.currency, count) for row, count in tally.rows.items() if row.outcome is Outcome.WON
    )


@frozen
class StageCount(Result):
    """The deals that stand in one stage.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        outcome: How deals there stand.
        amounts: Their number and amounts by currency.
    """

    pipeline: str
    stage: str
    outcome: Outcome
    amounts: Amounts

    columns = ("pipeline", "stage", "outcome", "amounts")


@overload
def deals_by_stage(
    deals: Iterable[DealHistory] | Tally[Standing],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
) -> Table[StageCount]: ...


@overload
def deals_by_stage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
) -> Groups[Hashable, Table[StageCount]]: ...


def deals_by_stage(
    deals: Iterable[DealHistory] | Tally[Standing],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
) -> Table[StageCount] | Groups[Hashable, Table[StageCount]]:
    """The number and amounts of the deals that stand in each stage, as of the instant.

    Args:
        deals: The histories of deals, or a tally of standings.
        as_of: The instant to judge from.
        by: A field of the deal to group by, as of the instant.
        pipelines: Their stages come first, in order, those without a deal included; a deal in
            a retired stage counts in its successor.

    Returns:
        One entry per stage and outcome; stages of no pipeline given come last, in the order of
        their keys.
    """
    known = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}

    def finish(tally: Tally[Standing], _level: float) -> Table[StageCount]:
        return _by_stage(tally, known)

    return _NOW.measure(finish, deals, as_of, None, by, 0.95)


def in_use(stage: StageKey, known: Mapping[str, Pipeline]) -> StageKey:
    """A stage as its pipeline calls it now; as it is where the pipeline is not known."""
    pipeline, key = stage
    return (pipeline, known[pipeline].current(key)) if pipeline in known else stage


def _by_stage(tally: Tally[Standing], known: Mapping[str, Pipeline]) -> Table[StageCount]:
    found: dict[tuple[str, str, Outcome], list[Standing]] = {
        (pipeline.key, key, pipeline.outcome(key)): []
        for pipeline in known.values()
        for key in pipeline.keys
    }
    for row in sorted(tally.rows, key=lambda row: (row.stage, row.outcome)):
        found.setdefault((*in_use(row.stage, known), row.outcome), []).append(row)
    return Table(
        StageCount(*where, Amounts.of((row.currency, tally.rows[row]) for row in rows))
        for where, rows in found.items()
    )
