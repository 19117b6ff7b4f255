"""Logistic regression, and the maps that make scores into probabilities, in plain Python."""

from collections.abc import Sequence
from itertools import groupby, repeat
from math import exp, fsum, log, log1p
from operator import itemgetter, mul
from typing import NamedTuple

_MOST_STEPS = 100
_SMALL = 1e-12  # a step so short ends the climb
_SLOW = 0.2  # a step that leaves more than this of the step before asks for new slopes
_ROWS_PER_COLUMN = 50  # rows that tell the curvature well enough to begin with
_FLATTEST = 1e-12
_STEEPEST = 500.0


def expit(log_odds: float) -> float:
    """The probability of log-odds."""
    if log_odds >= 0:
        return 1 / (1 + exp(-min(log_odds, _STEEPEST)))
    odds = exp(max(log_odds, -_STEEPEST))
    return odds / (1 + odds)


def logit(probability: float) -> float:
    """The log-odds of a probability strictly between 0 and 1."""
    return log(probability / (1 - probability))


class _Rows(NamedTuple):
    """Rows to explain, equal ones as one.

    Attributes:
        columns: By feature, the value in each row.
        lines: By row, the value of each feature.
        numbers: How many records each row stands for.
        came: How many of them came out, in whole or in part.
        ridge: What a squared coefficient costs, halved; the intercept costs nothing.
    """

    columns: Sequence[Sequence[float]]
    lines: Sequence[tuple[float, ...]]
    numbers: Sequence[float]
    came: Sequence[float]
    ridge: float

    @classmethod
    def of(
        cls, columns: Sequence[Sequence[float]], outcomes: Sequence[float], ridge: float
    ) -> "_Rows":
        """The rows of columns; those with equal values as one, where that makes them far fewer."""
        number = len(outcomes)
        lines = list(zip(*columns, strict=True)) if columns else [()] * number
        patterns: dict[tuple[float, ...], list[float]] = {}
        for line, outcome in zip(lines, outcomes, strict=True):
            found = patterns.setdefault(line, [0, 0.0])
            found[0] += 1
            found[1] += outcome
            if 2 * len(patterns) > number:
                return cls(columns, lines, [1.0] * number, outcomes, ridge)
        numbers, came = zip(*patterns.values(), strict=True)
        return cls(tuple(zip(*patterns, strict=True)), [*patterns], numbers, came, ridge)


class _Place(NamedTuple):
    """Where a climb has come to.

    Attributes:
        coefficients: The intercept, and one for each column.
        chances: The probability of each row.
        worth: The log-likelihood, less what the coefficients cost.
    """

    coefficients: list[float]
    chances: list[float]
    worth: float

    @classmethod
    def at(cls, coefficients: list[float], rows: _Rows) -> "_Place":
        """Where coefficients lead to."""
        first, *weights = coefficients
        sums = [sum(map(mul, weights, line), first) for line in rows.lines]
        odds = [exp(-abs(total)) for total in sums]
        chances = [
            1 / (1 + each) if total >= 0 else each / (1 + each)
            for total, each in zip(sums, odds, strict=True)
        ]
        told = sum(map(mul, rows.came, sums))
        spent = sum(
            number * (log1p(each) + (total if total > 0 else 0.0))
            for number, total, each in zip(rows.numbers, sums, odds, strict=True)
        )
        cost = rows.ridge / 2 * sum(each * each for each in coefficients[1:])
        return cls(coefficients, chances, told - spent - cost)

    def gradient(self, rows: _Rows) -> list[float]:
        """How the worth changes with each coefficient."""
        expected = map(mul, rows.numbers, self.chances)
        left = [came - each for came, each in zip(rows.came, expected, strict=True)]
        slopes = [sum(left)]
        for coefficient, column in zip(self.coefficients[1:], rows.columns, strict=True):
            slopes.append(sum(map(mul, left, column)) - rows.ridge * coefficient)
        return slopes

    def hessian(self, rows: _Rows, stride: int = 1) -> list[list[float]]:
        """How the gradient falls with each coefficient, told by every so manieth row."""
        picked = slice(None, None, stride)
        weights = [
            stride * n * p * (1 - p)
            for n, p in zip(rows.numbers[picked], self.chances[picked], strict=True)
        ]
        columns = [column[picked] for column in rows.columns]
        size = len(columns) + 1
        found = [[0.0] * size for _ in range(size)]
        found[0][0] = sum(weights)
        for i, column in enumerate(columns, 1):
            weighted = list(map(mul, weights, column))
            found[0][i] = found[i][0] = sum(weighted)
            for j in range(i, size):
                found[i][j] = found[j][i] = sum(map(mul, weighted, columns[j - 1]))
            found[i][i] += rows.ridge
        return found


class Near(NamedTuple):
    """Where to begin, in place of the share of outcomes.

    Attributes:
        coefficients: The intercept, and one for each column.
        hessian: About how the gradient falls there; None where that is not known.
    """

    coefficients: Sequence[float]
    hessian: Sequence[Sequence[float]] | None = None


