"""Which stages of a pipeline are strong, and which ones are weak."""

from fractions import Fraction
from random import Random
from statistics import mean, stdev

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError
from salespipeline.intervals import Interval
from salespipeline.metrics import Rate
from salespipeline.metrics import strength as strengths
from salespipeline.metrics.strength import (
    StageStrength,
    StageStrengths,
    Strength,
    stage_strength,
)
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.tallies import visits
from salespipeline.tallies._paths import Path, paths
from stories import day, deal, given_to, lost, moved, reopened, won

BOARD = Pipeline(
    "board",
    [Stage("talk"), Stage("offer"), Stage("terms"), Stage("signed", outcome="won"),
     Stage("kept", outcome="won"), Stage("gone", outcome="lost")],
    former={"call": "talk"},
)  # fmt: skip


def many(number, *steps, **facts):
    return [deal(0, *steps, record=f"d-{n}", **facts) for n in range(number)]


# 10 come to talk: 2 are lost there, 6 go to offer, 2 are there.
# Of the 6 in offer 3 are won, 2 are lost, 1 is there.
BODY = (
    *many(2, lost(3)),
    *many(3, moved(3, "offer"), won(9)),
    *many(2, moved(3, "offer"), lost(9)),
    *many(1, moved(3, "offer")),
    *many(2),
)


def of(found, stage):
    return next(each for each in found.stages if each.stage == stage)


def test_the_results_are_values():
    rate, none = Rate.of(1, 2), Rate.of(0, 0)
    facts = ("a", "x", 2, Fraction(1, 2), None, None, rate, rate, *[None] * 5, none, 0)
    stage = StageStrength(*facts)
    check_value(stage, StageStrength(*facts), StageStrength("a", "y", *facts[2:]))
    made = [StageStrengths((stage,), 3, left_out={"opened_closed": 1}) for _ in range(2)]
    check_value(*made, StageStrengths((), 3))


def test_the_chance_of_winning_is_that_of_the_deals_that_left():
    found = stage_strength(BODY, as_of=day(50))
    # from offer 3 of 5 that left were won; from talk 6 of 8 that left went on to offer
    assert of(found, "offer").chance == Fraction(3, 5)
    assert of(found, "talk").chance == Fraction(6, 8) * Fraction(3, 5)
    assert (of(found, "talk").steps, of(found, "offer").steps) == (1 + Fraction(6, 8), 1)
    assert found.deals == 10


def test_the_gain_is_over_the_stages_that_deals_came_from():
    found = stage_strength(BODY, as_of=day(50))
    assert of(found, "talk").gain is None
    assert of(found, "offer").gain == Fraction(3, 5) - Fraction(9, 20)
    # 6 came to terms from talk (chance 1/2), 2 from offer
    mixed = (
        *many(6, moved(1, "terms"), won(2)),
        *many(6, lost(2)),
        *many(2, moved(1, "terms"), won(2), stage="offer"),
    )
    found = stage_strength(mixed, as_of=day(50))
    assert of(found, "terms").gain == 1 - (6 * Fraction(1, 2) + 2 * 1) / Fraction(8)


def test_losses_are_told_where_they_happen_with_the_chance_that_they_cost():
    talk = of(stage_strength(BODY, as_of=day(50)), "talk")
    assert talk.visits == 10
    assert talk.loss_rate == Rate.of(2, 8)
    assert talk.losses == Rate.of(2, 4)
    # without losses from talk all that leave would go to offer, whose chance is 3 in 5
    assert talk.chance + talk.lost_chance == Fraction(3, 5)
    assert talk.excess == Fraction(2, 8) - Fraction(2, 5)


def test_the_naive_figure_is_of_closed_deals_that_were_ever_there():
    found = stage_strength(BODY, as_of=day(50))
    assert of(found, "talk").naive == Rate.of(3, 7)
    assert of(found, "offer").naive == Rate.of(3, 5)


