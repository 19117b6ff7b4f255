"""Rows of any table, with a declared mapping, as the histories of deals or contacts.

A row is a mapping of column names to cells: what `csv.DictReader` yields, or
``DataFrame.to_dict("records")``. The mapping is plain data, such as `tomllib` reads.
Four shapes are read: ``records``, one row for each record with a column for each date;
``events``, one row for each event; ``stays``, one row for each stay in a stage; ``changes``, one
row for each change of a field. Nothing that was broken in the past is refused; the audit finds it
later.

Cells that hold None, NaN, NaT, empty text or a declared token are absent. A row whose id, instant
or state cannot be read is refused whole; any other cell that cannot be read is taken for absent;
both are reported as problems. Rows used and rows refused add up to the rows.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from salespipeline.connectors._items import (
    Facts,
    Problem,
    Read,
    RowRefusedError,
    cells_of,
    walked,
)
from salespipeline.connectors._logs import ContactLog, DealLog, Log
from salespipeline.connectors.table._changes import BEGINNINGS, tell_changes
from salespipeline.connectors.table._mapping import TableMapping, checked
from salespipeline.connectors.table._records import write_contact, write_deal
from salespipeline.connectors.table._rows import Placed, Row, Told, doors_of
from salespipeline.connectors.table._stays import tell_stays
from salespipeline.errors import InvalidValueError, SalesPipelineError, brief
from salespipeline.history import ContactHistory, DealHistory, History
from salespipeline.pipelines import Pipeline

H = TypeVar("H", bound=History[Any, Any])
L = TypeVar("L", bound=Log)

__all__ = ["Problem", "Read", "read_contacts", "read_deals"]


def read_deals(
    rows: Iterable[Mapping[str, object]],
    mapping: Mapping[str, object],
    *,
    pipelines: Iterable[Pipeline] = (),
) -> Read[DealHistory]:
    """The deals of a table.

    Args:
        rows: The rows.
        mapping: Which column is which field; see the page on mappings. Its record is ``deal``.
        pipelines: Pipelines beside those that the mapping declares; they say which stages are
            won and lost. A stage of none of them is kept, and taken for open.

    Raises:
        InvalidValueError: The mapping is at fault or names columns that the table lacks, or the
            rows stop being readable. Every fault is named.
        WrongTypeError: The rows or the mapping are none.

    >>> mapping = {
    ...     "record": "deal", "zone": "UTC", "currency": "EUR", "opening_stage": "meeting",
    ...     "columns": {"id": "ID", "opened": "Since", "stage": "Stage", "amount": "Value"},
    ... }
    >>> rows = [{"ID": "7", "Since": "2026-03-01", "Stage": "meeting", "Value": 12.5}]
    >>> [history] = read_deals(rows, mapping).histories
    >>> history.latest.amount
    Money('12.50', 'EUR')
    """
    table = _checked(mapping, "deal", pipelines)
    return _read(rows, _Reading(table, DealLog, write_deal), DealHistory)


def read_contacts(
    rows: Iterable[Mapping[str, object]], mapping: Mapping[str, object]
) -> Read[ContactHistory]:
    """The contacts of a table.

    Args:
        rows: The rows.
        mapping: Which column is which field; see the page on mappings. Its record is
            ``contact``; its stages, after ``values.stage``, are keys of lifecycle stages.

    Raises:
        InvalidValueError: The mapping is at fault or names columns that the table lacks, or the
            rows stop being readable. Every fault is named.
        WrongTypeError: The rows or the mapping are none.

    >>> mapping = {
    ...     "record": "contact", "zone": "UTC", "values": {"stage": {"Sales lead": "lead"}},
    ...     "columns": {"id": "ID", "created": "Since", "stage": "Stage"},
    ... }
    >>> rows = [{"ID": "7", "Since": "2026-03-01", "Stage": "Sales lead"}]
    >>> [history] = read_contacts(rows, mapping).histories
    >>> print(history.latest.lifecycle_stage)
    lead
    """
    table = _checked(mapping, "contact", ())
    return _read(rows, _Reading(table, ContactLog, write_contact), ContactHistory)


def _checked(mapping: object, record: str, pipelines: Iterable[Pipeline]) -> TableMapping:
    try:
        table = checked(mapping, pipelines)
    except SalesPipelineError:
        raise
    except Exception as why:  # an object that cannot even be asked of what type it is
        fault = f"it holds something that cannot be read: {brief(why)}"
        raise InvalidValueError("mapping", (fault,)) from why
    if table.record != record:
        fault = f"its record is {table.record!r}; read it with read_{table.record}s"
        raise InvalidValueError("mapping", (fault,))
    return table


def _read(rows: object, reading: "_Reading[Any]", history: Callable[[Iterable[Any]], H]) -> Read[H]:
    for number, row in enumerate(walked(rows, _ROWS), 1):
        reading.take(number, row)
    logs = reading.finish()
    return Read(
        tuple(history(log.events) for log in logs),
        tuple(sorted(reading.problems, key=lambda problem: problem.row)),
        tuple(dict.fromkeys(each for _, each in sorted(reading.refused.items()) if each)),
        reading.rows - len(reading.refused),
        len(reading.refused),
        tuple(reading.mapping.pipelines.values()),
    )


_ROWS = "several mappings of columns to cells, as csv.DictReader or to_dict('records') give them"


class _Reading(Generic[L]):
    """A table being read: what is known of its records, and what was met on the way.

    Attributes:
        mapping: How it is read.
        rows: How many rows were taken.
        problems: What could not be read, in the order met.
        refused: The numbers of refused rows, each with the id of its record, where that is known.
    """

    def __init__(
        self,
        mapping: TableMapping,
        log: Callable[[str, TableMapping], L],
        write: Callable[[L, Row, Facts, TableMapping], None],
    ) -> None:
        self.mapping = mapping
        self.rows = 0
        self.problems: list[Problem] = []
        self.refused: dict[int, str | None] = {}
        self._doors = doors_of(mapping)
        self._log = log
        self._write = write
        self._logs: dict[str, L] = {}
        self._placed: dict[str, Placed] = {}
        self._event_ids: set[tuple[str, str]] = set()
        self._begun: set[str] = set()
        self._unseen = dict(mapping.places)
        self._columns: list[object] | None = None

    def take(self, number: int, given: object) -> None:
        """Use a row, or refuse it and say why."""
        self.rows = number
        cells = cells_of(given)
        if cells is None:
            reason = f"a row must be a mapping of columns to cells (got {brief(given)})"
            self.problems.append(Problem(number, None, given, reason, refused=True))
            self.refused[number] = None
            return
        self._see(cells)
        row = Row(number, cells, self.mapping, self._doors, self.problems)
        self._guarded(row, partial(self._place, row, cells))

    def finish(self) -> list[L]:
        """The logs of the records, in the order met, once every row is taken."""
        if self._columns is not None and self._unseen:
            there = brief(self._columns)
            raise InvalidValueError("mapping", tuple(
                f"{place} names the column {column!r}, which no row has; they have {there}"
                for place, column in self._unseen.items()
            ))  # fmt: skip
        for identity, placed in self._placed.items():
            log = self._log(identity, self.mapping)
            for row, said in _TELLERS[self.mapping.shape](placed, self.mapping):
                self._guarded(row, partial(_happen, log, row, said))
            if log.events:
                self._logs[identity] = log
        return list(self._logs.values())

    def _see(self, cells: Mapping[Any, Any]) -> None:
        if self._columns is None:
            self._columns = list(cells)
        if self._unseen:
            self._unseen = {at: name for at, name in self._unseen.items() if name not in cells}

    def _guarded(self, row: Row, use: Callable[[], None]) -> None:
        try:
            use()
        except RowRefusedError:
            self.refused[row.number] = row.identity

    def _place(self, row: Row, cells: Mapping[Any, Any]) -> None:
        identity = row.read_id()
        if None in cells:
            row.refuse_for(
                None, f"it has more cells than the table has columns: {brief(cells[None])}"
            )
        facts = row.facts()
        if self.mapping.shape != "records":
            self._check_event(row, identity, facts)
            self._placed.setdefault(identity, []).append((row, facts))
            return
        if identity in self._logs:
            row.refuse_for("id", "an earlier row has the same id")
        log = self._log(identity, self.mapping)
        self._write(log, row, facts, self.mapping)
        self._logs[identity] = log

    def _check_event(self, row: Row, identity: str, facts: Facts) -> None:
        at = "entered" if self.mapping.shape == "stays" else "at"
        if at not in facts:
            row.refuse_for(at, "it has no instant")
        if "sequence" in self.mapping.columns and "sequence" not in facts:
            row.refuse_for("sequence", "it has no number that says where it stands")
        if self.mapping.shape == "changes":
            self._check_change(row, identity, facts)
        elif facts.keys() <= _SAYS_NOTHING:
            row.refuse_for(None, "it says nothing that happened")
        elif self.mapping.shape == "stays" and not facts.keys() & {"stage", "lead_status"}:
            row.refuse_for("stage", "it has no stage that the record stayed in")
        event = (identity, facts.get("event_id", ""))
        if event in self._event_ids:
            row.refuse_for("event_id", "an earlier row of the record has the same id of an event")
        if event[1]:
            self._event_ids.add(event)

    def _check_change(self, row: Row, identity: str, facts: Facts) -> None:
        if "field" not in facts:
            row.refuse_for("field", "it has no name of a field")
        field: str = facts["field"]
        if self.mapping.record == "deal" and field in {"stage", "pipeline"} and "new" not in facts:
            row.refuse_for("new", f"a deal always has a {field}")
        if field in BEGINNINGS:
            if identity in self._begun:
                row.refuse_for("field", "an earlier row says when the record began")
            self._begun.add(identity)


_SAYS_NOTHING = frozenset({
    "at", "by", "role", "recorded_at", "event_id", "sequence", "pipeline", "reason", "entered",
    "left", "opened", "created",
})  # fmt: skip


def _tell_events(placed: Placed, _mapping: TableMapping) -> Told:
    ordered = sorted(placed, key=lambda each: each[1].get("sequence", 0))
    return [(row, [facts]) for row, facts in ordered]


_TELLERS: Mapping[str, Callable[[Placed, TableMapping], Told]] = {
    "events": _tell_events,
    "stays": tell_stays,
    "changes": tell_changes,
}


def _happen(log: Log, row: Row, said: list[Facts]) -> None:
    for facts in said:
        if (lacking := log.lacks(facts)) is not None:
            row.refuse_for(*lacking)
        log.happen(facts)
