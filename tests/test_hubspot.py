from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from contracts import STRANGE, check_door
from salespipeline import audit
from salespipeline.attributes import Attributes
from salespipeline.connectors.hubspot import (
    LEAD_STATUSES,
    changes,
    read_contacts,
    read_deals,
    read_pipelines,
    read_warehouse_contacts,
    read_warehouse_deals,
)
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    ConcessionMade,
    ContactLinked,
    Created,
    Deleted,
    Direction,
    FieldSet,
    ForecastCategory,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedOut,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    SaleType,
    Start,
    Won,
)
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage
from salespipeline.metrics import time_in_stage
from salespipeline.money import Money
from salespipeline.pipelines import HUBSPOT_DEFAULT, Outcome

LATER = datetime(2030, 1, 1, tzinfo=UTC)
CREATED = "2026-03-01T09:00:00Z"


def at(day, month=3, hour=9, **more):
    return datetime(2026, month, day, hour, tzinfo=UTC) + timedelta(**more)


def stamp(day, month=3):
    return f"2026-{month:02}-{day:02}T09:00:00Z"


def row(value, day, month=3, **more):
    """An entry of a property's history."""
    timestamp = day if isinstance(day, str) else stamp(day, month)
    return {"value": value, "timestamp": timestamp, "sourceType": "CRM_UI", **more}


def deal(history=None, /, *, object=None, **properties):  # noqa: A002 - as the API says
    """An object of the API: a deal in its first stage."""
    usual = {"pipeline": "default", "dealstage": "qualifiedtobuy"}
    stages = {name: value for name, value in usual.items() if name not in (history or {})}
    return {
        "id": "7", "createdAt": CREATED, "updatedAt": stamp(1, 4), "archived": False,
        "properties": stages | properties, "propertiesWithHistory": history or {},
    } | (object or {})  # fmt: skip


def contact(history=None, /, *, object=None, **properties):  # noqa: A002 - as the API says
    return {
        "id": "51", "createdAt": CREATED, "updatedAt": stamp(1, 4), "archived": False,
        "properties": properties, "propertiesWithHistory": history or {},
    } | (object or {})  # fmt: skip


def read(given, *problems, **options):
    """The history of the one deal given, whose problems have the reasons given."""
    options = {"pipelines": [HUBSPOT_DEFAULT], "currency": "EUR"} | options
    found = read_deals([given], **options)
    assert tuple(each.reason for each in found.problems) == problems
    return found.histories[0]


def read_person(given, *problems, **options):
    found = read_contacts([given], **options)
    assert tuple(each.reason for each in found.problems) == problems
    return found.histories[0]


def refusal(found):
    """The column and the reason for which the one row given was refused."""
    [problem] = [each for each in found.problems if each.refused]
    assert (found.used, found.refused, found.histories) == (0, 1, ())
    return problem.column, problem.reason


def kinds(history):
    return [type(event).__name__ for event in history.events]


def visits(history):
    return [(visit.state, visit.entered, visit.entry_known) for visit in history.visits(LATER)]


STAGES = [
    row("closedwon", 20), row("contractsent", 9), row("qualifiedtobuy", 1),
]  # fmt: skip


# Pipelines


def pipeline(*stages, **members):
    return {"id": "default", "label": "Sales", "stages": list(stages)} | members


def stage(key, probability="0.5", closed="false", **members):
    metadata = {"isClosed": closed, "probability": probability}
    return {"id": key, "label": key.title(), "displayOrder": 0, "metadata": metadata} | members


def one_pipeline(*stages, **options):
    found = read_pipelines({"results": [pipeline(*stages)]}, **options)
    return found.pipelines[0], [(each.column, each.reason) for each in found.problems]


def test_a_closed_stage_is_won_at_probability_1_and_lost_at_0():
    made, problems = one_pipeline(
        stage("a"), stage("b", "1.0", "true"), stage("c", "0.0", "true"), stage("d", 1.0, True)
    )
    assert [made.outcome(key).value for key in "abcd"] == ["open", "won", "lost", "won"]
    assert problems == []
    assert made.stage("a").probability == Decimal("0.5")
    assert (made.key, made.name) == ("default", "Sales")


def test_hubspot_probability_0_is_not_lost_where_the_stage_is_not_closed():
    made, problems = one_pipeline(stage("parked", "0.0"))
    assert (made.outcome("parked"), problems) == (Outcome.OPEN, [])


@pytest.mark.parametrize(
    ("probability", "closed"), [("0.4", "true"), ("1.0", None), ("0.0", None), (None, None)]
)
def test_a_stage_that_does_not_say_what_it_means_is_open_and_a_problem(probability, closed):
    made, problems = one_pipeline(stage("a"), stage("b", probability, closed))
    assert made.outcome("b") is Outcome.OPEN
    [(column, reason)] = problems
    assert column == "stages[1].metadata"
    assert reason.startswith("nothing says whether it is open, won or lost")


def test_what_a_stage_means_can_be_said():
    made, problems = one_pipeline(stage("a"), stage("b", "0.4", "true"), outcomes={"b": "lost"})
    assert (made.outcome("b"), problems) == (Outcome.LOST, [])


def test_a_stage_between_0_and_1_is_open_if_nothing_says_that_it_is_closed():
    assert one_pipeline(stage("a", "0.4", None))[1] == []


def test_stages_are_in_display_order_then_by_label_and_archived_ones_last():
    made, _ = one_pipeline(
        stage("z", archived=True), stage("c", displayOrder=2), stage("b", displayOrder=1),
        stage("a", displayOrder=1), stage("y", displayOrder=None),
    )  # fmt: skip
    assert made.keys == ("a", "b", "c", "y", "z")


def test_an_archived_stage_is_still_known_for_the_deals_that_stand_in_it():
    made, _ = one_pipeline(stage("a"), stage("gone", "0.0", "true", archived=True))
    found = read(deal(pipeline="default", dealstage="gone", closedate=stamp(9)), pipelines=[made])
    assert found.latest.outcome is Outcome.LOST


@pytest.mark.parametrize(
    ("given", "column", "reason"),
    [
        ({"label": "Sales", "stages": []}, "id", "it has no id"),
        (pipeline(stages=None), "stages", "they must be a list"),
        (pipeline(), "stages", "it has no stage"),
        (
            pipeline(stage("a", "1.0", "true")), "stages",
            "pipeline 'default': no stage is open",
        ),
    ],
)  # fmt: skip
def test_a_pipeline_that_cannot_be_one_is_refused(given, column, reason):
    assert refusal(read_pipelines([given])) == (column, reason)


def test_an_unreadable_stage_is_left_out_and_reported():
    made, problems = one_pipeline(
        stage("a"), 5, {"id": ""}, stage("a"), stage("b", "2", "false"), {"id": "c", "metadata": 5}
    )
    assert made.keys == ("a", "b", "c")
    assert [column for column, _ in problems] == [
        "stages[1]", "stages[2].id", "stages[4].metadata.probability", "stages[5].metadata",
        "stages[5].metadata", "stages",
    ]  # fmt: skip


def test_a_second_pipeline_of_the_same_id_is_refused():
    found = read_pipelines([pipeline(stage("a")), pipeline(stage("b"))])
    assert (found.used, found.refused) == (1, 1)
    assert found.problems[0].reason == "an earlier pipeline has the same id"


