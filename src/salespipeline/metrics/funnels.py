"""At which step deals go on, wait or drop out."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, cast, overload

from attrs import field, frozen

from salespipeline._doors import choice, whole
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.history import DealHistory
from salespipeline.intervals import bootstrap
from salespipeline.metrics._figure import Counting, Rate, RateInterval
from salespipeline.metrics._result import Groups, Plain, Result, Table, plain
from salespipeline.metrics.durations import Durations
from salespipeline.metrics.incidence import Incidence
from salespipeline.metrics.outcomes import days_per_unit
from salespipeline.periods import Period
from salespipeline.pipelines import Pipeline, StageKey
from salespipeline.tallies import Moment, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._funnel_stages import FunnelStage, check_steps
from salespipeline.tallies._reach import Fate, Reach, Semantics, check_window, reach

_CAUSES = (Fate.WENT_ON.value, Fate.WON.value, Fate.LOST.value)


class FunnelInterval(StrEnum):
    """How the intervals of a funnel's rates are computed."""

    WILSON = "wilson"
    JEFFREYS = "jeffreys"
    CLUSTERED = "clustered"
    BOOTSTRAP = "bootstrap"


@frozen
class FunnelStep(Result):
    """One step of a funnel: each deal counts at most once, however often it came back.

    Those that entered either went on, are open (there or elsewhere), were won without the next
    step, or were lost: these add up.

    Attributes:
        number: 1 for the first step.
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        entered: How many deals reached it.
        rate: Of those that reached the step before, how many reached this one; None for the
            first step, and where visits have no order.
        overall: Of those that reached the first step, how many reached this one; None where
            visits have no order.
        went_on: How many of those that entered reached the next step; None for the last step,
            and, as the four after it, where visits have no order.
        still_there: How many did not, and stand in it.
        open_elsewhere: How many did not, and are open in an earlier stage or outside the steps.
        won: How many did not, and are won; at the last step, all that are won.
        lost: How many did not, and are lost.
        skipped: How many deals visited a later step, and never this one.
        re_entered: How many deals visited it more than once.
        to_next: Days until the next step, of those that went on; None for the last step, and
            where visits have no order.
        progress: The share that went on, was won and was lost by each day after entering, with
            open deals counted as open; None where ``to_next`` is.
    """

    number: int
    pipeline: str
    stage: str
    entered: int
    rate: Rate | None
    overall: Rate | None
    went_on: int | None
    still_there: int | None
    open_elsewhere: int | None
    won: int | None
    lost: int | None
    skipped: int
    re_entered: int
    to_next: Durations | None
    progress: Incidence | None = field(repr=False)

    columns = (
        "number", "pipeline", "stage", "entered", "rate", "overall", "went_on", "drop_off",
        "still_there", "open_elsewhere", "won", "lost", "skipped", "re_entered", "to_next",
    )  # fmt: skip

    def row(self) -> Plain:
        """Its row, with the same columns whether or not it has rates."""
        empty = {
            "rate": Rate.of(0, 0),
            "overall": Rate.of(0, 0),
            "to_next": Durations(0, None, None),
        }
        told: Plain = {}
        for name, value in super().row().items():
            columns = plain({name: empty[name]}) if value is None and name in empty else {}
            told |= dict.fromkeys(columns) or {name: value}
        return told

    @property
    def drop_off(self) -> float | None:
        """One less the rate into the next step: not lost alone, those still open are in it."""
        return None if self.went_on is None or not self.entered else 1 - self.went_on / self.entered


