"""What a forecast says: an amount of money for each run, or its mean and standard deviation."""

from bisect import bisect_left
from fractions import Fraction
from math import ceil, sqrt
from typing import ClassVar

from attrs import Factory, field, frozen

from salespipeline._doors import instance
from salespipeline.errors import MixedCurrenciesError
from salespipeline.intervals import check_level
from salespipeline.metrics._figure import Rate
from salespipeline.metrics._result import Result
from salespipeline.money import Money


@frozen(kw_only=True)
class Spread(Result):
    """The amounts that runs came to.

    Attributes:
        currency: Their currency.
        drawn: The amount of each run in minor units, in the order of the runs.
        ordered: The same, the least first.
    """

    currency: str
    drawn: tuple[int, ...] = field(repr=False)
    ordered: tuple[int, ...] = field(
        init=False, eq=False, repr=False,
        default=Factory(lambda self: tuple(sorted(self.drawn)), takes_self=True),
    )  # fmt: skip

    columns: ClassVar[tuple[str, ...]] = ("mean", "p10", "p50", "p90")

    @property
    def mean(self) -> Money:
        """The mean of the runs, rounded to what the currency can pay."""
        return _money(Fraction(sum(self.drawn), len(self.drawn)), self.currency)

    @property
    def deviation(self) -> Money:
        """The standard deviation of the runs, rounded likewise."""
        n, total = len(self.drawn), sum(self.drawn)
        square = Fraction(sum(each * each for each in self.drawn), n) - Fraction(total, n) ** 2
        return _money(Fraction(sqrt(square)), self.currency)

    def quantile(self, share: float) -> Money:
        """The least amount that at least such a share of the runs does not exceed.

        Raises:
            WrongTypeError: The share is no number.
            InvalidValueError: It is not between 0 and 1.
        """
        place = ceil(check_level(share, "share") * len(self.ordered)) - 1
        return Money.of_minor(self.ordered[max(0, place)], self.currency)

    @property
    def p10(self) -> Money:
        """What nine runs in ten reach."""
        return self.quantile(0.1)

    @property
    def p50(self) -> Money:
        """What half of the runs reach."""
        return self.quantile(0.5)

    @property
    def p90(self) -> Money:
        """What one run in ten exceeds."""
        return self.quantile(0.9)

    def chance_of(self, quota: Money) -> Rate:
        """The share of the runs that reach a quota, with the interval for so many runs.

        The interval says how much more runs would tell, not what the history leaves unsaid.

        Raises:
            WrongTypeError: The quota is no money.
            MixedCurrenciesError: It is in another currency.
        """
        wanted = instance(Money, quota, "quota")
        if wanted.currency != self.currency:
            raise MixedCurrenciesError((self.currency, wanted.currency))
        below = bisect_left(self.ordered, wanted.minor)
        return Rate.of(len(self.ordered) - below, len(self.ordered))


@frozen
class Baseline(Result):
    """A forecast of another kind, told as a mean and a standard deviation.

    Attributes:
        mean: The mean.
        deviation: The standard deviation, or None where it cannot be told.
        n: How many deals, or periods, are under it.
    """

    mean: Money
    deviation: Money | None
    n: int

    columns = ("mean", "deviation", "p10", "p50", "p90", "n")

    def quantile(self, share: float) -> Money | None:
        """The normal quantile: the mean less or plus deviations; None without a deviation.

        Raises:
            WrongTypeError: The share is no number.
            InvalidValueError: It is not between 0 and 1.
        """
        from statistics import NormalDist  # noqa: PLC0415 - importing it takes long

        z = NormalDist().inv_cdf(check_level(share, "share"))
        if self.deviation is None:
            return None
        minor = round(self.mean.minor + z * self.deviation.minor)
        return Money.of_minor(minor, self.mean.currency)

    @property
    def p10(self) -> Money | None:
        """The mean less 1.28 deviations."""
        return self.quantile(0.1)

    @property
    def p50(self) -> Money:
        """The mean."""
        return self.mean

    @property
    def p90(self) -> Money | None:
        """The mean and 1.28 deviations."""
        return self.quantile(0.9)


def _money(minor: Fraction, currency: str) -> Money:
    return Money.of_minor(round(minor), currency)


def baseline(minor: Fraction | int, variance: float | None, n: int, currency: str) -> Baseline:
    """A mean and a variance in minor units as a baseline."""
    deviation = None if variance is None else _money(Fraction(sqrt(variance)), currency)
    return Baseline(_money(Fraction(minor), currency), deviation, n)
