import pickle
from datetime import timedelta

import attrs
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import (
    ORDERLY,
    START,
    asking_moments,
    contact_runs,
    deal_runs,
    read_contacts,
    read_deals,
)
from salespipeline._courses import course
from salespipeline.events import Merged, Origin, Start, Voided
from salespipeline.history import ContactHistory, DealHistory, Reading

LONG_AFTER = START + timedelta(days=4000)
NOW = Reading.AS_KNOWN_NOW
RECORDS = ("r-2", "r-1", "r-3")
BEFORE = {"record", "sequence", "origin", "stage_left", "pipeline_left", "status_left"}

commanded = {
    ContactHistory: contact_runs().map(lambda run: ContactHistory(run[0])),
    DealHistory: deal_runs().map(lambda run: DealHistory(run[0])),
}
read = {ContactHistory: read_contacts, DealHistory: read_deals}


def named(record, identity):
    """An identity as that of another record has it."""
    first, second = identity
    return (first, f"{record}.{second}") if first == "crm" else (record, second)


def of_record(record, history):
    """A history as that of another record."""
    return type(history)(
        attrs.evolve(
            event,
            record=record,
            original_id=event.original_id and f"{record}.{event.original_id}",
            **({"voids": named(record, event.voids)} if type(event) is Voided else {}),
        )
        for event in history.events
    )


def truncated(history, lost):
    """A copy of a history as of a system that lost its first events after the creation."""
    creation, kept = history.events[0], history.events[1 + lost :]
    last = max(event.at for event in history.events[: 1 + lost])
    seen = max(last, creation.observed_from or last)
    begun = attrs.evolve(
        creation, at=last, start=Start.BY_THEN, observed_from=seen, system=None, original_id=None
    )
    moved = (attrs.evolve(event, sequence=n) for n, event in enumerate(kept, 2))
    return type(history)([begun, *moved])


def kinds():
    return st.sampled_from([ContactHistory, DealHistory])


@st.composite
def apart(draw, kind=None, **only):
    """Histories of several records of one kind."""
    chosen = kind or draw(kinds())
    one = read[chosen](**only) | commanded[chosen] if not only else read[chosen](**only)
    number = draw(st.integers(2, len(RECORDS)))
    return [of_record(record, draw(one)) for record in RECORDS[:number]]


@st.composite
def grown(draw, histories):
    """Some of these merged, and more happened since, or was dated back."""
    some = draw(st.lists(st.sampled_from(histories), min_size=1))
    whole = some[0].merge(*some[1:])
    at = draw(st.sampled_from([START, max(event.at for event in whole.events), LONG_AFTER]))
    for mistake in draw(st.lists(st.sampled_from(whole.events), max_size=2)):
        sequence = len(whole.events) + 1
        void = Voided(
            record=whole.record, sequence=sequence, at=at, voids=mistake.identity, why="a slip"
        )
        whole = whole.append(void)
    return whole


@st.composite
def pieces(draw):
    """Histories that belong together: of records, of copies cut short, of some merged already."""
    histories = draw(apart(named=draw(st.booleans())) | apart())
    cut = [
        truncated(history, draw(st.integers(0, len(history.events) - 1)))
        for history in histories
        if all(event.original_id for event in history.events[1:])
    ]
    return [*histories, *cut, draw(grown(histories))]


@st.composite
def three(draw):
    """Three of several histories that belong together; one may be there twice."""
    several = draw(pieces())
    return [draw(st.sampled_from(several)) for _ in range(3)]


def facts(event):
    """What an event says, wherever it stands."""
    begun = event.creation if type(event) is Merged else None
    said = begun or event
    return type(said), {
        name: getattr(said, name) for name in attrs.fields_dict(type(said)) if name not in BEFORE
    }


def whence(event):
    return event.origin or Origin(event.record, event.sequence, event.at)


def replayed(history, at):
    """All that is read of a history, which must not fail."""
    record = history.as_of(at), history.as_of(at, reading=NOW), history.latest
    return record, history.visits(at), history.visits(at, reading=NOW)


# A merge is a union


@given(three())
def test_merging_is_commutative(histories):
    a, b, _ = histories
    assert a.merge(b) == b.merge(a)


