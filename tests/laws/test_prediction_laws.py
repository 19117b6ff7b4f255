"""What must be so of every card, calibration and evaluation."""

import math
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from record_strategies import START, read_histories
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.prediction import evaluate, evaluated, examples, learn
from salespipeline.prediction._fitting import isotonic, logistic
from salespipeline.prediction.features import edges_of

KINDS = st.sampled_from(["a", "b", "c", "d", "", None])
NUMBERS = st.integers(0, 60)
SEEDS = st.integers(0, 2**40)
CLOSE = pytest.approx


@st.composite
def tables(draw, least=60):
    """Rows of four columns, the first of which tells something of the outcome."""
    chance = random.Random(draw(SEEDS))
    number = draw(st.integers(least, 160))
    told = draw(st.floats(0, 0.9))
    levels = draw(st.lists(KINDS, min_size=2, max_size=6, unique=True))
    rows = []
    for n in range(number):
        came = n < 20 or (n >= 40 and chance.random() < 0.4)
        kind = chance.choice(levels)
        first = (
            ("yes" if came else "no") if chance.random() < told else chance.choice(["yes", "no"])
        )
        rows.append(
            {"first": first, "kind": kind, "number": chance.randrange(60),
             "other": chance.choice("xyz"), "team": chance.choice("nsw"), "won": came}
        )  # fmt: skip
    chance.shuffle(rows)
    return rows


def learned(rows, **options):
    return learn(rows, outcome="won", won=True, **options)


def chances(card, rows):
    return [card.predict(row).probability for row in rows]


@given(tables(), st.sampled_from([None, "team"]), st.floats(0.5, 0.99))
def test_the_parts_sum_to_the_log_odds_and_the_chance_lies_in_its_interval(rows, team, level):
    card = learned(rows, team=team)
    for row in [*rows, {}, {"first": "never seen"}]:
        said = card.predict(row, level=level)
        assert said.intercept + sum(part.log_odds for part in said.parts) == CLOSE(
            said.log_odds, abs=1e-12
        )
        assert said.probability in said.interval
        assert 0 < said.interval.low <= said.interval.high < 1
        assert said.probability == CLOSE(1 / (1 + math.exp(-said.log_odds)))


@given(tables(), SEEDS, st.sampled_from([None, "team"]))
def test_the_order_of_columns_changes_no_chance(rows, seed, team):
    names = [*rows[0]]
    random.Random(seed).shuffle(names)
    turned = [{name: row[name] for name in names} for row in rows]
    first, second = learned(rows, team=team), learned(turned, team=team)
    assert chances(first, rows) == CLOSE(chances(second, rows), abs=1e-12)


@given(tables(), SEEDS)
def test_new_names_for_values_change_no_chance(rows, seed):
    names = [f"name {n}" for n in range(6)]
    random.Random(seed).shuffle(names)
    found = {}

    def named(value):
        return value if value in ("", None) else found.setdefault(value, names[len(found)])

    turned = [row | {"kind": named(row["kind"])} for row in rows]
    assert chances(learned(rows), rows) == CLOSE(chances(learned(turned), turned), abs=1e-12)


@given(tables(), st.integers(1, 4), st.sampled_from(["first", "kind", "number"]))
def test_copies_of_a_column_change_no_chance(rows, copies, name):
    more = [row | {f"copy {n}": row[name] for n in range(copies)} for row in rows]
    one, several = learned(rows), learned(more)
    assert chances(one, rows) == CLOSE(chances(several, more), abs=1e-12)
    for row, wide in zip(rows[:5], more[:5], strict=True):
        first, second = one.predict(row).interval, several.predict(wide).interval
        assert (first.low, first.high) == CLOSE((second.low, second.high), abs=1e-12)


@given(tables(), st.lists(st.tuples(st.integers(0, 59), KINDS), min_size=1, max_size=15))
def test_unlabelled_rows_change_nothing_but_their_count(rows, places):
    more = [*rows]
    for place, kind in places:
        more.insert(place, rows[0] | {"kind": kind, "number": place, "won": None})
    card, again = learned(rows), learned(more)
    assert again.unlabelled == len(places)
    assert again.features == card.features
    assert (again.records, again.slope, again.offset) == (card.records, card.slope, card.offset)
    assert evaluate(more, outcome="won", won=True).brier == (
        evaluate(rows, outcome="won", won=True).brier
    )


@given(tables(), SEEDS)
def test_the_same_rows_and_seed_give_the_same_card(rows, seed):
    assert learned(rows, seed=seed) == learned(rows, seed=seed)
    first, second = (evaluate(rows, outcome="won", won=True, seed=seed) for _ in "ab")
    assert first == second


TEXT = """
import random
from salespipeline.prediction import evaluate, learn
chance = random.Random(1)
rows = [{"a": chance.choice("uvwxyz"), "b": chance.choice(["", "p", "q"]), "c": chance.random(),
         "t": chance.choice("ns"), "won": chance.random() < .4} for _ in range(150)]
print(repr(learn(rows, outcome="won", won=True, team="t")))
print(repr(evaluate(rows, outcome="won", won=True)))
"""


def test_a_card_hangs_on_no_hash_seed():
    import salespipeline

    folder = str(Path(salespipeline.__file__).parent.parent)
    said = {
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", TEXT], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": folder},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(said) == 1


