"""The runs of a forecast: what open deals and new ones bring in each of many possible futures."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

from salespipeline.events import AmountChanged, Start
from salespipeline.metrics._baselines import Minor
from salespipeline.metrics._drawing import Chance, Counts, brought, shared, won
from salespipeline.metrics._learned import Learned, Stand
from salespipeline.metrics._semi_markov import Model, Within
from salespipeline.metrics._tracks import State, Track
from salespipeline.pipelines import Outcome, StageKey

if TYPE_CHECKING:
    from random import Random

_STRATA = 8
"""How many shocks, one of each eighth of their distribution, each refit is drawn with."""

_FEW_RATIOS = 10
"""Fewer won deals than these say nothing of how quotes of a stage turn out."""

Ratios = Mapping[StageKey, Sequence[Fraction]]


class Standing(NamedTuple):
    """An open deal in a forecast: where it stands, what it is worth, and its group's number."""

    stand: Stand
    minor: int
    group: int


@frozen(eq=False)
class Arrivals:
    """How deals have been coming.

    Attributes:
        seen: How many came.
        days: In how many days before the origin.
        entries: How many entered where.
        groups: How many were of each group, by the group's number.
    """

    seen: int
    days: float
    entries: Mapping[State, int]
    groups: Sequence[int]


@frozen(eq=False)
class Plan:
    """What the runs are drawn from.

    Attributes:
        learned: The model, and what it takes to fit it again.
        open: The open deals, in the order of their ids.
        groups: How many groups there are.
        arrivals: How deals have been coming, or None to leave new ones out.
        sizes: The amounts of won deals in minor units, the least first.
        ratios: By stage, won amounts by what was quoted there.
        before: The days ahead that lie before the period.
        days: The days until its end.
        sigma: The standard deviation of a shock, on the scale of log-odds.
    """

    learned: Learned
    open: Sequence[Standing]
    groups: int
    arrivals: Arrivals | None
    sizes: Sequence[int]
    ratios: Ratios
    before: int
    days: int
    sigma: float


class Drawn(NamedTuple):
    """The amounts drawn, in minor units: by group and run; and which run begins each refit."""

    open: list[list[int]]
    new: list[list[int]]
    starts: list[int]


def draw(plan: Plan, runs: int, refits: int, seed: int) -> Drawn:
    """The runs of a plan."""
    from random import Random  # noqa: PLC0415 - few ask, and importing it takes long

    root = Random(seed)  # noqa: S311 - a simulation, no secret
    refitting, drawing, sharing = (Random(root.getrandbits(64)) for _ in range(3))  # noqa: S311
    found = Drawn([[] for _ in range(plan.groups)], [[] for _ in range(plan.groups)], [])
    models = list(plan.learned.refits(refits, refitting)) if refits else [plan.learned.model]
    for model, share in zip(models, _parts(runs, len(models)), strict=True):
        found.starts.append(len(found.open[0]))
        sizes = drawing.choices(plan.sizes, k=len(plan.sizes)) if refits else plan.sizes
        for shift, part in _shocks(plan.sigma, share, drawing):
            within = model.shocked(shift).within(plan.days)
            _draw(plan, within, sizes, part, drawing, sharing, found)
    return found


def _draw(
    plan: Plan,
    within: Within,
    sizes: Sequence[int],
    runs: int,
    drawing: "Random",
    sharing: "Random",
    found: Drawn,
) -> None:
    chances = list(_chances(plan, within, drawing))
    for sums, part in zip(found.open, won(chances, plan.groups, runs, drawing), strict=True):
        sums.extend(part)
    if plan.arrivals is None:
        for sums in found.new:
            sums.extend([0] * runs)
        return
    ahead = _days_worth(plan, plan.arrivals, within)
    counts = Counts(plan.arrivals.seen, plan.arrivals.days, ahead).draw(runs, drawing)
    ends, amounts = brought(counts, sizes, drawing)
    parts = shared(ends, amounts, plan.arrivals.groups, sharing)
    for sums, part in zip(found.new, parts, strict=True):
        sums.extend(part)


