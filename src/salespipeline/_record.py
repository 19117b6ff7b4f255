"""What a contact and a deal have in common: a snapshot built by replaying events.

A snapshot is built through a mutable twin of its class, a draft with the same slots, which becomes
the frozen snapshot by assigning its class once every event is applied. That is
several times as fast as one frozen copy per event, and happens here only.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, cast

from attrs import fields

from salespipeline._doors import choice, gathered, text
from salespipeline.attributes import Attributes, plain
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
    Merged,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    OwnerChanged,
    Start,
    Voided,
)
from salespipeline.periods import check_date, utc
from salespipeline.rules import Code, Decision, Denial, DeniedError, Result

E = TypeVar("E", bound=Event)
Apply = Callable[[Any, Any], None]
Door: TypeAlias = tuple[Callable[[object, str], object], object]
"""The check that a value must pass, and the value."""

ATTRIBUTE = "attributes."


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
        cls._draft = type(f"{cls.__name__}Draft", (Record,), {"__slots__": cls._names})

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
        draft = cls._draft()
        for name in cls._names if start is not None else ():
            setattr(draft, name, getattr(start, name))
        applied, event = cls._applied, None
        try:
            for event in events:
                applied[type(event)](draft, event)
        except _GoneError:
            return None
        if event is None:
            return start
        draft.version = event.sequence
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    @property
    def subject(self) -> str:
        """The kind and id of the record, for messages."""
        return f"{self.kind} {self.id!r}"

    def too_early(self, at: datetime | None) -> tuple[Denial, ...]:
        """The denial of a change before the record's last one, if it is that early."""
        if at is None or utc(at) >= self.changed_at:
            return ()
        earliest = self.changed_at.isoformat()
        message = f"{utc(at).isoformat()} is before its last change; earliest: {earliest}"
        return (Denial(Code.BEFORE_LAST_EVENT, self.kind, "at", at, self.changed_at, message),)

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
        said = gathered(
            self.subject, "at", "by", *needed,
            at=(utc, at), by=(text, by), role=(text, role), **doors,
        )  # fmt: skip
        event = event_type(record=self.id, sequence=self.version + 1, **said)
        after = type(self).replay((event,), self)
        return after, event  # type: ignore[return-value] # only Deleted leaves nothing

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
            field=(as_is, field), value=(lambda given, _: door(given, field), value),
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


def as_is(value: object, _name: str) -> object:
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
    return Attributes(value)


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


def touch(draft: Any, event: Event) -> None:
    draft.changed_at = max(draft.changed_at, event.at)


class _GoneError(Exception):
    """The record is deleted: there is no snapshot."""


def _deleted(_draft: Any, _event: Event) -> None:
    raise _GoneError


def _no_change(draft: Any, event: Event) -> None:
    """An activity changes no state."""


def _field_set(draft: Any, event: FieldSet) -> None:
    if event.field.startswith(ATTRIBUTE):
        name = event.field.removeprefix(ATTRIBUTE)
        draft.attributes = draft.attributes.with_value(name, event.value)
    else:
        setattr(draft, event.field, event.value)
    touch(draft, event)


def _owner_changed(draft: Any, event: OwnerChanged) -> None:
    draft.owner = event.owner
    touch(draft, event)


def _next_step_planned(draft: Any, event: NextStepPlanned) -> None:
    draft.next_step = NextStep(event.what, event.due)
    touch(draft, event)


def _next_step_done(draft: Any, event: NextStepDone) -> None:
    draft.next_step = None
    touch(draft, event)


def _assessed(draft: Any, event: Assessed) -> None:
    if event.verdict is not None:
        draft.verdict = event.verdict
    touch(draft, event)


def _approved(draft: Any, event: Approved) -> None:
    draft.approvals |= {event.approval}
    touch(draft, event)


def _approval_withdrawn(draft: Any, event: ApprovalWithdrawn) -> None:
    draft.approvals -= {event.approval}
    touch(draft, event)


SHARED: Mapping[type, Apply] = {
    FieldSet: _field_set,
    OwnerChanged: _owner_changed,
    ActivityRecorded: _no_change,
    NextStepPlanned: _next_step_planned,
    NextStepDone: _next_step_done,
    Assessed: _assessed,
    Approved: _approved,
    ApprovalWithdrawn: _approval_withdrawn,
    Merged: touch,
    Voided: touch,
    Deleted: _deleted,
}
"""What each shared event does to a draft."""
