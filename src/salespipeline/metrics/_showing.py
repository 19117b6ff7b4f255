"""How rows of plain values read: as a table of text, or of HTML."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import TypeAlias

from attrs import field, frozen

Row: TypeAlias = Mapping[str, object]

_PARTS = (
    "numerator", "denominator", "low", "high", "level", "method", "currency", "left_out_why",
    "left_out", "without_amount",
)  # fmt: skip
"""What the columns are called that belong to the figure before them."""

_APART = ("left_out", "left_out_why", "currency", "without_amount")
"""Those that stand by themselves where they belong to the whole row."""


@frozen
class _Column:
    """A figure with what belongs to it: its counts, its interval, its currency.

    Attributes:
        name: Its name.
        parts: The names of the columns that belong to it, by what they are.
    """

    name: str
    parts: dict[str, str] = field(factory=dict[str, str], hash=False)

    def cell(self, row: Row) -> str:
        """The figure of one row, as people read it."""
        value, part = row.get(self.name), {key: row[name] for key, name in self.parts.items()}
        aside = "; ".join(_asides(part))
        if self.name not in row:
            return aside or "–"
        main = _percent(value) if part.get("denominator") is not None else _cell(value)
        if value is not None and "currency" in part:
            main = f"{main} {part['currency']}"
        return f"{main} ({aside})" if aside else main

    def is_plain(self, rows: Sequence[Row]) -> bool:
        """Whether it is a bare number in all rows."""
        bare = all(isinstance(row.get(self.name), int | float | Decimal | None) for row in rows)
        return bare and not (self.parts.keys() - {"left_out", "left_out_why", "without_amount"})

    def says_something(self, rows: Sequence[Row]) -> bool:
        """Whether it tells anything in one of the rows."""
        if self.name.endswith(("left_out", "without_amount")):
            return any(row.get(self.name) for row in rows)
        names = (self.name, *self.parts.values())
        return any(row.get(name) is not None for name in names for row in rows)


def _asides(part: Mapping[str, object]) -> Iterator[str]:
    of = part.get("denominator")
    show = _percent if of is not None else _cell
    if of is not None:
        yield f"{part['numerator']:,} of {of:,}"
    if part.get("method") is not None:
        yield f"{show(part.get('low'))} to {show(part.get('high'))}"
    if part.get("without_amount"):
        yield f"{part['without_amount']:,} without amount"
    if part.get("left_out"):
        yield f"left out: {part.get('left_out_why')}"


def _percent(value: object) -> str:
    return f"{value:.1%}" if isinstance(value, int | float) else "none"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes").removesuffix("+00:00").removesuffix(" 00:00")
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)


def _columns(rows: Sequence[Row]) -> list[_Column]:
    """The columns that say something, each with those that belong to it."""
    found: dict[str, _Column] = {}
    names = list(rows[0]) if rows else []
    for name in names:
        part = next((each for each in _PARTS if name == each or name.endswith(f"_{each}")), None)
        prefix = "" if part is None else name.removesuffix(part).removesuffix("_")
        base = name if part is None else _base(prefix, names)
        if part is None or _is_apart(part, prefix, base, names):
            found.setdefault(name, _Column(name))
        else:
            found.setdefault(base, _Column(base)).parts[part] = name
    return [column for column in found.values() if column.says_something(rows)]


def _is_apart(part: str, prefix: str, base: str, names: Sequence[str]) -> bool:
    """Whether what is called like a part of a figure is a figure of its own."""
    if part in ("low", "high"):  # an interval has a method; the ends of a band have none
        return f"{prefix}_method".removeprefix("_") not in names
    if part in ("level", "method"):
        return f"{prefix}_low".removeprefix("_") not in names
    return part in _APART and (not prefix or base not in names)


def _base(prefix: str, names: Sequence[str]) -> str:
    """The name of the figure that a column belongs to."""
    if prefix:
        return prefix if prefix in names or f"{prefix}_n" not in names else f"{prefix}_n"
    return next((name for name in ("value", "share", "days") if name in names), "interval")


def _hundredfold(level: object) -> object:
    return round(level * 100, 6) if isinstance(level, float) else level


def _methods(rows: Sequence[Row], columns: Sequence[_Column]) -> str:
    """At which level and by which method the intervals are, in a line; nothing without any."""
    pairs = {
        f"{_cell(_hundredfold(row[column.parts['level']]))} % {row[column.parts['method']]}": None
        for column in columns
        if "method" in column.parts and "level" in column.parts
        for row in rows
        if row[column.parts["method"]] is not None
    }
    return f"intervals: {', '.join(pairs)}" if pairs else ""


def text(rows: Sequence[Row], note: str = "") -> str:
    """Rows as an aligned table of text; a single row as a list of its columns."""
    columns = _columns(rows)
    if not columns:
        return note or "nothing"
    if len(rows) == 1:
        width = max(len(column.name) for column in columns)
        lines = [f"{column.name:<{width}}  {column.cell(rows[0])}" for column in columns]
    else:
        lines = list(_aligned(rows, columns))
    return "\n".join([*lines, *_notes(rows, columns, note)])


def _notes(rows: Sequence[Row], columns: Sequence[_Column], note: str) -> list[str]:
    return [each for each in (_methods(rows, columns), note) if each]


def _aligned(rows: Sequence[Row], columns: Sequence[_Column]) -> Iterator[str]:
    cells = [[column.name, *(column.cell(row) for row in rows)] for column in columns]
    widths = [max(map(len, column)) for column in cells]
    plain = [column.is_plain(rows) for column in columns]
    for line in zip(*cells, strict=True):
        placed = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, plain, strict=True)
        )
        yield "  ".join(placed).rstrip()


def html(rows: Sequence[Row], caption: str, note: str = "") -> str:
    """Rows as an HTML table; every text in it is escaped."""
    columns = _columns(rows)
    head = "".join(f"<th>{escape(column.name)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(column.cell(row))}</td>" for column in columns) + "</tr>"
        for row in rows
    )
    foot = "".join(
        f'<tr><td colspan="{len(columns)}">{escape(each)}</td></tr>'
        for each in _notes(rows, columns, note)
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody>{foot and f'<tfoot>{foot}</tfoot>'}</table>"
    )
