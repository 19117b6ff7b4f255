import csv
import enum
import io
import tomllib
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from contracts import STRANGE, Unprintable, check_door, check_value
from salespipeline.attributes import EMPTY
from salespipeline.connectors.table import Problem, Read, read_contacts, read_deals
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    Created,
    FieldSet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    SaleType,
    Start,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import SIX_STAGES, Outcome, Pipeline, Stage

SHORT = Pipeline(
    "short",
    [Stage("talk"), Stage("offer"), Stage("won", outcome="won"), Stage("lost", outcome="lost")],
)
LATER = datetime(2030, 1, 1, tzinfo=UTC)

RECORDS = {
    "record": "deal",
    "zone": "UTC",
    "currency": "EUR",
    "opening_stage": "talk",
    "columns": {
        "id": "id", "opened": "opened", "closed": "closed", "stage": "stage", "amount": "amount",
    },
}  # fmt: skip
EVENTS = {
    "record": "deal",
    "shape": "events",
    "zone": "UTC",
    "currency": "EUR",
    "columns": {"id": "id", "at": "at", "stage": "stage"},
}
PEOPLE = {
    "record": "contact",
    "zone": "UTC",
    "columns": {"id": "id", "created": "created", "stage": "stage", "lead_status": "status"},
}
STEPS = {
    "record": "contact",
    "shape": "events",
    "zone": "UTC",
    "columns": {"id": "id", "at": "at", "stage": "stage", "lead_status": "status"},
}


def at(day, month=3, hour=0):
    return datetime(2026, month, day, hour, tzinfo=UTC)


def with_columns(mapping, *fields, **options):
    """A mapping that reads more fields, each from the column of its own name, or has options."""
    columns = mapping["columns"] | {field: field for field in fields}
    return mapping | {"columns": columns} | options


def record(**cells):
    """A row of a deal in its first stage, with all columns."""
    return {
        "id": "d-1", "opened": "2026-03-01", "closed": "", "stage": "talk", "amount": "",
    } | cells  # fmt: skip


def read(row, mapping=RECORDS, **options):
    """What a row of deals gives."""
    return read_deals([row], mapping | options, pipelines=[SHORT])


def history(row, mapping=RECORDS, **options):
    found = read(row, mapping, **options)
    assert found.problems == ()
    return found.histories[0]


def events(rows, mapping=EVENTS, *fields, **options):
    """The events of the one deal of rows of events."""
    columns = dict.fromkeys(["id", "at", "stage", *fields])
    filled = [{**columns, "id": "d-1", **row} for row in rows]
    found = read_deals(filled, with_columns(mapping, *fields, **options), pipelines=[SHORT])
    assert found.problems == ()
    return found.histories[0].events


def contact(row, mapping=PEOPLE, **options):
    cells = {"id": "c-1", "created": "2026-03-01", "stage": "", "status": ""} | row
    return read_contacts([cells], mapping | options)


def faults_of(mapping, pipelines=(SHORT,)):
    with pytest.raises(InvalidValueError) as caught:
        read_deals([], mapping, pipelines=pipelines)
    assert caught.value.subject == "mapping"
    return caught.value.faults


def visits(deal):
    return [(visit.state, visit.entered, visit.entry_known) for visit in deal.visits(LATER)]


# Rows


def test_a_csv_file_is_read():
    text = "id,opened,closed,stage,amount\nd-1,2026-03-01,2026-03-09,won,12.50\n"
    found = read_deals(csv.DictReader(io.StringIO(text)), RECORDS, pipelines=[SHORT])
    deal = found.histories[0].latest
    assert (deal.outcome, deal.opened_at, deal.closed_at) == (Outcome.WON, at(1), at(9))
    assert deal.amount == Money("12.50", "EUR")


def test_rows_may_be_any_iterable_of_any_mappings():
    rows = (MappingProxyType(record(id=f"d-{number}")) for number in range(3))
    found = read_deals(rows, RECORDS, pipelines=[SHORT])
    assert [deal.record for deal in found.histories] == ["d-0", "d-1", "d-2"]
    assert (found.used, found.refused) == (3, 0)


def test_no_rows_give_no_histories():
    assert read_deals([], RECORDS) == Read((), (), (), 0, 0)
    assert read_contacts(iter(()), PEOPLE) == Read((), (), (), 0, 0)


def test_what_is_read_is_a_value():
    check_value(
        Problem(1, "id", "", "it has no id", refused=True),
        Problem(1, "id", "", "it has no id", refused=True),
        Problem(2, "id", "", "it has no id", refused=True),
        Problem(1, None, "", "it has no id", refused=True),
        Problem(1, "id", None, "it has no id", refused=True),
        Problem(1, "id", "", "it is empty", refused=True),
        Problem(1, "id", "", "it has no id", refused=False),
    )
    check_value(read(record()), read(record()), read(record(id="d-2")), read(record(id="")))


def test_a_problem_with_a_strange_value_can_be_shown_and_hashed():
    found = read(record(amount=Unprintable()))
    assert "<Unprintable>" in repr(found.problems[0])
    assert {Problem(1, None, ["too", "many"], "why", refused=True)}


def test_what_is_no_rows_at_all_is_refused():
    for rows in (None, 7, "id,opened", b"id", {"id": "d-1"}):
        with pytest.raises(WrongTypeError) as caught:
            read_deals(rows, RECORDS)
        assert "to_dict('records')" in str(caught.value)


def test_a_row_that_is_no_mapping_is_refused_and_shown():
    found = read_deals([["d-1"], record(), None], RECORDS, pipelines=[SHORT])
    assert (found.used, found.refused, found.incomplete) == (1, 2, ())
    assert found.problems[0] == Problem(
        1, None, ["d-1"], "a row must be a mapping of columns to cells (got ['d-1'])", refused=True
    )


class Broken(dict):
    def keys(self):
        raise RuntimeError("the connection is gone")

    __iter__ = keys


def test_a_row_whose_cells_cannot_be_had_is_refused():
    found = read_deals([Broken(id="d-1")], RECORDS)
    assert (found.used, found.refused) == (0, 1)
    assert found.problems[0].column is None


def test_a_row_with_more_cells_than_columns_is_refused_with_its_id():
    text = "id,opened,closed,stage,amount\nd-1,2026-03-01,,talk,1,234\n"
    found = read_deals(csv.DictReader(io.StringIO(text)), RECORDS, pipelines=[SHORT])
    [problem] = found.problems
    assert (problem.row, problem.column, problem.refused) == (1, None, True)
    assert problem.reason == "it has more cells than the table has columns: ['234']"
    assert found.incomplete == ("d-1",)


def test_a_row_with_fewer_cells_has_absent_ones():
    text = "id,opened,stage,closed,amount\nd-1,2026-03-01,talk\n"
    [deal] = read_deals(csv.DictReader(io.StringIO(text)), RECORDS, pipelines=[SHORT]).histories
    assert deal.latest.amount is None


def test_a_wrong_encoding_is_one_error_that_names_the_last_row_read():
    stream = io.BytesIO(b"id,opened,closed,stage,amount\nd-1,2026-03-01,,talk,\n")
    stream.seek(0, io.SEEK_END)
    stream.write(b"x" * 20_000 + b"\xff\n")
    stream.seek(0)
    rows = csv.DictReader(io.TextIOWrapper(stream, "utf-8"))
    with pytest.raises(InvalidValueError) as caught:
        read_deals(rows, RECORDS)
    assert caught.value.faults[0].startswith("what follows row 1 cannot be read: 'utf-8' codec")
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)


def test_a_broken_csv_is_one_error_that_names_the_last_row_read():
    text = "id,opened,closed,stage,amount\nd-1,2026-03-01,,talk,\nd-2," + "x" * 200_000 + "\n"
    with pytest.raises(InvalidValueError) as caught:
        read_deals(csv.DictReader(io.StringIO(text)), RECORDS)
    assert caught.value.subject == "rows"
    assert caught.value.faults[0].startswith("what follows row 1 cannot be read: field larger")


def test_an_error_of_the_source_itself_goes_through():
    def rows():
        yield record()
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        read_deals(rows(), RECORDS)


