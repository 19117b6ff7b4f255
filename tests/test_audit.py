"""The audit: what each check finds and passes over, and how a report counts it."""

import re
from datetime import timedelta, timezone
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import check_door, check_value
from record_strategies import (
    BOARD,
    LEAN,
    moments,
    read_contacts,
    read_deals,
)
from salespipeline import audit as audit_module
from salespipeline import metrics
from salespipeline.audit import (
    CATALOGUE,
    SQL_WITHOUT_STATUS,
    STATUS_BEFORE_SQL,
    Check,
    Finding,
    Group,
    LeftOut,
    Limits,
    Report,
    Severity,
    Suppressed,
    Suppression,
    audit,
    catalogue_markdown,
)
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, NaiveTimeError, WrongTypeError
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


ASIDE = ("silent_deal", "lost_without_reason", "lifecycle_skipped", "customer_untouched")
"""What else is so of the bare and old records here; their checks have tests of their own."""


def findings(*records, as_of=NOW, **options):
    contacts = [record for record in records if isinstance(record, ContactHistory)]
    deals = [record for record in records if isinstance(record, DealHistory)]
    report = audit(contacts, deals, as_of=as_of, **options)
    return [each for each in report.findings if each.check.code not in ASIDE]


def found(*records, **options):
    """What an audit finds in records: code and number of the event, in the order found."""
    return [(each.check.code, each.event) for each in findings(*records, **options)]


def messages(*records, **options):
    return [each.message for each in findings(*records, **options)]


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
    assert (report.as_of, report.contacts, report.deals, report.findings) == (NOW, 0, 0, ())
    assert str(report) == (
        "Nothing found in 0 contacts and 0 deals.\n"
        "Not looked at:\n"
        "  pipeline_cannot_win, pipeline_cannot_lose of pipelines: no pipelines were given\n"
        "  too_many_statuses of schemes: no contacts were given"
    )
    assert report.by_code() == {}


def test_records_may_come_from_a_generator():
    report = audit((contact(n) for n in range(3)), (owned(n) for n in range(2)), as_of=NOW)
    assert (report.contacts, report.deals) == (3, 2)


def test_the_instant_is_told_in_utc():
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert audit(as_of=elsewhere).as_of.isoformat() == NOW.isoformat()


# Reports


def test_a_share_is_of_the_records_of_its_own_kind():
    backwards = tuple((at, FieldSet, {"field": "account", "value": "a-1"}) for at in (8, 7, 6))
    people = [contact(0, *backwards, record="r-0")]
    people += [contact(0, record=f"r-{n}") for n in range(1, 10)]
    sales = [owned(0, *backwards, record=f"r-{n}") for n in range(2)]
    sales += [owned(0, record=f"r-{n}") for n in range(2, 4)]
    lines = str(audit(people, sales, as_of=day(8))).splitlines()
    meaning = "an event earlier than the last"
    assert lines[:4] == [
        "6 findings in 10 contacts and 4 deals.",
        "finding                  severity     found  records of         share  meaning",
        f"instant_backward         warning          4        2 deals     50.0%  {meaning}",
        f"instant_backward         warning          2        1 contacts  10.0%  {meaning}",
    ]


def test_the_most_harmful_findings_come_first_in_a_report():
    people = [contact(0, stage="sales_qualified_lead", record="c-2"), contact(0, status(1, "new"))]
    report = audit(people, [owned(0, won(-1), owner=None)], as_of=NOW)
    codes = ["closed_before_opened", "status_before_sql", "sql_without_status"]
    assert list(report.by_code()) == codes
    assert [line.split()[0] for line in str(report).splitlines()[2:5]] == codes
    assert [finding.check.code for finding in report.findings] == [codes[2], codes[1], codes[0]]


def test_findings_name_their_record():
    people, sales = [contact(0, status(1, "new"), record="c-7")], [deal(0, record="d-7")]
    report = audit(people, sales, as_of=day(1))
    named = [(finding.kind, finding.record, finding.event) for finding in report.findings]
    assert named == [("contact", "c-7", 2), ("deal", "d-7", None)]


@given(st.lists(read_contacts(), max_size=4), st.lists(read_deals(), max_size=4), moments())
def test_a_report_has_no_line_over_a_hundred_columns(people, sales, as_of):
    report = audit(people, sales, as_of=as_of, pipelines=[BOARD])
    assert max(map(len, str(report).splitlines())) <= 100


