"""What a condition says of facts: judged test by test, and, for a quick yes, compiled.

The judge's word is final. The compiled question says yes only where the judge would; whatever it
cannot be sure of it leaves to the judge.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, cast

from salespipeline._doors import NOTHING
from salespipeline._kinds import (
    TOO_LARGE,
    Kind,
    told,
    told_date,
    told_instant,
    told_money,
    told_number,
    told_text,
    told_texts,
)
from salespipeline.attributes import EMPTY
from salespipeline.conditions import (
    HELD,
    LASTED,
    LISTED,
    MOVE,
    AllOf,
    AnyOf,
    Condition,
    Facts,
    Move,
    Named,
    Op,
    Predicate,
    Test,
    holds,
    leaves,
    split,
)
from salespipeline.money import Money

_MOVED = {name: place for place, name in enumerate(MOVE)}


class Leaf(NamedTuple):
    """What one test answered.

    Attributes:
        asked: The test.
        answer: True, False, or None for unknown.
        raised: Whether reading the field or asking the predicate raised.
        actual: What was found in the field; what a predicate returned, where that is no answer.
    """

    asked: Test | Named
    answer: bool | None
    raised: bool = False
    actual: object = None


class Verdict(NamedTuple):
    """What a condition answered.

    Attributes:
        answer: True, False, or None for unknown.
        raised: Whether it is unknown because something raised.
        against: The tests that were not met or not known; none where the answer is True.
    """

    answer: bool | None
    raised: bool = False
    against: tuple[Leaf, ...] = ()


_MET = Verdict(True)


def look_up(place: Any, names: Iterable[str]) -> Any:
    """What stands at the end of a path, None where anything on the way is missing."""
    for name in names:
        if place is None:
            return None
        place = place.get(name) if _is_mapping(place) else getattr(place, name, None)
    return place


def _is_mapping(place: object) -> bool:
    """Whether fields are looked up as items; what a value says of its type is not believed."""
    return type(place) is dict or issubclass(type(place), Mapping)


def find(facts: Facts, where: tuple[str, tuple[str, ...]]) -> Any:
    """What a field holds; None where it is missing."""
    root, names = where
    if root == "move":
        return facts.move[_MOVED[names[0]]]
    return look_up(facts.record if root == "record" else facts.context, names)


def judge(
    condition: Condition, facts: Facts, predicates: Mapping[str, Predicate] = NOTHING
) -> Verdict:
    """What a condition says of facts, test by test; final in every case.

    Args:
        condition: What must be so.
        facts: What is so.
        predicates: The functions of named conditions; one that is not there leaves its condition
            unknown, as one that raises.

    >>> from salespipeline.conditions import less, present
    >>> judge(present("amount"), Facts({"amount": 5}, Move("a", "b"))).answer
    True
    >>> judge(less("amount", 5), Facts({}, Move("a", "b"))).answer is None
    True
    """
    if type(condition) is Test:
        leaf = _ask(condition, facts)
    elif type(condition) is Named:
        leaf = _ask_named(condition, facts, predicates)
    else:
        return _judge_compound(cast("AllOf | AnyOf", condition), facts, predicates)
    return _MET if leaf.answer else Verdict(leaf.answer, leaf.raised, (leaf,))


def _judge_compound(
    condition: AllOf | AnyOf, facts: Facts, predicates: Mapping[str, Predicate]
) -> Verdict:
    """The answer of Kleene's logic; every part is asked, so that every reason is told."""
    decisive = type(condition) is AnyOf
    answer: bool | None = not decisive
    raised = False
    against: tuple[Leaf, ...] = ()
    for each in condition.conditions:
        verdict = judge(each, facts, predicates)
        if verdict.answer is decisive:
            answer = decisive
        elif verdict.answer is None and answer is not decisive:
            answer = None
        raised = raised or verdict.raised
        against += verdict.against
    return _MET if answer else Verdict(answer, raised and answer is None, against)


def _ask(test: Test, facts: Facts) -> Leaf:
    actual: object = None
    try:
        actual = find(facts, test.where)
        return Leaf(test, _answer(test, actual, facts.move), False, actual)
    except Exception:  # noqa: BLE001 - a property may be anyone's code
        return Leaf(test, None, True, actual)


def _answer(test: Test, actual: object, move: Move) -> bool | None:
    """What a test says of what was found in its field."""
    if test.kind is Kind.ANY:
        return (actual is None) is (test.op is Op.ABSENT)
    value = None if actual is None else told(test.kind, actual)
    if value is None:
        return None
    if test.op not in LASTED:
        return holds(test, value)
    at = told_instant(move.at)
    return None if at is None else (at - value >= test.value) is (test.op is Op.ELAPSED)


def _ask_named(named: Named, facts: Facts, predicates: Mapping[str, Predicate]) -> Leaf:
    try:
        said = predicates[named.name](facts, **named.params)
    except Exception:  # noqa: BLE001 - a predicate may be anyone's code
        return Leaf(named, None, True)
    if said is True or said is False:
        return Leaf(named, said is not named.negated)
    return Leaf(named, None, said is not None, said)


# The compiled question

