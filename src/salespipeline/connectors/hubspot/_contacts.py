"""The draft of a contact as its events: lifecycle stages, lead statuses, names."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from salespipeline.connectors._logs import ContactLog
from salespipeline.connectors.hubspot._values import (
    SAME_SAVE,
    Draft,
    Source,
    attribute,
    instant,
    text,
    truth,
)
from salespipeline.connectors.hubspot._writers import (
    AFTER,
    ATTRIBUTE,
    STATE,
    Reading,
    Writer,
)
from salespipeline.errors import UnknownKeyError
from salespipeline.lifecycle import LifecycleStage

LIFECYCLE_STAGES: Mapping[str, LifecycleStage | None] = {
    "subscriber": LifecycleStage.SUBSCRIBER,
    "lead": LifecycleStage.LEAD,
    "marketingqualifiedlead": LifecycleStage.MARKETING_QUALIFIED_LEAD,
    "salesqualifiedlead": LifecycleStage.SALES_QUALIFIED_LEAD,
    "opportunity": LifecycleStage.OPPORTUNITY,
    "customer": LifecycleStage.CUSTOMER,
    "evangelist": LifecycleStage.EVANGELIST,
    "other": None,
}
"""HubSpot's lifecycle stages, by its own names; ``other`` neither sets nor clears a stage."""

LEAD_STATUSES: Mapping[str, str] = {
    name: name.lower()
    for name in (
        "NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT",
        "CONNECTED", "BAD_TIMING",
    )
}  # fmt: skip
"""HubSpot's eight lead statuses, by its own names."""

_DATES = (
    ("hs_v2_date_entered_", ""), ("hs_lifecyclestage_", "_date"), ("hs_date_entered_", ""),
)  # fmt: skip
"""How the properties begin and end that hold when a lifecycle stage was entered, best first."""


def write_contact(draft: Draft, reading: Reading) -> ContactLog:
    """The events of a contact; it is refused where a stage of it is unknown."""
    return _ContactWriter(draft, reading).written()


def full_name(first: str | None, last: str | None) -> str | None:
    """A name of its two parts, or of the one that there is."""
    return " ".join(part for part in (first, last) if part) or None


def name_parts(name: str) -> tuple[str, str | None]:
    """A name as a first name, which is its first word, and a last name."""
    first, _, last = name.partition(" ")
    return first, last or None


