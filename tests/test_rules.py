import pickle
from enum import Enum, IntEnum, StrEnum, auto

import attrs
import pytest

from contracts import STRANGE, Unprintable, check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.rules import (
    Code,
    Course,
    Decision,
    Denial,
    DeniedError,
    Result,
    Rulebook,
    Ruling,
    hashable,
    label,
)

TICKET = Rulebook.forward("ticket", ["new", "open", "done"], meaning="tickets do not go back")
STEPS = Rulebook.forward("steps", ["new", "open", "done"], skips=False)
BOARD = Rulebook.free("board", ["todo", "doing", "done", "void"], final=["void"])
DOOR = Rulebook.explicit(
    "door", {"open": ["shut"], "shut": ["open", "locked"], "locked": []}, creation=["shut"]
)


class Colour(Enum):
    RED = auto()
    BLUE = auto()


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


def codes(decision):
    return [denial.code for denial in decision.denials]


# Making


def test_a_rulebook_is_a_value():
    check_value(
        TICKET,
        Rulebook.forward("ticket", ["new", "open", "done"], meaning="tickets do not go back"),
        attrs.evolve(TICKET, name="request"),
        attrs.evolve(TICKET, version=2),
        attrs.evolve(TICKET, meaning=""),
        attrs.evolve(TICKET, states=("open", "new", "done")),
        attrs.evolve(TICKET, course=Course.FREE),
        attrs.evolve(TICKET, final=frozenset({"open"})),
        attrs.evolve(TICKET, creation=frozenset({"new"})),
        STEPS,
    )


def test_a_rulebook_that_was_used_pickles_as_one_that_was_not():
    before = pickle.dumps(Rulebook.free("board", ["todo"]))
    book = pickle.loads(before)  # noqa: S301 - our own bytes
    assert book.ruling.fingerprint == book.fingerprint
    again = pickle.loads(pickle.dumps(book))  # noqa: S301 - our own bytes
    assert again == book
    assert again.fingerprint == book.fingerprint
    assert again.decide(None, "todo")


def test_every_fault_of_a_rulebook_is_named():
    with pytest.raises(InvalidValueError) as caught:
        Rulebook(
            "broken",
            ("a", "b", "a", None),
            Course.EXPLICIT,
            edges=frozenset({("a", "z"), ("y", "b")}),
            creation=frozenset({"c"}),
            final=frozenset({"f"}),
            version=0,
        )
    assert caught.value.subject == "rulebook 'broken'"
    assert caught.value.faults == (
        "it lists 'a' twice",
        "None cannot be a state: it stands for creation",
        "a move names unknown states 'y', 'z'",
        "creation names unknown states 'c'",
        "final names unknown states 'f'",
        "its version must be a whole number from 1 (got 0)",
    )


def test_a_rulebook_without_states_is_refused():
    for make in (Rulebook.forward, Rulebook.free):
        with pytest.raises(InvalidValueError, match=r"^rulebook 'none': it has no states$"):
            make("none", [])
    with pytest.raises(InvalidValueError, match="it has no states"):
        Rulebook.explicit("none", {})


def test_a_version_is_a_whole_number_from_one():
    check_door(
        lambda version: Rulebook.free("board", ["a"], version=version),
        takes=lambda x: type(x) is int and x > 0,
    )


def test_one_text_is_not_a_list_of_states():
    for make in (
        lambda: Rulebook.forward("x", "abc"),
        lambda: Rulebook.free("x", "abc"),
        lambda: Rulebook.explicit("x", {"a": "bc"}),
        lambda: Rulebook.forward("x", ["a"], creation="a"),
        lambda: Rulebook.free("x", ["a"], final="a"),
    ):
        with pytest.raises(WrongTypeError, match="must be several hashable states"):
            make()


def test_states_are_hashable():
    assert hashable(iter(["a", 1]), "states") == ("a", 1)
    with pytest.raises(WrongTypeError, match=r"'states' must be hashable states \(got \['a'\]\)"):
        hashable([["a"]], "states")


