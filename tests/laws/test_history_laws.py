from datetime import timedelta
from itertools import pairwise

import attrs
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import (
    ORDERLY,
    START,
    asking_moments,
    contact_happenings,
    contact_runs,
    deal_happenings,
    deal_runs,
    read_contact_events,
    read_contacts,
    read_deals,
    read_histories,
)
from salespipeline._courses import course
from salespipeline.contacts import Contact
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    Created,
    Deleted,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    Reopened,
    Voided,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory, Reading
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import Outcome

LONG_AFTER = START + timedelta(days=4000)
READINGS = st.sampled_from(Reading)
RUNS = contact_runs() | deal_runs()
UNDELETED = read_histories(voids=False, deletions=False)


def history_of(events):
    kind = ContactHistory if type(events[0]) is Created else DealHistory
    return kind(events)


def all_visits(history, as_of, **reading):
    """The visits to stages, and those of a contact to statuses."""
    logs = [history.visits(as_of, **reading)]
    if isinstance(history, ContactHistory):
        logs.append(history.status_visits(as_of, **reading))
    return logs


# Replaying


@given(UNDELETED, st.data())
def test_replaying_a_prefix_and_then_the_rest_is_replaying_all(history, data):
    kind, events = history.snapshot_type, history.events
    cut = data.draw(st.integers(0, len(events)))
    assert kind.replay(events[cut:], kind.replay(events[:cut])) == kind.replay(events)


@given(RUNS)
def test_the_snapshot_is_the_same_by_commands_and_by_history(run):
    events, snapshots = run
    for number, snapshot in enumerate(snapshots, 1):
        replayed = history_of(events[:number]).latest
        assert replayed == snapshot
        assert hash(replayed) == hash(snapshot)


@given(RUNS, asking_moments())
def test_the_snapshot_at_an_instant_is_the_one_that_the_commands_had_given_by_then(run, at):
    events, snapshots = run
    given_by_then = [
        snapshot for event, snapshot in zip(events, snapshots, strict=True) if event.at <= at
    ]
    assert history_of(events).as_of(at) == (given_by_then[-1] if given_by_then else None)


@given(UNDELETED)
def test_the_version_of_a_record_is_the_number_of_its_last_event(history):
    assert history.latest.version == len(history.events)


@given(UNDELETED)
def test_the_last_change_is_the_latest_instant_of_all_but_activities(history):
    instants = [event.at for event in history.events if type(event) is not ActivityRecorded]
    assert history.latest.changed_at == max(instants)


# What is known


def counted(history, at, reading):
    """The numbers of the events that hold, by the definitions and one event at a time."""
    events = history.events
    now = reading is Reading.AS_KNOWN_NOW
    happened = [event for event in events if event.at <= at]
    then = [event for event in happened if event.recorded_at is None or event.recorded_at <= at]

    def mistaken(event):
        voids = [each for each in (events if now else then) if type(each) is Voided]
        return any(
            void.voids == event.identity and not mistaken(void)
            for void in voids
            if void.sequence > event.sequence
        )

    held = [event.sequence for event in (happened if now else then) if not mistaken(event)]
    return held if held and held[0] == 1 else []


@given(read_histories(), asking_moments(), READINGS)
def test_an_event_holds_if_it_had_happened_was_recorded_and_is_not_voided(history, at, reading):
    known = history.known(at, reading=reading)
    assert [event.sequence for event in known] == counted(history, at, reading)
    assert all(event is history.events[event.sequence - 1] for event in known)


@given(read_histories(), READINGS)
def test_long_after_all_is_known_whatever_the_reading(history, reading):
    assert history.as_of(LONG_AFTER, reading=reading) == history.latest


@given(read_histories(late=False, voids=False), asking_moments())
def test_the_readings_agree_where_nothing_was_recorded_later_or_voided(history, at):
    assert history.known(at) == history.known(at, reading=Reading.AS_KNOWN_NOW)


