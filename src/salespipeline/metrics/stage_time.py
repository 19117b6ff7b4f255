"""How long deals stay in stages."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast, overload

from attrs import frozen

from salespipeline._doors import choice, instances
from salespipeline.errors import InvalidValueError
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval
from salespipeline.metrics._figure import Counting
from salespipeline.metrics._result import Groups, Plain, Result, Table, even
from salespipeline.metrics.durations import Durations, ended_by, exact_days
from salespipeline.metrics.outcomes import Survival, check_age, days_per_unit
from salespipeline.metrics.value import in_use
from salespipeline.pipelines import Outcome, Pipeline, Stage, StageKey, by_key
from salespipeline.tallies import Stay, Tally, visits
from salespipeline.tallies._asking import asks
from salespipeline.tallies._stage_totals import StageTotal, former_stages, stage_totals

_STAYS = Counting[DealHistory](visits, None, None, durations=True)
_TOTALS = Counting[DealHistory](stage_totals, None, None, durations=True)

Known = Mapping[str, Pipeline]


class WhichVisit(StrEnum):
    """Which of a deal's visits to a stage count."""

    EVERY = "every"
    FIRST = "first"
    LATEST = "latest"


_CHOSEN: Mapping[WhichVisit, Callable[[Stay], bool]] = {
    WhichVisit.FIRST: lambda stay: stay.number == 1,
    WhichVisit.LATEST: lambda stay: stay.latest,
}


@frozen
class StageTime(Result):
    """How long deals stay in one stage.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        finished: The visits that ended, or the totals of deals that are not there any more.
        still_there: How many go on.
        total_days: All together, those that go on with their days so far.
        survival: The share that lasts beyond each day, with those that go on counted as such;
            its median is the censoring-aware one.
    """

    pipeline: str
    stage: str
    finished: Durations
    still_there: int
    total_days: float
    survival: Survival

    columns = ("pipeline", "stage", "finished", "still_there", "total_days", "survival")


@overload
def time_in_stage(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: None = None,
    visit: WhichVisit | str = WhichVisit.EVERY,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[StageTime]: ...


@overload
def time_in_stage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    visit: WhichVisit | str = WhichVisit.EVERY,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Table[StageTime]]: ...


