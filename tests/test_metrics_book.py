"""The book of open deals: their weighted value, their due dates, and what they cover."""

from datetime import UTC, date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, UnknownKeyError
from salespipeline.events import (
    ActivityRecorded,
    CloseDateChanged,
    ForecastCategory,
    ForecastCategorySet,
    NextStepDone,
    NextStepPlanned,
    ProbabilityBasis,
    ProbabilitySet,
)
from salespipeline.metrics.book_value import (
    DEAL_FIRST,
    MODEL_FIRST,
    STAGE_ONLY,
    WhenDue,
    pipeline_by_due_date,
    weighted_value,
)
from salespipeline.metrics.coverage import pipeline_coverage
from salespipeline.money import Money
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.tallies import standings
from salespipeline.tallies._book import book
from stories import BY_THEN, day, deal, euros, given_to, lost, moved, reopened, won

BOARD = Pipeline(
    "board",
    [Stage("talk", probability="0.1"), Stage("offer", probability="0.5"), Stage("hold")],
    former={"call": "talk"},
)
STAGE, UNTIL_MOVE, STICKY, MODEL = ProbabilityBasis
MARCH = Period.month(2026, 3)


def chance(at, probability, basis=ProbabilityBasis.STICKY):
    value = None if probability is None else Decimal(probability)
    return at, ProbabilitySet, {"probability": value, "basis": basis}


def due(at, *numbers):
    return at, CloseDateChanged, {"expected_close": date(*numbers) if numbers else None}


def active(at):
    return at, ActivityRecorded, {"kind": "call"}


def row_of(*steps, as_of=20, by=None, zone=UTC, resolution=None, **facts):
    """The one row of the book of one deal."""
    tally = book(
        [deal(0, *steps, **facts)], as_of=day(as_of), by=by, zone=zone, resolution=resolution
    )
    [(row, count)] = tally.rows.items()
    assert count.n == 1
    return row


# The book


def test_the_book_holds_open_deals_alone():
    histories = [deal(0), deal(0, won(4, 100)), deal(0, lost(5)), deal(0, won(4), reopened(6))]
    assert book(histories, as_of=day(9)).n == 2
    assert book(histories, as_of=day(3)).n == 4
    assert book([], as_of=day(9)).rows == {}
    assert book([deal(5)], as_of=day(4)).n == 0


def test_a_row_says_where_a_deal_is_and_what_it_is_worth():
    row = row_of(moved(5, "offer"), amount=euros(7), owner="ada", record="d-9")
    assert (row.record, row.stage, row.owner) == ("d-9", ("board", "offer"), "ada")
    assert (row.currency, row.minor) == ("EUR", 700)
    assert (row_of().currency, row_of().minor) == (None, None)


def test_a_row_says_how_old_a_deal_is_and_how_long_in_its_stage():
    row = row_of(moved(5, "offer"), moved(9, "talk"), moved(12, "talk"))
    assert (row.age, row.stage_age) == (20, 11)


def test_an_age_that_is_only_known_by_then_is_none():
    assert (row_of(start=BY_THEN).age, row_of(start=BY_THEN).stage_age) == (None, None)
    later = row_of(moved(5, "offer"), start=BY_THEN)
    assert (later.age, later.stage_age) == (None, 15)
    observed = row_of(observed_from=day(3))
    assert (observed.age, observed.stage_age) == (20, None)


def test_ages_are_days_of_a_zone_or_units_of_elapsed_time():
    late = 0.99  # 23:45 in UTC, the next day in Berlin
    [row] = book([deal(late)], as_of=day(2), zone=ZoneInfo("Europe/Berlin")).rows
    assert (row.age, row.stage_age, row.since_change) == (1, 1, 1)
    [row] = book([deal(late)], as_of=day(2)).rows
    assert row.age == 2
    [row] = book([deal(late)], as_of=day(2), resolution=timedelta(hours=1)).rows
    assert row.age == 24


def test_a_touch_is_an_activity_or_a_change():
    row = row_of(active(3), moved(5, "offer"), active(9), active(8))
    assert (row.since_activity, row.since_change) == (11, 15)
    assert (row_of().since_activity, row_of().since_change) == (None, 20)


def test_a_next_step_is_planned_until_it_is_done():
    planned = (2, NextStepPlanned, {"what": "call", "due": date(2026, 2, 1)})
    row = row_of(planned)
    assert (row.next_planned, row.next_due) == (True, date(2026, 2, 1))
    row = row_of(planned, (4, NextStepDone, {}))
    assert (row.next_planned, row.next_due) == (False, None)
    assert row_of((2, NextStepPlanned, {"what": "call"}))[7:9] == (True, None)


