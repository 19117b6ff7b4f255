"""The closed set of things that can happen to a contact or a deal, one frozen type each.

An event says what happened, to which record, when and by whom. It carries all that replaying it
needs, so reading a history never asks a rulebook, a pipeline or a clock.

The types share one comparison, hash and repr, written out here: to generate them for each type
would take half as long as all the rest of this module.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from attrs import fields_dict, frozen

from salespipeline._doors import instance
from salespipeline.attributes import EMPTY, Attributes, Value
from salespipeline.errors import InvalidValueError
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.periods import check_date
from salespipeline.pipelines import Outcome
from salespipeline.rules import Ruling

Identity: TypeAlias = tuple[str, str | int]
"""What an event is known by: (system, original id), else (record id, sequence number).

Record and number are those of the history in which the event happened: a merge keeps both.
"""


class Start(StrEnum):
    """How well a record's beginning is known."""

    EXACT = "exact"
    BY_THEN = "by_then"


class Direction(StrEnum):
    """Which way an activity went."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class SaleType(StrEnum):
    """What kind of sale a deal is."""

    NEW_BUSINESS = "new_business"
    RENEWAL = "renewal"
    UPSELL = "upsell"
    CROSS_SELL = "cross_sell"


class ForecastCategory(StrEnum):
    """How a deal is counted in a forecast by category."""

    OMITTED = "omitted"
    PIPELINE = "pipeline"
    BEST_CASE = "best_case"
    COMMIT = "commit"
    CLOSED = "closed"


class ProbabilityBasis(StrEnum):
    """Where the probability of a deal comes from."""

    STAGE = "stage"
    UNTIL_MOVE = "until_move"
    STICKY = "sticky"
    MODEL = "model"


@frozen
class Term:
    """What a deal sells over time.

    Attributes:
        start: The first day of service.
        end: The first day after it; later than ``start``.
        recurring: The amount paid for the whole term.
    """

    start: date
    end: date
    recurring: Money

    def __attrs_post_init__(self) -> None:
        """Refuse what is no date or no money, and a term without a day in it."""
        check_date(self.start, "start")
        check_date(self.end, "end")
        instance(Money, self.recurring, "recurring")
        if self.end <= self.start:
            raise InvalidValueError("term", (f"the end {self.end} is not after {self.start}",))


@frozen
class NextStep:
    """What was agreed to be done next.

    Attributes:
        what: The step.
        due: The calendar date by which it is to be done, or None.
    """

    what: str
    due: date | None = None


@frozen
class Probability:
    """A deal's own chance of being won, apart from its stage's.

    Attributes:
        value: From 0 to 1.
        basis: By hand until the next move, by hand for good, or from a model.
    """

    value: Decimal
    basis: ProbabilityBasis


@frozen
class Origin:
    """Where an event stood before its history was merged into another.

    Attributes:
        record: The record it happened to.
        sequence: Its place there.
        latest_at: The latest instant of that history up to and with it.
    """

    record: str
    sequence: int
    latest_at: datetime


@frozen(kw_only=True, eq=False, repr=False)
class Event:
    """What every event says.

    Attributes:
        record: The id of the contact or deal.
        sequence: Its place in the record's history: 1, 2, 3 and so on.
        at: When it happened, in UTC.
        by: Who did it, or None where that is not known.
        role: What they acted as, or None.
        recorded_at: When the system learnt of it, if later.
        system: Where the event was read from, or None.
        original_id: Its id there, or None.
        origin: Where it stood before a merge, or None.
    """

    record: str
    sequence: int
    at: datetime
    by: str | None = None
    role: str | None = None
    recorded_at: datetime | None = None
    system: str | None = None
    original_id: str | None = None
    origin: Origin | None = None

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same type and says the same."""
        if type(other) is not type(self):
            return NotImplemented
        return self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((type(self), self._facts()))

    def __repr__(self) -> str:
        """What it says, without the fields that say nothing."""
        said = zip(fields_dict(type(self)), self._facts(), strict=True)
        told = ", ".join(f"{name}={fact!r}" for name, fact in said if fact is not None)
        return f"{type(self).__name__}({told})"

    def _facts(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in fields_dict(type(self)))

    @property
    def identity(self) -> Identity:
        """What the event is known by, in every copy of it and after every merge."""
        if self.system is not None and self.original_id is not None:
            return self.system, self.original_id
        if self.origin is not None:
            return self.origin.record, self.origin.sequence
        return self.record, self.sequence


