"""A model of stages learned from the ways deals took, and learned again from samples of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Self

from attrs import frozen

from salespipeline.metrics._semi_markov import LIFE, Cell, Model
from salespipeline.metrics._tracks import Track, left_out
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies import Why

if TYPE_CHECKING:
    from random import Random


def cells(track: Track) -> list[Cell]:
    """What one deal tells: its usable visits, and its whole life."""
    told = [Cell(visit.stage, visit.days, visit.to) for visit in track.passed if not visit.why]
    if track.age is not None:
        closed = None if track.outcome is Outcome.OPEN else track.outcome
        told.append(Cell(LIFE, track.age, closed))
    return told


def entered_at(found: Iterable[Track]) -> dict[StageKey, int]:
    """The mean age in whole days of the deals that enter each stage, where it is known."""
    ages: dict[StageKey, list[int]] = {}
    for track in found:
        for visit in track.passed if track.age is not None else ():
            if not visit.why:
                age = visit.left - visit.days - track.opened
                ages.setdefault(visit.stage, []).append(max(0, age))
    return {stage: sum(each) // len(each) for stage, each in ages.items()}


@frozen
class Stand:
    """Where an open deal stands.

    Attributes:
        deal: The id of the deal.
        stage: Its stage.
        age: Its whole days in the stage; at least so many, where the entry is unknown.
        deal_age: Its whole days since it was opened; None where that is not known.
        why: Why the days in the stage are not sure, or None.
    """

    deal: str
    stage: StageKey
    age: int
    deal_age: int | None
    why: Why | None

    @classmethod
    def of(cls, track: Track) -> "Stand":
        """Where the deal of a track stands, which must be open."""
        last = track.passed[-1]
        return cls(track.deal, last.stage, last.days, track.age, last.why)

    def asked(self, model: Model) -> tuple[StageKey, int] | None:
        """What to ask a model for it, the stage or the whole life, and at which age.

        None where nothing that it could be asked has ever ended.
        """
        own, life = model.stages.get(self.stage), model.stages.get(LIFE)
        aged = self.deal_age is not None and life is not None and life.exits > 0
        if self.deal_age is not None and aged and not (own and own.exits):
            return LIFE, self.deal_age
        return (self.stage, self.age) if own is not None and own.exits else None


@frozen(eq=False)
class Learned:
    """A model, and what it takes to fit it again to a sample of the same deals.

    Attributes:
        model: The model of all deals.
        kinds: What visits, and lives, are alike in.
        deals: For each deal, the places of its own among the kinds.
        left_out: How many visits were left out, by reason.
    """

    model: Model
    kinds: Sequence[Cell]
    deals: Sequence[tuple[int, ...]]
    left_out: Mapping[str, int]

    @classmethod
    def of(cls, found: Sequence[Track]) -> Self:
        """What the ways that deals took tell, in whatever order they are given."""
        told = [cells(track) for track in found]
        kinds = sorted({each for some in told for each in some}, key=_ordered)
        place = {kind: number for number, kind in enumerate(kinds)}
        deals = sorted(tuple(place[each] for each in some) for some in told if some)
        model = Model.of(_counted(kinds, deals), entered_at(found))
        return cls(model, kinds, deals, left_out(found))

    def counts(self) -> dict[Cell, int]:
        """How many visits, and lives, are alike."""
        return _counted(self.kinds, self.deals)

    def refits(self, number: int, rng: "Random") -> Iterator[Model]:
        """The model of samples of so many deals, drawn with replacement: of deals, not visits."""
        for _ in range(number):
            drawn = Counter(chain.from_iterable(rng.choices(self.deals, k=len(self.deals))))
            yield self.model.refitted({self.kinds[place]: n for place, n in drawn.items()})


def _counted(kinds: Sequence[Cell], deals: Sequence[tuple[int, ...]]) -> dict[Cell, int]:
    counted = Counter(chain.from_iterable(deals))
    return {kind: counted[number] for number, kind in enumerate(kinds)}


def _ordered(kind: Cell) -> tuple[StageKey, int, str]:
    return kind.stage, kind.length, str(kind.to)
