from collections.abc import Sized
from decimal import Decimal, localcontext
from enum import Enum
from fractions import Fraction

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, WrongTypeError
from salespipeline.money import MINOR_UNITS, Money, check_currency, exact, total, totals


def is_small(value):
    return type(value) is int and abs(value) < 10


def is_positive(value):
    return is_small(value) and value > 0


class OldCurrency(str, Enum):  # noqa: UP042 - others write them so
    EURO = "EUR"


# Numbers and currencies


@pytest.mark.parametrize("number", ["12.50", 7, Decimal("-0.001"), 0, "0e99999999"])
def test_an_exact_number_is_taken_as_it_is(number):
    assert exact(number, "amount") == Decimal(number)


@pytest.mark.parametrize("number", [1.0, True, None, Fraction(1, 2)])
def test_a_float_is_not_exact_and_a_bool_is_no_number(number):
    with pytest.raises(WrongTypeError, match="'amount' must be an exact number: Decimal, int or"):
        exact(number, "amount")


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("twelve", "^amount: 'twelve' is not a number$"),
        ("", "'' is not a number"),
        (Decimal("NaN"), "is not finite"),
        (Decimal("sNaN"), "is not finite"),
        ("-inf", "'-inf' is not finite"),
        ("1e31", "'1e31' is out of any sensible range"),
        pytest.param(10**5000, "<int> is out of any sensible range", id="huge"),
        ("1e-31", "out of any sensible range"),
        ("1e999999999", "out of any sensible range"),
    ],
)
def test_what_no_sale_can_be_is_refused_with_the_reason(number, fault):
    with pytest.raises(InvalidValueError, match=fault):
        exact(number, "amount")


def test_a_code_is_three_upper_case_letters():
    assert check_currency("EUR") == "EUR"
    for wrong in ("eur", "EURO", "E1R", "ÄÖÜ", "EU", ""):
        with pytest.raises(InvalidValueError, match="is not a three-letter upper-case code"):
            check_currency(wrong)


def test_a_code_of_an_enum_becomes_plain_text():
    assert check_currency(OldCurrency.EURO) == "EUR"
    assert type(check_currency(OldCurrency.EURO)) is str
    assert Money(1, OldCurrency.EURO) == Money(1, "EUR")


def test_whatever_is_no_code_is_refused():
    check_door(check_currency)


@pytest.mark.parametrize(
    ("currency", "places"),
    [("JPY", 0), ("KRW", 0), ("UYI", 0), ("EUR", 2), ("USD", 2), ("KWD", 3), ("CLF", 4)],
)
def test_a_currency_has_the_decimal_places_of_iso_4217(currency, places):
    assert MINOR_UNITS.get(currency, 2) == places
    assert Money.of_minor(1, currency).amount == Decimal(1).scaleb(-places)


# Making


def test_money_is_a_value():
    check_value(
        Money("12.50", "EUR"), Money("12.5", "EUR"), Money("12.51", "EUR"), Money(12, "USD")
    )


def test_money_is_not_its_number():
    assert Money(5, "EUR") != 5
    assert Money(5, "EUR") != Decimal(5)


def test_money_shows_all_places_of_its_currency():
    assert repr(Money("12.5", "EUR")) == "Money('12.50', 'EUR')"
    assert repr(Money(-3, "JPY")) == "Money('-3', 'JPY')"
    assert repr(Money("0.001", "KWD")) == "Money('0.001', 'KWD')"
    assert str(Money("-1234567.5", "EUR")) == "-1,234,567.50 EUR"
    assert str(Money(0, "EUR")) == "0.00 EUR"


def test_an_amount_keeps_its_digits_in_a_context_of_few():
    with localcontext() as context:
        context.prec = 2
        money = Money("1234567.89", "EUR") + Money("0.11", "EUR")
        assert money.amount == Decimal("1234568.00")
        assert str(money) == "1,234,568.00 EUR"


