"""What Pipedrive tells of a deal's past: its flow, or its log of changes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from attrs import evolve, frozen

from salespipeline.connectors._items import Facts, Intake, Item, cells_of
from salespipeline.connectors._members import (
    UTC_CELLS,
    Members,
    among,
    leaves,
    listed,
    number,
    percent,
    reference,
)
from salespipeline.connectors._standing import ATTRIBUTES, Change
from salespipeline.errors import brief
from salespipeline.events import Direction, NextStep, ProbabilityBasis

SYSTEM = "pipedrive"
ROWS = "a response of Pipedrive with its data, or the rows in it"
STATUSES = ("open", "won", "lost", "deleted")

FIELDS: Mapping[str, tuple[str, Callable[[object, str], Any]]] = {
    "title": ("title", UTC_CELLS.text),
    "status": ("status", among(*STATUSES)),
    "stage_id": ("stage", reference),
    "pipeline_id": ("pipeline", reference),
    "user_id": ("owner", reference),
    "owner_id": ("owner", reference),
    "org_id": ("account", reference),
    "person_id": ("contact", reference),
    "value": ("value", number),
    "currency": ("currency", UTC_CELLS.currency),
    "expected_close_date": ("expected_close", UTC_CELLS.day),
    "probability": ("probability", percent),
    "lost_reason": ("reason", UTC_CELLS.text),
}
"""By Pipedrive's key of a field, what we call it, and how its value is read."""

_PLACE = frozenset({"status", "stage", "pipeline"})


@frozen
class Log:
    """The past of one deal, as far as it is told.

    Attributes:
        changes: What changed, in order.
        created: The row that says when the deal was created, or None: then the log begins later.
    """

    changes: tuple[Change, ...] = ()
    created: Change | None = None

    @property
    def is_given(self) -> bool:
        """Whether anything is told at all."""
        return bool(self.changes) or self.created is not None


