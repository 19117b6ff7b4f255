"""Leads with their histories, written down as the events of contacts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Intake, Item
from salespipeline.connectors._logs import ContactLog
from salespipeline.connectors._systems import System
from salespipeline.connectors.salesforce._gathered import (
    Change,
    Gathered,
    Records,
    differing,
    signed,
    tell,
)
from salespipeline.connectors.salesforce._rows import (
    BEGINNINGS,
    CELLS,
    STAMPS,
    Door,
    Fields,
    Says,
    field_of,
    flag,
    just_before,
    own_day,
    says,
    turned,
)
from salespipeline.events import Start
from salespipeline.lifecycle import LifecycleStage

TABLES = ("Lead", "LeadHistory")
_CONVERTED = ("convertedaccountid", "convertedcontactid", "convertedopportunityid")
_TEXTS = ("name", "firstname", "lastname", "email", "company", "leadsource", "ownerid")
_DOORS: Mapping[str, Door] = {
    **dict.fromkeys((*_TEXTS, *_CONVERTED), CELLS.text),
    "hasoptedoutofemail": flag,
}
_ROW = frozenset({
    "id", "createddate", "createdbyid", "isdeleted", "status", "isconverted", "converteddate",
})  # fmt: skip
_OURS = frozenset({
    "name", "email", "company", "leadsource", "ownerid", "hasoptedoutofemail", "convertedaccountid",
    "isconverted",
})  # fmt: skip
_FIELDS = {
    "email": "email",
    "company": "company",
    "account": "convertedaccountid",
    "owner": "ownerid",
    "source": "leadsource",
}


class Meanings(NamedTuple):
    """What the statuses of one organisation mean.

    Attributes:
        stages: By Status, the lifecycle stage that it stands for.
        statuses: By Status, the lead status.
    """

    stages: Mapping[str, LifecycleStage]
    statuses: Mapping[str, str]


class Leads:
    """The leads of several tables."""

    def __init__(self, intake: Intake) -> None:
        self.records = Records(intake, TABLES)

    def take(self, item: Item) -> None:
        """Use a row of Lead."""
        fields = Fields(item)
        lead = self.records.of(fields.identity("id"))
        if lead.present is not None:
            item.refuse(fields.column("id"), "an earlier row has the same id", lead.record)
        created, moved = fields.instant("createddate"), fields.instant("converteddate")
        stamps = [fields.instant(key) for key in STAMPS]
        status = fields.read("status", CELLS.text, needed=True)
        lead.says = {**says(fields, _DOORS, _ROW), "status": status}
        lead.says["isconverted"] = fields.read("isconverted", flag, needed=True)
        lead.created, lead.moved = created, moved
        lead.modified = next((stamp for stamp in stamps if stamp is not None), None)
        lead.by = fields.read("createdbyid", CELLS.text)
        synced = fields.read("fivetransynced", CELLS.instant)
        lead.seen += [at for at in (moved, *stamps, synced) if at is not None]
        if fields.read("isdeleted", flag):
            lead.deleted = lead.modified or True
        lead.present = item
        lead.take(fields)

    def take_history(self, item: Item) -> None:
        """Use a row of LeadHistory."""
        fields = Fields(item)
        lead = self.records.of(fields.identity("leadid"))
        at = fields.needed_instant("createddate")
        name = fields.read("field", CELLS.text, needed=True)
        if name is None:
            item.refuse(fields.column("field"), "it names no field", fields.value("field"))
        key = field_of(fields, name)
        door = CELLS.text if key == "status" else _DOORS.get(key, CELLS.attribute)
        before, after = turned(item, fields, key, door)
        if key == "status" and not after.get(key):
            item.refuse(fields.column("newvalue"), "it has no status", fields.value("newvalue"))
        by = fields.read("createdbyid", CELLS.text)
        event_id = signed(lead, fields, f"{lead.record}:{name}:{at.isoformat()}")
        if key in BEGINNINGS:
            lead.tracked = min(at, lead.tracked or at)
        if key == "leadconverted":
            lead.changes.append(Change(at, 0, event_id, {"isconverted": True}, {}, by))
        elif not {before.get(key), after.get(key)} <= {None}:
            lead.changes.append(Change(at, 1, event_id, after, before, by))
        lead.names.setdefault(key, name)
        lead.seen.append(at)
        lead.items.append(item)


class LeadWriter:
    """One lead being written down.

    Attributes:
        log: Its events so far.
    """

    def __init__(self, lead: Gathered, system: System, meanings: Meanings) -> None:
        self.log = ContactLog(lead.record, system)
        self._lead = lead
        self._meanings = meanings
        self._was: dict[str, Any] = {}

    def write(self) -> tuple[str, str] | None:
        """Write all of it; or give back what it lacks to begin with."""
        lead = self._lead
        lead.settle()
        begun = next((at for at in (lead.created, *lead.seen) if at is not None), None)
        if begun is None:
            return "CreatedDate", "no row says when it was made, or was there"
        begun = lead.begun(begun)
        state = lead.at_first()
        self._convert(state, begun)
        self._begin(state, begun)
        for change in lead.changes:
            self._go_on(change, state)
        if (now := lead.as_it_stands(state)) is not None:
            self._go_on(now, state)
        lead.end(self.log, lead.deleted)
        return None

    def _convert(self, state: Says, begun: datetime) -> None:
        """Say what came of a conversion when it happened, and not before."""
        lead = self._lead
        conversion = {key: value for key in _CONVERTED if (value := state.pop(key, None))}
        state.pop("isconverted", None)
        change = lead.first("isconverted")
        if change is not None:
            lead.changes.remove(change)
        elif lead.says.get("isconverted"):
            change = self._dated(begun)
        if change is None:
            state |= conversion
            return
        if lead.first("status") is None and "status" in state:
            conversion["status"] = state.pop("status")
        lead.changes.append(change._replace(says={**conversion, **change.says}))
        lead.settle()

    def _dated(self, begun: datetime) -> Change | None:
        """The conversion of a lead without a history; None where nothing says when it was."""
        lead = self._lead
        at = lead.modified if lead.moved is None else own_day(lead.moved, begun)
        if at is not None:
            event_id = f"{lead.record}:ConvertedDate:{at.isoformat()}"
            return Change(
                at, 0, lead.sign(lead.items[0], "", None, event_id), {"isconverted": True}
            )
        del lead.says["isconverted"]
        column, reason = lead.names["isconverted"], "it is converted, and nothing says when"
        cast("Item", lead.present).note(column, reason, value=True)
        return None

    def _begin(self, state: Says, begun: datetime) -> None:
        lead = self._lead
        self._was = self._facts(state)
        row = {name: fact for name, fact in self._was.items() if fact is not None}
        if not row["opted_out"]:
            del row["opted_out"]
        if lead.by is not None:
            row["by"] = lead.by
        if lead.created is None:
            row["start"] = Start.BY_THEN
        if (complete_from := self._complete_from(begun)) is not None:
            row["observed_from"] = complete_from
        self.log.happen({"at": begun, "event_id": lead.record, **row})

    def _complete_from(self, begun: datetime) -> datetime | None:
        """From when on the statuses are known that stages or lead statuses are read from."""
        lead, first = self._lead, self._lead.first("status")
        is_converted = first is not None and "isconverted" in first.says
        asked = self._meanings.stages or (self._meanings.statuses and not is_converted)
        if lead.tracked is not None or not asked:
            return None
        if first is None or first.before is None:
            return begun
        return max(begun, just_before(first.at))

    def _go_on(self, change: Change, state: Says) -> None:
        state |= change.says
        now = self._facts(state)
        row, self._was = differing(self._was, now), now
        tell(self.log, change, row)

    def _facts(self, state: Says) -> dict[str, Any]:
        """What a state of Salesforce's means of ours."""
        status = state.get("status")
        return {
            "stage": self._stage(state, status),
            "lead_status": self._meanings.statuses.get(status or ""),
            "name": _name(state),
            **{fact: state.get(key) for fact, key in _FIELDS.items()},
            "opted_out": state.get("hasoptedoutofemail") is True,
            "attributes": self._attributes(state),
        }

    def _stage(self, state: Says, status: str | None) -> LifecycleStage:
        """The stage that a status stands for, or that a conversion makes; else the one before."""
        stage = self._meanings.stages.get(status or "")
        if not state.get("isconverted"):
            return stage or self._was.get("stage", LifecycleStage.LEAD)
        has_deal = state.get("convertedopportunityid") is not None
        converted = LifecycleStage.OPPORTUNITY if has_deal else LifecycleStage.SQL
        return converted if stage is None else max(converted, stage)

    def _attributes(self, state: Says) -> Attributes:
        lead = self._lead
        kept = {key: value for key, value in state.items() if key not in _OURS}
        if state.get("name") is None:
            kept |= {"firstname": None, "lastname": None}
        if kept.get("status") in self._meanings.statuses:
            kept["status"] = None
        return Attributes({
            lead.names.get(key, key): value for key, value in kept.items() if value is not None
        })  # fmt: skip


def _name(state: Says) -> str | None:
    """The name of a person, whole or put together."""
    parts = [part for key in ("firstname", "lastname") if (part := state.get(key)) is not None]
    return state.get("name") or " ".join(parts) or None