@frozen
class Funnel(Result):
    """How many deals came to each step.

    Attributes:
        semantics: What it means that a deal reached a step.
        window: How long each deal had, in whole days or as a length; None for all time.
        steps: One entry for each step, in order.
    """

    semantics: Semantics
    window: timedelta | int | None
    steps: Table[FunnelStep]

    columns = ("semantics", "window", "entered", "converted")

    @property
    def entered(self) -> int:
        """How many reached the first step."""
        return self.steps[0].entered

    @property
    def converted(self) -> Rate | None:
        """Of those, how many reached the last step; None where visits have no order."""
        return self.steps[-1].overall

    def step(self, stage: str) -> FunnelStep:
        """The step of a stage.

        Raises:
            UnknownKeyError: No step is of that stage.
        """
        found = next((step for step in self.steps if step.stage == stage), None)
        if found is None:
            known = tuple(step.stage for step in self.steps)
            raise UnknownKeyError("step of the funnel", stage, known)
        return found

    def rows(self) -> list[Plain]:
        """One row for each step."""
        told = plain({"semantics": self.semantics, "window": self.window})
        return [told | row for row in self.steps.rows()]


class _Found:
    """What the rows of one step add up to."""

    def __init__(self) -> None:
        self.entered = self.skipped = self.again = 0
        self.fates = Counter[Fate]()
        self.lengths = Counter[tuple[Fate, int]]()
        self.left_out = Counter[tuple[Fate, str]]()
        self.clusters = Counter[tuple[Hashable, bool]]()

    def add(self, row: Reach, n: int) -> None:
        self.skipped += n if row.skipped else 0
        self.again += n if row.again else 0
        if not row.reached:
            return
        self.entered += n
        self.clusters[row.cluster, row.fate is Fate.WENT_ON] += n
        if row.fate is not None:
            self.fates[row.fate] += n
            if row.length is not None:
                self.lengths[row.fate, row.length] += n
            elif row.why is not None:
                self.left_out[row.fate, row.why] += n


@frozen
class _Method:
    """How the rates of a funnel get their intervals."""

    kind: FunnelInterval
    seed: int
    level: float

    def step(self, before: _Found) -> Rate:
        """Those that went on from a step, among those that entered it."""
        went_on = before.fates[Fate.WENT_ON]
        if self.kind not in _CLUSTERED:
            return self._plain(went_on, before.entered)
        entered = _by_cluster(before)
        gone = {of: n for (of, on), n in before.clusters.items() if on}
        return self._clustered(gone, entered)

    def overall(self, found: _Found, first: _Found) -> Rate:
        """Those that entered a step, among those that entered the first one."""
        if self.kind not in _CLUSTERED:
            return self._plain(found.entered, first.entered)
        return self._clustered(_by_cluster(found), _by_cluster(first))

    def _plain(self, numerator: int, denominator: int) -> Rate:
        return Rate.of(numerator, denominator, self.level, RateInterval(self.kind.value))

    def _clustered(self, hits: Mapping[Hashable, int], of: Mapping[Hashable, int]) -> Rate:
        """The rate of clusters; a deal without one is its own."""
        hit, alone = hits.get(None, 0), of.get(None, 0)
        pairs = [(hits.get(name, 0), n) for name, n in of.items() if name is not None]
        pairs += [(1, 1)] * hit + [(0, 1)] * (alone - hit)
        if self.kind is FunnelInterval.CLUSTERED:
            return Rate.of_clusters(pairs, self.level)
        interval = bootstrap(pairs, self.seed, level=self.level)
        return Rate(sum(hits.values()), sum(of.values()), interval, len(pairs))


_CLUSTERED = (FunnelInterval.CLUSTERED, FunnelInterval.BOOTSTRAP)


def _by_cluster(found: _Found) -> Counter[Hashable]:
    entered = Counter[Hashable]()
    for (of, _), n in found.clusters.items():
        entered[of] += n
    return entered


