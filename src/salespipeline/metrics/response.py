"""How soon leads are answered."""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta
from typing import Any, cast, overload

from attrs import frozen

from salespipeline._doors import choice, instance
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, brief
from salespipeline.history import ContactHistory
from salespipeline.intervals import Interval
from salespipeline.metrics._figure import Counting, Rate
from salespipeline.metrics._result import Groups, Result
from salespipeline.metrics.durations import ended_by
from salespipeline.metrics.outcomes import Survival
from salespipeline.periods import Period
from salespipeline.tallies import Moment, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._responses import Response, responses, spoken
from salespipeline.working import WorkingHours

_RESPONSES = Counting[ContactHistory](responses, None, "created", durations=True)
_MINUTE = timedelta(minutes=1)


@frozen
class ResponseTime(Result):
    """How long leads wait for an answer, with those still waiting counted as such.

    Attributes:
        n: How many leads have a usable wait.
        answered: How many of them were answered.
        survival: The share still waiting after so many minutes: its days are minutes.
    """

    n: int
    answered: int
    survival: Survival

    columns = ("n", "answered", "median_minutes", "p90_minutes")

    @property
    def median_minutes(self) -> float | None:
        """The minutes within which half are answered; None where that is not reached."""
        return self.survival.median

    @property
    def p90_minutes(self) -> float | None:
        """The minutes within which nine in ten are answered; None where that is not reached."""
        return self.survival.quantile(0.9)


@frozen
class AnsweredWithin(Result):
    """How many leads are answered within a promised time.

    Attributes:
        promise: The time promised.
        share: The share estimated to be answered within it, or None where nobody was seen
            waiting so long.
        interval: Its interval, or None where the share is 0, 1 or None.
        so_far: Answered within it among all leads, those with time left included.
    """

    promise: timedelta
    share: float | None
    interval: Interval | None
    so_far: Rate

    columns = ("promise", "share", "interval", "so_far")


