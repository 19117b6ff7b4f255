"""How often sellers tried before somebody answered, bought, or was given up."""

from collections.abc import Callable, Collection, Hashable, Iterable
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, cast

from salespipeline._doors import choice, instance, instances, text, whole
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Direction,
    Event,
    LeadStatusSet,
    LifecycleStageSet,
    Merged,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LeadStatus, LifecycleStage
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Known,
    Tally,
    courses,
    grouping,
    measure,
    reading,
    several,
    stepper,
    table,
    tell,
)


class Until(StrEnum):
    """What attempts are made for."""

    CONNECTED = "connected"
    WON = "won"


class Effort(StrEnum):
    """How matters stand between a seller and somebody they try to reach or to win."""

    REACHED = "reached"
    GIVEN_UP = "given_up"
    TRYING = "trying"
    UNTOUCHED = "untouched"


class Tried(NamedTuple):
    """A row of `attempts_on_contacts` or `attempts_on_deals`: those alike in how often was tried.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        cohort: The number of the period in which the work on them began; None outside all.
        attempts: How many attempts there were until they were reached, or so far.
        effort: How matters stand.
    """

    group: Hashable
    cohort: int | None
    attempts: int
    effort: Effort


class AttemptStatuses(NamedTuple):
    """Which lead statuses say what of an attempt.

    Attributes:
        attempted: Entering one says that an attempt was made.
        connected: Entering one says that the contact was reached.
        given_up: Standing in one says that nobody tries any more.
    """

    attempted: frozenset[str]
    connected: frozenset[str]
    given_up: frozenset[str]


STANDARD_ATTEMPTS = AttemptStatuses(
    frozenset({LeadStatus.ATTEMPTED_TO_CONTACT.value}),
    frozenset({LeadStatus.CONNECTED.value, LeadStatus.OPEN_DEAL.value}),
    frozenset({LeadStatus.UNQUALIFIED.value, LeadStatus.BAD_TIMING.value}),
)
"""What the standard lead statuses say."""


def check_quiet(days: object) -> int:
    """A number of days without an attempt, from 0 on."""
    if whole(days, "quiet_days") < 0:
        fault = f"{brief(days)} is not a number of days from 0 on"
        raise InvalidValueError("quiet_days", (fault,))
    return cast("int", days)


def check_kinds(kinds: object) -> frozenset[str]:
    """Kinds of activities, at least one."""
    return _some(_keys(kinds, "kinds"))


@asks(
    Contact,
    until=Until,
    stage=LifecycleStage,
    kinds=check_kinds,
    quiet_days=check_quiet,
)
def attempts_on_contacts(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    until: Until | str = Until.CONNECTED,
    kinds: Collection[str] | None = None,
    stage: LifecycleStage | str = LifecycleStage.SALES_QUALIFIED_LEAD,
    statuses: AttemptStatuses = STANDARD_ATTEMPTS,
    quiet_days: int = 30,
    by: str | None = None,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
) -> Tally[Tried]:
    """Count contacts by how often sellers tried to reach them, as known at an instant.

    The work begins with the first event that puts a contact at the stage or beyond; contacts
    that never were there are not counted, and what came before is no attempt.

    Args:
        contacts: The histories of contacts.
        as_of: The instant to judge from.
        until: Connected: until somebody answers; won: until the contact is a customer.
        kinds: Only activities of these kinds, such as ``call``; all if None.
        stage: The lifecycle stage with which sales begins to work.
        statuses: Which lead statuses say what.
        quiet_days: Without an attempt for more days than these a contact is given up.
        by: A field of the contact, or ``attributes.`` and a name, to group by as it was when
            the work began.
        periods: Periods that do not overlap, in order, in which to place that.
        zone: The zone whose calendar dates make days.
    """
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    begins = choice(LifecycleStage, stage, "stage")
    asked = Asked.of(until, kinds, quiet_days, statuses, begins)
    step, group, length = stepper(steps), reading(Contact, by), measure(zone, None)
    counts: dict[Any, list[int]] = {}
    for contact in several(contacts, ContactHistory):
        known = instance(ContactHistory, contact, "contacts").standing(at)
        start = next((n for n, event in enumerate(known) if _is_at(event, asked.stage)), None)
        if start is not None:
            begun = known[start]
            made, effort = _worked(known, start, asked, at, length)
            of = group and group(known, begun)
            tell(counts, (of, step and step(begun.at), made, effort), None)
    return Tally(
        "attempts_on_contacts", at, table(counts, Tried), steps, zone=zone, by=by,
        settings=asked.settings(),
    )  # fmt: skip


@asks(kinds=check_kinds, quiet_days=check_quiet)
def attempts_on_deals(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    kinds: Collection[str] | None = None,
    quiet_days: int = 30,
    by: str | None = None,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
) -> Tally[Tried]:
    """Count deals by how often sellers were in touch until they were won, as known at an instant.

    Lost deals are given up, and so are open ones without an attempt for too long; what came
    after the closing in force is no attempt.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        kinds: Only activities of these kinds, such as ``call``; all if None.
        quiet_days: Without an attempt for more days than these an open deal is given up.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was at opening.
        periods: Periods that do not overlap, in order, in which to place the opening.
        zone: The zone whose calendar dates make days.
    """
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    asked = Asked.of(Until.WON, kinds, quiet_days, STANDARD_ATTEMPTS, None)
    step, group, length = stepper(steps), grouping(by), measure(zone, None)
    counts: dict[Any, list[int]] = {}
    for each in courses(deals, at):
        made, last = _made_before(each.known, each.closing, asked.kinds)
        effort = _DONE.get(each.outcome) or _standing(last, asked, at, length)
        opened: Event = each.known[0]
        tell(counts, (group and group(each, opened), step and step(opened.at), made, effort), None)
    return Tally(
        "attempts_on_deals", at, table(counts, Tried), steps, zone=zone, by=by,
        settings=asked.settings(),
    )  # fmt: skip


