"""Pipelines, deals and contacts of ActiveCampaign, as version 3 of its interface gives them.

Responses are read as they are (``{"deals": [...], "meta": {...}}``), and so are the rows in them.
Times have a zone there; one without is taken for UTC, and dates of noughts for nothing. What has
no field here is an attribute of its own name; what is an object is kept leaf by leaf, by its path.
Not kept are ``links``, which are addresses only.

In ActiveCampaign a pipeline is a deal group, and a deal is won or lost *in* a stage: its status
stands apart. Here it enters the implicit closing stage of its pipeline, and leaves the stage that
it was won or lost in.
"""

from collections.abc import Iterable
from functools import partial

from salespipeline._doors import instances
from salespipeline.connectors._items import Intake, Problem, Read
from salespipeline.connectors._logs import ContactLog
from salespipeline.connectors._members import joined, listed
from salespipeline.connectors._standing import Apart
from salespipeline.connectors.activecampaign._contacts import take_contact
from salespipeline.connectors.activecampaign._deals import Deals
from salespipeline.connectors.activecampaign._rows import ROWS, SYSTEM, Scores, frames
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.money import check_currency
from salespipeline.pipelines import Pipeline

__all__ = ["Problem", "Read", "read_contacts", "read_deals", "read_pipelines"]


def read_pipelines(deal_groups: object, deal_stages: object) -> Read[DealHistory]:
    """The pipelines of an account.

    All stages are open, and keyed by their ids: ActiveCampaign says of no stage that it is won,
    lost or how likely it is to win. Stages go by ``order``; where two share it, as in the
    vendor's own example, by their ids, the smaller first. A stage of a group that is not among
    the groups makes a pipeline of that id.

    Args:
        deal_groups: ``GET /api/3/dealGroups``: id, title.
        deal_stages: ``GET /api/3/dealStages``: id, group, title, order. The response of the
            groups holds them too, and may be given twice.

    Returns:
        What was read: no histories, the pipelines in the order met, and the problems.

    Raises:
        WrongTypeError: Neither a response nor rows are given.

    >>> found = read_pipelines(
    ...     {"dealGroups": [{"id": "1", "title": "Sales"}]},
    ...     {"dealStages": [
    ...         {"id": "10", "group": "1", "title": "Offer", "order": "1"},
    ...         {"id": "9", "group": "1", "title": "Talk", "order": "1"},
    ...     ]},
    ... )
    >>> [(stage.key, stage.name) for stage in found.pipelines[0].stages]
    [('9', 'Talk'), ('10', 'Offer')]

    Source: ActiveCampaign, API reference, Pipelines and Deal stages.
    """
    rows = listed(deal_groups, "dealGroups"), listed(deal_stages, "dealStages")
    return frames().read(*rows, what=ROWS, tables=("dealGroups", "dealStages"))


