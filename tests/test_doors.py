from enum import Enum, StrEnum

import pytest

from contracts import Unprintable, check_door
from salespipeline._doors import (
    choice,
    gathered,
    instance,
    instances,
    repeated,
    text,
    whole,
)
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class OldStyle(str, Enum):  # noqa: UP042 - others write them so
    RED = "red"


def test_a_value_of_its_kind_passes_unchanged():
    given = [1]
    assert instance(list, given, "given") is given


def test_a_value_of_another_kind_is_refused_by_name():
    with pytest.raises(WrongTypeError, match=r"^'given' must be a list \(got 5\)$"):
        instance(list, 5, "given")


def test_several_values_become_a_tuple():
    assert instances(int, iter([1, 2]), "sizes") == (1, 2)
    assert instances(int, [], "sizes") == ()


def test_one_text_is_not_several_values():
    with pytest.raises(WrongTypeError, match=r"'sizes' must be several str values \(got 'abc'\)"):
        instances(str, "abc", "sizes")


def test_one_wrong_value_among_several_is_refused():
    with pytest.raises(WrongTypeError, match=r"'sizes' must be an int \(got 'two'\)"):
        instances(int, [1, "two"], "sizes")


def test_what_cannot_be_iterated_is_not_several_values():
    with pytest.raises(WrongTypeError, match="several int values"):
        instances(int, 5, "sizes")


def test_text_comes_back_as_plain_text():
    assert type(text(Colour.RED, "id")) is str
    assert text(Colour.RED, "id") == "red"
    assert text(OldStyle.RED, "id") == "red"
    assert text("d-7", "id") == "d-7"


def test_empty_text_is_refused():
    with pytest.raises(WrongTypeError, match=r"'id' must be text that is not empty \(got ''\)"):
        text("", "id")


def test_whatever_is_no_text_is_refused():
    check_door(lambda value: text(value, "id"), takes=lambda x: isinstance(x, str) and x)


def test_a_whole_number_passes_and_a_bool_does_not():
    assert whole(7, "week") == 7
    with pytest.raises(WrongTypeError, match=r"'week' must be a whole number \(got True\)"):
        whole(True, "week")


def test_whatever_is_no_whole_number_is_refused():
    check_door(lambda value: whole(value, "week"), takes=lambda x: type(x) is int)


def test_repeated_values_are_named_once_in_the_order_met():
    assert repeated(["b", "a", "b", "c", "a", "a"]) == ("b", "a")
    assert repeated([]) == ()


def test_a_choice_is_a_member_or_its_text():
    assert choice(Colour, "red", "colour") is Colour.RED
    assert choice(Colour, Colour.BLUE, "colour") is Colour.BLUE


def test_what_is_no_choice_is_refused_with_the_choices():
    expected = "^unknown colour: 'green'; known: 'red', 'blue'$"
    with pytest.raises(UnknownKeyError, match=expected):
        choice(Colour, "green", "colour")


def test_a_choice_refuses_a_value_that_cannot_be_printed():
    with pytest.raises(UnknownKeyError, match="unknown colour: <Unprintable>"):
        choice(Colour, Unprintable(), "colour")


def test_nothing_strange_is_a_choice():
    check_door(lambda value: choice(Colour, value, "colour"))


def test_several_doors_name_every_fault_together():
    with pytest.raises(InvalidValueError) as caught:
        gathered("deal", "at", at=(text, None), by=(text, 5), role=(text, None), note=(text, "x"))
    assert caught.value.subject == "deal"
    assert caught.value.faults == (
        "'at' must be text that is not empty (got None)",
        "'by' must be text that is not empty (got 5)",
    )


def test_several_doors_with_one_fault_raise_its_own_error():
    with pytest.raises(WrongTypeError, match="'by' must be text"):
        gathered("deal", by=(text, 5), role=(text, None))


def test_several_doors_without_a_fault_give_what_each_makes_of_its_value():
    assert gathered("deal", "n", n=(whole, 3), role=(text, None)) == {"n": 3, "role": None}
