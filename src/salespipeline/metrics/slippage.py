"""How far the dates on which deals were expected to close can be relied on."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from itertools import accumulate
from math import sqrt
from typing import Any, overload

from attrs import field, frozen

from salespipeline._doors import choice
from salespipeline.errors import InvalidValueError
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval, check_level, normal_quantile
from salespipeline.metrics._figure import Amounts, Counting, Rate
from salespipeline.metrics._result import Groups, Plain, Result, Table, even, plain
from salespipeline.metrics.durations import Durations
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._due import Due, Ended, Expected, due, from_month

_DUE = Counting[DealHistory](due, None, "period")

_MONTH = Fraction(3_652_425, 120_000)  # the days of a month, over 400 calendar years
_TOLERANCE = 1e-12


@frozen
class DueEnd(Result):
    """The deals due in a period that ended it in one way.

    Attributes:
        ended: What became of them.
        share: Their share of all that were due.
        amounts: Their number, and their amounts as the period began.
    """

    ended: Ended
    share: Rate
    amounts: Amounts

    columns = ("ended", "share", "amounts")


@frozen
class Slippage(Result):
    """What became of the deals that were due in a period.

    Attributes:
        due: The deals that were due, and their amounts as the period began.
        ends: One entry for each thing that may become of a deal; their numbers sum to those due.
        is_over: Whether the period is over; until then what is still due may yet close in it.
        level: The confidence of the intervals.
    """

    due: Amounts
    ends: Table[DueEnd]
    is_over: bool
    level: float

    columns = ("due", "is_over", "slipped", "not_closed", "not_won")

    def rows(self) -> list[Plain]:
        """One row for each thing that became of them."""
        return even(plain({"is_over": self.is_over}) | end.row() for end in self.ends)

    def of(self, *ended: Ended | str) -> Rate:
        """The share of those due that ended in one of these ways.

        Raises:
            UnknownKeyError: Nothing ends so.
        """
        wanted = {choice(Ended, each, "ended") for each in ended}
        n = sum(end.amounts.n for end in self.ends if end.ended in wanted)
        return Rate.of(n, self.due.n, self.level)

    @property
    def slipped(self) -> Rate:
        """Those open and expected after the period, among those due."""
        return self.of(Ended.SLIPPED)

    @property
    def not_closed(self) -> Rate:
        """Those neither won nor lost in the period, among those due."""
        return self.of(Ended.SLIPPED, Ended.STILL_DUE, Ended.UNDATED, Ended.GONE)

    @property
    def not_won(self) -> Rate:
        """Those not won in the period, lost ones included, among those due."""
        return self.of(*(each for each in Ended if each is not Ended.WON))


@overload
def slippage(
    deals: Iterable[DealHistory] | Tally[Due],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Slippage: ...


@overload
def slippage(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    by: str,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Slippage]: ...


@asks()
def slippage(
    deals: Iterable[DealHistory] | Tally[Due],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: str | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Slippage | Groups[Hashable, Slippage]:
    """What became of the deals that were expected to close in a period when it began.

    Definition:
        Formula: deals that ended so ÷ deals due; won, lost, slipped, still due, undated and gone
            sum to those due.
        Denominator: deals open just before the period whose expected closing date, as known
            then, lies in it; a date belongs to the period in which it begins in the zone.
        Window: from the beginning of the period to its end, or to the instant if that is
            earlier, as known at the instant.
        Bias: deals opened in the period are not in it, and while the period runs what is still
            due may yet close. From present dates alone the share slipped is about 0, since a
            slipped deal says so no more.
        Elsewhere: `slipped` is the date moved out; `not_closed` is petavue's, neither won nor
            lost; `not_won` is getchief's, a loss counting as slipped.

    Args:
        deals: The histories of deals, or a tally of `due`.
        as_of: The instant to judge from; not before the period.
        period: The period, by whose beginning the dates are read.
        by: A field of the deal to group by, as it was just before the period. A group that had
            open deals in the period and none due has rates of 0 of 0.
        zone: The zone whose calendar dates count; that of the period.
        level: The confidence of the intervals.

    Raises:
        InvalidValueError: The period begins after the instant.
    """

    def finish(tally: Tally[Due], level: float) -> Slippage:
        return _slippage(tally, period, level)

    return _DUE.measure(finish, deals, as_of, period, by, level, zone=zone)


def _slippage(tally: Tally[Due], period: Period, level: float) -> Slippage:
    cohort = [(row, count) for row, count in tally.rows.items() if row.ended is not None]
    whole = Amounts.of((row.currency, count) for row, count in cohort)
    parts = (
        (ended, Amounts.of((row.currency, count) for row, count in cohort if row.ended is ended))
        for ended in Ended
    )
    ends = Table(DueEnd(ended, Rate.of(part.n, whole.n, level), part) for ended, part in parts)
    return Slippage(whole, ends, period.end <= tally.as_of, level)


@frozen
class PerMonth(Result):
    """How often something was done to deals, for each month that one is open.

    Attributes:
        moves: How often it was done.
        open_months: For how many months the deals were open, all together and exact.
        interval: The interval of the rate by the linearised ratio, at least 0; None for fewer
            than two deals, and where nothing was done.
    """

    moves: int
    open_months: Fraction
    interval: Interval | None

    columns = ("value", "moves", "open_months", "interval")

    @property
    def value(self) -> float | None:
        """How often for each month open, or None where no deal was open for a day."""
        return float(self.moves / self.open_months) if self.open_months else None


@frozen
class Pushes(Result):
    """How often the expected closing dates of open deals were moved.

    Attributes:
        pushed: The deals whose date was moved to a later day, among those open.
        by_day: Moves to a later day.
        by_month: Moves to a later calendar month.
        by_quarter: Moves to a later quarter.
        pull_ins: Moves to an earlier day.
        times: How many deals were moved to a later day so many times.
    """

    pushed: Rate
    by_day: PerMonth
    by_month: PerMonth
    by_quarter: PerMonth
    pull_ins: PerMonth
    times: Mapping[int, int] = field(hash=False)

    columns = ("pushed", "by_day", "by_month", "by_quarter", "pull_ins")


@overload
def pushes(
    deals: Iterable[DealHistory] | Tally[Due],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: None = None,
    first_month: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Pushes: ...


@overload
def pushes(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    by: str,
    first_month: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Pushes]: ...


@asks(first_month=from_month)
def pushes(
    deals: Iterable[DealHistory] | Tally[Due],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: str | None = None,
    first_month: int | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Pushes | Groups[Hashable, Pushes]:
    """How often the expected closing dates of open deals were moved in a period.

    Definition:
        Formula: moves of the date to a later day, month or quarter ÷ months open.
        Denominator: the months of the period that deals were open in it, of all deals open at
            some time in it; a month is 30.436875 days, a twelfth of a calendar year.
        Window: moves in the period, made while the deal was open. A date written at the very
            instant of a closing is no move, since systems write the closing itself there.
        Bias: by deal, old deals have had more chances; by month open they have not. Dates tend
            to be moved near the end of a month or quarter, so compare whole ones.
        Elsewhere: Salesforce's push count is by later month, over a deal's life; custom counters
            take any later day, or a later quarter.

    Args:
        deals: The histories of deals, or a tally of `due`.
        as_of: The instant to judge from; not before the period.
        period: The period that moves are taken from.
        by: A field of the deal to group by, as it was just before the period, or, for a deal
            opened in it, at the opening.
        first_month: The month that years, and so quarters, begin with; 1 if not given.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Returns:
        The moves; a deal that was deleted or voided, and one with a negative time open, is left
        out by reason.

    Raises:
        InvalidValueError: The period begins after the instant.
    """
    options = _options(deals, first_month=first_month)
    return _DUE.measure(_pushes, deals, as_of, period, by, level, zone=zone, **options)


def _options(deals: object, **asked: object) -> dict[str, object]:
    """What was asked for beside the usual, which a tally must have been counted with."""
    given = {name: value for name, value in asked.items() if value is not None}
    if isinstance(deals, Tally):
        counted = dict(deals.settings)
        faults = [
            f"it was counted with {name}={counted[name]!r}"
            for name, value in given.items()
            if name in counted and counted[name] != value
        ]
        if faults:
            raise InvalidValueError("tally", tuple(faults))
    return given


def _pushes(tally: Tally[Due], level: float) -> Pushes:
    used: list[tuple[Due, int, int]] = []
    left_out: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.open_days is None:
            left_out["gone" if row.outcome is None else "negative_duration"] += count.n
        else:
            used.append((row, row.open_days, count.n))
    times: Counter[int] = Counter()
    for row, _, n in used:
        times[row.later] += n
    by_day, by_month, by_quarter, pull_ins = (
        _per_month([(getattr(row, name), days, n) for row, days, n in used], level)
        for name in ("later", "later_month", "later_quarter", "earlier")
    )
    n, told = times.total(), {moved: times[moved] for moved in sorted(times)}
    pushed, reasons = Rate.of(n - times[0], n, level), dict(left_out)
    return Pushes(pushed, by_day, by_month, by_quarter, pull_ins, told, left_out=reasons)


def _per_month(counted: Iterable[tuple[int, int, int]], level: float) -> PerMonth:
    """The rate of moves to months open, of (moves, days open, how many deals)."""
    rows = list(counted)
    moves, days = (sum(row[part] * row[2] for row in rows) for part in (0, 1))
    n = sum(row[2] for row in rows)
    months = days / _MONTH
    if n < 2 or not moves or not days:
        return PerMonth(moves, months, None)
    rate = moves / days
    spread = sum(count * (moved - rate * open_) ** 2 for moved, open_, count in rows)
    value = float(moves / months)
    reach = normal_quantile(level) * sqrt(spread * n / (n - 1)) / float(months)
    low, high = max(0.0, value - reach), value + reach
    return PerMonth(moves, months, Interval(low, high, level, "linearised ratio"))


@frozen
class CloseDateError(Result):
    """How far closings lay from the dates on which they were expected.

    Attributes:
        n: How many closings have such a date.
        mean_days: The mean of the days that they came later, exact; early ones are negative.
            None where n is 0.
        median_days: The median of them, or None where n is 0.
        interval: The normal interval of the mean; None for fewer than two.
        days: How many came so many days later, in order.
        level: The confidence of the intervals.
    """

    n: int
    mean_days: Fraction | None
    median_days: float | None
    interval: Interval | None
    days: Mapping[int, int] = field(hash=False)
    level: float

    columns = ("n", "mean_days", "interval", "median_days", "early", "on_time", "late")

    @property
    def early(self) -> Rate:
        """Those that closed before the day."""
        return self._share(-1)

    @property
    def on_time(self) -> Rate:
        """Those that closed on the day."""
        return self._share(0)

    @property
    def late(self) -> Rate:
        """Those that closed after the day."""
        return self._share(1)

    def _share(self, sign: int) -> Rate:
        n = sum(n for days, n in self.days.items() if (days > 0) - (days < 0) == sign)
        return Rate.of(n, self.n, self.level)

    def quantile(self, share: float) -> int | None:
        """The least days within which so large a share came; None where n is 0."""
        needed = check_level(share, "share") * self.n - _TOLERANCE
        up_to = zip(self.days, accumulate(self.days.values()), strict=True)
        return next((days for days, n in up_to if n >= needed), None)


def _closed_as(outcome: object) -> Outcome | None:
    """How deals closed; None for either way."""
    wanted = None if outcome is None else choice(Outcome, outcome, "outcome")
    if wanted is Outcome.OPEN:
        raise InvalidValueError("outcome", ("an open deal has not closed",))
    return wanted


@overload
def close_date_error(
    deals: Iterable[DealHistory] | Tally[Due],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: None = None,
    expected_at: Expected | str | None = None,
    days_before: int | None = None,
    outcome: Outcome | str | None = Outcome.WON,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> CloseDateError: ...


@overload
def close_date_error(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    by: str,
    expected_at: Expected | str | None = None,
    days_before: int | None = None,
    outcome: Outcome | str | None = Outcome.WON,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, CloseDateError]: ...


@asks(outcome=_closed_as, expected_at=Expected)
def close_date_error(
    deals: Iterable[DealHistory] | Tally[Due],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: str | None = None,
    expected_at: Expected | str | None = None,
    days_before: int | None = None,
    outcome: Outcome | str | None = Outcome.WON,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> CloseDateError | Groups[Hashable, CloseDateError]:
    """How many days later than expected deals closed in a period.

    Definition:
        Formula: the date of the closing less the date expected at a stated time, in calendar
            days.
        Denominator: deals that closed so in the period and had such a date; those without one
            are left out by reason: undated, opened later, start unknown.
        Window: closing in the period; the expectation is the one known when the period began,
            at the opening, or so many days before the closing, and never one written by the
            closing itself.
        Bias: of closed deals only, so slow deals are missing while they are open: the error of a
            young pipeline is too small.
        Elsewhere: HubSpot overwrites the expected date with the closing, so that the error of
            present values is always 0 there.

    Args:
        deals: The histories of deals, or a tally of `due`.
        as_of: The instant to judge from; not before the period.
        period: The period that closings are taken from.
        by: A field of the deal to group by, as it was just before the period, or, for a deal
            opened in it, at the opening.
        expected_at: Which expectation to take; the one when the period began if not given.
        days_before: How many days before the closing, for ``before_closing`` only.
        outcome: Won or lost; None for both.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Raises:
        InvalidValueError: The period begins after the instant, the days before the closing are
            missing, needless or absurd, or the outcome is open.
    """
    wanted = _closed_as(outcome)

    def finish(tally: Tally[Due], level: float) -> CloseDateError:
        return _error(tally.where(lambda row: wanted in (None, row.outcome)), level)

    options = _options(deals, expected_at=expected_at, days_before=days_before)
    return _DUE.measure(finish, deals, as_of, period, by, level, zone=zone, **options)


def _error(tally: Tally[Any], level: float) -> CloseDateError:
    days: Counter[int] = Counter()
    left_out: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.error is not None:
            days[row.error] += count.n
        elif row.why is not None:
            left_out[str(row.why)] += count.n
    n = days.total()
    ordered, reasons = dict(sorted(days.items())), dict(left_out)
    if not n:
        return CloseDateError(0, None, None, None, ordered, level, left_out=reasons)
    mean = Fraction(sum(each * times for each, times in days.items()), n)
    median = Durations.of(ordered, 1, {}).median_days
    interval = _normal(mean, ordered, n, level)
    return CloseDateError(n, mean, median, interval, ordered, level, left_out=reasons)


def _normal(mean: Fraction, days: Mapping[int, int], n: int, level: float) -> Interval | None:
    """The normal interval of a mean of so many."""
    if n < 2:
        return None
    spread = sum(times * (each - mean) ** 2 for each, times in days.items())
    error = normal_quantile(level) * sqrt(spread / (n - 1) / n)
    return Interval(float(mean) - error, float(mean) + error, level, "normal")
