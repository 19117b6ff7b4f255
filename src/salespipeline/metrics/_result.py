"""What every result can tell of itself: its rows, its table, and when it was taken from where."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, cast

from attrs import evolve, field, fields, frozen

from salespipeline.intervals import Interval
from salespipeline.metrics._showing import html, text
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
        return even(_provided(self, None, None))

    def rows(self) -> list[Plain]:
        """Its rows without when it was taken; one row, of its columns, if it says no more."""
        return [self.row()]

    def row(self) -> Plain:
        """The one row that tells it in short."""
        told = {name: cast("object", getattr(self, name)) for name in self.columns}
        return plain(told) | _left_out(self.left_out)

    def __str__(self) -> str:
        """Its rows as a table of text."""
        rows = even(self.rows())
        return text(rows, _note(rows, self.left_out))

    def _repr_html_(self) -> str:
        rows, caption = even(self.rows()), _caption(type(self).__name__, self.as_of, self.period)
        return html(rows, caption, _note(rows, self.left_out))


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
        """Their rows as plain values, for a DataFrame or JSON; all have the same columns.

        Each says when its own result was taken, and of which period it is.
        """
        told = (_provided(result, self.as_of, self.period) for result in self)
        return even(row for rows in told for row in rows)

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
        """Their rows as plain values, the group first; all have the same columns.

        Each says when its own result was taken, and of which period it is.
        """
        none = plain({"as_of": self.as_of, "period": self.period})
        return even(
            _of_group(group, row)
            for group, one in self.items()
            for row in _provided(one, self.as_of, self.period) or [_why(one) | none]
        )

    def rows(self) -> list[Plain]:
        """Their rows without when they were taken; one at least for each group."""
        return even(
            _of_group(group, row)
            for group, one in self.items()
            for row in _rows(one) or [_why(one)]
        )

    def __str__(self) -> str:
        """Their rows as a table of text."""
        return text(self.rows())

    def _repr_html_(self) -> str:
        return html(self.rows(), _caption("", self.as_of, self.period))


def _of_group(group: object, row: Plain) -> Plain:
    """A row of a group; what its own groups are called by is another column."""
    within = {"subgroup" if name == "group" else name: value for name, value in row.items()}
    return plain({"group": group}) | within


def _rows(result: object) -> list[Plain]:
    """The rows of a result; where they do not tell what it left out, that too."""
    if isinstance(result, Table | Groups):
        return cast("Table[object]", result).rows()
    if not isinstance(result, Result):
        return [plain({"n": result})]
    return [row if row.get("left_out") else row | _why(result) for row in even(result.rows())]


def _why(result: object) -> Plain:
    """What a result left out."""
    return _left_out(result.left_out) if isinstance(result, Result) else {}


def _note(rows: Iterable[Plain], left_out: Mapping[str, int]) -> str:
    """A line on what was left out, where no row tells it."""
    why = None if any(row.get("left_out") for row in rows) else _left_out(left_out)["left_out_why"]
    return f"left out: {why}" if why else ""


def _provided(result: object, as_of: datetime | None, period: Period | None) -> list[Plain]:
    """The rows of a result with when it was taken from where: as it says, or else as given."""
    if isinstance(result, Table | Groups):
        return cast("Table[object]", result).to_dicts()
    if isinstance(result, Result):
        as_of, period = result.as_of or as_of, result.period or period
    provenance = plain({"as_of": as_of, "period": period})
    return [row | provenance for row in _rows(result)]


def stamped(result: T, as_of: datetime | None, period: Period | None) -> T:
    """The same result, saying the instant and the period that it is of.

    So does all that it is made of; what says its own already is left as it is.
    """
    if not isinstance(result, Result | Table | Groups):
        return cast("T", _stamped_parts(result, as_of, period))
    told = cast("Result", result)
    at, of = told.as_of or as_of, told.period or period
    if isinstance(result, Table):
        several = (stamped(each, at, of) for each in cast("Table[object]", result))
        return cast("T", Table(several, at, of))
    if isinstance(result, Groups):
        groups = cast("Groups[Hashable, object]", result).items()
        return cast("T", Groups(((key, stamped(each, at, of)) for key, each in groups), at, of))
    parts = {
        each.name: _stamped_parts(getattr(told, each.name), at, of)
        for each in fields(type(told))
        if each.name not in _PROVENANCE
    }
    return cast("T", evolve(told, as_of=at, period=of, **cast("Any", parts)))


def _stamped_parts(value: object, as_of: datetime | None, period: Period | None) -> object:
    """What a result is made of, with the results in it stamped."""
    if isinstance(value, Result | Table | Groups):
        return stamped(cast("object", value), as_of, period)
    if type(value) is tuple:
        several = cast("tuple[object, ...]", value)
        if several and isinstance(several[0], Result):
            return tuple(stamped(each, as_of, period) for each in several)
    elif type(value) is dict:
        named = cast("dict[Hashable, object]", value)
        if any(isinstance(each, Result) for each in named.values()):
            return {key: stamped(each, as_of, period) for key, each in named.items()}
    return cast("object", value)


_PROVENANCE = ("left_out", "as_of", "period")


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