def test_columns_that_no_row_has_are_one_error_that_names_all_of_them():
    mapping = RECORDS | {"attributes": {"sector": "industry"}, "entered": {"offer": "offered"}}
    rows = [{"id": "d-1", "\ufeffopened": "2026-03-01", "closed": "", "stage": "", "amount": ""}]
    with pytest.raises(InvalidValueError) as caught:
        read_deals(rows, mapping)
    there = "which no row has; they have ['id', '\\ufeffopened', 'closed', 'stage', 'amount']"
    assert caught.value.faults == (
        f"columns.opened names the column 'opened', {there}",
        f"attributes.sector names the column 'industry', {there}",
        f"entered.offer names the column 'offered', {there}",
    )


def test_a_column_may_be_missing_from_some_rows():
    sparse = record(id="d-2")
    del sparse["amount"]
    found = read_deals([sparse, record(amount="5")], RECORDS, pipelines=[SHORT])
    assert [deal.latest.amount for deal in found.histories] == [None, Money(5, "EUR")]


def test_used_and_refused_rows_add_up_and_lost_ids_are_listed_once():
    rows = [
        record(id="d-1"),
        record(id="d-1"),
        record(id="d-1"),
        record(id=None),
        record(id="d-2", opened="yesterday"),
        7,
    ]
    found = read_deals(rows, RECORDS, pipelines=[SHORT])
    assert (found.used, found.refused) == (1, 5)
    assert found.incomplete == ("d-1", "d-2")
    assert [problem.row for problem in found.problems] == [2, 3, 4, 5, 6]
    assert all(problem.refused for problem in found.problems)


def test_the_pipelines_that_were_used_are_given_back():
    declared = {"key": "mine", "stages": [{"key": "talk"}]}
    found = read_deals([], RECORDS | {"pipelines": [declared]}, pipelines=[SHORT])
    assert found.pipelines == (Pipeline("mine", [Stage("talk")]), SHORT)


# Pandas


def test_rows_of_a_data_frame_are_read_with_all_its_kinds_of_nothing():
    pandas = pytest.importorskip("pandas", reason="the rows are those of a real DataFrame")
    frame = pandas.DataFrame(
        {
            "id": [101, 102, 103],
            "opened": pandas.to_datetime(["2026-03-01 10:30", "2026-03-02 00:00", None]),
            "closed": pandas.to_datetime(["2026-03-09", None, None]).tz_localize("UTC"),
            "stage": pandas.array(["won", "offer", pandas.NA], dtype="string"),
            "amount": [12.5, float("nan"), 3.0],
        }
    )
    found = read_deals(frame.to_dict("records"), RECORDS, pipelines=[SHORT])
    assert (found.used, found.refused, found.incomplete) == (2, 1, ("103",))
    first, second = (deal.latest for deal in found.histories)
    assert (first.id, first.opened_at, first.closed_at) == ("101", at(1) + HALF_PAST_TEN, at(9))
    assert (first.amount, second.amount) == (Money("12.50", "EUR"), None)
    assert all(type(event.at) is datetime for event in found.histories[0].events)


HALF_PAST_TEN = timedelta(hours=10, minutes=30)


def test_the_frame_itself_is_refused_with_what_to_give():
    pandas = pytest.importorskip("pandas", reason="the frame is a real DataFrame")
    with pytest.raises(WrongTypeError, match=r"to_dict\('records'\)"):
        read_deals(pandas.DataFrame([record()]), RECORDS)


def test_a_pandas_instant_is_read_to_the_microsecond():
    pandas = pytest.importorskip("pandas", reason="the cells are real Timestamps")
    zoned = pandas.Timestamp("2026-03-01T10:30:00.123456789", tz="Europe/Berlin")
    plain = pandas.Timestamp("2026-03-01T10:30:00.123456789")
    expected = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
    for cell in (zoned, plain):
        opened = history(record(opened=cell), zone="Europe/Berlin").events[0].at
        assert opened == expected
        assert type(opened) is datetime


def test_numbers_of_numpy_are_read_as_the_numbers_they_are():
    numpy = pytest.importorskip("numpy", reason="the cells are real numpy scalars")
    row = record(id=numpy.int64(7), amount=numpy.float64(12.5), seats=numpy.int32(40))
    row |= {"share": numpy.float64(0.25), "closed": numpy.datetime64("NaT", "s")}
    mapping = RECORDS | {"attributes": {"seats": "seats", "share": "share"}}
    deal = history(row, mapping).latest
    assert (deal.id, deal.amount) == ("7", Money("12.5", "EUR"))
    assert type(deal.attributes["seats"]) is int
    assert type(deal.attributes["share"]) is float
    assert history(record(amount=numpy.int64(9))).latest.amount == Money(9, "EUR")


# Cells


@pytest.mark.parametrize(
    "nothing", [None, "", "  ", "\t\n", float("nan"), Decimal("NaN"), "n/a", " - "]
)
def test_a_cell_that_holds_nothing_is_absent_and_no_problem(nothing):
    found = read(record(amount=nothing, closed=nothing), absent=["n/a", "-"])
    assert found.problems == ()
    assert found.histories[0].latest.amount is None


class NAType:
    """Like the missing value of pandas: it has no truth."""

    def __eq__(self, other):
        return self

    __ne__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


def test_a_missing_value_without_truth_is_absent():
    assert history(record(amount=NAType())).latest.amount is None


def test_zero_and_false_are_not_absent():
    assert history(record(amount=0)).latest.amount == Money(0, "EUR")
    mapping = RECORDS | {"attributes": {"key": "key"}}
    assert history(record(key=False), mapping).latest.attributes["key"] is False


class Colour(enum.StrEnum):
    TALK = "talk"


class Shade(str, enum.Enum):  # noqa: UP042 - many a code base has such
    OFFER = "offer"


def test_blanks_around_text_are_cut_and_members_of_text_enums_are_text():
    assert history(record(id=" d-1 ", stage=" offer\n")).latest.stage == "offer"
    for member in (Colour.TALK, Shade.OFFER):
        stage = history(record(stage=member)).events[0].stage
        assert type(stage) is str
        assert stage == member.value


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (-3, "-3"),
        (Decimal("7.00"), "7"),
        ("007", "007"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_whole_number_as_id_gives_its_digits_however_it_is_stored(cell, text):
    assert history(record(id=cell)).record == text


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (7.5, "'id' must be text or a whole number (got 7.5)"),
        (Decimal("7.5"), "'id' must be text or a whole number (got Decimal('7.5'))"),
        (True, "'id' must be text or a whole number (got True)"),
        (b"d-1", "'id' must be text or a whole number (got b'd-1')"),
        (2.0**53, "9007199254740992.0 has lost digits as a float; read its column as text"),
        pytest.param(10**5000, "it cannot be read: ValueError('Exceeds", id="huge"),
        (Decimal("Infinity"), "number: Decimal('Infinity') is not finite"),
        (Decimal("1e999999"), "is out of any sensible range"),
    ],
)
def test_an_id_that_cannot_be_read_refuses_its_row(cell, reason):
    found = read(record(id=cell))
    [problem] = found.problems
    assert (problem.column, problem.value, problem.refused) == ("id", cell, True)
    assert reason in problem.reason
    assert (found.used, found.refused, found.incomplete) == (0, 1, ())


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("12.50", "12.50"),
        (" 12.5 ", "12.50"),
        (12.5, "12.50"),
        (0.1, "0.10"),
        (1054.0, "1054"),
        (Decimal("12.500"), "12.50"),
        (12, "12"),
        (-3.25, "-3.25"),
        (1e3, "1000"),
    ],
)
def test_an_amount_is_exact_and_a_float_is_read_by_its_shortest_text(cell, amount):
    assert history(record(amount=cell)).latest.amount == Money(amount, "EUR")


@pytest.mark.parametrize(
    "cell",
    [
        12.345, "12.345", "1,234.50", "twelve", "€ 12", True, b"12", [12], float("inf"),
        pytest.param(10**5000, id="huge"), Decimal("sNaN"), 0.1 + 0.2,
    ],
)  # fmt: skip
def test_an_amount_that_does_not_fit_is_left_absent_and_reported(cell):
    found = read(record(amount=cell))
    [problem] = found.problems
    assert (problem.row, problem.column, problem.refused) == (1, "amount", False)
    assert problem.value is cell
    assert found.histories[0].latest.amount is None
    assert (found.used, found.refused, found.incomplete) == (1, 0, ())


