"""What a rulebook with rules says of a move, and in which words."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace

import attrs
import pytest

from contracts import check_door
from salespipeline.conditions import (
    NEVER,
    absent,
    all_of,
    any_of,
    approved_by,
    at_least,
    at_most,
    contains,
    elapsed,
    equals,
    less,
    made_by,
    more,
    named,
    not_,
    one_of,
    present,
    spent_at_least,
)
from salespipeline.errors import NaiveTimeError, WrongTypeError
from salespipeline.money import Money
from salespipeline.rules import Code, Denial, Result, Rule, Rulebook

AT = datetime(2026, 3, 9, tzinfo=UTC)


def raises(_facts):
    raise RuntimeError("broken")


PREDICATES = {"raises": raises, "shrugs": lambda _: None, "lies": lambda _: "yes"}


def ruled(*conditions, message="", **parts):
    """A rulebook of two states with a rule for each condition, named by its number."""
    rules = [Rule(f"{n}", each, message=message, **parts) for n, each in enumerate(conditions)]
    return Rulebook.free("house", ["a", "b"], rules=rules, predicates=PREDICATES)


def asked(*conditions, record=None, **facts):
    return ruled(*conditions).decide("a", "b", {} if record is None else record, **facts)


def told(decision):
    return [(denial.code, denial.rule, denial.field) for denial in decision.denials]


# What each kind of test says where it is not met


@pytest.mark.parametrize(
    ("condition", "record", "facts", "code", "message"),
    [
        (present("owner"), {}, {}, Code.MISSING_FIELD, "'owner' must be present"),
        (absent("owner"), {"owner": "ada"}, {}, Code.NOT_MET,
         "'owner' must be absent (it is 'ada')"),
        (less("amount", 5), {}, {}, Code.MISSING_FIELD,
         "'amount' must be less than 5, and it is not known"),
        (less("amount", 5), {"amount": 9}, {}, Code.NOT_MET,
         "'amount' must be less than 5 (it is 9)"),
        (less("amount", 5), {"amount": Decimal("9.50")}, {}, Code.NOT_MET,
         "'amount' must be less than 5 (it is 9.50)"),
        (less("amount", 5), {"amount": "9"}, {}, Code.MISSING_FIELD,
         "'amount' must be less than 5 (it is '9')"),
        (at_least("amount", Money(5, "EUR")), {"amount": Money(1, "EUR")}, {}, Code.NOT_MET,
         "'amount' must be at least 5.00 EUR (it is 1.00 EUR)"),
        (at_least("amount", Money(5, "EUR")), {"amount": Money(9, "USD")}, {}, Code.MISSING_FIELD,
         "'amount' must be at least 5.00 EUR (it is 9.00 USD)"),
        (at_most("due", date(2026, 3, 1)), {"due": date(2026, 4, 1)}, {}, Code.NOT_MET,
         "'due' must be at most 2026-03-01 (it is 2026-04-01)"),
        (equals("signed", True), {"signed": False}, {}, Code.NOT_MET,
         "'signed' must be True (it is False)"),
        (one_of("owner", ["ada", "bob"]), {"owner": "cyd"}, {}, Code.NOT_MET,
         "'owner' must be one of 'ada', 'bob' (it is 'cyd')"),
        (contains("tags", "vip"), {"tags": ["new"]}, {}, Code.NOT_MET,
         "'tags' must hold 'vip'"),
        (contains("tags", "vip"), {"tags": {"new"}}, {}, Code.NOT_MET, "'tags' must hold 'vip'"),
        (approved_by("boss"), {"approvals": frozenset()}, {}, Code.APPROVAL_NEEDED,
         "'boss' must approve"),
        (made_by("sales"), {}, {"role": "clerk"}, Code.ROLE_NEEDED,
         "the role must be 'sales' (it is 'clerk')"),
        (made_by("sales"), {}, {}, Code.MISSING_FIELD,
         "the role must be 'sales', and it is not known"),
        (spent_at_least(timedelta(days=3)), {}, {"at": AT, "entered_at": AT}, Code.TOO_SOON,
         "it must have been there for at least 3 days"),
        (spent_at_least(timedelta(days=3)), {}, {"entered_at": AT}, Code.MISSING_FIELD,
         "it must have been there for at least 3 days"),
        (not_(elapsed(timedelta(days=3), since="won_at")),
         {"won_at": AT - timedelta(days=4)}, {"at": AT}, Code.TOO_LATE,
         "'won_at' must be past for less than 3 days"),
        (named("shrugs"), {}, {}, Code.MISSING_FIELD, "'shrugs' must hold, and it is not known"),
        (named("raises"), {}, {}, Code.FAILED, "'raises' must hold, which could not be told"),
        (named("lies"), {}, {}, Code.FAILED, "'lies' must hold, which could not be told"),
        (NEVER, {}, {}, Code.FORBIDDEN, "it is forbidden"),
    ],
)  # fmt: skip
def test_a_test_that_is_not_met_has_its_code_and_its_words(condition, record, facts, code, message):
    decision = asked(condition, record=record, **facts)
    assert [(denial.code, denial.message) for denial in decision.denials] == [(code, message)]
    assert decision.result is (Result.FAILED if code is Code.FAILED else Result.DENIED)
    assert decision.alternatives == ()


def test_a_denial_carries_what_was_found_and_what_would_have_done():
    condition = less("amount", 5)
    assert asked(condition, record={"amount": 9}).denials == (
        Denial(Code.NOT_MET, "0", "amount", 9, condition, "'amount' must be less than 5 (it is 9)"),
    )
    assert asked(NEVER).denials == (
        Denial(Code.FORBIDDEN, "0", "target", "b", NEVER, "it is forbidden"),
    )


def test_a_message_of_the_rule_takes_the_place_of_the_words_made():
    for condition in (present("owner"), NEVER, named("raises")):
        decision = ruled(condition, message="ask the desk").decide("a", "b")
        assert decision.explain("deal 7") == (
            "cannot move deal 7 from 'a' to 'b': ask the desk; allowed: nothing"
        )


def test_a_long_value_is_cut_in_a_message():
    digits = Decimal("9" * 100)
    (denial,) = asked(less("amount", 5), record={"amount": digits}).denials
    assert denial.actual == digits
    assert len(denial.message) < 120


# Several tests, several rules


def test_every_test_that_is_not_met_is_a_denial_and_no_test_that_is():
    condition = all_of(present("owner"), less("amount", 5), any_of(present("a"), present("b")))
    decision = asked(condition, record={"owner": "ada", "amount": 9})
    assert [denial.field for denial in decision.denials] == ["amount", "a", "b"]
    decision = asked(condition, record={"amount": 9, "b": 1})
    assert [denial.field for denial in decision.denials] == ["owner", "amount"]


def test_all_rules_that_are_not_met_are_told_in_their_order():
    decision = asked(present("owner"), less("amount", 5), made_by("sales"), role="sales")
    assert told(decision) == [
        (Code.MISSING_FIELD, "0", "owner"), (Code.MISSING_FIELD, "1", "amount"),
    ]  # fmt: skip


NO, UNKNOWN, FAILED, YES = (
    more("amount", 9), present("owner"), named("raises"), equals("amount", 5),
)  # fmt: skip
MISSING = less("seats", 5)


@pytest.mark.parametrize(
    ("conditions", "result"),
    [
        ([YES], Result.ALLOWED),
        ([YES, NO], Result.DENIED),
        ([YES, MISSING], Result.DENIED),
        ([YES, FAILED], Result.FAILED),
        ([FAILED, FAILED], Result.FAILED),
        ([FAILED, MISSING], Result.DENIED),
        ([MISSING, FAILED], Result.DENIED),
        ([NO, FAILED], Result.DENIED),
        ([all_of(NO, FAILED)], Result.DENIED),
        ([all_of(MISSING, FAILED)], Result.FAILED),
        ([any_of(MISSING, FAILED)], Result.FAILED),
        ([any_of(NO, MISSING)], Result.DENIED),
        ([any_of(YES, FAILED, MISSING)], Result.ALLOWED),
        ([all_of(FAILED, any_of(YES, MISSING))], Result.FAILED),
        ([all_of(MISSING, any_of(YES, FAILED))], Result.DENIED),
        ([NEVER, FAILED], Result.DENIED),
        ([not_(FAILED)], Result.FAILED),
    ],
)
def test_a_sure_no_goes_before_a_failure_and_one_rule_with_a_failure_is_none(conditions, result):
    decision = asked(*conditions, record={"amount": 5})
    assert decision.result is result
    assert bool(decision) is (result is Result.ALLOWED)
    assert ruled(*conditions).permits("a", "b", {"amount": 5}) is bool(decision)


def test_what_the_rulebook_itself_denies_is_told_beside_what_its_rules_deny():
    book = Rulebook.forward(
        "sale", ["new", "offer", "won"], skips=False, creation=["new"], final=["offer"],
        rules=[Rule("owned", present("owner")), Rule("sure", named("raises"))],
        predicates=PREDICATES,
    )  # fmt: skip
    for source, target, code in (
        ("won", "new", Code.BACKWARD),
        ("new", "won", Code.SKIP),
        ("offer", "won", Code.FINAL),
        (None, "won", Code.NOT_A_CREATION_STATE),
    ):
        decision = book.decide(source, target)
        assert [denial.code for denial in decision.denials] == [
            code, Code.MISSING_FIELD, Code.FAILED,
        ]  # fmt: skip
        assert decision.result is Result.DENIED


def test_no_rule_is_asked_where_there_is_no_such_move():
    asked_of = []
    book = Rulebook.explicit(
        "door", {"open": ["shut"], "shut": ["open"]}, predicates={"ask": asked_of.append},
        rules=[Rule("ask", named("ask"), sources=["open"], targets=["open"])],
    )  # fmt: skip
    assert told(book.decide("open", "open")) == [(Code.ALREADY_THERE, "door", "target")]
    assert told(book.decide("open", "ajar")) == [(Code.UNKNOWN_STATE, "door", "target")]
    assert asked_of == []


# Which moves a rule bears on

STEPS = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("parts", "moves"),
    [
        ({"sources": [None]}, [(None, "a"), (None, "b"), (None, "c"), (None, "d")]),
        ({"targets": ["c"], "sources": ["a", "b"]}, [("a", "c"), ("b", "c")]),
        ({"sources": ["c"]}, [("c", "a"), ("c", "b"), ("c", "d")]),
        ({"targets": ["a"]}, [(None, "a"), ("b", "a"), ("c", "a"), ("d", "a")]),
        ({"sources": ["b"], "way": "forward"}, [("b", "c"), ("b", "d")]),
        ({"sources": ["c"], "way": "backward"}, [("c", "a"), ("c", "b")]),
        ({"way": "skip"}, [("a", "c"), ("a", "d"), ("b", "d")]),
        ({"way": "skip", "targets": ["b", "d"]}, [("a", "d")]),
        ({"sources": [], "way": "any"}, []),
        ({"targets": []}, []),
    ],
)
def test_a_rule_bears_on_the_moves_that_it_names(parts, moves):
    book = Rulebook.free("x", STEPS, rules=[Rule("never", NEVER, **parts)])
    denied = [
        (source, target)
        for source in (None, *STEPS)
        for target in STEPS
        if Code.FORBIDDEN in {each.code for each in book.decide(source, target).denials}
    ]
    assert denied == moves


# The buttons of a page


def test_options_say_which_buttons_to_show_and_why_the_others_are_grey():
    book = Rulebook.explicit(
        "card", {"todo": ["doing", "done"], "doing": ["done"], "done": [], "void": []},
        rules=[Rule("tested", present("tested"), targets=["done"], message="test it first")],
    )  # fmt: skip
    options = book.options("todo", {})
    assert [(option.target, option.result.value) for option in options] == [
        ("todo", "denied"), ("doing", "allowed"), ("done", "denied"), ("void", "no_such_move"),
    ]  # fmt: skip
    assert options[2].explain("card 7") == (
        "cannot move card 7 from 'todo' to 'done': test it first; allowed: 'doing'"
    )
    assert {option.alternatives for option in options if not option} == {("doing",)}
    assert [option.target for option in book.options(None, {"tested": True}) if option] == [
        "todo", "doing", "done", "void",
    ]  # fmt: skip
    lost = book.options("lost")
    assert {option.result for option in lost} == {Result.NO_SUCH_MOVE}
    assert [option.target for option in lost] == list(book.states)


def test_a_rule_says_the_same_of_every_button_that_it_bears_on():
    book = Rulebook.free("x", STEPS, rules=[Rule("owned", present("owner"))])
    grey = [option.denials for option in book.options("a", {}) if option.target != "a"]
    assert {*grey} == {book.decide("a", "b", {}).denials}
    forbidden = Rulebook.free("x", STEPS, rules=[Rule("no", NEVER)]).options(None)
    assert [option.denials[0].actual for option in forbidden] == STEPS


def test_a_predicate_is_asked_once_for_each_state_and_a_test_once_for_all():
    class Counted(dict):
        reads = 0

        def get(self, name):
            type(self).reads += name == "owner"
            return super().get(name)

    asked_of = []
    book = Rulebook.free(
        "x", STEPS, predicates={"ask": lambda facts: asked_of.append(facts.move.target)},
        rules=[Rule("owned", present("owner")), Rule("ask", named("ask"))],
    )  # fmt: skip
    book.options("a", Counted(owner="ada"))
    assert Counted.reads == 1
    assert {*asked_of} == {"b", "c", "d"}


def test_what_a_rule_asks_of_the_state_entered_is_asked_of_each():
    book = Rulebook.free("x", STEPS, rules=[Rule("there", one_of("move.to", ["b", "d"]))])
    assert book.allowed("a") == ("b", "d")
    assert told(book.decide("a", "c")) == [(Code.NOT_MET, "there", "move.to")]
    assert book.decide("a", "c").denials[0].actual == "c"
    options = book.options(None)
    assert [[denial.actual for denial in option.denials] for option in options] == [
        ["a"], [], ["c"], [],
    ]  # fmt: skip


# Facts


def test_conditions_know_the_move_and_what_the_caller_adds():
    seen = []
    book = Rulebook.free(
        "x", ["a", "b"], rules=[Rule("see", named("see"))],
        predicates={"see": lambda facts: not seen.append(facts)},
    )  # fmt: skip
    record = SimpleNamespace(owner="ada")
    assert book.decide(
        "a", "b", record, at=AT, by="eve", role="boss", entered_at=AT, context={"x": 1}
    )
    facts = seen[-1]
    assert facts.record is record
    assert facts.context == {"x": 1}
    assert facts.move == ("a", "b", AT, "eve", "boss", AT)


@pytest.mark.parametrize("size", [2, 60])
def test_an_instant_has_a_zone_in_a_small_book_and_in_a_large_one(size):
    timed = Rule("timed", any_of(absent("move.at"), present("move.at")))
    book = Rulebook.free("x", range(size), rules=[timed])
    for name in ("at", "entered_at"):
        for ask in (book.decide, book.permits):
            with pytest.raises(NaiveTimeError):
                ask(0, 1, **{name: AT.replace(tzinfo=None)})
            with pytest.raises(WrongTypeError):
                ask(0, 1, **{name: date(2026, 3, 1)})
        for ask in (book.options, book.allowed):
            with pytest.raises(WrongTypeError):
                ask(0, **{name: time(tzinfo=UTC)})


def test_a_state_that_is_equal_to_one_of_the_rulebook_is_told_as_the_rulebook_calls_it():
    book = Rulebook.free("x", [1, 2, 3], rules=[Rule("owned", present("owner"), targets=[3])])
    for target in (True, 2.0, 3.0):
        decision = book.decide(Decimal(2), target)
        assert type(decision.source) is int
        assert type(decision.target) is int


def test_states_are_refused_where_they_cannot_be_looked_up():
    book = ruled(present("owner"))
    for ask in (book.options, book.allowed, book.moves_from, book.has, book.known):
        with pytest.raises(WrongTypeError):
            ask(["a"])
    for move in ((["a"], "b"), ("a", ["b"])):
        with pytest.raises(WrongTypeError):
            book.obstacle(*move)
    with pytest.raises(WrongTypeError):
        book.prospect("a", ["a"])


def test_what_stands_before_a_move_is_told_without_a_record():
    book = ruled(present("owner"), targets=["b"])
    assert book.prospect("a", "b").rules == book.rules
    assert book.prospect("b", "a").rules == ()
    assert book.prospect("a", "a").obstacle is Code.ALREADY_THERE
    assert book.prospect("a", "z") is None
    assert book.prospect("z", "a") is None
    for move in (("a", "z"), ("z", "a"), (None, "z")):
        assert book.obstacle(*move) is Code.UNKNOWN_STATE
    assert book.moves_from("z") == {}
    assert [*book.moves_from(None)] == ["a", "b"]


# Further reasons


def test_a_further_reason_is_a_sure_one():
    failed = asked(named("raises"))
    reason = Denial("early", "deal", "at", None, None, "it is too early")
    assert failed.denied(()) is failed
    assert failed.denied([reason]).result is Result.DENIED
    check_door(failed.denied, takes=lambda x: isinstance(x, tuple | list | dict | set) and not x)
    with pytest.raises(WrongTypeError):
        failed.denied([reason, "another"])
    assert attrs.evolve(failed, result=Result.ALLOWED).denied([reason]).result is Result.DENIED
