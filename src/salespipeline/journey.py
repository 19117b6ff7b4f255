"""Where a contact with its deals stands on the broad seven-stage pipeline.

The stages of the deals say it, where there are deals; else a table says it by lifecycle stage and
lead status.

Source: "What are the 7 stages of the sales pipeline?".
"""

from collections.abc import Iterable
from typing import Self

from attrs import evolve, field, frozen

from salespipeline._doors import choice, gathered, instance, instances, repeated, text
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.lifecycle import (
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    StatusScheme,
)
from salespipeline.pipelines import Journey, Outcome, Pipeline


def _stage(value: object) -> LifecycleStage | None:
    return None if value is None else choice(LifecycleStage, value, "stage")


def _journey(value: object) -> Journey | None:
    return None if value is None else choice(Journey, value, "journey")


def _status(value: object) -> str | None:
    return None if value is None else text(value, "status")


@frozen
class Place:
    """Where contacts at a lifecycle stage stand, or only those with one lead status there.

    Attributes:
        stage: The lifecycle stage; None for contacts on none.
        journey: The broad stage that they stand at; None where they stand at none.
        status: The key of the lead status; None for contacts with any other, or without.
    """

    stage: LifecycleStage | None = field(converter=_stage)
    journey: Journey | None = field(converter=_journey)
    status: str | None = field(default=None, converter=_status)


def _name(value: object) -> str:
    return text(value, "name")


def _places(value: object) -> tuple[Place, ...]:
    return instances(Place, value, "places")


@frozen
class JourneyTable:
    """Where contacts without deals stand: a value to edit like a pipeline.

    A lifecycle stage that it does not name is on no broad stage.

    Args:
        name: What it is called.
        places: At most one for each lifecycle stage, and for each lead status in it.

    Raises:
        InvalidValueError: A lifecycle stage, or a status in it, occurs twice. All are named.

    >>> own = STANDARD_JOURNEY.with_place(Place("opportunity", "negotiation_and_commitment"))
    >>> STANDARD_JOURNEY.journey(LifecycleStage.OPPORTUNITY).value
    'proposal'
    >>> own.journey(LifecycleStage.OPPORTUNITY).value
    'negotiation_and_commitment'
    """

    name: str = field(converter=_name)
    places: tuple[Place, ...] = field(converter=_places)

    def __attrs_post_init__(self) -> None:
        """Refuse a table that says two things of one contact, naming every fault."""
        faults = tuple(
            f"the place of {spot} occurs twice" for spot in repeated(map(_spot, self.places))
        )
        if faults:
            raise InvalidValueError(f"journey table {self.name!r}", faults)

    def journey(
        self,
        stage: LifecycleStage | str | None,
        status: str | None = None,
        *,
        scheme: StatusScheme = STANDARD_STATUSES,
    ) -> Journey | None:
        """The broad stage of a contact at a lifecycle stage with a lead status.

        A status counts only in stages that the scheme is active in: one kept beyond them says
        nothing any more. Retired keys count as their successors, in the table as well.

        Args:
            stage: The lifecycle stage, or None before any.
            status: The key of the lead status, or None.
            scheme: The lead statuses in use.

        Returns:
            The broad stage, or None where the contact stands at none.

        >>> STANDARD_JOURNEY.journey(LifecycleStage.SQL, "connected").value
        'initial_contact'
        """
        said = gathered(
            "journey", "scheme",
            stage=(_some_stage, stage), status=(text, status), scheme=(_scheme, scheme),
        )  # fmt: skip
        at: LifecycleStage | None = said["stage"]
        here = [place for place in self.places if place.stage is at]
        if said["status"] is not None and at in scheme.active_in:
            held = scheme.current(said["status"])
            for place in here:
                if place.status is not None and scheme.current(place.status) == held:
                    return place.journey
        return next((place.journey for place in here if place.status is None), None)

    def with_place(self, place: Place) -> Self:
        """The same table with one more place, instead of the one for the same contacts."""
        new = instance(Place, place, "place")
        others = (each for each in self.places if _spot(each) != _spot(new))
        return evolve(self, places=(*others, new))


def _spot(place: Place) -> str:
    """The contacts that a place is for, in words."""
    stage = "no stage" if place.stage is None else repr(place.stage.value)
    return stage if place.status is None else f"{stage} with {place.status!r}"


def _some_stage(value: object, _name: str) -> LifecycleStage | None:
    return _stage(value)


def _scheme(value: object, name: str) -> StatusScheme:
    return instance(StatusScheme, value, name)


_SQL, _OPPORTUNITY = LifecycleStage.SALES_QUALIFIED_LEAD, LifecycleStage.OPPORTUNITY

