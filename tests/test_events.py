from datetime import UTC, date, datetime
from decimal import Decimal
from typing import get_args

import attrs
import pytest

from contracts import check_door, check_value
from salespipeline.attributes import Attributes
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import (
    AmountChanged,
    Approved,
    ContactEvent,
    Created,
    DealEvent,
    Direction,
    Event,
    FieldSet,
    ForecastCategory,
    Moved,
    NextStep,
    Opened,
    Origin,
    ProbabilityBasis,
    SaleType,
    SharedEvent,
    StageEntered,
    Start,
    Term,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome
from salespipeline.rules import Ruling

AT, LATER = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
DAY, NEXT_DAY = date(2026, 3, 1), date(2026, 3, 2)
NINE, TEN = Money(9, "EUR"), Money(10, "EUR")
EVERY = tuple(dict.fromkeys((*get_args(ContactEvent), *get_args(DealEvent))))

FACTS = {
    "record": ("r-1", "r-2"),
    "sequence": (7, 8),
    "at": (AT, LATER),
    "by": ("ada", None),
    "role": ("sales", None),
    "recorded_at": (LATER, None),
    "system": ("crm", None),
    "original_id": ("e-7", None),
    "origin": (Origin("r-0", 3, AT), Origin("r-0", 4, AT)),
    "start": (Start.BY_THEN, Start.EXACT),
    "observed_from": (AT, None),
    "lifecycle_stage": (LifecycleStage.LEAD, LifecycleStage.MQL),
    "lead_status": ("new", None),
    "name": ("Ada", None),
    "email": ("ada@example.org", None),
    "company": ("Example", None),
    "account": ("a-1", None),
    "owner": ("bob", None),
    "source": ("fair", None),
    "attributes": (Attributes({"seats": 4}), Attributes()),
    "ruling": (Ruling("book", 1, "f00"), Ruling("book", 2, "f00")),
    "pipeline": ("board", "lean"),
    "stage": ("offer", "talk"),
    "outcome": (Outcome.WON, Outcome.OPEN),
    "title": ("40 seats", None),
    "amount": (NINE, TEN),
    "contacts": (("c-1",), ()),
    "sale_type": (SaleType.UPSELL, None),
    "expected_close": (DAY, NEXT_DAY),
    "term": (Term(DAY, NEXT_DAY, NINE), Term(DAY, NEXT_DAY, TEN)),
    "renews": ("d-0", None),
    "field": ("name", "email"),
    "value": (NINE, None),
    "kind": ("call", "visit"),
    "direction": (Direction.INBOUND, Direction.OUTBOUND),
    "what": ("send the offer", "call"),
    "due": (DAY, NEXT_DAY),
    "framework": ("bant", "meddic"),
    "criterion": ("budget", "need"),
    "answer": ("met", "unknown"),
    "evidence": ("they said so", None),
    "expires_at": (LATER, None),
    "verdict": ("fit", None),
    "approval": ("finance", "legal"),
    "other": ("r-9", "r-8"),
    "creation": (Created(record="r-9", sequence=1, at=AT), None),
    "voids": (("r-1", 2), ("crm", "e-2")),
    "why": ("a slip", "a copy"),
    "status": ("connected", None),
    "status_left": ("new", None),
    "revisit_on": (DAY, None),
    "pipeline_left": ("lean", None),
    "stage_left": ("talk", None),
    "reason": ("price", None),
    "probability": (Decimal("0.4"), None),
    "basis": (ProbabilityBasis.STICKY, ProbabilityBasis.MODEL),
    "category": (ForecastCategory.COMMIT, None),
    "contact": ("c-1", "c-2"),
}
"""For every fact that an event may carry, two that differ."""

ENVELOPE = {
    "record", "sequence", "at", "by", "role", "recorded_at", "system", "original_id", "origin",
}  # fmt: skip


def facts_of(kind, which=0):
    return {field.name: FACTS[field.name][which] for field in attrs.fields(kind)}


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_event_is_a_value_of_all_its_facts(kind):
    event = kind(**facts_of(kind))
    others = [attrs.evolve(event, **{name: FACTS[name][1]}) for name in facts_of(kind)]
    check_value(event, kind(**facts_of(kind)), *others)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_event_says_to_which_record_it_happened_when_and_by_whom(kind):
    assert {field.name for field in attrs.fields(kind)} >= ENVELOPE
    assert issubclass(kind, Event)
    with pytest.raises(TypeError):
        kind("r-1", 7, AT)


def test_events_of_two_kinds_with_the_same_facts_differ():
    shared = {"record": "d-1", "sequence": 2, "at": AT}
    entered = {"pipeline": "board", "stage": "offer"}
    assert Moved(**shared, **entered) != StageEntered(**shared, **entered)
    assert Approved(**shared, approval="legal") != AmountChanged(**shared, amount=None)


def test_the_set_of_events_is_closed():
    shared = set(get_args(SharedEvent))
    contact, deal = set(get_args(ContactEvent)), set(get_args(DealEvent))
    assert contact & deal == shared
    assert len(contact - shared) == 5
    assert len(deal - shared) == 12
    assert Event not in contact | deal
    assert StageEntered not in deal


def test_facts_that_nobody_gave_are_absent():
    created = Created(record="c-1", sequence=1, at=AT)
    absent = set(facts_of(Created)) - {"record", "sequence", "at", "start", "attributes"}
    assert {name: getattr(created, name) for name in absent} == dict.fromkeys(absent)
    assert created.start is Start.EXACT
    assert created.attributes == Attributes()


def test_a_deal_is_opened_open_and_without_contacts():
    opened = Opened(record="d-1", sequence=1, at=AT, pipeline="board", stage="talk")
    assert opened.outcome is Outcome.OPEN
    assert opened.contacts == ()


def test_a_probability_holds_until_the_next_move_if_nobody_says_otherwise():
    assert ProbabilityBasis("until_move") is ProbabilityBasis.UNTIL_MOVE
    kind = next(kind for kind in EVERY if kind.__name__ == "ProbabilitySet")
    event = kind(record="d-1", sequence=2, at=AT, probability=Decimal("0.1"))
    assert event.basis is ProbabilityBasis.UNTIL_MOVE


# Identity


def test_an_event_is_known_by_its_id_in_the_system_it_was_read_from():
    event = FieldSet(
        record="c-1", sequence=4, at=AT, field="name", value="Ada", system="crm", original_id="e-9"
    )
    assert event.identity == ("crm", "e-9")
    assert attrs.evolve(event, record="c-2", sequence=5).identity == ("crm", "e-9")


@pytest.mark.parametrize(
    "half", [{}, {"system": "crm"}, {"original_id": "e-9"}], ids=["neither", "system", "id"]
)
def test_an_event_without_both_system_and_id_is_known_by_record_and_number(half):
    event = FieldSet(record="c-1", sequence=4, at=AT, field="name", value="Ada", **half)
    assert event.identity == ("c-1", 4)


def test_an_event_of_a_merged_history_is_known_by_where_it_stood_before():
    moved = FieldSet(
        record="c-1", sequence=4, at=AT, field="name", value="Ada", origin=Origin("c-2", 3, AT)
    )
    assert moved.identity == ("c-2", 3)
    assert attrs.evolve(moved, record="c-0", sequence=9).identity == ("c-2", 3)
    assert attrs.evolve(moved, system="crm", original_id="e-9").identity == ("crm", "e-9")


# The small values on events


def test_a_term_is_a_value():
    check_value(
        Term(DAY, NEXT_DAY, NINE),
        Term(DAY, NEXT_DAY, Money("9.00", "EUR")),
        Term(date(2026, 2, 28), NEXT_DAY, NINE),
        Term(DAY, date(2026, 3, 3), NINE),
        Term(DAY, NEXT_DAY, TEN),
    )


@pytest.mark.parametrize("end", [DAY, date(2026, 2, 28)])
def test_a_term_without_a_day_in_it_is_refused(end):
    with pytest.raises(InvalidValueError, match=f"^term: the end {end} is not after 2026-03-01$"):
        Term(DAY, end, NINE)


def test_a_term_takes_dates_and_money_only():
    check_door(lambda value: Term(value, NEXT_DAY, NINE))
    check_door(lambda value: Term(DAY, value, NINE))
    check_door(lambda value: Term(DAY, NEXT_DAY, value))


def test_an_instant_is_no_date_of_a_term():
    with pytest.raises(WrongTypeError, match=r"^'end' must be a date without a time"):
        Term(DAY, LATER, NINE)


def test_a_next_step_is_a_value():
    check_value(
        NextStep("call", DAY), NextStep("call", due=DAY), NextStep("call"), NextStep("visit", DAY)
    )


def test_an_origin_is_a_value():
    check_value(
        Origin("c-2", 3, AT),
        Origin(record="c-2", sequence=3, latest_at=AT),
        Origin("c-3", 3, AT),
        Origin("c-2", 4, AT),
        Origin("c-2", 3, LATER),
    )


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (Start, ["exact", "by_then"]),
        (Direction, ["inbound", "outbound"]),
        (SaleType, ["new_business", "renewal", "upsell", "cross_sell"]),
        (ForecastCategory, ["omitted", "pipeline", "best_case", "commit", "closed"]),
        (ProbabilityBasis, ["stage", "until_move", "sticky", "model"]),
    ],
)
def test_the_keys_that_events_hold_are_stable(kind, keys):
    assert [str(member) for member in kind] == keys
