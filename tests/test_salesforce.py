from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from contracts import STRANGE, check_door, check_value
from salespipeline.audit import audit
from salespipeline.connectors.salesforce import (
    Outward,
    changes,
    forecast_categories,
    read_contacts,
    read_deals,
    read_pipeline,
)
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import (
    InvalidValueError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    ContactLinked,
    ContactUnlinked,
    Created,
    Deleted,
    FieldSet,
    ForecastCategory,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    NextStep,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedIn,
    OptedOut,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    SaleType,
    Start,
    Term,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics import time_in_stage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage

DEAL, LEAD = "006A", "00QA"
STAGES = [
    {
        "attributes": {"type": "OpportunityStage", "url": "/services/data/v60.0/..."},
        "ApiName": name,
        "MasterLabel": label,
        "SortOrder": order,
        "IsActive": active,
        "IsClosed": closed,
        "IsWon": won,
        "DefaultProbability": chance,
        "ForecastCategory": category,
        "Description": None,
    }
    for name, label, order, active, closed, won, chance, category in (
        ("Signed", "Signed", 40, True, True, True, 100, "Closed"),
        ("Talk", "First talk", 10, True, False, False, 10.0, "Pipeline"),
        ("Fax", "Fax", 15, False, False, False, 20, "Pipeline"),
        ("Offer", "Offer", 20, True, False, False, 50, "BestCase"),
        ("Kept", "Kept", 50, True, True, True, 100, "Closed"),
        ("Gone", "Gone", 60, True, True, False, 0, "Omitted"),
        ("Silent", "Silent", 70, True, True, False, 0, "Omitted"),
        ("Terms", "Terms", 30, True, False, False, 75, "MostLikely"),
    )
]
PIPELINE = read_pipeline(STAGES)
DAY, HALF = "2026-03-01", Decimal("0.5")
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def at(day, hour=9, month=3):
    return datetime(2026, month, day, hour, tzinfo=UTC)


def stamp(day, hour=9, month=3):
    """An instant as the REST API writes it."""
    return f"2026-{month:02}-{day:02}T{hour:02}:00:00.000+0000"


def row(**fields):
    """A row of Opportunity, as the REST API gives it."""
    return {
        "attributes": {"type": "Opportunity", "url": "/services/data/v60.0/sobjects/..."},
        "Id": DEAL,
        "StageName": "Talk",
        "CreatedDate": stamp(1),
        **fields,
    }


def picture(number, day, stage, hour=9, **fields):
    """A row of OpportunityHistory."""
    return {
        "Id": f"008{number:03}",
        "OpportunityId": DEAL,
        "StageName": stage,
        "CreatedDate": stamp(day, hour),
        **fields,
    }


def change(number, day, field, old, new, hour=9, **fields):
    """A row of OpportunityFieldHistory."""
    return {
        "Id": f"017{number:03}",
        "OpportunityId": DEAL,
        "Field": field,
        "OldValue": old,
        "NewValue": new,
        "CreatedDate": stamp(day, hour),
        **fields,
    }


def read(opportunity, history=(), field_history=(), **options):
    rows = [] if opportunity is None else [opportunity]
    return read_deals(
        rows, history, field_history, **{"pipelines": [PIPELINE], "currency": "EUR", **options}
    )


def deal(opportunity, history=(), field_history=(), **options):
    """The history of the one deal, read without a problem."""
    found = read(opportunity, history, field_history, **options)
    assert found.problems == ()
    assert found.refused == 0
    [one] = found.histories
    return one


def told(one):
    """The kinds of events after the first, with the days on which they happened."""
    return [(type(event), event.at.day) for event in one.events[1:]]


def problem(found):
    [one] = found.problems
    return one.table, one.row, one.column, one.refused, one.reason


# Pipelines


def test_stages_are_read_in_the_order_of_sort_order_and_retired_ones_last():
    assert PIPELINE.keys == (
        "Talk", "Offer", "Terms", "Signed", "Kept", "Gone", "Silent", "Fax",
    )  # fmt: skip
    assert PIPELINE.key == "salesforce"
    assert PIPELINE.stage("Talk").name == "First talk"


def test_several_stages_are_won_and_lost_by_their_flags_and_a_retired_one_is_known():
    assert PIPELINE.outcome("Signed") is PIPELINE.outcome("Kept") is Outcome.WON
    assert PIPELINE.outcome("Gone") is PIPELINE.outcome("Silent") is Outcome.LOST
    assert PIPELINE.outcome("Fax") is Outcome.OPEN


def test_default_probabilities_are_percentages():
    assert PIPELINE.stage("Talk").probability == Decimal("0.1")
    assert PIPELINE.stage("Signed").probability == 1


def test_stages_of_a_warehouse_are_read_alike():
    rows = [
        {"api_name": "Talk", "is_closed": "false", "sort_order": "2", "default_probability": "10"},
        {"api_name": "Won", "is_closed": "TRUE", "is_won": "TRUE", "sort_order": ""},
    ]
    pipeline = read_pipeline(rows, key="sales")
    assert (pipeline.key, pipeline.keys) == ("sales", ("Talk", "Won"))
    assert pipeline.stage("Talk").probability == Decimal("0.1")


def test_every_fault_of_the_stages_is_named():
    rows = [
        {"ApiName": "Talk", "IsClosed": False, "DefaultProbability": 1000},
        {"MasterLabel": "Half", "IsClosed": True},
        {"ApiName": "Odd", "IsClosed": False, "IsWon": True},
        {"IsClosed": False},
        7,
    ]
    with pytest.raises(InvalidValueError) as caught:
        read_pipeline(rows)
    assert caught.value.subject == "stages"
    assert caught.value.faults == (
        "row 1, DefaultProbability: DefaultProbability: 1000 is not from 0 to 100",
        "row 2, as a whole: it does not say whether it is open, won or lost",
        "row 3, IsWon: it is won, and not closed",
        "row 3, as a whole: it does not say whether it is open, won or lost",
        "row 4, apiname: it has no id",
        "row 5, as a whole: it must be a mapping (got 7)",
    )


def test_the_forecast_category_of_each_stage_is_read_where_it_is_one_of_ours():
    found = forecast_categories(STAGES)
    assert found["Offer"] is ForecastCategory.BEST_CASE
    assert found["Gone"] is ForecastCategory.OMITTED
    assert "Terms" not in found
    labelled = [{"ApiName": "Talk", "IsClosed": False, "ForecastCategoryName": "Commit"}]
    assert forecast_categories(labelled) == {"Talk": ForecastCategory.COMMIT}


# One row of Opportunity


def test_a_deal_is_what_its_row_says():
    one = deal(
        row(
            Name="Chairs", Amount=1200.5, CloseDate="2026-04-30", AccountId="001A", OwnerId="005A",
            LeadSource="Fair", Type="New Business", NextStep="call", ContactId="003A",
            CreatedById="005B", Region__c="North",
        )
    )  # fmt: skip
    first, latest = one.events[0], one.latest
    assert (first.at, first.start, first.by, first.system) == (
        at(1), Start.EXACT, "005B", "salesforce",
    )  # fmt: skip
    assert first.identity == ("salesforce", DEAL)
    assert (latest.pipeline, latest.stage, latest.title) == ("salesforce", "Talk", "Chairs")
    assert (latest.amount, latest.expected_close) == (Money("1200.50", "EUR"), date(2026, 4, 30))
    assert (latest.account, latest.owner, latest.source) == ("001A", "005A", "Fair")
    assert (latest.sale_type, latest.contacts) == (SaleType.NEW_BUSINESS, ("003A",))
    assert latest.next_step == NextStep("call")
    assert dict(latest.attributes) == {"Region__c": "North"}


def test_a_row_of_a_warehouse_says_the_same_as_one_of_the_api():
    api = row(Name="Chairs", Amount=1200.5, CloseDate="2026-04-30", OwnerId="005A", NextStep=None)
    warehouse = {
        "id": DEAL, "stage_name": "Talk", "created_date": "2026-03-01 09:00:00", "name": "Chairs",
        "amount": "1200.50", "close_date": "2026-04-30 00:00:00", "owner_id": "005A",
        "next_step": "",
    }  # fmt: skip
    assert deal(warehouse) == deal(api)


def test_the_currency_is_that_of_the_record_before_that_of_the_caller():
    assert deal(row(Amount=7, CurrencyIsoCode="USD")).latest.amount == Money(7, "USD")
    assert deal(row(Amount=7, CurrencyIsoCode="")).latest.amount == Money(7, "EUR")
    assert dict(deal(row(Amount=7, CurrencyIsoCode="USD")).latest.attributes) == {}


def test_the_currency_of_a_deal_without_an_amount_is_an_attribute():
    assert dict(deal(row(CurrencyIsoCode="USD")).latest.attributes) == {"CurrencyIsoCode": "USD"}


@pytest.mark.parametrize("code", [None, "euros"])
def test_an_amount_without_a_currency_is_left_absent_and_reported(code):
    found = read(row(Amount=7, CurrencyIsoCode=code), currency=None)
    assert found.used == 1
    assert found.histories[0].latest.amount is None
    assert found.problems[-1].column == "Amount"
    assert "it has no currency" in found.problems[-1].reason


def test_a_probability_of_1000_is_left_absent_and_reported():
    found = read(row(Probability=1000))
    assert problem(found) == (
        "Opportunity", 1, "Probability", False, "Probability: 1000 is not from 0 to 100",
    )  # fmt: skip
    assert found.histories[0].latest.probability is None


def test_a_probability_is_kept_where_it_is_not_that_of_the_stage():
    assert deal(row(Probability=10)).latest.probability is None
    held = deal(row(Probability=35.5)).latest.probability
    assert (held.value, held.basis) == (Decimal("0.355"), ProbabilityBasis.UNTIL_MOVE)
    assert (
        deal(row(Probability=0, StageName="Gone", CloseDate="2026-03-09")).latest.probability
        is None
    )


def test_a_probability_is_kept_where_that_of_the_stage_is_not_known():
    assert deal(row(Probability=10, StageName="New")).latest.probability.value == Decimal("0.1")


def test_a_forecast_category_is_kept_where_it_is_not_that_of_the_stage():
    categories = forecast_categories(STAGES)

    def category(name, stage="Offer"):
        found = deal(row(StageName=stage, ForecastCategory=name), categories=categories).latest
        return found.forecast_category

    assert category("BestCase") is None
    assert category("Forecast") is ForecastCategory.COMMIT
    assert category("Pipeline", "Terms") is ForecastCategory.PIPELINE


def test_a_forecast_category_by_its_label_is_the_same():
    assert deal(row(ForecastCategoryName="Best Case")).latest.forecast_category is (
        ForecastCategory.BEST_CASE
    )


def test_a_forecast_category_that_is_none_of_ours_is_an_attribute():
    latest = deal(row(ForecastCategory="MostLikely", ForecastCategoryName="Most Likely")).latest
    assert latest.forecast_category is None
    assert dict(latest.attributes) == {
        "ForecastCategory": "MostLikely", "ForecastCategoryName": "Most Likely",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("New Customer", SaleType.NEW_BUSINESS),
        ("renewal", SaleType.RENEWAL),
        ("Existing Customer - Upgrade", SaleType.UPSELL),
    ],
)
def test_a_clear_type_is_a_kind_of_sale(said, meant):
    latest = deal(row(Type=said)).latest
    assert (latest.sale_type, dict(latest.attributes)) == (meant, {})


