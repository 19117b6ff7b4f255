"""What holds of every rulebook: among others, that it says what a small plain model says."""

import pickle
from contextlib import suppress
from datetime import UTC, timedelta
from types import MappingProxyType, SimpleNamespace

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import STRANGE
from record_strategies import contact_runs
from salespipeline.conditions import Op, contains, equals, less, one_of, present
from salespipeline.errors import SalesPipelineError
from salespipeline.rules import Code, Course, Grant, Odd, Override, Result, Rule, Rulebook, Way
from strategies import (
    asked_facts,
    names,
    plain_rulebooks,
    plain_rules,
    rule_of,
    ruled_books,
)

STRANGER = names().map(lambda name: f"no {name}")


@st.composite
def questions(draw, books=None):
    """A rulebook, a source and a target, most often states of its own, a record and facts."""
    book = draw(ruled_books() if books is None else books)
    own = st.sampled_from(book.states)
    record, facts = draw(asked_facts())
    return book, draw(own | own | st.none() | STRANGER), draw(own | own | STRANGER), record, facts


def told(decision):
    """What a decision says, without its words."""
    denials = {(each.code, each.rule, each.field) for each in decision.denials}
    return decision.result, denials, decision.alternatives


# The model: decisions worked out from plain data, with nothing of the library but its codes

KINDS = {"amount": (int,), "owner": (str,), "approvals": (list, tuple, frozenset)}
YES_NO = {"says yes": True, "says no": False, "cannot tell": None}
NOT = {True: False, False: True, None: None}
OWN = {
    Code.ALREADY_THERE, Code.BACKWARD, Code.FINAL, Code.NOT_A_CREATION_STATE,
    Code.NO_SUCH_MOVE, Code.SKIP, Code.UNKNOWN_STATE,
}  # fmt: skip


def looked_up(path, record, facts, move):
    root, _, name = path.partition(".")
    place = {"move": move, "context": facts["context"]}.get(root, record)
    return place.get(name or root)


def of_a_test(path, op, value, record, facts, move, *, negated):
    """The answer to one test, and the code where it is not yes."""
    found = looked_up(path, record, facts, move)
    if op in {Op.PRESENT, Op.ABSENT}:
        yes = (found is not None) is (op is Op.PRESENT)
        asks_presence = (op is Op.PRESENT) is not negated
        code = Code.MISSING_FIELD if asks_presence else Code.NOT_MET
        return (yes is not negated), code
    kind = KINDS.get(path, (object,))
    wrong = found is None or not isinstance(found, kind) or (kind == (int,) and found is True)
    if wrong or (op is Op.ELAPSED and move["at"] is None):
        return None, Code.MISSING_FIELD
    yes = {
        Op.LESS: lambda: found < value,
        Op.AT_LEAST: lambda: found >= value,
        Op.EQUALS: lambda: found == value,
        Op.NOT_EQUALS: lambda: found != value,
        Op.IN: lambda: found in value,
        Op.CONTAINS: lambda: value in found,
        Op.ELAPSED: lambda: move["at"].astimezone(UTC) - found.astimezone(UTC) >= value,
    }[op]()
    code = Code.NOT_MET
    if path == "move.role":
        code = Code.ROLE_NEEDED
    elif op is Op.CONTAINS and not negated:
        code = Code.APPROVAL_NEEDED
    elif op is Op.ELAPSED:
        code = Code.TOO_LATE if negated else Code.TOO_SOON
    return yes is not negated, code