def test_the_moves_of_an_explicit_rulebook_are_a_mapping():
    check_door(lambda moves: Rulebook.explicit("x", moves))


def test_a_strange_name_is_refused():
    check_door(
        lambda name: Rulebook.free(name, ["a"]), takes=lambda x: isinstance(x, str) and x != ""
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("states", ["a"]),
        ("states", (["a"],)),
        ("course", "forward"),
        ("skips", "no"),
        ("edges", {("a", "b")}),
        ("edges", frozenset({5})),
        ("edges", frozenset({("a", "b", "c")})),
        ("creation", ["a"]),
        ("final", ("a",)),
        ("meaning", None),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(field, value):
    with pytest.raises(WrongTypeError, match=f"^'{field}' must be"):
        attrs.evolve(TICKET, **{field: value})


# Deciding


def test_a_forward_rulebook_allows_what_lies_ahead():
    assert TICKET.allowed("new") == ("open", "done")
    assert TICKET.allowed("done") == ()
    assert TICKET.allowed(None) == ("new", "open", "done")


def test_a_forward_rulebook_without_skips_allows_the_next_state():
    assert STEPS.allowed("new") == ("open",)
    assert STEPS.decide("new", "done").explain() == (
        "cannot move it from 'new' to 'done': 'steps' passes over no state; allowed: 'open'"
    )


def test_a_free_rulebook_allows_everything_but_leaving_a_final_state():
    assert BOARD.allowed("done") == ("todo", "doing", "void")
    assert BOARD.allowed("void") == ()
    assert codes(BOARD.decide("void", "todo")) == [Code.FINAL]
    assert BOARD.decide("void", "todo").explain("card 3") == (
        "cannot move card 3 from 'void' to 'todo': nothing leaves 'void'; allowed: nothing"
    )


def test_an_explicit_rulebook_allows_its_moves():
    assert DOOR.allowed("shut") == ("open", "locked")
    assert DOOR.allowed("open") == ("shut",)
    assert DOOR.final == {"locked"}


def test_a_state_of_a_forward_rulebook_may_be_final_before_the_last():
    book = Rulebook.forward("x", ["a", "b", "c"], final=["b"])
    assert book.allowed("a") == ("b", "c")
    assert codes(book.decide("b", "c")) == [Code.FINAL]


@pytest.mark.parametrize(
    ("book", "source", "target", "code", "result"),
    [
        (TICKET, "open", "open", Code.ALREADY_THERE, Result.DENIED),
        (TICKET, "done", "new", Code.BACKWARD, Result.DENIED),
        (STEPS, "new", "done", Code.SKIP, Result.DENIED),
        (BOARD, "void", "done", Code.FINAL, Result.DENIED),
        (DOOR, None, "open", Code.NOT_A_CREATION_STATE, Result.DENIED),
        (DOOR, "open", "locked", Code.NO_SUCH_MOVE, Result.NO_SUCH_MOVE),
        (DOOR, "open", "ajar", Code.UNKNOWN_STATE, Result.NO_SUCH_MOVE),
        (DOOR, "open", None, Code.UNKNOWN_STATE, Result.NO_SUCH_MOVE),
    ],
)
def test_a_no_carries_its_code_and_result(book, source, target, code, result):
    decision = book.decide(source, target)
    assert not decision
    assert decision.result is result
    assert codes(decision) == [code]
    assert not book.permits(source, target)
    assert decision.denials[0].rule == book.name
    assert decision.denials[0].actual == target
    assert decision.alternatives == book.allowed(source)


def test_a_yes_has_no_denials():
    decision = TICKET.decide("new", "done")
    assert decision
    assert decision == Decision("new", "done", Result.ALLOWED)
    assert decision.explain("ticket 7") == "can move ticket 7 from 'new' to 'done'"
    assert TICKET.permits("new", "done")


def test_two_unknown_states_are_both_named():
    decision = TICKET.decide("lost", "found")
    assert [(denial.field, denial.actual) for denial in decision.denials] == [
        ("source", "lost"), ("target", "found"),
    ]  # fmt: skip
    assert decision.denials[0].expected == TICKET.states
    assert decision.explain() == (
        "cannot move it from 'lost' to 'found': 'ticket' has no state 'lost', "
        "and 'ticket' has no state 'found'; allowed: nothing"
    )


def test_an_unknown_source_is_named_even_where_the_target_is_known():
    decision = TICKET.decide("lost", "open")
    assert [denial.field for denial in decision.denials] == ["source"]
    assert TICKET.allowed("lost") == ()


def test_creation_is_told_as_a_beginning():
    assert DOOR.decide(None, "open").explain("door 1") == (
        "cannot begin door 1 in 'open': nothing begins there; allowed: 'shut'"
    )
    assert DOOR.decide(None, "shut").explain() == "can begin it in 'shut'"


def test_a_move_backward_gives_the_meaning_of_the_rulebook():
    assert TICKET.decide("done", "new").explain("ticket 7") == (
        "cannot move ticket 7 from 'done' to 'new': tickets do not go back; allowed: nothing"
    )
    unsaid = attrs.evolve(TICKET, meaning="")
    assert "moves go forward only" in unsaid.decide("done", "new").explain()


def test_options_hold_a_decision_for_every_state_in_order():
    options = DOOR.options("open")
    assert [decision.target for decision in options] == ["open", "shut", "locked"]
    assert [decision.result for decision in options] == [
        Result.DENIED, Result.ALLOWED, Result.NO_SUCH_MOVE,
    ]  # fmt: skip


def test_a_state_that_cannot_be_hashed_is_refused_and_any_other_is_unknown():
    def unhashable(value):
        try:
            hash(value)
        except TypeError:
            return True
        return False

    assert any(map(unhashable, STRANGE))
    check_door(lambda state: TICKET.permits("new", state), takes=lambda x: not unhashable(x))
    check_door(lambda state: TICKET.decide("new", state), takes=lambda x: not unhashable(x))
    check_door(lambda state: TICKET.decide(state, "new"), takes=lambda x: not unhashable(x))
    check_door(lambda state: TICKET.decide(state, "lost"), takes=lambda x: not unhashable(x))
    for value in STRANGE:
        if not unhashable(value):
            assert Code.UNKNOWN_STATE in codes(TICKET.decide("new", value))
            assert "allowed: 'open', 'done'" in TICKET.decide("new", value).explain()


def test_a_state_that_cannot_be_printed_can_be_refused_in_words():
    odd = Unprintable()
    book = Rulebook.free("odd", [odd, "even"])
    assert book.permits("even", odd)
    assert book.decide("even", "lost").explain().endswith("allowed: '<Unprintable>'")
    assert "<Unprintable>" in book.to_mermaid()


# Decisions, denials, rulings


def test_the_facts_of_a_decision_are_values():
    denial = Denial("busy", "house", "target", "a", ("b",), "the house is busy")
    check_value(denial, attrs.evolve(denial), attrs.evolve(denial, code="full"))
    ruling = Ruling("house", 1, "ff", (denial,), "the boss said so")
    check_value(ruling, attrs.evolve(ruling), attrs.evolve(ruling, why=None))
    decision = Decision("a", "b", Result.DENIED, (denial,), ("c",))
    check_value(decision, attrs.evolve(decision), attrs.evolve(decision, source=None))


def test_further_reasons_turn_a_yes_into_a_no():
    denial = Denial("busy", "house", "target", "open", None, "the house is busy")
    yes = TICKET.decide("new", "open")
    assert yes.denied([]) is yes
    no = yes.denied(iter([denial]))
    assert (no.result, no.denials) == (Result.DENIED, (denial,))
    assert yes


def test_further_reasons_are_told_after_the_first_and_keep_its_result():
    denial = Denial("busy", "house", "target", "ajar", None, "the house is busy")
    decision = DOOR.decide("open", "ajar").denied([denial])
    assert decision.result is Result.NO_SUCH_MOVE
    assert decision.explain("door 1") == (
        "cannot move door 1 from 'open' to 'ajar': 'door' has no state 'ajar', "
        "and the house is busy; allowed: 'shut'"
    )


def test_a_command_that_is_no_move_is_told_in_its_own_words():
    denial = Denial("deleted", "deal", "at", "noon", None, "it was deleted")
    decision = Decision("won", "won", Result.DENIED, (denial,), command="record OwnerChanged on")
    assert decision.explain("deal 'd-7'") == (
        "cannot record OwnerChanged on deal 'd-7': it was deleted"
    )


def test_a_refused_command_carries_its_decision():
    decision = TICKET.decide("done", "new")
    error = DeniedError("ticket 7", decision)
    assert error.decision is decision
    assert str(error) == decision.explain("ticket 7")
    assert pickle.loads(pickle.dumps(error)).decision == decision  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("new", "'new'"),
        (Size.LARGE, "'large'"),
        (Colour.RED, "'RED'"),
        (Level.LOW, "'LOW'"),
        (5, "'5'"),
        (("a", 1), "\"('a', 1)\""),
        ("it's", '"it\'s"'),
    ],
)
def test_a_state_is_shown_as_the_trade_calls_it(state, shown):
    assert label(state) == shown


