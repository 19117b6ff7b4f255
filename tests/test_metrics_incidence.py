"""Cumulative incidence by cause, and means up to a horizon."""

from datetime import timedelta

import pytest

from contracts import check_door, check_value
from salespipeline import metrics
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.events import Lost
from salespipeline.intervals import wilson, wilson_share
from salespipeline.metrics import Incidence, Survival
from salespipeline.metrics.incidence import WinProbability, win_probability
from salespipeline.tallies import lifetimes
from stories import BY_THEN, day, days, deal, given_to, lost, moved, won

# the example of lifelines' pull request 1699
SIX = [(1, None), (2, "won"), (3, "won"), (4, "lost"), (5, "lost"), (6, None)]

MAINTAINED = [
    (9, True), (13, True), (13, False), (18, True), (23, True), (28, False), (31, True),
    (34, True), (45, False), (48, True), (161, False),
]  # fmt: skip
NOT_MAINTAINED = [
    (5, True), (5, True), (8, True), (8, True), (12, True), (16, False), (23, True), (27, True),
    (30, True), (33, True), (43, True), (45, True),
]  # fmt: skip


def test_two_causes_share_what_ended_and_the_rest_is_open():
    curve = Incidence.of(SIX)
    assert curve.causes == ("won", "lost")
    assert (curve.n, curve.ended, curve.last_day) == (6, {"won": 2, "lost": 2}, 6)
    assert curve.at("won", 6) == pytest.approx(0.4)
    assert curve.at("lost", 6) == pytest.approx(0.4)
    assert curve.open_at(6) == pytest.approx(0.2)
    assert (curve.at("won", 1), curve.open_at(1)) == (0, 1)


def test_causes_that_end_on_one_day_are_at_risk_together():
    curve = Incidence.of([(3, "won"), (3, "lost"), (3, "won"), (5, None)])
    [ending] = curve.endings
    assert (ending.at_risk, ending.total, ending.ended) == (4, 3, {"won": 2, "lost": 1})
    assert (curve.at("won", 3), curve.at("lost", 3)) == (0.5, 0.25)


def test_a_subject_seen_late_is_at_risk_from_then_on():
    curve = Incidence.of([(2, "won"), (6, "lost", 4), (8, None)])
    assert [ending.at_risk for ending in curve.endings] == [2, 2]
    left = Incidence.of([(2, "won"), (3, "lost", 4)])
    assert (left.n, left.left_out) == (1, {"entry_after_end": 1})


def test_nothing_is_said_beyond_the_last_age_or_of_nothing():
    curve = Incidence.of(SIX)
    assert (curve.at("won", 7), curve.open_at(7)) == (None, None)
    assert (curve.error_at("won", 7), curve.interval_at("won", 7)) == (None, None)
    empty = Incidence.of([])
    assert (empty.n, empty.causes, empty.last_day, empty.open_at(0)) == (0, (), None, None)


