"""Published tables read as stays and as changes: what was used, kept and marked.

The counts of rows are those of the files; the figures of bpi2013 are those that the data's own
page and ``answers.json`` name, so the log must give them in whatever shape it is written down.
"""

import csv
from collections import Counter
from datetime import UTC, datetime
from itertools import groupby, pairwise

import pytest

from salespipeline.connectors.table import read_contacts, read_deals
from salespipeline.events import Moved, OwnerChanged, Reopened, Start
from salespipeline.pipelines import Outcome, Pipeline, Stage

LATER = datetime(2030, 1, 1, tzinfo=UTC)
TICKETS = Pipeline(
    "tickets",
    [
        Stage("Queued-Awaiting Assignment"),
        Stage("Accepted-Assigned"),
        Stage("Accepted-In Progress"),
        Stage("Accepted-Wait", parked=True),
        Stage("Unmatched-Unmatched"),
        Stage("Completed-Closed", outcome="won"),
        Stage("Completed-Cancelled", outcome="lost"),
    ],
)


@pytest.fixture(scope="module")
def table(shared_data):
    """The rows of a published table, by its place."""

    def rows(*place):
        with shared_data.joinpath(*place).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    return rows


@pytest.fixture(scope="module")
def tickets(table):
    """The rows of the ticket log, ticket by ticket."""
    rows = table("bpi2013_closed_problems", "events.csv")
    return [list(each) for _, each in groupby(rows, key=lambda row: row["case_id"])]


# BPI 2013 as stays


@pytest.fixture(scope="module")
def stays(tickets):
    """The log as a warehouse keeps it: each stay until the next, the last without an end."""
    rows = [
        {**row, "left": after["at"]}
        for ticket in tickets
        for row, after in pairwise([*ticket, {"at": "9999-12-31 23:59:59"}])
    ]
    mapping = {
        "record": "deal",
        "shape": "stays",
        "zone": "UTC",
        "columns": {
            "id": "case_id", "stage": "status", "entered": "at", "left": "left", "owner": "owner",
        },
    }  # fmt: skip
    return read_deals(reversed(rows), mapping, pipelines=[TICKETS])


def test_every_stay_of_the_ticket_log_is_used_and_every_end_meets_the_next_beginning(stays):
    assert (stays.used, stays.refused, stays.problems, stays.incomplete) == (6660, 0, (), ())
    assert len(stays.histories) == 1487


def test_the_stays_of_the_ticket_log_close_1565_times_and_repeat_478_times(stays):
    visits = [ticket.visits(LATER) for ticket in stays.histories]
    assert sum(map(len, visits)) == 6660 - 478
    states = Counter(visit.state for each in visits for visit in each)
    assert states["Completed-Closed"] == 1565
    assert all(visit.entry_known for each in visits for visit in each)


# BPI 2013 as changes


@pytest.fixture(scope="module")
def changes(tickets):
    """The log as a history of two fields: every status, and the owner where it changes."""
    rows = []
    for ticket in tickets:
        status = {"status": None, "owner": None}
        for row in ticket:
            rows += [
                {
                    "id": row["case_id"],
                    "at": row["at"],
                    "field": field,
                    "old": old,
                    "new": row[field],
                }
                for field, old in status.items()
                if field == "status" or old != row[field]
            ]
            status = {field: row[field] for field in status}
    mapping = {
        "record": "deal",
        "shape": "changes",
        "columns": {name: name for name in ("id", "at", "field", "old", "new")},
        "fields": {"status": "stage", "owner": "owner"},
    }
    return rows, read_deals(reversed(rows), mapping, pipelines=[TICKETS])


def test_every_change_of_the_ticket_log_is_one_event(changes):
    rows, found = changes
    assert (found.used, found.refused, found.problems) == (len(rows), 0, ())
    assert Counter(row["field"] for row in rows)["status"] == 6660
    assert sum(len(ticket.events) for ticket in found.histories) == len(rows)
    owners = [
        event
        for ticket in found.histories
        for event in ticket.events
        if type(event) is OwnerChanged
    ]
    assert len(owners) == Counter(row["field"] for row in rows)["owner"]


def test_58_tickets_are_reopened_after_closing_and_all_end_closed_by_their_changes(changes):
    _, found = changes
    reopened = [
        ticket
        for ticket in found.histories
        if any(
            isinstance(event, Reopened) and event.stage_left == "Completed-Closed"
            for event in ticket.events
        )
    ]
    assert len(reopened) == 58
    assert {ticket.latest.outcome for ticket in found.histories} == {Outcome.WON}
    repeated = [
        event
        for ticket in found.histories
        for event in ticket.events
        if isinstance(event, Moved) and event.stage == event.stage_left
    ]
    assert len(repeated) == 478
    assert {ticket.events[0].start for ticket in found.histories} == {Start.EXACT}


