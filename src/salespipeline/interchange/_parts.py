"""The shapes of attributes, money, rulebooks, fields that are set, and histories."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin

from salespipeline._doors import NOTHING
from salespipeline._folds import ATTRIBUTE
from salespipeline._plain import Faults
from salespipeline.attributes import Attributes
from salespipeline.errors import HistoryError, WrongTypeError, brief
from salespipeline.events import FieldSet
from salespipeline.interchange._documents import by_utf_16, utf_16
from salespipeline.interchange._leaves import CURRENCY, SIZE, TEXT, VALUE, attributes_of
from salespipeline.interchange._rulebooks import check_writable
from salespipeline.interchange._schemas import rulebook_body, rulebook_parts
from salespipeline.interchange._shapes import Found, Leaf, Member, Object, Several, Shape, Union, at
from salespipeline.interchange._values import UnfitError, read_money, write_money
from salespipeline.money import Money
from salespipeline.rules import Rulebook
from salespipeline.rules.reading import read_rulebook

# Attributes


PLAIN: Mapping[Any, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a binary number",
    Decimal: "a decimal number", date: "a date", datetime: "an instant", Money: "money",
    NoneType: "null",
}  # fmt: skip
"""The types that attributes may be declared as, alone, in unions, or several in a tuple."""


DECLARABLE = (
    "types: str, bool, int, float, Decimal, date, datetime, Money, tuple[..., ...] of them, or "
    "several with | between"
)


def check_declared(kind: object) -> tuple[object, ...]:
    """The single types that a declared one allows.

    Raises:
        WrongTypeError: It is none that an attribute may have.
    """
    parts: tuple[object, ...] = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    for each in parts:
        if get_origin(each) is tuple:
            of, *rest = get_args(each)
            if rest == [...]:
                check_declared(of)
                continue
        if not isinstance(each, type) or each not in PLAIN:
            raise WrongTypeError("attributes", DECLARABLE, each)
    return parts


def is_declared(value: object, kinds: tuple[object, ...]) -> bool:
    """Whether a value is of one of the types; a bool is no number, an instant no date."""
    if type(value) in kinds:
        return True
    return type(value) is tuple and any(
        all(is_declared(item, check_declared(get_args(each)[0])) for item in cast("Any", value))
        for each in kinds
        if get_origin(each) is tuple
    )


def _in_words(kinds: tuple[object, ...]) -> str:
    return " or ".join(
        PLAIN.get(each) or f"an array of {_in_words(check_declared(get_args(each)[0]))}"
        for each in kinds
    )


class AttributesShape(Shape):
    """An adopter's own fields.

    Args:
        declared: The types of the attributes that there may be; None where any may be.
    """

    def __init__(self, declared: Mapping[str, object] | None = None) -> None:
        self.called = "attributes"
        kinds = None
        if declared is not None:
            kinds = {name: check_declared(kind) for name, kind in declared.items()}
        self.kinds = kinds
        read, write = VALUE.read, VALUE.write

        def read_all(data: Any) -> Attributes:
            return attributes_of({name: read(each) for name, each in data.items()})

        def read_declared(data: Any) -> Attributes:
            return attributes_of({name: self.read_one(name, each) for name, each in data.items()})

        def write_all(value: Any) -> dict[str, Any]:
            if type(value) is not Attributes:
                raise UnfitError
            held = value._values  # noqa: SLF001 - reading them through the mapping takes thrice
            if not "".join(held).isascii():  # else the order of their own is the canonical one
                held = {name: held[name] for name in sorted(held, key=utf_16)}
            return {name: write(each) for name, each in held.items()}

        self.read, self.write = read_all if kinds is None else read_declared, write_all

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """Each attribute at its place."""
        if not isinstance(data, dict):
            faults.add(path, f"must be an object (got {brief(data)})")
            return None
        members = cast("dict[str, Any]", data)
        before = len(faults.found)
        for name in members:
            TEXT.reading(name, f"the name {path}[{brief(name)}]", faults)
        if len(faults.found) > before:
            return None
        values = {name: self.one(name, each, path, faults) for name, each in members.items()}
        return attributes_of(values)

    def read_one(self, name: str, data: Any) -> Any:
        """The value of one attribute, the quick way."""
        value = VALUE.read(data)
        if self.kinds is not None and not is_declared(value, self.kinds[name]):
            raise UnfitError
        return value

    def one(self, name: str, data: object, path: str, faults: Faults) -> Any:
        """The value of one attribute; its place is that of its name, or of the path alone."""
        place = f"{path}.{name}" if name.isidentifier() else f"{path}[{brief(name)}]"
        return self.valued(name, data, place, faults)

    def valued(self, name: str, data: object, place: str, faults: Faults) -> Any:
        """The value of one attribute that stands in a place."""
        before = len(faults.found)
        value = VALUE.reading(data, place, faults)
        if self.kinds is None or len(faults.found) > before:
            return value
        if name not in self.kinds:
            listed = ", ".join(self.kinds) or "none"
            faults.add(place, f"is no declared attribute; declared: {listed}")
        elif not is_declared(value, self.kinds[name]):
            faults.add(place, f"must be {_in_words(self.kinds[name])} (got {brief(value)})")
        return value

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Each attribute at its place."""
        if type(value) is not Attributes:
            faults.add(path, f"must be Attributes (got {brief(value)})")
            return
        for name, each in value.items():
            TEXT.writing(name, f"the name {path}[{brief(name)}]", faults)
            VALUE.writing(each, f"{path}[{brief(name)}]", faults)

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """An object of any names."""
        return {"type": "object", "additionalProperties": VALUE.schema(parts)}


