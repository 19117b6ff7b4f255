"""The immutable mapping for an adopter's own fields."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Self, TypeAlias, cast

from salespipeline._doors import instance
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.money import Money
from salespipeline.periods import utc

Value: TypeAlias = (
    "str | bool | int | float | Decimal | date | datetime | Money | tuple[Value, ...] | None"
)
"""What an attribute may hold: plain immutable values, and tuples of them."""

_DEEPEST = 8
_PLAIN = (
    "plain: text, a finite number, a date, an instant, money, or a tuple of such "
    f"at most {_DEEPEST} deep"
)


class Attributes(Mapping[str, Value]):
    """Named values that never change: hashable, picklable, equal whatever their order.

    Args:
        values: Names and values. A list becomes a tuple, a datetime is converted to UTC.

    Raises:
        InvalidValueError: A name is no text, or a value is mutable, NaN, infinite, a naive
            datetime or of a type that is not plain. All faults are named.

    >>> profile = Attributes({"industry": "insurance", "seats": 40})
    >>> profile.with_value("seats", 50)["seats"]
    50
    >>> profile["seats"]
    40
    """

    __slots__ = ("_hash", "_values")
    _values: dict[str, Value]
    _hash: int | None

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        given: Mapping[str, object] = {} if values is None else values
        if not isinstance(given, Mapping):
            raise WrongTypeError("attributes", "a mapping of names to values", values)
        faults: list[str] = []
        checked = {_name(name): _checked(name, value, faults) for name, value in given.items()}
        if faults:
            raise InvalidValueError("attributes", tuple(faults))
        self._fill(dict(sorted(checked.items())))

    def _fill(self, values: dict[str, Value]) -> None:
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_hash", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"attributes are immutable; use with_value({name!r}, ...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"attributes are immutable; use without({name!r})")

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or the default; without the error that a mapping raises inside."""
        return self._values.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Attributes) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            object.__setattr__(self, "_hash", hash(frozenset(self._values.items())))
        return hash(self._hash)

    def __repr__(self) -> str:
        return f"Attributes({self._values!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Value]]]:
        return type(self), (self._values,)

    def with_value(self, name: str, value: object) -> Self:
        """The same attributes with one of them set; None is a value, and removes nothing."""
        key, faults = _name(instance(str, name, "name")), list[str]()
        checked = _checked(key, value, faults)
        if faults:
            raise InvalidValueError("attributes", tuple(faults))
        values = {**self._values, key: checked}
        made = object.__new__(type(self))  # the others were checked when they were set
        made._fill(values if key in self._values else dict(sorted(values.items())))
        return made

    def without(self, name: str) -> Self:
        """The same attributes without one of them; unchanged where it is not there."""
        return type(self)({key: value for key, value in self._values.items() if key != name})


EMPTY = Attributes()
"""No attributes at all."""


def _name(name: object) -> str:
    """A name as a plain `str`, that of a text enum included; a fault of `_checked` if no text."""
    return str.__str__(name) if isinstance(name, str) else ""


def _checked(name: object, value: object, faults: list[str], depth: int = 0) -> Value:
    """The value in its stored form; a fault is added to the list where it has none."""
    if not isinstance(name, str):
        faults.append(f"the name {brief(name)} is not text")
    try:
        return plain(value, depth)
    except SalesPipelineError as fault:
        faults.append(f"{brief(name)}: {fault}")
        return None


def plain(value: object, depth: int = 0) -> Value:
    """A value in the form in which attributes and fields hold it.

    Raises:
        SalesPipelineError: It has no such form.
    """
    if value is None or isinstance(value, str | bool | int | Money):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, datetime):
        return utc(value, "value")
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, date):
        return value
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        items = cast("list[object]", value)
        return tuple(plain(item, depth + 1) for item in items)
    raise WrongTypeError("value", _PLAIN, cast("object", value))