def test_more_places_than_the_currency_has_are_refused_and_not_rounded():
    fault = "'0.001' has more than the 2 decimal places of EUR; round it with Money.rounded"
    with pytest.raises(InvalidValueError, match=fault):
        Money("0.001", "EUR")
    with pytest.raises(InvalidValueError, match="the 0 decimal places of JPY"):
        Money("0.5", "JPY")
    assert Money("1.000", "EUR") == Money(1, "EUR")


def test_a_wrong_amount_and_a_wrong_currency_are_named_together():
    with pytest.raises(InvalidValueError) as caught:
        Money("twelve", "eur")
    assert caught.value.faults == (
        "currency: 'eur' is not a three-letter upper-case code such as 'EUR'",
        "amount: 'twelve' is not a number",
    )


def test_a_wrong_currency_alone_keeps_its_own_kind():
    with pytest.raises(WrongTypeError, match="'currency' must be a three-letter code"):
        Money(1, 978)


def test_whatever_is_no_amount_is_refused():
    check_door(lambda value: Money(value, "EUR"), takes=is_small)
    check_door(lambda value: Money.rounded(value, "EUR"), takes=is_small)
    check_door(lambda value: Money.of_minor(value, "EUR"), takes=is_small)
    check_door(lambda value: Money(1, value))
    check_door(lambda value: Money(1.5, value))


def test_an_amount_of_minor_units_is_whole():
    assert Money.of_minor(1999, "EUR") == Money("19.99", "EUR")
    with pytest.raises(WrongTypeError, match="'minor' must be a whole number"):
        Money.of_minor(19.99, "EUR")


def test_every_amount_that_can_be_made_can_be_made_again_from_its_text():
    largest = Money("9" * 31 + ".99", "EUR")
    assert Money(str(largest.amount), "EUR") == largest
    with pytest.raises(InvalidValueError, match="out of any sensible range"):
        largest + Money("0.01", "EUR")


@pytest.mark.parametrize(
    ("given", "paid"),
    [("2.345", "2.34"), ("2.355", "2.36"), ("-2.345", "-2.34"), (Fraction(1, 3), "0.33")],
)
def test_a_half_is_rounded_to_the_even_neighbour(given, paid):
    assert Money.rounded(given, "EUR") == Money(paid, "EUR")


# Arithmetic


def test_a_thousand_cents_sum_to_ten_exactly():
    assert total([Money("0.01", "EUR")] * 1000) == Money(10, "EUR")


def test_money_adds_subtracts_and_turns():
    assert Money(3, "EUR") - Money(5, "EUR") == -Money(2, "EUR")
    assert 3 * Money("0.10", "EUR") == Money("0.10", "EUR") * 3 == Money("0.30", "EUR")


def test_money_is_true_unless_it_is_nothing():
    assert Money("0.01", "EUR")
    assert Money("-0.01", "EUR")
    assert not Money(0, "EUR")


def test_money_of_one_currency_is_ordered():
    small, large = Money(1, "EUR"), Money(2, "EUR")
    assert small < large
    assert small <= large
    assert small <= Money(1, "EUR")
    assert large > small
    assert large >= small
    assert not small > large
    assert not small >= large
    assert not large < small
    assert not large <= small


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
    ],
)
def test_two_currencies_do_not_meet_without_a_rate(operation):
    with pytest.raises(MixedCurrenciesError, match="amounts of 'EUR', 'USD': convert them"):
        operation(Money(1, "EUR"), Money(1, "USD"))
    check_door(lambda value: operation(Money(1, "EUR"), value))


def test_a_factor_is_a_whole_number():
    with pytest.raises(WrongTypeError, match=r"with Money.rounded\) \(got 0.5"):
        Money(1, "EUR") * 0.5
    check_door(lambda value: Money(1, "EUR") * value, takes=is_small)


# Splitting


def test_the_cents_left_over_go_to_the_parts_that_lost_most():
    parts = Money("1.00", "EUR").allocate([Decimal("0.5"), Decimal("0.25"), 1])
    assert [str(part.amount) for part in parts] == ["0.29", "0.14", "0.57"]


