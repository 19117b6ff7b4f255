"""How good predictions were, whatever made them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import fsum, log, sqrt
from typing import Any, cast

from attrs import frozen

from salespipeline._doors import text, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.intervals import Interval, check_level, normal_quantile, wilson
from salespipeline.prediction._fitting import expit, logistic, logit
from salespipeline.prediction._flags import Warned

_BINS = 10
_LEAST = 1e-12


@frozen
class Bar:
    """One bar of a reliability table: records whose predictions lie close together.

    Attributes:
        low: The lowest of their predictions.
        high: The highest.
        records: How many there are.
        came: How many of them came out.
        mean: The mean of their predictions.
        share: The share that came out, which honest predictions are close to.
        interval: Wilson's interval of that share.
    """

    low: float
    high: float
    records: int
    came: int
    mean: float
    share: float
    interval: Interval


@frozen
class Lift:
    """About a tenth of the records, the highest predictions first.

    Attributes:
        records: How many there are; equal predictions stay together.
        came: How many of them came out.
        lift: Their share that came out, by that of all records.
    """

    records: int
    came: int
    lift: float


@frozen
class Evaluation:
    """How good predictions were.

    Attributes:
        records: How many predictions have an outcome.
        came: How many of those records came out.
        unlabelled: How many records have none, and were not counted as lost.
        auc: The chance that a record that came out has the higher prediction; ties count half.
        auc_interval: DeLong's interval of it; an end is None where the records leave it open.
        brier: The mean squared distance of predictions from outcomes.
        reliability: What of it is for bars whose predictions are off; 0 is honest.
        resolution: What the bars' differing shares take off it.
        uncertainty: What it would be if the rate of all records were always predicted.
        within: The rest: predictions that differ within a bar. Reliability less resolution, plus
            uncertainty and this, is the Brier score.
        log_loss: The mean of -log of the probability given to what came; a prediction of 0 or 1
            counts as 1e-12 from it.
        intercept: Cox's calibration intercept, fitted with the slope; 0 is honest. None where
            predictions are all the same, or rank the outcomes without a fault.
        slope: Cox's calibration slope; below 1, predictions are too sure of themselves. None where
            the intercept is.
        bars: The reliability table, the lowest predictions first.
        lifts: The records in tenths, the highest predictions first.
        split: How the records to predict were kept from those to learn from.
        warnings: What is to be known of the columns learned from.
    """

    records: int
    came: int
    unlabelled: int
    auc: float
    auc_interval: Interval
    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    log_loss: float
    intercept: float | None
    slope: float | None
    bars: tuple[Bar, ...]
    lifts: tuple[Lift, ...]
    split: str
    warnings: tuple[Warned, ...] = ()

    def __str__(self) -> str:
        """The figures, with the reliability table."""
        low, high = self.auc_interval.low, self.auc_interval.high
        lines = [
            f"{self.came:,} of {self.records:,} records came out ({self.unlabelled:,} unlabelled)",
            f"split: {self.split}",
            f"AUC {self.auc:.3f} ({_told(low, '.3f')} to {_told(high, '.3f')})",
            f"Brier {self.brier:.4f}, log-loss {self.log_loss:.4f}",
            f"calibration intercept {_told(self.intercept, '+.2f')}",
            f"calibration slope {_told(self.slope, '.2f')}",
            f"predicted        records  came out  ({100 * self.auc_interval.level:g}% interval)",
        ]
        for bar in self.bars:
            ends = bar.interval
            lines.append(
                f"{bar.low:>6.1%} to {bar.high:>6.1%} {bar.records:>7,} {bar.share:>9.1%}"
                f"  ({ends.low:.1%} to {ends.high:.1%})"
            )
        return "\n".join([*lines, *(f"note: {each.message}" for each in self.warnings)])


def _told(figure: float | None, form: str) -> str:
    return "unknown" if figure is None else format(figure, form)


def evaluated(
    predictions: Iterable[float],
    outcomes: Iterable[bool],
    *,
    unlabelled: int = 0,
    split: str = "as given",
    level: float = 0.95,
) -> Evaluation:
    """How good predictions were that anything made.

    The bars of the reliability table and of Murphy's decomposition hold a tenth of the records
    each; equal predictions stay together.

    Args:
        predictions: The chances, from 0 to 1.
        outcomes: Whether each record came out, in the same order.
        unlabelled: How many records have no outcome.
        split: How the records were kept apart, in words.
        level: The level of confidence of the intervals.

    Returns:
        The figures; the order of the records changes none of them.

    Raises:
        WrongTypeError: An argument is of another type, or an outcome is neither True nor False.
        InvalidValueError: A prediction is no chance, the two are not of one length, or not both
            outcomes are there.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; Murphy, Journal of
        Applied Meteorology 12 (1973) 595-600; Cox, Biometrika 45 (1958) 562-565.

    >>> found = evaluated([0.1, 0.9, 0.8, 0.3], [False, True, True, False])
    >>> round(found.brier, 4), found.auc
    (0.0375, 1.0)
    """
    chances = _chances(predictions)
    came = [_flag(each) for each in _listed(outcomes, "outcomes")]
    left_out, said, sure = whole(unlabelled, "unlabelled"), text(split, "split"), check_level(level)
    if len(chances) != len(came):
        fault = f"{len(chances)} predictions have {len(came)} outcomes"
        raise InvalidValueError("evaluation", (fault,))
    if not 0 < sum(came) < len(came):
        raise InvalidValueError("evaluation", ("it needs records that came out, and others",))
    return measured(chances, came, unlabelled=left_out, split=said, level=sure)


def measured(
    chances: Sequence[float],
    came: Sequence[bool],
    *,
    unlabelled: int,
    split: str,
    level: float,
    warnings: tuple[Warned, ...] = (),
) -> Evaluation:
    """How good chances were, some of which came out and some of which did not."""
    number, rate = len(came), sum(came) / len(came)
    bars = tuple(_bar(tenth, level) for tenth in _tenths(chances, came))
    brier = fsum((p - y) ** 2 for p, y in zip(chances, came, strict=True)) / number
    off = fsum(bar.records * (bar.mean - bar.share) ** 2 for bar in bars) / number
    told = fsum(bar.records * (bar.share - rate) ** 2 for bar in bars) / number
    unsure = rate * (1 - rate)
    clamped = [min(max(p, _LEAST), 1 - _LEAST) for p in chances]
    surprise = -fsum(log(p if y else 1 - p) for p, y in zip(clamped, came, strict=True)) / number
    auc, interval = _auc(chances, came, level)
    lifts = [(len(tenth), sum(y for _, y in tenth)) for tenth in _tenths(chances, came, -1)]
    return Evaluation(
        number, sum(came), unlabelled, auc, interval,
        brier, off, told, unsure, brier - (off - told + unsure), surprise,
        *_cox(clamped, came), bars,
        tuple(Lift(many, out, out / many / rate) for many, out in lifts), split, warnings,
    )  # fmt: skip


def _cox(chances: Sequence[float], came: Sequence[bool]) -> tuple[float | None, float | None]:
    """Cox's calibration intercept and slope; none where no finite ones fit best."""
    first = [p for p, y in zip(chances, came, strict=True) if y]
    other = [p for p, y in zip(chances, came, strict=True) if not y]
    if max(other) <= min(first) or max(first) <= min(other):
        return None, None
    ordered = sorted(zip(map(logit, chances), map(float, came), strict=True))
    scores, outcomes = zip(*ordered, strict=True)
    intercept, slope = logistic([scores], outcomes, ridge=0.0)
    return intercept, slope


