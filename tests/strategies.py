"""Hypothesis strategies for the measures and the rules, written by hand and shared by tests."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from attrs import evolve
from hypothesis import strategies as st

from salespipeline.attributes import Attributes
from salespipeline.conditions import Op, Test, all_of, any_of, named, not_
from salespipeline.errors import InvalidValueError
from salespipeline.lifecycle import LifecycleStage, Status, StatusKind, StatusScheme
from salespipeline.money import MINOR_UNITS, Money
from salespipeline.periods import Period
from salespipeline.pipelines import Journey, Outcome, Pipeline, Stage
from salespipeline.rules import Grant, Rule, Rulebook, Way

ZONES = (
    UTC,
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/Sao_Paulo"),
    ZoneInfo("America/New_York"),
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("Pacific/Auckland"),
    ZoneInfo("Australia/Lord_Howe"),
    timezone(timedelta(hours=-11, minutes=-30)),
    timezone(timedelta(hours=14)),
)

FIRST, LAST = datetime(2000, 1, 1), datetime(2050, 12, 31)  # noqa: DTZ001 - given a zone below


def zones():
    return st.sampled_from(ZONES)


def instants():
    """Datetimes with a zone, from 2000 to 2050."""
    return st.datetimes(FIRST, LAST, timezones=zones())


def days():
    return st.dates(FIRST.date(), LAST.date())


@st.composite
def periods(draw):
    start = draw(instants())
    length = draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=800)))
    return Period(start, start.astimezone(UTC) + length)


def currencies():
    """Codes with none, two, three and four decimal places."""
    return st.sampled_from(["EUR", "USD", "GBP", *MINOR_UNITS])


def money(currency=None):
    """Amounts, also negative and zero, of any currency or of one."""
    codes = currencies() if currency is None else st.just(currency)
    return st.builds(Money.of_minor, st.integers(-(10**12), 10**12), codes)


def names():
    """Short keys, few enough to meet each other."""
    return st.text("abcé ", min_size=1, max_size=4)


def values():
    """What an attribute may hold, in its stored form."""
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        days(),
        instants().map(lambda at: at.astimezone(UTC)),
        money(),
    )
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)


def attributes():
    return st.dictionaries(names(), values(), max_size=4).map(Attributes)


def levels():
    """Levels of confidence, from even odds to near certainty."""
    return st.floats(0.5, 0.9999)


@st.composite
def counts(draw):
    """How many succeeded, of how many trials."""
    trials = draw(st.integers(1, 100_000))
    return draw(st.integers(0, trials)), trials


def states():
    return st.lists(names(), min_size=1, max_size=6, unique=True)


@st.composite
def forward_books(draw):
    ordered = draw(states())
    some = st.sets(st.sampled_from(ordered))
    return Rulebook.forward(
        "forward", ordered, skips=draw(st.booleans()), creation=draw(some), final=draw(some)
    )


@st.composite
def free_books(draw):
    ordered = draw(states())
    some = st.sets(st.sampled_from(ordered))
    return Rulebook.free("free", ordered, creation=draw(some), final=draw(some))


@st.composite
def explicit_books(draw):
    ordered = draw(states())
    some = st.sets(st.sampled_from(ordered))
    moves = {state: draw(some) - {state} for state in ordered}
    return Rulebook.explicit("explicit", moves, creation=draw(some))


def rulebooks():
    """Small rulebooks of every course over text states."""
    return st.one_of(forward_books(), free_books(), explicit_books())


@st.composite
def books_with_move(draw, books=None):
    """A rulebook with a source and a target, most often states of its own."""
    book = draw(rulebooks() if books is None else books)
    own = st.sampled_from(book.states)
    return book, draw(own | st.none() | names()), draw(own | names())


@st.composite
def books_with_states(draw, books=None):
    """A rulebook with two of its states, which may be the same."""
    book = draw(rulebooks() if books is None else books)
    own = st.sampled_from(book.states)
    return book, draw(own), draw(own)


TESTS = (
    ("amount", Op.PRESENT, None),
    ("amount", Op.LESS, 5),
    ("amount", Op.AT_LEAST, 3),
    ("owner", Op.PRESENT, None),
    ("owner", Op.ABSENT, None),
    ("owner", Op.EQUALS, "ada"),
    ("owner", Op.IN, ("ada", "bob")),
    ("approvals", Op.CONTAINS, "boss"),
    ("move.role", Op.IN, ("sales", "manager")),
    ("move.to", Op.NOT_EQUALS, "a"),
    ("move.entered_at", Op.ELAPSED, timedelta(days=2)),
    ("context.quarter_end", Op.EQUALS, True),
)
"""Questions, few enough to meet each other: a field, what is asked of it, and a constant."""

PREDICATES = {
    "says yes": lambda _: True,
    "says no": lambda _: False,
    "cannot tell": lambda _: None,
    "raises": lambda _: 1 // 0,
}
"""Predicates of every kind of answer."""


def plain_conditions():
    """Conditions as nested tuples, for a test that has an evaluator of its own."""
    asked = st.sampled_from(TESTS).map(lambda test: ("test", *test))
    calls = st.sampled_from(sorted(PREDICATES)).map(lambda name: ("named", name))
    return st.recursive(
        asked | asked | calls,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["all", "any"]), st.lists(inner, max_size=3).map(tuple)),
            inner.map(lambda each: ("not", each)),
        ),
        max_leaves=5,
    )


def condition_of(plain):
    """The condition that nested tuples stand for; None where it contradicts itself."""
    kind, *rest = plain
    if kind == "test":
        return Test(*rest)
    if kind == "named":
        return named(*rest)
    if kind == "not":
        inner = condition_of(rest[0])
        made = [inner]
    else:
        made = [condition_of(each) for each in rest[0]]
    if None in made:
        return None
    try:
        return not_(made[0]) if kind == "not" else {"all": all_of, "any": any_of}[kind](*made)
    except InvalidValueError:
        return None


@st.composite
def plain_rules(draw, states, number):
    """A rule as a dict of what makes it, its condition as nested tuples."""
    own = st.sampled_from(states)
    way = draw(st.sampled_from([Way.ANY, Way.ANY, *Way]))
    targets = st.lists(own, max_size=4)
    if way is Way.SKIP:
        targets = targets.filter(lambda named: len({*named}) != 1)
    return {
        "name": f"rule {number}",
        "plain": draw(plain_conditions().filter(lambda each: condition_of(each) is not None)),
        "sources": draw(st.none() | st.lists(own | st.none(), max_size=4)),
        "targets": draw(st.none() | targets),
        "way": way,
        "message": draw(st.sampled_from(["", "not like that"])),
    }


def rule_of(plain):
    """The rule that a dict stands for."""
    given = {name: value for name, value in plain.items() if name != "plain"}
    return Rule(condition=condition_of(plain["plain"]), **given)


@st.composite
def plain_rulebooks(draw, books=None):
    """A rulebook with the dicts that its rules were made from."""
    bare = draw(rulebooks() if books is None else books)
    rules = [draw(plain_rules(bare.states, n)) for n in range(draw(st.integers(0, 3)))]
    over = st.sampled_from([*(rule["name"] for rule in rules), "backward", "final", "skip"])
    rights = draw(st.dictionaries(st.sampled_from(["boss", "clerk"]), st.sets(over, min_size=1)))
    book = evolve(
        bare,
        rules=tuple(map(rule_of, rules)),
        grants=tuple(Grant(role, allowed) for role, allowed in rights.items()),
        predicates=PREDICATES,
    )
    return book, rules


def ruled_books():
    """Small rulebooks with rules, grants and predicates."""
    return plain_rulebooks().map(lambda pair: pair[0])


def asked_facts():
    """What a rulebook of these strategies is asked by: a dict record, and keyword arguments."""
    missing = object()
    record = {
        "amount": st.sampled_from([missing, None, 1, 3, 5, True, "3"]),
        "owner": st.sampled_from([missing, None, "ada", "bob", "cyd", 7]),
        "approvals": st.sampled_from([missing, (), ["boss"], frozenset({"boss", "cfo"}), "boss"]),
    }
    told = {
        "at": st.none() | instants(),
        "by": st.sampled_from([None, "ada"]),
        "role": st.sampled_from([None, "sales", "clerk"]),
        "entered_at": st.none() | instants(),
        "context": st.sampled_from([{}, {"quarter_end": True}, {"quarter_end": False}]),
    }
    present = st.fixed_dictionaries(record).map(
        lambda known: {name: each for name, each in known.items() if each is not missing}
    )
    return st.tuples(present, st.fixed_dictionaries(told))


@st.composite
def status_schemes(draw):
    keys = draw(states())
    kinds = st.sampled_from([kind for kind in StatusKind if kind is not StatusKind.INITIAL])
    statuses = [Status(keys[0], kind=StatusKind.INITIAL)]
    statuses += [
        Status(key, draw(st.text(max_size=5)), draw(kinds), parked=draw(st.booleans()))
        for key in keys[1:]
    ]
    active = draw(st.sets(st.sampled_from(LifecycleStage), min_size=1))
    former = draw(st.dictionaries(st.text("xyz", min_size=1), st.sampled_from(keys), max_size=2))
    return StatusScheme("drawn", draw(st.permutations(statuses)), active, former)


def probabilities():
    return st.none() | st.decimals(Decimal(0), Decimal(1), places=3)


@st.composite
def stages(draw, key, outcome):
    return Stage(
        key,
        outcome=outcome,
        probability=draw(probabilities()),
        rot_after=draw(st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=90))),
        parked=draw(st.booleans()),
        journey=draw(st.none() | st.sampled_from(Journey)),
    )


@st.composite
def pipelines(draw):
    """Pipelines with at least one open stage, and any number of won and lost ones."""
    keys = draw(states())
    outcomes = [Outcome.OPEN, *(draw(st.sampled_from(Outcome)) for _ in keys[1:])]
    drawn = [
        draw(stages(key, outcome))
        for key, outcome in zip(keys, draw(st.permutations(outcomes)), strict=True)
    ]
    former = draw(st.dictionaries(st.text("xyz", min_size=1), st.sampled_from(keys), max_size=2))
    return Pipeline("drawn", drawn, former=former)


def month_starts():
    return st.builds(date, st.integers(2000, 2050), st.integers(1, 12), st.just(1))