def test_any_other_type_is_an_attribute_unless_the_caller_says_what_it_means():
    latest = deal(row(Type="Existing Customer - Downgrade")).latest
    assert (latest.sale_type, latest.attributes["Type"]) == (None, "Existing Customer - Downgrade")
    own = deal(row(Type="Add-On"), sale_types={"add-on": "cross_sell"}).latest
    assert (own.sale_type, dict(own.attributes)) == (SaleType.CROSS_SELL, {})


def test_an_object_within_a_row_is_read_under_both_names_without_its_link():
    link = {"type": "User", "url": "/..."}
    latest = deal(
        row(
            Owner={"attributes": link, "Name": "Ada", "Manager": {"Name": "Eve"}},
            Items=[{"attributes": link, "Qty": 2}, 7],
            Tags=["a", "b"],
        )
    ).latest
    assert dict(latest.attributes) == {
        "Owner.Name": "Ada", "Owner.Manager.Name": "Eve", "Items[0].Qty": 2, "Items[1]": 7,
        "Tags": ("a", "b"),
    }  # fmt: skip


def test_what_lies_too_deep_is_reported():
    value = "x"
    for _ in range(9):
        value = {"a": value}
    found = read(row(Deep=value))
    assert problem(found)[2:4] == ("Deep.a.a.a.a.a.a", False)
    assert dict(found.histories[0].latest.attributes) == {}


def test_a_second_spelling_of_a_field_is_an_attribute():
    latest = deal(row(stage_name="Offer", Region__c="N", region__c="S")).latest
    assert latest.stage == "Talk"
    assert dict(latest.attributes) == {"stage_name": "Offer", "Region__c": "N", "region__c": "S"}


def test_the_stamps_of_viewing_and_of_the_loader_are_not_kept():
    latest = deal(
        row(LastViewedDate=stamp(9), LastReferencedDate=stamp(9), _fivetran_synced="2026-03-09",
            fivetran_account_c="7")
    ).latest  # fmt: skip
    assert dict(latest.attributes) == {"fivetran_account_c": "7"}


def test_a_name_that_is_no_text_is_reported():
    found = read({**row(), 7: "x"})
    assert problem(found) == ("Opportunity", 1, "7", False, "the name of a field must be text")


# Stages that no pipeline has


def test_without_a_pipeline_the_rows_say_what_their_stages_mean():
    rows = [
        row(Id="1", StageName="b", IsClosed=False, IsWon=False, Probability=60),
        row(Id="2", StageName="a", IsClosed=False, IsWon=False, Probability=70),
        row(Id="3", StageName="x", IsClosed=True, IsWon=True, CloseDate="2026-03-09"),
        row(Id="4", StageName="y", IsClosed="true", IsWon="false", CloseDate="2026-03-09"),
        row(Id="5", StageName="z", IsWon=False),
    ]
    found = read_deals(rows)
    [pipeline] = found.pipelines
    assert (pipeline.key, pipeline.keys) == ("salesforce", ("z", "b", "a", "x", "y"))
    outcomes = [one.latest.outcome.value for one in found.histories]
    assert outcomes == ["open", "open", "won", "lost", "open"]
    assert found.histories[2].events[0].stage == "z"


def test_where_no_open_stage_is_known_a_closed_deal_begins_in_one_called_open():
    found = read_deals([row(StageName="x", IsWon=True, CloseDate="2026-03-09")])
    assert found.pipelines[0].keys == ("open", "x")
    assert [type(event) for event in found.histories[0].events] == [Opened, Won]


def test_no_pipeline_is_made_of_stages_that_could_be_none():
    found = read_deals([row(StageName="won", IsClosed=False)])
    assert found.pipelines == ()
    assert found.histories[0].latest.outcome is Outcome.OPEN


def test_a_stage_of_no_known_meaning_is_kept_and_taken_for_open():
    latest = deal(row(StageName="Closed Won")).latest
    assert (latest.stage, latest.outcome) == ("Closed Won", Outcome.OPEN)


def test_a_row_that_contradicts_its_pipeline_is_reported_and_the_pipeline_stands():
    found = read(row(StageName="Talk", IsClosed=True, IsWon=True))
    assert problem(found) == (
        "Opportunity", 1, "IsWon", False,
        "'Talk' is open elsewhere, here won; the first stands",
    )  # fmt: skip
    assert found.histories[0].latest.outcome is Outcome.OPEN


def test_record_types_say_the_pipeline():
    renewals = Pipeline("renewals", [Stage("Due"), Stage("Signed", outcome="won")])
    options = {"pipelines": [PIPELINE, renewals], "record_types": {"012R": "renewals"}}
    one = deal(row(StageName="Due", RecordTypeId="012R"), **options).latest
    other = deal(row(RecordTypeId="012X"), **options).latest
    assert (one.pipeline, other.pipeline) == ("renewals", "salesforce")
    assert one.attributes["RecordTypeId"] == "012R"


# How a deal began, and how it came where it is


def test_an_open_deal_without_a_history_has_been_in_its_stage_nobody_knows_since_when():
    one = deal(row(StageName="Offer"))
    assert one.events[0].observed_from == at(1)
    [visit] = one.visits(LATER)
    assert (visit.state, visit.entry_known) == ("Offer", False)