def judged(plain, record, facts, move, *, negated=False):
    """The answer, whether it is unknown because something raised, and the leaves not met."""
    kind, *rest = plain
    if kind == "not":
        return judged(rest[0], record, facts, move, negated=not negated)
    if kind == "test":
        answer, code = of_a_test(*rest, record, facts, move, negated=negated)
        return answer, False, set() if answer else {(code, rest[0])}
    if kind == "named":
        if rest[0] == "raises":
            return None, True, {(Code.FAILED, "raises")}
        answer = NOT[YES_NO[rest[0]]] if negated else YES_NO[rest[0]]
        code = Code.MISSING_FIELD if answer is None else Code.NOT_MET
        return answer, False, set() if answer else {(code, rest[0])}
    parts = [judged(each, record, facts, move, negated=negated) for each in rest[0]]
    answers = [answer for answer, _, _ in parts]
    every = (kind == "all") is not negated
    if every:
        answer = False if False in answers else None if None in answers else True
    else:
        answer = True if True in answers else None if None in answers else False
    if answer:
        return True, False, set()
    against = {leaf for part, _, leaves in parts if not part for leaf in leaves}
    return answer, answer is None and any(raised for _, raised, _ in parts), against


def bears(rule, source, target, states):
    if rule["sources"] is not None and source not in rule["sources"]:
        return False
    if rule["targets"] is not None and target not in rule["targets"]:
        return False
    if rule["way"] is Way.ANY or source is None:
        return rule["way"] is Way.ANY
    first, last = states.index(source), states.index(target)
    if rule["way"] is Way.SKIP:
        over = states if rule["targets"] is None else rule["targets"]
        return any(first < states.index(state) < last for state in over)
    return last > first if rule["way"] is Way.FORWARD else last < first


def obstacle(book, source, target):
    states = book.states
    if source is None:
        return None if target in book.creation else Code.NOT_A_CREATION_STATE
    if source == target:
        return Code.ALREADY_THERE
    if source in book.final:
        return Code.FINAL
    if book.course is Course.EXPLICIT:
        return None if (source, target) in book.edges else Code.NO_SUCH_MOVE
    if book.course is Course.FORWARD and states.index(target) < states.index(source):
        return Code.BACKWARD
    far = states.index(target) > states.index(source) + 1
    return Code.SKIP if book.course is Course.FORWARD and far and not book.skips else None


def modelled(book, rules, source, target, record, facts):
    """The result, and the denials by code, rule and field, worked out the slow and plain way."""
    strange = [
        (Code.UNKNOWN_STATE, book.name, name)
        for name, state in (("source", source), ("target", target))
        if state not in book.states and not (name == "source" and state is None)
    ]
    if strange:
        return Result.NO_SUCH_MOVE, {*strange}
    code = obstacle(book, source, target)
    denials = set() if code is None else {(code, book.name, "target")}
    sure = code is not None
    if code not in {Code.ALREADY_THERE, Code.NO_SUCH_MOVE}:
        for rule in rules:
            if bears(rule, source, target, book.states):
                move = {"to": target, **facts}
                answer, raised, leaves = judged(rule["plain"], record, facts, move)
                if not answer:
                    sure = sure or not raised
                    leaves = leaves or {(Code.FORBIDDEN, "target")}
                    denials |= {(code, rule["name"], field) for code, field in leaves}
    if code is Code.NO_SUCH_MOVE:
        return Result.NO_SUCH_MOVE, denials
    if not denials:
        return Result.ALLOWED, denials
    return (Result.DENIED if sure else Result.FAILED), denials


@given(plain_rulebooks(), asked_facts(), st.data())
def test_a_rulebook_decides_as_the_plain_model_does(pair, asked, data):
    book, rules = pair
    record, facts = asked
    own = st.sampled_from(book.states)
    source = data.draw(own | own | st.none() | STRANGER)
    target = data.draw(own | own | STRANGER)
    decision = book.decide(source, target, record, **facts)
    result, denials = modelled(book, rules, source, target, record, facts)
    assert told(decision)[:2] == (result, denials)
    may = [
        state
        for state in book.states
        if modelled(book, rules, source, state, record, facts)[0] is Result.ALLOWED
    ]
    assert book.allowed(source, record, **facts) == tuple(may)
    if result is not Result.ALLOWED:
        assert decision.alternatives == tuple(may)


# The questions agree


