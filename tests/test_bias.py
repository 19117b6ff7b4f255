"""What growth, slow losses and late histories do to a win rate, and what they do not.

A small version of ``tests/bench/bias.py``: the same scenarios, fewer runs, each with its own seed.
Bounds are three standard errors or more away from what the full one measures.
"""

from functools import cache
from statistics import fmean

import pytest

from bench.bias import (
    AS_OF,
    GROWTH,
    LATE,
    RECENT,
    SMALL,
    Life,
    Scenario,
    counted,
    found,
    histories,
    simulated,
)
from salespipeline.events import Lost, Won
from salespipeline.metrics import win_rate_closed
from salespipeline.metrics.incidence import win_probability
from salespipeline.tallies import lifetimes

STATIONARY, GROWING, SHRINKING, FORGOTTEN = GROWTH
RUNS = 24


@cache
def _runs(scenario, runs=RUNS):
    return found(scenario, runs)


def _mean(scenario, runs=RUNS):
    return fmean(each.value for each in _runs(scenario, runs).within if each.value is not None)


# The simulation is that of the histories


@pytest.mark.parametrize("scenario", [FORGOTTEN, *LATE, SMALL[3]], ids=lambda each: each.name)
def test_the_tally_of_a_run_is_the_one_that_its_histories_count_to(scenario):
    lives = simulated(scenario, seed=3)
    deals = histories(scenario, lives)
    assert len(deals) > 50
    assert lifetimes(deals, as_of=AS_OF, periods=[RECENT]).rows == counted(scenario, lives).rows


def test_histories_finish_to_the_figures_that_a_run_gives():
    lives = simulated(STATIONARY, seed=0)
    deals, run = histories(STATIONARY, lives), _runs(STATIONARY)
    assert win_rate_closed(deals, as_of=AS_OF, period=RECENT).value == run.closed_only[0]
    assert win_probability(deals, as_of=AS_OF, horizon_days=365) == run.within[0]


def test_a_run_is_what_was_specified():
    lives = [life for seed in range(12) for life in simulated(STATIONARY, seed)]
    won = [life for life in lives if life.won]
    assert len(lives) / 12 == pytest.approx(1080, rel=0.03)
    assert len(won) / len(lives) == pytest.approx(0.25, abs=0.012)
    for ended, median in ((won, 45), ([life for life in lives if not life.won], 90)):
        lengths = sorted(life.closed - life.created for life in ended)
        assert lengths[len(lengths) // 2] == pytest.approx(median, rel=0.05)
    growing = [life.created for life in simulated(GROWING, 1)]
    assert len(growing) == pytest.approx(2776, rel=0.08)
    assert sum(1 for day in growing if day >= 270) > 3 * len(growing) / 4
    assert simulated(GROWING, 1) == simulated(GROWING, 1) != simulated(GROWING, 2)


def test_the_truth_is_the_share_of_wins_that_come_in_time():
    assert [round(each.truth, 5) for each in (STATIONARY, LATE[0])] == [0.24965, 0.24977]
    assert [round(each.truth, 4) for each in SMALL] == [0.0488, 0.2442, 0.0488, 0.2442]


def test_what_closes_after_the_last_day_is_open():
    lives = [Life(0.5, 9.5, True), Life(500.25, 541.0, True), Life(500.25, float("inf"), False)]
    deals = histories(STATIONARY, lives)
    assert [type(deal.events[-1]) for deal in deals][0::2] == [Won, type(deals[2].events[0])]
    assert not any(isinstance(event, Lost) for event in deals[2].events)
    assert lifetimes(deals, as_of=AS_OF, periods=[RECENT]).rows == counted(STATIONARY, lives).rows


# What moves and what does not


@pytest.mark.parametrize(
    ("scenario", "low", "high"),
    [
        pytest.param(STATIONARY, 0.23, 0.275, id="stationary"),
        pytest.param(GROWING, 0.28, 0.312, id="growing"),
        pytest.param(SHRINKING, 0.2, 0.236, id="shrinking"),
        pytest.param(FORGOTTEN, 0.3, 0.352, id="losses never marked"),
    ],
)
def test_the_rate_of_closed_deals_moves_though_selling_does_not_change(scenario, low, high):
    assert low < fmean(_runs(scenario).closed_only) < high


@pytest.mark.parametrize("scenario", GROWTH, ids=lambda each: each.name)
def test_the_share_won_within_a_year_stays_at_the_truth(scenario):
    assert _mean(scenario) == pytest.approx(scenario.truth, abs=0.0085)


def test_its_intervals_hold_the_truth_as_often_as_they_say():
    held = fmean(_runs(scenario).coverage for scenario in GROWTH)
    assert 0.9 <= held <= 0.99
    # the rate of closed deals is as sure of itself, and holds the truth far less often
    tallies = [counted(GROWING, simulated(GROWING, run)) for run in range(RUNS)]
    intervals = [win_rate_closed(tally, period=RECENT).interval for tally in tallies]
    assert fmean(0.25 in interval for interval in intervals) < 0.5


def test_few_at_risk_on_the_last_day_are_flagged():
    flags = [(each.at_risk < 10) == each.few_at_risk for each in _runs(STATIONARY).within]
    assert all(flags)
    assert fmean(each.few_at_risk for each in _runs(STATIONARY).within) > 0.5
    assert not any(each.few_at_risk for each in _runs(FORGOTTEN).within)


def test_a_history_that_begins_late_must_be_told_so():
    ignored, told = LATE
    assert _mean(ignored, 100) == pytest.approx(0.2195, abs=0.012)
    assert _mean(told, 100) == pytest.approx(told.truth, abs=0.02)
    assert _mean(told, 100) - _mean(ignored, 100) > 0.02


def test_the_intervals_of_small_groups_hold_the_truth_too():
    held = fmean(_runs(scenario, 200).coverage for scenario in SMALL)
    assert 0.93 <= held <= 0.975


def test_a_scenario_is_what_its_name_says():
    assert isinstance(STATIONARY, Scenario)
    row = _runs(SMALL[0], 200).row()
    assert row["runs"] == 200
    known = [each for each in _runs(SMALL[0], 200).within if each.value not in (None, 0.0, 1.0)]
    assert row["left_out"] == 200 - len(known) > 0