def test_the_date_of_the_last_stage_change_is_the_entry_of_the_stage():
    one = deal(row(StageName="Offer", Amount=7, LastStageChangeDate=stamp(9), Probability=60))
    talk, offer = one.visits(LATER)
    assert (talk.state, talk.entry_known) == ("Talk", False)
    assert (offer.state, offer.entered, offer.entry_known) == ("Offer", at(9), True)
    assert one.as_of(at(2)).probability is None
    assert one.as_of(at(2)).amount == one.latest.amount == Money(7, "EUR")
    assert one.latest.probability.value == Decimal("0.6")


def test_a_stage_never_changed_is_known_from_the_beginning():
    one = deal(row(LastStageChangeDate=stamp(1)))
    assert one.events[0].observed_from is None
    assert one.visits(LATER)[0].entry_known


def test_a_closed_deal_without_a_history_closed_on_its_close_date():
    one = deal(row(StageName="Signed", Amount=7, CloseDate="2026-03-20", CreatedById="005A"))
    opened, won = one.events
    assert (opened.stage, opened.amount, opened.expected_close) == ("Talk", None, None)
    assert (type(won), won.at, won.amount) == (Won, at(20, hour=0), Money(7, "EUR"))
    assert (opened.by, won.by) == ("005A", None)
    assert dict(one.latest.attributes) == {}


def test_a_deal_that_closed_on_the_day_it_was_made_did_so_no_earlier():
    one = deal(row(StageName="Gone", CloseDate="2026-03-01"))
    assert one.latest.closed_at == one.latest.opened_at == at(1)


def test_the_last_stage_change_closes_a_deal_before_its_close_date_does():
    one = deal(row(StageName="Signed", CloseDate="2026-02-01", LastStageChangeDate=stamp(9)))
    assert one.latest.closed_at == at(9)
    assert one.latest.attributes["CloseDate"] == date(2026, 2, 1)


def test_a_deal_is_closed_no_later_than_its_row_was_last_changed():
    one = deal(row(StageName="Gone", CloseDate="2026-12-31", LastModifiedDate=stamp(9)))
    assert one.latest.closed_at == at(9)
    assert one.latest.attributes["CloseDate"] == date(2026, 12, 31)


def test_a_deal_closed_before_it_was_made_is_found_by_the_audit():
    one = deal(row(StageName="Signed", CloseDate="2026-02-17", Amount=7))
    report = audit((), [one], as_of=at(20), pipelines=[PIPELINE])
    [finding] = [each for each in report.findings if each.check.code == "closed_before_opened"]
    assert finding.record == DEAL


def test_a_won_deal_without_an_amount_is_found_by_the_audit():
    one = deal(row(StageName="Signed", CloseDate="2026-03-17"))
    report = audit((), [one], as_of=at(20), pipelines=[PIPELINE])
    assert "won_without_amount" in {each.check.code for each in report.findings}


def test_a_closed_deal_without_any_date_of_its_close_is_refused():
    found = read(row(StageName="Gone"))
    assert problem(found) == (
        "Opportunity", 1, "CloseDate", True, "the deal is lost, and has no closing date",
    )  # fmt: skip
    assert (found.used, found.refused, found.incomplete) == (0, 1, (DEAL,))


def test_without_a_created_date_a_deal_was_there_by_the_earliest_instant_known():
    one = deal(row(CreatedDate=None, LastModifiedDate=stamp(9), SystemModstamp=stamp(10)))
    assert (one.events[0].at, one.events[0].start) == (at(9), Start.BY_THEN)


def test_a_closed_deal_without_a_created_date_was_there_by_its_close():
    one = deal(row(CreatedDate=None, StageName="Gone", CloseDate="2026-03-09"))
    assert (one.events[0].at, one.events[0].start) == (at(9, hour=0), Start.BY_THEN)
    assert told(one) == [(Lost, 9)]


def test_a_deal_of_which_no_instant_is_known_is_refused():
    found = read(row(CreatedDate=None))
    assert problem(found)[2:4] == ("CreatedDate", True)
    assert found.histories == ()


def test_a_deal_without_a_stage_is_refused_with_all_its_rows():
    lone = change(1, 2, "Amount", None, 7)
    found = read(row(StageName=None), [], [lone])
    assert (found.used, found.refused, found.incomplete) == (0, 2, (DEAL,))
    assert {each.reason for each in found.problems} == {"it has no stage for its deal to begin in"}


def test_a_second_row_of_a_deal_is_refused():
    found = read_deals([row(), row(StageName="Offer")], pipelines=[PIPELINE])
    assert (found.used, found.refused, found.incomplete) == (1, 1, (DEAL,))
    assert problem(found)[4] == "an earlier row has the same id"
    assert found.histories[0].latest.stage == "Talk"


@pytest.mark.parametrize(
    ("column", "value"),
    [("Id", None), ("Id", 1.5), ("StageName", [1]), ("CreatedDate", "soon"),
     ("LastStageChangeDate", 7), ("SystemModstamp", "x"), ("RecordTypeId", 1.5)],
)  # fmt: skip
def test_a_row_whose_id_instant_or_state_cannot_be_read_is_refused(column, value):
    found = read(row(**{column: value}))
    assert (found.used, found.refused, found.histories) == (0, 1, ())
    assert problem(found)[2:4] == (column, True)


def test_any_other_cell_that_cannot_be_read_is_left_absent():
    found = read(row(CloseDate="soon", OwnerId=[1], Odd=float("nan"), Worse={1}))
    assert (found.used, [each.column for each in found.problems]) == (
        1, ["CloseDate", "OwnerId", "Worse"],
    )  # fmt: skip
    assert (found.histories[0].latest.owner, found.histories[0].latest.expected_close) == (
        None,
        None,
    )


def test_a_deleted_deal_was_deleted_when_its_row_was_last_changed():
    one = deal(row(IsDeleted=True, LastModifiedDate=stamp(8), SystemModstamp=stamp(9)))
    assert one.as_of(at(9, hour=8)) is not None
    assert (one.latest, one.events[-1].at) == (None, at(9))
    assert isinstance(one.events[-1], Deleted)


def test_a_deletion_of_which_nothing_says_when_is_put_at_the_last_instant_known():
    assert deal(row(IsDeleted=True)).events[-1].at == at(1)
    loaded = deal(row(IsDeleted=True, _fivetran_synced="2026-04-01 00:00:00"))
    assert loaded.events[-1].at == at(1, hour=0, month=4)


# OpportunityHistory


def test_pictures_in_any_order_are_written_as_their_differences():
    pictures = [
        picture(4, 20, "Signed", Amount=90, CloseDate="2026-03-20", Probability=100),
        picture(1, 1, "Talk", Amount=80, CloseDate="2026-04-30", Probability=10),
        picture(3, 9, "Offer", Amount=90, CloseDate="2026-05-31", Probability=60),
        picture(2, 5, "Offer", Amount=80, CloseDate="2026-04-30", Probability=50),
    ]
    one = deal(row(StageName="Signed", Amount=90, CloseDate="2026-03-20"), pictures)
    assert one.events[0].observed_from is None
    assert told(one) == [
        (Moved, 5), (AmountChanged, 9), (CloseDateChanged, 9), (ProbabilitySet, 9), (Won, 20),
    ]  # fmt: skip
    assert all(visit.entry_known for visit in one.visits(LATER))
    assert [event.original_id for event in one.events if event.original_id] == [
        DEAL, "008002", "008003", "008003/CloseDateChanged", "008003/ProbabilitySet", "008004",
    ]  # fmt: skip


def test_who_made_a_picture_is_who_did_it():
    pictures = [picture(1, 1, "Talk"), picture(2, 5, "Offer", CreatedById="005B")]
    one = deal(row(StageName="Offer"), pictures)
    assert one.events[-1].by == "005B"


def test_salesforces_history_that_retention_cut_keeps_the_exact_beginning():
    one = deal(
        row(StageName="Terms"),
        [picture(7, 10, "Offer", Amount=90), picture(8, 20, "Terms", Amount=90)],
    )
    first = one.events[0]
    assert (first.at, first.start, first.stage) == (at(1), Start.EXACT, "Offer")
    assert first.observed_from == at(10)
    assert told(one) == [(Moved, 20)]


