"""How long deals were in a stage altogether."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from salespipeline._courses import Course, Leg
from salespipeline._doors import instances
from salespipeline.history import DealHistory
from salespipeline.periods import utc
from salespipeline.pipelines import Pipeline, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Count, Tally, Why, courses, grouping, measure
from salespipeline.tallies._visits import measured

Former: TypeAlias = Mapping[StageKey, StageKey]
Stays: TypeAlias = tuple[tuple[Leg, int], ...]


class StageTotal(NamedTuple):
    """A row of `stage_totals`: deals alike in how long they were in a stage, all visits together.

    Attributes:
        group: The value of what they are grouped by, when the deal first entered the stage.
        stage: The keys of the pipeline and of the stage.
        length: How long they were there, or have been so far; None where left out.
        why: Why the length is left out, or None.
        still_there: Whether they are there now.
    """

    group: Hashable
    stage: StageKey
    length: int | None
    why: Why | None
    still_there: bool


@asks()
def stage_totals(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[StageTotal]:
    """Count deals by how long they were in each stage that they entered, all visits together.

    A total cannot be told from counted visits. Where one visit has no usable length, the total
    has none either.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was when the
            deal first entered the stage.
        pipelines: A visit to a retired stage of theirs is one to its successor.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at = utc(as_of, "as_of")
    length, group = measure(zone, resolution), grouping(by)
    former = former_stages(instances(Pipeline, pipelines, "pipelines"))
    rows = Counter[StageTotal]()
    quick = group is None and resolution is None and zone is UTC
    walk = courses(deals, at)
    for each in _count_straight(walk, at, former, rows) if quick else walk:
        spent = _spent(measured(each, at, length), former)
        for stage, (event, days, why, still_there) in spent.items():
            reason = why or (Why.NEGATIVE_DURATION if days < 0 else None)
            of = group and group(each, event)
            rows[StageTotal(of, stage, None if reason else days, reason, still_there)] += 1
    table = {row: Count(n) for row, n in rows.items()}
    settings = (("former", tuple(sorted(former.items()))),)
    return Tally("stage_totals", at, table, (), resolution, zone, by, None, settings)


def former_stages(pipelines: Iterable[Pipeline]) -> Former:
    """The stages that pipelines have retired, each with its successor."""
    return {
        (each.key, retired): (each.key, each.current(retired))
        for each in pipelines
        for retired in each.former
    }


def _count_straight(
    walk: Iterable[Course], at: datetime, former: Former, rows: Counter[StageTotal]
) -> list[Course]:
    """Count, by calendar days in UTC, the deals that come back to no stage: visits are totals.

    Returns:
        The courses that need a closer look.
    """
    closer: list[Course] = []
    straight = _straight(former)

    def stays() -> Iterator[Stays]:
        for each in walk:
            if each[1] is None and straight(each[2]):
                yield each[2]
            else:
                closer.append(each)

    today = at.toordinal()
    for (leg, days), n in Counter(chain.from_iterable(stays())).items():
        there = leg.next is None
        so_long = today - days if there else days
        why = Why.NEGATIVE_DURATION if so_long < 0 else None
        stage = former.get(leg.stage, leg.stage)
        rows[StageTotal(None, stage, None if why else so_long, why, there)] += n
    return closer


def _straight(former: Former) -> Callable[[Stays], bool]:
    """How to tell whether a deal comes back to no stage; found once for each way taken."""
    ways: dict[Leg, bool] = {}

    def straight(stays: Stays) -> bool:
        first = stays[0][0]  # it belongs to this way alone
        found = ways.get(first)
        if found is None:
            stages = {former.get(leg.stage, leg.stage) for leg, _ in stays}
            found = ways[first] = len(stages) == len(stays)
        return found

    return straight


def _spent(
    stays: Iterable[tuple[Leg, Any, int, Why | None]], former: Former
) -> dict[StageKey, tuple[Any, int, Why | None, bool]]:
    """By stage: the event that began its first visit, all days, why unknown, and if it goes on."""
    spent: dict[StageKey, tuple[Any, int, Why | None, bool]] = {}
    for leg, event, days, why in stays:
        stage = former.get(leg.stage, leg.stage)
        first, so_far, reason, _ = spent.get(stage, (event, 0, None, False))
        reason = reason or why or (Why.NEGATIVE_DURATION if days < 0 else None)
        spent[stage] = first, so_far + days, reason, leg.next is None
    return spent
