"""How long deals stay in stages."""

from datetime import timedelta
from fractions import Fraction
from math import inf

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError
from salespipeline.metrics.durations import Durations
from salespipeline.metrics.stage_time import (
    stage_speed,
    time_in_stage,
    total_time_in_stage,
)
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.tallies import visits
from salespipeline.tallies._stage_totals import stage_totals
from stories import BY_THEN, day, deal, given_to, lost, moved, reopened, won

HOUR = timedelta(hours=1)
BOARD = Pipeline(
    "board",
    [Stage("talk"), Stage("offer"), Stage("signed", outcome="won")],
    former={"call": "talk"},
)


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


# First, latest and all visits of a deal together

# In the talk from 0 to 4 and again from 7 on; the second deal leaves it for good.
BACK = deal(0, moved(4, "offer"), moved(7, "talk"))
AWAY = deal(0, moved(6, "offer"), owner="bob")


def of(stages, key):
    return next(each for each in stages if each.stage == key)


@pytest.mark.parametrize(
    ("visit", "finished", "still_there", "total"),
    [
        ("every", Durations(2, 5.0, 5.0), 1, 13),
        ("first", Durations(2, 5.0, 5.0), 0, 10),
        ("latest", Durations(1, 6.0, 6.0), 1, 9),
    ],
)
def test_a_visit_chosen_is_each_deals_first_or_latest(visit, finished, still_there, total):
    talk = of(time_in_stage([BACK, AWAY], as_of=day(10), visit=visit), "talk")
    assert (talk.finished, talk.still_there, talk.total_days) == (finished, still_there, total)


def test_all_visits_of_a_deal_together_are_its_total():
    offer, talk = total_time_in_stage([BACK, AWAY], as_of=day(10))
    # 4 + 3 days and still there; 6 days and gone
    assert (talk.finished, talk.still_there, talk.total_days) == (Durations(1, 6.0, 6.0), 1, 13)
    assert [(step.day, step.at_risk) for step in talk.survival.steps] == [(6, 2)]
    assert (offer.finished, offer.still_there, offer.total_days) == (Durations(1, 3.0, 3.0), 1, 7)


def test_what_is_judged_from_before_a_return_has_left_for_good():
    latest = time_in_stage([BACK], as_of=day(5), visit="latest")
    assert of(latest, "talk").finished == Durations(1, 4.0, 4.0)
    assert total_time_in_stage([BACK], as_of=day(5))[1].finished == Durations(1, 4.0, 4.0)


def test_hubspots_latest_time_is_empty_or_stale_while_a_deal_is_in_the_stage_and_ours_is_not():
    """HubSpot's hs_v2_latest_time_in shows the visit before, 4 days, until the deal leaves.

    Source: knowledge.hubspot.com/properties/stage-calculated-properties.
    """
    latest = of(time_in_stage([BACK], as_of=day(30), visit="latest"), "talk")
    assert (latest.finished.n, latest.still_there, latest.total_days) == (0, 1, 23)
    first = of(time_in_stage([deal(0)], as_of=day(30), visit="latest"), "talk")
    assert (first.survival.n, first.total_days) == (1, 30)
    # HubSpot's cumulative time is the same sum, open or not
    assert of(total_time_in_stage([BACK], as_of=day(30)), "talk").total_days == 4 + 23


def test_a_total_with_a_visit_of_unknown_length_has_none():
    cut = deal(0, moved(3, "offer"), moved(5, "talk"), moved(8, "offer"), start=BY_THEN)
    back = deal(9, moved(7, "offer"), moved(9, "talk"))
    away = deal(9, moved(7, "offer"))
    talk = of(total_time_in_stage([cut, back, away], as_of=day(20)), "talk")
    assert (talk.finished.n, talk.survival.n, talk.total_days) == (0, 0, 0)
    assert talk.finished.left_out == {"entry_unknown": 1, "negative_duration": 1}
    assert talk.survival.left_out == {"entry_unknown": 1, "negative_duration": 2}
    offer = of(total_time_in_stage([cut], as_of=day(20)), "offer")
    assert offer.total_days == 2 + 12