def test_without_open_records_the_interval_is_wilsons_of_the_plain_share():
    ended = [(n, "won" if n % 3 else "lost") for n in range(1, 31)]
    curve = Incidence.of(ended)
    for age in (7, 15, 29):
        came = sum(1 for at, cause in ended if at <= age and cause == "won")
        found, plain = curve.interval_at("won", age), wilson(came, 30)
        assert (found.low, found.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_where_a_share_is_0_or_1_as_many_trials_count_as_were_at_risk():
    none_yet = Incidence.of([(3, "lost"), (4, None), (5, "won")])
    assert none_yet.interval_at("won", 3) == wilson(0, 3)
    assert none_yet.interval_at("won", 1) == wilson(0, 3)
    every = Incidence.of([(3, "won"), (4, "won")])
    assert every.at("won", 4) == 1
    assert every.interval_at("won", 4) == wilson(1, 1)
    assert every.at_risk(4) == 1


def test_one_less_the_survival_of_one_cause_says_too_much():
    lives = [(1, "lost"), (2, "won"), (3, "lost"), (4, "won"), (5, None)]
    naive = Survival.of([(age, cause == "won") for age, cause in lives])
    assert Incidence.of(lives).at("won", 5) == pytest.approx(0.4)
    assert 1 - naive.at(5) == pytest.approx(0.625)


def test_bone_marrow_transplants_relapse_and_die_as_published(shared_data):
    # Scrucca, Santucci and Aversa, Bone Marrow Transplantation 40 (2007) 381-387
    lines = (shared_data / "survival" / "bmt.csv").read_text("utf-8").split()[1:]
    rows = [line.replace('"', "").split(",") for line in lines]
    causes = {"0": None, "1": "relapse", "2": "death"}
    curve = Incidence.of([(int(row[-2]), causes[row[-1]]) for row in rows])
    assert (curve.n, curve.at("relapse", 0)) == (35, pytest.approx(0.0286, abs=6e-5))
    for age, relapse, death in (
        (1, 0.0571, 0.0571), (2, 0.0571, 0.0857), (3, 0.1458, 0.1153), (4, 0.2049, 0.1448),
    ):  # fmt: skip
        assert curve.at("relapse", age) == pytest.approx(relapse, abs=6e-5)
        assert curve.at("death", age) == pytest.approx(death, abs=6e-5)


def test_a_win_rate_is_a_curve_of_deals_with_open_ones_at_risk():
    deals = [
        deal(0, won(10), record="d-1"), deal(0, lost(20), record="d-2"),
        deal(5, moved(8, "offer"), record="d-3"), deal(0, won(4), record="d-4", start=BY_THEN),
    ]  # fmt: skip
    curve = metrics.cumulative_incidence(deals, as_of=day(30))
    assert curve.n == 3
    assert curve.at("won", 10) == pytest.approx(1 / 3)
    assert curve.at("lost", 20) == pytest.approx(1 / 3)
    assert curve.left_out == {"start_unknown": 1}
    by_owner = metrics.cumulative_incidence(deals, as_of=day(30), by="owner")
    assert sum(each.n for each in by_owner.values()) == 3


def test_strange_lives_causes_and_ages_are_refused():
    for lives in (5, "won", [(1,)], [(1, 2)], [(1, "")], [("x", "won")], [None]):
        with pytest.raises(WrongTypeError):
            Incidence.of(lives)
    with pytest.raises(InvalidValueError):
        Incidence.of([(-1, "won")])
    with pytest.raises(UnknownKeyError, match="cause: 'stalled'; known: 'won', 'lost'"):
        Incidence.of(SIX).at("stalled", 1)
    check_value(Incidence.of(SIX), Incidence.of(SIX), Incidence.of(SIX[:4]))


def test_a_curve_tells_a_row_for_each_day_and_cause():
    rows = Incidence.of(SIX, level=0.9).rows()
    assert [(row["day"], row["cause"], row["at_risk"], row["ended"]) for row in rows] == [
        (2, "won", 5, 1), (2, "lost", 5, 0), (3, "won", 4, 1), (3, "lost", 4, 0),
        (4, "won", 3, 0), (4, "lost", 3, 1), (5, "won", 2, 0), (5, "lost", 2, 1),
    ]  # fmt: skip
    assert [row["incidence"] for row in rows[4:]] == pytest.approx([0.4, 0.2, 0.4, 0.4])
    assert {(row["level"], row["method"]) for row in rows} == {(0.9, "wilson")}


# Quantiles, and the naive figure beside the curve


def test_a_quantile_is_the_first_age_by_which_so_large_a_share_of_all_ended_so():
    curve = Incidence.of(SIX)
    assert [curve.quantile("won", share) for share in (0.1, 0.2, 0.21, 0.4)] == [2, 2, 3, 3]
    assert (curve.quantile("lost", 0.4), curve.quantile("won", 0.41)) == (5, None)
    assert Incidence.of([(5, None)]).causes == ()
    check_door(lambda value: curve.quantile("won", value))
    with pytest.raises(UnknownKeyError, match="unknown cause: 'stalled'"):
        curve.quantile("stalled", 0.5)


def test_a_share_that_rounding_alone_keeps_from_it_is_reached():
    curve = Incidence.of([(n, "won") for n in range(1, 31)])
    assert curve.at("won", 15) < 0.5
    assert [curve.quantile("won", n / 30) for n in range(1, 30)] == list(range(1, 30))


def test_the_naive_figure_takes_other_causes_for_open():
    curve = Incidence.of([(1, "lost"), (2, "won"), (3, "lost"), (4, "won"), (5, None)])
    assert curve.at("won", 5) == pytest.approx(0.4)
    assert curve.naive_at("won", 5) == pytest.approx(0.625)  # 1 - 3/4 · 1/2
    assert [curve.naive_at("won", day) for day in (2, 3, 4)] == pytest.approx([0.25, 0.25, 0.625])
    assert (curve.naive_at("won", 1), curve.naive_at("won", 6)) == (0, None)
    with pytest.raises(UnknownKeyError, match="unknown cause: 'stalled'"):
        curve.naive_at("stalled", 5)


# Causes of deals


def lost_for(at, reason):
    return at, Lost, {"stage": "gone", "pipeline": "board", "reason": reason}


STALLED = [
    deal(0, won(10)), deal(0, lost_for(10, "no decision")), deal(0, lost_for(20, "price")),
    deal(0, lost_for(20, "budget frozen")), deal(5),
]  # fmt: skip
CAUSES = {"no_decision": ["no decision", "budget frozen"]}


def test_what_nobody_decided_is_a_cause_of_its_own():
    curve = metrics.cumulative_incidence(STALLED, as_of=day(30), causes=CAUSES)
    assert curve.causes == ("won", "lost", "no_decision")
    assert curve.ended == {"won": 1, "lost": 1, "no_decision": 2}
    assert [curve.at(cause, 20) for cause in curve.causes] == pytest.approx([0.2, 0.2, 0.4])
    assert curve.open_at(20) == pytest.approx(0.2)
    plain = metrics.cumulative_incidence(STALLED, as_of=day(30))
    assert plain.causes == ("won", "lost")
    assert plain.at("lost", 20) == pytest.approx(0.6)


def test_a_cause_that_no_deal_ended_by_has_a_share_of_0():
    curve = metrics.cumulative_incidence(STALLED, as_of=day(30), causes={"rival": ["rival"]})
    assert (curve.at("rival", 25), curve.ended["rival"]) == (0, 0)


def test_a_tally_has_the_causes_that_it_was_counted_with():
    tally = lifetimes(STALLED, as_of=day(30), causes=CAUSES, by_at="creation")
    expected = metrics.cumulative_incidence(STALLED, as_of=day(30), causes=CAUSES)
    assert metrics.cumulative_incidence(tally) == expected
    assert metrics.cumulative_incidence(tally, causes=CAUSES) == expected
    reordered = {"no_decision": ("budget frozen", "no decision", "no decision")}
    assert metrics.cumulative_incidence(tally, causes=reordered) == expected
    for counted, asked in ((tally, {"rival": ["x"]}), (lifetimes([], as_of=day(3)), CAUSES)):
        with pytest.raises(InvalidValueError, match="it was not counted with causes="):
            metrics.cumulative_incidence(counted, causes=asked)


def test_curves_by_group_have_all_causes_and_their_counts_recombine():
    deals = [
        deal(0, won(10), owner="ada"),
        deal(0, lost_for(10, "no decision"), owner="ada"),
        deal(3, given_to(5, "ada"), lost_for(20, "price"), owner="bob"),
    ]
    curves = metrics.cumulative_incidence(deals, as_of=day(30), by="owner", causes=CAUSES)
    assert {owner: dict(curve.ended) for owner, curve in curves.items()} == {
        "ada": {"won": 1, "lost": 0, "no_decision": 1},
        "bob": {"won": 0, "lost": 1, "no_decision": 0},
    }


def test_a_curve_of_deals_takes_a_period_a_zone_a_resolution_and_a_level():
    deals = [deal(0, won(1.5)), deal(4, won(6))]
    curve = metrics.cumulative_incidence(
        deals, as_of=day(30), period=days(0, 2), resolution=timedelta(hours=12), level=0.8
    )
    assert ([each.day for each in curve.endings], curve.level) == ([1.5], 0.8)
    assert (curve.as_of, curve.period) == (day(30), days(0, 2))
    check_door(
        lambda value: metrics.cumulative_incidence([], as_of=day(1), causes=value),
        takes=lambda value: value is None or (isinstance(value, dict) and not value),
    )
    check_door(lambda value: metrics.cumulative_incidence([], as_of=day(1), zone=value))


# The share won within so many days


def test_the_win_probability_is_the_share_won_within_so_many_days():
    deals = [
        deal(0, won(10)), deal(0, lost(20)), deal(0, won(40)), deal(0), deal(25), deal(28, won(29)),
    ]  # fmt: skip
    found = win_probability(deals, as_of=day(50), horizon_days=20)
    # at risk 6 on day 1, 5 on day 10, 4 on day 20: 1/6 + 5/6 · 1/5
    assert found.value == pytest.approx(1 / 3)
    assert (found.n, found.at_risk, found.horizon_days) == (6, 4, 20)
    curve = metrics.cumulative_incidence(deals, as_of=day(50))
    assert found.interval == curve.interval_at("won", 20)
    assert (found.as_of, found.period) == (day(50), None)


def test_nothing_is_said_of_more_days_than_any_deal_was_seen():
    deals = [deal(0, won(10)), deal(0)]
    found = win_probability(deals, as_of=day(30), horizon_days=31)
    assert (found.value, found.interval, found.at_risk, found.few_at_risk) == (None, None, 0, True)
    assert win_probability(deals, as_of=day(30), horizon_days=30).value == 0.5
    nothing = win_probability([], as_of=day(30), horizon_days=30)
    assert (nothing.value, nothing.n, nothing.at_risk) == (None, 0, 0)


def test_where_all_have_ended_the_share_stays_what_it_is():
    deals = [deal(0, won(10)), deal(0, lost(12)), deal(0, lost(12)), deal(0, lost(12))]
    found = win_probability(deals, as_of=day(30), horizon_days=365)
    plain = wilson(1, 4)
    assert (found.value, found.few_at_risk) == (0.25, False)
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high))


