"""Deals of ActiveCampaign, each with its activities and scores, as events."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Intake, Item
from salespipeline.connectors._logs import DealLog
from salespipeline.connectors._members import UTC_CELLS, Members, joined, number, percent
from salespipeline.connectors._standing import ATTRIBUTES, Apart, Change, Course
from salespipeline.connectors.activecampaign._rows import ROWS, Linked, Scores, linked
from salespipeline.errors import InvalidValueError, UnknownKeyError, brief
from salespipeline.events import ProbabilityBasis, Start
from salespipeline.money import Money
from salespipeline.pipelines import Outcome

_STATUSES = {"0": Outcome.OPEN, "1": Outcome.WON, "2": Outcome.LOST}
_DONE = frozenset({"note", "task", "call", "email", "connection_email", "sms", "meeting"})
_CREATED = "created"


def status(value: object, name: str) -> Outcome:
    """What a number of ActiveCampaign says of a deal.

    Raises:
        UnknownKeyError: It is none of the three.
    """
    said = UTC_CELLS.text(value, name)
    if said not in _STATUSES:
        raise UnknownKeyError(name, value, tuple(_STATUSES))
    return _STATUSES[said]


_PLACES: Mapping[str, tuple[str, Callable[[object, str], Any]]] = {
    "d_stageid": ("stage", UTC_CELLS.text),
    "d_groupid": ("pipeline", UTC_CELLS.text),
    "status": ("status", status),
}


class Activities(Linked):
    """What happened to deals."""

    table = "dealActivities"

    def read_row(self, item: Item) -> Change:
        """What happened, by the type of an activity."""
        row = Members(item, item.given)
        name = "deal" if row.holds("deal") else "d_id"
        item.identity = row.reference(name, needed=True)
        if item.identity is None:
            item.refuse("deal", "it is of no deal")
        at = row.instant("cdate", needed=True)
        if at is None:
            item.refuse("cdate", "it has no instant")
        said = {"by": row.read("userid", linked), "event_id": row.text("id")}
        said = {name: each for name, each in said.items() if each is not None}
        kind = row.text("dataType", needed=True)
        if kind is not None and kind in _PLACES:
            return self._moved(item, row, at, said, kind)
        action = row.read("dataAction", UTC_CELLS.attribute)
        if kind is None:
            field = _CREATED if action == "add" else f"{ATTRIBUTES}dataAction"
            return Change(at, field, None, action, said, item)
        if kind in _DONE:
            return Change(at, "activity", None, kind, said, item)
        old = row.read("dataOldval", UTC_CELLS.attribute)
        field = "owner" if kind == "userid" else f"{ATTRIBUTES}{kind}"
        if field == "owner":
            old, action = row.read("dataOldval", linked), row.read("dataAction", linked)
        return Change(at, field, old, action, said, item)

    def _moved(
        self, item: Item, row: Members, at: datetime, said: dict[str, Any], kind: str
    ) -> Change:
        field, how = _PLACES[kind]
        old, new = row.read("dataOldval", how), row.read("dataAction", how, needed=True)
        if new is None:
            item.refuse("dataAction", f"it says no new {field}")
        return Change(at, field, old, new, said, item)


class Deals:
    """Deals being read.

    Attributes:
        logs: Their events, by their ids.
    """

    def __init__(self, ground: Apart, currency: str | None, *, modified_closes: bool) -> None:
        self.logs: dict[str, DealLog] = {}
        self._ground = ground
        self._currency = currency
        self._modified_closes = modified_closes
        self._activities = Activities()
        self._scores = Scores("deal")

    def read(self, deals: object, activities: object, scores: object) -> Intake:
        """Read the deals, and what was used of all tables."""
        self._activities.gather(activities)
        self._scores.gather(scores)
        intake = Intake()
        intake.each(deals, self._take, what=ROWS, table="deals")
        told = (self._activities, self._scores)
        return joined(intake, [each.taken(self.logs) for each in told])

    def _take(self, item: Item) -> None:
        draft = _Draft(item, self._ground, self._currency)
        if draft.key in self.logs:
            item.refuse("id", "an earlier row has the same id")
        told = sorted(self._activities.changes.get(draft.key, ()), key=lambda each: each.at)
        scores = self._scores.changes.get(draft.key, ())
        self.logs[draft.key] = draft.written(
            told, list(scores), modified_closes=self._modified_closes
        )


class _Draft:
    """One deal being put together from what it is now and what happened to it."""

    def __init__(self, item: Item, ground: Apart, currency: str | None) -> None:
        self._item = item
        self._ground = ground
        members = Members(item, item.given)
        self.key = members.identity()
        self._now = _fields(members, currency)
        for field, column in _NEEDED.items():
            if self._now[field] is None:
                item.refuse(column, f"it has no {field}")
        self._now["pipeline"] = self._now["pipeline"] or ground.pipeline_of(self._now["stage"])
        if self._now["pipeline"] is None:
            item.refuse("group", "it has no pipeline, and its stage is of none known")
        self._created = members.instant("cdate", needed=True)
        self._modified = members.instant("mdate", needed=True)
        chance = members.read("winProbability", percent)
        self._chance = chance, members.instant("winProbabilityMdate")
        members.leave("links")
        self._attributes = members.rest()

    def written(
        self, told: list[Change], scores: list[Change], *, modified_closes: bool
    ) -> DealLog:
        """The events of the deal."""
        creation = next((each for each in told if each.field == _CREATED), None)
        self._changes = [each for each in told if each is not creation]
        begun, start = self._begun(creation, scores)
        now, observed_from = dict(self._now), None
        if creation is None:
            later = self._modified if self._modified != begun else None
            observed_from = told[0].at if told else later
        for field in ("stage", "pipeline", "owner"):
            now[field] = self._before(field, now[field])
        if any(change.field == "status" for change in self._changes):
            now["status"] = self._before("status", now["status"])
        elif now["status"] is not Outcome.OPEN:
            self._close(now, modified_closes=modified_closes)
        self._tell_rest(begun, now, is_told=bool(told))
        self._changes = sorted([*self._changes, *scores], key=lambda each: each.at)
        said = {} if creation is None else {**creation.said}
        course = Course(DealLog(self.key, self._ground), self._ground, stage_name="stage")
        course.begin({
            **now, **said, "at": begun, "start": start, "observed_from": observed_from,
            "event_id": f"deal/{self.key}/cdate", "attributes": Attributes(self._attributes),
        })  # fmt: skip
        course.go_on(self._changes)
        return course.log

    def _begun(self, creation: Change | None, scores: list[Change]) -> tuple[datetime, Start]:
        """When the deal was created, or an instant by which it was there."""
        if self._created is not None:
            return self._created, Start.EXACT
        if creation is not None:
            return creation.at, Start.EXACT
        known = [change.at for change in (*self._changes, *scores)]
        known += [] if self._modified is None else [self._modified]
        if not known:
            self._item.refuse("cdate", "nothing says when the deal was there")
        return min(known), Start.BY_THEN

    def _tell(self, field: str, old: object, new: object, at: datetime, **said: object) -> None:
        """Add a change that the row itself tells."""
        named = {"event_id": f"deal/{self.key}/{field}/{at.isoformat()}", **said}
        self._changes.append(Change(at, field, old, new, named, self._item, field))

    def _before(self, field: str, present: Any) -> Any:
        """What a field was at the beginning; what the row says and no activity does is added."""
        logged = [change for change in self._changes if change.field == field]
        if not logged:
            return present
        first, last = logged[0], logged[-1]
        if last.new != present:
            if self._modified is None or self._modified < last.at:
                self._item.note(field, "its activities end otherwise, and that stands", present)
            else:
                self._tell(field, last.new, present, self._modified)
        if first.old is None:
            self._changes.remove(first)
            return first.new
        return first.old

    def _close(self, now: dict[str, Any], *, modified_closes: bool) -> None:
        """Close a deal whose activities do not say when it was closed."""
        closed: Outcome = now["status"]
        if not modified_closes:
            reason = f"the deal is {closed.value}, and no activity says since when"
            self._item.refuse("status", f"{reason}; modified_closes lets mdate stand in")
        if self._modified is None:
            self._item.refuse("mdate", f"the deal is {closed.value}, and nothing says since when")
        now["status"] = Outcome.OPEN
        self._tell("status", Outcome.OPEN, closed, self._modified)

    def _tell_rest(self, begun: datetime, now: dict[str, Any], *, is_told: bool) -> None:
        """Say the amount of a closed deal at its close, the model's probability and ``mdate``."""
        closings = [each for each in self._changes if each.field == "status"]
        if closings and not is_told and now["amount"] is not None:
            self._tell("amount", None, now.pop("amount"), closings[-1].at)
        chance, at = self._chance
        if chance is not None:
            basis = ProbabilityBasis.MODEL
            self._tell("probability", None, chance, at or self._modified or begun, basis=basis)
        if self._modified is not None and self._modified != begun:
            self._tell(f"{ATTRIBUTES}mdate", None, self._modified, self._modified)


