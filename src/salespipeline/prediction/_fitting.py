"""Logistic regression, and the maps that make scores into probabilities, in plain Python."""

from collections.abc import Sequence
from math import exp, log, log1p
from operator import mul
from typing import NamedTuple

_MOST_STEPS = 50
_SMALL = 1e-9
_STEEPEST = 500.0


class Fitted(NamedTuple):
    """Coefficients that were fitted.

    Attributes:
        coefficients: The intercept first, then one for each column.
        covariance: The inverse of the Hessian, in the same order.
    """

    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]


def expit(log_odds: float) -> float:
    """The probability of log-odds."""
    if log_odds >= 0:
        return 1 / (1 + exp(-min(log_odds, _STEEPEST)))
    odds = exp(max(log_odds, -_STEEPEST))
    return odds / (1 + odds)


def logit(probability: float) -> float:
    """The log-odds of a probability strictly between 0 and 1."""
    return log(probability / (1 - probability))


def logistic(
    columns: Sequence[Sequence[float]], outcomes: Sequence[float], *, ridge: float
) -> Fitted:
    """The coefficients that explain outcomes from 0 to 1 best, by Newton's steps.

    Args:
        columns: The values of each feature, each as long as the outcomes.
        outcomes: What came of each record: 1, 0, or a share between them.
        ridge: What a squared coefficient costs, halved; the intercept costs nothing.
    """
    share = sum(outcomes) / len(outcomes)
    found = [logit(min(max(share, _SMALL), 1 - _SMALL)), *[0.0] * len(columns)]
    worth = _worth(columns, outcomes, found, ridge)
    hessian = _slopes(columns, outcomes, found, ridge)[0]
    for _ in range(_MOST_STEPS):
        hessian, gradient = _slopes(columns, outcomes, found, ridge)
        step = solved(hessian, gradient)
        length = 1.0
        ahead = [b + d for b, d in zip(found, step, strict=True)]
        while (
            after := _worth(columns, outcomes, ahead, ridge)
        ) < worth - _SMALL and length > _SMALL:
            length /= 2
            ahead = [b + length * d for b, d in zip(found, step, strict=True)]
        found, worth = ahead, after
        if max(map(abs, step)) < _SMALL:
            break
    return Fitted(tuple(found), inverted(hessian))


def _log_odds(
    columns: Sequence[Sequence[float]], found: Sequence[float], number: int
) -> list[float]:
    sums = [found[0]] * number
    for weight, column in zip(found[1:], columns, strict=True):
        if weight:
            sums = [total + weight * value for total, value in zip(sums, column, strict=True)]
    return sums


def _worth(
    columns: Sequence[Sequence[float]],
    outcomes: Sequence[float],
    found: Sequence[float],
    ridge: float,
) -> float:
    """The log-likelihood, less what the coefficients cost."""
    sums = _log_odds(columns, found, len(outcomes))
    likelihood = sum(
        y * s - (s + log1p(exp(-s)) if s > 0 else log1p(exp(s)))
        for y, s in zip(outcomes, sums, strict=True)
    )
    return likelihood - ridge / 2 * sum(b * b for b in found[1:])


def _slopes(
    columns: Sequence[Sequence[float]],
    outcomes: Sequence[float],
    found: Sequence[float],
    ridge: float,
) -> tuple[list[list[float]], list[float]]:
    """The Hessian of the negative log-likelihood, and the gradient of the likelihood."""
    chances = list(map(expit, _log_odds(columns, found, len(outcomes))))
    weights = [p * (1 - p) for p in chances]
    left = [y - p for y, p in zip(outcomes, chances, strict=True)]
    size = len(columns) + 1
    hessian = [[0.0] * size for _ in range(size)]
    hessian[0][0] = sum(weights)
    gradient = [sum(left)]
    for i, column in enumerate(columns, 1):
        weighted = list(map(mul, weights, column))
        hessian[0][i] = hessian[i][0] = sum(weighted)
        for j in range(i, size):
            hessian[i][j] = hessian[j][i] = sum(map(mul, weighted, columns[j - 1]))
        hessian[i][i] += ridge
        gradient.append(sum(map(mul, left, column)) - ridge * found[i])
    return hessian, gradient


def _factored(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The lower factor of Cholesky of a positive definite matrix, a flat one made barely so."""
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(map(mul, lower[i][:j], lower[j][:j]))
            if i == j:
                lower[i][i] = max(rest, 1e-12) ** 0.5
            else:
                lower[i][j] = rest / lower[j][j]
    return lower


def _swept(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    size = len(right)
    down: list[float] = []
    for i in range(size):
        down.append((right[i] - sum(map(mul, lower[i][:i], down))) / lower[i][i])
    found = [0.0] * size
    for i in range(size - 1, -1, -1):
        rest = down[i] - sum(lower[k][i] * found[k] for k in range(i + 1, size))
        found[i] = rest / lower[i][i]
    return found


def solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The solution of a positive definite system."""
    return _swept(_factored(matrix), right)


def inverted(matrix: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """The inverse of a positive definite matrix."""
    lower, size = _factored(matrix), len(matrix)
    units = ([float(i == j) for j in range(size)] for i in range(size))
    return tuple(tuple(_swept(lower, unit)) for unit in units)


def platt(scores: Sequence[float], outcomes: Sequence[bool]) -> tuple[float, float]:
    """Platt's map: the offset and slope that turn scores, as log-odds, into honest ones.

    The targets are smoothed, as his are: (n₊ + 1) / (n₊ + 2) for what came out, 1 / (n₋ + 2) else.

    Source: Platt, Probabilistic outputs for support vector machines (1999).
    """
    came = sum(outcomes)
    high, low = (came + 1) / (came + 2), 1 / (len(outcomes) - came + 2)
    targets = [high if outcome else low for outcome in outcomes]
    offset, slope = logistic([scores], targets, ridge=0.0).coefficients
    return offset, slope


def isotonic(scores: Sequence[float], outcomes: Sequence[bool]) -> tuple[tuple[float, float], ...]:
    """The rising steps that fit outcomes best, by pooling adjacent violators.

    Returns:
        The least score and the share of each step, in order.
    """
    steps: list[list[float]] = []  # least score, sum, number
    for score, outcome in sorted(zip(scores, outcomes, strict=True)):
        if steps and steps[-1][0] == score:
            steps[-1][1] += outcome
            steps[-1][2] += 1
        else:
            steps.append([score, float(outcome), 1])
        while len(steps) > 1 and steps[-2][1] * steps[-1][2] >= steps[-1][1] * steps[-2][2]:
            _, total, number = steps.pop()
            steps[-1][1] += total
            steps[-1][2] += number
    return tuple((least, total / number) for least, total, number in steps)
