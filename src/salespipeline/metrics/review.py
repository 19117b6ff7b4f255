"""What to go through with the owner of deals in a review of the pipeline."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Any, cast, overload

from attrs import frozen

from salespipeline._doors import choice, instances, text
from salespipeline.deals import Deal
from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    Event,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    Start,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts
from salespipeline.metrics._result import Groups, Plain, Result, Table, even, plain, stamped
from salespipeline.metrics.ageing import is_parked
from salespipeline.metrics.stalled import Limits, StalledBy, StalledDeal, stalled
from salespipeline.metrics.value import in_use
from salespipeline.money import Money
from salespipeline.periods import Period, check_zone, on, utc
from salespipeline.pipelines import Outcome, Pipeline, by_key
from salespipeline.tallies import Count
from salespipeline.tallies._asking import asks


class Change(StrEnum):
    """What happened to a deal in a period.

    Attributes:
        OPENED: It came into being.
        ADVANCED: It went on along the order of its pipeline.
        WENT_BACK: It went back along it.
        MOVED: It went elsewhere: to or from a parked stage, another pipeline, or one not given.
        WON: It was won.
        LOST: It was lost.
        REOPENED: It was opened again.
        AMOUNT_CHANGED: It is worth another amount.
        PUSHED: It is expected to close on a later day.
        PULLED_IN: It is expected to close on an earlier day.
        DATED: It is expected to close on a day for the first time, or on none any more.
        GIVEN: Somebody else works it now.
    """

    OPENED = "opened"
    ADVANCED = "advanced"
    WENT_BACK = "went_back"
    MOVED = "moved"
    WON = "won"
    LOST = "lost"
    REOPENED = "reopened"
    AMOUNT_CHANGED = "amount_changed"
    PUSHED = "pushed"
    PULLED_IN = "pulled_in"
    DATED = "dated"
    GIVEN = "given"


class Missing(StrEnum):
    """What an open deal lacks.

    Attributes:
        AMOUNT: Nobody says what it is worth.
        CLOSE_DATE: It is expected to close on no date.
        CLOSE_DATE_PASSED: It was expected to close on a date that is over.
        NEXT_STEP: No next step is planned.
        NEXT_STEP_PASSED: The next step was to be done by a date that is over.
        CONTACT: Nobody on the buyer's side takes part.
    """

    AMOUNT = "amount"
    CLOSE_DATE = "close_date"
    CLOSE_DATE_PASSED = "close_date_passed"
    NEXT_STEP = "next_step"
    NEXT_STEP_PASSED = "next_step_passed"
    CONTACT = "contact"


@frozen
class Movement(Result):
    """One thing that happened to a deal in a period.

    Attributes:
        at: When.
        deal: Its id.
        change: What.
        before: The stage, amount, date or owner before, in words, or None.
        after: The one after, in words, or None.
        reason: The reason given for a win, a loss or another amount, or None.
        amount: What the deal is worth after it, or None.
    """

    at: datetime
    deal: str
    change: Change
    before: str | None
    after: str | None
    reason: str | None
    amount: Money | None

    columns = ("at", "deal", "change", "before", "after", "reason", "amount")


@frozen
class Gap(Result):
    """One thing that an open deal lacks.

    Attributes:
        deal: Its id.
        stage: The key of its stage.
        missing: What it lacks.
        passed: The date that is over, or None.
        amount: What it is worth, or None.
    """

    deal: str
    stage: str
    missing: Missing
    passed: date | None
    amount: Money | None

    columns = ("deal", "stage", "missing", "passed", "amount")


@frozen
class Question(Result):
    """Something to ask the owner of a deal.

    Attributes:
        code: What it is about: ``stalled``, what is missing, or what happened.
        deal: The id of the deal.
        text: The question, in English.
    """

    code: str
    deal: str
    text: str

    columns = ("code", "deal", "text")


@frozen
class Review(Result):
    """What to go through with one owner.

    Attributes:
        owner: Who works the deals, or None for those that nobody works.
        open: The open deals that they work, without parked ones, and their amounts.
        moved: What happened in the period to deals that were theirs when it did, in order.
        stuck: Their stalled deals, stalled for longest first.
        missing: What their open deals lack.
        questions: What to ask them.
    """

    owner: str | None
    open: Amounts
    moved: Table[Movement]
    stuck: Table[StalledDeal]
    missing: Table[Gap]
    questions: Table[Question]

    columns = ("owner", "open", "changes")

    @property
    def changes(self) -> dict[Change, int]:
        """How often each thing happened."""
        counts = Counter(movement.change for movement in self.moved)
        return {change: counts[change] for change in Change if counts[change]}

    def rows(self) -> list[Plain]:
        """One row for each thing that moved, is stuck, is missing or is to be asked."""
        sections: tuple[tuple[str, Iterable[Result]], ...] = (
            ("moved", self.moved),
            ("stuck", self.stuck),
            ("missing", self.missing),
            ("ask", self.questions),
        )
        return even(
            plain({"owner": self.owner, "section": section}) | each.row()
            for section, each_of in sections
            for each in each_of
        )

    def __str__(self) -> str:
        """The review as text to read out, section by section."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        sums = ", ".join(str(amount) for _, amount in self.open.by_currency.values())
        worth = f" worth {sums}" if sums else ""
        yield f"{self.owner or 'nobody'}: {self.open.n:,} open{worth}"
        told = ", ".join(f"{n:,} {_words(change)}" for change, n in self.changes.items())
        yield f"moved: {told or 'nothing'}"
        yield from (f"  {_moved_line(each)}" for each in self.moved)
        yield f"stuck: {len(self.stuck):,}"
        yield from (f"  {each.deal} {each.why}" for each in self.stuck)
        yield f"missing: {len(self.missing):,}"
        for deal, gaps in groupby(self.missing, key=attrgetter("deal")):
            yield f"  {deal}: {', '.join(map(_gap_words, gaps))}"
        yield f"ask: {len(self.questions):,}"
        yield from (f"  {each.deal}: {each.text}" for each in self.questions)