@pytest.mark.parametrize("check", CATALOGUE.values(), ids=str)
def test_a_report_on_millions_of_records_has_no_line_over_a_hundred_columns(check):
    found = [Finding(check, "contact", f"c-{n}", None, "") for n in range(10_000)]
    text = str(Report(NOW, 10_000, 9_999_999, tuple(found)))
    assert "10,000" in text
    assert "100.0%" in text
    assert max(map(len, text.splitlines())) <= 100  # there is room for nine million, too


def test_checks_findings_and_reports_are_values():
    bends = (("leads", "counts too many"),)
    check = Check("code", Severity.ERROR, "meaning", "advice", bends)
    same = Check("code", Severity.ERROR, "meaning", "advice", bends)
    check_value(check, same, Check("code", Severity.ERROR, "meaning", "advice"))
    finding = Finding(check, "deal", "d-1", 2, "it is so", "so", "not so")
    check_value(
        finding,
        Finding(same, "deal", "d-1", 2, "it is so", "so", "not so"),
        Finding(check, "contact", "d-1", 2, "it is so", "so", "not so"),
        Finding(check, "deal", "d-1", None, "it is so", "so", "not so"),
        Finding(check, "deal", "d-1", 2, "it is so", "so"),
    )
    left = LeftOut("code", "deal", "nothing was given")
    check_value(left, LeftOut("code", "deal", "nothing was given"), LeftOut("code", "deal", "no"))
    hidden = Suppressed(finding, "meant so")
    check_value(hidden, Suppressed(finding, "meant so"), Suppressed(finding, "not meant so"))
    check_value(
        Report(NOW, 1, 2, (finding,), (hidden,), (left,)),
        Report(NOW, 1, 2, (finding,), (hidden,), (left,)),
        Report(NOW, 1, 2, (finding,), (hidden,)),
        Report(NOW, 1, 2, (finding,)),
    )
    [group] = Report(NOW, 1, 2, (finding,)).groups()
    check_value(
        group, Group("code", "deal", (finding,), 1, 0.5), Group("code", "deal", (finding,), 1, None)
    )


def suppressed(*meant):
    people = [contact(0, status(1, "new"), record="r-1"), contact(0, status(1, "x"), record="r-2")]
    sales = [owned(0, told(1, "fair"), told(0, "web"), record="r-1")]
    return audit(people, sales, as_of=day(2), suppress=meant)


def test_what_is_suppressed_is_shown_with_its_reason_and_is_no_finding():
    report = suppressed(Suppression("status_before_sql", why="we do so on purpose"))
    assert list(report.by_code()) == ["unknown_status", "instant_backward"]
    assert [(each.finding.record, each.why) for each in report.suppressed] == [
        ("r-1", "we do so on purpose"),
        ("r-2", "we do so on purpose"),
    ]
    lines = str(report).splitlines()
    assert lines[0] == "2 findings in 2 contacts and 1 deals."
    at = lines.index("2 suppressed:")
    assert lines[at + 1] == "  status_before_sql, 2: we do so on purpose"
    rows = report.to_dicts()
    assert [row["suppressed"] for row in rows] == [None, None, *["we do so on purpose"] * 2]


def test_a_suppression_may_be_for_some_records_or_for_one_kind():
    for_one = suppressed(Suppression("status_before_sql", why="so", records=["r-1"]))
    assert [f.record for f in for_one.by_code()["status_before_sql"]] == ["r-2"]
    other_kind = suppressed(Suppression("instant_backward", why="so", kind="contact"))
    assert other_kind.suppressed == ()
    own_kind = suppressed(Suppression("instant_backward", why="so", kind="deal", records=["r-1"]))
    assert len(own_kind.suppressed) == 1


def test_of_two_suppressions_of_one_finding_the_first_gives_the_reason():
    meant = [Suppression("unknown_status", why=why) for why in ("first", "second")]
    assert [each.why for each in suppressed(*meant).suppressed] == ["first"]


def test_a_finding_as_plain_data_has_all_that_its_check_says():
    report = audit(deals=[owned(0, won(5), amount=None, record="d-7")], as_of=NOW)
    assert report.to_dicts() == [
        {
            "code": "won_without_amount",
            "severity": "error",
            "kind": "deal",
            "record": "d-7",
            "event": None,
            "message": "it is won and has no amount",
            "seen": None,
            "expected": "an amount",
            "advice": "enter the final amount",
            "bends": {
                "average_deal_size": "is over the other won deals only",
                "pipeline_velocity": "takes the deal to be worth as much as the others",
            },
            "suppressed": None,
        }
    ]


