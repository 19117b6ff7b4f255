"""Rows of ActiveCampaign: pipelines with their stages, and scores."""

from abc import ABC, abstractmethod
from collections.abc import Container
from decimal import Decimal
from functools import partial
from typing import Any

from salespipeline.connectors._frames import Frame, Frames, StageRow
from salespipeline.connectors._items import Intake, Item, walked
from salespipeline.connectors._members import Members, number, reference
from salespipeline.connectors._standing import ATTRIBUTES, Change

SYSTEM = "activecampaign"
ROWS = "a response of ActiveCampaign, or the rows in it"


def frames() -> Frames:
    """Pipelines to be put together from rows of ActiveCampaign."""
    return Frames("group", _frame, _stage)


def _frame(members: Members) -> Frame:
    return Frame(members.text("title"))


def _stage(members: Members) -> StageRow:
    identity = members.text("id") or ""
    second = int(identity) if identity.isdecimal() and len(identity) < _LONGEST else 0
    place = members.read("order", number) or Decimal(0)
    return StageRow(members.text("title"), None, place, (second,))


def linked(value: object, name: str) -> str | None:
    """The id of another record; nought is none."""
    found = reference(value, name)
    return None if found == "0" else found


_LONGEST = 30  # digits of an id


class Linked(ABC):
    """Rows that name the record they are of: read once to know them, and once to count them.

    Attributes:
        changes: What they say, by record, in the order met.
    """

    table = ""

    def __init__(self) -> None:
        self.changes: dict[str, list[Change]] = {}
        self._rows: list[object] = []
        self._seen: set[str] = set()

    def gather(self, rows: object) -> None:
        """Read every row."""
        self._rows = list(walked(rows, ROWS))
        Intake().each(self._rows, self._keep, what=ROWS)

    def taken(self, records: Container[str]) -> Intake:
        """What was used: the rows of these records that can be read."""
        self._seen.clear()
        intake = Intake()
        use = partial(self._use, records)
        intake.each(self._rows, use, what=ROWS, table=self.table)
        return intake

    @abstractmethod
    def read_row(self, item: Item) -> Change:
        """What a row says; the item then knows its record."""

    def _keep(self, item: Item) -> None:
        change = self._once(item)
        self.changes.setdefault(str(item.identity), []).append(change)

    def _use(self, records: Container[str], item: Item) -> None:
        self._once(item)
        if str(item.identity) not in records:
            item.refuse(None, "its record is not among those read")

    def _once(self, item: Item) -> Change:
        change = self.read_row(item)
        if (mark := change.said.get("event_id")) is not None:
            if mark in self._seen:
                item.refuse("id", "an earlier row has the same id")
            self._seen.add(mark)
        return change


class Scores(Linked):
    """Scores of contacts, or of deals.

    Args:
        link: The member that names the record.
    """

    table = "scoreValues"

    def __init__(self, link: str) -> None:
        super().__init__()
        self._link = link

    def read_row(self, item: Item) -> Change:
        """The value of a score as an attribute."""
        members = Members(item, item.given)
        item.identity = members.reference(self._link, needed=True)
        if item.identity is None:
            item.refuse(self._link, f"it is of no {self._link}")
        score = members.text("score", needed=True)
        if score is None:
            item.refuse("score", "it is the value of no score")
        at = members.instant("mdate", needed=True) or members.instant("cdate", needed=True)
        if at is None:
            item.refuse("mdate", "it has no instant")
        value = members.read("scoreValue", _points)
        said = {"event_id": f"score/{score}/{item.identity}/{at.isoformat()}"}
        return Change(at, f"{ATTRIBUTES}score.{score}", None, value, said, item)


def _points(value: object, name: str) -> Any:
    points = number(value, name)
    return int(points) if points == int(points) else points
