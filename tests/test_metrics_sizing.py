"""How many deals and leads a target needs, worked out by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest

from contracts import check_door, check_value
from salespipeline.errors import (
    InvalidValueError,
    MixedCurrenciesError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.metrics.sizing import (
    Needed,
    deals_needed,
    leads_needed,
    needed_each,
    sizing,
    sizing_by,
    sizing_from,
)
from salespipeline.money import Money
from salespipeline.periods import Period
from stories import day, days, deal, euros, given_to, lost, reopened, won


def dollars(amount):
    return Money(amount, "USD")


# From plain numbers


def test_the_example_of_the_article():
    """ActiveCampaign, What is a sales pipeline?: the ideal size of a pipeline."""
    month = sizing(dollars(100_000), average_size=dollars(500), win_rate=0.8, people=10)
    assert (month.deals.n, month.leads.n, month.leads_each.n) == (200, 250, 25)
    assert (month.deals.exact, month.leads.exact, month.leads_each.exact) == (200, 250, 25)
    assert (month.deals_n, month.leads_n, month.leads_each_n, month.why) == (200, 250, 25, None)


@pytest.mark.parametrize(
    ("target", "size", "needed"),
    [("100.00", "33.34", 3), ("100.00", "33.33", 4), ("100.00", "100.01", 1), ("0.01", "1", 1)],
)
def test_deals_are_rounded_up_to_the_last_cent(target, size, needed):
    found = deals_needed(euros(target), euros(size))
    assert (found.n, found.exact) == (needed, Fraction(target) / Fraction(size))


def test_a_win_rate_is_taken_as_it_is_written():
    assert leads_needed(7, 0.7).n == 10
    assert leads_needed(7, Decimal("0.7")).n == leads_needed(7, "0.7").n == 10
    assert leads_needed(3, Fraction(1, 3)).n == 9


def test_each_step_is_rounded_up_since_nobody_wins_half_a_deal():
    found = sizing(euros(1010), average_size=euros(100), win_rate=0.5, people=4)
    assert (found.deals.exact, found.deals.n) == (Fraction(101, 10), 11)
    assert (found.leads.n, found.leads_each.exact, found.leads_each.n) == (22, Fraction(22, 4), 6)


def test_a_win_rate_of_0_reaches_nothing_and_says_so():
    found = leads_needed(5, 0)
    assert (found.n, found.exact, found.why) == (None, None, "nothing is won at a win rate of 0")
    assert needed_each(found, 3) == found
    assert str(found) == "nothing is won at a win rate of 0"
    whole = sizing(euros(5), average_size=euros(1), win_rate=0)
    assert (whole.deals.n, whole.leads.n, whole.leads_each.n) == (5, None, None)
    assert whole.why == "nothing is won at a win rate of 0"


def test_deals_that_bring_nothing_reach_nothing():
    found = deals_needed(euros(5), euros(0))
    assert (found.n, found.why) == (None, "deals bring nothing")
    assert leads_needed(found, 0.5).why == "deals bring nothing"


def test_no_deals_need_no_leads():
    assert (leads_needed(0, 0.5).n, needed_each(0, 2).n) == (0, 0)


def test_a_target_in_another_currency_needs_a_rate():
    with pytest.raises(MixedCurrenciesError):
        deals_needed(euros(100), dollars(10))
    assert deals_needed(euros(100), dollars(10), rates={"USD": "0.333"}).n == 31
    for rate in (0, -1):
        with pytest.raises(InvalidValueError, match="not more than zero"):
            deals_needed(euros(100), dollars(10), rates={"USD": rate})


@pytest.mark.parametrize(
    "ask",
    [
        lambda: deals_needed(euros(0), euros(1)),
        lambda: deals_needed(euros(-1), euros(1)),
        lambda: deals_needed(euros(1), euros(-1)),
        lambda: leads_needed(-1, 0.5),
        lambda: leads_needed(1, 1.01),
        lambda: leads_needed(1, -0.01),
        lambda: needed_each(1, 0),
        lambda: needed_each(-1, 1),
    ],
)
def test_what_makes_no_sense_is_refused(ask):
    with pytest.raises(InvalidValueError):
        ask()


def test_a_number_needed_is_a_value():
    check_value(Needed(Fraction(5)), Needed(Fraction(5)), Needed(Fraction(6)), Needed(None, "why"))
    assert str(Needed(Fraction(12_345))) == "12,345"
    assert Needed(Fraction(1, 2)).to_dicts()[0]["n"] == 1


# By person, by month


def test_each_person_has_a_rate_and_a_size_of_their_own():
    found = sizing_by(
        euros(100), weights={"ada": 1, "bob": 1, "eve": 1},
        average_size={"ada": euros(10), "bob": euros(5), "eve": euros(50)},
        win_rate={"ada": 0.5, "bob": 0.25, "eve": 0},
    )  # fmt: skip
    assert sum(each.target.minor for each in found.values()) == 10_000
    assert [each.deals.n for each in found.values()] == [4, 7, 1]
    assert [each.leads.n for each in found.values()] == [8, 28, None]


def test_months_weigh_as_their_season_does_and_sum_to_the_year():
    months = [Period.month(2026, month) for month in (1, 2, 3)]
    found = sizing_by(
        euros(1000), weights=dict(zip(months, [1, Decimal("0.5"), 0], strict=True)),
        average_size=euros(10), win_rate=0.5, people={months[0]: 3, months[1]: 2, months[2]: 1},
    )  # fmt: skip
    assert [str(each.target.amount) for each in found.values()] == ["666.67", "333.33", "0.00"]
    assert [each.deals.n for each in found.values()] == [67, 34, 0]
    assert [each.leads_each.n for each in found.values()] == [45, 34, 0]
    assert [each.period for each in found.values()] == months
    assert [row["group_start"] for row in found.to_dicts()] == [month.start for month in months]


def test_a_part_without_a_figure_of_its_own_is_refused():
    asked = {"weights": {"ada": 1, "bob": 1}, "average_size": euros(1)}
    with pytest.raises(UnknownKeyError, match="key of win_rate: 'bob'"):
        sizing_by(euros(1), **asked, win_rate={"ada": 0.5})


# From history

BODY = [
    deal(0, won(4, 100), owner="ada"), deal(0, won(5, 200), owner="ada"),
    deal(0, won(6, 300), owner="bob"), deal(0, won(6), owner="bob"),
    deal(0, lost(7), owner="ada"), deal(0, lost(8), owner="bob"),
    deal(0, given_to(1, "bob"), lost(9), owner="ada"), deal(0, lost(30), owner="cy"),
    deal(0, won(3, 900), reopened(6), owner="ada"), deal(0, owner="ada", amount=euros(900)),
]  # fmt: skip


def learn(target=None, deals=BODY, **asked):
    options = {"as_of": day(20), "seed": 1} | asked
    return sizing_from(deals, target=euros(1000) if target is None else target, **options)


def test_rates_and_sizes_are_those_of_the_closed_deals():
    found = learn()
    assert (found.average_size, found.win_rate, found.sizes) == (200, Fraction(4, 7), 3)
    assert (found.closed.numerator, found.closed.denominator) == (4, 7)
    assert (found.deals.n, found.leads.exact, found.leads.n) == (5, Fraction(35, 4), 9)
    assert (found.left_out, found.as_of) == ({"no_amount": 1}, day(20))


def test_a_period_selects_closings():
    found = learn(period=days(5, 8))
    assert (found.average_size, found.win_rate, found.period) == (250, Fraction(3, 4), days(5, 8))


def test_each_owner_is_sized_by_what_they_closed():
    found = learn(
        {"bob": euros(600), "ada": euros(300), "dan": euros(1), "cy": euros(1)}, by="owner"
    )
    assert list(found) == ["bob", "ada", "dan", "cy"]
    assert [each.deals.n for each in found.values()] == [2, 2, None, None]
    assert [each.leads.n for each in found.values()] == [4, 3, None, None]
    assert found["dan"].why == found["cy"].why == "no deal with an amount was won"
    assert (found["dan"].win_rate, found["dan"].closed.value) == (None, None)


def test_no_closed_deal_gives_no_number():
    found = learn(deals=[])
    assert (found.deals.n, found.leads.n, found.deals_range, found.leads_range) == (None,) * 4
    assert found.why == "no deal with an amount was won"


def test_a_sizing_without_a_win_rate_says_so():
    from salespipeline.metrics.sizing import Sizing

    made = Sizing(euros(10), Fraction(1), None)
    assert (made.deals.n, made.leads.n, made.why) == (10, None, "no deal was closed")


def test_deals_won_at_a_loss_bring_nothing():
    found = learn(deals=[deal(0, won(1, -5)), deal(0, won(1, -5))])
    assert (found.why, found.deals_range) == ("deals bring nothing", None)


def test_other_currencies_need_a_rate():
    body = [deal(0, won(1, 100)), deal(0, won(1), amount=dollars(100))]
    with pytest.raises(MixedCurrenciesError):
        learn(deals=body)
    assert learn(deals=body, rates={"USD": "0.5"}).average_size == 75


def test_the_range_holds_the_number_and_is_the_same_for_the_same_seed():
    found = learn()
    assert found.deals_range.low <= found.deals.n <= found.deals_range.high
    assert found.leads_range.low <= found.leads.n <= found.leads_range.high
    assert (found.deals_range.method, found.deals_range.level) == ("bootstrap", 0.8)
    assert found.leads_range.method == "bootstrap and jeffreys"
    assert learn(deals=BODY[::-1]) == found
    large = euros(10**8)
    assert learn(large).leads_range == learn(large).leads_range != learn(large, seed=2).leads_range


def test_more_deals_make_a_narrower_range():
    few, many = learn(deals=BODY), learn(deals=BODY * 30)
    assert many.leads.n == few.leads.n
    assert many.leads_range.high - many.leads_range.low < few.leads_range.high - few.leads_range.low


def test_a_higher_level_makes_a_wider_range():
    wide, narrow = learn(level=0.95), learn(level=0.5)
    assert wide.leads_range.low < narrow.leads_range.low
    assert wide.leads_range.high > narrow.leads_range.high


def test_a_single_won_deal_has_no_range():
    found = learn(deals=[deal(0, won(1, 10)), deal(0, lost(1))])
    assert (found.deals.n, found.deals_range, found.leads_range) == (100, None, None)


def test_a_resample_that_brings_nothing_leaves_the_range_open():
    found = learn(deals=[deal(0, won(1, 0)), deal(0, won(1, 10))])
    assert (found.deals_range.high, found.leads_range.high) == (None, None)
    assert found.deals_range.low == 100


def test_the_mean_of_many_deals_is_drawn_like_that_of_resamples():
    """300 deals of 100 or 300, and 1,200 of the same: half the spread, by either way."""
    half = [deal(0, won(1, amount)) for amount in (100, 300)]
    few = learn(euros(10**8), half * 150, draws=2000).deals_range
    many = learn(euros(10**8), half * 600, draws=2000).deals_range
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(2, rel=0.15)
    assert (many.low + many.high) / 2 == pytest.approx(500_000, rel=0.01)
    # 1.2816 standard errors of the mean to each side: 100 / √1200 of 200
    assert (many.high - many.low) / 500_000 == pytest.approx(2 * 1.2816 / 2 / 1200**0.5, rel=0.1)


def test_the_range_of_leads_is_that_of_the_win_rate_where_all_deals_are_alike():
    """Beta(10.5, 30.5) has its tenth and ninetieth percentile at .172 and .345."""
    body = [deal(0, won(1, 10))] * 10 + [deal(0, lost(1))] * 30
    found = learn(euros(1000), body, draws=20_000)
    assert (found.deals_range.low, found.deals_range.high) == (100, 100)
    assert found.leads_range.low == pytest.approx(100 / BETA_90, rel=0.02)
    assert found.leads_range.high == pytest.approx(100 / BETA_10, rel=0.02)


BETA_10, BETA_90 = 0.17212, 0.34534  # scipy.stats.beta.ppf([0.1, 0.9], 10.5, 30.5)


# Doors


def _is_empty(value):
    return isinstance(value, list | tuple | dict | set | bytes | bytearray | range) and not value


def test_the_doors_of_plain_numbers_refuse_what_is_strange():
    check_door(lambda target: deals_needed(target, euros(1)))
    check_door(lambda size: deals_needed(euros(1), size))
    check_door(lambda rates: deals_needed(euros(1), dollars(1), rates=rates))
    check_door(lambda deals: leads_needed(deals, 0.5), takes=_is_whole)
    check_door(
        lambda rate: leads_needed(1, rate), takes=lambda rate: type(rate) is int and rate == 0
    )
    check_door(lambda people: needed_each(1, people), takes=lambda n: type(n) is int and n > 0)
    check_door(lambda needed: needed_each(needed, 1), takes=_is_whole)
    asked = {"average_size": euros(1), "win_rate": 0.5}
    check_door(lambda target: sizing(target, **asked))
    check_door(lambda people: sizing(euros(1), **asked, people=people),
               takes=lambda n: type(n) is int and n > 0)  # fmt: skip
    weighed = asked | {"weights": {"a": 1}}
    check_door(lambda weights: sizing_by(euros(1), weights=weights, **asked))
    check_door(lambda part: sizing_by(euros(1), weights={"a": part}, **asked),
               takes=lambda n: type(n) is int and n == 7)  # fmt: skip
    check_door(lambda rate: sizing_by(euros(1), **(weighed | {"win_rate": rate})),
               takes=lambda rate: type(rate) is int and rate == 0)  # fmt: skip


def _is_whole(value):
    return type(value) is int and value >= 0


def test_the_doors_of_sizing_from_refuse_what_is_strange():
    check_door(learn, takes=lambda value: value is None)  # None is for the usual target here
    check_door(lambda at: learn(as_of=at))
    check_door(lambda seed: learn(seed=seed), takes=lambda seed: type(seed) is int)
    check_door(lambda draws: learn(draws=draws))
    check_door(lambda people: learn(people=people), takes=lambda n: type(n) is int and n > 0)
    check_door(lambda level: learn(level=level))
    check_door(lambda deals: learn(deals=deals), takes=_is_empty)
    check_door(lambda period: learn(period=period), takes=lambda value: value is None)
    check_door(lambda by: learn({"ada": euros(1)}, by=by))
    check_door(
        lambda target: sizing_from([], target={"a": target}, as_of=day(1), seed=1, by="owner")
    )
    with pytest.raises(WrongTypeError, match="a mapping of groups"):
        learn(euros(1), by="owner")
