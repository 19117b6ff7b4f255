from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from contracts import STRANGE
from salespipeline.connectors.activecampaign import read_contacts, read_deals, read_pipelines
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Deleted,
    FieldSet,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    ProbabilityBasis,
    Reopened,
    Start,
    Won,
)
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage

LATER = datetime(2026, 6, 1, tzinfo=UTC)
SALES = Pipeline("1", [Stage("7"), Stage("8")])


def at(day):
    """An instant of March 2026, at ten in UTC."""
    return datetime(2026, 3, day, 10, tzinfo=UTC)


def on(day):
    """The same as ActiveCampaign writes it."""
    return f"2026-03-{day:02}T04:00:00-06:00"


def deal(**members):
    return {
        "id": "5", "title": "Roof", "value": "120050", "currency": "usd", "status": "0",
        "group": "1", "stage": "8", "cdate": on(2), **members,
    }  # fmt: skip


def activity(number, day, kind, old, new, **more):
    return {
        "id": str(number), "deal": "5", "userid": "3", "dataType": kind, "dataAction": new,
        "dataOldval": old, "cdate": on(day), **more,
    }  # fmt: skip


CREATED = activity(1, 2, "", "", "add")


def score(value, day=9, **more):
    return {"id": "1", "score": "2", "scoreValue": value, "mdate": on(day), **more}


def read(row, *activities, **options):
    """The one deal that a row and its activities make, without a problem."""
    given = {"pipelines": [SALES], "activities": activities, **options}
    found = read_deals([row], **given)
    assert found.problems == ()
    return found.histories[0]


def kinds(history):
    return [type(event) for event in history.events]


def problems(found):
    return [(each.table, each.row, each.column, each.refused) for each in found.problems]


# Pipelines


def test_stages_of_one_order_go_by_their_ids_as_numbers():
    rows = [
        {"id": "10", "group": "1", "title": "B", "order": "1"},
        {"id": "9", "group": "1", "title": "A", "order": 1},
        {"id": "x", "group": "1", "order": "0"},
    ]
    both = {"dealGroups": [{"id": "1", "title": "Sales"}], "dealStages": rows}
    found = read_pipelines(both, both)
    [pipeline] = found.pipelines
    assert (pipeline.key, pipeline.name, pipeline.keys) == ("1", "Sales", ("x", "9", "10"))
    assert {each.outcome for each in pipeline.stages} == {Outcome.OPEN}
    assert {each.probability for each in pipeline.stages} == {None}
    assert (found.used, found.refused) == (4, 0)


def test_rows_of_pipelines_that_cannot_be_used_are_refused():
    found = read_pipelines([{"id": "1"}, {"id": "2"}], [{"id": "9", "group": "1"}, {"id": "8"}])
    assert problems(found) == [
        ("dealGroups", 2, None, True), ("dealStages", 2, "group", True),
    ]  # fmt: skip


# Deals without activities


def test_an_open_deal_stands_in_its_stage_with_an_unknown_entry():
    history = read(deal(mdate=on(9)))
    [visit] = history.visits(LATER)
    assert (visit.state, visit.entry_known) == ("8", False)
    assert (history.events[0].start, history.events[0].observed_from) == (Start.EXACT, at(9))
    assert history.latest.amount == Money("1200.50", "USD")
    assert history.latest.attributes["mdate"] == at(9)


def test_a_deal_that_was_never_changed_stands_where_it_began():
    assert read(deal(mdate=on(2))).visits(LATER)[0].entry_known


def test_a_closed_deal_of_which_nothing_says_when_is_refused():
    found = read_deals([deal(status="1", mdate=on(9))])
    assert problems(found) == [("deals", 1, "status", True)]
    assert found.incomplete == ("5",)
    assert "modified_closes" in found.problems[0].reason


def test_the_last_change_stands_in_for_the_close_where_the_caller_says_so():
    history = read(deal(status=2, mdate=on(9)), modified_closes=True)
    opened, lost = history.events[0], history.events[1]
    assert opened.amount is None
    assert isinstance(lost, Lost)
    assert (lost.at, lost.stage_left, lost.amount) == (at(9), "8", Money("1200.50", "USD"))
    worthless = read(deal(status=1, mdate=on(9), value=None), modified_closes=True)
    assert isinstance(worthless.events[1], Won)
    found = read_deals([deal(status=1)], modified_closes=True)
    assert problems(found) == [("deals", 1, "mdate", True)]


