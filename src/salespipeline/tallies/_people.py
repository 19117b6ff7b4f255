"""How far contacts have come."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, cast

from salespipeline._doors import choice, instances
from salespipeline.contacts import Contact
from salespipeline.events import Created, LifecycleStageSet, Merged
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.periods import Period, utc
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Moment,
    Tally,
    reading,
    several,
    stepper,
    stranger,
    table,
    tell,
)


class Person(NamedTuple):
    """A row of `people`: contacts alike in how far they have come.

    Attributes:
        group: The value of what they are grouped by.
        cohort: The number of the period of their first event at lead or beyond; None outside
            all, and before.
        stage: The furthest lifecycle stage, or None.
        status: The key of the lead status, or None.
    """

    group: Hashable
    cohort: int | None
    stage: LifecycleStage | None
    status: str | None


@asks(Contact)
def people(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    periods: Iterable[Period] = (),
) -> Tally[Person]:
    """Count contacts by how far they have come, as known at an instant.

    A contact's cohort is the period of its first event at lead or beyond; a skip to a further
    stage is such an event.

    Args:
        contacts: The histories of contacts.
        as_of: The instant to judge from.
        by: A field of the contact, or ``attributes.`` and a name, to group by.
        by_at: Creation reads that field when the contact became a lead, or, before it did, when
            it was created; as of the instant otherwise.
        periods: Periods that do not overlap, in order, in which to place cohorts.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    steps = instances(Period, periods, "periods")
    step, group = stepper(steps), reading(Contact, by)
    counts: dict[Any, list[int]] = {}
    for contact in several(contacts, ContactHistory):
        if type(contact) is not ContactHistory:
            raise stranger(ContactHistory, contact)
        known = contact.standing(at)
        if not known:
            continue
        stands = cast("Contact", Contact.replay(known))
        lead = next(filter(is_lead, known), None)
        seen = (lead or known[0]) if moment is Moment.CREATION else known[-1]
        key = (
            group and group(known, seen),
            step and lead and step(lead.at),
            stands.lifecycle_stage,
            stands.lead_status,
        )
        tell(counts, key, None)
    rows, read = table(counts, Person), None if by is None else moment
    return Tally("people", at, rows, steps, by=by, by_at=read)


def is_lead(event: object) -> bool:
    """Whether an event puts a contact at lead or beyond."""
    if isinstance(event, LifecycleStageSet):
        return event.stage >= LifecycleStage.LEAD
    begun = event.creation if isinstance(event, Merged) else event
    stage = begun.lifecycle_stage if isinstance(begun, Created) else None
    return stage is not None and stage >= LifecycleStage.LEAD
