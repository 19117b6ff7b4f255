"""Conditions as values: what they take, refuse, say in words, and know to be impossible."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from itertools import count

import attrs
import pytest

from contracts import STRANGE, check_door, check_value
from salespipeline._doors import LARGEST_WHOLE
from salespipeline._kinds import Kind
from salespipeline.attributes import Attributes
from salespipeline.conditions import (
    ALWAYS,
    DEEPEST,
    LARGEST,
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
    approved_by_any,
    at_least,
    at_most,
    check_condition,
    check_path,
    contains,
    contradictions,
    elapsed,
    equals,
    in_words,
    kinds_of,
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
    split,
)
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.money import Money

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Role(StrEnum):
    REP = "rep"


class Level(IntEnum):
    ONE = 1


def refused(make, *args, **named):
    """The faults of a refusal, in one line."""
    with pytest.raises((InvalidValueError, WrongTypeError)) as caught:
        make(*args, **named)
    return str(caught.value)


# Values


def test_a_test_is_a_value():
    check_value(
        at_least("seats", 5),
        at_least("record.seats", Decimal("5.0")),
        at_least("seat", 5),
        more("seats", 5),
        at_least("seats", 6),
        at_least("seats", "5"),
        absent("seats"),
    )
    assert equals("seats", 1) != equals("seats", True)


def test_a_named_condition_is_a_value():
    check_value(
        named("credit", {"least": 5, "of": "us"}),
        named("credit", {"of": "us", "least": 5}),
        named("credit"),
        named("debit", {"least": 5, "of": "us"}),
        named("credit", {"least": 6, "of": "us"}),
        not_(named("credit", {"least": 5, "of": "us"})),
    )


def test_conditions_joined_are_values():
    parts = present("amount"), less("seats", 5)
    check_value(all_of(*parts), all_of(*parts), any_of(*parts), all_of(*parts[::-1]), ALWAYS)
    check_value(any_of(*parts), any_of(*parts), all_of(*parts), any_of(*parts[::-1]), NEVER)
    check_value(ALWAYS, AllOf(()), NEVER)


def test_a_list_is_held_in_order_and_each_value_once():
    assert one_of("seats", [3, 1, 2, Decimal("1.0")]).value == (1, 2, 3)
    assert one_of("owner", {"b", "a", Role.REP}).value == ("a", "b", "rep")
    assert one_of("day", iter([date(2026, 1, 2), date(2026, 1, 1)])).value[0] == date(2026, 1, 1)
    assert made_by("rep", "manager", "rep") == one_of("move.role", ["manager", "rep"])


def test_a_test_knows_the_kind_of_its_field():
    kinds = {
        Kind.ANY: present("x"),
        Kind.TEXT: one_of("x", ["a"]),
        Kind.FLAG: equals("x", True),
        Kind.NUMBER: less("x", Decimal("0.5")),
        Kind.MONEY: more("x", Money(5, "EUR")),
        Kind.DATE: at_most("x", date(2026, 1, 1)),
        Kind.INSTANT: elapsed(DAY, since="x"),
        Kind.TEXTS: contains("x", "a"),
    }
    assert {kind: test.kind for kind, test in kinds.items()} == {kind: kind for kind in kinds}
    assert set(kinds) == set(Kind)


def test_constants_are_held_as_plain_values():
    day = timezone(timedelta(hours=2))
    assert type(equals("owner", Role.REP).value) is str
    assert type(equals("level", Level.ONE).value) is int
    assert equals("at", datetime(2026, 1, 1, 2, tzinfo=day)).value.tzinfo is UTC
    assert type(contains("roles", Role.REP).value) is str
    assert type(spent_at_least(type("Longer", (timedelta,), {})(days=1)).value) is timedelta
    params = named("credit", {Role.REP: Role.REP, "n": Level.ONE, "yes": True}).params
    assert [type(each) for each in (*params, *params.values())] == [str] * 3 + [int, str, bool]


# Paths


@pytest.mark.parametrize(
    ("written", "path", "where"),
    [
        ("amount", "amount", ("record", ("amount",))),
        ("record.amount", "amount", ("record", ("amount",))),
        ("attributes.seats", "attributes.seats", ("record", ("attributes", "seats"))),
        ("record.move", "record.move", ("record", ("move",))),
        ("record.context.x", "record.context.x", ("record", ("context", "x"))),
        ("record.record", "record.record", ("record", ("record",))),
        ("move.role", "move.role", ("move", ("role",))),
        ("context.day.name", "context.day.name", ("context", ("day", "name"))),
        ("_id", "_id", ("record", ("_id",))),
        ("naïve name 🐍", "naïve name 🐍", ("record", ("naïve name 🐍",))),
        (".".join("abcdefgh"), ".".join("abcdefgh"), ("record", tuple("abcdefgh"))),
    ],
)
def test_a_path_has_one_form_and_says_where_a_field_is_looked_up(written, path, where):
    assert present(written).path == path
    assert present(written).where == split(path) == where
    assert check_path(path) == path


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (".", "is not 1 to 8 names with dots between"),
        ("amount.", "is not 1 to 8 names with dots between"),
        ("a..b", "is not 1 to 8 names with dots between"),
        (".".join("abcdefghi"), "is not 1 to 8 names with dots between"),
        ("__class__", "names a part that begins with '__'"),
        ("amount.__class__.name", "names a part that begins with '__'"),
        ("move", "names no field of it"),
        ("context", "names no field of it"),
        ("record", "names no field of it"),
        ("move.colour", "is no field of a move; there are from, to, at, by, role, entered_at"),
        ("move.role.name", "is no field of a move"),
        ("", "must be text that is not empty"),
        ("a" * 1001, "must be text of at most 1,000 whole characters"),
        ("\ud800", "must be text of at most 1,000 whole characters"),
    ],
)
def test_a_path_that_names_no_field_is_refused(path, fault):
    assert fault in refused(present, path)


def test_a_field_of_a_move_is_held_against_its_kind_only():
    assert refused(less, "move.role", 5) == (
        "condition: 'move.role' holds text, and is held against number"
    )
    assert "holds instant, and is held against text" in refused(equals, "move.at", "now")
    assert "holds text, and is held against texts" in refused(contains, "move.by", "ann")
    assert less("move.entered_at", AT).kind is Kind.INSTANT
    assert present("move.by").kind is Kind.ANY


# Doors


def test_every_fault_of_a_test_is_named():
    message = refused(less, "a..__b", [])
    assert message.startswith("condition: field: 'a..__b' is not 1 to 8 names")
    assert "'a..__b' names a part that begins with '__'; 'value' must be text, a bool" in message


def test_every_fault_of_a_named_condition_is_named():
    message = refused(Named, "", 5, "no")
    for name in ("name", "params", "negated"):
        assert f"'{name}' must be" in message


def texts(value):
    return isinstance(value, str) and 0 < len(value) <= 1000 and "\ud800" not in value


@pytest.mark.parametrize(
    "make",
    [
        present,
        absent,
        lambda field: equals(field, 5),
        lambda field: one_of(field, ["a"]),
        lambda field: contains(field, "a"),
        lambda field: elapsed(DAY, since=field),
        lambda field: Test(field, Op.PRESENT),
    ],
)
def test_a_strange_field_is_refused(make):
    assert make("amount").path == "amount"
    check_door(make, takes=texts)


def test_a_strange_constant_is_refused():
    taken = [("", True, False), (" ", "\x00", "2026-01-01", 0, -1, 7)]
    typed = [(type(each), each) for each in (*taken[0], *taken[1])]
    for make in (equals, not_equals):
        check_door(lambda value, make=make: make("x", value), takes=lambda v: (type(v), v) in typed)
    for make in (less, at_most, more, at_least):
        check_door(
            lambda value, make=make: make("x", value),
            takes=lambda v: type(v) is not bool and (type(v), v) in typed,
        )


def test_strange_lists_are_refused():
    check_door(lambda values: one_of("x", values), takes=lambda values: values == range(3))


def test_strange_texts_durations_names_and_params_are_refused():
    check_door(lambda value: contains("x", value), takes=texts)
    check_door(lambda value: elapsed(value, since="x"))
    check_door(spent_at_least)
    check_door(made_by, takes=texts)
    check_door(approved_by, takes=texts)
    check_door(approved_by_any, takes=texts)
    check_door(named, takes=texts)
    check_door(lambda value: named("credit", value), takes=lambda value: value == {})
    check_door(lambda value: named("credit", {"n": value}), takes=lambda v: param(v) or texts(v))


def param(value):
    return (type(value) in {int, bool} and abs(value) <= LARGEST_WHOLE) or value == ""


def test_strange_conditions_are_refused():
    for make in (all_of, any_of, not_, in_words, check_condition):
        check_door(make)
    for joint in (AllOf, AnyOf):
        check_door(joint, takes=lambda value: value == ())
    check_door(lambda op: Test("x", op))
    check_door(lambda value: Test("x", Op.PRESENT, value), takes=lambda value: value is None)
    check_door(lambda value: Named("x", negated=value), takes=lambda value: type(value) is bool)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([], "1 to 200 texts, numbers or dates, all of one kind"),
        (["a", 5], "1 to 200 texts, numbers or dates, all of one kind"),
        ([1, True], "1 to 200 texts, numbers or dates, all of one kind"),
        ([True], "1 to 200 texts, numbers or dates, all of one kind"),
        ([AT], "1 to 200 texts, numbers or dates, all of one kind"),
        ([Money(5, "EUR")], "1 to 200 texts, numbers or dates, all of one kind"),
        ("abc", "1 to 200 texts, numbers or dates, all of one kind"),
        (count(), "1 to 200 texts, numbers or dates, all of one kind"),
        (range(201), "1 to 200 texts, numbers or dates, all of one kind"),
        ([0.5], "an exact number"),
        (["a" * 1001], "text of at most 1,000 whole characters"),
    ],
)
def test_a_list_that_cannot_be_asked_for_is_refused(values, fault):
    assert fault in refused(one_of, "x", values)


def test_a_list_of_two_hundred_is_taken():
    assert len(one_of("x", range(LARGEST)).value) == LARGEST


@pytest.mark.parametrize("value", [-DAY, timedelta(microseconds=1), timedelta.max, 5, "P1D"])
def test_a_duration_is_of_whole_seconds_and_not_negative(value):
    assert "a timedelta of whole seconds, not negative" in refused(spent_at_least, value)


def test_the_longest_duration_is_taken():
    longest = timedelta(days=999_999_999, seconds=86_399)
    assert spent_at_least(longest).value == longest
    assert spent_at_least(timedelta()).value == timedelta()


def test_only_what_has_an_order_is_less_or_more():
    assert "something that has an order, with 'less'" in refused(less, "open", True)
    assert kinds_of(Op.EQUALS) == kinds_of(Op.LESS) | {Kind.FLAG}
    assert kinds_of(Op.NOT_IN) == {Kind.TEXT, Kind.NUMBER, Kind.DATE}


def test_params_are_few_and_small():
    many = {f"n{n}": n for n in range(LARGEST)}
    assert len(named("credit", many).params) == LARGEST
    assert "at most 200 names" in refused(named, "credit", {**many, "more": 1})
    for value in (2**53, -(2**53), 0.5, None, Decimal(5), AT, ["a"], "a" * 1001, "\ud800"):
        assert "'params' must be" in refused(named, "credit", {"n": value})
    for name in ("", "a" * 1001, "\ud800", 5):
        assert "must be" in refused(named, "credit", {name: 1})
    assert named("credit", Attributes({"n": 1 - 2**53})).params["n"] == 1 - 2**53


def test_an_approval_by_nobody_is_refused():
    assert "one role or more" in refused(approved_by)
    assert "one role or more" in refused(approved_by_any)
    assert "all of one kind" in refused(made_by)


# Joining


def test_conditions_of_the_same_joint_are_taken_out_of_it():
    a, b, c = present("a"), present("b"), present("c")
    assert all_of(all_of(a, b), c) == AllOf((a, b, c))
    assert any_of(a, any_of(b, c)) == AnyOf((a, b, c))
    assert all_of(a, any_of(b, c)) == AllOf((a, AnyOf((b, c))))
    assert all_of(a) == any_of(a) == a
    assert (all_of(), any_of()) == (ALWAYS, NEVER)
    assert all_of(ALWAYS, a) == a
    assert any_of(NEVER, NEVER) == NEVER


def test_roles_that_approve_are_all_or_any():
    one, two = contains("approvals", "manager"), contains("approvals", "finance")
    assert approved_by("manager", "finance") == all_of(one, two)
    assert approved_by_any("manager", "finance") == any_of(one, two)
    assert approved_by("manager") == approved_by_any("manager") == one


@pytest.mark.parametrize(
    ("condition", "opposite"),
    [
        (present("x"), absent("x")),
        (equals("x", 5), not_equals("x", 5)),
        (less("x", 5), at_least("x", 5)),
        (at_most("x", 5), more("x", 5)),
        (one_of("x", ["a", "b"]), Test("x", Op.NOT_IN, ("a", "b"))),
        (contains("x", "a"), Test("x", Op.LACKS, "a")),
        (spent_at_least(DAY), Test("move.entered_at", Op.NOT_ELAPSED, DAY)),
        (named("credit"), Named("credit", negated=True)),
        (ALWAYS, NEVER),
        (all_of(present("x"), any_of(less("y", 5), named("credit"))),
         any_of(absent("x"), all_of(at_least("y", 5), Named("credit", negated=True)))),
    ],
)  # fmt: skip
def test_a_condition_has_its_opposite_at_its_tests(condition, opposite):
    assert not_(condition) == opposite
    assert not_(opposite) == condition


def test_what_is_always_met_has_no_opposite():
    assert "'x' must be absent and must be present" in refused(
        not_, any_of(present("x"), absent("x"))
    )


def test_the_leaves_of_a_condition_are_in_order():
    a, b, c = present("a"), named("b"), absent("c")
    assert list(leaves(all_of(a, any_of(b, c)))) == [a, b, c]
    assert list(leaves(NEVER)) == []


def test_a_condition_is_at_most_eight_deep():
    condition = present("x")
    for n in range(DEEPEST - 1):
        condition = (AllOf if n % 2 else AnyOf)((condition, present("y")))
    assert refused(AllOf, (condition,)) == "condition: it is more than 8 deep"
    assert refused(all_of, condition, present("z")) == "condition: it is more than 8 deep"
    assert not_(not_(condition)) == condition


def test_a_condition_holds_at_most_two_hundred():
    tests = [equals(f"f{n}", n) for n in range(LARGEST)]
    assert len(all_of(*tests).conditions) == LARGEST
    assert refused(all_of, *tests, present("x")) == "condition: it holds more than 200 conditions"
    assert "more than 200" in refused(any_of, *[NEVER] * 3, *tests, all_of(present("x"), ALWAYS))
    assert "more than 200" in refused(AnyOf, (ALWAYS,) * 201)
    nested = all_of(*(any_of(equals(f"f{n}", 1), equals(f"g{n}", 1)) for n in range(66)))
    assert "more than 200" in refused(all_of, nested, any_of(present("x"), present("y")))


# Contradictions

MET_BY_NOTHING = [
    (present("x"), absent("x")),
    (equals("x", 5), absent("x")),
    (equals("x", 5), equals("x", 6)),
    (equals("x", 5), not_equals("x", 5)),
    (equals("x", 5), equals("x", "5")),
    (equals("x", True), equals("x", False)),
    (equals("x", True), not_equals("x", True)),
    (not_equals("x", True), not_equals("x", False)),
    (equals("x", 5), more("x", 5)),
    (one_of("x", [1, 2]), equals("x", 3)),
    (one_of("x", [1, 2]), one_of("x", [3])),
    (one_of("x", [1, 2]), more("x", 1), less("x", 2)),
    (one_of("x", [1]), not_(one_of("x", [1, 2]))),
    (less("x", 5), more("x", 5)),
    (less("x", 5), at_least("x", 5)),
    (at_most("x", 5), more("x", 5)),
    (at_least("x", 6), present("x"), at_most("x", 5)),
    (at_least("x", 6), at_least("x", 1), less("x", 9), at_most("x", 5)),
    (less("x", "a"), at_least("x", "b")),
    (less("x", date(2026, 1, 1)), more("x", date(2026, 1, 1))),
    (less("x", AT), more("x", AT)),
    (less("x", 5), less("x", "a")),
    (less("x", 5), contains("x", "a")),
    (less("x", Money(5, "EUR")), more("x", Money(5, "EUR"))),
    (less("x", Money(5, "EUR")), less("x", Money(5, "USD"))),
    (not_equals("x", Money(0, "EUR")), at_least("x", Money(0, "USD"))),
    (equals("x", Money(5, "EUR")), less("x", Money(6, "USD"))),
    (contains("x", "a"), not_(contains("x", "a"))),
    (elapsed(2 * DAY, since="x"), not_(elapsed(DAY, since="x"))),
    (elapsed(DAY, since="x"), not_(elapsed(DAY, since="x"))),
    (named("credit"), not_(named("credit"))),
    (named("credit", {"n": 1}), present("x"), not_(named("credit", {"n": 1}))),
]
MET_BY_SOMETHING = [
    (absent("x"), absent("x")),
    (present("x"), present("x"), equals("x", 5)),
    (at_least("x", 5), at_most("x", 5)),
    (more("x", 5), less("x", 6)),
    (one_of("x", [1, 2]), not_equals("x", 1)),
    (equals("x", True), not_equals("x", False)),
    (not_equals("x", 1), not_equals("x", 2)),
    (at_least("x", Money(0, "EUR")), at_most("x", Money(0, "EUR"))),
    (contains("x", "a"), not_(contains("x", "b"))),
    (elapsed(DAY, since="x"), not_(elapsed(2 * DAY, since="x"))),
    (not_(elapsed(timedelta(), since="x")),),
    (equals("x", AT), elapsed(DAY, since="x")),
    (equals("x", AT), not_(elapsed(DAY, since="x"))),
    (less("x", AT), elapsed(DAY, since="x")),
    (named("credit", {"n": 1}), not_(named("credit", {"n": 2}))),
    (less("x", 5), more("y", 5)),
]


@pytest.mark.parametrize("parts", MET_BY_NOTHING, ids=str)
def test_what_nothing_can_meet_is_refused(parts):
    with pytest.raises(InvalidValueError, match=r"^condition: '(x|credit)' ") as caught:
        all_of(*parts)
    assert list(contradictions(reversed(parts))) != []
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("parts", MET_BY_SOMETHING, ids=str)
def test_what_something_can_meet_is_no_contradiction(parts):
    assert list(contradictions(parts)) == []
    assert all_of(*parts) == AllOf(parts) or len(parts) == 1


def test_every_contradiction_is_named():
    message = refused(
        all_of, less("x", 5), more("x", 6), present("y"), AllOf((AllOf((absent("y"),)),))
    )
    assert message == (
        "condition: 'x' must be less than 5 and must be more than 6; "
        "'y' must be present and must be absent"
    )


def test_alternatives_are_no_contradiction():
    assert all_of(less("x", 5), any_of(more("x", 6), present("y"))).conditions[0] == less("x", 5)
    assert len(any_of(less("x", 5), more("x", 6)).conditions) == 2


# Words


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (present("amount"), "'amount' must be present"),
        (absent("amount"), "'amount' must be absent"),
        (equals("open", True), "'open' must be True"),
        (not_equals("owner", "ann"), "'owner' must not be 'ann'"),
        (less("seats", Decimal("0.5")), "'seats' must be less than 0.5"),
        (at_most("amount", Money("1234.5", "EUR")), "'amount' must be at most 1,234.50 EUR"),
        (more("day", date(2026, 1, 1)), "'day' must be more than 2026-01-01"),
        (at_least("since", AT), "'since' must be at least 2026-01-01 00:00:00+00:00"),
        (one_of("owner", ["b", "a"]), "'owner' must be one of 'a', 'b'"),
        (not_(one_of("seats", [1, 2])), "'seats' must be none of 1, 2"),
        (one_of("seats", range(10)),
         "'seats' must be one of 0, 1, 2, 3, 4, 5, 6, 7, 2 more"),
        (contains("tags", "a"), "'tags' must hold 'a'"),
        (not_(contains("tags", "a")), "'tags' must not hold 'a'"),
        (approved_by("finance"), "'finance' must approve"),
        (made_by("rep", "manager"), "the role must be 'manager' or 'rep'"),
        (elapsed(DAY, since="since"), "'since' must be past for at least 1 day"),
        (spent_at_least(7 * DAY), "it must have been there for at least 7 days"),
        (not_(spent_at_least(timedelta(hours=1))),
         "it must have been there for less than 1:00:00"),
        (named("credit"), "'credit' must hold"),
        (not_(named("credit", {"a b": "x", "n": 1})),
         "'credit' ('a b'='x', n=1) must not hold"),
        (ALWAYS, "nothing is asked"),
        (NEVER, "it is forbidden"),
        (all_of(present("a"), any_of(present("b"), present("c"))),
         "'a' must be present and ('b' must be present or 'c' must be present)"),
    ],
)  # fmt: skip
def test_a_condition_is_said_in_words(condition, words):
    assert in_words(condition) == words


def test_long_names_and_constants_are_cut_in_words():
    long = "a" * 1000
    words = in_words(
        all_of(equals(long, long), named(long, {long: long}), contains("approvals", long))
    )
    assert len(words) < 600
    assert "…" in words


def test_what_a_condition_looks_at_is_named():
    assert present("attributes.seats").place == "attributes.seats"
    assert named("credit").place == "credit"


def test_facts_have_an_empty_context_unless_given():
    facts = Facts({}, Move("a", "b"))
    assert dict(facts.context) == {}
    assert facts.move[2:] == (None, None, None, None)


def test_a_condition_can_be_changed_into_another():
    assert attrs.evolve(less("x", 5), value=6) == less("x", 6)
    assert attrs.evolve(named("credit"), negated=True) == not_(named("credit"))
    assert "'a..b' is not" in refused(attrs.evolve, less("x", 5), path="a..b")


def test_no_strange_value_is_a_condition():
    for value in STRANGE:
        with pytest.raises(WrongTypeError, match="a condition, such as present"):
            check_condition(value)
