"""How deals end, and how long they take to."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from math import sqrt
from operator import attrgetter
from typing import TypeVar, cast

from attrs import evolve, frozen

from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval, check_level, log_log, normal_quantile
from salespipeline.metrics._figure import Counting
from salespipeline.metrics._result import Plain, Result, Table, plain
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes
from salespipeline.tallies._lifetimes import endings

CLOSED = Counting[DealHistory](lifetimes, Moment.CLOSING, "closed", durations=True, clusters=True)
CREATED = Counting[DealHistory](
    lifetimes, Moment.CREATION, "created", durations=True, clusters=True
)

C = TypeVar("C")

_TOLERANCE = 1e-12


@evolve(CLOSED, lean=endings).rate
def win_rate_closed(row: Lifetime) -> bool | None:
    """Won deals among closed ones: the figure that most dashboards call the win rate.

    Open deals are in neither count. A period selects deals closed in it; a group, and a cluster,
    is the one at closing.

    Definition:
        Formula: won ÷ (won + lost).
        Denominator: deals closed in the period; a reopened deal is open.
        Window: closing in the period; all time without one.
        Bias: moves with growth, with slow losses and with losses that nobody marks, since open
            deals are in neither count: from .22 to .33 where the truth is .25 and selling does
            not change. `cumulative_incidence` and `win_probability` do not.
        Elsewhere: Oracle and most tools mean this by "win rate"; fivetran's dbt_salesforce takes
            amounts; Zoho's Motivator adds overdue and old deals to the denominator.

    With ``cluster``, a field such as ``account`` or ``owner``, the interval goes by how far its
    clusters differ, and is None with fewer than 5 of them; a deal without a value is a cluster of
    its own. Without it each deal is a trial of its own, and ``interval`` says ``wilson``, which it
    is if not given, or ``jeffreys``.

    Returns:
        The rate; where nothing closed its value and interval are None.

    Source: Newcombe, Statistics in Medicine 17 (1998) 857-872, and Brown, Cai and DasGupta,
        Statistical Science 16 (2001) 101-133, for the intervals.
    """
    return None if row.outcome is Outcome.OPEN else row.outcome is Outcome.WON


@evolve(CREATED, lean=endings).rate
def win_rate_created(row: Lifetime) -> bool | None:
    """Won deals among all deals created; open ones count as not won yet.

    A period selects deals created in it; a group, and a cluster, is the one at creation. A deal
    whose beginning is known only to have been by then counts.

    Definition:
        Formula: won ÷ created.
        Denominator: all deals created in the period, those still open included.
        Window: creation in the period; all time without one.
        Bias: low for a young cohort, whose deals have had less time; compare cohorts of like age.
        Elsewhere: Oracle's Salesforce metrics call this "conversion rate"; others "close rate".

    ``cluster`` and ``interval`` are as in `win_rate_closed`.

    Returns:
        The rate; without any deal its value and interval are None.
    """
    return row.outcome is Outcome.WON


@frozen
class Step:
    """One day on which something ended.

    Attributes:
        day: The age in days.
        at_risk: How many were there and could end on that day.
        ended: How many did.
        survival: The share estimated to last beyond that day.
        error: Its standard error by Greenwood's formula; None once the share is 0.
    """

    day: float
    at_risk: int
    ended: int
    survival: float
    error: float | None


@frozen
class Survival(Result):
    """The share that lasts beyond each age, with those still there counted as such.

    The Kaplan-Meier estimate: what is open is not taken for ended and not left out, but at risk
    up to its age. Ages may begin late: who was first seen at an age is at risk from it on.

    Attributes:
        steps: Each day on which something ended, in order.
        n: How many were looked at.
        ended: How many of them ended.
        last_day: The greatest age seen, or None where n is 0.
        level: The confidence of the intervals.

    Source: Kaplan and Meier, JASA 53 (1958) 457-481; Greenwood (1926) for the error.
    """

    steps: tuple[Step, ...]
    n: int
    ended: int
    last_day: float | None
    level: float

    columns = ("n", "ended", "median", "median_interval", "last_day")

    def rows(self) -> list[Plain]:
        """One row for each day on which something ended."""
        return [
            plain(
                {
                    "day": step.day,
                    "at_risk": step.at_risk,
                    "ended": step.ended,
                    "survival": step.survival,
                    "error": step.error,
                    "interval": self._band(step),
                }
            )
            for step in self.steps
        ]

    @classmethod
    def of(
        cls,
        lives: Iterable[tuple[float, bool] | tuple[float, bool, float]],
        *,
        level: float = 0.95,
    ) -> "Survival":
        """The estimate from plain durations.

        Args:
            lives: For each subject its age, whether it ended at that age, and, where it was
                not seen from the start, the age at which it was first seen.
            level: The confidence of the intervals.

        Raises:
            WrongTypeError: A life is no such pair or triple, or an age is no number.
            InvalidValueError: An age is negative or infinite.

        >>> curve = Survival.of([(9, True), (13, True), (13, False), (18, True)])
        >>> curve.at(13), curve.median
        (0.5, 13)
        """
        counts = distinct(lives, _check_life, "pairs of an age and whether it ended")
        return cls.of_counts(counts, level=level)

    @classmethod
    def of_counts(
        cls,
        counts: Mapping[tuple[float, float, bool], int],
        *,
        level: float = 0.95,
        left_out: Mapping[str, int] | None = None,
    ) -> "Survival":
        """The estimate from how many have each (age first seen, age, whether it ended).

        Args:
            counts: How many; an age before the one first seen is left out, and counted.
            level: The confidence of the intervals.
            left_out: How many were left out before, by reason.
        """
        used, reasons = usable(counts, left_out)
        ended = sum(n for (_, _, over), n in used.items() if over)
        last = max((age for _, age, _ in used), default=None)
        steps = tuple(_steps(used))
        n = sum(used.values())
        return cls(steps, n, ended, last, check_level(level), left_out=reasons)

    def at(self, day: float) -> float | None:
        """The share that lasts beyond an age; None beyond the greatest age seen.

        Raises:
            SalesPipelineError: The age is no number from 0 on.
        """
        if check_age(day) > (-1 if self.last_day is None else self.last_day):
            return None
        step = self._step(day)
        return 1.0 if step is None else step.survival

    def error_at(self, day: float) -> float | None:
        """The standard error of that share; None where it has none."""
        if self.at(day) is None:
            return None
        step = self._step(day)
        return 0.0 if step is None else step.error

    def interval_at(self, day: float) -> Interval | None:
        """The log-log interval of that share; None where it is 0 or 1, or has no value."""
        step = None if self.at(day) is None else self._step(day)
        return None if step is None else self._band(step)

    def quantile(self, share: float) -> float | None:
        """The first age by which at least so large a share ended; None where it is not reached.

        A share lasting that is off by no more than 1e-12 counts as reached, so that rounding
        moves nothing. Where the curve stands at exactly that share up to its next step, R's
        ``survfit`` says the middle between the two ages; this says the first.
        """
        bound = 1 - check_level(share, "share") + _TOLERANCE
        return next((step.day for step in self.steps if step.survival <= bound), None)

    def quantile_interval(self, share: float) -> Interval | None:
        """The interval of a quantile, by inverting the log-log band.

        Its ends are None where the data leave them open: a step at which nothing lasts any
        longer has no interval, and bounds nothing. Without any step it is None.

        Source: Brookmeyer and Crowley, Biometrics 38 (1982) 29-41.
        """
        bound = 1 - check_level(share, "share") + _TOLERANCE
        if not self.steps:
            return None
        bands = [(step.day, self._band(step)) for step in self.steps]
        low = next((day for day, band in bands if band and (band.low or 0) <= bound), None)
        high = next((day for day, band in bands if band and (band.high or 0) <= bound), None)
        return Interval(low, high, self.level, "log-log")

    @property
    def median(self) -> float | None:
        """The first age beyond which at most half last; None where that is not reached."""
        return self.quantile(0.5)

    @property
    def median_interval(self) -> Interval | None:
        """The interval of the median, as `quantile_interval` says it."""
        return self.quantile_interval(0.5)

    def hazards(self) -> Table["Hazard"]:
        """How likely what lasted until a day ends on it, day by day, and all of it together.

        Source: Nelson, Technometrics 14 (1972) 945-966; Aalen, Annals of Statistics 6 (1978)
            701-726, for the sum and its error.

        >>> hazards = Survival.of([(9, True), (13, True), (13, False), (18, True)]).hazards()
        >>> [(each.day, round(each.hazard, 3), round(each.cumulative, 3)) for each in hazards]
        [(9, 0.25, 0.25), (13, 0.333, 0.583), (18, 1.0, 1.583)]
        """
        return Table(_hazards(self.steps), self.as_of, self.period)

    def restricted_mean(self, days: float) -> "RestrictedMean | None":
        """The mean age up to a horizon: the area under the curve; what lasts longer counts as it.

        It needs no guess about the tail, so it is defined where the mean is not.

        Args:
            days: The horizon.

        Returns:
            The mean with its error; None where the curve has no value at the horizon.

        Raises:
            SalesPipelineError: The horizon is no number from 0 on.

        Source: Klein and Moeschberger, Survival Analysis (2003), section 4.5, for the error.

        >>> Survival.of([(9, True), (13, True), (13, False), (18, True)]).restricted_mean(18).days
        14.5
        """
        if self.at(days) is None and (not self.steps or self.steps[-1].survival > 0):
            return None
        steps = [step for step in self.steps if step.day <= days]
        ages = [0.0, *(step.day for step in steps), float(days)]
        shares = [1.0, *(step.survival for step in steps)]
        areas = [s * (b - a) for s, (a, b) in zip(shares, pairwise(ages), strict=True)]
        ahead, variance = 0.0, 0.0
        for step, area in zip(reversed(steps), reversed(areas[1:]), strict=True):
            ahead += area
            left = step.at_risk - step.ended
            variance += ahead**2 * step.ended / (step.at_risk * left) if left else 0.0
        return RestrictedMean(sum(areas), float(days), sqrt(variance), self.level)

    def _band(self, step: Step) -> Interval | None:
        return None if step.error is None else log_log(step.survival, step.error, self.level)

    def _step(self, day: float) -> Step | None:
        number = bisect_right(self.steps, day, key=attrgetter("day"))
        return self.steps[number - 1] if number else None


@frozen
class Hazard(Result):
    """How likely what lasted until a day ends on it.

    Attributes:
        day: The age in days.
        at_risk: How many were there and could end on that day.
        ended: How many did.
        hazard: The share of them.
        cumulative: The hazards up to and with that day together, the Nelson-Aalen estimate; it
            may be more than 1.
        error: The standard error of that sum, by Aalen's formula.
    """

    day: float
    at_risk: int
    ended: int
    hazard: float
    cumulative: float
    error: float

    columns = ("day", "at_risk", "ended", "hazard", "cumulative", "error")


def _hazards(steps: Iterable[Step]) -> Iterator[Hazard]:
    cumulative, variance = 0.0, 0.0
    for step in steps:
        hazard = step.ended / step.at_risk
        cumulative += hazard
        variance += hazard / step.at_risk
        yield Hazard(step.day, step.at_risk, step.ended, hazard, cumulative, sqrt(variance))


@frozen
class RestrictedMean(Result):
    """A mean up to a horizon.

    Attributes:
        days: The mean in days.
        horizon: The horizon in days.
        error: Its standard error.
        level: The confidence of the interval.
    """

    days: float
    horizon: float
    error: float
    level: float

    columns = ("days", "horizon", "error", "interval")

    @property
    def interval(self) -> Interval:
        """The normal interval of the mean, within 0 and the horizon."""
        reach = normal_quantile(self.level) * self.error
        low, high = max(0.0, self.days - reach), min(self.horizon, self.days + reach)
        return Interval(low, high, self.level, "normal")


def distinct(
    lives: object, check: Callable[[object], tuple[float, float, C]], kind: str
) -> Counter[tuple[float, float, C]]:
    """How many of each life there are; each is checked once, since of a million many are alike.

    Raises:
        WrongTypeError: There are not several of them.
    """
    if isinstance(lives, str) or not isinstance(lives, Iterable):
        raise WrongTypeError("lives", f"several {kind}", lives)
    several = cast("Iterable[object]", lives)
    given = several if isinstance(several, list | tuple) else list(several)
    try:
        alike = Counter(given)
    except TypeError:  # lists do as pairs, and cannot be counted as they are
        return Counter(map(check, given))
    counts = Counter[tuple[float, float, C]]()
    for life, n in alike.items():
        counts[check(life)] += n
    return counts


def _check_life(life: object) -> tuple[float, float, bool]:
    """The age first seen, the age, and whether it ended, of what was given."""
    parts = list(cast("Iterable[object]", life)) if isinstance(life, tuple | list) else []
    ended = parts[1] if 2 <= len(parts) <= 3 else None
    if not isinstance(ended, bool | int | float) or ended not in (False, True):
        raise WrongTypeError("lives", "pairs of an age and whether it ended", cast("object", life))
    entry = parts[2] if len(parts) == 3 else 0
    return check_age(entry), check_age(parts[0]), bool(ended)


def check_age(age: object, name: str = "age") -> float:
    """An age in days.

    Raises:
        WrongTypeError: It is no number.
        InvalidValueError: It is negative or infinite.
    """
    if isinstance(age, bool) or not isinstance(age, int | float):
        raise WrongTypeError(name, "a number of days", age)
    if not 0 <= age < float("inf"):
        raise InvalidValueError(name, (f"{brief(age)} is not a number from 0 on",))
    return age


def usable(
    counts: Mapping[tuple[float, float, C], int], left_out: Mapping[str, int] | None
) -> tuple[dict[tuple[float, float, C], int], dict[str, int]]:
    """The counts of ages not before the one first seen; and how many are left out, by reason."""
    late = sum(n for (entry, age, _), n in counts.items() if age < entry)
    reasons = dict(left_out or {}) | ({"entry_after_end": late} if late else {})
    return {key: n for key, n in counts.items() if key[1] >= key[0]}, reasons


def risk_sets(
    counts: Mapping[tuple[float, float, C], int],
) -> Iterator[tuple[float, int, Counter[C]]]:
    """Each day on which something ended, how many were at risk then, and how many ended by what.

    Args:
        counts: How many have each (age first seen, age, what they ended by), what is still there
            having something that is not true.
    """
    entering, leaving = Counter[float](), Counter[float]()
    ending: dict[float, Counter[C]] = {}
    for (entry, age, by), n in counts.items():
        entering[entry] += n
        leaving[age] += n
        if by and n:
            ending.setdefault(age, Counter())[by] += n
    at_risk = 0
    for day in sorted({*entering, *leaving}):
        at_risk += entering[day]
        if day in ending:
            yield day, at_risk, ending[day]
        at_risk -= leaving[day]


def _steps(counts: Mapping[tuple[float, float, bool], int]) -> Iterator[Step]:
    survival, greenwood = 1.0, 0.0
    for day, at_risk, ending in risk_sets(counts):
        ended = ending[True]
        survival *= 1 - ended / at_risk
        gone = ended == at_risk
        greenwood += 0.0 if gone else ended / (at_risk * (at_risk - ended))
        survival = 0.0 if gone else survival
        error = survival * sqrt(greenwood) if survival else None
        yield Step(day, at_risk, ended, survival, error)


@CREATED.figure
def time_to_close(tally: Tally[Lifetime], level: float) -> Survival:
    """How long deals take until they are won or lost, with open deals counted as still open.

    A period selects deals created in it; a group is the one at creation. The curves of groups do
    not add up to that of all, though their counts do.

    Definition:
        Formula: S(t) = ∏ (1 - ended ÷ at risk) over the days up to t; the median is the first
            day with S ≤ ½.
        Denominator: on each day the deals still open just before it, from the age on at which
            they were first seen.
        Window: creation in the period; all time without one.
        Bias: none where open deals are like closed ones of the same age; losses that nobody
            marks look patient for ever. The mean of closed deals alone, beside it, is too short,
            the more so the younger the pipeline.
        Elsewhere: no vendor known; the "sales cycle" of tools is `cycle_length`.

    Returns:
        The curve of the share still open after so many days; its median is the censoring-aware
        length of the cycle. Deals without a usable age are left out, by reason.
    """
    return survival_of(tally, level)


def survival_of(tally: Tally[Lifetime], level: float) -> Survival:
    """The survival curve of a tally of lifetimes, in days."""
    ages, left_out = ages_of(tally)
    counts: Counter[tuple[float, float, bool]] = Counter()
    for (entry, age, outcome), n in ages.items():
        counts[entry, age, outcome is not Outcome.OPEN] += n
    return Survival.of_counts(counts, level=level, left_out=left_out)


def ages_of(
    tally: Tally[Lifetime],
) -> tuple[Counter[tuple[float, float, Outcome]], Counter[str]]:
    """How many have each (entry, age, outcome), in days; and how many have no age, by reason."""
    return ages_ended(tally, attrgetter("outcome"))


def ages_ended(
    tally: Tally[Lifetime], by: Callable[[Lifetime], C]
) -> tuple[Counter[tuple[float, float, C]], Counter[str]]:
    """How many have each (entry, age, what they ended by); and how many have no age, by reason."""
    counts: Counter[tuple[float, float, C]] = Counter()
    left_out: Counter[str] = Counter()
    days = days_per_unit(tally)
    for row, count in tally.rows.items():
        if row.age is None:
            left_out[str(row.why)] += count.n
        else:
            counts[row.entry * days, row.age * days, by(row)] += count.n
    return counts, left_out


def days_per_unit(tally: Tally[Lifetime]) -> float:
    """How many days one unit of duration of a tally is."""
    return 1 if tally.resolution is None else tally.resolution.total_seconds() / 86400
