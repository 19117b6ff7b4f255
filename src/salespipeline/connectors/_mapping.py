"""The declared mapping of a table: which column is which field, checked before a row is read."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar, cast
from zoneinfo import ZoneInfo

from attrs import frozen

from salespipeline._doors import instances, repeated
from salespipeline.connectors._cells import Cells, parse
from salespipeline.connectors._systems import outcome_in
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import check_currency
from salespipeline.pipelines import Outcome, Pipeline, Stage

T = TypeVar("T")
Kinds: TypeAlias = Mapping[str, tuple[type | tuple[type, ...], str]]
"""By option, the types that it may have, with their words for a message."""

_STAMPS = ("by", "event_id", "recorded_at", "role", "sequence")
_DEAL = (
    "id", "stage", "pipeline", "title", "amount", "currency", "account", "owner", "source",
    "sale_type", "expected_close", "reason",
)  # fmt: skip
_CONTACT = ("id", "stage", "lead_status", "name", "email", "company", "account", "owner", "source")
COLUMNS = {
    ("deal", "records"): (*_DEAL, "opened", "closed"),
    ("deal", "events"): (*_DEAL, "at", "activity", *_STAMPS),
    ("contact", "records"): (*_CONTACT, "created"),
    ("contact", "events"): (*_CONTACT, "at", "activity", *_STAMPS),
}
"""The fields that a column can be declared for, by record and shape."""

_NEEDED = {
    ("deal", "records"): ("id", "stage"),
    ("deal", "events"): ("id", "at", "stage"),
    ("contact", "records"): ("id",),
    ("contact", "events"): ("id", "at"),
}
_PLACES: Mapping[str, tuple[str, ...]] = {
    "entered": ("records",),
    "missing_start": ("records",),
    "opening_stage": ("deal", "records"),
    "pipeline": ("deal",),
    "pipelines": ("deal",),
}
"""The record and shape for which an option means something, where not for all."""

_LIST = (list, tuple)
_FIELDS = "a table of fields and the columns that they are read from"
_OPTIONS: Kinds = {
    "record": (str, "'deal' or 'contact'"),
    "shape": (str, "'records' or 'events'"),
    "columns": (Mapping, _FIELDS),
    "attributes": (Mapping, "a table of attributes and the columns that they are read from"),
    "entered": (Mapping, "a table of stages and the columns of the dates they were entered on"),
    "values": (Mapping, "a table of fields, each with a table of texts"),
    "absent": ((*_LIST, set, frozenset), "a list of texts that stand for nothing"),
    "zone": ((str, tzinfo), "the name of a zone such as 'Europe/Berlin'"),
    "date_format": (str, "a format such as '%d/%m/%Y'"),
    "currency": (str, "a three-letter code such as 'EUR'"),
    "system": (str, "the name of the system that the table is from"),
    "exported": ((date, str), "the date, or date and time, of the export"),
    "missing_start": (str, "'exported'"),
    "opening_stage": (str, "the key of a stage"),
    "pipeline": (str, "the key of a pipeline"),
    "pipelines": (_LIST, "a list of tables, each a pipeline"),
}
_PIPELINE: Kinds = {
    "key": (str, "text"),
    "name": (str, "text"),
    "stages": (_LIST, "a list of tables, each a stage"),
    "former": (Mapping, "a table of retired keys and their successors"),
    "source": (str, "text"),
}
_MOST_DAYS = 36500
_STAGE: Kinds = {
    "key": (str, "text"),
    "name": (str, "text"),
    "outcome": (str, "'open', 'won' or 'lost'"),
    "probability": ((int, float, str, Decimal), "a number from 0 to 1"),
    "rot_after_days": (int, "a whole number of days"),
    "parked": (bool, "true or false"),
    "journey": (str, "the key of a broad stage"),
    "meaning": (str, "text"),
    "entry": (str, "text"),
    "next_step": (str, "text"),
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
        exported: When it was exported, if that stands in for a missing beginning, or None.
        opening_stage: The stage in which every deal began, or None.
        pipelines: The pipelines by key.
        pipeline: The key of the pipeline where no column says, or None.
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
    opening_stage: str | None
    pipelines: Mapping[str, Pipeline]
    pipeline: str | None

    @property
    def places(self) -> Mapping[str, str]:
        """Every column that is read, by where the mapping names it."""
        tables = {"columns": self.columns, "attributes": self.attributes, "entered": self.entered}
        return {
            f"{option}.{name}": column
            for option, table in tables.items()
            for name, column in table.items()
        }

    def column(self, name: str) -> str | None:
        """The column of a field, or of a stage's date as ``entered.`` and the stage."""
        return self.columns[name] if name in self.columns else self.places.get(name)

    def outcome(self, pipeline: str | None, stage: str) -> Outcome:
        """What a stage means; one of no pipeline known is taken for open."""
        return outcome_in(self.pipelines, pipeline, stage)


