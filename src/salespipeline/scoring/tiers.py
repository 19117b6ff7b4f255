"""Tiers: the names that people give to ranges of scores."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import cast

from attrs import field, frozen

from salespipeline._doors import repeated
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.scoring.points import check_label, check_points, hundredths

MOST_TIERS = 25
"""How many bounds there may be: one less than there are letters."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _bounds(value: object) -> tuple[tuple[str, Decimal], ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise WrongTypeError("bounds", "a mapping of tiers to their least points", value)
    given = cast("Iterable[object]", value)
    if isinstance(value, Mapping):
        given = cast("Mapping[object, object]", value).items()
    pairs = [_bound(pair) for pair in given]
    return tuple(sorted(pairs, key=_least, reverse=True))


def _bound(pair: object) -> tuple[str, Decimal]:
    parts = cast("tuple[object, ...]", pair if isinstance(pair, tuple) else ())
    if len(parts) != 2:
        expected = "pairs of a tier and its least points"
        raise WrongTypeError("bounds", expected, cast("object", pair))
    return check_label(parts[0], "tier"), check_points(parts[1], "least points")


def _least(pair: tuple[str, Decimal]) -> int:
    return hundredths(pair[1])


@frozen
class Thresholds:
    """Tiers by the combined score, each from its least points on.

    Args:
        bounds: For each tier, the least points that it takes, in any order. Below all of them
            there is no tier; give the lowest a very low bound if there should be.

    Attributes:
        bounds: The same as pairs, the highest first.

    Raises:
        InvalidValueError: There is no tier, more than 25, one twice, or two have one bound.

    >>> tiers = Thresholds({"warm": 40, "hot": 80})
    >>> tiers.tier(0, 9_000, 9_000), tiers.tier(0, 3_999, 3_999)
    ('hot', None)
    """

    bounds: tuple[tuple[str, Decimal], ...] = field(converter=_bounds)

    def __attrs_post_init__(self) -> None:
        """Refuse tiers that contradict each other."""
        labels = [label for label, _ in self.bounds]
        faults = [f"the tier {label!r} occurs twice" for label in repeated(labels)]
        leasts = repeated(least for _, least in self.bounds)
        faults += [f"two tiers begin at {least}" for least in leasts]
        if not 1 <= len(labels) <= MOST_TIERS:
            faults.append(f"there must be 1 to {MOST_TIERS} tiers (got {len(labels)})")
        if faults:
            raise InvalidValueError("thresholds", tuple(faults))

    def tier(self, _fit: int, _engagement: int, total: int) -> str | None:
        """The tier of a score, whose parts are given in hundredths; None below all of them."""
        return self._labels[bisect_right(self._leasts, total)]

    @cached_property
    def _leasts(self) -> list[int]:
        return [_least(pair) for pair in reversed(self.bounds)]

    @cached_property
    def _labels(self) -> list[str | None]:
        return [None, *(label for label, _ in reversed(self.bounds))]

    @property
    def leasts(self) -> tuple[tuple[str, str, Decimal], ...]:
        """What each tier asks for: the part of the score, the tier, and its least points."""
        return tuple(("total", label, least) for label, least in self.bounds)


def _fit(value: object) -> tuple[Decimal, ...]:
    return _descending(value, "fit")


def _engagement(value: object) -> tuple[Decimal, ...]:
    return _descending(value, "engagement")


def _descending(value: object, name: str) -> tuple[Decimal, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise WrongTypeError(name, "several numbers of points", cast("object", value))
    return tuple(check_points(each, name) for each in cast("Iterable[object]", value))


@frozen
class Matrix:
    """Tiers such as A1 to C3: a letter for the fit, a number for the engagement.

    Args:
        fit: The least points of A, of B and so on, falling; below the last is one letter more.
        engagement: The least points of 1, of 2 and so on, falling; below the last is one more.

    Raises:
        InvalidValueError: There is no bound on a side, more than 25, or they do not fall.

    Source: HubSpot, Build lead scores (combined scores).

    >>> Matrix([50, 20], [60, 30]).tier(2_500, 6_000, 8_500)
    'B1'
    """

    fit: tuple[Decimal, ...] = field(converter=_fit)
    engagement: tuple[Decimal, ...] = field(converter=_engagement)

    def __attrs_post_init__(self) -> None:
        """Refuse sides that are empty, too long, or not in order."""
        faults: list[str] = []
        for name, side in (("fit", self.fit), ("engagement", self.engagement)):
            if not 1 <= len(side) <= MOST_TIERS:
                faults.append(f"{name} must have 1 to {MOST_TIERS} bounds (got {len(side)})")
            if any(after >= before for before, after in pairwise(side)):
                faults.append(f"the bounds of {name} must fall")
        if faults:
            raise InvalidValueError("matrix", tuple(faults))

    def tier(self, fit: int, engagement: int, _total: int) -> str:
        """The tier of a score, whose parts are given in hundredths."""
        rising_fit, rising_engagement = self._rising
        row = len(rising_fit) - bisect_right(rising_fit, fit)
        column = len(rising_engagement) - bisect_right(rising_engagement, engagement)
        return self._names[row][column]

    @cached_property
    def _rising(self) -> tuple[list[int], list[int]]:
        sides = (self.fit, self.engagement)
        first, second = ([hundredths(each) for each in reversed(side)] for side in sides)
        return first, second

    @cached_property
    def _names(self) -> list[list[str]]:
        columns = range(1, len(self.engagement) + 2)
        rows = _LETTERS[: len(self.fit) + 1]
        return [[f"{letter}{column}" for column in columns] for letter in rows]

    @property
    def leasts(self) -> tuple[tuple[str, str, Decimal], ...]:
        """What each letter and number asks for: the half, its name, and its least points."""
        letters = zip(_LETTERS, self.fit, strict=False)
        numbers = enumerate(self.engagement, 1)
        return (
            *(("fit", letter, least) for letter, least in letters),
            *(("engagement", str(number), least) for number, least in numbers),
        )
