"""A rulebook: which moves between states are allowed, and why the others are not.

A rulebook is one immutable value over any hashable states. It knows nothing of contacts or deals,
so a service can ask it about states and records of its own.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from attrs import evolve, frozen

from salespipeline._doors import NOTHING, hashable, instance, instances
from salespipeline.attributes import EMPTY
from salespipeline.errors import WrongTypeError
from salespipeline.rules.decisions import (
    OF_RULES,
    OVERRIDABLE,
    Code,
    Decision,
    Denial,
    Override,
    Result,
    Ruling,
)
from salespipeline.rules.table import FORWARD_ONLY, Course, Table

if TYPE_CHECKING:
    from salespipeline._kinds import Schema
    from salespipeline.conditions import Condition, Predicate
    from salespipeline.rules.case import Case
    from salespipeline.rules.rule import Grant, Rule

S = TypeVar("S", bound=Hashable)
T = TypeVar("T", bound=Hashable)

S_contra = TypeVar("S_contra", bound=Hashable, contravariant=True)
A_co = TypeVar("A_co", covariant=True)

_MOST_COMPILED = 40
"""How many states a rulebook may have for its moves to be compiled ahead, one by one."""


class Ask(Protocol[S_contra, A_co]):
    """A question to a rulebook about one move."""

    def __call__(
        self,
        source: S_contra | None,
        target: S_contra,
        record: Any = EMPTY,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        entered_at: datetime | None = None,
        context: Any = EMPTY,
    ) -> A_co:
        """Ask of the move from a state to another.

        Args:
            source: The state to leave, or None to create a record.
            target: The state to enter.
            record: What is moved, for the conditions: a mapping, or any object with fields.
            at: When, as the field ``move.at``.
            by: Who moves it, as the field ``move.by``.
            role: What they act as, as the field ``move.role``.
            entered_at: When the record entered the state it leaves, as ``move.entered_at``.
            context: What else conditions may know, under ``context``.

        An instant is looked at where a condition asks for it, or something stands against the
        move; a yes that hangs on no instant leaves it alone.

        Raises:
            WrongTypeError: A state is not hashable, or an instant that is looked at is none.
            NaiveTimeError: An instant that is looked at has no zone.
        """
        ...


@frozen(cache_hash=True)
class Rulebook(Table[S]):
    """Which moves between states are allowed: a value to share, compare, print and draw.

    Make one with `forward`, `free` or `explicit`.
    None as the source of a move stands for the creation of a record.

    Attributes:
        name: What it is called.
        states: Every state, in order.
        course: How its moves are given: forward by rank, free, or one by one.
        skips: Whether a forward move may pass over states.
        edges: The moves given one by one.
        creation: The states that a record may be created in.
        final: The states that nothing leaves.
        version: Its number in a line of changed rulebooks.
        meaning: Its point in words, given as the reason for a denial.
        rules: What must be so for its moves, each rule for the moves that it bears on.
        grants: Which roles may override which denials.
        schema: What the records hold, to check the fields of conditions against: a class, or a
            mapping of names or paths to types or kinds; None leaves them unchecked.
        predicates: The functions of named conditions, by name.

    >>> book = Rulebook.forward("ticket", ["new", "open", "done"], meaning="tickets do not go back")
    >>> book.allowed("new")
    ('open', 'done')
    >>> print(book.decide("done", "new").explain("ticket 7"))
    cannot move ticket 7 from 'done' to 'new': tickets do not go back; allowed: nothing
    """

    @staticmethod
    def forward(
        name: str,
        states: Iterable[T],
        *,
        skips: bool = True,
        creation: Iterable[T] | None = None,
        final: Iterable[T] = (),
        version: int = 1,
        meaning: str = "",
        rules: "Iterable[Rule[T]]" = (),
        grants: "Iterable[Grant]" = (),
        schema: "Schema | None" = None,
        predicates: "Mapping[str, Predicate]" = NOTHING,
    ) -> "Rulebook[T]":
        """A rulebook whose moves only go forward along the order of its states.

        Args:
            name: What it is called.
            states: The states from first to last.
            skips: Whether a move may pass over states.
            creation: Where a record may begin; anywhere if not given.
            final: States that nothing leaves, beside the last.
            version: Its number in a line of changed rulebooks.
            meaning: Its point in words.
            rules: What must be so for its moves.
            grants: Which roles may override which denials.
            schema: What the records hold, to check conditions against.
            predicates: The functions of named conditions, by name.
        """
        ordered = _ordered(states)
        begin = ordered if creation is None else hashable(creation, "creation")
        return Rulebook(
            name, ordered, Course.FORWARD, skips, frozenset(), frozenset(begin),
            frozenset(hashable(final, "final")), version,
            instance(str, meaning, "meaning") or FORWARD_ONLY,
            *_parts(rules, grants), schema, predicates,
        )  # fmt: skip

    @staticmethod
    def free(
        name: str,
        states: Iterable[T],
        *,
        creation: Iterable[T] | None = None,
        final: Iterable[T] = (),
        version: int = 1,
        meaning: str = "",
        rules: "Iterable[Rule[T]]" = (),
        grants: "Iterable[Grant]" = (),
        schema: "Schema | None" = None,
        predicates: "Mapping[str, Predicate]" = NOTHING,
    ) -> "Rulebook[T]":
        """A rulebook that allows every move between two of its states but out of a final one.

        The arguments are those of `forward`.
        """
        ordered = _ordered(states)
        begin = ordered if creation is None else hashable(creation, "creation")
        return Rulebook(
            name, ordered, Course.FREE, True, frozenset(), frozenset(begin),
            frozenset(hashable(final, "final")), version, meaning,
            *_parts(rules, grants), schema, predicates,
        )  # fmt: skip

    @staticmethod
    def explicit(
        name: str,
        moves: Mapping[T, Iterable[T]],
        *,
        creation: Iterable[T] | None = None,
        version: int = 1,
        meaning: str = "",
        rules: "Iterable[Rule[T]]" = (),
        grants: "Iterable[Grant]" = (),
        schema: "Schema | None" = None,
        predicates: "Mapping[str, Predicate]" = NOTHING,
    ) -> "Rulebook[T]":
        """A rulebook whose moves are given one by one.

        Args:
            name: What it is called.
            moves: For every state, in order, the states that may be entered from it; a state
                with none is final.
            creation: Where a record may begin; anywhere if not given.
            version: Its number in a line of changed rulebooks.
            meaning: Its point in words.
            rules: What must be so for its moves.
            grants: Which roles may override which denials.
            schema: What the records hold, to check conditions against.
            predicates: The functions of named conditions, by name.
        """
        if not isinstance(moves, Mapping):
            raise WrongTypeError("moves", "a mapping of states to the states they lead to", moves)
        targets = {state: hashable(moves[state], "moves") for state in moves}
        begin = tuple(moves) if creation is None else hashable(creation, "creation")
        edges = frozenset((state, target) for state in targets for target in targets[state])
        final = frozenset(state for state in targets if not targets[state])
        return Rulebook(
            name, tuple(moves), Course.EXPLICIT, True, edges, frozenset(begin), final,
            version, meaning, *_parts(rules, grants),
            schema, predicates,
        )  # fmt: skip

    @cached_property
    def permits(self) -> Ask[S, bool]:
        """Whether a move is allowed; a state that the rulebook does not know permits nothing.

        Asked as ``book.permits(source, target, record, at=..., by=..., role=...)``; see `Ask`.
        """
        case = self._case

        def judged(source: S | None, target: S, *facts: Any) -> bool:
            return case(source, *facts).allows(target)

        return cast("Ask[S, bool]", self._compiled(judged, "true"))

    @cached_property
    def decide(self) -> Ask[S, Decision[S]]:
        """What the rulebook says of a move, with every reason against it.

        Asked as ``book.decide(source, target, record, at=..., by=..., role=...)``; see `Ask`.
        """
        case = self._case

        def judged(source: S | None, target: S, *facts: Any) -> Decision[S]:
            return case(source, *facts).decision(target)

        return cast("Ask[S, Decision[S]]", self._compiled(judged, "yes"))

    @cached_property
    def _case(self) -> "Callable[..., Case[S]]":
        from salespipeline.rules.case import Case  # noqa: PLC0415 - where a move is asked about

        return partial(Case, self)

    def _compiled(self, judged: Callable[..., Any], answer: Literal["true", "yes"]) -> Any:
        """The question as one function: compiled conditions where they are sure, else the judge.

        The moves of a large rulebook are left to the judge.
        """
        from salespipeline._verdicts import compiled  # noqa: PLC0415 - where a move is asked about

        numbers: dict[tuple[str, ...], int] = {}
        groups: list[list[Condition]] = []
        moves: dict[S | None, dict[S, int]] = {}
        yes: dict[S | None, dict[S, Decision[S]]] = {}
        for source in (None, *self.states) if len(self.states) <= _MOST_COMPILED else ():
            prospects = self.moves_from(source)
            yes[source] = {target: each.yes for target, each in prospects.items()}
            moves[source] = {}
            for target, each in prospects.items():
                if each.obstacle is None:
                    names = tuple(rule.name for rule in each.rules)
                    if names not in numbers:
                        numbers[names] = len(groups)
                        groups.append([rule.condition for rule in each.rules])
                    moves[source][target] = numbers[names]
        allowed = yes if answer == "yes" else None
        return compiled(groups, moves, allowed, judged, self.predicates)[0]

    def options(
        self,
        source: S | None,
        record: Any = EMPTY,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        entered_at: datetime | None = None,
        context: Any = EMPTY,
    ) -> tuple[Decision[S], ...]:
        """One decision for each state, in order: which buttons to show, and why others are grey.

        Show what is allowed, grey out what is denied, hide where there is no such move.
        The arguments are those of `Ask`.
        """
        return self._case(source, record, at, by, role, entered_at, context).options()

    def allowed(
        self,
        source: S | None,
        record: Any = EMPTY,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        entered_at: datetime | None = None,
        context: Any = EMPTY,
    ) -> tuple[S, ...]:
        """The states that may be entered from a state, in order; none from an unknown one.

        The arguments are those of `Ask`.
        """
        return self._case(source, record, at, by, role, entered_at, context).allowed()

    def override(self, decision: Decision[S], override: Override | None) -> Decision[S]:
        """The decision once somebody overrides its denials, as far as they may.

        Args:
            decision: What this rulebook said of a move.
            override: Who, as what, and why; None leaves the decision as it is.

        Returns:
            The move allowed, with the denials overridden, where a grant of the role covers every
            denial; else the decision with one denial more. An allowed move needs no override, and
            where there is no such move there is nothing to override.
        """
        if override is None:
            return decision
        from salespipeline.rules.rule import recorded  # noqa: PLC0415 - where there are denials

        instance(Override, override, "override")
        if instance(Decision, decision, "decision") or decision.result is Result.NO_SUCH_MOVE:
            return decision
        able = self._able(decision.denials)
        if override.role in able:
            return evolve(
                decision, result=Result.ALLOWED, denials=(), alternatives=(), override=override,
                overridden=decision.overridden + tuple(map(recorded, decision.denials)),
            )  # fmt: skip
        needed = {_right_over(denial) for denial in decision.denials}
        beyond = needed - self.rights.get(override.role, frozenset()) or needed
        message = f"{override.role!r} may not override {', '.join(sorted(map(repr, beyond)))}"
        denial = Denial(
            Code.OVERRIDE_NOT_GRANTED, self.name, "override", override.role, able, message
        )
        return evolve(decision, denials=(*decision.denials, denial))

    def _able(self, denials: tuple[Denial, ...]) -> tuple[str, ...]:
        """The roles that may override denials; none where one of them is not for a grant to name.

        The code tells a rule's denial: its name alone might also be that of the rulebook, or of a
        record whose last change a move would come before.
        """
        if not denials or any(denial.code not in OF_RULES | OVERRIDABLE for denial in denials):
            return ()
        needed = {_right_over(denial) for denial in denials}
        return tuple(role for role, over in self.rights.items() if needed <= over)

    @cached_property
    def ruling(self) -> Ruling:
        """The rulebook's name, version and fingerprint, as a move's event keeps them."""
        return Ruling(self.name, self.version, self.fingerprint)

    def ruling_on(self, decision: Decision[S]) -> Ruling:
        """`ruling`, with what was overridden to allow the move."""
        if decision.override is None:
            return self.ruling
        return evolve(self.ruling, overridden=decision.overridden, override=decision.override)


def _right_over(denial: Denial) -> str:
    """What a role must be granted to override a denial: the name of its rule, else its code."""
    return denial.rule if denial.code in OF_RULES else str(denial.code)


def _ordered(states: Iterable[T]) -> tuple[T, ...]:
    """States whose order counts.

    Raises:
        WrongTypeError: They are a set, whose order differs from one process to the next; or they
            are not `hashable`.
    """
    if isinstance(states, set | frozenset):
        raise WrongTypeError("states", "several hashable states in order", states)
    return hashable(states, "states")


def _parts(
    rules: "Iterable[Rule[T]]", grants: "Iterable[Grant]"
) -> "tuple[tuple[Rule[T], ...], tuple[Grant, ...]]":
    if rules == () == grants:
        return (), ()
    from salespipeline.rules.rule import Grant, Rule  # noqa: PLC0415 - not every book's

    given = cast("tuple[Rule[T], ...]", instances(Rule, rules, "rules"))
    return given, instances(Grant, grants, "grants")
