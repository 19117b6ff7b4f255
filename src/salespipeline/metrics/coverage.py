"""How far the open pipeline covers a quota."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from typing import Any, TypeVar, overload

from attrs import evolve, frozen

from salespipeline.events import ProbabilityBasis
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts
from salespipeline.metrics._result import Groups, Result, stamped
from salespipeline.metrics.attainment import check_goals, check_quota, check_quotas
from salespipeline.metrics.book_value import (
    StageProbabilities,
    WeightedValue,
    check_policy,
    open_amounts,
    weighed,
)
from salespipeline.money import Money, Rates, exact_rates
from salespipeline.periods import Period, on, utc
from salespipeline.pipelines import Outcome, Pipeline
from salespipeline.tallies import Lifetime, Tally, lifetimes
from salespipeline.tallies._asking import asks
from salespipeline.tallies._book import OpenDeal, book
from salespipeline.tallies._counting import several
from salespipeline.tallies._flows import due_within

K = TypeVar("K", bound=Hashable)


@frozen
class Coverage(Result):
    """How many times the open deals due in a period cover what is still to be won in it.

    Attributes:
        due: The open deals due in the period.
        overdue: Of these, the deals whose due date has passed.
        weighted: The deals due, weighed; None where no policy was given.
        won: What was won in the period so far.
        quota: What is to be won in the period, or None where nobody said.
        pipeline: The amount due, weighed if a policy was given, in the quota's currency.
        won_so_far: The amount won, in the quota's currency.
    """

    due: Amounts
    overdue: Amounts
    weighted: WeightedValue | None
    won: Amounts
    quota: Money | None
    pipeline: Money | None
    won_so_far: Money | None

    columns = (
        "value", "why_none", "of_quota", "pipeline", "quota", "won_so_far", "remaining", "due",
        "overdue",
    )  # fmt: skip

    @property
    def remaining(self) -> Money | None:
        """What is still to be won; nothing or less once the quota is met."""
        if self.quota is None or self.won_so_far is None:
            return None
        return self.quota - self.won_so_far

    @property
    def value(self) -> Fraction | None:
        """The pipeline as a multiple of what is still to be won; None once nothing is."""
        return None if self.why_none else _multiple(self.pipeline, self.remaining)

    @property
    def why_none(self) -> str | None:
        """Why there is no value: there is no quota, or it is met."""
        if self.remaining is None:
            return "no_quota"
        return None if self.remaining.minor > 0 else "quota_met"

    @property
    def of_quota(self) -> Fraction | None:
        """The other ratio of this name: the pipeline as a multiple of the whole quota."""
        return _multiple(self.pipeline, self.quota)


def _multiple(pipeline: Money | None, of: Money | None) -> Fraction | None:
    if pipeline is None or of is None or of.minor <= 0:
        return None
    return Fraction(pipeline.minor, of.minor)


@overload
def pipeline_coverage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    quota: Money,
    by: None = None,
    policy: Iterable[ProbabilityBasis | str] | None = None,
    pipelines: Iterable[Pipeline] = (),
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Coverage: ...


@overload
def pipeline_coverage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    quota: Mapping[K, Money],
    by: str,
    policy: Iterable[ProbabilityBasis | str] | None = None,
    pipelines: Iterable[Pipeline] = (),
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Groups[K, Coverage]: ...


@asks(quota=check_goals, policy=check_policy)
def pipeline_coverage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    quota: Money | Mapping[Any, Money],
    by: str | None = None,
    policy: Iterable[ProbabilityBasis | str] | None = None,
    pipelines: Iterable[Pipeline] = (),
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Coverage | Groups[Any, Coverage]:
    """Open pipeline due in a period as a multiple of what is still to be won in it.

    It takes histories only, since it needs open deals and won ones.

    Definition:
        Formula: amount of the open deals due in the period ÷ (quota less what was won in it).
        Denominator: the quota less the amount of deals won in the period by the instant; once
            that is not more than nothing there is no value, and the reason stands beside it.
        Window: due dates that begin in the period, overdue ones included; wins in the period.
        Bias: full amounts take every deal for won; no multiple is right for everybody.
        Elsewhere: "pipeline coverage"; rekener and quartz divide by the whole quota instead,
            which is given too, as ``of_quota``. "Three to four times" is a rule of thumb for
            full amounts.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        period: The period of the quota.
        quota: What is to be won in it; with ``by``, that of each group.
        by: A field of the deal to group by: as of the instant, of won deals at closing.
        policy: Which probabilities to weigh by, as in `weighted_value`; None takes full amounts.
        pipelines: What they state is the probability of a stage.
        rates: For each other currency, how much of the quota's currency one unit of it buys.
        zone: The zone whose calendar dates due dates are.

    Returns:
        The coverage, with ``left_out`` telling how many open deals are due on no date; with
        ``by`` one for each group that has a quota, or a deal due, or won in the period.

    Raises:
        InvalidValueError: A quota is negative.
        MixedCurrenciesError: There is no rate for a currency.

    >>> from datetime import UTC, datetime
    >>> nothing = pipeline_coverage(
    ...     [], as_of=datetime(2026, 3, 9, tzinfo=UTC), period=Period.month(2026, 3),
    ...     quota=Money(5000, "EUR"),
    ... )
    >>> nothing.value, nothing.remaining
    (Fraction(0, 1), Money('5000.00', 'EUR'))
    """
    histories = tuple(several(deals, DealHistory))
    moment, within = utc(as_of, "as_of"), due_within(period, zone, "period")
    goals: Mapping[Hashable, Money | None]
    goals = {None: check_quota(quota)} if by is None else check_quotas(quota)
    order = None if policy is None else check_policy(policy)
    stated = StageProbabilities(pipelines)
    opens = book(histories, as_of=moment, by=by, zone=zone).where(
        lambda deal: deal.expected_close is None or within(deal.expected_close)
    )
    closed = lifetimes(histories, as_of=moment, by=by, periods=(period,))
    wins = closed.where(lambda row: row.outcome is Outcome.WON and row.closed == 0)

    def covered(opens: Tally[OpenDeal], wins: Tally[Lifetime], goal: Money | None) -> Coverage:
        due = opens.where(lambda deal: deal.expected_close is not None)
        weighted = None if order is None else weighed(due, order, stated)
        return _coverage(due, weighted, wins, goal, rates, opens.n - due.n, period)

    if by is None:
        return covered(opens, wins, goals[None])
    parts, won = opens.groups(), wins.groups()
    none, nothing = evolve(opens, rows={}), evolve(wins, rows={})
    return Groups(
        {
            group: covered(parts.get(group, none), won.get(group, nothing), goals.get(group))
            for group in dict.fromkeys([*goals, *parts, *won])
        },
        moment,
        period,
    )


def _coverage(
    due: Tally[OpenDeal],
    weighted: WeightedValue | None,
    wins: Tally[Lifetime],
    goal: Money | None,
    rates: Rates | None,
    undated: int,
    period: Period,
) -> Coverage:
    today = on(due.as_of, due.zone)
    overdue = due.where(
        lambda deal: deal.expected_close is not None and deal.expected_close < today
    )
    won = Amounts.of((row.currency, count) for row, count in wins.rows.items())
    amounts = {
        code: Fraction(sum_.amount) for code, (_, sum_) in open_amounts(due).by_currency.items()
    }
    if weighted is not None:
        amounts = {code: each.exact for code, each in weighted.by_currency.items()}
    so_far = {code: Fraction(sum_.amount) for code, (_, sum_) in won.by_currency.items()}
    coverage = Coverage(
        open_amounts(due),
        open_amounts(overdue),
        weighted,
        won,
        goal,
        None if goal is None else _together(amounts, goal.currency, rates),
        None if goal is None else _together(so_far, goal.currency, rates),
        left_out={"undated": undated} if undated else {},
    )
    return stamped(coverage, due.as_of, period)


def _together(amounts: Mapping[str, Fraction], currency: str, rates: Rates | None) -> Money:
    """Amounts in one currency, rounded once."""
    exact = exact_rates(currency, rates, amounts)
    return Money.rounded(
        sum((amount * exact[code] for code, amount in amounts.items()), Fraction()), currency
    )