def checked(mapping: object, pipelines: Iterable[Pipeline]) -> TableMapping:
    """A mapping, checked as a whole.

    Raises:
        InvalidValueError: It names an unknown option or field, lacks one, or gives a value that
            cannot be. Every fault is named.
    """
    if not isinstance(mapping, Mapping):
        raise WrongTypeError("mapping", "a mapping such as tomllib reads", mapping)
    others = instances(Pipeline, pipelines, "pipelines")
    faults: list[str] = []
    given = _options("", cast("Mapping[Any, Any]", mapping), _OPTIONS, faults)
    declared = [
        _pipeline(f"pipelines[{place}]", table, faults)
        for place, table in enumerate(given.get("pipelines", ()))
    ]
    known = (*(each for each in declared if each is not None), *others)
    faults += _faults_of_columns(given)
    faults += _faults_of_values(given)
    keys = tuple(each.key for each in known)
    if None not in declared:
        given.setdefault("pipeline", _only(keys[: len(declared)] or keys))
        faults += _faults_of_pipelines(given, known)
    table = _built(given, known, faults)
    if faults:
        raise InvalidValueError("mapping", tuple(faults))
    return table


def _options(
    place: str, table: Mapping[Any, Any], kinds: Kinds, faults: list[str]
) -> dict[str, Any]:
    """The options of a table that are known and of the right kind; the others are faults."""
    good: dict[str, Any] = {}
    for option, value in table.items():
        if not isinstance(option, str) or option not in kinds:
            where = f"{place}: " if place else ""
            faults.append(f"{where}unknown option {brief(option)}; known: {', '.join(kinds)}")
            continue
        kind, words = kinds[option]
        if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
            good[option] = value
        else:
            where = f"{place}." if place else ""
            faults.append(f"{where}{option} must be {words} (got {brief(value)})")
    return good


def _attempt(place: str, make: Callable[[], T], faults: list[str]) -> T | None:
    """What a maker makes; where it refuses, its reasons become faults."""
    try:
        return make()
    except InvalidValueError as fault:
        faults.extend(f"{place}: {each}" for each in fault.faults)
    except SalesPipelineError as fault:
        faults.append(f"{place}: {fault}")
    return None


def _built(
    given: Mapping[str, Any], pipelines: tuple[Pipeline, ...], faults: list[str]
) -> TableMapping:
    zone = _attempt("zone", lambda: _zone(given.get("zone")), faults)
    currency = given.get("currency")
    if currency is not None:
        _attempt("currency", lambda: check_currency(currency), faults)
    cells = Cells(
        zone, _absent(given, faults), _date_format(given, faults), _values(given.get("values", {}))
    )
    return TableMapping(
        given.get("record", ""),
        given.get("shape", "records"),
        given.get("columns", {}),
        given.get("attributes", {}),
        given.get("entered", {}),
        cells,
        currency,
        given.get("system"),
        _exported(given, zone, faults),
        given.get("opening_stage"),
        {pipeline.key: pipeline for pipeline in pipelines},
        given.get("pipeline"),
    )


def _faults_of_columns(given: Mapping[str, Any]) -> Iterable[str]:
    shape = (given.get("record", ""), given.get("shape", "records"))
    if shape not in COLUMNS:
        yield "record must be 'deal' or 'contact', and shape 'records' or 'events'"
        return
    for option, places in _PLACES.items():
        if option in given and not set(places) <= set(shape):
            yield f"{option} means nothing for a table of {' '.join(shape)}; leave it out"
    for option in ("columns", "attributes", "entered"):
        for name, column in given.get(option, {}).items():
            if not isinstance(name, str) or not isinstance(column, str):
                pair = f"{brief(name)} = {brief(column)}"
                yield f"{option} must name columns by their text (got {pair})"
    columns: Mapping[Any, Any] = given.get("columns", {})
    fields = COLUMNS[shape]
    yield from (
        f"unknown field columns.{_shown(name)}; known: {', '.join(sorted(fields))}"
        for name in columns
        if isinstance(name, str) and name not in fields
    )
    yield from (f"columns.{name} is needed" for name in _NEEDED[shape] if name not in columns)
    if "amount" in columns and "currency" not in columns and "currency" not in given:
        yield "columns.amount needs currency, the code, or columns.currency"
    if "event_id" in columns and "system" not in given:
        yield "columns.event_id needs system, for an id is known by where it is from"
    if shape == ("contact", "records"):
        yield from (
            f"entered.{_shown(name)} is no lifecycle stage; known: {', '.join(LifecycleStage)}"
            for name in given.get("entered", {})
            if name not in set(LifecycleStage)
        )


def _faults_of_values(given: Mapping[str, Any]) -> Iterable[str]:
    named = {*given.get("columns", {}), *given.get("attributes", {})}
    for name, table in given.get("values", {}).items():
        if not isinstance(table, Mapping):
            yield f"values.{_shown(name)} must map texts to texts (got {brief(table)})"
            continue
        if name not in named:
            yield f"values.{_shown(name)} is for no column and no attribute that is declared"
        yield from (
            f"values.{_shown(name)} must map texts to texts (got {brief(text)} = {brief(value)})"
            for text, value in cast("Mapping[Any, Any]", table).items()
            if not isinstance(text, str) or not isinstance(value, str)
        )


