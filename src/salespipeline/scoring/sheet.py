"""What a score model says: its rules, caps, tiers and threshold, as one value."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias, cast

from attrs import field, frozen

from salespipeline._doors import LARGEST_WHOLE, instances, repeated, whole
from salespipeline._kinds import check_text
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.scoring.points import check_label, check_points, hundredths
from salespipeline.scoring.rules import EngagementRule, FitRule
from salespipeline.scoring.tiers import Matrix, Thresholds

MOST_RULES = 200
"""How many rules each half of a model may have."""

Tiers: TypeAlias = Thresholds | Matrix
ScoreRule: TypeAlias = FitRule | EngagementRule


class Half(StrEnum):
    """The two halves of a score."""

    FIT = "fit"
    ENGAGEMENT = "engagement"


def _name(value: object) -> str:
    return check_label(value, "name")


def _fit(value: object) -> tuple[FitRule, ...]:
    return instances(FitRule, value, "fit")


def _engagement(value: object) -> tuple[EngagementRule, ...]:
    return instances(EngagementRule, value, "engagement")


def _group_caps(value: Any) -> Attributes:
    if not isinstance(value, Mapping):
        raise WrongTypeError("group_caps", "a mapping of groups to points", value)
    given = cast("Mapping[Any, Any]", value)
    return Attributes(
        {
            check_label(group, "group"): check_points(cap, f"group_caps[{brief(group)}]")
            for group, cap in given.items()
        }
    )


def _fit_cap(value: object) -> Decimal | None:
    return _points(value, "fit_cap")


def _engagement_cap(value: object) -> Decimal | None:
    return _points(value, "engagement_cap")


def _total_cap(value: object) -> Decimal | None:
    return _points(value, "total_cap")


def _hand_over(value: object) -> Decimal | None:
    return _points(value, "hand_over")


def _points(value: object, name: str) -> Decimal | None:
    return None if value is None else check_points(value, name)


def _tiers(value: object) -> Tiers | None:
    if value is not None and not isinstance(value, Thresholds | Matrix):
        raise WrongTypeError("tiers", "Thresholds or a Matrix", value)
    return value


def _version(value: object) -> int:
    version = whole(value, "version")
    if not 1 <= version <= LARGEST_WHOLE:
        raise WrongTypeError("version", "a whole number from 1 to 2^53 - 1", value)
    return version


def _meaning(value: object) -> str:
    return check_text(value, "meaning")


@frozen
class Sheet:
    """The data of a `ScoreModel`, which tells what each of them is."""

    name: str = field(converter=_name)
    fit: tuple[FitRule, ...] = field(default=(), converter=_fit, kw_only=True)
    engagement: tuple[EngagementRule, ...] = field(default=(), converter=_engagement, kw_only=True)
    group_caps: Attributes = field(default=EMPTY, converter=_group_caps, kw_only=True)
    fit_cap: Decimal | None = field(default=None, converter=_fit_cap, kw_only=True)
    engagement_cap: Decimal | None = field(default=None, converter=_engagement_cap, kw_only=True)
    total_cap: Decimal | None = field(default=None, converter=_total_cap, kw_only=True)
    tiers: Tiers | None = field(default=None, converter=_tiers, kw_only=True)
    hand_over: Decimal | None = field(default=None, converter=_hand_over, kw_only=True)
    version: int = field(default=1, converter=_version, kw_only=True)
    meaning: str = field(default="", converter=_meaning, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse rules that contradict each other, naming every fault."""
        faults = tuple(self._faults())
        if faults:
            raise InvalidValueError(f"score model {self.name!r}", faults)

    def _faults(self) -> Iterator[str]:
        if not self.rules:
            yield "there is no rule in it"
        for half, several in ((Half.FIT, self.fit), (Half.ENGAGEMENT, self.engagement)):
            if len(several) > MOST_RULES:
                yield f"it has {len(several):,} rules of {half.value}; {MOST_RULES:,} may be"
        for name in repeated(rule.name for rule in self.rules):
            yield f"it has several rules named {brief(name)}"
        fit, engagement = self.groups
        for group in sorted({*fit} & {*engagement}):
            yield f"the group {brief(group)} holds rules of both halves"
        for group in sorted({*self.group_caps} - {*fit, *engagement}):
            yield f"the group {brief(group)} has a cap and no rule"
        for name, cap in self.caps().items():
            if cap <= 0:
                yield f"the cap of {name} must be above 0 (got {cap})"

    @property
    def rules(self) -> tuple[ScoreRule, ...]:
        """Every rule, those of fit first."""
        return (*self.fit, *self.engagement)

    @property
    def groups(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The groups of fit and those of engagement, in order; rules without a group left out."""
        fit = dict.fromkeys(rule.group for rule in self.fit if rule.group)
        engagement = dict.fromkeys(rule.group for rule in self.engagement if rule.group)
        return tuple(fit), tuple(engagement)

    def caps(self) -> dict[str, Decimal]:
        """The caps of groups, halves and the total, by what they are called."""
        named = {f"the group {brief(group)}": cap for group, cap in self.group_caps.items()}
        named |= {"fit": self.fit_cap, "engagement": self.engagement_cap}
        named |= {"the total": self.total_cap}
        given = {name: cap for name, cap in named.items() if cap is not None}
        return cast("dict[str, Decimal]", given)

    @cached_property
    def group_limits(self) -> dict[str, int]:
        """The caps of groups in hundredths."""
        caps = cast("Mapping[str, Decimal]", self.group_caps)
        return {group: hundredths(cap) for group, cap in caps.items()}

    def half_limit(self, half: Half) -> int | None:
        """The cap of a half in hundredths; None without one."""
        return limit(self.fit_cap if half is Half.FIT else self.engagement_cap)


def limit(cap: Decimal | None) -> int | None:
    """A cap or threshold in hundredths; None without one."""
    return None if cap is None else hundredths(cap)
