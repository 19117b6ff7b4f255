import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from salespipeline.connectors.salesforce import (
    changes,
    forecast_categories,
    read_contacts,
    read_deals,
    read_pipeline,
)
from salespipeline.errors import SalesPipelineError
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    Created,
    FieldSet,
    ForecastCategory,
    ForecastCategorySet,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    NextStepDone,
    NextStepPlanned,
    Opened,
    OptedIn,
    OptedOut,
    OwnerChanged,
    ProbabilitySet,
    Reopened,
    SaleType,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage

PIPELINE = Pipeline(
    "salesforce",
    [
        Stage("Talk", probability="0.1"),
        Stage("Offer", probability="0.5"),
        Stage("Signed", outcome="won", probability=1),
        Stage("Kept", outcome="won"),
        Stage("Gone", outcome="lost", probability=0),
    ],
)
DUE = Pipeline("renewals", [Stage("Due"), Stage("Renewed", outcome="won")])
PIPELINES = [PIPELINE, DUE]
TYPES = {"012R": "renewals", "012S": "salesforce"}
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def stamps():
    return st.integers(0, 60).map(lambda days: (START + timedelta(days)).isoformat())


def days():
    return st.integers(0, 90).map(lambda number: (date(2026, 3, 1) + timedelta(number)).isoformat())


# Any input


def json_values():
    scalars = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | stamps()
        | st.sampled_from(["006A", "00QA", "StageName", "Amount", "Status", "created", "Talk"])
    )  # fmt: skip
    keys = st.text(max_size=4) | st.sampled_from(NAMES)
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


NAMES = [
    "Id", "OpportunityId", "LeadId", "StageName", "Amount", "CloseDate", "CreatedDate", "Field",
    "OldValue", "NewValue", "Probability", "ForecastCategory", "IsDeleted", "IsClosed", "IsWon",
    "Type", "CurrencyIsoCode", "LastStageChangeDate", "SystemModstamp", "Status", "IsConverted",
    "ConvertedDate", "Name", "HasOptedOutOfEmail", "_fivetran_start", "_fivetran_end",
    "_fivetran_active", "ApiName", "SortOrder", "DefaultProbability", "NextStep", "RecordTypeId",
    "attributes", "Owner", "LastModifiedDate", "ContactId",
]  # fmt: skip

GOOD = {
    "Id": "006A", "OpportunityId": "006A", "LeadId": "00QA", "StageName": "Gone", "Amount": 7,
    "CloseDate": "2026-03-20", "CreatedDate": START.isoformat(), "Field": "StageName",
    "OldValue": "Talk", "NewValue": "Offer", "Probability": 35, "ForecastCategory": "BestCase",
    "IsDeleted": False, "Type": "Renewal", "CurrencyIsoCode": "USD", "Status": "Working",
    "IsConverted": True, "ConvertedDate": "2026-03-20", "Name": "x", "HasOptedOutOfEmail": True,
    "ApiName": "Talk", "IsClosed": False, "IsWon": False, "SortOrder": 3, "DefaultProbability": 10,
    "_fivetran_start": START.isoformat(), "_fivetran_active": False,
    "_fivetran_end": "2026-03-30T00:00:00Z", "LastStageChangeDate": START.isoformat(),
    "SystemModstamp": START.isoformat(), "NextStep": "call", "RecordTypeId": "012R",
}  # fmt: skip


@st.composite
def mutated(draw):
    """A good row with some fields away, and others with anything in them."""
    gone = draw(st.sets(st.sampled_from(sorted(GOOD)), max_size=12))
    kept = {name: value for name, value in GOOD.items() if name not in gone}
    changed = draw(st.dictionaries(st.sampled_from(NAMES), json_values(), max_size=3))
    return {**kept, **changed}


def tables():
    rows = st.lists(mutated() | st.dictionaries(st.sampled_from(NAMES), json_values()), max_size=4)
    return rows | json_values()


def guarded(call, *rows, **options):
    """What a reader gives; an error of ours gives nothing."""
    try:
        return call(*rows, **options)
    except SalesPipelineError:
        return None


def size(rows):
    return len(rows) if isinstance(rows, list) else 0


