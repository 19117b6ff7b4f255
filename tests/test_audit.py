"""The audit: what each check finds and passes over, and how a report counts it."""

import re
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import check_door, check_value
from record_strategies import (
    BOARD,
    LEAN,
    PIPELINES,
    contact_runs,
    deal_runs,
    moments,
    read_contacts,
    read_deals,
)
from salespipeline import audit as audit_module
from salespipeline.audit import (
    CATALOGUE,
    SQL_WITHOUT_STATUS,
    STATUS_BEFORE_SQL,
    Check,
    Finding,
    Report,
    Severity,
    audit,
)
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import NaiveTimeError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Deleted,
    FieldSet,
    LeadStatusSet,
    Merged,
    Opened,
    Voided,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import RECYCLABLE_STATUSES, LifecycleStage, Status, StatusScheme
from stories import (
    BY_THEN,
    START,
    contact,
    day,
    deal,
    euros,
    given_to,
    lost,
    moved,
    reached,
    reopened,
    won,
)

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "audit.md"
NOW = day(400)


def found(*records, as_of=NOW, **options):
    """What an audit finds in records: code and number of the event, in the order found."""
    contacts = [record for record in records if isinstance(record, ContactHistory)]
    deals = [record for record in records if isinstance(record, DealHistory)]
    report = audit(contacts, deals, as_of=as_of, **options)
    return [(finding.check.code, finding.event) for finding in report.findings]


def messages(*records, **options):
    contacts = [record for record in records if isinstance(record, ContactHistory)]
    deals = [record for record in records if isinstance(record, DealHistory)]
    return [each.message for each in audit(contacts, deals, as_of=NOW, **options).findings]


def status(at, key):
    return at, LeadStatusSet, {"status": key}


def told(at, recorded):
    return at, FieldSet, {"field": "source", "value": recorded}


def called(at):
    return at, ActivityRecorded, {"kind": "call"}


def voided(at, number, record):
    return at, Voided, {"voids": (record, number), "why": "a mistake"}


def deleted(at):
    return at, Deleted, {}


def owned(opened, *steps, **facts):
    """A deal with an owner and an amount, of which nothing is missing."""
    return deal(opened, *steps, **({"owner": "ada", "amount": euros(10)} | facts))


# Instants


def test_a_deal_closed_before_it_was_opened_is_found():
    assert found(owned(10, won(9))) == [("closed_before_opened", 2)]
    assert found(owned(10, lost(9))) == [("closed_before_opened", 2)]
    text = "2026-01-10T00:00:00+00:00 is before its beginning, 2026-01-11T00:00:00+00:00"
    assert messages(owned(10, won(9))) == [text]


def test_a_deal_closed_at_the_instant_of_its_opening_is_passed_over():
    assert found(owned(10, won(10))) == []


def test_any_other_event_before_the_creation_is_found_in_both_kinds():
    assert found(owned(10, moved(9, "offer"))) == [("event_before_creation", 2)]
    assert found(contact(10, reached(9, "lead"))) == [("event_before_creation", 2)]
    assert found(owned(10, reopened(9))) == [("event_before_creation", 2)]


def test_a_beginning_known_by_then_only_is_not_contradicted_by_an_earlier_event():
    assert found(owned(10, moved(9, "offer"), won(20), start=BY_THEN)) == [("instant_backward", 2)]
    assert found(contact(10, told(10, "fair"), start=BY_THEN)) == []


def test_an_event_earlier_than_the_one_before_it_is_found_in_both_kinds():
    assert found(owned(0, moved(10, "offer"), moved(9, "hold"), moved(9, "talk"))) == [
        ("instant_backward", 3)
    ]
    assert found(contact(0, told(8, "fair"), told(7, "web"))) == [("instant_backward", 3)]
    text = "2026-01-08T00:00:00+00:00 is before the event before it, 2026-01-09T00:00:00+00:00"
    assert messages(contact(0, told(8, "fair"), told(7, "web"))) == [text]


