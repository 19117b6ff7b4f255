"""What every public figure and tally says to input that is wrong, whichever parameter it is for.

Parameters are known by their names: one that two figures share means the same and refuses the
same. A figure added later is tested without being named here.
"""

import inspect
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from contracts import STRANGE
from figure_calls import AS_OF, DEALS, FIGURES, GROUPED, TALLIES, asked, called
from salespipeline.errors import InvalidValueError, SalesPipelineError
from salespipeline.money import Money
from stories import day, days, deal, euros, won

ALL = FIGURES | TALLIES


def _parameters(call):
    return inspect.signature(call).parameters


DOORS = [(name, each) for name, call in ALL.items() for each in _parameters(call)]


def _empty(value):
    return isinstance(value, tuple | list | dict | set) and not value


def _whole(value):
    return type(value) is int and value >= 0


def _number(value):
    return _whole(value) or value == 2.5


def _keys(value):
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def _text(value):
    return isinstance(value, str) and value != ""


MAY_TAKE = {
    "ages": lambda value: value == range(3),
    "bands": _empty,
    "by_stage": lambda value: isinstance(value, bool),
    "causes": _empty,
    "contacts": _empty,
    "cycle_days": _number,
    "days": _whole,
    "deals": lambda value: _empty(value) or _whole(value),
    "fewest": _whole,
    "first_month": _whole,
    "grace_days": _whole,
    "horizon": _number,
    "horizon_days": _number,
    "kinds": _keys,
    "least": _whole,
    "limits": _empty,
    "missing": _empty,
    "most": _whole,
    "needed": _whole,
    "net": lambda value: isinstance(value, bool),
    "number": _whole,
    "outcome": lambda value: value is None,
    "people": _whole,
    "periods": _empty,
    "pipelines": _empty,
    "quiet_days": _whole,
    "rates": _keys,
    "records": _empty,
    "referral_sources": lambda value: _empty(value) or _keys(value),
    "runs": _whole,
    "seed": lambda value: type(value) is int,
    "stage": _text,
    "stages": _empty,
    "weights": lambda value: value == range(3),
    "win_rate": lambda value: _whole(value) and value <= 1,
    "window": _whole,
    "within_days": _number,
}
"""Which of the strange values a parameter of a name may take; it may refuse them all the same."""

CALLED = {
    "by": ("field of a", "'by'"),
    "cluster": ("field of a",),
    "contacts": ("contacts", "histories"),
    "cycle_days": ("cycle",),
    "cycle_of": ("cycle",),
    "number": ("number", "velocity"),
    "deals": ("deals", "histories"),
    "records": ("deals", "contacts", "histories"),
    "share": ("share", "level"),
    "weights": ("weight",),
    "win_rate": ("win_rate", "win rate"),
}
"""What a refusal calls a parameter by, where that is not just its name."""


def _with(name, parameter, value):
    """The arguments of a good call but for one."""
    grouped = GROUPED.get(name, {}) if parameter == "by" and value is not None else {}
    return asked(name, ALL[name], **({parameter: value} | grouped))


def _refusal(call, arguments):
    with pytest.raises(SalesPipelineError) as caught:
        call(**arguments)
    message = str(caught.value)
    assert len(message) < 600
    assert message.isprintable() or "\ud800" in message
    return message


def _is_named(parameter, message):
    return any(name in message for name in CALLED.get(parameter, (parameter,)))


def _check_named(parameter, message):
    assert _is_named(parameter, message), message


@pytest.mark.parametrize(("name", "parameter"), DOORS)
def test_what_is_strange_is_refused_by_the_name_of_its_parameter(name, parameter):
    call, takes = ALL[name], MAY_TAKE.get(parameter, lambda _value: False)
    for value in STRANGE:
        arguments = _with(name, parameter, value)
        try:
            call(**arguments)
        except SalesPipelineError:
            _check_named(parameter, _refusal(call, arguments))
        else:
            usual = value is _parameters(call)[parameter].default
            assert usual or takes(value), f"{name} takes {parameter}={value!r}"


