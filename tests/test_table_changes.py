"""Tables with one row for each change of a field."""

from datetime import UTC, date, datetime, timedelta

import pytest

from salespipeline.connectors.table import read_contacts, read_deals
from salespipeline.errors import InvalidValueError
from salespipeline.events import (
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
    SaleType,
    Start,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage

SHORT = Pipeline(
    "short",
    [Stage("talk"), Stage("offer"), Stage("won", outcome="won"), Stage("lost", outcome="lost")],
)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
CHANGES = {
    "record": "deal",
    "shape": "changes",
    "zone": "UTC",
    "currency": "EUR",
    "columns": {"id": "deal", "at": "when", "field": "what", "old": "from", "new": "to"},
    "fields": {
        "StageName": "stage", "Amount": "amount", "OwnerId": "owner", "CloseDate": "expected_close",
        "Name": "title", "Type": "sale_type", "LossReason": "reason", "created": "opened",
        "Funnel": "pipeline",
    },
}  # fmt: skip
PEOPLE = {
    "record": "contact",
    "shape": "changes",
    "zone": "UTC",
    "columns": CHANGES["columns"],
    "fields": {
        "lifecyclestage": "stage", "leadstatus": "lead_status", "mail": "email", "born": "created",
    },
    "values": {"stage": {"Lead": "lead", "SQL": "sales_qualified_lead", "other": ""}},
}  # fmt: skip


def at(day, hour=0):
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def change(day, what, to, from_=None, **cells):
    """A change of deal (or contact) d-1 on a day of March, or at an instant in text."""
    when = f"2026-03-{day:02}" if isinstance(day, int) else day
    return {"deal": "d-1", "when": when, "what": what, "from": from_, "to": to, **cells}


BORN = change(1, "created", None)


def with_columns(mapping, *fields, **options):
    columns = mapping["columns"] | {field: field for field in fields}
    return mapping | {"columns": columns} | options


def read(*rows, mapping=CHANGES, **options):
    return read_deals(rows, mapping | options, pipelines=[SHORT])


def deal(*rows, **options):
    found = read(*rows, **options)
    assert found.problems == ()
    assert (found.used, found.refused) == (len(rows), 0)
    return found.histories[0]


def person(*rows, mapping=PEOPLE):
    found = read_contacts(rows, mapping)
    assert found.problems == ()
    return found.histories[0]


def visits(history):
    return [(visit.state, visit.entered, visit.entry_known) for visit in history.visits(LATER)]


def kinds(history):
    return [type(event) for event in history.events]


def reasons(found):
    return [(problem.row, problem.column, problem.reason) for problem in found.problems]


# What a change becomes


def test_each_change_becomes_the_event_that_it_means():
    history = deal(
        BORN,
        change(2, "StageName", "offer", "talk"),
        change(3, "Amount", "12.50", "10"),
        change(4, "OwnerId", "bob", "ada"),
        change(5, "CloseDate", "2026-06-01", "2026-05-01"),
        change(6, "Name", "Fleet 2", "Fleet"),
        change(7, "Type", "renewal", "new_business"),
        change(8, "Colour__c", "red", "blue"),
        change(9, "StageName", "won", "offer"),
    )
    assert kinds(history) == [
        Opened, Moved, AmountChanged, OwnerChanged, CloseDateChanged, FieldSet, FieldSet, FieldSet,
        Won,
    ]  # fmt: skip
    latest = history.latest
    assert (latest.stage, latest.outcome, latest.closed_at) == ("won", Outcome.WON, at(9))
    assert (latest.amount, latest.owner, latest.title) == (Money("12.50", "EUR"), "bob", "Fleet 2")
    assert (latest.expected_close, latest.sale_type) == (date(2026, 6, 1), SaleType.RENEWAL)
    assert dict(latest.attributes) == {"Colour__c": "red"}


def test_old_values_say_what_was_so_from_the_beginning():
    history = deal(
        BORN,
        change(2, "StageName", "offer", "talk"),
        change(3, "Amount", "12.50", "10"),
        change(4, "OwnerId", "bob", "ada"),
        change(8, "Colour__c", "red", "blue"),
        change(9, "Colour__c", None, "red"),
    )
    first = history.as_of(at(1))
    assert (first.stage, first.amount, first.owner) == ("talk", Money(10, "EUR"), "ada")
    assert (first.attributes["Colour__c"], first.expected_close) == ("blue", None)
    assert history.latest.attributes["Colour__c"] is None


def test_a_table_of_new_values_only_tells_what_each_field_became():
    columns = {name: column for name, column in CHANGES["columns"].items() if name != "old"}
    rows = [
        change(1, "StageName", "talk"), change(1, "Amount", 5), change(2, "StageName", "offer"),
        change(3, "Amount", 7),
    ]  # fmt: skip
    history = deal(*rows, columns=columns)
    assert visits(history) == [("talk", at(1), True), ("offer", at(2), True)]
    amounts = [history.as_of(at(day)).amount for day in (1, 3)]
    assert amounts == [Money(5, "EUR"), Money(7, "EUR")]


def test_an_empty_new_value_takes_the_field_away():
    history = deal(
        BORN,
        change(2, "StageName", "talk"),
        change(3, "Amount", "", "10"),
        change(3, "OwnerId", None, "ada"),
        change(3, "CloseDate", None, "2026-05-01"),
        change(3, "Name", None, "Fleet"),
    )
    latest = history.latest
    assert (latest.amount, latest.owner, latest.expected_close, latest.title) == (None,) * 4


def test_changes_are_taken_by_instant_whatever_their_order():
    rows = [
        change(9, "StageName", "won", "offer"), change(2, "StageName", "offer", "talk"), BORN,
    ]  # fmt: skip
    assert visits(deal(*rows)) == [
        ("talk", at(1), True),
        ("offer", at(2), True),
        ("won", at(9), True),
    ]


def test_at_one_instant_the_stage_comes_first_and_the_rest_in_the_order_of_rows():
    history = deal(
        BORN,
        change(2, "Amount", 7, 5),
        change(2, "OwnerId", "bob", "ada"),
        change(2, "StageName", "offer", "talk"),
        change(2, "StageName", "won", "offer"),
    )
    assert kinds(history) == [Opened, Moved, Won, AmountChanged, OwnerChanged]


def test_a_sequence_orders_changes_against_their_instants():
    mapping = with_columns(CHANGES, "sequence")
    history = deal(
        change(5, "StageName", "offer", "talk", sequence=2),
        change(1, "StageName", "talk", sequence=1),
        change(4, "StageName", "won", "offer", sequence=3),
        mapping=mapping,
    )
    assert [state for state, _, _ in visits(history)] == ["talk", "offer", "won"]
    found = read(change(1, "StageName", "talk", sequence=""), mapping=mapping)
    assert reasons(found) == [(1, "sequence", "it has no number that says where it stands")]


def test_each_change_is_signed_and_known_by_its_own_id():
    mapping = with_columns(CHANGES, "by", "role", "event_id", "recorded_at", system="crm")
    history = deal(
        BORN | {"event_id": "h-0", "by": "ada"},
        change(2, "StageName", "offer", "talk", event_id="h-1", by="bob", role="API"),
        change(2, "Amount", 7, event_id="h-2", by="bob", recorded_at="2026-03-05"),
        mapping=mapping,
    )
    assert [(event.identity, event.by) for event in history.events] == [
        (("crm", "h-0"), "ada"), (("crm", "h-1"), "bob"), (("crm", "h-2"), "bob"),
    ]  # fmt: skip
    assert (history.events[1].role, history.events[2].recorded_at) == ("API", at(5))
    mapping = with_columns(CHANGES, "event_id", system="crm")
    found = read(BORN | {"event_id": "h"}, change(2, "A", 1, event_id="h"), mapping=mapping)
    reason = "an earlier row of the record has the same id of an event"
    assert (2, "event_id", reason) in reasons(found)


def test_a_field_without_a_place_is_an_attribute_of_its_name_or_of_a_given_one():
    fields = CHANGES["fields"] | {"Seats__c": "attributes.seats"}
    history = deal(
        change(1, "StageName", "talk"),
        change(2, "Seats__c", 40),
        change(2, "Is Partner", "True"),
        fields=fields,
    )
    assert dict(history.latest.attributes) == {"seats": 40, "Is Partner": "True"}


def test_values_say_what_texts_of_a_field_stand_for_in_both_columns():
    fields = CHANGES["fields"] | {"Seats__c": "attributes.seats"}
    values = {"stage": {"Closed Won": "won", "Talking": "talk"}, "seats": {"few": "1"}}
    history = deal(
        BORN, change(2, "StageName", "Closed Won", "Talking"), change(3, "Seats__c", "few"),
        fields=fields, values=values,
    )  # fmt: skip
    assert [state for state, _, _ in visits(history)] == ["talk", "won"]
    assert dict(history.latest.attributes) == {"seats": "1"}


def test_an_amount_has_the_currency_of_its_row_or_of_the_mapping():
    mapping = with_columns(CHANGES, "currency")
    history = deal(
        BORN,
        change(2, "StageName", "talk"),
        change(3, "Amount", 5, 4, currency="usd"),
        change(4, "Amount", 6, 5),
        mapping=mapping,
    )
    assert [history.as_of(at(day)).amount for day in (1, 3, 4)] == [
        Money(4, "USD"), Money(5, "USD"), Money(6, "EUR"),
    ]  # fmt: skip


# Pipelines and reasons


OTHER = Pipeline("other", [Stage("start"), Stage("done", outcome="won")])


def test_a_stage_and_a_pipeline_of_one_instant_are_one_move():
    for rows in (
        [change(2, "Funnel", "other", "short"), change(2, "StageName", "done", "talk")],
        [change(2, "StageName", "done", "talk"), change(2, "Funnel", "other", "short")],
    ):
        found = read_deals([BORN, *rows], CHANGES, pipelines=[SHORT, OTHER])
        assert found.problems == ()
        [history] = found.histories
        stays = [(visit.pipeline, visit.state) for visit in history.visits(LATER)]
        assert stays == [("short", "talk"), ("other", "done")]
        assert kinds(history) == [Opened, Won, Moved]


def test_a_sequence_may_tell_the_pipeline_before_the_stage_of_one_move():
    mapping = with_columns(CHANGES, "sequence")
    rows = [
        BORN | {"sequence": 1},
        change(2, "Funnel", "other", "short", sequence=2),
        change(2, "StageName", "done", "talk", sequence=3),
    ]
    [history] = read_deals(rows, mapping, pipelines=[SHORT, OTHER]).histories
    stays = [(visit.pipeline, visit.state) for visit in history.visits(LATER)]
    assert stays == [("short", "talk"), ("other", "done")]


def test_a_pipeline_that_changes_alone_keeps_the_key_of_the_stage():
    rows = [BORN, change(2, "StageName", "talk"), change(3, "Funnel", "other", "short")]
    [history] = read_deals(rows, CHANGES, pipelines=[SHORT, OTHER]).histories
    assert (history.latest.pipeline, history.latest.stage) == ("other", "talk")
    assert history.as_of(at(2)).pipeline == "short"


def test_a_reason_goes_with_the_close_of_its_instant_or_a_later_one_and_is_kept_by_itself():
    for day in (2, 3):
        history = deal(
            BORN, change(3, "StageName", "lost", "talk"), change(day, "LossReason", "price")
        )
        lost = next(event for event in history.events if isinstance(event, Lost))
        assert lost.reason == "price"
        assert dict(history.latest.attributes) == {"LossReason": "price"}
    late = deal(BORN, change(3, "StageName", "lost", "talk"), change(4, "LossReason", "price"))
    assert late.latest.reason is None
    assert dict(late.latest.attributes) == {"LossReason": "price"}
    taken_back = deal(
        BORN,
        change(2, "LossReason", None, "price"),
        change(3, "StageName", "lost", "talk"),
    )
    assert taken_back.latest.reason is None
    assert taken_back.as_of(at(1)).attributes["LossReason"] == "price"
    assert taken_back.latest.attributes["LossReason"] is None
    kept = deal(
        BORN,
        change(3, "StageName", "lost", "talk"),
        change(4, "LossReason", "time", "price"),
    )
    assert kept.latest.reason == "price"


# How it began


def test_a_row_about_the_beginning_opens_the_deal_wherever_it_stands():
    history = deal(change(2, "StageName", "offer", "talk"), BORN)
    assert visits(history) == [("talk", at(1), True), ("offer", at(2), True)]
    assert (history.events[0].start, history.events[0].observed_from) == (Start.EXACT, None)


def test_a_beginning_may_stand_in_the_new_value():
    history = deal(change(9, "created", "2026-02-01"), change(10, "StageName", "offer", "talk"))
    assert history.latest.opened_at == datetime(2026, 2, 1, tzinfo=UTC)
    assert visits(history)[0][2]


def test_the_first_value_of_the_stage_opens_the_deal():
    mapping = with_columns(CHANGES, "by", "event_id", system="crm")
    history = deal(
        change(1, "Amount", 5, by="ada", event_id=2),
        change(1, "StageName", "talk", by="ada", event_id=1),
        mapping=mapping,
    )
    assert kinds(history) == [Opened, AmountChanged]
    assert [event.identity for event in history.events] == [("crm", "1"), ("crm", "2")]
    assert visits(history) == [("talk", at(1), True)]


def test_values_set_before_the_first_stage_open_the_deal_in_it():
    history = deal(
        change("2026-03-01T09:00:00", "Amount", 5),
        change("2026-03-01T09:00:01", "StageName", "talk"),
    )
    assert kinds(history) == [Opened, AmountChanged, Moved]
    assert visits(history) == [("talk", at(1, 9), True)]
    late = deal(change(1, "Amount", 5), change(4, "StageName", "talk"))
    assert visits(late) == [("talk", at(1), False)]


def test_a_deal_that_was_in_a_stage_before_its_first_change_had_begun_by_then():
    history = deal(change(2, "Amount", 7, 5), change(3, "StageName", "offer", "talk"))
    first = history.events[0]
    assert (first.at, first.start) == (at(2) - INSTANT, Start.BY_THEN)
    assert (first.stage, first.amount) == ("talk", Money(5, "EUR"))
    assert visits(history) == [("talk", at(2) - INSTANT, False), ("offer", at(3), True)]


def test_the_first_change_of_all_is_an_entry_that_is_known():
    history = deal(change(3, "StageName", "offer", "talk"))
    assert visits(history) == [("talk", at(3) - INSTANT, False), ("offer", at(3), True)]


def test_the_first_instant_of_the_calendar_has_none_before_it():
    found = read(change("0001-01-01", "StageName", "offer", "talk"))
    assert found.histories[0].events[0].at == datetime.min.replace(tzinfo=UTC)


def test_an_old_value_of_another_field_makes_no_doubt_of_the_first_stage():
    history = deal(change(1, "StageName", "talk"), change(2, "Amount", 7, 5))
    assert (history.events[0].start, history.latest.opened_at) == (Start.EXACT, at(1))
    assert history.as_of(at(1)).amount == Money(5, "EUR")


OPENED = with_columns(CHANGES, "opened")


def test_a_column_of_beginnings_stands_against_the_first_row():
    mapping = with_columns(OPENED, "event_id", system="crm")
    rows = [change(1, "StageName", "talk", opened="2026-02-28T20:00", event_id=1)]
    history = deal(*rows, mapping=mapping)
    opened, moved = history.events
    assert (opened.at, opened.original_id) == (datetime(2026, 2, 28, 20, tzinfo=UTC), None)
    assert (moved.at, moved.original_id) == (at(1), "1")
    assert visits(history) == [("talk", opened.at, True)]


def test_a_history_that_begins_long_after_its_record_says_from_when_on_it_is_known():
    rows = [change(9, "StageName", "offer", "talk", opened="2026-03-01")]
    history = deal(*rows, mapping=OPENED)
    first = history.events[0]
    assert (first.at, first.start) == (at(1), Start.EXACT)
    assert first.observed_from == at(9) - INSTANT
    assert visits(history) == [("talk", at(1), False), ("offer", at(9), True)]


def test_a_history_that_begins_within_a_day_of_its_record_reaches_back_to_it():
    rows = [
        change(1, "Amount", 5, opened="2026-02-28T12:00"),
        change(9, "StageName", "offer", "talk"),
    ]
    assert visits(deal(*rows, mapping=OPENED))[0] == (
        "talk", datetime(2026, 2, 28, 12, tzinfo=UTC), True,
    )  # fmt: skip


def test_a_deal_still_in_the_opening_stage_entered_it_when_it_was_opened():
    rows = [change(9, "StageName", "offer", "talk", opened="2026-03-01")]
    history = deal(*rows, mapping=OPENED, opening_stage="talk")
    assert visits(history) == [("talk", at(1), True), ("offer", at(9), True)]
    later = [change(9, "StageName", "won", "offer", opened="2026-03-01")]
    assert visits(deal(*later, mapping=OPENED, opening_stage="talk"))[0] == ("offer", at(1), False)


def test_a_deal_whose_stage_never_changed_is_in_the_opening_stage_or_refused():
    history = deal(BORN, change(2, "Amount", 7, 5), opening_stage="talk")
    assert visits(history) == [("talk", at(1), True)]
    found = read(BORN, change(2, "Amount", 7, 5), change(3, "Funnel", "short"))
    assert {reason for _, _, reason in reasons(found)} == {
        "it has no stage for its deal to begin in"
    }
    assert (found.used, found.refused, found.incomplete) == (0, 3, ("d-1",))


def test_an_opening_stage_that_the_pipeline_lacks_is_not_made_up():
    rows = [BORN, change(2, "Funnel", "other")]
    found = read_deals(rows, CHANGES | {"opening_stage": "talk"}, pipelines=[SHORT, OTHER])
    assert found.refused == 2


# What is reported or refused


def test_an_old_stage_that_is_not_the_one_before_is_reported():
    found = read(
        BORN, change(2, "StageName", "offer", "talk"), change(3, "StageName", "won", "talk")
    )
    reason = "it was 'offer' by the change before; what came between is not known"
    assert reasons(found) == [(3, "from", reason)]
    assert not found.problems[0].refused
    assert found.used == 3
    assert [state for state, _, _ in visits(found.histories[0])] == ["talk", "offer", "won"]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (change(2, None, 1), "what", "it has no name of a field"),
        (change(2, 2.5, 1), "what", "'field' must be text or a whole number (got 2.5)"),
        (change("", "Amount", 1), "when", "it has no instant"),
        (change("soon", "Amount", 1), "when", "at: 'soon' is no date or date and time in ISO 8601"),
        (change(2, "StageName", ""), "to", "a deal always has a stage"),
        (change(2, "Funnel", None), "to", "a deal always has a pipeline"),
        (change(2, "StageName", b"x"), "to", "'stage' must be text or a whole number (got b'x')"),
        (change(2, "created", "soon"), "to",
         "opened: 'soon' is no date or date and time in ISO 8601"),
        (change(2, "created", None), "what", "an earlier row says when the record began"),
    ],
)  # fmt: skip
def test_a_change_without_its_field_instant_or_state_is_refused(row, column, reason):
    found = read(BORN, change(2, "StageName", "talk"), row)
    assert reasons(found) == [(3, column, reason)]
    assert (found.used, found.refused, found.incomplete) == (2, 1, ("d-1",))