def test_few_at_risk_are_flagged_and_not_refused():
    old = [deal(0) for _ in range(9)]
    young = deal(20)
    found = win_probability([*old, young, deal(0, won(3))], as_of=day(30), horizon_days=30)
    assert (found.at_risk, found.few_at_risk, found.value) == (9, True, pytest.approx(1 / 11))
    more = win_probability([*old, young, deal(0)], as_of=day(30), horizon_days=30)
    assert (more.at_risk, more.few_at_risk) == (10, False)
    # nobody was lost from sight before the horizon, so few at risk leave nothing open
    assert not win_probability([*old, deal(0, won(3))], as_of=day(30), horizon_days=30).few_at_risk
    seen_late = [*old, deal(0, won(9), observed_from=day(4))]
    assert win_probability(seen_late, as_of=day(30), horizon_days=30).few_at_risk


def test_who_is_seen_late_is_at_risk_from_then_on_alone():
    deals = [deal(0), deal(0, observed_from=day(20)), deal(0, won(4), observed_from=day(6))]
    assert win_probability(deals, as_of=day(30), horizon_days=10).at_risk == 1
    found = win_probability(deals, as_of=day(30), horizon_days=20)
    assert (found.at_risk, found.n, found.left_out) == (2, 2, {"entry_after_end": 1})


