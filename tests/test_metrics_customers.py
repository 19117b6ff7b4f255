"""Who becomes a customer, who comes back, and who was sent by others."""

from datetime import timedelta, timezone

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import ContactLinked, ContactUnlinked, FieldSet, Merged, Start
from salespipeline.metrics import Rate, Survival
from salespipeline.metrics.customers import (
    REFERRALS,
    LeadConversion,
    Referrals,
    RepeatBusiness,
    lead_to_customer,
    referral_share,
    repeat_share,
)
from salespipeline.pipelines import Outcome
from stories import BY_THEN, contact, day, days, deal, given_to, lost, reached, reopened, won


def conversion(contacts, deals=(), at=100, **options):
    return lead_to_customer(contacts, deals, as_of=day(at), **options)


def linked(at, who):
    return at, ContactLinked, {"contact": who}


def unlinked(at, who):
    return at, ContactUnlinked, {"contact": who}


# Lead to customer


def test_the_results_are_values():
    curve = Survival.of([(3, True)])
    made = [LeadConversion(Rate.of(1, 2), curve) for _ in range(2)]
    check_value(*made, LeadConversion(Rate.of(2, 2), curve))
    rates = Rate.of(1, 2), Rate.of(1, 3)
    check_value(RepeatBusiness(*rates), RepeatBusiness(*rates), RepeatBusiness(*rates[::-1]))
    check_value(Referrals(*rates), Referrals(*rates), Referrals(*rates[::-1]))


def test_a_lead_is_a_customer_by_its_own_lifecycle_or_by_a_won_deal():
    contacts = [
        contact(0, reached(5, "lead"), reached(15, "customer"), record="own"),
        contact(0, reached(5, "lead"), record="deal"),
        contact(0, reached(5, "lead"), reached(40, "customer"), record="both"),
        contact(0, reached(5, "lead"), record="open"),
        contact(0, reached(5, "lead"), record="lost"),
        contact(0, reached(5, "sales_qualified_lead"), record="none"),
        contact(0, record="no lead"),
    ]
    deals = [
        deal(6, won(25), contacts=("deal", "both"), record="d-1"),
        deal(6, won(35), contacts=("deal",), record="d-2"),
        deal(6, contacts=("open",), record="d-3"),
        deal(6, lost(9), contacts=("lost", "both"), record="d-4"),
        deal(6, won(9), reopened(10), contacts=("lost",), record="d-5"),
    ]
    found = conversion(contacts, deals)
    assert found.rate == Rate.of(3, 6)
    curve = found.time_to_customer
    assert (curve.n, curve.ended, curve.last_day) == (6, 3, 95)
    assert [(step.day, step.at_risk, step.ended) for step in curve.steps] == [
        (10, 6, 1),
        (20, 5, 2),
    ]
    assert conversion(contacts).rate == Rate.of(2, 6)
    assert conversion(contacts, deals, at=20).rate == Rate.of(1, 6)


def test_a_deal_counts_for_the_contacts_linked_to_it_as_of_the_instant_only():
    lead = contact(0, reached(1, "lead"))
    for steps, customers in (
        ([won(5), linked(7, "c-1")], 1),
        ([linked(3, "c-1"), won(5)], 1),
        ([linked(3, "c-1"), won(5), unlinked(8, "c-1")], 0),
        ([linked(3, "c-9"), won(5)], 0),
    ):
        assert conversion([lead], [deal(0, *steps)], at=9).rate.numerator == customers
    late_link = [deal(0, won(5), linked(7, "c-1"))]
    assert conversion([lead], late_link, at=6).rate.numerator == 0
    assert conversion([lead], late_link, at=9).time_to_customer.steps[0].day == 4


def test_deals_of_the_account_alone_do_not_count():
    lead = contact(0, reached(1, "lead"), account="acme")
    assert conversion([lead], [deal(0, won(5), account="acme")]).rate == Rate.of(0, 1)


