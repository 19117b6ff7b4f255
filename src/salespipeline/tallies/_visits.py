"""How long deals stayed in stages, and where they went."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import Any, NamedTuple

from salespipeline._courses import ENTERING, Course, Leg
from salespipeline.history import DealHistory
from salespipeline.periods import utc
from salespipeline.pipelines import StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Count, Tally, Why, courses, grouping, measure


class Stay(NamedTuple):
    """A row of `visits`: stays in a stage alike in length and in what came next.

    Attributes:
        group: The value of what they are grouped by, when the visit began.
        stage: The keys of the pipeline and of the stage.
        number: 1 for first visits, 2 for second ones, and so on.
        length: How long they stayed, or have stayed so far; None where left out.
        why: Why the length is left out, or None.
        next: The stage entered next, or None while they are still there.
        latest: Whether the deals have not come back to the stage since.
    """

    group: Hashable
    stage: StageKey
    number: int
    length: int | None
    why: Why | None
    next: StageKey | None
    latest: bool = True


@asks()
def visits(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[Stay]:
    """Count the stays of deals in stages by how long they were, as known at an instant.

    The stay that a deal is in, closed stages included, counts as unfinished. A stay whose
    beginning is not known has no length; so none is at risk from a late entry on.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was when the
            visit began.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at = utc(as_of, "as_of")
    length, group = measure(zone, resolution), grouping(by)
    quick = group is None and resolution is None and zone is UTC
    counts = Counter[Any]()
    slow = _count_legs(courses(deals, at), at, counts) if quick else courses(deals, at)
    for each in slow:
        for leg, event, days, why in measured(each, at, length):
            counts[leg, group and group(each, event), days, why] += 1
    rows = Counter[Stay]()
    for (leg, of, days, why), n in counts.items():
        reason = why or (Why.NEGATIVE_DURATION if days < 0 else None)
        so_long = None if reason else days
        rows[Stay(of, leg.stage, leg.number, so_long, reason, leg.next, leg.latest)] += n
    table = {stay: Count(n) for stay, n in rows.items()}
    return Tally("visits", at, table, (), resolution, zone, by)


def _count_legs(walk: Iterable[Course], at: datetime, counts: Counter[Any]) -> list[Course]:
    """Count visits by calendar days in UTC, one after the other without stopping.

    Returns:
        The courses that need a closer look, since not every entry is known.
    """
    unknown: list[Course] = []

    def known() -> Iterator[Iterable[tuple[Leg, int]]]:
        for each in walk:
            if each[1] is None:
                yield each[2]
            else:
                unknown.append(each)

    today = at.toordinal()
    for (leg, days), n in Counter(chain.from_iterable(known())).items():
        counts[leg, None, today - days if leg.next is None else days, None] += n
    return unknown


def measured(
    each: Course, at: datetime, length: Callable[[datetime, datetime], int]
) -> Iterator[tuple[Leg, Any, int, Why | None]]:
    """Each visit, the event that began it, how long it lasts, and why that is not known."""
    starts = _entering(each.known)
    ends = [*(event.at for event in starts[1:]), at]
    for (leg, _), event, left in zip(each.stays, starts, ends, strict=True):
        unknown = each.known_from is not None and event.at <= each.known_from
        yield leg, event, length(event.at, left), Why.ENTRY_UNKNOWN if unknown else None


def _entering(known: Iterable[Any]) -> list[Any]:
    """The events that begin a visit; a move to the stage that the deal is in begins none."""
    entering = [event for event in known if type(event) in ENTERING]
    stages = [(event.pipeline, event.stage) for event in entering]
    return [event for n, event in enumerate(entering) if n == 0 or stages[n] != stages[n - 1]]
