from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import attrs
import pytest

from contracts import check_door, check_value
from record_strategies import BOARD, LEAN, START, STRICT
from salespipeline.attributes import Attributes
from salespipeline.conditions import present
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, NaiveTimeError, UnknownKeyError, WrongTypeError
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    ConcessionMade,
    ContactLinked,
    ContactUnlinked,
    ForecastCategory,
    ForecastCategorySet,
    Lost,
    Moved,
    NextStep,
    Opened,
    Probability,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    SaleType,
    Start,
    Term,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.money import Money
from salespipeline.pipelines import SIX_STAGES, Outcome, Pipeline, Stage
from salespipeline.rules import Code, DeniedError, Result, Rule, Rulebook

DAY = timedelta(days=1)
NINE, TEN = Money(9, "EUR"), Money(10, "EUR")
NEXT = {"at": START + DAY, "by": "ada"}
LATER = {"at": START + 2 * DAY, "by": "bob"}
LAST = {"at": START + 3 * DAY, "by": "bob"}
NAIVE = datetime(2026, 1, 2)  # noqa: DTZ001 - the naive instant is the point
TERM = Term(date(2026, 1, 1), date(2027, 1, 1), Money(1200, "EUR"))


def opened(pipeline=BOARD, **more):
    return Deal.open("d-1", at=START, by="ada", pipeline=pipeline, **more)[0]


def codes(decision):
    return [denial.code for denial in decision.denials]


def is_text(value):
    return isinstance(value, str) and value != ""


def is_text_or_none(value):
    return value is None or is_text(value)


def is_none(value):
    return value is None


# The value

FULL = {
    "id": "d-1",
    "version": 9,
    "pipeline": "board",
    "stage": "signed",
    "stage_since": START,
    "changed_at": START + DAY,
    "opened_at": START,
    "outcome": Outcome.WON,
    "closed_at": START,
    "closed_from": "offer",
    "reason": "price",
    "title": "40 seats",
    "amount": NINE,
    "account": "a-1",
    "contacts": ("c-1",),
    "owner": "bob",
    "source": "fair",
    "sale_type": SaleType.RENEWAL,
    "expected_close": date(2026, 3, 1),
    "forecast_category": ForecastCategory.COMMIT,
    "probability": Probability(Decimal("0.4"), ProbabilityBasis.STICKY),
    "term": TERM,
    "renews": "d-0",
    "next_step": NextStep("call"),
    "approvals": frozenset({"legal"}),
    "verdict": "fit",
    "attributes": Attributes({"seats": 4}),
}
EMPTY = dict.fromkeys(FULL) | {
    "id": "d-2",
    "version": 1,
    "pipeline": "lean",
    "stage": "talk",
    "stage_since": START + DAY,
    "changed_at": START,
    "opened_at": START + DAY,
    "outcome": Outcome.OPEN,
    "contacts": (),
    "approvals": frozenset(),
    "attributes": Attributes(),
}


def test_a_deal_is_a_value_of_all_its_fields():
    deal = Deal(**FULL)
    others = [attrs.evolve(deal, **{name: EMPTY[name]}) for name in FULL]
    check_value(deal, Deal(**FULL), *others)


def test_a_deal_made_by_commands_is_a_value_like_one_written_out():
    deal, _ = opened(amount=NINE).move("offer", **NEXT, pipeline=BOARD)
    written = Deal(
        **EMPTY
        | {
            "id": "d-1",
            "version": 2,
            "pipeline": "board",
            "stage": "offer",
            "changed_at": START + DAY,
            "opened_at": START,
            "amount": NINE,
        }
    )
    check_value(deal, written, opened(amount=NINE))
    assert repr(deal) == repr(written)
    assert type(deal) is Deal
    assert not hasattr(deal, "__dict__")


