"""A contact: where a person stands, as a small frozen snapshot with commands.

A command checks the rules and returns the next snapshot with the event to store; it changes
nothing. A contact's furthest lifecycle stage counts: a recorded backward move changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Self

from attrs import evolve, frozen

from salespipeline._doors import choice, gathered, instance, text
from salespipeline._folds import CONTACT, Apply
from salespipeline._record import (
    Record,
    check_attributes,
    check_id,
    check_start,
)
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.errors import SalesPipelineError
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
from salespipeline.rules import (
    Code,
    Decision,
    Denial,
    DeniedError,
    Override,
    Result,
    Rulebook,
    label,
)


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
    _applied: ClassVar[Mapping[type, Apply]] = CONTACT

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
        context: Any = EMPTY,
        override: Override | None = None,
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
            context: What else the rulebook's conditions may know.
            override: Who overrides its denials, as what, and why.
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
        said["lead_status"] = scheme.after(None, first)
        if first is not None:
            return cls.begun(Created, said, rulebook, first, context, override)
        event = Created(sequence=1, **said)
        return cls.replay((event,)), event  # type: ignore[return-value] # a creation leaves one

    def decide(
        self,
        stage: LifecycleStage | str,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
        rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
    ) -> Decision[LifecycleStage]:
        """Whether the contact may go to a lifecycle stage, with every reason why not.

        Whatever the rulebook says, a stage below the present one is denied: the direction of the
        lifecycle cannot be overridden, only an event voided.

        Args:
            stage: The stage to reach.
            at: When; None leaves the time out of the decision.
            by: Who.
            role: What they act as.
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.
            rulebook: The rules of the lifecycle.
        """
        target = choice(LifecycleStage, stage, "lifecycle stage")
        source = self.lifecycle_stage
        instance(Rulebook, rulebook, "rulebook")
        decision = rulebook.decide(
            source, target, self,
            at=at, by=by, role=role, entered_at=self.stage_since, context=context,
        )  # fmt: skip
        ahead = source is None or target.rank >= source.rank
        if override is not None and ahead:
            decision = rulebook.override(decision, override)
        if source is not None and not (ahead and decision.result is Result.ALLOWED):
            allowed = decision.alternatives or rulebook.allowed(
                source, self,
                at=at, by=by, role=role, entered_at=self.stage_since, context=context,
            )  # fmt: skip
            decision = _forward_only(decision, source, allowed)
        early = self.too_early(at)
        return decision.denied(early) if early else decision

    def options(
        self,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        context: Any = EMPTY,
        rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
    ) -> tuple[Decision[LifecycleStage], ...]:
        """One decision for each lifecycle stage, in order; the arguments are those of `decide`."""
        instance(Rulebook, rulebook, "rulebook")
        return tuple(
            self.decide(stage, at=at, by=by, role=role, context=context, rulebook=rulebook)
            for stage in rulebook.states
        )

    def advance(
        self,
        stage: LifecycleStage | str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
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
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.
            rulebook: The rules of the lifecycle.
            scheme: The lead statuses in use.

        Raises:
            DeniedError: The rulebook does not allow it; the error carries the decision.
        """
        try:
            decision = self.decide(
                stage, at=at, by=by, role=role,
                context=context, override=override, rulebook=rulebook,
            )  # fmt: skip
        except SalesPipelineError:
            self.passed(at, by, role, "stage", stage=(_stage, stage))
            raise
        if decision.result is not Result.ALLOWED:
            raise DeniedError(self.subject, decision)
        after = instance(StatusScheme, scheme, "scheme").after(self.lead_status, decision.target)
        event = self.drafted(LifecycleStageSet, at, by, role)
        event.stage, event.stage_left = decision.target, self.lifecycle_stage
        event.lead_status, event.ruling = after, rulebook.ruling_on(decision)
        return self.sealed(LifecycleStageSet, event)

    def decide_status(
        self,
        status: str,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        revisit_on: date | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> Decision[str]:
        """Whether the contact may get a lead status, with every reason why not.

        Args:
            status: The key of the status.
            at: When; None leaves the time out of the decision.
            by: Who.
            role: What they act as.
            revisit_on: The date to come back; conditions see the contact with it, or with none.
            context: What else the scheme's conditions may know.
            override: Who overrides the denials of the scheme's rulebook, as what, and why.
            scheme: The lead statuses in use.
        """
        book = instance(StatusScheme, scheme, "scheme").rulebook
        source = None if self.lead_status is None else scheme.current(self.lead_status)
        given = None if revisit_on is None else check_date(revisit_on, "revisit_on")
        as_it_is = not book.rules or given == self.revisit_on
        record = self if as_it_is else evolve(self, revisit_on=given)
        decision = book.decide(
            source, scheme.current(text(status, "status")), record,
            at=at, by=by, role=role, entered_at=self.status_since, context=context,
        )  # fmt: skip
        if override is not None:
            decision = book.override(decision, override)
        inactive = () if self.lifecycle_stage in scheme.active_in else (self._inactive(scheme),)
        against = (*inactive, *self.too_early(at))
        command = f"set the lead status {label(decision.target)} of"
        return evolve(decision, command=command).denied(against)

    def _inactive(self, scheme: StatusScheme) -> Denial:
        active = tuple(stage for stage in LifecycleStage if stage in scheme.active_in)
        where = " or ".join(repr(stage.value) for stage in active)
        message = f"scheme {scheme.name!r} has lead statuses for {where} only"
        field = "lifecycle_stage"
        stage = self.lifecycle_stage
        return Denial(Code.STATUS_INACTIVE, scheme.name, field, stage, active, message)

    def status_options(
        self,
        *,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        revisit_on: date | None = None,
        context: Any = EMPTY,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Decision[str], ...]:
        """One decision for each lead status, in order, with the arguments of `decide_status`."""
        instance(StatusScheme, scheme, "scheme")
        return tuple(
            self.decide_status(
                key, at=at, by=by, role=role, revisit_on=revisit_on, context=context, scheme=scheme
            )
            for key in scheme.keys
        )

    def set_lead_status(
        self,
        status: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        revisit_on: date | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Self, LeadStatusSet]:
        """Set what sales does with the contact now, in any direction.

        Args:
            status: The key of the status.
            at: When.
            by: Who.
            role: What they act as.
            revisit_on: The date to come back, for a lead of bad timing.
            context: What else the scheme's conditions may know.
            override: Who overrides the denials of the scheme's rulebook, as what, and why.
            scheme: The lead statuses in use.

        Raises:
            DeniedError: The contact is on no stage with lead statuses, or the scheme's rulebook
                does not allow it; the error carries the decision.
        """
        try:
            decision = self.decide_status(
                status, at=at, by=by, role=role, revisit_on=revisit_on,
                context=context, override=override, scheme=scheme,
            )  # fmt: skip
        except SalesPipelineError:
            said = {"status": (text, status), "revisit_on": (check_date, revisit_on)}
            self.passed(at, by, role, "status", **said)
            raise
        if not decision:
            raise DeniedError(self.subject, decision)
        if revisit_on is not None:
            revisit_on = check_date(revisit_on, "revisit_on")
        event = self.drafted(LeadStatusSet, at, by, role)
        event.status, event.status_left = text(decision.target, "status"), self.lead_status
        event.revisit_on = revisit_on
        event.ruling = scheme.rulebook.ruling_on(decision)
        return self.sealed(LeadStatusSet, event)

    def opt_out(self, *, at: datetime, by: str, role: str | None = None) -> tuple[Self, OptedOut]:
        """Note that the person asked not to be contacted."""
        return self.change(OptedOut, at, by, role)

    def opt_in(self, *, at: datetime, by: str, role: str | None = None) -> tuple[Self, OptedIn]:
        """Note that the person agreed to be contacted."""
        return self.change(OptedIn, at, by, role)

    def _thawed(self) -> Any:
        draft = self._draft()
        draft.id, draft.version = self.id, self.version
        draft.lifecycle_stage, draft.stage_since = self.lifecycle_stage, self.stage_since
        draft.changed_at, draft.created_at = self.changed_at, self.created_at
        draft.lead_status, draft.status_since = self.lead_status, self.status_since
        draft.revisit_on = self.revisit_on
        draft.name, draft.email, draft.company = self.name, self.email, self.company
        draft.account, draft.owner, draft.source = self.account, self.owner, self.source
        draft.next_step, draft.opted_out = self.next_step, self.opted_out
        draft.approvals, draft.verdict = self.approvals, self.verdict
        draft.attributes = self.attributes
        return draft


Contact.prepare()


def _forward_only(
    decision: Decision[LifecycleStage], source: LifecycleStage, allowed: Iterable[LifecycleStage]
) -> Decision[LifecycleStage]:
    """A decision without the lower stages that a rulebook may allow."""
    higher = tuple(stage for stage in allowed if stage > source)
    target = decision.target
    there = any(denial.code == Code.BACKWARD for denial in decision.denials)
    if target.rank >= source.rank or there or decision.result is Result.NO_SUCH_MOVE:
        return evolve(decision, alternatives=higher)
    message = "the lifecycle moves forward only, whatever allows it"
    denial = Denial(Code.BACKWARD, "lifecycle", "target", target, higher, message)
    return evolve(decision.denied((denial,)), alternatives=higher)


def _stage(value: object, _name: str) -> LifecycleStage:
    return choice(LifecycleStage, value, "lifecycle stage")
