"""Which stages of a pipeline are strong, and which ones are weak."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, overload

from attrs import frozen

from salespipeline._doors import whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval
from salespipeline.metrics._figure import Counting, Rate
from salespipeline.metrics._result import Groups, Plain, Result, even
from salespipeline.metrics.chain import AbsorbingChain, leading_to, solve
from salespipeline.metrics.value import in_use
from salespipeline.pipelines import Outcome, Pipeline, StageKey, by_key
from salespipeline.tallies import Moment, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._paths import Path, paths

if TYPE_CHECKING:
    from random import Random

_WAYS = Counting[DealHistory](paths, Moment.CLOSING, None)
_FEWEST = 5  # deals to resample; fewer say nothing of how much they vary
_ENOUGH = 0.9  # of the resamples must have a figure for it to have an interval
_DEEPEST = 30  # trials that are drawn one by one

State: TypeAlias = StageKey | Outcome
"""A stage, or how a deal ended."""

Step: TypeAlias = tuple[State, State]

_ENDS: tuple[State, ...] = (Outcome.WON, Outcome.LOST)


class Strength(StrEnum):
    """How a stage compares with the others of its pipeline."""

    STRONG = "strong"
    WEAK = "weak"


@frozen
class StageStrength(Result):
    """What becomes of deals that come to one stage.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        visits: How many visits to it there are.
        chance: The chance that a deal there is won in the end, exact; None where unknown.
        chance_interval: Its interval, or None.
        gain: That chance less the mean chance of the stages that deals came from, by how many
            came from each; None for a stage that deals come to from none.
        loss_rate: Visits that ended by losing the deal, among visits that ended, unsettled ones
            left out.
        losses: Losses from here, among all losses.
        lost_chance: How much higher the chance would be if no deal were lost straight from
            here, and those lost had gone on as the others did; None where none goes on.
        excess: The loss rate less that of all other stages together; None without either.
        excess_interval: Its interval, or None.
        strength: Weak where the whole interval of the excess is above 0, strong where it is
            below; None where it may be chance.
        steps: The mean number of moves until the deal is closed, exact; None where unknown.
        naive: Won among closed, of the deals that were ever here: what a filter of a report
            shows, and what moves with growth.
        unsettled: How many left for a stage from which no deal has come to an end yet; as they
            are open, they are in no share.
        why_not: Why the chance is unknown, or None.
    """

    pipeline: str
    stage: str
    visits: int
    chance: Fraction | None
    chance_interval: Interval | None
    gain: Fraction | None
    loss_rate: Rate
    losses: Rate
    lost_chance: Fraction | None
    excess: Fraction | None
    excess_interval: Interval | None
    strength: Strength | None
    steps: Fraction | None
    naive: Rate
    unsettled: int
    why_not: str | None = None

    columns = (
        "pipeline", "stage", "visits", "chance", "chance_interval", "gain", "loss_rate", "losses",
        "lost_chance", "excess", "excess_interval", "strength", "steps", "naive", "unsettled",
        "why_not",
    )  # fmt: skip


@frozen
class StageStrengths(Result):
    """The strong and the weak stages.

    Attributes:
        stages: One entry per stage, in order.
        deals: The number of deals that were in a stage.
    """

    stages: tuple[StageStrength, ...]
    deals: int

    columns = ("deals", "weak", "strong")

    def rows(self) -> list[Plain]:
        """One row for each stage."""
        return even(stage.row() for stage in self.stages)

    @property
    def weak(self) -> tuple[StageStrength, ...]:
        """The stages that lose more deals than the others, the costliest first."""
        return self._of(Strength.WEAK)

    @property
    def strong(self) -> tuple[StageStrength, ...]:
        """The stages that lose fewer deals than the others, the costliest first."""
        return self._of(Strength.STRONG)

    def _of(self, strength: Strength) -> tuple[StageStrength, ...]:
        those = (stage for stage in self.stages if stage.strength is strength)
        return tuple(sorted(those, key=lambda each: -(each.lost_chance or 0) * each.visits))


def _check_runs(runs: object) -> None:
    if not 0 <= whole(runs, "runs") <= 100_000:
        raise InvalidValueError("runs", (f"{brief(runs)} is not from 0 to 100,000",))


@overload
def stage_strength(
    deals: Iterable[DealHistory] | Tally[Path],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
    seed: int = 0,
    runs: int = 200,
) -> StageStrengths: ...


@overload
def stage_strength(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
    seed: int = 0,
    runs: int = 200,
) -> Groups[Hashable, StageStrengths]: ...


@asks(runs=_check_runs)
def stage_strength(
    deals: Iterable[DealHistory] | Tally[Path],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
    seed: int = 0,
    runs: int = 200,
) -> StageStrengths | Groups[Hashable, StageStrengths]:
    """How likely a deal is won from each stage, and where more deals are lost than elsewhere.

    The stages are an absorbing chain: from each, deals go on as all deals have that left it.
    A deal that was opened again passed through the closed stage like through any other; it
    ends by the closing that is in force.

    Definition:
        Formula: the chance of winning solves chance(stage) = Σ share(stage → next) · chance(next),
            with 1 for won and 0 for lost; the excess is lost ÷ left here less lost ÷ left in all
            other stages.
        Denominator: visits that ended, second and later ones too; the stage in which an open
            deal stands has not been left, and is in no share; neither is a move to a stage from
            which no deal has come to an end yet.
        Window: none; all visits as of the instant.
        Bias: where losing is quicker than going on, young deals that left are mostly lost ones,
            and the chance is too low; it takes where a deal goes next to depend on nothing but
            its stage.
        Elsewhere: no vendor known; reports show the naive figure.

    Args:
        deals: The histories of deals, or a tally of paths.
        as_of: The instant to judge from.
        by: A field of the deal to group by, as it was at closing, or while open as of the
            instant.
        pipelines: Their open stages come first, in order, those without a visit included; a
            visit to a retired stage counts for its successor.
        level: The confidence of the intervals, which are percentiles over resampled deals; None
            with fewer than five deals, where more than a tenth of the resamples have no figure,
            and where all have the same.
        seed: Where the resampling starts: the same seed gives the same intervals.
        runs: How many resamples to draw; 0 for no intervals.

    Returns:
        One entry per stage; stages of no pipeline given come last, in the order of their keys.
        A deal that was opened closed was in no stage, and is left out as ``opened_closed``.

    Source: ActiveCampaign, What is a sales pipeline? (the strong and weak stages of a lead
        pipeline); Grinstead and Snell, Introduction to Probability (1997), 11.2; Efron and
        Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    known = by_key(pipelines)

    def finish(tally: Tally[Path], level: float) -> StageStrengths:
        return _strengths(tally, known, _Drawing(seed, runs, level))

    return _WAYS.measure(finish, deals, as_of, None, by, level)