def test_a_value_counts_hundredths_so_that_5000_in_yen_are_50():
    assert read(deal(value="5000", currency="jpy")).latest.amount == Money(50, "JPY")
    assert read(deal(value=-150)).latest.amount == Money("-1.50", "USD")
    assert problems(read_deals([deal(value="5050", currency="jpy")])) == [
        ("deals", 1, "value", False)
    ]
    assert problems(read_deals([deal(value="50.5")])) == [("deals", 1, "value", False)]
    assert problems(read_deals([deal(value="much")])) == [("deals", 1, "value", False)]


def test_a_currency_comes_from_the_row_else_from_the_caller():
    assert read(deal(currency=""), currency="EUR").latest.amount == Money("1200.50", "EUR")
    assert problems(read_deals([deal(currency=None)])) == [("deals", 1, "value", False)]
    with pytest.raises(InvalidValueError):
        read_deals([], currency="eur")


def test_the_probability_is_a_models_and_known_since_it_was_computed():
    history = read(deal(winProbability=60, winProbabilityMdate=on(9)))
    assert history.as_of(at(8)).probability is None
    assert history.latest.probability.value == Decimal("0.6")
    assert history.latest.probability.basis is ProbabilityBasis.MODEL
    assert read(deal(winProbability="5", mdate=on(7))).as_of(at(7)).probability is not None
    assert read(deal(winProbability=5)).as_of(at(2)).probability is not None


def test_nought_is_no_owner_contact_or_account():
    none = read(deal(owner="0", contact="0", account=0)).latest
    assert (none.owner, none.contacts, none.account) == (None, (), None)
    some = read(deal(owner="3", contact="77", account=None, organization="12")).latest
    assert (some.owner, some.contacts, some.account) == ("3", ("77",), "12")


def test_other_members_are_attributes_and_links_are_not_kept():
    found = read(deal(percent="40", edate="0000-00-00 00:00:00", links={"stage": "https://x"}))
    assert dict(found.latest.attributes) == {"percent": "40"}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", None), ("status", None), ("status", "3"), ("stage", ""), ("group", True),
        ("cdate", "soon"), ("mdate", "soon"),
    ],
)  # fmt: skip
def test_a_deal_whose_id_state_or_instant_cannot_be_read_is_refused(member, value):
    found = read_deals([deal(**{member: value}), deal(id="6")])
    assert problems(found) == [("deals", 1, member, True)]
    assert (found.used, found.refused) == (1, 1)


def test_a_deal_is_in_the_pipeline_of_its_stage_where_the_row_says_none():
    assert read(deal(group=None)).latest.pipeline == "1"
    assert problems(read_deals([deal(group=None)])) == [("deals", 1, "group", True)]


def test_a_deal_without_a_beginning_was_there_by_its_first_instant():
    opened = read(deal(cdate=None, mdate=on(9))).events[0]
    assert (opened.start, opened.at) == (Start.BY_THEN, at(9))
    assert read(deal(cdate=None), CREATED).events[0].start is Start.EXACT
    assert problems(read_deals([deal(cdate=None)])) == [("deals", 1, "cdate", True)]


def test_a_second_row_of_a_deal_is_refused():
    assert problems(read_deals([deal(), deal()])) == [("deals", 2, "id", True)]


# Deals with activities


def test_activities_rebuild_a_deal():
    history = read(
        deal(status="1", owner="3", mdate=on(20)),
        CREATED,
        activity(2, 3, "d_stageid", "7", "8"),
        activity(3, 4, "note", "", "add", dataId="12"),
        activity(4, 5, "userid", "4", "3"),
        activity(5, 6, "contact", "", "add", dataId="77"),
        activity(6, 20, "status", "0", "1"),
    )
    assert kinds(history) == [
        Opened,
        Moved,
        ActivityRecorded,
        OwnerChanged,
        FieldSet,
        Won,
        FieldSet,
    ]
    opened = history.events[0]
    assert (opened.stage, opened.owner, opened.by, opened.observed_from) == ("7", "4", "3", None)
    won = history.events[5]
    assert (won.at, won.by, won.identity) == (at(20), "3", ("activecampaign", "6"))
    assert history.events[0].amount == Money("1200.50", "USD")
    assert all(visit.entry_known for visit in history.visits(LATER))