def test_win_probabilities_come_by_group_of_a_period_and_from_a_tally():
    deals = [deal(0, won(4), owner="ada"), deal(0, owner="bob"), deal(9, owner="bob")]
    groups = win_probability(deals, as_of=day(30), horizon_days=10, by="owner", level=0.5)
    assert {owner: (each.value, each.n) for owner, each in groups.items()} == {
        "ada": (1, 1),
        "bob": (0, 2),
    }
    assert groups["bob"].interval == wilson(0, 2, 0.5)
    assert win_probability(deals, as_of=day(30), horizon_days=10, period=days(0, 9)).n == 2
    tally = lifetimes(deals, as_of=day(30))
    whole = win_probability(deals, as_of=day(30), horizon_days=10)
    assert win_probability(tally, horizon_days=10) == whole
    [told] = whole.to_dicts()
    assert (told["value"], told["n"], told["few_at_risk"]) == (pytest.approx(1 / 3), 3, False)
    hours = win_probability(deals, as_of=day(30), horizon_days=4.5, resolution=timedelta(hours=12))
    assert hours.value == pytest.approx(1 / 3)


def test_a_horizon_is_a_number_of_days():
    check_door(
        lambda value: win_probability([], as_of=day(1), horizon_days=value),
        takes=lambda value: type(value) in (int, float) and 0 <= value < 10**6000
        and value != float("inf"),
    )  # fmt: skip
    with pytest.raises(WrongTypeError, match="'horizon_days' must be a number of days"):
        win_probability([], as_of=day(1), horizon_days="90")
    made = [WinProbability(0.5, None, 9, 4, n, True) for n in (1, 1, 2)]
    check_value(*made)