def test_a_probability_is_a_value():
    check_value(
        Probability(Decimal("0.4"), ProbabilityBasis.MODEL),
        Probability(Decimal("0.40"), ProbabilityBasis.MODEL),
        Probability(Decimal("0.5"), ProbabilityBasis.MODEL),
        Probability(Decimal("0.4"), ProbabilityBasis.STICKY),
    )


# Opening


def test_a_new_deal_holds_what_it_was_opened_with_and_nothing_else():
    plain = {"title": "40 seats", "account": "a-1", "owner": "bob", "source": "fair"}
    given = plain | {"amount": NINE, "expected_close": date(2026, 3, 1), "term": TERM}
    deal, event = Deal.open(
        "d-1", at=START, by="ada", role="sales", pipeline=BOARD, contacts=["c-2", "c-1", "c-2"],
        sale_type="renewal", renews="d-0", attributes={"seats": 4}, **given,
    )  # fmt: skip
    facts = given | {
        "contacts": ("c-2", "c-1"),
        "sale_type": SaleType.RENEWAL,
        "renews": "d-0",
        "attributes": Attributes({"seats": 4}),
    }
    assert event == Opened(
        record="d-1", sequence=1, at=START, by="ada", role="sales", pipeline="board",
        stage="talk", ruling=BOARD.rulebook.ruling, **facts,
    )  # fmt: skip
    began = {"id": "d-1", "pipeline": "board", "stage_since": START, "opened_at": START}
    assert deal == Deal(**EMPTY | facts | began)


def test_a_deal_begins_in_the_first_stage_unless_told_and_a_retired_key_will_do():
    assert opened().stage == "talk"
    assert opened(stage="offer").stage == "offer"
    assert opened(stage="call").stage == "talk"


def test_a_deal_opened_in_a_won_stage_is_won():
    deal = opened(stage="signed")
    assert (deal.outcome, deal.closed_at, deal.closed_from) == (Outcome.WON, START, None)


def test_a_deal_may_be_known_only_by_then():
    _, event = Deal.open("d-1", at=START, by="ada", pipeline=BOARD, start="by_then")
    assert event.start is Start.BY_THEN


def test_a_pipeline_says_where_its_deals_begin():
    with pytest.raises(DeniedError) as caught:
        opened(STRICT, stage="second")
    assert str(caught.value) == (
        "cannot begin deal 'd-1' in 'second': nothing begins there; allowed: 'first'"
    )
    assert caught.value.decision == STRICT.rulebook.decide(None, "second")


def test_opening_refuses_strange_facts():
    def opening(deal="d-1", **facts):
        return Deal.open(deal, **{"at": START, "by": "ada", "pipeline": BOARD} | facts)

    check_door(opening, takes=is_text)
    check_door(lambda value: opening(by=value), takes=is_text)
    for name in ("role", "title", "account", "owner", "source", "renews"):
        check_door(lambda value, name=name: opening(**{name: value}), takes=is_text_or_none)
    for name in ("at", "pipeline", "start"):
        check_door(lambda value, name=name: opening(**{name: value}))
    for name in ("stage", "amount", "sale_type", "expected_close", "term"):
        check_door(lambda value, name=name: opening(**{name: value}), takes=is_none)
    check_door(
        lambda value: opening(attributes=value), takes=lambda value: value is None or value == {}
    )
    check_door(
        lambda value: opening(contacts=value),
        takes=lambda value: value in ((), [], {}, set()) or isinstance(value, dict),
    )
    with pytest.raises(NaiveTimeError):
        opening(at=NAIVE)
    with pytest.raises(WrongTypeError, match=r"^'amount' must be a Money \(got 9.5\)$"):
        opening(amount=9.5)


# Moving


def test_a_move_is_from_stage_to_stage():
    deal, event = opened().move("offer", role="sales", pipeline=BOARD, **NEXT)
    assert event == Moved(
        record="d-1", sequence=2, pipeline="board", stage="offer", pipeline_left="board",
        stage_left="talk", role="sales", ruling=BOARD.rulebook.ruling, **NEXT,
    )  # fmt: skip
    assert (deal.stage, deal.stage_since, deal.outcome) == ("offer", START + DAY, Outcome.OPEN)


