"""What conditions answer of facts, by the judge and by the compiled question."""

import gc
import io
import keyword
import re
import tokenize
import weakref
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from itertools import product
from types import MappingProxyType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condition_strategies import PREDICATES, Liar, Plain, Properties, Raiser, Role, Text
from contracts import Unprintable
from salespipeline import Deal, Money
from salespipeline._verdicts import Leaf, Verdict, compiled, judge
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.conditions import (
    ALWAYS,
    NEVER,
    AllOf,
    AnyOf,
    Facts,
    Move,
    Named,
    Op,
    Test,
    absent,
    all_of,
    any_of,
    approved_by,
    at_least,
    at_most,
    contains,
    elapsed,
    equals,
    leaves,
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
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import SIX_STAGES

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ZONE = timezone(timedelta(hours=2))
MOVE = Move("open", "won", AT, "ann", "manager", AT - DAY)
MISSING = object()


def about(value, move=MOVE, context=EMPTY):
    """Facts about one field, ``x``."""
    return Facts({} if value is MISSING else {"x": value}, move, context)


def answer(condition, facts, predicates=PREDICATES):
    return judge(condition, facts, predicates).answer


# What each operator answers: of what was found, then the answer

EURO = Money(5, "EUR")
ANSWERS = [
    (present("x"), {True: ["", 0, False, "a", (), float("nan")], False: [None, MISSING]}),
    (absent("x"), {True: [None, MISSING], False: ["", 0, False, "a"]}),
    (equals("x", "a"), {
        True: ["a", Text("a")], False: ["b", "", "A"], None: [5, b"a", ["a"], None, MISSING],
    }),
    (equals("x", "won"), {True: ["won"], False: [LifecycleStage.LEAD], None: [True]}),
    (equals("x", "lead"), {True: [LifecycleStage.LEAD], False: [LifecycleStage.CUSTOMER]}),
    (not_equals("x", "a"), {True: ["b"], False: ["a"], None: [5, None, MISSING]}),
    (equals("x", True), {True: [True], False: [False], None: [1, 0, "true", None]}),
    (not_equals("x", True), {True: [False], False: [True], None: [1, 0, "true", None]}),
    (equals("x", 1), {
        True: [1, 1.0, Decimal("1.00")], False: [0, Decimal("1.01"), 10**4000],
        None: [True, "1", Decimal("NaN"), float("inf"), None],
    }),
    (equals("x", Decimal("0.1")), {True: [Decimal("0.10")], False: [0.1, 0, 10**4000]}),
    (less("x", 5), {
        True: [4, Decimal("4.999"), 4.5, -(10**4000), Decimal("-1E+999999")],
        False: [5, 5.0, Decimal("1E+999999"), 10**4000], None: [True, "4", Decimal("sNaN"), None],
    }),
    (at_most("x", 5), {True: [5, 4], False: [6, Decimal("5.0001")], None: [False]}),
    (more("x", Decimal("0.5")), {True: [1, 0.51, 10**4000], False: [0.5, 0, -(10**4000)]}),
    (at_least("x", 2**53 + 1), {True: [2**53 + 1], False: [2**53, float(2**53)]}),
    (less("x", "b"), {True: ["a", "B", ""], False: ["b", "é", "\uffff"], None: [5]}),
    (less("x", "\U00010000"), {True: ["\uffff"], False: ["🐍"]}),
    (at_least("x", EURO), {
        True: [EURO, Money(6, "EUR")], False: [Money("4.99", "EUR")],
        None: [Money(6, "USD"), Money(500, "JPY"), 5, Decimal(5), None],
    }),
    (not_equals("x", EURO), {True: [Money(6, "EUR")], False: [EURO], None: [Money(5, "USD")]}),
    (less("x", date(2026, 1, 2)), {
        True: [date(2026, 1, 1)], False: [date(2026, 1, 2)], None: [AT, "2026-01-01", None],
    }),
    (at_most("x", AT), {
        True: [AT, AT.astimezone(ZONE), datetime(2026, 1, 1, 2, tzinfo=ZONE)],
        False: [datetime(2026, 1, 1, 1, tzinfo=UTC)],
        None: [datetime(2026, 1, 1), date(2026, 1, 1), "2026-01-01", None],  # noqa: DTZ001
    }),
    (one_of("x", ["a", "b"]), {True: ["a", Text("b")], False: ["c"], None: [5, None, ["a"]]}),
    (not_(one_of("x", ["a", "b"])), {True: ["c"], False: ["a"], None: [5, None, MISSING]}),
    (one_of("x", [1, Decimal("2.5")]), {True: [1, 2.5, Decimal("1.0")], False: [2], None: [True]}),
    (one_of("x", [date(2026, 1, 1)]), {True: [date(2026, 1, 1)], None: [AT]}),
    (contains("x", "a"), {
        True: [frozenset({"a"}), ["b", "a"], ("a",), {"a"}, frozenset({Text("a")})],
        False: [frozenset(), [], frozenset({"b"})],
        None: ["a", "abc", frozenset({"a", 5}), ["a", None], {"a": 1}, None],
    }),
    (not_(contains("x", "a")), {True: [(), ["b"]], False: [["a"]], None: [["b", 5], "b", None]}),
    (elapsed(DAY, since="x"), {
        True: [AT - DAY, AT - 2 * DAY, (AT - DAY).astimezone(ZONE)],
        False: [AT, AT + DAY, AT - DAY + timedelta(microseconds=1)],
        None: [None, MISSING, datetime(2025, 1, 1), date(2025, 1, 1)],  # noqa: DTZ001
    }),
    (not_(elapsed(DAY, since="x")), {True: [AT, AT + DAY], False: [AT - DAY], None: [None]}),
]  # fmt: skip
CASES = [(asked, said, found) for asked, by in ANSWERS for said in by for found in by[said]]


@pytest.mark.parametrize(
    ("condition", "said", "found"), CASES, ids=[f"{n}" for n in range(len(CASES))]
)
def test_a_test_answers_of_what_it_finds(condition, said, found):
    verdict = judge(condition, about(found))
    assert verdict.answer is said
    assert verdict.raised is False
    actual = None if found is MISSING else found
    expected = () if said else (Leaf(condition, said, False, actual),)
    assert verdict.against == expected


@pytest.mark.parametrize(
    ("condition", "said", "found"), CASES, ids=[f"{n}" for n in range(len(CASES))]
)
def test_the_compiled_question_says_yes_to_the_same(condition, said, found):
    assert quick(condition, about(found)) is (True if said else LEFT)


def test_the_opposite_of_each_operator_answers_the_opposite():
    for condition, said, found in CASES:
        assert answer(not_(condition), about(found)) is (None if said is None else not said)


def test_elapsed_time_is_unknown_without_an_instant_of_the_move():
    facts = about(AT - DAY, MOVE._replace(at=None))
    assert answer(elapsed(DAY, since="x"), facts) is None
    assert answer(not_(elapsed(DAY, since="x")), facts) is None
    assert quick(elapsed(DAY, since="x"), facts) is LEFT


# Kleene's tables, by conditions that answer true, false and unknown

SAID = {True: present("move.to"), False: absent("move.to"), None: equals("nowhere", 1)}
NOTHING = Facts({}, MOVE)


@pytest.mark.parametrize(
    ("one", "other", "both", "either"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (True, None, None, True),
        (False, False, False, False),
        (False, None, False, None),
        (None, None, None, None),
    ],
)
def test_all_and_any_have_kleenes_tables(one, other, both, either):
    alike = {True: present("move.from"), False: absent("move.from"), None: equals("missing", 1)}
    for parts in ((SAID[one], alike[other]), (alike[other], SAID[one])):
        assert answer(AllOf(parts), NOTHING) is both
        assert answer(AnyOf(parts), NOTHING) is either
        assert quick(AllOf(parts), NOTHING) is (True if both else LEFT)
        assert quick(AnyOf(parts), NOTHING) is (True if either else LEFT)


def test_nothing_asked_is_met_and_no_alternative_is_not():
    assert judge(ALWAYS, NOTHING) == Verdict(True)
    assert judge(NEVER, NOTHING) == Verdict(False)
    assert quick(ALWAYS, NOTHING) is True
    assert quick(NEVER, NOTHING) is LEFT
    assert quick(any_of(NEVER, present("move.to"), AnyOf((ALWAYS,))), NOTHING) is True


def test_every_reason_is_told_in_order():
    condition = all_of(present("a"), any_of(present("b"), less("c", 5)), present("move.to"))
    verdict = judge(condition, Facts({"c": "text"}, MOVE))
    assert verdict.answer is False
    assert verdict.against == (
        Leaf(present("a"), False),
        Leaf(present("b"), False),
        Leaf(less("c", 5), None, False, "text"),
    )


def test_what_is_met_has_no_reason_against_it():
    verdict = judge(any_of(present("a"), present("move.to")), NOTHING)
    assert verdict == Verdict(True)


# What raises


@pytest.mark.parametrize(
    ("condition", "said", "raised"),
    [
        (named("raises"), None, True),
        (not_(named("raises")), None, True),
        (named("not registered"), None, True),
        (named("says one"), None, True),
        (named("cannot tell"), None, False),
        (not_(named("cannot tell")), None, False),
        (named("holds", {"n": 1}), True, False),
        (not_(named("holds")), False, False),
        (named("fails"), False, False),
        (not_(named("fails")), True, False),
        (named("by one of us"), False, False),
        (less("amount", 5), None, True),
        (present("amount"), None, True),
        (present("owner"), False, False),
        (all_of(less("amount", 5), absent("move.to")), False, False),
        (all_of(less("amount", 5), equals("nowhere", 1)), None, True),
        (any_of(less("amount", 5), absent("move.to")), None, True),
        (any_of(less("amount", 5), present("move.to")), True, False),
        (all_of(present("move.to"), any_of(named("raises"), named("holds"))), True, False),
    ],
)
def test_what_raises_is_unknown_and_said_to_have_raised(condition, said, raised):
    facts = Facts(Properties({}), MOVE)
    verdict = judge(condition, facts, PREDICATES)
    assert verdict[:2] == (said, raised)
    assert quick(condition, facts) in ({True, LEFT} if said else {LEFT})


def test_what_was_found_is_kept_and_what_a_predicate_said_that_is_no_answer():
    assert judge(named("says one"), NOTHING, PREDICATES).against == (
        Leaf(named("says one"), None, True, 1),
    )
    assert judge(named("fails"), NOTHING, PREDICATES).against == (Leaf(named("fails"), False),)
    assert judge(less("x", 5), about(7)).against[0].actual == 7


def test_a_predicate_is_given_the_facts_and_its_params():
    given = []
    predicate = {"n": lambda facts, **params: given.append((facts, params)) or True}
    facts = about(5)
    assert answer(named("n", {"a": 1, "b": "x"}), facts, predicate)
    assert given == [(facts, {"a": 1, "b": "x"})]


def test_only_exceptions_are_taken_for_unknown():
    def stops(_facts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(named("stops"), NOTHING, {"stops": stops})
    with pytest.raises(KeyboardInterrupt):
        quick(named("stops"), NOTHING, {"stops": stops})


# Where fields are looked up


@pytest.mark.parametrize(
    "shape",
    [dict, OrderedDict, MappingProxyType, Attributes, lambda held: SimpleNamespace(**held)],
)
def test_a_record_is_a_mapping_or_an_object(shape):
    facts = Facts(shape({"x": 7, "move": "a", "None": None}), MOVE)
    assert answer(equals("x", 7), facts) is True
    assert answer(equals("record.move", "a"), facts) is True
    assert answer(present("None"), facts) is False
    assert answer(present("y"), facts) is False
    for _ in range(2):  # the second time the question knows the type
        assert quick(equals("x", 7), facts) is True
        assert quick(present("None"), facts) is LEFT


def test_a_way_leads_through_mappings_and_objects():
    deep = {"a": SimpleNamespace(b={"c": Attributes({"d": 5})}), "n": None, "t": "text"}
    facts = Facts({"x": deep}, MOVE, {"y": deep})
    for path in ("x.a.b.c.d", "context.y.a.b.c.d"):
        assert answer(equals(path, 5), facts) is True
        assert quick(equals(path, 5), facts) is True
    for path in ("x.a.b.c.e", "x.n.o", "x.t.z", "x.a.b.c.d.e", "context.x"):
        assert answer(absent(path), facts) is True
        assert quick(absent(path), facts) is True


def test_our_own_records_are_asked_as_they_are():
    given = {"amount": EURO, "attributes": {"seats": 40}}
    deal, _ = Deal.open("d-1", at=AT, by="ann", pipeline=SIX_STAGES, **given)
    condition = all_of(
        at_least("amount", EURO), at_least("attributes.seats", 40), absent("approvals.x"),
        equals("amount.currency", "EUR"), elapsed(timedelta(), since="opened_at"),
        not_(contains("approvals", "manager")),
    )  # fmt: skip
    facts = Facts(deal, MOVE)
    assert answer(condition, facts) is True
    assert quick(condition, facts) is True
    assert answer(approved_by("manager"), facts) is False


def test_every_field_of_a_move_can_be_asked():
    condition = all_of(
        equals("move.from", "open"), equals("move.to", "won"), equals("move.at", AT),
        equals("move.by", "ann"), made_by("manager", "rep"), spent_at_least(DAY),
        less("move.entered_at", AT),
    )  # fmt: skip
    assert answer(condition, NOTHING) is True
    assert quick(condition, NOTHING) is True
    empty = Facts({}, Move(None, "won"))
    asked = [present(f"move.{name}") for name in ("from", "to", "at", "by", "role", "entered_at")]
    assert [answer(each, empty) for each in asked] == [False, True, False, False, False, False]
    assert [quick(each, empty) for each in asked] == [LEFT, True, LEFT, LEFT, LEFT, LEFT]


# The compiled question

LEFT = "left to the judge"


def question(conditions, predicates=PREDICATES, judged=lambda *_: LEFT):
    return compiled([conditions], {None: {"open": 0}, "open": {"won": 0}}, None, judged, predicates)


def asked_of(ask, facts):
    source, target, *move = facts.move
    names = ("at", "by", "role", "entered_at")
    told = dict(zip(names, move, strict=True))
    return ask(source, target, facts.record, **told, context=facts.context)


def quick(condition, facts, predicates=PREDICATES):
    facts = facts._replace(move=facts.move._replace(target="won"))
    ask, _ = compiled(
        [[condition]], {None: {"won": 0}, "open": {"won": 0}}, None, lambda *_: LEFT, predicates
    )
    return asked_of(ask, facts)


def test_what_is_no_sure_yes_is_put_to_the_judge_with_all_facts():
    ask, _ = question([present("x")], judged=lambda *facts: facts)
    record, context = {}, {"day": 1}
    assert ask("open", "won", record, at=AT, by="b", role="r", entered_at=AT, context=context) == (
        "open", "won", record, AT, "b", "r", AT, context,
    )  # fmt: skip
    assert ask("open", "won") == ("open", "won", EMPTY, None, None, None, None, EMPTY)


@pytest.mark.parametrize(
    "move",
    [
        ("won", "open"),
        ("open", "open"),
        (["open"], "won"),
        ("open", {}),
        (None, "won"),
        (Raiser(), Raiser()),
    ],
    ids=range(6),
)
def test_a_move_that_is_not_known_is_put_to_the_judge(move):
    ask, _ = question([])
    assert ask(*move) == LEFT
    assert ask("open", "won") is True
    assert ask(None, "open") is True


@pytest.mark.parametrize(
    "strange",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001 - naive is meant
        AT.astimezone(ZONE),
        type("Stamp", (datetime,), {})(2026, 1, 1, tzinfo=UTC),
        date(2026, 1, 1),
        5,
        "now",
        Liar(),
    ],
    ids=range(7),
)
def test_instants_that_are_not_plain_are_put_to_the_judge_where_they_matter(strange):
    spent = any_of(spent_at_least(timedelta()), absent("move.entered_at"))
    for condition in (
        elapsed(timedelta(), since="x"),
        less("move.at", AT + DAY),
        present("move.at"),
        present("move.entered_at"),
        spent,
        any_of(named("holds"), less("move.at", AT)),
    ):
        ask, _ = question([condition])
        assert ask("open", "won", {"x": AT}, at=strange, entered_at=AT) == LEFT
        assert ask("open", "won", {"x": AT}, at=AT, entered_at=strange) == LEFT
        assert ask("open", "won", {"x": AT}, at=AT, entered_at=AT) is True
    ask, _ = question([present("x")])
    assert ask("open", "won", {"x": AT}, at=strange, entered_at=strange) is True


def test_each_move_has_its_own_conditions_and_answer():
    groups = [[equals("x", n)] for n in range(11)] + [[]]
    moves = {n: {0: n} for n in range(12)}
    allowed = {n: {0: f"from {n}"} for n in range(12)}
    ask, _ = compiled(groups, moves, allowed, lambda *_: LEFT, PREDICATES)
    for n, x in product(range(11), range(11)):
        assert ask(n, 0, {"x": x}) == (f"from {n}" if n == x else LEFT)
    assert ask(11, 0) == "from 11"


def test_a_question_without_moves_is_put_to_the_judge():
    ask, source = compiled([], {}, None, lambda *_: LEFT, PREDICATES)
    assert ask("open", "won") == LEFT
    assert "moves" not in source


def test_moves_with_very_many_conditions_are_left_to_the_judge():
    many = all_of(*(present(f"f{n}") for n in range(200)))
    groups = [[many] * 9, [many] * 9, [present("f0")]]
    moves = {"a": {n: n for n in range(3)}}
    record = {f"f{n}": 1 for n in range(200)}
    ask, source = compiled(groups, moves, None, lambda *_: LEFT, PREDICATES)
    assert [ask("a", n, record) for n in range(3)] == [True, LEFT, True]
    assert len(source) < 100_000


def test_a_predicate_is_asked_of_the_states_that_the_rulebook_has():
    class Stage(StrEnum):
        OPEN = "open"
        WON = "won"

    met = []
    predicates = {"sees": lambda facts: met.append(facts.move[:2]) or False}
    moves = {Stage.OPEN: {Stage.WON: 0}}
    condition = any_of(named("sees"), not_(named("sees")))
    ask, _ = compiled([[condition]], moves, None, lambda *_: LEFT, predicates)
    assert ask("open", "won") is True
    assert [[type(state) for state in states] for states in met] == [[Stage, Stage]] * 2


def test_types_of_records_are_remembered_but_not_without_end():
    ask, _ = question([equals("x", 5)])
    types = [type(f"T{n}", (), {"x": 5}) for n in range(200)]
    assert all(ask("open", "won", each()) is True for each in types)
    left = [weakref.ref(each) for each in types]
    del types
    gc.collect()
    assert 0 < len([each for each in left if each() is not None]) <= 65  # one is the last of a loop
    assert ask("open", "won", Plain(x=5)) is True
    assert ask("open", "won", type("Half", (dict,), {"x": 5})()) == LEFT
    assert ask("open", "won", type("Whole", (dict,), {"x": 6})({"x": 5})) is True


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (equals("x", "rep"), Text("a")),
        (less("x", "b"), Role.MANAGER),
        (one_of("x", ["manager"]), Text("a")),
        (contains("x", "manager"), frozenset({"manager", 5})),
        (contains("x", "manager"), frozenset({Text("a")})),
        (not_(contains("x", "a")), frozenset({"manager", 5})),
        (not_equals("x", 5), Decimal("NaN")),
        (not_(one_of("x", [5])), Decimal("NaN")),
        (at_least("x", 5), Decimal("Infinity")),
        (not_equals("x", 5), True),
        (present("x"), None),
        (present("x.y"), Raiser()),
        (equals("x", "a"), Liar()),
    ],
    ids=range(13),
)
def test_what_only_looks_like_a_yes_is_put_to_the_judge(condition, found):
    assert quick(condition, about(found)) == LEFT
    assert judge(condition, about(found)).answer is not True


