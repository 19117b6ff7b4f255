"""HubSpot's tables as Fivetran lays them down in a warehouse, as drafts of records."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar, cast

from salespipeline.connectors._items import Intake, Item, RowRefusedError
from salespipeline.connectors.hubspot._objects import begun, read_merges, settle
from salespipeline.connectors.hubspot._pipelines import DraftStage, assembled, probability_of
from salespipeline.connectors.hubspot._values import (
    CELLS,
    Draft,
    Entry,
    Source,
    held,
    instant,
    text,
    truth,
)
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import Direction
from salespipeline.pipelines import Outcome, Pipeline, Stage

T = TypeVar("T")

_PROPERTY = "property_"
_LOADER = "_fivetran_"
_OWN = {
    "deal_id": "", "id": "", "contact_id": "", "is_deleted": "",
    "owner_id": "hubspot_owner_id",
    "deal_pipeline_id": "pipeline",
    "deal_pipeline_stage_id": "dealstage",
}  # fmt: skip
"""What columns of a record are properties by another name, or no property."""

DEALS = (
    "deal_pipeline", "deal_pipeline_stage", "owner", "deal", "deal_stage",
    "deal_property_history", "deal_contact", "merged_deal",
)  # fmt: skip
CONTACTS = (
    "owner", "contact", "contact_property_history", "contact_merge_audit",
    "contact_form_submission",
)  # fmt: skip


def checked_tables(tables: object, known: tuple[str, ...]) -> dict[str, object]:
    """The tables by name.

    Raises:
        WrongTypeError: They are no mapping.
        InvalidValueError: A table has a name that is none of those known.
    """
    if not isinstance(tables, Mapping):
        raise WrongTypeError("tables", "a mapping of names to rows", tables)
    given = cast("Mapping[object, object]", tables)
    faults = [f"unknown table {brief(name)}" for name in given if name not in known]
    if faults:
        raise InvalidValueError("tables", (*faults, f"known: {', '.join(known)}"))
    return {name: given[name] for name in known if name in given}


class Warehouse:
    """Tables being read: the drafts of their records, and the rows that each is made of.

    Attributes:
        intake: The rows used and refused.
        drafts: The drafts by id.
    """

    def __init__(self, tables: Mapping[str, object], kind: str) -> None:
        self.intake = Intake()
        self.drafts: dict[str, Draft] = {}
        self._tables = tables
        self._kind = kind
        self._rows: dict[str, list[Item]] = {}
        self._entries: dict[str, dict[str, list[Entry]]] = {}
        self._owners: dict[str, Item] = {}

    def each(self, name: str, use: Callable[[Item], None]) -> None:
        """Use each row of a table, if it was given."""
        if name in self._tables:
            self.intake.each(self._tables[name], use, what=f"rows of {name}", table=name)

    def take(self, records: str, key: str, histories: Iterable[str]) -> None:
        """Take the records, their owners, and the changes of their properties."""
        self.each("owner", self._owner)
        self.each(records, lambda item: self._record(item, key))
        for name in histories:
            self.each(name, self._change)
        for identity, entries in self._entries.items():
            for name, changes in entries.items():
                self.drafts[identity].keep(name, changes)

    def draft(self, item: Item, *columns: str) -> Draft:
        """The draft of the record that a row is about; a new one where there is none so far."""
        item.identity = needed(item, text, *columns)
        self._rows.setdefault(item.identity, []).append(item)
        if item.identity not in self.drafts:
            self.drafts[item.identity] = Draft(item, self._kind, item.identity)
        return self.drafts[item.identity]

    def written(self, write: Callable[[Draft], T]) -> list[T]:
        """What is made of each draft; the rows of one of which nothing can be made are refused."""
        done: list[T] = []
        for identity, draft in self.drafts.items():

            def use(draft: Draft = draft) -> None:
                done.append(write(draft))

            self.attempt(self._rows[identity], draft.item, use)
        place = {name: number for number, name in enumerate(self._tables)}
        self.intake.problems.sort(key=lambda each: (place[each.table], each.row))
        return done

    def attempt(self, rows: list[Item], culprit: Item, use: Callable[[], object]) -> None:
        """Make something of rows; refuse all of them where that cannot be."""
        before = len(self.intake.problems)
        try:
            use()
        except RowRefusedError:
            self.intake.used -= len(rows)
            self.intake.refused += [row.identity for row in rows]
            told = {
                (each.table, each.row) for each in self.intake.problems[before:] if each.refused
            }
            for row in rows:
                if (row.table, row.number) not in told:
                    try:
                        row.refuse(None, f"what it belongs to is refused: {culprit.identity!r}")
                    except RowRefusedError:
                        continue

    def _owner(self, item: Item) -> None:
        item.identity = None
        self._owners.setdefault(needed(item, text, "owner_id"), item)

    def _record(self, item: Item, key: str) -> None:
        identity = needed(item, text, key)
        if identity in self.drafts:
            item.identity = identity
            item.refuse(key, "an earlier row has the same id", identity)
        instants = self._lasting(item)
        draft = self.draft(item, key)
        for column, value in item.given.items():
            name = _property(column)
            if name and (found := held(value)) is not None:
                draft.present[name] = Source(item, str(column), found)
        draft.updated, draft.deleted = instants
        read_merges(draft)
        draft.created = begun(draft)

    def _lasting(self, item: Item) -> tuple[datetime | None, datetime | None]:
        """When a record last changed, and when it was deleted, by what its row knows."""
        given = item.given
        updated = None
        for column in ("property_hs_lastmodifieddate", "property_lastmodifieddate"):
            updated = updated or item.read(held(given.get(column)), column, instant)
        synced = item.read(held(given.get("_fivetran_synced")), "_fivetran_synced", instant)
        for column in ("is_deleted", "_fivetran_deleted"):
            if item.read(held(given.get(column)), column, truth, needed=True):
                if updated is None and synced is None:
                    item.refuse(column, "it is deleted, and nothing says since when")
                return updated or synced, updated or synced
        return updated or synced, None

    def _change(self, item: Item) -> None:
        """Take one change of a property; the table of stages has its own names for it."""
        of_stage = item.table == "deal_stage"
        columns = ("date_entered", "_fivetran_start") if of_stage else ("timestamp",)
        name = "dealstage" if of_stage else needed(item, text, "name")
        at = needed(item, instant, *columns)
        signed = {"by": "source_id", "role": "source"}
        said = {k: item.read(held(item.given.get(c)), c, text) for k, c in signed.items()}
        draft = self.draft(item, "deal_id" if self._kind == "deals" else "contact_id")
        value = held(item.given.get("value"))
        entry = Entry(item, "value", value, at=at, by=said["by"], role=said["role"])
        self._entries.setdefault(draft.identity, {}).setdefault(name, []).append(entry)

    def finish(self, draft: Draft) -> Draft:
        """The draft with all that is known of it, before it is written."""
        settle(draft)
        read_merges(draft)
        history = draft.history.get("hubspot_owner_id")
        source = history[-1] if history else draft.present.get("hubspot_owner_id")
        value = None if source is None else source.read(text)
        owner = None if value is None else self._owners.get(value)
        if owner is not None:
            for column, found in _told(owner, "owner_id"):
                draft.present[f"owner.{column}"] = Source(owner, column, found)
        return draft


def needed(item: Item, how: Callable[[object, str], T], *columns: str) -> T:
    """What stands in the first column that has something; the row is refused without it."""
    for column in columns:
        found = item.read(held(item.given.get(column)), column, how, needed=True)
        if found is not None:
            return found
    return item.refuse(columns[0], "it is needed")


def _told(item: Item, *but: str) -> Iterable[tuple[str, object]]:
    """The columns of a row that say something, without some and without the loader's own."""
    for column, value in item.given.items():
        known = isinstance(column, str) and not column.startswith(_LOADER)
        if known and column not in but and held(value) is not None:
            yield column, value


