"""How much money a pipeline makes a day."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import overload

from attrs import field, frozen

from salespipeline._doors import choice, instances, whole
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, brief
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Counting, as_fraction
from salespipeline.metrics._result import Groups, Result, Table, stamped
from salespipeline.metrics.durations import exact_days, lengths_of
from salespipeline.metrics.outcomes import CLOSED, CREATED, win_rate_closed
from salespipeline.metrics.value import average_deal_size
from salespipeline.money import Money, Rates
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes
from salespipeline.tallies._asking import asks

_ALL = Counting[DealHistory](lifetimes, Moment.CLOSING, None, durations=True)


class NumberOf(StrEnum):
    """Which deals the number in a pipeline velocity counts."""

    OPEN = "open"
    CLOSED = "closed"
    CREATED = "created"
    GIVEN = "given"


class CycleOf(StrEnum):
    """Which closed deals the cycle in a pipeline velocity is the mean of."""

    WON = "won"
    CLOSED = "closed"
    GIVEN = "given"


_ENDED = {
    CycleOf.WON: (Outcome.WON,),
    CycleOf.CLOSED: (Outcome.WON, Outcome.LOST),
}


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
        cycle_days: The mean days from opening to the close, exact; None where there are none.
        cycle_of: Which closed deals that is the mean of.
    """

    number: int
    number_of: NumberOf
    win_rate: Fraction | None
    average_size: Fraction | None
    currency: str | None
    cycle_days: Fraction | None
    cycle_of: CycleOf = CycleOf.WON

    columns = (
        "per_day", "number", "number_of", "win_rate", "average_size", "currency", "cycle_days",
        "cycle_of",
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


def check_number_of(number: object) -> NumberOf:
    """Which deals are counted.

    Raises:
        SalesPipelineError: It is none of those that can be counted.
    """
    counted = choice(NumberOf, number, "number")
    if counted is NumberOf.GIVEN:
        raise InvalidValueError("number", ("give plain numbers to velocity()",))
    return counted


def check_cycle_of(cycle_of: object) -> CycleOf:
    """Which deals the cycle is of.

    Raises:
        SalesPipelineError: It is none of those that can be counted.
    """
    counted = choice(CycleOf, cycle_of, "cycle_of")
    if counted is CycleOf.GIVEN:
        raise InvalidValueError("cycle_of", ("a cycle is of won or of closed deals",))
    return counted


def _check_number(number: object) -> None:
    if whole(number, "number") < 0:
        raise InvalidValueError("number", (f"{brief(number)} is negative",))


def _check_share(share: object) -> None:
    if not 0 <= as_fraction(share, "win_rate") <= 1:
        raise InvalidValueError("win_rate", (f"{brief(share)} is not from 0 to 1",))


def _check_days(days: object) -> None:
    if as_fraction(days, "cycle_days") <= 0:
        raise InvalidValueError("cycle_days", (f"{brief(days)} days are not more than 0",))


@asks(number=_check_number, win_rate=_check_share, average_size=Money, cycle_days=_check_days)
def velocity(
    number: int,
    win_rate: float | Decimal | Fraction,
    average_size: Money,
    cycle_days: float | Decimal | Fraction,
) -> Velocity:
    """Pipeline velocity from plain numbers.

    Definition:
        Formula: number × win rate × average size ÷ cycle days.
        Denominator: the cycle in days.
        Window: that of the numbers given.
        Bias: that of the numbers given; with the won cycle it is too high where losses are slow.
        Elsewhere: vendors take open deals, deals created, or deals closed for the number.

    Args:
        number: The number of deals.
        win_rate: From 0 to 1; a float is read by its shortest decimal text.
        average_size: The mean amount of won deals.
        cycle_days: The length of the sales cycle in days, more than 0.

    >>> rate = velocity(50, 0.25, Money(4000, "USD"), 40)
    >>> print(rate.per_day, rate.over(31), sep="; ")
    1,250.00 USD; 38,750.00 USD
    """
    share, days = as_fraction(win_rate, "win_rate"), as_fraction(cycle_days, "cycle_days")
    size = Fraction(average_size.amount)
    return Velocity(number, NumberOf.GIVEN, share, size, average_size.currency, days, CycleOf.GIVEN)


@overload
def pipeline_velocity(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Rates | None = None,
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
    rates: Rates | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Groups[Hashable, Velocity]: ...


@asks(number=check_number_of)
def pipeline_velocity(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Velocity | Groups[Hashable, Velocity]:
    """Number of deals × win rate × average deal size ÷ sales cycle in days: the vendors' form.

    Definition:
        Formula: number × (won ÷ closed) × (Σ amounts of won ÷ won with one) ÷ (Σ days of won ÷
            won with a usable length): each mean a ratio of sums, so that a team's velocity is
            never the mean of its members'.
        Denominator: closed deals; won deals with an amount; won deals with a usable length.
        Window: with a period those three are of deals closed in it, and created or closed deals
            are counted in it; open deals are counted as of the instant. A group is the one at
            closing, and of open deals as of the instant.
        Bias: too high where losses take longer than wins, since open deals wait for both and the
            cycle is of wins alone: by 81 % in a simulation in which they take twice as long. It
            multiplies means, so it is the rate of a steady pipeline. See `consistent_velocity`.
        Elsewhere: ActiveCampaign's formula; tools differ in which deals the number counts.

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

    Returns:
        The four inputs, exact, and the money a day; None where an input is missing.

    Raises:
        MixedCurrenciesError: Won deals have several currencies, and no rate for one of them.

    Source: ActiveCampaign, What is a sales pipeline? (the formula for pipeline velocity).
    """
    counting = _counting(number, CycleOf.WON, period, currency, rates)
    options = {"zone": zone, "resolution": resolution}
    return _ALL.beside(counting, deals, as_of, period, by, 0.95, **options)


@overload
def consistent_velocity(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Velocity: ...


@overload
def consistent_velocity(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Groups[Hashable, Velocity]: ...


@asks(number=check_number_of)
def consistent_velocity(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    number: NumberOf | str = NumberOf.OPEN,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Velocity | Groups[Hashable, Velocity]:
    """Number of deals × win rate × average deal size ÷ mean lifetime of all closed deals.

    What flows out of a steady pipeline is what is in it by how long it stays (Little's law); the
    win rate says how much of that is won. So the time must be of won and lost deals together.

    Definition:
        Formula: number × (won ÷ closed) × (Σ amounts of won ÷ won with one) ÷ (Σ days of closed
            ÷ closed with a usable length), each mean a ratio of sums.
        Denominator: closed deals; won deals with an amount; closed deals with a usable length.
        Window: as in `pipeline_velocity`.
        Bias: in a simulation in which losses take twice as long as wins it is 2 % above what
            happened, where the vendors' form is 81 % above. It still supposes a steady pipeline:
            in a growing one the deals closed so far are the quick ones.
        Elsewhere: no vendor known.

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

    Returns:
        The four inputs, exact, and the money a day; None where an input is missing.

    Raises:
        MixedCurrenciesError: Won deals have several currencies, and no rate for one of them.

    Source: J. D. C. Little, Operations Research 9 (1961) 383-387.
    """
    counting = _counting(number, CycleOf.CLOSED, period, currency, rates)
    options = {"zone": zone, "resolution": resolution}
    return _ALL.beside(counting, deals, as_of, period, by, 0.95, **options)


def _counting(
    number: NumberOf | str,
    cycle_of: CycleOf,
    period: Period | None,
    currency: str | None,
    rates: Mapping[str, Decimal | int | str] | None,
) -> Callable[[Tally[Lifetime], float], Velocity]:
    """How to finish a tally of lifetimes into a velocity."""
    number_of = check_number_of(number)

    def finish(tally: Tally[Lifetime], _level: float) -> Velocity:
        return _velocity(tally, period, number_of, cycle_of, currency, rates)

    return finish


def _velocity(
    tally: Tally[Lifetime],
    period: Period | None,
    number_of: NumberOf,
    cycle_of: CycleOf,
    currency: str | None,
    rates: Mapping[str, Decimal | int | str] | None,
) -> Velocity:
    closed = CLOSED.select(tally, period)
    rate, size = win_rate_closed(closed), average_deal_size(closed)
    total = size.total(currency, rates)
    lengths, _ = lengths_of(closed, _ENDED[cycle_of])
    days = sum(length * n for length, n in lengths.items()) * exact_days(tally.resolution)
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
        _ratio(days, lengths.total()),
        cycle_of,
    )


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
        even: Whether the number compares with that of the period before: open deals are counted
            at an instant, closed and created ones over as many days as there are.
    """

    period: Period = field(kw_only=True)  # pyright: ignore[reportGeneralTypeIssues] # never None
    velocity: Velocity
    change: Money | None
    growth: float | None
    even: bool = True

    columns = ("period", "velocity", "change", "growth", "even")


@overload
def velocity_series(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: None = None,
    number: NumberOf | str = NumberOf.OPEN,
    cycle_of: CycleOf | str = CycleOf.WON,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Table[VelocityStep]: ...


@overload
def velocity_series(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: str,
    number: NumberOf | str = NumberOf.OPEN,
    cycle_of: CycleOf | str = CycleOf.WON,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Groups[Hashable, Table[VelocityStep]]: ...


@asks(number=check_number_of, cycle_of=check_cycle_of)
def velocity_series(
    deals: Iterable[DealHistory],
    *,
    periods: Iterable[Period],
    by: str | None = None,
    number: NumberOf | str = NumberOf.OPEN,
    cycle_of: CycleOf | str = CycleOf.WON,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Table[VelocityStep] | Groups[Hashable, Table[VelocityStep]]:
    """Pipeline velocity period by period, each judged from its own end, with the change.

    How it changes often says more than how large it is. Where periods differ in the currency of
    their won deals, name the currency and give rates.

    Definition:
        Formula: the velocity of each period as of its last moment; change = it - the one before;
            growth = change ÷ the one before.
        Denominator: as in `pipeline_velocity`, or with the cycle of closed deals as in
            `consistent_velocity`.
        Window: each period in turn; open deals are counted at its end. A group is the one at
            closing, and of open deals at the period's end.
        Bias: closed and created deals are more in a longer period: such a step is marked as not
            even. Open deals do not depend on its length.
        Elsewhere: Frappe compares a month of 31 days with 30 days before it.

    Args:
        deals: The histories of deals.
        periods: The periods, in order.
        by: A field of the deal to group by, as in `pipeline_velocity`.
        number: Which deals to count: open at the period's end, or closed or created in it.
        cycle_of: Whether the cycle is of won or of all closed deals.
        currency: The currency of the result; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        zone: The zone whose calendar dates make days.

    Returns:
        One step per period; with ``by`` such a series for each group that any period has.

    Raises:
        InvalidValueError: A period does not begin after the one before it begins.
        MixedCurrenciesError: Won deals have several currencies, and no rate for one of them.

    Source: ActiveCampaign, What is a sales pipeline? (changes in velocity over time).
    """
    asked, histories = instances(Period, periods, "periods"), instances(DealHistory, deals, "deals")
    _check_order(asked)
    cycle = check_cycle_of(cycle_of)
    tallies = [counted_at_end(histories, period, by, zone) for period in asked]
    number_of = check_number_of(number)

    def series(parts: Iterable[Tally[Lifetime]]) -> Table[VelocityStep]:
        steps, before = list[VelocityStep](), None
        for period, part in zip(asked, parts, strict=True):
            now = finished_at_end(part, period, number_of, cycle, currency, rates)
            even = (
                number_of is NumberOf.OPEN or not steps or as_long(steps[-1].period, period, zone)
            )
            change = _change(before, now)
            steps.append(VelocityStep(now, *change, even, as_of=now.as_of, period=period))
            before = now
        return Table(steps)

    if by is None:
        return series(tallies)
    groups = dict.fromkeys(row.group for tally in tallies for row in tally.rows)
    return Groups((group, series(of_group(tally, group) for tally in tallies)) for group in groups)


def _check_order(periods: Iterable[Period]) -> None:
    faults = tuple(
        f"{after} does not begin after {before} begins"
        for before, after in pairwise(periods)
        if after.start <= before.start
    )
    if faults:
        raise InvalidValueError("periods", faults)


def counted_at_end(
    histories: Iterable[DealHistory], period: Period, by: str | None, zone: tzinfo
) -> Tally[Lifetime]:
    """The lifetimes of deals as of a period's last moment."""
    last = period.end - timedelta(microseconds=1)
    return lifetimes(histories, as_of=last, by=by, periods=(period,), zone=zone)


def finished_at_end(
    tally: Tally[Lifetime],
    period: Period,
    number_of: NumberOf,
    cycle_of: CycleOf,
    currency: str | None,
    rates: Mapping[str, Decimal | int | str] | None,
) -> Velocity:
    """The velocity of a period from what was counted at its end."""
    finish = _counting(number_of, cycle_of, period, currency, rates)
    return stamped(finish(tally, 0.95), tally.as_of, period)


def as_long(one: Period, other: Period, zone: tzinfo) -> bool:
    """Whether two periods have as many days in a zone, or, within a date, as much time."""
    days = one.days(zone)
    return days == other.days(zone) and (days > 0 or one.end - one.start == other.end - other.start)


def of_group(tally: Tally[Lifetime], group: Hashable) -> Tally[Lifetime]:
    """The part of a tally that is of one group."""
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
