"""Decay: what is left of the points for an occurrence, by its age in whole days."""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Self

from attrs import field, frozen

from salespipeline._doors import choice
from salespipeline.errors import InvalidValueError, brief
from salespipeline.money import exact
from salespipeline.scoring.points import check_days, shown

_WHOLE = 10_000
"""A share of one, in the ten thousandths that shares are held in."""

_LEAST_SHARE = 100
_PRECISE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MOST_KEPT = 4096
"""How many factors of half-lives are kept, since ledgers ask for the same ones."""

_PLACES = 6
"""To how many decimal places the factor of a half-life is shown."""


class Fading(StrEnum):
    """How points grow less."""

    NONE = "none"
    LINEAR = "linear"
    HALF_LIFE = "half_life"
    EXPIRY = "expiry"


def _way(value: object) -> Fading:
    return choice(Fading, value, "way")


def _after(value: object) -> timedelta | None:
    return None if value is None else check_days(value, "after")


def _share(value: object) -> Decimal | None:
    return None if value is None else shown(_ten_thousandths(value), 4)


def _ten_thousandths(value: object) -> int:
    numerator, denominator = exact(value, "share").as_integer_ratio()
    units, rest = divmod(numerator * _WHOLE, denominator)
    if rest or not _LEAST_SHARE <= units <= _WHOLE:
        fault = f"{brief(str(value))} is not from 0.01 to 1 with at most four places"
        raise InvalidValueError("share", (fault,))
    return units


@frozen
class Decay:
    """How the points for an occurrence grow less with its age.

    Make one with `none`, `linear`, `half_life` or `expiry`. An age counts in whole days of 24
    hours, so the points change at known instants. What is left is rounded to hundredths, a half to
    the even neighbour.

    Attributes:
        way: How they grow less.
        after: The interval, the half-life or the time until they are gone; None without decay.
        share: What part of the points goes at each interval; None unless it is linear.

    Raises:
        InvalidValueError: A length of time is not in whole days or not positive, a share is not
            from 0.01 to 1, or what the way needs is missing.
    """

    way: Fading = field(default=Fading.NONE, converter=_way)
    after: timedelta | None = field(default=None, converter=_after)
    share: Decimal | None = field(default=None, converter=_share)

    def __attrs_post_init__(self) -> None:
        """Refuse a decay that lacks what it needs, or has what it does not use."""
        asked = {
            "after": (self.after, self.way is not Fading.NONE),
            "share": (self.share, self.way is Fading.LINEAR),
        }
        faults = [
            f"{self.way.value!r} {'needs' if needed else 'takes no'} {name!r}"
            for name, (value, needed) in asked.items()
            if (value is not None) is not needed
        ]
        if faults:
            raise InvalidValueError("decay", tuple(faults))

    @classmethod
    def none(cls) -> Self:
        """No decay: the points stay."""
        return cls()

    @classmethod
    def linear(cls, *, every: timedelta, share: Decimal | str | int) -> Self:
        """A share of the first points goes after each interval, until nothing is left.

        Args:
            every: The interval, in whole days.
            share: What part of the first points goes each time, from 0.01 to 1.

        Source: HubSpot, Build lead scores: 10 points that lose 50 % a month are 10, 5, then 0.

        >>> monthly = Decay.linear(every=timedelta(days=30), share="0.5")
        >>> [str(monthly.factor(age_days)) for age_days in (29, 30, 59, 60)]
        ['1', '0.5', '0.5', '0']
        """
        return cls(Fading.LINEAR, every, share)

    @classmethod
    def half_life(cls, time: timedelta) -> Self:
        """Half of what is left goes in each such time, a little every day.

        >>> [str(Decay.half_life(timedelta(days=10)).factor(age_days)) for age_days in (0, 5, 20)]
        ['1', '0.707107', '0.25']
        """
        return cls(Fading.HALF_LIFE, time)

    @classmethod
    def expiry(cls, time: timedelta) -> Self:
        """All points go at once when so much time has passed.

        Source: ActiveCampaign, Contact and deal scoring (points that expire after a time).
        """
        return cls(Fading.EXPIRY, time)

    def factor(self, age_days: int) -> Decimal:
        """What part of the points is left at an age; of a half-life to six decimal places."""
        days = self._days
        if self.way is Fading.LINEAR:
            return shown(self._left(age_days // days), 4)
        if self.way is Fading.HALF_LIFE:
            left = _PRECISE.scaleb(_halved(age_days, self._days), _PLACES)
            return shown(int(_PRECISE.to_integral_value(left)), _PLACES)
        return Decimal(int(self.way is Fading.NONE or age_days < days))

    def worths(self, units: int) -> list[int]:
        """What is left of points at each age in whole days, in the unit that they are given in.

        Args:
            units: The points at the age of 0, in hundredths.

        Returns:
            One number per day of age; the last is the worth at every later age.
        """
        if self.way is Fading.NONE or not units:
            return [units]
        if self.way is Fading.EXPIRY:
            return [*[units] * self._days, 0]
        if self.way is Fading.LINEAR:
            return self._steps(units)
        return self._halves(units)

    @property
    def _days(self) -> int:
        return 0 if self.after is None else self.after.days

    def _left(self, intervals: int) -> int:
        """What is left after so many intervals, in ten thousandths."""
        gone = 0 if self.share is None else _ten_thousandths(self.share)
        return max(0, _WHOLE - intervals * gone)

    def _steps(self, units: int) -> list[int]:
        worths: list[int] = []
        intervals = 0
        while left := self._left(intervals):
            worths += [round(Fraction(units * left, _WHOLE))] * self._days
            intervals += 1
        return [*worths, 0]

    def _halves(self, units: int) -> list[int]:
        roots = [_halved(part, self._days) for part in range(self._days)]
        worths: list[int] = []
        scale = Decimal(units)
        while not worths or worths[-1]:
            worths += [
                int(_PRECISE.to_integral_value(_PRECISE.multiply(root, scale))) for root in roots
            ]
            scale = _PRECISE.divide(scale, 2)
        first = worths.index(0)
        return worths[: first + 1]


@lru_cache(maxsize=_MOST_KEPT)
def _halved(age_days: int, half_life_days: int) -> Decimal:
    """The factor of a half-life, exact after whole half-lives, else to 60 digits."""
    whole, part = divmod(age_days, half_life_days)
    root = _PRECISE.power(2, _PRECISE.divide(-part, half_life_days)) if part else Decimal(1)
    return _PRECISE.divide(root, _PRECISE.power(2, whole))
