"""What all tables of Salesforce say of one record, gathered before any of it is written down."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from salespipeline.attributes import EMPTY, Attributes
from salespipeline.connectors._items import Facts, Intake, Item, RowRefusedError
from salespipeline.connectors._logs import Log
from salespipeline.connectors.salesforce._rows import CELLS, Fields, Says, just_before

SAME_SAVE = timedelta(minutes=1)
"""How long after its creation the first row of a history may be written."""


class Change(NamedTuple):
    """What was said of a record at an instant.

    Attributes:
        at: The instant.
        rank: The place among changes of one instant: the state as a whole before single fields.
        event_id: The id of its row.
        says: What is so after it.
        before: What was so before it, of a row that says this; else None.
        by: Who made it, or None.
    """

    at: datetime
    rank: int
    event_id: str
    says: Says
    before: Says | None = None
    by: str | None = None


class Gathered:
    """One record, as far as it is known.

    Attributes:
        record: Its id.
        items: The rows that speak of it.
        present: The row that says how it stands now, or None.
        says: What that row says.
        changes: What its history says.
        created: When it was made, or None.
        by: Who made it, or None.
        modified: When the row that says how it stands now was last changed, or None.
        tracked: Since when its history says that it has been kept from its creation on, or None.
        names: How each field is spelt.
        seen: The instants by which it is known to have been there.
        deleted: When it was deleted; True where that is not known; else None.
        moved: When its state last changed, by the row that says how it stands now, or None.
        versions: The versions of it that a warehouse keeps: since when, whether deleted, and
            when it ended where no version is known to follow.
    """

    def __init__(self, record: str) -> None:
        self.record = record
        self.items: list[Item] = []
        self.present: Item | None = None
        self.says: Says = {}
        self.changes: list[Change] = []
        self.created: datetime | None = None
        self.by: str | None = None
        self.modified: datetime | None = None
        self.tracked: datetime | None = None
        self.names: dict[str, str] = {}
        self.seen: list[datetime] = []
        self.deleted: datetime | Literal[True] | None = None
        self.moved: datetime | None = None
        self.versions: list[tuple[datetime, bool, datetime | None]] = []
        self._ids = {record}

    def take(self, fields: Fields) -> None:
        """Take a row for one of the record's, and the spelling in which fields are met first."""
        self.names = {**fields.names, **self.names}
        self.items.append(fields.item)

    def sign(self, item: Item, column: str, given: str | None, otherwise: str) -> str:
        """The id of a row, its own or one made of what it says; refuse one that is taken."""
        if given is not None and given in self._ids:
            item.refuse(column, "an earlier row of the record has the same id", given)
        number, made = 1, given or otherwise
        while made in self._ids:
            number += 1
            made = f"{otherwise}:{number:06}"
        self._ids.add(made)
        return made

    def settle(self) -> None:
        """Put the changes in order; what the order of the rows was does not matter."""
        self.changes.sort(key=lambda change: (change.at, change.rank, change.event_id))
        self.created = self.created or self.tracked

    def first(self, key: str) -> Change | None:
        """The earliest change that speaks of a field."""
        return next((each for each in self.changes if key in each.says), None)

    def changed(self, key: str) -> bool:
        """Whether the earliest that speaks of a field says what it was before."""
        first = self.first(key)
        return first is not None and first.before is not None

    def at_first(self) -> Says:
        """How each field stood at the beginning, by the earliest that speaks of it."""
        found: Says = {}
        for change in self.changes:
            for key, value in (change.says if change.before is None else change.before).items():
                found.setdefault(key, value)
            for key in change.says:
                found.setdefault(key, None)
        return {**self.says, **found}

    def begun(self, at: datetime) -> datetime:
        """When the record was made, or else the earliest instant by which it was there."""
        told = (each.at if each.before is None else just_before(each.at) for each in self.changes)
        return self.created or min([at, *self.seen, *told])

    def began_complete(self, change: Change) -> bool:
        """Whether a change is of the save that made the record, or its history goes back so far."""
        if self.tracked is not None:
            return True
        if self.created is None or change.before is not None:
            return False
        return change.at - self.created <= SAME_SAVE

    def as_it_stands(self, state: Says) -> Change | None:
        """What the row that says how the record stands now adds to the state its history ends in.

        Where the row is newer than the history, that is all of it; else what no history tells.
        A row that does not say how new it is gives way, and the difference is reported.
        """
        if self.present is None or not self.changes:
            return None
        last = self.changes[-1].at
        is_newer = self.modified is not None and self.modified >= last
        for key, value in self.says.items() if self.modified is None else ():
            if self.first(key) and state.get(key) != value:
                reason = "its history ends with another, and that stands"
                self.present.note(self.names.get(key, key), reason, value)
        at = max(self.modified or last, last)
        event_id = self.sign(self.present, "", None, f"{self.record}:now:{at.isoformat()}")
        told = {key: value for key, value in self.says.items() if is_newer or not self.first(key)}
        return Change(at, 0, event_id, told)

    def end(self, log: Log, deleted: datetime | Literal[True] | None) -> None:
        """Write that the record was deleted, if it was; by when at the latest, if not when."""
        if deleted is None:
            return
        at = max([log.events[-1].at, *self.seen]) if deleted is True else deleted
        event_id = self.sign(self.items[0], "", None, f"{self.record}:IsDeleted")
        log.happen({"at": at, "deleted": True, "event_id": event_id})


class Records:
    """The records of one kind, in the order met."""

    def __init__(self, intake: Intake, tables: tuple[str, ...]) -> None:
        self._intake = intake
        self._tables = tables
        self._found: dict[str, Gathered] = {}

    def of(self, record: str) -> Gathered:
        """The record of an id."""
        found = self._found.get(record)
        if found is None:
            found = self._found[record] = Gathered(record)
        return found

    def __iter__(self) -> Iterator[Gathered]:
        """Those of which a row could be used."""
        return (each for each in self._found.values() if each.items)

    def give_up(self, gathered: Gathered, column: str, reason: str) -> None:
        """Refuse every row of a record that cannot be written."""
        for item in gathered.items:
            with suppress(RowRefusedError):
                item.refuse(column, reason)
            self._intake.used -= 1
            self._intake.refused.append(item.identity)

    def sort_problems(self) -> None:
        """Put the problems table by table, in the order of rows."""
        order = {table: place for place, table in enumerate(self._tables)}
        self._intake.problems.sort(key=lambda problem: (order[problem.table], problem.row))


def differing(was: Facts, now: Facts) -> dict[str, Any]:
    """What differs between two states; an attribute that is gone is None."""
    changed = {name: value for name, value in now.items() if was.get(name) != value}
    if "attributes" in changed:
        before: Attributes = was.get("attributes", EMPTY)
        gone = {name: None for name in before if name not in now["attributes"]}
        changed["attributes"] = Attributes({
            name: value
            for name, value in {**gone, **now["attributes"]}.items()
            if name not in before or before[name] != value
        })  # fmt: skip
    return changed


def tell(log: Log, change: Change, row: dict[str, Any]) -> None:
    """Write down what a change comes to, if it comes to anything."""
    if row:
        signed = {} if change.by is None else {"by": change.by}
        log.happen({"at": change.at, "event_id": change.event_id, **signed, **row})


def signed(record: Gathered, fields: Fields, otherwise: str) -> str:
    """The id of a row of a history; one made of what it says where it has none."""
    given = fields.read("id", CELLS.text, needed=True)
    return record.sign(fields.item, fields.column("id"), given, otherwise)
