"""Each figure of deals against the same figure hand-written in pandas, on 200,000 deals.

Ours starts from histories that are loaded, theirs from a DataFrame of the same events that is
built, with the columns that it needs, and with kind, stage and owner as categories. Both take
only the events up to ``as_of``. The results are compared before anything is timed. Times are
those of the processor, the best of some rounds in turn.

What is loaded is put beyond the garbage collector, which is on while either side works: going
through the other's data would only blur the times of both. Growth is the time of ours by that on
fewer deals, for each deal: ten bodies of them from all over the deals, each counted once, since a
body that is counted again and again stays in the processor's cache. Memory is what either side
allocates at most at one time beside what is loaded, by tracemalloc, in a run of its own.
"""

import gc
import json
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

import _our_figures as ours
import _pandas_figures as ends
import _pandas_stages as stages
import pandas as pd
from _deals import COLUMNS, DATES, TERMS, frame, made
from _table import once, options, race, row

from salespipeline import DealHistory

Row: TypeAlias = dict[str, object]


class Figure(NamedTuple):
    """A figure asked of histories, and of a table where it can be hand-written.

    Attributes:
        name: What it is called.
        ours: The figure of histories.
        theirs: The same of a table, or None.
        limit: How many times as long as theirs ours may take.
        columns: The columns that theirs needs.
    """

    name: str
    ours: Callable[[Sequence[DealHistory]], dict[str, float]]
    theirs: Callable[[pd.DataFrame], dict[str, float]] | None = None
    limit: float = 1.0
    columns: tuple[str, ...] = COLUMNS


FIGURES = (
    Figure("summary", ours.summary, ends.summary),
    Figure("win_rate_closed", ours.win_rate_closed, ends.win_rate_closed),
    Figure("win_rate_created", ours.win_rate_created, ends.win_rate_created),
    Figure("win_rate_closed of clusters", ours.win_rate_of_clusters, ends.win_rate_of_clusters),
    Figure("same_period_rate", ours.same_period_rate, ends.same_period_rate),
    Figure("cohort_rate", ours.cohort_rate, ends.cohort_rate),
    Figure("cohort_table", ours.cohort_table, ends.cohort_table),
    Figure("time_to_close", ours.time_to_close, ends.time_to_close),
    Figure("cumulative_incidence", ours.cumulative_incidence, ends.cumulative_incidence),
    Figure("win_probability", ours.win_probability, ends.win_probability),
    Figure("cycle_length", ours.cycle_length, ends.cycle_length),
    Figure("cycle_length from a stage", ours.cycle_from_meeting, ends.cycle_from_meeting),
    Figure("deal_lifetime", ours.deal_lifetime, ends.deal_lifetime),
    Figure("deal_age", ours.deal_age, ends.deal_age),
    Figure("reasons", ours.reasons, ends.reasons, columns=(*COLUMNS, "reason")),
    Figure("profile", ours.profile, ends.profile),
    Figure("average_deal_size", ours.average_deal_size, ends.average_deal_size),
    Figure("deal_sizes", ours.deal_sizes, ends.deal_sizes),
    Figure("win_rate_by_size", ours.win_rate_by_size, ends.win_rate_by_size),
    Figure("discount", ours.discount, ends.discount),
    Figure("concessions", ours.concessions),
    Figure("attainment", ours.attainment, ends.attainment),
    Figure("attainment_steps", ours.attainment_steps, ends.attainment_steps),
    Figure("sizing_from", ours.sizing_from),
    Figure("pipeline_velocity", ours.pipeline_velocity, ends.pipeline_velocity),
    Figure("consistent_velocity", ours.consistent_velocity, ends.consistent_velocity),
    Figure("velocity_series", ours.velocity_series, ends.velocity_series),
    Figure("velocity_attribution", ours.velocity_attribution, ends.velocity_attribution),
    Figure("deals_by_stage", ours.deals_by_stage, stages.deals_by_stage),
    Figure("pipeline_value", ours.pipeline_value, stages.pipeline_value),
    Figure("weighted_value", ours.weighted_value, stages.weighted_value),
    Figure("pipeline_by_due_date", ours.pipeline_by_due_date, stages.pipeline_by_due_date,
           columns=DATES),
    Figure("pipeline_coverage", ours.pipeline_coverage, stages.pipeline_coverage, columns=DATES),
    Figure("pipeline_bridge", ours.pipeline_bridge, stages.pipeline_bridge),
    Figure("ageing", ours.ageing, stages.ageing),
    Figure("stalled", ours.stalled, stages.stalled),
    Figure("stall_limits", ours.stall_limits),
    Figure("review", ours.review),
    Figure("most_winnable", ours.most_winnable),
    Figure("slippage", ours.slippage, stages.slippage, columns=DATES),
    Figure("pushes", ours.pushes, stages.pushes, columns=DATES),
    Figure("close_date_error", ours.close_date_error, stages.close_date_error, columns=DATES),
    Figure("time_in_stage", ours.time_in_stage, stages.time_in_stage, 1.2),
    Figure("total_time_in_stage", ours.total_time_in_stage, stages.total_time_in_stage),
    Figure("stage_speed", ours.stage_speed, stages.stage_speed),
    Figure("moves", ours.moves, stages.moves),
    Figure("stage_strength", ours.stage_strength, stages.stage_strength),
    Figure("funnel", ours.funnel, stages.funnel),
    Figure("attempts_to_win", ours.attempts_to_win, stages.attempts_to_win),
    Figure("retention", ours.retention, stages.retention, columns=TERMS),
    Figure("renewals", ours.renewals, stages.renewals, columns=TERMS),
    Figure("recurring_revenue", ours.recurring_revenue, stages.recurring_revenue, columns=TERMS),
    Figure("customer_lifetime", ours.customer_lifetime),
    Figure("new_and_existing", ours.new_and_existing, stages.new_and_existing,
           columns=(*COLUMNS, "account")),
    Figure("repeat_share", ours.repeat_share, stages.repeat_share, columns=TERMS),
    Figure("referral_share", ours.referral_share, stages.referral_share,
           columns=("deal", "at", "kind", "source")),
)  # fmt: skip


