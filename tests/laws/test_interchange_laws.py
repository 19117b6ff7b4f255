"""What holds of every rulebook as a document, and of every text that is taken for one."""

import copy
import json
import subprocess
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import which

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condition_strategies import clean_facts, conditions, questions, questions_of_moves
from salespipeline.conditions import (
    NEVER,
    AllOf,
    AnyOf,
    all_of,
    any_of,
    at_least,
    at_most,
    contains,
    elapsed,
    equals,
    less,
    named,
    one_of,
    present,
)
from salespipeline.errors import InvalidValueError, SalesPipelineError
from salespipeline.interchange import (
    check_vectors,
    dump_rulebook,
    dump_vectors,
    load_rulebook,
    load_vectors,
    schema,
)
from salespipeline.interchange._rulebooks import RULEBOOK
from salespipeline.interchange._vectors import VECTORS, _identity, _plain_vector
from salespipeline.money import Money
from salespipeline.rules import Grant, Result, Rule, Rulebook, Way
from salespipeline.rules.vectors import Vector, vectors
from strategies import PREDICATES, rulebooks, ruled_books

READER = Path(__file__).resolve().parent.parent.parent / "examples" / "rulebook.js"
NODE = which("node") or ""


def asked():
    """Conditions that every program can ask."""
    return conditions(questions() | questions_of_moves())


@st.composite
def rules(draw, states, number):
    own = st.sampled_from(states)
    return Rule(
        f"rule {number}",
        draw(asked()),
        draw(st.none() | st.sets(own | st.none(), max_size=4)),
        draw(st.none() | st.sets(own, min_size=2, max_size=4)),
        draw(st.sampled_from([Way.ANY, Way.ANY, *Way])),
        draw(st.sampled_from(["", "why\nnot"])),
        draw(st.sampled_from(["", "not like that"])),
    )


@st.composite
def portable_books(draw):
    """Rulebooks of every course with rules of every operator, and no predicates."""
    book = draw(rulebooks())
    for number in range(draw(st.integers(0, 4))):
        if len(book.states) > 1:
            rule = draw(rules(book.states, number))
            book = with_rule(book, rule)
    over = st.sampled_from([*(rule.name for rule in book.rules), "backward", "final"])
    rights = draw(st.dictionaries(st.sampled_from(["boss", "clérk"]), st.sets(over, min_size=1)))
    return attrs.evolve(
        book,
        grants=tuple(Grant(role, names) for role, names in rights.items()),
        version=draw(st.integers(1, 2**53 - 1)),
        meaning=draw(st.sampled_from(["", "moves\tgo on", '"\\\x7f\u2028'])),
    )


def with_rule(book, rule):
    """The rulebook with a rule more, unless the two ask a field for two kinds."""
    try:
        return attrs.evolve(book, rules=(*book.rules, rule))
    except InvalidValueError:
        return book


def any_books():
    return portable_books() | ruled_books()


def read_again(book):
    return load_rulebook(dump_rulebook(book), predicates=PREDICATES)


# There and back


@given(any_books())
def test_a_rulebook_read_is_the_one_that_was_written(book):
    read = read_again(book)
    assert read == book
    assert hash(read) == hash(book)
    assert read.fingerprint == book.fingerprint
    assert read.fields == book.fields
    assert dump_rulebook(read) == dump_rulebook(book)


@given(portable_books(), clean_facts(), st.data())
def test_a_rulebook_read_decides_as_the_one_that_was_written(book, facts, data):
    read = read_again(book)
    ends = st.sampled_from(book.states)
    source = data.draw(st.none() | ends)
    made = facts.move
    for target in book.states:
        first, second = (
            each.decide(
                source, target, facts.record, at=made.at, by=made.by, role=made.role,
                entered_at=made.entered_at, context=facts.context,
            )
            for each in (book, read)
        )  # fmt: skip
        assert first == second


@given(any_books(), st.randoms(use_true_random=False))
def test_the_order_in_which_sets_were_made_is_not_written(book, random):
    def shuffled(values):
        several = list(values)
        random.shuffle(several)
        return several

    again = attrs.evolve(
        book,
        edges=frozenset(shuffled(book.edges)),
        creation=frozenset(shuffled(book.creation)),
        final=frozenset(shuffled(book.final)),
        rules=tuple(
            attrs.evolve(
                rule,
                sources=None if rule.sources is None else shuffled(rule.sources),
                targets=None if rule.targets is None else shuffled(rule.targets),
            )
            for rule in book.rules
        ),
        grants=tuple(attrs.evolve(each, over=shuffled(each.over)) for each in book.grants),
    )
    assert dump_rulebook(again) == dump_rulebook(book)


