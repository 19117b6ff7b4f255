"""How much of a quota was won, worked out by hand."""

from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import (
    InvalidValueError,
    MixedCurrenciesError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.metrics.attainment import attainment, attainment_steps
from salespipeline.money import Money
from salespipeline.periods import Period, Unit
from salespipeline.tallies import lifetimes
from stories import day, days, deal, euros, given_to, lost, won

TEN = days(0, 10)
BODY = [
    deal(0, won(1, 30), owner="ada"),
    deal(0, won(4, 45), owner="ada"),
    deal(0, given_to(1, "bob"), won(6, 60), given_to(7, "ada"), owner="ada"),
    deal(0, won(8), owner="bob"),
    deal(0, lost(3), owner="bob", amount=euros(500)),
    deal(0, won(12, 999), owner="ada"),
    deal(0, owner="ada", amount=euros(500)),
]


def test_attainment_is_what_was_won_in_the_period_of_the_quota():
    found = attainment(BODY, quota=euros(180), period=TEN, as_of=day(20))
    assert (found.won, found.quota, found.deals, found.without_amount) == (
        euros(135), euros(180), 4, 1,
    )  # fmt: skip
    assert (found.exact, found.value, found.is_met) == (Fraction(3, 4), 0.75, False)
    assert (found.elapsed, found.to_date, found.as_of, found.period) == (1, 0.75, day(20), TEN)


def test_to_date_the_quota_falls_due_evenly():
    found = attainment(BODY, quota=euros(180), period=TEN, as_of=day(5))
    assert (found.won, found.exact) == (euros(75), Fraction(75, 180))
    assert (found.elapsed, found.exact_to_date) == (Fraction(1, 2), Fraction(75, 90))


def test_before_the_period_there_is_no_ratio():
    for at in (day(-3), day(0)):
        found = attainment(BODY, quota=euros(180), period=TEN, as_of=at)
        assert (found.elapsed, found.value, found.to_date, found.is_met) == (0, None, None, None)


def test_a_quota_of_nothing_has_no_ratio():
    found = attainment(BODY, quota=euros(0), period=TEN, as_of=day(20))
    assert (found.won, found.value, found.to_date, found.is_met) == (euros(135), None, None, None)


def test_nothing_won_is_0_of_a_quota():
    found = attainment([], quota=euros(10), period=TEN, as_of=day(20))
    assert (found.won, found.value, found.deals) == (euros(0), 0.0, 0)


def test_exactly_the_quota_meets_it():
    assert attainment(BODY, quota=euros(135), period=TEN, as_of=day(20)).is_met
    assert not attainment(BODY, quota=Money("135.01", "EUR"), period=TEN, as_of=day(20)).is_met


def test_a_quota_in_another_currency_needs_a_rate():
    asked = {"quota": Money(90, "USD"), "period": TEN, "as_of": day(20)}
    with pytest.raises(MixedCurrenciesError):
        attainment(BODY, **asked)
    found = attainment(BODY, **asked, rates={"EUR": 2})
    assert (found.won, found.exact) == (Money(270, "USD"), 3)


def test_a_tally_counted_elsewhere_gives_the_same():
    tally = lifetimes(BODY, as_of=day(20), periods=[TEN])
    assert attainment(tally, quota=euros(180), period=TEN) == attainment(
        BODY, quota=euros(180), period=TEN, as_of=day(20)
    )
    with pytest.raises(UnknownKeyError):
        attainment(tally, quota=euros(180), period=days(0, 9))


# By owner

TEAM = {"bob": euros(40), "eve": euros(10), "cy": euros(0), "ada": euros(100)}


def by_owner(quota, deals=BODY, **asked):
    return attainment(deals, quota=quota, period=TEN, as_of=day(20), by="owner", **asked)


def test_groups_need_a_quota_each():
    with pytest.raises(WrongTypeError, match="as by= is given"):
        by_owner(euros(180))


def test_a_team_has_one_attainment_for_each_quota():
    found = by_owner(TEAM)
    ratios = {owner: each.exact for owner, each in found.each.items()}
    assert ratios == {"bob": Fraction(3, 2), "eve": 0, "cy": None, "ada": Fraction(3, 4)}
    assert list(ratios) == list(TEAM)
    assert (found.met.numerator, found.met.denominator) == (1, 3)
    assert (found.exact_mean, found.exact_median) == (Fraction(3, 4), Fraction(3, 4))
    assert (found.as_of, found.period, found.without_quota) == (day(20), TEN, {})
    assert [row["group"] for row in found.to_dicts()] == list(TEAM)


def test_one_far_above_the_quota_raises_the_mean_and_not_the_median():
    body = [deal(0, won(1, 1000), owner="ada"), deal(0, won(1, 50), owner="bob")]
    found = by_owner(dict.fromkeys(["ada", "bob", "eve"], euros(100)), body)
    assert (found.exact_mean, found.exact_median) == (Fraction(21, 6), Fraction(1, 2))
    even = by_owner(dict.fromkeys(["ada", "bob"], euros(100)), body)
    assert even.exact_median == even.exact_mean == Fraction(21, 4)


def test_who_has_no_quota_is_told_apart():
    found = by_owner({"bob": euros(40)})
    assert {owner: each.total() for owner, each in found.without_quota.items()} == {
        "ada": euros(75)
    }


def test_who_has_no_quota_and_won_nothing_is_not_told():
    found = by_owner({"bob": euros(40)}, [deal(0, lost(3), owner="ada"), deal(0, owner="ada")])
    assert found.without_quota == {}


def test_a_team_without_quotas_has_no_mean():
    found = by_owner({})
    assert (found.exact_mean, found.exact_median, found.met.value) == (None, None, None)


def test_quotas_may_be_in_the_currency_of_each():
    body = [deal(0, won(1, 10), owner="ada"), deal(0, won(1), owner="bob", amount=Money(9, "USD"))]
    found = by_owner({"ada": euros(20), "bob": Money(6, "USD")}, body)
    assert [each.exact for each in found.each.values()] == [Fraction(1, 2), Fraction(3, 2)]


# Steps


def test_the_steps_of_a_quarter_are_its_months_and_sum_to_it():
    quarter = Period.quarter(2026, 1)
    body = [deal(0, won(n, 10)) for n in (1, 30, 31, 70, 89)]
    steps = attainment_steps(
        body, quota=euros(100), period=quarter, unit=Unit.MONTH, as_of=day(80), weights=[1, 1, 1]
    )
    assert [each.won for each in steps] == [euros(20), euros(10), euros(10)]
    assert [str(each.quota.amount) for each in steps] == ["33.34", "33.33", "33.33"]
    assert [each.elapsed for each in steps] == [1, 1, Fraction(21, 31)]
    assert (steps.period, steps.as_of, steps[2].period) == (quarter, day(80), Period.month(2026, 3))


def test_weeks_are_cut_at_the_edges_of_the_period_and_weigh_as_long_as_they_are():
    month = Period.month(2026, 1)
    steps = attainment_steps([], quota=euros(31), period=month, unit="week", as_of=day(6))
    assert [each.period.days() for each in steps] == [4, 7, 7, 7, 6]
    assert [each.quota for each in steps] == [euros(n) for n in (4, 7, 7, 7, 6)]
    assert [each.value for each in steps] == [0, 0, None, None, None]


def test_steps_go_by_the_calendar_of_the_zone():
    tokyo = ZoneInfo("Asia/Tokyo")
    quarter = Period.quarter(2026, 1, zone=tokyo)
    body = [deal(0, won(30.7, 10))]  # February in Tokyo
    steps = attainment_steps(
        body, quota=euros(9), period=quarter, unit="month", as_of=day(99), zone=tokyo
    )
    assert [each.deals for each in steps] == [0, 1, 0]


def test_weights_that_fit_no_steps_are_refused():
    asked = {"quota": euros(9), "period": Period.quarter(2026, 1), "unit": "month", "as_of": day(9)}
    for weights in ([1, 1], [0, 0, 0], [1, 1, -1]):
        with pytest.raises(InvalidValueError):
            attainment_steps([], **asked, weights=weights)
    check_door(lambda weights: attainment_steps([], **asked, weights=weights),
               takes=lambda value: value is None or isinstance(value, range))  # fmt: skip
    check_door(lambda unit: attainment_steps([], **(asked | {"unit": unit})))
    check_door(lambda zone: attainment_steps([], **asked, zone=zone))
    check_door(lambda period: attainment_steps([], **(asked | {"period": period})))
    check_door(lambda quota: attainment_steps([], **(asked | {"quota": quota})))


# Doors and values


def test_a_negative_quota_is_refused():
    with pytest.raises(InvalidValueError, match="is negative"):
        attainment([], quota=euros(-1), period=TEN, as_of=day(9))
    with pytest.raises(InvalidValueError, match="is negative"):
        by_owner({"ada": euros(-1)})


def test_every_door_refuses_what_is_strange():
    asked = {"quota": euros(1), "period": TEN, "as_of": day(9)}
    check_door(lambda deals: attainment(deals, **asked), takes=_is_empty)
    check_door(lambda quota: attainment([], **(asked | {"quota": quota})))
    check_door(lambda period: attainment([], **(asked | {"period": period})))
    check_door(lambda at: attainment([], **(asked | {"as_of": at})))
    check_door(lambda level: attainment([], **asked, level=level))
    check_door(lambda rates: attainment([], **asked, rates=rates),
               takes=lambda value: value is None or isinstance(value, dict))  # fmt: skip
    check_door(by_owner, takes=lambda quota: quota == {} and type(quota) is dict)
    check_door(lambda by: attainment([], **(asked | {"quota": {}}), by=by))


def _is_empty(value):
    return isinstance(value, list | tuple | dict | set | bytes | bytearray | range) and not value


def test_attainment_is_a_value():
    asked = {"period": TEN, "as_of": day(20)}
    check_value(
        attainment(BODY, quota=euros(180), **asked),
        attainment(BODY[::-1], quota=euros(180), **asked),
        attainment(BODY, quota=euros(181), **asked),
        attainment(BODY[1:], quota=euros(180), **asked),
    )


def test_an_instant_within_a_microsecond_of_the_beginning_has_begun():
    at = day(0) + timedelta(microseconds=1)
    assert attainment([], quota=euros(1), period=TEN, as_of=at).value == 0