def test_a_row_says_when_a_deal_is_due_and_in_which_category():
    commit = (3, ForecastCategorySet, {"category": ForecastCategory.COMMIT})
    row = row_of(due(2, 2026, 3, 1), commit)
    assert (row.expected_close, row.category) == (date(2026, 3, 1), ForecastCategory.COMMIT)
    assert (row_of().expected_close, row_of().category) == (None, None)


def test_a_probability_comes_with_its_basis_and_the_latest_of_each_stands():
    row = row_of(chance(2, "0.3", MODEL), chance(3, "0.6"), chance(4, "0.4", MODEL))
    assert (row.probability, row.basis) == (Decimal("0.4"), MODEL)
    assert row.probabilities == ((STICKY, Decimal("0.6")), (MODEL, Decimal("0.4")))
    assert row_of().probabilities == ()


def test_a_probability_until_the_next_move_ends_with_a_move_to_another_stage():
    steps = (chance(2, "0.3", MODEL), chance(3, "0.9", UNTIL_MOVE))
    stayed = row_of(*steps, moved(4, "talk"))
    assert stayed.probability == Decimal("0.9")
    assert stayed.probabilities == ((MODEL, Decimal("0.3")), (UNTIL_MOVE, Decimal("0.9")))
    row = row_of(*steps, moved(4, "offer"))
    assert row.probability is None
    assert row.probabilities == ((MODEL, Decimal("0.3")),)


def test_what_was_read_as_the_stages_own_ends_with_the_next_move():
    assert row_of(chance(2, "0.3", STAGE)).probabilities == ((STAGE, Decimal("0.3")),)
    assert row_of(chance(2, "0.3", STAGE), moved(4, "offer")).probabilities == ()


def test_a_probability_taken_back_leaves_none():
    assert row_of(chance(2, "0.3", MODEL), chance(3, None)).probabilities == ()


def test_the_book_is_grouped_by_a_field_as_of_the_instant():
    assert row_of(given_to(3, "bob"), owner="ada", by="owner").group == "bob"
    assert row_of(given_to(30, "bob"), owner="ada", by="owner").group == "ada"
    assert row_of(attributes={"team": "north"}, by="attributes.team").group == "north"
    with pytest.raises(UnknownKeyError):
        book([], as_of=day(1), by="colour")


def test_two_deals_of_one_id_that_say_the_same_are_both_counted():
    tally = book([deal(0, amount=euros(5))] * 2, as_of=day(1))
    assert (len(tally.rows), tally.n) == (1, 2)
    assert weighted_value(tally, policy=STAGE_ONLY, pipelines=[BOARD]).total().n == 2


# Weighted value


def weigh(*histories, policy=DEAL_FIRST, pipelines=(BOARD,)):
    return weighted_value(histories, as_of=day(20), policy=policy, pipelines=pipelines)


def test_the_weighted_value_is_each_amount_times_its_probability():
    worth = weigh(deal(0, amount=euros(1000)), deal(0, stage="offer", amount=euros(300)))
    total = worth.total()
    assert (total.n, total.amount, total.value) == (2, euros(1300), euros(250))
    assert total.exact == 250
    assert total.variance == 1000**2 * Fraction(9, 100) + 300**2 * Fraction(1, 4)
    assert float(total.standard_deviation.amount) == pytest.approx(sqrt(112_500), abs=0.005)


def test_sums_of_probabilities_are_exact_and_rounded_once():
    third = Pipeline("board", [Stage("talk", probability="0.333")])
    worth = weigh(*[deal(0, amount=Money("0.10", "EUR"))] * 3, pipelines=[third]).total()
    assert worth.exact == Fraction(999, 10_000)
    assert worth.value == Money("0.10", "EUR")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (DEAL_FIRST, "0.8"),
        (MODEL_FIRST, "0.4"),
        (STAGE_ONLY, "0.1"),
        ([UNTIL_MOVE, STICKY], "0.6"),
        (["stage", "model"], "0.1"),
        (["model", "stage"], "0.4"),
    ],
)
def test_the_policy_says_which_probability_wins(policy, expected):
    steps = (chance(2, "0.8"), chance(3, "0.6", UNTIL_MOVE), chance(4, "0.4", MODEL))
    worth = weigh(deal(0, *steps, amount=euros(1)), policy=policy)
    assert worth.total().exact == Fraction(expected)


