"""Conditions on a move as data: what must be so of the record, the move and its surroundings.

A condition is a frozen value made by the functions of this module, never by parsing text. Fields
are named by paths: ``amount`` or ``attributes.seats`` of the record, ``move.role`` of the move,
``context.quarter_end`` of what the caller adds. An answer is yes, no, or unknown, where a field is
missing or a predicate raised; only yes allows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, cast

from attrs import field, frozen

from salespipeline._doors import LARGEST_WHOLE, gathered, instance
from salespipeline._kinds import Kind, check_text, compare, constant, told_text
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.errors import InvalidValueError, WrongTypeError, brief

DEEPEST = 8
"""How many conditions may stand inside each other."""

LARGEST = 200
"""How many conditions one may hold in all, and how many values one of them may list."""

MOVE: Mapping[str, Kind] = {
    "from": Kind.TEXT,
    "to": Kind.TEXT,
    "at": Kind.INSTANT,
    "by": Kind.TEXT,
    "role": Kind.TEXT,
    "entered_at": Kind.INSTANT,
}
"""The fields of a move that conditions may ask for, each with its kind."""

_MOST_SHOWN = 8
"""How many of the values of a test are put into words."""

_LONGEST_WORD = 30
"""How long the name of a param may be to be shown without quotes."""

_NO_LISTS = (str, bytes, bytearray, Mapping)
"""What can be iterated, and is no list of values all the same."""

_ROOTS = ("record", "move", "context")


class Op(StrEnum):
    """What a test asks of a field."""

    PRESENT = "present"
    ABSENT = "absent"
    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    LESS = "less"
    AT_MOST = "at_most"
    MORE = "more"
    AT_LEAST = "at_least"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    LACKS = "lacks"
    ELAPSED = "elapsed"
    NOT_ELAPSED = "not_elapsed"


_OPPOSITES = (
    (Op.PRESENT, Op.ABSENT),
    (Op.EQUALS, Op.NOT_EQUALS),
    (Op.LESS, Op.AT_LEAST),
    (Op.MORE, Op.AT_MOST),
    (Op.IN, Op.NOT_IN),
    (Op.CONTAINS, Op.LACKS),
    (Op.ELAPSED, Op.NOT_ELAPSED),
)
_OPPOSITE: Mapping[Op, Op] = {**dict(_OPPOSITES), **{no: yes for yes, no in _OPPOSITES}}

PRESENCE = frozenset({Op.PRESENT, Op.ABSENT})
EQUALITY = frozenset({Op.EQUALS, Op.NOT_EQUALS})
LISTED = frozenset({Op.IN, Op.NOT_IN})
HELD = frozenset({Op.CONTAINS, Op.LACKS})
LASTED = frozenset({Op.ELAPSED, Op.NOT_ELAPSED})

_IN_ORDER = frozenset({Kind.TEXT, Kind.NUMBER, Kind.MONEY, Kind.DATE, Kind.INSTANT})
"""The kinds of constants that are more or less than others."""

_IN_LISTS = frozenset({Kind.TEXT, Kind.NUMBER, Kind.DATE})
"""The kinds of constants that ``in`` may list."""

_IN_WORDS = {
    Op.PRESENT: "must be present",
    Op.ABSENT: "must be absent",
    Op.EQUALS: "must be",
    Op.NOT_EQUALS: "must not be",
    Op.LESS: "must be less than",
    Op.AT_MOST: "must be at most",
    Op.MORE: "must be more than",
    Op.AT_LEAST: "must be at least",
    Op.IN: "must be one of",
    Op.NOT_IN: "must be none of",
    Op.CONTAINS: "must hold",
    Op.LACKS: "must not hold",
    Op.ELAPSED: "must be past for at least",
    Op.NOT_ELAPSED: "must be past for less than",
}


def check_path(value: object) -> str:
    """A path in its one form: a record's field without ``record.`` where nothing is lost.

    Raises:
        WrongTypeError: It is no text, or too long.
        InvalidValueError: It names no field; all faults are named.
    """
    segments = check_name(value, "field").split(".")
    if segments[0] == "record" and len(segments) > 1 and segments[1] not in _ROOTS:
        del segments[0]
    faults: list[str] = []
    if len(segments) > DEEPEST or not all(segments):
        faults.append(f"{brief(value)} is not 1 to {DEEPEST} names with dots between")
    if any(segment.startswith("__") for segment in segments):
        faults.append(f"{brief(value)} names a part that begins with '__'")
    if segments[0] in _ROOTS and len(segments) == 1:
        faults.append(f"{brief(value)} names no field of it")
    if segments[0] == "move" and segments[1:2] and ".".join(segments[1:]) not in MOVE:
        faults.append(f"{brief(value)} is no field of a move; there are {', '.join(MOVE)}")
    if faults:
        raise InvalidValueError("field", tuple(faults))
    return ".".join(segments)


def split(path: str) -> tuple[str, tuple[str, ...]]:
    """Where a field is looked up, record, move or context, and by which names."""
    first, *names = path.split(".")
    return (first, tuple(names)) if first in _ROOTS else ("record", (first, *names))


@frozen
class Test:
    """One question to one field.

    Attributes:
        path: The field.
        op: What is asked of it.
        value: What it is held against: a constant, several in order for ``in``, a duration in
            whole seconds for ``elapsed``, None for ``present``.
        kind: The kind of the field's values, told by the constant.
        where: The path's root, record, move or context, and the names that follow.
    """

    path: str
    op: Op
    value: Any = None
    kind: Kind = field(init=False, default=Kind.ANY)
    where: tuple[str, tuple[str, ...]] = field(init=False, eq=False, repr=False)

    __test__ = False  # not a test case

    def __attrs_post_init__(self) -> None:
        """Refuse a field that is none and a constant that the question cannot take."""
        op = instance(Op, self.op, "op")
        made = gathered(
            "condition", "field", "value",
            field=(lambda value, _: check_path(value), self.path),
            value=(lambda value, _: check_operand(op, value), self.value),
        )  # fmt: skip
        (kind, value), (root, names) = made["value"], split(made["field"])
        if root == "move" and kind not in {MOVE[names[0]], Kind.ANY}:
            fault = f"{self.path!r} holds {MOVE[names[0]].value}, and is held against {kind.value}"
            raise InvalidValueError("condition", (fault,))
        held = {"path": made["field"], "value": value, "kind": kind, "where": (root, names)}
        for name, each in held.items():
            object.__setattr__(self, name, each)

    @property
    def place(self) -> str:
        """What a denial names as the field it looked at."""
        return self.path


def kinds_of(op: Op) -> frozenset[Kind]:
    """The kinds of constants that an operator compares with."""
    if op in LISTED:
        return _IN_LISTS
    return _IN_ORDER | {Kind.FLAG} if op in EQUALITY else _IN_ORDER


def check_operand(op: Op, value: object) -> tuple[Kind, Any]:
    """The kind of field that an operator with a constant asks for, and the constant as held.

    Raises:
        WrongTypeError: It is no constant for the operator.
    """
    if op in PRESENCE:
        if value is not None:
            raise WrongTypeError("value", f"None with {op.value!r}", value)
        return Kind.ANY, None
    if op in HELD:
        return Kind.TEXTS, check_name(value, "value")
    if op in LASTED:
        return Kind.INSTANT, _duration(value)
    if op in LISTED:
        return _several(value)
    kind, held = constant(value)
    if kind not in kinds_of(op):
        raise WrongTypeError("value", f"something that has an order, with {op.value!r}", value)
    return kind, held


def _duration(value: object) -> timedelta:
    if not isinstance(value, timedelta) or value.days < 0 or value.microseconds:
        raise WrongTypeError("duration", "a timedelta of whole seconds, not negative", value)
    return timedelta(value.days, value.seconds)


def _several(value: object) -> tuple[Kind, tuple[object, ...]]:
    """The values listed by ``in``: of one kind, each once, in order."""
    expected = f"1 to {LARGEST} texts, numbers or dates, all of one kind"
    if issubclass(type(value), _NO_LISTS) or not issubclass(type(value), Iterable):
        raise WrongTypeError("values", expected, value)
    several = list(islice(cast("Iterable[object]", value), LARGEST + 1))
    pairs = [constant(each) for each in several]
    kinds = {kind for kind, _ in pairs}
    if len(kinds) != 1 or len(pairs) > LARGEST or not kinds <= _IN_LISTS:
        raise WrongTypeError("values", expected, several)
    return kinds.pop(), tuple(sorted({held for _, held in pairs}))


@frozen
class Named:
    """A question that a pure Python function answers.

    Attributes:
        name: The function's name in the registry of the rulebook.
        params: What it is given beside the facts.
        negated: Whether its answer is turned round.
    """

    name: str
    params: Attributes = EMPTY
    negated: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse a name that is none, and params that other programs could not read."""
        made = gathered(
            "condition", "name", "params", "negated",
            name=(check_name, self.name), params=(check_params, self.params),
            negated=(lambda value, name: instance(bool, value, name), self.negated),
        )  # fmt: skip
        for name, each in made.items():
            object.__setattr__(self, name, each)

    @property
    def place(self) -> str:
        """What a denial names as the field it looked at."""
        return self.name