def _property(column: object) -> str:
    """The property that a column holds; empty for what is none."""
    if not isinstance(column, str) or column.startswith(_LOADER):
        return ""
    return (
        column.removeprefix(_PROPERTY) if column.startswith(_PROPERTY) else _OWN.get(column, column)
    )


# What only one kind of record has


def linked_contacts(house: Warehouse) -> None:
    """Take the contacts of deals, and the deals merged into others."""

    def link(item: Item) -> None:
        contact = needed(item, text, "contact_id")
        house.draft(item, "deal_id").contacts[contact] = None

    def merge(item: Item) -> None:
        other = needed(item, text, "merged_deal_id")
        at = item.read(held(item.given.get("_fivetran_synced")), "_fivetran_synced", instant)
        draft = house.draft(item, "deal_id")
        draft.merged[other] = draft.merged.get(other) or at

    house.each("deal_contact", link)
    house.each("merged_deal", merge)


def contact_happenings(house: Warehouse) -> None:
    """Take the contacts merged into others, and what was sent through forms."""

    def merge(item: Item) -> None:
        other, at = needed(item, text, "vid_to_merge"), needed(item, instant, "timestamp")
        draft = house.draft(item, "canonical_vid", "contact_id")
        draft.merged[other] = at
        draft.seen.append(at)

    def submit(item: Item) -> None:
        at = needed(item, instant, "timestamp")
        draft = house.draft(item, "contact_id")
        number = sum(1 for each in draft.seen if each == at)
        key = draft.key("form_submission", at.isoformat(), *([str(number)] if number else []))
        sent = {"activity": "form_submission", "direction": Direction.INBOUND}
        draft.done.append((at, key, sent))
        for column, value in _told(item, "timestamp", "contact_id"):
            found = item.read(value, column, CELLS.attribute)
            facts = {f"attributes.form_submission.{column}": found}
            draft.done.append((at, f"{key}#{column}", facts))
        draft.seen.append(at)

    house.each("contact_merge_audit", merge)
    house.each("contact_form_submission", submit)