def test_a_report_in_a_notebook_escapes_what_records_hold():
    script = "<script>alert('x')</script>"
    people = [contact(0, status(1, script), record=script)]
    page = audit(people, as_of=NOW)._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    meant = [Suppression("unknown_status", why=script), Suppression("status_before_sql", why="so")]
    page = audit(people, as_of=NOW, suppress=meant)._repr_html_()
    assert "<script" not in page
    assert page.startswith("<div><p>Nothing found in 1 contacts and 0 deals.</p><p>Suppressed:</p>")


def test_a_report_in_a_notebook_lists_the_first_of_many_findings():
    sales = [owned(0, owner=None, record=f"d-{n}") for n in range(25)]
    page = audit(deals=sales, as_of=day(1))._repr_html_()
    assert "<td>d-19</td><td></td><td>it is open and has no owner</td>" in page
    assert "d-20" not in page
    assert "<p>and 5 more</p>" in page
    assert "<li>deals_by_stage by owner has it under nobody</li>" in page
    assert "<td>open_without_owner</td><td>warning</td><td>25</td><td>25</td><td>deals</td>" in page
    assert "d-19" in audit(deals=sales[:20], as_of=day(1))._repr_html_()
    assert "more</p>" not in audit(deals=sales[:20], as_of=day(1))._repr_html_()


def test_a_report_with_nothing_to_tell_is_one_line_in_a_notebook():
    assert Report(NOW, 0, 0, ())._repr_html_() == (
        "<div><p>Nothing found in 0 contacts and 0 deals.</p></div>"
    )


def test_errors_come_first_then_what_bends_figures_then_the_larger_share():
    def made(code, severity, bends=(), kind="deal", n=1):
        check = Check(code, severity, "meaning", "advice", bends)
        return [Finding(check, kind, f"r-{k}", None, "") for k in range(n)]

    bends = (("leads", "counts too many"),)
    found = [
        *made("harmless", Severity.HARMLESS, bends, n=4),
        *made("bends_none", Severity.WARNING, n=4),
        *made("rare", Severity.WARNING, bends),
        *made("of_pipelines", Severity.WARNING, bends, kind="pipeline"),
        *made("frequent", Severity.WARNING, bends, n=3),
        *made("error", Severity.ERROR),
    ]
    report = Report(NOW, 4, 4, tuple(found))
    order = ["error", "frequent", "rare", "of_pipelines", "bends_none", "harmless"]
    assert [group.code for group in report.groups()] == order
    assert list(report.by_code()) == order
    assert [group.share for group in report.groups()] == [0.25, 0.75, 0.25, None, 1.0, 1.0]
    assert str(report.groups()[3]).split()[2:6] == ["1", "1", "pipelines", "–"]


def test_limits_and_suppressions_are_values():
    check_value(Limits(), Limits(silent=timedelta(days=30)), Limits(silent=timedelta(days=31)))
    assert Limits(with_open_deal="customer").with_open_deal is LifecycleStage.CUSTOMER
    assert Limits(test_names=["A  b"]).test_names == {"a b"}
    assert Limits(probability_gap="0.2").probability_gap == Decimal("0.2")
    meant = Suppression("silent_deal", why=" so ", records=["d-1"], kind="deal")
    same = Suppression("silent_deal", why="so", records={"d-1"}, kind="deal")
    check_value(meant, same, Suppression("silent_deal", why="so"))


def test_an_activity_that_a_command_dates_back_is_no_finding():
    person, created = Contact.create("c-1", at=day(10), by="form")
    _, call = person.record_activity("call", at=day(2), by="ada", recorded_at=day(11))
    assert found(ContactHistory([created, call])) == []
    sale, opened = Deal.open("d-1", at=day(10), by="ada", pipeline=BOARD, owner="ada")
    _, call = sale.record_activity("call", at=day(2), by="ada")
    assert found(DealHistory([opened, call])) == []


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


def _none(value):
    return value is None