_MOST_TYPES = 64
"""How many types of records a question remembers to be no mappings."""

_MOST_WRITTEN = 2000
"""How many tests a question holds; moves with more are left to the judge."""

# Only types make the arguments keyword-only: their defaults are quicker so.
_HEADER = """\
def ask(
 source, target, record=EMPTY,
 at=None, by=None, role=None, entered_at=None, context=EMPTY
):
 try:
"""
_INSTANTS = " and ".join(
    f"({name} is None or type({name}) is datetime and {name}.tzinfo is UTC)"
    for name in ("at", "entered_at")
)
"""What must be so of the instants of a move for a condition to use them as they are."""

_FOOTER = """\
 except Exception:
  pass
 return judged(source, target, record, at, by, role, entered_at, context)
"""

_HELD: Mapping[Kind, str] = {
    Kind.TEXT: "{v} if type({v}) is str else told_text({v})",
    Kind.NUMBER: "{v} if type({v}) is int and LEAST < {v} < MOST else told_number({v})",
    Kind.MONEY: "{v} if type({v}) is Money else told_money({v})",
    Kind.DATE: "{v} if type({v}) is date else told_date({v})",
    Kind.INSTANT: "{v} if type({v}) is datetime and {v}.tzinfo is UTC else told_instant({v})",
    Kind.TEXTS: "told_texts({v})",
}
"""What is read, in the form that is compared: at once where its type is exact, else told."""

_SIGN: Mapping[Op, str] = {
    Op.PRESENT: "is not",
    Op.ABSENT: "is",
    Op.EQUALS: "==",
    Op.NOT_EQUALS: "!=",
    Op.LESS: "<",
    Op.AT_MOST: "<=",
    Op.MORE: ">",
    Op.AT_LEAST: ">=",
    Op.IN: "in",
    Op.NOT_IN: "not in",
    Op.CONTAINS: "in",
    Op.LACKS: "not in",
    Op.ELAPSED: ">=",
    Op.NOT_ELAPSED: "<",
}
_MOVE_FIELDS = dict(zip(MOVE, Move._fields, strict=True))


class _Branch:
    """The lines of a question for the moves on which some conditions bear.

    They are our own words with numbered slots for the rest: every name and constant of the
    conditions is bound to a slot, so that the source holds nothing of what they say.
    """

    def __init__(self, slots: dict[str, object], predicates: Mapping[str, Predicate]) -> None:
        self._slots = slots
        self._predicates = predicates
        self._fields: dict[object, str] = {}
        self._first: dict[str, str] = {}
        self._then: list[str] = []
        self._facts = ""
        self._timed = False

    def lines(self, conditions: Sequence[Condition], yes: str) -> list[str]:
        """What is read, and the answer where all is surely met."""
        met = " and ".join(map(self._met, conditions)) or "True"
        if self._timed:
            met = f"{_INSTANTS} and {met}"
        return [*self._reads(), *self._then, f"if {met}:", f" return {yes}"]

    def _slot(self, value: object) -> str:
        name = f"c{len(self._slots)}"
        self._slots[name] = value
        return name

    def _local(self, key: object) -> str:
        self._fields[key] = name = f"f{len(self._fields)}"
        return name

    def _field(self, path: str) -> str:
        """The local variable that holds a field as it is, read first where it is not read yet."""
        if path in self._fields:
            return self._fields[path]
        root, names = split(path)
        if root == "move":
            self._timed |= MOVE[names[0]] is Kind.INSTANT
            return _MOVE_FIELDS[names[0]]
        variable = self._local(path)
        if root == "record" and len(names) == 1:
            self._first[variable] = self._slot(names[0])
        else:
            self._then.append(f"{variable} = look_up({root}, {self._slot(names)})")
        return variable

    def _held(self, path: str, kind: Kind) -> str:
        """The local variable that holds a field in the form that is compared, or None."""
        raw = self._field(path)
        if kind is Kind.FLAG or raw in {"at", "entered_at"}:  # these are told already
            return raw
        if (path, kind) not in self._fields:
            self._then.append(f"{self._local((path, kind))} = {_HELD[kind].format(v=raw)}")
        return self._fields[path, kind]

    def _reads(self) -> list[str]:
        """The lines that read the fields of the record itself, as its type asks."""
        pairs = self._first.items()
        if not pairs:
            return []
        return [
            "if type(record) in plain or type(record) is not dict and is_plain(record):",
            *(f" {variable} = getattr(record, {name}, None)" for variable, name in pairs),
            "else:",
            *(f" {variable} = record.get({name})" for variable, name in pairs),
        ]

    def _met(self, condition: Condition) -> str:
        """An expression that is True where a condition is surely met, else False."""
        if isinstance(condition, Test):
            return self._test(condition)
        if isinstance(condition, Named):
            return self._named(condition)
        joint = " and " if isinstance(condition, AllOf) else " or "
        parts = [self._met(each) for each in condition.conditions]
        return f"({joint.join(parts)})" if parts else str(isinstance(condition, AllOf))

    def _named(self, named: Named) -> str:
        if named.name not in self._predicates:
            return "False"
        if not self._facts:
            self._timed = True
            self._facts = self._local("")
            move = "Move(known[source], known[target], at, by, role, entered_at)"
            self._then.append(f"{self._facts} = Facts(record, {move}, context)")
        asked, params = self._slot(self._predicates[named.name]), self._slot(named.params)
        return f"({asked}({self._facts}, **{params}) is {not named.negated})"

    def _test(self, test: Test) -> str:
        if test.kind is Kind.ANY:
            return f"({self._field(test.path)} {_SIGN[test.op]} None)"
        v, sign = self._held(test.path, test.kind), _SIGN[test.op]
        if test.kind is Kind.FLAG:
            return f"({v} is {test.value is (test.op is Op.EQUALS)})"
        if test.kind is Kind.MONEY:
            minor, currency = self._slot(test.value.minor), self._slot(test.value.currency)
            return f"({v} is not None and {v}.currency == {currency} and {v}.minor {sign} {minor})"
        c = self._slot(frozenset(test.value) if test.op in LISTED else test.value)
        if test.op in LASTED:
            self._timed = True
            return f"({v} is not None and at is not None and at - {v} {sign} {c})"
        if test.op in HELD:
            return f"({v} is not None and {c} {sign} {v})"
        sure = "" if test.op in {Op.EQUALS, Op.IN} else f"{v} is not None and "
        return f"({sure}{v} {sign} {c})"


