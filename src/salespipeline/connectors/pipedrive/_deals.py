"""Deals of Pipedrive, each with its log, as the events that they amount to."""

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from typing import Any

from attrs import evolve

from salespipeline.attributes import Attributes, Value
from salespipeline.connectors._items import Facts, Item, cells_of
from salespipeline.connectors._logs import DealLog
from salespipeline.connectors._members import UTC_CELLS, Members, among, number, percent
from salespipeline.connectors._standing import ATTRIBUTES, Apart, Change, Course
from salespipeline.connectors.pipedrive._log import FIELDS, STATUSES, Log, made_id
from salespipeline.errors import brief
from salespipeline.events import ProbabilityBasis, Start
from salespipeline.money import Money
from salespipeline.pipelines import Outcome

_INSTANTS = ("add_time", "stage_change_time", "won_time", "lost_time", "close_time", "delete_time")
"""The instants of what happened to a deal: a row is refused where one cannot be read."""

_LATER = ("first_won_time", "archive_time", "update_time")
"""Other instants, kept as attributes that are set at these very instants."""


def unwrapped(item: Item, kind: str) -> Members:
    """The members of an object, also of one that an item of ``/recents`` holds."""
    given, prefix = item.given, ""
    if "item" in given and "data" in given:
        outer = Members(item, given)
        if outer.text("item") != kind:
            item.refuse("item", f"it is no {kind}", given["item"])
        outer.identity()
        held = cells_of(given["data"])
        if held is None:
            item.refuse("data", f"it holds no {kind}", given["data"])
        given, prefix = held, "data."
    custom = cells_of(given.get("custom_fields"))
    if custom is not None:
        others = {name: each for name, each in given.items() if name != "custom_fields"}
        given = {**custom, **others}
    return Members(item, given, prefix=prefix)


