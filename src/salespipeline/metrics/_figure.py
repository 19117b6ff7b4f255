"""How a figure is made: records are counted into a tally, and the tally is finished."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from functools import update_wrapper
from inspect import signature
from typing import Any, Generic, Protocol, Self, TypeVar, cast, overload

from attrs import field, frozen

from salespipeline._doors import choice, instance, instances
from salespipeline._record import Record
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError, brief
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.intervals import Interval, clustered, jeffreys, wilson
from salespipeline.metrics._result import Groups, Plain, Result, plain, stamped
from salespipeline.money import MINOR_UNITS, Money, exact, total
from salespipeline.periods import Period, check_zone
from salespipeline.tallies import Count, Moment, Tally
from salespipeline.tallies._asking import asks

H = TypeVar("H")
T = TypeVar("T")


@frozen
class Number(Result):
    """How many there are.

    Attributes:
        n: The number.
    """

    n: int

    columns = ("n",)

    def __str__(self) -> str:
        """The number."""
        return f"{self.n:,}"


class RateInterval(StrEnum):
    """How the interval of a rate is computed where each record is a trial of its own."""

    WILSON = "wilson"
    JEFFREYS = "jeffreys"


_PLAIN = {RateInterval.WILSON: wilson, RateInterval.JEFFREYS: jeffreys}


@frozen
class Rate(Result):
    """A share of a whole, with its counts and its interval.

    Attributes:
        numerator: How many.
        denominator: Of how many.
        interval: Its interval, or None where the denominator is 0, or where its records are
            clustered and there are fewer than 5 clusters.
        clusters: In how many clusters they are, where the interval goes by them; else None.
    """

    numerator: int
    denominator: int
    interval: Interval | None
    clusters: int | None = None

    columns = ("value", "numerator", "denominator", "interval")

    def row(self) -> Plain:
        """Its row; with the number of clusters where the interval goes by them."""
        told = super().row()
        return told if self.clusters is None else told | {"clusters": self.clusters}

    @classmethod
    def of(
        cls,
        numerator: int,
        denominator: int,
        level: float = 0.95,
        method: RateInterval | str = RateInterval.WILSON,
    ) -> "Rate":
        """The rate of two counts, with Wilson's interval or Jeffreys'."""
        interval = _PLAIN[choice(RateInterval, method, "method")]
        return cls(numerator, denominator, interval(numerator, denominator, level))

    @classmethod
    def of_clusters(cls, pairs: Iterable[tuple[int, int]], level: float = 0.95) -> "Rate":
        """The rate of clusters, each with how many and of how many, and how far they differ.

        Its interval is None with fewer than 5 clusters: too few to tell how far they differ.
        """
        counts = cast("tuple[tuple[int, int], ...]", instances(tuple, pairs, "pairs"))
        interval = clustered(counts, level)
        numerator, denominator = (sum(pair[place] for pair in counts) for place in (0, 1))
        clusters = sum(1 for _, trials in counts if trials)
        return cls(numerator, denominator, interval, clusters)

    @property
    def value(self) -> float | None:
        """The rate from 0 to 1, or None where the denominator is 0."""
        return self.numerator / self.denominator if self.denominator else None

    def __str__(self) -> str:
        """The rate in percent, its counts and its interval."""
        counts = f"{self.numerator:,} of {self.denominator:,}"
        if self.value is None:
            return f"none ({counts})"
        if self.clusters is not None:
            counts += f" in {self.clusters:,} clusters"
        if self.interval is None:
            return f"{self.value:.1%} ({counts}; no interval)"
        low, high = self.interval.low or 0.0, self.interval.high or 0.0
        return f"{self.value:.1%} ({counts}; {low:.1%} to {high:.1%})"


@frozen
class Amounts(Result):
    """How many deals there are, and their amounts by currency.

    Attributes:
        n: The number of deals.
        by_currency: For each currency, the number of deals with an amount in it, and the sum.
        without_amount: The number of deals without an amount.
    """

    n: int
    by_currency: Mapping[str, tuple[int, Money]] = field(hash=False)
    without_amount: int

    def rows(self) -> list[Plain]:
        """One row for each currency, and, where there are such, one for those without amount."""
        known = [
            plain({"currency": currency, "n": n, "amount": amount.amount})
            for currency, (n, amount) in self.by_currency.items()
        ]
        none = plain({"currency": None, "n": self.without_amount, "amount": None})
        return [*known, none] if self.without_amount or not known else known

    def row(self) -> Plain:
        """Their number, and the sum in a column for each currency."""
        sums = {currency: amount.amount for currency, (_, amount) in self.by_currency.items()}
        return plain({"n": self.n, "without_amount": self.without_amount, **sums})

    @classmethod
    def of(cls, counts: Iterable[tuple[str | None, Count]]) -> Self:
        """The amounts of rows by currency."""
        sums: dict[str | None, Count] = {}
        for currency, count in counts:
            sums[currency] = sums.get(currency, Count(0)) + count
        by_currency = {
            currency: (count.n, Money.of_minor(count.minor, currency))
            for currency, count in sorted(sums.items(), key=lambda each: each[0] or "")
            if currency is not None
        }
        without = sums.get(None, Count(0)).n
        return cls(sum(count.n for count in sums.values()), by_currency, without)

    def total(
        self, currency: str | None = None, rates: Mapping[str, Decimal | int | str] | None = None
    ) -> Money | None:
        """The sum in one currency; None where no deal has an amount.

        Args:
            currency: The currency wanted; needed where there are several.
            rates: For each other currency, how much of ``currency`` one unit of it buys.

        Raises:
            MixedCurrenciesError: There are several currencies, and no rate for one of them.
        """
        sums = (amount for _, amount in self.by_currency.values())
        return total(sums, currency=currency, rates=rates)

    def mean(
        self, currency: str | None = None, rates: Mapping[str, Decimal | int | str] | None = None
    ) -> Decimal | None:
        """The mean of those with an amount, with four digits more than the currency pays.

        Args:
            currency: The currency wanted; needed where there are several.
            rates: For each other currency, how much of ``currency`` one unit of it buys.

        Raises:
            MixedCurrenciesError: There are several currencies, and no rate for one of them.
        """
        whole = self.total(currency, rates)
        if whole is None:
            return None
        mean = Fraction(whole.amount) / (self.n - self.without_amount)
        return as_decimal(mean, MINOR_UNITS.get(whole.currency, 2) + 4)


@frozen
class AverageSize(Amounts):
    """Amounts of which the mean was asked for, so that its rows tell it."""

    def rows(self) -> list[Plain]:
        """One row for each currency with the mean and the sum; and for those without amount."""
        means = self._means()
        return [row | {"mean": means.get(str(row["currency"]))} for row in Amounts.rows(self)]

    def row(self) -> Plain:
        """Their number, and the mean in a column for each currency."""
        return plain({"n": self.n, "without_amount": self.without_amount, **self._means()})

    def _means(self) -> dict[str, Decimal]:
        """The mean of each currency, rounded to what it pays."""
        return {
            currency: Money.rounded(Fraction(amount.amount) / n, currency).amount
            for currency, (n, amount) in self.by_currency.items()
        }


def as_decimal(number: Fraction, places: int) -> Decimal:
    """A fraction as a decimal number of so many places, halves to even, whatever its size."""
    scaled = round(number * 10**places)
    with localcontext() as context:
        context.prec = max(28, len(str(scaled)) + 1)
        return Decimal(scaled).scaleb(-places)


def as_fraction(value: object, name: str) -> Fraction:
    """A plain number as an exact fraction; a float is read by its shortest decimal text.

    Raises:
        SalesPipelineError: It is no finite number.
    """
    if isinstance(value, Fraction):
        return value
    shortest = float.__repr__(value) if isinstance(value, float) else value
    return Fraction(exact(shortest, name))


class DealFigure(Protocol[T]):
    """What every figure of deals can be asked with."""

    @overload
    def __call__(
        self,
        deals: "Iterable[DealHistory] | Tally[Any]",
        *,
        as_of: datetime | None = None,
        period: Period | None = None,
        by: None = None,
        zone: tzinfo = UTC,
        resolution: timedelta | None = None,
        level: float = 0.95,
    ) -> T: ...

    @overload
    def __call__(
        self,
        deals: Iterable[DealHistory],
        *,
        as_of: datetime,
        period: Period | None = None,
        by: str,
        zone: tzinfo = UTC,
        resolution: timedelta | None = None,
        level: float = 0.95,
    ) -> Groups[Hashable, T]: ...


class ContactFigure(Protocol[T]):
    """What every figure of contacts can be asked with."""

    @overload
    def __call__(
        self,
        contacts: "Iterable[ContactHistory] | Tally[Any]",
        *,
        as_of: datetime | None = None,
        period: Period | None = None,
        by: None = None,
        zone: tzinfo = UTC,
        resolution: timedelta | None = None,
        level: float = 0.95,
    ) -> T: ...

    @overload
    def __call__(
        self,
        contacts: Iterable[ContactHistory],
        *,
        as_of: datetime,
        period: Period | None = None,
        by: str,
        zone: tzinfo = UTC,
        resolution: timedelta | None = None,
        level: float = 0.95,
    ) -> Groups[Hashable, T]: ...


class RateFigure(Protocol):
    """What every rate of deals can be asked with.

    Beside what every figure takes: ``cluster``, a field whose values make the clusters that the
    interval goes by, or ``interval``, wilson or jeffreys where each record is its own trial.
    """

    @overload
    def __call__(
        self,
        deals: "Iterable[DealHistory] | Tally[Any]",
        *,
        as_of: datetime | None = None,
        period: Period | None = None,
        by: None = None,
        cluster: str | None = None,
        interval: RateInterval | str | None = None,
        zone: tzinfo = UTC,
        resolution: timedelta | None = None,
        level: float = 0.95,
    ) -> Rate: ...

    @overload
    def __call__(
        self,
        deals: Iterable[DealHistory],
        *,
        as_of: datetime,
        period: Period | None = None,
        by: str,
        cluster: str | None = None,
        interval: RateInterval | str | None = None,
        zone: tzinfo = UTC,
        resolution: timedelta | None = None,
        level: float = 0.95,
    ) -> Groups[Hashable, Rate]: ...


@frozen
class Counting(Generic[H]):
    """How the records of a figure are counted.

    Attributes:
        count: The function that counts them.
        by_at: When a record's group is read.
        over: The column that a period selects from, or None where no period applies.
        durations: Whether zone and resolution matter to it.
        clusters: Whether it can be counted by clusters.
        lean: What counts no more of records than the figures need; ``count`` if None.
        kind: The kind of record.
    """

    count: Callable[..., Tally[Any]]
    by_at: Moment | None
    over: str | None
    durations: bool = False
    clusters: bool = False
    lean: Callable[..., Tally[Any]] | None = None
    kind: type[Record] = Deal

    @overload
    def figure(
        self: "Counting[DealHistory]", finish: Callable[[Tally[Any], float], T]
    ) -> DealFigure[T]: ...

    @overload
    def figure(
        self: "Counting[ContactHistory]", finish: Callable[[Tally[Any], float], T]
    ) -> ContactFigure[T]: ...

    def figure(self, finish: Callable[[Tally[Any], float], Any]) -> Any:
        """Make a figure of records out of what finishes a tally."""

        def measured(
            records: Iterable[Any] | Tally[Any],
            *,
            as_of: datetime | None = None,
            period: Period | None = None,
            by: str | None = None,
            zone: tzinfo = UTC,
            resolution: timedelta | None = None,
            level: float = 0.95,
        ) -> T | Groups[Hashable, T]:
            options = self._options(zone, resolution)
            return self.measure(finish, records, as_of, period, by, level, **options)

        told = self._named_as(finish, measured, finish.__annotations__["return"])
        return asks(self.kind)(told)

    def rate(self, hits: Callable[[Any], bool | None]) -> RateFigure:
        """Make a rate of records out of what says of a row of the tally whether it is a hit.

        Args:
            hits: True for the rows in the numerator, None for those not in the denominator.
        """

        def measured(
            records: Iterable[Any] | Tally[Any],
            *,
            as_of: datetime | None = None,
            period: Period | None = None,
            by: str | None = None,
            cluster: str | None = None,
            interval: RateInterval | str | None = None,
            zone: tzinfo = UTC,
            resolution: timedelta | None = None,
            level: float = 0.95,
        ) -> Rate | Groups[Hashable, Rate]:
            options = self._options(zone, resolution) | self._clustering(cluster, interval)
            asked = RateInterval.WILSON if interval is None else interval
            method = choice(RateInterval, asked, "interval")

            def finish(tally: Tally[Any], level: float) -> Rate:
                found = ((row, hits(row), count.n) for row, count in tally.rows.items())
                told = [(row, hit, n) for row, hit, n in found if hit is not None]
                if cluster is not None:
                    return Rate.of_clusters(_pairs(told), level)
                numerator = sum(n for _, hit, n in told if hit)
                return Rate.of(numerator, sum(n for _, _, n in told), level, method)

            return self.measure(finish, records, as_of, period, by, level, **options)

        told = self._named_as(hits, measured, Rate)
        return cast("RateFigure", asks(self.kind, interval=RateInterval)(told))

    def _named_as(
        self, shown: Callable[..., object], measured: Callable[..., object], gives: object
    ) -> Any:
        """What measures, as a module's reader sees it: its name, its description, its records."""
        update_wrapper(measured, shown, ("__module__", "__name__", "__qualname__", "__doc__"))
        del measured.__wrapped__  # type: ignore[attr-defined] # its own signature is to be shown
        measured.__annotations__["return"] = gives
        usual = signature(measured)
        records, *options = usual.parameters.values()
        named = [records.replace(name=f"{self.kind.kind}s"), *options]
        told = usual.replace(parameters=named, return_annotation=gives)
        measured.__signature__ = told  # type: ignore[attr-defined]
        return measured

    def _clustering(self, cluster: object, interval: object) -> dict[str, object]:
        if cluster is None:
            return {}
        if not self.clusters:
            raise InvalidValueError("cluster", ("this figure is not counted by clusters",))
        if interval is not None:
            fault = f"{brief(interval)} takes each record for a trial of its own; clusters do not"
            raise InvalidValueError("interval", (fault,))
        return {"cluster": cluster}

    def _options(self, zone: tzinfo, resolution: timedelta | None) -> dict[str, object]:
        if self.durations:
            return {"zone": zone, "resolution": resolution}
        if resolution is not None:
            raise InvalidValueError("resolution", ("this figure measures no durations",))
        check_zone(zone)
        return {}

    def measure(
        self,
        finish: Callable[[Tally[Any], float], T],
        records: Iterable[Any] | Tally[Any],
        as_of: datetime | None,
        period: Period | None,
        by: str | None,
        level: float,
        /,
        **options: object,
    ) -> T | Groups[Hashable, T]:
        """The figure of records or of a tally of them, or one for each group."""
        if period is not None and self.over is None:
            raise InvalidValueError("period", ("this figure is of an instant, not of a period",))
        if isinstance(records, Tally):
            tally = self._given(records, as_of, by, options)
        else:
            tally = self._counted(records, as_of, period, by, options)
        tally = self.select(tally, period)
        if by is None:
            return stamped(finish(tally, level), tally.as_of, period)
        groups = tally.groups().items()
        results = {of: stamped(finish(part, level), tally.as_of, period) for of, part in groups}
        return Groups(results, tally.as_of, period)

    def beside(
        self,
        finish: Callable[[Tally[Any], float], T],
        records: Iterable[Any] | Tally[Any],
        as_of: datetime | None,
        period: Period | None,
        by: str | None,
        level: float,
        /,
        **options: object,
    ) -> T | Groups[Hashable, T]:
        """As `measure`, of a figure that itself takes the rows of a period from several columns."""
        periods = () if period is None else (instance(Period, period, "period"),)
        found = self.measure(finish, records, as_of, None, by, level, **options, periods=periods)
        return stamped(found, None, period)

    def _counted(
        self,
        records: Iterable[Any],
        as_of: datetime | None,
        period: Period | None,
        by: str | None,
        options: Mapping[str, object],
    ) -> Tally[Any]:
        asked: dict[str, object] = {"as_of": as_of, "by": by, **options}
        if self.by_at is not None:
            asked["by_at"] = self.by_at
        if self.over is not None:
            asked["periods"] = () if period is None else (period,)
        return (self.lean or self.count)(records, **asked)

    def _given(
        self,
        tally: Tally[Any],
        as_of: datetime | None,
        by: str | None,
        options: Mapping[str, object],
    ) -> Tally[Any]:
        faults: list[str] = []
        if tally.name != self.count.__name__:
            faults.append(f"it counts {tally.name}, and this figure needs {self.count.__name__}")
        if as_of is not None and as_of != tally.as_of:
            faults.append(f"it was counted as of {tally.as_of.isoformat()}")
        if options.get("zone", UTC) not in (UTC, tally.zone):
            faults.append(f"it was counted in the zone {tally.zone}")
        if options.get("resolution") not in (None, tally.resolution):
            faults.append(f"it was counted with the resolution {tally.resolution or 'of days'}")
        counted = dict(tally.settings)
        faults += [
            f"it was not counted with {name}={brief(options[name])}"
            for name in ("cluster", "causes")
            if options.get(name) and _settled(counted.get(name)) != options[name]
        ]
        if by is not None:
            faults.append("it is counted already: give by= when counting, and use its groups()")
        if faults:
            raise InvalidValueError("tally", tuple(faults))
        return tally

    def select(self, tally: Tally[Any], period: Period | None) -> Tally[Any]:
        """The part of a tally that lies in one of its periods; all of it without a period."""
        if period is None:
            return tally
        if instance(Period, period, "period") not in tally.periods:
            raise UnknownKeyError("period of the tally", period, tally.periods)
        number, over = tally.periods.index(period), cast("str", self.over)
        return tally.where(lambda row: getattr(row, over) == number)


def _settled(setting: object) -> object:
    """A setting of a tally as it was asked for: pairs were a mapping."""
    return dict(cast("Any", setting)) if isinstance(setting, tuple) else setting


def _pairs(told: Iterable[tuple[Any, bool, int]]) -> list[tuple[int, int]]:
    """How many hits of how many each cluster has; a record without one is its own."""
    clusters: dict[Hashable, tuple[int, int]] = {}
    alone: list[tuple[int, int]] = []
    for row, hit, n in told:
        if row.cluster is None:
            alone += [(int(hit), 1)] * n
        else:
            hits, of = clusters.get(row.cluster, (0, 0))
            clusters[row.cluster] = hits + n * hit, of + n
    return [*clusters.values(), *alone]