def check_name(value: object, name: str) -> str:
    """Text that is not empty, and that any encoding can write.

    Raises:
        WrongTypeError: It is none.
    """
    held = told_text(value)
    if not held:
        raise WrongTypeError(name, "text that is not empty", value)
    return check_text(held, name)


def check_params(value: object, name: str) -> Attributes:
    """What a predicate is given: at most `LARGEST` texts, bools and whole numbers by name.

    Raises:
        WrongTypeError: It is anything else.
    """
    given = cast("Mapping[object, object]", value)
    if not issubclass(type(value), Mapping) or len(given) > LARGEST:
        raise WrongTypeError(name, f"a mapping of at most {LARGEST} names to values", value)
    return Attributes({check_name(key, name): _param(each, name) for key, each in given.items()})


def _param(value: object, name: str) -> str | int:
    type_ = type(value)
    if issubclass(type_, str):
        return check_text(value, name)
    whole = int.__int__(cast("int", value)) if issubclass(type_, int) else LARGEST_WHOLE + 1
    if not -LARGEST_WHOLE <= whole <= LARGEST_WHOLE:
        raise WrongTypeError(name, "text, bools or whole numbers by name", value)
    return bool(whole) if type_ is bool else whole


@frozen
class AllOf:
    """Every condition must be met; without any it always is."""

    conditions: "tuple[Condition, ...]"

    def __attrs_post_init__(self) -> None:
        """Refuse too many conditions, too deep ones, and those that contradict each other."""
        _check_compound(self.conditions)
        faults = tuple(contradictions(_conjuncts(self)))
        if faults:
            raise InvalidValueError("condition", faults)


