"""How good predictions were, on records that they were not learned from."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import log, sqrt
from typing import Any, cast

from attrs import frozen

from salespipeline._doors import text, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.intervals import Interval, normal_quantile, wilson
from salespipeline.prediction._fitting import expit, logistic, logit
from salespipeline.prediction.features import UNKNOWN, read_cell
from salespipeline.prediction.learning import Calibration, folds, learned, mappings, read_table

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
    """One tenth of the records, the highest predictions first.

    Attributes:
        records: How many there are.
        came: How many of them came out.
        lift: Their share that came out, by that of all records; None where none came out.
    """

    records: int
    came: int
    lift: float | None


@frozen
class Evaluation:
    """How good predictions were.

    Attributes:
        records: How many predictions have an outcome.
        came: How many of those records came out.
        unlabelled: How many records have none, and were not counted as lost.
        auc: The chance that a record that came out has the higher prediction; ties count half.
        auc_interval: DeLong's interval of it.
        brier: The mean squared distance of predictions from outcomes.
        reliability: What of it is for predictions that are off, bar by bar; 0 is honest.
        resolution: What the bars' differing shares take off it.
        uncertainty: What it would be if the base rate were always predicted.
        within: The rest: predictions that differ within a bar.
        log_loss: The mean of what each outcome had to surprise.
        intercept: Cox's calibration intercept; 0 is honest.
        slope: Cox's calibration slope; below 1, predictions are too sure of themselves.
        bars: The reliability table, the lowest predictions first.
        lifts: The records in tenths, the highest predictions first.
        split: How the records to predict were kept from those to learn from.
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
    intercept: float
    slope: float
    bars: tuple[Bar, ...]
    lifts: tuple[Lift, ...]
    split: str

    def __str__(self) -> str:
        """The figures, with the reliability table."""
        low, high = self.auc_interval.low, self.auc_interval.high
        lines = [
            f"{self.came:,} of {self.records:,} records came out ({self.split})",
            f"AUC {self.auc:.3f} ({low:.3f} to {high:.3f})",
            f"Brier {self.brier:.4f}, log-loss {self.log_loss:.4f}",
            f"calibration intercept {self.intercept:+.2f}, slope {self.slope:.2f}",
            "predicted        records  came out  (95% interval)",
        ]
        for bar in self.bars:
            ends = bar.interval
            lines.append(
                f"{bar.low:>6.1%} to {bar.high:>6.1%} {bar.records:>7,} {bar.share:>9.1%}"
                f"  ({ends.low:.1%} to {ends.high:.1%})"
            )
        return "\n".join(lines)


