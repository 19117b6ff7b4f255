"""What a contact and a deal have in common: a snapshot built by replaying events.

A snapshot is built through a mutable twin of its class, a draft with the same slots, which becomes
the frozen snapshot by assigning its class once every event is applied. That is
several times as fast as one frozen copy per event, and happens here only.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, cast

from attrs import fields

from salespipeline._doors import choice, gathered, text
from salespipeline._drafts import EVENTS, twin
from salespipeline._folds import ATTRIBUTE, Apply, GoneError
from salespipeline.attributes import EMPTY, Attributes, plain
from salespipeline.errors import InvalidValueError, UnknownKeyError, brief
from salespipeline.events import (
    ActivityRecorded,
    ApprovalWithdrawn,
    Approved,
    Assessed,
    Deleted,
    Direction,
    Event,
    FieldSet,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    OwnerChanged,
    Start,
)
from salespipeline.periods import check_date, utc
from salespipeline.rules import (
    Code,
    Decision,
    Denial,
    DeniedError,
    Override,
    Result,
    Rulebook,
)

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Hashable)
Door: TypeAlias = tuple[Callable[[object, str], object], object]
"""The check that a value must pass, and the value."""


def before(kind: str, at: datetime, earliest: datetime) -> tuple[Denial, ...]:
    """The denial of a change to a kind of record before the earliest legal instant, if it is."""
    if at >= earliest:
        return ()
    message = f"{at.isoformat()} is before its last change; earliest: {earliest.isoformat()}"
    return (Denial(Code.BEFORE_LAST_EVENT, kind, "at", at, earliest, message),)


class Record:
    """The commands and the replay of every kind of record."""

    __slots__ = ()

    id: str
    version: int
    changed_at: datetime
    owner: str | None
    source: str | None
    next_step: NextStep | None
    approvals: frozenset[str]
    verdict: str | None
    attributes: Attributes

    kind: ClassVar[str]
    fields: ClassVar[Mapping[str, Callable[[object, str], Any]]]
    _applied: ClassVar[Mapping[type, Apply]]
    _draft: ClassVar[type]
    _names: ClassVar[tuple[str, ...]]

    @classmethod
    def prepare(cls) -> None:
        """Make the class's mutable twin; called once, when the class is defined."""
        cls._names = tuple(each.name for each in fields(cls))  # type: ignore[arg-type]
        cls._draft = twin(cls)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the fields of a snapshot, in order."""
        return cls._names

    @classmethod
    def replay(cls, events: Iterable[Event], start: Self | None = None) -> Self | None:
        """The snapshot after events in sequence order.

        Args:
            events: The events that hold, without voided ones; the first creates the record
                where ``start`` is None.
            start: The snapshot to go on from.

        Returns:
            The snapshot, or None once the record is deleted, or without any event.
        """
        draft = cls._draft() if start is None else cls._thawed(start)
        applied, event = cls._applied, None
        try:
            for event in events:
                applied[type(event)](draft, event)
        except GoneError:
            return None
        if event is None:
            return start
        draft.version = event.sequence
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def follow(self, event: Event) -> Self:
        """The snapshot after one more event, as `replay` of it alone gives, and faster."""
        draft = self._thawed()
        try:
            self._applied[type(event)](draft, event)
        except GoneError:
            return None  # type: ignore[return-value] # only Deleted leaves nothing
        draft.version = event.sequence
        draft.__class__ = type(self)
        return draft  # type: ignore[no-any-return]

    def _thawed(self) -> Any:
        """A draft that holds what the snapshot holds; written out, as a loop takes five times."""

    @classmethod
    def begun(
        cls,
        event_type: Callable[..., E],
        said: dict[str, Any],
        book: Rulebook[S],
        state: S,
        context: Any,
        override: Override | None,
    ) -> tuple[Self, E]:
        """The first snapshot and the event that makes it, where a rulebook lets it begin so.

        Its conditions are judged by the record as it would be made.

        Raises:
            DeniedError: The rulebook lets no such record begin there.
        """
        record = cls.replay((event_type(sequence=1, **said),)) if book.rules else EMPTY
        decision = book.decide(
            None, state, record, at=said["at"], by=said["by"], role=said["role"], context=context
        )
        if override is not None:
            decision = book.override(decision, override)
        if not decision:
            raise DeniedError(f"{cls.kind} {said['record']!r}", decision)
        event = event_type(sequence=1, ruling=book.ruling_on(decision), **said)
        return cls.replay((event,)), event  # type: ignore[return-value] # a beginning leaves one

    @property
    def subject(self) -> str:
        """The kind and id of the record, for messages."""
        return f"{self.kind} {self.id!r}"

    def too_early(self, at: datetime | None) -> tuple[Denial, ...]:
        """The denial of a change before the record's last one, if it is that early."""
        return () if at is None else before(self.kind, utc(at), self.changed_at)

    def signed(
        self, at: datetime, by: str, role: str | None, /
    ) -> tuple[datetime, str, str | None]:
        """When, by whom and as what, each past its door.

        Raises:
            SalesPipelineError: A door refused its value; every fault is named together.
        """
        if _plain(at, by, role):
            return at, by, role
        said = self.passed(at, by, role)
        return said["at"], said["by"], said["role"]

    def passed(
        self, at: datetime, by: str, role: str | None, /, *needed: str, **doors: Door
    ) -> dict[str, Any]:
        """What is `signed`, by name, with what each further door makes of its value.

        Raises:
            SalesPipelineError: A door refused its value; every fault is named together.
        """
        if _plain(at, by, role):
            who: dict[str, Any] = {"at": at, "by": by, "role": role}
            return who | gathered(self.subject, *needed, **doors) if doors else who
        return gathered(
            self.subject, "at", "by", *needed,
            at=(utc, at), by=(text, by), role=(text, role), **doors,
        )  # fmt: skip

    def drafted(self, event_type: type[Event], at: datetime, by: str, role: str | None) -> Any:
        """A draft of the next event, signed; what else it says is still to be written into it."""
        draft = EVENTS[event_type]()
        draft.record, draft.sequence = self.id, self.version + 1
        draft.at, draft.by, draft.role = self.signed(at, by, role)
        draft.recorded_at = draft.system = draft.original_id = draft.origin = None
        return draft

    def sealed(self, event_type: type[E], draft: Any) -> tuple[Self, E]:
        """The next snapshot, and the event of a draft in which everything is written."""
        draft.__class__ = event_type
        return self.follow(draft), draft

    def happen(
        self,
        event_type: Callable[..., E],
        at: datetime,
        by: str,
        role: str | None,
        /,
        *needed: str,
        **doors: Door,
    ) -> tuple[Self, E]:
        """The next snapshot and the event that leads to it; the move is already decided.

        What an event says is given with its door: the check that it must pass.
        """
        said = self.passed(at, by, role, *needed, **doors)
        event = event_type(record=self.id, sequence=self.version + 1, **said)
        return self.follow(event), event

    def change(
        self,
        event_type: Callable[..., E],
        at: datetime,
        by: str,
        role: str | None,
        /,
        *needed: str,
        **doors: Door,
    ) -> tuple[Self, E]:
        """`happen`, denied where it is before the record's last change."""
        after = self.happen(event_type, at, by, role, *needed, **doors)
        early = self.too_early(at)
        if early:
            command = f"record {type(after[1]).__name__} on"
            decision = Decision[str](self.id, self.id, Result.DENIED, early, (), command)
            raise DeniedError(self.subject, decision)
        return after

    def change_owner(
        self, owner: str | None, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, OwnerChanged]:
        """Give the record to somebody else, or to nobody."""
        return self.change(OwnerChanged, at, by, role, owner=(text, owner))

    def set_field(
        self, field: str, value: object, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, FieldSet]:
        """Set a field that no other command sets, or an attribute.

        Args:
            field: The field's name, or ``attributes.`` and an attribute's name.
            value: Its new value; None where it has none.
            at: When.
            by: Who.
            role: What they act as.

        Raises:
            UnknownKeyError: There is no such field, or another command sets it.
        """
        door = self.door(field)
        return self.change(
            FieldSet, at, by, role,
            field=(_as_is, field), value=(lambda given, _: door(given, field), value),
        )  # fmt: skip

    @classmethod
    def door(cls, field: str) -> Callable[[object, str], object]:
        """The check that a field's value must pass.

        Raises:
            UnknownKeyError: There is no such field, or another command sets it.
        """
        if isinstance(field, str) and field.startswith(ATTRIBUTE) and field != ATTRIBUTE:
            return lambda value, _: plain(value)
        if not isinstance(field, str) or field not in cls.fields:
            known = (*cls.fields, f"{ATTRIBUTE}<name>")
            raise UnknownKeyError(f"field of a {cls.kind}", field, known)
        return cls.fields[field]

    def record_activity(
        self,
        activity: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        direction: Direction | str | None = None,
        recorded_at: datetime | None = None,
    ) -> tuple[Self, ActivityRecorded]:
        """Note a call, an e-mail, a visit: it may be dated back, since no state changes.

        Args:
            activity: What kind of activity, such as ``call``.
            at: When it happened; it may be before the record's last change.
            by: Who did it.
            role: What they acted as.
            direction: Inbound from them, or outbound to them.
            recorded_at: When the system learns of it, where that is later than ``at``.
        """
        after, event = self.happen(
            ActivityRecorded, at, by, role, "kind",
            kind=(_activity, activity), direction=(_direction, direction),
            recorded_at=(utc, recorded_at),
        )  # fmt: skip
        if event.recorded_at is not None and event.recorded_at < event.at:
            fault = f"{event.recorded_at.isoformat()} is before the activity itself"
            raise InvalidValueError("recorded_at", (fault,))
        return after, event

    def plan_next_step(
        self, what: str, *, at: datetime, by: str, role: str | None = None, due: date | None = None
    ) -> tuple[Self, NextStepPlanned]:
        """Agree on a next step, in place of any other.

        Args:
            what: The step.
            at: When it was agreed.
            by: Who agreed it.
            role: What they acted as.
            due: The calendar date by which it is to be done.
        """
        doors: dict[str, Door] = {"what": (text, what), "due": (check_date, due)}
        return self.change(NextStepPlanned, at, by, role, "what", **doors)

    def complete_next_step(
        self, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, NextStepDone]:
        """Note that the planned next step is done."""
        return self.change(NextStepDone, at, by, role)

    def assess(
        self,
        framework: str,
        criterion: str,
        answer: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        evidence: str | None = None,
        source: str | None = None,
        expires_at: datetime | None = None,
        verdict: str | None = None,
    ) -> tuple[Self, Assessed]:
        """Answer one criterion of a qualification framework.

        Args:
            framework: The framework's key, such as ``bant``.
            criterion: The criterion's key, such as ``budget``.
            answer: The answer's key: unknown, unmet, partly or met.
            at: When it was answered.
            by: Who answered it.
            role: What they acted as.
            evidence: What the answer rests on.
            source: Who or what gave it.
            expires_at: When it ceases to hold.
            verdict: The verdict that results; None leaves it as it is.
        """
        return self.change(
            Assessed, at, by, role, "framework", "criterion", "answer",
            framework=(text, framework), criterion=(text, criterion), answer=(text, answer),
            evidence=(text, evidence), source=(text, source), expires_at=(utc, expires_at),
            verdict=(text, verdict),
        )  # fmt: skip

    def approve(
        self, approval: str, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, Approved]:
        """Give the approval of a role; it holds until the record leaves its stage."""
        return self.change(Approved, at, by, role, "approval", approval=(text, approval))

    def withdraw_approval(
        self, approval: str, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, ApprovalWithdrawn]:
        """Take an approval back.

        Raises:
            UnknownKeyError: No such approval is in force.
        """
        given = text(approval, "approval")
        if given not in self.approvals:
            known = tuple(sorted(self.approvals))
            raise UnknownKeyError(f"approval of {self.subject}", given, known)
        return self.change(ApprovalWithdrawn, at, by, role, approval=(text, given))

    def delete(
        self, *, at: datetime, by: str, role: str | None = None, why: str | None = None
    ) -> tuple[None, Deleted]:
        """Delete the record; its history keeps it for figures of earlier instants."""
        _, event = self.change(Deleted, at, by, role, why=(text, why))
        return None, event


def _plain(at: datetime, by: str, role: str | None) -> bool:
    """Whether the doors would change none of the three, as is nearly always so."""
    return (
        type(at) is datetime
        and at.tzinfo is UTC
        and type(by) is str
        and by != ""
        and (role is None or (type(role) is str and role != ""))
    )


def _as_is(value: object, _name: str) -> object:
    """A value that was checked already."""
    return value


def check_id(value: object, _name: str) -> str:
    """The id of a record."""
    return text(value, "id")


def check_start(value: object, name: str) -> Start:
    """How well a record's beginning is known."""
    return choice(Start, value, name)


def check_attributes(value: Any, _name: str) -> Attributes:
    """The adopter's own fields of a record."""
    return value if type(value) is Attributes else Attributes(value)


def _activity(value: object, _name: str) -> str:
    return text(value, "activity")


def _direction(value: object, name: str) -> Direction:
    return choice(Direction, value, name)


def check_contacts(values: object, name: str) -> tuple[str, ...]:
    """The ids of contacts, each once.

    Raises:
        InvalidValueError: They are not several ids.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidValueError(name, (f"{brief(values)} is not several ids",))
    ids = cast("Iterable[object]", values)
    return tuple(dict.fromkeys(text(each, name) for each in ids))
