"""The pipelines that a mapping declares as plain tables, each option checked by its kind."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar, cast

from salespipeline.errors import InvalidValueError, SalesPipelineError, brief
from salespipeline.pipelines import Pipeline, Stage

T = TypeVar("T")
Kinds: TypeAlias = Mapping[str, tuple[type | tuple[type, ...], str]]
"""By option, the types that it may have, with their words for a message."""

LIST = (list, tuple)
"""What a list may be."""

_PIPELINE: Kinds = {
    "key": (str, "text"),
    "name": (str, "text"),
    "stages": (LIST, "a list of tables, each a stage"),
    "former": (Mapping, "a table of retired keys and their successors"),
    "source": (str, "text"),
}
_MOST_DAYS = 36500
_STAGE: Kinds = {
    "key": (str, "text"),
    "name": (str, "text"),
    "outcome": (str, "'open', 'won' or 'lost'"),
    "probability": ((int, float, str, Decimal), "a number from 0 to 1"),
    "rot_after_days": (int, "a whole number of days"),
    "parked": (bool, "true or false"),
    "journey": (str, "the key of a broad stage"),
    "meaning": (str, "text"),
    "entry": (str, "text"),
    "next_step": (str, "text"),
}


def options_of(
    place: str, table: Mapping[Any, Any], kinds: Kinds, faults: list[str]
) -> dict[str, Any]:
    """The options of a table that are known and of the right kind; the others are faults."""
    good: dict[str, Any] = {}
    for option, value in table.items():
        if not isinstance(option, str) or option not in kinds:
            where = f"{place}: " if place else ""
            faults.append(f"{where}unknown option {brief(option)}; known: {', '.join(kinds)}")
            continue
        kind, words = kinds[option]
        if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
            good[option] = value
        else:
            where = f"{place}." if place else ""
            faults.append(f"{where}{option} must be {words} (got {brief(value)})")
    return good


def attempt(place: str, make: Callable[[], T], faults: list[str]) -> T | None:
    """What a maker makes; where it refuses, its reasons become faults."""
    try:
        return make()
    except InvalidValueError as fault:
        faults.extend(f"{place}: {each}" for each in fault.faults)
    except SalesPipelineError as fault:
        faults.append(f"{place}: {fault}")
    return None


def declared_pipeline(place: str, table: object, faults: list[str]) -> Pipeline | None:
    """The pipeline that a table declares; None where it cannot be made, which is a fault."""
    before = len(faults)
    if not isinstance(table, Mapping):
        faults.append(f"{place} must be a table (got {brief(table)})")
        return None
    given = options_of(place, cast("Mapping[Any, Any]", table), _PIPELINE, faults)
    stages = [
        _stage(f"{place}.stages[{number}]", stage, faults)
        for number, stage in enumerate(given.pop("stages", ()))
    ]
    if len(faults) > before:
        return None
    return attempt(place, lambda: Pipeline(given.pop("key", None), stages, **given), faults)


def _stage(place: str, table: object, faults: list[str]) -> Any:
    """A stage; None where it cannot be made, which is a fault."""
    if not isinstance(table, Mapping):
        faults.append(f"{place} must be a table (got {brief(table)})")
        return None
    before = len(faults)
    given = options_of(place, cast("Mapping[Any, Any]", table), _STAGE, faults)
    if len(faults) > before:
        return None
    if isinstance(given.get("probability"), float):
        given["probability"] = Decimal(repr(given["probability"]))
    days: int | None = given.pop("rot_after_days", None)
    if days is not None and not 0 < days <= _MOST_DAYS:
        faults.append(f"{place}.rot_after_days must be from 1 to {_MOST_DAYS} (got {brief(days)})")
        return None
    rot_after = None if days is None else timedelta(days=days)
    key = given.pop("key", None)
    return attempt(place, lambda: Stage(key, rot_after=rot_after, **given), faults)
