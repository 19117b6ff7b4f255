"""The usual rules of a pipeline, asked through the commands of a deal; what its lint finds."""

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts import check_door
from salespipeline.conditions import absent, all_of, any_of, at_least, named, one_of, present
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import Lost, Moved, Reopened, Won
from salespipeline.money import Money
from salespipeline.pipelines import (
    HUBSPOT_DEFAULT,
    SALESFORCE_DEFAULT,
    SEVEN_STAGES,
    SIX_STAGES,
    Pipeline,
    Stage,
)
from salespipeline.rules import DeniedError, Grant, Odd, Override, Rule, Rulebook

BOARD = Pipeline(
    "board",
    [
        Stage("talk"),
        Stage("offer"),
        Stage("terms"),
        Stage("hold", parked=True),
        Stage("signed", outcome="won"),
        Stage("renewed", outcome="won"),
        Stage("gone", outcome="lost"),
        Stage("silent", outcome="lost"),
    ],
)
READY_MADE = (SEVEN_STAGES, SIX_STAGES, HUBSPOT_DEFAULT, SALESFORCE_DEFAULT)
STRICT = {
    "skips": False,
    "backward": False,
    "reopening": False,
    "required": {"talk": ["owner"], "offer": ["amount"], "hold": ["next_step"]},
    "verdicts": {"offer": "fit"},
    "approvals": {"terms": ["head"]},
    "required_to_win": ["amount", "expected_close"],
}


def day(number):
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)


def opened(pipeline, stage="talk", **facts):
    """A deal in a stage, wherever the pipeline's own rules let deals begin."""
    at_will = Pipeline(pipeline.key, pipeline.stages)
    deal, _ = Deal.open("d-1", at=day(0), by="ada", pipeline=at_will, stage=stage, **facts)
    return deal


def closed(pipeline, outcome, *, from_stage="talk"):
    at_will = Pipeline(pipeline.key, pipeline.stages)
    deal = opened(pipeline, from_stage)
    close = deal.win if outcome == "won" else deal.lose
    return close(at=day(10), by="ada", pipeline=at_will, reason="price")[0]


def why_not(command, *arguments, by="ada", at=None, **facts):
    """The rules and codes against a command, and the message of its denial."""
    with pytest.raises(DeniedError) as caught:
        command(*arguments, at=at or day(20), by=by, **facts)
    denials = caught.value.decision.denials
    return [(denial.rule, str(denial.code)) for denial in denials], str(caught.value)


def move(deal, stage, pipeline, *, at=None, **facts):
    return deal.move(stage, at=at or day(20), by="ada", pipeline=pipeline, **facts)


# Skips


STEP = BOARD.ruled(skips=False, grants=[Grant("manager", ["no skips", "no early win"])])


def test_a_stage_may_not_be_passed_over_where_skips_are_forbidden():
    against, message = why_not(opened(STEP).move, "terms", pipeline=STEP)
    assert against == [("no skips", "forbidden")]
    assert message == (
        "cannot move deal 'd-1' from 'talk' to 'terms': no stage may be passed over; "
        "allowed: 'offer', 'hold', 'gone', 'silent'"
    )


def test_the_next_stage_may_be_entered_where_skips_are_forbidden():
    deal, event = move(opened(STEP), "offer", STEP)
    assert (deal.stage, type(event)) == ("offer", Moved)


def test_a_deal_is_won_from_the_last_open_stage_only_where_skips_are_forbidden():
    against, message = why_not(opened(STEP, "offer").win, pipeline=STEP)
    assert against == [("no early win", "forbidden")]
    assert "no stage may be passed over" in message
    assert type(opened(STEP, "terms").win(at=day(20), by="ada", pipeline=STEP)[1]) is Won


def test_each_won_stage_may_be_entered_from_the_last_open_one():
    deal, _ = opened(STEP, "terms").win(at=day(20), by="ada", pipeline=STEP, stage="renewed")
    assert deal.stage == "renewed"


