"""Pipelines, deals and persons of Pipedrive, as its interface gives them.

Versions 1 and 2 are read: responses as they are (``{"success": true, "data": [...]}``), the rows
in them, and the items of ``/recents``. Times without a zone are UTC there, as version 1 writes
them. Custom fields, named by 40 hex digits, are attributes of that name, and so is everything
else that has no field here; what is an object is kept leaf by leaf, by its path, such as
``org_id.name``.

In Pipedrive a deal is won or lost *in* a stage: its status stands apart. Here it enters the
closing stage of its pipeline, and leaves the stage that it was won or lost in.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from salespipeline._doors import NOTHING, instances
from salespipeline.connectors._items import Intake, Item, Problem, Read
from salespipeline.connectors._logs import ContactLog, DealLog
from salespipeline.connectors._members import by_record, joined, listed
from salespipeline.connectors._standing import Apart
from salespipeline.connectors.pipedrive._deals import Draft
from salespipeline.connectors.pipedrive._log import ROWS, SYSTEM, Log, LogReader
from salespipeline.connectors.pipedrive._persons import take_person
from salespipeline.connectors.pipedrive._stages import frames
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.money import check_currency
from salespipeline.pipelines import Pipeline

__all__ = ["Problem", "Read", "read_contacts", "read_deals", "read_pipelines"]


def read_pipelines(pipelines: object, stages: object) -> Read[DealHistory]:
    """The pipelines of an account.

    All stages are open, and keyed by their ids; a deal is won or lost apart from them, and then
    stands in the pipeline's implicit closing stage. Stages go by ``order_nr``, those in use
    first where two share it; deleted ones are kept, as deals may have been there. A stage of a
    pipeline that is not among the pipelines makes one of that id.

    A stage's ``deal_probability`` of 100 is what Pipedrive sets where nobody said anything, and
    is no claim: such a stage has no probability. Nor has any of a pipeline whose probability is
    switched off. Deals rot after ``rotten_days`` where ``rotten_flag`` is set; Pipedrive counts
    them from the last update of any kind, and here they count from the entry.

    Args:
        pipelines: ``GET /pipelines``: id, name, order_nr, deal_probability; version 2 says
            is_deal_probability_enabled.
        stages: ``GET /stages``: id, pipeline_id, name, order_nr, deal_probability, rotten_flag,
            rotten_days, active_flag; version 2 says is_deal_rot_enabled, days_to_rotten,
            is_deleted.

    Returns:
        What was read: no histories, the pipelines by order_nr, and the problems.

    Raises:
        WrongTypeError: Neither a response nor rows are given.

    >>> found = read_pipelines(
    ...     [{"id": 1, "name": "Sales"}],
    ...     [
    ...         {"id": 7, "pipeline_id": 1, "name": "Talk", "order_nr": 1, "deal_probability": 100},
    ...         {"id": 9, "pipeline_id": 1, "name": "Offer", "order_nr": 2, "deal_probability": 60},
    ...     ],
    ... )
    >>> for stage in found.pipelines[0].stages:
    ...     print(stage.key, stage.name, stage.probability)
    7 Talk None
    9 Offer 0.60

    Source: Pipedrive, API reference, Pipelines and Stages; Pipedrive, Probability in Pipedrive.
    """
    rows = listed(pipelines, "data"), listed(stages, "data")
    return frames().read(*rows, what=ROWS, tables=("pipelines", "stages"))


def read_deals(
    deals: object,
    *,
    flow: Mapping[int | str, object] = NOTHING,
    pipelines: Iterable[Pipeline] = (),
    currency: str | None = None,
) -> Read[DealHistory]:
    """The deals of an account, with as much of their past as is given.

    With its log a deal is rebuilt: the old value of each first change says how it began. Where
    the log does not reach back to the creation (no row of ``add_time``), the history is complete
    from its first row on. Where the log ends before the row of the deal, the rest is added at
    ``stage_change_time``, at ``won_time``, ``lost_time`` or ``close_time``, or at ``update_time``.

    Without its log a deal began at ``add_time``. If it moved since, it began in the first stage
    of its pipeline, not known until when, and entered its stage at ``stage_change_time``. What a
    row says without a date is said from the beginning; the amount and reason of a closed deal
    are said of its close, for nobody knew them before. A reopening is known from a log only.

    A deleted deal is deleted at ``delete_time``, else at ``update_time``, its last change.
    A deal's own probability holds until it is changed, as Pipedrive has it.

    Args:
        deals: ``GET /deals`` of version 1 or 2, or items of ``/recents``. Needed are id, status,
            stage_id, and pipeline_id unless the stage is of a pipeline given.
        flow: By the id of a deal, what ``GET /deals/{id}/flow`` (with ``all_changes=1``, for
            custom fields) or ``GET /deals/{id}/changelog`` answered, all pages in one list, the
            newest first or last. Notes, messages, files and done activities become activities,
            planned ones next steps; of these only kind, time and actor are kept, for what they
            hold is not the deal's.
        pipelines: The pipelines, as `read_pipelines` reads them. A stage of none of them is
            kept, and taken for open.
        currency: The code where a row says none.

    Returns:
        What was read; rows are counted over all tables. A row of a log whose deal is not among
        the deals, or was refused, is refused.

        Not kept are ``additional_data`` (values as people read them), the user agent, origin and
        bulk mark of a change, and cents of an amount that has no currency.

    Raises:
        WrongTypeError: Rows, flow or pipelines are none.
        InvalidValueError: The currency is no code, or the flow has an id twice.

    >>> deal = {
    ...     "id": 5, "title": "Roof", "status": "lost", "stage_id": 7, "pipeline_id": 1,
    ...     "value": 1200, "currency": "EUR", "lost_reason": "price",
    ...     "add_time": "2026-03-02 09:00:00", "stage_change_time": None,
    ...     "lost_time": "2026-03-20 15:30:00",
    ... }
    >>> [history] = read_deals([deal]).histories
    >>> lost = history.events[-1]
    >>> lost.stage_left, lost.reason, str(lost.amount), lost.at.isoformat()
    ('7', 'price', '1,200.00 EUR', '2026-03-20T15:30:00+00:00')

    Source: Pipedrive, API reference, Deals.
    """
    known = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}
    code = None if currency is None else check_currency(currency)
    reading = _Deals(Apart(SYSTEM, known), by_record(flow, "flow"), code)
    intake = Intake()
    intake.each(listed(deals, "data"), reading.take, what=ROWS, table="deals")
    histories = [DealHistory(log.events) for log in reading.logs.values()]
    return joined(intake, reading.rest()).read(histories, known.values())


def read_contacts(persons: object) -> Read[ContactHistory]:
    """The persons of an account, as contacts.

    Pipedrive has no lifecycle and no lead status of a person, so these contacts have none.
    What a row says without a date is said from the beginning. A person whose
    ``marketing_status`` is ``unsubscribed`` has opted out.

    Args:
        persons: ``GET /persons`` of version 1 or 2, or items of ``/recents``; of ``email`` (in
            version 2 ``emails``) the primary one is the contact's, else the first.

    Returns:
        What was read. An item of ``/recents`` whose data is null is refused, its id incomplete.

    Raises:
        WrongTypeError: Neither a response nor rows are given.

    >>> person = {
    ...     "id": 532, "name": "Ada L", "add_time": "2023-02-22 15:40:06", "org_name": "abc",
    ...     "email": [{"value": "ada@example.com", "primary": True}],
    ... }
    >>> found = read_contacts({"success": True, "data": [
    ...     {"item": "person", "id": 532, "data": person},
    ...     {"item": "person", "id": 4, "data": None},
    ... ]})
    >>> found.histories[0].latest.email, found.incomplete
    ('ada@example.com', ('4',))

    Source: Pipedrive, API reference, Persons and Recents.
    """
    intake = Intake()
    logs: dict[str, ContactLog] = {}
    intake.each(listed(persons, "data"), partial(take_person, logs), what=ROWS, table="persons")
    return intake.read(ContactHistory(log.events) for log in logs.values())


class _Deals:
    """Deals being read.

    Attributes:
        logs: Their events, by their ids.
    """

    def __init__(self, ground: Apart, flow: Mapping[str, object], currency: str | None) -> None:
        self.logs: dict[str, DealLog] = {}
        self._ground = ground
        self._flow = flow
        self._currency = currency
        self._intakes: list[Intake] = []

    def take(self, item: Item) -> None:
        """Use the row of a deal, and the rows of its log."""
        draft = Draft(item, self._ground)
        if draft.key in self.logs:
            item.refuse("id", "an earlier row has the same id")
        reader = LogReader(draft.key)
        log = reader.read(self._flow[draft.key]) if draft.key in self._flow else Log()
        self.logs[draft.key] = draft.written(log, self._currency)
        self._intakes.append(reader.intake)

    def rest(self) -> list[Intake]:
        """What was taken of the logs; those of no deal are refused."""
        for key in self._flow:
            if key not in self.logs:
                intake = Intake()
                rows = listed(self._flow[key], "data")
                intake.each(rows, partial(_refuse, key), what=ROWS, table=f"flow[{key}]")
                self._intakes.append(intake)
        return self._intakes


def _refuse(deal: str, item: Item) -> None:
    item.identity = deal
    item.refuse(None, "its deal is not among those read")
