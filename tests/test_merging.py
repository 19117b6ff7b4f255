from datetime import datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest

from contracts import STRANGE, check_door, check_value
from salespipeline import metrics
from salespipeline.attributes import Attributes
from salespipeline.errors import HistoryError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Approved,
    Created,
    Deleted,
    FieldSet,
    LeadStatusSet,
    Merged,
    Opened,
    Origin,
    OwnerChanged,
    ProbabilitySet,
    SaleType,
    Start,
    Voided,
)
from salespipeline.history import ContactHistory, DealHistory, Reading
from salespipeline.lifecycle import LifecycleStage
from salespipeline.periods import Period
from stories import contact, day, deal, euros, given_to, moved, reached, won, worth

SQL = "sales_qualified_lead"
BY_THEN = Start.BY_THEN


def called(at):
    return at, ActivityRecorded, {"kind": "call"}


def known_as(history, *ids, system="crm"):
    """A history whose events, from the first on, have ids of another system; None for no id."""
    numbered = [
        event if name is None else attrs.evolve(event, system=system, original_id=name)
        for event, name in zip(history.events, ids, strict=True)
    ]
    return type(history)(numbered)


def places(history):
    """Where each event stood, as (record, number)."""
    return [
        (event.record, event.sequence)
        if event.origin is None
        else (event.origin.record, event.origin.sequence)
        for event in history.events
    ]


def faults(*histories):
    with pytest.raises(HistoryError) as caught:
        histories[0].merge(*histories[1:])
    return list(caught.value.faults)


# One history


def test_two_contacts_become_one_with_the_id_of_the_one_that_began_first():
    jane = contact(3, called(5), called(9), record="c-1")
    jane_d = contact(1, called(4), called(7), record="c-2")
    whole = jane.merge(jane_d)
    assert type(whole) is ContactHistory
    assert whole.record == whole.latest.id == "c-2"
    assert whole.merged_ids == ("c-2", "c-1")
    assert places(whole) == [
        ("c-2", 1), ("c-1", 1), ("c-2", 2), ("c-1", 2), ("c-2", 3), ("c-1", 3),
    ]  # fmt: skip
    assert [event.at for event in whole.events] == [day(n) for n in (1, 3, 4, 5, 7, 9)]


def test_of_two_that_began_together_the_smaller_id_stays():
    for first, second in (("c-1", "c-2"), ("c-2", "c-1")):
        whole = contact(1, record=first).merge(contact(1, record=second))
        assert whole.merged_ids == ("c-1", "c-2")


def test_the_beginning_of_the_other_becomes_the_event_that_takes_it_in():
    said = {"by": "form", "role": "web", "recorded_at": day(4), "name": "Ada"}
    other = known_as(contact(3, record="c-2", **said), "e-1")
    whole = contact(1).merge(other)
    assert whole.events[1] == Merged(
        record="c-1", sequence=2, at=day(3), by="form", role="web", recorded_at=day(4),
        system="crm", original_id="e-1", origin=Origin("c-2", 1, day(3)), other="c-2",
        creation=other.events[0],
    )  # fmt: skip


def test_an_event_that_is_where_it_was_says_no_origin():
    whole = contact(1, called(2), called(9)).merge(contact(5, record="c-2"))
    assert [event.origin for event in whole.events] == [
        None, None, Origin("c-2", 1, day(5)), Origin("c-1", 3, day(9)),
    ]  # fmt: skip


def test_an_origin_says_the_latest_instant_of_its_own_history():
    whole = contact(1, called(8), called(5)).merge(contact(6, record="c-2"))
    assert places(whole) == [("c-1", 1), ("c-2", 1), ("c-1", 2), ("c-1", 3)]
    assert whole.events[3].origin == Origin("c-1", 3, day(8))
    assert whole.events[3].at == day(5)


def test_events_of_one_instant_go_by_their_numbers_and_then_by_their_records():
    a, b = (contact(1, called(1), called(1), record=record) for record in ("c-1", "c-2"))
    assert places(b.merge(a)) == [(record, n) for n in (1, 2, 3) for record in ("c-1", "c-2")]


