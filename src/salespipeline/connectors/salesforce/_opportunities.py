"""Opportunities with their histories, gathered record by record."""

from collections.abc import Mapping
from datetime import UTC, datetime

from salespipeline.connectors._items import Intake, Item
from salespipeline.connectors.salesforce._gathered import Change, Gathered, Records, signed
from salespipeline.connectors.salesforce._rows import (
    BEGINNINGS,
    CELLS,
    STAMPS,
    Door,
    Fields,
    Says,
    field_of,
    flag,
    money_in,
    percent,
    said,
    says,
    turned,
)
from salespipeline.connectors.salesforce._stages import Stages

TABLES = ("Opportunity", "OpportunityHistory", "OpportunityFieldHistory")

DOORS: Mapping[str, Door] = {
    **dict.fromkeys(
        (
            "stagename", "name", "accountid", "ownerid", "leadsource", "nextstep", "contactid",
            "type", "forecastcategory", "forecastcategoryname", "recordtypeid",
        ),
        CELLS.text,
    ),
    "closedate": CELLS.day,
    "probability": percent,
}  # fmt: skip
"""What reads each field that is one of ours."""

_ROW = frozenset({
    "id", "createddate", "createdbyid", "isdeleted", "isclosed", "iswon", "currencyisocode",
    "amount", "stagename", "recordtypeid",
})  # fmt: skip
_HISTORY = frozenset({
    "id", "opportunityid", "createddate", "createdbyid", "isdeleted", "currencyisocode", "amount",
    "stagename", "recordtypeid",
})  # fmt: skip
_STATE = ("stagename", "recordtypeid")
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Opportunities:
    """The opportunities of several tables.

    Args:
        intake: What takes their rows.
        stages: The stages that are known, which learn from the rows.
        currency: The currency of amounts where no row says one, or None.
    """

    def __init__(self, intake: Intake, stages: Stages, currency: str | None) -> None:
        self.records = Records(intake, TABLES)
        self._stages = stages
        self._currency = currency
        self._currencies: dict[str, str | None] = {}

    def take(self, item: Item) -> None:
        """Use a row of Opportunity, or one of its versions as a warehouse keeps them."""
        fields = Fields(item)
        deal = self.records.of(fields.identity("id"))
        if "fivetranstart" in fields:
            self._take_version(deal, fields)
            return
        if deal.present is not None:
            item.refuse(fields.column("id"), "an earlier row has the same id", deal.record)
        created = fields.instant("createddate")
        moved = fields.instant("laststagechangedate")
        stamps = [fields.instant(key) for key in STAMPS]
        deal.says = self._whole(deal, fields)
        deal.moved = moved
        deal.modified = next((stamp for stamp in stamps if stamp is not None), None)
        deal.seen += [at for at in (moved, *stamps) if at is not None]
        if fields.read("isdeleted", flag):
            deal.deleted = deal.modified or True
        deal.present = item
        self._keep(deal, fields, created)

    def take_history(self, item: Item) -> None:
        """Use a row of OpportunityHistory, or a version of an opportunity."""
        fields = Fields(item)
        if "fivetranstart" in fields:
            self._take_version(self.records.of(fields.identity("id")), fields)
            return
        deal = self.records.of(fields.identity("opportunityid"))
        at = fields.needed_instant("createddate")
        told = {**says(fields, DOORS, _HISTORY), **_state(fields), **self._amount(deal, fields)}
        by = fields.read("createdbyid", CELLS.text)
        event_id = signed(deal, fields, f"{deal.record}:history:{at.isoformat()}")
        deal.changes.append(Change(at, 0, event_id, told, by=by))
        deal.take(fields)

    def take_field_history(self, item: Item) -> None:
        """Use a row of OpportunityFieldHistory."""
        fields = Fields(item)
        deal = self.records.of(fields.identity("opportunityid"))
        at = fields.needed_instant("createddate")
        name = fields.read("field", CELLS.text, needed=True)
        if name is None:
            item.refuse(fields.column("field"), "it names no field", fields.value("field"))
        by = fields.read("createdbyid", CELLS.text)
        key = field_of(fields, name)
        doors = {**DOORS, "amount": money_in(self._currency_of(deal, fields))}
        before, after = turned(item, fields, key, doors.get(key, CELLS.attribute))
        if key == "stagename" and not after.get(key):
            item.refuse(fields.column("newvalue"), "it has no stage", fields.value("newvalue"))
        event_id = signed(deal, fields, f"{deal.record}:{name}:{at.isoformat()}")
        if key in BEGINNINGS:
            deal.tracked = min(at, deal.tracked or at)
        if not {before.get(key), after.get(key)} <= {None}:
            deal.changes.append(Change(at, 1, event_id, after, before, by))
        deal.names.setdefault(key, name)
        deal.seen.append(at)
        deal.items.append(item)

    def _take_version(self, deal: Gathered, fields: Fields) -> None:
        at = fields.needed_instant("fivetranstart")
        created = fields.instant("createddate")
        until = fields.read("fivetranend", CELLS.instant)
        told = self._whole(deal, fields)
        event_id = f"{deal.record}:version:{at.isoformat()}"
        event_id = deal.sign(fields.item, "", None, event_id)
        by = fields.read("lastmodifiedbyid", CELLS.text)
        is_over = fields.read("fivetranactive", flag) is False
        ended = until if is_over and until is not None and until < _NEVER else None
        deal.versions.append((at, bool(fields.read("isdeleted", flag)), ended))
        deal.changes.append(Change(at, 0, event_id, told, by=by))
        self._keep(deal, fields, created)

    def _whole(self, deal: Gathered, fields: Fields) -> Says:
        """What a row says that has all fields."""
        state = _state(fields)
        told = {**says(fields, DOORS, _ROW), **state, **self._amount(deal, fields)}
        if "stagename" in state:
            pipeline = self._stages.of(state.get("recordtypeid"))
            self._stages.learn(fields, pipeline, state["stagename"])
            self._stages.meet(pipeline, state["stagename"], told.get("probability"))
        return told

    def _amount(self, deal: Gathered, fields: Fields) -> Says:
        currency = self._currency_of(deal, fields)
        told: Says = {"currencyisocode": currency} if "currencyisocode" in fields else {}
        if "amount" in fields:
            value, column = fields.value("amount"), fields.column("amount")
            told |= said(fields.item, "amount", value, column, money_in(currency))
        return told

    def _currency_of(self, deal: Gathered, fields: Fields) -> str | None:
        """The currency of a row; where it has one that cannot be read, no other is taken."""
        key = "currencyisocode"
        own = said(fields.item, key, fields.value(key), fields.column(key), CELLS.currency)
        if own.get(key, self) is None:
            return self._currencies.get(deal.record, self._currency)
        if own:
            self._currencies.setdefault(deal.record, own[key])
        return own.get(key)

    def _keep(self, deal: Gathered, fields: Fields, created: datetime | None) -> None:
        """Take a row with all fields for one of its record's."""
        synced = fields.read("fivetransynced", CELLS.instant)
        deal.created = deal.created or created
        deal.by = deal.by or fields.read("createdbyid", CELLS.text)
        deal.seen += [] if synced is None else [synced]
        deal.take(fields)


def _state(fields: Fields) -> Says:
    """The stage of a row, and what says its pipeline: without them it cannot be used."""
    found = {
        key: fields.read(key, CELLS.text, needed=True) for key in _STATE if key in fields
    }  # fmt: skip
    if found.get("stagename", "") is None:
        del found["stagename"]
    return found