@frozen(kw_only=True, eq=False, repr=False)
class Created(Event):
    """A contact came into being, or is first known of.

    Attributes:
        start: Whether it came into being at that instant, or by then at the latest.
        observed_from: The instant from which its history is complete; None: from the start.
    """

    start: Start = Start.EXACT
    observed_from: datetime | None = None
    lifecycle_stage: LifecycleStage | None = None
    lead_status: str | None = None
    name: str | None = None
    email: str | None = None
    company: str | None = None
    account: str | None = None
    owner: str | None = None
    source: str | None = None
    attributes: Attributes = EMPTY
    ruling: Ruling | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Opened(Event):
    """A deal came into being, or is first known of.

    Attributes:
        start: Whether it was opened at that instant, or by then at the latest.
        observed_from: The instant from which its history is complete; None: from the start.
        outcome: What its first stage means.
    """

    pipeline: str
    stage: str
    outcome: Outcome = Outcome.OPEN
    start: Start = Start.EXACT
    observed_from: datetime | None = None
    title: str | None = None
    amount: Money | None = None
    account: str | None = None
    contacts: tuple[str, ...] = ()
    owner: str | None = None
    source: str | None = None
    sale_type: SaleType | None = None
    expected_close: date | None = None
    term: Term | None = None
    renews: str | None = None
    attributes: Attributes = EMPTY
    ruling: Ruling | None = None


@frozen(kw_only=True, eq=False, repr=False)
class FieldSet(Event):
    """A field that no other event sets was set, or an attribute, as ``attributes.name``."""

    field: str
    value: "Value | Term"


@frozen(kw_only=True, eq=False, repr=False)
class OwnerChanged(Event):
    """Somebody else, or nobody, works the record now."""

    owner: str | None


@frozen(kw_only=True, eq=False, repr=False)
class ActivityRecorded(Event):
    """Something was done with, or by, the people behind the record; no state changed.

    Attributes:
        kind: A key such as ``call``, ``email`` or ``webinar``.
        direction: Inbound from them, outbound to them, or None.
    """

    kind: str
    direction: Direction | None = None


@frozen(kw_only=True, eq=False, repr=False)
class NextStepPlanned(Event):
    """A next step was agreed, in place of any other.

    Attributes:
        what: The step.
        due: The calendar date by which it is to be done, or None.
    """

    what: str
    due: date | None = None


@frozen(kw_only=True, eq=False, repr=False)
class NextStepDone(Event):
    """The planned next step was done."""


@frozen(kw_only=True, eq=False, repr=False)
class Assessed(Event):
    """One criterion of a qualification framework was answered.

    Attributes:
        framework: The framework's key, such as ``bant``.
        criterion: The criterion's key, such as ``budget``.
        answer: The answer's key: unknown, unmet, partly or met.
        evidence: What the answer rests on.
        source: Who or what gave it.
        expires_at: When it ceases to hold, or None.
        verdict: The verdict that results, or None where it is left as it was.
    """

    framework: str
    criterion: str
    answer: str
    evidence: str | None = None
    source: str | None = None
    expires_at: datetime | None = None
    verdict: str | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Approved(Event):
    """An approval was given; it holds until the record leaves its stage.

    Attributes:
        approval: The role whose approval it is.
    """

    approval: str


@frozen(kw_only=True, eq=False, repr=False)
class ApprovalWithdrawn(Event):
    """An approval was taken back."""

    approval: str


@frozen(kw_only=True, eq=False, repr=False)
class Merged(Event):
    """Another record turned out to be the same, and its history was taken in.

    Attributes:
        other: The id of the other record.
        creation: How the other record began, where its history was merged into this one; None
            where another system merged them and says no more.
    """

    other: str
    creation: Created | Opened | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Voided(Event):
    """An earlier event was a mistake and counts for nothing.

    Attributes:
        voids: The identity of the mistaken event.
        why: The reason given.
    """

    voids: Identity
    why: str


@frozen(kw_only=True, eq=False, repr=False)
class Deleted(Event):
    """The record was deleted; figures of earlier instants keep it."""

    why: str | None = None