class Draft:
    """One deal being put together from what it is now and what its log tells.

    Attributes:
        key: Its id.
    """

    def __init__(self, item: Item, ground: Apart) -> None:
        self._item = item
        self._ground = ground
        members = unwrapped(item, "deal")
        self.key = members.identity()
        self._names = frozenset(name for name in members.given if isinstance(name, str))
        self._now = _fields(members)
        self._deleted = any([members.flag("is_deleted"), members.flag("deleted")])
        read = {name: members.instant(name, needed=True) for name in _INSTANTS}
        read |= {name: members.instant(name) for name in _LATER}
        self._times = {name: at for name, at in read.items() if at is not None}
        self._attributes = members.rest()
        self._check_place()
        self._log = Log()
        self._changes: list[Change] = []
        self._observed_from: datetime | None = None

    def _check_place(self) -> None:
        for field, column in _NEEDED.items():
            if self._now[field] is None:
                self._item.refuse(column, f"it has no {field}")
        if self._now["pipeline"] is None:
            self._now["pipeline"] = self._ground.pipeline_of(self._now["stage"])
        if self._now["pipeline"] is None:
            self._item.refuse("pipeline_id", "it has no pipeline, and its stage is of none known")

    def written(self, log: Log, currency: str | None) -> DealLog:
        """The events of the deal."""
        self._log = log
        self._changes = list(log.changes)
        if log.changes and log.created is None:
            self._observed_from = log.changes[0].at
        begun, start = self._begun()
        now = dict(self._now)
        now["stage"] = self._first_stage(begun)
        now["pipeline"] = self._first_pipeline(now["stage"])
        now["status"] = self._first_status()
        self._tell_reason(now)
        self._tell_value(now)
        attributes = self._first_values(now)
        self._tell_times(begun)
        self._changes.sort(key=lambda change: change.at)
        self._tell_amounts(now, currency)
        opening = {
            **now, "at": begun, "start": start, "observed_from": self._observed_from,
            "attributes": Attributes(attributes), "basis": ProbabilityBasis.STICKY,
            **_signed(log), "event_id": made_id(self.key, "add_time", begun),
        }  # fmt: skip
        course = Course(DealLog(self.key, self._ground), self._ground, stage_name="stage_id")
        course.begin(opening)
        course.go_on(self._changes)
        return course.log

    def _begun(self) -> tuple[datetime, Start]:
        """When the deal was created, or an instant by which it was there."""
        if "add_time" in self._times:
            return self._times["add_time"], Start.EXACT
        if self._log.created is not None:
            return self._log.created.new, Start.EXACT
        known = [*self._times.values(), *(change.at for change in self._changes)]
        if not known:
            self._item.refuse("add_time", "nothing says when the deal was there")
        return min(known), Start.BY_THEN

    def _logged(self, field: str) -> list[Change]:
        return [change for change in self._changes if change.field == field]

    def _tell(self, field: str, old: object, new: object, at: datetime) -> Change:
        """Add a change that the row itself tells."""
        said: dict[str, Any] = {"event_id": made_id(self.key, field, at)}
        if field == "probability":
            said["basis"] = ProbabilityBasis.STICKY
        change = Change(at, field, old, new, said, self._item, field)
        self._changes.append(change)
        return change

    def _first_stage(self, begun: datetime) -> str:
        """The stage that the deal was created in; marked where nothing tells."""
        present: str = self._now["stage"]
        logged = self._logged("stage")
        moved = self._times.get("stage_change_time")
        if logged:
            self._catch_up(logged, present, moved)
            return self._before(logged)
        if self._log.created is not None or moved is None or moved <= begun:
            return present
        first = self._ground.first_stage(self._now["pipeline"])
        if first is None or first == present:
            self._observed_from = moved
            return present
        self._observed_from = begun
        self._tell("stage", first, present, moved)
        return first

    def _before(self, logged: list[Change]) -> str:
        """What a field was before its log; a first row from nothing is how the deal began."""
        first = logged[0]
        if first.old is None:
            self._changes.remove(first)
        return str(first.new if first.old is None else first.old)

    def _catch_up(self, logged: list[Change], present: object, at: datetime | None) -> None:
        """Add what the row says and the end of the log does not."""
        last = logged[-1]
        if _same(last.new, present) or not self._says(last.field):
            return
        if at is None or at < last.at:
            self._item.note(last.field, "its log ends otherwise, and that stands", present)
        else:
            self._tell(last.field, last.new, present, at)

    def _says(self, field: str) -> bool:
        """Whether the row has a member for a field, if only an empty one."""
        if field.startswith(ATTRIBUTES):
            root = field.removeprefix(ATTRIBUTES).partition(".")[0].partition("[")[0]
            return root in self._names
        return any(FIELDS[name][0] == field for name in FIELDS if name in self._names)

    def _first_pipeline(self, stage: str) -> str:
        present: str = self._now["pipeline"]
        logged = self._logged("pipeline")
        if not logged:
            return self._ground.pipeline_of(stage) or present
        self._catch_up(logged, present, self._times.get("update_time"))
        return self._before(logged)

    def _first_status(self) -> Outcome:
        """The status that the deal was created with; its changes and its deletion as they come."""
        logged = self._logged("status")
        others = [change for change in self._changes if change.field != "status"]
        first = "open" if not logged else logged[0].old or logged[0].new
        first = base = "open" if first == "deleted" else first
        kept: list[Change] = []
        for change in logged:
            if change.new in {"deleted", base}:
                kept.append(evolve(change, field=f"{ATTRIBUTES}status"))
            else:
                kept.append(evolve(change, old=Outcome(base), new=Outcome(change.new)))
                base = change.new
        if logged and logged[0].old is None:
            kept.pop(0)
        self._changes = others + kept
        self._close(base, kept)
        if self._now["status"] == "deleted" or self._deleted:
            self._delete(logged)
        return Outcome(first)

    def _close(self, base: str, kept: list[Change]) -> None:
        """Add the status that the row says and the log does not."""
        status = self._now["status"]
        if status == "deleted":
            closings = [name for name in ("won_time", "lost_time") if name in self._times]
            status = max(closings, key=self._times.__getitem__, default="open_")[:-5] or "open"
            status = base if kept else status
        if status == base:
            return
        at = self._closed_at(status)
        if at is None:
            self._item.refuse("status", f"the deal is {status}, and nothing says since when")
        self._tell("status", Outcome(base), Outcome(status), at)

    def _closed_at(self, status: str) -> datetime | None:
        names = ("update_time",) if status == "open" else (f"{status}_time", "close_time")
        return next((self._times[name] for name in names if name in self._times), None)

    def _delete(self, logged: list[Change]) -> None:
        """Write the deletion: as the log has it, or at the last update, which it was."""
        if logged and logged[-1].new == "deleted":
            self._changes = [
                evolve(change, field="deleted", new=True)
                if change.said is logged[-1].said and change.field == f"{ATTRIBUTES}status"
                else change
                for change in self._changes
            ]
            return
        at = self._times.get("delete_time", self._times.get("update_time"))
        if at is None:
            self._item.refuse("status", "the deal is deleted, and nothing says when")
        self._tell("deleted", None, True, at)

    def _closings(self) -> Iterator[Change]:
        return (each for each in self._logged("status") if each.new is not Outcome.OPEN)

    def _tell_reason(self, now: dict[str, Any]) -> None:
        """Say the reason of a loss where it was lost, or else when the row was last changed."""
        reason = now.pop("reason")
        if reason is None or self._logged("reason"):
            return
        lost = [each.at for each in self._closings() if each.new is Outcome.LOST]
        later = self._times.get("update_time")
        if lost or later is not None:
            self._tell("reason", None, reason, lost[-1] if lost else later)  # type: ignore[arg-type]
        else:
            self._attributes["lost_reason"] = reason

    def _tell_value(self, now: dict[str, Any]) -> None:
        """Say the amount of a closed deal at its close, where no log tells of it before."""
        closings = list(self._closings())
        if closings and now["value"] is not None and not self._log.is_given:
            self._tell("value", None, now["value"], closings[-1].at)
            now["value"] = None

    def _first_values(self, now: dict[str, Any]) -> dict[str, Value]:
        """What every other field was at the beginning; what the log lacks at its end is added."""
        attributes = dict(self._attributes)
        later = self._times.get("update_time")
        for field in dict.fromkeys(change.field for change in self._log.changes):
            logged, name = self._logged(field), field.removeprefix(ATTRIBUTES)
            if field in now and field not in _PLACE:
                self._catch_up(logged, now[field], later)
                now[field] = logged[0].old
            elif field != name and name not in _SAID_APART:
                self._catch_up(logged, attributes.get(name), later)
                attributes[name] = logged[0].old
        return {name: each for name, each in attributes.items() if each is not None}

    def _tell_times(self, begun: datetime) -> None:
        """Keep an instant that no event has, as an attribute set at that very instant."""
        told = {begun, *(change.at for change in self._changes)}
        for name, at in self._times.items():
            if at not in told and not self._logged(f"{ATTRIBUTES}{name}"):
                self._tell(f"{ATTRIBUTES}{name}", None, at, at)

    def _tell_amounts(self, now: dict[str, Any], currency: str | None) -> None:
        """Put values and currencies together as amounts."""
        value, code = now.pop("value"), now.pop("currency")
        now["amount"] = self._money(value, code or currency, self._item, "value")
        amount, told = now["amount"], list[Change]()
        for place, change in enumerate(self._changes):
            if change.field not in _OF_AMOUNT:
                told.append(change)
                continue
            value = change.new if change.field == "value" else value
            code = change.new if change.field == "currency" else code
            if self._amount_follows(place):
                continue
            new = self._money(value, code or currency, change.item, change.column)
            told.append(evolve(change, field="amount", old=amount, new=new))
            amount = new
        self._changes = told

    def _amount_follows(self, place: int) -> bool:
        """Whether another change of the amount comes at the same instant."""
        change, following = self._changes[place], self._changes[place + 1 :]
        together = takewhile(lambda each: each.at == change.at, following)
        return any(each.field in _OF_AMOUNT for each in together)

    def _money(self, value: object, code: str | None, item: Item, column: str) -> Money | None:
        if value is not None and code is None:
            item.note(column, "it has no currency, and none is given", value)
            return None
        return item.read(value, column, lambda each, _: UTC_CELLS.money(each, code or ""))


