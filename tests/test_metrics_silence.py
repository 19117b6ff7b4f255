"""Which leads have gone silent."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import WrongTypeError
from salespipeline.events import ActivityRecorded, Deleted, Direction, LeadStatusSet, OptedOut
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage
from salespipeline.metrics.silence import silent_leads
from stories import contact, day, deal, reached


def called(at, direction=None):
    return at, ActivityRecorded, {"kind": "call", "direction": direction}


def lead(name, *steps, stage="lead", **facts):
    return contact(0, *steps, stage=stage, record=name, **facts)


def test_a_lead_is_silent_after_so_many_days_without_an_activity():
    body = [lead("a", called(2)), lead("b", called(12)), lead("c", called(11))]
    found = silent_leads(body, as_of=day(32), days=21)
    assert [(each.contact, each.days) for each in found.leads] == [("a", 30), ("c", 21)]
    assert (found.share.numerator, found.share.denominator) == (2, 3)
    assert found.never_touched.numerator == 0


def test_activities_of_either_direction_count():
    body = [
        lead("a", called(2, Direction.INBOUND), called(1)),
        lead("b", called(3, Direction.OUTBOUND)),
    ]
    first, second = silent_leads(body, as_of=day(32), days=1).leads
    assert (first.last_touch, first.direction) == (day(2), Direction.INBOUND)
    assert (second.last_touch, second.direction) == (day(3), Direction.OUTBOUND)


def test_a_lead_never_touched_is_silent_since_it_became_one():
    early = contact(0, reached(6, "lead"), record="a", owner="ada")
    skipped = contact(0, reached(8, "sales_qualified_lead", "new"), record="b")
    found = silent_leads([early, skipped], as_of=day(32), days=20)
    assert [(each.contact, each.days, each.ever_touched) for each in found.leads] == [
        ("a", 26, False), ("b", 24, False),
    ]  # fmt: skip
    assert found.leads[0].owner == "ada"
    assert found.leads[1].lead_status == "new"
    assert found.never_touched.value == 1


def test_a_change_that_is_no_activity_breaks_no_silence():
    body = [lead("a", reached(20, "marketing_qualified_lead"))]
    found = silent_leads(body, as_of=day(32), days=30)
    assert found.leads[0].lifecycle_stage is LifecycleStage.MARKETING_QUALIFIED_LEAD


def test_only_leads_that_are_worked_are_asked_about():
    body = [
        contact(0, record="none"),
        lead("subscriber", stage="subscriber"),
        lead("customer", stage="customer"),
        lead("opportunity", stage="opportunity"),
        contact(40, stage="lead", record="later"),
        lead("deleted", (3, Deleted, {})),
    ]
    found = silent_leads(body, as_of=day(32), days=1)
    assert [each.contact for each in found.leads] == ["opportunity"]
    wanted = [LifecycleStage.CUSTOMER]
    found = silent_leads(body, as_of=day(32), days=1, stages=wanted)
    assert [each.contact for each in found.leads] == ["customer"]


def status(at, key):
    return at, LeadStatusSet, {"status": key}


def test_those_who_rest_on_purpose_are_left_out_by_reason():
    body = [
        lead("a", (3, OptedOut, {})),
        lead("b", status(3, "bad_timing"), stage="sales_qualified_lead"),
        lead("c", status(3, "unqualified"), stage="sales_qualified_lead"),
        lead("d", status(3, "connected"), stage="sales_qualified_lead"),
    ]
    found = silent_leads(body, as_of=day(32), days=1)
    parked = [each.key for each in STANDARD_STATUSES.statuses if each.parked]
    assert found.left_out == {"opted_out": 1, "parked": len(parked), "disqualified": 1}
    assert [each.contact for each in found.leads] == ["d"]


def test_activities_of_deals_count_for_the_contacts_that_take_part():
    body = [lead("a", called(1)), lead("b")]
    deals = [
        deal(0, called(20), called(19), contacts=("a",)),
        deal(0, called(15), contacts=("a", "b"), record="d-2"),
        deal(0, contacts=("b",), record="d-3"),
        deal(0, called(30), (31, Deleted, {}), contacts=("b",), record="d-4"),
    ]
    found = silent_leads(body, as_of=day(32), days=1, deals=deals)
    assert [(each.contact, each.days) for each in found.leads] == [("b", 17), ("a", 12)]


def test_activities_of_deals_reach_a_contact_under_each_of_its_ids():
    whole = lead("a").merge(lead("b", called(2)))
    deals = [deal(0, called(20), contacts=("b",))]
    assert silent_leads([whole], as_of=day(32), days=1, deals=deals).leads[0].days == 12


def test_silence_is_counted_in_days_of_the_zone():
    body = [lead("a", called(1.99))]
    assert silent_leads(body, as_of=day(10), days=9).leads[0].days == 9
    berlin = ZoneInfo("Europe/Berlin")
    assert silent_leads(body, as_of=day(10), days=9, zone=berlin).leads == ()


def test_silence_of_nobody_is_undefined():
    found = silent_leads([], as_of=day(32), days=9)
    assert (found.share.value, found.never_touched.value, found.leads) == (None, None, ())
    assert found.as_of == day(32)


def test_silent_leads_are_told_in_rows():
    rows = silent_leads([lead("a"), lead("b", called(1))], as_of=day(32), days=1).to_dicts()
    assert [(row["contact"], row["ever_touched"]) for row in rows] == [("a", False), ("b", True)]
    assert isinstance(rows[1]["last_touch"], datetime)
    found = [silent_leads([lead("a")], as_of=day(32), days=days) for days in (1, 1, 50)]
    check_value(*found)


def test_strange_input_about_leads_is_refused():
    options = {"as_of": day(40), "days": 7}
    check_door(
        lambda value: silent_leads([], **options | {"days": value}),
        takes=lambda value: type(value) is int and value in (0, 7),
    )
    check_door(lambda value: silent_leads([], **options | {"as_of": value}))
    check_door(lambda value: silent_leads([], **options, stages=value), takes=_empty)
    check_door(lambda value: silent_leads([], **options, deals=value), takes=_empty)
    check_door(lambda value: silent_leads([], **options, scheme=value))
    check_door(lambda value: silent_leads([], **options, zone=value))
    check_door(lambda value: silent_leads([], **options, level=value))
    check_door(lambda value: silent_leads(value, **options), takes=_empty)
    with pytest.raises(WrongTypeError, match="ContactHistory"):
        silent_leads([deal(0)], **options)


def _empty(value):
    return isinstance(value, (list, tuple, dict, set, bytes, bytearray)) and not value