def test_a_deal_opened_again_passed_through_the_closed_stage_and_ends_by_the_last_closing():
    body = (
        *many(1, lost(2), reopened(5, "offer"), won(9)),
        *many(1, lost(2)),
        *many(1, lost(2), reopened(5, "offer")),
        *many(1, won(3), lost(9)),
    )
    found = stage_strength(body, as_of=day(50))
    assert of(found, "talk").losses == Rate.of(1, 2)
    # of the four that left talk 2 were only away in gone, 1 in signed, 1 lost for good
    assert of(found, "talk").loss_rate == Rate.of(1, 4)
    assert of(found, "gone").chance == of(found, "offer").chance == 1
    assert (of(found, "signed").chance, of(found, "signed").visits) == (0, 1)
    assert of(found, "talk").chance == Fraction(2, 4)


def test_what_comes_after_winning_is_no_part_of_the_way():
    body = many(3, won(2), moved(9, "kept"))
    found = stage_strength(body, as_of=day(50))
    assert [each.stage for each in found.stages] == ["talk"]
    assert of(found, "talk").chance == 1


def test_a_move_to_the_stage_that_a_deal_is_in_is_none():
    found = stage_strength(many(2, moved(1, "talk"), won(2)), as_of=day(50))
    assert (of(found, "talk").visits, of(found, "talk").steps) == (2, 1)


def test_a_deal_lost_where_it_stands_was_in_that_stage():
    found = stage_strength(many(1, moved(1, "offer"), lost(3, "offer")), as_of=day(50))
    assert of(found, "offer").loss_rate == Rate.of(1, 1)
    assert of(found, "offer").lost_chance is None
    assert of(found, "offer").excess == 1
    assert of(found, "talk").excess == -1


def test_a_deal_that_was_opened_closed_is_left_out_by_reason():
    body = (*BODY, deal(0, stage="signed", outcome=Outcome.WON))
    found = stage_strength(body, as_of=day(50))
    assert (found.deals, found.left_out) == (10, {"opened_closed": 1})
    assert found.stages == stage_strength(BODY, as_of=day(50)).stages
    assert stage_strength(BODY, as_of=day(50)).left_out == {}


def test_a_stage_that_nothing_has_left_is_unknown_and_says_why():
    body = (*many(3, moved(1, "terms")), *many(6, lost(1)), *many(2, won(1)))
    found = stage_strength(body, as_of=day(50), pipelines=[BOARD])
    assert [each.stage for each in found.stages] == ["talk", "offer", "terms"]
    terms, offer, talk = (of(found, stage) for stage in ("terms", "offer", "talk"))
    assert terms.chance is terms.gain is terms.steps is terms.lost_chance is None
    assert (terms.visits, offer.visits) == (3, 0)
    assert terms.why_not == offer.why_not == "nothing has left it yet"
    assert terms.chance_interval is terms.excess is terms.strength is None
    # the three are open, so talk is judged by the eight that came to an end
    assert (talk.chance, talk.why_not, talk.unsettled) == (Fraction(2, 8), None, 3)
    assert talk.loss_rate == Rate.of(6, 8)


def test_stages_that_only_lead_to_each_other_are_unknown():
    circle = many(2, moved(1, "terms"), moved(2, "offer"), moved(3, "terms"), stage="offer")
    found = stage_strength((*circle, *many(1, won(1))), as_of=day(50))
    assert of(found, "terms").why_not == "nothing that left it has come to an end"
    assert (of(found, "terms").unsettled, of(found, "offer").unsettled) == (2, 4)
    assert of(found, "talk").chance == 1


def test_a_retired_stage_counts_for_its_successor():
    body = many(5, moved(1, "talk"), won(2), stage="call")
    found = stage_strength(body, as_of=day(50), pipelines=[BOARD])
    assert (of(found, "talk").visits, of(found, "talk").steps) == (5, 1)


def test_no_deals_give_the_stages_of_the_pipelines_without_figures():
    assert stage_strength([], as_of=day(1)) == StageStrengths((), 0)
    found = stage_strength([], as_of=day(1), pipelines=[BOARD])
    assert [each.chance for each in found.stages] == [None] * 3
    assert of(found, "talk").naive == Rate.of(0, 0)


# Intervals


