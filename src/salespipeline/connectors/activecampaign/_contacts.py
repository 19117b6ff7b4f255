"""Contacts of ActiveCampaign."""

from typing import Any

from salespipeline.attributes import Attributes
from salespipeline.connectors._items import Item
from salespipeline.connectors._logs import ContactLog
from salespipeline.connectors._members import Members
from salespipeline.connectors._standing import ATTRIBUTES
from salespipeline.connectors._systems import System, in_order
from salespipeline.connectors.activecampaign._rows import SYSTEM, Scores, linked
from salespipeline.events import Start


def take_contact(logs: dict[str, ContactLog], scores: Scores, item: Item) -> None:
    """Use the row of a contact, with the values of its scores."""
    members = Members(item, item.given)
    key = members.identity()
    if key in logs:
        item.refuse("id", "an earlier row has the same id")
    created = members.instant("cdate", needed=True)
    changed = members.instant("udate")
    changes: list[dict[str, Any]] = [
        {
            "at": each.at,
            **each.said,
            "attributes": Attributes({each.field.removeprefix(ATTRIBUTES): each.new}),
        }
        for each in scores.changes.get(key, ())
    ]
    begun = created or min((each["at"] for each in changes), default=None) or changed
    if begun is None:
        item.refuse("cdate", "nothing says when the contact was there")
    is_gone = members.flag("deleted") is True
    gone = members.instant("deleted_at", needed=True) or changed
    if is_gone and gone is None:
        item.refuse("deleted", "the contact is deleted, and nothing says when")
    said = _contact(members)
    log = logs[key] = ContactLog(key, System(SYSTEM, {}))
    log.happen({
        "at": begun, "start": Start.BY_THEN if created is None else Start.EXACT,
        "event_id": f"contact/{key}/cdate", **said,
    })  # fmt: skip
    if changed is not None and changed != begun:
        known = Attributes({"udate": changed})
        changes.append({"at": changed, "event_id": f"contact/{key}/udate", "attributes": known})
    for change in in_order(changes):
        log.happen(change)
    if is_gone:
        log.happen({"at": gone, "event_id": f"contact/{key}/deleted", "deleted": True})


def _contact(members: Members) -> dict[str, Any]:
    """The fields of a contact that a row says."""
    names = [members.text(name) for name in ("firstName", "lastName")]
    said: dict[str, Any] = {
        "name": " ".join(name for name in names if name is not None) or None,
        "email": members.text("email"),
        "company": members.text("orgname"),
        "account": members.read("orgid", linked),
    }
    members.leave("links")
    said["attributes"] = Attributes(members.rest())
    return {name: each for name, each in said.items() if each is not None}
