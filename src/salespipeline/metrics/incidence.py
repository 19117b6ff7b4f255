"""How likely each way to end is by an age, where there are several."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from math import sqrt
from operator import attrgetter
from typing import cast

from attrs import field, frozen

from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.intervals import Interval, check_level, wilson_share
from salespipeline.metrics._result import Plain, Result, plain
from salespipeline.metrics.outcomes import (
    CREATED,
    ages_of,
    check_age,
    risk_sets,
    usable,
)
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Tally

_SMALL = 1e-12


@frozen
class Ending:
    """One day on which something ended, of whatever cause.

    Attributes:
        day: The age in days.
        at_risk: How many were there and could end on that day.
        ended: By cause, how many did.
        before: The share estimated to have lasted until that day.
        incidence: By cause, the share estimated to have ended by it up to and with that day.
    """

    day: float
    at_risk: int
    ended: Mapping[str, int] = field(hash=False)
    before: float
    incidence: Mapping[str, float] = field(hash=False)

    @property
    def total(self) -> int:
        """How many ended on that day, of whatever cause."""
        return sum(self.ended.values())


@frozen
class Incidence(Result):
    """The share that ends by each cause up to an age, with those still there counted as such.

    The Aalen-Johansen estimate: what is open is at risk up to its age, and what ended otherwise
    can no longer end so. The shares of all causes, and of what is still there, sum to 1. Taking
    other causes for open, as one less a survival curve of a single cause does, says too much.

    Attributes:
        causes: The causes, in order.
        endings: Each day on which something ended, in order.
        n: How many were looked at.
        ended: By cause, how many ended.
        last_day: The greatest age seen, or None where n is 0.
        level: The confidence of the intervals.

    Source: Aalen and Johansen, Scandinavian Journal of Statistics 5 (1978) 141-150.
    """

    causes: tuple[str, ...]
    endings: tuple[Ending, ...]
    n: int
    ended: Mapping[str, int] = field(hash=False)
    last_day: float | None
    level: float

    columns = ("n", "ended", "last_day")

    def rows(self) -> list[Plain]:
        """One row for each day on which something ended and each cause."""
        return [
            plain(
                {
                    "day": ending.day,
                    "cause": cause,
                    "at_risk": ending.at_risk,
                    "ended": ending.ended[cause],
                    "incidence": ending.incidence[cause],
                    "interval": self.interval_at(cause, ending.day),
                }
            )
            for ending in self.endings
            for cause in self.causes
        ]

    @classmethod
    def of(
        cls,
        lives: Iterable[tuple[float, str | None] | tuple[float, str | None, float]],
        *,
        level: float = 0.95,
    ) -> "Incidence":
        """The estimate from plain durations.

        Args:
            lives: For each subject its age, the cause by which it ended at that age (None where
                it is still there), and, where it was not seen from the start, the age at which
                it was first seen.
            level: The confidence of the intervals.

        Raises:
            WrongTypeError: A life is no such pair or triple, or an age is no number.
            InvalidValueError: An age is negative or infinite.

        >>> curve = Incidence.of([(1, None), (2, "won"), (3, "won"), (4, "lost"), (5, "lost"),
        ...                       (6, None)])
        >>> round(curve.at("won", 6), 4), round(curve.at("lost", 6), 4)
        (0.4, 0.4)
        """
        given: object = lives
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise WrongTypeError("lives", "several pairs of an age and a cause or None", given)
        counts = Counter(map(_check_life, cast("Iterable[object]", given)))
        causes = tuple(dict.fromkeys(cause for _, _, cause in counts if cause is not None))
        return cls.of_counts(counts, causes=causes, level=level)

    @classmethod
    def of_counts(
        cls,
        counts: Mapping[tuple[float, float, str | None], int],
        *,
        causes: Iterable[str],
        level: float = 0.95,
        left_out: Mapping[str, int] | None = None,
    ) -> "Incidence":
        """The estimate from how many have each (age first seen, age, cause or None).

        Args:
            counts: How many; an age before the one first seen is left out, and counted.
            causes: The causes, in order; one that nothing ended by has a share of 0.
            level: The confidence of the intervals.
            left_out: How many were left out before, by reason.
        """
        named = tuple(causes)
        used, reasons = usable(counts, left_out)
        ended = {cause: sum(n for (_, _, by), n in used.items() if by == cause) for cause in named}
        last = max((age for _, age, _ in used), default=None)
        endings = tuple(_endings(used, named))
        n = sum(used.values())
        return cls(named, endings, n, ended, last, check_level(level), left_out=reasons)

    def at(self, cause: str, day: float) -> float | None:
        """The share that ended by a cause up to and with an age; None beyond the last age seen.

        Raises:
            UnknownKeyError: There is no such cause.
            SalesPipelineError: The age is no number from 0 on.
        """
        self._check(cause)
        if check_age(day) > (-1 if self.last_day is None else self.last_day):
            return None
        ending = self._ending(day)
        return 0.0 if ending is None else ending.incidence[cause]

    def open_at(self, day: float) -> float | None:
        """The share that lasts beyond an age; None beyond the greatest age seen."""
        shares = [self.at(cause, day) for cause in self.causes]
        beyond = check_age(day) > (-1 if self.last_day is None else self.last_day)
        return None if beyond else max(0.0, 1 - sum(share or 0.0 for share in shares))

    def at_risk(self, day: float) -> int:
        """How many were still there at the last ending up to an age; all before the first one.

        The fewer there are, the less the shares at that age say.
        """
        ending = self._ending(check_age(day))
        return self.n if ending is None else ending.at_risk

    def error_at(self, cause: str, day: float) -> float | None:
        """The standard error of a share, by Aalen's binomial form; None where it has no value."""
        share = self.at(cause, day)
        if share is None:
            return None
        variance = 0.0
        for each in self.endings:
            if each.day > day:
                break
            ahead, n, d = share - each.incidence[cause], each.at_risk, each.total
            own = each.ended[cause]
            variance += ahead**2 * d / (n * (n - d)) if n > d else 0.0
            variance += each.before**2 * own * (n - own) / n**3
            variance -= 2 * ahead * each.before * own / n**2
        return sqrt(max(variance, 0.0))

    def interval_at(self, cause: str, day: float) -> Interval | None:
        """Wilson's interval of a share, for as many trials as its variance is worth.

        Without open records it is Wilson's interval of the plain share. Where the share is 0 or
        1, as many trials count as were at risk. None where the share has no value.
        """
        share, error = self.at(cause, day), self.error_at(cause, day)
        if share is None or error is None or not self.n:
            return None
        if _SMALL < share < 1 - _SMALL and error > _SMALL:
            return wilson_share(share, share * (1 - share) / error**2, self.level)
        return wilson_share(round(share), self.at_risk(day), self.level)

    def _check(self, cause: object) -> None:
        if cause not in self.causes:
            raise UnknownKeyError("cause", cause, self.causes)

    def _ending(self, day: float) -> Ending | None:
        number = bisect_right(self.endings, day, key=attrgetter("day"))
        return self.endings[number - 1] if number else None


