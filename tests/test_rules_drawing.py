"""Rulebooks as people see them: a diagram and a table, whatever the states are called."""

import re
from collections import UserDict
from datetime import UTC, datetime
from enum import Enum, auto

import attrs
import pytest

from contracts import STRANGE, Unprintable, check_door
from salespipeline.conditions import (
    NEVER,
    all_of,
    approved_by,
    at_least,
    equals,
    less,
    made_by,
    more,
    present,
)
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.lifecycle import LIFECYCLE
from salespipeline.money import Money
from salespipeline.pipelines import SALESFORCE_DEFAULT, SEVEN_STAGES
from salespipeline.rules import Rule, Rulebook

DOOR = Rulebook.explicit(
    "door", {"open": ["shut"], "shut": ["open", "locked"], "locked": []}, creation=["shut"]
)
DESK = attrs.evolve(
    DOOR,
    rules=(
        Rule("key", present("key"), targets=["locked"]),
        Rule("boss", approved_by("boss"), ["shut"], message="ask the boss"),
        Rule("value", at_least("value", Money(5, "EUR")), ["shut"], ["locked"]),
    ),
)


class Colour(Enum):
    RED = auto()


# The table


def test_where_nothing_is_asked_a_rulebook_is_a_row_for_each_state():
    assert DOOR.to_markdown() == (
        "| from | may move to |\n"
        "|---|---|\n"
        "| (new) | shut |\n"
        "| open | shut |\n"
        "| shut | open, locked |\n"
        "| locked | nothing |"
    )


def test_where_something_is_asked_a_rulebook_is_a_row_for_each_move():
    assert DESK.to_markdown() == (
        "| from | to | needs |\n"
        "|---|---|---|\n"
        "| (new) | shut | nothing |\n"
        "| open | shut | nothing |\n"
        "| shut | open | 'boss' must approve |\n"
        "| shut | locked | 'key' must be present; 'boss' must approve; "
        "'value' must be at least 5.00 EUR |"
    )


COUNTS = {(None, "shut"): 1200, ("shut", "open"): 3, ("locked", "open"): 2, ("open", "open"): 0}


def test_counts_stand_beside_the_moves_and_those_that_no_rule_allows_are_told():
    assert DOOR.to_markdown(COUNTS) == (
        "| from | to | needs | moves |\n"
        "|---|---|---|---|\n"
        "| (new) | shut | nothing | 1,200 |\n"
        "| open | shut | nothing | 0 |\n"
        "| shut | open | nothing | 3 |\n"
        "| shut | locked | nothing | 0 |\n"
        "| locked | open | not allowed | 2 |"
    )
    assert DOOR.to_markdown({}).splitlines()[2] == "| (new) | shut | nothing | 0 |"


def test_a_move_that_no_facts_allow_is_left_out():
    book = attrs.evolve(
        DOOR,
        rules=(
            Rule("never", NEVER, ["open"]),
            Rule("small", less("x", 1), ["shut"]),
            Rule("large", more("x", 1), targets=["locked"]),
        ),
    )
    assert book.to_markdown().splitlines()[2:] == [
        "| (new) | shut | nothing |",
        "| shut | open | 'x' must be less than 1 |",
    ]
    assert "s0 -->" not in book.to_mermaid().replace("s0 --> [*]", "")


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("two\nlines\r\nand\ttabs", "two lines and tabs"),
        ("<b>bold</b>", "\\<b\\>bold\\</b\\>"),
        ("*star* `code` [link](x) ~~no~~",
         "\\*star\\* \\`code\\` \\[link\\](x) \\~\\~no\\~\\~"),
        ("in_words", "in_words"),
        ("_draft_ 2_000", "\\_draft\\_ 2_000"),
        ("R&D &amp; Co", "R&D \\&amp; Co"),
        ("", "(blank)"),
        (" \t\n", "(blank)"),
        ("half \ud800 \x00 \u2028end", "half \ufffd \ufffd end"),
        (Colour.RED, "RED"),
        (("a", 1), "('a', 1)"),
    ],
)  # fmt: skip
def test_no_state_breaks_the_table(state, shown):
    table = Rulebook.free("x", [state, "z"]).to_markdown()
    assert table.splitlines()[2:] == [
        f"| (new) | {shown}, z |", f"| {shown} | z |", f"| z | {shown} |",
    ]  # fmt: skip
    table.encode()


# The diagram


def test_a_rulebook_is_drawn_with_every_possible_move():
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


