"""Salesforce's rows: one name for a field in all its spellings, and what stands in it.

The API writes ``StageName`` and ``Region__c``, a warehouse ``stage_name`` and ``region_c``: a
field is known by its name in small letters without underscores. Attributes keep the spelling in
which they were met first.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar, cast

from salespipeline._doors import NOTHING
from salespipeline.connectors._cells import Cells
from salespipeline.connectors._items import Item
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import ForecastCategory, SaleType
from salespipeline.money import Money, exact

T = TypeVar("T")

Says: TypeAlias = dict[str, Any]
"""What a row says, by field; a field with None says that nothing is there."""

Door: TypeAlias = Callable[[object, str], Any]
"""What reads a value, given what it is called."""

CELLS = Cells(UTC, frozenset({""}), None, NOTHING)
"""Times without a zone are those of a warehouse, which are in UTC."""

_DEEPEST = 6
STAMPS = ("systemmodstamp", "lastmodifieddate")
"""The fields that say when a row was last changed, the surer first."""

BEGINNINGS = frozenset({"created", "opportunitycreatedfromlead"})
"""What a field history calls the making of its record."""

_LOOKUPS = frozenset({"owner", "account", "contact", "recordtype", "campaign", "pricebook2"})
_ID = re.compile(r"(?=.*[0-9])[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
KNOWN = frozenset({
    "id", "createddate", "createdbyid", "isdeleted", "isclosed", "iswon", "currencyisocode",
    "amount", "stagename", "name", "accountid", "ownerid", "leadsource", "nextstep", "contactid",
    "type", "forecastcategory", "forecastcategoryname", "closedate", "probability", "status",
    "isconverted", "converteddate", "convertedaccountid", "firstname", "lastname", "email",
    "company", "hasoptedoutofemail", "lastvieweddate", "lastreferenceddate", "attributes",
})  # fmt: skip
"""The fields that are read as more than attributes, or not at all."""
_PASSED_OVER = frozenset({"lastvieweddate", "lastreferenceddate"})
"""When the reading user last looked at the record, which says nothing about it."""

_CATEGORIES = {
    "omitted": ForecastCategory.OMITTED,
    "pipeline": ForecastCategory.PIPELINE,
    "bestcase": ForecastCategory.BEST_CASE,
    "forecast": ForecastCategory.COMMIT,
    "commit": ForecastCategory.COMMIT,
    "closed": ForecastCategory.CLOSED,
}
SALE_TYPES: Mapping[str, SaleType] = {
    "new business": SaleType.NEW_BUSINESS,
    "new customer": SaleType.NEW_BUSINESS,
    "renewal": SaleType.RENEWAL,
    "existing customer - upgrade": SaleType.UPSELL,
    "cross-sell": SaleType.CROSS_SELL,
}
"""The kinds of sale that a Type, in small letters, clearly means."""


def squashed(name: str) -> str:
    """The name by which a field is known, whoever spells it."""
    return name.replace("_", "").lower()


def percent(value: object, name: str) -> Decimal:
    """A percentage as a number from 0 to 1.

    Raises:
        InvalidValueError: It is not from 0 to 100.
    """
    number = exact(float.__repr__(value) if isinstance(value, float) else value, name)
    if not 0 <= number <= 100:
        raise InvalidValueError(name, (f"{brief(value)} is not from 0 to 100",))
    return number.scaleb(-2)


def flag(value: object, name: str) -> bool:
    """A truth, also as the text of one.

    Raises:
        WrongTypeError: It is neither.
    """
    said = {"true": True, "false": False}.get(str(value).lower())
    if said is None:
        raise WrongTypeError(name, "true or false", value)
    return said


def category(value: str | None) -> ForecastCategory | None:
    """The forecast category that an API name or a label means, or None."""
    return _CATEGORIES.get(squashed(value or "").replace(" ", ""))


class Fields:
    """The fields of one row.

    Attributes:
        item: The row.
        names: The row's own spelling of each field, by the name it is known by.
    """

    def __init__(self, item: Item) -> None:
        self.item = item
        self.names: dict[str, str] = {}
        self._values: dict[str, object] = {}
        for name, value in _flat(item, item.given):
            key = squashed(name)
            while key in self.names:  # a second spelling of a field is a field of its own
                key += "_"
            self.names[key] = name
            self._values[key] = value

    def __contains__(self, key: str) -> bool:
        """Whether the row has the field, if only to say that nothing stands there."""
        return key in self._values

    def keys(self) -> tuple[str, ...]:
        """The fields of the row, by the names they are known by."""
        return tuple(self._values)

    def value(self, key: str) -> object:
        """What stands in a field."""
        return self._values.get(key)

    def read(self, key: str, how: Callable[[object, str], T], *, needed: bool = False) -> T | None:
        """What a door makes of a field; None where it is absent or cannot be read."""
        return cell(self.item, self.value(key), self.column(key), how, needed=needed)

    def column(self, key: str) -> str:
        """How the row spells a field."""
        return self.names.get(key, key)

    def identity(self, *keys: str) -> str:
        """The id of the row's record, which stands in the first of some fields that it has."""
        key = next((each for each in keys if each in self), keys[0])
        self.item.identity = self.read(key, CELLS.text, needed=True)
        if self.item.identity is None:
            self.item.refuse(self.column(key), "it has no id", self.value(key))
        return self.item.identity

    def instant(self, key: str) -> datetime | None:
        """An instant, without which, if it cannot be read, the row cannot be used."""
        return self.read(key, CELLS.instant, needed=True)

    def needed_instant(self, key: str) -> datetime:
        """An instant that the row must have."""
        at = self.instant(key)
        if at is None:
            self.item.refuse(self.column(key), "it has no instant", self.value(key))
        return at


