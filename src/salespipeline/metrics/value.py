"""What deals are worth, and where the money stands."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import overload

from attrs import field, frozen

from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, AverageSize, Counting
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics.outcomes import CLOSED
from salespipeline.pipelines import Outcome, Pipeline, StageKey, by_key
from salespipeline.tallies import Lifetime, Standing, Tally, standings
from salespipeline.tallies._asking import asks

_NOW = Counting[DealHistory](standings, None, None)


@CLOSED.figure
def average_deal_size(tally: Tally[Lifetime], _level: float) -> AverageSize:
    """What won deals are worth: their number and amounts, whose mean is the average deal size.

    A won deal without an amount is counted, and is not in the mean.
    A period selects deals closed in it; a group is the one at closing.

    Definition:
        Formula: Σ amount of won deals ÷ won deals that have an amount.
        Denominator: won deals with an amount; those without are counted apart.
        Window: closing in the period; all time without one.
        Bias: a few large deals carry it; what is large may take longer to be won, and is late.
        Elsewhere: ActiveCampaign and most tools mean this by "average deal size".

    Returns:
        The amounts by currency; ask it for ``mean()`` or ``total()``.

    Source: ActiveCampaign, What is a sales pipeline? (average deal size).
    """
    return AverageSize.of(
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


@asks()
def deals_by_stage(
    deals: Iterable[DealHistory] | Tally[Standing],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
) -> Table[StageCount] | Groups[Hashable, Table[StageCount]]:
    """The number and amounts of the deals that stand in each stage, as of the instant.

    Definition:
        Formula: deals that stand in the stage, and Σ their amounts, by currency.
        Denominator: none; closed stages are told too.
        Window: the instant.
        Bias: none known; it is where deals stand, and says nothing of how many came that far.
        Elsewhere: krayin draws such counts as a funnel, which they are not.

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
    known = by_key(pipelines)

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


@frozen
class PipelineValue(Result):
    """The open deals and what they are worth.

    Attributes:
        amounts: The number and amounts of all open deals.
        parked: Of these, the deals on hold, in stages that the pipelines given call parked.
        stages: The same by stage.
    """

    amounts: Amounts
    parked: Amounts
    stages: Table[StageCount] = field(hash=False, repr=False)

    columns = ("amounts", "parked")


@overload
def pipeline_value(
    deals: Iterable[DealHistory] | Tally[Standing],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
) -> PipelineValue: ...


@overload
def pipeline_value(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
) -> Groups[Hashable, PipelineValue]: ...


@asks()
def pipeline_value(
    deals: Iterable[DealHistory] | Tally[Standing],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
) -> PipelineValue | Groups[Hashable, PipelineValue]:
    """What all open deals are worth together, and in each stage, at full amounts.

    Definition:
        Formula: Σ amount of the open deals, by currency.
        Denominator: open deals; one without an amount is counted and adds nothing.
        Window: the instant.
        Bias: it takes every deal for won; see the weighted value.
        Elsewhere: "total pipeline" or "open pipeline"; fivetran's dbt_salesforce leaves out open
            deals whose forecast category is most likely, and this one leaves out none.

    Args:
        deals: The histories of deals, or a tally of standings.
        as_of: The instant to judge from.
        by: A field of the deal, such as its owner, to group by as of the instant.
        pipelines: Their stages come first, in order, those without a deal included; they say
            which stages are parked.

    Returns:
        The amounts together, of parked deals among them, and by stage.
    """
    known = by_key(pipelines)

    def finish(tally: Tally[Standing], _level: float) -> PipelineValue:
        return _open_value(tally.where(lambda row: row.outcome is Outcome.OPEN), known)

    return _NOW.measure(finish, deals, as_of, None, by, 0.95)


def _open_value(tally: Tally[Standing], known: Mapping[str, Pipeline]) -> PipelineValue:
    aside = {
        (pipeline.key, stage.key)
        for pipeline in known.values()
        for stage in pipeline.stages
        if stage.parked
    }
    parked = tally.where(lambda row: in_use(row.stage, known) in aside)
    stages = (each for each in _by_stage(tally, known) if each.outcome is Outcome.OPEN)
    return PipelineValue(_amounts(tally), _amounts(parked), Table(stages))


def _amounts(tally: Tally[Standing]) -> Amounts:
    return Amounts.of((row.currency, count) for row, count in tally.rows.items())
