"""Kinds of values: how each is told apart, in which form it is compared, what schemas say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Context, Decimal, FloatOperation, localcontext
from enum import Enum, IntEnum, StrEnum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)

import attrs
import pytest

from condition_strategies import Day, Exact, Liar, Number, Raiser, Text, Yes
from contracts import STRANGE, check_door
from salespipeline import Contact, Deal
from salespipeline._kinds import (
    TOO_LARGE,
    Kind,
    check_text,
    compare,
    constant,
    field_kind,
    has_half,
    is_short,
    told,
)
from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.money import Money

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Level(IntEnum):
    ONE = 1


class Role(StrEnum):
    REP = "rep"


class Euro(Money):
    pass


class Pair(NamedTuple):
    first: str
    second: str


# Told apart

OF_KIND = [
    (Kind.TEXT, "a", "a"),
    (Kind.TEXT, "", ""),
    (Kind.TEXT, Role.REP, "rep"),
    (Kind.TEXT, Text("x"), "x"),
    (Kind.FLAG, True, True),
    (Kind.FLAG, False, False),
    (Kind.NUMBER, 0, 0),
    (Kind.NUMBER, Level.ONE, 1),
    (Kind.NUMBER, Number(3), 3),
    (Kind.NUMBER, 0.1, Decimal("0.1000000000000000055511151231257827021181583404541015625")),
    (Kind.NUMBER, Decimal("1.50"), Decimal("1.5")),
    (Kind.NUMBER, Exact("2.5"), Decimal("2.5")),
    (Kind.NUMBER, 10**59, 10**59),
    (Kind.NUMBER, 10**4000, TOO_LARGE),
    (Kind.NUMBER, -(10**4000), -TOO_LARGE),
    (Kind.MONEY, Money(5, "EUR"), Money(5, "EUR")),
    (Kind.DATE, date(2026, 1, 1), date(2026, 1, 1)),
    (Kind.DATE, Day(2026, 1, 2), date(2026, 1, 2)),
    (Kind.INSTANT, AT, AT),
    (Kind.INSTANT, datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), AT),
    (Kind.TEXTS, frozenset({"a"}), frozenset({"a"})),
    (Kind.TEXTS, ["a", "a"], frozenset({"a"})),
    (Kind.TEXTS, {"a", Role.REP}, frozenset({"a", "rep"})),
    (Kind.TEXTS, frozenset({Text("x")}), frozenset({"x"})),
    (Kind.TEXTS, Pair("a", "b"), frozenset({"a", "b"})),
    (Kind.TEXTS, (), frozenset()),
]


@pytest.mark.parametrize(("kind", "value", "form"), OF_KIND)
def test_a_value_of_a_kind_has_one_form_of_an_exact_type(kind, value, form):
    held = told(kind, value)
    assert form == held
    assert type(held) is type(form)
    if kind is Kind.TEXTS:
        assert {type(each) for each in held} <= {str}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.TEXT, b"a"),
        (Kind.TEXT, 5),
        (Kind.FLAG, 1),
        (Kind.FLAG, "true"),
        (Kind.NUMBER, True),
        (Kind.NUMBER, "5"),
        (Kind.NUMBER, float("nan")),
        (Kind.NUMBER, float("inf")),
        (Kind.NUMBER, Decimal("NaN")),
        (Kind.NUMBER, Decimal("sNaN")),
        (Kind.NUMBER, Decimal("-Infinity")),
        (Kind.NUMBER, Exact("NaN")),
        (Kind.NUMBER, 5j),
        (Kind.MONEY, 5),
        (Kind.MONEY, Decimal(5)),
        (Kind.DATE, AT),
        (Kind.DATE, "2026-01-01"),
        (Kind.INSTANT, date(2026, 1, 1)),
        (Kind.INSTANT, datetime(2026, 1, 1)),  # noqa: DTZ001 - naive is meant
        (Kind.INSTANT, datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))),
        (Kind.TEXTS, "ab"),
        (Kind.TEXTS, ["a", 5]),
        (Kind.TEXTS, frozenset({"a", None})),
        (Kind.TEXTS, frozenset({Yes()})),
        (Kind.TEXTS, {"a": 1}),
        (Kind.TEXTS, iter(["a"])),
    ],
)
def test_a_value_of_another_kind_is_told_by_none(kind, value):
    assert told(kind, value) is None


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.ANY])
def test_what_only_says_that_it_is_of_a_kind_is_of_none(kind):
    for value in (None, Liar(), Raiser(), Yes(), object(), str, len):
        assert told(kind, value) is None


def test_a_value_is_of_one_kind_only():
    single = [kind for kind in Kind if kind is not Kind.ANY]
    for _, value, _ in OF_KIND:
        assert len([kind for kind in single if told(kind, value) is not None]) == 1


def test_a_float_is_told_whatever_the_decimal_context_traps():
    with localcontext(Context(prec=1, Emax=1, Emin=-1, traps=[FloatOperation])):
        assert str(told(Kind.NUMBER, 0.1)).startswith("0.1000000000000000055511151231257827021")
        assert told(Kind.NUMBER, 123456.0) == 123456


# Constants


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("a", (Kind.TEXT, "a")),
        (Role.REP, (Kind.TEXT, "rep")),
        (True, (Kind.FLAG, True)),
        (5, (Kind.NUMBER, 5)),
        (Level.ONE, (Kind.NUMBER, 1)),
        (10**60 - 1, (Kind.NUMBER, 10**60 - 1)),
        (1 - 10**60, (Kind.NUMBER, 1 - 10**60)),
        (2**53 + 1, (Kind.NUMBER, 2**53 + 1)),
        (Decimal("1.500"), (Kind.NUMBER, Decimal("1.5"))),
        (Decimal("1E+3"), (Kind.NUMBER, 1000)),
        (Decimal("2.00"), (Kind.NUMBER, 2)),
        (Decimal("-0.0"), (Kind.NUMBER, 0)),
        (Decimal("1E-60"), (Kind.NUMBER, Decimal("1E-60"))),
        (Euro(5, "EUR"), (Kind.MONEY, Money(5, "EUR"))),
        (Day(2026, 1, 1), (Kind.DATE, date(2026, 1, 1))),
        (AT.astimezone(timezone(timedelta(hours=3))), (Kind.INSTANT, AT)),
    ],
)
def test_a_constant_is_held_in_one_form_whatever_it_was_written_as(value, held):
    kind, form = constant(value)
    assert (kind, form) == held
    assert type(form) is type(held[1])


def test_a_whole_decimal_is_held_as_an_int():
    assert repr(constant(Decimal("1E+59"))[1]) == "1" + "0" * 59
    assert repr(constant(Decimal("1.50"))[1]) == "Decimal('1.5')"


def test_what_can_be_no_constant_is_refused():
    fine = (True, False, 0, -1, 7, "", " ", "\x00", "2026-01-01")
    typed = [(type(each), each) for each in fine]
    check_door(constant, takes=lambda value: (type(value), value) in typed)


@pytest.mark.parametrize(
    "value",
    [
        10**60,
        -(10**60),
        Decimal("1E+60"),
        Decimal("1E-61"),
        Decimal("0E+999999"),
        Decimal("9." + "9" * 40 + "E+999999"),
    ],
)
def test_a_number_too_long_to_be_meant_is_refused(value):
    with pytest.raises(WrongTypeError, match="a number of at most 60 digits before and after"):
        constant(value)


def test_text_is_of_at_most_a_thousand_whole_characters():
    assert check_text("🐍" * 1000, "name") == "🐍" * 1000
    assert type(check_text(Role.REP, "name")) is str
    for value in ("a" * 1001, "\ud800", "a\udfff", 5, None, b"a"):
        with pytest.raises(WrongTypeError, match="text of at most 1,000 whole characters"):
            check_text(value, "name")


def test_half_a_character_is_found():
    assert not has_half("naïve 🐍 \uffff")
    assert has_half("\udc00")


def test_a_short_number_takes_few_digits_to_write_out():
    short = (0, 10**60 - 1, Decimal("1E+59"), Decimal("1E-60"), Decimal("-0.5"))
    long = (10**60, -(10**60), Decimal("1E+60"), Decimal("1E-61"), Decimal("NaN"), Decimal("-Inf"))
    assert [is_short(each) for each in (*short, *long)] == [True] * 5 + [False] * 6


def test_money_of_two_currencies_cannot_be_compared():
    euro, yen = Money(5, "EUR"), Money(500, "JPY")
    for op in ("equals", "not_equals", "less", "at_most", "more", "at_least"):
        assert compare(Kind.MONEY, op, euro, yen) is None
    assert compare(Kind.MONEY, "less", euro, Money("5.01", "EUR")) is True
    assert compare(Kind.MONEY, "not_equals", euro, Money(5, "EUR")) is False


def test_a_value_is_in_a_list_or_is_a_list_that_holds_one():
    several, held = (1, 2), frozenset({"a"})
    for op, no, value, other in (
        ("in", "not_in", 1, several),
        ("contains", "lacks", held, "a"),
    ):
        assert compare(Kind.NUMBER, op, value, other) is True
        assert compare(Kind.NUMBER, no, value, other) is False
    assert compare(Kind.NUMBER, "not_in", 3, several) is True
    assert compare(Kind.TEXTS, "lacks", held, "b") is True


def test_text_compares_by_code_point():
    assert compare(Kind.TEXT, "less", "Z", "a")
    assert compare(Kind.TEXT, "more", "é", "z")
    assert compare(Kind.TEXT, "less", "\uffff", "🐍")


# Schemas

T = TypeVar("T")
Id = NewType("Id", str)

if TYPE_CHECKING:
    from nowhere import Unheard  # what cannot be read when the program runs


class Company(TypedDict):
    name: str
    size: NotRequired[int]


class Colour(Enum):
    RED = 1


class Column:
    """What a framework puts on a class in place of a field."""

    def __get__(self, instance, owner):
        return self


@dataclass(kw_only=True)
class Parent:
    owner: Id | None


@dataclass(kw_only=True)
class Record(Parent):
    amount: Optional[Money] = None  # noqa: UP045 - both spellings are known
    seats: int | Decimal | None = None
    either: int | str = 0
    open: bool = True
    day: date
    at: datetime
    ratio: float = 0.0
    roles: frozenset[Role] = frozenset()
    tags: list[str] = field(default_factory=list)
    pair: tuple[str, str] = ("a", "b")
    mixed: tuple[str, int] = ("a", 1)
    row: Pair
    company: Company
    extra: dict[str, int] = field(default_factory=dict)
    attributes: Mapping[str, object]
    noted: Annotated[int, "positive"] = 1
    anything: Any = None
    colour: Colour = Colour.RED

    column = Column()

    @property
    def size(self) -> int:
        return 1

    @property
    def shape(self):
        return None

    @property
    def unheard(self) -> "Unheard":
        return None

    def method(self) -> int:
        return 1

    @staticmethod
    def maker() -> int:
        return 1

    class Inner:
        pass


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("owner", Kind.TEXT),
        ("amount", Kind.MONEY),
        ("amount.currency", Kind.TEXT),
        ("amount.minor", Kind.NUMBER),
        ("seats", Kind.NUMBER),
        ("either", Kind.ANY),
        ("open", Kind.FLAG),
        ("day", Kind.DATE),
        ("at", Kind.INSTANT),
        ("ratio", Kind.NUMBER),
        ("roles", Kind.TEXTS),
        ("tags", Kind.TEXTS),
        ("pair", Kind.TEXTS),
        ("mixed", Kind.ANY),
        ("row.first", Kind.TEXT),
        ("row.third", None),
        ("company", Kind.ANY),
        ("company.name", Kind.TEXT),
        ("company.size", Kind.NUMBER),
        ("company.rank", None),
        ("extra.x.y", Kind.ANY),
        ("attributes.seats", Kind.ANY),
        ("noted", Kind.NUMBER),
        ("anything.at.all", Kind.ANY),
        ("colour", Kind.ANY),
        ("column", Kind.ANY),
        ("size", Kind.NUMBER),
        ("shape", Kind.ANY),
        ("unheard", Kind.ANY),
        ("method", None),
        ("maker", None),
        ("Inner", None),
        ("unknown", None),
        ("owner.name", None),
        ("day.year.x", None),
    ],
)
def test_a_class_with_annotations_says_the_kind_of_each_field(path, kind):
    assert field_kind(Record, tuple(path.split("."))) is kind


def test_attrs_classes_and_generic_ones_are_read_too():
    @attrs.define
    class Box(Generic[T]):
        label: str
        content: T

    assert field_kind(Box, ("label",)) is Kind.TEXT
    assert field_kind(Box[int], ("label",)) is Kind.TEXT
    assert field_kind(Box[int], ("content",)) is Kind.ANY
    assert field_kind(Box[int], ("other",)) is None


def test_our_own_records_are_schemas():
    assert field_kind(Deal, ("amount",)) is Kind.MONEY
    assert field_kind(Deal, ("approvals",)) is Kind.TEXTS
    assert field_kind(Deal, ("attributes", "seats")) is Kind.ANY
    assert field_kind(Deal, ("amuont",)) is None
    assert field_kind(Contact, ("lifecycle_stage",)) is Kind.TEXT
    assert field_kind(Contact, ("created_at",)) is Kind.INSTANT


def test_annotations_that_cannot_be_read_still_name_their_fields():
    class Late:
        amount: "Unheard"
        name: str

    assert field_kind(Late, ("amount",)) is Kind.ANY
    assert field_kind(Late, ("name",)) is Kind.ANY
    assert field_kind(Late, ("amuont",)) is None


def test_a_class_without_annotations_may_have_any_field():
    class Bare:
        currency = "EUR"

        def __init__(self):
            self.amount = 5

        @property
        def size(self) -> int:
            return 1

    assert field_kind(Bare, ("amount",)) is Kind.ANY
    assert field_kind(Bare, ("size",)) is Kind.ANY


def test_a_mapping_names_types_or_kinds():
    schema = {"amount": Money, "seats": "number", "at": Kind.INSTANT, "company": {"name": str}}
    assert field_kind(schema, ("amount",)) is Kind.MONEY
    assert field_kind(schema, ("seats",)) is Kind.NUMBER
    assert field_kind(schema, ("at",)) is Kind.INSTANT
    assert field_kind(schema, ("company", "name")) is Kind.TEXT
    assert field_kind(schema, ("company", "size")) is None
    assert field_kind(schema, ("seats", "x")) is None
    assert field_kind(schema, ("amuont",)) is None


def test_a_kind_that_is_none_is_refused():
    with pytest.raises(UnknownKeyError, match="unknown kind: 'numbr'; known: 'any', 'text'"):
        field_kind({"seats": "numbr"}, ("seats",))


def test_any_type_at_all_may_stand_in_a_schema():
    for strange in STRANGE:
        if not isinstance(strange, str):
            assert field_kind({"x": strange}, ("x",)) is Kind.ANY
    assert field_kind({"x": Annotated[Optional[int], "noted"]}, ("x",)) is Kind.NUMBER  # noqa: UP045
    for type_ in (None, type(None), T, list, list[int], set[Any], bytes, object, Any):
        assert field_kind({"x": type_}, ("x",)) is Kind.ANY