@given(questions())
def test_all_questions_to_a_rulebook_have_one_answer(question):
    book, source, target, record, facts = question
    decision = book.decide(source, target, record, **facts)
    permitted = book.permits(source, target, record, **facts)
    assert permitted is bool(decision)
    assert permitted is (target in book.allowed(source, record, **facts))
    options = book.options(source, record, **facts)
    assert [option.target for option in options] == list(book.states)
    assert tuple(option.target for option in options if option) == book.allowed(
        source, record, **facts
    )
    if target in book.states:
        assert options[book.states.index(target)] == decision


@given(questions())
def test_a_decision_is_allowed_or_says_why_not(question):
    book, source, target, record, facts = question
    decision = book.decide(source, target, record, **facts)
    assert bool(decision) is (decision.denials == ())
    assert (decision.source, decision.target) == (source, target)
    own = {each for each in decision.denials if each.rule == book.name}
    assert {each.code for each in own} <= OWN
    assert all(each.message for each in decision.denials)
    bad = {Code.NO_SUCH_MOVE, Code.UNKNOWN_STATE}
    assert (decision.result is Result.NO_SUCH_MOVE) is any(each.code in bad for each in own)


@given(questions())
def test_a_record_is_judged_alike_as_a_dict_a_mapping_and_an_object(question):
    book, source, target, record, facts = question
    decision = book.decide(source, target, record, **facts)
    for form in (MappingProxyType(record), SimpleNamespace(**record)):
        for _ in range(2):  # the first question teaches a rulebook the type
            assert book.decide(source, target, form, **facts) == decision
            assert book.permits(source, target, form, **facts) is bool(decision)


@given(ruled_books(), contact_runs(most=3), st.data())
def test_a_snapshot_is_judged_as_the_dict_of_its_fields(book, run, data):
    contact = run[1][-1]
    as_dict = {name: getattr(contact, name) for name in contact.names()}
    _, facts = data.draw(asked_facts())
    source = data.draw(st.sampled_from([None, *book.states]))
    for target in book.states:
        one = book.decide(source, target, contact, **facts)
        assert one == book.decide(source, target, as_dict, **facts)


@given(questions())
def test_a_rulebook_of_many_states_decides_as_a_small_one_does(question):
    """From forty states on nothing is compiled ahead: states that lead nowhere make a book so."""
    small, source, target, record, facts = question
    more = tuple(f"spare {n}" for n in range(60))
    large = attrs.evolve(small, states=small.states + more)
    one = small.decide(source, target, record, **facts)
    other = large.decide(source, target, record, **facts)
    alternatives = tuple(state for state in other.alternatives if state in small.states)
    assert told(one) == (*told(other)[:2], alternatives)
    assert large.permits(source, target, record, **facts) is bool(one)
    if small.course is Course.EXPLICIT and Code.UNKNOWN_STATE not in {
        each.code for each in one.denials
    }:
        assert one == other


# More rules, and overrides


@given(questions(), st.data())
def test_a_further_rule_never_allows_more(question, data):
    book, source, _, record, facts = question
    further = rule_of(data.draw(plain_rules(book.states, "further")))
    stricter = attrs.evolve(book, rules=(*book.rules, further))
    before = book.allowed(source, record, **facts)
    after = stricter.allowed(source, record, **facts)
    assert {*after} <= {*before}
    for state in book.states:
        old = book.decide(source, state, record, **facts)
        new = stricter.decide(source, state, record, **facts)
        assert new.denials[: len(old.denials)] == tuple(
            attrs.evolve(each, expected=after) if each.expected == before else each
            for each in old.denials
        )


@given(questions(), st.sampled_from(["boss", "clerk", "nobody"]))
def test_an_override_needs_a_right_over_every_denial_and_records_them_all(question, role):
    book, source, target, record, facts = question
    decision = book.decide(source, target, record, **facts)
    override = Override("eve", role, "because")
    after = book.override(decision, override)
    over = {name for grant in book.grants if grant.role == role for name in grant.over}
    named = {rule.name for rule in book.rules}
    needed = {each.rule if each.rule in named else each.code for each in decision.denials}
    if decision or decision.result is Result.NO_SUCH_MOVE:
        assert after == decision
    elif needed <= over:
        assert after.result is Result.ALLOWED
        assert (after.override, after.denials) == (override, ())
        assert [(each.code, each.rule) for each in after.overridden] == [
            (each.code, each.rule) for each in decision.denials
        ]
        ruling = book.ruling_on(after)
        assert (ruling.overridden, ruling.override) == (after.overridden, override)
    else:
        assert after.result is decision.result
        assert after.denials[:-1] == decision.denials
        assert after.denials[-1].code is Code.OVERRIDE_NOT_GRANTED
        assert (after.overridden, after.override) == ((), None)