def test_a_merged_contact_counts_once_with_the_deals_of_both():
    one = contact(0, reached(1, "lead"), record="c-1")
    two = contact(2, reached(3, "lead"), record="c-2")
    deals = [deal(4, won(9), contacts=("c-2",))]
    assert conversion([one, two], deals).rate == Rate.of(1, 2)
    assert conversion([one.merge(two)], deals).rate == Rate.of(1, 1)
    elsewhere = contact(0, reached(1, "lead"), (5, Merged, {"other": "c-2"}), record="c-1")
    assert conversion([elsewhere], deals).rate == Rate.of(1, 1)
    assert conversion([elsewhere], deals, at=4).rate == Rate.of(0, 1)


def test_a_contact_that_began_as_a_lead_or_beyond_is_one_from_then_on():
    contacts = [contact(3, stage="lead"), contact(3, stage="customer")]
    found = conversion(contacts)
    assert found.rate == Rate.of(1, 2)
    assert found.time_to_customer.steps[0].day == 0


def test_a_period_selects_by_the_first_event_at_lead_or_beyond():
    contacts = [
        contact(0, reached(5, "lead"), reached(15, "customer")),
        contact(0, reached(10, "lead")),
        contact(0),
    ]
    assert conversion(contacts, period=days(0, 10)).rate == Rate.of(1, 1)
    assert conversion(contacts, period=days(10, 20)).rate == Rate.of(0, 1)
    assert conversion(contacts, period=days(0, 10)).period == days(0, 10)


def test_a_window_judges_leads_that_had_all_of_it_and_counts_the_young_apart():
    contacts = [
        contact(0, reached(5, "lead"), reached(15, "customer")),  # in time, on the last day
        contact(0, reached(5, "lead"), reached(16, "customer")),  # too late
        contact(0, reached(5, "lead")),
        contact(0, reached(91, "lead"), reached(92, "customer")),  # too young, though a customer
        contact(0, reached(90, "lead")),  # just old enough
    ]
    found = conversion(contacts, window=10)
    assert found.rate == Rate.of(1, 4)
    assert found.left_out == {"window_open": 1}
    assert found.time_to_customer.n == 5
    assert conversion(contacts).rate == Rate.of(3, 5)
    assert conversion(contacts, window=0).rate == Rate.of(0, 5)


def test_leads_whose_beginning_is_unknown_are_in_the_rate_and_not_in_the_days():
    unknown = contact(5, reached(9, "customer"), stage="lead", start=BY_THEN)
    later = contact(5, reached(7, "lead"), reached(9, "customer"), start=BY_THEN)
    found = conversion([unknown, later])
    assert found.rate == Rate.of(2, 2)
    assert found.time_to_customer.left_out == {"start_unknown": 1}
    assert [step.day for step in found.time_to_customer.steps] == [2]
    windowed = conversion([unknown, later], window=30)
    assert (windowed.rate, windowed.left_out) == (Rate.of(1, 1), {"start_unknown": 1})
    assert unknown.events[0].start is Start.BY_THEN


def test_a_customer_before_it_was_a_lead_is_one_and_has_no_days():
    found = conversion([contact(0, reached(9, "lead"))], [deal(0, won(5), contacts=("c-1",))])
    assert found.rate == Rate.of(1, 1)
    assert found.time_to_customer.left_out == {"negative_duration": 1}


def test_a_history_that_begins_late_is_at_risk_from_there_on():
    late = contact(0, reached(30, "customer"), stage="lead", observed_from=day(10))
    curve = conversion([late, contact(0, reached(5, "customer"), stage="lead")]).time_to_customer
    assert [(step.day, step.at_risk) for step in curve.steps] == [(5, 1), (30, 1)]


def test_a_customer_that_never_was_a_lead_is_counted_apart():
    stray = contact(0, stage="subscriber")
    deals = [deal(0, won(5), contacts=("c-1",))]
    found = conversion([stray], deals)
    assert (found.rate, found.left_out) == (Rate.of(0, 0), {"never_lead": 1})
    assert conversion([stray], deals, period=days(0, 50)).left_out == {}


