"""What holds for times in stages, cycles, velocities and answers, whatever the records are."""

from collections import Counter
from datetime import UTC, timedelta
from fractions import Fraction
from math import ceil, floor, log
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import BOARD, LEAN, ORDERLY, START, hours, moments, read_contacts, read_deals
from salespipeline._courses import entries_known_from
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.events import ActivityRecorded, Direction, Moved, Start, Won
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics import leads as leads_figure
from salespipeline.metrics.attribution import Attribution, velocity_attribution
from salespipeline.metrics.durations import cycle_length, deal_age
from salespipeline.metrics.response import answered_within, lead_response_time
from salespipeline.metrics.stage_time import stage_speed, time_in_stage, total_time_in_stage
from salespipeline.metrics.velocity import (
    NumberOf,
    Velocity,
    consistent_velocity,
    pipeline_velocity,
    velocity_series,
)
from salespipeline.periods import Period, on
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Why, visits
from salespipeline.tallies._cycles import cycles
from salespipeline.tallies._responses import responses
from salespipeline.tallies._stage_totals import stage_totals

deal_bodies = st.lists(read_deals(), max_size=5)
orderly_bodies = st.lists(read_deals(**ORDERLY), max_size=5)


@st.composite
def touched_contacts(draw):
    """Contacts with touches, some dated back to before anything else."""
    history = draw(read_contacts())
    for after in draw(st.lists(hours(), max_size=2)):
        touch = ActivityRecorded(
            record=history.record,
            sequence=len(history.events) + 1,
            at=START + after + draw(st.sampled_from([timedelta(), timedelta(seconds=30)])),
            kind="call",
            direction=draw(st.sampled_from([*Direction, Direction.OUTBOUND, None])),
        )
        history = history.append(touch)
    return history


contact_bodies = st.lists(touched_contacts(), max_size=5)
TALK = ("board", "talk")
LEADS = [stage for stage in LifecycleStage if stage is not LifecycleStage.SUBSCRIBER]
WEEK = Period(START + timedelta(days=7), START + timedelta(days=14))
FIGURES = {
    "cycle from talk": lambda deals, at, **by: cycle_length(deals, as_of=at, start=TALK, **by),
    "deal age": lambda deals, at, **by: deal_age(deals, as_of=at, **by),
    "first visits": lambda deals, at, **by: time_in_stage(deals, as_of=at, visit="first", **by),
    "latest visits": lambda deals, at, **by: time_in_stage(deals, as_of=at, visit="latest", **by),
    "totals": lambda deals, at, **by: total_time_in_stage(deals, as_of=at, **by),
    "speed": lambda deals, at, **by: stage_speed(deals, as_of=at, pipelines=[BOARD, LEAN], **by),
    "consistent velocity": lambda deals, at, **by: consistent_velocity(deals, as_of=at, **by),
}


def _all_known(histories):
    """Those of which every entry is known."""
    return [history for history in histories if entries_known_from(history.events[0]) is None]


def _by_key(stages):
    return {(each.pipeline, each.stage): each for each in stages}


# Stages


@given(deal_bodies, moments())
def test_first_and_later_visits_are_every_visit(histories, at):
    every = time_in_stage(histories, as_of=at)
    first = _by_key(time_in_stage(histories, as_of=at, visit="first"))
    tally = visits(histories, as_of=at)
    later = _by_key(time_in_stage(tally.where(lambda row: row.number > 1)))
    for key, each in _by_key(every).items():
        parts = [found[key] for found in (first, later) if key in found]
        assert each.total_days == sum(part.total_days for part in parts)
        assert each.still_there == sum(part.still_there for part in parts)
        assert each.finished.n == sum(part.finished.n for part in parts)
        assert each.survival.n == sum(part.survival.n for part in parts)


@given(deal_bodies, moments())
def test_every_deal_in_a_stage_has_one_first_one_latest_visit_and_one_total(histories, at):
    def entered(stages):
        return {
            (each.pipeline, each.stage): each.survival.n + sum(each.survival.left_out.values())
            for each in stages
        }

    first = entered(time_in_stage(histories, as_of=at, visit="first"))
    assert first == entered(time_in_stage(histories, as_of=at, visit="latest"))
    assert first == entered(total_time_in_stage(histories, as_of=at))


@given(orderly_bodies, moments())
def test_totals_of_a_stage_are_all_its_visits(histories, at):
    known = _all_known(histories)
    every, total = time_in_stage(known, as_of=at), total_time_in_stage(known, as_of=at)
    assert [(each.stage, each.total_days, each.still_there) for each in total] == [
        (each.stage, each.total_days, each.still_there) for each in every
    ]


