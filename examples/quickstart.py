"""A pipeline report from an export: what is wrong with it, where deals stand, the usual figures.

python examples/quickstart.py                              reads the sample in examples/data
python examples/quickstart.py FILE --mapping MAPPING.toml  reads a CSV of deals or contacts
"""

import argparse
import csv
import tomllib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from salespipeline import (
    SIX_STAGES,
    ContactHistory,
    DealHistory,
    Interval,
    Money,
    Outcome,
    Period,
    Pipeline,
    SalesPipelineError,
    Unit,
    audit,
    metrics,
)
from salespipeline.connectors.table import Read, read_contacts, read_deals
from salespipeline.periods import midnight

DATA = Path(__file__).parent / "data"
WIDTH = 100


def read(file: Path, mapping_file: Path) -> tuple[Read[Any], dict[str, Any]]:
    """What a CSV gives by a mapping, and the mapping."""
    try:
        mapping = tomllib.loads(mapping_file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as fault:
        raise ValueError(f"{mapping_file} is no TOML: {fault}") from None
    with file.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        if mapping.get("record") == "contact":
            return read_contacts(rows, mapping), mapping
        return read_deals(rows, mapping, pipelines=[SIX_STAGES]), mapping


def heading(text: str) -> None:
    """A line that begins a part of the report."""
    print(f"\n{text}\n{'-' * len(text)}")


def table(rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Rows with aligned columns: the first ``left`` to the left, the others to the right."""
    listed = [tuple(row) for row in rows]
    widths = [max(len(row[n]) for row in listed) for n in range(len(listed[0]))]
    for row in listed:
        cells = [
            f"{cell:<{width}}" if n < left else f"{cell:>{width}}"
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def days(value: float | None) -> str:
    """A number of days, or a dash where there is none."""
    return "–" if value is None else f"{value:,.1f}".removesuffix(".0")


def between(interval: Interval | None) -> str:
    """An interval of days; an end that the data leave open is a dash."""
    return "–" if interval is None else f"{days(interval.low)} to {days(interval.high)}"


def money(value: Money | None) -> str:
    """An amount, or a dash where there is none."""
    return "–" if value is None else str(value)


def show_reading(name: str, found: Read[Any]) -> None:
    """How many rows were used, and the first few that could not be."""
    records = f"{len(found.histories):,} histories"
    print(f"{name}: {found.used:,} rows used, {found.refused:,} refused; {records}")
    for problem in found.problems[:4]:
        what = "row refused" if problem.refused else "cell left out"
        print(f"  row {problem.row}, {problem.column}: {what}: {problem.reason}"[:WIDTH])
    if len(found.problems) > 4:
        print(f"  and {len(found.problems) - 4} more problems")


def show_stages(
    deals: Sequence[DealHistory], pipelines: Sequence[Pipeline], as_of: datetime
) -> None:
    """Where deals stand, with what is there and how long they stay."""
    heading("Pipeline by stage")
    times = {
        (each.pipeline, each.stage): each
        for each in metrics.time_in_stage(deals, as_of=as_of, pipelines=pipelines)
    }
    rows = [("stage", "outcome", "deals", "amount", "median days (naive)", "with open", "95 %")]
    for each in metrics.deals_by_stage(deals, as_of=as_of, pipelines=pipelines):
        spent = times.get((each.pipeline, each.stage))
        lasts = each.outcome is Outcome.OPEN and spent is not None
        naive = days(spent.finished.median_days) if lasts and spent else ""
        aware = days(spent.survival.median) if lasts and spent else ""
        interval = between(spent.survival.median_interval) if lasts and spent else ""
        rows.append(
            (
                each.stage,
                each.outcome.value,
                f"{each.amounts.n:,}",
                money(each.amounts.total()),
                naive,
                aware,
                interval,
            )
        )
    table(rows, left=2)


def show_deals(deals: Sequence[DealHistory], as_of: datetime) -> None:
    """The usual figures of deals, the naive beside the censoring-aware."""
    found = metrics.summary(deals, as_of=as_of)
    heading("Deals")
    print(f"{found.open:,} open, {found.won:,} won, {found.lost:,} lost")
    size, closing = found.average_deal_size, found.time_to_close
    mean = size.mean()
    rows = [
        ("win rate of closed deals (naive)", str(found.win_rate_closed)),
        ("win rate of all deals created", str(found.win_rate_created)),
        (
            "average deal size",
            "–" if mean is None else f"{mean:,.2f} {next(iter(size.by_currency))}",
        ),
        ("won deals without an amount", f"{size.without_amount:,}"),
        ("sales cycle, mean of won (naive)", f"{days(found.cycle_length.mean_days)} days"),
        ("sales cycle, median of won (naive)", f"{days(found.cycle_length.median_days)} days"),
        ("deal lifetime, mean of closed (naive)", f"{days(found.deal_lifetime.mean_days)} days"),
        (
            "deal lifetime, median of closed (naive)",
            f"{days(found.deal_lifetime.median_days)} days",
        ),
        (
            "time to close, median, open counted",
            f"{days(closing.median)} days ({between(closing.median_interval)})",
        ),
    ]
    for why, n in closing.left_out.items():
        rows.append((f"  left out: {why.replace('_', ' ')}", f"{n:,}"))
    table(rows, left=2)


def show_velocity(deals: Sequence[DealHistory], as_of: datetime) -> None:
    """Money a day over the last six months, and what the present month makes of it."""
    now = metrics.pipeline_velocity(deals, as_of=as_of)
    heading("Pipeline velocity (open deals × win rate × average size ÷ cycle days)")
    if now.per_day is None or now.win_rate is None or now.cycle_days is None:
        print("not defined: nothing was won yet")
        return
    size = f"{float(now.average_size or 0):,.2f} {now.currency}"
    inputs = f"{now.number} × {float(now.win_rate):.3f} × {size} ÷ {float(now.cycle_days):.1f}"
    month = Period.containing(as_of, Unit.MONTH)
    print(f"all time: {inputs} = {now.per_day} a day")
    print(f"{month.start:%B %Y} at that rate, {month.days()} days: {now.over(month.days())}")
    half = Period(as_of - timedelta(days=182), as_of)
    months = [month for month in half.steps(Unit.MONTH) if month.end <= as_of]
    rows = [("month", "open", "win rate", "a day", "change", "the month")]
    for step in metrics.velocity_series(deals, periods=months):
        of = step.velocity
        share = "–" if of.win_rate is None else f"{float(of.win_rate):.0%}"
        growth = "–" if step.growth is None else f"{step.growth:+.0%}"
        made = of.over(step.period.days())
        name = f"{step.period.start:%Y-%m}"
        rows.append((name, str(of.number), share, money(of.per_day), growth, money(made)))
    table(rows)


def show_owners(deals: Sequence[DealHistory], as_of: datetime) -> None:
    """The win rate of each owner, as it was when deals closed."""
    heading("Win rate of closed deals by owner at closing")
    rates = metrics.win_rate_closed(deals, as_of=as_of, by="owner")
    closed = [(str(owner or "nobody"), rate) for owner, rate in rates.items() if rate.denominator]
    busiest = sorted(closed, key=lambda each: -each[1].denominator)[:6]
    if busiest:
        table([(owner, str(rate)) for owner, rate in busiest], left=2)


def show_contacts(contacts: Sequence[ContactHistory], as_of: datetime) -> None:
    """How many contacts come how far."""
    heading("Contacts")
    qualified = metrics.qualified_leads(contacts, as_of=as_of)
    sales = metrics.qualified_leads(contacts, as_of=as_of, at="sales_qualified_lead")
    rows = [
        ("leads", str(metrics.leads(contacts, as_of=as_of))),
        ("marketing-qualified or beyond", str(qualified)),
        ("sales-qualified or beyond", str(sales)),
        ("customers among leads (close ratio)", str(metrics.close_ratio(contacts, as_of=as_of))),
    ]
    table(rows, left=2)
    stages = metrics.contacts_by_lifecycle_stage(contacts, as_of=as_of)
    statuses = metrics.contacts_by_lead_status(contacts, as_of=as_of)
    named = [(stage.value if stage else "none", n) for stage, n in stages.items() if n]
    print("by lifecycle stage, and by lead status:")
    for (stage, n), (status, m) in zip_longest(named, statuses.items(), fillvalue=("", "")):
        print(f"  {stage:<26}{n:>5}    {status:<22}{m:>5}".rstrip())
    year = Period(as_of - timedelta(days=365), as_of)
    quarters = [quarter for quarter in year.steps(Unit.QUARTER) if quarter.end <= as_of]
    cohorts = metrics.close_ratio_by_cohort(contacts, as_of=as_of, periods=quarters)
    print("close ratio by quarter of becoming a lead (young cohorts have had less time):")
    table(
        [(f"  from {cohort.start:%Y-%m-%d}", str(rate)) for cohort, rate in cohorts.items()], left=2
    )


def show_under_findings(
    report: audit.Report, deals: Sequence[DealHistory], as_of: datetime
) -> None:
    """The three owners with the largest open amount in deals that the audit found fault with."""
    heading("Open amount under findings: the three owners with most")
    found = {finding.record for finding in report.findings if finding.kind == "deal"}
    faulty = [deal for deal in deals if deal.record in found]
    by_owner = metrics.deals_by_stage(faulty, as_of=as_of, by="owner")
    amounts: list[tuple[Money, str, int]] = []
    for owner, stages in by_owner.items():
        standing = [each.amounts for each in stages if each.outcome is Outcome.OPEN]
        sums = [total for total in (each.total() for each in standing) if total is not None]
        if sums:
            n = sum(each.n for each in standing)
            amounts.append((sum(sums[1:], sums[0]), str(owner or "nobody"), n))
    if not amounts:
        print("none")
        return
    largest = sorted(amounts, key=lambda each: each[0], reverse=True)[:3]
    table([(owner, f"{n} deals", str(amount)) for amount, owner, n in largest])


def exported(mapping: dict[str, Any]) -> datetime | None:
    """The instant at which the file was exported, if its mapping says: a date is its midnight."""
    said = mapping.get("exported")
    zone = ZoneInfo(mapping.get("zone", "UTC"))
    if isinstance(said, str):
        said = datetime.fromisoformat(said)
    if isinstance(said, datetime):
        return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)
    return midnight(said, zone) if isinstance(said, date) else None


def last_instant(histories: Sequence[Any]) -> datetime:
    """The instant of the last event, for a file that does not say when it was exported."""
    instants = [event.at for history in histories for event in history.events]
    return max(instants, default=datetime(1970, 1, 1, tzinfo=UTC))


def report(
    contacts: Sequence[ContactHistory],
    deals: Sequence[DealHistory],
    pipelines: Sequence[Pipeline],
    as_of: datetime,
) -> None:
    """The whole report."""
    findings = audit.audit(contacts, deals, as_of=as_of, pipelines=pipelines)
    heading("Audit")
    print(findings)
    if deals:
        show_stages(deals, pipelines, as_of)
        show_deals(deals, as_of)
        show_velocity(deals, as_of)
        show_owners(deals, as_of)
    if contacts:
        show_contacts(contacts, as_of)
    if deals:
        show_under_findings(findings, deals, as_of)


def main() -> None:
    """Read what was asked for, and print the report."""
    parser = argparse.ArgumentParser(description="A pipeline report from a CSV.")
    parser.add_argument("file", nargs="?", type=Path, help="the sample if not given")
    parser.add_argument("--mapping", type=Path, help="how FILE is read, as TOML")
    asked = parser.parse_args()
    if (asked.file is None) != (asked.mapping is None):
        parser.error("give FILE and --mapping together, or neither")
    try:
        if asked.file is None:
            people, mapping = read(DATA / "contacts.csv", DATA / "contacts.toml")
            sales, _ = read(DATA / "deals.csv", DATA / "deals.toml")
        else:
            found, mapping = read(asked.file, asked.mapping)
            empty: Read[Any] = Read((), (), (), 0, 0)
            people, sales = (found, empty) if mapping["record"] == "contact" else (empty, found)
    except (OSError, ValueError, SalesPipelineError) as fault:
        parser.exit(2, f"{fault}\n")
    as_of = exported(mapping) or last_instant((*people.histories, *sales.histories))
    print(f"As of {as_of:%Y-%m-%d %H:%M} UTC")
    for name, taken in (("contacts", people), ("deals", sales)):
        if taken.used or taken.refused:
            show_reading(name, taken)
    used = [
        p for p in sales.pipelines if any(d.events[0].pipeline == p.key for d in sales.histories)
    ]
    report(people.histories, sales.histories, used, as_of)


if __name__ == "__main__":
    main()