def test_what_is_added_after_a_merge_stays_after_it_whatever_the_ids():
    whole = contact(1, called(2), record="c-1").merge(contact(2, called(2), record="c-9"))
    _, call = whole.latest.record_activity("call", at=day(2), by="ada")
    longer = whole.append(call)
    third = contact(0, called(3), record="c-0")
    assert longer.merge(whole) == longer
    assert places(longer.merge(third)) == [
        ("c-0", 1), ("c-1", 1), ("c-9", 1), ("c-1", 2), ("c-9", 2), ("c-1", 5), ("c-0", 2),
    ]  # fmt: skip


def test_what_is_dated_back_after_a_merge_stays_after_it():
    whole = contact(1, called(7)).merge(contact(2, called(9), record="c-2"))
    _, call = whole.latest.record_activity("call", at=day(3), by="ada", recorded_at=day(9))
    longer = whole.append(call)
    assert longer.merge(contact(2, record="c-2")) == longer
    assert longer.merge(contact(0, record="c-0")).events[-1].origin == Origin("c-1", 5, day(9))


def test_an_event_that_two_records_have_is_one_in_the_place_of_the_longer():
    mail = {"system": "mail", "original_id": "m-7"}
    sent = (4, ActivityRecorded, {"kind": "email", **mail})
    a = contact(1, sent, called(4), record="c-1")
    b = contact(2, called(3), called(3), sent, record="c-2")
    whole = a.merge(b)
    assert places(whole) == [
        ("c-1", 1), ("c-2", 1), ("c-2", 2), ("c-2", 3), ("c-1", 3), ("c-2", 4),
    ]  # fmt: skip
    assert whole.events[5].identity == ("mail", "m-7")


def test_a_merged_history_is_a_value():
    a, b = contact(1, called(3)), contact(2, record="c-2")
    check_value(a.merge(b), b.merge(a), a, b, a.merge(contact(3, record="c-2")))


def test_a_history_merged_with_nothing_or_itself_stays_as_it_is():
    jane = contact(1, called(9), called(5))
    assert jane.merge() == jane.merge(jane) == jane
    assert jane.merged_ids == ("c-1",)


def test_merging_with_a_merged_history_takes_all_its_records_in():
    a, b, c = (contact(n, called(n + 3), record=f"c-{n}") for n in (1, 2, 3))
    whole = a.merge(b, c)
    assert whole == c.merge(a.merge(b)) == b.merge(c).merge(a)
    assert whole.merged_ids == ("c-1", "c-2", "c-3")


# What becomes of the fields of a contact


def test_a_beginning_fills_what_is_empty_and_changes_nothing_else():
    first = contact(1, name="Ada", owner="bob", attributes=Attributes({"seats": 4}))
    more = {
        "name": "A. L.", "email": "ada@example.org", "company": "Example", "account": "a-1",
        "owner": "eve", "source": "fair",
    }  # fmt: skip
    second = contact(2, record="c-2", **more, attributes=Attributes({"seats": 9, "size": "small"}))
    stands = first.merge(second).latest
    assert (stands.name, stands.owner) == ("Ada", "bob")
    assert (stands.email, stands.company) == ("ada@example.org", "Example")
    assert (stands.account, stands.source) == ("a-1", "fair")
    assert stands.attributes == Attributes({"seats": 4, "size": "small"})
    assert (stands.created_at, stands.changed_at, stands.version) == (day(1), day(2), 2)


