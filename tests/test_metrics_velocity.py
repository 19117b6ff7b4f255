"""How fast deals go, and how much money that makes a day."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from math import nan

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, WrongTypeError
from salespipeline.metrics import (
    Durations,
    NumberOf,
    Velocity,
    cycle_length,
    deal_lifetime,
    pipeline_velocity,
    time_in_stage,
    velocity,
    velocity_series,
)
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.tallies import lifetimes
from stories import BY_THEN, day, days, deal, euros, given_to, lost, moved, reopened, won

HOUR = timedelta(hours=1)
BOARD = Pipeline(
    "board",
    [Stage("talk"), Stage("offer"), Stage("signed", outcome="won")],
    former={"call": "talk"},
)
BODY = (
    deal(0, won(10, 1000), owner="ada"),
    deal(0, won(30, 3000), owner="ada"),
    deal(5, lost(9), owner="bob"),
    deal(5, lost(20), owner="bob"),
    deal(12, owner="bob"),
    deal(12, owner="ada"),
    deal(25),
)


# Cycle length and deal lifetime


def test_durations_are_a_value():
    made = [Durations.of({3: 2, 5: 1}, 1, {"x": 1}) for _ in range(2)]
    check_value(*made, Durations.of({3: 2, 5: 2}, 1, {"x": 1}), Durations.of({3: 2, 5: 1}, 1, {}))


def test_the_cycle_is_of_won_deals_and_the_lifetime_of_closed_ones():
    assert cycle_length(BODY, as_of=day(40)) == Durations(2, 20.0, 20.0)
    assert deal_lifetime(BODY, as_of=day(40)) == Durations(4, (10 + 30 + 4 + 15) / 4, 12.5)
    assert cycle_length(BODY, as_of=day(29)) == Durations(1, 10.0, 10.0)


def test_durations_of_a_period_are_of_deals_closed_in_it():
    assert cycle_length(BODY, as_of=day(40), period=days(5, 25)) == Durations(1, 10.0, 10.0)
    assert deal_lifetime(BODY, as_of=day(40), period=days(5, 20)) == Durations(2, 7.0, 7.0)
    assert deal_lifetime(BODY, as_of=day(40), period=days(31, 35)) == Durations(0, None, None)


@pytest.mark.parametrize(
    ("lengths", "median"),
    [
        ({7: 1}, 7),
        ({1: 1, 4: 1}, 2.5),
        ({1: 2, 4: 1}, 1),
        ({1: 2, 4: 2}, 2.5),
        ({1: 1, 4: 2, 9: 1}, 4),
        ({9: 1, 4: 1, 1: 1}, 4),
        ({1: 3, 5: 0, 9: 3}, 5),
    ],
)
def test_the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle(lengths, median):
    assert Durations.of(lengths, 1, {}).median_days == median


def test_a_duration_without_a_known_start_is_left_out_and_counted():
    histories = [deal(0, won(4), start=BY_THEN), deal(0, won(6)), deal(0, lost(7), start=BY_THEN)]
    assert cycle_length(histories, as_of=day(9)) == Durations(1, 6.0, 6.0, left_out={"start_unknown": 1})
    assert deal_lifetime(histories, as_of=day(9)).left_out == {"start_unknown": 2}


def test_a_negative_duration_is_left_out_and_counted():
    histories = [deal(9, won(3)), deal(0, won(6))]
    left_out = {"negative_duration": 1}
    assert cycle_length(histories, as_of=day(20)) == Durations(1, 6.0, 6.0, left_out=left_out)


def test_open_deals_are_not_among_those_left_out():
    assert cycle_length([deal(0, start=BY_THEN)], as_of=day(9)).left_out == {}


def test_a_reopened_deal_lives_from_its_opening_to_its_last_close():
    history = deal(0, lost(4), reopened(6), won(9))
    assert deal_lifetime([history], as_of=day(20)) == Durations(1, 9.0, 9.0)


def test_a_finer_resolution_still_gives_days():
    histories = [deal(0, won(1.75)), deal(0, won(3.5))]
    assert cycle_length(histories, as_of=day(9)).mean_days == 2
    hours = cycle_length(histories, as_of=day(9), resolution=HOUR)
    assert (hours.mean_days, hours.median_days) == (2.625, 2.625)


def test_the_cycle_by_owner_is_of_who_closed_the_deal():
    history = deal(0, given_to(2, "bob"), won(4), given_to(6, "eve"), owner="ada")
    assert cycle_length([history], as_of=day(9), by="owner") == {"bob": Durations(1, 4.0, 4.0)}


def test_durations_of_nothing_have_no_mean():
    assert cycle_length([], as_of=day(9)) == deal_lifetime([], as_of=day(9))
    assert deal_lifetime([], as_of=day(9)) == Durations(0, None, None, left_out={})


# Time in stage

PATHS = (
    deal(0, moved(4, "offer"), won(10)),
    deal(0, moved(6, "offer"), moved(7, "talk"), owner="bob"),
    deal(8),
)


def test_every_visit_counts_and_those_that_go_on_are_at_risk():
    offer, signed, talk = time_in_stage(PATHS, as_of=day(12))
    assert (talk.stage, talk.finished, talk.still_there) == ("talk", Durations(2, 5.0, 5.0), 2)
    # visits of 4 and 6 days that ended, of 5 and 4 days that go on
    assert talk.total_days == 19
    assert [(step.day, step.at_risk) for step in talk.survival.steps] == [(4, 4), (6, 1)]
    assert (offer.stage, offer.finished, offer.still_there) == ("offer", Durations(2, 3.5, 3.5), 0)
    assert (signed.stage, signed.still_there, signed.total_days) == ("signed", 1, 2)
    assert signed.survival.median is None


def test_visits_that_are_alike_are_counted_each():
    talk = time_in_stage([*PATHS, *PATHS], as_of=day(12))[2]
    assert (talk.finished.n, talk.still_there, talk.total_days, talk.survival.n) == (4, 4, 38, 8)


def test_a_stage_with_its_times_is_a_value():
    made = [time_in_stage(PATHS, as_of=day(12))[2] for _ in range(2)]
    check_value(*made, *time_in_stage(PATHS, as_of=day(12))[:2])


def test_stages_of_pipelines_come_first_in_order_those_without_a_visit_included():
    stages = time_in_stage([deal(0, stage="aside")], as_of=day(3), pipelines=[BOARD])
    assert [(each.stage, each.still_there) for each in stages] == [
        ("talk", 0),
        ("offer", 0),
        ("signed", 0),
        ("aside", 1),
    ]
    assert stages[0].finished == Durations(0, None, None)
    assert (stages[0].survival.n, stages[0].total_days) == (0, 0)


def test_a_visit_to_a_retired_stage_counts_for_its_successor():
    histories = [deal(0, moved(3, "offer"), stage="call"), deal(0, moved(5, "offer"))]
    talk = time_in_stage(histories, as_of=day(9), pipelines=[BOARD])[0]
    assert (talk.stage, talk.finished.n, talk.finished.mean_days) == ("talk", 2, 4.0)


def test_a_visit_without_a_known_entry_is_left_out_and_counted():
    histories = [
        deal(0, moved(3, "offer"), start=BY_THEN),
        deal(0, start=BY_THEN),
        deal(1, start=BY_THEN),
        deal(0, moved(5, "offer")),
    ]
    offer, talk = time_in_stage(histories, as_of=day(9))
    assert talk.finished == Durations(1, 5.0, 5.0, left_out={"entry_unknown": 1})
    assert (talk.still_there, talk.total_days, talk.survival.n) == (2, 5, 1)
    assert talk.survival.left_out == {"entry_unknown": 3}
    assert (offer.still_there, offer.total_days, offer.survival.left_out) == (2, 10, {})


def test_a_negative_visit_is_left_out_and_counted():
    talk = time_in_stage([deal(5, moved(3, "offer"))], as_of=day(9))[1]
    assert talk.finished == Durations(0, None, None, left_out={"negative_duration": 1})
    assert (talk.total_days, talk.survival.left_out) == (0, {"negative_duration": 1})


def test_time_in_stage_by_owner_is_of_who_owned_the_deal_when_the_visit_began():
    history = deal(0, given_to(1, "bob"), moved(4, "offer"), owner="ada")
    grouped = time_in_stage([history], as_of=day(9), by="owner", pipelines=[BOARD])
    assert grouped["ada"][0].finished == Durations(1, 4.0, 4.0)
    assert (grouped["ada"][1].still_there, grouped["bob"][1].still_there) == (0, 1)


def test_time_in_stage_at_a_finer_resolution_is_in_days():
    history = deal(0, moved(1.75, "offer"))
    offer, talk = time_in_stage([history], as_of=day(3), resolution=HOUR)
    assert (talk.finished.mean_days, talk.total_days) == (1.75, 1.75)
    assert (talk.survival.median, offer.total_days, offer.survival.last_day) == (1.75, 1.25, 1.25)


def test_time_in_stage_takes_the_level_of_its_intervals():
    assert time_in_stage(PATHS, as_of=day(12), level=0.8)[2].survival.level == 0.8


def test_time_in_stage_of_nothing_is_nothing():
    assert time_in_stage([], as_of=day(9)) == ()


def test_pipelines_must_be_pipelines():
    check_door(
        lambda value: time_in_stage([], as_of=day(1), pipelines=value),
        takes=lambda value: isinstance(value, tuple | list | dict | set) and not value,
    )


# Velocity from plain numbers


def test_a_velocity_is_a_value():
    def made(number):
        return velocity(number, 0.25, euros(4000), 40)

    check_value(made(50), made(50), made(51), velocity(50, 0.25, Money(4000, "USD"), 40))


def test_the_four_inputs_multiply_exactly():
    rate = velocity(7, "0.3", euros("999.99"), Fraction(100, 3))
    assert rate.number_of is NumberOf.GIVEN
    assert rate.exact_per_day == Fraction(7) * Fraction(3, 10) * Fraction(99999, 100) / Fraction(
        100, 3
    )
    assert rate.per_day == euros("63.00")


def test_a_float_is_taken_for_the_number_that_it_shows():
    assert velocity(1, 0.1, euros(100), 0.1).exact_per_day == 100


def test_a_month_makes_the_rate_times_its_days():
    rate = velocity(50, Decimal("0.25"), Money(4000, "USD"), 40)
    assert rate.per_day == Money(1250, "USD")
    assert rate.over(Period.month(2026, 2).days()) == Money(35_000, "USD")
    assert rate.over(Period.month(2026, 3).days()) == Money(38_750, "USD")


def test_a_month_is_rounded_once():
    rate = velocity(1, 1, euros(100), 3)
    assert (rate.per_day, rate.over(30)) == (euros("33.33"), euros(1000))


def test_the_days_of_a_forecast_are_whole():
    rate = velocity(50, 0.25, euros(4000), 40)
    check_door(rate.over, takes=lambda value: type(value) is int and value in (0, -1, 7))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"number": -1}, "the number -1 is negative"),
        ({"win_rate": 1.01}, "the win rate 1.01 is not from 0 to 1"),
        ({"win_rate": -1}, "the win rate -1 is not from 0 to 1"),
        ({"cycle_days": 0}, "the cycle of 0 days is not more than 0"),
        ({"cycle_days": nan}, "'nan' is not finite"),
    ],
)
def test_numbers_that_make_no_velocity_are_refused(wrong, fault):
    given = {"number": 5, "win_rate": 0.5, "average_size": euros(10), "cycle_days": 9}
    with pytest.raises(InvalidValueError) as caught:
        velocity(**given | wrong)
    assert caught.value.faults == (fault,)


def test_every_number_at_fault_is_named():
    with pytest.raises(InvalidValueError) as caught:
        velocity(-1, 2, euros(1), 0)
    assert len(caught.value.faults) == 3


def test_every_number_must_be_of_its_kind():
    numbers = (0, -1, 7, 2.5)
    check_door(
        lambda value: velocity(value, 1, euros(1), 1),
        takes=lambda value: type(value) is int and value >= 0,
    )
    check_door(
        lambda value: velocity(1, value, euros(1), 1),
        takes=lambda value: type(value) is int and value == 0,
    )
    check_door(lambda value: velocity(1, 1, value, 1))
    check_door(
        lambda value: velocity(1, 1, euros(1), value),
        takes=lambda value: type(value) in (int, float) and value in numbers and value > 0,
    )


# Pipeline velocity


def test_pipeline_velocity_is_the_product_of_four_inputs():
    now = pipeline_velocity(BODY, as_of=day(40))
    assert now == Velocity(3, NumberOf.OPEN, Fraction(1, 2), Fraction(2000), "EUR", Fraction(20))
    assert now.exact_per_day == Fraction(3) * Fraction(1, 2) * 2000 / 20
    assert now.per_day == euros(150)


@pytest.mark.parametrize(("number", "count"), [("open", 3), ("closed", 4), ("created", 7)])
def test_the_number_is_of_open_closed_or_created_deals(number, count):
    assert pipeline_velocity(BODY, as_of=day(40), number=number).number == count


@pytest.mark.parametrize(("number", "count"), [("open", 3), ("closed", 2), ("created", 4)])
def test_with_a_period_three_inputs_are_of_deals_closed_in_it(number, count):
    now = pipeline_velocity(BODY, as_of=day(40), period=days(5, 20), number=number)
    assert now == Velocity(
        count, NumberOf(number), Fraction(1, 2), Fraction(1000), "EUR", Fraction(10)
    )


def test_pipeline_velocity_of_a_tally_counted_with_periods_takes_all_or_one_of_them():
    tally = lifetimes(BODY, as_of=day(40), periods=[days(5, 20)])
    whole = pipeline_velocity(BODY, as_of=day(40), number="created")
    assert pipeline_velocity(tally, number="created") == whole
    assert whole.number == 7
    assert pipeline_velocity(tally, period=days(5, 20), number="created").number == 4


def test_pipeline_velocity_by_owner_is_each_owners_own():
    by_owner = pipeline_velocity(BODY, as_of=day(40), by="owner")
    assert {owner: (each.number, each.win_rate) for owner, each in by_owner.items()} == {
        "ada": (1, 1),
        "bob": (1, 0),
        None: (1, None),
    }
    assert by_owner["ada"].per_day == euros(100)


def test_a_cycle_at_a_finer_resolution_is_in_days():
    history = deal(0, won(2.5, 100))
    assert pipeline_velocity([history], as_of=day(9)).cycle_days == 2
    assert pipeline_velocity([history], as_of=day(9), resolution=HOUR).cycle_days == Fraction(5, 2)


def test_what_has_no_age_is_not_in_the_cycle_and_is_in_the_rest():
    histories = [deal(0, won(4, 100)), deal(0, won(8, 300), start=BY_THEN), deal(9, won(3, 500))]
    now = pipeline_velocity(histories, as_of=day(20), number="closed")
    assert (now.number, now.win_rate, now.average_size, now.cycle_days) == (3, 1, 300, 4)


def test_a_won_deal_without_an_amount_is_not_in_the_average_size():
    histories = [deal(0, won(4, 100)), deal(0, won(8))]
    assert pipeline_velocity(histories, as_of=day(20)).average_size == 100


@pytest.mark.parametrize(
    "histories",
    [(), (deal(0),), (deal(0, lost(3)),), (deal(0, won(3)),), (deal(0, won(0, 9)),)],
    ids=["nothing", "open alone", "lost alone", "without amount", "won on the day"],
)
def test_where_an_input_is_missing_there_is_no_money_a_day(histories):
    now = pipeline_velocity(histories, as_of=day(9))
    assert (now.exact_per_day, now.per_day, now.over(30)) == (None, None, None)


def test_a_win_rate_of_0_makes_no_money_and_is_not_missing():
    rate = velocity(5, 0, euros(10), 9)
    assert rate.per_day == euros(0)


def test_won_deals_of_two_currencies_need_rates():
    histories = [deal(0, won(4, 100)), deal(0, won(4), amount=Money(300, "USD"))]
    with pytest.raises(MixedCurrenciesError):
        pipeline_velocity(histories, as_of=day(9))
    now = pipeline_velocity(histories, as_of=day(9), currency="EUR", rates={"USD": "0.5"})
    assert (now.average_size, now.currency) == (125, "EUR")


def test_the_number_must_be_of_deals_that_can_be_counted():
    with pytest.raises(InvalidValueError, match="give plain numbers to velocity"):
        pipeline_velocity([], as_of=day(9), number="given")
    check_door(lambda value: pipeline_velocity([], as_of=day(9), number=value))


# A series of velocities

WEEKS = [days(0, 7), days(7, 14), days(14, 21)]
WEEKLY = (
    deal(0, won(5, 1000)),
    deal(0, won(12, 3000)),
    deal(1),
    deal(8),
    deal(9, lost(15)),
)


def test_a_series_judges_each_period_from_its_own_end():
    first, second, third = velocity_series(WEEKLY, periods=WEEKS)
    assert [step.period for step in (first, second, third)] == WEEKS
    # won 1 of 1 in 5 days, two still open; won 1 of 1 in 12 days, three still open
    assert (first.velocity.number, first.velocity.per_day) == (2, euros(400))
    assert (second.velocity.number, second.velocity.per_day) == (3, euros(750))
    assert (third.velocity.number, third.velocity.per_day) == (2, None)


def test_a_series_gives_the_change_and_the_growth():
    first, second, third = velocity_series(WEEKLY, periods=WEEKS)
    assert (first.change, first.growth) == (None, None)
    assert (second.change, second.growth) == (euros(350), 0.875)
    assert (third.change, third.growth) == (None, None)


def test_a_step_of_a_series_is_a_value():
    one, same = (velocity_series(WEEKLY, periods=WEEKS) for _ in range(2))
    check_value(one[1], same[1], one[0], one[2])


def test_a_series_by_owner_has_every_period_for_each_owner():
    histories = [
        deal(0, won(5, 1000), owner="ada"),
        deal(0, won(12, 3000), owner="bob"),
        deal(1, given_to(8, "eve"), owner="ada"),
    ]
    series = velocity_series(histories, periods=WEEKS, by="owner")
    numbers = {who: [step.velocity.number for step in steps] for who, steps in series.items()}
    assert numbers == {"ada": [1, 0, 0], "bob": [1, 0, 0], "eve": [0, 1, 1]}
    assert [step.period for step in series["eve"]] == WEEKS
    by_created = velocity_series(histories, periods=WEEKS, by="owner", number="created")
    assert [step.velocity.per_day for step in by_created["ada"]] == [euros(400), None, None]
    assert velocity_series([], periods=WEEKS, by="owner") == {}


def test_an_event_at_the_end_of_a_period_belongs_to_the_next():
    for number, counts in (("closed", [0, 1]), ("open", [1, 0])):
        steps = velocity_series([deal(0, won(7, 70))], periods=WEEKS[:2], number=number)
        assert [step.velocity.number for step in steps] == counts


def test_growth_from_nothing_has_no_value():
    histories = [deal(0, won(5, 0)), deal(0, won(12, 120)), deal(0)]
    _, second = velocity_series(histories, periods=WEEKS[:2], number="closed")
    assert (second.change, second.growth) == (euros(10), None)


def test_a_series_counts_the_deals_asked_for():
    steps = velocity_series(WEEKLY, periods=WEEKS, number="created")
    assert [step.velocity.number for step in steps] == [3, 2, 0]


def test_periods_of_different_currencies_have_no_change_without_rates():
    histories = [deal(0, won(5, 10)), deal(0, won(12), amount=Money(20, "USD")), deal(0)]
    with pytest.raises(MixedCurrenciesError) as caught:
        velocity_series(histories, periods=WEEKS[:2])
    assert caught.value.currencies == ("EUR", "USD")
    steps = velocity_series(histories, periods=WEEKS[:2], currency="EUR", rates={"USD": 3})
    assert steps[1].change == euros(5) - euros(4)


def test_a_series_reads_its_deals_once():
    steps = velocity_series(iter(WEEKLY), periods=iter(WEEKS))
    assert steps == velocity_series(WEEKLY, periods=WEEKS)
    assert steps[1].velocity.number == 3


def test_a_series_of_nothing_is_undefined_and_of_no_period_empty():
    [step] = velocity_series([], periods=WEEKS[:1])
    assert (step.velocity.number, step.velocity.per_day, step.change) == (0, None, None)
    assert velocity_series(WEEKLY, periods=[]) == ()


def test_a_series_needs_histories_and_periods():
    def empty(value):
        return isinstance(value, tuple | list | dict | set) and not value

    check_door(lambda value: velocity_series(value, periods=WEEKS), takes=empty)
    check_door(lambda value: velocity_series([], periods=value), takes=empty)
    with pytest.raises(WrongTypeError):
        velocity_series(lifetimes([], as_of=day(1)), periods=WEEKS)
