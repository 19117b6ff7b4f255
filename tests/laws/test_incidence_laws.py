"""What must be so of every cumulative incidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespipeline.metrics import Incidence, Survival

AGES = st.integers(0, 40)
CAUSES = st.sampled_from([None, "won", "lost", "no decision"])
LIVES = st.lists(st.tuples(AGES, CAUSES) | st.tuples(AGES, CAUSES, AGES), min_size=1, max_size=40)


@given(LIVES, AGES)
def test_the_shares_of_all_causes_and_of_what_is_open_sum_to_1(lives, age):
    curve = Incidence.of(lives)
    shares = [curve.at(cause, age) for cause in curve.causes]
    left = curve.open_at(age)
    if left is not None:
        assert sum(shares) + left == pytest.approx(1)
        assert all(-1e-12 <= share <= 1 + 1e-12 for share in shares)


@given(LIVES, AGES)
def test_what_is_open_is_the_survival_of_all_causes_together(lives, age):
    together = Survival.of([(life[0], life[1] is not None, *life[2:]) for life in lives])
    left, survival = Incidence.of(lives).open_at(age), together.at(age)
    assert (left is None) == (survival is None)
    assert left is None or left == pytest.approx(survival, abs=1e-9)


@given(LIVES, st.randoms(use_true_random=False))
def test_the_order_of_lives_changes_nothing(lives, random):
    shuffled = random.sample(lives, len(lives))
    one, other = Incidence.of(lives), Incidence.of(shuffled)
    for cause in one.causes:
        for age in range(0, 41, 5):
            assert one.at(cause, age) == pytest.approx(other.at(cause, age), nan_ok=True)


@given(LIVES)
def test_a_share_never_falls_and_lies_in_its_interval(lives):
    curve = Incidence.of(lives)
    for cause in curve.causes:
        shares = [curve.at(cause, age) for age in range(41) if curve.at(cause, age) is not None]
        assert shares == sorted(shares)
        for age in range(0, 41, 8):
            interval, share = curve.interval_at(cause, age), curve.at(cause, age)
            assert (interval is None) == (share is None) or not curve.at_risk(age)
            if interval is not None:
                assert interval.low - 1e-9 <= share <= interval.high + 1e-9


@given(st.lists(st.tuples(AGES, st.booleans()), min_size=1, max_size=30), st.integers(0, 40))
def test_a_restricted_mean_is_at_most_its_horizon_and_grows_with_it(lives, horizon):
    curve = Survival.of(lives)
    found, more = curve.restricted_mean(horizon), curve.restricted_mean(horizon + 1)
    if found is not None:
        assert 0 <= found.days <= horizon + 1e-9
        assert found.error >= 0
    if more is not None:
        assert found.days <= more.days + 1e-9 <= found.days + 1 + 2e-9
