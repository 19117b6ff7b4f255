import pickle

import pytest

from contracts import Unprintable
from salespipeline.errors import (
    HistoryError,
    InvalidValueError,
    MixedCurrenciesError,
    NaiveTimeError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
    brief,
)
from salespipeline.rules import DeniedError, Rulebook

EVERY = {
    InvalidValueError("money", ("it is torn", "it is foreign")): (
        "money: it is torn; it is foreign",
        ValueError,
    ),
    WrongTypeError("level", "a number", "high"): (
        "'level' must be a number (got 'high')",
        TypeError,
    ),
    NaiveTimeError("at", "noon"): (
        "'at' must be a datetime with a zone (got 'noon'); attach one with .replace(tzinfo=...)",
        ValueError,
    ),
    MixedCurrenciesError(("EUR", "USD")): (
        "cannot add or compare amounts of 'EUR', 'USD': convert them with given rates first",
        ValueError,
    ),
    UnknownKeyError("stage", "nowhere", ("here", "there")): (
        "unknown stage: 'nowhere'; known: 'here', 'there'",
        LookupError,
    ),
    HistoryError("d-7", ("event 2 comes twice",)): (
        "history of 'd-7': event 2 comes twice",
        ValueError,
    ),
    DeniedError("ticket 7", Rulebook.forward("ticket", ["new", "done"]).decide("done", "new")): (
        "cannot move ticket 7 from 'done' to 'new': moves go forward only; allowed: nothing",
        ValueError,
    ),
}


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_reads_as_one_sentence(error):
    assert str(error) == EVERY[error][0]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_is_caught_as_ours_and_as_the_builtin_one_would_guess(error):
    for kind in (SalesPipelineError, EVERY[error][1]):
        with pytest.raises(kind):
            raise error


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_crosses_a_process_with_all_its_facts(error):
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(there) is type(error)
    assert str(there) == str(error)
    assert there.args == error.args
    assert repr(there) == repr(error)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_the_facts_of_an_error_cannot_be_changed(error):
    for name in type(error).__match_args__:
        with pytest.raises(AttributeError):
            setattr(error, name, "something else")


def test_every_kind_of_error_is_tried_here():
    def kinds(parent):
        for kind in parent.__subclasses__():
            yield kind
            yield from kinds(kind)

    ours = {kind for kind in kinds(SalesPipelineError) if kind.__module__.startswith("salesp")}
    assert ours == {type(error) for error in EVERY}


def test_an_unknown_key_where_nothing_is_known_says_so():
    assert str(UnknownKeyError("stage", 5, ())) == "unknown stage: 5; known: none"


def test_a_history_whose_record_nobody_names_still_reads():
    assert str(HistoryError(None, ("it is empty",))) == "history of None: it is empty"


def test_a_long_value_is_cut_in_a_message():
    assert brief("a" * 100) == "'" + "a" * 58 + "…"
    assert len(brief(list(range(1000)))) == 60
    assert brief("a" * 100, 5) == "'aaa…"


def test_a_value_that_just_fits_is_left_whole():
    assert brief("a" * 58) == "'" + "a" * 58 + "'"


def test_a_value_whose_repr_raises_is_named_by_its_type():
    assert brief(Unprintable()) == "<Unprintable>"
    assert brief(10**5000) == "<int>"


def test_a_value_of_several_lines_becomes_one():
    class Table:
        def __repr__(self):
            return "a b\n1 2"

    assert brief(Table()) == "a b 1 2"
