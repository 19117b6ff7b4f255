"""Backtests: by hand, on what was known then, and at every door."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import fmean

import pytest

from contracts import check_door
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, SalesPipelineError
from salespipeline.events import Lost, Opened, ProbabilitySet, Won
from salespipeline.history import DealHistory
from salespipeline.metrics.backtest import ForecastMethod, backtest, calibration, pinball
from salespipeline.metrics.forecast import forecast
from salespipeline.metrics.open_chance import win_chances
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Pipeline, Stage

FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def on(day):
    return FIRST + timedelta(days=day)


def deal(name, opened, days, kind, *, worth=100, recorded=None, chance=None):
    amount = None if worth is None else Money(worth, "EUR")
    events = [
        Opened(record=name, sequence=1, at=on(opened), pipeline="p", stage="a", amount=amount)
    ]
    if chance is not None:
        events.append(
            ProbabilitySet(record=name, sequence=2, at=on(opened), probability=Decimal(chance))
        )
    if kind is not None:
        said = {"record": name, "sequence": len(events) + 1, "at": on(opened + days)}
        late = None if recorded is None else on(recorded)
        stage = kind.__name__.lower()
        events.append(kind(pipeline="p", stage=stage, stage_left="a", recorded_at=late, **said))
    return DealHistory(events)


def body(seed=1, number=300):
    rng = random.Random(seed)
    return [
        deal(f"d-{n}", rng.random() * 500, rng.random() * 60, rng.choice((Won, Lost, Lost)),
             worth=rng.randrange(50, 200))
        for n in range(number)
    ]  # fmt: skip


BODY = body()
ORIGINS = [on(day) for day in (300, 200, 400)]


def backtested(deals=BODY, **options):
    asked = {"as_of": on(500), "origins": ORIGINS, "horizon_days": 60, "seed": 1, "runs": 100}
    return backtest(deals, **(asked | {"refits": 2} | options))


def test_each_step_is_the_forecast_of_its_origin_held_to_what_came():
    found = backtested()
    assert [step.origin for step in found.steps] == [on(200), on(300), on(400)]
    for step in found.steps:
        period = Period(step.origin, step.origin + timedelta(days=60))
        alone = forecast(BODY, as_of=step.origin, period=period, seed=1, runs=100, refits=2)
        assert step.forecast.drawn == alone.drawn
        assert (step.weighted, step.before) == (alone.weighted, alone.last_period)
        came = [
            each.events[0].amount.minor
            for each in BODY
            if isinstance(each.events[-1], Won) and each.events[-1].at in period
        ]
        assert step.actual.minor == sum(came)
        assert step.held == (alone.p10.minor <= sum(came) <= alone.p90.minor)
        assert (step.as_of, step.period) == (step.origin, period)


def test_the_accuracies_by_their_definitions():
    found = backtested()
    means = [step.forecast.mean.minor for step in found.steps]
    came = [step.actual.minor for step in found.steps]
    off = [mean - actual for mean, actual in zip(means, came, strict=True)]
    own = found.forecast
    assert own.error == pytest.approx(sum(map(abs, off)) / sum(came))
    assert own.bias == pytest.approx(sum(off) / sum(came))
    assert (own.coverage.numerator, own.coverage.denominator) == (
        sum(step.held for step in found.steps), 3,
    )  # fmt: skip
    lows = [step.forecast.p10.minor for step in found.steps]
    assert own.losses[0.1] == pytest.approx(
        fmean(0.1 * (a - q) if a >= q else 0.9 * (q - a) for q, a in zip(lows, came, strict=True))
    )
    assert own.pinball.minor == round(fmean(own.losses.values()))
    weighted = [step.weighted.mean.minor for step in found.steps]
    misses = [abs(mean - actual) for mean, actual in zip(weighted, came, strict=True)]
    assert found.point.pinball.minor == round(fmean(misses) / 2)
    assert found.point.error == pytest.approx(found.weighted.error)


def test_the_pinball_loss_by_hand():
    assert pinball(0.9, 100, 120) == pytest.approx(18)
    assert pinball(0.9, 100, 80) == pytest.approx(2)
    assert pinball(0.5, 100, 80) == pytest.approx(10)
    assert pinball(0.1, 100, 100) == 0


def test_a_backtest_tells_one_row_for_each_method():
    rows = backtested().to_dicts()
    assert [row["method"] for row in rows] == list(ForecastMethod)
    assert len(set(map(tuple, rows))) == 1
    assert rows[0]["coverage_denominator"] == 3
    assert len(backtested().steps.to_dicts()) == 3


def test_origins_that_tell_nothing_are_left_out_by_reason():
    early, late = on(-5), on(450)
    found = backtested(origins=[*ORIGINS, early, late])
    assert found.left_out == {"nothing_won": 1, "not_over": 1}
    assert found.forecast.n == 3
    assert {row["left_out"] for row in found.to_dicts()} == {2}


def test_without_an_origin_there_is_no_accuracy():
    none = backtested(origins=[]).forecast
    assert (none.n, none.error, none.bias, none.pinball, none.coverage.value) == (
        0, None, None, None, None,
    )  # fmt: skip


def test_where_nothing_came_there_is_no_share_of_it():
    deals = [deal("w", 0, 10, Won), deal("o", 100, 0, None)]
    found = backtested(deals, origins=[on(120)])
    assert found.forecast.error is None
    assert found.steps[0].actual == Money(0, "EUR")


def test_a_method_that_tells_no_range_is_not_measured():
    deals = [deal("w", 0, 10, Won), deal("o", 100, 0, None)]
    assert backtested(deals, origins=[on(61)]).last_period.n == 0
    assert backtested(deals, origins=[on(30)]).last_period.n == 0


def test_what_was_recorded_late_was_not_known_then_but_came():
    late = deal("late", 150, 40, Won, recorded=490, worth=100_000)
    found = backtested([*BODY, late], origins=[on(180), on(200)])
    plain = backtested(
        [*BODY, deal("late", 150, 0, None, worth=100_000)], origins=[on(180), on(200)]
    )
    assert [step.forecast for step in found.steps] == [step.forecast for step in plain.steps]
    assert [a.actual - b.actual for a, b in zip(found.steps, plain.steps, strict=True)] == [
        Money(100_000, "EUR"), Money(0, "EUR"),
    ]  # fmt: skip


def test_several_currencies_need_rates():
    foreign = DealHistory(
        [
            Opened(
                record="u", sequence=1, at=on(450), pipeline="p", stage="a", amount=Money(1, "USD")
            )
        ]
    )
    with pytest.raises(MixedCurrenciesError):
        backtested([*BODY, foreign])
    assert backtested([*BODY, foreign], currency="EUR", rates={"USD": 1}).forecast.n == 3


def test_a_won_deal_without_an_amount_adds_nothing():
    bare = deal("bare", 190, 20, Won, worth=None)
    assert [step.actual for step in backtested([*BODY, bare]).steps] == [
        step.actual for step in backtested().steps
    ]


# Calibration


def test_the_calibration_of_the_model_pairs_chances_with_what_came():
    found = calibration(BODY, as_of=on(500), origins=ORIGINS, horizon_days=60)
    pairs = []
    for origin in ORIGINS:
        for row in win_chances(BODY, as_of=origin, horizon_days=60):
            last = next(each for each in BODY if each.record == row.deal).events[-1]
            came = isinstance(last, Won) and last.at < origin + timedelta(days=60)
            pairs.append((row.chance, came))
    assert (found.records, found.came) == (len(pairs), sum(came for _, came in pairs))
    assert found.brier == pytest.approx(fmean((p - came) ** 2 for p, came in pairs))
    assert sum(bar.records for bar in found.bars) == found.records
    assert found.split == "as of 3 origins, 60 days ahead"


def test_the_calibration_of_what_stages_state_by_hand():
    board = Pipeline("p", [Stage("a", probability="0.6")])
    deals = [
        deal("one", 0, 20, Won),
        deal("two", 0, 20, Lost),
        deal("own", 0, 20, Won, chance="0.9"),
        deal("late", 0, 99, Won),
    ]
    found = calibration(
        deals, as_of=on(200), origins=[on(10)], horizon_days=30, of="stated", pipelines=[board]
    )
    assert found.brier == pytest.approx((0.4**2 + 0.6**2 + 0.1**2 + 0.6**2) / 4)
    without = calibration(deals, as_of=on(200), origins=[on(10), on(190)], horizon_days=30,
                          of="stated", pipelines=[board])  # fmt: skip
    assert without.records == 4


def test_deals_without_a_chance_or_a_label_are_counted_apart():
    found = calibration(
        [*BODY, deal("open", 490, 0, None)],
        as_of=on(500),
        origins=[*ORIGINS, on(495)],
        horizon_days=60,
    )
    open_then = len(
        win_chances([*BODY, deal("open", 490, 0, None)], as_of=on(495), horizon_days=60)
    )
    assert found.unlabelled == open_then
    bare = [
        deal("own", 0, 20, Won, chance="0.9"),
        deal("two", 0, 20, Lost, chance="0.1"),
        deal("x", 0, 9, Lost),
    ]
    stated = calibration(bare, as_of=on(99), origins=[on(1)], horizon_days=30, of="stated")
    assert (stated.records, stated.unlabelled) == (2, 1)
    with pytest.raises(InvalidValueError):
        calibration(bare, as_of=on(99), origins=[on(1)], horizon_days=30)


# Doors


def test_doors_refuse_what_is_strange():
    few = [deal("w", 0, 10, Won), deal("o", 100, 0, None)]

    def is_empty(value):
        return (
            isinstance(value, tuple | list | dict | set | bytes | bytearray | range) and not value
        )

    def door(name, takes=lambda _value: False):
        check_door(lambda value: backtested(few, origins=[on(120)], **{name: value}), takes=takes)

    door("as_of")
    door("horizon_days", lambda value: type(value) is int and value == 7)
    door("seed", lambda value: type(value) is int)
    door("runs", lambda value: type(value) is int and value == 7)
    door("refits", lambda value: type(value) is int and value in {0, 7})
    door("level")
    door("shock", lambda value: type(value) in {int, float} and 0 <= value <= 3)
    door("zone")
    check_door(lambda value: backtested(few, origins=value), takes=is_empty)
    check_door(lambda value: backtested(few, origins=[value]))
    check_door(backtested)
    check_door(
        lambda value: calibration(BODY, as_of=on(500), origins=ORIGINS, horizon_days=60, of=value)
    )
    with pytest.raises(SalesPipelineError):
        backtested([deal("w", 0, 1, Won, worth=None)])


# Edges


def test_a_period_that_ends_at_the_instant_is_over_and_holds_what_was_won_before_its_end():
    deals = [deal("w", 0, 10, Won), deal("edge", 100, 60, Won), deal("first", 90, 10, Won)]
    found = backtested(deals, as_of=on(160), origins=[on(100)])
    assert found.left_out == {}
    # What is won at the origin is in the period, and what is won at its end is in the next one.
    assert [step.actual for step in found.steps] == [Money(100, "EUR")]
