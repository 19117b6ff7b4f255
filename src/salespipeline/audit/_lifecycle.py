"""What is wrong with the lifecycle stages and lead statuses of contacts."""

from collections.abc import Iterator

from salespipeline.audit._body import Body, Look, Person, Seen, contacts_given
from salespipeline.audit._checks import Check, Severity
from salespipeline.lifecycle import LifecycleStage, StatusKind, StatusScheme
from salespipeline.periods import on

UNKNOWN_STATUS = Check(
    "unknown_status", Severity.ERROR, "a status its scheme lacks",
    "add the status to the scheme, or name its successor in former",
    (("contacts_by_lead_status", "counts it apart from the status that is meant"),),
)  # fmt: skip
STATUS_BEFORE_SQL = Check(
    "status_before_sql", Severity.ERROR, "a lead status before SQL",
    "clear it, and set one once sales has confirmed the fit",
    (("contacts_by_lead_status", "takes in people who were never ready for sales"),),
)  # fmt: skip
BACKWARD_LIFECYCLE = Check(
    "backward_lifecycle", Severity.WARNING, "a stage below one reached",
    "recycle with a lead status instead; void the event if the stage reached was a mistake",
    (
        ("contacts_by_lifecycle_stage", "counts the furthest stage, which may be a mistake"),
        ("qualified_leads", "counts the contact as far as it ever was"),
        ("close_ratio", "counts it as a customer if it ever was one"),
    ),
)  # fmt: skip
SQL_WITHOUT_STATUS = Check(
    "sql_without_status", Severity.WARNING, "an SQL has no lead status",
    "set one, so that sales sees what to do next",
    (("contacts_by_lead_status", "leaves it out"),),
)  # fmt: skip
TOO_MANY_STATUSES = Check(
    "too_many_statuses", Severity.WARNING, "more statuses than help",
    "retire some in favour of others, by former",
    (("contacts_by_lead_status", "spreads alike contacts over several rows"),),
)  # fmt: skip
RECYCLED_UNTOUCHED = Check(
    "recycled_untouched", Severity.WARNING, "recycled and untouched since",
    "take the lead up again, or set a later date to come back",
    (("close_ratio", "counts the lead among those that may still buy"),),
)  # fmt: skip
LIFECYCLE_SKIPPED = Check(
    "lifecycle_skipped", Severity.HARMLESS, "stages passed over on the way",
    "nothing, unless stages are counted by who was ever in them; then record each as reached",
    (("contacts_by_lifecycle_stage", "never had the contact at the stages passed over"),),
)  # fmt: skip
STATUS_KEPT_AFTER_SQL = Check(
    "status_kept_after_sql", Severity.HARMLESS, "a lead status kept after SQL",
    "nothing, unless statuses are counted without looking at the stage",
    (("contacts_by_lead_status", "counts a contact that sales no longer works by status"),),
)  # fmt: skip


def _backward(person: Person, _body: Body) -> Iterator[Seen]:
    for event, before, _, _ in person.steps:
        stage: LifecycleStage | None = getattr(event, "stage", None)
        if before is not None and stage is not None and stage < before:
            message = f"{stage.value!r} was recorded after {before.value!r}"
            yield Seen(message, event.sequence, stage.value, f"{before.value} or beyond")


def _skipped(person: Person, _body: Body) -> Iterator[Seen]:
    for event, before, stage, _ in person.steps:
        if before is None or stage is None or stage.rank <= before.rank + 1:
            continue
        over = [each.value for each in LifecycleStage if before < each < stage]
        message = f"from {before.value!r} to {stage.value!r}, past {', '.join(map(repr, over))}"
        yield Seen(message, event.sequence, stage.value, over[0])


def _misplaced(person: Person, body: Body, *, beyond: bool) -> Iterator[Seen]:
    """Statuses recorded where the scheme is not active: after the stages it is, or before."""
    scheme = body.scheme
    for event, _, stage, status in person.steps:
        if status is None or stage in scheme.active_in:
            continue
        if (stage is not None and any(stage > each for each in scheme.active_in)) is beyond:
            place = "no stage" if stage is None else repr(stage.value)
            message = f"it has the status {status!r} on {place}"
            yield Seen(message, event.sequence, status, f"none on {place}")


def _too_early(person: Person, body: Body) -> Iterator[Seen]:
    return _misplaced(person, body, beyond=False)


def _too_late(person: Person, body: Body) -> Iterator[Seen]:
    return _misplaced(person, body, beyond=True)


def _unknown(person: Person, body: Body) -> Iterator[Seen]:
    scheme = body.scheme
    for event, _, _, status in person.steps:
        if status is not None and scheme.current(status) not in scheme.keys:
            message = f"scheme {scheme.name!r} has no status {status!r}"
            yield Seen(message, event.sequence, status, f"a status of {scheme.name!r}")


def _without_status(person: Person, body: Body) -> Iterator[Seen]:
    contact, sql = person.record, LifecycleStage.SALES_QUALIFIED_LEAD
    without = contact.lifecycle_stage is sql and contact.lead_status is None
    if without and sql in body.scheme.active_in:
        yield Seen("it is an SQL without one", None, None, f"a status of {body.scheme.name!r}")


def _too_many(_scheme: StatusScheme, body: Body) -> Iterator[Seen]:
    n, most = len(body.statuses), body.limits.most_statuses
    if n > most:
        message = f"contacts have {n} different statuses, more than {most}"
        yield Seen(message, None, ", ".join(body.statuses), f"{most} at most")


def _untouched(person: Person, body: Body) -> Iterator[Seen]:
    """Recycled leads whose date to come back is past, or whose status is old, and no more."""
    contact, scheme = person.record, body.scheme
    key = None if contact.lead_status is None else scheme.current(contact.lead_status)
    kinds = {status.key: status.kind for status in scheme.statuses}
    since = contact.status_since
    if kinds.get(key or "") is not StatusKind.RECYCLE or since is None:
        return
    back = contact.revisit_on
    last = max(since, person.touched)
    if back is None and body.at - last > body.limits.untouched_recycled:
        days = (body.at - last).days
        message = f"it was recycled, and nothing happened for {days} days"
        yield Seen(message, None, last.isoformat(), "a date to come back, or a touch")
    elif back is not None and back < body.day and on(last, body.zone) < back:
        message = f"it was to be taken up again on {back.isoformat()}, and nothing happened since"
        yield Seen(message, None, last.isoformat(), f"a touch on {back.isoformat()} or later")


LOOKS: tuple[Look, ...] = (
    Look(UNKNOWN_STATUS, "contact", _unknown),
    Look(STATUS_BEFORE_SQL, "contact", _too_early),
    Look(BACKWARD_LIFECYCLE, "contact", _backward),
    Look(SQL_WITHOUT_STATUS, "contact", _without_status),
    Look(TOO_MANY_STATUSES, "scheme", _too_many, contacts_given),
    Look(RECYCLED_UNTOUCHED, "contact", _untouched),
    Look(LIFECYCLE_SKIPPED, "contact", _skipped),
    Look(STATUS_KEPT_AFTER_SQL, "contact", _too_late),
)
