"""Conditions as plain data and back; the one JSON text of plain data."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest

from condition_strategies import HOSTILE_VALUES
from contracts import STRANGE
from salespipeline._kinds import Kind
from salespipeline._plain import (
    Faults,
    canonical,
    plain_condition,
    plain_value,
    read_condition,
    read_value,
)
from salespipeline.conditions import (
    ALWAYS,
    NEVER,
    AllOf,
    AnyOf,
    Named,
    Op,
    Test,
    absent,
    all_of,
    any_of,
    approved_by,
    at_least,
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
from salespipeline.errors import InvalidValueError
from salespipeline.money import Money

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
MOST = 2**53 - 1
TOO_LONG = 10**9 * 86_400


class Stage(StrEnum):
    WON = "won"


class Level(IntEnum):
    ONE = 1


def read(data):
    """The condition that is read, and the faults."""
    faults = Faults()
    return read_condition(data, "when", faults), faults.found


# The one text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (MOST, "9007199254740991"),
        (-MOST, "-9007199254740991"),
        (Level.ONE, "1"),
        (Stage.WON, '"won"'),
        ("", '""'),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2, {}], "a"], '[1,[2,{}],"a"]'),
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ({"": 1, "A": 2, "a": 3, "1": 4, "10": 5, "2": 6}, '{"":1,"1":4,"10":5,"2":6,"A":2,"a":3}'),
    ],
)
def test_plain_data_have_one_text(data, text):
    assert canonical(data) == text


def test_names_are_ordered_by_their_utf_16_code_units():
    # the example of RFC 8785, section 3.2.3: an astral character comes before U+FB33
    names = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(names)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\b\t\n\f\r", r'"\b\t\n\f\r"'),
        ('"\\/', r'"\"\\/"'),
        ("\x00\x1f\x0b", r'"\u0000\u001f\u000b"'),
        ("\x7f\x80\u2028\u2029", '"\x7f\x80\u2028\u2029"'),
        ("€ é 🐍 </script>", '"€ é 🐍 </script>"'),
        ("\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"/", '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
    ],
)
def test_text_is_escaped_where_it_must_be_and_nowhere_else(text, written):
    assert canonical(text) == written
    assert canonical({text: 1}) == f"{{{written}:1}}"


@pytest.mark.parametrize(
    "data",
    [
        0.5,
        1.0,
        float("nan"),
        MOST + 1,
        -MOST - 1,
        10**5000,
        Decimal(1),
        (1, 2),
        {1: 2},
        {None: 1},
        "\ud800",
        {"\udfff": 1},
        [b"a"],
        {"a": {"b": [set()]}},
        AT,
    ],
    ids=range(15),
)
def test_what_has_no_such_text_is_refused(data):
    with pytest.raises(InvalidValueError, match=r"^plain data: ") as caught:
        canonical(data)
    assert len(str(caught.value)) < 200


def test_lists_too_deep_are_refused():
    deep = []
    for _ in range(63):
        deep = [deep]
    assert canonical(deep) == "[" * 64 + "]" * 64
    ring = {}
    ring["ring"] = [ring]
    for data in ([deep], {"a": deep}, ring):
        with pytest.raises(InvalidValueError, match="has no canonical text"):
            canonical(data)


# Values


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        ("a", "a"),
        (Stage.WON, "won"),
        (5, 5),
        (Level.ONE, 1),
        (MOST, MOST),
        (MOST + 1, "9007199254740992"),
        (1 - 10**60, "-" + "9" * 60),
        (10**60, "1" + "0" * 58 + "…"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E-60"), "0." + "0" * 59 + "1"),
        (Decimal("1E+61"), "Decimal('1E+61')"),
        (Decimal("NaN"), "Decimal('NaN')"),
        (0.5, "0.5"),
        (Money("1.5", "EUR"), {"currency": "EUR", "minor": 150}),
        (Money(10**20, "EUR"), {"currency": "EUR", "minor": "10000000000000000000000"}),
        (AT, "2026-03-01T09:00:00.000000Z"),
        (AT.astimezone(timezone(timedelta(hours=2))), "2026-03-01T09:00:00.000000Z"),
        (datetime.min.replace(tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
        (date(2026, 3, 1), "2026-03-01"),
        (timedelta(days=2, seconds=1), 172_801),
        (("b", "a", 1), ["b", "a", 1]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({3, 20}, [20, 3]),
        ([[(1,)]], [[[1]]]),
        ("\ud800", r"'\ud800'"),
        (datetime(2026, 3, 1), "datetime.datetime(2026, 3, 1, 0, 0)"),  # noqa: DTZ001
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_a_value_has_plain_data(value, plain):
    made = plain_value(value)
    assert made == plain
    assert type(made) is type(plain)
    assert canonical(made)


def test_any_value_at_all_has_plain_data():
    for value in (*STRANGE, *HOSTILE_VALUES):
        assert canonical(plain_value(value))
    deep = []
    for _ in range(20):
        deep = [deep]
    assert plain_value(deep) == [[[[[[[["[[[[[[[[[[[[[]]]]]]]]]]]]]"]]]]]]]]
    ring = []
    ring.append(ring)
    assert "[...]" in canonical(plain_value(ring))


# Conditions, as written

DOCUMENTS = [
    (present("amount"), {"op": "present", "field": "amount"}),
    (absent("record.amount"), {"op": "absent", "field": "amount"}),
    (equals("owner", "ann"), {"op": "equals", "field": "owner", "kind": "text", "value": "ann"}),
    (not_equals("open", True),
     {"op": "not_equals", "field": "open", "kind": "flag", "value": True}),
    (at_least("attributes.seats", 5),
     {"op": "at_least", "field": "attributes.seats", "kind": "number", "value": 5}),
    (less("seats", Decimal("0.50")),
     {"op": "less", "field": "seats", "kind": "number", "value": "0.5"}),
    (more("seats", 2**53), {"op": "more", "field": "seats", "kind": "number",
                            "value": "9007199254740992"}),
    (equals("seats", 1 - 10**60),
     {"op": "equals", "field": "seats", "kind": "number", "value": "-" + "9" * 60}),
    (less("amount", Money("1.5", "EUR")),
     {"op": "less", "field": "amount", "kind": "money",
      "value": {"currency": "EUR", "minor": 150}}),
    (more("amount", Money(10**20, "EUR")),
     {"op": "more", "field": "amount", "kind": "money",
      "value": {"currency": "EUR", "minor": "10000000000000000000000"}}),
    (less("day", date(2026, 3, 1)),
     {"op": "less", "field": "day", "kind": "date", "value": "2026-03-01"}),
    (less("move.at", AT), {"op": "less", "field": "move.at", "kind": "instant",
                           "value": "2026-03-01T09:00:00.000000Z"}),
    (made_by("rep", "manager"),
     {"op": "in", "field": "move.role", "kind": "text", "values": ["manager", "rep"]}),
    (not_(one_of("seats", [2, 1, Decimal("1.5")])),
     {"op": "not_in", "field": "seats", "kind": "number", "values": [1, "1.5", 2]}),
    (one_of("day", [date(2026, 3, 1)]),
     {"op": "in", "field": "day", "kind": "date", "values": ["2026-03-01"]}),
    (approved_by("finance"), {"op": "contains", "field": "approvals", "value": "finance"}),
    (not_(contains("tags", "a")), {"op": "lacks", "field": "tags", "value": "a"}),
    (spent_at_least(timedelta(days=7)),
     {"op": "elapsed", "field": "move.entered_at", "seconds": 604_800}),
    (not_(elapsed(timedelta(), since="since")),
     {"op": "not_elapsed", "field": "since", "seconds": 0}),
    (named("credit", {"n": 1, "a": "x", "yes": True}),
     {"op": "named", "name": "credit", "negated": False,
      "params": {"a": "x", "n": 1, "yes": True}}),
    (not_(named("credit")), {"op": "named", "name": "credit", "negated": True, "params": {}}),
    (ALWAYS, {"op": "all", "conditions": []}),
    (NEVER, {"op": "any", "conditions": []}),
    (all_of(present("a"), any_of(present("b"), absent("c"))),
     {"op": "all", "conditions": [
         {"op": "present", "field": "a"},
         {"op": "any", "conditions": [
             {"op": "present", "field": "b"}, {"op": "absent", "field": "c"}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "document"), DOCUMENTS, ids=str)
def test_a_condition_is_written_and_read(condition, document):
    assert plain_condition(condition) == document
    assert json.loads(canonical(document)) == document
    assert read(document) == (condition, [])


def test_every_operator_is_written_in_one_of_these_documents():
    met = {document["op"] for _, document in DOCUMENTS}
    assert {*Op, "all", "any", "named"} - met == {"at_most"}


def test_a_document_is_read_as_it_is_written():
    one = AllOf((AllOf((present("a"),)), AnyOf((AnyOf(()),))))
    assert read(plain_condition(one)) == (one, [])
    assert plain_condition(one) != plain_condition(present("a"))


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("number", "5", 5),
        ("number", "5.0", 5),
        ("number", "-0", 0),
        ("number", "-0.10", Decimal("-0.1")),
        ("money", {"minor": "150", "currency": "EUR"}, Money("1.5", "EUR")),
        ("instant", "2026-03-01T09:00:00Z", AT),
        ("instant", "2026-03-01T09:00:00.000Z", AT),
        ("instant", "2026-03-01T09:00:00.1Z", AT.replace(microsecond=100_000)),
    ],
)
def test_numbers_and_instants_may_be_written_in_any_exact_way(kind, written, value):
    document = {"op": "equals", "field": "x", "kind": kind, "value": written}
    assert read(document) == (equals("x", value), [])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text", 5),
        ("text", None),
        ("text", "a" * 1001),
        ("text", "\ud800"),
        ("flag", 1),
        ("flag", "true"),
        ("number", True),
        ("number", 5.0),
        ("number", 0.5),
        ("number", float("nan")),
        ("number", MOST + 1),
        ("number", 10**5000),
        ("number", ""),
        ("number", "+5"),
        ("number", "05"),
        ("number", "5."),
        ("number", ".5"),
        ("number", "1e3"),
        ("number", "NaN"),
        ("number", "Infinity"),
        ("number", " 5"),
        ("number", "5\n"),
        ("number", "1_000"),
        ("number", "\u0665"),
        ("number", "9" * 61),
        ("number", "0." + "0" * 60 + "1"),
        ("number", "9" * 10_000),
        ("money", 5),
        ("money", "5 EUR"),
        ("money", {"currency": "EUR"}),
        ("money", {"minor": 5}),
        ("money", {"currency": "eur", "minor": 5}),
        ("money", {"currency": 5, "minor": 5}),
        ("money", {"currency": "EUR", "minor": 5, "amount": 5}),
        ("money", {"currency": "EUR", "minor": 0.5}),
        ("money", {"currency": "EUR", "minor": "0.5"}),
        ("money", {"currency": "EUR", "minor": "9" * 90}),
        ("money", {"currency": "EUR", "minor": True}),
        ("date", "2026-13-01"),
        ("date", "2026-02-29"),
        ("date", "20260301"),
        ("date", "2026-W09-7"),
        ("date", "0000-01-01"),
        ("date", "2026-03-01T00:00:00Z"),
        ("date", 20260301),
        ("instant", "2026-03-01"),
        ("instant", "2026-03-01T09:00:00"),
        ("instant", "2026-03-01T09:00:00+00:00"),
        ("instant", "2026-03-01 09:00:00Z"),
        ("instant", "2026-03-01T09:00:00z"),
        ("instant", "2026-03-01T24:00:00Z"),
        ("instant", "2026-03-01T23:59:60Z"),
        ("instant", "2026-03-01T09:00:00.1234567Z"),
        ("instant", 1_772_355_600),
    ],
    ids=range(54),
)
def test_a_value_that_is_not_of_the_declared_kind_is_a_fault(kind, data):
    condition, found = read({"op": "equals", "field": "x", "kind": kind, "value": data})
    assert condition is None
    assert len(found) == 1
    assert found[0].startswith("when.value: must be ")
    assert len(found[0]) < 200


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        ("equals", "any"),
        ("equals", "texts"),
        ("less", "flag"),
        ("less", "any"),
        ("in", "flag"),
        ("in", "instant"),
        ("in", "money"),
        ("not_in", "any"),
        ("equals", "Text"),
        ("equals", 5),
        ("equals", None),
        ("equals", []),
        ("in", {}),
    ],
    ids=str,
)
def test_a_kind_that_an_operator_cannot_compare_is_a_fault(op, kind):
    value = {"values": ["x"]} if op in {"in", "not_in"} else {"value": "x"}
    condition, found = read({"op": op, "field": "x", "kind": kind, **value})
    assert condition is None
    assert len(found) == 1
    assert found[0].startswith("when.kind: must be text, ")
    assert found[0].endswith(f"(got {kind!r})")


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        ("present", ["when: must be an object with an 'op' (got 'present')"]),
        ([], ["when: must be an object with an 'op' (got [])"]),
        ({}, ["when: must be an object with an 'op' (got {})"]),
        ({"Op": "present"}, ["when: must be an object with an 'op' (got {'Op': 'present'})"]),
        ({"op": "present"}, ["when: lacks 'field'"]),
        ({"op": "present", "field": "x", "value": None},
         ["when: has the unknown 'value'; known: op, field"]),
        ({"op": "equals", "field": "x", "Kind": "text", "value ": "a"},
         ["when: lacks 'kind'", "when: lacks 'value'",
          "when: has the unknown 'Kind', 'value '; known: op, field, kind, value"]),
        ({"op": "equals", "field": "__x", "kind": "text", "value": 5},
         ["when.field: '__x' names a part that begins with '__'",
          "when.value: must be text (got 5)"]),
        ({"op": "present", "field": "record.x"}, ["when.field: must be 'x' (got 'record.x')"]),
        ({"op": "present", "field": None},
         ["when.field: must be text that is not empty (got None)"]),
        ({"op": "less", "field": "move.role", "kind": "number", "value": 5},
         ["when: 'move.role' holds text, and is held against number"]),
        ({"op": "contains", "field": "x", "value": ""},
         ["when.value: must be text that is not empty (got '')"]),
        ({"op": "lacks", "field": "x", "value": ["a"]}, ["when.value: must be text (got ['a'])"]),
        ({"op": "in", "field": "x", "kind": "text", "values": ["a", 5, None]},
         ["when.values[1]: must be text (got 5)", "when.values[2]: must be text (got None)"]),
        ({"op": "in", "field": "x", "kind": "number", "values": [1, "1.0"]},
         ["when.values: lists a value twice"]),
        ({"op": "in", "field": "x", "kind": "text", "values": []},
         ["when.values: must be 1 to 200 texts, numbers or dates, all of one kind (got [])"]),
        ({"op": "in", "field": "x", "kind": "text", "values": "abc"},
         ["when.values: must be an array (got 'abc')"]),
        ({"op": "in", "field": "x", "kind": "text", "values": ["a"] * 201},
         ["when.values: must be an array of at most 200 items (got 201)"]),
        ({"op": "elapsed", "field": "x", "seconds": -1},
         ["when.seconds: must be a whole number from 0 to 86,399,999,999,999 (got -1)"]),
        ({"op": "elapsed", "field": "x", "seconds": TOO_LONG},
         [f"when.seconds: must be a whole number from 0 to {TOO_LONG - 1:,} (got {TOO_LONG})"]),
        ({"op": "elapsed", "field": "x", "seconds": True},
         ["when.seconds: must be a whole number from 0 to 86,399,999,999,999 (got True)"]),
        ({"op": "named", "name": "", "negated": 0, "params": None},
         ["when.name: must be text that is not empty (got '')",
          "when.params: must be a mapping of at most 200 names to values (got None)",
          "when.negated: must be a bool (got 0)"]),
        ({"op": "named", "name": "a", "negated": False, "params": {"n": 0.5}},
         ["when.params: must be text, bools or whole numbers by name (got 0.5)"]),
        ({"op": "named", "name": "a"}, ["when: lacks 'params'", "when: lacks 'negated'"]),
        ({"op": "all"}, ["when: lacks 'conditions'"]),
        ({"op": "any", "conditions": {}}, ["when.conditions: must be an array (got {})"]),
        ({"op": "all", "conditions": [
            {"op": "present", "field": "x"}, {"op": "absent", "field": "x"}]},
         ["when: 'x' must be present and must be absent"]),
        ({"op": "any", "conditions": [
            {"op": "all", "conditions": [None]},
            {"op": "present", "field": ""},
            {"op": "present", "field": "fine"}]},
         ["when.conditions[0].conditions[0]: must be an object with an 'op' (got None)",
          "when.conditions[1].field: must be text that is not empty (got '')"]),
    ],
    ids=str,
)  # fmt: skip
def test_every_fault_of_a_document_has_its_path(document, faults):
    assert read(document) == (None, faults)


@pytest.mark.parametrize("op", ["Present", "eval", "", 5, None, True, [], {}, 0.5, "x" * 10**6])
def test_an_operator_that_is_none_is_a_fault(op):
    condition, found = read({"op": op, "field": "x"})
    assert condition is None
    assert len(found) == 1
    assert found[0].startswith("when.op: must be one of all, any, named, present, absent, equals")
    assert len(found[0]) < 300


def test_a_text_enum_is_read_as_its_text():
    assert read({"op": Op.PRESENT, "field": Stage.WON}) == (present("won"), [])


# Hostile documents


def nested(levels, inner):
    for _ in range(levels):
        inner = {"op": "all", "conditions": [inner]}
    return inner


def test_a_document_is_at_most_eight_deep():
    leaf = {"op": "present", "field": "x"}
    condition, found = read(nested(7, leaf))
    assert plain_condition(condition) == nested(7, leaf)
    assert found == []
    path = "when" + ".conditions[0]" * 7
    for levels in (8, 9, 100):
        assert read(nested(levels, leaf)) == (None, [f"{path}: is more than 8 deep"])
    hollow = {"op": "any", "conditions": []}
    assert plain_condition(read(nested(7, hollow))[0]) == nested(7, hollow)
    assert read(nested(8, hollow)) == (None, [f"{path}: is more than 8 deep"])


def test_a_document_that_is_very_deep_or_holds_itself_is_a_fault():
    assert read(nested(10**5, None)) == (None, ["when: holds more than 200 conditions"])
    ring = {"op": "all"}
    ring["conditions"] = [ring]
    assert read(ring) == (None, ["when: holds more than 200 conditions"])
    deep = []
    for _ in range(10**5):
        deep = [deep]
    for document in (deep, {"op": deep}, {"op": "present", "field": deep}):
        condition, found = read(document)
        assert condition is None
        assert max(map(len, found)) < 300


def test_a_document_holds_at_most_two_hundred_conditions():
    tests = [{"op": "present", "field": f"f{n}"} for n in range(200)]
    condition, found = read({"op": "all", "conditions": tests})
    assert len(condition.conditions) == 200
    assert found == []
    too_many = (None, ["when: holds more than 200 conditions"])
    assert read({"op": "any", "conditions": [*tests, tests[0]]}) == too_many
    wide = {"op": "any", "conditions": [{"op": "all", "conditions": tests}] * 200}
    assert read({"op": "any", "conditions": [wide] * 200}) == too_many
    assert read({"op": "any", "conditions": [None] * 10**6}) == too_many


def test_the_faults_of_a_large_document_stay_short():
    many = {f"n{n}": n for n in range(10**5)}
    _, found = read({"op": "present", "field": "x", **many})
    assert len(found) == 1
    assert found[0].startswith("when: has the unknown 'n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6', ")
    assert found[0].endswith("'n7', 99,992 more; known: op, field")
    long = "x" * 10**7
    for document in (
        long,
        {"op": "present", "field": long},
        {"op": "equals", "field": "x", "kind": "text", "value": long},
        {"op": "equals", "field": "x", "kind": "number", "value": long},
        {"op": "named", "name": long, "params": many, "negated": False},
        {long: 1},
        {"op": "present", "field": "x", long: 1},
    ):
        condition, found = read(document)
        assert condition is None
        assert max(map(len, found)) < 300


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
def test_strange_values_anywhere_in_a_document_are_faults(strange):
    assert read(strange)[0] is None
    for _, document in DOCUMENTS:
        for name in document:
            condition, found = read({**document, name: strange})
            assert (condition is None) == bool(found)
            assert all(fault.startswith("when") and len(fault) < 600 for fault in found)


# Faults, for other readers


def test_a_value_of_a_kind_is_read_at_its_path():
    faults = Faults()
    assert read_value(Kind.TEXTS, ["b", "a"], "tags", faults) == frozenset({"a", "b"})
    assert read_value(Kind.ANY, 5, "any", faults) == 5
    assert faults.found == []
    assert read_value(Kind.TEXTS, ["b", 5], "tags", faults) is None
    assert read_value(Kind.TEXTS, "ab", "tags", faults) is None
    assert read_value(Kind.ANY, None, "any", faults) is None
    assert faults.found == [
        "tags: must be an array of text (got ['b', 5])",
        "tags: must be an array of text (got 'ab')",
        "any: must be anything (got None)",
    ]


def test_members_may_be_needed_or_not():
    faults = Faults()
    assert faults.keys({"a": 1, "b": 2}, "it", ("a",), ("b",)) == {"a": 1, "b": 2}
    assert faults.keys({"b": 2, "c": 3}, "it", ("a",), ("b",)) == {"b": 2, "c": 3}
    assert faults.keys("x", "it", ("a",)) == {}
    assert faults.found == [
        "it: lacks 'a'",
        "it: has the unknown 'c'; known: a, b",
        "it: must be an object (got 'x')",
    ]


def test_all_faults_of_a_maker_are_noted_at_its_path():
    faults = Faults()
    assert faults.tried("it", Named, "credit") == Named("credit")
    assert faults.tried("it", Test, "__x", Op.EQUALS, None) is None
    assert faults.tried("it", Money, "5", currency="eur") is None
    assert faults.tried("it", present, 5) is None
    assert [fault[:40] for fault in faults.found] == [
        "it: field: '__x' names a part that begin",
        "it: 'value' must be text, a bool, an exa",
        "it: 'eur' is not a three-letter upper-ca",
        "it: must be text that is not empty (got ",
    ]


def test_an_error_of_another_kind_keeps_its_words():
    def naive():
        return Money(5, "EUR") < Money(5, "USD")

    faults = Faults()
    assert faults.tried("it", naive) is None
    assert faults.found[0].startswith("it: cannot add or compare amounts of 'EUR', 'USD'")


def test_alternatives_are_read_whatever_their_contradictions():
    condition = any_of(all_of(present("x"), present("y")), absent("x"))
    assert read(plain_condition(condition)) == (condition, [])
