"""What a customer is worth once won, worked out by hand."""

from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door
from salespipeline.events import Term
from salespipeline.metrics.loyalty import Customers, customer_lifetime, new_and_existing
from salespipeline.money import Money
from salespipeline.pipelines import Outcome
from stories import START, day, days, deal, euros, given_to, lost, reopened, won


def served(account, *spells, amount=100, **facts):
    """Won deals of an account, one for each (first day, first day after) of service."""
    return [
        deal(
            first - 3, won(first - 1), record=f"{account}-{first}", account=account,
            term=Term(on(first), on(end), Money(amount, "EUR")), **facts,
        )
        for first, end in spells
    ]  # fmt: skip


def on(number):
    return (START + timedelta(days=number)).date()


# Customer lifetime

# As of day 100: a left after 40 days, b after 60, c and d are there for 70 and 100 days.
BODY = [
    *served("a", (0, 40)), *served("b", (10, 30), (30, 70)),
    *served("c", (30, 200)), *served("d", (0, 50), (50, 365)),
]  # fmt: skip


def test_the_lifetime_counts_those_that_stay_as_such():
    found = customer_lifetime(BODY, as_of=day(100), horizon_days=90)
    assert [(s.day, s.at_risk, s.ended) for s in found.survival.steps] == [(40, 4, 1), (60, 3, 1)]
    assert found.exact_days == 40 + Fraction(3, 4) * 20 + Fraction(1, 2) * 30 == 70
    assert found.mean.days == pytest.approx(70)
    assert (found.exposure_days, found.naive_days) == (270, 135)
    assert (found.horizon_days, found.returned, found.as_of) == (90, 0, day(100))


def test_the_lifetime_has_no_mean_beyond_what_was_seen():
    found = customer_lifetime(BODY, as_of=day(100), horizon_days=101)
    assert (found.mean, found.exact_days, found.value(euros(10))) == (None, None, None)
    assert customer_lifetime(BODY, as_of=day(100), horizon_days=100).exact_days == 75


def test_the_value_is_the_margin_of_a_month_over_the_lifetime_rounded_once():
    found = customer_lifetime(BODY, as_of=day(100), horizon_days=90)
    assert found.value(euros(365)) == euros(12 * 70)
    assert found.value(euros(10)) == Money.rounded(Fraction(10 * 12 * 70, 365), "EUR")
    assert found.value(euros(0)) == euros(0)


def test_a_tiny_churn_makes_the_naive_lifetime_explode_and_not_ours():
    body = [each for n in range(200) for each in served(f"a-{n}", (0, 365))]
    body += served("gone", (0, 99))
    found = customer_lifetime(body, as_of=day(100), horizon_days=100)
    assert found.naive_days > 20_000
    assert found.exact_days < 100


def test_nobody_left_has_no_naive_lifetime():
    found = customer_lifetime(served("a", (0, 365)), as_of=day(50), horizon_days=50)
    assert (found.naive_days, found.exact_days) == (None, 50)


def test_nobody_has_no_lifetime():
    found = customer_lifetime([], as_of=day(50), horizon_days=50)
    assert (found.survival.n, found.mean, found.naive_days, found.exposure_days) == (
        0,
        None,
        None,
        0,
    )


def test_a_curve_that_falls_to_0_has_a_mean_at_any_horizon():
    found = customer_lifetime(served("a", (0, 40)), as_of=day(50), horizon_days=400)
    assert found.exact_days == 40


def test_a_term_that_ended_today_has_ended():
    found = customer_lifetime(served("a", (0, 40)), as_of=day(40), horizon_days=9)
    assert (found.survival.ended, found.exposure_days) == (1, 40)
    assert customer_lifetime(served("a", (0, 40)), as_of=day(39), horizon_days=9).naive_days is None


