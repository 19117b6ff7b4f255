"""What every figure has in common: rates, amounts, and how records are asked for."""

import inspect
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline import metrics
from salespipeline.errors import (
    InvalidValueError,
    MixedCurrenciesError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.metrics import Amounts, Rate
from salespipeline.metrics._figure import as_decimal, as_fraction
from salespipeline.money import Money
from salespipeline.tallies import Count, lifetimes, people, standings, visits
from stories import contact, day, days, deal, euros, given_to, lost, reached, won, worth

HOUR = timedelta(hours=1)
SEVEN = 7
WITH_PERIOD = {
    "leads": people,
    "qualified_leads": people,
    "close_ratio": people,
    "win_rate_closed": lifetimes,
    "win_rate_created": lifetimes,
    "time_to_close": lifetimes,
    "average_deal_size": lifetimes,
    "cycle_length": lifetimes,
    "deal_lifetime": lifetimes,
    "pipeline_velocity": lifetimes,
}
OF_AN_INSTANT = {
    "contacts_by_lifecycle_stage": people,
    "summary": lifetimes,
}
BY_STAGE = {
    "contacts_by_lead_status": people, "deals_by_stage": standings, "time_in_stage": visits,
}  # fmt: skip
COUNTERS = WITH_PERIOD | OF_AN_INSTANT | BY_STAGE
FIGURES = {name: getattr(metrics, name) for name in COUNTERS}
MEASURING = ("win_rate_closed", "time_to_close", "cycle_length", "summary", "time_in_stage")

every_figure = pytest.mark.parametrize("name", FIGURES)


def _record(name):
    if COUNTERS[name] is people:
        return contact(0, reached(3, "customer", "NEW"), owner="ada")
    return deal(0, won(9, 900), owner="ada")


def _other_counter(name):
    return standings if COUNTERS[name] is lifetimes else lifetimes


def _strange_but_empty(value):
    return isinstance(value, tuple | list | dict | set) and not value


# Rates


def test_a_rate_is_a_value():
    check_value(Rate.of(1, 4), Rate.of(1, 4), Rate.of(1, 5), Rate.of(2, 4), Rate.of(1, 4, 0.8))


def test_a_rate_holds_its_counts_and_wilsons_interval():
    rate = Rate.of(15, 148)
    assert (rate.numerator, rate.denominator, rate.value) == (15, 148, 15 / 148)
    assert (round(rate.interval.low, 4), round(rate.interval.high, 4)) == (0.0624, 0.1605)
    assert rate.interval.level == 0.95


def test_a_rate_of_none_has_no_value_and_no_interval():
    rate = Rate.of(0, 0)
    assert (rate.value, rate.interval, str(rate)) == (None, None, "none (0 of 0)")


def test_a_rate_reads_as_percent_with_counts_and_interval():
    assert str(Rate.of(1500, 14800)) == "10.1% (1,500 of 14,800; 9.7% to 10.6%)"
    assert str(Rate.of(0, 20)).startswith("0.0% (0 of 20; 0.0% to 16.1%")


# Amounts


def _amounts(*amounts):
    return Amounts.of(
        (None, Count(1)) if amount is None else (amount.currency, Count(1, amount.minor))
        for amount in amounts
    )


def test_amounts_are_a_value():
    mixed = [euros(1), None, Money(2, "USD")]
    check_value(
        _amounts(*mixed), _amounts(*mixed), _amounts(euros(1), None), _amounts(*mixed, None)
    )


def test_amounts_come_by_currency_with_those_that_have_none():
    amounts = _amounts(Money(2, "USD"), euros(1), None, euros(4))
    assert (amounts.n, amounts.without_amount) == (4, 1)
    assert list(amounts.by_currency.items()) == [
        ("EUR", (2, euros(5))),
        ("USD", (1, Money(2, "USD"))),
    ]


def test_one_currency_needs_no_naming():
    amounts = _amounts(euros("1.01"), euros(4), None)
    assert amounts.total() == euros("5.01")
    assert amounts.mean() == Decimal("2.505")
    assert str(amounts.mean()) == "2.505000"


def test_without_any_amount_there_is_no_total_and_no_mean():
    for amounts in (_amounts(), _amounts(None, None)):
        assert amounts.total() is None
        assert amounts.mean() is None
        assert amounts.total("EUR", {"USD": 1}) is None


def test_several_currencies_do_not_add_without_rates():
    amounts = _amounts(euros(1), Money(2, "USD"), Money(3, "JPY"))
    for ask in (amounts.total, amounts.mean):
        with pytest.raises(MixedCurrenciesError) as caught:
            ask("USD", {"EUR": 2})
        assert caught.value.currencies == ("USD", "JPY")
        with pytest.raises(MixedCurrenciesError):
            ask()


def test_rates_convert_what_is_in_another_currency():
    amounts = _amounts(euros(1), Money(2, "USD"), Money(2, "USD"))
    assert amounts.total("EUR", {"USD": "0.25"}) == euros(2)
    assert amounts.mean("EUR", {"USD": "0.25"}) == Decimal("0.666667")
    assert amounts.total("USD", {"EUR": 4}) == Money(8, "USD")


def test_a_mean_has_four_digits_more_than_the_currency():
    yen = _amounts(Money(1, "JPY"), Money(1, "JPY"), Money(0, "JPY"))
    assert str(yen.mean()) == "0.6667"


def test_rates_and_the_currency_must_be_such():
    amounts = _amounts(euros(1), Money(2, "USD"))
    check_door(lambda value: amounts.total(value, {"EUR": 1, "USD": 1}), takes=lambda v: v is None)
    check_door(lambda value: amounts.total("EUR", value))
    check_door(
        lambda value: amounts.total("EUR", {"USD": value}),
        takes=lambda v: v is SEVEN,
    )


@pytest.mark.parametrize(
    ("number", "places", "text"),
    [
        (Fraction(1, 3), 2, "0.33"),
        (Fraction(5, 2), 0, "2"),
        (Fraction(7, 2), 0, "4"),
        (Fraction(-1, 8), 2, "-0.12"),
        (Fraction(10**40, 3), 2, "3" * 40 + ".33"),
    ],
)
def test_a_fraction_is_rounded_half_to_even_whatever_its_size(number, places, text):
    assert str(as_decimal(number, places)) == text


def test_a_float_is_read_by_its_shortest_text():
    class Float64(float):
        def __repr__(self):
            return f"Float64({float(self)})"

    for given in (0.1, Float64(0.1), "0.1", Decimal("0.1"), Fraction(1, 10)):
        assert as_fraction(given, "share") == Fraction(1, 10)


# What every figure takes


@every_figure
def test_a_figure_of_a_tally_is_that_of_its_records(name):
    records = [_record(name), _record(name)]
    tally = COUNTERS[name](records[:1], as_of=day(20)) + COUNTERS[name](records[1:], as_of=day(20))
    assert FIGURES[name](tally) == FIGURES[name](records, as_of=day(20))
    assert FIGURES[name](tally, as_of=day(20)) == FIGURES[name](tally)
    assert FIGURES[name](tally) != FIGURES[name]([], as_of=day(20))


@pytest.mark.parametrize("name", WITH_PERIOD)
def test_a_figure_of_a_period_is_the_same_from_a_tally_of_several(name):
    figure, periods = FIGURES[name], [days(0, 5), days(5, 30)]
    tally = COUNTERS[name]([_record(name)], as_of=day(20), periods=periods)
    for period in periods:
        assert figure(tally, period=period) == figure([_record(name)], as_of=day(20), period=period)
    assert figure(tally) == figure([_record(name)], as_of=day(20))


@every_figure
def test_a_figure_by_group_is_one_for_each(name):
    records = [_record(name)]
    grouped = FIGURES[name](iter(records), as_of=day(20), by="owner")
    assert grouped == {"ada": FIGURES[name](records, as_of=day(20))}
    assert FIGURES[name]([], as_of=day(20), by="owner") == {}


def _counted(found):
    """How many records a figure says that it counted, whatever its shape."""
    if isinstance(found, int):
        return found
    if isinstance(found, dict | tuple):
        return sum(
            _counted(each) for each in (found.values() if isinstance(found, dict) else found)
        )
    names = ("denominator", "n", "number", "open")
    return next(getattr(found, name) for name in names if hasattr(found, name))


@every_figure
def test_a_figure_of_nothing_counts_nothing(name):
    assert _counted(FIGURES[name]([], as_of=day(20))) == 0


# What every figure refuses


@every_figure
def test_a_figure_of_records_needs_an_instant_with_a_zone(name):
    figure = FIGURES[name]
    check_door(lambda value: figure([], as_of=value))
    for wrong in ({}, {"as_of": datetime(2026, 1, 1)}):  # noqa: DTZ001 - naive on purpose
        with pytest.raises(SalesPipelineError, match="'as_of' must be a datetime with a zone"):
            figure([], **wrong)


@every_figure
def test_a_figure_needs_several_records_of_its_own_kind(name):
    figure = FIGURES[name]
    check_door(lambda value: figure(value, as_of=day(1)), takes=_strange_but_empty)
    other = deal(0) if COUNTERS[name] is people else contact(0)
    with pytest.raises(WrongTypeError, match="History values"):
        figure([other], as_of=day(20))


@every_figure
def test_a_figure_groups_by_fields_alone(name):
    figure = FIGURES[name]
    check_door(
        lambda value: figure([_record(name)], as_of=day(1), by=value), takes=lambda v: v is None
    )
    with pytest.raises(UnknownKeyError, match="unknown field of a"):
        figure([], as_of=day(1), by="size")


@pytest.mark.parametrize("name", WITH_PERIOD)
def test_a_period_is_a_period(name):
    figure = FIGURES[name]
    check_door(lambda value: figure([], as_of=day(1), period=value), takes=lambda v: v is None)
    tally = COUNTERS[name]([], as_of=day(1), periods=[days(0, 9)])
    check_door(lambda value: figure(tally, period=value), takes=lambda v: v is None)


@pytest.mark.parametrize("name", WITH_PERIOD)
def test_a_tally_must_have_counted_the_period(name):
    tally = COUNTERS[name]([], as_of=day(1), periods=[days(0, 9)])
    with pytest.raises(UnknownKeyError, match="unknown period of the tally"):
        FIGURES[name](tally, period=days(0, 10))


@pytest.mark.parametrize("name", OF_AN_INSTANT)
def test_a_figure_of_an_instant_refuses_a_period(name):
    with pytest.raises(InvalidValueError, match="of an instant, not of a period"):
        FIGURES[name]([], as_of=day(1), period=days(0, 9))


@every_figure
def test_a_figure_refuses_a_tally_of_something_else(name):
    counter = _other_counter(name)
    with pytest.raises(InvalidValueError) as caught:
        FIGURES[name](counter([], as_of=day(1)), as_of=day(2))
    needed = f"it counts {counter.__name__}, and this figure needs {COUNTERS[name].__name__}"
    assert caught.value.faults == (needed, f"it was counted as of {day(1).isoformat()}")


@every_figure
def test_a_tally_is_grouped_when_it_is_counted(name):
    tally = COUNTERS[name]([], as_of=day(1))
    with pytest.raises(InvalidValueError, match="give by= when counting"):
        FIGURES[name](tally, by="owner")


@pytest.mark.parametrize("name", MEASURING)
def test_a_tally_is_measured_when_it_is_counted(name):
    figure, kolkata = FIGURES[name], ZoneInfo("Asia/Kolkata")
    tally = COUNTERS[name]([_record(name)], as_of=day(20), resolution=HOUR, zone=kolkata)
    assert figure(tally, resolution=HOUR, zone=kolkata) == figure(tally)
    with pytest.raises(InvalidValueError) as caught:
        figure(tally, resolution=timedelta(hours=2), zone=ZoneInfo("Europe/Berlin"))
    assert caught.value.faults == (
        "it was counted in the zone Asia/Kolkata",
        "it was counted with the resolution 1:00:00",
    )
    with pytest.raises(InvalidValueError, match="with the resolution of days"):
        figure(COUNTERS[name]([], as_of=day(20)), resolution=HOUR)


@pytest.mark.parametrize("name", MEASURING)
def test_a_resolution_is_more_than_nothing(name):
    for wrong in (timedelta(), timedelta(seconds=-1)):
        with pytest.raises(InvalidValueError, match="not more than nothing"):
            FIGURES[name]([], as_of=day(1), resolution=wrong)


@pytest.mark.parametrize("name", ["leads", "close_ratio", "contacts_by_lifecycle_stage"])
def test_a_figure_that_measures_no_durations_takes_no_resolution(name):
    with pytest.raises(InvalidValueError, match="measures no durations"):
        FIGURES[name]([], as_of=day(1), resolution=HOUR)
    check_door(lambda value: FIGURES[name]([], as_of=day(1), zone=value))


WITHOUT_LEVEL = {"contacts_by_lead_status", "deals_by_stage", "pipeline_velocity"}


@pytest.mark.parametrize("name", sorted(set(FIGURES) - WITHOUT_LEVEL))
def test_a_level_lies_between_0_and_1(name):
    figure = FIGURES[name]
    check_door(lambda value: figure([], as_of=day(1), level=value))
    for wrong in (0, 1, 95):
        with pytest.raises(InvalidValueError, match="not between 0 and 1"):
            figure([], as_of=day(1), level=wrong)


# When a group is read


def test_each_figure_groups_records_as_they_were_at_the_instant_that_it_counts():
    history = deal(0, given_to(2, "bob"), won(4, 9), given_to(6, "eve"), owner="ada")
    groups = {
        name: tuple(FIGURES[name]([history], as_of=day(9), by="owner"))
        for name in FIGURES
        if COUNTERS[name] is not people
    }
    at_closing = ("win_rate_closed", "average_deal_size", "cycle_length", "deal_lifetime")
    assert groups == {
        **dict.fromkeys((*at_closing, "pipeline_velocity"), ("bob",)),
        **dict.fromkeys(("win_rate_created", "time_to_close"), ("ada",)),
        **dict.fromkeys(("summary", "deals_by_stage"), ("eve",)),
        "time_in_stage": ("ada", "bob"),
    }


def test_each_figure_of_contacts_groups_them_when_they_became_leads_or_as_they_are():
    history = contact(0, given_to(1, "bob"), reached(2, "lead"), given_to(3, "eve"), owner="ada")
    groups = {
        name: tuple(FIGURES[name]([history], as_of=day(9), by="owner"))
        for name in FIGURES
        if COUNTERS[name] is people
    }
    assert groups == {
        **dict.fromkeys(("leads", "qualified_leads", "close_ratio"), ("bob",)),
        **dict.fromkeys(("contacts_by_lifecycle_stage", "contacts_by_lead_status"), ("eve",)),
    }


# What a reader sees


@pytest.mark.parametrize("name", ["leads", "win_rate_closed", "summary"])
def test_a_figure_shows_its_own_name_its_parameters_and_what_it_gives(name):
    figure = FIGURES[name]
    signature = inspect.signature(figure)
    assert (figure.__name__, figure.__module__.rpartition(".")[0]) == (
        name,
        "salespipeline.metrics",
    )
    records = "contacts" if name == "leads" else "deals"
    assert list(signature.parameters)[:4] == [records, "as_of", "period", "by"]
    assert signature.parameters["as_of"].annotation == datetime | None
    given = {"leads": metrics.Number, "win_rate_closed": Rate, "summary": metrics.Summary}
    assert signature.return_annotation == given[name]


def test_currencies_are_told_apart_in_every_sum():
    dollars = deal(0, worth(1, Money(5, "USD")), won(4))
    figure = metrics.average_deal_size(
        [deal(0, won(9, 900)), dollars, deal(0, lost(5))], as_of=day(20)
    )
    assert {code: money for code, (_, money) in figure.by_currency.items()} == {
        "EUR": euros(900),
        "USD": Money(5, "USD"),
    }
