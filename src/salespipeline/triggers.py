"""Triggers: which happenings move a contact's lifecycle forward by themselves.

A trigger set is a value that an adopter chooses, extends or builds. Applying it to a contact gives
the commands' own events, moves nothing backward, and does nothing a second time.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeAlias, cast

from attrs import evolve, field, frozen

from salespipeline._doors import choice, gathered, instance, instances, repeated, text
from salespipeline.attributes import EMPTY
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.events import LeadStatusSet, LifecycleStageSet
from salespipeline.lifecycle import (
    LIFECYCLE,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    StatusScheme,
)
from salespipeline.periods import utc
from salespipeline.rules import Rulebook

Triggered: TypeAlias = LifecycleStageSet | LeadStatusSet
"""What a trigger can lead to."""


class Behaviour(StrEnum):
    """What people do on their way, as keys for activities and triggers alike.

    A key of your own, as plain text, is as good as one of these.
    """

    LIST_SIGN_UP = "list_sign_up"
    CONTENT_DOWNLOAD = "content_download"
    PRICING_PAGE_VISIT = "pricing_page_visit"
    WEBINAR = "webinar"
    FORM = "form"
    EMAIL_REPLY = "email_reply"
    MEETING_BOOKED = "meeting_booked"
    SAMPLE_ORDERED = "sample_ordered"
    QUOTE_REQUESTED = "quote_requested"
    DEMO_REQUESTED = "demo_requested"
    TRIAL_COMPLETED = "trial_completed"
    SCORE_REACHED = "score_reached"
    DEAL_OPENED = "deal_opened"
    COMMITMENT = "commitment"
    DEAL_WON = "deal_won"
    PROMOTED_US = "promoted_us"


def _behaviour(value: object) -> str:
    return text(value, "behaviour")


def _stage(value: object) -> LifecycleStage | None:
    return None if value is None else choice(LifecycleStage, value, "stage")


def _status(value: object) -> str | None:
    return None if value is None else text(value, "status")


def _while_in(value: object) -> frozenset[LifecycleStage] | None:
    if value is None:
        return None
    keys = instances(str, value, "while_in")
    return frozenset(choice(LifecycleStage, key, "while_in") for key in keys)


@frozen
class Trigger:
    """What one behaviour does to a contact.

    Args:
        behaviour: The key of the behaviour, a `Behaviour` or text of your own.
        stage: The lifecycle stage that a contact reaches by it, or None.
        status: The key of the lead status that a contact gets by it, or None. With a stage
            given too, the stage comes first.
        while_in: The stages in which a contact must be for it; any, and none, if not given.

    Raises:
        InvalidValueError: There is no stage to be in, or the stage is beyond none of them.

    >>> trigger = Trigger("deal_opened", status="open_deal", while_in=[LifecycleStage.SQL])
    >>> trigger.stage is None
    True
    """

    behaviour: str = field(converter=_behaviour)
    stage: LifecycleStage | None = field(default=None, converter=_stage)
    status: str | None = field(default=None, converter=_status)
    while_in: frozenset[LifecycleStage] | None = field(default=None, converter=_while_in)

    def __attrs_post_init__(self) -> None:
        """Refuse a trigger that could never move a contact as it says."""
        faults = tuple(self._faults())
        if faults:
            raise InvalidValueError(f"trigger {self.behaviour!r}", faults)

    def _faults(self) -> Iterable[str]:
        if self.while_in is None:
            return
        if not self.while_in:
            yield "'while_in' names no stage"
        elif self.stage is not None and self.stage <= min(self.while_in):
            yield f"the stage {self.stage.value!r} is beyond no stage of 'while_in'"


def _name(value: object) -> str:
    return text(value, "name")


def _triggers(value: object) -> tuple[Trigger, ...]:
    return instances(Trigger, value, "triggers")


@frozen
class TriggerSet:
    """The behaviours that a team watches, each with what it does to a contact.

    A set knows the behaviours that it names, those that move nothing included. Ask
    ``behaviour in triggers`` before applying where other activities come along too.

    Args:
        name: What it is called.
        triggers: One for each behaviour.

    Raises:
        InvalidValueError: There is no trigger, or a behaviour occurs twice. All are named.

    >>> own = STANDARD_TRIGGERS.with_trigger(Trigger("visited_our_stand", LifecycleStage.LEAD))
    >>> "visited_our_stand" in own, "visited_our_stand" in STANDARD_TRIGGERS
    (True, False)
    """

    name: str = field(converter=_name)
    triggers: tuple[Trigger, ...] = field(converter=_triggers)
    _by_behaviour: dict[str, Trigger] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a set that contradicts itself, naming every fault."""
        object.__setattr__(self, "_by_behaviour", {each.behaviour: each for each in self.triggers})
        twice = [f"the behaviour {key!r} occurs twice" for key in repeated(self._keys())]
        faults = tuple(twice) if self.triggers else ("there is no trigger in it",)
        if faults:
            raise InvalidValueError(f"trigger set {self.name!r}", faults)

    def _keys(self) -> Iterable[str]:
        return (trigger.behaviour for trigger in self.triggers)

    @classmethod
    def of(cls, name: str, stages: Mapping[str, LifecycleStage | str | None]) -> Self:
        """A set from behaviours and the stage that each reaches; None for one that moves nothing.

        >>> fair = TriggerSet.of("fair", {"visited_our_stand": "lead", "took_a_pen": None})
        >>> fair.behaviours
        ('visited_our_stand', 'took_a_pen')
        """
        if not isinstance(stages, Mapping):
            raise WrongTypeError("stages", "a mapping of behaviours to stages", stages)
        return cls(name, tuple(Trigger(key, stage) for key, stage in stages.items()))

    @property
    def behaviours(self) -> tuple[str, ...]:
        """The keys of the behaviours that it knows, in order."""
        return tuple(self._keys())

    def __contains__(self, behaviour: object) -> bool:
        """Whether the set knows a behaviour, be it one that moves nothing."""
        return isinstance(behaviour, str) and behaviour in self._by_behaviour

    def trigger(self, behaviour: str) -> Trigger:
        """The trigger of a behaviour.

        Raises:
            UnknownKeyError: The set knows no such behaviour.
        """
        key = text(behaviour, "behaviour")
        if key not in self._by_behaviour:
            raise UnknownKeyError(f"behaviour of trigger set {self.name!r}", key, self.behaviours)
        return self._by_behaviour[key]

    def with_trigger(self, trigger: Trigger) -> Self:
        """The same set with one more trigger, in place of that of the same behaviour."""
        given = instance(Trigger, trigger, "trigger")
        triggers = {**self._by_behaviour, given.behaviour: given}
        return evolve(self, triggers=tuple(triggers.values()))

    def apply(
        self,
        contact: Contact,
        behaviour: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        context: Any = EMPTY,
        rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> tuple[Contact, tuple[Triggered, ...]]:
        """What a behaviour leads to: the next snapshot, and the events to store.

        Nothing happens where the contact is in no stage that the trigger asks for, has reached or
        passed the stage, has the status already, or may have no status where it is. Of a stage
        and a status both happen or neither. To learn what would happen, leave the result unused.

        Args:
            contact: The contact as it stands.
            behaviour: What it did; activities are recorded under the same keys.
            at: When.
            by: Who says so.
            role: What they act as.
            context: What else the conditions of the rulebook and the scheme may know.
            rulebook: The rules of the lifecycle.
            scheme: The lead statuses in use.

        Returns:
            The contact after, with one event, two, or none. Without any the contact is the same.

        Raises:
            UnknownKeyError: The set knows no such behaviour.
            DeniedError: The rulebook allows no such stage, or the scheme no such status.

        >>> from datetime import UTC
        >>> now = {"at": datetime(2026, 3, 1, tzinfo=UTC), "by": "site"}
        >>> contact, _ = Contact.create("c-1", **now)
        >>> contact, events = STANDARD_TRIGGERS.apply(contact, "content_download", **now)
        >>> contact.lifecycle_stage.value, len(events)
        ('lead', 1)
        >>> STANDARD_TRIGGERS.apply(contact, "content_download", **now) == (contact, ())
        True
        """
        said = gathered(
            "trigger", "contact", "behaviour", "at", "by", "rulebook", "scheme",
            contact=(_contact, contact), behaviour=(self._asked, behaviour), at=(utc, at),
            by=(text, by), role=(text, role), rulebook=(_rulebook, rulebook),
            scheme=(_scheme, scheme),
        )  # fmt: skip
        trigger: Trigger = said["behaviour"]
        happened: list[Triggered] = []
        if not _concerns(trigger, contact):
            return contact, ()
        if (stage := _stage_ahead(trigger, contact)) is not None:
            contact, reached = contact.advance(
                stage, at=at, by=by, role=role, context=context, rulebook=rulebook, scheme=scheme
            )
            happened.append(reached)
        if (status := _status_to_set(trigger, contact, scheme)) is not None:
            contact, given = contact.set_lead_status(
                status, at=at, by=by, role=role, context=context, scheme=scheme
            )
            happened.append(given)
        return contact, tuple(happened)

    def _asked(self, behaviour: Any, _name: str) -> Trigger:
        return self.trigger(behaviour)


def _contact(value: object, name: str) -> Contact:
    return instance(Contact, value, name)


def _rulebook(value: object, name: str) -> Rulebook[LifecycleStage]:
    return cast("Rulebook[LifecycleStage]", instance(Rulebook, value, name))


def _scheme(value: object, name: str) -> StatusScheme:
    return instance(StatusScheme, value, name)


def _concerns(trigger: Trigger, contact: Contact) -> bool:
    return trigger.while_in is None or contact.lifecycle_stage in trigger.while_in


def _stage_ahead(trigger: Trigger, contact: Contact) -> LifecycleStage | None:
    """The stage of a trigger, unless the contact has reached or passed it."""
    target, reached = trigger.stage, contact.lifecycle_stage
    passed = target is None or (reached is not None and reached >= target)
    return None if passed else target


def _status_to_set(trigger: Trigger, contact: Contact, scheme: StatusScheme) -> str | None:
    """The status of a trigger, unless the contact has it, or may have none where it is."""
    status, held = trigger.status, contact.lead_status
    if status is None or contact.lifecycle_stage not in scheme.active_in:
        return None
    there = held is not None and scheme.current(held) == scheme.current(status)
    return None if there else status


def _reaching(stage: LifecycleStage | None, *behaviours: Behaviour) -> Iterable[Trigger]:
    return (Trigger(behaviour, stage) for behaviour in behaviours)


STANDARD_TRIGGERS = TriggerSet(
    "standard",
    (
        *_reaching(LifecycleStage.SUBSCRIBER, Behaviour.LIST_SIGN_UP),
        *_reaching(
            LifecycleStage.LEAD,
            Behaviour.CONTENT_DOWNLOAD, Behaviour.PRICING_PAGE_VISIT, Behaviour.FORM,
            Behaviour.WEBINAR, Behaviour.EMAIL_REPLY,
        ),
        *_reaching(
            LifecycleStage.MARKETING_QUALIFIED_LEAD,
            Behaviour.MEETING_BOOKED, Behaviour.SAMPLE_ORDERED, Behaviour.QUOTE_REQUESTED,
            Behaviour.DEMO_REQUESTED, Behaviour.TRIAL_COMPLETED, Behaviour.SCORE_REACHED,
        ),
        Trigger(
            Behaviour.DEAL_OPENED, status=LeadStatus.OPEN_DEAL,
            while_in=frozenset({LifecycleStage.SALES_QUALIFIED_LEAD}),
        ),
        *_reaching(LifecycleStage.OPPORTUNITY, Behaviour.COMMITMENT),
        *_reaching(LifecycleStage.CUSTOMER, Behaviour.DEAL_WON),
        Trigger(
            Behaviour.PROMOTED_US, LifecycleStage.EVANGELIST,
            while_in=frozenset({LifecycleStage.CUSTOMER}),
        ),
    ),
)  # fmt: skip
"""The article's way: a deal opened for an SQL is a lead status, and only commitment is a stage.

No behaviour makes an SQL, since that is for sales to confirm.

Sources: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must Understand";
for what signals readiness, ActiveCampaign, What is a sales pipeline? (discover triggers); for
webinars, "What are the 7 stages of the sales pipeline?".
"""

HUBSPOT_TRIGGERS = TriggerSet(
    "hubspot",
    (
        *_reaching(LifecycleStage.SUBSCRIBER, Behaviour.LIST_SIGN_UP),
        *_reaching(
            LifecycleStage.LEAD,
            Behaviour.CONTENT_DOWNLOAD, Behaviour.FORM, Behaviour.WEBINAR, Behaviour.EMAIL_REPLY,
            Behaviour.MEETING_BOOKED, Behaviour.SAMPLE_ORDERED, Behaviour.QUOTE_REQUESTED,
            Behaviour.DEMO_REQUESTED,
        ),
        *_reaching(LifecycleStage.OPPORTUNITY, Behaviour.DEAL_OPENED),
        *_reaching(LifecycleStage.CUSTOMER, Behaviour.DEAL_WON),
        *_reaching(
            None,
            Behaviour.PRICING_PAGE_VISIT, Behaviour.TRIAL_COMPLETED, Behaviour.SCORE_REACHED,
            Behaviour.COMMITMENT, Behaviour.PROMOTED_US,
        ),
    ),
)  # fmt: skip
"""HubSpot's defaults: a form makes a lead, a deal an opportunity, a won deal a customer.

What none of its default updates names moves nothing. The set is unconditional: the order in which
behaviours come makes no difference to the stage reached.

Sources: HubSpot, Use contact and company lifecycle stages; Manage how lifecycle stages sync
between objects.
"""