@frozen(kw_only=True, eq=False, repr=False)
class LifecycleStageSet(Event):
    """A contact's lifecycle stage was recorded.

    Attributes:
        stage: The stage recorded.
        stage_left: The stage before, or None.
        lead_status: The lead status after it, or None.
    """

    stage: LifecycleStage
    stage_left: LifecycleStage | None = None
    lead_status: str | None = None
    ruling: Ruling | None = None


@frozen(kw_only=True, eq=False, repr=False)
class LeadStatusSet(Event):
    """A contact's lead status was set, or, by another system, cleared.

    Attributes:
        status: The status entered, or None.
        status_left: The status before, or None.
        revisit_on: The date to come back to a lead of bad timing, or None.
    """

    status: str | None
    status_left: str | None = None
    revisit_on: date | None = None
    ruling: Ruling | None = None


@frozen(kw_only=True, eq=False, repr=False)
class OptedOut(Event):
    """A contact asked not to be contacted."""


@frozen(kw_only=True, eq=False, repr=False)
class OptedIn(Event):
    """A contact agreed to be contacted."""


@frozen(kw_only=True, eq=False, repr=False)
class StageEntered(Event):
    """What every change of a deal's stage says; not an event by itself.

    Attributes:
        pipeline: The pipeline of the stage entered.
        stage: The stage entered.
        pipeline_left: The pipeline of the stage left, or None where that is not known.
        stage_left: The stage left, or None where that is not known.
    """

    pipeline: str
    stage: str
    pipeline_left: str | None = None
    stage_left: str | None = None
    ruling: Ruling | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Moved(StageEntered):
    """A deal went to another stage, and its outcome stayed."""


@frozen(kw_only=True, eq=False, repr=False)
class Won(StageEntered):
    """A deal was won.

    Attributes:
        reason: Why, or None.
        amount: The final amount, or None where it is the amount before.
    """

    reason: str | None = None
    amount: Money | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Lost(StageEntered):
    """A deal was lost.

    Attributes:
        reason: Why, or None.
        amount: The final amount, or None where it is the amount before.
    """

    reason: str | None = None
    amount: Money | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Reopened(StageEntered):
    """A closed deal is open again."""


@frozen(kw_only=True, eq=False, repr=False)
class AmountChanged(Event):
    """A deal is worth another amount."""

    amount: Money | None
    reason: str | None = None


@frozen(kw_only=True, eq=False, repr=False)
class ConcessionMade(Event):
    """Something was given up to the buyer.

    Attributes:
        what: What was given up.
        value: What it is worth, or None.
    """

    what: str
    value: Money | None = None


@frozen(kw_only=True, eq=False, repr=False)
class CloseDateChanged(Event):
    """A deal is expected to close on another date, or on none."""

    expected_close: date | None


@frozen(kw_only=True, eq=False, repr=False)
class ProbabilitySet(Event):
    """A deal's probability was given by hand or by a model; None takes it back."""

    probability: Decimal | None
    basis: ProbabilityBasis = ProbabilityBasis.UNTIL_MOVE


@frozen(kw_only=True, eq=False, repr=False)
class ForecastCategorySet(Event):
    """A deal's forecast category was given by hand; None takes it back."""

    category: ForecastCategory | None


@frozen(kw_only=True, eq=False, repr=False)
class ContactLinked(Event):
    """A contact takes part in the deal."""

    contact: str


@frozen(kw_only=True, eq=False, repr=False)
class ContactUnlinked(Event):
    """A contact takes part in the deal no longer."""

    contact: str


SharedEvent: TypeAlias = (
    FieldSet
    | OwnerChanged
    | ActivityRecorded
    | NextStepPlanned
    | NextStepDone
    | Assessed
    | Approved
    | ApprovalWithdrawn
    | Merged
    | Voided
    | Deleted
)
"""What can happen to contacts and deals alike."""

ContactEvent: TypeAlias = (
    Created | LifecycleStageSet | LeadStatusSet | OptedOut | OptedIn | SharedEvent
)
"""What can happen to a contact."""

DealEvent: TypeAlias = (
    Opened
    | Moved
    | Won
    | Lost
    | Reopened
    | AmountChanged
    | ConcessionMade
    | CloseDateChanged
    | ProbabilitySet
    | ForecastCategorySet
    | ContactLinked
    | ContactUnlinked
    | SharedEvent
)
"""What can happen to a deal."""