@frozen
class AnyOf:
    """At least one condition must be met; without any it never is."""

    conditions: "tuple[Condition, ...]"

    def __attrs_post_init__(self) -> None:
        """Refuse too many conditions and too deep ones."""
        _check_compound(self.conditions)


Condition: TypeAlias = Test | Named | AllOf | AnyOf
"""What must be so."""


def check_condition(value: object, name: str = "condition") -> Condition:
    """The condition itself.

    Raises:
        WrongTypeError: It is none.
    """
    if not isinstance(value, Test | Named | AllOf | AnyOf):
        raise WrongTypeError(name, "a condition, such as present('amount')", value)
    return value


def _check_compound(conditions: object) -> None:
    given = cast("tuple[object, ...]", instance(tuple, conditions, "conditions"))
    several = [check_condition(each, "conditions") for each in given]
    if 1 + max(map(_depth, several), default=0) > DEEPEST:
        raise InvalidValueError("condition", (f"it is more than {DEEPEST} deep",))
    if sum(map(_size, several)) > LARGEST:
        raise InvalidValueError("condition", (f"it holds more than {LARGEST} conditions",))


def _depth(condition: Condition) -> int:
    if isinstance(condition, Test | Named):
        return 1
    return 1 + max(map(_depth, condition.conditions), default=0)