# The stages of deals


def test_every_entry_of_a_history_is_an_event_that_says_who_and_as_what():
    signed = [
        row("closedwon", 20, sourceId="userId:52", updatedByUserId=52),
        row("contractsent", 9, sourceType="IMPORT", sourceId="import-3"),
        row("qualifiedtobuy", 1, sourceId="userId:9"),
    ]
    history = read(deal({"dealstage": signed}))
    assert kinds(history) == ["Opened", "Moved", "Won"]
    assert [event.by for event in history.events] == ["9", "import-3", "52"]
    assert [event.role for event in history.events] == ["CRM_UI", "IMPORT", "CRM_UI"]
    assert [event.identity for event in history.events] == [
        ("hubspot", "deals/7"),
        ("hubspot", "deals/7/dealstage/2026-03-09T09:00:00+00:00"),
        ("hubspot", "deals/7/dealstage/2026-03-20T09:00:00+00:00"),
    ]
    assert history.latest.closed_at == at(20)


def test_stage_and_pipeline_changed_at_one_instant_are_one_move():
    history = read(
        deal(
            {
                "dealstage": [row("x", 9), row("qualifiedtobuy", 1)],
                "pipeline": [row("other", 9), row("default", 1)],
            }
        )
    )
    [opened, moved] = history.events
    assert (opened.pipeline, opened.stage) == ("default", "qualifiedtobuy")
    assert (moved.pipeline, moved.stage, moved.pipeline_left) == ("other", "x", "default")


def test_a_pipeline_changed_alone_is_a_move_too():
    history = read(deal({
        "dealstage": [row("qualifiedtobuy", 1)],
        "pipeline": [row("other", 9), row("default", 1)],
    }))  # fmt: skip
    assert [event.pipeline for event in history.events] == ["default", "other"]
    assert history.events[1].original_id.startswith("deals/7/pipeline/")


def test_a_stage_of_no_known_pipeline_is_kept_and_taken_for_open():
    history = read(deal(dealstage="closedwon"), pipelines=[])
    assert (history.latest.stage, history.latest.outcome) == ("closedwon", Outcome.OPEN)


def test_a_pipeline_that_is_not_said_is_that_of_the_stage():
    assert read(deal(pipeline=None)).latest.pipeline == "default"
    found = read_deals([deal(pipeline=None)])
    assert refusal(found) == (
        "properties.pipeline",
        "it has no pipeline, and its stage does not say it",
    )
    assert found.incomplete == ("7",)


def test_a_history_that_begins_after_the_creation_says_from_when_it_is_known():
    history = read(deal({"dealstage": STAGES[:2]}))
    assert (history.events[0].start, history.events[0].at) == (Start.EXACT, at(1))
    assert history.events[0].observed_from == at(9)
    assert visits(history) == [("contractsent", at(1), False), ("closedwon", at(20), True)]
    assert kinds(history) == ["Opened", "Moved", "Won"]


def test_a_history_that_begins_with_the_close_leaves_the_first_open_stage_unknown():
    history = read(deal({"dealstage": STAGES[:1]}))
    assert visits(history) == [
        ("appointmentscheduled", at(1), False), ("closedwon", at(20), False)
    ]  # fmt: skip
    assert (history.latest.opened_at, history.latest.closed_at) == (at(1), at(20))


def test_traces_of_one_save_may_lie_a_moment_apart():
    late = deal({"dealstage": [row("qualifiedtobuy", "2026-03-01T09:00:00.250Z")]})
    assert visits(read(late)) == [("qualifiedtobuy", at(1), True)]


def test_a_first_stage_long_before_the_creation_began_with_it_and_is_a_problem():
    reason = "it is before the record began; it is said of its beginning"
    history = read(deal({"dealstage": [row("qualifiedtobuy", 1, 2)]}), reason)
    assert visits(history) == [("qualifiedtobuy", at(1), True)]


def test_dates_of_entry_are_moves_where_there_is_no_history():
    history = read(deal(
        dealstage="closedwon", hs_v2_date_entered_qualifiedtobuy=CREATED,
        hs_date_entered_contractsent=stamp(9), hs_v2_date_entered_closedwon=stamp(20),
        hs_date_entered_closedwon=stamp(2),
    ))  # fmt: skip
    assert visits(history) == [
        ("qualifiedtobuy", at(1), True), ("contractsent", at(9), True),
        ("closedwon", at(20), True),
    ]  # fmt: skip
    assert history.events[-1].original_id == "deals/7/hs_v2_date_entered_closedwon"


def test_dates_of_entry_find_their_stage_by_its_id_in_words_and_a_number():
    made, _ = one_pipeline(stage("A-1b"), stage("c"))
    given = deal(dealstage="c", hs_v2_date_entered_a_1b_998=CREATED, hs_v2_date_entered_c=stamp(5))
    assert visits(read(given, pipelines=[made])) == [("A-1b", at(1), True), ("c", at(5), True)]


def test_dates_of_other_stages_alone_do_not_say_where_a_deal_has_been():
    given = deal(hs_v2_date_entered_contractsent=stamp(9))
    reason = "no date says when it was entered; the dates of other stages are left out"
    assert visits(read(given, reason)) == [("qualifiedtobuy", at(1), False)]


def test_a_closed_deal_without_a_history_was_closed_on_its_closing_date():
    history = read(deal(dealstage="closedwon", closedate=stamp(20), amount="12.5"))
    assert kinds(history) == ["Opened", "Won"]
    assert (history.events[0].amount, history.latest.amount) == (None, Money("12.50", "EUR"))
    assert (history.latest.closed_at, history.latest.expected_close) == (at(20), None)
    assert dict(history.latest.attributes) == {}


def test_a_closed_deal_without_any_date_of_its_close_is_refused():
    found = read_deals([deal(dealstage="closedlost")], pipelines=[HUBSPOT_DEFAULT])
    reason = "the deal is lost, and has no closing date"
    assert refusal(found) == ("properties.closedate", reason)


def test_a_deal_with_nothing_but_id_name_and_date_needs_a_stage_to_be_said():
    bare = {"id": "7", "createdAt": CREATED, "properties": {"dealname": "Brakes"}}
    assert refusal(read_deals([bare])) == ("properties.dealstage", "it has no stage")
    history = read(bare, opening=("default", "appointmentscheduled"))
    assert visits(history) == [("appointmentscheduled", at(1), False)]
    assert history.latest.title == "Brakes"


def test_a_history_of_stages_that_are_all_empty_is_none():
    found = read_deals([deal({"dealstage": [row("", 1)]}, dealstage=None)])
    assert refusal(found) == ("properties.dealstage", "it has no stage")


@pytest.mark.parametrize("name", ["createdate", "hs_createdate"])
def test_the_beginning_is_a_property_where_the_object_does_not_say_it(name):
    given = deal(object={"createdAt": None}, **{name: stamp(3)})
    first = read(given).events[0]
    assert (first.at, first.start) == (at(3), Start.EXACT)
    history = deal({name: [row(stamp(3), 3)]}, object={"createdAt": None})
    assert read(history).events[0].at == at(3)


