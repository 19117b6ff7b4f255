"""What is wrong between contacts and deals."""

from collections.abc import Iterator

from salespipeline.audit._body import (
    Body,
    Look,
    Person,
    Sale,
    Seen,
    contacts_given,
    deals_given,
    every,
)
from salespipeline.audit._checks import Check, Severity
from salespipeline.lifecycle import LifecycleStage, StatusKind
from salespipeline.pipelines import Outcome

UNKNOWN_CONTACT = Check(
    "unknown_contact", Severity.ERROR, "a contact that is not there",
    "read the contact too, or unlink it; after a merge link the one that is left",
    (("close_ratio", "has no contact for a sale that was made"),),
)  # fmt: skip
CONTACT_BEHIND_DEAL = Check(
    "contact_behind_deal", Severity.WARNING, "a stage behind that of a deal",
    "advance the contact; a trigger set does so by itself when a deal is opened or won",
    (
        ("close_ratio", "does not count a buyer as a customer"),
        ("contacts_by_lifecycle_stage", "counts the contact too low"),
        ("qualified_leads", "may not count the contact as qualified"),
    ),
)  # fmt: skip
CUSTOMER_WITHOUT_WIN = Check(
    "customer_without_win", Severity.WARNING, "a customer without a won deal",
    "link the deal that was won, or void the event if nothing was bought",
    (
        ("close_ratio", "counts a customer that no sale stands for"),
        ("win_rate_created", "has no win for a customer"),
        ("average_deal_size", "is without what the customer paid"),
    ),
)  # fmt: skip
OPPORTUNITY_WITHOUT_DEAL = Check(
    "opportunity_without_deal", Severity.WARNING, "an opportunity, no open deal",
    "open or link the deal; if it was lost, recycle the contact by a lead status",
    (
        ("contacts_by_lifecycle_stage", "counts an opportunity that nobody works on"),
        ("pipeline_velocity", "is without the deal that the stage speaks of"),
    ),
)  # fmt: skip
CUSTOMER_UNTOUCHED = Check(
    "customer_untouched", Severity.WARNING, "a customer nobody has touched",
    "check in: ask how it goes, and what else they need",
)  # fmt: skip
DEAL_WITHOUT_CONTACT = Check(
    "deal_without_contact", Severity.WARNING, "a deal without any contact",
    "link the people who take part in it",
    (("close_ratio", "has no contact for the sale if it is won"),),
)  # fmt: skip
CONTACT_WITHOUT_DEAL = Check(
    "contact_without_deal", Severity.HARMLESS, "worked by sales, no deal yet",
    "nothing; open a deal once there is something to sell",
)  # fmt: skip


def _unknown_contact(sale: Sale, body: Body) -> Iterator[Seen]:
    for contact in sale.record.contacts:
        if contact not in body.contacts:
            message = f"there is no contact {contact!r}"
            yield Seen(message, None, contact, "a contact that was given")


def _without_contact(sale: Sale, _body: Body) -> Iterator[Seen]:
    if not sale.record.contacts:
        yield Seen("it names no contact", None, None, "a contact at least")


def _behind(person: Person, body: Body) -> Iterator[Seen]:
    contact, ties = person.record, body.by_contact.get(person.record.id)
    if ties is None:
        return
    due = {Outcome.WON: body.limits.with_won_deal, Outcome.OPEN: body.limits.with_open_deal}
    for outcome, stage in due.items():
        deal, reached = ties.least.get(outcome), contact.lifecycle_stage
        if deal is not None and (reached is None or reached < stage):
            place = "on no stage" if reached is None else f"at {reached.value!r}"
            message = f"it is {place}, and its deal {deal!r} is {outcome.value}"
            yield Seen(message, None, reached and reached.value, stage.value)
            return


def _customer_without_win(person: Person, body: Body) -> Iterator[Seen]:
    stage = person.record.lifecycle_stage
    if stage is None or stage < LifecycleStage.CUSTOMER:
        return
    if not any(Outcome.WON in ties.least for ties in body.ties(person.record)):
        yield Seen(f"it is at {stage.value!r}, and no deal of it is won", None, None, "a won deal")


def _opportunity_without_deal(person: Person, body: Body) -> Iterator[Seen]:
    if person.record.lifecycle_stage is not LifecycleStage.OPPORTUNITY:
        return
    ties = body.ties(person.record)
    if not any(Outcome.OPEN in each.least or Outcome.WON in each.least for each in ties):
        lost = next((each.least[Outcome.LOST] for each in ties if each.least), None)
        had = "it has no deal" if lost is None else f"its deal {lost!r} is lost"
        yield Seen(f"it is at 'opportunity', and {had}", None, lost and "lost", "an open deal")


def _without_deal(person: Person, body: Body) -> Iterator[Seen]:
    contact, scheme = person.record, body.scheme
    if contact.lifecycle_stage is not LifecycleStage.SQL or body.ties(contact):
        return
    key = None if contact.lead_status is None else scheme.current(contact.lead_status)
    kinds = {status.key: status.kind for status in scheme.statuses}
    if kinds.get(key or "") is StatusKind.WORKING:
        message = f"it is an SQL with the status {key!r}, and no deal names it"
        yield Seen(message, None, None, "a deal, sooner or later")


def _customer_untouched(person: Person, body: Body) -> Iterator[Seen]:
    stage, limit = person.record.lifecycle_stage, body.limits.untouched_customer
    if stage is None or stage < LifecycleStage.CUSTOMER:
        return
    last = max((person.touched, *(each.touched for each in body.ties(person.record))))
    if body.at - last > limit:
        days = (body.at - last).days
        message = f"nothing has happened to it or its deals for {days} days"
        yield Seen(message, None, last.isoformat(), f"a touch in {limit.days} days")


def _some_linked(body: Body) -> str | None:
    if body.by_contact:
        return None
    return "no deal names a contact: it is not kept"


def _some_tied(body: Body) -> str | None:
    if body.by_contact or (body.by_account and body.keeps("contact", "account")):
        return None
    return "no deal names a contact or its account: it is not kept"


_TIED = every(deals_given, _some_tied)
_LINKED = every(contacts_given, deals_given, _some_linked)

LOOKS: tuple[Look, ...] = (
    Look(UNKNOWN_CONTACT, "deal", _unknown_contact, _LINKED),
    Look(CONTACT_BEHIND_DEAL, "contact", _behind, _LINKED),
    Look(CUSTOMER_WITHOUT_WIN, "contact", _customer_without_win, _TIED),
    Look(OPPORTUNITY_WITHOUT_DEAL, "contact", _opportunity_without_deal, _TIED),
    Look(CUSTOMER_UNTOUCHED, "contact", _customer_untouched),
    Look(DEAL_WITHOUT_CONTACT, "deal", _without_contact, _some_linked),
    Look(CONTACT_WITHOUT_DEAL, "contact", _without_deal, _TIED),
)
