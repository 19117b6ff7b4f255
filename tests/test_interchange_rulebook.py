"""Rulebooks and their vectors as documents.

Run as a program, this file writes the shipped schema anew from the types.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from importlib.resources import files
from pathlib import Path
from shutil import which

import pytest

from contracts import check_door
from salespipeline import (
    HUBSPOT_DEFAULT,
    LIFECYCLE,
    SALESFORCE_DEFAULT,
    SEVEN_STAGES,
    SIX_STAGES,
    STANDARD_STATUSES,
    interchange,
)
from salespipeline.conditions import (
    NEVER,
    Facts,
    Move,
    Op,
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
    not_equals,
    one_of,
    present,
    spent_at_least,
)
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.interchange import (
    check_vectors,
    dump_rulebook,
    dump_vectors,
    load_rulebook,
    load_vectors,
    schema,
)
from salespipeline.interchange._documents import MOST_FAULTS
from salespipeline.interchange._schemas import SCHEMAS, rulebook_schema
from salespipeline.money import Money
from salespipeline.ownership import OWNED_LIFECYCLE
from salespipeline.rules import Code, Grant, Result, Rule, Rulebook, Way

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "v1"
READER = ROOT / "examples" / "rulebook.js"
SHIPPED = files("salespipeline.interchange").joinpath("schemas", "rulebook-1.json")


def at(day):
    """An instant, told by its day."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def written(value):
    """The schema as it is shipped."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


BOARD = Rulebook.forward(
    "board",
    ["todo", "doing", "done"],
    creation=["todo"],
    version=3,
    meaning="work goes on",
    rules=[
        Rule(
            "size known",
            all_of(at_least("size", Decimal("0.5")), not_(one_of("kind", ["epic", "bug"]))),
            ["todo", None],
            ["doing"],
            Way.FORWARD,
            "no surprises",
            "say how large it is",
        ),
        Rule("rest", any_of(spent_at_least(timedelta(hours=1)), made_by("lead")), targets=["done"]),
    ],
    grants=[Grant("lead", ["skip", "rest"])],
)
DEALS = SEVEN_STAGES.ruled(
    backward=False,
    skips=False,
    reopening=timedelta(days=30),
    required={"proposal": ["amount", "expected_close"]},
    verdicts={"lead_qualification": "qualified"},
    approvals={"closing": ["manager", "legal"]},
    reason_to_lose=True,
    required_to_win=["amount"],
    grants=[Grant("manager", ["no moves back"])],
).rulebook
BEGUN = [None], ["b"]
EVERYTHING = Rulebook.explicit(
    "every operator",
    {"naïve": ["b", "\U0001f40d"], "b": ["naïve", '"c" \\'], '"c" \\': ["b"], "\U0001f40d": []},
    rules=[
        Rule("text", all_of(equals("a.b", "x"), not_equals("c", ""), less("d", "\uff21")), *BEGUN),
        Rule("flags", any_of(equals("open", True), not_equals("context.q.open", True)), *BEGUN),
        Rule("number", all_of(more("n", 0), at_most("n", Decimal("1.005"))), *BEGUN),
        Rule("numbers", all_of(not_equals("n", 1), not_(one_of("n", [2, Decimal("2.5")]))), *BEGUN),
        Rule("money", all_of(at_least("m", Money(5, "EUR")), less("m", Money(9, "EUR"))), *BEGUN),
        Rule("yen", any_of(more("y", Money(500, "JPY")), absent("y")), *BEGUN),
        Rule("days", at_least("day", date(2024, 2, 29)), *BEGUN),
        Rule("instants", less("since", datetime(2025, 3, 30, 0, 30, 0, 1, tzinfo=UTC)), *BEGUN),
        Rule("texts", all_of(approved_by("boss"), not_(contains("tags", "cold"))), *BEGUN),
        Rule("large", any_of(at_least("big", 10**59), at_most("big", -(2**53))), *BEGUN),
        Rule("days listed", one_of("day", [date(2026, 1, 1), date(2026, 1, 2)]), way=Way.FORWARD),
        Rule("time", any_of(elapsed(timedelta(2), since="since"), present("record.move")), ["b"]),
        Rule("late", not_(elapsed(timedelta(9), since="move.entered_at")), way=Way.BACKWARD),
        Rule("where", any_of(equals("move.to", "b"), equals("move.from", "b"), made_by("boss"))),
        Rule("who", any_of(present("move.by"), at_least("move.at", at("2026-03-01"))), ["b"]),
        Rule("forbidden", NEVER, ['"c" \\'], ["b"], message="not like that"),
    ],
    grants=[Grant("böss", ["final", "who"])],
)
SHARED = {
    "lifecycle": LIFECYCLE,
    "owned lifecycle": OWNED_LIFECYCLE,
    "statuses": STANDARD_STATUSES.rulebook,
    "seven stages": SEVEN_STAGES.rulebook,
    "six stages": SIX_STAGES.rulebook,
    "hubspot": HUBSPOT_DEFAULT.rulebook,
    "salesforce": SALESFORCE_DEFAULT.rulebook,
    "board": BOARD,
    "deals": DEALS,
    "everything": EVERYTHING,
}
books = pytest.mark.parametrize("book", SHARED.values(), ids=list(SHARED))


def document(book=BOARD, **changes):
    """A document as plain data, with members changed."""
    return json.loads(dump_rulebook(book)) | changes


def refused(data, **arguments):
    """The faults for which a document is refused."""
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(InvalidValueError) as caught:
        load_rulebook(text, **arguments)
    assert caught.value.subject == "rulebook"
    return caught.value.faults


# Writing


def test_a_document_is_the_one_canonical_text_of_a_rulebook():
    door = Rulebook.explicit(
        "door",
        {"open": ["shut"], "shut": ["open"]},
        rules=[Rule("kéy", all_of(present("key"), more("n", Decimal("0.50"))), [None], ["shut"])],
        grants=[Grant("owner", ["kéy"])],
    )
    assert dump_rulebook(door) == (
        '{"course":"explicit","creation":["open","shut"],"fields":{"key":"any","n":"number"},'
        '"final":[],"format":"salespipeline.rulebook","format_version":1,'
        '"grants":[{"over":["kéy"],"role":"owner"}],"meaning":"",'
        '"moves":[["open","shut"],["shut","open"]],"name":"door","rules":[{"condition":'
        '{"conditions":[{"field":"key","op":"present"},'
        '{"field":"n","kind":"number","op":"more","value":"0.5"}],"op":"all"},'
        '"from":[null],"meaning":"","message":"","name":"kéy","to":["shut"],"way":"any"}],'
        '"skips":true,"states":["open","shut"],"version":1}'
    )


@books
def test_a_rulebook_is_read_as_it_was_written(book):
    text = dump_rulebook(book)
    read = load_rulebook(text)
    assert read == book
    assert read.fingerprint == book.fingerprint
    assert read.fields == book.fields
    assert dump_rulebook(read) == text


def test_states_of_a_text_enum_are_read_as_plain_text():
    assert {type(state) for state in load_rulebook(dump_rulebook(LIFECYCLE)).states} == {str}


def test_every_state_that_is_no_text_is_named():
    class Colour(Enum):
        RED = 1

    class Size(StrEnum):
        SMALL = "small"

    odd = Rulebook.free("odd", [Colour.RED, Size.SMALL, 7, ("a",), "half \ud800", "x" * 1001])
    for dump in (dump_rulebook, dump_vectors):
        with pytest.raises(InvalidValueError) as caught:
            dump(odd)
        assert [fault.split(":")[0] for fault in caught.value.faults] == [
            "states[0]", "states[2]", "states[3]", "states[4]", "states[5]",
        ]  # fmt: skip
        assert "must be text of at most 1,000 whole characters" in str(caught.value)


@pytest.mark.parametrize(
    ("book", "place"),
    [
        (Rulebook.free("x" * 1001, ["a"]), "name"),
        (Rulebook.free("x", ["a"], meaning="\udfff"), "meaning"),
        (Rulebook.free("x", ["a"], version=2**53), "version"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(book, place):
    with pytest.raises(InvalidValueError, match=f"^rulebook: {place}: must be"):
        dump_rulebook(book)


def test_a_document_too_long_to_be_read_back_is_not_written():
    rules = [Rule(str(n), present("x"), meaning="m" * 1000, message="m" * 1000) for n in range(500)]
    with pytest.raises(InvalidValueError, match="it takes more than 1,000,000 characters"):
        dump_rulebook(Rulebook.free("long", ["a"], rules=rules))


def test_what_is_no_rulebook_is_not_written():
    for call in (dump_rulebook, dump_vectors, lambda x: load_vectors("{}", x)):
        check_door(call)


# What is written otherwise


def test_order_and_white_space_count_for_nothing():
    data = document()
    data["creation"] = data["creation"][::-1]
    data["rules"][0]["from"].reverse()
    data["grants"][0]["over"].reverse()
    text = json.dumps(dict(reversed(data.items())), indent=3, ensure_ascii=True)
    assert load_rulebook(text) == BOARD


def test_exact_values_may_be_written_in_other_ways():
    data = document(EVERYTHING)
    spelt = json.dumps(data)
    for ours, other in (
        ('"1.005"', '"1.00500"'),
        ('"value": 0}', '"value": "0.0"}'),
        ("2026-03-01T00:00:00.000000Z", "2026-03-01T00:00:00Z"),
        ('"minor": 500', '"minor": "500"'),
    ):
        assert ours in spelt
        spelt = spelt.replace(ours, other)
    read = load_rulebook(spelt)
    assert read == EVERYTHING
    assert dump_rulebook(read) == dump_rulebook(EVERYTHING)


# Faults of a document


MEMBERS = (
    "name, version, meaning, states, course, skips, moves, creation, final, fields, rules, grants"
)
NUMBER = "must be a whole number of at most 2^53 - 1, or any number as text"
CODES = "backward, final, not_a_creation_state, skip"
OPERATORS = ("all", "any", "named", *Op)


def test_every_fault_is_named_with_its_path():
    data = document(
        name="",
        version=True,
        meaning=None,
        course="sideways",
        skips=1,
        creation=["todo", "later", "todo"],
        moves=[["todo"], ["todo", "never"]],
        colour="red",
    )
    del data["final"]
    data["states"].append("done")
    first, second = data["rules"]
    first["condition"]["conditions"][0]["value"] = 0.5
    first["condition"]["conditions"][1] = {"op": "matches", "field": "kind", "value": ".*"}
    first["from"] = ["never", None]
    first["way"] = "up"
    second["name"] = "size known"
    second["to"] = "all"
    data["grants"] = [{"role": "lead", "over": ["backward", "nothing"]}, {"over": []}, 5]
    faults = refused(data)
    assert [fault.partition(" (got")[0] for fault in faults] == [
        "the document: lacks 'final'",
        f"the document: has the unknown 'colour'; known: {MEMBERS}",
        "states[3]: is there twice",
        "name: must be text that is not empty",
        "course: unknown course: 'sideways'; known: 'forward', 'free', 'explicit'",
        "skips: must be a bool",
        "moves[0]: must be an array of two states",
        "moves[1][1]: must be one of the states",
        "creation[1]: must be one of the states",
        "creation[2]: is there twice",
        "version: must be a whole number",
        "meaning: must be text of at most 1,000 whole characters",
        f"rules[0].condition.conditions[0].value: {NUMBER}",
        f"rules[0].condition.conditions[1].op: must be one of {', '.join(OPERATORS)}",
        "rules[0].from[0]: must be one of the states",
        "rules[0].way: unknown way: 'up'; known: 'any', 'forward', 'backward', 'skip'",
        "rules[1].name: is that of another rule",
        "rules[1].to: must be an array",
        f"grants[0].over[1]: must be the name of a rule, or one of {CODES}",
        "grants[1]: lacks 'role'",
        "grants[2]: must be an object",
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"states": []}, "states: must hold at least one state"),
        ({"states": [f"s{n}" for n in range(1001)]}, "states: must be an array of at most 1,000"),
        ({"states": ["a", ["b"]]}, "states[1]: must be text of at most"),
        ({"version": 0}, "version: must be a whole number from 1 to 2^53 - 1"),
        ({"version": 2**53}, "version: must be a whole number from 1 to 2^53 - 1"),
        ({"version": 10**400}, "version: must be a whole number"),
        ({"fields": {}}, "rules[0].condition: rule 'size known': there is no field 'kind'"),
        ({"fields": {}}, "fields: lacks 'move.role', which a rule asks for"),
        ({"fields": []}, "fields: must be a dict"),
        ({"fields": {"kind": "colour"}}, "fields['kind']: unknown kind: 'colour'"),
        ({"grants": [{"role": "x", "over": []}]}, "grants[0]: 'x' is granted nothing"),
        ({"grants": [{"role": "x", "over": ["skip"] * 2}]}, "grants[0].over[1]: is there twice"),
        ({"final": None}, "final: must be an array"),
        ({"moves": "no"}, "moves: must be an array"),
    ],
)  # fmt: skip
def test_a_fault_is_named(change, fault):
    assert any(found.startswith(fault) for found in refused(document(**change)))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": "skip"}, "rules[0].name: is that of a denial (got 'skip')"),
        ({"from": ["todo", "todo"]}, "rules[0].from[1]: is there twice (got 'todo')"),
        ({"from": [None, None]}, "rules[0].from[1]: is there twice (got None)"),
        ({"way": "skip"}, "rules[0]: a skip passes over one of its targets"),
        ({"message": 5}, "rules[0].message: must be text"),
        ({"condition": None}, "rules[0].condition: "),
        ({"condition": {"op": []}}, "rules[0].condition"),
        (
            {"condition": {"op": "named", "name": "ask", "negated": False, "params": {}}},
            "rules[0].condition: asks 'ask', and no such predicate is given",
        ),
        ({"condition": {"op": "present", "field": "record.x"}}, "rules[0].condition.field: "),
        ({"condition": {"op": "present", "field": "__class__"}}, "rules[0].condition.field: "),
    ],
)  # fmt: skip
def test_a_fault_of_a_rule_is_named(change, fault):
    data = document(grants=[])
    data["rules"][0] |= change
    assert any(found.startswith(fault) for found in refused(data))


def test_the_fields_are_those_that_the_rules_ask_for():
    data = document()
    data["fields"] = {"kind": "number", "size": "any", "color": "text", "move.role": "text"}
    assert refused(data) == (
        "rules[0].condition: rule 'size known': 'kind' holds number, and is held against text",
        "fields: lacks 'move.entered_at', which a rule asks for",
        "fields['kind']: is asked for by no rule",
        "fields['size']: must be 'number'",
        "fields['color']: is asked for by no rule",
    )


def test_a_rulebook_knows_the_kinds_of_fields_after_it_was_read():
    schema = {"amount": "money", "team.size": "number"}
    rules = [Rule("known", all_of(present("amount"), present("team.size")))]
    book = Rulebook.free("typed", ["a"], rules=rules, schema=schema)
    assert load_rulebook(dump_rulebook(book)).fields == schema


# JSON itself


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the document: is no JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{", "the document: is no JSON: Expecting property name"),
        ("\ufeff{}", "the document: is no JSON: "),
        ("[]", "the document: must be an object (got [])"),
        ("NaN", "the document: must be an object (got NaN)"),
        ("1.5", "the document: must be an object (got 1.5)"),
        ("9" * 5000, f"the document: must be an object (got {'9' * 59}…)"),
        ("null", "the document: must be an object (got None)"),
        ("[" * 500_000, "the document: is nested too deeply"),
        ('{"a":' * 150_000, "the document: is nested too deeply"),
        (" " * 1_000_001, "the document: has more than 1,000,000 characters"),
        ("{}", "format: must be 'salespipeline.rulebook' (got None)"),
        ('{"format": 5}', "format: must be 'salespipeline.rulebook' (got 5)"),
        (
            '{"format": "salespipeline.rulebook"}',
            "format_version: must be a whole number (got None)",
        ),
    ],
    ids=lambda text: text[:20],
)
def test_a_text_that_is_no_such_document_is_refused(text, fault):
    (found,) = refused(text)
    assert found.startswith(fault)


def test_text_is_needed():
    for call in (load_rulebook, lambda x: load_vectors(x, BOARD)):
        check_door(call)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "0.1", "1E5", "-1.0"])
def test_a_number_that_is_not_whole_is_refused_where_it_stands(number):
    text = dump_rulebook(BOARD).replace('"0.5"', number)
    (fault,) = refused(text)
    assert fault == f"rules[0].condition.conditions[0].value: {NUMBER} (got {number})"


def test_a_name_that_stands_twice_is_refused_where_it_stands():
    text = dump_rulebook(BOARD)
    twice = text.replace('"op":"at_least"', '"op":"at_least","op":"at_least"')
    assert refused(twice) == ("rules[0].condition.conditions[0]: has a name twice",)
    twice = text.replace('"size":"number"', '"size":"number","size":"number"')
    assert refused(twice) == ("fields: has a name twice",)
    assert refused(text.replace('"version":3', '"version":3,"version":3')) == (
        "the document: has a name twice",
    )
    odd = text.replace('"version":3', '"version":3,"a\\nb":[{"x":1,"x":2}]')
    assert refused(odd)[0] == "['a\\nb'][0]: has a name twice"


def test_a_name_that_stands_twice_very_deep_is_told_by_the_end_of_its_path():
    deep = '{"a":' * 100 + '{"x":1,"x":1}' + "}" * 100
    text = dump_rulebook(BOARD).replace('"version":3', f'"version":3,"deep":{deep}')
    first, second = refused(text)
    assert first == f"…{'.'.join('a' * 40)}: has a name twice"
    assert second.startswith("the document: has the unknown 'deep'")


def test_only_so_many_faults_are_told():
    faults = refused(document(moves=[[]] * 100_000))
    assert len(faults) == MOST_FAULTS + 1
    assert faults[0] == "moves[0]: must be an array of two states (got [])"
    assert faults[-1] == "the document: may have more"


# Versions


def test_a_newer_version_is_refused():
    assert refused(document(format_version=2)) == (
        "format_version: is 2, and 1 is the newest that is known here",
    )


def test_a_version_is_a_whole_number():
    for version in ("1", True, 1.0, None, [1]):
        (fault,) = refused(document(format_version=version))
        assert fault.startswith("format_version: must be a whole number (got ")


def lifted_states(data):
    """What a version 0 could have been: states under another name."""
    return {**{k: v for k, v in data.items() if k != "stages"}, "states": data["stages"]}


def test_an_older_document_is_lifted_version_by_version():
    data = document(format_version=-1, purpose="gone")
    data["stages"] = data.pop("states")
    steps = []

    def without_purpose(older):
        steps.append(-1)
        return {k: v for k, v in older.items() if k != "purpose"}

    def with_states(older):
        steps.append(0)
        return lifted_states(older)

    upcasters = {-1: without_purpose, 0: with_states}
    assert load_rulebook(json.dumps(data), upcasters=upcasters) == BOARD
    assert steps == [-1, 0]


def test_an_older_document_that_nothing_lifts_is_refused():
    assert refused(document(format_version=0)) == ("format_version: is 0, which no upcaster lifts",)
    assert refused(document(format_version=-(10**15)), upcasters={0: lifted_states}) == (
        "format_version: is -1000000000000000, which no upcaster lifts",
    )


def test_what_an_upcaster_cannot_lift_is_refused():
    assert refused(document(format_version=0), upcasters={0: lifted_states}) == (
        "the upcaster of version 0 raised KeyError('stages')",
    )
    assert refused(document(format_version=0), upcasters={0: lambda _: None}) == (
        "the upcaster of version 0 gave no dict (got None)",
    )
    odd = {0: lambda data: data | {"skips": 0.5, "states": ("todo",), 5: {6}, "fields": {7: {8}}}}
    assert "skips: must be a bool (got 0.5)" in refused(document(format_version=0), upcasters=odd)


def test_upcasters_and_predicates_are_mappings_of_functions():
    text = dump_rulebook(BOARD)
    for upcasters in ({0: "lift"}, [lifted_states], None):
        with pytest.raises(WrongTypeError, match="'upcasters' must be a mapping of versions"):
            load_rulebook(text, upcasters=upcasters)
    with pytest.raises(WrongTypeError, match="'predicates' must be a mapping of names"):
        load_rulebook(text, predicates=[len])
    assert refused(text, predicates={"ask": "no function"}) == (
        "the document: must be a function (got 'no function')",
    )


# Named predicates

ASKED = Rulebook.free(
    "asked",
    ["a", "b", "c"],
    rules=[
        Rule("good", not_(named("is_good", {"least": 5, "what": "ü", "hard": True})), ["a"], ["b"]),
        Rule("known", present("x"), ["a"], ["c"]),
    ],
    final=["b"],
    predicates={"is_good": lambda facts, **_: facts.record.get("good")},
)


def test_predicates_are_given_anew_where_a_rulebook_is_read():
    text = dump_rulebook(ASKED)
    read = load_rulebook(text, predicates=ASKED.predicates)
    assert read == ASKED
    assert not read.permits("a", "b", {"good": True})
    assert read.permits("a", "b", {"good": False})
    assert refused(text) == ("rules[0].condition: asks 'is_good', and no such predicate is given",)


def test_what_only_python_can_tell_is_left_out_of_vectors():
    data = json.loads(dump_vectors(ASKED))
    assert data["left_out"] == [{"from": "a", "to": "b"}]
    by_move = {(each["from"], each["to"]): each["expected"] for each in data["vectors"]}
    assert ("a", "b") not in by_move
    assert "alternatives" not in by_move["a", "c"]
    assert by_move["c", "c"]["alternatives"] == ["a", "b"]
    (there,) = by_move["a", "a"]["denials"]
    assert there == {"code": "already_there", "rule": "asked", "field": "target", "actual": "a"}
    (unknown,) = by_move["a", "unknown"]["denials"]
    assert unknown["expected"] == ["a", "b", "c"]
    assert check_vectors(dump_vectors(ASKED), ASKED) == ()


# Vectors


def test_a_vector_is_written_with_all_that_a_reader_needs():
    rule = Rule("size", at_least("card.size", Decimal("1.5")), targets=["b"])
    data = json.loads(dump_vectors(Rulebook.free("board", ["a", "b"], version=7, rules=[rule])))
    assert {key: data[key] for key in ("format", "format_version", "left_out")} == {
        "format": "salespipeline.rulebook.vectors", "format_version": 1, "left_out": [],
    }  # fmt: skip
    assert data["rulebook"]["name"] == "board"
    assert data["rulebook"]["version"] == 7
    moves = [each for each in data["vectors"] if (each["from"], each["to"]) == ("a", "b")]
    made = {"at": "2026-01-01T00:00:00.000000Z"}
    assert moves[0] == {
        "from": "a",
        "to": "b",
        "facts": {"record": {"card": {"size": "1.5"}}, "move": made, "context": {}},
        "expected": {"result": "allowed", "denials": [], "alternatives": []},
    }
    low = [each for each in data["vectors"] if each["facts"]["record"] == {"card": {"size": "1.4"}}]
    assert low[0]["expected"] == {
        "result": "denied",
        "denials": [
            {
                "code": "not_met",
                "rule": "size",
                "field": "card.size",
                "actual": "1.4",
                "expected": {
                    "op": "at_least", "field": "card.size", "kind": "number", "value": "1.5",
                },
            }
        ],
        "alternatives": ["a"],
    }  # fmt: skip


def test_facts_of_every_kind_are_read_as_they_were_written():
    text = dump_vectors(EVERYTHING)
    facts = [each.facts for each in load_vectors(text, EVERYTHING)]
    types = {
        name: {type(each.record[name]) for each in facts if name in each.record}
        for name in ("c", "open", "n", "m", "day", "since", "tags", "big")
    }
    assert types == {
        "c": {str, bool},
        "open": {bool, int},
        "n": {int, Decimal, bool},
        "m": {Money, bool},
        "day": {date, bool},
        "since": {datetime, bool},
        "tags": {frozenset, bool},
        "big": {int, Decimal, bool},
    }
    assert {type(each.move.at) for each in facts} == {datetime, type(None)}


@books
def test_every_vector_of_a_rulebook_holds_after_it_was_read(book):
    text = dump_vectors(book)
    assert check_vectors(text, load_rulebook(dump_rulebook(book))) == ()
    assert len(load_vectors(text, book)) == len(json.loads(text)["vectors"]) > 10


def test_a_vector_read_can_be_decided_by_hand():
    by_facts = {
        each.facts.record.get("size"): each
        for each in load_vectors(dump_vectors(BOARD), BOARD)
        if (each.source, each.target) == ("todo", "doing")
    }
    low = by_facts[Decimal("0.4")]
    assert low.expected["result"] == "denied"
    assert BOARD.decide("todo", "doing", low.facts.record).result is Result.DENIED
    assert hash(low)
    assert low.facts == Facts(low.facts.record, Move("todo", "doing", low.facts.move.at), {})


def test_a_decision_that_differs_is_told_at_each_level():
    data = json.loads(dump_vectors(BOARD))
    place, vector = next(
        (n, each) for n, each in enumerate(data["vectors"]) if each["expected"]["denials"]
    )
    for change in (
        {"result": "allowed"},
        {"denials": []},
        {"alternatives": ["done"]},
    ):
        data["vectors"][place] = vector | {"expected": vector["expected"] | change}
        (told,) = check_vectors(json.dumps(data), BOARD)
        assert told.startswith(f"vectors[{place}]: cannot ")
        assert f"the {next(iter(change))} must be {next(iter(change.values()))!r} (got " in told


def test_vectors_of_another_rulebook_are_refused():
    with pytest.raises(InvalidValueError, match=r"^test vectors: rulebook\.fingerprint: must be"):
        load_vectors(dump_vectors(BOARD), DEALS)


def vectors_refused(**changes):
    data = json.loads(dump_vectors(BOARD))
    first = data["vectors"][0]
    for name, value in changes.items():
        holder = data if name in data else first["facts"] if name in first["facts"] else first
        holder = first["expected"] if name in first["expected"] else holder
        holder[name] = value
    with pytest.raises(InvalidValueError) as caught:
        load_vectors(json.dumps(data), BOARD)
    return caught.value.faults


def nested(depth):
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"rulebook": 5}, "rulebook: must be an object (got 5)"),
        ({"left_out": [5]}, "left_out[0]: must be an object (got 5)"),
        ({"vectors": {}}, "vectors: must be an array"),
        ({"vectors": [7]}, "vectors[0]: must be an object (got 7)"),
        ({"from": 5}, "vectors[0].from: must be text or null (got 5)"),
        ({"to": None}, "vectors[0].to: must be text (got None)"),
        ({"record": []}, "vectors[0].facts.record: must be an object (got [])"),
        ({"record": {"size": [0.5]}}, "vectors[0].facts.record: holds 0.5: write it as"),
        ({"context": nested(20)}, "vectors[0].facts.context: is more than 16 deep"),
        ({"move": {"at": "2026-01-01"}}, "vectors[0].facts.move.at: must be an instant"),
        ({"move": {"when": 5}}, "vectors[0].facts.move: has the unknown 'when'"),
        ({"result": "maybe"}, "vectors[0].expected.result: unknown result: 'maybe'"),
        ({"denials": [{}]}, "vectors[0].expected.denials[0]: lacks 'code'"),
        (
            {"denials": [{"code": "no", "rule": "", "field": "", "actual": 0}]},
            "vectors[0].expected.denials[0].code: unknown code: 'no'",
        ),
    ],
)
def test_a_fault_of_vectors_is_named(changes, fault):
    assert any(found.startswith(fault) for found in vectors_refused(**changes))


# The schema


def test_the_shipped_schema_is_what_the_types_say():
    shipped = SHIPPED.read_text(encoding="utf-8")
    assert shipped == written(rulebook_schema()), "python tests/test_interchange_rulebook.py"
    assert schema("rulebook") == json.loads(shipped)
    assert schema("rulebook") is not schema("rulebook")
    assert list(SCHEMAS) == ["rulebook"]


def test_a_schema_that_there_is_not_is_refused():
    check_door(schema)
    with pytest.raises(UnknownKeyError, match="unknown schema: 'lead'; known: 'rulebook'"):
        schema("lead")


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema("rulebook"))
    return jsonschema.Draft202012Validator(schema("rulebook"))


@books
def test_every_document_is_one_by_the_schema(book, validator):
    assert list(validator.iter_errors(document(book))) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("name",), ""),
        (("format_version",), 2),
        (("colour",), "red"),
        (("states",), []),
        (("course",), "sideways"),
        (("version",), 0.5),
        (("creation",), ["todo", "todo"]),
        (("fields", "__class__"), "text"),
        (("fields", "record.size"), "number"),
        (("fields", "move.when"), "instant"),
        (("fields", "context"), "any"),
        (("fields", "a..b"), "any"),
        (("rules", 0, "condition", "op"), "some"),
        (("rules", 0, "condition", "conditions", 0, "value"), 0.5),
        (("rules", 0, "condition", "conditions", 0, "value"), "1e5"),
        (("rules", 0, "condition", "conditions", 0, "kind"), "flag"),
        (("rules", 0, "condition", "conditions", 1, "values"), ["a", "a"]),
        (("rules", 0, "condition", "conditions", 1, "value"), "a"),
        (("rules", 0, "to"), "all"),
        (("rules", 1, "condition", "conditions", 0, "seconds"), -1),
        (("grants", 0, "over"), []),
    ],
)
def test_what_the_schema_refuses_reading_refuses_too(place, value, validator):
    data = document()
    holder = data
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    assert not validator.is_valid(data)
    assert refused(data)


def test_a_path_in_the_schema_is_one_that_conditions_take(validator):
    for path in ("a", "record.move", "record.record", "move.at", "context.a.b", "recordx", "a.__b"):
        data = document(rules=[], grants=[], fields={path: "any"})
        assert validator.is_valid(data) is (path != "a.__b"), path


# What is written about the format


def codes_listed():
    """The codes in the table of the page about the format."""
    page = (ROOT / "docs" / "reference" / "interchange.md").read_text(encoding="utf-8")
    part = page[page.index("## Codes of denials") :]
    return re.findall(r"^\| `([a-z_]+)` \|", part, flags=re.MULTILINE)


def test_the_codes_of_version_one_are_those_that_the_page_and_the_schema_list():
    assert codes_listed() == sorted(code.value for code in Code)
    assert schema("rulebook")["$defs"]["code"]["enum"] == [code.value for code in Code]


# Documents that must read for ever


def golden(name):
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


GOLDEN_PRINTS = {
    "rulebook-every-operator": "ed216b1db1527a7abf152786c738d26fadc40a69f159a401e45fef719221216d",
    "rulebook-deals": "52a5e2eadc04aa907b69409a24aedd23730e04167c602a7f73281c9c80bf2b52",
}


@pytest.mark.parametrize(("name", "print_"), GOLDEN_PRINTS.items(), ids=list(GOLDEN_PRINTS))
def test_a_document_of_version_one_reads_for_ever(name, print_):
    text = golden(name)
    book = load_rulebook(text)
    assert book.fingerprint == print_
    assert dump_rulebook(book) == text
    assert check_vectors(golden(f"{name}.vectors"), book) == ()


def test_a_document_written_by_hand_reads_for_ever():
    predicates = {"in_hours": lambda _, zone: zone == "Europe/Berlin"}
    book = load_rulebook(golden("rulebook-by-hand"), predicates=predicates)
    assert book == Rulebook.explicit(
        "ticket",
        {"new": ["open"], "open": ["done", "new"], "done": []},
        creation=["open", "new"],
        version=2,
        meaning="one at a time",
        rules=[
            Rule(
                "worth it", any_of(at_least("amount", Money("10.00", "EUR")), equals("vip", True))
            ),
            Rule("in hours", named("in_hours", {"zone": "Europe/Berlin"}), [None], message="later"),
            Rule("settled", elapsed(timedelta(days=1), since="since"), ["open"], ["done"]),
        ],
        grants=[Grant("boss", ["final", "worth it"])],
        predicates=predicates,
    )
    record = {"vip": True, "since": at("2026-03-01")}
    assert book.permits("open", "done", record, at=at("2026-03-02"))
    assert not book.permits("open", "done", record, at=at("2026-03-01"))


# A second reader, in another language

NODE = which("node") or ""
needs_node = pytest.mark.skipif(not NODE, reason="Node is not installed")


def reader_says(*paths):
    """What the reader in JavaScript says of pairs of files, and how it ends."""
    done = subprocess.run(  # noqa: S603 - our own example
        [NODE, READER, *paths], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.stderr == ""
    return done.stdout, done.returncode


def put_down(folder, book, number=0):
    """The paths of a rulebook and its vectors, written to a folder."""
    paths = [folder / f"{number}.rulebook.json", folder / f"{number}.vectors.json"]
    for path, text in zip(paths, (dump_rulebook(book), dump_vectors(book)), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


@needs_node
def test_the_reader_in_javascript_decides_every_vector_alike(tmp_path):
    books = [*SHARED.values(), ASKED]
    paths = [path for n, book in enumerate(books) for path in put_down(tmp_path, book, n)]
    vectors = sum(len(json.loads(path.read_bytes())["vectors"]) for path in paths[1::2])
    assert reader_says(*paths) == (f"{vectors} vectors, 0 differ\n", 0)


@needs_node
@pytest.mark.parametrize(
    ("change", "level"),
    [
        (lambda expected: expected.update(result="failed"), 1),
        (lambda expected: expected["denials"][0].update(code="final"), 2),
        (lambda expected: expected["denials"][0].update(actual="x"), 3),
        (lambda expected: expected["alternatives"].append("x"), 3),
    ],
)
def test_the_reader_in_javascript_tells_a_difference(change, level, tmp_path):
    rulebook, vectors = put_down(tmp_path, BOARD)
    data = json.loads(vectors.read_bytes())
    place = next(n for n, each in enumerate(data["vectors"]) if each["expected"]["denials"])
    change(data["vectors"][place]["expected"])
    vectors.write_text(json.dumps(data), encoding="utf-8")
    said, code = reader_says(rulebook, vectors)
    assert said.startswith(f"{vectors}: vectors[{place}]: differs at level {level}\n")
    assert code == 1


@needs_node
def test_the_reader_in_javascript_is_short_and_needs_nothing():
    code = READER.read_text(encoding="utf-8")
    assert len(code.splitlines()) <= 200
    assert re.findall(r"require\((.*?)\)", code) == ['"node:fs"']


@needs_node
def test_the_reader_in_javascript_answers_a_service(tmp_path):
    rulebook, _ = put_down(tmp_path, BOARD)
    asked = f"""
const {{decide}} = require({json.dumps(str(READER))});
const book = JSON.parse(require("node:fs").readFileSync({json.dumps(str(rulebook))}, "utf8"));
const {{result, denials, alternatives}} = decide(book, "todo", "done", {{move: {{role: "clerk"}}}});
console.log(JSON.stringify([result, denials.map((each) => each.code), alternatives]));
console.log(decide(book, "doing", "done", {{move: {{role: "lead"}}}}).result);
"""
    done = subprocess.run(  # noqa: S603 - our own code
        [NODE, "-e", asked], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert json.loads(first) == ["denied", ["missing_field", "role_needed"], []]
    assert second == "allowed"


# What importing costs


def test_the_modules_of_documents_are_imported_when_they_are_asked_for():
    code = (
        "import salespipeline, sys; print(*(name for name in sys.modules if 'salespipe' in name))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    late = ("interchange", "rules.reading", "rules.vectors")
    assert "salespipeline.rules.book" in loaded
    assert [name for name in loaded if any(each in name for each in late)] == []
    assert interchange.__all__ == sorted(interchange.__all__)


if __name__ == "__main__":
    Path(str(SHIPPED)).write_text(written(rulebook_schema()), encoding="utf-8")
