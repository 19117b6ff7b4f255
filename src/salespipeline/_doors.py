"""Checks at the door: what is not of the right kind is refused here, by name.

Snapshots and events carry no validators of their own; whatever builds one calls these.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar, cast

from salespipeline.errors import (
    InvalidValueError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
H = TypeVar("H", bound=Hashable)

NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""What is given where a mapping may be, and none is."""

LARGEST_WHOLE = 2**53 - 1
"""The largest whole number that every reader of JSON takes for what it is."""


def instance(kind: type[T], value: object, name: str) -> T:
    """The value itself, which must be of a kind.

    Raises:
        WrongTypeError: It is of another.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOUaeiou" else "a"
        raise WrongTypeError(name, f"{article} {kind.__name__}", value)
    return value


def instances(kind: type[T], values: object, name: str) -> tuple[T, ...]:
    """Several values of a kind as a tuple.

    Raises:
        WrongTypeError: They cannot be iterated, are one text, or one of them is of another kind.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise WrongTypeError(name, f"several {kind.__name__} values", values)
    return tuple(instance(kind, value, name) for value in cast("Iterable[object]", values))


def text(value: object, name: str) -> str:
    """Text that is not empty, such as an id or a key, as a plain `str`.

    Raises:
        WrongTypeError: It is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise WrongTypeError(name, "text that is not empty", value)
    return str.__str__(value) if type(value) is not str else value


def gathered(
    subject: str, /, *needed: str, **doors: tuple[Callable[[object, str], object], object]
) -> dict[str, Any]:
    """What each door makes of its value, by name; every fault is named together.

    Args:
        subject: What the values are for, for the message.
        needed: The names that may not be None; any other None stays None.
        doors: By name, the check and the value.

    Raises:
        SalesPipelineError: One door refused: its own error; several: an `InvalidValueError`.
    """
    passed: dict[str, Any] = {}
    faults: list[SalesPipelineError] = []
    for name, (check, value) in doors.items():
        try:
            passed[name] = check(value, name) if value is not None or name in needed else None
        except SalesPipelineError as fault:
            faults.append(fault)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InvalidValueError(subject, tuple(str(fault) for fault in faults))
    return passed


def whole(value: object, name: str) -> int:
    """A whole number; a bool is none.

    Raises:
        WrongTypeError: It is of another type, a float with nothing after the point included.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongTypeError(name, "a whole number", value)
    return int(value)


def repeated(values: Iterable[H]) -> tuple[H, ...]:
    """Each value that occurs more than once, in the order met."""
    return tuple(value for value, times in Counter(values).items() if times > 1)


def hashable(states: Iterable[H], name: str) -> tuple[H, ...]:
    """States as a tuple.

    Raises:
        WrongTypeError: They are one text, not iterable, or one of them is not hashable.
    """
    if isinstance(states, str) or not isinstance(states, Iterable):
        raise WrongTypeError(name, "several hashable states", states)
    collected = tuple(states)
    for state in collected:
        try:
            hash(state)
        except Exception:  # noqa: BLE001 - a state's hash may be anyone's code
            raise WrongTypeError(name, "hashable states", state) from None
    return collected


def choice(kind: type[E], value: object, name: str) -> E:
    """The member of an enum that a value is, or whose text it is.

    Raises:
        UnknownKeyError: There is none.
    """
    if type(value) is kind:
        return value
    try:
        return kind(instance(str, value, name))
    except (WrongTypeError, ValueError):
        raise UnknownKeyError(name, value, tuple(kind)) from None