def test_time_in_stage_leaves_out_the_visit_that_salesforces_retention_cut_and_says_so():
    cut = deal(row(StageName="Terms"), [picture(7, 10, "Offer"), picture(8, 20, "Terms")])
    whole = deal(row(StageName="Terms"), [
        picture(6, 1, "Talk"), picture(7, 10, "Offer"), picture(8, 20, "Terms"),
    ])  # fmt: skip

    def offer(one):
        found = time_in_stage([one], as_of=at(30), pipelines=[PIPELINE])
        [entry] = [each.finished for each in found if each.stage == "Offer"]
        return entry.n, entry.mean_days, entry.left_out

    assert offer(whole) == (1, 10, {})
    assert offer(cut) == (0, None, {"entry_unknown": 1})


def test_a_deal_known_by_its_history_alone_was_there_by_the_first_picture():
    one = deal(None, [picture(1, 5, "Offer"), picture(2, 9, "Signed")])
    assert (one.events[0].at, one.events[0].start) == (at(5), Start.BY_THEN)
    assert told(one) == [(Won, 9)]


def test_a_history_cut_after_the_close_closes_on_the_close_date():
    late = picture(9, 25, "Signed", Amount=90, CloseDate="2026-03-20")
    one = deal(row(StageName="Signed", Amount=90, CloseDate="2026-03-20"), [late])
    assert told(one) == [(Won, 20)]
    assert one.events[0].amount is None
    bare = deal(row(StageName="Signed"), [picture(9, 25, "Signed")])
    assert told(bare) == [(Won, 25)]


def test_a_deal_made_closed_is_closed_from_its_beginning():
    one = deal(
        row(StageName="Signed", Amount=7, CloseDate="2025-12-01"),
        [picture(1, 1, "Signed", Amount=7, CloseDate="2025-12-01")],
    )
    assert len(one.events) == 1
    assert (one.latest.outcome, one.latest.closed_at) == (Outcome.WON, at(1))
    assert one.latest.attributes["CloseDate"] == date(2025, 12, 1)


def test_a_future_close_date_that_salesforce_moves_to_today_on_winning_is_no_expectation():
    one = deal(
        row(StageName="Signed", CloseDate="2026-03-20"),
        [
            picture(1, 1, "Talk", CloseDate="2026-06-30"),
            picture(2, 20, "Signed", CloseDate="2026-03-20"),
        ],
    )
    assert told(one) == [(Won, 20)]
    assert one.latest.expected_close == date(2026, 6, 30)
    assert dict(one.latest.attributes) == {}


def test_a_stale_close_date_that_salesforce_leaves_on_a_won_deal_does_not_close_it():
    one = deal(
        row(StageName="Signed", CloseDate="2026-02-01"),
        [
            picture(1, 1, "Talk", CloseDate="2026-02-01"),
            picture(2, 20, "Signed", CloseDate="2026-02-01"),
        ],
    )
    assert one.latest.closed_at == at(20)


def test_a_close_date_edited_after_the_close_is_an_attribute_until_the_deal_is_open_again():
    pictures = [
        picture(1, 1, "Talk", CloseDate="2026-06-30"),
        picture(2, 5, "Gone", CloseDate="2026-03-05"),
        picture(3, 6, "Gone", CloseDate="2026-01-01"),
        picture(4, 7, "Talk", CloseDate="2026-07-31"),
    ]
    one = deal(row(CloseDate="2026-07-31"), pictures)
    assert one.as_of(at(6)).attributes["CloseDate"] == date(2026, 1, 1)
    assert one.as_of(at(6)).expected_close == date(2026, 6, 30)
    assert told(one) == [
        (Lost, 5),
        (FieldSet, 6),
        (Reopened, 7),
        (CloseDateChanged, 7),
        (FieldSet, 7),
    ]
    assert (one.latest.expected_close, one.latest.attributes["CloseDate"]) == (
        date(2026, 7, 31),
        None,
    )


def test_an_amount_taken_away_with_the_close_is_gone():
    pictures = [picture(1, 1, "Talk", Amount=80), picture(2, 5, "Signed", Amount=None)]
    one = deal(row(StageName="Signed", Amount=None), pictures)
    assert told(one) == [(Won, 5), (AmountChanged, 5)]
    assert one.latest.amount is None


def test_a_probability_by_hand_ends_with_the_stage_as_in_salesforce():
    pictures = [
        picture(1, 1, "Talk", Probability=10),
        picture(2, 5, "Talk", Probability=35),
        picture(3, 9, "Offer", Probability=50),
        picture(4, 10, "Offer", Probability=35),
        picture(5, 11, "Offer", Probability=50),
        picture(6, 12, "Offer", Probability=35),
        picture(7, 13, "Terms", Probability=35),
    ]
    one = deal(row(StageName="Terms", Probability=35), pictures)
    assert told(one) == [
        (ProbabilitySet, 5), (Moved, 9), (ProbabilitySet, 10), (ProbabilitySet, 11),
        (ProbabilitySet, 12), (Moved, 13), (ProbabilitySet, 13),
    ]  # fmt: skip
    assert one.as_of(at(9)).probability is None
    assert one.as_of(at(11)).probability is None
    assert one.latest.probability.value == Decimal("0.35")


def test_a_forecast_category_by_hand_ends_with_the_stage_as_in_salesforce():
    pictures = [
        picture(1, 1, "Talk", ForecastCategory="Pipeline"),
        picture(2, 5, "Talk", ForecastCategory="Forecast"),
        picture(3, 9, "Offer", ForecastCategory="BestCase"),
    ]
    one = deal(row(StageName="Offer"), pictures, categories=forecast_categories(STAGES))
    assert told(one) == [(ForecastCategorySet, 5), (Moved, 9), (ForecastCategorySet, 9)]
    assert one.latest.forecast_category is None


def test_what_else_a_picture_holds_is_the_history_of_an_attribute():
    pictures = [
        picture(1, 1, "Talk", ExpectedRevenue=8.0),
        picture(2, 5, "Offer", ExpectedRevenue=40.0),
    ]
    one = deal(row(StageName="Offer", ExpectedRevenue=40.0), pictures)
    assert one.as_of(at(1)).attributes["ExpectedRevenue"] == 8.0
    assert told(one) == [(Moved, 5), (FieldSet, 5)]


def test_a_picture_without_an_instant_or_with_a_known_id_is_refused():
    found = read(
        row(),
        [
            picture(1, 1, "Talk"),
            picture(1, 5, "Offer"),
            {**picture(3, 6, "Offer"), "CreatedDate": ""},
        ],
    )
    assert (found.used, found.refused, found.incomplete) == (2, 2, (DEAL,))
    assert [(each.row, each.column, each.reason) for each in found.problems] == [
        (2, "Id", "an earlier row of the record has the same id"),
        (3, "CreatedDate", "it has no instant"),
    ]


def test_pictures_without_ids_get_ids_of_their_own_that_stay_the_same():
    bare = [{**picture(1, day, stage), "Id": None} for day, stage in ((1, "Talk"), (5, "Offer"))]
    present = row(StageName="Offer")
    whole, again = deal(present, bare), deal(present, bare[::-1])
    assert whole == again
    assert whole.events[-1].identity == ("salesforce", "006A:history:2026-03-05T09:00:00+00:00")
    twice = deal(row(StageName="Terms"), [*bare, {**bare[1], "StageName": "Terms"}])
    assert len({event.identity for event in twice.events}) == len(twice.events) == 3


# OpportunityFieldHistory


def test_changes_of_fields_are_events_from_the_value_before():
    changes_ = [
        change(1, 1, "created", None, None),
        change(2, 5, "StageName", "Talk", "Offer", CreatedById="005B"),
        change(3, 6, "Amount", 80, 90),
        change(4, 7, "CloseDate", "2026-04-30", "2026-05-31"),
        change(5, 8, "Owner", "005000000000001AAA", "005000000000002AAA", DataType="EntityId"),
        change(6, 8, "Owner", "Ada", "Bob", DataType="Text"),
        change(7, 9, "Region__c", "North", "South"),
        change(8, 9, "Description", None, None),
    ]
    present = row(
        StageName="Offer", Amount=90, CloseDate="2026-05-31", OwnerId="005000000000002AAA",
        Region__c="South", Description="long",
    )  # fmt: skip
    one = deal(present, (), changes_)
    first = one.events[0]
    assert (first.observed_from, first.stage, first.amount) == (None, "Talk", Money(80, "EUR"))
    assert (first.owner, first.attributes["Owner"]) == ("005000000000001AAA", "Ada")
    assert dict(first.attributes) == {"Owner": "Ada", "Region__c": "North", "Description": "long"}
    assert told(one) == [
        (Moved, 5), (AmountChanged, 6), (CloseDateChanged, 7), (OwnerChanged, 8), (FieldSet, 8),
        (FieldSet, 9),
    ]  # fmt: skip
    assert one.events[1].by == "005B"
    assert one.events[1].identity == ("salesforce", "017002")


