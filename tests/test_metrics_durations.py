"""How long deals live."""

from datetime import timedelta

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.metrics.durations import (
    Durations,
    cycle_length,
    deal_age,
    deal_lifetime,
    ended_by,
)
from salespipeline.metrics.outcomes import Survival, time_to_close
from salespipeline.tallies import Moment, lifetimes
from salespipeline.tallies._cycles import cycles
from stories import BY_THEN, day, days, deal, given_to, lost, moved, reopened, won

HOUR = timedelta(hours=1)
OFFER = ("board", "offer")
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
    assert cycle_length(histories, as_of=day(9)) == Durations(
        1, 6.0, 6.0, left_out={"start_unknown": 1}
    )
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


# The cycle from a chosen start

FROM_OFFER = (
    deal(0, moved(4, "offer"), won(10)),
    deal(0, moved(2, "offer"), moved(3, "talk"), moved(9, "offer"), won(20)),
    deal(0, won(5)),
    deal(0, moved(1, "offer"), lost(30)),
    deal(0, moved(1, "offer")),
)


def test_the_cycle_from_a_stage_runs_from_first_entering_it_to_winning():
    found = cycle_length(FROM_OFFER, as_of=day(40), start=OFFER)
    assert found == Durations(2, 12.0, 12.0, left_out={"never_entered": 1})
    assert cycle_length(FROM_OFFER, as_of=day(40), start="opened").n == 3


def test_the_cycle_from_a_stage_is_of_deals_won_in_the_period_by_who_won_them():
    history = deal(0, moved(2, "offer"), given_to(3, "bob"), won(9), owner="ada")
    found = cycle_length([history], as_of=day(40), start=OFFER, period=days(9, 10), by="owner")
    assert found == {"bob": Durations(1, 7.0, 7.0)}
    assert cycle_length([history], as_of=day(40), start=OFFER, period=days(0, 9)).n == 0


def test_a_deal_opened_in_the_stage_entered_it_then():
    assert cycle_length([deal(1, won(4))], as_of=day(9), start=("board", "talk")).mean_days == 3


def test_a_stage_of_another_pipeline_is_another_stage():
    found = cycle_length(FROM_OFFER, as_of=day(40), start=("lean", "offer"))
    assert (found.n, found.left_out) == (0, {"never_entered": 3})


def test_nobody_knows_when_a_deal_whose_history_begins_late_first_entered():
    seen = deal(0, moved(6, "offer"), won(9), observed_from=day(3))
    by_then = deal(0, moved(6, "offer"), won(9), start=BY_THEN)
    found = cycle_length([seen, by_then], as_of=day(40), start=OFFER)
    assert found == Durations(0, None, None, left_out={"entry_unknown": 2})


def test_a_stage_entered_after_the_close_leaves_the_deal_out():
    found = cycle_length([deal(0, won(5), moved(8, "kept"))], as_of=day(9), start=("board", "kept"))
    assert found.left_out == {"negative_duration": 1}


def test_the_cycle_from_a_stage_takes_a_resolution_and_a_tally():
    history = deal(0, moved(1.25, "offer"), won(3))
    tally = cycles([history], as_of=day(9), start=OFFER, resolution=HOUR)
    assert cycle_length(tally).mean_days == cycle_length(tally, start=OFFER).mean_days == 1.75
    with pytest.raises(InvalidValueError, match=r"counted from \('board', 'offer'\)"):
        cycle_length(tally, start=("board", "talk"))
    with pytest.raises(InvalidValueError, match="counted from the opening"):
        cycle_length(lifetimes([history], as_of=day(9)), start=OFFER)


def test_cycles_are_grouped_when_asked():
    history = deal(
        0, given_to(1, "bob"), moved(2, "offer"), won(4), given_to(6, "eve"), owner="ada"
    )
    owners = {
        moment: [
            row.group
            for row in cycles([history], as_of=day(9), start=OFFER, by="owner", by_at=moment).rows
        ]
        for moment in Moment
    }
    assert owners == {Moment.CREATION: ["ada"], Moment.CLOSING: ["bob"], Moment.AS_OF: ["eve"]}


def test_cycles_of_open_deals_are_as_old_as_the_stay_since_and_in_their_periods():
    [row] = cycles(
        [deal(0, moved(4, "offer"))], as_of=day(9), start=OFFER, periods=[days(3, 5)]
    ).rows
    assert (row.age, row.created, row.closed) == (5, 0, None)


def test_the_start_of_a_cycle_is_a_pair_of_keys():
    check_door(lambda value: cycle_length([], as_of=day(1), start=value))
    check_door(lambda value: cycle_length([], as_of=day(1), start=("board", value)), takes=_is_text)
    check_door(lambda value: cycle_length([], as_of=day(1), start=(value, "offer")), takes=_is_text)
    with pytest.raises(WrongTypeError):
        cycle_length([], as_of=day(1), start=("one", "two", "three"))


def _is_text(value):
    return isinstance(value, str) and bool(value)


# The age of open deals


def test_the_age_of_open_deals_runs_from_the_opening_closed_time_included():
    histories = [deal(0, lost(4), reopened(6)), deal(10), deal(0, won(5)), deal(3, start=BY_THEN)]
    found = deal_age(histories, as_of=day(20))
    assert found == Durations(2, 15.0, 15.0, left_out={"start_unknown": 1})


def test_the_age_by_owner_is_by_who_owns_the_deal_now():
    assert deal_age([deal(0, given_to(5, "bob"), owner="ada")], as_of=day(6), by="owner") == {
        "bob": Durations(1, 6.0, 6.0)
    }


def test_the_closed_figure_is_short_where_the_censored_one_is_not():
    """Two of three are still open after 50 days: a cycle of 10 days is not what a deal takes."""
    histories = [deal(0, won(10)), deal(0), deal(0)]
    assert cycle_length(histories, as_of=day(50)).median_days == 10
    assert time_to_close(histories, as_of=day(50)).median is None


# The share that has ended


def test_the_share_that_ended_is_one_less_what_lasts_with_its_interval_turned():
    curve = Survival.of([(1, True), (2, True), (3, True), (9, False)])
    share, interval = ended_by(curve, 2)
    assert share == 0.5
    assert (interval.low, interval.high) == (
        1 - curve.interval_at(2).high,
        1 - curve.interval_at(2).low,
    )


def test_before_anything_ended_the_share_is_0_without_an_interval():
    assert ended_by(Survival.of([(4, True), (5, False)]), 3) == (0.0, None)


def test_once_the_last_one_ended_all_have_and_before_nobody_knows():
    assert ended_by(Survival.of([(4, True)]), 90) == (1.0, None)
    assert ended_by(Survival.of([(4, True), (6, False)]), 90) == (None, None)
    assert ended_by(Survival.of([]), 0) == (None, None)
