"""A team's own lead statuses at work, and a scheme that is edited while records hold its keys."""

from datetime import date, timedelta

import attrs
import pytest

from record_strategies import START
from salespipeline import audit, metrics, tallies
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import Created, LeadStatusSet, LifecycleStageSet
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import (
    STANDARD_STATUSES,
    LifecycleStage,
    Status,
    StatusScheme,
    handled_by,
)
from salespipeline.rules import Code, DeniedError, Result, Rulebook
from salespipeline.triggers import STANDARD_TRIGGERS

SQL, OPPORTUNITY = LifecycleStage.SQL, LifecycleStage.OPPORTUNITY
ATTEMPTS = [f"attempt_{number}" for number in range(1, 6)]
LATER = START + timedelta(days=60)


def after(days):
    return {"at": START + timedelta(days=days), "by": "ada"}


def lead(scheme, record="c-1", stage=SQL):
    """A contact that is an SQL from the first day on, with its history."""
    contact, created = Contact.create(record, stage=stage, at=START, by="form", scheme=scheme)
    return contact, ContactHistory([created])


def worked(contact, history, *statuses, scheme, first=1):
    """The same contact after one status a day."""
    for day, status in enumerate(statuses, first):
        contact, event = contact.set_lead_status(status, scheme=scheme, **after(day))
        history = history.append(event)
    return contact, history


def with_statuses(*statuses, scheme, record="c-1"):
    return worked(*lead(scheme, record), *statuses, scheme=scheme)


def allowed(contact, scheme):
    return [option.target for option in contact.status_options(scheme=scheme) if option]


def codes(decision):
    return [denial.code for denial in decision.denials]


# Five attempts before recycling

REACHED = ["connected", "future_opportunity"]
FIVE = StatusScheme(
    "five attempts",
    [
        Status("new", kind="initial"),
        *(Status(key) for key in ATTEMPTS),
        Status("connected"),
        Status("open_deal"),
        Status("recycle", kind="recycle"),
        Status("future_opportunity", parked=True, next_step="look again next quarter"),
    ],
    {SQL, OPPORTUNITY},
    rulebook=Rulebook.explicit(
        "five attempts",
        {
            "new": ["attempt_1", *REACHED],
            "attempt_1": ["attempt_2", *REACHED],
            "attempt_2": ["attempt_3", *REACHED],
            "attempt_3": ["attempt_4", *REACHED],
            "attempt_4": ["attempt_5", *REACHED],
            "attempt_5": ["recycle", *REACHED],
            "connected": ["open_deal", "attempt_1", "future_opportunity"],
            "open_deal": ["connected", "future_opportunity"],
            "recycle": ["attempt_1", *REACHED],
            "future_opportunity": ["attempt_1", "connected"],
        },
        creation=["new"],
    ),
)


def test_a_lead_is_recycled_after_the_fifth_attempt_and_not_before():
    contact, history = lead(FIVE)
    for day, attempt in enumerate(ATTEMPTS, 1):
        assert "recycle" not in allowed(contact, FIVE)
        assert codes(contact.decide_status("recycle", scheme=FIVE)) == [Code.NO_SUCH_MOVE]
        contact, history = worked(contact, history, attempt, scheme=FIVE, first=day)
    contact, history = worked(contact, history, "recycle", scheme=FIVE, first=9)
    assert contact.lead_status == "recycle"
    assert [visit.state for visit in history.status_visits(LATER)] == ["new", *ATTEMPTS, "recycle"]


def test_an_attempt_that_was_not_made_cannot_be_passed_over():
    contact, _ = with_statuses("attempt_1", scheme=FIVE)
    with pytest.raises(DeniedError) as caught:
        contact.set_lead_status("attempt_3", scheme=FIVE, **after(9))
    decision = caught.value.decision
    assert (decision.result, decision.source) == (Result.NO_SUCH_MOVE, "attempt_1")
    assert decision.alternatives == ("attempt_2", "connected", "future_opportunity")


