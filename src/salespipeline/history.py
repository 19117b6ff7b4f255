"""Histories: the events of one record in order, and what was so at any instant.

Sequence is order, for ever: events are replayed by their numbers, even where a system recorded
instants that run backwards. Nothing is inferred and nothing is dropped.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar, cast, get_args

from attrs import evolve, field, frozen

from salespipeline._courses import Course, Life, course, entries_known_from, life_of
from salespipeline._doors import choice, instance, instances
from salespipeline._folds import rank, status_with
from salespipeline._record import Record
from salespipeline._voiding import decide_void, voided, voids
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import HistoryError, brief
from salespipeline.events import (
    ContactEvent,
    Created,
    DealEvent,
    Deleted,
    Event,
    Identity,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    Opened,
    Reopened,
    Voided,
    Won,
)
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage, StatusScheme
from salespipeline.periods import utc
from salespipeline.rules import Decision

R = TypeVar("R", bound=Record)
E = TypeVar("E", bound=Event)


Meant: TypeAlias = tuple[Event | int | Identity, ...]
"""Events by themselves, their sequence numbers or their identities."""

_NEVER = datetime.max.replace(tzinfo=UTC)
_SPECIAL = frozenset({Voided, Deleted, Merged})


class Reading(StrEnum):
    """From which knowledge the past is read."""

    AS_KNOWN_THEN = "as_known_then"
    AS_KNOWN_NOW = "as_known_now"


@frozen
class Visit:
    """One stay in a stage or status.

    Attributes:
        state: The key of the stage or status.
        pipeline: The key of the stage's pipeline; None for a contact.
        entered: When it began.
        left: When it ended, or None while the record is still there.
        number: 1 for the record's first visit to this stage, 2 for its second, and so on.
        entry_known: Whether ``entered`` is when the visit really began: not where the record
            was only known by then, or its history is complete only from later on.
    """

    state: str
    pipeline: str | None
    entered: datetime
    left: datetime | None
    number: int = 1
    entry_known: bool = True

    @property
    def is_open(self) -> bool:
        """Whether the record is still there."""
        return self.left is None


def _events(value: object) -> tuple[Any, ...]:
    return instances(Event, value, "events")


def _instants(event: Event) -> Iterable[tuple[str, object]]:
    """The instants by which a history goes, each with its name; those that are none left out."""
    yield "at", event.at
    for name in ("recorded_at", "observed_from"):
        instant: object = getattr(event, name, None)
        if instant is not None:
            yield name, instant


@frozen
class History(Generic[R, E]):
    """The events of one record: make a `ContactHistory` or a `DealHistory`.

    Args:
        events: The events from the creation on, numbered 1, 2, 3 without a gap.

    Attributes:
        events: The same, as a tuple.
        settled_at: The instant from which on nothing that is known of the record changes: its
            last event's, where instants never run backwards and nothing was voided, recorded
            later or deleted.

    Raises:
        HistoryError: There is no event, the first creates nothing, a number is out of place, or
            an event is of another record or kind. Every fault is named.
    """

    events: tuple[E, ...] = field(converter=_events)
    _ordered: bool = field(init=False, eq=False, repr=False)
    settled_at: datetime = field(init=False, eq=False, repr=False)

    snapshot_type: ClassVar[type[Record]]
    _kinds: ClassVar[frozenset[type]]
    _creation: ClassVar[type]

    def __attrs_post_init__(self) -> None:
        """Refuse what is not the history of one record."""
        if not self.events:
            raise HistoryError(None, ("there is no event in it",))
        try:
            ordered = self._in_order()
        except (AttributeError, TypeError):  # what stands for an instant is none
            ordered = None
        if ordered is None:
            raise self._refusal()
        object.__setattr__(self, "_ordered", ordered)
        settled = self.events[-1].at if ordered else _NEVER
        object.__setattr__(self, "settled_at", settled)

    def _in_order(self) -> bool | None:
        """Whether instants never run backwards and nothing is voided; None for a fault."""
        kinds, creation = self._kinds, self._creation
        record, ordered, latest = self.events[0].record, True, self.events[0].at
        for number, event in enumerate(self.events, 1):
            kind, at = type(event), event.at
            if (
                kind not in kinds
                or event.record != record
                or event.sequence != number
                or at.tzinfo is not UTC
                or (kind is creation) != (number == 1)
            ):
                return None
            if event.recorded_at is not None:
                if event.recorded_at.tzinfo is not UTC:
                    return None
                ordered = False
            if at < latest or kind in _SPECIAL:
                if kind is Merged and not self._takes_in(event):
                    return None
                ordered = ordered and kind is Merged and at >= latest
            latest = at
        seen: datetime | None = getattr(self.events[0], "observed_from", None)
        return ordered if seen is None or seen.tzinfo is UTC else None

    def _refusal(self) -> HistoryError:
        record: str | None = getattr(self.events[0], "record", None)
        faults = (
            fault
            for number, event in enumerate(cast("tuple[object, ...]", self.events), 1)
            for fault in self._faults(record, number, event)
        )
        return HistoryError(record, tuple(faults))

    def _faults(self, record: str | None, number: int, event: object) -> Iterable[str]:
        if not isinstance(event, Event) or type(event) not in self._kinds:
            yield f"number {number} is no event of a {self.snapshot_type.kind}: {brief(event)}"
            return
        if event.record != record:
            yield f"number {number} is an event of another record, {event.record!r}"
        if event.sequence != number:
            yield f"number {number} has the sequence number {event.sequence!r}"
        for name, instant in _instants(event):
            if not isinstance(instant, datetime) or instant.tzinfo is not UTC:
                shown = brief(instant, 100)
                yield f"number {number} has {name!r} that is no instant in UTC: {shown}"
        if (number == 1) != (type(event) is self._creation):
            where = "begins with" if number == 1 else f"has at number {number}"
            yield f"it {where} {type(event).__name__}"
        if not self._takes_in(event):
            yield f"number {number} does not say how {brief(cast('Any', event).other)} began"

    def _takes_in(self, event: Event) -> bool:
        """Whether an event takes no other record in, or says rightly how that began."""
        begun = event.creation if isinstance(event, Merged) else None
        if not isinstance(event, Merged) or begun is None:
            return True
        from salespipeline._merging import is_sound  # noqa: PLC0415 - as in `merge`

        return is_sound(event, begun, self._creation)

    @property
    def record(self) -> str:
        """The id of the record."""
        return self.events[0].record

    def append(self, event: E) -> Self:
        """The history with one more event.

        Raises:
            HistoryError: The event is of another record, or does not have the next number.
        """
        return type(self)((*self.events, event))

    def known(self, as_of: datetime, *, reading: Reading = Reading.AS_KNOWN_THEN) -> tuple[E, ...]:
        """The events that hold at an instant, without voided ones, in sequence order.

        Args:
            as_of: The instant to judge from.
            reading: As known then: what had happened and was recorded by that instant, a void
                acting from its own instant. As known now: what had happened by that instant,
                with every void applied, whenever it was recorded.

        Returns:
            The events; none where the record was not created by then.
        """
        at = utc(as_of, "as_of")
        if choice(Reading, reading, "reading") is Reading.AS_KNOWN_NOW:
            return self._holding([e for e in self.events if e.at <= at], self.events)
        if self._ordered:
            return self._ordered_until(at)
        then = [
            event
            for event in self.events
            if event.at <= at and (event.recorded_at is None or event.recorded_at <= at)
        ]
        return self._holding(then, then)

    def standing(self, at: datetime) -> tuple[E, ...]:
        """`known` at an instant in UTC; nothing of a record that was deleted by then."""
        if self._ordered:
            return self._ordered_until(at)
        known = self.known(at)
        return () if any(type(event) is Deleted for event in known) else known

    def _ordered_until(self, at: datetime) -> tuple[E, ...]:
        events = self.events
        if events[0].at > at:
            return ()
        count = len(events)
        while count and events[count - 1].at > at:
            count -= 1
        return events[:count] if count < len(events) else events

    def _holding(self, events: Sequence[E], voiding: Sequence[E]) -> tuple[E, ...]:
        """The events without those voided; none where the creation is not among them."""
        mistaken = voided(voiding)
        held = tuple(event for event in events if event.identity not in mistaken)
        if held and type(held[0]) is not self._creation:
            from salespipeline._merging import begun_later  # noqa: PLC0415 - as in `merge`

            return begun_later(held)
        return held

    @property
    def merged_ids(self) -> tuple[str, ...]:
        """The ids of the records merged into this one, its own first, then as they began."""
        events: tuple[Event, ...] = self.events
        others = (e.other for e in events if isinstance(e, Merged) and e.creation is not None)
        return (self.record, *others)

    def merge(self, *others: Self) -> Self:
        """The history of one person, or one deal, of whom several records were kept.

        Every event of each is in it once, in the order of (the latest instant so far, sequence
        number, record) of its own history, and says that place as its ``origin`` where it is
        another now; an event that several hold has the place of the longest. The record is the
        one that began first. The beginning of every other becomes, in its place, a `Merged`.

        So all events of all records are replayed in order, and the latest word on a field
        stands; what a later beginning says fills only what is still empty. The lifecycle stage
        is the furthest, and the lead status goes with it; a deal stays in its stage, and its
        contacts are united. A deletion of one record deletes the whole: void it, if that record
        was deleted for being a duplicate.

        Of two readings of one record the fuller beginning stands: exact before by then, then
        observed from earlier on, then earlier; of equals, what both say. Histories may be merged
        in any order and grouping, and again, to the same end.

        Args:
            others: Histories of the same kind; without any, the history stays as it is.

        Raises:
            WrongTypeError: One is no history, or a history of another kind of record.
            HistoryError: Two events have one identity, in one history, or in two that do not say
                the same of it. Every such event is named.

        >>> day = datetime(2026, 3, 1, tzinfo=UTC)
        >>> ada, created = Contact.create("c-2", at=day, by="form", stage="lead")
        >>> _, again = Contact.create("c-7", at=day, by="fair", stage="subscriber", name="Ada")
        >>> whole = ContactHistory([again]).merge(ContactHistory([created]))
        >>> whole.record, whole.merged_ids, whole.latest.name, whole.latest.lifecycle_stage.value
        ('c-2', ('c-2', 'c-7'), 'Ada', 'lead')
        """
        from salespipeline._merging import merged  # noqa: PLC0415 - few histories ask for it

        known = instances(type(self), others, "others")
        return type(self)(merged([self.events, *(other.events for other in known)]))

    def as_of(self, as_of: datetime, *, reading: Reading = Reading.AS_KNOWN_THEN) -> R | None:
        """The record as it stood at an instant.

        Args:
            as_of: The instant to judge from.
            reading: From which knowledge; see `known`.

        Returns:
            The snapshot, or None before the creation and after the deletion.
        """
        record = self.snapshot_type.replay(self.known(as_of, reading=reading))
        if record is not None and reading == Reading.AS_KNOWN_NOW:  # voided events count, too
            at = utc(as_of)
            record = evolve(
                cast("Any", record), version=max(e.sequence for e in self.events if e.at <= at)
            )
        return cast("R | None", record)

    @property
    def latest(self) -> R | None:
        """The record after all its events, with every void applied; None once deleted."""
        held = self._holding(self.events, self.events)
        return cast("R | None", self.snapshot_type.replay(held))

    def decide_void(
        self,
        *mistakes: Event | int | Identity,
        at: datetime | None = None,
        with_dependants: bool = False,
    ) -> Decision[tuple[int, ...]]:
        """Whether events may be voided, with every reason why not.

        Args:
            mistakes: The events, as for `void`.
            at: When; None leaves the time out of the decision.
            with_dependants: Whether to void what depends on them, too.

        Returns:
            The decision, about the sequence numbers of the events. Its denial with the code
            ``has_dependants`` has the numbers of all events that depend on them.

        Raises:
            UnknownKeyError: It is no event of this history.
        """
        return self._decide_void(mistakes, at=at, with_dependants=with_dependants)

    def void(
        self,
        *mistakes: Event | int | Identity,
        at: datetime,
        by: str,
        why: str,
        role: str | None = None,
        with_dependants: bool = False,
    ) -> tuple[Self, tuple[Voided, ...]]:
        """Let mistaken events count for nothing, or voids, so that what they voided counts again.

        An event depends on another if, without the other, the record is not there, or is not in
        the stage or status that the event says it left. What it says and was not so before
        depends on nothing; nor does a stage left that is not known.

        Args:
            mistakes: The events to void together: each an event of this history, its sequence
                number or its identity. Events of one identity are voided together.
            at: When.
            by: Who says so.
            why: Their reason.
            role: What they act as.
            with_dependants: Whether to void what depends on them, too.

        Returns:
            The history with the voids, and the voids: first of what depends on the mistakes, then
            of the mistakes, each from last to first.

        Raises:
            DeniedError: One is voided already, something depends on one, there is no such record
                any more, what was voided cannot come back, or this is before the last change.
                The error carries the decision.
            UnknownKeyError: It is no event of this history.

        >>> day = datetime(2026, 3, 1, tzinfo=UTC)
        >>> contact, created = Contact.create("c-1", at=day, by="form", stage="lead")
        >>> contact, mistake = contact.advance("customer", at=day, by="ada")
        >>> history = ContactHistory([created, mistake])
        >>> history, (void,) = history.void(mistake, at=day, by="ada", why="a namesake bought")
        >>> history.latest.lifecycle_stage.value, void.sequence, void.voids
        ('lead', 3, ('c-1', 2))
        """
        return self._void(
            mistakes, at=at, by=by, why=why, role=role, with_dependants=with_dependants
        )

    def _decide_void(
        self, mistakes: Meant, *, scheme: StatusScheme = STANDARD_STATUSES, **facts: Any
    ) -> Decision[tuple[int, ...]]:
        return decide_void(self.snapshot_type, self.events, mistakes, scheme=scheme, **facts)

    def _void(
        self, mistakes: Meant, *, scheme: StatusScheme = STANDARD_STATUSES, **facts: Any
    ) -> tuple[Self, tuple[Voided, ...]]:
        more = voids(self.snapshot_type, self.events, mistakes, scheme=scheme, **facts)
        return type(self)((*self.events, *more)), more


@frozen
class ContactHistory(History[Contact, ContactEvent]):
    """The events of one contact.

    >>> from datetime import UTC, datetime
    >>> contact, created = Contact.create("c-1", at=datetime(2026, 3, 1, tzinfo=UTC), by="form")
    >>> contact, event = contact.advance("lead", at=datetime(2026, 3, 5, tzinfo=UTC), by="form")
    >>> history = ContactHistory([created, event])
    >>> history.as_of(datetime(2026, 3, 4, tzinfo=UTC)).lifecycle_stage is None
    True
    >>> history.latest == contact
    True
    """

    snapshot_type = Contact
    _kinds = frozenset(get_args(ContactEvent))
    _creation = Created

    def decide_void(
        self,
        *mistakes: Event | int | Identity,
        at: datetime | None = None,
        with_dependants: bool = False,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> Decision[tuple[int, ...]]:
        """Whether events may be voided, with every reason why not.

        Args:
            mistakes: The events, as for `void`.
            at: When; None leaves the time out of the decision.
            with_dependants: Whether to void what depends on them, too.
            scheme: The lead statuses in use.

        Returns:
            The decision, as of `History.decide_void`.

        Raises:
            UnknownKeyError: It is no event of this history.
        """
        return self._decide_void(mistakes, at=at, with_dependants=with_dependants, scheme=scheme)

    def void(
        self,
        *mistakes: Event | int | Identity,
        at: datetime,
        by: str,
        why: str,
        role: str | None = None,
        with_dependants: bool = False,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Self, tuple[Voided, ...]]:
        """Let mistaken events count for nothing, as `History.void` does.

        A lead status that was set depends on the lifecycle stage, too: the scheme must be active
        in the one that the contact is on without the mistakes. A change of stage that kept the
        lead status depends on the events that led to it.

        Args:
            mistakes: The events to void together: each an event of this history, its sequence
                number or its identity. Events of one identity are voided together.
            at: When.
            by: Who says so.
            why: Their reason.
            role: What they act as.
            with_dependants: Whether to void what depends on them, too.
            scheme: The lead statuses in use.

        Returns:
            The history with the voids, and the voids, as of `History.void`.

        Raises:
            DeniedError: Something stands against it, as in `History.void`.
            UnknownKeyError: It is no event of this history.
        """
        return self._void(
            mistakes, at=at, by=by, why=why, role=role, with_dependants=with_dependants,
            scheme=scheme,
        )  # fmt: skip

    def visits(
        self, as_of: datetime, *, reading: Reading = Reading.AS_KNOWN_THEN
    ) -> tuple[Visit, ...]:
        """The stays in lifecycle stages up to an instant, in order, forward only.

        A recorded backward move opens no visit; a skipped stage was not visited.
        """
        known = self.known(as_of, reading=reading)
        log, furthest = _Log(known), -1
        for event in known:
            stage = _stage_said(event)
            if stage is not None and stage.rank > furthest:
                log.enter(stage.value, None, event)
                furthest = stage.rank
        return log.visits()

    def status_visits(
        self,
        as_of: datetime,
        *,
        reading: Reading = Reading.AS_KNOWN_THEN,
        scheme: StatusScheme | None = None,
    ) -> tuple[Visit, ...]:
        """The stays in lead statuses up to an instant, in order; none while there is no status.

        Args:
            as_of: The instant to judge from.
            reading: From which knowledge.
            scheme: The lead statuses in use: a retired key is read as its successor.
        """
        now = None if scheme is None else instance(StatusScheme, scheme, "scheme")
        known = self.known(as_of, reading=reading)
        log = _Log(known)
        furthest: LifecycleStage | None = None
        status: str | None = None
        for event in known:
            if isinstance(event, LeadStatusSet):
                status = event.status
            elif isinstance(event, Created | LifecycleStageSet):
                status = event.lead_status
            elif isinstance(event, Merged) and isinstance(event.creation, Created):
                status = status_with(furthest, status, event.creation)
            else:
                continue
            furthest = max(furthest, _stage_said(event), key=rank)
            current = status if now is None or status is None else now.current(status)
            log.enter(current, None, event)
        return log.visits()


def _stage_said(event: Event) -> LifecycleStage | None:
    """The lifecycle stage that an event says a contact is on, if any."""
    if isinstance(event, LifecycleStageSet):
        return event.stage
    begun = event.creation if isinstance(event, Merged) else event
    return begun.lifecycle_stage if isinstance(begun, Created) else None


def _is_entry_known(event: Event) -> bool:
    """Whether a stay that an event began is known to have begun then, and no earlier."""
    begun = event.creation if isinstance(event, Merged) else None
    since = None if begun is None else entries_known_from(begun)
    return since is None or event.at > since


@frozen
class DealHistory(History[Deal, DealEvent]):
    """The events of one deal.

    >>> from datetime import UTC, datetime
    >>> from salespipeline.pipelines import SIX_STAGES
    >>> deal, opened = Deal.open(
    ...     "d-1", at=datetime(2026, 3, 1, tzinfo=UTC), by="ada", pipeline=SIX_STAGES
    ... )
    >>> deal, won = deal.win(at=datetime(2026, 3, 9, tzinfo=UTC), by="ada", pipeline=SIX_STAGES)
    >>> for visit in DealHistory([opened, won]).visits(datetime(2026, 4, 1, tzinfo=UTC)):
    ...     print(visit.state, visit.is_open)
    contact False
    closing True
    """

    whole_course: Course = field(init=False, eq=False, repr=False)
    whole_life: Life = field(init=False, eq=False, repr=False)

    snapshot_type = Deal
    _kinds = frozenset(get_args(DealEvent))
    _creation = Opened

    def __attrs_post_init__(self) -> None:
        """Refuse what is not the history of one deal, and work out its course."""
        super().__attrs_post_init__()
        ran = course(self.events)
        object.__setattr__(self, "whole_course", ran)
        alike = life_of(ran.known, ran.closing, ran.outcome, ran.amount)
        object.__setattr__(self, "whole_life", alike)

    def visits(
        self, as_of: datetime, *, reading: Reading = Reading.AS_KNOWN_THEN
    ) -> tuple[Visit, ...]:
        """The stays in stages up to an instant, closed stages included, in order.

        A move to the stage the deal is in opens no visit. Where instants run backwards a visit
        ends before it begins; it is given as it was recorded.
        """
        known = self.known(as_of, reading=reading)
        log = _Log(known)
        for event in known:
            if isinstance(event, Opened | Moved | Won | Lost | Reopened):
                log.enter(event.stage, event.pipeline, event)
        return log.visits()


class _Log:
    """Visits being written down, one state after the other."""

    def __init__(self, known: Sequence[Any]) -> None:
        self._stays: list[tuple[str | None, str | None, datetime, bool]] = []
        self._known_from = entries_known_from(known[0]) if known else None

    def enter(self, state: str | None, pipeline: str | None, event: Event) -> None:
        """Write down a state; the one it is in goes on."""
        if not self._stays or self._stays[-1][:2] != (state, pipeline):
            self._stays.append((state, pipeline, event.at, _is_entry_known(event)))

    def visits(self) -> tuple[Visit, ...]:
        """The visits written down, in order; none to no state."""
        ends = [*(entered for _, _, entered, _ in self._stays[1:]), None]
        numbers: dict[tuple[str, str | None], int] = {}
        visits: list[Visit] = []
        for (state, pipeline, entered, said), left in zip(self._stays, ends, strict=False):
            if state is None:
                continue
            number = numbers[state, pipeline] = numbers.get((state, pipeline), 0) + 1
            known = said and (self._known_from is None or entered > self._known_from)
            visits.append(Visit(state, pipeline, entered, left, number, known))
        return tuple(visits)
