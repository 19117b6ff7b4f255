"""Which open deals are the most winnable."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, cast

from attrs import frozen

from salespipeline._doors import choice, instances, whole
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, brief
from salespipeline.history import DealHistory
from salespipeline.metrics._result import Plain, Result, Table, even, stamped
from salespipeline.metrics.ageing import is_parked
from salespipeline.metrics.open_chance import (
    ChanceBasis,
    OpenChance,
    chance_table,
    check_days,
    win_chances,
)
from salespipeline.money import Money, Rates, total
from salespipeline.periods import utc
from salespipeline.pipelines import Pipeline, by_key
from salespipeline.tallies._asking import asks


class RankedBy(StrEnum):
    """What the most winnable deals are ranked by.

    Attributes:
        CHANCE: The chance of being won.
        VALUE: That chance times the amount.
    """

    CHANCE = "chance"
    VALUE = "value"


@frozen
class Winnable(Result):
    """An open deal with its chance, and where that comes from.

    Attributes:
        deal: Its id.
        owner: Who works it, or None.
        pipeline: The key of its pipeline.
        stage: The key of its stage.
        stage_age: Whole days in the stage, or None where that is not known.
        deal_age: Whole days since it was opened, or None where that is not known.
        chance: The chance that it is won within the horizon.
        on_entering: The chance of a deal that has just entered the stage, or None.
        visits: How many visits the chance was learned from.
        basis: What it was learned from.
        amount: What it is worth, or None.
        value: The chance times the amount, rounded, or None.
    """

    deal: str
    owner: str | None
    pipeline: str
    stage: str
    stage_age: int | None
    deal_age: int | None
    chance: float
    on_entering: float | None
    visits: int
    basis: ChanceBasis
    amount: Money | None
    value: Money | None

    columns = (
        "deal", "owner", "pipeline", "stage", "stage_age", "deal_age", "chance", "on_entering",
        "visits", "basis", "amount", "value",
    )  # fmt: skip

    @property
    def why(self) -> str:
        """Why it is ranked where it is, in words."""
        won = f"{self.chance:.0%} of such deals are won"
        if self.basis is ChanceBasis.DEAL_AGE:
            return f"{self.deal_age or 0:,} days old: {won}; nothing has left {self.stage!r} yet"
        days = "" if self.stage_age is None else f" for {self.stage_age:,} days"
        fresh = "" if self.on_entering is None else f", {self.on_entering:.0%} on entering it"
        return f"in {self.stage!r}{days}: {won}{fresh}"


@frozen
class MostWinnable(Result):
    """The open deals that are most worth working on, first.

    Attributes:
        ranked_by: What they are ranked by.
        horizon_days: The days within which the chance is to be won.
        deals: The deals in order.
    """

    ranked_by: RankedBy
    horizon_days: int
    deals: Table[Winnable]

    columns = ("ranked_by", "horizon_days")

    def rows(self) -> list[Plain]:
        """One row for each deal, in order."""
        return even({"rank": rank} | deal.row() for rank, deal in enumerate(self.deals, 1))


def _check_most(most: object) -> None:
    if whole(most, "most") < 1:
        raise InvalidValueError("most", (f"{brief(most)} is not at least 1",))


@asks(horizon_days=check_days, ranked_by=RankedBy, most=_check_most)
def most_winnable(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    horizon_days: int,
    ranked_by: RankedBy | str = RankedBy.VALUE,
    most: int | None = None,
    pipelines: Iterable[Pipeline] = (),
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> MostWinnable:
    """The open deals ranked by their chance of being won, or by that times their amount.

    Definition:
        Formula: the chance of `win_chances`, or that × the amount in one currency; equals in the
            order of their ids.
        Denominator: open deals with a chance, and, ranked by value, with an amount; others, and
            those in parked stages, are left out by reason.
        Window: the chance is of the horizon's days from the instant on.
        Bias: what the past says of the stage and the days in it, and nothing of the buyer. Ranked
            by value, one large deal of little chance may stand first.
        Elsewhere: no vendor known; HubSpot and Salesforce rank by a score of their own.

    Args:
        deals: The histories of deals; the open ones are ranked, all are learned from.
        as_of: The instant to judge from.
        horizon_days: The days within which to win.
        ranked_by: The chance, or its product with the amount.
        most: How many to list at most; all if not given.
        pipelines: The pipelines, for parked stages and retired keys.
        currency: The currency to compare values in; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        zone: The zone whose calendar dates make days.

    Raises:
        InvalidValueError: Two deals have one id, or none is to be listed.
        MixedCurrenciesError: Ranked by value, there are several currencies and no rate for one.

    Source: ActiveCampaign, What is a sales pipeline? (which deals are the most winnable).
    """
    at, wanted = utc(as_of, "as_of"), choice(RankedBy, ranked_by, "ranked_by")
    known = by_key(pipelines)
    histories = _by_id(instances(DealHistory, deals, "deals"))
    options: dict[str, Any] = {
        "as_of": at, "horizon_days": horizon_days, "pipelines": known.values(), "zone": zone,
    }  # fmt: skip
    chances = win_chances(histories.values(), **options)
    fresh = {
        (each.pipeline, each.stage): each.chance
        for each in chance_table(histories.values(), **options, ages=(0,))
    }
    found: list[Winnable] = []
    left_out: Counter[str] = Counter()
    for chance in chances:
        deal = cast("Deal", histories[chance.deal].as_of(at))
        entering = fresh.get((chance.pipeline, chance.stage))
        why = _unranked(deal, chance, wanted, known)
        if why is None:
            found.append(_winnable(deal, chance, entering))
        else:
            left_out[why] += 1
    ordered = _ordered(found, wanted, currency, rates)[:most]
    made = MostWinnable(wanted, horizon_days, Table(ordered), left_out=dict(left_out))
    return stamped(made, at, None)


def _by_id(histories: Iterable[DealHistory]) -> dict[str, DealHistory]:
    """The histories by the ids of their deals, each of which there is once."""
    found: dict[str, DealHistory] = {}
    for history in histories:
        if history.record in found:
            raise InvalidValueError("deals", (f"there are two of {brief(history.record)}",))
        found[history.record] = history
    return found


def _unranked(
    deal: Deal, chance: OpenChance, ranked_by: RankedBy, known: Mapping[str, Pipeline]
) -> str | None:
    """Why a deal is in no ranking, or None."""
    if is_parked((deal.pipeline, deal.stage), known):
        return "parked"
    if chance.chance is None:
        return "no_chance"
    return "no_amount" if ranked_by is RankedBy.VALUE and deal.amount is None else None


def _winnable(deal: Deal, chance: OpenChance, on_entering: float | None) -> Winnable:
    likely, amount = chance.chance or 0.0, deal.amount
    return Winnable(
        deal.id,
        deal.owner,
        chance.pipeline,
        chance.stage,
        chance.stage_age,
        chance.deal_age,
        likely,
        on_entering,
        chance.visits,
        chance.basis,
        amount,
        None if amount is None else _share(likely, amount),
    )


def _share(chance: float, amount: Money) -> Money:
    return Money.rounded(Fraction(chance) * Fraction(amount.amount), amount.currency)


def _ordered(
    found: list[Winnable],
    ranked_by: RankedBy,
    currency: str | None,
    rates: Mapping[str, Decimal | int | str] | None,
) -> list[Winnable]:
    """The deals, the most winnable first."""
    whole_sum = (
        total((each.amount for each in found if each.amount), currency=currency, rates=rates)
        if ranked_by is RankedBy.VALUE
        else None
    )

    def worth(each: Winnable) -> Fraction:
        if whole_sum is None or each.amount is None:
            return Fraction(each.chance)
        amount = total([each.amount], currency=whole_sum.currency, rates=rates)
        return Fraction(each.chance) * Fraction(amount.amount if amount else 0)

    return sorted(found, key=lambda each: (-worth(each), each.deal))
