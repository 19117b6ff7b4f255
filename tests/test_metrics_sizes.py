"""How large deals are, how that goes with winning them, and what was given up for it."""

from decimal import Decimal
from fractions import Fraction

import pytest

from contracts import check_door
from salespipeline.errors import InvalidValueError, MixedCurrenciesError
from salespipeline.events import ConcessionMade
from salespipeline.metrics.concessions import concessions, discount
from salespipeline.metrics.sizes import SizesIn, deal_sizes, win_rate_by_size
from salespipeline.money import Money
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Moment
from salespipeline.tallies._amounts import Size, amounts
from stories import day, days, deal, euros, given_to, lost, moved, reopened, won, worth


def given_up(at, what, value=None):
    return at, ConcessionMade, {"what": what, "value": euros(value)}


def wins(*sizes):
    return [deal(0, won(4, size)) for size in sizes]


# The tally


def test_deals_of_one_size_that_stand_alike_share_a_row():
    histories = [*wins(5, 5, 7), deal(0, lost(3), amount=euros(5)), deal(0)]
    tally = amounts(histories, as_of=day(9), periods=[days(4, 5)])
    assert {row: (count.n, count.minor) for row, count in tally.rows.items()} == {
        Size(None, Outcome.WON, 0, "EUR", 500): (2, 1000),
        Size(None, Outcome.WON, 0, "EUR", 700): (1, 700),
        Size(None, Outcome.LOST, None, "EUR", 500): (1, 500),
        Size(None, Outcome.OPEN, None, None, None): (1, 0),
    }
    assert amounts(histories, as_of=day(9), outcome="open").n == 1


@pytest.mark.parametrize(
    ("by_at", "owner"), [("creation", "ada"), (Moment.CLOSING, "bob"), ("as_of", "eve")]
)
def test_the_group_of_a_size_is_read_when_asked(by_at, owner):
    history = deal(0, given_to(2, "bob"), won(4, 10), given_to(6, "eve"), owner="ada")
    [row] = amounts([history], as_of=day(9), by="owner", by_at=by_at).rows
    assert row.group == owner


# Sizes


def test_sizes_are_of_won_deals_unless_others_are_asked_for():
    histories = [*wins(10, 30), deal(0, lost(3), amount=euros(70)), deal(0, amount=euros(90))]
    for outcome, n, total in (("won", 2, 40), ("lost", 1, 70), ("open", 1, 90)):
        sizes = deal_sizes(histories, as_of=day(9), outcome=outcome)
        assert (sizes.outcome, sizes.n) == (outcome, n)
        assert sizes.by_currency["EUR"].total == euros(total)
    assert deal_sizes(histories, as_of=day(9)).outcome is Outcome.WON


def test_the_mean_median_and_ends_of_sizes_are_exact():
    sizes = deal_sizes(wins(1, 2, 4, 93), as_of=day(9)).by_currency["EUR"]
    assert (sizes.n, sizes.mean, sizes.median) == (4, Decimal(25), Decimal(3))
    assert (sizes.smallest, sizes.largest) == (euros(1), euros(93))
    odd = deal_sizes(wins(1, 2, 93), as_of=day(9)).by_currency["EUR"]
    assert odd.median == Decimal(2)
    third = SizesIn("EUR", (100, 101), (1, 2))
    assert (third.mean, third.median) == (Decimal("1.006667"), Decimal("1.01"))
    halves = SizesIn("JPY", (100, 101), (1, 1))
    assert halves.median == Decimal("100.5")


def test_quantiles_are_those_of_hyndman_and_fan():
    """Definition 2 of ten deals: at a quarter the third, at a tenth the mean of two."""
    sizes = SizesIn("EUR", tuple(range(100, 1001, 100)), (1,) * 10)
    assert [sizes.quantile(share) for share in (0.25, 0.1, 0.5, 0.75, 0.99, 0.01)] == [
        Decimal(3),
        Decimal("1.5"),
        Decimal("5.5"),
        Decimal(8),
        Decimal(10),
        Decimal(1),
    ]
    check_door(sizes.quantile)


def test_a_deal_without_an_amount_is_counted_and_in_no_size():
    sizes = deal_sizes([*wins(10), deal(0, won(4))], as_of=day(9))
    assert (sizes.n, sizes.without_amount, sizes.by_currency["EUR"].n) == (2, 1, 1)