def test_equal_instants_are_passed_over():
    assert found(owned(0, moved(0, "offer"), moved(0, "talk"))) == []


def test_an_event_after_one_before_the_creation_is_judged_from_that():
    records = owned(10, moved(5, "offer"), moved(7, "talk"), moved(12, "hold"))
    assert found(records) == [("event_before_creation", 2), ("event_before_creation", 3)]


def test_an_activity_dated_back_is_passed_over_and_hides_nothing():
    assert found(owned(10, called(5), moved(20, "offer"), called(15))) == []
    assert found(owned(0, moved(20, "offer"), called(5), moved(10, "talk"))) == [
        ("instant_backward", 4)
    ]


# Deals


def test_a_won_deal_without_an_amount_is_found():
    assert found(owned(0, won(5), amount=None)) == [("won_without_amount", None)]
    assert messages(owned(0, won(5), amount=None)) == ["it is won and has no amount"]


@pytest.mark.parametrize(
    "record",
    [
        owned(0, won(5, amount=0), amount=None),
        owned(0, lost(5), amount=None),
        owned(0, amount=None),
        owned(0, won(5), reopened(6), amount=None),
    ],
    ids=["an amount of nothing", "lost", "open", "open again"],
)
def test_no_other_deal_needs_an_amount(record):
    assert found(record) == []


def test_an_open_deal_without_an_owner_is_found():
    assert found(owned(0, owner=None)) == [("open_without_owner", None)]
    assert found(owned(0, given_to(3, None))) == [("open_without_owner", None)]
    assert messages(owned(0, owner=None)) == ["it is open and has no owner"]


def test_no_closed_deal_and_no_deal_given_away_needs_an_owner():
    assert found(owned(0, won(5), owner=None)) == []
    assert found(owned(0, lost(5), owner=None)) == []
    assert found(owned(0, given_to(3, "bob"), owner=None)) == []


def test_a_stage_that_the_pipeline_lacks_is_found_wherever_a_deal_enters_one():
    steps = (moved(1, "ghost"), won(2, stage="spirit"), lost(3, stage="spook"))
    record = owned(0, *steps, reopened(4, stage="shade"), stage="phantom")
    assert found(record, pipelines=[BOARD]) == [("unknown_stage", n) for n in (1, 2, 3, 4, 5)]
    text = "pipeline 'board' has no stage 'phantom'"
    assert messages(record, pipelines=[BOARD])[0] == text


def test_a_pipeline_that_is_not_given_is_found():
    record = owned(0, moved(1, "offer", pipeline="other"))
    assert found(record, pipelines=[BOARD, LEAN]) == [("unknown_stage", 2)]
    assert messages(record, pipelines=[BOARD, LEAN]) == ["there is no pipeline 'other'"]


def test_retired_and_implicit_stages_are_known():
    assert found(owned(0, moved(1, "offer"), stage="call"), pipelines=[BOARD]) == []
    implicit = owned(0, moved(1, "won", pipeline="lean"), pipeline="lean", stage="offer")
    assert found(implicit, pipelines=[LEAN]) == []


def test_without_pipelines_no_stage_is_looked_up():
    assert found(owned(0, moved(1, "ghost", pipeline="nowhere"))) == []


# Contacts


def test_a_stage_recorded_below_one_reached_is_found():
    record = contact(0, reached(1, "customer"), reached(2, "lead"), reached(3, "opportunity"))
    assert found(record) == [("backward_lifecycle", 3), ("backward_lifecycle", 4)]
    assert messages(record) == [
        "'lead' was recorded after 'customer'",
        "'opportunity' was recorded after 'customer'",
    ]
    assert found(contact(0, reached(1, "lead"), stage="customer")) == [("backward_lifecycle", 2)]


def test_stages_in_order_skipped_or_repeated_are_passed_over():
    steps = (reached(1, "lead"), reached(2, "lead"), reached(3, "customer"))
    assert found(contact(0, *steps)) == []


