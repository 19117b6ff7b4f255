"""Two published tables, read as they are: what was used, kept and marked.

The figures of bpi2013 are those of ``answers.json``; the counts of rows and of oddities are those
that the data's own page names, or were counted in the files by hand.
"""

import csv
import tomllib
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from salespipeline.connectors.table import read_deals
from salespipeline.events import Lost, Moved, Reopened, Start, Won
from salespipeline.money import Money, totals
from salespipeline.pipelines import Outcome, Pipeline, Stage

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXPORTED = datetime(2017, 12, 31, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)

TICKETS = {
    "record": "deal",
    "shape": "events",
    "system": "volvo",
    "columns": {
        "id": "case_id", "sequence": "seq", "stage": "status", "at": "at", "owner": "owner",
    },
}  # fmt: skip
PROBLEMS = Pipeline(
    "problems",
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
def maven_file(shared_data):
    return shared_data / "maven_crm" / "sales_pipeline.csv"


@pytest.fixture(scope="module")
def maven_mapping():
    return tomllib.loads((EXAMPLES / "maven.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def maven(maven_file, maven_mapping):
    with maven_file.open(encoding="utf-8", newline="") as stream:
        return read_deals(csv.DictReader(stream), maven_mapping)


@pytest.fixture(scope="module")
def ticket_file(shared_data):
    return shared_data / "bpi2013_closed_problems" / "events.csv"


@pytest.fixture(scope="module")
def tickets(ticket_file):
    with ticket_file.open(encoding="utf-8", newline="") as stream:
        return read_deals(csv.DictReader(stream), TICKETS, pipelines=[PROBLEMS])


# Maven: one row for each deal


def test_every_row_of_maven_is_used_without_a_problem(maven):
    assert (maven.used, maven.refused, maven.problems, maven.incomplete) == (8800, 0, (), ())
    assert len(maven.histories) == 8800


def test_the_500_deals_without_an_engage_date_are_known_by_the_export_only(maven):
    starts = Counter(deal.events[0].start for deal in maven.histories)
    assert starts == {Start.EXACT: 8300, Start.BY_THEN: 500}
    by_then = [deal for deal in maven.histories if deal.events[0].start is Start.BY_THEN]
    assert {deal.latest.stage for deal in by_then} == {"Prospecting"}
    assert {deal.events[0].at for deal in by_then} == {EXPORTED}
    assert not any(visit.entry_known for deal in by_then for visit in deal.visits(LATER))


def test_every_other_deal_of_maven_began_in_engaging_at_its_engage_date(maven):
    exact = [deal for deal in maven.histories if deal.events[0].start is Start.EXACT]
    assert {deal.events[0].stage for deal in exact} == {"Engaging"}
    assert all(visit.entry_known for deal in exact for visit in deal.visits(LATER))


def test_deals_of_maven_stand_where_their_rows_say(maven):
    stages = Counter(deal.latest.stage for deal in maven.histories)
    assert stages == {"Won": 4238, "Lost": 2473, "Engaging": 1589, "Prospecting": 500}
    outcomes = Counter(deal.latest.outcome for deal in maven.histories)
    assert outcomes == {Outcome.WON: 4238, Outcome.LOST: 2473, Outcome.OPEN: 2089}


def test_the_misspelt_product_of_maven_is_read_as_the_one_it_means(maven):
    products = Counter(deal.latest.attributes["product"] for deal in maven.histories)
    assert "GTXPro" not in products
    assert (products["GTX Pro"], sum(products.values())) == (1480, 8800)


def test_the_account_is_empty_on_1425_deals_of_maven_all_of_them_open(maven):
    without = [deal.latest for deal in maven.histories if deal.latest.account is None]
    assert len(without) == 1425
    assert {deal.outcome for deal in without} == {Outcome.OPEN}


def test_a_lost_deal_of_maven_is_worth_nothing_and_an_open_one_has_no_amount(maven):
    lost, won, undecided = (
        [deal.latest.amount for deal in maven.histories if deal.latest.outcome is outcome]
        for outcome in (Outcome.LOST, Outcome.WON, Outcome.OPEN)
    )
    assert set(lost) == {Money(0, "USD")}
    assert totals(won) == {"USD": Money(10_005_534, "USD")}
    assert set(undecided) == {None}


def test_what_a_deal_of_maven_brought_is_not_known_before_its_close(maven):
    deal = next(deal for deal in maven.histories if deal.record == "1C1I7A6R")
    assert deal.as_of(datetime(2017, 2, 28, tzinfo=UTC)).amount is None
    assert deal.latest.amount == Money(1054, "USD")
    assert (deal.latest.opened_at.date(), deal.latest.closed_at.date()) == (
        date(2016, 10, 20),
        date(2017, 3, 1),
    )


def test_maven_through_pandas_gives_the_same_histories(maven, maven_file, maven_mapping):
    pandas = pytest.importorskip("pandas", reason="compares with the rows of a real DataFrame")
    rows = pandas.read_csv(maven_file).to_dict("records")
    assert isinstance(rows[-1]["engage_date"], float)  # NaN: the test is of absent cells too
    assert read_deals(rows, maven_mapping) == maven


def test_maven_with_dates_parsed_by_pandas_gives_the_same_histories(
    maven, maven_file, maven_mapping
):
    pandas = pytest.importorskip("pandas", reason="compares with the rows of a real DataFrame")
    frame = pandas.read_csv(maven_file, parse_dates=["engage_date", "close_date"])
    assert read_deals(frame.to_dict("records"), maven_mapping) == maven
    assert read_deals(frame.convert_dtypes().to_dict("records"), maven_mapping) == maven


# BPI 2013: one row for each event


def test_every_row_of_the_ticket_log_is_used(tickets):
    assert (tickets.used, tickets.refused, tickets.problems) == (6660, 0, ())
    assert len(tickets.histories) == 1487


def test_every_status_of_the_ticket_log_is_one_event(tickets):
    states = Counter(
        event.stage
        for ticket in tickets.histories
        for event in ticket.events
        if hasattr(event, "stage")
    )
    assert sum(states.values()) == 6660
    assert (states["Accepted-In Progress"], states["Accepted-Wait"]) == (3066, 527)


def test_the_ticket_log_is_closed_1565_times(tickets):
    entries = [
        visit
        for ticket in tickets.histories
        for visit in ticket.visits(LATER)
        if visit.state == "Completed-Closed"
    ]
    assert len(entries) == 1565
    assert all(visit.entry_known for visit in entries)


def test_58_tickets_are_reopened_after_closing_and_all_end_closed(tickets):
    reopened = [
        ticket
        for ticket in tickets.histories
        if any(
            isinstance(event, Reopened) and event.stage_left == "Completed-Closed"
            for event in ticket.events
        )
    ]
    assert len(reopened) == 58
    assert {ticket.latest.stage for ticket in tickets.histories} == {"Completed-Closed"}
    assert {ticket.latest.outcome for ticket in reopened} == {Outcome.WON}


def test_the_478_statuses_that_follow_themselves_are_kept_and_open_no_visit(tickets):
    repeated = [
        event
        for ticket in tickets.histories
        for event in ticket.events
        if isinstance(event, Moved | Won | Lost | Reopened) and event.stage == event.stage_left
    ]
    assert len(repeated) == 478
    assert {type(event) for event in repeated} == {Moved}
    visits = [ticket.visits(LATER) for ticket in tickets.histories]
    assert sum(map(len, visits)) == 6660 - 478
    assert all(one.state != next_.state for each in visits for one, next_ in pairwise(each))


def test_accepted_wait_is_parked_and_no_other_stage_of_the_tickets_is(tickets):
    [pipeline] = tickets.pipelines
    assert [stage.key for stage in pipeline.stages if stage.parked] == ["Accepted-Wait"]


def test_the_offset_of_the_ticket_log_changes_with_summer_time_and_its_instants_do_not(
    tickets, ticket_file
):
    with ticket_file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert Counter(row["at"][-6:] for row in rows) == {"+02:00": 3672, "+03:00": 2988}
    first = tickets.histories[0]
    assert first.record == "1-109135791"
    assert first.events[0].at == datetime(2006, 1, 11, 14, 49, 42, tzinfo=UTC)
    summer = next(row for row in rows if row["at"].endswith("+03:00"))
    ticket = next(each for each in tickets.histories if each.record == summer["case_id"])
    hour = int(summer["at"][11:13])
    assert (hour - 3) % 24 in {event.at.hour for event in ticket.events}


def test_a_ticket_lasts_as_long_as_published_from_first_to_last_event(tickets):
    days = [
        (ticket.events[-1].at - ticket.events[0].at).total_seconds() / 86_400
        for ticket in tickets.histories
    ]
    ordered = sorted(days)
    assert sum(days) / len(days) == pytest.approx(178.88, abs=0.006)
    assert ordered[len(ordered) // 2] == pytest.approx(82.02, abs=0.006)


def test_the_order_of_the_rows_does_not_matter_where_a_sequence_is_read(tickets, ticket_file):
    with ticket_file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    backwards = read_deals(reversed(rows), TICKETS, pipelines=[PROBLEMS])
    assert set(backwards.histories) == set(tickets.histories)
