"""What holds of every value as a document, and of every text that is taken for one."""

import json
from functools import cache

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interchange_strategies import BY_KIND, documented, histories, spoilt
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError
from salespipeline.events import ContactEvent, DealEvent, Event
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.interchange import _forms as forms
from salespipeline.interchange import dump, dump_lines, load, load_lines, schema
from salespipeline.money import Money

KINDS = sorted(BY_KIND)
every_kind = pytest.mark.parametrize("kind", KINDS)


def type_of(kind):
    return next((type_ for type_, name in forms.TYPES.items() if name == kind), Event)


@cache
def validator(kind):
    """What the schema says of documents; takes any, where there is nothing to ask it with."""
    try:
        import jsonschema
    except ImportError:
        return None
    return jsonschema.Draft202012Validator(schema(kind))


def is_by_schema(kind, data):
    asked = validator(kind)
    return asked is None or asked.is_valid(data)


# There and back


@every_kind
@given(st.data())
def test_a_value_read_is_the_one_that_was_written(kind, data):
    value = data.draw(BY_KIND[kind])
    text = dump(value)
    read = load(text, type_of(kind))
    assert read == value
    assert type(read) is type(value)
    assert hash(read) == hash(value)
    assert dump(read) == text
    assert is_by_schema(kind, json.loads(text))


@given(documented())
def test_a_document_is_canonical(pair):
    def check(pairs):
        names = [name.encode("utf-16-be") for name, _ in pairs]
        assert names == sorted(names)
        return dict(pairs)

    text = dump(pair[1])
    data = json.loads(text, object_pairs_hook=check)
    assert json.dumps(data, separators=(",", ":"), ensure_ascii=False) == text
    assert (data["format"], data["format_version"]) == (f"salespipeline.{pair[0]}", 1)


@given(documented(), st.sampled_from([None, 2]), st.randoms(use_true_random=False))
def test_order_of_names_white_space_and_escapes_count_for_nothing(pair, indent, random):
    kind, value = pair

    def shuffled(data):
        if isinstance(data, dict):
            members = [(name, shuffled(each)) for name, each in data.items()]
            random.shuffle(members)
            return dict(members)
        return [shuffled(each) for each in data] if isinstance(data, list) else data

    text = json.dumps(shuffled(json.loads(dump(value))), indent=indent)
    assert load(text, type_of(kind)) == value


@given(documented())
def test_what_was_left_out_may_be_written(pair):
    kind, value = pair
    data = json.loads(dump(value))
    shape = forms.document_shape(kind)
    for name, member in getattr(shape, "members", {}).items():
        if name not in data and member.nullable:
            data[name] = None
        elif name not in data and not member.needed:
            data[name] = member.spare
    assert load(json.dumps(data), type_of(kind)) == value


@given(st.lists(documented(), max_size=5))
def test_lines_are_read_as_they_were_written(pairs):
    values = [value for _, value in pairs]
    text = "".join(dump_lines(values))
    lines = text.split("\n")[:-1]
    assert len(lines) == len(values)
    for line, (kind, value) in zip(lines, pairs, strict=True):
        assert list(load_lines([f"{line}\n"], type_of(kind))) == [value]


@given(histories())
def test_events_one_by_one_make_the_history_again(history):
    target = ContactEvent if isinstance(history, ContactHistory) else DealEvent
    events = tuple(load_lines(dump_lines(history.events), target))
    assert type(history)(events) == history
    assert load(dump(history), ContactHistory | DealHistory) == history


# The quick way and the slow way


def slowly(text, kind):
    """The value of a document by the way that names faults."""
    plan = forms.asked(type_of(kind), None, {}, {})
    ((form, _, shape),) = plan.forms.values()
    faults = forms.Found(form)
    value = shape.reading(form.read(text, faults, {}), "", faults)
    faults.check()
    return value


@given(documented())
def test_both_ways_of_reading_agree(pair):
    kind, value = pair
    assert slowly(dump(value), kind) == value