class _Drawing(NamedTuple):
    """How to draw resamples."""

    seed: int
    runs: int
    level: float


class _Ways(NamedTuple):
    """The ways that deals took, as they are called now.

    Attributes:
        ways: How many took each way: the stages visited, and how it ended.
        steps: How many went from each stage to each other, or ended; settled ones only.
        visits: How many visits each stage has.
        unsettled: How many went to where nothing has come to an end from yet.
    """

    ways: Mapping[tuple[tuple[StageKey, ...], Outcome], int]
    steps: Counter[Step]
    visits: Counter[StageKey]
    unsettled: Counter[Step]

    @classmethod
    def of(cls, tally: Tally[Path], known: Mapping[str, Pipeline]) -> "_Ways":
        ways: Counter[tuple[tuple[StageKey, ...], Outcome]] = Counter()
        for row, count in tally.rows.items():
            renamed = (in_use(stage, known) for stage in row.stages)
            ways[tuple(stage for stage, _ in groupby(renamed)), row.outcome] += count.n
        ways = Counter({way: ways[way] for way in sorted(ways) if way[0]})
        steps, visits = Counter[Step](), Counter[StageKey]()
        for (stages, outcome), n in ways.items():
            visits.update(dict.fromkeys(stages, 0))
            for stage in stages:
                visits[stage] += n
            for step in _steps(stages, outcome):
                steps[step] += n
        settled = _settled(steps)
        return cls(ways, settled, visits, steps - settled)