def test_moving_into_a_won_stage_is_winning():
    deal, event = opened().move("signed", reason="price", amount=TEN, pipeline=BOARD, **NEXT)
    assert type(event) is Won
    assert (event.stage_left, event.stage) == ("talk", "signed")
    assert (event.reason, event.amount) == ("price", TEN)
    assert (deal.outcome, deal.closed_at) == (Outcome.WON, START + DAY)
    assert (deal.closed_from, deal.reason, deal.amount) == ("talk", "price", TEN)


def test_a_deal_may_be_won_for_nothing():
    deal, _ = opened(amount=NINE).win(amount=Money(0, "EUR"), pipeline=BOARD, **NEXT)
    assert deal.amount == Money(0, "EUR")


def test_moving_into_a_lost_stage_is_losing():
    deal, event = opened(amount=NINE).move("gone", pipeline=BOARD, **NEXT)
    assert type(event) is Lost
    assert (deal.outcome, deal.closed_from, deal.amount) == (Outcome.LOST, "talk", NINE)


@pytest.mark.parametrize(
    ("method", "stage", "kind"), [("win", "signed", Won), ("lose", "gone", Lost)]
)
def test_winning_and_losing_go_to_the_first_stage_of_that_outcome(method, stage, kind):
    deal, event = getattr(opened(), method)(pipeline=BOARD, **NEXT)
    assert (type(event), deal.stage) == (kind, stage)


@pytest.mark.parametrize(
    ("method", "stage", "kind"), [("win", "kept", Won), ("lose", "silent", Lost)]
)
def test_winning_and_losing_go_to_the_stage_given(method, stage, kind):
    deal, event = getattr(opened(), method)(stage=stage, reason="fit", pipeline=BOARD, **NEXT)
    assert (type(event), deal.stage, deal.reason) == (kind, stage, "fit")


def test_a_pipeline_without_closing_stages_has_implicit_ones():
    assert opened(LEAN).win(pipeline=LEAN, **NEXT)[0].stage == "won"
    assert opened(LEAN).lose(pipeline=LEAN, **NEXT)[0].stage == "lost"


@pytest.mark.parametrize(
    ("method", "stage"), [("win", "gone"), ("win", "talk"), ("lose", "kept"), ("reopen", "kept")]
)
def test_a_stage_of_another_outcome_is_refused(method, stage):
    deal = opened(stage="silent")
    with pytest.raises(InvalidValueError, match=f"^stage: '{stage}' of pipeline 'board' is not of"):
        getattr(deal, method)(stage=stage, pipeline=BOARD, **NEXT)


def test_a_move_between_won_stages_keeps_outcome_and_closing():
    won, _ = opened().win(pipeline=BOARD, reason="fit", **NEXT)
    deal, event = won.move("kept", pipeline=BOARD, **LATER)
    assert type(event) is Moved
    assert (deal.stage, deal.stage_since) == ("kept", START + 2 * DAY)
    assert (deal.outcome, deal.closed_at) == (Outcome.WON, START + DAY)
    assert (deal.closed_from, deal.reason) == ("talk", "fit")


def test_from_won_to_lost_is_a_new_outcome():
    won, _ = opened().win(pipeline=BOARD, reason="fit", amount=TEN, **NEXT)
    deal, event = won.lose(pipeline=BOARD, **LATER)
    assert type(event) is Lost
    assert (deal.outcome, deal.closed_at) == (Outcome.LOST, START + 2 * DAY)
    assert (deal.closed_from, deal.reason, deal.amount) == ("signed", None, TEN)