def _words(key: StrEnum) -> str:
    return key.value.replace("_", " ")


def _moved_line(each: Movement) -> str:
    way = " to ".join(part for part in (each.before, each.after) if part is not None)
    reason = f" ({each.reason})" if each.reason else ""
    return f"{each.at:%Y-%m-%d} {each.deal} {_words(each.change)}: {way or 'none'}{reason}"


def _gap_words(gap: Gap) -> str:
    what = _words(gap.missing).removesuffix(" passed")
    return f"no {what}" if gap.passed is None else f"{what} {gap.passed} is over"


def _wanted(missing: object) -> frozenset[Missing]:
    """What deals should not lack, past its door."""
    if isinstance(missing, str) or not isinstance(missing, Iterable):
        raise WrongTypeError("missing", "several Missing values", missing)
    given = cast("Iterable[object]", missing)
    return frozenset(choice(Missing, each, "missing") for each in given)


@overload
def review(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    owner: None = None,
    pipelines: Iterable[Pipeline] = (),
    rule: StalledBy | str = StalledBy.TIME_IN_STAGE,
    limits: Limits | None = None,
    missing: Iterable[Missing | str] = tuple(Missing),
    zone: tzinfo = UTC,
) -> Groups[str | None, Review]: ...


@overload
def review(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    owner: str,
    pipelines: Iterable[Pipeline] = (),
    rule: StalledBy | str = StalledBy.TIME_IN_STAGE,
    limits: Limits | None = None,
    missing: Iterable[Missing | str] = tuple(Missing),
    zone: tzinfo = UTC,
) -> Review: ...


@asks(rule=StalledBy, missing=_wanted)
def review(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period,
    owner: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    rule: StalledBy | str = StalledBy.TIME_IN_STAGE,
    limits: Limits | None = None,
    missing: Iterable[Missing | str] = tuple(Missing),
    zone: tzinfo = UTC,
) -> Review | Groups[str | None, Review]:
    """What to go through with an owner, or with each: what moved, is stuck, is missing, to ask.

    Definition:
        Formula: what happened to deals in the period, with the stalled deals, the gaps and the
            questions that follow from them.
        Denominator: what moved is of whoever worked the deal when it did; what is stuck or
            missing is of open deals, by who works them as of the instant. Parked deals are
            neither stuck nor do they lack anything.
        Window: moves in the period, as known at the instant; the rest as of the instant. A date
            written at the very instant of a closing, or while the deal is closed, is no move.
        Bias: what nobody recorded did not happen; a deal that was deleted is not told of.
        Elsewhere: no vendor known; Salesforce and HubSpot have lists of changed deals.

    Args:
        deals: The histories of deals; a review is a list, so no tally will do.
        as_of: The instant to judge from.
        period: What moved in it.
        owner: Whose review; if not given that of each, those who had a deal at any time included.
        pipelines: The pipelines, for the order of their stages, parked stages and limits.
        rule: What makes a deal stalled; if not told, that it is in its stage for too long.
        limits: How long is too long, as for `stalled`.
        missing: What an open deal should not lack; all there is if not given.
        zone: The zone whose calendar dates count.

    Returns:
        The review, or one for each owner in the order met; None stands for nobody.

    Raises:
        UnknownKeyError: Nobody of that name has worked a deal by the instant.

    Source: ActiveCampaign, What is a sales pipeline? (pipeline review; follow-up; details kept
    up to date; why deals were lost and won).
    """
    at, there = utc(as_of, "as_of"), check_zone(zone)
    known = by_key(pipelines)
    histories = instances(DealHistory, deals, "deals")
    stuck = stalled(
        histories,
        as_of=at,
        rule=rule,
        by="owner",
        limits=limits,
        pipelines=known.values(),
        zone=there,
    )
    body = _Body(known, period, at, on(at, there), _wanted(missing))
    for history in histories:
        body.take(history)
    if owner is None:
        reviews = ((name, body.review(name, stuck)) for name in body.owners)
        return Groups(reviews, at, period)
    if text(owner, "owner") not in body.owners:
        raise UnknownKeyError("owner", owner, tuple(name for name in body.owners if name))
    return body.review(owner, stuck)