class LogReader:
    """The log of one deal being read.

    Attributes:
        intake: What was used and refused.
    """

    def __init__(self, deal: str) -> None:
        self.intake = Intake()
        self._deal = deal
        self._rows: list[list[Change]] = []
        self._seen: set[object] = set()

    def read(self, given: object) -> Log:
        """The log, from the response of the interface or the rows in it."""
        rows = listed(given, "data")
        self.intake.each(rows, self._take, what=ROWS, table=f"flow[{self._deal}]")
        told = [row for row in self._rows if row]
        if told and told[0][0].at >= told[-1][0].at:
            told.reverse()  # the newest stands first
        changes = sorted(chain.from_iterable(told), key=lambda change: change.at)
        created = next((each for each in changes if each.field == _CREATED), None)
        return Log(tuple(self._named(each) for each in changes if each is not created), created)

    def _named(self, change: Change) -> Change:
        """A change with an id: where its row has none, what it is of and when it was."""
        made = made_id(self._deal, change.field, change.at)
        return evolve(change, said={"event_id": made, **change.said})

    def _take(self, item: Item) -> None:
        item.identity = self._deal
        kind, row = _opened(item)
        for name in ("item_id", "deal_id"):
            if row.given.get(name) is not None and row.reference(name) not in {self._deal, None}:
                item.refuse(f"data.{name}", "it is of another deal", row.given[name])
        if kind == "dealChange":
            self._take_change(item, row)
        else:
            self._take_happening(item, kind, row)

    def _take_change(self, item: Item, row: Members) -> None:
        at = _at(item, row, "log_time", "time")
        key = row.text("field_key", needed=True)
        if key is None:
            item.refuse(row.column("field_key"), "it names no field")
        said = _said(row, "user_id", "actor_user_id")
        self._see(item, said.get("event_id", (key, at, *_shown(row))))
        if key == "add_time" and not row.holds("old_value"):
            new = row.instant("new_value", needed=True) or at
            self._rows.append([Change(at, _CREATED, None, new, said, item)])
        elif key in FIELDS:
            self._take_field(item, row, at, said, *FIELDS[key])
        else:
            self._take_attribute(item, row, at, said, key)

    def _take_field(
        self,
        item: Item,
        row: Members,
        at: datetime,
        said: Facts,
        field: str,
        how: Callable[[object, str], Any],
    ) -> None:
        old, new = row.read("old_value", how), row.read("new_value", how, needed=field in _PLACE)
        if new is None and field in _PLACE:
            item.refuse(row.column("new_value"), f"it says no new {field}")
        basis = {"basis": ProbabilityBasis.STICKY} if field == "probability" else {}
        column = row.column("new_value")
        self._rows.append([Change(at, field, old, new, {**said, **basis}, item, column)])

    def _take_attribute(
        self, item: Item, row: Members, at: datetime, said: Facts, key: str
    ) -> None:
        """Keep the change of a field that we have none for; an object changes leaf by leaf."""
        sides = [
            {path: row.leaf(name, leaf) for path, leaf in leaves(key, row.given.get(name))}
            for name in ("old_value", "new_value")
        ]
        old, new = sides
        told: list[Change] = []
        for path in {**old, **new}:
            named = {"event_id": f"{said['event_id']}/{path}"} if "event_id" in said else {}
            signed = said if path == key else {**said, **named}
            field = f"{ATTRIBUTES}{path}"
            told.append(Change(at, field, old.get(path), new.get(path), signed, item))
        self._rows.append(told)

    def _take_happening(self, item: Item, kind: str, row: Members) -> None:
        """Keep what is no change of a field: an activity, a note, a message, a file."""
        said = _said(row, "user_id", "assigned_to_user_id")
        if "event_id" in said:
            said["event_id"] = f"{kind}/{said['event_id']}"
            self._see(item, said["event_id"])
        if kind != "activity":
            direction = {"direction": Direction.OUTBOUND} if row.flag("sent_flag") else {}
            name = {"mailMessage": "email"}.get(kind, kind)
            at = _at(item, row)
            self._rows.append([Change(at, "activity", None, name, {**said, **direction}, item)])
            return
        name = row.text("type") or kind
        if row.flag("done"):
            at = _at(item, row, "marked_as_done_time")
            self._rows.append([Change(at, "activity", None, name, said, item)])
            return
        at = _at(item, row, "add_time")
        step = NextStep(row.text("subject") or name, row.read("due_date", UTC_CELLS.day))
        self._rows.append([Change(at, "next_step", None, step, said, item)])

    def _see(self, item: Item, mark: object) -> None:
        if mark in self._seen:
            item.refuse(None, "an earlier row says the same")
        self._seen.add(mark)


_CREATED = "created"


def made_id(record: str, field: str, at: datetime) -> str:
    """The id of a change that Pipedrive gives none: the same in every export."""
    return f"{record}/{field.removeprefix(ATTRIBUTES)}/{at.isoformat()}"


def _opened(item: Item) -> tuple[str, Members]:
    """What kind of thing a row tells, and what of it."""
    if "object" not in item.given:
        return "dealChange", Members(item, item.given)
    outer = Members(item, item.given)
    kind = outer.text("object", needed=True)
    held = cells_of(item.given.get("data"))
    if kind is None or held is None:
        item.refuse("data", "it says nothing that happened", item.given.get("data"))
    return kind, Members(item, held, prefix="data.")


def _at(item: Item, row: Members, *names: str) -> datetime:
    """When it happened, by the first of the members that says so, else by the row's own time."""
    for name in names:
        if (found := row.instant(name, needed=True)) is not None:
            return found
    found = Members(item, item.given).instant("timestamp", needed=True)
    return item.refuse("timestamp", "it has no instant") if found is None else found


def _said(row: Members, *actors: str) -> dict[str, Any]:
    """Who, as what, and the id of the row."""
    by = next((row.reference(name) for name in actors if row.holds(name)), None)
    said = {"by": by, "role": row.text("change_source"), "event_id": row.text("id")}
    return {name: each for name, each in said.items() if each is not None}


def _shown(row: Members) -> tuple[str, str]:
    return brief(row.given.get("old_value"), 200), brief(row.given.get("new_value"), 200)
