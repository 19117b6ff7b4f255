"""The rules of a score model: points for who people are, and for what they do."""

from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from attrs import field, frozen

from salespipeline._doors import choice, instance, whole
from salespipeline._kinds import check_text
from salespipeline.conditions import Condition, Named, check_condition, leaves
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import Direction
from salespipeline.scoring.decay import Decay
from salespipeline.scoring.points import check_days, check_label, check_points, hundredths

MOST_OCCURRENCES = 1_000_000
"""How many occurrences a rule may ask for."""


def _name(value: object) -> str:
    return check_label(value, "name")


def _activity(value: object) -> str:
    return check_label(value, "activity")


def _group(value: object) -> str:
    return check_text(value, "group")


def _condition(value: object) -> Condition:
    return check_condition(value)


def _points(value: object) -> Decimal:
    return check_points(value, "points")


def _cap(value: object) -> Decimal | None:
    return None if value is None else check_points(value, "cap")


def _direction(value: object) -> Direction | None:
    return None if value is None else choice(Direction, value, "direction")


def _at_least(value: object) -> int:
    return whole(value, "at_least")


def _at_most(value: object) -> int | None:
    return None if value is None else whole(value, "at_most")


def _within(value: object) -> timedelta | None:
    return None if value is None else check_days(value, "within")


def _once(value: object) -> bool:
    return instance(bool, value, "once")


def _decay(value: object) -> Decay:
    return instance(Decay, value, "decay")


@frozen
class FitRule:
    """Points for who somebody is.

    The points count while the condition is met; where too little is known they do not.

    Attributes:
        name: What it is called: ledgers and reports name it.
        condition: What must be so of the record. It may ask how long ago something was, and
            nothing of a move, of a context or of a Python function: a score hangs on the record
            and its history alone, so that it can be told for any past instant.
        points: How many, below 0 to take some off.
        group: The group that it belongs to, for a cap; none if not given.

    Raises:
        InvalidValueError: The condition asks for anything but the record. Every fault is named.

    >>> from salespipeline.conditions import at_least
    >>> FitRule("large", at_least("attributes.staff", 200), 20).points
    Decimal('20')
    """

    name: str = field(converter=_name)
    condition: Condition = field(converter=_condition)
    points: Decimal = field(converter=_points)
    group: str = field(default="", converter=_group)

    def __attrs_post_init__(self) -> None:
        """Refuse a condition that asks for more than the record."""
        faults = [
            f"{brief(leaf.place)} is nothing that a record alone can answer"
            for leaf in leaves(self.condition)
            if isinstance(leaf, Named) or leaf.where[0] != "record"
        ]
        if faults:
            raise InvalidValueError(f"fit rule {self.name!r}", tuple(dict.fromkeys(faults)))


@frozen
class EngagementRule:
    """Points for what somebody does.

    It looks at the occurrences of one kind of activity: those younger than ``within``, if given.
    While their number lies from ``at_least`` to ``at_most``, each of them counts, or, with
    ``once``, only the one by which the number reached ``at_least``.

    Attributes:
        name: What it is called: ledgers and reports name it.
        activity: The kind of activity, such as ``webinar``.
        points: How many, for each occurrence or once; below 0 to take some off.
        direction: Inbound or outbound only; any if not given.
        at_least: The fewest occurrences for any points.
        at_most: The most occurrences for any points; None for any number.
        within: The rolling window, in whole days: an occurrence of that age is not there.
        once: Whether the points are given once, not for each occurrence.
        decay: How the points for an occurrence grow less with its age.
        cap: What the rule adds or takes off at most.
        group: The group that it belongs to, for a cap; none if not given.

    Raises:
        InvalidValueError: It asks for no occurrence, or for more at least than at most, or the
            cap is not above 0. Every fault is named.

    >>> rule = EngagementRule("prices", "pricing_page_visit", 10, at_least=3, once=True)
    >>> rule.decay == Decay.none()
    True
    """

    name: str = field(converter=_name)
    activity: str = field(converter=_activity)
    points: Decimal = field(converter=_points)
    direction: Direction | None = field(default=None, converter=_direction)
    at_least: int = field(default=1, converter=_at_least)
    at_most: int | None = field(default=None, converter=_at_most)
    within: timedelta | None = field(default=None, converter=_within)
    once: bool = field(default=False, converter=_once)
    decay: Decay = field(factory=Decay, converter=_decay)
    cap: Decimal | None = field(default=None, converter=_cap)
    group: str = field(default="", converter=_group)

    def __attrs_post_init__(self) -> None:
        """Refuse what no number of occurrences can meet, and a cap that lets nothing through."""
        faults: list[str] = []
        if not 1 <= self.at_least <= MOST_OCCURRENCES:
            faults.append(f"at_least must be from 1 to 1,000,000 (got {brief(self.at_least)})")
        if self.at_most is not None and not self.at_least <= self.at_most <= MOST_OCCURRENCES:
            faults.append(f"at_most must be from at_least to 1,000,000 (got {brief(self.at_most)})")
        if self.cap is not None and self.cap <= 0:
            faults.append(f"the cap must be above 0 (got {self.cap})")
        if faults:
            raise InvalidValueError(f"engagement rule {self.name!r}", tuple(faults))

    @cached_property
    def worths(self) -> list[int]:
        """What an occurrence is worth in hundredths by its age in days; later ages as the last."""
        return self.decay.worths(hundredths(self.points))

    @cached_property
    def turns(self) -> tuple[int, ...]:
        """The ages in days at which an occurrence comes to be worth something else."""
        pairs = zip(self.worths, self.worths[1:], strict=False)
        ages = {age for age, (before, after) in enumerate(pairs, 1) if before != after}
        return tuple(sorted(ages | (set() if self.within is None else {self.within.days})))

    def worth(self, age_days: int) -> int:
        """What an occurrence of an age is worth, in hundredths."""
        return self.worths[age_days] if age_days < len(self.worths) else self.worths[-1]

    def is_counted(self, occurrences: int) -> bool:
        """Whether so many occurrences give points."""
        most = self.at_most
        return occurrences >= self.at_least and (most is None or occurrences <= most)
