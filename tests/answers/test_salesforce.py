"""The Salesforce tables of a warehouse, read as they are; counted in the files by hand."""

import csv
from datetime import UTC, datetime

import pytest

from salespipeline.audit import audit
from salespipeline.connectors.salesforce import read_contacts, read_deals
from salespipeline.events import Start
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import Outcome

LOADED = datetime(2019, 4, 1, tzinfo=UTC)
"""Before the tables were first loaded, when all their deals had been deleted."""


@pytest.fixture(scope="module")
def tables(shared_data):
    found = {}
    for name in ("opportunity", "opportunity_history", "lead"):
        path = shared_data / "salesforce_seeds" / f"sf_{name}_data.csv"
        with path.open(encoding="utf-8", newline="") as stream:
            found[name] = list(csv.DictReader(stream))
    return found


@pytest.fixture(scope="module")
def versions(tables):
    return read_deals([], tables["opportunity_history"], currency="USD")


@pytest.fixture(scope="module")
def deals(tables):
    return read_deals(tables["opportunity"], tables["opportunity_history"], currency="USD")


def codes(found):
    """The records found by each check of the audit."""
    report = audit((), found.histories, as_of=LOADED, pipelines=found.pipelines)
    records = {}
    for finding in report.findings:
        records.setdefault(finding.check.code, []).append(finding.record)
    return records


def test_every_row_of_the_warehouse_is_used(versions, deals):
    assert (versions.used, versions.refused, len(versions.histories)) == (10, 0, 10)
    assert (deals.used, deals.refused, len(deals.histories)) == (20, 0, 10)


def test_the_probability_of_1000_is_the_one_problem_of_each_table(deals):
    assert [(each.table, each.row, each.column, each.value) for each in deals.problems] == [
        ("Opportunity", 1, "probability", "1000"),
        ("OpportunityHistory", 1, "probability", "1000"),
    ]
    assert deals.incomplete == ()


def test_the_flags_of_the_rows_say_what_hashed_stages_mean(deals):
    [pipeline] = deals.pipelines
    assert pipeline.keys == (
        "9RN9J3tlxr89gDctReax5w==", "GavUFuuf4DrnQAoiRGlWpQ==", "tXi3M8u3iPxq0ggxTSxMKw==",
    )  # fmt: skip
    outcomes = [one.as_of(LOADED).outcome for one in deals.histories]
    assert outcomes == [Outcome.WON] * 5 + [Outcome.LOST] * 4 + [Outcome.OPEN]


def test_the_deal_closed_12_days_before_it_was_created_is_found(deals, versions):
    assert codes(deals)["closed_before_opened"] == ["006q000000HddueAAB"]
    assert codes(versions)["closed_before_opened"] == ["006q000000HddueAAB"]
    one = next(each for each in deals.histories if each.record == "006q000000HddueAAB")
    deal = one.as_of(LOADED)
    assert (deal.opened_at.date() - deal.closed_at.date()).days == 12


def test_the_four_won_deals_without_an_amount_are_found(deals):
    assert len(codes(deals)["won_without_amount"]) == 4


def test_every_deal_began_when_it_was_created_and_is_observed_from_later(versions):
    assert {one.events[0].start for one in versions.histories} == {Start.EXACT}
    assert not any(visit.entry_known for visit in versions.histories[-1].visits(LOADED))


def test_an_interval_that_ends_in_9999_is_open_and_every_deal_is_deleted(versions):
    assert {one.latest for one in versions.histories} == {None}
    assert all(one.as_of(LOADED) is not None for one in versions.histories)
    assert max(one.events[-1].at for one in versions.histories) < datetime(2020, 1, 1, tzinfo=UTC)


def test_the_lead_converted_without_an_opportunity_is_an_sql(tables):
    found = read_contacts(tables["lead"])
    assert (found.used, found.refused, found.problems) == (1, 0, ())
    [one] = found.histories
    assert one.latest.lifecycle_stage is LifecycleStage.SQL
    assert one.latest.account == "0011G00000tLWKnQAO"
    assert one.latest.attributes["converted_contact_id"] == "0031G00001QtDPlQAN"
    assert "converted_opportunity_id" not in one.latest.attributes


def test_every_cell_of_the_lead_that_holds_something_is_kept(tables):
    [row] = tables["lead"]
    [one] = read_contacts([row]).histories
    ours = {
        "_fivetran_synced", "_fivetran_active", "id", "created_date", "created_by_id",
        "is_deleted", "is_converted", "converted_date", "owner_id", "name", "email", "company",
        "has_opted_out_of_email", "converted_account_id",
    }  # fmt: skip
    filled = {name for name, cell in row.items() if cell} - ours
    assert set(one.latest.attributes) == filled
