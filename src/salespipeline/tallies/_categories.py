"""Which forecast category deals are in, and when they are to close."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple, cast

from attrs import field, frozen

from salespipeline._courses import ENTERING
from salespipeline._doors import choice, instance, instances, text
from salespipeline.deals import Deal
from salespipeline.errors import WrongTypeError
from salespipeline.events import ForecastCategory, ForecastCategorySet
from salespipeline.history import DealHistory
from salespipeline.periods import Period, check_zone, on, utc
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Known, Tally, courses, grouping, stepper, table, tell

_LEAST = timedelta(microseconds=1)


class ByHand(StrEnum):
    """What becomes of a category that was given by hand."""

    STICKY = "sticky"
    UNTIL_MOVE = "until_move"
    IGNORED = "ignored"


Stages = tuple[tuple[StageKey, ForecastCategory], ...]


def _stages(value: object) -> Stages:
    if isinstance(value, tuple):
        return _pairs(cast("tuple[object, ...]", value))
    if not isinstance(value, Mapping):
        raise WrongTypeError("stages", "a mapping of pipelines to mappings of stages", value)
    found: list[tuple[StageKey, ForecastCategory]] = []
    for pipeline, stages in cast("Mapping[object, object]", value).items():
        if not isinstance(stages, Mapping):
            raise WrongTypeError("stages", "a mapping of stages to categories", stages)
        for stage, category in cast("Mapping[object, object]", stages).items():
            key = (text(pipeline, "pipeline"), text(stage, "stage"))
            found.append((key, choice(ForecastCategory, category, "category")))
    return tuple(sorted(found))


def _pairs(value: tuple[object, ...]) -> Stages:
    """Stages as a policy holds them."""
    for pair in value:
        match pair:
            case ((str(), str()), ForecastCategory()):
                pass
            case _:
                raise WrongTypeError("stages", "pairs of a stage and its category", pair)
    return cast("Stages", value)


def _category(value: object) -> ForecastCategory:
    return choice(ForecastCategory, value, "otherwise")


def _by_hand(value: object) -> ByHand:
    return choice(ByHand, value, "by_hand")


@frozen
class CategoryPolicy:
    """Which forecast category an open deal is in.

    A won deal is closed, and a lost one is omitted, whatever the policy.

    Args:
        stages: By pipeline, and by stage, the category of the deals there.
        otherwise: The category of the deals in any other open stage.
        by_hand: Whether a category given by hand holds for good, holds until the deal next
            moves to another stage, or is ignored.

    >>> policy = CategoryPolicy({"six_stages": {"proposal": "commit"}})
    >>> policy.of_stage(("six_stages", "proposal")).value
    'commit'
    """

    stages: Stages = field(default=(), converter=_stages)
    otherwise: ForecastCategory = field(default=ForecastCategory.PIPELINE, converter=_category)
    by_hand: ByHand = field(default=ByHand.STICKY, converter=_by_hand)

    def of_stage(self, stage: StageKey) -> ForecastCategory:
        """The category that a stage gives."""
        return dict(self.stages).get(stage, self.otherwise)

    def given(self, known: Known) -> ForecastCategory | None:
        """The category given by hand that holds after these events; None without one."""
        if self.by_hand is ByHand.IGNORED:
            return None
        category: ForecastCategory | None = None
        place: StageKey | None = None
        for event in known:
            kind = type(cast("object", event))
            if kind is ForecastCategorySet:
                category = event.category
            elif kind in ENTERING and place != (event.pipeline, event.stage):
                place = (event.pipeline, event.stage)
                category = None if self.by_hand is ByHand.UNTIL_MOVE else category
        return category


class Categorised(NamedTuple):
    """A row of `categories`: deals alike in their category.

    Attributes:
        group: The value of what they are grouped by, as of the instant.
        category: The forecast category.
        by_hand: Whether it was given by hand.
        outcome: Open, won or lost.
        dated: Whether it is known when they close: of closed deals, and where a date is expected.
        due: The number of the period that they close in, or are expected to; None outside all.
        currency: The currency of their amount, or None without an amount.
    """

    group: Hashable
    category: ForecastCategory
    by_hand: bool
    outcome: Outcome
    dated: bool
    due: int | None
    currency: str | None


@asks(policy=CategoryPolicy)
def categories(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    policy: CategoryPolicy,
    by: str | None = None,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
) -> Tally[Categorised]:
    """Count deals by forecast category, as known at an instant.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        policy: Which category a deal is in.
        by: A field of the deal, or ``attributes.`` and a name, to group by as of the instant.
        periods: Periods that do not overlap, in order, in which to place closes: that of a
            closed deal, and the expected one of an open deal.
        zone: The zone whose calendar dates expected closes are.
    """
    at, rule = utc(as_of, "as_of"), instance(CategoryPolicy, policy, "policy")
    steps = instances(Period, periods, "periods")
    step, group, due = stepper(steps), grouping(by), _due(steps, check_zone(zone))
    given, counts = dict(rule.stages), cast("dict[Any, list[int]]", {})
    for each in courses(deals, at):
        known, _, stays, outcome, closing, amount, _ = each
        category, by_hand = ForecastCategory.CLOSED, False
        dated, number = True, None if step is None or closing is None else step(closing.at)
        if outcome is Outcome.LOST:
            category = ForecastCategory.OMITTED
        elif closing is None:
            said = rule.given(known)
            by_hand = said is not None
            category = said or given.get(stays[-1][0].stage, rule.otherwise)
            expected = cast("Deal", Deal.replay(known)).expected_close
            dated, number = expected is not None, None if expected is None else due(expected)
        key = (
            group and group(each, known[-1]),
            category,
            by_hand,
            outcome,
            dated,
            number,
            None if amount is None else amount.currency,
        )
        tell(counts, key, amount)
    settings = (("policy", rule),)
    rows = table(counts, Categorised)
    return Tally("categories", at, rows, steps, None, zone, by, settings=settings)


def _due(steps: tuple[Period, ...], zone: tzinfo) -> Callable[[date], int | None]:
    """How to find the number of the period that a date lies in."""
    days = [(on(step.start, zone), on(step.end - _LEAST, zone)) for step in steps]
    first = [start for start, _ in days]

    def number(day: date) -> int | None:
        place = bisect_right(first, day) - 1
        return place if place >= 0 and day <= days[place][1] else None

    return number
