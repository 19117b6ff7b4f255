import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from contracts import STRANGE, Unprintable
from salespipeline.connectors.table import read_contacts, read_deals
from salespipeline.errors import InvalidValueError
from salespipeline.events import LifecycleStageSet, Start
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage
from strategies import instants, money

SHORT = Pipeline(
    "short", [Stage("talk"), Stage("offer"), Stage("won", outcome="won")], former={"call": "talk"}
)
FIELDS = ("stage", "amount", "currency", "owner", "source")
DEAL_RECORDS = {
    "record": "deal",
    "zone": "Europe/Berlin",
    "currency": "EUR",
    "columns": {
        name: name for name in ("id", *FIELDS, "opened", "closed", "sale_type", "expected_close")
    },
    "entered": {"talk": "talk on", "offer": "offer on", "won": "won on"},
    "attributes": {"extra": "extra"},
    "absent": ["n/a"],
    "values": {"stage": {"Talk": "talk", "none": ""}},
}
DEAL_EVENTS = {
    "record": "deal",
    "shape": "events",
    "zone": "UTC",
    "currency": "EUR",
    "system": "crm",
    "columns": {
        name: name
        for name in ("id", *FIELDS, "at", "by", "recorded_at", "event_id", "activity", "sequence")
    },
    "attributes": {"extra": "extra"},
}
CONTACT_RECORDS = {
    "record": "contact",
    "zone": "UTC",
    "columns": {name: name for name in ("id", "created", "stage", "lead_status", "owner", "email")},
    "entered": {"lead": "talk on", "customer": "won on"},
    "attributes": {"extra": "extra"},
}
CONTACT_EVENTS = {
    "record": "contact",
    "shape": "events",
    "zone": "UTC",
    "columns": {name: name for name in ("id", "at", "stage", "lead_status", "owner", "activity")},
}
STAMPS = ("by", "recorded_at", "event_id")
DEAL_STAYS = {
    "record": "deal",
    "shape": "stays",
    "zone": "Europe/Berlin",
    "currency": "EUR",
    "system": "crm",
    "open_ends": ["n/a", date(2030, 1, 1)],
    "columns": {name: name for name in ("id", *FIELDS, *STAMPS, "entered", "left", "opened")},
    "attributes": {"extra": "extra"},
}
DEAL_CHANGES = {
    "record": "deal",
    "shape": "changes",
    "zone": "UTC",
    "currency": "EUR",
    "system": "crm",
    "columns": {
        name: name for name in ("id", *STAMPS, "at", "field", "old", "new", "currency", "opened")
    },
    "fields": {
        "talk": "stage", "offer": "amount", "won": "pipeline", "lead": "reason", "1": "opened",
        "call": "attributes.extra", "customer": "expected_close",
    },
}  # fmt: skip
CONTACT_STAYS = {
    "record": "contact",
    "shape": "stays",
    "zone": "UTC",
    "columns": {
        name: name for name in ("id", "stage", "lead_status", "entered", "left", "created", "owner")
    },
}
CONTACT_CHANGES = {
    "record": "contact",
    "shape": "changes",
    "zone": "UTC",
    "columns": {name: name for name in ("id", "at", "field", "old", "new", "created", "sequence")},
    "fields": {"talk": "stage", "offer": "lead_status", "won": "name", "1": "created"},
    "values": {"stage": {"talk": "lead", "offer": "customer", "won": "", "12.50": "other"}},
}
STAND_IN = {"missing_start": "exported", "exported": date(2026, 1, 1)}
TABLES = (
    (read_deals, DEAL_RECORDS),
    (read_deals, DEAL_RECORDS | STAND_IN | {"opening_stage": "talk"}),
    (read_deals, DEAL_EVENTS),
    (read_contacts, CONTACT_RECORDS),
    (read_contacts, CONTACT_RECORDS | STAND_IN),
    (read_contacts, CONTACT_EVENTS),
    (read_deals, DEAL_STAYS),
    (read_deals, DEAL_STAYS | {"opening_stage": "talk"}),
    (read_deals, DEAL_CHANGES),
    (read_deals, DEAL_CHANGES | {"opening_stage": "talk"}),
    (read_contacts, CONTACT_STAYS),
    (read_contacts, CONTACT_CHANGES),
)
COLUMNS = sorted({
    column
    for _, mapping in TABLES
    for table in ("columns", "attributes", "entered")
    for column in mapping.get(table, {}).values()
})  # fmt: skip


