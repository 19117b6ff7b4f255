"""Why deals are won, and why they are lost."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, overload

from attrs import frozen

from salespipeline._doors import instance
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Counting, Rate
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics.value import in_use
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome, Pipeline, StageKey, by_key
from salespipeline.tallies import Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._closings import Closing, closings

_CLOSED = Counting[DealHistory](closings, None, "closed")

Place: TypeAlias = tuple[Outcome, StageKey | None, str | None]
"""How, from where and why deals were closed."""


@frozen
class Reason(Result):
    """The deals that were won, or lost, for one reason.

    Attributes:
        outcome: Won or lost.
        reason: The reason as it was given; None where none was.
        pipeline: The key of the pipeline of the stage that they were closed from; None where
            stages were not asked for, and for deals that were closed from the start.
        stage: The key of that stage, or None likewise.
        share: They among all deals with that outcome.
        amounts: Their number and amounts by currency.
    """

    outcome: Outcome
    reason: str | None
    pipeline: str | None
    stage: str | None
    share: Rate
    amounts: Amounts

    columns = ("outcome", "reason", "pipeline", "stage", "share", "amounts")

    @property
    def n(self) -> int:
        """How many deals there are."""
        return self.share.numerator


@overload
def reasons(
    deals: Iterable[DealHistory] | Tally[Closing],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    by_stage: bool = False,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
) -> Table[Reason]: ...


@overload
def reasons(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    by_stage: bool = False,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
) -> Groups[Hashable, Table[Reason]]: ...


@asks(by_stage=bool)
def reasons(
    deals: Iterable[DealHistory] | Tally[Closing],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    by_stage: bool = False,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
) -> Table[Reason] | Groups[Hashable, Table[Reason]]:
    """Why deals are won and why they are lost, by the reasons given when they were closed.

    Definition:
        Formula: deals won (lost) for the reason ÷ deals won (lost).
        Denominator: deals with that outcome; those without a reason are in it, and have an entry
            of their own.
        Window: closing in the period; all time without one.
        Bias: reasons are what the seller wrote; where many give none, the others' shares are too
            low, and need not be like those of the silent ones.
        Elsewhere: Pipedrive and Odoo keep a lost reason only, as here by the stage lost from.

    Args:
        deals: The histories of deals, or a tally of closings.
        as_of: The instant to judge from.
        period: Only deals closed in it, by the closing in force; a deal opened again is open.
        by: A field of the deal to group by, as it was at closing.
        by_stage: Whether to tell each stage that deals were closed from apart.
        pipelines: A retired stage counts for its successor.
        level: The confidence of the intervals.

    Returns:
        One entry per outcome and reason, and stage if asked for; won ones first, then the most
        frequent. Reasons are told apart as they were written.

    Source: ActiveCampaign, What is a sales pipeline? (why late leads were lost, and what made
        others decide to buy).
    """
    known = by_key(pipelines)
    apart = instance(bool, by_stage, "by_stage")

    def finish(tally: Tally[Closing], level: float) -> Table[Reason]:
        return _reasons(tally, known, apart, level)

    return _CLOSED.measure(finish, deals, as_of, period, by, level)


def _reasons(
    tally: Tally[Closing], known: Mapping[str, Pipeline], apart: object, level: float
) -> Table[Reason]:
    found: dict[Place, list[Closing]] = {}
    every = dict.fromkeys(Outcome, 0)
    for row, count in tally.rows.items():
        stage = in_use(row.stage, known) if apart and row.stage else None
        found.setdefault((row.outcome, stage, row.reason), []).append(row)
        every[row.outcome] += count.n
    told = (_reason(*place, rows, tally, every, level) for place, rows in found.items())
    return Table(sorted(told, key=_order))


def _reason(
    outcome: Outcome,
    stage: StageKey | None,
    reason: str | None,
    rows: Sequence[Closing],
    tally: Tally[Closing],
    every: Mapping[Outcome, int],
    level: float,
) -> Reason:
    pipeline, key = stage or (None, None)
    share = Rate.of(sum(tally.rows[row].n for row in rows), every[outcome], level)
    amounts = Amounts.of((row.currency, tally.rows[row]) for row in rows)
    return Reason(outcome, reason, pipeline, key, share, amounts)


def _order(each: Reason) -> tuple[bool, int, bool, str, str, str]:
    """Won before lost, the most frequent first, none given after others as frequent."""
    given = each.reason is None, each.reason or "", each.pipeline or "", each.stage or ""
    return each.outcome is Outcome.LOST, -each.n, *given
