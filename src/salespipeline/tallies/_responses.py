"""How long leads waited for an answer."""

from collections.abc import Callable, Collection, Hashable, Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from salespipeline._courses import entries_known_from
from salespipeline._doors import choice, instance, instances, text
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError
from salespipeline.events import ActivityRecorded, Created, Direction, Event, Start
from salespipeline.history import ContactHistory
from salespipeline.periods import Period, utc
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Known,
    Moment,
    Tally,
    Why,
    reading,
    several,
    stepper,
    stranger,
    table,
    tell,
)
from salespipeline.tallies._people import is_lead
from salespipeline.working import WorkingHours

MINUTE = timedelta(minutes=1)


class Response(NamedTuple):
    """A row of `responses`: leads alike in how long they waited.

    Attributes:
        group: The value of what they are grouped by.
        created: The number of the period they became leads in; None outside all.
        wait: For those answered, the units begun until then; for the others, the whole units so
            far; None where left out.
        why: Why the wait is left out, or None.
        answered: Whether somebody got in touch.
    """

    group: Hashable
    created: int | None
    wait: int | None
    why: Why | None
    answered: bool


def spoken(kinds: object) -> tuple[str, ...] | None:
    """The kinds asked for, in one order whatever the order given; None for every kind."""
    if kinds is None:
        return None
    asked = {text(kind, "kinds") for kind in instances(str, kinds, "kinds")}
    if not asked:
        raise InvalidValueError("kinds", ("no kind of activity is given, so none can answer",))
    return tuple(sorted(asked))


@asks(Contact, kinds=spoken, hours=WorkingHours)
def responses(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    periods: Iterable[Period] = (),
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta = MINUTE,
) -> Tally[Response]:
    """Count leads by how long they waited until somebody got in touch, as known at an instant.

    The wait begins when a contact becomes a lead, by its first event at lead or beyond, and ends
    with the earliest outbound activity. An answer takes the units begun, so one after five
    minutes and a second takes six, and was not within five; a lead not answered has waited the
    whole units so far.

    Args:
        contacts: The histories of contacts; one that never became a lead is not counted.
        as_of: The instant to judge from.
        by: A field of the contact, or ``attributes.`` and a name, to group by.
        by_at: When to read that field: at creation as the contact became a lead; at closing when
            it was answered, or, if not yet, as of the instant.
        periods: Periods that do not overlap, in order, in which to place becoming a lead.
        kinds: The kinds of activity that people do, such as ``call``; every kind if not given,
            what machines send included.
        hours: The working hours that count; all time if not given.
        resolution: The unit of waiting; a minute if not given.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    steps, human = instances(Period, periods, "periods"), spoken(kinds)
    step, group = stepper(steps), reading(Contact, by)
    waited = _waiting(hours, resolution)
    counts: dict[Any, list[int]] = {}
    for contact in several(contacts, ContactHistory):
        if type(contact) is not ContactHistory:
            raise stranger(ContactHistory, contact)
        known = contact.standing(at)
        lead = next(filter(is_lead, known), None)
        if lead is None:
            continue
        touch = _touch(known, human)
        why = _why(known, lead, touch)
        seen = lead if moment is Moment.CREATION else known[-1]
        if moment is Moment.CLOSING and touch is not None:
            seen = touch
        wait = (
            None if why else waited(lead.at, at if touch is None else touch.at, touch is not None)
        )
        key = (group and group(known, seen), step and step(lead.at), wait, why, touch is not None)
        tell(counts, key, None)
    rows, read = table(counts, Response), None if by is None else moment
    settings = (("kinds", human), ("hours", hours))
    return Tally("responses", at, rows, steps, resolution, by=by, by_at=read, settings=settings)


def _waiting(
    hours: WorkingHours | None, resolution: timedelta
) -> Callable[[datetime, datetime, bool], int]:
    """How to count the units between two instants: those begun, or the whole ones alone."""
    worked = None if hours is None else instance(WorkingHours, hours, "hours").between

    def waited(start: datetime, end: datetime, begun: bool) -> int:  # noqa: FBT001 - private
        length = end - start if worked is None else worked(start, end)
        return -(-length // resolution) if begun else length // resolution

    return waited


def _touch(known: Known, kinds: Collection[str] | None) -> ActivityRecorded | None:
    """The earliest outbound activity of these kinds, or None."""
    touches = (
        event
        for event in known
        if type(event) is ActivityRecorded
        and event.direction is Direction.OUTBOUND
        and (kinds is None or event.kind in kinds)
    )
    return min(touches, key=attrgetter("at"), default=None)


def _why(known: Known, lead: Event, touch: Event | None) -> Why | None:
    """Why a wait has no usable length, or None."""
    first: Created = known[0]
    if lead is first and first.start is Start.BY_THEN:
        return Why.START_UNKNOWN
    complete_from = entries_known_from(first)
    if complete_from is not None and lead.at < complete_from:
        return Why.ENTRY_UNKNOWN
    backward = touch is not None and touch.at < lead.at
    return Why.NEGATIVE_DURATION if backward else None
