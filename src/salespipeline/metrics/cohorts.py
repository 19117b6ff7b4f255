"""How many of the deals that began together are won by each age."""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import UTC, date, datetime, tzinfo
from typing import cast, overload

from attrs import evolve, frozen

from salespipeline._doors import choice, instances, repeated, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval
from salespipeline.metrics._figure import Counting, Rate
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics.incidence import WinProbability, win_probability
from salespipeline.metrics.outcomes import CLOSED, CREATED
from salespipeline.periods import Period, midnight, on
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes
from salespipeline.tallies._asking import asks
from salespipeline.tallies._lifetimes import endings

_LONGEST = 36_525
_HORIZON_NOT_OVER = "horizon_not_over"
_ENTERED_LATE = "entered_late"


@frozen
class CohortCell(Result):
    """The share of a cohort that was won by an age.

    Attributes:
        cohort: The period in which its deals were created.
        age_days: The age.
        created: How many deals it has.
        mature: Whether every deal that can be in it has been that old.
        observed: The plain share won by then; None where it is not mature, or where deals are
            known only from an age on, so that those lost before are not there to be counted.
        estimate: The share with open deals counted as open, where there is no plain one.
    """

    cohort: Period
    age_days: int
    created: int
    mature: bool
    observed: Rate | None
    estimate: WinProbability | None

    columns = ("cohort", "age_days", "created", "mature", "share", "interval", "at_risk")

    @property
    def share(self) -> float | None:
        """The share won by that age, plain or estimated; None where nothing can be said."""
        if self.observed is not None:
            return self.observed.value
        return None if self.estimate is None else self.estimate.value

    @property
    def interval(self) -> Interval | None:
        """The interval of that share."""
        if self.observed is not None:
            return self.observed.interval
        return None if self.estimate is None else self.estimate.interval

    @property
    def at_risk(self) -> int | None:
        """How many deals an estimate still had at that age; None where the share is plain."""
        return None if self.estimate is None else self.estimate.at_risk


def _check_ages(ages: object, name: str = "ages") -> tuple[int, ...]:
    if isinstance(ages, str | bytes | bytearray) or not isinstance(ages, Iterable):
        raise WrongTypeError(name, "several whole numbers of days", ages)
    days = tuple(whole(age, name) for age in cast("Iterable[object]", ages))
    faults = [f"{brief(age)} days are not 0 to {_LONGEST:,}" for age in days
              if not 0 <= age <= _LONGEST]  # fmt: skip
    faults += [f"{brief(age)} occurs twice" for age in repeated(days)]
    if faults or not days:
        raise InvalidValueError(name, tuple(faults) or ("there is none",))
    return days


