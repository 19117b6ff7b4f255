"""Rows of any table, with a declared mapping, as the histories of deals or contacts.

A row is a mapping of column names to cells: what `csv.DictReader` yields, or
``DataFrame.to_dict("records")``. The mapping is plain data, such as `tomllib` reads.
Two shapes are read: ``records``, one row for each record with a column for each date, and
``events``, one row for each event. Nothing that was broken in the past is refused; the audit
finds it later.

Cells that hold None, NaN, NaT, empty text or a declared token are absent. A row whose id, instant
or state cannot be read is refused whole; any other cell that cannot be read is taken for absent;
both are reported as problems. Rows used and rows refused add up to the rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from csv import Error as CsvError
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from attrs import frozen

from salespipeline._doors import choice
from salespipeline.attributes import EMPTY, Attributes, plain
from salespipeline.connectors._cells import Cells, Problem, Row, RowRefusedError
from salespipeline.connectors._logs import ContactLog, DealLog, Facts, Log
from salespipeline.connectors._mapping import TableMapping, checked
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import SaleType, Start
from salespipeline.history import ContactHistory, DealHistory, History
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline

H = TypeVar("H", bound=History[Any, Any])
L = TypeVar("L", bound=Log)

__all__ = ["Problem", "Read", "read_contacts", "read_deals"]


@frozen
class Read(Generic[H]):
    """What a table gave.

    Attributes:
        histories: One history per record, in the order in which records were met.
        problems: Every cell or row that could not be read, in the order of rows.
        incomplete: The ids of records that lost a row, in the order met.
        used: How many rows were used.
        refused: How many were refused.
        pipelines: The pipelines that the mapping declares or the caller gave.
    """

    histories: tuple[H, ...]
    problems: tuple[Problem, ...]
    incomplete: tuple[str, ...]
    used: int
    refused: int
    pipelines: tuple[Pipeline, ...] = ()


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
    return _read(rows, table, DealLog, _deal_record, DealHistory)


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
    """
    table = _checked(mapping, "contact", ())
    return _read(rows, table, ContactLog, _contact_record, ContactHistory)


def _checked(mapping: object, record: str, pipelines: Iterable[Pipeline]) -> TableMapping:
    table = checked(mapping, pipelines)
    if table.record != record:
        fault = f"its record is {table.record!r}; read it with read_{table.record}s"
        raise InvalidValueError("mapping", (fault,))
    return table


def _read(
    rows: Iterable[Mapping[str, object]],
    table: TableMapping,
    log: Callable[[str, TableMapping], L],
    record: Callable[[L, Row, Facts], None],
    history: Callable[[Iterable[Any]], H],
) -> Read[H]:
    reading = _Reading(table, log)
    for number, row in _numbered(rows, table):
        reading.take(number, row, record)
    written = reading.finish()
    return Read(
        tuple(history(each.events) for each in written),
        tuple(sorted(reading.problems, key=lambda problem: problem.row)),
        tuple(dict.fromkeys(reading.incomplete)),
        reading.used,
        reading.refused,
        tuple(table.pipelines.values()),
    )


def _numbered(
    rows: Iterable[Mapping[str, object]], table: TableMapping
) -> Iterator[tuple[int, object]]:
    """Each row with its number; the first shows whether the table has the mapping's columns."""
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        given: object = rows
        raise WrongTypeError("rows", "several mappings of column names to cells", given)
    number, walk = 0, iter(cast("Iterable[object]", rows))
    while True:
        try:
            row = next(walk)
        except StopIteration:
            return
        except (UnicodeError, CsvError) as fault:
            reason = f"they cannot be read after row {number}: {fault}"
            raise InvalidValueError("rows", (reason,)) from fault
        number += 1
        if number == 1 and isinstance(row, Mapping):
            missing = table.missing_from(cast("Mapping[Any, Any]", row))
            if missing:
                raise InvalidValueError("mapping", missing)
        yield number, row


