"""Cells of a table as values: what a cell says, or why it cannot be read."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any, NoReturn, TypeVar

from attrs import field, frozen

from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.money import Money, check_currency, exact
from salespipeline.periods import midnight, utc

T = TypeVar("T")


@frozen
class Cells:
    """How the cells of one table are read.

    Attributes:
        zone: The zone of dates and of times without one, or None where there is none.
        absent: Texts that stand for nothing.
        date_format: The `strptime` format of dates, or None for ISO 8601.
        values: By field, what a text stands for.
    """

    zone: tzinfo | None
    absent: frozenset[str]
    date_format: str | None
    values: Mapping[str, Mapping[str, str]] = field(hash=False)

    def is_absent(self, value: object) -> bool:
        """Whether a cell holds nothing: None, NaN, NaT, NA, empty text or a declared token."""
        if value is None:
            return True
        if isinstance(value, str):
            return not value.strip() or value.strip() in self.absent
        try:
            return bool(value != value)  # noqa: PLR0124 - NaN and NaT differ from themselves
        except Exception:  # noqa: BLE001 - pandas' NA has no truth, and strange cells may do worse
            return type(value).__name__ == "NAType"

    def text(self, value: object, name: str) -> str:
        """Text without outer blanks, as the mapping's values say; whole numbers as their digits."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise WrongTypeError(name, "text or a whole number", value)
        found = str(value).strip()
        return self.values.get(name, {}).get(found, found)

    def instant(self, value: object, name: str) -> datetime:
        """An instant in UTC; a date is the beginning of its day."""
        read = self._parsed(value, name)
        if not isinstance(read, datetime):
            return midnight(read, self._zone(name, read))
        return utc(read if read.utcoffset() is not None else self._in_zone(read, name), name)

    def _in_zone(self, naive: datetime, name: str) -> datetime:
        plain = datetime.combine(naive.date(), _time_of(naive))
        return plain.replace(tzinfo=self._zone(name, naive))

    def day(self, value: object, name: str) -> date:
        """A calendar date; of an instant, its date in the table's zone."""
        read = self._parsed(value, name)
        if not isinstance(read, datetime):
            return read
        aware = read.utcoffset() is not None and self.zone is not None
        moved = read.astimezone(self.zone) if aware else read
        return date(moved.year, moved.month, moved.day)

    def money(self, value: object, currency: str) -> Money:
        """An exact amount; a float is read by its shortest decimal text, and must fit the scale."""
        given = repr(value) if isinstance(value, float) else value
        text = given.strip() if isinstance(given, str) else given
        return Money(exact(text, "amount"), check_currency(currency))

    def _zone(self, name: str, value: object) -> tzinfo:
        if self.zone is None:
            fault = f"{brief(value)} has no zone, and the mapping gives none"
            raise InvalidValueError(name, (fault,))
        return self.zone

    def _parsed(self, value: object, name: str) -> date | datetime:
        if isinstance(value, date):
            return value
        if not isinstance(value, str):
            raise WrongTypeError(name, "a date or a date and time", value)
        try:
            return _parse(value.strip(), self.date_format)
        except ValueError:
            wanted = f"in the format {self.date_format!r}" if self.date_format else "in ISO 8601"
            fault = f"{brief(value)} is no date or date and time {wanted}"
            raise InvalidValueError(name, (fault,)) from None


def _time_of(value: datetime) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond)


def _parse(text: str, date_format: str | None) -> date | datetime:
    if date_format is None:
        return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
    read = datetime.strptime(text, date_format)  # noqa: DTZ007 - the table's zone is set later
    timed = any(code in date_format for code in ("%H", "%I", "%X", "%c"))
    return read if timed else read.date()


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
    value: object
    reason: str
    refused: bool


class RowRefusedError(Exception):
    """A row that cannot be used: raised and caught within a reader."""


class Row:
    """One row being read: its cells by field, and the problems met."""

    def __init__(
        self, number: int, cells: Cells, columns: Mapping[str, str], row: Mapping[Any, Any]
    ) -> None:
        self.number = number
        self.problems: list[Problem] = []
        self._cells = cells
        self._columns = columns
        self._row = row

    def read(self, name: str, how: Callable[[object, str], T]) -> T | None:
        """A field, or None where it is absent or, which is a problem, cannot be read."""
        return self._read(name, how, needed=False)

    def need(self, name: str, how: Callable[[object, str], T]) -> T | None:
        """A field whose unreadable cell refuses the row; None where it is absent."""
        return self._read(name, how, needed=True)

    def _read(self, name: str, how: Callable[[object, str], T], *, needed: bool) -> T | None:
        column = self._columns.get(name)
        value = None if column is None else self._row.get(column)
        if self._cells.is_absent(value):
            return None
        try:
            return how(value, name)
        except SalesPipelineError as fault:
            if needed:
                self.refuse(column, value, str(fault))
            self.problems.append(Problem(self.number, column, value, str(fault), refused=False))
            return None

    def refuse(self, column: str | None, value: object, reason: str) -> NoReturn:
        """Give the row up."""
        self.problems.append(Problem(self.number, column, value, reason, refused=True))
        raise RowRefusedError

    def note(self, name: str, value: object, reason: str) -> None:
        """Report a cell that is taken for absent."""
        self.problems.append(Problem(self.number, self.column(name), value, reason, refused=False))

    def column(self, name: str) -> str | None:
        """The column that a field is read from."""
        return self._columns.get(name)
