"""Rows read for learning: their columns, outcomes, records and instants."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, cast

from attrs import frozen

from salespipeline._doors import instances, text
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.money import Money
from salespipeline.periods import utc
from salespipeline.prediction._cells import UNANSWERED, UNKNOWN, Cell, kind_of, read_cell, sizes_of
from salespipeline.prediction._flags import (
    NO_INSTANTS,
    Warned,
    all_different,
    constant,
    flags,
    unnamed,
)
from salespipeline.prediction.features import bins, edges_of

ROWS = "rows to learn from"
_MOST_SHOWN = 20

Row = Mapping[Any, Any]


class Asked(NamedTuple):
    """What the columns of rows are; see `learning.learn`."""

    outcome: str
    won: object
    columns: Collection[str] | None
    team: str | None
    record: str | None
    at: str | None
    unanswered: frozenset[str]

    @classmethod
    def of(
        cls,
        outcome: object,
        won: object,
        *,
        columns: object,
        team: object,
        record: object,
        at: object,
        unanswered: object,
    ) -> "Asked":
        """The arguments of a caller, checked.

        Raises:
            WrongTypeError: One is of another type.
            InvalidValueError: A column has two parts to play.
        """
        wanted = None if columns is None else instances(str, columns, "columns")
        roles = {"outcome": outcome, "team": team, "record": record, "at": at}
        named = {
            role: text(name, role)
            for role, name in roles.items()
            if name is not None or role == "outcome"
        }
        taken = [*named.values(), *dict.fromkeys(wanted or ())]
        if len({*taken}) < len(taken):
            twice = next(name for name in taken if taken.count(name) > 1)
            raise InvalidValueError(ROWS, (f"the column {brief(twice)} has two parts to play",))
        blank = unanswered_texts(unanswered)
        return cls(
            named["outcome"], won, wanted, named.get("team"), named.get("record"),
            named.get("at"), blank,
        )  # fmt: skip

    @property
    def roles(self) -> tuple[str, ...]:
        """The columns that are not learned from as they are."""
        named = (self.outcome, self.team, self.record, self.at)
        return tuple(each for each in named if each is not None)


def unanswered_texts(value: object) -> frozenset[str]:
    """The texts that say that nothing was answered, in small letters."""
    if value is UNANSWERED:
        return UNANSWERED
    return frozenset(each.strip().casefold() for each in instances(str, value, "unanswered"))


class Column(NamedTuple):
    """One column of labelled rows: of kinds, or of numbers or days.

    Attributes:
        kinds: The value of each row, in a column of kinds.
        numbers: The number of each row, None where unknown; None in a column of kinds.
        are_days: Whether the numbers are of days.
    """

    kinds: list[str]
    numbers: list[float | None] | None = None
    are_days: bool = False

    @classmethod
    def of(cls, cells: Sequence[Cell], *, kinds_only: bool = False) -> "Column":
        """The column that cells make."""
        sizes = None if kinds_only else sizes_of(cells)
        if sizes is None:
            return cls(_kinds(cells))
        return cls([], sizes.numbers, sizes.are_days)

    def keyed(self, places: Iterable[int]) -> tuple[list[str], tuple[float, ...] | None]:
        """The value or bin of every row, and where bins begin that some places make."""
        if self.numbers is None:
            return self.kinds, None
        edges = edges_of(self.numbers[place] for place in places)
        words = bins(edges, are_days=self.are_days)
        found = {
            each: UNKNOWN if each is None else words[bisect_right(edges, each)]
            for each in {*self.numbers}
        }
        return list(map(found.__getitem__, self.numbers)), edges


def _kinds(cells: Sequence[Cell]) -> list[str]:
    found = {cell: UNKNOWN if cell == UNKNOWN else kind_of(cell) for cell in {*cells}}
    return list(map(found.__getitem__, cells))


@frozen
class Sheet:
    """Rows read for learning.

    Attributes:
        columns: The columns to learn from, that of teams among them; of labelled rows only.
        outcomes: Whether each labelled row came out.
        records: Which record each labelled row is of, where a column says so.
        instants: When each labelled row was known, where a column says so.
        unlabelled: How many rows have no outcome.
        warnings: What is to be known of the columns.
    """

    columns: Mapping[str, Column]
    outcomes: list[bool]
    records: list[str] | None
    instants: list[datetime] | None
    unlabelled: int
    warnings: tuple[Warned, ...]


def read_rows(rows: object, asked: Asked) -> Sheet:
    """Rows read for learning.

    Raises:
        InvalidValueError: Rows are no mappings, columns are not there, or cells hold no plain
            value. Every fault is named.
        WrongTypeError: The rows are not several, or an argument is of another type.
    """
    given = _mappings(rows)
    names, strange = _names(given, asked)
    several = [each for each in (asked.outcome, asked.team, asked.record) if each is not None]
    cells = _cells(given, [*several, *names], asked.unanswered)
    results = cells.pop(asked.outcome)
    known = [n for n, result in enumerate(results) if result != UNKNOWN]
    wins = _wins(asked)
    outcomes = [kind_of(results[n]) in wins for n in known]
    if not known:
        _refuse([f"{brief(asked.outcome)} is unknown in every row: none is labelled"])
    if not any(outcomes):
        _refuse_no_win(results, asked)
    records = None if asked.record is None else cells.pop(asked.record)
    columns, warnings = _columns(given, cells, known, outcomes, asked)
    return Sheet(
        columns, outcomes,
        None if records is None else _kinds([records[n] for n in known]),
        None if asked.at is None else _instants([given[n].get(asked.at) for n in known], asked.at),
        len(given) - len(known),
        (*([] if asked.at else [NO_INSTANTS]), *([unnamed(strange)] if strange else []), *warnings),
    )  # fmt: skip


def _columns(
    rows: Sequence[Row],
    cells: Mapping[str, Sequence[Cell]],
    known: Sequence[int],
    outcomes: Sequence[bool],
    asked: Asked,
) -> tuple[dict[str, Column], list[Warned]]:
    """The columns to learn from, and what is to be known of them."""
    kept: dict[str, Column] = {}
    warnings: list[Warned] = []
    labelled = {*known}
    others = [n for n in range(len(rows)) if n not in labelled]
    for name, each in cells.items():
        column = Column.of([each[n] for n in known], kinds_only=name == asked.team)
        keys, _ = column.keyed(range(len(known)))
        left_out = constant(name, keys[0]) if len({*keys}) == 1 else None
        if left_out is None and asked.columns is None and name != asked.team:
            left_out = all_different(name, column.kinds, column.numbers)
        if left_out is not None:
            warnings.append(left_out)
            continue
        currencies = {found.currency for row in rows if isinstance(found := row.get(name), Money)}
        warnings += flags(name, keys, outcomes, [each[n] for n in others], currencies)
        kept[name] = column
    return kept, warnings


def _mappings(rows: object) -> list[Row]:
    """Rows as a list of plain dicts."""
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise WrongTypeError("rows", "several mappings of columns to values", cast("object", rows))
    found: list[Row] = []
    faults: list[str] = []
    for number, row in enumerate(cast("Iterable[Any]", rows), 1):
        if not isinstance(row, Mapping):
            faults.append(f"row {number} is no mapping (got {brief(row)})")
            continue
        try:
            found.append(dict(cast("Row", row)))
        except Exception:  # noqa: BLE001 - a mapping may be anyone's code
            faults.append(f"row {number} cannot be read")
    _refuse(faults)
    return found


def _names(rows: Sequence[Row], asked: Asked) -> tuple[list[str], list[object]]:
    """The columns to learn from, in the order met, and names that are no text."""
    there: dict[object, None] = {}
    for row in rows:
        there.update(dict.fromkeys(row))
    wanted = [*there] if asked.columns is None else [*asked.columns]
    missing = [name for name in (*asked.roles, *wanted) if name not in there]
    _refuse([f"no row has the column {brief(name)}" for name in missing])
    named = [name for name in wanted if isinstance(name, str) and name not in asked.roles]
    return named, [name for name in there if not isinstance(name, str)]


def _cells(
    rows: Sequence[Row], names: Iterable[str], unanswered: frozenset[str]
) -> dict[str, list[Cell]]:
    """By column, what each row holds."""
    found: dict[str, list[Cell]] = {}
    faults: list[str] = []
    for name in names:
        texts: dict[str, Cell] = {}
        cells = found[name] = []
        for number, row in enumerate(rows, 1):
            value = row.get(name)
            if type(value) is str and value in texts:
                cells.append(texts[value])
                continue
            try:
                cell = read_cell(value, name, unanswered)
            except WrongTypeError as fault:
                faults.append(f"row {number}: {fault}")
                break
            cells.append(cell)
            if type(value) is str:
                texts[value] = cell
    _refuse(faults)
    return found


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        rest = len(faults) - _MOST_SHOWN
        more = [f"and {rest} more"] if rest > 0 else []
        raise InvalidValueError(ROWS, (*faults[:_MOST_SHOWN], *more))


def _wins(asked: Asked) -> set[str]:
    """The kinds that mean that a record came out."""
    several = isinstance(asked.won, list | tuple | set | frozenset)
    wins = cast("Iterable[object]", asked.won) if several else (asked.won,)
    cells = {read_cell(value, "won", asked.unanswered) for value in wins}
    if not cells or UNKNOWN in cells:
        fault = f"{brief(asked.won)} is no value of {brief(asked.outcome)}: it says nothing"
        raise InvalidValueError("won", (fault,))
    return {kind_of(cell) for cell in cells}


def _refuse_no_win(results: Iterable[Cell], asked: Asked) -> None:
    """Say which outcomes there are where none is the one that is predicted."""
    kinds = sorted({kind_of(result) for result in results if result != UNKNOWN})
    shown = ", ".join(map(brief, kinds[:5])) + (", …" if len(kinds) > 5 else "")
    fault = f"no {brief(asked.outcome)} is {brief(asked.won)}; there are {shown}"
    raise InvalidValueError(ROWS, (fault,))


def _instants(values: Sequence[object], column: str) -> list[datetime]:
    """The instant of each row: a datetime with a zone, a date, or ISO text of either."""
    found: list[datetime] = []
    faults: list[str] = []
    for number, value in enumerate(values, 1):
        try:
            found.append(_instant(value, column))
        except SalesPipelineError as fault:
            faults.append(f"labelled row {number}: {fault}")
    _refuse(faults)
    return found


def _instant(value: object, column: str) -> datetime:
    given = value
    if isinstance(value, str):
        try:
            given = datetime.fromisoformat(str.__str__(value).strip())
        except ValueError:
            given = value
        else:
            if len(value.strip()) <= len("2026-01-01"):
                given = given.date()
    if isinstance(given, date) and not isinstance(given, datetime):
        return datetime(given.year, given.month, given.day, tzinfo=UTC)
    return utc(given, column)
