"""The store of the example in SQLite keeps every event as it was, and nobody's change is lost."""

import doctest
import importlib.util
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import get_args

import attrs
import pytest
from hypothesis import given

from record_strategies import (
    START,
    contact_runs,
    deal_runs,
    read_contact_events,
    read_deal_events,
)
from salespipeline import (
    SIX_STAGES,
    Attributes,
    Contact,
    ContactHistory,
    Deal,
    DealHistory,
    DeniedError,
    ForecastCategory,
    LifecycleStage,
    Money,
    Outcome,
    Override,
    ProbabilityBasis,
    SaleType,
    Start,
    Term,
)
from salespipeline.conditions import approved_by, at_least, present
from salespipeline.events import ContactEvent, DealEvent, Direction, FieldSet, Origin
from salespipeline.rules import Code, Denial, Grant, Rule, Ruling

FILE = Path(__file__).parent.parent / "examples" / "sqlite_store.py"


def loaded():
    spec = importlib.util.spec_from_file_location("sqlite_store", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = loaded()
ConflictError = example.ConflictError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sales.db"


@pytest.fixture
def store(file):
    with closing(example.Store(file)) as store:
        yield store


def after(days):
    return {"at": START + timedelta(days=days), "by": "ada"}


def opened(record="d-1"):
    return Deal.open(record, pipeline=SIX_STAGES, amount=Money(900, "EUR"), **after(0))


def kept(store, record="d-1"):
    """A deal that was opened, in the store."""
    deal, event = opened(record)
    store.save(None, deal, event)
    return deal


def rows(file, table):
    """All that a table holds, in an order of its own."""
    with closing(sqlite3.connect(file)) as database:
        return sorted(database.execute(f"SELECT * FROM {table}"))  # noqa: S608 - our own table


# The form of events

DENIAL = Denial(
    Code.NOT_MET.value, "large", "amount", Money(9, "EUR"), "'amount' must be more", "too small"
)
FACTS = {
    "record": "d-1",
    "sequence": 7,
    "at": datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC),
    "by": "ada",
    "role": "sales",
    "recorded_at": datetime(2026, 3, 2, tzinfo=UTC),
    "system": "crm",
    "original_id": "e-7",
    "origin": Origin("d-0", 3, datetime(2026, 3, 1, tzinfo=UTC)),
    "start": Start.BY_THEN,
    "observed_from": datetime(2026, 2, 1, tzinfo=UTC),
    "outcome": Outcome.WON,
    "lifecycle_stage": LifecycleStage.SQL,
    "lead_status": "new",
    "sale_type": SaleType.UPSELL,
    "expected_close": date(2026, 6, 30),
    "revisit_on": date(2026, 9, 1),
    "due": date(2026, 4, 1),
    "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
    "amount": Money("1234.50", "EUR"),
    "contacts": ("c-1", "c-2"),
    "term": Term(date(2026, 1, 1), date(2027, 1, 1), Money(1200, "JPY")),
    "direction": Direction.INBOUND,
    "voids": ("d-1", 3),
    "value": Money("0.05", "EUR"),
    "probability": Decimal("0.250"),
    "basis": ProbabilityBasis.MODEL,
    "category": ForecastCategory.COMMIT,
    "attributes": Attributes({"seats": 40, "Money": ["x", 1.5, True, None, date(2026, 1, 1)]}),
    "ruling": Ruling("book", 2, "f" * 64, (DENIAL,), Override("eve", "lead", "it is urgent")),
}
TYPES = sorted({*get_args(DealEvent), *get_args(ContactEvent)}, key=lambda each: each.__name__)


def full(kind):
    """An event with every field given, and none as it is by default."""
    facts = {
        field.name: FACTS.get(field.name, f"some {field.name}") for field in attrs.fields(kind)
    }
    if "stage" in facts and kind.__name__ == "LifecycleStageSet":
        facts |= {"stage": LifecycleStage.CUSTOMER, "stage_left": LifecycleStage.LEAD}
    return kind(**facts)


def through_text(value):
    return example.from_plain(json.loads(json.dumps(example.to_plain(value), allow_nan=False)))


def same(one, other):
    """Whether two values are equal and of the same types through and through."""
    return one == other and repr(one) == repr(other)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_an_event_that_says_all_it_can_is_read_back_as_it_was(kind):
    event = full(kind)
    for field in attrs.fields(kind):
        assert getattr(event, field.name) != field.default
    assert same(through_text(event), event)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_an_event_that_says_as_little_as_it_can_is_read_back_as_it_was(kind):
    facts = {
        field.name: FACTS.get(field.name, "x")
        if field.name in {"record", "sequence", "at"}
        else None
        for field in attrs.fields(kind)
        if field.default is attrs.NOTHING
    }
    event = kind(**facts)
    assert same(through_text(event), event)


