"""Which deals are won: their history by the values of one thing about them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, cast, overload

from attrs import frozen

from salespipeline._doors import choice, text, whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval
from salespipeline.metrics._figure import Amounts, Counting, Rate
from salespipeline.metrics._result import Result, Table
from salespipeline.metrics.durations import Durations, cycle_length
from salespipeline.metrics.incidence import cumulative_incidence
from salespipeline.metrics.outcomes import check_age, win_rate_closed
from salespipeline.metrics.value import average_deal_size
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes
from salespipeline.tallies._asking import asks


@frozen
class Segment(Result):
    """The deals that are alike in one value, such as those of one industry.

    Its rows feed `qualification.trait_of`: ``value``, ``number`` and ``win_rate`` are among them.

    Attributes:
        value: The value; None of those without one.
        deals: How many there are.
        open: How many of them are open.
        won: How many were won.
        lost: How many were lost.
        win_rate: Won among closed.
        chance: The chance of being won by the horizon, with open deals counted as open; None
            without a horizon, and where no deal is so old.
        chance_interval: Its interval, or None.
        average_won: The amounts of won deals.
        cycle: Days from opening to winning, of won deals.
        few: Whether so few are closed that the win rate says little.
    """

    value: Any
    deals: int
    open: int
    won: int
    lost: int
    win_rate: Rate
    chance: float | None
    chance_interval: Interval | None
    average_won: Amounts
    cycle: Durations
    few: bool

    columns = (
        "value", "number", "win_rate", "deals", "open", "won", "lost", "chance",
        "chance_interval", "average_won", "cycle", "few",
    )  # fmt: skip

    @property
    def number(self) -> int:
        """How many are closed: what the win rate is of."""
        return self.won + self.lost


def _check_fewest(fewest: object) -> int:
    if whole(fewest, "fewest") < 0:
        raise InvalidValueError("fewest", (f"{brief(fewest)} is negative",))
    return whole(fewest, "fewest")


@overload
def profile(
    deals: Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    period: Period | None = None,
    horizon_days: float | None = None,
    fewest: int = 20,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[Segment]: ...


@overload
def profile(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    by_at: Moment | str = Moment.CREATION,
    period: Period | None = None,
    horizon_days: float | None = None,
    fewest: int = 20,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[Segment]: ...


@asks(horizon_days=partial(check_age, name="horizon_days"), fewest=_check_fewest)
def profile(
    deals: Iterable[DealHistory] | Tally[Lifetime],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    by_at: Moment | str = Moment.CREATION,
    period: Period | None = None,
    horizon_days: float | None = None,
    fewest: int = 20,
    zone: tzinfo = UTC,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Table[Segment]:
    """Which deals are won: how those with each value of a field have ended, the best first.

    The ideal customer from history: hand the rows to `qualification.trait_of`, and the values
    that win more often than others become a trait to look for.

    Definition:
        Formula: won ÷ (won + lost) of the deals with each value, and beside it the chance of
            being won by an age, the mean amount won, and the days from opening to winning.
        Denominator: closed deals for the win rate; all deals, open ones up to their age, for the
            chance.
        Window: creation in the period; all time without one.
        Bias: a value that is filled in only for deals that go well seems to win: read it at
            creation, as is done if nothing else is asked for. Of many values some win often by
            chance, which the order by the lower end of the interval makes up for in part.
        Elsewhere: Odoo counts won and lost per value as here, and reads the values at closing.

    Args:
        deals: The histories of deals, or a tally of lifetimes counted with ``by``.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name.
        by_at: When to read it: at creation; at closing, or while open as of the instant; or as
            of the instant.
        period: Only deals created in it.
        horizon_days: The age in days by which the chance of winning is told.
        fewest: With fewer closed deals a value is marked as one of few.
        zone: The zone whose calendar dates make days.
        resolution: A finer unit of duration, of elapsed time; calendar days if not given.
        level: The confidence of the intervals.

    Returns:
        One entry per value that occurs, those without one among them; ordered by the lower end
        of the win rate's interval, then by the number closed. No deals give none.

    Raises:
        InvalidValueError: A tally was counted without ``by``, or by another field.

    Source: ActiveCampaign, What is a sales pipeline? (identify your ideal customer).
    """
    least = _check_fewest(fewest)
    age = None if horizon_days is None else check_age(horizon_days, "horizon_days")
    counting = Counting[DealHistory](
        lifetimes, choice(Moment, by_at, "by_at"), "created", durations=True
    )
    asked: dict[str, object] = {"zone": zone, "resolution": resolution}
    if isinstance(deals, Tally):
        _check_field(deals, by)
    else:
        asked["by"] = text(by, "by")

    def finish(tally: Tally[Lifetime], level: float) -> Table[Segment]:
        parts = tally.groups().items()
        return Table(sorted((_segment(*part, age, least, level) for part in parts), key=_order))

    told = counting.measure(finish, deals, as_of, period, None, level, **asked)
    return cast("Table[Segment]", told)


def _check_field(tally: Tally[Lifetime], by: object) -> None:
    if tally.by is None:
        raise InvalidValueError(
            "tally", ("it was counted without a field: give by= when counting",)
        )
    if by not in (None, tally.by):
        fault = f"it was counted by {brief(tally.by)}, not by {brief(by)}"
        raise InvalidValueError("tally", (fault,))


def _segment(
    value: object, tally: Tally[Lifetime], horizon_days: float | None, fewest: int, level: float
) -> Segment:
    standing = dict.fromkeys(Outcome, 0)
    for row, count in tally.rows.items():
        standing[row.outcome] += count.n
    curve = None if horizon_days is None else cumulative_incidence(tally, level=level)
    won = Outcome.WON.value
    return Segment(
        value,
        tally.n,
        standing[Outcome.OPEN],
        standing[Outcome.WON],
        standing[Outcome.LOST],
        win_rate_closed(tally, level=level),
        None if curve is None or horizon_days is None else curve.at(won, horizon_days),
        None if curve is None or horizon_days is None else curve.interval_at(won, horizon_days),
        average_deal_size(tally),
        cycle_length(tally),
        standing[Outcome.WON] + standing[Outcome.LOST] < fewest,
        left_out={} if curve is None else curve.left_out,
    )


def _order(each: Segment) -> tuple[float, int, bool, str]:
    """The surest winners first; values without a closed deal last."""
    interval = each.win_rate.interval
    low = -1.0 if interval is None else interval.low or 0.0
    return -low, -each.number, each.value is None, str(each.value)