def test_huge_numbers_are_as_quick_as_small_ones():
    # comparing such a number with a decimal takes seconds
    huge = 10**1_000_000
    for constant in (5, Decimal("0.5")):
        condition = all_of(more("x", constant), not_equals("x", constant))
        assert answer(condition, about(huge)) is True
        assert quick(condition, about(huge)) is True
        assert answer(less("x", constant), about(-huge)) is True
        assert answer(one_of("x", [constant]), about(huge)) is False


def test_what_cannot_be_printed_can_be_judged():
    assert judge(less("x", 5), about(Unprintable())).answer is None
    assert judge(present("x"), Facts(Unprintable(), MOVE)).answer is False
    assert judge(present("x"), None).raised
    assert judge(present("move.to"), Facts({}, None)).raised


# The source

OURS = {
    "(", ")", "[", "]", ",", ":", ".", "=", "**", "==", "!=", "<", "<=", ">", ">=", "-",
    "answer", "ask",
    "at", "by", "context", "currency", "date", "datetime", "dict", "entered_at", "get", "getattr",
    "is_plain", "judged", "known", "look_up", "minor", "moves", "number", "plain", "record", "role",
    "source", "str", "int", "target", "told_date", "told_instant", "told_money", "told_number",
    "told_text", "told_texts", "type", "tzinfo", "EMPTY", "Exception", "Facts", "LEAST", "MOST",
    "Money", "Move", "UTC",
}  # fmt: skip
WORDS = {
    "and", "def", "else", "except", "if", "in", "is", "not", "or", "pass", "return", "try",
    "None", "True", "False",
}  # fmt: skip
LAYOUT = {
    tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def tokens(source):
    read = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.string for token in read if token.type not in LAYOUT}


