"""A deal whose status stands apart from its stage: open, won or lost wherever it is."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, count, groupby
from operator import attrgetter
from typing import Any

import attrs
from attrs import frozen

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Facts, Item
from salespipeline.connectors._logs import DealLog
from salespipeline.connectors._systems import System
from salespipeline.pipelines import Outcome, Pipeline

ATTRIBUTES = "attributes."
"""What the field of a change begins with where it is an attribute."""


@frozen
class Apart(System):
    """A system whose deals are won and lost apart from their stages."""

    def closing(self, pipeline: str, outcome: Outcome) -> str:
        """The stage in which a deal of an outcome is; of a pipeline that is not known, its name."""
        known = self.pipelines.get(pipeline)
        return outcome.value if known is None else known.closing(outcome)

    def outcome(self, pipeline: str | None, stage: str) -> Outcome:
        """What a stage means; one of no pipeline known is taken for what its name says."""
        known = None if pipeline is None else self.pipelines.get(pipeline)
        if known is not None and stage in known:
            return known.outcome(stage)
        return Outcome(stage) if stage in _CLOSED else Outcome.OPEN

    def pipeline_of(self, stage: str) -> str | None:
        """The pipeline that a stage is in, or None where it is in none known, or in several."""
        known = [key for key, each in self.pipelines.items() if stage in each.keys]
        return known[0] if len(known) == 1 else None

    def first_stage(self, pipeline: str) -> str | None:
        """The first open stage of a pipeline, or None where it is not known."""
        known: Pipeline | None = self.pipelines.get(pipeline)
        stages = () if known is None else known.stages
        return next((each.key for each in stages if each.outcome is Outcome.OPEN), None)


_CLOSED = frozenset({Outcome.WON.value, Outcome.LOST.value})


@frozen
class Change:
    """One field that got another value.

    Attributes:
        at: When.
        field: Which: as `DealLog` names it, ``status``, ``contact``, or ``attributes.`` and a name.
        old: What it was, or None.
        new: What it is from then on, or None.
        said: Who did it, as what, and the id of the change.
        item: What a problem of it is reported of.
        column: Where its new value stands.
    """

    at: datetime
    field: str
    old: Any
    new: Any
    said: Facts
    item: Item = attrs.field(eq=False)
    column: str = ""


class Course:
    """The events of one deal being written.

    Attributes:
        log: Where they are written.
    """

    def __init__(self, log: DealLog, ground: Apart, *, stage_name: str) -> None:
        self.log = log
        self._ground = ground
        self._stage_name = stage_name
        self._pipeline = ""
        self._stage = ""
        self._status = Outcome.OPEN
        self._ids: set[str] = set()
        self._is_beside = False  # whether the stage was changed while the deal was closed

    def begin(self, facts: Facts) -> None:
        """Write the opening, in the place that its stage, pipeline and status say."""
        self._pipeline, self._stage = facts["pipeline"], facts["stage"]
        self._status = facts["status"]
        said = {name: each for name, each in facts.items() if each is not None}
        said.pop("status")
        if (contact := said.pop("contact", None)) is not None:
            said["contacts"] = (contact,)
        own = said.pop("probability", None)
        self._ids.add(said["event_id"])
        self.log.happen({**said, **self._place()})
        if own is not None:
            signed: Facts = {
                name: said[name] for name in ("at", "by", "role", "basis") if name in said
            }
            named = self._unique(f"{said['event_id']}/probability")
            self.log.happen({**signed, "event_id": named, "probability": own})

    def go_on(self, changes: Iterable[Change]) -> None:
        """Write changes, which are in order; those of one instant together."""
        for _, together in groupby(changes, key=attrgetter("at")):
            self._happen(list(together))

    def _place(self) -> Facts:
        closed = self._status is not Outcome.OPEN
        stage = self._ground.closing(self._pipeline, self._status) if closed else self._stage
        return {"pipeline": self._pipeline, "stage": stage}

    def _happen(self, changes: Sequence[Change]) -> None:
        """Write what changed at one instant: the place, the status, and then the rest."""
        fields: dict[str, list[Change]] = {}
        for change in changes:
            fields.setdefault(change.field, []).append(change)
        pipelines, stages = fields.pop("pipeline", []), fields.pop("stage", [])
        for change in pipelines:
            self._pipeline = change.new
        for change in stages or pipelines[-1:]:
            self._enter(change)
        statuses = fields.pop("status", [])
        final: dict[str, Any] = {}
        if any(change.new is not Outcome.OPEN for change in statuses):
            final = {
                name: fields.pop(name)[-1].new for name in ("reason", "amount") if name in fields
            }
        for change in statuses:
            self._status = change.new
            self._write(change, {**final, **self._place()})
            self._show_stage(change)
        for change in changes:
            if change.field == "contact":
                self._link(change)
            elif change.field in fields:
                self._write(change, _facts(change))

    def _enter(self, change: Change) -> None:
        if change.field == "stage":
            self._stage = change.new
            self._pipeline = self._ground.pipeline_of(self._stage) or self._pipeline
        if self._status is Outcome.OPEN:
            self._write(change, self._place())
        else:
            self._is_beside = True
            self._write(change, {"attributes": Attributes({self._stage_name: self._stage})})

    def _show_stage(self, change: Change) -> None:
        """Take away the stage that was kept beside a closed deal once it shows its stage itself."""
        if self._is_beside and self._status is Outcome.OPEN:
            self._is_beside = False
            gone = {"attributes": Attributes({self._stage_name: None})}
            self._write(change, gone, part=self._stage_name)

    def _write(self, change: Change, facts: Facts, *, part: str = "") -> None:
        """Write what a change means; a part of it beside the first is known by its own id."""
        said = dict(change.said)
        if "event_id" in said:
            name = said["event_id"]
            said["event_id"] = self._unique(f"{name}/{part}" if part else name)
        self.log.happen({"at": change.at, **said, **facts})

    def _unique(self, name: str) -> str:
        """An id that no event of the deal has yet: the name, or it and a number."""
        numbered = (f"{name}#{number}" for number in count(2))
        found = next(each for each in chain([name], numbered) if each not in self._ids)
        self._ids.add(found)
        return found

    def _link(self, change: Change) -> None:
        """Write that another contact takes part in the deal, or none any longer."""
        if change.new is not None:
            self._write(change, {"contact_linked": change.new})
        if change.old is not None:
            part = "" if change.new is None else "left"
            self._write(change, {"contact_unlinked": change.old}, part=part)


def _facts(change: Change) -> Facts:
    """A change as a log takes it."""
    if change.field == "reason":
        return {"attributes": Attributes({"lost_reason": change.new})}
    if change.field.startswith(ATTRIBUTES):
        return {"attributes": Attributes({change.field.removeprefix(ATTRIBUTES): change.new})}
    return {change.field: change.new}
