"""How much of the recurring revenue stays, worked out by hand."""

from datetime import UTC, date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.deals import Deal
from salespipeline.errors import (
    InvalidValueError,
    MixedCurrenciesError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import FieldSet, Merged, Opened, SaleType, Term
from salespipeline.history import DealHistory
from salespipeline.metrics.retention import recurring_revenue, renewals, retention
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.tallies._accounts import AccountMovement, RevenueFlow, accounts
from stories import START, day, deal, euros, given_to, lost, reopened, won

YEAR = Period.year(2026)
NEXT_YEAR = Period.year(2027)
OVER = YEAR.end


def on(text):
    """The number of a day, counted as in stories."""
    return (date.fromisoformat(text) - START.date()).days


def term(start, end, amount, currency="EUR"):
    return Term(date.fromisoformat(start), date.fromisoformat(end), Money(amount, currency))


def sold(record, account, start, end, amount, *, at=None, currency="EUR", **facts):
    """A deal of an account, won a day before its term begins if not told otherwise."""
    when = on(start) - 1 if at is None else on(at)
    return deal(
        when - 9, won(when), record=record, account=account,
        term=None if amount is None else term(start, end, amount, currency), **facts,
    )  # fmt: skip


def renewal(record, of, outcome=None, account="a", **facts):
    """A deal that renews another, open if not told otherwise."""
    steps = () if outcome is None else (outcome,)
    return deal(0, *steps, record=record, account=account, renews=of, **facts)


BODY = [
    sold("a-1", "a", "2025-07-01", "2026-07-01", 1200),
    sold("a-2", "a", "2026-07-01", "2027-07-01", 900, renews="a-1"),
    sold("b-1", "b", "2025-01-01", "2026-01-01", 2400),
    sold("c-1", "c", "2025-03-01", "2027-03-01", 7200),
    sold("c-2", "c", "2026-06-01", "2027-03-01", 450, sale_type=SaleType.UPSELL),
    sold("d-1", "d", "2026-01-01", "2027-01-01", 600),
    sold("e-1", "e", "2024-01-01", "2025-01-01", 1000),
    sold("e-2", "e", "2026-02-01", "2027-02-01", 1200),
    sold("f-1", "f", "2026-03-01", "2026-09-01", 1200),
]


# Retention


def test_a_year_of_six_accounts():
    found = retention(BODY, as_of=OVER, period=YEAR)
    money = found.revenue["EUR"]
    assert (money.start, money.contraction, money.churn) == (600, 25, 200)
    assert (money.expansion, money.end, money.new, money.reactivated) == (50, 425, 50, 100)
    assert (money.accounts, found.logo_churn.numerator, found.logo_churn.denominator) == (3, 1, 3)
    assert (money.exact_gross, money.exact_net) == (Fraction(375, 600), Fraction(425, 600))
    assert (money.gross, money.net) == (0.625, 425 / 600)
    assert (found.new_accounts, found.reactivated_accounts, found.came_and_went) == (1, 1, 1)
    assert (found.overlaps, found.left_out) == (0, {})
    assert (found.as_of, found.period) == (OVER, YEAR)


def test_what_is_in_force_at_the_end_of_one_period_is_the_start_of_the_next():
    one = retention(BODY, as_of=NEXT_YEAR.end, period=YEAR).revenue["EUR"]
    two = retention(BODY, as_of=NEXT_YEAR.end, period=NEXT_YEAR).revenue["EUR"]
    assert one.end + one.new + one.reactivated == two.start == 575


def test_net_may_be_more_than_1_and_gross_may_not():
    body = [
        sold("1", "a", "2025-01-01", "2028-01-01", 3600),
        sold("2", "a", "2026-01-01", "2027-01-01", 1200),
    ]
    money = retention(body, as_of=OVER, period=YEAR).revenue["EUR"]
    assert (money.exact_gross, money.exact_net) == (1, 2)


def test_nothing_in_force_at_the_beginning_has_no_ratio():
    found = retention([sold("1", "a", "2026-05-01", "2027-05-01", 120)], as_of=OVER, period=YEAR)
    money = found.revenue["EUR"]
    assert (money.gross, money.net, money.exact_gross, money.exact_net) == (None,) * 4
    assert (found.logo_churn.value, money.new) == (None, 10)


def test_no_deals_have_no_revenue():
    found = retention([], as_of=OVER, period=YEAR)
    assert (found.revenue, found.logo_churn.value, found.in_currency()) == ({}, None, None)
    assert [row["new_accounts"] for row in found.to_dicts()] == [0]


def test_a_free_term_keeps_its_account_and_has_no_ratio():
    found = retention([sold("1", "a", "2025-01-01", "2027-01-01", 0)], as_of=OVER, period=YEAR)
    assert (found.logo_churn.value, found.revenue["EUR"].gross) == (0.0, None)


def test_a_year_at_the_same_price_is_kept_whole_though_one_is_a_leap_year():
    body = [
        sold("1", "a", "2024-01-01", "2025-01-01", 366),
        sold("2", "a", "2025-01-01", "2026-01-01", 366, renews="1"),
    ]
    money = retention(body, as_of=OVER, period=Period.year(2025)).revenue["EUR"]
    assert (money.exact_gross, money.exact_net, money.churn) == (1, 1, 0)


def test_what_is_left_over_of_a_month_is_a_part_of_that_month():
    found = recurring_revenue(
        [sold("1", "a", "2026-01-31", "2026-03-14", 90)], as_of=OVER, on_date=date(2026, 2, 1)
    )
    assert found.per_month == {"EUR": 90 / (1 + Fraction(14, 31))}


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2026-01-01", "2026-01-02", Fraction(1, 31)),
        ("2026-02-01", "2026-02-15", Fraction(14, 28)),
        ("2026-01-31", "2026-02-28", Fraction(1)),
        ("2026-02-28", "2026-03-31", 1 + Fraction(3, 31)),
        ("2024-02-29", "2025-02-28", Fraction(12)),
        ("2026-12-31", "9999-12-31", Fraction(12 * 7973)),
        ("2026-12-15", "9999-12-31", 12 * 7973 + Fraction(16, 31)),
    ],
)
def test_months_are_counted_from_the_first_day_of_a_term(start, end, months):
    first = date.fromisoformat(start)
    found = recurring_revenue([sold("1", "a", start, end, 100)], as_of=OVER, on_date=first)
    assert found.per_month["EUR"] == 100 / months


