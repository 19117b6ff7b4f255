"""What must hold of any HubSpot response: nothing breaks a reader, and what is told reads back."""

import copy
import json
from collections import defaultdict
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from record_strategies import PIPELINES, contact_runs, deal_runs
from salespipeline.attributes import Attributes
from salespipeline.connectors.hubspot import (
    changes,
    read_contacts,
    read_deals,
    read_pipelines,
    read_warehouse_contacts,
    read_warehouse_deals,
)
from salespipeline.errors import SalesPipelineError
from salespipeline.events import SaleType
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.pipelines import HUBSPOT_DEFAULT, Outcome

LATER = datetime(2100, 1, 1, tzinfo=UTC)

# Whatever JSON there is


NAMES = st.sampled_from([
    "id", "properties", "propertiesWithHistory", "createdAt", "updatedAt", "archived",
    "archivedAt", "associations", "contacts", "results", "paging", "dealstage", "pipeline",
    "amount", "deal_currency_code", "closedate", "createdate", "hs_deal_stage_probability",
    "dealtype", "hs_next_step", "hs_manual_forecast_category", "closed_lost_reason",
    "lifecyclestage", "hs_lead_status", "firstname", "lastname", "hs_email_optout",
    "hs_calculated_merged_vids", "hs_v2_date_entered_closedwon", "hs_lifecyclestage_lead_date",
    "value", "timestamp", "sourceType", "sourceId", "updatedByUserId", "stages", "metadata",
    "label", "displayOrder", "isClosed", "probability", "deal_id", "contact_id", "name",
    "date_entered", "stage_id", "pipeline_id", "is_closed", "closed_won", "owner_id",
    "is_deleted", "property_amount", "property_createdate", "merged_deal_id", "vid_to_merge",
])  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), NAMES,
    st.sampled_from([
        "", " ", "1", "closedwon", "closedlost", "contractsent", "default", "lead", "customer",
        "other", "true", "false", "0.0", "1.0", "12.50", "1e400", "EUR", "NEW",
        "2026-03-01T09:00:00Z", "2026-03-01T09:00:00.123Z", "2026-03-02", "1772355600000",
        "99999999999999999", "-99999999999999999", "1:1772355600000;2", "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "2026-03-01T09:00:00+23:59", "\ud800", "2026-01-01 6:49:18",
    ]),
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)

STAMP = "2026-03-01T09:00:00Z"


def row(value, timestamp, **more):
    return {"value": value, "timestamp": timestamp, "sourceType": "CRM_UI", **more}


