"""Plain data, as `Rulebook.to_plain` gives them, read back as a rulebook."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from salespipeline._doors import LARGEST_WHOLE, NOTHING, choice, instance, whole
from salespipeline._kinds import Kind, check_text
from salespipeline._plain import Faults, read_condition
from salespipeline.conditions import (
    Condition,
    Named,
    Predicate,
    check_name,
    leaves,
)
from salespipeline.errors import WrongTypeError, brief
from salespipeline.rules.book import Rulebook
from salespipeline.rules.decisions import OVERRIDABLE
from salespipeline.rules.rule import Grant, Rule, Way, declared
from salespipeline.rules.table import MOST, Course

T = TypeVar("T")

_ANY = "any"
_OF_BOOK = (
    "name", "version", "meaning", "states", "course", "skips", "moves", "creation", "final",
    "fields", "rules", "grants",
)  # fmt: skip
_OF_RULE = ("name", "condition", "from", "to", "way", "meaning", "message")


def read_rulebook(
    data: object,
    faults: Faults,
    *,
    path: str = "",
    predicates: Mapping[str, Predicate] = NOTHING,
) -> Rulebook[str] | None:
    """The rulebook that plain data write.

    Nothing is coerced; every member must be there, and none that is not known. Sets may be written
    in any order, and the numbers and instants of conditions in any exact way.

    Args:
        data: The plain data.
        faults: Takes all that is wrong with them, each fault with the path of its place.
        path: Where the data stand in their document; nothing where they are the document.
        predicates: The functions of named conditions, by name.

    Returns:
        The rulebook; None where anything is wrong.
    """
    before = len(faults.found)
    members = _Reader(faults, predicates).members(data, path)
    if len(faults.found) > before:
        return None
    made = faults.tried(path or "the document", Rulebook, **members, predicates=predicates)
    return cast("Rulebook[str] | None", made)


def _version(value: object, name: str) -> int:
    version = whole(value, name)
    if not 1 <= version <= LARGEST_WHOLE:
        raise WrongTypeError(name, "a whole number from 1 to 2^53 - 1", value)
    return version


def _flag(value: object, name: str) -> bool:
    return instance(bool, value, name)


def _course(value: object, name: str) -> Course:
    return choice(Course, value, name)


def _way(value: object, name: str) -> Way:
    return choice(Way, value, name)


def _kind(value: object, name: str) -> Kind:
    return choice(Kind, value, name)


class _Object:
    """An object of a document, at its place."""

    def __init__(self, data: object, path: str, names: Iterable[str], faults: Faults) -> None:
        self._faults = faults
        self._path = path
        self._members = faults.keys(data, path or "the document", names)

    def place(self, name: str) -> str:
        """The path of a member."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str, value: object) -> bool:
        """Whether a member is this value."""
        return name in self._members and self._members[name] == value

    def read(self, name: str, read: Callable[[object, str], T]) -> T | None:
        """A member that is read at its place; None where it lacks, which is noted already."""
        return read(self._members[name], self.place(name)) if name in self._members else None

    def one(self, name: str, check: Callable[[object, str], T]) -> T | None:
        """A member that a check takes."""
        if name not in self._members:
            return None
        tried = self._faults.tried(self.place(name), check, self._members[name], name)
        return cast("T | None", tried)

    def several(self, name: str, most: int, read: Callable[[object, str], T]) -> list[T]:
        """A member that is an array, each of its items read at its place."""
        if name not in self._members:
            return []
        path = self.place(name)
        items = self._faults.items(self._members[name], path, most)
        return [read(each, f"{path}[{n}]") for n, each in enumerate(items)]

    def distinct(self, name: str, most: int, read: Callable[[object, str], T]) -> list[T]:
        """A member that is an array of which no item is there twice."""
        several = self.several(name, most, read)
        written = cast("list[object]", self._members[name]) if several else []
        met: set[object] = set()
        for n, each in enumerate(several):
            unread = each is None and written[n] is not None  # which is noted already
            if each in met and not unread:
                self._faults.add(f"{self.place(name)}[{n}]", f"is there twice (got {brief(each)})")
            met.update(() if unread else (each,))
        return several


