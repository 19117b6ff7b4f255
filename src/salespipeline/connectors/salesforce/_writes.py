"""Events as what to write to Salesforce, field by field, with what it cannot hold."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any, get_args

from attrs import field, frozen

from salespipeline._folds import ATTRIBUTE
from salespipeline.connectors.salesforce._rows import KNOWN, squashed
from salespipeline.connectors.salesforce._stages import Stages
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    ContactEvent,
    Created,
    Event,
    FieldSet,
    ForecastCategory,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedIn,
    OptedOut,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    SaleType,
    SharedEvent,
    StageEntered,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome

LABELS: Mapping[ForecastCategory, str] = {
    ForecastCategory.OMITTED: "Omitted",
    ForecastCategory.PIPELINE: "Pipeline",
    ForecastCategory.BEST_CASE: "Best Case",
    ForecastCategory.COMMIT: "Commit",
    ForecastCategory.CLOSED: "Closed",
}
TYPES: Mapping[str, str] = {
    SaleType.NEW_BUSINESS: "New Business",
    SaleType.RENEWAL: "Renewal",
    SaleType.UPSELL: "Existing Customer - Upgrade",
    SaleType.CROSS_SELL: "Cross-Sell",
}
_DEAL_FIELDS = {
    "title": "Name",
    "account": "AccountId",
    "source": "LeadSource",
    "owner": "OwnerId",
}
_LEAD_FIELDS = {
    "name": "LastName",
    "email": "Email",
    "company": "Company",
    "source": "LeadSource",
    "owner": "OwnerId",
}
_SET_BY_ITSELF = frozenset({
    "expectedrevenue", "fiscal", "fiscalquarter", "fiscalyear", "hasopenactivity",
    "hasopportunitylineitem", "hasoverduetask", "lastactivitydate", "lastmodifiedbyid",
    "lastmodifieddate", "laststagechangedate", "systemmodstamp", "pushcount", "photourl",
    "convertedcontactid", "convertedopportunityid", "isunreadbyowner",
})  # fmt: skip
"""The fields that only Salesforce sets, so that there is nothing to write."""
_EXACT = 2**53  # beyond it, two whole numbers share one double
_NEEDED = frozenset({"Name", "OwnerId", "LastName", "Company"})
"""The fields that Salesforce leaves empty on no record."""


@frozen
class Outward:
    """What events mean in Salesforce.

    Attributes:
        writes: What to write, in order: each a dict of ``type`` (Opportunity or Lead), ``Id``,
            ``at`` (when the event happened, in ISO 8601) and ``fields``, the body of a request.
        left: The events that Salesforce cannot hold, or not all of, in order.
    """

    writes: tuple[Mapping[str, Any], ...] = field(hash=False)
    left: tuple[Event, ...]


class Unheld(Exception):  # noqa: N818 - it is caught where it is raised
    """What Salesforce cannot hold: raised and caught within a writer."""


class Draft:
    """The fields that one event sets, and whether they are all of it."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.is_whole = True

    def put(self, name: str, value: object) -> None:
        """Set a field, if Salesforce can hold the value there."""
        try:
            self.fields[name] = held(value, name)
        except Unheld:
            self.is_whole = False

    def attribute(self, name: str, value: object) -> None:
        """Set a field that is none of ours."""
        known = squashed(name)
        if not name or name.startswith("_fivetran") or known in KNOWN:
            self.is_whole = False
        elif known not in _SET_BY_ITSELF:
            self.put(name, value)

    def lacks(self, *facts: object) -> None:
        """Say that what is not None, or empty, has no field."""
        if any(fact is not None and fact != () for fact in facts):
            self.is_whole = False


