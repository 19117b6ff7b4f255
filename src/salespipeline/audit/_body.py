"""A body of records as an audit looks at it: what stood then, and what belongs together."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, cast

from attrs import define, frozen

from salespipeline._folds import ATTRIBUTE
from salespipeline._record import Record
from salespipeline.audit._checks import Check
from salespipeline.audit._judged import Books, Judged
from salespipeline.audit._limits import Detail, Limits, plain_name
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.events import (
    ActivityRecorded,
    Assessed,
    Created,
    LeadStatusSet,
    LifecycleStageSet,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage, StatusScheme
from salespipeline.metrics import StageTime, time_in_stage
from salespipeline.periods import on
from salespipeline.pipelines import Outcome, Pipeline, Stage, StageKey


class Step(NamedTuple):
    """A contact's lifecycle stage or lead status, as an event recorded it.

    Attributes:
        event: The event.
        before: The furthest stage before it.
        stage: The furthest stage after it.
        status: The lead status that it leaves.
    """

    event: Created | LifecycleStageSet | LeadStatusSet
    before: LifecycleStage | None
    stage: LifecycleStage | None
    status: str | None


@frozen(eq=False)
class Person:
    """A contact that was there.

    Attributes:
        history: Its history.
        events: The events that hold.
        record: How it stood after them.
        steps: Its stages and statuses one after the other.
        touched: The latest instant at which anything happened to it.
    """

    history: ContactHistory
    events: Sequence[Any]
    record: Contact
    steps: tuple[Step, ...]
    touched: datetime

    @classmethod
    def of(cls, history: ContactHistory, at: datetime) -> "Person | None":
        """The contact at an instant in UTC, or None if it was not there."""
        events = history.standing(at)
        record = Contact.replay(events) if events else None
        if record is None:
            return None
        return cls(history, events, record, tuple(_steps(events)), max(e.at for e in events))


def _steps(events: Iterable[Any]) -> Iterator[Step]:
    furthest: LifecycleStage | None = None
    for event in events:
        before = furthest
        if isinstance(event, LifecycleStageSet):
            furthest = event.stage if before is None else max(before, event.stage)
            yield Step(event, before, furthest, event.lead_status)
        elif isinstance(event, Created):
            furthest = event.lifecycle_stage
            yield Step(event, before, furthest, event.lead_status)
        elif isinstance(event, LeadStatusSet):
            yield Step(event, before, furthest, event.status)


@frozen(eq=False)
class Sale:
    """A deal that was there; the attributes are those of `Person`."""

    history: DealHistory
    events: Sequence[Any]
    record: Deal
    touched: datetime

    @classmethod
    def of(cls, history: DealHistory, at: datetime) -> "Sale | None":
        """The deal at an instant in UTC, or None if it was not there."""
        events = history.standing(at)
        record = Deal.replay(events) if events else None
        if record is None:
            return None
        return cls(history, events, record, max(e.at for e in events))


Subject: TypeAlias = Person | Sale


class Ties:
    """What deals say of a contact, or of an account.

    Attributes:
        least: By outcome, the least id of the deals that stand so.
        touched: The latest instant at which anything happened to one of the deals.
    """

    __slots__ = ("least", "touched")

    def __init__(self, sale: Sale) -> None:
        self.least: dict[Outcome, str] = {}
        self.touched = sale.touched

    def add(self, sale: Sale) -> None:
        deal = sale.record
        self.least[deal.outcome] = min(deal.id, self.least.get(deal.outcome, deal.id))
        self.touched = max(self.touched, sale.touched)


@define(eq=False, slots=False)
class Body:
    """What is looked at, with what belongs together worked out when it is first asked for.

    Attributes:
        at: The instant judged from.
        zone: The zone whose calendar dates make days.
        limits: What is too long, too few or made up.
        required: The details that must be there, by kind of record.
        people: The contacts that were there, in the order given.
        sales: The deals that were there, in the order given.
        pipelines: The pipelines of the deals, by key.
        scheme: The lead statuses in use.
        books: What moves are judged by.
    """

    at: datetime
    zone: tzinfo
    limits: Limits
    required: Mapping[str, tuple[Detail, ...]]
    people: tuple[Person, ...]
    sales: tuple[Sale, ...]
    pipelines: Mapping[str, Pipeline]
    scheme: StatusScheme
    books: Books

    @cached_property
    def judged(self) -> Judged:
        """What rulebooks have against the moves that were made."""
        contacts = [each.history for each in self.people]
        return self.books.judge(contacts, [each.history for each in self.sales], self.at)

    def of_kind(self, kind: str) -> Sequence[Any]:
        """Everything of a kind that is looked at."""
        if kind == "contact":
            return self.people
        if kind == "deal":
            return self.sales
        return tuple(self.pipelines.values()) if kind == "pipeline" else (self.scheme,)

    @cached_property
    def day(self) -> date:
        """The calendar date of the instant."""
        return on(self.at, self.zone)

    @cached_property
    def contacts(self) -> frozenset[str]:
        """The ids of the contacts."""
        return frozenset(each.record.id for each in self.people)

    @cached_property
    def _kept(self) -> dict[tuple[str, str], bool]:
        return {}

    def keeps(self, kind: str, field: str) -> bool:
        """Whether any record of a kind has a field."""
        known = self._kept.get((kind, field))
        if known is None:
            found = any(value_of(each.record, field) is not None for each in self.of_kind(kind))
            known = self._kept[kind, field] = found
        return known

    @cached_property
    def _stages(self) -> dict[StageKey, Stage | None]:
        return {}

    def stage(self, deal: Deal) -> Stage | None:
        """The stage that a deal is in, or None where its pipeline is not given or lacks it."""
        where = (deal.pipeline, deal.stage)
        if where not in self._stages:
            pipeline = self.pipelines.get(deal.pipeline)
            known = pipeline is not None and deal.stage in pipeline
            self._stages[where] = pipeline.stage(deal.stage) if pipeline and known else None
        return self._stages[where]

    def active(self, deal: Deal) -> bool:
        """Whether a deal is open, and not parked."""
        if deal.outcome is not Outcome.OPEN:
            return False
        stage = self.stage(deal)
        return stage is None or not stage.parked

    @cached_property
    def by_contact(self) -> Mapping[str, Ties]:
        """What deals say of each contact that they name."""
        return _ties((each, name) for each in self.sales for name in each.record.contacts)

    @cached_property
    def by_account(self) -> Mapping[str, Ties]:
        """What deals say of each account that they name."""
        return _ties((each, each.record.account) for each in self.sales if each.record.account)

    def ties(self, contact: Contact) -> tuple[Ties, ...]:
        """What deals say of a contact: those that name it, and those of its account."""
        found = (self.by_contact.get(contact.id), self.by_account.get(contact.account or ""))
        return tuple(each for each in found if each is not None)

    @cached_property
    def last_activity(self) -> Mapping[str, datetime]:
        """The latest activity with each contact that had any."""
        latest: dict[str, datetime] = {}
        for person in self.people:
            for event in person.events:
                if type(event) is ActivityRecorded:
                    known = latest.get(event.record, event.at)
                    latest[event.record] = max(known, event.at)
        return latest

    @cached_property
    def assessed(self) -> frozenset[str]:
        """The ids of contacts of which a criterion was assessed."""
        return frozenset(p.record.id for p in self.people if any(answers(p.events)))

    @cached_property
    def addresses(self) -> Mapping[str, tuple[str, ...]]:
        """By e-mail address, the ids of the contacts that have it, sorted."""
        return _alike((self.address(p.record), p.record.id) for p in self.people)

    @cached_property
    def names(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """By name and company, the ids of the contacts that have both, sorted."""
        return _alike((name_and_company(p.record), p.record.id) for p in self.people)

    @cached_property
    def names_with_address(self) -> Mapping[tuple[tuple[str, str], str], tuple[str, ...]]:
        """By name, company and e-mail address, likewise."""
        return _alike((self.named_with_address(p.record), p.record.id) for p in self.people)

    def address(self, contact: Contact) -> str | None:
        """The e-mail address of a contact as addresses are compared."""
        return self.limits.address(contact.email)

    def named_with_address(self, contact: Contact) -> tuple[tuple[str, str], str] | None:
        """The name, company and e-mail address of a contact that has all three."""
        named, address = name_and_company(contact), self.address(contact)
        return None if named is None or address is None else (named, address)

    @cached_property
    def currencies(self) -> Counter[str]:
        """How many deals have an amount in each currency."""
        amounts = (each.record.amount for each in self.sales)
        return Counter(amount.currency for amount in amounts if amount is not None)

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """The lead statuses that contacts have, as the scheme calls them now, sorted."""
        held = {person.record.lead_status for person in self.people}
        return tuple(sorted({self.scheme.current(status) for status in held if status}))

    @cached_property
    def times(self) -> Mapping[StageKey, StageTime]:
        """How long deals stay in each stage."""
        histories = [each.history for each in self.sales]
        known = self.pipelines.values()
        found = time_in_stage(histories, as_of=self.at, pipelines=known, zone=self.zone)
        return {(each.pipeline, each.stage): each for each in found}

    def usual_stay(self, deal: Deal) -> "Stay | None":
        """How long is long in a deal's stage, from other deals; None where too few have left."""
        pipeline = self.pipelines.get(deal.pipeline)
        stage = deal.stage if pipeline is None else pipeline.current(deal.stage)
        return self._usual_stays.get((deal.pipeline, stage))

    @cached_property
    def _usual_stays(self) -> Mapping[StageKey, "Stay"]:
        least, share = self.limits.stuck_visits, self.limits.stuck_share
        found: dict[StageKey, Stay] = {}
        for stage, time in self.times.items():
            if time.survival.ended >= least:
                days = time.survival.quantile(share)
                longest = time.survival.steps[-1].day
                found[stage] = Stay(longest, None) if days is None else Stay(days, share)
        return found


