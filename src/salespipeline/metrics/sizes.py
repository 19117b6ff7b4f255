"""How large deals are."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil
from operator import mul
from typing import TypeAlias, overload

from attrs import field, frozen

from salespipeline._doors import choice, instances
from salespipeline.errors import InvalidValueError, MixedCurrenciesError
from salespipeline.history import DealHistory
from salespipeline.intervals import check_level
from salespipeline.metrics._figure import Amounts, Counting, Rate, as_decimal
from salespipeline.metrics._result import Groups, Plain, Result, Table, plain, stamped
from salespipeline.money import MINOR_UNITS, Money, Rates, exact_rates
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Count, Moment, Tally
from salespipeline.tallies._amounts import Size, amounts, counted_sizes
from salespipeline.tallies._asking import asks

_SIZES = Counting[DealHistory](amounts, Moment.CLOSING, "closed")


@frozen
class SizesIn:
    """How large deals are that have their amount in one currency.

    Attributes:
        currency: The currency.
        minors: The amounts that deals have, in minor units, the smallest first.
        ns: How many deals have each of them.
    """

    currency: str
    minors: tuple[int, ...] = field(repr=False)
    ns: tuple[int, ...] = field(repr=False)

    @property
    def n(self) -> int:
        """How many deals."""
        return sum(self.ns)

    @property
    def total(self) -> Money:
        """Their amounts together."""
        return Money.of_minor(sum(map(mul, self.minors, self.ns)), self.currency)

    @property
    def mean(self) -> Decimal:
        """Their mean, with four digits more than the currency pays."""
        return self._major(Fraction(self.total.minor, self.n), 4)

    @property
    def median(self) -> Decimal:
        """The amount in the middle; of two there, their mean."""
        return self.quantile(0.5)

    @property
    def smallest(self) -> Money:
        """The smallest amount."""
        return Money.of_minor(self.minors[0], self.currency)

    @property
    def largest(self) -> Money:
        """The largest amount."""
        return Money.of_minor(self.minors[-1], self.currency)

    def quantile(self, share: float) -> Decimal:
        """The amount that so large a share of the deals do not exceed, exact.

        Where it lies just between two deals it is the mean of theirs.

        Args:
            share: Strictly between 0 and 1; a float is read by its shortest decimal text.

        Raises:
            SalesPipelineError: It is no such number.

        Source: Hyndman and Fan, The American Statistician 50 (1996) 361-365, definition 2.
        """
        rank = Fraction(repr(check_level(share, "share"))) * self.n
        ends = list(accumulate(self.ns))
        above = self.minors[bisect_right(ends, rank)]
        below = self.minors[bisect_right(ends, rank - 1)] if rank.denominator == 1 else above
        return self._major(Fraction(above + below, 2), 1)

    def _major(self, minor: Fraction, digits: int) -> Decimal:
        places = MINOR_UNITS.get(self.currency, 2)
        return as_decimal(minor / 10**places, places + digits)


@frozen
class DealSizes(Result):
    """How large deals of one outcome are.

    Attributes:
        outcome: How they stand.
        n: How many there are.
        without_amount: How many of them have no amount, and are in no size.
        by_currency: The sizes in each currency.
    """

    outcome: Outcome
    n: int
    without_amount: int
    by_currency: Mapping[str, SizesIn] = field(hash=False)

    def rows(self) -> list[Plain]:
        """One row for each currency."""
        shared = plain({"outcome": self.outcome, "n": self.n, "without": self.without_amount})
        rows = [
            {
                "currency": code,
                "with_amount": each.n,
                "total": each.total.amount,
                "mean": each.mean,
                "smallest": each.smallest.amount,
                "lower_quartile": each.quantile(0.25),
                "median": each.median,
                "upper_quartile": each.quantile(0.75),
                "largest": each.largest.amount,
            }
            for code, each in self.by_currency.items()
        ]
        return [shared | plain(row) for row in rows] or [shared]

    def row(self) -> Plain:
        """Their number and the median in a column for each currency."""
        medians = {code: each.median for code, each in self.by_currency.items()}
        return plain({"outcome": self.outcome, "n": self.n, "median": medians})


@overload
def deal_sizes(
    deals: Iterable[DealHistory] | Tally[Size],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    outcome: Outcome | str = Outcome.WON,
) -> DealSizes: ...


@overload
def deal_sizes(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    outcome: Outcome | str = Outcome.WON,
) -> Groups[Hashable, DealSizes]: ...


@asks()
def deal_sizes(
    deals: Iterable[DealHistory] | Tally[Size],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    outcome: Outcome | str = Outcome.WON,
) -> DealSizes | Groups[Hashable, DealSizes]:
    """How large won deals are, or open or lost ones: mean, median and any other quantile, exact.

    Definition:
        Formula: of the deals of one outcome that have an amount, its sum ÷ their number, and
            the amounts at a share of them in order.
        Denominator: such deals, by currency; those without an amount are counted apart.
        Window: closing in the period; all time without one.
        Bias: a few large deals carry the mean; the median does not move with them. Sizes of lost
            deals are what was asked, those of won ones what was paid.
        Elsewhere: "average deal size", which is the mean of won deals alone.

    Args:
        deals: The histories of deals, or a tally of amounts.
        as_of: The instant to judge from.
        period: The period in which they were closed; of open deals there is none.
        by: A field of the deal to group by, as at closing, or while open as of the instant.
        outcome: Which deals: won, lost or open.

    Returns:
        The sizes by currency.

    Raises:
        InvalidValueError: A period is given for open deals, which are closed in none.
    """
    which = choice(Outcome, outcome, "outcome")
    if period is not None and which is Outcome.OPEN:
        raise InvalidValueError("period", ("open deals are closed in none",))

    def finish(tally: Tally[Size], _level: float) -> DealSizes:
        _check_counted(tally, which)
        return _sizes(_by_currency(tally, which), which)

    if isinstance(deals, Tally):
        return _SIZES.measure(finish, deals, as_of, period, by, 0.95)
    at = utc(as_of, "as_of")
    groups = _groups(deals, at, period, by, which)
    if by is None:
        return stamped(_sizes(groups.get(None, {}), which), at, period)
    sizes = {group: stamped(_sizes(part, which), at, period) for group, part in groups.items()}
    return Groups(sizes, at, period)


_Counts: TypeAlias = dict[str | None, dict[int | None, int]]
"""How many deals there are of each amount, by currency."""
_Standing: TypeAlias = tuple[Outcome, str | None, Mapping[int | None, int]]
"""How many deals of an outcome and a currency there are of each amount."""


def _groups(
    deals: Iterable[DealHistory],
    at: datetime,
    period: Period | None,
    by: str | None,
    outcome: Outcome,
) -> dict[Hashable, _Counts]:
    """The same for each group, of deals closed in a period."""
    groups: dict[Hashable, _Counts] = {}
    for group, _, currency, counts in _placed(deals, at, period, by, outcome):
        groups.setdefault(group, {})[currency] = counts
    return groups


def _placed(
    deals: Iterable[DealHistory],
    at: datetime,
    period: Period | None,
    by: str | None,
    outcome: Outcome | None,
) -> Iterator[tuple[Hashable, Outcome, str | None, dict[int | None, int]]]:
    """How many deals closed in a period are of each amount, by group, outcome and currency."""
    periods = () if period is None else (period,)
    counted = counted_sizes(
        deals, at=at, by=by, by_at=Moment.CLOSING, periods=periods, outcome=outcome
    )
    for (group, stands, closed, currency), counts in counted.items():
        if period is None or closed is not None:
            yield group, stands, currency, counts


def _by_currency(tally: Tally[Size], outcome: Outcome) -> _Counts:
    found: _Counts = {}
    for row, count in tally.rows.items():
        if row.outcome is outcome:
            counts = found.setdefault(row.currency, {})
            counts[row.minor] = counts.get(row.minor, 0) + count.n
    return found


def _check_counted(tally: Tally[Size], *wanted: Outcome) -> None:
    """Refuse a tally in which deals of an outcome wanted were not counted."""
    only = dict(tally.settings)["outcome"]
    if only is not None and wanted != (only,):
        raise InvalidValueError("tally", (f"only deals of outcome {only} were counted",))


def _sizes(counts: _Counts, outcome: Outcome) -> DealSizes:
    without = sum(counts.get(None, {}).values())
    sizes: dict[str, SizesIn] = {}
    for currency, of in sorted(counts.items(), key=lambda each: each[0] or ""):
        if currency is not None:
            minors = tuple(sorted(minor for minor in of if minor is not None))
            sizes[currency] = SizesIn(currency, minors, tuple(of[minor] for minor in minors))
    n = without + sum(each.n for each in sizes.values())
    return DealSizes(outcome, n, without, sizes)


@frozen
class SizeBand(Result):
    """The deals whose amount lies from one threshold up to, and without, the next.

    Attributes:
        low: The lower threshold, or None for the first band.
        high: The upper threshold, or None for the last band.
        won: The won deals of the band.
        lost: The lost ones.
        open: The open ones; none where a period selects closed deals.
        win_rate: Won among closed.
    """

    low: Money | None
    high: Money | None
    won: Amounts
    lost: Amounts
    open: Amounts
    win_rate: Rate

    columns = ("low", "high", "won", "lost", "open", "win_rate")

    def row(self) -> Plain:
        """The thresholds as plain amounts, the counts, the amounts and the rate."""
        low, high = (None if end is None else end.amount for end in (self.low, self.high))
        told = {"won": self.won, "lost": self.lost, "open": self.open, "win_rate": self.win_rate}
        currency = next(end.currency for end in (self.low, self.high) if end is not None)
        return plain({"low": low, "high": high, "currency": currency, **told})


def _thresholds(thresholds: Iterable[Money]) -> tuple[Money, ...]:
    ends = instances(Money, thresholds, "thresholds")
    if not ends:
        raise InvalidValueError("thresholds", ("there is none",))
    currencies = tuple(dict.fromkeys(end.currency for end in ends))
    if len(currencies) > 1:
        raise MixedCurrenciesError(currencies)
    faults = tuple(f"{high} is not more than {low}" for low, high in pairwise(ends) if high <= low)
    if faults:
        raise InvalidValueError("thresholds", faults)
    return ends


@overload
def win_rate_by_size(
    deals: Iterable[DealHistory] | Tally[Size],
    *,
    thresholds: Iterable[Money],
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    rates: Rates | None = None,
    level: float = 0.95,
) -> Table[SizeBand]: ...


@overload
def win_rate_by_size(
    deals: Iterable[DealHistory],
    *,
    thresholds: Iterable[Money],
    as_of: datetime,
    period: Period | None = None,
    by: str,
    rates: Rates | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Table[SizeBand]]: ...


@asks(thresholds=_thresholds)
def win_rate_by_size(
    deals: Iterable[DealHistory] | Tally[Size],
    *,
    thresholds: Iterable[Money],
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    rates: Rates | None = None,
    level: float = 0.95,
) -> Table[SizeBand] | Groups[Hashable, Table[SizeBand]]:
    """The number, the amounts and the win rate of deals by the band that their amount lies in.

    Definition:
        Formula: won ÷ (won + lost), of the deals whose amount lies in the band.
        Denominator: closed deals with an amount in the band; those without an amount are in none.
        Window: closing in the period; all time without one, open deals counted beside.
        Bias: as of the win rate of closed deals; and what was cut to be won lies in a lower band
            than it began in.
        Elsewhere: no vendor known.

    Args:
        deals: The histories of deals, or a tally of amounts.
        thresholds: The amounts, all of one currency, at which a band ends and the next begins.
        as_of: The instant to judge from.
        period: The period in which they were closed.
        by: A field of the deal to group by, as at closing, or while open as of the instant.
        rates: For each other currency, how much of that of the thresholds one unit of it buys;
            they choose the band, and change no amount.
        level: The confidence of the intervals.

    Returns:
        One entry for each band, the lowest first; one more than there are thresholds. Each says
        how many deals were in none for want of an amount.

    Raises:
        InvalidValueError: There is no threshold, or one is not more than the one before it.
        MixedCurrenciesError: Thresholds are of several currencies, or there is no rate for a
            currency.

    >>> from datetime import UTC
    >>> now = datetime(2026, 3, 1, tzinfo=UTC)
    >>> for band in win_rate_by_size([], thresholds=[Money(1000, "EUR")], as_of=now):
    ...     print(band.low, band.high, band.win_rate, sep="; ")
    None; 1,000.00 EUR; none (0 of 0)
    1,000.00 EUR; None; none (0 of 0)
    """
    ends = _thresholds(thresholds)

    def finish(tally: Tally[Size], level: float) -> Table[SizeBand]:
        _check_counted(tally, *Outcome)
        told = ((row.outcome, row.currency, {row.minor: n.n}) for row, n in tally.rows.items())
        return Table(_bands(tuple(told), ends, rates, level))

    if isinstance(deals, Tally):
        return _SIZES.measure(finish, deals, as_of, period, by, level)
    at = utc(as_of, "as_of")
    parts: dict[Hashable, list[_Standing]] = {} if by else {None: []}
    for of, outcome, currency, counts in _placed(deals, at, period, by, None):
        parts.setdefault(of, []).append((outcome, currency, counts))
    found = {
        of: stamped(Table(_bands(part, ends, rates, level)), at, period)
        for of, part in parts.items()
    }
    return found[None] if by is None else Groups(found, at, period)


def _bands(
    told: Sequence[_Standing], ends: tuple[Money, ...], rates: Rates | None, level: float
) -> Iterable[SizeBand]:
    currency = ends[0].currency
    without = sum(sum(counts.values()) for _, code, counts in told if code is None)
    exact = exact_rates(currency, rates, {code for _, code, _ in told if code})
    bounds = {code: _in_minor(ends, code, rate) for code, rate in exact.items()}
    sums: dict[tuple[int, Outcome, str], list[int]] = {}
    for outcome, code, counts in told:
        for minor, n in counts.items():
            if code is not None and minor is not None:
                band = bisect_right(bounds[code], minor)
                sum_ = sums.setdefault((band, outcome, code), [0, 0])
                sum_[0] += n
                sum_[1] += n * minor
    for band, (low, high) in enumerate(pairwise((None, *ends, None))):
        won, lost, open_ = (
            Amounts.of(
                (code, Count(*sums[band, outcome, code]))
                for code in bounds
                if (band, outcome, code) in sums
            )
            for outcome in (Outcome.WON, Outcome.LOST, Outcome.OPEN)
        )
        rate = Rate.of(won.n, won.n + lost.n, level)
        yield SizeBand(
            low, high, won, lost, open_, rate, left_out={"no_amount": without} if without else {}
        )


def _in_minor(ends: Iterable[Money], currency: str, rate: Fraction) -> list[int]:
    """The smallest amount in a currency's minor units that reaches each threshold."""
    unit = rate / 10 ** MINOR_UNITS.get(currency, 2)
    return [ceil(Fraction(end.amount) / unit) for end in ends]