@pytest.mark.parametrize("status", ["new", *ATTEMPTS, "connected", "open_deal"])
def test_whoever_asks_for_later_is_parked_from_any_working_status(status):
    contact, _ = lead(FIVE)
    contact = attrs.evolve(contact, lead_status=status)
    parked, event = contact.set_lead_status(
        "future_opportunity", scheme=FIVE, revisit_on=date(2026, 4, 1), **after(9)
    )
    assert (parked.revisit_on, event.status_left) == (date(2026, 4, 1), status)
    assert allowed(parked, FIVE) == ["attempt_1", "connected"]


def test_a_second_round_of_attempts_is_a_second_visit_to_each():
    _, history = with_statuses(*ATTEMPTS, "recycle", "attempt_1", "attempt_2", scheme=FIVE)
    visits = history.status_visits(LATER)
    assert [(v.state, v.number) for v in visits[-3:]] == [
        ("recycle", 1),
        ("attempt_1", 2),
        ("attempt_2", 2),
    ]
    assert [(v.left - v.entered).days for v in visits[:-1]] == [1] * 8


def test_the_statuses_of_the_standard_scheme_are_unknown_to_another():
    contact, _ = lead(FIVE)
    decision = contact.decide_status("attempted_to_contact", scheme=FIVE)
    assert (decision.result, codes(decision)) == (Result.NO_SUCH_MOVE, [Code.UNKNOWN_STATE])


def test_marketing_gets_what_is_recycled_and_sales_keeps_what_is_parked():
    assert handled_by(SQL, "recycle", scheme=FIVE) == "marketing"
    assert handled_by(SQL, "future_opportunity", scheme=FIVE) == "sales"
    assert handled_by(SQL, "recycle", scheme=STANDARD_STATUSES) == "sales"


def test_a_status_goes_on_through_the_stages_of_its_scheme_and_ends_after_them():
    contact, history = with_statuses("connected", scheme=FIVE)
    kept, advanced = contact.advance("opportunity", scheme=FIVE, **after(5))
    assert (kept.lead_status, kept.status_since) == ("connected", contact.status_since)
    customer, bought = kept.advance("customer", scheme=FIVE, **after(9))
    assert (customer.lead_status, bought.lead_status) == (None, None)
    visits = history.append(advanced).append(bought).status_visits(LATER)
    assert [(v.state, v.left) for v in visits][-1] == ("connected", after(9)["at"])


def test_a_trigger_sets_a_status_of_the_teams_own_scheme_by_its_rules():
    fresh, _ = lead(FIVE)
    with pytest.raises(DeniedError):
        STANDARD_TRIGGERS.apply(fresh, "deal_opened", scheme=FIVE, **after(9))
    connected, _ = with_statuses("connected", scheme=FIVE)
    contact, _ = STANDARD_TRIGGERS.apply(connected, "deal_opened", scheme=FIVE, **after(9))
    assert contact.lead_status == "open_deal"


@pytest.fixture
def team():
    """Six contacts, on the sixtieth day."""
    told = [
        (), ATTEMPTS[:1], ATTEMPTS, [*ATTEMPTS, "recycle"], ["future_opportunity"],
        [*ATTEMPTS[:2], "future_opportunity"],
    ]  # fmt: skip
    return [
        with_statuses(*statuses, scheme=FIVE, record=f"c-{number}")[1]
        for number, statuses in enumerate(told)
    ]


def test_contacts_are_counted_by_the_teams_own_statuses_at_any_instant(team):
    assert metrics.contacts_by_lead_status(team, as_of=LATER) == {
        "future_opportunity": 2,
        "attempt_1": 1,
        "attempt_5": 1,
        "new": 1,
        "recycle": 1,
    }
    on_the_first_day = metrics.contacts_by_lead_status(team, as_of=START + timedelta(days=1))
    assert on_the_first_day == {"attempt_1": 4, "future_opportunity": 1, "new": 1}


def test_the_parked_are_told_from_the_active_by_the_scheme(team):
    counted = metrics.contacts_by_lead_status(team, as_of=LATER)
    assert sum(n for key, n in counted.items() if not FIVE.status(key).parked) == 4


def test_a_tally_has_a_row_for_each_status_in_use(team):
    rows = tallies.people(team, as_of=LATER).rows
    assert {(row.stage, row.status): count.n for row, count in rows.items()} == {
        (SQL, "future_opportunity"): 2,
        (SQL, "attempt_1"): 1,
        (SQL, "attempt_5"): 1,
        (SQL, "new"): 1,
        (SQL, "recycle"): 1,
    }


