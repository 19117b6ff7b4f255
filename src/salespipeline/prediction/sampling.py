"""Examples to learn from: what was known of each record at each instant, and what came of it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from salespipeline._doors import instance
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Event,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    Reopened,
    Start,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory, Visit
from salespipeline.lifecycle import LifecycleStage
from salespipeline.periods import utc
from salespipeline.pipelines import Outcome

_MONTH = timedelta(days=30)
_TURNS = Opened | Moved | Reopened | Created | LifecycleStageSet | LeadStatusSet


def examples(
    histories: Iterable[DealHistory] | Iterable[ContactHistory],
    *,
    as_of: datetime,
    horizon: timedelta,
) -> list[dict[str, Any]]:
    """Rows to learn from: each record as it was known whenever it entered a stage or status.

    Every row says only what was known at its instant, ``at``: the fields and attributes of the
    ``record`` as it stood then, its age, and what had been done with it. Its ``outcome`` says what
    came of it within the horizon after that: of a deal ``won`` or ``lost``, of a contact
    ``customer`` or ``no customer``. It is None, not labelled, until the whole horizon has passed:
    a row that were labelled as soon as its outcome is there would favour the quick ones. It is
    None, too, for a deal that is still open then, which is never counted as lost, and for a
    contact that was deleted.

    Args:
        histories: The deals, or the contacts; a closed deal and a customer give no further row.
        as_of: The instant to judge from; what happened, or became known, later is not known.
        horizon: Within which time the outcome is wanted.

    Returns:
        The rows, record by record in the order given; without histories there are none. Learn
        from them with ``outcome="outcome", record="record", at="at"``, and ``won="won"`` or
        ``"customer"``; evaluate with the same horizon, too.

    Raises:
        InvalidValueError: The horizon is not above nothing.
        NaiveTimeError: ``as_of`` has no zone.
        WrongTypeError: A history is none, or an argument of another type.

    >>> from datetime import UTC
    >>> from salespipeline import SIX_STAGES
    >>> first = datetime(2026, 3, 2, tzinfo=UTC)
    >>> deal, opened = Deal.open("d-1", at=first, by="sam", pipeline=SIX_STAGES)
    >>> deal, won = deal.win(at=first + timedelta(days=9), by="sam", pipeline=SIX_STAGES)
    >>> month = timedelta(days=30)
    >>> rows = examples([DealHistory([opened, won])], as_of=first + 2 * month, horizon=month)
    >>> [(row["record"], row["stage"], row["outcome"]) for row in rows]
    [('d-1', 'contact', 'won')]
    """
    at = utc(as_of, "as_of")
    if instance(timedelta, horizon, "horizon") <= timedelta(0):
        raise InvalidValueError("horizon", (f"must be above nothing (got {horizon})",))
    if isinstance(histories, str | Mapping) or not isinstance(histories, Iterable):
        raise WrongTypeError("histories", "several histories", cast("object", histories))
    rows: list[dict[str, Any]] = []
    for history in cast("Iterable[object]", histories):
        if isinstance(history, DealHistory):
            rows += _of_deal(history, at, horizon)
        elif isinstance(history, ContactHistory):
            rows += _of_contact(history, at, horizon)
        else:
            kinds = "several DealHistory or ContactHistory values"
            raise WrongTypeError("histories", kinds, history)
    return rows


def _known_at(event: Event) -> datetime:
    """When an event was known: when it happened, or was recorded if later."""
    return max(event.at, event.recorded_at or event.at)


def _instants(history: DealHistory | ContactHistory, as_of: datetime) -> list[datetime]:
    """When the record was known to have entered a stage or status.

    A turn that was voided later counts, since it was held for true until then.
    """
    turns = (event for event in history.events if isinstance(event, _TURNS))
    return sorted({at for at in map(_known_at, turns) if at <= as_of})


def _of_deal(history: DealHistory, as_of: datetime, horizon: timedelta) -> Iterator[dict[str, Any]]:
    for at in _instants(history, as_of):
        deal = history.as_of(at)
        if deal is not None and deal.outcome is Outcome.OPEN:
            yield {
                "record": deal.id,
                "at": at,
                "pipeline": deal.pipeline,
                "stage": deal.stage,
                "amount": deal.amount,
                "currency": None if deal.amount is None else deal.amount.currency,
                "sale_type": deal.sale_type,
                "contacts": len(deal.contacts),
                **_shared(history, deal, at, history.visits(at)),
                "outcome": _closing(history, at, horizon, as_of),
            }


def _has_passed(at: datetime, horizon: timedelta, as_of: datetime) -> bool:
    return as_of - at >= horizon


def _closing(history: DealHistory, at: datetime, horizon: timedelta, as_of: datetime) -> str | None:
    """How a deal first closed after what was known at an instant; None where it did not."""
    if not _has_passed(at, horizon, as_of):
        return None
    for event in history.standing(as_of):
        is_later = _known_at(event) > at and event.at - at <= horizon
        if is_later and isinstance(event, Won | Lost):
            return "won" if isinstance(event, Won) else "lost"
    return None


def _of_contact(
    history: ContactHistory, as_of: datetime, horizon: timedelta
) -> Iterator[dict[str, Any]]:
    for at in _instants(history, as_of):
        contact = history.as_of(at)
        if contact is not None and not _is_customer(contact.lifecycle_stage):
            yield {
                "record": contact.id,
                "at": at,
                "stage": contact.lifecycle_stage,
                "lead_status": contact.lead_status,
                "opted_out": contact.opted_out,
                "has_email": contact.email is not None,
                "has_company": contact.company is not None,
                **_shared(history, contact, at, history.visits(at)),
                "outcome": _becoming(history, at, horizon, as_of),
            }


def _becoming(
    history: ContactHistory, at: datetime, horizon: timedelta, as_of: datetime
) -> str | None:
    """Whether a contact became a customer within the horizon; None where that is not known."""
    events = history.standing(as_of)
    if not events or not _has_passed(at, horizon, as_of):
        return None
    became = any(
        isinstance(event, LifecycleStageSet)
        and _is_customer(event.stage)
        and event.at - at <= horizon
        for event in events
    )
    return "customer" if became else "no customer"


def _is_customer(stage: LifecycleStage | None) -> bool:
    return stage is not None and stage >= LifecycleStage.CUSTOMER


def _shared(
    history: DealHistory | ContactHistory,
    record: Deal | Contact,
    at: datetime,
    visits: tuple[Visit, ...],
) -> Mapping[str, Any]:
    """What is known of deals and contacts alike."""
    known = history.standing(at)
    first = cast("Opened | Created", known[0])
    activities = [event.at for event in known if isinstance(event, ActivityRecorded)]
    last = max(activities, default=None)
    return {
        "owner": record.owner,
        "source": record.source,
        "verdict": record.verdict,
        "has_next_step": record.next_step is not None,
        "age_days": (at - first.at).days if first.start is Start.EXACT else None,
        "stages_entered": len(visits),
        "activities": len(activities),
        "activities_30_days": sum(at - each < _MONTH for each in activities),
        "days_since_activity": None if last is None else (at - last).days,
        **{f"attributes.{name}": value for name, value in record.attributes.items()},
    }