def test_a_total_takes_a_retired_stage_for_its_successor():
    renamed = deal(0, moved(3, "talk"), moved(8, "offer"), stage="call")
    talk, offer, signed = total_time_in_stage([renamed], as_of=day(9), pipelines=[BOARD])
    assert (talk.stage, talk.finished) == ("talk", Durations(1, 8.0, 8.0))
    assert (offer.total_days, signed.survival.n) == (1, 0)
    apart = total_time_in_stage([renamed], as_of=day(9))
    assert [(each.stage, each.total_days) for each in apart] == [
        ("call", 3),
        ("offer", 1),
        ("talk", 5),
    ]


def test_a_tally_of_totals_finishes_with_the_pipelines_that_it_was_counted_with():
    tally = stage_totals([BACK, AWAY], as_of=day(10), pipelines=[BOARD])
    whole = total_time_in_stage([BACK, AWAY], as_of=day(10), pipelines=[BOARD])
    assert total_time_in_stage(tally, pipelines=[BOARD]) == whole
    with pytest.raises(InvalidValueError, match="without the retired stages"):
        total_time_in_stage(stage_totals([BACK], as_of=day(10)), pipelines=[BOARD])
    with pytest.raises(InvalidValueError, match="counts visits"):
        total_time_in_stage(visits([BACK], as_of=day(10)))


def test_deals_that_go_the_same_way_are_counted_each():
    talk = of(total_time_in_stage([AWAY, AWAY, BACK, BACK], as_of=day(10)), "talk")
    assert (talk.finished.n, talk.still_there, talk.total_days) == (2, 2, 26)
    renamed = deal(0, moved(3, "talk"), moved(8, "offer"), stage="call")
    found = total_time_in_stage([renamed, renamed], as_of=day(9), pipelines=[BOARD])
    assert found[0].finished == Durations(2, 8.0, 8.0)


def test_totals_by_owner_are_of_who_owned_the_deal_when_it_first_entered():
    history = deal(0, given_to(1, "bob"), moved(4, "offer"), moved(6, "talk"), owner="ada")
    grouped = total_time_in_stage([history], as_of=day(9), by="owner")
    assert {who: [(e.stage, e.total_days) for e in stages] for who, stages in grouped.items()} == {
        "ada": [("talk", 7)],
        "bob": [("offer", 2)],
    }


def test_totals_at_a_finer_resolution_are_in_days():
    history = deal(0, moved(1.75, "offer"), moved(2, "talk"))
    assert of(total_time_in_stage([history], as_of=day(3)), "talk").total_days == 2
    fine = of(total_time_in_stage([history], as_of=day(3), resolution=HOUR), "talk")
    assert fine.total_days == 2.75


def test_which_visit_and_which_pipelines_are_checked():
    check_door(lambda value: time_in_stage([], as_of=day(1), visit=value))

    def empty(value):
        return isinstance(value, tuple | list | dict | set) and not value

    check_door(lambda value: total_time_in_stage([], as_of=day(1), pipelines=value), takes=empty)
    check_door(lambda value: stage_speed([], as_of=day(1), pipelines=value), takes=empty)
    check_door(
        lambda value: stage_speed([], as_of=day(1), pipelines=[BOARD], within_days=value),
        takes=lambda value: value is None or (type(value) in (int, float) and 0 <= value < inf),
    )


# Speed

DESK = Pipeline(
    "board",
    [
        Stage("talk", rot_after=timedelta(days=5)),
        Stage("hold", parked=True),
        Stage("offer"),
        Stage("idle"),
        Stage("signed", outcome="won"),
    ],
)
FLOW = (
    deal(0, moved(4, "offer"), won(10)),
    deal(0, moved(6, "hold"), moved(26, "offer"), lost(30, stage="lost")),
    deal(2),
    deal(0, stage="aside"),
)


