"""An audit of a HubSpot portal: what its API gave, what could not be read, what is wrong in it.

The responses are made up here, in the shape of HubSpot's CRM API, version 3. Yours come from
``/crm/v3/pipelines/deals``, ``/crm/v3/objects/deals`` and ``/crm/v3/objects/contacts``, the last
two with ``propertiesWithHistory`` for the properties that you want to have dated.

python examples/audit_hubspot.py
"""

from datetime import UTC, datetime
from typing import Any

from salespipeline import audit
from salespipeline.connectors import hubspot

AS_OF = datetime(2026, 7, 1, tzinfo=UTC)

PIPELINES = {
    "results": [
        {
            "id": "default",
            "label": "Sales",
            "stages": [
                {
                    "id": key, "label": label, "displayOrder": number,
                    "metadata": {"isClosed": closed, "probability": probability},
                }
                for number, (key, label, probability, closed) in enumerate([
                    ("talking", "Talking", "0.2", "false"),
                    ("on_hold", "On hold", "0.0", "false"),
                    ("contract", "Contract sent", "0.9", "false"),
                    ("signed", "Signed", "1.0", "true"),
                    ("gone", "Gone", "0.0", "true"),
                ])
            ],
        }
    ]
}  # fmt: skip


def history(*changes: tuple[str, str]) -> list[dict[str, str]]:
    """What a property was, the newest first, as the API gives it."""
    return [
        {"value": value, "timestamp": f"{day}T09:00:00.000Z", "sourceType": "CRM_UI"}
        for day, value in reversed(changes)
    ]


def item(key: str, created: str, changes: dict[str, Any], **properties: str) -> dict[str, Any]:
    """An object of the API with the histories of a few properties."""
    return {
        "id": key, "createdAt": f"{created}T09:00:00.000Z", "archived": False,
        "properties": properties, "propertiesWithHistory": changes,
    }  # fmt: skip


DEALS = {
    "results": [
        item(
            "101", "2026-03-02",
            {
                "dealstage": history(
                    ("2026-03-02", "talking"), ("2026-03-20", "contract"), ("2026-04-01", "signed")
                ),
                "closedate": history(("2026-03-02", "2026-03-31"), ("2026-04-01", "2026-04-01")),
            },
            pipeline="default", dealname="Brakes", deal_currency_code="EUR",
        ),
        item(
            "102", "2026-03-09",
            {"dealstage": history(("2026-03-09", "talking"), ("2026-05-04", "on_hold"))},
            pipeline="default", dealname="Clutches", amount="12,500",
        ),
        item(
            "103", "2026-04-06", {}, pipeline="default", dealname="Gears", dealstage="gone",
            amount="900", deal_currency_code="EUR", hubspot_owner_id="3",
        ),
        item(
            "104", "2026-04-07", {}, pipeline="default", dealname="Shafts", dealstage="archive",
            amount="700", deal_currency_code="EUR", hubspot_owner_id="3",
        ),
    ]
}  # fmt: skip

CONTACTS = {
    "results": [
        item(
            "51", "2026-03-01",
            {
                "lifecyclestage": history(
                    ("2026-03-01", "lead"), ("2026-03-02", "opportunity"), ("2026-05-05", "lead")
                ),
                "hs_lead_status": history(("2026-03-01", "NEW")),
            },
            firstname="Ada", lastname="Lovelace",
        ),
        item("52", "2026-03-05", {}, firstname="Bob", lifecyclestage="18237645"),
    ]
}  # fmt: skip


def main() -> None:
    """Read, say what could not be read, audit, and show the report."""
    board = hubspot.read_pipelines(PIPELINES)
    deals = hubspot.read_deals(DEALS, pipelines=board.pipelines)
    contacts = hubspot.read_contacts(CONTACTS)
    for name, found in (("pipelines", board), ("deals", deals), ("contacts", contacts)):
        print(f"{name}: {found.used} read, {found.refused} refused")
        for problem in found.problems:
            done = "refused" if problem.refused else "left absent"
            print(f"  number {problem.row}, {problem.column}: {done}")
            print(f"    {problem.reason[:90]}")
    print()
    report = audit.audit(
        contacts.histories, deals.histories, as_of=AS_OF, pipelines=board.pipelines
    )
    print(report)
    print()
    for finding in report.findings:
        print(f"{finding.kind} {finding.record}: {finding.message[:84]}")


if __name__ == "__main__":
    main()