def pipelines_of(house: Warehouse, outcomes: Mapping[str, Outcome]) -> list[Pipeline]:
    """The pipelines of the tables, those with a row of their own first."""
    named: dict[str, Item] = {}
    stages: dict[str, list[tuple[Item, DraftStage]]] = {}

    def pipeline(item: Item) -> None:
        item.identity = None
        key = needed(item, text, "pipeline_id")
        if key in named:
            item.refuse("pipeline_id", "an earlier row has the same id", key)
        named[key] = item

    def stage(item: Item) -> None:
        key, made = needed(item, text, "pipeline_id"), _stage(item, outcomes)
        stages.setdefault(key, []).append((item, made))

    house.each("deal_pipeline", pipeline)
    house.each("deal_pipeline_stage", stage)
    found: list[Pipeline] = []
    for key in dict.fromkeys((*named, *stages)):
        rows = [item for item, _ in stages.get(key, ())]
        head = named.get(key) or rows[0]
        label = head.read(held(head.given.get("label")), "label", text) if key in named else None
        drafts = [draft for _, draft in stages.get(key, ())]

        def make(head: Item = head, key: str = key, label: str | None = label,
                 drafts: list[DraftStage] = drafts) -> None:  # fmt: skip
            found.append(assembled(head, key, label, drafts))

        house.attempt([named[key], *rows] if key in named else rows, head, make)
    return found


def _stage(item: Item, outcomes: Mapping[str, Outcome]) -> DraftStage:
    given, key = item.given, needed(item, text, "stage_id")
    closed = item.read(held(given.get("is_closed")), "is_closed", truth)
    won = item.read(held(given.get("closed_won")), "closed_won", truth)
    probability = item.read(held(given.get("probability")), "probability", probability_of)
    outcome = outcomes.get(key)
    if outcome is None:
        outcome = _meant(item, closed=closed, won=won)
    stage = Stage(key, outcome=outcome, probability=probability)
    label = item.read(held(given.get("label")), "label", text)
    if label is not None:
        stage = Stage(key, label, outcome, probability)
    active = item.read(held(given.get("active")), "active", truth)
    order = item.read(held(given.get("display_order")), "display_order", CELLS.whole)
    return DraftStage(stage, (active is False, 10**9 if order is None else order, stage.name))


def _meant(item: Item, *, closed: bool | None, won: bool | None) -> Outcome:
    if closed and won is not None:
        return Outcome.WON if won else Outcome.LOST
    if closed is None or closed:
        item.note("is_closed", "nothing says whether it is open, won or lost: taken for open")
    return Outcome.OPEN
