"""What a rulebook says of one move: a decision, with every denial as data."""

from collections.abc import Hashable, Iterable
from enum import Enum, StrEnum
from typing import Generic, Self, TypeVar, cast

from attrs import evolve, frozen

from salespipeline._doors import gathered, instances, text
from salespipeline.errors import SalesPipelineError, brief

S_co = TypeVar("S_co", bound=Hashable, covariant=True)


class Result(StrEnum):
    """What a rulebook says of a move."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NO_SUCH_MOVE = "no_such_move"
    FAILED = "failed"


class Code(StrEnum):
    """The stable codes of denials."""

    ALREADY_THERE = "already_there"
    ALREADY_VOIDED = "already_voided"
    APPROVAL_NEEDED = "approval_needed"
    BACKWARD = "backward"
    BEFORE_LAST_EVENT = "before_last_event"
    CREATION_VOIDED = "creation_voided"
    DELETED = "deleted"
    FAILED = "failed"
    FINAL = "final"
    FORBIDDEN = "forbidden"
    HAS_DEPENDANTS = "has_dependants"
    MISSING_FIELD = "missing_field"
    NOT_A_CREATION_STATE = "not_a_creation_state"
    NOT_CLOSED = "not_closed"
    NOT_MET = "not_met"
    NO_SUCH_MOVE = "no_such_move"
    OVERRIDE_NOT_GRANTED = "override_not_granted"
    ROLE_NEEDED = "role_needed"
    SKIP = "skip"
    STATUS_INACTIVE = "status_inactive"
    TOO_LATE = "too_late"
    TOO_SOON = "too_soon"
    UNKNOWN_STATE = "unknown_state"


OVERRIDABLE = frozenset({Code.BACKWARD, Code.FINAL, Code.NOT_A_CREATION_STATE, Code.SKIP})
"""The codes of a rulebook's own denials that a grant may name, beside the names of its rules."""

OF_RULES = frozenset(
    {
        Code.APPROVAL_NEEDED, Code.FAILED, Code.FORBIDDEN, Code.MISSING_FIELD, Code.NOT_MET,
        Code.ROLE_NEEDED, Code.TOO_LATE, Code.TOO_SOON,
    }
)  # fmt: skip
"""The codes of the denials of rules."""


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
class Override:
    """Somebody's word that a move may be made although rules deny it.

    Attributes:
        by: Who says so.
        role: What they act as; the rulebook must grant it the right.
        why: Their reason.
    """

    by: str
    role: str
    why: str

    def __attrs_post_init__(self) -> None:
        """Refuse an override that does not say who, as what and why."""
        gathered(
            "override", "by", "role", "why",
            by=(text, self.by), role=(text, self.role), why=(text, self.why),
        )  # fmt: skip


@frozen
class Ruling:
    """Which rulebook allowed a move: kept on the move's event.

    Attributes:
        rulebook: The rulebook's name.
        version: The rulebook's version.
        fingerprint: The SHA-256 of what the rulebook decides by, in hexadecimal.
        overridden: The denials that somebody overrode, with the right to.
        override: Who overrode them, as what, and why; None where nobody had to.
    """

    rulebook: str
    version: int
    fingerprint: str
    overridden: tuple[Denial, ...] = ()
    override: Override | None = None


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
        overridden: The denials that do not count because of the override.
        override: Who overrode them, as what, and why; None where nobody had to.
    """

    source: S_co | None
    target: S_co
    result: Result
    denials: tuple[Denial, ...] = ()
    alternatives: tuple[S_co, ...] = ()
    command: str = ""
    overridden: tuple[Denial, ...] = ()
    override: Override | None = None

    def __bool__(self) -> bool:
        """Whether the move is allowed."""
        return self.result is Result.ALLOWED

    def denied(self, denials: Iterable[Denial]) -> Self:
        """The same decision with further reasons against the move; the same one without any.

        A further reason is a sure one, so that a decision that failed becomes a denied one.

        Args:
            denials: The reasons.
        """
        if denials == ():
            return self
        more = instances(Denial, denials, "denials")
        if not more:
            return self
        result = self.result if self.result is Result.NO_SUCH_MOVE else Result.DENIED
        return evolve(self, result=result, denials=self.denials + more)

    def explain(self, subject: str = "") -> str:
        """The decision in words: what was asked, why not, and what would do.

        Args:
            subject: What moves, such as ``contact 'c-1'``.
        """
        asked = f"{'can' if self else 'cannot'} {self._asked(subject)}"
        if self:
            return asked
        why = ", and ".join(dict.fromkeys(denial.message for denial in self.denials))
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


def caption(state: object) -> str:
    """A state as text: itself, an enum member's value or else its name, or what `brief` makes."""
    if issubclass(type(state), Enum):
        member = cast("Enum", state)
        return member.value if isinstance(member.value, str) else member.name
    return cast("str", state) if issubclass(type(state), str) else brief(state)


def label(state: object) -> str:
    """A state as text for a message, in quotes."""
    return brief(caption(state))
