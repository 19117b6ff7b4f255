"""A row of dates written down as the events that it amounts to."""

from datetime import datetime, timedelta
from typing import TypeAlias

from salespipeline._doors import choice
from salespipeline.connectors._items import Facts
from salespipeline.connectors._logs import ContactLog, DealLog
from salespipeline.connectors.table._mapping import TableMapping
from salespipeline.connectors.table._rows import Row
from salespipeline.events import Start
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import Outcome

Path: TypeAlias = list[tuple[datetime, str]]
"""Stages with the instants at which they were entered, in order."""

_DAY = timedelta(days=1)


def _dated(facts: Facts) -> Path:
    """The stages with a date, in its order; on one instant the present stage comes last."""
    dated = ((at, stage) for stage, at in facts.get("entered", {}).items())
    return sorted(dated, key=lambda each: (each[0], each[1] == facts.get("stage")))


def _begun(
    row: Row, facts: Facts, field: str, mapping: TableMapping, path: Path
) -> tuple[datetime, Start]:
    """When a record began, or an instant by which it had begun."""
    if field in facts:
        return facts[field], Start.EXACT
    entries = [at for at, _ in path]
    if "entered" in facts and path[0][1] == mapping.opening_stage:
        return entries[0], Start.EXACT
    if mapping.exported is not None:
        return min((mapping.exported, *entries)), Start.BY_THEN
    if "entered" in facts:
        return min(entries), Start.BY_THEN
    return row.refuse_for(field, "it has no beginning, and the mapping names no missing_start")


def first_stage(row: Row, path: Path, begun: datetime) -> str:
    """The first stage, taken off the path; its own date is reported where it is far too early."""
    at, stage = path.pop(0)
    if begun - at >= _DAY:
        row.note_for(f"entered.{stage}", "it is before the record began; the stage began with it")
    return stage


def write_deal(log: DealLog, row: Row, facts: Facts, mapping: TableMapping) -> None:
    """Write the events of a row that is a deal."""
    if (lacking := log.lacks(facts)) is not None:
        row.refuse_for(*lacking)
    key = facts.get("pipeline", mapping.pipeline)
    closed = mapping.outcome(key, facts["stage"]) is not Outcome.OPEN
    path = _path(row, facts, mapping, key)
    begun, start = _begun(row, facts, "opened", mapping, path)
    first, known = began_in(row, facts, mapping, path, begun)
    opening = {**facts, "stage": first}
    if closed:
        opening.pop("amount", None)  # what the deal was worth is known of its close only
    log.begin(begun, opening, start=start, observed_from=None if known else begun)
    for number, (at, stage) in enumerate(path, 1):
        said: Facts = facts if closed and number == len(path) else {}
        log.enter(at, {**said, "stage": stage})


def _path(row: Row, facts: Facts, mapping: TableMapping, pipeline: str | None) -> Path:
    """The stages that a deal is known to have entered, the one it is in last."""
    stage, path = facts["stage"], _dated(facts)
    outcome = mapping.outcome(pipeline, stage)
    if outcome is Outcome.OPEN and "closed" in facts and not _is_shared(mapping):
        row.note_for("closed", "the deal is open; its closing date is left out")
    if path and path[-1][1] == stage:
        if (
            outcome is not Outcome.OPEN
            and abs(facts.get("closed", path[-1][0]) - path[-1][0]) >= _DAY
        ):
            row.note_for("closed", f"{stage!r} has a date of its own, and that stands")
        return path
    if outcome is not Outcome.OPEN:
        if "closed" not in facts:
            row.refuse_for("closed", f"the deal is {outcome.value}, and has no closing date")
        return [*path, (facts["closed"], stage)]
    if path and mapping.outcome(pipeline, path[-1][1]) is not Outcome.OPEN:
        row.refuse_for(
            "stage", f"the deal is open, and {path[-1][1]!r} is the last stage with a date"
        )
    if path:
        row.note_for("stage", f"it is not the last stage with a date; {path[-1][1]!r} stands")
    return path


def _is_shared(mapping: TableMapping) -> bool:
    """Whether one column holds the expected closing date of open deals and that of closed ones."""
    return mapping.columns["closed"] == mapping.columns.get("expected_close")


def began_in(
    row: Row, facts: Facts, mapping: TableMapping, path: Path, begun: datetime
) -> tuple[str, bool]:
    """The stage that a deal began in, taken off its path, and whether its entry is known."""
    key = facts.get("pipeline", mapping.pipeline)
    pipeline, declared = mapping.pipelines.get(key), mapping.opening_stage
    if pipeline is not None and declared not in pipeline:
        declared = None
    if not path:
        return facts["stage"], facts["stage"] == declared
    at, stage = path[0]
    is_open = mapping.outcome(key, stage) is Outcome.OPEN
    if at <= begun and is_open and declared in {None, stage}:
        return first_stage(row, path, begun), True
    if declared is not None:
        return declared, True
    if pipeline is None:
        return stage, False
    return next(each.key for each in pipeline.stages if each.outcome is Outcome.OPEN), False


def _lifecycle(stage: str) -> LifecycleStage:
    return choice(LifecycleStage, stage, "entered")


def write_contact(log: ContactLog, row: Row, facts: Facts, mapping: TableMapping) -> None:
    """Write the events of a row that is a contact."""
    path = _dated(facts)
    begun, start = _begun(row, facts, "created", mapping, path)
    stage, undated = facts.get("stage"), "stage" in facts or "lead_status" in facts
    if path:
        furthest = max(_lifecycle(entered) for _, entered in path)
        if stage not in {None, furthest}:
            row.note_for(
                "stage", f"{furthest.value!r} is the furthest stage with a date, and stands"
            )
        stage = _lifecycle(first_stage(row, path, begun)) if path[0][0] <= begun else None
        undated = "lead_status" in facts
    log.begin(
        begun, {**facts, "stage": stage}, start=start, observed_from=begun if undated else None
    )
    for at, entered in path:
        log.reach(at, {"stage": _lifecycle(entered)})
