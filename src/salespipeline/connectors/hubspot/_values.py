"""What HubSpot writes as text: instants, amounts, truths; and values with the changes of them."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar, cast

from attrs import Factory, define, evolve, frozen

from salespipeline._doors import NOTHING
from salespipeline.attributes import Value
from salespipeline.connectors._cells import Cells
from salespipeline.connectors._items import Facts, Item
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.periods import on

T = TypeVar("T")

SYSTEM = "hubspot"
CELLS = Cells(UTC, frozenset({""}), None, NOTHING)
SAME_SAVE = timedelta(minutes=1)
"""How far apart the traces of one save may lie, such as the creation and the first stage."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT_HOUR = re.compile(r"^(\d{4}-\d\d-\d\d[ T])(\d:)", re.ASCII)
_COUNT = re.compile(r"-?\d{11,17}", re.ASCII)
_TRUTHS = {"true": True, "false": False}


def held(value: object) -> object:
    """The value itself, or None where it says nothing: null, empty or blank."""
    return None if CELLS.held(value, "") is None else value


def instant(value: object, name: str) -> datetime:
    """An instant in UTC: ISO 8601, or milliseconds since 1970 as a number or as its digits.

    HubSpot's API and Fivetran's tables keep UTC, so a time without a zone is one of UTC.
    """
    if isinstance(value, str):
        value = value.strip()
        value = int(value) if _COUNT.fullmatch(value) else _SHORT_HOUR.sub(r"\g<1>0\g<2>", value)
    if isinstance(value, bool) or not isinstance(value, int):
        return CELLS.instant(value, name)
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        fault = f"{brief(value)} milliseconds after 1970 are no instant"
        raise InvalidValueError(name, (fault,)) from None


def day(zone: tzinfo) -> Callable[[object, str], date]:
    """The door of calendar dates: a date as it stands, an instant by its date in a zone."""

    def read(value: object, name: str) -> date:
        if isinstance(value, str) and len(value.strip()) <= len("2026-01-01"):
            return CELLS.day(value.strip(), name)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return on(instant(value, name), zone)

    return read


def text(value: object, name: str) -> str:
    """Text without outer blanks; a whole number gives its digits."""
    return CELLS.text(value, name).strip()


def truth(value: object, name: str) -> bool:
    """A truth, also as the text that HubSpot writes for one, in letters of either case."""
    if isinstance(value, bool):
        return value
    found = _TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise WrongTypeError(name, "'true' or 'false'", value)
    return found


def attribute(value: object, name: str) -> Value:
    """A plain value as it stands, text with all its blanks."""
    return CELLS.attribute(value, name)


@frozen
class Source:
    """What stands somewhere.

    Attributes:
        item: The row or object that it stands in.
        column: Where in it.
        value: What stands there; None for nothing.
    """

    item: Item
    column: str
    value: object

    def read(self, how: Callable[[object, str], T], *, needed: bool = False) -> T | None:
        """What a door makes of it; see `Item.read`."""
        return self.item.read(self.value, self.column, how, needed=needed)

    def demand(self, how: Callable[[object, str], T]) -> T:
        """What a door makes of it, where something stands; the item is refused if it is nothing."""
        return cast("T", self.read(how, needed=True))


@frozen(kw_only=True)
class Entry(Source):
    """A value that a property has had since an instant.

    Attributes:
        at: The instant.
        by: Who or what set it, or None.
        role: The kind of source that it came from, or None.
        original_id: What the entry is known by in its record.
    """

    at: datetime
    by: str | None = None
    role: str | None = None
    original_id: str = ""

    @property
    def signature(self) -> dict[str, Any]:
        """Who did it, as facts of a log."""
        signed = {"by": self.by, "role": self.role}
        return {name: value for name, value in signed.items() if value is not None}


