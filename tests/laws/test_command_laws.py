from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import (
    BOARD,
    PIPELINES,
    START,
    contact_commands,
    contact_runs,
    deal_commands,
    deal_runs,
)
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import SalesPipelineError
from salespipeline.events import LifecycleStageSet, Lost, Moved, Reopened, Won
from salespipeline.lifecycle import (
    LIFECYCLE,
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
)
from salespipeline.pipelines import Outcome
from salespipeline.rules import Code, DeniedError, Result, Rulebook
from strategies import pipelines

BOOKS = st.sampled_from(
    [
        LIFECYCLE,
        Rulebook.forward("steps", LifecycleStage, skips=False, creation=["subscriber", "lead"]),
        Rulebook.free("free", LifecycleStage, final=[LifecycleStage.EVANGELIST]),
        Rulebook.explicit(
            "short", {LifecycleStage.LEAD: [LifecycleStage.CUSTOMER], LifecycleStage.CUSTOMER: []}
        ),
    ]
)
SCHEMES = st.sampled_from([STANDARD_STATUSES, RECYCLABLE_STATUSES])
STAGES = st.sampled_from(LifecycleStage)
STATUSES = st.sampled_from([*LeadStatus, "made_up"])
AFTER = st.integers(-100, 200).map(lambda number: timedelta(hours=number))


def contacts():
    return contact_runs(most=5).map(lambda run: run[1][-1])


def deals():
    return deal_runs(most=5).map(lambda run: run[1][-1])


def check_agreement(decision, command, subject):
    """Assert that a command goes through exactly if it was decided so, else with that decision."""
    if decision:
        return command()
    with pytest.raises(DeniedError) as caught:
        command()
    assert caught.value.decision == decision
    assert caught.value.subject == subject
    assert decision.denials
    return None


# A command raises exactly where its decision denies, with that very decision


@given(contacts(), STAGES, AFTER, BOOKS, SCHEMES)
def test_a_contact_advances_exactly_where_it_is_decided_so(contact, stage, after, book, scheme):
    at = contact.changed_at + after
    decision = contact.decide(stage, at=at, rulebook=book)
    done = check_agreement(
        decision,
        lambda: contact.advance(stage, at=at, by="ada", rulebook=book, scheme=scheme),
        contact.subject,
    )
    if done:
        assert done[1].stage is stage
        assert done[1].ruling == book.ruling


@given(contacts(), STATUSES, AFTER, SCHEMES)
def test_a_status_is_set_exactly_where_it_is_decided_so(contact, status, after, scheme):
    at = contact.changed_at + after
    decision = contact.decide_status(status, at=at, scheme=scheme)
    done = check_agreement(
        decision,
        lambda: contact.set_lead_status(status, at=at, by="ada", scheme=scheme),
        contact.subject,
    )
    if done:
        assert done[0].lead_status == done[1].status == status


@given(deals(), st.sampled_from(PIPELINES) | pipelines(), st.data(), AFTER)
def test_a_deal_moves_exactly_where_it_is_decided_so(deal, pipeline, data, after):
    at = deal.changed_at + after
    stage = data.draw(st.sampled_from([*pipeline.rulebook.states, *pipeline.former, "nowhere"]))
    done = check_agreement(
        deal.decide(stage, pipeline=pipeline, at=at),
        lambda: deal.move(stage, at=at, by="ada", pipeline=pipeline),
        deal.subject,
    )
    if done:
        moved, event = done
        assert (moved.pipeline, moved.stage) == (pipeline.key, pipeline.current(stage))
        assert (event.pipeline_left, event.stage_left) == (deal.pipeline, deal.stage)
        assert moved.outcome is pipeline.outcome(stage)