def test_the_latest_word_on_a_field_stands_whichever_record_it_was_said_of():
    first = contact(1, given_to(5, "eve"), owner="bob")
    second = contact(2, given_to(7, "dan"), given_to(8, None), record="c-2")
    whole = first.merge(second)
    assert [whole.as_of(day(n)).owner for n in (1, 2, 5, 7, 8)] == [
        "bob", "bob", "eve", "dan", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "stage", "status", "since"),
    [
        ((SQL, "connected"), ("lead", None), SQL, "connected", 1),
        ((SQL, "connected"), (SQL, "new"), SQL, "connected", 1),
        ((SQL, None), (SQL, "new"), SQL, "new", 2),
        (("customer", None), (SQL, "new"), "customer", None, None),
        ((SQL, "connected"), ("customer", None), "customer", None, None),
        (("lead", None), (SQL, "new"), SQL, "new", 2),
        ((None, None), (None, "new"), None, "new", 2),
        ((None, None), (None, None), None, None, None),
    ],
)
def test_the_furthest_stage_stands_and_the_lead_status_goes_with_it(
    first, second, stage, status, since
):
    histories = [
        contact(at, record=f"c-{at}", stage=begun, lead_status=kept)
        for at, (begun, kept) in enumerate((first, second), 1)
    ]
    whole = histories[0].merge(histories[1])
    stands = whole.latest
    assert stands.lifecycle_stage == (stage and LifecycleStage(stage))
    assert (stands.lead_status, stands.status_since) == (status, since and day(since))
    open_visits = [each for each in whole.status_visits(day(9)) if each.is_open]
    assert [(each.state, each.entered) for each in open_visits] == (
        [(status, day(since))] if since else []
    )


def test_reaching_a_stage_by_a_merge_is_a_visit_and_consumes_approvals():
    approved = (2, Approved, {"approval": "head"})
    first = contact(1, approved, stage="lead")
    whole = first.merge(contact(5, record="c-2", stage="customer"))
    assert whole.as_of(day(4)).approvals == {"head"}
    assert whole.latest.approvals == frozenset()
    assert whole.latest.stage_since == day(5)
    assert [(each.state, each.entered) for each in whole.visits(day(9))] == [
        ("lead", day(1)), ("customer", day(5)),
    ]  # fmt: skip
    kept = first.merge(contact(5, record="c-2", stage="subscriber")).latest
    assert (kept.approvals, kept.stage_since) == ({"head"}, day(1))


@pytest.mark.parametrize(
    ("beginning", "known"),
    [
        ({}, True),
        ({"start": BY_THEN}, False),
        ({"observed_from": day(5)}, False),
        ({"observed_from": day(4)}, True),
    ],
)
def test_a_stage_that_a_merge_brought_is_known_to_begin_then_if_its_record_did(beginning, known):
    second = contact(5, record="c-2", stage=SQL, lead_status="new", **beginning)
    whole = contact(1, reached(8, "customer"), stage="lead").merge(second)
    assert [each.entry_known for each in whole.visits(day(9))] == [True, known, True]
    assert [each.entry_known for each in whole.status_visits(day(9))] == [known]


def test_a_merge_that_another_system_recorded_moves_nothing():
    whole = contact(1, (2, Merged, {"other": "c-9"}), reached(3, "lead"), name="Ada")
    assert whole.as_of(day(2)) == attrs.evolve(whole.as_of(day(1)), version=2, changed_at=day(2))
    assert whole.merged_ids == ("c-1",)
    assert whole.settled_at == day(3)
    assert contact(3, (2, Merged, {"other": "c-9"})).settled_at > day(9)
    both = whole.merge(contact(2, record="c-2"))
    assert both.merged_ids == ("c-1", "c-2")
    assert [event.other for event in both.events if type(event) is Merged] == ["c-2", "c-9"]


# What becomes of a deal


def test_a_deal_stays_in_its_stage_and_takes_what_is_empty():
    more = {
        "title": "40 seats", "amount": euros(900), "account": "a-1", "owner": "eve",
        "source": "fair", "sale_type": SaleType.UPSELL, "expected_close": day(30).date(),
        "renews": "d-0", "attributes": Attributes({"seats": 40}),
    }  # fmt: skip
    first = deal(1, title="seats", contacts=("c-1", "c-2"))
    second = deal(2, record="d-2", stage="offer", contacts=("c-3", "c-1"), **more)
    whole = first.merge(second)
    stands = whole.latest
    assert (stands.id, stands.stage, stands.stage_since) == ("d-1", "talk", day(1))
    assert stands.contacts == ("c-1", "c-2", "c-3")
    assert {name: getattr(stands, name) for name in more} == {**more, "title": "seats"}
    assert whole.whole_course.amount == euros(900)
    assert [each.state for each in whole.visits(day(9))] == ["talk"]
    both = deal(1, amount=euros(5)).merge(deal(2, record="d-2", amount=euros(6)))
    assert both.latest.amount == both.whole_course.amount == euros(5)
    bare = deal(1).merge(deal(2, record="d-2")).latest
    assert (bare.contacts, bare.attributes, bare.amount) == ((), Attributes(), None)


