"""How many contacts come how far."""

import pytest

from contracts import check_door
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics import (
    Rate,
    close_ratio,
    close_ratio_by_cohort,
    contacts_by_lead_status,
    contacts_by_lifecycle_stage,
    leads,
    qualified_leads,
)
from salespipeline.periods import Period, Unit
from salespipeline.tallies import people
from stories import contact, day, days, deal, given_to, reached

SUBSCRIBER, LEAD, MQL, SQL, OPPORTUNITY, CUSTOMER, EVANGELIST = LifecycleStage
NEW, CONNECTED = "NEW", "CONNECTED"

BODY = (
    contact(0),
    contact(0, stage="subscriber", owner="bob"),
    contact(1, stage="lead", owner="ada"),
    contact(1, stage="lead", owner="bob"),
    contact(1, reached(8, MQL), stage="lead", owner="ada"),
    contact(2, reached(12, SQL, NEW), owner="ada"),
    contact(2, reached(12, SQL, CONNECTED), owner="ada"),
    contact(3, reached(4, LEAD), reached(15, CUSTOMER), owner="bob"),
    contact(3, reached(11, EVANGELIST), owner="ada"),
)
"""Seven leads: three whose first event at lead or beyond is from day 10 on."""

EARLY, LATE = days(0, 10), days(10, 20)


def test_leads_are_contacts_at_lead_or_beyond_skips_included():
    assert leads(BODY, as_of=day(30)).n == 7


def test_leads_of_a_period_became_leads_in_it():
    assert leads(BODY, as_of=day(30), period=EARLY).n == 4
    assert leads(BODY, as_of=day(30), period=LATE).n == 3
    assert leads(BODY, as_of=day(30), period=days(20, 30)).n == 0


def test_leads_are_those_known_at_the_instant():
    assert [leads(BODY, as_of=day(at)).n for at in (0, 1, 4, 11, 12)] == [0, 3, 4, 5, 7]


def test_leads_of_nobody_are_none():
    assert leads([], as_of=day(0)).n == 0


def test_qualified_leads_are_marketing_qualified_unless_told_otherwise():
    rate = qualified_leads(BODY, as_of=day(30))
    assert rate == Rate.of(5, 7)
    assert qualified_leads(BODY, as_of=day(30), at="sales_qualified_lead") == Rate.of(4, 7)
    assert qualified_leads(BODY, as_of=day(30), at=SQL, level=0.8) == Rate.of(4, 7, 0.8)


def test_every_lead_is_qualified_at_lead_or_before():
    for stage in (LEAD, SUBSCRIBER):
        assert qualified_leads(BODY, as_of=day(30), at=stage) == Rate.of(7, 7)


def test_qualified_leads_of_a_period_are_of_its_cohort_whenever_they_were_qualified():
    assert qualified_leads(BODY, as_of=day(30), period=EARLY) == Rate.of(2, 4)
    assert qualified_leads(BODY, as_of=day(9), period=EARLY) == Rate.of(1, 4)


def test_qualified_leads_by_owner_have_the_owners_counts():
    assert qualified_leads(BODY, as_of=day(30), by="owner") == {
        None: Rate.of(0, 0),
        "bob": Rate.of(1, 2),
        "ada": Rate.of(4, 5),
    }


def test_qualified_leads_of_a_tally_need_no_instant():
    tally = people(BODY, as_of=day(30), periods=[EARLY, LATE])
    assert qualified_leads(tally, at=SQL, period=LATE) == Rate.of(3, 3)


def test_a_stage_to_qualify_from_must_be_a_lifecycle_stage():
    check_door(lambda value: qualified_leads([], as_of=day(1), at=value))


def test_the_close_ratio_is_customers_among_leads():
    assert close_ratio(BODY, as_of=day(30)) == Rate.of(2, 7)
    assert close_ratio(BODY, as_of=day(14)) == Rate.of(1, 7)


