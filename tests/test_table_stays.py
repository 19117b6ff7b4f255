"""Tables with one row for each stay in a stage."""

from datetime import UTC, date, datetime, timedelta

import pytest

from salespipeline.connectors.table import read_contacts, read_deals
from salespipeline.errors import InvalidValueError
from salespipeline.events import AmountChanged, Lost, Moved, Opened, OwnerChanged, Start, Won
from salespipeline.money import Money
from salespipeline.pipelines import Pipeline, Stage

SHORT = Pipeline(
    "short",
    [Stage("talk"), Stage("offer"), Stage("won", outcome="won"), Stage("lost", outcome="lost")],
)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
STAYS = {
    "record": "deal",
    "shape": "stays",
    "zone": "UTC",
    "columns": {"id": "deal", "stage": "stage", "entered": "from", "left": "until"},
}
PEOPLE = {
    "record": "contact",
    "shape": "stays",
    "zone": "UTC",
    "columns": {
        "id": "person", "stage": "stage", "lead_status": "status", "entered": "from",
        "left": "until",
    },
}  # fmt: skip


def at(day, hour=0, second=0):
    return datetime(2026, 3, day, hour, 0, second, tzinfo=UTC)


def with_columns(*fields, **options):
    columns = STAYS["columns"] | {field: field for field in fields}
    return STAYS | {"columns": columns} | options


def stay(stage, entered, left="", **cells):
    return {"deal": "d-1", "stage": stage, "from": entered, "until": left, **cells}


def read(*rows, mapping=STAYS, **options):
    return read_deals(rows, mapping | options, pipelines=[SHORT])


def visits(history):
    return [(visit.state, visit.entered, visit.entry_known) for visit in history.visits(LATER)]


def reasons(found):
    return [(problem.row, problem.column, problem.reason) for problem in found.problems]


# The course


def test_stays_become_an_opening_and_moves_in_the_order_in_which_they_were_entered():
    found = read(
        stay("won", "2026-03-09"),
        stay("talk", "2026-03-01", "2026-03-05"),
        stay("offer", "2026-03-05", "2026-03-09"),
    )
    assert (found.used, found.refused, found.problems) == (3, 0, ())
    [deal] = found.histories
    assert [type(event) for event in deal.events] == [Opened, Moved, Won]
    assert deal.events[0].start is Start.EXACT
    assert visits(deal) == [("talk", at(1), True), ("offer", at(5), True), ("won", at(9), True)]


def test_of_stays_that_began_together_the_one_that_ended_first_comes_first():
    found = read(
        stay("offer", "2026-03-01", "2026-03-05"),
        stay("talk", "2026-03-01", "2026-03-01"),
        stay("won", "2026-03-05"),
    )
    assert found.problems == ()
    assert [state for state, _, _ in visits(found.histories[0])] == ["talk", "offer", "won"]


def test_a_sequence_orders_stays_against_their_dates():
    rows = [stay("talk", "2026-03-05", sequence=1), stay("offer", "2026-03-01", sequence=2)]
    mapping = with_columns("sequence")
    [deal] = read(*rows, mapping=mapping).histories
    assert visits(deal) == [("talk", at(5), True), ("offer", at(1), True)]


def test_stays_of_several_records_may_be_mixed():
    found = read(
        stay("talk", "2026-03-01", "2026-03-05"),
        stay("talk", "2026-03-02") | {"deal": "d-2"},
        stay("lost", "2026-03-05"),
    )
    assert [(deal.record, len(deal.events)) for deal in found.histories] == [("d-1", 2), ("d-2", 1)]
    assert isinstance(found.histories[0].events[1], Lost)


