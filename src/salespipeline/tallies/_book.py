"""The book of open deals, one row for each."""

from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias, cast

from salespipeline._courses import ENTERING
from salespipeline._folds import ATTRIBUTE
from salespipeline.deals import Deal
from salespipeline.events import (
    ActivityRecorded,
    ForecastCategory,
    ProbabilityBasis,
    ProbabilitySet,
    Start,
)
from salespipeline.history import DealHistory
from salespipeline.periods import utc
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Count, Known, Tally, courses, grouping, measure

Probabilities: TypeAlias = tuple[tuple[ProbabilityBasis, Decimal], ...]
"""The latest probability of each basis that still stands, in the order in which they were set."""

_OF_THE_STAGE = frozenset({ProbabilityBasis.STAGE, ProbabilityBasis.UNTIL_MOVE})


class OpenDeal(NamedTuple):
    """A row of `book`: an open deal as of the instant.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        record: Its id.
        stage: The keys of the pipeline and of the stage it is in.
        age: How long ago it was opened; None where that is only known by then.
        stage_age: How long it has been in this visit; None where the entry is not known.
        since_activity: How long ago the latest activity was; None where there was none.
        since_change: How long ago it last changed, its opening included; an activity is none.
        next_planned: Whether a next step is planned.
        next_due: The date by which that is to be done, or None.
        expected_close: The date on which it is expected to close, or None.
        category: The forecast category given by hand, or None.
        probability: Its own probability, as its snapshot has it, or None.
        basis: Where that comes from, or None.
        probabilities: The latest of each basis that still stands, in the order in which they
            were set; a stage's own, and one until the next move, end with the next move.
        owner: Who works it, or None.
        currency: The currency of its amount, or None without an amount.
        minor: Its amount in minor units, or None without an amount.
    """

    group: Hashable
    record: str
    stage: StageKey
    age: int | None
    stage_age: int | None
    since_activity: int | None
    since_change: int
    next_planned: bool
    next_due: date | None
    expected_close: date | None
    category: ForecastCategory | None
    probability: Decimal | None
    basis: ProbabilityBasis | None
    probabilities: Probabilities
    owner: str | None
    currency: str | None
    minor: int | None


@asks()
def book(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[OpenDeal]:
    """List the open deals with what is known of each at an instant.

    It has a row for each open deal, so it is as long as the pipeline is, unlike other tallies.

    Args:
        deals: The histories of deals; one that is closed, was not created, or was deleted, by
            ``as_of`` is not in it.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as of the instant.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at, length, group = utc(as_of, "as_of"), measure(zone, resolution), of_field(by)
    rows: dict[OpenDeal, Count] = {}
    for known, known_from, stays, outcome, _, amount, _ in courses(deals, at):
        if outcome is not Outcome.OPEN:
            continue
        deal: Any = Deal.replay(known)
        since, step, own = deal.stage_since, deal.next_step, deal.probability
        active, probabilities = _said(known)
        minor = None if amount is None else amount.minor
        row = OpenDeal(
            group and group(deal),
            deal.id,
            stays[-1][0].stage,
            None if known[0].start is Start.BY_THEN else length(deal.opened_at, at),
            None if known_from is not None and since <= known_from else length(since, at),
            None if active is None else length(active, at),
            length(deal.changed_at, at),
            step is not None,
            None if step is None else step.due,
            deal.expected_close,
            deal.forecast_category,
            None if own is None else own.value,
            None if own is None else own.basis,
            probabilities,
            deal.owner,
            None if amount is None else amount.currency,
            minor,
        )
        rows[row] = rows.get(row, _NONE) + Count(1, minor or 0)
    return Tally("book", at, rows, (), resolution, zone, by)


_NONE = Count(0)


def of_field(by: str | None) -> Callable[[Any], Hashable] | None:
    """How to read the value of a field of a snapshot; None without a grouping."""
    if grouping(by) is None or by is None:
        return None
    if by in Deal.names():
        return lambda deal: getattr(deal, by)
    name = by.removeprefix(ATTRIBUTE)
    return lambda deal: deal.attributes.get(name)


def _said(known: Known) -> tuple[datetime | None, Probabilities]:
    """The latest activity, and the latest probability of each basis that still stands."""
    latest: datetime | None = None
    stand: dict[ProbabilityBasis, Decimal] = {}
    place = None
    for event in known:
        kind = type(cast("object", event))
        if kind is ActivityRecorded:
            if latest is None or event.at > latest:
                latest = event.at
        elif kind is ProbabilitySet:
            if event.probability is None:
                stand.clear()
            else:
                stand.pop(event.basis, None)
                stand[event.basis] = event.probability
        elif kind in ENTERING:
            if stand and (event.pipeline, event.stage) != place:
                for basis in _OF_THE_STAGE:
                    stand.pop(basis, None)
            place = event.pipeline, event.stage
    return latest, tuple(stand.items()) if stand else ()
