"""What the benchmark asks of each figure of deals, as numbers by name."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

from _deals import AS_OF, QUARTER, QUARTERS, SIX, STEPS, YEAR

from salespipeline import DealHistory, Money, Period, metrics
from salespipeline.metrics import Amounts, Durations, Rate, Velocity

Deals: TypeAlias = Sequence[DealHistory]
Told: TypeAlias = dict[str, float]
GOAL = Money(1_000_000, "EUR")
MONTHS = tuple(Period.month(2025, month) for month in range(1, 13))


def _of(found: Durations, name: str = "") -> Told:
    told = {"n": found.n, "mean": found.mean_days, "median": found.median_days}
    return {f"{name}{key}": float(value or 0) for key, value in told.items()}


def _rate(found: Rate) -> Told:
    return {"of": found.denominator, "n": found.numerator}


def _sum(found: Amounts) -> float:
    total = found.total()
    return 0.0 if total is None else float(total.amount)


def _flow(found: Velocity, name: str = "") -> Told:
    """The inputs of a velocity; the money a day is checked with them."""
    told = {
        "number": found.number,
        "rate": found.win_rate,
        "size": found.average_size,
        "cycle": found.cycle_days,
        "a day": found.exact_per_day,
    }
    return {f"{name}{key}": float(value or 0) for key, value in told.items()}


# How deals end


def summary(deals: Deals) -> Told:
    """The usual figures, and the censoring-aware curve that the table of pandas does without."""
    found = metrics.summary(deals, as_of=AS_OF)
    return {
        "open": found.open,
        "won": found.won,
        "win_rate_closed": found.win_rate_closed.value or 0.0,
        "win_rate_created": found.win_rate_created.value or 0.0,
        "average": float(found.average_deal_size.mean() or 0),
        **_of(found.cycle_length, "cycle "),
        **_of(found.deal_lifetime, "lifetime "),
    }


def win_rate_closed(deals: Deals) -> Told:
    """Won among closed."""
    return _rate(metrics.win_rate_closed(deals, as_of=AS_OF))


def win_rate_created(deals: Deals) -> Told:
    """Won among all."""
    return _rate(metrics.win_rate_created(deals, as_of=AS_OF))


def win_rate_of_clusters(deals: Deals) -> Told:
    """Won among closed, with an interval that goes by how far owners differ."""
    found = metrics.win_rate_closed(deals, as_of=AS_OF, cluster="owner")
    low = found.interval.low if found.interval else None
    return {**_rate(found), "clusters": found.clusters or 0, "low": low or 0.0}


def same_period_rate(deals: Deals) -> Told:
    """Won in a quarter, and created in it."""
    found = metrics.same_period_rate(deals, as_of=AS_OF, period=QUARTER)
    return {"won": found.won, "created": found.created}


def cohort_rate(deals: Deals) -> Told:
    """Won within 90 days of those created in a quarter."""
    return _rate(metrics.cohort_rate(deals, as_of=AS_OF, period=QUARTER, horizon_days=90))


def cohort_table(deals: Deals) -> Told:
    """Won within 30, 60 and 90 days of those created in each month that is so old."""
    cells = metrics.cohort_table(deals, as_of=AS_OF, periods=MONTHS)
    return {
        f"{cell.cohort.start:%m} {cell.age_days} {name}": value
        for cell in cells
        if cell.observed is not None
        for name, value in _rate(cell.observed).items()
    }


def time_to_close(deals: Deals) -> Told:
    """Kaplan and Meier's curve of the time to close, and its error."""
    curve = metrics.time_to_close(deals, as_of=AS_OF)
    told = {f"open {day}": curve.at(day) or 0.0 for day in (30, 60, 90)}
    return told | {"error 60": curve.error_at(60) or 0.0}


def cumulative_incidence(deals: Deals) -> Told:
    """The share won, and lost, by some ages, with an error."""
    curve = metrics.cumulative_incidence(deals, as_of=AS_OF)
    told = {
        f"{cause} {day}": curve.at(cause, day) or 0.0
        for cause in ("won", "lost")
        for day in (30, 60, 90)
    }
    return told | {"error 60": curve.error_at("won", 60) or 0.0}


def win_probability(deals: Deals) -> Told:
    """The chance of being won by 60 days."""
    return {"won 60": metrics.win_probability(deals, as_of=AS_OF, horizon_days=60).value or 0.0}


def cycle_length(deals: Deals) -> Told:
    """Days from opening to winning."""
    return _of(metrics.cycle_length(deals, as_of=AS_OF))


