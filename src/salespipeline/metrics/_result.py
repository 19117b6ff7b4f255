"""What every result can tell of itself: its rows, its table, and when it was taken from where."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from html import escape
from typing import ClassVar, Self, TypeAlias, TypeVar, cast

from attrs import evolve, field, frozen

from salespipeline.intervals import Interval
from salespipeline.money import Money
from salespipeline.periods import Period

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

Plain: TypeAlias = dict[str, object]
"""A row of plain values by the names of its columns, as a DataFrame is made of."""


@frozen(kw_only=True)
class Result:
    """What every result says beside its figures.

    Attributes:
        left_out: How many records could not be used, by reason.
        as_of: The instant it was judged from, or None where it was made of plain numbers.
        period: The period it is of, or None.
    """

    left_out: Mapping[str, int] = field(factory=dict[str, int], hash=False, repr=False)
    as_of: datetime | None = field(default=None, eq=False, repr=False)
    period: Period | None = field(default=None, eq=False, repr=False)

    columns: ClassVar[tuple[str, ...]] = ()
    """The names of what its row tells, in order: fields or properties."""

    def to_dicts(self) -> list[dict[str, object]]:
        """Its rows as plain values, for a DataFrame or JSON; all have the same columns."""
        provenance = plain({"as_of": self.as_of, "period": self.period})
        return [row | provenance for row in even(self.rows())]

    def rows(self) -> list[Plain]:
        """Its rows without when it was taken; one row, of its columns, if it says no more."""
        return [self.row()]

    def row(self) -> Plain:
        """The one row that tells it in short."""
        told = {name: cast("object", getattr(self, name)) for name in self.columns}
        return plain(told) | _left_out(self.left_out)

    def __str__(self) -> str:
        """Its rows as a table of text."""
        return text(self.rows())

    def _repr_html_(self) -> str:
        return html(self.rows(), _caption(type(self).__name__, self.as_of, self.period))


class Table(tuple[T, ...]):  # noqa: SLOT001 - slots cannot hold more than a tuple has
    """Several results in order, such as one for each stage.

    Attributes:
        as_of: The instant they were judged from, or None.
        period: The period they are of, or None.
    """

    as_of: datetime | None
    period: Period | None

    def __new__(
        cls,
        results: Iterable[T] = (),
        as_of: datetime | None = None,
        period: Period | None = None,
    ) -> Self:
        """The results, and when they were taken from where."""
        made = super().__new__(cls, results)
        made.as_of, made.period = as_of, period
        return made

    def to_dicts(self) -> list[dict[str, object]]:
        """Their rows as plain values, for a DataFrame or JSON; all have the same columns."""
        provenance = plain({"as_of": self.as_of, "period": self.period})
        return [row | provenance for row in self.rows()]

    def rows(self) -> list[Plain]:
        """Their rows without when they were taken."""
        return even(row for result in self for row in _rows(result))

    def __str__(self) -> str:
        """Their rows as a table of text."""
        return text(self.rows())

    def _repr_html_(self) -> str:
        return html(self.rows(), _caption("", self.as_of, self.period))


class Groups(dict[K, T]):
    """A result, or a number, for each group.

    Attributes:
        as_of: The instant they were judged from, or None.
        period: The period they are of, or None.
    """

    def __init__(
        self,
        results: Mapping[K, T] | Iterable[tuple[K, T]] = (),
        as_of: datetime | None = None,
        period: Period | None = None,
    ) -> None:
        super().__init__(results)
        self.as_of, self.period = as_of, period

    def to_dicts(self) -> list[dict[str, object]]:
        """Their rows as plain values, the group first; all have the same columns."""
        provenance = plain({"as_of": self.as_of, "period": self.period})
        return [row | provenance for row in self.rows()]

    def rows(self) -> list[Plain]:
        """Their rows without when they were taken."""
        return even(
            plain({"group": group}) | {_within(name): value for name, value in row.items()}
            for group, one in self.items()
            for row in _rows(one)
        )

    def __str__(self) -> str:
        """Their rows as a table of text."""
        return text(self.rows())

    def _repr_html_(self) -> str:
        return html(self.rows(), _caption("", self.as_of, self.period))


def _within(name: str) -> str:
    """The name of a column of a group's own; that of groups within it is another."""
    return "subgroup" if name == "group" else name


