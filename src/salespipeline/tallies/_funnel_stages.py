"""Which stages are the steps of a funnel."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from salespipeline._doors import instance, repeated, text
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.pipelines import Outcome, Pipeline, StageKey


class FunnelStage(NamedTuple):
    """One step of a funnel: what it is called, and by which stages it is entered.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage; of several won stages the first.
        keys: The stages, retired ones included, that count as this step.
        wins: Whether a deal that was won has reached it, whatever its stage is called.
    """

    pipeline: str
    stage: str
    keys: frozenset[StageKey]
    wins: bool


def funnel_stages(
    pipeline: Pipeline | None, steps: Iterable[str | StageKey] | None
) -> tuple[FunnelStage, ...]:
    """The steps of a funnel: those named, or a pipeline's open stages and then winning.

    Parked stages are no steps of a pipeline, unless named.

    Raises:
        WrongTypeError: A step is neither a stage's key nor a pair of a pipeline's and a stage's.
        InvalidValueError: There is no step, one is unknown or occurs twice, or a stage is named
            alone where no pipeline is given.
    """
    known = None if pipeline is None else instance(Pipeline, pipeline, "pipeline")
    if steps is None:
        if known is None:
            raise InvalidValueError("steps", ("give a pipeline, or steps",))
        return _of_pipeline(known)
    named = [_named(step, known) for step in check_steps(steps)]
    found = [_step(of, key, known) for of, key in named]
    faults = [
        f"{brief(key)} is no stage of pipeline {brief(of)}"
        for of, key in named
        if known is not None and of == known.key and key not in known
    ]
    twice = repeated((step.pipeline, step.stage) for step in found)
    faults += [f"the step {brief(key)} occurs twice" for _, key in twice]
    if faults:
        raise InvalidValueError("steps", tuple(faults))
    return tuple(found)


def check_steps(steps: object) -> tuple[object, ...]:
    """Steps that are named, at least one.

    Raises:
        SalesPipelineError: They are not several, or there is none.
    """
    if isinstance(steps, str) or not isinstance(steps, Iterable):
        raise WrongTypeError("steps", "several keys of stages, or pairs of keys", steps)
    given = tuple(cast("Iterable[object]", steps))
    if not given:
        raise InvalidValueError("steps", ("there is none",))
    return given


def _named(step: object, known: Pipeline | None) -> StageKey:
    if isinstance(step, tuple | list):
        parts = tuple(cast("Iterable[object]", step))
        if len(parts) == 2:
            return text(parts[0], "steps"), text(parts[1], "steps")
        raise WrongTypeError("steps", "keys of stages, or pairs of keys", cast("object", step))
    if known is None and isinstance(step, str):
        fault = f"{brief(step)} alone is no stage: give its pipeline, or both keys"
        raise InvalidValueError("steps", (fault,))
    return "" if known is None else known.key, text(step, "steps")


def _of_pipeline(pipeline: Pipeline) -> tuple[FunnelStage, ...]:
    selling = [
        stage.key for stage in pipeline.stages if stage.outcome is Outcome.OPEN and not stage.parked
    ]
    winning = [key for key, outcome in pipeline.outcomes.items() if outcome is Outcome.WON]
    return (
        *(_step(pipeline.key, key, pipeline) for key in selling),
        FunnelStage(pipeline.key, winning[0], _keys(pipeline, winning), wins=True),
    )


def _step(of: str, key: str, known: Pipeline | None) -> FunnelStage:
    if known is None or of != known.key:
        return FunnelStage(of, key, frozenset({(of, key)}), wins=False)
    current = known.current(key)
    only = [each for each, outcome in known.outcomes.items() if outcome is Outcome.WON] == [current]
    return FunnelStage(of, current, _keys(known, (current,)), only)


def _keys(pipeline: Pipeline, stages: Sequence[str]) -> frozenset[StageKey]:
    """The keys of stages, with the retired ones that count for them."""
    retired = (old for old in pipeline.former if pipeline.current(old) in stages)
    return frozenset((pipeline.key, key) for key in (*stages, *retired))