def cycle_from_meeting(deals: Deals) -> Told:
    """Days from first entering the meeting to winning."""
    return _of(metrics.cycle_length(deals, as_of=AS_OF, start=("six", "meeting")))


def deal_lifetime(deals: Deals) -> Told:
    """Days from opening to the close."""
    return _of(metrics.deal_lifetime(deals, as_of=AS_OF))


def deal_age(deals: Deals) -> Told:
    """How old open deals are."""
    return _of(metrics.deal_age(deals, as_of=AS_OF))


def reasons(deals: Deals) -> Told:
    """Why deals were won or lost, by stage."""
    found = metrics.reasons(deals, as_of=AS_OF, by_stage=True)
    return {
        f"{each.outcome.value} {each.reason} {each.stage} {name}": value
        for each in found
        for name, value in (("n", each.n), ("sum", _sum(each.amounts)))
    }


def profile(deals: Deals) -> Told:
    """How the deals of each owner at creation ended."""
    return {
        f"{each.value} {name}": value
        for each in metrics.profile(deals, as_of=AS_OF, by="owner")
        for name, value in (
            ("deals", each.deals),
            ("won", each.won),
            ("lost", each.lost),
            ("average", float(each.average_won.mean() or 0)),
            ("cycle", each.cycle.mean_days or 0.0),
        )
    }


# What they are worth, and how fast that flows


def average_deal_size(deals: Deals) -> Told:
    """The mean amount of won deals."""
    found = metrics.average_deal_size(deals, as_of=AS_OF)
    return {"n": found.n, "mean": float(found.mean() or 0)}


def deal_sizes(deals: Deals) -> Told:
    """How large won deals are."""
    found = metrics.deal_sizes(deals, as_of=AS_OF).by_currency["EUR"]
    told = {"n": found.n, "mean": found.mean, "lower": found.quantile(0.25)}
    more = {"median": found.median, "upper": found.quantile(0.75)}
    return {name: float(value) for name, value in (told | more).items()}


def win_rate_by_size(deals: Deals) -> Told:
    """Won among closed below, between and above two amounts."""
    limits = (Money(10_000, "EUR"), Money(30_000, "EUR"))
    bands = metrics.win_rate_by_size(deals, as_of=AS_OF, thresholds=limits)
    return {
        f"{number} {name}": value
        for number, band in enumerate(bands)
        if band.won.n + band.lost.n
        for name, value in _rate(band.win_rate).items()
    }


def discount(deals: Deals) -> Told:
    """How far won amounts fell from those first quoted."""
    found = metrics.discount(deals, as_of=AS_OF).by_currency["EUR"]
    return {"n": found.n, "quoted": float(found.quoted.amount), "won": float(found.won.amount)}


def concessions(deals: Deals) -> Told:
    """How many won deals had a concession; here none."""
    return _rate(metrics.concessions(deals, as_of=AS_OF).deals)


def attainment(deals: Deals) -> Told:
    """What was won in a quarter."""
    found = metrics.attainment(deals, quota=GOAL, as_of=AS_OF, period=QUARTER)
    return {"n": found.deals, "won": float(found.won.amount)}


def attainment_steps(deals: Deals) -> Told:
    """What was won in each month of a year."""
    found = metrics.attainment_steps(
        deals, quota=GOAL, period=Period.year(2025), unit="month", as_of=AS_OF
    )
    return {str(number): float(step.won.amount) for number, step in enumerate(found, 1)}


def sizing_from(deals: Deals) -> Told:
    """How many deals and leads a target needs, with a range by drawing a thousand times."""
    found = metrics.sizing_from(deals, target=GOAL, as_of=AS_OF, seed=1)
    return {"deals": found.deals_n or 0, "leads": found.leads_n or 0}


def pipeline_velocity(deals: Deals) -> Told:
    """The vendors' form."""
    return _flow(metrics.pipeline_velocity(deals, as_of=AS_OF))


def consistent_velocity(deals: Deals) -> Told:
    """The form with the lifetime of all closed deals."""
    return _flow(metrics.consistent_velocity(deals, as_of=AS_OF))


def velocity_series(deals: Deals) -> Told:
    """Three quarters, each from its own end."""
    told: Told = {}
    for number, step in enumerate(metrics.velocity_series(deals, periods=QUARTERS)):
        told |= _flow(step.velocity, f"{number} ")
    return told


def velocity_attribution(deals: Deals) -> Told:
    """What became faster or slower between two quarters."""
    found = metrics.velocity_attribution(deals, before=QUARTERS[0], after=QUARTERS[1])
    return _flow(found.before, "0 ") | _flow(found.after, "1 ")


# Where they stand