@overload
def funnel(
    deals: Iterable[DealHistory] | Tally[Reach],
    *,
    as_of: datetime | None = None,
    pipeline: Pipeline | None = None,
    steps: Iterable[str | StageKey] | None = None,
    semantics: Semantics | str = Semantics.IN_ORDER,
    period: Period | None = None,
    by: None = None,
    by_at: Moment | str = Moment.CREATION,
    window: timedelta | int | None = None,
    cluster: str | None = None,
    interval: FunnelInterval | str | None = None,
    seed: int | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Funnel: ...


@overload
def funnel(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    pipeline: Pipeline | None = None,
    steps: Iterable[str | StageKey] | None = None,
    semantics: Semantics | str = Semantics.IN_ORDER,
    period: Period | None = None,
    by: str,
    by_at: Moment | str = Moment.CREATION,
    window: timedelta | int | None = None,
    cluster: str | None = None,
    interval: FunnelInterval | str | None = None,
    seed: int | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Funnel]: ...


@asks(
    steps=check_steps,
    semantics=Semantics,
    window=check_window,
    interval=FunnelInterval,
)
def funnel(
    deals: Iterable[DealHistory] | Tally[Reach],
    *,
    as_of: datetime | None = None,
    pipeline: Pipeline | None = None,
    steps: Iterable[str | StageKey] | None = None,
    semantics: Semantics | str = Semantics.IN_ORDER,
    period: Period | None = None,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    window: timedelta | int | None = None,
    cluster: str | None = None,
    interval: FunnelInterval | str | None = None,
    seed: int | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Funnel | Groups[Hashable, Funnel]:
    """How many deals came to each step, and what became of those that did not go on.

    Definition:
        Formula: reached the step ÷ reached the step before; overall, ÷ reached the first step;
            what reaching means is ``semantics``, and each meaning is another number.
        Denominator: deals that reached the first step, once each, lost and open ones included;
            those that began later, or whose beginning is not known, are left out by reason.
        Window: entering the funnel in the period; with ``window``, each deal as it stood when so
            much time had passed since, and only deals of which it has.
        Bias: without a window, deals still open count as not gone on, so young cohorts look bad;
            `FunnelStep.progress` counts them as open.
        Elsewhere: HubSpot's "all stages" is in order, its "any stages" any visit; Bitrix24 takes
            skipped stages for reached; ClosingDealz counts direct moves; Frappe counts rows.

    Args:
        deals: The histories of deals, or a tally of reach.
        as_of: The instant to judge from.
        pipeline: The pipeline whose stages are the steps: the open ones, without parked ones, in
            order, and then winning.
        steps: The steps in order, where they are others: keys of the pipeline's stages, or pairs
            of a pipeline's and a stage's key.
        semantics: What it means to have reached a step.
        period: Only deals that entered the funnel in it.
        by: A field of the deal to group by.
        by_at: When to read that field, and the one that clusters: at creation, at closing or as
            of the instant.
        window: How long each deal has from entering the first step, in whole calendar days or as
            a length. A deal lost within it did not go on, and one whose window is not over is
            left out, even if it was won already.
        cluster: A field of the deal by which deals are clustered, such as owner or account, for
            intervals that are wide enough for deals that end alike.
        interval: wilson (without clusters) or clustered (with them) if not given; or jeffreys,
            or, with clusters and a seed, bootstrap.
        seed: Where the bootstrap's drawing starts.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Raises:
        InvalidValueError: Neither a pipeline nor steps are given; an interval lacks its clusters
            or its seed, or goes by none; or a tally is to be counted otherwise than it was.

    Source: HubSpot, Differences between funnel report types (in order, and any).
    """
    method = _check_method(cluster, interval, seed, level)
    options: dict[str, object] = {"zone": zone, "resolution": resolution, "cluster": cluster}
    if isinstance(deals, Tally):
        _check_given(deals, pipeline, steps, semantics, window)
    else:
        options |= {
            "pipeline": pipeline, "steps": steps, "semantics": semantics, "window": window,
        }  # fmt: skip

    def finish(tally: Tally[Reach], _level: float) -> Funnel:
        return _funnel(tally, method)

    counting = Counting[DealHistory](reach, choice(Moment, by_at, "by_at"), "cohort")
    return counting.measure(finish, deals, as_of, period, by, level, **options)


def _check_method(cluster: object, interval: object, seed: object, level: float) -> _Method:
    usual = FunnelInterval.WILSON if cluster is None else FunnelInterval.CLUSTERED
    kind = usual if interval is None else choice(FunnelInterval, interval, "interval")
    faults: list[str] = []
    if kind in _CLUSTERED and cluster is None:
        faults.append(f"{kind.value} goes by clusters: give the field that makes them")
    if kind not in _CLUSTERED and cluster is not None:
        faults.append(f"{kind.value} takes each deal for a trial of its own; clusters do not")
    if kind is FunnelInterval.BOOTSTRAP and seed is None:
        faults.append("bootstrap draws: give the seed from which")
    if kind is not FunnelInterval.BOOTSTRAP and seed is not None:
        faults.append(f"{kind.value} draws nothing, and takes no seed")
    if faults:
        raise InvalidValueError("interval", tuple(faults))
    return _Method(kind, 0 if seed is None else whole(seed, "seed"), level)


def _check_given(tally: Tally[Any], pipeline: object, steps: object, semantics: object,
                 window: object) -> None:  # fmt: skip
    meaning = choice(Semantics, semantics, "semantics")
    asked = {
        "pipeline": pipeline is not None,
        "steps": steps is not None,
        "window": window is not None,
        "semantics": meaning not in (Semantics.IN_ORDER, dict(tally.settings).get("semantics")),
    }
    faults = tuple(f"it is counted already: give {name}= when counting"
                   for name, given in asked.items() if given)  # fmt: skip
    if faults:
        raise InvalidValueError("tally", faults)


def _funnel(tally: Tally[Reach], method: _Method) -> Funnel:
    settings = dict(tally.settings)
    stages = cast("tuple[FunnelStage, ...]", settings["steps"])
    semantics = cast("Semantics", settings["semantics"])
    found = [_Found() for _ in stages]
    left_out = Counter[str]()
    for row, count in tally.rows.items():
        if row.step is None:
            left_out[str(row.why)] += count.n
        else:
            found[row.step].add(row, count.n)
    days, nested = days_per_unit(cast("Any", tally)), semantics is not Semantics.ANY_VISIT
    steps = Table(
        _step(number, stages, found, method if nested else None, days)
        for number in range(len(stages))
    )
    return Funnel(semantics, cast("Any", settings["window"]), steps, left_out=dict(left_out))


def _step(
    number: int,
    stages: Sequence[FunnelStage],
    found: Sequence[_Found],
    method: _Method | None,
    days: float,
) -> FunnelStep:
    stage, here = stages[number], found[number]
    last, nested = number + 1 == len(stages), method is not None
    timed = None if last else method
    still_there, open_elsewhere, won, lost = (
        here.fates[fate] if nested else None for fate in _STAYED
    )
    return FunnelStep(
        number=number + 1,
        pipeline=stage.pipeline,
        stage=stage.stage,
        entered=here.entered,
        rate=method.step(found[number - 1]) if method and number else None,
        overall=method.overall(here, found[0]) if method else None,
        went_on=here.fates[Fate.WENT_ON] if timed else None,
        still_there=still_there,
        open_elsewhere=open_elsewhere,
        won=won,
        lost=lost,
        skipped=here.skipped,
        re_entered=here.again,
        to_next=_to_next(here, days) if timed else None,
        progress=_progress(here, days, timed.level) if timed else None,
    )


_STAYED = (Fate.STILL_THERE, Fate.OPEN_ELSEWHERE, Fate.WON, Fate.LOST)


def _to_next(found: _Found, days: float) -> Durations:
    lengths = {length: n for (fate, length), n in found.lengths.items() if fate is Fate.WENT_ON}
    left_out = {why: n for (fate, why), n in found.left_out.items() if fate is Fate.WENT_ON}
    return Durations.of(lengths, days, left_out)


def _progress(found: _Found, days: float, level: float) -> Incidence:
    counts = Counter[tuple[float, float, str | None]]()
    for (fate, length), n in found.lengths.items():
        counts[0, length * days, fate.value if fate.value in _CAUSES else None] += n
    left_out = Counter[str]()
    for (_, why), n in found.left_out.items():
        left_out[why] += n
    return Incidence.of_counts(counts, causes=_CAUSES, level=level, left_out=left_out)