def test_the_reason_of_an_amount_says_what_does_not_fit():
    [problem] = read(record(amount=12.345)).problems
    assert problem.reason.startswith("money: '12.345' has more than the 2 decimal places of EUR")


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("2026-03-01", at(1)),
        ("20260301", at(1)),
        ("2026-03-01T10:00", at(1, hour=10)),
        ("2026-03-01 10:00:00", at(1, hour=10)),
        ("2026-03-01T10:00:00Z", at(1, hour=10)),
        ("2026-03-01T10:00+02:00", at(1, hour=8)),
        (date(2026, 3, 1), at(1)),
        (datetime(2026, 3, 1, 10), at(1, hour=10)),  # noqa: DTZ001 - the point of the test
        (datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=2))), at(1, hour=8)),
    ],
)
def test_an_instant_is_read_from_each_way_of_writing_it(cell, instant):
    assert history(record(opened=cell)).events[0].at == instant


def test_a_day_begins_at_midnight_in_the_zone_of_the_table():
    berlin = history(record(opened="2026-07-01"), zone="Europe/Berlin")
    assert berlin.events[0].at == datetime(2026, 6, 30, 22, tzinfo=UTC)
    given = history(record(opened="2026-07-01"), zone=ZoneInfo("Europe/Berlin"))
    assert given == berlin


def test_a_wall_time_that_occurs_twice_is_the_first_unless_the_cell_says():
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - the point of the test
    first = history(record(opened=twice), zone="Europe/Berlin").events[0].at
    second = history(record(opened=twice.replace(fold=1)), zone="Europe/Berlin").events[0].at
    assert (first.hour, second.hour) == (0, 1)


@pytest.mark.parametrize("cell", ["2026-03-01", "2026-03-01T10:00", date(2026, 3, 1)])
def test_a_date_without_a_zone_needs_one(cell):
    mapping = {name: value for name, value in RECORDS.items() if name != "zone"}
    found = read(record(opened=cell), mapping)
    assert found.refused == 1
    assert found.problems[0].reason.endswith("has no zone, and the mapping gives none")
    assert history(record(opened="2026-03-01T00:00Z"), mapping).events[0].at == at(1)


@pytest.mark.parametrize(
    "cell",
    ["01/03/2026", "2026-13-01", "soon", "1512121200000", 1772323200, 46082.0, True, b"2026-03-01",
     ["2026-03-01"], "0001-01-01T00:00+14:00", "9999-12-31T23:00-14:00"],
)  # fmt: skip
def test_an_instant_that_cannot_be_read_refuses_its_row(cell):
    found = read(record(opened=cell))
    [problem] = found.problems
    assert (problem.column, problem.value, problem.refused) == ("opened", cell, True)
    assert found.incomplete == ("d-1",)
    assert found.histories == ()


def test_a_format_of_dates_is_followed_for_dates_and_for_times():
    days = history(record(opened="01.03.2026"), date_format="%d.%m.%Y", zone="Asia/Kolkata")
    assert days.events[0].at == datetime(2026, 2, 28, 18, 30, tzinfo=UTC)
    times = history(record(opened="3/1/26 4:05 PM"), date_format="%m/%d/%y %I:%M %p")
    assert times.events[0].at == datetime(2026, 3, 1, 16, 5, tzinfo=UTC)
    zoned = history(record(opened="01.03.2026 10 +0200"), date_format="%d.%m.%Y %H %z")
    assert zoned.events[0].at == at(1, hour=8)


def test_a_date_out_of_its_format_says_which_was_wanted():
    [problem] = read(record(opened="2026-03-01"), date_format="%d.%m.%Y").problems
    wanted = "'2026-03-01' is no date or date and time in the format '%d.%m.%Y'"
    assert problem.reason == f"opened: {wanted}"


def test_a_format_does_not_touch_cells_that_are_dates_already():
    deal = history(record(opened=date(2026, 3, 1)), date_format="%d.%m.%Y")
    assert deal.events[0].at == at(1)


@pytest.mark.parametrize(
    ("cell", "zone", "day"),
    [
        ("2026-03-31", "UTC", date(2026, 3, 31)),
        (date(2026, 3, 31), "UTC", date(2026, 3, 31)),
        ("2026-03-31T23:30Z", "Asia/Tokyo", date(2026, 4, 1)),
        ("2026-03-31T23:30", "Asia/Tokyo", date(2026, 3, 31)),
        ("2026-03-31T23:30-05:00", None, date(2026, 3, 31)),
    ],
)
def test_an_expected_close_is_a_day_in_the_zone_of_the_table(cell, zone, day):
    mapping = with_columns(RECORDS, "expected_close", zone=zone)
    if zone is None:
        del mapping["zone"]
    row = record(opened="2026-03-01T00:00Z", expected_close=cell)
    assert history(row, mapping).latest.expected_close == day


def test_a_day_outside_the_calendar_is_a_problem_not_an_error():
    mapping = with_columns(RECORDS, "expected_close", zone="Asia/Tokyo")
    found = read(record(expected_close="9999-12-31T23:00Z"), mapping)
    assert [problem.column for problem in found.problems] == ["expected_close"]
    assert found.histories[0].latest.expected_close is None


def test_a_currency_may_stand_in_a_column_and_fall_back():
    mapping = with_columns(RECORDS, "currency")
    assert history(record(amount="12", currency="usd"), mapping).latest.amount == Money(12, "USD")
    assert history(record(amount="12", currency=""), mapping).latest.amount == Money(12, "EUR")


def test_an_amount_whose_currency_cannot_be_read_is_not_given_another():
    found = read(record(amount="12", currency="Euros"), with_columns(RECORDS, "currency"))
    assert [(problem.column, problem.refused) for problem in found.problems] == [
        ("currency", False),
        ("amount", False),
    ]
    assert found.problems[1].reason == "amount: its currency cannot be read"
    assert found.histories[0].latest.amount is None


def test_an_amount_without_any_currency_is_a_problem_of_its_row():
    mapping = with_columns(RECORDS, "currency")
    del mapping["currency"]
    [problem] = read(record(amount="12", currency=None), mapping).problems
    assert problem.reason == "amount: it has no currency, and the mapping gives none"


def test_values_say_what_a_text_stands_for():
    mapping = with_columns(RECORDS, "currency", attributes={"sector": "sector"})
    mapping["values"] = {
        "stage": {"Offer sent ": "offer", "2": "won", "True": "lost"},
        "sector": {"tech": " technology"},
        "currency": {"€": "EUR"},
        "amount": {"free": "0"},
    }
    row = record(stage=" Offer sent", sector="tech", currency="€", amount="free")
    deal = history(row, mapping).latest
    assert (deal.stage, deal.attributes["sector"]) == ("offer", "technology")
    assert deal.amount == Money(0, "EUR")
    closed = {"closed": "2026-03-09", "sector": "", "currency": ""}
    assert history(record(stage=2.0, **closed), mapping).latest.outcome is Outcome.WON
    assert history(record(stage=True, **closed), mapping).latest.outcome is Outcome.LOST


def test_a_value_may_stand_for_nothing():
    mapping = PEOPLE | {"values": {"stage": {"other": "", "Lead": "lead"}}}
    assert contact({"stage": "other"}, mapping).histories[0].latest.lifecycle_stage is None
    assert contact({"stage": "Lead"}, mapping).histories[0].latest.lifecycle_stage == "lead"


def test_attributes_keep_the_type_of_their_cells():
    cells = {
        "text": " x ", "number": 7, "real": 2.5, "day": date(2026, 3, 1), "list": ["a", 1],
        "clock": datetime(2026, 3, 1, 10),  # noqa: DTZ001 - read in the zone of the table
        "yes": True, "none": None, "exact": Decimal("1.5"),
    }  # fmt: skip
    mapping = RECORDS | {"attributes": {name: name for name in cells}, "zone": "Europe/Berlin"}
    attributes = history(record(**cells), mapping).latest.attributes
    assert dict(attributes) == {
        "text": "x", "number": 7, "real": 2.5, "day": date(2026, 3, 1), "list": ("a", 1),
        "clock": at(1, hour=9), "yes": True, "exact": Decimal("1.5"),
    }  # fmt: skip


