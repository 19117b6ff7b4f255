"""A board report on one page: the quarter that was, the one to come, and how far to trust that.

python examples/board_report.py                 as of the sample's export
python examples/board_report.py --quota 200000  with another quota for the quarter to come
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline_review import share
from quickstart import DATA, heading, money, read, table
from salespipeline import SIX_STAGES, DealHistory, Money, Period, Unit, metrics

NOW = datetime(2026, 7, 1, tzinfo=UTC)
QUARTER, COMING = Period.quarter(2026, 2), Period.quarter(2026, 3)
ORIGINS = [
    month.start for month in Period(datetime(2025, 10, 1, tzinfo=UTC), NOW).steps(Unit.MONTH)
]
SEED = 2026


def round_money(value: Money | None) -> str:
    """An amount in thousands; a board wants no cents."""
    return "–" if value is None else f"{float(value.amount) / 1000:,.0f} k"


def show_quarter(deals: Sequence[DealHistory]) -> None:
    """What was won, against the quarter before, and what became of what was due."""
    heading("The quarter that was")
    before = QUARTER.preceding()
    rows: list[tuple[str, ...]] = [("", "quarter before", "this quarter")]
    won = [metrics.average_deal_size(deals, as_of=NOW, period=each) for each in (before, QUARTER)]
    rates = [metrics.win_rate_closed(deals, as_of=NOW, period=each) for each in (before, QUARTER)]
    flows = [metrics.pipeline_bridge(deals, period=each) for each in (before, QUARTER)]
    rows += [
        ("deals won", *(f"{each.n}" for each in won)),
        ("won, EUR", *(round_money(each.total()) for each in won)),
        ("won of closed (naive)", *(share(each.value) for each in rates)),
        ("open at its end, EUR", *(round_money(each.end.total()) for each in flows)),
    ]
    table(rows)
    slipped = metrics.slippage(deals, as_of=NOW, period=QUARTER)
    ends = [f"{end.share.numerator} {end.ended.value}" for end in slipped.ends]
    told = ", ".join(end.replace("_", " ") for end in ends if not end.startswith("0 "))
    print(f"Of {slipped.due.n} deals that were due in it at its start: {told}.")
    moved = metrics.pushes(deals, as_of=NOW, period=QUARTER)
    late = moved.by_quarter.moves
    print(f"Close dates were put off {moved.by_day.moves} times, {late} times past a quarter.")


def show_forecast(deals: Sequence[DealHistory], quota: Money) -> None:
    """What the next quarter may bring, by owner too, beside what simpler ways say."""
    heading("The quarter to come")
    found = metrics.forecast(
        deals, as_of=NOW, period=COMING, seed=SEED, quota=quota, by="owner", pipelines=[SIX_STAGES]
    )
    rows: list[tuple[str, ...]] = [("EUR", "P10", "P50", "P90", "mean")]
    parts: list[tuple[str, metrics.Spread | None]] = [
        ("altogether", found),
        ("  from open deals", found.open_deals),
        ("  from deals to come", found.new_deals),
        *((f"  {owner or 'nobody'}", part) for owner, part in (found.by_group or {}).items()),
    ]
    for name, part in parts:
        if part is not None:
            amounts = (part.p10, part.p50, part.p90, part.mean)
            rows.append((name, *(round_money(amount) for amount in amounts)))
    table(rows)
    chance = found.quota_chance
    print(f"The chance of {money(quota)} or more is {share(chance.value if chance else None)}.")
    for warning in found.warnings:
        print(f"Note: {warning}.")


def show_trust(deals: Sequence[DealHistory]) -> None:
    """How the same forecast would have done on the past, beside simpler ways."""
    heading("How far to trust it: the same forecast as of past months, against what came")
    tested = metrics.backtest(
        deals, as_of=NOW, origins=ORIGINS, horizon_days=91, seed=SEED, pipelines=[SIX_STAGES]
    )
    rows = [("", "origins", "error", "bias", "P10 to P90 held", "pinball loss")]
    rows += [
        (
            each.method.value.replace("_", " "),
            f"{each.n}",
            share(each.error),
            share(each.bias),
            f"{each.coverage.numerator} of {each.coverage.denominator}",
            round_money(each.pinball),
        )
        for each in (tested.forecast, tested.weighted, tested.last_period)
    ]
    table(rows)
    left = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in tested.left_out.items())
    print(f"Origins left out: {left or 'none'}.")


def show_hands(deals: Sequence[DealHistory], quota: Money) -> None:
    """What needs a hand now, and how many leads the quota needs."""
    heading("What needs a hand")
    limits = metrics.stall_limits(deals, as_of=NOW, pipelines=[SIX_STAGES])
    found = metrics.stalled(
        deals, as_of=NOW, rule="time_in_stage", limits=limits, pipelines=[SIX_STAGES]
    )
    print("Stuck:")
    for each in found.deals:
        print(f"  {each.deal} ({each.owner or 'nobody'}): {each.why}")
    best = metrics.most_winnable(deals, as_of=NOW, horizon_days=92, pipelines=[SIX_STAGES], most=3)
    print("Worth most, by chance and amount:")
    for deal in best.deals:
        print(f"  {deal.deal} ({deal.owner or 'nobody'}): {deal.why}")
    needs = metrics.sizing_from(deals, target=quota, as_of=NOW, seed=SEED, people=6)
    apiece = f"{needs.leads_each} for each of 6"
    print(f"{money(quota)} take {needs.deals} won of {needs.leads} deals: {apiece}.")


def main() -> None:
    """Report on the sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quota", type=int, default=150_000, help="of the quarter to come, in EUR")
    quota = Money(parser.parse_args().quota, "EUR")
    found, _ = read(DATA / "deals.csv", DATA / "deals.toml")
    print(f"Report as of {NOW:%Y-%m-%d}: {len(found.histories)} deals")
    show_quarter(found.histories)
    show_forecast(found.histories, quota)
    show_trust(found.histories)
    show_hands(found.histories, quota)


if __name__ == "__main__":
    main()
