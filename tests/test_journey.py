from datetime import timedelta

import pytest

from contracts import check_door, check_value
from record_strategies import START
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.history import DealHistory
from salespipeline.journey import STANDARD_JOURNEY, JourneyTable, Place, where
from salespipeline.lifecycle import (
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    StatusScheme,
)
from salespipeline.pipelines import (
    HUBSPOT_DEFAULT,
    SALESFORCE_DEFAULT,
    SEVEN_STAGES,
    SIX_STAGES,
    Journey,
    Pipeline,
    Stage,
)
from stories import deal as told_deal
from stories import lost, moved, reopened, won

NOW = {"at": START, "by": "ada"}
LATER = {"at": START + timedelta(days=1), "by": "ada"}
SQL, OPPORTUNITY = LifecycleStage.SQL, LifecycleStage.OPPORTUNITY
BOARD = Pipeline(
    "board",
    [
        Stage("talk", journey="initial_contact"),
        Stage("legal"),
        Stage("haggle", journey="negotiation_and_commitment"),
        Stage("gone", outcome="lost", journey="closing"),
    ],
    former={"phone": "talk"},
)
"""A pipeline with a stage on no broad stage, and with an implicit stage won."""


RENAMED = StatusScheme.of("calls", {"fresh": "initial", "reached": "working"})


def contact_at(stage, status=None, scheme=STANDARD_STATUSES):
    contact, _ = Contact.create("c-1", stage=stage, scheme=scheme, **NOW)
    if status not in (None, contact.lead_status):
        contact, _ = contact.set_lead_status(status, scheme=scheme, **LATER)
    return contact


def deal_in(stage, pipeline=BOARD, record="d-1"):
    return Deal.open(record, pipeline=pipeline, stage=stage, **NOW)[0]


def told(*steps, **facts):
    """A deal of the board as another system tells it."""
    return told_deal(0, *steps, **facts).latest


def place_of(*deals, stage="lead", pipelines=(BOARD,)):
    found = where(contact_at(stage), deals, pipelines=pipelines)
    return None if found is None else found.value


# Without deals


@pytest.mark.parametrize(
    ("stage", "status", "journey"),
    [
        (None, None, None),
        ("subscriber", None, "prospecting"),
        ("lead", None, "prospecting"),
        ("marketing_qualified_lead", None, "lead_qualification"),
        ("sales_qualified_lead", "new", "lead_qualification"),
        ("sales_qualified_lead", "attempted_to_contact", "lead_qualification"),
        ("sales_qualified_lead", "connected", "initial_contact"),
        ("sales_qualified_lead", "open_deal", "proposal"),
        ("sales_qualified_lead", "bad_timing", "lead_qualification"),
        ("sales_qualified_lead", "unqualified", None),
        ("opportunity", None, "proposal"),
        ("customer", None, "follow_up_and_retention"),
        ("evangelist", None, "follow_up_and_retention"),
    ],
)
def test_without_deals_the_table_says_where_a_contact_stands(stage, status, journey):
    assert where(contact_at(stage, status)) == journey


@pytest.mark.parametrize(
    ("status", "journey"),
    [
        ("connected", "proposal"),
        ("open_deal", "proposal"),
        ("bad_timing", "lead_qualification"),
        ("unqualified", None),
    ],
)
def test_an_opportunity_whose_status_goes_on_stands_by_it_only_where_it_was_recycled(
    status, journey
):
    contact = contact_at("opportunity", status, RECYCLABLE_STATUSES)
    assert where(contact, scheme=RECYCLABLE_STATUSES) == journey


def test_a_status_kept_beyond_the_stages_of_its_scheme_says_nothing():
    kept = contact_at("opportunity", "unqualified", RECYCLABLE_STATUSES)
    assert where(kept).value == "proposal"


def test_the_standard_table_names_every_lifecycle_stage_and_goes_forward_with_it():
    order = [list(Journey).index(STANDARD_JOURNEY.journey(stage)) for stage in LifecycleStage]
    assert order == sorted(order)


def test_the_standard_table_names_statuses_that_exist():
    named = {place.status for place in STANDARD_JOURNEY.places}
    assert named - {None} <= set(LeadStatus)


def test_a_status_that_the_table_does_not_name_leaves_the_contact_at_its_stages_place():
    own = StatusScheme.of("own", {"fresh": "initial", "second_call": "working"})
    assert where(contact_at(SQL, "second_call", own), scheme=own).value == "lead_qualification"