@pytest.mark.parametrize("cell", [object(), {"a": 1}, {1}, b"x", [float("nan")], Unprintable()])
def test_an_attribute_that_is_no_plain_value_is_left_absent_and_reported(cell):
    found = read(record(extra=cell), RECORDS | {"attributes": {"extra": "extra"}})
    [problem] = found.problems
    assert (problem.column, problem.refused) == ("extra", False)
    assert found.histories[0].latest.attributes == EMPTY


class Hostile:
    """An object of which nothing can be asked."""

    def refuse(self, *_):
        raise RuntimeError("leave me alone")

    __repr__ = __str__ = __bool__ = __eq__ = __ne__ = __hash__ = refuse
    __int__ = __float__ = __index__ = __len__ = __iter__ = refuse

    @property
    def __class__(self):
        raise RuntimeError("leave me alone")


@pytest.mark.parametrize("column", ["id", "opened", "closed", "stage", "amount", "extra"])
def test_a_hostile_object_in_any_cell_is_a_problem_and_no_error(column):
    mapping = RECORDS | {"attributes": {"extra": "extra"}}
    cells = record(extra="")
    cells[column] = Hostile()
    found = read(cells, mapping)
    assert [problem.column for problem in found.problems] == [column]
    assert found.used + found.refused == 1
    assert "leave me alone" in found.problems[0].reason


# One row for each record: deals


def test_an_open_deal_stands_in_its_stage_and_when_it_entered_is_not_known():
    deal = history(record(stage="offer"))
    assert visits(deal) == [("offer", at(1), False)]
    assert deal.events[0].start is Start.EXACT


def test_an_open_deal_in_the_opening_stage_entered_it_when_it_was_opened():
    assert visits(history(record(stage="talk"))) == [("talk", at(1), True)]


def test_a_closed_deal_goes_from_the_opening_stage_to_its_close():
    deal = history(record(stage="lost", closed="2026-03-09"))
    assert visits(deal) == [("talk", at(1), True), ("lost", at(9), True)]
    assert isinstance(deal.events[1], Lost)
    assert deal.events[1].stage_left == "talk"


def test_without_an_opening_stage_a_closed_deal_began_in_an_open_one_not_known_since_when():
    mapping = {name: value for name, value in RECORDS.items() if name != "opening_stage"}
    backwards = Pipeline("backwards", [Stage("won", outcome="won"), Stage("offer"), Stage("talk")])
    found = read_deals([record(stage="won", closed="2026-03-09")], mapping, pipelines=[backwards])
    assert visits(found.histories[0]) == [("offer", at(1), False), ("won", at(9), True)]


def test_the_amount_of_a_closed_deal_is_known_of_its_close_and_not_before():
    deal = history(record(stage="won", closed="2026-03-09", amount="500"))
    assert deal.as_of(at(8)).amount is None
    assert deal.as_of(at(9)).amount == Money(500, "EUR")


def test_the_amount_of_an_open_deal_holds_from_its_opening():
    assert history(record(amount="500")).as_of(at(1)).amount == Money(500, "EUR")


def test_a_deal_that_closed_before_it_opened_is_kept_as_it_was_recorded():
    deal = history(record(opened="2026-03-09", closed="2026-03-01", stage="won"))
    assert [event.at for event in deal.events] == [at(9), at(1)]
    assert deal.latest.outcome is Outcome.WON


def test_an_unknown_stage_is_kept_and_taken_for_open():
    deal = history(record(stage="limbo")).latest
    assert (deal.stage, deal.outcome) == ("limbo", Outcome.OPEN)


def test_a_retired_stage_means_what_its_successor_means():
    pipeline = Pipeline("mine", [Stage("talk"), Stage("won", outcome="won")], former={"y": "won"})
    row = record(stage="y", closed="2026-03-09")
    [deal] = read_deals([row], RECORDS, pipelines=[pipeline]).histories
    assert (deal.latest.stage, deal.latest.outcome) == ("y", Outcome.WON)


def test_without_any_pipeline_every_stage_is_kept_and_open():
    [deal] = read_deals([record(stage="won")], RECORDS).histories
    assert (deal.latest.pipeline, deal.latest.stage) == ("pipeline", "won")
    assert deal.latest.outcome is Outcome.OPEN


def test_a_closed_deal_without_a_closing_date_is_refused():
    found = read(record(stage="won"))
    assert found.problems == (
        Problem(1, "closed", "", "the deal is won, and has no closing date", refused=True),
    )
    without = {name: column for name, column in RECORDS["columns"].items() if name != "closed"}
    [problem] = read(record(stage="won"), RECORDS | {"columns": without}).problems
    assert (problem.column, problem.refused) == (None, True)


def test_the_closing_date_of_an_open_deal_is_left_out_and_reported():
    found = read(record(closed="2026-03-09"))
    assert found.problems == (
        Problem(
            1, "closed", "2026-03-09", "the deal is open; its closing date is left out",
            refused=False,
        ),
    )  # fmt: skip
    assert found.histories[0].latest.outcome is Outcome.OPEN


def test_one_column_may_hold_the_expected_closing_date_and_the_real_one():
    mapping = RECORDS | {"columns": RECORDS["columns"] | {"expected_close": "closed"}}
    deal = history(record(closed="2026-03-09"), mapping).latest
    assert (deal.outcome, deal.expected_close) == (Outcome.OPEN, date(2026, 3, 9))


def test_a_deal_without_a_stage_is_refused():
    [problem] = read(record(stage=None)).problems
    assert (problem.column, problem.refused) == ("stage", True)
    assert problem.reason == "it has no stage for its deal to begin in"


def test_a_second_row_of_an_id_is_refused_and_the_record_incomplete():
    found = read_deals([record(), record(stage="offer")], RECORDS, pipelines=[SHORT])
    assert found.problems == (
        Problem(2, "id", "d-1", "an earlier row has the same id", refused=True),
    )
    assert found.histories[0].latest.stage == "talk"
    assert found.incomplete == ("d-1",)


def test_a_refused_row_does_not_stand_in_the_way_of_a_good_one():
    found = read_deals([record(stage=b""), record()], RECORDS, pipelines=[SHORT])
    assert (found.used, found.refused, found.incomplete) == (1, 1, ("d-1",))


def test_all_fields_of_a_deal_are_read():
    row = record(
        stage="won", closed="2026-03-09", title="Fleet", account="ACME", owner="ada",
        source="web", sale_type="renewal", reason="price", pipeline="short",
    )  # fmt: skip
    mapping = with_columns(
        RECORDS, "title", "account", "owner", "source", "sale_type", "reason", "pipeline",
        system="crm",
    )  # fmt: skip
    deal = history(row, mapping)
    latest = deal.latest
    assert (latest.title, latest.account, latest.owner) == ("Fleet", "ACME", "ada")
    assert (latest.source, latest.sale_type, latest.reason) == ("web", SaleType.RENEWAL, "price")
    assert {event.system for event in deal.events} == {"crm"}


def test_an_unknown_kind_of_sale_is_left_absent_and_reported():
    found = read(record(sale_type="gift"), with_columns(RECORDS, "sale_type"))
    assert found.problems[0].reason.startswith(
        "unknown kind of sale: 'gift'; known: 'new_business'"
    )
    assert found.histories[0].latest.sale_type is None


def test_a_deal_is_in_the_pipeline_of_its_column_or_else_of_the_mapping():
    mapping = with_columns(RECORDS, "pipeline")
    del mapping["opening_stage"]
    rows = [
        record(id="d-1", pipeline="short", stage="won", closed="2026-03-09"),
        record(id="d-2", pipeline="six_stages", stage="closing", closed="2026-03-09"),
        record(id="d-3", pipeline="gone", stage="won"),
        record(id="d-4", pipeline="", stage="talk"),
    ]
    found = read_deals(rows, mapping, pipelines=[SHORT, SIX_STAGES])
    assert [deal.latest.outcome.value for deal in found.histories] == ["won", "won", "open"]
    [problem] = found.problems
    assert (problem.row, problem.column) == (4, "pipeline")
    assert problem.reason == "it has no pipeline, and the mapping names none"
    named = read_deals(rows, mapping | {"pipeline": "short"}, pipelines=[SHORT, SIX_STAGES])
    assert named.histories[3].latest.pipeline == "short"


def test_an_opening_stage_that_the_pipeline_of_a_deal_lacks_is_not_made_up():
    mapping = with_columns(RECORDS, "pipeline")
    row = record(pipeline="six_stages", stage="closing", closed="2026-03-09")
    [deal] = read_deals([row], mapping, pipelines=[SHORT, SIX_STAGES]).histories
    assert visits(deal)[0] == ("contact", at(1), False)