def cell(
    item: Item,
    value: object,
    column: str,
    how: Callable[[object, str], T],
    *,
    needed: bool = False,
) -> T | None:
    """What a door makes of a cell; None where it is absent or cannot be read."""

    def door(value: object, name: str) -> T | None:
        held = CELLS.held(value, name)
        return None if held is None else how(held, name)

    return item.read(value, column, door, needed=needed)


def _flat(item: Item, given: Mapping[Any, Any], above: str = "", depth: int = 0) -> Iterator[Any]:
    """Names and values; what stands in an object within the row, under both their names."""
    for name, value in given.items():
        if not isinstance(name, str):
            item.note(brief(name), "the name of a field must be text", value)
        elif name == "attributes" and isinstance(value, Mapping):
            continue  # the type and address of the object, as every REST record has them
        elif squashed(name) not in _PASSED_OVER:
            yield from _flat_value(item, above + str.__str__(name), value, depth)


def _flat_value(item: Item, name: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        inside = _flat(item, cast("Mapping[Any, Any]", value), f"{name}.", depth + 1)
    elif _holds_objects(value):
        inside = _flat_list(item, name, cast("list[object]", value), depth + 1)
    else:
        yield name, value
        return
    if depth < _DEEPEST:
        yield from inside
    else:
        item.note(name, f"it lies more than {_DEEPEST} objects deep", cast("object", value))


def _flat_list(item: Item, name: str, values: list[object], depth: int) -> Iterator[Any]:
    for number, each in enumerate(values):
        yield from _flat_value(item, f"{name}[{number}]", each, depth)


def _holds_objects(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(each, Mapping) for each in cast("list[object]", value))


def says(
    fields: Fields,
    doors: Mapping[str, Door],
    passed: frozenset[str] = frozenset(),
) -> Says:
    """What a row says, by field, beside those that are passed over.

    Args:
        fields: The row.
        doors: By field, what reads it; any other is an attribute.
        passed: The fields that are read by themselves.
    """
    found: Says = {}
    for key in fields.keys():  # noqa: SIM118 - a row with two spellings of a field is no mapping
        if key not in passed and not fields.column(key).startswith("_fivetran"):
            door = doors.get(key, CELLS.attribute)
            found |= said(fields.item, key, fields.value(key), fields.column(key), door)
    return found


def said(item: Item, key: str, value: object, column: str, how: Door) -> Says:
    """What one field says; nothing of it where it cannot be read."""

    def door(value: object, name: str) -> tuple[object]:
        held = CELLS.held(value, name)
        return (None if held is None else how(held, name),)

    if value is None:
        return {key: None}
    read = item.read(value, column, door)
    return {} if read is None else {key: read[0]}


def turned(item: Item, fields: Fields, key: str, how: Door) -> tuple[Says, Says]:
    """What a row of a field history says of its field before and after."""
    before, after = (
        said(item, key, fields.value(each), fields.column(each), how)
        for each in ("oldvalue", "newvalue")
    )
    return before, after


def field_of(fields: Fields, name: str) -> str:
    """The field that a row of a field history is of; of a lookup it has a row for name and id."""
    key = squashed(name)
    values = [value for each in ("oldvalue", "newvalue") if (value := fields.value(each))]
    is_id = key in _LOOKUPS and all(
        isinstance(each, str) and _ID.fullmatch(each) for each in values
    )
    return f"{key}id" if is_id else key


def own_day(day: datetime, begun: datetime | None) -> datetime:
    """The first instant of a day at which a record was there; any other instant as it is."""
    if begun is None or day.time() != datetime.min.time() or day.date() != begun.date():
        return day
    return max(day, begun)


def just_before(at: datetime) -> datetime:
    """The latest instant before another."""
    first = datetime.min.replace(tzinfo=UTC)
    return at if at == first else at - timedelta(microseconds=1)


def money_in(currency: str | None) -> Callable[[object, str], Money]:
    """The door of amounts of a currency."""

    def money(value: object, name: str) -> Money:
        if currency is None:
            raise InvalidValueError(name, ("it has no currency, and none is given",))
        return CELLS.money(value, currency)

    return money
