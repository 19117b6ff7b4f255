"""How far the usual win rate is off where selling does not change, and what holds the truth.

Deals are created at random over 540 days, a quarter of them is won, and losses take twice as long
as wins. Only what else happens differs: growth, shrinking, losses that nobody marks, a history
that begins late, groups that are small. Each run is counted into a tally, as the library counts
histories (a test holds the two together), and finished by the library's own figures.

Per scenario: the mean of the win rate of deals closed in the last 90 days, the mean share won
within the horizon, the truth of it, how often its 95 % interval holds that truth, and how many
deals were at risk on the horizon's day.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import exp, inf, log
from random import Random
from statistics import NormalDist, fmean
from typing import NamedTuple

from salespipeline.events import Lost, Opened, Won
from salespipeline.history import DealHistory
from salespipeline.metrics.incidence import WinProbability, win_probability
from salespipeline.metrics.outcomes import win_rate_closed
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Count, Lifetime, Tally

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 540
AS_OF = FIRST + timedelta(days=DAYS)
RECENT = Period(AS_OF - timedelta(days=90), AS_OF)
MEDIANS = {True: 45, False: 90}
SPREAD = 0.7


class Scenario(NamedTuple):
    """What differs between bodies of deals.

    Attributes:
        name: What happens.
        rate: How many deals are created on the first day, on average.
        growth: By how much more each day, on a logarithmic scale.
        chance: The share that is won in the end.
        forgotten: The share of losses that nobody marks.
        known_from: The day from which on the file holds the deals; those closed before are absent.
        entry: Whether the figures are told that.
        horizon: Within how many days to be won.
    """

    name: str
    rate: float
    growth: float = 0.0
    chance: float = 0.25
    forgotten: float = 0.0
    known_from: int = 0
    entry: bool = True
    horizon: int = 365

    @property
    def truth(self) -> float:
        """The share won within the horizon; a day more where it is short, since a day is one."""
        days = self.horizon + (self.horizon < 365)
        return self.chance * NormalDist().cdf(log(days / MEDIANS[True]) / SPREAD)


GROWTH = (
    Scenario("stationary", 2),
    Scenario("growing", 1, growth=0.005),
    Scenario("shrinking", 4, growth=-0.003),
    Scenario("losses never marked", 2, forgotten=0.30),
)
LATE = (
    Scenario("history begins late, ignored", 2, known_from=270, entry=False, horizon=400),
    Scenario("history begins late, told", 2, known_from=270, horizon=400),
)
SMALL = tuple(
    Scenario(f"small: {rate} a day, {chance:.0%} won", rate, chance=chance, horizon=180)
    for rate in (0.08, 0.2)
    for chance in (0.05, 0.25)
)


class Life(NamedTuple):
    """A deal: when it was created and closed in days from the first, and how it ends."""

    created: float
    closed: float
    won: bool


def simulated(scenario: Scenario, seed: int) -> list[Life]:
    """The deals of one run that the file holds, in order of creation."""
    rng = Random(seed)
    lives = (_life(scenario, day, rng) for day in _arrivals(scenario, rng))
    return [life for life in lives if life.closed > scenario.known_from]


def _arrivals(scenario: Scenario, rng: Random) -> Iterator[int]:
    for day in range(DAYS):
        least, product = exp(-scenario.rate * exp(scenario.growth * day)), rng.random()
        while product > least:
            yield day
            product *= rng.random()


def _life(scenario: Scenario, day: int, rng: Random) -> Life:
    created, won = day + rng.random(), rng.random() < scenario.chance
    lasting = MEDIANS[won] * exp(SPREAD * rng.gauss(0, 1))
    forgotten = not won and rng.random() < scenario.forgotten
    return Life(created, inf if forgotten else created + lasting, won)


def counted(scenario: Scenario, lives: Iterable[Life]) -> Tally[Lifetime]:
    """The tally of one run, as counting its histories would give it."""
    rows = Counter(_row(scenario, life) for life in lives)
    table = {row: Count(n) for row, n in rows.items()}
    return Tally("lifetimes", AS_OF, table, (RECENT,))


def _row(scenario: Scenario, life: Life) -> Lifetime:
    created = int(life.created)
    entry = max(0, scenario.known_from - created) if scenario.entry else 0
    recent = 0 if created >= DAYS - 90 else None
    if life.closed >= DAYS:
        return Lifetime(None, recent, None, entry, DAYS - created, None, Outcome.OPEN, None)
    closed, outcome = int(life.closed), Outcome.WON if life.won else Outcome.LOST
    lately = 0 if closed >= DAYS - 90 else None
    return Lifetime(None, recent, lately, entry, closed - created, None, outcome, None)


def histories(scenario: Scenario, lives: Sequence[Life]) -> list[DealHistory]:
    """The same deals as histories, what closes after the last day included."""
    late = scenario.known_from and scenario.entry
    seen = FIRST + timedelta(days=scenario.known_from) if late else None
    return [
        DealHistory(_told(f"d-{number}", life, seen))
        for number, life in enumerate(lives)
        if life.created < DAYS
    ]


def _told(record: str, life: Life, seen: datetime | None) -> list[Opened | Won | Lost]:
    opened = FIRST + timedelta(days=life.created)
    observed = seen if seen is not None and seen > opened else None
    first = Opened(
        record=record, sequence=1, at=opened, pipeline="p", stage="talk", observed_from=observed
    )
    if life.closed == inf:
        return [first]
    ending, stage = (Won, "won") if life.won else (Lost, "lost")
    closed = FIRST + timedelta(days=life.closed)
    return [first, ending(record=record, sequence=2, at=closed, pipeline="p", stage=stage)]


class Found(NamedTuple):
    """What the runs of one scenario gave."""

    scenario: Scenario
    closed_only: list[float]
    within: list[WinProbability]

    @property
    def known(self) -> list[WinProbability]:
        """The runs in which neither nothing nor everything was won, and something is known."""
        return [each for each in self.within if each.value and each.value < 1 and each.interval]

    @property
    def coverage(self) -> float:
        """The share of these runs whose interval holds the truth."""
        truth = self.scenario.truth
        return fmean(truth in each.interval for each in self.known if each.interval)

    def row(self) -> dict[str, object]:
        """Its line of the table."""
        at_risk = [each.at_risk for each in self.within]
        return {
            "name": self.scenario.name,
            "runs": len(self.within),
            "closed_only": fmean(self.closed_only),
            "won_within": fmean(each.value for each in self.within if each.value is not None),
            "horizon_days": self.scenario.horizon,
            "truth": self.scenario.truth,
            "coverage": self.coverage,
            "left_out": len(self.within) - len(self.known),
            "at_risk_mean": fmean(at_risk),
            "at_risk_least": min(at_risk),
            "few_at_risk": fmean(each.few_at_risk for each in self.within),
        }


def found(scenario: Scenario, runs: int, seed: int = 0) -> Found:
    """So many runs of a scenario, each with a seed of its own."""
    closed_only, within = list[float](), list[WinProbability]()
    for run in range(runs):
        tally = counted(scenario, simulated(scenario, seed + run))
        rate = win_rate_closed(tally, period=RECENT).value
        closed_only += [] if rate is None else [rate]
        within.append(win_probability(tally, horizon_days=scenario.horizon))
    return Found(scenario, closed_only, within)


FORMS: dict[str, Callable[[object], str]] = {
    "runs": "{:>7,}".format,
    "closed_only": "{:>13.4f}".format,
    "won_within": "{:>12.4f}".format,
    "truth": "{:>9.4f}".format,
    "coverage": "{:>10.1%}".format,
    "left_out": "{:>10}".format,
    "at_risk_mean": "{:>14.1f}".format,
    "at_risk_least": "{:>15}".format,
}


def main() -> None:
    """Run every scenario and print what came out."""
    from _table import options

    parser = options(__doc__ or "")
    parser.add_argument("--runs", type=int, default=1000)
    asked = parser.parse_args()
    rows = [found(scenario, asked.runs).row() for scenario in (*GROWTH, *LATE, *SMALL)]
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    print(" " * 32 + "".join(name.rjust(len(form(0))) for name, form in FORMS.items()))
    for row in rows:
        print(f"{row['name']:<32}" + "".join(form(row[name]) for name, form in FORMS.items()))


if __name__ == "__main__":
    main()