def test_reopening_clears_the_outcome_and_its_date():
    lost, _ = opened(stage="offer").lose(reason="price", pipeline=BOARD, **NEXT)
    deal, event = lost.reopen(pipeline=BOARD, **LATER)
    assert type(event) is Reopened
    assert (deal.outcome, deal.closed_at) == (Outcome.OPEN, None)
    assert (deal.closed_from, deal.reason) == (None, None)
    assert (deal.stage, deal.stage_since) == ("offer", START + 2 * DAY)
    assert deal.opened_at == START


def test_moving_a_closed_deal_into_an_open_stage_is_reopening():
    deal, event = opened(stage="gone").move("hold", pipeline=BOARD, **NEXT)
    assert type(event) is Reopened
    assert deal.outcome is Outcome.OPEN


def test_reopening_goes_to_the_open_stage_given():
    lost, _ = opened(stage="offer").lose(pipeline=BOARD, **NEXT)
    assert lost.reopen(stage="hold", pipeline=BOARD, **LATER)[0].stage == "hold"
    assert lost.reopen(stage="call", pipeline=BOARD, **LATER)[0].stage == "talk"


def test_reopening_goes_to_the_first_open_stage_where_the_deal_was_closed_from_no_open_one():
    assert opened(stage="gone").reopen(pipeline=BOARD, **NEXT)[0].stage == "talk"
    won_then_lost = opened().win(pipeline=BOARD, **NEXT)[0].lose(pipeline=BOARD, **LATER)[0]
    assert won_then_lost.closed_from == "signed"
    assert won_then_lost.reopen(pipeline=BOARD, **LAST)[0].stage == "talk"
    elsewhere, _ = opened(stage="hold").lose(pipeline=BOARD, **NEXT)
    assert elsewhere.reopen(pipeline=LEAN, **LATER)[0].stage == "offer"


def test_a_deal_that_is_not_closed_cannot_be_reopened():
    with pytest.raises(DeniedError) as caught:
        opened().reopen(stage="offer", pipeline=BOARD, **NEXT)
    decision = caught.value.decision
    assert codes(decision) == [Code.NOT_CLOSED]
    assert (decision.denials[0].actual, decision.denials[0].expected) == ("open", ("won", "lost"))
    assert str(caught.value).startswith(
        "cannot move deal 'd-1' from 'talk' to 'offer': it is not closed"
    )
    with pytest.raises(DeniedError) as caught:
        opened().reopen(pipeline=BOARD, at=START - DAY, by="ada")
    assert codes(caught.value.decision) == [
        Code.ALREADY_THERE, Code.BEFORE_LAST_EVENT, Code.NOT_CLOSED,
    ]  # fmt: skip


def test_a_move_to_the_stage_it_is_in_is_denied_as_a_command():
    decision = opened().decide("talk", pipeline=BOARD)
    assert codes(decision) == [Code.ALREADY_THERE]
    with pytest.raises(DeniedError) as caught:
        opened().move("call", pipeline=BOARD, **NEXT)
    assert caught.value.decision == decision


def test_a_recorded_move_to_the_stage_it_is_in_changes_neither_visit_nor_approvals():
    deal, _ = opened().approve("legal", **NEXT)
    again = Moved(record="d-1", sequence=3, at=START + 2 * DAY, pipeline="board", stage="talk")
    after = Deal.replay([again], deal)
    assert after == attrs.evolve(deal, version=3, changed_at=START + 2 * DAY)


def test_a_move_to_the_same_key_of_another_pipeline_is_a_new_visit():
    deal, event = opened(stage="offer").move("offer", pipeline=LEAN, **NEXT)
    assert (deal.pipeline, deal.stage_since) == ("lean", START + DAY)
    assert (event.pipeline_left, event.pipeline) == ("board", "lean")


def test_a_deal_that_changes_its_pipeline_begins_anew_in_it():
    deal = opened()
    assert deal.decide("first", pipeline=STRICT)
    assert codes(deal.decide("second", pipeline=STRICT)) == [Code.NOT_A_CREATION_STATE]
    moved, event = deal.move("first", pipeline=STRICT, **NEXT)
    assert (moved.pipeline, moved.stage) == ("strict", "first")
    assert event.ruling == STRICT.rulebook.ruling