def test_a_lead_status_before_the_sql_stage_is_found():
    assert found(contact(0, status(1, "new"))) == [("status_before_sql", 2)]
    assert found(contact(0, status(1, "new"), stage="lead")) == [("status_before_sql", 2)]
    assert found(contact(0, stage="lead", lead_status="new")) == [("status_before_sql", 1)]
    assert found(contact(0, reached(1, "lead", "new"))) == [("status_before_sql", 2)]
    assert messages(contact(0, status(1, "new"))) == ["it has the status 'new' on no stage"]
    assert messages(contact(0, status(1, "new"), stage="lead")) == [
        "it has the status 'new' on 'lead'"
    ]


def test_a_lead_status_of_an_sql_and_a_status_cleared_are_passed_over():
    steps = (reached(1, "sales_qualified_lead", "new"), status(2, "connected"))
    assert found(contact(0, *steps)) == []
    assert found(contact(0, status(1, None), stage="lead")) == []


def test_a_lead_status_kept_beyond_the_sql_stage_is_found():
    sql = reached(1, "sales_qualified_lead", "new")
    kept = contact(0, sql, reached(2, "opportunity", "open_deal"), status(3, "connected"))
    assert found(kept) == [("status_kept_after_sql", 3), ("status_kept_after_sql", 4)]
    assert found(contact(0, sql, reached(2, "opportunity"))) == []


def test_after_a_backward_stage_a_status_is_judged_by_the_furthest_stage():
    steps = (reached(1, "customer"), reached(2, "lead", "new"))
    assert found(contact(0, *steps)) == [("backward_lifecycle", 3), ("status_kept_after_sql", 3)]


def test_a_status_that_the_scheme_lacks_is_found_wherever_it_is_recorded():
    steps = (reached(1, "sales_qualified_lead", "ghost"), status(2, "new"), status(3, "spook"))
    assert found(contact(0, *steps)) == [("unknown_status", 2), ("unknown_status", 4)]
    assert messages(contact(0, *steps))[0] == "scheme 'standard' has no status 'ghost'"
    retired = StatusScheme("own", [Status("a", kind="initial")], former={"ghost": "a"})
    assert found(contact(0, steps[0]), scheme=retired) == []
    created = contact(0, stage="sales_qualified_lead", lead_status="ghost")
    assert found(created) == [("unknown_status", 1)]


def test_the_scheme_says_where_a_status_belongs():
    steps = (reached(1, "sales_qualified_lead", "new"), reached(2, "opportunity", "open_deal"))
    assert found(contact(0, *steps), scheme=RECYCLABLE_STATUSES) == []
    later = (*steps, reached(3, "customer", "open_deal"))
    assert found(contact(0, *later), scheme=RECYCLABLE_STATUSES) == [("status_kept_after_sql", 4)]


def test_a_status_between_two_stages_with_statuses_was_kept_from_the_first():
    ends = {LifecycleStage.LEAD, LifecycleStage.OPPORTUNITY}
    scheme = StatusScheme("ends", RECYCLABLE_STATUSES.statuses, ends)
    record = contact(0, reached(1, "sales_qualified_lead", "new"), stage="lead", lead_status="new")
    assert found(record, scheme=scheme) == [("status_kept_after_sql", 2)]


def test_an_sql_without_a_status_is_found_as_it_stands():
    assert found(contact(0, reached(1, "sales_qualified_lead"))) == [("sql_without_status", None)]
    cleared = (reached(1, "sales_qualified_lead", "new"), status(2, None))
    assert found(contact(0, *cleared)) == [("sql_without_status", None)]
    assert messages(contact(0, *cleared)) == ["it is an SQL without one"]


def test_an_sql_that_got_a_status_or_went_on_is_passed_over():
    late = (reached(1, "sales_qualified_lead"), status(2, "new"))
    assert found(contact(0, *late)) == []
    assert found(contact(0, reached(1, "sales_qualified_lead"), reached(2, "opportunity"))) == []


