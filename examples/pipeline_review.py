"""Last quarter's review: what moved, what was won and why, where deals are lost, what comes next.

python examples/pipeline_review.py                  reviews the quarter before the sample's export
python examples/pipeline_review.py --quarter 2026-1 reviews another, as it was known at its end
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from quickstart import DATA, days, heading, money, read, table
from salespipeline import SIX_STAGES, DealHistory, Money, Period, Unit, metrics

QUOTA = Money(150_000, "EUR")
MOMENT = timedelta(microseconds=1)
EXPORTED = datetime(2026, 7, 1, tzinfo=UTC)


def share(value: float | Fraction | None) -> str:
    """A share in percent, or a dash where there is none."""
    return "–" if value is None else f"{float(value):.1%}"


def chance_of(found: metrics.WinProbability) -> str:
    """A chance with its interval and how many deals still tell of it."""
    if found.interval is None:
        return "–"
    between = f"{share(found.interval.low)} to {share(found.interval.high)}"
    return f"{share(found.value)} ({between}; {found.at_risk} of {found.n} at risk then)"


def show_bridge(deals: Sequence[DealHistory], quarter: Period) -> None:
    """How the open pipeline came from what it was to what it is."""
    heading("From the open pipeline at the start to that at the end")
    bridge = metrics.pipeline_bridge(deals, period=quarter)
    rows = [("", "changes", "EUR")]
    for row in bridge.rows():
        n, term, amount = row["n"], str(row["term"]), row["EUR"]
        if n or term in {"start", "end"}:
            what = "deals" if term in {"start", "end"} else ""
            rows.append((term.replace("_", " "), f"{n:,} {what}".strip(), f"{amount:,}"))
    table(rows)


def show_wins(deals: Sequence[DealHistory], quarter: Period, as_of: datetime) -> None:
    """The win rates that dashboards show, and the one that does not move by itself."""
    heading("Win rates")
    chance = metrics.win_probability(deals, as_of=as_of, horizon_days=120)
    ends = metrics.cumulative_incidence(deals, as_of=as_of, causes={"gave up": ["no decision"]})
    rows = [
        (
            "won among closed in the quarter (naive)",
            str(metrics.win_rate_closed(deals, as_of=as_of, period=quarter)),
        ),
        (
            "won among created in the quarter, so far",
            str(metrics.win_rate_created(deals, as_of=as_of, period=quarter)),
        ),
        ("won in the quarter to created in it (naive)", _same_period(deals, quarter, as_of)),
        ("won within 120 days, open deals counted as open", chance_of(chance)),
        ("  lost within 120 days", share(ends.at("lost", 120))),
        ("  lost to no decision", share(ends.at("gave up", 120))),
        ("  still open then", share(ends.open_at(120))),
    ]
    table(rows, left=2)


def _same_period(deals: Sequence[DealHistory], quarter: Period, as_of: datetime) -> str:
    rate = metrics.same_period_rate(deals, as_of=as_of, period=quarter)
    return f"{share(rate.value)} ({rate.won} to {rate.created})"


def show_funnel(deals: Sequence[DealHistory], as_of: datetime) -> None:
    """How many come how far, in order, and what became of those who did not go on."""
    heading("The funnel of all deals, in order")
    rows = [("stage", "entered", "of the step before", "of all", "still there", "lost there")]
    found = metrics.funnel(deals, as_of=as_of, pipeline=SIX_STAGES)
    rows += [
        (
            step.stage,
            f"{step.entered:,}",
            "" if step.rate is None else share(step.rate.value),
            "" if step.overall is None else share(step.overall.value),
            f"{step.still_there}",
            f"{step.lost}",
        )
        for step in found.steps
    ]
    table(rows)


def show_losses(deals: Sequence[DealHistory], quarter: Period, as_of: datetime) -> None:
    """Which stage loses more than its part, and what people say was the reason."""
    heading("Where deals are lost, and why")
    found = metrics.stage_strength(deals, as_of=as_of, pipelines=[SIX_STAGES], seed=7)
    rows = [("stage", "chance to win from here", "lost of those that left", "")]
    for stage in found.stages:
        if stage.chance is not None:
            said = "" if stage.strength is None else stage.strength.value
            rows.append((stage.stage, share(stage.chance), str(stage.loss_rate), said))
    table(rows)
    print()
    lost = [
        each
        for each in metrics.reasons(deals, as_of=as_of, period=quarter)
        if each.outcome == "lost"
    ]
    if lost:
        table([(each.reason or "no reason given", str(each.share)) for each in lost], left=2)


def show_speed(deals: Sequence[DealHistory], quarter: Period, as_of: datetime) -> None:
    """What each stage takes, and which input changed the velocity by how much money a day."""
    heading("Speed")
    rows = [("stage", "days a visit takes", "median", "against all stages")]
    speeds = metrics.stage_speed(deals, as_of=as_of, pipelines=[SIX_STAGES])
    for each in speeds.stages:
        against = "–" if each.against_all is None else f"{float(each.against_all):.2f} ×"
        mean = None if each.mean_days is None else float(each.mean_days)
        rows.append((each.stage, days(mean), days(each.median_days), against))
    table(rows)
    before = quarter.preceding()
    found = metrics.velocity_attribution(deals, before=before, after=quarter, currency="EUR")
    then, now = money(found.before.per_day), money(found.after.per_day)
    print(f"\nvelocity a day: {then} the quarter before, {now} in this one; put down to")
    rows = [("input", "before", "after", "money a day")]
    rows += [
        (
            part.input.value.replace("_", " "),
            short(part.before),
            short(part.after),
            money(part.money),
        )
        for part in found.parts
    ]
    table(rows)


def short(value: Fraction | int | None) -> str:
    """A number with two digits behind the point, or a dash where there is none."""
    return "–" if value is None else f"{float(value):,.2f}".removesuffix(".00")


def show_buyers(deals: Sequence[DealHistory], as_of: datetime) -> None:
    """Which industries buy."""
    heading("Who buys: deals by industry")
    rows = [("industry", "won of closed", "average", "cycle, mean days")]
    for each in metrics.profile(deals, as_of=as_of, by="attributes.industry"):
        mean = each.average_won.mean("EUR")
        rows.append(
            (
                str(each.value or "unknown"),
                str(each.win_rate),
                "–" if mean is None else f"{mean:,.0f} EUR",
                days(each.cycle.mean_days),
            )
        )
    table(rows)


def show_next(deals: Sequence[DealHistory], quarter: Period, as_of: datetime) -> None:
    """What is due, and whether it covers the quota."""
    heading("Next quarter")
    coming = Period(quarter.end, next(iter(_quarters(quarter.end))).end)
    rows = [("due", "deals", "EUR")]
    for due in metrics.pipeline_by_due_date(deals, as_of=as_of):
        when = due.due.value if due.step is None else f"{due.step.start:%Y-%m}"
        total = due.amounts.total("EUR")
        rows.append((when, f"{due.amounts.n:,}", "–" if total is None else f"{total.amount:,}"))
    table(rows)
    covered = metrics.pipeline_coverage(deals, as_of=as_of, period=coming, quota=QUOTA)
    times = "–" if covered.value is None else f"{float(covered.value):.2f} times"
    print(f"open and due in it: {times} the quota of {QUOTA} that is still to win")


def _quarters(start: datetime) -> Sequence[Period]:
    return list(Period(start, start + timedelta(days=80)).steps(Unit.QUARTER))


def quarter_of(said: str) -> Period:
    """The quarter that was asked for, such as 2026-2; it must have begun by the export."""
    year, _, number = said.partition("-")
    try:
        quarter = Period.quarter(int(year), int(number))
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{said!r} is none such as 2026-2: {fault}") from None
    if quarter.start >= EXPORTED:
        raise argparse.ArgumentTypeError(f"the sample ends before {quarter.start:%Y-%m-%d}")
    return quarter


def main() -> None:
    """Review a quarter of the sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quarter", type=quarter_of, default="2026-2", help="such as 2026-2")
    quarter: Period = parser.parse_args().quarter
    as_of = quarter.end - MOMENT
    found, _ = read(DATA / "deals.csv", DATA / "deals.toml")
    deals = found.histories
    now = metrics.summary(deals, as_of=as_of)
    print(f"Review of the quarter from {quarter.start:%Y-%m-%d} to {quarter.end:%Y-%m-%d}")
    print(f"{now.open} deals open, {now.won} won and {now.lost} lost so far, as known at its end")
    if not now.open + now.won + now.lost:
        return
    show_bridge(deals, quarter)
    show_wins(deals, quarter, as_of)
    show_funnel(deals, as_of)
    show_losses(deals, quarter, as_of)
    show_speed(deals, quarter, as_of)
    show_buyers(deals, as_of)
    show_next(deals, quarter, as_of)


if __name__ == "__main__":
    main()