DEAL = {
    "id": "7", "createdAt": STAMP, "updatedAt": "2026-04-01T09:00:00Z", "archived": False,
    "archivedAt": None,
    "properties": {
        "dealname": "Brakes", "pipeline": "default", "dealstage": "closedlost",
        "hs_v2_date_entered_contractsent": "2026-03-03T09:00:00Z", "dealtype": "newbusiness",
        "closed_lost_reason": "price", "hs_merged_object_ids": "8;9", "amount": "12.5",
        "deal_currency_code": "EUR", "hs_deal_stage_probability": "0.3",
        "hs_manual_forecast_category": "COMMIT", "hs_next_step": "call",
    },
    "propertiesWithHistory": {
        "dealstage": [
            row("closedlost", "2026-03-09T09:00:00Z", updatedByUserId=5),
            row("contractsent", "2026-03-05T09:00:00Z", sourceId="userId:5"),
            row("qualifiedtobuy", STAMP),
        ],
        "closedate": [
            row("2026-03-09T09:00:00Z", "2026-03-09T09:00:00Z"),
            row("2026-03-31T09:00:00Z", STAMP),
        ],
        "amount": [row("12.5", "2026-03-05T09:00:00Z"), row("10", STAMP)],
    },
    "associations": {"contacts": {"results": [{"id": "1", "type": "deal_to_contact"}]}},
}  # fmt: skip
CONTACT = {
    "id": "51", "createdAt": STAMP, "archived": True, "archivedAt": "2026-05-01T09:00:00Z",
    "properties": {
        "firstname": "Ada", "lastname": "Lovelace", "hs_email_optout": "true",
        "hs_lifecyclestage_lead_date": STAMP, "lifecyclestage": "lead",
        "hs_calculated_merged_vids": "4:1772355600000",
    },
    "propertiesWithHistory": {
        "hs_lead_status": [row("CONNECTED", "2026-03-05T09:00:00Z"), row("NEW", STAMP)],
    },
}  # fmt: skip
BOARD = {
    "id": "default", "label": "Sales",
    "stages": [
        {
            "id": "a", "label": "A", "displayOrder": 0, "archived": False,
            "metadata": {"isClosed": "false", "probability": "0.0"},
        },
        {
            "id": "b", "label": "B", "displayOrder": 1,
            "metadata": {"isClosed": "true", "probability": "1.0"},
        },
    ],
}  # fmt: skip
DEAL_TABLES = {
    "deal_pipeline": [{"pipeline_id": "default", "label": "Sales"}],
    "deal_pipeline_stage": [
        {
            "pipeline_id": "default", "stage_id": "a", "is_closed": "FALSE", "closed_won": "FALSE",
            "probability": "0.0", "label": "A", "display_order": "0", "active": "TRUE",
        },
    ],
    "owner": [{"owner_id": "3", "email": "ada@example.org"}],
    "deal": [
        {
            "deal_id": "7", "deal_pipeline_id": "default", "deal_pipeline_stage_id": "a",
            "owner_id": "3", "property_createdate": "2026-03-01 9:00:00", "is_deleted": "false",
        },
    ],
    "deal_stage": [{"deal_id": "7", "value": "a", "date_entered": "2026-03-01 09:00:00"}],
    "deal_property_history": [
        {"deal_id": "7", "name": "amount", "value": "5", "timestamp": "2026-03-01 09:00:00"},
    ],
    "deal_contact": [{"deal_id": "7", "contact_id": "1"}],
    "merged_deal": [{"deal_id": "7", "merged_deal_id": "8"}],
}  # fmt: skip
CONTACT_TABLES = {
    "contact": [{"id": "1", "property_createdate": "2026-03-01 09:00:00"}],
    "contact_property_history": [
        {"contact_id": "1", "name": "city", "value": "X", "timestamp": "2026-03-01 09:00:00"},
    ],
    "contact_merge_audit": [
        {"canonical_vid": "1", "vid_to_merge": "2", "timestamp": "2026-03-02 09:00:00"},
    ],
    "contact_form_submission": [
        {"contact_id": "1", "timestamp": "2026-03-02 09:00:00", "title": "Demo"},
    ],
    "owner": [],
}  # fmt: skip


def places(given, path=()):
    """The path to every value within JSON."""
    yield path
    inner = (
        given.items() if isinstance(given, dict)
        else enumerate(given) if isinstance(given, list) else ()
    )  # fmt: skip
    for key, value in inner:
        yield from places(value, (*path, key))


@st.composite
def spoilt(draw, good):
    """Sound JSON with a few values exchanged for anything."""
    found = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(found))[1:] or [()]))
        if not path:
            return draw(JSON)
        inner = found
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = draw(JSON)
    return found


def check_read(read, given, **options):
    """Assert that a reader accounts for every row, or refuses by an error of ours."""
    try:
        found = read(given, **options)
    except SalesPipelineError:
        return None
    assert found.refused == 0 or any(problem.refused for problem in found.problems)
    for history in found.histories:
        identities = [event.identity for event in history.events]
        assert len(set(identities)) == len(identities)
        assert all(event.system == "hubspot" for event in history.events)
    return found


def rows_of(given):
    """How many objects were given, where they are objects at all."""
    return len(given["results"] if isinstance(given, dict) else given)


@given(JSON)
def test_any_json_ends_in_records_and_problems_or_an_error_of_ours(given):
    for read in (read_deals, read_contacts, read_pipelines):
        if found := check_read(read, given):
            assert found.used + found.refused == rows_of(given)
    check_read(read_warehouse_deals, given)
    check_read(read_warehouse_contacts, given)


@given(spoilt([DEAL, {**DEAL, "id": "8"}]), st.booleans())
def test_spoilt_deals_are_read_or_refused_one_by_one(objects, known):
    pipelines = [HUBSPOT_DEFAULT] if known else []
    if found := check_read(read_deals, objects, pipelines=pipelines, currency="EUR"):
        assert found.used + found.refused == rows_of(objects)
        assert len(found.histories) == found.used


@given(spoilt([CONTACT, {**CONTACT, "id": "8"}]))
def test_spoilt_contacts_are_read_or_refused_one_by_one(objects):
    if found := check_read(read_contacts, objects):
        assert found.used + found.refused == rows_of(objects)
        assert len(found.histories) == found.used