def test_a_long_state_is_cut_in_a_message():
    assert len(label("a" * 1000)) == 60


# Fingerprints


def test_a_fingerprint_is_the_same_in_every_process_and_release():
    assert TICKET.fingerprint == (
        "cbdc16f2be6ceff4c2261e3d8be432b768c686d4e8ba669ea6d19a0685ea12cd"
    )


def test_a_fingerprint_is_of_what_decides_and_not_of_words():
    other = attrs.evolve(TICKET, name="request", version=2, meaning="no way back")
    assert other.fingerprint == TICKET.fingerprint
    assert other.ruling == Ruling("request", 2, TICKET.fingerprint)


def test_states_that_are_equal_have_equal_fingerprints():
    for one, other in (
        ([Size.SMALL, Size.LARGE], ["small", "large"]),
        ([Level.LOW, Level.HIGH], [1, 2]),
        ([True, False], [1, 0]),
    ):
        left, right = Rulebook.free("x", one), Rulebook.free("x", other)
        assert left == right
        assert left.fingerprint == right.fingerprint


def test_states_of_enums_and_tuples_have_a_fingerprint():
    plain = Rulebook.free("x", [Colour.RED, ("a", 1)]).fingerprint
    assert plain != Rulebook.free("x", [Colour.BLUE, ("a", 1)]).fingerprint
    assert plain != Rulebook.free("x", [Colour.RED, ("a", 2)]).fingerprint


