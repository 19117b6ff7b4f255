"""Test vectors of a rulebook: facts on both sides of each of its boundaries, with its decisions."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, TypeVar, cast

from attrs import field, frozen

from salespipeline._doors import instance
from salespipeline._kinds import LONGEST_NUMBER, Kind, is_short
from salespipeline._verdicts import judge
from salespipeline.attributes import EMPTY
from salespipeline.conditions import (
    HELD,
    LASTED,
    LISTED,
    NEVER,
    PRESENCE,
    AllOf,
    AnyOf,
    Condition,
    Facts,
    Move,
    Op,
    Test,
    leaves,
    not_,
    split,
)
from salespipeline.errors import InvalidValueError, SalesPipelineError
from salespipeline.money import Money
from salespipeline.rules.book import Rulebook
from salespipeline.rules.decisions import Decision
from salespipeline.rules.rule import Rule
from salespipeline.rules.table import Prospect

S = TypeVar("S", bound=Hashable)
Values = dict[str, Any]
"""What facts say, by the path of the field; None where it is missing."""

MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""When the moves of vectors are made, unless a rule asks for another instant."""

MOST = 5000
"""How many vectors a rulebook yields at most."""

_SMALL = 40  # states; of a larger rulebook only one move of each sort has vectors
_MOST_TRIES = 200  # ways through alternatives, for one set of conditions
_ENDS = ("move.from", "move.to")
_EXACT = Context(prec=4 * LONGEST_NUMBER)


@frozen
class Vector:
    """One move with all that is known of it, and what the rulebook says.

    Attributes:
        source: The state left, None for a creation.
        target: The state entered.
        facts: The record and the context as nested dicts, and the move.
        decision: The decision on it.
    """

    source: Any
    target: Any
    facts: Facts = field(hash=False)
    decision: Decision[Any] = field(hash=False)


def vectors(book: Rulebook[S]) -> tuple[Vector, ...]:
    """Moves and facts that tell the rulebook from another, each with its decision.

    For each move that there is: facts that meet all that is asked, and none at all. For each rule:
    facts that meet the others and not this one. For each test of a rule: a value just below, at
    and just above its boundary, one of another kind, and none. For each move that there is not:
    one without facts; and moves from and to a state that is unknown. The search for facts is
    bounded, so what only very entangled conditions allow may be passed over.

    Args:
        book: The rulebook.

    Returns:
        At most 5,000 vectors, in an order that hangs on the rulebook alone, none twice. Moves on
        which a named predicate bears are left out; `left_out` lists them. A rulebook of more than
        40 states has vectors for the first move of each sort only.

    >>> board = Rulebook.free("board", ["todo", "done"])
    >>> [(v.source, v.target, v.decision.result.value) for v in vectors(board)][:3]
    [(None, 'todo', 'allowed'), (None, 'done', 'allowed'), ('todo', 'todo', 'denied')]
    """
    instance(Rulebook, book, "book")
    collected = _Collected(book)
    told: set[tuple[object, ...]] = set()
    varied: list[tuple[_Search, tuple[Rule[S], ...]]] = []
    for source, target, prospect in _moves(book):
        if _is_named(prospect):
            continue
        search = _Search(book.fields, source, target)
        if prospect.obstacle is None and prospect.rules:
            collected.add(search, search.witness(rule.condition for rule in prospect.rules))
            asked = _asked_of_ends(prospect.rules, source, target)
            if asked not in told:
                told.add(asked)
                varied.append((search, prospect.rules))
        collected.add(search, {})
    strange = _unknown_state(book)
    for ends in ((strange, book.states[0]), (book.states[0], strange), (None, strange)):
        collected.add(_Search({}, *ends), {})
    for search, rules in varied:
        for values in _variations(search, rules):
            if collected.is_full:
                return collected.vectors()
            collected.add(search, values)
    return collected.vectors()


def left_out(book: Rulebook[S]) -> tuple[tuple[S | None, S], ...]:
    """The moves, pairs of source and target, that have no vectors: a named predicate bears on them.

    Args:
        book: The rulebook; of more than 40 states only the first move of each sort is told.
    """
    instance(Rulebook, book, "book")
    return tuple((source, target) for source, target, each in _moves(book) if _is_named(each))


def _moves(book: Rulebook[S]) -> Iterator[tuple[S | None, S, Prospect]]:
    """The moves between all states, creations first; of a large rulebook one of each sort."""
    met: set[tuple[object, ...]] = set()
    for source in (None, *book.states):
        for target, prospect in book.moves_from(source).items():
            sort = (prospect.obstacle, *(rule.name for rule in prospect.rules))
            if len(book.states) <= _SMALL or sort not in met:
                met.add(sort)
                yield source, target, prospect


def _is_named(prospect: Prospect) -> bool:
    return any(True for rule in prospect.rules for _ in rule.named())


