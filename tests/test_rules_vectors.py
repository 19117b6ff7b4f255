import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum

import attrs
import pytest

from contracts import check_door
from salespipeline.conditions import (
    NEVER,
    Op,
    Test,
    absent,
    all_of,
    any_of,
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
)
from salespipeline.money import Money
from salespipeline.rules import Result, Rule, Rulebook
from salespipeline.rules.vectors import MADE_AT, MOST, left_out, vectors

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def book(*conditions, states=("a", "b"), **rest):
    """A rulebook whose rules, named 0, 1 and so on, bear on the move from a to b."""
    rules = [Rule(str(n), each, ["a"], ["b"]) for n, each in enumerate(conditions)]
    return Rulebook.free("board", states, rules=rules, **rest)


def told(rulebook, source="a", target="b"):
    """The record, or for a move the facts, and the result of each vector of a move."""
    return [
        (vector.facts.record, vector.decision.result)
        for vector in vectors(rulebook)
        if (vector.source, vector.target) == (source, target)
    ]


def sorted_out(condition, path="x"):
    """The values of one field that its vectors allow, and those that they deny."""
    values = {Result.ALLOWED: [], Result.DENIED: []}
    for record, result in told(book(condition)):
        values[result].append(record.get(path))
    return values[Result.ALLOWED], values[Result.DENIED]


# Every move


def test_every_move_and_every_obstacle_has_a_vector_in_the_order_of_the_states():
    steps = Rulebook.forward("steps", ["new", "open", "done"], skips=False, creation=["new"])
    made = [
        (v.source, v.target, [each.code.value for each in v.decision.denials])
        for v in vectors(steps)
    ]
    assert made == [
        (None, "new", []),
        (None, "open", ["not_a_creation_state"]),
        (None, "done", ["not_a_creation_state"]),
        ("new", "new", ["already_there"]),
        ("new", "open", []),
        ("new", "done", ["skip"]),
        ("open", "new", ["backward"]),
        ("open", "open", ["already_there"]),
        ("open", "done", []),
        ("done", "new", ["backward"]),
        ("done", "open", ["backward"]),
        ("done", "done", ["already_there"]),
        ("unknown", "new", ["unknown_state"]),
        ("new", "unknown", ["unknown_state"]),
        (None, "unknown", ["unknown_state"]),
    ]


def test_the_unknown_state_is_none_that_the_rulebook_has():
    made = vectors(Rulebook.free("odd", ["unknown", "unknown_"]))
    assert {v.source for v in made} == {None, "unknown", "unknown_", "unknown__"}


def test_states_may_be_of_any_kind():
    class Colour(Enum):
        RED = 1
        BLUE = 2

    made = vectors(Rulebook.free("colours", Colour))
    assert {v.target for v in made} == {*Colour, "unknown"}


def test_a_move_with_rules_has_facts_that_meet_them_and_none_at_all():
    (first, second), *_ = [told(book(at_least("x", 5), present("y")))[:2]]
    assert first == ({"x": 5, "y": "x"}, Result.ALLOWED)
    assert second == ({}, Result.DENIED)


def test_a_rule_that_bears_on_a_denied_move_is_told_beside_the_obstacle():
    rule = Rule("amount", present("amount"), ["b"], ["a"])
    steps = Rulebook.forward("steps", ["a", "b"], rules=[rule])
    (back,) = [v for v in vectors(steps) if (v.source, v.target) == ("b", "a")]
    assert [d.code.value for d in back.decision.denials] == ["backward", "missing_field"]


def test_vectors_are_made_at_one_instant_without_a_clock():
    made = [v.facts.move.at for v in vectors(book(present("x")))]
    assert set(made) == {None, MADE_AT}
    assert datetime(2026, 1, 1, tzinfo=UTC) == MADE_AT


# The boundaries of each kind


