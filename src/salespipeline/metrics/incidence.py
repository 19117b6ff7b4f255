"""How likely each way to end is by an age, where there are several."""

from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from math import prod, sqrt
from operator import attrgetter
from typing import cast, overload

from attrs import field, frozen

from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval, check_level, wilson_share
from salespipeline.metrics._result import Groups, Plain, Result, plain
from salespipeline.metrics.outcomes import (
    CREATED,
    ages_ended,
    check_age,
    distinct,
    risk_sets,
    usable,
)
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._lifetimes import Causes, check_causes

_SMALL = 1e-12
_FEW = 10


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
    other causes for open, as one less a survival curve of a single cause does, says too much:
    that figure is there as `naive_at`.

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
        counts = distinct(lives, _check_life, "pairs of an age and a cause or None")
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

    def quantile(self, cause: str, share: float) -> float | None:
        """The first age by which at least a share ended by a cause; None where that is not reached.

        The shares of a cause need not come near 1: a quarter of deals may never be won, however
        long one waits.

        Raises:
            UnknownKeyError: There is no such cause.
            SalesPipelineError: The share is not between 0 and 1.
        """
        self._check(cause)
        least = check_level(share, "share") - _SMALL
        return next((each.day for each in self.endings if each.incidence[cause] >= least), None)

    def naive_at(self, cause: str, day: float) -> float | None:
        """One less the survival of a single cause, others taken for open: it says too much.

        It is the share that would end by the cause if nothing ever ended otherwise, which is not
        what happens: the naive figures of all causes may sum to more than 1. Kept beside `at` to
        show by how much tools that compute it overstate.

        Source: Scrucca, Santucci and Aversa, Bone Marrow Transplantation 40 (2007) 381-387.
        """
        if self.at(cause, day) is None:
            return None
        return 1 - prod(
            1 - each.ended[cause] / each.at_risk for each in self.endings if each.day <= day
        )

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


@overload
def cumulative_incidence(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    causes: Mapping[str, Collection[str]] | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Incidence: ...


@overload
def cumulative_incidence(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    causes: Mapping[str, Collection[str]] | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Incidence]: ...


@asks(causes=check_causes)
def cumulative_incidence(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    causes: Mapping[str, Collection[str]] | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Incidence | Groups[Hashable, Incidence]:
    """The win rate as a curve: the share won, and the share lost, by each age of a deal.

    A period selects deals created in it; a group is the one at creation. The counts of groups add
    up to those of all; their curves do not.

    Definition:
        Formula: F(t) = Σ S(before) × won ÷ at risk over the days up to t, S being the share still
            open; for each way to end alike.
        Denominator: on each day the deals still open just before it, from the age on at which
            they were first seen.
        Window: creation in the period; all time without one.
        Bias: none by growth, by slow losses or by losses that nobody marks, where open deals are
            like closed ones of the same age.
        Elsewhere: funnelcast's "win rates are curves"; no vendor known.

    Args:
        deals: The histories of deals, or a tally of lifetimes, which has the causes that it was
            counted with.
        as_of: The instant to judge from.
        period: The period that the deals were created in; all time if not given.
        by: A field of the deal to group by.
        causes: Further ways to end beside won and lost, each with the reasons of a lost deal that
            mean it, such as ``{"no_decision": ["no decision", "budget frozen"]}``; a loss for
            another reason, or none, stays lost.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Returns:
        The curves of ``won``, ``lost`` and the causes given. Deals without a usable age are left
        out, by reason.

    Source: Aalen and Johansen, Scandinavian Journal of Statistics 5 (1978) 141-150.
    """
    options = {"zone": zone, "resolution": resolution, "causes": dict(check_causes(causes))}
    return CREATED.measure(_curves, deals, as_of, period, by, level, **options)


def _curves(tally: Tally[Lifetime], level: float) -> Incidence:
    counts, left_out = ages_ended(tally, _ending_of)
    further = cast("Causes", dict(tally.settings).get("causes", ()))
    causes = (Outcome.WON.value, Outcome.LOST.value, *(name for name, _ in further))
    return Incidence.of_counts(counts, causes=causes, level=level, left_out=left_out)


def _ending_of(row: Lifetime) -> str | None:
    return None if row.outcome is Outcome.OPEN else row.cause or row.outcome.value


@frozen
class WinProbability(Result):
    """The share of deals won within so many days of creation.

    Attributes:
        value: The share, from 0 to 1; None where no deal was seen for so long.
        interval: Its interval, or None where there is no value.
        horizon_days: The days.
        n: How many deals were looked at.
        at_risk: How many of them were still open on the last of these days.
        few_at_risk: Whether fewer than 10 were, though not all is known: the interval is then
            wide, and a few deals move the share.
    """

    value: float | None
    interval: Interval | None
    horizon_days: float
    n: int
    at_risk: int
    few_at_risk: bool

    columns = ("value", "interval", "horizon_days", "n", "at_risk", "few_at_risk")


@overload
def win_probability(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    horizon_days: float,
    period: Period | None = None,
    by: None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> WinProbability: ...


@overload
def win_probability(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    horizon_days: float,
    period: Period | None = None,
    by: str,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, WinProbability]: ...


@asks(horizon_days=partial(check_age, name="horizon_days"))
def win_probability(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    horizon_days: float,
    period: Period | None = None,
    by: str | None = None,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> WinProbability | Groups[Hashable, WinProbability]:
    """The share of deals won within so many days of creation, with open deals counted as open.

    One number of `cumulative_incidence`, for where a curve is too much: the third win rate beside
    `win_rate_closed` and `win_rate_created`. A period selects deals created in it; a group is the
    one at creation.

    Definition:
        Formula: F(horizon) of the curve of won deals.
        Denominator: on each day up to the horizon the deals still open just before it.
        Window: creation in the period; all time without one.
        Bias: none by growth, by slow losses or by losses that nobody marks; it says nothing of
            what is won after the horizon.
        Elsewhere: the D-day close rate; no vendor known.

    Args:
        deals: The histories of deals, or a tally of lifetimes.
        as_of: The instant to judge from.
        horizon_days: Within how many days, such as 365.
        period: The period that the deals were created in; all time if not given.
        by: A field of the deal to group by.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the interval.

    Returns:
        The share with its interval; None where no deal was seen for so long and some are open.

    Raises:
        SalesPipelineError: The horizon is no number from 0 on.
    """
    horizon = check_age(horizon_days, "horizon_days")

    def finish(tally: Tally[Lifetime], level: float) -> WinProbability:
        return _within(_curves(tally, level), tally, horizon)

    options = {"zone": zone, "resolution": resolution}
    return CREATED.measure(finish, deals, as_of, period, by, level, **options)


def _within(curve: Incidence, tally: Tally[Lifetime], horizon: float) -> WinProbability:
    won, last = Outcome.WON.value, curve.last_day
    counts, _ = usable(ages_ended(tally, _ending_of)[0], None)
    at_risk = sum(n for (entry, age, _), n in counts.items() if entry <= horizon <= age)
    whole = all(not entry and (by or age >= horizon) for entry, age, by in counts)
    day = last if last is not None and whole and last < horizon else horizon
    return WinProbability(
        curve.at(won, day),
        curve.interval_at(won, day),
        horizon,
        curve.n,
        at_risk,
        at_risk < _FEW and not whole,
        left_out=curve.left_out,
    )