@overload
def lead_response_time(
    contacts: Iterable[ContactHistory] | Tally[Response],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    by_at: Moment | str | None = None,
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> ResponseTime: ...


@overload
def lead_response_time(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    by_at: Moment | str | None = None,
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, ResponseTime]: ...


@asks(Contact, kinds=spoken, hours=WorkingHours)
def lead_response_time(
    contacts: Iterable[ContactHistory] | Tally[Response],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    by_at: Moment | str | None = None,
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> ResponseTime | Groups[Hashable, ResponseTime]:
    """How long leads wait until somebody gets in touch, with those never answered in it.

    Definition:
        Formula: earliest outbound activity - first event at lead or beyond; median and ninth
            decile from the Kaplan-Meier curve.
        Denominator: contacts that became a lead; one not answered waits until the instant at
            least. Left out by reason: a beginning that is not known, a history that was not
            complete yet when the lead came, a touch before that.
        Window: becoming a lead in the period; all time without one. A group is the one then.
        Bias: without ``kinds`` an automatic message counts as an answer. A mean over answered
            leads alone would be too short: the others are the slow ones.
        Elsewhere: tools differ in whether the first attempt, the first conversation or the
            qualification ends the wait, and in whether nights and weekends count.

    Args:
        contacts: The histories of contacts, or a tally of responses.
        as_of: The instant to judge from.
        period: The period in which contacts became leads.
        by: A field of the contact to group by, such as the source.
        by_at: When to read that field: at creation as the contact became a lead, which holds if
            not given; at closing when it was answered; or as of the instant.
        kinds: The kinds of activity that people do; every kind if not given.
        hours: The working hours that count; all time if not given.
        resolution: The unit of waiting; a minute if not given.
        level: The confidence of the intervals.

    Returns:
        Its counts, its median and ninth decile in minutes, and the curve.
    """

    def finish(tally: Tally[Response], level: float) -> ResponseTime:
        return _response_time(tally, level)

    options = _asked(contacts, by_at, kinds, hours, resolution)
    return _RESPONSES.measure(finish, contacts, as_of, period, by, level, **options)


def _check_promise(promise: object) -> None:
    if instance(timedelta, promise, "promise") < timedelta():
        raise InvalidValueError("promise", (f"{promise} is negative",))


@overload
def answered_within(
    contacts: Iterable[ContactHistory] | Tally[Response],
    *,
    promise: timedelta,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    by_at: Moment | str | None = None,
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> AnsweredWithin: ...


@overload
def answered_within(
    contacts: Iterable[ContactHistory],
    *,
    promise: timedelta,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    by_at: Moment | str | None = None,
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> Groups[Hashable, AnsweredWithin]: ...


@asks(
    Contact,
    promise=_check_promise,
    kinds=spoken,
    hours=WorkingHours,
)
def answered_within(
    contacts: Iterable[ContactHistory] | Tally[Response],
    *,
    promise: timedelta,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    by_at: Moment | str | None = None,
    kinds: Iterable[str] | None = None,
    hours: WorkingHours | None = None,
    resolution: timedelta | None = None,
    level: float = 0.95,
) -> AnsweredWithin | Groups[Hashable, AnsweredWithin]:
    """The share of leads that are answered within a promised time.

    Definition:
        Formula: 1 - S(promise), S being the Kaplan-Meier share still waiting; beside it, so far:
            answered within the promise ÷ all leads.
        Denominator: as in `lead_response_time`.
        Window: becoming a lead in the period; all time without one. A group is the one then.
        Bias: the share has none known; ``so_far`` is too low while young leads have time left.
        Elsewhere: service desks count leads with time left as failures, or leave them out and
            keep the quick answers among them, which is too high.

    Args:
        contacts: The histories of contacts, or a tally of responses.
        promise: The time promised, of working hours where they are given; a whole number of
            units.
        as_of: The instant to judge from.
        period: The period in which contacts became leads.
        by: A field of the contact to group by, such as the source.
        by_at: When to read that field, as in `lead_response_time`.
        kinds: The kinds of activity that people do; every kind if not given.
        hours: The working hours that count; all time if not given.
        resolution: The unit of waiting; a minute if not given.
        level: The confidence of the intervals.

    Returns:
        The share with its interval, and the plain rate so far.

    Raises:
        InvalidValueError: The promise is negative, or no whole number of units.
    """

    def finish(tally: Tally[Response], level: float) -> AnsweredWithin:
        return _within(tally, promise, level)

    options = _asked(contacts, by_at, kinds, hours, resolution)
    return _RESPONSES.measure(finish, contacts, as_of, period, by, level, **options)


def _asked(
    contacts: object,
    by_at: Moment | str | None,
    kinds: Iterable[str] | None,
    hours: WorkingHours | None,
    resolution: timedelta | None,
) -> dict[str, Any]:
    """What was asked for; a tally must have been counted so.

    Raises:
        InvalidValueError: It was not.
    """
    moment = None if by_at is None else choice(Moment, by_at, "by_at")
    asked = {"by_at": moment, "kinds": spoken(kinds), "hours": hours, "resolution": resolution}
    given = {name: value for name, value in asked.items() if value is not None}
    if isinstance(contacts, Tally):
        counted = {
            "by_at": contacts.by_at,
            "resolution": contacts.resolution,
            **dict(contacts.settings),
        }
        faults = tuple(
            f"it was counted with {name} {brief(counted.get(name))}"
            for name, value in given.items()
            if counted.get(name) != value
        )
        if faults:
            raise InvalidValueError("tally", faults)
    return given


def _unit(tally: Tally[Any]) -> timedelta:
    """The unit that waits were counted in, which this tally always has."""
    return cast("timedelta", tally.resolution)


def _response_time(tally: Tally[Any], level: float) -> ResponseTime:
    minutes = _unit(tally) / _MINUTE
    waits: Counter[tuple[float, float, bool]] = Counter()
    left_out: Counter[str] = Counter()
    for row, count in tally.rows.items():
        if row.wait is None:
            left_out[str(row.why)] += count.n
        else:
            waits[0, row.wait * minutes, row.answered] += count.n
    curve = Survival.of_counts(waits, level=level, left_out=left_out)
    return ResponseTime(curve.n, curve.ended, curve, left_out=curve.left_out)


def _within(tally: Tally[Any], promise: timedelta, level: float) -> AnsweredWithin:
    units, rest = divmod(promise, _unit(tally))
    if rest:
        fault = f"{promise} is no whole number of units of {_unit(tally)}"
        raise InvalidValueError("promise", (fault,))
    time = _response_time(tally, level)
    share, interval = ended_by(time.survival, promise / _MINUTE)
    kept = sum(
        count.n
        for row, count in tally.rows.items()
        if row.answered and row.wait is not None and row.wait <= units
    )
    so_far = Rate.of(kept, time.n, level)
    return AnsweredWithin(promise, share, interval, so_far, left_out=time.left_out)
