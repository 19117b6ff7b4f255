"""What is known at the origin of a forecast."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from fractions import Fraction

from attrs import frozen

from salespipeline.errors import InvalidValueError, MixedCurrenciesError
from salespipeline.history import DealHistory
from salespipeline.metrics._forecasting import Plan, Standing, arrivals, estimated_sigma, ratios
from salespipeline.metrics._learned import Learned, Stand
from salespipeline.metrics._tracks import Track, dates, tracks
from salespipeline.money import Money, check_currency, exact_rates
from salespipeline.periods import Period, days_between
from salespipeline.pipelines import Outcome, Pipeline
from salespipeline.tallies._counting import grouping

_QUARTER = timedelta(days=365.25 / 4)
_MOST_DAYS = 1_100


@frozen(eq=False)
class Purse:
    """Amounts in one currency.

    Attributes:
        currency: The currency.
        rates: The exact rate of each currency into it.
    """

    currency: str
    rates: Mapping[str, Fraction]

    @classmethod
    def of(cls, amounts: Iterable[Money], currency: str | None, rates: object) -> "Purse":
        """The purse that holds such amounts.

        Raises:
            MixedCurrenciesError: There are several currencies, and none is asked for, or no
                rate for one of them.
            InvalidValueError: There is no amount, and no currency is asked for.
        """
        met = sorted({amount.currency for amount in amounts})
        if currency is not None:
            wanted = check_currency(currency)
        elif len(met) > 1:
            raise MixedCurrenciesError(tuple(met))
        elif met:
            wanted = met[0]
        else:
            raise InvalidValueError("forecast", ("no deal has an amount; give a currency",))
        return cls(wanted, exact_rates(wanted, rates, met))

    def minor(self, amount: Money | None) -> int | None:
        """An amount in minor units of the currency, rounded to what it can pay."""
        if amount is None or amount.currency == self.currency:
            return None if amount is None else amount.minor
        converted = Fraction(amount.amount) * self.rates[amount.currency]
        return Money.rounded(converted, self.currency).minor


def days_ahead(at: datetime, period: Period, zone: tzinfo) -> tuple[int, int]:
    """The days ahead that lie before a period, and those until its end.

    Raises:
        InvalidValueError: The period is over at the origin, or ends more than three years later.
    """
    if period.end <= at:
        fault = f"it is over by {at.isoformat()}: what was won in it is known"
        raise InvalidValueError("period", (fault,))
    days = max(1, days_between(at, period.end, zone))
    if days > _MOST_DAYS:
        fault = f"it ends {days:,} days ahead; a forecast reaches {_MOST_DAYS:,} days"
        raise InvalidValueError("period", (fault,))
    return max(0, days_between(at, period.start, zone)), days


@frozen(eq=False)
class Origin:
    """What is known at the origin of a forecast.

    Attributes:
        at: The instant.
        period: The period to forecast.
        zone: The zone whose calendar dates make days.
        found: The ways that deals took until then, in the order of their ids.
        groups: The groups, by what they are called, with their numbers.
        group: What the group of a deal is called.
        purse: The amounts.
        learned: What the ways tell.
    """

    at: datetime
    period: Period
    zone: tzinfo
    found: Sequence[Track]
    groups: Mapping[Hashable, int]
    group: Callable[[Track], Hashable]
    purse: Purse
    learned: Learned

    @classmethod
    def of(
        cls,
        deals: Iterable[DealHistory],
        at: datetime,
        period: Period,
        zone: tzinfo,
        pipelines: Mapping[str, Pipeline],
        by: str | None,
        currency: str | None,
        rates: object,
        *,
        needed: bool = True,
    ) -> "Origin":
        """What is known of deals.

        Raises:
            InvalidValueError: Nothing has been won yet, though it is needed.
        """
        told = grouping(by)
        found = sorted(tracks(deals, at, pipelines, zone), key=_place)
        if needed and not any(track.outcome is Outcome.WON for track in found):
            fault = f"no deal has been won by {at.isoformat()}: nothing tells a chance of it"
            raise InvalidValueError("forecast", (fault,))
        asked = (
            amount
            for track in found
            if track.outcome is not Outcome.LOST
            for amount in quoted(track)
        )
        purse = Purse.of(asked, currency, rates)

        def group(track: Track) -> Hashable:
            return told and told(track.course, track.closing or track.course.known[-1])

        names = dict.fromkeys(map(group, found))
        groups = {name: number for number, name in enumerate(names)}
        return cls(at, period, zone, found, groups, group, purse, Learned.of(found))

    @property
    def has_won(self) -> bool:
        """Whether any deal has been won."""
        return any(track.outcome is Outcome.WON for track in self.found)

    @property
    def quarters(self) -> float:
        """How many quarters of a year the history holds."""
        begun: datetime = min(track.course.known[0].at for track in self.found)
        return (self.at - begun) / _QUARTER

    def plan(self, shock: float | None, arrival_days: int | None) -> Plan:
        """What the runs are drawn from.

        Args:
            shock: The standard deviation of a shock; None to estimate it.
            arrival_days: From how many days to tell how deals come; None to leave them out.
        """
        before, days = days_ahead(self.at, self.period, self.zone)
        found, minor = self.found, self.purse.minor
        sigma = estimated_sigma(found, self.learned.model) if shock is None else shock
        sizes = sorted(
            size
            for track in found
            if track.outcome is Outcome.WON and (size := minor(track.amount)) is not None
        )
        coming = None
        if arrival_days is not None and sizes:
            coming = arrivals(found, self.at, arrival_days, self.groups, self.group)
        return Plan(
            self.learned, list(self._standing()), len(self.groups), coming, sizes,
            ratios(found, minor, dates(self.zone)), before, days,
            sigma * (1 + 1 / max(1.0, self.quarters)) ** 0.5,
        )  # fmt: skip

    def _standing(self) -> Iterable[Standing]:
        for track in self.found:
            size = self.purse.minor(track.amount)
            if track.outcome is Outcome.OPEN and size is not None:
                yield Standing(Stand.of(track), size, self.groups[self.group(track)])

    def won(self) -> list[int]:
        """What was won in the period by the origin, by the group's number."""
        sums = [0] * len(self.groups)
        for track in self.found:
            if won_in(track, self.period):
                sums[self.groups[self.group(track)]] += self.purse.minor(track.amount) or 0
        return sums

    def left_out(self) -> dict[str, int]:
        """How many deals, and visits, could not be used, by reason."""
        reasons: Counter[str] = Counter()
        for track in self.found:
            ahead = track.outcome is Outcome.OPEN
            meant = ahead or won_in(track, self.period)
            reasons["without_amount"] += meant and track.amount is None
            reasons["without_chance"] += ahead and Stand.of(track).asked(self.learned.model) is None
        visits = {f"visit_{why}": n for why, n in self.learned.left_out.items()}
        return {why: n for why, n in reasons.items() if n} | visits


def won_in(track: Track, period: Period) -> bool:
    """Whether a deal was won in a period."""
    closing = track.closing if track.outcome is Outcome.WON else None
    return closing is not None and period.start <= closing.at < period.end


def quoted(track: Track) -> Iterable[Money]:
    """Every amount that a deal was said to be worth."""
    for event in track.course.known:
        amount = getattr(event, "amount", None)
        if isinstance(amount, Money):
            yield amount


def _place(track: Track) -> tuple[str, int, int]:
    return track.deal, track.opened, len(track.course.known)
