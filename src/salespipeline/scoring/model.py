"""A score model: rules, caps and tiers, asked for scores at any instant."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Self, cast

from attrs import frozen

from salespipeline._doors import instance
from salespipeline._kinds import Schema
from salespipeline._plain import plain_condition
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.history import History
from salespipeline.periods import utc
from salespipeline.rules.rule import declared
from salespipeline.scoring.activities import Activity, has_opted_out, id_of, read_activities
from salespipeline.scoring.counting import Counter, Sums
from salespipeline.scoring.ledger import Score, kept
from salespipeline.scoring.linting import Finding, findings
from salespipeline.scoring.points import check_points, hundredths, shown
from salespipeline.scoring.review import Review, review
from salespipeline.scoring.rules import EngagementRule, FitRule
from salespipeline.scoring.sheet import Sheet, Tiers
from salespipeline.scoring.tiers import Matrix
from salespipeline.scoring.timeline import Change, Course, course_at, first_reached


class _Shown(dict[int, Decimal]):
    """Hundredths as decimals, each made once."""

    def __missing__(self, units: int) -> Decimal:
        self[units] = made = shown(units)
        return made


@frozen
class ScoreModel(Sheet):
    """How records are scored: one immutable value to share, compare, print and write as JSON.

    The points of the fit rules that are met and of what was done are summed by half, and the
    halves are added. Caps hold a sum to at most the cap, in this order: each engagement rule
    (what it takes off, too), each group, each half, the total.

    Args:
        name: What it is called.
        fit: The rules for who they are.
        engagement: The rules for what they do.
        group_caps: By group, its cap. A group holds rules of one half.
        fit_cap: The cap of the half of fit.
        engagement_cap: The cap of the half of engagement.
        total_cap: The cap of the total.
        tiers: `Thresholds` of the total, or a `Matrix` of both halves.
        hand_over: The total at which sales is told.
        version: Its number in a line of changed models.
        meaning: What it is for.

    Raises:
        InvalidValueError: There is no rule, two have one name, a group holds rules of both
            halves, or a cap is not above 0 or is of no group. Every fault is named.

    Source: ActiveCampaign, What is a sales pipeline? (Airtame adds a fit and an engagement score,
        and tells sales when both together are high enough.)

    >>> from salespipeline.conditions import equals
    >>> model = ScoreModel(
    ...     "leads",
    ...     fit=[FitRule("school", equals("attributes.industry", "education"), 30)],
    ...     engagement=[EngagementRule("webinars", "webinar", 20, cap=50)],
    ... )
    >>> from datetime import UTC
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> school = {"attributes": {"industry": "education"}}
    >>> print(model.score_of(school, [{"kind": "webinar", "at": day}] * 3, as_of=day))
    80 (fit 30, engagement 50)
    - +30 school
    - +20 webinars (2026-03-01)
    - +20 webinars (2026-03-01)
    - +20 webinars (2026-03-01)
    - -10 cap of webinars
    """

    @cached_property
    def _counter(self) -> Counter:
        return Counter(self)

    def score(self, history: History[Any, Any], *, as_of: datetime) -> Score | None:
        """The score of a record at an instant, with its ledger.

        Only what was known then counts: what had happened and was recorded by that instant.

        Args:
            history: The events of a contact or a deal.
            as_of: The instant, past or future; with nothing but time going by after the last
                event.

        Returns:
            The score; None before the record was created and after it was deleted.
        """
        at = utc(as_of, "as_of")
        course = course_at(self, self._counter, _history(history), at)
        if course is None:
            return None
        return self._scored(course.record, course.activities, at)

    def score_of(self, record: Any, activities: Iterable[Any] = (), *, as_of: datetime) -> Score:
        """The score of a record of your own at an instant, with its ledger.

        Args:
            record: A mapping, or an object with fields, as it stands at the instant. Its ``id``
                names it, and its ``opted_out`` keeps it from sales: nothing but None, False and
                0 counts as no.
            activities: What they did: mappings or objects with ``kind`` and ``at``, and maybe
                ``direction`` and ``recorded_at``. What was not known at the instant is left out.
            as_of: The instant.

        Raises:
            InvalidValueError: An activity has no kind or no instant. Every fault is named.
        """
        at = utc(as_of, "as_of")
        return self._scored(record, read_activities(activities, at), at)

    def _scored(self, record: Any, activities: Iterable[Activity], at: datetime) -> Score:
        told = kept(self, record, activities, at)
        sums = Sums(told.fit, told.engagement, told.total)
        made = self._made(id_of(record), at, sums, _Shown(), opted_out=has_opted_out(record))
        return made._replace(ledger=told.entries, unknown=told.unknown)

    def _made(
        self, record: str | None, at: datetime, sums: Sums, told: _Shown, *, opted_out: bool
    ) -> Score:
        fit, engagement, total = sums
        tier = None if self.tiers is None else self.tiers.tier(fit, engagement, total)
        ready = not opted_out and (threshold := self._threshold) is not None and total >= threshold
        return Score(record, at, told[fit], told[engagement], told[total], tier, opted_out, ready)

    @cached_property
    def _threshold(self) -> int | None:
        return None if self.hand_over is None else hundredths(self.hand_over)

    def scores(self, histories: Iterable[History[Any, Any]], *, as_of: datetime) -> list[Score]:
        """The scores of many records at an instant, without their ledgers.

        Args:
            histories: The events of contacts or deals.
            as_of: The instant.

        Returns:
            One score for each record that there was, in the order given; each is that of `score`
            but for ``ledger`` and ``unknown``, which are None.
        """
        at = utc(as_of, "as_of")
        counter, told = self._counter, _Shown()
        made: list[Score] = []
        for history in _histories(histories):
            events = history.standing(at)
            if not events:
                continue
            others, done = counter.split(events, at)
            changes = events if counter.asks_version else others
            record: Any = history.snapshot_type.replay(changes)
            sums = counter.sums(record, done, at)
            opted_out = getattr(record, "opted_out", False)
            made.append(self._made(record.id, at, sums, told, opted_out=opted_out))
        return made

    def series(
        self, history: History[Any, Any], instants: Iterable[datetime]
    ) -> tuple[Score | None, ...]:
        """The scores of one record at several instants, without their ledgers.

        Returns:
            One for each instant, in the order given; None where there was no record.
        """
        given = _history(history)
        if isinstance(instants, str | Mapping) or not isinstance(instants, Iterable):
            raise WrongTypeError("instants", "several instants", cast("object", instants))
        at_each = [utc(each, "instants") for each in cast("Iterable[object]", instants)]
        found = (self.scores([given], as_of=at) for at in at_each)
        return tuple(scores[0] if scores else None for scores in found)

    def next_change(self, history: History[Any, Any], *, as_of: datetime) -> Change | None:
        """When the tier of a record next changes if nothing happens.

        What is known at the instant is kept as it is, and time goes by: points decay, windows
        move on, and fit rules that wait for a time are met.

        Args:
            history: The events of a contact or a deal.
            as_of: The instant from which on nothing happens.

        Returns:
            The first later instant at which the tier is another, with both tiers; None where it
            never is, or there is no record.

        Raises:
            InvalidValueError: The model has no tiers.
        """
        at = utc(as_of, "as_of")
        course = course_at(self, self._counter, _history(history), at)
        return self._next_change(course, at)

    def next_change_of(
        self, record: Any, activities: Iterable[Any] = (), *, as_of: datetime
    ) -> Change | None:
        """When the tier of a record of your own next changes if nothing happens.

        Args:
            record: As for `score_of`.
            activities: As for `score_of`.
            as_of: The instant from which on nothing happens.

        Raises:
            InvalidValueError: The model has no tiers, or an activity has no kind or no instant.
        """
        at = utc(as_of, "as_of")
        course = Course(self, self._counter, record, read_activities(activities, at))
        return self._next_change(course, at)

    def _next_change(self, course: Course | None, at: datetime) -> Change | None:
        if self.tiers is None:
            raise InvalidValueError(f"score model {self.name!r}", ("it has no tiers",))
        return None if course is None else course.next_change(at)

    def first_reached(
        self,
        history: History[Any, Any],
        *,
        as_of: datetime,
        points: Decimal | int | str | None = None,
    ) -> datetime | None:
        """When the total of a record first reached a number of points.

        At each instant counts what was known then. This is the behaviour ``score_reached`` of
        `triggers`.

        Args:
            history: The events of a contact or a deal.
            as_of: The instant up to which to look.
            points: How many; those of the hand-over if not given, which nobody reaches while
                opted out.

        Returns:
            The instant; None where it was not reached by then.

        Raises:
            InvalidValueError: No points are given, and the model has no hand-over.
        """
        given, at = _history(history), utc(as_of, "as_of")
        least = self._threshold if points is None else hundredths(check_points(points, "points"))
        if least is None:
            fault = "it has no hand-over: give the points to reach"
            raise InvalidValueError(f"score model {self.name!r}", (fault,))
        return first_reached(
            self, self._counter, given, least, at, opted_out_too=points is not None
        )

    def lint(self) -> tuple[Finding, ...]:
        """What is odd about the model, the most harmful first; nothing where all is well."""
        return findings(self)

    def review(
        self,
        histories: Iterable[History[Any, Any]],
        *,
        as_of: datetime,
        until: datetime,
        level: float = 0.95,
    ) -> Review:
        """The rules held against history: which never fired, and which are at odds with outcomes.

        The rules are judged at one instant, and the outcome is what came after it, so that no
        rule is praised for what is only known of those who won. A contact wins by becoming a
        customer, a deal by being won. Records decided at the first instant are left out, and one
        that has not won by the second has not won: every record has had the same time.

        Args:
            histories: The events of contacts or deals.
            as_of: The instant at which the rules are judged.
            until: The later instant by which a record must have won.
            level: The confidence of the intervals.

        Raises:
            InvalidValueError: The second instant is not after the first, or the level is not
                between 0 and 1.
        """
        at, end = utc(as_of, "as_of"), utc(until, "until")
        if end <= at:
            raise InvalidValueError("review", ("'until' must be after 'as_of'",))
        return review(self, _histories(histories), as_of=at, until=end, level=level)

    def checked(self, schema: Schema) -> Self:
        """The model itself, whose fit rules ask for fields that a schema has, of their kinds.

        Args:
            schema: A class with annotated fields, or a mapping of names to types or kinds.

        Raises:
            InvalidValueError: A rule asks for a field that is not there, or of another kind. Every
                fault is named.
        """
        _, faults = declared(cast("Any", self.fit), schema)
        if faults:
            raise InvalidValueError(f"score model {self.name!r}", tuple(faults))
        return self

    def to_plain(self) -> dict[str, Any]:
        """The model as plain data: dicts, lists, text, bools, None and whole numbers.

        Points that are not whole are text.
        """
        caps = {"fit_cap": self.fit_cap, "engagement_cap": self.engagement_cap}
        caps |= {"total_cap": self.total_cap, "hand_over": self.hand_over}
        return {
            "name": self.name, "version": self.version, "meaning": self.meaning,
            "fit": [_plain_fit(rule) for rule in self.fit],
            "engagement": [_plain_engagement(rule) for rule in self.engagement],
            "group_caps": {name: _number(cap) for name, cap in self.group_caps.items()},
            **{name: _number(cap) for name, cap in caps.items()},
            "tiers": _plain_tiers(self.tiers),
        }  # fmt: skip

    def __str__(self) -> str:
        """The rules, caps and tiers in words."""
        lines = [f"{self.name}, version {self.version}"]
        lines += [f"- {rule.points:+} {rule.name}" for rule in self.rules]
        lines += [f"- at most {cap} for {name}" for name, cap in self.caps().items()]
        lines += [] if self.hand_over is None else [f"- handed over at {self.hand_over}"]
        return "\n".join(lines)


def _history(value: object) -> History[Any, Any]:
    return cast("History[Any, Any]", instance(History, value, "history"))


def _histories(value: object) -> Iterable[History[Any, Any]]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise WrongTypeError("histories", "several histories", cast("object", value))
    return map(_history, cast("Iterable[object]", value))


def _number(points: Any) -> int | str | None:
    """Points as plain data: whole, or as text."""
    if points is None:
        return None
    return int(points) if points == int(points) else f"{points:f}"


def _plain_fit(rule: FitRule) -> dict[str, Any]:
    return {
        "name": rule.name, "condition": plain_condition(rule.condition),
        "points": _number(rule.points), "group": rule.group,
    }  # fmt: skip


def _plain_engagement(rule: EngagementRule) -> dict[str, Any]:
    decay = rule.decay
    return {
        "name": rule.name, "activity": rule.activity, "points": _number(rule.points),
        "direction": None if rule.direction is None else rule.direction.value,
        "at_least": rule.at_least, "at_most": rule.at_most,
        "within_days": None if rule.within is None else rule.within.days,
        "once": rule.once, "cap": _number(rule.cap), "group": rule.group,
        "decay": {
            "way": decay.way.value,
            "days": None if decay.after is None else decay.after.days,
            "share": None if decay.share is None else f"{decay.share:f}",
        },
    }  # fmt: skip


def _plain_tiers(tiers: Tiers | None) -> dict[str, Any] | None:
    if tiers is None:
        return None
    if isinstance(tiers, Matrix):
        sides = {"fit": tiers.fit, "engagement": tiers.engagement}
        return {"of": "matrix"} | {name: [*map(_number, side)] for name, side in sides.items()}
    bounds = [{"tier": label, "least": _number(least)} for label, least in tiers.bounds]
    return {"of": "thresholds", "bounds": bounds}