# HubSpot in a warehouse


def test_every_deal_of_the_stage_table_is_still_in_its_one_stage(table):
    rows = table("hubspot_seeds", "deal_stage_data.csv")
    mapping = {
        "record": "deal",
        "shape": "stays",
        "system": "hubspot",
        "zone": "UTC",
        "date_format": "%Y-%m-%d %H:%M:%S",
        "columns": {
            "id": "deal_id", "stage": "value", "entered": "date_entered", "left": "_fivetran_end",
            "by": "source_id", "role": "source",
        },
    }  # fmt: skip
    found = read_deals(rows, mapping)
    assert (found.used, found.refused, found.problems) == (14, 0, ())
    visits = [deal.visits(LATER) for deal in found.histories]
    assert {(len(each), each[0].is_open, each[0].entry_known) for each in visits} == {
        (1, True, True)
    }
    stages = Counter(deal.latest.stage for deal in found.histories)
    assert sorted(stages.values()) == [1, 6, 7]
    first = found.histories[0].events[0]
    assert first.at == datetime(2021, 1, 7, 6, 49, 18, tzinfo=UTC)
    assert (first.by, first.role) == (rows[0]["source_id"], rows[0]["source"])


def test_every_row_of_the_history_of_contacts_is_kept_under_its_own_name(table):
    rows = table("hubspot_seeds", "contact_property_history_data.csv")
    columns = {
        "id": "contact_id", "at": "timestamp", "field": "name", "new": "value", "role": "source",
    }  # fmt: skip
    mapping = {"record": "contact", "shape": "changes", "zone": "UTC", "columns": columns}
    found = read_contacts(rows, mapping)
    assert (found.used, found.refused, found.problems) == (100, 0, ())
    assert len(found.histories) == 97
    last = {(row["contact_id"], row["name"]): row["value"] for row in rows}
    assert len(last) == 100
    kept = {
        (contact.record, name): value
        for contact in found.histories
        for name, value in contact.latest.attributes.items()
    }
    assert kept == last


def test_the_history_of_deals_names_no_stage_so_its_deals_are_refused_unless_one_is_given(table):
    rows = table("hubspot_seeds", "deal_property_history_data.csv")
    columns = {"id": "deal_id", "at": "timestamp", "field": "name", "new": "value"}
    mapping = {
        "record": "deal", "shape": "changes", "zone": "UTC", "columns": columns,
        "fields": {"dealstage": "stage"},
    }  # fmt: skip
    found = read_deals(rows, mapping)
    assert (found.used, found.refused, len(found.incomplete)) == (0, 100, 96)
    assert {problem.reason for problem in found.problems} == {
        "it has no stage for its deal to begin in"
    }
    given = read_deals(rows, mapping | {"opening_stage": "first"})
    assert (given.used, given.refused, len(given.histories)) == (100, 0, 96)
    assert {deal.events[0].start for deal in given.histories} == {Start.BY_THEN}


# Salesforce in a warehouse


def test_versions_of_opportunities_are_stays_and_two_of_them_ended_without_another(table):
    rows = table("salesforce_seeds", "sf_opportunity_history_data.csv")
    mapping = {
        "record": "deal",
        "shape": "stays",
        "zone": "UTC",
        "currency": "USD",
        "columns": {
            "id": "id", "stage": "stage_name", "entered": "_fivetran_start",
            "left": "_fivetran_end", "opened": "created_date", "amount": "amount",
        },
    }  # fmt: skip
    found = read_deals(rows, mapping)
    assert (found.used, found.refused, len(found.histories)) == (10, 0, 10)
    ended = {row["_fivetran_end"] for row in rows} - {"9999-12-31 23:59:59"}
    assert ended == {"2019-04-04 18:36:07"}
    assert [(problem.column, problem.value) for problem in found.problems] == [
        ("_fivetran_end", "2019-04-04 18:36:07")
    ] * 2
    assert {deal.events[0].start for deal in found.histories} == {Start.EXACT}
    opened = {deal.record: deal.latest.opened_at for deal in found.histories}
    assert opened["006q000000HddohAAB"] == datetime(2018, 12, 19, 19, 51, 13, tzinfo=UTC)
    assert not any(deal.visits(LATER)[0].entry_known for deal in found.histories)
