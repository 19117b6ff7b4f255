"""Every public value as a document, and streams of them as JSON Lines.

Run as a program, this file writes the shipped schemas anew from the types.
"""

import io
import itertools
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest

from contracts import check_door, check_value
from salespipeline import HUBSPOT_DEFAULT, SEVEN_STAGES, SIX_STAGES, STANDARD_STATUSES
from salespipeline import events as happenings
from salespipeline.attributes import Attributes
from salespipeline.conditions import at_least, named
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import (
    InvalidValueError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import (
    ContactEvent,
    Created,
    DealEvent,
    Event,
    FieldSet,
    LeadStatusSet,
    Lost,
    Merged,
    Moved,
    NextStep,
    Opened,
    Origin,
    OwnerChanged,
    Probability,
    ProbabilityBasis,
    ProbabilitySet,
    SaleType,
    StageEntered,
    Start,
    Term,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory, Visit
from salespipeline.interchange import (
    LineProblem,
    dump,
    dump_lines,
    dump_rulebook,
    load,
    load_lines,
    schema,
)
from salespipeline.interchange import _lines as lines_module
from salespipeline.interchange._forms import TYPES
from salespipeline.interchange._record_schemas import record_schema
from salespipeline.interchange._records import CONTACT_EVENTS, DEAL_EVENTS, EVENTS
from salespipeline.interchange._schemas import KINDS
from salespipeline.intervals import Interval, wilson
from salespipeline.lifecycle import LeadStatus, LifecycleStage, Status
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.rules import Code, Decision, Denial, Override, Result, Rule, Rulebook, Ruling
from salespipeline.triggers import STANDARD_TRIGGERS, Trigger

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "v1"
SHIPPED = files("salespipeline.interchange").joinpath("schemas")
HEAD = {"format_version": 1}


def at(day, hour=0):
    """An instant of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def written(value):
    """A schema as it is shipped."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# One value of every kind, and one event of every type

TERM = Term(date(2026, 4, 1), date(2027, 4, 1), Money("1200.00", "EUR"))
DENIALS = (
    Denial(Code.NOT_MET, "size", "amount", Money(5, "EUR"), at_least("amount", 9), "too small"),
    Denial("own_code", "", "approvals", frozenset({"legal", "boss"}), timedelta(hours=36), ""),
    Denial(Code.TOO_SOON, "wait", "move.at", at(1), timedelta(microseconds=1), "wait"),
    Denial(Code.HAS_DEPENDANTS, "", "events", (4, 5), (), ""),
)
RULING = Ruling("deals", 3, "ab" * 32, DENIALS[3:], Override("eve", "boss", "the buyer insists"))
ODD = Attributes(
    {
        "region": "north", "seats": 40, "tested": True, "gone": None, "share": 0.1,
        "rate": Decimal("0.50"), "large": 10**20, "tiny": Decimal("1E-200"),
        "since": date(2026, 1, 1), "seen": at(2), "spent": Money("-0.05", "EUR"),
        "tags": ("a", (1, date(2026, 1, 2)), ()), "\U0001f40d": 1, "\uffff": 2,
    }
)  # fmt: skip
CONTACT = Contact(
    id="c-1", version=7, lifecycle_stage=LifecycleStage.SQL, stage_since=at(2), changed_at=at(5),
    lead_status="bad_timing", status_since=at(4), revisit_on=date(2026, 9, 1), created_at=at(1),
    name="Zoë", email="zoe@example.org", company="Example", account="a-1", owner="ada",
    source="fair", next_step=NextStep("call", date(2026, 3, 20)), opted_out=True,
    approvals=frozenset({"legal", "boss"}), verdict="fit", attributes=ODD,
)  # fmt: skip
DEAL = Deal(
    id="d-1", version=9, pipeline="six_stages", stage="closing", stage_since=at(8),
    changed_at=at(9), opened_at=at(1, 9), outcome=Outcome.WON, closed_at=at(8),
    closed_from="proposal", reason="price", title="Roof", amount=Money("1999", "JPY"),
    account="a-1", contacts=("c-2", "c-1"), owner="ada", source="fair", sale_type=SaleType.RENEWAL,
    expected_close=date(2026, 4, 1), forecast_category=happenings.ForecastCategory.COMMIT,
    probability=Probability(Decimal("0.35"), ProbabilityBasis.STICKY), term=TERM, renews="d-0",
    next_step=NextStep("sign"), approvals=frozenset({"legal"}), verdict="fit", attributes=ODD,
)  # fmt: skip
STORY = [
    Opened(
        record="d-1", sequence=1, at=at(1), by="ada", role="sales", system="crm", original_id="e-1",
        pipeline="six", stage="talk", start=Start.BY_THEN, observed_from=at(1), title="Roof",
        amount=Money(5, "EUR"), account="a-1", contacts=("c-1",), owner="ada", source="fair",
        sale_type=SaleType.UPSELL, expected_close=date(2026, 5, 1), term=TERM, renews="d-0",
        attributes=ODD, ruling=RULING,
    ),
    Moved(
        record="d-1", sequence=2, at=at(2), recorded_at=at(3, 1), pipeline="six", stage="offer",
        pipeline_left="six", stage_left="talk", ruling=Ruling("six", 1, "cd" * 32),
    ),
    Merged(
        record="d-1", sequence=3, at=at(2), other="d-9", origin=Origin("d-9", 1, at(2)),
        creation=Opened(record="d-9", sequence=1, at=at(2), pipeline="six", stage="talk"),
    ),
    FieldSet(record="d-1", sequence=4, at=at(3), field="attributes.rate", value=Decimal("0.75")),
    Won(record="d-1", sequence=5, at=at(4), pipeline="six", stage="done", amount=Money(4, "EUR")),
]  # fmt: skip
SOMEBODY = [
    Created(
        record="c-1", sequence=1, at=at(1), lifecycle_stage=LifecycleStage.LEAD, name="Zoë",
        email="zoe@example.org", company="Example", account="a-1", owner="ada", source="web",
        attributes=Attributes({"seats": 4}), start=Start.BY_THEN, observed_from=at(2),
    ),
    LeadStatusSet(record="c-1", sequence=2, at=at(2), status=None, status_left="new"),
]  # fmt: skip
RULED = Pipeline(
    "rüled",
    [
        Stage(
            "talk", "Talk", probability="0.10", rot_after=timedelta(days=9, microseconds=500_000)
        ),
        Stage(
            "hold", parked=True, journey="proposal", meaning="waits", entry="asked", next_step="ask"
        ),
        Stage("done", outcome="won"),
    ],
    former={"\uffff": "talk", "\U0001f40d": "done"},
    source="ours",
).ruled(reason_to_lose=True, backward=False)
VALUES = {
    "attributes": ODD,
    "contact": CONTACT,
    "contact_history": ContactHistory(SOMEBODY),
    "deal": DEAL,
    "deal_history": DealHistory(STORY),
    "decision": Decision(
        LifecycleStage.LEAD, "customer", Result.DENIED, DENIALS, ("lead", "customer"), "void", (),
        Override("eve", "boss", "so be it"),
    ),
    "denial": DENIALS[1],
    "interval": Interval(None, 0.1, 0.95, "wilson"),
    "money": Money("12.50", "EUR"),
    "next_step": NextStep("call", date(2026, 3, 20)),
    "override": Override("eve", "boss", "so be it"),
    "period": Period(at(1), at(2) + timedelta(microseconds=1)),
    "pipeline": RULED,
    "probability": Probability(Decimal("0.350"), ProbabilityBasis.MODEL),
    "rulebook": RULED.rulebook,
    "ruling": RULING,
    "stage": RULED.stages[0],
    "status": STANDARD_STATUSES.statuses[-1],
    "status_scheme": STANDARD_STATUSES,
    "term": TERM,
    "trigger": Trigger("promoted_us", "evangelist", "new", [LifecycleStage.CUSTOMER]),
    "trigger_set": STANDARD_TRIGGERS,
    "visit": Visit("talk", "six", at(1), None, 2, entry_known=False),
}  # fmt: skip
SIGNED = {"record": "r-1", "sequence": 4, "at": at(3), "by": "ada"}
SAID = {
    "Created": {"lifecycle_stage": LifecycleStage.SQL, "lead_status": "new", "ruling": RULING},
    "LifecycleStageSet": {"stage": LifecycleStage.CUSTOMER, "stage_left": LifecycleStage.LEAD},
    "LeadStatusSet": {"status": "bad_timing", "revisit_on": date(2026, 9, 1)},
    "FieldSet": {"field": "sale_type", "value": SaleType.RENEWAL},
    "OwnerChanged": {"owner": None},
    "ActivityRecorded": {"kind": "call", "direction": happenings.Direction.INBOUND},
    "NextStepPlanned": {"what": "call", "due": date(2026, 3, 20)},
    "Assessed": {
        "framework": "bant", "criterion": "need", "answer": "met", "evidence": "said so",
        "source": "call", "expires_at": at(9), "verdict": "fit",
    },
    "Approved": {"approval": "legal"},
    "ApprovalWithdrawn": {"approval": "legal"},
    "Merged": {"other": "r-2"},
    "Voided": {"voids": ("crm", "e-1"), "why": "a mistake"},
    "Deleted": {"why": "a copy"},
    "Opened": {"pipeline": "six", "stage": "talk", "outcome": Outcome.LOST},
    "Moved": {"pipeline": "six", "stage": "talk"},
    "Won": {"pipeline": "six", "stage": "done", "reason": "price"},
    "Lost": {"pipeline": "six", "stage": "gone", "amount": Money("0.5", "EUR")},
    "Reopened": {"pipeline": "six", "stage": "talk"},
    "AmountChanged": {"amount": None, "reason": "nobody knows"},
    "ConcessionMade": {"what": "discount", "value": Money("1.234", "KWD")},
    "CloseDateChanged": {"expected_close": date(2026, 9, 1)},
    "ProbabilitySet": {"probability": Decimal("0.5"), "basis": ProbabilityBasis.MODEL},
    "ForecastCategorySet": {"category": happenings.ForecastCategory.BEST_CASE},
    "ContactLinked": {"contact": "c-1"},
    "ContactUnlinked": {"contact": "c-1"},
}  # fmt: skip
HAPPENED = {kind.__name__: kind(**SIGNED, **SAID.get(kind.__name__, {})) for kind in EVENTS}

every_value = pytest.mark.parametrize("value", VALUES.values(), ids=list(VALUES))
every_event = pytest.mark.parametrize("event", HAPPENED.values(), ids=list(HAPPENED))


def document(value, **changes):
    """A document as plain data, with members changed."""
    return json.loads(dump(value)) | changes


def refused(data, kind, **arguments):
    """The faults for which a document is refused."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    with pytest.raises(InvalidValueError) as caught:
        load(text, kind, **arguments)
    return caught.value.faults


def with_strange(value, **strange):
    """A value with something in it that its doors would refuse."""
    made = attrs.evolve(value)
    for name, each in strange.items():
        object.__setattr__(made, name, each)
    return made


# What is written


def test_a_value_has_one_text():
    assert dump(Money("-1234.5", "EUR")) == (
        '{"amount":"-1234.50","currency":"EUR","format":"salespipeline.money","format_version":1}'
    )
    assert dump(Won(**SIGNED, pipeline="six", stage="done", amount=Money(3, "JPY"))) == (
        '{"amount":{"amount":"3","currency":"JPY"},"at":"2026-03-03T00:00:00Z","by":"ada",'
        '"event":"won","format":"salespipeline.event","format_version":1,"pipeline":"six",'
        '"record":"r-1","sequence":4,"stage":"done"}'
    )


def test_what_says_nothing_is_left_out_of_a_snapshot():
    contact, _ = Contact.create("c-1", at=at(1), by="form")
    assert document(contact) == {
        "format": "salespipeline.contact", "format_version": 1, "id": "c-1", "version": 1,
        "changed_at": "2026-03-01T00:00:00Z", "created_at": "2026-03-01T00:00:00Z",
    }  # fmt: skip


def test_what_an_event_must_say_is_written_where_it_is_nothing_too():
    assert document(HAPPENED["OwnerChanged"])["owner"] is None
    assert document(HAPPENED["AmountChanged"])["amount"] is None
    assert refused({**document(HAPPENED["OwnerChanged"]), "ownr": "x"}, Event) == (
        (
            "the document: has the unknown 'ownr'; known: event, record, sequence, at, owner, by, "
            "role, recorded_at, system, original_id, origin"
        ),
    )
    without = {k: v for k, v in document(HAPPENED["OwnerChanged"]).items() if k != "owner"}
    assert refused(without, Event) == ("the document: lacks 'owner'",)


def test_attributes_say_their_kind_where_json_cannot_tell():
    assert document(ODD)["attributes"] == {
        "region": "north",
        "seats": 40,
        "tested": True,
        "gone": None,
        "share": {"kind": "float", "value": "0.1"},
        "rate": {"kind": "decimal", "value": "0.5"},
        "large": {"kind": "whole", "value": "100000000000000000000"},
        "tiny": {"kind": "decimal", "value": "1E-200"},
        "since": {"kind": "date", "value": "2026-01-01"},
        "seen": {"kind": "instant", "value": "2026-03-02T00:00:00Z"},
        "spent": {"kind": "money", "value": {"amount": "-0.05", "currency": "EUR"}},
        "tags": ["a", [1, {"kind": "date", "value": "2026-01-02"}], []],
        "\U0001f40d": 1,
        "\uffff": 2,
    }
    names = list(document(ODD)["attributes"])
    assert names.index("\U0001f40d") < names.index("\uffff")  # by their UTF-16 units


def test_a_denial_says_what_it_found_and_what_would_have_done():
    told = [(each["actual"], each["expected"]) for each in document(VALUES["decision"])["denials"]]
    assert told == [
        (
            {"kind": "money", "value": {"amount": "5.00", "currency": "EUR"}},
            {
                "kind": "condition",
                "value": {"field": "amount", "kind": "number", "op": "at_least", "value": 9},
            },
        ),
        ({"kind": "set", "value": ["boss", "legal"]}, {"kind": "duration", "value": 129600}),
        (
            {"kind": "instant", "value": "2026-03-01T00:00:00Z"},
            {"kind": "duration", "value": "0.000001"},
        ),
        ([4, 5], []),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Probability(Decimal("0.5"), ProbabilityBasis.MODEL), Decimal("0.500")),
        (Attributes({"a": 0.0}), Attributes({"a": -0.0})),
        (Attributes({"a": Decimal(100)}), Attributes({"a": Decimal("1E+2")})),
        (Attributes({"a": 1, "b": 2}), Attributes({"b": 2, "a": 1})),
        (Attributes({"a": at(1)}), Attributes({"a": at(1).astimezone(ZoneInfo("Asia/Tokyo"))})),
        (LeadStatusSet(**SIGNED, status="new"), LeadStatusSet(**SIGNED, status=LeadStatus.NEW)),
        (OwnerChanged(**SIGNED, owner="x"), at(3).astimezone(timezone(timedelta(hours=5)))),
        (Interval(0, 1, 0.5, "x"), Interval(0.0, 1.0, 0.5, "x")),
    ],
)  # fmt: skip
def test_equal_values_have_equal_text(one, other):
    if isinstance(other, Decimal):
        other = attrs.evolve(one, value=other)
    elif isinstance(other, datetime):
        other = attrs.evolve(one, at=other)
    assert one == other
    assert dump(one) == dump(other)


def test_the_precision_of_the_callers_decimals_counts_for_nothing():
    with localcontext() as context:
        context.prec = 2
        for value in (ODD, RULED, VALUES["decision"], Money("123456.78", "EUR")):
            assert load(dump(value), type(value)) == value
        assert dump(Attributes({"a": Decimal("0.12345")})).count("0.12345") == 1


# There and back


@every_value
def test_a_value_is_read_as_it_was_written(value):
    text = dump(value)
    read = load(text, type(value))
    assert read == value
    assert dump(read) == text
    assert type(read) is type(value)


@every_event
def test_an_event_is_read_as_it_was_written(event):
    text = dump(event)
    for kind in (Event, type(event)):
        read = load(text, kind)
        assert read == event
        assert repr(read) == repr(event)
    assert dump(read) == text


def test_every_type_of_event_is_tried():
    assert set(HAPPENED) == {kind.__name__ for kind in (*CONTACT_EVENTS, *DEAL_EVENTS)}
    assert set(VALUES) == set(TYPES.values())
    assert sorted([*VALUES, "event"]) == sorted([*KINDS, "rulebook"])


def test_what_was_read_is_a_value_like_any_other():
    for value in (CONTACT, DEAL, STORY[0]):
        other = attrs.evolve(value, source="elsewhere")
        read = load(dump(value), type(value))
        assert hash(read) == hash(value)
        assert read != other
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            read.source = "x"
    again = load(dump(ODD), Attributes)
    check_value(again, Attributes(dict(ODD)), Attributes({"region": "south"}))
    assert list(again) == list(ODD)


def test_ready_made_pipelines_are_read_equal():
    for pipeline in (SIX_STAGES, SEVEN_STAGES, HUBSPOT_DEFAULT):
        read = load(dump(pipeline), Pipeline)
        assert read == pipeline
        assert read.rulebook.fingerprint == pipeline.rulebook.fingerprint


def test_a_pipeline_written_by_hand_may_leave_out_what_follows_from_the_rest():
    stages = [{"key": "talk"}, {"key": "done", "outcome": "won"}]
    data = {"format": "salespipeline.pipeline", **HEAD, "key": "short_one", "stages": stages}
    assert load(json.dumps(data), Pipeline) == Pipeline(
        "short_one", [Stage("talk"), Stage("done", outcome="won")]
    )
    status = {"format": "salespipeline.status", **HEAD, "key": "on_hold"}
    assert load(json.dumps(status), Status).label == "On hold"


def test_a_rulebook_has_the_document_that_it_always_had():
    assert dump(RULED.rulebook) == dump_rulebook(RULED.rulebook)
    assert load(dump_rulebook(RULED.rulebook), Rulebook[str]) == RULED.rulebook


def test_predicates_are_given_anew():
    def likes(_facts):
        return True

    rules = [Rule("liked", named("likes"))]
    book = Rulebook.free("b", ["talk", "won", "lost"], rules=rules, predicates={"likes": likes})
    pipeline = Pipeline("b", [Stage("talk")], rulebook=book)
    text = dump(pipeline)
    read = load(text, Pipeline, predicates={"likes": likes})
    assert read == pipeline
    assert read.rulebook.permits("talk", "won")
    assert refused(text, Pipeline) == (
        "rulebook.rules[0].condition: asks 'likes', and no such predicate is given",
    )
    assert list(load_lines([text], Pipeline, predicates={"likes": likes})) == [pipeline]


def test_a_field_is_set_to_the_type_that_it_has():
    values = [
        ("sale_type", SaleType.RENEWAL), ("term", TERM), ("term", None), ("title", "x"),
        ("name", ""), ("attributes.a", None), ("attributes.a.b", (at(1), 5)),
    ]  # fmt: skip
    for field, value in values:
        event = FieldSet(**SIGNED, field=field, value=value)
        read = load(dump(event), FieldSet)
        assert (read, type(read.value)) == (event, type(value))
    assert document(FieldSet(**SIGNED, field="term", value=TERM))["value"] == {
        "start": "2026-04-01", "end": "2027-04-01",
        "recurring": {"amount": "1200.00", "currency": "EUR"},
    }  # fmt: skip


# Kinds that may be asked for


def test_a_union_of_events_takes_those_and_no_others():
    won = dump(HAPPENED["Won"])
    assert load(won, DealEvent) == load(won, Won | Lost) == load(won, StageEntered)
    tags = "created, lifecycle_stage_set, lead_status_set, opted_out"
    assert refused(won, ContactEvent)[0].startswith(f"event: must be one of {tags}")
    assert refused(won, Moved) == ("event: must be one of moved (got 'won')",)


def test_a_kind_of_record_has_its_own_fields_and_creation():
    renamed = dump(FieldSet(**SIGNED, field="name", value="x"))
    assert load(renamed, ContactEvent) == load(renamed, Event)
    assert refused(renamed, DealEvent) == (
        (
            "field: must be one of title, account, source, renews, sale_type, term, "
            "attributes.<name> (got 'name')"
        ),
    )
    merged = dump(Merged(**SIGNED, other="x", creation=HAPPENED["Opened"]))
    assert load(merged, DealEvent) == load(merged, Event)
    assert refused(merged, ContactEvent) == (
        "creation.event: must be one of created (got 'opened')",
    )


def test_several_kinds_are_told_by_their_formats():
    both = ContactHistory | DealHistory
    for kind in ("contact_history", "deal_history"):
        assert load(dump(VALUES[kind]), both) == VALUES[kind]
    names = "'salespipeline.contact_history' or 'salespipeline.deal_history'"
    assert refused(dump(CONTACT), both) == (
        f"format: must be {names} (got 'salespipeline.contact')",
    )
    assert refused("[]", both) == (f"format: must be {names} (got None)",)
    assert refused('{"format": []}', both) == (f"format: must be {names} (got [])",)
    assert refused("{", both)[0].startswith("the document: is no JSON: ")
    spoilt = document(VALUES["deal_history"], events=[])
    assert refused(spoilt, both) == ("events: must hold at least one event",)
    assert load(dump(Money(1, "EUR")), Money | DealEvent) == Money(1, "EUR")
    with pytest.raises(WrongTypeError, match="'text' must be a str"):
        load(None, both)


def test_a_kind_without_documents_is_refused():
    text = dump(CONTACT)
    check_door(lambda kind: load(text, kind))
    check_door(lambda kind: load_lines([], kind))
    for kind in (int, object, Event | int, list[Money], SalesPipelineError, LifecycleStage):
        with pytest.raises(WrongTypeError, match="'kind' must be a type that documents hold"):
            load(text, kind)


def test_a_value_without_documents_is_refused():
    check_door(dump)

    class Own(Event):
        pass

    for value in (Own(**SIGNED), LifecycleStage.LEAD, DENIALS, Money):
        with pytest.raises(WrongTypeError, match="'value' must be of a type that documents hold"):
            dump(value)
    with pytest.raises(WrongTypeError):
        load(dump(CONTACT), Own)


def test_texts_and_mappings_of_functions_are_needed():
    text = dump(CONTACT)
    check_door(lambda given: load(given, Contact))
    for name in ("predicates", "upcasters"):
        for given in (None, [len], 5):
            with pytest.raises(WrongTypeError, match=f"'{name}' must be a mapping"):
                load(text, Contact, **{name: given})
    with pytest.raises(WrongTypeError, match="'upcasters' must be a mapping of versions to"):
        load(text.replace("_version", ""), Contact, upcasters={0: 5})


# Declared attributes

DECLARED = {
    "score": Decimal, "since": date, "note": str | None, "tags": tuple[str, ...],
    "paid": Money, "seen": datetime, "hot": bool, "seats": int, "share": float,
    "pairs": tuple[tuple[int | Decimal, ...], ...],
}  # fmt: skip


def with_attributes(**own):
    return attrs.evolve(CONTACT, attributes=Attributes(own))


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"score": Decimal("0.5"), "since": date(2026, 1, 1), "note": None, "tags": ("a", "b")},
        {"note": "x", "tags": (), "paid": Money(1, "EUR"), "seen": at(1), "hot": True},
        {"seats": 10**20, "share": 0.5, "pairs": ((1, Decimal(2)), ())},
    ],
)
def test_declared_attributes_are_read(own):
    contact = with_attributes(**own)
    assert load(dump(contact), Contact, attributes=DECLARED) == contact


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ({"score": 5}, "attributes.score: must be a decimal number (got 5)"),
        ({"score": None}, "attributes.score: must be a decimal number (got None)"),
        ({"since": at(1)}, "attributes.since: must be a date (got datetime.datetime("),
        ({"seen": date(2026, 1, 1)}, "attributes.seen: must be an instant (got datetime.date("),
        ({"note": 5}, "attributes.note: must be text or null (got 5)"),
        ({"seats": True}, "attributes.seats: must be a whole number (got True)"),
        ({"hot": 1}, "attributes.hot: must be true or false (got 1)"),
        ({"tags": ("a", 5)}, "attributes.tags: must be an array of text (got ('a', 5))"),
        (
            {"pairs": ((1, "x"),)},
            "attributes.pairs: must be an array of an array of a whole number or a decimal number",
        ),
        ({"colour": "red"}, "attributes.colour: is no declared attribute; declared: hot, note,"),
    ],
)
def test_an_attribute_that_is_not_as_declared_is_refused(own, fault):
    (found,) = refused(dump(with_attributes(**own)), Contact, attributes=DECLARED)
    assert found.startswith(fault)


def test_attributes_are_declared_for_events_and_histories_too():
    text = dump(VALUES["deal_history"])
    own = {**dict.fromkeys(ODD, str), "rate": Decimal, "region": int}
    faults = refused(text, DealHistory, attributes=own)
    assert "events[0].attributes.region: must be a whole number (got 'north')" in faults
    assert not any("rate" in fault for fault in faults)
    assert refused(text, DealHistory, attributes={})[-1] == (
        "events[3].value: is no declared attribute; declared: none"
    )
    event = FieldSet(**SIGNED, field="attributes.rate", value=Decimal("0.75"))
    assert load(dump(event), DealEvent, attributes={"rate": Decimal}) == event
    assert refused(dump(event), DealEvent, attributes={"rate": int}) == (
        "value: must be a whole number (got Decimal('0.75'))",
    )
    assert list(load_lines([dump(event)], Event, attributes={"rate": Decimal})) == [event]


def test_only_types_that_attributes_have_can_be_declared():
    text = dump(CONTACT)
    for kind in (list, dict, object, tuple, tuple[int, int], tuple[list, ...], 5, "str", [], None):
        with pytest.raises(WrongTypeError, match="'attributes' must be types: str, bool, int"):
            load(text, Contact, attributes={"a": kind})
    for given in (5, [("a", int)], {5: int}, "a"):
        with pytest.raises(WrongTypeError, match="'attributes' must be a mapping of names to"):
            load(text, Contact, attributes=given)


# Faults


def test_every_fault_of_a_history_is_named_with_its_path():
    data = document(VALUES["deal_history"])
    first, second, third, fourth, fifth = data["events"]
    first["amount"]["currency"] = "eur"
    first["term"]["end"] = "2026-02-30"
    first["contacts"] = ["c-1", 5]
    first["ruling"]["overridden"][0]["actual"] = {"kind": "colour", "value": "red"}
    first["ruling"]["override"]["why"] = ""
    first["attributes"]["region"] = 1.5
    second["at"] = "2026-03-02T00:00:00"
    second["sequence"] = 0
    second["recorded_at"] = None
    third["sequence"] = 7
    third["record"] = "d-2"
    third["creation"]["sequence"] = "1"
    fourth["field"] = "colour"
    fifth["event"] = "win"
    data["colour"] = "red"
    assert [fault.partition(" (got")[0] for fault in refused(data, DealHistory)] == [
        "the document: has the unknown 'colour'; known: events",
        "events[0].amount.currency: must be a three-letter code such as 'EUR'",
        (
            "events[0].attributes.region: must be a value: text, a whole number, true, false, "
            "null, an array of values, or one that says its kind, "
            'as {"kind": "decimal", "value": "1.5"}'
        ),
        "events[0].contacts[1]: must be text of whole characters",
        (
            "events[0].ruling.overridden[0].actual: must be a value as of an attribute, or a set, "
            "duration or condition that says its kind"
        ),
        "events[0].ruling.override.why: must be text that is not empty",
        'events[0].term.end: must be a date as "2026-03-01"',
        'events[1].at: must be an instant as "2026-03-01T09:00:00Z"',
        "events[1].sequence: must be a whole number from 1 to 2^53 - 1",
        "events[2].creation.sequence: must be a whole number from 1 to 2^53 - 1",
        (
            "events[3].field: must be one of title, account, source, renews, sale_type, term, "
            "attributes.<name>"
        ),
        (
            "events[4].event: must be one of opened, moved, won, lost, reopened, amount_changed, "
            "concession_made, close_date_changed, probability_set, forecast_category_set, "
            "contact_linked, contact_unlinked, field_set, owner_changed, activity_recorded, "
            "next_step_planned, next_step_done, assessed, approved, approval_withdrawn, merged, "
            "voided, deleted"
        ),
    ]


def test_the_value_of_a_fault_is_shown():
    data = document(VALUES["deal_history"])
    data["events"][0]["amount"]["amount"] = 5.5
    assert refused(data, DealHistory) == (
        'events[0].amount.amount: must be an exact amount as "12.50" (got 5.5)',
    )


def test_a_history_that_reads_is_a_valid_one():
    events = document(VALUES["deal_history"])["events"]
    others = [events[1], {**events[0], "sequence": 2}, {**events[2], "record": "d-2"}]
    assert refused(document(VALUES["deal_history"], events=others), DealHistory) == (
        "events[0].sequence: must be 1, its place (got 2)",
        "events[0].event: must be 'opened', the beginning (got 'moved')",
        "events[1].event: must not be 'opened', which only begins a history",
        "events[2].record: must be 'd-1', the record of the first event (got 'd-2')",
    )
    assert refused(document(VALUES["deal_history"], events=[]), DealHistory) == (
        "events: must hold at least one event",
    )
    merge = {**events[2], "origin": {**events[2]["origin"], "sequence": 2}}
    others = [*events[:2], merge]
    assert refused(document(VALUES["deal_history"], events=others), DealHistory) == (
        "events[2]: does not say how 'd-9' began",
    )
    for given in (None, {}, "x"):
        (fault,) = refused(document(VALUES["deal_history"], events=given), DealHistory)
        assert fault.startswith("events: must be an array (got ")


def change(value, place, new):
    """A document with something else in one place."""
    data = document(value)
    holder = data
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = new
    return data


REFUSED = [
    ("money", ["amount"], 12, 'amount: must be an exact amount as "12.50" (got 12)'),
    ("money", ["amount"], "1e5", "amount: must be an exact amount"),
    ("money", ["amount"], "1_0", "amount: must be an exact amount"),
    ("money", ["amount"], "\u0661", "amount: must be an exact amount"),
    ("money", ["amount"], "1.005", "the document: '1.005' has more than the 2 decimal places"),
    ("money", ["amount"], "9" * 60, "the document: '9999"),
    ("money", ["currency"], "EURO", "currency: must be a three-letter code such as 'EUR' (got"),
    ("money", ["currency"], ["EUR"], "currency: must be a three-letter code"),
    ("money", ["minor"], 5, "the document: has the unknown 'minor'; known: amount, currency"),
    ("period", ["end"], "2026-03-01T00:00:00Z", "the document: the end 2026-03-01"),
    ("period", ["end"], "2026-03-02T24:00:00Z", "end: must be an instant"),
    ("period", ["end"], "2026-03-02T00:00:00+00:00", "end: must be an instant"),
    ("period", ["end"], "2026-03-02t00:00:00z", "end: must be an instant"),
    ("period", ["end"], "20260302T000000Z", "end: must be an instant"),
    ("period", ["end"], "2026-W10-1T00:00:00Z", "end: must be an instant"),
    ("period", ["end"], "2026-03-02T00:00:00,5Z", "end: must be an instant"),
    ("period", ["end"], "0000-03-02T00:00:00Z", "end: must be an instant"),
    ("period", ["end"], "\u0662026-03-02T00:00:00Z", "end: must be an instant"),
    ("period", ["end"], 5, "end: must be an instant"),
    ("interval", ["level"], 0.95, 'level: must be a number as "0.95" (got 0.95)'),
    ("interval", ["level"], "1e999", "level: must be a number"),
    ("interval", ["level"], "NaN", "level: must be a number"),
    ("interval", ["method"], "half \ud800", "method: must be text of whole characters"),
    ("next_step", ["due"], "2026-3-1", "due: must be a date"),
    ("next_step", ["due"], "2026-W01-1", "due: must be a date"),
    ("probability", ["value"], "1.01", 'value: must be a probability from "0" to "1"'),
    ("probability", ["value"], 1, "value: must be a probability"),
    ("probability", ["basis"], "luck", "basis: must be a probability basis, one of stage, until"),
    ("term", ["recurring"], None, "recurring: must be an object (got None)"),
    ("term", ["end"], "2020-01-01", "the document: the end 2020-01-01 is not after 2026-04-01"),
    ("contact", ["version"], 0, "version: must be a whole number from 1 to 2^53 - 1 (got 0)"),
    ("contact", ["version"], True, "version: must be a whole number"),
    ("contact", ["version"], 2**53, "version: must be a whole number"),
    ("contact", ["id"], "", "id: must be text that is not empty"),
    ("contact", ["opted_out"], 1, "opted_out: must be true or false"),
    ("contact", ["opted_out"], None, "opted_out: must be true or false"),
    ("contact", ["name"], ["x"], "name: must be text of whole characters"),
    ("contact", ["lifecycle_stage"], "LEAD", "lifecycle_stage: must be a lifecycle stage, one of"),
    ("contact", ["lifecycle_stage"], {}, "lifecycle_stage: must be a lifecycle stage, one of"),
    ("contact", ["approvals"], ["a", "b", "a"], "approvals[2]: is there twice (got 'a')"),
    ("contact", ["approvals"], "a", "approvals: must be an array"),
    ("contact", ["approvals"], [None], "approvals[0]: must be text"),
    ("contact", ["attributes"], [], "attributes: must be an object"),
    ("contact", ["attributes", "half \udc00"], 1, "the name attributes['half \\udc00']: must be"),
    ("contact", ["attributes", "a"], 2**53, "attributes.a: must be a value"),
    ("contact", ["attributes", "a b"], {"kind": "date"}, "attributes['a b']: must be a value"),
    ("contact", ["attributes", "a"], {"kind": "set", "value": []}, "attributes.a: must be a value"),
    ("contact", ["attributes", "a"], {"kind": "whole", "value": "5"}, "attributes.a: must be a"),
    ("contact", ["attributes", "a"], {"kind": "whole", "value": "9" * 5000}, "attributes.a: must"),
    ("contact", ["attributes", "a"], {"kind": "decimal", "value": "NaN"}, "attributes.a: must be"),
    ("contact", ["attributes", "a"], [[[[[[[[[]]]]]]]]], "attributes.a: must be a value"),
    ("contact", ["attributes", "a"], "\ud800", "attributes.a: must be a value"),
    ("contact", ["next_step"], {"due": None}, "next_step: lacks 'what'"),
    ("contact", ["next_step"], [], "next_step: must be an object"),
    ("contact", ["colour"], 5, "the document: has the unknown 'colour'; known: id, version,"),
    ("deal", ["amount"], {"amount": "1"}, "amount: lacks 'currency'"),
    ("deal", ["amount"], "5 EUR", "amount: must be an object"),
    ("deal", ["outcome"], None, "outcome: must be an outcome, one of open, won, lost (got None)"),
    ("denial", ["actual"], {"kind": "set", "value": [1, 1]}, "actual: must be a value as of an"),
    ("denial", ["actual"], {"kind": "set", "value": [[[[[[[[[1]]]]]]]]]}, "actual: must be a"),
    ("denial", ["expected"], {"kind": "duration", "value": "5.0"}, "expected: must be a value"),
    ("denial", ["expected"], {"kind": "duration", "value": "0.0000001"}, "expected: must be a"),
    ("denial", ["expected"], {"kind": "duration", "value": "1e5"}, "expected: must be a value"),
    ("denial", ["expected"], {"kind": "duration", "value": 10**18}, "expected: must be a value"),
    ("denial", ["expected"], {"kind": "condition", "value": {"op": "x"}}, "expected: must be a"),
    ("denial", ["code"], "", "code: must be a code"),
    ("override", ["why"], "", "why: must be text that is not empty"),
    ("stage", ["rot_after"], 0, "the document: datetime.timedelta(0) is not more than nothing"),
    ("stage", ["rot_after"], 0.5, 'rot_after: must be seconds, a whole number or as "0.5"'),
    ("stage", ["journey"], "far", "journey: must be a journey, one of prospecting,"),
    ("pipeline", ["stages"], [], "the document: no stage is open"),
    ("pipeline", ["stages", 0, "parked"], "no", "stages[0].parked: must be true or false"),
    ("pipeline", ["former"], {"old": 5}, "former: must be an object of text"),
    ("pipeline", ["former"], ["old"], "former: must be an object of text"),
    ("pipeline", ["rulebook", "course"], "up", "rulebook.course: unknown course: 'up'"),
    ("pipeline", ["rulebook"], None, "rulebook: must be an object (got None)"),
    ("status_scheme", ["active_in"], ["lead", "lead"], "active_in[1]: is there twice"),
    ("status_scheme", ["statuses", 0, "kind"], "x", "statuses[0].kind: must be a status kind, one"),
    ("status_scheme", ["statuses", 0, "kind"], "working", "the document: exactly one status must"),
    ("trigger_set", ["triggers"], [], "the document: there is no trigger in it"),
    ("trigger", ["while_in"], [], "the document: 'while_in' names no stage"),
    ("visit", ["number"], 0, "number: must be a whole number from 1"),
    ("attributes", ["attributes"], None, "attributes: must be an object (got None)"),
    ("attributes", ["other"], {}, "the document: has the unknown 'other'; known: attributes"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "place", "new", "fault"), REFUSED)
def test_a_fault_is_named(kind, place, new, fault):
    found = refused(change(VALUES[kind], place, new), type(VALUES[kind]))
    assert found[0].startswith(fault), found
    assert len(found) == 1 or kind == "pipeline"


VOIDED = happenings.Voided(**SIGNED, voids=("crm", "e-1"), why="x")


@pytest.mark.parametrize("pair", [[], ["a"], ["a", 0], ["a", True], [5, "a"], "ab", ["a", "b", 1]])
def test_an_identity_is_a_pair(pair):
    (fault,) = refused(document(VOIDED, voids=pair), Event)
    assert fault.startswith('voids: must be a pair as ["crm", "e-1"] or ["d-1", 4] (got ')


def test_a_fault_of_the_field_that_is_set_is_named():
    event = document(FieldSet(**SIGNED, field="sale_type", value=None))
    assert refused(event | {"value": "gift"}, Event) == (
        "value: must be a sale type, one of new_business, renewal, upsell, cross_sell (got 'gift')",
    )
    for field in ("attributes.", "amount", "", "id"):
        (fault,) = refused(event | {"field": field}, Event)
        assert fault.startswith("field: must be one of name, email, company, account, source,")
    assert refused(event | {"field": 5}, Event) == (
        "field: must be text of whole characters (got 5)",
    )
    attribute = event | {"field": "attributes.a", "value": 0.5}
    assert refused(attribute, Event)[0].startswith("value: must be a value: text, a whole number")
    del event["value"]
    assert refused(event, Event) == ("the document: lacks 'value'",)


def test_only_so_many_faults_are_told():
    data = document(VALUES["deal_history"], events=[5] * 100_000)
    faults = refused(data, DealHistory)
    assert len(faults) == 1001
    assert faults[-1] == "the document: may have more"


# JSON itself, and versions

NOTES = dump(attrs.evolve(CONTACT, attributes=Attributes({"a": 5})))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the document: is no JSON: Expecting value"),
        ("[]", "the document: must be an object (got [])"),
        ("{}", "format: must be 'salespipeline.contact' (got None)"),
        (dump(DEAL), "format: must be 'salespipeline.contact' (got 'salespipeline.deal')"),
        (NOTES.replace('"a":5', '"a":5,"a":5'), "attributes: has a name twice"),
        (NOTES.replace('"a":5', '"a":5.0'), "attributes.a: must be a value"),
        (NOTES.replace('"a":5', '"a":NaN'), "attributes.a: must be a value"),
        (NOTES.replace('"a":5', f'"a":{"9" * 5000}'), "attributes.a: must be a value"),
        (NOTES.replace('"a":5', f'"a":{"[" * 900}{"]" * 900}'), "attributes.a: must be a value"),
        (NOTES.replace('"a":5', f'"a":{"[" * 200_000}'), "the document: is nested too deeply"),
        (NOTES.replace("Zoë", "Zo\ud800"), "name: must be text of whole characters"),
        (NOTES.replace("Zoë", "Zo\\ud800"), "name: must be text of whole characters"),
        (NOTES.replace('_version":1', '_version":true'), "format_version: must be a whole number"),
        (NOTES.replace('_version":1', '_version":2'), "format_version: is 2, and 1 is the newest"),
        (NOTES.replace('_version":1', '_version":0'), "format_version: is 0, which no upcaster"),
        ("[" * 1_000_000, "the document: is nested too deeply"),
        ('"' + "x" * 50_000_000, "the document: has more than 50,000,000 characters"),
    ],
)
def test_a_text_that_is_no_such_document_is_refused(text, fault):
    (found,) = refused(text, Contact)
    assert found.startswith(fault)
    collected = load_lines([text or "{"], Contact, on_fault="collect")
    assert list(collected) == []
    assert collected.refused == 1


def test_escapes_and_white_space_count_for_nothing():
    for value in (CONTACT, DEAL, STORY[0], ODD):
        for indent in (None, 1):
            spelt = json.dumps(document(value), indent=indent, ensure_ascii=True)
            assert load(spelt, type(value)) == value


def test_exact_values_may_be_written_in_other_ways():
    for amount in ("12.5", "12.500", "12.50"):
        assert load(json.dumps(document(VALUES["money"], amount=amount)), Money) == VALUES["money"]
    data = document(
        VALUES["period"], end="2026-03-02T00:00:00.000001Z", start="2026-03-01T00:00:00.0Z"
    )
    assert load(json.dumps(data), Period) == VALUES["period"]


def test_an_older_document_is_lifted():
    older = {**document(DEAL, format_version=-1), "label": "Roof"}
    del older["title"]

    def titled(data):
        return {("title" if name == "label" else name): each for name, each in data.items()}

    steps = {-1: titled, 0: dict}
    assert load(json.dumps(older), Deal, upcasters=steps) == DEAL
    assert list(load_lines([json.dumps(older)], Deal, upcasters=steps)) == [DEAL]
    strange = {0: lambda data: {**data, 5: {6}, "title": {7}, "attributes": {8: object()}}}
    found = refused(document(DEAL, format_version=0), Deal, upcasters=strange)
    assert found[0].startswith("the document: has the unknown 5; known: id")
    assert len(found) == 3


# What cannot be written


def test_every_place_that_cannot_be_written_is_named():
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - it is refused
    event = Opened(
        record="", sequence=0, at=naive, by=5, pipeline="\ud800", stage="s",
        amount="5 EUR", contacts=["c-1"], term=DEAL, expected_close=at(1),
        attributes={"a": 1}, sale_type="gift", ruling=attrs.evolve(RULING, overridden=(5,)),
    )  # fmt: skip
    with pytest.raises(InvalidValueError) as caught:
        dump(event)
    assert caught.value.subject == "event"
    assert [fault.partition(" (got")[0] for fault in caught.value.faults] == [
        "record: must be text that is not empty",
        "sequence: must be a whole number from 1 to 2^53 - 1",
        'at: must be an instant as "2026-03-01T09:00:00Z"',
        "by: must be text of whole characters",
        "pipeline: must be text of whole characters",
        "amount: must be money",
        "contacts: must be a tuple",
        "sale_type: must be a sale type, one of new_business, renewal, upsell, cross_sell",
        'expected_close: must be a date as "2026-03-01"',
        "term: must be a term",
        "attributes: must be Attributes",
        "ruling.overridden[0]: must be a denial",
    ]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (attrs.evolve(CONTACT, approvals={"a"}), "approvals: must be a frozenset"),
        (attrs.evolve(CONTACT, approvals=frozenset({5})), "approvals[0]: must be text"),
        (attrs.evolve(CONTACT, version=2**53), "version: must be a whole number"),
        (Attributes({"half \udfff": 1}), "the name attributes['half \\udfff']: must be text"),
        (Attributes({"a": "\ud800"}), "attributes['a']: must be a value"),
        (Attributes({"a": ("\ud800",)}), "attributes['a']: must be a value"),
        (Attributes({"a": 10**2000}), "attributes['a']: must be a value"),
        (Attributes({"a": Decimal("1" * 1200)}), "attributes['a']: must be a value"),
        (Attributes({"a": 10**6000}), "attributes['a']: must be a value"),
        (FieldSet(**SIGNED, field="colour", value=1), "field: must be one of name, email"),
        (FieldSet(**SIGNED, field=5, value=1), "field: must be text"),
        (FieldSet(**SIGNED, field="name", value=1), "value: must be text"),
        (FieldSet(**SIGNED | {"by": 5}, field="name", value=None), "by: must be text"),
        (FieldSet(**SIGNED, field="attributes.a", value=Decimal("NaN")), "value: must be a value"),
        (attrs.evolve(CONTACT, attributes={}), "attributes: must be Attributes"),
        (attrs.evolve(DEAL, next_step="call"), "next_step: must be a next step (got 'call')"),
        (with_strange(RULED.stages[0], rot_after=9), "rot_after: must be seconds"),
        (FieldSet(**SIGNED, field="attributes.a", value=[object()]), "value: must be a value"),
        (happenings.Voided(**SIGNED, voids=["a", "b"], why=""), "voids: must be a pair"),
        (happenings.Voided(**SIGNED, voids=("a", 0), why=""), "voids: must be a pair"),
        (ProbabilitySet(**SIGNED, probability=Decimal(2)), "probability: must be a probability"),
        (ProbabilitySet(**SIGNED, probability=0.5), "probability: must be a probability"),
        (Interval(float("nan"), None, 0.5, ""), "low: must be a number"),
        (Interval(True, None, 0.5, ""), "low: must be a number"),
        (Decision(object(), "a", Result.ALLOWED), "source: must be a value as of an attribute"),
        (Denial("x", "", "", {"a": 1}, frozenset({object()}), ""), "actual: must be a value as of"),
        (attrs.evolve(STANDARD_STATUSES.statuses[0], parked=1), "parked: must be true or false"),
        (attrs.evolve(RULED, source="\ud800"), "source: must be text of whole characters"),
        (Merged(**SIGNED, other="x", creation=HAPPENED["Won"]), "creation: must be a creation"),
        (Visit("a", None, at(1), date(2026, 1, 1)), "left: must be an instant"),
        (attrs.evolve(RULED.stages[0], meaning=timedelta(1)), "meaning: must be text"),
        (Rulebook.free("half \ud800", ["a"]), "name: must be text of at most 1,000 whole"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(value, fault):
    with pytest.raises(InvalidValueError) as caught:
        dump(value)
    assert caught.value.faults[0].startswith(fault), caught.value.faults
    with pytest.raises(InvalidValueError, match="value 2: ") as caught:
        list(dump_lines([CONTACT, value]))


def test_a_rulebook_that_no_document_holds_is_named_where_it_stands():
    odd = Pipeline("p", [Stage("talk \ud800")])
    with pytest.raises(InvalidValueError) as caught:
        dump(odd)
    places = [fault.split(":")[0] for fault in caught.value.faults]
    assert places == ["stages[0].key", "stages[0].name", "rulebook.states[0]"]
    other = attrs.evolve(STANDARD_STATUSES)
    object.__setattr__(other, "rulebook", "none")
    with pytest.raises(InvalidValueError, match="rulebook: must be a rulebook"):
        dump(other)


def test_what_takes_too_long_to_be_read_back_is_not_written():
    stages = [Stage(str(n), meaning="x" * 4000) for n in range(600)]
    with pytest.raises(InvalidValueError, match="the value: takes more than 2,000,000 characters"):
        dump(Pipeline("long", stages))


# Lines


def test_each_line_stands_alone():
    values = [CONTACT, *STORY, VALUES["deal_history"], Money(1, "EUR")]
    lines = list(dump_lines(iter(values)))
    assert lines == [f"{dump(value)}\n" for value in values]
    assert list(load_lines(lines[5:0:-1], DealEvent)) == STORY[::-1]
    mixed = load_lines(io.StringIO("".join(lines)), Contact | DealEvent | DealHistory | Money)
    assert list(mixed) == values
    assert (mixed.used, mixed.refused, mixed.problems) == (8, 0, ())


def test_lines_are_written_and_read_as_they_are_asked_for():
    taken = []

    def contacts():
        for n in itertools.count(1):
            taken.append(n)
            yield attrs.evolve(CONTACT, version=n)

    read = load_lines(dump_lines(contacts()), Contact)
    assert [each.version for each in itertools.islice(read, 3)] == [1, 2, 3]
    assert taken == [1, 2, 3]
    assert read.used == 3


def test_blank_lines_are_passed_over_and_counted():
    line = dump(Money(1, "EUR"))
    read = load_lines(["\n", "", f"{line}\r\n", " \t\n", "x"], Money, on_fault="collect")
    assert list(read) == [Money(1, "EUR")]
    assert [each.line for each in read.problems] == [5]


def test_the_first_fault_stops_and_names_its_line():
    good, bad = dump(CONTACT), json.dumps(document(CONTACT, id="", version=0))
    read = load_lines([good, bad, good], Contact)
    assert next(read) == CONTACT
    with pytest.raises(InvalidValueError) as caught:
        next(read)
    assert caught.value.subject == "contact"
    assert caught.value.faults == (
        "line 2: id: must be text that is not empty (got '')",
        "line 2: version: must be a whole number from 1 to 2^53 - 1 (got 0)",
    )


def test_faults_are_collected_if_asked_for():
    good, bad = dump(CONTACT), json.dumps(document(CONTACT, id=""))
    read = load_lines([good, bad, "{", good], Contact, on_fault="collect")
    assert list(read) == [CONTACT, CONTACT]
    assert (read.used, read.refused) == (2, 2)
    first, second = read.problems
    assert first == LineProblem(2, ("id: must be text that is not empty (got '')",))
    assert second.line == 3
    check_value(first, LineProblem(2, first.faults), LineProblem(3, first.faults), second)


def test_a_stream_of_faults_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(lines_module, "MOST_KEPT", 5)
    bad = json.dumps(document(CONTACT, id="", version=0))
    read = load_lines([bad] * 10, Contact, on_fault="collect")
    assert list(read) == []
    assert read.refused == 10
    assert [each.line for each in read.problems] == [1, 2, 3]


def test_lines_are_several_texts():
    check_door(lambda lines: load_lines(lines, Contact), takes=_is_iterable)
    check_door(dump_lines, takes=_is_iterable)
    with pytest.raises(WrongTypeError, match="'line 2' must be text"):
        list(load_lines(["", b"{}"], Contact, on_fault="collect"))
    with pytest.raises(WrongTypeError, match="'value' must be of a type that documents hold"):
        list(dump_lines([5]))


def _is_iterable(value):
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes | type)


def test_there_are_two_ways_with_a_fault():
    check_door(lambda given: load_lines([], Contact, on_fault=given))
    with pytest.raises(UnknownKeyError, match="unknown on_fault: 'skip'; known: 'stop', 'collect'"):
        load_lines([], Contact, on_fault="skip")


# Schemas

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_the_shipped_schema_is_what_the_types_say(kind):
    shipped = SHIPPED.joinpath(f"{kind}-1.json").read_text(encoding="utf-8")
    assert shipped == written(record_schema(kind)), "python tests/test_interchange_records.py"
    assert schema(kind) == json.loads(shipped)


def validator(kind):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    return jsonschema.Draft202012Validator(schema(kind))


@every_value
def test_every_document_is_one_by_its_schema(value):
    assert list(validator(TYPES[type(value)]).iter_errors(document(value))) == []


def test_every_event_is_one_by_its_schema():
    asked = validator("event")
    for event in (*HAPPENED.values(), *STORY, *SOMEBODY):
        assert asked.is_valid(document(event)), event


def refused_by_shape():
    """The changes that a schema can tell: all but those of meaning."""
    meant = (
        "the document: '",
        "the document: the ",
        "the document: no stage",
        "the document: date",
    )
    meant += ("the document: exactly", "the document: there", "rulebook.course")
    strange = {"\ud800", "2026-02-30"}
    for kind, place, new, fault in REFUSED:
        dated = isinstance(new, str) and (new in strange or new.startswith("0000-"))
        half = "\\ud" in json.dumps([place, new])
        far = new == "1e999" or "[[[[[[[[" in json.dumps(new)
        if not (fault.startswith(meant) or dated or half or far):
            yield kind, place, new


@pytest.mark.parametrize(("kind", "place", "new"), list(refused_by_shape()))
def test_a_schema_refuses_the_shapes_that_reading_refuses(kind, place, new):
    assert not validator(kind).is_valid(change(VALUES[kind], place, new))


def test_a_schema_names_the_values_that_are_left_out():
    properties = schema("contact")["properties"]
    assert properties["opted_out"] == {"type": "boolean", "default": False}
    assert properties["approvals"]["default"] == []
    assert schema("contact")["required"] == [
        "format", "format_version", "id", "version", "changed_at", "created_at",
    ]  # fmt: skip
    assert schema("event")["$defs"]["opened"]["properties"]["start"]["default"] == "exact"


# Documents that must read for ever


def golden(name):
    return (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", sorted(set(VALUES) - {"rulebook"}))
def test_a_document_of_version_one_reads_for_ever(kind):
    text = golden(f"{kind}.json")
    assert load(text, type(VALUES[kind])) == VALUES[kind]
    assert dump(VALUES[kind]) == text.rstrip("\n")


def test_events_of_version_one_read_for_ever():
    lines = golden("events.jsonl").split("\n")[:-1]
    assert list(load_lines(lines, Event)) == list(HAPPENED.values())
    assert [dump(each) for each in HAPPENED.values()] == lines


# What it costs those who do not ask


def test_importing_the_package_imports_no_documents():
    asked = "import salespipeline, sys; print([m for m in sys.modules if 'interchange' in m])"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_figure_can_be_kept_with_its_interval():
    interval = wilson(81, 263)
    assert load(dump(interval), Interval) == interval


if __name__ == "__main__":
    for name in KINDS:
        Path(str(SHIPPED.joinpath(f"{name}-1.json"))).write_text(
            written(record_schema(name)), encoding="utf-8"
        )