WRONG = {
    "average_size": [5],
    "bands": ["30", (30, 30)],
    "days": [-1],
    "draws": [5],
    "expected_at": ["nope"],
    "first_month": [0, 13],
    "least": [0],
    "most": [0],
    "needed": [-1],
    "people": [0, -1, 1.5],
    "rates": ["USD", [("USD", 1)]],
    "rule": ["nope"],
    "share": [0, 2],
    "until": ["nope"],
    "visit": ["nope"],
    "within_days": [-1],
    "ages": [(), (30, 30), (-1,), (10**6,), b"ages"],
    "as_of": [datetime(2026, 3, 1), date(2026, 3, 1), "2026-03-01"],  # noqa: DTZ001 - on purpose
    "by": ["nope", "attributes", "attributes.", b"owner", ("owner",), ["owner"]],
    "by_at": ["opening", "CREATION", b"creation"],
    "cluster": ["nope", "attributes", "attributes."],
    "cycle_of": ["given", "lost"],
    "fewest": [-1],
    "grace_days": [-1, 10**9],
    "horizon_days": [-1, float("nan"), "30"],
    "interval": ["Wilson", "normal"],
    "kinds": [[], "call", [""], [1]],
    "level": [0, 1, 1.0, -0.5, 2, "0.95", True],
    "number": ["given"],
    "outcome": ["Won", "closed"],
    "period": [(day(0), day(3)), day(0), [days(0, 3)]],
    "periods": [days(0, 3), [(day(0), day(3))], (days(10, 20), days(0, 10))],
    "pipelines": ["board", ["board"], {"board": 1}],
    "policy": ["stage", [], ["stage", "stage"], ["guess"]],
    "promise": [timedelta(-1), timedelta(seconds=90)],
    "quiet_days": [-1, 2.0],
    "quota": [euros(-1), 2000, {"ada": 5}, {"ada": euros(-1)}],
    "resolution": [timedelta(), timedelta(-1), 60],
    "runs": [-1, 10**9],
    "seed": ["7", 7.0],
    "semantics": ["in order"],
    "start": [("board",), "board", ("board", "")],
    "steps": [[], ["nope"], ["talk", "talk"], "talk", [("board",)]],
    "target": [euros(0), euros(-1), 100],
    "thresholds": [(), (euros(5), euros(5)), (euros(9), euros(4)), (1, 2), euros(5)],
    "unit": ["fortnight", timedelta(7)],
    "weights": [(), (1, -1, 1), (0, 0, 0), "111", {"ada": -1}, {"ada": 0}],
    "win_rate": [-0.1, 1.1, "much", float("nan")],
    "window": [timedelta(-1), -1, "7"],
    "zone": ["UTC", 0],
}
"""What is of no use to any parameter of a name."""


@pytest.mark.parametrize(("name", "parameter"), [each for each in DOORS if each[1] in WRONG])
def test_what_is_wrong_is_refused_by_the_name_of_its_parameter(name, parameter):
    call = ALL[name]
    usual = _parameters(call)[parameter].default
    for value in WRONG[parameter]:
        if value != usual and not (name == "velocity" and parameter == "number"):
            message = _refusal(call, _with(name, parameter, value))
            _check_named(parameter, message)


DOLLARS = (*DEALS, deal(1, won(5), record="d-9", amount=Money(90, "USD")))


@pytest.mark.parametrize(
    "rates", [{}, {"USD": 0}, {"USD": -1}, {"USD": 1.5}, {"USD": "x"}, {"USD": None}, {"EUR": 1}]
)
@pytest.mark.parametrize("name", [name for name, call in FIGURES.items()
                                  if "rates" in _parameters(call)])  # fmt: skip
def test_a_rate_that_is_needed_is_there_and_more_than_nothing(name, rates):
    call = FIGURES[name]
    named = _parameters(call)
    otherwise = {"rates": rates}
    if "deals" in named:
        otherwise["deals"] = DOLLARS
    if "currency" in named:
        otherwise["currency"] = "EUR"
    if "average_size" in named:
        otherwise["average_size"] = Money(5, "USD")
    if "period" in named and name in ("pipeline_velocity", "consistent_velocity"):
        otherwise["period"] = None
    if name == "most_winnable":
        otherwise["deals"] = (*DEALS, deal(80, record="d-9", amount=Money(90, "USD")))
    _refusal(call, asked(name, call, **otherwise))


TAKES_TALLIES = [
    name
    for name, call in FIGURES.items()
    if "as_of" in _parameters(call) and _parameters(call)["as_of"].default is None
]


@pytest.mark.parametrize("name", TAKES_TALLIES)
def test_histories_need_an_instant(name):
    _check_named("as_of", _refusal(FIGURES[name], asked(name, FIGURES[name], as_of=None)))