def _settled(steps: Counter[Step]) -> Counter[Step]:
    """The steps without those to where nothing has come to an end from: such deals are open."""
    ending = leading_to(steps, _ENDS)
    return Counter({step: n for step, n in steps.items() if step[1] in ending})


def _steps(stages: tuple[StageKey, ...], outcome: Outcome) -> Iterator[Step]:
    """From each stage visited to the next; from the one that an open deal is in to none."""
    yield from pairwise(stages)
    if outcome is not Outcome.OPEN:
        yield stages[-1], outcome


def _strengths(
    tally: Tally[Path], known: Mapping[str, Pipeline], drawing: _Drawing
) -> StageStrengths:
    ways = _Ways.of(tally, known)
    deals = sum(ways.ways.values())
    chain = AbsorbingChain[State].of(ways.steps, absorbing=_ENDS)
    ordered = dict.fromkeys(
        (pipeline.key, stage.key)
        for pipeline in known.values()
        for stage in pipeline.stages
        if stage.outcome is Outcome.OPEN
    )
    stages = tuple(ordered | dict.fromkeys(sorted(ways.visits)))
    drawn = _drawn(ways, stages, drawing) if deals >= _FEWEST else dict[State, _Drawn]()
    told = tuple(
        _strength(stage, ways, chain, drawn.get(stage, _NONE), drawing) for stage in stages
    )
    closed = tally.n - deals
    return StageStrengths(told, deals, left_out={"opened_closed": closed} if closed else {})


def _strength(
    stage: StageKey,
    ways: _Ways,
    chain: "AbsorbingChain[State]",
    drawn: "_Drawn",
    drawing: _Drawing,
) -> StageStrength:
    level = drawing.level
    lost = ways.steps[stage, Outcome.LOST]
    left = sum(n for (here, _), n in ways.steps.items() if here == stage)
    all_lost = sum(n for (_, after), n in ways.steps.items() if after is Outcome.LOST)
    all_left = ways.steps.total()
    unsettled = sum(n for (here, _), n in ways.unsettled.items() if here == stage)
    ended = [(outcome, n) for (on, outcome), n in ways.ways.items() if stage in on]
    won = sum(n for outcome, n in ended if outcome is Outcome.WON)
    closed = sum(n for outcome, n in ended if outcome is not Outcome.OPEN)
    chances = chain.absorption(stage) if stage in chain.transient else None
    chance = None if chances is None else chances[Outcome.WON]
    band = _band(drawn.excesses, drawing)
    return StageStrength(
        *stage,
        ways.visits[stage],
        chance,
        None if chance is None else _band(drawn.chances, drawing),
        _gain(stage, ways, chain, chance),
        Rate.of(lost, left, level),
        Rate.of(lost, all_lost, level),
        None if chance is None or lost == left else chance * lost / (left - lost),
        _excess(lost, left, all_lost, all_left),
        band,
        _verdict(band),
        None if chance is None else chain.steps(stage),
        Rate.of(won, closed, level),
        unsettled,
        _why_not(unsettled) if chance is None else None,
    )


def _why_not(unsettled: int) -> str:
    return "nothing that left it has come to an end" if unsettled else "nothing has left it yet"


def _gain(
    stage: StageKey, ways: _Ways, chain: "AbsorbingChain[State]", chance: Fraction | None
) -> Fraction | None:
    """The chance less the mean of the stages that deals came from."""
    came = [(chain.absorption(before), n) for (before, to), n in ways.steps.items() if to == stage]
    if chance is None or not came:
        return None
    mean = sum((each[Outcome.WON] * n for each, n in came if each), Fraction(0))
    return chance - mean / sum(n for _, n in came)


def _excess(lost: int, left: int, all_lost: int, all_left: int) -> Fraction | None:
    """The loss rate of a stage less that of all others together."""
    if not left or left == all_left:
        return None
    return Fraction(lost, left) - Fraction(all_lost - lost, all_left - left)