@pytest.mark.parametrize(
    "value",
    [
        "text", "", "Zoë \x00 \ud800", 0, 2**70, -0.0, 0.1, True, False, None, Decimal("1.50"),
        Decimal("1E+3"), date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC), Money("0.05", "EUR"),
        Money(7, "JPY"), Money("-1.234", "BHD"), (), (1, ("a", (None,))), (("Money", 1),),
        FACTS["term"],
    ],
    ids=repr,
)  # fmt: skip
def test_every_value_that_a_field_may_hold_is_read_back_as_it_was(value):
    event = FieldSet(record="d-1", sequence=2, at=START, field="attributes.x", value=value)
    assert same(through_text(event), event)


@pytest.mark.parametrize("value", [object(), {"a": 1}, {1}, b"x", timedelta(1)], ids=repr)
def test_a_value_that_has_no_form_is_refused_before_anything_is_written(store, file, value):
    deal = kept(store)
    event = FieldSet(record="d-1", sequence=2, at=START, field="title", value=value)
    with pytest.raises(TypeError, match="there is no form for a"):
        store.save(deal, deal, event)
    assert len(rows(file, "events")) == 1


@given(read_deal_events() | read_contact_events())
def test_events_as_read_from_elsewhere_are_read_back_as_they_were(events):
    assert through_text(tuple(events)) == events


@given(deal_runs() | contact_runs())
def test_what_commands_give_is_read_back_as_it_was(run):
    events, snapshots = run
    assert same(through_text(events), events)
    assert same(through_text(snapshots), snapshots)


def test_the_text_names_what_json_cannot_tell():
    deal, event = opened()
    assert example.to_plain(event)["Opened"]["amount"] == {"Money": ["900.00", "EUR"]}
    assert example.to_plain(deal)["Deal"]["outcome"] == {"Outcome": "open"}
    assert "role" not in example.to_plain(event)["Opened"]


def test_an_event_that_was_overridden_says_by_whom_when_it_is_read_back(store):
    large = Rule("large", at_least("amount", Money(5000, "EUR")), targets=["proposal"])
    pipeline = SIX_STAGES.ruled(rules=[large], grants=[Grant("lead", ["large"])])
    deal = kept(store)
    over = Override("eve", "lead", "a test customer")
    moved, event = deal.move("proposal", pipeline=pipeline, override=over, **after(1))
    store.save(deal, moved, event)
    stored = store.deal_history("d-1").events[1]
    assert same(stored, event)
    assert stored.ruling.override == over
    assert stored.ruling.overridden[0].actual == Money(900, "EUR")


# Saving


def test_a_deal_is_found_as_it_was_saved_with_all_that_happened_to_it(store):
    deal = kept(store)
    moved, event = deal.move("meeting", pipeline=SIX_STAGES, **after(3))
    store.save(deal, moved, event)
    assert same(store.deal("d-1"), moved)
    history = store.deal_history("d-1")
    assert isinstance(history, DealHistory)
    assert history.events == (opened()[1], event)
    assert history.latest == moved


def test_a_contact_and_a_deal_of_one_id_are_two_records(store):
    contact, created = Contact.create("x-1", stage="lead", name="Zoë", **after(0))
    store.save(None, contact, created)
    deal = kept(store, "x-1")
    assert same(store.contact("x-1"), contact)
    assert same(store.deal("x-1"), deal)
    assert isinstance(store.contact_history("x-1"), ContactHistory)
    assert store.contact_history("x-1").events == (created,)


def test_a_record_that_was_never_saved_is_not_there(store):
    assert store.deal("d-1") is None
    assert store.contact("d-1") is None


def test_a_command_that_started_from_an_older_version_is_refused_and_writes_nothing(store, file):
    deal = kept(store)
    first, moved = deal.move("meeting", pipeline=SIX_STAGES, **after(1))
    store.save(deal, first, moved)
    before = rows(file, "events"), rows(file, "snapshots")
    second, won = deal.win(pipeline=SIX_STAGES, **after(2))
    with pytest.raises(ConflictError) as caught:
        store.save(deal, second, won)
    assert (caught.value.record, caught.value.expected, caught.value.found) == ("deal 'd-1'", 1, 2)
    assert str(caught.value) == (
        "deal 'd-1' is at version 2 by now, and the command started from version 1; read it again"
    )
    assert (rows(file, "events"), rows(file, "snapshots")) == before


