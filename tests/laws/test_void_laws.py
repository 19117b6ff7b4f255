from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import (
    START,
    asking_moments,
    contact_commands,
    contact_runs,
    deal_commands,
    deal_runs,
    read_contacts,
    read_deals,
    read_histories,
)
from salespipeline import metrics
from salespipeline.errors import SalesPipelineError
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Deleted,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    Reopened,
    Voided,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory, Reading
from salespipeline.lifecycle import RECYCLABLE_STATUSES, STANDARD_STATUSES
from salespipeline.rules import Code, DeniedError

SCHEMES = st.sampled_from([STANDARD_STATUSES, RECYCLABLE_STATUSES])
LONG_AFTER = START + timedelta(days=4000)
NOW = Reading.AS_KNOWN_NOW
MOVES = (Moved, Won, Lost, Reopened)


def in_use(history, scheme):
    """The keyword argument by which a contact's history is told its scheme."""
    return {"scheme": scheme} if isinstance(history, ContactHistory) else {}


def last_change(history):
    """When the last change that holds was, whatever there is of the record."""
    held = standing_events(history.events)
    changes = [event.at for event in held if type(event) is not ActivityRecorded]
    return max([history.events[0].at, *changes])


def standing_events(events):
    """The events that are not voided, found from the last to the first."""
    mistaken, standing = set(), []
    for event in reversed(events):
        if event.identity not in mistaken:
            standing.insert(0, event)
            mistaken |= {event.voids} if type(event) is Voided else set()
    return standing


def voided(history, identities):
    """Voids of identities after all that happened in a history, whatever depends on them."""
    return tuple(
        Voided(record=history.record, sequence=number, at=LONG_AFTER, voids=identity, why="no")
        for number, identity in enumerate(identities, len(history.events) + 1)
    )


# A plain model of what events say, written out once more


def untruths(events, scheme):
    """The events that say of the record before them what is not so, one after the other."""
    stage, status = None, None
    for event in events:
        kind = type(event)
        if kind is Opened:
            stage, status = (event.pipeline, event.stage), event.outcome
        elif kind is Created:
            stage, status = event.lifecycle_stage, event.lead_status
        elif kind in MOVES:
            open_already = kind is Reopened and status == "open"
            if (event.pipeline_left, event.stage_left) != stage or open_already:
                yield event
            outcomes = {Won: "won", Lost: "lost", Reopened: "open"}
            stage, status = (event.pipeline, event.stage), outcomes.get(kind, status)
        elif kind is LifecycleStageSet:
            kept = scheme.after(status, event.stage)
            if event.stage_left != stage or event.lead_status != kept:
                yield event
            stage = event.stage if stage is None else max(stage, event.stage)
            status = event.lead_status
        elif kind is LeadStatusSet:
            if event.status_left != status or stage not in scheme.active_in:
                yield event
            status = event.status


def depending(events, mistake, scheme):
    """What depends on an event of a record under commands, by leaving one after the other out."""
    left = [event for event in events if event is not mistake]
    if mistake.sequence == 1:
        return left
    gone = []
    while wrong := next(untruths(left, scheme), None):
        left.remove(wrong)
        gone.append(wrong)
    return gone


@st.composite
def corrected(draw, most=8):
    """A history under commands, voids and voids of voids among them, with its scheme."""
    scheme = draw(SCHEMES)
    run = draw(contact_runs(scheme, most=5) | deal_runs(most=5))
    kind = ContactHistory if type(run[0][0]) is Created else DealHistory
    commands = contact_commands(scheme) if kind is ContactHistory else deal_commands()
    history, at = kind(run[0]), run[0][-1].at
    for _ in range(draw(st.integers(1, most))):
        at += timedelta(hours=draw(st.integers(0, 100)))
        record = history.latest
        if record is None or draw(st.booleans()):
            number = draw(st.integers(1, len(history.events)))
            facts = in_use(history, scheme) | {"with_dependants": draw(st.booleans())}
            try:
                history, _ = history.void(number, at=at, by="eve", why="a mistake", **facts)
            except DeniedError:
                continue
        else:
            method, arguments, facts = draw(commands)
            try:
                _, event = getattr(record, method)(*arguments, at=at, by="ada", **facts)
            except SalesPipelineError:
                continue
            history = history.append(event)
    return history, scheme


@st.composite
def orderly(draw):
    """A history under commands, nothing of it voided, with its scheme."""
    scheme = draw(SCHEMES)
    events, _ = draw(contact_runs(scheme) | deal_runs())
    kind = ContactHistory if type(events[0]) is Created else DealHistory
    return kind(events), scheme


def dirty():
    """A history as read, with a scheme."""
    return st.tuples(read_histories(), SCHEMES)


