from math import inf, isinf, nan

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.intervals import (
    Interval,
    check_level,
    jeffreys,
    log_log,
    normal_quantile,
    wilson,
)


def test_an_interval_is_a_value():
    check_value(
        Interval(0.1, 0.2, 0.95, "wilson"),
        Interval(0.1, 0.2, 0.95, "wilson"),
        Interval(0.0, 0.2, 0.95, "wilson"),
        Interval(0.1, 0.3, 0.95, "wilson"),
        Interval(0.1, 0.2, 0.9, "wilson"),
        Interval(0.1, 0.2, 0.95, "jeffreys"),
    )


def test_an_interval_holds_its_ends():
    interval = Interval(0.25, 0.5, 0.95, "wilson")
    assert [value in interval for value in (0.24, 0.25, 0.4, 0.5, 0.51)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    nothing = nan
    assert nothing not in interval


def test_an_open_end_holds_everything_beyond():
    assert 1e9 in Interval(31.0, None, 0.95, "log-log")
    assert 30 not in Interval(31.0, None, 0.95, "log-log")
    assert -1e9 in Interval(None, 31.0, 0.95, "log-log")
    assert 32 not in Interval(None, 31.0, 0.95, "log-log")


# Levels


@pytest.mark.parametrize(
    ("level", "z"), [(0.5, 0.674490), (0.9, 1.644854), (0.95, 1.959964), (0.99, 2.575829)]
)
def test_the_normal_quantile_is_the_one_in_the_tables(level, z):
    assert normal_quantile(level) == pytest.approx(z, abs=5e-7)


@pytest.mark.parametrize("level", [1e-300, 0.9999999999999999])
def test_a_level_just_inside_zero_and_one_has_an_interval(level):
    assert 0 <= normal_quantile(level) < 9
    for method in (wilson, jeffreys):
        interval = method(1, 2, level)
        assert 0 <= interval.low <= interval.high <= 1


@pytest.mark.parametrize("level", [0, 1, 0.0, 1.0, 95, -0.5, nan, inf])
def test_a_level_lies_between_zero_and_one(level):
    with pytest.raises(InvalidValueError, match=r"is not between 0 and 1, such as 0\.95"):
        check_level(level)


def test_whatever_is_no_level_is_refused():
    check_door(check_level)
    check_door(lambda level: wilson(1, 2, level))
    check_door(lambda level: wilson(0, 0, level))
    check_door(lambda level: jeffreys(0, 0, level))
    check_door(lambda level: log_log(1, 0, level))


def test_a_level_is_kept_on_the_interval():
    assert wilson(1, 2, 0.8).level == 0.8
    assert jeffreys(1, 2, 0.8).level == 0.8
    assert log_log(0.5, 0.1, 0.8).level == 0.8


# Proportions


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_figures_of_newcombe_1998_table_1(successes, trials, low, high):
    interval = wilson(successes, trials)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.method == "wilson"


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2545, 0.3656), (15, 148, 0.0604, 0.1576), (0, 20, 0, 0.1166)],
)
def test_jeffreys_gives_the_figures_of_statsmodels_on_newcombe_s_cases(
    successes, trials, low, high
):
    interval = jeffreys(successes, trials)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.method == "jeffreys"


@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_no_trial_has_no_interval(method):
    assert method(0, 0) is None


@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_none_of_many_begins_at_zero_and_all_of_many_ends_at_one(method):
    none, every = method(0, 10), method(10, 10)
    assert none.low == 0.0
    assert 0 < none.high < 0.5
    assert every.high == 1.0
    assert 0.5 < every.low < 1


@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_a_billion_trials_leave_little_doubt(method):
    interval = method(500_000_000, 10**9)
    assert interval.high - interval.low == pytest.approx(2 * 1.959964 * 0.5 / 10**4.5, rel=1e-5)


@pytest.mark.parametrize("method", [wilson, jeffreys])
@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (0, -1), (1, 10**12 + 1), (10**400, 10**400)])
def test_counts_that_are_no_part_of_a_whole_are_refused(method, counts):
    with pytest.raises(InvalidValueError, match=r"^counts: .* of .* is not a part of at most"):
        method(*counts)


@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_a_count_is_a_whole_number(method):
    with pytest.raises(WrongTypeError, match=r"'successes' must be a whole number \(got 1.0\)"):
        method(1.0, 5)
    check_door(lambda value: method(value, 5), takes=lambda x: type(x) is int and x == 0)
    check_door(lambda value: method(0, value), takes=lambda x: type(x) is int and 0 <= x < 10)


# Survival


@pytest.mark.parametrize(
    ("survival", "error", "low", "high"),
    [
        # Freireich's 6-MP patients at 6, 10, 16 and 23 weeks, as statistics programs print them.
        (0.8571, 0.0764, 0.6197, 0.9516),
        (0.7529, 0.0963, 0.5032, 0.8894),
        (0.6275, 0.1141, 0.3675, 0.8049),
        (0.4482, 0.1346, 0.1881, 0.6801),
    ],
)
def test_log_log_gives_the_intervals_of_the_textbook_s_survival_curve(survival, error, low, high):
    interval = log_log(survival, error)
    assert interval.low == pytest.approx(low, abs=3e-4)
    assert interval.high == pytest.approx(high, abs=3e-4)
    assert interval.method == "log-log"


@pytest.mark.parametrize("survival", [0, 1, 0.0, 1.0])
def test_nobody_or_everybody_surviving_has_no_interval_whatever_the_error(survival):
    assert log_log(survival, 0.1) is None
    assert log_log(survival, nan) is None


def test_an_estimate_without_error_is_its_own_interval():
    assert log_log(0.4, 0.0) == Interval(0.4, 0.4, 0.95, "log-log")


def test_an_error_far_beyond_the_estimate_leaves_everything_open():
    interval = log_log(1e-5, 1.0)
    assert (interval.low, interval.high) == (0.0, 1.0)


@pytest.mark.parametrize("survival", [5e-324, 1e-300, 1 - 2**-53])
def test_a_survival_next_to_the_ends_stays_within_them(survival):
    interval = log_log(survival, 0.1)
    assert 0 <= interval.low <= interval.high <= 1
    assert not isinf(interval.high)


@pytest.mark.parametrize("survival", [-0.1, 1.5, nan, inf])
def test_a_survival_outside_zero_to_one_is_refused(survival):
    with pytest.raises(InvalidValueError, match=r"^survival: .* is not from 0 to 1$"):
        log_log(survival, 0.1)


@pytest.mark.parametrize("error", [-0.1, 1.5, nan, inf, -inf])
def test_an_error_that_no_probability_has_is_refused(error):
    with pytest.raises(InvalidValueError, match=r"^error: .* is not from 0 to 1$"):
        log_log(0.5, error)


def test_whatever_is_no_number_has_no_interval():
    check_door(lambda value: log_log(value, 0.1), takes=lambda x: type(x) is int and x == 0)
    check_door(lambda value: log_log(0.5, value), takes=lambda x: type(x) is int and x == 0)