def test_a_second_record_of_the_same_id_is_a_conflict(store):
    deal = kept(store)
    other, event = Deal.open("d-1", pipeline=SIX_STAGES, title="another", **after(5))
    with pytest.raises(ConflictError) as caught:
        store.save(None, other, event)
    assert (caught.value.expected, caught.value.found) == (0, 1)
    assert "as if it were new" in str(caught.value)
    assert store.deal("d-1") == deal


def test_a_change_of_a_record_that_is_not_in_the_store_is_a_conflict(store):
    deal, _ = opened()
    moved, event = deal.move("meeting", pipeline=SIX_STAGES, **after(1))
    with pytest.raises(ConflictError) as caught:
        store.save(deal, moved, event)
    assert (caught.value.expected, caught.value.found) == (1, None)
    assert "is not there" in str(caught.value)


def test_events_that_leave_one_out_are_refused(store, file):
    deal = kept(store)
    once, first = deal.move("meeting", pipeline=SIX_STAGES, **after(1))
    twice, second = once.move("proposal", pipeline=SIX_STAGES, **after(2))
    for events in [(second,), (second, first), (first, first), (opened()[1],)]:
        with pytest.raises(ValueError, match="do not follow version 1"):
            store.save(deal, twice, *events)
    assert len(rows(file, "events")) == 1
    store.save(deal, twice, first, second)
    assert store.deal("d-1") == store.deal_history("d-1").latest == twice


def test_nothing_in_place_of_nothing_is_refused(store):
    with pytest.raises(ValueError, match="do not follow version 0"):
        store.save(None, None, opened()[1])


def test_a_mistake_is_kept_with_what_voids_it(store):
    deal = kept(store)
    won, mistake = deal.win(pipeline=SIX_STAGES, **after(1))
    store.save(deal, won, mistake)
    history, voids = store.deal_history("d-1").void(2, why="another deal", **after(2))
    store.save(won, history.latest, *voids)
    assert store.deal("d-1").outcome is Outcome.OPEN
    assert store.deal_history("d-1") == history
    assert store.deal("d-1") == history.latest


def test_a_deleted_deal_is_not_there_and_its_history_is(store):
    deal = kept(store)
    gone, event = deal.delete(why="a test", **after(1))
    store.save(deal, gone, event)
    assert store.deal("d-1") is None
    assert len(store.deal_history("d-1").events) == 2
    with pytest.raises(ConflictError) as caught:
        store.save(None, *opened())
    assert caught.value.found == 2


def test_a_snapshot_is_not_saved_without_its_event(store, file):
    deal = kept(store)
    with closing(sqlite3.connect(file)) as other:
        other.execute("INSERT INTO events VALUES ('deal', 'd-1', 2, '', '{}')")
        other.commit()
    moved, event = deal.move("meeting", pipeline=SIX_STAGES, **after(1))
    with pytest.raises(sqlite3.IntegrityError):
        store.save(deal, moved, event)
    assert store.deal("d-1") == deal
    assert kept(store, "d-2") == store.deal("d-2")


@pytest.mark.parametrize("statement", ["UPDATE events SET body = ''", "DELETE FROM events"])
def test_no_event_can_be_changed_or_taken_away(store, file, statement):
    kept(store)
    before = rows(file, "events")
    with (
        closing(sqlite3.connect(file)) as other,
        pytest.raises(sqlite3.DatabaseError, match="never"),
    ):
        other.execute(statement)
    assert rows(file, "events") == before


@given(run=deal_runs())
def test_events_replayed_give_the_snapshot_however_a_deal_went(tmp_path_factory, run):
    events, snapshots = run
    file = tmp_path_factory.mktemp("run") / "sales.db"
    with closing(example.Store(file)) as store:
        for before, snapshot, event in zip((None, *snapshots), snapshots, events, strict=False):
            store.save(before, snapshot, event)
        assert store.deal_history("d-1").events == events
        assert store.deal("d-1") == store.deal_history("d-1").latest == snapshots[-1]


# Many at once


