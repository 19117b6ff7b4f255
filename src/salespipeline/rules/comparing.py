"""What a changed rulebook changes: moves, rules, decisions, and records that get stuck."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar, cast

from attrs import field, frozen

from salespipeline._doors import NOTHING, hashable, instance
from salespipeline.conditions import Facts, Move, Test, leaves
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.rules.book import Rulebook
from salespipeline.rules.decisions import Denial, label
from salespipeline.rules.rule import Rule
from salespipeline.rules.vectors import vectors

S = TypeVar("S", bound=Hashable)
Arrow: TypeAlias = tuple[Any, Any]
"""A move: the state left, None for a creation, and the state entered."""

_SHOWN = 20
"""How many entries of a kind are printed."""


class Change(StrEnum):
    """What became of a rule, or of a role's right to override."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Plight(StrEnum):
    """Why a record is stuck, the most harmful first."""

    UNKNOWN_STATE = "unknown_state"
    DEAD_END = "dead_end"
    FINAL = "final"


@frozen
class Flip:
    """Decisions on one move that the new rulebook turns round.

    Attributes:
        source: The state left, None for a creation; as the facts name it.
        target: The state entered; likewise.
        count: How many of the facts given it is so for.
        example: The first of them.
        denials: What the new rulebook, or for a newly allowed move the old one, has against it.
    """

    source: Any
    target: Any
    count: int
    example: Facts = field(eq=False)
    denials: tuple[Denial, ...] = field(eq=False)

    def __str__(self) -> str:
        """The move, how often it is so, and what was against the first."""
        why = ", and ".join(dict.fromkeys(denial.message for denial in self.denials))
        return f"{shown((self.source, self.target))}: {self.count:,} ({why})"


@frozen
class Stranded:
    """A state in which the new rulebook leaves records stuck.

    Attributes:
        state: The state.
        count: How many of the records given stand there.
        why: ``unknown_state`` where the new rulebook lacks it, ``dead_end`` where nothing leads
            on from it any more, ``final`` where that is meant so.
    """

    state: Any
    count: int
    why: Plight


@frozen
class Comparison:
    """What a new rulebook changes; false where it changes nothing.

    Attributes:
        old: The name and version of the old one.
        new: The name and version of the new one.
        added: The moves that only the new one has, by its names of states.
        removed: The moves that only the old one has, by its own.
        rules: The rules that differ by name, with what became of each; wording is no difference.
        rights: The roles whose right to override differs, likewise.
        newly_allowed: The facts that only the new one allows, by move.
        newly_denied: The facts that only the old one allows, by move.
        stranded: The states that records would be stuck in.
        vectors: The moves of the old one's test vectors that are decided otherwise, each with
            its number of vectors.
        not_asked: The names of rules that hang on a context and were not asked of facts without.
    """

    old: tuple[str, int]
    new: tuple[str, int]
    added: tuple[Arrow, ...] = ()
    removed: tuple[Arrow, ...] = ()
    rules: tuple[tuple[str, Change], ...] = ()
    rights: tuple[tuple[str, Change], ...] = ()
    newly_allowed: tuple[Flip, ...] = ()
    newly_denied: tuple[Flip, ...] = ()
    stranded: tuple[Stranded, ...] = ()
    vectors: tuple[tuple[Arrow, int], ...] = ()
    not_asked: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return any(map(bool, self._parts().values()))

    def _parts(self) -> dict[str, list[str]]:
        """What changes in words, the most harmful first."""
        return {
            "records stuck": [f"{label(s.state)}: {s.count:,} ({s.why})" for s in self.stranded],
            "newly denied": [str(flip) for flip in self.newly_denied],
            "newly allowed": [str(flip) for flip in self.newly_allowed],
            "moves removed": [shown(move) for move in self.removed],
            "moves added": [shown(move) for move in self.added],
            "rules": [f"{name!r} {change}" for name, change in self.rules],
            "rights to override": [f"{role!r} {change}" for role, change in self.rights],
            "test vectors decided otherwise": [f"{shown(m)}: {n:,}" for m, n in self.vectors],
        }

    def __str__(self) -> str:
        """What changes, the most harmful first, of each kind the first twenty."""
        head = f"{self.old[0]} version {self.old[1]} to {self.new[0]} version {self.new[1]}"
        lines = [head if self else f"{head}: no change"]
        for title, entries in self._parts().items():
            if entries:
                rest = len(entries) - _SHOWN
                more = [f"and {rest:,} more"] if rest > 1 else entries[_SHOWN:]
                told = (*entries[:_SHOWN], *more)
                lines += [f"  {title}:", *(f"    {entry}" for entry in told)]
        if self.not_asked:
            lines.append(f"  not asked, for want of a context: {', '.join(self.not_asked)}")
        return "\n".join(lines)


