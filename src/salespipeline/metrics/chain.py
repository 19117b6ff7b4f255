"""Markov chains of counted moves: where they end, after how many steps, by what visits."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Generic, TypeVar, cast

from attrs import field, frozen

from salespipeline._doors import hashable, whole
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError, brief
from salespipeline.metrics._result import Plain, Result, even

S = TypeVar("S", bound=Hashable)
N = TypeVar("N", Fraction, float)


@frozen
class FromState(Result):
    """What a chain says of one state that is left again.

    Attributes:
        state: The state.
        absorbed: By absorbing state, the chance to end there, exact; None where it is unknown.
        steps: The mean number of steps until the end, this state's own included, exact; or None.
        visits: By state, the mean number of visits to it, the present one included; or None.
        why_not: Why they are unknown, or None.
    """

    state: Hashable
    absorbed: Mapping[Any, Fraction] | None = field(hash=False)
    steps: Fraction | None
    visits: Mapping[Any, Fraction] | None = field(hash=False)
    why_not: str | None = None

    columns = ("state", "absorbed", "steps", "why_not")


@frozen
class AbsorbingChain(Result, Generic[S]):
    """A Markov chain of counted moves between states, some of which are never left.

    Where a state leads next depends on it alone: not on the way there, nor on the time spent.
    The figures solve the chain's equations in fractions, by an elimination without subtraction.

    Attributes:
        transient: The states that are left, in the order in which they were first met.
        absorbing: The states that are not.
        counts: How many moves were counted, by state left and state entered.
        states: What it says of each transient state.

    Source: Grinstead and Snell, Introduction to Probability (1997), 11.2; Grassmann, Taksar and
        Heyman, Operations Research 33 (1985) 1107-1116, for the elimination.
    """

    transient: tuple[S, ...]
    absorbing: tuple[S, ...]
    counts: Mapping[tuple[S, S], int] = field(hash=False)
    states: tuple[FromState, ...]

    @classmethod
    def of(
        cls, counts: Mapping[tuple[S, S], int], *, absorbing: Iterable[S]
    ) -> "AbsorbingChain[S]":
        """The chain of how many moves were counted from each state to each other.

        Args:
            counts: How many, by state left and state entered; one that stays where it is counts.
            absorbing: The states that are never left.

        Raises:
            WrongTypeError: The counts are no mapping from pairs to whole numbers.
            InvalidValueError: A count is negative, or an absorbing state is left. All are named.

        >>> walk = {(1, 0): 1, (1, 2): 1, (2, 1): 1, (2, 3): 1, (3, 2): 1, (3, 4): 1}
        >>> chain = AbsorbingChain.of(walk, absorbing=[0, 4])
        >>> print(*chain.absorption(1).values(), chain.steps(1), chain.visits(1)[2])
        3/4 1/4 3 1
        """
        ends = hashable(absorbing, "absorbing")
        used = _checked(counts, ends)
        met = dict.fromkeys(state for move in used for state in move)
        transient = tuple(state for state in met if state not in ends)
        lost = _astray(used, transient, ends)
        solved = _solved(used, [state for state in transient if state not in lost], ends)
        states = tuple(
            FromState(state, None, None, None, lost[state])
            if state in lost
            else FromState(state, *solved[state])
            for state in transient
        )
        return cls(transient, tuple(dict.fromkeys(ends)), used, states)

    def rows(self) -> list[Plain]:
        """One row for each transient state."""
        return even(state.row() for state in self.states)

    def absorption(self, state: S) -> Mapping[S, Fraction] | None:
        """The chance to end in each absorbing state, exact; they sum to 1.

        Args:
            state: The state to start from; from an absorbing one it is sure.

        Returns:
            The chances, or None where some way from the state leads where nothing is known to
            go on from.

        Raises:
            UnknownKeyError: The chain has no such state.
        """
        if self._ends(state):
            return {end: Fraction(end == state) for end in self.absorbing}
        return self._from(state).absorbed

    def steps(self, state: S) -> Fraction | None:
        """The mean number of moves from a state until the end, exact; or None.

        Raises:
            UnknownKeyError: The chain has no such state.
        """
        return Fraction(0) if self._ends(state) else self._from(state).steps

    def visits(self, state: S) -> Mapping[S, Fraction] | None:
        """The mean number of visits to each transient state, from one of them, exact; or None.

        Raises:
            UnknownKeyError: The chain has no such state.
        """
        return dict[S, Fraction]() if self._ends(state) else self._from(state).visits

    def _ends(self, state: S) -> bool:
        return hashable((state,), "state")[0] in self.absorbing

    def _from(self, state: S) -> FromState:
        try:
            return self.states[self.transient.index(state)]
        except ValueError:
            known = (*self.transient, *self.absorbing)
            raise UnknownKeyError("state of the chain", state, known) from None


def _checked(counts: object, ends: tuple[S, ...]) -> dict[tuple[S, S], int]:
    """The moves that were counted at least once."""
    if not isinstance(counts, Mapping):
        raise WrongTypeError("counts", "a mapping from pairs of states to whole numbers", counts)
    faults: list[str] = []
    used: dict[tuple[S, S], int] = {}
    for move, n in cast("Mapping[object, object]", counts).items():
        pair = cast("tuple[S, ...]", move) if isinstance(move, tuple) else ()
        if len(pair) != 2:
            raise WrongTypeError("counts", "pairs of the state left and the one entered", pair)
        left, entered = pair
        if whole(n, "counts") < 0:
            faults.append(f"{brief(n)} moves from {brief(left)} to {brief(entered)}")
        elif n and left in ends:
            faults.append(f"the absorbing {brief(left)} is left for {brief(entered)}")
        elif n:
            used[left, entered] = cast("int", n)
    if faults:
        raise InvalidValueError("chain", tuple(faults))
    return used


def _astray(
    counts: Mapping[tuple[S, S], int], transient: Sequence[S], ends: Sequence[S]
) -> dict[S, str]:
    """The states that something may leave without ever coming to an end, each with the reason."""
    left = {state for state, _ in counts}
    ending = leading_to(counts, ends)
    stuck = [state for state in transient if state not in ending]
    why = {
        state: "no way leads to an end" if state in left else "nothing has left it yet"
        for state in stuck
    }
    for state in leading_to(counts, stuck).difference(stuck):
        why[state] = f"some go on to {brief(stuck[0])}, and nothing is known to end from there"
    return why


def leading_to(counts: Mapping[tuple[S, S], int], goals: Iterable[S]) -> set[S]:
    """The goals and all states from which one of them can be reached."""
    before: dict[S, list[S]] = {}
    for left, entered in counts:
        before.setdefault(entered, []).append(left)
    reached, waiting = set(goals), list(goals)
    while waiting:
        for state in before.get(waiting.pop(), ()):
            if state not in reached:
                reached.add(state)
                waiting.append(state)
    return reached


def _solved(
    counts: Mapping[tuple[S, S], int], inner: Sequence[S], ends: Sequence[S]
) -> dict[S, tuple[dict[S, Fraction], Fraction, dict[S, Fraction]]]:
    """For each state the chances of each end, the mean steps and the mean visits."""
    totals = Counter[S]()
    for (left, _), n in counts.items():
        totals[left] += n
    share = {(a, b): Fraction(n, totals[a]) for (a, b), n in counts.items()}
    none = Fraction(0)
    inside = [[share.get((a, b), none) for b in inner] for a in inner]
    out = [[share.get((a, end), none) for end in ends] for a in inner]
    wanted = [
        [*out[n], Fraction(1), *(Fraction(n == place) for place in range(len(inner)))]
        for n in range(len(inner))
    ]
    found = solve(inside, [sum(row, none) for row in out], wanted)
    k = len(ends)
    return {
        state: (
            dict(zip(ends, row[:k], strict=True)),
            row[k],
            dict(zip(inner, row[k + 1 :], strict=True)),
        )
        for state, row in zip(inner, found, strict=True)
    }


def solve(inside: list[list[N]], out: list[N], wanted: list[list[N]]) -> list[list[N]]:
    """What X is where X = inside · X + wanted, for a chain of which every state leads out.

    States are taken out one after the other, the last first, what led there going on to where
    it led. What a state keeps is never subtracted from 1 but summed from where else it leads,
    so that numbers of limited precision lose none of it.

    Args:
        inside: The share of each state that goes to each state; it is used up.
        out: The share of each state that ends; it is used up.
        wanted: The right-hand sides of each state; they are used up.
    """
    leaving: list[N] = []
    for k in reversed(range(len(inside))):
        away = sum(inside[k][:k], out[k])
        leaving.append(away)
        for i in range(k):
            if inside[i][k]:
                factor = inside[i][k] / away
                inside[i][:k] = [
                    a + factor * b for a, b in zip(inside[i], inside[k][:k], strict=False)
                ]
                out[i] += factor * out[k]
                wanted[i] = [a + factor * b for a, b in zip(wanted[i], wanted[k], strict=True)]
    found: list[list[N]] = []
    for k, away in enumerate(reversed(leaving)):
        row = wanted[k]
        for share, known in zip(inside[k], found, strict=False):
            row = [a + share * b for a, b in zip(row, known, strict=True)]
        found.append([each / away for each in row])
    return found
