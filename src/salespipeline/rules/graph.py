"""A rulebook's moves as a graph, and what is odd about it."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

from attrs import frozen

from salespipeline._doors import NOTHING
from salespipeline._kinds import Kind
from salespipeline.conditions import (
    NEVER,
    AllOf,
    AnyOf,
    Condition,
    Named,
    Op,
    Test,
    contradictions,
    not_,
)
from salespipeline.rules.decisions import label
from salespipeline.rules.rule import Rule

S = TypeVar("S", bound=Hashable)


class Odd(StrEnum):
    """The stable codes of findings, the most harmful first."""

    UNREACHABLE = "unreachable"
    DEAD_END = "dead_end"
    NO_WAY_TO_FINAL = "no_way_to_final"
    CANNOT_WIN = "cannot_win"
    CANNOT_LOSE = "cannot_lose"
    NEVER_HOLDS = "never_holds"
    BACKWARD = "backward"
    IDLE_RULE = "idle_rule"
    DUPLICATE_RULE = "duplicate_rule"
    SHADOWED_RULE = "shadowed_rule"
    LOST_WITHOUT_REASON = "lost_without_reason"
    TOO_MANY_STATUSES = "too_many_statuses"
    NOT_PORTABLE = "not_portable"


@frozen
class Finding:
    """One odd thing about a rulebook, a pipeline or a status scheme.

    Attributes:
        code: Its stable code.
        message: What is odd, in words.
        states: The states that it is about, in order; None stands for creation.
        rules: The names of the rules that it is about.
    """

    code: Odd
    message: str
    states: tuple[Any, ...] = ()
    rules: tuple[str, ...] = ()


def by_harm(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of their codes."""
    order = list(Odd)
    return tuple(sorted(found, key=lambda each: order.index(each.code)))


@frozen(eq=False)
class Graph(Generic[S]):
    """The moves that a rulebook has, each with the rules that bear on it.

    Attributes:
        states: The states, in order.
        moves: The rules of each move, a pair of source and target, in order; creations first,
            with None as the source.
        final: The states that nothing is meant to leave.
        blocked: The moves that the rulebook itself denies, such as one back: each with the code
            of that denial and the rules that bear on it beside.
        rights: By role, the rules and codes that it may override.
    """

    states: tuple[S, ...]
    moves: Mapping[tuple[S | None, S], tuple[Rule[S], ...]]
    final: frozenset[S]
    blocked: Mapping[tuple[S | None, S], tuple[str, tuple[Rule[S], ...]]] = NOTHING
    rights: Mapping[str, frozenset[str]] = NOTHING

    def possible(self) -> dict[S | None, list[S]]:
        """For creation and each state, the states that some facts allow to enter."""
        targets: dict[S | None, list[S]] = {None: [], **{state: [] for state in self.states}}
        for source, target, _ in self.drawn():
            targets[source].append(target)
        return targets

    def drawn(self) -> list[tuple[S | None, S, tuple[Rule[S], ...]]]:
        """The moves that some facts allow, in order, each with its rules."""
        known: dict[tuple[str, ...], bool] = {}
        found: list[tuple[S | None, S, tuple[Rule[S], ...]]] = []
        for (source, target), rules in self.moves.items():
            names = tuple([rule.name for rule in rules])
            if names not in known:
                known[names] = can_be_met(rules)
            if known[names]:
                found.append((source, target, rules))
        return found

    def granted(self) -> dict[tuple[S | None, S], tuple[Rule[S], ...]]:
        """The moves that a grant allows to make, though no facts do; each with its rules."""
        if not self.rights:
            return {}
        ways = {move: ("", rules) for move, rules in self.moves.items() if not can_be_met(rules)}
        return {
            move: rules
            for move, (code, rules) in {**ways, **self.blocked}.items()
            if any(
                (not code or code in over)
                and can_be_met(rule for rule in rules if rule.name not in over)
                for over in self.rights.values()
            )
        }

    def ways(self) -> dict[S | None, list[S]]:
        """What is `possible`, with what is `granted`."""
        targets = self.possible()
        for source, target in self.granted():
            targets[source].append(target)
        return targets

    def reached(self) -> set[S]:
        """The states that a record can come to from its creation, by a grant if need be."""
        targets: dict[Any, list[S]] = {**self.ways()}
        return _reached(targets[None], targets)


