"""Voiding events of a record: what depends on them, and what stands against it.

An event says something of the record it happened to: the stage or status that it left, and, by
happening at all, that the record is there. It depends on another event if that was so with the
other one and is so no longer without it. What an event says and was never so is left alone: read
histories are full of it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast

from attrs import evolve

from salespipeline._doors import gathered, instance, text
from salespipeline._record import Record, before
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.events import (
    ActivityRecorded,
    Deleted,
    Event,
    Identity,
    LeadStatusSet,
    LifecycleStageSet,
    Merged,
    Reopened,
    StageEntered,
    Voided,
)
from salespipeline.lifecycle import StatusScheme
from salespipeline.periods import utc
from salespipeline.pipelines import Outcome
from salespipeline.rules import Code, Decision, Denial, DeniedError, Result, Ruling, label

Events: TypeAlias = tuple[Event, ...]
"""All events of one record, in sequence order."""

Saying: TypeAlias = tuple[str, bool]
"""What an event says of the record before it, in words, and whether it is so."""

Befores: TypeAlias = defaultdict[int, list[Record | None]]
"""By the number of an event, the record before it in each way of reading the history."""

_TOLD = 5
"""How many dependants a message tells of; the denial itself lists all."""


def _said(event: Event, record: Any, scheme: StatusScheme) -> tuple[Saying, ...]:
    """All that an event says of the record before it: as much of an event whatever the record."""
    if isinstance(event, StageEntered):
        return _said_of_deal(event, record)
    if isinstance(event, LifecycleStageSet):
        kept = event.lead_status is None or event.lead_status == record.lead_status
        return (
            _left("stage", event.stage_left, record.lifecycle_stage, event.ruling),
            (f"kept the lead status {label(event.lead_status)}", kept),
        )
    if isinstance(event, LeadStatusSet):
        active = event.status is None or record.lifecycle_stage in scheme.active_in
        return (
            _left("lead status", event.status_left, record.lead_status, event.ruling),
            (f"set a lead status of scheme {label(scheme.name)}", active),
        )
    return ()


def _left(what: str, left: str | None, before: str | None, ruling: Ruling | None) -> Saying:
    """What a contact left: None where it is not known, but none where a rulebook had ruled."""
    if left is None:
        return f"left no {what}", ruling is None or before is None
    return f"left the {what} {label(left)}", left == before


def _said_of_deal(event: StageEntered, deal: Deal) -> tuple[Saying, ...]:
    """What a change of stage says; keys are as recorded, a retired one is not its successor."""
    pipeline = deal.pipeline if event.pipeline_left is None else event.pipeline_left
    left = (pipeline, event.stage_left) == (deal.pipeline, deal.stage)  # never, if not known
    closed = not isinstance(event, Reopened) or deal.outcome is not Outcome.OPEN
    return (
        (f"left the stage {label(event.stage_left)}", left),
        ("reopened a closed deal", closed),
    )


def voided(
    events: Sequence[Event], also: Iterable[Identity] = ()
) -> Mapping[Identity, Event | None]:
    """What counts for nothing after events, each with the last void of it.

    Args:
        events: The events.
        also: What is voided after all of them; it has no void yet.
    """
    mistaken: dict[Identity, Event | None] = dict.fromkeys(also)
    for event in reversed(events):  # a void that is itself voided counts for nothing
        if isinstance(event, Voided) and event.identity not in mistaken:
            mistaken.setdefault(event.voids, event)
    return mistaken


def decide_void(
    kind: type[Record],
    events: Events,
    mistakes: tuple[object, ...],
    *,
    scheme: StatusScheme,
    at: datetime | None,
    with_dependants: bool,
) -> Decision[tuple[int, ...]]:
    """Whether events of a history may be voided, with every reason why not."""
    said = gathered(
        "void", "mistakes", "scheme", "with_dependants", mistakes=(_among(kind, events), mistakes),
        scheme=(_scheme, scheme), at=(utc, at), with_dependants=(_flag, with_dependants),
    )  # fmt: skip
    voiding = _Voiding(kind, events, said["mistakes"], said["scheme"])
    return voiding.decide(said["at"], with_dependants=said["with_dependants"])


def voids(
    kind: type[Record],
    events: Events,
    mistakes: tuple[object, ...],
    *,
    scheme: StatusScheme,
    at: datetime,
    by: str,
    why: str,
    role: str | None,
    with_dependants: bool,
) -> tuple[Voided, ...]:
    """The voids of events of a history, last to first, after those of what depends on them.

    Raises:
        DeniedError: Something stands against it.
    """
    said = gathered(
        "void", "mistakes", "scheme", "at", "by", "why", "with_dependants",
        mistakes=(_among(kind, events), mistakes), scheme=(_scheme, scheme), at=(utc, at),
        by=(text, by), why=(text, why), role=(text, role),
        with_dependants=(_flag, with_dependants),
    )  # fmt: skip
    voiding = _Voiding(kind, events, said.pop("mistakes"), said.pop("scheme"))
    decision = voiding.decide(said["at"], with_dependants=said.pop("with_dependants"))
    if not decision:
        raise DeniedError(f"{kind.kind} {events[0].record!r}", decision)
    return voiding.voids(**said)


def _scheme(value: object, name: str) -> StatusScheme:
    return instance(StatusScheme, value, name)


def _flag(value: object, name: str) -> bool:
    return instance(bool, value, name)


def _among(kind: type[Record], events: Events) -> Callable[[object, str], tuple[Event, ...]]:
    """The door of events of a history: each once, in sequence order."""

    def one(meant: object, _name: str) -> Event:
        event = _meant(events, meant)
        if event is None:
            known = (f"1 to {len(events)}",)
            raise UnknownKeyError(f"event of {kind.kind} {events[0].record!r}", meant, known)
        return event

    def several(mistakes: object, _name: str) -> tuple[Event, ...]:
        doors = {str(n): (one, each) for n, each in enumerate(cast("tuple[object, ...]", mistakes))}
        if not doors:
            raise InvalidValueError("void", ("no event is given",))
        numbers = {event.sequence for event in gathered("events", *doors, **doors).values()}
        return tuple(event for event in events if event.sequence in numbers)

    return several


def _meant(events: Events, meant: object) -> Event | None:
    """The event that is meant by itself, its sequence number or its identity, if there is one."""
    if isinstance(meant, Event):
        same = _meant(events, cast("object", meant.sequence))
        return same if same == meant else None
    if isinstance(meant, int) and not isinstance(meant, bool):
        return events[meant - 1] if 0 < meant <= len(events) else None
    if not isinstance(meant, tuple) or not all(map(_is_name, cast("tuple[object, ...]", meant))):
        return None
    return next((event for event in events if event.identity == meant), None)


def _is_name(part: object) -> bool:
    return isinstance(part, str | int) and not isinstance(part, bool)


class _Voiding:
    """Events of one record to be voided together.

    Args:
        kind: The type of the record's snapshot.
        events: All its events.
        mistakes: Those to be voided, in sequence order.
        scheme: The lead statuses in use.
    """

    def __init__(
        self,
        kind: type[Record],
        events: Events,
        mistakes: tuple[Event, ...],
        scheme: StatusScheme,
    ) -> None:
        self._kind, self._events, self._mistakes, self._scheme = kind, events, mistakes, scheme
        self._voided_now = voided(events)
        self._voided_then = voided(events, (event.identity for event in mistakes))
        self._held = [event for event in events if event.identity not in self._voided_now]
        broken = self._broken()
        self._depending = [each for each in broken if each[0].identity not in self._voided_now]
        self._unfit = [each for each in broken if each[0].identity in self._voided_now]

    def decide(self, at: datetime | None, *, with_dependants: bool) -> Decision[tuple[int, ...]]:
        """Whether they may be voided, with every reason why not."""
        numbers = tuple(event.sequence for event in self._mistakes)
        command = f"void {', '.join(map(_named, self._mistakes))} of"
        allowed = Decision(numbers, numbers, Result.ALLOWED, command=command)
        denials = (
            *self._already_voided(), *self._no_record(), *self._coming_back(),
            *(() if with_dependants else self._depended_on()), *self._too_early(at),
        )  # fmt: skip
        return allowed.denied(denials)

    def voids(self, **facts: Any) -> tuple[Voided, ...]:
        """The events that void them, last to first, after those that void what depends on them."""
        mistaken = [*(event for event, _ in reversed(self._depending)), *reversed(self._mistakes)]
        once = dict.fromkeys(event.identity for event in mistaken)
        record, following = self._events[0].record, len(self._events) + 1
        return tuple(
            Voided(record=record, sequence=sequence, voids=identity, **facts)
            for sequence, identity in enumerate(once, following)
        )

    # What depends on them

    def _broken(self) -> list[tuple[Event, str]]:
        """Each event left that says what would no longer be so, with the first such thing.

        Without it further ones may break. Where several events have one identity, earlier ones
        may too, so the events left are gone through until nothing more is found.
        """
        before, gone = self._befores(), set(self._voided_then)
        broken: dict[int, tuple[Event, str]] = {}
        while found := {event.sequence: (event, said) for event, said in self._pass(before, gone)}:
            broken |= found
        return [broken[sequence] for sequence in sorted(broken)]

    def _pass(self, before: Befores, gone: set[Identity]) -> Iterator[tuple[Event, str]]:
        """What breaks as the events left are replayed, each being gone for those after it."""
        record: Record | None = None
        for event in self._events:
            if event.identity in gone:
                continue
            said = self._no_longer(event, before[event.sequence], record)
            if said is None:
                record = _after(self._kind, event, record)
            else:
                gone.add(event.identity)
                yield event, said

    def _no_longer(self, event: Event, once: list[Record | None], now: Record | None) -> str | None:
        """What an event says that was always so of the record and is so no longer, if anything."""
        if isinstance(event, Voided) or None in once or not once:
            return None
        if now is None and _begins(event):
            return None
        if now is None:
            return "happened to the record"
        was = zip(*(_said(event, record, self._scheme) for record in once), strict=True)
        pairs = zip(was, _said(event, now, self._scheme), strict=True)
        return next((words for was, (words, still) in pairs if not still and _so(was)), None)

    def _befores(self) -> Befores:
        """The record before each event, as it is, and as it was before each void to be undone.

        What was not so when a void was made is not broken by undoing it.
        """
        before: Befores = defaultdict(list)
        self._note(self._held, before)
        voids = (event for event in self._mistakes if isinstance(event, Voided))
        for count in {self._count_before(void) for void in voids}:
            earlier = self._events[:count]
            mistaken = voided(earlier)
            self._note((e for e in earlier if e.identity not in mistaken), before)
        return before

    def _count_before(self, void: Voided) -> int:
        """How many events there were before the command that made a void, and others with it."""
        count, command = void.sequence - 1, (void.at, void.by, void.role, void.why)
        while isinstance(last := self._events[count - 1], Voided) and command == (
            last.at, last.by, last.role, last.why
        ):  # fmt: skip
            count -= 1
        return count

    def _note(self, held: Iterable[Event], before: Befores) -> None:
        record: Record | None = None
        for event in held:
            before[event.sequence].append(record)
            record = _after(self._kind, event, record)

    # What stands against it

    def _already_voided(self) -> Iterator[Denial]:
        for event in self._mistakes:
            if void := self._voided_now.get(event.identity):
                message = f"{_named(event)} is voided already, by {_named(void)}"
                yield self._denial(Code.ALREADY_VOIDED, "event", void.sequence, None, message)

    def _no_record(self) -> Iterator[Denial]:
        """The denial where there is no record, and this would not bring it back."""
        creation = self._events[0]
        deletions = [event for event in self._held if isinstance(event, Deleted)]
        void = self._voided_now.get(creation.identity)
        if void and not any(map(_begins, self._held)):
            if creation.identity in self._voided_then and creation not in self._mistakes:
                message = f"its creation is voided; void {_named(void)} to bring it back"
                yield self._denial(Code.CREATION_VOIDED, "event", void.sequence, None, message)
        elif deletions and all(event.identity not in self._voided_then for event in deletions):
            message = f"it is deleted; void {_named(deletions[-1])} to bring it back"
            yield self._denial(Code.DELETED, "event", deletions[-1].sequence, None, message)

    def _coming_back(self) -> Iterator[Denial]:
        """A denial for each event that cannot come back, for what it says is so no longer."""
        for event, said in self._unfit:
            message = (
                f"{_named(event)} would come back and says that it {said}, which is not so now"
            )
            yield self._denial(Code.NOT_MET, "event", event.sequence, None, message)

    def _depended_on(self) -> Iterator[Denial]:
        if self._depending:
            numbers = tuple(event.sequence for event, _ in self._depending)
            told = [f"{_named(event)} {said}" for event, said in self._depending]
            more = [f"and {len(told) - _TOLD} more"] if len(told) > _TOLD else []
            listed = ", ".join(told[:_TOLD] + more)
            message = f"what depends on it must go too, by with_dependants=True: {listed}"
            yield self._denial(Code.HAS_DEPENDANTS, "dependants", numbers, (), message)

    def _too_early(self, at: datetime | None) -> tuple[Denial, ...]:
        """The denial of a void before the record's last change, or before what it voids."""
        if at is None:
            return ()
        changes = [event.at for event in self._held if not isinstance(event, ActivityRecorded)]
        earliest = max([self._events[0].at, *changes, *(event.at for event in self._mistakes)])
        return before(self._kind.kind, at, earliest)

    def _denial(
        self, code: Code, field: str, actual: object, expected: object, message: str
    ) -> Denial:
        return Denial(code, self._kind.kind, field, actual, expected, message)


def _so(sayings: Iterable[Saying]) -> bool:
    return all(is_so for _, is_so in sayings)


def _after(kind: type[Record], event: Event, record: Record | None) -> Record | None:
    """The record after an event; none where nothing but a creation happens to none."""
    if record is None and _begins(event):
        taken = event.creation if isinstance(event, Merged) else None
        begun: Event = event if taken is None else taken
        return kind.replay((evolve(begun, record=event.record, sequence=event.sequence),))
    return None if record is None else kind.replay((event,), record)


def _begins(event: Event) -> bool:
    """Whether a record may begin with an event: its own beginning, or one that was taken in."""
    return event.sequence == 1 or (isinstance(event, Merged) and event.creation is not None)


def _named(event: Event) -> str:
    return f"event {event.sequence} ({type(event).__name__})"
