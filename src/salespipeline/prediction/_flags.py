"""Flags: what a reader of a card should know of its columns."""

from collections.abc import Collection, Iterator, Sequence
from math import log

from attrs import frozen

from salespipeline.errors import brief
from salespipeline.prediction._cells import UNKNOWN, Cell
from salespipeline.prediction.features import Counts, counted, pooled

FEWEST_OF_A_VALUE = 5
"""How many records a value must have to be told apart from the other rare ones."""

TOO_GOOD = 0.90
"""The AUC of one column above which it looks like the outcome itself."""

_ENOUGH = 20
_MANY = 1_000  # so many whole numbers, all different, are ids
_BY_CHANCE = log(1e-6)


@frozen
class Warned:
    """Something about a column, or the rows, that a reader of the card should know.

    Attributes:
        code: Its stable code: ``no_instants``, ``constant``, ``all_different``, ``known_after``,
            ``near_outcome``, ``several_currencies``, ``unnamed`` or ``tells_nothing``.
        column: The column, or None where it is about the rows.
        message: What it is, in words.
        leaves_out: Whether the column was left out for it.
    """

    code: str
    column: str | None
    message: str
    leaves_out: bool = False


NO_INSTANTS = Warned(
    "no_instants", None,
    "look-ahead cannot be ruled out: no column says when each row was known",
)  # fmt: skip

TELLS_NOTHING = Warned(
    "tells_nothing", None,
    "the columns did not rank records that were not learned from: every chance is that of all",
)  # fmt: skip


def unnamed(names: Sequence[object]) -> Warned:
    """Columns whose names are no text, as those of cells beyond a table's header."""
    message = f"columns whose names are no text are left out: {', '.join(map(brief, names[:5]))}"
    return Warned("unnamed", None, message, leaves_out=True)


def flags(
    name: str,
    keys: Sequence[str],
    outcomes: Sequence[bool],
    unlabelled: Sequence[Cell],
    currencies: Collection[str],
) -> Iterator[Warned]:
    """What is to be known of a column that is not constant.

    Args:
        name: The column.
        keys: The value or bin of each labelled row.
        outcomes: Whether each of them came out.
        unlabelled: The cells of the other rows.
        currencies: The currencies of its amounts.
    """
    if len(currencies) > 1:
        met = ", ".join(sorted(currencies))
        message = f"{name!r} has amounts of {met} on one scale: convert them first"
        yield Warned("several_currencies", name, message)
    counts = counted(keys, outcomes)
    if after := _known_after(counts, unlabelled):
        yield Warned("known_after", name, f"{name!r} {after}: is it known before?")
    area = own_auc(pooled(counts, FEWEST_OF_A_VALUE))
    if area is not None and area > TOO_GOOD:
        message = f"{name!r} alone ranks nearly all outcomes (AUC {area:.2f}): is it known before?"
        yield Warned("near_outcome", name, message)


def constant(name: str, value: str) -> Warned:
    """A column of one value."""
    return Warned("constant", name, f"{name!r} is always {brief(value)}: left out", leaves_out=True)


def all_different(
    name: str, kinds: Sequence[str], numbers: Sequence[float | None] | None
) -> Warned | None:
    """A column of ids: texts that are all different, or very many such whole numbers."""
    if numbers is None:
        known: list[object] = [kind for kind in kinds if kind != UNKNOWN]
        enough = len(known) >= _ENOUGH
    else:
        there = [number for number in numbers if number is not None]
        known = [*there]
        enough = len(there) >= _MANY and all(number.is_integer() for number in there)
    if not enough or len({*known}) < len(known):
        return None
    message = f"{name!r} differs in every row, as ids do: left out; name it in 'columns' to keep it"
    return Warned("all_different", name, message, leaves_out=True)


def _known_after(counts: Counts[str], unlabelled: Sequence[Cell]) -> str | None:
    """What shows that a column is filled only once the outcome is known.

    That so many rows are empty by chance is less likely than one in a million.
    """
    number, came = (sum(each) for each in zip(*counts.values(), strict=True))
    empty = counts.get(UNKNOWN, (0, 0))
    filled, filled_came = number - empty[0], came - empty[1]
    open_filled = sum(cell != UNKNOWN for cell in unlabelled)
    expected = filled / number * len(unlabelled)
    if len(unlabelled) >= _ENOUGH and expected >= -_BY_CHANCE and 20 * open_filled <= expected:
        return "is filled only where the outcome is known"
    if filled < _ENOUGH or filled == number or not 0 < came < number:
        return None
    if not filled_came and filled * log(1 - came / number) <= _BY_CHANCE:
        return "is filled only where the record did not come out"
    if filled_came == filled and filled * log(came / number) <= _BY_CHANCE:
        return "is filled only where the record came out"
    return None


def own_auc(counts: Counts[str]) -> float | None:
    """The AUC of a column alone, its values in the order of their shares.

    Returns:
        From 0.5 to 1; None where all records came out, or none.
    """
    came = sum(wins for _, wins in counts.values())
    lost = sum(number for number, _ in counts.values()) - came
    if not came or not lost:
        return None
    area = below = 0.0
    for number, wins in sorted(counts.values(), key=lambda count: count[1] / count[0]):
        area += wins * (below + (number - wins) / 2)
        below += number - wins
    return area / (came * lost)
