"""Why deals are won, and why they are lost."""

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.events import Lost, Won
from salespipeline.metrics import Amounts, Rate
from salespipeline.metrics.reasons import Reason, reasons
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.tallies import lifetimes
from salespipeline.tallies._closings import Closing, closings
from stories import day, days, deal, euros, given_to, lost, moved, reopened, won, worth

BOARD = Pipeline("board", [Stage("talk"), Stage("offer")], former={"call": "talk"})


def lost_for(at, reason, left="talk", **facts):
    said = {"pipeline": "board", "stage": "gone", "stage_left": left, "reason": reason}
    return at, Lost, said | facts


def won_for(at, reason, left="offer", **facts):
    said = {"pipeline": "board", "stage": "signed", "stage_left": left, "reason": reason}
    return at, Won, said | facts


BODY = (
    deal(0, lost_for(5, "price"), amount=euros(100)),
    deal(0, lost_for(6, "price", "offer"), amount=Money(70, "USD")),
    deal(0, lost_for(7, "price"), amount=None),
    deal(0, lost_for(8, None)),
    deal(0, lost_for(9, "timing", "offer"), amount=euros(30)),
    deal(0, won_for(5, "service"), amount=euros(500)),
    deal(0, lost_for(5, "price"), reopened(6)),
    deal(0),
)


def told(found):
    return [(each.outcome.value, each.reason, each.share.numerator) for each in found]


def test_a_reason_is_a_value():
    def made(n):
        return Reason(Outcome.LOST, "price", None, None, Rate.of(n, 4), Amounts(n, {}, n))

    check_value(made(1), made(1), made(2))
    assert made(3).n == 3


def test_reasons_are_counted_among_deals_with_the_same_outcome_none_given_among_them():
    found = reasons(BODY, as_of=day(20))
    assert told(found) == [
        ("won", "service", 1), ("lost", "price", 3), ("lost", "timing", 1), ("lost", None, 1),
    ]  # fmt: skip
    assert [each.share.denominator for each in found] == [1, 5, 5, 5]
    assert found[1].share == Rate.of(3, 5)


def test_amounts_are_per_currency_with_those_without_one():
    price = reasons(BODY, as_of=day(20))[1].amounts
    assert price.by_currency == {"EUR": (1, euros(100)), "USD": (1, Money(70, "USD"))}
    assert (price.n, price.without_amount) == (3, 1)


def test_a_deal_that_was_opened_again_is_open_and_counts_by_its_last_closing_alone():
    body = [deal(0, lost_for(5, "price"), reopened(6), lost_for(9, "timing"))]
    assert told(reasons(body, as_of=day(7))) == []
    assert told(reasons(body, as_of=day(5))) == [("lost", "price", 1)]
    assert told(reasons(body, as_of=day(9))) == [("lost", "timing", 1)]


def test_the_final_amount_is_the_one_at_the_instant():
    body = [deal(0, lost_for(5, "price"), worth(8, euros(7)), amount=euros(3))]
    assert reasons(body, as_of=day(6))[0].amounts.total() == euros(3)
    assert reasons(body, as_of=day(9))[0].amounts.total() == euros(7)


def test_stages_are_told_apart_if_asked_for():
    found = reasons(BODY, as_of=day(20), by_stage=True)
    assert [(each.reason, each.stage, each.n) for each in found] == [
        ("service", "offer", 1), ("price", "talk", 2), ("price", "offer", 1),
        ("timing", "offer", 1), (None, "talk", 1),
    ]  # fmt: skip
    assert found[1].share == Rate.of(2, 5)
    assert {each.pipeline for each in found} == {"board"}
    assert {each.stage for each in reasons(BODY, as_of=day(20))} == {None}


