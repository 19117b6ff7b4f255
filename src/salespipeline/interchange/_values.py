"""Values that say of what kind they are: attributes, and what a denial found and expected.

Text, true, false, null and whole numbers up to 2 ** 53 - 1 are written as JSON has them, several
values as an array. All else is an object of ``kind`` and ``value``.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, cast

from salespipeline._doors import LARGEST_WHOLE
from salespipeline._plain import Faults, plain_condition, read_condition
from salespipeline.conditions import AllOf, AnyOf, Named, Test
from salespipeline.interchange._documents import by_utf_16
from salespipeline.money import MINOR_UNITS, Money
from salespipeline.periods import utc

DEEPEST_VALUE = 8
"""How many arrays may stand inside each other, as in `salespipeline.attributes`."""

END = r"(?![\s\S])"
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", re.ASCII
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
DECIMAL_PATTERN = r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?"
SCIENTIFIC_PATTERN = r"-?[1-9][0-9]{0,999}E(?:0|-?[1-9][0-9]{0,6})"
WHOLE_PATTERN = r"-?[1-9][0-9]{15,999}"
FLOAT_PATTERN = r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:e[+-]?[0-9]{1,3})?"
FRACTION_PATTERN = r"-?(?:0|[1-9][0-9]{0,14})\.(?=[0-9]*[1-9])[0-9]{1,6}"
_FRACTION = re.compile(FRACTION_PATTERN)
_DECIMAL = re.compile(DECIMAL_PATTERN)
_SCIENTIFIC = re.compile(SCIENTIFIC_PATTERN)
_WHOLE = re.compile(WHOLE_PATTERN)
_FLOAT = re.compile(FLOAT_PATTERN)
_MICROSECOND = timedelta(microseconds=1)
_MILLION = 1_000_000


class UnfitError(ValueError):
    """A value that is not what stands here; whoever meets it looks for the place and the words."""


# Instants, dates, durations


def read_instant(data: Any) -> datetime:
    """The instant of text such as ``2026-03-01T09:00:00Z``."""
    if _INSTANT.fullmatch(data):
        return datetime.fromisoformat(data)
    raise UnfitError


def write_instant(value: Any) -> str:
    """An instant in UTC, with six digits after the second where there are any."""
    if type(value) is not datetime or value.tzinfo is not UTC:
        value = utc(value)
    return f"{value.isoformat()[:-6]}Z"


def read_date(data: Any) -> date:
    """The date of text such as ``2026-03-01``."""
    if _DATE.fullmatch(data):
        return date.fromisoformat(data)
    raise UnfitError


def write_date(value: Any) -> str:
    """A calendar date."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise UnfitError
    return date.isoformat(value)


def read_duration(data: Any) -> timedelta:
    """The duration of so many seconds, text where they are not whole."""
    if type(data) is int:
        return timedelta(seconds=data)
    if not _FRACTION.fullmatch(data):
        raise UnfitError
    whole, _, part = data.partition(".")
    return int(f"{whole}{part:0<6}") * _MICROSECOND


def write_duration(value: Any) -> int | str:
    """A duration in seconds."""
    if not isinstance(value, timedelta):
        raise UnfitError
    micros = value // _MICROSECOND
    if not micros % _MILLION:
        return micros // _MILLION
    digits = tuple(map(int, str(abs(micros))))
    return write_decimal(Decimal((int(micros < 0), digits, -6)))


# Numbers


def read_whole(data: Any) -> int:
    """A whole number of at most 2 ** 53 - 1."""
    if type(data) is int and -LARGEST_WHOLE <= data <= LARGEST_WHOLE:
        return data
    raise UnfitError


def read_decimal(data: Any) -> Decimal:
    """The exact number of text such as ``12.50``."""
    if _DECIMAL.fullmatch(data) or _SCIENTIFIC.fullmatch(data):
        return Decimal(data)
    raise UnfitError


def write_decimal(value: Any) -> str:
    """An exact number as the one text of all numbers equal to it: ``0.5``, never ``0.50``."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise UnfitError
    sign, digits, exponent = value.as_tuple()
    numerals = "".join(map(str, digits)).lstrip("0")
    shortest = numerals.rstrip("0")
    if not shortest:
        return "0"
    power = cast("int", exponent) + len(numerals) - len(shortest)
    minus = "-" if sign else ""
    text = f"{minus}{shortest}E{power}"
    if power >= -99 and power + len(shortest) <= 100:
        text = f"{Decimal((sign, tuple(map(int, shortest)), power)):f}"
    read_decimal(text)
    return text


def read_float(data: Any) -> float:
    """The binary number of text such as ``0.1``."""
    if not _FLOAT.fullmatch(data) or not isfinite(number := float(data)):
        raise UnfitError
    return number


def write_float(value: Any) -> str:
    """A binary number as the shortest text that reads back as it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise UnfitError
    return float.__repr__(float(value) or 0.0)


