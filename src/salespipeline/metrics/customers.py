"""Who becomes a customer, who comes back, and who was sent by others."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast, overload

from attrs import frozen

from salespipeline._courses import Course
from salespipeline._doors import choice, instance, text, whole
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import Created, Event, LifecycleStageSet, Merged, Start
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.intervals import check_level
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics._figure import Rate
from salespipeline.metrics._result import Groups, Result, stamped
from salespipeline.metrics.outcomes import Survival
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Why
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Known,
    account_of,
    courses,
    grouping,
    measure,
    reading,
    several,
)

T = TypeVar("T")

REFERRALS = frozenset(
    {
        "customer referral", "employee referral", "external referral", "partner referral",
        "referral", "word of mouth",
    }
)  # fmt: skip
"""Lead sources that mean that somebody sent them, compared without regard to case.

HubSpot's original source ``REFERRALS`` is not among them: it means a visit by a link.
"""


# Lead to customer


@frozen
class LeadConversion(Result):
    """How many leads become customers, and how soon.

    Attributes:
        rate: Customers among leads; with a window, within it, among leads as old as that.
        time_to_customer: The share of leads that are no customers yet after so many days, with
            those that are none so far counted as such.
    """

    rate: Rate
    time_to_customer: Survival

    columns = ("rate", "time_to_customer")


def _check_window(window: object) -> int | None:
    if window is None:
        return None
    if whole(window, "window") < 0:
        raise InvalidValueError("window", (f"{brief(window)} is not a number of days from 0 on",))
    return cast("int", window)


@overload
def lead_to_customer(
    contacts: Iterable[ContactHistory],
    deals: Iterable[DealHistory] = (),
    *,
    as_of: datetime,
    period: Period | None = None,
    by: None = None,
    window: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> LeadConversion: ...


@overload
def lead_to_customer(
    contacts: Iterable[ContactHistory],
    deals: Iterable[DealHistory] = (),
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    window: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, LeadConversion]: ...


@asks(Contact, window=_check_window)
def lead_to_customer(
    contacts: Iterable[ContactHistory],
    deals: Iterable[DealHistory] = (),
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str | None = None,
    window: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> LeadConversion | Groups[Hashable, LeadConversion]:
    """Customers among leads, from their own lifecycle and from the deals that they take part in.

    It joins contacts and deals, so it takes histories and no tally. A lead is a customer from
    the first of: an event that puts it at customer or beyond, and the closing of the first deal,
    of those won as of the instant, that it is linked to. Deals of its account that it has no
    part in do not count.

    Definition:
        Formula: leads that became customers ÷ leads.
        Denominator: contacts that became leads in the period, each once: by the first event at
            lead or beyond. With a window, only those that became leads so many days ago or more;
            the younger ones are left out as ``window_open``.
        Window: becoming a lead in the period; all time without one.
        Bias: without a window a young cohort has had less time, and its rate is too low; the
            time to customer counts young leads as open, and has no such fault. Duplicates lower
            the rate: merge them.
        Elsewhere: the "close ratio" of many tools is this for the contact's lifecycle alone, as
            in `close_ratio`; some count accounts or deals instead of contacts.

    Args:
        contacts: The histories of contacts.
        deals: The histories of deals.
        as_of: The instant to judge from.
        period: Only leads of this cohort.
        by: A field of the contact to group by, as it was when it became a lead.
        window: So many days a lead has to become a customer, from 0 on; all its time if None.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Returns:
        The rate and the days. The days leave out leads whose beginning is not known
        (``start_unknown``), and those won before they were leads (``negative_duration``).
        Customers that no event ever put at lead are left out of both as ``never_lead``.

    Source: ActiveCampaign, What is a sales pipeline? (close ratio: what share of leads convert).
    """
    at, length = utc(as_of, "as_of"), measure(zone, None)
    most, group = _check_window(window), reading(Contact, by)
    bought = _first_wins(deals, at)
    parts: dict[Hashable, _Cohort] = {} if by else {None: _Cohort(check_level(level), most)}
    for known in _standing(contacts, at):
        lead, customer = _first_at(known, LifecycleStage.LEAD), _customer_since(known, bought)
        if period is not None and (lead is None or lead.at not in period):
            continue
        of = group and group(known, lead or known[0])
        part = parts.setdefault(of, _Cohort(check_level(level), most))
        if lead is not None:
            part.tell(_Wait.of(known, lead, customer, at, length))
        elif customer is not None:
            part.left_out["never_lead"] += 1
    told = {of: stamped(part.conversion(), at, period) for of, part in parts.items()}
    return told[None] if by is None else Groups(told, at, period)


def _standing(contacts: Iterable[ContactHistory], at: datetime) -> Iterator[Known]:
    """The events that hold of each contact that was there at an instant."""
    for contact in several(contacts, ContactHistory):
        known = instance(ContactHistory, contact, "contacts").standing(at)
        if known:
            yield known


def _first_at(known: Known, stage: LifecycleStage) -> Event | None:
    """The first event that puts a contact at a lifecycle stage or beyond."""
    for event in known:
        said = _stage_said(event)
        if said is not None and said >= stage:
            return cast("Event", event)
    return None


def _stage_said(event: Event) -> LifecycleStage | None:
    if isinstance(event, LifecycleStageSet):
        return event.stage
    begun = _begun(event)
    return None if begun is None else begun.lifecycle_stage


def _begun(event: Event) -> Created | None:
    """How the contact, or one that was merged into it, began, if the event says so."""
    said = event.creation if isinstance(event, Merged) else event
    return said if isinstance(said, Created) else None


def _first_wins(deals: Iterable[DealHistory], at: datetime) -> dict[str, datetime]:
    """For each contact of a won deal, when the first of them was won."""
    first: dict[str, datetime] = {}
    for each in _won(deals, at):
        won: datetime = each.closing.at
        for contact in _contacts(each):
            first[contact] = min(won, first.get(contact, won))
    return first


def _customer_since(known: Known, bought: Mapping[str, datetime]) -> datetime | None:
    """When a contact became a customer, by its own lifecycle or by a deal; or None."""
    merged = (event.other for event in known if isinstance(event, Merged))
    instants = [bought[each] for each in (known[0].record, *merged) if each in bought]
    reached = _first_at(known, LifecycleStage.CUSTOMER)
    return min(instants if reached is None else [*instants, reached.at], default=None)


class _Wait(NamedTuple):
    """How long a lead took, or has taken so far, to become a customer.

    Attributes:
        days: So many days; None where it is not known since when.
        entry: How many of them had passed before its history begins to be complete.
        old: How many days ago it became a lead.
        customer: Whether it became a customer.
    """

    days: int | None
    entry: int
    old: int
    customer: bool

    @classmethod
    def of(
        cls,
        known: Known,
        lead: Event,
        customer: datetime | None,
        at: datetime,
        length: Callable[[datetime, datetime], int],
    ) -> "_Wait":
        begun, seen = _begun(lead), known[0].observed_from
        unknown = begun is not None and begun.start is Start.BY_THEN
        days = None if unknown else length(lead.at, customer or at)
        entry = 0 if seen is None else max(0, length(lead.at, seen))
        return cls(days, entry, length(lead.at, at), customer is not None)


class _Cohort:
    """Leads being counted."""

    def __init__(self, level: float, window: int | None) -> None:
        self._level, self._window = level, window
        self._leads = self._customers = 0
        self._waits = Counter[tuple[float, float, bool]]()
        self._unusable = Counter[str]()
        self.left_out = Counter[str]()

    def tell(self, wait: _Wait) -> None:
        """Count one more lead."""
        if wait.days is None:
            self._unusable[Why.START_UNKNOWN.value] += 1
        elif wait.days < 0:
            self._unusable[Why.NEGATIVE_DURATION.value] += 1
        else:
            self._waits[wait.entry, wait.days, wait.customer] += 1
        window = self._window
        if window is not None and (wait.days is None or wait.old < window):
            self.left_out["window_open" if wait.days is not None else "start_unknown"] += 1
            return
        self._leads += 1
        in_time = window is None or (wait.days is not None and wait.days <= window)
        self._customers += wait.customer and in_time

    def conversion(self) -> LeadConversion:
        """What was counted."""
        rate = Rate.of(self._customers, self._leads, self._level)
        waits = Survival.of_counts(self._waits, level=self._level, left_out=self._unusable)
        return LeadConversion(rate, waits, left_out=dict(self.left_out))


# Customers that come back


class Buyer(StrEnum):
    """Whom a won deal makes a customer."""

    ACCOUNT = "account"
    CONTACT = "contact"


@frozen
class RepeatBusiness(Result):
    """How many customers buy again, and how many sales come from customers.

    Attributes:
        repeat_customers: Customers with an earlier won deal, among those who bought.
        from_customers: Won deals of somebody who had bought before, among won deals.
    """

    repeat_customers: Rate
    from_customers: Rate

    columns = ("repeat_customers", "from_customers")


@overload
def repeat_share(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: None = None,
    of: Buyer | str = Buyer.ACCOUNT,
    level: float = 0.95,
) -> RepeatBusiness: ...


@overload
def repeat_share(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    of: Buyer | str = Buyer.ACCOUNT,
    level: float = 0.95,
) -> Groups[Hashable, RepeatBusiness]: ...


@asks(of=Buyer)
def repeat_share(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str | None = None,
    of: Buyer | str = Buyer.ACCOUNT,
    level: float = 0.95,
) -> RepeatBusiness | Groups[Hashable, RepeatBusiness]:
    """How many customers buy again, and which share of won deals comes from customers.

    It needs to know each buyer, so it takes histories and no tally.

    Definition:
        Formula: buyers with more than one won deal ÷ buyers; and won deals whose buyer had
            another won before ÷ won deals.
        Denominator: buyers with a deal won in the period; deals won in the period. Won deals
            without a buyer are left out as ``no_account`` or ``no_contact``.
        Window: closing in the period; which deals came before is judged over all time.
        Bias: what was won before the records begin is not known, so early periods say too little.
        Elsewhere: shops call the first the "repeat customer rate"; renewals count here like any
            other won deal, and ``by="sale_type"`` tells them apart.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from; a deal counts by the closing in force.
        period: Only deals won in it, and who bought them.
        by: A field of the deal to group by, as it was at closing.
        of: Whether a buyer is an account, or each contact that takes part in the deal.
        level: The confidence of the intervals.

    Source: ActiveCampaign, What is a sales pipeline? (a mistake: to ignore existing customers).
    """
    at, buyer = utc(as_of, "as_of"), choice(Buyer, of, "of")
    group = grouping(by)
    parts: dict[Hashable, _Repeats] = {} if by else {None: _Repeats()}
    won, buyers = _won(deals, at), _BUYERS[buyer]
    first: dict[str, _Place] = {}
    for each in won:
        place = each.closing.at, each.closing.record
        for one in buyers(each):
            if one not in first or place < first[one]:
                first[one] = place
    for each in won:
        closing = each.closing
        if period is None or closing.at in period:
            part = parts.setdefault(group and group(each, closing), _Repeats())
            part.tell(buyers(each), (closing.at, closing.record), first)
    told = {of: stamped(part.told(buyer, level), at, period) for of, part in parts.items()}
    return told[None] if by is None else Groups(told, at, period)


_Place: TypeAlias = tuple[datetime, str]
"""Where a won deal stands in the order of winning: when it was won, and its id."""


def _won(deals: Iterable[DealHistory], at: datetime) -> list[Any]:
    """The courses of won deals."""
    return [each for each in courses(deals, at) if each.outcome is Outcome.WON]


def _contacts(each: Course) -> tuple[str, ...]:
    return cast("Deal", Deal.replay(each.known)).contacts


def _accounts(each: Course) -> tuple[str, ...]:
    account = account_of(each)
    return () if account is None else (account,)


_BUYERS = {Buyer.ACCOUNT: _accounts, Buyer.CONTACT: _contacts}


class _Repeats:
    """Won deals being counted, and who bought."""

    def __init__(self) -> None:
        self._customers: dict[str, bool] = {}
        self._again = self._all = self._nobody = 0

    def tell(self, buyers: Sequence[str], place: _Place, first: Mapping[str, _Place]) -> None:
        """Count one more deal, won at a place, by where each buyer's first one stands."""
        if not buyers:
            self._nobody += 1
            return
        customers, again = self._customers, False
        for each in buyers:
            if first[each] != place:
                customers[each] = again = True
            elif each not in customers:
                customers[each] = False
        self._all += 1
        self._again += again

    def told(self, buyer: Buyer, level: float) -> RepeatBusiness:
        """What was counted."""
        return RepeatBusiness(
            Rate.of(sum(self._customers.values()), len(self._customers), level),
            Rate.of(self._again, self._all, level),
            left_out={f"no_{buyer.value}": self._nobody} if self._nobody else {},
        )