def test_both_histories_together_say_nothing_twice():
    pictures = [picture(1, 1, "Talk", Amount=80), picture(2, 5, "Offer", Amount=90)]
    fields = [
        change(1, 5, "StageName", "Talk", "Offer"),
        change(2, 5, "Amount", 80, 90),
        change(3, 6, "NextStep", None, "call"),
    ]
    one = deal(row(StageName="Offer", Amount=90, NextStep="call"), pictures, fields)
    assert told(one) == [(Moved, 5), (AmountChanged, 5), (NextStepPlanned, 6)]
    assert one.events[1].original_id == "008002"
    alone = deal(row(StageName="Offer", Amount=90, NextStep="call"), (), fields)
    assert (alone.latest.stage, alone.latest.amount) == (one.latest.stage, one.latest.amount)


def test_a_field_history_that_was_cut_knows_the_stage_before_but_not_since_when():
    one = deal(row(StageName="Offer"), (), [change(1, 5, "StageName", "Talk", "Offer")])
    assert one.events[0].observed_from == at(5) - timedelta(microseconds=1)
    talk, offer = one.visits(LATER)
    assert (talk.entry_known, offer.entry_known) == (False, True)


def test_a_deal_made_nobody_knows_when_was_there_just_before_its_first_change():
    rows = [change(1, 5, "StageName", "Talk", "Offer")]
    one = deal(row(CreatedDate=None, StageName="Offer"), (), rows)
    assert one.events[0].start is Start.BY_THEN
    assert [visit.entry_known for visit in one.visits(LATER)] == [False, True]


def test_a_created_row_is_a_created_date():
    one = deal(
        row(CreatedDate=None, StageName="Offer"),
        (),
        [change(2, 5, "StageName", "Talk", "Offer"), change(1, 2, "created", None, None)],
    )
    first = one.events[0]
    assert (first.at, first.start, first.observed_from) == (at(2), Start.EXACT, None)


def test_what_the_present_row_alone_says_of_a_stage_is_said_with_the_stage():
    present = row(
        StageName="Signed", Amount=90, CloseDate="2026-03-19", Probability=90,
        ForecastCategory="Forecast",
    )  # fmt: skip
    one = deal(present, (), [change(1, 20, "StageName", "Talk", "Signed")])
    assert one.events[0].amount is None
    assert one.events[0].expected_close is None
    assert told(one) == [(Won, 20), (ProbabilitySet, 20), (ForecastCategorySet, 20), (FieldSet, 20)]
    assert one.latest.amount == Money(90, "EUR")
    assert one.latest.attributes["CloseDate"] == date(2026, 3, 19)


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"Field": None}, "Field"),
        ({"Field": 1.5}, "Field"),
        ({"NewValue": None}, "NewValue"),
        ({"NewValue": [1]}, "NewValue"),
        ({"CreatedDate": "soon"}, "CreatedDate"),
    ],
)
def test_a_change_that_cannot_be_read_is_refused(fields, column):
    broken = {**change(1, 5, "StageName", "Talk", "Offer"), **fields}
    found = read(row(), (), [broken])
    assert (found.used, found.refused, found.incomplete) == (1, 1, (DEAL,))
    assert found.problems[-1].column == column
    assert found.problems[-1].refused


def test_a_value_before_that_cannot_be_read_is_taken_for_none():
    found = read(row(Amount=90), (), [change(1, 5, "Amount", "much", 90)])
    assert problem(found)[2] == "OldValue"
    assert found.histories[0].events[0].amount is None
    assert found.histories[0].latest.amount == Money(90, "EUR")


def test_another_contact_takes_the_place_of_the_first():
    one = deal(
        row(ContactId="003000000000002"),
        (),
        [change(1, 5, "Contact", "003000000000001", "003000000000002")],
    )
    assert told(one) == [(ContactLinked, 5), (ContactUnlinked, 5)]
    assert one.latest.contacts == ("003000000000002",)


def test_a_next_step_taken_away_is_done():
    one = deal(row(), (), [change(1, 5, "NextStep", "call", None)])
    assert told(one) == [(NextStepPlanned, 1), (NextStepDone, 5)]
    assert one.latest.next_step is None


# A history and a present row that disagree


def test_a_row_newer_than_its_history_adds_what_the_history_lacks():
    present = row(
        StageName="Offer", Amount=90, LastModifiedDate=stamp(9), LastStageChangeDate=stamp(8)
    )
    one = deal(present, [picture(1, 1, "Talk", Amount=80)])
    assert told(one) == [(Moved, 8), (AmountChanged, 8)]
    plain = deal({**present, "LastStageChangeDate": None}, [picture(1, 1, "Talk", Amount=80)])
    assert told(plain) == [(Moved, 9), (AmountChanged, 9)]


def test_a_row_older_than_its_history_adds_nothing():
    present = row(StageName="Talk", LastModifiedDate=stamp(2))
    one = deal(present, [picture(1, 1, "Talk"), picture(2, 5, "Offer")])
    assert (told(one), one.latest.stage) == ([(Moved, 5)], "Offer")


def test_a_row_that_does_not_say_how_new_it_is_gives_way_and_the_difference_is_reported():
    found = read(row(StageName="Terms"), [picture(1, 1, "Talk"), picture(2, 5, "Offer")])
    assert problem(found) == (
        "Opportunity", 1, "StageName", False, "its history ends with another, and that stands",
    )  # fmt: skip
    assert found.histories[0].latest.stage == "Offer"


# Versions in a warehouse


def version(start, end, **fields):
    return {
        "id": DEAL, "stage_name": "Talk", "created_date": "2026-03-01 09:00:00", "amount": "",
        "_fivetran_start": f"2026-03-{start:02} 09:00:00",
        "_fivetran_end": f"2026-03-{end:02} 08:59:59" if end else "9999-12-31 23:59:59",
        "_fivetran_active": "false" if end else "true", "_fivetran_synced": "2026-03-30 00:00:00",
        **fields,
    }  # fmt: skip


@pytest.mark.parametrize("place", ["opportunities", "history"])
def test_versions_are_a_history_wherever_they_are_given(place):
    versions = [
        version(9, None, stage_name="Signed", amount="90", last_modified_by_id="005B"),
        version(1, 5),
        version(5, 9, stage_name="Offer", amount="90"),
    ]
    given = {"opportunities": (versions, ()), "history": ((), versions)}[place]
    found = read_deals(*given, pipelines=[PIPELINE], currency="EUR")
    assert (found.used, found.problems) == (3, ())
    [one] = found.histories
    happened = [(type(event), event.at.day) for event in one.events]
    assert happened == [
        (Opened, 1), (Moved, 5), (AmountChanged, 5), (Won, 9),
    ]  # fmt: skip
    assert one.events[-1].system == "salesforce"
    assert [event.by for event in one.events if isinstance(event, Won)] == ["005B"]


def test_an_open_interval_ends_nothing_and_one_that_none_follows_ends_its_deal():
    alive = deal(None, [version(1, None)])
    gone = deal(None, [version(1, 5)])
    assert alive.latest is not None
    assert (gone.latest, gone.events[-1].at) == (None, datetime(2026, 3, 5, 8, 59, 59, tzinfo=UTC))


def test_a_deal_is_deleted_since_the_first_version_of_the_last_that_say_so():
    one = deal(None, [
        version(1, 3), version(3, 4, is_deleted="true"), version(4, 5, is_deleted="false"),
        version(5, 6, is_deleted="true"), version(6, None, is_deleted="true"),
    ])  # fmt: skip
    assert [event.at for event in one.events if isinstance(event, Deleted)] == [at(5)]


def test_versions_with_their_present_row_say_nothing_twice():
    versions = [version(1, 5), version(5, None, stage_name="Offer", is_deleted="true")]
    present = {
        "id": DEAL, "stage_name": "Offer", "created_date": "2026-03-01 09:00:00",
        "is_deleted": "true",
    }  # fmt: skip
    one = deal(present, versions)
    assert told(one) == [(Moved, 5), (Deleted, 5)]


# Leads


