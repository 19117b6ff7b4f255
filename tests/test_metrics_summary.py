"""The usual figures of a body of deals, from one count."""

from contracts import check_value
from salespipeline.metrics import Durations, Rate, summary
from salespipeline.tallies import lifetimes
from stories import BY_THEN, day, deal, euros, given_to, lost, won

BODY = (
    deal(0, won(10, 1000)),
    deal(0, won(30, 3000)),
    deal(5, lost(9)),
    deal(12),
    deal(3, lost(8), start=BY_THEN),
)


def test_a_summary_holds_each_figure_as_worked_out_by_hand():
    now = summary(BODY, as_of=day(40))
    assert (now.open, now.won, now.lost) == (1, 2, 2)
    assert now.win_rate_closed == Rate.of(2, 4)
    assert now.win_rate_created == Rate.of(2, 5)
    assert now.average_deal_size.total() == euros(4000)
    assert now.cycle_length == Durations(2, 20.0, 20.0)
    assert now.deal_lifetime == Durations(3, 44 / 3, 10.0, left_out={"start_unknown": 1})
    # ages 4, 10 and 30 that ended, 28 that is open
    assert [(step.day, step.at_risk) for step in now.time_to_close.steps] == [
        (4, 4),
        (10, 3),
        (30, 1),
    ]
    assert now.time_to_close.left_out == {"start_unknown": 1}


def test_a_summary_is_as_of_its_instant():
    now = summary(BODY, as_of=day(9))
    assert (now.open, now.won, now.lost) == (2, 0, 2)
    assert now.cycle_length == Durations(0, None, None)


def test_a_summary_is_a_value():
    made = [summary(BODY, as_of=day(40)) for _ in range(2)]
    check_value(*made, summary(BODY, as_of=day(9)), summary(BODY, as_of=day(40), level=0.9))


def test_a_summary_takes_one_level_for_all_intervals():
    now = summary(BODY, as_of=day(40), level=0.8)
    levels = (now.win_rate_closed.interval.level, now.win_rate_created.interval.level)
    assert (*levels, now.time_to_close.level) == (0.8, 0.8, 0.8)


def test_a_summary_by_owner_is_of_who_owns_the_deal_at_the_instant():
    histories = [
        deal(0, won(4, 10), given_to(6, "eve"), owner="ada"),
        deal(0, owner="ada"),
    ]
    grouped = summary(histories, as_of=day(9), by="owner")
    assert {owner: (now.open, now.won) for owner, now in grouped.items()} == {
        "eve": (0, 1),
        "ada": (1, 0),
    }


def test_a_summary_of_tallies_counted_in_parts_is_that_of_the_whole():
    parts = [lifetimes(part, as_of=day(40)) for part in (BODY[:2], BODY[2:])]
    assert summary(parts[0] + parts[1]) == summary(BODY, as_of=day(40))
    assert summary(parts[0]).won == 2


def test_a_summary_of_nothing_is_0_and_none():
    now = summary([], as_of=day(9))
    assert (now.open, now.won, now.lost) == (0, 0, 0)
    assert (now.win_rate_closed.value, now.win_rate_closed.interval) == (None, None)
    assert (now.win_rate_created.value, now.win_rate_created.interval) == (None, None)
    assert (now.average_deal_size.mean(), now.cycle_length.mean_days) == (None, None)
    assert (now.deal_lifetime.median_days, now.time_to_close.median) == (None, None)