def test_a_value_that_cannot_be_read_is_left_absent_and_reported():
    found = read(
        BORN,
        change(2, "StageName", "offer", b"x"),
        change(3, "Amount", "much", "some"),
        change(4, "Thing", {"a": 1}),
    )
    assert [(problem.row, problem.column, problem.refused) for problem in found.problems] == [
        (2, "from", False), (3, "to", False), (3, "from", False), (4, "to", False),
    ]  # fmt: skip
    assert found.used == 4
    assert found.histories[0].latest.amount is None


# Contacts


def test_changes_of_a_contact_set_stages_statuses_and_fields():
    contact = person(
        change(1, "born", None),
        change(2, "lifecyclestage", "Lead"),
        change(3, "lifecyclestage", "SQL", "Lead"),
        change(3, "leadstatus", "new"),
        change(4, "leadstatus", None, "new"),
        change(5, "mail", "a@b.c"),
    )
    assert kinds(contact) == [
        Created, LifecycleStageSet, LifecycleStageSet, LeadStatusSet, LeadStatusSet, FieldSet,
    ]  # fmt: skip
    assert visits(contact) == [("lead", at(2), True), ("sales_qualified_lead", at(3), True)]
    assert (contact.latest.lead_status, contact.latest.email) == (None, "a@b.c")