def _faults_of_pipelines(
    given: Mapping[str, Any], pipelines: tuple[Pipeline, ...]
) -> Iterable[str]:
    keys = [pipeline.key for pipeline in pipelines]
    yield from (f"the pipeline {key!r} is given twice" for key in repeated(keys))
    named: str | None = given.get("pipeline")
    if named is None and "pipeline" not in given.get("columns", {}):
        yield f"pipeline must say in which of {', '.join(map(repr, keys))} the deals are"
    if keys and named is not None and named not in keys:
        yield f"pipeline names {brief(named)}; known: {', '.join(map(repr, keys))}"
    opening: str | None = given.get("opening_stage")
    if keys and opening is not None and not any(map(_opens(opening), pipelines)):
        yield f"opening_stage names {brief(opening)}, which is an open stage of no pipeline given"


def _only(keys: tuple[str, ...]) -> str | None:
    """The one pipeline that deals can be in; None where there are several."""
    return None if len(keys) > 1 else next(iter(keys), "pipeline")


def _opens(stage: str) -> Callable[[Pipeline], bool]:
    return lambda pipeline: stage in pipeline and pipeline.outcome(stage) is Outcome.OPEN


def _shown(name: object) -> str:
    return name if isinstance(name, str) and name.isidentifier() and len(name) < 40 else brief(name)


def _absent(given: Mapping[str, Any], faults: list[str]) -> frozenset[str]:
    tokens: Iterable[object] = given.get("absent", ())
    strange = [brief(token) for token in tokens if not isinstance(token, str)]
    if strange:
        faults.append(f"absent must list texts (got {', '.join(strange)})")
    return frozenset({"", *(token.strip() for token in tokens if isinstance(token, str))})


def _values(tables: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The tables of texts without outer blanks; what is no table is a fault elsewhere."""
    return {
        name: {
            text.strip(): value.strip()
            for text, value in table.items()
            if isinstance(text, str) and isinstance(value, str)
        }
        for name, table in tables.items()
        if isinstance(table, Mapping)
    }


_PROBE = datetime(2001, 12, 31, 13, 59, 58, tzinfo=UTC)


def _date_format(given: Mapping[str, Any], faults: list[str]) -> str | None:
    """The format of dates, which must give back the date that is written in it."""
    date_format: str | None = given.get("date_format")
    if date_format is None:
        return None
    try:
        read = parse(_PROBE.strftime(date_format), date_format)
    except (ValueError, Warning):
        read = None
    if read is None or (read.year, read.month, read.day) != (2001, 12, 31):
        faults.append(f"date_format {brief(date_format)} does not hold a year, month and day")
    return date_format


def _exported(given: Mapping[str, Any], zone: tzinfo | None, faults: list[str]) -> datetime | None:
    cells = Cells(zone, frozenset(), None, {})
    exported = given.get("exported")
    at = None
    if exported is not None:
        at = _attempt("exported", lambda: cells.instant(exported, "exported"), faults)
    if "missing_start" not in given:
        return None
    if given["missing_start"] != "exported":
        faults.append(f"missing_start must be 'exported' (got {brief(given['missing_start'])})")
    elif exported is None:
        faults.append("missing_start is 'exported', and exported is not given")
    return at


def _zone(value: tzinfo | str | None) -> tzinfo | None:
    if value is None or isinstance(value, tzinfo):
        return value
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        fault = f"{brief(value)} is no known zone, such as 'Europe/Berlin'"
        raise InvalidValueError("zone", (fault,)) from None


def _pipeline(place: str, table: object, faults: list[str]) -> Pipeline | None:
    before = len(faults)
    if not isinstance(table, Mapping):
        faults.append(f"{place} must be a table (got {brief(table)})")
        return None
    given = _options(place, cast("Mapping[Any, Any]", table), _PIPELINE, faults)
    stages = [
        _stage(f"{place}.stages[{number}]", stage, faults)
        for number, stage in enumerate(given.pop("stages", ()))
    ]
    if len(faults) > before:
        return None
    return _attempt(place, lambda: Pipeline(given.pop("key", None), stages, **given), faults)


def _stage(place: str, table: object, faults: list[str]) -> Any:
    """A stage; None where it cannot be made, which is a fault."""
    if not isinstance(table, Mapping):
        faults.append(f"{place} must be a table (got {brief(table)})")
        return None
    before = len(faults)
    given = _options(place, cast("Mapping[Any, Any]", table), _STAGE, faults)
    if len(faults) > before:
        return None
    if isinstance(given.get("probability"), float):
        given["probability"] = Decimal(repr(given["probability"]))
    days: int | None = given.pop("rot_after_days", None)
    if days is not None and not 0 < days <= _MOST_DAYS:
        faults.append(f"{place}.rot_after_days must be from 1 to {_MOST_DAYS} (got {brief(days)})")
        return None
    rot_after = None if days is None else timedelta(days=days)
    key = given.pop("key", None)
    return _attempt(place, lambda: Stage(key, rot_after=rot_after, **given), faults)
