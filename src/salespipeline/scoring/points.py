"""Points: whole hundredths inside, so that sums are exact; decimals outside."""

from datetime import timedelta
from decimal import Decimal

from salespipeline._doors import instance
from salespipeline._kinds import check_text, told_text
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.money import exact

MOST_POINTS = 1_000_000
"""How many points a rule, a cap or a threshold may have, above or below 0."""

MOST_DAYS = 3_650
"""How many days an interval, a half-life, a window or an expiry may have."""


def check_points(value: object, name: str) -> Decimal:
    """An exact number of points, with at most two decimal places, in its shortest form.

    Raises:
        WrongTypeError: It is a float, a bool or no number.
        InvalidValueError: It has more than two decimal places, or is beyond a million.
    """
    numerator, denominator = exact(value, name).as_integer_ratio()
    units, rest = divmod(numerator * 100, denominator)
    if rest or not -MOST_POINTS * 100 <= units <= MOST_POINTS * 100:
        fault = f"{brief(str(value))} is not from -1,000,000 to 1,000,000 with at most two places"
        raise InvalidValueError(name, (fault,))
    return shown(units)


def hundredths(points: Decimal) -> int:
    """Points as whole hundredths, whatever the precision of the caller's decimal context."""
    numerator, denominator = points.as_integer_ratio()
    return numerator * 100 // denominator


def shown(units: int, places: int = 2) -> Decimal:
    """Whole hundredths, or other decimal fractions, as a `Decimal` without zeros at its end."""
    while places and units % 10 == 0:
        units, places = units // 10, places - 1
    return Decimal(f"{units}E-{places}") if places else Decimal(units)


def check_days(value: object, name: str) -> timedelta:
    """A length of time in whole days of 24 hours, from one day to ten years.

    Raises:
        WrongTypeError: It is no `timedelta`.
        InvalidValueError: It is not in whole days, not positive, or too long.
    """
    given = instance(timedelta, value, name)
    if given.seconds or given.microseconds or not 1 <= given.days <= MOST_DAYS:
        fault = f"{brief(given)} is not from 1 to {MOST_DAYS:,} whole days"
        raise InvalidValueError(name, (fault,))
    return timedelta(given.days)


def check_label(value: object, name: str) -> str:
    """A name that any document can hold.

    Raises:
        WrongTypeError: It is no text, empty, or too long.
    """
    if not told_text(value):
        raise WrongTypeError(name, "text that is not empty", value)
    return check_text(value, name)