def _asked_of_ends(rules: Iterable[Rule[Any]], source: object, target: object) -> tuple[Any, ...]:
    """The rules by name, with the states of the move where one of them asks for these."""
    paths = {each.place for rule in rules for each in leaves(rule.condition)}
    ends = zip(_ENDS, (source, target), strict=True)
    return (
        tuple(rule.name for rule in rules),
        *((state,) if path in paths else () for path, state in ends),
    )


def _unknown_state(book: Rulebook[Any]) -> str:
    state = "unknown"
    while book.has(state):
        state += "_"
    return state


class _Collected:
    """Vectors, each once, in the order in which their facts were added."""

    def __init__(self, book: Rulebook[Any]) -> None:
        self._book = book
        self._found: dict[object, Vector] = {}

    @property
    def is_full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self._found) >= MOST

    def add(self, search: "_Search", values: Values | None) -> None:
        """Decide a move by facts, if there are any that were not decided by before."""
        if values is None or self.is_full:
            return
        source, target = search.ends
        told: set[Any] = {
            (path, type(each), each) for path, each in values.items() if each is not None
        }
        key = (source, target, frozenset(told))
        if key not in self._found:
            facts = search.facts(values)
            made = facts.move
            decision = self._book.decide(
                source, target, facts.record, at=made.at, by=made.by, role=made.role,
                entered_at=made.entered_at, context=facts.context,
            )  # fmt: skip
            self._found[key] = Vector(source, target, facts, decision)

    def vectors(self) -> tuple[Vector, ...]:
        """All of them."""
        return tuple(self._found.values())


def _variations(search: "_Search", rules: tuple[Rule[Any], ...]) -> Iterator[Values | None]:
    """Facts around each boundary of rules that bear on a move together."""
    base = search.witness(rule.condition for rule in rules) or {"move.at": MADE_AT}
    for rule in rules:
        others = [other.condition for other in rules if other is not rule]
        yield search.witness([*others, _opposite(rule.condition)])
        for test, decisive in _pivots(rule.condition):
            at = search.witness([*others, *decisive]) or base
            yield from ({**at, test.path: value} for value in search.around(test, at))
            if test.op in LASTED:
                yield {**at, "move.at": None}


def _opposite(condition: Condition) -> Condition:
    """What is so where a condition is not; never, where that would contradict itself."""
    try:
        return not_(condition)
    except SalesPipelineError:
        return NEVER


def _pivots(condition: Condition) -> Iterator[tuple[Test, tuple[Condition, ...]]]:
    """Each test, with all that must be so for the condition to be met by this test alone."""
    if isinstance(condition, AllOf | AnyOf):
        for place, part in enumerate(condition.conditions):
            others = condition.conditions[:place] + condition.conditions[place + 1 :]
            if isinstance(condition, AnyOf):
                others = tuple(map(_opposite, others))
            for test, decisive in _pivots(part):
                yield test, (*decisive, *others)
    else:
        yield cast("Test", condition), (condition,)


class _Search:
    """A search for the facts of one move that make conditions so."""

    def __init__(self, kinds: Mapping[str, str], source: object, target: object) -> None:
        self.ends = (source, target)
        self._kinds = kinds
        inside = (path.split(".") for path in kinds)
        self._holders = {".".join(names[:n]) for names in inside for n in range(1, len(names))}
        self._chosen: dict[object, tuple[bool, object]] = {}

    def facts(self, values: Values) -> Facts:
        """Values by path as a record, a move and a context."""
        roots: dict[str, dict[str, Any]] = {"record": {}, "move": {}, "context": {}}
        for path, value in values.items():
            root, names = split(path)
            if value is None or path in _ENDS:
                continue
            place = roots[root]
            for name in names[:-1]:
                place = place.setdefault(name, {})
            place.setdefault(names[-1], {} if value is EMPTY else value)
        return Facts(roots["record"], Move(*self.ends, **roots["move"]), roots["context"])

    def witness(self, conditions: Iterable[Condition]) -> Values | None:
        """Values that meet every condition; None where none are found."""
        wanted = tuple(conditions)
        ways: list[tuple[Condition, ...]] = [wanted]
        for _ in range(_MOST_TRIES):
            if not ways:
                break
            tests, forks = _taken_apart(ways.pop())
            values = self._values(tests)
            if values is None:
                continue
            if not forks:
                facts = self.facts(values)
                if all(judge(each, facts).answer for each in wanted):
                    return values
                continue
            nearest, *others = forks
            ways += [(each, *tests, *others) for each in reversed(nearest.conditions)]
        return None

    def _values(self, tests: Iterable[Test]) -> Values | None:
        """For every field one value that meets all its tests; None where there is none."""
        by_path: dict[str, list[Test]] = {"move.at": []}
        for test in tests:
            by_path.setdefault(test.path, []).append(test)
        values: Values = {}
        for path, several in by_path.items():
            found, values[path] = self._value(path, tuple(several), values.get("move.at"))
            if not found:
                return None
        return values

    def _value(
        self, path: str, tests: tuple[Test, ...], at: datetime | None
    ) -> tuple[bool, object]:
        """The first value of a field that meets all its tests, after whether there is one."""
        key = (path, tests, at)
        if key not in self._chosen:
            met = (
                value
                for value in self._candidates(path, tests, at)
                if all(self._meets(value, test, at) for test in tests)
            )
            missing = object()
            value = next(met, missing)
            self._chosen[key] = (value is not missing, value)
        return self._chosen[key]

    def _meets(self, value: object, test: Test, at: datetime | None) -> bool:
        facts = self.facts({"move.at": at, test.path: value})
        return judge(test, facts).answer is True

    def _candidates(
        self, path: str, tests: tuple[Test, ...], at: datetime | None
    ) -> Iterator[object]:
        if path == "move.at":
            yield MADE_AT
        held = frozenset(test.value for test in tests if test.op is Op.CONTAINS)
        if held and path not in self._holders:
            yield held
        for test in tests:
            yield from self.samples(test, at)
        yield None

    def samples(self, test: Test, at: datetime | None) -> Iterator[object]:
        """Values on both sides of what a test asks, those that meet it most plainly first."""
        if test.path in self._holders:
            yield EMPTY
        elif test.op in PRESENCE:
            yield _ANY_OF_KIND[Kind(self._kinds[test.path])]
        elif test.op in HELD:
            several = ((test.value,), (f"{test.value}x",), ())
            yield from map(frozenset[str], several)
        elif test.op in LASTED:
            yield from () if at is None else _lasting(at, test.value)
        else:
            values = test.value if test.op in LISTED else (test.value,)
            yield from values
            yield from _NEXT_TO[test.kind](values[-1])

    def around(self, test: Test, values: Values) -> Iterator[object]:
        """Values of a test's field on both sides of it, one of another kind, and none at all."""
        if test.path in _ENDS:
            return
        yield from self.samples(test, values["move.at"])
        is_open = test.path not in self._holders and split(test.path)[0] != "move"
        if is_open and test.op not in PRESENCE:
            yield 1 if test.kind is Kind.FLAG else True
        yield None


