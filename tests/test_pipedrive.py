from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from contracts import STRANGE
from salespipeline.connectors.pipedrive import read_contacts, read_deals, read_pipelines
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    ContactLinked,
    ContactUnlinked,
    Deleted,
    Direction,
    FieldSet,
    Lost,
    Moved,
    NextStepPlanned,
    Opened,
    OptedOut,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    Start,
    Won,
)
from salespipeline.metrics import outcomes
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage

HASH = "3042fdabaaa338250d9d59b3431417407698d496"
LATER = datetime(2026, 6, 1, tzinfo=UTC)
SALES = Pipeline("1", [Stage("7"), Stage("8")])
ADDED = "2026-03-02 09:00:00"


def at(day, hour=10, month=3):
    return datetime(2026, month, day, hour, tzinfo=UTC)


def deal(**members):
    return {
        "id": 5, "status": "open", "stage_id": 8, "pipeline_id": 1, "value": 1200,
        "currency": "EUR", "add_time": ADDED, **members,
    }  # fmt: skip


def change(number, time, key, old, new, **more):
    return {
        "object": "dealChange", "timestamp": time,
        "data": {
            "id": number, "item_id": 5, "user_id": 9, "field_key": key, "old_value": old,
            "new_value": new, "log_time": time, "change_source": "app", **more,
        },
    }  # fmt: skip


def happening(kind, time="2026-03-04 10:00:00", **more):
    return {"object": kind, "timestamp": time, "data": {"id": 3, "deal_id": 5, **more}}


CREATED = change(1, ADDED, "add_time", None, ADDED)


def read(row, *flow, created=True, **options):
    """The one deal that a row and its log make, without a problem."""
    rows = [*flow, CREATED] if created else list(flow)
    given = {5: rows} if rows else {}
    found = read_deals([row], flow=given, **{"pipelines": [SALES], **options})
    assert found.problems == ()
    [history] = found.histories
    return history


def kinds(history):
    return [type(event) for event in history.events]


def problems(found):
    return [(each.table, each.row, each.column, each.refused) for each in found.problems]


# Pipelines


def stage(identity, **members):
    return {"id": identity, "pipeline_id": 1, "name": f"S{identity}", "order_nr": 1, **members}


def stages_of(*rows, **pipeline):
    found = read_pipelines([{"id": 1, "name": "Sales", **pipeline}], rows)
    assert found.problems == ()
    return found.pipelines[0].stages


def test_stages_go_by_their_number_deleted_ones_last_among_equals():
    stages = stages_of(
        stage(3, order_nr=2), stage(1, order_nr=1, active_flag=False), stage(2, order_nr=1)
    )
    assert [each.key for each in stages] == ["2", "1", "3"]
    v2 = stages_of(stage(1, is_deleted=True), stage(2, is_deleted=False))
    assert [each.key for each in v2] == ["2", "1"]


def test_a_default_probability_of_100_percent_is_no_claim_as_pipedrive_sets_it_on_its_own():
    some, none, whole = stages_of(
        stage(1, deal_probability=40),
        stage(2, deal_probability=None),
        stage(3, deal_probability=100),
    )
    assert (some.probability, none.probability, whole.probability) == (Decimal("0.4"), None, None)


@pytest.mark.parametrize(
    "switch", [{"deal_probability": 0}, {"is_deal_probability_enabled": False}]
)
def test_a_pipeline_whose_probability_is_switched_off_claims_none(switch):
    [only] = stages_of(stage(1, deal_probability=40), **switch)
    assert only.probability is None


def test_deals_rot_only_where_it_is_switched_on():
    v1, off, v2, never = stages_of(
        stage(1, rotten_flag=True, rotten_days=14),
        stage(2, rotten_flag=False, rotten_days=14),
        stage(3, is_deal_rot_enabled=True, days_to_rotten=7),
        stage(4, rotten_flag=1, rotten_days=0),
    )
    assert [each.rot_after for each in (v1, off, v2, never)] == [
        timedelta(days=14), None, timedelta(days=7), None,
    ]  # fmt: skip


def test_a_won_and_a_lost_stage_are_implicit():
    [pipeline] = read_pipelines([{"id": 1}], [stage(1)]).pipelines
    assert pipeline.outcome("won") is Outcome.WON
    assert pipeline.outcome("lost") is Outcome.LOST
    assert (pipeline.name, pipeline.stages[0].name) == ("Pipeline 1", "S1")


def test_a_stage_without_a_name_or_number_is_kept():
    [only] = stages_of({"id": 4, "pipeline_id": 1})
    assert only.name == "Stage 4"