def held(value: object, name: str) -> object:
    """A value of a field as JSON holds it for Salesforce, whose numbers are doubles.

    Raises:
        Unheld: It is none that could be read back.
    """
    if isinstance(value, bool) or (value is None and name not in _NEEDED):
        return value
    if isinstance(value, str):
        if value and value == value.strip():
            return value
    elif isinstance(value, int | float | Decimal):
        return _double(value)
    elif isinstance(value, date):
        return value.isoformat()
    raise Unheld


def _double(value: float | Decimal) -> float:
    """A number as a double, or as a whole number; not one that a double cannot tell."""
    try:
        number = float(value)
    except (OverflowError, ValueError):
        raise Unheld from None
    if not isinstance(value, float) and Decimal(float.__repr__(number)) != value:
        raise Unheld
    if not isfinite(number):
        raise Unheld
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


class Drafting:
    """What the events of one record set, each type of event in its own way."""

    _ways: Mapping[type[Event], Callable[[Any, Draft], None]]

    def draft(self, event: Event) -> Draft | None:
        """What an event sets; None for one that Salesforce has no field for."""
        way = self._ways.get(type(event))
        if way is None:
            return None
        draft = Draft()
        way(event, draft)
        return draft


class DealWriting(Drafting):
    """A deal's events being told to Salesforce, which sets some fields anew with every stage.

    Args:
        stages: The stages, by the pipelines given.
        record_types: By the key of a pipeline, the RecordTypeId that stands for it alone.
    """

    kind = "Opportunity"

    def __init__(self, stages: Stages, record_types: Mapping[str, str]) -> None:
        self._stages = stages
        self._types = record_types
        self._is_open = True
        self._place: tuple[str | None, str | None] = (None, None)
        self._kept: dict[str, Any] = {}
        self._ways = {
            Opened: self._opened,
            **dict.fromkeys((Moved, Won, Lost, Reopened), self._moved),
            AmountChanged: self._amount,
            CloseDateChanged: self._expected,
            ProbabilitySet: self._probability,
            ForecastCategorySet: self._category,
            NextStepPlanned: _planned,
            NextStepDone: _done,
            OwnerChanged: _owner,
            FieldSet: self._field,
        }

    def _opened(self, event: Opened, draft: Draft) -> None:
        self._is_open = event.outcome is Outcome.OPEN
        self._enter(event.pipeline, event.stage, draft)
        for name, column in _DEAL_FIELDS.items():
            if (value := getattr(event, name)) is not None:
                draft.put(column, value)
        if event.amount is not None:
            _money(event.amount, draft)
        if event.expected_close is not None:
            self._close_date(event.expected_close, draft)
        if event.sale_type is not None:
            draft.put("Type", TYPES[event.sale_type])
        for number, contact in enumerate(event.contacts):
            draft.put("ContactId", contact) if number == 0 else draft.lacks(contact)
        for name, value in event.attributes.items():
            self._attribute(name, value, draft)
        draft.lacks(event.term, event.renews)

    def _moved(self, event: StageEntered, draft: Draft) -> None:
        self._is_open = not isinstance(event, Won | Lost) and (
            self._is_open or isinstance(event, Reopened)
        )
        if (event.pipeline, event.stage) != self._place:
            until = self._kept.get("Probability", (None, None))[1]
            if until is ProbabilityBasis.UNTIL_MOVE:
                del self._kept["Probability"]
                if event.stage == self._place[1]:  # a stage of the same name keeps it there
                    draft.is_whole = False
        self._enter(event.pipeline, event.stage, draft)
        for name, (value, _) in self._kept.items():
            draft.put(name, value)
        if isinstance(event, Won | Lost):
            if event.amount is not None:
                _money(event.amount, draft)
            draft.lacks(event.reason)

    def _enter(self, pipeline: str, stage: str, draft: Draft) -> None:
        before, self._place = self._place[0], (pipeline, stage)
        draft.put("StageName", stage)
        if pipeline in self._types and pipeline != before:
            draft.put("RecordTypeId", self._types[pipeline])
        elif pipeline not in self._types and pipeline != self._stages.pipeline:
            draft.is_whole = False

    def _amount(self, event: AmountChanged, draft: Draft) -> None:
        draft.lacks(event.reason)
        if event.amount is None:
            draft.put("Amount", None)
        else:
            _money(event.amount, draft)

    def _expected(self, event: CloseDateChanged, draft: Draft) -> None:
        self._close_date(event.expected_close, draft)

    def _close_date(self, day: date | None, draft: Draft) -> None:
        """Of a closed deal, CloseDate is when it was closed; and no deal is without one."""
        if day is None or not self._is_open:
            draft.is_whole = False
        else:
            draft.put("CloseDate", day)

    def _probability(self, event: ProbabilitySet, draft: Draft) -> None:
        value, basis = event.probability, event.basis
        self._kept.pop("Probability", None)
        if value is None:
            stage = self._stages.stage(*self._where())
            value = None if stage is None else stage.probability
            draft.lacks(None if value is not None else event)
        else:
            draft.lacks(None if basis is ProbabilityBasis.UNTIL_MOVE else basis)
            self._kept["Probability"] = value.scaleb(2), basis
        if value is not None:
            draft.put("Probability", value.scaleb(2))

    def _category(self, event: ForecastCategorySet, draft: Draft) -> None:
        self._kept.pop("ForecastCategoryName", None)
        if event.category is None:
            draft.is_whole = False
        else:
            label = LABELS[event.category]
            self._kept["ForecastCategoryName"] = label, None
            draft.put("ForecastCategoryName", label)

    def _where(self) -> tuple[str, str]:
        return self._place[0] or "", self._place[1] or ""

    def _field(self, event: FieldSet, draft: Draft) -> None:
        if event.field == "sale_type":
            kind = TYPES.get(event.value) if isinstance(event.value, str) else None
            if kind is None and event.value is not None:
                draft.is_whole = False
            else:
                draft.put("Type", kind)
        elif event.field.startswith(ATTRIBUTE):
            self._attribute(event.field.removeprefix(ATTRIBUTE), event.value, draft)
        else:
            _field(event, draft, _DEAL_FIELDS)

    def _attribute(self, name: str, value: Any, draft: Draft) -> None:
        """A record type may be written only where it is of the deal's own pipeline."""
        if squashed(name) != "recordtypeid" or self._stages.of(value) == self._place[0]:
            draft.attribute(name, value)
        else:
            draft.is_whole = False