def test_terms_of_one_account_that_renew_nothing_are_all_in_force():
    body = [
        sold("1", "a", "2025-06-01", "2026-06-01", 1200),
        sold("2", "a", "2025-09-01", "2026-09-01", 600),
    ]
    found = recurring_revenue(body, as_of=OVER, on_date=date(2026, 1, 1))
    assert (found.accounts, found.terms, found.per_month) == (1, 2, {"EUR": 150})


def test_terms_of_odd_lengths_add_exactly():
    body = [
        sold("1", "a", "2025-06-01", "2026-06-15", 1000),
        sold("2", "a", "2025-06-01", "2026-06-11", 1000),
    ]
    found = recurring_revenue(body, as_of=OVER, on_date=date(2026, 1, 1))
    expected = 1000 / (12 + Fraction(14, 30)) + 1000 / (12 + Fraction(10, 30))
    assert found.per_month["EUR"] == expected


def test_a_renewal_that_begins_early_replaces_the_term_and_is_told():
    body = [
        sold("1", "a", "2025-01-01", "2027-01-01", 2400),
        sold("2", "a", "2026-12-01", "2027-12-01", 2400, renews="1"),
    ]
    found = retention(body, as_of=OVER, period=YEAR)
    assert (found.overlaps, found.revenue["EUR"].end) == (1, 200)
    earlier = retention(body, as_of=OVER, period=Period.month(2026, 6))
    assert (earlier.overlaps, earlier.revenue["EUR"].end) == (0, 100)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_that_renew_each_other_on_one_day_one_is_in_force(turned):
    body = [
        sold("1", "a", "2026-01-01", "2027-01-01", 1200, renews="2", at="2025-12-01"),
        sold("2", "a", "2026-01-01", "2027-01-01", 2400, renews="1", at="2025-12-09"),
    ]
    found = recurring_revenue(body[::-1] if turned else body, as_of=OVER, on_date=date(2026, 5, 1))
    assert found.per_month == {"EUR": 200}