@given(read_histories(), asking_moments(), READINGS)
def test_a_record_is_none_before_its_creation_and_after_its_deletion(history, at, reading):
    known = history.known(at, reading=reading)
    gone = any(type(event) is Deleted for event in known)
    assert (history.as_of(at, reading=reading) is None) == (gone or not known)
    if at < history.events[0].at:
        assert not known


@given(read_histories(), asking_moments())
def test_what_stands_is_what_is_known_of_a_record_that_is_not_deleted(history, at):
    known = history.known(at)
    gone = any(type(event) is Deleted for event in known)
    assert history.standing(at) == (() if gone else known)


@given(read_histories(), asking_moments())
def test_nothing_that_is_known_changes_once_a_history_is_settled(history, at):
    if at >= history.settled_at:
        assert history.known(at) == history.standing(at) == history.events
    orderly = all(
        event.recorded_at is None and type(event) not in (Voided, Deleted)
        for event in history.events
    ) and all(a.at <= b.at for a, b in pairwise(history.events))
    assert (history.settled_at <= LONG_AFTER) == orderly


# Events after an instant change nothing at it


@given(read_histories(), st.data(), st.booleans())
def test_an_event_after_an_instant_changes_nothing_at_it(history, data, happened_later):
    at = data.draw(asking_moments())
    later = at + timedelta(hours=data.draw(st.integers(1, 500)))
    happenings = contact_happenings() if isinstance(history, ContactHistory) else deal_happenings()
    mistaken = data.draw(st.sampled_from(history.events)).identity
    kind, facts = data.draw(
        happenings
        | st.just((Deleted, {}))
        | st.just((Voided, {"voids": mistaken, "why": "a mistake"}))
    )
    when = {"at": later} if happened_later else {"at": history.events[0].at, "recorded_at": later}
    event = kind(record=history.record, sequence=len(history.events) + 1, **when, **facts)
    longer = history.append(event)
    assert longer.known(at) == history.known(at)
    assert longer.standing(at) == history.standing(at)
    assert longer.as_of(at) == history.as_of(at)
    assert all_visits(longer, at) == all_visits(history, at)


def renumbered(events):
    return [attrs.evolve(event, sequence=number) for number, event in enumerate(events, 1)]


def unnumbered(events):
    return [attrs.evolve(event, sequence=0) for event in events]


@given(read_histories(named=True), asking_moments())
def test_a_history_cut_at_an_instant_gives_the_same_at_it_as_the_whole(history, at):
    kept = [
        event
        for event in history.events
        if event.at <= at and (event.recorded_at is None or event.recorded_at <= at)
    ]
    if not kept or kept[0].sequence != 1:
        assert history.known(at) == ()
        assert history.as_of(at) is None
        assert not any(all_visits(history, at))
        return
    cut = history_of(renumbered(kept))
    assert unnumbered(cut.known(at)) == unnumbered(history.known(at))
    assert all_visits(cut, at) == all_visits(history, at)
    whole, part = history.as_of(at), cut.as_of(at)
    assert (whole and attrs.evolve(whole, version=0)) == (part and attrs.evolve(part, version=0))


# Visits


def signed_total(visits, as_of):
    """The lengths of visits in elapsed time, one that runs backwards counted as negative."""
    return sum(((visit.left or as_of) - visit.entered for visit in visits), timedelta())


@given(read_deals(), asking_moments(), READINGS)
def test_the_visits_of_a_deal_sum_to_its_age(history, as_of, reading):
    visits = history.visits(as_of, reading=reading)
    age = as_of - history.events[0].at
    assert signed_total(visits, as_of) == (age if visits else timedelta())


@given(read_deals(**ORDERLY) | deal_runs().map(lambda run: DealHistory(run[0])), asking_moments())
def test_where_instants_never_run_backwards_no_visit_does(history, as_of):
    visits = history.visits(as_of)
    assert all(visit.entered <= (visit.left or as_of) <= as_of for visit in visits)
    if visits:
        assert signed_total(visits, as_of) == as_of - history.as_of(as_of).opened_at


@given(read_contacts(), asking_moments(), READINGS)
def test_the_visits_of_a_contact_sum_to_the_time_since_its_first_stage(history, as_of, reading):
    visits = history.visits(as_of, reading=reading)
    since = as_of - visits[0].entered if visits else timedelta()
    assert signed_total(visits, as_of) == since


