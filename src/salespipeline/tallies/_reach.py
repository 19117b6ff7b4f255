"""How far deals came along the steps of a funnel."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, cast

from salespipeline._courses import ENTERING, Course, Leg, course
from salespipeline._doors import choice, instances, whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import Event
from salespipeline.history import DealHistory
from salespipeline.periods import Period, midnight, on, utc
from salespipeline.pipelines import Outcome, Pipeline, StageKey
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import (
    Count,
    Moment,
    Tally,
    Why,
    courses,
    event_at,
    grouping,
    measure,
    stepper,
)
from salespipeline.tallies._funnel_stages import FunnelStage, check_steps, funnel_stages

_LONGEST = 36_525


class Semantics(StrEnum):
    """What it means that a deal reached a step: each meaning gives another number.

    `IN_ORDER`: it visited all earlier steps before, in their order; others may come between.
    `STRICT_ORDER`: it visited the steps up to this one in their order with nothing between them.
    `DIRECT_MOVE`: it reached the step before, and moved directly from there into this one.
    `REACHED_OR_BEYOND`: it visited this step or a later one; a skipped step counts as reached.
    `ANY_VISIT`: it visited this step at any time, whatever came before.
    """

    IN_ORDER = "in_order"
    STRICT_ORDER = "strict_order"
    DIRECT_MOVE = "direct_move"
    REACHED_OR_BEYOND = "reached_or_beyond"
    ANY_VISIT = "any_visit"


class Fate(StrEnum):
    """What became of a deal after it had reached a step."""

    WENT_ON = "went_on"
    STILL_THERE = "still_there"
    OPEN_ELSEWHERE = "open_elsewhere"
    WON = "won"
    LOST = "lost"


class LeftOut(StrEnum):
    """Why a deal is in no step of a funnel."""

    IN_NO_STEP = "in_no_step"
    BEGAN_LATER = "began_later"
    START_UNKNOWN = "start_unknown"
    ENTRY_UNKNOWN = "entry_unknown"
    WINDOW_NOT_OVER = "window_not_over"


class Reach(NamedTuple):
    """A row of `reach`: deals alike in what became of them at one step.

    A deal has one row for each step that it reached, skipped or entered again, and a single one
    if it is left out.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        cohort: The number of the period in which they entered the funnel; None outside all.
        cluster: The value of the field by which they are clustered; None without one.
        step: The number of the step, 0 for the first; None where they are left out.
        reached: Whether they reached it.
        skipped: Whether they visited a later step and never this one.
        again: Whether they visited it more than once.
        fate: What became of them; None where they did not reach it, or visits have no order.
        length: How long until they went on or were closed, or so far; None where left out, for
            the last step, and where visits have no order.
        why: Why they, or their length, are left out, or None.
    """

    group: Hashable
    cohort: int | None
    cluster: Hashable
    step: int | None
    reached: bool
    skipped: bool
    again: bool
    fate: Fate | None
    length: int | None
    why: str | None


class _Way(NamedTuple):
    """What a way through the stages comes to, for all deals that took it."""

    why: LeftOut | None
    first: int  # the stay by which it came into the funnel
    told: tuple["_Told", ...]
    simple: bool = False  # whether its roles say it all


class _Told(NamedTuple):
    """What a way says of one step, its length still to be worked out."""

    row: tuple[int, bool, bool, bool, Fate | None]
    place: int | None  # the stay from which its length is reckoned; None where it has none
    until: int | None  # the stay up to whose beginning; None where to the close, or so far


class _Role(NamedTuple):
    """What a stay of a simple way says of one step."""

    row: tuple[int, bool, bool, bool, Fate | None]
    length: Callable[[int, int], int | None]  # of its days and the instant's ordinal


_Head: TypeAlias = tuple[Hashable, int | None, Hashable]
_NO_HEAD: _Head = (None, None, None)
_Visits: TypeAlias = Sequence[tuple[int, int | None]]


class _Ways:
    """What the ways of deals through the stages come to, each worked out once."""

    def __init__(self, steps: Sequence[FunnelStage], semantics: Semantics) -> None:
        self.steps, self._semantics = steps, semantics
        self._numbers = {key: number for number, step in enumerate(steps) for key in step.keys}
        self._known: dict[tuple[Leg, Outcome, bool], _Way] = {}
        self.roles: dict[Leg, tuple[_Role, ...]] = {}

    def of(self, stays: Sequence[tuple[Leg, int]], outcome: Outcome, *, unknown: bool) -> _Way:
        """What the way of a deal comes to; the last leg of a way is no other's."""
        way = self._known.get((stays[-1][0], outcome, unknown))
        if way is None:
            way = self._work_out([leg.stage for leg, _ in stays], outcome, unknown=unknown)
            if not unknown and stays[0][0] not in self.roles:
                way = way._replace(simple=self._register(way, stays, outcome))
            self._known[stays[-1][0], outcome, unknown] = way
        return way

    def _register(self, way: _Way, stays: Sequence[tuple[Leg, int]], outcome: Outcome) -> bool:
        """Whether each stay has its part of the way to say; then it is kept by the stay's leg."""
        roles = _simply(way, len(stays), outcome)
        if roles is None:
            return False
        for place, (leg, _) in enumerate(stays):
            self.roles[leg] = tuple(roles.get(place, ()))
        return True

    def _work_out(self, stages: Sequence[StageKey], outcome: Outcome, *, unknown: bool) -> _Way:
        visits = self._visits(stages, outcome)
        times = Counter(number for _, number in visits if number is not None)
        count, furthest = len(self.steps), max(times, default=-1)
        again = tuple(times[number] > 1 for number in range(count))
        skipped = tuple(number < furthest and number not in times for number in range(count))
        places = _PLACED[self._semantics](visits, count)
        first = next((place for place, number in visits if number is not None), 0)
        if self._semantics is not Semantics.ANY_VISIT and places:
            first = cast("int", places[0])
        why = self._why(times, places, unknown=unknown)
        fate = None
        if self._semantics is not Semantics.ANY_VISIT and places:
            fate = _fate(outcome, there=visits[-1][1] == len(places) - 1)
        every = (*places, *(None,) * (count - len(places)))
        told = tuple(_told(every, skipped, again, fate)) if why is None else ()
        return _Way(why, first, told)

    def _visits(self, stages: Sequence[StageKey], outcome: Outcome) -> _Visits:
        """Each stay with the number of its step; one in stages of the same step follows none."""
        numbers = [self._numbers.get(stage) for stage in stages]
        if outcome is Outcome.WON:
            winning = next((n for n, step in enumerate(self.steps) if step.wins), None)
            wins = winning is not None and self.steps[winning].pipeline == stages[-1][0]
            if wins and winning not in numbers:
                numbers.append(winning)
        return [
            (place, number)
            for place, number in enumerate(numbers)
            if number is None or place == 0 or number != numbers[place - 1]
        ]

    def _why(
        self, times: Mapping[int, int], places: Sequence[int | None], *, unknown: bool
    ) -> LeftOut | None:
        if not times:
            return LeftOut.IN_NO_STEP
        if unknown and 0 not in times and self._semantics is not Semantics.REACHED_OR_BEYOND:
            return LeftOut.START_UNKNOWN
        return None if places else LeftOut.BEGAN_LATER


