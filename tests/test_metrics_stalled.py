"""Which open deals are stalled, by four definitions, and which leads have gone silent."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError
from salespipeline.events import (
    ActivityRecorded,
    Deleted,
    NextStepDone,
    NextStepPlanned,
)
from salespipeline.metrics.stalled import (
    LimitFrom,
    NoLimit,
    StalledBy,
    stall_limits,
    stalled,
)
from salespipeline.money import Money
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.tallies._book import book
from stories import BY_THEN, START, day, deal, euros, lost, moved, won, worth

TWO_WEEKS = timedelta(days=14)
BOARD = Pipeline(
    "board",
    [
        Stage("talk", rot_after=timedelta(days=10)),
        Stage("offer", rot_after=timedelta(days=20)),
        Stage("hold", parked=True, rot_after=timedelta(days=1)),
        Stage("trial"),
        Stage("signed", outcome="won"),
        Stage("gone", outcome="lost"),
    ],
    former={"call": "talk"},
)


def called(at, direction=None):
    return at, ActivityRecorded, {"kind": "call", "direction": direction}


def plans(at, number):
    due = None if number is None else (START + timedelta(days=number)).date()
    return at, NextStepPlanned, {"what": "demo", "due": due}


def names(result):
    return [each.deal for each in result.deals]


# One deal opened on day 0, moved on day 5, worth more on day 8, called on day 12.
STORY = deal(0, moved(5, "offer"), worth(8, euros(700)), called(12), owner="ada")


# The four definitions


@pytest.mark.parametrize(
    ("rule", "clock"),
    [("age", 0), ("time_in_stage", 5), ("last_touch", 12), ("untouched_and_unplanned", 12)],
)
def test_each_definition_has_its_own_clock(rule, clock):
    last_day = clock + 14
    assert names(stalled([STORY], as_of=day(last_day), rule=rule, limits=TWO_WEEKS)) == []
    [found] = stalled([STORY], as_of=day(last_day + 1), rule=rule, limits=TWO_WEEKS).deals
    assert (found.days, found.limit_days, found.limit_from) == (15, 14, LimitFrom.GIVEN)
    assert found.since == date(2026, 1, 1) + timedelta(days=last_day + 1)
    later = stalled([STORY], as_of=day(last_day + 40), rule=rule, limits=TWO_WEEKS)
    assert later.deals[0].since == found.since


def test_a_change_that_is_no_activity_is_a_touch():
    history = deal(0, called(3), worth(9, euros(5)))
    found = stalled([history], as_of=day(30), rule="last_touch", limits=TWO_WEEKS)
    assert found.deals[0].days == 21


def test_a_planned_step_keeps_a_deal_alive_until_it_is_due():
    history = deal(0, called(3), plans(4, 40))

    def at(number, rule="untouched_and_unplanned"):
        return stalled([history], as_of=day(number), rule=rule, limits=TWO_WEEKS).deals

    assert at(40) == ()
    assert at(41)[0].since == (START + timedelta(days=41)).date()
    assert at(41)[0].next_due == (START + timedelta(days=40)).date()
    assert at(60)[0].since == (START + timedelta(days=41)).date()
    assert at(40, "last_touch")[0].since == (START + timedelta(days=19)).date()


def test_a_step_due_before_the_limit_moves_no_date():
    history = deal(0, plans(4, 6))
    [found] = stalled(
        [history], as_of=day(40), rule="untouched_and_unplanned", limits=TWO_WEEKS
    ).deals
    assert found.since == (START + timedelta(days=19)).date()


@pytest.mark.parametrize("steps", [[plans(4, None)], [plans(4, 90), (5, NextStepDone, {})], []])
def test_a_step_without_a_date_or_done_keeps_nothing_alive(steps):
    history = deal(0, *steps)
    found = stalled([history], as_of=day(40), rule="untouched_and_unplanned", limits=TWO_WEEKS)
    assert names(found) == ["d-1"]


def test_a_return_to_the_stage_begins_its_time_again():
    history = deal(0, moved(5, "offer"), moved(20, "talk"))
    assert names(stalled([history], as_of=day(34), rule="time_in_stage", limits=TWO_WEEKS)) == []
    assert names(stalled([history], as_of=day(34), rule="age", limits=TWO_WEEKS)) == ["d-1"]


def test_a_closed_or_deleted_deal_is_not_stalled():
    body = [deal(0, won(4)), deal(0, lost(4)), deal(0, (4, Deleted, {}))]
    found = stalled(body, as_of=day(90), rule="age", limits=TWO_WEEKS)
    assert (found.share.denominator, found.share.value, found.deals) == (0, None, ())


# Limits


def test_without_limits_a_deal_may_stay_as_long_as_its_stage_says():
    body = [deal(0, record="a"), deal(0, moved(1, "offer"), record="b")]
    found = stalled(body, as_of=day(15), rule="time_in_stage", pipelines=[BOARD])
    assert names(found) == ["a"]
    assert (found.deals[0].limit_days, found.deals[0].limit_from) == (10, LimitFrom.STAGE)


def test_limits_may_be_given_by_stage_and_the_rest_is_the_stages_own():
    body = [deal(0, record="a"), deal(0, moved(1, "offer"), record="b")]
    given = {("board", "offer"): timedelta(days=3)}
    found = stalled(
        body, as_of=day(15), rule="time_in_stage", pipelines=[BOARD], limits=given
    ).deals
    assert [(each.deal, each.limit_days, each.limit_from.value) for each in found] == [
        ("b", 3, "given"), ("a", 10, "stage"),
    ]  # fmt: skip


def test_a_retired_stage_has_the_limit_of_its_successor():
    old = deal(0, stage="call")
    found = stalled([old], as_of=day(15), rule="time_in_stage", pipelines=[BOARD])
    assert (found.deals[0].stage, found.deals[0].limit_days) == ("talk", 10)
    given = {("board", "call"): timedelta(days=2)}
    found = stalled([old], as_of=day(3), rule="time_in_stage", pipelines=[BOARD], limits=given)
    assert found.deals[0].limit_days == 2


def test_a_deal_without_a_limit_is_left_out_and_counted():
    body = [deal(0, moved(1, "trial")), deal(0, stage="ghost"), deal(0, stage="talk", pipeline="x")]
    found = stalled(body, as_of=day(90), rule="time_in_stage", pipelines=[BOARD])
    assert found.left_out == {"no_limit": 3}
    assert found.share.denominator == 0


def test_parked_deals_are_exempt():
    body = [deal(0, moved(1, "hold")), deal(0)]
    for rule in StalledBy:
        found = stalled(body, as_of=day(90), rule=rule, pipelines=[BOARD], limits=TWO_WEEKS)
        assert (len(found.deals), found.left_out) == (1, {"parked": 1})


def test_a_deal_of_unknown_age_or_entry_is_left_out_by_that_definition():
    body = [deal(0, start=BY_THEN)]
    options = {"as_of": day(90), "limits": TWO_WEEKS}
    assert stalled(body, rule="age", **options).left_out == {"start_unknown": 1}
    assert stalled(body, rule="time_in_stage", **options).left_out == {"entry_unknown": 1}
    assert stalled(body, rule="last_touch", **options).share.numerator == 1


def test_a_limit_of_part_of_a_day_is_over_with_the_next_whole_one():
    half = timedelta(hours=12)
    [found] = stalled([deal(0)], as_of=day(1), rule="age", limits=half).deals
    assert (found.since, found.limit_days) == (date(2026, 1, 2), 0.5)
    assert stalled([deal(0)], as_of=day(0.9), rule="age", limits=half).deals == ()


def test_days_are_those_of_the_zone():
    history = deal(0.99)
    options = {"as_of": day(15.5), "rule": "age", "limits": TWO_WEEKS}
    assert len(stalled([history], **options).deals) == 1
    assert stalled([history], **options, zone=ZoneInfo("Europe/Berlin")).deals == ()


# Limits learned from history


def stays(*lengths, still=()):
    """Deals that left `talk` after so many days, and such as are there still on day 60."""
    left = [deal(0, moved(length, "offer")) for length in lengths]
    return [*left, *(deal(60 - length) for length in still)]


def test_a_limit_is_the_day_by_which_most_have_left():
    body = stays(*range(1, 11))
    [offer, talk] = stall_limits(body, as_of=day(60), share=0.9, least=5).limits
    assert (talk.stage, talk.days, talk.n, talk.ended, talk.why) == ("talk", 9, 10, 10, None)
    assert (offer.days, offer.why) == (None, NoLimit.TOO_FEW_ENDED)


def test_deals_that_are_still_there_make_the_limit_longer():
    """S: 4 of 8 left by day 4; the four still there for 5 days say that they last longer."""
    body = stays(1, 2, 3, 4, 9, still=[5, 5, 5])
    talk = stall_limits(body, as_of=day(60), share=0.5, least=1).limits[1]
    closed_only = stall_limits(body[:5], as_of=day(60), share=0.5, least=1).limits[1]
    assert (closed_only.days, talk.days) == (3, 4)
    assert (talk.n, talk.ended) == (8, 5)


def test_a_share_that_is_not_reached_gives_no_limit_and_says_so():
    body = stays(1, 2, still=[30, 30, 30])
    limits = stall_limits(body, as_of=day(60), share=0.9, least=1)
    talk = limits.of(("board", "talk"))
    assert (talk.days, talk.why) == (None, NoLimit.NOT_REACHED)
    assert limits.of(("board", "ghost")) is None
    found = stalled(body, as_of=day(60), rule="time_in_stage", limits=limits, pipelines=[BOARD])
    assert found.left_out == {"not_reached": 3, "too_few_ended": 2}


def test_stages_known_to_be_closed_have_no_limit():
    body = [deal(0, won(4)), deal(0, lost(5)), deal(0, moved(3, "ghost"))]
    limits = stall_limits(body, as_of=day(60), pipelines=[BOARD]).limits
    assert [each.stage for each in limits] == ["talk", "offer", "hold", "trial", "ghost"]
    unknown = stall_limits(body, as_of=day(60)).limits
    assert [each.stage for each in unknown] == ["ghost", "gone", "signed", "talk"]


def test_learned_limits_are_given_on_and_told():
    body = stays(*range(1, 11), still=[9, 10, 50])
    limits = stall_limits(body, as_of=day(60), share=0.75, least=5)
    talk = limits.of(("board", "talk"))
    found = stalled(body, as_of=day(60), rule="time_in_stage", limits=limits)
    long = [each for each in found.deals if each.stage == "talk"]
    assert {each.limit_from for each in long} == {LimitFrom.LEARNED}
    assert [each.days for each in long] == [n for n in (50, 10, 9) if n > talk.days]
    assert limits.to_dicts()[1]["days"] == talk.days
    assert limits.as_of == day(60)


def test_a_stage_of_which_nothing_was_learned_has_its_own_limit():
    limits = stall_limits(stays(1, 2), as_of=day(60), least=1)
    body = [deal(0, moved(1, "offer", "lean"), pipeline="lean", stage="x")]
    lean = Pipeline("lean", [Stage("offer", rot_after=TWO_WEEKS)])
    found = stalled(body, as_of=day(60), rule="time_in_stage", limits=limits, pipelines=[lean])
    assert found.deals[0].limit_from is LimitFrom.STAGE


def test_ages_are_learned_by_pipeline():
    body = [*(deal(0, won(n)) for n in (10, 20, 30, 40)), deal(0, pipeline="lean")]
    limits = stall_limits(body, as_of=day(60), rule="age", share=0.75, least=2)
    told = [(each.pipeline, each.stage, each.days, each.why) for each in limits.limits]
    assert told == [("board", None, 30, None), ("lean", None, None, NoLimit.TOO_FEW_ENDED)]
    open_deals = [deal(0, moved(50, "offer"), record="old"), deal(40, record="new")]
    found = stalled(open_deals, as_of=day(60), rule="age", limits=limits)
    assert names(found) == ["old"]


def test_limits_learned_for_one_definition_are_not_for_another():
    limits = stall_limits([], as_of=day(60))
    with pytest.raises(InvalidValueError, match="learned for 'time_in_stage', not for 'age'"):
        stalled([], as_of=day(60), rule="age", limits=limits)
    with pytest.raises(InvalidValueError, match="history says limits for"):
        stall_limits([], as_of=day(60), rule="last_touch")
    with pytest.raises(InvalidValueError, match="is not at least 1"):
        stall_limits([], as_of=day(60), least=0)


# The result


def test_stalled_deals_come_with_counts_amounts_and_the_longest_first():
    body = [
        deal(0, record="b", amount=euros(100)),
        deal(3, record="c"),
        deal(0, record="a", amount=euros(50), owner="ada"),
        deal(30, record="d", amount=euros(9)),
    ]
    found = stalled(body, as_of=day(40), rule="age", limits=TWO_WEEKS)
    assert names(found) == ["a", "b", "c"]
    assert (found.share.numerator, found.share.denominator) == (3, 4)
    assert (found.amounts.n, found.amounts.total()) == (3, Money(150, "EUR"))
    assert found.amounts.without_amount == 1
    assert (found.deals[0].owner, found.deals[0].pipeline) == ("ada", "board")
    rows = found.to_dicts()
    assert [row["deal"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["limit_from"] == "given"
    assert "since" in str(found)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("age", "is 39 days old, 14 at most (given)"),
        ("last_touch", "has been untouched for 39 days, 14 at most (given)"),
        ("time_in_stage", "has been in 'talk' for 39 days, 14 at most (given)"),
        (
            "untouched_and_unplanned",
            "has been untouched for 39 days, with nothing planned, 14 at most (given)",
        ),
    ],
)
def test_a_stalled_deal_says_why(rule, words):
    [found] = stalled([deal(1)], as_of=day(40), rule=rule, limits=TWO_WEEKS).deals
    assert found.why == words


def test_stalled_by_owner_is_of_who_works_the_deal_now():
    body = [deal(0, owner="ada"), deal(0, owner="bob"), deal(30, owner="bob")]
    found = stalled(body, as_of=day(40), rule="age", limits=TWO_WEEKS, by="owner")
    assert {owner: each.share.denominator for owner, each in found.items()} == {"ada": 1, "bob": 2}
    assert found.as_of == day(40)


def test_a_book_counted_elsewhere_will_do():
    body = [deal(0, record="a"), deal(3, record="b")]
    tally = book(body[:1], as_of=day(40)) + book(body[1:], as_of=day(40))
    found = stalled(tally, rule="age", limits=TWO_WEEKS)
    assert found == stalled(body, as_of=day(40), rule="age", limits=TWO_WEEKS)
    assert len(stalled(tally + tally, rule="age", limits=TWO_WEEKS).deals) == 4
    fine = book(body, as_of=day(40), resolution=timedelta(hours=1))
    with pytest.raises(InvalidValueError, match="with a resolution"):
        stalled(fine, rule="age", limits=TWO_WEEKS)


def test_results_are_values():
    def made(limit=14):
        return stalled([STORY], as_of=day(40), rule="age", limits=timedelta(days=limit))

    check_value(made(), made(), made(15), stalled([], as_of=day(40), rule="age"))
    check_value(made().deals[0], made().deals[0], made(15).deals[0])
    limits = [stall_limits(stays(1, 2), as_of=day(60), least=n) for n in (1, 1, 3)]
    check_value(*limits)


def test_absurd_limits_are_refused_all_at_once():
    options = {"as_of": day(40), "rule": "age"}
    for absurd in (timedelta(), timedelta(days=-1), timedelta.max):
        with pytest.raises(InvalidValueError, match="is not a timedelta over 0"):
            stalled([], **options, limits=absurd)
    wrong = {("board", "talk"): 14, "talk": TWO_WEEKS, ("board",): timedelta()}
    with pytest.raises(InvalidValueError) as caught:
        stalled([], **options, limits=wrong)
    assert len(caught.value.faults) == 4


def test_strange_input_is_refused():
    options = {"as_of": day(40), "rule": "age", "limits": TWO_WEEKS}
    check_door(
        lambda value: stalled([STORY], **options | {"limits": value}),
        takes=lambda value: value is None or value == {},
    )
    check_door(lambda value: stalled([STORY], **options | {"rule": value}))
    check_door(lambda value: stalled([STORY], **options | {"as_of": value}))
    check_door(lambda value: stalled([STORY], **options, zone=value))
    check_door(lambda value: stalled([STORY], **options, level=value))
    check_door(lambda value: stalled([STORY], **options, pipelines=value), takes=_empty)
    check_door(lambda value: stalled(value, **options), takes=_empty)
    check_door(lambda value: stalled([STORY], **options, by=value), takes=lambda v: v is None)
    check_door(lambda value: stall_limits([STORY], as_of=day(40), share=value))
    check_door(lambda value: stall_limits([STORY], as_of=day(40), least=value), takes=_is_positive)


def _empty(value):
    return isinstance(value, (list, tuple, dict, set, bytes, bytearray)) and not value


def _is_positive(value):
    return type(value) is int and value > 0