@given(read_deals(**ORDERLY), moments())
def test_a_deals_totals_closed_stages_included_sum_to_its_age(history, at):
    [*known] = _all_known([history])
    deal = history.as_of(at) if known else None
    if deal is not None:
        stages = total_time_in_stage(known, as_of=at)
        assert sum(each.total_days for each in stages) == (on(at) - on(deal.opened_at)).days
        assert sum(each.still_there for each in stages) == 1


def _plain_totals(histories, at, zone, former):
    """The rows of totals by a plain sum over the visits that histories give."""
    plain = Counter()
    for history in histories:
        if history.as_of(at) is None:
            continue
        spent = {}
        for visit in history.visits(at):
            stage = former.get((visit.pipeline, visit.state), (visit.pipeline, visit.state))
            days = (on(visit.left or at, zone) - on(visit.entered, zone)).days
            fault = None if visit.entry_known else Why.ENTRY_UNKNOWN
            fault = fault or (Why.NEGATIVE_DURATION if days < 0 else None)
            spent.setdefault(stage, []).append((days, fault, visit.left is None))
        for stage, stays in spent.items():
            why = next((fault for _, fault, _ in stays if fault), None)
            length = None if why else sum(days for days, _, _ in stays)
            plain[None, stage, length, why, stays[-1][2]] += 1
    return plain