@pytest.mark.parametrize("named", ["connected", "reached"])
@pytest.mark.parametrize("held", ["connected", "reached"])
def test_a_retired_status_stands_for_its_successor_in_contacts_and_table_alike(named, held):
    old = StatusScheme.of("calls", {"fresh": "initial", "connected": "working"})
    new = StatusScheme("calls", RENAMED.statuses, former={"connected": "reached"})
    table = JourneyTable("own", [Place(SQL, "closing", named)])
    contact = contact_at(SQL, held, old if held == "connected" else new)
    assert contact.lead_status == held
    assert where(contact, table=table, scheme=new).value == "closing"


def test_a_table_of_ones_own_says_where_contacts_stand():
    table = JourneyTable("own", [Place(None, "prospecting"), Place(SQL, None, "new")])
    assert where(contact_at(None), table=table).value == "prospecting"
    assert where(contact_at(SQL), table=table) is None
    assert where(contact_at("customer"), table=table) is None
    assert JourneyTable("nobody", []).journey("customer") is None


def test_a_place_for_one_status_is_for_no_other_wherever_it_stands_in_the_table():
    places = [Place(SQL, "closing", "connected"), Place(SQL, "prospecting")]
    for table in (JourneyTable("own", places), JourneyTable("own", places[::-1])):
        assert where(contact_at(SQL, "connected"), table=table).value == "closing"
        assert where(contact_at(SQL, "open_deal"), table=table).value == "prospecting"


def test_a_table_with_a_place_says_it_instead_and_the_table_before_is_as_it_was():
    table = STANDARD_JOURNEY.with_place(Place(SQL, "prospecting", "bad_timing"))
    parked = contact_at(SQL, "bad_timing")
    assert where(parked, table=table).value == "prospecting"
    assert where(parked).value == "lead_qualification"
    assert len(table.places) == len(STANDARD_JOURNEY.places)
    unnamed = table.with_place(Place(SQL, "prospecting", "new"))
    assert len(unnamed.places) == len(table.places) + 1


def test_a_table_answers_by_the_key_of_a_stage_as_well():
    assert STANDARD_JOURNEY.journey("sales_qualified_lead", "open_deal").value == "proposal"


# With deals


def test_a_contact_with_a_deal_stands_where_the_deals_stage_does():
    assert place_of(deal_in("talk")) == "initial_contact"
    assert place_of(deal_in("talk"), stage="customer") == "initial_contact"


def test_a_contact_with_several_deals_stands_at_the_furthest_in_whatever_order():
    near, far = deal_in("talk"), deal_in("haggle", record="d-2")
    assert place_of(near, far) == place_of(far, near) == "negotiation_and_commitment"


def test_broad_stages_go_by_their_order_and_not_by_their_names():
    six = deal_in("proposal", SIX_STAGES, "d-2")
    assert place_of(deal_in("haggle"), six, pipelines=[BOARD, SIX_STAGES]) == (
        "negotiation_and_commitment"
    )


def test_the_seven_stages_are_told_one_by_one():
    told = [place_of(deal_in(key, SEVEN_STAGES), pipelines=[SEVEN_STAGES]) for key in Journey]
    assert told == list(Journey)


def test_a_won_deal_on_no_broad_stage_is_in_follow_up_and_retention():
    assert place_of(deal_in("won")) == "follow_up_and_retention"


def test_a_won_deal_stands_where_its_stage_says_it_does():
    assert place_of(deal_in("closing", SIX_STAGES), pipelines=[SIX_STAGES]) == "closing"


@pytest.mark.parametrize(
    ("pipeline", "stage"), [(HUBSPOT_DEFAULT, "closedwon"), (SALESFORCE_DEFAULT, "Closed Won")]
)
def test_a_deal_won_in_another_systems_pipeline_is_in_follow_up_and_retention(pipeline, stage):
    won_there = deal_in(stage, pipeline)
    assert place_of(won_there, pipelines=[pipeline]) == "follow_up_and_retention"


def test_an_open_deal_takes_no_customer_with_a_won_one_back():
    upsell = deal_in("talk", record="d-2")
    assert place_of(deal_in("won"), upsell) == "follow_up_and_retention"
    assert place_of(upsell, stage="customer") == "initial_contact"


def test_a_lost_deal_does_not_count_even_where_its_stage_names_a_broad_one():
    gone = deal_in("gone")
    assert place_of(gone, stage="opportunity") == "proposal"
    assert place_of(gone, deal_in("talk", record="d-2")) == "initial_contact"


def test_a_deal_that_was_reopened_counts_again():
    before = told(won(1, stage="won"), lost(2))
    again = told(won(1, stage="won"), lost(2), reopened(3, stage="haggle"))
    assert place_of(before) == "prospecting"
    assert place_of(again) == "negotiation_and_commitment"


