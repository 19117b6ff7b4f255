"""What a customer is worth once won."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import cast, overload

from attrs import evolve, frozen

from salespipeline._courses import Course
from salespipeline._doors import instance, whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import Event, Opened, Reopened, Won
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Rate
from salespipeline.metrics._result import Groups, Result, Table, stamped
from salespipeline.metrics.durations import Durations, cycle_length
from salespipeline.metrics.outcomes import CLOSED, RestrictedMean, Survival, win_rate_closed
from salespipeline.metrics.value import average_deal_size
from salespipeline.money import Money
from salespipeline.periods import Period, on, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Tally
from salespipeline.tallies._accounts import (
    Service,
    Unusable,
    check_grace,
    in_force,
    order_of,
    services,
)
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import account_of, courses, grouping, several
from salespipeline.tallies._lifetimes import lifetimes_of

_MOST_DAYS = 3_660_000
_DAYS_A_MONTH = Fraction(365, 12)


@frozen
class CustomerLifetime(Result):
    """How long accounts stay customers, those that still are counted as such.

    Attributes:
        horizon_days: The horizon.
        survival: The share of accounts that stay beyond each number of days.
        mean: The mean days up to the horizon, with its error; None where the curve does not
            reach that far.
        exact_days: The same mean, exact.
        exposure_days: The days of all accounts together.
        returned: How many of those that left came back; their later terms are not in it.
    """

    horizon_days: int
    survival: Survival
    mean: RestrictedMean | None
    exact_days: Fraction | None
    exposure_days: int
    returned: int

    columns = ("survival", "mean", "naive_days", "exposure_days", "returned")

    @property
    def naive_days(self) -> float | None:
        """One divided by the churn a day: days of all accounts ÷ accounts that left.

        What spreadsheets take for the lifetime. It needs churn never to change, and grows beyond
        all bounds where few have left yet; None where nobody has.
        """
        return self.exposure_days / self.survival.ended if self.survival.ended else None

    def value(self, margin: Money) -> Money | None:
        """Customer lifetime value (CLV) up to the horizon, rounded once; None without a mean.

        Args:
            margin: What a customer leaves a month, costs taken off; a month is a twelfth of
                365 days. Nothing is discounted.
        """
        instance(Money, margin, "margin")
        if self.exact_days is None:
            return None
        return Money.rounded(
            Fraction(margin.amount) * self.exact_days / _DAYS_A_MONTH, margin.currency
        )


def _horizon(days: object) -> int:
    given = whole(days, "horizon_days")
    if not 0 < given <= _MOST_DAYS:
        raise InvalidValueError("horizon_days", (f"{brief(given)} is not from 1 to {_MOST_DAYS}",))
    return given


@overload
def customer_lifetime(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    horizon_days: int,
    by: None = None,
    grace_days: int = 0,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> CustomerLifetime: ...


@overload
def customer_lifetime(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    horizon_days: int,
    by: str,
    grace_days: int = 0,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, CustomerLifetime]: ...


@asks(horizon_days=_horizon, grace_days=check_grace)
def customer_lifetime(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    horizon_days: int,
    by: str | None = None,
    grace_days: int = 0,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> CustomerLifetime | Groups[Hashable, CustomerLifetime]:
    """How long accounts stay customers, up to a horizon.

    Definition:
        Formula: the area under the Kaplan-Meier curve up to the horizon; the age of an account
            runs from its first term's first day to the end of the last term that follows
            without a gap of more than ``grace_days``.
        Denominator: accounts with a term that has begun; one in force is at risk up to today.
        Window: all accounts; one whose history is complete only from later on is at risk from
            then.
        Bias: what comes after the horizon is not in it, so it is less than the whole lifetime;
            how much less nobody can know from the data. An account that comes back has left.
        Elsewhere: most take 1 ÷ churn, which supposes that churn never changes: halving a tiny
            churn doubles the lifetime, whether or not anybody was watched for so long.

    Args:
        deals: The histories of deals, all of an account among them.
        as_of: The instant to judge from.
        horizon_days: The horizon in days, more than 0.
        by: A field of the deal to group by: that of an account's first term, as it was won.
        grace_days: A gap of so many days between terms is none.
        zone: The zone whose calendar dates terms go by.
        level: The confidence of the intervals.

    Returns:
        The lifetime. Accounts whose first term is yet to begin are left out as ``not_begun``,
        won deals without a term, without an account or with a negative amount by their reasons.

    Source: Kaplan and Meier, JASA 53 (1958) 457-481; Klein and Moeschberger (2003), 4.5.
    """
    at, group = utc(as_of, "as_of"), grouping(by)
    days, grace = _horizon(horizon_days), check_grace(grace_days)
    today = on(at, zone).toordinal()
    bodies: dict[Hashable, _Lives] = {}
    unusable: Counter[tuple[Hashable, Unusable]] = Counter()
    for _, sold in services(deals, at, unusable, group):
        terms = sorted((each for each in in_force(sold) if each.start < each.end), key=order_of)
        first = terms[0].course  # the latest term is never cut
        of = group and group(first, _closing(first.known))
        bodies.setdefault(of, _Lives()).add(terms, today, grace, zone)
    for (of, why), n in unusable.items():
        bodies.setdefault(of, _Lives()).left_out[str(why)] += n
    if by is None:
        return stamped(bodies.get(None, _Lives()).told(days, level), at, None)
    results = {of: stamped(lives.told(days, level), at, None) for of, lives in bodies.items()}
    return Groups(results, at, None)


def _closing(known: Sequence[Opened | Won]) -> Opened | Won:
    """The event that won a deal, or the last that ever did."""
    return [e for e in known if type(e) is Won or type(e) is Opened][-1]


class _Lives:
    """Lives of accounts being counted."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[float, float, bool]] = Counter()
        self.left_out: Counter[str] = Counter()
        self._returned = 0

    def add(self, terms: Sequence[Service], today: int, grace: int, zone: tzinfo) -> None:
        """Count the first life of an account from its terms in order."""
        start, end = terms[0].start, terms[0].end
        if start > today:
            self.left_out["not_begun"] += 1
            return
        for each in terms[1:]:
            if each.start - end > grace:
                self._returned += each.start <= today
                break
            end = max(end, each.end)
        seen = terms[0].course.known[0].observed_from
        entry = 0 if seen is None else max(0, on(seen, zone).toordinal() - start)
        self.counts[entry, min(end, today) - start, end <= today] += 1

    def told(self, horizon: int, level: float) -> CustomerLifetime:
        """What the lives come to."""
        left_out = dict(self.left_out)
        survival = Survival.of_counts(self.counts, level=level, left_out=left_out)
        mean = survival.restricted_mean(horizon)
        exposure = sum(
            int(age - entry) * n for (entry, age, _), n in self.counts.items() if age >= entry
        )
        days = None if mean is None else _area(survival, horizon)
        return CustomerLifetime(
            horizon, survival, mean, days, exposure, self._returned, left_out=survival.left_out
        )