def test_the_moves_of_two_deals_are_replayed_in_order():
    first = deal(1, moved(4, "offer"), won(9, 80), amount=euros(50))
    second = deal(2, worth(5, euros(70)), moved(6, "hold"), record="d-2", amount=euros(60))
    whole = first.merge(second)
    assert [(each.state, each.entered) for each in whole.visits(day(20))] == [
        ("talk", day(1)), ("offer", day(4)), ("hold", day(6)), ("signed", day(9)),
    ]  # fmt: skip
    assert [whole.as_of(day(n)).amount for n in (2, 5, 9)] == [euros(50), euros(70), euros(80)]
    assert whole.settled_at == day(9)


def test_a_deal_that_was_kept_twice_is_counted_once():
    first = deal(1, won(9), amount=euros(50))
    second = deal(2, record="d-2", amount=euros(50))
    apart = metrics.win_rate_created([first, second], as_of=day(20))
    together = metrics.win_rate_created([first.merge(second)], as_of=day(20))
    assert (apart.numerator, apart.denominator) == (1, 2)
    assert (together.numerator, together.denominator) == (1, 1)


# Voids and deletions


def test_a_void_means_the_same_event_before_and_after_a_merge():
    a, b = contact(3, reached(8, "customer")), contact(1, reached(4, "lead"), record="c-0")
    early, _ = a.void(2, at=day(9), by="eve", why="a namesake")
    early = early.merge(b)
    whole = a.merge(b)
    late, (void,) = whole.void(("c-1", 2), at=day(9), by="eve", why="a namesake")
    assert void.voids == ("c-1", 2) == whole.events[3].identity
    assert early.latest == late.latest
    assert early.latest.lifecycle_stage is LifecycleStage.LEAD
    for reading, stage in ((Reading.AS_KNOWN_THEN, "customer"), (Reading.AS_KNOWN_NOW, "lead")):
        seen = [each.as_of(day(8), reading=reading).lifecycle_stage for each in (early, late)]
        assert seen == [LifecycleStage(stage)] * 2


def test_the_events_of_a_merged_history_are_voided_by_their_numbers_now():
    whole = contact(1, called(9)).merge(contact(2, reached(5, "lead"), record="c-2"))
    longer, (void,) = whole.void(3, at=day(9), by="eve", why="a slip")
    assert (void.voids, void.record, void.sequence) == (("c-2", 2), "c-1", 5)
    assert longer.latest.lifecycle_stage is None
    again, _ = longer.merge(whole).void(void, at=day(9), by="eve", why="it was so")
    assert again.latest.lifecycle_stage is LifecycleStage.LEAD


def test_a_beginning_that_was_taken_in_may_be_voided():
    whole = contact(1).merge(contact(2, record="c-2", stage="customer", name="Ada"))
    longer, (void,) = whole.void(2, at=day(9), by="eve", why="another Ada")
    assert void.voids == ("c-2", 1)
    assert (longer.latest.lifecycle_stage, longer.latest.name) == (None, None)
    assert longer.visits(day(9)) == ()


def test_a_copy_whose_beginning_is_voided_leaves_the_record_that_it_is_merged_with():
    copy, _ = contact(1, reached(3, "customer"), name="Test").void(
        1, at=day(4), by="eve", why="a copy", with_dependants=True
    )
    real = contact(2, reached(5, "lead"), record="c-2", name="Ada")
    whole = copy.merge(real)
    assert whole.record == "c-1"
    assert (whole.latest.name, whole.latest.created_at) == ("Ada", day(2))
    assert whole.latest.lifecycle_stage is LifecycleStage.LEAD
    assert whole.as_of(day(3)).lifecycle_stage is LifecycleStage.CUSTOMER
    assert whole.as_of(day(3), reading="as_known_now").created_at == day(2)
    assert [each.state for each in whole.visits(day(9))] == ["lead"]
    assert [type(event).__name__ for event in whole.known(day(9))] == [
        "Created", "Voided", "Voided", "LifecycleStageSet",
    ]  # fmt: skip
    assert copy.merge(copy).latest is None


