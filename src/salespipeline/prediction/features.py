"""Features: what the cells of a column say of an outcome, as evidence."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, TypeAlias, cast

from attrs import field, frozen

from salespipeline._doors import NOTHING
from salespipeline.errors import SalesPipelineError, WrongTypeError
from salespipeline.money import Money
from salespipeline.prediction._fitting import logit

UNKNOWN = "unknown"
"""What an empty cell is: a value like any other, since not knowing tells something too."""

RARE = "rare"
"""What the values that occur too seldom are together, and one that was never seen."""

Cell: TypeAlias = str | float
"""What a cell holds: text, or a number."""

_FEW_NUMBERS = 10  # a column of so few different numbers is one of kinds, not of sizes
_BINS = 10
_MOST_TEXT = 200


def read_cell(value: object, column: str) -> Cell:
    """What a cell holds; nothing, NaN and blanks are `UNKNOWN`.

    Raises:
        WrongTypeError: It is no plain value.
    """
    if type(value) is str:
        return value.strip()[:_MOST_TEXT] or UNKNOWN
    if value is None:
        return UNKNOWN
    if type(value) is float or type(value) is int:
        return float(value) if isfinite(value) and abs(value) < 1e300 else UNKNOWN
    try:
        return _strange_cell(value, column)
    except SalesPipelineError:
        raise
    except Exception:  # noqa: BLE001 - what stands in a cell may be anyone's code
        raise WrongTypeError(column, "a plain value: text, a number, a date", value) from None


def _strange_cell(value: Any, column: str) -> Cell:
    """What a value of no common type holds."""
    if isinstance(value, bool | str):
        return read_cell(str(value), column)
    if isinstance(value, Enum):
        return read_cell(value.value, column)
    if isinstance(value, Money):
        return float(value.amount)
    if isinstance(value, int | float | Decimal):
        return read_cell(float(value), column)
    return _of_another_library(value, column)


def _of_another_library(value: Any, column: str) -> Cell:
    """What a date, a missing value or a number of another library holds."""
    if type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124 - as NaT does
        return UNKNOWN
    if isinstance(value, date):
        return float(date.toordinal(value))
    if hasattr(value, "item"):
        return read_cell(value.item(), column)
    raise WrongTypeError(column, "a plain value: text, a number, a date", value)


def as_numbers(cells: Sequence[Cell]) -> list[Cell] | None:
    """The cells with their texts read as numbers; None where the column is not one of numbers.

    It is one where every known cell is a number, or a text of one, and there are more than ten
    different ones.
    """
    found: list[Cell] = []
    for cell in cells:
        number = cell if cell == UNKNOWN or type(cell) is float else _number(cast("str", cell))
        if number is None:
            return None
        found.append(number)
    return found if len({*found} - {UNKNOWN}) > _FEW_NUMBERS else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


@frozen
class Feature:
    """One column, and what each of its values says of the outcome.

    Attributes:
        name: The column.
        edges: Where the bins of a column of numbers begin, after the first; None for kinds.
        evidence: By value or bin, the log-odds it adds to the base rate's.
        counts: By value or bin, how many records had it, and how many of them came out.
        weight: What its evidence is multiplied by.
        teams: By team and value, the evidence within the team, where it differs.
    """

    name: str
    edges: tuple[float, ...] | None
    evidence: Mapping[str, float] = field(hash=False)
    counts: Mapping[str, tuple[int, int]] = field(hash=False)
    weight: float = 1.0
    teams: Mapping[tuple[str, str], float] = field(default=NOTHING, hash=False)

    def value(self, given: object) -> str:
        """The value or bin that a cell falls into; `RARE` for one that was never seen."""
        cell = read_cell(given, self.name)
        if cell == UNKNOWN:
            return UNKNOWN
        found = key(cell, self.edges)
        return found if found in self.evidence else RARE

    def says(self, value: str, team: str | None = None) -> float:
        """The evidence of a value: log-odds; none where nothing is known of it."""
        if team is not None and (team, value) in self.teams:
            return self.teams[team, value]
        return self.evidence.get(value, 0.0)


def key(cell: Cell, edges: tuple[float, ...] | None) -> str:
    """The value or bin of a known cell."""
    if edges is None:
        if type(cell) is float:
            return str(int(cell)) if cell.is_integer() else repr(cell)
        return cast("str", cell)
    number = cell if type(cell) is float else _number(cast("str", cell))
    if number is None:
        return RARE
    place = bisect_right(edges, number)
    low = f"from {edges[place - 1]:g}" if place else ""
    high = f"below {edges[place]:g}" if place < len(edges) else ""
    return f"{low} {high}".strip()


def edges_of(cells: Sequence[Cell]) -> tuple[float, ...]:
    """Where ten bins of as many records each would begin; fewer where numbers repeat."""
    numbers = sorted(cell for cell in cells if type(cell) is float)
    places = (numbers[len(numbers) * n // _BINS] for n in range(1, _BINS))
    return tuple(sorted({edge for edge in places if edge > numbers[0]}))


def counted(keys: Sequence[str], outcomes: Sequence[bool]) -> dict[str, tuple[int, int]]:
    """By value, how many records have it, and how many of them came out."""
    found: dict[str, list[int]] = {}
    for value, outcome in zip(keys, outcomes, strict=True):
        count = found.get(value)
        if count is None:
            found[value] = [1, int(outcome)]
        else:
            count[0] += 1
            count[1] += outcome
    return {value: (n, came) for value, (n, came) in found.items()}


def pooled(counts: Mapping[str, tuple[int, int]], fewest: int) -> dict[str, tuple[int, int]]:
    """The counts with those of values that occur too seldom put together; unknown stays."""
    rare = {
        value
        for value, (n, _) in counts.items()
        if value == RARE or (value != UNKNOWN and n < fewest)
    }
    kept = {value: count for value, count in counts.items() if value not in rare}
    if rare:
        kept[RARE] = (
            sum(counts[value][0] for value in rare), sum(counts[value][1] for value in rare)
        )  # fmt: skip
    return kept


def weight_of_evidence(
    counts: Mapping[str, tuple[int, int]], base: float, pseudo: float
) -> dict[str, float]:
    """By value, the log-odds of its outcomes less the base rate's.

    Each value is shrunk to the base rate by as many pseudo-outcomes.
    """
    return {
        value: logit((came + pseudo * base) / (n + pseudo)) - logit(base)
        for value, (n, came) in counts.items()
    }
