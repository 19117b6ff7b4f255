"""Each figure against the same figure hand-written in pandas, on 200,000 deals.

Ours starts from histories that are loaded, theirs from a DataFrame of the same events that is
built, with kind, stage and owner as categories. Both take only the events up to ``as_of``.
The results are compared before anything is timed.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from _table import options, race, row, show

from salespipeline import DealHistory, Money, Outcome, metrics
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Won,
)

STAGES = ("contact", "qualification", "meeting", "proposal")
ENTERING = ("Opened", "Moved", "Won", "Lost", "Reopened")
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 12, 31, tzinfo=UTC)
DAY = 86_400


def made(deals: int, seed: int = 7) -> list[list[Any]]:
    """The events of so many deals over three years, about six each, some after the instant."""
    rng = random.Random(seed)
    return [_deal(rng, f"deal-{number:06d}") for number in range(deals)]


def _deal(rng: random.Random, deal: str) -> list[Any]:
    at = FIRST + timedelta(seconds=rng.randrange(3 * 365 * DAY))
    amount = Money.of_minor(rng.randrange(10_000, 5_000_000), "EUR")
    owner = f"rep-{rng.randrange(40)}"
    events: list[Any] = [
        Opened(
            record=deal,
            sequence=1,
            at=at,
            pipeline="six",
            stage=STAGES[0],
            amount=amount,
            owner=owner,
        )
    ]
    place = 0
    while True:
        at += timedelta(seconds=rng.randrange(3_600, 20 * DAY))
        said: dict[str, Any] = {"record": deal, "sequence": len(events) + 1, "at": at}
        left = STAGES[place]
        chance = rng.random()
        if len(events) < 9 and chance < 0.42:
            other = Money.of_minor(rng.randrange(10_000, 5_000_000), "EUR")
            events.append(
                AmountChanged(amount=other, **said)
                if chance < 0.12
                else OwnerChanged(owner=f"rep-{rng.randrange(40)}", **said)
                if chance < 0.2
                else ActivityRecorded(kind="call", **said)
            )
        elif chance < 0.52:
            events.append(Lost(pipeline="six", stage="lost", stage_left=left, **said))
            return events
        elif place == 3:
            events.append(Won(pipeline="six", stage="won", stage_left=left, **said))
            return events
        else:
            place += 1
            events.append(Moved(pipeline="six", stage=STAGES[place], stage_left=left, **said))


def frame(deals: list[list[Any]]) -> pd.DataFrame:
    """The same events as a table that an analyst would have."""
    rows = [
        (
            event.record,
            event.at,
            type(event).__name__,
            getattr(event, "stage", None),
            None if getattr(event, "amount", None) is None else event.amount.minor,
            getattr(event, "owner", None),
        )
        for events in deals
        for event in events
    ]
    table = pd.DataFrame(rows, columns=["deal", "at", "kind", "stage", "amount", "owner"])
    table["at"] = pd.to_datetime(table["at"], utc=True)
    return table.astype({"kind": "category", "stage": "category", "owner": "category"})


def pandas_summary(table: pd.DataFrame) -> dict[str, float]:
    """Counts, win rates, average size, cycle and lifetime of the deals as of the instant."""
    known = table[table["at"] <= AS_OF]
    opened = known.loc[known["kind"] == "Opened", ["deal", "at"]].set_index("deal")["at"]
    last = known[known["kind"].isin(ENTERING)].drop_duplicates("deal", keep="last")
    last = last.set_index("deal")
    amounts = known.dropna(subset=["amount"]).drop_duplicates("deal", keep="last")
    last["amount"] = amounts.set_index("deal")["amount"]
    last["opened"] = opened
    closed = last[last["kind"].isin(["Won", "Lost"])]
    days = (closed["at"].dt.normalize() - closed["opened"].dt.normalize()).dt.days
    won = closed["kind"] == "Won"
    wins = int(won.sum())
    return {
        "open": len(last) - len(closed),
        "won": wins,
        "win_rate_closed": wins / len(closed),
        "win_rate_created": wins / len(last),
        "average": closed.loc[won, "amount"].mean() / 100,
        "cycle_mean": days[won].mean(),
        "cycle_median": days[won].median(),
        "lifetime_mean": days.mean(),
        "lifetime_median": days.median(),
    }


def our_summary(deals: list[DealHistory]) -> dict[str, float]:
    """The same figures, and the censoring-aware curve that the table of pandas does without."""
    found = metrics.summary(deals, as_of=AS_OF)
    return {
        "open": found.open,
        "won": found.won,
        "win_rate_closed": found.win_rate_closed.value or 0.0,
        "win_rate_created": found.win_rate_created.value or 0.0,
        "average": float(found.average_deal_size.mean() or 0),
        "cycle_mean": found.cycle_length.mean_days or 0.0,
        "cycle_median": found.cycle_length.median_days or 0.0,
        "lifetime_mean": found.deal_lifetime.mean_days or 0.0,
        "lifetime_median": found.deal_lifetime.median_days or 0.0,
    }


def pandas_stages(table: pd.DataFrame) -> dict[str, float]:
    """The amount in each stage, and how many deals stand there."""
    known = table[table["at"] <= AS_OF]
    last = known[known["kind"].isin(ENTERING)].drop_duplicates("deal", keep="last")
    amounts = known.dropna(subset=["amount"]).drop_duplicates("deal", keep="last")
    last = last.set_index("deal")
    last["amount"] = amounts.set_index("deal")["amount"]
    stages = last.groupby("stage", observed=True)["amount"].agg(["size", "sum"])
    counts = {f"{stage} n": float(n) for stage, n in stages["size"].items()}
    return counts | {f"{stage} sum": total / 100 for stage, total in stages["sum"].items()}


def our_stages(deals: list[DealHistory]) -> dict[str, float]:
    """The same."""
    found: dict[str, float] = {}
    for each in metrics.deals_by_stage(deals, as_of=AS_OF):
        total = each.amounts.total()
        found[f"{each.stage} n"] = each.amounts.n
        found[f"{each.stage} sum"] = float(total.amount) if total else 0.0
    return found


def pandas_times(table: pd.DataFrame) -> dict[str, float]:
    """How many visits to each stage ended, and after how many days on average."""
    known = table[(table["at"] <= AS_OF) & table["kind"].isin(ENTERING)]
    left = known.groupby("deal", sort=False)["at"].shift(-1)
    days = (left.dt.normalize() - known["at"].dt.normalize()).dt.days
    stages = days.groupby(known["stage"], observed=True).agg(["count", "mean", "median"])
    return {
        f"{stage} {name}": value
        for stage, values in stages.iterrows()
        for name, value in values.items()
        if values["count"]
    }


def our_times(deals: list[DealHistory]) -> dict[str, float]:
    """The same, and the censoring-aware curve of each stage."""
    return {
        f"{each.stage} {name}": value or 0.0
        for each in metrics.time_in_stage(deals, as_of=AS_OF)
        if each.finished.n
        for name, value in (
            ("count", each.finished.n),
            ("mean", each.finished.mean_days),
            ("median", each.finished.median_days),
        )
    }


FIGURES: tuple[tuple[str, Callable[..., Any], Callable[..., Any], float], ...] = (
    ("summary", our_summary, pandas_summary, 1.0),
    ("stage counts", our_stages, pandas_stages, 1.0),
    ("time in stage", our_times, pandas_times, 1.2),
)


def check(name: str, ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Stop where the two do not say the same."""
    apart = {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if abs(ours.get(key, 0.0) - theirs.get(key, 0.0)) > 1e-6 * abs(theirs.get(key, 1.0))
    }
    if apart:
        raise SystemExit(f"{name} differs: {apart}")


def main() -> None:
    """Make the deals, check that both sides agree, and time them."""
    parser = options(__doc__ or "")
    parser.add_argument("--deals", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    events = made(asked.deals)
    start = time.perf_counter()
    deals = [DealHistory(each) for each in events]
    loading = time.perf_counter() - start
    table = frame(events)
    rows = [row(f"load {sum(map(len, events)):,} events", loading, None, None)]
    for name, ours, theirs, limit in FIGURES:
        check(name, ours(deals), theirs(table))
        times = race(lambda: ours(deals), lambda: theirs(table), rounds=asked.rounds)  # noqa: B023
        rows.append(row(name, *times, limit))
    open_deals = metrics.summary(deals, as_of=AS_OF).open
    if not asked.json:
        print(f"{len(deals):,} deals, {open_deals:,} {Outcome.OPEN.value} as of {AS_OF:%Y-%m-%d}")
    show(rows, as_json=asked.json)


if __name__ == "__main__":
    main()