@given(any_books(), st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t"]))
def test_order_of_names_white_space_and_escapes_count_for_nothing(book, random, indent):
    def shuffled(data):
        if isinstance(data, dict):
            members = [(name, shuffled(each)) for name, each in data.items()]
            random.shuffle(members)
            return dict(members)
        return [shuffled(each) for each in data] if isinstance(data, list) else data

    text = json.dumps(shuffled(json.loads(dump_rulebook(book))), indent=indent)
    assert load_rulebook(text, predicates=PREDICATES) == book


@given(any_books())
def test_names_stand_in_the_order_of_their_utf_16_units(book):
    def check(pairs):
        names = [name.encode("utf-16-be") for name, _ in pairs]
        assert names == sorted(names)
        return dict(pairs)

    text = dump_rulebook(book)
    json.loads(text, object_pairs_hook=check)
    assert json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False) == text


# Vectors


@given(any_books())
def test_every_vector_holds_after_it_was_written_and_read(book):
    text = dump_vectors(book)
    assert check_vectors(text, read_again(book)) == ()
    assert dump_vectors(read_again(book)) == text


@given(any_books())
def test_the_facts_of_a_vector_are_read_as_they_were(book):
    read = load_vectors(dump_vectors(book), book)
    for made, again in zip(vectors(book), read, strict=True):
        assert (again.source, again.target) == (made.source, made.target)
        assert again.facts == made.facts


@st.composite
def meetable_books(draw):
    """A rulebook whose rules can all be met at once: each asks for fields of its own."""
    forms = [
        lambda n: at_least(f"amount{n}", 5),
        lambda n: any_of(less(f"size{n}", Decimal("0.5")), present(f"note{n}.text")),
        lambda n: all_of(contains(f"tags{n}", "a"), contains(f"tags{n}", "b")),
        lambda n: all_of(one_of(f"kind{n}", ["a", "b"]), elapsed(timedelta(1), since=f"since{n}")),
        lambda n: any_of(all_of(present(f"x{n}"), equals(f"y{n}", 1)), equals(f"context.{n}", "")),
    ]  # fmt: skip
    states = ["a", "b", "c"]
    chosen = draw(st.lists(st.sampled_from(forms), min_size=1, max_size=4))
    sides = st.none() | st.sets(st.sampled_from(states), min_size=1)
    made = [Rule(str(n), form(n), draw(sides), draw(sides)) for n, form in enumerate(chosen)]
    return Rulebook.free("meetable", states, rules=made)


def told(book):
    """For each vector whose move there is, the rules that bear on it and those that deny it."""
    graph = book.graph().moves
    for vector in vectors(book):
        bearing = graph.get((vector.source, vector.target))
        if bearing is not None:
            denying = {each.rule for each in vector.decision.denials}
            yield {rule.name for rule in bearing}, denying


@given(meetable_books())
def test_each_rule_is_met_in_one_vector_and_denies_alone_in_another(book):
    met = [bearing for bearing, denying in told(book) if not denying]
    alone = [denying for _, denying in told(book) if len(denying) == 1]
    for rules_ in book.graph().moves.values():
        names = {rule.name for rule in rules_}
        assert names in met
        assert all({name} in alone for name in names)


@given(meetable_books())
def test_each_test_is_met_in_one_vector_and_not_met_in_another(book):
    bearing = {rule.name for rules_ in book.graph().moves.values() for rule in rules_}
    parts = [rule.condition for rule in book.rules if rule.name in bearing]
    tests = set()
    while parts:
        each = parts.pop()
        if isinstance(each, AllOf | AnyOf):
            parts += each.conditions
        else:
            tests.add(each)
    unmet = {
        denial.expected
        for vector in vectors(book)
        for denial in vector.decision.denials
        if vector.decision.result is Result.DENIED and denial.rule in bearing
    }
    assert tests <= unmet


# A second reader, in another language


