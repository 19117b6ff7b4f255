"""Shapes: how a type is written as JSON and read back, and what is wrong where it is not one.

Each shape reads and writes the quick way, which stops at the first thing that is not as it should
be and says nothing; and the slow way, which names every fault with its place. The slow way is
taken only where the quick one has stopped, and has the last word.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from operator import attrgetter
from typing import Any, cast

from salespipeline._doors import NOTHING
from salespipeline._kinds import has_half
from salespipeline._plain import Faults
from salespipeline.conditions import Predicate
from salespipeline.errors import brief
from salespipeline.interchange._documents import Form, Noted, utf_16
from salespipeline.interchange._values import UnfitError

MOST_ITEMS = 1_000_000
"""How many items an array of a document may have."""

REFUSALS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""What the quick way stops by; its own errors are among them."""

_NEVER = object()


class Found(Noted):
    """The faults of a document, with what its reader was told beside it.

    Attributes:
        predicates: The functions of named conditions.
    """

    def __init__(self, form: Form, predicates: Mapping[str, Predicate] = NOTHING) -> None:
        super().__init__(form)
        self.predicates = predicates


def at(path: str, name: str) -> str:
    """The path of a member."""
    return f"{path}.{name}" if path else name


def called(name: str) -> str:
    """The name of a type in a message."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name.replace('_', ' ')}"


class Shape(ABC):
    """How a type is written and read.

    Attributes:
        called: What its values are called in a message.
        read: The quick way from plain data.
        write: The quick way to plain data.
        is_text: Whether any text is one of its values, and is written as it is.
    """

    called: str
    is_text: bool = False
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]

    def document(self, head: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
        """The quick way to a document that begins with a head."""

        def write(value: Any) -> dict[str, Any]:
            members = {**head, **self.write(value)}
            return {name: members[name] for name in sorted(members, key=utf_16)}

        return write

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """The value that plain data write; None, with every fault noted, where they write none."""
        try:
            value = self.read(data)
            fit = not _has_half(data)
        except REFUSALS:
            value, fit = None, False
        if not fit:
            faults.add(path, f"must be {self.called} (got {brief(data)})")
        return value if fit else None

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Note whatever of a value cannot be written."""
        try:
            fit = not _has_half(self.write(value))
        except REFUSALS:
            fit = False
        if not fit:
            faults.add(path, f"must be {self.called} (got {brief(value)})")

    @abstractmethod
    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """The JSON Schema of its data; what it refers to is put among the parts."""
        ...


def _has_half(data: Any) -> bool:
    """Whether text in plain data holds half of a character, which no document can."""
    if isinstance(data, str):
        return has_half(data)
    if isinstance(data, dict):
        members = cast("dict[str, Any]", data)
        return any(map(_has_half, (*members, *members.values())))
    return isinstance(data, list) and any(map(_has_half, cast("list[Any]", data)))


class Leaf(Shape):
    """A value without parts that are told apart."""

    def __init__(
        self,
        called: str,
        read: Callable[[Any], Any],
        write: Callable[[Any], Any],
        schema: Mapping[str, Any],
    ) -> None:
        self.called, self.read, self.write = called, read, write
        self._schema = dict(schema)

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - it has no parts
        """As it was given."""
        return self._schema


def choice_of(kind: type[StrEnum], called: str) -> Leaf:
    """One of the members of an enum, written as its text."""
    members = {str(each.value): each for each in kind}
    texts = {each: text for text, each in members.items()}
    listed = ", ".join(members)
    return Leaf(
        f"{called}, one of {listed}", members.__getitem__, texts.__getitem__, {"enum": [*members]}
    )