class _Body:
    """The deals of a review, sorted by who works them.

    Attributes:
        owners: Everybody who has worked a deal, in the order met.
    """

    def __init__(
        self,
        known: Mapping[str, Pipeline],
        period: Period,
        at: datetime,
        today: date,
        wanted: frozenset[Missing],
    ) -> None:
        self._known, self._period, self._at = known, period, at
        self._today, self._wanted = today, wanted
        self._places = {key: _places(pipeline) for key, pipeline in known.items()}
        self.owners: dict[str | None, None] = {}
        self._moved: dict[str | None, list[Movement]] = {}
        self._open: dict[str | None, list[Deal]] = {}

    def take(self, history: DealHistory) -> None:
        """Take a deal in."""
        known = history.standing(self._at)
        deal = Deal.replay(known)
        if deal is None:
            return
        changes = (event for event in known if isinstance(event, Opened | OwnerChanged))
        self.owners |= dict.fromkeys([*(event.owner for event in changes), deal.owner])
        for owner, movement in self._movements(known):
            self._moved.setdefault(owner, []).append(movement)
        if deal.outcome is Outcome.OPEN and not is_parked((deal.pipeline, deal.stage), self._known):
            self._open.setdefault(deal.owner, []).append(deal)

    def _movements(self, known: tuple[Any, ...]) -> Iterator[tuple[str | None, Movement]]:
        """What changed in the period, each with whose deal it was."""
        start, end = self._period.start, self._period.end
        if not any(start <= event.at < end for event in known):
            return
        closings = {event.at for event in known if type(event) in (Won, Lost)}
        before: Deal | None = None
        for event in known:
            after = cast("Deal", Deal.replay((event,)) if before is None else before.follow(event))
            change = self._change(before, event, after, closings)
            if change is not None and start <= event.at < end:
                reason: str | None = getattr(event, "reason", None)
                both = _both(before, event, after)
                movement = Movement(event.at, after.id, change, *both, reason, after.amount)
                yield after.owner, movement
                if before is not None and before.owner != after.owner:
                    yield before.owner, movement
            before = after

    def _change(
        self, before: Deal | None, event: Event, after: Deal, closings: Iterable[datetime]
    ) -> Change | None:
        if before is None:
            return Change.OPENED if cast("Opened", event).start is Start.EXACT else None
        if type(event) is Moved:
            return self._way(before, after)
        if type(event) is CloseDateChanged:
            counts = before.outcome is Outcome.OPEN and event.at not in closings
            return _dated(before.expected_close, after.expected_close) if counts else None
        field, change = _CHANGES.get(type(event), ("version", None))
        return change if getattr(before, field) != getattr(after, field) else None

    def _way(self, before: Deal, after: Deal) -> Change | None:
        """Which way a move goes along the order of its pipeline."""
        here, there = (in_use((each.pipeline, each.stage), self._known) for each in (before, after))
        if here == there:
            return None
        order: Mapping[str, int] = self._places.get(here[0], {})
        if here[0] != there[0] or here[1] not in order or there[1] not in order:
            return Change.MOVED
        return Change.ADVANCED if order[there[1]] > order[here[1]] else Change.WENT_BACK

    def review(self, owner: str | None, stuck: Mapping[Hashable, Any]) -> Review:
        """The review of one owner."""
        theirs = sorted(self._open.get(owner, []), key=attrgetter("id"))
        found = stuck.get(owner)
        hung: Table[StalledDeal] = Table() if found is None else found.deals
        moved = sorted(self._moved.get(owner, []), key=lambda each: (each.at, each.deal))
        gaps = [
            gap
            for deal in theirs
            for gap in _gaps(deal, self._today)
            if gap.missing in self._wanted
        ]
        amounts = Amounts.of(_counted(deal.amount) for deal in theirs)
        questions = (*map(_about_stalled, hung), *map(_about_gap, gaps), *_about_moves(moved))
        made = Review(
            owner, amounts, Table(moved), hung, Table(gaps), Table(questions),
            left_out={} if found is None else found.left_out,
        )  # fmt: skip
        return stamped(made, self._at, self._period)