def asks_for(condition: Condition, path: str) -> bool:
    """Whether a condition can only be met where a field is there."""
    if isinstance(condition, Test):
        return condition.path == path and condition.op is not Op.ABSENT
    if isinstance(condition, AllOf | AnyOf):
        every = any if isinstance(condition, AllOf) else all
        return every(asks_for(each, path) for each in condition.conditions)
    return False


def can_be_met(rules: Iterable[Rule[Any]]) -> bool:
    """Whether some facts can meet every rule, as far as their demands tell field by field."""
    return _can_hold([demand for rule in rules for demand in _demands(rule.condition)])


def _can_hold(demands: list[Condition]) -> bool:
    plain = [each for each in demands if isinstance(each, Test | Named)]
    if next(contradictions(plain), None) is not None:
        return False
    return all(
        any(_can_hold([*plain, *_demands(branch)]) for branch in each.conditions)
        for each in demands
        if isinstance(each, AnyOf)
    )


def _demands(condition: Condition) -> tuple[Condition, ...]:
    """What must be so each by itself for a condition to be met."""
    if not isinstance(condition, AllOf):
        return (condition,)
    return tuple(demand for each in condition.conditions for demand in _demands(each))


def _covers(ours: Iterable[Condition], theirs: Iterable[Condition]) -> bool:
    """Whether what meets all of our demands surely meets all of theirs."""
    known = tuple(ours)
    return all(
        any(_implies(one, other) for one in known)
        or (
            isinstance(other, AnyOf)
            and any(_covers(known, _demands(branch)) for branch in other.conditions)
        )
        for other in theirs
    )


def _implies(one: Condition, other: Condition) -> bool:
    if isinstance(one, AnyOf):
        return one == other or all(_covers(_demands(each), (other,)) for each in one.conditions)
    if isinstance(one, Test) and isinstance(other, Test):
        return one == other or _test_implies(one, other)
    return one == other


def _test_implies(one: Test, other: Test) -> bool:
    if one.path != other.path:
        return False
    if other.op is Op.PRESENT:
        return one.op is not Op.ABSENT
    # of another kind or currency the other's answer would not be no, but unknown
    alike = one.kind is other.kind is not Kind.ANY
    if alike and one.kind is Kind.MONEY:
        alike = one.value.currency == other.value.currency
    opposite = cast("Test", not_(other))
    return alike and next(contradictions((one, opposite)), None) is not None


def _reached(start: Iterable[S], targets: Mapping[S, Iterable[S]]) -> set[S]:
    """The states that can be come to from some, those included."""
    reached: set[S] = set()
    ahead = list(start)
    while ahead:
        state = ahead.pop()
        if state not in reached:
            reached.add(state)
            ahead += targets[state]
    return reached


def findings(
    graph: Graph[S], rules: tuple[Rule[S], ...], *, forward_only: bool = False
) -> Iterator[Finding]:
    """What is odd about a rulebook, the most harmful first."""
    found = [
        *_of_states(graph),
        *_contradictions(graph),
        *(_backward(graph) if forward_only else ()),
        *_of_rules(graph, rules),
    ]
    return iter(sorted(found, key=lambda each: _HARM[each.code]))


_HARM = {code: place for place, code in enumerate(Odd)}


def _of_states(graph: Graph[S]) -> Iterator[Finding]:
    targets: dict[Any, list[S]] = {**graph.ways()}
    begun = _reached(targets[None], targets)
    sources: dict[Any, list[S]] = {state: [] for state in graph.states}
    for state in graph.states:
        for target in targets[state]:
            sources[target].append(state)
    ends = _reached(graph.final, sources)
    for state in graph.states:
        if state not in begun:
            message = f"nothing comes to {label(state)}: no record begins or moves there"
            yield Finding(Odd.UNREACHABLE, message, (state,))
        if not targets[state] and state not in graph.final:
            message = f"nothing leaves {label(state)}, and it is not marked final"
            yield Finding(Odd.DEAD_END, message, (state,))
        if targets[state] and graph.final and state not in ends:
            message = f"no way leads from {label(state)} to a final state"
            yield Finding(Odd.NO_WAY_TO_FINAL, message, (state,))


