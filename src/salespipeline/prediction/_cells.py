"""Cells: what stands in a row's column, read as text, a number or a day."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple, TypeAlias, cast

from salespipeline.errors import SalesPipelineError, WrongTypeError
from salespipeline.money import Money

UNKNOWN = "unknown"
"""What an unanswered cell is: a value like any other, since not knowing tells something too."""

RARE = "(rare)"
"""What the values that occur too seldom are together, and one that was never seen."""

UNANSWERED = frozenset(
    {"select", "unknown", "n/a", "#n/a", "nan", "nat", "<na>", "null", "-", "--", "?"}
)
"""Texts that say that nothing was answered, in small letters: a form's own words among them."""

Cell: TypeAlias = str | float
"""What a cell holds: text, or a number."""

_LARGEST = 1e300
_MOST_TEXT = 200
_PLAIN = "a plain value: text, a number, a date"
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FEW_NUMBERS = 10  # a column of so few different numbers is one of kinds, not of sizes


def read_cell(value: object, column: str, unanswered: frozenset[str] = UNANSWERED) -> Cell:
    """What a cell holds: text, stripped; a number; a date as text.

    Nothing, NaN, a blank, a text that says that nothing was answered and a number that no float
    holds are `UNKNOWN`.

    Raises:
        WrongTypeError: It is no plain value.
    """
    if type(value) is str:
        text = value.strip()[:_MOST_TEXT]
        return UNKNOWN if not text or text.casefold() in unanswered else text
    if value is None:
        return UNKNOWN
    if type(value) is float or type(value) is int:
        return float(value) if -_LARGEST < value < _LARGEST else UNKNOWN
    try:
        return _strange_cell(value, column, unanswered)
    except SalesPipelineError:
        raise
    except Exception:  # noqa: BLE001 - what stands in a cell may be anyone's code
        raise WrongTypeError(column, _PLAIN, value) from None


def _strange_cell(value: Any, column: str, unanswered: frozenset[str]) -> Cell:
    """What a value of no common type holds."""
    if isinstance(value, Enum):
        return read_cell(value.value, column, unanswered)
    if isinstance(value, str):
        return read_cell(str.__str__(value), column, unanswered)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Money):
        return float(value.amount)
    if isinstance(value, int | float | Decimal):
        return read_cell(float(value), column)
    return _of_another_library(value, column, unanswered)


def _of_another_library(value: Any, column: str, unanswered: frozenset[str]) -> Cell:
    """What a date, a missing value or a number of another library holds."""
    if type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124 - as NaT does
        return UNKNOWN
    if isinstance(value, date):
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    if hasattr(value, "item"):
        return read_cell(value.item(), column, unanswered)
    raise WrongTypeError(column, _PLAIN, value)


def kind_of(cell: Cell) -> str:
    """The kind that a known cell is of: text itself; whole numbers without a point."""
    if type(cell) is float:
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    whole = _WHOLE.fullmatch(cast("str", cell))
    return whole[1] if whole else cast("str", cell)


def number_of(cell: Cell) -> float | None:
    """The number that a cell is, or that its text is of; None where it is none."""
    if type(cell) is float:
        return cell
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if -_LARGEST < number < _LARGEST else None


def day_of(cell: Cell) -> float | None:
    """The number of a day whose ISO text a cell begins with; None where there is none."""
    if type(cell) is float or not _DAY.match(cast("str", cell)):
        return None
    try:
        return float(datetime.fromisoformat(cast("str", cell)).toordinal())
    except ValueError:
        return None


class Sizes(NamedTuple):
    """A column of numbers or of days.

    Attributes:
        numbers: The number of each cell; None where it is unknown.
        are_days: Whether they number days.
    """

    numbers: list[float | None]
    are_days: bool


def sizes_of(cells: Sequence[Cell]) -> Sizes | None:
    """The numbers or days of a column; None where it is one of kinds.

    It is one of numbers, or of days, where every known cell is one, or a text of one, and there
    are more than ten different ones.
    """
    different = {*cells} - {UNKNOWN}
    for read, are_days in ((number_of, False), (day_of, True)):
        found: Mapping[Cell, float | None] = {cell: read(cell) for cell in different}
        if None not in found.values() and len({*found.values()}) > _FEW_NUMBERS:
            return Sizes([found.get(cell) for cell in cells], are_days)
    return None