def _size(condition: Condition) -> int:
    """How many conditions it is, those that it holds counted."""
    if isinstance(condition, Test | Named):
        return 1
    return 1 + sum(map(_size, condition.conditions))


def leaves(condition: Condition) -> Iterator[Test | Named]:
    """The tests and predicates that a condition is made of, in order."""
    if isinstance(condition, Test | Named):
        yield condition
    else:
        for each in condition.conditions:
            yield from leaves(each)


def _conjuncts(condition: Condition) -> Iterator[Test | Named]:
    """The tests and predicates that must all be met, those inside an `AnyOf` left out."""
    if isinstance(condition, Test | Named):
        yield condition
    elif isinstance(condition, AllOf):
        for each in condition.conditions:
            yield from _conjuncts(each)


def contradictions(conjuncts: Iterable[Test | Named]) -> Iterator[str]:
    """Why tests cannot all be met, field by field; nothing where no reason is known."""
    by_path: dict[str, list[Test]] = {}
    said: dict[tuple[str, Attributes], bool] = {}
    for leaf in conjuncts:
        if isinstance(leaf, Test):
            by_path.setdefault(leaf.path, []).append(leaf)
        elif said.setdefault((leaf.name, leaf.params), leaf.negated) is not leaf.negated:
            yield f"{brief(leaf.name)} is asked to be so and not to be so"
    for path, tests in by_path.items():
        if not _can_hold(tests):
            yield f"{brief(path)} {_some(dict.fromkeys(map(_asked, tests)), ' and ')}"


def _can_hold(tests: list[Test]) -> bool:
    """Whether a value of one field can meet every test."""
    if any(test.op is Op.ABSENT for test in tests):
        return all(test.op is Op.ABSENT for test in tests)
    asked = [test for test in tests if test.op is not Op.PRESENT]
    kinds = {test.kind for test in asked}
    if len(kinds) > 1:
        return False
    values: list[tuple[Any, ...]] = [(True, False)] if Kind.FLAG in kinds else []
    values += [test.value for test in asked if test.op is Op.IN]
    values += [(test.value,) for test in asked if test.op is Op.EQUALS]
    if values:
        timeless = [test for test in asked if test.op not in LASTED]
        return any(all(holds(test, value) for test in timeless) for value in values[-1])
    return _bounds_meet(asked) and _holdings_meet(asked)


def _bounds_meet(tests: list[Test]) -> bool:
    """Whether a value lies between all lower and all upper bounds."""
    bounds = [(test.op, test.value) for test in tests]
    if any(test.kind is Kind.MONEY for test in tests):
        if len({value.currency for _, value in bounds}) > 1:
            return False
        bounds = [(op, value.minor) for op, value in bounds]
    lower = [(value, op is Op.MORE) for op, value in bounds if op in {Op.MORE, Op.AT_LEAST}]
    upper = [(value, op is not Op.LESS) for op, value in bounds if op in {Op.LESS, Op.AT_MOST}]
    if not lower or not upper:
        return True
    (least, without), (most, within) = max(lower), min(upper)
    return bool(least < most or (least == most and within and not without))


def _holdings_meet(tests: list[Test]) -> bool:
    """Whether some texts hold and lack what is asked, and some stretch of time is long enough."""
    asked: dict[Op, set[Any]] = {op: set() for op in HELD | LASTED}
    for test in tests:
        if test.op in asked:
            asked[test.op].add(test.value)
    least, most = asked[Op.ELAPSED], asked[Op.NOT_ELAPSED]
    if least and most and max(least) >= min(most):
        return False
    return asked[Op.CONTAINS].isdisjoint(asked[Op.LACKS])


