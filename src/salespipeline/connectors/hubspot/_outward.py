"""Events as the changes of properties that a HubSpot portal would have to be told."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias, cast

from attrs import frozen

from salespipeline._doors import NOTHING, choice, instances, text
from salespipeline.connectors.hubspot._contacts import (
    LEAD_STATUSES,
    LIFECYCLE_STAGES,
    name_parts,
)
from salespipeline.connectors.hubspot._deals import FORECASTS, NEW_BUSINESS
from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    Created,
    Deleted,
    Event,
    FieldSet,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    SaleType,
    StageEntered,
    Start,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.periods import check_zone, midnight
from salespipeline.pipelines import Outcome

Properties: TypeAlias = dict[str, str]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}", re.ASCII)
_FIELDS = {
    "deals": {"title": "dealname"},
    "contacts": {"email": "email", "company": "company"},
}
_MEANT = {
    "deals": {
        "dealname", "dealstage", "pipeline", "amount", "deal_currency_code", "closedate",
        "dealtype", "hs_deal_stage_probability", "hs_manual_forecast_category",
        "hs_forecast_category", "hs_next_step", "closed_won_reason", "closed_lost_reason",
    },
    "contacts": {
        "firstname", "lastname", "email", "company", "lifecyclestage", "hs_lead_status",
        "hs_email_optout",
    },
}  # fmt: skip
_MEANT_EVERYWHERE = {
    "hubspot_owner_id", "hs_analytics_source", "createdate", "hs_createdate",
    "hs_merged_object_ids", "hs_calculated_merged_vids", "hs_object_id",
}  # fmt: skip
"""The properties that are more than attributes: as such they would say something else."""

_CATEGORIES = {category: name for name, category in FORECASTS.items()}


@frozen
class Unheld:
    """What an event says and HubSpot cannot hold.

    Attributes:
        event: The event.
        field: The field of the event, or None for all of it.
        reason: Why.
    """

    event: Event
    field: str | None
    reason: str


@frozen
class Outward:
    """What events mean to HubSpot.

    Attributes:
        changes: What to write, in order: plain dicts of ``objectType``, ``id``, ``timestamp``
            (ISO 8601, UTC) and ``properties``, all of whose values are text, the empty text to
            clear one; ``archived`` is in it, and true, where the object is to be archived.
        unheld: What HubSpot cannot hold, in order.
    """

    changes: tuple[dict[str, Any], ...]
    unheld: tuple[Unheld, ...]


def changes(
    events: Iterable[Event],
    *,
    object_type: str,
    stages: Mapping[str, str | None] = NOTHING,
    statuses: Mapping[str, str] = NOTHING,
    zone: tzinfo = UTC,
) -> Outward:
    """What events mean to HubSpot, for the caller to write there.

    Applied to an object, each as an entry of its properties' histories, they read back to the
    same state: stage, status, outcome, amount, expected close, owner, fields and attributes, as
    far as nothing of it is unheld. HubSpot keeps text: an attribute of another kind comes back
    as one. A backward lifecycle stage is unheld, for HubSpot ignores it without a word.

    Args:
        events: The events of any number of records, each record's in order.
        object_type: ``deals`` or ``contacts``.
        stages: The portal's own lifecycle stages, as for `read_contacts`.
        statuses: The portal's own lead statuses, as for `read_contacts`.
        zone: The zone in whose midnight an expected closing date begins.

    Raises:
        UnknownKeyError: There is no such type of object, or no such lifecycle stage.
        WrongTypeError: These are no events.

    >>> from datetime import datetime
    >>> from salespipeline.deals import Deal
    >>> from salespipeline.pipelines import HUBSPOT_DEFAULT
    >>> start = datetime(2026, 3, 1, 9, tzinfo=UTC)
    >>> deal, opened = Deal.open("7", at=start, by="52", pipeline=HUBSPOT_DEFAULT)
    >>> deal, moved = deal.move("contractsent", at=start, by="52", pipeline=HUBSPOT_DEFAULT)
    >>> changes([moved], object_type="deals").changes[0]["properties"]
    {'pipeline': 'default', 'dealstage': 'contractsent'}

    Source: HubSpot's API specifications ``CRM/Deals`` and ``CRM/Contacts``, version 3; its
    community on lifecycle stages set backward.
    """
    if object_type not in ("deals", "contacts"):
        raise UnknownKeyError("type of object", object_type, ("deals", "contacts"))
    portal = _Portal(object_type, check_zone(zone), _stage_names(stages), _status_names(statuses))
    records: dict[str, _Record] = {}
    for event in instances(Event, events, "events"):
        record = records.setdefault(event.record, _Record(portal))
        record.tell(event)
    told = [each for record in records.values() for each in record.told]
    return Outward(
        tuple(change for _, change in sorted(told, key=lambda each: each[0])),
        tuple(each for record in records.values() for each in record.unheld),
    )


def _mapping(given: object, name: str) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise WrongTypeError(name, "a mapping", given)
    return cast("Mapping[Any, Any]", given)


def _stage_names(stages: Mapping[str, str | None]) -> dict[LifecycleStage, str]:
    """HubSpot's name for each of our stages, the portal's own before its usual one."""
    given = _mapping(stages, "stages")
    read = dict(LIFECYCLE_STAGES)
    for name, key in given.items():
        stage = None if key is None else choice(LifecycleStage, key, "lifecycle stage")
        read[text(name, "stages")] = stage
    names = sorted(read, key=lambda name: name not in given, reverse=True)
    return {stage: name for name in names if (stage := read[name]) is not None}


def _status_names(statuses: Mapping[str, str]) -> dict[str, str]:
    given = _mapping(statuses, "statuses")
    own = {text(name, "statuses"): text(key, "statuses") for name, key in given.items()}
    usual = {key: name for name, key in LEAD_STATUSES.items() if name not in own}
    return usual | {key: name for name, key in own.items()}


@frozen
class _Portal:
    kind: str
    zone: tzinfo
    stages: Mapping[LifecycleStage, str]
    statuses: Mapping[str, str]


class _Record:
    """One record being told of, event by event."""

    def __init__(self, portal: _Portal) -> None:
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.unheld: list[Unheld] = []
        self._portal = portal
        self._event: Event
        self._furthest: LifecycleStage | None = None
        self._status: str | None = ""  # not known
        self._closed = False
        self._expected: str | None = None

    def tell(self, event: Event) -> None:
        """Take what an event means, or say that it is unheld."""
        self._event = event
        told = self.tellers.get(type(event))
        if told is None or not _of_kind(event, self._portal.kind):
            self._leave(None, _WHY.get(type(event).__name__, "HubSpot has no such property"))
            return
        properties = told(self, event)
        if properties is None and not isinstance(event, Deleted):
            return
        change: dict[str, Any] = {
            "objectType": self._portal.kind,
            "id": event.record,
            "timestamp": _iso(event.at),
            "properties": properties or {},
        }
        if isinstance(event, Deleted):
            change["archived"] = True
        if change["properties"] or isinstance(event, Deleted):
            self.told.append((event.sequence, change))

    def _leave(self, field: str | None, reason: str) -> None:
        self.unheld.append(Unheld(self._event, field, reason))

    def _text(self, field: str, value: object) -> str | None:
        """A value as HubSpot takes it; None, and unheld, where it cannot."""
        written = _written(value)
        if written is None:
            self._leave(field, "HubSpot keeps text that is not blank, without outer blanks")
        return written

    def _put(self, found: Properties, name: str, field: str, value: object) -> None:
        written = self._text(field, value)
        if written is not None:
            found[name] = written

    # Both

    def _fields(self, fields: Mapping[str, object]) -> Properties:
        found: Properties = {}
        for field, value in fields.items():
            if field == "owner":
                self._put(found, "hubspot_owner_id", field, value)
            elif field.startswith("attributes."):
                self._attribute(found, field, value)
            elif field in _FIELDS[self._portal.kind]:
                self._put(found, _FIELDS[self._portal.kind][field], field, value)
            elif field == "name" and self._portal.kind == "contacts":
                found |= self._name(value)
            elif field == "sale_type" and value in {None, SaleType.NEW_BUSINESS}:
                found["dealtype"] = "" if value is None else NEW_BUSINESS
            else:
                self._leave(field, "HubSpot has no property of its own for it")
        return found

    def _attribute(self, found: Properties, field: str, value: object) -> None:
        name, kind = field.removeprefix("attributes."), self._portal.kind
        if _NAME.fullmatch(name) is None:
            self._leave(field, "a property of HubSpot has a name in lower case, digits and _")
        elif name in _MEANT[kind] | _MEANT_EVERYWHERE and not self._says_the_same(name, value):
            self._leave(field, "HubSpot means something else by this property")
        else:
            self._put(found, name, field, value)

    def _says_the_same(self, name: str, value: object) -> bool:
        """Whether a property with a meaning is read back as the attribute, with such a value."""
        if name == "lifecyclestage":
            return value is None or value == "other"
        if name == "closedate":
            return self._closed
        return name == "dealtype" and value not in {None, NEW_BUSINESS}

    def _name(self, value: object) -> Properties:
        written = self._text("name", value)
        if written is None:
            return {}
        first, last = name_parts(written)
        if last is not None and last != last.strip():
            self._leave("name", "HubSpot keeps a first and a last name, without outer blanks")
            return {}
        return {"firstname": first, "lastname": last or ""}

    def _told_fields(self, event: Created | Opened, names: tuple[str, ...]) -> Properties:
        """What a record begins with."""
        if event.start is Start.BY_THEN:
            self._leave("start", "HubSpot has one date of creation, which counts as exact")
        fields: dict[str, object] = {name: getattr(event, name) for name in names}
        fields |= {f"attributes.{name}": value for name, value in event.attributes.items()}
        said = {name: value for name, value in fields.items() if value is not None}
        return {"createdate": _iso(event.at), **self._fields(said)}

    def _field(self, event: FieldSet) -> Properties:
        return self._fields({event.field: event.value})

    def _owner(self, event: OwnerChanged) -> Properties:
        return self._fields({"owner": event.owner})

    def _deleted(self, event: Deleted) -> Properties:
        if event.why is not None:
            self._leave("why", "HubSpot keeps no reason for archiving")
        return {}

    # Contacts

    def _created(self, event: Created) -> Properties:
        found = self._told_fields(event, ("name", "email", "company", "account", "owner", "source"))
        self._status = None
        if event.lifecycle_stage is not None:
            found |= self._reached(event.lifecycle_stage)
        return found | self._entered_status(event.lead_status)

    def _stage(self, event: LifecycleStageSet) -> Properties:
        known = [each for each in (self._furthest, event.stage_left) if each is not None]
        furthest = max(known, default=event.stage)
        found: Properties = {}
        if event.stage < furthest:
            self._furthest = furthest
            self._leave("stage", "HubSpot ignores a lifecycle stage below the present one")
        else:
            found = self._reached(event.stage)
        return found | self._entered_status(event.lead_status)

    def _reached(self, stage: LifecycleStage) -> Properties:
        self._furthest = stage
        return {"lifecyclestage": self._portal.stages[stage]}

    def _set_status(self, event: LeadStatusSet) -> Properties:
        if event.revisit_on is not None:
            self._leave("revisit_on", "HubSpot has no property of its own for it")
        return self._entered_status(event.status)

    def _entered_status(self, status: str | None) -> Properties:
        if status == self._status:
            return {}
        self._status = status
        name = None if status is None else self._portal.statuses.get(status, status)
        if status not in self._portal.statuses and name in self._portal.statuses.values():
            self._leave("lead_status", "HubSpot means another status by it")
            return {}
        found: Properties = {}
        self._put(found, "hs_lead_status", "lead_status", name)
        return found

    # Deals

    def _opened(self, event: Opened) -> Properties:
        found = self._told_fields(event, ("title", "account", "owner", "source", "sale_type"))
        for name in ("contacts", "term", "renews"):
            if getattr(event, name):
                self._leave(name, _LINKS if name == "contacts" else "HubSpot has no such property")
        found |= self._stands(event.pipeline, event.stage)
        if event.amount is not None:
            found |= _worth(event.amount)
        self._closed = event.outcome is not Outcome.OPEN
        self._expected = self._begins(event.expected_close)
        if self._closed:
            found["closedate"] = _iso(event.at)
            if event.expected_close is not None:
                self._leave("expected_close", _ONE_DATE)
        elif self._expected:
            found["closedate"] = self._expected
        return found

    def _stands(self, pipeline: str, stage: str) -> Properties:
        if _written(pipeline) == pipeline and _written(stage) == stage:
            return {"pipeline": pipeline, "dealstage": stage}
        self._leave("stage", "HubSpot keeps text that is not blank, without outer blanks")
        return {}

    def _moved(self, event: StageEntered) -> Properties:
        found = self._stands(event.pipeline, event.stage)
        if isinstance(event, Won | Lost):
            self._closed = True
            found["closedate"] = _iso(event.at)
            name = "closed_won_reason" if isinstance(event, Won) else "closed_lost_reason"
            self._put(found, name, "reason", event.reason)
            if event.amount is not None:
                found |= _worth(event.amount)
        elif isinstance(event, Reopened):
            self._closed = False
            if self._expected is not None:
                found["closedate"] = self._expected
        return found

    def _amount(self, event: AmountChanged) -> Properties:
        if event.reason is not None:
            self._leave("reason", "HubSpot keeps no reason for an amount")
        return {"amount": ""} if event.amount is None else _worth(event.amount)

    def _expects(self, event: CloseDateChanged) -> Properties | None:
        self._expected = self._begins(event.expected_close)
        if self._closed:
            self._leave("expected_close", _ONE_DATE)
            return None
        return {"closedate": self._expected}

    def _begins(self, day: date | None) -> str:
        return "" if day is None else _iso(midnight(day, self._portal.zone))

    def _probability(self, event: ProbabilitySet) -> Properties:
        if event.basis is not ProbabilityBasis.UNTIL_MOVE:
            self._leave("basis", "a stage entered overwrites the probability in HubSpot")
        said = event.probability
        return {"hs_deal_stage_probability": "" if said is None else format(said, "f")}

    def _forecast(self, event: ForecastCategorySet) -> Properties:
        said = event.category
        return {"hs_manual_forecast_category": "" if said is None else _CATEGORIES[said]}

    def _planned(self, event: NextStepPlanned) -> Properties:
        if event.due is not None:
            self._leave("due", "HubSpot keeps no date of the next step")
        found: Properties = {}
        self._put(found, "hs_next_step", "what", event.what)
        return found

    def _done(self, _event: NextStepDone) -> Properties:
        return {"hs_next_step": ""}

    tellers: ClassVar[Mapping[type, Callable[..., Properties | None]]] = {
        FieldSet: _field,
        OwnerChanged: _owner,
        Deleted: _deleted,
        Created: _created,
        LifecycleStageSet: _stage,
        LeadStatusSet: _set_status,
        Opened: _opened,
        Moved: _moved,
        Won: _moved,
        Lost: _moved,
        Reopened: _moved,
        AmountChanged: _amount,
        CloseDateChanged: _expects,
        ProbabilitySet: _probability,
        ForecastCategorySet: _forecast,
        NextStepPlanned: _planned,
        NextStepDone: _done,
    }


_LINKS = "associations are written by calls of their own"
_ONE_DATE = "the closing date of a closed deal is when it was closed"
_WHY = {
    "ContactLinked": _LINKS,
    "ContactUnlinked": _LINKS,
    "Merged": "records are merged by a call of its own",
    "OptedIn": "subscriptions are changed by calls of their own",
    "OptedOut": "subscriptions are changed by calls of their own",
    "ActivityRecorded": "activities are objects of their own",
    "Voided": "HubSpot's history cannot be taken back",
}
_OF_CONTACTS = (Created, LifecycleStageSet, LeadStatusSet)
_OF_DEALS = (
    Opened, StageEntered, AmountChanged, CloseDateChanged, ProbabilitySet, ForecastCategorySet,
    NextStepPlanned, NextStepDone,
)  # fmt: skip


def _of_kind(event: Event, kind: str) -> bool:
    return not isinstance(event, _OF_DEALS if kind == "contacts" else _OF_CONTACTS)


def _worth(amount: Money) -> Properties:
    return {"amount": format(amount.amount, "f"), "deal_currency_code": amount.currency}


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _written(value: object) -> str | None:
    """A plain value as HubSpot takes it, or None where it cannot hold it."""
    if isinstance(value, str):
        return value if value and value == value.strip() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return _iso(value) if isinstance(value, datetime) else value.isoformat()
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else None