def _rows(result: object) -> list[Plain]:
    tells = isinstance(result, Result | Table | Groups)
    return cast("Result", result).rows() if tells else [plain({"n": result})]


def stamped(result: T, as_of: datetime | None, period: Period | None) -> T:
    """The same result, saying the instant and the period that it is of."""
    if isinstance(result, Result):
        return cast("T", evolve(result, as_of=as_of, period=period))
    if isinstance(result, Table | Groups):
        several = cast("Table[object]", result)
        several.as_of, several.period = as_of, period
        return cast("T", several)
    return result


def plain(told: Mapping[str, object]) -> Plain:
    """Named values as plain ones; what has parts takes several columns, one for each."""
    row: Plain = {}
    for name, value in told.items():
        if isinstance(value, Result):
            inner = value.row()
            row |= {_joined(name, part): each for part, each in inner.items()}
        elif isinstance(value, Interval) or (value is None and name.endswith("interval")):
            row |= _ends(name.removesuffix("interval").removesuffix("_"), value)
        elif isinstance(value, Period) or (value is None and name.endswith("period")):
            start, end = (None, None) if value is None else (value.start, value.end)
            row |= {f"{name}_start": start, f"{name}_end": end}
        elif isinstance(value, Mapping):
            parts = cast("Mapping[object, object]", value).items()
            row |= plain({f"{name}_{_scalar(part)}": each for part, each in parts})
        elif isinstance(value, Money):
            row |= {name: value.amount, f"{name}_currency": value.currency}
        else:
            row[name] = _scalar(value)
    return row


def _joined(name: str, part: str) -> str:
    return name if part == "value" else f"{name}_{part}"


def _ends(prefix: str, interval: Interval | None) -> Plain:
    start = f"{prefix}_" if prefix else ""
    return {
        f"{start}{end}": None if interval is None else getattr(interval, end)
        for end in ("low", "high", "level", "method")
    }


def _scalar(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Fraction):
        return float(value)
    if value is None or isinstance(value, str | int | float | Decimal | date):
        return value
    if isinstance(value, tuple | list | frozenset | set):
        return ", ".join(str(_scalar(part)) for part in cast("Iterable[object]", value))
    return str(value)


def _left_out(reasons: Mapping[str, int]) -> Plain:
    why = ", ".join(f"{n} {reason}" for reason, n in reasons.items() if n)
    return {"left_out": sum(reasons.values()), "left_out_why": why or None}


def even(rows: Iterable[Plain]) -> list[Plain]:
    """Rows that all have the same columns, in the order in which they first occur."""
    given = list(rows)
    columns = dict.fromkeys(name for row in given for name in row)
    return [{name: row.get(name) for name in columns} for row in given]


def _caption(what: str, as_of: datetime | None, period: Period | None) -> str:
    parts = [
        what,
        "" if period is None else str(period),
        "" if as_of is None else f"as of {as_of.isoformat()}",
    ]
    return ", ".join(part for part in parts if part)


def _told(rows: Sequence[Plain]) -> list[str]:
    """The columns that say something in one of the rows."""
    if not rows:
        return []
    said = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    nothing = all(not row.get("left_out") for row in rows)
    return [name for name in said if not (nothing and name == "left_out")]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)


def text(rows: Sequence[Plain]) -> str:
    """Rows as an aligned table of text; a single row as a list of its columns."""
    columns = _told(rows)
    if len(rows) == 1:
        width = max(map(len, columns), default=0)
        return "\n".join(f"{name:<{width}}  {_cell(rows[0][name])}" for name in columns)
    lines = [columns, *([_cell(row[name]) for name in columns] for row in rows)]
    return "\n".join(_aligned(lines, rows, columns)) if columns else "nothing"


def _aligned(
    lines: Sequence[Sequence[str]], rows: Sequence[Plain], columns: Sequence[str]
) -> Iterator[str]:
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    numbers = [
        all(isinstance(row[name], int | float | Decimal | None) for row in rows) for name in columns
    ]
    for line in lines:
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        )
        yield "  ".join(cells).rstrip()


def html(rows: Sequence[Plain], caption: str) -> str:
    """Rows as an HTML table; every text in it is escaped."""
    columns = _told(rows)
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(row[name]))}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