class _Reading(Generic[L]):
    """A table being read: what was used, what was refused, and what was met on the way."""

    def __init__(self, table: TableMapping, log: Callable[[str, TableMapping], L]) -> None:
        self.problems: list[Problem] = []
        self.incomplete: list[str] = []
        self.used = 0
        self.refused = 0
        self._table = table
        self._log = log
        self._logs: dict[str, L] = {}
        self._events: dict[str, list[tuple[Row, Facts]]] = {}

    def take(self, number: int, cells: object, record: Callable[[L, Row, Facts], None]) -> None:
        """Use a row, or refuse it and say why."""
        given = cast("Mapping[Any, Any]", cells if isinstance(cells, Mapping) else {})
        row = Row(number, self._table.cells, self._table.columns, given)
        identity = None
        try:
            if not isinstance(cells, Mapping):
                row.refuse(None, cells, f"a row must be a mapping (got {brief(cells)})")
            if None in given:
                row.refuse(None, given[None], "it has more cells than the table has columns")
            identity = row.need("id", self._table.cells.text)
            facts = _facts(row, self._table, given)
            self._place(identity, row, facts, record)
        except RowRefusedError:
            self.refused += 1
            if identity is not None:
                self.incomplete.append(identity)
        else:
            self.used += 1
        self.problems += row.problems

    def _place(
        self, identity: str | None, row: Row, facts: Facts, record: Callable[[L, Row, Facts], None]
    ) -> None:
        if identity is None:
            row.refuse(row.column("id"), None, "it has no id")
        if self._table.shape == "events":
            _check_event(row, facts)
            self._events.setdefault(identity, []).append((row, facts))
            return
        if identity in self._logs:
            row.refuse(row.column("id"), identity, "the id stands in an earlier row")
        log = self._log(identity, self._table)
        record(log, row, facts)
        self._logs[identity] = log

    def finish(self) -> list[L]:
        """The logs of the records, in the order met."""
        for identity, placed in self._events.items():
            log = self._log(identity, self._table)
            ordered = sorted(placed, key=lambda each: each[1].get("sequence", 0))
            self._write(log, identity, ordered)
            if log.events:
                self._logs[identity] = log
        return list(self._logs.values())

    def _write(self, log: Any, identity: str, placed: list[tuple[Row, Facts]]) -> None:
        for row, facts in placed:
            if log.begins_with(facts):
                log.stamp(facts["at"], facts)
                log.happen(facts["at"], facts)
                continue
            reason = "it has no stage for its deal to begin in"
            column = row.column("stage")
            self.problems.append(Problem(row.number, column, None, reason, refused=True))
            self.used, self.refused = self.used - 1, self.refused + 1
            self.incomplete.append(identity)


def _check_event(row: Row, facts: Facts) -> None:
    if "at" not in facts:
        row.refuse(row.column("at"), None, "it has no instant")
    said = set(facts) - {"at", "by", "role", "recorded_at", "event_id", "sequence", "pipeline"}
    if said == {"attributes", "entered"} and not facts["attributes"]:
        row.refuse(None, None, "it says nothing that happened")


def _facts(row: Row, table: TableMapping, given: Mapping[Any, Any]) -> dict[str, Any]:
    """What a row says, by field; ids, instants and states refuse it where they are unreadable."""
    cells, found = table.cells, dict[str, Any]()
    lifecycle = table.record == "contact"
    needed: dict[str, Callable[[object, str], Any]] = {
        **dict.fromkeys(("at", "opened", "created", "closed", "recorded_at"), cells.instant),
        "stage": (lambda value, name: _lifecycle_stage(cells, value, name))
        if lifecycle
        else cells.text,
        "lead_status": cells.text,
        "pipeline": cells.text,
        "sequence": _whole,
    }
    optional: dict[str, Callable[[object, str], Any]] = {
        **dict.fromkeys(_TEXTS, cells.text),
        "sale_type": lambda value, name: choice(SaleType, cells.text(value, name), name),
        "expected_close": cells.day,
    }
    for name in table.columns:
        if name in needed:
            found[name] = row.need(name, needed[name])
        elif name in optional:
            found[name] = row.read(name, optional[name])
    found["amount"] = _amount(row, table)
    facts = {name: value for name, value in found.items() if value is not None}
    facts["attributes"] = _attributes(row, table, given)
    facts["entered"] = _entered(row, table, given)
    return facts


_TEXTS = (
    "title", "account", "owner", "source", "reason", "name", "email", "company", "activity", "by",
    "role", "event_id",
)  # fmt: skip


def _whole(value: object, name: str) -> int:
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, float) and text.is_integer():
        return int(text)
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise WrongTypeError(name, "a whole number", value)
    try:
        return int(text)
    except ValueError:
        raise InvalidValueError(name, (f"{brief(value)} is no whole number",)) from None


def _lifecycle_stage(cells: Cells, value: object, name: str) -> LifecycleStage:
    return choice(LifecycleStage, cells.text(value, name), "lifecycle stage")


def _amount(row: Row, table: TableMapping) -> Money | None:
    cells = table.cells
    stated = row.read("currency", lambda value, name: cells.text(value, name).upper())
    currency = stated or table.currency

    def money(value: object, _name: str) -> Money:
        if currency is None:
            raise InvalidValueError("amount", ("it has no currency, and the mapping gives none",))
        return cells.money(value, currency)

    return row.read("amount", money)