def test_a_deal_that_renews_itself_renews_nothing():
    body = [sold("1", "a", "2026-01-01", "2027-01-01", 1200, renews="1")]
    assert recurring_revenue(body, as_of=OVER, on_date=date(2026, 5, 1)).per_month == {"EUR": 100}
    assert renewals(body, as_of=day(300), period=NEXT_YEAR).open == 1


def test_a_renewal_recorded_before_what_it_renews_gives_way_to_it():
    body = [
        sold("1", "a", "2025-06-01", "2026-06-01", 1200),
        sold("2", "a", "2025-01-01", "2026-01-01", 2400, renews="1"),
    ]
    found = recurring_revenue(body, as_of=OVER, on_date=date(2025, 9, 1))
    assert (found.terms, found.per_month) == (1, {"EUR": 100})


def test_a_term_renewed_late_is_churned_and_then_reactivated():
    body = [
        sold("1", "a", "2025-01-01", "2026-01-01", 1200),
        sold("2", "a", "2026-02-10", "2027-02-10", 1200, renews="1", at="2026-02-09"),
    ]
    january, february = Period.month(2026, 1), Period.month(2026, 2)
    assert retention(body, as_of=OVER, period=january).logo_churn.value == 1.0
    back = retention(body, as_of=OVER, period=february)
    assert (back.reactivated_accounts, back.new_accounts) == (1, 0)
    assert retention(body, as_of=OVER, period=YEAR).logo_churn.value == 0.0


def test_a_renewal_signed_late_and_dated_back_makes_no_churn_once_it_is_known():
    body = [
        sold("1", "a", "2025-01-01", "2026-01-01", 1200),
        sold("2", "a", "2026-01-01", "2027-01-01", 1200, renews="1", at="2026-03-10"),
    ]
    first = Period.month(2026, 1)
    assert retention(body, as_of=day(on("2026-03-01")), period=first).logo_churn.value == 1.0
    assert retention(body, as_of=OVER, period=first).logo_churn.value == 0.0


def test_a_change_of_currency_is_no_churn_of_the_account():
    body = [
        sold("1", "a", "2025-01-01", "2026-03-01", 1400),
        sold("2", "a", "2026-03-01", "2027-03-01", 2400, currency="USD"),
    ]
    found = retention(body, as_of=OVER, period=YEAR)
    old, new = found.revenue["EUR"], found.revenue["USD"]
    assert (old.start, old.contraction, old.churn, old.end) == (100, 100, 0, 0)
    assert (new.start, new.expansion, new.new, new.end, new.net) == (0, 200, 0, 200, None)
    assert (new.accounts, found.logo_churn.value) == (0, 0.0)
    both = found.in_currency("EUR", {"USD": "0.5"})
    assert (both.currency, both.accounts, both.exact_net) == ("EUR", 1, 1)


def test_several_currencies_make_one_sum_at_given_rates_alone():
    body = [
        sold("1", "a", "2025-01-01", "2027-01-01", 2400),
        sold("2", "b", "2025-01-01", "2026-01-01", 2400, currency="USD"),
    ]
    found = retention(body, as_of=OVER, period=YEAR)
    with pytest.raises(MixedCurrenciesError):
        found.in_currency()
    with pytest.raises(MixedCurrenciesError):
        found.in_currency("EUR", {"GBP": 2})
    assert found.in_currency("EUR", {"USD": "0.5"}).exact_gross == Fraction(1, 2)
    assert found.in_currency("USD", {"EUR": 2}).start == 400
    with pytest.raises(InvalidValueError, match="not more than zero"):
        found.in_currency("EUR", {"USD": 0})
    check_door(
        lambda rates: found.in_currency("EUR", rates=rates)
    )  # no mapping among the strange has a rate for USD
    check_door(lambda currency: found.in_currency(currency, {"USD": 1, "EUR": 1}),
               takes=lambda value: value is None)  # fmt: skip