def test_a_deal_on_no_broad_stage_is_passed_over():
    assert place_of(deal_in("legal")) == "prospecting"
    assert place_of(deal_in("legal"), deal_in("talk", record="d-2")) == "initial_contact"


def test_a_deal_in_a_retired_stage_stands_where_its_successor_does():
    assert place_of(told(stage="phone")) == "initial_contact"


def test_a_deal_in_a_stage_that_its_pipeline_lacks_is_passed_over_unless_it_was_won():
    assert place_of(told(moved(1, "ghost"))) == "prospecting"
    assert place_of(told(won(1, stage="ghost"))) == "follow_up_and_retention"


@pytest.mark.parametrize("pipelines", [(), (SIX_STAGES,)])
@pytest.mark.parametrize("stage", ["talk", "won"])
def test_a_pipeline_that_is_needed_and_not_given_is_an_error_that_names_the_deal(stage, pipelines):
    with pytest.raises(UnknownKeyError, match="unknown pipeline of deal 'd-1': 'board'") as caught:
        place_of(deal_in(stage), pipelines=pipelines)
    assert caught.value.known == tuple(each.key for each in pipelines)


def test_the_pipeline_of_a_lost_deal_is_not_needed():
    assert place_of(deal_in("gone"), pipelines=()) == "prospecting"


def test_a_deal_is_seen_as_it_stood_at_an_instant():
    opened = told_deal(0, moved(5, "haggle"))
    assert isinstance(opened, DealHistory)
    past = opened.as_of(START + timedelta(days=3))
    assert place_of(past) == "initial_contact"


# Values and doors


def test_a_place_is_a_value():
    check_value(
        Place(SQL, Journey.PROPOSAL, "open_deal"),
        Place("sales_qualified_lead", "proposal", LeadStatus.OPEN_DEAL),
        Place(OPPORTUNITY, Journey.PROPOSAL, "open_deal"),
        Place(SQL, Journey.CLOSING, "open_deal"),
        Place(SQL, None, "open_deal"),
        Place(SQL, Journey.PROPOSAL, "new"),
        Place(SQL, Journey.PROPOSAL),
    )


def test_a_table_is_a_value():
    place = Place(SQL, Journey.PROPOSAL)
    check_value(
        JourneyTable("own", [place]),
        JourneyTable("own", (place,)),
        JourneyTable("other", [place]),
        JourneyTable("own", []),
    )


def test_a_table_that_says_two_things_of_the_same_contacts_is_refused_with_every_one():
    twice = [Place(None, "closing"), Place(SQL, "proposal", "new"), Place("lead", "proposal")]
    with pytest.raises(InvalidValueError) as caught:
        JourneyTable("own", [*twice, Place(None, None), Place(SQL, None, "new")])
    assert caught.value.faults == (
        "the place of no stage occurs twice",
        "the place of 'sales_qualified_lead' with 'new' occurs twice",
    )


def is_none(value):
    return value is None


def is_text(value):
    return isinstance(value, str) and value != ""


def test_the_doors_of_a_table_refuse_what_is_strange():
    check_door(lambda value: Place(value, "proposal"), takes=is_none)
    check_door(lambda value: Place(SQL, value), takes=is_none)
    check_door(lambda value: Place(SQL, None, value), takes=lambda v: is_none(v) or is_text(v))
    check_door(lambda value: JourneyTable(value, []), takes=is_text)
    check_door(lambda value: JourneyTable("own", value), takes=is_empty)
    check_door(STANDARD_JOURNEY.with_place)
    check_door(STANDARD_JOURNEY.journey, takes=is_none)
    check_door(
        lambda value: STANDARD_JOURNEY.journey(SQL, value),
        takes=lambda v: is_none(v) or is_text(v),
    )
    check_door(lambda value: STANDARD_JOURNEY.journey(SQL, "new", scheme=value))


def is_empty(value):
    """Whether there is nothing in it: as good as no deals, pipelines or places at all."""
    return isinstance(value, tuple | list | dict | set | bytearray) and not value


def test_the_doors_of_asking_refuse_what_is_strange():
    contact = contact_at("lead")
    check_door(where)
    check_door(lambda value: where(contact, value), takes=is_empty)
    check_door(lambda value: where(contact, pipelines=value), takes=is_empty)
    check_door(lambda value: where(contact, table=value))
    check_door(lambda value: where(contact, scheme=value))


def test_every_fault_of_a_question_is_named_at_once():
    with pytest.raises(InvalidValueError) as caught:
        where("c-1", [contact_at("lead")], pipelines=["board"], table={}, scheme=None)
    assert caught.value.subject == "journey"
    assert len(caught.value.faults) == 5
