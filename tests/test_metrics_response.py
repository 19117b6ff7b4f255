"""How soon leads are answered."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import ActivityRecorded, Deleted, Direction, OwnerChanged
from salespipeline.metrics._figure import Rate
from salespipeline.metrics.response import answered_within, lead_response_time
from salespipeline.tallies import Moment
from salespipeline.tallies._responses import responses
from salespipeline.working import WorkingHours
from stories import BY_THEN, contact, day, days, deal, reached

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def minutes(number):
    """So many minutes as days."""
    return number / 1440


def touched(at, kind="call", direction=Direction.OUTBOUND):
    return at, ActivityRecorded, {"kind": kind, "direction": direction}


def wrote(at):
    return touched(at, kind="email", direction=Direction.INBOUND)


def passed_to(at, owner):
    return at, OwnerChanged, {"owner": owner}


def lead(*steps, at=0, **facts):
    return contact(at, *steps, stage="lead", **facts)


BODY = (
    lead(touched(minutes(3))),
    lead(touched(minutes(10)), touched(minutes(12))),
    lead(wrote(minutes(2)), touched(minutes(30))),
    lead(),
    contact(0, touched(minutes(1))),
)
NOW = day(minutes(60))


def rows(histories, **asked):
    tally = responses(histories, **{"as_of": NOW} | asked)
    return {(row.wait, row.why, row.answered): count.n for row, count in tally.rows.items()}


def _is_none(value):
    return value is None


# Counting


def test_a_lead_waits_from_becoming_one_to_the_first_outbound_touch():
    assert rows(BODY) == {
        (3, None, True): 1,
        (10, None, True): 1,
        (30, None, True): 1,
        (60, None, False): 1,
    }


def test_a_contact_waits_from_when_it_became_a_lead():
    later = contact(0, reached(minutes(20), "marketing_qualified_lead"), touched(minutes(25)))
    assert rows([later]) == {(5, None, True): 1}
    assert rows([contact(0, reached(0, "subscriber"), touched(minutes(5)))]) == {}


def test_an_answer_takes_the_minutes_begun_and_silence_the_whole_ones():
    second = minutes(1) / 60
    assert rows([lead(touched(5 * second))]) == {(1, None, True): 1}
    assert rows([lead(touched(minutes(5)))]) == {(5, None, True): 1}
    assert rows([lead(touched(minutes(5) + second))]) == {(6, None, True): 1}
    assert rows([lead(touched(0))]) == {(0, None, True): 1}
    assert rows([lead()], as_of=day(minutes(5) + second)) == {(5, None, False): 1}


def test_only_kinds_that_people_do_count_where_they_are_named():
    machine = lead(touched(minutes(1), "newsletter"), touched(minutes(9), "call"))
    assert rows([machine]) == {(1, None, True): 1}
    assert rows([machine], kinds=["email", "call"]) == {(9, None, True): 1}
    assert rows([machine], kinds=["meeting"]) == {(60, None, False): 1}


def test_an_activity_of_no_direction_is_no_answer():
    assert rows([lead(touched(minutes(1), direction=None))]) == {(60, None, False): 1}


def test_a_touch_before_the_lead_came_leaves_it_out_by_reason():
    earlier = contact(0, touched(minutes(5)), reached(minutes(9), "lead"), touched(minutes(11)))
    assert rows([earlier]) == {(None, "negative_duration", True): 1}


def test_the_earliest_touch_counts_in_whatever_order_they_were_written_down():
    assert rows([lead(touched(minutes(9)), touched(minutes(4)))]) == {(4, None, True): 1}


def test_an_unknown_beginning_leaves_a_lead_out_by_reason():
    by_then = lead(touched(minutes(9)), start=BY_THEN)
    late = lead(touched(minutes(9)), observed_from=day(minutes(5)))
    complete = lead(touched(minutes(9)), observed_from=day(0))
    assert rows([by_then, late, complete]) == {
        (None, "start_unknown", True): 1,
        (None, "entry_unknown", True): 1,
        (9, None, True): 1,
    }
    became = contact(0, reached(minutes(8), "lead"), touched(minutes(9)), start=BY_THEN)
    assert rows([became]) == {(1, None, True): 1}


def test_what_is_deleted_or_comes_later_is_not_there():
    gone = lead((minutes(3), Deleted, {}))
    assert rows([gone, lead(at=9)]) == {}
    assert rows([lead(touched(minutes(90)))]) == {(60, None, False): 1}


def test_nights_and_weekends_do_not_count_in_working_hours():
    office = WorkingHours(time(9), time(17))
    weekend = lead(touched(4.5), at=1.625)  # from Friday at three to Monday noon
    assert rows([weekend], as_of=day(9), hours=office) == {(5 * 60, None, True): 1}
    assert rows([weekend], as_of=day(9)) == {((9 + 48 + 12) * 60, None, True): 1}
    silent = lead(at=1.625)  # two hours on Friday, Monday to Thursday, and not yet on Friday
    assert rows([silent], as_of=day(8), hours=office) == {((2 + 4 * 8) * 60, None, False): 1}


def test_a_touch_outside_working_hours_answers_at_once_and_never_before():
    office = WorkingHours(time(9), time(17), ZoneInfo("Europe/Berlin"))
    night = lead(touched(minutes(60)))
    assert rows([night], hours=office) == {(0, None, True): 1}
    backward = contact(0, touched(0), reached(minutes(9), "lead"))
    assert rows([backward], hours=office) == {(None, "negative_duration", True): 1}


def test_periods_place_leads_by_when_they_became_one():
    tally = responses(BODY, as_of=NOW, periods=[days(-1, 0), days(0, 1)])
    assert {row.created for row in tally.rows} == {1}


def test_groups_are_of_the_lead_then_of_its_answer_or_of_now():
    history = lead(
        passed_to(minutes(1), "bob"),
        touched(minutes(2)),
        passed_to(minutes(3), "eve"),
        owner="ada",
    )
    silent = lead(passed_to(minutes(1), "bob"), owner="ada")

    def owners(moment):
        tally = responses([history, silent], as_of=NOW, by="owner", by_at=moment)
        return sorted((row.group, row.answered) for row in tally.rows)

    assert owners(Moment.CREATION) == [("ada", False), ("ada", True)]
    assert owners(Moment.CLOSING) == [("bob", False), ("bob", True)]
    assert owners(Moment.AS_OF) == [("bob", False), ("eve", True)]


def test_a_tally_says_how_it_was_counted_and_adds_only_to_one_counted_alike():
    tally = responses(BODY, as_of=NOW, kinds=["call", "email", "call"])
    assert dict(tally.settings) == {"kinds": ("call", "email"), "hours": None}
    assert tally.resolution == MINUTE
    other = responses(BODY, as_of=NOW)
    with pytest.raises(InvalidValueError, match="settings differs"):
        _ = tally + other
    assert (other + other).n == 2 * other.n == 8


def test_what_is_no_answer_at_all_is_refused():
    def empty(value):
        return isinstance(value, tuple | list | dict | set) and not value

    check_door(lambda value: responses(value, as_of=NOW), takes=empty)
    check_door(lambda value: responses([], as_of=value))
    check_door(
        lambda value: responses([], as_of=NOW, kinds=value),
        takes=lambda value: value is None or (isinstance(value, dict) and bool(value)),
    )
    check_door(lambda value: responses([], as_of=NOW, hours=value), takes=_is_none)
    check_door(lambda value: responses([], as_of=NOW, resolution=value))
    check_door(lambda value: responses([], as_of=NOW, by_at=value))
    with pytest.raises(InvalidValueError, match="not more than nothing"):
        responses([], as_of=NOW, resolution=timedelta())
    with pytest.raises(WrongTypeError):
        responses([deal(0)], as_of=NOW)


# The figure


def test_silence_counts_as_waiting_and_is_not_left_out():
    found = lead_response_time(BODY, as_of=NOW)
    assert (found.n, found.answered) == (4, 3)
    # 3, 10 and 30 of four, one still waiting after 60
    assert (found.median_minutes, found.p90_minutes) == (10, None)
    assert [step.survival for step in found.survival.steps] == [0.75, 0.5, 0.25]
    answered = lead_response_time(BODY[:3], as_of=NOW)
    assert (answered.median_minutes, answered.p90_minutes) == (10, 30)


def test_the_figure_is_of_leads_of_a_period_and_of_groups():
    body = [lead(touched(minutes(3)), source="web"), lead(touched(2.1), at=2, source="fair")]
    of_day = lead_response_time(body, as_of=day(9), period=days(2, 3))
    assert (of_day.n, of_day.median_minutes, of_day.period) == (1, 144, days(2, 3))
    by_source = lead_response_time(body, as_of=day(9), by="source")
    assert {source: each.median_minutes for source, each in by_source.items()} == {
        "web": 3,
        "fair": 144,
    }
    now = lead_response_time(body, as_of=day(9), by="source", by_at="as_of")
    assert now == by_source


def test_another_unit_is_told_in_minutes():
    found = lead_response_time(BODY, as_of=NOW, resolution=HOUR)
    assert (found.median_minutes, found.survival.last_day) == (60, 60)


def test_a_response_time_is_a_value_and_a_row():
    one, same = (lead_response_time(BODY, as_of=NOW) for _ in range(2))
    check_value(one, same, lead_response_time(BODY[:3], as_of=NOW))
    [row] = one.to_dicts()
    assert (row["n"], row["answered"], row["median_minutes"], row["p90_minutes"]) == (
        4,
        3,
        10,
        None,
    )


def test_nothing_has_no_median():
    found = lead_response_time([], as_of=NOW)
    assert (found.n, found.median_minutes, found.p90_minutes) == (0, None, None)


# Within a promised time


def test_the_share_within_a_promise_counts_what_still_has_time():
    """Two leads of five minutes' age, one answered, and ten of an hour's, all answered at 20."""
    young = [lead(at=minutes(55)), lead(touched(minutes(58)), at=minutes(55))]
    old = [lead(touched(minutes(20))) for _ in range(10)]
    found = answered_within([*young, *old], promise=30 * MINUTE, as_of=NOW)
    assert found.so_far == Rate.of(11, 12)  # as if the young one had failed
    assert found.share == 1.0
    soon = answered_within([*young, *old], promise=10 * MINUTE, as_of=NOW)
    assert (soon.share, soon.so_far) == (pytest.approx(1 / 12), Rate.of(1, 12))
    assert soon.interval.low < soon.share < soon.interval.high


def test_a_promise_is_kept_to_the_second():
    second = minutes(1) / 60
    in_time, late = lead(touched(minutes(5))), lead(touched(minutes(5) + second))
    found = answered_within([in_time, late], promise=5 * MINUTE, as_of=NOW)
    assert (found.share, found.so_far.numerator) == (0.5, 1)


def test_nobody_knows_of_a_promise_longer_than_anybody_was_watched():
    found = answered_within([lead()], promise=2 * HOUR, as_of=NOW)
    assert (found.share, found.interval, found.so_far) == (None, None, Rate.of(0, 1))
    assert answered_within([], promise=HOUR, as_of=NOW).so_far.value is None


def test_what_is_left_out_is_in_neither_and_is_counted():
    found = answered_within([*BODY, lead(touched(1), start=BY_THEN)], promise=HOUR, as_of=NOW)
    assert (found.so_far.denominator, found.left_out) == (4, {"start_unknown": 1})


def test_within_a_promise_is_a_value_of_any_group():
    one, same = (answered_within(BODY, promise=HOUR, as_of=NOW) for _ in range(2))
    check_value(one, same, answered_within(BODY, promise=2 * HOUR, as_of=NOW))
    grouped = answered_within(BODY, promise=HOUR, as_of=NOW, by="source", period=days(0, 1))
    assert grouped == {None: one}


def test_a_promise_is_a_whole_number_of_units():
    check_door(lambda value: answered_within([], promise=value, as_of=NOW))
    with pytest.raises(InvalidValueError, match="no whole number of units"):
        answered_within([], promise=timedelta(seconds=90), as_of=NOW)
    with pytest.raises(InvalidValueError, match="is negative"):
        answered_within([], promise=-MINUTE, as_of=NOW)
    fine = answered_within(BODY, promise=timedelta(seconds=90), as_of=NOW, resolution=MINUTE / 60)
    assert fine.so_far.numerator == 0


def test_a_tally_finishes_to_the_figure_and_says_no_to_other_questions():
    office = WorkingHours(time(0), time(1))
    tally = responses(BODY, as_of=NOW, kinds=["call"], hours=office)
    whole = lead_response_time(BODY, as_of=NOW, kinds=["call"], hours=office)
    assert lead_response_time(tally) == whole
    assert lead_response_time(tally, kinds=["call"], hours=office, resolution=MINUTE) == whole
    assert answered_within(tally, promise=HOUR).so_far.denominator == 4
    for other in (
        {"kinds": ["email"]},
        {"hours": WorkingHours(time(9), time(17))},
        {"resolution": HOUR},
        {"by_at": "as_of"},
    ):
        with pytest.raises(InvalidValueError, match="it was counted with"):
            lead_response_time(tally, **other)
    check_door(lambda value: lead_response_time([], as_of=NOW, by_at=value), takes=_is_none)
