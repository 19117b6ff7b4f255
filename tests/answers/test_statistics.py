"""Figures of the statistics that others published, each with its source beside it.

Those on data of deals, and the tables of aml, lung and 6-MP, are in ``test_figures.py``; those of
intervals alone in ``test_intervals.py``.
"""

import csv

import pytest

from salespipeline.intervals import jeffreys, wilson
from salespipeline.metrics import Incidence, Rate, Survival
from salespipeline.prediction.measuring import evaluated

BMT = {"0": None, "1": "relapse", "2": "death"}


def _rows(folder, name):
    with folder.joinpath("survival", name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def transplants(shared_data):
    """35 patients with a bone-marrow transplant: months until they relapsed or died."""
    rows = _rows(shared_data, "bmt.csv")
    return Incidence.of((int(float(row["ftime"])), BMT[row["status"]]) for row in rows)


# Scrucca, Santucci and Aversa, Bone Marrow Transplantation 40 (2007) 381-387: their data, with the
# values that scikit-survival prints for them. Three patients end on day 0.


@pytest.mark.parametrize(
    ("month", "either", "relapse", "death"),
    [
        (0, 0.0571, 0.0286, 0.0286),
        (1, 0.1143, 0.0571, 0.0571),
        (2, 0.1429, 0.0571, 0.0857),
        (3, 0.2611, 0.1458, 0.1153),
        (4, 0.3498, 0.2049, 0.1448),
    ],
)
def test_transplants_fail_from_day_0_on_as_published(transplants, month, either, relapse, death):
    assert transplants.at("relapse", month) == pytest.approx(relapse, abs=6e-5)
    assert transplants.at("death", month) == pytest.approx(death, abs=6e-5)
    assert 1 - transplants.open_at(month) == pytest.approx(either, abs=6e-5)


def test_transplants_come_to_the_published_shares_in_the_end(transplants):
    assert transplants.n == 35
    assert transplants.at("relapse", 26) == pytest.approx(0.272839, abs=6e-7)
    assert transplants.at("death", 26) == pytest.approx(0.481270, abs=6e-7)


def test_one_less_kaplan_meier_overstates_relapse_by_as_much_as_published(transplants):
    # .330 against .273, as Scrucca, Santucci and Aversa warn
    assert transplants.naive_at("relapse", 26) == pytest.approx(0.330, abs=6e-4)
    naive = sum(transplants.naive_at(cause, 26) for cause in transplants.causes)
    assert naive > transplants.at("relapse", 26) + transplants.at("death", 26) + 0.1


# The example of lifelines' pull request 1699.


def test_the_six_lives_of_lifelines_end_by_either_cause_as_often():
    curve = Incidence.of(
        [(1, None), (2, "one"), (3, "one"), (4, "two"), (5, "two"), (6, None)], level=0.9
    )
    assert [round(curve.at(cause, 6), 12) for cause in ("one", "two")] == [0.4, 0.4]
    assert curve.open_at(6) == pytest.approx(0.2)


# R's survival package: aml.


def _aml(folder, group):
    return Survival.of(
        (float(row["time"]), float(row["status"]) == 1)
        for row in _rows(folder, "r_aml.csv")
        if row["x"] == group
    )


@pytest.mark.parametrize(
    ("group", "days", "error"),
    [("Maintained", 31.8432, 4.5279), ("Nonmaintained", 22.7083, None)],
)
def test_the_mean_remission_within_48_weeks_is_that_of_lifelines(shared_data, group, days, error):
    # its error by Klein and Moeschberger (2003), 4.5; lifelines' own is of another quantity
    found = _aml(shared_data, group).restricted_mean(48)
    assert found.days == pytest.approx(days, abs=6e-5)
    if error is not None:
        assert found.error == pytest.approx(error, abs=6e-5)


def test_once_all_have_relapsed_no_error_is_told(shared_data):
    # R prints NaN for it at 45 weeks
    curve = _aml(shared_data, "Nonmaintained")
    assert (curve.at(45), curve.error_at(45)) == (0.0, None)


@pytest.mark.parametrize(
    ("group", "low", "high"), [("Maintained", 13, None), ("Nonmaintained", 5, 33)]
)
def test_the_interval_of_the_median_inverts_the_band_of_rs_table(shared_data, group, low, high):
    # S and se as R prints them, on the log-log scale: of the maintained the lower band is .508 at
    # 9 weeks and .448 at 13, the upper .525 at 48; of the others .482 at 5, .561 at 30, .462 at 33
    interval = _aml(shared_data, group).quantile_interval(0.5)
    assert (interval.low, interval.high) == (low, high)


# Newcombe, Statistics in Medicine 17 (1998) 857-872, Table I, method 3; Jeffreys by statsmodels.


@pytest.mark.parametrize(
    ("numerator", "denominator", "newcombe", "statsmodels"),
    [
        (81, 263, (0.2553, 0.3662), (0.2545, 0.3656)),
        (15, 148, (0.0624, 0.1605), (0.0604, 0.1576)),
        (0, 20, (0, 0.1611), (0, 0.1166)),
    ],
)
def test_a_rate_has_newcombes_interval_or_that_of_statsmodels(
    numerator, denominator, newcombe, statsmodels
):
    for method, ends in (("wilson", newcombe), ("jeffreys", statsmodels)):
        interval = Rate.of(numerator, denominator, method=method).interval
        assert (round(interval.low, 4), round(interval.high, 4)) == ends
        assert interval.method == method
    assert wilson(numerator, denominator) != jeffreys(numerator, denominator)


# The examples in the documentation of scikit-learn's brier_score_loss and log_loss.


def test_brier_and_log_loss_are_those_of_scikit_learns_documentation():
    found = evaluated([0.1, 0.9, 0.8, 0.3], [False, True, True, False])
    assert found.brier == pytest.approx(0.0375)
    found = evaluated([0.9, 0.1, 0.2, 0.65], [True, False, False, True])
    assert found.log_loss == pytest.approx(0.21616, abs=6e-6)
