"""What must hold of any condition, whatever it is asked about."""

import json
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from condition_strategies import (
    PREDICATES,
    clean_facts,
    clean_values,
    conditions,
    hostile_facts,
    hostile_values,
    leaf_conditions,
    lists,
    questions,
)
from contracts import STRANGE
from salespipeline._plain import Faults, canonical, plain_condition, plain_value, read_condition
from salespipeline._verdicts import compiled, judge
from salespipeline.conditions import (
    AllOf,
    AnyOf,
    Facts,
    Named,
    Op,
    all_of,
    any_of,
    contradictions,
    equals,
    in_words,
    leaves,
    less,
    named,
    not_,
    one_of,
)
from salespipeline.errors import InvalidValueError, SalesPipelineError

LEFT = object()
"""What the judge would be asked."""


def quick(condition, facts):
    """What the compiled question says of facts: True, or that it is left to the judge."""
    ask, _ = compiled([[condition]], {"a": {"b": 0}}, None, lambda *_: LEFT, PREDICATES)
    source, target, *move = facts.move
    named_ = dict(zip(("at", "by", "role", "entered_at"), move, strict=True))
    return ask(source, target, facts.record, **named_, context=facts.context)


def answer(condition, facts):
    return judge(condition, facts, PREDICATES).answer


def strange():
    """Strange values; by number, since some of them cannot be printed."""
    return st.integers(0, len(STRANGE) - 1).map(STRANGE.__getitem__)


def opposite(condition):
    """`not_`, where the opposite is no contradiction."""
    try:
        return not_(condition)
    except InvalidValueError:
        assume(False)


def kleene_not(said):
    return None if said is None else not said


def kleene_all(answers):
    if False in answers:
        return False
    return None if None in answers else True


# The quick yes


@given(conditions(), hostile_facts())
def test_a_quick_yes_is_a_yes_of_the_judge(condition, facts):
    said = quick(condition, facts)
    assert said is LEFT or (said is True and answer(condition, facts) is True)


@given(conditions(), clean_facts())
def test_a_quick_yes_is_a_yes_of_the_judge_on_clean_facts(condition, facts):
    said = quick(condition, facts)
    assert said is LEFT or (said is True and answer(condition, facts) is True)


@given(conditions(), clean_facts())
def test_the_judges_yes_on_clean_facts_is_quick(condition, facts):
    registered = {leaf.name for leaf in leaves(condition) if isinstance(leaf, Named)}
    assume(not registered & {"raises", "has owner", "not registered"})
    if answer(condition, facts):
        assert quick(condition, facts) is True


@given(conditions(questions()), hostile_facts())
def test_where_nothing_raises_the_judges_yes_is_quick_whatever_the_facts(condition, facts):
    verdict = judge(condition, facts, PREDICATES)
    raised = any(judge(leaf, facts, PREDICATES).raised for leaf in leaves(condition))
    if verdict.answer and not raised:
        assert quick(condition, facts) is True


# The answer


@given(conditions(), hostile_facts())
def test_the_judge_answers_whatever_the_facts(condition, facts):
    verdict = judge(condition, facts, PREDICATES)
    assert verdict.answer in {True, False, None}
    assert not (verdict.raised and verdict.answer is not None)
    assert not (verdict.answer and verdict.against)
    assert all(leaf.answer is not True for leaf in verdict.against)


@given(conditions(), strange(), strange(), strange())
def test_the_judge_answers_of_what_are_no_facts(condition, record, move, context):
    assert judge(condition, Facts(record, move, context)).answer in {True, False, None}
    assert judge(condition, record).answer in {True, False, None}


@given(conditions(), hostile_facts())
def test_the_opposite_has_the_opposite_answer(condition, facts):
    assert answer(opposite(condition), facts) is kleene_not(answer(condition, facts))


@given(conditions())
def test_the_opposite_of_the_opposite_is_the_condition_itself(condition):
    assert opposite(opposite(condition)) == condition


@given(st.lists(conditions(), min_size=2, max_size=4), hostile_facts())
def test_all_and_any_answer_by_kleenes_tables(parts, facts):
    answers = [answer(each, facts) for each in parts]
    none = kleene_all([kleene_not(each) for each in answers])
    assert answer(AnyOf(tuple(parts)), facts) is kleene_not(none)
    try:
        every = AllOf(tuple(parts))
    except InvalidValueError:
        assert kleene_all(answers) is not True
    else:
        assert answer(every, facts) is kleene_all(answers)


@given(st.lists(conditions(), min_size=2, max_size=4), hostile_facts())
def test_not_all_is_any_not(parts, facts):
    opposites = any_of(*map(opposite, parts))
    try:
        every = all_of(*parts)
    except InvalidValueError:
        assert answer(opposites, facts) is not False
    else:
        assert not_(every) == opposites


