"""The way each deal took through the open stages, for what learns from many of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple, TypeAlias, cast

from salespipeline._courses import ENTERING, Course
from salespipeline.events import Lost, Opened, Reopened, Start, Won
from salespipeline.history import DealHistory
from salespipeline.metrics.value import in_use
from salespipeline.money import Money
from salespipeline.periods import check_zone, on
from salespipeline.pipelines import Outcome, Pipeline, StageKey
from salespipeline.tallies import Why, courses

State: TypeAlias = StageKey | Outcome
"""Where a deal goes: to an open stage, or to a close."""


class Passed(NamedTuple):
    """A visit to an open stage.

    Attributes:
        stage: The stage.
        days: Its whole days, so far where the deal is still there.
        to: Where the deal went, or None while it is still there.
        left: The ordinal of the date on which it left, or of the instant's.
        why: Why the days are not those of a visit, or None: such a visit is left out.
    """

    stage: StageKey
    days: int
    to: State | None
    left: int
    why: Why | None


class Track(NamedTuple):
    """The way that one deal took.

    Attributes:
        deal: The id.
        course: What counting reads of its events.
        passed: Its visits to open stages, in order.
        age: Whole days from opening to the last close, or so far; None where left out.
        why: Why the age is left out, or None.
        outcome: How it stands.
        closing: The event that closed it, or None while it is open.
        amount: What it is worth, or None.
        opened: The ordinal of the date on which it was opened.
    """

    deal: str
    course: Course
    passed: tuple[Passed, ...]
    age: int | None
    why: Why | None
    outcome: Outcome
    closing: Opened | Won | Lost | None
    amount: Money | None
    opened: int


def dates(zone: tzinfo) -> Callable[[datetime], int]:
    """How to read the ordinal of an instant's date in a zone."""
    if check_zone(zone) is UTC:
        return datetime.toordinal
    return lambda at: on(at, zone).toordinal()


def tracks(
    deals: Iterable[DealHistory],
    at: datetime,
    pipelines: Mapping[str, Pipeline],
    zone: tzinfo = UTC,
) -> Iterator[Track]:
    """The way of each deal that was there at an instant in UTC, up to that instant.

    A closed deal is in no stage until it is reopened; a stage retired from one of the pipelines
    given counts as its successor.
    """
    day = dates(zone)
    called: dict[StageKey, StageKey] = {}
    for course in courses(deals, at):
        yield _track(course, at, day, lambda stage: _called(stage, called, pipelines))


def _called(
    stage: StageKey, called: dict[StageKey, StageKey], pipelines: Mapping[str, Pipeline]
) -> StageKey:
    name = called.get(stage)
    if name is None:
        name = called[stage] = in_use(stage, pipelines)
    return name


def _track(
    course: Course,
    at: datetime,
    day: Callable[[datetime], int],
    called: Callable[[StageKey], StageKey],
) -> Track:
    known, known_from, _, outcome, closing, amount, _ = course
    first = known[0]
    opened = day(first.at)
    passed = tuple(_passed(known, known_from, at, day, called))
    lived = day(at if closing is None else closing.at) - opened
    age, why = _age(first, lived)
    return Track(first.record, course, passed, age, why, outcome, closing, amount, opened)


def _age(first: Opened, lived: int) -> tuple[int | None, Why | None]:
    if first.start is Start.BY_THEN or first.observed_from is not None:
        return None, Why.START_UNKNOWN
    return (lived, None) if lived >= 0 else (None, Why.NEGATIVE_DURATION)


def _passed(
    known: tuple[Any, ...],
    known_from: datetime | None,
    at: datetime,
    day: Callable[[datetime], int],
    called: Callable[[StageKey], StageKey],
) -> Iterator[Passed]:
    state: State | None = None
    outcome, since = Outcome.OPEN, at
    for event in known:
        kind = type(cast("object", event))
        if kind not in ENTERING:
            continue
        outcome = _outcome(kind, event, outcome)
        new = called((event.pipeline, event.stage)) if outcome is Outcome.OPEN else outcome
        if new == state:
            continue
        if type(state) is tuple:
            yield _visit(state, since, event.at, new, known_from, day)
        state, since = new, event.at
    if type(state) is tuple:
        yield _visit(state, since, at, None, known_from, day)


def _outcome(kind: type, event: Any, before: Outcome) -> Outcome:
    if kind is Won:
        return Outcome.WON
    if kind is Lost:
        return Outcome.LOST
    if kind is Opened:
        opened: Outcome = event.outcome
        return opened
    return Outcome.OPEN if kind is Reopened else before


def _visit(
    stage: StageKey,
    since: datetime,
    until: datetime,
    to: State | None,
    known_from: datetime | None,
    day: Callable[[datetime], int],
) -> Passed:
    left = day(until)
    days, why = left - day(since), None
    if known_from is not None and since <= known_from:
        why = Why.ENTRY_UNKNOWN
    elif days < 0:
        why = Why.NEGATIVE_DURATION
    return Passed(stage, days, to, left, why)


def left_out(found: Iterable[Track]) -> dict[str, int]:
    """How many visits are left out, by reason."""
    reasons = Counter(str(visit.why) for track in found for visit in track.passed if visit.why)
    return dict(sorted(reasons.items()))