STANDARD_JOURNEY = JourneyTable(
    "standard",
    (
        Place(LifecycleStage.SUBSCRIBER, Journey.PROSPECTING),
        Place(LifecycleStage.LEAD, Journey.PROSPECTING),
        Place(LifecycleStage.MARKETING_QUALIFIED_LEAD, Journey.LEAD_QUALIFICATION),
        Place(_SQL, Journey.LEAD_QUALIFICATION),
        Place(_SQL, Journey.INITIAL_CONTACT, LeadStatus.CONNECTED),
        Place(_SQL, Journey.PROPOSAL, LeadStatus.OPEN_DEAL),
        Place(_SQL, Journey.LEAD_QUALIFICATION, LeadStatus.BAD_TIMING),
        Place(_SQL, None, LeadStatus.UNQUALIFIED),
        Place(_OPPORTUNITY, Journey.PROPOSAL),
        Place(_OPPORTUNITY, Journey.LEAD_QUALIFICATION, LeadStatus.BAD_TIMING),
        Place(_OPPORTUNITY, None, LeadStatus.UNQUALIFIED),
        Place(LifecycleStage.CUSTOMER, Journey.FOLLOW_UP_AND_RETENTION),
        Place(LifecycleStage.EVANGELIST, Journey.FOLLOW_UP_AND_RETENTION),
    ),
)
"""Where contacts without deals stand, by what the stages and statuses mean.

A new SQL, or one that nobody reached, is qualified and not yet contacted. Bad timing leaves open
the timeline, which is part of qualification. An unqualified lead, and a contact on no lifecycle
stage, stand at none. An opportunity has an active deal, and only that deal can say how far it is.
"""


def where(
    contact: Contact,
    deals: Iterable[Deal] = (),
    *,
    pipelines: Iterable[Pipeline] = (),
    table: JourneyTable = STANDARD_JOURNEY,
    scheme: StatusScheme = STANDARD_STATUSES,
) -> Journey | None:
    """The broad stage at which a contact with its deals stands.

    It is the furthest among those of the contact's open and won deals. A deal stands at the broad
    stage that its stage names; a won deal whose stage names none is in follow-up and retention,
    an open one is passed over. A lost deal does not count. Where no deal says anything, the table
    does.

    An open deal takes no customer back, since renewals and further sales are part of follow-up
    and retention; to see only what is open, give only the open deals.

    Args:
        contact: The contact as it stands.
        deals: The contact's deals as they stand.
        pipelines: The pipelines of those deals that are open or won.
        table: Where a contact stands that no deal says anything of.
        scheme: The lead statuses in use.

    Returns:
        The broad stage, or None where the contact stands at none.

    Raises:
        UnknownKeyError: The pipeline of an open or won deal is not among those given.

    >>> from datetime import UTC, datetime
    >>> from salespipeline.pipelines import SIX_STAGES
    >>> now = {"at": datetime(2026, 3, 1, tzinfo=UTC), "by": "ada"}
    >>> contact, _ = Contact.create("c-1", stage="sales_qualified_lead", **now)
    >>> deal, _ = Deal.open("d-1", stage="meeting", pipeline=SIX_STAGES, **now)
    >>> where(contact).value, where(contact, [deal], pipelines=[SIX_STAGES]).value
    ('lead_qualification', 'initial_contact')
    """
    said = gathered(
        "journey", "contact", "deals", "pipelines", "table", "scheme",
        contact=(_contact, contact), deals=(_deals, deals), pipelines=(_pipelines, pipelines),
        table=(_table, table), scheme=(_scheme, scheme),
    )  # fmt: skip
    stated = (_of_deal(deal, said["pipelines"]) for deal in said["deals"])
    reached = [journey for journey in stated if journey is not None]
    if reached:
        return max(reached, key=_ORDER.index)
    return table.journey(contact.lifecycle_stage, contact.lead_status, scheme=scheme)


_ORDER = tuple(Journey)


def _contact(value: object, name: str) -> Contact:
    return instance(Contact, value, name)


def _deals(value: object, name: str) -> tuple[Deal, ...]:
    return instances(Deal, value, name)


def _pipelines(value: object, name: str) -> dict[str, Pipeline]:
    return {each.key: each for each in instances(Pipeline, value, name)}


def _table(value: object, name: str) -> JourneyTable:
    return instance(JourneyTable, value, name)


def _of_deal(deal: Deal, pipelines: dict[str, Pipeline]) -> Journey | None:
    """The broad stage that a deal stands at, or None where it does not count or say."""
    if deal.outcome is Outcome.LOST:
        return None
    if deal.pipeline not in pipelines:
        raise UnknownKeyError(f"pipeline of {deal.subject}", deal.pipeline, tuple(pipelines))
    pipeline = pipelines[deal.pipeline]
    stated = pipeline.stage(deal.stage).journey if deal.stage in pipeline else None
    if stated is None and deal.outcome is Outcome.WON:
        return Journey.FOLLOW_UP_AND_RETENTION
    return stated
