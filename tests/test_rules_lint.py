"""What is odd about a rulebook, and what is not."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import attrs
import pytest

from contracts import check_value
from salespipeline.conditions import (
    ALWAYS,
    NEVER,
    AllOf,
    absent,
    all_of,
    any_of,
    approved_by,
    approved_by_any,
    at_least,
    at_most,
    contains,
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
from salespipeline.lifecycle import (
    LIFECYCLE,
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LifecycleStage,
)
from salespipeline.money import Money
from salespipeline.pipelines import (
    HUBSPOT_DEFAULT,
    SALESFORCE_DEFAULT,
    SEVEN_STAGES,
    SIX_STAGES,
)
from salespipeline.rules import Finding, Grant, Odd, Rule, Rulebook

SHIPPED = (SEVEN_STAGES, SIX_STAGES, HUBSPOT_DEFAULT, SALESFORCE_DEFAULT)
STEPS = ["a", "b", "c"]
AT = datetime(2026, 3, 9, tzinfo=UTC)
VALUES = (None, 1, 4, 5, 6, 8, 10, "a", "b", "c", *(Money(n, "EUR") for n in (4, 7, 10)))
RECORDS = [
    {"x": x, "y": y, "approvals": approvals}
    for x in VALUES
    for y in (None, 1)
    for approvals in ((), ("boss",), ("desk",))
]


def board(*rules, **parts):
    return Rulebook.free("board", STEPS, rules=rules, **parts)


def told(book, **asked):
    return [(each.code.value, each.states, each.rules) for each in book.lint(**asked)]


# What is sound


@pytest.mark.parametrize(
    "book",
    [LIFECYCLE, STANDARD_STATUSES.rulebook, RECYCLABLE_STATUSES.rulebook]
    + [pipeline.rulebook for pipeline in SHIPPED],
    ids=lambda book: book.name,
)
def test_nothing_is_odd_about_the_rulebooks_that_ship(book):
    assert book.lint() == ()


def test_the_lifecycle_is_sound_where_moves_back_are_findings():
    assert LIFECYCLE.lint(forward_only=True) == ()
    assert told(STANDARD_STATUSES.rulebook, forward_only=True) == [
        ("backward", (later, earlier), ())
        for later in STANDARD_STATUSES.keys
        for earlier in STANDARD_STATUSES.keys[: STANDARD_STATUSES.keys.index(later)]
    ]


@pytest.mark.parametrize("pipeline", SHIPPED, ids=lambda pipeline: pipeline.key)
def test_the_usual_rules_of_a_pipeline_are_sound_together(pipeline):
    first, second = pipeline.keys[:2]
    strict = pipeline.ruled(
        skips=False, backward=False, reopening=timedelta(days=30), creation=[first],
        required={first: ["account"]}, verdicts={second: "qualified"},
        approvals={second: ["boss"]}, reason_to_lose=True, required_to_win=["amount"],
        grants=[Grant("boss", {"no skips", "reason to lose", "backward"})],
    )  # fmt: skip
    assert strict.rulebook.lint() == ()


def test_a_rule_that_needs_more_for_some_moves_than_another_for_all_is_no_finding():
    assert (
        board(
            Rule("some amount", present("amount")),
            Rule("much", at_least("amount", 100), targets=["c"]),
            Rule("boss", made_by("boss"), sources=["c"], way="backward"),
            Rule("boss or clerk", made_by("boss", "clerk"), sources=["b", "c"], way="backward"),
            Rule("either", any_of(present("owner"), present("team"))),
            Rule("to begin", present("source"), sources=[None]),
        ).lint()
        == ()
    )


# States


def test_a_state_that_nothing_comes_to_is_named():
    book = Rulebook.explicit("x", {"a": ["b"], "b": [], "c": ["b"], "d": ["c"]}, creation=["a"])
    assert told(book) == [("unreachable", ("c",), ()), ("unreachable", ("d",), ())]
    assert book.lint()[0].message == "nothing comes to 'c': no record begins or moves there"


def test_the_states_that_a_record_can_come_to_are_told():
    moves = {"a": ["b"], "b": ["a"], "c": ["b"]}
    assert Rulebook.explicit("x", moves, creation=["a"]).graph().reached() == {"a", "b"}
    assert Rulebook.explicit("x", moves, creation=[]).graph().reached() == set()
    closed = Rulebook.explicit("x", moves, creation=["c"], rules=[Rule("no", NEVER, ["b"])])
    assert closed.graph().reached() == {"c", "b"}


def test_a_state_is_not_come_to_by_moves_that_no_facts_allow():
    for condition in (NEVER, AllOf((NEVER, present("x")))):
        book = board(Rule("closed", condition, targets=["b"]), creation=["a"])
        assert told(book) == [("unreachable", ("b",), ())]


def test_a_state_that_nothing_leaves_is_named_unless_it_is_marked_final():
    rule = Rule("stuck", NEVER, sources=["c"])
    assert told(board(rule)) == [("dead_end", ("c",), ())]
    assert board(rule).lint()[0].message == "nothing leaves 'c', and it is not marked final"
    assert board(final=["c"]).lint() == ()
    # the last state of a forward rulebook is its end, and a state of an explicit one without moves
    assert Rulebook.forward("x", STEPS).lint() == ()
    assert Rulebook.explicit("x", {"a": ["b"], "b": []}).lint() == ()


def test_a_state_from_which_no_way_leads_to_a_final_one_is_named():
    moves = {"a": ["b", "c"], "b": ["a"], "c": ["d"], "d": ["c"], "e": []}
    book = Rulebook.explicit("x", moves)
    assert told(book) == [("no_way_to_final", (state,), ()) for state in "abcd"]
    assert book.lint()[0].message == "no way leads from 'a' to a final state"
    endless = Rulebook.explicit("x", {"a": ["b"], "b": ["a"]})
    assert endless.lint() == ()


def test_what_a_grant_allows_to_make_is_a_way():
    """A deal that only a director may open again is in no dead end, and can be come to."""
    closed = Rule("closed", NEVER, sources=["c"])
    shut = Rule("shut", NEVER, targets=["c"])
    assert told(board(closed, shut)) == [("unreachable", ("c",), ()), ("dead_end", ("c",), ())]
    book = board(closed, shut, grants=[Grant("boss", {"closed", "shut"})])
    assert book.lint() == ()
    assert told(attrs.evolve(book, grants=(Grant("boss", {"shut"}),))) == [("dead_end", ("c",), ())]
    # each of two roles has half of the right to go on from there: neither has it
    halves = (Grant("boss", {"closed", "shut"}), Grant("clerk", {"shut"}))
    tight = board(
        closed, shut, Rule("and", NEVER, sources=["c"], targets=["a"]),
        Rule("so on", NEVER, sources=["c"], targets=["b"]), grants=halves,
    )  # fmt: skip
    assert ("dead_end", ("c",), ()) in told(tight)


def test_a_state_that_is_come_to_by_an_override_of_the_order_is_come_to():
    book = Rulebook.forward(
        "x", STEPS, creation=["b"], grants=[Grant("boss", {"not_a_creation_state"})]
    )
    assert book.lint() == ()
    assert told(attrs.evolve(book, grants=())) == [("unreachable", ("a",), ())]
    back = attrs.evolve(book, grants=(Grant("boss", {"backward"}),))
    assert back.lint() == ()


# Moves


def test_rules_that_no_facts_meet_together_are_named_once_and_without_the_others():
    book = board(
        Rule("small", less("amount", 5), targets=["c"]),
        Rule("owned", present("owner")),
        Rule("large", more("amount", 9), targets=["b", "c"]),
        final=["c"],
    )
    found = [each for each in book.lint() if each.code is Odd.NEVER_HOLDS]
    assert [(each.states, each.rules) for each in found] == [((None, "c"), ("small", "large"))]
    assert found[0].message == (
        "no facts can meet 'small' and 'large', as the move (new) to 'c' needs"
    )


@pytest.mark.parametrize(
    "conditions",
    [
        (present("owner"), absent("owner")),
        (equals("kind", "new"), one_of("kind", ["old", "other"])),
        (equals("kind", "new"), any_of(equals("kind", "old"), equals("kind", "other"))),
        (made_by("sales"), made_by("clerk")),
        (contains("tags", "vip"), not_(contains("tags", "vip"))),
        (spent_at_least(timedelta(days=3)), not_(spent_at_least(timedelta(days=2)))),
        (more("amount", Money(5, "EUR")), more("amount", Money(5, "USD"))),
        (any_of(all_of(present("a"), less("b", 1)), equals("b", 9)), equals("b", 5)),
        (named("x"), not_(named("x"))),
        (at_least("due", date(2026, 2, 1)), at_most("due", date(2026, 1, 1))),
    ],
    ids=str,
)
def test_facts_that_no_record_has_are_seen_through(conditions):
    rules = [Rule(f"{n}", each, targets=["c"]) for n, each in enumerate(conditions)]
    book = Rulebook.explicit(
        "x", {"a": ["b", "c"], "b": [], "c": []}, rules=rules, predicates={"x": bool},
        creation=["a"],
    )  # fmt: skip
    assert ("never_holds", ("a", "c"), ("0", "1")) in told(book)
    assert ("unreachable", ("c",), ()) in told(book)
    for rule in rules:
        alone = attrs.evolve(book, rules=(rule,))
        assert {each.code for each in alone.lint()} <= {Odd.NOT_PORTABLE}


def test_what_is_forbidden_on_purpose_is_no_contradiction():
    book = board(Rule("closed", NEVER, sources=["c"]), Rule("no", NEVER), final=["c"])
    assert "never_holds" not in {code for code, *_ in told(book)}


def test_conditions_that_some_facts_meet_are_no_contradiction():
    pairs = [
        (less("amount", 5), less("amount", 3)),
        (at_least("amount", 5), at_most("amount", 5)),
        (present("owner"), equals("owner", "ada")),
        (contains("tags", "a"), contains("tags", "b")),
        (made_by("a", "b"), made_by("b", "c")),
        (any_of(absent("x"), equals("x", 1)), any_of(absent("x"), equals("x", 2))),
        (approved_by("boss"), approved_by("desk")),
    ]
    for one, other in pairs:
        book = board(Rule("one", one, ["a"]), Rule("other", other, ["a", "b"]))
        assert "never_holds" not in {code for code, *_ in told(book)}


def test_a_move_back_is_a_finding_where_all_should_go_forward():
    book = Rulebook.explicit("x", {"a": ["b"], "b": ["c", "a"], "c": []})
    assert book.lint() == ()
    assert told(book, forward_only=True) == [("backward", ("b", "a"), ())]
    assert book.lint(forward_only=True)[0].message == "the move 'b' to 'a' goes backward"
    closed = attrs.evolve(book, rules=(Rule("no way back", NEVER, way="backward"),))
    assert closed.lint(forward_only=True) == ()


# Rules


def test_a_rule_that_bears_on_no_move_is_idle():
    book = Rulebook.forward(
        "x", STEPS,
        rules=[
            Rule("no states", present("x"), sources=[]),
            Rule("back", present("x"), way="backward"),
            Rule("from the last", present("x"), sources=["c"]),
            Rule("asks nothing", ALWAYS),
            Rule("skipping", present("x"), way="skip"),
        ],
    )  # fmt: skip
    names = ["no states", "back", "from the last", "asks nothing"]
    assert told(book) == [("idle_rule", (), (name,)) for name in names]
    assert book.lint()[0].message == "the rule 'no states' bears on no move that there is"
    assert book.lint()[3].message == "the rule 'asks nothing' asks nothing"


def test_a_rule_on_moves_that_only_a_grant_allows_is_not_idle():
    rule = Rule("why back", present("reason"), way="backward")
    book = Rulebook.forward("x", STEPS, rules=[rule], grants=[Grant("boss", {"backward"})])
    assert book.lint() == ()
    other = attrs.evolve(book, grants=(Grant("boss", {"skip"}),))
    assert told(other) == [("idle_rule", (), ("why back",))]


def test_a_rule_that_says_what_another_says_is_a_duplicate():
    one = Rule("one", all_of(present("x"), less("y", 5)), ["a"])
    same = Rule("same", all_of(less("y", 5), present("x")), ["a"], way="forward")
    book = Rulebook.explicit("x", {"a": ["b"], "b": ["c"], "c": []}, rules=[one, same])
    assert told(book) == [("duplicate_rule", (), ("same", "one"))]
    assert book.lint()[0].message == "the rule 'same' says what 'one' says"


IMPLIED = [
    (equals("x", 5), present("x")),
    (less("x", 5), at_most("x", 5)),
    (less("x", 5), less("x", 9)),
    (equals("x", 5), one_of("x", [5, 6])),
    (one_of("x", ["a", "b"]), one_of("x", ["a", "b", "c"])),
    (equals("x", "a"), not_(equals("x", "b"))),
    (more("x", Money(9, "EUR")), more("x", Money(5, "EUR"))),
    (spent_at_least(timedelta(days=9)), spent_at_least(timedelta(days=5))),
    (all_of(present("x"), present("y")), present("y")),
    (present("x"), any_of(present("x"), present("y"))),
    (approved_by("boss"), approved_by_any("boss", "desk")),
    (any_of(equals("x", 1), equals("x", 2)), less("x", 5)),
    (any_of(present("x"), present("y")), any_of(present("y"), present("x"), present("z"))),
    (all_of(less("x", 5), present("y")), any_of(all_of(less("x", 9), present("y")), absent("z"))),
    (NEVER, present("x")),
]


@pytest.mark.parametrize(("more_asked", "less_asked"), IMPLIED, ids=str)
def test_a_rule_that_denies_nothing_that_another_allows_stands_in_its_shadow(
    more_asked, less_asked
):
    weak, strong = Rule("weak", less_asked, ["a"]), Rule("strong", more_asked)
    for rules in ([weak, strong], [strong, weak]):
        found = told(board(*rules, creation=["a"]))
        assert ("shadowed_rule", (), ("weak", "strong")) in found
    # the other way round, and where the weaker rule bears on more moves, each has its point
    for rules in (
        [attrs.evolve(weak, condition=more_asked), attrs.evolve(strong, condition=less_asked)],
        [attrs.evolve(weak, sources=None), attrs.evolve(strong, sources=["a"])],
    ):
        assert "shadowed_rule" not in {code for code, *_ in told(board(*rules))}


NOT_IMPLIED = [
    (absent("x"), present("x")),
    (less("x", 9), less("x", 5)),
    (present("x"), equals("x", 5)),
    (equals("x", Money(5, "EUR")), not_(equals("x", Money(5, "USD")))),
    (more("x", Money(9, "EUR")), more("x", Money(5, "USD"))),
    (contains("x", "a"), contains("x", "b")),
    (less("x", 5), less("y", 5)),
    (any_of(less("x", 5), present("y")), less("x", 9)),
    (named("ask"), present("x")),
    (named("ask"), named("ask", {"more": 1})),
]


@pytest.mark.parametrize(("one", "other"), NOT_IMPLIED, ids=str)
def test_a_rule_that_may_deny_what_another_allows_stands_in_no_shadow(one, other):
    book = board(Rule("one", one), Rule("other", other, ["a"]), predicates={"ask": bool})
    assert not {"shadowed_rule", "duplicate_rule"} & {code for code, *_ in told(book)}


@pytest.mark.parametrize(("strong", "weak"), IMPLIED, ids=str)
def test_a_rule_in_a_shadow_changes_no_decision(strong, weak):
    """The finding is true: on any of these records the weaker rule never denies alone."""
    with_both = board(Rule("strong", strong), Rule("weak", weak))
    alone = board(Rule("strong", strong))
    for record in RECORDS:
        for days in (0, 4, 7, 10):
            facts = {"at": AT, "entered_at": AT - timedelta(days=days)}
            one = with_both.permits("a", "b", record, **facts)
            assert one is alone.permits("a", "b", record, **facts)


def test_a_rule_that_nobody_may_override_is_in_no_shadow_of_one_that_somebody_may():
    closed, owned = Rule("closed", NEVER, sources=["c"]), Rule("owned", present("x"), ["c"])
    shadow = ("shadowed_rule", (), ("owned", "closed"))
    book = board(closed, owned)
    assert shadow in told(book)
    assert attrs.evolve(book, grants=(Grant("boss", {"closed"}),)).lint() == ()
    for grants in ([{"closed", "owned"}], [{"owned"}], [{"closed", "owned"}, {"owned"}]):
        roles = tuple(Grant(f"role {n}", over) for n, over in enumerate(grants))
        assert shadow in told(attrs.evolve(book, grants=roles))


def test_a_rule_that_asks_a_predicate_is_not_portable():
    rule = Rule("asked", all_of(named("rich"), any_of(named("old"), present("x"))))
    book = board(rule, predicates={"rich": bool, "old": bool, "unused": bool})
    assert told(book) == [("not_portable", (), ("asked",))]
    assert book.lint()[0].message == (
        "the rule 'asked' asks 'old', 'rich', which only Python can answer"
    )


# All of it


def test_findings_come_the_most_harmful_first():
    book = Rulebook.explicit(
        "x", {"a": ["b", "c"], "b": ["a"], "c": ["a"], "d": [], "e": ["c"]}, creation=["a"],
        rules=[
            Rule("python", named("ask"), ["a"], ["b"]),
            Rule("idle", present("x"), ["d"]),
            Rule("small", less("x", 1), ["a"], ["c"]),
            Rule("large", more("x", 1), ["a"], ["c"]),
            Rule("large again", more("x", 1), ["a"], ["c"]),
            Rule("there", present("x"), ["a"], ["c"]),
        ],
        predicates={"ask": bool},
    )  # fmt: skip
    codes = [each.code for each in book.lint(forward_only=True)]
    assert codes == sorted(codes, key=list(Odd).index)
    assert {*codes} == {*Odd} - {
        Odd.DEAD_END, Odd.CANNOT_WIN, Odd.CANNOT_LOSE, Odd.LOST_WITHOUT_REASON,
        Odd.TOO_MANY_STATUSES,
    }  # fmt: skip


def test_a_finding_is_a_value():
    finding = Finding(Odd.DEAD_END, "nothing leaves 'a'", ("a",), ("closed",))
    check_value(
        finding, attrs.evolve(finding), attrs.evolve(finding, states=(None, "a")),
        attrs.evolve(finding, rules=()), attrs.evolve(finding, code=Odd.BACKWARD),
    )  # fmt: skip


def test_a_rulebook_of_many_states_and_rules_is_linted_in_a_moment():
    states = [f"s{n}" for n in range(60)]
    rules = [
        Rule(f"{one} to {other}", present("x"), [one], [other])
        for one, other in list(combinations(states, 2))[:200]
    ]
    assert Rulebook.free("x", states, rules=rules).lint() == ()
    assert Rulebook.forward("x", LifecycleStage).lint(forward_only=True) == ()