def strange_tokens(source):
    """What stands in a source beside our own words, numbered slots and whole numbers."""
    slot = re.compile(r"[fc]?[0-9]+", re.ASCII)
    return {each for each in tokens(source) - OURS - WORDS if not slot.fullmatch(each)}


def hostile_texts():
    parts = st.sampled_from(
        ("class", "_", "'", '"', "\\", "\n", "\r", "#", "{v}", "%s", ")", "import os", "c0", "f0",
         "é",
         "record", "a" * 300, "\x00", "\u2028", ";", "lambda: 1", "eval('1')", "judged")
    )  # fmt: skip
    return st.lists(parts, min_size=1, max_size=3).map("".join) | st.text("ab\n'\"", min_size=1)


@st.composite
def hostile_conditions(draw):
    """A condition of every operator and kind, with hostile names and constants."""
    text = draw(hostile_texts())
    path = text.replace(".", "x").lstrip("_") or "x"
    root = draw(st.sampled_from(("", "record.", "context.", "x.", "context.y.")))
    where = root + (path if path not in {"record", "move", "context"} else "x")
    constants = st.sampled_from((text, 5, -1, Decimal("-0.5"), EURO, date(2026, 1, 1), AT, 10**59))
    op = draw(st.sampled_from([op for op in Op if op not in UNARY]))
    number, name = draw(constants), draw(hostile_texts())
    return draw(
        st.sampled_from(
            (
                present(where), absent(where), equals(where, True), one_of(where, [text, "x"]),
                contains(where, text), elapsed(DAY, since=where), spent_at_least(DAY),
                made_by(text), Test(where, op, number), named(name, {text: name}),
                any_of(present(where), Named(name, Attributes({text: 1}), negated=True)),
                any_of(NEVER, all_of(present(where), Test(where, op, number))),
            )
        )
    )  # fmt: skip


