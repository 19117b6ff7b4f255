"""What holds for every public figure and tally, whatever it counts.

They are found in the packages themselves, so one added later is held to the same.
"""

import inspect
import json
from datetime import date
from decimal import Decimal

import pytest
from attrs import evolve, fields
from hypothesis import given, settings
from hypothesis import strategies as st

from figure_calls import FIGURES, TALLIES, asked
from record_strategies import asking_moments, read_contacts, read_deals
from salespipeline.errors import SalesPipelineError
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.metrics import Groups, Result, Table
from strategies import zones

FEWER = settings(max_examples=max(10, settings().max_examples // 3))
"""There are so many figures that a third of the usual examples of each is enough."""

PLAIN = (str, int, float, Decimal, date, type(None))
SUBJECTS = ("deals", "contacts", "records")


def _called_otherwise(history, number):
    """The same history of another record, so that no two have one id."""
    record = f"{history.events[0].record}{number}"
    events = [evolve(event, record=record) for event in history.events]
    return type(history)(events)


def bodies(kind):
    """Several records of a kind, each of its own."""
    histories = read_deals(named=True) if kind is DealHistory else read_contacts(named=True)
    return st.lists(histories, max_size=5).map(
        lambda found: [_called_otherwise(each, number) for number, each in enumerate(found)]
    )


def kinds(name, call):
    """Of which records each subject of a call is."""
    usual = asked(name, call)
    named = [each for each in inspect.signature(call).parameters if each in SUBJECTS]
    subjects = {each: usual[each] for each in named}
    return {
        each: type(given[0])
        for each, given in subjects.items()
        if isinstance(given, tuple) and isinstance(given[0], ContactHistory | DealHistory)
    }


def _of(calls, least=1):
    return [name for name, call in calls.items() if len(kinds(name, call)) >= least]


@st.composite
def calls(draw, name, call, **otherwise):
    """A call of records as read, at any instant that it may be asked at."""
    given = {each: draw(bodies(kind)) for each, kind in kinds(name, call).items()}
    if "as_of" in inspect.signature(call).parameters:
        given["as_of"] = draw(asking_moments())
    if "by" in inspect.signature(call).parameters and "quota" not in otherwise:
        by = draw(st.sampled_from([None, "owner", "source", "attributes.a"]))
        given |= {} if name in _WITH_MAPPINGS or by is None else {"by": by}
    return asked(name, call, **(given | otherwise))


_WITH_MAPPINGS = frozenset({"attainment", "pipeline_coverage", "sizing_from"})
"""Figures that need more than a field where they are asked for by one."""


def _result(call, arguments):
    """What a call gives; None where it refuses, as of a period that is not over yet."""
    try:
        return call(**arguments)
    except SalesPipelineError:
        return None


@pytest.mark.parametrize("name", _of(TALLIES))
@FEWER
@given(data=st.data())
def test_tallies_of_parts_sum_to_the_tally_of_all(name, data):
    call = TALLIES[name]
    arguments = data.draw(calls(name, call))
    (subject,) = kinds(name, call)
    body = arguments[subject]
    cut = data.draw(st.integers(0, len(body)))
    parts = [_result(call, arguments | {subject: part}) for part in (body[:cut], body[cut:])]
    whole = _result(call, arguments)
    assert (parts[0] + parts[1] if None not in parts else None) == whole


@pytest.mark.parametrize("name", _of(FIGURES | TALLIES))
@FEWER
@given(data=st.data())
def test_the_order_of_records_changes_nothing(name, data):
    call = (FIGURES | TALLIES)[name]
    arguments = data.draw(calls(name, call))
    shuffled = {
        subject: data.draw(st.permutations(arguments[subject])) for subject in kinds(name, call)
    }
    assert _result(call, arguments | shuffled) == _result(call, arguments)


def _check_rows(rows, told):
    for row in rows:
        assert list(row) == list(rows[0])
        assert all(isinstance(value, PLAIN) for value in row.values()), row
        assert {"as_of", "period_start", "period_end"} <= row.keys()
    assert all(isinstance(each, str) for each in rows and rows[0])
    assert json.loads(json.dumps(rows, default=str)) is not None
    assert len(rows) >= len(told) if isinstance(told, Groups) else True


def _results(value):
    """A result with all the results that it is made of."""
    if isinstance(value, Result):
        yield value
        for each in fields(type(value)):
            yield from _results(getattr(value, each.name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _results(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _results(each)


def _check_when(result, arguments):
    if isinstance(result, Table | Groups) and "as_of" in arguments:
        assert result.as_of == arguments["as_of"]
    for each in _results(result):
        assert each.as_of is not None, type(each)
        if "as_of" in arguments:
            assert each.as_of == arguments["as_of"]
        if arguments.get("period") is not None:
            assert each.period is not None, type(each)


def _check_counts(result):
    for each in _results(result):
        assert all(n >= 0 for n in each.left_out.values())
        if hasattr(each, "numerator"):
            assert 0 <= each.numerator <= each.denominator
            assert (each.value is None) == (each.denominator == 0)


@pytest.mark.parametrize("name", _of(FIGURES))
@FEWER
@given(data=st.data(), zone=zones())
def test_every_result_tells_plain_rows_its_instant_its_period_and_rates_up_to_1(name, data, zone):
    call = FIGURES[name]
    arguments = data.draw(calls(name, call))
    result = _result(call, arguments)
    if result is None:
        return
    rows = result.to_dicts()
    _check_rows(rows, result)
    _check_when(result, arguments)
    _check_counts(result)
    assert str(result)
    assert " object at 0x" not in str(result)
    assert result._repr_html_().count("<table>") == 1
    if "as_of" in arguments:
        there = call(**arguments | {"as_of": arguments["as_of"].astimezone(zone)})
        assert there.to_dicts() == rows


@pytest.mark.parametrize("name", _of(FIGURES))
def test_of_nothing_every_figure_tells_that_there_is_nothing(name):
    call = FIGURES[name]
    nothing = call(**asked(name, call, **dict.fromkeys(kinds(name, call), ())))
    assert str(nothing)
    _check_rows(nothing.to_dicts(), nothing)
    _check_counts(nothing)