@given(three())
def test_merging_is_associative(histories):
    a, b, c = histories
    assert a.merge(b).merge(c) == a.merge(b.merge(c)) == a.merge(b, c)


@given(three())
def test_merging_again_changes_nothing(histories):
    a, b, _ = histories
    both = a.merge(b)
    assert a.merge(a) == a.merge() == a
    assert both.merge(b) == both.merge(a) == both.merge(both) == both


@given(st.data(), pieces())
def test_any_order_and_grouping_comes_to_the_same(data, histories):
    whole = histories[0].merge(*histories[1:])
    first, *others = data.draw(st.permutations(histories))
    number = data.draw(st.integers(0, len(others)))
    assert first.merge(*others[:number]).merge(*others[number:]) == whole
    for other in others:
        first = first.merge(other)
    assert first == whole


# Nothing is lost


@given(apart())
def test_every_event_of_every_record_is_there_once(histories):
    whole = histories[0].merge(*histories[1:])
    events = [event for history in histories for event in history.events]
    assert len(whole.events) == len(events)
    assert {event.identity: facts(event) for event in whole.events} == {
        event.identity: facts(event) for event in events
    }


@given(apart())
def test_every_event_says_where_it_stood(histories):
    whole = histories[0].merge(*histories[1:])
    places = [(event.record, event.sequence) for each in histories for event in each.events]
    said = [(whence(event).record, whence(event).sequence) for event in whole.events]
    assert sorted(said) == sorted(places)
    assert sorted(whole.merged_ids) == sorted(history.record for history in histories)


@given(apart())
def test_the_record_is_the_one_that_began_first(histories):
    whole = histories[0].merge(*histories[1:])
    first = min(histories, key=lambda each: (each.events[0].at, each.record))
    assert whole.record == first.record
    assert whole.events[0] == first.events[0]


@given(pieces())
def test_a_merged_history_numbers_its_events_and_can_be_pickled(histories):
    whole = histories[0].merge(*histories[1:])
    assert [event.sequence for event in whole.events] == list(range(1, len(whole.events) + 1))
    assert {event.record for event in whole.events} == {whole.record}
    assert pickle.loads(pickle.dumps(whole)) == whole  # noqa: S301 - our own bytes
    assert len({event.identity for event in whole.events}) == len(whole.events)


# Order


@given(apart())
def test_the_events_of_each_record_keep_their_order(histories):
    whole = histories[0].merge(*histories[1:])
    for history in histories:
        places = [
            whence(event).sequence
            for event in whole.events
            if whence(event).record == history.record
        ]
        assert places == list(range(1, len(history.events) + 1))


@given(apart(**ORDERLY))
def test_instants_that_never_run_backwards_apart_do_not_together(histories):
    whole = histories[0].merge(*histories[1:])
    instants = [event.at for event in whole.events]
    assert instants == sorted(instants)
    assert whole.settled_at == max(history.settled_at for history in histories)


@given(pieces())
def test_what_happens_after_a_merge_stays_after_it(histories):
    whole = histories[0].merge(*histories[1:])
    last = max(event.at for event in whole.events)
    void = Voided(
        record=whole.record, sequence=len(whole.events) + 1, at=last, voids=("x", 1), why="a slip"
    )
    longer = whole.append(void)
    assert longer.merge(*histories) == longer


# Copies of one record


@given(st.data())
def test_a_copy_cut_short_adds_nothing_to_the_whole_one(data):
    kind = data.draw(kinds())
    history = data.draw(read[kind](named=True))
    copy = truncated(history, data.draw(st.integers(0, len(history.events) - 1)))
    assert history.merge(copy) == copy.merge(history) == history


@given(st.data())
def test_a_history_and_an_earlier_state_of_it_are_the_history(data):
    history = data.draw(data.draw(st.sampled_from(list(read.values())))())
    number = data.draw(st.integers(1, len(history.events)))
    assert type(history)(history.events[:number]).merge(history) == history