def _told(
    places: Sequence[int | None],
    skipped: Sequence[bool],
    again: Sequence[bool],
    fate: Fate | None,
) -> Iterator[_Told]:
    """What is to be told of each step, of a deal that reached, skipped or repeated it."""
    for step, place in enumerate(places):
        following = places[step + 1] if step + 1 < len(places) else None
        reached = place is not None
        came = None if fate is None or not reached else fate if following is None else Fate.WENT_ON
        if reached or skipped[step] or again[step]:
            row = (step, reached, skipped[step], again[step], came)
            last = step == len(places) - 1
            timed = None if came is None or last else place
            yield _Told(row, timed, None if timed is None else following)


def _fate(outcome: Outcome, *, there: bool) -> Fate:
    if outcome is Outcome.OPEN:
        return Fate.STILL_THERE if there else Fate.OPEN_ELSEWHERE
    return Fate.WON if outcome is Outcome.WON else Fate.LOST


def _in_order(visits: _Visits, count: int) -> tuple[int | None, ...]:
    places: list[int] = []
    for place, number in visits:
        if number == len(places) < count:
            places.append(place)
    return tuple(places)


def _directly(visits: _Visits, count: int) -> tuple[int | None, ...]:
    places: list[int] = []
    before: int | None = None
    for place, number in visits:
        if number == len(places) < count and (not places or before == len(places) - 1):
            places.append(place)
        before = number
    return tuple(places)