def test_without_a_date_of_creation_a_record_began_by_the_earliest_known():
    given = deal({"amount": [row("5", 9)]}, object={"createdAt": None})
    first = read(given).events[0]
    assert (first.at, first.start) == (at(9), Start.BY_THEN)
    nothing = deal(object={"createdAt": None, "updatedAt": None})
    reason = "it has no date of creation, and nothing says when it was"
    assert refusal(read_deals([nothing])) == (None, reason)


def test_hubspot_counts_no_time_in_the_present_stage_and_ours_counts_it_censored():
    """HubSpot's ``hs_v2_latest_time_in`` is empty while a deal is in the stage."""
    given = deal(
        {"dealstage": STAGES[1:]}, hs_v2_latest_time_in_contractsent=None,
        hs_v2_latest_time_in_qualifiedtobuy=str(8 * 86_400_000),
    )  # fmt: skip
    history = read(given)
    now = history.visits(at(29))[-1]
    assert (now.state, now.is_open, now.entered) == ("contractsent", True, at(9))
    assert "hs_v2_latest_time_in_contractsent" not in history.latest.attributes
    figures = time_in_stage([history], as_of=at(29), pipelines=[HUBSPOT_DEFAULT])
    assert "contractsent" in str(figures)


# The closing date of deals


def test_the_closing_date_is_expected_while_the_deal_is_open():
    given = deal({"closedate": [row("2026-04-30T22:30:00Z", 9), row("2026-03-31T12:00:00Z", 1)]})
    history = read(given)
    assert history.events[0].expected_close == date(2026, 3, 31)
    assert history.latest.expected_close == date(2026, 4, 30)
    there = read(given, zone=ZoneInfo("Europe/Berlin"))
    assert there.latest.expected_close == date(2026, 5, 1)
    assert read(
        deal(closedate="2026-05-01"), zone=ZoneInfo("Pacific/Apia")
    ).latest.expected_close == date(2026, 5, 1)


def test_the_closing_date_that_a_close_writes_is_not_expected():
    closing = {"dealstage": STAGES, "closedate": [row(stamp(20), 20), row(stamp(31), 1)]}
    history = read(deal(closing))
    assert kinds(history) == ["Opened", "Moved", "Won"]
    assert history.latest.expected_close == date(2026, 3, 31)


def test_a_deal_was_closed_when_its_stage_changed_whatever_the_closing_date_says():
    closing = {"dealstage": STAGES, "closedate": [row(stamp(15), 22), row(stamp(20), 20)]}
    history = read(deal(closing))
    assert history.latest.closed_at == at(20)
    assert dict(history.latest.attributes) == {"closedate": stamp(15)}
    assert [e.at for e in history.events if isinstance(e, FieldSet)] == [at(22)]
    undated = read(deal({"dealstage": STAGES}, closedate=stamp(15)))
    assert (undated.latest.closed_at, undated.events[-1].at) == (at(20), at(20))
    assert dict(undated.latest.attributes) == {"closedate": stamp(15)}
    same = read(deal({"dealstage": STAGES}, closedate=stamp(20)))
    assert dict(same.latest.attributes) == {}


def test_a_closing_date_cleared_after_the_close_changes_no_outcome():
    closing = {"dealstage": STAGES, "closedate": [row("", 25), row(stamp(20), 20)]}
    assert read(deal(closing)).latest.closed_at == at(20)


def test_hubspot_keeps_the_closing_date_of_a_reopened_deal_and_ours_is_open_without_one():
    reopened = [row("contractsent", 25), *STAGES]
    closing = [row(stamp(20), 20), row(stamp(31), 1)]
    history = read(deal({"dealstage": reopened, "closedate": closing}))
    assert kinds(history) == ["Opened", "Moved", "Won", "Reopened"]
    assert (history.latest.closed_at, history.latest.outcome) == (None, Outcome.OPEN)
    assert history.latest.expected_close == date(2026, 3, 31)
    assert history.as_of(at(22)).outcome is Outcome.WON


def test_a_deal_that_was_created_closed_was_closed_then():
    given = deal({"dealstage": [row("closedwon", 1)]}, closedate=stamp(15), amount="5")
    history = read(given)
    assert (history.latest.closed_at, history.latest.amount) == (at(1), Money(5, "EUR"))
    assert dict(history.events[0].attributes) == {"closedate": stamp(15)}


# What else there is of deals


def test_an_amount_has_the_currency_of_its_deal_or_the_one_given():
    assert read(deal(amount="12.5", deal_currency_code="usd")).latest.amount == Money("12.5", "USD")
    assert read(deal(amount=" 12.5 ")).latest.amount == Money("12.5", "EUR")
    assert dict(read(deal(deal_currency_code="USD")).latest.attributes) == {
        "deal_currency_code": "USD"
    }


def test_an_amount_without_a_currency_is_a_problem_and_left_absent():
    history = read(
        deal(amount="12.5"),
        "properties.amount: it has no currency, and none is given for all", currency=None,
    )  # fmt: skip
    assert history.latest.amount is None
    unreadable = read_deals([deal(amount="5", deal_currency_code="euro")], currency="EUR")
    assert [problem.column for problem in unreadable.problems] == [
        "properties.deal_currency_code", "properties.amount"
    ]  # fmt: skip
    assert unreadable.histories[0].latest.amount is None


def test_an_amount_and_its_currency_changed_together_are_one_change():
    given = deal({
        "amount": [row("20", 9), row("10", 1)],
        "deal_currency_code": [row("USD", 9), row("EUR", 1)],
    })  # fmt: skip
    history = read(given)
    assert kinds(history) == ["Opened", "AmountChanged"]
    assert (history.events[0].amount, history.latest.amount) == (Money(10, "EUR"), Money(20, "USD"))


def test_an_amount_that_was_cleared_is_none():
    given = deal({"amount": [row("", 9), row("10", 1)]})
    assert read(given).latest.amount is None


def test_an_unreadable_amount_is_left_absent_and_reported():
    history = read(deal(amount="a lot"), "amount: 'a lot' is not a number")
    assert history.latest.amount is None


def test_fields_are_read_by_hubspot_s_names():
    given = deal(
        {"hubspot_owner_id": [row("4", 9), row("3", 1)]},
        object={"associations": {"contacts": {"results": [
            {"id": "1", "type": "deal_to_contact"}, {"id": "1", "type": "decision_maker"},
            {"id": 2, "type": "deal_to_contact_unlabeled"},
        ]}, "companies": {"results": [{"id": "8", "type": "deal_to_company"}]}}},
        dealname="Brakes", dealtype="newbusiness", hs_analytics_source="PAID_SEARCH",
        hs_manual_forecast_category="BEST_CASE", hs_next_step="call", industry=" cars ",
    )  # fmt: skip
    latest = read(given).latest
    assert (latest.title, latest.sale_type, latest.owner) == ("Brakes", SaleType.NEW_BUSINESS, "4")
    assert (latest.source, latest.next_step) == ("PAID_SEARCH", NextStep("call"))
    assert latest.forecast_category is ForecastCategory.BEST_CASE
    assert latest.contacts == ("1", "2")
    assert dict(latest.attributes) == {
        "industry": " cars ",
        "associations.contacts": (("1", "decision_maker"),),
        "associations.companies": (("8", "deal_to_company"),),
    }


