"""A contact: where a person stands, as a small frozen snapshot with commands.

A command checks the rules and returns the next snapshot with the event to store; it changes
nothing. A contact's furthest lifecycle stage counts: a recorded backward move changes nothing.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Self

from attrs import evolve, frozen

from salespipeline._doors import choice, gathered, instance, text
from salespipeline._record import (
    SHARED,
    Apply,
    Record,
    as_is,
    check_attributes,
    check_id,
    check_start,
    touch,
)
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.events import (
    Created,
    LeadStatusSet,
    LifecycleStageSet,
    NextStep,
    OptedIn,
    OptedOut,
    Start,
)
from salespipeline.lifecycle import LIFECYCLE, STANDARD_STATUSES, LifecycleStage, StatusScheme
from salespipeline.periods import check_date, utc
from salespipeline.rules import Code, Decision, Denial, DeniedError, Rulebook, label


def _created(draft: Any, event: Created) -> None:
    draft.id = event.record
    draft.lifecycle_stage = event.lifecycle_stage
    draft.stage_since = None if event.lifecycle_stage is None else event.at
    draft.changed_at = draft.created_at = event.at
    draft.lead_status = event.lead_status
    draft.status_since = None if event.lead_status is None else event.at
    draft.revisit_on = None
    draft.name, draft.email, draft.company = event.name, event.email, event.company
    draft.account, draft.owner, draft.source = event.account, event.owner, event.source
    draft.next_step = None
    draft.opted_out = False
    draft.approvals = frozenset()
    draft.verdict = None
    draft.attributes = event.attributes


def _lifecycle_stage_set(draft: Any, event: LifecycleStageSet) -> None:
    if draft.lifecycle_stage is None or event.stage.rank > draft.lifecycle_stage.rank:
        draft.lifecycle_stage = event.stage
        draft.stage_since = event.at
        draft.approvals = frozenset()
    _enter_status(draft, event.lead_status, event.at, None)
    touch(draft, event)


def _lead_status_set(draft: Any, event: LeadStatusSet) -> None:
    _enter_status(draft, event.status, event.at, event.revisit_on)
    touch(draft, event)


def _enter_status(draft: Any, status: str | None, at: datetime, revisit_on: date | None) -> None:
    if status != draft.lead_status:
        draft.lead_status = status
        draft.status_since = None if status is None else at
        draft.revisit_on = None
    draft.revisit_on = revisit_on or draft.revisit_on


def _opted_out(draft: Any, event: OptedOut) -> None:
    draft.opted_out = True
    touch(draft, event)


def _opted_in(draft: Any, event: OptedIn) -> None:
    draft.opted_out = False
    touch(draft, event)


@frozen(weakref_slot=False)
class Contact(Record):
    """Where a contact stands after its events.

    Make one with `Contact.create`, or from events with a `ContactHistory`.

    Attributes:
        id: Its id.
        version: The sequence number of its last event, to compare and set.
        lifecycle_stage: The furthest stage recorded, or None.
        stage_since: When that stage was first recorded.
        changed_at: The latest change of state; an activity is none.
        lead_status: The key of its lead status, or None.
        status_since: When that status began.
        revisit_on: The date to come back to a lead of bad timing.
        created_at: When it came into being, or is first known of.
        name: The person's name.
        email: The person's e-mail address.
        company: The person's company, in words.
        account: The id of the person's account.
        owner: The id of who works it now.
        source: Where the lead came from.
        next_step: What was agreed to be done next.
        opted_out: Whether the person asked not to be contacted.
        approvals: The roles whose approval is in force.
        verdict: The last verdict of a qualification.
        attributes: The adopter's own fields.

    >>> from datetime import UTC, datetime
    >>> contact, _ = Contact.create("c-1", at=datetime(2026, 3, 1, tzinfo=UTC), by="form")
    >>> contact, event = contact.advance("lead", at=datetime(2026, 3, 2, tzinfo=UTC), by="form")
    >>> contact.lifecycle_stage.value, event.sequence
    ('lead', 2)
    """

    id: str
    version: int
    lifecycle_stage: LifecycleStage | None
    stage_since: datetime | None
    changed_at: datetime
    lead_status: str | None
    status_since: datetime | None
    revisit_on: date | None
    created_at: datetime
    name: str | None
    email: str | None
    company: str | None
    account: str | None
    owner: str | None
    source: str | None
    next_step: NextStep | None
    opted_out: bool
    approvals: frozenset[str]
    verdict: str | None
    attributes: Attributes

    kind: ClassVar[str] = "contact"
    fields: ClassVar[Mapping[str, Callable[[object, str], Any]]] = dict.fromkeys(
        ("name", "email", "company", "account", "source"), text
    )
    _applied: ClassVar[Mapping[type, Apply]] = {
        Created: _created,
        LifecycleStageSet: _lifecycle_stage_set,
        LeadStatusSet: _lead_status_set,
        OptedOut: _opted_out,
        OptedIn: _opted_in,
        **SHARED,
    }

    @classmethod
    def create(
        cls,
        contact: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        stage: LifecycleStage | str | None = None,
        name: str | None = None,
        email: str | None = None,
        company: str | None = None,
        account: str | None = None,
        owner: str | None = None,
        source: str | None = None,
        attributes: Mapping[str, object] = EMPTY,
        start: Start = Start.EXACT,
        rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Self, Created]:
        """A new contact and the event that creates it.

        Args:
            contact: Its id.
            at: When it came into being.
            by: Who created it.
            role: What they acted as.
            stage: Its first lifecycle stage; None for a contact on no stage yet.
            name: The person's name.
            email: The person's e-mail address.
            company: The person's company, in words.
            account: The id of the person's account.
            owner: Who works it.
            source: Where the lead came from.
            attributes: The adopter's own fields.
            start: Whether it came into being at that instant, or by then at the latest.
            rulebook: Which stages a contact may begin in.
            scheme: Which lead status, if any, goes with the stage.

        Raises:
            DeniedError: The rulebook lets no contact begin there.
        """
        instance(Rulebook, rulebook, "rulebook")
        instance(StatusScheme, scheme, "scheme")
        said = gathered(
            "contact", "record", "at", "by", "start", "attributes",
            record=(check_id, contact), at=(utc, at), by=(text, by), role=(text, role),
            start=(check_start, start), lifecycle_stage=(_stage, stage), name=(text, name),
            email=(text, email), company=(text, company), account=(text, account),
            owner=(text, owner), source=(text, source), attributes=(check_attributes, attributes),
        )  # fmt: skip
        first: LifecycleStage | None = said["lifecycle_stage"]
        if first is not None:
            _enforce(f"contact {said['record']!r}", rulebook.decide(None, first))
        ruling = None if first is None else rulebook.ruling
        event = Created(sequence=1, lead_status=scheme.after(None, first), ruling=ruling, **said)
        created = cls.replay((event,))
        return created, event  # type: ignore[return-value] # a creation leaves a snapshot

    def decide(
        self,
        stage: LifecycleStage | str,
        *,
        at: datetime | None = None,
        rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
    ) -> Decision[LifecycleStage]:
        """Whether the contact may go to a lifecycle stage, with every reason why not.

        Args:
            stage: The stage to reach.
            at: When; None leaves the time out of the decision.
            rulebook: The rules of the lifecycle.
        """
        target = choice(LifecycleStage, stage, "lifecycle stage")
        instance(Rulebook, rulebook, "rulebook")
        decision = rulebook.decide(self.lifecycle_stage, target)
        return decision.denied(self.too_early(at))

    def options(
        self, *, at: datetime | None = None, rulebook: Rulebook[LifecycleStage] = LIFECYCLE
    ) -> tuple[Decision[LifecycleStage], ...]:
        """One decision for each lifecycle stage, in order."""
        instance(Rulebook, rulebook, "rulebook")
        return tuple(self.decide(stage, at=at, rulebook=rulebook) for stage in rulebook.states)

    def advance(
        self,
        stage: LifecycleStage | str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Self, LifecycleStageSet]:
        """Record that the contact reached a further lifecycle stage.

        The lead status follows: it begins, stays or ends as the scheme is active in the stage.

        Args:
            stage: The stage reached.
            at: When.
            by: Who says so.
            role: What they act as.
            rulebook: The rules of the lifecycle.
            scheme: The lead statuses in use.

        Raises:
            DeniedError: The rulebook does not allow it; the error carries the decision.
        """
        decision = self.decide(stage, at=at, rulebook=rulebook)
        _enforce(self.subject, decision)
        after = instance(StatusScheme, scheme, "scheme").after(self.lead_status, decision.target)
        return self.happen(
            LifecycleStageSet, at, by, role, stage=(as_is, decision.target),
            stage_left=(as_is, self.lifecycle_stage), lead_status=(as_is, after),
            ruling=(as_is, rulebook.ruling),
        )  # fmt: skip

    def decide_status(
        self,
        status: str,
        *,
        at: datetime | None = None,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> Decision[str]:
        """Whether the contact may get a lead status, with every reason why not.

        Args:
            status: The key of the status.
            at: When; None leaves the time out of the decision.
            scheme: The lead statuses in use.
        """
        book = instance(StatusScheme, scheme, "scheme").rulebook
        source = None if self.lead_status is None else scheme.current(self.lead_status)
        decision = book.decide(source, scheme.current(text(status, "status")))
        inactive = () if self.lifecycle_stage in scheme.active_in else (self._inactive(scheme),)
        asked = evolve(decision, command=f"set the lead status {label(decision.target)} of")
        return asked.denied((*inactive, *self.too_early(at)))

    def _inactive(self, scheme: StatusScheme) -> Denial:
        active = tuple(stage for stage in LifecycleStage if stage in scheme.active_in)
        where = " or ".join(repr(stage.value) for stage in active)
        message = f"scheme {scheme.name!r} has lead statuses for {where} only"
        field = "lifecycle_stage"
        stage = self.lifecycle_stage
        return Denial(Code.STATUS_INACTIVE, scheme.name, field, stage, active, message)

    def status_options(
        self, *, at: datetime | None = None, scheme: StatusScheme = STANDARD_STATUSES
    ) -> tuple[Decision[str], ...]:
        """One decision for each lead status of a scheme, in order."""
        instance(StatusScheme, scheme, "scheme")
        return tuple(self.decide_status(key, at=at, scheme=scheme) for key in scheme.keys)

    def set_lead_status(
        self,
        status: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        revisit_on: date | None = None,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Self, LeadStatusSet]:
        """Set what sales does with the contact now, in any direction.

        Args:
            status: The key of the status.
            at: When.
            by: Who.
            role: What they act as.
            revisit_on: The date to come back, for a lead of bad timing.
            scheme: The lead statuses in use.

        Raises:
            DeniedError: The contact is on no stage with lead statuses, or the scheme's rulebook
                does not allow it; the error carries the decision.
        """
        decision = self.decide_status(status, at=at, scheme=scheme)
        _enforce(self.subject, decision)
        return self.happen(
            LeadStatusSet, at, by, role, status=(as_is, decision.target),
            status_left=(as_is, self.lead_status), revisit_on=(check_date, revisit_on),
            ruling=(as_is, scheme.rulebook.ruling),
        )  # fmt: skip

    def opt_out(self, *, at: datetime, by: str, role: str | None = None) -> tuple[Self, OptedOut]:
        """Note that the person asked not to be contacted."""
        return self.change(OptedOut, at, by, role)

    def opt_in(self, *, at: datetime, by: str, role: str | None = None) -> tuple[Self, OptedIn]:
        """Note that the person agreed to be contacted."""
        return self.change(OptedIn, at, by, role)


Contact.prepare()


def _stage(value: object, _name: str) -> LifecycleStage:
    return choice(LifecycleStage, value, "lifecycle stage")


def _enforce(subject: str, decision: Decision[Any]) -> None:
    if not decision:
        raise DeniedError(subject, decision)