def check(name: str, ours: Mapping[str, float], theirs: Mapping[str, float]) -> None:
    """Stop where the two do not say the same."""
    apart = {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if not abs(ours.get(key, 0.0) - theirs.get(key, 0.0)) <= 1e-6 * abs(theirs.get(key, 1.0))
    }
    if apart:
        raise SystemExit(f"{name} differs: {apart}")


class Bench:
    """Deals in both forms, against which each figure is measured."""

    def __init__(self, deals: int, few: int) -> None:
        events = made(deals)
        start = time.perf_counter()
        self.deals = [DealHistory(each) for each in events]
        self.loading = time.perf_counter() - start
        self.events = sum(map(len, events))
        self._table = frame(events)
        starts = range(0, max(1, deals - few), max(1, deals // 10))
        self._few = [self.deals[start : start + few] for start in starts]
        del events
        gc.collect()
        gc.freeze()

    def measured(self, figure: Figure, *, rounds: int, memory: bool) -> Row:
        """How long a figure takes, and theirs; how it grows, and what it allocates."""
        deals, name = self.deals, figure.name
        if figure.theirs is None:
            times: tuple[float, float | None] = min(self._alone(figure, rounds)), None
        else:
            table, theirs = self._table[list(figure.columns)], figure.theirs
            check(name, figure.ours(deals), theirs(table))
            times = race(
                lambda: figure.ours(deals),
                lambda: theirs(table),
                rounds=rounds,
                clock=time.process_time,
            )
        found = row(name, *times, figure.limit if figure.theirs else None)
        found["growth"] = found["ours_mb"] = found["theirs_mb"] = None
        counted = sum(map(len, self._few))
        if len(self._few) > 1:
            small = sum(once(lambda: figure.ours(few), time.process_time) for few in self._few)  # noqa: B023
            found["growth"] = times[0] / small * counted / len(deals)
        if memory:
            found["ours_mb"] = allocated(lambda: figure.ours(deals))
            found["theirs_mb"] = figure.theirs and allocated(lambda: theirs(table))
        return found

    def _alone(self, figure: Figure, rounds: int) -> Iterator[float]:
        figure.ours(self.deals)
        yield from (once(lambda: figure.ours(self.deals), time.process_time) for _ in range(rounds))


def allocated(work: Callable[[], object]) -> float:
    """The most that a run allocates at one time, in megabytes."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    """Make the deals, and measure each figure that was asked for."""
    parser = options(__doc__ or "")
    parser.add_argument("--deals", type=int, default=200_000)
    parser.add_argument("--few", type=int, default=10_000, help="what growth is reckoned from")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", action="store_true", help="tell what is allocated, too")
    parser.add_argument("--figures", nargs="+", default=[], help="parts of the names to measure")
    asked = parser.parse_args()
    chosen = [
        each
        for each in FIGURES
        if not asked.figures or any(part in each.name for part in asked.figures)
    ]
    bench = Bench(asked.deals, asked.few)
    loading = row(f"load {bench.events:,} events", bench.loading, None, None)
    found = (bench.measured(each, rounds=asked.rounds, memory=asked.memory) for each in chosen)
    if asked.json:
        print(json.dumps([loading, *found], indent=2))
    else:
        tell([loading], found)


def tell(*parts: Iterable[Row]) -> None:
    """Print each row as soon as it is measured, and what the whole process took at most."""
    print(f"{'':<30}" + "".join(f"{name:>11}" for name in TOLD))
    for each in chain.from_iterable(parts):
        told = (each.get(name) for name in TOLD)
        cells = ("–" if value is None else f"{value:.3f}" for value in told)
        print(f"{each['name']:<30}" + "".join(f"{cell:>11}" for cell in cells), flush=True)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"the process took {most:,.0f} MB at most, the making of the deals included")


TOLD = ("ours", "theirs", "ratio", "limit", "growth", "ours_mb", "theirs_mb")


if __name__ == "__main__":
    main()