def test_a_closed_deal_that_changes_its_pipeline_is_open_again():
    deal, event = opened(stage="gone").move("offer", pipeline=LEAN, **NEXT)
    assert type(event) is Reopened
    assert deal.outcome is Outcome.OPEN


def test_every_reason_against_a_move_is_given_at_once():
    won, _ = opened(STRICT).move("second", pipeline=STRICT, **NEXT)[0].win(pipeline=STRICT, **NEXT)
    decision = won.decide("first", pipeline=STRICT, at=START)
    assert decision.result is Result.DENIED
    assert codes(decision) == [Code.FINAL, Code.BEFORE_LAST_EVENT]
    unknown = won.decide("nowhere", pipeline=STRICT)
    assert (unknown.result, codes(unknown)) == (Result.NO_SUCH_MOVE, [Code.UNKNOWN_STATE])


def test_the_options_are_a_decision_for_each_stage_closing_ones_included():
    options = opened(STRICT).options(pipeline=STRICT)
    assert [option.target for option in options] == ["first", "second", "won", "lost"]
    assert [option.target for option in options if option] == ["second", "lost"]
    assert not any(opened(STRICT).options(pipeline=STRICT, at=START - DAY))


def test_a_reason_or_an_amount_goes_with_closing_only():
    with pytest.raises(InvalidValueError) as caught:
        opened().move("offer", pipeline=BOARD, reason="price", amount=Money(0, "EUR"), **NEXT)
    assert caught.value.faults == (
        "reason given, and the move closes nothing",
        "amount given, and the move closes nothing",
    )
    with pytest.raises(InvalidValueError, match=r"^move: amount given"):
        opened(stage="gone").move("offer", pipeline=BOARD, amount=NINE, **NEXT)


def test_moving_refuses_strange_facts():
    deal, lost = opened(), opened(stage="gone")
    check_door(lambda value: deal.move(value, pipeline=BOARD, **NEXT))
    check_door(lambda value: deal.decide(value, pipeline=BOARD), takes=is_text)
    check_door(lambda value: deal.decide("offer", pipeline=BOARD, at=value), takes=is_none)
    check_door(lambda value: deal.decide("offer", pipeline=value))
    check_door(lambda value: deal.options(pipeline=value))
    check_door(lambda value: deal.move("offer", pipeline=BOARD, at=value, by="ada"))
    check_door(lambda value: deal.move("offer", pipeline=BOARD, at=START, by=value), takes=is_text)
    closing = {"reason": is_text_or_none, "amount": is_none, "role": is_text_or_none}
    for command in (deal.win, deal.lose):
        check_door(lambda value, command=command: command(pipeline=value, **NEXT))
        check_door(lambda value, command=command: command(pipeline=value, stage="signed", **NEXT))
        for name, takes in (*closing.items(), ("stage", is_none)):
            check_door(
                lambda value, command=command, name=name: command(
                    pipeline=BOARD, **NEXT, **{name: value}
                ),
                takes=takes,
            )
    check_door(lambda value: lost.reopen(pipeline=value, **NEXT))
    check_door(lambda value: lost.reopen(pipeline=BOARD, stage=value, **NEXT), takes=is_none)


def test_a_stage_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(UnknownKeyError) as caught:
        opened().win(stage="nowhere", pipeline=STRICT, **NEXT)
    assert caught.value.known == ("first", "second", "won", "lost")


def test_leaving_a_stage_consumes_its_approvals():
    approved, _ = opened().approve("legal", **NEXT)
    assert approved.change_amount(NINE, **NEXT)[0].approvals == {"legal"}
    assert approved.move("offer", pipeline=BOARD, **NEXT)[0].approvals == frozenset()
    assert approved.win(pipeline=BOARD, **NEXT)[0].approvals == frozenset()


# What a deal is worth