def test_going_back_over_several_stages_is_no_skip():
    assert move(opened(STEP, "terms"), "talk", STEP)[0].stage == "talk"


def test_a_role_with_the_right_may_skip_and_the_event_says_so():
    override = Override("eve", "manager", "they know the product")
    _, event = move(opened(STEP), "terms", STEP, override=override)
    assert [denial.rule for denial in event.ruling.overridden] == ["no skips"]
    assert event.ruling.override == override
    deal, event = opened(STEP).win(at=day(20), by="ada", pipeline=STEP, override=override)
    assert (deal.stage, event.ruling.overridden[0].rule) == ("signed", "no early win")


def test_another_role_may_not_skip():
    override = Override("bob", "intern", "in a hurry")
    against, message = why_not(opened(STEP).move, "terms", pipeline=STEP, override=override)
    assert against == [("no skips", "forbidden"), ("board", "override_not_granted")]
    assert "'intern' may not override 'no skips'" in message


# Parked stages


def test_a_deal_may_be_parked_from_anywhere_and_taken_up_again_anywhere():
    strict = BOARD.ruled(**{**STRICT, "required": {"talk": ["owner"]}, "approvals": {}})
    parked, _ = move(opened(strict), "hold", strict)
    assert parked.stage == "hold"
    for stage in ("talk", "offer", "terms"):
        assert move(parked, stage, strict, at=day(21))[0].stage == stage


def test_a_parked_stage_is_not_passed_over():
    assert opened(STEP, "terms").win(at=day(20), by="ada", pipeline=STEP)[0].stage == "signed"


def test_a_parked_stage_may_ask_something_of_those_who_leave_it():
    pipeline = BOARD.ruled(required={"hold": ["next_step"]})
    against, _ = why_not(opened(pipeline, "hold").move, "talk", pipeline=pipeline)
    assert against == [("required to leave hold", "missing_field")]


# Moves back


ONWARD = BOARD.ruled(backward=False, grants=[Grant("manager", ["no moves back"])])


def test_an_open_deal_may_not_go_back_where_that_is_forbidden():
    against, message = why_not(opened(ONWARD, "terms").move, "talk", pipeline=ONWARD)
    assert against == [("no moves back", "forbidden")]
    assert "an open deal does not go back" in message


def test_a_closed_deal_may_be_opened_again_further_back_all_the_same():
    deal, event = closed(ONWARD, "won", from_stage="terms").reopen(
        at=day(20), by="ada", pipeline=ONWARD, stage="talk"
    )
    assert (deal.stage, type(event)) == ("talk", Reopened)


def test_a_role_with_the_right_may_go_back_and_another_may_not():
    deal = opened(ONWARD, "terms")
    override = Override("eve", "manager", "moved by mistake")
    assert move(deal, "talk", ONWARD, override=override)[1].ruling.override == override
    against, _ = why_not(
        deal.move, "talk", pipeline=ONWARD, override=Override("bob", "intern", "so what")
    )
    assert ("board", "override_not_granted") in against


# Reopening


def test_a_closed_deal_stays_closed_where_reopening_is_forbidden():
    final = BOARD.ruled(reopening=False)
    for outcome in ("won", "lost"):
        against, message = why_not(closed(final, outcome).reopen, pipeline=final)
        assert against == [("no reopening", "forbidden")]
        assert "a closed deal stays as it is" in message


def test_a_lost_deal_is_not_won_in_one_step_where_reopening_is_forbidden():
    final = BOARD.ruled(reopening=False)
    against, message = why_not(closed(final, "lost").win, pipeline=final)
    assert against == [("no win after a loss", "forbidden")]
    assert "a lost deal stays as it is; allowed: 'silent'" in message


def test_a_win_may_fall_through_and_a_closed_deal_change_its_stage_all_the_same():
    final = BOARD.ruled(reopening=False)
    won, lost = closed(final, "won"), closed(final, "lost")
    assert type(won.lose(at=day(20), by="ada", pipeline=final)[1]) is Lost
    assert type(move(won, "renewed", final)[1]) is Moved
    assert type(move(lost, "silent", final)[1]) is Moved


