"""Plain data, as `ScoreModel.to_plain` gives them, read back as a score model."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from salespipeline._doors import LARGEST_WHOLE, choice, instance, whole
from salespipeline._kinds import Kind, check_text
from salespipeline._plain import Faults, read_condition, read_value
from salespipeline.errors import WrongTypeError, brief
from salespipeline.events import Direction
from salespipeline.scoring.decay import Decay, Fading
from salespipeline.scoring.model import ScoreModel
from salespipeline.scoring.points import MOST_DAYS, check_label, check_points
from salespipeline.scoring.rules import EngagementRule, FitRule
from salespipeline.scoring.sheet import MOST_RULES
from salespipeline.scoring.tiers import MOST_TIERS, Matrix, Thresholds

_CAPS = ("fit_cap", "engagement_cap", "total_cap", "hand_over")
_OF_MODEL = ("name", "version", "meaning", "fit", "engagement", "group_caps", *_CAPS, "tiers")
_OF_FIT = ("name", "condition", "points", "group")
_OF_ENGAGEMENT = (
    "name", "activity", "points", "direction", "at_least", "at_most", "within_days", "once",
    "decay", "cap", "group",
)  # fmt: skip

Read = Callable[[Any, str], Any]


def read_model(data: object, faults: Faults, *, path: str = "") -> ScoreModel | None:
    """The score model that plain data write.

    Nothing is coerced; every member must be there, and none that is not known. Points may be
    written as whole numbers or as text.

    Args:
        data: The plain data.
        faults: Takes all that is wrong with them, each fault with the path of its place.
        path: Where the data stand in their document; nothing where they are the document.

    Returns:
        The model; None where anything is wrong.
    """
    return _Reader(faults).model(data, path)


def _days(value: object, name: str) -> timedelta:
    """So many days, as a length of time."""
    days = whole(value, name)
    if not 1 <= days <= MOST_DAYS:
        raise WrongTypeError(name, f"a whole number from 1 to {MOST_DAYS:,}", value)
    return timedelta(days)


def _flag(value: object, name: str) -> bool:
    return instance(bool, value, name)


def _direction(value: object, name: str) -> Direction:
    return choice(Direction, value, name)


def _way(value: object, name: str) -> Fading:
    return choice(Fading, value, name)


def _version(value: object, name: str) -> int:
    version = whole(value, name)
    if not 1 <= version <= LARGEST_WHOLE:
        raise WrongTypeError(name, "a whole number from 1 to 2^53 - 1", value)
    return version


class _Reader:
    """Reads one score model, and notes what is wrong with it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def model(self, data: object, path: str) -> ScoreModel | None:
        """A model from its members."""
        reads: dict[str, Read] = {
            "name": self._checked(check_label),
            "version": self._checked(_version),
            "meaning": self._checked(check_text),
            "fit": self._several(self._fit, MOST_RULES),
            "engagement": self._several(self._engagement, MOST_RULES),
            "group_caps": self._group_caps,
            **dict.fromkeys(_CAPS, self._optional(self._points)),
            "tiers": self._optional(self._tiers),
        }
        return cast("ScoreModel | None", self._made(data, path, _OF_MODEL, reads, _model))

    def _made(
        self,
        data: object,
        path: str,
        names: Iterable[str],
        reads: dict[str, Read],
        make: Callable[..., Any],
    ) -> Any:
        """What the members of an object make; None where anything is wrong with them."""
        before = len(self._faults.found)
        members = self._faults.keys(data, path or "the document", names)
        prefix = f"{path}." if path else ""
        read = {
            name: reads[name](members[name], f"{prefix}{name}") for name in names if name in members
        }
        if len(self._faults.found) > before:
            return None
        return self._faults.tried(path or "the document", make, **read)

    def _checked(self, check: Callable[[Any, str], Any]) -> Read:
        """A reader of what a check takes."""

        def read(data: Any, path: str) -> Any:
            return self._faults.tried(path, check, data, path.rpartition(".")[2])

        return read

    def _optional(self, read: Read) -> Read:
        return lambda data, path: None if data is None else read(data, path)

    def _several(self, read: Read, most: int) -> Read:
        """A reader of an array, each of its items read at its place."""

        def read_all(data: Any, path: str) -> tuple[Any, ...]:
            items = self._faults.items(data, path, most)
            return tuple(read(each, f"{path}[{n}]") for n, each in enumerate(items))

        return read_all

    def _points(self, data: Any, path: str) -> Decimal | None:
        number = read_value(Kind.NUMBER, data, path, self._faults)
        if number is None:
            return None
        return cast("Decimal | None", self._faults.tried(path, check_points, number, "points"))

    def _condition(self, data: Any, path: str) -> Any:
        return read_condition(data, path, self._faults)

    def _group_caps(self, data: Any, path: str) -> dict[str, Any]:
        if not isinstance(data, dict):
            self._faults.add(path, f"must be an object (got {brief(cast('object', data))})")
            return {}
        caps = cast("dict[str, Any]", data)
        for group in caps:
            self._faults.tried(f"{path}[{brief(group)}]", check_label, group, "group")
        return {group: self._points(cap, f"{path}[{brief(group)}]") for group, cap in caps.items()}

    def _fit(self, data: Any, path: str) -> FitRule | None:
        reads: dict[str, Read] = {
            "name": self._checked(check_label),
            "condition": self._condition,
            "points": self._points,
            "group": self._checked(check_text),
        }
        return cast("FitRule | None", self._made(data, path, _OF_FIT, reads, FitRule))

    def _engagement(self, data: Any, path: str) -> EngagementRule | None:
        reads: dict[str, Read] = {
            "name": self._checked(check_label),
            "activity": self._checked(check_label),
            "points": self._points,
            "direction": self._optional(self._checked(_direction)),
            "at_least": self._checked(whole),
            "at_most": self._optional(self._checked(whole)),
            "within_days": self._optional(self._checked(_days)),
            "once": self._checked(_flag),
            "decay": self._decay,
            "cap": self._optional(self._points),
            "group": self._checked(check_text),
        }
        made = self._made(data, path, _OF_ENGAGEMENT, reads, _engagement_rule)
        return cast("EngagementRule | None", made)

    def _decay(self, data: Any, path: str) -> Decay | None:
        reads: dict[str, Read] = {
            "way": self._checked(_way),
            "days": self._optional(self._checked(_days)),
            "share": self._optional(self._share),
        }
        names = ("way", "days", "share")
        return cast("Decay | None", self._made(data, path, names, reads, _decay_of))

    def _share(self, data: Any, path: str) -> Any:
        return read_value(Kind.NUMBER, data, path, self._faults)

    def _tiers(self, data: Any, path: str) -> Any:
        members = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        kind = members.get("of")
        reads: dict[str, Read] = {"of": lambda of, _: of}
        if kind == "thresholds":
            reads["bounds"] = self._several(self._bound, MOST_TIERS)
            return self._made(members, path, ("of", "bounds"), reads, _thresholds)
        if kind == "matrix":
            sides = ("fit", "engagement")
            reads |= dict.fromkeys(sides, self._several(self._points, MOST_TIERS))
            return self._made(members, path, ("of", *sides), reads, _matrix)
        got = brief(cast("object", data))
        self._faults.add(path, f"must be an object 'of' thresholds or matrix (got {got})")
        return None

    def _bound(self, data: Any, path: str) -> Any:
        reads: dict[str, Read] = {"tier": self._checked(check_label), "least": self._points}
        return self._made(data, path, ("tier", "least"), reads, _pair)


def _model(*, name: str, **members: Any) -> ScoreModel:
    return ScoreModel(name, **members)


def _engagement_rule(*, within_days: timedelta | None, **members: Any) -> EngagementRule:
    return EngagementRule(within=within_days, **members)


def _decay_of(*, way: Fading, days: timedelta | None, share: Any) -> Decay:
    return Decay(way, days, share)


def _thresholds(*, bounds: tuple[tuple[str, Decimal], ...], of: str) -> Thresholds:
    del of  # which chose them
    return Thresholds(bounds)


def _matrix(*, of: str, **sides: Any) -> Matrix:
    del of  # which chose it
    return Matrix(**sides)


def _pair(*, tier: str, least: Decimal) -> tuple[str, Decimal]:
    return tier, least