@given(st.data())
def test_two_copies_cut_short_are_the_fuller_one(data):
    history = data.draw(read[data.draw(kinds())](named=True, **ORDERLY))
    most = len(history.events) - 1
    less, more = sorted(data.draw(st.tuples(st.integers(0, most), st.integers(0, most))))
    full = truncated(history, less)
    assert full.merge(truncated(history, more)) == full


# What it comes to


@given(pieces(), asking_moments())
def test_a_merged_history_is_read_like_any_other(histories, at):
    whole = histories[0].merge(*histories[1:])
    record, visits, _ = replayed(whole, at)
    if record[0] is not None:
        assert record[0].id == whole.record
    assert all(visit.left is not None for visit in visits[:-1])


@given(apart(ContactHistory, **ORDERLY))
def test_the_lifecycle_stage_is_the_furthest(histories):
    whole = histories[0].merge(*histories[1:])
    stages = [history.latest.lifecycle_stage for history in histories]
    furthest = max(stages, key=lambda stage: -1 if stage is None else stage.rank)
    assert whole.latest.lifecycle_stage is furthest


@given(apart(ContactHistory, **ORDERLY))
def test_the_visits_of_a_merged_contact_end_where_it_stands(histories):
    whole = histories[0].merge(*histories[1:])
    stands, at = whole.latest, LONG_AFTER
    stages, statuses = whole.visits(at)[-1:], whole.status_visits(at)
    reached = stands.lifecycle_stage
    assert [(each.state, each.entered) for each in stages] == (
        [] if reached is None else [(reached.value, stands.stage_since)]
    )
    still = [(each.state, each.entered) for each in statuses if each.is_open]
    held = stands.lead_status is not None
    assert still == ([(stands.lead_status, stands.status_since)] if held else [])


@given(apart(DealHistory, **ORDERLY))
def test_what_is_counted_of_a_merged_deal_is_how_it_stands(histories):
    whole = histories[0].merge(*histories[1:])
    stands, counted = whole.latest, whole.whole_course
    assert counted == course(whole.known(LONG_AFTER))
    assert (counted.outcome, counted.amount) == (stands.outcome, stands.amount)
    assert counted.stays[-1][0].stage == (stands.pipeline, stands.stage)
    last = whole.visits(LONG_AFTER)[-1]
    assert (last.pipeline, last.state, last.entered) == (
        stands.pipeline, stands.stage, stands.stage_since
    )  # fmt: skip


@given(apart(**ORDERLY), asking_moments())
def test_until_a_second_record_begins_there_is_the_first_only(histories, at):
    first, second, *_ = sorted(histories, key=lambda each: (each.events[0].at, each.record))
    before = min(at, second.events[0].at - timedelta(hours=1))
    assert histories[0].merge(*histories[1:]).as_of(before) == first.as_of(before)


@given(st.data(), apart())
def test_voiding_and_merging_may_change_places(data, histories):
    a, b = histories[:2]
    mistake = data.draw(st.sampled_from(a.events)).identity

    def without(history):
        void = Voided(
            record=history.record, sequence=len(history.events) + 1, at=LONG_AFTER,
            voids=mistake, why="a slip",
        )  # fmt: skip
        return history.append(void)

    early, late = without(a).merge(b), without(a.merge(b))
    for at in (START + timedelta(days=60), LONG_AFTER):
        for reading in Reading:
            known = [
                [facts(each) for each in whole.known(at, reading=reading)]
                for whole in (early, late)
            ]
            assert known[0] == known[1]
    assert facts(early.events[-1]) == facts(late.events[-1])


@given(apart(**ORDERLY))
def test_a_record_whose_beginning_is_voided_leaves_the_others(histories):
    first, *others = sorted(histories, key=lambda each: (each.events[0].at, each.record))
    voids = [
        Voided(
            record=first.record, sequence=len(first.events) + number, at=LONG_AFTER,
            voids=event.identity, why="a copy",
        )
        for number, event in enumerate(reversed(first.events), 1)
    ]  # fmt: skip
    whole = type(first)([*first.events, *voids]).merge(*others)
    left = others[0].merge(*others[1:]).latest
    now = whole.latest
    own = {"id": now.id, "version": now.version, "changed_at": now.changed_at}
    assert now == attrs.evolve(left, **own)
