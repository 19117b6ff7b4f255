"""Score cards: what was learned, asked about one record, with an explanation that adds up."""

from bisect import bisect_right
from collections.abc import Mapping
from math import fsum, log, sqrt
from operator import mul
from typing import Any

from attrs import field, frozen

from salespipeline.errors import WrongTypeError
from salespipeline.intervals import Interval, normal_quantile
from salespipeline.prediction._fitting import expit
from salespipeline.prediction.features import Feature

POINTS_PER_LOG_ODD = 20 / log(2)
"""Twenty points double the odds."""


@frozen
class Warned:
    """Something about a column, or the rows, that a reader of the card should know.

    Attributes:
        code: Its stable code.
        column: The column, or None where it is about the rows.
        message: What it is, in words.
    """

    code: str
    column: str | None
    message: str


@frozen
class Part:
    """What one column adds to a prediction.

    Attributes:
        column: The column.
        value: The value or bin of the record in it.
        log_odds: What it adds to the log-odds.
    """

    column: str
    value: str
    log_odds: float

    @property
    def points(self) -> int:
        """What it adds in points, of which twenty double the odds."""
        return round(self.log_odds * POINTS_PER_LOG_ODD)


@frozen
class Prediction:
    """What a card says of one record.

    Attributes:
        probability: The chance of the outcome.
        interval: Where the chance lies, for what the card could learn from its records.
        log_odds: The calibrated log-odds, which the base and the parts sum to.
        base: The log-odds of a record of which nothing is said.
        parts: What each column adds, the strongest first.
    """

    probability: float
    interval: Interval
    log_odds: float
    base: float
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        """The chance, its interval, and what speaks for and against it."""
        low, high = self.interval.low, self.interval.high
        lines = [f"{self.probability:.1%} ({low:.1%} to {high:.1%})"]
        lines += [
            f"{part.points:+4d}  {part.column}: {part.value}" for part in self.parts if part.points
        ]
        return "\n".join(lines)


@frozen
class Card:
    """A score card that was learned: make one with `learn`.

    Attributes:
        outcome: What it predicts, in words.
        features: The columns, with what each of their values says.
        records: How many labelled records it was learned from.
        came: How many of them came out.
        unlabelled: How many records were left out, since what came of them is not known.
        intercept: The log-odds where no column says anything, before calibration.
        offset: What calibration adds to the log-odds.
        slope: What calibration multiplies the log-odds by.
        steps: The steps of an isotonic calibration; none where Platt's map was taken.
        warnings: What a reader of the card should know.
    """

    outcome: str
    features: tuple[Feature, ...]
    records: int
    came: int
    unlabelled: int
    intercept: float
    offset: float
    slope: float
    team: str | None = None
    steps: tuple[tuple[float, float], ...] = ()
    warnings: tuple[Warned, ...] = ()
    _covariance: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    _groups: tuple[tuple[int, ...], ...] = field(default=(), repr=False)

    def predict(self, record: Mapping[str, Any], *, level: float = 0.95) -> Prediction:
        """The chance that a record comes out, with what speaks for and against it.

        A column that the record lacks is unknown, a value that was never seen is a rare one.

        Args:
            record: What is known of it, by column; further columns are left alone.
            level: The level of confidence of the interval.
        """
        if not isinstance(record, Mapping):
            raise WrongTypeError("record", "a mapping of columns to values", record)
        z = normal_quantile(level)
        team = None if self.team is None else str(record.get(self.team))
        values = [each.value(record.get(each.name)) for each in self.features]
        said = [each.says(value, team) for each, value in zip(self.features, values, strict=True)]
        parts = tuple(
            Part(each.name, value, self.slope * each.weight * evidence)
            for each, value, evidence in zip(self.features, values, said, strict=True)
        )
        base = self.offset + self.slope * self.intercept
        error = self.slope * self._error(said)
        total = fsum([base, *(part.log_odds for part in parts)])
        ends = (self._chance(total - z * error), self._chance(total + z * error))
        return Prediction(
            self._chance(total),
            Interval(min(ends), max(ends), level, "Hessian"),
            total,
            base,
            tuple(sorted(parts, key=lambda part: -abs(part.log_odds))),
        )

    def _chance(self, log_odds: float) -> float:
        """The probability of calibrated log-odds."""
        if not self.steps:
            return expit(log_odds)
        place = bisect_right([least for least, _ in self.steps], log_odds)
        return self.steps[max(place - 1, 0)][1]

    def _error(self, said: list[float]) -> float:
        """The standard error of the log-odds, before calibration."""
        row = [1.0, *(sum(said[n] for n in group) / len(group) for group in self._groups)]
        variance = 0.0
        for a, covariances in zip(row, self._covariance, strict=True):
            variance += a * sum(map(mul, row, covariances))
        return sqrt(max(variance, 0.0))

    def __str__(self) -> str:
        """The card as a table: each column's values, with their points and records."""
        lines = [f"{self.outcome}: {self.came:,} of {self.records:,} records"]
        for each in self.features:
            lines.append(f"{each.name}")
            for value, evidence in sorted(each.evidence.items(), key=lambda item: -item[1]):
                points = round(self.slope * each.weight * evidence * POINTS_PER_LOG_ODD)
                number, came = each.counts[value]
                lines.append(f"  {points:+4d}  {value}  ({came:,} of {number:,})")
        return "\n".join([*lines, *(f"note: {each.message}" for each in self.warnings)])
