"""What Salesforce says of the stages of opportunities: as a pipeline, or by the way."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from salespipeline._doors import instances, repeated, text
from salespipeline.connectors._items import Intake, Item
from salespipeline.connectors.salesforce._rows import CELLS, Fields, category, flag, percent
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError
from salespipeline.events import ForecastCategory
from salespipeline.pipelines import Outcome, Pipeline, Stage

SYSTEM = "salesforce"
_OUTCOMES = tuple(Outcome)


class Stages:
    """The stages of opportunities: those of pipelines, and those that rows speak of.

    Args:
        pipelines: The pipelines given.
        record_types: By the id of a record type, the key of its pipeline.

    Attributes:
        system: Salesforce.
        pipeline: The key of the pipeline of any other record type: the first given.

    Raises:
        InvalidValueError: A pipeline is given twice, or a record type names none. All are named.
        WrongTypeError: They are none.
    """

    system = SYSTEM

    def __init__(self, pipelines: Iterable[Pipeline], record_types: Mapping[str, str]) -> None:
        given = instances(Pipeline, pipelines, "pipelines")
        if not isinstance(record_types, Mapping):
            raise WrongTypeError("record_types", "a mapping of ids to pipelines", record_types)
        twice = repeated(each.key for each in given)
        if twice:
            faults = tuple(f"the pipeline {key!r} is given twice" for key in twice)
            raise InvalidValueError("pipelines", faults)
        self._given = {each.key: each for each in given}
        self._types = {
            text(kind, "record_types"): text(key, "record_types")
            for kind, key in record_types.items()
        }
        self.pipeline: str = next(iter(self._given), SYSTEM)
        self._said: dict[tuple[str, str], Outcome] = {}
        self._met: dict[tuple[str, str], Decimal | None] = {}

    def of(self, record_type: str | None) -> str:
        """The key of the pipeline of a record type."""
        return self.pipeline if record_type is None else self._types.get(record_type, self.pipeline)

    def record_types(self) -> dict[str, str]:
        """By pipeline, the id of the record type that alone stands for it."""
        many = repeated(self._types.values())
        return {key: kind for kind, key in self._types.items() if key not in many}

    def outcome(self, pipeline: str | None, stage: str) -> Outcome:
        """What a stage means: by its pipeline, else by the rows; else it is taken for open."""
        known = self._given.get(pipeline or "")
        if known is not None and stage in known:
            return known.outcome(stage)
        return self._said.get((pipeline or "", stage), Outcome.OPEN)

    def stage(self, pipeline: str, stage: str) -> Stage | None:
        """A stage of a pipeline given, or None."""
        known = self._given.get(pipeline)
        return known.stage(stage) if known is not None and stage in known else None

    def meet(self, pipeline: str, stage: str, chance: Decimal | None = None) -> None:
        """Take note of a stage that a deal is in, with the least chance met in it."""
        before = self._met.get((pipeline, stage))
        chances = [each for each in (before, chance) if each is not None]
        self._met[pipeline, stage] = min(chances, default=None)

    def learn(self, fields: Fields, pipeline: str, stage: str) -> None:
        """Take what a row says of the stage that it is in; what was said before stands."""
        said = _outcome_of(fields)
        if said is None:
            return
        stands = self._said.setdefault((pipeline, stage), said)
        known = self._given.get(pipeline)
        if known is not None and stage in known:
            stands = known.outcome(stage)
        if stands is not said:
            column = fields.column("iswon")
            reason = f"{stage!r} is {stands.value} elsewhere, here {said.value}; the first stands"
            fields.item.note(column, reason, fields.value("iswon"))

    def opening(self, pipeline: str) -> str:
        """The stage in which a deal of a pipeline is taken to begin where nothing says."""
        known = self._given.get(pipeline)
        keys = self._ordered(pipeline) if known is None else known.keys
        openings = (key for key in keys if self.outcome(pipeline, key) is Outcome.OPEN)
        return next(openings, Outcome.OPEN.value)

    def pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines given, and those that can be made of what the rows say."""
        others = dict.fromkeys(key for key, _ in self._met if key not in self._given)
        made = (self._made(key) for key in others)
        return (*self._given.values(), *(each for each in made if each is not None))

    def _made(self, pipeline: str) -> Pipeline | None:
        keys = dict.fromkeys([self.opening(pipeline), *self._ordered(pipeline)])
        stages = [Stage(key, key, self.outcome(pipeline, key)) for key in keys]
        try:
            return Pipeline(pipeline, stages, source="what the rows of Salesforce say")
        except SalesPipelineError:  # an open stage has the key of an implicit closed one
            return None

    def _ordered(self, pipeline: str) -> list[str]:
        """The stages met: open, won, lost; within each by the least chance met, then by key."""
        found = [
            (_OUTCOMES.index(self.outcome(pipeline, stage)), chance or 0, stage)
            for (key, stage), chance in self._met.items()
            if key == pipeline
        ]
        return [stage for _, _, stage in sorted(found)]


def _outcome_of(fields: Fields) -> Outcome | None:
    """What a row says of its stage; None where it says too little, or contradicts itself."""
    is_closed, is_won = fields.read("isclosed", flag), fields.read("iswon", flag)
    if is_won and is_closed is False:
        fields.item.note(fields.column("iswon"), "it is won, and not closed", True)
        return None
    if is_won:
        return Outcome.WON
    if is_closed is False:
        return Outcome.OPEN
    return Outcome.LOST if is_closed and is_won is False else None


def stages_of(rows: object) -> list[tuple[Stage, ForecastCategory | None]]:
    """The stages of the rows of OpportunityStage, the active ones first, each in its order.

    Raises:
        InvalidValueError: A row cannot be used, or a cell of it cannot be read. All are named.
        WrongTypeError: They are no rows.
    """
    intake = Intake()
    found: list[tuple[bool, Any, Stage, ForecastCategory | None]] = []

    def use(item: Item) -> None:
        fields = Fields(item)
        key = fields.identity("apiname", "masterlabel")
        outcome = _outcome_of(fields)
        if outcome is None:
            item.refuse(None, "it does not say whether it is open, won or lost", key)
        stage = Stage(
            key,
            fields.read("masterlabel", CELLS.text) or key,
            outcome,
            fields.read("defaultprobability", percent),
            meaning=fields.read("description", CELLS.text) or "",
        )
        place = fields.read("sortorder", CELLS.whole)
        is_retired = fields.read("isactive", flag) is False
        found.append((is_retired, (place is None, place or 0, stage.name), stage, _named(fields)))

    intake.each(rows, use, what="several rows of OpportunityStage")
    if intake.problems:
        faults = (f"row {p.row}, {p.column or 'as a whole'}: {p.reason}" for p in intake.problems)
        raise InvalidValueError("stages", tuple(faults))
    return [(stage, said) for _, _, stage, said in sorted(found, key=lambda each: each[:2])]


def _named(fields: Fields) -> ForecastCategory | None:
    names = (fields.read(key, CELLS.text) for key in ("forecastcategory", "forecastcategoryname"))
    return next((found for name in names if name and (found := category(name))), None)
