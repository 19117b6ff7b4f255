"""How many of the deals that began together are won by each age."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.metrics._figure import Rate
from salespipeline.metrics.cohorts import (
    SamePeriodRate,
    cohort_rate,
    cohort_table,
    same_period_rate,
)
from salespipeline.metrics.incidence import win_probability
from salespipeline.periods import Period
from salespipeline.tallies import lifetimes
from stories import BY_THEN, day, days, deal, given_to, lost, won

FIRST, SECOND = days(0, 10), days(10, 20)
BODY = (
    deal(0, won(5), owner="ada", source="fair"),
    deal(1, won(21), owner="ada", source="web"),
    deal(9, lost(12), owner="bob", source="web"),
    deal(9, owner="bob", source="web"),
    deal(12, won(14), owner="ada", source="fair"),
    deal(13, lost(20), owner="bob", source="web"),
    deal(19, owner="bob", source="web"),
)


def cells(found):
    return [(cell.age_days, cell.created, cell.mature, cell.share) for cell in found]


def test_a_cohort_old_enough_has_the_plain_share_won_by_the_age():
    found = cohort_table(BODY, as_of=day(40), periods=[FIRST], ages=(4, 5, 20, 30))
    assert cells(found) == [(4, 4, True, 0), (5, 4, True, 1 / 4), (20, 4, True, 2 / 4),
                            (30, 4, True, 2 / 4)]  # fmt: skip
    assert (found[1].observed.numerator, found[1].observed.denominator) == (1, 4)
    assert found[1].interval.method == "wilson"
    assert found[1].estimate is None
    assert found[1].at_risk is None


def test_a_cohort_is_mature_when_the_last_deal_that_may_be_in_it_is_that_old():
    def mature(as_of, **options):
        asked = {"periods": [FIRST], "ages": (30,)} | options
        return cohort_table(BODY, as_of=as_of, **asked)[0].mature

    assert not mature(day(39.99))
    assert mature(day(40))
    assert mature(day(10), ages=(0,))
    assert not mature(day(9.9), ages=(0,))
    zone = ZoneInfo("America/New_York")  # its midnight is five hours later
    local = [Period(FIRST.start, FIRST.end + timedelta(hours=5))]
    assert not mature(day(40.2), periods=local, zone=zone)
    assert mature(day(40) + timedelta(hours=5), periods=local, zone=zone)


def test_a_young_cohort_has_an_estimate_in_which_open_deals_are_open():
    found = cohort_table(BODY, as_of=day(25), periods=[FIRST, SECOND], ages=(5, 10, 15))
    assert cells(found)[:3] == [(5, 4, True, 1 / 4), (10, 4, True, 1 / 4), (15, 4, True, 1 / 4)]
    five, ten, fifteen = found[3:]
    assert (five.mature, ten.mature, fifteen.mature) == (True, False, False)
    assert (five.share, five.observed.numerator) == (1 / 3, 1)
    # Of three one is won on day 2; then one is lost on day 7 and one is open on day 6.
    assert ten.observed is None
    assert ten.share is None  # the deal open on day 6 could still be won, and no other is older
    early = cohort_table(BODY, as_of=day(20), periods=[SECOND], ages=(7,))[0]
    # One of the two that were there on day 2 was won; the third is a day old, and not lost.
    assert early.share == pytest.approx(1 / 2)
    assert early.at_risk == 1
    assert early.estimate == win_probability(BODY, as_of=day(20), period=SECOND, horizon_days=7)


def test_deals_known_only_from_an_age_on_make_no_plain_share():
    late = [deal(0, won(20), observed_from=day(15)), deal(1, observed_from=day(15))]
    cell = cohort_table(late, as_of=day(90), periods=[FIRST], ages=(30,))[0]
    assert (cell.mature, cell.observed) == (True, None)
    assert cell.share == pytest.approx(1 / 2)
    rate = cohort_rate(late, as_of=day(90), period=FIRST, horizon_days=30)
    assert rate == Rate(0, 0, None, left_out={"entered_late": 2})


def test_deals_whose_beginning_is_not_known_are_left_out_by_reason():
    body = [*BODY, deal(3, won(9), start=BY_THEN)]
    cell = cohort_table(body, as_of=day(90), periods=[FIRST], ages=(30,))[0]
    assert (cell.created, cell.observed.denominator) == (5, 4)
    assert cell.left_out == {"start_unknown": 1}
    young = cohort_table(body, as_of=day(25), periods=[FIRST], ages=(30,))[0]
    assert young.left_out == {"start_unknown": 1}


def test_a_period_without_a_deal_is_there_and_says_nothing():
    cell = cohort_table([], as_of=day(90), periods=[FIRST], ages=(30,))[0]
    assert (cell.created, cell.mature, cell.share, cell.interval) == (0, True, None, None)
    cell = cohort_table([], as_of=day(3), periods=[FIRST], ages=(30,))[0]
    assert (cell.mature, cell.share, cell.interval) == (False, None, None)


def test_the_usual_ages_are_30_60_and_90_days():
    found = cohort_table(BODY, as_of=day(500), periods=[FIRST, SECOND])
    assert [(cell.cohort, cell.age_days) for cell in found] == [
        (cohort, age) for cohort in (FIRST, SECOND) for age in (30, 60, 90)
    ]


def test_cohorts_by_source_and_by_owner_are_as_they_were_then():
    by_source = cohort_table(BODY, as_of=day(90), periods=[FIRST], ages=(30,), by="source")
    assert {source: cells(found) for source, found in by_source.items()} == {
        "fair": [(30, 1, True, 1)],
        "web": [(30, 3, True, 1 / 3)],
    }
    sold_on = [deal(0, given_to(3, "eve"), won(9), owner="ada")]
    for moment, owner in (("creation", "ada"), ("as_of", "eve")):
        asked = {"periods": [FIRST], "by": "owner", "by_at": moment}
        assert list(cohort_table(sold_on, as_of=day(90), **asked)) == [owner]


def test_a_tally_brings_its_periods_along():
    tally = lifetimes(BODY, as_of=day(25), by_at="creation", periods=[FIRST, SECOND])
    assert cohort_table(tally) == cohort_table(BODY, as_of=day(25), periods=[FIRST, SECOND])
    assert cohort_table(tally, periods=[SECOND]) == cohort_table(
        BODY, as_of=day(25), periods=[SECOND]
    )
    with pytest.raises(UnknownKeyError):
        cohort_table(tally, periods=[days(3, 4)])


def test_a_tally_of_finer_durations_has_no_ages_in_days():
    hourly = lifetimes(BODY, as_of=day(90), periods=[FIRST], resolution=timedelta(hours=1))
    for figure in (cohort_table, lambda t: cohort_rate(t, period=FIRST, horizon_days=3)):
        with pytest.raises(InvalidValueError, match="ages here are days"):
            figure(hourly)


def test_cells_are_rows_of_plain_values():
    row = cohort_table(BODY, as_of=day(40), periods=[FIRST], ages=(5,)).to_dicts()[0]
    assert row["cohort_start"] == FIRST.start
    assert (row["age_days"], row["created"], row["share"], row["method"]) == (5, 4, 1 / 4, "wilson")


def test_cells_are_values():
    made = [cohort_table(BODY, as_of=day(40), periods=[FIRST])[0] for _ in range(2)]
    check_value(*made, cohort_table(BODY, as_of=day(40), periods=[FIRST])[1])
    check_value(SamePeriodRate(1, 2), SamePeriodRate(1, 2), SamePeriodRate(2, 2),
                SamePeriodRate(1, 3))  # fmt: skip


# Rates of one period


def test_the_cohort_s_rate_is_of_the_deals_created_in_the_period():
    assert cohort_rate(BODY, as_of=day(40), period=FIRST) == Rate.of(2, 4)
    assert cohort_rate(BODY, as_of=day(40), period=FIRST, horizon_days=10) == Rate.of(1, 4)
    early = cohort_rate(BODY, as_of=day(15), period=FIRST, horizon_days=10)
    assert early == Rate(0, 0, None, left_out={"horizon_not_over": 4})
    by_owner = cohort_rate(BODY, as_of=day(40), period=FIRST, by="owner")
    assert by_owner == {"ada": Rate.of(2, 2), "bob": Rate.of(0, 2)}


def test_the_same_period_s_ratio_is_of_two_bodies_of_deals_and_may_be_more_than_1():
    assert same_period_rate(BODY, as_of=day(40), period=FIRST) == SamePeriodRate(1, 4)
    assert same_period_rate(BODY, as_of=day(40), period=SECOND) == SamePeriodRate(1, 3)
    harvest = same_period_rate(BODY, as_of=day(40), period=days(14, 22))
    assert (harvest.won, harvest.created, harvest.value) == (2, 1, 2.0)
    assert same_period_rate(BODY, as_of=day(40), period=days(20, 22)).value is None
    assert (harvest.period, harvest.as_of) == (days(14, 22), day(40))


def test_dashboards_fall_when_more_deals_come_in_and_the_cohort_does_not():
    steady = [deal(n, won(n + 15)) for n in range(20)]
    growing = [*steady, *(deal(n, won(n + 15)) for n in range(10, 20))]
    for body, ratio in ((steady, 1 / 2), (growing, 1 / 4)):
        assert same_period_rate(body, as_of=day(60), period=SECOND).value == ratio
        assert cohort_rate(body, as_of=day(60), period=SECOND, horizon_days=15).value == 1


def test_the_same_period_s_ratio_by_a_field_says_the_period_for_each_group():
    found = same_period_rate(BODY, as_of=day(40), period=FIRST, by="owner")
    assert found == {"ada": SamePeriodRate(1, 2), "bob": SamePeriodRate(0, 2)}
    assert found["ada"].period == found.period == FIRST


# Doors


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"ages": ()}, "there is none"),
        ({"ages": (30, -1, 30, 99_999)}, "-1 days are not.*99999 days.*30 occurs twice"),
        ({"periods": ()}, "periods: there is none"),
        ({"periods": [SECOND, FIRST]}, "does not begin after"),
    ],
)
def test_ages_and_periods_that_are_none_are_refused(options, fault):
    with pytest.raises(InvalidValueError, match=fault):
        cohort_table(BODY, as_of=day(9), **({"periods": [FIRST]} | options))


def test_strange_values_are_refused_at_every_door():
    asked = {"as_of": day(9), "periods": [FIRST]}
    one = {"as_of": day(9), "period": FIRST}

    def is_none(value):
        return value is None

    def is_small(value):
        return value is None or (type(value) is int and 0 <= value < 9)

    def is_numbers(value):
        return value == range(3)

    def is_empty(value):
        return isinstance(value, tuple | list | dict | set) and not value

    check_door(lambda x: cohort_table(x, **asked), takes=is_empty)
    check_door(lambda x: cohort_table([], as_of=x, periods=[FIRST]))
    check_door(lambda x: cohort_table([], as_of=day(9), periods=x))
    check_door(lambda x: cohort_table([], ages=x, **asked), takes=is_numbers)
    check_door(lambda x: cohort_table([], ages=[x], **asked), takes=lambda x: x in (0, 7)
               if type(x) is int else False)  # fmt: skip
    check_door(lambda x: cohort_table([], by=x, **asked), takes=is_none)
    check_door(lambda x: cohort_table([], by_at=x, **asked))
    check_door(lambda x: cohort_table([], level=x, **asked))
    check_door(lambda x: cohort_table([], zone=x, **asked))
    check_door(lambda x: cohort_rate([], as_of=day(9), period=x))
    check_door(lambda x: cohort_rate([], horizon_days=x, **one), takes=is_small)
    check_door(lambda x: same_period_rate(x, **one), takes=is_empty)
    check_door(lambda x: same_period_rate([], as_of=day(9), period=x))


def test_ages_next_to_the_end_of_time_are_not_over():
    far = day(0).replace(year=9999, month=12, day=31)
    end = Period(far - timedelta(days=1), far)
    assert not cohort_table([], as_of=far, periods=[end], ages=(36_525,))[0].mature