def test_sizes_of_a_period_are_of_deals_closed_in_it():
    histories = [deal(0, won(4, 100)), deal(0, won(9, 50))]
    sizes = deal_sizes(histories, as_of=day(20), period=days(9, 10))
    assert sizes.by_currency["EUR"].total == euros(50)
    with pytest.raises(InvalidValueError, match="open deals are closed in none"):
        deal_sizes(histories, as_of=day(20), period=days(9, 10), outcome="open")


def test_sizes_by_owner_and_in_several_currencies():
    histories = [*wins(10), deal(0, won(4), amount=Money(5, "USD"), owner="ada")]
    groups = deal_sizes(histories, as_of=day(9), by="owner")
    assert {who: list(sizes.by_currency) for who, sizes in groups.items()} == {
        None: ["EUR"],
        "ada": ["USD"],
    }


def test_sizes_of_a_tally_must_have_been_counted():
    histories = [*wins(1, 3), deal(0, lost(4), amount=euros(5))]
    tally = amounts(histories, as_of=day(9))
    assert deal_sizes(tally) == deal_sizes(wins(1, 3), as_of=day(9))
    lost_alone = amounts(wins(1, 3), as_of=day(9), outcome="lost")
    with pytest.raises(InvalidValueError, match="only deals of outcome lost were counted"):
        deal_sizes(lost_alone)
    with pytest.raises(InvalidValueError, match="only deals of outcome lost were counted"):
        win_rate_by_size(lost_alone, thresholds=[euros(1)])
    assert deal_sizes(lost_alone, outcome="lost").n == 0


def test_sizes_tell_themselves_in_rows():
    sizes = deal_sizes(wins(1, 2, 4, 93), as_of=day(9))
    [row] = sizes.to_dicts()
    assert (row["currency"], row["median"], row["upper_quartile"]) == ("EUR", 3, Decimal("48.5"))
    assert sizes.row()["median_EUR"] == Decimal(3)
    [nothing] = deal_sizes([], as_of=day(9)).to_dicts()
    assert nothing["n"] == 0


# Bands


def banded(histories, *ends, **asked):
    bands = win_rate_by_size(histories, as_of=day(9), thresholds=map(euros, ends), **asked)
    return [(each.won.n, each.lost.n, each.open.n, each.win_rate.value) for each in bands]


def test_a_band_goes_from_one_threshold_up_to_and_without_the_next():
    histories = [
        *wins(9, 10, 99, 100),
        *(deal(0, lost(3), amount=euros(size)) for size in (5, 6, 50, 1000)),
        deal(0, amount=euros(50)),
    ]
    assert banded(histories, 10, 100) == [
        (1, 2, 0, 1 / 3),
        (2, 1, 1, 2 / 3),
        (1, 1, 0, 0.5),
    ]
    bands = win_rate_by_size(histories, as_of=day(9), thresholds=[euros(10), euros(100)])
    assert [(each.low, each.high) for each in bands] == [
        (None, euros(10)),
        (euros(10), euros(100)),
        (euros(100), None),
    ]
    assert bands[1].won.total() == euros(109)


def test_deals_without_an_amount_are_in_no_band():
    [low, high] = win_rate_by_size(
        [deal(0, won(4)), *wins(5)], as_of=day(9), thresholds=[euros(10)]
    )
    assert (low.left_out, high.left_out) == ({"no_amount": 1}, {"no_amount": 1})
    assert (low.win_rate.denominator, high.win_rate.value, high.win_rate.interval) == (
        1,
        None,
        None,
    )


def test_bands_of_a_period_hold_no_open_deals():
    histories = [*wins(5), deal(0, amount=euros(5)), deal(0, won(8, 5))]
    assert banded(histories, 10, period=days(4, 5)) == [(1, 0, 0, 1.0), (0, 0, 0, None)]


def test_rates_choose_the_band_and_change_no_amount():
    history = deal(0, won(4), amount=Money(100, "USD"))
    with pytest.raises(MixedCurrenciesError):
        banded([history], 60)
    assert banded([history], 60, rates={"USD": "0.5"})[0][0] == 1
    assert banded([history], 50, rates={"USD": "0.5"})[1][0] == 1
    band = win_rate_by_size([history], as_of=day(9), thresholds=[euros(60)], rates={"USD": "0.5"})[
        0
    ]
    assert band.won.total() == Money(100, "USD")


def test_a_threshold_between_two_amounts_of_another_currency_is_not_reached_by_the_lower():
    """Of 10 EUR at 3 EUR a dollar: 3.33 USD is 9.99 EUR."""
    for amount, bands in (("3.33", [1, 0]), ("3.34", [0, 1])):
        history = deal(0, won(4), amount=Money(amount, "USD"))
        assert [band[0] for band in banded([history], 10, rates={"USD": 3})] == bands