@given(tables(), tables(), tables(), st.sampled_from([None, "EUR"]), st.booleans())
def test_any_input_ends_in_deals_and_problems_or_in_an_error_of_ours(
    rows, history, fields, currency, known
):
    given_pipelines = PIPELINES if known else []
    found = guarded(read_deals, rows, history, fields, currency=currency, pipelines=given_pipelines)
    if found is not None:
        assert found.used + found.refused == size(rows) + size(history) + size(fields)
        assert found.refused == sum(problem.refused for problem in found.problems)
        check_histories(found)


@given(tables(), tables())
def test_any_input_ends_in_contacts_and_problems_or_in_an_error_of_ours(rows, history):
    found = guarded(read_contacts, rows, history, stages={"Working": "marketing_qualified_lead"})
    if found is not None:
        assert found.used + found.refused == size(rows) + size(history)
        assert found.refused == sum(problem.refused for problem in found.problems)
        check_histories(found)


def check_histories(found):
    """One history per record, each event of it known by an identity of its own."""
    assert len({one.record for one in found.histories}) == len(found.histories)
    for one in found.histories:
        identities = [event.identity for event in one.events]
        assert len(set(identities)) == len(identities)
        assert one.latest is None or one.latest.id == one.record


@given(tables())
def test_any_stages_end_in_a_pipeline_or_in_an_error_of_ours(rows):
    found = guarded(read_pipeline, rows)
    assert found is None or set(found.keys) <= set(found.outcomes)
    categories = guarded(forecast_categories, rows)
    assert categories is None or set(categories.values()) <= {*ForecastCategory}


# The order of rows, and rows given twice over


@st.composite
def sold(draw):
    """Rows of one deal: how it stands, pictures of its past, and its single changes."""
    stages = st.sampled_from(["Talk", "Offer", "Signed", "Gone"])
    count = draw(st.integers(0, 5))
    at = draw(st.lists(st.integers(0, 60), min_size=count, max_size=count, unique=True))
    pictures = [
        {
            "Id": f"008{number}", "OpportunityId": "006A", "StageName": draw(stages),
            "Amount": draw(st.none() | st.integers(0, 9)), "CloseDate": draw(days()),
            "Probability": draw(st.integers(0, 100)),
            "CreatedDate": (START + timedelta(after)).isoformat(),
        }
        for number, after in enumerate(sorted(at))
    ]  # fmt: skip
    fields, before = [], None
    for picture in pictures:
        if before is not None:
            fields += [
                {
                    "Id": f"017{picture['Id']}{name}", "OpportunityId": "006A", "Field": name,
                    "OldValue": before[name], "NewValue": picture[name],
                    "CreatedDate": picture["CreatedDate"],
                }
                for name in ("StageName", "Amount", "CloseDate")
                if before[name] != picture[name]
            ]  # fmt: skip
        before = picture
    last = pictures[-1] if pictures else {"StageName": draw(stages), "CloseDate": draw(days())}
    present = {
        "Id": "006A", "CreatedDate": START.isoformat(),
        **{name: last[name] for name in ("StageName", "Amount", "CloseDate") if name in last},
    }  # fmt: skip
    return present, pictures, fields


def read(present, pictures=(), fields=()):
    return read_deals([present], pictures, fields, currency="EUR", pipelines=PIPELINES)