@pytest.mark.parametrize("name", ALL)
def test_all_that_is_wrong_is_named_together(name):
    call = ALL[name]
    wrong = {
        each: next(value for value in WRONG[each] if value != parameter.default)
        for each, parameter in _parameters(call).items()
        if each in WRONG
    }
    with pytest.raises(SalesPipelineError) as caught:
        call(**asked(name, call, **wrong))
    message = str(caught.value)
    assert [each for each in wrong if not _is_named(each, message)] == []


def test_periods_that_can_be_read_but_once_are_kept():
    periods = (days(0, 30), days(30, 60))
    for name in ("cohort_table", "velocity_series"):
        once = FIGURES[name](**asked(name, FIGURES[name], periods=iter(periods)))
        assert len(once) > 1
        assert once == FIGURES[name](**asked(name, FIGURES[name], periods=periods))


def test_a_call_without_its_records_is_a_call_gone_wrong():
    with pytest.raises(TypeError, match=r"^moves\(\) missing a required argument: 'deals'$"):
        FIGURES["moves"](as_of=AS_OF)
    with pytest.raises(TypeError, match=r"^leads\(\) got an unexpected keyword argument 'when'$"):
        FIGURES["leads"]((), when=AS_OF)


OTHERWISE = {
    "as_of": day(3),
    "by": "source",
    "period": days(1, 2),
    "resolution": timedelta(hours=5),
    "zone": ZoneInfo("Asia/Kolkata"),
}
"""What a tally of the test was not counted with."""

COUNTED = {name: called(name, call) for name, call in TALLIES.items()}
for name, call in TALLIES.items():
    in_periods = {"periods": (days(0, 60),)} if "periods" in _parameters(call) else {}
    COUNTED[f"{name} in a period"] = called(name, call, **in_periods)
    COUNTED[f"{name} by owner"] = called(name, call, by="owner", **in_periods)


def _of_a_tally(name, tally, **otherwise):
    call = FIGURES[name]
    subject = next(iter(_parameters(call)))
    counted_with = {"pipeline": None} if "pipeline" in _parameters(call) else {}
    return asked(name, call, **({subject: tally} | counted_with | otherwise))


@pytest.mark.parametrize("name", TAKES_TALLIES)
def test_a_figure_takes_the_tallies_that_it_is_made_of_and_no_other(name):
    taken, call = set(), FIGURES[name]
    for tally in COUNTED.values():
        try:
            call(**_of_a_tally(name, tally))
        except SalesPipelineError:
            message = _refusal(call, _of_a_tally(name, tally))
            assert "tally" in message or "period" in message
        else:
            taken.add(tally.name)
    assert taken == ({"lifetimes", "cycles"} if name == "cycle_length" else {min(taken)})


@pytest.mark.parametrize("name", TAKES_TALLIES)
@pytest.mark.parametrize("parameter", OTHERWISE)
def test_a_tally_is_not_taken_for_one_counted_otherwise(name, parameter):
    call = FIGURES[name]
    if parameter not in _parameters(call):
        return
    otherwise = {parameter: OTHERWISE[parameter]}
    otherwise |= GROUPED.get(name, {}) if parameter == "by" else {}
    for tally in COUNTED.values():
        try:
            call(**_of_a_tally(name, tally))
        except SalesPipelineError:
            continue
        if parameter != "zone" or not _in_no_zone(tally):
            _refusal(call, _of_a_tally(name, tally, **otherwise))


def _in_no_zone(tally):
    return tally.name == "people"


def test_a_generator_is_read_once_and_gives_what_a_list_gives():
    for name, call in ALL.items():
        subject = next(iter(_parameters(call)))
        given = asked(name, call)
        if isinstance(given[subject], tuple):
            once = call(**given | {subject: iter(given[subject])})
            assert once == call(**given), name


def test_before_everything_no_figure_fails():
    for name, call in ALL.items():
        if "as_of" in _parameters(call):
            try:
                call(**asked(name, call, as_of=AS_OF - timedelta(days=9000)))
            except InvalidValueError as refused:
                assert "period" in str(refused)  # noqa: PT017 - what looks back may refuse


def test_far_numbers_do_not_leave_as_errors_of_others():
    for value in (10**30, -(10**30), Decimal(10) ** 40):
        for name, parameter in DOORS:
            call = ALL[name]
            try:
                call(**asked(name, call, **{parameter: value}))
            except SalesPipelineError as refused:
                assert str(refused)  # noqa: PT017 - it may be taken or refused