@given(read_histories(), asking_moments(), READINGS)
def test_a_visit_begins_when_the_one_before_it_ends(history, as_of, reading):
    visits = history.visits(as_of, reading=reading)
    for before, after in pairwise(visits):
        assert before.left == after.entered
        assert (before.state, before.pipeline) != (after.state, after.pipeline)
    assert [visit.is_open for visit in visits[-1:]] == [True] * len(visits[-1:])


@given(read_histories(), asking_moments(), READINGS)
def test_visits_to_a_state_are_numbered_from_one(history, as_of, reading):
    for visits in all_visits(history, as_of, reading=reading):
        for state in {(visit.state, visit.pipeline) for visit in visits}:
            numbers = [visit.number for visit in visits if (visit.state, visit.pipeline) == state]
            assert numbers == list(range(1, len(numbers) + 1))


def state_at(visits, at):
    """The state of the one visit that an instant lies in, if there is one."""
    covering = [
        (visit.pipeline, visit.state)
        for visit in visits
        if visit.entered <= at and (visit.left is None or at < visit.left)
    ]
    assert len(covering) <= 1
    return covering[0] if covering else None


@given(read_deals(**ORDERLY), asking_moments())
def test_the_visit_that_covers_an_instant_is_to_the_stage_of_then(history, at):
    then = history.as_of(at)
    visited = state_at(history.visits(LONG_AFTER), at)
    assert visited == (then and (then.pipeline, then.stage))


@given(read_contacts(**ORDERLY), asking_moments())
def test_the_visits_that_cover_an_instant_are_to_stage_and_status_of_then(history, at):
    then = history.as_of(at)
    stage, status = (state_at(visits, at) for visits in all_visits(history, LONG_AFTER))
    assert stage == (then and then.lifecycle_stage and (None, then.lifecycle_stage))
    assert status == (then and then.lead_status and (None, then.lead_status))


@given(read_histories(), asking_moments(), READINGS)
def test_the_last_visit_is_to_where_the_record_stands_since_then(history, as_of, reading):
    then = history.as_of(as_of, reading=reading)
    if then is None:
        return
    last = [visits[-1:] for visits in all_visits(history, as_of, reading=reading)]
    if isinstance(history, DealHistory):
        ((visit,),) = last
        found = (visit.pipeline, visit.state, visit.entered)
        assert found == (then.pipeline, then.stage, then.stage_since)
        return
    stage, status = last
    expected = then.lifecycle_stage and [(then.lifecycle_stage, then.stage_since)]
    assert [(visit.state, visit.entered) for visit in stage] == (expected or [])
    standing = [(visit.state, visit.entered) for visit in status if visit.is_open]
    expected = then.lead_status and [(then.lead_status, then.status_since)]
    assert standing == (expected or [])


# The lifecycle goes forward only


@given(read_contacts(voids=False, deletions=False), asking_moments(), asking_moments(), READINGS)
def test_the_lifecycle_stage_never_decreases_without_a_void(history, one, other, reading):
    stages = [
        record.lifecycle_stage
        for at in sorted((one, other))
        if (record := history.as_of(at, reading=reading)) and record.lifecycle_stage
    ]
    assert stages == sorted(stages)


@given(read_contacts(), asking_moments(), READINGS)
def test_the_lifecycle_stage_is_the_furthest_of_those_recorded(history, at, reading):
    known = history.known(at, reading=reading)
    if not known or Deleted in map(type, known):
        return
    stages = [known[0].lifecycle_stage]
    stages += [event.stage for event in known if type(event) is LifecycleStageSet]
    ranks = [list(LifecycleStage).index(stage) for stage in stages if stage is not None]
    furthest = list(LifecycleStage)[max(ranks)] if ranks else None
    assert history.as_of(at, reading=reading).lifecycle_stage is furthest


EVENTS_OF_CONTACT = read_contact_events(voids=False, deletions=False)


