"""Which deals are won, by the values of one thing about them."""

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import FieldSet
from salespipeline.metrics import Amounts, Durations, Rate, cumulative_incidence
from salespipeline.metrics.profiles import Segment, profile
from salespipeline.pipelines import Outcome
from salespipeline.qualification import Profile, trait_of
from salespipeline.tallies import Moment, lifetimes, standings
from stories import day, days, deal, euros, lost, won


def of_industry(industry, *steps, opened=0, **facts):
    return deal(opened, *steps, attributes={"industry": industry} if industry else {}, **facts)


BODY = (
    *[of_industry("banks", won(10, 100)) for _ in range(8)],
    *[of_industry("banks", won(30), amount=euros(300)) for _ in range(2)],
    *[of_industry("banks", lost(20)) for _ in range(10)],
    *[of_industry("shops", won(5, 50)) for _ in range(3)],
    *[of_industry("shops", lost(9)) for _ in range(27)],
    *[of_industry("farms", won(7)) for _ in range(2)],
    *[of_industry("farms", opened=5) for _ in range(4)],
    *[of_industry(None, lost(8))],
    *[of_industry("ships")],
)


def industries(**options):
    return profile(BODY, as_of=day(60), by="attributes.industry", **options)


def of(found, value):
    return next(each for each in found if each.value == value)


def test_a_segment_is_a_value():
    def made(value, **facts):
        none = Durations(0, None, None)
        return Segment(
            value, 3, 1, 1, 1, Rate.of(1, 2), None, None, Amounts(1, {}, 1), none, True, **facts
        )

    check_value(made("x"), made("x"), made("y"))
    assert made("x").number == 2


def test_each_value_has_its_counts_its_win_rate_its_amounts_and_its_cycle():
    banks = of(industries(), "banks")
    assert (banks.deals, banks.open, banks.won, banks.lost, banks.number) == (20, 0, 10, 10, 20)
    assert banks.win_rate == Rate.of(10, 20)
    assert banks.average_won.total() == euros(8 * 100 + 2 * 300)
    assert banks.cycle == Durations(10, (8 * 10 + 2 * 30) / 10, 10.0)
    farms = of(industries(), "farms")
    assert (farms.deals, farms.open, farms.win_rate) == (6, 4, Rate.of(2, 2))


def test_the_surest_winners_come_first_and_not_the_luckiest():
    found = industries()
    assert [each.value for each in found] == ["farms", "banks", "shops", None, "ships"]
    lows = [each.win_rate.interval.low for each in found[:4]]
    assert lows == sorted(lows, reverse=True)
    # one win of one: 100 %, and yet after ten of twenty
    lucky = [*BODY, of_industry("zoos", won(3))]
    order = [each.value for each in profile(lucky, as_of=day(60), by="attributes.industry")]
    assert order.index("zoos") > order.index("banks")


def test_values_with_few_closed_deals_are_marked():
    assert [each.value for each in industries() if each.few] == ["farms", None, "ships"]
    assert not any(each.few for each in industries(fewest=0))
    assert of(industries(fewest=21), "banks").few


def test_the_chance_by_a_horizon_counts_open_deals_as_open():
    found = industries(horizon_days=10)
    banks = [each for each in BODY if dict(each.events[0].attributes).get("industry") == "banks"]
    assert of(found, "banks").chance == pytest.approx(8 / 20)
    curve = cumulative_incidence(banks, as_of=day(60))
    assert of(found, "banks").chance_interval == curve.interval_at("won", 10)
    assert of(found, "farms").chance == pytest.approx(2 / 6)
    assert of(industries(), "banks").chance is of(industries(), "banks").chance_interval is None
    assert of(industries(horizon_days=1000), "farms").chance is None


def test_the_field_is_read_at_creation_unless_asked_otherwise():
    known_late = deal(0, (4, FieldSet, {"field": "attributes.industry", "value": "banks"}), won(5))
    asked = {"as_of": day(9), "by": "attributes.industry"}
    assert [each.value for each in profile([known_late], **asked)] == [None]
    assert [each.value for each in profile([known_late], **asked, by_at="closing")] == ["banks"]


def test_a_period_selects_by_creation():
    found = industries(period=days(5, 6))
    assert [(each.value, each.deals) for each in found] == [("farms", 4)]


def test_what_has_no_age_is_left_out_of_the_chance_by_reason():
    body = [of_industry("x", won(1), opened=5)]
    found = profile(body, as_of=day(9), by="attributes.industry", horizon_days=3)
    assert found[0].left_out == {"negative_duration": 1}
    assert found[0].chance is None


def test_the_rows_make_a_trait_of_the_ideal_customer():
    rows = industries().to_dicts()
    assert [(row["value"], row["number"], row["win_rate"]) for row in rows[:3]] == [
        ("farms", 2, 1.0), ("banks", 20, 0.5), ("shops", 30, 0.1),
    ]  # fmt: skip
    trait = trait_of("industry", "attributes.industry", rows)
    assert trait.condition.value == ("banks",)
    ideal = Profile("ours", [trait])
    assert ideal.fit({"attributes": {"industry": "banks"}})
    assert not ideal.fit({"attributes": {"industry": "shops"}})
    assert trait_of("industry", "attributes.industry", rows, fewest=2).condition.value == (
        "banks", "farms",
    )  # fmt: skip


def test_values_of_any_kind_can_be_profiled():
    body = [deal(0, won(3), contacts=("c-1",)), deal(0, expected_close=day(3).date()), deal(0)]
    for field in ("contacts", "expected_close", "amount", "outcome", "id"):
        assert sum(each.deals for each in profile(body, as_of=day(9), by=field)) == 3
    assert profile(body, as_of=day(9), by="outcome", by_at="as_of")[0].value is Outcome.WON


def test_a_tally_counted_with_the_field_gives_the_same():
    tally = lifetimes(BODY, as_of=day(60), by="attributes.industry", by_at=Moment.CREATION)
    assert profile(tally) == industries()
    assert profile(tally, by="attributes.industry", as_of=day(60)) == industries()
    with pytest.raises(InvalidValueError, match="not by 'owner'"):
        profile(tally, by="owner")
    with pytest.raises(InvalidValueError, match="without a field"):
        profile(lifetimes(BODY, as_of=day(60)))
    with pytest.raises(InvalidValueError, match="needs lifetimes"):
        profile(standings(BODY, as_of=day(60), by="owner"))
    with pytest.raises(WrongTypeError, match="'by'"):
        profile(BODY, as_of=day(60), by=None)


def test_no_deals_give_no_values():
    assert profile([], as_of=day(1), by="owner") == ()


def test_strange_input_is_refused_at_every_door():
    def empty(value):
        return type(value) in (bytes, bytearray, tuple, list, dict, set, range) and not value

    check_door(lambda value: profile(value, as_of=day(1), by="owner"), takes=empty)
    check_door(lambda value: profile(BODY, as_of=value, by="owner"))
    check_door(lambda value: profile(BODY, as_of=day(1), by=value))
    check_door(lambda value: profile(BODY, as_of=day(1), by="owner", by_at=value))
    check_door(lambda value: profile([], as_of=day(1), by="owner", level=value))
    check_door(
        lambda value: profile([], as_of=day(1), by="owner", fewest=value),
        takes=lambda value: type(value) is int and value >= 0,
    )
    check_door(
        lambda value: profile([], as_of=day(1), by="owner", horizon_days=value),
        takes=lambda value: (
            value is None or (type(value) in (int, float) and 0 <= value < float("inf"))
        ),
    )
