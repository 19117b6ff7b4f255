"""Which leads have gone silent."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from functools import partial
from operator import attrgetter
from typing import Any, cast

from attrs import frozen

from salespipeline._doors import instance, instances, whole
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import ActivityRecorded, Direction
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage, StatusKind, StatusScheme
from salespipeline.metrics._figure import Rate
from salespipeline.metrics._result import Plain, Result, Table, stamped
from salespipeline.periods import check_zone, days_between, utc
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import several, stranger
from salespipeline.tallies._people import is_lead

_MOST_DAYS = 36_525


@frozen
class SilentLead(Result):
    """A lead with whom nothing was done, and who did nothing, for too long.

    Attributes:
        contact: Its id.
        owner: Who works it, or None.
        lifecycle_stage: The furthest stage that it has reached.
        lead_status: The key of its lead status, or None.
        last_touch: When the last activity was, or None where there never was one.
        direction: Which way that went, or None.
        days: For how many days there has been none; where there never was, since it became a
            lead.
    """

    contact: str
    owner: str | None
    lifecycle_stage: LifecycleStage
    lead_status: str | None
    last_touch: datetime | None
    direction: Direction | None
    days: int

    columns = (
        "contact", "owner", "lifecycle_stage", "lead_status", "last_touch", "direction", "days",
        "ever_touched",
    )  # fmt: skip

    @property
    def ever_touched(self) -> bool:
        """Whether there ever was an activity."""
        return self.last_touch is not None


@frozen
class SilentLeads(Result):
    """The leads that have gone silent.

    Attributes:
        share: The silent ones among the leads that are worked.
        never_touched: Those with whom there never was an activity, among the silent ones.
        leads: Each silent lead, the longest silent first.
    """

    share: Rate
    never_touched: Rate
    leads: Table[SilentLead]

    columns = ("share", "never_touched")

    def rows(self) -> list[Plain]:
        """One row for each silent lead."""
        return [lead.row() for lead in self.leads]


_WORKED = (
    LifecycleStage.LEAD,
    LifecycleStage.MARKETING_QUALIFIED_LEAD,
    LifecycleStage.SALES_QUALIFIED_LEAD,
    LifecycleStage.OPPORTUNITY,
)


def _check_days(days: object) -> None:
    if not 0 <= whole(days, "days") <= _MOST_DAYS:
        raise InvalidValueError("days", (f"{brief(days)} is not from 0 to {_MOST_DAYS}",))


@asks(
    Contact,
    days=_check_days,
    stages=partial(instances, LifecycleStage, name="stages"),
    scheme=StatusScheme,
)
def silent_leads(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    days: int,
    deals: Iterable[DealHistory] = (),
    stages: Iterable[LifecycleStage] = _WORKED,
    scheme: StatusScheme = STANDARD_STATUSES,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> SilentLeads:
    """The leads with no activity in either direction for so many days or more.

    Definition:
        Formula: days since the last activity of the contact, or of a deal that it takes part in;
            without any, since it became a lead.
        Denominator: contacts in the lifecycle stages asked for; left out are those who opted
            out, and those whose lead status is parked or disqualified.
        Window: none: as of the instant.
        Bias: what nobody recorded counts as silence. A lead that is parked until a date is
            silent on purpose, and left out.
        Elsewhere: no vendor known; HubSpot and Salesforce leave it to a view over the date of
            the last activity.

    Args:
        contacts: The histories of contacts; with those of deals they are joined, so no tally
            will do.
        as_of: The instant to judge from.
        days: How many days of silence are too many.
        deals: The histories of deals whose activities count for the contacts that take part.
        stages: The lifecycle stages that count as being worked; from lead to opportunity if not
            given.
        scheme: The lead statuses in use, for those that are parked or disqualified.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Source: ActiveCampaign, What is a sales pipeline? (leads who have gone silent, for cleaning).
    """
    at, zone = utc(as_of, "as_of"), check_zone(zone)
    wanted = frozenset(instances(LifecycleStage, stages, "stages"))
    resting = _resting(instance(StatusScheme, scheme, "scheme"))
    touched = _touched(deals, at)
    left_out: Counter[str] = Counter()
    found, worked = list[SilentLead](), 0
    for contact in several(contacts, ContactHistory):
        known = _known(contact, at)
        person = Contact.replay(known)
        if person is None or person.lifecycle_stage not in wanted:
            continue
        why = "opted_out" if person.opted_out else resting(person.lead_status)
        if why is not None:
            left_out[why] += 1
            continue
        worked += 1
        done = [touched[each] for each in contact.merged_ids if each in touched]
        lead = _silence(person, known, done, at, zone)
        found += [lead] if lead.days >= days else []
    found.sort(key=lambda lead: (-lead.days, lead.contact))
    never = sum(not lead.ever_touched for lead in found)
    shares = Rate.of(len(found), worked, level), Rate.of(never, len(found), level)
    return stamped(SilentLeads(*shares, Table(found), left_out=dict(left_out)), at, None)


def _known(contact: object, at: datetime) -> tuple[Any, ...]:
    if not isinstance(contact, ContactHistory):
        raise stranger(ContactHistory, contact)
    return contact.standing(at)


def _resting(scheme: StatusScheme) -> Callable[[str | None], str | None]:
    """Why a lead in a status is not worked; None where it is."""
    reasons = {
        status.key: "disqualified" if status.kind is StatusKind.DISQUALIFIED else "parked"
        for status in scheme.statuses
        if status.parked or status.kind is StatusKind.DISQUALIFIED
    }
    return lambda key: None if key is None else reasons.get(scheme.current(key))


def _touched(deals: Iterable[DealHistory], at: datetime) -> dict[str, ActivityRecorded]:
    """The latest activity of the deals that each contact takes part in."""
    found: dict[str, ActivityRecorded] = {}
    for deal in instances(DealHistory, deals, "deals"):
        known = deal.standing(at)
        record, latest = Deal.replay(known), _latest(known)
        if record is None or latest is None:
            continue
        for contact in record.contacts:
            before = found.get(contact)
            found[contact] = latest if before is None or latest.at > before.at else before
    return found


def _latest(known: Iterable[Any]) -> ActivityRecorded | None:
    done = (event for event in known if type(event) is ActivityRecorded)
    return max(done, key=attrgetter("at"), default=None)


def _silence(
    person: Contact,
    known: tuple[Any, ...],
    of_deals: Iterable[ActivityRecorded],
    at: datetime,
    zone: tzinfo,
) -> SilentLead:
    """A lead with how long there has been nothing."""
    last = _latest((*known, *of_deals))
    since = _lead_since(known) if last is None else last.at
    return SilentLead(
        person.id,
        person.owner,
        cast("LifecycleStage", person.lifecycle_stage),
        person.lead_status,
        None if last is None else last.at,
        None if last is None else last.direction,
        days_between(since, at, zone),
    )


def _lead_since(known: tuple[Any, ...]) -> datetime:
    """When a contact became a lead, or went beyond."""
    return cast("datetime", next(filter(is_lead, known), known[0]).at)