_NEEDED = {"stage": "stage", "status": "status"}


def _fields(members: Members, currency: str | None) -> dict[str, Any]:
    """What a deal is now, by our names."""
    account = "account" if members.holds("account") else "organization"
    return {
        "title": members.text("title"),
        "status": members.read("status", status, needed=True),
        "stage": members.reference("stage", needed=True),
        "pipeline": members.reference("group", needed=True),
        "owner": members.read("owner", linked),
        "contact": members.read("contact", linked),
        "account": members.read(account, linked),
        "amount": _amount(members, currency),
    }


def _amount(members: Members, currency: str | None) -> Money | None:
    """The value, which counts hundredths in every currency."""
    code = members.read("currency", UTC_CELLS.currency) or currency
    cents = members.read("value", number)
    if cents is None:
        return None
    if code is None:
        members.item.note("value", "it has no currency, and none is given", cents)
        return None
    return members.read("value", lambda each, name: _money(each, name, code))


def _money(value: object, name: str, code: str) -> Money:
    cents = number(value, name)
    if cents != int(cents):
        raise InvalidValueError(name, (f"{brief(value)} is no whole number of cents",))
    whole, rest = divmod(abs(int(cents)), 100)
    sign = "-" if cents < 0 else ""
    return Money(f"{sign}{whole}.{rest:02}", code)