def test_what_no_field_can_hold_is_kept_under_its_own_name():
    given = deal(
        {
            "dealtype": [row("existingbusiness", 9), row("newbusiness", 1)],
            "hs_forecast_category": [row("MOST_LIKELY", 9), row("COMMIT", 1)],
            "hs_next_step": [row("", 9), row("call", 1)],
        },
        object={"properties": {"hs_object_id": "7", "createdate": stamp(2)}},
    )  # fmt: skip
    given["properties"] |= {"pipeline": "default", "dealstage": "qualifiedtobuy"}
    latest = read(given).latest
    assert (latest.sale_type, latest.forecast_category, latest.next_step) == (None, None, None)
    assert dict(latest.attributes) == {
        "dealtype": "existingbusiness", "hs_forecast_category": "MOST_LIKELY",
        "hs_object_id": "7", "createdate": stamp(2),
    }  # fmt: skip


def test_a_reason_in_force_at_the_close_goes_with_it():
    lost = [row("closedlost", 20), row("qualifiedtobuy", 1)]
    with_it = read(deal({"dealstage": lost, "closed_lost_reason": [row("price", 20)]}))
    assert (with_it.latest.reason, kinds(with_it)) == ("price", ["Opened", "Lost"])
    before = read(deal({"dealstage": lost, "closed_lost_reason": [row("price", 9)]}))
    assert (before.latest.reason, kinds(before)) == ("price", ["Opened", "FieldSet", "Lost"])
    after = read(deal({"dealstage": lost, "closed_lost_reason": [row("price", 22)]}))
    assert (after.latest.reason, dict(after.latest.attributes)) == (
        None,
        {"closed_lost_reason": "price"},
    )
    undated = read(deal({"dealstage": lost}, closed_lost_reason="price", closed_won_reason="fit"))
    assert undated.latest.reason == "price"
    assert dict(undated.events[0].attributes) == {"closed_won_reason": "fit"}


def test_a_probability_is_the_deal_s_own_where_its_stage_has_another():
    stages = {"dealstage": [row("contractsent", 9), row("qualifiedtobuy", 1)]}
    own = read(deal(stages, hs_deal_stage_probability=0.3)).latest.probability
    assert (own.value, own.basis) == (Decimal("0.3"), ProbabilityBasis.UNTIL_MOVE)
    usual = "0.90000000000000002220446049250313080847263336181640625"
    assert read(deal(stages, hs_deal_stage_probability=usual)).latest.probability is None
    history = {"hs_deal_stage_probability": [
        row("0.9", 12), row(0.25, 10), row("0.9", 9), row("0.4", 1),
    ]}  # fmt: skip
    deals = read(deal(stages | history))
    assert deals.as_of(at(11)).probability.value == Decimal("0.25")
    assert deals.latest.probability is None
    unknown = read(deal(hs_deal_stage_probability="0.3"), pipelines=[])
    assert dict(unknown.latest.attributes) == {"hs_deal_stage_probability": "0.3"}
    wrong = read_deals([deal(hs_deal_stage_probability="30")], pipelines=[HUBSPOT_DEFAULT])
    assert wrong.histories[0].latest.probability is None
    assert [problem.column for problem in wrong.problems] == [
        "properties.hs_deal_stage_probability"
    ]


def test_an_archived_deal_was_deleted_then():
    given = deal(object={"archived": True, "archivedAt": stamp(9)})
    history = read(given)
    assert isinstance(history.events[-1], Deleted)
    assert (history.latest, history.as_of(at(8)).stage) == (None, "qualifiedtobuy")
    later = deal(object={"archived": "true"})
    assert read(later).events[-1].at == at(1, 4)
    never = deal(object={"archived": True, "updatedAt": None})
    reason = "it is archived, and nothing says since when"
    assert refusal(read_deals([never])) == ("archivedAt", reason)


def test_merged_records_are_told_with_their_instants_where_these_are_known():
    given = contact(
        {"hs_merged_object_ids": [row("60;61", 9), row("60", 5)]},
        hs_calculated_merged_vids="51:1772442000000;61:1772442000000;62:soon",
    )
    found = read_contacts([given])
    merged = {e.other: e.at for e in found.histories[0].events if isinstance(e, Merged)}
    assert merged["60"] == at(5)
    assert merged["61"] == datetime.fromtimestamp(1772442000, UTC)
    assert merged["62"] == at(1, 4)
    assert "51" not in merged
    assert [each.column for each in found.problems] == ["properties.hs_calculated_merged_vids"]
    bare = read_person(contact(hs_merged_object_ids="60", object={"updatedAt": None}))
    assert bare.events[-1].at == at(1)


# Contacts


def test_a_contact_s_stages_and_statuses_come_from_their_histories():
    history = read_person(contact({
        "lifecyclestage": [
            row("opportunity", 20), row("salesqualifiedlead", 5), row("lead", 1),
        ],
        "hs_lead_status": [row("OPEN_DEAL", 9), row("NEW", 5)],
    }))  # fmt: skip
    assert kinds(history) == [
        "Created", "LifecycleStageSet", "LeadStatusSet", "LeadStatusSet", "LifecycleStageSet"
    ]  # fmt: skip
    assert history.latest.lifecycle_stage is LifecycleStage.OPPORTUNITY
    assert history.events[0].lifecycle_stage is LifecycleStage.LEAD
    assert [e.status for e in history.events if isinstance(e, LeadStatusSet)] == [
        "new", "open_deal"
    ]  # fmt: skip


def test_hubspot_keeps_a_status_after_sql_and_so_does_what_is_read_for_the_audit_to_find():
    history = read_person(contact({
        "lifecyclestage": [row("opportunity", 20), row("salesqualifiedlead", 1)],
        "hs_lead_status": [row("CONNECTED", 1)],
    }))  # fmt: skip
    assert history.latest.lead_status == "connected"
    report = audit.audit([history], [], as_of=LATER)
    assert "status_kept_after_sql" in {finding.check.code for finding in report.findings}


def test_hubspot_s_statuses_are_standard_keys_and_others_stay_as_they_are_written():
    assert {each.key for each in STANDARD_STATUSES.statuses} <= set(LEAD_STATUSES.values())
    status = {"hs_lead_status": [row("", 20), row("Warm Lead", 9), row("4", 1)]}
    history = read_person(contact(status), statuses={"4": "bad_timing"})
    assert history.events[0].lead_status == "bad_timing"
    assert history.as_of(at(10)).lead_status == "Warm Lead"
    assert history.latest.lead_status is None


def test_other_and_a_clear_neither_set_nor_clear_a_stage_and_are_kept():
    history = read_person(contact({"lifecyclestage": [
        row("lead", 20), row("", 9), row("other", 5), row("customer", 1),
    ]}))  # fmt: skip
    assert history.latest.lifecycle_stage is LifecycleStage.CUSTOMER
    assert dict(history.as_of(at(6)).attributes) == {"lifecyclestage": "other"}
    assert dict(history.as_of(at(10)).attributes) == {"lifecyclestage": None}
    report = audit.audit([history], [], as_of=LATER)
    assert "backward_lifecycle" in {finding.check.code for finding in report.findings}
    began = read_person(contact({"lifecyclestage": [row("other", 1)]}))
    assert (began.latest.lifecycle_stage, dict(began.events[0].attributes)) == (
        None, {"lifecyclestage": "other"}
    )  # fmt: skip