def shown(move: Arrow) -> str:
    """A move in words, a creation as one from ``(new)``."""
    source, target = move
    return f"{'(new)' if source is None else label(source)} to {label(target)}"


def known(book: Rulebook[Any], move: Arrow, former: Mapping[Any, Any]) -> Arrow:
    """A move by the names that a rulebook has for its states."""
    source, target = (
        state if state is None or book.has(state) else former.get(state, state) for state in move
    )
    return source, target


class Afterwards:
    """A rulebook as it can be asked of moves already made, where no context may be known."""

    def __init__(self, book: Rulebook[Any]) -> None:
        self.book = book
        self.silent = frozenset(rule.name for rule in book.rules if asks_context(rule))

    def denials(self, move: Arrow, facts: Facts) -> tuple[Denial, ...]:
        """What it has against a move; without a context nothing of what a rule on one says."""
        made = facts.move
        denials = self.book.decide(
            *move, facts.record, at=made.at, by=made.by, role=made.role,
            entered_at=made.entered_at, context=facts.context,
        ).denials  # fmt: skip
        if not denials or not self.silent or facts.context:
            return denials
        return tuple(denial for denial in denials if denial.rule not in self.silent)


def asks_context(rule: Rule[Any]) -> bool:
    """Whether a rule asks for what the caller adds."""
    tests = (leaf for leaf in leaves(rule.condition) if isinstance(leaf, Test))
    return any(test.where[0] == "context" for test in tests)


def compare(
    old: Rulebook[S],
    new: Rulebook[S],
    facts: Iterable[tuple[S | None, S, Facts]] = (),
    *,
    standing: Iterable[S] = (),
    former: Mapping[S, S] = NOTHING,
) -> Comparison:
    """What it would change to put a new rulebook in an old one's place.

    A move between two states that the new one merges into one is no move any more, and is passed
    over. A move that no facts can meet all rules of is none.

    Args:
        old: The rulebook in use.
        new: The one to come.
        facts: Moves to decide by both: source, target and facts, as
            `salespipeline.conformance.facts` yields them.
        standing: The states that records stand in now, one for each record.
        former: The states that the new one renamed, merged or retired, each with its successor.

    Returns:
        What changes; nothing where the two decide alike.

    Raises:
        InvalidValueError: A fact is no such triple, or ``former`` names a state that is still
            in use, or a successor that the new one lacks.

    >>> old = Rulebook.free("board", ["todo", "done"])
    >>> new = Rulebook.forward("board", ["todo", "doing", "done"], version=2, skips=False)
    >>> print(compare(old, new, standing=["todo", "done", "done"]))
    board version 1 to board version 2
      records stuck:
        'done': 2 (final)
      moves removed:
        'todo' to 'done'
        'done' to 'todo'
      moves added:
        (new) to 'doing'
        'todo' to 'doing'
        'doing' to 'done'
      test vectors decided otherwise:
        'todo' to 'done': 1
        'done' to 'todo': 1
    """
    instance(Rulebook, old, "old")
    instance(Rulebook, new, "new")
    renaming = _Renaming(new, _checked(new, former))
    before, after = Afterwards(old), Afterwards(new)
    moves, there = list(_moves(old)), dict.fromkeys(_moves(new))
    renamed = {renaming.move(move) for move in moves}
    allowed, denied = _flips(before, after, renaming, _triples(facts))
    return Comparison(
        (old.name, old.version),
        (new.name, new.version),
        tuple(move for move in there if move not in renamed),
        tuple(m for m in moves if renaming.move(m) not in there and not renaming.merges(m)),
        tuple(_changes(map(renaming.rule, old.rules), map(renaming.rule, new.rules))),
        tuple(_changes(old.graph().rights.items(), new.graph().rights.items())),
        allowed,
        denied,
        tuple(_stranded(old, new, renaming, Counter(hashable(standing, "standing")))),
        _changed_vectors(old, new, renaming),
        tuple(sorted(before.silent | after.silent)),
    )


