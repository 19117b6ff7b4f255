"""How much of the recurring revenue stays."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from fractions import Fraction
from functools import partial
from typing import TypeVar, overload

from attrs import field, frozen

from salespipeline.errors import InvalidValueError
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Counting, Rate
from salespipeline.metrics._result import Groups, Plain, Result, plain
from salespipeline.money import MINOR_UNITS, Money, Rates, check_currency, exact_rates
from salespipeline.periods import Period, check_date, check_zone, on, utc
from salespipeline.tallies import Tally
from salespipeline.tallies._accounts import (
    AccountMovement,
    RevenueFlow,
    Service,
    Unusable,
    accounts,
    check_grace,
    in_force,
    of_balances,
    of_endings,
    services,
    together,
)
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import grouping

_KEPT = Counting[DealHistory](accounts, None, "period", lean=of_balances)
_ENDED = Counting[DealHistory](accounts, None, "period", lean=of_endings)
_MONTHS_A_YEAR = 12

T = TypeVar("T")


def _major(minor: Fraction, currency: str) -> Fraction:
    scale: int = 10 ** MINOR_UNITS.get(currency, 2)
    return minor / scale


def _converted(
    sums: Mapping[str, T], currency: str | None, rates: Rates | None
) -> tuple[str, dict[str, Fraction]] | None:
    """The currency wanted, and what a unit of each buys of it; None where there is none."""
    asked = None if currency is None else check_currency(currency)
    wanted = asked or next(iter(sums), "")
    units = exact_rates(wanted, rates, sums)
    return (wanted, units) if sums else None


@frozen
class RecurringRevenue(Result):
    """What the terms in force on a date bring.

    Attributes:
        on: The date.
        accounts: How many accounts have a term in force.
        terms: How many terms are in force.
        per_month: By currency, what they bring a month, exact, in major units.
    """

    on: date
    accounts: int
    terms: int
    per_month: Mapping[str, Fraction] = field(hash=False)

    def row(self) -> Plain:
        """The date, the numbers, and what a month brings in a column for each currency."""
        paid = {
            currency: Money.rounded(amount, currency).amount
            for currency, amount in self.per_month.items()
        }
        told = {"on": self.on, "accounts": self.accounts, "terms": self.terms} | paid
        return plain(told) | super().row()

    def monthly(self, currency: str | None = None, rates: Rates | None = None) -> Money | None:
        """Monthly recurring revenue (MRR) in one currency, rounded once; None without any.

        Args:
            currency: The currency wanted; needed where there are several.
            rates: For each other currency, how much of ``currency`` one unit of it buys.

        Raises:
            MixedCurrenciesError: There are several currencies, and no rate for one of them.
        """
        return self._over(1, currency, rates)

    def annual(self, currency: str | None = None, rates: Rates | None = None) -> Money | None:
        """Annual recurring revenue (ARR): twelve such months, rounded once.

        The arguments are those of `monthly`.
        """
        return self._over(_MONTHS_A_YEAR, currency, rates)

    def _over(self, months: int, currency: str | None, rates: Rates | None) -> Money | None:
        found = _converted(self.per_month, currency, rates)
        if found is None:
            return None
        wanted, units = found
        amount = sum((each * units[code] for code, each in self.per_month.items()), Fraction())
        return Money.rounded(amount * months, wanted)


@overload
def recurring_revenue(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    on_date: date | None = None,
    by: None = None,
    zone: tzinfo = UTC,
) -> RecurringRevenue: ...


@overload
def recurring_revenue(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    on_date: date | None = None,
    by: str,
    zone: tzinfo = UTC,
) -> Groups[Hashable, RecurringRevenue]: ...


@asks(on_date=partial(check_date, name="on_date"))
def recurring_revenue(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    on_date: date | None = None,
    by: str | None = None,
    zone: tzinfo = UTC,
) -> RecurringRevenue | Groups[Hashable, RecurringRevenue]:
    """What the terms of won deals that are in force on a date bring a month.

    Definition:
        Formula: Σ over the terms in force of recurring amount ÷ months of the term. A month is
            a calendar month from the term's first day on, whatever its days, and what is left
            over a part of the month it lies in; so a year's price is twelve months', leap or not.
        Denominator: none; per currency.
        Window: terms with start ≤ date < end, of deals won by the instant; a renewal replaces
            what it renews from its own first day on.
        Bias: knows only what was signed by the instant; a date after it misses later renewals.
        Elsewhere: billing tools take invoices; CRMs keep an amount and leave the term to a field.

    Args:
        deals: The histories of deals; all of an account, since one may renew another.
        as_of: The instant to judge from.
        on_date: The date; that of ``as_of`` if not given.
        by: A field of the deal to group by, as of the instant.
        zone: The zone whose calendar dates terms go by.

    Returns:
        The revenue by currency. Won deals without a term, without an account or with a negative
        amount are left out, by reason.

    Source: LaFleur, What are the 7 stages of the sales pipeline? (renewals, in the last stage).
    """
    at, group = utc(as_of, "as_of"), grouping(by)
    day = on(at, check_zone(zone)) if on_date is None else check_date(on_date, "on_date")
    left_out: Counter[tuple[Hashable, Unusable]] = Counter()
    number = day.toordinal()
    found: dict[Hashable, list[Service]] = {}
    customers: Counter[Hashable] = Counter()
    for _, sold in services(deals, at, left_out, group):
        theirs: set[Hashable] = set()
        for each in in_force(sold):
            if each.start <= number < each.end:
                of = group and group(each.course, each.course.known[-1])
                found.setdefault(of, []).append(each)
                theirs.add(of)
        for of in theirs:
            customers[of] += 1

    def told(of: Hashable) -> RecurringRevenue:
        terms = found.get(of, [])
        sums = together(terms)
        per_month = {
            currency: _major(Fraction(*part), currency) for currency, part in sorted(sums.items())
        }
        reasons = {str(why): n for (group_of, why), n in left_out.items() if group_of == of}
        return RecurringRevenue(
            day, customers[of], len(terms), per_month, left_out=reasons, as_of=at
        )  # fmt: skip

    if by is None:
        return told(None)
    groups = dict.fromkeys([*found, *(of for of, _ in left_out)])
    return Groups({of: told(of) for of in groups}, at, None)


@frozen
class RevenueRetention(Result):
    """What became of the recurring revenue of one currency in a period.

    All amounts are a month's, exact, in major units.

    Attributes:
        currency: The currency.
        accounts: How many accounts brought some of it at the beginning.
        start: What they brought just before the period.
        contraction: What those that stayed bring less at its end.
        churn: What those that left brought.
        expansion: What those that stayed bring more.
        end: What the accounts of the beginning bring at the end.
        new: What accounts bring that never had a term before.
        reactivated: What accounts bring that had one before, and none at the beginning.
    """

    currency: str
    accounts: int
    start: Fraction
    contraction: Fraction
    churn: Fraction
    expansion: Fraction
    end: Fraction
    new: Fraction
    reactivated: Fraction

    @property
    def exact_gross(self) -> Fraction | None:
        """Gross revenue retention (GRR): what is kept without expansion, of the start; exact."""
        kept = self.start - self.contraction - self.churn
        return kept / self.start if self.start else None

    @property
    def exact_net(self) -> Fraction | None:
        """Net revenue retention (NRR): what is kept with expansion, of the start; exact."""
        return self.end / self.start if self.start else None

    @property
    def gross(self) -> float | None:
        """Gross revenue retention, from 0 to 1; None where nothing was in force."""
        return None if self.exact_gross is None else float(self.exact_gross)

    @property
    def net(self) -> float | None:
        """Net revenue retention, from 0 on; None where nothing was in force."""
        return None if self.exact_net is None else float(self.exact_net)

    def row(self) -> Plain:
        """The ratios, and the amounts of a month rounded to what the currency pays."""
        told: dict[str, object] = {"currency": self.currency, "gross": self.gross, "net": self.net}
        for name in _AMOUNTS:
            amount: Fraction = getattr(self, name)
            told[name] = Money.rounded(amount, self.currency).amount
        return plain(told)


_AMOUNTS = ("start", "contraction", "churn", "expansion", "end", "new", "reactivated")


@frozen
class Retention(Result):
    """What became of accounts and of their recurring revenue in a period.

    Attributes:
        logo_churn: Accounts with nothing in force at the end, among those of the beginning.
        new_accounts: Accounts in force at the end that never had a term before the period.
        reactivated_accounts: Accounts in force at the end that had one before, and none in force
            at the beginning.
        came_and_went: Accounts whose terms all began and ended within the period; in no balance.
        overlaps: Terms that would still run at one of the balances, had their own renewal not
            begun; only the renewal is in the balance.
        revenue: What became of the revenue, by currency.
    """

    logo_churn: Rate
    new_accounts: int
    reactivated_accounts: int
    came_and_went: int
    overlaps: int
    revenue: Mapping[str, RevenueRetention] = field(hash=False)

    columns = (
        "logo_churn", "new_accounts", "reactivated_accounts", "came_and_went", "overlaps",
    )  # fmt: skip

    def rows(self) -> list[Plain]:
        """One row for each currency, the numbers of accounts in each; one without any currency."""
        return [each.row() | self.row() for each in self.revenue.values()] or [self.row()]

    def in_currency(
        self, currency: str | None = None, rates: Rates | None = None
    ) -> RevenueRetention | None:
        """The revenue of all currencies as one; None where there is none.

        Rates of one day are applied to both balances, so no currency's rise counts as expansion.

        Args:
            currency: The currency wanted; needed where there are several.
            rates: For each other currency, how much of ``currency`` one unit of it buys.

        Raises:
            MixedCurrenciesError: There are several currencies, and no rate for one of them.
        """
        found = _converted(self.revenue, currency, rates)
        if found is None:
            return None
        wanted, units = found
        sums: list[Fraction] = [
            sum((units[code] * getattr(each, name) for code, each in self.revenue.items()),
                Fraction())
            for name in _AMOUNTS
        ]  # fmt: skip
        return RevenueRetention(wanted, self.logo_churn.denominator, *sums)


@overload
def retention(
    deals: Iterable[DealHistory] | Tally[AccountMovement],
    *,
    period: Period,
    as_of: datetime | None = None,
    by: None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Retention: ...


@overload
def retention(
    deals: Iterable[DealHistory],
    *,
    period: Period,
    as_of: datetime,
    by: str,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Retention]: ...


@asks()
def retention(
    deals: Iterable[DealHistory] | Tally[AccountMovement],
    *,
    period: Period,
    as_of: datetime | None = None,
    by: str | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Retention | Groups[Hashable, Retention]:
    """How much of the recurring revenue, and how many of the accounts, stayed over a period.

    Definition:
        Formula: gross = (S - contraction - churn) ÷ S; net = gross + expansion ÷ S; logo churn =
            accounts of S with nothing in force at the end ÷ accounts of S. Each account is
            compared at two balances; what it did in between nets out. Churn is of accounts that
            have nothing left in any currency; what the others bring less is contraction.
        Denominator: S, the recurring revenue a month in force just before the period begins, of
            those accounts alone; new and reactivated accounts stand apart.
        Window: both balances are taken just before an instant, so what begins or ends on the
            first day falls into the period, and one period's end is the next one's start.
        Bias: a renewal signed late, and dated back, makes no churn once it is known; until then
            its account is churned, and later reactivated. Net hides what leaks: see both.
        Elsewhere: some subtract churn from 100 %, some blend new accounts in, some take billings
            for the rate in force.

    Args:
        deals: The histories of deals, all of an account among them; or a tally of accounts.
        period: The period; over by ``as_of``.
        as_of: The instant to judge from.
        by: A field of the deal to group by: an account's is that of its deal whose term began
            last, as it was when the period began, or ended for accounts that came later.
        zone: The zone whose calendar dates terms go by.
        level: The confidence of the interval of logo churn.

    Returns:
        The figures; gross and net are None where nothing was in force at the beginning. They
        are of all accounts, not of a sample, and have no interval. Won deals without a term,
        without an account or with a negative amount are left out, by reason.

    Raises:
        InvalidValueError: The period is not over by ``as_of``.

    Source: ActiveCampaign, What is a sales pipeline? (retention as the last stage).
    """

    def finish(tally: Tally[AccountMovement], level: float) -> Retention:
        if period.end > tally.as_of:
            fault = f"{period} is not over by {tally.as_of.isoformat()}"
            raise InvalidValueError("period", (fault,))
        return _retention(tally, level)

    return _KEPT.measure(finish, deals, as_of, period, by, level, zone=zone)


def _retention(tally: Tally[AccountMovement], level: float) -> Retention:
    numbers, sums = Counter[RevenueFlow](), dict[str, dict[RevenueFlow, Fraction]]()
    starting: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.currency is None:
            numbers[row.flow] += count.n
            continue
        flows = sums.setdefault(row.currency, {})
        part = Fraction(count.minor, row.months)
        flows[row.flow] = flows.get(row.flow, Fraction()) + part
        starting[row.currency] += count.n if row.flow is RevenueFlow.START else 0
    return Retention(
        Rate.of(numbers[RevenueFlow.CHURN], numbers[RevenueFlow.START], level),
        numbers[RevenueFlow.NEW],
        numbers[RevenueFlow.REACTIVATED],
        numbers[RevenueFlow.CAME_AND_WENT],
        numbers[RevenueFlow.OVERLAP],
        {
            currency: RevenueRetention(currency, starting[currency], *_of(flows, currency))
            for currency, flows in sorted(sums.items())
        },
        left_out=_left_out(tally),
    )


def _of(flows: Mapping[RevenueFlow, Fraction], currency: str) -> Iterable[Fraction]:
    return (_major(flows.get(RevenueFlow(name), Fraction()), currency) for name in _AMOUNTS)


def _left_out(tally: Tally[AccountMovement]) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.flow is RevenueFlow.LEFT_OUT:
            reasons[str(row.why)] += count.n
    return dict(reasons)


@frozen
class Renewals(Result):
    """How the terms that end in a period were renewed.

    Attributes:
        on_time: Renewed by a deal won in time.
        late: Renewed by a deal won later.
        not_renewed: Renewed by none, with the time over or every renewal lost.
        overdue: A renewal is open, and the time over.
        open: A renewal is open, or none begun, and there is time left.
        level: The confidence of the intervals.
    """

    on_time: int
    late: int
    not_renewed: int
    overdue: int
    open: int
    level: float

    columns = (
        "rate", "on_time_rate", "on_time", "late", "not_renewed", "overdue", "open",
    )  # fmt: skip

    @property
    def ended(self) -> int:
        """How many terms end in the period."""
        return self.on_time + self.late + self.not_renewed + self.overdue + self.open

    @property
    def rate(self) -> Rate:
        """Renewed, in time or late, among those decided; what is open is in neither."""
        renewed = self.on_time + self.late
        return Rate.of(renewed, renewed + self.not_renewed, self.level)

    @property
    def on_time_rate(self) -> Rate:
        """Renewed in time among those whose time is over, or that are renewed or lost."""
        return Rate.of(self.on_time, self.ended - self.open, self.level)


@overload
def renewals(
    deals: Iterable[DealHistory] | Tally[AccountMovement],
    *,
    period: Period,
    as_of: datetime | None = None,
    by: None = None,
    grace_days: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Renewals: ...


@overload
def renewals(
    deals: Iterable[DealHistory],
    *,
    period: Period,
    as_of: datetime,
    by: str,
    grace_days: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Renewals]: ...


@asks(grace_days=check_grace)
def renewals(
    deals: Iterable[DealHistory] | Tally[AccountMovement],
    *,
    period: Period,
    as_of: datetime | None = None,
    by: str | None = None,
    grace_days: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Renewals | Groups[Hashable, Renewals]:
    """How many of the terms that end in a period were renewed, and how many in time.

    Definition:
        Formula: rate = renewed ÷ (renewed + not renewed); in time = renewed in time ÷ (renewed +
            not renewed + overdue). In time is won on a date before ``end + grace_days``; the end
            is the first day without service, so without grace it is the last day of service.
        Denominator: terms of won deals; those whose renewal is open are in no rate, but the
            overdue are late already.
        Window: terms whose end lies in the period, which may be yet to come.
        Bias: needs ``renews`` on the renewal; renewals that say it of no deal known here are
            counted as ``renewed_unknown`` in the period in which their own terms begin.
        Elsewhere: subscription tools take the date of payment for that of signing.

    Args:
        deals: The histories of deals, all of an account among them; or a tally of accounts.
        period: The period that terms end in.
        as_of: The instant to judge from.
        by: A field of the deal whose term ends, as it was then.
        grace_days: How many days after its last day a term may be renewed in time; none if not
            given.
        zone: The zone whose calendar dates terms and closings go by.
        level: The confidence of the intervals.

    Raises:
        InvalidValueError: The days of grace are negative, or not those of the tally.
    """
    if isinstance(deals, Tally) and grace_days not in (
        None,
        dict(deals.settings).get("grace_days"),
    ):
        raise InvalidValueError("tally", ("it was counted with other grace_days",))
    grace = check_grace(0 if grace_days is None else grace_days)
    return _ENDED.measure(_renewals, deals, as_of, period, by, level, zone=zone, grace_days=grace)


def _renewals(tally: Tally[AccountMovement], level: float) -> Renewals:
    numbers: Counter[RevenueFlow] = Counter()
    for row, count in tally.rows.items():
        numbers[row.flow] += count.n
    unknown = numbers[RevenueFlow.UNLINKED]
    left_out = _left_out(tally) | ({"renewed_unknown": unknown} if unknown else {})
    return Renewals(
        numbers[RevenueFlow.ON_TIME],
        numbers[RevenueFlow.LATE],
        numbers[RevenueFlow.NOT_RENEWED],
        numbers[RevenueFlow.OVERDUE],
        numbers[RevenueFlow.OPEN],
        level,
        left_out=left_out,
    )