def _strictly(visits: _Visits, count: int) -> tuple[int | None, ...]:
    best: list[int] = []
    run: list[int] = []
    for place, number in visits:
        goes_on = number == len(run) < count
        run = [*run, place] if goes_on else [place] if number == 0 else []
        best = max(best, run, key=len)  # of equals the earlier
    return tuple(best)


def _or_beyond(visits: _Visits, count: int) -> tuple[int | None, ...]:
    places: list[int] = []
    for place, number in visits:
        if number is not None:
            places.extend([place] * (number + 1 - len(places)))
    return tuple(places[:count])


def _at_any_time(visits: _Visits, count: int) -> tuple[int | None, ...]:
    firsts = {number: place for place, number in reversed(visits)}
    return tuple(firsts.get(number) for number in range(count))


_PLACED: Mapping[Semantics, Callable[[_Visits, int], tuple[int | None, ...]]] = {
    Semantics.IN_ORDER: _in_order,
    Semantics.STRICT_ORDER: _strictly,
    Semantics.DIRECT_MOVE: _directly,
    Semantics.REACHED_OR_BEYOND: _or_beyond,
    Semantics.ANY_VISIT: _at_any_time,
}


def _simply(way: _Way, stays: int, outcome: Outcome) -> dict[int, list[_Role]] | None:
    """What each stay of a way says, where its own length is all that it takes; None else."""
    roles: dict[int, list[_Role]] = {}
    for row, place, until in way.told:
        if place is None:
            roles.setdefault(stays - 1, []).append(_Role(row, _none))
            continue
        last = stays if outcome is Outcome.OPEN else stays - 1
        end = last if until is None else until
        if place >= stays or end - place not in (0, 1) or (until is None and end == place):
            return None
        length = _nothing if end == place else _so_far if end == stays else _its_own
        roles.setdefault(place, []).append(_Role(row, length))
    return roles


def _none(_days: int, _today: int) -> None:
    """No length."""


def _nothing(_days: int, _today: int) -> int:
    """Both steps were reached by one stay."""
    return 0


def _its_own(days: int, _today: int) -> int:
    return days


def _so_far(began: int, today: int) -> int:
    return today - began


class _Heads:
    """How to read the group, the cohort and the cluster of a deal."""

    def __init__(
        self, by: str | None, cluster: str | None, periods: Sequence[Period], moment: Moment
    ) -> None:
        self._group, self._cluster = grouping(by), grouping(cluster)
        self._step, self._moment = stepper(periods), moment
        self.plain = self._group is None and self._cluster is None and self._step is None

    def of(self, way: _Way, each: Course) -> _Head:
        read = event_at(self._moment, each)
        return (
            self._group and self._group(each, read),
            self._step and self._step(_start(way, each)),
            self._cluster and self._cluster(each, read),
        )


