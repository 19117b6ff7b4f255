"""Learning a score card from rows whose outcome is known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from math import fsum
from random import Random
from typing import Any, NamedTuple, cast

from attrs import evolve, frozen

from salespipeline._doors import choice, text, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.prediction._fitting import expit, isotonic, logistic, logit, platt
from salespipeline.prediction.cards import Card, Warned
from salespipeline.prediction.features import (
    RARE,
    UNKNOWN,
    Cell,
    Feature,
    as_numbers,
    counted,
    edges_of,
    key,
    pooled,
    read_cell,
    weight_of_evidence,
)

RIDGE = 10.0
PSEUDO = 10.0
FEWEST_OF_A_VALUE = 5
FEWEST_FOR_ISOTONIC = 1000
_FOLDS = 5
_TOO_GOOD = 0.90
_MOST_SHOWN = 20


class Calibration(StrEnum):
    """How scores are made into honest probabilities."""

    PLATT = "platt"
    ISOTONIC = "isotonic"


@frozen
class Table:
    """Rows read for learning.

    Attributes:
        columns: By column, the key of each labelled row.
        edges: By column, where its bins begin; None for kinds.
        outcomes: Whether each labelled row came out.
        teams: The team of each labelled row, if there is such a column.
        unlabelled: How many rows have no outcome.
        warnings: What is to be known of the columns.
    """

    columns: Mapping[str, list[str]]
    edges: Mapping[str, tuple[float, ...] | None]
    outcomes: list[bool]
    teams: list[str] | None
    unlabelled: int
    warnings: tuple[Warned, ...]


def learn(
    rows: Iterable[Mapping[str, object]],
    *,
    outcome: str,
    won: object,
    columns: Collection[str] | None = None,
    team: str | None = None,
    at: str | None = None,
    calibration: Calibration | str = Calibration.PLATT,
    fewest: int = 20,
    seed: int = 0,
) -> Card:
    """The score card that rows with a known outcome teach.

    Each value of a column, numbers in ten bins, becomes its weight of evidence, shrunk to the
    base rate by ten pseudo-outcomes; unknown is a value of its own, values of fewer than five
    records are pooled. A logistic regression with a ridge of 10 weighs the columns; columns that
    say the same share one weight. Platt's map, learned from scores of five folds that were not
    learned from, makes the result honest.

    Args:
        rows: Mappings of columns to plain values, as `csv.DictReader` or `examples` give them.
        outcome: The column of the outcome. A row where it is empty is unlabelled: it is counted,
            and never taken for lost.
        won: The value of that column that is predicted, or several; any other is its opposite.
        columns: The columns to learn from; all but the outcome, ``team`` and ``at`` if not given.
        team: A column of teams: what a value says within a team is shrunk to what it says in all
            of them, so that a small team is not judged by its few deals.
        at: The column of the instant at which each row was known. Without one the card says
            that look-ahead cannot be ruled out.
        calibration: Platt's map; or isotonic, from 1,000 outcomes on.
        fewest: How many records of each outcome are needed to learn at all.
        seed: Which folds the calibration uses.

    Raises:
        InvalidValueError: There are too few outcomes, or a column is not there, or no column
            tells anything. Every fault is named.
        WrongTypeError: The rows are none, or a cell holds no plain value.

    >>> rows = [{"size": "big" if n % 3 else "small", "won": bool(n % 3) ^ (n % 7 == 0)}
    ...         for n in range(210)]
    >>> card = learn(rows, outcome="won", won=True)
    >>> card.predict({"size": "big"}).probability > card.predict({"size": "small"}).probability
    True
    """
    table = read_table(rows, outcome=outcome, won=won, columns=columns, team=team, at=at)
    return learned(
        table, f"{outcome} is {brief(won)}", team=team, calibration=calibration,
        fewest=fewest, seed=seed,
    )  # fmt: skip


def learned(
    table: Table,
    outcome: str,
    *,
    team: str | None,
    calibration: Calibration | str,
    fewest: int,
    seed: int,
    chosen: Sequence[int] | None = None,
) -> Card:
    """The card that some rows of a table teach; all of them if none are chosen."""
    how = choice(Calibration, calibration, "calibration")
    places = list(range(len(table.outcomes))) if chosen is None else list(chosen)
    _check_enough(table, places, how, whole(fewest, "fewest"))
    model = _Model.of(table, places)
    scores: list[float] = []
    came: list[bool] = []
    for fold in folds(places, _FOLDS, whole(seed, "seed")):
        inside = set(fold)
        rest = [place for place in places if place not in inside]
        if 0 < sum(table.outcomes[place] for place in rest) < len(rest):
            scores += _Model.of(table, rest).scores(table, fold)
            came += [table.outcomes[place] for place in fold]
    offset, slope = platt(scores, came)
    card = model.card(table, outcome, places, team)
    if how is Calibration.ISOTONIC:
        return evolve(card, offset=0.0, slope=1.0, steps=isotonic(scores, came))
    return evolve(card, offset=offset, slope=slope)


def folds(places: Sequence[int], number: int, seed: int) -> list[list[int]]:
    """Places dealt into folds of about one size, the same for the same seed."""
    dealt = list(places)
    Random(seed).shuffle(dealt)  # noqa: S311 - a seed makes folds, not secrets
    return [sorted(dealt[start::number]) for start in range(number)]


def _check_enough(table: Table, places: Sequence[int], how: Calibration, fewest: int) -> None:
    came = sum(table.outcomes[place] for place in places)
    counts = {"came out": came, "did not": len(places) - came}
    faults = [
        f"only {number} records {what}; at least {max(fewest, 2)} are needed"
        for what, number in counts.items()
        if number < max(fewest, 2)
    ]
    if how is Calibration.ISOTONIC and len(places) < FEWEST_FOR_ISOTONIC:
        faults.append(f"isotonic calibration needs {FEWEST_FOR_ISOTONIC:,} outcomes")
    if not table.columns:
        faults.append("there is no column to learn from")
    if faults:
        raise InvalidValueError("rows to learn from", tuple(faults))


class _Model(NamedTuple):
    """Columns weighed.

    Attributes:
        features: Every column, with its evidence.
        groups: The places of columns that say the same, together.
        coefficients: The intercept, and one coefficient for each group.
        covariance: How sure they are.
    """

    features: tuple[Feature, ...]
    groups: tuple[tuple[int, ...], ...]
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, table: Table, places: Sequence[int]) -> "_Model":
        """The columns of a table weighed by some of its rows."""
        outcomes = [table.outcomes[place] for place in places]
        base = sum(outcomes) / len(outcomes)
        teams = None if table.teams is None else [table.teams[place] for place in places]
        features: list[Feature] = []
        columns: dict[tuple[float, ...], list[int]] = {}
        for number, (name, keys) in enumerate(table.columns.items()):
            taken = [keys[place] for place in places]
            feature = _feature(name, table.edges[name], taken, outcomes, base, teams)
            features.append(feature)
            column = tuple(_said(feature, taken, teams))
            columns.setdefault(column, []).append(number)
        fitted = logistic(list(columns), [float(each) for each in outcomes], ridge=RIDGE)
        groups = tuple(map(tuple, columns.values()))
        return cls(tuple(features), groups, fitted.coefficients, fitted.covariance)

    def scores(self, table: Table, places: Sequence[int]) -> list[float]:
        """The log-odds of some rows, before calibration."""
        teams = None if table.teams is None else [table.teams[place] for place in places]
        said: list[list[float]] = []
        for feature, weight in zip(self.features, self._weights(), strict=True):
            keys = table.columns[feature.name]
            each = _said(feature, [keys[place] for place in places], teams)
            said.append([weight * evidence for evidence in each])
        first = self.coefficients[0]
        return [fsum((first, *parts)) for parts in zip(*said, strict=True)]

    def _weights(self) -> list[float]:
        """The weight of each column; columns that say the same share one."""
        weights = [0.0] * len(self.features)
        for weight, group in zip(self.coefficients[1:], self.groups, strict=True):
            for place in group:
                weights[place] = weight / len(group)
        return weights

    def card(self, table: Table, outcome: str, places: Sequence[int], team: str | None) -> Card:
        """The card, not yet calibrated."""
        weighed = zip(self.features, self._weights(), strict=True)
        return Card(
            outcome,
            tuple(evolve(feature, weight=weight) for feature, weight in weighed),
            len(places), sum(table.outcomes[place] for place in places), table.unlabelled,
            self.coefficients[0], 0.0, 1.0, team, (), table.warnings, self.covariance, self.groups,
        )  # fmt: skip


def _feature(
    name: str,
    edges: tuple[float, ...] | None,
    keys: Sequence[str],
    outcomes: Sequence[bool],
    base: float,
    teams: Sequence[str] | None,
) -> Feature:
    counts = pooled(counted(keys, outcomes), FEWEST_OF_A_VALUE)
    evidence = weight_of_evidence(counts, base, PSEUDO)
    within: dict[tuple[str, str], float] = {}
    if teams is not None:
        kept = [each if each in evidence else RARE for each in keys]
        pairs: Any = counted(cast("Any", list(zip(teams, kept, strict=True))), outcomes)
        for (team, value), (number, came) in pairs.items():
            share = expit(evidence[value] + logit(base))
            within[team, value] = logit((came + PSEUDO * share) / (number + PSEUDO)) - logit(base)
    return Feature(name, edges, evidence, counts, 1.0, within)


def _said(feature: Feature, keys: Sequence[str], teams: Sequence[str] | None) -> list[float]:
    """What a column says of each row."""
    evidence = feature.evidence
    if teams is None:
        rare = evidence.get(RARE, 0.0)
        return [evidence.get(each, rare) for each in keys]
    known = [each if each in evidence else RARE for each in keys]
    return [feature.says(each, team) for team, each in zip(teams, known, strict=True)]


def read_table(
    rows: Iterable[Mapping[str, object]],
    *,
    outcome: str,
    won: object,
    columns: Collection[str] | None,
    team: str | None,
    at: str | None,
) -> Table:
    """Rows read for learning; see `learn` for the arguments."""
    label = text(outcome, "outcome")
    left_out = {label, *(text(each, "team or at") for each in (team, at) if each is not None)}
    given = mappings(rows)
    names = _names(given, columns, left_out)
    wins = _wins(won, label)
    results = [read_cell(row.get(label), label) for row in given]
    known = [n for n, result in enumerate(results) if result != UNKNOWN]
    warnings = [] if at is not None else [_UNSURE]
    cells = {name: [read_cell(row.get(name), name) for row in given] for name in names}
    kept: dict[str, list[str]] = {}
    edges: dict[str, tuple[float, ...] | None] = {}
    outcomes = [results[n] in wins for n in known]
    for name, column in cells.items():
        if (late := _known_after(name, column, known)) is not None:
            warnings.append(late)
        keys, edges[name] = _keys(column, known)
        if len({*keys}) == 1:
            warnings.append(Warned("constant", name, f"{name!r} is always {keys[0]!r}: left out"))
            continue
        if (close := _near_outcome(name, keys, outcomes)) is not None:
            warnings.append(close)
        kept[name] = keys
    teams = None if team is None else [str(read_cell(given[n].get(team), team)) for n in known]
    return Table(kept, edges, outcomes, teams, len(given) - len(known), tuple(warnings))


_UNSURE = Warned(
    "no_instants", None,
    "no column says when each row was known: that a column tells of what came later cannot be "
    "ruled out",
)  # fmt: skip


def mappings(rows: object) -> list[Mapping[Any, Any]]:
    """Rows as a list of mappings.

    Raises:
        WrongTypeError: They are none.
        InvalidValueError: Some are no mappings; they are named.
    """
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise WrongTypeError("rows", "several mappings of columns to values", cast("object", rows))
    found = list(cast("Iterable[Any]", rows))
    strange = [n for n, row in enumerate(found, 1) if not isinstance(row, Mapping)]
    if strange:
        faults = tuple(f"row {n} is no mapping (got {brief(found[n - 1])})" for n in strange)
        raise InvalidValueError("rows to learn from", faults[:_MOST_SHOWN])
    return found


def _names(
    rows: Sequence[Mapping[Any, Any]], columns: Collection[str] | None, left_out: set[str]
) -> list[str]:
    """The columns to learn from, in the order met."""
    there = dict.fromkeys(name for row in rows for name in row)
    wanted = [*there] if columns is None else [text(name, "columns") for name in columns]
    missing = sorted(str(name) for name in {*wanted, *left_out} if name not in there)
    if missing:
        named = ", ".join(map(repr, missing[:_MOST_SHOWN]))
        raise InvalidValueError("rows to learn from", (f"no row has the column {named}",))
    return [name for name in wanted if isinstance(name, str) and name not in left_out]


def _wins(won: object, outcome: str) -> set[Cell]:
    """The cells that mean that a record came out."""
    several = isinstance(won, list | tuple | set | frozenset)
    wins = cast("Iterable[object]", won) if several else (won,)
    return {read_cell(value, outcome) for value in wins}


def _keys(
    column: Sequence[Cell], known: Sequence[int]
) -> tuple[list[str], tuple[float, ...] | None]:
    """The value or bin of each labelled row, and where bins begin."""
    numbers = as_numbers(column)
    cells = column if numbers is None else numbers
    edges = None if numbers is None else edges_of([cells[n] for n in known])
    return [UNKNOWN if cells[n] == UNKNOWN else key(cells[n], edges) for n in known], edges


def _known_after(name: str, column: Sequence[Cell], known: Sequence[int]) -> Warned | None:
    """A column that is filled only once the outcome is known."""
    labelled = set(known)
    open_ = [cell for n, cell in enumerate(column) if n not in labelled]
    filled = sum(column[n] != UNKNOWN for n in known)
    if (
        len(open_) >= _MOST_SHOWN
        and all(cell == UNKNOWN for cell in open_)
        and 2 * filled > len(known)
    ):
        message = f"{name!r} is filled only where the outcome is known: it may tell of it"
        return Warned("known_after", name, message)
    return None


def _near_outcome(name: str, keys: Sequence[str], outcomes: Sequence[bool]) -> Warned | None:
    """A column that alone tells nearly all of the outcome."""
    counts = pooled(counted(keys, outcomes), FEWEST_OF_A_VALUE)
    came, below, area = sum(outcomes), 0.0, 0.0
    lost = len(outcomes) - came
    for number, wins in sorted(counts.values(), key=lambda count: count[1] / count[0]):
        area += wins * (below + (number - wins) / 2)
        below += number - wins
    if came and lost and area / (came * lost) > _TOO_GOOD:
        told = f"{area / (came * lost):.2f}"
        message = f"{name!r} alone ranks nearly all outcomes (AUC {told}): is it known before?"
        return Warned("near_outcome", name, message)
    return None