# Means up to a horizon


@pytest.mark.parametrize(
    ("lives", "mean", "error"),
    [(MAINTAINED, 31.8432, 4.5279), (NOT_MAINTAINED, 22.7083, None)],
)
def test_a_restricted_mean_is_the_published_one(lives, mean, error):
    # R's aml; computed by lifelines, the error by Klein and Moeschberger's formula
    found = Survival.of(lives).restricted_mean(48)
    assert found.days == pytest.approx(mean, abs=6e-5)
    if error is not None:
        assert found.error == pytest.approx(error, abs=6e-5)
        assert found.interval.low < found.days < found.interval.high <= 48


def test_a_restricted_mean_goes_on_after_all_has_ended_and_not_where_it_is_open():
    ended = Survival.of([(2, True), (4, True)])
    assert ended.restricted_mean(10).days == 3
    assert ended.restricted_mean(0).days == 0
    assert Survival.of([(2, True), (4, False)]).restricted_mean(5) is None
    assert Survival.of([]).restricted_mean(5) is None
    with pytest.raises(InvalidValueError):
        ended.restricted_mean(-1)


def test_wilsons_interval_of_a_share_needs_a_share_and_trials():
    assert wilson_share(0.25, 40) == wilson(10, 40)
    assert wilson_share(0.5, 0) is None
    assert wilson_share(0.3, 12.5).low < 0.3
    for share, trials in ((1.5, 3), (0.5, -1), (0.5, float("inf"))):
        with pytest.raises(InvalidValueError):
            wilson_share(share, trials)
    for share, trials in (("x", 3), (0.5, "x"), (0.5, True)):
        with pytest.raises(WrongTypeError):
            wilson_share(share, trials)


def test_what_nobody_ended_by_is_no_day_on_which_something_ended():
    survival = Survival.of_counts({(0, 3, True): 0, (0, 5, True): 1})
    assert [step.day for step in survival.steps] == [5]
    curve = Incidence.of_counts({(0, 3, "won"): 0, (0, 5, "won"): 1}, causes=["won"])
    assert [ending.day for ending in curve.endings] == [5]