def _attributes(row: Row, table: TableMapping, given: Mapping[Any, Any]) -> Attributes:
    named = table.attributes.items()
    if not named:
        return EMPTY
    cells = Row(row.number, table.cells, dict(named), given)
    values = {
        name: cells.read(name, lambda value, at: _value(table.cells, value, at))
        for name in dict(named)
    }
    row.problems += cells.problems
    return Attributes({name: value for name, value in values.items() if value is not None})


def _value(cells: Cells, value: object, name: str) -> object:
    return cells.text(value, name) if isinstance(value, str) else plain(value)


def _entered(row: Row, table: TableMapping, given: Mapping[Any, Any]) -> list[tuple[datetime, str]]:
    """The stages with a date of entry, in the order of their dates."""
    dates = Row(row.number, table.cells, table.entered, given)
    try:
        dated = [(dates.need(stage, table.cells.instant), stage) for stage in table.entered]
    finally:
        row.problems += dates.problems
    found = [(at, stage) for at, stage in dated if at is not None]
    return sorted(found, key=lambda each: each[0])


def _begun(row: Row, table: TableMapping, facts: Facts, name: str) -> tuple[datetime, Start]:
    """When a record began, or by when it had begun."""
    dated = [at for at, _ in facts["entered"]]
    if name in facts or dated:
        return facts.get(name) or dated[0], Start.EXACT
    if not table.stand_in or table.exported is None:
        row.refuse(row.column(name), None, "it has no beginning, and the mapping names no stand-in")
    return min(table.exported, facts.get("closed", table.exported)), Start.BY_THEN


def _deal_record(log: DealLog, row: Row, facts: Facts) -> None:
    """Write the events that a row of dates amounts to."""
    if "stage" not in facts:
        row.refuse(row.column("stage"), None, "it has no stage")
    begun, start = _begun(row, log.mapping, facts, "opened")
    path = _path(log, row, facts)
    first, known = _opening(log, path, begun, facts)
    log.open(first, begun, facts, start=start, observed_from=None if known else begun)
    for at, stage in path:
        log.enter(stage, at, facts)


def _path(log: DealLog, row: Row, facts: Facts) -> list[tuple[datetime, str]]:
    """The stages that a deal is known to have entered, with their dates, the closing one last."""
    stage, path = facts["stage"], list(facts["entered"])
    outcome = log.outcome(facts.get("pipeline", log.mapping.pipeline), stage)
    if outcome is Outcome.OPEN and "closed" in facts:
        row.note("closed", facts["closed"], "the deal is open; its closing date is left out")
    if stage in (entered for _, entered in path):
        return path
    if outcome is not Outcome.OPEN:
        if "closed" not in facts:
            row.refuse(row.column("closed"), None, f"it is {outcome.value}, without a closing date")
        return [*path, (facts["closed"], stage)]
    if path:
        row.note("stage", stage, "it has no date of entry; the last stage with one stands")
    return path


def _opening(
    log: DealLog, path: list[tuple[datetime, str]], begun: datetime, facts: Facts
) -> tuple[str, bool]:
    """The stage that a deal began in, taken off its path, and whether that is known."""
    table, key = log.mapping, facts.get("pipeline", log.mapping.pipeline)
    if path and path[0][0] <= begun and log.outcome(key, path[0][1]) is Outcome.OPEN:
        return path.pop(0)[1], True
    if not path:
        return facts["stage"], facts["stage"] == table.opening_stage
    if table.opening_stage is not None:
        return table.opening_stage, True
    pipeline = table.pipelines.get(key)
    return (path[0][1] if pipeline is None else pipeline.keys[0]), False


def _contact_record(log: ContactLog, row: Row, facts: Facts) -> None:
    """Write the events that a row of dates amounts to."""
    begun, start = _begun(row, log.mapping, facts, "created")
    path = [(at, choice(LifecycleStage, stage, "stage")) for at, stage in facts["entered"]]
    stage, known = facts.get("stage"), True
    if path:
        if stage is not None and stage not in (entered for _, entered in path):
            row.note("stage", stage, "it has no date of entry; the stages with one stand")
        stage = path.pop(0)[1] if path[0][0] <= begun else None
    elif stage is not None:
        known = False
    status = facts.get("lead_status")
    steps = [{**facts, "stage": entered, "lead_status": None} for _, entered in path]
    first = {**facts, "stage": stage, "lead_status": None}
    (steps[-1] if steps else first)["lead_status"] = status
    log.create(begun, first, start=start, observed_from=None if known else begun)
    for (at, _), step in zip(path, steps, strict=True):
        log.reach(at, step)