class Stay(NamedTuple):
    """How long is long in a stage.

    Attributes:
        days: The number of days.
        share: The share of stays that are estimated to have ended by then; None where so many
            never do: then it is the longest stay that has ended.
    """

    days: float
    share: float | None


def _ties(named: Iterable[tuple[Sale, str | None]]) -> dict[str, Ties]:
    found: dict[str, Ties] = {}
    for sale, name in named:
        key = name or ""
        ties = found.get(key)
        if ties is None:
            ties = found[key] = Ties(sale)
        ties.add(sale)
    return found


def _alike(keyed: Iterable[tuple[Any, str]]) -> dict[Any, tuple[str, ...]]:
    """By key, the ids that share it, sorted; where several do."""
    groups: dict[Any, set[str]] = {}
    for key, record in keyed:
        if key is not None:
            groups.setdefault(key, set()).add(record)
    return {key: tuple(sorted(ids)) for key, ids in groups.items() if len(ids) > 1}


def name_and_company(contact: Contact) -> tuple[str, str] | None:
    """The name and company of a contact as they are compared; None where one is missing."""
    name, company = plain_name(contact.name), plain_name(contact.company)
    return (name, company) if name and company else None


def value_of(record: Record, field: str) -> Any:
    """What a record has in a field; None where that is nothing, a blank text or an empty list."""
    if field.startswith(ATTRIBUTE):
        found = record.attributes.get(field.removeprefix(ATTRIBUTE))
    else:
        found = getattr(record, field)
    if isinstance(found, str):
        return found if found.strip() else None
    return None if isinstance(found, tuple | frozenset) and not found else cast("Any", found)