@given(documented())
def test_the_slow_way_of_writing_finds_nothing_in_what_can_be_written(pair):
    kind, value = pair
    faults = forms.Found(forms.FORMS[kind])
    forms.document_shape(kind).writing(value, "", faults)
    assert faults.found == []


# Whatever is given as a document


def spelt(data):
    """Plain data as text, with characters as they are, so that the quick way is tried."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def json_values():
    """Anything that the JSON of Python can write, NaN included."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )


def read_or_refused(text, kind):
    """The value that a text holds, or the error by which it is refused."""
    try:
        return load(text, type_of(kind))
    except SalesPipelineError as refused:
        return refused


def check_text(text, kind):
    """A text is refused by an error that names places, or is a document in every respect."""
    read = read_or_refused(text, kind)
    collected = load_lines([text], type_of(kind), on_fault="collect")
    if isinstance(read, SalesPipelineError):
        assert isinstance(read, InvalidValueError)
        assert all(": " in fault and fault.isprintable() for fault in read.faults)
        with pytest.raises(InvalidValueError) as slow:
            slowly(text, kind)
        assert slow.value.faults == read.faults
        assert list(collected) == []
        assert [each.faults for each in collected.problems] == [read.faults]
        return
    assert list(collected) == [read]
    assert is_by_schema(kind, json.loads(text))
    assert slowly(text, kind) == read
    assert load(dump(read), type_of(kind)) == read


@given(st.sampled_from(KINDS), st.text() | st.text('{}[]":,0eE.-+ \\untrufalse', max_size=30))
def test_any_text_is_refused_or_read(kind, text):
    if not text.isspace() and text:
        check_text(text, kind)


@given(st.sampled_from(KINDS), json_values(), st.data())
def test_any_json_is_refused_or_read(kind, value, data):
    head = {"format": f"salespipeline.{kind}", "format_version": 1}
    members = sorted(getattr(forms.document_shape(kind), "members", {"event": None}))
    name = data.draw(st.sampled_from(members))
    for each in (value, head | {name: value}, head | {name: [value]}):
        check_text(spelt(each), kind)


@every_kind
@given(st.data())
def test_a_spoilt_document_is_refused_or_read(kind, data):
    document = json.loads(dump(data.draw(BY_KIND[kind])))
    check_text(spelt(data.draw(spoilt(document))), kind)


@given(documented(), st.integers(0, 10**6), st.sampled_from('{}[]",:0e.\\x\ud800'))
def test_a_document_with_a_letter_changed_is_refused_or_read(pair, place, letter):
    kind, value = pair
    text = dump(value)
    place %= len(text)
    check_text(text[:place] + letter + text[place + 1 :], kind)


@given(st.lists(st.text(max_size=8) | st.sampled_from([dump(Money(1, "EUR")), "", "\n"])))
def test_every_line_is_used_refused_or_blank(lines):
    read = load_lines(lines, Money, on_fault="collect")
    found = list(read)
    blank = sum(not line.strip() or line.isspace() for line in lines)
    assert len(found) == read.used
    assert read.used + read.refused + blank == len(lines)
    assert [each.line for each in read.problems] == sorted({each.line for each in read.problems})


# Values that cannot be written

STRANGE = st.sampled_from([5, 1.5, b"x", object(), [], {}, "\ud800", float("nan"), (object(),)])


def changed(value, name, strange):
    """A value with something strange in it, past every door."""
    copied = object.__new__(type(value))
    for each in attrs.fields(type(value)):
        object.__setattr__(copied, each.name, getattr(value, each.name))
    object.__setattr__(copied, name, strange)
    return copied


@given(
    documented().filter(lambda pair: pair[0] not in ("attributes", "money", "rulebook")),
    STRANGE,
    st.data(),
)
def test_what_cannot_be_read_back_is_not_written(pair, strange, data):
    names = [each.name for each in attrs.fields(type(pair[1])) if each.init]
    value = changed(pair[1], data.draw(st.sampled_from(names)), strange)
    try:
        text = dump(value)
    except InvalidValueError:
        return
    assert dump(load(text, type(value))) == text


@every_kind
def test_a_type_is_no_value(kind):
    with pytest.raises(WrongTypeError):
        dump(type_of(kind))
