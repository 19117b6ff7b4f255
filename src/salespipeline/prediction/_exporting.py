"""Points of a score card as the fit rules of a score model."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from salespipeline.conditions import (
    LARGEST,
    Condition,
    absent,
    all_of,
    any_of,
    at_least,
    equals,
    less,
    not_,
    one_of,
)
from salespipeline.prediction._cells import RARE, UNKNOWN, day_of, kind_of, number_of
from salespipeline.prediction.features import Feature, bins
from salespipeline.scoring import FitRule

_MOST_KINDS = 100
_MOST_NAMED = 3


def fit_rules(
    feature: Feature, path: str, scale: float, unanswered: frozenset[str], places: int
) -> Iterator[FitRule]:
    """A rule for each value of a column that has points; one for several of the same points.

    Args:
        feature: The column.
        path: The field that a record has it in.
        scale: The points of one log-odd of evidence.
        unanswered: The texts that say that nothing was answered.
        places: To how many decimal places points are rounded.
    """
    alike: dict[Decimal, list[str]] = {}
    condition: Condition | None
    for told in feature.values:
        points = Decimal(str(round(scale * told.evidence, places)))
        if told.value == UNKNOWN:
            condition = any_of(absent(path), one_of(path, _spelt(unanswered)))
        elif told.value == RARE:
            condition = None if feature.edges else _rare(feature, path, unanswered)
        elif feature.edges:
            condition = _within_bin(feature, told.value, path)
        else:
            alike.setdefault(points, []).append(told.value)
            condition = None
        if points and condition is not None:
            yield FitRule(f"{feature.name}: {told.value}", condition, points)
    for points, kinds in alike.items():
        for n in range(0, len(kinds) if points else 0, _MOST_KINDS):
            several = kinds[n : n + _MOST_KINDS]
            yield FitRule(f"{feature.name}: {_named(several)}", _is_one(path, several), points)


def _named(kinds: Sequence[str]) -> str:
    """The first few of several kinds, in words."""
    more = f" and {len(kinds) - _MOST_NAMED} more" if len(kinds) > _MOST_NAMED else ""
    return ", ".join(kinds[:_MOST_NAMED]) + more


def _spelt(unanswered: frozenset[str]) -> list[str]:
    """The ways in which forms write that nothing was answered."""
    spelt = {form for each in unanswered for form in (each, each.capitalize(), each.upper())}
    return sorted({"", *spelt})[:LARGEST]


def _is_one(path: str, kinds: Sequence[str]) -> Condition:
    """The field is of one of some kinds: its text, or the number, flag or day that it is of."""
    forms: list[Condition] = [one_of(path, kinds)]
    if numbers := [number for kind in kinds if (number := _number(kind)) is not None]:
        forms.append(one_of(path, numbers))
    if days := [day for kind in kinds if (day := day_of(kind)) is not None]:
        forms.append(one_of(path, [date.fromordinal(int(day)) for day in days]))
    forms += [equals(path, kind == "True") for kind in kinds if kind in {"True", "False"}]
    return any_of(*forms)


def _number(kind: str) -> Decimal | None:
    """The number that a kind was made of, or may have been."""
    number = number_of(kind)
    return None if number is None or kind_of(number) != kind else Decimal(kind)


def _rare(feature: Feature, path: str, unanswered: frozenset[str]) -> Condition:
    """The field is of none of the kinds that are told apart; of their text or their numbers."""
    kinds = [told.value for told in feature.values if told.value not in (RARE, UNKNOWN)]
    texts = [*kinds, *_spelt(unanswered)]
    numbers = [number for kind in kinds if (number := _number(kind)) is not None]
    others = all_of(
        *(not_(one_of(path, texts[n : n + LARGEST])) for n in range(0, len(texts), LARGEST))
    )
    return any_of(others, not_(one_of(path, numbers[:LARGEST]))) if numbers else others


def _within_bin(feature: Feature, value: str, path: str) -> Condition:
    """The field lies in a bin."""
    edges = feature.edges or ()
    place = bins(edges, are_days=feature.are_days).index(value)
    shown = [
        date.fromordinal(int(edge)) if feature.are_days else Decimal(repr(edge)) for edge in edges
    ]
    low = [at_least(path, shown[place - 1])] if place else []
    high = [less(path, shown[place])] if place < len(shown) else []
    return all_of(*low, *high)