LEAKY = (
    *many(60, moved(1, "offer"), moved(2, "terms"), won(3)),
    *many(20, lost(1)),
    *many(90, moved(1, "offer"), lost(2)),
    *many(5, moved(1, "offer"), moved(2, "terms"), lost(3)),
)


def test_a_stage_that_loses_more_than_the_others_is_weak_and_one_that_loses_less_strong():
    found = stage_strength(LEAKY, as_of=day(50))
    assert [each.stage for each in found.weak] == ["offer"]
    assert [each.stage for each in found.strong] == ["talk", "terms"]
    assert of(found, "offer").excess_interval.low > 0
    assert of(found, "offer").strength is Strength.WEAK
    assert found.row()["weak"] != ""


def test_the_costliest_come_first_whatever_the_order():
    ordered = stage_strength(LEAKY, as_of=day(50), pipelines=[BOARD])
    cost = [float(each.lost_chance * each.visits) for each in ordered.strong]
    assert cost == sorted(cost, reverse=True)


def test_the_interval_is_that_of_resampled_deals():
    # one stage: the chance is a plain share of 150 deals, so its spread is the binomial's
    body = (*many(60, won(1)), *many(90, lost(1)))
    band = of(stage_strength(body, as_of=day(50), runs=4000, seed=3), "talk").chance_interval
    reach = 1.96 * (0.4 * 0.6 / 150) ** 0.5
    assert band.low == pytest.approx(0.4 - reach, abs=0.01)
    assert band.high == pytest.approx(0.4 + reach, abs=0.01)
    assert (band.level, band.method) == (0.95, "bootstrap")


def test_deals_are_drawn_and_not_visits():
    # each deal comes back to talk ten times before it closes: visits would look like many more
    back = [step for n in range(10) for step in (moved(n, "offer"), moved(n, "talk"))]
    body = (*many(20, *back, won(30)), *many(20, *back, lost(30)))
    naive = (*many(20, won(30)), *many(20, lost(30)))
    widths = []
    for each in (body, naive):
        band = of(stage_strength(each, as_of=day(50), runs=2000), "talk").chance_interval
        widths.append(band.high - band.low)
    assert widths[0] == pytest.approx(widths[1], rel=0.05)


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_the_deals():
    one = stage_strength(LEAKY, as_of=day(50), seed=5)
    assert stage_strength(LEAKY[::-1], as_of=day(50), seed=5) == one
    other = stage_strength(LEAKY, as_of=day(50), seed=6)
    assert of(one, "offer").chance == of(other, "offer").chance
    assert of(one, "offer").chance_interval != of(other, "offer").chance_interval


def test_no_interval_comes_of_few_deals_of_no_runs_and_of_resamples_all_alike():
    few = (*many(2, won(1)), *many(2, lost(1)))
    assert of(stage_strength(few, as_of=day(9)), "talk").chance_interval is None
    assert of(stage_strength(LEAKY, as_of=day(9), runs=0), "offer").chance_interval is None
    assert of(stage_strength(many(9, won(1)), as_of=day(9)), "talk").chance_interval is None


def test_a_figure_that_many_resamples_lack_has_no_interval():
    # terms hangs on one deal: a third of the resamples are without it
    body = (*many(6, won(1)), *many(6, lost(1)), *many(1, moved(1, "terms"), won(2)))
    found = stage_strength(body, as_of=day(9))
    assert of(found, "terms").chance == 1
    assert of(found, "terms").chance_interval is of(found, "terms").excess_interval is None
    assert of(found, "talk").chance_interval is not None


def test_where_a_resample_has_no_end_beyond_a_stage_its_moves_there_are_unsettled():
    # a third of the resamples lack the one deal that came to an end from terms
    body = (*many(9, moved(1, "terms")), *many(1, moved(1, "terms"), won(2)), *many(5, lost(1)))
    found = stage_strength(body, as_of=day(9), runs=300)
    assert of(found, "talk").chance == Fraction(10, 15)
    assert of(found, "talk").chance_interval.low == 0
    assert of(found, "terms").chance_interval is None


