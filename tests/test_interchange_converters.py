from datetime import timedelta

import pytest
from attrs import frozen
from cattrs import Converter

from contracts import check_door
from record_strategies import START
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import ContactEvent, Created, DealEvent, LifecycleStageSet, Opened, Won
from salespipeline.history import DealHistory
from salespipeline.interchange import teach
from salespipeline.money import Money
from salespipeline.pipelines import SIX_STAGES

DAY = timedelta(days=1)


@frozen
class Invoice:
    """A class of an adopter's own."""

    deal: Deal
    total: Money
    reminders: list[Money]


@frozen
class Outbox:
    """What is still to be told to others."""

    contact: list[ContactEvent]
    deal: list[DealEvent]
    closing: Won | None = None


@pytest.fixture
def converter():
    taught = Converter()
    teach(taught)
    return taught


@pytest.fixture
def sold():
    deal, opened = Deal.open(
        "d-1", at=START, by="ada", pipeline=SIX_STAGES, amount=Money("10", "EUR")
    )
    deal, won = deal.win(at=START + DAY, by="ada", pipeline=SIX_STAGES)
    return deal, opened, won


def test_a_class_that_holds_our_types_is_written_and_read_back(converter, sold):
    deal, _, _ = sold
    invoice = Invoice(deal, Money("12.50", "EUR"), [Money("1", "EUR")])
    plain = converter.unstructure(invoice)
    assert plain["total"] == {"amount": "12.50", "currency": "EUR"}
    assert converter.structure(plain, Invoice) == invoice


def test_events_are_read_by_their_union_or_their_own_type(converter, sold):
    _, opened, won = sold
    _, created = Contact.create("c-1", at=START, by="ada", stage="lead")
    outbox = Outbox([created], [opened, won], won)
    plain = converter.unstructure(outbox)
    assert [each["event"] for each in plain["deal"]] == ["opened", "won"]
    assert converter.structure(plain, Outbox) == outbox
    assert converter.structure(plain["deal"][0], Opened) == opened


def test_an_event_of_another_type_than_the_one_asked_for_is_refused(converter, sold):
    _, opened, _ = sold
    plain = converter.unstructure(opened)
    with pytest.raises(WrongTypeError, match="'event' must be a Won"):
        converter.structure(plain, Won)


def test_data_at_fault_are_refused_with_every_fault(converter, sold):
    deal, opened, _ = sold
    plain = converter.unstructure(DealHistory([opened]))
    plain["events"][0] |= {"amount": {"amount": 12.5, "currency": "euro"}, "stage": 5}
    with pytest.raises(InvalidValueError) as caught:
        converter.structure(plain, DealHistory)
    told = str(caught.value)
    for path in ("events[0].amount.amount", "events[0].amount.currency", "events[0].stage"):
        assert path in told
    assert converter.structure(converter.unstructure(deal), Deal) == deal


def test_what_cannot_be_written_is_named(converter):
    made = LifecycleStageSet(record="c-1", sequence=1, at="today", stage="lead")
    with pytest.raises(InvalidValueError, match="at: must be an instant"):
        converter.unstructure(made)
    assert converter.unstructure(Created(record="c-1", sequence=1, at=START))["event"] == "created"


def test_only_a_converter_can_be_taught():
    check_door(teach)
