"""How deals go from stage to stage, given the stage that they are in and the days in it."""

from collections.abc import Container, Mapping, Sequence
from itertools import accumulate
from math import exp, log
from operator import mul
from typing import NamedTuple, Self, cast

from attrs import evolve, field, frozen

from salespipeline.metrics._tracks import State
from salespipeline.pipelines import Outcome, StageKey

FEW_AT_RISK = 10
"""From the first age with fewer at risk on, the pooled rate of the last days holds."""

LAST_DAYS = 30
"""How many days before that age are pooled into that rate, with all days after it."""

FEW_EXITS = 30
"""A stage that was left less often says little of itself."""

LIFE: StageKey = ("", "")
"""What stands for the whole life of a deal, as if it were one stage; no stage has this key."""

_SMALL = 1e-13
_MOST_SWEEPS = 10_000


class Cell(NamedTuple):
    """Visits alike.

    Attributes:
        stage: The stage, or the whole life.
        length: Its whole days.
        to: Where the deal went, or None while it is still there.
    """

    stage: StageKey
    length: int
    to: State | None


@frozen(eq=False)
class Leaving:
    """How a stage is left.

    Attributes:
        visits: How many visits were seen.
        exits: How many of them ended.
        at_risk: By age, how many lasted until then; up to the age from which rates are pooled.
        rates: By where to, the share of those at risk that leaves at each age; the last one is
            the pooled rate, for that age and every later one.
        advance: The share of exits that are no loss.
    """

    visits: int
    exits: int
    at_risk: Sequence[int]
    rates: Mapping[State, Sequence[float]]
    advance: float

    @classmethod
    def of(cls, ends: Mapping[State | None, Mapping[int, int]]) -> Self:
        """From how many visits had each length, by where the deals went."""
        lasted: dict[int, int] = {}
        for lengths in ends.values():
            for length, n in lengths.items():
                lasted[length] = lasted.get(length, 0) + n
        visits = sum(lasted.values())
        sure = _ages_sure(lasted)
        at_risk = _at_risk(lasted, sure, visits)
        exits = {to: lengths for to, lengths in ends.items() if to is not None}
        since = max(0, sure - LAST_DAYS)
        exposed = sum(n * (length + 1 - since) for length, n in lasted.items() if length >= since)
        rates = {to: _rates(each, at_risk, since, exposed) for to, each in exits.items()}
        left = {to: sum(each.values()) for to, each in exits.items()}
        ended = sum(left.values())
        advance = 1 - left.get(Outcome.LOST, 0) / ended if ended else 1.0
        return cls(visits, ended, at_risk, rates, advance)

    @property
    def ages(self) -> int:
        """The age from which on the pooled rate holds."""
        return len(self.at_risk)

    def at_risk_at(self, age: int) -> int:
        """How many visits were under the rate of an age, on the first of the days it pools."""
        if age < self.ages:
            return self.at_risk[age]
        return self.at_risk[max(0, self.ages - LAST_DAYS)] if self.ages else self.visits

    def flow(self, start: int, days: int) -> "Flow":
        """What becomes of those there at an age, for so many days."""
        exact = range(min(start, self.ages), min(start + days, self.ages))
        pooled = days - len(exact)
        rates = {
            to: [*each[exact.start : exact.stop], *[each[-1]] * pooled]
            for to, each in self.rates.items()
        }
        going = [sum(each) for each in zip(*rates.values(), strict=True)] or [0.0] * days
        there = list(accumulate((1 - rate for rate in going), mul, initial=1.0))
        gone = {to: list(map(mul, there, each)) for to, each in rates.items()}
        return Flow(there, gone)

    def ends(self, age: int) -> dict[State, float]:
        """Where those there at an age will have gone in the end, by their shares.

        They sum to less than 1 where some never go, since nobody went of late.
        """
        flow = self.flow(age, max(0, self.ages - age))
        later = sum(each[-1] for each in self.rates.values())
        return {
            to: sum(flow.gone[to]) + (flow.there[-1] * each[-1] / later if later else 0.0)
            for to, each in self.rates.items()
        }

    def shocked(self, shift: float) -> Self:
        """With the share that advances shifted on the scale of log-odds."""
        if not 0 < self.advance < 1:
            return self
        odds = log(self.advance / (1 - self.advance)) + shift
        share = 1 / (1 + exp(-max(-700.0, min(700.0, odds))))
        on, off = share / self.advance, (1 - share) / (1 - self.advance)
        rates = {
            to: [rate * (off if to is Outcome.LOST else on) for rate in each]
            for to, each in self.rates.items()
        }
        over = [max(1.0, sum(each)) for each in zip(*rates.values(), strict=True)]
        kept = {
            to: [rate / most for rate, most in zip(each, over, strict=True)]
            for to, each in rates.items()
        }
        return evolve(self, rates=kept, advance=share)