def test_how_many_were_weighed_by_what_is_told():
    worth = weigh(
        deal(0, chance(2, "0.8"), amount=euros(1)),
        deal(0, chance(2, "0.8", MODEL), amount=euros(1)),
        deal(0, amount=euros(1)),
        deal(0, amount=euros(1)),
    )
    assert worth.by_basis == {STICKY: 1, UNTIL_MOVE: 0, MODEL: 1, STAGE: 2}
    assert (worth.n, worth.policy) == (4, DEAL_FIRST)


def test_a_deal_without_a_probability_is_left_out_and_not_taken_for_sure():
    """Pipedrive and Krayin take 100 % for a stage of which nobody said anything."""
    worth = weigh(
        deal(0, stage="hold", amount=euros(1000)),
        deal(0, stage="ghost", amount=euros(1000)),
        deal(0),
        deal(0, stage="offer", amount=euros(10)),
    )
    assert worth.total().value == euros(5)
    assert worth.left_out == {"no_probability": 2, "no_amount": 1}
    assert (worth.open.n, worth.open.total()) == (4, euros(2010))


def test_a_deal_whose_category_is_most_likely_is_weighed_too():
    """fivetran's dbt_salesforce drops it from the pipeline, as of status 'Other'."""
    likely = (1, ForecastCategorySet, {"category": ForecastCategory.BEST_CASE})
    assert weigh(deal(0, likely, stage="offer", amount=euros(10))).total().value == euros(5)


def test_an_edit_does_not_change_what_was_said_by_hand():
    """EspoCRM and Odoo compute it anew when a record is edited; here only a move may end it."""
    edited = deal(0, chance(2, "0.8"), given_to(3, "bob"), moved(4, "offer"), amount=euros(10))
    assert weigh(edited).total().value == euros(8)


def test_a_retired_stage_has_the_probability_of_its_successor():
    assert weigh(deal(0, stage="call", amount=euros(10))).total().value == euros(1)


def test_what_was_read_as_the_stages_own_counts_where_no_pipeline_states_one():
    history = deal(0, chance(2, "0.3", STAGE), amount=euros(10))
    assert weigh(history, policy=STAGE_ONLY, pipelines=()).total().value == euros(3)
    assert weigh(history, policy=STAGE_ONLY).total().value == euros(1)


def test_a_sure_deal_does_not_stray():
    worth = weigh(deal(0, chance(2, 1), amount=euros(10)), deal(0, chance(2, 0), amount=euros(9)))
    assert worth.total().standard_deviation == euros(0)
    assert worth.total().value == euros(10)


def test_the_weighted_value_of_several_currencies_needs_rates():
    worth = weigh(
        deal(0, stage="offer", amount=euros(10)),
        deal(0, stage="offer", amount=Money(100, "USD")),
        deal(0, stage="offer", amount=Money(1000, "JPY")),
    )
    assert {code: each.value for code, each in worth.by_currency.items()} == {
        "EUR": euros(5),
        "JPY": Money(500, "JPY"),
        "USD": Money(50, "USD"),
    }
    with pytest.raises(MixedCurrenciesError):
        worth.total()
    one = worth.total("EUR", {"USD": "0.5", "JPY": "0.01"})
    assert (one.n, one.amount, one.value) == (3, euros(70), euros(35))
    assert one.variance == Fraction(10**2 + 50**2 + 10**2, 4)


def test_the_weighted_value_of_nothing_has_no_total():
    worth = weigh()
    assert (worth.n, worth.total(), worth.total("EUR"), worth.by_currency) == (0, None, None, {})
    assert worth.to_dicts()[0]["currency"] is None


def test_the_weighted_value_by_owner_and_of_a_tally():
    histories = [deal(0, stage="offer", amount=euros(10), owner=who) for who in ("ada", "bob")]
    asked = {"policy": DEAL_FIRST, "pipelines": [BOARD]}
    groups = weighted_value(histories, as_of=day(1), by="owner", **asked)
    assert {who: each.total().value for who, each in groups.items()} == {
        "ada": euros(5),
        "bob": euros(5),
    }
    tally = book(histories, as_of=day(1))
    assert weighted_value(tally, **asked) == weighted_value(histories, as_of=day(1), **asked)
    with pytest.raises(InvalidValueError, match="this figure needs book"):
        weighted_value(standings(histories, as_of=day(1)), **asked)


def test_a_weighted_value_tells_its_sums_and_what_it_rests_on():
    worth = weigh(deal(0, stage="offer", amount=euros(10)))
    [row] = worth.to_dicts()
    assert (row["currency"], row["n"], row["amount"]) == ("EUR", 1, Decimal(10))
    assert (row["weighted"], row["standard_deviation"]) == (Decimal(5), Decimal(5))
    assert (row["by_stage"], row["by_sticky"], row["open"]) == (1, 0, 1)
    assert worth.row()["EUR"] == Decimal(5)
    assert "weighted" in str(worth)