def test_the_first_value_of_any_field_creates_a_contact():
    contact = person(change(1, "mail", "a@b.c"), change(2, "lifecyclestage", "Lead"))
    assert kinds(contact) == [Created, LifecycleStageSet]
    assert (contact.events[0].email, contact.events[0].start) == ("a@b.c", Start.EXACT)


def test_a_contact_of_which_something_was_known_before_had_begun_by_then():
    contact = person(change(2, "lifecyclestage", "SQL", "Lead"), change(3, "mail", "x", "y"))
    first = contact.events[0]
    assert (first.start, first.lifecycle_stage, first.email) == (
        Start.BY_THEN, LifecycleStage.LEAD, "y",
    )  # fmt: skip
    assert visits(contact)[1] == ("sales_qualified_lead", at(2), True)


def test_the_stage_of_a_contact_whose_history_was_cut_is_not_known_since_when():
    mapping = with_columns(PEOPLE, "created")
    rows = [change(9, "lifecyclestage", "SQL", "Lead", created="2026-01-01")]
    contact = person(*rows, mapping=mapping)
    assert contact.events[0].observed_from == at(9) - INSTANT
    assert [known for _, _, known in visits(contact)] == [False, True]
    whole = person(change(1, "born", None), change(9, "lifecyclestage", "SQL", "Lead"))
    assert [known for _, _, known in visits(whole)] == [True, True]
    bare = person(change(9, "mail", "x", "y", created="2026-01-01"), mapping=mapping)
    assert bare.events[0].observed_from is None