@given(spoilt({"results": [BOARD]}))
def test_spoilt_pipelines_are_read_or_refused_one_by_one(response):
    if found := check_read(read_pipelines, response):
        assert found.used + found.refused == rows_of(response)
        assert len(found.pipelines) == found.used


@given(spoilt(DEAL_TABLES), spoilt(CONTACT_TABLES), st.booleans())
def test_spoilt_tables_are_read_or_refused_row_by_row(deals, contacts, opened):
    opening = ("default", "a") if opened else None
    for read, tables, options in (
        (read_warehouse_deals, deals, {"opening": opening, "currency": "EUR"}),
        (read_warehouse_contacts, contacts, {}),
    ):
        if found := check_read(read, tables, **options):
            assert found.used + found.refused == sum(map(len, tables.values()))


def test_the_fixtures_of_these_laws_are_sound():
    assert read_deals([DEAL], pipelines=[HUBSPOT_DEFAULT]).problems == ()
    assert read_contacts([CONTACT]).problems == ()
    assert read_pipelines({"results": [BOARD]}).problems == ()
    assert read_warehouse_deals(DEAL_TABLES, currency="EUR").problems == ()
    assert read_warehouse_contacts(CONTACT_TABLES).problems == ()


# One row, one identity


@given(st.integers(0, 3), st.integers(0, 2))
def test_a_history_that_was_cut_off_gives_the_same_identities(stages, amounts):
    cut = copy.deepcopy(DEAL)
    histories = cut["propertiesWithHistory"]
    histories["dealstage"] = histories["dealstage"][:stages]
    histories["amount"] = histories["amount"][:amounts]
    whole, part = (
        read_deals([each], pipelines=[HUBSPOT_DEFAULT], currency="EUR").histories[0]
        for each in (DEAL, cut)
    )
    rows = {event.identity for event in part.events if "T09:00" in str(event.original_id)}
    assert rows <= {event.identity for event in whole.events}


# There and back


def applied(told, record):
    """A v3 object as it stands after changes: every property with its history, newest first."""
    found = {"id": record, "properties": {}, "propertiesWithHistory": defaultdict(list)}
    for change in told:
        assert change["id"] == record
        for name, value in change["properties"].items():
            assert isinstance(value, str)
            found["properties"][name] = value
            found["propertiesWithHistory"][name].insert(0, row(value, change["timestamp"]))
        if change.get("archived"):
            found |= {"archived": True, "archivedAt": change["timestamp"]}
    found["propertiesWithHistory"].pop("createdate", None)
    return json.loads(json.dumps(found))


def as_text(attributes):
    """Attributes as HubSpot keeps them: text, and no more of what was cleared."""
    return Attributes({name: str(v) for name, v in attributes.items() if v is not None})


def state_of_contact(contact):
    return {
        "stage": contact.lifecycle_stage, "status": contact.lead_status,
        "owner": contact.owner, "name": contact.name, "email": contact.email,
        "company": contact.company, "attributes": as_text(contact.attributes),
        "created": contact.created_at,
    }  # fmt: skip


@given(contact_runs())
def test_a_contact_that_was_told_to_hubspot_reads_back_to_the_same_state(run):
    events = run[0]
    told = changes(events, object_type="contacts")
    found = read_contacts([applied(told.changes, events[0].record)])
    assert found.problems == ()
    there = state_of_contact(found.histories[0].latest)
    assert there == state_of_contact(ContactHistory(events).latest)


def state_of_deal(deal):
    sale = deal.sale_type if deal.sale_type is SaleType.NEW_BUSINESS else None
    state = {
        "pipeline": deal.pipeline, "stage": deal.stage, "outcome": deal.outcome,
        "closed": deal.closed_at, "from": deal.closed_from, "reason": deal.reason,
        "amount": deal.amount, "owner": deal.owner, "title": deal.title, "sale": sale,
        "attributes": as_text(deal.attributes), "opened": deal.opened_at,
    }  # fmt: skip
    if deal.outcome is Outcome.OPEN:
        state["expected"] = deal.expected_close
    return state


@given(deal_runs())
def test_a_deal_that_was_told_to_hubspot_reads_back_to_the_same_state(run):
    events = run[0]
    told = changes(events, object_type="deals")
    found = read_deals([applied(told.changes, events[0].record)], pipelines=PIPELINES)
    assert found.problems == ()
    there = state_of_deal(found.histories[0].latest)
    assert there == state_of_deal(DealHistory(events).latest)
