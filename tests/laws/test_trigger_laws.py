from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from record_strategies import contact_runs, read_contacts
from salespipeline.errors import UnknownKeyError
from salespipeline.events import LeadStatusSet, LifecycleStageSet
from salespipeline.lifecycle import (
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
)
from salespipeline.triggers import (
    HUBSPOT_TRIGGERS,
    STANDARD_TRIGGERS,
    Behaviour,
    Trigger,
    TriggerSet,
)

BEHAVIOURS = (*Behaviour, "visited_our_stand", "rang")
SCHEMES = st.sampled_from([STANDARD_STATUSES, RECYCLABLE_STATUSES])


def rank(contact):
    return -1 if contact.lifecycle_stage is None else contact.lifecycle_stage.rank


@st.composite
def triggers(draw, behaviour, *, unconditional=False):
    stage = draw(st.none() | st.sampled_from(LifecycleStage))
    behind = [each for each in LifecycleStage if stage is None or each < stage]
    places = (
        st.none()
        if unconditional or not behind
        else (st.none() | st.sets(st.sampled_from(behind), min_size=1))
    )
    status = draw(st.none() | st.sampled_from(LeadStatus))
    return Trigger(behaviour, stage, status, draw(places))


@st.composite
def trigger_sets(draw, *, unconditional=False):
    """Sets that know some behaviours of `BEHAVIOURS`, or one of those that ship."""
    known = draw(st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=6, unique=True))
    return TriggerSet("drawn", [draw(triggers(key, unconditional=unconditional)) for key in known])


def any_sets():
    return trigger_sets() | st.sampled_from([STANDARD_TRIGGERS, HUBSPOT_TRIGGERS])


def contacts():
    """Contacts under commands, and as read: on every stage, with every status and without."""
    read = read_contacts(deletions=False, voids=False).map(lambda history: history.latest)
    known = read.filter(lambda contact: contact.lead_status != "made_up")
    return contact_runs(most=4).map(lambda run: run[1][-1]) | known


def facts_of(contact, scheme):
    return {"at": contact.changed_at + timedelta(hours=1), "by": "site", "scheme": scheme}


@given(any_sets(), contacts(), SCHEMES, st.data())
def test_applying_a_behaviour_again_does_nothing(sets, contact, scheme, data):
    behaviour = data.draw(st.sampled_from(sets.behaviours))
    once, _ = sets.apply(contact, behaviour, **facts_of(contact, scheme))
    assert sets.apply(once, behaviour, **facts_of(once, scheme)) == (once, ())


@given(any_sets(), contacts(), SCHEMES, st.data())
def test_no_behaviour_takes_a_contact_backward(sets, contact, scheme, data):
    for behaviour in data.draw(st.lists(st.sampled_from(sets.behaviours), max_size=6)):
        before = contact
        contact, events = sets.apply(before, behaviour, **facts_of(before, scheme))
        assert rank(contact) >= rank(before)
        reached = [event for event in events if isinstance(event, LifecycleStageSet)]
        assert bool(reached) == (rank(contact) > rank(before))


@given(any_sets(), contacts(), SCHEMES, st.data())
def test_a_behaviour_does_what_its_trigger_says_and_nothing_beside(sets, contact, scheme, data):
    behaviour = data.draw(st.sampled_from(sets.behaviours))
    trigger = sets.trigger(behaviour)
    after, events = sets.apply(contact, behaviour, **facts_of(contact, scheme))
    concerned = trigger.while_in is None or contact.lifecycle_stage in trigger.while_in
    goal = trigger.stage.rank if trigger.stage is not None and concerned else -1
    assert rank(after) == max(rank(contact), goal)
    active = after.lifecycle_stage in scheme.active_in
    if concerned and active and trigger.status is not None:
        assert after.lead_status == trigger.status
    elif not any(isinstance(event, LifecycleStageSet) for event in events):
        assert after == contact
    assert [event.sequence for event in events] == [
        contact.version + n for n in range(1, len(events) + 1)
    ]
    assert {type(event) for event in events} <= {LifecycleStageSet, LeadStatusSet}
    assert type(contact).replay(events, contact) == after


@given(trigger_sets(unconditional=True) | st.just(HUBSPOT_TRIGGERS), contacts(), SCHEMES, st.data())
def test_the_order_of_behaviours_makes_no_difference_to_the_stage_unless_stages_are_asked_for(
    sets, contact, scheme, data
):
    several = data.draw(st.lists(st.sampled_from(sets.behaviours), max_size=4))
    goals = [sets.trigger(behaviour).stage for behaviour in several]
    furthest = max([rank(contact), *(goal.rank for goal in goals if goal is not None)])
    for order in permutations(several):
        after = contact
        for behaviour in order:
            after, _ = sets.apply(after, behaviour, **facts_of(after, scheme))
        assert rank(after) == furthest


@given(any_sets(), contacts(), st.sampled_from(BEHAVIOURS))
def test_a_behaviour_is_applied_exactly_where_the_set_knows_it(sets, contact, behaviour):
    try:
        sets.apply(contact, behaviour, **facts_of(contact, STANDARD_STATUSES))
    except UnknownKeyError:
        assert behaviour not in sets
    else:
        assert behaviour in sets


@given(trigger_sets(), st.data())
def test_a_set_with_a_trigger_knows_it_and_all_that_it_knew_before(sets, data):
    trigger = data.draw(triggers(data.draw(st.sampled_from(BEHAVIOURS))))
    more = sets.with_trigger(trigger)
    expected = {key: sets.trigger(key) for key in sets.behaviours} | {trigger.behaviour: trigger}
    assert {key: more.trigger(key) for key in more.behaviours} == expected
    assert more.with_trigger(trigger) == more
