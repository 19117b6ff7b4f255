"""Amounts by forecast category: by hand, under each policy, and at every door."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.events import (
    CloseDateChanged,
    ForecastCategory,
    ForecastCategorySet,
    Lost,
    Moved,
    Opened,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.metrics.categories import ByHand, CategoryPolicy, forecast_categories
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.tallies._categories import categories

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = CategoryPolicy({"p": {"offer": "best_case", "signing": "commit", "cold": "omitted"}})
QUARTER = Period.quarter(2026, 1)


def on(day):
    return FIRST + timedelta(days=day)


def deal(name, *steps, worth=100, **facts):
    """A deal opened on the first day, with a step on each day after."""
    facts = {"stage": "talk", "owner": "ada"} | facts
    amount = None if worth is None else Money(worth, "EUR")
    events = [Opened(record=name, sequence=1, at=on(0), pipeline="p", amount=amount, **facts)]
    for day, step in enumerate(steps, 1):
        said = {"record": name, "sequence": day + 1, "at": on(day)}
        if isinstance(step, ForecastCategory | None):
            events.append(ForecastCategorySet(category=step, **said))
        elif isinstance(step, date):
            events.append(CloseDateChanged(expected_close=step, **said))
        else:
            kind = {"won": Won, "lost": Lost}.get(step, Moved)
            events.append(kind(pipeline="p", stage=step, stage_left=None, **said))
    return DealHistory(events)


COMMIT, BEST = ForecastCategory.COMMIT, ForecastCategory.BEST_CASE
DEALS = [
    deal("won", "won", worth=1),
    deal("signing", "signing", worth=2, owner="bob"),
    deal("offer", "offer", worth=4),
    deal("said", COMMIT, worth=8),
    deal("moved", COMMIT, "offer", worth=16),
    deal("taken back", COMMIT, None, worth=32),
    deal("talk", worth=64),
    deal("cold", "cold", worth=128),
    deal("lost", "lost", worth=256),
    deal("bare", "offer", worth=None),
]


def whole(amounts):
    total = None if amounts is None else amounts.total()
    return None if total is None else int(total.amount)


def sums(found):
    """The amount of each category, and the cumulative one."""
    return {
        line.category.value: (
            line.amounts.n,
            whole(line.amounts),
            whole(line.cumulative),
        )
        for line in found.lines
    }


def test_amounts_roll_up_from_the_surest_category_on_by_hand():
    found = forecast_categories(DEALS, as_of=on(30), policy=POLICY)
    assert sums(found) == {
        "closed": (1, 1, 1),
        "commit": (3, 2 + 8 + 16, 27),
        "best_case": (2, 4, 31),
        "pipeline": (2, 32 + 64, 127),
        "omitted": (2, 128 + 256, None),
    }
    assert found.lost == 1
    assert [line.by_hand for line in found.lines] == [0, 2, 0, 0, 0]
    assert found.best_case.amounts.without_amount == 1
    assert len(found.rows()) == 5


@pytest.mark.parametrize(
    ("by_hand", "commit"), [("sticky", 26), ("until_move", 10), (ByHand.IGNORED, 2)]
)
def test_the_policy_says_how_long_a_category_given_by_hand_holds(by_hand, commit):
    policy = CategoryPolicy(dict_of(POLICY), by_hand=by_hand)
    found = forecast_categories(DEALS, as_of=on(30), policy=policy)
    assert found.commit.amounts.total() == Money(commit, "EUR")
    assert found.pipeline.cumulative.total() == Money(127, "EUR")


def dict_of(policy):
    return {"p": {stage: category for (_, stage), category in policy.stages}}


def test_a_move_to_the_stage_a_deal_is_in_takes_nothing_back():
    policy = CategoryPolicy(by_hand="until_move")
    found = forecast_categories([deal("d", COMMIT, "talk")], as_of=on(9), policy=policy)
    assert found.commit.amounts.n == 1


def test_without_a_policy_open_deals_are_in_what_was_said_or_in_the_pipeline():
    found = forecast_categories(DEALS, as_of=on(30))
    assert sums(found)["commit"] == (2, 24, 25)
    assert sums(found)["pipeline"][:2] == (6, 2 + 4 + 32 + 64 + 128)
    other = forecast_categories(DEALS, as_of=on(30), policy=CategoryPolicy(otherwise="omitted"))
    assert sums(other)["omitted"][:2] == (7, 2 + 4 + 32 + 64 + 128 + 256)


def test_what_was_known_then_counts():
    found = forecast_categories(DEALS, as_of=on(0), policy=POLICY)
    assert found.closed.amounts.n == 0
    assert found.pipeline.amounts.n == len(DEALS)


def test_a_period_takes_closed_deals_by_their_close_and_open_ones_by_the_expected_one():
    deals = [
        deal("won", "won", worth=1),
        deal("last", date(2026, 3, 31), worth=2),
        deal("next", date(2026, 4, 1), worth=4),
        deal("overdue", expected_close=date(2026, 1, 1), worth=8),
        deal("before", expected_close=date(2025, 12, 31), worth=16),
        deal("undated", worth=32),
        deal("lost", "lost", worth=64),
    ]
    found = forecast_categories(deals, as_of=on(30), period=QUARTER)
    assert sums(found)["pipeline"] == (2, 10, 11)
    assert sums(found)["omitted"] == (1, 64, None)
    assert found.left_out == {"without_expected_close": 1}
    assert found.period == QUARTER
    assert found.to_dicts()[0]["period_start"] == QUARTER.start
    later = forecast_categories(deals, as_of=on(30), period=Period.quarter(2026, 2))
    assert sums(later)["pipeline"][:2] == (1, 4)
    assert sums(later)["closed"] == (0, None, None)


def test_expected_dates_are_those_of_the_zone():
    auckland = ZoneInfo("Pacific/Auckland")
    there = Period.quarter(2026, 1, zone=auckland)
    deals = [
        deal("first", expected_close=date(2026, 1, 1)),
        deal("last", expected_close=date(2026, 3, 31)),
    ]
    found = forecast_categories(deals, as_of=on(9), period=there, zone=auckland)
    assert found.pipeline.amounts.n == 2


def test_owners_roll_up_to_the_whole():
    by = forecast_categories(DEALS, as_of=on(30), period=QUARTER, by="owner", policy=POLICY)
    assert set(by) == {"ada", "bob"}
    assert by["bob"].commit.amounts.n == 0
    assert by["bob"].left_out == {"without_expected_close": 1}
    assert by["ada"].closed.amounts.n == 1
    assert by.period == by["ada"].period == QUARTER
    every = forecast_categories(DEALS, as_of=on(30), by="owner", policy=POLICY)
    assert every["bob"].commit.amounts.total() == Money(2, "EUR")
    assert every["ada"].commit.amounts.total() == Money(24, "EUR")


def test_a_tally_says_the_same_and_tallies_of_parts_add():
    options = {"as_of": on(30), "policy": POLICY, "periods": [QUARTER]}
    every = categories(DEALS, **options)
    assert categories(DEALS[:4], **options) + categories(DEALS[4:], **options) == every
    found = forecast_categories(every, period=QUARTER, policy=POLICY)
    assert found == forecast_categories(DEALS, as_of=on(30), period=QUARTER, policy=POLICY)
    assert forecast_categories(every) == forecast_categories(DEALS, as_of=on(30), policy=POLICY)


def test_a_tally_that_was_counted_otherwise_is_refused():
    tally = categories(DEALS, as_of=on(30), policy=POLICY)
    with pytest.raises(InvalidValueError, match="another policy"):
        forecast_categories(tally, policy=CategoryPolicy())
    with pytest.raises(UnknownKeyError, match="period"):
        forecast_categories(tally, period=QUARTER)
    with pytest.raises(InvalidValueError, match="settings differs"):
        tally + categories(DEALS, as_of=on(30), policy=CategoryPolicy())


def test_a_policy_is_a_value():
    same = CategoryPolicy({"p": {"cold": "omitted", "signing": "commit", "offer": "best_case"}})
    check_value(POLICY, same, CategoryPolicy(), CategoryPolicy(POLICY.stages, by_hand="ignored"))
    assert CategoryPolicy(POLICY.stages) == POLICY
    assert POLICY.of_stage(("p", "signing")) is COMMIT
    assert POLICY.of_stage(("q", "signing")) is ForecastCategory.PIPELINE


def test_doors_refuse_what_is_strange():
    def is_empty(value):
        return isinstance(value, tuple | dict) and not value

    def is_no_stage(value):
        return isinstance(value, dict) and not value

    check_door(CategoryPolicy, takes=is_empty)
    check_door(lambda value: CategoryPolicy({"p": value}), takes=is_no_stage)
    check_door(lambda value: CategoryPolicy({"p": {"a": value}}))
    check_door(lambda value: CategoryPolicy(otherwise=value))
    check_door(lambda value: CategoryPolicy(by_hand=value))
    check_door(
        lambda value: forecast_categories(DEALS, as_of=on(3), policy=value),
        takes=lambda value: value is None,
    )
    check_door(lambda value: forecast_categories(DEALS, as_of=value))
    check_door(
        lambda value: forecast_categories(DEALS, as_of=on(3), period=value),
        takes=lambda value: value is None,
    )
    check_door(lambda value: forecast_categories(DEALS, as_of=on(3), zone=value))
    with pytest.raises(WrongTypeError):
        CategoryPolicy((("p", "a"),))
