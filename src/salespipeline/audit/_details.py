"""What is missing, out of date, there twice or made up in contacts and deals alike."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from salespipeline.audit._body import (
    Body,
    Look,
    Person,
    Seen,
    Subject,
    answers,
    kept,
    name_and_company,
    value_of,
)
from salespipeline.audit._checks import Check, Severity
from salespipeline.audit._limits import plain_name
from salespipeline.events import (
    AmountChanged,
    Assessed,
    CloseDateChanged,
    ContactLinked,
    FieldSet,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    NextStepPlanned,
    OwnerChanged,
    ProbabilitySet,
    Won,
)
from salespipeline.pipelines import Outcome

MISSING_DETAIL = Check(
    "missing_detail", Severity.WARNING, "a required detail is missing",
    "ask for it, and have a rulebook require it where it must be known",
    (
        ("summary", "by that field has it under nothing"),
        ("win_rate_closed", "by that field has it under nothing"),
    ),
)  # fmt: skip
STALE_DETAIL = Check(
    "stale_detail", Severity.WARNING, "a detail is out of date",
    "ask again, and set it even where it is the same",
    (("win_rate_closed", "by that field may have it under the wrong group"),),
)  # fmt: skip
ANSWER_EXPIRED = Check(
    "answer_expired", Severity.WARNING, "an answer holds no longer",
    "ask the question again",
)  # fmt: skip
DUPLICATE_EMAIL = Check(
    "duplicate_email", Severity.WARNING, "another has the same e-mail",
    "merge the two if they are one person",
    (
        ("leads", "counts one person more than once"),
        ("close_ratio", "has a lead in its denominator that can never buy"),
        ("qualified_leads", "may count one person more than once"),
    ),
)  # fmt: skip
WITHOUT_SOURCE = Check(
    "without_source", Severity.WARNING, "nobody says where it is from",
    "ask, or set it where the record is made",
    (
        ("win_rate_closed", "by source has it under nothing"),
        ("close_ratio", "by source has it under nothing"),
    ),
)  # fmt: skip
TEST_RECORD = Check(
    "test_record", Severity.WARNING, "it looks made up for a test",
    "delete it; figures of earlier instants keep it, so void its creation to be rid of it there",
    (
        ("leads", "counts somebody who does not exist"),
        ("close_ratio", "has a lead in its denominator that can never buy"),
        ("win_rate_created", "counts a deal that was never one"),
        ("deals_by_stage", "has an amount that nobody will pay"),
    ),
)  # fmt: skip
POSSIBLE_DUPLICATE = Check(
    "possible_duplicate", Severity.HARMLESS, "another has name and company",
    "look whether they are one person, and merge them if so",
    (("leads", "may count one person more than once"),),
)  # fmt: skip

_SAYS: Mapping[type, Mapping[str, str]] = {
    OwnerChanged: {"owner": "owner"},
    AmountChanged: {"amount": "amount"},
    Won: {"amount": "amount", "reason": "reason"},
    Lost: {"amount": "amount", "reason": "reason"},
    CloseDateChanged: {"expected_close": "expected_close"},
    ProbabilitySet: {"probability": "probability"},
    ForecastCategorySet: {"forecast_category": "category"},
    NextStepPlanned: {"next_step": "what"},
    Assessed: {"verdict": "verdict"},
    ContactLinked: {"contacts": "contact"},
    LifecycleStageSet: {"lifecycle_stage": "stage", "lead_status": "lead_status"},
    LeadStatusSet: {"lead_status": "status", "revisit_on": "revisit_on"},
}
"""By type of event, the fields that it sets, each with what of the event says it."""


def _missing(subject: Subject, body: Body) -> Iterator[Seen]:
    record = subject.record
    for detail in body.required.get(record.kind, ()):
        if value_of(record, detail.field) is None:
            yield Seen(f"it has no {detail.field!r}", None, None, detail.field)


def _stale(subject: Subject, body: Body) -> Iterator[Seen]:
    record = subject.record
    for detail in body.required.get(record.kind, ()):
        if detail.lasts is None or value_of(record, detail.field) is None:
            continue
        told = _told(subject.events, detail.field)
        if body.at - told > detail.lasts:
            message = f"{detail.field!r} was last told on {told.date().isoformat()}"
            yield Seen(message, None, told.isoformat(), f"told in {detail.lasts.days} days")


def _told(events: Sequence[Any], field: str) -> datetime:
    """When a field that is there was last told: at the beginning, if by no later event."""
    for event in reversed(events):
        if isinstance(event, FieldSet):
            said = event.field == field
        else:
            name = _SAYS.get(type(cast("object", event)), {}).get(field)
            said = name is not None and getattr(event, name) is not None
        if said:
            return event.at  # type: ignore[no-any-return] # every event has an instant
    return events[0].at  # type: ignore[no-any-return] # likewise


def _answer_expired(subject: Subject, body: Body) -> Iterator[Seen]:
    if getattr(subject.record, "outcome", Outcome.OPEN) is not Outcome.OPEN:
        return
    latest = {(event.framework, event.criterion): event for event in answers(subject.events)}
    for (framework, criterion), event in latest.items():
        if event.expires_at is not None and event.expires_at <= body.at:
            ended = event.expires_at.isoformat()
            message = f"the answer on {criterion!r} of {framework!r} ended on {ended[:10]}"
            yield Seen(message, event.sequence, ended, "an answer that holds")


def _duplicate_email(person: Person, body: Body) -> Iterator[Seen]:
    address = body.address(person.record)
    ids = body.addresses.get(address or "")
    if ids is not None:
        yield _shared(f"the e-mail {address!r}", person.record.id, ids, address)


def _possible_duplicate(person: Person, body: Body) -> Iterator[Seen]:
    """Those who share more than name and company are told by the e-mail that they share."""
    named = name_and_company(person.record)
    ids = body.names.get(named or ("", ""))
    if named is None or ids is None:
        return
    with_address = body.named_with_address(person.record)
    alike = () if with_address is None else body.names_with_address.get(with_address, ())
    if len(alike) < len(ids):
        yield _shared("its name and company", person.record.id, ids, ", ".join(named))


def _shared(what: str, own: str, ids: tuple[str, ...], seen: str | None) -> Seen:
    first = ids[1] if ids[0] == own else ids[0]
    others = "" if len(ids) == 2 else f" and {len(ids) - 2:,} more"
    return Seen(f"{what} is also that of {first!r}{others}", None, seen, "one record a person")


def _without_source(subject: Subject, _body: Body) -> Iterator[Seen]:
    if value_of(subject.record, "source") is None:
        yield Seen("it has no source", None, None, "a source")


_LABELS = 4
"""How many parts of a domain are looked at, from its end."""


def _test_record(subject: Subject, body: Body) -> Iterator[Seen]:
    record, limits = subject.record, body.limits
    name = getattr(record, "name", None) or getattr(record, "title", None)
    if plain_name(name) in limits.test_names:
        yield Seen(f"it is called {name!r}", None, name, "a name that somebody has")
        return
    address = limits.address(getattr(record, "email", None))
    domain = "" if address is None else address.rpartition("@")[2]
    labels = domain.split(".")[-_LABELS:]
    if any(".".join(labels[n:]) in limits.test_domains for n in range(len(labels))):
        yield Seen(f"it has an address at {domain!r}", None, domain, "a domain in use")


def _some_required(kind: str, *, lasting: bool = False) -> Any:
    def need(body: Body) -> str | None:
        details = body.required.get(kind, ())
        if lasting and not any(detail.lasts for detail in details):
            return f"no field of a {kind} is declared to go out of date"
        return None if details else f"no field of a {kind} is declared to be required"

    return need


_KINDS = ("contact", "deal")

LOOKS: tuple[Look, ...] = (
    *(Look(MISSING_DETAIL, kind, _missing, _some_required(kind)) for kind in _KINDS),
    *(Look(STALE_DETAIL, kind, _stale, _some_required(kind, lasting=True)) for kind in _KINDS),
    *(Look(ANSWER_EXPIRED, kind, _answer_expired) for kind in _KINDS),
    Look(DUPLICATE_EMAIL, "contact", _duplicate_email, kept("contact", "email")),
    *(Look(WITHOUT_SOURCE, kind, _without_source, kept(kind, "source")) for kind in _KINDS),
    *(Look(TEST_RECORD, kind, _test_record) for kind in _KINDS),
    Look(POSSIBLE_DUPLICATE, "contact", _possible_duplicate, kept("contact", "company")),
)
