"""How long deals took from first entering a stage to their close."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

from salespipeline._courses import ENTERING, Leg, Life
from salespipeline._doors import choice, instances, text
from salespipeline.errors import WrongTypeError
from salespipeline.history import DealHistory
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Count,
    Known,
    Moment,
    Tally,
    Why,
    courses,
    event_at,
    grouping,
    lives,
    measure,
    stepper,
    table,
    tell,
)
from salespipeline.tallies._lifetimes import Lifetime
from salespipeline.tallies._stage_totals import Stays


def stage_key(value: object) -> StageKey:
    """The keys of a pipeline and of a stage.

    Raises:
        WrongTypeError: It is no pair of two texts.
    """
    parts = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    if len(parts) != 2:
        raise WrongTypeError(
            "start", "the keys of a pipeline and of a stage", cast("object", value)
        )
    pipeline, stage = parts
    return text(pipeline, "start"), text(stage, "start")


@asks(start=stage_key)
def cycles(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    start: StageKey,
    by: str | None = None,
    by_at: Moment | str = Moment.CLOSING,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[Lifetime]:
    """Count deals by how long they took from first entering a stage to their close.

    Rows are those of lifetimes, the entering taking the place of the creation. Of a deal whose
    history begins late nobody knows when it first entered: it is left out, as is one that never
    did.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from; what is open is as old as it is then.
        start: The keys of the pipeline and of the stage to count from.
        by: A field of the deal, or ``attributes.`` and a name, to group by.
        by_at: When to read that field; for a deal that is open, closing is as of the instant,
            and creation is the opening.
        periods: Periods that do not overlap, in order, in which to place entering and closing.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at, moment, stage = utc(as_of, "as_of"), choice(Moment, by_at, "by_at"), stage_key(start)
    steps = instances(Period, periods, "periods")
    step, length, group = stepper(steps), measure(zone, resolution), grouping(by)
    if resolution is None and zone is UTC and not steps and group is None:
        rows = _count_alike(deals, at, stage)
        return Tally("cycles", at, rows, settings=(("start", stage),))
    counts: dict[Any, list[int]] = {}
    entering = _entering(stage)
    for each in courses(deals, at):
        known, known_from, stays, outcome, closing, amount, _ = each
        entered = entering(stays[0][0], stays, known)
        ended = at if closing is None else closing.at
        days, why = (0, Why.NEVER_ENTERED) if entered is None else (length(entered, ended), None)
        if entered is not None and known_from is not None:
            why = Why.ENTRY_UNKNOWN
        why = why or (Why.NEGATIVE_DURATION if days < 0 else None)
        key = (
            group and group(each, event_at(moment, each)),
            step and entered and step(entered),
            step and closing and step(closing.at),
            0,
            None if why else days,
            why,
            outcome,
            None if amount is None else amount.currency,
        )
        tell(counts, key, amount)
    rows, by_when = table(counts, Lifetime), None if by is None else moment
    return Tally("cycles", at, rows, steps, resolution, zone, by, by_when, (("start", stage),))


def _count_alike(
    deals: Iterable[DealHistory], at: datetime, stage: StageKey
) -> dict[Lifetime, Count]:
    """Count deals by calendar days in UTC: those of their lives less those before the stage."""
    counts: dict[Any, list[int]] = {}
    places: dict[Leg, int] = {}
    for life, (_, known_from, stays, _, _, amount, _), _ in lives(deals, at):
        first = stays[0][0]  # it belongs to this way alone
        place = places.get(first)
        if place is None:
            stages = [leg.stage for leg, _ in stays]
            place = places[first] = stages.index(stage) if stage in stages else -1
        before = None if place < 0 else sum([days for _, days in stays[:place]])
        tell(counts, (life, before, known_from is None), amount)
    rows: dict[Lifetime, Count] = {}
    for (life, before, entry_known), numbers in counts.items():
        days, why = _days(life, before, at, entry_known=entry_known)
        row = Lifetime(None, None, None, 0, days, why, life.outcome, life.currency)
        count = Count(*numbers)
        rows[row] = rows[row] + count if row in rows else count
    return rows


def _days(
    life: Life, before: int | None, at: datetime, *, entry_known: bool
) -> tuple[int | None, Why | None]:
    """How long a deal took from entering a stage, so many days after its opening."""
    if before is None:
        return None, Why.NEVER_ENTERED
    if not entry_known:
        return None, Why.ENTRY_UNKNOWN
    whole = at.toordinal() - life.days if life.outcome is Outcome.OPEN else life.days
    days = whole - before
    return (days, None) if days >= 0 else (None, Why.NEGATIVE_DURATION)


def _entering(stage: StageKey) -> Callable[[Leg, Stays, Known], datetime | None]:
    """How to find when a deal first entered a stage; whether it did, once for each way taken."""
    pipeline, key = stage
    ways: dict[Leg, bool] = {}

    def entered(first: Leg, stays: Stays, known: Known) -> datetime | None:
        did = ways.get(first)  # a way's first leg belongs to it alone
        if did is None:
            did = ways[first] = any(leg.stage == stage for leg, _ in stays)
        for event in known if did else ():
            if type(event) in ENTERING and event.stage == key and event.pipeline == pipeline:
                at: datetime = event.at
                return at
        return None

    return entered