def deals_by_stage(deals: Deals) -> Told:
    """The amount in each stage, and how many deals stand there."""
    told: Told = {}
    for each in metrics.deals_by_stage(deals, as_of=AS_OF):
        told |= {f"{each.stage} n": each.amounts.n, f"{each.stage} sum": _sum(each.amounts)}
    return told


def pipeline_value(deals: Deals) -> Told:
    """What is open."""
    found = metrics.pipeline_value(deals, as_of=AS_OF).amounts
    return {"n": found.n, "sum": _sum(found)}


def weighted_value(deals: Deals) -> Told:
    """The weighted value of what is open, and how far it may stray."""
    policy = metrics.STAGE_ONLY
    found = metrics.weighted_value(deals, as_of=AS_OF, policy=policy, pipelines=[SIX]).total()
    assert found is not None
    told = {"n": found.n, "open": found.amount.amount, "weighted": found.exact}
    return {key: float(value) for key, value in (told | {"variance": found.variance}).items()}


def pipeline_by_due_date(deals: Deals) -> Told:
    """What is open by the month in which it is due."""
    found = metrics.pipeline_by_due_date(deals, as_of=AS_OF)
    return {str(number): _sum(each.amounts) for number, each in enumerate(found) if each.step}


def pipeline_coverage(deals: Deals) -> Told:
    """What is due in a quarter, and what was won in it."""
    found = metrics.pipeline_coverage(
        deals, as_of=AS_OF, period=Period.quarter(2026, 1), quota=GOAL
    )
    assert found.pipeline is not None
    return {"n": found.due.n, "due": float(found.pipeline.amount)}


def pipeline_bridge(deals: Deals) -> Told:
    """What came into the open pipeline in a quarter, left it and changed in it."""
    bridge = metrics.pipeline_bridge(deals, period=QUARTER)
    parts = {"start": bridge.start, **{str(k): v for k, v in bridge.changes.items()}}
    return {name: _sum(part) for name, part in (parts | {"end": bridge.end}).items()}


def ageing(deals: Deals) -> Told:
    """How many open deals have which age."""
    found = metrics.ageing(deals, as_of=AS_OF)
    bands = {"age": found.by_age, "stage": found.by_stage_age}
    return {
        f"{name} {band.from_days} {key}": value
        for name, table in bands.items()
        for band in table
        for key, value in (("n", band.amounts.n), ("sum", _sum(band.amounts)))
    }


def stalled(deals: Deals) -> Told:
    """The open deals that have been in their stage for more than 15 days."""
    limits = {("six", stage): timedelta(15) for stage in STEPS[:-1]}
    found = metrics.stalled(deals, as_of=AS_OF, rule="time_in_stage", limits=limits)
    return _rate(found.share) | {"sum": _sum(found.amounts)}


def stall_limits(deals: Deals) -> Told:
    """After how many days nine in ten have left a stage."""
    found = metrics.stall_limits(deals, as_of=AS_OF)
    return {str(each.stage): float(each.days or 0) for each in found.limits}


def review(deals: Deals) -> Told:
    """A page for a talk about a week."""
    found = metrics.review(deals, as_of=AS_OF, period=Period.month(2025, 12), owner="rep-1")
    assert not isinstance(found, metrics.Groups)
    return {"open": found.open.n}


def most_winnable(deals: Deals) -> Told:
    """The ten open deals that are worth most by their chance."""
    found = metrics.most_winnable(deals, as_of=AS_OF, horizon_days=60, most=10)
    return {"n": len(found.deals)}


def slippage(deals: Deals) -> Told:
    """What became of the deals that were due in a quarter."""
    found = metrics.slippage(deals, as_of=AS_OF, period=QUARTER)
    named = ("won", "lost", "slipped", "still_due")
    ends = {each.ended.value: each.amounts.n for each in found.ends}
    return {"n": found.due.n, **{name: ends[name] for name in named}}


def pushes(deals: Deals) -> Told:
    """How often the dates of deals were moved in a quarter, and how long they were open in it."""
    found = metrics.pushes(deals, as_of=AS_OF, period=QUARTER)
    told = {"day": found.by_day, "month": found.by_month, "earlier": found.pull_ins}
    months = {"months": float(found.by_day.open_months)}
    return _rate(found.pushed) | months | {name: each.moves for name, each in told.items()}


def close_date_error(deals: Deals) -> Told:
    """How far from the date expected when the quarter began deals were won in it."""
    found = metrics.close_date_error(deals, as_of=AS_OF, period=QUARTER)
    return {"n": found.n, "mean": float(found.mean_days or 0)}


# How they move


