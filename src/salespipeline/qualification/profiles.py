"""Ideal customer profiles: who we sell to best, held against who is there."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, cast

from attrs import field, frozen

from salespipeline._doors import NOTHING, instances, repeated, text, whole
from salespipeline._verdicts import judge
from salespipeline.attributes import EMPTY
from salespipeline.conditions import (
    Condition,
    Facts,
    Move,
    Predicate,
    check_condition,
    in_words,
    one_of,
)
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief


def _name(value: object) -> str:
    return text(value, "name")


def _condition(value: object) -> Condition:
    return check_condition(value)


@frozen
class Trait:
    """One thing that our best customers have in common.

    Attributes:
        name: What it is called, such as ``industry``.
        condition: What must be so of a contact, a deal or a record of any shape.
    """

    name: str = field(converter=_name)
    condition: Condition = field(converter=_condition)


@frozen
class Fit:
    """How a record fits a profile; what is unknown is neither matched nor unmatched.

    Attributes:
        matched: The names of the traits that it has.
        unmatched: The names of those that it has not.
        unknown: The names of those of which too little is known.
    """

    matched: tuple[str, ...]
    unmatched: tuple[str, ...]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether it has every trait."""
        return not self.unmatched and not self.unknown


def _traits(value: object) -> tuple[Trait, ...]:
    return instances(Trait, value, "traits")


@frozen
class Profile:
    """An ideal customer: the traits to look for, such as industry, size, location and role.

    Raises:
        InvalidValueError: There is no trait, or two have one name.

    >>> from salespipeline.conditions import at_least
    >>> ideal = Profile("mid-size", [Trait("size", at_least("attributes.staff", 50))])
    >>> ideal.fit({"attributes": {"staff": 80}}).matched, ideal.fit({}).unknown
    (('size',), ('size',))
    """

    name: str = field(converter=_name)
    traits: tuple[Trait, ...] = field(converter=_traits)

    def __attrs_post_init__(self) -> None:
        """Refuse a profile of nothing, or that names one trait twice."""
        faults = [] if self.traits else ["there is no trait"]
        if twice := repeated(trait.name for trait in self.traits):
            faults.append(f"the traits {', '.join(map(repr, twice))} occur twice")
        if faults:
            raise InvalidValueError(f"profile {self.name!r}", tuple(faults))

    def fit(
        self, record: Any, *, context: Any = EMPTY, predicates: Mapping[str, Predicate] = NOTHING
    ) -> Fit:
        """Which traits a record has, which it has not, and which nobody knows.

        Args:
            record: A contact, a deal, or a mapping or object of any shape.
            context: What else conditions may know, under ``context``.
            predicates: The functions of named conditions, by name.
        """
        facts = Facts(record, Move(None, None), context)
        found: dict[bool | None, list[str]] = {True: [], False: [], None: []}
        for trait in self.traits:
            found[judge(trait.condition, facts, predicates).answer].append(trait.name)
        return Fit(tuple(found[True]), tuple(found[False]), tuple(found[None]))

    def __str__(self) -> str:
        """The traits in words."""
        lines = [f"- {trait.name}: {in_words(trait.condition)}" for trait in self.traits]
        return "\n".join([self.name, *lines])


def trait_of(
    name: str,
    path: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    better_than: Fraction | str | float | None = None,
    fewest: int = 20,
) -> Trait:
    """The values of a field that win more often than others, as a trait to look for.

    Args:
        name: What the trait is called.
        path: The field, such as ``attributes.industry``.
        rows: One for each value, as `metrics` profiles yield: ``value``, ``number`` of closed
            deals and ``win_rate``; other members, such as ``average_value`` and ``cycle_days``,
            are left alone. A row whose value or win rate is None is passed over.
        better_than: The win rate that a value must exceed; the rate over all rows if not given.
        fewest: How many deals a value needs for its win rate to count.

    Raises:
        InvalidValueError: A row lacks what is needed, or no value is good enough. Every faulty
            row is named.

    >>> rows = [{"value": "banks", "number": 40, "win_rate": 0.5},
    ...         {"value": "shops", "number": 60, "win_rate": 0.2}]
    >>> trait_of("industry", "attributes.industry", rows).condition.value
    ('banks',)
    """
    label = text(name, "name")
    least = whole(fewest, "fewest")
    if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
        raise WrongTypeError("rows", "several mappings", cast("object", rows))
    faults: list[str] = []
    read = [
        _row(number, row, faults) for number, row in enumerate(cast("Iterable[object]", rows), 1)
    ]
    if faults:
        raise InvalidValueError(f"trait {label!r}", tuple(faults))
    known = [row for row in read if row is not None]
    total = sum(number for _, number, _ in known)
    bar = _overall(known, total) if better_than is None else _rate(better_than)
    if bar is None:
        raise InvalidValueError(f"trait {label!r}", (f"{brief(better_than)} is no rate",))
    best = [value for value, number, rate in known if number >= least and rate > bar]
    if not best:
        fault = f"no value with at least {least} deals wins more often than {float(bar):.1%}"
        raise InvalidValueError(f"trait {label!r}", (fault,))
    return Trait(label, one_of(path, best))


def _overall(rows: list[tuple[object, int, Fraction]], total: int) -> Fraction:
    won = sum((number * rate for _, number, rate in rows), Fraction(0))
    return won / total if total else Fraction(0)


def _row(place: int, row: object, faults: list[str]) -> tuple[object, int, Fraction] | None:
    """The value, number and win rate of a row; None where it is to be passed over or at fault."""
    if not isinstance(row, Mapping):
        faults.append(f"row {place} is no mapping (got {brief(row)})")
        return None
    cells = cast("Mapping[str, Any]", row)
    if lacking := [name for name in ("value", "number", "win_rate") if name not in cells]:
        faults.append(f"row {place} has no {' and no '.join(lacking)}")
        return None
    if cells["value"] is None or cells["win_rate"] is None:
        return None
    rate, number = _rate(cells["win_rate"]), cells["number"]
    if rate is None:
        faults.append(f"row {place} has a win rate that is no rate: {brief(cells['win_rate'])}")
    if type(number) is not int or number < 0:
        faults.append(f"row {place} has a number that counts nothing: {brief(number)}")
        return None
    return None if rate is None else (cells["value"], number, rate)


def _rate(value: object) -> Fraction | None:
    """A rate from 0 to 1; None for what is none."""
    if isinstance(value, bool):
        return None
    try:
        rate = Fraction(cast("Any", value))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, SalesPipelineError):
        return None
    return rate if 0 <= rate <= 1 else None
