"""HubSpot's recorded responses and a warehouse's tables, read as they are.

Counts of rows and of oddities are those that the data's own page names, or were counted in the
files by hand.
"""

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from salespipeline.connectors.hubspot import (
    read_contacts,
    read_deals,
    read_warehouse_contacts,
    read_warehouse_deals,
)
from salespipeline.events import LifecycleStageSet, Merged, Start
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import HUBSPOT_DEFAULT, Outcome


@pytest.fixture(scope="module")
def responses(shared_data):
    path = shared_data / "api_fixtures" / "hubspot_v3_fixtures.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def table(shared_data):
    def rows(name):
        path = shared_data / "hubspot_seeds" / f"{name}_data.csv"
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    return rows


def tables(table, *names):
    return {name: table(name) for name in names}


DEALS = (
    "deal_pipeline", "deal_pipeline_stage", "owner", "deal", "deal_stage",
    "deal_property_history", "deal_contact", "merged_deal",
)  # fmt: skip
CONTACTS = (
    "owner", "contact", "contact_property_history", "contact_merge_audit",
    "contact_form_submission",
)  # fmt: skip


def test_a_contact_skipped_to_opportunity_half_a_second_after_its_first_deal(responses):
    found = read_contacts(responses["mock_contacts_with_history"])
    assert (found.used, found.refused, found.problems) == (2, 0, ())
    maria = found.histories[0]
    [skip] = [event for event in maria.events if isinstance(event, LifecycleStageSet)]
    assert (skip.stage_left, skip.stage) == (LifecycleStage.LEAD, LifecycleStage.OPPORTUNITY)
    first_deal = datetime.fromisoformat(maria.latest.attributes["first_deal_created_date"])
    assert skip.at - first_deal == timedelta(milliseconds=561)
    states = [visit.state for visit in maria.visits(datetime(2030, 1, 1, tzinfo=UTC))]
    assert states == ["lead", "opportunity"]


def test_every_change_in_the_recorded_histories_is_an_event_or_stands_in_the_creation(responses):
    found = read_contacts(responses["mock_contacts_with_history"])
    _, brian = found.histories
    assert (brian.events[0].email, brian.latest.email) == (
        "bh@hubspot.com", "thisisnewemail@hubspot.com"
    )  # fmt: skip
    changed = [event for event in brian.events if getattr(event, "field", "") == "email"]
    assert [(event.by, event.role) for event in changed] == [("52368047", "CRM_UI")]
    assert brian.latest.created_at.isoformat() == "2023-06-28T13:55:47.881000+00:00"


def test_recorded_deals_without_a_history_are_read_with_an_unknown_entry(responses):
    found = read_deals(responses["mock_deals_data"], pipelines=[HUBSPOT_DEFAULT], currency="USD")
    assert (found.used, found.problems) == (2, ())
    first = found.histories[0]
    assert (first.latest.amount, first.latest.stage) == (Money(500, "USD"), "qualifiedtobuy")
    assert not first.visits(datetime(2030, 1, 1, tzinfo=UTC))[0].entry_known
    without = read_deals(responses["mock_deals_data"])
    assert [problem.column for problem in without.problems] == ["properties.amount"] * 2


def test_42_of_71_stages_have_probability_0_and_are_open(table):
    given = tables(table, "deal_pipeline", "deal_pipeline_stage")
    found = read_warehouse_deals(given)
    stages = [stage for pipeline in found.pipelines for stage in pipeline.stages]
    at_zero = [stage for stage in stages if stage.probability == 0]
    assert len(given["deal_pipeline_stage"]) == 71
    assert len(at_zero) == 42
    assert {stage.outcome for stage in at_zero} == {Outcome.OPEN}
    assert Counter(stage.outcome.value for stage in stages) == {"open": 66, "won": 3}
    refused = Counter(problem.table for problem in found.problems)
    assert refused == {"deal_pipeline": 6, "deal_pipeline_stage": 2}
    assert (found.used, found.refused) == (69, 8)


def test_deals_with_nothing_but_id_name_and_date_are_refused_unless_a_stage_is_said(table):
    given = tables(table, *DEALS)
    rows = sum(map(len, given.values()))
    assert len(given["deal"]) == 44
    without = read_warehouse_deals(given)
    assert without.used + without.refused == rows
    assert without.histories == ()
    reasons = Counter(problem.reason for problem in without.problems if problem.table == "deal")
    assert reasons == {"it has no stage": 44}
    found = read_warehouse_deals(given, opening=("default", "appointmentscheduled"))
    assert found.used + found.refused == rows
    starts = Counter(history.events[0].start for history in found.histories)
    assert starts == {Start.EXACT: 44, Start.BY_THEN: 110}
    tables_refused = {problem.table for problem in found.problems if problem.refused}
    assert tables_refused == {
        "deal_pipeline", "deal_pipeline_stage", "deal_contact", "merged_deal",
    }  # fmt: skip


def test_merges_are_read_from_ids_listed_in_one_cell_and_from_the_audit_of_merges(table):
    given = tables(table, *CONTACTS)
    found = read_warehouse_contacts(given)
    assert (found.used, found.refused, found.problems) == (
        sum(map(len, given.values())), 0, ()
    )  # fmt: skip
    merged = {
        history.record: [event.other for event in history.events if isinstance(event, Merged)]
        for history in found.histories
    }
    assert {record: others for record, others in merged.items() if others} == {
        "78971951": ["76340251", "46897301", "76226001"],
        "5555": ["11111"], "4444": ["7777"], "3333": ["8888"], "2222": ["9999"],
    }  # fmt: skip


def test_opaque_properties_of_a_warehouse_are_kept_under_their_names(table):
    given = tables(table, "contact_property_history")
    found = read_warehouse_contacts(given)
    kept = {name for history in found.histories for name in history.latest.attributes}
    assert kept == {row["name"] for row in given["contact_property_history"]}