def test_percentiles_are_interpolated():
    drawing = strengths._Drawing(0, 5, 0.8)  # the ends are the 10th and the 90th percentile
    assert strengths._band([4, 1, 3, 0, 2], drawing) == Interval(
        pytest.approx(0.4), pytest.approx(3.6), 0.8, "bootstrap"
    )
    assert strengths._band([4, 1, 3, 0], drawing) is None


def test_binomial_numbers_have_their_mean_and_their_spread():
    draw = Random(11)
    for trials, chance in ((1, 0.3), (30, 0.5), (31, 0.02), (10_000, 0.37), (10**6, 0.999)):
        drawn = [strengths._binomial(draw, trials, chance) for _ in range(2000)]
        spread = (trials * chance * (1 - chance)) ** 0.5
        assert all(0 <= each <= trials for each in drawn)
        assert mean(drawn) == pytest.approx(trials * chance, abs=4 * spread / 2000**0.5)
        assert stdev(drawn) == pytest.approx(spread, rel=0.1)


def test_every_deal_is_drawn_once_on_average_and_the_number_stays():
    draw, counts = Random(2), [5, 0, 40, 1, 300]
    drawn = [list(strengths._multinomial(draw, counts)) for _ in range(1000)]
    assert {sum(each) for each in drawn} == {346}
    for place, n in enumerate(counts):
        assert mean(each[place] for each in drawn) == pytest.approx(n, abs=0.15 * n**0.5)
    thirds = [list(strengths._multinomial(draw, [100, 100, 100])) for _ in range(2000)]
    for place in range(3):  # each alone is binomial
        spread = stdev(each[place] for each in thirds)
        assert spread == pytest.approx((300 / 3 * 2 / 3) ** 0.5, rel=0.07)
    assert list(strengths._multinomial(draw, [7])) == [7]
    assert list(strengths._multinomial(draw, [7, 0])) == [7, 0]


# The tally, and the doors


def test_groups_are_of_the_closing_or_while_open_of_the_instant():
    body = (
        deal(0, given_to(1, "bob"), won(5), given_to(7, "eve"), owner="ada"),
        deal(0, given_to(1, "bob"), owner="ada"),
    )
    found = stage_strength(body, as_of=day(50), by="owner")
    assert (list(found), found["bob"].deals) == (["bob"], 2)
    created = paths(body, as_of=day(50), by="owner", by_at="creation")
    assert [row.group for row in created.rows] == ["ada", "ada"]


def test_a_tally_of_paths_gives_the_same():
    tally = paths(LEAKY[::2], as_of=day(50)) + paths(LEAKY[1::2], as_of=day(50))
    assert stage_strength(tally) == stage_strength(LEAKY, as_of=day(50))
    assert tally.rows[Path(None, (("board", "talk"),), Outcome.LOST)].n == 20
    with pytest.raises(InvalidValueError, match="needs paths"):
        stage_strength(visits(LEAKY, as_of=day(50)))


def test_rows_are_one_for_each_stage():
    rows = stage_strength(LEAKY, as_of=day(50)).to_dicts()
    assert [row["stage"] for row in rows] == ["offer", "talk", "terms"]
    assert rows[0]["chance"] == pytest.approx(60 / 155)
    assert rows[0]["strength"] == "weak"


def test_strange_input_is_refused_at_every_door():
    check_door(
        lambda value: stage_strength(value, as_of=day(1)),
        takes=lambda value: (
            type(value) in (bytes, bytearray, tuple, list, dict, set, range) and not value
        ),
    )
    check_door(lambda value: stage_strength(BODY, as_of=value))
    check_door(lambda value: stage_strength(BODY, as_of=day(1), level=value))
    check_door(
        lambda value: stage_strength(BODY, as_of=day(1), by=value), takes=lambda v: v is None
    )
    check_door(lambda value: stage_strength([], as_of=day(1), seed=value), takes=_is_whole)
    check_door(
        lambda value: stage_strength([], as_of=day(1), runs=value),
        takes=lambda value: _is_whole(value) and 0 <= value <= 100_000,
    )
    check_door(lambda value: paths(BODY, as_of=day(1), by_at=value))


def _is_whole(value):
    return type(value) is int
