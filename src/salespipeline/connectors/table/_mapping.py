"""The declared mapping of a table: which column is which field, checked before a row is read."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo

from attrs import frozen

from salespipeline._doors import NOTHING, instances, repeated
from salespipeline.connectors._cells import Cells, parse
from salespipeline.connectors._systems import outcome_in
from salespipeline.connectors.table._declared import (
    LIST,
    Kinds,
    attempt,
    declared_pipeline,
    options_of,
)
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import check_currency
from salespipeline.pipelines import Outcome, Pipeline

ATTRIBUTE = "attributes."
"""What the name of an attribute begins with, where it stands among the names of fields."""

_STAMPS = ("by", "event_id", "recorded_at", "role", "sequence")
_DEAL = (
    "id", "stage", "pipeline", "title", "amount", "currency", "account", "owner", "source",
    "sale_type", "expected_close", "reason",
)  # fmt: skip
_CONTACT = ("id", "stage", "lead_status", "name", "email", "company", "account", "owner", "source")
_CHANGE = ("id", "at", "field", "old", "new", *_STAMPS)
COLUMNS = {
    ("deal", "records"): (*_DEAL, "opened", "closed"),
    ("deal", "events"): (*_DEAL, "at", "activity", *_STAMPS),
    ("deal", "stays"): (*_DEAL, "entered", "left", "opened", *_STAMPS),
    ("deal", "changes"): (*_CHANGE, "currency", "opened"),
    ("contact", "records"): (*_CONTACT, "created"),
    ("contact", "events"): (*_CONTACT, "at", "activity", *_STAMPS),
    ("contact", "stays"): (*_CONTACT, "entered", "left", "created", *_STAMPS),
    ("contact", "changes"): (*_CHANGE, "created"),
}
"""The fields that a column can be declared for, by record and shape."""

FIELDS = {
    "deal": tuple(name for name in (*_DEAL, "opened") if name not in {"id", "currency"}),
    "contact": tuple(name for name in (*_CONTACT, "created") if name != "id"),
}
"""The fields that a row of changes can be about, by record; every other is an attribute."""

_NEEDED = {
    ("deal", "records"): ("id", "stage"),
    ("deal", "events"): ("id", "at", "stage"),
    ("deal", "stays"): ("id", "entered", "stage"),
    ("deal", "changes"): ("id", "at", "field", "new"),
    ("contact", "records"): ("id",),
    ("contact", "events"): ("id", "at"),
    ("contact", "stays"): ("id", "entered"),
    ("contact", "changes"): ("id", "at", "field", "new"),
}
_SHAPES = "record must be 'deal' or 'contact', and shape 'records', 'events', 'stays' or 'changes'"
_PLACES: Mapping[str, tuple[frozenset[str], ...]] = {
    "attributes": (frozenset({"records", "events", "stays"}),),
    "entered": (frozenset({"records"}),),
    "fields": (frozenset({"changes"}),),
    "missing_start": (frozenset({"records"}),),
    "open_ends": (frozenset({"stays"}),),
    "opening_stage": (frozenset({"deal"}), frozenset({"records", "stays", "changes"})),
    "pipeline": (frozenset({"deal"}),),
    "pipelines": (frozenset({"deal"}),),
}
"""The records and shapes for which an option means something, where not for all."""

_FIELDS = "a table of fields and the columns that they are read from"
_OPTIONS: Kinds = {
    "record": (str, "'deal' or 'contact'"),
    "shape": (str, "'records', 'events', 'stays' or 'changes'"),
    "columns": (Mapping, _FIELDS),
    "attributes": (Mapping, "a table of attributes and the columns that they are read from"),
    "entered": (Mapping, "a table of stages and the columns of the dates they were entered on"),
    "fields": (Mapping, "a table of the system's names of fields and the fields they are"),
    "values": (Mapping, "a table of fields, each with a table of texts"),
    "absent": ((*LIST, set, frozenset), "a list of texts that stand for nothing"),
    "open_ends": ((*LIST, set, frozenset), "a list of dates or texts that mean still there"),
    "zone": ((str, tzinfo), "the name of a zone such as 'Europe/Berlin'"),
    "date_format": (str, "a format such as '%d/%m/%Y'"),
    "currency": (str, "a three-letter code such as 'EUR'"),
    "system": (str, "the name of the system that the table is from"),
    "exported": ((date, str), "the date, or date and time, of the export"),
    "missing_start": (str, "'exported'"),
    "opening_stage": (str, "the key of a stage"),
    "pipeline": (str, "the key of a pipeline"),
    "pipelines": (LIST, "a list of tables, each a pipeline"),
}
_OPEN_ENDS = ("2050-01-01", "9999-12-31")  # what warehouses write for an end not yet known


@frozen
class TableMapping:
    """A checked mapping.

    Attributes:
        record: ``deal`` or ``contact``.
        shape: What a row is: of ``records`` a record, of ``events`` an event, of ``stays`` a
            stay in a stage, of ``changes`` a change of one field.
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
        fields: By the system's name of a field, the field it is.
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
    fields: Mapping[str, str] = NOTHING

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
        found = self.columns.get(name, self.places.get(name))
        return self.columns.get(name.partition(".")[0]) if found is None else found

    def known(self, pipeline: str | None) -> Pipeline | None:
        """The pipeline of a key, or that of the mapping; None where it is not known."""
        key = self.pipeline if pipeline is None else pipeline
        return None if key is None else self.pipelines.get(key)

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
    given = options_of("", cast("Mapping[Any, Any]", mapping), _OPTIONS, faults)
    declared = [
        declared_pipeline(f"pipelines[{place}]", table, faults)
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


def _built(
    given: Mapping[str, Any], pipelines: tuple[Pipeline, ...], faults: list[str]
) -> TableMapping:
    zone = attempt("zone", lambda: _zone(given.get("zone")), faults)
    currency = given.get("currency")
    if currency is not None:
        attempt("currency", lambda: check_currency(currency), faults)
    absent, date_format = _absent(given, faults), _date_format(given, faults)
    cells = Cells(
        zone, absent, date_format, _values(given.get("values", {})),
        _open_ends(given.get("open_ends", _OPEN_ENDS), date_format, faults),
    )  # fmt: skip
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
        given.get("fields", {}),
    )


