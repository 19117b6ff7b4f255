"""At which step deals go on, wait or drop out."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import (
    InvalidValueError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import Lost, Won
from salespipeline.metrics.cohorts import cohort_rate
from salespipeline.metrics.durations import Durations
from salespipeline.metrics.funnels import Funnel, FunnelStep, funnel
from salespipeline.pipelines import SEVEN_STAGES, Outcome, Pipeline, Stage
from salespipeline.tallies import lifetimes
from salespipeline.tallies._reach import Fate, Semantics, reach
from stories import BY_THEN, day, days, deal, given_to, lost, moved, reopened, won

BOARD = Pipeline(
    "board",
    [
        Stage("talk"),
        Stage("hold", parked=True),
        Stage("offer"),
        Stage("sign"),
        Stage("signed", outcome="won"),
        Stage("kept", outcome="won"),
        Stage("gone", outcome="lost"),
    ],
    former={"call": "talk", "old": "signed"},
)
ABC = [("board", "A"), ("board", "B"), ("board", "C")]
LATE = day(400)


def way(letters, *, each=1, **facts):
    """A deal that visits a stage a day, one letter each."""
    first, *others = letters
    return deal(
        0, *(moved(each * n, stage) for n, stage in enumerate(others, 1)), stage=first, **facts
    )


def counts(found, *names):
    """What each step says, by the names of what is asked."""
    return [tuple(getattr(step, name) for name in names) for step in found.steps]


def entered(deals, semantics=Semantics.IN_ORDER, steps=ABC, **options):
    found = funnel(deals, as_of=LATE, steps=steps, semantics=semantics, **options)
    return [step.entered for step in found.steps]


# What reaching a step means


@pytest.mark.parametrize(
    ("letters", "in_order", "strict"),
    [
        ("ABC", 3, 3),
        ("ADBC", 3, 1),
        ("AABBCC", 3, 3),
        ("AABBDCC", 3, 2),
        ("BBCCAA", 1, 1),
    ],
)
def test_the_levels_are_those_of_clickhouse_windowfunnel_and_its_strict_order(
    letters, in_order, strict
):
    one = [way(letters)]
    assert sum(entered(one)) == in_order
    assert sum(entered(one, "strict_order")) == strict


@pytest.mark.parametrize(
    ("letters", "meaning", "levels"),
    [
        ("ABXBC", "direct_move", [1, 1, 1]),
        ("ABXBC", "strict_order", [1, 1, 0]),
        ("ABXC", "direct_move", [1, 1, 0]),
        ("AXBC", "direct_move", [1, 0, 0]),
        ("AXABC", "strict_order", [1, 1, 1]),
        ("AC", "in_order", [1, 0, 0]),
        ("AC", "reached_or_beyond", [1, 1, 1]),
        ("AC", "any_visit", [1, 0, 1]),
        ("CBA", "in_order", [1, 0, 0]),
        ("CBA", "any_visit", [1, 1, 1]),
        ("C", "reached_or_beyond", [1, 1, 1]),
        ("CB", "in_order", [0, 0, 0]),
        ("ACBC", "in_order", [1, 1, 1]),
        ("X", "any_visit", [0, 0, 0]),
        ("X", "reached_or_beyond", [0, 0, 0]),
    ],
)
def test_each_meaning_of_reaching_a_step_is_another_number(letters, meaning, levels):
    assert entered([way(letters)], meaning) == levels


def test_hubspot_s_two_funnel_reports_differ_by_a_contact_that_skips_and_both_have_a_name():
    # "All stages" drops it from the last stage; "any stages" shows it there, without rates.
    skipping = [deal(0, moved(2, "customer"), stage="lead")]
    steps = [("board", "lead"), ("board", "qualified"), ("board", "customer")]
    in_order = funnel(skipping, as_of=LATE, steps=steps)
    visited = funnel(skipping, as_of=LATE, steps=steps, semantics="any_visit")
    assert counts(in_order, "entered") == [(1,), (0,), (0,)]
    assert counts(visited, "entered", "rate", "overall") == [
        (1, None, None),
        (0, None, None),
        (1, None, None),
    ]
    assert [step.skipped for step in in_order.steps] == [0, 1, 0]


def test_frappe_s_funnel_drops_lost_deals_and_counts_re_entries_twice_and_ours_does_neither():
    back_and_forth = deal(0, moved(1, "B"), moved(2, "A"), moved(3, "B"), lost(9), stage="A")
    found = funnel([back_and_forth], as_of=LATE, steps=ABC)
    assert counts(found, "entered", "re_entered", "lost") == [(1, 1, 0), (1, 1, 1), (0, 0, 0)]


def test_bitrix_takes_skipped_stages_for_reached_which_is_reached_or_beyond():
    found = funnel([way("AC")], as_of=LATE, steps=ABC, semantics="reached_or_beyond")
    assert counts(found, "entered", "skipped") == [(1, 0), (1, 1), (1, 0)]


def test_closingdealz_counts_direct_moves_only_which_is_direct_move():
    body = [way("ABC"), way("ADBC"), way("ABDC")]
    assert entered(body, "direct_move") == [3, 2, 1]
    assert entered(body, "in_order") == [3, 3, 3]


def test_a_deal_that_was_in_a_step_twice_counts_once():
    assert entered([way("ABABABC")]) == [1, 1, 1]
    found = funnel([way("ABABABC")], as_of=LATE, steps=ABC)
    assert counts(found, "re_entered") == [(1,), (1,), (0,)]


# Steps


BODY = (
    deal(0, moved(3, "offer"), moved(8, "sign"), won(10), owner="ada", record="d-1"),
    deal(0, moved(5, "offer"), lost(9), owner="ada", record="d-2"),
    deal(1, moved(2, "hold"), moved(9, "offer"), owner="bob", record="d-3"),
    deal(1, moved(4, "offer"), moved(6, "talk"), owner="bob", record="d-4"),
    deal(2, won(20), owner="bob", record="d-5"),
    deal(3, owner="ada", record="d-6"),
    deal(3, lost(5), record="d-7"),
)


def test_a_pipeline_s_steps_are_its_open_stages_without_parked_ones_and_then_winning():
    found = funnel(BODY, as_of=LATE, pipeline=BOARD)
    assert [(step.number, step.pipeline, step.stage) for step in found.steps] == [
        (1, "board", "talk"),
        (2, "board", "offer"),
        (3, "board", "sign"),
        (4, "board", "signed"),
    ]
    assert [s.stage for s in funnel([], as_of=LATE, pipeline=SEVEN_STAGES).steps][-1] == (
        SEVEN_STAGES.closing(Outcome.WON)
    )


def test_those_that_entered_a_step_went_on_or_are_open_won_or_lost():
    found = funnel(BODY, as_of=day(40), pipeline=BOARD)
    names = ("entered", "went_on", "still_there", "open_elsewhere", "won", "lost")
    assert counts(found, *names) == [
        (7, 4, 1, 0, 1, 1),
        (4, 1, 1, 1, 0, 1),
        (1, 1, 0, 0, 0, 0),
        (1, None, 0, 0, 1, 0),
    ]
    assert [step.skipped for step in found.steps] == [0, 1, 1, 0]
    assert [step.re_entered for step in found.steps] == [1, 0, 0, 0]
    assert found.left_out == {}
    assert (found.entered, found.converted.numerator, found.converted.denominator) == (7, 1, 7)


def test_rates_have_the_step_before_or_the_first_step_under_them():
    found = funnel(BODY, as_of=day(40), pipeline=BOARD)
    offer = found.step("offer")
    assert (offer.rate.numerator, offer.rate.denominator) == (4, 7)
    assert (offer.overall.numerator, offer.overall.denominator) == (4, 7)
    sign = found.step("sign")
    assert (sign.rate.value, sign.overall.value) == (1 / 4, 1 / 7)
    assert offer.drop_off == 3 / 4
    assert found.step("talk").rate is None
    assert found.step("signed").drop_off is None
    assert offer.rate.interval.method == "wilson"
    with pytest.raises(UnknownKeyError, match="'hold'"):
        found.step("hold")


def test_days_to_the_next_step_are_of_those_that_went_on_and_open_ones_are_counted_as_open():
    found = funnel(BODY, as_of=day(40), pipeline=BOARD)
    talk = found.step("talk")
    assert talk.to_next == Durations(4, (3 + 5 + 8 + 3) / 4, 4.0)
    curve = talk.progress
    assert curve.causes == ("went_on", "won", "lost")
    assert curve.ended == {"went_on": 4, "won": 1, "lost": 1}
    assert (curve.n, curve.last_day) == (7, 37)  # the open one has been there since day 3
    assert [ending.day for ending in curve.endings] == [2, 3, 5, 8, 18]
    assert curve.at("lost", 2) == pytest.approx(1 / 7)
    assert found.step("signed").to_next is None
    assert found.step("signed").progress is None


def test_a_step_without_anyone_has_counts_of_0_and_rates_of_none():
    found = funnel([], as_of=LATE, pipeline=BOARD)
    assert counts(found, "entered", "went_on")[0] == (0, 0)
    assert found.converted.value is None
    assert found.step("offer").rate.value is None
    assert found.step("talk").drop_off is None
    assert found.step("talk").to_next == Durations(0, None, None)
    assert found.step("talk").progress.at("lost", 3) is None


def test_open_deals_are_open_and_a_deal_won_and_reopened_is_open_again():
    again = deal(0, moved(1, "offer"), moved(2, "sign"), won(3), reopened(9, "offer"))
    found = funnel([again], as_of=LATE, pipeline=BOARD)
    assert counts(found, "entered", "open_elsewhere")[-1] == (1, 1)
    lost_later = deal(0, moved(1, "offer"), moved(2, "sign"), won(3), lost(9))
    assert funnel([lost_later], as_of=LATE, pipeline=BOARD).steps[-1].lost == 1


def test_a_deal_in_a_won_stage_that_was_never_won_stands_there():
    odd = deal(0, moved(1, "offer"), moved(2, "sign"), moved(3, "signed"))
    assert funnel([odd], as_of=LATE, pipeline=BOARD).steps[-1].still_there == 1


def test_a_won_deal_has_reached_winning_whatever_its_stage_is_called():
    odd = deal(0, moved(1, "offer"), moved(2, "sign"), won(7, stage="yes"))
    found = funnel([odd], as_of=LATE, pipeline=BOARD)
    assert counts(found, "entered", "won")[-1] == (1, 1)
    assert found.step("sign").to_next == Durations(1, 5.0, 5.0)
    there = deal(0, moved(1, "offer"), moved(2, "sign"), won(7, stage="sign"))
    assert funnel([there], as_of=LATE, pipeline=BOARD).step("sign").to_next.mean_days == 5
    elsewhere = deal(
        0, moved(1, "offer"), (3, Won, {"stage": "yes", "pipeline": "other", "amount": None})
    )
    assert funnel([elsewhere], as_of=LATE, pipeline=BOARD).step("offer").won == 1


def test_moving_from_one_won_stage_to_another_wins_once():
    kept = deal(0, moved(1, "offer"), moved(2, "sign"), won(5), moved(30, "kept"))
    found = funnel([kept], as_of=LATE, pipeline=BOARD)
    assert counts(found, "entered", "re_entered", "won")[-1] == (1, 0, 1)
    assert found.step("sign").to_next.mean_days == 3


def test_a_visit_to_a_retired_stage_counts_for_its_successor_and_renaming_is_no_re_entry():
    renamed = deal(0, moved(4, "talk"), moved(5, "offer"), stage="call")
    found = funnel([renamed], as_of=LATE, pipeline=BOARD)
    assert counts(found, "entered", "re_entered")[0] == (1, 0)
    assert found.step("talk").to_next.mean_days == 5
    old = deal(0, moved(1, "offer"), moved(2, "sign"), won(3, stage="old"))
    assert funnel([old], as_of=LATE, pipeline=BOARD).steps[-1].entered == 1
    named = funnel([renamed], as_of=LATE, pipeline=BOARD, steps=["call", "offer"])
    assert counts(named, "stage", "entered") == [("talk", 1), ("offer", 1)]


def test_steps_may_lie_in_several_pipelines_and_closed_stages_may_be_steps():
    handed_on = deal(
        0, moved(3, "first", "second"), (9, Lost, {"stage": "no", "pipeline": "second"})
    )
    steps = [("board", "talk"), ("second", "first"), ("second", "no")]
    found = funnel([handed_on], as_of=LATE, steps=steps)
    assert counts(found, "entered", "lost") == [(1, 0), (1, 0), (1, 1)]
    mixed = funnel([handed_on], as_of=LATE, pipeline=BOARD, steps=["talk", ("second", "first")])
    assert counts(mixed, "entered", "went_on", "lost") == [(1, 1, 0), (1, None, 1)]
    elsewhere = funnel([deal(0, moved(3, "first", "second"))], as_of=LATE, pipeline=BOARD)
    assert elsewhere.step("talk").open_elsewhere == 1


def test_a_won_stage_named_alone_is_entered_by_itself_where_there_are_several():
    found = funnel(BODY, as_of=LATE, pipeline=BOARD, steps=["talk", "kept"])
    assert counts(found, "entered") == [(7,), (0,)]
    single = Pipeline("board", [Stage("talk"), Stage("offer")])
    only = funnel(BODY, as_of=LATE, pipeline=single, steps=["talk", "won"])
    assert [step.entered for step in only.steps] == [7, 2]  # both won, in a stage it lacks


# What is left out


def test_a_deal_that_begins_later_or_passes_no_step_is_left_out_by_reason():
    body = [way("BC"), way("X"), way("BC", start=BY_THEN), way("ABC", start=BY_THEN)]
    found = funnel(body, as_of=LATE, steps=ABC)
    assert found.entered == 1
    assert found.left_out == {"began_later": 1, "in_no_step": 1, "start_unknown": 1}
    assert found.steps[0].to_next == Durations(0, None, None, left_out={"entry_unknown": 1})
    assert found.steps[1].to_next.n == 1
    assert found.steps[0].progress.left_out == {"entry_unknown": 1}
    visited = funnel(body, as_of=LATE, steps=ABC, semantics="any_visit")
    assert (visited.left_out, visited.steps[1].entered) == (
        {"in_no_step": 1, "start_unknown": 1},
        2,
    )
    beyond = funnel(body, as_of=LATE, steps=ABC, semantics="reached_or_beyond")
    assert (beyond.left_out, beyond.entered) == ({"in_no_step": 1}, 3)


def test_a_history_that_begins_late_does_not_say_what_was_before():
    seen = [way("BC", observed_from=day(0)), way("BC", observed_from=day(-9))]
    assert funnel(seen, as_of=LATE, steps=ABC).left_out == {"start_unknown": 1, "began_later": 1}


def test_a_step_before_the_one_that_was_left_is_no_negative_duration_of_nothing():
    backwards = deal(9, moved(4, "B"), stage="A")
    found = funnel([backwards], as_of=LATE, steps=ABC)
    assert found.steps[0].to_next == Durations(0, None, None, left_out={"negative_duration": 1})
    assert found.steps[0].went_on == 1


# Windows


def test_a_deal_counts_as_it_stood_when_its_window_was_over():
    body = [
        deal(0, moved(10, "B"), stage="A"),  # on the last day
        deal(0, moved(11, "B"), stage="A"),  # a day late
        deal(0, lost(5), moved(6, "B"), stage="A"),
        deal(0, lost(20), stage="A"),  # lost later: open within the window
    ]
    found = funnel(body, as_of=LATE, steps=ABC, window=10)
    names = ("entered", "went_on", "still_there", "lost")
    assert counts(found, *names)[0] == (4, 2, 2, 0)
    assert found.window == 10
    early = funnel([deal(0, lost(5), stage="A")], as_of=LATE, steps=ABC, window=10)
    assert counts(early, *names)[0] == (1, 0, 0, 1)
    assert early.steps[0].progress.last_day == 5
    assert found.steps[0].progress.last_day == 10


def test_a_deal_whose_window_is_not_over_is_left_out_whatever_became_of_it():
    body = [
        deal(0, moved(2, "B"), stage="A"),
        deal(5, moved(6, "B"), stage="A"),
        deal(5, lost(6), stage="A"),
        deal(5, stage="A"),
    ]
    found = funnel(body, as_of=day(14.99), steps=ABC, window=10)
    assert (found.entered, found.left_out) == (1, {"window_not_over": 3})
    assert funnel(body, as_of=day(15.99), steps=ABC, window=10).entered == 1
    assert funnel(body, as_of=day(16), steps=ABC, window=10).entered == 4


def test_a_window_of_time_counts_to_its_very_end():
    body = [deal(0, moved(1.5, "B"), stage="A"), deal(0, moved(1.6, "B"), stage="A")]
    window = timedelta(days=1.5)
    found = funnel(body, as_of=day(1.5), steps=ABC, window=window)
    assert counts(found, "entered") == [(2,), (1,), (0,)]
    assert funnel(body, as_of=day(1.49), steps=ABC, window=window).entered == 0
    assert found.window == window


def test_a_window_begins_at_the_first_step_and_needs_it_to_be_known():
    later = deal(0, moved(50, "A"), moved(55, "B"), stage="X")
    assert entered([later], window=10) == [1, 1, 0]
    unknown = way("AB", start=BY_THEN)
    found = funnel([unknown], as_of=LATE, steps=ABC, window=10)
    assert (found.entered, found.left_out) == (0, {"entry_unknown": 1})


def test_a_window_of_days_ends_with_the_day_of_its_zone():
    zone = ZoneInfo("America/New_York")
    body = [deal(0.9, moved(2.1, "B"), stage="A")]  # the 1st, and the 2nd late in the evening
    assert entered(body, window=1) == [1, 0, 0]
    assert entered(body, window=0, zone=zone) == [1, 0, 0]
    assert entered(body, window=1, zone=zone) == [1, 1, 0]
    assert funnel(body, as_of=LATE, steps=ABC, zone=zone).steps[0].to_next.mean_days == 1
    assert funnel(body, as_of=LATE, steps=ABC).steps[0].to_next.mean_days == 2


def test_a_window_next_to_the_end_of_time_is_not_over():
    last = deal(0, stage="A")
    far = day(0).replace(year=9999, month=12, day=31)
    assert funnel([last], as_of=far, steps=ABC, window=36_525).entered == 1
    late = deal((far - day(0)).days, stage="A")
    for window in (1, 36_525, timedelta(days=1)):
        assert funnel([late], as_of=far, steps=ABC, window=window).left_out == {
            "window_not_over": 1
        }


def test_a_finer_resolution_measures_elapsed_time():
    body = [deal(0, moved(1.5, "B"), stage="A")]
    found = funnel(body, as_of=day(3), steps=ABC, resolution=timedelta(hours=12))
    assert found.steps[0].to_next.mean_days == 1.5
    assert found.steps[1].progress.last_day == 1.5


# Groups, periods, intervals


def test_a_period_selects_by_entering_the_funnel():
    body = [way("ABC"), deal(0, moved(5, "A"), stage="X"), deal(9, moved(10, "B"), stage="A")]
    assert entered(body, period=days(0, 5)) == [1, 1, 1]
    assert entered(body, period=days(5, 9)) == [1, 0, 0]
    assert entered(body, "any_visit", period=days(5, 9)) == [1, 0, 0]
    found = funnel(body, as_of=LATE, steps=ABC, period=days(5, 9))
    assert (found.period, found.as_of) == (days(5, 9), LATE)


def test_groups_read_a_field_when_the_deal_was_created_or_as_asked():
    sold_on = deal(0, given_to(2, "bob"), moved(3, "B"), lost(5), given_to(7, "eve"), stage="A",
                   owner="ada")  # fmt: skip
    for moment, owner in (("creation", "ada"), ("closing", "bob"), ("as_of", "eve")):
        found = funnel([sold_on], as_of=LATE, steps=ABC, by="owner", by_at=moment)
        assert list(found) == [owner]
    still_open = deal(0, given_to(2, "bob"), stage="A", owner="ada")
    assert list(funnel([still_open], as_of=LATE, steps=ABC, by="owner", by_at="closing")) == ["bob"]


def test_deals_of_one_owner_are_no_trials_of_their_own():
    body = [
        deal(0, *((moved(1, "B"),) if n < wins else ()), stage="A", owner=f"rep-{owner}")
        for owner, wins in enumerate((9, 1, 5, 6, 2))
        for n in range(10)
    ]
    plain = funnel(body, as_of=LATE, steps=ABC).steps[1].rate
    of_owners = funnel(body, as_of=LATE, steps=ABC, cluster="owner").steps[1].rate
    drawn = funnel(body, as_of=LATE, steps=ABC, cluster="owner", interval="bootstrap", seed=1)
    assert of_owners.interval.method == "clustered"
    assert (of_owners.numerator, of_owners.denominator, of_owners.clusters) == (23, 50, 5)
    ends = (of_owners.interval.low, of_owners.interval.high)
    assert [round(end, 3) for end in ends] == [0.062, 0.858]  # of the five rates' spread
    assert of_owners.interval.low < plain.interval.low < plain.interval.high
    assert plain.interval.high < of_owners.interval.high
    assert drawn.steps[1].rate.interval.method == "bootstrap"
    assert drawn.steps[1].overall.clusters == 5
    assert drawn == funnel(
        body[::-1], as_of=LATE, steps=ABC, cluster="owner", interval="bootstrap", seed=1
    )
    few = funnel(body[:40], as_of=LATE, steps=ABC, cluster="owner").steps[1].rate
    assert (few.value, few.interval) == (21 / 40, None)


def test_a_deal_without_an_owner_is_a_cluster_of_its_own():
    body = [deal(0, *((moved(1, "B"),) if n < 3 else ()), stage="A") for n in range(8)]
    rate = funnel(body, as_of=LATE, steps=ABC, cluster="owner").steps[1].rate
    assert (rate.clusters, rate.value) == (8, 3 / 8)
    assert rate.interval.method == "clustered"


def test_jeffreys_is_there_for_those_who_ask():
    rate = funnel([way("AB"), way("A")], as_of=LATE, steps=ABC, interval="jeffreys").steps[1].rate
    assert rate.interval.method == "jeffreys"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"interval": "clustered"}, "clustered goes by clusters"),
        ({"interval": "bootstrap"}, "bootstrap goes by clusters.*; bootstrap draws: give the seed"),
        ({"interval": "wilson", "cluster": "owner"}, "takes each deal for a trial of its own"),
        ({"seed": 4}, "wilson draws nothing"),
    ],
)
def test_an_interval_needs_what_it_goes_by(options, fault):
    with pytest.raises(InvalidValueError, match=fault):
        funnel([], as_of=LATE, steps=ABC, **options)


# Tallies and results


def test_a_tally_counted_elsewhere_finishes_to_the_same_funnel():
    options = {"as_of": LATE, "pipeline": BOARD, "semantics": "any_visit", "window": 30}
    halves = reach(BODY[:3], **options) + reach(BODY[3:], **options)
    assert funnel(halves) == funnel(BODY, **options)
    clustered = reach(BODY, as_of=LATE, pipeline=BOARD, cluster="owner")
    assert funnel(clustered, cluster="owner") == funnel(
        BODY, as_of=LATE, pipeline=BOARD, cluster="owner"
    )
    assert funnel(clustered) == funnel(BODY, as_of=LATE, pipeline=BOARD)


def test_a_tally_is_not_counted_again():
    tally = reach(BODY, as_of=LATE, pipeline=BOARD)
    again = {"pipeline": BOARD, "steps": ABC, "window": 3, "semantics": "any_visit"}
    with pytest.raises(InvalidValueError) as caught:
        funnel(tally, **again)
    assert all(f"give {name}= when counting" in str(caught.value) for name in again)
    with pytest.raises(InvalidValueError, match="cluster='owner'"):
        funnel(tally, cluster="owner")
    with pytest.raises(InvalidValueError, match="it counts lifetimes"):
        funnel(lifetimes(BODY, as_of=LATE))
    with pytest.raises(InvalidValueError, match=r"window differs|settings differs"):
        tally + reach(BODY, as_of=LATE, pipeline=BOARD, window=3)


def test_a_tally_has_a_row_for_each_step_reached_and_one_for_a_deal_left_out():
    tally = reach([way("AC"), way("X")], as_of=day(5), steps=ABC)
    rows = {row: count.n for row, count in tally.rows.items()}
    told = {(row.step, row.reached, row.skipped, row.fate, row.length, row.why) for row in rows}
    assert told == {
        (0, True, False, Fate.OPEN_ELSEWHERE, 5, None),
        (1, False, True, None, None, None),
        (None, False, False, None, None, "in_no_step"),
    }
    assert dict(tally.settings)["semantics"] is Semantics.IN_ORDER


def test_a_funnel_tells_a_row_for_each_step():
    found = funnel(BODY, as_of=day(40), pipeline=BOARD)
    rows = found.to_dicts()
    assert len(rows) == 4
    assert rows[1] | {
        "semantics": "in_order", "stage": "offer", "entered": 4, "rate": 4 / 7,
        "rate_numerator": 4, "drop_off": 3 / 4, "to_next_n": 1, "left_out": 0,
    } == rows[1]  # fmt: skip
    assert "<td>offer</td>" in found._repr_html_()
    assert "offer" in str(found)
    assert found.row()["converted"] == 1 / 7


def test_a_funnel_is_a_value():
    made = [funnel(BODY, as_of=LATE, pipeline=BOARD) for _ in range(2)]
    check_value(*made, funnel(BODY[:3], as_of=LATE, pipeline=BOARD))
    steps = [each.steps[0] for each in made]
    check_value(*steps, made[0].steps[1])
    assert isinstance(made[0], Funnel)
    assert isinstance(steps[0], FunnelStep)


# Doors


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "give a pipeline, or steps"),
        ({"steps": []}, "there is none"),
        ({"steps": [("board", "A"), ("board", "A")]}, "the step 'A' occurs twice"),
        ({"steps": ["A"]}, "'A' alone is no stage"),
        ({"pipeline": BOARD, "steps": ["talk", "x", "call"]}, "'x' is no stage.*'talk' occurs"),
        ({"steps": ABC, "window": -1}, "-1 days are not 0 to 36,525"),
        ({"steps": ABC, "window": timedelta()}, "is not within 0 and 36,525 days"),
        ({"steps": ABC, "window": timedelta(days=99_999)}, "is not within 0 and 36,525 days"),
        ({"steps": ABC, "window": 36_526}, "36526 days"),
    ],
)
def test_steps_and_windows_that_are_none_are_refused(options, fault):
    with pytest.raises(InvalidValueError, match=fault):
        funnel([], as_of=LATE, **options)


def test_whatever_is_no_step_is_refused():
    with pytest.raises(WrongTypeError, match="keys of stages, or pairs of keys"):
        funnel([], as_of=LATE, steps=[("board",)])
    with pytest.raises(WrongTypeError):
        funnel([], as_of=LATE, steps="AB")
    with pytest.raises(SalesPipelineError):
        funnel([], as_of=LATE, pipeline=BOARD, steps=[7])


def is_none(value):
    return value is None


def is_empty(value):
    return isinstance(value, tuple | list | dict | set) and not value


def test_strange_values_are_refused_at_every_door():
    asked = {"as_of": LATE, "steps": ABC}
    check_door(lambda x: funnel(x, **asked), takes=is_empty)
    check_door(lambda x: funnel([], as_of=x, steps=ABC))
    check_door(lambda x: funnel([], as_of=LATE, steps=x))
    check_door(lambda x: funnel([], as_of=LATE, steps=[x]))
    check_door(lambda x: funnel([], as_of=LATE, steps=[("board", x)]),
               takes=lambda x: isinstance(x, str) and bool(x))  # fmt: skip
    check_door(lambda x: funnel([], as_of=LATE, pipeline=x, steps=ABC), takes=is_none)
    check_door(lambda x: funnel([], semantics=x, **asked))
    check_door(lambda x: funnel([], window=x, **asked),
               takes=lambda x: x is None or (type(x) is int and 0 <= x < 9))  # fmt: skip
    check_door(lambda x: funnel([], by=x, **asked), takes=is_none)
    check_door(lambda x: funnel([], by_at=x, **asked))
    check_door(lambda x: funnel([], cluster=x, **asked), takes=is_none)
    check_door(lambda x: funnel([], interval=x, **asked), takes=is_none)
    check_door(
        lambda x: funnel([], cluster="owner", interval="bootstrap", seed=x, **asked),
        takes=lambda x: type(x) is int,
    )
    check_door(lambda x: funnel([], level=x, **asked))
    check_door(lambda x: funnel([], period=x, **asked), takes=is_none)
    check_door(lambda x: funnel([], zone=x, **asked))
    check_door(lambda x: funnel([], resolution=x, **asked), takes=is_none)
    check_door(lambda x: reach([], periods=x, **asked), takes=is_empty)


def test_a_funnel_s_winning_agrees_with_the_cohort_s_rate_where_nothing_is_left_out():
    sold = [*BODY[:3], *BODY[5:]]
    found = funnel(sold, as_of=LATE, pipeline=BOARD, semantics="reached_or_beyond",
                   period=days(0, 9))  # fmt: skip
    assert found.converted == cohort_rate(sold, as_of=LATE, period=days(0, 9))