# Values


@given(questions())
def test_a_copy_of_a_rulebook_is_equal_and_decides_alike(question):
    book, source, target, record, facts = question
    bare = attrs.evolve(book, predicates=dict.fromkeys(book.predicates, _no))
    decision = bare.decide(source, target, record, **facts)
    again = pickle.loads(pickle.dumps(bare))  # noqa: S301 - our own bytes
    assert (again, hash(again)) == (bare, hash(bare))
    assert again.decide(source, target, record, **facts) == decision
    assert pickle.loads(pickle.dumps(decision)) == decision  # noqa: S301 - our own bytes


def _no(_facts):
    return False


@given(plain_rulebooks(), st.data())
def test_a_fingerprint_is_of_what_decides_and_not_of_words_or_order(pair, data):
    book, _ = pair
    worded = [
        attrs.evolve(
            rule,
            message="said otherwise",
            meaning="meant otherwise",
            sources=None if rule.sources is None else tuple(reversed(rule.sources)),
            targets=None if rule.targets is None else (*rule.targets, *rule.targets),
        )
        for rule in data.draw(st.permutations(book.rules))
    ]
    other = attrs.evolve(
        book, name="other", version=7, meaning="other words", rules=tuple(worded),
        grants=tuple(data.draw(st.permutations(book.grants))),
    )  # fmt: skip
    assert other.fingerprint == book.fingerprint


@given(plain_rulebooks(), plain_rulebooks())
def test_rulebooks_that_decide_by_other_data_have_other_fingerprints(one, other):
    def deciding(book):
        rules = [attrs.evolve(rule, message="", meaning="") for rule in book.rules]
        return (
            book.states, book.course, book.skips, book.edges, book.creation, book.final,
            frozenset(rules), frozenset(book.grants),
        )  # fmt: skip

    (left, _), (right, _) = one, other
    same = deciding(left) == deciding(right)
    assert (left.fingerprint == right.fingerprint) is same


@given(ruled_books(), st.data())
def test_one_changed_thing_changes_a_fingerprint(book, data):
    states = book.states
    changes = {
        "states": (*states, "one more"),
        "skips": not book.skips,
        "creation": book.creation ^ {data.draw(st.sampled_from(states))},
        "final": book.final ^ {data.draw(st.sampled_from(states))},
        "edges": book.edges ^ {(states[0], states[-1])},
        "rules": (*book.rules, Rule("one more", present("amount"))),
    }
    for name, value in changes.items():
        assert attrs.evolve(book, **{name: value}).fingerprint != book.fingerprint, name


@given(ruled_books())
def test_what_is_odd_about_a_rulebook_names_its_own_states_and_rules(book):
    found = book.lint()
    for finding in found:
        assert {*finding.states} <= {None, *book.states}
        assert {*finding.rules} <= {rule.name for rule in book.rules}
        assert finding.message
    assert len({*found}) == len(found)


@given(questions())
def test_a_rule_that_is_found_needless_can_be_left_out(question):
    book, source, _, record, facts = question
    book = attrs.evolve(book, grants=())
    needless = {Odd.IDLE_RULE, Odd.DUPLICATE_RULE, Odd.SHADOWED_RULE}
    for finding in book.lint():
        if finding.code in needless:
            left = tuple(rule for rule in book.rules if rule.name != finding.rules[0])
            shorter = attrs.evolve(book, rules=left)
            allowed = shorter.allowed(source, record, **facts)
            assert allowed == book.allowed(source, record, **facts), finding


