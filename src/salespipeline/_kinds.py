"""The kinds of values that conditions compare: how each is told apart, and compared."""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import FunctionType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    NewType,
    TypeAlias,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from salespipeline._doors import choice
from salespipeline.errors import SalesPipelineError, WrongTypeError
from salespipeline.money import Money
from salespipeline.periods import utc

LONGEST_TEXT = 1000
LONGEST_NUMBER = 60
TOO_LARGE: int = 10**LONGEST_NUMBER
"""The least number that is larger than every constant."""

Comparison: TypeAlias = Callable[[Any, Any], bool]


class Kind(StrEnum):
    """What kind of value a field holds."""

    ANY = "any"
    TEXT = "text"
    FLAG = "flag"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    INSTANT = "instant"
    TEXTS = "texts"


_KINDS: Mapping[type, Kind] = {
    bool: Kind.FLAG,
    str: Kind.TEXT,
    int: Kind.NUMBER,
    Decimal: Kind.NUMBER,
    float: Kind.NUMBER,
    Money: Kind.MONEY,
    datetime: Kind.INSTANT,
    date: Kind.DATE,
}
"""The kind of a value is that of the first of these types that it is of."""

_SEVERAL = (frozenset, set, tuple, list)


def _kind_of_type(type_: type) -> Kind | None:
    """The kind of the single values of a type; None where they have none."""
    exact = _KINDS.get(type_)
    return exact or next((kind for each, kind in _KINDS.items() if issubclass(type_, each)), None)


# Values in the one form that is compared. What says of itself that it is of another type is not
# believed: the type of a value is `type(value)`.


def told_text(value: Any) -> str | None:
    """Text as a plain `str`; None for anything else."""
    if type(value) is str:
        return value
    return str.__str__(value) if issubclass(type(value), str) else None


def told_number(value: Any) -> int | Decimal | None:
    """An exact number, a finite float included; None for anything else, a bool included.

    A whole number that is larger than every constant is cut to the least such number: it compares
    the same, and never takes long.
    """
    type_ = cast("type[object]", type(value))
    if issubclass(type_, int):
        number = int.__int__(value)
        return None if type_ is bool else max(-TOO_LARGE, min(number, TOO_LARGE))
    if issubclass(type_, float):
        value = Decimal.from_float(value)  # noqa: FURB164 - the other way heeds the context's traps
    elif not issubclass(type_, Decimal):
        return None
    exact = Decimal(value)
    return exact if exact.is_finite() else None


def told_money(value: Any) -> Money | None:
    """An amount of one currency; None for anything else."""
    return value if issubclass(type(value), Money) else None


def told_date(value: Any) -> date | None:
    """A day as a plain `date`; None for anything else, an instant included."""
    if type(value) is date:
        return value
    if not issubclass(type(value), date) or issubclass(type(value), datetime):
        return None
    return date.fromordinal(date.toordinal(value))


def told_instant(value: Any) -> datetime | None:
    """An instant as a plain `datetime` in UTC; None for anything else, a naive one included."""
    try:
        return utc(value) if issubclass(type(value), datetime) else None
    except SalesPipelineError:
        return None


def told_texts(value: Any) -> frozenset[str] | None:
    """Several texts; None for anything else, and where one of them is no text."""
    several: Iterable[Any] = value if issubclass(type(value), _SEVERAL) else (None,)
    if type(value) is frozenset:
        for each in several:
            if type(each) is not str:
                break
        else:
            return cast("frozenset[str]", value)
    texts = [told_text(each) for each in several]
    return None if None in texts else frozenset(cast("list[str]", texts))


def _told_flag(value: Any) -> bool | None:
    return value if type(value) is bool else None


_TOLD: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: told_text,
    Kind.FLAG: _told_flag,
    Kind.NUMBER: told_number,
    Kind.MONEY: told_money,
    Kind.DATE: told_date,
    Kind.INSTANT: told_instant,
    Kind.TEXTS: told_texts,
}


def told(kind: Kind, value: object) -> Any:
    """A value of a kind in the one form that is compared; None where it is of another kind.

    Nothing is coerced: a bool is no number, a datetime no date, a naive one no instant.
    """
    return _TOLD[kind](value)


def constant(value: object) -> tuple[Kind, Any]:
    """A constant in the form that is compared, with its kind.

    Raises:
        WrongTypeError: It is of no kind, a float, or too long to be meant.
    """
    kind = None if issubclass(type(value), float) else _kind_of_type(type(value))
    held = None if kind is None else told(kind, value)
    if kind is None or held is None:
        expected = "text, a bool, an exact number, Money, a date or an instant with a zone"
        raise WrongTypeError("value", expected, value)
    if kind is Kind.TEXT:
        check_text(held, "value")
    if kind is Kind.NUMBER:
        return kind, _shortest(held, value)
    return kind, Money.of_minor(held.minor, held.currency) if kind is Kind.MONEY else held


def _shortest(number: int | Decimal, value: object) -> int | Decimal:
    """A number without zeros at its end, as an int where it is whole."""
    if not is_short(number):
        expected = f"a number of at most {LONGEST_NUMBER} digits before and after the point"
        raise WrongTypeError("value", expected, value)
    if isinstance(number, int) or number == int(number):
        return int(number)
    return Decimal(f"{number:f}".rstrip("0"))