@pytest.mark.parametrize(
    ("condition", "allowed", "denied"),
    [
        (at_least("x", 5), [5, 6, Decimal("5.1")], [None, None, 4, Decimal("4.9"), True]),
        (
            less("x", Decimal("0.05")),
            [Decimal("0.04"), Decimal("0.049")],
            [None, Decimal("0.05"), Decimal("0.06"), Decimal("0.051"), None, True],
        ),
        (
            more("x", Money("5.00", "EUR")),
            [Money("5.01", "EUR")],
            [None, Money("5.00", "EUR"), Money("4.99", "EUR"), Money("5.00", "USD"), None, True],
        ),
        (
            at_most("x", Money(5, "JPY")),
            [Money(5, "JPY"), Money(4, "JPY")],
            [None, Money(6, "JPY"), Money("0.05", "EUR"), None, True],
        ),
        (at_most("x", date(2026, 3, 1)), [date(2026, 3, 1), date(2026, 2, 28)], None),
        (not_equals("x", "won"), ["wo", "wonx", "won "], [None, "won", True, None]),
        (equals("x", "\U0001f40d"), ["\U0001f40d"], None),
        (equals("x", True), [True], [None, False, 1, None]),
        (one_of("x", ["b", "a"]), ["a", "b"], [None, "", "bx", "b ", True, None]),
        (not_(one_of("x", [1, 2])), [3, Decimal("2.1"), Decimal("1.9")], None),
        (contains("x", "boss"), [frozenset({"boss"})], None),
        (not_(contains("x", "a")), [frozenset({"ax"}), frozenset()], None),
        (present("x"), ["x"], [None, None]),
        (absent("x"), [None, None], ["x"]),
    ],
    ids=str,
)
def test_there_is_a_value_on_both_sides_of_a_boundary_one_of_another_kind_and_none(
    condition, allowed, denied
):
    met, unmet = sorted_out(condition)
    assert {(type(each), each) for each in met} == {(type(each), each) for each in allowed}
    if denied is not None:
        assert {(type(each), each) for each in unmet} == {(type(each), each) for each in denied}
    assert None in (unmet if condition.op is not Op.ABSENT else met)


def test_instants_are_tried_a_microsecond_apart():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    met, unmet = sorted_out(less("x", at))
    assert met == [at - TICK]
    assert {at, at + TICK} < set(unmet)


def test_a_duration_is_tried_to_the_microsecond_and_without_an_instant_of_the_move():
    made = [v for v in vectors(book(elapsed(DAY, since="x"))) if v.target == "b" != v.source]
    tried = {(v.facts.record.get("x"), v.facts.move.at): v.decision for v in made}
    codes = {
        facts: [each.code.value for each in decision.denials] for facts, decision in tried.items()
    }
    assert codes[MADE_AT - DAY, MADE_AT] == []
    assert codes[MADE_AT - DAY + TICK, MADE_AT] == ["too_soon"]
    assert codes[MADE_AT - DAY, None] == ["missing_field"]
    assert codes[True, MADE_AT] == codes[None, MADE_AT] == ["missing_field"]


def test_text_is_tried_where_code_points_and_utf_16_order_it_otherwise():
    _, unmet = sorted_out(less("x", "\uff21"))
    assert {"\uffee", "\U00010000"} < set(unmet)


@pytest.mark.parametrize(
    "condition",
    [
        less("x", date.min),
        more("x", date.max),
        less("x", datetime.min.replace(tzinfo=UTC)),
        more("x", datetime.max.replace(tzinfo=UTC)),
        elapsed(timedelta(days=999_999_999), since="x"),
        more("x", Money.of_minor(10**33 - 1, "EUR")),
    ],
    ids=str,
)
def test_what_lies_beyond_every_value_is_not_tried_and_never_allowed(condition):
    met, unmet = sorted_out(condition)
    assert met == []
    assert None in unmet


def test_numbers_as_long_as_may_be_are_tried_as_far_as_they_go():
    largest = 10**60 - 1
    met, unmet = sorted_out(at_least("x", largest))
    assert met == [largest, Decimal(f"{largest}.1")]
    assert largest - 1 in unmet
    smallest = Decimal("1E-60")
    assert sorted_out(at_least("x", smallest))[0] == [smallest, 2 * smallest]