def _instants(each: Course) -> list[datetime]:
    """When each stay began, and when the deal was closed where it is."""
    found: list[datetime] = []
    before: StageKey | None = None
    for event in each.known:
        if type(event) in ENTERING:
            stage = (event.pipeline, event.stage)
            if stage != before:
                found.append(event.at)
            before = stage
    return [*found, each.closing.at] if each.closing is not None else found


def _start(way: _Way, each: Course) -> datetime:
    """When a deal came into the funnel."""
    first: datetime = each.known[0].at
    return _instants(each)[way.first] if way.first else first


class _Window:
    """How long a deal has from entering the funnel, and what is seen of it within that time."""

    def __init__(self, window: timedelta | int, zone: tzinfo, at: datetime) -> None:
        self._zone, self._at = zone, at
        self._window = check_window(window)
        self._lasts: dict[date, datetime | None] = {}

    def cut(self, way: _Way, each: Course) -> tuple[Course, datetime] | LeftOut:
        """The course of a deal up to the last instant of its window, and that instant."""
        start = _start(way, each)
        if each.known_from is not None and start <= each.known_from:
            return LeftOut.ENTRY_UNKNOWN
        last = self._last(start)
        if last is None or self._at < last:
            return LeftOut.WINDOW_NOT_OVER
        first, *later = each.known
        within = [event for event in later if event.at <= last]
        return (each if len(within) == len(later) else course((first, *within))), last

    def _last(self, start: datetime) -> datetime | None:
        """The last instant of the window that begins at one; None if it is far ahead."""
        if not isinstance(self._window, int):
            return start + self._window if self._at - start >= self._window else None
        day = on(start, self._zone)
        if day not in self._lasts:
            after = day.toordinal() + self._window + 1
            ahead = after > self._at.toordinal() + 1  # where the zone is a day ahead at most
            end = None if ahead else midnight(date.fromordinal(after), self._zone)
            self._lasts[day] = None if end is None else end - datetime.resolution
        return self._lasts[day]


def check_window(window: object) -> timedelta | int:
    if isinstance(window, timedelta):
        if timedelta() < window <= timedelta(_LONGEST):
            return window
        raise InvalidValueError("window", (f"{window} is not within 0 and {_LONGEST:,} days",))
    days = whole(window, "window")
    if 0 <= days <= _LONGEST:
        return days
    raise InvalidValueError("window", (f"{brief(days)} days are not 0 to {_LONGEST:,}",))


def _is_unknown(each: Course) -> bool:
    """Whether the deal may have been elsewhere before its first known stage."""
    first: Event = each.known[0]
    return each.known_from is not None and first.at <= each.known_from


@asks(steps=check_steps, semantics=Semantics, window=check_window)
def reach(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    pipeline: Pipeline | None = None,
    steps: Iterable[str | StageKey] | None = None,
    semantics: Semantics | str = Semantics.IN_ORDER,
    window: timedelta | int | None = None,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    periods: Iterable[Period] = (),
    cluster: str | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
) -> Tally[Reach]:
    """Count deals by how far they came along the steps of a funnel, as known at an instant.

    With a window, a deal is looked at as it stood when its window was over, and those whose
    window is not over yet are left out, whatever became of them so far: to keep only the quick
    ones of them would make the funnel too good.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        pipeline: The pipeline whose stages are the steps: the open ones, without parked ones, in
            order, and then winning. A visit to a retired stage counts for its successor.
        steps: The steps in order, where they are others: keys of the pipeline's stages, or pairs
            of a pipeline's and a stage's key.
        semantics: What it means to have reached a step.
        window: How long a deal has from entering the funnel: whole calendar days, or a length.
        by: A field of the deal, or ``attributes.`` and a name, to group by.
        by_at: When to read that field, and the one that clusters.
        periods: Periods that do not overlap, in order, in which to place entering the funnel:
            the first step, or, where later ones count alone, the first of the steps visited.
        cluster: A field of the deal by which deals are clustered, such as its owner or account.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
    """
    at, moment = utc(as_of, "as_of"), choice(Moment, by_at, "by_at")
    meaning, over = choice(Semantics, semantics, "semantics"), instances(Period, periods, "periods")
    stages, length = funnel_stages(pipeline, steps), measure(zone, resolution)
    limit = None if window is None else _Window(window, zone, at)
    quick = resolution is None and zone is UTC
    ways, counts = _Ways(stages, meaning), Counter[Any]()
    heads = _Heads(by, cluster, over, moment)
    closer = _count_quickly(courses(deals, at), ways, heads, limit, at, counts, quick=quick)
    for way, head, each, until in closer:
        for row in _rows(way, each, until, length):
            counts[*head, *row] += 1
    rows = {Reach(*row): Count(n) for row, n in counts.items()}
    read = None if by is None and cluster is None else moment
    asked = (("steps", stages), ("semantics", meaning), ("window", window), ("cluster", cluster))
    return Tally("reach", at, rows, over, resolution, zone, by, read, asked)


