"""HubSpot's deals, contacts and pipelines as histories, and histories as changes for HubSpot.

What is read is parsed data: objects of the CRM API, version 3 (the same in the dated versions up
to 2026-09), or rows of the tables that Fivetran's HubSpot connector lays down. Nothing is fetched.

What the API tells of the links between pages, and of a source its label, is not kept; nor what the
loader of a warehouse says of itself. All else is: what has no field stands under ``attributes`` by
its HubSpot name.

Source: HubSpot's API specifications ``CRM/Objects/v3``, ``CRM/Pipelines/2026-09``; HubSpot
knowledge base, "HubSpot's default deal properties", "Use contact and company lifecycle stages".
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, tzinfo
from typing import Any, cast

from salespipeline._doors import NOTHING, choice, instances, text
from salespipeline.connectors._items import Intake, Item, Problem, Read
from salespipeline.connectors._logs import Log
from salespipeline.connectors._systems import System
from salespipeline.connectors.hubspot._contacts import (
    LEAD_STATUSES,
    LIFECYCLE_STAGES,
    write_contact,
)
from salespipeline.connectors.hubspot._deals import write_deal
from salespipeline.connectors.hubspot._objects import draft_of
from salespipeline.connectors.hubspot._outward import Outward, Unheld, changes
from salespipeline.connectors.hubspot._pipelines import pipeline_of
from salespipeline.connectors.hubspot._tables import (
    CONTACTS,
    DEALS,
    Warehouse,
    checked_tables,
    contact_happenings,
    linked_contacts,
    pipelines_of,
)
from salespipeline.connectors.hubspot._values import SYSTEM, Draft, listed
from salespipeline.connectors.hubspot._writers import Reading
from salespipeline.errors import WrongTypeError
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import check_currency
from salespipeline.periods import check_zone
from salespipeline.pipelines import Outcome, Pipeline

__all__ = [
    "LEAD_STATUSES", "LIFECYCLE_STAGES", "Outward", "Problem", "Read", "Unheld", "changes",
    "read_contacts", "read_deals", "read_pipelines", "read_warehouse_contacts",
    "read_warehouse_deals",
]  # fmt: skip


def read_pipelines(response: object, *, outcomes: Mapping[str, str] = NOTHING) -> Read[DealHistory]:
    """The deal pipelines of a portal, as ``/crm/v3/pipelines/deals`` gives them.

    A stage that is not closed is open, also at probability 0; a closed one is won at 1 and lost
    at 0. Where that does not say it, the stage is taken for open, and a problem says so. Stages
    are in their display order, those with an equal one by label, archived ones last.

    Args:
        response: The response, or its list of pipelines.
        outcomes: By stage id, what a stage means: ``open``, ``won`` or ``lost``. It goes first.

    Returns:
        The pipelines, in ``pipelines``, with the problems; there are no histories. A pipeline
        without an open stage is refused.

    Raises:
        WrongTypeError: These are no pipelines.
        UnknownKeyError: An outcome is none.

    >>> response = {"results": [{"id": "default", "label": "Sales", "stages": [
    ...     {"id": "s2", "label": "Signed", "displayOrder": 1,
    ...      "metadata": {"isClosed": "true", "probability": "1.0"}},
    ...     {"id": "s1", "label": "Parked", "displayOrder": 0,
    ...      "metadata": {"isClosed": "false", "probability": "0.0"}},
    ... ]}]}
    >>> [sales] = read_pipelines(response).pipelines
    >>> [(stage.name, stage.outcome.value) for stage in sales.stages]
    [('Parked', 'open'), ('Signed', 'won')]

    Source: HubSpot's API specification ``CRM/Pipelines``, version 2026-09.
    """
    meant = _outcomes(outcomes)
    intake, found = Intake(), dict[str, Pipeline]()

    def use(item: Item) -> None:
        made = pipeline_of(item, meant)
        if made.key in found:
            item.refuse("id", "an earlier pipeline has the same id", made.key)
        found[made.key] = made

    intake.each(listed(response), use, what="a response with pipelines, or a list of them")
    return intake.read((), found.values())


def read_deals(
    objects: object,
    *,
    pipelines: Iterable[Pipeline] = (),
    currency: str | None = None,
    opening: tuple[str, str] | None = None,
    zone: tzinfo = UTC,
) -> Read[DealHistory]:
    """The deals of a portal, as ``/crm/v3/objects/deals`` gives them.

    With ``propertiesWithHistory`` every change is an event, known by record, property and instant.
    ``closedate`` is the expected date while a deal is open; that a close overwrites it says no
    more, and what is written there later is an attribute. Values without a history are said of
    the deal from its beginning, but the amount and reason of a closed deal of its close.

    Args:
        objects: The objects, or a response with them.
        pipelines: The portal's pipelines; they say which stages are won and lost. A stage of
            none of them is kept, and taken for open.
        currency: The currency of amounts where a deal has no ``deal_currency_code``.
        opening: Pipeline and stage of deals of which nothing says where they are.
        zone: The zone in which an expected closing date is a date.

    Raises:
        InvalidValueError: The currency is no code.
        WrongTypeError: An argument is of another kind.

    >>> deal = {
    ...     "id": "7", "createdAt": "2026-03-01T09:00:00Z",
    ...     "properties": {"dealname": "Brakes", "pipeline": "default"},
    ...     "propertiesWithHistory": {"dealstage": [
    ...         {"value": "contractsent", "timestamp": "2026-03-09T09:00:00Z",
    ...          "sourceType": "CRM_UI", "updatedByUserId": 52},
    ...         {"value": "qualifiedtobuy", "timestamp": "2026-03-01T09:00:00Z",
    ...          "sourceType": "CRM_UI", "updatedByUserId": 52},
    ...     ]},
    ... }
    >>> [history] = read_deals([deal]).histories
    >>> [(type(event).__name__, event.stage, event.by) for event in history.events]
    [('Opened', 'qualifiedtobuy', '52'), ('Moved', 'contractsent', '52')]

    Source: HubSpot's API specification ``CRM/Deals``, version 3.
    """
    reading = _deal_reading(pipelines, currency, opening, zone)
    known = reading.ground.pipelines.values()
    return _objects(objects, "deals", lambda d: write_deal(d, reading), DealHistory, known)


def read_contacts(
    objects: object,
    *,
    stages: Mapping[str, str | None] = NOTHING,
    statuses: Mapping[str, str] = NOTHING,
) -> Read[ContactHistory]:
    """The contacts of a portal, as ``/crm/v3/objects/contacts`` gives them.

    A lifecycle stage that was cleared, and ``other``, neither set nor clear one: they are kept as
    the attribute ``lifecyclestage``. HubSpot's eight lead statuses become keys in lower case
    (``NEW`` is ``new``); any other stays as it is written.

    Args:
        objects: The objects, or a response with them.
        stages: By id, the lifecycle stages that a portal made up or renamed, each with the key of
            ours that it stands for, or None where it stands for none.
        statuses: By value, the lead statuses of a portal, each with the key that it stands for.

    Raises:
        UnknownKeyError: A stage given stands for one that there is not.
        WrongTypeError: An argument is of another kind.

    >>> contact = {
    ...     "id": "51", "createdAt": "2026-03-01T09:00:00Z",
    ...     "properties": {"firstname": "Ada", "lastname": "Lovelace"},
    ...     "propertiesWithHistory": {"lifecyclestage": [
    ...         {"value": "77", "timestamp": "2026-03-05T09:00:00Z", "sourceType": "API"},
    ...         {"value": "lead", "timestamp": "2026-03-01T09:00:00Z", "sourceType": "API"},
    ...     ]},
    ... }
    >>> found = read_contacts([contact], stages={"77": "sales_qualified_lead"})
    >>> ada = found.histories[0].latest
    >>> ada.name, ada.lifecycle_stage.value
    ('Ada Lovelace', 'sales_qualified_lead')

    Source: HubSpot's API specification ``CRM/Contacts``, version 3.
    """
    reading = _contact_reading(stages, statuses)
    return _objects(objects, "contacts", lambda d: write_contact(d, reading), ContactHistory, ())


def read_warehouse_deals(
    tables: Mapping[str, Iterable[Mapping[str, object]]],
    *,
    pipelines: Iterable[Pipeline] = (),
    outcomes: Mapping[str, str] = NOTHING,
    currency: str | None = None,
    opening: tuple[str, str] | None = None,
    zone: tzinfo = UTC,
) -> Read[DealHistory]:
    """The deals and pipelines of a warehouse that Fivetran fills.

    A deal without a row of its own is made of the rows that tell of it, and had begun by the
    earliest of them. Where no row says its stage, and ``opening`` does not either, all its rows
    are refused.

    Args:
        tables: Rows by table: ``deal``, ``deal_stage``, ``deal_property_history``,
            ``deal_contact``, ``merged_deal``, ``deal_pipeline``, ``deal_pipeline_stage``,
            ``owner``; any of them may be absent.
        pipelines: Pipelines in place of those of the tables, or beside them.
        outcomes: As for `read_pipelines`.
        currency: As for `read_deals`.
        opening: As for `read_deals`.
        zone: As for `read_deals`.

    Raises:
        InvalidValueError: A table has another name, or the currency is no code.
        WrongTypeError: An argument is of another kind.

    >>> row = {"deal_id": 7, "property_createdate": "2026-03-01 9:00:00", "is_deleted": False}
    >>> found = read_warehouse_deals({"deal": [row]}, opening=("default", "new"))
    >>> found.histories[0].latest.stage, found.used, found.refused
    ('new', 1, 0)
    >>> read_warehouse_deals({"deal": [row]}).problems[0].reason
    'it has no stage'

    Source: github.com/fivetran/dbt_hubspot, the source tables of version 1.
    """
    house = Warehouse(checked_tables(tables, DEALS), "deals")
    given = _by_key(pipelines)
    found = pipelines_of(house, _outcomes(outcomes))
    known = {each.key: each for each in found} | given
    reading = _deal_reading(known.values(), currency, opening, zone)
    house.take("deal", "deal_id", ("deal_stage", "deal_property_history"))
    linked_contacts(house)
    logs = house.written(lambda draft: write_deal(house.finish(draft), reading))
    return house.intake.read((DealHistory(log.events) for log in logs), known.values())


def read_warehouse_contacts(
    tables: Mapping[str, Iterable[Mapping[str, object]]],
    *,
    stages: Mapping[str, str | None] = NOTHING,
    statuses: Mapping[str, str] = NOTHING,
) -> Read[ContactHistory]:
    """The contacts of a warehouse that Fivetran fills.

    A contact without a row of its own is made of the rows that tell of it, and had begun by the
    earliest of them. A form that was sent is an inbound activity.

    Args:
        tables: Rows by table: ``contact``, ``contact_property_history``,
            ``contact_merge_audit``, ``contact_form_submission``, ``owner``; any may be absent.
        stages: As for `read_contacts`.
        statuses: As for `read_contacts`.

    Raises:
        InvalidValueError: A table has another name.
        UnknownKeyError: A stage given stands for one that there is not.
        WrongTypeError: An argument is of another kind.

    >>> row = {"id": 51, "property_email": "ada@example.org",
    ...        "property_createdate": "2026-03-01 09:00:00"}
    >>> read_warehouse_contacts({"contact": [row]}).histories[0].latest.email
    'ada@example.org'

    Source: github.com/fivetran/dbt_hubspot, the source tables of version 1.
    """
    house = Warehouse(checked_tables(tables, CONTACTS), "contacts")
    reading = _contact_reading(stages, statuses)
    house.take("contact", "id", ("contact_property_history",))
    contact_happenings(house)
    logs = house.written(lambda draft: write_contact(house.finish(draft), reading))
    return house.intake.read(ContactHistory(log.events) for log in logs)


# Arguments


def _mapping(given: object, name: str) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise WrongTypeError(name, "a mapping", given)
    return cast("Mapping[Any, Any]", given)


def _outcomes(given: object) -> dict[str, Outcome]:
    return {
        text(key, "outcomes"): choice(Outcome, value, "outcome")
        for key, value in _mapping(given, "outcomes").items()
    }


def _by_key(pipelines: object) -> dict[str, Pipeline]:
    return {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}


def _deal_reading(pipelines: object, currency: object, opening: object, zone: object) -> Reading:
    code = None if currency is None else check_currency(currency)
    first = (None, None) if opening is None else _opening(opening)
    ground = System(SYSTEM, _by_key(pipelines), first[0])
    return Reading(ground, check_zone(zone), code, first[1], NOTHING, NOTHING)


def _opening(given: object) -> tuple[str, str]:
    both = cast("tuple[object, ...]", given if isinstance(given, tuple | list) else ())
    if len(both) != 2:
        raise WrongTypeError("opening", "a pipeline and a stage", cast("object", given))
    return text(both[0], "opening"), text(both[1], "opening")


def _contact_reading(stages: object, statuses: object) -> Reading:
    meant: dict[str, LifecycleStage | None] = {
        text(key, "stages"): None if value is None else choice(
            LifecycleStage, value, "lifecycle stage"
        )
        for key, value in _mapping(stages, "stages").items()
    }  # fmt: skip
    called = {
        text(key, "statuses"): text(value, "statuses")
        for key, value in _mapping(statuses, "statuses").items()
    }
    return Reading(
        System(SYSTEM, {}), UTC, None, None,
        {**LIFECYCLE_STAGES, **meant}, {**LEAD_STATUSES, **called},
    )  # fmt: skip


def _objects(
    given: object,
    kind: str,
    write: Callable[[Draft], Log],
    history: Callable[[list[Any]], Any],
    pipelines: Iterable[Pipeline],
) -> Read[Any]:
    """The histories of objects; an id that is there twice is refused the second time."""
    intake, logs = Intake(), dict[str, Log]()

    def use(item: Item) -> None:
        draft = draft_of(item, kind)
        if draft.identity in logs:
            item.refuse("id", "an earlier object has the same id", draft.identity)
        logs[draft.identity] = write(draft)

    intake.each(listed(given), use, what=f"a response with {kind}, or a list of them")
    return intake.read((history(log.events) for log in logs.values()), pipelines)
