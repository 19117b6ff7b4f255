"""How good forecasts would have been: made as of past instants, and held to what came."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple, cast

from attrs import field, frozen

from salespipeline._doors import choice, instances
from salespipeline.deals import Deal
from salespipeline.errors import WrongTypeError
from salespipeline.history import DealHistory
from salespipeline.intervals import check_level
from salespipeline.metrics._baselines import stated
from salespipeline.metrics._figure import Rate
from salespipeline.metrics._learned import Learned, Stand
from salespipeline.metrics._origin import Origin, Purse, quoted, won_in
from salespipeline.metrics._result import Plain, Result, Table
from salespipeline.metrics._spread import Baseline, Spread
from salespipeline.metrics._tracks import Track, tracks
from salespipeline.metrics.forecast import Forecast, Options, check_shock, made, ranged
from salespipeline.metrics.open_chance import check_days
from salespipeline.money import Money, Rates
from salespipeline.periods import Period, check_zone, utc
from salespipeline.pipelines import Outcome, Pipeline, by_key
from salespipeline.prediction.measuring import Evaluation, evaluated
from salespipeline.tallies._asking import asks

SHARES = (0.1, 0.5, 0.9)
"""The quantiles that a backtest holds to what came."""


class ForecastMethod(StrEnum):
    """What made the forecasts that a backtest measures."""

    FORECAST = "forecast"
    WEIGHTED = "weighted_pipeline"
    LAST_PERIOD = "last_period"
    POINT = "weighted_point"


class SkippedOrigin(StrEnum):
    """Why an origin is left out of a backtest."""

    NOT_OVER = "not_over"
    NOTHING_WON = "nothing_won"


@frozen
class Backtested(Result):
    """One forecast of the past, and what came.

    Attributes:
        origin: The instant it was made as of.
        forecast: What it said.
        actual: What was won in its period.
        weighted: What the weighted pipeline said.
        before: What the last period said; None where there was none.
    """

    origin: datetime
    forecast: Spread
    actual: Money
    weighted: Baseline
    before: Baseline | None

    columns = ("origin", "forecast", "actual", "held")

    @property
    def held(self) -> bool:
        """Whether what came lies from P10 to P90, both included."""
        return self.forecast.p10 <= self.actual <= self.forecast.p90


@frozen
class Accuracy(Result):
    """How good the forecasts of one method were.

    Attributes:
        method: What made them.
        n: How many there are.
        error: Σ|mean - actual| by Σ actual, the weighted absolute percentage error; None where
            nothing came.
        bias: Σ(mean - actual) by Σ actual: more than 0 promises too much; None likewise.
        coverage: Of how many the middle 80 % held what came; Wilson's interval takes them for
            independent, which overlapping periods are not.
        pinball: The mean loss of the three quantiles: what each missed by, times .1 or .9 on
            the side on which it should seldom miss; less is better. None where n is 0.
        losses: The same of each quantile, in minor units, by its share.
    """

    method: ForecastMethod
    n: int
    error: float | None
    bias: float | None
    coverage: Rate
    pinball: Money | None
    losses: Mapping[float, float] = field(hash=False)

    columns = ("method", "n", "error", "bias", "coverage", "pinball")


@frozen
class Backtest(Result):
    """How good forecasts would have been.

    Attributes:
        forecast: How good the forecasts were.
        weighted: How good the weighted pipeline was, with the deviation of independent deals.
        last_period: How good the last period was, with the spread of past changes.
        point: How good the weighted pipeline was for all three quantiles at once.
        steps: The forecasts, in the order of their origins.
    """

    forecast: Accuracy
    weighted: Accuracy
    last_period: Accuracy
    point: Accuracy
    steps: Table[Backtested] = field(hash=False, repr=False)

    def rows(self) -> list[Plain]:
        """One row for each method."""
        left_out = super().row()
        methods = (self.forecast, self.weighted, self.last_period, self.point)
        return [each.row() | left_out for each in methods]


def _instants(origins: object) -> list[datetime]:
    if isinstance(origins, str) or not isinstance(origins, Iterable):
        raise WrongTypeError("origins", "several datetimes", origins)
    return [utc(origin, "origins") for origin in cast("Iterable[object]", origins)]


@asks(
    origins=_instants, horizon_days=check_days, runs=ranged("runs"), refits=ranged("refits"),
    shock=check_shock, arrival_days=ranged("arrival_days"),
)  # fmt: skip
def backtest(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    origins: Iterable[datetime],
    horizon_days: int,
    seed: int,
    currency: str | None = None,
    rates: Rates | None = None,
    runs: int = 1_000,
    refits: int = 16,
    shock: float | str = 0,
    arrival_days: int = 182,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Backtest:
    """How good forecasts would have been: made from what was known then, held to what came.

    Definition:
        Formula: for each origin, `forecast` of the days after it; what came is what is known at
            ``as_of`` to have been won in them. WAPE = Σ|mean - actual| ÷ Σ actual; bias =
            Σ(mean - actual) ÷ Σ actual; coverage of P10 to P90; pinball loss of P10, P50, P90.
        Denominator: origins by which something was won, and whose days are over by ``as_of``.
        Window: from each origin, the days asked for.
        Bias: origins nearer to each other than the horizon share deals, and tell less than their
            number; stages, owners and amounts are as they were then, as far as histories say.
        Elsewhere: vendors' "forecast accuracy" is 1 - |F - A| ÷ F or ÷ A of one snapshot.

    Args:
        deals: The histories of deals.
        as_of: The instant from which what came is judged.
        origins: The instants to forecast as of.
        horizon_days: How many days each forecast reaches.
        seed: What the runs are drawn from.
        currency: The currency of the forecasts; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        runs: How many futures to draw for each origin.
        refits: How many times to learn again from samples, for each origin.
        shock: As of `forecast`.
        arrival_days: From how many days before the origin to tell how deals come.
        pipelines: As of `forecast`.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals of coverages.

    Returns:
        The accuracies, and every forecast; origins that tell nothing are left out by reason.

    Raises:
        InvalidValueError: An option is out of range, or no deal has an amount.
        MixedCurrenciesError: There are several currencies, and no rate for one of them.

    Source: Gneiting and Raftery, Journal of the American Statistical Association 102 (2007)
        359-378, for the pinball loss.
    """
    at, days, known = utc(as_of, "as_of"), check_days(horizon_days), by_key(pipelines)
    options = Options.of(seed, runs, refits, shock, arrival_days)
    sure, starts = check_level(level), sorted(_instants(origins))
    body = instances(DealHistory, deals, "deals")
    came = list(tracks(body, at, known, check_zone(zone)))
    purse = Purse.of((amount for track in came for amount in quoted(track)), currency, rates)
    left_out: Counter[str] = Counter()
    steps: list[Backtested] = []
    for start in starts:
        period = Period(start, start + timedelta(days=days))
        origin = Origin.of(
            body, start, period, zone, known, None, purse.currency, rates, needed=False
        )
        why = SkippedOrigin.NOT_OVER if period.end > at else _unusable(origin)
        if why is None:
            steps.append(_step(made(origin, known, options), _won(came, period, purse)))
        else:
            left_out[why.value] += 1
    return _backtest(steps, sure, left_out, at)


def _unusable(origin: Origin) -> SkippedOrigin | None:
    return None if origin.has_won else SkippedOrigin.NOTHING_WON


def _won(came: Iterable[Track], period: Period, purse: Purse) -> Money:
    sizes = (purse.minor(track.amount) for track in came if won_in(track, period))
    return Money.of_minor(sum(size for size in sizes if size is not None), purse.currency)


def _step(told: Forecast, actual: Money) -> Backtested:
    plain_ = Spread(currency=told.currency, drawn=told.drawn, as_of=told.as_of, period=told.period)
    origin = cast("datetime", told.as_of)
    return Backtested(
        origin, plain_, actual, told.weighted, told.last_period,
        as_of=told.as_of, period=told.period,
    )  # fmt: skip


class _Said(NamedTuple):
    """What one method said for one origin, and what came, in minor units."""

    mean: int
    quantiles: tuple[int, int, int]
    actual: int


def _backtest(
    steps: Sequence[Backtested], level: float, left_out: Mapping[str, int], at: datetime
) -> Backtest:
    said: dict[ForecastMethod, list[_Said]] = {method: [] for method in ForecastMethod}
    for step in steps:
        for method, each in _said(step):
            said[method].append(each)
    currency = steps[0].actual.currency if steps else None
    told, weighted, before, point = (
        _accuracy(method, several, currency, level) for method, several in said.items()
    )
    return Backtest(
        told, weighted, before, point, Table(steps, at), left_out=dict(left_out), as_of=at
    )


def _said(step: Backtested) -> Iterator[tuple[ForecastMethod, _Said]]:
    actual = step.actual.minor
    told, weighted, before = step.forecast, step.weighted, step.before
    own = (told.p10.minor, told.p50.minor, told.p90.minor)
    yield ForecastMethod.FORECAST, _Said(told.mean.minor, own, actual)
    mean = weighted.mean.minor
    yield ForecastMethod.WEIGHTED, _Said(mean, _normal(weighted), actual)
    if before is not None and before.deviation is not None:
        yield ForecastMethod.LAST_PERIOD, _Said(before.mean.minor, _normal(before), actual)
    yield ForecastMethod.POINT, _Said(mean, (mean, mean, mean), actual)


def _normal(told: Baseline) -> tuple[int, int, int]:
    low, middle, high = (told.quantile(share) or told.mean for share in SHARES)
    return low.minor, middle.minor, high.minor


def pinball(share: float, quantile: float, actual: float) -> float:
    """The loss of a quantile: what it missed by, times its share where too low, else the rest.

    >>> pinball(0.9, 100, 120), round(pinball(0.9, 100, 80), 1)
    (18.0, 2.0)
    """
    return (actual - quantile) * (share - (actual < quantile))


def _accuracy(
    method: ForecastMethod, said: Sequence[_Said], currency: str | None, level: float
) -> Accuracy:
    came = sum(each.actual for each in said)
    off = [each.mean - each.actual for each in said]
    held = sum(each.quantiles[0] <= each.actual <= each.quantiles[2] for each in said)
    losses = {
        share: sum(pinball(share, each.quantiles[place], each.actual) for each in said) / len(said)
        for place, share in enumerate(SHARES)
        if said
    }
    mean = None
    if losses and currency is not None:
        mean = Money.of_minor(round(sum(losses.values()) / len(SHARES)), currency)
    return Accuracy(
        method, len(said),
        sum(map(abs, off)) / came if came else None,
        sum(off) / came if came else None,
        Rate.of(held, len(said), level), mean, losses,
    )  # fmt: skip


class ChancesOf(StrEnum):
    """Whose chances a calibration measures."""

    MODEL = "model"
    STATED = "stated"


@asks(horizon_days=check_days, of=ChancesOf, origins=_instants)
def calibration(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    origins: Iterable[datetime],
    horizon_days: int,
    of: ChancesOf | str = ChancesOf.MODEL,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Evaluation:
    """How honest the chances of open deals were: of those given 30 %, did three in ten come in?

    Definition:
        Formula: for each origin, each open deal's chance against whether it was won within the
            horizon: Brier score, its parts, and the reliability table with Wilson's bars.
        Denominator: open deals at origins whose horizon is over by ``as_of``, those with a
            chance; a deal open at several origins counts at each.
        Window: from each origin, the days asked for.
        Bias: records of one deal are alike, so the bars are narrower than they should be; stated
            probabilities are meant for ever, and look too high for a short horizon.
        Elsewhere: no vendor known to publish it for stage probabilities.

    Args:
        deals: The histories of deals.
        as_of: The instant from which what came is judged.
        origins: The instants to tell chances as of.
        horizon_days: Within how many days a deal is to be won.
        of: The chances of ``model``, as `win_chances` gives them; or ``stated``, the deal's own
            probability or that of its stage in the pipelines given.
        pipelines: What their stages state; a retired stage counts as its successor.
        zone: The zone whose calendar dates make days.
        level: The confidence of the bars.

    Returns:
        The figures; ``unlabelled`` counts the open deals without a chance, and those at origins
        whose horizon is not over.

    Raises:
        InvalidValueError: Not both won and other deals are there to measure by.

    Source: Brier, Monthly Weather Review 78 (1950) 1-3.
    """
    at, days, known = utc(as_of, "as_of"), check_days(horizon_days), by_key(pipelines)
    whose, starts = choice(ChancesOf, of, "of"), sorted(_instants(origins))
    body = instances(DealHistory, deals, "deals")
    closes = {
        track.deal: track.closing.at
        for track in tracks(body, at, known, check_zone(zone))
        if track.outcome is Outcome.WON and track.closing is not None
    }
    chances: list[float] = []
    outcomes: list[bool] = []
    without = 0
    for start in starts:
        end = start + timedelta(days=days)
        for deal, chance in _told_at(whose, list(tracks(body, start, known, zone)), known, days):
            if chance is None or end > at:
                without += 1
            else:
                chances.append(chance)
                outcomes.append(deal in closes and start <= closes[deal] < end)
    split = f"as of {len(starts)} origins, {days} days ahead"
    return evaluated(chances, outcomes, unlabelled=without, split=split, level=level)


def _told_at(
    whose: ChancesOf, found: Sequence[Track], known: Mapping[str, Pipeline], days: int
) -> Iterator[tuple[str, float | None]]:
    """The chance of each open deal, as its id and the chance or None."""
    model = Learned.of(found).model
    within = model.within(days) if whose is ChancesOf.MODEL else None
    for track in found:
        if track.outcome is not Outcome.OPEN:
            continue
        if within is None:
            deal = cast("Deal", Deal.replay(track.course.known))
            share = stated(track, deal, known, {})
            yield track.deal, None if share is None else float(share)
        else:
            asked = Stand.of(track).asked(model)
            yield track.deal, None if asked is None else min(1.0, within.standing(*asked, days))