def test_conditions_and_counts_are_the_labels_of_arrows():
    assert DESK.to_mermaid(COUNTS).splitlines()[4:] == [
        "    [*] --> s1 : (1,200)",
        "    s0 --> s1 : (0)",
        "    s1 --> s0 : 'boss' must approve (3)",
        (
            "    s1 --> s2 : 'key' must be present#59; 'boss' must approve#59; "
            "'value' must be at least 5.00 EUR (0)"
        ),
        "    s2 --> s0 : not allowed (2)",
        "    s2 --> [*]",
    ]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ('the "end"', "the #quot;end#quot;"),
        ("at 9:30; then #1", "at 9#58;30#59; then #35;1"),
        ("<script> & co", "#lt;script#gt; #amp; co"),
        ("%%{init: {}}%%", "#37;#37;{init#58; {}}#37;#37;"),
        ("[[fork]]", "#91;#91;fork#93;#93;"),
        ("a\\nb `c`", "a#92;nb #96;c#96;"),
        ("(maybe)\nlater", "(maybe) later"),
        ("", "(blank)"),
        ("half \ud800", "half \ufffd"),
        ("日本 é", "日本 é"),
        (Colour.RED, "RED"),
    ],
)
def test_no_state_breaks_the_diagram(state, shown):
    text = Rulebook.free("x", [state, "z"]).to_mermaid()
    assert text.splitlines()[1] == f'    state "{shown}" as s0'
    text.encode()


# What Mermaid reads of a state diagram, as far as these drawings go, entity codes replaced first:
# a description ends at a quote, a label at a colon, a semicolon or the end of the line.
ENTITY = re.compile(r"#\w+;")
LINES = re.compile(
    r'    state "[^"\[\]<>]+" as s\d+'
    r"|    (?:s\d+|\[\*\]) --> (?:s\d+|\[\*\])(?: : [^:;#%<>]+)?"
)


def is_mermaid(text):
    head, *lines = text.split("\n")
    return head == "stateDiagram-v2" and all(
        LINES.fullmatch(ENTITY.sub("~", line)) for line in lines
    )


ODD = ["a:b", "c;d", 'e"f', "g\nh", "i#j;", "(k)", "%%", "", "{l}", "-->", "[*]", "<<fork>>", "`m`"]


def test_every_drawing_is_one_that_mermaid_reads():
    rules = [
        Rule(f"{n}", all_of(present(f"x{state}"), equals("y", state)), targets=[state])
        for n, state in enumerate(ODD)
    ]
    rules.append(Rule("when", less("at", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)), way="skip"))
    rules.append(Rule("who", made_by("a:b;c#1", "<d>")))
    odd = Rulebook.free("odd", ODD, rules=rules)
    counted = {(None, state): 7 for state in ODD}
    for book in (DOOR, DESK, LIFECYCLE, SEVEN_STAGES.rulebook, SALESFORCE_DEFAULT.rulebook, odd):
        assert is_mermaid(book.to_mermaid())
    for text in (odd.to_mermaid(counted), odd.to_mermaid({("%%", "a:b"): 1})):
        assert is_mermaid(text)
    strange = dict.fromkeys(each for each in STRANGE if each is not None and _hashes(each))
    assert is_mermaid(Rulebook.free("x", strange).to_mermaid())


def _hashes(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


def test_a_drawing_that_mermaid_does_not_read_is_told_from_one_that_it_does():
    text = DESK.to_mermaid()
    assert is_mermaid(text)
    for broken in ("a: b", "a; b", "a #1 b", "%% c", "a\nb"):
        assert not is_mermaid(text.replace("'boss'", broken))
    assert not is_mermaid(text.replace('"open"', '"the "open""'))
    assert not is_mermaid(text.replace("stateDiagram-v2", "stateDiagram-v3"))


def test_a_state_that_cannot_be_printed_is_drawn_by_its_type():
    book = Rulebook.free("odd", [Unprintable(), "even"])
    assert "#lt;Unprintable#gt;" in book.to_mermaid()
    assert "\\<Unprintable\\>" in book.to_markdown()


# Counts


@pytest.mark.parametrize("draw", ["to_markdown", "to_mermaid"])
def test_counts_are_of_moves_between_states_of_the_rulebook(draw):
    counts = {
        "open": 1, ("open",): 1, ("shut", "ajar"): 1, ("ajar", "shut"): 2, ("open", None): 3,
        ("open", "shut"): 1.5, ("shut", "open"): -1, ("shut", "locked"): True,
    }  # fmt: skip
    with pytest.raises(InvalidValueError) as caught:
        getattr(DOOR, draw)(counts)
    assert caught.value.faults == (
        "'open' is no pair of states of the rulebook",
        "('open',) is no pair of states of the rulebook",
        "('shut', 'ajar') is no pair of states of the rulebook",
        "('ajar', 'shut') is no pair of states of the rulebook",
        "('open', None) is no pair of states of the rulebook",
        "('open', 'shut') was made 1.5 times",
        "('shut', 'open') was made -1 times",
        "('shut', 'locked') was made True times",
    )


@pytest.mark.parametrize("draw", ["to_markdown", "to_mermaid"])
def test_strange_counts_are_refused(draw):
    check_door(getattr(DOOR, draw), takes=lambda x: x is None or x == {})
    check_door(
        lambda times: getattr(DOOR, draw)({("open", "shut"): times}),
        takes=lambda x: type(x) is int and 0 <= x < 100,
    )
    with pytest.raises(WrongTypeError, match="'counts' must be a mapping of pairs"):
        getattr(DOOR, draw)([(("open", "shut"), 1)])
    same = UserDict({("open", "shut"): 5})
    assert getattr(DOOR, draw)(same) == getattr(DOOR, draw)({**same})