def test_a_merge_that_another_system_recorded_begins_nothing():
    void = (3, Voided, {"voids": ("c-1", 1), "why": "a test"})
    assert contact(1, (2, Merged, {"other": "c-9"}), void).latest is None


def test_a_deal_begins_with_what_it_took_in_where_its_own_beginning_is_voided():
    copy, _ = deal(1, won(3), amount=euros(5)).void(
        1, at=day(4), by="eve", why="a copy", with_dependants=True
    )
    whole = copy.merge(deal(2, moved(6, "offer"), record="d-2"))
    assert (whole.latest.id, whole.latest.stage, whole.latest.amount) == ("d-1", "offer", None)
    counted = metrics.win_rate_created([whole], as_of=day(9))
    assert (counted.numerator, counted.denominator) == (0, 1)


def test_the_deletion_of_one_record_deletes_the_whole_unless_it_is_voided():
    doubled = contact(2, (5, Deleted, {"why": "a duplicate"}), record="c-2", name="Ada")
    whole = contact(1, reached(8, "lead")).merge(doubled)
    assert whole.as_of(day(4)).name == "Ada"
    assert whole.latest is None
    kept, _ = doubled.void(2, at=day(9), by="eve", why="it is one person")
    assert contact(1, reached(8, "lead")).merge(kept).latest.name == "Ada"
    assert whole.void(3, at=day(9), by="eve", why="one person")[0].latest.name == "Ada"


# Several readings of one record


def test_what_a_system_cut_off_is_taken_from_the_fuller_reading():
    full = known_as(deal(1, moved(3, "offer"), won(9, 5), title="seats"), "e-1", "e-2", "e-3")
    cut = DealHistory(
        [
            Opened(
                record="d-1", sequence=1, at=day(5), pipeline="board", stage="offer",
                start=BY_THEN, observed_from=day(5), amount=euros(4),
            ),
            attrs.evolve(full.events[2], sequence=2, stage_left="hold"),
        ]
    )  # fmt: skip
    assert full.merge(cut) == cut.merge(full) == full
    assert cut.latest.title is None


def test_an_event_keeps_the_place_that_one_reading_gave_it_through_further_merges():
    full = known_as(contact(5, called(3)), None, "e-1")
    cut = known_as(contact(4, called(3), start=BY_THEN), None, "e-1")
    both = full.merge(cut)
    assert both.events[1].origin == Origin("c-1", 2, day(4))
    other = contact(4.2, called(4.7), record="c-2")
    assert both.merge(other) == full.merge(cut.merge(other))


@pytest.mark.parametrize(
    ("fuller", "other"),
    [
        ((9, {}), (1, {"start": BY_THEN})),
        ((9, {"observed_from": day(9)}), (1, {"start": BY_THEN})),
        ((9, {}), (1, {"observed_from": day(2)})),
        ((9, {"observed_from": day(2)}), (1, {"observed_from": day(3)})),
        ((1, {}), (9, {})),
        ((1, {"start": BY_THEN}), (9, {"start": BY_THEN})),
    ],
)
def test_of_two_beginnings_of_one_record_the_fuller_stands(fuller, other):
    (at, facts), (at_other, others) = fuller, other
    fuller = contact(at, **facts, name="Ada")
    other = contact(at_other, **others, name="A. L.", email="ada@example.org")
    assert fuller.merge(other) == other.merge(fuller) == fuller


