"""The ageing table of open deals."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError
from salespipeline.metrics.ageing import ageing
from salespipeline.money import Money
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.tallies._book import book
from stories import BY_THEN, day, deal, euros, lost, moved, won

BOARD = Pipeline("board", [Stage("talk"), Stage("offer"), Stage("hold", parked=True)])

# As of day 100: ages 100, 90, 60, 30, 29, 0; in the stage 5, 90, 60, 30, 29, 0.
BODY = (
    deal(0, moved(95, "offer"), amount=euros(100)),
    deal(10, amount=euros(10)),
    deal(40, amount=euros(1)),
    deal(70),
    deal(71, amount=Money(7, "USD")),
    deal(100),
    deal(0, won(50)),
    deal(0, lost(50)),
)
NOW = day(100)


def numbers(bands):
    return [(band.from_days, band.to_days, band.amounts.n) for band in bands]


def test_open_deals_lie_in_bands_of_their_age():
    found = ageing(BODY, as_of=NOW)
    assert numbers(found.by_age) == [(0, 30, 2), (30, 60, 1), (60, 90, 1), (90, None, 2)]
    assert numbers(found.by_stage_age) == [(0, 30, 3), (30, 60, 1), (60, 90, 1), (90, None, 1)]
    assert found.open.n == 6
    assert found.as_of == NOW


def test_amounts_are_by_currency():
    found = ageing(BODY, as_of=NOW)
    assert found.by_age[3].amounts.total() == Money(110, "EUR")
    assert found.by_age[0].amounts.total() == Money(7, "USD")
    assert found.by_age[0].amounts.without_amount == 1
    assert found.by_age[1].amounts.total() is None


def test_bands_may_be_any():
    assert numbers(ageing(BODY, as_of=NOW, bands=[91]).by_age) == [(0, 91, 5), (91, None, 1)]
    assert numbers(ageing(BODY, as_of=NOW, bands=[]).by_age) == [(0, None, 6)]


def test_a_deal_of_unknown_age_is_in_no_band_and_counted():
    found = ageing([deal(0, start=BY_THEN), deal(0)], as_of=NOW)
    assert (found.open.n, found.age_unknown, found.stage_age_unknown) == (2, 1, 1)
    assert numbers(found.by_age)[3] == (90, None, 1)


def test_parked_deals_are_left_out():
    body = [*BODY, deal(0, moved(3, "hold"))]
    found = ageing(body, as_of=NOW, pipelines=[BOARD])
    assert (found.open.n, found.left_out) == (6, {"parked": 1})
    assert ageing(body, as_of=NOW).open.n == 7
    elsewhere = [deal(0, stage="hold", pipeline="lean"), deal(0, stage="ghost")]
    assert ageing(elsewhere, as_of=NOW, pipelines=[BOARD]).left_out == {}


def test_by_stage_the_groups_recombine():
    found = ageing(BODY, as_of=NOW, by="stage")
    assert {stage: each.open.n for stage, each in found.items()} == {"offer": 1, "talk": 5}
    assert numbers(found["offer"].by_stage_age)[0] == (0, 30, 1)


def test_days_are_those_of_the_zone():
    body = [deal(69.99)]
    assert numbers(ageing(body, as_of=day(99.5)).by_age)[1][2] == 1
    berlin = ZoneInfo("Europe/Berlin")
    assert numbers(ageing(body, as_of=day(99.5), zone=berlin).by_age)[0][2] == 1


def test_a_book_counted_elsewhere_will_do():
    tally = book(BODY[:3], as_of=NOW) + book(BODY[3:], as_of=NOW)
    assert ageing(tally) == ageing(BODY, as_of=NOW)
    with pytest.raises(InvalidValueError, match="with a resolution"):
        ageing(book(BODY, as_of=NOW, resolution=timedelta(hours=1)))


def test_it_is_told_in_rows():
    rows = ageing(BODY, as_of=NOW).to_dicts()
    assert [(row["of"], row["from_days"], row["amounts_n"]) for row in rows[2:6]] == [
        ("age", 60, 1), ("age", 90, 2), ("stage_age", 0, 3), ("stage_age", 30, 1),
    ]  # fmt: skip
    assert "stage_age" in str(ageing(BODY, as_of=NOW))
    nothing = ageing([], as_of=NOW)
    assert (nothing.open.n, len(nothing.rows())) == (0, 8)


def test_it_is_a_value():
    made = [ageing(BODY, as_of=NOW) for _ in range(2)]
    check_value(*made, ageing(BODY, as_of=NOW, bands=[30]), ageing(BODY[1:], as_of=NOW))


def test_bands_ascend_from_one():
    for wrong in ([0], [-1], [30, 30], [60, 30, 20]):
        with pytest.raises(InvalidValueError, match="does not come after"):
            ageing(BODY, as_of=NOW, bands=wrong)
    with pytest.raises(InvalidValueError) as caught:
        ageing(BODY, as_of=NOW, bands=[60, 30, 20])
    assert len(caught.value.faults) == 2


def test_strange_input_is_refused():
    check_door(lambda value: ageing(BODY, as_of=NOW, bands=value), takes=_empty)
    check_door(lambda value: ageing(BODY, as_of=NOW, bands=[value]), takes=_is_positive)
    check_door(lambda value: ageing(BODY, as_of=value))
    check_door(lambda value: ageing(value, as_of=NOW), takes=_empty)
    check_door(lambda value: ageing(BODY, as_of=NOW, pipelines=value), takes=_empty)
    check_door(lambda value: ageing(BODY, as_of=NOW, zone=value))


def _empty(value):
    return isinstance(value, (list, tuple, dict, set, bytes, bytearray)) and not value


def _is_positive(value):
    return type(value) is int and value > 0
