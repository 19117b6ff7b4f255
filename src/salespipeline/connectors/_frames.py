"""Pipelines put together from rows of pipelines and rows of their stages."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal

from attrs import frozen

from salespipeline.connectors._items import Intake, Item, Read
from salespipeline.connectors._members import Members, joined
from salespipeline.history import DealHistory
from salespipeline.pipelines import Outcome, Pipeline, Stage


@frozen
class Frame:
    """What a row says of a pipeline.

    Attributes:
        place: Where it stands among pipelines.
        weighs: Whether the probabilities of its stages are switched on.
    """

    name: str | None = None
    place: Decimal = Decimal(0)
    weighs: bool = True


@frozen
class StageRow:
    """What a row says of a stage.

    Attributes:
        frame_name: What it calls its pipeline.
        place: Where it stands in its pipeline; among equals, by ``second``.
    """

    name: str | None
    frame_name: str | None
    place: Decimal
    second: tuple[bool | int, ...]
    probability: Decimal | None = None
    rot_after: timedelta | None = None


class Frames:
    """Pipelines being put together.

    Args:
        link: The member of a stage's row that names its pipeline.
        read_frame: What the row of a pipeline says.
        read_stage: What the row of a stage says.
    """

    def __init__(
        self,
        link: str,
        read_frame: Callable[[Members], Frame],
        read_stage: Callable[[Members], StageRow],
    ) -> None:
        self._link = link
        self._read_frame = read_frame
        self._read_stage = read_stage
        self._frames: dict[str, Frame] = {}
        self._stages: dict[str, dict[str, StageRow]] = {}

    def read(
        self, pipelines: object, stages: object, *, what: str, tables: tuple[str, str]
    ) -> Read[DealHistory]:
        """The pipelines that their rows and those of their stages make."""
        intake, later = Intake(), Intake()
        later.each(stages, self._take_stage, what=what, table=tables[1])
        intake.each(pipelines, self._take_frame, what=what, table=tables[0])
        for key, rows in self._stages.items():
            names = (row.frame_name for row in rows.values() if row.frame_name is not None)
            self._frames.setdefault(key, Frame(next(names, None)))
        ordered = sorted(self._frames.items(), key=lambda each: each[1].place)
        made = [self._made(key, frame) for key, frame in ordered]
        return joined(intake, [later]).read(list[DealHistory](), made)

    def _take_stage(self, item: Item) -> None:
        members = Members(item, item.given)
        key = members.identity()
        pipeline = members.reference(self._link, needed=True)
        if pipeline is None:
            item.refuse(self._link, "it is of no pipeline")
        if key in _IMPLICIT:
            item.refuse("id", "a stage of this id is that of an implicit closing stage")
        if key in self._stages.get(pipeline, ()):
            item.refuse("id", "an earlier row has the same id")
        self._stages.setdefault(pipeline, {})[key] = self._read_stage(members)

    def _take_frame(self, item: Item) -> None:
        members = Members(item, item.given)
        key = members.identity()
        if key in self._frames:
            item.refuse("id", "an earlier row has the same id")
        if key not in self._stages:
            item.refuse(None, "it has no stages")
        self._frames[key] = self._read_frame(members)

    def _made(self, key: str, frame: Frame) -> Pipeline:
        rows = sorted(self._stages[key].items(), key=lambda each: (each[1].place, each[1].second))
        name = frame.name or f"Pipeline {key}"
        return Pipeline(key, _stages(rows, weighs=frame.weighs), name=name)


_IMPLICIT = frozenset({Outcome.WON.value, Outcome.LOST.value})


def _stages(rows: Iterable[tuple[str, StageRow]], *, weighs: bool) -> Iterable[Stage]:
    for key, row in rows:
        probability = row.probability if weighs else None
        yield Stage(
            key, row.name or f"Stage {key}", probability=probability, rot_after=row.rot_after
        )