def read_deals(
    deals: object,
    *,
    activities: object = (),
    scores: object = (),
    pipelines: Iterable[Pipeline] = (),
    currency: str | None = None,
    modified_closes: bool = False,
) -> Read[DealHistory]:
    """The deals of an account, with as much of their past as is given.

    The row of a deal says in which stage it is and that it is won or lost, and not since when:
    ``mdate`` is the last change of anything. So without its activities an open deal stands in
    its stage with an entry that is not known, and a closed one is refused, unless
    ``modified_closes`` is given.

    With its activities a deal is rebuilt: ``d_stageid`` and ``d_groupid`` are moves, ``status``
    opens, wins and loses it, ``userid`` changes its owner; ``dataAction`` is the new value,
    ``dataOldval`` the old one. The row with the action ``add`` and no type is the creation;
    without it the history is complete from the first activity on. Notes, tasks, calls, e-mails
    and messages are activities of these kinds; any other type is kept as an attribute.

    Args:
        deals: ``GET /api/3/deals``: id, title, value, currency, group, stage, owner, contact,
            account, status (0 open, 1 won, 2 lost), cdate, mdate, winProbability and
            winProbabilityMdate. ``value`` counts hundredths in every currency ("$456.78 =>
            45678"): 5000 in jpy is 50 yen, and what a currency cannot pay is a problem.
        activities: ``GET /api/3/dealActivities``, rows that name their deal, of any number.
        scores: ``GET /api/3/scoreValues``, of which those of deals are read: a score is kept as
            the attribute ``score.`` and its id, set at its ``mdate``. Points expire in
            ActiveCampaign; the last value is all that it tells. Those of contacts are refused.
        pipelines: The pipelines, as `read_pipelines` reads them. A stage of none of them is
            kept, and taken for open.
        currency: The code where a row says none.
        modified_closes: Whether ``mdate`` may stand in for when a deal was closed, where no
            activity says it. A deal that was changed since then closed earlier.

    Returns:
        What was read; rows are counted over all tables. A row of a deal that is not among the
        deals, or was refused, is refused.

    Raises:
        WrongTypeError: Rows or pipelines are none.
        InvalidValueError: The currency is no code.

    >>> deal = {
    ...     "id": "5", "title": "Roof", "value": "120050", "currency": "eur", "status": "1",
    ...     "group": "1", "stage": "9", "cdate": "2026-03-02T09:00:00-06:00",
    ... }
    >>> won = {
    ...     "id": "71", "deal": "5", "dataType": "status", "dataAction": "1", "dataOldval": "0",
    ...     "cdate": "2026-03-20T09:00:00-05:00", "userid": "3",
    ... }
    >>> [history] = read_deals([deal], activities=[won]).histories
    >>> last = history.events[-1]
    >>> last.stage_left, last.at.isoformat(), str(history.latest.amount)
    ('9', '2026-03-20T14:00:00+00:00', '1,200.50 EUR')

    Source: ActiveCampaign, API reference, Deals and Scores; its answers to ``dealActivities``,
    which it documents by an example only, as its clients read them.
    """
    known = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}
    code = None if currency is None else check_currency(currency)
    reading = Deals(Apart(SYSTEM, known), code, modified_closes=bool(modified_closes))
    intake = reading.read(
        listed(deals, "deals"), listed(activities, "dealActivities"), listed(scores, "scoreValues")
    )
    return intake.read([DealHistory(log.events) for log in reading.logs.values()], known.values())


def read_contacts(contacts: object, *, scores: object = ()) -> Read[ContactHistory]:
    """The contacts of an account.

    ActiveCampaign has no lifecycle and no lead status of a contact, so these have none. What a
    row says without a date is said from the beginning.

    Args:
        contacts: ``GET /api/3/contacts``: id, email, firstName, lastName, orgname, orgid, cdate,
            udate, deleted.
        scores: ``GET /api/3/scoreValues``, of which those of contacts are read, as those of
            deals are in `read_deals`.

    Returns:
        What was read; rows are counted over both tables.

    Raises:
        WrongTypeError: Neither a response nor rows are given.

    >>> contact = {
    ...     "id": "8", "email": "ada@example.com", "firstName": "Ada", "lastName": "L",
    ...     "cdate": "2026-03-02T09:00:00-06:00",
    ... }
    >>> score = {
    ...     "id": "1", "score": "2", "contact": "8", "scoreValue": "35",
    ...     "mdate": "2026-03-09T09:00:00-06:00",
    ... }
    >>> [history] = read_contacts([contact], scores=[score]).histories
    >>> history.latest.name, history.latest.attributes["score.2"]
    ('Ada L', 35)

    Source: ActiveCampaign, API reference, Contacts and Scores.
    """
    intake, told = Intake(), Scores("contact")
    told.gather(listed(scores, "scoreValues"))
    logs: dict[str, ContactLog] = {}
    rows = listed(contacts, "contacts")
    intake.each(rows, partial(take_contact, logs, told), what=ROWS, table="contacts")
    taken = joined(intake, [told.taken(logs)])
    return taken.read(ContactHistory(log.events) for log in logs.values())