def test_stages_of_a_pipeline_that_is_not_given_make_one():
    found = read_pipelines([], [stage(1, pipeline_name="Partners")])
    assert [(each.key, each.name) for each in found.pipelines] == [("1", "Partners")]
    assert (found.used, found.refused, found.histories) == (1, 0, ())


def test_pipelines_go_by_their_number():
    rows = [{"id": 1, "order_nr": 2}, {"id": 2, "order_nr": 1}]
    found = read_pipelines(rows, [stage(1), {"id": 2, "pipeline_id": 2}])
    assert [each.key for each in found.pipelines] == ["2", "1"]


def test_rows_of_pipelines_that_cannot_be_used_are_refused():
    found = read_pipelines(
        [{"id": 1}, {"id": 1}, {"id": 2}, {}, None],
        [stage(1), stage(1), stage("won"), {"id": 3}, stage(2, deal_probability=140), "x"],
    )
    assert (found.used, found.refused) == (3, 8)
    assert found.incomplete == ("1", "2", "won", "3")
    assert problems(found) == [
        ("pipelines", 2, "id", True),
        ("pipelines", 3, None, True),
        ("pipelines", 4, "id", True),
        ("pipelines", 5, None, True),
        ("stages", 2, "id", True),
        ("stages", 3, "id", True),
        ("stages", 4, "pipeline_id", True),
        ("stages", 5, "deal_probability", False),
        ("stages", 6, None, True),
    ]


# Deals without a log


def test_a_deal_that_never_moved_stands_where_it_was_created():
    history = read(deal(stage_change_time=None), created=False)
    [visit] = history.visits(LATER)
    assert (visit.state, visit.entered, visit.entry_known) == ("8", at(2, 9), True)
    assert history.latest.amount == Money(1200, "EUR")
    assert history.events[0].system == "pipedrive"


def test_a_deal_that_moved_entered_its_stage_when_pipedrive_says_and_began_unknown():
    history = read(deal(stage_change_time="2026-03-05 10:00:00"), created=False)
    first, second = history.visits(LATER)
    assert (first.state, first.entry_known) == ("7", False)
    assert (second.state, second.entered, second.entry_known) == ("8", at(5), True)


def test_a_deal_that_came_back_to_the_first_stage_has_an_unknown_entry():
    history = read(deal(stage_id=7, stage_change_time="2026-03-05 10:00:00"), created=False)
    [visit] = history.visits(LATER)
    assert (visit.state, visit.entry_known) == ("7", False)
    assert history.events[0].observed_from == at(5)


def test_a_stage_of_no_known_pipeline_is_kept_and_open():
    history = read(deal(stage_change_time="2026-03-05 10:00:00"), created=False, pipelines=())
    assert (history.latest.stage, history.latest.outcome) == ("8", Outcome.OPEN)
    assert history.events[0].observed_from == at(5)


def test_a_deal_is_lost_in_a_stage_with_its_reason_and_amount():
    row = deal(
        status="lost", lost_time="2026-03-20 10:00:00", lost_reason="price", close_time=ADDED
    )
    history = read(row, created=False)
    opened, lost = history.events[0], history.events[-1]
    assert opened.amount is None
    assert isinstance(lost, Lost)
    assert (lost.stage_left, lost.stage, lost.reason) == ("8", "lost", "price")
    assert (lost.at, lost.amount) == (at(20), Money(1200, "EUR"))
    assert history.latest.closed_from == "8"


def test_a_lost_deal_has_a_closing_date_as_in_frappe_it_has_not():
    history = read(deal(status="lost", lost_time="2026-03-20 10:00:00"), created=False)
    assert history.latest.closed_at - history.latest.opened_at == timedelta(days=18, hours=1)
    rate = outcomes.win_rate_closed([history], as_of=LATER)
    assert (rate.numerator, rate.denominator) == (0, 1)


def test_a_deal_is_won_at_its_closing_time_where_no_other_is_said():
    history = read(
        deal(status="won", close_time="2026-03-20T10:00:00Z"), created=False, pipelines=()
    )
    assert isinstance(history.events[-1], Won)
    assert (history.latest.stage, history.latest.closed_at) == ("won", at(20))
    assert history.latest.outcome is Outcome.WON


def test_a_closed_deal_without_any_closing_time_is_refused():
    found = read_deals([deal(status="won")])
    assert problems(found) == [("deals", 1, "status", True)]
    assert found.incomplete == ("5",)


def test_a_deleted_deal_is_deleted_at_its_last_update():
    row = deal(status="deleted", update_time="2026-03-21 10:00:00")
    history = read(row, created=False)
    assert kinds(history) == [Opened, Deleted]
    assert history.as_of(at(20)).outcome is Outcome.OPEN
    assert history.latest is None