class Hostile:
    """An object of which nothing can be asked."""

    def refuse(self, *_):
        raise RuntimeError("leave me alone")

    __repr__ = __str__ = __bool__ = __eq__ = __ne__ = __hash__ = refuse
    __int__ = __float__ = __index__ = __len__ = __iter__ = refuse

    @property
    def __class__(self):
        raise RuntimeError("leave me alone")


class Shouting(str):
    """Text that answers no question about itself."""

    __slots__ = ()

    def refuse(self, *_):
        raise RuntimeError("leave me alone")

    __repr__ = __str__ = strip = __bool__ = refuse


class Timeless(datetime):
    """An instant that answers no question about itself."""

    def refuse(self, *_):
        raise ArithmeticError("leave me alone")

    utcoffset = astimezone = date = time = __repr__ = refuse


ODD = (
    *STRANGE, Hostile(), Unprintable(), Shouting("d-1"), Timeless(2026, 1, 1, tzinfo=UTC),
    date.min, date.max, datetime(1, 1, 1), datetime(9999, 12, 31, 23),  # noqa: DTZ001 - meant
    datetime.max.replace(tzinfo=UTC), "0001-01-01", "9999-12-31T23:59-23:59", "1512121200000",
    "9" * 5000, float(2**60), Decimal("0.1"),
)  # fmt: skip
PLAUSIBLE = (
    "d-1", "d-2", "d-3", "talk", "Talk", "offer", "won", "call", "limbo", "none", "lead",
    "customer", "2026-03-01", "2026-03-05T10:00Z", "2026-01-01", "n/a", "12.50", "1", "renewal",
    "usd", 1, 2, 12.345,
)  # fmt: skip


@frozen
class Odd:
    """Stands for an odd cell, of which Hypothesis cannot ask what it asks of what it draws."""

    name: int


def cells():
    return st.one_of(
        st.sampled_from(PLAUSIBLE),
        st.sampled_from(PLAUSIBLE),
        st.sampled_from([Odd(number) for number in range(len(ODD))]),
        st.text(max_size=5),
        st.floats(),
        st.dates() | st.datetimes() | instants(),
        st.decimals(),
    )


def ids():
    return st.sampled_from(["d-1", "d-2", "d-3", 4, "", None, b"", 1.5])


USUAL = dict.fromkeys(COLUMNS) | {
    "opened": "2026-03-01", "created": "2026-03-01", "at": "2026-03-01", "stage": "talk",
    "sequence": 1, "entered": "2026-03-01", "field": "talk", "new": "talk",
}  # fmt: skip


@st.composite
def dirty_rows(draw):
    """A row with anything in a few of its cells, now and then with one too many, or no row."""
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return draw(st.sampled_from([None, 7, "d-1", ("d-1",), []]))
    stage = draw(st.sampled_from(["talk", "offer", "won", "lead", "customer"]))
    strange = draw(st.dictionaries(st.sampled_from(COLUMNS), cells(), max_size=5))
    row = USUAL | {"stage": stage} | strange | {"id": draw(ids())}
    return row | {None: ["too", "many"]} if kind == 1 else row


def tables(**sizes):
    """Lists of dirty rows, odd cells in their places."""
    return st.lists(dirty_rows(), **sizes).map(Rows)


class Rows(list):
    """Rows with the odd cells put in; shown as they were drawn."""

    def __init__(self, drawn):
        self.drawn = drawn
        super().__init__(map(with_odd_cells, drawn))

    def __repr__(self):
        return repr(self.drawn)


def with_odd_cells(row):
    if not isinstance(row, dict):
        return row
    return {column: ODD[cell.name] if type(cell) is Odd else cell for column, cell in row.items()}


def readable_id(row):
    """The id of a row, worked out without the reader; None where it has none."""
    given = row.get("id") if isinstance(row, dict) else None
    return str(given) if given in ("d-1", "d-2", "d-3", 4) else None


