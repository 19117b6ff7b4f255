"""Cells of a table as values: what a cell says, or why it cannot be read."""

from collections.abc import Mapping
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from numbers import Integral
from uuid import UUID

from attrs import field, frozen

from salespipeline._doors import choice
from salespipeline.attributes import Value, plain
from salespipeline.errors import InvalidValueError, NaiveTimeError, WrongTypeError, brief
from salespipeline.events import SaleType
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money, check_currency, exact
from salespipeline.periods import midnight, on, utc

_EXACT_FLOAT = 2**53  # beyond it, two whole numbers share one float


@frozen
class Cells:
    """How the cells of one table are read.

    Attributes:
        zone: The zone of dates and of times without one, or None where there is none.
        absent: Texts that stand for nothing, the empty one among them.
        date_format: The `strptime` format of dates, or None for ISO 8601.
        values: By field, what a cell's text stands for.
        open_ends: What stands for the end of a stay that goes on, beside nothing: texts, days.
    """

    zone: tzinfo | None
    absent: frozenset[str]
    date_format: str | None
    values: Mapping[str, Mapping[str, str]] = field(hash=False)
    open_ends: frozenset[str | date] = frozenset()

    def held(self, value: object, name: str) -> object:
        """What a cell holds: text without outer blanks, as the values say; None for nothing.

        Nothing is None, NaN, NaT, NA, empty text, a declared token, or what stands for such.
        """
        if isinstance(value, str):
            value = str.__str__(value).strip()
        table = self.values.get(name)
        if table and (said := _as_text(value)) is not None:
            value = table.get(said, value)
        absent = value in self.absent if isinstance(value, str) else _is_missing(value)
        return None if absent else value

    def text(self, value: object, name: str) -> str:
        """Text; a whole number gives its digits, however it is stored."""
        said = None if isinstance(value, bool) else _as_text(value)
        if said is None:
            raise WrongTypeError(name, "text or a whole number", value)
        return said

    def whole(self, value: object, name: str) -> int:
        """A whole number, also as text or with nothing after its point."""
        number = _whole(exact(value, name) if isinstance(value, str) else value)
        if number is None:
            raise WrongTypeError(name, "a whole number", value)
        return number

    def lifecycle_stage(self, value: object, name: str) -> LifecycleStage:
        """A lifecycle stage by its key."""
        return choice(LifecycleStage, self.text(value, name), "lifecycle stage")

    def sale_type(self, value: object, name: str) -> SaleType:
        """A kind of sale by its key."""
        return choice(SaleType, self.text(value, name), "kind of sale")

    def instant(self, value: object, name: str) -> datetime:
        """An instant in UTC; a date is the beginning of its day."""
        read = self._parsed(value, name)
        if not isinstance(read, datetime):
            return midnight(read, self._zone(name, read))
        try:
            return utc(read, name)
        except NaiveTimeError:
            there = datetime.combine(_date_of(read), _clock(read), self._zone(name, read))
            return utc(there, name)

    def end(self, value: object, name: str) -> tuple[datetime, bool] | None:
        """When a stay ended, with whether only its day is said; None where it goes on.

        A day is told as it is written, so that the year 9999 is one in every zone.
        """
        if isinstance(value, str) and value in self.open_ends:
            return None
        read = self._parsed(value, name)
        if _date_of(read) in self.open_ends:
            return None
        is_day = not isinstance(read, datetime) or _clock(read) == time.min
        return self.instant(value, name), is_day

    def day(self, value: object, name: str) -> date:
        """A calendar date; of an instant, its date in the table's zone, or where it is written."""
        read = self._parsed(value, name)
        if not isinstance(read, datetime) or self.zone is None:
            return _date_of(read)
        try:
            return on(utc(read, name), self.zone)
        except NaiveTimeError:
            return _date_of(read)

    def currency(self, value: object, name: str) -> str:
        """The code of a currency, in letters of either case."""
        return check_currency(self.text(value, name).upper())

    def money(self, value: object, currency: str) -> Money:
        """An exact amount; a float is read by its shortest decimal text, and must fit the scale."""
        if isinstance(value, float):
            value = float.__repr__(value)
        elif isinstance(value, Integral) and not isinstance(value, bool):
            value = int(value)
        return Money(exact(value, "amount"), currency)

    def attribute(self, value: object, name: str) -> Value:
        """A plain value, of the type that the cell has."""
        if isinstance(value, datetime):
            return self.instant(value, name)
        if isinstance(value, date):
            return _date_of(value)
        if isinstance(value, float):
            return plain(float(value))
        if isinstance(value, Integral) and not isinstance(value, bool):
            return int(value)
        return plain(value)

    def _zone(self, name: str, value: object) -> tzinfo:
        if self.zone is None:
            fault = f"{brief(value)} has no zone, and the mapping gives none"
            raise InvalidValueError(name, (fault,))
        return self.zone

    def _parsed(self, value: object, name: str) -> date:
        """A date, or a datetime, which is one too."""
        if isinstance(value, date):
            return value
        if not isinstance(value, str):
            raise WrongTypeError(name, "a date or a date and time", value)
        try:
            return parse(value, self.date_format)
        except ValueError:
            wanted = f"in the format {self.date_format!r}" if self.date_format else "in ISO 8601"
            fault = f"{brief(value)} is no date or date and time {wanted}"
            raise InvalidValueError(name, (fault,)) from None


def parse(text: str, date_format: str | None) -> date:
    """A date and time by a format; by ISO 8601, if none is given, a date where it has no time."""
    if date_format is None:
        if len(text) > 10 and text.isdigit():
            raise ValueError(text)  # a count of milliseconds, not a year, month and day
        return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
    return datetime.strptime(text, date_format)  # noqa: DTZ007 - the table's zone is set later


def _date_of(value: date) -> date:
    return date(value.year, value.month, value.day)


def _clock(value: datetime) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, fold=value.fold)


def _as_text(value: object) -> str | None:
    """Text, and what a text file would hold for a truth, an id or a whole number; else None."""
    if isinstance(value, str | bool | UUID):
        return str(value)
    number = _whole(value)
    return None if number is None else str(number)


def _whole(value: object) -> int | None:
    """A number with nothing after its point, or None for anything else.

    Raises:
        InvalidValueError: It is a float too large to tell it from its neighbours.
    """
    if isinstance(value, Integral):
        return None if isinstance(value, bool) else int(value)
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _EXACT_FLOAT:
            fault = f"{value!r} has lost digits as a float; read its column as text"
            raise InvalidValueError("number", (fault,))
        return int(value)
    if isinstance(value, Decimal):
        numerator, denominator = exact(value, "number").as_integer_ratio()
        return numerator if denominator == 1 else None
    return None


def _is_missing(value: object) -> bool:
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - as NaN and NaT do
    except Exception:  # noqa: BLE001 - pandas' NA has no truth, and strange cells may do worse
        return type(value).__name__ == "NAType"