def _contradictions(graph: Graph[S]) -> Iterator[Finding]:
    """The rules that no facts meet together, each group at the first move that needs them."""
    told: set[tuple[str, ...]] = set()
    for move, rules in graph.moves.items():
        if can_be_met(rules) or any(NEVER in _demands(rule.condition) for rule in rules):
            continue
        guilty = rules
        for rule in rules:
            others = tuple(each for each in guilty if each is not rule)
            guilty = guilty if can_be_met(others) else others
        names = tuple(rule.name for rule in guilty)
        if names not in told:
            told.add(names)
            named = " and ".join(map(repr, names))
            message = f"no facts can meet {named}, as the move {_arrow(move)} needs"
            yield Finding(Odd.NEVER_HOLDS, message, move, names)


def _backward(graph: Graph[S]) -> Iterator[Finding]:
    ranks: dict[Any, int] = {state: n for n, state in enumerate(graph.states)}
    for source, target, _ in graph.drawn():
        if source is not None and ranks[target] < ranks[source]:
            move = (source, target)
            yield Finding(Odd.BACKWARD, f"the move {_arrow(move)} goes backward", move)


def _arrow(move: tuple[S | None, S]) -> str:
    source, target = move
    return f"{'(new)' if source is None else label(source)} to {label(target)}"


def _of_rules(graph: Graph[S], rules: tuple[Rule[S], ...]) -> Iterator[Finding]:
    scopes: dict[str, set[object]] = {rule.name: set() for rule in rules}
    for move, bearing in (*graph.moves.items(), *graph.granted().items()):
        for rule in bearing:
            scopes[rule.name].add(move)
    at_work: list[Rule[S]] = []
    for rule in rules:
        if not scopes[rule.name]:
            message = f"the rule {rule.name!r} bears on no move that there is"
            yield Finding(Odd.IDLE_RULE, message, (), (rule.name,))
        elif not _demands(rule.condition):
            message = f"the rule {rule.name!r} asks nothing"
            yield Finding(Odd.IDLE_RULE, message, (), (rule.name,))
        else:
            at_work.append(rule)
    for place, rule in enumerate(at_work):
        for other in at_work[place + 1 :]:
            yield from _of_pair(rule, other, scopes, graph.rights)
    for rule in rules:
        if predicates := sorted({leaf.name for leaf in rule.named()}):
            named = ", ".join(map(repr, predicates))
            message = f"the rule {rule.name!r} asks {named}, which only Python can answer"
            yield Finding(Odd.NOT_PORTABLE, message, (), (rule.name,))


def _of_pair(
    rule: Rule[S],
    other: Rule[S],
    scopes: Mapping[str, set[object]],
    rights: Mapping[str, frozenset[str]],
) -> Iterator[Finding]:
    """Whether one of two rules could be left out."""

    def needless(one: Rule[S], beside: Rule[S]) -> bool:
        """Whether a rule denies only what another denies, by whomever that may be overridden."""
        return (
            scopes[one.name] <= scopes[beside.name]
            and _covers(_demands(beside.condition), _demands(one.condition))
            and all(one.name in over for over in rights.values() if beside.name in over)
        )

    first, second = needless(rule, other), needless(other, rule)
    if first and second:
        message = f"the rule {other.name!r} says what {rule.name!r} says"
        yield Finding(Odd.DUPLICATE_RULE, message, (), (other.name, rule.name))
    elif first or second:
        less, more = (rule, other) if first else (other, rule)
        message = f"the rule {less.name!r} denies nothing that {more.name!r} does not deny"
        yield Finding(Odd.SHADOWED_RULE, message, (), (less.name, more.name))