def test_a_portal_s_own_stages_stand_for_ours_or_for_none():
    given = contact({"lifecyclestage": [row("88", 9), row("77", 1)]})
    history = read_person(given, stages={"77": "lead", "88": None})
    assert history.latest.lifecycle_stage is LifecycleStage.LEAD
    assert dict(history.latest.attributes) == {"lifecyclestage": "88"}
    column, reason = refusal(read_contacts([given]))
    assert column == "propertiesWithHistory.lifecyclestage[1].value"
    assert reason.startswith("unknown lifecycle stage: '77'; known: 'subscriber'")


def test_dates_of_stages_are_used_where_there_is_no_history():
    history = read_person(contact(
        lifecyclestage="opportunity", hs_lifecyclestage_lead_date=CREATED,
        hs_date_entered_opportunity=stamp(9), hs_v2_date_entered_opportunity=stamp(8),
    ))  # fmt: skip
    assert visits(history) == [("lead", at(1), True), ("opportunity", at(8), True)]


def test_a_stage_without_any_date_is_known_but_not_since_when():
    history = read_person(contact(lifecyclestage="lead"))
    assert visits(history) == [("lead", at(1), False)]
    assert visits(read_person(contact(hs_lead_status="NEW", lifecyclestage=None))) == []


def test_a_stage_with_dates_of_others_only_stands_and_is_a_problem():
    reason = "no date says when it was entered; the dates of others are left out"
    given = contact(lifecyclestage="customer", hs_lifecyclestage_lead_date=CREATED)
    assert visits(read_person(given, reason)) == [("customer", at(1), False)]
    reason = "'customer' is the furthest stage with a date, and stands"
    given = contact(lifecyclestage="lead", hs_lifecyclestage_customer_date=stamp(9))
    assert visits(read_person(given, reason)) == [("customer", at(9), True)]


def test_a_lifecycle_that_is_known_later_than_its_contact_says_so():
    history = read_person(contact({"lifecyclestage": [row("lead", 9)]}))
    assert history.events[0].observed_from == at(9)
    moment = contact({"lifecyclestage": [row("lead", "2026-03-01T09:00:20Z")]})
    assert visits(read_person(moment)) == [("lead", at(1, seconds=20), True)]


def test_a_name_is_its_two_parts_which_are_kept_apart_where_the_name_does_not_tell_them():
    plain = read_person(contact(firstname="Ada", lastname="King Lovelace")).latest
    assert (plain.name, dict(plain.attributes)) == ("Ada King Lovelace", {})
    double = read_person(contact(firstname="Ada Augusta", lastname="King")).latest
    assert (double.name, dict(double.attributes)) == (
        "Ada Augusta King", {"firstname": "Ada Augusta", "lastname": "King"}
    )  # fmt: skip
    last = read_person(contact(lastname="King")).latest
    assert (last.name, dict(last.attributes)) == ("King", {"lastname": "King"})
    changed = read_person(contact({"lastname": [row("King", 9), row("Byron", 1)]}, firstname="Ada"))
    assert (changed.events[0].name, changed.latest.name) == ("Ada Byron", "Ada King")
    cleared = read_person(contact({"firstname": [row("", 9), row("Ada", 1)]}))
    assert cleared.latest.name is None


def test_a_status_that_was_empty_at_first_is_none():
    history = read_person(contact({"hs_lead_status": [row("NEW", 9), row("", 1)]}))
    assert (history.events[0].lead_status, history.latest.lead_status) == (None, "new")


def test_fields_of_a_contact_are_read_by_hubspot_s_names():
    given = contact(
        email="ada@example.org", company="Engines", hubspot_owner_id="3",
        hs_analytics_source="OFFLINE", hs_email_optout="true", num_visits=3,
        object={"associations": {"deals": {"results": [{"id": "7", "type": "contact_to_deal"}]}}},
    )  # fmt: skip
    history = read_person(given)
    ada = history.latest
    assert (ada.email, ada.company, ada.owner, ada.source) == (
        "ada@example.org", "Engines", "3", "OFFLINE"
    )  # fmt: skip
    assert (ada.opted_out, kinds(history)) == (True, ["Created", "OptedOut"])
    assert dict(ada.attributes) == {
        "num_visits": 3, "associations.deals": (("7", "contact_to_deal"),),
    }  # fmt: skip
    assert kinds(read_person(contact(hs_email_optout="false"))) == ["Created"]
    back = read_person(contact({"hs_email_optout": [row("false", 9), row("true", 5)]}))
    assert kinds(back) == ["Created", "OptedOut", "OptedIn"]


# Hostile, odd and doubled


def test_objects_may_be_a_response_or_any_iterable():
    given = deal()
    for objects in ({"results": [given]}, [given], iter([given]), (given,)):
        assert read_deals(objects).used == 1


def test_the_second_object_of_an_id_is_refused():
    for read_all, given in ((read_deals, deal()), (read_contacts, contact())):
        found = read_all([given, given])
        assert (found.used, found.refused, found.incomplete) == (1, 1, (given["id"],))
        assert found.problems[0].reason == "an earlier object has the same id"


@pytest.mark.parametrize(
    ("given", "column"),
    [
        (deal(object={"id": None}), "id"),
        (deal(object={"id": 2.5}), "id"),
        (deal(object={"createdAt": "soon"}), "createdAt"),
        (deal(object={"createdAt": 10**20}), "createdAt"),
        (deal(object={"archived": "maybe"}), "archived"),
        (deal(dealstage={}), "properties.dealstage"),
        (deal({"dealstage": [5]}), "propertiesWithHistory.dealstage[0]"),
        (deal({"dealstage": [{"value": "x"}]}), "propertiesWithHistory.dealstage[0].timestamp"),
        (
            deal({"dealstage": [row("x", "soon")]}),
            "propertiesWithHistory.dealstage[0].timestamp",
        ),
        (7, None),
    ],
)
def test_an_object_whose_id_instant_or_state_is_unreadable_is_refused(given, column):
    assert refusal(read_deals([given], pipelines=[HUBSPOT_DEFAULT]))[0] == column


def test_what_else_is_unreadable_is_left_absent_and_reported():
    given = deal(
        {
            "amount": [5, {"value": "1"}, row("1", "soon"), row("7", 9)], "dealname": "x",
            "hubspot_owner_id": [{**row("3", 1), "updatedByUserId": {}, "sourceType": []}],
        },
        object={
            "updatedAt": "soon", "associations": {
                "contacts": {"results": [5, {"id": {}}, {"id": "1"}], "paging": {"next": 1}},
                "companies": 5,
            },
        },
        amount="8",
    )  # fmt: skip
    given["properties"][5] = "x"
    found = read_deals([given], pipelines=[HUBSPOT_DEFAULT], currency="EUR")
    assert found.used == 1
    assert not any(problem.refused for problem in found.problems)
    assert sorted({problem.column for problem in found.problems}) == [
        "associations.companies", "associations.contacts.paging",
        "associations.contacts.results[0]", "associations.contacts.results[1].id",
        "properties", "properties.amount", "propertiesWithHistory.amount[0]",
        "propertiesWithHistory.amount[1].timestamp", "propertiesWithHistory.amount[2].timestamp",
        "propertiesWithHistory.dealname", "updatedAt",
    ]  # fmt: skip
    latest = found.histories[0].latest
    assert (latest.amount, latest.owner, latest.contacts) == (Money(7, "EUR"), "3", ("1",))
    odd = read_deals([deal(object={"properties": 5})])
    assert [problem.column for problem in odd.problems] == ["properties", "properties.dealstage"]