def test_a_stage_that_is_none_of_the_lifecycle_is_kept_under_its_own_name_until_one_is_set():
    contact = person(
        change(1, "lifecyclestage", "Lead"),
        change(2, "lifecyclestage", "other", "Lead"),
        change(3, "lifecyclestage", "", "other"),
        change(4, "lifecyclestage", "SQL"),
    )
    kept = [contact.as_of(at(day)).attributes.get("lifecyclestage") for day in (1, 2, 3, 4)]
    assert kept == [None, "other", "", None]
    assert visits(contact) == [("lead", at(1), True), ("sales_qualified_lead", at(4), True)]


def test_a_contact_may_begin_in_a_stage_that_is_none_of_the_lifecycle():
    contact = person(change(1, "lifecyclestage", "other"))
    assert contact.latest.lifecycle_stage is None
    assert dict(contact.latest.attributes) == {"lifecyclestage": "other"}


def test_an_unknown_lifecycle_stage_refuses_its_row():
    found = read_contacts([change(1, "lifecyclestage", "hot")], PEOPLE)
    assert (found.used, found.refused) == (0, 1)
    assert found.problems[0].reason.startswith("unknown lifecycle stage: 'hot'")


# Mappings


def faults_of(**options):
    with pytest.raises(InvalidValueError) as caught:
        read_deals([], CHANGES | options, pipelines=[SHORT])
    return caught.value.faults