def _taken_apart(conditions: tuple[Condition, ...]) -> tuple[list[Test], list[AnyOf]]:
    """The tests that must all be met, and the alternatives of which one must be."""
    tests: list[Test] = []
    forks: list[AnyOf] = []
    for each in conditions:
        if isinstance(each, AllOf):
            inner = _taken_apart(each.conditions)
            tests += inner[0]
            forks += inner[1]
        elif isinstance(each, AnyOf):
            forks.append(each)
        else:
            tests.append(cast("Test", each))
    return tests, forks


_ANY_OF_KIND: Mapping[Kind, object] = {
    Kind.ANY: "x",
    Kind.TEXT: "x",
    Kind.FLAG: True,
    Kind.NUMBER: 1,
    Kind.MONEY: Money(1, "EUR"),
    Kind.DATE: MADE_AT.date(),
    Kind.INSTANT: MADE_AT,
    Kind.TEXTS: frozenset({"x"}),
}
"""What stands for a field of which only its presence is asked."""


def _lasting(at: datetime, duration: timedelta) -> Iterator[datetime]:
    """Instants for which the duration has just passed, and just not, at another."""
    for since in _shifted(at, -duration):
        yield since
        yield from _shifted(since, timedelta(microseconds=1))


def _shifted(value: Any, *steps: timedelta) -> Iterator[Any]:
    for step in steps:
        try:
            yield value + step
        except OverflowError:
            continue


def _texts_near(value: str) -> Iterator[str]:
    yield from (value[:-1], f"{value}x", f"{value} ")
    if max(value, default="") > "\ud800":
        yield from ("\uffee", "\U00010000")  # in this order by code points, not by UTF-16


def _numbers_near(value: int | Decimal) -> Iterator[int | Decimal]:
    """One step of the number's last place up and down, and the same by a tenth of it."""
    exact = Decimal(value)
    place = cast("int", exact.as_tuple().exponent)
    for step in (Decimal((0, (1,), place)), Decimal((0, (1,), place - 1))):
        for near in (_EXACT.add(exact, step), _EXACT.subtract(exact, step)):
            if is_short(near):
                yield int(near) if step >= 1 else near


def _money_near(value: Money) -> Iterator[Money]:
    other = "USD" if value.currency == "EUR" else "EUR"
    near = ((1, value.currency), (-1, value.currency), (0, other))
    for step, currency in near:
        try:
            yield Money.of_minor(value.minor + step, currency)
        except InvalidValueError:
            continue


def _other_flag(value: object) -> tuple[bool]:
    return (not value,)


def _days_near(value: date) -> Iterator[date]:
    return _shifted(value, timedelta(days=1), timedelta(days=-1))


def _instants_near(value: datetime) -> Iterator[datetime]:
    return _shifted(value, timedelta(microseconds=1), timedelta(microseconds=-1))


_NEXT_TO: Mapping[Kind, Any] = {
    Kind.TEXT: _texts_near,
    Kind.FLAG: _other_flag,
    Kind.NUMBER: _numbers_near,
    Kind.MONEY: _money_near,
    Kind.DATE: _days_near,
    Kind.INSTANT: _instants_near,
}
"""How values of a kind near another are made."""