def voiding(data, history, scheme, most=2):
    """Some events voided together with what depends on them, or None where that is denied."""
    numbers = st.integers(1, len(history.events))
    chosen = data.draw(st.lists(numbers, min_size=1, max_size=most, unique=True))
    at = max(event.at for event in history.events) + timedelta(hours=data.draw(st.integers(0, 50)))
    facts = {"with_dependants": True, **in_use(history, scheme)}
    if not history.decide_void(*chosen, at=at, **facts):
        return None
    longer, voids = history.void(*chosen, at=at, by="eve", why="a mistake", **facts)
    return chosen, longer, voids


def never_there(*histories):
    """Whether there is no record in any of them, as where one of two deletions is voided."""
    return not any(history.latest for history in histories)


def state(history):
    """The record as it stands, but for when and how often it changed."""
    record = history.latest
    return record and attrs.evolve(record, version=0, changed_at=START)


# What holds after voids is true


@given(corrected())
def test_after_whatever_voids_every_event_that_holds_tells_the_truth(found):
    history, scheme = found
    standing = standing_events(history.events)
    if type(standing[0]) is Voided:
        assert {type(event) for event in standing} == {Voided}
    else:
        assert list(untruths(standing, scheme)) == []


@given(orderly(), st.data())
def test_what_depends_on_an_event_is_what_would_be_untrue_without_it(found, data):
    history, scheme = found
    mistake = data.draw(st.sampled_from(history.events))
    expected = depending(history.events, mistake, scheme)
    decision = history.decide_void(mistake, **in_use(history, scheme))
    listed = {denial.code: denial.actual for denial in decision.denials}
    numbers = tuple(event.sequence for event in sorted(expected, key=lambda each: each.sequence))
    assert listed == ({Code.HAS_DEPENDANTS: numbers} if numbers else {})


@given(orderly() | corrected() | dirty(), st.data())
def test_after_voids_holds_what_would_without_the_mistakes_but_for_what_depends(found, data):
    history, scheme = found
    done = voiding(data, history, scheme)
    if done is None:
        return
    chosen, longer, voids = done
    count = len(history.events)
    meant = [history.events[number - 1].identity for number in chosen]
    held = {event.sequence for event in standing_events(history.events)}
    without = {
        event.sequence for event in standing_events(longer.events[:count] + voided(longer, meant))
    }
    depends = {
        event.sequence
        for event in history.events
        if event.identity in {void.voids for void in voids} - set(meant)
    }
    assert depends <= held & without
    assert {event.sequence for event in standing_events(longer.events)} - set(
        range(count + 1, len(longer.events) + 1)
    ) == {number for number in without if number <= count} - depends
    decision = history.decide_void(*chosen, **in_use(history, scheme))
    listed = [d.actual for d in decision.denials if d.code == Code.HAS_DEPENDANTS]
    assert listed == ([tuple(sorted(depends))] if depends else [])


# The form of voids


@given(orderly() | corrected() | dirty(), st.data())
def test_voids_go_from_last_to_first_and_those_asked_for_come_last(found, data):
    history, scheme = found
    done = voiding(data, history, scheme)
    if done is None:
        return
    chosen, longer, voids = done
    assert longer.events == (*history.events, *voids)
    assert {type(void) for void in voids} == {Voided}
    assert {(void.by, void.why) for void in voids} == {("eve", "a mistake")}
    numbers = {event.identity: event.sequence for event in history.events}
    voided = [numbers[void.voids] for void in voids]
    asked = sorted(chosen, reverse=True)
    assert voided[-len(asked) :] == asked
    others = voided[: -len(asked)]
    assert others == sorted(others, reverse=True)
    assert len(set(voided)) == len(voided)
    if longer.latest:
        assert longer.latest.version == len(longer.events)
        assert longer.latest.changed_at == voids[-1].at


# Deciding and doing


@given(orderly() | corrected() | dirty(), st.data(), st.booleans())
def test_events_are_voided_exactly_where_it_is_decided_so(found, data, with_dependants):
    history, scheme = found
    number = data.draw(st.integers(1, len(history.events)))
    at = last_change(history) + timedelta(hours=data.draw(st.integers(-50, 50)))
    facts = {"at": at, "with_dependants": with_dependants, **in_use(history, scheme)}
    decision = history.decide_void(number, **facts)
    before = history.events
    if decision:
        longer, voids = history.void(number, by="eve", why="a mistake", **facts)
        assert longer.events[: len(before)] == before
        assert voids[-1].voids == before[number - 1].identity
    else:
        with pytest.raises(DeniedError) as caught:
            history.void(number, by="eve", why="a mistake", **facts)
        assert caught.value.decision == decision
        assert caught.value.subject == f"{history.snapshot_type.kind} {history.record!r}"
    assert history.events == before
    assert bool(decision) == (decision.denials == ())


@given(orderly() | corrected() | dirty(), st.data(), st.integers(-50, 50))
def test_a_void_is_too_early_exactly_before_the_last_change_and_its_mistake(found, data, after):
    history, _ = found
    mistake = data.draw(st.sampled_from(history.events))
    earliest = max(last_change(history), mistake.at)
    if history.latest:
        assert earliest == max(history.latest.changed_at, mistake.at)
    decision = history.decide_void(mistake.sequence, at=earliest + timedelta(hours=after))
    early = [d.expected for d in decision.denials if d.code == Code.BEFORE_LAST_EVENT]
    assert early == ([earliest] if after < 0 else [])