@asks(visit=WhichVisit)
def time_in_stage(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    visit: WhichVisit | str = WhichVisit.EVERY,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[StageTime] | Groups[Hashable, Table[StageTime]]:
    """How long deals stay in each stage, visit by visit.

    Definition:
        Formula: mean and median of left - entered over visits that ended; beside them the
            survival curve, in which a visit that goes on lasts at least until the instant.
        Denominator: every visit, each deal's first, or its latest; one whose beginning is not
            known, or that ends before it begins, is left out by reason.
        Window: none: all visits begun by the instant. A group is the one when the visit began.
        Bias: the finished visits alone are the quick ones; the curve counts the others. Of a
            deal whose history begins late the first visit is the first that is seen.
        Elsewhere: HubSpot's "latest time in stage" is empty, or shows the visit before, while
            the record is in the stage; reports that count to now take open visits for finished.

    Args:
        deals: The histories of deals, or a tally of visits.
        as_of: The instant to judge from; a visit that goes on lasts until then at least.
        by: A field of the deal to group by, as it was when the visit began.
        visit: Every visit by itself, or each deal's first or latest to the stage, numbered under
            the key that the stage had then.
        pipelines: Their stages come first, in order, those without a visit included; a visit to
            a retired stage counts for its successor.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Returns:
        One entry per stage, closed stages included; stages of no pipeline given come last, in
        the order of their keys.
    """
    known = by_key(pipelines)
    chosen = _CHOSEN.get(choice(WhichVisit, visit, "visit"))

    def finish(tally: Tally[Stay], level: float) -> Table[StageTime]:
        return _by_stage(tally if chosen is None else tally.where(chosen), _of_stay, known, level)

    options = {"zone": zone, "resolution": resolution}
    return _STAYS.measure(finish, deals, as_of, None, by, level, **options)


@overload
def total_time_in_stage(
    deals: Iterable[DealHistory] | Tally[StageTotal],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[StageTime]: ...


@overload
def total_time_in_stage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Table[StageTime]]: ...


@asks()
def total_time_in_stage(
    deals: Iterable[DealHistory] | Tally[StageTotal],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[StageTime] | Groups[Hashable, Table[StageTime]]:
    """How long deals were in each stage altogether, all visits of a deal summed.

    Definition:
        Formula: per deal Σ (left - entered) over its visits to the stage; mean and median of
            deals that are not there any more, and the survival curve of all.
        Denominator: deals that entered the stage; one with a visit of unusable length is left
            out by reason.
        Window: none: all visits begun by the instant. A group is the one when the deal first
            entered the stage.
        Bias: a deal that has left may come back, so even a finished total may still grow.
        Elsewhere: HubSpot's cumulative time in stage, over all visits of a reopened deal too.

    Args:
        deals: The histories of deals, or a tally of stage totals.
        as_of: The instant to judge from; the total of a deal that is there lasts at least so
            long.
        by: A field of the deal to group by, as it was when the deal first entered the stage.
        pipelines: Their stages come first, in order, those that nobody entered included; a visit
            to a retired stage counts for its successor.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Returns:
        One entry per stage, closed stages included; stages of no pipeline given come last, in
        the order of their keys.
    """
    given = instances(Pipeline, pipelines, "pipelines")
    known = {each.key: each for each in given}
    if isinstance(deals, Tally):
        _check_counted_with(deals, given)

    def finish(tally: Tally[StageTotal], level: float) -> Table[StageTime]:
        return _by_stage(tally, _of_total, known, level)

    options: dict[str, object] = {"zone": zone, "resolution": resolution, "pipelines": given}
    return _TOTALS.measure(finish, deals, as_of, None, by, level, **options)


def _check_counted_with(tally: Tally[StageTotal], pipelines: Iterable[Pipeline]) -> None:
    """Refuse totals that were counted without what pipelines say of retired stages."""
    counted = cast("tuple[object, ...]", dict(tally.settings).get("former", ()))
    if not set(former_stages(pipelines).items()) <= {*counted}:
        fault = "it was counted without the retired stages of these pipelines"
        raise InvalidValueError("tally", (fault,))


class _Span(NamedTuple):
    """A time spent in a stage."""

    length: int | None
    why: str | None
    over: bool
    n: int


R = TypeVar("R", Stay, StageTotal)


def _of_stay(stay: Stay, n: int) -> _Span:
    return _Span(stay.length, stay.why, stay.next is not None, n)


def _of_total(total: StageTotal, n: int) -> _Span:
    return _Span(total.length, total.why, not total.still_there, n)


def _by_stage(
    tally: Tally[R], span: Callable[[R, int], _Span], known: Known, level: float
) -> Table[StageTime]:
    counted: Tally[Any] = tally
    days = days_per_unit(counted)
    return Table(
        _stage_time(stage, spans, days, level)
        for stage, spans in _spans(tally, span, known).items()
    )


def _spans(
    tally: Tally[R], span: Callable[[R, int], _Span], known: Known
) -> dict[StageKey, list[_Span]]:
    """The times spent in each stage, the stages of known pipelines first, in order."""
    found: dict[StageKey, list[_Span]] = {
        (pipeline.key, key): [] for pipeline in known.values() for key in pipeline.keys
    }
    for row in sorted(tally.rows, key=lambda row: row.stage):
        found.setdefault(in_use(row.stage, known), []).append(span(row, tally.rows[row].n))
    return found


def _stage_time(stage: StageKey, spans: Sequence[_Span], days: float, level: float) -> StageTime:
    lengths: Counter[int] = Counter()
    left_out: Counter[tuple[str, bool]] = Counter()
    lives: Counter[tuple[float, float, bool]] = Counter()
    still_there, total = 0, 0
    for length, why, over, n in spans:
        still_there += 0 if over else n
        if length is None:
            left_out[str(why), over] += n
            continue
        total += length * n
        lives[0, length * days, over] += n
        lengths[length] += n if over else 0
    ended = {why: n for (why, over), n in left_out.items() if over}
    every = {why: left_out[why, True] + left_out[why, False] for why, _ in left_out}
    finished = Durations.of(+lengths, days, ended)
    survival = Survival.of_counts(lives, level=level, left_out=every)
    return StageTime(*stage, finished, still_there, total * days, survival)


@frozen
class StageSpeed(Result):
    """How fast deals leave one open stage.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        parked: Whether deals are on hold there: then it has no speed.
        visits: How many visits have a usable length.
        ended: How many of them ended.
        total_days: The days of all of them, those that go on with their days so far; exact.
        mean_days: Days spent there for each visit that ended, exact; None where none did.
        median_days: The median stay, with visits that go on counted as such, or None.
        within_days: The days that a visit should take at most, or None.
        share_within: The share estimated to end within them, or None.
        interval: Its interval.
        against_all: The mean as a multiple of that of all open stages, or None.
    """

    pipeline: str
    stage: str
    parked: bool
    visits: int
    ended: int
    total_days: Fraction
    mean_days: Fraction | None
    median_days: float | None
    within_days: float | None
    share_within: float | None
    interval: Interval | None
    against_all: Fraction | None

    columns = (
        "pipeline", "stage", "parked", "visits", "ended", "total_days", "mean_days",
        "median_days", "within_days", "share_within", "interval", "against_all",
    )  # fmt: skip


@frozen
class StageSpeeds(Result):
    """How fast deals leave each open stage, and all of them together.

    Attributes:
        stages: The open stages of the pipelines, in order.
        mean_days: Days spent in stages for each visit that ended, over those not parked, exact;
            None where none ended.
    """

    stages: tuple[StageSpeed, ...]
    mean_days: Fraction | None

    def rows(self) -> list[Plain]:
        """One row for each stage."""
        return even(stage.row() for stage in self.stages)


@overload
def stage_speed(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline],
    within_days: float | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> StageSpeeds: ...


@overload
def stage_speed(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline],
    within_days: float | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, StageSpeeds]: ...


@asks(within_days=partial(check_age, name="within_days"))
def stage_speed(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline],
    within_days: float | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> StageSpeeds | Groups[Hashable, StageSpeeds]:
    """How fast deals leave each open stage, against all of them.

    Definition:
        Formula: mean = days spent by all visits ÷ visits that ended; median and share within so
            many days from the Kaplan-Meier curve of the visits.
        Denominator: every visit to the open stages of the pipelines given, those that go on
            included; other stages are left out as ``unknown_stage``, visits of unusable length
            by reason.
        Window: none: all visits begun by the instant. A group is the one when the visit began.
        Bias: the mean supposes that leaving is as likely on each day; the median does not. A
            parked stage is marked, has no speed, and is in no mean.
        Elsewhere: most tools divide the days of finished visits alone, which is too fast where
            slow deals are still there.

    Args:
        deals: The histories of deals, or a tally of visits.
        as_of: The instant to judge from.
        by: A field of the deal to group by, as it was when the visit began.
        pipelines: The pipelines whose open stages are looked at.
        within_days: The days that a visit should take at most; of each stage the days after
            which it rots if not given.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Returns:
        The open stages in pipeline order, those without a visit included.
    """
    known = by_key(pipelines)
    within = None if within_days is None else check_age(within_days, "within_days")

    def finish(tally: Tally[Stay], level: float) -> StageSpeeds:
        return _speeds(tally, known, within, level)

    options = {"zone": zone, "resolution": resolution}
    return _STAYS.measure(finish, deals, as_of, None, by, level, **options)


class _Pace(NamedTuple):
    """An open stage, how long its visits are, and how many there are of which kind."""

    stage: Stage
    time: StageTime
    days: Fraction
    ended: int


def _speeds(tally: Tally[Any], known: Known, within: float | None, level: float) -> StageSpeeds:
    unit = exact_days(tally.resolution)
    found = _spans(tally, _of_stay, known)
    left_out: Counter[str] = Counter()
    paces: dict[StageKey, _Pace] = {}
    for key, spans in found.items():
        if key[0] not in known or key[1] not in known[key[0]]:
            left_out["unknown_stage"] += sum(span.n for span in spans)
            continue
        stage = known[key[0]].stage(key[1])
        if stage.outcome is Outcome.OPEN:
            time = _stage_time(key, spans, days_per_unit(tally), level)
            left_out.update(time.survival.left_out)
            units = sum(span.length * span.n for span in spans if span.length is not None)
            paces[key] = _Pace(stage, time, units * unit, time.finished.n)
    going = [pace for pace in paces.values() if not pace.stage.parked]
    mean = _each(sum(pace.days for pace in going), sum(pace.ended for pace in going))
    stages = tuple(_speed(key, pace, mean, within) for key, pace in paces.items())
    return StageSpeeds(stages, mean, left_out=dict(left_out))


def _speed(key: StageKey, pace: _Pace, mean: Fraction | None, within: float | None) -> StageSpeed:
    stage, time, days, ended = pace
    if stage.parked:
        none = (None,) * 6
        return StageSpeed(*key, True, time.survival.n, ended, days, *none)
    limit = within
    if within is None and stage.rot_after is not None:
        limit = stage.rot_after / timedelta(days=1)
    share, interval = (None, None) if limit is None else ended_by(time.survival, limit)
    own = _each(days, ended)
    return StageSpeed(
        *key,
        parked=False,
        visits=time.survival.n,
        ended=ended,
        total_days=days,
        mean_days=own,
        median_days=time.survival.median,
        within_days=limit,
        share_within=share,
        interval=interval,
        against_all=own / mean if own is not None and mean else None,
    )


def _each(days: Fraction | int, n: int) -> Fraction | None:
    return Fraction(days) / n if n else None
