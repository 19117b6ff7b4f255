"""What is wrong with the events of a record, whatever they are about: order, identity, rules."""

from collections.abc import Iterable, Iterator
from typing import Any

from salespipeline.audit._body import Body, Look, Need, Seen, Subject
from salespipeline.audit._checks import Check, Severity
from salespipeline.conformance import Of
from salespipeline.events import ActivityRecorded, Event, Lost, Start, Won

CLOSED_BEFORE_OPENED = Check(
    "closed_before_opened", Severity.ERROR, "closed before it was opened",
    "correct one of the two dates",
    (
        ("cycle_length", "leaves the deal out: it has no length in days"),
        ("deal_lifetime", "leaves the deal out"),
        ("time_to_close", "leaves the deal out"),
        ("pipeline_velocity", "has its cycle without the deal"),
    ),
)  # fmt: skip
EVENT_BEFORE_CREATION = Check(
    "event_before_creation", Severity.ERROR, "an event before the creation",
    "correct one of the two dates, or read the beginning as known by then only",
    (
        ("time_in_stage", "leaves out stays of negative length"),
        ("summary", "takes the record not to be there until its beginning"),
    ),
)  # fmt: skip
INSTANT_BACKWARD = Check(
    "instant_backward", Severity.WARNING, "an event earlier than the last",
    "check the order of the events",
    (("time_in_stage", "leaves out a stay that ends on an earlier date than it began"),),
)  # fmt: skip
RULE_BROKEN = Check(
    "rule_broken", Severity.WARNING, "a move against the rules",
    "mend the record, or the rule if people are right to go round it",
    (
        ("time_in_stage", "has no stay in a stage that was passed over"),
        ("win_rate_closed", "counts what the rules would have held back"),
    ),
)  # fmt: skip
RULE_OVERRIDDEN = Check(
    "rule_overridden", Severity.HARMLESS, "a denial that was overridden",
    "nothing; where it is often the same rule, look at the rule",
)  # fmt: skip


def _after_beginning(events: Iterable[Any]) -> Iterator[tuple[Event, Event, Event]]:
    """The beginning, each later event, and the one before it; an activity may be dated back."""
    first = before = None
    for event in events:
        if first is None or before is None:
            first = before = event
        elif type(event) is not ActivityRecorded:
            yield first, event, before
            before = event


def _too_early(first: Any, event: Event) -> bool:
    return event.at < first.at and first.start is Start.EXACT


def _before_beginning(subject: Subject, *, closing: bool) -> Iterator[Seen]:
    for first, event, _ in _after_beginning(subject.events):
        if _too_early(first, event) and isinstance(event, Won | Lost) is closing:
            seen, expected = event.at.isoformat(), first.at.isoformat()
            message = f"{seen} is before its beginning, {expected}"
            yield Seen(message, event.sequence, seen, f"{expected} or later")


def _closed_before_opened(subject: Subject, _body: Body) -> Iterator[Seen]:
    return _before_beginning(subject, closing=True)


def _event_before_creation(subject: Subject, _body: Body) -> Iterator[Seen]:
    return _before_beginning(subject, closing=False)


def _instant_backward(subject: Subject, _body: Body) -> Iterator[Seen]:
    for first, event, before in _after_beginning(subject.events):
        if event.at < before.at and not _too_early(first, event):
            seen, expected = event.at.isoformat(), before.at.isoformat()
            message = f"{seen} is before the event before it, {expected}"
            yield Seen(message, event.sequence, seen, f"{expected} or later")


def _breached(subject: Subject, body: Body, *, overridden: bool) -> Iterator[Seen]:
    record = subject.record
    for breach in body.judged.breaches.get((record.kind, record.id), ()):
        if breach.overridden is overridden:
            message = f"{breach.move}: {breach.why} ({breach.rulebook})"
            yield Seen(message, breach.event, breach.move, breach.why)


def _rule_broken(subject: Subject, body: Body) -> Iterator[Seen]:
    return _breached(subject, body, overridden=False)


def _rule_overridden(subject: Subject, body: Body) -> Iterator[Seen]:
    return _breached(subject, body, overridden=True)


def _rules_for(*moves: Of) -> Need:
    def need(body: Body) -> str | None:
        if any(map(body.books.can_judge, moves)):
            return None
        return "no rulebook was given for its moves"

    return need


def _unjudged_contacts(body: Body) -> Iterable[str]:
    return body.judged.unjudged.get("contact", ())


def _unjudged_deals(body: Body) -> Iterable[str]:
    return body.judged.unjudged.get("deal", ())


def _of_both(check: Check, see: Any) -> tuple[Look, ...]:
    return tuple(Look(check, kind, see) for kind in ("contact", "deal"))


_OF_CONTACTS = _rules_for(Of.LIFECYCLE_STAGE, Of.LEAD_STATUS)
_OF_DEALS = _rules_for(Of.STAGE)

LOOKS: tuple[Look, ...] = (
    Look(CLOSED_BEFORE_OPENED, "deal", _closed_before_opened),
    *_of_both(EVENT_BEFORE_CREATION, _event_before_creation),
    *_of_both(INSTANT_BACKWARD, _instant_backward),
    Look(RULE_BROKEN, "contact", _rule_broken, _OF_CONTACTS, _unjudged_contacts),
    Look(RULE_BROKEN, "deal", _rule_broken, _OF_DEALS, _unjudged_deals),
    Look(RULE_OVERRIDDEN, "contact", _rule_overridden, _OF_CONTACTS),
    Look(RULE_OVERRIDDEN, "deal", _rule_overridden, _OF_DEALS),
)