def _ages_sure(lasted: Mapping[int, int]) -> int:
    """The first age with few at risk."""
    beyond = 0
    for length in sorted(lasted, reverse=True):
        beyond += lasted[length]
        if beyond >= FEW_AT_RISK:
            return length + 1
    return 0


def _at_risk(lasted: Mapping[int, int], ages: int, visits: int) -> list[int]:
    """How many lasted until each age."""
    ending = [0] * ages
    for length, n in lasted.items():
        if length < ages - 1:
            ending[length + 1] = n
    return [visits - gone for gone in accumulate(ending)]


def _rates(
    lengths: Mapping[int, int], at_risk: Sequence[int], since: int, exposed: int
) -> list[float]:
    ages = len(at_risk)
    rates = [0.0] * (ages + 1)
    pooled = 0
    for length, n in lengths.items():
        if length < ages:
            rates[length] = n / at_risk[length]
        if length >= since:
            pooled += n
    rates[ages] = pooled / exposed
    return rates


class Flow(NamedTuple):
    """What becomes of those there at an age.

    Attributes:
        there: The share still there before each day, and after the last.
        gone: By where to, the share that goes on each day.
    """

    there: list[float]
    gone: dict[State, list[float]]


@frozen(eq=False)
class Model:
    """How deals go from stage to stage.

    Attributes:
        stages: How each stage is left.
        stand_in: For stages that nothing has left, the age of the deals that enter them: what
            becomes of any deal of that age stands in for what becomes of one that enters them.
    """

    stages: Mapping[StageKey, Leaving]
    stand_in: Mapping[StageKey, int] = field(factory=dict[StageKey, int])

    @classmethod
    def of(cls, counts: Mapping[Cell, int], entered_at: Mapping[StageKey, int]) -> Self:
        """The model of how many visits are alike.

        Args:
            counts: How many, by what they are alike in.
            entered_at: The mean age of the deals that enter a stage; without it nothing comes of
                a stage that nothing has left.
        """
        stages = leaving(counts)
        unleft = [key for key, each in stages.items() if not each.exits]
        usable = LIFE in stages
        return cls(stages, {key: entered_at[key] for key in unleft if usable and key in entered_at})

    def refitted(self, counts: Mapping[Cell, int]) -> Self:
        """The same model of other visits; a stage without any keeps what it was."""
        return evolve(self, stages={**self.stages, **leaving(counts)})

    def shocked(self, shift: float) -> Self:
        """With the share that advances shifted in every stage, on the scale of log-odds."""
        if not shift:
            return self
        return evolve(self, stages={key: each.shocked(shift) for key, each in self.stages.items()})

    def within(self, days: int) -> "Within":
        """The chances of winning within so many days."""
        return Within(self, days)

    def of_own(self) -> list[StageKey]:
        """The stages that go by their own visits."""
        return [key for key in self.stages if key not in self.stand_in]

    def entering(self) -> dict[StageKey, float]:
        """The chance of ever winning, of a deal that enters a stage."""
        chances = dict.fromkeys(self.stages, 0.0)
        for key, age in self.stand_in.items():
            chances[key] = self.stages[LIFE].ends(age).get(Outcome.WON, 0.0)
        hops = {key: self.stages[key].ends(0) for key in self.of_own()}
        sweeps, moved = 0, 1.0
        while moved > _SMALL and sweeps < _MOST_SWEEPS:
            sweeps, before = sweeps + 1, dict(chances)
            for key, ends in hops.items():
                chances[key] = _worth(ends, chances)
            moved = max((abs(chances[key] - before[key]) for key in hops), default=0.0)
        return chances

    def ever(self, stage: StageKey, age: int, entering: Mapping[StageKey, float]) -> float:
        """The chance of ever winning, of a deal so many days in a stage.

        Args:
            stage: The stage, or the whole life.
            age: The days in it.
            entering: What `entering` gave.
        """
        return _worth(self.stages[stage].ends(age), entering)


def _worth(ends: Mapping[State, float], chances: Mapping[StageKey, float]) -> float:
    """The chance of winning of what ends so."""
    return sum(
        share * (chances.get(to, 0.0) if isinstance(to, tuple) else to is Outcome.WON)
        for to, share in ends.items()
    )


