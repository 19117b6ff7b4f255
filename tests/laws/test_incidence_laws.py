"""What must be so of every cumulative incidence, and of rates by clusters."""

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import moments, read_deals
from salespipeline.events import Lost, OwnerChanged
from salespipeline.intervals import clustered, wilson
from salespipeline.metrics import (
    Incidence,
    Survival,
    cumulative_incidence,
    win_rate_closed,
    win_rate_created,
)
from salespipeline.metrics.incidence import win_probability
from salespipeline.pipelines import Outcome
from salespipeline.tallies import lifetimes

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


@given(LIVES)
def test_the_curves_are_those_of_a_slow_sum_in_fractions(lives):
    subjects = [(age, cause, *rest, 0)[:3] for age, cause, *rest in lives]
    subjects = [(age, cause, entry) for age, cause, entry in subjects if age >= entry]
    curve, lasting = Incidence.of(lives), Fraction(1)
    shares = dict.fromkeys(curve.causes, Fraction(0))
    for day in range(max((age for age, _, _ in subjects), default=-1) + 1):
        there = [cause if age == day else None for age, cause, entry in subjects
                 if entry <= day <= age]  # fmt: skip
        ended = Counter(cause for cause in there if cause is not None)
        for cause, n in ended.items():
            shares[cause] += lasting * Fraction(n, len(there))
        lasting *= 1 - Fraction(ended.total(), len(there) or 1)
        for cause, share in shares.items():
            assert curve.at(cause, day) == pytest.approx(float(share), abs=1e-12)


@given(st.lists(st.tuples(AGES, st.sampled_from(["won", "lost", "no decision"])), min_size=1), AGES)
def test_without_open_records_the_interval_is_wilsons_of_a_plain_share(lives, age):
    curve = Incidence.of(lives)
    for cause in curve.causes:
        found = curve.interval_at(cause, age)
        came = sum(1 for at, by in lives if at <= age and by == cause)
        if found is not None and 0 < came < len(lives):
            plain = wilson(came, len(lives))
            ends = (plain.low, plain.high)
            assert (found.low, found.high) == pytest.approx(ends, abs=1e-6)


@given(LIVES, AGES)
def test_the_naive_figure_never_says_less(lives, age):
    curve = Incidence.of(lives)
    alone = {cause: Survival.of([(at, by == cause, *entry) for at, by, *entry in lives])
             for cause in curve.causes}  # fmt: skip
    for cause in curve.causes:
        naive, share = curve.naive_at(cause, age), curve.at(cause, age)
        assert (naive is None) == (share is None)
        if naive is not None:
            assert naive >= share - 1e-12
            assert naive == pytest.approx(1 - alone[cause].at(age), abs=1e-9)


@given(LIVES, st.floats(0.01, 0.99))
def test_a_quantile_is_where_the_curve_first_comes_so_far(lives, share):
    curve = Incidence.of(lives)
    for cause in curve.causes:
        day = curve.quantile(cause, share)
        before = [curve.at(cause, age) or 0 for age in range(41) if day is None or age < day]
        assert all(each < share for each in before)
        assert day is None or curve.at(cause, day) >= share - 1e-11


@given(LIVES)
def test_cumulative_hazards_are_the_sum_of_what_ended_by_who_was_there(lives):
    curve = Survival.of([(life[0], life[1] is not None, *life[2:]) for life in lives])
    total, before = Fraction(0), 0.0
    for each, step in zip(curve.hazards(), curve.steps, strict=True):
        total += Fraction(each.ended, each.at_risk)
        assert each.cumulative == pytest.approx(float(total))
        assert each.error >= before
        assert each.hazard == pytest.approx(each.ended / step.at_risk)
        before = each.error


@given(LIVES, st.floats(0.05, 0.95))
def test_a_quantile_lies_in_its_interval(lives, share):
    curve = Survival.of([(life[0], life[1] is not None, *life[2:]) for life in lives])
    interval, day = curve.quantile_interval(share), curve.quantile(share)
    if interval is not None and day is not None:
        assert (interval.low if interval.low is not None else -inf) <= day
        # the band has no end on a day on which nothing lasts, so it may close before it
        assert interval.high is None or day <= interval.high or curve.at(day) == 0


# Deals as other systems tell them

CAUSES = {"dear": ["price"]}
BODIES = st.lists(read_deals(), max_size=6)