WHILE_FRESH = BOARD.ruled(
    reopening=timedelta(days=30), grants=[Grant("manager", ["no reopening", "no win after a loss"])]
)


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_closed_deal_may_be_opened_again_for_so_many_days(outcome):
    deal = closed(WHILE_FRESH, outcome)
    last = day(40) - timedelta(microseconds=1)
    assert type(deal.reopen(at=last, by="ada", pipeline=WHILE_FRESH)[1]) is Reopened
    against, message = why_not(deal.reopen, pipeline=WHILE_FRESH, at=day(40))
    assert against == [("no reopening", "too_late")]
    assert "a closed deal stays as it is after 30 days" in message


def test_a_lost_deal_may_be_won_for_so_many_days():
    lost = closed(WHILE_FRESH, "lost")
    assert type(lost.win(at=day(39), by="ada", pipeline=WHILE_FRESH)[1]) is Won
    against, message = why_not(lost.win, pipeline=WHILE_FRESH, at=day(40))
    assert against == [("no win after a loss", "too_late")]
    assert "a lost deal stays as it is after 30 days" in message


def test_a_role_with_the_right_may_reopen_later_and_another_may_not():
    lost = closed(WHILE_FRESH, "lost")
    override = Override("eve", "manager", "they called back")
    deal, _ = lost.reopen(at=day(90), by="ada", pipeline=WHILE_FRESH, override=override)
    assert deal.stage == "talk"
    against, _ = why_not(
        lost.reopen, pipeline=WHILE_FRESH, override=Override("bob", "intern", "x"), at=day(90)
    )
    assert ("board", "override_not_granted") in against


# Creation


NEW_ONES = BOARD.ruled(creation=["talk"], grants=[Grant("manager", ["not_a_creation_state"])])


def test_a_deal_is_opened_in_the_stages_named_only():
    at = {"at": day(0), "by": "ada", "pipeline": NEW_ONES}
    assert Deal.open("d-1", **at)[0].stage == "talk"
    with pytest.raises(DeniedError) as caught:
        Deal.open("d-1", stage="offer", **at)
    assert [denial.code for denial in caught.value.decision.denials] == ["not_a_creation_state"]
    assert str(caught.value) == (
        "cannot begin deal 'd-1' in 'offer': nothing begins there; allowed: 'talk'"
    )
    override = Override("eve", "manager", "came with a contract")
    assert Deal.open("d-1", stage="offer", override=override, **at)[0].stage == "offer"
    with pytest.raises(DeniedError, match="'intern' may not override 'not_a_creation_state'"):
        Deal.open("d-1", stage="offer", override=Override("bob", "intern", "x"), **at)


def test_a_deal_that_comes_from_another_pipeline_begins_anew():
    deal = opened(SIX_STAGES, "contact")
    against, _ = why_not(deal.move, "offer", pipeline=NEW_ONES)
    assert against == [("board", "not_a_creation_state")]
    assert move(deal, "talk", NEW_ONES)[0].pipeline == "board"


# What is required to go on


FIELDS = BOARD.ruled(
    required={"offer": ["amount", "attributes.seats"]},
    grants=[Grant("manager", ["required to leave offer"])],
    schema=Deal,
)


def test_a_deal_goes_on_with_the_required_fields_only_and_every_missing_one_is_named():
    against, message = why_not(opened(FIELDS, "offer").move, "terms", pipeline=FIELDS)
    assert against == [("required to leave offer", "missing_field")] * 2
    assert "'amount' must be present, and 'attributes.seats' must be present; allowed:" in message
    for amount, seats in ((Money(5, "EUR"), None), (None, 3)):
        deal = opened(FIELDS, "offer", amount=amount, attributes={"seats": seats})
        assert len(why_not(deal.move, "terms", pipeline=FIELDS)[0]) == 1
    deal = opened(FIELDS, "offer", amount=Money(5, "EUR"), attributes={"seats": 3})
    assert move(deal, "terms", FIELDS)[0].stage == "terms"