def holds(test: Test, value: Any) -> bool | None:
    """Whether a value of the test's kind meets it; None for money of another currency."""
    return compare(test.kind, test.op, value, test.value)


# The functions that make conditions


def present(field: str) -> Test:
    """The field is there: not None."""
    return Test(field, Op.PRESENT)


def absent(field: str) -> Test:
    """The field is missing, or None."""
    return Test(field, Op.ABSENT)


def equals(field: str, value: object) -> Test:
    """The field is the value; unknown where it is missing or of another kind."""
    return Test(field, Op.EQUALS, value)


def not_equals(field: str, value: object) -> Test:
    """The field is another value; unknown where it is missing or of another kind."""
    return Test(field, Op.NOT_EQUALS, value)


def less(field: str, value: object) -> Test:
    """The field is less than the value; money only against money of its currency."""
    return Test(field, Op.LESS, value)


def at_most(field: str, value: object) -> Test:
    """The field is the value or less."""
    return Test(field, Op.AT_MOST, value)


def more(field: str, value: object) -> Test:
    """The field is more than the value."""
    return Test(field, Op.MORE, value)


def at_least(field: str, value: object) -> Test:
    """The field is the value or more.

    >>> print(in_words(at_least("attributes.seats", 10)))
    'attributes.seats' must be at least 10
    """
    return Test(field, Op.AT_LEAST, value)


def one_of(field: str, values: Iterable[object]) -> Test:
    """The field is one of the values: texts, numbers or dates."""
    return Test(field, Op.IN, values)


def contains(field: str, value: str) -> Test:
    """The field, several texts, holds the text."""
    return Test(field, Op.CONTAINS, value)


def made_by(*roles: str) -> Test:
    """Whoever makes the move acts in one of the roles."""
    return Test("move.role", Op.IN, [check_name(role, "role") for role in roles])


def approved_by(*roles: str) -> Condition:
    """The approval of every one of the roles is in force."""
    return all_of(*_approvals(roles))


def approved_by_any(*roles: str) -> Condition:
    """The approval of at least one of the roles is in force."""
    return any_of(*_approvals(roles))


def _approvals(roles: tuple[str, ...]) -> list[Test]:
    """One test per role; without any, every record would seem approved."""
    if not roles:
        raise WrongTypeError("roles", "one role or more", roles)
    return [contains("approvals", role) for role in roles]


def elapsed(duration: timedelta, *, since: str) -> Test:
    """At least so much time lies between the instant in a field and the move.

    Args:
        duration: In whole seconds.
        since: The field with the instant.
    """
    return Test(since, Op.ELAPSED, duration)


def spent_at_least(duration: timedelta) -> Test:
    """The record has been in its present state for at least so long when it moves."""
    return elapsed(duration, since="move.entered_at")


def named(name: str, params: Mapping[str, object] = EMPTY) -> Named:
    """A pure Python function of the rulebook's registry says so.

    It is called with the `Facts` and the params by name, and says True, False, or None where it
    cannot tell. A rulebook with one is not portable to programs in other languages.
    """
    return Named(name, cast("Attributes", params))


def all_of(*conditions: Condition) -> Condition:
    """Every condition is met."""
    return _joined(AllOf, conditions)


def any_of(*conditions: Condition) -> Condition:
    """At least one condition is met."""
    return _joined(AnyOf, conditions)


def _joined(joint: type[AllOf | AnyOf], conditions: tuple[Condition, ...]) -> Condition:
    """Conditions of one joint, those inside of the same joint taken out of it."""
    flat: list[Condition] = []
    for each in conditions:
        check_condition(each)
        flat += each.conditions if isinstance(each, joint) else (each,)
    return flat[0] if len(flat) == 1 else joint(tuple(flat))


