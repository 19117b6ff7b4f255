"""What in a body of records breaks the rules or bends the figures.

Reading refuses nothing that was broken in the past; this says what it was, record by record, and
what to do about it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar, cast

from salespipeline._doors import NOTHING, instance, instances
from salespipeline.audit._body import Body, Look, Person, Sale
from salespipeline.audit._catalogue import CATALOGUE, LOOKS, PLACES, catalogue_markdown
from salespipeline.audit._checks import Check, Finding, LeftOut, Severity
from salespipeline.audit._deals import (
    EXPECTED_CLOSE_PAST,
    LOST_WITHOUT_REASON,
    NEXT_STEP_OVERDUE,
    ODD_CURRENCY,
    OPEN_WITHOUT_ASSESSMENT,
    OPEN_WITHOUT_NEXT_STEP,
    OPEN_WITHOUT_OWNER,
    PIPELINE_CANNOT_LOSE,
    PIPELINE_CANNOT_WIN,
    PROBABILITY_AT_ODDS,
    PROBABILITY_OUT_OF_RANGE,
    SILENT_DEAL,
    STUCK_IN_STAGE,
    UNKNOWN_STAGE,
    WON_WITHOUT_AMOUNT,
)
from salespipeline.audit._details import (
    ANSWER_EXPIRED,
    DUPLICATE_EMAIL,
    MISSING_DETAIL,
    POSSIBLE_DUPLICATE,
    STALE_DETAIL,
    TEST_RECORD,
    WITHOUT_SOURCE,
)
from salespipeline.audit._groups import Group
from salespipeline.audit._judged import Books
from salespipeline.audit._lifecycle import (
    BACKWARD_LIFECYCLE,
    LIFECYCLE_SKIPPED,
    RECYCLED_UNTOUCHED,
    SQL_WITHOUT_STATUS,
    STATUS_BEFORE_SQL,
    STATUS_KEPT_AFTER_SQL,
    TOO_MANY_STATUSES,
    UNKNOWN_STATUS,
)
from salespipeline.audit._limits import (
    LIMITS,
    TEST_DOMAINS,
    TEST_NAMES,
    Details,
    Limits,
    check_details,
)
from salespipeline.audit._links import (
    CONTACT_BEHIND_DEAL,
    CONTACT_WITHOUT_DEAL,
    CUSTOMER_UNTOUCHED,
    CUSTOMER_WITHOUT_WIN,
    DEAL_WITHOUT_CONTACT,
    OPPORTUNITY_WITHOUT_DEAL,
    UNKNOWN_CONTACT,
)
from salespipeline.audit._order import (
    CLOSED_BEFORE_OPENED,
    EVENT_BEFORE_CREATION,
    INSTANT_BACKWARD,
    RULE_BROKEN,
    RULE_OVERRIDDEN,
)
from salespipeline.audit._report import Report, Suppressed, Suppression
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import STANDARD_STATUSES, StatusScheme
from salespipeline.periods import check_zone, utc
from salespipeline.pipelines import Pipeline
from salespipeline.rules import Rulebook

__all__ = [
    "ANSWER_EXPIRED",
    "BACKWARD_LIFECYCLE",
    "CATALOGUE",
    "CLOSED_BEFORE_OPENED",
    "CONTACT_BEHIND_DEAL",
    "CONTACT_WITHOUT_DEAL",
    "CUSTOMER_UNTOUCHED",
    "CUSTOMER_WITHOUT_WIN",
    "DEAL_WITHOUT_CONTACT",
    "DUPLICATE_EMAIL",
    "EVENT_BEFORE_CREATION",
    "EXPECTED_CLOSE_PAST",
    "INSTANT_BACKWARD",
    "LIFECYCLE_SKIPPED",
    "LIMITS",
    "LOST_WITHOUT_REASON",
    "MISSING_DETAIL",
    "NEXT_STEP_OVERDUE",
    "ODD_CURRENCY",
    "OPEN_WITHOUT_ASSESSMENT",
    "OPEN_WITHOUT_NEXT_STEP",
    "OPEN_WITHOUT_OWNER",
    "OPPORTUNITY_WITHOUT_DEAL",
    "PIPELINE_CANNOT_LOSE",
    "PIPELINE_CANNOT_WIN",
    "POSSIBLE_DUPLICATE",
    "PROBABILITY_AT_ODDS",
    "PROBABILITY_OUT_OF_RANGE",
    "RECYCLED_UNTOUCHED",
    "RULE_BROKEN",
    "RULE_OVERRIDDEN",
    "SILENT_DEAL",
    "SQL_WITHOUT_STATUS",
    "STALE_DETAIL",
    "STATUS_BEFORE_SQL",
    "STATUS_KEPT_AFTER_SQL",
    "STUCK_IN_STAGE",
    "TEST_DOMAINS",
    "TEST_NAMES",
    "TEST_RECORD",
    "TOO_MANY_STATUSES",
    "UNKNOWN_CONTACT",
    "UNKNOWN_STAGE",
    "UNKNOWN_STATUS",
    "WITHOUT_SOURCE",
    "WON_WITHOUT_AMOUNT",
    "Check",
    "Finding",
    "Group",
    "LeftOut",
    "Limits",
    "Report",
    "Severity",
    "Suppressed",
    "Suppression",
    "audit",
    "catalogue_markdown",
]

T = TypeVar("T")
H = TypeVar("H")


def audit(
    contacts: Iterable[ContactHistory] = (),
    deals: Iterable[DealHistory] = (),
    *,
    as_of: datetime,
    pipelines: Iterable[Pipeline] = (),
    scheme: StatusScheme = STANDARD_STATUSES,
    rulebook: Rulebook[Any] | None = None,
    rulebooks: Iterable[Rulebook[Any]] = (),
    limits: Limits = LIMITS,
    required: Details = NOTHING,
    suppress: Iterable[Suppression] = (),
    zone: tzinfo = UTC,
) -> Report:
    """Look through a body of records, as known at an instant.

    A check that needs what was not given, or what none of the records has, is not made, and
    stands in ``left_out`` of the report, with the reason.

    Args:
        contacts: The histories of contacts.
        deals: The histories of deals.
        as_of: The instant to judge from; records not there then are not looked at.
        pipelines: The pipelines of the deals, by whose rulebooks their moves are judged.
        scheme: The lead statuses in use, by whose rulebook changes of status are judged.
        rulebook: The one rulebook to judge by in place of their own: the lifecycle of contacts,
            their lead status, or deals, as its states tell.
        rulebooks: The rulebooks that events name, to judge each move by the one that allowed it.
        limits: How long is too long, how few too few, and which records are made up.
        required: For ``contact`` and ``deal``, the fields that must be there, attributes as
            ``attributes.name``; as a mapping also after how long what they say is out of date.
        suppress: The findings that are in order, with the reasons.
        zone: The zone whose calendar dates make days.

    Returns:
        The report; without any record it is of none, and has no findings.

    Raises:
        SalesPipelineError: An argument cannot be what it is given for.

    Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must
    Understand" (the common mistakes); ActiveCampaign, What is a sales pipeline? (how to clean it).

    >>> from salespipeline.events import Created, LeadStatusSet
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> created = Created(record="c-1", sequence=1, at=day)
    >>> mistake = LeadStatusSet(record="c-1", sequence=2, at=day, status="new")
    >>> report = audit([ContactHistory([created, mistake])], as_of=day)
    >>> [(finding.check.code, finding.message) for finding in report.findings]
    [('status_before_sql', "it has the status 'new' on no stage")]
    """
    at = utc(as_of, "as_of")
    known = instances(Pipeline, pipelines, "pipelines")
    statuses = instance(StatusScheme, scheme, "scheme")
    only = (
        None
        if rulebook is None
        else cast("Rulebook[Any]", instance(Rulebook, rulebook, "rulebook"))
    )
    named = cast("tuple[Rulebook[Any], ...]", instances(Rulebook, rulebooks, "rulebooks"))
    meant = instances(Suppression, suppress, "suppress")
    body = Body(
        at,
        check_zone(zone),
        instance(Limits, limits, "limits"),
        check_details(required),
        _there(Person.of, instances(ContactHistory, contacts, "contacts"), at),
        _there(Sale.of, instances(DealHistory, deals, "deals"), at),
        {each.key: each for each in known},
        statuses,
        Books(only, named, known, statuses),
    )
    left_out: list[LeftOut] = []
    findings = list(_findings(body, left_out))
    kept, suppressed = _sorted_out(findings, meant)
    return Report(at, len(body.people), len(body.sales), kept, suppressed, tuple(left_out))


def _there(
    of: Callable[[H, datetime], T | None], histories: Iterable[H], at: datetime
) -> tuple[T, ...]:
    """The records that were there at an instant."""
    found = (of(history, at) for history in histories)
    return tuple(each for each in found if each is not None)


def _findings(body: Body, left_out: list[LeftOut]) -> Iterator[Finding]:
    """Everything found, record by record; what cannot be looked at is added to the list."""
    for kind in ("contact", "deal", "pipeline", "scheme"):
        subjects = body.of_kind(kind)
        looks = list(_possible(kind, body, left_out)) if subjects or kind == "pipeline" else []
        for subject in subjects:
            yield from _of_one(subject, looks, body)


def _possible(kind: str, body: Body, left_out: list[LeftOut]) -> Iterator[Look]:
    for look in LOOKS:
        if look.kind != kind:
            continue
        why = look.need(body)
        whys = look.partly(body) if why is None else (why,)
        left_out += (LeftOut(look.check.code, kind, each) for each in whys)
        if why is None:
            yield look


def _of_one(subject: Any, looks: Iterable[Look], body: Body) -> list[Finding]:
    """What is found in one record: first in its events, in order, then in how it stands."""
    record = _id(subject)
    found = [
        Finding(look.check, look.kind, record, each.event, each.message, each.seen, each.expected)
        for look in looks
        for each in look.see(subject, body)
    ]
    return sorted(found, key=_place) if len(found) > 1 else found


def _id(subject: Any) -> str:
    if isinstance(subject, Pipeline):
        return subject.key
    record: str = subject.name if isinstance(subject, StatusScheme) else subject.record.id
    return record


def _place(finding: Finding) -> tuple[bool, int, int]:
    return finding.event is None, finding.event or 0, PLACES[finding.check.code]


def _sorted_out(
    findings: list[Finding], suppress: tuple[Suppression, ...]
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """The findings that count, and those that are suppressed; the first that covers one does."""
    by_code: dict[str, list[Suppression]] = {}
    for each in suppress:
        by_code.setdefault(each.code, []).append(each)
    kept: list[Finding] = []
    suppressed: list[Suppressed] = []
    for finding in findings:
        covering = (each for each in by_code.get(finding.check.code, ()) if each.covers(finding))
        by = next(covering, None)
        if by is None:
            kept.append(finding)
        else:
            suppressed.append(Suppressed(finding, by.why))
    return tuple(kept), tuple(suppressed)
