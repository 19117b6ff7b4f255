"""A score over time: the instants at which it can change, and what is first so at one of them.

A score is a step function: it changes where something becomes known, where an occurrence comes to
an age at which it is worth something else, and where a fit rule waits for time to pass. Between
these instants it stays, so that whatever is asked is searched for among them, exactly.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from attrs import frozen

from salespipeline._kinds import told_instant
from salespipeline._verdicts import look_up
from salespipeline.conditions import Test, leaves
from salespipeline.history import History
from salespipeline.scoring.activities import Activity, has_opted_out, of_events
from salespipeline.scoring.asking import is_timed
from salespipeline.scoring.counting import Counter, Sums
from salespipeline.scoring.sheet import Sheet

T = TypeVar("T")

LAST = datetime.max.replace(tzinfo=UTC)


@frozen
class Change:
    """When the tier of a record changes by itself.

    Attributes:
        at: The instant.
        before: The tier until then, or None.
        tier: The tier from then on, or None.
    """

    at: datetime
    before: str | None
    tier: str | None


@frozen(eq=False)
class Course:
    """What is known of one record from an instant on, as long as nothing is added to it."""

    sheet: Sheet
    counter: Counter
    record: Any
    activities: Sequence[Activity]

    def sums(self, at: datetime) -> Sums:
        """The sums at an instant."""
        return self.counter.sums(self.record, self.counter.done(self.activities, at), at)

    def tier(self, at: datetime) -> str | None:
        """The tier at an instant; None in a model without any."""
        tiers = self.sheet.tiers
        return None if tiers is None else tiers.tier(*self.sums(at))

    def turns(self, after: datetime, until: datetime) -> list[datetime]:
        """The instants after one, and up to another, at which the score can change, in order."""
        return sorted({turn for turn in self._turns() if after < turn <= until})

    def _turns(self) -> Iterator[datetime]:
        for rule in self.sheet.engagement:
            for each in self.activities:
                if each.kind == rule.activity:
                    yield from _later(each.at, (timedelta(age) for age in rule.turns))
        for fit in self.sheet.fit:
            for leaf in leaves(fit.condition):
                if isinstance(leaf, Test) and is_timed(leaf):
                    since = self._instant(leaf)
                    yield from () if since is None else _later(since, [leaf.value])

    def _instant(self, test: Test) -> datetime | None:
        try:
            return told_instant(look_up(self.record, test.where[1]))
        except Exception:  # noqa: BLE001 - a record may be anyone's code
            return None

    def only_fades(self) -> bool:
        """Whether the sums can only fall as time goes by, so that halving finds a change."""
        fading = all(
            rule.points >= 0 and rule.at_most is None and not (rule.once and rule.within)
            for rule in self.sheet.engagement
        )
        return fading and not any(
            isinstance(leaf, Test) and is_timed(leaf)
            for rule in self.sheet.fit
            for leaf in leaves(rule.condition)
        )

    def next_change(self, at: datetime) -> Change | None:
        """When the tier next changes; None where it never does."""
        before, turns = self.tier(at), self.turns(at, LAST)

        def differs(turn: datetime) -> bool:
            return self.tier(turn) != before

        found = (_halved if self.only_fades() else _first)(turns, differs)
        return None if found is None else Change(found, before, self.tier(found))

    def reached(self, points: int, after: datetime, until: datetime) -> datetime | None:
        """The first instant from one up to another at which the total has so many points."""

        def has(turn: datetime) -> bool:
            return self.sums(turn).total >= points

        turns = [] if self.only_fades() else self.turns(after, until)
        return _first([after, *turns], has)


def _later(at: datetime, steps: Iterable[timedelta]) -> Iterator[datetime]:
    """The instants so much later, those beyond the calendar left out."""
    for step in steps:
        if step <= LAST - at:
            yield at + step


def _first(turns: Iterable[T], so: Callable[[T], bool]) -> T | None:
    return next((turn for turn in turns if so(turn)), None)


def _halved(turns: Sequence[T], so: Callable[[T], bool]) -> T | None:
    """The first instant at which something is so that stays so, found by halving."""
    low, high = 0, len(turns)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if so(turns[middle]) else (middle + 1, high)
    return turns[low] if low < len(turns) else None


def course_at(
    sheet: Sheet, counter: Counter, history: History[Any, Any], at: datetime
) -> Course | None:
    """What is known of a history's record at an instant; None where there is no record."""
    events = history.standing(at)
    record = history.snapshot_type.replay(events)
    return None if record is None else Course(sheet, counter, record, of_events(events))


def first_reached(
    sheet: Sheet,
    counter: Counter,
    history: History[Any, Any],
    points: int,
    until: datetime,
    *,
    opted_out_too: bool,
) -> datetime | None:
    """The first instant up to one at which the total had so many points, as known at each."""
    learnt = {max(event.at, event.recorded_at or event.at) for event in history.events}
    starts = sorted(at for at in learnt if at <= until)
    ends = [at - timedelta.resolution for at in starts[1:]]
    for start, end in zip(starts, [*ends, until], strict=False):
        course = course_at(sheet, counter, history, start)
        if course is None or (not opted_out_too and has_opted_out(course.record)):
            continue
        found = course.reached(points, start, end)
        if found is not None:
            return found
    return None