def test_versions_of_a_record_in_one_stage_are_one_visit_and_keep_what_changed():
    mapping = with_columns("amount", "owner", "by", "event_id", currency="EUR", system="lake")
    cells = {"amount": 5, "owner": "ada", "by": "u-1"}
    rows = [
        stay("talk", "2026-03-01", "2026-03-05", **cells, event_id=1),
        stay("talk", "2026-03-05", **cells | {"amount": 6, "owner": "bob"}, event_id=2),
    ]
    found = read(*rows, mapping=mapping)
    [deal] = found.histories
    assert [type(event) for event in deal.events] == [Opened, Moved, AmountChanged, OwnerChanged]
    assert visits(deal) == [("talk", at(1), True)]
    assert (deal.latest.amount, deal.latest.owner) == (Money(6, "EUR"), "bob")
    assert [event.identity for event in deal.events[:2]] == [("lake", "1"), ("lake", "2")]
    assert {event.by for event in deal.events} == {"u-1"}


# Ends


@pytest.mark.parametrize(
    "end",
    [
        None, "", "2050-01-01", "2050-01-01 00:00:00", "9999-12-31", "9999-12-31 23:59:59.999",
        "9999-12-31T23:59:59-11:00", date(2050, 1, 1), date(9999, 12, 31),
        datetime.max.replace(tzinfo=UTC),
    ],
)  # fmt: skip
def test_an_open_end_means_still_there(end):
    found = read(stay("talk", "2026-03-01", "2026-03-05"), stay("offer", "2026-03-05", end))
    assert (found.used, found.problems) == (2, ())
    assert found.histories[0].visits(LATER)[-1].is_open


def test_open_ends_may_be_named_as_texts_and_dates():
    options = {"open_ends": [" now ", date(2040, 1, 1), datetime(2041, 1, 1, tzinfo=UTC)]}
    for end in ("now", "2040-01-01", "2041-01-01T08:00", date(2040, 1, 1)):
        assert read(stay("talk", "2026-03-01", end), **options).problems == ()
    [problem] = read(stay("talk", "2026-03-01", "9999-12-31"), **options).problems
    assert problem.reason == "no stay follows; the record is taken to be still there"


def test_open_ends_follow_the_format_of_dates():
    options = {"date_format": "%d.%m.%Y"}
    rows = [stay("talk", "01.03.2026", "31.12.9999")]
    assert read(*rows, **options).problems == ()
    named = read(stay("talk", "01.03.2026", "31.12.2099"), open_ends=["31.12.2099"], **options)
    assert named.problems == ()


def test_the_table_may_have_no_column_of_ends():
    columns = {name: column for name, column in STAYS["columns"].items() if name != "left"}
    found = read(stay("talk", "2026-03-01"), stay("offer", "2026-03-05"), columns=columns)
    assert found.problems == ()
    assert len(visits(found.histories[0])) == 2


@pytest.mark.parametrize("end", ["soon", 7, b"x", "0001-01-01T00:00+14:00"])
def test_an_end_that_cannot_be_read_refuses_its_row(end):
    found = read(stay("talk", "2026-03-01", end))
    [problem] = found.problems
    assert (problem.column, problem.value, problem.refused) == ("until", end, True)
    assert found.incomplete == ("d-1",)


def test_a_gap_is_reported_and_the_visit_ends_with_the_next_entry():
    found = read(stay("talk", "2026-03-01T00:00", "2026-03-03T10:00"), stay("offer", "2026-03-05"))
    reason = (
        "it does not meet the next stay, which began at 2026-03-05T00:00:00+00:00; "
        "the record stayed until then"
    )
    assert reasons(found) == [(1, "until", reason)]
    assert not found.problems[0].refused
    assert (found.used, found.refused, found.incomplete) == (2, 0, ())
    talk, _ = found.histories[0].visits(LATER)
    assert talk.left == at(5)


def test_stays_that_overlap_are_reported_and_the_first_ends_with_the_next_entry():
    found = read(stay("talk", "2026-03-01", "2026-03-08"), stay("offer", "2026-03-05"))
    assert [problem.column for problem in found.problems] == ["until"]
    assert found.histories[0].visits(LATER)[0].left == at(5)