def test_a_deal_deleted_after_its_close_was_closed_before():
    row = deal(
        status="deleted", won_time="2026-03-10 10:00:00", lost_time="2026-03-11 10:00:00",
        delete_time="2026-03-21 10:00:00",
    )  # fmt: skip
    history = read(row, created=False)
    assert kinds(history) == [Opened, FieldSet, Lost, Deleted]
    assert history.as_of(at(20)).outcome is Outcome.LOST
    assert history.events[-1].at == at(21)


@pytest.mark.parametrize("flag", [{"is_deleted": True}, {"deleted": True}])
def test_version_2_keeps_the_status_of_a_deleted_deal(flag):
    row = deal(status="won", won_time="2026-03-10 10:00:00", update_time="2026-03-21 10:00:00")
    assert kinds(read(row | flag, created=False))[-1] is Deleted


def test_a_deleted_deal_of_which_nothing_says_when_is_refused():
    assert problems(read_deals([deal(status="deleted")])) == [("deals", 1, "status", True)]


def test_an_earlier_win_is_kept_at_its_instant():
    row = deal(first_won_time="2026-03-10 10:00:00", stage_change_time=None)
    history = read(row, created=False)
    assert "first_won_time" not in history.as_of(at(9)).attributes
    assert history.latest.attributes["first_won_time"] == at(10)


def test_the_reason_of_a_loss_that_was_taken_back_is_kept():
    row = deal(lost_reason="price", update_time="2026-03-21 10:00:00")
    history = read(row, created=False)
    assert history.latest.reason is None
    assert history.latest.attributes["lost_reason"] == "price"
    assert "lost_reason" not in history.as_of(at(20)).attributes
    undated = read(deal(lost_reason="price"), created=False)
    assert undated.latest.attributes["lost_reason"] == "price"


def test_a_deal_without_a_beginning_was_there_by_its_first_instant():
    row = deal(add_time=None, update_time="2026-03-21 10:00:00")
    opened = read(row, created=False).events[0]
    assert (opened.start, opened.at) == (Start.BY_THEN, at(21))
    assert problems(read_deals([deal(add_time="")])) == [("deals", 1, "add_time", True)]


def test_fields_are_read_as_both_versions_write_them():
    v1 = deal(
        title="Roof", org_id={"name": "Acme", "value": 3}, person_id={"name": "Ada", "value": 77},
        user_id={"id": 9, "value": 9, "name": "Bob"}, expected_close_date="2026-04-01",
        probability=60,
    )  # fmt: skip
    v2 = deal(
        title="Roof", org_id=3, person_id=77, owner_id=9, expected_close_date="2026-04-01",
        probability=60.0,
    )  # fmt: skip
    for row in (v1, v2):
        found = read(row, created=False).latest
        assert (found.title, found.account, found.contacts, found.owner) == (
            "Roof", "3", ("77",), "9",
        )  # fmt: skip
        assert found.expected_close == date(2026, 4, 1)
        assert found.probability.value == Decimal("0.6")
        assert found.probability.basis is ProbabilityBasis.STICKY
    attributes = read(v1, created=False).latest.attributes
    assert attributes["org_id.name"] == "Acme"
    assert attributes["user_id.name"] == "Bob"
    assert "org_id.value" not in attributes


def test_custom_fields_keep_their_40_hex_digits_in_both_versions():
    v1 = read(deal(**{HASH: "gold", f"{HASH}_until": 3}), created=False).latest.attributes
    v2 = read(deal(custom_fields={HASH: {"value": 3, "currency": "EUR"}}), created=False)
    assert (v1[HASH], v1[f"{HASH}_until"]) == ("gold", 3)
    assert v2.latest.attributes[f"{HASH}.value"] == 3
    lists = read(deal(label_ids=[1, 2], tags=[], more=[{"x": 1}, None]), created=False)
    assert dict(lists.latest.attributes) == {"label_ids": (1, 2), "more[0].x": 1}


def test_what_is_nested_without_end_is_a_problem_and_left_absent():
    deep = "bottom"
    for _ in range(40):
        deep = {"x": deep}
    found = read_deals([deal(deep=deep)])
    [problem] = found.problems
    assert problem.column.startswith("deep.x.x")
    assert found.used == 1


def test_names_that_are_no_text_are_kept_as_they_show():
    found = read_deals([deal() | {7: 1, "more": {8: 2}}])
    assert dict(found.histories[0].latest.attributes) == {"7": 1, "more.8": 2}