def test_equal_losses_are_paid_from_the_front():
    parts = Money("0.05", "EUR").allocate([1, 1, 1])
    assert [part.minor for part in parts] == [2, 2, 1]


def test_a_debt_is_split_as_its_amount_is():
    assert [part.minor for part in Money("-0.05", "EUR").allocate([1, 1, 1])] == [-2, -2, -1]


def test_a_weight_of_zero_gets_nothing():
    assert [part.minor for part in Money("0.01", "EUR").allocate([0, 3, 0, 3])] == [0, 1, 0, 0]


def test_every_negative_weight_is_named():
    with pytest.raises(InvalidValueError) as caught:
        Money(1, "EUR").allocate([1, -1, Decimal("-0.5")])
    assert caught.value.faults == ("weight -1 is negative", "weight Decimal('-0.5') is negative")


@pytest.mark.parametrize("weights", [[], [0, 0]])
def test_without_a_weight_above_zero_there_is_nothing_to_split_by(weights):
    with pytest.raises(InvalidValueError, match="there is no weight above zero"):
        Money(1, "EUR").allocate(weights)


def test_strange_weights_are_refused():
    check_door(Money(1, "EUR").allocate, takes=lambda x: isinstance(x, range))
    check_door(
        lambda value: Money(1, "EUR").allocate([1, value]), takes=lambda x: is_small(x) and x >= 0
    )


# Converting and adding up


def test_a_conversion_rounds_to_what_the_currency_can_pay():
    assert Money("10.00", "USD").convert("JPY", "149.55") == Money(1496, "JPY")
    assert Money(1000, "JPY").convert("KWD", "0.0020405") == Money("2.040", "KWD")


@pytest.mark.parametrize("rate", [0, "-1"])
def test_a_rate_is_more_than_zero(rate):
    with pytest.raises(InvalidValueError, match=r"^rate: .* is not more than zero"):
        Money(1, "EUR").convert("USD", rate)


def test_strange_rates_and_currencies_are_refused():
    check_door(lambda value: Money(1, "EUR").convert("USD", value), takes=is_positive)
    check_door(lambda value: Money(1, "EUR").convert(value, 1))


def test_no_amounts_have_no_total():
    assert total([]) is None
    assert totals([]) == {}


def test_totals_stand_per_currency_in_the_order_met():
    sums = totals([Money(1, "USD"), Money(2, "EUR"), Money(3, "USD")])
    assert list(sums.items()) == [("USD", Money(4, "USD")), ("EUR", Money(2, "EUR"))]


def test_one_total_over_several_currencies_needs_rates():
    amounts = [Money(1, "EUR"), Money(2, "USD"), Money(3, "GBP")]
    with pytest.raises(MixedCurrenciesError) as caught:
        total(amounts, currency="EUR", rates={"USD": "0.5"})
    assert caught.value.currencies == ("EUR", "GBP")
    assert total(amounts, currency="EUR", rates={"USD": "0.5", "GBP": 2}) == Money(8, "EUR")


def test_a_total_is_converted_once_per_currency_and_not_per_amount():
    cents = [Money("0.01", "USD")] * 3
    assert total(cents, currency="EUR", rates={"USD": "0.5"}) == Money("0.02", "EUR")


def test_a_total_in_a_currency_that_is_none_is_refused():
    with pytest.raises(InvalidValueError, match="'eur' is not a three-letter"):
        total([Money(1, "EUR")], currency="eur")


def test_strange_amounts_and_rates_are_refused():
    check_door(totals, takes=lambda x: isinstance(x, Sized) and not isinstance(x, str) and not x)
    check_door(lambda value: total([value]))
    check_door(
        lambda value: total([Money(1, "EUR")], rates=value),
        takes=lambda x: x is None or isinstance(x, dict),
    )
    check_door(lambda value: total([Money(1, "EUR")], currency=value), takes=lambda x: x is None)