def _check_life(life: object) -> tuple[float, float, str | None]:
    """The age first seen, the age, and the cause, of what was given."""
    parts = list(cast("Iterable[object]", life)) if isinstance(life, tuple | list) else []
    cause = parts[1] if 2 <= len(parts) <= 3 else 0
    if cause is not None and not (isinstance(cause, str) and cause):
        raise WrongTypeError("lives", "pairs of an age and a cause or None", cast("object", life))
    entry = parts[2] if len(parts) == 3 else 0
    return check_age(entry), check_age(parts[0]), cause


def _endings(
    counts: Mapping[tuple[float, float, str | None], int], causes: tuple[str, ...]
) -> Iterable[Ending]:
    lasting, shares = 1.0, dict.fromkeys(causes, 0.0)
    for day, at_risk, ending in risk_sets(counts):
        ended = {cause: ending[cause] for cause in causes}
        before, over = lasting, sum(ended.values())
        shares = {c: shares[c] + before * ended[c] / at_risk for c in causes}
        lasting = 0.0 if over == at_risk else lasting * (1 - over / at_risk)
        yield Ending(day, at_risk, ended, before, shares)


@CREATED.figure
def cumulative_incidence(tally: Tally[Lifetime], level: float) -> Incidence:
    """The win rate as a curve: the share won, and the share lost, by each age of a deal.

    Open deals are at risk up to their age, so that young cohorts are not taken for bad ones and
    growth changes nothing; deals whose history begins late are at risk from there on. A period
    selects deals created in it; a group is the one at creation.

    Returns:
        The curves of ``won`` and ``lost``. Deals without a usable age are left out, by reason.
    """
    ages, left_out = ages_of(tally)
    counts = {
        (entry, age, None if outcome is Outcome.OPEN else outcome.value): n
        for (entry, age, outcome), n in ages.items()
    }
    causes = (Outcome.WON.value, Outcome.LOST.value)
    return Incidence.of_counts(counts, causes=causes, level=level, left_out=left_out)