def lead(**fields):
    """A row of Lead, as the REST API gives it."""
    return {
        "attributes": {"type": "Lead", "url": "/services/data/v60.0/sobjects/..."},
        "Id": LEAD,
        "Status": "Open - Not Contacted",
        "CreatedDate": stamp(1),
        "IsConverted": False,
        **fields,
    }


def lead_change(number, day, field, old, new, hour=9, **fields):
    """A row of LeadHistory."""
    return {
        "Id": f"017{number:03}", "LeadId": LEAD, "Field": field, "OldValue": old, "NewValue": new,
        "CreatedDate": stamp(day, hour), **fields,
    }  # fmt: skip


def contact(given, history=(), **options):
    """The history of the one contact, read without a problem."""
    found = read_contacts([] if given is None else [given], history, **options)
    assert found.problems == ()
    [one] = found.histories
    return one


def reached(one):
    return [(visit.state, visit.entered, visit.entry_known) for visit in one.visits(LATER)]


def test_a_contact_is_what_its_lead_says():
    one = contact(
        lead(
            Name="Ada Lovelace", FirstName="Ada", LastName="Lovelace", Email="ada@example.org",
            Company="Engines", LeadSource="Web", OwnerId="005A", HasOptedOutOfEmail=True,
            Region__c="North", CreatedById="005B", Title="Countess",
        )
    )  # fmt: skip
    latest = one.latest
    assert (latest.id, latest.lifecycle_stage, latest.lead_status) == (
        LEAD, LifecycleStage.LEAD, None,
    )  # fmt: skip
    assert (latest.name, latest.email, latest.company) == (
        "Ada Lovelace", "ada@example.org", "Engines",
    )  # fmt: skip
    assert (latest.source, latest.owner, latest.opted_out) == ("Web", "005A", True)
    assert (one.events[0].by, one.events[0].identity) == ("005B", ("salesforce", LEAD))
    assert dict(latest.attributes) == {
        "Status": "Open - Not Contacted", "FirstName": "Ada", "LastName": "Lovelace",
        "Region__c": "North", "Title": "Countess",
    }  # fmt: skip
    assert reached(one) == [("lead", at(1), True)]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"FirstName": "Ada", "LastName": "Byron"}, "Ada Byron"),
        ({"LastName": "Byron"}, "Byron"),
        ({}, None),
    ],
)
def test_a_name_is_put_together_where_it_is_not_given_whole(parts, name):
    latest = contact(lead(**parts)).latest
    assert latest.name == name
    assert dict(latest.attributes) == {"Status": "Open - Not Contacted"}


def test_a_conversion_with_an_opportunity_makes_an_opportunity():
    one = contact(
        lead(
            Status="Closed - Converted", IsConverted=True, ConvertedDate="2026-03-20",
            ConvertedAccountId="001A", ConvertedContactId="003A", ConvertedOpportunityId="006A",
        )
    )  # fmt: skip
    assert reached(one) == [("lead", at(1), True), ("opportunity", at(20, hour=0), True)]
    assert one.latest.account == "001A"
    assert dict(one.latest.attributes) == {
        "Status": "Closed - Converted", "ConvertedContactId": "003A",
        "ConvertedOpportunityId": "006A",
    }  # fmt: skip
    before = one.as_of(at(19))
    assert (before.account, dict(before.attributes)) == (None, {})


def test_a_lead_converted_without_an_opportunity_is_an_sql():
    one = contact(lead(IsConverted="TRUE", ConvertedDate="2026-03-20", ConvertedContactId="003A"))
    assert one.latest.lifecycle_stage is LifecycleStage.SQL
    assert "ConvertedOpportunityId" not in one.latest.attributes


def test_a_lead_converted_on_the_day_it_was_made_was_so_no_earlier():
    one = contact(lead(IsConverted=True, ConvertedDate="2026-03-01"))
    assert [event.at for event in one.events] == [at(1)] * len(one.events)


def test_a_conversion_without_a_date_was_by_the_last_change_of_the_lead():
    one = contact(lead(IsConverted=True, LastModifiedDate=stamp(9)))
    assert reached(one)[1] == ("sales_qualified_lead", at(9), True)


def test_a_conversion_of_which_nothing_says_when_is_reported():
    found = read_contacts([lead(IsConverted=True, ConvertedContactId="003A")])
    assert problem(found) == (
        "Lead", 1, "IsConverted", False, "it is converted, and nothing says when",
    )  # fmt: skip
    latest = found.histories[0].latest
    assert latest.lifecycle_stage is LifecycleStage.LEAD
    assert latest.attributes["ConvertedContactId"] == "003A"


def test_a_status_is_a_stage_or_a_lead_status_only_where_the_caller_says_so():
    options = {
        "stages": {"Working": LifecycleStage.MQL, "Ready": "sales_qualified_lead"},
        "statuses": {"Ready": "new"},
    }
    working = contact(lead(Status="Working"), **options)
    assert working.latest.lifecycle_stage is LifecycleStage.MQL
    assert working.latest.attributes["Status"] == "Working"
    assert reached(working) == [("marketing_qualified_lead", at(1), False)]
    ready = contact(lead(Status="Ready"), **options).latest
    assert (ready.lifecycle_stage, ready.lead_status) == (LifecycleStage.SQL, "new")
    assert dict(ready.attributes) == {}


def test_the_history_of_a_status_is_that_of_stage_and_lead_status():
    rows = [
        lead_change(3, 9, "Status", "Working", "Ready", CreatedById="005B"),
        lead_change(1, 1, "created", None, None),
        lead_change(2, 5, "Status", "Open", "Working"),
        lead_change(4, 10, "Status", "Ready", "Talking"),
        lead_change(5, 11, "Status", "Talking", "Open"),
    ]
    one = contact(
        lead(Status="Open"),
        rows,
        stages={"Working": "marketing_qualified_lead", "Ready": "sales_qualified_lead"},
        statuses={"Ready": "new", "Talking": "connected"},
    )
    assert reached(one) == [
        ("lead", at(1), True),
        ("marketing_qualified_lead", at(5), True),
        ("sales_qualified_lead", at(9), True),
    ]
    visits = [(visit.state, visit.left) for visit in one.status_visits(LATER)]
    assert visits == [("new", at(10)), ("connected", at(11))]
    [sql] = [
        e
        for e in one.events
        if isinstance(e, LifecycleStageSet) and e.stage.value.startswith("sales")
    ]
    assert (sql.by, sql.identity, sql.lead_status) == ("005B", ("salesforce", "017003"), "new")


def test_a_history_of_leads_that_was_cut_says_so():
    options = {"stages": {"Working": "marketing_qualified_lead"}}
    cut = contact(
        lead(Status="Working"), [lead_change(2, 5, "Status", "Open", "Working")], **options
    )
    assert cut.events[0].observed_from == at(5) - timedelta(microseconds=1)
    assert [known for *_, known in reached(cut)] == [False, True]


def test_a_conversion_is_when_the_history_says():
    rows = [
        lead_change(1, 20, "leadConverted", None, None, hour=15, CreatedById="005B"),
        lead_change(2, 20, "Status", "Open", "Closed", hour=15),
    ]
    given = lead(
        Status="Closed", IsConverted=True, ConvertedDate="2026-03-20", ConvertedOpportunityId="006A"
    )
    one = contact(given, rows)
    assert reached(one)[1] == ("opportunity", at(20, hour=15), True)
    assert one.events[1].by == "005B"
    assert one.as_of(at(19)).attributes["Status"] == "Open"


def test_a_stage_beyond_the_conversion_is_kept():
    one = contact(
        lead(Status="Bought", IsConverted=True, ConvertedDate="2026-03-20"),
        stages={"Bought": "customer"},
    )
    assert one.latest.lifecycle_stage is LifecycleStage.CUSTOMER


def test_opting_out_and_in_are_events():
    rows = [
        lead_change(1, 5, "HasOptedOutOfEmail", False, True),
        lead_change(2, 9, "HasOptedOutOfEmail", True, False),
    ]
    one = contact(lead(HasOptedOutOfEmail=False), rows)
    assert told(one) == [(OptedOut, 5), (OptedIn, 9)]


def test_a_lead_known_by_its_history_alone_was_there_by_then():
    one = contact(
        None,
        [lead_change(1, 5, "Company", "A", "B"), lead_change(2, 7, "leadConverted", None, None)],
    )
    assert (one.events[0].at, one.events[0].start, one.events[0].company) == (
        at(5) - timedelta(microseconds=1),
        Start.BY_THEN,
        "A",
    )
    assert one.latest.lifecycle_stage is LifecycleStage.SQL