# Referrals


@frozen
class Referrals(Result):
    """The share of leads, and of won deals, that somebody sent.

    Attributes:
        leads: Leads from a referral, among leads with a source.
        won: Won deals from a referral, among won deals with a source.
    """

    leads: Rate
    won: Rate

    columns = ("leads", "won")


def _sources(sources: object) -> frozenset[str]:
    if isinstance(sources, str) or not isinstance(sources, Iterable):
        raise WrongTypeError("referral_sources", "several texts", sources)
    named = cast("Iterable[object]", sources)
    return frozenset(text(each, "referral_sources").strip().casefold() for each in named)


@asks(referral_sources=_sources)
def referral_share(
    contacts: Iterable[ContactHistory] = (),
    deals: Iterable[DealHistory] = (),
    *,
    as_of: datetime,
    period: Period | None = None,
    referral_sources: Collection[str] = REFERRALS,
    level: float = 0.95,
) -> Referrals:
    """The share of leads, and of won deals, whose source is a referral.

    Definition:
        Formula: with a referral as their source ÷ with any source.
        Denominator: contacts that became leads in the period, and deals won in it; those without
            a source are left out as ``lead_without_source`` and ``won_without_source``.
        Window: becoming a lead, or closing, in the period; all time without one.
        Bias: where sellers seldom write down the source of those who were sent, too low.
        Elsewhere: HubSpot's original source "referrals" means visits by a link, not this.

    Args:
        contacts: The histories of contacts.
        deals: The histories of deals; a deal's own source counts, not that of its contacts.
        as_of: The instant to judge from.
        period: The period.
        referral_sources: The sources that mean a referral, compared without regard to case or to
            blanks around them.
        level: The confidence of the intervals.

    Source: ActiveCampaign, What is a sales pipeline? (work for referrals).
    """
    at = utc(as_of, "as_of")
    wanted = _sources(referral_sources)
    left_out: Counter[str] = Counter()

    def share(records: Iterable[tuple[T, Event]], read: Callable[[T, Event], Any], no: str) -> Rate:
        sources: Counter[str | None] = Counter(
            read(record, event) for record, event in records if period is None or event.at in period
        )
        left_out[no] = sources.pop(None, 0)
        sent = sum(n for each, n in sources.items() if each and each.strip().casefold() in wanted)
        return Rate.of(sent, sources.total(), level)

    leads = ((known, _first_at(known, LifecycleStage.LEAD)) for known in _standing(contacts, at))
    new = ((known, lead) for known, lead in leads if lead is not None)
    won = ((each, each.closing) for each in _won(deals, at))
    rates = (
        share(new, reading(Contact, "source"), "lead_without_source"),
        share(won, grouping("source"), "won_without_source"),
    )
    return stamped(Referrals(*rates, left_out=dict(+left_out)), at, period)