def test_the_close_ratio_of_a_period_is_of_its_cohort():
    assert close_ratio(BODY, as_of=day(30), period=EARLY) == Rate.of(1, 4)
    assert close_ratio(BODY, as_of=day(30), period=LATE) == Rate.of(1, 3)


def test_a_skip_to_customer_is_a_lead_and_a_customer():
    skipped = contact(0, reached(5, CUSTOMER))
    assert close_ratio([skipped], as_of=day(9), period=days(5, 6)) == Rate.of(1, 1)
    assert close_ratio([skipped], as_of=day(9), period=days(0, 5)) == Rate.of(0, 0)


def test_the_cohort_is_that_of_the_first_event_though_the_stage_was_recorded_again():
    again = contact(0, reached(2, LEAD), reached(12, MQL), reached(14, LEAD))
    assert close_ratio([again], as_of=day(30), period=EARLY).denominator == 1
    assert close_ratio([again], as_of=day(30), period=LATE).denominator == 0


def test_close_ratios_by_cohort_come_in_the_order_of_the_periods():
    cohorts = [days(0, 10), days(10, 20), days(20, 30)]
    ratios = close_ratio_by_cohort(BODY, as_of=day(30), periods=cohorts, level=0.9)
    assert list(ratios) == cohorts
    assert list(ratios.values()) == [Rate.of(1, 4, 0.9), Rate.of(1, 3, 0.9), Rate.of(0, 0, 0.9)]


def test_cohorts_may_be_what_steps_yields():
    steps = Period.quarter(2026, 1).steps(Unit.MONTH)
    ratios = close_ratio_by_cohort(BODY, as_of=day(30), periods=steps)
    assert [ratio.denominator for ratio in ratios.values()] == [7, 0, 0]


def test_cohorts_must_be_periods_that_do_not_overlap():
    check_door(
        lambda value: close_ratio_by_cohort([], as_of=day(1), periods=value),
        takes=lambda value: isinstance(value, tuple | list | dict | set) and not value,
    )
    with pytest.raises(InvalidValueError, match="does not begin after"):
        close_ratio_by_cohort([], as_of=day(1), periods=[days(0, 10), days(9, 20)])


def test_cohorts_are_of_contacts():
    with pytest.raises(WrongTypeError, match="several ContactHistory values"):
        close_ratio_by_cohort([deal(0)], as_of=day(1), periods=[EARLY])


def test_contacts_are_counted_at_every_stage_zeros_included():
    counted = contacts_by_lifecycle_stage(BODY, as_of=day(30))
    assert list(counted.items()) == [
        (SUBSCRIBER, 1),
        (LEAD, 2),
        (MQL, 1),
        (SQL, 2),
        (OPPORTUNITY, 0),
        (CUSTOMER, 1),
        (EVANGELIST, 1),
        (None, 1),
    ]


def test_the_stages_of_nobody_are_all_zero():
    assert contacts_by_lifecycle_stage([], as_of=day(0)) == dict.fromkeys(
        (*LifecycleStage, None), 0
    )


def test_a_stage_counts_whoever_owns_the_contact_now():
    moved_on = contact(0, given_to(3, "bob"), stage="lead", owner="ada")
    by_owner = contacts_by_lifecycle_stage([moved_on], as_of=day(9), by="owner")
    assert {owner: counts[LEAD] for owner, counts in by_owner.items()} == {"bob": 1}


def test_contacts_are_counted_by_lead_status_the_most_frequent_first():
    busy = contact(0, reached(1, SQL, NEW))
    counted = contacts_by_lead_status([*BODY, busy], as_of=day(30))
    assert list(counted.items()) == [(NEW, 2), (CONNECTED, 1)]


def test_lead_statuses_as_frequent_as_each_other_come_by_name():
    assert list(contacts_by_lead_status(BODY, as_of=day(30))) == [CONNECTED, NEW]


def test_contacts_without_a_status_are_in_no_status():
    assert contacts_by_lead_status(BODY, as_of=day(9)) == {}
    assert contacts_by_lead_status([], as_of=day(9)) == {}