class Several(Shape):
    """An array: of a tuple in its order, or of a set, sorted and each member once."""

    def __init__(self, item: Shape, *, unique: bool = False) -> None:
        self.called = "an array"
        self._item, self._unique = item, unique
        read, write = item.read, item.write

        def read_all(data: Any) -> Any:
            if type(data) is not list:
                raise UnfitError
            items = cast("list[Any]", data)
            if not unique:
                return tuple([read(each) for each in items])
            if len(found := frozenset(map(read, items))) < len(items):
                raise UnfitError
            return found

        def write_all(value: Any) -> list[Any]:
            if not isinstance(value, frozenset if unique else tuple):
                raise UnfitError
            written = [write(each) for each in cast("Iterable[Any]", value)]
            return sorted(written) if unique else written

        self.read, self.write = read_all, write_all

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """Each item at its place."""
        items = faults.items(data, path, MOST_ITEMS)
        found = [self._item.reading(each, f"{path}[{n}]", faults) for n, each in enumerate(items)]
        if not self._unique:
            return tuple(found)
        met: set[object] = set()
        for n, each in enumerate(found):
            if each is not None and each in met:
                faults.add(f"{path}[{n}]", f"is there twice (got {brief(each)})")
            met.add(each)
        return frozenset(met)

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Each item at its place."""
        if not isinstance(value, frozenset if self._unique else tuple):
            wanted = "a frozenset" if self._unique else "a tuple"
            faults.add(path, f"must be {wanted} (got {brief(value)})")
            return
        for n, each in enumerate(cast("Iterable[Any]", value)):
            self._item.writing(each, f"{path}[{n}]", faults)

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """An array of its items."""
        array = {"type": "array", "items": self._item.schema(parts)}
        return {**array, "uniqueItems": True} if self._unique else array


class Member:
    """A member of an object.

    Args:
        name: Its name, which is that of the attribute.
        shape: How its value is written.
        needed: Whether it must be there.
        nullable: Whether its value may be None.
        default: What it is where it is not there; a value that says so is not written.
        filled: Whether the type itself has no such default, so that reading fills it in.
    """

    def __init__(
        self,
        name: str,
        shape: Shape,
        *,
        needed: bool = False,
        nullable: bool = False,
        default: object = _NEVER,
        filled: bool = False,
    ) -> None:
        self.name, self.shape, self.needed, self.nullable = name, shape, needed, nullable
        self.default, self.filled = default, filled
        self.spare: object = _NEVER
        if default is not _NEVER:
            self.spare = None if default is None else shape.write(default)

    def read(self) -> Callable[[Any], Any]:
        """The quick way; null is read so where it must be written."""
        read = self.shape.read
        if not (self.needed and self.nullable):
            return read
        return lambda data: None if data is None else read(data)

    def write(self) -> Callable[[Any], Any]:
        """The quick way."""
        write = self.shape.write
        if not (self.needed and self.nullable):
            return write
        return lambda value: None if value is None else write(value)

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """The schema of its value, with the default."""
        inner = self.shape.schema(parts)
        if self.nullable:
            inner = {"anyOf": [inner, {"type": "null"}]}
        return inner if self.spare in (_NEVER, None) else {**inner, "default": self.spare}


Row = tuple[str, Any, Any, Callable[[Any], Any] | None, bool]


class Object(Shape):
    """An object of a document: the attributes of a frozen type, by name.

    Args:
        kind: The type.
        name: What the schema and messages call it.
        members: Its members.
        make: What makes a value of them; the type itself if not given.
        tag: The constant by which it is told from others that may stand in its place.
    """

    def __init__(
        self,
        kind: type,
        name: str,
        members: Iterable[Member],
        *,
        make: Callable[..., Any] | None = None,
        tag: str | None = None,
    ) -> None:
        self.kind, self.name, self.tag = kind, name, tag
        self.called = called(name)
        self.members = {each.name: each for each in members}
        self.make: Callable[..., Any] = kind if make is None else make
        self.read, self.write = self.reader(), self.writer()

    def head(self) -> dict[str, str]:
        """The constants that it begins with."""
        return {} if self.tag is None else {"event": self.tag}

    def document(self, head: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
        """The quick way to a document, its head in its place."""
        return self.writer(head)

    def reader(self) -> Callable[[Any], Any]:
        """The quick way in; the tag must be taken off before."""
        readers = {each.name: each.read() for each in self.members.values()}
        filled = {each.name: each.default for each in self.members.values() if each.filled}
        make = self.make

        def read(data: Any) -> Any:
            if type(data) is not dict:
                raise UnfitError
            values = filled.copy()
            for name, each in cast("dict[str, Any]", data).items():
                values[name] = readers[name](each)
            return make(**values)

        return read

    def writer(self, head: Mapping[str, Any] = NOTHING) -> Callable[[Any], dict[str, Any]]:
        """The quick way out, the names in their canonical order, those of a head among them."""
        consts = {**self.head(), **head}
        names = sorted((*self.members, *consts), key=utf_16)
        rows: list[Row] = []
        for name in names:
            if name in consts:
                rows.append((name, _NEVER, consts[name], None, False))
            else:
                each = self.members[name]
                is_text = each.shape.is_text
                rows.append((name, each.default, each.spare, each.write(), is_text))
        kind = self.kind
        asked = [name if name in self.members else "__class__" for name in names]
        taken: Callable[[Any], Any] = attrgetter(*asked, "__class__")  # always of several

        def write(value: Any) -> dict[str, Any]:
            if type(value) is not kind:
                raise UnfitError
            out: dict[str, Any] = {}
            for (name, default, spare, put, is_text), each in zip(rows, taken(value)):  # noqa: B905
                if each is default:
                    continue
                if is_text and type(each) is str and each != spare:
                    out[name] = each
                elif put is None:
                    out[name] = spare
                elif (data := put(each)) != spare:
                    out[name] = data
            return out

        return write

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """Each member at its place."""
        before = len(faults.found)
        values = self.parts(data, path, faults)
        if len(faults.found) > before:
            return None
        return faults.tried(path or "the document", self.make, **values)

    def parts(self, data: object, path: str, faults: Faults) -> dict[str, Any]:
        """The values of the members, by name."""
        needed = [each.name for each in self.members.values() if each.needed]
        other = [each.name for each in self.members.values() if not each.needed]
        given = faults.keys(data, path or "the document", (*self.head(), *needed), other)
        values = {each.name: each.default for each in self.members.values() if each.filled}
        for name, each in given.items():
            if name in self.members:
                values[name] = self.part(name, each, at(path, name), faults)
        return values

    def part(self, name: str, data: object, path: str, faults: Faults) -> Any:
        """The value of one member."""
        member = self.members[name]
        if data is None and member.nullable:
            return None
        return member.shape.reading(data, path, faults)

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """Each member at its place."""
        if type(value) is not self.kind:
            faults.add(path or "the value", f"must be {self.called} (got {brief(value)})")
            return
        for name, member in self.members.items():
            each = getattr(value, name, None)
            if each is not None or not member.nullable:
                member.shape.writing(each, at(path, name), faults)

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """A reference to the schema of the object."""
        if self.name not in parts:
            parts[self.name] = {}  # so that what holds itself comes to an end
            parts[self.name] = self.body(parts)
        return {"$ref": f"#/$defs/{self.name}"}

    def body(self, parts: dict[str, Any]) -> dict[str, Any]:
        """The schema of the object."""
        head = {name: {"const": const} for name, const in self.head().items()}
        members = {name: each.schema(parts) for name, each in self.members.items()}
        needed = [*head, *(each.name for each in self.members.values() if each.needed)]
        required = {"required": needed} if needed else {}
        properties = {**head, **members}
        return {
            "type": "object", "properties": properties, **required, "additionalProperties": False,
        }  # fmt: skip


class Union(Shape):
    """One of several objects, told apart by the tag.

    Args:
        name: What the schema calls it.
        called: What it is in messages.
        objects: The objects, each with a tag.
    """

    def __init__(self, name: str, called: str, objects: Iterable[Object]) -> None:
        self.name, self.called = name, called
        self.by_tag = {str(each.tag): each for each in objects}
        self.by_kind = {each.kind: each for each in self.by_tag.values()}
        readers = {tag: each.read for tag, each in self.by_tag.items()}
        writers = {kind: each.write for kind, each in self.by_kind.items()}
        self.read = lambda data: readers[data.pop("event")](data)
        self.write = lambda value: writers[type(value)](value)

    def document(self, head: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
        """The quick way to a document of one of them."""
        writers = {kind: each.document(head) for kind, each in self.by_kind.items()}
        return lambda value: writers[type(value)](value)

    def reading(self, data: object, path: str, faults: Faults) -> Any:
        """The object that the tag names."""
        if not isinstance(data, dict):
            faults.add(path or "the document", f"must be an object (got {brief(data)})")
            return None
        tag = cast("dict[str, Any]", data).get("event")
        if not isinstance(tag, str) or tag not in self.by_tag:
            listed = ", ".join(self.by_tag)
            faults.add(at(path, "event"), f"must be one of {listed} (got {brief(tag)})")
            return None
        return self.by_tag[tag].reading(cast("object", data), path, faults)

    def writing(self, value: object, path: str, faults: Faults) -> None:
        """The object of the value's type."""
        each = self.by_kind.get(type(value))
        if each is None:
            faults.add(path or "the value", f"must be {self.called} (got {brief(value)})")
        else:
            each.writing(value, path, faults)

    def schema(self, parts: dict[str, Any]) -> dict[str, Any]:
        """A reference to the schema of any of them."""
        parts[self.name] = {"oneOf": [each.schema(parts) for each in self.by_tag.values()]}
        return {"$ref": f"#/$defs/{self.name}"}