def reader_finds(folder, documents):
    """What the reader in JavaScript finds wrong with pairs of documents, in one run."""
    paths = []
    for n, texts in enumerate(documents):
        for name, text in zip(("rulebook", "vectors"), texts, strict=True):
            paths.append(folder / f"{n}.{name}.json")
            paths[-1].write_text(text, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own example
        [NODE, READER, *paths], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.stderr == ""
    return done.stdout, done.returncode


@pytest.mark.skipif(not NODE, reason="Node is not installed")
def test_the_reader_in_javascript_decides_every_vector_alike(tmp_path):
    documents = {}

    @given(any_books())
    def collect(book):
        documents[dump_rulebook(book)] = dump_vectors(book)

    collect()
    said, code = reader_finds(tmp_path, documents.items())
    assert said.endswith(" vectors, 0 differ\n")
    assert code == 0


def facts_of(book):
    """Plain facts for the fields of a rulebook, of the kinds that they are of, and of others."""
    pools = {
        "text": ["", "a", "b", "rep", "manager", "Ä", "🐍", "\uffff"],
        "flag": [True, False],
        "number": [0, 1, -1, 5, "0.5", "-0.1", str(2**53), str(2**53 + 1), "9" * 60, "1.000"],
        "money": [{"currency": "EUR", "minor": 500}, {"currency": "JPY", "minor": 500}],
        "date": ["2026-01-01", "2024-02-29", "0001-01-01", "9999-12-31", "2026-02-30"],
        "instant": ["2026-01-01T00:00:00Z", "2025-03-30T00:30:00.000001Z", "2026-01-01T24:00:00Z"],
        "texts": [[], ["a"], ["a", "manager", "🐍"]],
        "any": ["x", 0, False, [], [1, {"a": None}], {"b": "c"}],
    }
    strange = st.sampled_from([None, True, 1, "", "no", [], ["a", 1], {}, {"currency": "EUR"}])
    return st.fixed_dictionaries(
        {},
        optional={
            path: st.sampled_from(pools[kind]) | strange
            for path, kind in book.fields.items()
            if not path.startswith("move.")
        },
    )


def nested(facts, root):
    """Facts by path as nested objects."""
    place = {}
    for path, value in facts.items():
        first, *names = path.split(".")
        if first not in ("record", "context"):
            first, names = "record", [first, *names]
        if first == root:
            holder = place
            for name in names[:-1]:
                holder = holder.setdefault(name, {})
            holder[names[-1]] = value
    return place


INSTANTS = ["2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000001Z", None]
ROLES = ["a", "rep", "manager", None]


@st.composite
def books_with_facts(draw):
    """A portable rulebook, and a document of it with vectors of facts drawn at random."""
    book = draw(portable_books())
    moves = []
    for _ in range(draw(st.integers(1, 6))):
        facts = draw(facts_of(book))
        told = {
            "at": draw(st.sampled_from(INSTANTS)),
            "entered_at": draw(st.sampled_from(INSTANTS)),
            "by": draw(st.sampled_from(ROLES)),
            "role": draw(st.sampled_from(ROLES)),
        }
        ends = st.sampled_from([*book.states, "strange"])
        moves.append(
            {
                "from": draw(st.none() | ends),
                "to": draw(ends),
                "facts": {
                    "record": nested(facts, "record"),
                    "move": {name: each for name, each in told.items() if each is not None},
                    "context": nested(facts, "context"),
                },
                "expected": {"result": "allowed", "denials": []},
            }
        )
    return book, moves


def decided(book, moves):
    """A document of vectors with the decisions of Python on facts that were written as JSON."""
    members = {"rulebook": _identity(book), "left_out": [], "vectors": moves}
    made = [
        _plain_vector(
            Vector(
                each.source,
                each.target,
                each.facts,
                book.decide(
                    each.source,
                    each.target,
                    each.facts.record,
                    at=each.facts.move.at,
                    by=each.facts.move.by,
                    role=each.facts.move.role,
                    entered_at=each.facts.move.entered_at,
                    context=each.facts.context,
                ),
            ),
            frozenset(),
        )
        for each in load_vectors(VECTORS.written(members), book)
    ]
    return VECTORS.written(members | {"vectors": made})


@pytest.mark.skipif(not NODE, reason="Node is not installed")
def test_the_reader_in_javascript_decides_alike_whatever_the_facts(tmp_path):
    documents = {}

    @given(books_with_facts())
    def collect(pair):
        book, moves = pair
        documents[dump_rulebook(book)] = decided(book, moves)

    collect()
    said, code = reader_finds(tmp_path, documents.items())
    assert said.endswith(" vectors, 0 differ\n"), said
    assert code == 0


ODD = {
    "date": ["0000-01-01", "0001-01-01", "2026-02-29", "2024-02-29", "2026-2-1", "+002026-01-01"],
    "instant": [
        "2026-01-01T24:00:00Z", "2026-01-01T23:59:60Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00Z",
        "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00", "2026-01-01T00:00:00.1234567Z",
        "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.1Z", "0001-01-01T00:00:00Z",
    ],
    "number": ["1e5", "01", "-0", "-0.0", "1.", ".5", "\u0663", "0x10", "1_0", "9" * 60, True],
    "money": [
        {"currency": "EUR", "minor": "5.0"}, {"currency": "EUR", "minor": "5.5"}, {"minor": 5},
        {"currency": "eur", "minor": 5}, {"currency": "EUR", "minor": True}, ["EUR", 5],
        {"currency": "EUR", "minor": 5, "x": 1}, {"currency": 5, "minor": 5},
        {"currency": "EUR", "minor": "9" * 30},
    ],
    "texts": [["a", 5], [None], [], "a", {"a": 1}, [["a"]], ["a", "a"]],
    "text": ["", 5, None, ["a"], "\uffff", "\U00010000", "toString"],
    "flag": [0, 1, "true", None, []],
}  # fmt: skip
"""Facts that look like some kind, and those at the ends of one."""


@pytest.mark.skipif(not NODE, reason="Node is not installed")
def test_the_reader_in_javascript_tells_kinds_apart_alike(tmp_path):
    constants = {
        "date": date(2024, 2, 29),
        "instant": datetime(2026, 1, 1, tzinfo=UTC),
        "number": 5,
        "money": Money("0.05", "EUR"),
        "text": "\uffff",
    }
    asked = [at_most(kind, value) for kind, value in constants.items()]
    asked += [contains("texts", "a"), equals("flag", True), present("constructor")]
    rules_ = [Rule(str(n), each) for n, each in enumerate(asked)]
    rules_.append(Rule("no skips", NEVER, targets=["b", "d"], way=Way.SKIP))
    book = Rulebook.forward("odd", ["a", "b", "c", "d"], rules=rules_)
    moves = [
        {
            "from": source,
            "to": target,
            "facts": {"record": {kind: value}, "move": {}, "context": {}},
            "expected": {"result": "allowed", "denials": []},
        }
        for source, target in (("a", "b"), ("a", "d"), ("b", "d"))
        for kind, values in ODD.items()
        for value in values
    ]
    documents = [(dump_rulebook(book), decided(book, moves))]
    assert reader_finds(tmp_path, documents) == (f"{len(moves)} vectors, 0 differ\n", 0)


# Whatever is given as a document


def json_values():
    """Anything that the JSON of Python can write, NaN included."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )


@pytest.fixture(scope="module")
def is_by_schema():
    """Whether the schema takes a document; any, where there is nothing to ask it with."""
    try:
        import jsonschema
    except ImportError:
        return lambda _: True
    return jsonschema.Draft202012Validator(schema("rulebook")).is_valid


def read_or_refused(text):
    """The rulebook that a text holds, or the error by which it is refused."""
    try:
        return load_rulebook(text, predicates=PREDICATES)
    except SalesPipelineError as refused:
        return refused


def check_text(text, is_by_schema):
    """A text is refused by an error that names places, or is a document in every respect."""
    read = read_or_refused(text)
    if isinstance(read, SalesPipelineError):
        assert isinstance(read, InvalidValueError)
        assert read.subject == RULEBOOK.subject
        assert all(": " in fault and fault.isprintable() for fault in read.faults)
    else:
        assert is_by_schema(json.loads(text))
        assert load_rulebook(dump_rulebook(read), predicates=PREDICATES) == read


@given(st.text() | st.text('{}[]":,0eE.-+ \\untrufalse', max_size=30))
def test_any_text_is_refused_or_read(is_by_schema, text):
    check_text(text, is_by_schema)


@given(json_values())
def test_any_json_is_refused_or_read(is_by_schema, value):
    head = {"format": RULEBOOK.format, "format_version": 1}
    for data in (value, head | {"states": value}, {**head, "rules": [value], "fields": value}):
        check_text(json.dumps(data), is_by_schema)


SPANNERS = (
    None, True, False, 0, -1, 1.5, 2**53, 10**30, float("nan"), "", "x", "any", "a\nb", "__class__",
    "\ud800", '"', [], {}, [[]], [None], ["a", "a"], {"op": "present"}, {"op": []}, {"a": {"b": 1}},
    {"op": "all", "conditions": []}, "x" * 1001, ["a"] * 1001,
)  # fmt: skip


def places(data, path=()):
    """The path of everything in a document, the document left out."""
    members = data.items() if isinstance(data, dict) else ()
    items = enumerate(data) if isinstance(data, list) else members
    for step, each in items:
        yield (*path, step)
        yield from places(each, (*path, step))


@st.composite
def spoilt_documents(draw):
    """A document of a rulebook of which a few members were changed, taken out or added."""
    data = json.loads(dump_rulebook(draw(any_books())))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*places(data)] or [("name",)]))
        holder = data
        for step in path[:-1]:
            holder = holder[step]
        spanner = copy.deepcopy(draw(st.sampled_from(SPANNERS)))
        act = draw(st.sampled_from(["change", "change", "take out", "double"]))
        if act == "change":
            holder[path[-1]] = spanner
        elif act == "take out":
            del holder[path[-1]]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[f"{path[-1]} "] = holder[path[-1]]
    return data


@given(spoilt_documents())
def test_a_spoilt_document_is_refused_or_read(is_by_schema, data):
    check_text(json.dumps(data), is_by_schema)


@given(any_books(), st.integers(0, 10**6), st.sampled_from('{}[]",:0e.\\x\ud800'))
def test_a_document_with_a_letter_changed_is_refused_or_read(is_by_schema, book, place, letter):
    text = dump_rulebook(book)
    place %= len(text)
    check_text(text[:place] + letter + text[place + 1 :], is_by_schema)


@given(any_books(), st.data())
def test_a_document_of_vectors_that_was_spoilt_is_refused_or_read(book, data):
    document = json.loads(dump_vectors(book))
    path = data.draw(st.sampled_from([*places(document)]))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(SPANNERS)))
    with suppress(InvalidValueError):
        found = check_vectors(json.dumps(document), book)
        assert all(each.startswith("vectors[") for each in found)


HOSTILE = {
    "brackets": "[" * 1_000_000,
    "objects": '{"a":' * 160_000,
    "closed objects": '{"a":' * 900 + "1" + "}" * 900,
    "a very long text": json.dumps("x" * 10_000_000),
    "a very long number": "9" * 999_999,
    "many digits": '{"format":"salespipeline.rulebook","format_version":' + "1" * 900_000 + "}",
    "many names": json.dumps({f"n{n}": n for n in range(60_000)}),
    "one name very often": '{"a":1' + ',"a":1' * 150_000 + "}",
    "an escape without an end": '"' + "\\u" * 400_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_text_is_refused(text):
    with pytest.raises(InvalidValueError):
        load_rulebook(text)


def large(member, value):
    """A document of which one member is as large as it may be."""
    board = Rulebook.free(
        "x", ["a", "b"], rules=[Rule("r", named("says yes"))], predicates=PREDICATES
    )
    data = json.loads(dump_rulebook(board)) | {member: value}
    return json.dumps(data, separators=(",", ":"))


LARGE = {
    "states": large("states", ["a"] * 240_000),
    "many states": large("states", [f"s{n}" for n in range(100_000)]),
    "moves": large("moves", [["a", "z"]] * 90_000),
    "empty moves": large("moves", [[]] * 300_000),
    "creation": large("creation", [0.5] * 200_000),
    "fields": large("fields", {f"f{n}": "any" for n in range(50_000)}),
    "rules": large("rules", [{}] * 300_000),
    "a thousand rules": large("rules", [{"name": "r", "to": [["a"]] * 90}] * 1000),
    "grants": large("grants", [{"role": "x", "over": ["skip"] * 100}] * 900),
    "a wide condition": large("rules", [{"condition": {"op": "all", "conditions": [1] * 400_000}}]),
    "a text": large("meaning", "x" * 990_000),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=list(LARGE))
def test_a_large_document_of_nonsense_is_refused(text):
    with pytest.raises(InvalidValueError) as caught:
        load_rulebook(text, predicates=PREDICATES)
    assert 0 < len(caught.value.faults) <= 1001