def test_a_policy_names_each_kind_of_probability_once():
    with pytest.raises(InvalidValueError, match="names no kind"):
        weigh(policy=())
    with pytest.raises(InvalidValueError, match="stage occurs twice"):
        weigh(policy=("stage", "stage"))
    check_door(lambda value: weigh(policy=value))
    check_door(lambda value: weigh(policy=[value]))


# By due date


def by_due(*histories, **asked):
    return [
        (each.due, each.step, each.amounts.n)
        for each in pipeline_by_due_date(histories, as_of=day(45), **asked)
    ]


def test_open_deals_are_told_by_the_month_they_are_due_in():
    """Day 45 is 15 February 2026."""
    histories = [
        deal(0, expected_close=date(2026, 2, 14)),
        deal(0, expected_close=date(2026, 2, 15)),
        deal(0, expected_close=date(2026, 4, 30)),
        deal(0, expected_close=date(2026, 4, 1)),
        deal(0),
        deal(0, won(3), expected_close=date(2026, 4, 1)),
    ]
    february, april = Period.month(2026, 2), Period.month(2026, 4)
    assert by_due(*histories) == [
        (WhenDue.OVERDUE, None, 1),
        (WhenDue.DUE, february, 1),
        (WhenDue.DUE, april, 2),
        (WhenDue.UNDATED, None, 1),
    ]


def test_what_there_is_no_deal_of_is_not_told():
    assert by_due() == []
    assert by_due(deal(0)) == [(WhenDue.UNDATED, None, 1)]


def test_due_dates_go_by_fiscal_quarters_in_a_zone_if_asked():
    history = deal(0, expected_close=date(2026, 5, 31))
    berlin = ZoneInfo("Europe/Berlin")
    quarter = Period.quarter(2026, 1, first_month=3, zone=berlin)
    asked = {"unit": Unit.QUARTER, "first_month": 3, "zone": berlin}
    assert by_due(history, **asked) == [(WhenDue.DUE, quarter, 1)]
    assert by_due(history, unit="year") == [(WhenDue.DUE, Period.year(2026), 1)]


def test_a_month_may_be_weighed():
    history = deal(0, stage="offer", amount=euros(10), expected_close=date(2026, 3, 1))
    [month] = pipeline_by_due_date([history], as_of=day(1), policy=STAGE_ONLY, pipelines=[BOARD])
    assert (month.amounts.total(), month.weighted.total().value) == (euros(10), euros(5))
    row = month.to_dicts()[0]
    assert (row["due"], row["start"], row["weighted_EUR"]) == ("due", MARCH.start, Decimal(5))
    [plain] = pipeline_by_due_date([history], as_of=day(1))
    assert plain.weighted is None
    assert "weighted_EUR" not in plain.to_dicts()[0]


def test_due_dates_by_owner():
    histories = [deal(0, owner=who, expected_close=date(2026, 3, 1)) for who in ("ada", "bob")]
    groups = pipeline_by_due_date(histories, as_of=day(1), by="owner")
    assert {who: table[0].amounts.n for who, table in groups.items()} == {"ada": 1, "bob": 1}


def test_the_calendar_of_due_dates_is_checked_before_anything_is_counted():
    check_door(
        lambda value: pipeline_by_due_date([], as_of=day(1), unit=value),
    )
    check_door(
        lambda value: pipeline_by_due_date([], as_of=day(1), first_month=value),
        takes=lambda value: type(value) is int and value == 7,
    )


# Coverage


def cover(*histories, quota=1000, as_of=70, **asked):
    """As of 12 March 2026."""
    goal = euros(quota) if isinstance(quota, int) else quota
    return pipeline_coverage(histories, as_of=day(as_of), period=MARCH, quota=goal, **asked)


def in_march(*steps, **facts):
    return deal(0, *steps, expected_close=date(2026, 3, 20), **facts)


def test_coverage_is_the_pipeline_due_over_what_is_still_to_be_won():
    coverage = cover(
        in_march(amount=euros(900)),
        in_march(amount=euros(600)),
        deal(0, amount=euros(5000), expected_close=date(2026, 4, 1)),
        deal(0, amount=euros(5000)),
        deal(0, won(61, 400)),
        deal(0, won(40, 7000)),
    )
    assert (coverage.pipeline, coverage.won_so_far) == (euros(1500), euros(400))
    assert (coverage.remaining, coverage.value) == (euros(600), Fraction(5, 2))
    assert coverage.of_quota == Fraction(3, 2)
    assert coverage.left_out == {"undated": 1}
    assert (coverage.due.n, coverage.won.n, coverage.why_none) == (2, 1, None)