def compiled(
    groups: Sequence[Sequence[Condition]],
    moves: Mapping[Any, Mapping[Any, int]],
    allowed: Mapping[Any, Mapping[Any, object]] | None,
    judged: Callable[..., Any],
    predicates: Mapping[str, Predicate],
) -> tuple[Callable[..., Any], str]:
    """A question about a move as one Python function, with its source.

    Args:
        groups: Conditions that bear on moves together.
        moves: For source and target of a move, the number of its group.
        allowed: For source and target of a move, the answer where its conditions are surely met;
            True for each if not given.
        judged: What answers everywhere else.
        predicates: The functions of named conditions.
    """
    plain: set[type] = set()

    def is_plain(record: object) -> bool:
        """Whether fields are looked up as attributes; a type of which it is so is remembered."""
        if _is_mapping(record):
            return False
        if len(plain) < _MOST_TYPES:
            plain.add(type(record))
        return True

    slots: dict[str, object] = {}
    found, yes = ("number", "True") if allowed is None else ("number, answer", "answer")
    lines = _written(groups, slots, predicates, yes)
    begun = [f"{found} = moves[source][target]", *lines] if lines else ["pass"]
    source = _HEADER + "".join(f"  {line}\n" for line in begun) + _FOOTER
    space: dict[str, object] = {
        **slots, "EMPTY": EMPTY, "Facts": Facts, "LEAST": -TOO_LARGE, "MOST": TOO_LARGE,
        "Money": Money, "Move": Move, "UTC": UTC, "date": date, "datetime": datetime,
        "is_plain": is_plain, "judged": judged, "known": _known(moves), "look_up": look_up,
        "moves": moves if allowed is None else _answered(moves, allowed), "plain": plain,
        "told_date": told_date, "told_instant": told_instant, "told_money": told_money,
        "told_number": told_number, "told_text": told_text, "told_texts": told_texts,
    }  # fmt: skip
    exec(source, space)  # noqa: S102 - our own words only; a test asserts it
    return cast("Callable[..., Any]", space["ask"]), source


def _written(
    groups: Sequence[Sequence[Condition]],
    slots: dict[str, object],
    predicates: Mapping[str, Predicate],
    yes: str,
) -> list[str]:
    """The lines for all groups; what is in their slots is put there."""
    branches: list[list[str]] = []
    left = _MOST_WRITTEN
    for conditions in groups:
        tests = sum(1 for each in conditions for _ in leaves(each))
        fits = tests <= left
        left -= tests if fits else 0
        branches.append(_Branch(slots, predicates).lines(conditions, yes) if fits else ["pass"])
    return _choice(branches, 0) if branches else []


def _choice(branches: Sequence[list[str]], first: int) -> list[str]:
    """The lines that come to the branch of a number by halves."""
    if len(branches) == 1:
        return branches[0]
    half = len(branches) // 2
    low, high = _choice(branches[:half], first), _choice(branches[half:], first + half)
    return [
        f"if number < {first + half}:", *(f" {line}" for line in low),
        "else:", *(f" {line}" for line in high),
    ]  # fmt: skip


def _known(moves: Mapping[Any, Mapping[Any, int]]) -> dict[Any, Any]:
    """Every state of some moves, by anything that equals it."""
    targets = {target: target for each in moves.values() for target in each}
    return targets | {source: source for source in moves}


def _answered(
    moves: Mapping[Any, Mapping[Any, int]], allowed: Mapping[Any, Mapping[Any, object]]
) -> dict[Any, dict[Any, tuple[int, object]]]:
    """For source and target of a move, the number of its group and the answer that is yes."""
    return {
        source: {target: (number, allowed[source][target]) for target, number in targets.items()}
        for source, targets in moves.items()
    }
