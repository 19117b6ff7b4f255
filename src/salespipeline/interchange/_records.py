"""The shapes of the public types, made from their own definitions."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin
from typing import Union as AnyUnion

from attrs import NOTHING as UNSET
from attrs import Factory, fields

from salespipeline._doors import NOTHING
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.events import (
    ContactEvent,
    Created,
    DealEvent,
    FieldSet,
    Merged,
    NextStep,
    Opened,
    Origin,
    Probability,
    Term,
)
from salespipeline.history import ContactHistory, DealHistory, Visit
from salespipeline.interchange._leaves import (
    CODE,
    DATE,
    DURATION,
    FACT,
    FLAG,
    FLOAT,
    IDENTITY,
    INSTANT,
    KEY,
    POSITIVE,
    PROBABILITY,
    RENAMED,
    TEXT,
    VALUE,
)
from salespipeline.interchange._parts import (
    AttributesShape,
    FieldSetShape,
    HistoryShape,
    MoneyShape,
    RulebookShape,
    snake,
)
from salespipeline.interchange._shapes import (
    Member,
    Object,
    Several,
    Shape,
    Union,
    called,
    choice_of,
)
from salespipeline.intervals import Interval
from salespipeline.lifecycle import Status, StatusScheme
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.rules import Decision, Denial, Override, Rulebook, Ruling
from salespipeline.triggers import Trigger, TriggerSet

CONTACT_EVENTS: tuple[type, ...] = get_args(ContactEvent)
DEAL_EVENTS: tuple[type, ...] = get_args(DealEvent)
EVENTS: tuple[type, ...] = tuple(dict.fromkeys((*CONTACT_EVENTS, *DEAL_EVENTS)))


# Types as they are defined


BY_NAME: Mapping[str, Shape] = {
    **dict.fromkeys(("record", "id", "key", "behaviour"), KEY),
    **dict.fromkeys(("sequence", "version", "number"), POSITIVE),
    **dict.fromkeys(("actual", "expected"), FACT),
    "code": CODE,
    "voids": IDENTITY,
    "former": RENAMED,
}
"""Shapes that the type of an attribute alone does not tell."""

BY_TYPE: dict[Any, Shape] = {
    str: TEXT, bool: FLAG, datetime: INSTANT, date: DATE, Decimal: PROBABILITY,
    timedelta: DURATION, float: FLOAT, Money: MoneyShape(), Rulebook[str]: RulebookShape(),
}  # fmt: skip

KEYS: Mapping[type, tuple[str, ...]] = {
    Override: ("by", "role", "why"),
    Trigger: ("status",),
    TriggerSet: ("name",),
    StatusScheme: ("name",),
}
"""Texts that their types refuse where they are empty, beside those in `BY_NAME`."""

_SPARE: Mapping[Any, object] = {Attributes: EMPTY, bool: False}


class Shapes:
    """The shapes of all types, for attributes of declared types or of any.

    Args:
        declared: The types of attributes by name, or None.
    """

    def __init__(self, declared: Mapping[str, object] | None = None) -> None:
        self._by_type: dict[Any, Shape] = {**BY_TYPE, Attributes: AttributesShape(declared)}
        made: list[type] = [
            Term, NextStep, Probability, Origin, Override, Denial, Ruling, Period, Interval, Visit,
            Stage, Status, Trigger, Pipeline, StatusScheme, TriggerSet, Contact, Deal,
        ]  # fmt: skip
        for kind in made:
            given = dict.fromkeys(KEYS.get(kind, ()), KEY)
            self._by_type[kind] = Object(kind, snake(kind), self._members(kind, given))
        facts = dict.fromkeys(("source", "target"), FACT) | {"alternatives": Several(FACT)}
        self._by_type[Decision] = Object(
            Decision, "decision", self._members(cast("Any", Decision), facts)
        )
        contact, deal = self._fields(Contact), self._fields(Deal)
        self.contact_events = self._events(CONTACT_EVENTS, (Created,), contact)
        self.deal_events = self._events(DEAL_EVENTS, (Opened,), deal)
        self.events = self._events(EVENTS, (Created, Opened), {**contact, **deal})
        for kind, events, first in (
            (ContactHistory, self.contact_events, Created),
            (DealHistory, self.deal_events, Opened),
        ):
            self._by_type[kind] = HistoryShape(kind, snake(kind), events, snake(first))

    def of(self, kind: Any) -> Shape:
        """The shape of a type."""
        return self._by_type[kind]

    def _shape(self, type_: Any) -> Shape:
        """The shape of the type of an attribute."""
        origin, parts = get_origin(type_), get_args(type_)
        if origin is tuple:
            return Several(self._shape(parts[0]))
        if origin is frozenset:
            return Several(self._shape(parts[0]), unique=True)
        if type_ not in self._by_type and issubclass(type_, StrEnum):
            self._by_type[type_] = choice_of(type_, called(snake(type_)))
        return self._by_type[type_]

    def _members(self, kind: type, given: Mapping[str, Shape]) -> Iterable[Member]:
        for each in fields(cast("Any", kind)):
            if not each.init:
                continue
            parts: tuple[Any, ...] = get_args(each.type) if _is_union(each.type) else (each.type,)
            nullable = NoneType in parts
            own = given.get(each.name) or BY_NAME.get(each.name)
            shape = own or self._shape(next(part for part in parts if part is not NoneType))
            yield self._member(kind, each, shape, nullable=nullable)

    def _member(self, kind: type, each: Any, shape: Shape, *, nullable: bool) -> Member:
        default: Any = each.default
        if default is UNSET and kind in (Contact, Deal):
            spare = None if nullable else _spare(each.type)
            if spare is not UNSET:
                return Member(each.name, shape, nullable=nullable, default=spare, filled=True)
        if default is UNSET:
            return Member(each.name, shape, needed=True, nullable=nullable)
        if isinstance(default, Factory):  # type: ignore[arg-type]
            if default.takes_self:  # it follows from the others, and is always written
                return Member(each.name, shape)
            default = default.factory()
        return Member(each.name, shape, nullable=nullable, default=default)

    # Events

    def _fields(self, record: type[Contact] | type[Deal]) -> dict[str, Shape]:
        """The shapes of the fields that a `FieldSet` of a kind of record may name."""
        members = cast("Object", self._by_type[record]).members
        return {name: members[name].shape for name in record.fields}

    def _events(
        self, kinds: Iterable[type], creations: tuple[type, ...], set_fields: dict[str, Shape]
    ) -> Union:
        plain = [kind for kind in kinds if kind not in (Merged, FieldSet)]
        made: dict[type, Object] = {kind: self._event(kind, NOTHING) for kind in plain}
        begun = Union("creation", "a creation", [made[kind] for kind in creations])
        made[Merged] = self._event(Merged, {"creation": begun})
        attribute = cast("AttributesShape", self._by_type[Attributes])
        members = self._members(FieldSet, {"value": VALUE})
        made[FieldSet] = FieldSetShape(members, set_fields, attribute)
        return Union("event", "an event", [made[kind] for kind in kinds])

    def _event(self, kind: type, given: Mapping[str, Shape]) -> Object:
        return Object(kind, snake(kind), self._members(kind, given), tag=snake(kind))


def _spare(type_: Any) -> Any:
    """What says nothing in an attribute of a snapshot; `UNSET` where all says something."""
    spare = {tuple: (), frozenset: frozenset[str]()}.get(get_origin(type_), UNSET)
    return _SPARE.get(type_, spare)


def _is_union(type_: Any) -> bool:
    return isinstance(type_, UnionType) or get_origin(type_) is AnyUnion