def is_short(number: int | Decimal) -> bool:
    """Whether a number takes few digits to write out in full."""
    if isinstance(number, int):
        return -TOO_LARGE < number < TOO_LARGE
    last = cast("int", number.as_tuple().exponent) if number.is_finite() else TOO_LARGE
    return bool(-LONGEST_NUMBER <= last <= number.adjusted() < LONGEST_NUMBER)


def check_text(value: object, name: str) -> str:
    """Text that any encoding can write, as a plain `str`.

    Raises:
        WrongTypeError: It is no text, too long, or holds half of a character.
    """
    held = told_text(value)
    if held is None or len(held) > LONGEST_TEXT or has_half(held):
        raise WrongTypeError(name, f"text of at most {LONGEST_TEXT:,} whole characters", value)
    return held


def has_half(value: str) -> bool:
    """Whether text holds a surrogate, half of a character, which no encoding can write."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


# How values of one kind are compared


def _is_in(value: Any, several: Any) -> bool:
    return value in several


def _is_not_in(value: Any, several: Any) -> bool:
    return value not in several


def _lacks(several: Any, value: Any) -> bool:
    return value not in several


COMPARED: Mapping[str, Comparison] = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "less": operator.lt,
    "at_most": operator.le,
    "more": operator.gt,
    "at_least": operator.ge,
    "in": _is_in,
    "not_in": _is_not_in,
    "contains": operator.contains,
    "lacks": _lacks,
}
"""What each operator asks of a value and its constant, all but those of presence and time."""


def compare(kind: Kind, op: str, value: Any, other: Any) -> bool | None:
    """What an operator says of a value of a kind; None for money of two currencies."""
    if kind is not Kind.MONEY:
        return COMPARED[op](value, other)
    return COMPARED[op](value.minor, other.minor) if value.currency == other.currency else None


# What a schema says of the kinds of fields

Schema: TypeAlias = type | Mapping[str, Any] | Kind | str
"""What a record holds: a class with annotated fields, or a mapping of names to types or kinds."""


def field_kind(schema: Any, segments: tuple[str, ...]) -> Kind | None:
    """The kind of the field that a path names in a schema; None where there is no such field.

    Raises:
        UnknownKeyError: The schema names a kind that is none.
    """
    bare = _bare(schema)
    kind = _kind_of_schema(bare)
    if kind is Kind.ANY or not segments:
        return kind or Kind.ANY
    names = _fields(bare)
    return field_kind(names[segments[0]], segments[1:]) if segments[0] in names else None


def _bare(schema: Any) -> Any:
    """A type without what is wrapped about it: None as an alternative, notes, a name of its own."""
    if isinstance(schema, NewType):
        return _bare(schema.__supertype__)
    if get_origin(schema) is Annotated:
        return _bare(get_args(schema)[0])
    if get_origin(schema) not in {Union, UnionType}:
        return schema
    members = [_bare(each) for each in get_args(schema) if each is not NoneType]
    kinds = {_kind_of_schema(each) for each in members}
    alike = len(members) == 1 or (len(kinds) == 1 and None not in kinds)
    return members[0] if alike else Any


def _kind_of_schema(schema: Any) -> Kind | None:
    """The kind of the values of a type; None where it is a class or mapping with fields."""
    if isinstance(schema, str):
        return choice(Kind, schema, "kind")
    if isinstance(schema, Mapping):
        return None
    type_: Any = get_origin(schema) or schema
    members = [each for each in get_args(schema) if each is not ...]
    if not isinstance(type_, type) or _is_open(type_):
        return Kind.ANY
    if members and issubclass(type_, _SEVERAL):
        texts = all(_kind_of_schema(_bare(each)) is Kind.TEXT for each in members)
        return Kind.TEXTS if texts else Kind.ANY
    kind = _kind_of_type(type_)
    return kind if kind is not None or _fields(type_) else Kind.ANY


def _is_open(type_: type) -> bool:
    """Whether it is a mapping type, which may hold anything under any name."""
    return issubclass(type_, Mapping) and not is_typeddict(cast("object", type_))


def _fields(schema: Any) -> Mapping[str, Any]:
    """The fields of a plain schema, or of a class with annotations, each with its type.

    A class without annotations has none: nobody can say which fields its instances have. One with
    has its other attributes too, such as the columns that a framework adds.
    """
    if isinstance(schema, Mapping):
        return cast("Mapping[str, Any]", schema)
    type_: Any = get_origin(schema) or schema
    annotated = _annotated(type_) if isinstance(type_, type) else {}
    return {**_attributes(type_), **annotated} if annotated else {}


def _annotated(class_: type) -> dict[str, Any]:
    """The annotated fields of a class, of any type where their types cannot be told."""
    try:
        return get_type_hints(class_)
    except Exception:  # noqa: BLE001 - annotations may be anyone's code, and name what is not there
        known = [vars(each).get("__annotations__", {}) for each in class_.__mro__]
        return {name: Any for each in known for name in each}


def _attributes(class_: type) -> dict[str, Any]:
    """The attributes of a class but its methods and classes; a property with its type."""
    return {
        name: _given(value)
        for each in reversed(class_.__mro__)
        for name, value in vars(each).items()
        if not isinstance(value, FunctionType | classmethod | staticmethod | type)
    }


def _given(attribute: object) -> Any:
    """The type that a property is annotated to give."""
    try:
        getter = attribute.fget if isinstance(attribute, property) else None
        return get_type_hints(getter).get("return", Any) if getter else Any
    except Exception:  # noqa: BLE001 - annotations may be anyone's code, and name what is not there
        return Any