@frozen
class _Renaming:
    """How a new rulebook calls the states of an old one."""

    new: Rulebook[Any]
    former: Mapping[Any, Any]

    def move(self, move: Arrow) -> Arrow:
        return known(self.new, move, self.former)

    def state(self, state: Any) -> Any:
        return self.move((None, state))[1]

    def merges(self, move: Arrow) -> bool:
        """Whether the states of a move have become one."""
        source, target = self.move(move)
        return move[0] != move[1] and bool(source == target)

    def rule(self, rule: Rule[Any]) -> tuple[str, object]:
        """A rule's name, and what it decides by."""
        ends = (
            None if states is None else frozenset(map(self.state, states))
            for states in (rule.sources, rule.targets)
        )
        return rule.name, (rule.condition, rule.way, *ends)


def _checked(new: Rulebook[Any], former: object) -> Mapping[Any, Any]:
    if not isinstance(former, Mapping):
        raise WrongTypeError("former", "a mapping of states to their successors", former)
    successors = cast("Mapping[Any, Any]", former)
    hashable(successors.values(), "former")
    used = (f"{label(state)} is still in use" for state in successors if new.has(state))
    lost = (
        f"{label(state)} leads to the unknown {label(successor)}"
        for state, successor in successors.items()
        if not new.has(successor)
    )
    if faults := (*used, *lost):
        raise InvalidValueError("former", faults)
    return successors


def _triples(facts: object) -> Iterator[tuple[Any, Any, Facts]]:
    if isinstance(facts, str) or not isinstance(facts, Iterable):
        raise WrongTypeError("facts", "several triples of source, target and Facts", facts)
    return map(_triple, enumerate(cast("Iterable[object]", facts)))


def _triple(numbered: tuple[int, object]) -> tuple[Any, Any, Facts]:
    number, given = numbered
    triple = cast("tuple[Any, Any, Facts]", given) if isinstance(given, tuple) else ()
    if len(triple) != 3 or not isinstance(triple[2], Facts) or not isinstance(triple[2].move, Move):
        fault = f"number {number} is no triple of source, target and Facts"
        raise InvalidValueError("facts", (fault,))
    hashable(triple[:2], "facts")
    return triple


def _moves(book: Rulebook[Any]) -> Iterator[Arrow]:
    """The moves that some facts allow, creations first."""
    return ((source, target) for source, target, _ in book.graph().drawn())


def _changes(
    old: Iterable[tuple[str, object]], new: Iterable[tuple[str, object]]
) -> Iterator[tuple[str, Change]]:
    before, after = dict(old), dict(new)
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield name, Change.REMOVED
        elif name not in before:
            yield name, Change.ADDED
        elif before[name] != after[name]:
            yield name, Change.CHANGED


def _flips(
    before: Afterwards,
    after: Afterwards,
    renaming: _Renaming,
    facts: Iterable[tuple[Any, Any, Facts]],
) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    """The moves that are newly allowed, and those newly denied, the most frequent first."""
    flips: dict[tuple[bool, Any, Any], list[Any]] = {}
    for source, target, case in facts:
        move = (source, target)
        if renaming.merges(move):
            continue
        was = before.denials(known(before.book, move, renaming.former), case)
        now = after.denials(renaming.move(move), case)
        if bool(was) is not bool(now):
            flips.setdefault((bool(was), source, target), [0, case, was or now])[0] += 1
    told = [(allowed, Flip(*move, *found)) for (allowed, *move), found in flips.items()]
    told.sort(key=lambda each: -each[1].count)
    return (
        tuple(flip for allowed, flip in told if allowed),
        tuple(flip for allowed, flip in told if not allowed),
    )


def _stranded(
    old: Rulebook[Any], new: Rulebook[Any], renaming: _Renaming, standing: Counter[Any]
) -> Iterator[Stranded]:
    left, leads_on = ({source for source, _ in _moves(book)} for book in (old, new))
    ended = new.graph().final
    for state in dict.fromkeys((*old.states, *standing)):
        now = renaming.state(state)
        if not new.has(now):
            yield Stranded(state, standing[state], Plight.UNKNOWN_STATE)
        elif state in left and now not in leads_on:
            why = Plight.FINAL if now in ended else Plight.DEAD_END
            yield Stranded(state, standing[state], why)


def _changed_vectors(
    old: Rulebook[Any], new: Rulebook[Any], renaming: _Renaming
) -> tuple[tuple[Arrow, int], ...]:
    changed: Counter[Arrow] = Counter()
    for vector in vectors(old):
        move, made = (vector.source, vector.target), vector.facts.move
        if renaming.merges(move):
            continue
        now = new.decide(
            *renaming.move(move), vector.facts.record, at=made.at, by=made.by, role=made.role,
            entered_at=made.entered_at, context=vector.facts.context,
        )  # fmt: skip
        if now.result is not vector.decision.result:
            changed[move] += 1
    return tuple(changed.items())
