"""How fast deals go, and how much money that makes a day."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate
from typing import Any, overload

from attrs import field, frozen

from salespipeline._doors import choice, instance, instances, whole
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, brief
from salespipeline.history import DealHistory, StageKey
from salespipeline.metrics._figure import Counting, as_fraction
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics.outcomes import (
    CLOSED,
    CREATED,
    Survival,
    days_per_unit,
    win_rate_closed,
)
from salespipeline.metrics.value import average_deal_size, in_use
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome, Pipeline
from salespipeline.tallies import Lifetime, Moment, Stay, Tally, lifetimes, visits

_STAYS = Counting[DealHistory](visits, None, None, durations=True)
_ALL = Counting[DealHistory](lifetimes, Moment.CLOSING, None, durations=True)


@frozen
class Durations(Result):
    """How long something took, of those that ended alone.

    Attributes:
        n: How many ended and have a usable duration.
        mean_days: Their mean, or None where n is 0.
        median_days: Their median, or None where n is 0.
    """

    n: int
    mean_days: float | None
    median_days: float | None

    columns = ("n", "mean_days", "median_days")

    @classmethod
    def of(
        cls, lengths: Mapping[int, int], days: float, left_out: Mapping[str, int]
    ) -> "Durations":
        """The durations of how many have each length in units of so many days."""
        n = sum(lengths.values())
        if not n:
            return cls(0, None, None, left_out=dict(left_out))
        mean = sum(length * count for length, count in lengths.items()) / n
        median = _median(lengths, n) * days
        return cls(n, mean * days, median, left_out=dict(left_out))


def _median(lengths: Mapping[int, int], n: int) -> float:
    """The middle length, or the mean of the two in the middle."""
    ordered = sorted(lengths)
    up_to = list(accumulate(lengths[length] for length in ordered))
    low, high = (ordered[bisect_right(up_to, rank)] for rank in ((n - 1) // 2, n // 2))
    return (low + high) / 2


@CLOSED.figure
def cycle_length(tally: Tally[Lifetime], _level: float) -> Durations:
    """Days from opening to winning, of won deals.

    The figure that most tools call the sales cycle. Deals still open are not in it, so it is too
    short for a young pipeline: `time_to_close` counts them.
    A period selects deals won in it; a group is the one at closing.

    Source: ActiveCampaign, What is a sales pipeline? (sales cycle length).
    """
    return _ended_in(tally, (Outcome.WON,))


@CLOSED.figure
def deal_lifetime(tally: Tally[Lifetime], _level: float) -> Durations:
    """Days from opening to winning or losing, of closed deals.

    A period selects deals closed in it; a group is the one at closing.

    Source: ActiveCampaign, What is a sales pipeline? (average deal lifetime).
    """
    return _ended_in(tally, (Outcome.WON, Outcome.LOST))


def _ended_in(tally: Tally[Lifetime], outcomes: Sequence[Outcome]) -> Durations:
    lengths, left_out = _lengths(tally, outcomes)
    return Durations.of(lengths, days_per_unit(tally), left_out)


def _lengths(
    tally: Tally[Lifetime], outcomes: Sequence[Outcome]
) -> tuple[Counter[int], Counter[str]]:
    """How many lived how long, and how many of unknown length there are, by reason."""
    lengths: Counter[int] = Counter()
    left_out: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.outcome not in outcomes:
            continue
        if row.age is None:
            left_out[str(row.why)] += count.n
        else:
            lengths[row.age] += count.n
    return lengths, left_out


@frozen
class StageTime(Result):
    """How long deals stay in one stage.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        finished: The visits that ended.
        still_there: How many visits go on.
        total_days: All visits together, those that go on with their days so far.
        survival: The share of visits that last beyond each day, with those that go on counted
            as such; its median is the censoring-aware one.
    """

    pipeline: str
    stage: str
    finished: Durations
    still_there: int
    total_days: float
    survival: Survival

    columns = ("pipeline", "stage", "finished", "still_there", "total_days", "survival")


@overload
def time_in_stage(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[StageTime]: ...


@overload
def time_in_stage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Table[StageTime]]: ...


def time_in_stage(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[StageTime] | Groups[Hashable, Table[StageTime]]:
    """How long deals stay in each stage: every visit, first or later, counted by itself.

    Args:
        deals: The histories of deals, or a tally of visits.
        as_of: The instant to judge from; a visit that goes on lasts until then at least.
        by: A field of the deal to group by, as it was when the visit began.
        pipelines: Their stages come first, in order, those without a visit included; a visit to
            a retired stage counts for its successor.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Returns:
        One entry per stage, closed stages included; stages of no pipeline given come last, in
        the order of their keys.
    """
    known = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}

    def finish(tally: Tally[Stay], level: float) -> Table[StageTime]:
        return _by_stage(tally, known, level)

    options = {"zone": zone, "resolution": resolution}
    return _STAYS.measure(finish, deals, as_of, None, by, level, **options)


def _by_stage(tally: Tally[Stay], known: Mapping[str, Pipeline], level: float) -> Table[StageTime]:
    stays: dict[StageKey, list[Stay]] = {
        (pipeline.key, key): [] for pipeline in known.values() for key in pipeline.keys
    }
    for stay in sorted(tally.rows, key=lambda stay: stay.stage):
        stays.setdefault(in_use(stay.stage, known), []).append(stay)
    return Table(_stage_time(stage, tally, of, level) for stage, of in stays.items())


def _stage_time(
    stage: StageKey, tally: Tally[Any], stays: Sequence[Stay], level: float
) -> StageTime:
    days = days_per_unit(tally)
    lengths: Counter[int] = Counter()
    left_out: Counter[tuple[str, bool]] = Counter()
    lives: Counter[tuple[float, float, bool]] = Counter()
    still_there, total = 0, 0
    for stay in stays:
        n = tally.rows[stay].n
        over = stay.next is not None
        still_there += 0 if over else n
        if stay.length is None:
            left_out[str(stay.why), over] += n
            continue
        total += stay.length * n
        lives[0, stay.length * days, over] += n
        lengths[stay.length] += n if over else 0
    ended = {why: n for (why, over), n in left_out.items() if over}
    every = {why: left_out[why, True] + left_out[why, False] for why, _ in left_out}
    finished = Durations.of(+lengths, days, ended)
    survival = Survival.of_counts(lives, level=level, left_out=every)
    return StageTime(*stage, finished, still_there, total * days, survival)


class NumberOf(StrEnum):
    """Which deals the number in a pipeline velocity counts."""

    OPEN = "open"
    CLOSED = "closed"
    CREATED = "created"
    GIVEN = "given"


@frozen
class Velocity(Result):
    """Number × win rate × average size ÷ cycle days: money a day, with its four inputs.

    Attributes:
        number: The number of deals.
        number_of: Which deals were counted.
        win_rate: Won among closed, exact; None where nothing closed.
        average_size: The mean amount of won deals, exact, in major units of the currency; None
            where no won deal has one.
        currency: The currency, or None where there is no amount.
        cycle_days: The mean days from opening to winning, exact; None where nothing was won.
    """

    number: int
    number_of: NumberOf
    win_rate: Fraction | None
    average_size: Fraction | None
    currency: str | None
    cycle_days: Fraction | None

    columns = (
        "per_day", "number", "number_of", "win_rate", "average_size", "currency", "cycle_days",
    )  # fmt: skip

    @property
    def exact_per_day(self) -> Fraction | None:
        """The money a day, exact; None where an input is missing or the cycle takes no time."""
        if self.win_rate is None or self.average_size is None or not self.cycle_days:
            return None
        return self.number * self.win_rate * self.average_size / self.cycle_days

    @property
    def per_day(self) -> Money | None:
        """The money a day, rounded to what the currency can pay; None where it is not defined."""
        return self.over(1)

    def over(self, days: int) -> Money | None:
        """The money that so many days make at this rate; None where it is not defined.

        A month's forecast is the rate times the days in the month: ``over(month.days())``.

        Raises:
            WrongTypeError: The days are no whole number.
        """
        whole(days, "days")
        rate = self.exact_per_day
        if rate is None or self.currency is None:
            return None
        return Money.rounded(rate * days, self.currency)


def velocity(
    number: int,
    win_rate: float | Decimal | Fraction,
    average_size: Money,
    cycle_days: float | Decimal | Fraction,
) -> Velocity:
    """Pipeline velocity from plain numbers.

    Args:
        number: The number of deals.
        win_rate: From 0 to 1; a float is read by its shortest decimal text.
        average_size: The mean amount of won deals.
        cycle_days: The length of the sales cycle in days, more than 0.

    >>> rate = velocity(50, 0.25, Money(4000, "USD"), 40)
    >>> print(rate.per_day, rate.over(31), sep="; ")
    1,250.00 USD; 38,750.00 USD
    """
    instance(Money, average_size, "average_size")
    whole(number, "number")
    share, days = as_fraction(win_rate, "win_rate"), as_fraction(cycle_days, "cycle_days")
    faults = [
        *([] if number >= 0 else [f"the number {brief(number)} is negative"]),
        *([] if 0 <= share <= 1 else [f"the win rate {brief(win_rate)} is not from 0 to 1"]),
        *([] if days > 0 else [f"the cycle of {brief(cycle_days)} days is not more than 0"]),
    ]
    if faults:
        raise InvalidValueError("velocity", tuple(faults))
    size = Fraction(average_size.amount)
    return Velocity(number, NumberOf.GIVEN, share, size, average_size.currency, days)


@overload
def pipeline_velocity(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Velocity: ...


@overload
def pipeline_velocity(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Groups[Hashable, Velocity]: ...


def pipeline_velocity(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Velocity | Groups[Hashable, Velocity]:
    """Number of deals × win rate × average deal size ÷ sales cycle in days.

    The vendors' form: the win rate is won among closed, the size and the cycle are means of won
    deals. With a period these three are of deals closed in it, the number of deals created or
    closed in it; open deals are counted as of the instant.

    Args:
        deals: The histories of deals, or a tally of lifetimes.
        as_of: The instant to judge from.
        period: The period that closed and created deals are taken from; all time if not given.
        by: A field of the deal to group by, as it was at closing, or while open as of the
            instant.
        number: Which deals to count: open, closed or created.
        currency: The currency of the result; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.

    Raises:
        MixedCurrenciesError: Won deals have several currencies, and no rate for one of them.

    Source: ActiveCampaign, What is a sales pipeline? (the formula for pipeline velocity).
    """
    number_of = choice(NumberOf, number, "number")
    if number_of is NumberOf.GIVEN:
        raise InvalidValueError("number", ("give plain numbers to velocity()",))

    def finish(tally: Tally[Lifetime], _level: float) -> Velocity:
        return _velocity(tally, period, number_of, currency, rates)

    options = {"zone": zone, "resolution": resolution}
    periods = () if period is None else (period,)
    return _ALL.measure(finish, deals, as_of, None, by, 0.95, **options, periods=periods)


def _velocity(
    tally: Tally[Lifetime],
    period: Period | None,
    number_of: NumberOf,
    currency: str | None,
    rates: Mapping[str, Decimal | int | str] | None,
) -> Velocity:
    closed = CLOSED.select(tally, period)
    rate, size = win_rate_closed(closed), average_deal_size(closed)
    total = size.total(currency, rates)
    cycles, _ = _lengths(closed, (Outcome.WON,))
    days = sum(length * n for length, n in cycles.items()) * _exact_days_per_unit(tally)
    number = {
        NumberOf.OPEN: tally.where(lambda row: row.outcome is Outcome.OPEN).n,
        NumberOf.CLOSED: rate.denominator,
        NumberOf.CREATED: CREATED.select(tally, period).n,
    }[number_of]
    return Velocity(
        number,
        number_of,
        _ratio(rate.numerator, rate.denominator),
        None if total is None else _ratio(Fraction(total.amount), size.n - size.without_amount),
        None if total is None else total.currency,
        _ratio(days, cycles.total()),
    )


def _exact_days_per_unit(tally: Tally[Lifetime]) -> Fraction:
    if tally.resolution is None:
        return Fraction(1)
    microsecond = timedelta(microseconds=1)
    return Fraction(tally.resolution // microsecond, timedelta(days=1) // microsecond)


def _ratio(numerator: Fraction | int, denominator: int) -> Fraction | None:
    return Fraction(numerator) / denominator if denominator else None


@frozen
class VelocityStep(Result):
    """The pipeline velocity of one period of a series.

    Attributes:
        period: The period.
        velocity: The velocity as known at its end.
        change: Its money a day less that of the period before, or None where one is undefined.
        growth: The same as a share of the period before, or None where that is 0 or undefined.
    """

    period: Period = field(kw_only=True)  # pyright: ignore[reportGeneralTypeIssues] # never None
    velocity: Velocity
    change: Money | None
    growth: float | None

    columns = ("period", "velocity", "change", "growth")


@overload
def velocity_series(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    zone: tzinfo = UTC,
) -> Table[VelocityStep]: ...


@overload
def velocity_series(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: str,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    zone: tzinfo = UTC,
) -> Groups[Hashable, Table[VelocityStep]]: ...


def velocity_series(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: str | None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    zone: tzinfo = UTC,
) -> Table[VelocityStep] | Groups[Hashable, Table[VelocityStep]]:
    """Pipeline velocity period by period, each judged from its own end, with the change.

    How it changes often says more than how large it is. Where periods differ in the currency of
    their won deals, name the currency and give rates.

    Args:
        deals: The histories of deals.
        periods: The periods, in order.
        by: A field of the deal to group by, as in `pipeline_velocity`.
        number: Which deals to count: open at the period's end, or closed or created in it.
        currency: The currency of the result; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        zone: The zone whose calendar dates make days.

    Returns:
        One step per period; with ``by`` such a series for each group that any period has.

    Raises:
        MixedCurrenciesError: Won deals have several currencies, and no rate for one of them.

    Source: ActiveCampaign, What is a sales pipeline? (changes in velocity over time).
    """
    asked, histories = instances(Period, periods, "periods"), instances(DealHistory, deals, "deals")
    moment = timedelta(microseconds=1)
    tallies = [
        lifetimes(histories, as_of=period.end - moment, by=by, periods=(period,), zone=zone)
        for period in asked
    ]

    def series(parts: Iterable[Tally[Lifetime]]) -> Table[VelocityStep]:
        steps, before = list[VelocityStep](), None
        for period, part in zip(asked, parts, strict=True):
            now = pipeline_velocity(
                part, period=period, number=number, currency=currency, rates=rates
            )
            steps.append(VelocityStep(now, *_change(before, now), as_of=now.as_of, period=period))
            before = now
        return Table(steps)

    if by is None:
        return series(tallies)
    groups = dict.fromkeys(row.group for tally in tallies for row in tally.rows)
    return Groups((group, series(_of_group(tally, group) for tally in tallies)) for group in groups)


def _of_group(tally: Tally[Lifetime], group: Hashable) -> Tally[Lifetime]:
    return tally.where(lambda row: row.group == group)


def _change(before: Velocity | None, now: Velocity) -> tuple[Money | None, float | None]:
    old = None if before is None else before.exact_per_day
    new = now.exact_per_day
    if before is None or old is None or new is None:
        return None, None
    if before.currency != now.currency:
        raise MixedCurrenciesError((str(before.currency), str(now.currency)))
    change = Money.rounded(new - old, str(now.currency))
    return change, float((new - old) / old) if old else None