def test_a_currency_comes_from_the_row_else_from_the_caller():
    assert read(deal(currency=None), created=False, currency="USD").latest.amount == Money(
        1200, "USD"
    )
    found = read_deals([deal(currency=None)])
    assert problems(found) == [("deals", 1, "value", False)]
    assert found.histories[0].latest.amount is None
    with pytest.raises(InvalidValueError):
        read_deals([], currency="euro")


def test_an_amount_that_a_currency_cannot_pay_is_a_problem():
    assert problems(read_deals([deal(value=12.345)])) == [("deals", 1, "value", False)]
    assert read(deal(value=0.1), created=False).latest.amount == Money("0.10", "EUR")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", None), ("id", []), ("status", None), ("status", "closed"), ("stage_id", None),
        ("stage_id", {}), ("pipeline_id", True), ("add_time", "soon"), ("stage_change_time", 5),
        ("won_time", "soon"),
    ],
)  # fmt: skip
def test_a_deal_whose_id_state_or_instant_cannot_be_read_is_refused(member, value):
    found = read_deals([deal(**{member: value}), deal(id=6)])
    assert (found.used, found.refused) == (1, 1)
    assert problems(found) == [("deals", 1, member, True)]


def test_a_deal_is_in_the_pipeline_of_its_stage_where_the_row_says_none():
    assert read(deal(pipeline_id=None), created=False).latest.pipeline == "1"
    assert problems(read_deals([deal(pipeline_id=None)])) == [("deals", 1, "pipeline_id", True)]
    twice = [SALES, Pipeline("2", [Stage("8")])]
    assert read_deals([deal(pipeline_id=None)], pipelines=twice).refused == 1


def test_cells_that_cannot_be_read_are_left_absent():
    row = deal(
        probability=140, expected_close_date="soon", org_id=[], title=1.5, update_time="soon",
        odd=float("inf"),
    )  # fmt: skip
    found = read_deals([row])
    assert [each.column for each in found.problems] == [
        "title", "org_id", "expected_close_date", "probability", "update_time", "odd",
    ]  # fmt: skip
    assert not any(each.refused for each in found.problems)


def test_a_second_row_of_a_deal_is_refused():
    found = read_deals([deal(), deal()], flow={5: [CREATED]})
    assert (found.used, found.refused, found.incomplete) == (2, 1, ("5",))


# Deals with a log


def test_a_log_rebuilds_a_deal_from_the_old_values():
    history = read(
        deal(title="Roof", value=1200, **{HASH: "gold"}),
        change(9, "2026-03-09 10:00:00", "title", "Rof", "Roof"),
        change(8, "2026-03-08 10:00:00", HASH, "tin", "gold"),
        change(7, "2026-03-07 10:00:00", "value", "100", "1200"),
        change(6, "2026-03-06 10:00:00", "user_id", "4", "9"),
        change(5, "2026-03-05 10:00:00", "stage_id", "7", "8"),
    )
    opened = history.events[0]
    assert (opened.stage, opened.title, opened.amount) == ("7", "Rof", Money(100, "EUR"))
    assert opened.attributes[HASH] == "tin"
    assert (opened.by, opened.role, opened.observed_from) == ("9", "app", None)
    assert kinds(history) == [Opened, Moved, OwnerChanged, AmountChanged, FieldSet, FieldSet]
    assert [event.identity[1] for event in history.events[1:]] == ["5", "6", "7", "8", "9"]
    assert all(visit.entry_known for visit in history.visits(LATER))


def test_a_reopened_deal_has_no_closing_date_as_in_krayin_and_not_as_in_hubspot():
    history = read(
        deal(),
        change(9, "2026-03-20 10:00:00", "status", "lost", "open"),
        change(8, "2026-03-10 10:00:00", "lost_reason", None, "price"),
        change(7, "2026-03-10 10:00:00", "status", "open", "lost"),
    )
    assert kinds(history) == [Opened, Lost, Reopened]
    assert history.as_of(at(15)).closed_at == at(10)
    assert history.as_of(at(15)).reason == "price"
    assert history.latest.closed_at is None
    assert history.latest.stage == "8"
    assert history.events[-1].stage_left == "lost"


def test_a_stage_that_changes_while_a_deal_is_closed_is_where_it_reopens():
    history = read(
        deal(),
        change(9, "2026-03-20 10:00:00", "status", "won", "open"),
        change(8, "2026-03-15 10:00:00", "stage_id", "7", "8"),
        change(7, "2026-03-10 10:00:00", "status", "open", "won"),
    )
    assert kinds(history) == [Opened, Won, FieldSet, Reopened, FieldSet]
    assert history.as_of(at(16)).stage == "won"
    assert history.as_of(at(16)).attributes["stage_id"] == "8"
    assert history.latest.stage == "8"
    assert history.latest.attributes.get("stage_id") is None


