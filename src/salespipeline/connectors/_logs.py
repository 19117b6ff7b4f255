"""Events written down for one record, in order, from what the rows of a table say of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from salespipeline.connectors._mapping import TableMapping
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    Created,
    Event,
    FieldSet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    Start,
    Won,
)
from salespipeline.pipelines import Outcome

Facts = Mapping[str, Any]
"""What a row says, by field; absent fields are not in it."""

_MOVES = {Outcome.OPEN: Reopened, Outcome.WON: Won, Outcome.LOST: Lost}
_CONTACT_FIELDS = ("name", "email", "company", "account", "source")
_DEAL_FIELDS = ("title", "account", "source", "sale_type")


class Log:
    """The events of one record so far."""

    def __init__(self, record: str, mapping: TableMapping) -> None:
        self.events: list[Any] = []
        self.mapping = mapping
        self._record = record
        self._said: dict[str, Any] = {}
        self._stamp: dict[str, Any] = {}

    def add(self, event_type: Callable[..., Event], at: datetime, /, **facts: object) -> None:
        """Write one more event; what the row says of who and when recorded goes with it."""
        number = len(self.events) + 1
        stamp = self._stamp | {"system": self.mapping.system}
        self.events.append(
            event_type(record=self._record, sequence=number, at=at, **stamp, **facts)
        )
        self._stamp.pop("original_id", None)

    def begins_with(self, row: Facts) -> bool:
        """Whether a row can be written: a deal needs a stage to begin in, a contact none."""
        return bool(self.events) or "stage" in row or self.mapping.record == "contact"

    def stamp(self, at: datetime, row: Facts) -> None:
        """Take over who did it, as what, when it was recorded and its id, for events to come."""
        self._stamp = {name: row[name] for name in ("by", "role") if name in row}
        if row.get("recorded_at", at) > at:
            self._stamp["recorded_at"] = row["recorded_at"]
        if "event_id" in row and self.mapping.system is not None:
            self._stamp["original_id"] = row["event_id"]

    def say(self, row: Facts, names: tuple[str, ...]) -> dict[str, Any]:
        """The fields of a row that its record begins with."""
        self._said |= {name: row[name] for name in (*names, "owner") if name in row}
        self._said |= {f"attributes.{name}": row["attributes"][name] for name in row["attributes"]}
        return {name: row[name] for name in (*names, "owner", "attributes") if name in row}

    def changes(self, at: datetime, row: Facts, names: tuple[str, ...]) -> None:
        """Write what differs from what was said of the record before."""
        if "owner" in row and self._differs("owner", row["owner"]):
            self.add(OwnerChanged, at, owner=row["owner"])
        values = {name: row[name] for name in names if name in row}
        values |= {f"attributes.{name}": row["attributes"][name] for name in row["attributes"]}
        for field, value in values.items():
            if self._differs(field, value):
                self.add(FieldSet, at, field=field, value=value)
        if "activity" in row:
            self.add(ActivityRecorded, at, kind=row["activity"])

    def _differs(self, field: str, value: object) -> bool:
        differs = self._said.get(field) != value
        self._said[field] = value
        return differs


class DealLog(Log):
    """The events of one deal so far."""

    def outcome(self, pipeline: str, stage: str) -> Outcome:
        """What a stage means; one of no pipeline known is taken for open."""
        known = self.mapping.pipelines.get(pipeline)
        return known.outcome(stage) if known is not None and stage in known else Outcome.OPEN

    def open(
        self,
        stage: str,
        at: datetime,
        row: Facts,
        *,
        start: Start = Start.EXACT,
        observed_from: datetime | None = None,
    ) -> None:
        """Write the opening."""
        self._where = (row.get("pipeline", self.mapping.pipeline), stage)
        self._how = self.outcome(*self._where)
        self._worth, self._expected = row.get("amount"), row.get("expected_close")
        pipeline, stage = self._where
        self.add(
            Opened, at, pipeline=pipeline, stage=stage, outcome=self._how, start=start,
            observed_from=observed_from, amount=self._worth, expected_close=self._expected,
            **self.say(row, _DEAL_FIELDS),
        )  # fmt: skip

    def enter(self, stage: str, at: datetime, row: Facts) -> None:
        """Write a move to a stage, as what it means: a move, a win, a loss or a reopening."""
        left_pipeline, left = self._where
        self._where = (row.get("pipeline", left_pipeline), stage)
        before, self._how = self._how, self.outcome(*self._where)
        kind: type[Any] = Moved if self._how is before else _MOVES[self._how]
        closing: dict[str, Any] = {}
        if kind is Won or kind is Lost:
            closing = {"reason": row.get("reason"), "amount": row.get("amount")}
            self._worth = row.get("amount", self._worth)
        self.add(
            kind, at, pipeline=self._where[0], stage=stage, pipeline_left=left_pipeline,
            stage_left=left, **closing,
        )  # fmt: skip

    def happen(self, at: datetime, row: Facts) -> None:
        """Write all that a row of events says."""
        if not self.events:
            self.open(row["stage"], at, row)
            if "activity" in row:
                self.add(ActivityRecorded, at, kind=row["activity"])
            return
        if "stage" in row:
            self.enter(row["stage"], at, row)
        if "amount" in row and row["amount"] != self._worth:
            self._worth = row["amount"]
            self.add(AmountChanged, at, amount=self._worth)
        if "expected_close" in row and row["expected_close"] != self._expected:
            self._expected = row["expected_close"]
            self.add(CloseDateChanged, at, expected_close=self._expected)
        self.changes(at, row, _DEAL_FIELDS)


class ContactLog(Log):
    """The events of one contact so far."""

    def create(self, at: datetime, row: Facts, **facts: object) -> None:
        """Write the creation."""
        self._stage, self._status = row.get("stage"), row.get("lead_status")
        self.add(
            Created, at, lifecycle_stage=self._stage, lead_status=self._status, **facts,
            **self.say(row, _CONTACT_FIELDS),
        )  # fmt: skip

    def reach(self, at: datetime, row: Facts) -> None:
        """Write a lifecycle stage, forward or not; the status stays unless the row says it."""
        before, self._stage = self._stage, row["stage"]
        self._status = row.get("lead_status", self._status)
        self.add(
            LifecycleStageSet, at, stage=self._stage, stage_left=before, lead_status=self._status
        )

    def happen(self, at: datetime, row: Facts) -> None:
        """Write all that a row of events says."""
        if not self.events:
            self.create(at, row)
            if "activity" in row:
                self.add(ActivityRecorded, at, kind=row["activity"])
            return
        status = row.get("lead_status", self._status)
        if "stage" in row and (row["stage"] != self._stage or status == self._status):
            self.reach(at, row)
        elif "lead_status" in row:
            before, self._status = self._status, status
            self.add(LeadStatusSet, at, status=status, status_left=before)
        self.changes(at, row, _CONTACT_FIELDS)