def test_an_entry_that_is_there_twice_is_one_event_and_two_at_one_instant_are_two():
    given = deal({"industry": [row("c", 9), row("b", 9), row("b", 9), row("a", 1)]})
    told = [event for event in read(given).events if isinstance(event, FieldSet)]
    assert [event.value for event in told] == ["b", "c"]
    assert len({event.identity for event in told}) == 2


def test_instants_may_be_milliseconds_numbers_or_without_a_zone_in_utc():
    for created in (1772355600000, "1772355600000", "2026-03-01T09:00:00", "2026-03-01 9:00:00"):
        assert read(deal(object={"createdAt": created})).events[0].at == at(1)
    zoned = read(deal(object={"createdAt": "2026-03-01T10:00:00+01:00"}))
    assert zoned.events[0].at == at(1)
    day = read(deal(closedate=date(2026, 4, 1)))
    assert day.latest.expected_close == date(2026, 4, 1)


def test_nothing_but_objects_and_tables_is_read():
    for read_all in (read_deals, read_contacts, read_pipelines):
        for given in STRANGE:
            if isinstance(given, list | tuple | set | range | bytearray):
                assert read_all(given).used == 0
            else:
                with pytest.raises(WrongTypeError):
                    read_all(given)
    for read_all in (read_warehouse_deals, read_warehouse_contacts):
        check_door(read_all, takes=lambda given: given == {})


@pytest.mark.parametrize("name", ["pipelines", "currency", "opening", "zone"])
def test_strange_arguments_of_deals_are_refused(name):
    def takes(given):
        if name == "pipelines":
            return isinstance(given, tuple | list | set | dict) and not given
        return given is None and name in {"currency", "opening"}

    check_door(lambda given: read_deals([], **{name: given}), takes=takes)


@pytest.mark.parametrize("name", ["stages", "statuses"])
def test_strange_arguments_of_contacts_are_refused(name):
    check_door(lambda given: read_contacts([], **{name: given}), takes=lambda given: given == {})
    for door in (lambda given: changes([], object_type="contacts", **{name: given}),):
        check_door(door, takes=lambda given: given == {})


def test_a_stage_that_stands_for_none_of_ours_is_refused():
    with pytest.raises(UnknownKeyError):
        read_contacts([], stages={"77": "warm"})
    with pytest.raises(UnknownKeyError):
        read_pipelines([], outcomes={"77": "warm"})


# The warehouse


def tables(stage="a", /, **more):
    record = {
        "deal_id": "7", "deal_pipeline_id": "default", "deal_pipeline_stage_id": stage,
        "owner_id": "3", "portal_id": "9", "property_dealname": "Brakes",
        "property_createdate": "2026-03-01 9:00:00", "is_deleted": "false",
    }  # fmt: skip
    return {"deal": [record]} | more


def stage_row(key, *, closed="FALSE", won="FALSE", probability="0.0", **more):
    return {
        "pipeline_id": "default", "stage_id": key, "is_closed": closed, "closed_won": won,
        "probability": probability, "label": key.upper(), "display_order": "1", "active": "TRUE",
    } | more  # fmt: skip


def test_a_warehouse_s_deals_are_read_with_their_pipelines_history_and_contacts():
    found = read_warehouse_deals(tables(
        "w",
        deal_pipeline=[{"pipeline_id": "default", "label": "Sales"}],
        deal_pipeline_stage=[
            stage_row("b", display_order="2"), stage_row("a"),
            stage_row("w", closed="TRUE", won="TRUE", probability="1.0", display_order=""),
            stage_row("l", closed="TRUE", active="FALSE", label=""),
        ],
        owner=[{"owner_id": "3", "email": "ada@example.org", "_fivetran_synced": "x"}],
        deal_stage=[
            {"deal_id": "7", "value": "a", "_fivetran_start": "2026-03-01 09:00:00"},
            {"deal_id": "7", "value": "w", "date_entered": "2026-03-09 09:00:00",
             "source": "CRM_UI", "source_id": "u-1"},
        ],
        deal_property_history=[
            {"deal_id": "7", "name": "amount", "value": "5", "timestamp": "2026-03-02 09:00:00.5"},
        ],
        deal_contact=[{"deal_id": "7", "contact_id": 1}],
        merged_deal=[
            {"deal_id": "7", "merged_deal_id": 8, "_fivetran_synced": "2026-03-20 09:00:00"},
        ],
    ), currency="EUR")  # fmt: skip
    assert (found.problems, found.used, found.refused) == ((), 12, 0)
    [sales] = found.pipelines
    assert [(each.key, each.outcome.value) for each in sales.stages] == [
        ("a", "open"), ("b", "open"), ("w", "won"), ("l", "lost"),
    ]  # fmt: skip
    assert sales.name == "Sales"
    [history] = found.histories
    assert kinds(history) == ["Opened", "AmountChanged", "Won", "Merged"]
    assert (history.events[2].by, history.events[2].role) == ("u-1", "CRM_UI")
    assert (history.latest.contacts, history.latest.owner) == (("1",), "3")
    assert dict(history.latest.attributes) == {"portal_id": "9", "owner.email": "ada@example.org"}


def test_all_rows_of_a_deal_that_cannot_be_read_are_refused():
    given = tables(deal_contact=[{"deal_id": "7", "contact_id": "1"}])
    del given["deal"][0]["deal_pipeline_stage_id"]
    found = read_warehouse_deals(given)
    assert (found.used, found.refused, found.incomplete) == (0, 2, ("7",))
    assert [(problem.table, problem.reason) for problem in found.problems] == [
        ("deal", "it has no stage"),
        ("deal_contact", "what it belongs to is refused: '7'"),
    ]
    opened = read_warehouse_deals(given, opening=("default", "new"))
    assert (opened.used, opened.histories[0].latest.stage) == (2, "new")


def test_a_deal_is_made_of_the_rows_that_tell_of_it():
    rows = [{"deal_id": "9", "value": "a", "date_entered": "2026-03-01 9:00:00"}]
    [board] = read_warehouse_deals({"deal_pipeline_stage": [stage_row("a")]}).pipelines
    found = read_warehouse_deals({"deal_stage": rows}, pipelines=[board])
    first = found.histories[0].events[0]
    assert (first.start, first.at, first.stage) == (Start.BY_THEN, at(1), "a")


def test_a_stage_of_a_warehouse_that_does_not_say_what_it_means_is_open_and_a_problem():
    rows = [stage_row("a"), stage_row("b", closed=""), stage_row("c", closed="TRUE", won="")]
    found = read_warehouse_deals({"deal_pipeline_stage": rows})
    assert {each.outcome for each in found.pipelines[0].stages} == {Outcome.OPEN}
    assert [problem.row for problem in found.problems] == [2, 3]
    said = read_warehouse_deals({"deal_pipeline_stage": rows[:2]}, outcomes={"b": "lost"})
    assert (said.problems, said.pipelines[0].outcome("b")) == ((), Outcome.LOST)


