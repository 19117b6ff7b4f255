"""The forecast against numpy's draws of the same, and how long fits and backtests take.

The draws: 300 open deals and 10,000 runs. Beside them how the time to learn grows with the number
of deals, and a backtest of 24 origins on 20,000 deals: its time and its peak memory.
"""

import gc
import random
import time
import tracemalloc
from datetime import timedelta

import numpy as np
from _table import once, options, race, row, show
from forecast_truth import pipeline

from salespipeline.metrics._drawing import Chance, won
from salespipeline.metrics.backtest import backtest
from salespipeline.metrics.forecast import forecast
from salespipeline.metrics.open_chance import win_chances
from salespipeline.periods import Period

DEALS, RUNS = 300, 10_000


def draws(parts: int, limit: float | None) -> dict[str, object]:
    """Our runs of 300 deals, against numpy's; the means are compared before anything is timed.

    Refits and shocks come in parts, since each has chances, and amounts, of its own.
    """
    rng = random.Random(1)
    deals = [Chance(rng.randrange(100_000, 5_000_000), 0.6 * rng.random(), 0) for _ in range(DEALS)]
    amounts = np.array([each.amount for each in deals])
    chances = np.array([each.chance for each in deals])
    generator = np.random.default_rng(1)

    def ours() -> list[int]:
        return [each for _ in range(parts) for each in won(deals, 1, RUNS // parts, rng)[0]]

    def theirs() -> np.ndarray:
        runs = [
            (generator.random((RUNS // parts, DEALS)) < chances) @ amounts for _ in range(parts)
        ]
        return np.concatenate(runs)

    apart = abs(sum(ours()) / RUNS / float(theirs().mean()) - 1)
    if apart > 0.01:
        raise SystemExit(f"the means are {apart:.1%} apart")
    name = f"{DEALS} deals, {RUNS:,} runs in {parts}"
    return row(name, *race(ours, theirs, rounds=7), limit)


def main() -> None:
    """Time all of it."""
    parser = options(__doc__ or "")
    parser.add_argument("--deals", type=int, default=20_000)
    asked = parser.parse_args()
    rows = [draws(1, 6.0), draws(16, 6.0)]
    each = asked.deals / (730 + 91)
    for part in (0.25, 0.5, 2.0, 1.0):  # the last is what follows is of
        deals, origin, end = pipeline(1, a_day=each * part)
        gc.collect()
        gc.freeze()  # the deals of an application stand beyond the collector, too
        seconds = min(
            once(lambda: win_chances(deals, as_of=origin, horizon_days=91))  # noqa: B023
            for _ in range(3)
        )
        rows.append(row(f"chances, {len(deals):,} deals", seconds, None, None))
    period = Period(origin, end)
    seconds = once(lambda: forecast(deals, as_of=origin, period=period, seed=1))
    rows.append(row(f"forecast, {len(deals):,} deals", seconds, None, None))
    origins = [origin - timedelta(days=26 * number) for number in range(24)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    backtest(deals, as_of=end, origins=origins[:2], horizon_days=91, seed=1)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    start = time.perf_counter()
    backtest(deals, as_of=end, origins=origins, horizon_days=91, seed=1)
    rows.append(row("backtest of 24 origins", time.perf_counter() - start, None, None))
    show(rows, as_json=asked.json)
    if not asked.json:
        print(f"a backtest holds {peak / 2**20:,.0f} MiB beside the deals at its peak")


if __name__ == "__main__":
    main()
