"""A system that records are read from: its name, its pipelines, the order of what it tells."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from attrs import frozen

from salespipeline.connectors._items import Facts
from salespipeline.pipelines import Outcome, Pipeline


class Ground(Protocol):
    """What a log knows of the system that its record is from."""

    @property
    def system(self) -> str | None:
        """Its name."""
        ...

    @property
    def pipeline(self) -> str | None:
        """The key of the pipeline where nothing else is said, or None."""
        ...

    def outcome(self, pipeline: str | None, stage: str) -> Outcome:
        """What a stage means."""
        ...


@frozen
class System:
    """A system and its pipelines.

    Attributes:
        system: Its name, which every event keeps.
        pipelines: Its pipelines by key.
        pipeline: The key of the pipeline where nothing else is said, or None.
    """

    system: str
    pipelines: Mapping[str, Pipeline]
    pipeline: str | None = None

    def outcome(self, pipeline: str | None, stage: str) -> Outcome:
        """What a stage means; one of no pipeline known is taken for open."""
        return outcome_in(self.pipelines, pipeline, stage)


def outcome_in(pipelines: Mapping[str, Pipeline], pipeline: str | None, stage: str) -> Outcome:
    """What a stage means; one of no pipeline known is taken for open."""
    known = None if pipeline is None else pipelines.get(pipeline)
    return known.outcome(stage) if known is not None and stage in known else Outcome.OPEN


def in_order(changes: Iterable[Facts]) -> list[Facts]:
    """Changes by instant; at equal instants a stage comes before a status, both before the rest."""
    return sorted(changes, key=_place)


def _place(change: Facts) -> tuple[object, int]:
    rank = 0 if "stage" in change else 1 if "lead_status" in change else 2
    return change["at"], rank
