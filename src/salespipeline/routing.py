"""Routing: who gets a contact next and why, and whom to get in touch with first; never applied.

Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must Understand",
on recycling leads and picking them up again; ActiveCampaign, What is a sales pipeline? (handing
leads over by their score).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import cast

from attrs import field, frozen

from salespipeline._doors import instance, instances, text, whole
from salespipeline.cadence import ATTEMPTS, Cadence
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError
from salespipeline.events import ActivityRecorded, Direction
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import (
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    StatusKind,
    StatusScheme,
    Team,
    handled_by,
)
from salespipeline.periods import check_date, check_zone, on, utc
from salespipeline.scoring import ScoreModel


class Why(StrEnum):
    """The stable codes of what routes a contact."""

    SCORE_REACHED = "score_reached"
    ATTEMPTS_USED_UP = "attempts_used_up"
    BAD_TIMING = "bad_timing"
    REVISIT_DUE = "revisit_due"
    ENGAGEMENT_RETURNED = "engagement_returned"


@frozen
class Route:
    """Where a contact should go now.

    Attributes:
        record: The id of the contact.
        to: The team.
        why: The stable code of the reason.
        since: The instant from which on it has been so.
        message: The reason in words.
        stage: The lifecycle stage that it suggests, or None.
        lead_status: The lead status that it suggests, or None.
    """

    record: str
    to: Team
    why: Why
    since: datetime
    message: str
    stage: LifecycleStage | None = None
    lead_status: str | None = None


@frozen
class Task:
    """One contact to get in touch with.

    Attributes:
        record: The id of the contact.
        owner: Who works it, or None.
        due: The date on which it is due.
        overdue_days: For how many days it has been due; negative where it is not due yet.
        why: The reason in words.
        channel: By which channel; empty where that is left open.
        lead_status: The lead status now, or None.
        tier: The tier of its score, or None without a model.
        points: The total of its score, or None without a model.
    """

    record: str
    owner: str | None
    due: date
    overdue_days: int
    why: str
    channel: str
    lead_status: str | None
    tier: str | None
    points: object


def _kinds(value: object) -> frozenset[str]:
    return frozenset(text(kind, "kinds") for kind in instances(str, value, "kinds"))


def _attempts(value: object) -> int:
    number = whole(value, "attempts")
    if number < 1:
        raise InvalidValueError("attempts", (f"must be at least 1 (got {number})",))
    return number


def _model(value: object) -> ScoreModel | None:
    return None if value is None else instance(ScoreModel, value, "model")


def _scheme(value: object) -> StatusScheme:
    return instance(StatusScheme, value, "scheme")


def _cadence(value: object) -> Cadence:
    # an adopter's own cadence is as good as one that ships
    return cast("Cadence", instance(Cadence, value, "cadence"))  # type: ignore[type-abstract]


@frozen
class Routing:
    """How contacts go between marketing and sales: a value to share and to change.

    Attributes:
        model: The score that hands contacts over; None hands nobody over.
        attempts: After how many attempts without an answer a lead goes back to marketing.
        attempt_kinds: The kinds of outbound activity that are attempts; all if none are given.
        return_kinds: The kinds of inbound activity that wake a lead up; all if none are given.
        scheme: The lead statuses in use.
        cadence: When the next attempt on a lead is due.
    """

    model: ScoreModel | None = field(default=None, converter=_model)
    attempts: int = field(default=5, converter=_attempts)
    attempt_kinds: frozenset[str] = field(default=frozenset(), converter=_kinds)
    return_kinds: frozenset[str] = field(default=frozenset(), converter=_kinds)
    scheme: StatusScheme = field(default=STANDARD_STATUSES, converter=_scheme)
    cadence: Cadence = field(default=ATTEMPTS, converter=_cadence)

    def routes(
        self, contacts: Iterable[ContactHistory], *, as_of: datetime, zone: tzinfo = UTC
    ) -> tuple[Route, ...]:
        """Where contacts should go now; who is where they belong has no route.

        A contact in marketing's hands goes to sales when its score is ready. A lead that was
        tried often enough without an answer goes back to marketing, as does one of bad timing;
        that one goes to sales again on the date to revisit it, or when it comes back by itself.
        Nobody who opted out goes to sales.

        Args:
            contacts: The histories of contacts.
            as_of: The instant to judge from, by what was known then.
            zone: The zone of the date to revisit.

        Returns:
            One route for a contact at most, in the order given; none without contacts.
        """
        at = utc(as_of, "as_of")
        today = on(at, check_zone(zone))
        found = (
            self._route(history, at, today)
            for history in instances(ContactHistory, contacts, "contacts")
        )
        return tuple(route for route in found if route is not None)

    def _route(self, history: ContactHistory, at: datetime, today: date) -> Route | None:
        contact = history.as_of(at)
        if contact is None:
            return None
        if self._is_recycled(contact):
            return self._woken(history, contact, at, today) or self._recycled(contact)
        if self._is_worked(contact):
            return self._used_up(history, contact, at)
        return self._handed_over(history, contact, at)

    def _handed_over(self, history: ContactHistory, contact: Contact, at: datetime) -> Route | None:
        stage = contact.lifecycle_stage
        if self.model is None or self.model.hand_over is None:
            return None
        if handled_by(stage, contact.lead_status, scheme=self.scheme) is not Team.MARKETING:
            return None
        score = self.model.score(history, as_of=at)
        if score is None or not score.is_ready:
            return None
        since = self.model.first_reached(history, as_of=at) or at
        message = f"its score of {score.total} has reached {self.model.hand_over}"
        further = None if stage is LifecycleStage.MQL else LifecycleStage.MQL
        return Route(contact.id, Team.SALES, Why.SCORE_REACHED, since, message, further)

    def _used_up(self, history: ContactHistory, contact: Contact, at: datetime) -> Route | None:
        tried = self._tried(history, contact, at)
        if len(tried) < self.attempts:
            return None
        since = tried[self.attempts - 1]
        message = f"{len(tried)} attempts have found no answer"
        return Route(
            contact.id, Team.MARKETING, Why.ATTEMPTS_USED_UP, since, message,
            lead_status=self._status_of(StatusKind.RECYCLE),
        )  # fmt: skip

    def _recycled(self, contact: Contact) -> Route:
        back = "" if contact.revisit_on is None else f" until {contact.revisit_on}"
        since = contact.status_since or contact.changed_at
        return Route(
            contact.id, Team.MARKETING, Why.BAD_TIMING, since, f"a good fit for later{back}"
        )

    def _woken(
        self, history: ContactHistory, contact: Contact, at: datetime, today: date
    ) -> Route | None:
        """The way back to sales of a lead that was recycled."""
        if contact.opted_out:
            return None
        parked = contact.status_since or contact.changed_at
        status = LeadStatus.CONNECTED.value
        status = status if status in self.scheme.keys else self.scheme.initial.key
        back = [each.at for each in self._came_back(history, at) if each.at > parked]
        if back:
            message = f"it came back by itself on {min(back):%Y-%m-%d}"
            return Route(
                contact.id, Team.SALES, Why.ENGAGEMENT_RETURNED, min(back), message,
                lead_status=status,
            )  # fmt: skip
        if contact.revisit_on is not None and contact.revisit_on <= today:
            message = f"it was to be revisited on {contact.revisit_on}"
            return Route(
                contact.id, Team.SALES, Why.REVISIT_DUE, parked, message, lead_status=status
            )
        return None

    def worklist(
        self,
        contacts: Iterable[ContactHistory],
        *,
        as_of: datetime,
        until: date | None = None,
        zone: tzinfo = UTC,
    ) -> tuple[Task, ...]:
        """Whom sales should get in touch with, and why, the most pressing first.

        A next step that was agreed comes before what the cadence says; a lead that comes back is
        due on that day. What was due longest comes first; on one date the higher score, then the
        earlier lead status. Opted-out contacts are not on it.

        Args:
            contacts: The histories of contacts.
            as_of: The instant to judge from, by what was known then.
            until: The last date of interest; today if not given.
            zone: The zone whose dates they are.
        """
        at = utc(as_of, "as_of")
        today = on(at, check_zone(zone))
        last = today if until is None else check_date(until, "until")
        tasks = [
            task
            for history in instances(ContactHistory, contacts, "contacts")
            for task in self._tasks(history, at, today, zone)
            if task.due <= last
        ]
        keys = {key: n for n, key in enumerate(self.scheme.keys)}

        def pressing(task: Task) -> tuple[object, ...]:
            points = cast("int", task.points) if task.points is not None else 0
            return task.due, -points, keys.get(task.lead_status or "", len(keys)), task.record

        return tuple(sorted(tasks, key=pressing))

    def _tasks(
        self, history: ContactHistory, at: datetime, today: date, zone: tzinfo
    ) -> Iterator[Task]:
        contact = history.as_of(at)
        if contact is None or contact.opted_out:
            return
        planned = self._planned(history, contact, at, today, zone)
        if planned is None:
            return
        due, why, channel = planned
        score = None if self.model is None else self.model.score(history, as_of=at)
        yield Task(
            contact.id, contact.owner, due, (today - due).days, why, channel, contact.lead_status,
            None if score is None else score.tier, None if score is None else score.total,
        )  # fmt: skip

    def _planned(
        self, history: ContactHistory, contact: Contact, at: datetime, today: date, zone: tzinfo
    ) -> tuple[date, str, str] | None:
        """When a contact is due, why, and by which channel; None where sales has nothing to do."""
        if self._is_recycled(contact):
            woken = self._woken(history, contact, at, today)
            if woken is None:
                return None
            revisit = contact.revisit_on if woken.why is Why.REVISIT_DUE else None
            return revisit or on(woken.since, zone), woken.message, ""
        if not self._is_worked(contact):
            return None
        step = contact.next_step
        if step is not None and step.due is not None:
            return step.due, step.what, ""
        begun = on(contact.stage_since or contact.created_at, zone)
        tried = self._tried(history, contact, at)
        after = on(tried[-1], zone) if tried else None
        touch = self.cadence.next_due(start=begun, after=after)
        if touch is None or len(tried) >= self.attempts:
            return None
        return touch.on, f"{touch.what} {touch.number}", touch.channel

    # What is known of a contact

    def _kind(self, contact: Contact) -> StatusKind | None:
        """What the lead status means; None without one, or where the scheme lacks it."""
        if contact.lifecycle_stage not in self.scheme.active_in or contact.lead_status is None:
            return None
        key = self.scheme.current(contact.lead_status)
        return next((each.kind for each in self.scheme.statuses if each.key == key), None)

    def _is_recycled(self, contact: Contact) -> bool:
        return self._kind(contact) is StatusKind.RECYCLE

    def _is_worked(self, contact: Contact) -> bool:
        return self._kind(contact) in {StatusKind.INITIAL, StatusKind.WORKING}

    def _status_of(self, kind: StatusKind) -> str | None:
        return next((each.key for each in self.scheme.statuses if each.kind is kind), None)

    def _tried(self, history: ContactHistory, contact: Contact, at: datetime) -> list[datetime]:
        """The attempts since the contact came to sales or last answered, in order of instants."""
        done = tuple(_activities(history, at))
        answered = [each.at for each in done if each.direction is Direction.INBOUND]
        since = max([contact.stage_since or contact.created_at, *answered])
        return sorted(
            each.at
            for each in done
            if each.direction is Direction.OUTBOUND
            and each.at >= since
            and (not self.attempt_kinds or each.kind in self.attempt_kinds)
        )

    def _came_back(self, history: ContactHistory, at: datetime) -> Iterator[ActivityRecorded]:
        for each in _activities(history, at):
            wanted = not self.return_kinds or each.kind in self.return_kinds
            if wanted and each.direction is Direction.INBOUND:
                yield each


def _activities(history: ContactHistory, at: datetime) -> Iterator[ActivityRecorded]:
    """What was done with a contact, as known at an instant."""
    return (event for event in history.standing(at) if isinstance(event, ActivityRecorded))
