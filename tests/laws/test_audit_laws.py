"""Laws of the audit: order, time, suppression, and what commands alone can leave behind."""

import json
from collections import Counter
from datetime import timedelta
from html.parser import HTMLParser

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from audit_strategies import bodies, options, sound_bodies, suppressions
from record_strategies import PIPELINES, moments, read_contacts, read_deals
from salespipeline.audit import CATALOGUE, Severity, audit
from salespipeline.events import (
    ActivityRecorded,
    Deleted,
    LeadStatusSet,
    LifecycleStageSet,
    Voided,
    Won,
)
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import LifecycleStage
from stories import day

NOW = day(400)

LEFT_BY_COMMANDS = {
    "won_without_amount", "open_without_owner", "lost_without_reason", "sql_without_status",
    # what time brings
    "silent_deal", "stuck_in_stage", "customer_untouched", "recycled_untouched",
    "expected_close_past", "next_step_overdue", "answer_expired",
    # what records say of each other, and what nobody entered
    "unknown_contact", "contact_behind_deal", "customer_without_win", "opportunity_without_deal",
    "contact_without_deal", "deal_without_contact", "open_without_next_step", "without_source",
    "open_without_assessment", "probability_at_odds", "duplicate_email", "possible_duplicate",
    "test_record", "lifecycle_skipped",
}  # fmt: skip


def alike(report):
    """The findings of a report whatever their order."""
    return Counter(map(repr, report.findings))


@given(bodies(), options(), st.data())
def test_the_order_of_records_changes_no_finding(body, asked, data):
    people, sales = body
    report = audit(people, sales, **asked)
    other = audit(data.draw(st.permutations(people)), data.draw(st.permutations(sales)), **asked)
    assert alike(report) == alike(other)
    assert (report.contacts, report.deals) == (other.contacts, other.deals)
    assert set(report.left_out) == set(other.left_out)
    assert str(report) == str(other)


def later(history, at):
    """The history with more events, all of them later than an instant."""
    after = at + timedelta(microseconds=1)
    known = {"record": history.record, "at": after}
    own = (
        [(LifecycleStageSet, {"stage": LifecycleStage.EVANGELIST}), (LeadStatusSet,
         {"status": "ghost"})]
        if isinstance(history, ContactHistory)
        else [(Won, {"pipeline": "board", "stage": "ghost"})]
    )  # fmt: skip
    more = [
        (ActivityRecorded, {"kind": "call"}), *own,
        (Voided, {"voids": history.events[-1].identity, "why": "a mistake"}), (Deleted, {}),
    ]  # fmt: skip
    number = len(history.events)
    events = [
        kind(sequence=number + n, **known, **facts) for n, (kind, facts) in enumerate(more, 1)
    ]
    return type(history)([*history.events, *events])


@given(bodies(), options())
def test_events_after_the_instant_change_nothing(body, asked):
    people, sales = body
    report = audit(people, sales, **asked)
    at = asked["as_of"]
    after = audit(
        [later(each, at) for each in people], [later(each, at) for each in sales], **asked
    )
    assert after == report


@given(bodies(), options())
def test_records_that_begin_after_the_instant_change_nothing(body, asked):
    people, sales = body
    report = audit(people, sales, **asked)
    late = {"at": asked["as_of"] + timedelta(microseconds=1)}
    born = [type(each)([evolve(each.events[0], **late)]) for each in (*people, *sales)]
    contacts = [each for each in born if isinstance(each, ContactHistory)]
    deals = [each for each in born if not isinstance(each, ContactHistory)]
    assert audit([*people, *contacts], [*sales, *deals], **asked) == report


@given(sound_bodies(), moments())
def test_commands_alone_leave_behind_what_nobody_entered_and_what_time_brings(body, as_of):
    people, sales = body
    report = audit(people, sales, as_of=as_of + timedelta(days=100), pipelines=PIPELINES)
    assert set(report.by_code()) <= LEFT_BY_COMMANDS
    errors = {f.check.code for f in report.findings if f.check.severity is Severity.ERROR}
    assert errors <= {"won_without_amount", "unknown_contact"}