class Within:
    """The chances of winning within so many days, that of the origin or of the entry included.

    Of a deal that enters stage s with h days to go, W_s(h) is the sum, over where it may go and
    over the days x before h on which it may, of the chance that it goes there on that day, times
    W there with h - x days to go. Days are differences of calendar dates, which add up: nothing
    is lost on the day of a move, and several moves on one day take no day.

    Args:
        model: How deals go from stage to stage.
        days: The greatest number of days that will be asked for.
    """

    def __init__(self, model: Model, days: int) -> None:
        self._model, self.days = model, days
        self._flows = {key: each.flow(0, each.ages + days) for key, each in model.stages.items()}
        self._late = {key: each.flow(each.ages, days) for key, each in model.stages.items()}
        self._entered = self._entering()

    def entering(self, stage: StageKey, days: int) -> float:
        """The chance of a deal that enters a stage."""
        return self._entered[stage][days] if stage in self._entered else 0.0

    def standing(self, stage: StageKey, age: int, days: int) -> float:
        """The chance of a deal that has been in a stage, or alive, for some days."""
        if stage not in self._flows:
            return 0.0
        late = age >= self._model.stages[stage].ages
        flow, start = (self._late[stage], 0) if late else (self._flows[stage], age)
        chance = 0.0
        for to, gone in flow.gone.items():
            ahead = gone[start : start + days]
            if to is Outcome.WON:
                chance += sum(ahead)
            elif isinstance(to, tuple) and to in self._entered:
                chance += sum(map(mul, ahead, self._entered[to][days:0:-1]))
        return chance / flow.there[start]

    def _entering(self) -> dict[StageKey, list[float]]:
        """W of every stage, by the days to go."""
        entered = {
            key: [self.standing(LIFE, age, days) for days in range(self.days + 1)]
            for key, age in self._model.stand_in.items()
        }
        own = self._model.of_own()
        entered |= {key: [0.0] for key in own}
        hops = [_Hops.of(key, self._flows[key], entered) for key in own]
        for days in range(1, self.days + 1):  # ascending, so that deals may come back
            later = {hop.stage: hop.chance(days, entered) for hop in hops}
            for key, chance in _settled(days, hops, entered, later).items():
                entered[key].append(chance)
        return entered


class _Hops(NamedTuple):
    """Where those that enter a stage go from it.

    Attributes:
        stage: The stage.
        won: By day, the share that has been won by the end of it.
        ways: The share that goes on each day, by the open stage where it goes.
    """

    stage: StageKey
    won: list[float]
    ways: list[tuple[StageKey, list[float]]]

    @classmethod
    def of(cls, stage: StageKey, flow: Flow, known: Container[State]) -> Self:
        won = list(accumulate(flow.gone.get(Outcome.WON) or [0.0] * len(flow.there)))
        ways = [(to, gone) for to, gone in flow.gone.items() if to in known]
        return cls(stage, won, cast("list[tuple[StageKey, list[float]]]", ways))

    def chance(self, days: int, entered: Mapping[StageKey, Sequence[float]]) -> float:
        """The chance with so many days to go, but for what moves on the first day."""
        return self.won[days - 1] + sum(
            sum(map(mul, gone[1:days], entered[to][days - 1 : 0 : -1])) for to, gone in self.ways
        )


def _settled(
    days: int,
    hops: Sequence[_Hops],
    entered: Mapping[StageKey, Sequence[float]],
    later: Mapping[StageKey, float],
) -> dict[StageKey, float]:
    """The chances with what moves on the first day, which may come round to where it was."""
    now, moved, sweeps = dict.fromkeys(later, 0.0), 1.0, 0
    while moved > _SMALL and sweeps < _MOST_SWEEPS:
        moved, sweeps = 0.0, sweeps + 1
        for hop in hops:
            chance = later[hop.stage] + sum(
                gone[0] * (now[to] if to in now else entered[to][days]) for to, gone in hop.ways
            )
            moved = max(moved, abs(chance - now[hop.stage]))
            now[hop.stage] = chance
    return now


def leaving(counts: Mapping[Cell, int]) -> dict[StageKey, Leaving]:
    """How each stage is left, from how many visits are alike."""
    ends: dict[StageKey, dict[State | None, dict[int, int]]] = {}
    for (stage, length, to), n in counts.items():
        ends.setdefault(stage, {}).setdefault(to, {})[length] = n
    return {stage: Leaving.of(each) for stage, each in ends.items()}