def test_the_amount_changes_with_a_reason_or_goes():
    deal, event = opened(amount=NINE).change_amount(TEN, reason="two more seats", **NEXT)
    assert deal.amount == TEN
    assert event == AmountChanged(
        record="d-1", sequence=2, amount=TEN, reason="two more seats", **NEXT
    )
    assert deal.change_amount(None, **LATER)[0].amount is None


def test_a_concession_is_noted_and_changes_no_amount():
    deal, event = opened(amount=TEN).concede("discount", value=NINE, **NEXT)
    assert deal.amount == TEN
    assert event == ConcessionMade(record="d-1", sequence=2, what="discount", value=NINE, **NEXT)


def test_the_expected_date_changes_or_goes():
    deal, event = opened().expect_close(date(2026, 3, 1), **NEXT)
    assert deal.expected_close == date(2026, 3, 1)
    assert event == CloseDateChanged(
        record="d-1", sequence=2, expected_close=date(2026, 3, 1), **NEXT
    )
    assert deal.expect_close(None, **LATER)[0].expected_close is None


def test_a_forecast_category_is_given_and_taken_back():
    deal, event = opened().set_forecast_category("commit", **NEXT)
    assert deal.forecast_category is ForecastCategory.COMMIT
    assert event == ForecastCategorySet(
        record="d-1", sequence=2, category=ForecastCategory.COMMIT, **NEXT
    )
    assert deal.set_forecast_category(None, **LATER)[0].forecast_category is None


@pytest.mark.parametrize(
    ("basis", "kept"), [("until_move", False), ("sticky", True), ("model", True)]
)
def test_a_probability_holds_until_the_next_move_or_is_sticky(basis, kept):
    deal, event = opened().set_probability("0.4", basis=basis, **NEXT)
    given = Probability(Decimal("0.4"), ProbabilityBasis(basis))
    assert deal.probability == given
    assert event == ProbabilitySet(
        record="d-1", sequence=2, probability=Decimal("0.4"), basis=given.basis, **NEXT
    )
    moved, _ = deal.move("offer", pipeline=BOARD, **LATER)
    assert moved.probability == (given if kept else None)
    assert moved.set_probability(None, **LATER)[0].probability is None


def test_a_move_within_the_stage_keeps_the_probability():
    deal, _ = opened().set_probability("0.4", **NEXT)
    again = Moved(record="d-1", sequence=3, at=START + 2 * DAY, pipeline="board", stage="talk")
    assert Deal.replay([again], deal).probability == deal.probability


def test_the_probability_of_a_stage_is_not_set_on_a_deal():
    with pytest.raises(InvalidValueError, match=r"^basis: a pipeline states the probability"):
        opened().set_probability("0.4", basis="stage", **NEXT)


def test_contacts_take_part_once_and_leave():
    deal, event = opened(contacts=["c-1"]).link_contact("c-2", **NEXT)
    assert event == ContactLinked(record="d-1", sequence=2, contact="c-2", **NEXT)
    assert deal.contacts == ("c-1", "c-2")
    again, _ = deal.link_contact("c-1", **NEXT)
    assert again.contacts == ("c-1", "c-2")
    left, event = again.unlink_contact("c-1", **NEXT)
    assert event == ContactUnlinked(record="d-1", sequence=4, contact="c-1", **NEXT)
    assert left.contacts == ("c-2",)


def test_figures_refuse_strange_facts():
    deal = opened()
    check_door(lambda value: deal.change_amount(value, **NEXT), takes=is_none)
    check_door(lambda value: deal.change_amount(NINE, reason=value, **NEXT), takes=is_text_or_none)
    check_door(lambda value: deal.concede(value, **NEXT), takes=is_text)
    check_door(lambda value: deal.concede("discount", value=value, **NEXT), takes=is_none)
    check_door(lambda value: deal.expect_close(value, **NEXT), takes=is_none)
    check_door(
        lambda value: deal.set_probability(value, **NEXT),
        takes=lambda value: value is None or (type(value) is int and value == 0),
    )
    check_door(lambda value: deal.set_probability("0.4", basis=value, **NEXT))
    check_door(lambda value: deal.set_forecast_category(value, **NEXT), takes=is_none)
    check_door(lambda value: deal.link_contact(value, **NEXT), takes=is_text)
    check_door(lambda value: deal.unlink_contact(value, **NEXT), takes=is_text)
    with pytest.raises(WrongTypeError, match="'on' must be a date without a time"):
        deal.expect_close(START, **NEXT)