def _count_quickly(
    walk: Iterable[Course],
    ways: _Ways,
    heads: _Heads,
    limit: _Window | None,
    at: datetime,
    counts: Counter[Any],
    *,
    quick: bool,
) -> list[tuple[_Way, _Head, Course, datetime]]:
    """Count simple ways stay by stay, without stopping at each deal.

    Returns:
        The deals that need a closer look, each with its way, its head and the end of its window.
    """
    closer: list[tuple[_Way, _Head, Course, datetime]] = []
    parts: dict[tuple[_Head, int], list[Sequence[tuple[Leg, int]]]] = {}
    head, until, today = _NO_HEAD, at, at.toordinal()
    for each in walk:
        unknown = each[1] is not None and _is_unknown(each)
        way, seen = ways.of(each[2], each[3], unknown=unknown), each
        head = head if heads.plain else heads.of(way, each)
        why = way.why
        if limit is not None and why is None:
            within = limit.cut(way, each)
            if isinstance(within, LeftOut):
                why = within
            else:
                seen, until = within
                today = until.toordinal()
                way = way if seen is each else ways.of(seen.stays, seen.outcome, unknown=False)
                why = way.why
        if why is not None:
            counts[*head, None, False, False, False, None, None, why.value] += 1
        elif quick and way.simple and _is_plain(seen):
            parts.setdefault((head, today), []).append(seen[2])
        else:
            closer.append((way, head, seen, until))
    _count_stays(parts, ways.roles, counts)
    return closer


def _is_plain(each: Course) -> bool:
    """Whether every entry is known, and the last stay began when the deal was closed, if ever."""
    closing = each[4]
    ended: bool = closing is None or closing.at.toordinal() == each[2][-1][1]
    return ended and each[1] is None


def _count_stays(
    parts: Mapping[tuple[_Head, int], Iterable[Sequence[tuple[Leg, int]]]],
    roles: Mapping[Leg, Sequence[_Role]],
    counts: Counter[Any],
) -> None:
    for (head, today), part in parts.items():
        for (leg, days), n in Counter(chain.from_iterable(part)).items():
            for row, of in roles[leg]:
                counts[*head, *row, *_length(of(days, today), None)] += n


def _rows(
    way: _Way, each: Course, until: datetime, length: Callable[[datetime, datetime], int]
) -> Iterator[tuple[Any, ...]]:
    """What is to be told of a deal at each step, with its length."""
    instants = _instants(each)
    for row, place, following in way.told:
        if place is None:
            yield *row, None, None
            continue
        start = instants[place]
        end = until if each.closing is None else each.closing.at
        units = length(start, end if following is None else instants[following])
        unknown = each.known_from is not None and start <= each.known_from
        yield *row, *_length(units, Why.ENTRY_UNKNOWN if unknown else None)


def _length(units: int | None, why: Why | None) -> tuple[int | None, Why | None]:
    reason = why or (Why.NEGATIVE_DURATION if units is not None and units < 0 else None)
    return (None if reason else units), reason