_OF_AMOUNT = frozenset({"value", "currency"})
_NEEDED = {"stage": "stage_id", "status": "status"}
_PLACE = frozenset({"stage", "pipeline", "status"})
_SAID_APART = frozenset({*_INSTANTS, *_LATER, "status"})


def _fields(members: Members) -> dict[str, Any]:
    """What a deal is now, by our names."""
    owner = "owner_id" if members.holds("owner_id") else "user_id"
    return {
        "title": members.text("title"),
        "status": members.read("status", among(*STATUSES), needed=True),
        "stage": members.reference("stage_id", needed=True),
        "pipeline": members.reference("pipeline_id", needed=True),
        "owner": members.reference(owner),
        "account": members.reference("org_id"),
        "contact": members.reference("person_id"),
        "expected_close": members.read("expected_close_date", UTC_CELLS.day),
        "probability": members.read("probability", percent),
        "value": members.read("value", number),
        "currency": members.read("currency", UTC_CELLS.currency),
        "reason": members.text("lost_reason"),
    }


def _signed(log: Log) -> dict[str, Any]:
    said: Facts = {} if log.created is None else log.created.said
    return {name: said[name] for name in ("by", "role") if name in said}


def _same(one: object, other: object) -> bool:
    """Whether two values are one: a log writes numbers as text."""
    return one == other or _shown(one) == _shown(other)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else brief(value, 400)