def test_stage_and_pipeline_that_change_together_are_one_move():
    other = Pipeline("2", [Stage("20")])
    history = read(
        deal(stage_id=20, pipeline_id=2),
        change(9, "2026-03-09 10:00:00", "stage_id", "8", "20"),
        change(8, "2026-03-09 10:00:00", "pipeline_id", "1", "2"),
        pipelines=[SALES, other],
    )
    [_, moved] = history.events
    assert (moved.pipeline_left, moved.stage_left) == ("1", "8")
    assert (moved.pipeline, moved.stage, moved.original_id) == ("2", "20", "9")


def test_a_pipeline_that_changes_alone_is_a_move_too():
    history = read(
        deal(pipeline_id=2),
        change(9, "2026-03-09 10:00:00", "pipeline_id", "1", "2"),
        pipelines=(),
    )
    assert (history.events[1].pipeline_left, history.events[1].pipeline) == ("1", "2")


def test_a_stage_of_another_pipeline_takes_the_deal_there():
    other = Pipeline("2", [Stage("20")])
    history = read(
        deal(stage_id=20, pipeline_id=2),
        change(9, "2026-03-09 10:00:00", "stage_id", "8", "20"),
        pipelines=[SALES, other],
    )
    assert [event.pipeline for event in history.events] == ["1", "2"]


def test_a_value_and_a_currency_that_change_together_are_one_amount():
    history = read(
        deal(value=90, currency="USD", title="Roof"),
        change(9, "2026-03-09 10:00:00", "currency", "EUR", "USD"),
        change(8, "2026-03-09 10:00:00", "value", "100", "90"),
        change(7, "2026-03-08 10:00:00", "title", None, "Roof"),
    )
    assert history.events[0].amount == Money(100, "EUR")
    assert [each.amount for each in history.events if isinstance(each, AmountChanged)] == [
        Money(90, "USD")
    ]


def test_the_amount_that_changes_with_the_close_is_the_final_one():
    history = read(
        deal(status="won"),
        change(9, "2026-03-09 10:00:00", "value", "100", "1200"),
        change(8, "2026-03-09 10:00:00", "status", "open", "won"),
    )
    assert kinds(history) == [Opened, Won]
    assert history.events[-1].amount == Money(1200, "EUR")


def test_a_log_that_does_not_reach_back_says_from_when_it_is_complete():
    history = read(
        deal(),
        change(9, "2026-03-09 10:00:00", "title", "Rof", None),
        change(5, "2026-03-05 10:00:00", "stage_id", "7", "8"),
        created=False,
    )
    opened = history.events[0]
    assert (opened.at, opened.start, opened.observed_from) == (at(2, 9), Start.EXACT, at(5))
    assert history.visits(LATER)[0].entry_known is False


def test_a_deal_without_a_beginning_takes_that_of_its_log():
    assert read(deal(add_time=None)).events[0].at == at(2, 9)
    history = read(
        deal(add_time=None), change(9, "2026-03-09 10:00:00", "title", "x", None), created=False
    )
    assert (history.events[0].start, history.events[0].at) == (Start.BY_THEN, at(9))


def test_what_the_row_says_and_the_log_does_not_is_added_when_the_row_says():
    history = read(
        deal(
            status="won", won_time="2026-03-20 10:00:00", stage_change_time="2026-03-12 10:00:00",
            update_time="2026-03-21 10:00:00", title="New", probability=80, lost_reason=None,
        ),
        change(9, "2026-03-06 10:00:00", "title", "Old", "Newer"),
        change(8, "2026-03-06 10:00:00", "probability", "10", "20"),
        change(7, "2026-03-05 10:00:00", "stage_id", "8", "7"),
    )  # fmt: skip
    placed = [each for each in history.events if hasattr(each, "stage_left")]
    assert [(type(each), each.stage, each.at) for each in placed] == [
        (Moved, "7", at(5)), (Moved, "8", at(12)), (Won, "won", at(20)),
    ]  # fmt: skip
    assert history.as_of(at(20)).title == "Newer"
    assert history.latest.title == "New"
    assert history.latest.probability.value == Decimal("0.8")
    bases = {each.basis for each in history.events if isinstance(each, ProbabilitySet)}
    assert bases == {ProbabilityBasis.STICKY}


def test_a_log_that_ends_otherwise_stands_where_nothing_says_when_it_changed():
    found = read_deals(
        [deal(title="New")],
        flow={5: [change(9, "2026-03-06 10:00:00", "title", "Old", "Newer"), CREATED]},
    )
    assert problems(found) == [("deals", 1, "title", False)]
    assert found.histories[0].latest.title == "Newer"