@given(sound_bodies())
def test_a_won_deal_without_an_amount_and_an_open_one_without_an_owner_are_all_found(body):
    people, sales = body
    found = audit(people, sales, as_of=NOW, pipelines=PIPELINES).by_code()
    latest = [each.latest for each in sales]
    without = {d.id for d in latest if d.outcome.value == "won" and d.amount is None}
    nobody = {d.id for d in latest if d.outcome.value == "open" and d.owner is None}
    assert {f.record for f in found.get("won_without_amount", ())} == without
    assert {f.record for f in found.get("open_without_owner", ())} == nobody


@given(bodies(), options(), st.lists(suppressions(), max_size=6))
def test_suppressing_takes_away_exactly_what_is_meant_and_loses_nothing(body, asked, meant):
    people, sales = body
    whole = audit(people, sales, **asked)
    report = audit(people, sales, suppress=meant, **asked)
    covered = [
        any(
            each.code == finding.check.code
            and (each.records is None or finding.record in each.records)
            and (each.kind is None or each.kind == finding.kind)
            for each in meant
        )
        for finding in whole.findings
    ]
    pairs = list(zip(whole.findings, covered, strict=True))
    assert report.findings == tuple(finding for finding, hidden in pairs if not hidden)
    assert [each.finding for each in report.suppressed] == [f for f, hidden in pairs if hidden]
    assert report.left_out == whole.left_out
    assert len(report.to_dicts()) == len(whole.findings)


@given(bodies(), options())
def test_groups_hold_every_finding_once_and_count_their_records(body, asked):
    report = audit(*body, **asked)
    groups = report.groups()
    assert Counter(f for group in groups for f in group.findings) == Counter(report.findings)
    for group in groups:
        whole = {"contact": report.contacts, "deal": report.deals}.get(group.kind)
        assert 1 <= group.records <= len(group.findings)
        assert group.share is None if whole is None else 0 < group.share <= 1
    ranks = [list(Severity).index(g.findings[0].check.severity) for g in groups]
    assert ranks == sorted(ranks)


@given(bodies(), options())
def test_a_check_that_was_left_out_wholly_finds_nothing_and_all_are_of_the_catalogue(body, asked):
    report = audit(*body, **asked)
    partly = {"stuck_in_stage", "rule_broken"}
    wholly = {(e.code, e.kind) for e in report.left_out if e.code not in partly}
    assert wholly.isdisjoint((f.check.code, f.kind) for f in report.findings)
    assert {f.check.code for f in report.findings} | {e.code for e in report.left_out} <= set(
        CATALOGUE
    )


@given(bodies(), options(), st.lists(suppressions(), max_size=2))
def test_a_report_is_text_of_a_hundred_columns_and_data_for_json(body, asked, meant):
    report = audit(*body, suppress=meant, **asked)
    assert max(map(len, str(report).splitlines())) <= 100
    rows = json.loads(json.dumps(report.to_dicts()))
    assert [row["code"] for row in rows] == [
        *(f.check.code for f in report.findings), *(s.finding.check.code for s in report.suppressed)
    ]  # fmt: skip


OURS = {
    "div", "p", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "ul", "li",
}  # fmt: skip


class Tags(HTMLParser):
    """Every tag of a page, and whether those opened are closed in order."""

    def __init__(self):
        super().__init__()
        self.met, self.open, self.cells = set(), [], []

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.met.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells.append(data)


@given(bodies(), options(), st.lists(suppressions(), max_size=2))
def test_no_text_of_a_record_is_taken_for_a_tag(body, asked, meant):
    report = audit(*body, suppress=meant, **asked)
    tags = Tags()
    tags.feed(report._repr_html_())
    tags.close()
    assert tags.open == []
    assert tags.met <= OURS
    assert report.heading in tags.cells
    assert {f.message for g in report.groups() for f in g.findings[:20]} <= set(tags.cells)


@given(read_contacts() | read_deals(), moments())
def test_every_record_that_was_there_is_looked_at_and_no_other(record, as_of):
    kind = "contacts" if isinstance(record, ContactHistory) else "deals"
    report = audit(**{kind: [record]}, as_of=as_of)
    assert getattr(report, kind) == int(record.as_of(as_of) is not None)
    assert report.contacts + report.deals == getattr(report, kind)
