"""Conditions of fit rules as quick questions: sure where a field is of its exact type, else judged.

A question says True, False, or None where it is not sure; the judge's word is final then.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeAlias, cast

from salespipeline._kinds import Kind
from salespipeline._verdicts import judge, look_up
from salespipeline.attributes import Attributes
from salespipeline.conditions import (
    LASTED,
    LISTED,
    PRESENCE,
    AnyOf,
    Condition,
    Facts,
    Move,
    Named,
    Op,
    Test,
    holds,
)
from salespipeline.contacts import Contact
from salespipeline.deals import Deal

Read: TypeAlias = Callable[[Any], Any]
Quick: TypeAlias = Callable[[Any], bool | None]

_SNAPSHOTS = frozenset({Contact, Deal})
"""The types whose fields are attributes, and nothing else's code."""

_EXACT: Mapping[Kind, type] = {Kind.TEXT: str, Kind.NUMBER: int, Kind.DATE: date, Kind.FLAG: bool}
"""The kinds whose values are compared as they are, where they are of exactly this type."""


def facts_at(record: Any, at: datetime) -> Facts:
    """What a fit rule is judged by."""
    return Facts(record, Move(None, None, at))


def is_met(condition: Condition, record: Any, at: datetime) -> bool:
    """Whether the judge says yes to a record at an instant; not where it is unknown."""
    return judge(condition, facts_at(record, at)).answer is True


def is_timed(condition: Test) -> bool:
    """Whether the answer of a test changes as time goes by."""
    return condition.op in LASTED


def quick(condition: Condition) -> Quick:
    """A condition as a quick question; it may raise where a record is anyone's code."""
    if isinstance(condition, Test):
        return _quick_test(condition)
    if isinstance(condition, Named):  # which no fit rule has
        return _unsure
    decisive = isinstance(condition, AnyOf)
    parts = [quick(each) for each in condition.conditions]

    def ask(record: Any) -> bool | None:
        """Whether all parts are met, or one is: what one part decides needs no other."""
        answer: bool | None = not decisive
        for part in parts:
            said = part(record)
            if said is decisive:
                return decisive
            if said is None:
                answer = None
        return answer

    return ask


def _unsure(_record: Any) -> bool | None:
    return None


def _quick_test(test: Test) -> Quick:
    read = _reader(test.where[1])
    if test.op in PRESENCE:
        wanted = test.op is Op.ABSENT
        return lambda record: (read(record) is None) is wanted
    if test.kind is Kind.INSTANT and test.op not in LASTED:
        return _quick_instant(test, read)
    if test.kind not in _EXACT:
        return _unsure
    return _quick_exact(test, read, _EXACT[test.kind])


def _quick_exact(test: Test, read: Read, exact: type) -> Quick:
    """A test of a value that compares as it is, where it is of exactly one type."""
    listed = frozenset(test.value) if test.op in LISTED else None
    wanted = test.op is Op.IN

    def ask(record: Any) -> bool | None:
        value = read(record)
        if type(value) is not exact:
            return False if value is None else None
        return holds(test, value) if listed is None else (value in listed) is wanted

    def ask_equal(record: Any) -> bool | None:
        value = read(record)
        if type(value) is not exact:
            return False if value is None else None
        return cast("bool", value == constant)

    constant = test.value
    return ask_equal if test.op is Op.EQUALS else ask


def _quick_instant(test: Test, read: Read) -> Quick:
    def ask(record: Any) -> bool | None:
        value = read(record)
        if type(value) is not datetime or value.tzinfo is not UTC:
            return False if value is None else None
        return holds(test, value)

    return ask


def _reader(names: tuple[str, ...]) -> Read:
    """What reads a field: as an attribute of our snapshots, else as conditions look it up."""
    first, *more = names

    def read_field(record: Any) -> Any:
        ours = type(record) in _SNAPSHOTS
        return getattr(record, first, None) if ours else look_up(record, names)

    def read_attribute(record: Any) -> Any:
        held = record.attributes if type(record) in _SNAPSHOTS else None
        return held.get(more[0]) if type(held) is Attributes else look_up(record, names)

    if first == "attributes" and len(more) == 1:
        return read_attribute
    return (lambda record: look_up(record, names)) if more else read_field