@pytest.mark.parametrize("stage", ["terms", "signed", "renewed"])
def test_what_is_required_to_go_on_stands_before_every_stage_further_on(stage):
    against, _ = why_not(opened(FIELDS, "offer").move, stage, pipeline=FIELDS)
    assert {rule for rule, _ in against} == {"required to leave offer"}


@pytest.mark.parametrize("stage", ["talk", "hold", "gone", "silent"])
def test_nothing_is_required_to_go_back_to_park_or_to_lose(stage):
    assert move(opened(FIELDS, "offer"), stage, FIELDS)[0].stage == stage


def test_a_role_with_the_right_goes_on_without_and_another_does_not():
    deal = opened(FIELDS, "offer")
    override = Override("eve", "manager", "the amount follows")
    _, event = move(deal, "terms", FIELDS, override=override)
    assert [denial.field for denial in event.ruling.overridden] == ["amount", "attributes.seats"]
    override = Override("bob", "intern", "so what")
    against, _ = why_not(deal.move, "terms", pipeline=FIELDS, override=override)
    assert against[-1] == ("board", "override_not_granted")


def test_the_won_stages_are_further_on_wherever_they_stand():
    odd = Pipeline("odd", [Stage("won", outcome="won"), Stage("talk"), Stage("offer")])
    pipeline = odd.ruled(required={"offer": ["amount"]}, skips=False)
    against, _ = why_not(opened(pipeline, "offer").win, pipeline=pipeline)
    assert against == [("required to leave offer", "missing_field")]
    against, _ = why_not(opened(pipeline, "talk").win, pipeline=pipeline)
    assert against == [("no early win", "forbidden")]


# A verdict, an approval


CHECKED = BOARD.ruled(
    verdicts={"talk": "fit"},
    approvals={"terms": ["head", "legal"]},
    grants=[Grant("manager", ["verdict to leave talk", "approval to enter terms"])],
)


def assessed(deal, verdict):
    at = {"at": day(1), "by": "ada"}
    return deal.assess("bant", "need", "met", verdict=verdict, **at)[0]


def test_a_deal_goes_on_with_the_verdict_asked_for_only():
    deal = opened(CHECKED)
    against, message = why_not(deal.move, "offer", pipeline=CHECKED)
    assert against == [("verdict to leave talk", "missing_field")]
    assert "'verdict' must be 'fit', and it is not known" in message
    against, message = why_not(assessed(deal, "unfit").move, "offer", pipeline=CHECKED)
    assert against == [("verdict to leave talk", "not_met")]
    assert "'verdict' must be 'fit' (it is 'unfit')" in message
    assert move(assessed(deal, "fit"), "offer", CHECKED)[0].stage == "offer"
    assert move(assessed(deal, "unfit"), "gone", CHECKED)[0].stage == "gone"


def test_a_stage_is_entered_with_every_approval_only():
    deal = opened(CHECKED, "offer")
    deal, _ = deal.approve("head", at=day(1), by="eve")
    against, message = why_not(deal.move, "terms", pipeline=CHECKED)
    assert against == [("approval to enter terms", "approval_needed")]
    assert "'legal' must approve" in message
    deal, _ = deal.approve("legal", at=day(2), by="bob")
    assert move(deal, "terms", CHECKED)[0].stage == "terms"


def test_an_approval_is_needed_again_to_come_back():
    deal = opened(CHECKED, "offer")
    for role in ("head", "legal"):
        deal, _ = deal.approve(role, at=day(1), by="eve")
    deal, _ = move(deal, "terms", CHECKED, at=day(2))
    deal, _ = move(deal, "offer", CHECKED, at=day(3))
    against, _ = why_not(deal.move, "terms", pipeline=CHECKED)
    assert against == [("approval to enter terms", "approval_needed")] * 2