def test_an_sql_needs_no_status_where_the_scheme_is_not_active_there():
    later = StatusScheme("later", RECYCLABLE_STATUSES.statuses, {LifecycleStage.OPPORTUNITY})
    assert found(contact(0, reached(1, "sales_qualified_lead")), scheme=later) == []


# What is looked at


def test_events_and_records_after_the_instant_are_not_looked_at():
    record = contact(0, reached(1, "customer"), reached(9, "lead"))
    assert found(record, as_of=day(8)) == []
    assert found(record, as_of=day(9)) == [("backward_lifecycle", 3)]
    report = audit([record, contact(5, record="c-2")], [owned(7)], as_of=day(4))
    assert (report.contacts, report.deals) == (1, 0)


def test_what_was_recorded_later_is_not_known_yet():
    late = contact(0, reached(1, "customer"), (2, Merged, {"other": "c-9", "recorded_at": day(30)}))
    backdated = contact(
        0,
        reached(1, "customer"),
        (2, LeadStatusSet, {"status": "new", "recorded_at": day(30)}),
    )
    assert found(late) == []
    assert found(backdated, as_of=day(29)) == []
    assert found(backdated, as_of=day(30)) == [("status_kept_after_sql", 3)]


def test_a_voided_event_is_not_held_against_a_record():
    record = contact(0, reached(1, "customer"), reached(2, "lead"), voided(5, 3, "c-1"))
    assert found(record, as_of=day(4)) == [("backward_lifecycle", 3)]
    assert found(record, as_of=day(5)) == []


def test_deleted_records_are_not_looked_at():
    people = [contact(0, status(1, "new"), deleted(9)), contact(0, record="c-2")]
    sales = [deal(0, moved(-3, "ghost"), deleted(9)), owned(0, record="d-2")]
    before = audit(people, sales, as_of=day(8), pipelines=[BOARD])
    after = audit(people, sales, as_of=day(9), pipelines=[BOARD])
    assert (before.contacts, before.deals, len(before.findings)) == (2, 2, 4)
    assert (after.contacts, after.deals, after.findings) == (1, 1, ())


def test_without_records_there_is_nothing_to_find():
    report = audit(as_of=NOW)
    assert report == Report(NOW, 0, 0, ())
    assert str(report) == "Nothing found in 0 contacts and 0 deals."
    assert report.by_code() == {}


def test_records_may_come_from_a_generator():
    report = audit((contact(n) for n in range(3)), (owned(n) for n in range(2)), as_of=NOW)
    assert (report.contacts, report.deals) == (3, 2)


def test_the_instant_is_told_in_utc():
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert audit(as_of=elsewhere).as_of.isoformat() == NOW.isoformat()


# Reports


def test_a_share_is_of_the_records_of_its_own_kind():
    backwards = (told(8, "fair"), told(7, "web"), told(6, "fair"))
    people = [contact(0, *backwards, record="r-0")]
    people += [contact(0, record=f"r-{n}") for n in range(1, 10)]
    sales = [owned(0, *backwards, record=f"r-{n}") for n in range(2)]
    sales += [owned(0, record=f"r-{n}") for n in range(2, 4)]
    lines = str(audit(people, sales, as_of=NOW)).splitlines()
    meaning = "an event earlier than the last"
    assert lines == [
        "6 findings in 10 contacts and 4 deals.",
        "finding               severity  found  records of        share  meaning",
        f"instant_backward      warning       2        1 contacts  10.0%  {meaning}",
        f"instant_backward      warning       4        2 deals     50.0%  {meaning}",
    ]


def test_the_most_harmful_findings_come_first_in_a_report():
    people = [contact(0, stage="sales_qualified_lead", record="c-2"), contact(0, status(1, "new"))]
    report = audit(people, [owned(0, won(-1), owner=None)], as_of=NOW)
    codes = ["closed_before_opened", "status_before_sql", "sql_without_status"]
    assert list(report.by_code()) == codes
    assert [line.split()[0] for line in str(report).splitlines()[2:]] == codes
    assert [finding.check.code for finding in report.findings] == [codes[2], codes[1], codes[0]]


