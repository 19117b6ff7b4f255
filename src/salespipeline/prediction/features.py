"""Features: what the cells of a column say of an outcome, as evidence."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import compress, pairwise
from typing import TypeVar

from attrs import frozen

from salespipeline.prediction._cells import (
    RARE,
    UNANSWERED,
    UNKNOWN,
    day_of,
    kind_of,
    number_of,
    read_cell,
)
from salespipeline.prediction._fitting import expit, logit

H = TypeVar("H", bound=Hashable)
Counts = Mapping[H, tuple[int, int]]
"""By value, how many records have it, and how many of them came out."""

PSEUDO = 10.0
"""By how many pseudo-outcomes evidence is shrunk."""

_BINS = 10
_FEWEST_OF_A_BIN = 10


@frozen
class Value:
    """What one value or bin of a column says.

    Attributes:
        value: The value, or the bin in words.
        evidence: The log-odds of its outcomes less those of all, shrunk.
        records: How many records had it.
        came: How many of those came out.
    """

    value: str
    evidence: float
    records: int
    came: int


@frozen
class Within:
    """What one value says within one team.

    Attributes:
        team: The team.
        value: The value or bin.
        evidence: The log-odds of its outcomes less the team's own, shrunk to what it says in all.
    """

    team: str
    value: str
    evidence: float


@frozen
class Feature:
    """One column, and what each of its values says of the outcome.

    Attributes:
        name: The column.
        values: What each value or bin says.
        weight: What evidence is multiplied by.
        edges: Where the bins of a column of numbers or days begin, after the first; None for one
            of kinds.
        are_days: Whether the edges number days.
        within: What values say within each team.
    """

    name: str
    values: tuple[Value, ...]
    weight: float = 1.0
    edges: tuple[float, ...] | None = None
    are_days: bool = False
    within: tuple[Within, ...] = ()

    @cached_property
    def _evidence(self) -> dict[str, float]:
        return {each.value: each.evidence for each in self.values}

    @cached_property
    def _counts(self) -> dict[str, tuple[int, int]]:
        return {each.value: (each.records, each.came) for each in self.values}

    @cached_property
    def _within(self) -> dict[tuple[str, str], float]:
        return {(each.team, each.value): each.evidence for each in self.within}

    @cached_property
    def _bins(self) -> list[str]:
        return [] if self.edges is None else bins(self.edges, are_days=self.are_days)

    def value(self, given: object, unanswered: frozenset[str] = UNANSWERED) -> str:
        """The value or bin that a cell falls into; `RARE` for one that was never seen.

        Args:
            given: What stands in the cell.
            unanswered: The texts that say that nothing was answered.

        Raises:
            WrongTypeError: The cell holds no plain value.
        """
        cell = read_cell(given, self.name, unanswered)
        if cell == UNKNOWN:
            return UNKNOWN
        if self.edges is None:
            found = kind_of(cell)
        else:
            number = day_of(cell) if self.are_days else number_of(cell)
            found = RARE if number is None else self._bins[bisect_right(self.edges, number)]
        return found if found in self._evidence else RARE

    def says(self, value: str, team: str | None = None) -> float:
        """The evidence of a value or bin, in log-odds; 0 where nothing is known of it.

        Args:
            value: The value, as `value` gives it.
            team: Within which team; what it says in all of them where that one has no record.
        """
        told = self._evidence.get(value, 0.0)
        return told if team is None else self._within.get((team, value), told)

    def doubt(self, value: str, rate: float) -> float:
        """The variance of the evidence of a value, pseudo-outcomes counted as outcomes.

        Args:
            value: The value, as `value` gives it; of one never seen only pseudo-outcomes are known.
            rate: The share of all records that came out.
        """
        records, came = self._counts.get(value, (0, 0))
        share = (came + PSEUDO * rate) / (records + PSEUDO)
        return 1 / ((records + PSEUDO) * share * (1 - share))


def bins(edges: Sequence[float], *, are_days: bool) -> list[str]:
    """The bins between edges in words, the lowest first."""
    shown = [_shown(edge, are_days=are_days) for edge in edges]
    if not shown:
        return ["any"]
    between = [f"from {low} below {high}" for low, high in pairwise(shown)]
    return [f"below {shown[0]}", *between, f"from {shown[-1]}"]


def _shown(edge: float, *, are_days: bool) -> str:
    return date.fromordinal(int(edge)).isoformat() if are_days else kind_of(edge)


def edges_of(numbers: Iterable[float | None]) -> tuple[float, ...]:
    """Where ten bins of as many records each would begin; fewer where there are few records.

    A number that fills a bin alone has a bin of its own.
    """
    known = sorted(number for number in numbers if number is not None)
    parts = max(2, min(_BINS, len(known) // _FEWEST_OF_A_BIN))
    if not known:
        return ()
    edges: set[float] = set()
    for n in range(1, parts):
        edge = known[len(known) * n // parts]
        first, end = bisect_left(known, edge), bisect_right(known, edge)
        edges.add(edge)
        if end - first >= len(known) / parts and end < len(known):
            edges.add(known[end])
    return tuple(sorted(edges - {known[0]}))


def counted(keys: Sequence[H], outcomes: Sequence[bool]) -> dict[H, tuple[int, int]]:
    """By value, how many records have it, and how many of them came out."""
    came = Counter(compress(keys, outcomes))
    return {value: (number, came[value]) for value, number in Counter(keys).items()}


def pooled(counts: Counts[str], fewest: int) -> dict[str, tuple[int, int]]:
    """The counts with those of values that occur too seldom put together; unknown stays."""
    kept = {
        value: count
        for value, count in counts.items()
        if value == UNKNOWN or (value != RARE and count[0] >= fewest)
    }
    rare = [count for value, count in counts.items() if value not in kept]
    if rare:
        kept[RARE] = sum(number for number, _ in rare), sum(came for _, came in rare)
    return kept


def weight_of_evidence(counts: Counts[H], rate: float) -> dict[H, float]:
    """By value, the log-odds of its outcomes less the rate's, shrunk to it by pseudo-outcomes.

    Source: Good, Probability and the Weighing of Evidence (1950).
    """
    return {
        value: logit((came + PSEUDO * rate) / (number + PSEUDO)) - logit(rate)
        for value, (number, came) in counts.items()
    }


def within_teams(
    counts: Counts[tuple[str, str]],
    evidence: Mapping[str, float],
    rates: Mapping[str, float],
) -> dict[tuple[str, str], float]:
    """By team and value, the evidence within the team, shrunk to the evidence in all of them.

    Args:
        counts: By team and value.
        evidence: By value, in all teams.
        rates: By team, the log-odds of its outcomes.
    """
    found: dict[tuple[str, str], float] = {}
    for (team, value), (number, came) in counts.items():
        expected = expit(rates[team] + evidence[value])
        share = (came + PSEUDO * expected) / (number + PSEUDO)
        found[team, value] = logit(share) - rates[team]
    return found