def test_an_approval_is_needed_to_open_a_deal_there():
    with pytest.raises(DeniedError, match="'head' must approve, and 'legal' must approve"):
        Deal.open("d-1", at=day(0), by="ada", pipeline=CHECKED, stage="terms")


def test_verdict_and_approval_may_be_overridden_by_a_role_with_the_right_only():
    override = Override("eve", "manager", "an old friend")
    assert move(opened(CHECKED), "terms", CHECKED, override=override)[0].stage == "terms"
    against, _ = why_not(
        opened(CHECKED).move, "terms", pipeline=CHECKED, override=Override("bob", "intern", "x")
    )
    assert against[-1] == ("board", "override_not_granted")


# Closing


CLOSING = BOARD.ruled(
    reason_to_lose=True,
    required_to_win=["amount", "expected_close"],
    grants=[Grant("manager", ["reason to lose", "required to win"])],
)


def test_a_deal_is_lost_with_a_reason_only():
    deal = opened(CLOSING)
    against, message = why_not(deal.lose, pipeline=CLOSING)
    assert against == [("reason to lose", "missing_field")]
    assert "cannot move deal 'd-1' from 'talk' to 'gone': 'reason' must be present" in message
    after, _ = deal.lose(at=day(20), by="ada", pipeline=CLOSING, reason="no budget")
    assert after.reason == "no budget"


def test_a_lost_deal_goes_to_another_lost_stage_without_a_new_reason():
    assert move(closed(CLOSING, "lost"), "silent", CLOSING)[0].stage == "silent"


def test_a_won_deal_is_lost_with_a_reason_of_its_own_only():
    against, _ = why_not(closed(CLOSING, "won").lose, pipeline=CLOSING)
    assert against == [("reason to lose", "missing_field")]


def test_no_deal_is_opened_as_lost_where_losing_needs_a_reason():
    with pytest.raises(DeniedError, match="'reason' must be present"):
        Deal.open("d-1", at=day(0), by="ada", pipeline=CLOSING, stage="gone")


def test_a_deal_is_won_with_the_required_fields_only():
    against, message = why_not(opened(CLOSING).win, pipeline=CLOSING)
    assert against == [("required to win", "missing_field")] * 2
    assert "'amount' must be present, and 'expected_close' must be present" in message
    dated = opened(CLOSING, expected_close=date(2026, 4, 1))
    after, _ = dated.win(at=day(20), by="ada", pipeline=CLOSING, amount=Money(9, "EUR"))
    assert after.amount == Money(9, "EUR")


def test_a_lost_deal_is_won_with_the_required_fields_only_too():
    against, _ = why_not(closed(CLOSING, "lost").win, pipeline=CLOSING)
    assert against == [("required to win", "missing_field")] * 2


def test_a_won_deal_goes_to_another_won_stage_without_them():
    assert move(closed(CLOSING, "won"), "renewed", CLOSING)[0].stage == "renewed"


def test_closing_rules_may_be_overridden_by_a_role_with_the_right_only():
    override, other = Override("eve", "manager", "so be it"), Override("bob", "intern", "x")
    for command in (opened(CLOSING).lose, opened(CLOSING).win):
        _, event = command(at=day(20), by="ada", pipeline=CLOSING, override=override)
        assert event.ruling.override == override
        against, _ = why_not(command, pipeline=CLOSING, override=other)
        assert against[-1] == ("board", "override_not_granted")


@pytest.mark.parametrize("stage", ["talk", "offer", "terms", "hold"])
@pytest.mark.parametrize("lost", ["gone", "silent"])
def test_no_requirement_stands_in_the_way_of_losing(stage, lost):
    strict = BOARD.ruled(**STRICT)
    deal, _ = opened(strict, stage).lose(at=day(20), by="ada", pipeline=strict, stage=lost)
    assert deal.stage == lost


# Rules of one's own, and what is refused