def everywhere(rows):
    """What each reader makes of rows, padded so that no column is missing from the table."""
    padding = dict.fromkeys(COLUMNS)
    for read, mapping in TABLES:
        options = {"pipelines": [SHORT]} if read is read_deals else {}
        yield read([*rows, padding], mapping, **options)


@given(tables(max_size=6))
def test_rows_used_and_rows_refused_are_all_the_rows_and_nothing_else_is_raised(rows):
    for found in everywhere(rows):
        assert found.used + found.refused == len(rows) + 1
        refused = {problem.row for problem in found.problems if problem.refused}
        assert len(refused) == found.refused


@given(tables(max_size=6))
def test_a_record_is_incomplete_exactly_where_it_lost_a_row(rows):
    for found in everywhere(rows):
        refused = {problem.row for problem in found.problems if problem.refused}
        lost = [readable_id(rows[row - 1]) for row in sorted(refused - {len(rows) + 1})]
        assert found.incomplete == tuple(dict.fromkeys(each for each in lost if each))


@given(tables(max_size=6))
def test_every_record_of_a_used_row_has_one_history_and_no_other_has(rows):
    for found in everywhere(rows):
        refused = {problem.row for problem in found.problems if problem.refused}
        used = [readable_id(row) for place, row in enumerate(rows, 1) if place not in refused]
        assert {history.record for history in found.histories} == set(used)
        assert len(found.histories) == len(set(used))


@given(tables(max_size=6))
def test_every_problem_can_be_acted_on(rows):
    for found in everywhere(rows):
        assert [problem.row for problem in found.problems] == sorted(
            problem.row for problem in found.problems
        )
        for problem in found.problems:
            assert problem.reason
            assert len(problem.reason) < 600
            assert repr(problem)
            assert problem.column is None or problem.column in COLUMNS
            if problem.column is not None and problem.row <= len(rows):
                assert problem.value is rows[problem.row - 1][problem.column]


@given(tables(max_size=4))
def test_every_instant_that_was_read_is_in_utc_and_every_text_a_plain_one(rows):
    for found in everywhere(rows):
        for history in found.histories:
            assert type(history.record) is str
            for event in history.events:
                assert type(event.at) is datetime
                assert event.at.tzinfo is UTC


@given(tables(max_size=6))
def test_a_beginning_that_no_cell_gives_is_marked(rows):
    read, mapping = TABLES[1]
    found = read([*rows, dict.fromkeys(COLUMNS)], mapping, pipelines=[SHORT])
    exported = datetime(2025, 12, 31, 23, tzinfo=UTC)  # midnight in Berlin
    for history in found.histories:
        first = history.events[0]
        if first.start is Start.EXACT:
            continue
        assert first.at <= exported
        visits = history.visits(datetime.max.replace(tzinfo=UTC))
        assert not visits[0].entry_known


# Clean rows: what is written in them is what is read


@st.composite
def clean_deals(draw):
    """Rows that are records, each with what its deal must be."""
    count = draw(st.integers(0, 5))
    rows, expected = [], []
    for number in range(count):
        opened, closed = draw(instants()), draw(instants())
        stage, amount = draw(st.sampled_from(SHORT.keys)), draw(st.none() | money("EUR"))
        is_open = SHORT.outcome(stage) is Outcome.OPEN
        rows.append({
            "id": number, "opened": opened.isoformat(), "stage": stage,
            "closed": "" if is_open else closed, "amount": "" if amount is None else amount.amount,
        })  # fmt: skip
        expected.append(
            (
                str(number),
                opened.astimezone(UTC),
                None if is_open else closed.astimezone(UTC),
                stage,
                amount,
            )
        )
    return rows, expected


CLEAN = {
    "record": "deal",
    "currency": "EUR",
    "opening_stage": "talk",
    "columns": {name: name for name in ("id", "opened", "closed", "stage", "amount")},
}


