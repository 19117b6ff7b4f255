"""What deals are worth, and where the money stands."""

from decimal import Decimal
from fractions import Fraction

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, MixedCurrenciesError
from salespipeline.events import ForecastCategory, ForecastCategorySet
from salespipeline.metrics import (
    Amounts,
    AverageSize,
    StageCount,
    average_deal_size,
    deals_by_stage,
)
from salespipeline.metrics.value import pipeline_value
from salespipeline.money import Money, exact_rates
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.tallies import standings
from stories import BY_THEN, day, days, deal, euros, given_to, lost, moved, reopened, won, worth

BOARD = Pipeline(
    "board",
    [Stage("talk"), Stage("offer"), Stage("signed", outcome="won"), Stage("gone", outcome="lost")],
    former={"call": "talk"},
)
OPEN, WON, LOST = Outcome.OPEN, Outcome.WON, Outcome.LOST


def _counts(stages):
    """Each stage with its number of deals."""
    return [(each.pipeline, each.stage, each.outcome, each.amounts.n) for each in stages]


# Average deal size


def test_the_average_is_of_won_deals_alone():
    histories = [
        deal(0, won(4, 100)),
        deal(0, won(9, 50)),
        deal(0, lost(5), amount=euros(999)),
        deal(0, amount=euros(999)),
    ]
    size = average_deal_size(histories, as_of=day(20))
    assert (size.n, size.total(), size.mean()) == (2, euros(150), Decimal(75))
    assert average_deal_size(histories, as_of=day(8)).total() == euros(100)


def test_a_won_deal_without_an_amount_is_counted_and_is_not_in_the_mean():
    size = average_deal_size([deal(0, won(4, 100)), deal(0, won(4))], as_of=day(9))
    assert (size.n, size.without_amount, size.mean()) == (2, 1, Decimal(100))


def test_a_won_deal_of_nothing_is_in_the_mean():
    size = average_deal_size([deal(0, won(4, 100)), deal(0, won(4, 0))], as_of=day(9))
    assert (size.without_amount, size.mean()) == (0, Decimal(50))


def test_the_size_is_the_amount_as_known_at_the_instant():
    history = deal(0, won(4), worth(6, euros(80)), amount=euros(100))
    assert average_deal_size([history], as_of=day(5)).total() == euros(100)
    assert average_deal_size([history], as_of=day(6)).total() == euros(80)


def test_the_size_of_a_period_is_of_deals_won_in_it():
    histories = [deal(0, won(4, 100)), deal(0, won(9, 50))]
    period = days(9, 10)
    assert average_deal_size(histories, as_of=day(20), period=period).total() == euros(50)


def test_the_size_by_owner_is_of_who_closed_the_deal():
    history = deal(0, given_to(2, "bob"), won(4, 10), given_to(6, "eve"), owner="ada")
    sizes = average_deal_size([history], as_of=day(9), by="owner")
    assert {owner: size.total() for owner, size in sizes.items()} == {"bob": euros(10)}


def test_a_reopened_deal_is_not_in_the_size():
    size = average_deal_size([deal(0, won(4, 100), reopened(6))], as_of=day(9))
    assert (size.n, size.mean()) == (0, None)


def test_a_deal_known_only_by_then_is_in_the_size():
    size = average_deal_size([deal(0, won(4, 100), start=BY_THEN)], as_of=day(9))
    assert size.total() == euros(100)


def test_won_deals_of_two_currencies_have_one_total_at_given_rates_alone():
    histories = [deal(0, won(4, 100)), deal(0, won(4), amount=Money(50, "USD"))]
    size = average_deal_size(histories, as_of=day(9))
    with pytest.raises(MixedCurrenciesError):
        size.total()
    assert size.total("EUR", {"USD": "0.5"}) == euros(125)
    assert size.mean("USD", {"EUR": 2}) == Decimal(125)


def test_the_size_of_nothing_has_no_mean():
    size = average_deal_size([], as_of=day(9))
    assert size == AverageSize.of([])
    assert (size.n, size.by_currency, size.mean(), size.total()) == (0, {}, None, None)


# Deals by stage


def test_a_stage_with_its_deals_is_a_value():
    def made(amount):
        return deals_by_stage([deal(0, amount=euros(amount))], as_of=day(1))[0]

    check_value(made(5), made(5), made(6), made(None))


