"""What in a body of records breaks the rules or bends the figures.

Reading refuses nothing that was broken in the past; this says what it was, record by record, and
what to do about it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from attrs import frozen

from salespipeline._doors import instance, instances
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Event,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Start,
    Won,
)
from salespipeline.history import ENTERING, ContactHistory, DealHistory
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage, StatusScheme
from salespipeline.periods import utc
from salespipeline.pipelines import Outcome, Pipeline


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    HARMLESS = "harmless"


@frozen
class Check:
    """One thing that an audit looks for.

    Attributes:
        code: Its stable code.
        severity: How much it matters.
        meaning: What is so where it is found.
        advice: What to do about it.
    """

    code: str
    severity: Severity
    meaning: str
    advice: str


CLOSED_BEFORE_OPENED = Check(
    "closed_before_opened", Severity.ERROR, "closed before it was opened",
    "correct one of the two dates; a deal closed on an earlier date has no length in days, and "
    "the sales cycle, the deal lifetime and the time to close leave it out",
)  # fmt: skip
EVENT_BEFORE_CREATION = Check(
    "event_before_creation", Severity.ERROR, "an event before the creation",
    "correct one of the two dates, or read the beginning as known by then only; until its "
    "beginning the record is taken not to be there",
)  # fmt: skip
UNKNOWN_STAGE = Check(
    "unknown_stage", Severity.ERROR, "a stage that its pipeline lacks",
    "add the stage to the pipeline, or name its successor in former; a reader takes it for open",
)  # fmt: skip
UNKNOWN_STATUS = Check(
    "unknown_status", Severity.ERROR, "a status that its scheme lacks",
    "add the status to the scheme, or name its successor in former",
)  # fmt: skip
WON_WITHOUT_AMOUNT = Check(
    "won_without_amount", Severity.ERROR, "a won deal has no amount",
    "enter the final amount; the average deal size is over the other won deals only",
)  # fmt: skip
STATUS_BEFORE_SQL = Check(
    "status_before_sql", Severity.ERROR, "a lead status before SQL",
    "clear it: counts of statuses take in people who were never ready for sales",
)  # fmt: skip
BACKWARD_LIFECYCLE = Check(
    "backward_lifecycle", Severity.WARNING, "a stage below one reached before",
    "recycle with a lead status instead; void the event if the stage reached was a mistake",
)  # fmt: skip
INSTANT_BACKWARD = Check(
    "instant_backward", Severity.WARNING, "an event earlier than the last",
    "check the order of the events; a visit that ends on an earlier date than it began is left "
    "out of the time in stage",
)  # fmt: skip
OPEN_WITHOUT_OWNER = Check(
    "open_without_owner", Severity.WARNING, "an open deal has no owner",
    "assign somebody; nobody is asked about it",
)  # fmt: skip
SQL_WITHOUT_STATUS = Check(
    "sql_without_status", Severity.WARNING, "an SQL has no lead status",
    "set one, so that sales sees what to do next",
)  # fmt: skip
STATUS_KEPT_AFTER_SQL = Check(
    "status_kept_after_sql", Severity.HARMLESS, "a lead status kept after SQL",
    "nothing, unless statuses are counted without looking at the stage",
)  # fmt: skip

CATALOGUE: Mapping[str, Check] = {
    check.code: check
    for check in (
        CLOSED_BEFORE_OPENED, EVENT_BEFORE_CREATION, UNKNOWN_STAGE, UNKNOWN_STATUS,
        WON_WITHOUT_AMOUNT, STATUS_BEFORE_SQL, BACKWARD_LIFECYCLE, INSTANT_BACKWARD,
        OPEN_WITHOUT_OWNER, SQL_WITHOUT_STATUS, STATUS_KEPT_AFTER_SQL,
    )
}  # fmt: skip
"""Every check by its code, the most harmful first."""


@frozen
class Finding:
    """One thing found in one record.

    Attributes:
        check: What was looked for.
        kind: ``contact`` or ``deal``.
        record: The id of the record.
        event: The sequence number of the event, or None where it is about how the record stands.
        message: What was found, in words.
    """

    check: Check
    kind: str
    record: str
    event: int | None
    message: str


@frozen
class Report:
    """What an audit found.

    Attributes:
        as_of: The instant judged from.
        contacts: How many contacts were looked at.
        deals: How many deals were looked at.
        findings: Everything found, record by record in the order given.
    """

    as_of: datetime
    contacts: int
    deals: int
    findings: tuple[Finding, ...]

    def by_code(self) -> dict[str, tuple[Finding, ...]]:
        """The findings of each code that occurs, in the order of the catalogue."""
        found = {
            code: tuple(f for f in self.findings if f.check.code == code) for code in CATALOGUE
        }
        return {code: findings for code, findings in found.items() if findings}

    def __str__(self) -> str:
        """A table of what was found, how often, and in what share of the contacts or deals."""
        looked = f"{self.contacts:,} contacts and {self.deals:,} deals"
        if not self.findings:
            return f"Nothing found in {looked}."
        lines = [f"{'finding':<22}severity  found  records of        share  meaning"]
        for code, findings in self.by_code().items():
            for kind, whole in (("contact", self.contacts), ("deal", self.deals)):
                alike = [finding.record for finding in findings if finding.kind == kind]
                if alike:
                    check, records = CATALOGUE[code], len(set(alike))
                    lines.append(
                        f"{code:<22}{check.severity:<9}{len(alike):>6,}{records:>9,} "
                        f"{kind + 's':<9}{records / whole:>6.1%}  {check.meaning}"
                    )
        return "\n".join([f"{len(self.findings):,} findings in {looked}.", *lines])


def audit(
    contacts: Iterable[ContactHistory] = (),
    deals: Iterable[DealHistory] = (),
    *,
    as_of: datetime,
    pipelines: Iterable[Pipeline] = (),
    scheme: StatusScheme = STANDARD_STATUSES,
) -> Report:
    """Look through a body of records, as known at an instant.

    Args:
        contacts: The histories of contacts.
        deals: The histories of deals.
        as_of: The instant to judge from; records not there then are not looked at.
        pipelines: The pipelines of the deals; without any no stage is looked up.
        scheme: The lead statuses in use.

    Returns:
        The report; without any record it is of none, and has no findings.

    >>> from datetime import UTC
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> _, created = Contact.create("c-1", at=day, by="form")
    >>> mistake = LeadStatusSet(record="c-1", sequence=2, at=day, status="new")
    >>> report = audit([ContactHistory([created, mistake])], as_of=day)
    >>> [(finding.check.code, finding.message) for finding in report.findings]
    [('status_before_sql', "it has the status 'new' on no stage")]
    """
    at = utc(as_of, "as_of")
    known = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}
    instance(StatusScheme, scheme, "scheme")
    people = [each.standing(at) for each in instances(ContactHistory, contacts, "contacts")]
    sales = [each.standing(at) for each in instances(DealHistory, deals, "deals")]
    findings = [
        *(finding for events in people if events for finding in _of_contact(events, scheme)),
        *(finding for events in sales if events for finding in _of_deal(events, known)),
    ]
    return Report(at, sum(map(bool, people)), sum(map(bool, sales)), tuple(findings))


def _of_contact(events: Sequence[Any], scheme: StatusScheme) -> Iterator[Finding]:
    yield from _out_of_order(events, "contact")
    yield from _lifecycle(events, scheme)
    contact = cast("Contact", Contact.replay(events))
    sql = LifecycleStage.SALES_QUALIFIED_LEAD
    without = contact.lifecycle_stage is sql and contact.lead_status is None
    if without and sql in scheme.active_in:
        yield Finding(SQL_WITHOUT_STATUS, "contact", contact.id, None, "it is an SQL without one")


def _lifecycle(events: Sequence[Any], scheme: StatusScheme) -> Iterator[Finding]:
    furthest: LifecycleStage | None = None
    for event in events:
        if isinstance(event, LifecycleStageSet):
            if furthest is not None and event.stage < furthest:
                message = f"{event.stage.value!r} was recorded after {furthest.value!r}"
                yield _finding(BACKWARD_LIFECYCLE, "contact", event, message)
            furthest = event.stage if furthest is None else max(furthest, event.stage)
            status = event.lead_status
        elif isinstance(event, Created):
            furthest, status = event.lifecycle_stage, event.lead_status
        elif isinstance(event, LeadStatusSet):
            status = event.status
        else:
            continue
        if status is not None and furthest not in scheme.active_in:
            yield _status(event, status, furthest, scheme)
        if status is not None and scheme.current(status) not in scheme.keys:
            message = f"scheme {scheme.name!r} has no status {status!r}"
            yield _finding(UNKNOWN_STATUS, "contact", event, message)


def _status(
    event: Event, status: str, stage: LifecycleStage | None, scheme: StatusScheme
) -> Finding:
    beyond = stage is not None and any(stage > active for active in scheme.active_in)
    check = STATUS_KEPT_AFTER_SQL if beyond else STATUS_BEFORE_SQL
    place = "no stage" if stage is None else repr(stage.value)
    return _finding(check, "contact", event, f"it has the status {status!r} on {place}")


def _of_deal(events: Sequence[Any], pipelines: Mapping[str, Pipeline]) -> Iterator[Finding]:
    yield from _out_of_order(events, "deal")
    if pipelines:
        yield from _unknown_stages(events, pipelines)
    deal = cast("Deal", Deal.replay(events))
    if deal.outcome is Outcome.WON and deal.amount is None:
        yield Finding(WON_WITHOUT_AMOUNT, "deal", deal.id, None, "it is won and has no amount")
    if deal.outcome is Outcome.OPEN and deal.owner is None:
        yield Finding(OPEN_WITHOUT_OWNER, "deal", deal.id, None, "it is open and has no owner")


def _unknown_stages(events: Sequence[Any], pipelines: Mapping[str, Pipeline]) -> Iterator[Finding]:
    for event in events:
        if type(event) not in ENTERING:
            continue
        pipeline = pipelines.get(event.pipeline)
        if pipeline is None:
            message = f"there is no pipeline {event.pipeline!r}"
            yield _finding(UNKNOWN_STAGE, "deal", event, message)
        elif event.stage not in pipeline:
            message = f"pipeline {event.pipeline!r} has no stage {event.stage!r}"
            yield _finding(UNKNOWN_STAGE, "deal", event, message)


def _out_of_order(events: Sequence[Any], kind: str) -> Iterator[Finding]:
    """Where instants run backwards; an activity may be dated back, and changes no state."""
    first, before = events[0], events[0].at
    for event in events[1:]:
        if isinstance(event, ActivityRecorded):
            continue
        if event.at < first.at and first.start is Start.EXACT:
            check = CLOSED_BEFORE_OPENED if isinstance(event, Won | Lost) else EVENT_BEFORE_CREATION
            message = f"{event.at.isoformat()} is before its beginning, {first.at.isoformat()}"
            yield _finding(check, kind, event, message)
        elif event.at < before:
            message = f"{event.at.isoformat()} is before the event before it, {before.isoformat()}"
            yield _finding(INSTANT_BACKWARD, kind, event, message)
        before = event.at


def _finding(check: Check, kind: str, event: Event, message: str) -> Finding:
    return Finding(check, kind, event.record, event.sequence, message)