def test_findings_name_their_record():
    report = audit([contact(0, status(1, "new"), record="c-7")], [deal(0, record="d-7")], as_of=NOW)
    named = [(finding.kind, finding.record, finding.event) for finding in report.findings]
    assert named == [("contact", "c-7", 2), ("deal", "d-7", None)]


@given(st.lists(read_contacts(), max_size=4), st.lists(read_deals(), max_size=4), moments())
def test_a_report_has_no_line_over_a_hundred_columns(people, sales, as_of):
    report = audit(people, sales, as_of=as_of, pipelines=[BOARD])
    assert max(map(len, str(report).splitlines())) <= 100


@pytest.mark.parametrize("check", CATALOGUE.values(), ids=str)
def test_a_report_on_millions_of_records_has_no_line_over_a_hundred_columns(check):
    findings = [Finding(check, "contact", f"c-{n}", None, "") for n in range(10_000)]
    report = Report(NOW, 10_000, 9_999_999, tuple(findings))
    text = str(report)
    assert "10,000" in text
    assert "100.0%" in text
    assert max(map(len, text.splitlines())) <= 97  # a million found takes three columns more


def test_checks_findings_and_reports_are_values():
    check = Check("code", Severity.ERROR, "meaning", "advice")
    same = Check("code", Severity.ERROR, "meaning", "advice")
    check_value(check, same, Check("other", Severity.ERROR, "meaning", "advice"))
    finding = Finding(check, "deal", "d-1", 2, "it is so")
    check_value(
        finding,
        Finding(same, "deal", "d-1", 2, "it is so"),
        Finding(check, "contact", "d-1", 2, "it is so"),
        Finding(check, "deal", "d-1", None, "it is so"),
    )
    check_value(Report(NOW, 1, 2, (finding,)), Report(NOW, 1, 2, (finding,)), Report(NOW, 1, 2, ()))


# Laws


@given(contact_runs())
def test_nothing_is_found_in_a_contact_that_was_made_by_commands_alone(run):
    events, _ = run
    assert found(ContactHistory(events), as_of=NOW) == []


@given(deal_runs())
def test_commands_alone_leave_a_deal_without_an_amount_or_owner_at_most(run):
    events, snapshots = run
    last = snapshots[-1]
    left_empty = {
        "won_without_amount": last.outcome.value == "won" and last.amount is None,
        "open_without_owner": last.outcome.value == "open" and last.owner is None,
    }
    codes = [code for code, _ in found(DealHistory(events), pipelines=PIPELINES)]
    assert codes == [code for code, so in left_empty.items() if so]


def test_an_activity_that_a_command_dates_back_is_no_finding():
    person, created = Contact.create("c-1", at=day(10), by="form")
    _, call = person.record_activity("call", at=day(2), by="ada", recorded_at=day(11))
    assert found(ContactHistory([created, call])) == []
    sale, opened = Deal.open("d-1", at=day(10), by="ada", pipeline=BOARD, owner="ada")
    _, call = sale.record_activity("call", at=day(2), by="ada")
    assert found(DealHistory([opened, call])) == []


@given(
    st.lists(read_contacts(), max_size=4), st.lists(read_deals(), max_size=4), moments(), st.data()
)
def test_the_order_of_records_changes_no_finding(people, sales, as_of, data):
    report = audit(people, sales, as_of=as_of, pipelines=[BOARD])
    other = audit(
        data.draw(st.permutations(people)),
        data.draw(st.permutations(sales)),
        as_of=as_of,
        pipelines=[BOARD],
    )
    assert sorted(map(repr, report.findings)) == sorted(map(repr, other.findings))
    assert (report.contacts, report.deals) == (other.contacts, other.deals)
    assert str(report) == str(other)