def test_a_deal_reopened_after_its_log_ends_is_open_at_the_last_update():
    history = read(
        deal(update_time="2026-03-21 10:00:00"),
        change(9, "2026-03-10 10:00:00", "status", "open", "lost"),
    )
    assert kinds(history)[:3] == [Opened, Lost, Reopened]
    assert history.latest.stage_since == at(21)


def test_first_rows_from_nothing_say_how_a_deal_began():
    history = read(
        deal(status="won", update_time="2026-03-05 10:00:00"),
        change(6, "2026-03-05 10:00:00", "stage_id", "7", "8"),
        change(5, "2026-03-05 10:00:00", "pipeline_id", "2", "1"),
        change(4, ADDED, "status", None, "won"),
        change(3, ADDED, "stage_id", None, "7"),
        change(2, ADDED, "pipeline_id", None, "2"),
        pipelines=(),
    )
    opened = history.events[0]
    assert (opened.pipeline, opened.stage, opened.outcome) == ("2", "won", Outcome.WON)


def test_a_deletion_in_the_log_is_one_and_a_restored_deal_is_not_deleted():
    rows = [
        change(9, "2026-03-10 10:00:00", "status", "open", "deleted"),
        change(8, "2026-03-08 10:00:00", "status", "deleted", "open"),
        change(7, "2026-03-07 10:00:00", "status", "open", "deleted"),
    ]
    gone = read(deal(status="deleted"), *rows)
    assert kinds(gone) == [Opened, FieldSet, FieldSet, Deleted]
    assert gone.events[-1].identity == ("pipedrive", "9")
    back = read(deal(), *rows[1:])
    assert back.latest.attributes["status"] == "open"


def test_contacts_come_and_go():
    history = read(
        deal(person_id=78),
        change(9, "2026-03-09 10:00:00", "person_id", None, "78"),
        change(8, "2026-03-08 10:00:00", "person_id", "77", None),
        change(7, "2026-03-07 10:00:00", "person_id", "76", "77"),
    )
    assert kinds(history)[1:] == [ContactLinked, ContactUnlinked, ContactUnlinked, ContactLinked]
    assert history.events[0].contacts == ("76",)
    assert history.latest.contacts == ("78",)
    assert [event.original_id for event in history.events[1:]] == ["7", "7/left", "8", "9"]


def test_other_fields_change_as_attributes_leaf_by_leaf():
    history = read(
        deal(**{HASH: {"a": 2, "b": 3}}),
        change(9, "2026-03-09 10:00:00", HASH, {"a": 1}, {"a": "2", "b": 3}),
        change(8, "2026-03-08 10:00:00", "lost_reason", None, "price"),
        change(7, "2026-03-07 10:00:00", "won_time", None, None),
        change(6, "2026-03-06 10:00:00", "add_time", ADDED, "2026-03-01 09:00:00"),
    )
    assert history.events[0].attributes[f"{HASH}.a"] == 1
    assert history.latest.attributes[f"{HASH}.a"] == "2"
    assert history.latest.attributes[f"{HASH}.b"] == 3
    assert history.latest.attributes["lost_reason"] == "price"
    assert history.latest.attributes["add_time"] == "2026-03-01 09:00:00"
    ids = [event.original_id for event in history.events[1:]]
    assert ids == ["6", "8", f"9/{HASH}.a", f"9/{HASH}.b"]


def test_the_log_of_changes_of_the_newer_interface_is_read_too():
    rows = [
        {"field_key": "status", "old_value": "open", "new_value": "lost", "actor_user_id": 9,
         "time": "2026-03-20T10:00:00Z", "change_source": "api"},
        {"field_key": "title", "old_value": "b", "new_value": "c", "time": "2026-03-05T10:00:00Z"},
        {"field_key": "title", "old_value": "a", "new_value": "b", "time": "2026-03-05T10:00:00Z"},
    ]  # fmt: skip
    found = read_deals(
        [deal(status="lost", title="c")], flow={"5": {"success": True, "data": rows}},
        pipelines=[SALES],
    )  # fmt: skip
    [history] = found.histories
    assert found.problems == ()
    lost = history.events[-1]
    assert (lost.by, lost.role, lost.at) == ("9", "api", at(20))
    assert [event.original_id for event in history.events[1:]] == [
        "5/title/2026-03-05T10:00:00+00:00",
        "5/title/2026-03-05T10:00:00+00:00#2",
        "5/status/2026-03-20T10:00:00+00:00",
    ]
    assert [each.value for each in history.events if isinstance(each, FieldSet)] == ["b", "c"]