def time_in_stage(deals: Deals) -> Told:
    """How long visits to each stage took, and its censoring-aware curve beside that."""
    told: Told = {}
    for each in metrics.time_in_stage(deals, as_of=AS_OF):
        told |= _of(each.finished, f"{each.stage} ") if each.finished.n else {}
    return told


def total_time_in_stage(deals: Deals) -> Told:
    """How long deals that left a stage were there altogether."""
    told: Told = {}
    for each in metrics.total_time_in_stage(deals, as_of=AS_OF):
        told |= _of(each.finished, f"{each.stage} ") if each.finished.n else {}
    return told


def stage_speed(deals: Deals) -> Told:
    """All days spent in each stage by visits that ended."""
    found = metrics.stage_speed(deals, as_of=AS_OF, pipelines=[SIX])
    return {each.stage: float(each.mean_days or 0) for each in found.stages}


def moves(deals: Deals) -> Told:
    """How many moves there were from each stage to each other."""
    found = metrics.moves(deals, as_of=AS_OF)
    return {
        f"{flow.stage} {move.next_stage} {name}": value
        for flow in found.stages
        for move in flow.moves
        for name, value in (("n", move.n), ("share", move.share.value or 0.0))
    }


def stage_strength(deals: Deals) -> Told:
    """Where losses come from, with 200 resamples, from the ways that deals took."""
    return {"deals": metrics.stage_strength(deals, as_of=AS_OF).deals}


def funnel(deals: Deals) -> Told:
    """How many reached each step in order, went on, and after how many days."""
    found = metrics.funnel(deals, as_of=AS_OF, steps=[("six", stage) for stage in STEPS])
    told: Told = {}
    for step in found.steps:
        counts = {"entered": step.entered, "re-entered": step.re_entered, "skipped": step.skipped}
        if step.to_next:
            counts |= {"lost": step.lost, "open": step.still_there}
            told |= _of(step.to_next, f"{step.stage} ")
        told |= {f"{step.stage} {name}": value for name, value in counts.items()}
    return told


def attempts_to_win(deals: Deals) -> Told:
    """How many calls it takes to win a deal."""
    found = metrics.attempts_to_win(deals, as_of=AS_OF, quiet_days=36_525)
    counts = {"won": found.reached, "lost": found.given_up, "untouched": found.untouched}
    return {**counts, "mean": float(found.naive_mean or 0)}


# Customers


def retention(deals: Deals) -> Told:
    """What became of accounts and their recurring revenue in a year."""
    found = metrics.retention(deals, as_of=AS_OF, period=YEAR)
    revenue = found.revenue["EUR"]
    named = ("start", "churn", "contraction", "expansion")
    return {
        "accounts": found.logo_churn.denominator,
        "churned": found.logo_churn.numerator,
        "new": found.new_accounts,
        "reactivated": found.reactivated_accounts,
        **{name: float(getattr(revenue, name)) for name in named},
    }


def renewals(deals: Deals) -> Told:
    """How the terms that ended in a year were renewed."""
    found = metrics.renewals(deals, as_of=AS_OF, period=YEAR)
    named = ("ended", "on_time", "late", "overdue")
    return {name: getattr(found, name) for name in named}


def recurring_revenue(deals: Deals) -> Told:
    """What the terms in force bring a month."""
    found = metrics.recurring_revenue(deals, as_of=AS_OF)
    return {"accounts": found.accounts, "a month": float(found.per_month["EUR"])}


def customer_lifetime(deals: Deals) -> Told:
    """How long accounts stay, up to two years."""
    found = metrics.customer_lifetime(deals, as_of=AS_OF, horizon_days=730)
    return {"days": float(found.exact_days or 0)}


def new_and_existing(deals: Deals) -> Told:
    """How selling went to accounts that had bought before, and to others."""
    return {
        f"{each.customers.value} {name}": value
        for each in metrics.new_and_existing(deals, as_of=AS_OF)
        for name, value in (
            *_rate(each.win_rate).items(),
            ("opened", each.opened),
            ("size", float(each.average_deal_size.mean() or 0)),
            ("cycle", each.cycle_length.mean_days or 0.0),
        )
    }


def repeat_share(deals: Deals) -> Told:
    """How many accounts bought again."""
    found = metrics.repeat_share(deals, as_of=AS_OF)
    again = {f"deals {name}": value for name, value in _rate(found.from_customers).items()}
    return _rate(found.repeat_customers) | again


def referral_share(deals: Deals) -> Told:
    """The share of won deals that somebody referred."""
    return _rate(metrics.referral_share(deals=deals, as_of=AS_OF).won)
