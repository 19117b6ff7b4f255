"""What is committed, hoped for and closed: amounts rolled up by forecast category."""

from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any, overload

from attrs import field, frozen

from salespipeline._doors import instance
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.events import ForecastCategory
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Counting
from salespipeline.metrics._result import Groups, Plain, Result, Table, stamped
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._categories import ByHand, Categorised, CategoryPolicy, categories

__all__ = [
    "ByHand", "CategoryLine", "CategoryPolicy", "RollUp", "forecast_categories",
]  # fmt: skip

_COUNTING = Counting[DealHistory](categories, None, None)

IN_ORDER = (
    ForecastCategory.CLOSED,
    ForecastCategory.COMMIT,
    ForecastCategory.BEST_CASE,
    ForecastCategory.PIPELINE,
)
"""The categories from the surest on; each one's cumulative sum holds those before it."""


@frozen
class CategoryLine(Result):
    """The deals of one forecast category.

    Attributes:
        category: The category.
        amounts: Their number and amounts by currency.
        cumulative: The same together with all surer categories; None for omitted deals.
        by_hand: How many of them are in it by hand.
    """

    category: ForecastCategory
    amounts: Amounts
    cumulative: Amounts | None
    by_hand: int

    columns = ("category", "amounts", "cumulative", "by_hand")


@frozen
class RollUp(Result):
    """Deals by forecast category.

    Attributes:
        closed: Won deals.
        commit: Deals that are promised.
        best_case: Deals that may well be won.
        pipeline: The other open deals.
        omitted: Open deals that are left out of the forecast, and lost ones.
        lost: How many of the omitted deals are lost.
    """

    closed: CategoryLine
    commit: CategoryLine
    best_case: CategoryLine
    pipeline: CategoryLine
    omitted: CategoryLine
    lost: int = field(default=0)

    @property
    def lines(self) -> Table[CategoryLine]:
        """One entry for each category, the surest first, omitted deals last."""
        every = (self.closed, self.commit, self.best_case, self.pipeline, self.omitted)
        return Table(every, self.as_of, self.period)

    def rows(self) -> list[Plain]:
        """One row for each category."""
        left_out = super().row()
        return [line.row() | left_out for line in self.lines]


@overload
def forecast_categories(
    deals: Iterable[DealHistory] | Tally[Categorised],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    policy: CategoryPolicy = ...,
    zone: tzinfo = UTC,
) -> RollUp: ...


@overload
def forecast_categories(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    policy: CategoryPolicy = ...,
    zone: tzinfo = UTC,
) -> Groups[Hashable, RollUp]: ...


@asks(policy=CategoryPolicy)
def forecast_categories(
    deals: Iterable[DealHistory] | Tally[Categorised],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    policy: CategoryPolicy | None = None,
    zone: tzinfo = UTC,
) -> RollUp | Groups[Hashable, RollUp]:
    """The amounts of deals by forecast category, and together with all surer categories.

    Definition:
        Formula: Σ amount by category; cumulative: commit = closed + commit, and so on down to
            pipeline. The category is the one given by hand, as far as the policy lets it hold,
            else that of the stage; won deals are closed, lost ones omitted.
        Denominator: none; a deal without an amount is counted and adds nothing.
        Window: closed deals by their close; open ones by their expected close; without a period
            all deals.
        Bias: it is what people say, so hope and caution are in it: hold it beside `forecast`.
        Elsewhere: Salesforce keeps what was said until it is changed, and sums full amounts;
            HubSpot's automatic mapping overwrites it when the stage changes.

    Args:
        deals: The histories of deals, or a tally of categories.
        as_of: The instant to judge from.
        period: Which deals to take. An open deal without an expected close is left out, as
            ``without_expected_close``.
        by: A field of the deal, such as its owner, to group by as of the instant.
        policy: Which category a deal is in; by hand, else pipeline, if not given.
        zone: The zone whose calendar dates expected closes are.

    Returns:
        One line for each category, 0 deals where there are none.

    Raises:
        UnknownKeyError: The period is none that the tally was counted with.
        InvalidValueError: The tally was counted with another policy.

    Source: Salesforce object reference, OpportunityStage, for the categories.
    """
    rule = CategoryPolicy() if policy is None else instance(CategoryPolicy, policy, "policy")
    if isinstance(deals, Tally) and policy is not None:
        _check_policy(deals, rule)

    def finish(tally: Tally[Categorised], _level: float) -> RollUp:
        return _rolled_up(tally, _number(tally, period))

    options: dict[str, Any] = {"zone": zone, "policy": rule}
    options |= {} if isinstance(deals, Tally) or period is None else {"periods": (period,)}
    found = _COUNTING.measure(finish, deals, as_of, None, by, 0.95, **options)
    if isinstance(found, Groups):
        parts = {group: stamped(one, one.as_of, period) for group, one in found.items()}
        return Groups(parts, found.as_of, period)
    return stamped(found, found.as_of, period)


def _check_policy(tally: Tally[Categorised], policy: CategoryPolicy) -> None:
    if dict(tally.settings).get("policy") not in (None, policy):
        raise InvalidValueError("tally", ("it was counted with another policy",))


def _number(tally: Tally[Any], period: Period | None) -> int | None:
    if period is None:
        return None
    if period not in tally.periods:
        raise UnknownKeyError("period of the tally", period, tally.periods)
    return tally.periods.index(period)


def _rolled_up(tally: Tally[Categorised], number: int | None) -> RollUp:
    undated = tally.where(lambda row: not row.dated)
    taken = tally if number is None else tally.where(lambda row: row.due == number)
    closed, commit, best, pipeline = (
        _line(taken, category, IN_ORDER[:place]) for place, category in enumerate(IN_ORDER, 1)
    )
    omitted = _line(taken, ForecastCategory.OMITTED, ())
    lost = taken.where(lambda row: row.outcome is Outcome.LOST).n
    left_out = {"without_expected_close": undated.n} if number is not None and undated.n else {}
    return RollUp(closed, commit, best, pipeline, omitted, lost, left_out=left_out)


def _line(
    tally: Tally[Categorised],
    category: ForecastCategory,
    upto: tuple[ForecastCategory, ...],
) -> CategoryLine:
    mine = tally.where(lambda row: row.category is category)
    by_hand = mine.where(lambda row: row.by_hand).n
    return CategoryLine(category, _amounts(mine), _together(tally, upto), by_hand)


def _together(tally: Tally[Categorised], which: tuple[ForecastCategory, ...]) -> Amounts | None:
    return _amounts(tally.where(lambda row: row.category in which)) if which else None


def _amounts(tally: Tally[Categorised]) -> Amounts:
    return Amounts.of((row.currency, count) for row, count in tally.rows.items())