_OUT = Direction.OUTBOUND
_DONE = {Outcome.WON: Effort.REACHED, Outcome.LOST: Effort.GIVEN_UP}
Length: TypeAlias = Callable[[datetime, datetime], int]


class Asked(NamedTuple):
    """What counts as an attempt, and as its end."""

    until: Until
    kinds: frozenset[str] | None
    quiet_days: int
    statuses: AttemptStatuses
    stage: LifecycleStage | None

    @classmethod
    def of(
        cls,
        until: object,
        kinds: object,
        quiet_days: object,
        statuses: object,
        stage: LifecycleStage | None,
    ) -> "Asked":
        """What was asked for, checked."""
        said = instance(AttemptStatuses, statuses, "statuses")
        keys = (_keys(getattr(said, name), name) for name in AttemptStatuses._fields)
        return cls(
            choice(Until, until, "until"),
            None if kinds is None else check_kinds(kinds),
            check_quiet(quiet_days),
            AttemptStatuses(*keys),
            stage,
        )

    def settings(self) -> tuple[tuple[str, Hashable], ...]:
        """What was asked for, by name."""
        return tuple(self._asdict().items())

    def is_attempt(self, event: Event) -> bool:
        """Whether an event is an activity by which somebody tried."""
        return self._is(event, Direction.OUTBOUND)

    def is_answer(self, event: Event) -> bool:
        """Whether an event is an activity of the other side."""
        return self._is(event, Direction.INBOUND)

    def _is(self, event: Event, direction: Direction) -> bool:
        return (
            isinstance(event, ActivityRecorded)
            and event.direction is direction
            and (self.kinds is None or event.kind in self.kinds)
        )


def _keys(values: object, name: str) -> frozenset[str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise WrongTypeError(name, "several texts", values)
    return frozenset(text(value, name) for value in cast("Iterable[object]", values))


def _some(kinds: frozenset[str]) -> frozenset[str]:
    if not kinds:
        raise InvalidValueError("kinds", ("no kind of activity is given, so none is an attempt",))
    return kinds


def _is_at(event: Event, stage: LifecycleStage | None) -> bool:
    """Whether an event puts a contact at a stage or beyond."""
    begun = event.creation if isinstance(event, Merged) else event
    said: LifecycleStage | None = None
    if isinstance(event, LifecycleStageSet):
        said = event.stage
    elif isinstance(begun, Created):
        said = begun.lifecycle_stage
    return said is not None and stage is not None and said >= stage


def _made_before(
    known: Known, closing: Event | None, kinds: Collection[str] | None
) -> tuple[int, datetime | None]:
    """How many attempts were made before a closing, and when the last was."""
    made, last = 0, None
    for event in known:
        if type(event) is ActivityRecorded:  # written out, as every event of every deal passes
            if event.direction is _OUT and (kinds is None or event.kind in kinds):
                made, last = made + 1, event.at
        elif event is closing:
            break
    return made, last


def _worked(
    known: Known, start: int, asked: Asked, at: datetime, length: Length
) -> tuple[int, Effort]:
    """How many attempts there were until the contact was reached, and how matters stand.

    An attempt may be logged as an activity, as a change of status, or as both: as many count as
    the log has that has more of them.
    """
    activities = notes = 0
    status: str | None = None
    last: datetime | None = None
    for place, event in enumerate(known):
        before, status = status, _status_after(event, status)
        if place < start:
            continue
        entered = status if status != before else None
        activity, note = asked.is_attempt(event), entered in asked.statuses.attempted
        activities, notes = activities + activity, notes + note
        last = event.at if activity or note else last
        if _is_reached(event, entered, asked, tried=activities + notes > 0):
            return max(activities, notes), Effort.REACHED
    stands = cast("Contact", Contact.replay(known))
    if stands.opted_out or stands.lead_status in asked.statuses.given_up:
        return max(activities, notes), Effort.GIVEN_UP
    return max(activities, notes), _standing(last, asked, at, length)


def _status_after(event: Event, status: str | None) -> str | None:
    """The lead status after an event."""
    if isinstance(event, LeadStatusSet):
        return event.status
    return event.lead_status if isinstance(event, Created | LifecycleStageSet) else status


def _is_reached(event: Event, entered: str | None, asked: Asked, *, tried: bool) -> bool:
    """Whether an event ends the attempts well; an answer before any attempt answers none."""
    if asked.until is Until.WON:
        return _is_at(event, LifecycleStage.CUSTOMER)
    return entered in asked.statuses.connected or (tried and asked.is_answer(event))


def _standing(last: datetime | None, asked: Asked, at: datetime, length: Length) -> Effort:
    """How matters stand with somebody who is neither reached nor given up by anyone's word."""
    if last is None:
        return Effort.UNTOUCHED
    return Effort.GIVEN_UP if length(last, at) > asked.quiet_days else Effort.TRYING