def as_stage_set(created):
    """What a contact began with, told as an event of another record."""
    return LifecycleStageSet(
        record=created.record, sequence=2, at=created.at, stage=created.lifecycle_stage
    )


@given(EVENTS_OF_CONTACT, EVENTS_OF_CONTACT, st.data())
def test_the_stage_of_two_records_together_is_the_further_one_in_any_order(one, other, data):
    more = [as_stage_set(other[0])] if other[0].lifecycle_stage else []
    rest = data.draw(st.permutations([*one[1:], *more, *other[1:]]))
    together = ContactHistory(renumbered([one[0], *rest])).latest.lifecycle_stage
    each = [Contact.replay(events).lifecycle_stage for events in (one, other)]
    assert together is max((stage for stage in each if stage), default=None)


@given(EVENTS_OF_CONTACT)
def test_recording_everything_twice_leaves_the_stage(events):
    twice = ContactHistory(renumbered([*events, *events[1:]]))
    assert twice.latest.lifecycle_stage is ContactHistory(events).latest.lifecycle_stage


# The quick way of counting agrees with the plain one


@given(read_deals(), asking_moments())
def test_the_course_of_a_deal_agrees_with_its_visits(history, at):
    known = history.known(at)
    if not known:
        return
    ran, visits = course(known), history.visits(at)
    assert [leg.stage for leg, _ in ran.stays] == [(v.pipeline, v.state) for v in visits]
    assert [leg.number for leg, _ in ran.stays] == [visit.number for visit in visits]
    following = [(visit.pipeline, visit.state) for visit in visits[1:]]
    assert [leg.next for leg, _ in ran.stays] == [*following, None]
    days = [(visit.left.date() - visit.entered.date()).days for visit in visits[:-1]]
    assert [stayed for _, stayed in ran.stays] == [*days, visits[-1].entered.toordinal()]
    unknown = [ran.known_from is not None and v.entered <= ran.known_from for v in visits]
    assert unknown == [not visit.entry_known for visit in visits]


@given(read_deals(deletions=False), asking_moments())
def test_the_course_of_a_deal_agrees_with_its_snapshot(history, at):
    known = history.known(at)
    if not known:
        return
    ran, then = course(known), history.as_of(at)
    assert ran.known == known
    assert (ran.outcome, ran.amount) == (then.outcome, then.amount)
    assert (ran.closing and ran.closing.at) == then.closed_at
    assert getattr(ran.closing, "reason", None) == then.reason


@given(read_deals(**ORDERLY))
def test_the_whole_course_of_a_settled_deal_is_the_course_of_what_is_known(history):
    known = history.known(history.settled_at)
    plain, whole = course(known), history.whole_course
    assert whole == plain
    assert [leg for leg, _ in whole.stays] == [leg for leg, _ in plain.stays]


# The outcome of a deal


@given(read_deals(), asking_moments(), READINGS)
def test_the_outcome_is_what_the_last_event_about_it_says(history, at, reading):
    then = history.as_of(at, reading=reading)
    if then is None:
        return
    outcome = closed_at = amount = None
    for event in history.known(at, reading=reading):
        kind = type(event)
        if kind in (Opened, AmountChanged):
            amount = event.amount
        if kind in (Won, Lost):
            amount = amount if event.amount is None else event.amount
        if kind in (Opened, Won, Lost, Reopened):
            says = {Won: Outcome.WON, Lost: Outcome.LOST, Reopened: Outcome.OPEN}
            outcome = says.get(kind) or event.outcome
            closed_at = None if outcome is Outcome.OPEN else event.at
    assert (then.outcome, then.closed_at) == (outcome, closed_at)
    assert then.amount == amount


@given(deal_runs())
def test_a_command_that_keeps_the_outcome_is_a_move_and_one_that_changes_it_is_not(run):
    for event, before, after in zip(run[0][1:], run[1], run[1][1:], strict=False):
        if type(event) is Moved:
            assert (before.outcome, before.closed_at) == (after.outcome, after.closed_at)
        elif type(event) in (Won, Lost, Reopened):
            assert before.outcome is not after.outcome
        else:
            assert (before.pipeline, before.stage) == (after.pipeline, after.stage)