@given(deals(), st.sampled_from(PIPELINES) | pipelines(), AFTER)
def test_winning_and_losing_move_to_the_first_stage_of_that_outcome_but_once(deal, pipeline, after):
    at = deal.changed_at + after
    for outcome, close in ((Outcome.WON, deal.win), (Outcome.LOST, deal.lose)):
        stage = next(s for s in pipeline.rulebook.states if pipeline.outcome(s) is outcome)
        if deal.outcome is outcome and deal.pipeline == pipeline.key:
            stage = deal.stage
        done = check_agreement(
            deal.decide(stage, pipeline=pipeline, at=at),
            lambda close=close: close(at=at, by="ada", pipeline=pipeline),
            deal.subject,
        )
        if done:
            assert done == deal.move(stage, at=at, by="ada", pipeline=pipeline)


@given(deals(), st.sampled_from(PIPELINES), AFTER)
def test_a_closed_deal_and_no_other_is_reopened_in_an_open_stage(deal, pipeline, after):
    at = deal.changed_at + after
    try:
        again, event = deal.reopen(at=at, by="ada", pipeline=pipeline)
    except DeniedError as denied:
        codes = {denial.code for denial in denied.decision.denials}
        assert (Code.NOT_CLOSED in codes) == (deal.outcome is Outcome.OPEN)
        assert (Code.BEFORE_LAST_EVENT in codes) == (after < timedelta())
        return
    assert deal.outcome is not Outcome.OPEN
    assert after >= timedelta()
    assert isinstance(event, Reopened)
    assert again.outcome is pipeline.outcome(again.stage) is Outcome.OPEN
    assert again.closed_at is again.closed_from is again.reason is None


# The options are what is allowed


@given(contacts(), BOOKS)
def test_the_options_of_a_contact_are_what_it_may_do(contact, book):
    options = contact.options(rulebook=book)
    assert [option.target for option in options] == list(book.states)
    allowed = tuple(option.target for option in options if option)
    stage = contact.lifecycle_stage
    assert allowed == tuple(s for s in book.allowed(stage) if stage is None or s > stage)
    for option in options:
        assert option == contact.decide(option.target, rulebook=book)
        assert option.alternatives == (() if option else allowed)


@given(contacts(), SCHEMES)
def test_the_status_options_of_a_contact_are_what_it_may_do(contact, scheme):
    options = contact.status_options(scheme=scheme)
    assert [option.target for option in options] == list(scheme.keys)
    others = [key for key in scheme.keys if key != contact.lead_status]
    active = contact.lifecycle_stage in scheme.active_in
    assert [option.target for option in options if option] == (others if active else [])
    for option in options:
        assert option == contact.decide_status(option.target, scheme=scheme)


@given(deals(), st.sampled_from(PIPELINES) | pipelines())
def test_the_options_of_a_deal_are_what_it_may_do(deal, pipeline):
    options = deal.options(pipeline=pipeline)
    assert [option.target for option in options] == list(pipeline.rulebook.states)
    allowed = tuple(option.target for option in options if option)
    within = deal.pipeline == pipeline.key
    assert allowed == pipeline.rulebook.allowed(deal.stage if within else None)
    for option in options:
        assert option == deal.decide(option.target, pipeline=pipeline)
        assert option.alternatives == (() if option else allowed)


@given(contacts() | deals(), AFTER)
def test_nothing_is_an_option_before_the_last_change(record, after):
    at = record.changed_at + after
    several = (
        [record.options(at=at), record.status_options(at=at)]
        if isinstance(record, Contact)
        else [record.options(pipeline=pipeline, at=at) for pipeline in PIPELINES]
    )
    for options in several:
        for option in options:
            early = [d for d in option.denials if d.code == Code.BEFORE_LAST_EVENT]
            assert bool(early) == (after < timedelta())
            assert not early or option.result is not Result.ALLOWED


# What commands never do


@given(st.data(), SCHEMES)
def test_under_commands_a_status_exists_exactly_where_its_scheme_is_active(data, scheme):
    _, snapshots = data.draw(contact_runs(scheme))
    for contact in snapshots:
        active = contact.lifecycle_stage in scheme.active_in
        assert (contact.lead_status is not None) == active
        assert (contact.status_since is not None) == active
        assert active or contact.revisit_on is None