Pairs = list[tuple[float, bool]]


def _tenths(chances: Sequence[float], came: Sequence[bool], direction: int = 1) -> list[Pairs]:
    """Ten parts of about as many records each, in order; equal predictions stay together."""
    ordered = sorted(zip(chances, came, strict=True), key=lambda pair: direction * pair[0])
    parts: list[Pairs] = [[]]
    taken = 0
    for _, several in groupby(ordered, key=lambda pair: pair[0]):
        tied = list(several)
        if parts[-1] and taken * _BINS >= len(parts) * len(ordered):
            parts.append([])
        parts[-1] += tied
        taken += len(tied)
    return parts


def _bar(pairs: Pairs, level: float) -> Bar:
    number, out = len(pairs), sum(came for _, came in pairs)
    interval = cast("Interval", wilson(out, number, level))
    mean = fsum(chance for chance, _ in pairs) / number
    return Bar(pairs[0][0], pairs[-1][0], number, out, mean, out / number, interval)


def _listed(values: object, name: str) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise WrongTypeError(name, "several values", cast("object", values))
    return list(cast("Iterable[Any]", values))


def _flag(value: object) -> bool:
    if value is not True and value is not False:
        raise WrongTypeError("outcomes", "True or False", value)
    return value


def _chances(predictions: object) -> list[float]:
    found = _listed(predictions, "predictions")
    strange = [
        each
        for each in found
        if isinstance(each, bool) or not isinstance(each, int | float) or not 0 <= each <= 1
    ]
    if strange:
        named = ", ".join(brief(each) for each in strange[:_BINS])
        raise InvalidValueError("predictions", (f"must be from 0 to 1 (got {named})",))
    return [float(each) for each in found]


def _auc(chances: Sequence[float], came: Sequence[bool], level: float) -> tuple[float, Interval]:
    """The AUC with DeLong's interval, from midranks; on the log-odds scale, so it stays in 0 to 1.

    Source: Sun and Xu, IEEE Signal Processing Letters 21 (2014) 1389-1393.
    """
    first = sorted(p for p, y in zip(chances, came, strict=True) if y)
    other = sorted(p for p, y in zip(chances, came, strict=True) if not y)
    over = [_share_below(other, p) for p in first]
    under = [1 - _share_below(first, p) for p in other]
    auc = fsum(over) / len(first)
    fewest = min(len(first), len(other))
    if fewest == 1 or not 0 < auc < 1:
        low, high = (0.0 if auc == 0 else None), (1.0 if auc == 1 else None)
        return auc, Interval(low, high, level, "DeLong")
    variance = _variance(over) / len(first) + _variance(under) / len(other)
    reach = normal_quantile(level) * sqrt(variance) / (auc * (1 - auc))
    low, high = expit(logit(auc) - reach), expit(logit(auc) + reach)
    return auc, Interval(min(low, auc), max(high, auc), level, "DeLong")


def _share_below(ordered: Sequence[float], value: float) -> float:
    """The share of ordered values that are below another; equal ones count half."""
    return (bisect_left(ordered, value) + bisect_right(ordered, value)) / (2 * len(ordered))


def _variance(values: Sequence[float]) -> float:
    mean = fsum(values) / len(values)
    return fsum((each - mean) ** 2 for each in values) / (len(values) - 1)