class _Reader:
    """Reads one rulebook, and notes what is wrong with it."""

    def __init__(self, faults: Faults, predicates: Mapping[str, Predicate]) -> None:
        self._faults = faults
        self._predicates = predicates
        self._states: frozenset[object] = frozenset()
        self._names: set[object] = set()

    def members(self, data: object, path: str) -> dict[str, Any]:
        """What a rulebook is made of, by name; what could not be read is None."""
        book = _Object(data, path, _OF_BOOK, self._faults)
        states = book.distinct("states", MOST, self._new_state)
        self._states = frozenset(states) - {None}
        if book.has("states", []):
            self._faults.add(book.place("states"), "must hold at least one state")
        named = {
            "name": book.one("name", check_name),
            "states": tuple(states),
            "course": book.one("course", _course),
            "skips": book.one("skips", _flag),
            "edges": frozenset(book.distinct("moves", MOST * MOST, self._edge)),
            "creation": frozenset(book.distinct("creation", MOST, self._state)),
            "final": frozenset(book.distinct("final", MOST, self._state)),
            "version": book.one("version", _version),
            "meaning": book.one("meaning", check_text),
        }
        rules = book.several("rules", MOST, self._rule)
        grants = book.several("grants", MOST, self._grant)
        schema = self._schema(book, rules)
        return {**named, "rules": tuple(rules), "grants": tuple(grants), "schema": schema}

    def _new_state(self, data: object, path: str) -> str | None:
        return cast("str | None", self._faults.tried(path, check_text, data, "state"))

    def _state(self, data: object, path: str) -> str | None:
        """A state of the rulebook."""
        if not isinstance(data, str) or data not in self._states:
            self._faults.add(path, f"must be one of the states (got {brief(data)})")
            return None
        return data

    def _left(self, data: object, path: str) -> str | None:
        """A state left: one of the rulebook, or None for creation."""
        return None if data is None else self._state(data, path)

    def _edge(self, data: object, path: str) -> tuple[str | None, ...] | None:
        if not isinstance(data, list) or len(cast("list[object]", data)) != 2:
            self._faults.add(
                path, f"must be an array of two states (got {brief(cast('object', data))})"
            )
            return None
        ends = cast("list[object]", data)
        return tuple(self._state(each, f"{path}[{n}]") for n, each in enumerate(ends))

    def _rule(self, data: object, path: str) -> Rule[str] | None:
        before = len(self._faults.found)
        rule = _Object(data, path, _OF_RULE, self._faults)
        name = rule.one("name", check_name)
        if name in self._names:
            self._faults.add(rule.place("name"), f"is that of another rule (got {brief(name)})")
        elif name in OVERRIDABLE:
            self._faults.add(rule.place("name"), f"is that of a denial (got {brief(name)})")
        self._names.add(name)
        parts = {
            "condition": rule.read("condition", self._condition),
            "sources": self._side(rule, "from", self._left),
            "targets": self._side(rule, "to", self._state),
            "way": rule.one("way", _way),
            "meaning": rule.one("meaning", check_text),
            "message": rule.one("message", check_text),
        }
        sound = len(self._faults.found) == before
        made = self._faults.tried(path, Rule, name, **parts) if sound else None
        return cast("Rule[str] | None", made)

    def _side(
        self, rule: _Object, name: str, read: Callable[[object, str], str | None]
    ) -> tuple[str | None, ...] | None:
        """The states that a rule bears on; None for all of them."""
        return None if rule.has(name, _ANY) else tuple(rule.distinct(name, MOST + 1, read))

    def _condition(self, data: object, path: str) -> Condition | None:
        condition = read_condition(data, path, self._faults)
        for each in () if condition is None else leaves(condition):
            if isinstance(each, Named) and each.name not in self._predicates:
                self._faults.add(path, f"asks {each.name!r}, and no such predicate is given")
        return condition

    def _grant(self, data: object, path: str) -> Grant | None:
        before = len(self._faults.found)
        grant = _Object(data, path, ("role", "over"), self._faults)
        role = grant.one("role", check_name)
        over = grant.distinct("over", MOST + len(OVERRIDABLE), self._overridable)
        sound = len(self._faults.found) == before
        return cast("Grant | None", self._faults.tried(path, Grant, role, over) if sound else None)

    def _overridable(self, data: object, path: str) -> str | None:
        """The name of a rule that was read, or a code that may be overridden."""
        if not isinstance(data, str) or data not in self._names | OVERRIDABLE:
            codes = ", ".join(sorted(OVERRIDABLE))
            fault = f"must be the name of a rule, or one of {codes} (got {brief(data)})"
            self._faults.add(path, fault)
            return None
        return data

    def _schema(self, book: _Object, rules: list[Rule[str] | None]) -> dict[str, Any] | None:
        """The kinds of the fields that rules ask for; None where the rules tell them alone."""
        data = book.one("fields", _object)
        if data is None:
            return None
        places = {path: f"{book.place('fields')}[{brief(path)}]" for path in data}
        kinds = {
            path: self._faults.tried(places[path], _kind, each, "kind")
            for path, each in data.items()
        }
        sound = [rule for rule in rules if rule is not None]
        if len(sound) < len(rules) or None in kinds.values() or declared(sound, None)[0] == kinds:
            return None
        asked, _ = declared(sound, kinds)
        for n, rule in enumerate(sound):
            for fault in declared([rule], kinds)[1]:
                self._faults.add(f"{book.place('rules')}[{n}].condition", fault)
        for path in sorted({*asked} - {*kinds}):
            self._faults.add(book.place("fields"), f"lacks {path!r}, which a rule asks for")
        for path, kind in kinds.items():
            if asked.get(path) != kind:
                wanted = f"must be {asked[path]!r}" if path in asked else "is asked for by no rule"
                self._faults.add(places[path], wanted)
        return kinds


def _object(value: object, name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", instance(dict, value, name))