@given(questions())
def test_a_move_that_is_not_drawn_is_never_allowed(question):
    book, source, _, record, facts = question
    drawn = book.graph().possible().get(source, [])
    assert {*book.allowed(source, record, **facts)} <= {*drawn}


# Strange input


class Hostile:
    """An object that fails at whatever it is asked."""

    def __getattribute__(self, name):
        if name == "__class__":
            return Hostile
        raise RuntimeError(name)

    def __hash__(self):
        raise RuntimeError("no hash")

    def __eq__(self, other):
        raise RuntimeError("no equality")

    def __repr__(self):
        raise RuntimeError("no text")

    def __bool__(self):
        raise RuntimeError("no truth")


class Lookalike(Hostile):
    """An object with the hash of a state, that cannot be compared with one."""

    def __hash__(self):
        return hash("a")


class Masked:
    """An object that can be looked up, and answers nothing else."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    __hash__ = object.__hash__


ODD = (*STRANGE, Hostile(), Lookalike(), Masked())
ANYONES = {"source", "target", "record", "context"}  # an instant has a door of its own
BOARD = Rulebook.free("board", ["todo", "done", "void"], final=["void"])
DOOR = Rulebook.explicit("door", {"open": ["shut"], "shut": ["open", "locked"], "locked": []})
BOOK = Rulebook.forward(
    "strict", ["a", "b"], rules=[Rule("owned", present("owner")), Rule("due", present("context.x"))]
)


@pytest.mark.parametrize("place", ["source", "target", "record", "context", "at", "entered_at"])
@pytest.mark.parametrize("ask", ["permits", "decide"])
def test_strange_input_raises_our_errors_only(place, ask):
    large = attrs.evolve(BOOK, states=(*BOOK.states, *(f"spare {n}" for n in range(60))))
    for book in (BOOK, large):
        for value in ODD if place in ANYONES else STRANGE:
            asked = {"source": "a", "target": "b", "record": {"owner": "ada"}, place: value}
            with suppress(SalesPipelineError):
                answer = getattr(book, ask)(**asked)
                assert isinstance(answer, bool) or answer.explain()


@pytest.mark.parametrize("place", range(len(ODD)))
def test_strange_records_and_contexts_are_no_reason_to_fail(place):
    for book in (BOARD, DOOR):
        for source in (None, *book.states):
            bare = book.options(source)
            assert book.options(source, ODD[place], context=ODD[-1 - place]) == bare
            for option in bare:
                asked = book.decide(source, option.target, ODD[place], context=ODD[-1 - place])
                assert asked == option


@pytest.mark.parametrize("place", range(len(ODD)))
def test_a_strange_value_in_a_field_is_decided_on_and_told(place):
    value = ODD[place]
    conditions = [less("w", 5), one_of("x", ["p"]), equals("y", True), contains("z", "vip")]
    rules = [Rule(f"{n}", each) for n, each in enumerate(conditions)]
    grants = [Grant("boss", {rule.name for rule in rules})]
    book = Rulebook.free("strange", ["a", "b"], rules=rules, grants=grants)
    decision = book.decide("a", "b", dict.fromkeys("wxyz", value))
    assert not decision
    assert decision.explain()
    after = book.override(decision, Override("eve", "boss", "so"))
    assert after.override
    assert pickle.loads(pickle.dumps(after.overridden)) == after.overridden  # noqa: S301 - our own


@given(asked_facts())
def test_instants_of_any_zone_decide_alike(asked):
    _, facts = asked
    book = Rulebook.free(
        "slow", ["a", "b"],
        rules=[Rule("wait", rule_of({"name": "x", "plain": (
            "test", "move.entered_at", Op.ELAPSED, timedelta(days=2))}).condition)],
    )  # fmt: skip
    in_utc = {
        name: None if facts[name] is None else facts[name].astimezone(UTC)
        for name in ("at", "entered_at")
    }
    assert book.decide("a", "b", **facts) == book.decide("a", "b", **{**facts, **in_utc})