def test_groups_are_of_the_moment_of_becoming_a_lead():
    contacts = [
        contact(0, given_to(2, "ada"), reached(3, "lead"), given_to(4, "bob")),
        contact(0, reached(3, "lead"), reached(4, "customer"), owner="eve"),
    ]
    found = conversion(contacts, by="owner")
    assert {owner: each.rate for owner, each in found.items()} == {
        "ada": Rate.of(0, 1), "eve": Rate.of(1, 1),
    }  # fmt: skip
    assert (found.as_of, found["ada"].as_of) == (day(100), day(100))
    assert conversion([], by="owner") == {}


def test_days_are_of_the_zone():
    body = [contact(0, reached(1, "lead"), reached(1.5, "customer"))]
    assert conversion(body).time_to_customer.steps[0].day == 0
    west = timezone(timedelta(hours=-1))  # where the lead was one on the evening before
    assert conversion(body, zone=west).time_to_customer.steps[0].day == 1
    assert conversion([]).rate == Rate.of(0, 0)


def test_the_level_is_that_of_both_figures():
    found = conversion([contact(0, reached(1, "lead"))], level=0.8)
    assert (found.rate.interval.level, found.time_to_customer.level) == (0.8, 0.8)


# Customers that come back


REPEATS = (
    deal(0, won(5), account="acme", contacts=("a", "b"), record="d-1"),
    deal(0, won(15), account="acme", contacts=("b",), record="d-2"),
    deal(0, won(25), account="acme", contacts=("c",), record="d-3"),
    deal(0, won(6), account="beta", contacts=(), record="d-4"),
    deal(0, won(7), record="d-5"),
    deal(0, lost(4), account="beta", record="d-6"),
    deal(0, account="beta", record="d-7"),
)


def test_repeat_business_is_of_accounts_with_an_earlier_won_deal():
    found = repeat_share(REPEATS, as_of=day(50))
    assert found.repeat_customers == Rate.of(1, 2)
    assert found.from_customers == Rate.of(2, 4)
    assert found.left_out == {"no_account": 1}
    assert repeat_share(REPEATS, as_of=day(14)).from_customers == Rate.of(0, 2)


def test_repeat_business_of_contacts_counts_each_that_takes_part():
    found = repeat_share(REPEATS, as_of=day(50), of="contact")
    assert found.repeat_customers == Rate.of(1, 3)  # b, of a, b and c
    assert found.from_customers == Rate.of(1, 3)
    assert found.left_out == {"no_contact": 2}


def test_a_period_selects_wins_and_looks_back_over_all_time():
    found = repeat_share(REPEATS, as_of=day(50), period=days(10, 20))
    assert found == RepeatBusiness(Rate.of(1, 1), Rate.of(1, 1))
    first = repeat_share(REPEATS, as_of=day(50), period=days(0, 10))
    assert first.from_customers == Rate.of(0, 2)


def test_of_two_deals_won_at_once_one_is_the_first():
    body = [deal(0, won(5), account="acme", record=name) for name in ("d-2", "d-1")]
    for each in (body, body[::-1]):
        assert repeat_share(each, as_of=day(9)).from_customers == Rate.of(1, 2)


def test_groups_of_repeat_business_are_of_the_closing():
    body = [
        deal(0, won(5), account="acme", sale_type="new_business"),
        deal(0, won(9), account="acme", sale_type="renewal"),
    ]
    found = repeat_share(body, as_of=day(9), by="sale_type")
    assert found["new_business"].from_customers == Rate.of(0, 1)
    assert found["renewal"].from_customers == found["renewal"].repeat_customers == Rate.of(1, 1)


def test_without_won_deals_there_are_no_rates():
    assert repeat_share([], as_of=day(1)) == RepeatBusiness(Rate.of(0, 0), Rate.of(0, 0))
    assert repeat_share([deal(0, won(2))], as_of=day(1)).left_out == {}