def test_the_move_and_the_context_are_tried_too():
    rules = book(made_by("boss"), equals("context.team.open", True))
    made = [v for v in vectors(rules) if v.decision and (v.source, v.target) == ("a", "b")]
    assert {(v.facts.move.role, v.facts.context["team"]["open"]) for v in made} == {("boss", True)}
    roles = {v.facts.move.role for v in vectors(rules)}
    assert {"boss", "bos", "bossx", None} <= roles


def test_an_instant_asked_of_the_move_is_tried_around_its_boundary():
    start = datetime(2027, 1, 1, tzinfo=UTC)
    rules = book(at_least("move.at", start), elapsed(DAY, since="x"))
    allowed = {(v.facts.move.at, v.facts.record["x"]) for v in vectors(rules) if v.facts.record}
    assert (start, start - DAY) in allowed
    made = {v.facts.move.at for v in vectors(rules)}
    assert {start, start - TICK, start + TICK, None} <= made


# Conditions together


def test_each_rule_is_denied_alone_by_some_vector():
    rules = book(at_least("x", 5), less("y", 2), contains("t", "u"))
    denied = [
        {each.rule for each in v.decision.denials}
        for v in vectors(rules)
        if (v.source, v.target) == ("a", "b")
    ]
    assert set() in denied
    assert all({name} in denied for name in "012")


def test_each_alternative_allows_alone_in_some_vector():
    condition = any_of(at_least("x", 5), all_of(present("y"), equals("z", "q")), made_by("boss"))
    ways = [
        (v.facts.record.get("x", 0) >= 5, "z" in v.facts.record, v.facts.move.role == "boss")
        for v in vectors(book(condition))
        if v.decision and (v.source, v.target) == ("a", "b")
    ]
    assert {(True, False, False), (False, True, False), (False, False, True)} <= {*ways}


def test_a_value_between_two_bounds_is_found():
    for lower, upper in [(1, 2), (Decimal("1.5"), 2), (1, Decimal("1.01")), (-1, 0)]:
        met, unmet = sorted_out(all_of(more("x", lower), less("x", upper)))
        assert met
        assert all(lower < each < upper for each in met)
        assert {lower, upper} <= set(unmet)


def test_several_texts_asked_of_one_field_are_held_together():
    met, _ = sorted_out(all_of(contains("x", "a"), contains("x", "b"), not_(contains("x", "c"))))
    assert met == [frozenset({"a", "b"})]


def test_what_no_facts_can_meet_is_denied_in_every_vector():
    rules = book(any_of(all_of(less("x", 5), present("y")), less("x", 3)), more("x", 7))
    assert {result for _, result in told(rules)} == {Result.DENIED}
    assert {result for _, result in told(book(NEVER))} == {Result.DENIED}


def test_a_search_through_very_many_ways_ends():
    forks = [any_of(*(equals(f"f{n}", each) for each in range(8))) for n in range(6)]
    against = [not_equals("f5", each) for each in range(8)]
    assert {result for _, result in told(book(*forks, *against))} == {Result.DENIED}


def test_presence_that_follows_from_a_deeper_field_is_no_contradiction():
    inner = all_of(present("q"), equals("q.z", 1))
    assert ({"q": {"z": 1}}, Result.ALLOWED) in told(book(inner))
    assert ({"q": {}}, Result.DENIED) in told(book(inner))
    without = all_of(absent("q"), equals("q.z", 1))
    assert {result for _, result in told(book(without))} == {Result.DENIED}


def test_another_alternative_is_found_where_two_fields_exclude_each_other():
    condition = any_of(all_of(absent("q"), equals("q.z", 1)), present("y"))
    free = Rulebook.free("board", ["a", "b", "c"], rules=[Rule("either", condition)])
    assert told(free, "b", "c") == [({"y": "x"}, Result.ALLOWED), ({}, Result.DENIED)]


def test_a_field_with_fields_of_its_own_is_only_ever_an_object():
    rules = book(any_of(at_least("q", 5), present("q.real")))
    assert all(record.get("q", {}) in ({}, {"real": "x"}) for record, _ in told(rules))
    assert ({"q": {"real": "x"}}, Result.ALLOWED) in told(rules)


