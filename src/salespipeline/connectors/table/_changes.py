"""Rows of a field history, each a change of one field, told as what happened to their record."""

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen

from salespipeline.attributes import EMPTY, Attributes
from salespipeline.connectors._items import Facts
from salespipeline.connectors.table._mapping import ATTRIBUTE, TableMapping
from salespipeline.connectors.table._rows import Placed, Row, Told
from salespipeline.events import Start

BEGINNINGS = ("opened", "created")
"""The fields whose change is the beginning of the record."""

_DAY = timedelta(days=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_STAMP = ("at", "by", "role", "recorded_at", "event_id")
_RANKS = {"stage": 0, "pipeline": 1, "lead_status": 2}


def tell_changes(placed: Placed, mapping: TableMapping) -> Told:
    """What the changes of one record say happened: its beginning, then the rest in order."""
    ordered = sorted(placed, key=_place)
    known = _Known.of([facts for _, facts in ordered], mapping)
    begin = known.beginning(mapping)
    course = _Course([facts for _, facts in ordered], begin)
    told: Told = [(row, [course.tell(row, facts)]) for row, facts in ordered]
    row, [first] = told[0]
    told[0] = row, [_joined(begin, first)] if known.is_begun_by_first(mapping) else [begin, first]
    return told


def _place(each: tuple[Row, Facts]) -> tuple[bool, int, datetime, int]:
    """Where a change belongs: by number, else by instant; there a stage comes before the rest."""
    facts = each[1]
    if "sequence" in facts:
        return facts["field"] not in BEGINNINGS, facts["sequence"], _EARLIEST, 0
    return facts["field"] not in BEGINNINGS, 0, facts["at"], _RANKS.get(facts["field"], 3)


def _joined(begin: Facts, first: Facts) -> Facts:
    """A beginning that the first row tells, with who told it."""
    attributes = {**begin["attributes"], **first.get("attributes", EMPTY)}
    return {**begin, **first, "at": begin["at"], "attributes": Attributes(attributes)}


@frozen
class _Known:
    """What the changes of one record tell of its beginning.

    Attributes:
        first: The first change.
        firsts: By field, its first change.
        old: By field, what it was before that, where the row says.
        since: The earliest instant of a change.
        begun: When the record began, where a row or a column says, else None.
        had_begun: Whether it was there before its first change: a deal that was in a stage, a
            contact of which anything was known.
    """

    first: Facts
    firsts: dict[str, Facts]
    old: dict[str, Any]
    since: datetime
    begun: datetime | None
    had_begun: bool

    @classmethod
    def of(cls, changes: list[Facts], mapping: TableMapping) -> "_Known":
        """What the changes tell, in their order."""
        firsts: dict[str, Facts] = {}
        for change in changes:
            firsts.setdefault(change["field"], change)
        old = {field: change["old"] for field, change in firsts.items() if "old" in change}
        since = min(change["at"] for change in changes)
        is_deal = mapping.record == "deal"
        had_begun = "stage" not in firsts.keys() - old.keys() if is_deal else bool(old)
        field = "opened" if is_deal else "created"
        stated = (change[field] for change in changes if field in change)
        begun: datetime | None = next(stated, None)
        if (first := changes[0])["field"] in BEGINNINGS:
            begun = first.get("new", first["at"])
        return cls(first, firsts, old, since, begun, had_begun)

    def is_begun_by_first(self, mapping: TableMapping) -> bool:
        """Whether the first row is the beginning itself, and no change after it."""
        if self.first["field"] in BEGINNINGS:
            return True
        sets_first = self.begun is None and not self.had_begun
        return sets_first and (mapping.record == "contact" or self.first["field"] == "stage")

    def beginning(self, mapping: TableMapping) -> dict[str, Any]:
        """The facts that the record began with."""
        facts = self._values()
        is_by_then = self.begun is None and self.had_begun
        facts["start"] = Start.BY_THEN if is_by_then else Start.EXACT
        first = _just_before(self.since) if is_by_then else self.first["at"]
        facts["at"] = first if self.begun is None else self.begun
        if mapping.record == "deal":
            facts |= self._standing(mapping)
            is_opening = facts.get("stage") in {None, mapping.opening_stage}
            facts["observed_from"] = None if is_opening else self._observed_from(facts["at"])
        elif "stage" in self.old or "lead_status" in self.old:
            facts["observed_from"] = self._observed_from(facts["at"])
        return facts

    def _values(self) -> dict[str, Any]:
        """The old values as facts, the attributes among them gathered, and with them a reason."""
        facts = {name: value for name, value in self.old.items() if name not in BEGINNINGS}
        attributes = {
            name.removeprefix(ATTRIBUTE): facts.pop(name)
            for name in self.old
            if name.startswith(ATTRIBUTE)
        }
        if "reason" in facts:
            attributes[self.firsts["reason"]["named"]] = facts["reason"]
        return facts | {"attributes": Attributes(attributes)}

    def _standing(self, mapping: TableMapping) -> Facts:
        """Where a deal stood at its beginning: as far as is said, else in the opening stage."""
        standing: dict[str, Any] = {
            field: self.firsts[field].get("old", self.firsts[field]["new"])
            for field in ("stage", "pipeline")
            if field in self.firsts
        }
        pipeline = mapping.known(standing.get("pipeline"))
        opening = mapping.opening_stage
        if opening is not None and (pipeline is None or opening in pipeline):
            standing.setdefault("stage", opening)
        return standing

    def _observed_from(self, begun: datetime) -> datetime | None:
        """From when on the state is known; None where its changes reach back to the beginning."""
        since = self.since
        if not self.old.keys() & {"stage", "lead_status"}:
            since = self.firsts["stage"]["at"]
        elif self.first["field"] in BEGINNINGS:
            return None
        return None if since - begun < _DAY else _just_before(since)


def _just_before(at: datetime) -> datetime:
    """The last instant before a change: what the change enters is entered after it."""
    return at if at == _EARLIEST else at - datetime.resolution


class _Course:
    """What a record's changes tell, one after the other."""

    def __init__(self, changes: list[Facts], begin: Facts) -> None:
        # A stage, a pipeline and a reason of one instant are one happening, told in several rows.
        self._stages, self._pipelines, self._reasons = (
            {each["at"]: each.get("new") for each in changes if each["field"] == field}
            for field in ("stage", "pipeline", "reason")
        )
        self._standing = {name: begin.get(name) for name in ("stage", "lead_status")}
        self._reason: str | None = begin.get("reason")
        self._is_odd = False

    def tell(self, row: Row, facts: Facts) -> Facts:
        """What one change says happened."""
        field, new = facts["field"], facts.get("new")
        said: dict[str, Any] = {name: facts[name] for name in _STAMP if name in facts}
        if field in self._standing:
            self._check(row, facts)
        if field == "stage":
            said |= self._stage(facts)
        elif field == "pipeline":
            said |= self._pipeline(facts)
        elif field == "reason":
            self._reason = new
            said["attributes"] = Attributes({facts["named"]: new})
        elif field.startswith(ATTRIBUTE):
            said["attributes"] = Attributes({field.removeprefix(ATTRIBUTE): new})
        elif field not in BEGINNINGS:
            said[field] = new
        return said

    def _check(self, row: Row, facts: Facts) -> None:
        """Report an old state that is not the one before."""
        before, field = self._standing[facts["field"]], facts["field"]
        if before is not None and facts.get("old", before) != before:
            reason = f"it was {str(before)!r} by the change before; what came between is not known"
            row.note_for("old", reason)
        self._standing[field] = facts.get("new", before if field == "stage" else None)

    def _pipeline(self, facts: Facts) -> Facts:
        """A pipeline entered, with the stage of the same instant, else in the stage before."""
        stage = self._stages.get(facts["at"], self._standing["stage"])
        return {"pipeline": facts["new"]} | ({} if stage is None else {"stage": stage})

    def _stage(self, facts: Facts) -> Facts:
        """A stage entered; one that is none of the lifecycle is kept under its own name."""
        at, named = facts["at"], facts["named"]
        if "new" not in facts:
            self._is_odd = True
            return {"attributes": Attributes({named: facts["odd"]})}
        said: dict[str, Any] = {"stage": facts["new"]}
        if self._is_odd:
            self._is_odd = False
            said["attributes"] = Attributes({named: None})
        if at in self._pipelines:
            said["pipeline"] = self._pipelines[at]
        reason = self._reasons.get(at, self._reason)
        return said if reason is None else said | {"reason": reason}
