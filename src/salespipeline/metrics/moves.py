"""Where deals go from each stage."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import cast, overload

from attrs import frozen

from salespipeline._doors import NOTHING
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Counting, Rate
from salespipeline.metrics._result import Groups, Plain, Result, even, plain
from salespipeline.metrics.value import in_use
from salespipeline.pipelines import Outcome, Pipeline, StageKey, by_key
from salespipeline.rules import Way
from salespipeline.tallies import Stay, Tally, visits
from salespipeline.tallies._asking import asks

_STAYS = Counting[DealHistory](visits, None, None)


@frozen
class Move(Result):
    """How many deals went from one stage straight to another.

    Attributes:
        pipeline: The key of the pipeline left.
        stage: The key of the stage left.
        next_pipeline: The key of the pipeline entered.
        next_stage: The key of the stage entered.
        way: Forward, backward, or skipping open stages on the way forward; None where the two
            have no place in one order: parked and lost stages, reopenings, changes of pipeline.
        share: Such moves among all visits to the stage that ended.
    """

    pipeline: str
    stage: str
    next_pipeline: str
    next_stage: str
    way: Way | None
    share: Rate

    columns = ("pipeline", "stage", "next_pipeline", "next_stage", "way", "n", "share")

    @property
    def n(self) -> int:
        """How many such moves there are."""
        return self.share.numerator


@frozen
class StageFlow(Result):
    """What came of the visits to one stage: those that entered left again or are still there.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage.
        entered: The number of visits.
        left: How many of them ended.
        still_there: How many go on.
        moves: Where they went, the most frequent first.
    """

    pipeline: str
    stage: str
    entered: int
    left: int
    still_there: int
    moves: tuple[Move, ...]

    columns = ("pipeline", "stage", "entered", "left", "still_there")

    def rows(self) -> list[Plain]:
        """One row for each stage that deals went to; one without such where none left."""
        whole = plain({name: getattr(self, name) for name in self.columns})
        empty = plain({"next_pipeline": None, "next_stage": None, "way": None, "n": None})
        return even([whole | move.row() for move in self.moves] or [whole | empty])


@frozen
class Moves(Result):
    """All moves of deals from stage to stage.

    Attributes:
        stages: One entry per stage, in order.
    """

    stages: tuple[StageFlow, ...]

    columns = ("n", "backward", "skipping")

    def rows(self) -> list[Plain]:
        """One row for each stage and each stage that deals went to from there."""
        return even(row for stage in self.stages for row in stage.rows())

    @property
    def n(self) -> int:
        """How many moves there are."""
        return sum(stage.left for stage in self.stages)

    @property
    def backward(self) -> int:
        """How many moves went backward along the order of a pipeline."""
        return self._of(Way.BACKWARD)

    @property
    def skipping(self) -> int:
        """How many moves went forward past an open stage."""
        return self._of(Way.SKIP)

    def _of(self, way: Way) -> int:
        return sum(move.n for stage in self.stages for move in stage.moves if move.way is way)

    def of(self, stage: StageKey | str) -> StageFlow:
        """What came of the visits to one stage.

        Args:
            stage: Its key, or the keys of the pipeline and of the stage.

        Raises:
            UnknownKeyError: There is no such stage.
            InvalidValueError: Several pipelines have a stage with that key.
        """
        named = [each for each in self.stages if stage in (each.stage, (each.pipeline, each.stage))]
        if not named:
            raise UnknownKeyError("stage", stage, tuple(each.stage for each in self.stages))
        if len(named) > 1:
            several = ", ".join(repr(each.pipeline) for each in named)
            raise InvalidValueError("stage", (f"the pipelines {several} have one: name which",))
        return named[0]

    def share(self, stage: StageKey | str, next_stage: StageKey | str) -> Rate:
        """The moves from one stage straight to another, among all visits to it that ended.

        Args:
            stage: The stage left: its key, or the keys of the pipeline and of the stage.
            next_stage: The stage entered, likewise.

        Returns:
            The rate; of 0 of 0 where nothing has left the stage.

        Raises:
            UnknownKeyError: There is no such stage.
            InvalidValueError: Several pipelines have a stage with that key.
        """
        flow, other = self.of(stage), self.of(next_stage)
        entered = (other.pipeline, other.stage)
        found = (move.share for move in flow.moves if _entered(move) == entered)
        return next(found, Rate.of(0, flow.left))

    def matrix(self) -> dict[StageKey, dict[StageKey, int]]:
        """For each stage left, the number of moves to each stage, zeros included."""
        keys = [(each.pipeline, each.stage) for each in self.stages]
        moved = {
            (flow.pipeline, flow.stage): {_entered(move): move.n for move in flow.moves}
            for flow in self.stages
        }
        return {left: {entered: moved[left].get(entered, 0) for entered in keys} for left in keys}


def _entered(move: Move) -> StageKey:
    return move.next_pipeline, move.next_stage


@overload
def moves(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
) -> Moves: ...


@overload
def moves(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
) -> Groups[Hashable, Moves]: ...


@asks()
def moves(
    deals: Iterable[DealHistory] | Tally[Stay],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    level: float = 0.95,
) -> Moves | Groups[Hashable, Moves]:
    """Where deals go from each stage: how many moves there are to each other, and their share.

    Definition:
        Formula: moves from one stage straight to another ÷ visits to the first that ended.
        Denominator: every visit to the stage that ended, a deal's second and later ones too;
            visits that go on are counted apart, and are in no share.
        Window: none; all visits as of the instant.
        Bias: what is still there may yet go elsewhere than what left, so a share moves where
            some ways out are slower than others.
        Elsewhere: ClosingDealz counts direct moves only, as here; HubSpot's funnels and Bitrix
            count who reached a later stage however they came there.

    Args:
        deals: The histories of deals, or a tally of visits.
        as_of: The instant to judge from.
        by: A field of the deal to group by, as it was when the visit began.
        pipelines: Their stages come first, in order, those without a visit included, and their
            moves say which way they go; a visit to a retired stage counts for its successor.
        level: The confidence of the intervals.

    Returns:
        One entry per stage, closed stages included; stages of no pipeline given come last, in
        the order of their keys.

    Source: ActiveCampaign, What is a sales pipeline? (stage conversion rates).
    """
    known = by_key(pipelines)

    def finish(tally: Tally[Stay], level: float) -> Moves:
        return Moves(tuple(_flows(tally, known, level)))

    return _STAYS.measure(finish, deals, as_of, None, by, level)


def _flows(tally: Tally[Stay], known: Mapping[str, Pipeline], level: float) -> Iterator[StageFlow]:
    went: dict[StageKey, Counter[StageKey | None]] = {
        (pipeline.key, key): Counter() for pipeline in known.values() for key in pipeline.keys
    }
    ways = [
        (in_use(row.stage, known), row.next and in_use(row.next, known), count.n)
        for row, count in tally.rows.items()
    ]
    for each in sorted({each for here, after, _ in ways for each in (here, after) if each}):
        went.setdefault(each, Counter())
    for stage, after, n in ways:
        if after != stage:  # from a retired key to its successor is no move
            went[stage][after] += n
    places = {key: _places(pipeline) for key, pipeline in known.items()}
    for stage, counts in went.items():
        still_there = counts.pop(None, 0)
        yield _flow(stage, cast("Counter[StageKey]", counts), still_there, places, level)


def _flow(
    stage: StageKey,
    counts: Mapping[StageKey, int],
    still_there: int,
    places: Mapping[str, Mapping[str, int]],
    level: float,
) -> StageFlow:
    left = sum(counts.values())
    went = tuple(
        Move(*stage, *after, _way(stage, after, places), Rate.of(n, left, level))
        for after, n in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )
    return StageFlow(*stage, left + still_there, left, still_there, went)


def _places(pipeline: Pipeline) -> dict[str, int]:
    """The place of each open stage in the order; won stages stand behind the last of them."""
    ordered = [stage for stage in pipeline.stages if stage.outcome is Outcome.OPEN]
    places = {stage.key: n for n, stage in enumerate(each for each in ordered if not each.parked)}
    won = [key for key, outcome in pipeline.outcomes.items() if outcome is Outcome.WON]
    return places | dict.fromkeys(won, len(places))


def _way(stage: StageKey, after: StageKey, places: Mapping[str, Mapping[str, int]]) -> Way | None:
    """Which way a move goes: from an open stage along the order of its own pipeline, or None."""
    order = places.get(stage[0], NOTHING)
    here, there = order.get(stage[1]), order.get(after[1])
    won = max(order.values(), default=0)
    if after[0] != stage[0] or here is None or there is None or here == won:
        return None
    if there < here:
        return Way.BACKWARD
    return Way.FORWARD if there == here + 1 else Way.SKIP