def test_a_stay_without_an_end_before_another_is_reported():
    found = read(stay("talk", "2026-03-01", "9999-12-31"), stay("offer", "2026-03-05"))
    reason = "it has no end, and the next stay began at 2026-03-05T00:00:00+00:00"
    assert reasons(found) == [(1, "until", reason)]


def test_an_end_that_no_stay_follows_is_reported_and_the_record_is_still_there():
    found = read(stay("talk", "2026-03-01", "2026-03-05"))
    assert reasons(found) == [
        (1, "until", "no stay follows; the record is taken to be still there")
    ]
    assert found.histories[0].visits(LATER)[0].is_open


@pytest.mark.parametrize(
    ("left", "entered", "meets"),
    [
        (at(5, 10), at(5, 10), True),
        (at(5, 10) - timedelta(milliseconds=1), at(5, 10), True),
        (at(5, 10, 1), at(5, 10), True),
        (at(5, 10), at(5, 10, 2), False),
        (at(5, 10, 2), at(5, 10), False),
        ("2026-03-04", "2026-03-05", True),
        ("2026-03-04", "2026-03-05T01:00", True),
        ("2026-03-04", "2026-03-05T02:00", False),
        ("2026-03-05", "2026-03-04T20:00", False),
        (date(2026, 3, 4), at(4, 15), True),
        (at(4), at(4, 15), True),
    ],
)
def test_an_end_meets_the_next_entry_within_a_second_and_a_date_within_its_day(
    left, entered, meets
):
    found = read(stay("talk", "2026-03-01", left), stay("offer", entered))
    assert (found.problems == ()) == meets


# Rows that cannot be used


def test_a_stay_without_an_instant_a_stage_or_anything_is_refused():
    mapping = with_columns("owner")
    found = read(
        stay("talk", "", owner=""),
        stay("", "2026-03-01", owner="ada"),
        stay("", "2026-03-02", "2026-03-03", owner=""),
        mapping=mapping,
    )
    assert reasons(found) == [
        (1, "from", "it has no instant"),
        (2, "stage", "it has no stage that the record stayed in"),
        (3, None, "it says nothing that happened"),
    ]
    assert (found.used, found.refused, found.incomplete) == (0, 3, ("d-1",))


def test_a_stay_of_no_known_pipeline_is_refused_where_several_are_known():
    other = Pipeline("other", [Stage("talk")])
    mapping = with_columns("pipeline")
    rows = [
        stay("talk", "2026-03-01", "2026-03-02", pipeline=""),
        stay("talk", "2026-03-02", pipeline="other"),
    ]
    found = read_deals(rows, mapping, pipelines=[SHORT, other])
    assert reasons(found) == [(1, "pipeline", "it has no pipeline, and the mapping names none")]
    assert (found.incomplete, found.histories[0].latest.pipeline) == (("d-1",), "other")


# A beginning that is known by itself


def opened(*rows, **options):
    found = read(*rows, mapping=with_columns("opened", "pipeline"), **options)
    return found, found.histories[0]


def test_a_deal_opened_before_its_first_stay_was_in_the_opening_stage():
    row = stay("offer", "2026-03-05", opened="2026-03-01", pipeline="short")
    _, deal = opened(row, opening_stage="talk")
    assert visits(deal) == [("talk", at(1), True), ("offer", at(5), True)]
    assert [type(event) for event in deal.events] == [Opened, Moved]


def test_without_an_opening_stage_it_is_not_known_since_when_it_was_where():
    row = stay("offer", "2026-03-05", opened="2026-03-01", pipeline="short")
    _, deal = opened(row)
    assert visits(deal) == [("talk", at(1), False), ("offer", at(5), True)]
    assert (deal.events[0].start, deal.events[0].pipeline) == (Start.EXACT, "short")


def test_a_deal_opened_with_its_first_stay_is_opened_by_that_row():
    row = stay("talk", "2026-03-01", opened="2026-03-01T09:00", pipeline="")
    found, deal = opened(row)
    assert found.problems == ()
    assert visits(deal) == [("talk", at(1, 9), True)]
    assert deal.latest.pipeline == "short"


