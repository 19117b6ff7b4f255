"""A rulebook: which moves between states are allowed, and why the others are not.

A rulebook is one immutable value over any hashable states. It knows nothing of contacts or deals,
so a service can ask it about states of its own.
"""

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum, StrEnum
from functools import cached_property
from typing import Generic, Self, TypeVar, cast

from attrs import evolve, field, frozen

from salespipeline._doors import instance, repeated, text
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief

S = TypeVar("S", bound=Hashable)
S_co = TypeVar("S_co", bound=Hashable, covariant=True)
T = TypeVar("T", bound=Hashable)


class Course(StrEnum):
    """How a rulebook says which moves there are."""

    FORWARD = "forward"
    FREE = "free"
    EXPLICIT = "explicit"


class Result(StrEnum):
    """What a rulebook says of a move."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NO_SUCH_MOVE = "no_such_move"
    FAILED = "failed"


class Code(StrEnum):
    """The stable codes of the denials that the library itself gives."""

    ALREADY_THERE = "already_there"
    BACKWARD = "backward"
    BEFORE_LAST_EVENT = "before_last_event"
    DELETED = "deleted"
    FINAL = "final"
    NO_SUCH_MOVE = "no_such_move"
    NOT_A_CREATION_STATE = "not_a_creation_state"
    NOT_CLOSED = "not_closed"
    SKIP = "skip"
    STATUS_INACTIVE = "status_inactive"
    UNKNOWN_STATE = "unknown_state"


_FORWARD = "moves go forward only"
_NO_SUCH_MOVE = frozenset({Code.NO_SUCH_MOVE, Code.UNKNOWN_STATE})


@frozen
class Denial:
    """One reason why a move is not allowed.

    Attributes:
        code: The stable code; act on this, not on the message.
        rule: The rulebook or rule that denies.
        field: What of the move or record it looked at.
        actual: What it found there.
        expected: What would have done.
        message: The reason in words.
    """

    code: str
    rule: str
    field: str
    actual: object
    expected: object
    message: str


@frozen
class Ruling:
    """Which rulebook allowed a move: kept on the move's event.

    Attributes:
        rulebook: The rulebook's name.
        version: The rulebook's version.
        fingerprint: The SHA-256 of what the rulebook decides by, in hexadecimal.
        overridden: The denials that somebody overrode, with the right to.
        why: The reason given for the override.
    """

    rulebook: str
    version: int
    fingerprint: str
    overridden: tuple[Denial, ...] = ()
    why: str | None = None


@frozen
class Decision(Generic[S_co]):
    """What a rulebook says of one move; a decision is true where the move is allowed.

    Attributes:
        source: The state to leave, or None to create a record.
        target: The state to enter.
        result: Allowed, denied, no such move, or failed.
        denials: Every reason against it; empty where it is allowed.
        alternatives: The states that may be entered instead, in the rulebook's order.
        command: What was asked in words where it is no move, such as ``record OwnerChanged on``.
    """

    source: S_co | None
    target: S_co
    result: Result
    denials: tuple[Denial, ...] = ()
    alternatives: tuple[S_co, ...] = ()
    command: str = ""

    def __bool__(self) -> bool:
        """Whether the move is allowed."""
        return self.result is Result.ALLOWED

    def denied(self, denials: Iterable[Denial]) -> Self:
        """The same decision with further reasons against the move; the same one without any."""
        more = tuple(denials)
        if not more:
            return self
        result = Result.DENIED if self.result is Result.ALLOWED else self.result
        return evolve(self, result=result, denials=self.denials + more)

    def explain(self, subject: str = "") -> str:
        """The decision in words: what was asked, why not, and what would do.

        Args:
            subject: What moves, such as ``contact 'c-1'``.
        """
        asked = f"{'can' if self else 'cannot'} {self._asked(subject)}"
        if self:
            return asked
        why = ", and ".join(denial.message for denial in self.denials)
        if self.command and not self.alternatives:
            return f"{asked}: {why}"
        instead = ", ".join(label(state) for state in self.alternatives)
        return f"{asked}: {why}; allowed: {instead or 'nothing'}"

    def _asked(self, subject: str) -> str:
        if self.command:
            return f"{self.command} {subject or 'it'}"
        if self.source is None:
            return f"begin {subject or 'it'} in {label(self.target)}"
        return f"move {subject or 'it'} from {label(self.source)} to {label(self.target)}"


@frozen
class DeniedError(SalesPipelineError, ValueError):
    """A command that its rules do not allow; nothing was changed.

    Attributes:
        subject: What the command was for, such as ``deal 'd-7'``.
        decision: The decision with every denial.
    """

    subject: str
    decision: Decision[Hashable]

    def __str__(self) -> str:
        """The decision in words."""
        return self.decision.explain(self.subject)


def label(state: object) -> str:
    """A state as text for a message, in quotes."""
    return brief(_caption(state))


@frozen
class Rulebook(Generic[S]):
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

    >>> book = Rulebook.forward("ticket", ["new", "open", "done"], meaning="tickets do not go back")
    >>> book.allowed("new")
    ('open', 'done')
    >>> print(book.decide("done", "new").explain("ticket 7"))
    cannot move ticket 7 from 'done' to 'new': tickets do not go back; allowed: nothing
    """

    name: str
    states: tuple[S, ...]
    course: Course
    skips: bool = True
    edges: frozenset[tuple[S, S]] = frozenset()
    creation: frozenset[S] = frozenset()
    final: frozenset[S] = frozenset()
    version: int = 1
    meaning: str = ""
    _ranks: dict[S, int] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a rulebook that contradicts itself, naming every fault."""
        _check_kinds(self)
        object.__setattr__(self, "_ranks", {state: n for n, state in enumerate(self.states)})
        faults = tuple(_structural_faults(self))
        if faults:
            raise InvalidValueError(f"rulebook {self.name!r}", faults)

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
        """
        ordered = hashable(states, "states")
        begin = ordered if creation is None else hashable(creation, "creation")
        return Rulebook(
            name, ordered, Course.FORWARD, skips, frozenset(), frozenset(begin),
            frozenset(hashable(final, "final")), version, meaning or _FORWARD,
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
    ) -> "Rulebook[T]":
        """A rulebook that allows every move between two of its states but out of a final one."""
        ordered = hashable(states, "states")
        begin = ordered if creation is None else hashable(creation, "creation")
        return Rulebook(
            name, ordered, Course.FREE, True, frozenset(), frozenset(begin),
            frozenset(hashable(final, "final")), version, meaning,
        )  # fmt: skip

    @staticmethod
    def explicit(
        name: str,
        moves: Mapping[T, Iterable[T]],
        *,
        creation: Iterable[T] | None = None,
        version: int = 1,
        meaning: str = "",
    ) -> "Rulebook[T]":
        """A rulebook whose moves are given one by one.

        Args:
            name: What it is called.
            moves: For every state, in order, the states that may be entered from it; a state
                with none is final.
            creation: Where a record may begin; anywhere if not given.
            version: Its number in a line of changed rulebooks.
            meaning: Its point in words.
        """
        if not isinstance(moves, Mapping):
            raise WrongTypeError("moves", "a mapping of states to the states they lead to", moves)
        targets = {state: hashable(moves[state], "moves") for state in moves}
        begin = tuple(moves) if creation is None else hashable(creation, "creation")
        edges = frozenset((state, target) for state in targets for target in targets[state])
        final = frozenset(state for state in targets if not targets[state])
        return Rulebook(
            name, tuple(moves), Course.EXPLICIT, True, edges, frozenset(begin), final,
            version, meaning,
        )  # fmt: skip

    def permits(self, source: S | None, target: S) -> bool:
        """Whether a move is allowed; a state that the rulebook does not know permits nothing."""
        return self._obstacle(source, target) is None

    def decide(self, source: S | None, target: S) -> Decision[S]:
        """What the rulebook says of a move, with every reason against it.

        Args:
            source: The state to leave, or None to create a record.
            target: The state to enter.

        Raises:
            WrongTypeError: A state is not hashable.
        """
        code = self._obstacle(source, target)
        if code is None:
            return Decision(source, target, Result.ALLOWED)
        result = Result.NO_SUCH_MOVE if code in _NO_SUCH_MOVE else Result.DENIED
        alternatives = self.allowed(source)
        if code is Code.UNKNOWN_STATE:
            denials = self._unknown(source, target)
        else:
            denials = (self._denial(code, source, target, alternatives),)
        return Decision(source, target, result, denials, alternatives)

    def options(self, source: S | None) -> tuple[Decision[S], ...]:
        """One decision for each state, in order: which buttons to show, and why others are grey.

        Show what is allowed, grey out what is denied, hide where there is no such move.
        """
        return tuple(self.decide(source, state) for state in self.states)

    def allowed(self, source: S | None) -> tuple[S, ...]:
        """The states that may be entered from a state, in order; none from an unknown one."""
        return tuple(state for state in self.states if self.permits(source, state))

    def _obstacle(self, source: S | None, target: S) -> Code | None:
        """The code of what stands against a move, or None."""
        ranks = self._ranks
        try:
            known = target in ranks and (source is None or source in ranks)
        except TypeError:
            raise WrongTypeError("state", "hashable", (source, target)) from None
        if not known:
            return Code.UNKNOWN_STATE
        if source is None:
            return None if target in self.creation else Code.NOT_A_CREATION_STATE
        if source == target:
            return Code.ALREADY_THERE
        return Code.FINAL if source in self.final else self._off_course(source, target)

    def _off_course(self, source: S, target: S) -> Code | None:
        if self.course is Course.EXPLICIT:
            return None if (source, target) in self.edges else Code.NO_SUCH_MOVE
        if self.course is Course.FREE:
            return None
        steps = self._ranks[target] - self._ranks[source]
        if steps < 0:
            return Code.BACKWARD
        return None if steps == 1 or self.skips else Code.SKIP

    def _unknown(self, source: S | None, target: S) -> tuple[Denial, ...]:
        """A denial for each state of a move that the rulebook does not have."""
        named = [] if source is None else [("source", source)]
        return tuple(
            Denial(
                Code.UNKNOWN_STATE, self.name, part, state, self.states,
                f"{self.name!r} has no state {label(state)}",
            )
            for part, state in (*named, ("target", target))
            if state not in self._ranks
        )  # fmt: skip

    def _denial(
        self, code: Code, source: S | None, target: S, alternatives: tuple[S, ...]
    ) -> Denial:
        message = {
            Code.ALREADY_THERE: "it is already there",
            Code.BACKWARD: self.meaning or _FORWARD,
            Code.FINAL: f"nothing leaves {label(source)}",
            Code.NO_SUCH_MOVE: f"{self.name!r} has no such move",
            Code.NOT_A_CREATION_STATE: "nothing begins there",
            Code.SKIP: f"{self.name!r} passes over no state",
        }[code]
        return Denial(code, self.name, "target", target, alternatives, message)

    @cached_property
    def ruling(self) -> Ruling:
        """The rulebook's name, version and fingerprint, as a move's event keeps them."""
        return Ruling(self.name, self.version, self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256, in hexadecimal, of all that decides: states and moves, not words.

        Equal rulebooks have equal fingerprints in every process. Stable from version 1.0 on.

        Raises:
            InvalidValueError: A state is not text, a number, an enum member or a tuple of them.
        """
        import json  # noqa: PLC0415 - few ask, and importing the two takes long
        from hashlib import sha256  # noqa: PLC0415

        plain = [
            self.course,
            self.skips,
            [_plain_state(state) for state in self.states],
            sorted([self._ranks[a], self._ranks[b]] for a, b in self.edges),
            sorted(self._ranks[state] for state in self.creation),
            sorted(self._ranks[state] for state in self.final),
        ]
        return sha256(json.dumps(plain, separators=(",", ":")).encode()).hexdigest()

    def to_markdown(self) -> str:
        """The moves as a Markdown table: a row for creation, then one for each state."""
        rows = ["| from | may move to |", "|---|---|"]
        for source in (None, *self.states):
            targets = ", ".join(_cell(state) for state in self.allowed(source))
            rows.append(
                f"| {'(new)' if source is None else _cell(source)} | {targets or 'nothing'} |"
            )
        return "\n".join(rows)

    def to_mermaid(self) -> str:
        """The moves as the text of a Mermaid state diagram: every allowed move is one arrow."""
        names = {state: f"s{n}" for n, state in enumerate(self.states)}
        lines = ["stateDiagram-v2"]
        lines += [f'    state "{_line(state)}" as {names[state]}' for state in self.states]
        lines += [f"    [*] --> {names[state]}" for state in self.allowed(None)]
        for source in self.states:
            targets = self.allowed(source)
            lines += [f"    {names[source]} --> {names[target]}" for target in targets]
            lines += [] if targets else [f"    {names[source]} --> [*]"]
        return "\n".join(lines)


def hashable(states: Iterable[T], name: str) -> tuple[T, ...]:
    """States as a tuple.

    Raises:
        WrongTypeError: They are one text, not iterable, or one of them is not hashable.
    """
    if isinstance(states, str) or not isinstance(states, Iterable):
        raise WrongTypeError(name, "several hashable states", states)
    collected = tuple(states)
    for state in collected:
        try:
            hash(state)
        except TypeError:
            raise WrongTypeError(name, "hashable states", state) from None
    return collected


def _check_kinds(book: Rulebook[S]) -> None:
    text(book.name, "name")
    instance(Course, book.course, "course")
    instance(bool, book.skips, "skips")
    instance(str, book.meaning, "meaning")
    instance(tuple, book.states, "states")
    hashable(book.states, "states")
    for name in ("edges", "creation", "final"):
        instance(frozenset, getattr(book, name), name)
    for edge in book.edges:
        if not isinstance(edge, tuple) or len(edge) != 2:
            raise WrongTypeError("edges", "pairs of a source and a target", edge)


def _structural_faults(book: Rulebook[S]) -> Iterable[str]:
    if not book.states:
        yield "it has no states"
    if twice := repeated(book.states):
        yield f"it lists {', '.join(map(label, twice))} twice"
    if None in book.states:
        yield "None cannot be a state: it stands for creation"
    named = {
        "a move": {state for edge in book.edges for state in edge},
        "creation": book.creation,
        "final": book.final,
    }
    for place, states in named.items():
        strange = sorted(label(state) for state in states if state not in book.states)
        if strange:
            yield f"{place} names unknown states {', '.join(strange)}"
    if type(book.version) is not int or book.version < 1:
        yield f"its version must be a whole number from 1 (got {brief(book.version)})"


def _plain_state(state: object) -> object:
    if isinstance(state, str):
        return str.__str__(state)
    if isinstance(state, int):
        return int(state)
    if isinstance(state, Enum):
        return [type(state).__name__, state.name]
    if isinstance(state, tuple):
        return [_plain_state(part) for part in cast("tuple[object, ...]", state)]
    raise InvalidValueError("fingerprint", (f"the state {brief(state)} has no stable text",))


def _caption(state: object) -> str:
    """A state as text: itself, an enum member's value or else its name, or what `brief` makes."""
    shown = state
    if isinstance(state, Enum):
        shown = state.value if isinstance(state.value, str) else state.name
    return shown if isinstance(shown, str) else brief(shown)


def _line(state: object) -> str:
    """A state's text in a drawing: one line, no double quotes."""
    return " ".join(_caption(state).replace('"', "'").split())


def _cell(state: object) -> str:
    return _line(state).replace("|", "\\|")
