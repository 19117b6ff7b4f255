"""How likely each open deal is to be won, given its stage and the days in it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import cast

from attrs import frozen

from salespipeline._doors import instance, instances, whole
from salespipeline.errors import InvalidValueError, UnknownKeyError, brief
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval, check_level
from salespipeline.metrics._learned import Learned, Stand
from salespipeline.metrics._result import Result, Table
from salespipeline.metrics._semi_markov import FEW_EXITS, LIFE, Cell, Model, Within
from salespipeline.metrics._tracks import State, tracks
from salespipeline.metrics.value import in_use
from salespipeline.periods import check_zone, utc
from salespipeline.pipelines import Outcome, Pipeline, StageKey, by_key
from salespipeline.tallies import Stay, Tally, Why
from salespipeline.tallies._asking import asks

AGES = (0, 7, 14, 30, 60, 90, 180)
"""The days in a stage that `chance_table` tells of if not told."""

_MOST_DAYS = 3660
_MOST_REFITS = 10_000


class ChanceBasis(StrEnum):
    """What a chance was learned from."""

    STAGE = "stage"
    FEW_EXITS = "few_exits"
    DEAL_AGE = "deal_age"
    NOTHING = "nothing"


@frozen
class OpenChance(Result):
    """The chance of one open deal.

    Attributes:
        deal: The id of the deal.
        pipeline: The key of its pipeline.
        stage: The key of its stage.
        stage_age: Whole days in the stage, at least so many where the entry is unknown.
        deal_age: Whole days since it was opened; None where that is not known.
        chance: The chance that it is won within the horizon; None where no visit tells.
        ever: The chance that it is ever won; None likewise.
        visits: How many visits to the stage were learned from; deals, where its age was asked.
        at_risk: How many of them were there on the day whose rate is asked first; where days are
            pooled, on the first of them.
        basis: Whether the stage was asked, the stage though it was left fewer than 30 times, or
            the age of the deal since nothing has left the stage.
        why: Why the days in the stage are not sure, or None.
        interval: The percentile interval of the chance over refits; None without any.
    """

    deal: str
    pipeline: str
    stage: str
    stage_age: int
    deal_age: int | None
    chance: float | None
    ever: float | None
    visits: int
    at_risk: int
    basis: ChanceBasis
    why: Why | None
    interval: Interval | None

    columns = (
        "deal", "pipeline", "stage", "stage_age", "deal_age", "chance", "interval", "ever",
        "visits", "at_risk", "basis", "why",
    )  # fmt: skip


@frozen
class StageChance(Result):
    """The chance of a deal that has been in a stage for some days.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        stage_age: Whole days in the stage.
        chance: The chance that it is won within the horizon.
        ever: The chance that it is ever won.
        visits: How many visits to the stage were learned from.
        exits: How many of them ended; under 30 they say too little.
        at_risk: How many were there on that day; where days are pooled, on the first of them.
    """

    pipeline: str
    stage: str
    stage_age: int
    chance: float
    ever: float
    visits: int
    exits: int
    at_risk: int

    columns = (
        "pipeline", "stage", "stage_age", "chance", "ever", "visits", "exits", "at_risk",
    )  # fmt: skip


def check_days(days: object) -> int:
    """A horizon in whole days.

    Raises:
        WrongTypeError: It is no whole number.
        InvalidValueError: It is not from 1 to 3,660.
    """
    number = whole(days, "horizon_days")
    if not 1 <= number <= _MOST_DAYS:
        fault = f"{brief(number)} is not from 1 to {_MOST_DAYS:,}"
        raise InvalidValueError("horizon_days", (fault,))
    return number


@asks(horizon_days=check_days)
def win_chances(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    horizon_days: int,
    pipelines: Iterable[Pipeline] = (),
    fit: Tally[Stay] | None = None,
    refits: int = 0,
    seed: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.8,
) -> Table[OpenChance]:
    """The chance of each open deal to be won, given its stage and the days in it.

    Definition:
        Formula: semi-Markov. Of the visits that lasted at least so many days, the share that went
            on each later day, by where to; and so on from there. From the first age with fewer
            than 10 at risk on, one rate holds: that of the 30 days before and all after. A stage
            that nothing has left asks the age of the deal instead.
        Denominator: visits to open stages, those that go on counted until the instant.
        Window: all visits up to the instant; the chance is of the horizon's days from then on.
        Bias: takes the past for the future; the deal's size, owner and age say nothing, once
            its stage and the days in it are known. A reopened deal begins a new visit; a close
            is the end, so that a chance is of being won, whatever becomes of it.
        Elsewhere: HubSpot and Salesforce give every deal of a stage the same probability, however
            long it has been there.

    Args:
        deals: The histories of deals; the open ones are told of, all are learned from.
        as_of: The instant to judge from.
        horizon_days: The days from then on, that of the instant included.
        pipelines: A stage retired from one of them counts as its successor.
        fit: A tally of visits to learn from instead, counted as of the same instant; it needs
            ``pipelines``, which say what is closed.
        refits: How many times to learn again from a sample of the deals, for the intervals.
        seed: What the samples are drawn from; needed for refits.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Returns:
        One entry per open deal, in the order of their ids; ``chance`` is None where nothing that
        could be asked has ever ended.

    Raises:
        InvalidValueError: The horizon or the number of refits is none, or the tally was counted
            otherwise.

    Source: Pyke, Annals of Mathematical Statistics 32 (1961) 1231-1242, for the process.
    """
    at, days, sure = utc(as_of, "as_of"), check_days(horizon_days), check_level(level)
    known, many = by_key(pipelines), check_refits(refits, seed)
    found = list(tracks(deals, at, known, zone))
    if fit is not None and many:
        raise InvalidValueError("refits", ("a tally of visits holds no deals to sample",))
    learned = Learned.of(found)
    model = learned.model if fit is None else fitted(fit, known, at, zone)
    stands = sorted(
        (Stand.of(track) for track in found if track.outcome is Outcome.OPEN), key=_place
    )
    spread = _spread(learned, model, stands, days, many, seed)
    within, entering = model.within(days), model.entering()
    rows = [
        _row(stand, model, within, entering, _ends(chances, sure))
        for stand, chances in zip(stands, spread, strict=True)
    ]
    return Table(rows, at)


def _place(stand: Stand) -> tuple[str, StageKey, int]:
    return stand.deal, stand.stage, stand.age


def check_refits(refits: object, seed: object) -> int:
    """How many refits are asked for.

    Raises:
        WrongTypeError: A number is none.
        InvalidValueError: There are too many, or no seed for them.
    """
    number = whole(refits, "refits")
    if not 0 <= number <= _MOST_REFITS:
        fault = f"{brief(number)} is not from 0 to {_MOST_REFITS:,}"
        raise InvalidValueError("refits", (fault,))
    if seed is not None:
        whole(seed, "seed")
    elif number:
        raise InvalidValueError("seed", ("samples need one, such as seed=1",))
    return number


def _spread(
    learned: Learned, model: Model, stands: Sequence[Stand], days: int, many: int, seed: int | None
) -> list[list[float]]:
    """For each deal its chances by refits."""
    chances: list[list[float]] = [[] for _ in stands]
    if not many:
        return chances
    from random import Random  # noqa: PLC0415 - few ask, and importing it takes long

    asked = [stand.asked(model) for stand in stands]
    for refit in learned.refits(many, Random(seed)):  # noqa: S311 - a sample, no secret
        within = refit.within(days)
        for each, what in zip(chances, asked, strict=True):
            if what is not None:
                each.append(within.standing(*what, days))
    return chances


def _ends(chances: list[float], level: float) -> Interval | None:
    if not chances:
        return None
    ordered = sorted(chances)
    low, high = (1 - level) / 2, (1 + level) / 2
    last = len(ordered) - 1
    ends = ordered[round(low * last)], ordered[round(high * last)]
    return Interval(*ends, level, "percentile bootstrap")


def _row(
    stand: Stand,
    model: Model,
    within: Within,
    entering: Mapping[StageKey, float],
    interval: Interval | None,
) -> OpenChance:
    asked = stand.asked(model)
    chance = ever = None
    visits = at_risk = 0
    basis = ChanceBasis.NOTHING
    if asked is not None:
        source = model.stages[asked[0]]
        chance = within.standing(*asked, within.days)
        ever = model.ever(*asked, entering)
        visits, at_risk = source.visits, source.at_risk_at(asked[1])
        basis = ChanceBasis.STAGE if source.exits >= FEW_EXITS else ChanceBasis.FEW_EXITS
        basis = ChanceBasis.DEAL_AGE if asked[0] == LIFE else basis
    return OpenChance(
        stand.deal, *stand.stage, stand.age, stand.deal_age, chance, ever, visits, at_risk,
        basis, stand.why, interval,
    )  # fmt: skip


def _check_ages(ages: object) -> tuple[int, ...]:
    given = tuple(whole(age, "ages") for age in instances(int, ages, "ages"))
    faults = tuple(
        f"{brief(age)} is not from 0 to {_MOST_DAYS:,}"
        for age in given
        if not 0 <= age <= _MOST_DAYS
    )
    if faults:
        raise InvalidValueError("ages", faults)
    return given


@asks(horizon_days=check_days, ages=_check_ages)
def chance_table(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    horizon_days: int,
    ages: Iterable[int] = AGES,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Table[StageChance]:
    """The chance of winning by stage and days in it: what `win_chances` asks, as one table.

    Definition:
        Formula: that of `win_chances`, of a deal that has been so many days in the stage.
        Denominator: visits to the stage that lasted so long, those that go on included.
        Window: all visits up to the instant; the chance is of the horizon's days from then on.
        Bias: a stage left fewer than 30 times is told by its own visits here, however few.
        Elsewhere: no vendor known; one probability per stage is usual.

    Args:
        deals: The histories of deals, or a tally of visits, which needs ``pipelines``.
        as_of: The instant to judge from.
        horizon_days: The days from then on.
        ages: The whole days in the stage to tell of.
        pipelines: Their stages come first, in order; a retired stage counts as its successor.
        zone: The zone whose calendar dates make days.

    Returns:
        One entry per open stage that was visited, and age; stages of no pipeline given come last,
        in the order of their keys.
    """
    days, known = check_days(horizon_days), by_key(pipelines)
    asked = _check_ages(ages)
    if isinstance(deals, Tally):
        at = deals.as_of if as_of is None else utc(as_of, "as_of")
        model = fitted(deals, known, at, zone)
    else:
        at = utc(as_of, "as_of")
        found = list(tracks(deals, at, known, zone))
        model = Model.of(Learned.of(found).counts(), {})
    within, entering = model.within(days), model.entering()
    return Table(
        (
            _stage_row(stage, age, model, within, entering)
            for stage in _in_order(model, known)
            for age in asked
        ),
        at,
    )


def _in_order(model: Model, known: Mapping[str, Pipeline]) -> list[StageKey]:
    given = [(pipeline.key, key) for pipeline in known.values() for key in pipeline.keys]
    place = {stage: number for number, stage in enumerate(given)}
    stages = [stage for stage in model.stages if stage != LIFE]
    return sorted(stages, key=lambda stage: (place.get(stage, len(place)), stage))


def _stage_row(
    stage: StageKey, age: int, model: Model, within: Within, entering: Mapping[StageKey, float]
) -> StageChance:
    source = model.stages[stage]
    return StageChance(
        *stage, age, within.standing(stage, age, within.days), model.ever(stage, age, entering),
        source.visits, source.exits, source.at_risk_at(age),
    )  # fmt: skip


def fitted(tally: object, known: Mapping[str, Pipeline], at: datetime, zone: tzinfo) -> Model:
    """The model of a tally of visits, whose closed stages the pipelines tell.

    Raises:
        InvalidValueError: The tally counts something else, or was counted otherwise.
        UnknownKeyError: A pipeline, or a stage of it, is not among those given.
    """
    given = cast("Tally[Stay]", instance(Tally, tally, "fit"))
    faults = (
        *([] if given.name == "visits" else [f"it counts {given.name}, not visits"]),
        *([] if given.as_of == at else [f"it was counted as of {given.as_of.isoformat()}"]),
        *([] if given.resolution is None else ["it was not counted in days"]),
        *([] if check_zone(zone) in (UTC, given.zone) else [f"its zone is {given.zone}"]),
    )
    if faults:
        raise InvalidValueError("tally", faults)
    counts: Counter[Cell] = Counter()
    for row, count in given.rows.items():
        stage = _state(row.stage, known)
        to = None if row.next is None else _state(row.next, known)
        if isinstance(stage, tuple) and row.length is not None and to != stage:
            counts[Cell(stage, row.length, to)] += count.n
    return Model.of(counts, {})


def _state(stage: StageKey, known: Mapping[str, Pipeline]) -> State:
    pipeline, key = in_use(stage, known)
    if pipeline not in known:
        raise UnknownKeyError("pipeline of the tally", pipeline, tuple(known))
    outcome = known[pipeline].outcome(key)
    return (pipeline, key) if outcome is Outcome.OPEN else outcome