@pytest.mark.parametrize("wrong", [9.5, Decimal("9.5"), 9, "9.50 EUR"])
def test_an_amount_is_money_and_nothing_else(wrong):
    for command in (
        lambda: opened(amount=wrong),
        lambda: opened().change_amount(wrong, **NEXT),
        lambda: opened().concede("discount", value=wrong, **NEXT),
        lambda: opened().win(amount=wrong, pipeline=BOARD, **NEXT),
        lambda: opened().move("gone", amount=wrong, pipeline=BOARD, **NEXT),
    ):
        with pytest.raises(WrongTypeError, match="must be a Money"):
            command()


# Fields

SETTING = {
    "id": lambda _: Deal.open("d-9", at=START, by="ada", pipeline=BOARD),
    "version": lambda deal: deal.change_owner("eve", **NEXT),
    "pipeline": lambda deal: deal.move("trial", pipeline=LEAN, **NEXT),
    "stage": lambda deal: deal.move("offer", pipeline=BOARD, **NEXT),
    "stage_since": lambda deal: deal.move("offer", pipeline=BOARD, **NEXT),
    "changed_at": lambda deal: deal.change_owner("eve", **NEXT),
    "opened_at": lambda _: Deal.open("d-1", at=START - DAY, by="ada", pipeline=BOARD),
    "outcome": lambda deal: deal.win(pipeline=BOARD, **NEXT),
    "closed_at": lambda deal: deal.win(pipeline=BOARD, **NEXT),
    "closed_from": lambda deal: deal.win(pipeline=BOARD, **NEXT),
    "reason": lambda deal: deal.lose(pipeline=BOARD, reason="price", **NEXT),
    "title": lambda deal: deal.set_field("title", "40 seats", **NEXT),
    "amount": lambda deal: deal.change_amount(NINE, **NEXT),
    "account": lambda deal: deal.set_field("account", "a-1", **NEXT),
    "contacts": lambda deal: deal.link_contact("c-1", **NEXT),
    "owner": lambda deal: deal.change_owner("bob", **NEXT),
    "source": lambda deal: deal.set_field("source", "fair", **NEXT),
    "sale_type": lambda deal: deal.set_field("sale_type", "renewal", **NEXT),
    "expected_close": lambda deal: deal.expect_close(date(2026, 3, 1), **NEXT),
    "forecast_category": lambda deal: deal.set_forecast_category("commit", **NEXT),
    "probability": lambda deal: deal.set_probability("0.4", basis="sticky", **NEXT),
    "term": lambda deal: deal.set_field("term", TERM, **NEXT),
    "renews": lambda deal: deal.set_field("renews", "d-0", **NEXT),
    "next_step": lambda deal: deal.plan_next_step("call", **NEXT),
    "approvals": lambda deal: deal.approve("legal", **NEXT),
    "verdict": lambda deal: deal.assess("bant", "need", "met", verdict="fit", **NEXT),
    "attributes": lambda deal: deal.set_field("attributes.seats", 4, **NEXT),
}
HELD = {
    "id": "d-9",
    "version": 2,
    "pipeline": "lean",
    "stage": "offer",
    "stage_since": START + DAY,
    "changed_at": START + DAY,
    "opened_at": START - DAY,
    "closed_at": START + DAY,
    "closed_from": "talk",
}