def test_what_happens_beside_changes_becomes_activities_and_next_steps():
    history = read(
        deal(),
        happening("note", user_id=9),
        happening("mailMessage", sent_flag=1),
        happening("file", "2026-03-06 10:00:00"),
        happening(
            "activity", type="call", done=True, marked_as_done_time="2026-03-07 10:00:00",
            assigned_to_user_id=4,
        ),
        happening(
            "activity", id=4, type="call", done=False, subject="ring", due_date="2026-04-01",
            add_time="2026-03-08 10:00:00",
        ),
        happening("activity", id=None, done=False),
    )  # fmt: skip
    done = [each for each in history.events if isinstance(each, ActivityRecorded)]
    assert {(each.kind, each.direction, each.original_id) for each in done} == {
        ("note", None, "note/3"), ("email", Direction.OUTBOUND, "mailMessage/3"),
        ("file", None, "file/3"), ("call", None, "activity/3"),
    }  # fmt: skip
    steps = [each for each in history.events if isinstance(each, NextStepPlanned)]
    assert {(each.what, each.due) for each in steps} == {
        ("ring", date(2026, 4, 1)), ("activity", None),
    }  # fmt: skip
    assert next(each for each in done if each.kind == "call").by == "4"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (change(9, "2026-03-09 10:00:00", "stage_id", "7", None), "data.new_value"),
        (change(9, "2026-03-09 10:00:00", "status", "open", "closed"), "data.new_value"),
        (change(9, "2026-03-09 10:00:00", None, "7", "8"), "data.field_key"),
        (change(9, "soon", "title", "7", "8"), "data.log_time"),
        (change(9, "2026-03-09 10:00:00", "title", "7", "8", item_id=6), "data.item_id"),
        ({"object": "dealChange", "timestamp": ADDED, "data": None}, "data"),
        ({"object": None, "timestamp": ADDED, "data": {}}, "data"),
        ({"object": "note", "data": {"id": 3}}, "timestamp"),
        (CREATED, None),
        ("no row", None),
    ],
)
def test_a_row_of_a_log_that_cannot_be_read_is_refused_and_its_deal_incomplete(row, column):
    found = read_deals([deal()], flow={5: [CREATED, row]})
    assert problems(found) == [("flow[5]", 2, column, True)]
    assert (found.used, found.refused) == (2, 1)
    assert found.incomplete == (() if row == "no row" else ("5",))


def test_a_changed_cell_that_cannot_be_read_is_left_absent():
    rows = [
        change(9, "2026-03-09 10:00:00", "value", "100", "12.345"),
        change(8, "2026-03-08 10:00:00", "probability", "140", "50"),
        CREATED,
    ]
    found = read_deals(
        [deal(value=12.345, probability=50, update_time="2026-03-10 10:00:00")], flow={5: rows}
    )
    assert problems(found) == [
        ("flow[5]", 1, "data.new_value", False), ("flow[5]", 2, "data.old_value", False),
    ]  # fmt: skip
    assert found.histories[0].latest.amount is None


def test_rows_of_deals_that_are_not_read_are_refused():
    found = read_deals(
        [deal(status=None)], flow={5: [CREATED], 6: {"data": [CREATED]}, 7: {"data": None}}
    )
    assert (found.used, found.refused) == (0, 3)
    assert found.incomplete == ("5", "6")


# Items of /recents and responses


def test_responses_and_items_of_recents_are_read_as_they_are():
    items = [
        {"item": "deal", "id": 5, "data": deal()},
        {"item": "deal", "id": 6, "data": None},
        {"item": "person", "id": 7, "data": {}},
    ]
    found = read_deals({"success": True, "data": items})
    assert problems(found) == [("deals", 2, "data", True), ("deals", 3, "item", True)]
    assert (found.used, found.incomplete) == (1, ("6",))
    assert read_deals({"success": True, "data": None}).used == 0


def test_what_is_no_answer_is_refused_as_a_whole():
    for read_any in (read_deals, read_contacts, lambda given: read_pipelines(given, [])):
        for given in (None, 5, "text", {"success": False, "error": "unauthorized"}):
            with pytest.raises(WrongTypeError):
                read_any(given)
    with pytest.raises(WrongTypeError):
        read_deals([], flow=[CREATED])
    with pytest.raises(WrongTypeError):
        read_deals([], flow={None: []})
    with pytest.raises(WrongTypeError):
        read_deals([deal()], flow={5: 7})
    with pytest.raises(WrongTypeError):
        read_deals([], pipelines=["1"])
    with pytest.raises(InvalidValueError):
        read_deals([], flow={5: [], "5": []})


