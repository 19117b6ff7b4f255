"""Which open deals are the most winnable."""

from fractions import Fraction

import pytest
from attrs import evolve

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, WrongTypeError
from salespipeline.metrics.open_chance import win_chances
from salespipeline.metrics.winnable import most_winnable
from salespipeline.money import Money
from salespipeline.pipelines import Pipeline, Stage
from stories import contact, day, deal, euros, lost, moved, won

BOARD = Pipeline(
    "board",
    [
        Stage("talk"),
        Stage("offer"),
        Stage("hold", parked=True),
        Stage("signed", outcome="won"),
        Stage("gone", outcome="lost"),
    ],
)


def paths():
    """Eighty deals: half went on from talk after 5 days, and of those all were won after 4."""
    for number in range(40):
        yield deal(0, moved(5, "offer"), won(9), record=f"won-{number}")
        yield deal(0, lost(5), record=f"lost-{number}")


OPEN = (
    deal(97, moved(98, "offer"), record="offer", amount=euros(100), owner="ada"),
    deal(99, record="talk", amount=euros(1000)),
    deal(99, record="none"),
    deal(97, moved(98, "hold"), record="hold", amount=euros(9000)),
)
LATER = day(100)


def winnable(*more, **options):
    asked = {"as_of": LATER, "horizon_days": 60, "pipelines": [BOARD]} | options
    return most_winnable([*paths(), *OPEN, *more], **asked)


def test_open_deals_are_ranked_by_their_chance():
    found = winnable(ranked_by="chance")
    assert [each.deal for each in found.deals] == ["offer", "none", "talk"]
    assert found.left_out == {"parked": 1}
    assert found.deals[0].owner == "ada"
    chances = {
        each.deal: each
        for each in win_chances([*paths(), *OPEN], as_of=LATER, horizon_days=60, pipelines=[BOARD])
    }
    for each in found.deals:
        assert (each.chance, each.visits) == (chances[each.deal].chance, chances[each.deal].visits)
    assert found.deals[0].chance > 0.9
    assert 0.4 < found.deals[2].chance < 0.6


def test_or_by_chance_times_amount():
    found = winnable()
    assert [each.deal for each in found.deals] == ["talk", "offer"]
    assert found.left_out == {"parked": 1, "no_amount": 1}
    first = found.deals[0]
    assert first.value == Money.rounded(Fraction(first.chance) * 1000, "EUR")
    assert (found.as_of, found.horizon_days, found.ranked_by.value) == (LATER, 60, "value")


def test_the_list_may_be_short():
    assert [each.deal for each in winnable(most=1).deals] == ["talk"]
    assert winnable(most=99) == winnable()
    for wrong in (0, -1):
        with pytest.raises(InvalidValueError, match="is not at least 1"):
            winnable(most=wrong)


def test_each_says_why_it_stands_where_it_does():
    offer, none, _ = winnable(ranked_by="chance").deals
    assert (offer.stage, offer.stage_age, offer.deal_age) == ("offer", 2, 3)
    assert offer.why.startswith("in 'offer' for 2 days: ")
    assert offer.why.endswith(f"{offer.on_entering:.0%} on entering it")
    assert (none.amount, none.value) == (None, None)


def test_several_currencies_need_rates_to_be_ranked_by_value():
    dollars = deal(99, record="usd", amount=Money(1500, "USD"))
    with pytest.raises(MixedCurrenciesError):
        winnable(dollars)
    rated = winnable(dollars, currency="EUR", rates={"USD": "0.5"})
    assert [each.deal for each in rated.deals] == ["talk", "usd", "offer"]
    rated = winnable(dollars, currency="EUR", rates={"USD": "0.9"})
    assert [each.deal for each in rated.deals] == ["usd", "talk", "offer"]
    assert len(winnable(dollars, ranked_by="chance").deals) == 4


def test_a_deal_of_which_the_past_says_nothing_is_left_out():
    body = [deal(99, record="talk", amount=euros(1))]
    found = most_winnable(body, as_of=LATER, horizon_days=60)
    assert (found.deals, found.left_out) == ((), {"no_chance": 1})
    nothing = most_winnable([], as_of=LATER, horizon_days=60)
    assert (nothing.deals, nothing.rows()) == ((), [])


def test_a_deal_whose_days_are_not_known_says_no_days():
    each = winnable(ranked_by="chance").deals[0]
    unknown = evolve(each, stage_age=None, on_entering=None)
    assert unknown.why == f"in 'offer': {each.chance:.0%} of such deals are won"


def test_where_nothing_has_left_the_stage_the_age_of_the_deal_says_why():
    ends = [deal(0, (won if n % 2 else lost)(9), record=f"end-{n}") for n in range(40)]
    body = [*ends, *OPEN]
    offer = most_winnable(
        body, as_of=LATER, horizon_days=60, ranked_by="chance", pipelines=[BOARD]
    ).deals
    [why] = [each.why for each in offer if each.deal == "offer"]
    assert why == "3 days old: 50% of such deals are won; nothing has left 'offer' yet"


def test_two_deals_of_one_id_are_refused():
    with pytest.raises(InvalidValueError, match="there are two of 'talk'"):
        winnable(OPEN[1])


def test_the_most_winnable_are_told_in_rows():
    rows = winnable().to_dicts()
    assert [(row["rank"], row["deal"]) for row in rows] == [(1, "talk"), (2, "offer")]
    check_value(winnable(), winnable(), winnable(ranked_by="chance"))


def test_strange_input_to_the_ranking_is_refused():
    options = {"as_of": LATER, "horizon_days": 60}
    check_door(lambda value: most_winnable(OPEN, **options | {"as_of": value}))
    check_door(
        lambda value: most_winnable(OPEN, **options | {"horizon_days": value}),
        takes=lambda value: type(value) is int and value == 7,
    )
    check_door(lambda value: most_winnable(OPEN, **options, ranked_by=value))
    check_door(
        lambda value: most_winnable(OPEN, **options, most=value),
        takes=lambda value: value is None or (type(value) is int and value > 0),
    )
    check_door(lambda value: most_winnable(OPEN, **options, pipelines=value), takes=_empty)
    check_door(lambda value: most_winnable(OPEN, **options, zone=value))
    check_door(lambda value: most_winnable(value, **options), takes=_empty)
    with pytest.raises(WrongTypeError, match="DealHistory"):
        most_winnable([contact(0)], **options)


def _empty(value):
    return isinstance(value, (list, tuple, dict, set, bytes, bytearray)) and not value