def _area(survival: Survival, horizon: int) -> Fraction:
    """The area under a curve of whole days up to a horizon, exact."""
    steps = [step for step in survival.steps if step.day <= horizon]
    ages = [0, *(int(step.day) for step in steps), horizon]
    share, area = Fraction(1), Fraction(0)
    for (begin, end), step in zip(pairwise(ages), [*steps, None], strict=True):
        area += share * (end - begin)
        if step is not None:
            share *= Fraction(step.at_risk - step.ended, step.at_risk)
    return area


class Customers(StrEnum):
    """Whether a deal's account had bought before the deal was opened."""

    EXISTING = "existing"
    NEW = "new"
    UNKNOWN = "unknown"


@frozen
class Selling(Result):
    """How selling goes to one kind of customers.

    Attributes:
        customers: Which: existing, new, or unknown where a deal has no account.
        opened: The number of deals opened.
        win_rate: Won among closed.
        average_deal_size: The amounts of won deals.
        cycle_length: Days from opening to winning, of won deals.
    """

    customers: Customers
    opened: int
    win_rate: Rate
    average_deal_size: Amounts
    cycle_length: Durations

    columns = ("customers", "opened", "win_rate", "average_deal_size", "cycle_length")


@asks()
def new_and_existing(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Table[Selling]:
    """How selling to existing customers goes, beside selling to new ones.

    Definition:
        Formula: won ÷ (won + lost), average deal size and cycle length, each of the deals whose
            account had another deal won before they were opened, and of the others.
        Denominator: closed deals of each kind of customer.
        Window: closing in the period, opening in it for the number opened; all time without one.
        Bias: an earlier sale that is not in the records makes an existing customer look new;
            open deals are in no rate. Who buys again was willing before: the difference is not
            what keeping customers would bring.
        Elsewhere: articles give 60 to 70 % for existing customers and 5 to 20 % for new ones,
            without saying of which deals.

    Args:
        deals: The histories of deals, all of an account among them.
        as_of: The instant to judge from.
        period: The period; all time if not given.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Returns:
        An entry for existing and for new customers, and one for deals without an account where
        there are such.

    Source: ActiveCampaign, What is a sales pipeline? (retention: the probability of selling).
    """
    at, histories = utc(as_of, "as_of"), tuple(several(deals, DealHistory))
    periods = () if period is None else (period,)
    tally = lifetimes_of(
        histories, _kind(histories, at), as_of=at, periods=periods, zone=zone, worth=Outcome.WON
    )
    nobody, found = evolve(tally, rows={}), cast("dict[Customers, Tally[Lifetime]]", tally.groups())
    parts = {Customers.EXISTING: nobody, Customers.NEW: nobody} | found
    told = (stamped(_selling(kind, part, level), at, period) for kind, part in parts.items())
    return Table(told, at, period)


def _selling(kind: Customers, tally: Tally[Lifetime], level: float) -> Selling:
    period = tally.periods[0] if tally.periods else None
    opened = tally.n if period is None else tally.where(lambda row: row.created == 0).n
    closed = CLOSED.select(tally, period)
    return Selling(
        kind,
        opened,
        win_rate_closed(closed, level=level),
        average_deal_size(closed),
        cycle_length(closed),
    )


def _kind(histories: Sequence[DealHistory], at: datetime) -> Callable[[Course, Event], Customers]:
    """How to tell the kind of customer that the account of a deal was when it was opened."""
    first = _first_wins(histories, at)

    def kind(each: Course, _last: Event) -> Customers:
        account = account_of(each)
        if account is None:
            return Customers.UNKNOWN
        won = first.get(account)
        earlier = won is not None and won < each[0][0].at
        return Customers.EXISTING if earlier else Customers.NEW

    return kind


def _first_wins(histories: Sequence[DealHistory], at: datetime) -> dict[str, datetime]:
    """When each account first had a deal won, though that may have been opened again since."""
    first: dict[str, datetime] = {}
    for each in courses(histories, at):
        known, _, _, outcome, closing, _, kinds = each
        if Reopened in kinds:
            won = min((event.at for event in known if _wins(event)), default=None)
        else:
            won = None if outcome is not Outcome.WON or closing is None else closing.at
        account = None if won is None else account_of(each)
        if account is not None and won is not None and won < first.get(account, _LAST):
            first[account] = won
    return first


def _wins(event: Event) -> bool:
    return type(event) is Won or (type(event) is Opened and event.outcome is Outcome.WON)


_LAST = datetime.max.replace(tzinfo=UTC)