@pytest.mark.parametrize(
    ("steps", "stage"),
    [
        ([lost_for(5, "x", left="offer")], ("board", "offer")),
        ([lost_for(5, "x", left="offer", pipeline_left="lean")], ("lean", "offer")),
        ([moved(2, "offer"), lost(5)], ("board", "offer")),
        ([moved(2, "offer"), lost(5), moved(7, "silent")], ("board", "offer")),
        ([moved(2, "offer"), won(4), lost(5)], ("board", "signed")),
        ([given_to(2, "bob"), lost(5)], ("board", "talk")),
    ],
)
def test_the_stage_closed_from_is_the_one_said_or_else_the_one_before(steps, stage):
    rows = closings([deal(0, *steps)], as_of=day(20)).rows
    assert [row.stage for row in rows] == [stage]


def test_a_deal_closed_from_the_start_has_no_stage_and_no_reason():
    body = [deal(0, stage="signed", outcome=Outcome.WON)]
    found = reasons(body, as_of=day(3), by_stage=True)
    assert [(each.outcome, each.reason, each.pipeline, each.stage, each.n) for each in found] == [
        (Outcome.WON, None, None, None, 1)
    ]


def test_a_retired_stage_counts_for_its_successor():
    body = [deal(0, lost_for(5, "x", "call")), deal(0, lost_for(5, "x"))]
    known = reasons(body, as_of=day(9), by_stage=True, pipelines=[BOARD])
    assert [(each.stage, each.n) for each in known] == [("talk", 2)]
    unknown = reasons(body, as_of=day(9), by_stage=True)
    assert [(each.stage, each.n) for each in unknown] == [("call", 1), ("talk", 1)]


def test_a_period_selects_by_the_closing():
    found = reasons(BODY, as_of=day(20), period=days(5, 7))
    assert told(found) == [("won", "service", 1), ("lost", "price", 2)]
    assert found.period == days(5, 7)


def test_groups_are_of_the_closing():
    body = [deal(0, given_to(2, "bob"), lost_for(3, "x"), given_to(5, "eve"), owner="ada")]
    assert list(reasons(body, as_of=day(9), by="owner")) == ["bob"]


def test_tallies_of_closings_add_and_give_the_same():
    one, two = (closings(BODY[part::2], as_of=day(20), periods=[days(5, 7)]) for part in (0, 1))
    whole = one + two
    assert whole.n == 6
    assert reasons(whole, by_stage=True) == reasons(BODY, as_of=day(20), by_stage=True)
    assert told(reasons(whole, period=days(5, 7)))[1] == ("lost", "price", 2)
    assert whole.rows[Closing(None, 0, Outcome.LOST, "price", ("board", "talk"), "EUR")].n == 1
    with pytest.raises(UnknownKeyError):
        reasons(whole, period=days(5, 8))
    with pytest.raises(InvalidValueError, match="needs closings"):
        reasons(lifetimes(BODY, as_of=day(20)))


def test_nothing_closed_gives_nothing():
    assert reasons([], as_of=day(1)) == ()
    assert reasons([deal(0)], as_of=day(1)).to_dicts() == []


def test_rows_have_the_counts_and_the_sums():
    rows = reasons(BODY, as_of=day(20)).to_dicts()
    assert (rows[1]["outcome"], rows[1]["reason"], rows[1]["share"]) == ("lost", "price", 0.6)
    assert rows[1]["amounts_USD"] == 70
    assert rows[0]["amounts_USD"] is None


def test_strange_input_is_refused_at_every_door():
    check_door(
        lambda value: reasons(value, as_of=day(1)),
        takes=lambda value: (
            type(value) in (bytes, bytearray, tuple, list, dict, set, range) and not value
        ),
    )
    check_door(lambda value: reasons(BODY, as_of=value))
    check_door(lambda value: reasons(BODY, as_of=day(1), level=value))
    check_door(lambda value: reasons(BODY, as_of=day(1), by=value), takes=lambda v: v is None)
    check_door(lambda value: reasons(BODY, as_of=day(1), period=value), takes=lambda v: v is None)
    check_door(
        lambda value: reasons(BODY, as_of=day(1), by_stage=value),
        takes=lambda value: isinstance(value, bool),
    )
