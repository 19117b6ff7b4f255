"""Hypothesis strategies for conditions, and for facts clean and hostile, shared by tests.

Fields, constants and what stands in the fields are drawn from the same small pools, so that they
meet each other.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType, SimpleNamespace
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from contracts import STRANGE
from salespipeline.attributes import Attributes
from salespipeline.conditions import (
    Facts,
    Move,
    Named,
    Op,
    Test,
    all_of,
    any_of,
)
from salespipeline.errors import InvalidValueError
from salespipeline.money import Money

RECORD_FIELDS = ("amount", "owner", "since", "day", "approvals", "open", "size")
FIELDS = (*RECORD_FIELDS, "attributes.seats", "record.move", "context.seats", "context.team.name")
MOVE_TEXTS = ("move.from", "move.to", "move.by", "move.role")
MOVE_INSTANTS = ("move.at", "move.entered_at")

# Constants, and the values of clean facts: few of each kind, with neighbours and equals

TEXTS = ("", "a", "b", "rep", "manager", "Ä", "🐍", "\uffff")
NUMBERS = (
    0, 1, -1, 2**53, 2**53 + 1, -(10**60) + 1, 10**59, Decimal("0.5"), Decimal("1.5"),
    Decimal("-0.1"), Decimal("1E-60"), Decimal("1.000"), Decimal("1E+3"),
)  # fmt: skip
MONEY = (
    Money(0, "EUR"), Money(5, "EUR"), Money("5.01", "EUR"), Money(5, "USD"), Money(500, "JPY"),
    Money(10**28, "EUR"),
)  # fmt: skip
DATES = (date(2026, 1, 1), date(2026, 1, 2), date(2024, 2, 29), date.min, date.max)
INSTANTS = (
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=UTC),
    datetime(2025, 3, 30, 0, 30, tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
)
DURATIONS = (timedelta(), timedelta(seconds=1), timedelta(days=1), timedelta(999_999_999))
ROLES = ("a", "rep", "manager")


def constants():
    """Constants of any kind."""
    return st.sampled_from((*TEXTS, *NUMBERS, *MONEY, *DATES, *INSTANTS, True, False))


def in_order():
    """Constants that have an order."""
    return st.sampled_from((*TEXTS, *NUMBERS, *MONEY, *DATES, *INSTANTS))


def lists():
    """Several constants of one kind, as ``in`` takes them."""
    pools = st.sampled_from((TEXTS, NUMBERS, DATES))
    return pools.flatmap(lambda pool: st.lists(st.sampled_from(pool), min_size=1, max_size=4))


# Conditions


def fields():
    return st.sampled_from(FIELDS)


@st.composite
def questions(draw, paths=fields()):  # noqa: B008 - strategies never change
    """One question to one field of the record or context, of every operator."""
    path = draw(paths)
    op = draw(st.sampled_from(Op))
    if op in {Op.PRESENT, Op.ABSENT}:
        return Test(path, op)
    if op in {Op.CONTAINS, Op.LACKS}:
        return Test(path, op, draw(st.sampled_from(TEXTS[1:])))
    if op in {Op.ELAPSED, Op.NOT_ELAPSED}:
        return Test(path, op, draw(st.sampled_from(DURATIONS)))
    if op in {Op.IN, Op.NOT_IN}:
        return Test(path, op, draw(lists()))
    return Test(path, op, draw(constants() if op in {Op.EQUALS, Op.NOT_EQUALS} else in_order()))


@st.composite
def questions_of_moves(draw):
    """One question to a field of the move."""
    if draw(st.booleans()):
        op = draw(st.sampled_from((Op.IN, Op.NOT_IN, Op.EQUALS, Op.PRESENT, Op.AT_LEAST)))
        role = st.sampled_from(ROLES)
        several = st.lists(role, min_size=1) if op in {Op.IN, Op.NOT_IN} else role
        value = None if op is Op.PRESENT else draw(several)
        return Test(draw(st.sampled_from(MOVE_TEXTS)), op, value)
    path = draw(st.sampled_from(MOVE_INSTANTS))
    if draw(st.booleans()):
        return Test(
            path, draw(st.sampled_from((Op.LESS, Op.MORE))), draw(st.sampled_from(INSTANTS))
        )
    op = draw(st.sampled_from((Op.ELAPSED, Op.NOT_ELAPSED)))
    return Test(path, op, draw(st.sampled_from(DURATIONS)))


def _raising(_facts, **_):
    raise RuntimeError("no answer to be had")


PREDICATES = MappingProxyType(
    {
        "holds": lambda _facts, **_: True,
        "fails": lambda _facts, **_: False,
        "cannot tell": lambda _facts, **_: None,
        "raises": _raising,
        "says one": lambda _facts, **_: 1,
        "has owner": lambda facts, **_: bool(facts.record.get("owner")),
        "by one of us": lambda facts, **_: facts.move.by in ROLES,
    }
)
"""Pure functions that answer in every way there is."""


def predicates():
    params = st.dictionaries(
        st.sampled_from(("n", "naïve \n", "__class__")),
        st.sampled_from((True, 1, 2**53 - 1, "", "ü")),
        max_size=2,
    )
    known = st.sampled_from((*PREDICATES, "not registered"))
    return st.builds(Named, known, params.map(Attributes), st.booleans())


def leaf_conditions():
    return st.one_of(questions(), questions_of_moves(), predicates())


@st.composite
def _joined(draw, inner):
    """Some conditions met all or any; any, where all is refused as contradictory."""
    parts = draw(st.lists(inner, max_size=4))
    try:
        return draw(st.sampled_from((all_of, any_of)))(*parts)
    except InvalidValueError:
        return any_of(*parts)


def conditions(leaves=None):
    """Conditions of every form, at most 8 deep."""
    single = leaf_conditions() if leaves is None else leaves
    return st.recursive(single, _joined, max_leaves=8).filter(lambda each: _depth(each) <= 7)


def _depth(condition):
    return 1 + max(map(_depth, getattr(condition, "conditions", ())), default=0)


# Facts


def clean_values():
    """Values of exact types, as a record of this library or read from JSON would hold them."""
    texts = st.frozensets(st.sampled_from(TEXTS), max_size=3)
    return st.one_of(constants(), texts, st.none())


class Text(str):
    """Text that compares as it likes."""

    __slots__ = ()

    def __eq__(self, other):
        return True

    def __lt__(self, other):
        return True

    __le__ = __gt__ = __ge__ = __lt__
    __ne__ = __lt__

    def __hash__(self):
        return hash("manager")

    def __str__(self):
        return "manager"


class Role(StrEnum):
    """Roles that are ordered by rank, not as text."""

    MANAGER = "manager"
    REP = "rep"

    def __lt__(self, other):
        return self is Role.REP

    __gt__ = __le__ = __ge__ = __lt__


class Level(IntEnum):
    ONE = 1
    ZERO = 0


class Number(int):
    """A number that compares as it likes."""

    def __eq__(self, other):
        return True

    def __lt__(self, other):
        return True

    __le__ = __gt__ = __ge__ = __ne__ = __lt__

    def __hash__(self):
        return hash(1)

    def __int__(self):
        return 5

    __index__ = __int__


class Exact(Decimal):
    """A decimal that compares as it likes."""

    __slots__ = ()

    def __eq__(self, other):
        return True

    def __ge__(self, other):
        return True

    __le__ = __gt__ = __lt__ = __ne__ = __ge__

    def __hash__(self):
        return hash(1)

    def is_finite(self):
        return True


class Day(date):
    """A date that compares as it likes."""

    def __eq__(self, other):
        return True

    def __ge__(self, other):
        return True

    __le__ = __gt__ = __lt__ = __ne__ = __ge__

    def __hash__(self):
        return hash(DATES[0])


class Yes:
    """What equals, and is more and less than, everything."""

    def __eq__(self, other):
        return True

    def __ge__(self, other):
        return True

    __le__ = __gt__ = __lt__ = __ne__ = __ge__

    def __hash__(self):
        return hash("manager")


class Liar:
    """What says that it is text, and an amount."""

    minor, currency = 500, "EUR"

    @property
    def __class__(self):
        return str


class Raiser:
    """What raises whatever it is asked, its class included."""

    @property
    def __class__(self):
        raise RuntimeError("no class to be had")

    def _refuse(self, *_):
        raise RuntimeError("no answer to be had")

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __getattr__ = _refuse
    __hash__ = None


HOSTILE_VALUES = (
    *STRANGE,
    Text("a"), Text("zz"), Role.MANAGER, Role.REP, Level.ONE, Number(0), Number(1), Exact("NaN"),
    Exact("0.5"), Exact("7"), Day(2026, 1, 1), Yes(), Liar(), Raiser(),
    0.5, 1.5, 1e300, 5e-324, 10**100_000, -(10**100_000), Decimal("1e-999999"), Decimal("-0"),
    datetime(2026, 1, 1),  # noqa: DTZ001 - naive is meant
    datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    datetime(2025, 3, 30, 1, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))),
    datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    frozenset({"manager", 5}), frozenset({Yes()}), frozenset({Text("b")}), {"manager"},
    ["rep", "a"], ["rep", None], ("manager",), frozenset({Role.MANAGER}), "manager",
    SimpleNamespace(name="a"),
)  # fmt: skip
"""Values that look like others, compare as they like, or raise."""


def oddities():
    """Hostile values only; by number, since some of them cannot be printed."""
    return st.integers(0, len(HOSTILE_VALUES) - 1).map(HOSTILE_VALUES.__getitem__)


def hostile_values():
    return st.one_of(oddities(), clean_values())


class Plain:
    """A plain object of an adopter's own."""

    def __init__(self, **fields):
        vars(self).update(fields)


