"""Score cards on the deals of Salvirt: published shares, and what a card makes of them."""

import csv
from functools import cache
from statistics import mean

import pytest

from bench.prediction import REPEATS, compared, salvirt
from salespipeline.prediction import POINTS_PER_LOG_ODD, evaluate, evaluated, learn


@pytest.fixture(scope="module")
def deals(shared_data):
    return salvirt(shared_data)


@pytest.fixture(scope="module")
def repeats(deals):
    return [compared(deals, seed) for seed in range(REPEATS)]


@cache
def all_rows(folder):
    path = folder / "salvirt_b2b" / "Salvirt_B2B_ML_dataset.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def shares(card, column):
    """By value, the share of records that came out."""
    (feature,) = (each for each in card.features if each.name == column)
    return {told.value: told.came / told.records for told in feature.values}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("Budgt_alloc", {"Yes": 0.5434, "No": 0.5337, "unknown": 0.1389}),
        ("Authority", {"High": 0.5312, "Mid": 0.5038, "Low": 0.5294}),
        ("Needs_def", {"Yes": 0.5214, "No": 0.375, "Info gathering": 0.1818}),
    ],
)
def test_the_win_rate_of_each_answer_is_the_published_one(shared_data, column, expected):
    card = learn(all_rows(shared_data), outcome="Status", won="Won")
    found = shares(card, column)
    assert {value: found[value] for value in expected} == pytest.approx(expected, abs=6e-5)


def test_the_win_rates_of_all_deals_and_without_duplicates_are_the_published_ones(
    shared_data, deals
):
    first = learn(all_rows(shared_data), outcome="Status", won="Won")
    assert first.came / first.records == pytest.approx(0.5067, abs=5e-5)
    card = learn(deals, outcome="Status", won="Won")
    assert (card.came, card.records) == (173, 365)


def test_the_auc_of_the_count_of_answers_met_is_the_published_one(shared_data):
    rows = all_rows(shared_data)
    met = [
        (row["Budgt_alloc"] == "Yes") + (row["Authority"] in {"High", "Mid"})
        + (row["Needs_def"] == "Yes")
        for row in rows
    ]  # fmt: skip
    found = evaluated([count / 3 for count in met], [row["Status"] == "Won" for row in rows])
    assert found.auc == pytest.approx(0.5469, abs=6e-5)
    assert found.auc in found.auc_interval


def test_the_card_is_honest_where_it_has_not_seen_the_deals(repeats):
    ours = [card for card, _ in repeats]
    assert mean(each.intercept for each in ours) == pytest.approx(0, abs=0.1)
    assert 0.9 <= mean(each.slope for each in ours) <= 1.1


def test_the_likelihoods_that_are_multiplied_are_far_too_sure_of_themselves(repeats):
    assert mean(odoo.slope for _, odoo in repeats) < 0.35


def test_the_card_is_better_than_multiplied_likelihoods_in_every_repeat(repeats):
    assert len(repeats) == 10
    for card, odoo in repeats:
        assert card.brier < odoo.brier
        assert card.log_loss < odoo.log_loss


def test_the_card_ranks_about_as_well_as_the_likelihoods_do(repeats):
    for card, odoo in repeats:
        assert card.auc in odoo.auc_interval
        assert odoo.auc in card.auc_interval
    assert mean(card.auc for card, _ in repeats) == pytest.approx(0.829, abs=0.002)
    assert mean(odoo.auc for _, odoo in repeats) == pytest.approx(0.833, abs=0.002)


def test_evaluate_says_of_the_deals_what_the_page_on_unknown_says(deals):
    found = evaluate(deals, outcome="Status", won="Won")
    assert found.auc == pytest.approx(0.833, abs=0.002)
    assert (found.records, found.came, found.unlabelled) == (365, 173, 0)
    codes = {each.code for each in found.warnings}
    assert codes == {"no_instants"}


def test_an_unknown_budget_speaks_against_a_deal_more_than_no_budget(deals):
    card = learn(deals, outcome="Status", won="Won")
    (budget,) = (each for each in card.features if each.name == "Budgt_alloc")
    assert budget.says("unknown") < -1
    assert budget.says("No") > 0
    points = {
        told.value: round(card.slope * budget.weight * told.evidence * POINTS_PER_LOG_ODD)
        for told in budget.values
    }
    assert points == {"Yes": 1, "No": 1, "unknown": -10}