@given(st.lists(conditions(), max_size=4), hostile_facts(), st.randoms())
def test_the_order_of_parts_changes_no_answer(parts, facts, random):
    shuffled = random.sample(parts, len(parts))
    first, second = judge(any_of(*parts), facts), judge(any_of(*shuffled), facts)
    assert first[:2] == second[:2]
    assert {leaf.asked for leaf in first.against} == {leaf.asked for leaf in second.against}


@given(conditions(), clean_facts())
def test_the_order_of_fields_changes_no_answer(condition, facts):
    if isinstance(facts.record, dict):
        turned = facts._replace(record=dict(reversed(facts.record.items())))
        assert judge(condition, turned, PREDICATES) == judge(condition, facts, PREDICATES)


@given(conditions(questions()), clean_facts())
def test_an_object_is_judged_as_a_mapping_of_its_fields(condition, facts):
    held = facts.record if isinstance(facts.record, dict) else vars(facts.record)
    as_mapping = facts._replace(record=held)
    assert answer(condition, as_mapping) is answer(condition, facts)


# Contradictions


@given(st.data(), st.one_of(clean_facts(), hostile_facts()))
def test_what_some_facts_meet_is_no_contradiction(data, facts):
    path = st.just(data.draw(st.sampled_from(("amount", "owner", "since", "approvals", "open"))))
    asked = data.draw(st.lists(st.one_of(questions(path), leaf_conditions()), max_size=30))
    met = [leaf for leaf in asked if answer(leaf, facts)]
    assert list(contradictions(met)) == []
    assert answer(all_of(*met), facts) is True


@given(lists(), st.data())
def test_what_no_value_meets_is_refused(values, data):
    listed = one_of("owner", values)
    other = data.draw(
        st.sampled_from([value for value in (*values, 7) if value not in listed.value])
    )
    for apart in (equals("owner", other), not_(listed), less("owner", listed.value[0])):
        with pytest.raises(InvalidValueError, match=r"^condition: 'owner' must be one of "):
            all_of(listed, apart)


# The form


@given(conditions())
def test_a_condition_written_reads_back_equal(condition):
    faults = Faults()
    plain = plain_condition(condition)
    assert read_condition(json.loads(canonical(plain)), "when", faults) == condition
    assert faults.found == []


@given(conditions())
def test_a_condition_is_a_value(condition):
    again = pickle.loads(pickle.dumps(condition))  # noqa: S301 - our own bytes
    assert again == condition
    assert hash(again) == hash(condition)
    assert [leaf.where for leaf in leaves(again) if hasattr(leaf, "where")] == [
        leaf.where for leaf in leaves(condition) if hasattr(leaf, "where")
    ]
    assert canonical(plain_condition(again)) == canonical(plain_condition(condition))
    assert in_words(condition).isprintable()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def turned(data):
    """Plain data with the members of every object the other way round."""
    if isinstance(data, dict):
        return {name: turned(data[name]) for name in reversed(data)}
    return list(map(turned, data)) if isinstance(data, list) else data


@given(PLAIN)
def test_plain_data_have_one_text_that_reads_back(data):
    text = canonical(data)
    assert canonical(turned(data)) == text
    assert json.loads(text) == data
    assert canonical(json.loads(text)) == text
    text.encode()


@given(hostile_values() | st.lists(clean_values()))
def test_every_value_has_plain_data_with_a_text(value):
    assert json.loads(canonical(plain_value(value))) == plain_value(value)


@given(PLAIN)
def test_a_document_is_read_or_every_fault_has_its_path(data):
    faults = Faults()
    read = read_condition(data, "when", faults)
    assert (read is None) == bool(faults.found)
    assert all(fault.startswith("when") for fault in faults.found)


@given(conditions(), st.data())
def test_a_document_with_one_thing_changed_is_read_or_refused(condition, data):
    plain = plain_condition(condition)
    at = data.draw(st.sampled_from(list(places(plain))))
    *way, last = at
    inner = plain
    for step in way:
        inner = inner[step]
    inner[last] = data.draw(PLAIN | strange() | st.sampled_from(Op))
    faults = Faults()
    read = read_condition(plain, "when", faults)
    assert (read is None) == bool(faults.found)
    if read is not None:
        assert read_condition(plain_condition(read), "when", faults) == read
    assert all(len(fault) < 700 for fault in faults.found)


def places(data, at=()):
    """Where everything in plain data stands."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


# Doors


@given(st.sampled_from((equals, less, one_of, named)), st.data())
def test_a_maker_takes_a_value_or_refuses_it_by_an_error_of_the_library(make, data):
    value = data.draw(hostile_values() | st.lists(hostile_values()))
    for args in ((value, value), ("amount", value)):
        condition, message = made(make, *args)
        assert len(message) < 600
        if condition is not None:
            assert read_condition(plain_condition(condition), "when", Faults()) == condition


def made(make, *args):
    """What a maker makes, or the text of its refusal."""
    try:
        return make(*args), ""
    except SalesPipelineError as refused:
        return None, str(refused)