def test_deals_that_tell_nothing_are_left_out_by_reason():
    body = [
        sold("1", "a", "2025-01-01", "2027-01-01", None),
        sold("2", None, "2025-01-01", "2027-01-01", 10),
        sold("3", "a", "2025-01-01", "2027-01-01", -10),
        deal(0, record="4", account="a", term=term("2025-01-01", "2027-01-01", 10)),
        deal(0, lost(3), record="5", account="a", term=term("2025-01-01", "2027-01-01", 10)),
        deal(0, won(3), reopened(4), record="6", account="a"),
    ]
    found = retention(body, as_of=OVER, period=YEAR)
    assert found.left_out == {"no_term": 1, "no_account": 1, "negative_amount": 1}
    assert found.logo_churn.denominator == 0
    assert recurring_revenue(body, as_of=OVER).left_out == found.left_out
    by = recurring_revenue(body, as_of=OVER, by="account")
    assert {account: each.left_out for account, each in by.items()} == {
        "a": {"no_term": 1, "negative_amount": 1}, None: {"no_account": 1},
    }  # fmt: skip


def test_a_term_set_later_counts_from_then_on():
    told = deal(0, won(3), record="1", account="a")
    later = FieldSet(
        record="1", sequence=3, at=day(9), field="term", value=term("2025-01-01", "2027-01-01", 240)
    )
    history = told.append(later)
    assert recurring_revenue([history], as_of=day(8)).per_month == {}
    assert recurring_revenue([history], as_of=day(9)).per_month == {"EUR": 10}


def test_a_term_that_came_with_a_merged_record_counts():
    begun = Opened(
        record="9", sequence=1, at=day(0), pipeline="board", stage="talk", account="a",
        term=term("2025-01-01", "2027-01-01", 240),
    )  # fmt: skip
    one, other = deal(0, won(3), record="1"), DealHistory([begun])
    history = one.merge(other)
    assert any(isinstance(event, Merged) for event in history.events)
    assert recurring_revenue([history], as_of=day(9)).per_month == {"EUR": 10}


def test_retention_by_owner_is_of_who_had_the_account_at_the_beginning():
    first = deal(
        -200, won(-190), given_to(-10, "bob"), given_to(20, "eve"), record="1", account="a",
        owner="ada", term=term("2025-07-01", "2027-07-01", 240),
    )  # fmt: skip
    new = deal(
        30, won(31), given_to(400, "bob"), record="2", account="b", owner="ada",
        term=term("2026-03-01", "2027-03-01", 120),
    )  # fmt: skip
    late = sold("3", "c", "2026-05-01", "2026-06-01", 5, owner="cy")
    found = retention([first, new, late], as_of=day(500), period=YEAR, by="owner")
    assert set(found) == {"bob", "ada", "cy"}
    assert (found["bob"].revenue["EUR"].start, found["ada"].revenue["EUR"].new) == (10, 10)
    assert found["cy"].came_and_went == 1
    assert (found.as_of, found.period) == (day(500), YEAR)


def test_the_group_of_an_account_is_that_of_its_latest_term():
    body = [
        sold("1", "a", "2025-01-01", "2027-01-01", 240, owner="ada"),
        sold("2", "a", "2025-06-01", "2027-06-01", 240, owner="bob"),
    ]
    assert set(retention(body, as_of=OVER, period=YEAR, by="owner")) == {"bob"}


def test_a_term_signed_after_the_period_began_is_grouped_as_it_was_opened():
    body = [sold("1", "a", "2025-01-01", "2027-01-01", 240, at="2026-03-01", owner="ada")]
    assert set(retention(body, as_of=OVER, period=YEAR, by="owner")) == {"ada"}


def test_a_period_that_is_not_over_has_no_retention():
    with pytest.raises(InvalidValueError, match="is not over"):
        retention(BODY, as_of=OVER - timedelta(seconds=1), period=YEAR)


def test_a_period_begins_and_ends_by_the_dates_of_the_zone():
    berlin = ZoneInfo("Europe/Berlin")
    body = [sold("1", "a", "2025-01-01", "2026-01-01", 120)]
    year = Period.year(2026, zone=berlin)
    assert retention(body, as_of=OVER, period=year, zone=berlin).logo_churn.value == 1.0
    assert retention(body, as_of=OVER, period=year).logo_churn.value == 1.0
    afternoon = Period(day(0) + timedelta(hours=13), day(40))
    assert retention(body, as_of=OVER, period=afternoon).logo_churn.value is None


def test_a_period_may_begin_with_the_calendar():
    ages = Period(START.replace(year=1), day(0))
    assert retention(BODY, as_of=OVER, period=ages).new_accounts == 3