def answers(events: Iterable[Any]) -> Iterator[Any]:
    """The events that answered a criterion."""
    return (event for event in events if type(event) is Assessed)


class Seen(NamedTuple):
    """What a check saw in a record.

    Attributes:
        message: What was found, in words.
        event: The sequence number of the event, or None where it is about how the record stands.
        seen: What is there.
        expected: What would have been in order.
    """

    message: str
    event: int | None = None
    seen: str | None = None
    expected: str | None = None


Need: TypeAlias = Callable[[Body], str | None]
"""Why a check cannot be made of a body, in words, or None where it can."""


class Look(NamedTuple):
    """How one check is made of one kind of record.

    Attributes:
        check: The check.
        kind: The kind of record.
        see: What it sees in one record of a body.
        need: Why it cannot be made, or None.
        partly: Why it cannot be made of some, each in words.
    """

    check: Check
    kind: str
    see: Callable[[Any, Body], Iterable[Seen]]
    need: Need = lambda _: None
    partly: Callable[[Body], Iterable[str]] = lambda _: ()


def pipelines_given(body: Body) -> str | None:
    """The need for pipelines."""
    return None if body.pipelines else "no pipelines were given"


def deals_given(body: Body) -> str | None:
    """The need for deals."""
    return None if body.sales else "no deals were given"


def contacts_given(body: Body) -> str | None:
    """The need for contacts."""
    return None if body.people else "no contacts were given"


def kept(kind: str, field: str) -> Need:
    """The need for a field that some record of a kind has: where none has, it is not kept."""

    def need(body: Body) -> str | None:
        words = field.replace("_", " ")
        return None if body.keeps(kind, field) else f"no {kind} has {words}: it is not kept"

    return need


def every(*needs: Need) -> Need:
    """Several needs: the first that is not met says why."""

    def need(body: Body) -> str | None:
        return next((why for each in needs if (why := each(body)) is not None), None)

    return need