def evaluate(
    rows: Iterable[Mapping[str, object]],
    *,
    outcome: str,
    won: object,
    columns: Collection[str] | None = None,
    team: str | None = None,
    at: str | None = None,
    calibration: Calibration | str = Calibration.PLATT,
    fewest: int = 20,
    parts: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> Evaluation:
    """How good a card learned from such rows is on rows that it has not seen.

    With ``at``, a card learned from the first four fifths of the instants predicts the last fifth.
    Without, each of several folds is predicted by a card that was learned from the others.
    Rows without an outcome are counted, and never taken for lost.

    Args:
        rows: As for `learn`, as are the other arguments that it has too.
        outcome: The column of the outcome.
        won: The value of that column that is predicted.
        columns: The columns to learn from.
        team: A column of teams.
        at: The column of the instant, or of any value that sorts by time, of each row.
        calibration: How scores are made into probabilities.
        fewest: How many records of each outcome are needed to learn.
        parts: How many folds, where there is no ``at``.
        seed: Which folds.
        level: The level of confidence of the intervals.

    Raises:
        InvalidValueError: There are too few outcomes in a part.
    """
    given = mappings(rows)
    table = read_table(given, outcome=outcome, won=won, columns=columns, team=team, at=at)
    places = list(range(len(table.outcomes)))
    number = whole(parts, "parts")
    if number < 2:
        raise InvalidValueError("parts", (f"must be at least 2 (got {number})",))
    if at is None:
        held, split = folds(places, number, whole(seed, "seed")), f"{number} folds"
    else:
        order = _by_time(given, outcome, at)
        held, split = [order[len(order) * 4 // 5 :]], f"the last fifth by {at}"
    labelled = [row for row in given if read_cell(row.get(outcome), outcome) != UNKNOWN]
    chances: list[float] = []
    came: list[bool] = []
    for fold in held:
        inside = set(fold)
        rest = [place for place in places if place not in inside]
        card = learned(
            table, outcome, team=team, calibration=calibration, fewest=fewest, seed=seed,
            chosen=rest,
        )  # fmt: skip
        chances += [card.predict(labelled[place]).probability for place in fold]
        came += [table.outcomes[place] for place in fold]
    return evaluated(chances, came, unlabelled=table.unlabelled, split=split, level=level)


def _by_time(rows: Sequence[Mapping[str, Any]], outcome: str, at: str) -> list[int]:
    """The places of labelled rows in the order of their instants."""
    instants = [row.get(at) for row in rows if read_cell(row.get(outcome), outcome) != UNKNOWN]
    if any(instant is None for instant in instants):
        raise InvalidValueError("rows to learn from", (f"a row has no {at!r}",))
    try:
        return sorted(range(len(instants)), key=cast("Any", instants.__getitem__))
    except Exception:  # noqa: BLE001 - what stands there may be anyone's code
        raise InvalidValueError("rows to learn from", (f"{at!r} does not sort by time",)) from None


def evaluated(
    predictions: Iterable[float],
    outcomes: Iterable[bool],
    *,
    unlabelled: int = 0,
    split: str = "as given",
    level: float = 0.95,
) -> Evaluation:
    """How good predictions were that anything made.

    Args:
        predictions: The chances, from 0 to 1.
        outcomes: Whether each record came out, in the same order.
        unlabelled: How many records have no outcome.
        split: How the records were kept apart, in words.
        level: The level of confidence of the intervals.

    Raises:
        InvalidValueError: A prediction is no chance, the two are not of one length, or not both
            outcomes are there.

    >>> found = evaluated([0.1, 0.9, 0.8, 0.3], [False, True, True, False])
    >>> round(found.brier, 4), found.auc
    (0.0375, 1.0)
    """
    chances = _chances(predictions)
    came = [_flag(each) for each in _listed(outcomes, "outcomes")]
    if len(chances) != len(came):
        fault = f"{len(chances)} predictions have {len(came)} outcomes"
        raise InvalidValueError("evaluation", (fault,))
    if not 0 < sum(came) < len(came):
        raise InvalidValueError("evaluation", ("it needs records that came out, and others",))
    bars = _bars(chances, came, level)
    base = sum(came) / len(came)
    brier = sum((p - y) ** 2 for p, y in zip(chances, came, strict=True)) / len(came)
    off = sum(bar.records * (bar.mean - bar.share) ** 2 for bar in bars) / len(came)
    told = sum(bar.records * (bar.share - base) ** 2 for bar in bars) / len(came)
    unsure = base * (1 - base)
    auc, interval = _auc(chances, came, level)
    clamped = [min(max(p, _LEAST), 1 - _LEAST) for p in chances]
    cox = logistic([[logit(p) for p in clamped]], [float(y) for y in came], ridge=0.0)
    return Evaluation(
        len(came), sum(came), whole(unlabelled, "unlabelled"), auc, interval,
        brier, off, told, unsure, brier - (off - told + unsure),
        -sum(log(p if y else 1 - p) for p, y in zip(clamped, came, strict=True)) / len(came),
        cox.coefficients[0], cox.coefficients[1], bars, _lifts(chances, came, base),
        text(split, "split"),
    )  # fmt: skip


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


def _bars(chances: Sequence[float], came: Sequence[bool], level: float) -> tuple[Bar, ...]:
    """Ten bars of about as many records each; equal predictions stay together."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    bars: list[Bar] = []
    start = 0
    for number in range(1, _BINS + 1):
        end = max(start, len(order) * number // _BINS)
        while 0 < end < len(order) and chances[order[end]] == chances[order[end - 1]]:
            end += 1
        if end > start:
            bars.append(
                _bar(
                    [chances[n] for n in order[start:end]],
                    [came[n] for n in order[start:end]],
                    level,
                )
            )
        start = end
    return tuple(bars)


def _bar(chances: Sequence[float], came: Sequence[bool], level: float) -> Bar:
    number, out = len(came), sum(came)
    interval = cast("Interval", wilson(out, number, level))
    mean = sum(chances) / number
    return Bar(chances[0], chances[-1], number, out, mean, out / number, interval)


def _lifts(chances: Sequence[float], came: Sequence[bool], base: float) -> tuple[Lift, ...]:
    order = sorted(range(len(chances)), key=lambda n: -chances[n])
    lifts: list[Lift] = []
    for number in range(_BINS):
        part = order[len(order) * number // _BINS : len(order) * (number + 1) // _BINS]
        if part:
            out = sum(came[n] for n in part)
            lifts.append(Lift(len(part), out, out / len(part) / base))
    return tuple(lifts)


def _auc(chances: Sequence[float], came: Sequence[bool], level: float) -> tuple[float, Interval]:
    """The AUC with DeLong's interval, from midranks; on the log-odds scale, so it stays in 0 to 1.

    Source: Sun and Xu, Fast implementation of DeLong's algorithm (2014).
    """
    whole_ = _midranks(chances)
    first = [p for p, y in zip(chances, came, strict=True) if y]
    other = [p for p, y in zip(chances, came, strict=True) if not y]
    m, n = len(first), len(other)
    ranks = [rank for rank, y in zip(whole_, came, strict=True) if y]
    auc = (sum(ranks) / m - (m + 1) / 2) / n
    over = [(rank - own) / n for rank, own in zip(ranks, _midranks(first), strict=True)]
    others = [rank for rank, y in zip(whole_, came, strict=True) if not y]
    under = [1 - (rank - own) / m for rank, own in zip(others, _midranks(other), strict=True)]
    variance = _variance(over) / m + _variance(under) / n
    z = normal_quantile(level)
    if not 0 < auc < 1:
        return auc, Interval(auc, auc, level, "DeLong")
    spread = z * sqrt(variance) / (auc * (1 - auc))
    return auc, Interval(expit(logit(auc) - spread), expit(logit(auc) + spread), level, "DeLong")


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((each - mean) ** 2 for each in values) / max(len(values) - 1, 1)


def _midranks(values: Sequence[float]) -> list[float]:
    """The rank of each value from 1, equal values sharing the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for n in order[start:end]:
            ranks[n] = (start + end + 1) / 2
        start = end
    return ranks