def test_a_tally_counted_elsewhere_gives_the_same_figures():
    tally = accounts(BODY, as_of=OVER, periods=[YEAR], grace_days=3)
    assert retention(tally, period=YEAR) == retention(BODY, as_of=OVER, period=YEAR)
    expected = renewals(BODY, as_of=OVER, period=YEAR, grace_days=3)
    assert renewals(tally, period=YEAR) == renewals(tally, period=YEAR, grace_days=3) == expected
    with pytest.raises(InvalidValueError, match="other grace_days"):
        renewals(tally, period=YEAR, grace_days=2)
    with pytest.raises(UnknownKeyError):
        retention(tally, period=NEXT_YEAR)
    with pytest.raises(InvalidValueError, match="settings differs"):
        tally + accounts(BODY, as_of=OVER, periods=[YEAR])


def test_a_tally_has_no_balance_of_a_period_that_is_not_over():
    tally = accounts(BODY, as_of=day(300), periods=[YEAR])
    assert {row.flow for row in tally.rows} == {RevenueFlow.ON_TIME, RevenueFlow.NOT_RENEWED}
    assert renewals(tally, period=YEAR).ended == 3


def test_the_rows_of_the_tally_hold_a_rate_without_rounding():
    tally = accounts([sold("1", "a", "2025-01-01", "2026-04-01", 100)], as_of=OVER, periods=[YEAR])
    row = AccountMovement(None, 0, RevenueFlow.START, "EUR", 15, None)
    assert (tally.rows[row].n, tally.rows[row].minor) == (1, 10_000)


def test_retention_tells_its_rows():
    rows = retention(BODY, as_of=OVER, period=YEAR).to_dicts()
    assert [(row["currency"], row["gross"], str(row["start"])) for row in rows] == [
        ("EUR", 0.625, "600.00")
    ]
    assert rows[0]["logo_churn"] == 1 / 3
    assert "reactivated" in str(retention(BODY, as_of=OVER, period=YEAR))


def test_retention_is_a_value():
    small = BODY[:2]
    check_value(
        retention(BODY, as_of=OVER, period=YEAR).revenue["EUR"],
        retention(BODY[::-1], as_of=OVER, period=YEAR).revenue["EUR"],
        retention(small, as_of=OVER, period=YEAR).revenue["EUR"],
    )
    check_value(
        renewals(BODY, as_of=OVER, period=YEAR),
        renewals(BODY[::-1], as_of=OVER, period=YEAR),
        renewals(small, as_of=OVER, period=YEAR),
    )


# Recurring revenue


def test_recurring_revenue_is_of_what_is_in_force_on_the_date():
    found = recurring_revenue(BODY, as_of=OVER, on_date=date(2026, 1, 1))
    assert (found.accounts, found.terms) == (3, 3)
    assert (found.monthly(), found.annual()) == (euros(450), euros(5400))
    before = recurring_revenue(BODY, as_of=OVER, on_date=date(2025, 12, 31))
    assert before.monthly() == euros(600)


def test_recurring_revenue_is_of_the_date_of_the_instant_in_the_zone():
    body = [sold("1", "a", "2026-01-02", "2027-01-02", 120)]
    late = day(0) + timedelta(hours=23, minutes=30)
    assert recurring_revenue(body, as_of=late).monthly() is None
    berlin = recurring_revenue(body, as_of=late, zone=ZoneInfo("Europe/Berlin"))
    assert (berlin.on, berlin.monthly()) == (date(2026, 1, 2), euros(10))


def test_recurring_revenue_is_rounded_once():
    body = [sold(str(n), str(n), "2026-01-01", "2026-04-01", 1) for n in range(3)]
    found = recurring_revenue(body, as_of=OVER, on_date=date(2026, 2, 1))
    assert (found.monthly(), found.annual()) == (euros(1), euros(12))


def test_recurring_revenue_of_yen_has_no_cents():
    body = [sold("1", "a", "2026-01-01", "2027-01-01", 120, currency="JPY")]
    found = recurring_revenue(body, as_of=OVER, on_date=date(2026, 2, 1))
    assert (found.per_month, found.monthly()) == ({"JPY": 10}, Money(10, "JPY"))
    assert found.monthly("EUR", {"JPY": "0.5"}) == euros(5)