def test_deals_are_counted_where_they_stand_with_their_amounts():
    histories = [
        deal(0, amount=euros(5)),
        deal(0, worth(1, Money(3, "USD"))),
        deal(0),
        deal(0, won(4, 100)),
    ]
    signed, talk = deals_by_stage(histories, as_of=day(9))
    assert (talk.pipeline, talk.stage, talk.outcome) == ("board", "talk", OPEN)
    assert (talk.amounts.n, talk.amounts.without_amount) == (3, 1)
    assert talk.amounts.total("EUR", {"USD": 1}) == euros(8)
    assert signed == StageCount(
        "board", "signed", WON, Amounts(1, {"EUR": (1, euros(100))}, without_amount=0)
    )


def test_without_pipelines_stages_come_in_the_order_of_their_keys():
    histories = [deal(0), deal(0, moved(2, "talk", "lean")), deal(0, stage="offer")]
    assert _counts(deals_by_stage(histories, as_of=day(9))) == [
        ("board", "offer", OPEN, 1),
        ("board", "talk", OPEN, 1),
        ("lean", "talk", OPEN, 1),
    ]


def test_stages_of_pipelines_come_first_in_order_those_without_a_deal_included():
    histories = [deal(0, stage="aside"), deal(0, won(3)), deal(0, moved(2, "a", "another"))]
    assert _counts(deals_by_stage(histories, as_of=day(9), pipelines=[BOARD])) == [
        ("board", "talk", OPEN, 0),
        ("board", "offer", OPEN, 0),
        ("board", "signed", WON, 1),
        ("board", "gone", LOST, 0),
        ("another", "a", OPEN, 1),
        ("board", "aside", OPEN, 1),
    ]


def test_a_deal_in_a_retired_stage_counts_in_its_successor():
    histories = [deal(0, stage="call", amount=euros(2)), deal(0, amount=euros(3))]
    stages = deals_by_stage(histories, as_of=day(9), pipelines=[BOARD])
    assert _counts(stages)[0] == ("board", "talk", OPEN, 2)
    assert stages[0].amounts.total() == euros(5)


def test_a_stage_that_holds_deals_of_two_outcomes_has_an_entry_for_each():
    histories = [deal(0, stage="offer"), deal(0, won(3, stage="offer"))]
    assert _counts(deals_by_stage(histories, as_of=day(9))) == [
        ("board", "offer", OPEN, 1),
        ("board", "offer", WON, 1),
    ]


def test_an_implicit_closing_stage_is_listed_where_a_deal_is_in_it():
    lean = Pipeline("board", [Stage("talk")])
    assert _counts(deals_by_stage([], as_of=day(9), pipelines=[lean])) == [
        ("board", "talk", OPEN, 0)
    ]
    counts = _counts(deals_by_stage([deal(0, won(3, stage="won"))], as_of=day(9), pipelines=[lean]))
    assert counts[-1] == ("board", "won", WON, 1)


def test_deals_by_stage_by_owner_are_of_who_owns_them_at_the_instant():
    history = deal(0, given_to(3, "bob"), owner="ada")
    for at, owner in ((2, "ada"), (4, "bob")):
        grouped = deals_by_stage([history], as_of=day(at), by="owner", pipelines=[BOARD])
        assert {who: stages[0].amounts.n for who, stages in grouped.items()} == {owner: 1}


def test_deals_by_stage_of_a_tally_take_pipelines_too():
    tally = standings([deal(0)], as_of=day(1))
    assert len(deals_by_stage(tally)) == 1
    assert len(deals_by_stage(tally, pipelines=[BOARD])) == 4


def test_deals_by_stage_of_nothing_are_none():
    assert deals_by_stage([], as_of=day(9)) == ()


def test_pipelines_must_be_pipelines():
    check_door(
        lambda value: deals_by_stage([], as_of=day(1), pipelines=value),
        takes=lambda value: isinstance(value, tuple | list | dict | set) and not value,
    )


def test_a_tally_of_another_instant_is_refused():
    with pytest.raises(InvalidValueError, match="it was counted as of 2026-01-02"):
        deals_by_stage(standings([], as_of=day(1)), as_of=day(2))


# The value of the open pipeline