@given(tables(), st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_a_chance_never_falls_where_the_score_rises(rows, scores):
    many = (rows * 20)[:1_000]
    assume(20 <= sum(row["won"] for row in many) <= 980)
    for calibration in ("platt", "isotonic"):
        card = learned(many, calibration=calibration)
        found = [card.chance(score) for score in sorted(scores)]
        assert found == sorted(found)
        said = card.predict(rows[0])
        assert said.probability in said.interval


# The maps


def mean(pairs, low, high):
    held = [came for score, came in pairs if low <= score <= high]
    return sum(held) / len(held)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=12))
def test_isotonic_steps_are_the_rising_ones_nearest_to_the_outcomes(pairs):
    steps = isotonic([score for score, _ in pairs], [came for _, came in pairs])
    shares = [share for _, share in steps]
    assert shares == sorted(set(shares))

    def share(score):
        return [each for least, each in steps if least <= score][-1]

    fitted = sum((share(score) - came) ** 2 for score, came in pairs)
    # the minimax formula: the greatest over lower ends of the least over upper ends of means
    scores = sorted({score for score, _ in pairs})
    for score in scores:
        means = [
            min(mean(pairs, low, high) for high in scores if high >= score)
            for low in scores
            if low <= score
        ]
        assert share(score) == CLOSE(max(means))
    assert fitted <= sum((0.5 - came) ** 2 for _, came in pairs) + 1e-9


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.booleans()), min_size=4, max_size=60),
    st.floats(0.1, 20),
)
def test_at_the_weights_found_no_small_step_is_any_better(rows, ridge):
    outcomes = [float(came) for *_, came in rows]
    assume(0 < sum(outcomes) < len(outcomes))
    columns = [[first for first, *_ in rows], [second for _, second, _ in rows]]
    found = logistic(columns, outcomes, ridge=ridge)
    left = [
        came - 1 / (1 + math.exp(-(found[0] + found[1] * a + found[2] * b)))
        for (a, b, _), came in zip(rows, outcomes, strict=True)
    ]
    slopes = [sum(left)]
    for weight, column in zip(found[1:], columns, strict=True):
        slopes.append(sum(map(lambda x, y: x * y, left, column)) - ridge * weight)
    assert max(map(abs, slopes)) < 1e-7


@given(st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=200))
def test_bins_begin_at_numbers_that_there_are_above_the_least(numbers):
    edges = edges_of(numbers)
    assert list(edges) == sorted(set(edges))
    assert set(edges) <= {*numbers} - {min(numbers)}
    if len(set(numbers)) > 1:
        assert edges


# Evaluations

PREDICTED = st.lists(
    st.tuples(st.sampled_from([0, 0.1, 0.25, 0.5, 0.7, 1]) | st.floats(0, 1), st.booleans()),
    min_size=2, max_size=60,
).filter(lambda pairs: 0 < sum(came for _, came in pairs) < len(pairs))  # fmt: skip


def figures(pairs, **options):
    return evaluated([p for p, _ in pairs], [came for _, came in pairs], **options)


@given(PREDICTED, st.floats(0.5, 0.99))
def test_the_auc_is_the_share_of_pairs_ranked_right_and_lies_in_its_interval(pairs, level):
    first = [p for p, came in pairs if came]
    other = [p for p, came in pairs if not came]
    right = sum((a > b) + (a == b) / 2 for a in first for b in other)
    found = figures(pairs, level=level)
    assert found.auc == CLOSE(right / len(first) / len(other), abs=1e-12)
    assert found.auc in found.auc_interval


@given(PREDICTED)
def test_the_parts_of_the_brier_score_sum_to_it(pairs):
    found = figures(pairs)
    parts = found.reliability - found.resolution + found.uncertainty + found.within
    assert parts == CLOSE(found.brier, abs=1e-12)
    assert found.brier == CLOSE(sum((p - came) ** 2 for p, came in pairs) / len(pairs), abs=1e-12)
    assert min(found.reliability, found.resolution, found.uncertainty) >= 0


@given(PREDICTED)
def test_the_bars_and_the_lifts_hold_every_record_once_in_order(pairs):
    found = figures(pairs)
    for parts in (found.bars, found.lifts):
        assert sum(part.records for part in parts) == found.records == len(pairs)
        assert sum(part.came for part in parts) == found.came
        assert 1 <= len(parts) <= 10
    for bar, after in zip(found.bars, found.bars[1:], strict=False):
        assert bar.high < after.low
    for bar in found.bars:
        assert bar.low - 1e-12 <= bar.mean <= bar.high + 1e-12
        assert bar.share in bar.interval


@given(PREDICTED, SEEDS)
def test_the_order_of_records_changes_no_figure(pairs, seed):
    turned = [*pairs]
    random.Random(seed).shuffle(turned)
    assert figures(turned) == figures(pairs)


# Examples


@given(read_histories(), st.integers(0, 900), st.integers(0, 900), st.integers(1, 40))
def test_events_that_come_later_change_nothing_but_outcomes(histories, first, more, days):
    horizon = timedelta(days=days)
    now, later = START + timedelta(hours=first), START + timedelta(hours=first + more)
    for history in (
        [histories] if isinstance(histories, DealHistory | ContactHistory) else histories
    ):
        before = examples([history], as_of=now, horizon=horizon)
        after = examples([history], as_of=later, horizon=horizon)
        known = [row for row in after if row["at"] <= now]
        assert [bare(row) for row in known] == [bare(row) for row in before]
        for row in after:
            assert row["at"] <= later
            assert row["outcome"] is None or later - row["at"] >= horizon


def bare(row):
    return {name: value for name, value in row.items() if name != "outcome"}