def _parts(whole: int, number: int) -> list[int]:
    """A whole in so many parts, none of which is more than one greater than another."""
    return [whole // number + (place < whole % number) for place in range(number)]


def _shocks(sigma: float, runs: int, rng: "Random") -> Iterator[tuple[float, int]]:
    """Shocks, one of each stratum of the normal distribution, and how many runs have each."""
    if not sigma:
        yield 0.0, runs
        return
    from statistics import NormalDist  # noqa: PLC0415 - few ask, and importing it takes long

    normal = NormalDist(0, sigma)
    strata = min(_STRATA, runs)
    for place, part in enumerate(_parts(runs, strata)):
        share = (place + rng.random()) / strata
        yield normal.inv_cdf(min(max(share, 1e-9), 1 - 1e-9)), part


def _chances(plan: Plan, within: Within, rng: "Random") -> Iterator[Chance]:
    """Each open deal's amount, drawn with what becomes of quotes, and chance in the period."""
    known: dict[tuple[StageKey, int], float] = {}
    for stand, minor, group in plan.open:
        asked = stand.asked(plan.learned.model)
        if asked is None:
            continue
        if asked not in known:
            chance = within.standing(*asked, plan.days)
            known[asked] = chance - (within.standing(*asked, plan.before) if plan.before else 0)
        ratios = plan.ratios.get(stand.stage)
        amount = round(minor * rng.choice(ratios)) if ratios else minor
        yield Chance(amount, known[asked], group)


def _days_worth(plan: Plan, arrivals: Arrivals, within: Within) -> float:
    """The expected wins in the period for each deal a day that comes."""
    came = sum(arrivals.entries.values())
    return sum(
        n / came * (_worth(entry, plan.days, within) - _worth(entry, plan.before, within))
        for entry, n in arrivals.entries.items()
    )


def _worth(entry: State, days: int, within: Within) -> float:
    """The wins within so many days where one deal a day enters a stage."""
    if isinstance(entry, tuple):
        return sum(within.entering(entry, day) for day in range(1, days + 1))
    return days if entry is Outcome.WON else 0


def arrivals(
    found: Iterable[Track],
    at: datetime,
    days: int,
    groups: Mapping[Hashable, int],
    group: Callable[[Track], Hashable],
) -> Arrivals:
    """How deals came in the last days before the origin, or in all days where there are fewer.

    Where none came in them, new ones enter as all did; a deal only known to have been by then
    did not come.
    """
    exact = [track for track in found if track.course.known[0].start is Start.EXACT]
    first = min((track.course.known[0].at for track in exact), default=at)
    window = min(timedelta(days=days), max(at - first, timedelta(days=1)))
    came = [track for track in exact if track.course.known[0].at > at - window]
    entries = Counter(_entry(track) for track in came or exact)
    shares = Counter(groups[group(track)] for track in came or exact)
    weights = [shares[number] for number in range(len(groups))]
    return Arrivals(len(came), window / timedelta(days=1), entries, weights)


def _entry(track: Track) -> State:
    opened: Outcome = track.course.known[0].outcome
    return track.passed[0].stage if opened is Outcome.OPEN else opened


def ratios(found: Iterable[Track], minor: Minor, day: Callable[[datetime], int]) -> Ratios:
    """By stage, what won deals came to by what was quoted half-way through their stay there.

    A stage with few such deals, or where all came to what was quoted, has none.
    """
    turned: dict[StageKey, list[Fraction]] = {}
    for track in found:
        final = minor(track.amount)
        if track.outcome is not Outcome.WON or final is None:
            continue
        quotes = [
            (day(event.at), minor(event.amount)) for event in track.course.known if _quotes(event)
        ]
        for visit in track.passed:
            quoted = _quoted(quotes, visit.left - (visit.days + 1) // 2)
            if quoted and not visit.why:
                turned.setdefault(visit.stage, []).append(Fraction(final, quoted))
    return {
        stage: sorted(each)
        for stage, each in turned.items()
        if len(each) >= _FEW_RATIOS and any(ratio != 1 for ratio in each)
    }


def _quotes(event: object) -> bool:
    return isinstance(event, AmountChanged) or getattr(event, "sequence", 0) == 1


def _quoted(quotes: Sequence[tuple[int, int | None]], day: int) -> int | None:
    """The amount quoted last by a date."""
    by_then = [minor for quoted, minor in quotes if quoted <= day]
    return by_then[-1] if by_then else None


def estimated_sigma(found: Iterable[Track], model: Model) -> float:
    """How much the odds of advancing differ from quarter to quarter, beyond chance.

    By the method of moments: in a quarter with exits of variance V together, advances miss what
    was to be expected by R; R squared is V, and V squared times the variance of the shocks.
    """
    misses: dict[int, float] = {}
    variances: dict[int, float] = {}
    for track in found:
        for visit in track.passed:
            if visit.to is None or visit.stage not in model.stages:
                continue
            left, share = date.fromordinal(visit.left), model.stages[visit.stage].advance
            quarter = left.year * 4 + (left.month - 1) // 3
            miss = (visit.to is not Outcome.LOST) - share
            misses[quarter] = misses.get(quarter, 0.0) + miss
            variances[quarter] = variances.get(quarter, 0.0) + share * (1 - share)
    squares = sum(each * each for each in variances.values())
    if len(misses) < 2 or not squares:
        return 0.0
    kept = 1 - 1 / len(misses)
    excess = sum(misses[each] ** 2 / kept - variances[each] for each in misses)
    return sqrt(max(0.0, excess / squares))
