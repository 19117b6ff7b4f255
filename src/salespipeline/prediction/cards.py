"""Score cards: what was learned, asked about one record, with an explanation that adds up."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from math import fsum, log, sqrt
from operator import mul
from typing import Any, NamedTuple, cast

from attrs import field, frozen

from salespipeline._doors import NOTHING
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.intervals import Interval, normal_quantile
from salespipeline.prediction._cells import UNANSWERED, UNKNOWN, kind_of, read_cell
from salespipeline.prediction._exporting import fit_rules
from salespipeline.prediction._fitting import expit, logit
from salespipeline.prediction._flags import Warned
from salespipeline.prediction.features import Feature
from salespipeline.scoring import FitRule, ScoreModel
from salespipeline.scoring.sheet import MOST_RULES

POINTS_PER_LOG_ODD = 20 / log(2)
"""Twenty points double the odds."""


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
        probability: The chance of the outcome, never 0 or 1.
        interval: Where the chance lies, for what the records tell of the weights of columns, of
            the evidence of their values and of the calibration.
        log_odds: The log-odds, calibrated by Platt's map; the intercept and the parts sum to them.
        intercept: The log-odds of a record of which nothing is said.
        parts: What each column adds, the strongest first.
    """

    probability: float
    interval: Interval
    log_odds: float
    intercept: float
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        """The chance, its interval, and what speaks for and against it in points."""
        low, high = self.interval.low, self.interval.high
        lines = [f"{self.probability:.1%} ({low:.1%} to {high:.1%})"]
        lines += [
            f"{part.points:+4d}  {part.column}: {part.value}" for part in self.parts if part.points
        ]
        return "\n".join(lines)


