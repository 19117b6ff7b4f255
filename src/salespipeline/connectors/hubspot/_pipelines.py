"""Pipelines of HubSpot: what each stage means, which its probability alone does not say."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from attrs import define, evolve

from salespipeline.connectors._items import Item, cells_of
from salespipeline.connectors.hubspot._values import CELLS, held, text, truth
from salespipeline.errors import SalesPipelineError
from salespipeline.money import exact
from salespipeline.pipelines import Outcome, Pipeline, Stage, check_probability

_LAST = 10**9
_SAYS = "say which in outcomes"


@define
class DraftStage:
    """A stage of a pipeline, with its place.

    Attributes:
        stage: The stage.
        place: What it is ordered by: archived ones last, then by number, then by name.
    """

    stage: Stage
    place: tuple[bool, int, str]


def pipeline_of(item: Item, outcomes: Mapping[str, Outcome]) -> Pipeline:
    """A pipeline of the API; it is refused where it has no id, or no open stage."""
    given = item.given
    item.identity = item.read(held(given.get("id")), "id", text, needed=True)
    if item.identity is None:
        item.refuse("id", "it has no id")
    rows = given.get("stages")
    if not isinstance(rows, list | tuple):
        item.refuse("stages", "they must be a list", rows)
    stages: list[DraftStage] = []
    for number, row in enumerate(cast("list[object]", rows)):
        stage = _stage(item, f"stages[{number}]", row, outcomes)
        if stage is not None:
            stages.append(stage)
    return assembled(item, item.identity, _label(item, given, ""), stages)


def assembled(item: Item, key: str, name: str | None, stages: Iterable[DraftStage]) -> Pipeline:
    """A pipeline of its stages in order; refused where it contradicts itself."""
    ordered: dict[str, Stage] = {}
    for each in sorted(stages, key=lambda each: each.place):
        if each.stage.key in ordered:
            item.note("stages", "another stage has the same id", each.stage.key)
        else:
            ordered[each.stage.key] = each.stage
    if not ordered:
        item.refuse("stages", "it has no stage")
    try:
        made = Pipeline(key, ordered.values())
        return made if name is None else evolve(made, name=name)
    except SalesPipelineError as fault:
        item.refuse("stages", str(fault))


def _stage(
    item: Item, column: str, given: object, outcomes: Mapping[str, Outcome]
) -> DraftStage | None:
    row = cells_of(given)
    if row is None:
        item.note(column, "it must be a mapping", given)
        return None
    key = item.read(held(row.get("id")), f"{column}.id", text)
    if key is None:
        item.note(f"{column}.id", "a stage without an id is left out", row.get("id"))
        return None
    said = cells_of(row.get("metadata"))
    if said is None:
        item.note(f"{column}.metadata", "it must be a mapping", row.get("metadata"))
        said = {}
    column_of = f"{column}.metadata"
    closed = item.read(held(said.get("isClosed")), f"{column_of}.isClosed", truth)
    probability = item.read(
        held(said.get("probability")), f"{column_of}.probability", probability_of
    )
    outcome = outcomes.get(key) or _meant(item, column_of, probability, closed=closed)
    return _draft(item, row, column, Stage(key, outcome=outcome, probability=probability))


def _meant(item: Item, column: str, probability: Any, *, closed: bool | None) -> Outcome:
    """What a stage means: closed at probability 1 is won, at 0 lost; not closed is open."""
    if closed is False or (closed is None and probability is not None and 0 < probability < 1):
        return Outcome.OPEN
    if closed and probability in {0, 1}:
        return Outcome.WON if probability else Outcome.LOST
    reason = f"nothing says whether it is open, won or lost: taken for open; {_SAYS}"
    item.note(column, reason, {"isClosed": closed, "probability": probability})
    return Outcome.OPEN


def _draft(item: Item, row: Mapping[Any, Any], column: str, stage: Stage) -> DraftStage:
    name = _label(item, row, f"{column}.")
    archived = item.read(held(row.get("archived")), f"{column}.archived", truth) or False
    order = item.read(held(row.get("displayOrder")), f"{column}.displayOrder", CELLS.whole)
    if name is not None:
        stage = evolve(stage, name=name)
    return DraftStage(stage, (archived, _LAST if order is None else order, stage.name))


def _label(item: Item, row: Mapping[Any, Any], column: str) -> str | None:
    return item.read(held(row.get("label")), f"{column}label", text)


def probability_of(value: object, name: str) -> Any:
    """A probability as HubSpot writes one, such as ``"0.2"``."""
    if isinstance(value, float):
        value = float.__repr__(value)
    return check_probability(exact(value.strip() if isinstance(value, str) else value, name))