def test_an_audit_goes_by_the_stages_of_the_teams_own_scheme(team):
    _, opportunity = lead(FIVE, stage=OPPORTUNITY)
    people = [*team, opportunity]
    assert audit.audit(people, as_of=LATER, scheme=FIVE).findings == ()
    found = audit.audit(people, as_of=LATER, scheme=STANDARD_STATUSES).by_code()
    (kept,) = found.pop("status_kept_after_sql")
    assert kept.record == "c-1"
    assert list(found) == ["unknown_status"]
    assert found["unknown_status"][0].message == "scheme 'standard' has no status 'attempt_1'"


# A scheme that is edited while records hold its keys


CALLS = StatusScheme(
    "calls",
    [Status("fresh", kind="initial"), Status("called"), Status("later", kind="recycle")],
    {SQL, OPPORTUNITY},
)
RENAMED = StatusScheme(
    "calls",
    [Status("fresh", kind="initial"), Status("spoke_to"), Status("later", kind="recycle")],
    {SQL, OPPORTUNITY},
    {"called": "spoke_to"},
    Rulebook.explicit(
        "calls", {"fresh": ["spoke_to"], "spoke_to": ["later"], "later": ["fresh"]}, version=2
    ),
)
CUT = StatusScheme.of("calls", {"fresh": "initial", "spoke_to": "working"})
"""The same, but nobody said what became of the retired keys."""


@pytest.fixture
def holder():
    """A contact with a status that was retired since."""
    return with_statuses("called", scheme=CALLS)


def test_a_retired_status_may_become_what_its_successor_may_become(holder):
    contact, _ = holder
    options = contact.status_options(scheme=RENAMED)
    assert {option.target: codes(option) for option in options} == {
        "fresh": [Code.NO_SUCH_MOVE],
        "spoke_to": [Code.ALREADY_THERE],
        "later": [],
    }
    assert {option.source for option in options} == {"spoke_to"}


def test_the_event_says_the_key_left_as_it_was_held_and_the_rules_that_judged(holder):
    contact, _ = holder
    contact, event = contact.set_lead_status("later", scheme=RENAMED, **after(5))
    assert (event.status_left, event.status) == ("called", "later")
    assert event.ruling == RENAMED.rulebook.ruling
    assert event.ruling.version == 2
    assert contact.lead_status == "later"


def test_asked_for_by_a_retired_key_the_successor_is_set():
    contact, _ = lead(RENAMED)
    contact, event = contact.set_lead_status("called", scheme=RENAMED, **after(1))
    assert contact.lead_status == event.status == "spoke_to"


def test_a_contact_that_holds_the_retired_key_has_the_status_already(holder):
    contact, _ = holder
    for key in ("called", "spoke_to"):
        assert codes(contact.decide_status(key, scheme=RENAMED)) == [Code.ALREADY_THERE]


def test_a_retired_key_goes_on_as_it_is_held_and_its_time_with_it(holder):
    contact, history = holder
    advanced, event = contact.advance("opportunity", scheme=RENAMED, **after(5))
    assert (advanced.lead_status, event.lead_status) == ("called", "called")
    assert advanced.status_since == contact.status_since == after(1)["at"]
    visits = history.append(event).status_visits(LATER)
    assert [(v.state, v.left) for v in visits] == [("fresh", after(1)["at"]), ("called", None)]


def test_a_retired_key_ends_where_the_scheme_is_not_active(holder):
    contact, _ = holder
    customer, event = contact.advance("customer", scheme=RENAMED, **after(5))
    assert (customer.lead_status, event.lead_status) == (None, None)


def test_a_retired_key_is_shown_and_handled_as_its_successor(holder):
    contact, _ = holder
    assert RENAMED.status(contact.lead_status).label == "Spoke to"
    merged = attrs.evolve(RENAMED, former={"called": "later"})
    assert handled_by(SQL, contact.lead_status, scheme=merged) == "marketing"
    assert handled_by(SQL, contact.lead_status, scheme=RENAMED) == "sales"