PARKING = Pipeline(
    "board",
    [Stage("talk"), Stage("hold", parked=True), Stage("signed", outcome="won")],
    former={"wait": "hold"},
)


def test_the_pipeline_is_worth_what_its_open_deals_are():
    histories = [
        deal(0, amount=euros(5)),
        deal(0, worth(1, Money(3, "USD"))),
        deal(0),
        deal(0, won(4, 100)),
        deal(0, lost(4), amount=euros(50)),
    ]
    value = pipeline_value(histories, as_of=day(9))
    assert value.amounts == Amounts(
        3, {"EUR": (1, euros(5)), "USD": (1, Money(3, "USD"))}, without_amount=1
    )
    assert [(each.stage, each.amounts.n) for each in value.stages] == [("talk", 3)]
    assert pipeline_value(histories, as_of=day(3)).amounts.n == 5


def test_every_open_deal_is_in_the_pipeline_whatever_its_forecast_category():
    """fivetran's dbt_salesforce calls the status of a most-likely deal 'Other', and drops it."""
    histories = [
        deal(0, (1, ForecastCategorySet, {"category": category}), amount=euros(10))
        for category in (None, *ForecastCategory)
    ]
    value = pipeline_value(histories, as_of=day(9))
    assert value.amounts.total() == euros(10 * (1 + len(ForecastCategory)))


def test_parked_deals_are_in_the_pipeline_and_told_apart():
    histories = [
        deal(0, amount=euros(5)),
        deal(0, stage="hold", amount=euros(7)),
        deal(0, stage="wait", amount=euros(1)),
    ]
    value = pipeline_value(histories, as_of=day(1), pipelines=[PARKING])
    assert (value.amounts.total(), value.parked.total()) == (euros(13), euros(8))
    assert _counts(value.stages) == [("board", "talk", OPEN, 1), ("board", "hold", OPEN, 2)]
    assert pipeline_value(histories, as_of=day(1)).parked.n == 0


def test_the_pipeline_by_owner_and_by_stage_is_as_of_the_instant():
    histories = [deal(0, given_to(3, "bob"), owner="ada", amount=euros(5)), deal(0, stage="offer")]
    by_owner = pipeline_value(histories, as_of=day(4), by="owner")
    assert {who: value.amounts.n for who, value in by_owner.items()} == {"bob": 1, None: 1}
    by_stage = pipeline_value(histories, as_of=day(4), by="stage")
    assert by_stage["talk"].amounts.total() == euros(5)


def test_the_pipeline_of_a_tally_is_that_of_its_histories():
    histories = [deal(0, amount=euros(5)), deal(0, won(1, 3))]
    tally = standings(histories, as_of=day(2))
    assert pipeline_value(tally) == pipeline_value(histories, as_of=day(2))


def test_the_pipeline_of_nothing_is_of_no_deal():
    value = pipeline_value([], as_of=day(9), pipelines=[PARKING])
    assert (value.amounts.n, value.amounts.total(), value.parked.n) == (0, None, 0)
    assert [each.amounts.n for each in value.stages] == [0, 0]


def test_the_value_of_a_pipeline_tells_itself_in_a_row():
    row = pipeline_value([deal(0, amount=euros(5))], as_of=day(1)).to_dicts()[0]
    assert (row["amounts_n"], row["amounts_EUR"], row["parked_n"]) == (1, Decimal(5), 0)


# Rates


def test_rates_are_exact_and_hold_the_currency_itself():
    assert exact_rates("EUR", {"USD": "0.9", "GBP": 2}, ["USD", "EUR", "USD"]) == {
        "EUR": 1,
        "USD": Fraction(9, 10),
    }


def test_a_currency_without_a_rate_and_a_rate_of_nothing_are_refused():
    with pytest.raises(MixedCurrenciesError):
        exact_rates("EUR", {}, ["USD"])
    with pytest.raises(InvalidValueError, match="that of USD is not more than zero; that of GBP"):
        exact_rates("EUR", {"USD": 0, "GBP": -1}, ["USD", "GBP"])


def test_rates_must_be_a_mapping_of_exact_numbers():
    check_door(lambda value: exact_rates("EUR", value, ["USD"]))
    check_door(
        lambda value: exact_rates("EUR", {"USD": value}, ["USD"]),
        takes=lambda value: type(value) is int and value == 7,
    )
