"""Which open deals are stalled."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import partial
from typing import Any, TypeAlias, cast, overload

from attrs import frozen

from salespipeline._doors import choice, whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.history import DealHistory
from salespipeline.intervals import check_level
from salespipeline.metrics._figure import Amounts, Counting, Rate
from salespipeline.metrics._result import Groups, Plain, Result, Table, even, plain, stamped
from salespipeline.metrics.ageing import check_days, is_parked
from salespipeline.metrics.outcomes import Survival, time_to_close
from salespipeline.metrics.stage_time import time_in_stage
from salespipeline.metrics.value import in_use
from salespipeline.money import Money
from salespipeline.periods import on, utc
from salespipeline.pipelines import Outcome, Pipeline, StageKey, by_key
from salespipeline.tallies import Count, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._book import OpenDeal, book

_BOOK = Counting[DealHistory](book, None, None)

_MOST_DAYS = 36_525
_DAY = timedelta(days=1)


class StalledBy(StrEnum):
    """What makes an open deal stalled: four definitions are in use.

    Attributes:
        AGE: It was opened too long ago.
        LAST_TOUCH: Neither an activity nor any other change was recorded for too long.
        UNTOUCHED_AND_UNPLANNED: The same, and no next step is planned for a date to come.
        TIME_IN_STAGE: It has been in its stage for too long.
    """

    AGE = "age"
    LAST_TOUCH = "last_touch"
    UNTOUCHED_AND_UNPLANNED = "untouched_and_unplanned"
    TIME_IN_STAGE = "time_in_stage"


class LimitFrom(StrEnum):
    """Where the limit of a stalled deal comes from.

    Attributes:
        STAGE: The stage says after how long a deal rots there.
        GIVEN: It was given.
        LEARNED: It was learned from how long such deals took.
    """

    STAGE = "stage"
    GIVEN = "given"
    LEARNED = "learned"


class NoLimit(StrEnum):
    """Why no limit could be learned.

    Attributes:
        TOO_FEW_ENDED: Too few have ended.
        NOT_REACHED: So large a share has not ended at any age.
    """

    TOO_FEW_ENDED = "too_few_ended"
    NOT_REACHED = "not_reached"


@frozen
class StallLimit(Result):
    """The days by which a share of the stays in a stage, or of the deals of a pipeline, ended.

    Attributes:
        pipeline: The key of the pipeline.
        stage: The key of the stage; None for the ages of deals in any.
        days: The first number of days by which so large a share ended, or None.
        n: How many were looked at, those that go on included.
        ended: How many of them ended.
        why: Why there is no number of days, or None.
    """

    pipeline: str
    stage: str | None
    days: float | None
    n: int
    ended: int
    why: NoLimit | None

    columns = ("pipeline", "stage", "days", "n", "ended", "why")


@frozen
class StallLimits(Result):
    """Limits learned from history, to give to `stalled`.

    Attributes:
        rule: The definition that they are for.
        share: The share that ended by each.
        limits: One for each stage, or for each pipeline.
    """

    rule: StalledBy
    share: float
    limits: Table[StallLimit]

    def rows(self) -> list[Plain]:
        """One row for each limit."""
        told = plain({"rule": self.rule, "share": self.share})
        return [told | limit.row() for limit in self.limits]

    def of(self, stage: StageKey) -> StallLimit | None:
        """The limit of a stage, or of its pipeline; None where nothing was learned of it."""
        pipeline, key = stage
        fits = (each for each in self.limits if each.pipeline == pipeline)
        return next((each for each in fits if each.stage in (None, key)), None)


Limits: TypeAlias = timedelta | Mapping[StageKey, timedelta] | StallLimits
"""How long is too long: for all stages, for each, or as learned."""


def _check_least(least: object) -> None:
    if whole(least, "least") < 1:
        raise InvalidValueError("least", (f"{brief(least)} is not at least 1",))


@asks(rule=StalledBy, share=partial(check_level, name="share"), least=_check_least)
def stall_limits(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    rule: StalledBy | str = StalledBy.TIME_IN_STAGE,
    share: float = 0.9,
    least: int = 20,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> StallLimits:
    """How long is too long, learned from how long deals took until now.

    Definition:
        Formula: the first number of days by which the share has ended, by the Kaplan-Meier curve.
        Denominator: for time in stage every visit to the stage, for age every deal of the
            pipeline; what goes on is at risk up to its length, and what has no usable length is
            left out.
        Window: none: all that began by the instant.
        Bias: limits from won deals alone are too short, since slow deals are missing among them;
            these count what is still there.
        Elsewhere: no vendor known; Pipedrive, Odoo and Krayin take a number given by hand.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        rule: Age or time in stage; for the others history says no limit.
        share: The share that has ended by the limit, between 0 and 1.
        least: How many must have ended at least.
        pipelines: Their stages come first; a stay in a retired stage counts for its successor.
        zone: The zone whose calendar dates make days.

    Returns:
        One limit for each stage, those known to be closed left out; for age one for each
        pipeline. Its days are None, and it says why, where too few ended or the share was not
        reached.
    """
    wanted, least_share = choice(StalledBy, rule, "rule"), check_level(share, "share")
    curves = _curves(deals, as_of, wanted, pipelines, zone)
    limits = Table(_learned(*place, curve, least_share, least) for place, curve in curves)
    return stamped(StallLimits(wanted, least_share, limits), utc(as_of, "as_of"), None)


def _curves(
    deals: Iterable[DealHistory],
    as_of: datetime,
    rule: StalledBy,
    pipelines: Iterable[Pipeline],
    zone: tzinfo,
) -> Iterator[tuple[tuple[str, str | None], Survival]]:
    """For each stage, or pipeline, how long it takes to leave it."""
    known = by_key(pipelines)
    if rule is StalledBy.TIME_IN_STAGE:
        for time in time_in_stage(deals, as_of=as_of, pipelines=known.values(), zone=zone):
            there = known.get(time.pipeline)
            if there is None or there.outcomes.get(time.stage) in (None, Outcome.OPEN):
                yield (time.pipeline, time.stage), time.survival
    elif rule is StalledBy.AGE:
        lives = time_to_close(deals, as_of=as_of, by="pipeline", zone=zone)
        for pipeline in sorted(cast("Iterable[str]", lives)):
            yield (pipeline, None), lives[pipeline]
    else:
        fault = (
            f"history says limits for {StalledBy.AGE.value!r} and {StalledBy.TIME_IN_STAGE.value!r}"
        )
        raise InvalidValueError("rule", (fault,))


def _learned(
    pipeline: str, stage: str | None, curve: Survival, share: float, least: int
) -> StallLimit:
    enough = curve.ended >= least
    days = curve.quantile(share) if enough else None
    why = NoLimit.NOT_REACHED if enough else NoLimit.TOO_FEW_ENDED
    return StallLimit(
        pipeline, stage, days, curve.n, curve.ended, None if days is not None else why
    )


_UNTIL = {
    StalledBy.AGE: "is {days:,} days old",
    StalledBy.LAST_TOUCH: "has been untouched for {days} days",
    StalledBy.UNTOUCHED_AND_UNPLANNED: "has been untouched for {days} days, with nothing planned",
    StalledBy.TIME_IN_STAGE: "has been in {stage!r} for {days} days",
}


@frozen
class StalledDeal(Result):
    """An open deal that is stalled, and why.

    Attributes:
        deal: Its id.
        owner: Who works it, or None.
        pipeline: The key of its pipeline.
        stage: The key of its stage, as the pipeline calls it now.
        since: The date from which on it counts as stalled.
        days: For how many days, by the definition asked for: old, untouched, or in the stage.
        limit_days: How many it may be.
        limit_from: Where that limit comes from.
        amount: What it is worth, or None.
        next_due: The date by which its next step is to be done, or None.
        rule: The definition that it is stalled by.
    """

    deal: str
    owner: str | None
    pipeline: str
    stage: str
    since: date
    days: int
    limit_days: float
    limit_from: LimitFrom
    amount: Money | None
    next_due: date | None
    rule: StalledBy

    columns = (
        "deal", "owner", "pipeline", "stage", "since", "days", "limit_days", "limit_from",
        "amount", "next_due",
    )  # fmt: skip

    @property
    def why(self) -> str:
        """Why it is stalled, in words."""
        said = _UNTIL[self.rule].format(days=self.days, stage=self.stage)
        return f"{said}, {self.limit_days:g} at most ({self.limit_from.value})"


@frozen
class Stalled(Result):
    """The open deals that are stalled.

    Attributes:
        rule: The definition that they are stalled by.
        share: The stalled ones among the open deals that could be judged.
        amounts: The number of stalled deals, and their amounts.
        deals: Each of them, stalled for longest first.
    """

    rule: StalledBy
    share: Rate
    amounts: Amounts
    deals: Table[StalledDeal]

    columns = ("rule", "share", "amounts")

    def rows(self) -> list[Plain]:
        """One row for each stalled deal."""
        return even(deal.row() for deal in self.deals)


@overload
def stalled(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    as_of: datetime | None = None,
    rule: StalledBy | str,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
    limits: Limits | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Stalled: ...


@overload
def stalled(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    rule: StalledBy | str,
    by: str,
    pipelines: Iterable[Pipeline] = (),
    limits: Limits | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Groups[Hashable, Stalled]: ...


@asks(rule=StalledBy)
def stalled(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    as_of: datetime | None = None,
    rule: StalledBy | str,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    limits: Limits | None = None,
    zone: tzinfo = UTC,
    level: float = 0.95,
) -> Stalled | Groups[Hashable, Stalled]:
    """The open deals that are stalled by one of the four definitions in use.

    Definition:
        Formula: days > limit, the days since the opening, since the last activity or other
            change, or since the stage was entered; where the rule asks for no plan, and no next
            step is due on that date or later.
        Denominator: open deals that can be judged; left out are those in parked stages, those
            without a limit, by reason, and those whose opening or entry is not known.
        Window: none: as of the instant. A group is the one then.
        Bias: any write is a change, one by a machine included, so an untouched deal may look
            touched; a next step without a date keeps nothing alive.
        Elsewhere: `age` is Krayin's and once Freshsales'; `last_touch` Pipedrive's, TeamWave's
            and Odoo's; `untouched_and_unplanned` Teamwork's; `time_in_stage` Salesforce's
            practice and HubSpot's.

    Args:
        deals: The histories of deals, or a tally of `book`.
        as_of: The instant to judge from.
        rule: Which definition.
        by: A field of the deal to group by, as of the instant.
        pipelines: The pipelines, for their limits, parked stages and retired keys.
        limits: How long is too long: for all, by (pipeline, stage), or learned by
            `stall_limits`; where it says nothing of a stage, the stage's own ``rot_after``.
        zone: The zone whose calendar dates make days.
        level: The confidence of the interval.

    Raises:
        InvalidValueError: A limit is not more than nothing or absurd, or was learned for another
            definition.

    Source: ActiveCampaign, What is a sales pipeline? (deals stuck in one stage, for cleaning).
    """
    wanted = choice(StalledBy, rule, "rule")
    known = by_key(pipelines)
    limit_of = _Limit(known, _check_limits(limits, wanted, known))

    def finish(tally: Tally[OpenDeal], level: float) -> Stalled:
        return _stalled(tally, wanted, limit_of, level)

    return _BOOK.measure(finish, deals, as_of, None, by, level, zone=zone)


def _check_limits(limits: Any, rule: StalledBy, known: Mapping[str, Pipeline]) -> Limits | None:
    """The limits, past their door."""
    if limits is None or isinstance(limits, StallLimits):
        if limits is not None and limits.rule is not rule:
            fault = f"they were learned for {limits.rule.value!r}, not for {rule.value!r}"
            raise InvalidValueError("limits", (fault,))
        return limits
    if isinstance(limits, timedelta):
        faults = tuple(_span_faults(limits, "all"))
    elif isinstance(limits, Mapping):
        given = cast("Mapping[object, object]", limits)
        faults = tuple(fault for stage, span in given.items() for fault in _faults(stage, span))
    else:
        raise WrongTypeError("limits", "a timedelta, a mapping by stage or StallLimits", limits)
    if faults:
        raise InvalidValueError("limits", faults)
    if isinstance(limits, timedelta):
        return limits
    spans = cast("Mapping[StageKey, timedelta]", limits)
    return {in_use(stage, known): span for stage, span in spans.items()}


def _faults(stage: object, span: object) -> Iterator[str]:
    """What is wrong with the limit of one stage."""
    match stage:
        case (str(), str()):
            pass
        case _:
            yield f"{brief(stage)} is not the keys of a pipeline and of a stage"
    yield from _span_faults(span, stage)


def _span_faults(span: object, stage: object) -> Iterator[str]:
    if not isinstance(span, timedelta) or not timedelta() < span <= _MOST_DAYS * _DAY:
        most = f"a timedelta over 0 and of at most {_MOST_DAYS} days"
        yield f"{brief(span)} for {brief(stage)} is not {most}"


@frozen
class _Limit:
    """How long is too long for an open deal.

    Attributes:
        known: The pipelines, by key.
        given: The limits given.
    """

    known: Mapping[str, Pipeline]
    given: Limits | None

    def of(self, stage: StageKey) -> tuple[float, LimitFrom] | str:
        """The days of a stage and where they come from, or why there are none."""
        if is_parked(stage, self.known):
            return "parked"
        if isinstance(self.given, timedelta):
            return self.given / _DAY, LimitFrom.GIVEN
        if isinstance(self.given, StallLimits):
            learned = self.given.of(stage)
            if learned is not None:
                days, why = learned.days, learned.why
                return str(why) if days is None else (days, LimitFrom.LEARNED)
        elif self.given is not None and stage in self.given:
            return self.given[stage] / _DAY, LimitFrom.GIVEN
        there = self.known.get(stage[0])
        rots = there.stage(stage[1]).rot_after if there is not None and stage[1] in there else None
        return "no_limit" if rots is None else (rots / _DAY, LimitFrom.STAGE)


def _stalled(tally: Tally[OpenDeal], rule: StalledBy, limit: _Limit, level: float) -> Stalled:
    check_days(tally)
    left_out: Counter[str] = Counter()
    found: list[StalledDeal] = []
    judged, today = 0, on(tally.as_of, tally.zone)
    limits = {
        stage: limit.of(stage) for stage in {in_use(r.stage, limit.known) for r in tally.rows}
    }
    for row, count in tally.rows.items():
        stage = in_use(row.stage, limit.known)
        may, days = limits[stage], _days(row, rule)
        if isinstance(may, str) or isinstance(days, str):
            left_out[may if isinstance(may, str) else str(days)] += count.n
            continue
        judged += count.n
        planned = row.next_due if rule is StalledBy.UNTOUCHED_AND_UNPLANNED else None
        if days > may[0] and (planned is None or planned < today):
            found += [_row(row, stage, days, may, today, planned, rule)] * count.n
    found.sort(key=lambda each: (each.since, each.deal))
    amounts = Amounts.of(_amount(each.amount) for each in found)
    share = Rate.of(len(found), judged, level)
    return Stalled(rule, share, amounts, Table(found), left_out=dict(left_out))


def _days(row: OpenDeal, rule: StalledBy) -> int | str:
    """The days that a definition looks at, or why they are not known."""
    if rule is StalledBy.AGE:
        return "start_unknown" if row.age is None else row.age
    if rule is StalledBy.TIME_IN_STAGE:
        return "entry_unknown" if row.stage_age is None else row.stage_age
    return (
        row.since_change
        if row.since_activity is None
        else min(row.since_activity, row.since_change)
    )


def _row(
    row: OpenDeal,
    stage: StageKey,
    days: int,
    limit: tuple[float, LimitFrom],
    today: date,
    planned: date | None,
    rule: StalledBy,
) -> StalledDeal:
    since = today - timedelta(days - int(limit[0]) - 1)
    if planned is not None:
        since = max(since, planned + _DAY)
    amount = None if row.currency is None else Money.of_minor(row.minor or 0, row.currency)
    return StalledDeal(
        row.record, row.owner, *stage, since, days, *limit, amount, row.next_due, rule
    )


def _amount(amount: Money | None) -> tuple[str | None, Count]:
    return (None, Count(1)) if amount is None else (amount.currency, Count(1, amount.minor))
