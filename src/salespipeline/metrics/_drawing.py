"""Drawing runs: of deals that are won or not, and of how many come that are not there yet."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, lgamma, log, log1p, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

_DIGITS = 16
"""A chance is met to one part in two to the power of this."""

_REACH = 12
"""How many standard deviations about its mean a count is drawn from."""


class Chance(NamedTuple):
    """What one deal may bring.

    Attributes:
        amount: Its amount in minor units.
        chance: The chance that it is won.
        group: The number of its group.
    """

    amount: int
    chance: float
    group: int


def won(deals: Sequence[Chance], groups: int, runs: int, rng: "Random") -> list[list[int]]:
    """For each group, and each run, the amounts together of the deals won in that run."""
    sums = [_Sums(runs) for _ in range(groups)]
    for amount, chance, group in deals:
        sums[group].add(amount, _coming_out(chance, runs, rng))
    return [each.by_run() for each in sums]


def _coming_out(chance: float, runs: int, rng: "Random") -> int:
    """The runs in which something of a chance comes out, as the bits of a number that are set.

    A uniform number is compared with the chance in all runs at once, digit by digit from the
    last: so a run costs a few bits, and no number of its own.
    """
    share = round(chance * (1 << _DIGITS))
    if share >= 1 << _DIGITS:
        return (1 << runs) - 1
    bits = 0
    lowest = (share & -share).bit_length() - 1 if share > 0 else _DIGITS
    for place in range(lowest, _DIGITS):
        drawn = rng.getrandbits(runs)
        bits = bits | drawn if share >> place & 1 else bits & drawn
    return bits


class _Sums:
    """A sum for each run, kept digit by digit: a number for each, one bit of it for each run.

    Args:
        runs: How many runs there are.
    """

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._digits: list[int] = []
        self._most = self._below = 0

    def add(self, amount: int, bits: int) -> None:
        """Add an amount to the runs whose bits are set; one below 0 by what it leaves out."""
        if amount < 0:
            self._below += amount
            amount, bits = -amount, bits ^ ((1 << self._runs) - 1)
        self._most += amount
        digits, carry, place = self._digits, 0, 0
        digits.extend([0] * (self._most.bit_length() - len(digits)))
        while amount or carry:
            digit = digits[place]
            added = bits if amount & 1 else 0
            if added and carry:
                either = digit ^ added
                digits[place], carry = either ^ carry, digit & added | carry & either
            elif added or carry:
                added = added or carry
                digits[place], carry = digit ^ added, digit & added
            amount, place = amount >> 1, place + 1

    def by_run(self) -> list[int]:
        """The sum of each run, in order."""
        if not self._digits:
            return [self._below] * self._runs
        columns = zip(*(f"{digit:0{self._runs}b}" for digit in reversed(self._digits)), strict=True)
        return [int("".join(column), 2) + self._below for column in columns][::-1]


class Counts:
    """How many come when their rate is only known by how many came.

    The rate is Gamma with shape k + 1/2 and the days seen; those that come are Poisson. The two
    together are negative binomial, which is drawn from at once.

    Args:
        seen: How many came.
        days: In how many days.
        ahead: The days ahead, less where not all count.
    """

    def __init__(self, seen: int, days: float, ahead: float) -> None:
        shape, odds = seen + 0.5, ahead / days
        mean, spread = shape * odds, sqrt(shape * odds * (1 + odds))
        self.lowest = max(0, int(mean - _REACH * spread))
        numbers = range(self.lowest, int(mean + _REACH * spread + _REACH) + 1)
        if odds > 0:
            each = log(odds) - log1p(odds)
            logs = [lgamma(n + shape) - lgamma(n + 1) + n * each for n in numbers]
            most = max(logs)
            weights = [exp(value - most) for value in logs]
        else:
            weights = [1.0] + [0.0] * (len(numbers) - 1)
        self._numbers, self._weights = numbers, list(accumulate(weights))

    def draw(self, runs: int, rng: "Random") -> list[int]:
        """The number of each run."""
        return rng.choices(self._numbers, cum_weights=self._weights, k=runs)


def brought(
    counts: Sequence[int], amounts: Sequence[int], rng: "Random"
) -> tuple[list[int], list[int]]:
    """For each run so many amounts drawn with replacement: where its own end, and all of them."""
    ends = list(accumulate(counts))
    many = ends[-1] if ends else 0
    return ends, (rng.choices(amounts, k=many) if many else [])


def shared(
    ends: Sequence[int], drawn: Sequence[int], weights: Sequence[int], rng: "Random"
) -> list[list[int]]:
    """For each group, and each run, the amounts that fall to it, by the weights of the groups.

    Where none weighs anything, all weigh alike.
    """
    if len(weights) == 1:
        upto = list(accumulate(drawn, initial=0))
        return [[upto[end] - upto[start] for start, end in pairwise([0, *ends])]]
    sums = [[0] * len(ends) for _ in weights]
    groups, heavy = range(len(weights)), weights if any(weights) else None
    owners = rng.choices(groups, weights=heavy, k=len(drawn))
    for run, (start, end) in enumerate(pairwise([0, *ends])):
        for amount, group in zip(drawn[start:end], owners[start:end], strict=True):
            sums[group][run] += amount
    return sums