@given(clean_deals())
def test_a_deal_is_what_its_row_says(drawn):
    rows, expected = drawn
    found = read_deals(rows, CLEAN, pipelines=[SHORT])
    assert (found.used, found.problems) == (len(rows), ())
    latest = [history.latest for history in found.histories]
    assert [
        (deal.id, deal.opened_at, deal.closed_at, deal.stage, deal.amount) for deal in latest
    ] == expected


@given(clean_deals(), st.randoms(use_true_random=False))
def test_the_order_of_rows_that_are_records_changes_no_history(drawn, shuffler):
    rows, _ = drawn
    shuffled = random.Random(shuffler.random()).sample(rows, len(rows))
    one, other = (read_deals(each, CLEAN, pipelines=[SHORT]) for each in (rows, shuffled))
    assert set(one.histories) == set(other.histories)


NUMBERED = {
    "record": "deal",
    "shape": "events",
    "columns": {name: name for name in ("id", "at", "stage", "sequence")},
}


@given(
    st.lists(st.tuples(st.sampled_from("ab"), instants(), st.sampled_from(SHORT.keys)), max_size=8),
    st.randoms(use_true_random=False),
)
def test_with_a_sequence_the_order_of_rows_changes_no_history(drawn, shuffler):
    rows = [
        {"id": record, "at": at, "stage": stage, "sequence": number}
        for number, (record, at, stage) in enumerate(drawn)
    ]
    shuffled = random.Random(shuffler.random()).sample(rows, len(rows))
    found = read_deals(shuffled, NUMBERED, pipelines=[SHORT])
    assert found.used == len(rows)
    for history in found.histories:
        said = [
            (row["at"].astimezone(UTC), row["stage"]) for row in rows if row["id"] == history.record
        ]
        assert [(event.at, event.stage) for event in history.events] == said


@given(st.lists(st.tuples(instants(), st.sampled_from(LifecycleStage)), min_size=1, max_size=8))
def test_every_recorded_stage_of_a_contact_is_kept_in_order(drawn):
    rows = [{"id": "c", "at": at, "stage": stage} for at, stage in drawn]
    mapping = {
        "record": "contact",
        "shape": "events",
        "columns": {"id": "id", "at": "at", "stage": "stage"},
    }
    [history] = read_contacts(rows, mapping).histories
    later = [event for event in history.events if isinstance(event, LifecycleStageSet)]
    said = [(at.astimezone(UTC), stage) for at, stage in drawn]
    assert [(event.at, event.stage) for event in later] == said[1:]
    assert history.latest.lifecycle_stage is max(stage for _, stage in drawn)


@given(st.integers(-(10**12), 10**12))
def test_a_float_of_cents_is_read_as_the_cents_it_shows(minor):
    row = {"id": 1, "opened": "2026-03-01T00:00Z", "closed": "", "stage": "talk"}
    found = read_deals([row | {"amount": minor / 100}], CLEAN, pipelines=[SHORT])
    assert found.histories[0].latest.amount == Money.of_minor(minor, "EUR")


# Stays and changes: the same course however it is written down

COURSES = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from(SHORT.keys)), min_size=1, max_size=8
)


def dated(course, start=datetime(2026, 1, 1, tzinfo=UTC)):
    """A course of hours and stages as instants and stages, the instants rising."""
    at = start
    for hours, stage in course:
        at += timedelta(hours=hours)
        yield at, stage


def runs(entries):
    """The visits of entries: where each stage was entered that the deal was not in already."""
    entries = list(entries)
    return [(at, stage) for (at, stage), (_, before) in zip(
        entries, [(None, None), *entries], strict=False) if stage != before]  # fmt: skip


def visited(history):
    visits = history.visits(datetime(2030, 1, 1, tzinfo=UTC))
    assert all(visit.left is None for visit in visits[-1:])
    return [(visit.entered, visit.state) for visit in visits if visit.entry_known]


STAYS = {
    "record": "deal",
    "shape": "stays",
    "columns": {name: name for name in ("id", "stage", "entered", "left")},
}


