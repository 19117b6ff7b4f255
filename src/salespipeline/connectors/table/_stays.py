"""Rows of stays, each in one stage from one instant to another, told as what happened."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from salespipeline.connectors._items import Facts
from salespipeline.connectors.table._mapping import TableMapping
from salespipeline.connectors.table._records import began_in, first_stage
from salespipeline.connectors.table._rows import Placed, Row, Told

_NEVER = datetime.max.replace(tzinfo=UTC)
_ROUNDED = timedelta(seconds=1)  # a warehouse ends a version a millisecond before the next
_LONGEST_DAY = timedelta(hours=25)


def tell_stays(placed: Placed, mapping: TableMapping) -> Told:
    """What the stays of one record say happened, in the order in which they were entered."""
    ordered = sorted(placed, key=lambda each: _place(each[1]))
    for field in ("stage", "lead_status"):
        _note_ends([each for each in ordered if field in each[1]], mapping)
    told: Told = [(row, [_entry(facts)]) for row, facts in ordered]
    begun: datetime | None = ordered[0][1].get("opened", ordered[0][1].get("created"))
    if begun is not None:
        told[0] = ordered[0][0], _beginning(*ordered[0], mapping, begun)
    return told


def _place(facts: Facts) -> tuple[int, datetime, datetime]:
    """Where a stay belongs: by number, else by its beginning, then its end."""
    ended = facts["left"][0] if "left" in facts else _NEVER
    return facts.get("sequence", 0), facts["entered"], ended


def _entry(facts: Facts) -> dict[str, Any]:
    apart = {"entered", "left", "opened", "created"}
    return {name: fact for name, fact in facts.items() if name not in apart} | {
        "at": facts["entered"]
    }


def _beginning(row: Row, facts: Facts, mapping: TableMapping, begun: datetime) -> list[Facts]:
    """What the first stay says, after a beginning that is known by itself."""
    entry, path = _entry(facts), [(facts["entered"], facts.get("stage", ""))]
    if mapping.record == "contact":
        if facts["entered"] > begun:
            return [{"at": begun}, entry]
        first_stage(row, path, begun)
        return [entry | {"at": begun}]
    stage, known = began_in(row, facts, mapping, path, begun)
    first: Facts = {"at": begun, "observed_from": None if known else begun, "stage": stage}
    if not path:
        return [{**entry, **first}]
    return [{**first, **{name: facts[name] for name in ("pipeline",) if name in facts}}, entry]


def _note_ends(ordered: Placed, mapping: TableMapping) -> None:
    """Report each end that is not when the next stay began: a history knows no gap."""
    if "left" not in mapping.columns:
        return
    for (row, facts), (_, after) in pairwise(ordered):
        began: datetime = after["entered"]
        if "left" not in facts:
            row.note_for("left", f"it has no end, and the next stay began at {began.isoformat()}")
        elif not _meets(facts["left"], began):
            row.note_for(
                "left",
                f"it does not meet the next stay, which began at "
                f"{began.isoformat()}; the record stayed until then",
            )
    if ordered and "left" in ordered[-1][1]:
        ordered[-1][0].note_for("left", "no stay follows; the record is taken to be still there")


def _meets(end: tuple[datetime, bool], entered: datetime) -> bool:
    """Whether a stay ended when the next began, as exactly as its end is told."""
    left, is_day = end
    latest = _LONGEST_DAY if is_day else _ROUNDED
    return -_ROUNDED <= entered - left <= latest