@given(orderly() | corrected() | dirty(), st.data())
def test_an_event_may_be_voided_once_until_its_void_is_voided(found, data):
    history, scheme = found
    done = voiding(data, history, scheme, most=1)
    if done is None:
        return
    [number], longer, voids = done
    again = longer.decide_void(number, **in_use(history, scheme))
    already = [d for d in again.denials if d.code == Code.ALREADY_VOIDED]
    assert [denial.actual for denial in already] == [voids[-1].sequence]
    if never_there(history, longer):
        return
    undone, _ = longer.void(*voids, at=voids[-1].at, by="eve", why="no", **in_use(longer, scheme))
    codes = [denial.code for denial in undone.decide_void(number).denials]
    assert Code.ALREADY_VOIDED not in codes


@given(orderly() | corrected() | dirty(), st.data())
def test_of_a_record_that_is_not_there_only_what_brings_it_back_may_be_voided(found, data):
    history, scheme = found
    standing = standing_events(history.events)
    created = standing[0].sequence == 1
    deleted = any(type(event) is Deleted for event in standing)
    number = data.draw(st.integers(1, len(history.events)))
    decision = history.decide_void(number, with_dependants=True, **in_use(history, scheme))
    codes = {denial.code for denial in decision.denials}
    after = standing_events(history.events + voided(history, [history.events[number - 1].identity]))
    still = created and all(e in after for e in standing if type(e) is Deleted)
    assert (Code.DELETED in codes) == (deleted and still)
    never = not created and after[0].sequence != 1 and number != 1
    assert (Code.CREATION_VOIDED in codes) == never


# A void can be taken back


@given(orderly() | corrected() | dirty(), st.data())
def test_voiding_all_voids_of_one_command_gives_back_what_was(found, data):
    history, scheme = found
    done = voiding(data, history, scheme)
    if done is None:
        return
    _, longer, voids = done
    if never_there(history, longer):
        return
    facts = {"at": voids[-1].at, "by": "eve", "why": "it was none", **in_use(history, scheme)}
    undone, more = longer.void(*voids, **facts)
    assert len(more) == len(voids)
    assert state(undone) == state(history)
    again, _ = undone.void(*more, **facts)
    assert state(again) == state(longer)


# What was known then stays


@given(orderly() | corrected() | dirty(), st.data(), asking_moments())
def test_a_void_changes_nothing_as_known_before_its_own_instant(found, data, at):
    history, scheme = found
    done = voiding(data, history, scheme)
    if done is None:
        return
    _, longer, voids = done
    if at < voids[0].at:
        assert longer.known(at) == history.known(at)
        assert longer.standing(at) == history.standing(at)
        assert longer.as_of(at) == history.as_of(at)
        assert longer.visits(at) == history.visits(at)


@given(orderly() | corrected() | dirty(), st.data(), asking_moments())
def test_as_known_now_a_voided_event_never_was(found, data, at):
    history, scheme = found
    done = voiding(data, history, scheme)
    if done is None:
        return
    _, longer, voids = done
    known = [event for event in standing_events(longer.events) if event.at <= at]
    there = known if known and known[0].sequence == 1 else []
    assert list(longer.known(at, reading=NOW)) == there
    record = longer.as_of(at, reading=NOW)
    without = longer.snapshot_type.replay(there)
    last = [event.sequence for event in longer.events if event.at <= at][-1:]
    assert record == (without and attrs.evolve(without, version=last[0]))
    if at >= voids[-1].at:
        assert record == longer.as_of(LONG_AFTER)


FIGURES_OF_DEALS = (
    metrics.win_rate_closed,
    metrics.win_rate_created,
    metrics.average_deal_size,
    metrics.deals_by_stage,
    metrics.time_in_stage,
    metrics.cycle_length,
)
FIGURES_OF_CONTACTS = (metrics.contacts_by_lifecycle_stage, metrics.contacts_by_lead_status)


@given(
    st.lists(read_deals() | read_contacts(), min_size=1, max_size=3), st.data(), asking_moments()
)
def test_figures_as_of_before_the_voids_stay_as_they_are(histories, data, at):
    longer = []
    for history in histories:
        done = voiding(data, history, STANDARD_STATUSES)
        voids = done[2] if done else ()
        longer.append(done[1] if done and voids[0].at > at else history)
    for figures, kind in ((FIGURES_OF_DEALS, DealHistory), (FIGURES_OF_CONTACTS, ContactHistory)):
        before = [history for history in histories if isinstance(history, kind)]
        after = [history for history in longer if isinstance(history, kind)]
        for figure in figures:
            assert figure(after, as_of=at) == figure(before, as_of=at)