@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: type(value).__name__)
def test_strange_cells_end_in_problems(strange):
    for member in deal(title=1, org_id=1, lost_time=1, custom_fields=1, other=1):
        found = read_deals([deal(**{member: strange})], flow={})
        assert found.used + found.refused == 1
    for member in ("field_key", "old_value", "new_value", "log_time", "id", "user_id"):
        row = change(9, ADDED, "stage_id", "7", "8", **{member: strange})
        found = read_deals([deal()], flow={5: [row]})
        assert found.used + found.refused == 2
    for given in (strange, [strange]):
        try:
            read_contacts(given)
        except SalesPipelineError as error:
            said = str(error)
        else:
            said = "read"
        assert said


# Persons


def person(**members):
    return {"id": 532, "name": "Ada L", "add_time": "2026-03-02 09:00:00", **members}


def contact_of(**members):
    found = read_contacts([person(**members)])
    assert found.problems == ()
    return found.histories[0]


def test_a_person_is_a_contact_without_a_lifecycle():
    history = contact_of(org_name="Acme", org_id=3, owner_id={"id": 9, "value": 9}, label=4)
    contact = history.latest
    assert (contact.name, contact.company, contact.account, contact.owner) == (
        "Ada L", "Acme", "3", "9",
    )  # fmt: skip
    assert (contact.lifecycle_stage, contact.lead_status) == (None, None)
    assert contact.attributes["label"] == 4
    assert contact.created_at == at(2, 9)


@pytest.mark.parametrize("name", ["email", "emails"])
def test_the_primary_address_is_the_contacts_else_the_first(name):
    work, home = {"value": "w@x.y", "primary": False}, {"value": "h@x.y", "primary": True}
    assert contact_of(**{name: [work, home]}).latest.email == "h@x.y"
    assert contact_of(**{name: [work, home]}).latest.attributes[f"{name}[0].value"] == "w@x.y"
    assert contact_of(**{name: [work]}).latest.email == "w@x.y"
    assert contact_of(**{name: [{"value": "", "primary": True}, 5]}).latest.email is None
    assert contact_of(**{name: "w@x.y"}).latest.email == "w@x.y"


def test_a_person_who_unsubscribed_has_opted_out():
    history = contact_of(marketing_status="unsubscribed")
    assert isinstance(history.events[1], OptedOut)
    assert history.latest.opted_out
    assert history.latest.attributes["marketing_status"] == "unsubscribed"
    assert not contact_of(marketing_status="subscribed").latest.opted_out


def test_the_last_update_of_a_person_is_known_when_it_was():
    history = contact_of(update_time="2026-03-05 10:00:00")
    assert history.latest.attributes["update_time"] == at(5)
    assert "update_time" not in history.as_of(at(4)).attributes


@pytest.mark.parametrize(
    "members",
    [
        {"delete_time": "2026-03-05 10:00:00"},
        {"active_flag": False, "update_time": "2026-03-05 10:00:00"},
        {"is_deleted": True, "update_time": "2026-03-05 10:00:00"},
    ],
)
def test_a_deleted_person_is_deleted(members):
    history = contact_of(**members)
    assert history.latest is None
    assert isinstance(history.events[-1], Deleted)
    assert history.events[-1].at == at(5)


def test_persons_that_cannot_be_read_are_refused():
    found = read_contacts([
        person(), person(), person(id=2, add_time=None), person(id=3, active_flag=False),
        person(id=4, add_time=None, update_time="2026-03-05 10:00:00"),
        {"item": "deal", "id": 5, "data": {}},
    ])  # fmt: skip
    assert problems(found) == [
        ("persons", 2, "id", True), ("persons", 3, "add_time", True),
        ("persons", 4, "active_flag", True), ("persons", 6, "item", True),
    ]  # fmt: skip
    assert found.histories[1].events[0].start is Start.BY_THEN
    assert found.incomplete == ("532", "2", "3")


def test_events_never_share_an_id_whatever_the_log_says():
    odd = {"field_key": "add_time", "old_value": "x", "new_value": ADDED, "time": ADDED}
    found = read_deals([deal()], flow={5: [odd, {**odd, "old_value": "y", "new_value": "z"}]})
    ids = [event.original_id for event in found.histories[0].events]
    assert len(set(ids)) == len(ids) == 3
    assert all(each.startswith(ids[0]) for each in ids)


def test_a_reference_that_holds_nothing_is_none():
    for empty in ({"value": ""}, {"id": None}, {}):
        found = read_pipelines([], [{"id": 1, "pipeline_id": empty}])
        assert problems(found) == [("stages", 1, "pipeline_id", True)]