@define
class Draft:
    """A record as HubSpot tells it, before it is written down as events.

    Attributes:
        item: The row or object that it is known by.
        kind: ``deals`` or ``contacts``.
        identity: Its id.
        created: When it was created, or None.
        updated: When it last changed, or None.
        deleted: When it was archived, or None.
        present: The values of properties without a history, by name.
        history: The changes of the others, by name, the oldest first.
        merged: The ids of records merged into it, each with the instant, where that is known.
        contacts: The ids of the contacts of a deal.
        seen: Instants at which something happened to it that is no change of a property.
        done: What happened then, as facts, each with what it is known by.
    """

    item: Item
    kind: str
    identity: str
    created: datetime | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    present: dict[str, Source] = Factory(dict[str, Source])
    history: dict[str, list[Entry]] = Factory(dict[str, list[Entry]])
    merged: dict[str, datetime | None] = Factory(dict[str, "datetime | None"])
    contacts: dict[str, None] = Factory(dict[str, None])
    seen: list[datetime] = Factory(list[datetime])
    done: list[tuple[datetime, str, Facts]] = Factory(list["tuple[datetime, str, Facts]"])

    def key(self, *parts: str) -> str:
        """What a happening is known by: the record, then what happened to it."""
        return "/".join((self.kind, self.identity, *parts))

    def keep(self, name: str, entries: Iterable[Entry]) -> None:
        """Keep the changes of a property, those given later being the newer ones.

        An entry that is there twice is kept once. What entries are known by counts from the
        newest, since a history that is cut off lacks the oldest.
        """
        ordered = sorted(entries, key=attrgetter("at"))
        kept: list[Entry] = []
        for at, group in groupby(ordered, key=attrgetter("at")):
            once: list[Entry] = []
            for entry in group:
                if not any(_same(entry, other) for other in once):
                    once.append(entry)
            key = self.key(name, at.isoformat())
            for number, entry in enumerate(once):
                newer = len(once) - 1 - number
                kept.append(evolve(entry, original_id=f"{key}~{newer}" if newer else key))
        if kept:
            self.history[name] = kept

    def earliest(self) -> datetime | None:
        """The earliest instant at which something happened to it, or None."""
        return min((*self.seen, *(each[0].at for each in self.history.values())), default=None)


def _same(entry: Entry, other: Entry) -> bool:
    return (repr(entry.value), entry.by, entry.role) == (repr(other.value), other.by, other.role)


@frozen
class Change:
    """The entries that properties which belong together got at one instant.

    Attributes:
        at: The instant.
        cluster: The property that they belong to.
        entries: The entries by property; the cluster's own first, if it is among them.
    """

    at: datetime
    cluster: str
    entries: dict[str, Entry]

    @property
    def first(self) -> Entry:
        """The entry that speaks for all."""
        return next(iter(self.entries.values()))


def changes_of(
    history: Mapping[str, list[Entry]], clusters: Mapping[str, tuple[str, ...]]
) -> list[Change]:
    """All changes by instant; entries of one cluster at one instant are one change.

    Args:
        history: The changes of each property, the oldest first.
        clusters: The properties that belong together, by the one they belong to.
    """
    belonging = {name: cluster for cluster, names in clusters.items() for name in names}
    found: dict[tuple[str, datetime], dict[str, list[Entry]]] = {}
    for name, entries in history.items():
        for entry in entries:
            together = found.setdefault((belonging.get(name, name), entry.at), {})
            together.setdefault(name, []).append(entry)
    changes: list[Change] = []
    for (cluster, at), together in found.items():
        names = [name for name in clusters.get(cluster, (cluster,)) if name in together]
        most = max(map(len, together.values()))
        changes += [
            Change(at, cluster, {
                name: together[name][number] for name in names if number < len(together[name])
            })
            for number in range(most)
        ]  # fmt: skip
    return sorted(changes, key=attrgetter("at"))


def listed(given: object) -> object:
    """The objects of a response, or what was given where that is no response."""
    if isinstance(given, Mapping):
        results = cast("Mapping[object, object]", given).get("results")
        return cast("object", results if isinstance(results, list | tuple) else given)
    return given