# One row for each record: a missing beginning


def test_the_export_stands_in_for_a_missing_beginning_and_is_marked():
    stand_in = {"missing_start": "exported", "exported": date(2026, 4, 1)}
    deal = history(record(opened=""), **stand_in)
    assert (deal.events[0].at, deal.events[0].start) == (at(1, 4), Start.BY_THEN)
    assert visits(deal) == [("talk", at(1, 4), False)]


def test_a_deal_that_closed_before_the_export_had_begun_by_its_close():
    stand_in = {"missing_start": "exported", "exported": "2026-04-01"}
    deal = history(record(opened=None, stage="won", closed="2026-03-09"), **stand_in)
    assert (deal.events[0].at, deal.events[0].start) == (at(9), Start.BY_THEN)
    later = history(record(opened=None, stage="won", closed="2026-05-09"), **stand_in)
    assert later.events[0].at == at(1, 4)


def test_a_deal_without_a_beginning_is_refused_where_nothing_stands_in():
    for options in ({}, {"exported": date(2026, 4, 1)}):
        [problem] = read(record(opened=""), **options).problems
        assert (problem.column, problem.refused) == ("opened", True)
        assert problem.reason == "it has no beginning, and the mapping names no missing_start"


def test_a_beginning_that_cannot_be_read_is_not_replaced():
    stand_in = {"missing_start": "exported", "exported": date(2026, 4, 1)}
    assert read(record(opened="soon"), **stand_in).refused == 1


# One row for each record: a date for each stage

DATED = {
    "record": "deal",
    "zone": "UTC",
    "columns": {"id": "id", "opened": "opened", "closed": "closed", "stage": "stage"},
    "entered": {"talk": "talk on", "offer": "offer on", "won": "won on"},
}


def dated(**cells):
    return {
        "id": "d-1", "opened": "2026-03-01", "closed": "", "stage": "offer", "talk on": "",
        "offer on": "", "won on": "",
    } | {name.replace("_on", " on"): value for name, value in cells.items()}  # fmt: skip


def test_the_dates_of_stages_become_moves_in_their_order():
    deal = history(dated(talk_on="2026-03-01", offer_on="2026-03-05"), DATED)
    assert visits(deal) == [("talk", at(1), True), ("offer", at(5), True)]
    backward = history(dated(stage="talk", talk_on="2026-03-07", offer_on="2026-03-05"), DATED)
    assert [state for state, _, _ in visits(backward)] == ["talk", "offer", "talk"]


def test_a_date_of_a_closed_stage_closes_the_deal_as_a_closing_date_does():
    deal = history(dated(stage="won", talk_on="2026-03-01", won_on="2026-03-09"), DATED)
    assert isinstance(deal.events[1], Won)
    by_column = history(dated(stage="won", talk_on="2026-03-01", closed="2026-03-09"), DATED)
    assert by_column == deal


def test_two_dates_of_one_close_that_differ_are_reported():
    row = dated(stage="won", talk_on="2026-03-01", won_on="2026-03-09", closed="2026-03-12")
    found = read(row, DATED)
    [problem] = found.problems
    assert (problem.column, problem.refused) == ("closed", False)
    assert problem.reason == "'won' has a date of its own, and that stands"
    assert found.histories[0].latest.closed_at == at(9)
    same_day = row | {"closed": "2026-03-09T17:00"}
    assert history(same_day, DATED).latest.closed_at == at(9)


def test_on_one_date_the_stage_that_the_deal_is_in_comes_last():
    row = dated(stage="talk", talk_on="2026-03-05", offer_on="2026-03-05")
    assert history(row, DATED).latest.stage == "talk"
    assert history(row | {"stage": "offer"}, DATED).latest.stage == "offer"


def test_the_opening_stage_was_visited_even_where_another_was_entered_on_the_same_day():
    mapping = DATED | {"opening_stage": "talk"}
    deal = history(dated(offer_on="2026-03-01"), mapping)
    assert visits(deal) == [("talk", at(1), True), ("offer", at(1), True)]


def test_a_deal_that_began_before_its_first_date_was_in_a_stage_not_known_since_when():
    deal = history(dated(offer_on="2026-03-05"), DATED)
    assert visits(deal) == [("talk", at(1), False), ("offer", at(5), True)]
    [stray] = read_deals([dated(offer_on="2026-03-05")], DATED).histories
    assert visits(stray) == [("offer", at(1), False)]


def test_a_date_before_the_beginning_is_reported_and_the_stage_begins_with_the_record():
    row = dated(opened="2026-03-10", talk_on="2026-03-05", offer_on="2026-03-12")
    found = read(row, DATED)
    [problem] = found.problems
    assert (problem.column, problem.value, problem.refused) == ("talk on", "2026-03-05", False)
    assert visits(found.histories[0])[0] == ("talk", at(10), True)
    same_day = dated(opened="2026-03-10T15:00", talk_on="2026-03-10", offer_on="2026-03-12")
    assert visits(history(same_day, DATED))[0] == ("talk", at(10, hour=15), True)


def test_without_a_beginning_a_record_had_begun_by_its_first_date():
    row = dated(opened="", talk_on="2026-03-03", offer_on="2026-03-05")
    deal = history(row, DATED)
    assert (deal.events[0].at, deal.events[0].start) == (at(3), Start.BY_THEN)
    assert visits(deal) == [("talk", at(3), False), ("offer", at(5), True)]


def test_the_date_of_the_opening_stage_is_the_beginning_where_none_is_given():
    row = dated(opened="", talk_on="2026-03-03", offer_on="2026-03-05")
    deal = history(row, DATED | {"opening_stage": "talk"})
    assert deal.events[0].start is Start.EXACT
    assert visits(deal) == [("talk", at(3), True), ("offer", at(5), True)]


def test_an_open_stage_without_a_date_leaves_the_last_one_standing_and_is_reported():
    found = read(dated(stage="offer", talk_on="2026-03-01"), DATED)
    [problem] = found.problems
    assert (problem.column, problem.value, problem.refused) == ("stage", "offer", False)
    assert problem.reason == "it is not the last stage with a date; 'talk' stands"
    assert found.histories[0].latest.stage == "talk"


def test_an_open_deal_whose_last_date_is_of_its_close_is_refused():
    found = read(dated(stage="offer", talk_on="2026-03-01", won_on="2026-03-09"), DATED)
    [problem] = found.problems
    assert (problem.column, problem.refused) == ("stage", True)
    assert problem.reason == "the deal is open, and 'won' is the last stage with a date"


def test_a_date_of_a_stage_that_cannot_be_read_refuses_the_row():
    [problem] = read(dated(offer_on="soon"), DATED).problems
    assert (problem.column, problem.refused) == ("offer on", True)
    assert problem.reason == "entered.offer: 'soon' is no date or date and time in ISO 8601"


def test_a_close_that_is_dated_earlier_than_another_gives_its_amount_to_the_last():
    mapping = with_columns(DATED, "amount", "reason", currency="EUR")
    mapping["entered"] = {"talk": "talk on", "lost": "offer on", "won": "won on"}
    row = dated(stage="won", talk_on="2026-03-01", offer_on="2026-03-05", won_on="2026-03-09")
    deal = history(row | {"amount": "9", "reason": "price"}, mapping)
    assert [(type(event), getattr(event, "reason", None)) for event in deal.events] == [
        (Opened, None),
        (Lost, None),
        (Won, "price"),
    ]
    assert deal.as_of(at(8)).amount is None


# One row for each event: deals


def test_events_open_move_win_lose_and_reopen_by_what_their_stages_mean():
    rows = [
        {"at": f"2026-03-0{day}", "stage": stage}
        for day, stage in enumerate(["talk", "offer", "won", "lost", "talk", "lost"], 1)
    ]
    written = events(rows)
    assert [type(event) for event in written] == [Opened, Moved, Won, Lost, Reopened, Lost]
    assert [event.stage_left for event in written[1:]] == ["talk", "offer", "won", "lost", "talk"]