class AttributesDocument(Object):
    """Attributes alone, under a name, since theirs may be any."""

    def __init__(self, inner: Shape) -> None:
        self._inner = inner
        needed = Member("attributes", inner, needed=True)
        super().__init__(Attributes, "attributes", [needed], make=_only)
        self.write = lambda value: {"attributes": inner.write(value)}

    def document(self, head: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
        """With the head in its place."""
        return Shape.document(self, head)

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Each attribute at its place."""
        self._inner.writing(value, at(path, "attributes"), faults)


def _only(attributes: Attributes) -> Attributes:
    return attributes


# Money, rulebooks


class MoneyShape(Object):
    """An amount with its currency."""

    def __init__(self) -> None:
        members = [Member("amount", SIZE, needed=True), Member("currency", CURRENCY, needed=True)]
        super().__init__(Money, "money", members)
        self.called = "money"
        self.read, self.write = read_money, write_money

    def document(self, head: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
        """With the head in its place."""
        return Shape.document(self, head)

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Money is always fit to be written."""
        if not isinstance(value, Money):
            faults.add(path, f"must be money (got {brief(value)})")


class RulebookShape(Shape):
    """A rulebook inside of a document; it is always read the slow way, which compiles nothing."""

    def __init__(self) -> None:
        self.called = "a rulebook"
        self.write = lambda value: by_utf_16(value.to_plain())
        self.read = _unread

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """The rulebook, its predicates given beside the document."""
        predicates = faults.predicates if isinstance(faults, Found) else NOTHING
        return read_rulebook(data, faults, path=path, predicates=predicates)

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """What no document can hold of it."""
        if isinstance(value, Rulebook):
            check_writable(cast("Rulebook[Any]", value), faults, f"{path}." if path else "")
        else:
            faults.add(path or "the value", f"must be a rulebook (got {brief(value)})")

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """As of a document of its own, without what says its format."""
        parts.update(rulebook_parts())
        parts["rulebook"] = rulebook_body()
        return {"$ref": "#/$defs/rulebook"}


# Fields that are set


class FieldSetShape(Object):
    """A `FieldSet`, whose value is written as the field that it names is.

    Args:
        members: Its members but the value.
        fields: The shapes of the fields that it may name.
        attributes: The shape of attributes, which it may name, too.
    """

    def __init__(
        self, members: Iterable[Member], fields: Mapping[str, Shape], attributes: AttributesShape
    ) -> None:
        self._fields, self._attributes = fields, attributes
        raw = Leaf("a value", _same, _same, {})
        others = [each for each in members if each.name != "value"]
        super().__init__(
            FieldSet, "field_set", [*others, Member("value", raw, needed=True, nullable=True)],
            make=self._made, tag="field_set",
        )  # fmt: skip

    def _made(self, *, field: str, value: Any, **facts: Any) -> FieldSet:
        """An event of data whose value is not read yet."""
        if field.startswith(ATTRIBUTE) and field != ATTRIBUTE:
            read = self._attributes.read_one(field.removeprefix(ATTRIBUTE), value)
        else:
            shape = self._fields[field]
            read = None if value is None else shape.read(value)
        return FieldSet(field=field, value=read, **facts)

    def _shape(self, field: str) -> Shape | None:
        is_attribute = field.startswith(ATTRIBUTE) and field != ATTRIBUTE
        return VALUE if is_attribute else self._fields.get(field)

    def part(self, name: str, data: object, path: str, faults: Faults) -> Any:
        """The value of one member; that of the field is read once all are there."""
        return data if name == "value" else super().part(name, data, path, faults)

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """Each member at its place."""
        before = len(faults.found)
        values = self.parts(data, path, faults)
        field, value = values.get("field"), values.get("value")
        if isinstance(field, str):
            shape, place = self._shape(field), at(path, "value")
            if shape is None:
                known = ", ".join((*self._fields, f"{ATTRIBUTE}<name>"))
                faults.add(at(path, "field"), f"must be one of {known} (got {brief(field)})")
            elif shape is VALUE:
                name = field.removeprefix(ATTRIBUTE)
                values["value"] = self._attributes.valued(name, value, place, faults)
            elif value is not None:
                values["value"] = shape.reading(value, place, faults)
        return None if len(faults.found) > before else FieldSet(**values)

    def writer(self, head: Mapping[str, Any] = NOTHING) -> Any:
        """The quick way out."""
        write_raw = super().writer(head)

        def write(value: Any) -> dict[str, Any]:
            out = write_raw(value)
            shape = VALUE if value.field.startswith(ATTRIBUTE) else self._fields[value.field]
            if value.value is not None:
                out["value"] = shape.write(value.value)
            return out

        return write

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Each member at its place."""
        super().writing(value, path, faults)
        field, held = getattr(value, "field", None), getattr(value, "value", None)
        shape = self._shape(field) if isinstance(field, str) else None
        if shape is None:
            known = ", ".join((*self._fields, f"{ATTRIBUTE}<name>"))
            faults.add(at(path, "field"), f"must be one of {known} (got {brief(field)})")
        elif held is not None:
            shape.writing(held, at(path, "value"), faults)

    def body(self, parts: dict[str, Any]) -> dict[str, Any]:
        """The schema: what the value may be stands beside each field."""
        body = super().body(parts)
        body["properties"]["value"] = True
        attribute = {"type": "string", "pattern": "^attributes\\.[\\s\\S]"}
        cases: list[dict[str, Any]] = [
            {"properties": {"field": attribute, "value": VALUE.schema(parts)}}
        ]
        for name, shape in self._fields.items():
            value = {"anyOf": [shape.schema(parts), {"type": "null"}]}
            cases.append({"properties": {"field": {"const": name}, "value": value}})
        return {**body, "anyOf": cases}


def _unread(_data: Any) -> Any:
    """The quick way where there is none."""
    raise UnfitError


def _same(data: Any) -> Any:
    return data


# Histories

_NUMBERED = re.compile("number ([0-9]+) ")  # as the faults of a history begin


class HistoryShape(Object):
    """The events of one record.

    Args:
        kind: The type of history.
        name: What the schema calls it.
        events: The events that it may hold.
        first: The tag of the event that it begins with.
    """

    def __init__(self, kind: type, name: str, events: Union, first: str) -> None:
        self._first = first
        super().__init__(kind, name, [Member("events", Several(events), needed=True)])

    def parts(self, data: object, path: str, faults: Faults) -> dict[str, Any]:
        """The events; each of the same record, the first a creation, numbered without a gap."""
        before = len(faults.found)
        values = super().parts(data, path, faults)
        events: tuple[Any, ...] = values.get("events") or ()
        if not events and len(faults.found) == before:
            faults.add(at(path, "events"), "must hold at least one event")
        record = getattr(events[0], "record", None) if events else None
        for n, event in enumerate(events):
            if event is not None:
                self._check(event, n, record, at(path, f"events[{n}]"), faults)
        return values

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """The history, each fault of it at the event that it is about."""
        before = len(faults.found)
        values = self.parts(data, path, faults)
        if len(faults.found) > before:
            return None
        try:
            return self.make(**values)
        except HistoryError as refused:
            for fault in refused.faults:
                number = _NUMBERED.match(fault)
                place = f"events[{int(number[1]) - 1}]" if number else "events"
                faults.add(at(path, place), fault[number.end() :] if number else fault)
            return None

    def _check(self, event: Any, n: int, record: str | None, path: str, faults: Faults) -> None:
        if event.sequence != n + 1:
            faults.add(f"{path}.sequence", f"must be {n + 1}, its place (got {event.sequence})")
        if record is not None and event.record != record:
            wanted = f"{brief(record)}, the record of the first event"
            faults.add(f"{path}.record", f"must be {wanted} (got {brief(event.record)})")
        kind = snake(cast("type[object]", type(event)))
        if n == 0 and kind != self._first:
            faults.add(f"{path}.event", f"must be {self._first!r}, the beginning (got {kind!r})")
        if n > 0 and kind == self._first:
            faults.add(f"{path}.event", f"must not be {kind!r}, which only begins a history")


def snake(kind: type) -> str:
    """The name of a type in documents."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