def test_recurring_revenue_by_owner_tells_its_rows():
    body = [
        sold("1", "a", "2026-01-01", "2027-01-01", 120, owner="ada"),
        sold("2", "b", "2026-01-01", "2027-01-01", 240, owner="bob"),
        sold("3", "b", "2026-01-01", "2027-01-01", None, owner="bob"),
    ]
    found = recurring_revenue(body, as_of=OVER, on_date=date(2026, 2, 1), by="owner")
    rows = [(row["group"], row["terms"], row["EUR"], row["left_out"]) for row in found.to_dicts()]
    assert rows == [("ada", 1, 10, 0), ("bob", 1, 20, 1)]


# Renewals


def renewed(*more, end="2026-03-01", **asked):
    body = [sold("1", "a", "2025-03-01", end, 120), *more]
    options = {"as_of": OVER, "period": Period.month(2026, 3)} | asked
    found = renewals(body, **options)
    names = ("on_time", "late", "not_renewed", "overdue", "open")
    return [name for name in names if getattr(found, name)]


def test_a_term_is_renewed_on_time_by_a_deal_won_by_its_last_day():
    assert renewed(renewal("2", "1", won(on("2026-02-28")))) == ["on_time"]
    assert renewed(renewal("2", "1", won(on("2026-03-01")))) == ["late"]
    assert renewed(renewal("2", "1", won(on("2026-03-01"))), grace_days=1) == ["on_time"]
    both = [renewal("2", "1", won(on("2026-04-28"))), renewal("3", "1", won(on("2026-02-01")))]
    assert renewed(*both) == ["on_time"]


def test_the_day_of_winning_is_the_one_in_the_zone():
    late = on("2026-02-28") + 23.5 / 24
    berlin = ZoneInfo("Europe/Berlin")
    period = Period.month(2026, 3, zone=berlin)
    assert renewed(renewal("2", "1", won(late))) == ["on_time"]
    assert renewed(renewal("2", "1", won(late)), zone=berlin, period=period) == ["late"]


def test_a_term_without_a_renewal_is_not_renewed_once_its_time_is_over():
    assert renewed() == ["not_renewed"]
    assert renewed(as_of=day(on("2026-03-01"))) == ["not_renewed"]
    assert renewed(as_of=day(on("2026-02-28"))) == ["open"]
    assert renewed(as_of=day(on("2026-03-01")), grace_days=1) == ["open"]


def test_a_term_whose_renewal_is_open_is_open_and_then_overdue():
    assert renewed(renewal("2", "1"), as_of=day(on("2026-02-28"))) == ["open"]
    assert renewed(renewal("2", "1"), as_of=day(on("2026-03-01"))) == ["overdue"]
    both = [renewal("2", "1"), renewal("3", "1", lost(3))]
    assert renewed(*both) == ["overdue"]


def test_a_term_whose_renewal_is_lost_is_not_renewed_though_there_is_time_left():
    assert renewed(renewal("2", "1", lost(3)), as_of=day(9)) == ["not_renewed"]


def test_a_term_belongs_to_the_period_in_which_service_stops():
    assert renewed(end="2026-03-31") == renewed(end="2026-03-01") == ["not_renewed"]
    assert renewed(end="2026-04-01") == renewed(end="2026-02-28") == []
    assert renewed(end="2026-04-01", period=Period.month(2026, 4)) == ["not_renewed"]


def test_the_rates_of_renewals_leave_out_what_is_open():
    body = [sold(f"{n}", f"{n}", "2025-03-01", "2026-03-01", 120) for n in range(6)]
    body += [
        renewal("r-0", "0", won(9), account="0"), renewal("r-1", "1", won(90), account="1"),
        renewal("r-2", "2", lost(9), account="2"), renewal("r-3", "3", account="3"),
        renewal("r-4", "4", won(9), account="4"),
    ]  # fmt: skip
    found = renewals(body, as_of=OVER, period=Period.month(2026, 3))
    assert (found.on_time, found.late, found.not_renewed, found.overdue) == (2, 1, 2, 1)
    assert (found.ended, found.rate.numerator, found.rate.denominator) == (6, 3, 5)
    assert (found.on_time_rate.numerator, found.on_time_rate.denominator) == (2, 6)
    assert found.to_dicts()[0]["rate"] == 0.6


