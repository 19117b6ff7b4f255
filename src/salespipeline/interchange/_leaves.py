"""The values without parts of which the public types are made: how each is written and read."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from salespipeline._doors import LARGEST_WHOLE
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.interchange._documents import utf_16
from salespipeline.interchange._shapes import Leaf
from salespipeline.interchange._values import (
    DECIMAL_PATTERN,
    END,
    FLOAT_PATTERN,
    FRACTION_PATTERN,
    SCIENTIFIC_PATTERN,
    UnfitError,
    read_date,
    read_decimal,
    read_duration,
    read_fact,
    read_float,
    read_instant,
    read_value,
    read_whole,
    write_date,
    write_decimal,
    write_duration,
    write_fact,
    write_float,
    write_instant,
    write_value,
)
from salespipeline.money import check_currency
from salespipeline.pipelines import check_probability
from salespipeline.rules import Code

# Leaves


def _read_text(data: Any) -> str:
    if type(data) is str:
        return data
    raise UnfitError


def _write_text(value: Any) -> str:
    if type(value) is str:
        return value
    return str.__str__(value)


def _read_key(data: Any) -> str:
    if type(data) is str and data:
        return data
    raise UnfitError


def _write_key(value: Any) -> str:
    return str.__str__(value) if value else _read_key(value)


def _flag(data: Any) -> bool:
    if type(data) is bool:
        return data
    raise UnfitError


def _positive(data: Any) -> int:
    if type(data) is int and 1 <= data <= LARGEST_WHOLE:
        return data
    raise UnfitError


def _read_probability(data: Any) -> Decimal:
    return check_probability(read_decimal(data))


def _write_probability(value: Any) -> str:
    return write_decimal(check_probability(value))


def _read_identity(data: Any) -> tuple[str, str | int]:
    if type(data) is not list or len(cast("list[Any]", data)) != 2:
        raise UnfitError
    whose, which = cast("list[Any]", data)
    return _read_text(whose), which if type(which) is str else _positive(which)


def _write_identity(value: Any) -> list[str | int]:
    if type(value) is not tuple:
        raise UnfitError
    whose, which = cast("tuple[Any, ...]", value)
    return [_write_text(whose), _write_text(which) if isinstance(which, str) else _positive(which)]


def attributes_of(values: dict[str, Any]) -> Attributes:
    """Attributes of values that are known to be plain, without the checks of their own door."""
    if not values:
        return EMPTY
    made = Attributes.__new__(Attributes)
    made._fill(dict(sorted(values.items())))  # noqa: SLF001 - what its own constructor would do
    return made


def _read_renamed(data: Any) -> Attributes:
    return attributes_of({name: _read_key(each) for name, each in data.items()})


def _write_renamed(value: Any) -> dict[str, str]:
    return {name: _write_key(value[name]) for name in sorted(value, key=utf_16)}


def _read_size(data: Any) -> str:
    if _SIZE.fullmatch(data):
        return _read_text(data)
    raise UnfitError


def _read_code(data: Any) -> str:
    return _CODES.get(data) or _read_key(data)


_SIZE = re.compile(DECIMAL_PATTERN)
_CODES: Mapping[str, str] = {code.value: code for code in Code}


def exactly(pattern: str) -> dict[str, Any]:
    """The schema of text that a pattern matches from its first to its last character."""
    return {"type": "string", "pattern": f"^(?:{pattern}){END}"}


DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
INSTANT_PATTERN = rf"{DAY}T(?:[01][0-9]|2[0-3]):[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,6}})?Z"
_SECONDS = 86_399_999_999_999

TEXT = Leaf("text of whole characters", _read_text, _write_text, {"type": "string"})
TEXT.is_text = True
KEY = Leaf("text that is not empty", _read_key, _write_key, {"type": "string", "minLength": 1})
FLAG = Leaf("true or false", _flag, _flag, {"type": "boolean"})
POSITIVE = Leaf(
    "a whole number from 1 to 2^53 - 1", _positive, _positive,
    {"type": "integer", "minimum": 1, "maximum": LARGEST_WHOLE},
)  # fmt: skip
WHOLE = Leaf(
    "a whole number of at most 2^53 - 1", read_whole, read_whole,
    {"type": "integer", "minimum": -LARGEST_WHOLE, "maximum": LARGEST_WHOLE},
)  # fmt: skip
INSTANT = Leaf(
    'an instant as "2026-03-01T09:00:00Z"', read_instant, write_instant, exactly(INSTANT_PATTERN)
)
DATE = Leaf('a date as "2026-03-01"', read_date, write_date, exactly(DAY))
NUMBER = Leaf(
    'an exact number as "0.5"', read_decimal, write_decimal,
    exactly(f"{DECIMAL_PATTERN}|{SCIENTIFIC_PATTERN}"),
)  # fmt: skip
PROBABILITY = Leaf(
    'a probability from "0" to "1"', _read_probability, _write_probability,
    exactly(r"0(?:\.[0-9]{1,99})?|1(?:\.0{1,99})?|-0(?:\.0{1,99})?"
             r"|[1-9][0-9]{0,999}E-[1-9][0-9]{0,6}"),
)  # fmt: skip
FLOAT = Leaf('a number as "0.95"', read_float, write_float, exactly(FLOAT_PATTERN))
DURATION = Leaf(
    'seconds, a whole number or as "0.5"', read_duration, write_duration,
    {
        "anyOf": [
            {"type": "integer", "minimum": -_SECONDS, "maximum": _SECONDS},
            exactly(FRACTION_PATTERN),
        ]
    },
)  # fmt: skip
IDENTITY = Leaf(
    'a pair as ["crm", "e-1"] or ["d-1", 4]', _read_identity, _write_identity,
    {
        "type": "array",
        "prefixItems": [
            {"type": "string"},
            {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]},
        ],
        "items": False,
        "minItems": 2,
    },
)  # fmt: skip
RENAMED = Leaf(
    "an object of text", _read_renamed, _write_renamed,
    {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
)  # fmt: skip
SIZE = Leaf('an exact amount as "12.50"', _read_size, _write_text, exactly(DECIMAL_PATTERN))
CURRENCY = Leaf(
    "a three-letter code such as 'EUR'", check_currency, _write_text, exactly("[A-Z]{3}")
)
CODE = Leaf("a code", _read_code, _write_key, {"type": "string", "minLength": 1})
VALUE = Leaf(
    "a value: text, a whole number, true, false, null, an array of values, or one that says its "
    'kind, as {"kind": "decimal", "value": "1.5"}',
    read_value, write_value, {"$ref": "#/$defs/value"},
)  # fmt: skip
FACT = Leaf(
    "a value as of an attribute, or a set, duration or condition that says its kind",
    read_fact, write_fact, {"$ref": "#/$defs/fact"},
)  # fmt: skip