@given(COURSES, st.randoms(use_true_random=False), st.sampled_from([None, "", "9999-12-31"]))
def test_stays_in_any_order_are_the_visits_that_they_say(course, shuffler, still):
    entries = list(dated(course))
    ends = [at for at, _ in entries[1:]]
    rows = [
        {"id": 1, "stage": stage, "entered": at, "left": left}
        for (at, stage), left in zip(entries, [*ends, still], strict=True)
    ]
    shuffler.shuffle(rows)
    found = read_deals(rows, STAYS, pipelines=[SHORT])
    assert (found.used, found.problems) == (len(rows), ())
    assert visited(found.histories[0]) == runs(entries)


CHANGES = {
    "record": "deal",
    "shape": "changes",
    "currency": "EUR",
    "columns": {name: name for name in ("id", "at", "field", "old", "new")},
    "fields": {"StageName": "stage", "Amount": "amount", "Born": "opened"},
}
VALUES = {
    "StageName": st.sampled_from(SHORT.keys),
    "Amount": st.none() | st.integers(0, 99),
    "Colour": st.none() | st.sampled_from(["red", "green"]),
}
CHANGED = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda name: st.tuples(st.integers(1, 400), st.just(name), VALUES[name])
    ),
    max_size=8,
)


@given(st.fixed_dictionaries(VALUES), CHANGED, st.randoms(use_true_random=False))
def test_changes_in_any_order_give_the_values_of_every_instant(values, changed, shuffler):
    born = at = datetime(2026, 1, 1, tzinfo=UTC)
    changed = [*changed, (1, "StageName", "offer"), (1, "Amount", 7), (1, "Colour", "blue")]
    rows, states, now = [{"id": 1, "at": born, "field": "Born"}], [(born, values)], dict(values)
    for hours, name, value in changed:
        at += timedelta(hours=hours)
        rows.append({"id": 1, "at": at, "field": name, "old": now[name], "new": value})
        now[name] = value
        states.append((at, dict(now)))
    rows[0] |= {"old": None, "new": None}
    shuffler.shuffle(rows)
    found = read_deals(rows, CHANGES, pipelines=[SHORT])
    assert (found.used, found.problems) == (len(rows), ())
    [history] = found.histories
    for instant, state in states:
        deal = history.as_of(instant)
        assert deal.stage == state["StageName"]
        amount = state["Amount"]
        assert deal.amount == (None if amount is None else Money(amount, "EUR"))
        assert deal.attributes.get("Colour") == state["Colour"]
    stages = [(at, state["StageName"]) for at, state in states]
    assert visited(history) == runs(stages)


@given(st.fixed_dictionaries(VALUES), CHANGED)
def test_without_a_beginning_all_but_the_first_stage_is_known(values, changed):
    at, rows, now, entries = datetime(2026, 1, 1, tzinfo=UTC), [], dict(values), []
    for hours, name, value in [*changed, (1, "StageName", "offer")]:
        at += timedelta(hours=hours)
        rows.append({"id": 1, "at": at, "field": name, "old": now[name], "new": value})
        now[name] = value
        if name == "StageName":
            entries.append((at, value))
    [history] = read_deals(rows, CHANGES, pipelines=[SHORT]).histories
    assert history.events[0].start is Start.BY_THEN
    assert history.events[0].stage == values["StageName"]
    assert history.events[0].at < rows[0]["at"]
    _, *expected = runs([(None, values["StageName"]), *entries])
    assert visited(history) == expected


# Mappings


@given(
    st.dictionaries(
        st.sampled_from(
            [*DEAL_RECORDS, *DEAL_EVENTS, *DEAL_STAYS, *DEAL_CHANGES, *STAND_IN, "pipelines", "x"]
        ),
        cells() | st.dictionaries(st.text(max_size=3), st.text(max_size=3)) | st.lists(st.text()),
        max_size=6,
    )
)
def test_a_mapping_of_anything_is_taken_or_refused_with_every_fault(drawn):
    mapping = with_odd_cells(drawn)
    for base in ({}, DEAL_RECORDS, DEAL_EVENTS, DEAL_STAYS, DEAL_CHANGES):
        assert all(0 < len(fault) < 1000 for fault in faults_of(base | mapping))


def faults_of(mapping):
    """The faults for which a mapping is refused; none where it is taken."""
    try:
        read_deals([], mapping)
    except InvalidValueError as error:
        return error.faults or ("",)
    return ()