def test_a_stage_is_as_fast_as_its_days_for_each_visit_that_ended():
    speeds = stage_speed(FLOW, as_of=day(32), pipelines=[DESK])
    talk, hold, offer, idle = speeds.stages
    # 4 and 6 days that ended, 30 that go on
    assert (talk.visits, talk.ended, talk.total_days, talk.mean_days) == (3, 2, 40, 20)
    assert (offer.visits, offer.ended, offer.total_days, offer.mean_days) == (2, 2, 10, 5)
    assert (idle.visits, idle.mean_days, idle.median_days, idle.against_all) == (
        0,
        None,
        None,
        None,
    )
    # all stages that deals are worked in: (40 + 10) days, 4 visits ended
    assert speeds.mean_days == Fraction(25, 2)
    assert (talk.against_all, offer.against_all) == (Fraction(8, 5), Fraction(2, 5))
    assert (talk.median_days, offer.median_days) == (6, 4)
    assert (hold.parked, hold.visits, hold.ended, hold.total_days) == (True, 1, 1, 20)
    assert (hold.mean_days, hold.median_days, hold.share_within, hold.against_all) == (None,) * 4
    assert speeds.left_out == {"unknown_stage": 1}


def test_the_share_within_so_many_days_counts_visits_that_go_on():
    talk, _, offer, _ = stage_speed(FLOW, as_of=day(32), pipelines=[DESK]).stages
    assert (talk.within_days, talk.share_within) == (5, pytest.approx(1 / 3))
    assert talk.interval.low < talk.share_within < talk.interval.high
    assert (offer.within_days, offer.share_within, offer.interval) == (None, None, None)
    talk, _, offer, _ = stage_speed(FLOW, as_of=day(32), pipelines=[DESK], within_days=6).stages
    assert (talk.share_within, offer.share_within) == (pytest.approx(2 / 3), 1.0)


def test_speeds_are_a_value_with_a_row_for_each_stage():
    one, same = (stage_speed(FLOW, as_of=day(32), pipelines=[DESK]) for _ in range(2))
    check_value(one, same, stage_speed(FLOW, as_of=day(31), pipelines=[DESK]))
    check_value(one.stages[0], same.stages[0], one.stages[2])
    rows = one.to_dicts()
    assert [row["stage"] for row in rows] == ["talk", "hold", "offer", "idle"]
    assert [row["against_all"] for row in rows] == [1.6, None, 0.4, None]
    assert (rows[0]["low"], rows[2]["low"]) == (one.stages[0].interval.low, None)


def test_a_visit_of_unknown_length_has_no_speed_and_is_counted():
    cut = deal(0, moved(3, "offer"), start=BY_THEN)
    speeds = stage_speed([cut], as_of=day(9), pipelines=[DESK])
    assert (speeds.stages[0].visits, speeds.left_out) == (0, {"entry_unknown": 1})
    assert speeds.mean_days is None


def test_closed_stages_have_no_speed_and_are_not_left_out():
    speeds = stage_speed([deal(0, lost(3, stage="lost"))], as_of=day(9), pipelines=[DESK])
    assert [each.stage for each in speeds.stages] == ["talk", "hold", "offer", "idle"]
    assert speeds.left_out == {}


def test_where_no_stage_takes_any_time_none_is_slower_than_another():
    talk = stage_speed([deal(0, moved(0, "offer"), won(0))], as_of=day(0), pipelines=[DESK]).stages[
        0
    ]
    assert (talk.mean_days, talk.against_all) == (0, None)


def test_speed_is_of_any_resolution_and_of_groups():
    history = deal(0, moved(1.5, "offer"), owner="ada")
    fine = stage_speed([history], as_of=day(2), pipelines=[DESK], resolution=HOUR)
    assert fine.mean_days == 2  # 1.5 days there and half a day in the offer, for one visit ended
    assert stage_speed([history], as_of=day(2), pipelines=[DESK], by="owner").keys() == {"ada"}
    assert stage_speed(visits([history], as_of=day(2)), pipelines=[DESK]).mean_days == 2
    reborn = deal(0, lost(4, stage="lost"), reopened(6))
    assert stage_speed([reborn], as_of=day(8), pipelines=[DESK]).stages[0].total_days == 6