@overload
def cohort_table(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    periods: Iterable[Period] = (),
    ages: Iterable[int] = (30, 60, 90),
    by: None = None,
    by_at: Moment | str = Moment.CREATION,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Table[CohortCell]: ...


@overload
def cohort_table(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    periods: Iterable[Period],
    ages: Iterable[int] = (30, 60, 90),
    by: str,
    by_at: Moment | str = Moment.CREATION,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Table[CohortCell]]: ...


@asks(ages=_check_ages)
def cohort_table(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    periods: Iterable[Period] = (),
    ages: Iterable[int] = (30, 60, 90),
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Table[CohortCell] | Groups[Hashable, Table[CohortCell]]:
    """The share of the deals created in each period that was won by each age.

    Read a column from top to bottom: cohorts are compared at one age. A cell whose cohort is old
    enough has the plain share; another one has an estimate in which open deals count as open.

    Definition:
        Formula: won by the age ÷ created in the period; where the cohort is not yet that old, the
            Aalen-Johansen estimate of the same share.
        Denominator: deals created in the period whose age is known, open and lost ones included.
        Window: creation in each period; a cell is mature once the age of the last deal that can
            be in it is over.
        Bias: none in a mature cell; none by youth in another, where open deals are like closed
            ones of the same age, and wide where few are at risk.
        Elsewhere: cohort tables of most tools count open deals as not won, so that the last rows
            always look worse.

    Args:
        deals: The histories of deals, or a tally of lifetimes that was counted with periods.
        as_of: The instant to judge from.
        periods: The cohorts' periods, such as months, in order; those of the tally if not given.
        ages: The ages in whole calendar days.
        by: A field of the deal to group by, such as the source or the owner.
        by_at: When to read that field.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Returns:
        One entry per period and age, in order, those of periods without a deal included. Deals
        without a usable age are left out, by reason.

    Raises:
        InvalidValueError: There is no period or no age, an age is not 0 to 36,525 days or occurs
            twice, or periods are out of order.

    Source: Aalen and Johansen, Scandinavian Journal of Statistics 5 (1978) 141-150.
    """
    cohorts, days = instances(Period, periods, "periods"), _check_ages(ages)

    def finish(tally: Tally[Lifetime], level: float) -> Table[CohortCell]:
        wanted = cohorts or tally.periods
        if not wanted:
            raise InvalidValueError("periods", ("there is none",))
        _check_in_days(tally)
        parts = [(cohort, CREATED.select(tally, cohort)) for cohort in wanted]
        return Table(_cell(part, cohort, age, level) for cohort, part in parts for age in days)

    counting = Counting[DealHistory](lifetimes, choice(Moment, by_at, "by_at"), None)
    options = {"zone": zone, "periods": cohorts}
    return counting.measure(finish, deals, as_of, None, by, level, **options)


def _check_horizon(days: object) -> int:
    return _check_ages((days,), "horizon_days")[0]


def _check_in_days(tally: Tally[Lifetime]) -> None:
    if tally.resolution is not None:
        fault = f"it was counted with the resolution {tally.resolution}, and ages here are days"
        raise InvalidValueError("tally", (fault,))


def _cell(part: Tally[Lifetime], cohort: Period, age: int, level: float) -> CohortCell:
    mature, whole_lives = _is_mature(part, cohort, age), _is_whole(part)
    plain = mature and whole_lives
    observed = _won_by(part, age, level) if plain else None
    estimate = None if plain else win_probability(part, horizon_days=age, level=level)
    known = estimate or observed
    left_out = dict[str, int]() if known is None else known.left_out
    return CohortCell(cohort, age, part.n, mature, observed, estimate, left_out=left_out)


def _is_mature(tally: Tally[Lifetime], cohort: Period, age: int) -> bool:
    """Whether the age of a deal created in the last instant of a period is over."""
    over = on(cohort.end - datetime.resolution, tally.zone).toordinal() + age + 1
    if over > min(tally.as_of.toordinal() + 1, date.max.toordinal()):
        return False
    return midnight(date.fromordinal(over), tally.zone) <= tally.as_of


def _is_whole(tally: Tally[Lifetime]) -> bool:
    """Whether every deal is known from its beginning on."""
    return not any(row.entry for row in tally.rows if row.age is not None)


def _won_by(tally: Tally[Lifetime], age: int, level: float) -> Rate:
    """Those won by an age, among all whose age is known."""
    won = known = 0
    left_out = Counter[str]()
    for row, count in tally.rows.items():
        if row.age is None:
            left_out[str(row.why)] += count.n
            continue
        known += count.n
        won += count.n if _is_won(row) and row.age <= age else 0
    return evolve(Rate.of(won, known, level), left_out=dict(left_out))


@overload
def cohort_rate(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period,
    horizon_days: int | None = None,
    by: None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Rate: ...


@overload
def cohort_rate(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    horizon_days: int | None = None,
    by: str,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Rate]: ...


@asks(horizon_days=_check_horizon)
def cohort_rate(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period,
    horizon_days: int | None = None,
    by: str | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Rate | Groups[Hashable, Rate]:
    """Of the deals created in a period, how many were won: by now, or within so many days each.

    Definition:
        Formula: won ÷ created, both of the deals created in the period.
        Denominator: deals created in the period, open and lost ones included; with a horizon,
            those whose age is known.
        Window: creation in the period; winning by the instant, or within the horizon.
        Bias: by now, low for a young cohort; within a horizon none.
        Elsewhere: Oracle's Salesforce metrics call it "conversion rate"; `same_period_rate` is
            the ratio that dashboards show instead.

    Args:
        deals: The histories of deals, or a tally of lifetimes.
        as_of: The instant to judge from.
        period: The period that the deals were created in.
        horizon_days: Within how many calendar days of creation; by the instant if not given.
        by: A field of the deal to group by, as it was at creation.
        zone: The zone whose calendar dates make days.
        level: The confidence of the interval.

    Returns:
        The rate. With a horizon that is not over yet for the whole period, or of deals known
        only from an age on, it is a rate of 0 of 0 and says why: `win_probability` can estimate.

    Raises:
        InvalidValueError: The horizon is not 0 to 36,525 days.
    """
    horizon = None if horizon_days is None else _check_horizon(horizon_days)

    def finish(tally: Tally[Lifetime], level: float) -> Rate:
        if horizon is None:
            return Rate.of(tally.where(_is_won).n, tally.n, level)
        _check_in_days(tally)
        early = not _is_mature(tally, period, horizon)
        if early or not _is_whole(tally):
            why = _HORIZON_NOT_OVER if early else _ENTERED_LATE
            return Rate(0, 0, None, left_out={why: tally.n})
        return _won_by(tally, horizon, level)

    return CREATED.measure(finish, deals, as_of, period, by, level, zone=zone)


@frozen
class SamePeriodRate(Result):
    """Deals won in a period by deals created in it: two bodies of deals, not a share of one.

    Attributes:
        won: How many deals were won in the period, whenever created.
        created: How many were created in it.
    """

    won: int
    created: int

    columns = ("value", "won", "created")

    @property
    def value(self) -> float | None:
        """Won by created: may be more than 1; None where nothing was created."""
        return self.won / self.created if self.created else None


@overload
def same_period_rate(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: None = None,
) -> SamePeriodRate: ...


@overload
def same_period_rate(
    deals: Iterable[DealHistory], *, as_of: datetime, period: Period, by: str
) -> Groups[Hashable, SamePeriodRate]: ...


@asks()
def same_period_rate(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    period: Period,
    by: str | None = None,
) -> SamePeriodRate | Groups[Hashable, SamePeriodRate]:
    """Deals won in a period ÷ deals created in the same period: what many dashboards show.

    The deals won in May were mostly created before May, and those created in May are mostly
    still open. So it falls when more deals come in and rises when fewer do, however well they
    sell, and may be more than 1. `cohort_rate` follows the same deals.

    Definition:
        Formula: won in the period ÷ created in the period.
        Denominator: deals created in the period; those won need not be among them.
        Window: the period, for winning and for creation apart.
        Bias: moves with growth, and with the length of the cycle; no interval, since it is not a
            share of anything.
        Elsewhere: HubSpot's and most dashboards' conversion of a period.

    Args:
        deals: The histories of deals, or a tally of lifetimes that was counted with the period.
        as_of: The instant to judge from.
        period: The period.
        by: A field of the deal to group by, as it was at creation, of won deals too.

    Returns:
        The two counts and their ratio.
    """

    def finish(tally: Tally[Lifetime], _level: float) -> SamePeriodRate:
        created = CREATED.select(tally, period).n
        return SamePeriodRate(CLOSED.select(tally, period).where(_is_won).n, created)

    counting = Counting[DealHistory](lifetimes, Moment.CREATION, None, lean=endings)
    return counting.beside(finish, deals, as_of, period, by, 0.95)


def _is_won(row: Lifetime) -> bool:
    return row.outcome is Outcome.WON