def test_bands_by_owner_and_in_rows():
    groups = win_rate_by_size(wins(5), as_of=day(9), thresholds=[euros(10)], by="owner")
    assert groups[None][0].won.n == 1
    row = groups[None].to_dicts()[0]
    assert (row["low"], row["high"], row["won_n"], row["win_rate"]) == (None, Decimal(10), 1, 1.0)


def test_thresholds_rise_in_one_currency():
    with pytest.raises(InvalidValueError, match=r"10\.00 EUR is not more than 10\.00 EUR"):
        banded([], 10, 10)
    with pytest.raises(InvalidValueError, match="there is none"):
        banded([])
    with pytest.raises(MixedCurrenciesError):
        win_rate_by_size([], as_of=day(9), thresholds=[euros(1), Money(2, "USD")])
    check_door(lambda value: win_rate_by_size([], as_of=day(9), thresholds=value))
    check_door(lambda value: win_rate_by_size([], as_of=day(9), thresholds=[value]))


# Concessions


def test_concessions_are_told_by_kind_with_what_they_were_worth():
    histories = [
        deal(0, given_up(1, "discount", 10), given_up(2, "discount", 5), won(4, 100)),
        deal(0, given_up(1, "longer term"), won(4, 50)),
        deal(0, won(4, 50)),
        deal(0, given_up(1, "discount", 99), lost(4)),
        deal(0, given_up(1, "discount", 99)),
    ]
    found = concessions(histories, as_of=day(9))
    assert (found.deals.numerator, found.deals.denominator) == (2, 3)
    assert (found.made.n, found.made.total()) == (3, euros(15))
    assert {what: (made.n, made.total()) for what, made in found.by_kind.items()} == {
        "discount": (2, euros(15)),
        "longer term": (1, None),
    }
    assert found.amounts.total() == euros(200)
    assert found.share_of_amounts() == {"EUR": Fraction(15, 200)}
    for outcome in ("lost", "open"):
        assert concessions(histories, as_of=day(9), outcome=outcome).made.total() == euros(99)


def test_concessions_of_a_period_are_of_deals_closed_in_it():
    histories = [
        deal(0, given_up(1, "discount", 10), won(4, 100)),
        deal(0, given_up(1, "discount", 7), won(8, 100)),
    ]
    found = concessions(histories, as_of=day(9), period=days(8, 9))
    assert (found.made.total(), found.deals.denominator) == (euros(7), 1)
    assert concessions(histories, as_of=day(5)).made.total() == euros(10)
    with pytest.raises(InvalidValueError, match="open deals are closed in none"):
        concessions(histories, as_of=day(9), period=days(8, 9), outcome="open")


def test_concessions_by_owner_are_of_who_closed_the_deal():
    history = deal(0, given_up(1, "discount", 10), given_to(2, "bob"), won(4, 1), owner="ada")
    groups = concessions([history], as_of=day(9), by="owner")
    assert {who: each.made.n for who, each in groups.items()} == {"bob": 1}
    open_groups = concessions([deal(0, owner="ada")], as_of=day(9), by="owner", outcome="open")
    assert list(open_groups) == ["ada"]


def test_without_a_deal_no_share_was_given_up():
    found = concessions([], as_of=day(9))
    assert (found.deals.value, found.made.n, found.by_kind) == (None, 0, {})
    assert found.share_of_amounts() == {}
    assert concessions(wins(0), as_of=day(9)).share_of_amounts() == {}
    assert concessions(wins(5), as_of=day(9)).share_of_amounts() == {"EUR": 0}


def test_concessions_tell_themselves_in_rows():
    found = concessions([deal(0, given_up(1, "discount", 10), won(4, 100))], as_of=day(9))
    every, kind = found.to_dicts()
    assert (every["kind"], every["made_EUR"], every["deals_with"]) == (None, Decimal(10), 1)
    assert (kind["kind"], kind["made_n"]) == ("discount", 1)
    assert found.row()["deals"] == 1.0


# Discount


def test_a_discount_is_a_ratio_of_sums_and_beside_it_the_mean_of_ratios():
    """Won at 50 of 100 and at 900 of 900: 5 % was given up, not the 25 % of the mean."""
    histories = [
        deal(0, won(4, 50), amount=euros(100)),
        deal(0, won(4), amount=euros(900)),
    ]
    found = discount(histories, as_of=day(9)).by_currency["EUR"]
    assert (found.n, found.quoted, found.won) == (2, euros(1000), euros(950))
    assert (found.value, found.mean_of_ratios) == (Fraction(5, 100), Fraction(1, 4))
    assert found.interval is None