class LeadWriting(Drafting):
    """A contact's events being told to Salesforce, as those of a lead.

    Args:
        stages: By Status, the lifecycle stage that it stands for.
        statuses: By Status, the lead status.
    """

    kind = "Lead"

    def __init__(self, stages: Mapping[str, LifecycleStage], statuses: Mapping[str, str]) -> None:
        self._means = {
            word: (stages.get(word), statuses.get(word)) for word in {**stages, **statuses}
        }
        self._stage: LifecycleStage | None = None
        self._ways = {
            Created: self._created,
            LifecycleStageSet: self._reached,
            LeadStatusSet: self._status,
            OptedOut: _opted_out,
            OptedIn: _opted_in,
            OwnerChanged: _owner,
            FieldSet: _lead_field,
        }

    def _created(self, event: Created, draft: Draft) -> None:
        self._stage = event.lifecycle_stage
        bare = (LifecycleStage.LEAD, None)
        if (event.lifecycle_stage, event.lead_status) != bare:
            self._say(draft, [event.lifecycle_stage], event.lead_status)
        for name, column in _LEAD_FIELDS.items():
            if (value := getattr(event, name)) is not None:
                draft.put(column, value)
        for name, value in event.attributes.items():
            draft.attribute(name, value)
        draft.lacks(event.account)

    def _reached(self, event: LifecycleStageSet, draft: Draft) -> None:
        self._stage = event.stage
        self._say(draft, [event.stage], event.lead_status)

    def _status(self, event: LeadStatusSet, draft: Draft) -> None:
        draft.lacks(event.revisit_on)
        self._say(draft, [None, self._stage], event.status)

    def _say(
        self, draft: Draft, stages: Iterable[LifecycleStage | None], status: str | None
    ) -> None:
        """Set the first Status that means a lead status, and no stage but one of some."""
        meant = [(stage, status) for stage in stages]
        word = next((each for each, means in self._means.items() if means in meant), None)
        if word is None:
            draft.is_whole = False
        else:
            draft.put("Status", word)