def test_every_field_of_a_deal_has_a_command_that_sets_it():
    assert tuple(SETTING) == Deal.names() == tuple(FULL)


@pytest.mark.parametrize("field", SETTING)
def test_a_field_is_set_by_its_command_and_its_event(field):
    deal, opening = Deal.open("d-1", at=START, by="ada", pipeline=BOARD)
    after, event = SETTING[field](deal)
    expected = HELD.get(field, FULL[field])
    assert getattr(deal, field) != expected
    assert getattr(after, field) == expected
    events = [event] if isinstance(event, Opened) else [opening, event]
    assert DealHistory(events).latest == after


@pytest.mark.parametrize("field", ["title", "account", "source", "renews"])
def test_a_plain_field_is_text_or_none(field):
    deal = opened(**{field: "before"})
    assert getattr(deal.set_field(field, None, **NEXT)[0], field) is None
    check_door(lambda value: deal.set_field(field, value, **NEXT), takes=is_text_or_none)


@pytest.mark.parametrize("field", ["sale_type", "term"])
def test_a_field_of_another_type_takes_that_or_none(field):
    deal = opened(sale_type="upsell", term=TERM)
    assert getattr(deal.set_field(field, None, **NEXT)[0], field) is None
    check_door(lambda value: deal.set_field(field, value, **NEXT), takes=is_none)


def test_the_subject_of_a_message_is_the_kind_and_the_id():
    assert opened().subject == "deal 'd-1'"


def test_winning_a_won_deal_again_is_denied_and_moves_it_nowhere():
    deal, _ = opened(SIX_STAGES).win(
        at=NEXT["at"], by="ada", pipeline=SIX_STAGES, stage="retention"
    )
    with pytest.raises(DeniedError) as caught:
        deal.win(at=NEXT["at"], by="ada", pipeline=SIX_STAGES)
    assert [denial.code for denial in caught.value.decision.denials] == ["already_there"]


def test_an_event_holds_plain_keys_whatever_the_rulebook_is_made_of():
    class Key(StrEnum):
        TALK = "talk"
        WON = "won"
        LOST = "lost"

    pipeline = Pipeline("own", [Stage("talk")], rulebook=Rulebook.free("own", Key))
    deal, _ = Deal.open("d-1", at=START, by="ada", pipeline=pipeline)
    deal, event = deal.move("won", at=START, by="ada", pipeline=pipeline)
    assert [type(key) for key in (deal.stage, event.stage)] == [str, str]


def test_a_move_that_keeps_the_outcome_is_judged_by_the_deal_as_it_is():
    reasoned = [Rule("reasoned", present("reason"), targets=["kept"])]
    pipeline = attrs.evolve(
        BOARD, rulebook=attrs.evolve(BOARD.rulebook, rules=tuple(reasoned), schema=Deal)
    )
    deal, _ = Deal.open("d-1", at=START, by="ada", pipeline=pipeline)
    won, _ = deal.win(at=START, by="ada", pipeline=pipeline, stage="signed", reason="best price")
    kept, event = won.move("kept", at=START, by="ada", pipeline=pipeline)
    assert (type(event), kept.reason) == (Moved, "best price")
    plain, _ = deal.win(at=START, by="ada", pipeline=pipeline, stage="signed")
    assert [denial.rule for denial in plain.decide("kept", pipeline=pipeline).denials] == [
        "reasoned"
    ]


def test_a_move_names_all_that_is_wrong_with_its_arguments():
    deal, _ = Deal.open("d-1", at=START, by="ada", pipeline=SIX_STAGES)
    with pytest.raises(InvalidValueError) as caught:
        deal.win(at="soon", by="", pipeline=SIX_STAGES, reason=5, amount=3)
    for name in ("'at'", "'by'", "'reason'", "'amount'"):
        assert name in str(caught.value)
    with pytest.raises(WrongTypeError, match="'override' must be an Override"):
        deal.move("meeting", at=START, by="ada", pipeline=SIX_STAGES, override=5)