def test_strange_rulebooks_limits_and_zones_are_refused():
    check_door(lambda value: audit(as_of=NOW, rulebook=value), takes=_none)
    check_door(lambda value: audit(as_of=NOW, rulebooks=value), takes=_empty)
    check_door(lambda value: audit(as_of=NOW, rulebooks=[value]))
    check_door(lambda value: audit(as_of=NOW, limits=value))
    check_door(lambda value: audit(as_of=NOW, zone=value))
    check_door(lambda value: audit(as_of=NOW, suppress=value), takes=_empty)
    check_door(lambda value: audit(as_of=NOW, suppress=[value]))


def test_strange_details_are_refused():
    check_door(lambda value: audit(as_of=NOW, required=value), takes=lambda value: value == {})
    check_door(
        lambda value: audit(as_of=NOW, required={value: []} if _hashes(value) else value),
        takes=lambda value: value == {},
    )
    check_door(lambda value: audit(as_of=NOW, required={"deal": value}), takes=_empty)
    check_door(lambda value: audit(as_of=NOW, required={"deal": [value]}))
    check_door(lambda value: audit(as_of=NOW, required={"deal": {"owner": value}}), takes=_none)
    for names in (["attributes."], ["attributes"], ["nothing"]):
        with pytest.raises(InvalidValueError, match="unknown field of a deal"):
            audit(as_of=NOW, required={"deal": names})
    with pytest.raises(InvalidValueError) as caught:
        audit(as_of=NOW, required={"deals": [], "contact": ["title"]})
    assert len(caught.value.faults) == 2


def _hashes(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Limits)])
def test_strange_limits_are_refused(name):
    def takes(value):
        if name == "drop_tags":
            return isinstance(value, bool)
        if name in ("test_domains", "test_names"):
            return _empty(value) or isinstance(value, dict)
        counts = ("stuck_visits", "most_statuses")
        return name in counts and type(value) is int and value > 0

    check_door(lambda value: Limits(**{name: value}), takes=takes)


def test_every_fault_of_limits_and_of_a_suppression_is_named():
    with pytest.raises(InvalidValueError) as caught:
        Limits(silent=timedelta(), stuck_share=1.0, stuck_visits=0, probability_gap=0)
    assert len(caught.value.faults) == 4
    with pytest.raises(InvalidValueError) as caught:
        Suppression("nothing", why=" ", records="d-1", kind="person")
    assert len(caught.value.faults) == 4


def test_strange_suppressions_are_refused():
    check_door(lambda value: Suppression(value, why="so"))
    check_door(
        lambda value: Suppression("silent_deal", why=value),
        takes=lambda value: isinstance(value, str) and value.strip() != "",
    )
    check_door(
        lambda value: Suppression("silent_deal", why="so", records=value),
        takes=lambda value: value is None or _empty(value) or isinstance(value, dict),
    )
    check_door(lambda value: Suppression("silent_deal", why="so", kind=value), takes=_none)


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


def test_every_figure_that_a_check_bends_is_one_of_ours():
    bent = {name for check in CATALOGUE.values() for name, _ in check.bends}
    assert bent - set(metrics.__all__) == set()
    assert {"win_rate_closed", "time_to_close", "close_ratio", "pipeline_velocity"} <= bent
    for check in CATALOGUE.values():
        names = [name for name, _ in check.bends]
        assert len({*names}) == len(names)
        assert all(how == how.strip(" .") and len(how) > 5 for _, how in check.bends)


def test_the_page_shows_the_catalogue():
    assert f"\n\n{catalogue_markdown()}\n\n" in PAGE.read_text(encoding="utf-8")


def test_the_catalogue_as_a_table_has_a_row_for_every_check():
    _, _, *rows = catalogue_markdown().splitlines()
    assert [row.split("`")[1] for row in rows] == list(CATALOGUE)
    assert {row.count(" | ") for row in rows} == {5}
    (row,) = [row for row in rows if "`instant_backward`" in row]
    assert row == (
        "| `instant_backward` | warning | contact, deal | an event earlier than the last "
        "| check the order of the events | `time_in_stage` leaves out a stay that ends on an "
        "earlier date than it began |"
    )
    assert rows[-1].startswith("| `possible_duplicate` | harmless | contact |")


def test_the_beginning_of_a_record_counts_as_an_event():
    created = Created(record="c-1", sequence=1, at=START, lead_status="new")
    assert found(ContactHistory([created])) == [(STATUS_BEFORE_SQL.code, 1)]
    opened = Opened(record="d-1", sequence=1, at=START, pipeline="board", stage="x", owner="ada")
    assert found(DealHistory([opened]), pipelines=[BOARD]) == [("unknown_stage", 1)]