def test_rules_and_predicates_of_one_s_own_stand_beside_the_usual_ones():
    pipeline = BOARD.ruled(
        version=3,
        skips=False,
        rules=[
            Rule("big enough", at_least("attributes.seats", 10), targets=["terms"]),
            Rule("free hands", named("is_free"), targets=["offer"]),
        ],
        predicates={"is_free": lambda facts: facts.record.owner != "eve"},
    )
    book = pipeline.rulebook
    assert (book.name, book.version) == ("board", 3)
    assert [rule.name for rule in book.rules] == [
        "no skips", "no early win", "big enough", "free hands",
    ]  # fmt: skip
    against, _ = why_not(opened(pipeline, owner="eve").move, "offer", pipeline=pipeline)
    assert against == [("free hands", "not_met")]


def test_without_options_a_ruled_pipeline_is_as_it_was():
    assert BOARD.ruled() == BOARD
    assert BOARD.ruled(**STRICT).ruled() == BOARD


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("a", []),
        ("ab", ["no early win", "no moves back"]),
        ("abc", ["no skips", "no early win", "no moves back"]),
    ],
)
def test_a_rule_that_would_bear_on_no_move_is_left_out(keys, names):
    stages = [Stage(key) for key in keys]
    for pipeline in (Pipeline("p", stages), Pipeline("p", [*stages, Stage("x", parked=True)])):
        ruled = pipeline.ruled(skips=False, backward=False, reason_to_lose=True)
        assert [rule.name for rule in ruled.rulebook.rules] == [*names, "reason to lose"]
        assert ruled.lint() == ()


def test_a_list_without_fields_or_roles_asks_nothing():
    assert BOARD.ruled(required={"talk": []}, approvals={"offer": ()}) == BOARD


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"required": {"tlk": ["amount"]}}, "'required to leave tlk' names unknown states 'tlk'"),
        ({"verdicts": {"tlk": "fit"}}, "'verdict to leave tlk' names unknown states 'tlk'"),
        ({"approvals": {"tlk": ["head"]}}, "'approval to enter tlk' names unknown states 'tlk'"),
        ({"creation": ["tlk"]}, "creation names unknown states 'tlk'"),
        ({"grants": [Grant("boss", ["nap"])]}, "'boss' is granted the unknown 'nap'"),
        ({"required": {"talk": ["amuont"]}, "schema": Deal}, "there is no field 'amuont'"),
        ({"rules": [Rule("no skips", present("amount"))], "skips": False}, "named 'no skips'"),
        ({"version": 0}, "its version must be a whole number from 1"),
    ],
)
def test_an_option_that_names_what_is_not_there_is_refused(options, fault):
    with pytest.raises(InvalidValueError, match=fault):
        BOARD.ruled(**options)


def test_every_fault_of_the_options_is_named_at_once():
    with pytest.raises(InvalidValueError) as caught:
        BOARD.ruled(required={"tlk": ["x"]}, creation=["tlk"], version=0)
    assert len(caught.value.faults) == 3


def test_one_text_is_not_taken_for_several_fields():
    for options in (
        {"required_to_win": "amount"},
        {"required": {"talk": "amount"}},
        {"approvals": {"talk": "head"}},
        {"creation": "talk"},
    ):
        with pytest.raises(WrongTypeError, match="several"):
            BOARD.ruled(**options)


def is_empty(value):
    return isinstance(value, tuple | list | dict | set | bytes | bytearray | range) and not value


def are_names(value):
    """Whether something strange is several texts, if none at all; a mapping is several keys."""
    return is_empty(value) or isinstance(value, dict)