@given(deal_bodies, moments(), st.sampled_from([UTC, ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")]))
def test_stage_totals_are_the_plain_sums_of_visits(histories, at, zone):
    tally = stage_totals(histories, as_of=at, zone=zone)
    assert {tuple(row): count.n for row, count in tally.rows.items()} == _plain_totals(
        histories, at, zone, {}
    )
    renamed = stage_totals(histories, as_of=at, zone=zone, pipelines=[BOARD])
    former = {("board", "call"): TALK}
    assert {tuple(row): count.n for row, count in renamed.rows.items()} == _plain_totals(
        histories, at, zone, former
    )


@given(deal_bodies, moments())
def test_speeds_of_stages_recombine_to_that_of_all(histories, at):
    found = stage_speed(histories, as_of=at, pipelines=[BOARD, LEAN], within_days=10)
    going = [each for each in found.stages if not each.parked]
    ended = sum(each.ended for each in going)
    days = sum(each.total_days for each in going)
    assert found.mean_days == (days / ended if ended else None)
    for each in going:
        assert each.share_within is None or 0 <= each.share_within <= 1
        assert each.visits >= each.ended
        assert (each.mean_days is None) == (each.ended == 0)


# Cycles


@given(deal_bodies, moments())
def test_cycles_from_a_stage_are_the_plain_ones(histories, at):
    lengths, left_out = [], Counter()
    for history in histories:
        deal = history.as_of(at)
        if deal is None or deal.outcome is not Outcome.WON:
            continue
        entered = [v for v in history.visits(at) if (v.pipeline, v.state) == TALK]
        if not entered:
            left_out["never_entered"] += 1
        elif entries_known_from(history.events[0]) is not None:
            left_out["entry_unknown"] += 1
        elif (days := (on(deal.closed_at) - on(entered[0].entered)).days) < 0:
            left_out["negative_duration"] += 1
        else:
            lengths.append(days)
    found = cycle_length(histories, as_of=at, start=TALK)
    assert (found.n, dict(found.left_out)) == (len(lengths), dict(left_out))
    assert found.mean_days == (pytest.approx(sum(lengths) / len(lengths)) if lengths else None)


@given(deal_bodies, moments())
def test_the_age_of_open_deals_is_the_plain_one(histories, at):
    stood = [(history, history.as_of(at)) for history in histories]
    ages = [
        (on(at) - on(deal.opened_at)).days
        for history, deal in stood
        if deal is not None
        and deal.outcome is Outcome.OPEN
        and history.events[0].start is Start.EXACT
    ]
    found = deal_age(histories, as_of=at)
    assert found.n == len(ages)
    assert found.mean_days == (pytest.approx(sum(ages) / len(ages)) if ages else None)


# Attribution

shares = st.fractions(0, 1, max_denominator=50)
sizes = st.fractions(0, 10**7, max_denominator=10**4)
cycles_taken = st.fractions(Fraction(1, 100), 1000, max_denominator=100)


@st.composite
def velocities(draw, currency="EUR"):
    return Velocity(
        draw(st.integers(0, 10**6)),
        NumberOf.OPEN,
        draw(shares),
        draw(sizes),
        currency,
        draw(cycles_taken),
    )


@given(velocities(), velocities())
def test_parts_sum_to_the_change_exactly_and_so_do_rounded_ones(before, after):
    found = Attribution.of(before, after)
    change = after.exact_per_day - before.exact_per_day
    assert sum(part.exact for part in found.parts) == found.exact_change == change
    assert sum(part.money.minor for part in found.parts) == found.change.minor
    for part in found.parts:
        assert abs(part.money.minor - part.exact * 100) < 1


@given(velocities(), velocities())
def test_an_unchanged_input_has_no_part_and_a_better_one_none_below_0(before, after):
    for part in Attribution.of(before, after).parts:
        if part.before == part.after:
            assert (part.exact, part.money.minor, part.log_part or 0) == (0, 0, 0)
        better = part.after > part.before
        if part.input == "cycle_days":
            better = part.after < part.before
        assert part.exact >= 0 if better else part.exact <= 0


@given(velocities(), velocities())
def test_going_back_undoes_every_part(before, after):
    there, back = Attribution.of(before, after), Attribution.of(after, before)
    for one, other in zip(there.parts, back.parts, strict=True):
        assert one.exact == -other.exact
        assert one.log_part is None or one.log_part == pytest.approx(-other.log_part)


@given(st.integers(1, 50), st.integers(1, 50), velocities())
def test_inputs_that_change_alike_have_like_parts(one, other, rest):
    """Number and size go from one to the other: who they are does not matter."""
    before = Velocity(one, NumberOf.OPEN, rest.win_rate, Fraction(one), "EUR", rest.cycle_days)
    after = Velocity(other, NumberOf.OPEN, rest.win_rate, Fraction(other), "EUR", rest.cycle_days)
    number, _, size, _ = Attribution.of(before, after).parts
    assert number.exact == size.exact


@given(velocities(), velocities())
def test_logarithms_sum_to_that_of_the_factor(before, after):
    found = Attribution.of(before, after)
    if 0 in (before.exact_per_day, after.exact_per_day):
        assert {part.log_part for part in found.parts} == {None}
        return
    factor = float(after.exact_per_day / before.exact_per_day)
    assert sum(part.log_part for part in found.parts) == pytest.approx(log(factor), abs=1e-9)


@given(st.lists(read_deals(), max_size=6), st.sampled_from(["open", "closed", "created"]))
def test_the_change_between_periods_is_that_of_the_series(histories, number):
    asked = {"number": number, "currency": "EUR", "rates": {"USD": 2, "JPY": "0.01", "GBP": 1}}
    before = WEEK.preceding()
    first, second = velocity_series(histories, periods=[before, WEEK], **asked)
    found = velocity_attribution(histories, before=before, after=WEEK, **asked)
    assert (found.before, found.after) == (first.velocity, second.velocity)
    assert found.change == second.change


# Answers


@given(contact_bodies, moments())
def test_waits_are_the_plain_ones(histories, at):
    """Becoming a lead is found from snapshots, by replaying ever more events."""
    plain = Counter()
    for history in histories:
        known = history.standing(at)
        became = next(
            (
                known[n - 1]
                for n in range(1, len(known) + 1)
                if Contact.replay(known[:n]).lifecycle_stage in LEADS
            ),
            None,
        )
        if became is None:
            continue
        touches = [e.at for e in known if getattr(e, "direction", None) is Direction.OUTBOUND]
        unseen = entries_known_from(known[0])
        if became is known[0] and known[0].start is Start.BY_THEN:
            wait = Why.START_UNKNOWN
        elif unseen is not None and became.at < unseen:
            wait = Why.ENTRY_UNKNOWN
        elif touches and min(touches) < became.at:
            wait = Why.NEGATIVE_DURATION
        else:
            seconds = (min(touches, default=at) - became.at) / timedelta(seconds=1)
            wait = ceil(seconds / 60) if touches else floor(seconds / 60)
        plain[wait, bool(touches)] += 1
    counted = Counter()
    for row, count in responses(histories, as_of=at).rows.items():
        counted[row.why or row.wait, row.answered] += count.n
    assert counted == plain


@given(contact_bodies, moments())
def test_every_lead_waits_or_is_left_out_by_reason(histories, at):
    found = lead_response_time(histories, as_of=at)
    assert found.n + sum(found.left_out.values()) == leads_figure(histories, as_of=at).n
    assert 0 <= found.answered <= found.n
    assert found.median_minutes is None or found.median_minutes <= (found.p90_minutes or 1e18)


@given(contact_bodies, moments(), hours(0, 400))
def test_shares_are_shares_and_the_naive_one_is_never_above(histories, at, promise):
    found = answered_within(histories, promise=promise, as_of=at)
    assert found.share is None or 0 <= found.share <= 1
    if found.share is not None:
        assert (found.so_far.value or 0) <= found.share + 1e-12


@given(contact_bodies, moments())
def test_with_nobody_silent_the_two_shares_agree(histories, at):
    answered = responses(histories, as_of=at).where(lambda row: row.answered)
    for promise in (timedelta(), timedelta(hours=5), timedelta(days=30)):
        found = answered_within(answered, promise=promise)
        if found.so_far.denominator:
            assert found.share is None or found.share == pytest.approx(found.so_far.value)


# All of them


@given(st.data(), deal_bodies, deal_bodies, moments())
def test_tallies_of_deals_add(data, one, two, at):
    by = data.draw(st.sampled_from([None, "owner", "stage"]))
    for count, options in ((stage_totals, {"pipelines": [BOARD]}), (cycles, {"start": TALK})):
        asked = {"as_of": at, "by": by, **options}
        assert count(one, **asked) + count(two, **asked) == count([*one, *two], **asked)


@given(st.data(), contact_bodies, contact_bodies, moments())
def test_tallies_of_answers_add(data, one, two, at):
    by = data.draw(st.sampled_from([None, "owner", "source"]))
    asked = {"as_of": at, "by": by, "periods": [WEEK]}
    whole = responses([*one, *two], **asked)
    assert responses(one, **asked) + responses(two, **asked) == whole


@given(st.data(), deal_bodies, contact_bodies, moments())
def test_shuffling_changes_no_figure(data, deals, contacts, at):
    shuffled = data.draw(st.permutations(deals))
    for name, figure in FIGURES.items():
        assert figure(shuffled, at) == figure(deals, at), name
    people = data.draw(st.permutations(contacts))
    assert lead_response_time(people, as_of=at) == lead_response_time(contacts, as_of=at)


def _later(histories, at):
    """The same histories with what happened, or was learnt, after an instant."""
    grown = []
    for history in histories:
        first, next_one = history.events[0], len(history.events) + 1
        said = {"record": first.record, "at": at, "recorded_at": at + timedelta(seconds=1)}
        touch = ActivityRecorded(
            sequence=next_one, kind="call", direction=Direction.OUTBOUND, **said
        )
        more = [touch]
        if history.snapshot_type is Deal:
            after = {"record": first.record, "at": at + timedelta(hours=1), "pipeline": "board"}
            more += [
                Moved(sequence=next_one + 1, stage="offer", **after),
                Won(sequence=next_one + 2, stage="signed", **after),
            ]
        grown.append(type(history)([*history.events, *more]))
    return grown


@given(deal_bodies, contact_bodies, moments())
def test_what_happens_or_is_learnt_later_changes_no_figure(deals, contacts, at):
    grown = _later(deals, at)
    for name, figure in FIGURES.items():
        assert figure(grown, at) == figure(deals, at), name
        assert figure(grown, at, by="owner") == figure(deals, at, by="owner"), name
    people = _later(contacts, at)
    assert lead_response_time(people, as_of=at) == lead_response_time(contacts, as_of=at)


@given(deal_bodies, contact_bodies, moments())
def test_groups_recombine_to_the_whole(deals, contacts, at):
    by = {"as_of": at, "by": "owner"}
    ages = deal_age(deals, **by).values()
    assert sum(each.n for each in ages) == deal_age(deals, as_of=at).n
    totals = [each for stages in total_time_in_stage(deals, **by).values() for each in stages]
    whole = total_time_in_stage(deals, as_of=at)
    assert sum(each.total_days for each in totals) == sum(each.total_days for each in whole)
    waits = lead_response_time(contacts, **by).values()
    whole_wait = lead_response_time(contacts, as_of=at)
    assert sum(each.n for each in waits) == whole_wait.n
    assert sum(each.answered for each in waits) == whole_wait.answered


@given(deal_bodies, contact_bodies)
def test_before_everything_there_is_nothing(deals, contacts):
    before = START - timedelta(days=1)
    for name, figure in FIGURES.items():
        assert figure(deals, before) == figure([], before), name
        assert figure(deals, before, by="owner") == {}, name
    assert lead_response_time(contacts, as_of=before).n == 0


@given(deal_bodies, moments())
def test_both_forms_of_velocity_differ_in_the_cycle_alone(histories, at):
    asked = {"as_of": at, "currency": "EUR", "rates": {"USD": 2, "JPY": "0.01", "GBP": 1}}
    vendors = pipeline_velocity(histories, **asked)
    consistent = consistent_velocity(histories, **asked)
    same = ("number", "number_of", "win_rate", "average_size", "currency")
    assert [getattr(vendors, name) for name in same] == [getattr(consistent, name) for name in same]
    if vendors.win_rate == 1:
        assert vendors.cycle_days == consistent.cycle_days
