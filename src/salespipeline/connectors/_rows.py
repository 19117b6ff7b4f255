"""Rows of a table as facts by field, with the problems met in them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeAlias, TypeVar

from attrs import field, frozen

from salespipeline.attributes import EMPTY, Attributes
from salespipeline.connectors._mapping import TableMapping
from salespipeline.errors import InvalidValueError, SalesPipelineError, brief
from salespipeline.money import Money

T = TypeVar("T")

Facts: TypeAlias = Mapping[str, Any]
"""What a row says, by field; absent fields are not in it."""

_STATES = frozenset({
    "at", "opened", "created", "closed", "recorded_at", "stage", "lead_status", "pipeline",
    "sequence",
})  # fmt: skip
"""The fields, beside the id, without which a row cannot be used if they are unreadable."""


@frozen
class Problem:
    """A cell, or a whole row, that could not be read.

    Attributes:
        row: The number of the row, the first below the header being 1.
        column: The column, or None for the whole row.
        value: What stands there.
        reason: Why it cannot be read.
        refused: Whether the whole row was refused; else the cell was taken for absent.
    """

    row: int
    column: str | None
    value: object = field(repr=brief, hash=False)
    reason: str
    refused: bool


class RowRefusedError(Exception):
    """A row that cannot be used: raised and caught within a reader."""


class Row:
    """One row being read.

    Attributes:
        number: Its number, from 1.
        identity: The id of its record, or None as long as that is not read.
    """

    def __init__(
        self, number: int, given: Mapping[Any, Any], mapping: TableMapping, problems: list[Problem]
    ) -> None:
        self.number = number
        self.identity: str | None = None
        self._given = given
        self._mapping = mapping
        self._problems = problems

    def facts(self) -> dict[str, Any]:
        """All that the row says, by field; ids, instants and states refuse it if unreadable."""
        mapping, cells = self._mapping, self._mapping.cells
        special: Mapping[str, Callable[[object, str], Any]] = {
            **dict.fromkeys(("at", "opened", "created", "closed", "recorded_at"), cells.instant),
            "stage": cells.lifecycle_stage if mapping.record == "contact" else cells.text,
            "sequence": cells.whole,
            "sale_type": cells.sale_type,
            "expected_close": cells.day,
        }
        found = {
            name: self._cell(column, name, special.get(name, cells.text), needed=name in _STATES)
            for name, column in mapping.columns.items()
            if name not in {"id", "amount", "currency"}
        }
        found["amount"] = self._amount()
        found["attributes"] = self._attributes() or None
        found["entered"] = self._entered() or None
        return {name: value for name, value in found.items() if value is not None}

    def read_id(self) -> str:
        """The id of the record, which every row must have."""
        column = self._mapping.columns["id"]
        self.identity = self._cell(column, "id", self._mapping.cells.text, needed=True)
        if self.identity is None:
            self.refuse("id", "it has no id")
        return self.identity

    def refuse(self, name: str | None, reason: str) -> NoReturn:
        """Give the row up, for what stands under a field, or as a whole."""
        self._report(name, reason, refused=True)
        raise RowRefusedError

    def note(self, name: str, reason: str) -> None:
        """Report a field that is taken for absent."""
        self._report(name, reason, refused=False)

    def _report(self, name: str | None, reason: str, *, refused: bool) -> None:
        column = None if name is None else self._mapping.column(name)
        value = None if column is None else self._given.get(column)
        self._problems.append(Problem(self.number, column, value, reason, refused))

    def _cell(
        self, column: str, name: str, how: Callable[[object, str], T], *, needed: bool
    ) -> T | None:
        """A cell, or None where it is absent or, if it is not needed, cannot be read."""
        value = self._given.get(column)
        try:
            held = self._mapping.cells.held(value, name)
            return None if held is None else how(held, name)
        except SalesPipelineError as fault:
            reason = str(fault)
        except Exception as why:  # noqa: BLE001 - what stands in a cell may be anyone's code
            reason = f"it cannot be read: {brief(why)}"
        self._problems.append(Problem(self.number, column, value, reason, needed))
        if needed:
            raise RowRefusedError
        return None

    def _amount(self) -> Money | None:
        columns, cells = self._mapping.columns, self._mapping.cells
        currency, fault = self._mapping.currency, "it has no currency, and the mapping gives none"
        if "currency" in columns:
            before = len(self._problems)
            stated = self._cell(columns["currency"], "currency", cells.currency, needed=False)
            currency = stated or currency
            if len(self._problems) > before:
                currency, fault = None, "its currency cannot be read"

        def money(value: object, name: str) -> Money:
            if currency is None:
                raise InvalidValueError(name, (fault,))
            return cells.money(value, currency)

        column = columns.get("amount")
        return None if column is None else self._cell(column, "amount", money, needed=False)

    def _attributes(self) -> Attributes:
        if not self._mapping.attributes:
            return EMPTY
        read = self._mapping.cells.attribute
        values = {
            name: self._cell(column, name, read, needed=False)
            for name, column in self._mapping.attributes.items()
        }
        return Attributes({name: value for name, value in values.items() if value is not None})

    def _entered(self) -> Mapping[str, datetime]:
        """When stages were entered, by stage, as far as the row has dates."""
        read = self._mapping.cells.instant
        dates = {
            stage: self._cell(column, f"entered.{stage}", read, needed=True)
            for stage, column in self._mapping.entered.items()
        }
        return {stage: at for stage, at in dates.items() if at is not None}