@pytest.mark.parametrize(
    ("option", "takes"),
    [
        ("version", lambda x: type(x) is int and x > 0),
        ("skips", lambda x: type(x) is bool),
        ("backward", lambda x: type(x) is bool),
        ("reason_to_lose", lambda x: type(x) is bool),
        ("reopening", lambda x: type(x) is bool),
        ("creation", lambda x: x is None or is_empty(x)),
        ("required", lambda x: isinstance(x, dict) and not x),
        ("verdicts", lambda x: isinstance(x, dict) and not x),
        ("approvals", lambda x: isinstance(x, dict) and not x),
        ("required_to_win", are_names),
        ("rules", is_empty),
        ("grants", is_empty),
    ],
)
def test_a_strange_option_is_refused(option, takes):
    check_door(lambda value: BOARD.ruled(**{option: value}), takes=takes)


def test_a_strange_part_of_an_option_is_refused():
    check_door(lambda x: BOARD.ruled(required={"talk": x}), takes=are_names)
    check_door(lambda x: BOARD.ruled(approvals={"talk": x}), takes=are_names)
    check_door(
        lambda x: BOARD.ruled(verdicts={"talk": x}),
        takes=lambda x: isinstance(x, str) and 0 < len(x) <= 1000 and "\ud800" not in x,
    )
    for value in (None, 5, ("talk",), ""):
        with pytest.raises(WrongTypeError, match="'stage of required' must be text"):
            BOARD.ruled(required={value: ["amount"]})


# What lint finds


def codes(findings):
    return [finding.code for finding in findings]


@pytest.mark.parametrize("pipeline", READY_MADE, ids=lambda pipeline: pipeline.key)
def test_a_ready_made_pipeline_has_no_flaw_but_losing_without_a_reason(pipeline):
    [finding] = pipeline.lint()
    assert finding.code is Odd.LOST_WITHOUT_REASON
    assert finding.states == (pipeline.closing("lost"),)
    assert pipeline.ruled(reason_to_lose=True).lint() == ()


@pytest.mark.parametrize("pipeline", READY_MADE, ids=lambda pipeline: pipeline.key)
def test_the_usual_rules_make_no_flaw(pipeline):
    first, second = pipeline.keys[:2]
    careful = pipeline.ruled(
        skips=False, backward=False, reopening=timedelta(days=30), creation=[first],
        required={first: ["owner"]}, verdicts={first: "fit"}, approvals={second: ["head"]},
        reason_to_lose=True, required_to_win=["amount", "expected_close"], schema=Deal,
    )  # fmt: skip
    assert careful.lint() == ()


def explicit(moves, **facts):
    pipeline = Pipeline("p", [Stage("talk"), Stage("offer")])
    book = Rulebook.explicit("p", moves, **facts)
    return Pipeline("p", pipeline.stages, rulebook=book)


def test_a_pipeline_that_no_deal_can_win_is_found_though_one_can_be_opened_as_won():
    pipeline = explicit({"talk": ["offer", "lost"], "offer": ["lost"], "won": [], "lost": ["talk"]})
    assert codes(pipeline.lint()) == [Odd.CANNOT_WIN, Odd.LOST_WITHOUT_REASON]
    assert pipeline.lint()[0].message == "no deal can ever become won"
    assert pipeline.lint()[0].states == ("won",)


def test_to_go_from_one_won_stage_to_another_is_no_win():
    stages = [Stage("talk"), Stage("signed", outcome="won"), Stage("kept", outcome="won")]
    moves = {"talk": ["lost"], "signed": ["kept"], "kept": ["lost"], "lost": []}
    pipeline = Pipeline("p", stages, rulebook=Rulebook.explicit("p", moves))
    assert codes(pipeline.lint()) == [Odd.CANNOT_WIN, Odd.LOST_WITHOUT_REASON]
    assert pipeline.lint()[0].states == ("signed", "kept")


def test_a_pipeline_that_no_deal_can_lose_is_found():
    pipeline = explicit(
        {"talk": ["offer"], "offer": ["won"], "won": ["talk"], "lost": []}, creation=["talk"]
    )
    assert codes(pipeline.lint()) == [Odd.UNREACHABLE, Odd.CANNOT_LOSE]
    assert pipeline.lint()[1].states == ("lost",)