def at_once(count, work):
    """Run work in threads that start together; whatever each one raised, or None."""
    barrier, raised = Barrier(count, timeout=20), [None] * count

    def one(number):
        try:
            work(number, barrier)
        except Exception as why:  # noqa: BLE001 - each is looked at by the test
            raised[number] = why

    threads = [Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return raised


def test_of_several_who_read_the_same_version_exactly_one_saves(store, file):
    kept(store)

    def change(number, barrier):
        with closing(example.Store(file)) as own:
            deal = own.deal("d-1")
            changed, event = deal.change_owner(f"p-{number}", **after(1))
            barrier.wait()
            own.save(deal, changed, event)

    raised = at_once(6, change)
    conflicts = [why for why in raised if isinstance(why, ConflictError)]
    assert [why for why in raised if why is not None] == conflicts
    assert [(why.expected, why.found) for why in conflicts] == [(1, 2)] * 5
    assert store.deal("d-1").owner == f"p-{raised.index(None)}"
    assert len(rows(file, "events")) == 2


def test_whoever_decides_anew_after_each_conflict_gets_through_and_no_change_is_lost(store, file):
    kept(store)

    def change(number, barrier):
        def seat(deal):
            return deal.set_field(f"attributes.seat_{number}", number, **after(1))

        with closing(example.Store(file)) as own:
            barrier.wait()
            example.change_deal(own, "d-1", seat, tries=100)

    assert at_once(5, change) == [None] * 5
    deal = store.deal("d-1")
    assert deal.attributes == Attributes({f"seat_{number}": number for number in range(5)})
    assert [event.sequence for event in store.deal_history("d-1").events] == [1, 2, 3, 4, 5, 6]
    assert store.deal_history("d-1").latest == deal


def meddling(store):
    """A command that somebody else always outruns."""

    def command(deal):
        other, event = deal.set_field("title", f"after {deal.version}", **after(1))
        store.save(deal, other, event)
        return deal.change_owner("bob", **after(1))

    return command


def test_whoever_is_outrun_each_time_gives_up_with_the_last_conflict(store):
    kept(store)
    told = []
    with pytest.raises(ConflictError) as caught:
        example.change_deal(store, "d-1", meddling(store), tries=2, told=told.append)
    assert [(why.expected, why.found) for why in told] == [(1, 2), (2, 3)]
    assert caught.value is told[-1]
    assert store.deal("d-1").owner is None


def test_a_denial_is_not_tried_again(store):
    kept(store)
    asked = []

    def command(deal):
        asked.append(deal.version)
        rules = [Rule("checked", approved_by("legal")), Rule("owned", present("owner"))]
        return deal.move("meeting", pipeline=SIX_STAGES.ruled(rules=rules), **after(1))

    with pytest.raises(DeniedError) as caught:
        example.change_deal(store, "d-1", command)
    codes = [denial.code for denial in caught.value.decision.denials]
    assert codes == [Code.APPROVAL_NEEDED, Code.MISSING_FIELD]
    assert asked == [1]


def test_a_deal_that_is_not_there_cannot_be_changed(store):
    with pytest.raises(LookupError, match="there is no deal 'd-9'"):
        example.change_deal(store, "d-9", lambda deal: deal)


# The program


def told():
    """What the program prints."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and example
        [sys.executable, "-W", "error", str(FILE)],
        env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_program_tells_of_a_conflict_a_denial_and_a_history_that_agrees():
    story = told()
    assert max(map(len, story.splitlines())) <= 100
    assert re.findall(r"^(.+)\n-+$", story, flags=re.MULTILINE) == [
        "A deal is opened, and moved",
        "Two people change it at the same time",
        "What was kept",
        "Read back",
    ]
    in_turn = [
        "ada reads version 3",
        "bob reads version 3",
        "ada saves version 4: lost",
        "bob cannot save: deal 'd-7' is at version 4 by now",
        "bob reads version 4",
        "bob decides anew: cannot move deal 'd-7' from 'lost' to 'proposal': a lost deal stays",
        "bob saves version 5",
        "the 5 events, replayed, give the stored snapshot: True",
    ]
    flat = re.sub(r"\n +", " ", story)
    places = [flat.index(line) for line in in_turn]
    assert places == sorted(places)


def test_the_program_tells_the_same_each_time():
    assert told() == told()


def test_the_examples_of_its_docstrings_hold():
    assert doctest.testmod(example) == (0, 2)


def test_an_instant_of_another_zone_is_kept_as_the_instant_it_is(store):
    there = timezone(timedelta(hours=2))
    at = datetime(2026, 3, 1, 1, tzinfo=there)
    deal, event = Deal.open("d-1", at=at, by="ada", pipeline=SIX_STAGES)
    store.save(None, deal, event)
    assert store.deal("d-1").opened_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
