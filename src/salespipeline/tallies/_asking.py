"""What figures and tallies are asked with: every argument that is wrong is named together."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache, partial, wraps
from typing import Any, TypeAlias, TypeVar, cast

from salespipeline._doors import choice, instance, instances, whole
from salespipeline._record import Record
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError
from salespipeline.intervals import check_level
from salespipeline.money import check_currency
from salespipeline.periods import Period, Unit, check_zone, utc
from salespipeline.pipelines import Outcome, Pipeline
from salespipeline.tallies._counting import Moment, Tally, check_resolution, reading

F = TypeVar("F", bound=Callable[..., Any])
Door: TypeAlias = type[Any] | Callable[[Any], object]
"""What a value must be: of a class, a member of an enum or its text, or let through by a check."""


def _rates(rates: object) -> object:
    if not isinstance(rates, Mapping):
        raise WrongTypeError("rates", "a mapping of currencies to rates", rates)
    return cast("object", rates)


_DOORS: Mapping[str, Door] = {
    "after": Period,
    "as_of": partial(utc, name="as_of"),
    "before": Period,
    "by_at": Moment,
    "currency": check_currency,
    "level": check_level,
    "outcome": Outcome,
    "period": Period,
    "periods": partial(instances, Period, name="periods"),
    "pipelines": partial(instances, Pipeline, name="pipelines"),
    "rates": _rates,
    "resolution": check_resolution,
    "seed": partial(whole, name="seed"),
    "unit": Unit,
    "zone": check_zone,
}
"""What parameters of a name are asked, whatever they are of."""


def asks(kind: type[Record] = Deal, **own: Door) -> Callable[[F], F]:
    """Refuse what is wrong among the arguments of a function, all of it together.

    Args:
        kind: The kind of record of whose fields ``by`` and ``cluster`` are one.
        own: What the function asks of arguments of its own, by name.
    """
    read = partial(reading, kind)
    doors = {**_DOORS, "by": read, "cluster": read, **own}

    def asking(call: F) -> F:
        @cache
        def signature() -> inspect.Signature:
            return inspect.signature(call)

        @wraps(call)
        def asked(*args: Any, **named: Any) -> Any:
            try:
                given = signature().bind(*args, **named)
            except TypeError as why:  # a call gone wrong, in Python's own words
                raise TypeError(f"{call.__name__}() {why}") from None
            _pass(given, doors)
            return call(*given.args, **given.kwargs)

        return cast("F", asked)

    return asking


def _pass(given: inspect.BoundArguments, doors: Mapping[str, Door]) -> None:
    """Pass arguments through their doors.

    Raises:
        SalesPipelineError: One door refused: its own error; several: an `InvalidValueError`.
    """
    named, faults = given.signature.parameters, list[SalesPipelineError]()
    counted = isinstance(next(iter(given.arguments.values()), None), Tally)
    if "as_of" in named and not counted:
        given.arguments.setdefault("as_of", None)
    for name, value in given.arguments.items():
        door, usual = doors.get(name), value is named[name].default
        if door is None or (usual and (counted or name != "as_of")):
            continue
        if isinstance(value, Iterator):  # it can be read but once
            given.arguments[name] = tuple(cast("Iterator[object]", value))
        try:
            _check(door, given.arguments[name], name)
        except SalesPipelineError as fault:
            faults.append(fault)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InvalidValueError("arguments", tuple(str(fault) for fault in faults))


def _check(door: Door, value: object, name: str) -> None:
    if not isinstance(door, type):
        door(value)
    elif issubclass(door, StrEnum):
        choice(door, value, name)
    else:
        instance(cast("type[object]", door), value, name)