def test_an_edited_scheme_changes_nothing_that_happened_before(holder):
    contact, history = holder
    edited, event = contact.set_lead_status("later", scheme=RENAMED, **after(5))
    longer = history.append(event)
    assert longer.as_of(after(4)["at"]) == history.latest == contact
    assert longer.latest == edited
    assert [(v.state, v.number) for v in longer.status_visits(LATER)] == [
        ("fresh", 1),
        ("called", 1),
        ("later", 1),
    ]


def test_figures_count_keys_as_recorded_and_by_a_scheme_in_the_successor(holder):
    _, before = holder
    _, since = with_statuses("spoke_to", scheme=RENAMED, record="c-2")
    counted = metrics.contacts_by_lead_status([before, since], as_of=LATER)
    assert counted == {"called": 1, "spoke_to": 1}
    together = metrics.contacts_by_lead_status([before, since], as_of=LATER, scheme=RENAMED)
    assert together == {"spoke_to": 2}


def test_an_audit_takes_a_retired_key_for_a_status(holder):
    _, history = holder
    assert audit.audit([history], as_of=LATER, scheme=RENAMED).findings == ()
    created = Created(record="c-2", sequence=1, at=START)
    early = LifecycleStageSet(
        record="c-2", sequence=2, at=START, stage=LifecycleStage.LEAD, lead_status="called"
    )
    (finding,) = audit.audit(
        [ContactHistory([created, early])], as_of=LATER, scheme=RENAMED
    ).findings
    assert (finding.check.code, finding.event) == ("status_before_sql", 2)


def test_a_key_that_was_dropped_without_a_successor_holds_its_contacts_until_it_has_one(holder):
    contact, _ = holder
    for option in contact.status_options(scheme=CUT):
        (denial,) = option.denials
        assert (denial.code, denial.field, denial.actual) == ("unknown_state", "source", "called")
    mended = attrs.evolve(CUT, former={"called": "spoke_to"})
    assert allowed(contact, mended) == ["fresh"]


def test_a_key_that_was_dropped_without_a_successor_still_reads_and_still_ends(holder):
    contact, history = holder
    customer, event = contact.advance("customer", scheme=CUT, **after(5))
    assert history.append(event).latest == customer
    assert customer.lead_status is None


def test_a_status_cleared_by_another_system_is_set_again_where_records_may_begin():
    _, history = lead(FIVE)
    cleared = LeadStatusSet(record="c-1", sequence=2, at=START, status=None, status_left="new")
    contact = history.append(cleared).latest
    assert allowed(contact, FIVE) == ["new"]
    assert contact.set_lead_status("new", scheme=FIVE, **after(1))[0].lead_status == "new"


def test_a_key_retired_twice_must_lead_to_one_that_is_in_use():
    again = [Status("fresh", kind="initial"), Status("reached")]
    with pytest.raises(InvalidValueError, match="'called' leads to the unknown 'spoke_to'"):
        StatusScheme("calls", again, former={"called": "spoke_to", "spoke_to": "reached"})
    mended = StatusScheme("calls", again, former={"called": "reached", "spoke_to": "reached"})
    assert mended.current("called") == mended.current("spoke_to") == "reached"


def test_a_scheme_that_is_edited_needs_rules_for_what_it_holds_now():
    more = (*CALLS.statuses, Status("visited"))
    with pytest.raises(InvalidValueError, match="the rulebook 'calls' lacks 'visited'"):
        attrs.evolve(CALLS, statuses=more)
    edited = StatusScheme(CALLS.name, more, CALLS.active_in)
    contact, _ = lead(edited)
    assert allowed(contact, edited) == ["called", "later", "visited"]


def test_visits_by_a_scheme_read_a_retired_key_as_its_successor():
    contact, history = with_statuses("called", scheme=CALLS)
    renamed = LeadStatusSet(
        record=contact.id, sequence=contact.version + 1, at=LATER, status="spoke_to"
    )
    history = history.append(renamed)
    as_recorded = [visit.state for visit in history.status_visits(LATER)]
    by_scheme = [visit.state for visit in history.status_visits(LATER, scheme=RENAMED)]
    assert as_recorded == ["fresh", "called", "spoke_to"]
    assert by_scheme == ["fresh", "spoke_to"]
    with pytest.raises(WrongTypeError, match="'scheme' must be a StatusScheme"):
        history.status_visits(LATER, scheme="calls")