class Getter:
    """What looks its fields up when asked, and raises for one of them."""

    def __init__(self, fields):
        self._fields = fields

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self._fields[name]


class Properties:
    """What raises for one field, and has not got another."""

    def __init__(self, fields):
        self.fields = fields

    @property
    def amount(self):
        raise RuntimeError("no amount to be had")

    @property
    def owner(self):
        raise AttributeError("owner")

    @property
    def since(self):
        return self.fields.get("since")


class Dictionary(dict):
    """A mapping that looks up as it likes."""

    __slots__ = ()

    def get(self, name, default=5):
        return self[name] if name != "amount" else default


SHAPES = (
    dict, MappingProxyType, Dictionary, lambda held: defaultdict(lambda: "a", held),
    lambda held: Plain(**held), lambda held: SimpleNamespace(**held), Getter, Properties,
)  # fmt: skip
"""What records are: mappings and objects."""


def held_fields(values, names=(*RECORD_FIELDS, "move")):
    """Fields by name, some of them missing."""
    return st.dictionaries(st.sampled_from(names), values, max_size=len(names))


@st.composite
def clean_records(draw):
    """A dict, or a plain object, with a mapping of further fields in it."""
    held = draw(held_fields(clean_values()))
    if draw(st.booleans()):
        held["attributes"] = draw(held_fields(clean_values(), ("seats",)))
    return held if draw(st.booleans()) else Plain(**held)


@st.composite
def hostile_records(draw):
    """Records of every shape with anything in their fields, and what is no record at all."""
    held = draw(held_fields(hostile_values()))
    held["attributes"] = draw(
        st.one_of(hostile_values(), held_fields(hostile_values(), ("seats",)))
    )
    return draw(st.sampled_from(SHAPES))(held) if draw(st.integers(0, 9)) else draw(oddities())


@st.composite
def _facts(draw, records, texts, values):
    instants = st.none() | st.sampled_from(INSTANTS)
    team = st.none() | st.fixed_dictionaries({"name": values})
    context = st.fixed_dictionaries({}, optional={"seats": values, "team": team})
    return Facts(
        draw(records),
        Move("a", "b", draw(instants), draw(texts), draw(texts), draw(instants)),
        draw(context),
    )


def clean_facts():
    """Facts as a sound program gives them."""
    return _facts(clean_records(), st.none() | st.sampled_from(ROLES), clean_values())


def hostile_facts():
    """Facts with anything in them but the states and the instants of the move."""
    return _facts(hostile_records(), hostile_values(), hostile_values())