def test_two_beginnings_that_are_equally_full_say_together_what_they_say():
    seats, size = Attributes({"seats": 4}), Attributes({"size": "small"})
    one = deal(1, title="seats", contacts=("c-1",), attributes=seats)
    other = known_as(deal(1, owner="bob", attributes=size, amount=euros(5)), "e-1")
    both = one.merge(other)
    assert both == other.merge(one)
    assert both == known_as(
        deal(
            1, title="seats", contacts=("c-1",), owner="bob", amount=euros(5),
            attributes=Attributes({"seats": 4, "size": "small"}),
        ),
        "e-1",
    )  # fmt: skip


def test_what_an_event_left_is_told_by_the_longer_reading():
    short = known_as(deal(1, moved(5, "hold")), None, "e-9")
    full = known_as(deal(1, moved(3, "offer"), moved(5, "hold")), None, "e-8", "e-9")
    left = attrs.evolve(full.events[2], stage_left="offer")
    full = DealHistory([*full.events[:2], left])
    guessed = DealHistory([short.events[0], attrs.evolve(short.events[1], stage_left="talk")])
    assert guessed.merge(full) == full.merge(guessed) == full
    assert short.merge(guessed) == guessed.merge(short) == guessed


# What is refused


def test_events_of_one_identity_must_say_the_same():
    a = known_as(deal(1, won(9, 5), given_to(9, "bob")), "e-1", "e-2", "e-3")
    b = known_as(deal(2, won(9, 6), given_to(9, "eve"), record="d-2"), "e-4", "e-2", "e-3")
    assert faults(a, b) == [
        (
            "event 2 (Won) of 'd-1' and event 2 (Won) of 'd-2' have one identity, ('crm', 'e-2'), "
            "and do not say the same: amount Money('5.00', 'EUR') and Money('6.00', 'EUR')"
        ),
        (
            "event 3 (OwnerChanged) of 'd-1' and event 3 (OwnerChanged) of 'd-2' have "
            "one identity, ('crm', 'e-3'), and do not say the same: owner 'bob' and 'eve'"
        ),
    ]


def test_a_record_that_went_on_in_two_places_is_not_merged_by_guessing():
    jane = contact(1)
    there, here = contact(1, reached(2, "lead")), contact(1, called(2))
    assert jane.merge(there) == there
    with pytest.raises(HistoryError) as caught:
        there.merge(here)
    assert str(caught.value) == (
        "history of 'c-1': event 2 (LifecycleStageSet) of 'c-1' and event 2 (ActivityRecorded) "
        "of 'c-1' have one identity, ('c-1', 2), and do not say the same"
    )


def test_two_beginnings_that_are_equally_full_must_not_contradict_each_other():
    one = contact(1, name="Ada", owner="bob", attributes=Attributes({"seats": 4}))
    other = contact(1, name="Eve", owner="bob", attributes=Attributes({"seats": 5}))
    assert faults(one, other) == [
        (
            "event 1 (Created) of 'c-1' and event 1 (Created) of 'c-1' have one identity, "
            "('c-1', 1), and do not say the same: name 'Ada' and 'Eve', "
            "attributes Attributes({'seats': 4}) and Attributes({'seats': 5})"
        )
    ]


def test_two_events_of_one_history_must_not_have_one_identity():
    doubled = known_as(contact(1, called(2), called(3)), None, "e-1", "e-1")
    fault = (
        "event 2 (ActivityRecorded) of 'c-1' and event 3 (ActivityRecorded) of 'c-1' "
        "have one identity, ('crm', 'e-1')"
    )
    assert faults(contact(1, record="c-2"), doubled) == [fault]
    assert faults(doubled) == [fault]


def test_an_event_is_not_known_by_the_identity_of_a_beginning():
    one = known_as(contact(1, called(2)), "e-1", "e-2")
    other = known_as(contact(2, called(2), record="c-2"), "e-9", "e-1")
    assert faults(one, other) == [
        "two events have one identity, ('crm', 'e-1'); one begins a record"
    ]


def test_a_contact_is_not_merged_with_a_deal():
    with pytest.raises(WrongTypeError, match=r"^'others' must be a ContactHistory \(got DealHist"):
        contact(1).merge(deal(1))
    check_door(contact(1).merge)
    check_door(deal(1).merge)


