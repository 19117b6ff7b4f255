"""How much of a quota was won."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar, cast, overload

from attrs import field, frozen

from salespipeline._doors import choice, instance
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Rate
from salespipeline.metrics._result import Plain, Result, Table, plain
from salespipeline.metrics.value import average_deal_size
from salespipeline.money import Money, Rates, total
from salespipeline.periods import Period, Unit, check_zone, utc
from salespipeline.tallies import Lifetime, Tally, lifetimes
from salespipeline.tallies._asking import asks

K = TypeVar("K", bound=Hashable)
_TICK = timedelta(microseconds=1)


@frozen
class Attainment(Result):
    """What was won of a quota.

    Attributes:
        won: What won deals brought, in the quota's currency.
        quota: The quota.
        deals: How many deals were won.
        without_amount: How many of them have no amount, and add nothing.
        elapsed: The share of the period that is over by the instant, from 0 to 1, exact.
    """

    won: Money
    quota: Money
    deals: int
    without_amount: int
    elapsed: Fraction

    columns = ("value", "won", "quota", "to_date", "deals", "without_amount", "elapsed")

    @property
    def exact(self) -> Fraction | None:
        """Won ÷ quota, exact; None for a quota of 0, and before the period begins."""
        return self._of(Fraction(self.quota.minor))

    @property
    def value(self) -> float | None:
        """Won ÷ quota, 1 where it is met; None for a quota of 0, and before the period begins."""
        return None if self.exact is None else float(self.exact)

    @property
    def is_met(self) -> bool | None:
        """Whether at least the quota was won; None where there is no ratio."""
        return None if self.exact is None else self.exact >= 1

    @property
    def exact_to_date(self) -> Fraction | None:
        """Won ÷ the quota for the part of the period that is over, exact.

        It takes the quota to fall due evenly; give monthly quotas their weights instead
        (`attainment_steps`).
        """
        return self._of(self.quota.minor * self.elapsed)

    @property
    def to_date(self) -> float | None:
        """The same as a number; None where there is none."""
        return None if self.exact_to_date is None else float(self.exact_to_date)

    def _of(self, quota: Fraction) -> Fraction | None:
        return self.won.minor / quota if quota and self.elapsed else None


@frozen
class TeamAttainment(Result):
    """What was won of each one's quota.

    Attributes:
        each: The attainment of each with a quota, in the order of the quotas.
        without_quota: What those without a quota won, by their key: in no other figure here.
        level: The confidence of the interval.
    """

    each: Mapping[Hashable, Attainment] = field(hash=False)
    without_quota: Mapping[Hashable, Amounts] = field(hash=False)
    level: float

    columns = ("met", "exact_mean", "exact_median")

    def rows(self) -> list[Plain]:
        """One row for each with a quota."""
        return [plain({"group": key}) | each.row() for key, each in self.each.items()]

    @property
    def met(self) -> Rate:
        """How many met their quota, among those that have a ratio."""
        found = [each.is_met for each in self.each.values() if each.is_met is not None]
        return Rate.of(sum(found), len(found), self.level)

    @property
    def exact_mean(self) -> Fraction | None:
        """The mean of the ratios, exact: a few far above their quota raise it. None without any."""
        ratios = self._ratios()
        return sum(ratios, Fraction()) / len(ratios) if ratios else None

    @property
    def exact_median(self) -> Fraction | None:
        """The median of the ratios, exact: what the one in the middle attains. None without any."""
        ratios = self._ratios()
        low, high = (len(ratios) - 1) // 2, len(ratios) // 2
        return (ratios[low] + ratios[high]) / 2 if ratios else None

    def _ratios(self) -> list[Fraction]:
        return sorted(each.exact for each in self.each.values() if each.exact is not None)


def check_quota(quota: object) -> Money:
    """A quota, which is not negative."""
    given = instance(Money, quota, "quota")
    if given.minor < 0:
        raise InvalidValueError("quota", (f"{brief(given)} is negative",))
    return given


def check_quotas(quotas: object) -> dict[Hashable, Money]:
    """The quota of each group, none of them negative."""
    if not isinstance(quotas, Mapping):
        raise WrongTypeError("quota", "a mapping of groups to Money, as by= is given", quotas)
    given = cast("Mapping[Hashable, object]", quotas)
    return {key: check_quota(each) for key, each in given.items()}


def check_goals(quota: object) -> object:
    """A quota, or the quota of each group."""
    many = isinstance(quota, Mapping)
    return check_quotas(cast("object", quota)) if many else check_quota(quota)


def _check_weights(weights: object) -> None:
    if isinstance(weights, str | bytes | bytearray) or not isinstance(weights, Sequence):
        raise WrongTypeError("weights", "a sequence of numbers", weights)
    if not weights:
        raise InvalidValueError("weights", ("there is none",))


@overload
def attainment(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    quota: Money,
    period: Period,
    as_of: datetime | None = None,
    by: None = None,
    rates: Rates | None = None,
    level: float = 0.95,
) -> Attainment: ...


@overload
def attainment(
    deals: Iterable[DealHistory],
    *,
    quota: Mapping[K, Money],
    period: Period,
    as_of: datetime,
    by: str,
    rates: Rates | None = None,
    level: float = 0.95,
) -> TeamAttainment: ...


@asks(quota=check_goals)
def attainment(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    quota: Money | Mapping[K, Money],
    period: Period,
    as_of: datetime | None = None,
    by: str | None = None,
    rates: Rates | None = None,
    level: float = 0.95,
) -> Attainment | TeamAttainment:
    """How much of a quota was won in a period, altogether or by each.

    Definition:
        Formula: Σ amounts of won deals ÷ quota; to date, ÷ (quota × the part of the period that
            is over).
        Denominator: the quota as given.
        Window: winning in the period, by the instant.
        Bias: the mean over a team is raised by a few far above their quota, so the median and
            the share that met it stand beside it; a deal without an amount adds nothing.
        Elsewhere: by amount or by number of deals; with quotas of new people reduced or not.

    Args:
        deals: The histories of deals, or a tally of lifetimes counted with the period.
        quota: The quota, more than 0 or 0; with ``by``, that of each.
        period: The period.
        as_of: The instant to judge from.
        by: A field of the deal to group by, as it was at closing.
        rates: For each other currency, how much of the quota's currency one unit of it buys.
        level: The confidence of the interval of the share that met their quota.

    Returns:
        The attainment; with ``by`` that of all with a quota, who are there with 0 where they won
        nothing, and apart from them what others won.

    Raises:
        InvalidValueError: A quota is negative.
        MixedCurrenciesError: Something was won in another currency, and there is no rate for it.

    Source: ActiveCampaign, What is a sales pipeline? (weekly, monthly or quarterly quotas).

    >>> attainment([], quota=Money(0, "EUR"), period=Period.month(2026, 3),
    ...     as_of=Period.month(2026, 3).end).value
    """
    if by is None:
        goal = check_quota(quota)
        found = average_deal_size(deals, as_of=as_of, period=period, level=level)
        return _attained(found, goal, period, cast("datetime", found.as_of), rates)
    quotas = check_quotas(quota)
    at = utc(as_of, "as_of")
    groups = average_deal_size(
        cast("Iterable[DealHistory]", deals), as_of=at, period=period, by=by, level=level
    )
    nothing = Amounts.of(())
    return TeamAttainment(
        {
            key: _attained(groups.get(key, nothing), goal, period, at, rates)
            for key, goal in quotas.items()
        },
        {key: amounts for key, amounts in groups.items() if amounts.n and key not in quotas},
        level,
        as_of=at,
        period=period,
    )


def _attained(
    amounts: Amounts, quota: Money, period: Period, at: datetime, rates: Rates | None
) -> Attainment:
    sums = [amount for _, amount in amounts.by_currency.values()]
    won = total(sums, currency=quota.currency, rates=rates) or Money(0, quota.currency)
    past = max(at, period.start) - period.start
    elapsed = min(Fraction(past // _TICK, (period.end - period.start) // _TICK), Fraction(1))
    return Attainment(
        won, quota, amounts.n, amounts.without_amount, elapsed, as_of=at, period=period
    )


@asks(quota=check_quota, weights=_check_weights)
def attainment_steps(
    deals: Iterable[DealHistory],
    *,
    quota: Money,
    period: Period,
    unit: Unit | str,
    as_of: datetime,
    weights: Sequence[int | Decimal] | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Table[Attainment]:
    """How much of a quota was won week by week, month by month or quarter by quarter.

    The quota is split over the steps without a cent lost, and each deal is in one step, so both
    sum to those of the period. A week that reaches beyond the period counts up to its edge.

    Definition:
        Formula: amounts won in the step ÷ the step's part of the quota.
        Denominator: the part of the quota, by the weights.
        Window: closing in the step.
        Bias: without weights a slow season looks like a bad one.
        Elsewhere: HubSpot sets goals by month or quarter; editing the period resets them.

    Args:
        deals: The histories of deals.
        quota: The quota of the whole period.
        period: The period.
        unit: The length of a step.
        as_of: The instant to judge from; a step that has not begun has no ratio.
        weights: How heavy each step is, such as what it brought last year; by its length if not
            given.
        rates: For each other currency, how much of the quota's currency one unit of it buys.
            Amounts of each step are converted, and rounded, by themselves.
        zone: The zone whose calendar the steps go by.

    Raises:
        InvalidValueError: The quota or a weight is negative, no weight is more than 0, or there
            are not as many weights as steps.
    """
    at, steps = utc(as_of, "as_of"), steps_of(period, unit, zone)
    shares = check_quota(quota).allocate(weights_of(steps, weights))
    tally = lifetimes(deals, as_of=at, periods=steps)
    return Table(
        (
            _attained(average_deal_size(tally, period=step), part, step, at, rates)
            for step, part in zip(steps, shares, strict=True)
        ),
        at,
        period,
    )


def steps_of(period: Period, unit: Unit | str, zone: tzinfo) -> tuple[Period, ...]:
    """The calendar steps of a period, the first and the last cut at its edges."""
    whole = period.steps(choice(Unit, unit, "unit"), zone=check_zone(zone))
    return tuple(Period(max(step.start, period.start), min(step.end, period.end)) for step in whole)


def weights_of(steps: Sequence[Period], weights: object) -> Sequence[int | Decimal]:
    """How heavy each step is; as long as it is, if nothing is given."""
    if weights is None:
        return [(step.end - step.start) // _TICK for step in steps]
    _check_weights(weights)
    given = cast("Sequence[int | Decimal]", weights)
    if len(given) != len(steps):
        fault = f"{len(given)} weights are given for {len(steps)} steps"
        raise InvalidValueError("weights", (fault,))
    return given