def test_a_status_that_follows_itself_is_kept_and_opens_no_visit():
    rows = [{"at": f"2026-03-0{day}", "stage": "won" if day > 1 else "talk"} for day in (1, 2, 3)]
    deal = read_deals([{"id": "d-1", **row} for row in rows], EVENTS, pipelines=[SHORT])
    [found] = deal.histories
    assert [type(event) for event in found.events] == [Opened, Won, Moved]
    assert visits(found) == [("talk", at(1), True), ("won", at(2), True)]
    assert found.latest.closed_at == at(2)


def test_rows_of_events_are_taken_in_their_order_even_where_instants_run_backwards():
    written = events([{"at": "2026-03-05", "stage": "talk"}, {"at": "2026-03-01", "stage": "won"}])
    assert [event.at for event in written] == [at(5), at(1)]


def test_a_sequence_orders_the_rows_of_a_record_by_number_and_not_as_text():
    rows = [
        {"at": "2026-03-10", "stage": "won", "sequence": "10"},
        {"at": "2026-03-02", "stage": "offer", "sequence": "2.0"},
        {"at": "2026-03-01", "stage": "talk", "sequence": 1},
    ]
    assert [event.stage for event in events(rows, EVENTS, "sequence")] == ["talk", "offer", "won"]


@pytest.mark.parametrize("cell", ["first", "1.5", 1.5, True, float("inf"), "9" * 5000, b"1"])
def test_a_sequence_that_is_no_whole_number_refuses_its_row(cell):
    rows = [{"id": "d-1", "at": "2026-03-01", "stage": "talk", "sequence": cell}]
    found = read_deals(rows, with_columns(EVENTS, "sequence"))
    [problem] = found.problems
    assert (problem.column, problem.refused) == ("sequence", True)
    assert found.incomplete == ("d-1",)


def test_a_row_without_its_sequence_is_refused_for_its_place_is_not_known():
    rows = [
        {"id": "d-1", "at": "2026-03-01", "stage": "talk", "sequence": 1},
        {"id": "d-1", "at": "2026-03-02", "stage": "won", "sequence": None},
    ]
    found = read_deals(rows, with_columns(EVENTS, "sequence"))
    [problem] = found.problems
    assert (problem.row, problem.column, problem.refused) == (2, "sequence", True)
    assert problem.reason == "it has no number that says where it stands"


def test_rows_of_several_records_may_be_mixed():
    rows = [
        {"id": "d-1", "at": "2026-03-01", "stage": "talk"},
        {"id": "d-2", "at": "2026-03-01", "stage": "talk"},
        {"id": "d-1", "at": "2026-03-02", "stage": "offer"},
    ]
    found = read_deals(rows, EVENTS, pipelines=[SHORT])
    assert [(deal.record, len(deal.events)) for deal in found.histories] == [("d-1", 2), ("d-2", 1)]


def test_a_row_of_events_writes_all_that_differs_from_before():
    fields = (
        "amount", "owner", "title", "expected_close", "activity", "reason", "by", "role",
    )  # fmt: skip
    first = {
        "at": "2026-03-01", "stage": "talk", "amount": "5", "owner": "ada", "title": "Fleet",
        "expected_close": "2026-06-01", "activity": "call",
    }  # fmt: skip
    second = first | {
        "at": "2026-03-02", "stage": "offer", "amount": "6", "owner": "bob", "title": "Fleet 2",
        "expected_close": "2026-07-01", "activity": "email", "by": "u-1", "role": "sales",
    }  # fmt: skip
    same = {**second, "at": "2026-03-03", "stage": None, "activity": None}
    won = {"at": "2026-03-04", "stage": "won", "amount": "7", "reason": "price"}
    written = events([first, second, same, won], EVENTS, *fields)
    assert [type(event) for event in written] == [
        Opened, ActivityRecorded, Moved, AmountChanged, CloseDateChanged, OwnerChanged, FieldSet,
        ActivityRecorded, Won,
    ]  # fmt: skip
    assert {(event.by, event.role) for event in written[2:8]} == {("u-1", "sales")}
    assert (written[0].by, written[0].amount, written[8].amount) == (
        None,
        Money(5, "EUR"),
        Money(7, "EUR"),
    )
    assert written[8].reason == "price"
    assert [event.sequence for event in written] == list(range(1, 10))


def test_an_attribute_is_written_where_it_differs():
    rows = [
        {"at": "2026-03-01", "stage": "talk", "seats": 40},
        {"at": "2026-03-02", "seats": 40},
        {"at": "2026-03-03", "seats": 50},
    ]
    written = events(rows, EVENTS, attributes={"seats": "seats"})
    assert [(type(event), event.at) for event in written] == [(Opened, at(1)), (FieldSet, at(3))]
    assert (written[1].field, written[1].value) == ("attributes.seats", 50)


def test_the_id_of_a_row_is_that_of_its_first_event_and_the_others_add_what_they_say():
    rows = [
        {"at": "2026-03-01", "stage": "talk", "event_id": "e-1"},
        {"at": "2026-03-02", "stage": "offer", "event_id": "e-2", "owner": "ada"},
        {"at": "2026-03-03", "stage": "won", "event_id": None},
    ]
    written = events(rows, EVENTS, "event_id", "owner", system="crm")
    assert [event.identity for event in written] == [
        ("crm", "e-1"),
        ("crm", "e-2"),
        ("crm", "e-2/OwnerChanged"),
        ("d-1", 4),
    ]


def test_a_second_row_of_an_event_is_refused_and_of_another_record_is_not():
    rows = [
        {"id": "d-1", "at": "2026-03-01", "stage": "talk", "event_id": 1},
        {"id": "d-1", "at": "2026-03-01", "stage": "talk", "event_id": "1"},
        {"id": "d-2", "at": "2026-03-01", "stage": "talk", "event_id": "1"},
    ]
    found = read_deals(rows, with_columns(EVENTS, "event_id", system="crm"))
    reason = "an earlier row of the record has the same id of an event"
    assert found.problems == (Problem(2, "event_id", "1", reason, refused=True),)
    assert found.incomplete == ("d-1",)


def test_an_event_learnt_of_later_says_so_and_one_learnt_of_at_once_does_not():
    rows = [
        {"at": "2026-03-01", "stage": "talk", "recorded_at": "2026-03-01"},
        {"at": "2026-03-02", "stage": "offer", "recorded_at": "2026-03-05"},
        {"at": "2026-03-06", "stage": "won", "recorded_at": "2026-03-01"},
    ]
    written = events(rows, EVENTS, "recorded_at")
    assert [event.recorded_at for event in written] == [None, at(5), None]


def test_a_row_without_an_instant_is_refused():
    found = read_deals([{"id": "d-1", "at": "", "stage": "talk"}], EVENTS)
    assert found.problems == (Problem(1, "at", "", "it has no instant", refused=True),)


def test_a_row_that_says_nothing_is_refused():
    rows = [
        {"id": "d-1", "at": "2026-03-01", "stage": "talk", "by": "", "reason": ""},
        {"id": "d-1", "at": "2026-03-02", "stage": "", "by": "ada", "reason": "price"},
    ]
    found = read_deals(rows, with_columns(EVENTS, "by", "reason"))
    assert found.problems == (
        Problem(2, None, None, "it says nothing that happened", refused=True),
    )


def test_rows_before_the_first_stage_of_a_deal_are_refused_and_the_rest_is_used():
    rows = [
        {"id": "d-1", "at": "2026-03-01", "stage": "", "owner": "ada"},
        {"id": "d-2", "at": "2026-03-01", "stage": "", "owner": "ada"},
        {"id": "d-1", "at": "2026-03-02", "stage": "talk", "owner": ""},
    ]
    found = read_deals(rows, with_columns(EVENTS, "owner"))
    assert (found.used, found.refused, found.incomplete) == (1, 2, ("d-1", "d-2"))
    assert [problem.column for problem in found.problems] == ["stage", "stage"]
    assert [deal.record for deal in found.histories] == ["d-1"]


def test_problems_and_incomplete_ids_are_in_the_order_of_rows_whenever_they_were_found():
    rows = [
        {"id": "d-1", "at": "2026-03-01", "stage": "", "amount": "5"},
        {"id": "d-2", "at": "soon", "stage": "talk", "amount": ""},
        {"id": "d-1", "at": "2026-03-02", "stage": "talk", "amount": "much"},
    ]
    found = read_deals(rows, with_columns(EVENTS, "amount"))
    assert [(problem.row, problem.refused) for problem in found.problems] == [
        (1, True),
        (2, True),
        (3, False),
    ]
    assert found.incomplete == ("d-1", "d-2")


