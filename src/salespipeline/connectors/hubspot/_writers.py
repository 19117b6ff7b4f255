"""A draft written down as the events of a record: its beginning, then every change in order."""

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar, TypeVar, cast

from attrs import frozen

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Facts
from salespipeline.connectors._logs import Log
from salespipeline.connectors._systems import System
from salespipeline.connectors.hubspot._values import (
    SAME_SAVE,
    Change,
    Draft,
    Entry,
    Source,
    attribute,
    changes_of,
    instant,
    text,
)
from salespipeline.events import Start
from salespipeline.lifecycle import LifecycleStage

T = TypeVar("T")

FIRST, STATE, AFTER, MERGE, LAST = range(5)
"""What comes before what at one instant."""

ATTRIBUTE = "attributes."

_DAY = timedelta(days=1)


@frozen
class Reading:
    """How a body of records is read.

    Attributes:
        ground: The system and its pipelines.
        zone: The zone in which an instant has a calendar date.
        currency: The currency of amounts that name none, or None.
        opening: The stage of deals of which nothing says one, or None.
        stages: What the lifecycle stages of the portal stand for.
        statuses: What the lead statuses of the portal stand for.
    """

    ground: System
    zone: tzinfo
    currency: str | None
    opening: str | None
    stages: Mapping[str, LifecycleStage | None]
    statuses: Mapping[str, str]


class Writer:
    """The events of one record being gathered from its draft.

    Attributes:
        draft: The draft.
        reading: How it is read.
        begun: When the record began, or an instant by which it had begun.
        start: Which of the two.
    """

    clusters: ClassVar[Mapping[str, tuple[str, ...]]]
    """Properties that make one fact together, by the first of them."""
    fields: ClassVar[Mapping[str, str]]
    """Properties that are one field of text each."""
    states: ClassVar[frozenset[str]]
    """Clusters that are no field, which a subclass writes."""

    def __init__(self, draft: Draft, reading: Reading) -> None:
        self.draft = draft
        self.reading = reading
        self.begun, self.start = self._beginning()
        self._rows: list[tuple[datetime, int, Facts]] = []
        self._current: dict[str, dict[str, Source]] = {}
        self._memory: dict[Hashable, Any] = {}
        self._belongs = {n: cluster for cluster, names in self.clusters.items() for n in names}

    def _beginning(self) -> tuple[datetime, Start]:
        draft = self.draft
        if draft.created is not None:
            return draft.created, Start.EXACT
        known = [at for at in (draft.earliest(), draft.updated) if at is not None]
        if not known:
            draft.item.refuse(None, "it has no date of creation, and nothing says when it was")
        return min(known), Start.BY_THEN

    def value(self, source: Source, how: Callable[[object, str], T]) -> T | None:
        """What a door makes of what stands somewhere; a fault is reported once."""
        key = id(source), how
        if key not in self._memory:
            self._memory[key] = source.read(how)
        return cast("T | None", self._memory[key])

    def say(self, at: datetime, rank: int, key: str, facts: Facts, signed: Facts) -> None:
        """Plan one event for each fact, the first known by the key, the others by key and name."""
        for number, (name, value) in enumerate(facts.items()):
            known_by = f"{key}#{name}" if number else key
            self.plan(at, rank, {**_row({name: value}), **signed, "event_id": known_by})

    def plan(self, at: datetime, rank: int, row: Facts) -> None:
        """Plan a row of a log at an instant."""
        self._rows.append((at, rank, {**row, "at": at}))

    def take_fields(self) -> dict[str, Any]:
        """Plan the changes of all fields and attributes; give what the record begins with."""
        for name, source in self.draft.present.items():
            cluster = self._belongs.get(name, name)
            if cluster not in self.states:
                self._current.setdefault(cluster, {})[name] = source
        later: list[Change] = []
        begun: set[str] = set()
        for change in changes_of(self.draft.history, self.clusters):
            if change.cluster in self.states:
                continue
            if change.at <= self.begun and change.cluster not in begun:
                begun.add(change.cluster)
                self._take(change)
                self.note_if_early(change.first)
            else:
                later.append(change)
        first: dict[str, Any] = {}
        for cluster, sources in self._current.items():
            first |= self.facts_of(cluster, sources)
        for change in later:
            facts = self.facts_of(change.cluster, self._take(change))
            entry = change.first
            rank = AFTER if change.cluster in _AFTER else FIRST
            self.say(change.at, rank, entry.original_id, facts, entry.signature)
        return {name: value for name, value in first.items() if value is not None}

    def note_if_early(self, entry: Entry) -> None:
        """Report what is dated long before the record began."""
        if self.begun - entry.at >= _DAY:
            entry.item.note(
                entry.column, "it is before the record began; it is said of its beginning",
                entry.value,
            )  # fmt: skip

    def _take(self, change: Change) -> dict[str, Source]:
        current = self._current.setdefault(change.cluster, {})
        current.update(change.entries)
        return current

    def facts_of(self, cluster: str, sources: Mapping[str, Source]) -> dict[str, Any]:
        """What the values of a cluster say, by field; None for what they take away."""
        [source] = sources.values()
        if cluster == "createdate" and self.value(source, instant) == self.begun:
            return {}
        if (field := self.fields.get(cluster)) is not None:
            return {field: self.value(source, text)}
        return {ATTRIBUTE + cluster: self.value(source, attribute)}

    def creator(self) -> Facts:
        """Who created the record, where a history says so."""
        for name in ("createdate", *sorted(self.states)):
            for entry in self.draft.history.get(name, ())[:1]:
                if entry.at <= self.begun + SAME_SAVE:
                    return entry.signature
        return {}

    def write(self, log: Log, first: Facts) -> None:
        """Write the beginning, then all that was planned, by instant."""
        draft = self.draft
        last = max((at for at, _, _ in self._rows), default=self.begun)
        for other, at in draft.merged.items():
            by_then = draft.updated if at is None else at
            merge = {"merged": other, "event_id": draft.key("merged", other)}
            self.plan(by_then or last, MERGE, merge)
        for at, key, facts in draft.done:
            self.plan(at, AFTER, {**_row(facts), "event_id": key})
        if draft.deleted is not None:
            self.plan(draft.deleted, LAST, {"deleted": True, "event_id": draft.key("archived")})
        log.happen({
            "at": self.begun, "start": self.start, "event_id": draft.key(), **self.creator(),
            **_row(first),
        })  # fmt: skip
        for _, _, row in sorted(self._rows, key=lambda each: each[:2]):
            log.happen(row)


_AFTER = {"hs_manual_forecast_category", "hs_forecast_category", "hs_next_step"}


def _row(facts: Facts) -> dict[str, Any]:
    """Facts as a row of a log, which holds attributes together."""
    row = {name: value for name, value in facts.items() if not name.startswith(ATTRIBUTE)}
    said = {n.removeprefix(ATTRIBUTE): v for n, v in facts.items() if n.startswith(ATTRIBUTE)}
    return row | {"attributes": Attributes(said)} if said else row