@pytest.mark.parametrize(
    "origin",
    [
        "c-2",
        Origin(7, 1, day(1)),
        Origin("c-2", "1", day(1)),
        Origin("c-2", True, day(1)),
        Origin("c-2", 1, None),
        Origin("c-2", 1, day(1).replace(tzinfo=None)),
        Origin("c-2", 1, day(1).astimezone(timezone(timedelta(hours=1)))),
    ],
)
def test_an_origin_that_says_no_place_is_refused(origin):
    strange = contact(1, (2, ActivityRecorded, {"kind": "call", "origin": origin}))
    fault = "event 2 (ActivityRecorded) of 'c-1' says no fit record, origin, system or original id"
    assert faults(contact(1, record="c-2"), strange) == [fault]


def test_a_beginning_that_says_an_origin_is_refused():
    strange = contact(1, origin=Origin("c-2", 1, day(1)))
    assert faults(strange) == [
        "event 1 (Created) of 'c-1' says an origin, and a record begins where it is"
    ]


@pytest.mark.parametrize("name", ["record", "system", "original_id", "by", "voids"])
@pytest.mark.parametrize(
    "value",
    [value for value in STRANGE if not isinstance(value, float | Decimal)],
    ids=lambda value: type(value).__name__,
)
def test_strange_facts_of_events_end_in_no_error_but_ours(name, value):
    void = (2, Voided, {"voids": ("c-1", 2), "why": "no", "system": "crm", "original_id": "e-1"})
    events = list(contact(1, called(2), void).events)
    if name == "record":
        events = [attrs.evolve(event, record=value) for event in events]
    else:
        events[2] = attrs.evolve(events[2], **{name: value})
    plain = contact(1, called(2))
    strange = ContactHistory(events)
    if name in {"by", "voids"} or isinstance(value, str) or (value is None and name != "record"):
        whole = strange.merge(plain)
        assert whole.merge(strange) == whole.merge(plain) == whole == plain.merge(strange)
    else:
        with pytest.raises(HistoryError, match="says no fit record, origin, system or original"):
            strange.merge(plain)


def test_facts_that_cannot_be_compared_are_not_the_same():
    chance = [
        deal(1, (2, ProbabilitySet, {"probability": Decimal(number)})) for number in ("sNaN", "1")
    ]
    assert len(faults(*chance)) == 1
    assert chance[0].merge(chance[0]) == chance[0].merge()


# What a history accepts as having been taken in


BEGUN = Created(record="c-2", sequence=1, at=day(2))
TAKEN = Merged(
    record="c-1", sequence=2, at=day(2), origin=Origin("c-2", 1, day(2)), other="c-2",
    creation=BEGUN,
)  # fmt: skip


UNSOUND = [
    {"creation": "Ada"},
    {"creation": Opened(record="c-2", sequence=1, at=day(2), pipeline="p", stage="s")},
    {"creation": attrs.evolve(BEGUN, origin=TAKEN.origin)},
    {"creation": attrs.evolve(BEGUN, record="c-3")},
    {"creation": attrs.evolve(BEGUN, sequence=2)},
    {"creation": attrs.evolve(BEGUN, at=day(3))},
    {"creation": attrs.evolve(BEGUN, by="ada")},
    {"creation": attrs.evolve(BEGUN, system="crm")},
    {"creation": attrs.evolve(BEGUN, observed_from=datetime(2026, 1, 1))},  # noqa: DTZ001
    {"creation": attrs.evolve(BEGUN, observed_from="soon")},
    {"creation": attrs.evolve(BEGUN, observed_from=0)},
    {"origin": None},
    {"origin": "c-2"},
    {"origin": Origin("c-3", 1, day(2))},
    {"origin": Origin("c-2", 2, day(2))},
    {"other": "c-3"},
]


@pytest.mark.parametrize("facts", UNSOUND, ids=lambda facts: str(facts)[:40])
def test_a_history_refuses_what_does_not_say_how_the_other_record_began(facts):
    created = contact(1).events[0]
    assert ContactHistory([created, TAKEN]) == contact(1).merge(contact(2, record="c-2"))
    with pytest.raises(HistoryError) as caught:
        ContactHistory([created, attrs.evolve(TAKEN, **facts)])
    told = facts.get("other", "c-2")
    assert caught.value.faults == (f"number 2 does not say how {told!r} began",)


