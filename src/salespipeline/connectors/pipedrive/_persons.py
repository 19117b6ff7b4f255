"""Persons of Pipedrive, as contacts."""

from datetime import datetime
from operator import itemgetter
from typing import Any, cast

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Item, cells_of
from salespipeline.connectors._logs import ContactLog
from salespipeline.connectors._members import UTC_CELLS, Members
from salespipeline.connectors._systems import System
from salespipeline.connectors.pipedrive._deals import unwrapped
from salespipeline.connectors.pipedrive._log import SYSTEM, made_id
from salespipeline.events import Start


def take_person(logs: dict[str, ContactLog], item: Item) -> None:
    """Use the row of a person, or the item of ``/recents`` that holds one."""
    members = unwrapped(item, "person")
    key = members.identity()
    if key in logs:
        item.refuse("id", "an earlier row has the same id")
    created = members.instant("add_time", needed=True)
    changed = members.instant("update_time")
    removed = members.instant("delete_time", needed=True)
    is_gone = members.flag("active_flag") is False or members.flag("is_deleted") is True
    deleted = removed or (changed if is_gone else None)
    known = [at for at in (created, changed, removed) if at is not None]
    if not known:
        item.refuse("add_time", "nothing says when the person was there")
    if is_gone and deleted is None:
        item.refuse("active_flag", "the person is deleted, and nothing says when")
    log = logs[key] = ContactLog(key, System(SYSTEM, {}))
    begun = created or min(known)
    said = {**_person(members), "attributes": Attributes(members.rest())}
    log.happen({
        "at": begun, "start": Start.BY_THEN if created is None else Start.EXACT,
        "event_id": _person_id(key, "add_time", begun), **said,
    })  # fmt: skip
    if members.given.get("marketing_status") == "unsubscribed":
        _happen(log, key, "marketing_status", begun, opted_out=True)
    if changed is not None and changed not in {begun, deleted}:
        _happen(log, key, "update_time", changed, attributes=Attributes({"update_time": changed}))
    if deleted is not None:
        _happen(log, key, "delete_time", deleted, deleted=True)


def _happen(log: ContactLog, key: str, what: str, at: datetime, **facts: Any) -> None:
    log.happen({"at": at, "event_id": _person_id(key, what, at), **facts})


def _person_id(key: str, what: str, at: datetime) -> str:
    return f"person/{made_id(key, what, at)}"


def _person(members: Members) -> dict[str, Any]:
    """The fields of a contact that a row says."""
    said: dict[str, Any] = {
        "name": members.text("name"),
        "email": _email(members),
        "company": members.text("org_name"),
        "account": members.reference("org_id"),
        "owner": members.reference("owner_id"),
    }
    return {name: each for name, each in said.items() if each is not None}


def _email(members: Members) -> str | None:
    """The primary address, else the first one."""
    name = "emails" if members.holds("emails") else "email"
    given = members.given.get(name)
    if not isinstance(given, list | tuple):
        return members.text(name)
    found: list[tuple[bool, str, object]] = []
    for place, each in enumerate(cast("list[object]", given)):
        held = cells_of(each) or {}
        value = UTC_CELLS.held(held.get("value"), "email")
        if value is not None:
            found.append((held.get("primary") is not True, f"{name}[{place}].value", value))
    if not found:
        return None
    _, path, value = min(found, key=itemgetter(0))
    members.leave(path)
    return members.item.read(value, members.column(path), UTC_CELLS.text, name="email")