def test_rows_of_pipelines_are_refused_with_what_they_belong_to():
    found = read_warehouse_deals({
        "deal_pipeline": [{"pipeline_id": "x"}, {"pipeline_id": "x"}, {"pipeline_id": "default"}],
        "deal_pipeline_stage": [stage_row("w", closed="TRUE", won="TRUE")],
    })  # fmt: skip
    assert (found.used, found.refused, found.pipelines) == (0, 4, ())
    assert [problem.reason for problem in found.problems] == [
        "it has no stage", "an earlier row has the same id",
        "pipeline 'default': no stage is open", "what it belongs to is refused: None",
    ]  # fmt: skip


def test_a_deleted_row_needs_a_date_of_it():
    given = tables()
    given["deal"][0] |= {"is_deleted": "TRUE", "_fivetran_synced": "2026-03-09 09:00:00"}
    assert isinstance(read_warehouse_deals(given).histories[0].events[-1], Deleted)
    given["deal"][0]["property_hs_lastmodifieddate"] = "2026-03-08 09:00:00"
    assert read_warehouse_deals(given).histories[0].events[-1].at == at(8)
    never = tables()
    never["deal"][0]["is_deleted"] = "TRUE"
    reason = "it is deleted, and nothing says since when"
    assert refusal(read_warehouse_deals(never)) == ("is_deleted", reason)
    assert read_warehouse_deals(tables(deal=[*tables()["deal"] * 2])).refused == 1


def test_a_warehouse_s_contacts_are_read_with_forms_and_merges():
    found = read_warehouse_contacts({
        "contact": [{
            "id": 1, "property_createdate": "2026-03-01 9:00:00", "property_firstname": "Ada",
            "property_hs_merged_object_ids": "5;6", "_fivetran_deleted": "FALSE", 5: "x",
        }],
        "contact_property_history": [
            {"contact_id": 1, "name": "lifecyclestage", "value": "lead",
             "timestamp": "2026-03-01 09:00:00"},
        ],
        "contact_merge_audit": [
            {"canonical_vid": 2, "vid_to_merge": 3, "timestamp": "2026-03-05 09:00:00"},
        ],
        "contact_form_submission": [
            {"contact_id": 1, "timestamp": "2026-03-07 09:00:00", "title": "Demo"},
            {"contact_id": 1, "timestamp": "2026-03-07 09:00:00", "title": "Guide"},
        ],
    })  # fmt: skip
    assert (found.problems, found.used) == ((), 5)
    ada, other = found.histories
    assert ada.latest.lifecycle_stage is LifecycleStage.LEAD
    assert [e.other for e in ada.events if isinstance(e, Merged)] == ["5", "6"]
    sent = [event for event in ada.events if isinstance(event, ActivityRecorded)]
    assert [(e.kind, e.direction) for e in sent] == [("form_submission", Direction.INBOUND)] * 2
    assert dict(ada.latest.attributes) == {"form_submission.title": "Guide"}
    assert len({event.identity for event in ada.events}) == len(ada.events)
    assert (other.record, other.events[0].start, kinds(other)) == (
        "2", Start.BY_THEN, ["Created", "Merged"]
    )  # fmt: skip


def test_a_table_of_another_name_is_refused():
    with pytest.raises(InvalidValueError) as caught:
        read_warehouse_contacts({"contacts": [], 5: []})
    assert caught.value.faults[:2] == ("unknown table 'contacts'", "unknown table 5")


def test_a_row_of_history_without_its_instant_or_name_is_refused_alone():
    rows = [
        {"deal_id": "7", "name": "amount", "value": "5"},
        {"deal_id": "7", "timestamp": CREATED},
    ]
    found = read_warehouse_deals(tables(deal_property_history=rows))
    assert (found.used, found.refused, len(found.histories)) == (1, 2, 1)
    assert [problem.column for problem in found.problems] == ["timestamp", "name"]


# Outward


def sent(*events, object_type="deals", **options):
    """The properties of each change, and the fields and kinds of what is unheld."""
    told = changes(events, object_type=object_type, **options)
    unheld = [(type(each.event).__name__, each.field) for each in told.unheld]
    return [change["properties"] for change in told.changes], unheld


def opened(**facts):
    pipeline = {"pipeline": "default", "stage": "qualifiedtobuy"}
    return Opened(record="7", sequence=1, at=at(1), **(pipeline | facts))


def happened(kind, sequence=2, day=9, **facts):
    return kind(record="7", sequence=sequence, at=at(day), **facts)


def test_an_opening_is_told_with_all_that_hubspot_has_a_property_for():
    given = opened(
        title="Brakes", amount=Money("12.5", "EUR"), owner="3", expected_close=date(2026, 4, 1),
        sale_type=SaleType.NEW_BUSINESS, contacts=("1",), account="8", renews="6",
        start=Start.BY_THEN,
        attributes=Attributes({"seats": 4, "Big": "x", "note": " ", "amount": "5", "is_key": True}),
    )  # fmt: skip
    told = changes([given], object_type="deals")
    [change] = told.changes
    assert (change["objectType"], change["id"], change["timestamp"]) == ("deals", "7", CREATED)
    assert change["properties"] == {
        "createdate": CREATED, "dealname": "Brakes", "hubspot_owner_id": "3",
        "dealtype": "newbusiness", "seats": "4", "is_key": "true", "pipeline": "default",
        "dealstage": "qualifiedtobuy", "amount": "12.50", "deal_currency_code": "EUR",
        "closedate": "2026-04-01T00:00:00Z",
    }  # fmt: skip
    assert {each.field for each in told.unheld} == {
        "start", "account", "contacts", "renews", "attributes.Big", "attributes.note",
        "attributes.amount",
    }  # fmt: skip


def test_a_close_is_told_with_its_date_and_reason_and_a_reopening_with_the_expected_date():
    told, unheld = sent(
        opened(expected_close=date(2026, 4, 1)),
        happened(Lost, pipeline="default", stage="closedlost", reason="price"),
        happened(CloseDateChanged, 3, 10, expected_close=date(2026, 5, 1)),
        happened(FieldSet, 4, 11, field="attributes.closedate", value=stamp(8)),
        happened(Reopened, 5, 12, pipeline="default", stage="contractsent"),
        happened(Won, 6, 13, pipeline="default", stage="closedwon", amount=Money(5, "EUR")),
    )
    where = {"pipeline": "default"}
    assert told[1:] == [
        {**where, "dealstage": "closedlost", "closedate": stamp(9), "closed_lost_reason": "price"},
        {"closedate": stamp(8)},
        {**where, "dealstage": "contractsent", "closedate": "2026-05-01T00:00:00Z"},
        {
            **where, "dealstage": "closedwon", "closedate": stamp(13), "closed_won_reason": "",
            "amount": "5.00", "deal_currency_code": "EUR",
        },
    ]  # fmt: skip
    assert unheld == [("CloseDateChanged", "expected_close")]
    closed, left = sent(opened(
        stage="closedwon", outcome=Outcome.WON, expected_close=date(2026, 4, 1)
    ))  # fmt: skip
    assert (closed[0]["closedate"], left) == (CREATED, [("Opened", "expected_close")])


