"""The members of one JSON object: fields read by name, the rest kept as attributes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from numbers import Integral
from typing import Any, TypeVar, cast

from salespipeline._doors import NOTHING
from salespipeline.attributes import Value
from salespipeline.connectors._cells import Cells
from salespipeline.connectors._items import Intake, Item, cells_of
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError, brief
from salespipeline.money import exact
from salespipeline.pipelines import check_probability

T = TypeVar("T")

UTC_CELLS = Cells(UTC, frozenset({"", "0000-00-00", "0000-00-00 00:00:00"}), None, NOTHING)
"""Cells of an interface that gives instants in UTC, or with a zone of their own."""

_DEEPEST = 16  # an object within an object within an object; deeper ones are nobody's record


class Members:
    """One object being read.

    Attributes:
        item: What its problems are reported of.
        given: What it holds.
    """

    def __init__(
        self, item: Item, given: Mapping[Any, Any], *, prefix: str = "", cells: Cells = UTC_CELLS
    ) -> None:
        self.item = item
        self.given = given
        self._prefix = prefix
        self._cells = cells
        self._taken: set[str] = set()

    def column(self, name: str) -> str:
        """Where a member stands."""
        return self._prefix + name

    def holds(self, name: str) -> bool:
        """Whether a member says anything."""
        return self._cells.held(self.given.get(name), name) is not None

    def read(
        self, name: str, how: Callable[[object, str], T | None], *, needed: bool = False
    ) -> T | None:
        """What a door makes of a member; None where it is absent or cannot be read."""
        self._taken.add(name)
        value = self._cells.held(self.given.get(name), name)
        return self.item.read(value, self._prefix + name, how, name=name, needed=needed)

    def text(self, name: str, *, needed: bool = False) -> str | None:
        """A member that is text, or a whole number by its digits."""
        return self.read(name, self._cells.text, needed=needed)

    def instant(self, name: str, *, needed: bool = False) -> datetime | None:
        """A member that is an instant."""
        return self.read(name, self._cells.instant, needed=needed)

    def flag(self, name: str) -> bool | None:
        """A member that is a truth, also as 0 or 1 or their text; it stays among the rest."""
        held = self._cells.held(self.given.get(name), name)
        return self.item.read(held, self.column(name), truth, name=name)

    def reference(self, name: str, *, needed: bool = False) -> str | None:
        """The id of another record: an id, or an object that holds it as its value or id."""
        value = self.given.get(name)
        taken = self.read(name, reference, needed=needed)
        if isinstance(value, Mapping):
            self._taken -= {name}
            self._taken |= {f"{name}.value", f"{name}.id"}
        return taken

    def identity(self, name: str = "id") -> str:
        """The id of the object's record, which the item then knows."""
        found = self.text(name, needed=True)
        if found is None:
            self.item.refuse(self.column(name), "it has no id")
        self.item.identity = found
        return found

    def leave(self, *names: str) -> None:
        """Keep members, or leaves of them, from the rest."""
        self._taken.update(names)

    def rest(self) -> dict[str, Value]:
        """Every other member that says anything, leaf by leaf, by its path."""
        kept: dict[str, Value] = {}
        for name, value in self.given.items():
            for path, leaf in leaves(_name(name), value):
                if name not in self._taken and path not in self._taken:
                    kept[path] = self.leaf(path, leaf)
        return {path: value for path, value in kept.items() if value is not None}

    def leaf(self, path: str, value: object) -> Value:
        """What stands at a path, as an attribute; None where it is absent or cannot be read."""
        held = self._cells.held(value, path)
        read: Any = self.item.read(held, self.column(path), self._cells.attribute)
        found: Value = read
        return found


def leaves(path: str, value: object, depth: int = 0) -> Iterator[tuple[str, object]]:
    """The leaves of a value with their paths; a list of plain values is a leaf."""
    parts = _parts(path, value) if depth < _DEEPEST else None
    if parts is None:
        yield path, value
    else:
        for deeper, part in parts:
            yield from leaves(deeper, part, depth + 1)


def _parts(path: str, value: object) -> list[tuple[str, object]] | None:
    """What an object or a list of objects consists of; None for a leaf."""
    if isinstance(value, Mapping):
        held = cells_of(cast("object", value)) or {}
        return [(f"{path}.{_name(key)}", part) for key, part in held.items()]
    if isinstance(value, list | tuple):
        each = cast("list[object]", value)
        if not each or any(isinstance(one, Mapping | list | tuple) for one in each):
            return [(f"{path}[{place}]", one) for place, one in enumerate(each)]
    return None


def _name(key: object) -> str:
    return key if isinstance(key, str) else brief(key)


def reference(value: object, name: str) -> str:
    """The id of another record: an id, or an object that holds it as its value or id."""
    if isinstance(value, Mapping):
        held = cells_of(cast("object", value)) or {}
        value = UTC_CELLS.held(held.get("value", held.get("id")), name)
    return UTC_CELLS.text(value, name)


def truth(value: object, name: str) -> bool:
    """True or false, also as 0 or 1 and as text of these.

    Raises:
        WrongTypeError: It is neither.
    """
    said = _TRUTHS.get(str(value).lower()) if isinstance(value, str | bool | int) else None
    if said is None:
        raise WrongTypeError(name, "true or false", value)
    return said


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def number(value: object, name: str) -> Decimal:
    """An exact number; a float is read by its shortest decimal text."""
    if isinstance(value, float):
        value = float.__repr__(value)
    elif isinstance(value, Integral) and not isinstance(value, bool):
        value = int(value)
    return exact(value, name)


def percent(value: object, name: str) -> Decimal:
    """A percentage from 0 to 100 as a probability."""
    share = number(value, name)
    return check_probability(share.scaleb(-2) if share else share)


def among(*known: str) -> Callable[[object, str], str]:
    """A door that takes only some texts."""

    def door(value: object, name: str) -> str:
        said = UTC_CELLS.text(value, name)
        if said not in known:
            raise UnknownKeyError(name, value, known)
        return said

    return door


def listed(given: object, *names: str) -> object:
    """What a response holds under one of the names, or the value itself where it is no response.

    A response that holds null holds nothing.
    """
    held = cells_of(given)
    if held is None:
        return given
    for name in names:
        if name in held:
            inner = held[name]
            return () if inner is None else inner
    return given


def by_record(given: object, what: str) -> dict[str, Any]:
    """What is given by the ids of records, the ids as text.

    Raises:
        WrongTypeError: It is no mapping, or an id is neither text nor a whole number.
    """
    held = cells_of(given)
    if held is None:
        raise WrongTypeError(what, "a mapping of ids to what was answered for each", given)
    found = {UTC_CELLS.text(key, what): value for key, value in held.items()}
    if len(found) < len(held):
        raise InvalidValueError(what, ("an id is there twice, as text and as a number",))
    return found


def joined(intake: Intake, others: Iterable[Intake]) -> Intake:
    """What several intakes took, after what the first did."""
    for other in others:
        intake.used += other.used
        intake.refused += other.refused
        intake.problems += sorted(other.problems, key=lambda problem: problem.row)
    return intake
