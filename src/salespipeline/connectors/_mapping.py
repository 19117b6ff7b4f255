"""The declared mapping of a table: which column is which field, checked before a row is read."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from attrs import frozen

from salespipeline._doors import choice, instances
from salespipeline.connectors._cells import Cells
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import check_currency
from salespipeline.pipelines import Journey, Pipeline, Stage

_STAMPS = ("by", "event_id", "recorded_at", "role", "sequence")
COLUMNS = {
    ("deal", "records"): (
        "id", "opened", "closed", "stage", "pipeline", "title", "amount", "currency", "account",
        "owner", "source", "sale_type", "expected_close", "reason",
    ),
    ("deal", "events"): (
        "id", "at", "stage", "pipeline", "title", "amount", "currency", "account", "owner",
        "source", "sale_type", "expected_close", "reason", "activity", *_STAMPS,
    ),
    ("contact", "records"): (
        "id", "created", "stage", "lead_status", "name", "email", "company", "account", "owner",
        "source",
    ),
    ("contact", "events"): (
        "id", "at", "stage", "lead_status", "name", "email", "company", "account", "owner",
        "source", "activity", *_STAMPS,
    ),
}  # fmt: skip
"""The fields that a column can be declared for, by record and shape."""

_NEEDED = {
    ("deal", "records"): ("id", "stage"),
    ("deal", "events"): ("id", "at", "stage"),
    ("contact", "records"): ("id",),
    ("contact", "events"): ("id", "at"),
}
_OPTIONS: Mapping[str, type | tuple[type, ...]] = {
    "record": str,
    "shape": str,
    "columns": Mapping,
    "attributes": Mapping,
    "entered": Mapping,
    "values": Mapping,
    "absent": list,
    "zone": (str, tzinfo),
    "date_format": str,
    "currency": str,
    "system": str,
    "exported": (date, str),
    "missing_start": str,
    "opening_stage": str,
    "pipeline": str,
    "pipelines": list,
}


@frozen
class TableMapping:
    """A checked mapping.

    Attributes:
        record: ``deal`` or ``contact``.
        shape: ``records`` (a row is a record) or ``events`` (a row is an event).
        columns: By field, the column it is read from.
        attributes: By attribute, the column it is read from.
        entered: By stage, the column of the date on which it was entered.
        cells: How cells are read.
        currency: The currency of amounts where no column says, or None.
        system: Where the table comes from, or None.
        exported: When it was exported, or None.
        stand_in: Whether that stands in for a missing beginning.
        opening_stage: The stage in which every record began, or None.
        pipelines: The pipelines by key.
        pipeline: The key of the pipeline where no column says.
    """

    record: str
    shape: str
    columns: Mapping[str, str]
    attributes: Mapping[str, str]
    entered: Mapping[str, str]
    cells: Cells
    currency: str | None
    system: str | None
    exported: datetime | None
    stand_in: bool
    opening_stage: str | None
    pipelines: Mapping[str, Pipeline]
    pipeline: str

    def missing_from(self, row: Mapping[Any, Any]) -> tuple[str, ...]:
        """The faults of a table that lacks columns which the mapping names."""
        named = (
            *((f"columns.{name}", column) for name, column in self.columns.items()),
            *((f"attributes.{name}", column) for name, column in self.attributes.items()),
            *((f"entered.{name}", column) for name, column in self.entered.items()),
        )
        return tuple(
            f"{place} names the column {column!r}, which the table does not have"
            for place, column in named
            if column not in row
        )


def checked(mapping: object, pipelines: Iterable[Pipeline]) -> TableMapping:
    """A mapping, checked as a whole.

    Raises:
        InvalidValueError: It names an unknown option or field, lacks one, or gives a value of the
            wrong kind. Every fault is named.
    """
    if not isinstance(mapping, Mapping):
        raise WrongTypeError("mapping", "a mapping such as tomllib reads", mapping)
    given = cast("Mapping[Any, Any]", mapping)
    faults = list(_faults(given))
    known = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}
    built = _guarded(faults, "pipelines", lambda: _pipelines(given.get("pipelines", ())) | known)
    zone = _guarded(faults, "zone", lambda: _zone(given.get("zone")))
    currency = given.get("currency")
    if isinstance(currency, str):
        _guarded(faults, "currency", lambda: check_currency(currency))
    if faults:
        raise InvalidValueError("mapping", tuple(faults))
    return _built(given, built or known, zone)


def _built(
    given: Mapping[str, Any], pipelines: Mapping[str, Pipeline], zone: tzinfo | None
) -> TableMapping:
    absent = frozenset(str(token).strip() for token in given.get("absent", ()))
    cells = Cells(zone, absent, given.get("date_format"), given.get("values", {}))
    exported = given.get("exported")
    first = next(iter(pipelines), "pipeline")
    return TableMapping(
        given["record"],
        given.get("shape", "records"),
        given["columns"],
        given.get("attributes", {}),
        given.get("entered", {}),
        cells,
        given.get("currency"),
        given.get("system"),
        None if exported is None else cells.instant(exported, "exported"),
        given.get("missing_start") == "exported",
        given.get("opening_stage"),
        pipelines,
        given.get("pipeline", first),
    )


def _faults(given: Mapping[Any, Any]) -> Iterable[str]:
    for option, value in given.items():
        kind = _OPTIONS.get(option)
        if kind is None:
            yield f"unknown option {brief(option)}"
        elif not isinstance(value, kind):
            yield f"{option} is of the wrong kind: {brief(value)}"
    shape: Any = (given.get("record"), given.get("shape", "records"))
    if shape not in COLUMNS:
        yield f"record and shape must be deal or contact, records or events (got {brief(shape)})"
        return
    columns: Any = given.get("columns")
    if not isinstance(columns, Mapping):
        yield "columns must say which column is which field"
        return
    named = set(cast("Mapping[Any, Any]", columns))
    unknown = sorted(str(name) for name in named - set(COLUMNS[shape]))
    yield from (f"unknown field columns.{name}" for name in unknown)
    yield from (f"columns.{name} is needed" for name in _NEEDED[shape] if name not in named)
    for option in ("columns", "attributes", "entered"):
        table = given.get(option, {})
        if isinstance(table, Mapping):
            items = cast("Mapping[Any, Any]", table).items()
            yield from (
                f"{option}.{name} must be the name of a column (got {brief(column)})"
                for name, column in items
                if not isinstance(column, str) or not isinstance(name, str)
            )
    if shape[0] == "contact" and isinstance(given.get("entered", {}), Mapping):
        stages = set(LifecycleStage)
        yield from (
            f"entered.{name} is no lifecycle stage"
            for name in given.get("entered", {})
            if name not in stages
        )
    yield from _faults_of_options(given)


def _faults_of_options(given: Mapping[Any, Any]) -> Iterable[str]:
    values = given.get("values", {})
    if isinstance(values, Mapping):
        tables = cast("Mapping[Any, Any]", values).items()
        yield from (
            f"values.{name} must map texts to texts"
            for name, table in tables
            if not _maps_texts(table)
        )
    if given.get("missing_start", "exported") != "exported":
        yield "missing_start can only be 'exported'"
    elif "missing_start" in given and "exported" not in given:
        yield "missing_start is 'exported', and exported is not given"
    if "exported" in given and "zone" not in given and not _is_aware(given["exported"]):
        yield "exported has no zone, and the mapping gives none"


def _maps_texts(table: object) -> bool:
    if not isinstance(table, Mapping):
        return False
    pairs = cast("Mapping[object, object]", table).items()
    return all(isinstance(key, str) and isinstance(value, str) for key, value in pairs)


def _is_aware(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _guarded(faults: list[str], place: str, make: Any) -> Any:
    """What a maker makes; where it refuses, its message becomes one more fault."""
    try:
        return make()
    except SalesPipelineError as fault:
        faults.append(f"{place}: {fault}")
        return None


def _zone(value: object) -> tzinfo | None:
    if value is None or isinstance(value, tzinfo):
        return value
    try:
        return ZoneInfo(cast("str", value))
    except (KeyError, ValueError, TypeError, OSError):
        raise InvalidValueError("zone", (f"{brief(value)} is no known zone",)) from None


def _pipelines(tables: Iterable[Mapping[str, Any]]) -> dict[str, Pipeline]:
    pipelines = [_pipeline(table) for table in tables]
    return {pipeline.key: pipeline for pipeline in pipelines}


def _pipeline(table: Any) -> Pipeline:
    _check_options("pipeline", table, {"key", "name", "stages", "former", "source"})
    stages = [_stage(stage) for stage in table.get("stages", ())]
    named = {key: table[key] for key in ("name", "former", "source") if key in table}
    return Pipeline(table.get("key"), stages, **named)


def _check_options(what: str, table: Any, known: set[str]) -> None:
    if not isinstance(table, Mapping):
        raise WrongTypeError(what, "a table", table)
    unknown = sorted(str(name) for name in cast("Mapping[Any, Any]", table) if name not in known)
    if unknown:
        raise InvalidValueError(what, (f"unknown option {', '.join(unknown)}",))


_STAGE = {"key", "name", "outcome", "probability", "parked", "journey", "meaning", "next_step"}


def _stage(table: Any) -> Stage:
    _check_options("stage", table, _STAGE)
    given = dict(table)
    if isinstance(given.get("probability"), float):
        given["probability"] = Decimal(repr(given["probability"]))
    if "journey" in given:
        given["journey"] = choice(Journey, given["journey"], "journey")
    return Stage(given.pop("key", None), **given)
