"""What every value of the library promises, and how every door answers strange input."""

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest

from salespipeline.errors import SalesPipelineError


def check_value(value, equal, *different):
    """Assert that a value is one: equal by content, hashable, frozen, readable, copied whole.

    Args:
        value: The value.
        equal: The same value, made on its own.
        different: Values that differ from it in one thing each.
    """
    _check_same(value, equal)
    for other in (*different, object(), None):
        assert value != other
        assert not value == other  # noqa: SIM201 - both operators are promised
    assert type(value).__name__ in repr(value)
    assert " object at 0x" not in repr(value)
    _check_frozen(value)
    for copied in (copy.copy(value), copy.deepcopy(value), _pickled(value)):
        _check_same(value, copied)
        assert type(copied) is type(value)


def _check_same(value, equal):
    assert value == equal
    assert not value != equal  # noqa: SIM202 - both operators are promised
    assert hash(value) == hash(equal)


def _check_frozen(value):
    before = repr(value)
    for name in (*_names(type(value)), "a_new_name"):
        with pytest.raises(AttributeError):
            setattr(value, name, None)
        with pytest.raises(AttributeError):
            delattr(value, name)
    assert repr(value) == before


def _names(kind):
    return [field.name for field in attrs.fields(kind)] if attrs.has(kind) else kind.__slots__


def _pickled(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


class Unprintable:
    """An object whose texts cannot be had."""

    def __repr__(self):
        raise RuntimeError("no text to be had")

    __str__ = __repr__


STRANGE = (
    None,
    True,
    False,
    0,
    -1,
    7,
    2.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    10**5000,
    -(10**5000),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e999999"),
    "",
    " ",
    "\x00",
    "a" * 10_000,
    "naïve 🐍 \ud800",
    "2026-01-01",
    b"bytes",
    bytearray(b"mutable"),
    (),
    [],
    [[]],
    {},
    set(),
    {"key": object()},
    ([],),
    object(),
    object,
    Unprintable(),
    len,
    range(3),
)
"""Input that a door must either take or refuse by an error of its own."""


def _nothing(_value):
    return False


def check_door(
    call: Callable[[object], object], *, takes: Callable[[object], bool] = _nothing
) -> None:
    """Assert that a door refuses everything strange by an error of this library, in one line.

    Args:
        call: The door, given one value.
        takes: Whether it takes a strange value all the same.
    """
    for value in STRANGE:
        if takes(value):
            call(value)
            continue
        with pytest.raises(SalesPipelineError) as caught:
            call(value)
        message = str(caught.value)
        assert message
        assert len(message) < 600
        assert message.isprintable() or "\ud800" in message
