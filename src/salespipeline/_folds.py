"""What each event does to a draft of a contact or a deal; a replay is these one after the other."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from salespipeline.attributes import Attributes
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    ApprovalWithdrawn,
    Approved,
    Assessed,
    CloseDateChanged,
    ConcessionMade,
    ContactLinked,
    ContactUnlinked,
    Created,
    Deleted,
    Event,
    FieldSet,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedIn,
    OptedOut,
    OwnerChanged,
    Probability,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    StageEntered,
    Voided,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import Outcome

Apply = Callable[[Any, Any], None]
"""What an event does to a draft."""

ATTRIBUTE = "attributes."
"""What the name of an attribute begins with, where it stands beside the names of fields."""


def touch(draft: Any, event: Event) -> None:
    if event.at > draft.changed_at:  # noqa: PLR1730 - max takes twice as long, at every event
        draft.changed_at = event.at


class GoneError(Exception):
    """The record is deleted: there is no snapshot."""


def _deleted(_draft: Any, _event: Event) -> None:
    raise GoneError


def _no_change(draft: Any, event: Event) -> None:
    """An activity changes no state."""


def _field_set(draft: Any, event: FieldSet) -> None:
    if event.field.startswith(ATTRIBUTE):
        name = event.field.removeprefix(ATTRIBUTE)
        draft.attributes = draft.attributes.with_value(name, event.value)
    else:
        setattr(draft, event.field, event.value)
    touch(draft, event)


def _owner_changed(draft: Any, event: OwnerChanged) -> None:
    draft.owner = event.owner
    touch(draft, event)


def _next_step_planned(draft: Any, event: NextStepPlanned) -> None:
    draft.next_step = NextStep(event.what, event.due)
    touch(draft, event)


def _next_step_done(draft: Any, event: NextStepDone) -> None:
    draft.next_step = None
    touch(draft, event)


def _assessed(draft: Any, event: Assessed) -> None:
    if event.verdict is not None:
        draft.verdict = event.verdict
    touch(draft, event)


def _approved(draft: Any, event: Approved) -> None:
    draft.approvals |= {event.approval}
    touch(draft, event)


def _approval_withdrawn(draft: Any, event: ApprovalWithdrawn) -> None:
    draft.approvals -= {event.approval}
    touch(draft, event)


def _fill(draft: Any, begun: Created | Opened, names: tuple[str, ...]) -> None:
    """Take what is still empty from another record's beginning."""
    for name in names:
        if getattr(draft, name) is None:
            setattr(draft, name, getattr(begun, name))
    if begun.attributes:
        draft.attributes = Attributes({**begun.attributes, **draft.attributes})


SHARED: Mapping[type, Apply] = {
    FieldSet: _field_set,
    OwnerChanged: _owner_changed,
    ActivityRecorded: _no_change,
    NextStepPlanned: _next_step_planned,
    NextStepDone: _next_step_done,
    Assessed: _assessed,
    Approved: _approved,
    ApprovalWithdrawn: _approval_withdrawn,
    Voided: touch,
    Deleted: _deleted,
}
"""What each shared event does to a draft."""


def _created(draft: Any, event: Created) -> None:
    draft.id = event.record
    draft.lifecycle_stage = event.lifecycle_stage
    draft.stage_since = None if event.lifecycle_stage is None else event.at
    draft.changed_at = draft.created_at = event.at
    draft.lead_status = event.lead_status
    draft.status_since = None if event.lead_status is None else event.at
    draft.revisit_on = None
    draft.name, draft.email, draft.company = event.name, event.email, event.company
    draft.account, draft.owner, draft.source = event.account, event.owner, event.source
    draft.next_step = None
    draft.opted_out = False
    draft.approvals = frozenset()
    draft.verdict = None
    draft.attributes = event.attributes


def _lifecycle_stage_set(draft: Any, event: LifecycleStageSet) -> None:
    if draft.lifecycle_stage is None or event.stage.rank > draft.lifecycle_stage.rank:
        draft.lifecycle_stage = event.stage
        draft.stage_since = event.at
        draft.approvals = frozenset()
    if event.lead_status != draft.lead_status:
        _enter_status(draft, event.lead_status, event.at)
    touch(draft, event)


def _lead_status_set(draft: Any, event: LeadStatusSet) -> None:
    if event.status != draft.lead_status:
        _enter_status(draft, event.status, event.at)
    draft.revisit_on = event.revisit_on or draft.revisit_on
    touch(draft, event)


def _enter_status(draft: Any, status: str | None, at: datetime) -> None:
    draft.lead_status = status
    draft.status_since = None if status is None else at
    draft.revisit_on = None


def rank(stage: LifecycleStage | None) -> int:
    """How far a lifecycle stage is; none is before the first."""
    return -1 if stage is None else stage.rank


def status_with(stage: LifecycleStage | None, status: str | None, begun: Created) -> str | None:
    """The lead status of a contact after another's beginning is taken in.

    It goes with the lifecycle stage: that of the one further on; of equals, that of the first.
    """
    behind = rank(begun.lifecycle_stage) - rank(stage)
    return begun.lead_status if behind > 0 or (behind == 0 and status is None) else status