def _places(pipeline: Pipeline) -> dict[str, int]:
    """The place of each stage in the order, lost and parked ones left out."""
    ordered = (
        stage.key
        for stage in pipeline.stages
        if stage.outcome is not Outcome.LOST and not stage.parked
    )
    return {key: place for place, key in enumerate(ordered)}


_CHANGES: Mapping[type, tuple[str, Change]] = {
    Won: ("version", Change.WON),
    Lost: ("version", Change.LOST),
    Reopened: ("version", Change.REOPENED),
    AmountChanged: ("amount", Change.AMOUNT_CHANGED),
    OwnerChanged: ("owner", Change.GIVEN),
}
"""What each kind of event is told as, where it changes a field."""

_TOLD: Mapping[type, str] = {
    AmountChanged: "amount",
    CloseDateChanged: "expected_close",
    OwnerChanged: "owner",
}
"""The field that an event is told by, where that is not the stage."""


def _both(before: Deal | None, event: Event, after: Deal) -> tuple[str | None, str | None]:
    """What an event changed, before and after it, in words."""
    field = _TOLD.get(type(event), "stage")
    values: tuple[object, object] = getattr(before, field, None), getattr(after, field)
    first, last = (None if value is None else str(value) for value in values)
    return first, last


def _dated(before: date | None, after: date | None) -> Change | None:
    if before == after:
        return None
    if before is None or after is None:
        return Change.DATED
    return Change.PUSHED if after > before else Change.PULLED_IN


def _gaps(deal: Deal, today: date) -> Iterator[Gap]:
    """What an open deal lacks."""
    step = deal.next_step
    due = None if step is None else step.due
    lacking: tuple[tuple[Missing, bool, date | None], ...] = (
        (Missing.AMOUNT, deal.amount is None, None),
        (Missing.CLOSE_DATE, deal.expected_close is None, None),
        (Missing.CLOSE_DATE_PASSED, _is_over(deal.expected_close, today), deal.expected_close),
        (Missing.NEXT_STEP, step is None, None),
        (Missing.NEXT_STEP_PASSED, _is_over(due, today), due),
        (Missing.CONTACT, not deal.contacts, None),
    )
    for missing, lacks, passed in lacking:
        if lacks:
            yield Gap(deal.id, deal.stage, missing, passed, deal.amount)


def _is_over(day: date | None, today: date) -> bool:
    return day is not None and day < today


def _counted(amount: Money | None) -> tuple[str | None, Count]:
    return (None, Count(1)) if amount is None else (amount.currency, Count(1, amount.minor))


_ASKED = {
    Missing.AMOUNT: "what is it worth to the buyer, and to us?",
    Missing.CLOSE_DATE: "by when does the buyer want to have decided?",
    Missing.CLOSE_DATE_PASSED: "it was to close by {passed}: what is it waiting for?",
    Missing.NEXT_STEP: "what was agreed to be done next, by whom and by when?",
    Missing.NEXT_STEP_PASSED: "the next step was due on {passed}: was it done?",
    Missing.CONTACT: "whom do we speak with there, and who decides?",
}

_ASKED_OF_MOVES = {
    Change.PUSHED: "the close date went from {before} to {after}: what changed for the buyer?",
    Change.WENT_BACK: "it went back from {before} to {after}: what had we taken for settled?",
    Change.LOST: "it was lost from {before}: why, and when could we have known?",
    Change.WON: "what made them decide to buy?",
}


def _about_stalled(deal: StalledDeal) -> Question:
    return Question("stalled", deal.deal, f"it {deal.why}: what would move it on?")


def _about_gap(gap: Gap) -> Question:
    return Question(gap.missing.value, gap.deal, _ASKED[gap.missing].format(passed=gap.passed))


def _about_moves(moved: Iterable[Movement]) -> Iterator[Question]:
    for each in moved:
        asked = _ASKED_OF_MOVES.get(each.change)
        if asked is not None:
            words = asked.format(before=each.before, after=each.after)
            yield Question(each.change.value, each.deal, words)