def test_a_gap_ends_a_lifetime_and_who_came_back_is_told():
    body = served("a", (0, 30), (35, 95))
    found = customer_lifetime(body, as_of=day(60), horizon_days=30)
    assert (found.exposure_days, found.survival.ended, found.returned) == (30, 1, 1)
    patient = customer_lifetime(body, as_of=day(60), horizon_days=30, grace_days=5)
    assert (patient.exposure_days, patient.survival.ended, patient.returned) == (60, 0, 0)
    before = customer_lifetime(body, as_of=day(33), horizon_days=30)
    assert before.returned == 0


def test_a_term_within_another_does_not_shorten_it():
    found = customer_lifetime(served("a", (0, 50), (10, 20)), as_of=day(60), horizon_days=30)
    assert found.exposure_days == 50


def test_an_account_whose_term_is_yet_to_begin_is_left_out():
    found = customer_lifetime(served("a", (70, 90)), as_of=day(69), horizon_days=5)
    assert (found.survival.n, found.left_out) == (0, {"not_begun": 1})
    assert found.survival.left_out == {"not_begun": 1}


def test_an_account_whose_only_term_was_replaced_on_its_first_day_is_its_renewal():
    body = [
        *served("a", (0, 50)),
        deal(0, won(1), record="r", account="a", renews="a-0", term=Term(on(0), on(9), euros(1))),
        deal(0, record="open", account="b", renews="a-0"),
    ]
    assert customer_lifetime(body, as_of=day(60), horizon_days=5).exposure_days == 9


def test_an_account_first_seen_late_is_at_risk_from_then():
    body = [*served("a", (0, 40), observed_from=day(25)), *served("b", (0, 30))]
    found = customer_lifetime(body, as_of=day(100), horizon_days=40)
    assert [(s.day, s.at_risk) for s in found.survival.steps] == [(30, 2), (40, 1)]
    assert found.exposure_days == 15 + 30
    early = customer_lifetime(
        served("a", (0, 40), observed_from=day(90)), as_of=day(100), horizon_days=9
    )
    assert (early.survival.left_out, early.exposure_days) == ({"entry_after_end": 1}, 0)
    assert early.left_out == {"entry_after_end": 1}


def test_lifetime_by_owner_is_of_who_won_the_first_deal():
    first = deal(
        0, given_to(1, "bob"), won(2), given_to(3, "eve"), record="1", account="a", owner="ada",
        term=Term(on(5), on(9), euros(1)),
    )  # fmt: skip
    later = deal(
        5, won(6), record="2", account="a", owner="cy", term=Term(on(9), on(15), euros(1)),
    )  # fmt: skip
    none = deal(5, won(6), record="3", account="a", owner="dan")
    found = customer_lifetime(
        [later, first, none],
        as_of=day(20),
        horizon_days=10,
        by="owner",
        zone=ZoneInfo("Asia/Tokyo"),
    )
    assert set(found) == {"bob", "dan"}
    assert (found["bob"].exposure_days, found["dan"].left_out) == (10, {"no_term": 1})
    assert (found["bob"].as_of, found.as_of) == (day(20), day(20))


def test_lifetime_tells_its_row():
    row = customer_lifetime(BODY, as_of=day(100), horizon_days=90).to_dicts()[0]
    assert (row["mean_days"], row["naive_days"], row["survival_n"]) == (pytest.approx(70), 135, 4)


def test_the_doors_of_lifetime_refuse_what_is_strange():
    def ask(deals=(), **asked):
        return customer_lifetime(deals, **({"as_of": day(9), "horizon_days": 5} | asked))

    check_door(ask, takes=_is_empty)
    check_door(lambda at: ask(as_of=at))
    check_door(lambda days: ask(horizon_days=days), takes=lambda n: type(n) is int and 0 < n < 99)
    check_door(lambda days: ask(grace_days=days), takes=lambda n: type(n) is int and 0 <= n < 99)
    check_door(lambda by: ask(by=by), takes=lambda by: by is None)
    check_door(lambda zone: ask(zone=zone))
    check_door(lambda level: ask(level=level))
    check_door(lambda margin: ask().value(margin))


