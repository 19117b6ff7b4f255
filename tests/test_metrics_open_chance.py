"""The chance of an open deal: by hand, by the definition in fractions, and at every door."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, SalesPipelineError, UnknownKeyError
from salespipeline.events import ActivityRecorded, Lost, Moved, Opened, Reopened, Start, Won
from salespipeline.history import DealHistory
from salespipeline.metrics._semi_markov import Cell, Model
from salespipeline.metrics.open_chance import ChanceBasis, chance_table, win_chances
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.tallies import Why, lifetimes, visits

FIRST = datetime(2026, 1, 1, 9, tzinfo=UTC)
TWO = Pipeline("p", [Stage("a"), Stage("b")], former={"old": "a"})
A, B = ("p", "a"), ("p", "b")


def on(day):
    return FIRST + timedelta(days=day)


def deal(name, opened, *steps, **facts):
    """A deal from the day it was opened, with steps of (days later, where to)."""
    at, left = opened, facts.pop("stage", "a")
    events = [Opened(record=name, sequence=1, at=on(at), pipeline="p", stage=left, **facts)]
    for later, to in steps:
        at += later
        kind = {"won": Won, "lost": Lost, "again": Reopened}.get(to, Moved)
        stage = "a" if to == "again" else to
        said = {"record": name, "sequence": len(events) + 1, "at": on(at), "pipeline": "p"}
        events.append(kind(stage=stage, stage_left=left, **said))
        left = stage
    return DealHistory(events)


def several(number, name, *args, **facts):
    return [deal(f"{name}-{n}", *args, **facts) for n in range(number)]


ONE_STAGE = [
    *several(15, "won", 0, (1, "won")),
    *several(15, "lost", 0, (2, "lost")),
    *several(30, "open", 0),
]


# By hand


def test_the_chance_of_one_stage_is_the_share_won_by_hand():
    # Day 1: 15 of 60 won. Day 2: 15 of 45 lost. Day 3: 30 are there. From day 4 on the pooled
    # rate holds: 15 won and 15 lost in 60 + 60 + 45 + 30 = 195 days at risk.
    table = chance_table(ONE_STAGE, as_of=on(3), horizon_days=2, ages=[0, 1, 2, 3, 4, 50])
    rate = 15 / 195
    assert [row.chance for row in table] == pytest.approx(
        [15 / 60, 15 / 60, 0, rate, rate + (1 - 2 * rate) * rate, rate + (1 - 2 * rate) * rate]
    )
    assert [row.ever for row in table] == pytest.approx(
        [0.25 + 0.25, 0.25 + 0.25, 1 / 3, 0.5, 0.5, 0.5]
    )
    assert [row.at_risk for row in table] == [60, 60, 45, 30, 60, 60]
    assert {(row.pipeline, row.stage, row.visits, row.exits) for row in table} == {
        ("p", "a", 60, 30)
    }


def test_several_moves_on_one_day_take_no_day_by_hand():
    deals = several(60, "d", 0, (1, "b"), (0, "won"))
    one, two = (
        chance_table(deals, as_of=on(9), horizon_days=days, ages=[0])[0].chance for days in (1, 2)
    )
    assert (one, two) == pytest.approx((0, 1))


def test_moves_within_one_day_may_come_round_by_hand():
    # From a, a third is won on the next day and two thirds go to b at once; from b half go back
    # to a at once, and half are lost: W_a(2) = 1/3 + 2/3 * 1/2 * W_a(2), so W_a(2) = 1/2.
    counts = {
        Cell(A, 1, Outcome.WON): 40, Cell(A, 0, B): 80,
        Cell(B, 0, A): 50, Cell(B, 0, Outcome.LOST): 50,
    }  # fmt: skip
    within = Model.of(counts, {}).within(2)
    assert within.entering(A, 1) == pytest.approx(0)
    assert within.entering(A, 2) == pytest.approx(1 / 2)
    assert within.entering(B, 2) == pytest.approx(1 / 4)
    round_and_round = Model.of({Cell(A, 0, B): 50, Cell(B, 0, A): 50}, {})
    assert round_and_round.within(3).entering(A, 3) == 0
    assert set(round_and_round.entering().values()) == {0}


def test_every_open_deal_is_told_of_with_what_is_under_it():
    rows = win_chances(ONE_STAGE, as_of=on(3), horizon_days=1)
    assert len(rows) == 30
    assert [row.deal for row in rows] == sorted(row.deal for row in rows)
    first = rows[0]
    assert (first.stage_age, first.deal_age, first.visits, first.at_risk) == (3, 3, 60, 30)
    assert first.chance == pytest.approx(0)
    assert first.ever == pytest.approx(0.5)
    assert (first.basis, first.why, first.interval) == (ChanceBasis.STAGE, None, None)
    assert rows.to_dicts()[0]["chance"] == first.chance
    check_value(first, win_chances(ONE_STAGE, as_of=on(3), horizon_days=1)[0], rows[1])


def test_a_stage_that_nothing_has_left_asks_the_age_of_the_deal():
    # 60 deals begin in a; 30 are won in a day, five on the fourth; five stand in b.
    deals = [
        *several(30, "won", 0, (1, "won")),
        *several(5, "late", 0, (4, "won")),
        *several(5, "b-open", 0, (1, "b")),
        *several(20, "open", 0),
    ]
    rows = {row.deal: row for row in win_chances(deals, as_of=on(4), horizon_days=1)}
    thin = rows["b-open-0"]
    assert thin.basis is ChanceBasis.DEAL_AGE
    assert (thin.stage, thin.stage_age, thin.deal_age, thin.visits) == ("b", 3, 4, 60)
    # Of the 30 deals that were there at the age of four days, five were won.
    assert thin.chance == pytest.approx(5 / 30)
    assert rows["open-0"].basis is ChanceBasis.STAGE


AHEAD = {"as_of": on(4), "horizon_days": 30}


def test_a_stage_on_the_way_that_nothing_has_left_is_stood_in_for_by_the_age_of_deals():
    deals = [
        *several(27, "won", 0, (1, "b"), (3, "won")),
        *several(9, "lost", 0, (1, "b"), (3, "lost")),
        *several(4, "thin", 0, (1, "c")),
    ]
    rows = {row.deal: row for row in win_chances([*deals, deal("new", 4)], **AHEAD)}
    # Nine in ten go to b, where three in four are won; one in ten goes to c, where any deal of
    # age 1 stands in, of which three in four are won, too.
    assert rows["new"].chance == pytest.approx(0.75, abs=1e-3)
    assert rows["thin-0"].basis is ChanceBasis.DEAL_AGE


def test_a_stage_seldom_left_goes_by_its_own_visits_and_says_so():
    deals = [*several(3, "won", 0, (1, "won")), deal("old", 0, (1, "b"), start=Start.BY_THEN)]
    deals += [deal(f"b-{n}", 0, (1, "b"), (1, "won"), start=Start.BY_THEN) for n in range(3)]
    rows = {row.deal: row for row in win_chances(deals, as_of=on(2), horizon_days=5)}
    assert rows["old"].basis is ChanceBasis.FEW_EXITS
    assert rows["old"].deal_age is None
    assert 0 < rows["old"].chance < 1


def test_where_nothing_ever_ended_there_is_no_chance_to_tell():
    (row,) = win_chances([deal("d", 0)], as_of=on(5), horizon_days=30)
    assert (row.chance, row.ever, row.basis, row.visits) == (None, None, ChanceBasis.NOTHING, 0)
    assert win_chances([], as_of=on(5), horizon_days=30) == ()
    assert chance_table([], as_of=on(5), horizon_days=30) == ()


def test_a_visit_that_may_have_begun_earlier_is_left_out_but_its_deal_is_told_of():
    old = deal("old", 0, start=Start.BY_THEN)
    rows = {row.deal: row for row in win_chances([*ONE_STAGE, old], as_of=on(3), horizon_days=2)}
    assert rows["old"].why is Why.ENTRY_UNKNOWN
    assert (rows["old"].stage_age, rows["old"].visits) == (3, 60)


def test_a_visit_that_ends_before_it_begins_is_left_out():
    back = deal("back", 3, (-2, "lost"))
    rows = win_chances([*ONE_STAGE, back], as_of=on(3), horizon_days=2)
    assert {row.visits for row in rows if row.stage == "a"} == {60}


def test_a_visit_that_ends_before_it_begins_is_left_out_of_a_deal_whose_age_is_known():
    wild = deal("wild", 0, (2, "b"), (-1, "a"))
    rows = {row.deal: row for row in win_chances([*ONE_STAGE, wild], as_of=on(3), horizon_days=2)}
    assert (rows["wild"].stage_age, rows["wild"].deal_age, rows["wild"].visits) == (2, 3, 62)
    assert all(row.stage != "b" for row in chance_table([wild], as_of=on(3), horizon_days=2))


def test_what_is_done_for_a_deal_moves_it_nowhere():
    said = {"record": "d", "at": on(1)}
    events = [
        Opened(record="d", sequence=1, at=on(0), pipeline="p", stage="a"),
        ActivityRecorded(kind="call", sequence=2, **said),
        Moved(pipeline="p", stage="a", stage_left="a", sequence=3, **said),
    ]
    (row,) = win_chances([*ONE_STAGE[:30], DealHistory(events)], as_of=on(3), horizon_days=2)
    assert (row.stage_age, row.visits) == (3, 31)


def test_a_reopened_deal_begins_a_new_visit():
    again = deal("again", 0, (1, "lost"), (1, "again"))
    rows = {row.deal: row for row in win_chances([*ONE_STAGE, again], as_of=on(3), horizon_days=2)}
    assert (rows["again"].stage_age, rows["again"].deal_age, rows["again"].visits) == (1, 3, 62)


def test_a_deal_opened_in_a_closed_stage_or_moved_between_closed_stages_is_not_open():
    made = deal("made", 0, stage="won", outcome=Outcome.WON)
    moved = deal("moved", 0, (1, "won"), (1, "kept"))
    assert win_chances([made, moved], as_of=on(3), horizon_days=2) == ()


def test_a_retired_stage_counts_as_its_successor():
    deals = several(40, "won", 0, (2, "won"), stage="old")
    (row,) = win_chances([*deals, deal("d", 1)], as_of=on(3), horizon_days=1, pipelines=[TWO])
    assert (row.stage, row.visits, row.chance) == ("a", 41, pytest.approx(40 / 41))
    (apart,) = win_chances([*deals, deal("d", 1)], as_of=on(3), horizon_days=1)
    assert apart.basis is ChanceBasis.DEAL_AGE


def test_days_are_those_of_the_zone():
    # 09:00 UTC is 22:00 of the day in Auckland; three hours later it is the next day there.
    late = DealHistory(
        [Opened(record="d", sequence=1, at=FIRST, pipeline="p", stage="a")],
    )
    ages = [
        win_chances([late], as_of=FIRST + timedelta(hours=3), horizon_days=1, zone=zone)[
            0
        ].stage_age
        for zone in (UTC, ZoneInfo("Pacific/Auckland"))
    ]
    assert ages == [0, 1]


# By the definition


MESS = [
    Cell(A, length, to)
    for length, to, n in (
        (0, B, 3), (1, B, 9), (2, Outcome.LOST, 6), (3, B, 11), (5, A, 2), (5, Outcome.WON, 4),
        (6, None, 5), (9, B, 3), (11, Outcome.LOST, 2), (14, None, 4), (30, B, 1),
    )
    for _ in range(n)
] + [
    Cell(B, length, to)
    for length, to, n in (
        (0, Outcome.WON, 2), (1, Outcome.LOST, 5), (2, A, 4), (4, Outcome.WON, 12),
        (7, None, 6), (8, Outcome.WON, 5), (40, Outcome.LOST, 2),
    )
    for _ in range(n)
]  # fmt: skip


def _hazard(cells, stage, age, to):
    """The share of those at risk that goes there at an age, as the definition says it."""
    here = [cell for cell in cells if cell.stage == stage]
    risk = Counter({x: sum(cell.length >= x for cell in here) for x in range(60)})
    sure = next(x for x in range(60) if risk[x] < 10)
    days = [age] if age < sure else range(max(0, sure - 30), 60)
    gone = sum(cell.length in days and cell.to == to for cell in here)
    return Fraction(gone, sum(risk[x] for x in days))


@pytest.mark.parametrize(("stage", "age"), [(A, 0), (A, 4), (A, 20), (B, 0), (B, 3), (B, 50)])
def test_the_model_is_its_definition_in_fractions(stage, age):
    ways = (A, B, Outcome.WON, Outcome.LOST)
    hazard = cache(lambda *what: _hazard(MESS, *what))

    @cache
    def entering(where, days):
        if not isinstance(where, tuple):
            return Fraction(where is Outcome.WON)
        if days == 0:
            return Fraction(0)
        return chance(where, 0, days)

    def chance(where, since, days):
        there, total = Fraction(1), Fraction(0)
        for x in range(days):
            for to in ways:
                share = hazard(where, since + x, to)
                if share:
                    total += there * share * entering(to, days - x)
            there *= 1 - sum(hazard(where, since + x, to) for to in ways)
        return total

    within = Model.of(Counter(MESS), {}).within(12)
    assert within.standing(stage, age, 12) == pytest.approx(
        float(chance(stage, age, 12)), abs=1e-12
    )
    if age == 0:
        assert within.entering(stage, 12) == pytest.approx(float(entering(stage, 12)), abs=1e-12)


def test_the_chance_of_ever_winning_is_what_a_long_horizon_comes_to():
    model = Model.of(Counter(MESS), {})
    entering, within = model.entering(), model.within(1500)
    for stage in (A, B):
        for age in (0, 3, 40):
            ever = model.ever(stage, age, entering)
            assert within.standing(stage, age, 1500) == pytest.approx(ever, abs=1e-6)
            assert 0 < ever < 1


def test_what_no_visit_was_ever_made_to_has_no_chance():
    within = Model.of(Counter(MESS), {}).within(3)
    strange = ("p", "nowhere")
    assert within.entering(strange, 3) == 0
    assert within.standing(strange, 0, 3) == 0


def test_a_shock_moves_the_odds_of_advancing_and_keeps_shares_sound():
    model = Model.of(Counter(MESS), {})
    up, down = model.shocked(0.5), model.shocked(-0.5)
    chances = [each.within(20).standing(A, 0, 20) for each in (down, model, up)]
    assert chances == sorted(chances)
    assert len(set(chances)) == 3
    odds = [each.stages[A].advance / (1 - each.stages[A].advance) for each in (model, up)]
    assert odds[1] / odds[0] == pytest.approx(2.718281828**0.5)
    wild = model.shocked(50).stages[A]
    assert all(sum(rates) <= 1 + 1e-12 for rates in zip(*wild.rates.values(), strict=True))
    assert model.shocked(0) is model


def test_a_stage_that_always_or_never_advances_knows_no_shock():
    sure = Model.of({Cell(A, 1, Outcome.WON): 40}, {}).stages[A]
    assert sure.shocked(2.0) is sure


# Tallies


def test_a_tally_of_visits_says_the_same_as_the_histories():
    deals = [*ONE_STAGE, *several(40, "two", 0, (1, "b"), (1, "won"))]
    tally = visits(deals, as_of=on(3))
    options = {"horizon_days": 3, "pipelines": [TWO]}
    assert chance_table(tally, **options) == chance_table(deals, as_of=on(3), **options)
    by_tally = win_chances(deals, as_of=on(3), fit=tally, **options)
    assert by_tally == win_chances(deals, as_of=on(3), **options)


def test_the_stages_of_the_pipelines_given_come_first():
    deals = [*several(2, "d", 0, (1, "zzz"), (1, "b"), (1, "won")), deal("x", 0, (1, "aaa"))]
    table = chance_table(deals, as_of=on(9), horizon_days=3, ages=[0], pipelines=[TWO])
    assert [row.stage for row in table] == ["a", "b", "aaa", "zzz"]


def test_a_tally_that_does_not_fit_is_refused_with_every_reason():
    other = lifetimes(
        ONE_STAGE, as_of=on(2), resolution=timedelta(hours=1), zone=ZoneInfo("Asia/Tokyo")
    )
    with pytest.raises(InvalidValueError) as refused:
        chance_table(other, as_of=on(3), horizon_days=3, zone=ZoneInfo("Europe/Paris"))
    assert len(refused.value.faults) == 4
    with pytest.raises(UnknownKeyError, match="pipeline of the tally"):
        chance_table(visits(ONE_STAGE, as_of=on(3)), horizon_days=3)
    with pytest.raises(InvalidValueError, match="no deals to sample"):
        win_chances(
            ONE_STAGE,
            as_of=on(3),
            horizon_days=3,
            fit=visits(ONE_STAGE, as_of=on(3)),
            refits=2,
            seed=1,
        )


def test_a_tally_read_as_of_its_own_instant_leaves_closed_stages_out():
    tally = visits([*ONE_STAGE, *several(5, "kept", 0, (1, "won"), (1, "lost"))], as_of=on(3))
    table = chance_table(tally, as_of=on(3), horizon_days=3, pipelines=[TWO])
    assert {row.stage for row in table} == {"a"}


# Intervals


def test_refits_of_samples_of_deals_give_an_interval_that_a_seed_fixes():
    options = {"as_of": on(3), "horizon_days": 5, "refits": 40}
    rows = win_chances(ONE_STAGE, seed=1, **options)
    assert rows == win_chances(reversed(ONE_STAGE), seed=1, **options)
    assert rows != win_chances(ONE_STAGE, seed=2, **options)
    interval = rows[0].interval
    assert interval.low < rows[0].chance < interval.high
    assert (interval.level, interval.method) == (0.8, "percentile bootstrap")
    wide = win_chances(ONE_STAGE, seed=1, level=0.95, **options)[0].interval
    assert wide.low <= interval.low
    assert wide.high >= interval.high


def test_a_deal_without_a_chance_has_no_interval():
    (row,) = win_chances([deal("d", 0)], as_of=on(5), horizon_days=30, refits=2, seed=1)
    assert row.interval is None


# Doors


def test_doors_refuse_what_is_strange():
    def asked(**strange):
        return win_chances(ONE_STAGE, **({"as_of": on(3), "horizon_days": 3} | strange))

    def seven(value):
        return type(value) is int and value == 7

    check_door(lambda value: asked(horizon_days=value), takes=seven)
    check_door(
        lambda value: asked(refits=value, seed=1),
        takes=lambda value: seven(value) or (type(value) is int and value == 0),
    )
    check_door(lambda value: asked(refits=1, seed=value), takes=lambda value: type(value) is int)
    check_door(lambda value: asked(level=value))
    check_door(lambda value: asked(as_of=value))
    check_door(lambda value: asked(zone=value))
    check_door(lambda value: asked(fit=value), takes=lambda value: value is None)
    check_door(lambda value: asked(pipelines=value), takes=_nothing_in_it)
    check_door(lambda value: win_chances(value, as_of=on(3), horizon_days=3), takes=_nothing_in_it)
    check_door(
        lambda value: chance_table(ONE_STAGE, as_of=on(3), horizon_days=3, ages=value),
        takes=lambda value: _nothing_in_it(value) or isinstance(value, range | bytes | bytearray),
    )


def _nothing_in_it(value):
    return isinstance(value, tuple | list | dict | set | bytes | range) and not value


def test_a_seed_is_needed_to_sample():
    with pytest.raises(InvalidValueError, match="seed"):
        win_chances(ONE_STAGE, as_of=on(3), horizon_days=3, refits=1)


def test_ages_are_whole_days_from_0_on():
    with pytest.raises(SalesPipelineError, match="-1 is not from 0"):
        chance_table(ONE_STAGE, as_of=on(3), horizon_days=3, ages=[0, -1])