def test_what_is_open_with_time_left_is_in_no_rate():
    body = [sold(f"{n}", f"{n}", "2025-03-01", "2026-03-01", 120) for n in range(2)]
    body.append(renewal("r-0", "0", won(3), account="0"))
    found = renewals(body, as_of=day(9), period=Period.month(2026, 3))
    assert (found.open, found.rate.denominator, found.on_time_rate.denominator) == (1, 1, 1)


def test_nothing_that_ends_has_no_rate():
    found = renewals([], as_of=OVER, period=YEAR)
    assert (found.ended, found.rate.value, found.on_time_rate.value) == (0, None, None)


def test_a_renewal_of_no_deal_known_here_is_told():
    body = [
        sold("2", "a", "2026-03-01", "2027-03-01", 120, renews="gone"),
        sold("3", "b", "2026-03-01", "2027-03-01", 120, sale_type=SaleType.RENEWAL),
        sold("4", "a", "2026-05-01", "2027-05-01", 120, renews="2"),
    ]
    assert renewals(body, as_of=OVER, period=YEAR).left_out == {"renewed_unknown": 2}
    assert renewals(body, as_of=OVER, period=Period.month(2026, 5)).left_out == {}


def test_renewals_by_owner_are_of_who_had_the_deal_when_its_term_ended():
    first = deal(
        -200, won(-190), given_to(50, "bob"), given_to(90, "eve"), record="1", account="a",
        owner="ada", term=term("2025-03-01", "2026-03-01", 240),
    )  # fmt: skip
    found = renewals([first], as_of=OVER, period=Period.month(2026, 3), by="owner")
    assert {owner: each.not_renewed for owner, each in found.items()} == {"bob": 1}
    lonely = sold("2", "b", "2026-03-01", "2027-03-01", 120, renews="gone", owner="cy")
    found = renewals([lonely], as_of=OVER, period=Period.month(2026, 3), by="owner")
    assert found["cy"].left_out == {"renewed_unknown": 1}


# Doors


def test_every_door_refuses_what_is_strange():
    good = {"as_of": OVER, "period": YEAR}
    for figure in (retention, renewals):
        check_door(lambda deals, f=figure: f(deals, **good), takes=_is_empty)
        check_door(lambda at, f=figure: f(BODY, as_of=at, period=YEAR))
        check_door(lambda period, f=figure: f(BODY, as_of=OVER, period=period))
        check_door(lambda by, f=figure: f(BODY, **good, by=by), takes=_is_nothing)
        check_door(lambda zone, f=figure: f(BODY, **good, zone=zone))
        check_door(lambda level, f=figure: f(BODY, **good, level=level))
    check_door(
        lambda days: renewals(BODY, **good, grace_days=days),
        takes=lambda days: days is None or (type(days) is int and 0 <= days < 100),
    )
    check_door(lambda day: recurring_revenue(BODY, as_of=OVER, on_date=day), takes=_is_nothing)
    check_door(lambda by: recurring_revenue(BODY, as_of=OVER, by=by), takes=_is_nothing)
    check_door(lambda zone: recurring_revenue(BODY, as_of=OVER, zone=zone))
    check_door(lambda days: accounts(BODY, as_of=OVER, periods=days), takes=_is_empty)


def _is_empty(value):
    return isinstance(value, list | tuple | dict | set | bytes | bytearray | range) and not value


def _is_nothing(value):
    return value is None


def test_periods_that_overlap_are_refused():
    with pytest.raises(InvalidValueError, match="does not begin after"):
        accounts(BODY, as_of=OVER, periods=[YEAR, Period.month(2026, 3)])
    with pytest.raises(WrongTypeError):
        retention(BODY, as_of=OVER, period=None)


def test_a_deal_of_the_contract_counts_as_opened_by_command():
    from salespipeline.pipelines import SIX_STAGES

    opened, first = Deal.open(
        "d-1", at=day(0), by="ada", pipeline=SIX_STAGES, account="acme",
        term=term("2026-01-01", "2027-01-01", 1200),
    )  # fmt: skip
    _, last = opened.win(at=day(3), by="ada", pipeline=SIX_STAGES)
    found = recurring_revenue([DealHistory([first, last])], as_of=day(9), zone=UTC)
    assert found.annual() == euros(1200)