@given(contact_runs())
def test_under_commands_the_lifecycle_goes_forward_only(run):
    events, snapshots = run
    ranks = [-1 if c.lifecycle_stage is None else c.lifecycle_stage.rank for c in snapshots]
    assert ranks == sorted(ranks)
    for (before, after), event in zip(pairwise(ranks), events[1:], strict=True):
        assert (before < after) == isinstance(event, LifecycleStageSet)


@given(deal_runs())
def test_under_commands_the_outcome_of_a_deal_is_that_of_its_stage(run):
    by_key = {pipeline.key: pipeline for pipeline in PIPELINES}
    for deal in run[1]:
        assert deal.outcome is by_key[deal.pipeline].outcome(deal.stage)
        assert (deal.closed_at is None) == (deal.outcome is Outcome.OPEN)
        assert deal.closed_at is None or deal.closed_at <= deal.stage_since


@given(deal_runs())
def test_under_commands_every_change_of_stage_says_which_stage_it_left(run):
    for event, before, after in zip(run[0][1:], run[1], run[1][1:], strict=False):
        if isinstance(event, Moved | Won | Lost | Reopened):
            assert (event.pipeline_left, event.stage_left) == (before.pipeline, before.stage)
            assert (event.pipeline, event.stage) == (after.pipeline, after.stage)
            assert after.approvals == frozenset()
            assert after.stage_since == event.at


@given(contact_runs() | deal_runs())
def test_events_of_commands_are_numbered_and_in_order(run):
    events, snapshots = run
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [snapshot.version for snapshot in snapshots] == list(range(1, len(events) + 1))
    assert {event.record for event in events} == {snapshots[0].id}
    assert all(a.at <= b.at for a, b in pairwise(events))
    changes = [snapshot.changed_at for snapshot in snapshots]
    assert changes == sorted(changes)


@given(
    st.tuples(contacts(), contact_commands()) | st.tuples(deals(), deal_commands()),
    st.integers(1, 1000),
)
def test_a_command_before_the_last_change_is_refused_but_for_an_activity(asked, hours_early):
    record, (method, arguments, facts) = asked
    at = record.changed_at - timedelta(hours=hours_early)
    if method == "record_activity":
        after, event = record.record_activity(*arguments, at=at, by="ada", **facts)
        assert (event.at, after.changed_at) == (at, record.changed_at)
        return
    with pytest.raises(SalesPipelineError) as caught:
        getattr(record, method)(*arguments, at=at, by="ada", **facts)
    if isinstance(caught.value, DeniedError):
        early = [
            denial
            for denial in caught.value.decision.denials
            if denial.code == Code.BEFORE_LAST_EVENT
        ]
        assert [denial.expected for denial in early] == [record.changed_at]


@given(st.sampled_from(PIPELINES) | pipelines(), st.data())
def test_a_deal_is_opened_exactly_where_its_pipeline_lets_deals_begin(pipeline, data):
    stage = data.draw(st.sampled_from([*pipeline.rulebook.states, *pipeline.former, "nowhere"]))
    done = check_agreement(
        pipeline.rulebook.decide(None, pipeline.current(stage)),
        lambda: Deal.open("d-1", at=START, by="ada", pipeline=pipeline, stage=stage),
        "deal 'd-1'",
    )
    if done:
        assert done[0].outcome is pipeline.outcome(stage)


@given(BOOKS, st.none() | STAGES)
def test_a_contact_is_created_exactly_where_the_rulebook_lets_contacts_begin(book, stage):
    if stage is None:
        assert Contact.create("c-1", at=START, by="ada", rulebook=book)
        return
    check_agreement(
        book.decide(None, stage),
        lambda: Contact.create("c-1", at=START, by="ada", stage=stage, rulebook=book),
        "contact 'c-1'",
    )


def test_the_pipelines_that_runs_use_tell_every_case():
    outcomes = [BOARD.outcome(stage) for stage in BOARD.keys]
    assert {outcome: outcomes.count(outcome) > 1 for outcome in Outcome} == dict.fromkeys(
        Outcome, True
    )