def test_changes_need_an_id_an_instant_a_field_a_new_value_and_a_stage():
    assert faults_of(columns={}, fields={}) == (
        "columns.id is needed",
        "columns.at is needed",
        "columns.field is needed",
        "columns.new is needed",
        "fields must say which field is the stage; else opening_stage is where all deals stay",
    )


def test_fields_must_name_fields():
    faults = faults_of(
        fields={"StageName": "stage", "a": "colour", 7: "title", "b": 7, "c": "attributes."}
    )
    known = (
        "account, amount, expected_close, opened, owner, pipeline, reason, sale_type, source, "
        "stage, title, or attributes. and a name"
    )
    assert faults == (
        f"fields.a is no field: 'colour'; known: {known}",
        "fields must name fields by their text (got 7 = 'title')",
        "fields must name fields by their text (got 'b' = 7)",
        f"fields.c is no field: 'attributes.'; known: {known}",
    )


def test_an_amount_among_the_fields_needs_a_currency():
    mapping = {name: value for name, value in CHANGES.items() if name != "currency"}
    with pytest.raises(InvalidValueError) as caught:
        read_deals([], mapping, pipelines=[SHORT])
    assert caught.value.faults == ("fields.Amount needs currency, the code, or columns.currency",)
    assert read_deals([], with_columns(mapping, "currency"), pipelines=[SHORT]).used == 0


def test_values_are_for_fields_that_are_named():
    assert faults_of(values={"Colour__c": {"a": "b"}, "amount": {}}) == (
        "values.Colour__c is for no column and no attribute that is declared",
    )


def test_columns_of_other_shapes_mean_nothing_for_changes():
    faults = faults_of(attributes={"a": "b"}, columns=CHANGES["columns"] | {"stage": "s"})
    assert faults[0] == "attributes means nothing for a table of deal changes; leave it out"
    assert faults[1].startswith("unknown field columns.stage; known: at, by, currency, event_id")
    fields = {"fields": {"x": "stage"}, "shape": "events"}
    assert "fields means nothing for a table of deal events; leave it out" in faults_of(**fields)


def test_several_pipelines_need_a_field_or_an_option_that_says_which():
    fields = {name: ours for name, ours in CHANGES["fields"].items() if ours != "pipeline"}
    with pytest.raises(InvalidValueError, match="pipeline must say in which of 'short', 'other'"):
        read_deals([], CHANGES | {"fields": fields}, pipelines=[SHORT, OTHER])