@given(read_contacts() | read_deals(), moments(), st.sampled_from([Deleted, LeadStatusSet, Voided]))
def test_an_event_after_the_instant_changes_no_finding(record, as_of, kind):
    facts = {
        Deleted: {},
        LeadStatusSet: {"status": "new"},
        Voided: {"voids": record.events[-1].identity, "why": "a mistake"},
    }[kind]
    if kind is LeadStatusSet and isinstance(record, DealHistory):
        kind, facts = Deleted, {}
    after = kind(
        record=record.record,
        sequence=len(record.events) + 1,
        at=as_of + timedelta(microseconds=1),
        **facts,
    )
    assert found(record.append(after), as_of=as_of) == found(record, as_of=as_of)


@given(read_contacts() | read_deals(), moments())
def test_every_record_that_was_there_is_looked_at_and_no_other(record, as_of):
    kind = "contacts" if isinstance(record, ContactHistory) else "deals"
    report = audit(**{kind: [record]}, as_of=as_of)
    assert getattr(report, kind) == int(record.as_of(as_of) is not None)
    assert report.contacts + report.deals == getattr(report, kind)


# Doors


def _empty(value):
    return isinstance(value, tuple | list | dict | set) and not value


def test_strange_records_are_refused():
    check_door(lambda value: audit(value, as_of=NOW), takes=_empty)
    check_door(lambda value: audit(deals=value, as_of=NOW), takes=_empty)
    check_door(lambda value: audit([value], as_of=NOW))
    check_door(lambda value: audit(deals=[value], as_of=NOW))


def test_a_contact_is_no_deal():
    with pytest.raises(WrongTypeError, match="'contacts' must be a ContactHistory"):
        audit([owned(0)], as_of=NOW)
    with pytest.raises(WrongTypeError, match="'deals' must be a DealHistory"):
        audit(deals=[contact(0)], as_of=NOW)


def test_strange_instants_pipelines_and_schemes_are_refused():
    check_door(lambda value: audit(as_of=value))
    with pytest.raises(NaiveTimeError):
        audit(as_of=NOW.replace(tzinfo=None))
    check_door(lambda value: audit(as_of=NOW, pipelines=value), takes=_empty)
    check_door(lambda value: audit(as_of=NOW, pipelines=[value]))
    check_door(lambda value: audit(as_of=NOW, scheme=value))


# The catalogue


def test_the_catalogue_holds_every_check_of_the_module_by_its_code():
    checks = [each for each in vars(audit_module).values() if isinstance(each, Check)]
    assert {check.code: check for check in checks} == CATALOGUE
    assert len(checks) == len(CATALOGUE)
    assert CATALOGUE["sql_without_status"] is SQL_WITHOUT_STATUS


def test_the_catalogue_goes_from_errors_to_what_is_harmless():
    order = list(Severity)
    ranks = [order.index(check.severity) for check in CATALOGUE.values()]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}


@pytest.mark.parametrize("check", CATALOGUE.values(), ids=lambda check: check.code)
def test_every_check_says_what_it_means_and_what_to_do(check):
    assert re.fullmatch("[a-z]+(_[a-z]+)*", check.code)
    for text in (check.meaning, check.advice):
        assert len(text.split()) > 3
        assert text == text.strip(" .")
        assert text.isprintable()


def test_the_page_shows_the_catalogue():
    rows = [
        f"| `{check.code}` | {check.severity} | {check.meaning} | {check.advice} |"
        for check in CATALOGUE.values()
    ]
    table = "\n".join(["| code | severity | found | what to do |", "|---|---|---|---|", *rows])
    assert f"\n\n{table}\n\n" in PAGE.read_text(encoding="utf-8")


def test_the_beginning_of_a_record_counts_as_an_event():
    created = Created(record="c-1", sequence=1, at=START, lead_status="new")
    assert found(ContactHistory([created])) == [(STATUS_BEFORE_SQL.code, 1)]
    opened = Opened(record="d-1", sequence=1, at=START, pipeline="board", stage="x", owner="ada")
    assert found(DealHistory([opened]), pipelines=[BOARD]) == [("unknown_stage", 1)]