def test_a_lead_newer_than_its_history_adds_what_the_history_lacks():
    one = contact(
        lead(Company="C", LastModifiedDate=stamp(9)), [lead_change(1, 5, "Company", "A", "B")]
    )
    assert told(one) == [(FieldSet, 5), (FieldSet, 9)]


def test_a_deleted_lead_was_deleted_when_it_was_last_changed():
    assert contact(lead(IsDeleted=True, SystemModstamp=stamp(9))).events[-1].at == at(9)
    assert contact(lead(IsDeleted="true")).latest is None


@pytest.mark.parametrize(
    ("given", "column"),
    [
        (lead(Id=""), "Id"),
        (lead(CreatedDate=None), "CreatedDate"),
        (lead(CreatedDate=1), "CreatedDate"),
        (lead(ConvertedDate="x"), "ConvertedDate"),
        (lead(Status=[]), "Status"),
        (lead(IsConverted="maybe"), "IsConverted"),
    ],
)
def test_a_lead_whose_id_instant_or_state_cannot_be_read_is_refused(given, column):
    found = read_contacts([given])
    assert (found.used, found.refused, found.histories) == (0, 1, ())
    assert problem(found)[2:4] == (column, True)


@pytest.mark.parametrize(
    ("fields", "column"),
    [({"LeadId": None}, "LeadId"), ({"Field": ""}, "Field"), ({"NewValue": ""}, "NewValue"),
     ({"CreatedDate": None}, "CreatedDate"), ({"Id": 1.5}, "Id")],
)  # fmt: skip
def test_a_change_of_a_lead_that_cannot_be_read_is_refused(fields, column):
    broken = {**lead_change(1, 5, "Status", "Open", "Working"), **fields}
    found = read_contacts([lead()], [broken])
    assert (found.used, found.refused) == (1, 1)
    assert problem(found)[2:4] == (column, True)


def test_a_second_row_of_a_lead_is_refused():
    found = read_contacts([lead(), lead()])
    assert (found.used, found.refused, len(found.histories)) == (1, 1, 1)


def test_a_change_of_a_lead_without_values_is_used_and_says_nothing():
    assert told(contact(lead(), [lead_change(1, 5, "Description", None, None)])) == []


# Doors


@pytest.mark.parametrize(
    "call",
    [
        read_deals,
        lambda value: read_deals([], value),
        lambda value: read_deals([], [], value),
        read_contacts,
        lambda value: read_contacts([], value),
    ],
)
def test_rows_are_several_mappings(call):
    for value in STRANGE:
        try:
            found = call(value)
        except SalesPipelineError:
            continue
        assert found.used == 0
        assert found.refused == len(found.problems)


@pytest.mark.parametrize(
    "call",
    [
        lambda value: read_pipeline([{"ApiName": "x", "IsClosed": False}], key=value),
        lambda value: read_deals([], pipelines=[value]),
        lambda value: read_deals([], record_types={"012": value}, pipelines=[PIPELINE]),
        lambda value: read_deals([], categories={"Talk": value}),
        lambda value: read_deals([], sale_types={"Talk": value}),
        lambda value: read_contacts([], stages={"Talk": value}),
        lambda value: read_contacts([], statuses={"Talk": value}),
        lambda value: changes([value]),
    ],
)
def test_what_is_not_of_the_right_kind_is_refused_at_the_door(call):
    check_door(
        call, takes=lambda value: isinstance(value, str) and value != "" and _takes(call, value)
    )


def _takes(call, value):
    """Whether a text, which some of these doors take, is taken."""
    try:
        call(value)
    except SalesPipelineError:
        return False
    return True


def test_arguments_that_are_no_mappings_or_pipelines_are_refused():
    for name in ("record_types", "categories", "sale_types", "pipelines"):
        with pytest.raises(WrongTypeError):
            read_deals([], **{name: 7})
    with pytest.raises(WrongTypeError):
        read_deals([], record_types={7: "salesforce"})
    for name in ("stages", "statuses"):
        with pytest.raises(WrongTypeError):
            read_contacts([], **{name: 7})
    with pytest.raises(InvalidValueError, match="given twice"):
        read_deals([], pipelines=[PIPELINE, PIPELINE])
    with pytest.raises(InvalidValueError, match="currency"):
        read_deals([], currency="euros")
    with pytest.raises(UnknownKeyError):
        read_contacts([], stages={"Open": "hot"})


# Outward


def outward(events, **options):
    """The fields to write, one dict for each write, and the kinds of events that are left."""
    found = changes(events, **{"pipelines": [PIPELINE], **options})
    return [write["fields"] for write in found.writes], [type(event) for event in found.left]


def event(kind, /, **facts):
    return kind(record=DEAL, sequence=2, at=at(9), **facts)


OPENED = Opened(record=DEAL, sequence=1, at=at(1), pipeline="salesforce", stage="Talk")


