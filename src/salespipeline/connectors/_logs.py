"""Events written down for one record, in order, from what a system says of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from salespipeline.attributes import EMPTY
from salespipeline.connectors._items import Facts
from salespipeline.connectors._systems import Ground
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    ContactLinked,
    ContactUnlinked,
    Created,
    Deleted,
    Event,
    FieldSet,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedIn,
    OptedOut,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    Start,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome

_TURNS = {Outcome.OPEN: Reopened, Outcome.WON: Won, Outcome.LOST: Lost}


class Log(ABC):
    """The events of one record so far.

    What is written is a row of facts by field; a fact of None takes away what was there, an absent
    one leaves it. ``at`` is the instant; ``by``, ``role``, ``recorded_at`` and ``event_id`` sign.
    The first row begins the record, with ``start`` and ``observed_from`` if they are known.
    Beside the fields of the record, ``activity`` (with ``direction``), ``next_step`` (a `NextStep`,
    or None once it is done), ``merged`` (another record's id) and ``deleted`` are written.
    """

    names: tuple[str, ...]

    def __init__(self, record: str, ground: Ground) -> None:
        self.events: list[Any] = []
        self._record = record
        self._ground = ground
        self._said: dict[str, object] = {}
        self._stamp: dict[str, object] = {}
        self._row_id: str | None = None
        self._row_begun = False

    def lacks(self, row: Facts) -> tuple[str, str] | None:
        """The field that the record cannot begin without and the row has not, with the reason."""
        needed = {} if self.events else self._needs()
        return next((each for each in needed.items() if each[0] not in row), None)

    def happen(self, row: Facts) -> None:
        """Write all that a row of events says."""
        at: datetime = row["at"]
        self._stamp = {name: row[name] for name in ("by", "role") if name in row}
        if row.get("recorded_at", at) > at:
            self._stamp["recorded_at"] = row["recorded_at"]
        self._row_id, self._row_begun = row.get("event_id"), False
        if self.events:
            self._change(at, row)
            self._change_fields(at, row)
        else:
            said = {name: row[name] for name in ("start", "observed_from") if name in row}
            self.begin(at, row, **said)
            self._go_on(at, row)
        if "activity" in row:
            self._add(ActivityRecorded, at, kind=row["activity"], direction=row.get("direction"))
        if (step := row.get("next_step")) is not None:
            self._add(NextStepPlanned, at, what=step.what, due=step.due)
        elif "next_step" in row:
            self._add(NextStepDone, at)
        if "merged" in row:
            self._add(Merged, at, other=row["merged"])
        if row.get("deleted"):
            self._add(Deleted, at)

    @abstractmethod
    def begin(
        self,
        at: datetime,
        row: Facts,
        *,
        start: Start = Start.EXACT,
        observed_from: datetime | None = None,
    ) -> None:
        """Write the first event, with all that a row says of the record."""

    @abstractmethod
    def _needs(self) -> dict[str, str]:
        """The fields that the record cannot begin without, each with why it is refused."""

    @abstractmethod
    def _change(self, at: datetime, row: Facts) -> None:
        """Write what a row says of the record's state."""

    @abstractmethod
    def _go_on(self, at: datetime, row: Facts) -> None:
        """Write what a row says that no beginning holds."""

    def _add(self, event_type: type[Event], at: datetime, /, **facts: object) -> None:
        """Write one more event.

        The row's id is that of its first event; the others add what they say to it, so that a
        later reading of the same row knows them again.
        """
        if self._row_id is not None:
            said = f"/{facts.get('field', event_type.__name__)}" if self._row_begun else ""
            self._stamp["original_id"] = self._row_id + said
            self._row_begun = True
        event = cast("Callable[..., Event]", event_type)
        self.events.append(
            event(
                record=self._record, sequence=len(self.events) + 1, at=at,
                system=self._ground.system, **self._stamp, **facts,
            )
        )  # fmt: skip

    def _fields(self, row: Facts) -> dict[str, object]:
        """The fields of a row that its record begins with."""
        self._said = _values(row, (*self.names, "owner"))
        return {name: row[name] for name in (*self.names, "owner", "attributes") if name in row}

    def _change_fields(self, at: datetime, row: Facts) -> None:
        """Write what differs from what was said of the record before."""
        for field, value in _values(row, ("owner", *self.names)).items():
            if self._said.get(field) == value:
                continue
            self._said[field] = value
            if field == "owner":
                self._add(OwnerChanged, at, owner=value)
            else:
                self._add(FieldSet, at, field=field, value=value)


def _values(row: Facts, names: tuple[str, ...]) -> dict[str, object]:
    values = {name: row[name] for name in names if name in row}
    attributes = row.get("attributes", EMPTY).items()
    return values | {f"attributes.{name}": value for name, value in attributes}


class DealLog(Log):
    """The events of one deal so far."""

    names = ("title", "account", "source", "sale_type", "term", "renews")

    _pipeline: str
    _stage: str
    _outcome: Outcome
    _amount: Money | None
    _expected_close: object

    def _needs(self) -> dict[str, str]:
        needed = {"stage": "it has no stage for its deal to begin in"}
        if self._ground.pipeline is None:
            needed["pipeline"] = "it has no pipeline, and the mapping names none"
        return needed

    def begin(
        self,
        at: datetime,
        row: Facts,
        *,
        start: Start = Start.EXACT,
        observed_from: datetime | None = None,
    ) -> None:
        """Write the opening."""
        self._pipeline, self._stage = row.get("pipeline", self._ground.pipeline), row["stage"]
        self._outcome = self._ground.outcome(self._pipeline, self._stage)
        self._amount, self._expected_close = row.get("amount"), row.get("expected_close")
        linked = {"contacts": row["contacts"]} if "contacts" in row else {}
        self._add(
            Opened, at, pipeline=self._pipeline, stage=self._stage, outcome=self._outcome,
            start=start, observed_from=observed_from, amount=self._amount,
            expected_close=self._expected_close, **linked, **self._fields(row),
        )  # fmt: skip

    def enter(self, at: datetime, row: Facts) -> None:
        """Write a move to a stage, as what it means: a move, a win, a loss or a reopening."""
        left: dict[str, object] = {"pipeline_left": self._pipeline, "stage_left": self._stage}
        before = self._outcome
        self._pipeline, self._stage = row.get("pipeline", self._pipeline), row["stage"]
        self._outcome = self._ground.outcome(self._pipeline, self._stage)
        kind: type[Event] = Moved if self._outcome is before else _TURNS[self._outcome]
        if kind is Won or kind is Lost:
            left |= {"reason": row.get("reason"), "amount": row.get("amount")}
            self._amount = row.get("amount", self._amount)
        self._add(kind, at, pipeline=self._pipeline, stage=self._stage, **left)

    def _change(self, at: datetime, row: Facts) -> None:
        if "stage" in row:
            self.enter(at, row)
        if row.get("amount", self._amount) != self._amount:
            self._amount = row["amount"]
            self._add(AmountChanged, at, amount=self._amount)
        if row.get("expected_close", self._expected_close) != self._expected_close:
            self._expected_close = row["expected_close"]
            self._add(CloseDateChanged, at, expected_close=self._expected_close)
        self._go_on(at, row)

    def _go_on(self, at: datetime, row: Facts) -> None:
        if "probability" in row:
            basis = row.get("basis", ProbabilityBasis.UNTIL_MOVE)
            self._add(ProbabilitySet, at, probability=row["probability"], basis=basis)
        if "forecast_category" in row:
            self._add(ForecastCategorySet, at, category=row["forecast_category"])
        if "contact_linked" in row:
            self._add(ContactLinked, at, contact=row["contact_linked"])
        if "contact_unlinked" in row:
            self._add(ContactUnlinked, at, contact=row["contact_unlinked"])


class ContactLog(Log):
    """The events of one contact so far."""

    names = ("name", "email", "company", "account", "source")

    _stage: LifecycleStage | None
    _status: str | None

    def _needs(self) -> dict[str, str]:
        return {}

    def begin(
        self,
        at: datetime,
        row: Facts,
        *,
        start: Start = Start.EXACT,
        observed_from: datetime | None = None,
    ) -> None:
        """Write the creation."""
        self._stage, self._status = row.get("stage"), row.get("lead_status")
        self._add(
            Created, at, lifecycle_stage=self._stage, lead_status=self._status, start=start,
            observed_from=observed_from, **self._fields(row),
        )  # fmt: skip

    def reach(self, at: datetime, row: Facts) -> None:
        """Write a lifecycle stage, forward or not; the status stays unless the row says it."""
        before, self._stage = self._stage, row["stage"]
        self._status = row.get("lead_status", self._status)
        self._add(
            LifecycleStageSet, at, stage=self._stage, stage_left=before, lead_status=self._status
        )

    def _change(self, at: datetime, row: Facts) -> None:
        status = row.get("lead_status", self._status)
        if "stage" in row and (row["stage"] != self._stage or status == self._status):
            self.reach(at, row)
        elif "lead_status" in row:
            before, self._status = self._status, status
            self._add(LeadStatusSet, at, status=status, status_left=before)
        self._go_on(at, row)

    def _go_on(self, at: datetime, row: Facts) -> None:
        if "opted_out" in row:
            self._add(OptedOut if row["opted_out"] else OptedIn, at)