def test_a_reopened_deal_has_no_closing_date():
    history = read(
        deal(),
        CREATED,
        activity(2, 10, "status", "0", "2"),
        activity(3, 20, "status", "2", "0"),
    )
    assert kinds(history) == [Opened, Lost, Reopened]
    assert history.as_of(at(15)).closed_at == at(10)
    assert history.latest.closed_at is None
    assert history.latest.stage == "8"


def test_a_stage_and_a_group_that_change_together_are_one_move():
    history = read(
        deal(group="2", stage="20"),
        CREATED,
        activity(2, 10, "d_groupid", "1", "2"),
        activity(3, 10, "d_stageid", "8", "20"),
        pipelines=(),
    )
    [_, moved] = history.events
    assert (moved.pipeline_left, moved.stage_left, moved.pipeline, moved.stage) == (
        "1", "8", "2", "20",
    )  # fmt: skip


def test_activities_that_do_not_reach_back_say_from_when_they_are_complete():
    history = read(deal(), activity(2, 9, "d_stageid", "7", "8"), activity(3, 9, "", "", "x"))
    assert history.events[0].observed_from == at(9)
    assert history.latest.attributes["dataAction"] == "x"


def test_what_the_row_says_and_no_activity_does_is_added_at_the_last_change():
    history = read(deal(mdate=on(12)), CREATED, activity(2, 9, "d_stageid", "8", "7"))
    assert [each.at for each in history.events if isinstance(each, Moved)] == [at(9), at(12)]
    found = read_deals([deal()], activities=[CREATED, activity(2, 9, "d_stageid", "8", "7")])
    assert problems(found) == [("deals", 1, "stage", False)]
    assert found.histories[0].latest.stage == "7"


def test_a_first_activity_from_nothing_says_how_a_deal_began():
    history = read(deal(status="1"), CREATED, activity(2, 2, "status", "", "1"))
    assert (history.events[0].outcome, kinds(history)) == (Outcome.WON, [Opened])


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (activity(2, 9, "d_stageid", "7", ""), "dataAction"),
        (activity(2, 9, "status", "0", "9"), "dataAction"),
        (activity(2, 9, 7.5, "0", "9"), "dataType"),
        (activity(2, 9, "note", "", "", cdate=None), "cdate"),
        (activity(2, 9, "note", "", "", cdate="soon"), "cdate"),
        (activity(2, 9, "note", "", "", deal="6"), None),
        (activity(2, 9, "note", "", "", deal=None), "deal"),
        (CREATED, "id"),
        ("no row", None),
    ],
)
def test_an_activity_that_cannot_be_read_is_refused(row, column):
    found = read_deals([deal()], activities=[CREATED, row])
    assert problems(found) == [("dealActivities", 2, column, True)]
    assert (found.used, found.refused) == (2, 1)


def test_scores_are_attributes_set_when_they_changed():
    given = {"scoreValues": [score("35", deal="5"), score("1.5", 10, deal="5", id="2")]}
    history = read(deal(), scores=given)
    assert history.as_of(at(9)).attributes["score.2"] == 35
    assert history.latest.attributes["score.2"] == Decimal("1.5")
    found = read_deals([deal()], scores=[score("35", contact="8"), score("35", deal="6")])
    assert problems(found) == [
        ("scoreValues", 1, "deal", True), ("scoreValues", 2, None, True),
    ]  # fmt: skip


def test_a_deal_that_only_a_score_tells_of_was_there_by_then():
    opened = read(deal(cdate=None), scores=[score("35", deal="5")]).events[0]
    assert (opened.start, opened.at) == (Start.BY_THEN, at(9))