def _money(amount: Money, draft: Draft) -> None:
    draft.put("Amount", amount.amount)
    draft.put("CurrencyIsoCode", amount.currency)


def _planned(event: NextStepPlanned, draft: Draft) -> None:
    draft.put("NextStep", event.what)
    draft.lacks(event.due)


def _done(_event: NextStepDone, draft: Draft) -> None:
    draft.put("NextStep", None)


def _owner(event: OwnerChanged, draft: Draft) -> None:
    draft.put("OwnerId", event.owner)


def _opted_out(_event: OptedOut, draft: Draft) -> None:
    draft.put("HasOptedOutOfEmail", value=True)


def _opted_in(_event: OptedIn, draft: Draft) -> None:
    draft.put("HasOptedOutOfEmail", value=False)


def _lead_field(event: FieldSet, draft: Draft) -> None:
    _field(event, draft, _LEAD_FIELDS)
    if "LastName" in draft.fields:
        draft.put("FirstName", None)


def _field(event: FieldSet, draft: Draft, columns: Mapping[str, str]) -> None:
    if event.field.startswith(ATTRIBUTE):
        draft.attribute(event.field.removeprefix(ATTRIBUTE), event.value)
    elif event.field in columns:
        draft.put(columns[event.field], event.value)
    else:
        draft.is_whole = False


class Writing:
    """Events of any records being told to Salesforce.

    Args:
        deal: What makes a writing for one deal.
        lead: What makes one for one contact.
    """

    def __init__(self, deal: Callable[[], DealWriting], lead: Callable[[], LeadWriting]) -> None:
        self._makers: Mapping[str, Callable[[], DealWriting | LeadWriting]] = {
            DealWriting.kind: deal,
            LeadWriting.kind: lead,
        }
        self._found: dict[tuple[str, str], DealWriting | LeadWriting] = {}

    def outward(self, events: tuple[Event, ...]) -> Outward:
        """What events mean, in their order."""
        kinds: dict[str, str] = {}
        for event in events:
            if (kind := _kind(event)) is not None:
                kinds.setdefault(event.record, kind)
        writes: list[dict[str, Any]] = []
        left: list[Event] = []
        for event in events:
            kind = _kind(event) or kinds.get(event.record) or _PREFIXES.get(event.record[:3])
            draft = None if kind is None else self._of(kind, event.record).draft(event)
            if draft is None or not draft.is_whole:
                left.append(event)
            if kind is not None and draft is not None and draft.fields:
                at = event.at.isoformat()
                told = {"type": kind, "Id": event.record, "at": at, "fields": draft.fields}
                writes.append(told)
        return Outward(tuple(writes), tuple(left))

    def _of(self, kind: str, record: str) -> DealWriting | LeadWriting:
        found = self._found.get((kind, record))
        if found is None:
            found = self._found[kind, record] = self._makers[kind]()
        return found


_PREFIXES = {"006": DealWriting.kind, "00Q": LeadWriting.kind}
"""What the ids of Salesforce's records begin with."""
_SHARED = frozenset(get_args(SharedEvent))
_OF_CONTACTS = frozenset(get_args(ContactEvent)) - _SHARED


def _kind(event: Event) -> str | None:
    """The object that an event is of; None for one of contacts and deals alike."""
    if type(event) in _SHARED:
        return None
    return LeadWriting.kind if type(event) in _OF_CONTACTS else DealWriting.kind