# Referrals


def test_referrals_are_a_share_of_leads_and_of_won_deals_with_a_source():
    contacts = [
        contact(0, reached(5, "lead"), source="Referral "),
        contact(0, reached(5, "lead"), source="fair"),
        contact(0, reached(5, "lead"), source="REFERRALS"),
        contact(0, reached(5, "lead")),
        contact(0, source="referral"),
    ]
    deals = [
        deal(0, won(5), source="word of mouth"),
        deal(0, won(5)),
        deal(0, source="referral"),
        deal(0, outcome=Outcome.WON, stage="signed", source="web"),
    ]
    found = referral_share(contacts, deals, as_of=day(9))
    assert (found.leads, found.won) == (Rate.of(1, 3), Rate.of(1, 2))
    assert found.left_out == {"lead_without_source": 1, "won_without_source": 1}
    assert found.as_of == day(9)
    assert referral_share(deals=deals, as_of=day(9)).leads == Rate.of(0, 0)


def test_the_source_is_that_of_the_moment():
    late = (7, FieldSet, {"field": "source", "value": "referral"})
    found = referral_share(
        [contact(0, reached(5, "lead"), late, source="fair")],
        [deal(0, won(5), late, source="fair")],
        as_of=day(9),
    )
    assert (found.leads, found.won) == (Rate.of(0, 1), Rate.of(0, 1))


def test_a_period_selects_new_leads_and_wins():
    contacts = [contact(0, reached(at, "lead"), source="referral") for at in (3, 5)]
    deals = [deal(0, won(at), source="referral") for at in (4, 9)]
    found = referral_share(contacts, deals, as_of=day(9), period=days(4, 9))
    assert (found.leads, found.won, found.period) == (Rate.of(1, 1), Rate.of(1, 1), days(4, 9))


def test_which_sources_are_referrals_can_be_said():
    body = [contact(0, reached(5, "lead"), source="Partner X")]
    assert referral_share(body, as_of=day(9)).leads == Rate.of(0, 1)
    asked = referral_share(body, as_of=day(9), referral_sources=["partner x"])
    assert asked.leads == Rate.of(1, 1)
    assert "referral" in REFERRALS
    assert "referrals" not in REFERRALS
    with pytest.raises(WrongTypeError, match="several texts"):
        referral_share(body, as_of=day(9), referral_sources="referral")


# The doors


def empty(value):
    return type(value) in (bytes, bytearray, tuple, list, dict, set, range) and not value


def test_strange_input_is_refused_at_every_door():
    for figure in (lead_to_customer, repeat_share, referral_share):
        check_door(lambda value, figure=figure: figure(value, as_of=day(1)), takes=empty)
        check_door(lambda value, figure=figure: figure([], as_of=value))
        check_door(
            lambda value, figure=figure: figure([], as_of=day(1), period=value),
            takes=lambda value: value is None,
        )
        check_door(lambda value, figure=figure: figure([], as_of=day(1), level=value))
    for figure in (lead_to_customer, repeat_share):
        check_door(
            lambda value, figure=figure: figure([], as_of=day(1), by=value),
            takes=lambda value: value is None,
        )
    for figure in (lead_to_customer, referral_share):
        check_door(lambda value, figure=figure: figure([], value, as_of=day(1)), takes=empty)
    check_door(
        lambda value: conversion([], window=value),
        takes=lambda value: value is None or (type(value) is int and value >= 0),
    )
    check_door(lambda value: conversion([], zone=value))
    check_door(lambda value: repeat_share([], as_of=day(1), of=value))
    check_door(
        lambda value: referral_share([], as_of=day(1), referral_sources=value),
        takes=lambda value: empty(value) or type(value) is dict,  # of which the keys are taken
    )
    with pytest.raises(InvalidValueError, match="-1 is not a number of days"):
        conversion([], window=-1)
