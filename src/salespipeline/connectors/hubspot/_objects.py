"""Objects of HubSpot's CRM API, version 3, as drafts of records."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from salespipeline._doors import NOTHING
from salespipeline.connectors._items import Item, cells_of
from salespipeline.connectors.hubspot._values import (
    Draft,
    Entry,
    Source,
    held,
    instant,
    text,
    truth,
)

_USER = re.compile(r"userId:(\d+)", re.ASCII)
_DEFAULT_TYPES = {"deal_to_contact", "deal_to_contact_unlabeled"}
_STATES = {
    "deals": {"dealstage", "pipeline"},
    "contacts": {"lifecyclestage", "hs_lead_status"},
}
"""The properties whose changes a record cannot be read without."""


def draft_of(item: Item, kind: str) -> Draft:
    """The draft of an object; it is refused where its id or an instant of its own is unreadable."""
    given = item.given
    item.identity = item.read(held(given.get("id")), "id", text, needed=True)
    if item.identity is None:
        item.refuse("id", "it has no id")
    draft = Draft(item, kind, item.identity)
    _read_properties(draft)
    _read_histories(draft)
    draft.created = _instant(item, "createdAt") or begun(draft)
    draft.updated = item.read(held(given.get("updatedAt")), "updatedAt", instant)
    if item.read(held(given.get("archived")), "archived", truth, needed=True):
        draft.deleted = _instant(item, "archivedAt") or draft.updated
        if draft.deleted is None:
            item.refuse("archivedAt", "it is archived, and nothing says since when")
    read_merges(draft)
    _read_associations(draft)
    return draft


def begun(draft: Draft) -> datetime | None:
    """When a record was created by its own properties, or None."""
    for name in ("createdate", "hs_createdate"):
        source: Source | None = draft.present.get(name)
        if source is None and name in draft.history:
            source = draft.history[name][-1]
        if source is not None and (found := source.read(instant, needed=True)) is not None:
            return found
    return None


def signed(row: Mapping[Any, Any]) -> dict[str, str]:
    """Who or what made a change, and as what, by HubSpot's names for it."""
    by = next((each for each in map(_words, _actors(row)) if each), None)
    user = None if by is None else _USER.fullmatch(by)
    found = {"by": user[1] if user else by, "role": _words(row.get("sourceType"))}
    return {name: value for name, value in found.items() if value is not None}


def _actors(row: Mapping[Any, Any]) -> Iterable[object]:
    return (row.get(name) for name in ("updatedByUserId", "sourceId"))


def _words(value: object) -> str | None:
    """Text or the digits of a whole number; None for anything else."""
    try:
        return text(value, "") or None
    except Exception:  # noqa: BLE001 - who did it may be unknown; what was done is not
        return None


def _instant(item: Item, column: str) -> datetime | None:
    return item.read(held(item.given.get(column)), column, instant, needed=True)


def _named(item: Item, column: str) -> Iterable[tuple[str, object]]:
    """What a member of an object holds, by name; reported where it holds anything else."""
    given = item.given.get(column)
    cells = {} if given is None else cells_of(given)
    if cells is None:
        item.note(column, "it must be a mapping", given)
        return
    for name, value in cells.items():
        if isinstance(name, str):
            yield str.__str__(name), value
        else:
            item.note(column, "the name of a property must be text", name)


def _read_properties(draft: Draft) -> None:
    for name, value in _named(draft.item, "properties"):
        if (found := held(value)) is not None:
            draft.present[name] = Source(draft.item, f"properties.{name}", found)


def _read_histories(draft: Draft) -> None:
    for name, rows in _named(draft.item, "propertiesWithHistory"):
        column = f"propertiesWithHistory.{name}"
        if not isinstance(rows, list | tuple):
            draft.item.note(column, "it must be a list", rows)
            continue
        given = enumerate(cast("list[object]", rows))
        entries = [_entry(draft, name, f"{column}[{number}]", row) for number, row in given]
        draft.keep(name, [entry for entry in reversed(entries) if entry is not None])
    settle(draft)


def _entry(draft: Draft, name: str, column: str, given: object) -> Entry | None:
    needed, row = name in _STATES[draft.kind], cells_of(given)
    if row is None:
        if needed:
            draft.item.refuse(column, "it must be a mapping", given)
        draft.item.note(column, "it must be a mapping", given)
        return None
    stamp = held(row.get("timestamp"))
    at = draft.item.read(stamp, f"{column}.timestamp", instant, needed=needed)
    if at is None:
        if needed:
            draft.item.refuse(f"{column}.timestamp", "it has no instant")
        if stamp is None:
            draft.item.note(f"{column}.timestamp", "it has no instant")
        return None
    return Entry(draft.item, f"{column}.value", held(row.get("value")), at=at, **signed(row))


def settle(draft: Draft) -> None:
    """Let histories tell the present values; report those that are others."""
    for name, entries in draft.history.items():
        present = draft.present.pop(name, None)
        if present is None or entries[-1].value is None or present.value == entries[-1].value:
            continue
        present.item.note(
            present.column, "its history ends with another value, which stands", present.value
        )


def read_merges(draft: Draft) -> None:
    """Take the ids of merged records out of the properties that list them."""
    for name in ("hs_calculated_merged_vids", "hs_merged_object_ids"):
        for entry in draft.history.pop(name, ()):
            _merge(draft, entry, entry.at)
        if (source := draft.present.pop(name, None)) is not None:
            _merge(draft, source, None)


def _merge(draft: Draft, source: Source, at: datetime | None) -> None:
    listed = source.read(text) or ""
    for part in filter(None, map(str.strip, listed.split(";"))):
        other, _, stamp = part.partition(":")
        known = source.item.read(stamp or None, source.column, instant) or at
        if other and other != draft.identity:
            draft.merged[other] = draft.merged.get(other) or known


def _read_associations(draft: Draft) -> None:
    item = draft.item
    for kind, given in _named(item, "associations"):
        column = f"associations.{kind}"
        found = cells_of(given)
        results: object = None if found is None else found.get("results")
        if found is None or not isinstance(results, list | tuple):
            item.note(column, "it must be a mapping with a list of results", given)
            continue
        if found.get("paging"):
            item.note(f"{column}.paging", "there are more than were given", found["paging"])
        pairs = enumerate(cast("list[object]", results))
        linked = [_linked(item, f"{column}.results[{number}]", row) for number, row in pairs]
        _associate(draft, kind, [pair for pair in linked if pair is not None])


def _linked(item: Item, column: str, given: object) -> tuple[str, str] | None:
    row = cells_of(given) or NOTHING
    identity = item.read(held(row.get("id")), f"{column}.id", text)
    if identity is None:
        if held(row.get("id")) is None:
            item.note(column, "it has no id", given)
        return None
    return identity, _words(row.get("type")) or ""


def _associate(draft: Draft, kind: str, pairs: list[tuple[str, str]]) -> None:
    """Link the contacts of a deal; keep what else is said as an attribute."""
    if kind == "contacts" and draft.kind == "deals":
        draft.contacts.update(dict.fromkeys(identity for identity, _ in pairs))
        pairs = [pair for pair in pairs if pair[1] not in _DEFAULT_TYPES]
    if pairs:
        column = f"associations.{kind}"
        draft.present[column] = Source(draft.item, column, tuple(dict.fromkeys(pairs)))