def test_a_stay_entered_long_before_the_opening_is_reported_and_began_with_it():
    found, deal = opened(stay("talk", "2026-03-01", opened="2026-03-05", pipeline=""))
    reason = "it is before the record began; the stage began with it"
    assert reasons(found) == [(1, "from", reason)]
    assert visits(deal) == [("talk", at(5), True)]


# Contacts


def person(entered, left="", stage="", status="", **cells):
    return {
        "person": "c-1", "from": entered, "until": left, "stage": stage, "status": status,
    } | cells  # fmt: skip


def test_stays_of_a_contact_in_stages_and_statuses_end_apart():
    found = read_contacts(
        [
            person("2026-03-01", "2026-03-09", stage="lead"),
            person("2026-03-09", stage="sales_qualified_lead"),
            person("2026-03-09", "2026-03-12", status="new"),
            person("2026-03-12", status="connected"),
        ],
        PEOPLE,
    )
    assert (found.used, found.problems) == (4, ())
    [contact] = found.histories
    assert visits(contact) == [("lead", at(1), True), ("sales_qualified_lead", at(9), True)]
    statuses = [(visit.state, visit.left) for visit in contact.status_visits(LATER)]
    assert statuses == [("new", at(12)), ("connected", None)]


def test_a_gap_between_lead_statuses_is_reported():
    rows = [person("2026-03-01", "2026-03-05", status="new"), person("2026-03-09", status="open")]
    found = read_contacts([*rows, person("2026-03-05", stage="lead")], PEOPLE)
    assert [(problem.row, problem.column) for problem in found.problems] == [(1, "until")]


def test_a_contact_created_before_its_first_stay_was_in_no_stage():
    mapping = PEOPLE | {"columns": PEOPLE["columns"] | {"created": "created"}}
    rows = [person("2026-03-05", stage="lead", created="2026-03-01")]
    [contact] = read_contacts(rows, mapping).histories
    assert contact.as_of(at(4)).lifecycle_stage is None
    assert visits(contact) == [("lead", at(5), True)]
    rows = [person("2026-03-01", stage="lead", created="2026-03-01T08:00")]
    [contact] = read_contacts(rows, mapping).histories
    assert visits(contact) == [("lead", at(1, 8), True)]


def test_a_stay_of_a_contact_in_nothing_is_refused():
    mapping = PEOPLE | {"columns": PEOPLE["columns"] | {"owner": "owner"}}
    found = read_contacts([person("2026-03-01", owner="ada")], mapping)
    assert reasons(found) == [(1, "stage", "it has no stage that the record stayed in")]


# Mappings


def faults_of(**options):
    with pytest.raises(InvalidValueError) as caught:
        read_deals([], STAYS | options, pipelines=[SHORT])
    return caught.value.faults


def test_stays_need_an_id_a_stage_and_an_entry():
    assert faults_of(columns={}) == (
        "columns.id is needed",
        "columns.entered is needed",
        "columns.stage is needed",
    )


def test_what_means_nothing_for_stays_is_refused_and_open_ends_elsewhere():
    faults = faults_of(entered={"talk": "x"}, missing_start="exported", fields={})
    assert [fault for fault in faults if "means nothing" in fault] == [
        f"{option} means nothing for a table of deal stays; leave it out"
        for option in ("entered", "fields", "missing_start")
    ]
    [fault] = faults_of(shape="events", columns={"id": "a", "at": "b", "stage": "c"}, open_ends=[])
    assert fault == "open_ends means nothing for a table of deal events; leave it out"


def test_open_ends_must_be_dates_or_texts():
    assert faults_of(open_ends=[7, None, "now"]) == (
        "open_ends must list dates or texts (got 7)",
        "open_ends must list dates or texts (got None)",
    )
    assert faults_of(open_ends="now") == (
        "open_ends must be a list of dates or texts that mean still there (got 'now')",
    )