def test_the_quote_is_the_amount_when_a_stage_was_first_entered():
    history = deal(
        0, worth(1, euros(80)), moved(2, "offer"), worth(3, euros(70)), moved(3, "talk"),
        moved(3, "offer"), won(4, 60), amount=euros(100),
    )  # fmt: skip
    for stage, value in ((None, "0.4"), ("talk", "0.4"), ("offer", "0.25")):
        found = discount([history], as_of=day(9), stage=stage)
        assert found.by_currency["EUR"].value == Fraction(value)
        assert found.stage == stage


def test_where_nothing_was_named_yet_the_first_amount_after_is_the_quote():
    history = deal(0, moved(2, "offer"), worth(3, euros(80)), won(4, 60))
    found = discount([history], as_of=day(9), stage="offer")
    assert found.by_currency["EUR"].value == Fraction(1, 4)


def test_the_final_amount_is_no_quote_of_itself():
    assert discount(wins(60), as_of=day(9)).left_out == {"not_quoted": 1}
    again = deal(0, won(2, 80), reopened(3), moved(4, "offer"), won(5, 60))
    found = discount([again], as_of=day(9), stage="offer")
    assert found.by_currency["EUR"].value == Fraction(1, 4)


def test_what_cannot_be_compared_is_left_out_by_reason():
    histories = [
        deal(0, won(4, 60)),
        deal(0, worth(1, euros(5)), worth(2, None), won(4)),
        deal(0, won(4, 60), amount=Money(70, "USD")),
        deal(0, won(4, 60), amount=euros(0)),
        deal(0, lost(4), amount=euros(50)),
    ]
    found = discount(histories, as_of=day(9))
    assert found.by_currency == {}
    assert found.left_out == {"not_quoted": 2, "no_amount": 1, "another_currency": 1}
    found = discount(histories, as_of=day(9), stage="offer")
    assert found.left_out["stage_not_entered"] == 3


def test_an_amount_that_a_merge_brought_in_is_a_quote():
    kept = deal(0, won(9, 6), record="d-1")
    merged = kept.merge(deal(3, amount=euros(8), record="d-2"))
    assert discount([merged], as_of=day(9)).by_currency["EUR"].value == Fraction(1, 4)


def test_a_raised_deal_is_discounted_by_less_than_nothing():
    found = discount([deal(0, won(4, 150), amount=euros(100))], as_of=day(9))
    assert found.by_currency["EUR"].value == Fraction(-1, 2)


def test_the_interval_of_a_discount_is_that_of_a_ratio_of_sums():
    """Cochran's linearised error, worked by hand for five deals: 1 - R ± t(4)·se."""
    sizes = ((90, 100), (150, 200), (300, 300), (60, 100), (200, 300))
    histories = [deal(0, won(4, paid), amount=euros(asked)) for paid, asked in sizes]
    found = discount(histories, as_of=day(9)).by_currency["EUR"]
    assert found.value == Fraction(200, 1000)
    residuals = [paid - 0.8 * asked for paid, asked in sizes]
    error = (sum(each**2 for each in residuals) / 4 * 5) ** 0.5 / 1000
    assert found.interval.low == pytest.approx(0.2 - 2.776445 * error, abs=1e-6)
    assert found.interval.high == pytest.approx(0.2 + 2.776445 * error, abs=1e-6)


def test_a_discount_of_a_period_by_owner_and_in_rows():
    histories = [
        deal(0, won(4, 50), amount=euros(100), owner="ada"),
        deal(0, won(8, 90), amount=euros(100), owner="bob"),
    ]
    groups = discount(histories, as_of=day(9), period=days(8, 9), by="owner")
    assert {who: each.by_currency["EUR"].value for who, each in groups.items()} == {
        "bob": Fraction(1, 10)
    }
    [row] = groups["bob"].to_dicts()
    assert (row["currency"], row["value"], row["won"]) == ("EUR", 0.1, Decimal(90))
    [nothing] = discount([], as_of=day(9)).to_dicts()
    assert nothing["stage"] is None


def test_the_doors_of_discounts_refuse_what_is_strange():
    check_door(
        lambda value: discount([], as_of=day(1), stage=value),
        takes=lambda value: value is None or (isinstance(value, str) and value != ""),
    )
    check_door(lambda value: discount([], as_of=value))
    check_door(lambda value: concessions([], as_of=day(1), outcome=value))
    check_door(lambda value: concessions([], as_of=day(1), level=value))
    check_door(lambda value: deal_sizes([], as_of=day(1), outcome=value))