def test_a_deal_may_change_its_pipeline_with_a_stage():
    rows = [
        {"at": "2026-03-01", "stage": "talk", "pipeline": "short"},
        {"at": "2026-03-02", "stage": "closing", "pipeline": "six_stages"},
        {"at": "2026-03-03", "stage": "meeting", "pipeline": ""},
    ]
    mapping = with_columns(EVENTS, "pipeline")
    found = read_deals([{"id": 1, **row} for row in rows], mapping, pipelines=[SHORT, SIX_STAGES])
    [deal] = found.histories
    assert [type(event) for event in deal.events] == [Opened, Won, Reopened]
    assert deal.latest.pipeline == "six_stages"
    assert deal.events[1].pipeline_left == "short"


# Contacts


def test_a_contact_is_read_with_its_fields():
    fields = ("name", "email", "company", "account", "owner", "source")
    row = {field: field.upper() for field in fields}
    found = contact(row, with_columns(PEOPLE, *fields))
    latest = found.histories[0].latest
    assert [getattr(latest, field) for field in fields] == [field.upper() for field in fields]
    assert latest.created_at == at(1)
    assert found.histories[0].events[0].observed_from is None


def test_a_lifecycle_stage_without_a_date_is_not_known_since_when():
    [found] = contact({"stage": "customer"}).histories
    assert visits(found) == [("customer", at(1), False)]


def test_a_lead_status_without_a_date_is_not_known_since_when():
    [found] = contact({"status": "connected"}).histories
    assert [visit.entry_known for visit in found.status_visits(LATER)] == [False]


def test_a_lifecycle_stage_that_is_none_refuses_its_row():
    found = contact({"stage": "Other"})
    [problem] = found.problems
    assert (problem.column, problem.refused) == ("stage", True)
    assert problem.reason.startswith("unknown lifecycle stage: 'Other'; known: 'subscriber'")
    assert found.incomplete == ("c-1",)


REACHED = PEOPLE | {
    "entered": {"lead": "lead on", "opportunity": "opportunity on", "customer": "customer on"}
}
UNDATED = {"lead on": "", "opportunity on": "", "customer on": ""}


def test_dates_of_lifecycle_stages_become_steps():
    row = UNDATED | {"lead on": "2026-03-01", "customer on": "2026-03-09", "stage": "customer"}
    [found] = contact(row, REACHED).histories
    assert [type(event) for event in found.events] == [Created, LifecycleStageSet]
    assert visits(found) == [("lead", at(1), True), ("customer", at(9), True)]


def test_a_contact_created_before_its_first_dated_stage_was_in_none():
    [found] = contact(UNDATED | {"lead on": "2026-03-05"}, REACHED).histories
    assert found.as_of(at(4)).lifecycle_stage is None
    assert visits(found) == [("lead", at(5), True)]


def test_the_furthest_stage_with_a_date_stands_against_another():
    row = UNDATED | {"lead on": "2026-03-01", "stage": "customer"}
    found = contact(row, REACHED)
    [problem] = found.problems
    assert (problem.column, problem.value, problem.refused) == ("stage", "customer", False)
    assert problem.reason == "'lead' is the furthest stage with a date, and stands"
    assert found.histories[0].latest.lifecycle_stage is LifecycleStage.LEAD


def test_a_lead_status_beside_dated_stages_stays_and_is_not_known_since_when():
    row = UNDATED | {"lead on": "2026-03-02", "customer on": "2026-03-09", "status": "connected"}
    [found] = contact(row, REACHED).histories
    assert found.latest.lead_status == "connected"
    assert [visit.entry_known for visit in found.status_visits(LATER)] == [False]
    assert visits(found) == [("lead", at(2), True), ("customer", at(9), True)]


def test_a_contact_without_a_beginning_had_begun_by_its_first_date():
    row = UNDATED | {"created": "", "lead on": "2026-03-05"}
    [found] = contact(row, REACHED).histories
    assert (found.events[0].at, found.events[0].start) == (at(5), Start.BY_THEN)


def test_the_export_stands_in_for_a_contact_too():
    stand_in = {"missing_start": "exported", "exported": datetime(2026, 4, 1, tzinfo=UTC)}
    [found] = contact({"created": None}, **stand_in).histories
    assert (found.events[0].at, found.events[0].start) == (at(1, 4), Start.BY_THEN)
    assert contact({"created": None}).problems[0].column == "created"


def steps(*rows):
    found = read_contacts([{"id": "c-1", "stage": "", "status": "", **row} for row in rows], STEPS)
    assert found.problems == ()
    return found.histories[0]


def test_events_of_a_contact_set_stages_and_statuses():
    found = steps(
        {"at": "2026-03-01"} | {"stage": "lead"},
        {"at": "2026-03-02", "stage": "sales_qualified_lead", "status": "new"},
        {"at": "2026-03-03", "status": "connected"},
        {"at": "2026-03-04", "stage": "sales_qualified_lead", "status": "open_deal"},
        {"at": "2026-03-05", "stage": "lead"},
    )
    assert [type(event) for event in found.events] == [
        Created,
        LifecycleStageSet,
        LeadStatusSet,
        LeadStatusSet,
        LifecycleStageSet,
    ]
    assert (found.events[2].status_left, found.events[3].status_left) == ("new", "connected")
    assert found.latest.lifecycle_stage is LifecycleStage.SQL
    assert found.latest.lead_status == "open_deal"


def test_a_lifecycle_stage_that_follows_itself_is_kept():
    found = steps({"at": "2026-03-01", "stage": "lead"}, {"at": "2026-03-02", "stage": "lead"})
    assert [type(event) for event in found.events] == [Created, LifecycleStageSet]
    assert len(found.visits(LATER)) == 1


def test_an_activity_and_a_changed_field_of_a_contact_are_written():
    mapping = with_columns(STEPS, "activity", "name")
    rows = [
        {
            "id": "c-1",
            "at": "2026-03-01",
            "stage": "",
            "status": "",
            "activity": "form",
            "name": "A",
        },
        {"id": "c-1", "at": "2026-03-02", "stage": "", "status": "", "activity": "", "name": "B"},
    ]
    [found] = read_contacts(rows, mapping).histories
    assert [type(event) for event in found.events] == [Created, ActivityRecorded, FieldSet]
    assert found.latest.name == "B"


# Mappings


def test_a_mapping_is_what_tomllib_reads():
    mapping = tomllib.loads(
        """
        record = "deal"
        zone = "Europe/Berlin"
        currency = "EUR"
        exported = 2026-04-01T08:00:00Z
        missing_start = "exported"
        opening_stage = "talk"
        absent = ["n/a"]

        [columns]
        id = "ID"
        opened = "Since"
        stage = "Stage"
        closed = "Until"

        [values.stage]
        "Closed (won)" = "signed"

        [[pipelines]]
        key = "mine"
        name = "Mine"
        former = { call = "talk" }
        source = "the handbook"

        [[pipelines.stages]]
        key = "talk"
        name = "Talk"
        probability = 0.1
        rot_after_days = 14
        meaning = "we talk"
        entry = "a name"
        next_step = "ask"
        journey = "initial_contact"

        [[pipelines.stages]]
        key = "hold"
        parked = true

        [[pipelines.stages]]
        key = "signed"
        outcome = "won"
        probability = 1
        """
    )
    row = {"ID": "7", "Since": "n/a", "Stage": "Closed (won)", "Until": "2026-03-09"}
    found = read_deals([row], mapping)
    [pipeline] = found.pipelines
    talk = Stage(
        "talk", "Talk", probability="0.1", rot_after=timedelta(days=14), meaning="we talk",
        entry="a name", next_step="ask", journey="initial_contact",
    )  # fmt: skip
    stages = [talk, Stage("hold", parked=True), Stage("signed", outcome="won", probability=1)]
    expected = Pipeline("mine", stages, "Mine", former={"call": "talk"}, source="the handbook")
    assert pipeline == expected
    assert found.histories[0].latest.outcome is Outcome.WON


def test_a_mapping_is_a_mapping_or_refused():
    check_door(lambda value: read_deals([], value))
    check_door(lambda value: read_contacts([], value))