def logistic(
    columns: Sequence[Sequence[float]],
    outcomes: Sequence[float],
    *,
    ridge: float,
    near: Near | None = None,
) -> tuple[float, ...]:
    """The coefficients that explain outcomes from 0 to 1 best.

    Found by Newton's steps: the curvature is told by some of the rows, and told anew only where
    the steps grow shorter slowly; the gradient, which says where the end is, is always that of
    all rows.

    Args:
        columns: The values of each feature, each as long as the outcomes.
        outcomes: What came of each record: 1, 0, or a share between them; not all 0 or all 1
            without a ridge and columns to tell them apart.
        ridge: What a squared coefficient costs, halved; the intercept costs nothing.
        near: Where to begin; at the share of outcomes, without weights, if not given.

    Returns:
        The intercept first, then one coefficient for each column.
    """
    rows = _Rows.of(columns, outcomes, ridge)
    first = [logit(fsum(outcomes) / len(outcomes)), *repeat(0.0, len(columns))]
    here = _Place.at(first if near is None else [*near.coefficients], rows)
    stride = max(1, len(rows.came) // (_ROWS_PER_COLUMN * (len(columns) + 1)))
    known = None if near is None else near.hessian
    lower = _factored(here.hessian(rows, stride) if known is None else known)
    length = float("inf")
    for _ in range(_MOST_STEPS):
        step = _swept(lower, here.gradient(rows))
        here = _climbed(here, step, rows)
        before, length = length, max(map(abs, step))
        if length < _SMALL:
            break
        if length > _SLOW * before:
            stride = max(1, stride // 2)
            lower = _factored(here.hessian(rows, stride))
    return tuple(here.coefficients)


def hessian(
    columns: Sequence[Sequence[float]],
    outcomes: Sequence[float],
    coefficients: Sequence[float],
    *,
    ridge: float,
) -> list[list[float]]:
    """How the gradient falls at coefficients; its inverse is their covariance."""
    rows = _Rows.of(columns, outcomes, ridge)
    return _Place.at([*coefficients], rows).hessian(rows)


def _climbed(here: _Place, step: Sequence[float], rows: _Rows) -> _Place:
    """Where a step leads, made shorter until it leads up."""
    least = here.worth - 1e-9 * abs(here.worth)
    length = 1.0
    while True:
        ahead = [b + length * d for b, d in zip(here.coefficients, step, strict=True)]
        there = _Place.at(ahead, rows)
        if there.worth >= least or length < _SMALL:
            return there
        length /= 2


def _factored(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The lower factor of Cholesky of a positive definite matrix, a flat one made barely so."""
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(map(mul, lower[i][:j], lower[j][:j]))
            if i == j:
                lower[i][i] = max(rest, _FLATTEST) ** 0.5
            else:
                lower[i][j] = rest / lower[j][j]
    return lower


def _swept(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The solution of the system whose matrix has a lower factor."""
    size = len(right)
    down: list[float] = []
    for i in range(size):
        down.append((right[i] - sum(map(mul, lower[i][:i], down))) / lower[i][i])
    found = [0.0] * size
    for i in range(size - 1, -1, -1):
        rest = down[i] - sum(lower[k][i] * found[k] for k in range(i + 1, size))
        found[i] = rest / lower[i][i]
    return found


def inverted(matrix: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """The inverse of a positive definite matrix."""
    lower, size = _factored(matrix), len(matrix)
    units = ([float(i == j) for j in range(size)] for i in range(size))
    return tuple(tuple(_swept(lower, unit)) for unit in units)


def smoothed(outcomes: Sequence[bool]) -> list[float]:
    """Platt's targets: what came out is nearly 1, what did not nearly 0, the nearer the more.

    They are (n₊ + 1) / (n₊ + 2) for each of the n₊ that came out, 1 / (n₋ + 2) for the n₋ others,
    so that no chance ever learned is 0 or 1.
    """
    came = sum(outcomes)
    high, low = (came + 1) / (came + 2), 1 / (len(outcomes) - came + 2)
    return [high if outcome else low for outcome in outcomes]


def platt(scores: Sequence[float], outcomes: Sequence[bool]) -> tuple[float, float]:
    """Platt's map: the offset and slope that turn scores, as log-odds, into honest ones.

    Source: Platt, Probabilistic outputs for support vector machines (1999).
    """
    offset, slope = logistic([scores], smoothed(outcomes), ridge=0.0)
    return offset, slope


def isotonic(scores: Sequence[float], outcomes: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """The rising steps that fit outcomes best, by pooling adjacent violators.

    Returns:
        The least score and the mean outcome of each step, in order.

    Source: Barlow, Bartholomew, Bremner and Brunk, Statistical Inference under Order
        Restrictions (1972).
    """
    steps: list[tuple[float, float, int]] = []  # least score, sum of outcomes, number
    ordered = sorted(zip(scores, outcomes, strict=True))
    for least, tied in groupby(ordered, key=itemgetter(0)):
        several = [outcome for _, outcome in tied]
        score, total, number = least, fsum(several), len(several)
        while steps and steps[-1][1] * number >= total * steps[-1][2]:
            score, before, many = steps.pop()
            total, number = total + before, number + many
        steps.append((score, total, number))
    return tuple((score, total / number) for score, total, number in steps)
