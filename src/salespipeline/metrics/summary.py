"""The figures that every article on pipelines names, from one count of the deals."""

from attrs import frozen

from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Counting, Rate
from salespipeline.metrics._result import Result
from salespipeline.metrics.durations import Durations, cycle_length, deal_lifetime
from salespipeline.metrics.outcomes import (
    Survival,
    time_to_close,
    win_rate_closed,
    win_rate_created,
)
from salespipeline.metrics.value import average_deal_size
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes

_NOW = Counting[DealHistory](lifetimes, Moment.AS_OF, None, durations=True)


@frozen
class Summary(Result):
    """How a body of deals stands at an instant; each figure as in the function of its name.

    Attributes:
        open: The number of open deals.
        won: The number of won deals.
        lost: The number of lost deals.
        win_rate_closed: Won among closed.
        win_rate_created: Won among all.
        average_deal_size: The amounts of won deals.
        cycle_length: Days from opening to winning.
        deal_lifetime: Days from opening to winning or losing.
        time_to_close: The same with open deals counted as open.
    """

    open: int
    won: int
    lost: int
    win_rate_closed: Rate
    win_rate_created: Rate
    average_deal_size: Amounts
    cycle_length: Durations
    deal_lifetime: Durations
    time_to_close: Survival

    columns = (
        "open", "won", "lost", "win_rate_closed", "win_rate_created", "average_deal_size",
        "cycle_length", "deal_lifetime", "time_to_close",
    )  # fmt: skip


@_NOW.figure
def summary(tally: Tally[Lifetime], level: float) -> Summary:
    """The usual figures of deals as of an instant, from one count; groups are as of then.

    Definition:
        Formula: each figure as in the function of its name.
        Denominator: as there.
        Window: all time up to the instant.
        Bias: as there; `win_rate_closed` and `cycle_length` leave open deals out.
        Elsewhere: as there.
    """
    rows = tally.rows.items()
    standing = {
        outcome: sum(count.n for row, count in rows if row.outcome is outcome)
        for outcome in Outcome
    }
    return Summary(
        standing[Outcome.OPEN],
        standing[Outcome.WON],
        standing[Outcome.LOST],
        win_rate_closed(tally, level=level),
        win_rate_created(tally, level=level),
        average_deal_size(tally),
        cycle_length(tally),
        deal_lifetime(tally),
        time_to_close(tally, level=level),
    )