def test_every_option_is_taken_or_refused_by_an_error_of_the_library():
    options = (
        "record", "shape", "columns", "attributes", "entered", "values", "absent", "zone",
        "date_format", "currency", "system", "exported", "missing_start", "opening_stage",
        "pipeline", "pipelines",
    )  # fmt: skip
    for option in options:
        for value in STRANGE:
            with suppress(InvalidValueError):
                read_deals([], RECORDS | {option: value}, pipelines=[SHORT])
    huge = "a" * 10_000
    for option in ("opening_stage", "pipeline", "zone", "currency", "date_format", huge):
        assert all(len(fault) < 400 for fault in faults_of(RECORDS | {option: huge}))


def test_an_option_of_the_wrong_kind_is_named_with_what_would_do():
    faults = faults_of(
        RECORDS | {"zone": 5, "absent": "n/a", "values": [], "pipelines": {}, "currency": True}
    )
    assert faults == (
        "zone must be the name of a zone such as 'Europe/Berlin' (got 5)",
        "currency must be a three-letter code such as 'EUR' (got True)",
        "absent must be a list of texts that stand for nothing (got 'n/a')",
        "values must be a table of fields, each with a table of texts (got [])",
        "pipelines must be a list of tables, each a pipeline (got {})",
        "columns.amount needs currency, the code, or columns.currency",
    )


def test_all_faults_of_a_mapping_are_named_in_one_error():
    mapping = {
        "record": "deal",
        "colour": "red",
        "zone": "Mars/Olympus",
        "currency": "eur",
        "date_format": "%d.%m",
        "columns": {"opened": "o", "colour": "c", "stage": 7},
        "values": {"owner": {}, "stage": {"a": 1}},
        "missing_start": "today",
        "absent": [0],
    }
    faults = faults_of(mapping)
    assert [fault.split(";")[0] for fault in faults] == [
        "unknown option 'colour'",
        "columns must name columns by their text (got 'stage' = 7)",
        "unknown field columns.colour",
        "columns.id is needed",
        "values.owner is for no column and no attribute that is declared",
        "values.stage must map texts to texts (got 'a' = 1)",
        "zone: 'Mars/Olympus' is no known zone, such as 'Europe/Berlin'",
        "currency: 'eur' is not a three-letter upper-case code such as 'EUR'",
        "absent must list texts (got 0)",
        "date_format '%d.%m' does not hold a year, month and day",
        "missing_start must be 'exported' (got 'today')",
    ]


KINDS = "record must be 'deal' or 'contact', and shape 'records', 'events', 'stays' or 'changes'"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"record": "lead"}, KINDS),
        ({"shape": "wide"}, KINDS),
        ({"missing_start": "exported"}, "missing_start is 'exported', and exported is not given"),
        ({"exported": "soon"}, "exported: 'soon' is no date or date and time in ISO 8601"),
        ({"values": {"stage": 5}}, "values.stage must map texts to texts (got 5)"),
        ({"date_format": "%Q"}, "date_format '%Q' does not hold a year, month and day"),
        ({"opening_stage": "tlak"},
         "opening_stage names 'tlak', which is an open stage of no pipeline given"),
        ({"opening_stage": "won"},
         "opening_stage names 'won', which is an open stage of no pipeline given"),
        ({"pipeline": "shrot"}, "pipeline names 'shrot'; known: 'short'"),
        ({"pipelines": [7]}, "pipelines[0] must be a table (got 7)"),
        ({"pipelines": [{"key": "x", "stages": [7]}]},
         "pipelines[0].stages[0] must be a table (got 7)"),
        ({"pipelines": [{"key": "x", "stages": [{"key": "a", "outcome": "maybe"}]}]},
         "pipelines[0].stages[0]: unknown outcome: 'maybe'; known: 'open', 'won', 'lost'"),
        ({"pipelines": [{"key": "x", "stages": [{"key": "a", "parked": "no"}]}]},
         "pipelines[0].stages[0].parked must be true or false (got 'no')"),
        ({"pipelines": [{"key": "x", "stages": [{"key": "a", "rot_after_days": 10**9}]}]},
         "pipelines[0].stages[0].rot_after_days must be from 1 to 36500 (got 1000000000)"),
        ({"pipelines": [{"key": "x", "stages": [{"key": "a", "rot_after_days": True}]}]},
         "pipelines[0].stages[0].rot_after_days must be a whole number of days (got True)"),
        ({"pipelines": [{"key": "x", "stages": []}]}, "pipelines[0]: no stage is open"),
        ({"pipelines": [{"stages": [{"key": "a"}]}]},
         "pipelines[0]: 'key' must be text that is not empty (got None)"),
        ({"pipelines": [{"key": "short", "stages": [{"key": "talk"}]}]},
         "the pipeline 'short' is given twice"),
        ({"attributes": {7: "x"}}, "attributes must name columns by their text (got 7 = 'x')"),
    ],
)  # fmt: skip
def test_a_fault_of_a_mapping_says_where_and_what_would_do(options, fault):
    assert fault in faults_of(RECORDS | options)


def test_an_unknown_option_of_a_pipeline_or_stage_is_named_with_the_known_ones():
    table = {"key": "x", "colour": 1, "stages": [{"key": "a", "colour": 2}]}
    faults = faults_of(RECORDS | {"pipelines": [table]})
    assert faults == (
        "pipelines[0]: unknown option 'colour'; known: key, name, stages, former, source",
        (
            "pipelines[0].stages[0]: unknown option 'colour'; known: key, name, outcome, "
            "probability, rot_after_days, parked, journey, meaning, entry, next_step"
        ),
    )


def test_an_option_that_means_nothing_for_its_table_is_refused():
    events_faults = faults_of(
        EVENTS | {"entered": {}, "missing_start": "exported", "opening_stage": "talk"}
    )
    assert "entered means nothing for a table of deal events; leave it out" in events_faults
    assert "opening_stage means nothing for a table of deal events; leave it out" in events_faults
    with pytest.raises(InvalidValueError) as caught:
        read_contacts([], PEOPLE | {"opening_stage": "lead", "pipeline": "x", "pipelines": []})
    assert caught.value.faults == tuple(
        f"{option} means nothing for a table of contact records; leave it out"
        for option in ("opening_stage", "pipeline", "pipelines")
    )


def test_a_mapping_of_contacts_names_only_lifecycle_stages():
    with pytest.raises(InvalidValueError) as caught:
        read_contacts([], PEOPLE | {"entered": {"won": "x", "lead": "y"}})
    [fault] = caught.value.faults
    assert fault.startswith("entered.won is no lifecycle stage; known: subscriber, lead")


def test_among_several_pipelines_the_mapping_must_say_which():
    mapping = {name: value for name, value in RECORDS.items() if name != "opening_stage"}
    [fault] = faults_of(mapping, [SHORT, SIX_STAGES])
    assert fault == "pipeline must say in which of 'short', 'six_stages' the deals are"


def test_the_one_pipeline_that_a_mapping_declares_goes_before_those_given():
    declared = {"key": "mine", "stages": [{"key": "talk"}]}
    found = read_deals([record()], RECORDS | {"pipelines": [declared]}, pipelines=[SIX_STAGES])
    assert found.histories[0].latest.pipeline == "mine"


def test_the_id_of_an_event_needs_the_system_that_gave_it():
    [fault] = faults_of(with_columns(EVENTS, "event_id"))
    assert fault == "columns.event_id needs system, for an id is known by where it is from"


def test_a_mapping_for_the_other_kind_of_record_says_which_reader_to_call():
    with pytest.raises(
        InvalidValueError, match="its record is 'contact'; read it with read_contacts"
    ):
        read_deals([], PEOPLE)
    with pytest.raises(InvalidValueError, match="its record is 'deal'; read it with read_deals"):
        read_contacts([], RECORDS)


def test_pipelines_beside_the_mapping_must_be_pipelines():
    check_door(
        lambda value: read_deals([], RECORDS, pipelines=value),
        takes=lambda value: (
            isinstance(value, list | tuple | set | dict | bytearray | bytes) and not value
        ),
    )


def test_a_mapping_with_an_object_that_cannot_be_asked_anything_is_refused():
    class Silent:
        @property
        def __class__(self):
            raise RuntimeError("leave me alone")

    with pytest.raises(InvalidValueError, match="it holds something that cannot be read"):
        read_deals([], {"record": Silent()})