class _ContactWriter(Writer):
    clusters: ClassVar = {"firstname": ("firstname", "lastname")}
    fields: ClassVar = {
        "email": "email",
        "company": "company",
        "hubspot_owner_id": "owner",
        "hs_analytics_source": "source",
    }
    states = frozenset({"lifecyclestage", "hs_lead_status"})

    def written(self) -> ContactLog:
        first, seen = self._stages()
        statuses, unsure = self._statuses()
        first |= statuses | self.take_fields()
        if "opted_out" in first and not first["opted_out"]:
            del first["opted_out"]  # nobody has agreed to what nobody had refused
        log = ContactLog(self.draft.identity, self.reading.ground)
        known = [at for at in (seen, unsure) if at is not None]
        self.write(log, {**first, "observed_from": max(known, default=None)})
        return log

    # Lifecycle stages

    def _stages(self) -> tuple[dict[str, Any], datetime | None]:
        """Plan the lifecycle stages; give the first, and since when they are known, if later."""
        history = self.draft.history.get("lifecyclestage")
        if history is None:
            return self._undated()
        known = history[0].at <= self.begun + SAME_SAVE
        first: dict[str, Any] = {}
        for number, entry in enumerate(history):
            facts = self._stage_facts(entry)
            if number or entry.at > self.begun:
                self.say(entry.at, STATE, entry.original_id, facts, entry.signature)
            else:
                first = {name: value for name, value in facts.items() if value is not None}
                self.note_if_early(entry)
        return first, None if known else history[0].at

    def _stage_facts(self, source: Source) -> dict[str, Any]:
        """A stage; what stands for none, and a clear, neither sets nor clears one, and is kept."""
        stage = None if source.value is None else source.read(self._stage, needed=True)
        if stage is not None:
            return {"stage": stage}
        return {ATTRIBUTE + "lifecyclestage": self.value(source, attribute)}

    def _stage(self, value: object, name: str) -> LifecycleStage | None:
        key = text(value, name)
        if key not in self.reading.stages:
            raise UnknownKeyError("lifecycle stage", key, tuple(self.reading.stages))
        return self.reading.stages[key]

    def _undated(self) -> tuple[dict[str, Any], datetime | None]:
        """The stages of a contact without a history of them, as far as it has dates."""
        source = self.draft.present.get("lifecyclestage")
        now = {} if source is None else self._stage_facts(source)
        path, present = self._entered(), now.get("stage")
        if source is not None and present is not None:
            furthest = max((stage for _, stage, _ in path), default=present)
            if present < furthest:
                reason = f"{furthest.value!r} is the furthest stage with a date, and stands"
                source.item.note(source.column, reason, source.value)
            elif all(stage is not present for _, stage, _ in path):
                if path:
                    reason = "no date says when it was entered; the dates of others are left out"
                    source.item.note(source.column, reason, source.value)
                return now, self.begun
            now = {}
        for number, (at, stage, key) in enumerate(path):
            if number or at > self.begun:
                self.say(at, STATE, key, {"stage": stage}, {})
            else:
                now = {"stage": stage, **now}
        return now, None

    def _entered(self) -> list[tuple[datetime, LifecycleStage, str]]:
        """The stages with a date on which they were entered, the earliest first."""
        found: dict[LifecycleStage, tuple[datetime, str]] = {}
        for begins, ends in _DATES:
            for key, stage in self.reading.stages.items():
                name = f"{begins}{key}{ends}"
                source = self.draft.present.get(name)
                if source is None or stage is None or stage in found:
                    continue
                found[stage] = source.demand(instant), self.draft.key(name)
        return sorted((at, stage, key) for stage, (at, key) in found.items())

    # Lead statuses

    def _statuses(self) -> tuple[dict[str, Any], datetime | None]:
        """Plan the lead statuses; give the first, and since when it may be older than it looks."""
        history = self.draft.history.get("hs_lead_status")
        if history is None:
            source = self.draft.present.get("hs_lead_status")
            status = None if source is None else source.read(self._status, needed=True)
            return ({}, None) if status is None else ({"lead_status": status}, self.begun)
        first: dict[str, Any] = {}
        for number, entry in enumerate(history):
            status = entry.read(self._status, needed=True)
            if number or entry.at > self.begun:
                self.say(
                    entry.at, AFTER, entry.original_id, {"lead_status": status}, entry.signature
                )
            elif status is not None:
                first = {"lead_status": status}
                self.note_if_early(entry)
        return first, None

    def _status(self, value: object, name: str) -> str:
        key = text(value, name)
        return self.reading.statuses.get(key, key)

    # Fields

    def facts_of(self, cluster: str, sources: Mapping[str, Source]) -> dict[str, Any]:
        """What the values of a cluster say; see `Writer.facts_of`."""
        if cluster == "firstname":
            return self._name(sources)
        [source] = sources.values()
        if cluster == "hs_email_optout":
            said = self.value(source, truth)
            return {"opted_out": bool(said)}
        return super().facts_of(cluster, sources)

    def _name(self, sources: Mapping[str, Source]) -> dict[str, Any]:
        """A name; its parts are kept apart, too, where the name alone does not tell them."""
        parts = {name: self.value(source, text) for name, source in sources.items()}
        first, last = parts.get("firstname"), parts.get("lastname")
        name = full_name(first, last)
        told = name is None or name_parts(name) == (first, last)
        kept = {} if told else {"firstname": first, "lastname": last}
        apart = {ATTRIBUTE + part: kept.get(part) for part in ("firstname", "lastname")}
        return {"name": name, **apart}