def test_responses_are_read_as_they_are():
    found = read_deals(
        {"deals": [deal()], "meta": {"total": "1"}}, activities={"dealActivities": [CREATED]}
    )
    assert (found.used, found.refused) == (2, 0)
    for call in (read_deals, read_contacts, lambda given: read_pipelines(given, [])):
        for given in (None, "text", {"message": "forbidden"}):
            with pytest.raises(WrongTypeError):
                call(given)
    with pytest.raises(WrongTypeError):
        read_deals([], activities=5)


@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: type(value).__name__)
def test_strange_cells_end_in_problems(strange):
    for member in deal(owner=1, mdate=1, winProbability=1, winProbabilityMdate=1, other=1):
        found = read_deals([deal(**{member: strange})], modified_closes=True)
        assert found.used + found.refused == 1
    for member in activity(2, 9, "status", "0", "1"):
        row = activity(2, 9, "status", "0", "1", **{member: strange})
        found = read_deals([deal()], activities=[row], scores=[score(strange, deal="5")])
        assert found.used + found.refused == 3
    for member in contact(udate=1, deleted=1, other=1):
        found = read_contacts([contact(**{member: strange})])
        assert found.used + found.refused == 1


# Contacts


def contact(**members):
    return {"id": "8", "email": "ada@example.com", "firstName": "Ada", "cdate": on(2), **members}


def contact_of(**members):
    found = read_contacts([contact(**members)])
    assert found.problems == ()
    return found.histories[0]


def test_a_contact_is_what_its_row_says_without_a_lifecycle():
    found = contact_of(lastName="L", orgname="Acme", orgid="12", phone="1", links={"x": "y"})
    latest = found.latest
    assert (latest.name, latest.email, latest.company, latest.account) == (
        "Ada L", "ada@example.com", "Acme", "12",
    )  # fmt: skip
    assert (latest.lifecycle_stage, latest.lead_status) == (None, None)
    assert dict(latest.attributes) == {"phone": "1"}
    assert latest.created_at == at(2)
    assert contact_of(firstName="", orgid="0").latest.name is None


def test_a_contact_has_its_scores_when_they_changed():
    rows = [score("35", contact="8"), score("40", 12, contact="8", id="2"), score("1", contact="9")]
    found = read_contacts([contact(udate=on(15))], scores=rows)
    [history] = found.histories
    assert history.as_of(at(10)).attributes["score.2"] == 35
    assert history.latest.attributes["score.2"] == 40
    assert history.latest.attributes["udate"] == at(15)
    assert problems(found) == [("scoreValues", 3, None, True)]
    assert (found.used, found.refused) == (3, 1)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (score("35"), "contact"), (score("35", contact="8", score=None), "score"),
        (score("35", contact="8", mdate=None), "mdate"),
        (score("35", contact="8", mdate="soon"), "mdate"),
    ],
)  # fmt: skip
def test_a_score_that_cannot_be_read_is_refused(row, column):
    found = read_contacts([contact()], scores=[row])
    assert problems(found) == [("scoreValues", 1, column, True)]


def test_a_score_whose_points_cannot_be_read_is_left_absent():
    found = read_contacts([contact()], scores=[score("many", contact="8")])
    assert problems(found) == [("scoreValues", 1, "scoreValue", False)]


def test_a_deleted_contact_is_deleted_at_its_last_change():
    history = contact_of(deleted="1", udate=on(9))
    assert isinstance(history.events[-1], Deleted)
    assert (history.latest, history.events[-1].at) == (None, at(9))
    known = contact_of(deleted="1", deleted_at=on(8), udate=on(9))
    assert known.events[-1].at == at(8)


def test_contacts_that_cannot_be_read_are_refused():
    rows = [
        contact(), contact(), contact(id="2", cdate=None), contact(id="3", deleted="1"),
        contact(id="4", cdate=None, udate=on(9)), contact(id="5", cdate=None),
    ]  # fmt: skip
    found = read_contacts(rows, scores=[score("3", contact="5")])
    assert problems(found) == [
        ("contacts", 2, "id", True), ("contacts", 3, "cdate", True),
        ("contacts", 4, "deleted", True),
    ]  # fmt: skip
    assert [each.events[0].start for each in found.histories] == [
        Start.EXACT, Start.BY_THEN, Start.BY_THEN,
    ]  # fmt: skip
    assert found.histories[2].latest.created_at - at(9) == timedelta()