def _read_long(data: Any) -> int:
    if not _WHOLE.fullmatch(data) or abs(number := int(data)) <= LARGEST_WHOLE:
        raise UnfitError
    return number


def _write_long(value: int) -> str:
    if not _WHOLE.fullmatch(text := str(value)):
        raise UnfitError
    return text


# Money


def read_money(data: Any) -> Money:
    """The amount of such as ``{"amount": "12.50", "currency": "EUR"}``."""
    if type(data) is not dict or len(cast("dict[str, Any]", data)) != 2:
        raise UnfitError
    members = cast("dict[str, Any]", data)
    amount, currency = members["amount"], members["currency"]
    if not _DECIMAL.fullmatch(amount):
        raise UnfitError
    whole, _, part = amount.partition(".")
    if len(part) == MINOR_UNITS.get(currency, 2):
        return Money.of_minor(int(whole + part), currency)
    return Money(amount, currency)


def write_amount(value: Any) -> str:
    """An amount in major units, with all the decimal places of its currency."""
    minor, places = value.minor, MINOR_UNITS.get(value.currency, 2)
    digits = str(abs(minor)).zfill(places + 1)
    amount = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{amount}" if minor < 0 else amount


def write_money(value: Any) -> dict[str, Any]:
    """An amount with its currency."""
    if not isinstance(value, Money):
        raise UnfitError
    return {"amount": write_amount(value), "currency": value.currency}


# Values of any kind


def _no_faults(condition: object) -> object:
    faults = Faults()
    read = read_condition(condition, "", faults)
    if faults.found:
        raise UnfitError
    return read


def _write_condition(value: Any) -> object:
    return by_utf_16(plain_condition(value))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "whole": _read_long,
    "decimal": read_decimal,
    "float": read_float,
    "date": read_date,
    "instant": read_instant,
    "money": read_money,
}
_READ_MORE: Mapping[str, Callable[[Any], Any]] = {
    **_READ,
    "duration": read_duration,
    "condition": _no_faults,
}
_WRITE: tuple[tuple[tuple[type, ...], str, Callable[[Any], Any]], ...] = (
    ((float,), "float", write_float),
    ((Decimal,), "decimal", write_decimal),
    ((datetime,), "instant", write_instant),
    ((date,), "date", write_date),
    ((Money,), "money", write_money),
)
_WRITE_MORE = (
    *_WRITE,
    ((timedelta,), "duration", write_duration),
    ((Test, Named, AllOf, AnyOf), "condition", _write_condition),
)


def read_value(data: Any) -> Any:
    """The value that an attribute may hold."""
    return _read(data, _READ, 0)


def read_fact(data: Any) -> Any:
    """A value that a denial may hold, or a state: an attribute's, a set, duration or condition."""
    return _read(data, _READ_MORE, 0)


def _read(data: Any, kinds: Mapping[str, Callable[[Any], Any]], depth: int) -> Any:
    type_ = cast("type[object]", type(data))
    if type_ is str or type_ is bool or data is None:
        return data
    if type_ is int:
        return read_whole(data)
    if type_ is list and depth < DEEPEST_VALUE:
        return tuple([_read(each, kinds, depth + 1) for each in data])
    if type_ is not dict or len(data) != 2:
        raise UnfitError
    kind, value = data["kind"], data["value"]
    if kind == "set" and kinds is _READ_MORE and type(value) is list and depth < DEEPEST_VALUE:
        members = [_read(each, kinds, depth + 1) for each in cast("list[Any]", value)]
        if len(found := frozenset(members)) < len(members):
            raise UnfitError
        return found
    return kinds[kind](value)


def write_value(value: Any) -> Any:
    """A value that an attribute may hold."""
    return _write(value, _WRITE, 0)


def write_fact(value: Any) -> Any:
    """A value that a denial may hold, or a state."""
    return _write(value, _WRITE_MORE, 0)


def _write(value: Any, kinds: Any, depth: int) -> Any:
    type_ = cast("type[object]", type(value))
    if type_ is str or type_ is bool or value is None:
        return value
    if issubclass(type_, str):
        return str.__str__(value)
    if issubclass(type_, int):
        number = int.__int__(value)
        short = -LARGEST_WHOLE <= number <= LARGEST_WHOLE
        return number if short else {"kind": "whole", "value": _write_long(number)}
    if issubclass(type_, tuple | list) and depth < DEEPEST_VALUE:
        return [_write(each, kinds, depth + 1) for each in value]
    if issubclass(type_, frozenset | set) and kinds is _WRITE_MORE and depth < DEEPEST_VALUE:
        members = sorted((_write(each, kinds, depth + 1) for each in value), key=repr)
        return {"kind": "set", "value": members}
    for types, kind, write in kinds:
        if issubclass(type_, types):
            return {"kind": kind, "value": write(value)}
    raise UnfitError