def _verdict(excess: Interval | None) -> Strength | None:
    if excess is None or (excess.low or 0) <= 0 <= (excess.high or 0):
        return None
    return Strength.WEAK if (excess.low or 0) > 0 else Strength.STRONG


# Resamples of deals


class _Drawn(NamedTuple):
    """What the resamples say of one stage, those left out that say nothing."""

    chances: list[float]
    excesses: list[float]


_NONE = _Drawn([], [])


def _band(drawn: Sequence[float], drawing: _Drawing) -> Interval | None:
    """The interval between two percentiles, interpolated."""
    if not drawing.runs or len(drawn) < _ENOUGH * drawing.runs:
        return None
    ordered, tail = sorted(drawn), (1 - drawing.level) / 2
    low, high = (_percentile(ordered, share) for share in (tail, 1 - tail))
    return None if low == high else Interval(low, high, drawing.level, "bootstrap")


def _percentile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _drawn(ways: _Ways, stages: Sequence[StageKey], drawing: _Drawing) -> dict[State, _Drawn]:
    """What resamples of the deals, drawn with replacement, say of each stage."""
    from random import Random  # noqa: PLC0415 - few ask, and importing it takes long

    draw = Random(drawing.seed)  # noqa: S311 - no secret is made of it
    found: dict[State, _Drawn] = {stage: _Drawn([], []) for stage in stages}
    taken = [tuple(_steps(*way)) for way in ways.ways]
    for _ in range(drawing.runs):
        steps = Counter[Step]()
        for times, way in zip(_multinomial(draw, list(ways.ways.values())), taken, strict=True):
            for step in way if times else ():
                steps[step] += times
        settled = _settled(steps)
        for stage, chance in _chances(settled).items():
            found[stage].chances.append(chance)
        for stage, excess in _excesses(settled):
            found[stage].excesses.append(excess)
    return found


def _multinomial(draw: "Random", counts: Sequence[int]) -> Iterator[int]:
    """How often each of several kinds comes in as many draws with replacement as there are."""
    drawn = left = sum(counts)
    for n in counts:
        times = drawn if n == left else _binomial(draw, drawn, n / left)
        yield times
        drawn, left = drawn - times, left - n


def _binomial(draw: "Random", trials: int, chance: float) -> int:
    """How many of so many trials succeed.

    Many trials are halved: where the middle one of as many uniform numbers lies says that half
    of them are above or below the chance.

    Source: Devroye, Non-Uniform Random Variate Generation (1986), X.4.3.
    """
    successes = 0
    while trials > _DEEPEST:
        middle = (trials + 1) // 2
        at = draw.betavariate(middle, trials + 1 - middle)
        if at <= chance:
            successes, trials = successes + middle, trials - middle
            chance = (chance - at) / (1 - at)
        else:
            trials, chance = middle - 1, chance / at
    return successes + sum(draw.random() < chance for _ in range(trials))


def _chances(steps: Mapping[Step, int]) -> dict[State, float]:
    """The chance of winning from each stage that was left, in floating point."""
    inner = list(dict.fromkeys(here for here, _ in steps))
    left = Counter[State]()
    for (here, _), n in steps.items():
        left[here] += n

    def share(here: State, after: State) -> float:
        return steps.get((here, after), 0) / left[here]

    inside = [[share(here, after) for after in inner] for here in inner]
    won = [[share(here, Outcome.WON)] for here in inner]
    out = [row[0] + share(here, Outcome.LOST) for row, here in zip(won, inner, strict=True)]
    return {stage: row[0] for stage, row in zip(inner, solve(inside, out, won), strict=True)}


def _excesses(steps: Mapping[Step, int]) -> Iterator[tuple[State, float]]:
    """The excess of each stage that was left."""
    left, lost = Counter[State](), Counter[State]()
    for (here, after), n in steps.items():
        left[here] += n
        lost[here] += n if after is Outcome.LOST else 0
    for stage, n in left.items():
        excess = _excess(lost[stage], n, lost.total(), left.total())
        if excess is not None:
            yield stage, float(excess)
