"""One rule of a rulebook: which moves it bears on, and what must be so for them."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from attrs import evolve, field, frozen

from salespipeline._doors import choice, hashable, repeated, text
from salespipeline._kinds import Kind, Schema, check_text, field_kind
from salespipeline._verdicts import Leaf, Verdict
from salespipeline.attributes import plain
from salespipeline.conditions import (
    MOVE,
    AllOf,
    AnyOf,
    Condition,
    Named,
    Op,
    Test,
    check_condition,
    in_words,
    leaves,
    split,
)
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.money import Money
from salespipeline.rules.decisions import OVERRIDABLE, Code, Denial

S = TypeVar("S", bound=Hashable)


class Way(StrEnum):
    """Which way along the order of the states a move goes."""

    ANY = "any"
    FORWARD = "forward"
    BACKWARD = "backward"
    SKIP = "skip"


def _name(value: object) -> str:
    return check_text(text(value, "name"), "name")


def _condition(value: object) -> Condition:
    return check_condition(value)


def _sources(value: Any) -> tuple[Any, ...] | None:
    return None if value is None else hashable(value, "sources")


def _targets(value: Any) -> tuple[Any, ...] | None:
    return None if value is None else hashable(value, "targets")


def _unordered(states: tuple[Any, ...] | None) -> frozenset[Any] | None:
    return None if states is None else frozenset(states)


def _way(value: object) -> Way:
    return choice(Way, value, "way")


def _words(value: object) -> str:
    return check_text(value, "words")


@frozen
class Rule(Generic[S]):
    """What must be so for some moves.

    The order of its states counts for nothing: rules that differ only in it are equal.

    Attributes:
        name: What it is called: denials, overrides and reports name it.
        condition: What must be so; `NEVER` forbids the moves.
        sources: The states left that it bears on, None among them for creations; every state and
            creations if not given.
        targets: The states entered that it bears on; every state if not given.
        way: The way that the moves go along the order of the states; a skip passes over one of
            the targets, so that it needs two of them. A creation goes no way, so only a rule for
            any way bears on it.
        meaning: Why there is such a rule.
        message: What a denial says; made from the condition if not given.

    >>> from salespipeline.conditions import present
    >>> rule = Rule("amount to win", present("amount"), targets=["won"])
    >>> rule.bears_on("proposal", "won", {"proposal": 0, "won": 1})
    True
    """

    name: str = field(converter=_name)
    condition: Condition = field(converter=_condition)
    sources: tuple[S | None, ...] | None = field(default=None, converter=_sources, eq=_unordered)
    targets: tuple[S, ...] | None = field(default=None, converter=_targets, eq=_unordered)
    way: Way = field(default=Way.ANY, converter=_way)
    meaning: str = field(default="", converter=_words)
    message: str = field(default="", converter=_words)

    def __attrs_post_init__(self) -> None:
        """Refuse a skip to one state, which would pass over nothing and never be denied."""
        if self.way is Way.SKIP and self.targets is not None and len({*self.targets}) == 1:
            fault = "a skip passes over one of its targets on the way to another: name two, or none"
            raise InvalidValueError(f"rule {self.name!r}", (fault,))

    @cached_property
    def asks_target(self) -> bool:
        """Whether what it says may hang on the state entered."""
        return any(
            isinstance(leaf, Named) or leaf.path == "move.to" for leaf in leaves(self.condition)
        )

    def named(self) -> Iterator[Named]:
        """The predicates that it asks."""
        return (leaf for leaf in leaves(self.condition) if isinstance(leaf, Named))

    def bears_on(self, source: S | None, target: S, ranks: Mapping[S, int]) -> bool:
        """Whether it bears on a move between states with these places in the order."""
        if self._left is not None and source not in self._left:
            return False
        if self._entered is not None and target not in self._entered:
            return False
        if self.way is Way.ANY:
            return True
        if source is None:
            return False
        first, last = ranks[source], ranks[target]
        if self.way is Way.SKIP:
            over = ranks if self._entered is None else self._entered
            return any(first < ranks[state] < last for state in over)
        return last > first if self.way is Way.FORWARD else last < first

    @cached_property
    def _left(self) -> frozenset[S | None] | None:
        return _unordered(self.sources)

    @cached_property
    def _entered(self) -> frozenset[S] | None:
        return _unordered(self.targets)


def _over(value: object) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise WrongTypeError("over", "several names of rules or codes", value)
    return frozenset(_name(each) for each in cast("Iterable[object]", value))


@frozen
class Grant:
    """The right of a role to override denials.

    Attributes:
        role: The role.
        over: The names of the rules that it may override, and the codes of the rulebook's own
            denials: backward, final, not_a_creation_state, skip.
    """

    role: str = field(converter=_name)
    over: frozenset[str] = field(converter=_over)

    def __attrs_post_init__(self) -> None:
        """Refuse a grant of nothing."""
        if not self.over:
            raise InvalidValueError("grant", (f"{self.role!r} is granted nothing",))


def declared(rules: Iterable[Rule[Any]], schema: Schema | None) -> tuple[dict[str, str], list[str]]:
    """The kind of every field that rules ask for, by path; and what a schema has against them.

    Without a schema a field is of the kind that it is held against, of any kind where it is
    only asked to be present.
    """
    kinds: dict[str, Kind] = {}
    faults: list[str] = []
    for rule in rules:
        for test in leaves(rule.condition):
            if isinstance(test, Test):
                kind = _schema_kind(schema, test.path)
                if kind is Kind.ANY:
                    kind = kinds.get(test.path, Kind.ANY)
                if kind is None:
                    faults.append(f"rule {rule.name!r}: there is no field {test.path!r}")
                elif Kind.ANY not in {kind, test.kind} and kind is not test.kind:
                    fault = (
                        f"{test.path!r} holds {kind.value}, and is held against {test.kind.value}"
                    )
                    faults.append(f"rule {rule.name!r}: {fault}")
                else:
                    kinds[test.path] = test.kind if kind is Kind.ANY else kind
    return {path: kind.value for path, kind in sorted(kinds.items())}, list(dict.fromkeys(faults))


def faults(
    rules: Iterable[Rule[Any]], grants: Iterable[Grant], predicates: Collection[str]
) -> Iterator[str]:
    """What is wrong between rules, grants and the names of the predicates given."""
    names = [rule.name for rule in rules]
    if twice := repeated(names):
        yield f"it has several rules named {', '.join(map(repr, twice))}"
    for name in sorted(name for name in {*names} if name in OVERRIDABLE):
        yield f"the rule {name!r} has the name of a denial of the rulebook's own"
    asked = {leaf.name for rule in rules for leaf in rule.named()}
    if missing := sorted(asked - {*predicates}):
        yield f"the predicates {', '.join(map(repr, missing))} are not given"
    for grant in grants:
        if strange := sorted(grant.over - {*names} - OVERRIDABLE):
            known = ", ".join((*names, *sorted(OVERRIDABLE)))
            unknown = ", ".join(map(repr, strange))
            yield f"{grant.role!r} is granted the unknown {unknown}; known: {known}"


def _schema_kind(schema: Schema | None, path: str) -> Kind | None:
    """The kind of a field in a schema of records; None where there is no such field."""
    root, names = split(path)
    if root == "move":
        return MOVE[names[0]]
    if schema is None:
        return Kind.ANY
    if isinstance(schema, Mapping) and path in schema:
        return field_kind(schema[path], ())
    return field_kind(schema, names) if root == "record" else Kind.ANY


def denials_of(rule: Rule[Any], verdict: Verdict, target: object) -> tuple[Denial, ...]:
    """What a rule that is not met has against a move: a denial for each test not met."""
    name, message = rule.name, rule.message
    if not verdict.against:
        why = message or in_words(rule.condition)
        return (Denial(Code.FORBIDDEN, name, "target", target, rule.condition, why),)
    return tuple(
        [
            Denial(
                _code(leaf), name, leaf.asked.place, leaf.actual, leaf.asked, message or _why(leaf)
            )
            for leaf in verdict.against
        ]
    )


def _code(leaf: Leaf) -> Code:
    """The code of a test that was not met."""
    asked = leaf.asked
    if leaf.raised:
        return Code.FAILED
    if leaf.answer is None:
        return Code.MISSING_FIELD
    if isinstance(asked, Named):
        return Code.NOT_MET
    if asked.path == "approvals" and asked.op is Op.CONTAINS:
        return Code.APPROVAL_NEEDED
    if asked.path == "move.role":
        return Code.ROLE_NEEDED
    return _CODES.get(asked.op, Code.NOT_MET)


_CODES = {
    Op.PRESENT: Code.MISSING_FIELD,
    Op.ELAPSED: Code.TOO_SOON,
    Op.NOT_ELAPSED: Code.TOO_LATE,
}


def _why(leaf: Leaf) -> str:
    """A test that was not met, in words."""
    wanted, actual = in_words(leaf.asked), leaf.actual
    if leaf.raised:
        return f"{wanted}, which could not be told"
    if actual is None:
        return f"{wanted}, and it is not known" if leaf.answer is None else wanted
    if issubclass(type(actual), datetime | frozenset | set | list | tuple):
        return wanted
    return f"{wanted} (it is {_shown(actual)})"


def _shown(actual: object) -> str:
    """What was found in a field, in words."""
    words = str(actual) if type(actual) in _PRINTED else brief(actual)
    return words if len(words) <= 60 else brief(actual)


_PRINTED = frozenset({Decimal, Money, date})
"""The types whose text says more to people than what Python would write."""


def recorded(denial: Denial) -> Denial:
    """A denial as an event keeps it, whatever it looked at: with plain values only."""
    expected = denial.expected
    if isinstance(expected, Test | Named | AllOf | AnyOf):
        expected = in_words(expected)
    return evolve(denial, actual=_kept(denial.actual), expected=_kept(expected))


def _kept(value: object) -> object:
    """A value in a form that any process and language reads alike."""
    if issubclass(type(value), frozenset | set):
        return tuple(sorted(map(_kept, cast("set[object]", value)), key=str))
    try:
        return plain(value)
    except Exception:  # noqa: BLE001 - what was found in a record may be anyone's code
        own = type(value).__repr__ is not object.__repr__
        return brief(value) if own else f"<{type(value).__name__}>"
