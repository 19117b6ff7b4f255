"""Rows of a table as facts by field, with the problems met in them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeAlias, TypeVar

from salespipeline.attributes import EMPTY, Attributes
from salespipeline.connectors._items import Facts, Item, Problem
from salespipeline.connectors.table._mapping import ATTRIBUTE, TableMapping
from salespipeline.errors import InvalidValueError
from salespipeline.money import Money

T = TypeVar("T")

Placed: TypeAlias = "list[tuple[Row, Facts]]"
"""The rows of one record, each with its facts."""

Told: TypeAlias = "list[tuple[Row, list[Facts]]]"
"""The rows of one record in order, each with what it says happened."""

_INSTANTS = ("at", "opened", "created", "closed", "entered", "recorded_at")
_STATES = frozenset({
    *_INSTANTS, "left", "field", "stage", "lead_status", "pipeline", "sequence",
})  # fmt: skip
"""The fields, beside the id, without which a row cannot be used if they are unreadable."""


Doors: TypeAlias = Mapping[str, Callable[[object, str], Any]]
"""By field, what reads its cells, where that is not text."""


def doors_of(mapping: TableMapping) -> Doors:
    """What reads the cells of a table."""
    cells = mapping.cells
    return {
        **dict.fromkeys(_INSTANTS, cells.instant),
        "left": cells.end,
        "stage": cells.lifecycle_stage if mapping.record == "contact" else cells.text,
        "sequence": cells.whole,
        "sale_type": cells.sale_type,
        "expected_close": cells.day,
    }


class Row(Item):
    """One row of a table with a declared mapping."""

    def __init__(
        self,
        number: int,
        given: Mapping[Any, Any],
        mapping: TableMapping,
        doors: Doors,
        problems: list[Problem],
    ) -> None:
        super().__init__(number, given, problems)
        self._mapping = mapping
        self._doors = doors

    def facts(self) -> dict[str, Any]:
        """All that the row says, by field; ids, instants and states refuse it if unreadable."""
        mapping = self._mapping
        found = {
            name: self._cell(column, name, self._door(name), needed=name in _STATES)
            for name, column in mapping.columns.items()
            if name not in {"id", "amount", "currency", "old", "new"}
        }
        if "amount" in mapping.columns:
            found["amount"] = self._amount(mapping.columns["amount"])
        found["attributes"] = self._attributes() or None
        if mapping.entered:
            found["entered"] = self._entered() or None
        if (named := found.get("field")) is not None:
            found |= self._change(named)
        return {name: value for name, value in found.items() if value is not None}

    def _door(self, name: str) -> Callable[[object, str], Any]:
        return self._doors.get(name, self._mapping.cells.text)

    def _change(self, named: str) -> dict[str, Any]:
        """What a row of changes is about: our field, the system's name of it, both values.

        A lifecycle stage that stands for none of ours is ``odd``: its text, empty if cleared.
        """
        field = self._mapping.fields.get(named, f"{ATTRIBUTE}{named}")
        found = {
            "field": field, "named": named,
            "new": self._side("new", field), "old": self._side("old", field),
        }  # fmt: skip
        if field == "stage" and self._mapping.record == "contact" and found["new"] is None:
            column = self._mapping.columns["new"]
            found["odd"] = self._cell(column, "", self._mapping.cells.text, needed=True) or ""
        return found

    def _side(self, side: str, field: str) -> Any:
        """The old or the new value of a field; an old one that cannot be read is absent."""
        column = self._mapping.columns.get(side)
        if column is None:
            return None
        if field == "amount":
            return self._amount(column)
        needed = side == "new" and field in _STATES
        if field.startswith(ATTRIBUTE):
            name = field.removeprefix(ATTRIBUTE)
            return self._cell(column, name, self._mapping.cells.attribute, needed=needed)
        return self._cell(column, field, self._door(field), needed=needed)

    def read_id(self) -> str:
        """The id of the record, which every row must have."""
        column = self._mapping.columns["id"]
        self.identity = self._cell(column, "id", self._mapping.cells.text, needed=True)
        if self.identity is None:
            self.refuse_for("id", "it has no id")
        return self.identity

    def refuse_for(self, name: str | None, reason: str) -> NoReturn:
        """Give the row up, for what stands under a field, or as a whole."""
        column, value = self._place(name)
        self.refuse(column, reason, value)

    def note_for(self, name: str, reason: str) -> None:
        """Report a field that is taken for absent."""
        column, value = self._place(name)
        self.note(column, reason, value)

    def _place(self, name: str | None) -> tuple[str | None, object]:
        column = None if name is None else self._mapping.column(name)
        return column, None if column is None else self.given.get(column)

    def _cell(
        self, column: str, name: str, how: Callable[[object, str], T | None], *, needed: bool
    ) -> T | None:
        """A cell, or None where it is absent or, if it is not needed, cannot be read."""

        def cell(value: object, name: str) -> T | None:
            held = self._mapping.cells.held(value, name)
            return None if held is None else how(held, name)

        return self.read(self.given.get(column), column, cell, name=name, needed=needed)

    def _amount(self, column: str) -> Money | None:
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

        return self._cell(column, "amount", money, needed=False)

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