def not_(condition: Condition) -> Condition:
    """The condition is not met; unknown where it is unknown. It is pushed to the tests at once.

    Raises:
        InvalidValueError: Its parts cannot be met together, so that it was always met or unknown.

    >>> not_(all_of(present("amount"), less("attributes.seats", 5))) == any_of(
    ...     absent("amount"), at_least("attributes.seats", 5)
    ... )
    True
    """
    checked = check_condition(condition)
    if isinstance(checked, Test):
        return Test(checked.path, _OPPOSITE[checked.op], checked.value)
    if isinstance(checked, Named):
        return Named(checked.name, checked.params, not checked.negated)
    joint = any_of if isinstance(checked, AllOf) else all_of
    return joint(*map(not_, checked.conditions))


# What they are asked about, and what they answer


class Move(NamedTuple):
    """What conditions may know of a move.

    Attributes:
        source: The state left, None for a creation; the field ``move.from``.
        target: The state entered; the field ``move.to``.
        at: When, in UTC, or None.
        by: Who, or None.
        role: What they act as, or None.
        entered_at: When the record entered the state it leaves, or None.
    """

    source: Any
    target: Any
    at: datetime | None = None
    by: str | None = None
    role: str | None = None
    entered_at: datetime | None = None


class Facts(NamedTuple):
    """All that a condition is judged by.

    Attributes:
        record: A mapping, or any object with fields.
        move: The move.
        context: What the caller adds.
    """

    record: Any
    move: Move
    context: Mapping[str, Any] = EMPTY


Predicate: TypeAlias = Callable[..., bool | None]
"""A pure function of `Facts` and params by name: True, False, or None where it cannot tell."""


def in_words(condition: Condition) -> str:
    """A condition as a sentence without an end."""
    checked = check_condition(condition)
    if isinstance(checked, Test):
        return _test_in_words(checked)
    if isinstance(checked, Named):
        pairs = checked.params.items()
        params = _some((f"{_word(name)}={brief(value)}" for name, value in pairs), ", ")
        shown = f"{brief(checked.name)} ({params})" if params else brief(checked.name)
        return f"{shown} must {'not ' if checked.negated else ''}hold"
    every = isinstance(checked, AllOf)
    if not checked.conditions:
        return "nothing is asked" if every else "it is forbidden"
    return (" and " if every else " or ").join(
        in_words(each) if isinstance(each, Test | Named) else f"({in_words(each)})"
        for each in checked.conditions
    )


def _test_in_words(test: Test) -> str:
    if test.path == "approvals" and test.op is Op.CONTAINS:
        return f"{brief(test.value)} must approve"
    if test.path == "move.role" and test.op is Op.IN:
        return f"the role must be {_some(map(_shown, test.value), ' or ')}"
    if test.path == "move.entered_at" and test.op in LASTED:
        bound = "at least" if test.op is Op.ELAPSED else "less than"
        return f"it must have been there for {bound} {_shown(test.value)}"
    return f"{brief(test.path)} {_asked(test)}"


def _asked(test: Test) -> str:
    if test.op in PRESENCE:
        return _IN_WORDS[test.op]
    values = test.value if test.op in LISTED else (test.value,)
    return f"{_IN_WORDS[test.op]} {_some(map(_shown, values), ', ')}"


def _word(name: str) -> str:
    """A name as a program would write it, where it could."""
    return name if name.isidentifier() and len(name) <= _LONGEST_WORD else brief(name)


def _some(words: Iterable[str], between: str) -> str:
    """Words as one text, all but the first few of many left out."""
    every = list(words)
    shown, left = every[:_MOST_SHOWN], len(every) - _MOST_SHOWN
    return between.join([*shown, f"{left} more"] if left > 0 else shown)


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return str(value).removesuffix(", 0:00:00")
    return brief(value) if isinstance(value, str) else str(value)


ALWAYS = AllOf(())
"""What is always met."""

NEVER = AnyOf(())
"""What is never met: a rule with it forbids."""
