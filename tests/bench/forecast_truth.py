"""Whether the ranges of the forecast hold what comes, on made-up pipelines whose truth is known.

One pipeline per seed: four stages; those that advance are .55, .65, .70 and .75 of each; stays
are lognormal with medians of 10, 14, 18 and 12 days and a spread of .8; amounts are lognormal, too.
The rest of a deal whose history is cut at the origin is what the forecast is held to.
"""

import argparse
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import exp, sqrt
from typing import Any

from salespipeline.events import Lost, Moved, Opened, Won
from salespipeline.history import DealHistory
from salespipeline.metrics.forecast import forecast
from salespipeline.money import Money
from salespipeline.periods import Period

STAGES = ("one", "two", "three", "four")
ADVANCE = (0.55, 0.65, 0.70, 0.75)
MEDIANS = (10, 14, 18, 12)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def pipeline(
    seed: int,
    *,
    days: int = 730,
    horizon: int = 91,
    a_day: float = 2.0,
    growth: float = 0.0,
    shock: float = 0.0,
    owners: int = 4,
) -> tuple[list[DealHistory], datetime, datetime]:
    """Deals opened on so many days and on those of the horizon, the origin and the end."""
    rng = random.Random(seed)
    shocks = _Shocks(random.Random(seed + 10**9), shock)
    deals: list[DealHistory] = []
    for day in range(days + horizon):
        rate = a_day * exp(growth * (day - days))
        for _ in range(poisson(rng, rate)):
            at = FIRST + timedelta(days=day + rng.random())
            deals.append(DealHistory(list(_events(rng, shocks, f"d-{len(deals)}", at, owners))))
    origin = FIRST + timedelta(days=days)
    return deals, origin, origin + timedelta(days=horizon)


def poisson(rng: random.Random, mean: float) -> int:
    """A Poisson number, by counting exponential waits."""
    number, waited = 0, rng.expovariate(1.0)
    while waited < mean:
        number, waited = number + 1, waited + rng.expovariate(1.0)
    return number


class _Shocks:
    """What moves all advances of a calendar quarter at once, on the scale of log-odds."""

    def __init__(self, rng: random.Random, size: float) -> None:
        self._rng, self._size, self._known = rng, size, dict[int, float]()

    def share(self, place: int, at: datetime) -> float:
        share = ADVANCE[place]
        if not self._size:
            return share
        quarter = at.year * 4 + (at.month - 1) // 3
        if quarter not in self._known:
            self._known[quarter] = self._rng.gauss(0, self._size)
        odds = share / (1 - share) * exp(self._known[quarter])
        return odds / (1 + odds)


def _events(
    rng: random.Random, shocks: _Shocks, deal: str, at: datetime, owners: int
) -> Iterator[Any]:
    amount = Money.of_minor(round(1_000_000 * exp(0.8 * rng.gauss(0, 1))), "EUR")
    yield Opened(
        record=deal, sequence=1, at=at, pipeline="made", stage=STAGES[0], amount=amount,
        owner=f"rep-{rng.randrange(owners)}",
    )  # fmt: skip
    for place, stage in enumerate(STAGES):
        at += timedelta(days=MEDIANS[place] * exp(0.8 * rng.gauss(0, 1)))
        facts: dict[str, Any] = {"record": deal, "sequence": place + 2, "at": at}
        facts |= {"pipeline": "made", "stage_left": stage}
        if rng.random() >= shocks.share(place, at):
            yield Lost(stage="lost", **facts)
            return
        if place + 1 == len(STAGES):
            yield Won(stage="won", **facts)
        else:
            yield Moved(stage=STAGES[place + 1], **facts)


# The study


SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "stationary": ({}, {}),
    "without new deals": ({}, {"new_deals": False}),
    "few": ({"a_day": 0.3}, {}),
    "few, 240 days": ({"a_day": 0.3, "days": 240}, {}),
    "240 days": ({"days": 240}, {}),
    "240 days, no refits": ({"days": 240}, {"refits": 0}),
    "shock .3, known": ({"shock": 0.3}, {"shock": 0.3}),
    "shock .3, estimated": ({"shock": 0.3}, {"shock": "estimated"}),
    "shock .5, known": ({"shock": 0.5}, {"shock": 0.5}),
    "shock .5, estimated": ({"shock": 0.5}, {"shock": "estimated"}),
    "shock .5, ignored": ({"shock": 0.5}, {}),
    "growth": ({"growth": 0.002}, {}),
    "growth, 56 days": ({"growth": 0.002}, {"arrival_days": 56}),
}
"""What each is made with, and how it is forecast."""

SHARES = (0.1, 0.5, 0.9)
LEVEL = 0.8


def pinball(share: float, forecast: float, actual: float) -> float:
    """The loss of a quantile: what it misses by, more where it should seldom be missed."""
    return (actual - forecast) * (share - (actual < forecast))


def trial(seed: int, made: dict[str, Any], asked: dict[str, Any], runs: int) -> dict[str, Any]:
    """One pipeline, forecast once, and what came: whether it was held, and what each missed by."""
    deals, origin, end = pipeline(seed, **made)
    period = Period(origin, end)
    told = forecast(deals, as_of=origin, period=period, seed=seed, runs=runs, **asked)
    actual = sum(
        deal.events[0].amount.minor
        for deal in deals
        if type(deal.events[-1]) is Won and deal.events[-1].at in period
    )
    last = told.last_period
    assert last is not None
    quantiles = {
        "ours": [told.quantile(share) for share in SHARES],
        "a point": [told.weighted.mean] * 3,
        "weighted": [told.weighted.quantile(share) for share in SHARES],
        "last period": [last.quantile(share) or last.mean for share in SHARES],
    }
    found: dict[str, Any] = {"held": told.p10.minor <= actual <= told.p90.minor}
    for name, three in quantiles.items():
        losses = [pinball(q, m.minor, actual) for q, m in zip(SHARES, three, strict=True)]
        found[name] = sum(losses) / 300
    return found


def study(name: str, runs: int, first: int, pipelines: int) -> dict[str, Any]:
    """Many trials of one scenario."""
    made, asked = SCENARIOS[name]
    start = time.perf_counter()
    trials = [trial(seed, made, asked, runs) for seed in range(first, first + pipelines)]
    found = {key: sum(each[key] for each in trials) / pipelines for key in trials[0]}
    return {"scenario": name, **found, "seconds": time.perf_counter() - start}


def main() -> None:
    """Hold the forecast to what came, on so many pipelines of each scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    asked = parser.parse_args()
    error = sqrt(LEVEL * (1 - LEVEL) / asked.pipelines)
    print(f"{asked.pipelines:,} pipelines, {asked.runs:,} runs; a coverage is sure to {error:.3f}")
    columns = ("held", "ours", "a point", "weighted", "last period", "seconds")
    print(f"{'':<22}" + "".join(f"{column:>13}" for column in columns), flush=True)
    for name in asked.only:
        found = study(name, asked.runs, asked.first, asked.pipelines)
        cells = [f"{found['held']:>13.3f}"]
        cells += [f"{found[column]:>13,.0f}" for column in columns[1:]]
        print(f"{name:<22}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