def test_a_win_that_no_facts_allow_is_none():
    pipeline = BOARD.ruled(
        reason_to_lose=True,
        rules=[Rule("never", all_of(any_of()), targets=["signed", "renewed"])],
        creation=["talk"],
    )
    assert Odd.CANNOT_WIN in codes(pipeline.lint())


def test_a_win_by_a_grant_only_is_one():
    pipeline = BOARD.ruled(
        reason_to_lose=True,
        rules=[Rule("never", any_of(), targets=["signed", "renewed"])],
        grants=[Grant("head", ["never"])],
        creation=["talk"],
    )
    assert pipeline.lint() == ()


def test_closed_stages_are_no_dead_ends_and_others_are():
    pipeline = explicit(
        {"talk": ["offer", "won", "lost"], "offer": [], "won": [], "lost": []}, creation=["talk"]
    )
    assert codes(pipeline.lint()) == [Odd.LOST_WITHOUT_REASON]
    free = Rulebook.free(
        "p", ["talk", "offer", "won", "lost"],
        rules=[Rule("stay", any_of(), sources=["offer"]), Rule("over", any_of(), ["won", "lost"])],
    )  # fmt: skip
    pipeline = Pipeline("p", pipeline.stages, rulebook=free)
    assert codes(pipeline.lint())[0] is Odd.DEAD_END
    assert pipeline.lint()[0].states == ("offer",)


def test_a_stage_from_which_no_way_leads_to_a_close_is_found():
    pipeline = Pipeline(
        "p",
        [Stage("talk"), Stage("offer"), Stage("limbo")],
        rulebook=Rulebook.explicit(
            "p",
            {
                "talk": ["won", "lost", "offer"], "offer": ["limbo"], "limbo": ["offer"],
                "won": [], "lost": [],
            },
        ),
    )  # fmt: skip
    assert codes(pipeline.lint()) == [Odd.NO_WAY_TO_FINAL] * 2 + [Odd.LOST_WITHOUT_REASON]


def losing(condition, **facts):
    rule = Rule("to lose", condition, targets=["gone", "silent"], **facts)
    return codes(BOARD.ruled(rules=[rule]).lint())


@pytest.mark.parametrize(
    "condition",
    [
        present("reason"),
        one_of("reason", ["price", "silence"]),
        all_of(present("owner"), present("reason")),
        any_of(one_of("reason", ["price"]), all_of(present("reason"), present("owner"))),
    ],
)
def test_whatever_can_only_be_met_with_a_reason_asks_for_one(condition):
    assert losing(condition) == []


@pytest.mark.parametrize(
    "condition",
    [
        present("owner"),
        absent("reason"),
        any_of(present("reason"), present("owner")),
        all_of(),
    ],
)
def test_whatever_can_be_met_without_a_reason_does_not(condition):
    assert Odd.LOST_WITHOUT_REASON in losing(condition)


def test_a_predicate_may_ask_for_a_reason_and_nobody_can_tell():
    rule = Rule("to lose", named("has_reason"), targets=["gone", "silent"])
    pipeline = BOARD.ruled(rules=[rule], predicates={"has_reason": lambda _: True})
    assert codes(pipeline.lint()) == [Odd.LOST_WITHOUT_REASON] * 2 + [Odd.NOT_PORTABLE]


def test_each_stage_that_can_be_lost_in_without_a_reason_is_found_once():
    found = [finding.states for finding in BOARD.lint()]
    assert found == [("gone",), ("silent",)]
    assert BOARD.lint()[0].message == "a deal can be lost in 'gone' without a reason"


def test_the_most_harmful_finding_comes_first():
    pipeline = BOARD.ruled(
        rules=[Rule("idle", present("owner"), ["gone"], ["gone"]), Rule("shut", any_of(), ["talk"])]
    )
    order = list(Odd)
    found = codes(pipeline.lint())
    assert found == sorted(found, key=order.index)
    assert len(set(found)) > 1
