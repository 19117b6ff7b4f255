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
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    Reopened,
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
    record as it stood then, its age and its days in the stage, and what was done with it. Its
    ``outcome`` says what came of it within the horizon, judged from ``as_of``: of a deal ``won``
    or ``lost``; of a contact ``customer`` where it became one, ``no customer`` where the horizon
    has passed. It is None where that is not known: a deal that is open is never counted as lost.

    Args:
        histories: The deals, or the contacts; closed deals and customers give no further row.
        as_of: The instant to judge from; what happened later is not known.
        horizon: Within which time the outcome is wanted.

    Returns:
        The rows, record by record in the order given; without histories there are none.

    Raises:
        InvalidValueError: The horizon is not above nothing.
        WrongTypeError: A history is none.
    """
    at = utc(as_of, "as_of")
    if instance(timedelta, horizon, "horizon") <= timedelta(0):
        raise InvalidValueError("horizon", (f"must be above nothing (got {horizon})",))
    if isinstance(histories, str) or not isinstance(histories, Iterable):
        raise WrongTypeError("histories", "several histories", histories)
    rows: list[dict[str, Any]] = []
    for history in cast("Iterable[object]", histories):
        if isinstance(history, DealHistory):
            rows += _of_deal(history, at, horizon)
        elif isinstance(history, ContactHistory):
            rows += _of_contact(history, at, horizon)
        else:
            raise WrongTypeError(
                "histories", "several DealHistory or ContactHistory values", history
            )
    return rows


def _instants(history: DealHistory | ContactHistory, as_of: datetime) -> list[datetime]:
    """When the record entered a stage or status, as far as that was known by then."""
    known = history.standing(as_of)
    seen = (
        max(event.at, event.recorded_at or event.at) for event in known if isinstance(event, _TURNS)
    )
    return sorted({at for at in seen if at <= as_of})


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
                "outcome": _outcome(history, at, min(as_of, at + horizon)),
            }


def _outcome(history: DealHistory, at: datetime, until: datetime) -> str | None:
    """How a deal first closed after an instant, as far as that is known by another."""
    for event in history.standing(until):
        if event.at >= at and isinstance(event, Won | Lost):
            return "won" if isinstance(event, Won) else "lost"
    return None


def _of_contact(
    history: ContactHistory, as_of: datetime, horizon: timedelta
) -> Iterator[dict[str, Any]]:
    for at in _instants(history, as_of):
        contact = history.as_of(at)
        if contact is None or _is_customer(contact):
            continue
        later = history.as_of(min(as_of, at + horizon))
        outcome = None if later is None or at + horizon > as_of else "no customer"
        yield {
            "record": contact.id,
            "at": at,
            "stage": contact.lifecycle_stage,
            "lead_status": contact.lead_status,
            "opted_out": contact.opted_out,
            "has_email": contact.email is not None,
            "has_company": contact.company is not None,
            **_shared(history, contact, at, history.visits(at)),
            "outcome": "customer" if later is not None and _is_customer(later) else outcome,
        }


def _is_customer(contact: Contact) -> bool:
    stage = contact.lifecycle_stage
    return stage is not None and stage >= LifecycleStage.CUSTOMER


def _shared(
    history: DealHistory | ContactHistory,
    record: Deal | Contact,
    at: datetime,
    visits: tuple[Visit, ...],
) -> Mapping[str, Any]:
    """What is known of deals and contacts alike."""
    known = history.standing(at)
    activities = [event for event in known if isinstance(event, ActivityRecorded)]
    last = max((event.at for event in activities), default=None)
    return {
        "owner": record.owner,
        "source": record.source,
        "verdict": record.verdict,
        "has_next_step": record.next_step is not None,
        "age_days": (at - known[0].at).days,
        "stages_entered": len(visits),
        "activities": len(activities),
        "activities_30_days": sum(at - event.at < _MONTH for event in activities),
        "days_since_activity": None if last is None else (at - last).days,
        **{f"attributes.{name}": value for name, value in record.attributes.items()},
    }