def test_commands_become_writes():
    one, opened = Deal.open(
        DEAL, at=at(1), by="005A", pipeline=PIPELINE, stage="Talk", title="Chairs",
        amount=Money("12.50", "EUR"), owner="005A", sale_type="upsell",
        expected_close=date(2026, 4, 30), contacts=["003A"], attributes={"Region__c": "N"},
    )  # fmt: skip
    _, won = one.win(at=at(9), by="005A", pipeline=PIPELINE, amount=Money(13, "EUR"))
    found = changes([opened, won], pipelines=[PIPELINE])
    assert found.left == ()
    assert found.writes == (
        {
            "type": "Opportunity", "Id": DEAL, "at": "2026-03-01T09:00:00+00:00",
            "fields": {
                "StageName": "Talk", "Name": "Chairs", "OwnerId": "005A", "Amount": 12.5,
                "CurrencyIsoCode": "EUR", "CloseDate": "2026-04-30",
                "Type": "Existing Customer - Upgrade", "ContactId": "003A", "Region__c": "N",
            },
        },
        {
            "type": "Opportunity", "Id": DEAL, "at": "2026-03-09T09:00:00+00:00",
            "fields": {"StageName": "Signed", "Amount": 13, "CurrencyIsoCode": "EUR"},
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("happened", "fields"),
    [
        (event(AmountChanged, amount=None), {"Amount": None}),
        (event(AmountChanged, amount=Money(7, "USD")), {"Amount": 7, "CurrencyIsoCode": "USD"}),
        (event(CloseDateChanged, expected_close=date(2026, 5, 1)), {"CloseDate": "2026-05-01"}),
        (event(ProbabilitySet, probability=Decimal("0.35")), {"Probability": 35}),
        (event(ProbabilitySet, probability=Decimal("0.355")), {"Probability": 35.5}),
        (event(ProbabilitySet, probability=None), {"Probability": 10}),
        (event(ForecastCategorySet, category=ForecastCategory.BEST_CASE),
         {"ForecastCategoryName": "Best Case"}),
        (event(NextStepPlanned, what="call"), {"NextStep": "call"}),
        (event(NextStepDone), {"NextStep": None}),
        (event(OwnerChanged, owner="005B"), {"OwnerId": "005B"}),
        (event(FieldSet, field="title", value="Desks"), {"Name": "Desks"}),
        (event(FieldSet, field="sale_type", value=SaleType.RENEWAL), {"Type": "Renewal"}),
        (event(FieldSet, field="sale_type", value=None), {"Type": None}),
        (event(FieldSet, field="attributes.Seats__c", value=4), {"Seats__c": 4}),
        (event(FieldSet, field="attributes.Share__c", value=0.1), {"Share__c": 0.1}),
        (event(FieldSet, field="attributes.Ok__c", value=True), {"Ok__c": True}),
        (event(FieldSet, field="attributes.On__c", value=date.fromisoformat(DAY)), {"On__c": DAY}),
    ],
)  # fmt: skip
def test_each_event_sets_its_fields(happened, fields):
    assert outward([OPENED, happened]) == ([{"StageName": "Talk"}, fields], [])


@pytest.mark.parametrize(
    ("happened", "fields"),
    [
        (event(CloseDateChanged, expected_close=None), None),
        (
            event(ProbabilitySet, probability=HALF, basis=ProbabilityBasis.STICKY),
            {"Probability": 50},
        ),
        (event(ForecastCategorySet, category=None), None),
        (
            event(AmountChanged, amount=Money(7, "EUR"), reason="more"),
            {"Amount": 7, "CurrencyIsoCode": "EUR"},
        ),
        (event(NextStepPlanned, what="call", due=date(2026, 5, 1)), {"NextStep": "call"}),
        (event(OwnerChanged, owner=None), None),
        (event(FieldSet, field="title", value=" x"), None),
        (event(FieldSet, field="renews", value="006B"), None),
        (event(FieldSet, field="attributes.StageName", value="x"), None),
        (event(FieldSet, field="attributes.RecordTypeId", value="012R"), None),
        (event(FieldSet, field="attributes._fivetran_x", value=1), None),
        (event(FieldSet, field="attributes.x", value=Money(7, "EUR")), None),
        (event(FieldSet, field="attributes.x", value=Decimal("0.12345678901234567890")), None),
        (event(FieldSet, field="attributes.x", value=("a",)), None),
        (event(FieldSet, field="attributes.x", value=2**53 + 1), None),
        (event(FieldSet, field="attributes.x", value=10**400), None),
        (event(FieldSet, field="attributes.x", value=Decimal("1e999999")), None),
        (event(FieldSet, field="attributes.x", value=float("inf")), None),
        (event(FieldSet, field="sale_type", value="hire"), None),
        (event(Moved, pipeline="other", stage="Due"), {"StageName": "Due"}),
        (event(Lost, pipeline="salesforce", stage="Gone", reason="price"), {"StageName": "Gone"}),
        (event(ContactLinked, contact="003B"), None),
        (event(Deleted), None),
    ],
)  # fmt: skip
def test_what_salesforce_cannot_hold_is_returned_and_the_rest_is_written(happened, fields):
    written = [{"StageName": "Talk"}] + ([] if fields is None else [fields])
    assert outward([OPENED, happened], record_types={"012R": "renewals"}) == (
        written,
        [type(happened)],
    )


def test_what_a_deal_began_with_and_salesforce_cannot_hold_is_returned():
    term = Term(date(2026, 1, 1), date(2027, 1, 1), Money(7, "EUR"))
    for facts in ({"contacts": ("003A", "003B")}, {"term": term}, {"attributes": {"IsWon": True}}):
        found = changes(
            [
                Opened(
                    record=DEAL, sequence=1, at=at(1), pipeline="salesforce", stage="Talk", **facts
                )
            ]
        )
        assert len(found.left) == 1


def test_a_close_date_is_not_written_while_the_deal_is_closed():
    events = [
        OPENED,
        event(Won, pipeline="salesforce", stage="Signed"),
        event(Moved, pipeline="salesforce", stage="Kept"),
        event(CloseDateChanged, expected_close=date(2026, 5, 1)),
        event(Reopened, pipeline="salesforce", stage="Talk"),
        event(CloseDateChanged, expected_close=date(2026, 6, 1)),
    ]
    written, left = outward(events)
    assert written[-1] == {"CloseDate": "2026-06-01"}
    assert left == [CloseDateChanged]


def test_what_holds_beyond_a_stage_is_written_again_with_the_next():
    events = [
        OPENED,
        event(ProbabilitySet, probability=Decimal("0.35"), basis=ProbabilityBasis.STICKY),
        event(ForecastCategorySet, category=ForecastCategory.COMMIT),
        event(Moved, pipeline="salesforce", stage="Offer"),
        event(ProbabilitySet, probability=Decimal("0.45")),
        event(Moved, pipeline="salesforce", stage="Offer"),
        event(Moved, pipeline="salesforce", stage="Terms"),
    ]
    written, _ = outward(events)
    category = {"ForecastCategoryName": "Commit"}
    assert written[3] == {"StageName": "Offer", "Probability": 35, **category}
    assert written[5] == {"StageName": "Offer", "Probability": 45, **category}
    assert written[6] == {"StageName": "Terms", **category}


def test_a_pipeline_is_written_as_the_record_type_that_alone_stands_for_it():
    moved = event(Moved, pipeline="renewals", stage="Due")
    written, left = outward([OPENED, moved, moved], record_types={"012R": "renewals"})
    assert written[1:] == [{"StageName": "Due", "RecordTypeId": "012R"}, {"StageName": "Due"}]
    assert left == []
    several = {"012R": "renewals", "012S": "renewals"}
    assert outward([OPENED, moved], record_types=several)[1] == [Moved]


def test_a_probability_that_a_stage_of_the_same_name_would_keep_is_returned():
    events = [
        OPENED,
        event(ProbabilitySet, probability=Decimal("0.35")),
        event(Moved, pipeline="renewals", stage="Talk"),
    ]
    assert outward(events, record_types={"012R": "renewals"})[1] == [Moved]


def test_what_only_salesforce_sets_is_nothing_to_write():
    stamped = event(FieldSet, field="attributes.LastModifiedDate", value="x")
    assert outward([stamped, OPENED]) == ([{"StageName": "Talk"}], [])


def test_a_contact_is_written_as_a_lead():
    one, created = Contact.create(
        LEAD, at=at(1), by="form", stage="lead", name="Ada Byron", email="ada@example.org",
        company="Engines", source="Web", attributes={"Title": "Countess"},
    )  # fmt: skip
    one, out = one.opt_out(at=at(2), by="ada")
    one, back = one.opt_in(at=at(3), by="ada")
    one, renamed = one.set_field("name", "Ada King", at=at(4), by="ada")
    one, owned = one.change_owner("005A", at=at(5), by="ada")
    found = changes([created, out, back, renamed, owned])
    assert [write["fields"] for write in found.writes] == [
        {"LastName": "Ada Byron", "Email": "ada@example.org", "Company": "Engines",
         "LeadSource": "Web", "Title": "Countess"},
        {"HasOptedOutOfEmail": True},
        {"HasOptedOutOfEmail": False},
        {"LastName": "Ada King", "FirstName": None},
        {"OwnerId": "005A"},
    ]  # fmt: skip
    assert {write["type"] for write in found.writes} == {"Lead"}
    assert found.left == ()


def test_a_stage_or_status_of_a_contact_is_written_where_a_status_means_just_that():
    def happening(kind, **facts):
        return kind(record=LEAD, sequence=2, at=at(9), **facts)

    sql, mql = LifecycleStage.SQL, LifecycleStage.MQL
    events = [
        happening(Created, lifecycle_stage=mql),
        happening(LifecycleStageSet, stage=sql, lead_status="new"),
        happening(LeadStatusSet, status="connected"),
        happening(LeadStatusSet, status="bad_timing"),
        happening(LifecycleStageSet, stage=LifecycleStage.CUSTOMER),
        happening(LeadStatusSet, status="connected", revisit_on=date(2026, 5, 1)),
        happening(FieldSet, field="account", value="001A"),
    ]
    written, left = outward(
        events,
        stages={"Working": mql, "Ready": sql},
        statuses={"Ready": "new", "Talking": "connected"},
    )
    assert written == [
        {"Status": "Working"}, {"Status": "Ready"}, {"Status": "Talking"}, {"Status": "Talking"},
    ]  # fmt: skip
    assert left == [LeadStatusSet, LifecycleStageSet, LeadStatusSet, FieldSet]


def test_events_common_to_contacts_and_deals_go_by_the_record_or_its_id():
    def owned(record):
        return OwnerChanged(record=record, sequence=2, at=at(9), owner="005A")

    mine = Created(record="c-1", sequence=1, at=at(1), lifecycle_stage=LifecycleStage.LEAD)
    found = changes([owned("006X"), owned("00QX"), owned("x"), owned("c-1"), mine])
    assert [(write["type"], write["Id"]) for write in found.writes] == [
        ("Opportunity", "006X"), ("Lead", "00QX"), ("Lead", "c-1"),
    ]  # fmt: skip
    assert [event.record for event in found.left] == ["x"]


def test_what_no_event_says_before_is_not_known_outward():
    bare = event(ProbabilitySet, probability=None)
    assert outward([bare]) == ([], [ProbabilitySet])
    merged = Merged(record=LEAD, sequence=2, at=at(9), other="00QB")
    assert outward([merged]) == ([], [Merged])
    spoken = FieldSet(record=LEAD, sequence=2, at=at(9), field="attributes.Seats__c", value=4)
    assert outward([spoken]) == ([{"Seats__c": 4}], [])


def test_what_events_mean_is_a_value():
    check_value(Outward((), (OPENED,)), Outward((), (OPENED,)), Outward((), ()))
