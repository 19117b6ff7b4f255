"""Weighing columns: evidence by value, and the weight of each column beside the others."""

from collections.abc import Mapping, Sequence
from math import fsum
from random import Random
from typing import NamedTuple, TypeVar

from salespipeline.prediction._cells import RARE
from salespipeline.prediction._fitting import Near, hessian, inverted, logistic, logit
from salespipeline.prediction._flags import FEWEST_OF_A_VALUE
from salespipeline.prediction._rows import Sheet
from salespipeline.prediction.features import (
    Counts,
    Feature,
    Value,
    Within,
    counted,
    pooled,
    weight_of_evidence,
    within_teams,
)

T = TypeVar("T")

RIDGE = 10.0
"""What a squared weight costs, halved, in log-likelihood."""


class Table(NamedTuple):
    """The rows of a sheet with numbers put in bins.

    Attributes:
        sheet: The rows.
        keys: By column, the value or bin of each row.
        edges: By column, where bins begin; None for kinds.
        team: The column of teams, or None.
    """

    sheet: Sheet
    keys: Mapping[str, list[str]]
    edges: Mapping[str, tuple[float, ...] | None]
    team: str | None

    @classmethod
    def of(cls, sheet: Sheet, places: Sequence[int], team: str | None) -> "Table":
        """The rows with numbers in bins that only some of them make."""
        keyed = {name: column.keyed(places) for name, column in sheet.columns.items()}
        return cls(
            sheet,
            {name: keys for name, (keys, _) in keyed.items()},
            {name: edges for name, (_, edges) in keyed.items()},
            team if team in sheet.columns else None,
        )

    def taken(self, name: str, places: Sequence[int]) -> list[str]:
        """The values of some rows in a column."""
        return picked(self.keys[name], places)

    def teams(self, places: Sequence[int]) -> list[str] | None:
        """The teams of some rows, where they have any."""
        return None if self.team is None else self.taken(self.team, places)


def picked(values: Sequence[T], places: Sequence[int]) -> list[T]:
    """The values at some places."""
    return list(map(values.__getitem__, places))


class Told(NamedTuple):
    """What one column tells.

    Attributes:
        counts: By value, how many records have it, and how many of those came out.
        evidence: By value, its evidence.
        within: By team and value, its evidence within the team.
    """

    counts: Counts[str]
    evidence: Mapping[str, float]
    within: Mapping[tuple[str, str], float]

    def said(self, keys: Sequence[str], teams: Sequence[str] | None) -> list[float]:
        """The evidence of rows, by their values and teams."""
        rare = self.evidence.get(RARE, 0.0)
        found = {key: self.evidence.get(key, rare) for key in {*keys}}
        told = list(map(found.__getitem__, keys))
        if teams is None or not self.within:
            return told
        return [
            self.within.get((team, key if key in self.evidence else RARE), each)
            for team, key, each in zip(teams, keys, told, strict=True)
        ]