@given(BODIES, moments())
def test_causes_part_the_lost_deals_and_nothing_else(histories, at):
    plain = cumulative_incidence(histories, as_of=at)
    parted = cumulative_incidence(histories, as_of=at, causes=CAUSES)
    assert parted.ended["won"] == plain.ended["won"]
    assert parted.ended["lost"] + parted.ended["dear"] == plain.ended["lost"]
    assert (parted.n, parted.left_out) == (plain.n, plain.left_out)
    for day in range(0, 400, 37):
        lost = [parted.at(cause, day) for cause in ("lost", "dear")]
        if plain.at("lost", day) is not None:
            assert sum(lost) == pytest.approx(plain.at("lost", day))
            assert parted.open_at(day) == pytest.approx(plain.open_at(day), abs=1e-9)


@given(BODIES, moments())
def test_a_cause_is_that_of_the_fold(histories, at):
    stood = [record for history in histories if (record := history.as_of(at)) is not None]
    expected = Counter(
        None if record.outcome is Outcome.OPEN
        else "dear" if record.outcome is Outcome.LOST and record.reason == "price"
        else record.outcome.value
        for record in stood
    )  # fmt: skip
    counted = Counter[str | None]()
    for row, count in lifetimes(histories, as_of=at, causes=CAUSES).rows.items():
        counted[row.cause] += count.n
    assert counted == expected


@given(BODIES, BODIES, moments())
def test_tallies_with_causes_and_clusters_add(one, two, at):
    options = {"as_of": at, "causes": CAUSES, "cluster": "owner", "by": "source"}
    whole = lifetimes([*one, *two], **options)
    assert lifetimes(one, **options) + lifetimes(two, **options) == whole
    assert lifetimes([*two, *one], **options) == whole


def _later(history, at):
    """The same history with a loss after an instant, and an owner that is only told after it."""
    after, first = at + timedelta(microseconds=1), history.events[0]
    said = {"record": first.record, "sequence": len(history.events) + 1}
    given = OwnerChanged(**said, at=at, recorded_at=after, owner="eve")
    said["sequence"] += 1
    lost = Lost(**said, at=after, pipeline="board", stage="gone", reason="price")
    return type(history)([*history.events, given, lost])


@given(BODIES, moments())
def test_what_happens_or_is_told_later_changes_no_figure(histories, at):
    grown = [_later(history, at) for history in histories]
    for figure, options in (
        (cumulative_incidence, {"causes": CAUSES}),
        (win_probability, {"horizon_days": 90}),
        (win_rate_closed, {"cluster": "owner"}),
    ):
        assert figure(grown, as_of=at, **options) == figure(histories, as_of=at, **options)


@given(BODIES, moments())
def test_by_group_counts_recombine(histories, at):
    whole = cumulative_incidence(histories, as_of=at, causes=CAUSES)
    parts = cumulative_incidence(histories, as_of=at, by="owner", causes=CAUSES).values()
    assert sum(part.n for part in parts) == whole.n
    for cause in whole.causes:
        assert sum(part.ended[cause] for part in parts) == whole.ended[cause]
    within = win_probability(histories, as_of=at, horizon_days=60)
    by_owner = win_probability(histories, as_of=at, horizon_days=60, by="owner").values()
    assert sum(each.at_risk for each in by_owner) == within.at_risk


@given(BODIES, moments())
def test_a_rate_of_clusters_is_that_of_the_records_as_they_stood(histories, at):
    stood = [record for history in histories if (record := history.as_of(at)) is not None]
    clusters, alone = dict[object, tuple[int, int]](), list[tuple[int, int]]()
    # who owns a closed deal now need not be who closed it, so all are read as of the instant
    rate = win_rate_created(
        lifetimes(histories, as_of=at, cluster="owner", by_at="as_of"), cluster="owner"
    )
    for record in stood:
        hit = int(record.outcome is Outcome.WON)
        if record.owner is None:
            alone.append((hit, 1))
        else:
            hits, of = clusters.get(record.owner, (0, 0))
            clusters[record.owner] = hits + hit, of + 1
    pairs = [*clusters.values(), *alone]
    expected = clustered(pairs)
    assert (rate.numerator, rate.denominator, rate.clusters) == (
        sum(hits for hits, _ in pairs),
        len(stood),
        len(pairs),
    )
    assert (rate.interval is None) == (expected is None) == (len(pairs) < 5)
    if expected is not None:
        assert rate.interval.low == pytest.approx(expected.low)
        assert rate.interval.high == pytest.approx(expected.high)