def _is_empty(value):
    return isinstance(value, list | tuple | dict | set | bytes | bytearray | range) and not value


# New and existing customers


def test_an_account_is_existing_once_another_of_its_deals_was_won():
    body = [
        deal(0, won(5, 100), record="1", account="a"),
        deal(5, lost(9), record="2", account="a"),
        deal(6, won(16, 300), record="3", account="a"),
        deal(7, record="4", account="a"),
        deal(3, lost(8), record="5", account="b"),
        deal(9, lost(10), record="6", account="b"),
        deal(9, won(11, 50), record="7"),
    ]
    found = {each.customers: each for each in new_and_existing(body, as_of=day(50))}
    old, new, unknown = (found[kind] for kind in Customers)
    assert (old.opened, old.win_rate.numerator, old.win_rate.denominator) == (2, 1, 1)
    assert (new.opened, new.win_rate.numerator, new.win_rate.denominator) == (4, 1, 4)
    assert (old.average_deal_size.mean(), new.average_deal_size.mean()) == (300, 100)
    assert (old.cycle_length.median_days, new.cycle_length.median_days) == (10, 5)
    assert (unknown.opened, unknown.win_rate.value) == (1, 1.0)


def test_a_deal_opened_at_the_moment_of_the_first_win_is_not_a_second_one():
    body = [
        deal(0, won(5), record="1", account="a"),
        deal(5, record="2", account="a"),
    ]
    assert [each.opened for each in new_and_existing(body, as_of=day(9))] == [0, 2]


def test_an_account_that_was_won_once_stays_existing_though_that_deal_was_reopened():
    body = [
        deal(0, won(5), reopened(6), won(40), record="1", account="a"),
        deal(9, record="2", account="a"),
    ]
    assert [each.opened for each in new_and_existing(body, as_of=day(50))] == [1, 1]


def test_a_deal_read_as_won_makes_a_customer_from_its_beginning():
    body = [
        deal(0, record="1", account="a", stage="signed", outcome=Outcome.WON),
        deal(9, record="2", account="a"),
    ]
    assert [each.opened for each in new_and_existing(body, as_of=day(50))] == [1, 1]


def test_a_win_after_the_instant_makes_no_customer():
    body = [
        deal(0, won(5), record="1", account="a"),
        deal(3, record="2", account="a"),
        deal(8, record="3", account="a"),
        deal(30, record="4", account="a"),
    ]
    assert [each.opened for each in new_and_existing(body, as_of=day(10))] == [1, 2]


def test_a_period_selects_closings_and_openings_in_it():
    body = [
        deal(0, won(5), record="1", account="a"),
        deal(8, won(12), record="2", account="a"),
        deal(9, won(30), record="3", account="a"),
    ]
    found = new_and_existing(body, as_of=day(50), period=days(9, 20))
    old, new = found
    assert (old.opened, old.win_rate.denominator) == (1, 1)
    assert (new.opened, new.win_rate.denominator, new.win_rate.value) == (0, 0, None)
    assert (found.period, old.period, old.as_of) == (days(9, 20), days(9, 20), day(50))
    assert [row["customers"] for row in found.to_dicts()] == ["existing", "new"]


def test_no_deals_give_both_kinds_with_nothing():
    old, new = new_and_existing([], as_of=day(0))
    assert (old.opened, old.win_rate.value, new.cycle_length.mean_days) == (0, None, None)


def test_the_doors_of_new_and_existing_refuse_what_is_strange():
    check_door(lambda deals: new_and_existing(deals, as_of=day(9)), takes=_is_empty)
    check_door(lambda at: new_and_existing([], as_of=at))
    check_door(
        lambda period: new_and_existing([], as_of=day(9), period=period), takes=lambda p: p is None
    )
    check_door(lambda zone: new_and_existing([], as_of=day(9), zone=zone))
    check_door(lambda level: new_and_existing([], as_of=day(9), level=level))


def test_dates_are_those_of_stories():
    assert on(0) == date(2026, 1, 1)