def _faults_of_columns(given: Mapping[str, Any]) -> Iterable[str]:
    shape = (given.get("record", ""), given.get("shape", "records"))
    if shape not in COLUMNS:
        yield _SHAPES
        return
    for option, places in _PLACES.items():
        if option in given and not all(map(set(shape).intersection, places)):
            yield f"{option} means nothing for a table of {' '.join(shape)}; leave it out"
    yield from _faults_of_names(given)
    columns: Mapping[Any, Any] = given.get("columns", {})
    fields = COLUMNS[shape]
    yield from (
        f"unknown field columns.{_shown(name)}; known: {', '.join(sorted(fields))}"
        for name in columns
        if isinstance(name, str) and name not in fields
    )
    yield from (f"columns.{name} is needed" for name in _NEEDED[shape] if name not in columns)
    if "currency" not in columns and "currency" not in given:
        named = ["columns.amount"] if "amount" in columns else []
        named += [f"fields.{_shown(name)}" for name in _names_of("amount", given)]
        yield from (f"{each} needs currency, the code, or columns.currency" for each in named)
    if "event_id" in columns and "system" not in given:
        yield "columns.event_id needs system, for an id is known by where it is from"
    if shape[1] == "changes":
        yield from _faults_of_fields(given, shape[0])
    if shape == ("contact", "records"):
        yield from (
            f"entered.{_shown(name)} is no lifecycle stage; known: {', '.join(LifecycleStage)}"
            for name in given.get("entered", {})
            if name not in set(LifecycleStage)
        )