def test_a_record_is_not_taken_into_itself():
    itself = {
        "other": "c-1", "origin": Origin("c-1", 1, day(2)),
        "creation": attrs.evolve(BEGUN, record="c-1"),
    }  # fmt: skip
    with pytest.raises(HistoryError, match="number 2 does not say how 'c-1' began"):
        ContactHistory([contact(1).events[0], attrs.evolve(TAKEN, **itself)])


# Merged histories at work


def test_commands_go_on_from_a_merged_contact():
    whole = contact(1, stage="lead").merge(contact(2, record="c-2", stage="subscriber"))
    after, event = whole.latest.advance(SQL, at=day(5), by="ada")
    assert (event.record, event.sequence, event.origin) == ("c-1", 3, None)
    longer = whole.append(event)
    assert longer.latest == after
    later, status = after.set_lead_status("connected", at=day(6), by="ada")
    assert longer.append(status).merge(whole).latest == later


def test_a_merge_is_denied_nothing_that_its_pieces_hold():
    first = contact(1, (3, LeadStatusSet, {"status": "made_up"}), reached(2, "lead"))
    second = contact(2, (1, FieldSet, {"field": "name", "value": "Ada"}), record="c-2")
    whole = second.merge(first)
    assert whole.record == "c-1"
    assert [event.at.day for event in whole.events] == [2, 3, 2, 4, 3]
    assert (whole.latest.name, whole.latest.lead_status) == ("Ada", None)


def test_a_contact_has_been_in_a_stage_since_either_record_was():
    first, second = contact(1, reached(9, SQL)), contact(2, record="c-2", stage="lead")
    whole = first.merge(second)
    assert [(each.state, each.entered) for each in whole.visits(day(20))] == [
        ("lead", day(2)), (SQL, day(9)),
    ]  # fmt: skip
    assert [each.lifecycle_stage for each in (first.as_of(day(2)), whole.as_of(day(2)))] == [
        None, LifecycleStage.LEAD,
    ]  # fmt: skip


def test_a_beginning_that_was_taken_in_may_make_a_contact_a_lead():
    one = ContactHistory([Created(record="c-1", sequence=1, at=day(1))])
    begun = Created(record="c-2", sequence=1, at=day(20), lifecycle_stage=LifecycleStage.LEAD)
    whole = one.merge(ContactHistory([begun]))
    for first, number in ((19, 0), (20, 1)):
        cohort = Period(day(first), day(first + 1))
        found = metrics.qualified_leads([whole], as_of=day(30), period=cohort)
        assert found.denominator == number


def test_other_events_may_be_voided_where_a_later_beginning_holds():
    first = ContactHistory([Created(record="c-1", sequence=1, at=day(1))])
    gone, _ = first.void(1, at=day(5), by="ada", why="nobody")
    begun = Created(record="c-2", sequence=1, at=day(2))
    changed = OwnerChanged(record="c-2", sequence=2, at=day(3), owner="sam")
    whole = gone.merge(ContactHistory([begun, changed]))
    assert whole.latest.owner == "sam"
    moved = next(event for event in whole.events if isinstance(event, OwnerChanged))
    voided, _ = whole.void(moved, at=day(6), by="ada", why="not sam's")
    assert voided.latest.owner is None


def test_a_beginning_may_be_voided_alone_where_another_was_taken_in():
    one = ContactHistory([Created(record="c-1", sequence=1, at=day(1), name="Nobody")])
    begun = Created(record="c-2", sequence=1, at=day(2), name="Ada")
    changed = OwnerChanged(record="c-2", sequence=2, at=day(3), owner="sam")
    whole = one.merge(ContactHistory([begun, changed]))
    assert whole.latest.name == "Nobody"
    voided, _ = whole.void(1, at=day(6), by="ada", why="there is no such person")
    assert (voided.latest.name, voided.latest.owner) == ("Ada", "sam")
