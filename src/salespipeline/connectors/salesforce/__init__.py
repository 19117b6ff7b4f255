"""Salesforce's opportunities and leads, with their histories, as deals and contacts.

Read are records as the REST API gives them (any version since 30.0, which names the fields as
here), and the tables in which Fivetran keeps the same in a warehouse. A field is known by its
name in small letters without underscores, so ``StageName`` and ``stage_name`` are one. Of a
record the member ``attributes``, a link to the record, is passed over; an object within a record
is read under both names, such as ``Owner.Name``.

An instant is in UTC where it has no zone, as in the warehouse. A row whose id, instant or stage
cannot be read is refused whole; any other cell that cannot be read is taken for absent; both are
reported as problems. Rows used and rows refused add up to the rows of all tables.

Source: Salesforce, Object Reference: Opportunity, OpportunityHistory, OpportunityFieldHistory,
OpportunityStage, Lead, LeadHistory.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar, cast

from salespipeline._doors import NOTHING, choice, instances, text
from salespipeline.connectors._items import Intake, Problem, Read
from salespipeline.connectors._logs import ContactLog, DealLog
from salespipeline.connectors._systems import System
from salespipeline.connectors.salesforce._deals import DealWriter, Words
from salespipeline.connectors.salesforce._leads import TABLES as LEAD_TABLES
from salespipeline.connectors.salesforce._leads import Leads, LeadWriter, Meanings
from salespipeline.connectors.salesforce._opportunities import TABLES, Opportunities
from salespipeline.connectors.salesforce._rows import SALE_TYPES
from salespipeline.connectors.salesforce._stages import SYSTEM, Stages, stages_of
from salespipeline.connectors.salesforce._writes import (
    DealWriting,
    LeadWriting,
    Outward,
    Writing,
)
from salespipeline.errors import WrongTypeError
from salespipeline.events import Event, ForecastCategory, SaleType
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import check_currency
from salespipeline.pipelines import Pipeline

E = TypeVar("E", bound=StrEnum)

__all__ = [
    "Outward",
    "Problem",
    "Read",
    "changes",
    "forecast_categories",
    "read_contacts",
    "read_deals",
    "read_pipeline",
]


def read_pipeline(
    opportunity_stages: Iterable[Mapping[str, object]], *, key: str = SYSTEM
) -> Pipeline:
    """The pipeline of the rows of OpportunityStage.

    Stages stand in the order of SortOrder, whose gaps mean nothing. Those no longer active come
    after the others, for deals still stand in them. Several may be won or lost: IsClosed and
    IsWon say so, never a name or a probability.

    Args:
        opportunity_stages: The rows. Where record types have sales processes of their own, give
            the rows of one process.
        key: The key of the pipeline.

    Raises:
        InvalidValueError: A row cannot be used, or a cell of it cannot be read; or the stages
            are no pipeline. Every fault of the rows is named.
        WrongTypeError: They are no rows.

    >>> pipeline = read_pipeline([
    ...     {"ApiName": "Won", "SortOrder": 9, "IsClosed": True, "IsWon": True},
    ...     {"ApiName": "Talk", "SortOrder": 2, "IsClosed": False, "DefaultProbability": 10},
    ... ])
    >>> pipeline.keys, pipeline.outcome("Won").value, pipeline.stage("Talk").probability
    (('Talk', 'Won'), 'won', Decimal('0.10'))
    """
    stages = tuple(stage for stage, _ in stages_of(opportunity_stages))
    return Pipeline(key, stages, source="Salesforce, OpportunityStage")


def forecast_categories(
    opportunity_stages: Iterable[Mapping[str, object]],
) -> dict[str, ForecastCategory]:
    """The forecast category of each stage, by the rows of OpportunityStage.

    Args:
        opportunity_stages: The rows, as for `read_pipeline`.

    Returns:
        The category by stage; a stage whose category is none of ours, such as ``MostLikely``,
        is left out.

    Raises:
        InvalidValueError: A row cannot be used, or a cell of it cannot be read. All are named.
        WrongTypeError: They are no rows.

    >>> row = {"ApiName": "Talk", "IsClosed": False, "ForecastCategory": "BestCase"}
    >>> forecast_categories([row])
    {'Talk': <ForecastCategory.BEST_CASE: 'best_case'>}
    """
    found = stages_of(opportunity_stages)
    return {stage.key: category for stage, category in found if category is not None}


def read_deals(
    opportunities: Iterable[Mapping[str, object]],
    history: Iterable[Mapping[str, object]] = (),
    field_history: Iterable[Mapping[str, object]] = (),
    *,
    pipelines: Iterable[Pipeline] = (),
    record_types: Mapping[str, str] = NOTHING,
    currency: str | None = None,
    categories: Mapping[str, ForecastCategory] = NOTHING,
    sale_types: Mapping[str, SaleType] = NOTHING,
) -> Read[DealHistory]:
    """The deals of Opportunity, OpportunityHistory and OpportunityFieldHistory.

    Rows may come in any order. A history row is a picture of the new state, a field history row
    one change; what is written is what differs from the state before, so that both together say
    nothing twice. A deal begins at CreatedDate. Where its history begins later, because it was
    not kept for longer, it is ``observed_from`` then; without CreatedDate it is ``by_then``.

    - A stage means what its pipeline says; where none has it, what IsClosed and IsWon of a row
      say; where no row has these, it is open. The pipeline of rows without one is made of them.
    - CloseDate is the expected date while the deal is open. Of a closed deal it is kept as an
      attribute, where it is neither the expected date nor the day of the closing. Without a
      history a deal is closed at LastStageChangeDate, else on CloseDate.
    - Probability and forecast category are kept where they differ from those of the stage, or
      those are not known. They hold until the stage changes, as in Salesforce.
    - Of Type, the kind of sale is kept where the words are clear; "Existing Customer - Upgrade"
      is an upsell. Any other Type is an attribute.
    - A lookup's rows in the field history with its name, not its id, are an attribute.
    - A deleted deal was deleted when its row was last changed. A version in a warehouse that
      ended, and that none follows, ends its deal.

    Every other field is an attribute under its own name, and so is RecordTypeId. Not kept are
    IsClosed and IsWon, which the stage says; LastViewedDate and LastReferencedDate, which are of
    the user that reads; IsDeleted of a history row; the loader's columns of a warehouse; and
    that a long text changed, where Salesforce keeps neither of its values.

    Args:
        opportunities: Rows of Opportunity, or a warehouse's versions of them.
        history: Rows of OpportunityHistory, or a warehouse's versions of opportunities, which
            have ``_fivetran_start``.
        field_history: Rows of OpportunityFieldHistory.
        pipelines: The pipelines, as `read_pipeline` gives them. They stand above what rows say.
        record_types: By RecordTypeId, the key of its pipeline; any other is of the first.
        currency: The currency of amounts, where CurrencyIsoCode does not say it.
        categories: The forecast category of each stage, as `forecast_categories` gives them.
        sale_types: What further values of Type mean, in letters of either case.

    Returns:
        The histories; with the pipelines given, and those made of what the rows say.

    Raises:
        InvalidValueError: An argument is at fault, or the rows stop being readable.
        WrongTypeError: An argument is of another type.

    >>> row = {"Id": "006A", "StageName": "Won", "CreatedDate": "2026-03-01T09:00:00.000+0000"}
    >>> later = {
    ...     "Id": "008B", "OpportunityId": "006A", "StageName": "Won",
    ...     "CreatedDate": "2026-03-09T10:00:00.000+0000",
    ... }
    >>> stages = [
    ...     {"ApiName": "Talk", "IsClosed": False},
    ...     {"ApiName": "Won", "IsClosed": True, "IsWon": True},
    ... ]
    >>> found = read_deals([row], [later], pipelines=[read_pipeline(stages)])
    >>> [history] = found.histories
    >>> history.latest.outcome.value, history.latest.closed_at.date().isoformat()
    ('won', '2026-03-09')
    """
    stages = Stages(pipelines, record_types)
    kinds = _worded(sale_types, "sale_types", SaleType)
    words = Words(
        {**SALE_TYPES, **{each.lower(): kind for each, kind in kinds.items()}},
        _worded(categories, "categories", ForecastCategory),
    )
    given = None if currency is None else check_currency(currency)
    intake = Intake()
    reading = Opportunities(intake, stages, given)
    intake.each(opportunities, reading.take, what="several rows of Opportunity", table=TABLES[0])
    intake.each(history, reading.take_history, what="several rows", table=TABLES[1])
    intake.each(field_history, reading.take_field_history, what="several rows", table=TABLES[2])
    logs: list[DealLog] = []
    for deal in reading.records:
        writer = DealWriter(deal, stages, words)
        if (fault := writer.write()) is None:
            logs.append(writer.log)
        else:
            reading.records.give_up(deal, *fault)
    reading.records.sort_problems()
    return intake.read((DealHistory(log.events) for log in logs), stages.pipelines())


def read_contacts(
    leads: Iterable[Mapping[str, object]],
    history: Iterable[Mapping[str, object]] = (),
    *,
    stages: Mapping[str, LifecycleStage] = NOTHING,
    statuses: Mapping[str, str] = NOTHING,
) -> Read[ContactHistory]:
    """The contacts of Lead and LeadHistory.

    Rows may come in any order. A contact has the id of its lead, before and after a conversion.
    It is created as a lead, unless its Status stands for another stage.

    - A conversion with an opportunity makes it an opportunity. One without makes it an SQL: sales
      took the person over, and there is no deal. It happened when LeadHistory says so, else on
      ConvertedDate. What came of it, ConvertedAccountId (the account), ConvertedContactId and
      ConvertedOpportunityId (attributes), is said then and not before.
    - Status is a lead status, or stands for a stage, only where the caller says so; one that is
      no lead status is an attribute. A status that stands for no stage leaves the stage alone.
    - A name is Name, else FirstName with LastName.
    - HasOptedOutOfEmail without a history is said from the beginning.
    - A deleted lead was deleted when its row was last changed.

    Every other field is an attribute under its own name. Not kept are IsConverted, which the
    stage says; LastViewedDate and LastReferencedDate, which are of the user that reads; the
    loader's columns of a warehouse; and rows of LeadHistory that hold no value.

    Args:
        leads: Rows of Lead.
        history: Rows of LeadHistory.
        stages: By Status, the lifecycle stage that it stands for.
        statuses: By Status, the key of a lead status.

    Raises:
        InvalidValueError: The rows stop being readable.
        UnknownKeyError: A stage is none.
        WrongTypeError: An argument is of another type.

    >>> row = {
    ...     "Id": "00QA", "CreatedDate": "2026-03-01T09:00:00.000+0000", "Status": "Closed",
    ...     "IsConverted": True, "ConvertedDate": "2026-03-20", "ConvertedOpportunityId": "006A",
    ... }
    >>> [history] = read_contacts([row]).histories
    >>> for visit in history.visits(history.latest.changed_at):
    ...     print(visit.state, visit.entered.date())
    lead 2026-03-01
    opportunity 2026-03-20
    """
    meanings = _meanings(stages, statuses)
    intake = Intake()
    reading = Leads(intake)
    intake.each(leads, reading.take, what="several rows of Lead", table=LEAD_TABLES[0])
    intake.each(history, reading.take_history, what="several rows", table=LEAD_TABLES[1])
    system = System(SYSTEM, NOTHING)
    logs: list[ContactLog] = []
    for lead in reading.records:
        writer = LeadWriter(lead, system, meanings)
        if (fault := writer.write()) is None:
            logs.append(writer.log)
        else:
            reading.records.give_up(lead, *fault)
    reading.records.sort_problems()
    return intake.read(ContactHistory(log.events) for log in logs)


def changes(
    events: Iterable[Event],
    *,
    pipelines: Iterable[Pipeline] = (),
    record_types: Mapping[str, str] = NOTHING,
    stages: Mapping[str, LifecycleStage] = NOTHING,
    statuses: Mapping[str, str] = NOTHING,
) -> Outward:
    """What events mean in Salesforce: the fields to write, and the events that it cannot hold.

    Give the events of a record from its first on, so that what a later one depends on is known.
    Of records that only events common to contacts and deals speak of, those whose id begins with
    ``006`` are deals and those with ``00Q`` leads; any other is left.

    Salesforce sets Probability and forecast category anew with every stage, so that those that
    hold for longer are written again with it. A closed deal's CloseDate is when it was closed,
    and is not written. Its numbers are doubles: a number that none tells exactly is left. What
    only Salesforce sets, such as ExpectedRevenue and LastModifiedDate, is nothing to write. A
    deletion or a conversion is a call of its own.

    Args:
        events: The events, of any records, each record's in its order.
        pipelines: The pipelines, as for `read_deals`.
        record_types: By RecordTypeId, the key of its pipeline, as for `read_deals`. A pipeline
            of several record types cannot be written.
        stages: By Status, the lifecycle stage that it stands for, as for `read_contacts`.
        statuses: By Status, the key of a lead status, as for `read_contacts`.

    Returns:
        What to write, in the order of the events; and the events that are lost on Salesforce,
        whole or in part: what it can hold of the latter is written all the same.

    Raises:
        InvalidValueError: A pipeline is given twice.
        UnknownKeyError: A stage is none.
        WrongTypeError: An argument is of another type.

    >>> row = {"Id": "006A", "StageName": "Talk", "CreatedDate": "2026-03-01T09:00:00.000+0000"}
    >>> [deal] = [history.latest for history in read_deals([row]).histories]
    >>> from salespipeline.money import Money
    >>> _, event = deal.change_amount(Money("12.50", "EUR"), at=deal.opened_at, by="ada")
    >>> [write] = changes([event]).writes
    >>> write["type"], write["Id"], write["fields"]
    ('Opportunity', '006A', {'Amount': 12.5, 'CurrencyIsoCode': 'EUR'})
    """
    known = Stages(pipelines, record_types)
    types = known.record_types()
    meanings = _meanings(stages, statuses)
    writing = Writing(lambda: DealWriting(known, types), lambda: LeadWriting(*meanings))
    return writing.outward(instances(Event, events, "events"))


def _meanings(stages: object, statuses: object) -> Meanings:
    return Meanings(
        _worded(stages, "stages", LifecycleStage),
        {word: text(key, "statuses") for word, key in _words(statuses, "statuses").items()},
    )


def _worded(given: object, name: str, kind: type[E]) -> dict[str, E]:
    """A mapping of words to the members of an enum."""
    return {word: choice(kind, value, name) for word, value in _words(given, name).items()}


def _words(given: object, name: str) -> dict[str, object]:
    if not isinstance(given, Mapping):
        raise WrongTypeError(name, "a mapping of words to what they mean", given)
    found = cast("Mapping[object, object]", given)
    return {text(word, name): value for word, value in found.items()}