class Model(NamedTuple):
    """Columns weighed by some rows.

    Attributes:
        told: By column, what it tells.
        groups: The columns that say the same, together; each group shares one weight.
        coefficients: The intercept, and one coefficient for each group.
        hessian: How sure they are, before it is inverted; empty where nobody asked.
        number: How many rows weighed them.
    """

    told: Mapping[str, Told]
    groups: tuple[tuple[str, ...], ...]
    coefficients: tuple[float, ...]
    hessian: list[list[float]]
    number: int

    @classmethod
    def of(cls, table: Table, places: Sequence[int], near: "Model | None" = None) -> "Model":
        """The columns of a table weighed by some of its rows.

        Args:
            table: The rows.
            places: Which of them to learn from.
            near: A model of nearly the same rows, to begin at.
        """
        outcomes = picked(table.sheet.outcomes, places)
        teams = table.teams(places)
        told: dict[str, Told] = {}
        columns: dict[tuple[float, ...], list[str]] = {}
        for name in table.keys:
            keys = table.taken(name, places)
            told[name] = _told(keys, outcomes, None if name == table.team else teams)
            columns.setdefault(tuple(told[name].said(keys, teams)), []).append(name)
        groups = tuple(map(tuple, columns.values()))
        said = [*columns]
        begin = None if near is None else near.near(groups, len(places))
        coefficients = logistic(said, outcomes, ridge=RIDGE, near=begin)
        sure = hessian(said, outcomes, coefficients, ridge=RIDGE) if near is None else []
        return cls(told, groups, coefficients, sure, len(places))

    def near(self, groups: Sequence[tuple[str, ...]], number: int) -> Near:
        """Where to begin for so many rows that are nearly the same."""
        if (*groups,) != self.groups or not self.hessian:
            found = dict(zip(self.groups, self.coefficients[1:], strict=True))
            return Near([self.coefficients[0], *(found.get(group, 0.0) for group in groups)])
        share = number / self.number
        return Near(self.coefficients, [[share * each for each in line] for line in self.hessian])

    def flat(self, table: Table, places: Sequence[int]) -> "Model":
        """The model in which no column has a weight, and every chance is that of all."""
        outcomes = picked(table.sheet.outcomes, places)
        number, rate = len(outcomes), sum(outcomes) / len(outcomes)
        return Model(self.told, (), (logit(rate),), [[number * rate * (1 - rate)]], number)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each column; columns that say the same share one."""
        found = dict.fromkeys(self.told, 0.0)
        for weight, group in zip(self.coefficients[1:], self.groups, strict=True):
            found.update(dict.fromkeys(group, weight / len(group)))
        return found

    def scores(self, table: Table, places: Sequence[int]) -> list[float]:
        """The log-odds of some rows of the table, before calibration."""
        teams = table.teams(places)
        parts: list[list[float]] = [[self.coefficients[0]] * len(places)]
        for name, weight in self.weights.items():
            if weight:
                said = self.told[name].said(table.taken(name, places), teams)
                parts.append([weight * evidence for evidence in said])
        return list(map(fsum, zip(*parts, strict=True)))

    def features(self, table: Table) -> tuple[Feature, ...]:
        """Every column with its weight, as a card shows it."""
        weights = self.weights
        return tuple(
            Feature(
                name,
                tuple(
                    Value(value, evidence, *told.counts[value])
                    for value, evidence in sorted(
                        told.evidence.items(), key=lambda item: (-item[1], item[0])
                    )
                ),
                weights[name],
                table.edges[name],
                table.sheet.columns[name].are_days,
                tuple(Within(*key, evidence) for key, evidence in sorted(told.within.items())),
            )
            for name, told in self.told.items()
        )

    @property
    def covariance(self) -> tuple[tuple[float, ...], ...]:
        """How the coefficients may be off, and together."""
        return inverted(self.hessian)


def _told(keys: Sequence[str], outcomes: Sequence[bool], teams: Sequence[str] | None) -> Told:
    """What a column tells, in all teams and within each."""
    rate = sum(outcomes) / len(outcomes)
    counts = pooled(counted(keys, outcomes), FEWEST_OF_A_VALUE)
    evidence = weight_of_evidence(counts, rate)
    if teams is None:
        return Told(counts, evidence, {})
    own = weight_of_evidence(counted(teams, outcomes), rate)
    rates = {team: logit(rate) + each for team, each in own.items()}
    pairs = [
        (team, key if key in evidence else RARE) for team, key in zip(teams, keys, strict=True)
    ]
    within = within_teams(counted(pairs, outcomes), evidence, rates)
    return Told(counts, evidence, within)


def folds(sheet: Sheet, places: Sequence[int], number: int, seed: int) -> list[list[int]]:
    """Places dealt into folds of about one size, the same for the same seed.

    Every fold has about the same share of outcomes; the rows of one record stay together.
    """
    units: dict[object, list[int]] = {}
    for place in places:
        units.setdefault(place if sheet.records is None else sheet.records[place], []).append(place)
    came = [unit for unit in units.values() if any(picked(sheet.outcomes, unit))]
    others = [unit for unit in units.values() if not any(picked(sheet.outcomes, unit))]
    chance = Random(seed)  # noqa: S311 - a seed makes folds, not secrets
    chance.shuffle(came)
    chance.shuffle(others)
    dealt = [*came, *others]
    parts = [[place for unit in dealt[n::number] for place in unit] for n in range(number)]
    return [sorted(part) for part in parts if part]


def rest_of(places: Sequence[int], fold: Sequence[int]) -> list[int]:
    """The places that are not in a fold."""
    inside = {*fold}
    return [place for place in places if place not in inside]


def has_both(sheet: Sheet, places: Sequence[int]) -> bool:
    """Whether some rows that came out are among places, and some that did not."""
    return 0 < sum(picked(sheet.outcomes, places)) < len(places)