_PERSON = ("name", "email", "company", "account", "owner", "source")


def _contact_merged(draft: Any, event: Merged) -> None:
    begun = event.creation
    if isinstance(begun, Created):
        status = status_with(draft.lifecycle_stage, draft.lead_status, begun)
        if rank(begun.lifecycle_stage) > rank(draft.lifecycle_stage):
            draft.lifecycle_stage, draft.stage_since = begun.lifecycle_stage, event.at
            draft.approvals = frozenset()
        if status != draft.lead_status:
            _enter_status(draft, status, event.at)
        _fill(draft, begun, _PERSON)
    touch(draft, event)


def _opted_out(draft: Any, event: OptedOut) -> None:
    draft.opted_out = True
    touch(draft, event)


def _opted_in(draft: Any, event: OptedIn) -> None:
    draft.opted_out = False
    touch(draft, event)


CONTACT: Mapping[type, Apply] = {
    Created: _created,
    LifecycleStageSet: _lifecycle_stage_set,
    LeadStatusSet: _lead_status_set,
    OptedOut: _opted_out,
    OptedIn: _opted_in,
    Merged: _contact_merged,
    **SHARED,
}
"""What each event of a contact does to a draft."""


def _opened(draft: Any, event: Opened) -> None:
    draft.id = event.record
    draft.pipeline, draft.stage = event.pipeline, event.stage
    draft.stage_since = draft.changed_at = draft.opened_at = event.at
    draft.outcome = event.outcome
    draft.closed_at = None if event.outcome is Outcome.OPEN else event.at
    draft.closed_from = draft.reason = None
    draft.title, draft.amount, draft.account = event.title, event.amount, event.account
    draft.contacts, draft.owner, draft.source = event.contacts, event.owner, event.source
    draft.sale_type, draft.expected_close = event.sale_type, event.expected_close
    draft.forecast_category = draft.probability = None
    draft.term, draft.renews = event.term, event.renews
    draft.next_step = draft.verdict = None
    draft.approvals = frozenset()
    draft.attributes = event.attributes


def _moved(draft: Any, event: StageEntered) -> None:
    if event.stage != draft.stage or event.pipeline != draft.pipeline:
        draft.stage_since = event.at
        draft.approvals = frozenset()
        if draft.probability is not None and draft.probability.basis is ProbabilityBasis.UNTIL_MOVE:
            draft.probability = None
    draft.pipeline, draft.stage = event.pipeline, event.stage
    touch(draft, event)


def _close(draft: Any, event: Won | Lost, outcome: Outcome) -> None:
    draft.outcome, draft.closed_at, draft.reason = outcome, event.at, event.reason
    draft.closed_from = event.stage_left
    if event.amount is not None:
        draft.amount = event.amount
    _moved(draft, event)


def _won(draft: Any, event: Won) -> None:
    _close(draft, event, Outcome.WON)


def _lost(draft: Any, event: Lost) -> None:
    _close(draft, event, Outcome.LOST)


def _reopened(draft: Any, event: Reopened) -> None:
    draft.outcome = Outcome.OPEN
    draft.closed_at = draft.closed_from = draft.reason = None
    _moved(draft, event)


def _amount_changed(draft: Any, event: AmountChanged) -> None:
    draft.amount = event.amount
    touch(draft, event)


def _close_date_changed(draft: Any, event: CloseDateChanged) -> None:
    draft.expected_close = event.expected_close
    touch(draft, event)


def _probability_set(draft: Any, event: ProbabilitySet) -> None:
    value = event.probability
    draft.probability = None if value is None else Probability(value, event.basis)
    touch(draft, event)


def _forecast_category_set(draft: Any, event: ForecastCategorySet) -> None:
    draft.forecast_category = event.category
    touch(draft, event)


def _contact_linked(draft: Any, event: ContactLinked) -> None:
    draft.contacts = tuple(dict.fromkeys((*draft.contacts, event.contact)))
    touch(draft, event)


def _contact_unlinked(draft: Any, event: ContactUnlinked) -> None:
    draft.contacts = tuple(each for each in draft.contacts if each != event.contact)
    touch(draft, event)


_SALE = (
    "title", "amount", "account", "owner", "source", "sale_type", "expected_close", "term",
    "renews",
)  # fmt: skip


def _deal_merged(draft: Any, event: Merged) -> None:
    begun = event.creation
    if isinstance(begun, Opened):
        draft.contacts = tuple(dict.fromkeys((*draft.contacts, *begun.contacts)))
        _fill(draft, begun, _SALE)
    touch(draft, event)


DEAL: Mapping[type, Apply] = {
    Opened: _opened,
    Moved: _moved,
    Won: _won,
    Lost: _lost,
    Reopened: _reopened,
    AmountChanged: _amount_changed,
    ConcessionMade: touch,
    CloseDateChanged: _close_date_changed,
    ProbabilitySet: _probability_set,
    ForecastCategorySet: _forecast_category_set,
    ContactLinked: _contact_linked,
    ContactUnlinked: _contact_unlinked,
    Merged: _deal_merged,
    **SHARED,
}
"""What each event of a deal does to a draft."""