def test_a_quota_that_is_met_is_covered_by_no_number_and_says_so():
    for won_so_far in (1000, 1200):
        coverage = cover(in_march(amount=euros(900)), deal(0, won(61, won_so_far)))
        assert (coverage.value, coverage.why_none) == (None, "quota_met")
        assert coverage.of_quota == Fraction(9, 10)
    assert cover(quota=0).of_quota is None


def test_coverage_of_no_pipeline_is_nothing():
    coverage = cover()
    assert (coverage.value, coverage.of_quota, coverage.left_out) == (0, 0, {})


def test_overdue_deals_of_the_period_are_in_it_and_told_apart():
    late = deal(0, amount=euros(300), expected_close=date(2026, 3, 2))
    coverage = cover(late, in_march(amount=euros(200)))
    assert (coverage.due.total(), coverage.overdue.total()) == (euros(500), euros(300))


def test_the_ends_of_the_period_are_its_first_date_and_the_first_after_it():
    histories = [
        deal(0, amount=euros(1), expected_close=date(2026, 3, 1)),
        deal(0, amount=euros(2), expected_close=date(2026, 3, 31)),
        deal(0, amount=euros(4), expected_close=date(2026, 2, 28)),
        deal(0, amount=euros(8), expected_close=date(2026, 4, 1)),
    ]
    assert cover(*histories).pipeline == euros(3)
    berlin = ZoneInfo("Europe/Berlin")
    march = Period.month(2026, 3, zone=berlin)
    there = pipeline_coverage(histories, as_of=day(70), period=march, quota=euros(9), zone=berlin)
    assert there.pipeline == euros(3)
    midday = Period(day(59.5), day(90.5))  # from noon on 1 March to noon on 1 April
    assert pipeline_coverage(
        histories, as_of=day(70), period=midday, quota=euros(9)
    ).pipeline == euros(10)


def test_coverage_may_be_weighed():
    coverage = cover(
        in_march(amount=euros(1000), stage="offer"),
        in_march(amount=euros(1000), stage="ghost"),
        policy=STAGE_ONLY,
        pipelines=[BOARD],
    )
    assert (coverage.pipeline, coverage.value) == (euros(500), Fraction(1, 2))
    assert coverage.weighted.left_out == {"no_probability": 1}
    assert coverage.due.total() == euros(2000)


def test_coverage_by_owner_takes_the_quota_of_each():
    histories = [
        in_march(amount=euros(900), owner="ada"),
        deal(0, won(61, 100), given_to(65, "eve"), owner="bob"),
        in_march(amount=euros(30), owner="joe"),
    ]
    quota = {"ada": euros(300), "bob": euros(200), "zoe": euros(50)}
    groups = cover(*histories, quota=quota, by="owner")
    assert {who: (each.value, each.why_none) for who, each in groups.items()} == {
        "ada": (3, None),
        "bob": (0, None),
        "zoe": (0, None),
        "joe": (None, "no_quota"),
    }
    assert groups["bob"].won_so_far == euros(100)
    assert (groups["joe"].remaining, groups["joe"].of_quota) == (None, None)


def test_coverage_in_several_currencies_needs_rates_into_that_of_the_quota():
    histories = [in_march(amount=Money(900, "USD")), deal(0, won(61, 400))]
    with pytest.raises(MixedCurrenciesError):
        cover(*histories)
    assert cover(*histories, rates={"USD": "0.5"}).value == Fraction(450, 600)


def test_coverage_tells_itself_in_a_row():
    [row] = cover(in_march(amount=euros(500))).to_dicts()
    assert (row["value"], row["quota"], row["due_EUR"]) == (0.5, Decimal(1000), Decimal(500))
    assert row["period_start"] == MARCH.start


def test_the_doors_of_coverage_refuse_what_is_strange():
    def asked(**given):
        facts = {"as_of": day(1), "period": MARCH, "quota": euros(1)} | given
        return pipeline_coverage([], **facts)

    check_door(lambda value: asked(quota=value))
    check_door(lambda value: asked(quota=value, by="owner"), takes=lambda value: value == {})
    check_door(lambda value: asked(quota={"ada": value}, by="owner"))
    check_door(lambda value: asked(period=value))
    check_door(lambda value: asked(policy=value), takes=lambda value: value is None)
    check_door(lambda value: asked(rates=value), takes=lambda v: v is None or isinstance(v, dict))
