"""How many attempts it takes to reach somebody, or to win a deal."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from typing import TypeAlias, overload

from attrs import frozen

from salespipeline._doors import choice, whole
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, brief
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.intervals import Interval
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics._figure import Counting, Rate
from salespipeline.metrics._result import Groups, Plain, Result, even
from salespipeline.metrics.outcomes import Survival
from salespipeline.periods import Period
from salespipeline.tallies import Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._attempts import (
    STANDARD_ATTEMPTS,
    Asked,
    AttemptStatuses,
    Effort,
    Tried,
    Until,
    attempts_on_contacts,
    attempts_on_deals,
    check_kinds,
    check_quiet,
)

_CONTACTS = Counting[ContactHistory](attempts_on_contacts, None, "cohort")
_DEALS = Counting[DealHistory](attempts_on_deals, None, "cohort")
_SQL = LifecycleStage.SALES_QUALIFIED_LEAD
_CONNECTED = Asked.of(Until.CONNECTED, None, 30, STANDARD_ATTEMPTS, _SQL)
_WON = Asked.of(Until.WON, None, 30, STANDARD_ATTEMPTS, None)

Settings: TypeAlias = tuple[tuple[str, Hashable], ...]
"""What was asked for when counting, by name."""


@frozen
class AttemptStep(Result):
    """What came of one attempt, the first, the second and so on.

    Attributes:
        number: Which attempt it is.
        tried: How many were tried so often without having been reached before.
        reached: How many of them it reached.
        given_up: How many were given up after it.
        still_trying: For how many it is the last so far.
        share_reached: The share reached by it, were nobody given up.
        interval: The interval of that share, or None.
    """

    number: int
    tried: int
    reached: int
    given_up: int
    still_trying: int
    share_reached: float | None
    interval: Interval | None

    columns = (
        "number", "tried", "reached", "given_up", "still_trying", "share_reached", "interval",
    )  # fmt: skip


@frozen
class Attempts(Result):
    """How many attempts it takes, with those not reached so far counted as such.

    Attributes:
        reached: How many were reached, or won.
        given_up: How many were given up.
        trying: How many are still being tried.
        untouched: How many nobody has tried yet.
        steps: What came of the first attempt, the second and so on.
        naive_mean: The mean number of attempts of those reached, exact; None where none was. It
            is too low: who needs many is not reached yet, or was given up.
        curve: The share not reached beyond so many attempts, which stand where days stand.
    """

    reached: int
    given_up: int
    trying: int
    untouched: int
    steps: tuple[AttemptStep, ...]
    naive_mean: Fraction | None
    curve: Survival

    columns = ("n", "reached", "given_up", "trying", "untouched", "median", "naive_mean")

    def rows(self) -> list[Plain]:
        """One row for each attempt."""
        return even(step.row() for step in self.steps)

    @property
    def n(self) -> int:
        """How many were looked at."""
        return self.reached + self.given_up + self.trying + self.untouched

    @property
    def median(self) -> int | None:
        """The first attempt by which half are reached; None where that is not seen."""
        found = self.curve.median
        return None if found is None else int(found)

    def share_reached(self, number: int) -> float | None:
        """The share reached by so many attempts, were nobody given up.

        Returns:
            The share; None beyond the greatest number of attempts seen.

        Raises:
            SalesPipelineError: The number is no whole one from 0 on.
        """
        left = self.curve.at(_check_number(number))
        return None if left is None else 1 - left

    def interval_at(self, number: int) -> Interval | None:
        """The log-log interval of that share; None where it is 0 or 1, or has no value."""
        return _turned(self.curve.interval_at(_check_number(number)))

    def given_up_after(self, number: int) -> Rate:
        """Those given up right after so many attempts, among those given up then or tried again.

        Those for whom it is the last attempt so far are undecided, and not in it.

        Raises:
            SalesPipelineError: The number is no whole one from 1 on.
        """
        _check_number(number, 1)
        own = self.steps[number - 1].given_up if number <= len(self.steps) else 0
        onward = self.steps[number].tried if number < len(self.steps) else 0
        return Rate.of(own, own + onward, self.curve.level)

    def given_up_within(self, number: int) -> Rate:
        """Those given up after at most so many attempts, among all that were given up.

        Raises:
            SalesPipelineError: The number is no whole one from 0 on.
        """
        later = sum(step.given_up for step in self.steps[_check_number(number) :])
        return Rate.of(self.given_up - later, self.given_up, self.curve.level)


def _check_number(number: object, least: int = 0) -> int:
    if whole(number, "number") < least:
        fault = f"{brief(number)} is not a number of attempts from {least} on"
        raise InvalidValueError("number", (fault,))
    return whole(number, "number")


def _turned(interval: Interval | None) -> Interval | None:
    """The interval of what is left over from 1."""
    if interval is None or interval.low is None or interval.high is None:
        return None
    return Interval(1 - interval.high, 1 - interval.low, interval.level, interval.method)


@overload
def attempts(
    contacts: Iterable[ContactHistory] | Tally[Tried],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    until: Until | str = Until.CONNECTED,
    kinds: Collection[str] | None = None,
    stage: LifecycleStage | str = LifecycleStage.SALES_QUALIFIED_LEAD,
    statuses: AttemptStatuses = STANDARD_ATTEMPTS,
    quiet_days: int = 30,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Attempts: ...


@overload
def attempts(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    until: Until | str = Until.CONNECTED,
    kinds: Collection[str] | None = None,
    stage: LifecycleStage | str = LifecycleStage.SALES_QUALIFIED_LEAD,
    statuses: AttemptStatuses = STANDARD_ATTEMPTS,
    quiet_days: int = 30,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Attempts]: ...


@asks(
    Contact,
    until=Until,
    stage=LifecycleStage,
    kinds=check_kinds,
    quiet_days=check_quiet,
)
def attempts(
    contacts: Iterable[ContactHistory] | Tally[Tried],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    until: Until | str = Until.CONNECTED,
    kinds: Collection[str] | None = None,
    stage: LifecycleStage | str = LifecycleStage.SALES_QUALIFIED_LEAD,
    statuses: AttemptStatuses = STANDARD_ATTEMPTS,
    quiet_days: int = 30,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Attempts | Groups[Hashable, Attempts]:
    """How many attempts it takes until a contact answers, or until it is a customer.

    An attempt is an outbound activity, or the entering of a status that says that one was made.
    Where both are kept as many attempts count as the log has that has more of them. A contact is
    reached when it enters a status that says so, or by its first inbound activity after an
    attempt. It is given up when its status says so, when it opted out, or without an attempt for
    more than ``quiet_days``.

    Definition:
        Formula: 1 less the product of (tried less reached) ÷ tried over the attempts up to the
            number: Kaplan and Meier's estimate, with attempts for days.
        Denominator: at each attempt those tried so often; who was given up, or is still being
            tried, is in it up to the last attempt made. Contacts that were reached without an
            attempt on record are left out as ``without_attempt``.
        Window: sales begins to work on the contact in the period; all time without one.
        Bias: who is given up is taken to be as easy to reach as the others; if sellers give up
            the hopeless ones, the share is too high. Attempts that nobody logs are not there.
        Elsewhere: no vendor known; tools show the mean of those reached, which is too low.

    Args:
        contacts: The histories of contacts, or a tally of attempts on contacts.
        as_of: The instant to judge from.
        period: Only contacts on which sales began to work in it.
        by: A field of the contact to group by, as it was when that began.
        until: Connected, or won: until the contact is a customer.
        kinds: Only activities of these kinds, such as ``call``; all if None.
        stage: The lifecycle stage with which sales begins to work; what came before is no
            attempt, and who never was there is not counted.
        statuses: Which lead statuses say that an attempt was made, that a contact was reached,
            and that it is given up.
        quiet_days: Without an attempt for more days than these a contact is given up.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Source: ActiveCampaign, What is a sales pipeline? (follow up: most sellers stop after two
        calls, most buyers decline four times first); Lead Status vs Lifecycle Stage (five
        attempts before a lead is recycled).
    """
    asked = {
        "until": until, "kinds": kinds, "stage": stage, "statuses": statuses,
        "quiet_days": quiet_days,
    }  # fmt: skip
    begins = choice(LifecycleStage, stage, "stage")
    settings = Asked.of(until, kinds, quiet_days, statuses, begins).settings()
    _check_alike(contacts, settings, _CONNECTED.settings())
    return _CONTACTS.measure(_finish, contacts, as_of, period, by, level, zone=zone, **asked)


@overload
def attempts_to_win(
    deals: Iterable[DealHistory] | Tally[Tried],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    kinds: Collection[str] | None = None,
    quiet_days: int = 30,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Attempts: ...


@overload
def attempts_to_win(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    kinds: Collection[str] | None = None,
    quiet_days: int = 30,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Attempts]: ...


@asks(kinds=check_kinds, quiet_days=check_quiet)
def attempts_to_win(
    deals: Iterable[DealHistory] | Tally[Tried],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    kinds: Collection[str] | None = None,
    quiet_days: int = 30,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Attempts | Groups[Hashable, Attempts]:
    """How many times sellers are in touch until a deal is won.

    Reached is won; given up is lost, or open without an attempt for more than ``quiet_days``.

    Definition:
        Formula: as of `attempts`, with the outbound activities of the deal as attempts.
        Denominator: at each attempt the deals with so many; deals won without any on record are
            left out as ``without_attempt``.
        Window: opening in the period; all time without one.
        Bias: a lost deal is taken to be winnable by more attempts, so the share is that of a
            seller who never gives up; it is no win rate.
        Elsewhere: no vendor known.

    Args:
        deals: The histories of deals, or a tally of attempts on deals.
        as_of: The instant to judge from.
        period: Only deals opened in it.
        by: A field of the deal to group by, as it was at opening.
        kinds: Only activities of these kinds, such as ``call``; all if None.
        quiet_days: Without an attempt for more days than these an open deal is given up.
        zone: The zone whose calendar dates make days.
        level: The confidence of the intervals.

    Source: ActiveCampaign, What is a sales pipeline? (follow up: most buyers decline four times
        before they agree).
    """
    settings = Asked.of(Until.WON, kinds, quiet_days, STANDARD_ATTEMPTS, None).settings()
    _check_alike(deals, settings, _WON.settings())
    asked = {"kinds": kinds, "quiet_days": quiet_days, "zone": zone}
    return _DEALS.measure(_finish, deals, as_of, period, by, level, **asked)


def _check_alike(records: object, asked: Settings, usual: Settings) -> None:
    """Refuse a tally that was counted otherwise than is asked for, the usual apart."""
    if not isinstance(records, Tally):
        return
    counted = dict(records.settings)
    faults = tuple(
        f"it was counted with {name}={brief(counted[name])}, not {brief(value)}"
        for name, value in asked
        if (name, value) not in usual and counted.get(name, value) != value
    )
    if faults:
        raise InvalidValueError("tally", faults)


def _finish(tally: Tally[Tried], level: float) -> Attempts:
    counts: Counter[tuple[int, Effort]] = Counter()
    for row, count in tally.rows.items():
        counts[row.attempts, row.effort] += count.n
    without = counts.pop((0, Effort.REACHED), 0)
    lives: Counter[tuple[float, float, bool]] = Counter()
    efforts = dict.fromkeys(Effort, 0)
    for (made, effort), n in counts.items():
        efforts[effort] += n
        lives[0, made, effort is Effort.REACHED] += n
    curve = Survival.of_counts(lives, level=level)
    made = sum(number * n for (number, effort), n in counts.items() if effort is Effort.REACHED)
    reached = efforts[Effort.REACHED]
    return Attempts(
        reached,
        efforts[Effort.GIVEN_UP],
        efforts[Effort.TRYING],
        efforts[Effort.UNTOUCHED],
        tuple(_steps(counts, curve)),
        Fraction(made, reached) if reached else None,
        curve,
        left_out={"without_attempt": without} if without else {},
    )


def _steps(counts: Counter[tuple[int, Effort]], curve: Survival) -> Iterator[AttemptStep]:
    tried = sum(n for (made, _), n in counts.items() if made)
    for number in range(1, max((made for made, _ in counts), default=0) + 1):
        here = {effort: counts[number, effort] for effort in Effort}
        left = curve.at(number)
        yield AttemptStep(
            number,
            tried,
            here[Effort.REACHED],
            here[Effort.GIVEN_UP],
            here[Effort.TRYING],
            None if left is None else 1 - left,
            _turned(curve.interval_at(number)),
        )
        tried -= sum(here.values())
