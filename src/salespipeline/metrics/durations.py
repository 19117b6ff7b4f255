"""How long deals live."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import accumulate
from typing import Literal, overload

from attrs import frozen

from salespipeline.errors import InvalidValueError
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval
from salespipeline.metrics._figure import Counting
from salespipeline.metrics._result import Groups, Result
from salespipeline.metrics.outcomes import CLOSED, Survival, days_per_unit
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome, StageKey
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes
from salespipeline.tallies._asking import asks
from salespipeline.tallies._cycles import cycles, stage_key

_FROM_STAGE = Counting[DealHistory](cycles, Moment.CLOSING, "closed", durations=True)
_NOW = Counting[DealHistory](lifetimes, Moment.AS_OF, None, durations=True)


@frozen
class Durations(Result):
    """How long something took, or how old something is.

    Attributes:
        n: How many have a usable duration.
        mean_days: Their mean, or None where n is 0.
        median_days: Their median, or None where n is 0.
    """

    n: int
    mean_days: float | None
    median_days: float | None

    columns = ("n", "mean_days", "median_days")

    @classmethod
    def of(
        cls, lengths: Mapping[int, int], days: float, left_out: Mapping[str, int]
    ) -> "Durations":
        """The durations of how many have each length in units of so many days."""
        n = sum(lengths.values())
        if not n:
            return cls(0, None, None, left_out=dict(left_out))
        mean = sum(length * count for length, count in lengths.items()) / n
        median = _median(lengths, n) * days
        return cls(n, mean * days, median, left_out=dict(left_out))


def _median(lengths: Mapping[int, int], n: int) -> float:
    """The middle length, or the mean of the two in the middle."""
    ordered = sorted(lengths)
    up_to = list(accumulate(lengths[length] for length in ordered))
    low, high = (ordered[bisect_right(up_to, rank)] for rank in ((n - 1) // 2, n // 2))
    return (low + high) / 2


def _check_start(start: object) -> StageKey | None:
    """The stage to count from; None for the opening."""
    return None if isinstance(start, str) and start == "opened" else stage_key(start)


@overload
def cycle_length(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    start: StageKey | Literal["opened"] = "opened",
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Durations: ...


@overload
def cycle_length(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    start: StageKey | Literal["opened"] = "opened",
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Durations]: ...


@asks(start=_check_start)
def cycle_length(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    start: StageKey | Literal["opened"] = "opened",
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Durations | Groups[Hashable, Durations]:
    """Days from opening, or from first entering a stage, to winning, of won deals.

    A reopened deal runs to its last close, the time in between included.

    Definition:
        Formula: mean and median of the closing date - the date of opening, or of first entering
            ``start``.
        Denominator: won deals; a deal without a usable length is left out by reason, one that
            never entered ``start`` as ``never_entered``.
        Window: winning in the period; all time without one. A group is the one at closing.
        Bias: too short while the pipeline is young or growing, since deals still open are not in
            it and the quick ones close first; `time_to_close` counts them.
        Elsewhere: most tools call this the sales cycle; they differ in where it starts (opening,
            lead, first meeting, a stage) and in whether lost deals are in it.

    Args:
        deals: The histories of deals, or a tally of lifetimes or of cycles.
        as_of: The instant to judge from.
        period: The period in which deals were won.
        by: A field of the deal to group by, as it was at closing.
        start: The keys of the pipeline and of the stage to count from; the opening if not given.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: Accepted as by every figure; there is no interval.

    Returns:
        How many, mean and median in days; None where there is none.

    Source: ActiveCampaign, What is a sales pipeline? (sales cycle length).
    """
    stage = _check_start(start)
    given = dict(deals.settings).get("start") if isinstance(deals, Tally) else stage
    if stage not in (None, given):
        raise InvalidValueError("tally", (f"it was counted from {given or 'the opening'}",))

    def finish(tally: Tally[Lifetime], _level: float) -> Durations:
        return _ended_in(tally, (Outcome.WON,))

    options: dict[str, object] = {"zone": zone, "resolution": resolution}
    if given is None:
        return CLOSED.measure(finish, deals, as_of, period, by, level, **options)
    return _FROM_STAGE.measure(finish, deals, as_of, period, by, level, **options, start=stage)


@CLOSED.figure
def deal_lifetime(tally: Tally[Lifetime], _level: float) -> Durations:
    """Days from opening to winning or losing, of closed deals.

    Definition:
        Formula: mean and median of the closing date - the date of opening.
        Denominator: won and lost deals; one without a usable length is left out by reason.
        Window: closing in the period; all time without one. A group is the one at closing.
        Bias: too short while the pipeline is young or growing, since deals still open are not in
            it; `time_to_close` counts them.
        Elsewhere: ActiveCampaign's average deal lifetime; HubSpot's ``days_to_close``.

    Source: ActiveCampaign, What is a sales pipeline? (average deal lifetime).
    """
    return _ended_in(tally, (Outcome.WON, Outcome.LOST))


@_NOW.figure
def deal_age(tally: Tally[Lifetime], _level: float) -> Durations:
    """Days from opening to the instant, of the deals that are open then.

    Definition:
        Formula: mean and median of the date of ``as_of`` - the date of opening.
        Denominator: open deals; one whose beginning is not known is left out by reason.
        Window: none: it is of the instant, and so is a group.
        Bias: longer than deals take, where a few old ones are never closed; shorter, where many
            were opened lately. A reopened deal is as old as its opening, closed time included.
        Elsewhere: Salesforce's ``AgeInDays``, which stops at the close.
    """
    return _ended_in(tally, (Outcome.OPEN,))


def _ended_in(tally: Tally[Lifetime], outcomes: Sequence[Outcome]) -> Durations:
    lengths, left_out = lengths_of(tally, outcomes)
    return Durations.of(lengths, days_per_unit(tally), left_out)


def lengths_of(
    tally: Tally[Lifetime], outcomes: Sequence[Outcome]
) -> tuple[Counter[int], Counter[str]]:
    """How many lived how long, and how many of unknown length there are, by reason."""
    lengths: Counter[int] = Counter()
    left_out: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.outcome not in outcomes:
            continue
        if row.age is None:
            left_out[str(row.why)] += count.n
        else:
            lengths[row.age] += count.n
    return lengths, left_out


def exact_days(resolution: timedelta | None) -> Fraction:
    """How many days one unit of duration is, exactly; None is a calendar day."""
    if resolution is None:
        return Fraction(1)
    microsecond = timedelta(microseconds=1)
    return Fraction(resolution // microsecond, timedelta(days=1) // microsecond)


def ended_by(curve: Survival, age: float) -> tuple[float | None, Interval | None]:
    """The share that has ended by an age, with its interval; None where nobody was seen so old."""
    share = curve.at(age)
    if share is None and curve.steps and curve.steps[-1].survival == 0:
        return 1.0, None  # the last one ended
    band = None if share is None else curve.interval_at(age)
    if share is None or band is None or band.low is None or band.high is None:
        return None if share is None else 1 - share, None
    return 1 - share, Interval(1 - band.high, 1 - band.low, band.level, band.method)