def _faults_of_names(given: Mapping[str, Any]) -> Iterable[str]:
    for option in ("columns", "attributes", "entered"):
        for name, column in given.get(option, {}).items():
            if not isinstance(name, str) or not isinstance(column, str):
                pair = f"{brief(name)} = {brief(column)}"
                yield f"{option} must name columns by their text (got {pair})"


def _targets(given: Mapping[str, Any]) -> set[object]:
    """The fields that rows of changes are declared to be about, attributes by their names."""
    fields: Mapping[Any, object] = given.get("fields", {})
    return {field.removeprefix(ATTRIBUTE) for field in fields.values() if isinstance(field, str)}


def _names_of(field: str, given: Mapping[str, Any]) -> Iterable[object]:
    fields: Mapping[object, object] = given.get("fields", {})
    return (name for name, ours in fields.items() if isinstance(ours, str) and ours == field)


def _faults_of_fields(given: Mapping[str, Any], record: str) -> Iterable[str]:
    fields: Mapping[Any, object] = given.get("fields", {})
    known = FIELDS[record]
    for name, field in fields.items():
        if not isinstance(name, str) or not isinstance(field, str):
            yield f"fields must name fields by their text (got {brief(name)} = {brief(field)})"
        elif field not in known and not (field.startswith(ATTRIBUTE) and field != ATTRIBUTE):
            theirs = ", ".join(sorted(known))
            yield (
                f"fields.{_shown(name)} is no field: {brief(field)}; known: {theirs}, or "
                "attributes. and a name"
            )
    if record == "deal" and "opening_stage" not in given and not [*_names_of("stage", given)]:
        yield "fields must say which field is the stage; else opening_stage is where all deals stay"


def _faults_of_values(given: Mapping[str, Any]) -> Iterable[str]:
    named = {*given.get("columns", {}), *given.get("attributes", {}), *_targets(given)}
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
    if named is None and "pipeline" not in {*given.get("columns", {}), *_targets(given)}:
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


def _open_ends(
    tokens: Iterable[object], date_format: str | None, faults: list[str]
) -> frozenset[str | date]:
    """What means still there: texts as they are, and the days among them however written."""
    ends: set[str | date] = set()
    for token in tokens:
        if isinstance(token, date):
            ends.add(date(token.year, token.month, token.day))
        elif isinstance(token, str):
            ends.add(token.strip())
            ends.update(_days(token.strip(), date_format))
        else:
            faults.append(f"open_ends must list dates or texts (got {brief(token)})")
    return frozenset(ends)


def _days(text: str, date_format: str | None) -> Iterable[date]:
    """The day that a text is, in ISO 8601 or in the format of the table."""
    for each in {None, date_format}:
        with suppress(ValueError):
            read = parse(text, each)
            yield date(read.year, read.month, read.day)


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
_ANOTHER_YEAR = _PROBE.replace(year=2007)  # which ends on a Monday, too


def _date_format(given: Mapping[str, Any], faults: list[str]) -> str | None:
    """The format of dates, which must give back the date that is written in it."""
    date_format: str | None = given.get("date_format")
    if date_format is None:
        return None
    try:  # days of two years look alike without a year, and Python warns of reading such
        written, other = (probe.strftime(date_format) for probe in (_PROBE, _ANOTHER_YEAR))
        read = None if written == other else parse(written, date_format)
    except ValueError:
        read = None
    if read is None or (read.year, read.month, read.day) != (2001, 12, 31):
        faults.append(f"date_format {brief(date_format)} does not hold a year, month and day")
        return None
    return date_format


def _exported(given: Mapping[str, Any], zone: tzinfo | None, faults: list[str]) -> datetime | None:
    cells = Cells(zone, frozenset(), None, {})
    exported = given.get("exported")
    at = None
    if exported is not None:
        at = attempt("exported", lambda: cells.instant(exported, "exported"), faults)
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