class Doubt(NamedTuple):
    """How the weights of a card may be off.

    Attributes:
        groups: The columns that share a weight, together.
        covariance: Of the intercept and the weight of each group.
        calibration: Of the offset and the slope; nothing where there is no Platt's map.
    """

    groups: tuple[tuple[str, ...], ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    calibration: tuple[tuple[float, ...], ...] = ()

    def variance(self, said: Mapping[str, float], doubts: Mapping[str, float]) -> float:
        """The variance of the log-odds before calibration.

        Args:
            said: What each column says of the record.
            doubts: By column, the variance of that, multiplied by its weight's square.
        """
        row = [1.0, *(fsum(said[name] for name in group) / len(group) for group in self.groups)]
        # columns that share a weight say one thing, however many they are
        evidence = (len(group) * fsum(doubts[name] for name in group) for group in self.groups)
        return _form(row, self.covariance) + fsum(evidence)


def _form(row: Sequence[float], matrix: Sequence[Sequence[float]]) -> float:
    """The variance of what a row adds up, by a covariance."""
    lines = [sum(map(mul, row, line)) for line in matrix]
    return max(fsum(map(mul, row, lines)), 0.0)


@frozen
class Card:
    """A score card that was learned: make one with `learn`.

    Attributes:
        outcome: What it predicts, in words.
        features: The columns, with what each of their values says.
        records: How many labelled rows it was learned from.
        came: How many of them came out.
        unlabelled: How many rows were left out, since what came of them is not known.
        intercept: The log-odds where no column says anything, before calibration.
        offset: What calibration adds to the log-odds.
        slope: What calibration multiplies the log-odds by.
        steps: Of an isotonic calibration the least log-odds and the chance of each step, in
            order; none where Platt's map was taken.
        team: The column of teams, if there is one.
        unanswered: The texts that say that nothing was answered.
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
    steps: tuple[tuple[float, float], ...] = ()
    team: str | None = None
    unanswered: frozenset[str] = field(default=UNANSWERED, repr=False)
    warnings: tuple[Warned, ...] = ()
    _doubt: Doubt = field(default=Doubt(), repr=False)

    def predict(self, record: Mapping[str, Any], *, level: float = 0.95) -> Prediction:
        """The chance that a record comes out, with what speaks for and against it.

        A column that the record lacks is unknown, a value that was never seen is a rare one.

        Args:
            record: What is known of it, by column; further columns are left alone.
            level: The level of confidence of the interval.

        Returns:
            The chance from 0 to 1, with its interval and its parts.

        Raises:
            WrongTypeError: The record is no mapping, or a cell holds no plain value.
            InvalidValueError: Several cells hold none, or the level is not between 0 and 1.
        """
        z = normal_quantile(level)
        values, team = self._read(record)
        said = {each.name: each.says(values[each.name], team) for each in self.features}
        parts = [
            Part(each.name, values[each.name], self.slope * each.weight * said[each.name])
            for each in self.features
        ]
        intercept = self.offset + self.slope * self.intercept
        total = fsum([intercept, *(part.log_odds for part in parts)])
        error = self._error(said, values, (total - self.offset) / self.slope)
        low, high = self.chance(total - z * error), self.chance(total + z * error)
        strongest = tuple(sorted(parts, key=lambda part: (-abs(part.log_odds), part.column)))
        interval = Interval(low, high, level, "Hessian")
        return Prediction(self.chance(total), interval, total, intercept, strongest)

    def _error(self, said: Mapping[str, float], values: Mapping[str, str], score: float) -> float:
        """The standard error of the log-odds: of weights, of evidence, of calibration."""
        rate = self.came / self.records
        doubts = {
            each.name: each.weight**2 * each.doubt(values[each.name], rate)
            for each in self.features
        }
        variance = self.slope**2 * self._doubt.variance(said, doubts)
        return sqrt(variance + _form([1.0, score], self._doubt.calibration))

    def _read(self, record: object) -> tuple[dict[str, str], str | None]:
        """The value of a record in each column, and its team."""
        cells = _mapped(record)
        found: dict[str, str] = {}
        faults: list[WrongTypeError] = []
        for each in self.features:
            try:
                found[each.name] = each.value(cells.get(each.name), self.unanswered)
            except WrongTypeError as fault:
                faults.append(fault)
        if len(faults) == 1:
            raise faults[0]
        if faults:
            raise InvalidValueError("record", tuple(map(str, faults)))
        if self.team is None:
            return found, None
        team = read_cell(cells.get(self.team), self.team, self.unanswered)
        return found, UNKNOWN if team == UNKNOWN else kind_of(team)

    def chance(self, log_odds: float) -> float:
        """The probability of log-odds, which never falls where they rise.

        Args:
            log_odds: As `predict` gives them.
        """
        if not self.steps:
            return expit(log_odds)
        place = bisect_right(self._least, log_odds)
        return self.steps[max(place - 1, 0)][1]

    def to_model(
        self, name: str, *, fields: Mapping[str, str] = NOTHING, hand_over: float | None = None
    ) -> ScoreModel:
        """The card as a score model, whose fit rules give each value its points.

        The total of a record is twenty points for each doubling of its odds over those of the
        intercept, so that it ranks records as the card does, up to the rounding of points: to
        hundredths, and more coarsely where a model could not hold as many rules. Values of the
        same points share a rule. Rules ask typed fields: in a column of bins only a number counts.

        Args:
            name: What the model is called.
            fields: By column, the field that records have it in; the column's own name if not
                given.
            hand_over: The chance at which sales is told, between 0 and 1.

        Returns:
            The model; columns without a weight, and values without points, have no rule.

        Raises:
            InvalidValueError: A column says other things in each team, no value has points, a
                field is no path, or the chance at which to hand over is none, or not known to a
                card calibrated by steps.
            WrongTypeError: An argument is of another type.

        >>> from salespipeline.prediction import learn
        >>> rows = [{"size": "big" if n % 3 else "small", "won": bool(n % 3) ^ (n % 7 == 0)}
        ...         for n in range(210)]
        >>> model = learn(rows, outcome="won", won=True).to_model("leads")
        >>> [(rule.name, str(rule.points)) for rule in model.fit]
        [('size: big', '39.02'), ('size: small', '-61.29')]
        """
        if not isinstance(fields, Mapping):
            raise WrongTypeError("fields", "a mapping of columns to fields", cast("object", fields))
        faults: list[str] = []
        if self.team is not None:
            faults.append(f"columns say other things in each {self.team!r}: learn without a team")
        if hand_over is not None and self.steps:
            faults.append("a card calibrated by steps knows no points at which to hand over")
        if faults:
            raise InvalidValueError("score model", tuple(faults))
        rules = self._rules(fields, 2)
        for places in (1, 0):
            if len(rules) > MOST_RULES:
                rules = self._rules(fields, places)
        return ScoreModel(
            name, fit=rules, hand_over=None if hand_over is None else self._points_at(hand_over),
            meaning=self.outcome,
        )  # fmt: skip

    def _rules(self, fields: Mapping[str, str], places: int) -> list[FitRule]:
        """A fit rule for each value that has points, rounded to some decimal places."""
        scale = self.slope * POINTS_PER_LOG_ODD
        return [
            rule
            for each in self.features
            for rule in fit_rules(
                each, fields.get(each.name, each.name), scale * each.weight, self.unanswered, places
            )
        ]

    def _points_at(self, chance: object) -> Decimal:
        """The points of a chance."""
        if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance < 1:
            raise InvalidValueError("hand_over", (f"{brief(chance)} is not between 0 and 1",))
        over = logit(chance) - self.offset - self.slope * self.intercept
        return Decimal(str(round(over * POINTS_PER_LOG_ODD, 2)))

    @cached_property
    def _least(self) -> list[float]:
        return [least for least, _ in self.steps]

    def __str__(self) -> str:
        """The card as a table: each column's values, with their points and records."""
        lines = [f"{self.outcome}: {self.came:,} of {self.records:,} records"]
        for each in self.features:
            lines.append(each.name)
            scale = self.slope * each.weight * POINTS_PER_LOG_ODD
            lines += [
                f"  {round(scale * told.evidence):+4d}  {told.value}"
                f"  ({told.came:,} of {told.records:,})"
                for told in each.values
            ]
        return "\n".join([*lines, *(f"note: {each.message}" for each in self.warnings)])


def _mapped(record: object) -> Mapping[Any, Any]:
    """A record as a plain dict."""
    if not isinstance(record, Mapping):
        raise WrongTypeError("record", "a mapping of columns to values", record)
    try:
        return dict(cast("Mapping[Any, Any]", record))
    except Exception:  # noqa: BLE001 - a mapping may be anyone's code
        raise WrongTypeError(
            "record", "a mapping that can be read", cast("object", record)
        ) from None
