"""Cumulative incidence by cause, and means up to a horizon."""

import pytest

from contracts import check_value
from salespipeline import metrics
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.intervals import wilson, wilson_share
from salespipeline.metrics import Incidence, Survival
from stories import BY_THEN, day, deal, lost, moved, won

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