def test_what_else_happens_to_a_deal_is_told_as_hubspot_takes_it():
    until, model = ProbabilityBasis.UNTIL_MOVE, ProbabilityBasis.MODEL
    told, unheld = sent(
        happened(AmountChanged, amount=None, reason="error"),
        happened(CloseDateChanged, expected_close=None),
        happened(ProbabilitySet, probability=Decimal("0.3"), basis=until),
        happened(ProbabilitySet, probability=None, basis=model),
        happened(ForecastCategorySet, category=ForecastCategory.OMITTED),
        happened(ForecastCategorySet, category=None),
        happened(NextStepPlanned, what="call", due=date(2026, 4, 1)),
        happened(NextStepDone),
        happened(Moved, pipeline="default", stage=" "),
        happened(Reopened, pipeline="default", stage="a"),
        happened(Deleted, why="double"),
        happened(ContactLinked, contact="1"),
        happened(ConcessionMade, what="discount"),
        happened(LeadStatusSet, status="new"),
        happened(FieldSet, field="sale_type", value=SaleType.RENEWAL),
        happened(FieldSet, field="sale_type", value=None),
        happened(FieldSet, field="attributes.dealtype", value="existingbusiness"),
    )
    assert told == [
        {"amount": ""}, {"closedate": ""}, {"hs_deal_stage_probability": "0.3"},
        {"hs_deal_stage_probability": ""}, {"hs_manual_forecast_category": "OMIT"},
        {"hs_manual_forecast_category": ""}, {"hs_next_step": "call"}, {"hs_next_step": ""},
        {"pipeline": "default", "dealstage": "a", "closedate": ""}, {},
        {"dealtype": ""}, {"dealtype": "existingbusiness"},
    ]  # fmt: skip
    assert unheld == [
        ("AmountChanged", "reason"), ("ProbabilitySet", "basis"), ("NextStepPlanned", "due"),
        ("Moved", "stage"), ("Deleted", "why"), ("ContactLinked", None), ("ConcessionMade", None),
        ("LeadStatusSet", None), ("FieldSet", "sale_type"),
    ]  # fmt: skip


def test_a_record_that_says_little_is_told_with_little():
    place = {"pipeline": "default", "dealstage": "qualifiedtobuy"}
    told, unheld = sent(
        opened(),
        happened(OwnerChanged, owner=None),
        happened(AmountChanged, 3, amount=Money(5, "EUR")),
        happened(Won, 4, pipeline="default", stage="closedwon"),
    )
    assert told == [
        {"createdate": CREATED, **place}, {"hubspot_owner_id": ""},
        {"amount": "5.00", "deal_currency_code": "EUR"},
        {
            "pipeline": "default", "dealstage": "closedwon", "closedate": stamp(9),
            "closed_won_reason": "",
        },
    ]  # fmt: skip
    won, _ = sent(opened(stage="closedwon", outcome=Outcome.WON))
    assert won[0]["closedate"] == CREATED
    bare = Created(record="7", sequence=1, at=at(1))
    assert sent(bare, object_type="contacts") == ([{"createdate": CREATED}], [])
    assert unheld == []


def test_contacts_linked_in_the_usual_way_leave_no_attribute():
    links = {"contacts": {"results": [{"id": "1", "type": "deal_to_contact"}]}}
    latest = read(deal(object={"associations": links})).latest
    assert (latest.contacts, dict(latest.attributes)) == (("1",), {})


def test_a_deletion_without_a_reason_and_a_step_without_a_date_are_held():
    told = changes(
        [happened(NextStepPlanned, what="call"), happened(Deleted, 3)], object_type="deals"
    )
    assert [change.get("archived") for change in told.changes] == [None, True]
    assert told.unheld == ()


def test_a_reopening_whose_expected_date_is_not_known_leaves_the_closing_date():
    told, _ = sent(happened(Reopened, pipeline="default", stage="a"))
    assert told == [{"pipeline": "default", "dealstage": "a"}]


def test_a_backward_stage_is_unheld_for_hubspot_ignores_it_without_a_word():
    told, unheld = sent(
        happened(LifecycleStageSet, stage=LifecycleStage.CUSTOMER, lead_status="connected"),
        happened(LifecycleStageSet, 3, stage=LifecycleStage.LEAD, lead_status="connected"),
        happened(LifecycleStageSet, 4, stage=LifecycleStage.CUSTOMER),
        happened(
            LifecycleStageSet, 5, stage=LifecycleStage.LEAD, stage_left=LifecycleStage.CUSTOMER
        ),
        object_type="contacts",
    )
    assert told == [
        {"lifecyclestage": "customer", "hs_lead_status": "CONNECTED"},
        {"lifecyclestage": "customer", "hs_lead_status": ""},
    ]
    assert unheld == [("LifecycleStageSet", "stage")] * 2


def test_a_portal_s_own_stages_and_statuses_are_told_by_its_names():
    created = Created(
        record="7", sequence=1, at=at(1), lifecycle_stage=LifecycleStage.LEAD, lead_status="warm",
        name="Ada Lovelace", email="ada@example.org", source="fair",
    )  # fmt: skip
    told, unheld = sent(
        created,
        happened(LeadStatusSet, status="NEW", revisit_on=date(2026, 4, 1)),
        happened(LeadStatusSet, 3, status="a status"),
        happened(FieldSet, 4, field="name", value="Ada"),
        happened(FieldSet, 5, field="name", value="Ada  King"),
        happened(FieldSet, 6, field="name", value=None),
        happened(FieldSet, 7, field="name", value=" Ada"),
        happened(FieldSet, 8, field="attributes.lifecyclestage", value="other"),
        happened(FieldSet, 9, field="attributes.born", value=date(1815, 12, 10)),
        happened(FieldSet, 10, field="attributes.met", value=at(1)),
        happened(FieldSet, 11, field="attributes.height", value=Decimal("1.5")),
        happened(FieldSet, 12, field="attributes.wage", value=Money(5, "EUR")),
        happened(OptedOut, 13),
        object_type="contacts", stages={"77": "lead", "88": None}, statuses={"4": "warm"},
    )  # fmt: skip
    assert told == [
        {
            "createdate": CREATED, "firstname": "Ada", "lastname": "Lovelace",
            "email": "ada@example.org", "lifecyclestage": "77", "hs_lead_status": "4",
        },
        {"hs_lead_status": "a status"}, {"firstname": "Ada", "lastname": ""},
        {"firstname": "", "lastname": ""}, {"lifecyclestage": "other"}, {"born": "1815-12-10"},
        {"met": CREATED}, {"height": "1.5"},
    ]  # fmt: skip
    assert unheld == [
        ("Created", "source"), ("LeadStatusSet", "revisit_on"), ("LeadStatusSet", "lead_status"),
        ("FieldSet", "name"), ("FieldSet", "name"), ("FieldSet", "attributes.wage"),
        ("OptedOut", None),
    ]  # fmt: skip


def test_strange_events_and_types_of_object_are_refused():
    check_door(lambda given: changes(given, object_type="deals"), takes=lambda given: isinstance(
        given, tuple | list | set | dict | bytes | bytearray) and not given)  # fmt: skip
    check_door(lambda given: changes([], object_type=given))
