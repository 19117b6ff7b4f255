"""How much will be won in a period, as a range."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from attrs import field, frozen

from salespipeline._doors import instance, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.history import DealHistory
from salespipeline.metrics._baselines import last_period, weighted_pipeline
from salespipeline.metrics._figure import Rate
from salespipeline.metrics._forecasting import Plan, draw
from salespipeline.metrics._origin import Origin, days_ahead
from salespipeline.metrics._result import Groups, Result
from salespipeline.metrics._semi_markov import FEW_EXITS, LIFE
from salespipeline.metrics._spread import Baseline, Spread
from salespipeline.money import Money, Rates
from salespipeline.periods import Period, check_zone, utc
from salespipeline.pipelines import Outcome, Pipeline, by_key
from salespipeline.tallies._asking import asks

ESTIMATED = "estimated"
"""A shock of the size that the history shows."""

_MOST_SHOCK = 3
_FEW_QUARTERS = 2
_FEW_WON = 30


@frozen
class RestsOn(Result):
    """What a forecast rests on.

    Attributes:
        deals: How many deals are known at the origin.
        visits: How many of their visits to open stages were learned from.
        exits: How many of these ended.
        won: How many deals have been won.
        quarters: How many quarters of a year the history holds.
        unsure: The share of the variance that is there since the history says no more: what
            the refits differ by; None where there are fewer than two, or nothing varies.
        shock: The standard deviation of the shocks drawn, on the scale of log-odds.
    """

    deals: int
    visits: int
    exits: int
    won: int
    quarters: float
    unsure: float | None
    shock: float

    columns = ("deals", "visits", "exits", "won", "quarters", "unsure", "shock")


@frozen(kw_only=True)
class Forecast(Spread):
    """How much will be won in a period: what many runs came to, and what they rest on.

    Attributes:
        won: What was won in the period by the origin, which is certain.
        open_deals: What the deals open at the origin bring.
        new_deals: What deals opened later bring; None where they are left out.
        by_group: The forecast of each group, which add up run by run; None without a grouping.
        weighted: The weighted pipeline with what was won, to hold the forecast beside.
        last_period: What was won in the last period of that length; None where there was none.
        quota: The quota asked about, or None.
        rests_on: What it rests on.
        warnings: What to be wary of, in sentences.
    """

    won: Money
    open_deals: Spread
    new_deals: Spread | None
    by_group: Groups[Hashable, Spread] | None = field(hash=False, repr=False)
    weighted: Baseline = field(repr=False)
    last_period: Baseline | None = field(repr=False)
    quota: Money | None
    rests_on: RestsOn = field(repr=False)
    warnings: tuple[str, ...]

    columns = (
        "p10", "p50", "p90", "mean", "won", "open_deals", "new_deals", "quota", "quota_chance",
        "weighted", "last_period", "rests_on", "warnings",
    )  # fmt: skip

    @property
    def quota_chance(self) -> Rate | None:
        """The share of the runs that reach the quota; None without one."""
        return None if self.quota is None else self.chance_of(self.quota)


_RANGES = {"runs": (1, 1_000_000), "refits": (0, 1_000), "arrival_days": (1, 3_660)}


def _check_ranges(**given: object) -> list[int]:
    numbers = {name: whole(value, name) for name, value in given.items()}
    faults = tuple(
        f"{brief(value)} {name} are not from {_RANGES[name][0]:,} to {_RANGES[name][1]:,}"
        for name, value in numbers.items()
        if not _RANGES[name][0] <= value <= _RANGES[name][1]
    )
    if faults:
        raise InvalidValueError("forecast", faults)
    return list(numbers.values())


def ranged(name: str) -> Callable[[object], list[int]]:
    """How to check a number of runs, of refits or of days of arrivals."""
    return lambda value: _check_ranges(**{name: value})


def check_shock(shock: object) -> float | None:
    """The standard deviation of a shock; None where it is to be estimated.

    Raises:
        WrongTypeError: It is neither a number nor the word for that.
        InvalidValueError: It is not from 0 to 3.
    """
    if isinstance(shock, str) and shock == ESTIMATED:
        return None
    if isinstance(shock, bool) or not isinstance(shock, int | float):
        raise WrongTypeError("shock", f"a number or {ESTIMATED!r}", shock)
    if not 0 <= shock <= _MOST_SHOCK:
        raise InvalidValueError("shock", (f"{brief(shock)} is not from 0 to {_MOST_SHOCK}",))
    return float(shock)


@asks(
    runs=ranged("runs"), refits=ranged("refits"), arrival_days=ranged("arrival_days"),
    shock=check_shock, new_deals=bool, quota=Money,
)  # fmt: skip
def forecast(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    seed: int,
    currency: str | None = None,
    rates: Rates | None = None,
    by: str | None = None,
    runs: int = 10_000,
    refits: int = 16,
    shock: float | str = 0,
    new_deals: bool = True,
    arrival_days: int = 182,
    quota: Money | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Forecast:
    """How much will be won in a period, as a range: what was won, open deals, and new ones.

    Definition:
        Formula: in each run every open deal is won with its chance, which `win_chances` defines,
            and brings its amount, times what such quotes turned into where ten or more won deals
            tell; new deals come at a rate that is Gamma of those of the last 182 days, and bring
            amounts drawn from won deals; what was won in the period is added. Runs are split
            among refits to samples of the deals.
        Denominator: open deals with an amount; those without are left out by reason.
        Window: wins from the origin to the end of the period, and before it in the period.
        Bias: where deals come faster and faster it is too low; where quarters differ by more than
            chance it is too narrow unless ``shock`` says so. A lost deal adds nothing.
        Elsewhere: Frappe CRM's forecasted revenue adds lost deals at their full amount; the
            weighted pipeline of most tools is a mean without a range or new deals.

    Args:
        deals: The histories of deals: a forecast needs every one, so a tally will not do.
        as_of: The origin: the forecast says what was to be known then.
        period: The period, which ends after the origin.
        seed: What the runs are drawn from; the same seed gives the same forecast.
        currency: The currency of the forecast; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        by: A field of the deal to group by, such as its owner, as of the origin; of closed
            deals, as of the close.
        runs: How many futures to draw.
        refits: How many times to learn again from a sample of the deals; 0 takes what was
            learned for certain, and is too narrow.
        shock: The standard deviation of what moves the log-odds of every advance at once for
            the whole run, up to 3; or ``estimated``, from how much past quarters differed.
        new_deals: Whether deals opened after the origin count.
        arrival_days: From how many days before the origin to tell how deals come; fewer where
            the business grows.
        quota: An amount to tell the chance of reaching.
        pipelines: What their stages state is for the weighted pipeline; a retired stage counts
            as its successor.
        zone: The zone whose calendar dates make days.

    Returns:
        The forecast; ask it for any ``quantile``, and for ``chance_of`` any quota.

    Raises:
        InvalidValueError: The period is over or far off, nothing has been won by the origin, no
            deal has an amount, or an option is out of range.
        MixedCurrenciesError: There are several currencies, and no rate for one of them.

    Source: Gelman et al., Bayesian Data Analysis (2013), 2.6, for the rate; Efron and Tibshirani,
        An Introduction to the Bootstrap (1993), for the refits.
    """
    at, known = utc(as_of, "as_of"), by_key(pipelines)
    days_ahead(at, period, check_zone(zone))
    new = instance(bool, new_deals, "new_deals")
    options = Options.of(seed, runs, refits, shock, arrival_days)
    origin = Origin.of(deals, at, period, zone, known, by, currency, rates)
    target = _check_quota(quota, origin)
    return made(origin, known, options, target, grouped=by is not None, new=new)


@frozen
class Options:
    """How runs are drawn.

    Attributes:
        seed: What from.
        runs: How many.
        refits: How many times to learn again.
        shock: The standard deviation of a shock; None to estimate it.
        arrival_days: From how many days to tell how deals come.
    """

    seed: int
    runs: int
    refits: int
    shock: float | None
    arrival_days: int

    @classmethod
    def of(
        cls, seed: object, runs: object, refits: object, shock: object, arrival_days: object
    ) -> "Options":
        """Options as given.

        Raises:
            WrongTypeError: One is of another type.
            InvalidValueError: One is out of range; all are named.
        """
        numbers = _check_ranges(runs=runs, refits=refits, arrival_days=arrival_days)
        size = check_shock(shock)
        return cls(whole(seed, "seed"), numbers[0], numbers[1], size, numbers[2])


def _check_quota(quota: object, origin: Origin) -> Money | None:
    if quota is None:
        return None
    wanted = instance(Money, quota, "quota")
    if wanted.currency != origin.purse.currency:
        fault = f"it is in {wanted.currency}, and the forecast in {origin.purse.currency}"
        raise InvalidValueError("quota", (fault,))
    return wanted


def made(
    origin: Origin,
    known: Mapping[str, Pipeline],
    options: Options,
    quota: Money | None = None,
    *,
    grouped: bool = False,
    new: bool = True,
) -> Forecast:
    """The forecast from what is known at an origin."""
    plan = origin.plan(options.shock, options.arrival_days if new else None)
    drawn = draw(plan, options.runs, options.refits, options.seed)
    currency, won = origin.purse.currency, origin.won()
    when: dict[str, Any] = {"as_of": origin.at, "period": origin.period}
    groups = {
        name: _spread(currency, [drawn.open[place], drawn.new[place]], won[place], when)
        for name, place in origin.groups.items()
    }
    total = _spread(currency, [each.drawn for each in groups.values()], 0, when)
    minor, at, period = origin.purse.minor, origin.at, origin.period
    rests = _rests_on(origin, plan, total.drawn, drawn.starts)
    return Forecast(
        currency=currency,
        drawn=total.drawn,
        won=Money.of_minor(sum(won), currency),
        open_deals=_spread(currency, drawn.open, 0, when),
        new_deals=_spread(currency, drawn.new, 0, when) if plan.arrivals else None,
        by_group=Groups(groups, at, period) if grouped else None,
        weighted=weighted_pipeline(
            origin.found, minor, known, period, origin.zone, sum(won), currency
        ),
        last_period=last_period(origin.found, minor, period, at, currency),
        quota=quota,
        rests_on=rests,
        warnings=tuple(_warnings(plan, rests, new=new)),
        left_out=origin.left_out(),
        **when,
    )


def _spread(
    currency: str, parts: Sequence[Sequence[int]], certain: int, when: Mapping[str, Any]
) -> Spread:
    drawn = tuple(certain + sum(each) for each in zip(*parts, strict=True))
    return Spread(currency=currency, drawn=drawn, **when)


def _rests_on(origin: Origin, plan: Plan, drawn: Sequence[int], starts: Sequence[int]) -> RestsOn:
    stages = [each for key, each in plan.learned.model.stages.items() if key != LIFE]
    return RestsOn(
        len(origin.found),
        sum(each.visits for each in stages),
        sum(each.exits for each in stages),
        sum(track.outcome is Outcome.WON for track in origin.found),
        origin.quarters,
        unsure_share(drawn, starts),
        plan.sigma,
    )


def unsure_share(drawn: Sequence[int], starts: Sequence[int]) -> float | None:
    """The share of the variance that lies between parts, what chance makes of means taken off.

    Args:
        drawn: The runs.
        starts: Where each part begins.
    """
    ends = [*starts[1:], len(drawn)]
    parts = [drawn[start:end] for start, end in zip(starts, ends, strict=True) if end > start]
    spread = _squares(drawn)
    if len(parts) < 2 or not spread:
        return None
    within = sum(map(_squares, parts))
    spare = within * (len(parts) - 1) / max(1, len(drawn) - len(parts))
    return max(0.0, spread - within - spare) / spread


def _squares(drawn: Sequence[int]) -> float:
    """The squares of how far each is from the mean, together."""
    n = len(drawn)
    return (n * sum(each * each for each in drawn) - sum(drawn) ** 2) / n


def _warnings(plan: Plan, rests: RestsOn, *, new: bool) -> Iterable[str]:
    model = plan.learned.model
    cost = "" if rests.unsure is None else f"; {rests.unsure:.0%} of the variance is for that"
    if rests.quarters < _FEW_QUARTERS:
        yield f"the history holds {rests.quarters:.1f} quarters{cost}"
    if rests.won < _FEW_WON:
        yield f"only {rests.won} deals have been won{cost}"
    stages = sorted({each.stand.stage for each in plan.open})
    for pipeline, stage in stages:
        known = model.stages.get((pipeline, stage))
        left = 0 if known is None else known.exits
        if left < FEW_EXITS:
            seldom = f"only {left} times: its chances are rough"
            said = seldom if left else "by nothing yet: its deals go by their age"
            yield f"stage {stage!r} of {pipeline!r} was left {said}"
    if new and plan.arrivals is None:
        yield "no won deal has an amount: what new deals bring is left out"