@given(sold(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(rows, order):
    present, pictures, fields = rows
    shuffled = [
        random.Random(order.random()).sample(each, len(each)) for each in (pictures, fields)
    ]
    assert read(present, *shuffled).histories == read(present, pictures, fields).histories


@given(sold())
def test_pictures_and_changes_together_say_what_pictures_say_alone(rows):
    present, pictures, fields = rows
    if pictures:
        assert read(present, pictures, fields).histories == read(present, pictures).histories


@given(sold())
def test_every_row_is_used_and_the_deal_ends_where_its_row_says(rows):
    present, pictures, fields = rows
    found = read(*rows)
    assert (found.used, found.problems) == (1 + len(pictures) + len(fields), ())
    latest = found.histories[0].latest
    assert latest.stage == present["StageName"]
    amount = present.get("Amount")
    assert latest.amount == (None if amount is None else Money(amount, "EUR"))
    assert latest.outcome is PIPELINE.outcome(latest.stage)


@given(sold(), st.integers(1, 4))
def test_a_row_read_again_from_a_history_cut_short_is_the_same_event(rows, cut):
    present, pictures, _ = rows
    [whole] = read(present, pictures).histories
    [left] = read(present, pictures[cut:]).histories
    ids = {event.identity for event in whole.events}
    kept = [event for event in left.events if event.original_id in {p["Id"] for p in pictures}]
    assert {event.identity for event in kept} <= ids


@given(sold())
def test_a_later_export_only_adds_events_to_an_earlier_one(rows):
    _, pictures, _ = rows
    if len(pictures) > 1:
        bare = [{**each, "Probability": None} for each in pictures]
        [whole] = read_deals([], bare, currency="EUR", pipelines=PIPELINES).histories
        [early] = read_deals([], bare[:-1], currency="EUR", pipelines=PIPELINES).histories
        assert whole.events[: len(early.events)] == early.events


# Outward, and back


def texts():
    return st.sampled_from(["Ada", "Bob & Co", "ünï"])


def amounts():
    return st.none() | st.integers(0, 10**9).map(lambda cents: Money.of_minor(cents, "EUR"))


@st.composite
def deals(draw):
    """The events of a deal that Salesforce can hold, all of them."""
    at, pipeline, stage = START, "salesforce", draw(st.sampled_from(["Talk", "Offer", "Signed"]))
    events = [
        Opened(
            record="006A", sequence=1, at=at, pipeline=pipeline, stage=stage,
            outcome=PIPELINE.outcome(stage), title=draw(st.none() | texts()),
            amount=draw(amounts()), owner=draw(st.none() | texts()),
            source=draw(st.none() | texts()), account=draw(st.none() | texts()),
            sale_type=draw(st.none() | st.sampled_from(SaleType)),
            expected_close=None if stage == "Signed" else date(2026, 5, 1),
        )
    ]  # fmt: skip
    for number in range(2, draw(st.integers(2, 8))):
        at += timedelta(hours=draw(st.integers(1, 400)))
        before = DealHistory(events).latest
        outcome = before.outcome
        kind, facts = draw(st.sampled_from(["move", "fact"])), {}
        if kind == "move":
            pipeline = draw(st.sampled_from(PIPELINES))
            target = draw(st.sampled_from(pipeline.keys))
            now = pipeline.outcome(target)
            kind = Moved if now is outcome else {
                Outcome.WON: Won, Outcome.LOST: Lost, Outcome.OPEN: Reopened,
            }[now]  # fmt: skip
            facts = {"pipeline": pipeline.key, "stage": target, "stage_left": before.stage}
            if kind in {Won, Lost}:
                facts["amount"] = draw(amounts())
        else:
            kind, facts = draw(happenings(outcome))
        events.append(kind(record="006A", sequence=number, at=at, **facts))
    return events


def happenings(outcome):
    options = [
        st.tuples(st.just(AmountChanged), st.builds(dict, amount=amounts())),
        st.tuples(st.just(OwnerChanged), st.builds(dict, owner=texts())),
        st.tuples(st.just(NextStepPlanned), st.builds(dict, what=texts())),
        st.tuples(st.just(NextStepDone), st.just({})),
        st.tuples(
            st.just(ProbabilitySet),
            st.builds(dict, probability=st.integers(11, 49).map(lambda n: Decimal(n) / 100)),
        ),
        st.tuples(
            st.just(ForecastCategorySet),
            st.builds(
                dict,
                category=st.sampled_from([ForecastCategory.COMMIT, ForecastCategory.BEST_CASE]),
            ),
        ),
        st.tuples(
            st.just(FieldSet),
            st.sampled_from([
                {"field": "title", "value": "x"}, {"field": "source", "value": None},
                {"field": "sale_type", "value": SaleType.UPSELL},
                {"field": "attributes.Region__c", "value": "N"},
                {"field": "attributes.Seats__c", "value": 4},
                {"field": "attributes.Region__c", "value": None},
            ]),
        ),
    ]  # fmt: skip
    if outcome is Outcome.OPEN:
        dates = st.integers(0, 90).map(lambda number: date(2026, 1, 1) + timedelta(number))
        options.append(st.tuples(st.just(CloseDateChanged), st.builds(dict, expected_close=dates)))
    return st.one_of(options)


def written(writes):
    """The versions of an opportunity that takes these writes, as a warehouse keeps them.

    As in Salesforce, Probability and forecast category are set anew with another stage.
    """
    state, versions = {}, []
    for write in writes:
        fields = write["fields"]
        if fields.get("StageName", state.get("StageName")) != state.get("StageName"):
            state |= {"Probability": None, "ForecastCategoryName": None}
        state = {**state, **fields}
        versions.append({
            "Id": write["Id"], "CreatedDate": START.isoformat(), "_fivetran_start": write["at"],
            **state,
        })  # fmt: skip
    return versions


def facts_of(snapshot):
    """What a record is, but for fields that say its pipeline, currency and status once more."""
    held = {
        name: value
        for name, value in snapshot.attributes.items()
        if value is not None and name not in {"RecordTypeId", "CurrencyIsoCode", "Status"}
    }
    return evolve(snapshot, version=0, changed_at=START, attributes=type(snapshot.attributes)(held))


@given(deals())
def test_a_deal_read_back_from_what_is_written_is_the_same(events):
    found = changes(events, pipelines=PIPELINES, record_types=TYPES)
    assert found.left == ()
    back = read_deals(written(found.writes), pipelines=PIPELINES, record_types=TYPES)
    assert back.problems == ()
    assert facts_of(back.histories[0].latest) == facts_of(DealHistory(events).latest)


STATUSES = {"New": "new", "Talking": "connected"}
LIFECYCLE = {"Working": LifecycleStage.MQL, "New": LifecycleStage.SQL}


@st.composite
def contacts(draw):
    """The events of a contact that a lead can hold."""
    at = START
    events = [
        Created(
            record="00QA", sequence=1, at=at, lifecycle_stage=LifecycleStage.LEAD,
            name=draw(st.none() | texts()), email=draw(st.none() | texts()),
            owner=draw(st.none() | texts()), source=draw(st.none() | texts()),
        )
    ]  # fmt: skip
    steps = [
        (LifecycleStageSet, {"stage": LifecycleStage.MQL}),
        (LifecycleStageSet, {"stage": LifecycleStage.SQL, "lead_status": "new"}),
        (LeadStatusSet, {"status": "connected"}),
        (OptedOut, {}),
        (OptedIn, {}),
        (OwnerChanged, {"owner": "Bob"}),
        (FieldSet, {"field": "name", "value": "Eve"}),
        (FieldSet, {"field": "company", "value": "Engines"}),
        (FieldSet, {"field": "attributes.Region__c", "value": "N"}),
    ]
    for number in range(2, draw(st.integers(2, 8))):
        at += timedelta(hours=draw(st.integers(1, 400)))
        kind, facts = draw(st.sampled_from(steps))
        events.append(kind(record="00QA", sequence=number, at=at, **facts))
    return events


def lead_rows(writes):
    """A lead that takes these writes, and its history."""
    state = {"Id": "00QA", "CreatedDate": START.isoformat(), "LastModifiedDate": writes[-1]["at"]}
    history = [{"LeadId": "00QA", "Field": "created", "CreatedDate": START.isoformat()}]
    for write in writes:
        for name, value in write["fields"].items():
            if write is not writes[0] and state.get(name) != value:
                history.append({
                    "LeadId": "00QA", "Field": name, "OldValue": state.get(name),
                    "NewValue": value, "CreatedDate": write["at"],
                })  # fmt: skip
            state[name] = value
    return state, history


@given(contacts())
def test_a_contact_read_back_from_what_is_written_is_the_same(events):
    options = {"stages": LIFECYCLE, "statuses": STATUSES}
    found = changes(events, **options)
    assert found.left == ()
    if not found.writes or found.writes[0]["at"] != START.isoformat():
        first = {"type": "Lead", "Id": "00QA", "at": START.isoformat(), "fields": {}}
        found = evolve(found, writes=(first, *found.writes))
    lead, history = lead_rows(found.writes)
    back = read_contacts([lead], history, **options)
    assert back.problems == ()
    state = facts_of(back.histories[0].latest)
    meant = facts_of(ContactHistory(events).latest)
    assert evolve(state, attributes=_without(state)) == evolve(meant, attributes=_without(meant))


def _without(snapshot):
    """The attributes without the stamp of the last change, which Salesforce sets."""
    return snapshot.attributes.without("LastModifiedDate")