def test_a_state_without_a_stable_text_has_no_fingerprint():
    book = Rulebook.free("x", [object, 2.5])
    with pytest.raises(InvalidValueError, match="the state <class 'object'> has no stable text"):
        _ = book.fingerprint


# Drawings


def test_a_rulebook_is_written_as_a_markdown_table():
    assert DOOR.to_markdown() == (
        "| from | may move to |\n"
        "|---|---|\n"
        "| (new) | shut |\n"
        "| open | shut |\n"
        "| shut | open, locked |\n"
        "| locked | nothing |"
    )


def test_a_bar_in_a_state_does_not_break_the_table():
    book = Rulebook.free("x", ["a|b", "two\nlines"])
    assert book.to_markdown().splitlines()[3:] == ["| a\\|b | two lines |", "| two lines | a\\|b |"]


def test_a_rulebook_is_drawn_in_mermaid_with_every_allowed_move():
    assert DOOR.to_mermaid().splitlines() == [
        "stateDiagram-v2",
        '    state "open" as s0',
        '    state "shut" as s1',
        '    state "locked" as s2',
        "    [*] --> s1",
        "    s0 --> s1",
        "    s1 --> s0",
        "    s1 --> s2",
        "    s2 --> [*]",
    ]


def test_a_quote_in_a_state_does_not_break_the_drawing():
    book = Rulebook.free("x", ['the "end"', Colour.RED])
    lines = book.to_mermaid().splitlines()
    assert lines[1:3] == ["    state \"the 'end'\" as s0", '    state "RED" as s1']