UNARY = {
    Op.PRESENT, Op.ABSENT, Op.IN, Op.NOT_IN, Op.CONTAINS, Op.LACKS, Op.ELAPSED, Op.NOT_ELAPSED,
}  # fmt: skip


@given(st.lists(hostile_conditions(), max_size=6))
def test_the_source_holds_nothing_of_what_conditions_say(conditions):
    asked = [leaf for each in conditions for leaf in leaves(each) if isinstance(leaf, Named)]
    registry = dict.fromkeys([leaf.name for leaf in asked], PREDICATES["holds"])
    groups = [[each] for each in conditions]
    moves = {"a": dict(enumerate(range(len(groups))))}
    _, source = compiled(groups, moves, None, lambda *_: LEFT, registry)
    assert source.isascii()
    assert strange_tokens(source) == set()


def test_every_operator_and_kind_comes_into_the_source():
    conditions = [each for each, _ in ANSWERS]
    conditions += [named("holds"), made_by("rep"), present("context.y"), spent_at_least(DAY), NEVER]
    moves = {"a": {"b": 0, "c": 1}}
    allowed = {"a": {"b": "yes", "c": "yes"}}
    _, source = compiled([conditions, []], moves, allowed, lambda *_: LEFT, PREDICATES)
    assert strange_tokens(source) == set()
    assert (OURS | WORDS) - tokens(source) == set()
    assert WORDS - set(keyword.kwlist) == set()


def test_a_strange_word_in_the_source_is_caught():
    _, source = question([present("x")])
    for strange in ("os", "'x'", "__class__", "c0x", "1.5", "é"):
        assert strange_tokens(source.replace("f0", strange)) == {strange}


def test_equal_conditions_have_equal_sources_whatever_their_names():
    one, other = question([equals("x", "a")])[1], question([equals("y", "b" * 900)])[1]
    assert one == other


def test_a_contradiction_over_several_rules_is_never_met():
    with pytest.raises(InvalidValueError):
        all_of(present("x"), absent("x"))
    ask, _ = question([present("x"), absent("x")])
    assert ask("open", "won", {"x": 1}) == LEFT
    assert ask("open", "won", {}) == LEFT
