"""What a changed rulebook changes."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import salespipeline.rules
from contracts import STRANGE, check_door, check_value
from salespipeline.conditions import (
    Facts,
    Move,
    any_of,
    at_least,
    equals,
    made_by,
    present,
    spent_at_least,
)
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.rules import Comparison, Flip, Grant, Rule, Rulebook, Stranded, compare
from salespipeline.rules.comparing import Change, Plight

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = Rulebook.free("board", ["todo", "doing", "done"])


def fact(source, target, record=None, **move):
    return source, target, Facts(record or {}, Move(source, target, **move))


def changed(**facts):
    return Rulebook.free("board", ["todo", "doing", "done"], version=2, **facts)


# Moves, rules and rights


def test_a_rulebook_changes_nothing_against_itself():
    assert not compare(NOW, NOW)
    assert compare(NOW, NOW) == Comparison(("board", 1), ("board", 1))
    assert str(compare(NOW, changed())) == "board version 1 to board version 2: no change"


def test_moves_that_only_one_has_are_added_or_removed():
    new = Rulebook.explicit(
        "board", {"todo": ["doing"], "doing": ["done", "todo"], "done": ["later"], "later": []},
        creation=["todo"], version=2,
    )  # fmt: skip
    found = compare(NOW, new)
    assert found.added == (("done", "later"),)
    assert found.removed == (
        (None, "doing"), (None, "done"),
        ("todo", "done"), ("done", "todo"), ("done", "doing"),
    )  # fmt: skip


def test_a_move_that_no_facts_allow_any_more_is_removed():
    found = compare(NOW, changed(rules=[Rule("no way", any_of(), ["todo"], ["done"])]))
    assert found.removed == (("todo", "done"),)
    assert found.rules == (("no way", Change.ADDED),)


def test_rules_and_rights_that_differ_are_named_with_what_became_of_them():
    owned, big = present("owner"), at_least("amount", 10)
    old = changed(
        rules=[Rule("a", owned), Rule("b", owned), Rule("c", owned)],
        grants=[Grant("boss", ["a"]), Grant("head", ["a"])],
    )
    new = changed(
        rules=[Rule("d", owned), Rule("b", big), Rule("c", owned, meaning="in other words")],
        grants=[Grant("boss", ["b"]), Grant("clerk", ["b"])],
    )
    found = compare(old, new)
    assert found.rules == (("a", "removed"), ("b", "changed"), ("d", "added"))
    assert found.rights == (("boss", "changed"), ("head", "removed"), ("clerk", "added"))


@pytest.mark.parametrize(
    "other",
    [
        Rule("a", present("owner"), ["todo"]),
        Rule("a", present("owner"), None, ["done"]),
        Rule("a", present("owner"), way="forward"),
    ],
)
def test_a_rule_that_bears_on_other_moves_is_changed(other):
    found = compare(changed(rules=[Rule("a", present("owner"))]), changed(rules=[other]))
    assert found.rules == (("a", Change.CHANGED),)


def test_the_order_and_the_words_of_rules_are_no_difference():
    first, second = Rule("a", present("owner"), ["todo", "doing"]), Rule("b", made_by("sales"))
    other = Rule("a", present("owner"), ["doing", "todo"], message="whose is it?")
    assert not compare(changed(rules=[first, second]), changed(rules=[second, other]))


def test_a_grant_alone_is_a_difference():
    found = compare(changed(), changed(grants=[Grant("boss", ["final"])]))
    assert found
    assert "  rights to override:\n    'boss' added" in str(found)


# Decisions that flip


def test_facts_that_the_new_rulebook_decides_otherwise_are_counted_with_an_example():
    new = changed(rules=[Rule("owned", present("owner"), targets=["done"])])
    facts = [
        fact("todo", "done", {"owner": "ada"}),
        fact("todo", "done", {"id": 1}),
        fact("doing", "done", {"id": 2}),
        fact("doing", "done", {"id": 3}),
        fact("todo", "doing"),
    ]
    found = compare(NOW, new, facts)
    assert found.newly_allowed == ()
    assert [(flip.source, flip.target, flip.count) for flip in found.newly_denied] == [
        ("doing", "done", 2), ("todo", "done", 1),
    ]  # fmt: skip
    flip = found.newly_denied[0]
    assert flip.example.record == {"id": 2}
    assert [denial.rule for denial in flip.denials] == ["owned"]
    assert str(flip) == "'doing' to 'done': 2 ('owner' must be present)"


def test_newly_allowed_facts_carry_what_the_old_rulebook_had_against_them():
    old = changed(rules=[Rule("owned", present("owner"), targets=["done"])])
    found = compare(old, NOW, iter([fact("todo", "done")]))
    assert found.newly_denied == ()
    [flip] = found.newly_allowed
    assert (flip.count, flip.denials[0].rule) == (1, "owned")


def test_facts_are_decided_with_all_that_is_known_of_the_move():
    patient = changed(
        rules=[
            Rule("slowly", spent_at_least(timedelta(days=1))),
            Rule("by sales", made_by("sales")),
            Rule("by ada", equals("move.by", "ada")),
        ]
    )
    known = {"at": START, "entered_at": START - timedelta(days=1), "by": "ada", "role": "sales"}
    assert compare(NOW, patient, [fact("todo", "done", **known)]).newly_denied == ()
    for name in known:
        partly = {key: value for key, value in known.items() if key != name}
        assert len(compare(NOW, patient, [fact("todo", "done", **partly)]).newly_denied) == 1


def test_a_rule_on_the_context_is_not_asked_of_facts_without_one():
    new = changed(rules=[Rule("open season", equals("context.season", "open"))])
    without = fact("todo", "done")
    with_one = ("todo", "done", without[2]._replace(context={"season": "shut"}))
    found = compare(NOW, new, [without])
    assert found.newly_denied == ()
    assert found.not_asked == ("open season",)
    assert str(found).endswith("\n  not asked, for want of a context: open season")
    assert compare(NOW, new, [without, with_one]).newly_denied[0].count == 1


def test_a_context_does_not_hide_what_else_is_against_a_move():
    new = changed(
        rules=[
            Rule("season", equals("context.season", "open")),
            Rule("owned", present("owner")),
        ]
    )
    [flip] = compare(NOW, new, [fact("todo", "done")]).newly_denied
    assert [denial.rule for denial in flip.denials] == ["owned"]


# Records that get stuck


def test_records_are_stuck_in_a_state_that_is_gone_or_has_no_way_on():
    new = Rulebook.free(
        "board", ["todo", "doing", "shut"],
        final=["shut"], rules=[Rule("stay", any_of(), ["doing"])], version=2,
    )  # fmt: skip
    old = Rulebook.free("board", ["todo", "doing", "done", "shut"])
    standing = ["done", "todo", "doing", "done", "ghost"]
    assert compare(old, new, standing=standing).stranded == (
        Stranded("doing", 1, Plight.DEAD_END),
        Stranded("done", 2, Plight.UNKNOWN_STATE),
        Stranded("shut", 0, Plight.FINAL),
        Stranded("ghost", 1, Plight.UNKNOWN_STATE),
    )


def test_a_state_that_had_no_way_on_before_strands_nobody_anew():
    final = Rulebook.free("board", ["todo", "done"], final=["done"])
    assert compare(final, final, standing=["done"]).stranded == ()


# States renamed, merged and retired


def test_a_renamed_state_is_no_change():
    new = Rulebook.free("board", ["todo", "working", "done"], version=2)
    assert compare(NOW, new).added
    facts = [fact("todo", "doing"), fact("doing", "done")]
    found = compare(NOW, new, facts, standing=["doing"], former={"doing": "working"})
    assert not found, str(found)


def test_a_rule_on_a_renamed_state_is_the_same_rule():
    old = changed(rules=[Rule("owned", present("owner"), ["doing"], ["done"])])
    new = Rulebook.free(
        "board", ["todo", "working", "done"],
        rules=[Rule("owned", present("owner"), ["working"], ["done"])],
    )  # fmt: skip
    assert not compare(old, new, former={"doing": "working"})


def test_a_move_between_states_that_became_one_is_no_move_any_more():
    new = Rulebook.free("board", ["todo", "done"], version=2)
    facts = [fact("doing", "done"), fact("todo", "doing")]
    found = compare(NOW, new, facts, standing=["doing"], former={"doing": "todo"})
    assert not found, str(found)


def test_a_retired_state_without_a_successor_strands_its_records():
    new = Rulebook.free("board", ["todo", "done"], version=2)
    found = compare(NOW, new, [fact("todo", "doing")], standing=["doing"])
    assert found.stranded == (Stranded("doing", 1, Plight.UNKNOWN_STATE),)
    assert found.newly_denied[0].denials[0].code == "unknown_state"


def test_the_retired_keys_of_a_pipeline_may_be_given_as_they_are():
    old = Pipeline("p", [Stage("talk"), Stage("offer"), Stage("bid")])
    new = Pipeline("p", [Stage("talk"), Stage("proposal")], former={"offer": "proposal",
        "bid": "proposal", "call": "talk"})  # fmt: skip
    found = compare(
        old.rulebook, new.rulebook, [fact("call", "offer"), fact("talk", "bid")],
        standing=["offer", "bid", "talk"], former=new.former,
    )  # fmt: skip
    assert not found, str(found)


def test_a_former_state_must_be_gone_and_lead_to_one_that_is_there():
    with pytest.raises(InvalidValueError) as caught:
        compare(NOW, NOW, former={"doing": "done", "old": "lunch"})
    assert caught.value.faults == (
        "'doing' is still in use",
        "'old' leads to the unknown 'lunch'",
    )


# Test vectors


def test_vectors_of_the_old_rulebook_that_are_decided_otherwise_are_counted_by_move():
    old = changed(rules=[Rule("big", at_least("seats", 10), ["todo"], ["done"])])
    new = changed(rules=[Rule("big", at_least("seats", 11), ["todo"], ["done"])])
    found = compare(old, new)
    assert [move for move, _ in found.vectors] == [("todo", "done")]
    assert found.added == found.removed == ()
    assert compare(old, old).vectors == ()


# What is given, and what is printed


def test_strange_arguments_are_refused():
    check_door(lambda old: compare(old, NOW))
    check_door(lambda new: compare(NOW, new))
    check_door(lambda fact: compare(NOW, NOW, [fact]))
    check_door(
        lambda former: compare(NOW, NOW, former=former),
        takes=lambda x: isinstance(x, dict) and not x,
    )
    empty = (b"bytes", bytearray(b"mutable"), range(3))
    for value in STRANGE:
        if hasattr(value, "__iter__") and not isinstance(value, str):
            continue
        for name in ("facts", "standing"):
            with pytest.raises(WrongTypeError, match=name):
                compare(NOW, NOW, **{name: value})
    for value in (*empty, [[]]):
        with pytest.raises((InvalidValueError, WrongTypeError)):
            compare(NOW, NOW, value)
    with pytest.raises(WrongTypeError, match="'standing' must be hashable states"):
        compare(NOW, NOW, standing=[[]])
    with pytest.raises(WrongTypeError, match="'former' must be hashable states"):
        compare(NOW, NOW, former={"old": []})


@pytest.mark.parametrize(
    "strange",
    [
        ("todo", "done"),
        ["todo", "done", Facts({}, Move("todo", "done"))],
        ("todo", "done", {}),
        ("todo", "done", Facts({}, None)),
    ],
)
def test_a_fact_that_is_no_triple_is_named_by_its_number(strange):
    with pytest.raises(InvalidValueError, match="facts: number 1 is no triple of source, target"):
        compare(NOW, NOW, [fact("todo", "done"), strange])


def test_a_state_that_cannot_be_hashed_is_refused():
    with pytest.raises(WrongTypeError, match="'facts' must be hashable states"):
        compare(NOW, NOW, [("todo", [], Facts({}, Move("todo", [])))])


def test_a_comparison_reads_as_a_page_with_the_most_harmful_first():
    new = Rulebook.explicit(
        "board", {"todo": ["done"], "done": []}, version=2,
        rules=[Rule("owned", present("owner"), targets=["done"])],
    )  # fmt: skip
    found = compare(NOW, new, [fact("todo", "done"), fact("todo", "doing")], standing=["doing"])
    assert found
    assert str(found).splitlines()[:11] == [
        "board version 1 to board version 2",
        "  records stuck:",
        "    'doing': 1 (unknown_state)",
        "    'done': 0 (final)",
        "  newly denied:",
        "    'todo' to 'done': 1 ('owner' must be present)",
        "    'todo' to 'doing': 1 ('board' has no state 'doing')",
        "  moves removed:",
        "    (new) to 'doing'",
        "    'todo' to 'doing'",
        "    'doing' to 'todo'",
    ]


def test_of_many_changes_of_a_kind_twenty_are_printed_and_the_rest_counted():
    many = [f"s{n}" for n in range(6)]
    old, new = Rulebook.free("x", many), Rulebook.explicit("x", {state: [] for state in many})
    removed = [line for line in str(compare(old, new)).splitlines() if "' to 's" in line]
    assert len(removed) > 20
    text = str(compare(old, new))
    part = text[text.index("moves removed") : text.index("test vectors")].splitlines()
    assert len(part) == 1 + 20 + 1 + 1
    assert part[21] == "    and 10 more"


def test_one_more_than_twenty_is_printed_too():
    many = [f"s{n}" for n in range(21)]
    found = compare(
        Rulebook.explicit("x", {state: [] for state in many}, creation=many),
        Rulebook.explicit("x", {state: [] for state in many}, creation=[]),
    )
    assert len(found.removed) == 21
    text = str(found)
    part = text[text.index("moves removed") : text.index("test vectors")]
    assert "more" not in part
    assert part.count("(new) to") == 21


def test_what_a_comparison_is_made_of_are_values():
    facts = Facts({}, Move("a", "b"))
    check_value(
        Flip("a", "b", 2, facts, ()),
        Flip("a", "b", 2, facts, ()),
        Flip("c", "b", 2, facts, ()),
        Flip("a", "c", 2, facts, ()),
        Flip("a", "b", 3, facts, ()),
    )
    check_value(
        Stranded("a", 1, Plight.FINAL),
        Stranded("a", 1, Plight("final")),
        Stranded("a", 2, Plight.FINAL),
        Stranded("a", 1, Plight.DEAD_END),
    )
    check_value(
        Comparison(("a", 1), ("a", 2), (("x", "y"),)),
        Comparison(("a", 1), ("a", 2), (("x", "y"),)),
        Comparison(("a", 1), ("a", 2)),
        Comparison(("a", 1), ("a", 2), removed=(("x", "y"),)),
    )


def test_comparing_is_imported_when_it_is_first_asked_for_and_is_the_function_then():
    code = (
        "import sys, salespipeline\n"
        "assert 'salespipeline.rules.comparing' not in sys.modules\n"
        "assert salespipeline.rules.compare.__name__ == 'compare'\n"
        "assert callable(salespipeline.rules.compare)\n"
        "assert 'salespipeline.rules.comparing' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
    with pytest.raises(AttributeError, match="has no attribute 'comparison'"):
        salespipeline.rules.comparison  # noqa: B018 - the access is the test