def test_a_condition_whose_opposite_contradicts_itself_is_never_denied_alone():
    certain = any_of(less("x", 5), at_least("x", 5))
    assert {result for record, result in told(book(certain)) if record.get("x") not in (None, True)}
    assert ({"x": 4}, Result.ALLOWED) in told(book(certain))


def test_a_rule_that_asks_for_the_state_entered_is_tried_for_each():
    rule = Rule("own", any_of(equals("move.to", "b"), present("x")), ["a"])
    free = Rulebook.free("board", ["a", "b", "c"], rules=[rule])
    assert {result for _, result in told(free, target="b")} == {Result.ALLOWED}
    assert {result for _, result in told(free, target="c")} == {Result.ALLOWED, Result.DENIED}


def test_full_variation_is_made_once_for_rules_that_bear_together():
    rule = Rule("amount", at_least("x", 5))
    free = Rulebook.free("board", ["a", "b", "c"], rules=[rule])
    numbers = [len(told(free, None, target)) for target in "abc"]
    assert numbers == [8, 2, 2]


# What is left out


def test_moves_that_a_named_predicate_bears_on_are_left_out_and_told():
    rules = [
        Rule("asked", any_of(present("x"), named("is_good")), ["a"], ["b"]),
        Rule("plain", present("y"), ["b"]),
    ]
    free = Rulebook.free("board", ["a", "b"], rules=rules, predicates={"is_good": lambda _: True})
    assert left_out(free) == (("a", "b"),)
    assert told(free, "a", "b") == []
    assert dict(map(reversed, told(free, "b", "a"))) == {
        Result.ALLOWED: {"y": "x"},
        Result.DENIED: {},
    }
    assert left_out(book(present("x"))) == ()


def test_a_large_rulebook_has_vectors_for_each_sort_of_move():
    states = [f"s{n}" for n in range(100)]
    large = Rulebook.free("large", states, rules=[Rule("x", present("x"), ["s5"], ["s7"])])
    made = vectors(large)
    assert [(v.source, v.target) for v in made] == [
        (None, "s0"), ("s0", "s0"), ("s5", "s7"), ("s5", "s7"),
        ("unknown", "s0"), ("s0", "unknown"), (None, "unknown"), ("s5", "s7"),
    ]  # fmt: skip


def test_there_are_never_more_vectors_than_so_many():
    states = [f"s{n}" for n in range(35)]
    rules = [Rule(s, one_of("x", range(150)), targets=[s]) for s in states]
    assert len(vectors(Rulebook.free("wide", states, rules=rules))) == MOST
    many = [Rule(f"{s}{t}", present("y"), [s], [t]) for s in states[:10] for t in states[:10]]
    assert len(vectors(Rulebook.free("many", states, rules=many))) < MOST


# The value, and the door


def test_no_vector_is_there_twice():
    made = vectors(book(at_least("x", 5), present("y"), any_of(present("x"), less("z", 2))))
    keys = [(v.source, v.target, repr(v.facts)) for v in made]
    assert len(set(keys)) == len(keys)


def test_a_vector_is_frozen_and_hashable():
    vector = vectors(book(present("x")))[0]
    assert hash(vector) == hash(attrs.evolve(vector))
    with pytest.raises(AttributeError):
        vector.source = "b"


def test_what_is_no_rulebook_is_refused():
    check_door(vectors)
    check_door(left_out)


def test_the_order_hangs_on_the_rulebook_alone():
    code = """
from salespipeline.conditions import *
from salespipeline.rules import *
from salespipeline.rules.vectors import vectors
asked = any_of(contains("t", "u"), one_of("x", {"a", "b", "c"}), present("q.z"))
book = Rulebook.free("b", ["a", "b"], rules=[Rule("r", asked), Rule("s", less("n", 5))])
for v in vectors(book):
    held = v.facts.record.items()
    record = {name: sorted(x) if isinstance(x, frozenset) else x for name, x in held}
    print(v.source, v.target, record, v.facts.move, v.decision.result)
"""
    outputs = {
        subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) > 30


def test_a_test_of_a_field_may_be_built_by_hand():
    assert sorted_out(Test("x", Op.EQUALS, 7))[0] == [7]
