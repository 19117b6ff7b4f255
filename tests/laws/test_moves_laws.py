"""What holds for moves, chains, reasons, profiles, customers and attempts, whatever the records."""

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from record_strategies import START, asking_moments, read_contacts, read_deals
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Direction,
    LifecycleStageSet,
    Lost,
    Merged,
    Opened,
    Reopened,
    Won,
)
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics import Rate
from salespipeline.metrics.attempts import attempts, attempts_to_win
from salespipeline.metrics.chain import AbsorbingChain, solve
from salespipeline.metrics.customers import lead_to_customer, referral_share, repeat_share
from salespipeline.metrics.moves import moves
from salespipeline.metrics.profiles import profile
from salespipeline.metrics.reasons import reasons
from salespipeline.metrics.strength import stage_strength
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import Outcome
from salespipeline.tallies import lifetimes
from salespipeline.tallies._attempts import attempts_on_contacts, attempts_on_deals
from salespipeline.tallies._closings import closings
from salespipeline.tallies._paths import paths

WEEKS = tuple(Period(START, START + timedelta(days=60)).steps(Unit.WEEK))
NEVER = START + timedelta(days=4000)


@st.composite
def touched(draw, bodies):
    """Records with outbound and inbound activities among their events."""
    record = draw(bodies)
    extra = draw(st.lists(st.tuples(st.sampled_from(Direction), st.integers(0, 5)), max_size=5))
    events = list(record.events)
    for direction, place in extra:
        before = events[min(place, len(events) - 1)]
        made = ActivityRecorded(
            record=before.record, sequence=0, at=before.at, kind="call", direction=direction
        )
        events.insert(events.index(before) + 1, made)
    events = [evolve(event, sequence=number) for number, event in enumerate(events, 1)]
    return type(record)(events)


deal_bodies = st.lists(touched(read_deals()), max_size=5)
contact_bodies = st.lists(touched(read_contacts()), max_size=5)
fields = st.sampled_from(["owner", "stage", "amount", "attributes.a"])

DEAL_FIGURES = {
    "moves": moves,
    "stage_strength": lambda deals, **options: stage_strength(deals, runs=20, **options),
    "reasons": lambda deals, **options: reasons(deals, by_stage=True, **options),
    "profile": lambda deals, **options: profile(deals, by="owner", horizon_days=9, **options),
    "repeat_share": lambda deals, **options: repeat_share(deals, of="contact", **options),
    "attempts_to_win": attempts_to_win,
}
CONTACT_FIGURES = {
    "attempts": attempts,
    "lead_to_customer": lead_to_customer,
    "referral_share": referral_share,
}


def standing(histories, at):
    """The records as they stood, by the fold, which counting does not use."""
    stood = (history.as_of(at) for history in histories)
    return [record for record in stood if record is not None]


# Of every figure


@pytest.mark.parametrize("name", DEAL_FIGURES)
@given(data=st.data(), histories=deal_bodies, at=asking_moments())
def test_the_order_of_deals_changes_no_figure(name, data, histories, at):
    mixed = data.draw(st.permutations(histories))
    figure = DEAL_FIGURES[name]
    assert figure(mixed, as_of=at) == figure(histories, as_of=at)


@pytest.mark.parametrize("name", CONTACT_FIGURES)
@given(data=st.data(), histories=contact_bodies, at=asking_moments())
def test_the_order_of_contacts_changes_no_figure(name, data, histories, at):
    mixed = data.draw(st.permutations(histories))
    figure = CONTACT_FIGURES[name]
    assert figure(mixed, as_of=at) == figure(histories, as_of=at)


def _without_later(history, at):
    """The history up to the last event that happened, and was recorded, by an instant."""
    seen = [
        number
        for number, event in enumerate(history.events, 1)
        if event.at <= at and (event.recorded_at is None or event.recorded_at <= at)
    ]
    return type(history)(history.events[: max(seen)]) if seen else None


@pytest.mark.parametrize("name", [*DEAL_FIGURES, *CONTACT_FIGURES])
@given(data=st.data(), at=asking_moments())
def test_what_happened_later_changes_no_figure(name, data, at):
    bodies = deal_bodies if name in DEAL_FIGURES else contact_bodies
    histories = data.draw(bodies)
    figure = (DEAL_FIGURES | CONTACT_FIGURES)[name]
    earlier = [short for each in histories if (short := _without_later(each, at)) is not None]
    assert figure(earlier, as_of=at) == figure(histories, as_of=at)


def _numbers(value):
    """Every rate inside a figure's rows."""
    return [
        (key, cell)
        for row in value.to_dicts()
        for key, cell in row.items()
        if key in {"share", "rate", "win_rate", "loss_rate", "losses", "naive", "chance", "leads",
                   "won_share", "share_reached", "repeat_customers", "from_customers"}
        or (key.endswith(("_low", "_high")) and "excess" not in key and "median" not in key)
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*DEAL_FIGURES, *CONTACT_FIGURES])
@given(data=st.data(), at=asking_moments())
def test_every_rate_and_every_end_of_its_interval_lies_within_0_and_1(name, data, at):
    histories = data.draw(deal_bodies if name in DEAL_FIGURES else contact_bodies)
    found = (DEAL_FIGURES | CONTACT_FIGURES)[name](histories, as_of=at)
    assert all(cell is None or -1e-12 <= cell <= 1 + 1e-12 for _, cell in _numbers(found))


# Tallies add


@given(st.data(), deal_bodies, deal_bodies, asking_moments())
def test_tallies_of_paths_closings_and_attempts_on_deals_add(data, one, two, at):
    by = data.draw(st.none() | fields)
    periods = data.draw(st.sampled_from([(), WEEKS]))
    for count, options in (
        (paths, {}),
        (closings, {"periods": periods}),
        (attempts_on_deals, {"periods": periods, "quiet_days": 3}),
    ):
        whole = count([*one, *two], as_of=at, by=by, **options)
        parts = count(one, as_of=at, by=by, **options) + count(two, as_of=at, by=by, **options)
        assert parts == whole
        closed = [deal for deal in standing([*one, *two], at) if deal.outcome is not Outcome.OPEN]
        assert whole.n == (len(closed) if count is closings else len(standing([*one, *two], at)))


@given(st.data(), contact_bodies, contact_bodies, asking_moments())
def test_tallies_of_attempts_on_contacts_add(data, one, two, at):
    stage = data.draw(st.sampled_from(LifecycleStage))
    options = {"as_of": at, "stage": stage, "by": data.draw(st.sampled_from([None, "owner"]))}
    whole = attempts_on_contacts([*one, *two], **options)
    parts = attempts_on_contacts(one, **options) + attempts_on_contacts(two, **options)
    assert parts == whole
    stood = standing([*one, *two], at)
    assert whole.n == sum(
        c.lifecycle_stage is not None and c.lifecycle_stage >= stage for c in stood
    )


# Moves


@given(deal_bodies, asking_moments())
def test_moves_are_the_visits_one_after_the_other(histories, at):
    entered, went = Counter(), Counter()
    for history in histories:
        if history.as_of(at) is not None:
            stages = [(visit.pipeline, visit.state) for visit in history.visits(at)]
            entered.update(stages)
            went.update(pairwise(stages))
    found = moves(histories, as_of=at)
    assert {(f.pipeline, f.stage): f.entered for f in found.stages} == entered
    matrix = found.matrix()
    assert {(a, b): n for a, row in matrix.items() for b, n in row.items() if n} == went


@given(deal_bodies, asking_moments())
def test_what_entered_a_stage_left_it_or_is_there_and_what_left_was_opened_or_came(histories, at):
    found = moves(histories, as_of=at)
    matrix = found.matrix()
    opened = Counter(
        (history.visits(at)[0].pipeline, history.visits(at)[0].state)
        for history in histories
        if history.as_of(at) is not None
    )
    for flow in found.stages:
        stage = flow.pipeline, flow.stage
        came = sum(row[stage] for row in matrix.values())
        assert flow.entered == came + opened[stage]
        assert flow.entered - flow.still_there == sum(matrix[stage].values())
    assert sum(flow.still_there for flow in found.stages) == len(standing(histories, at))


@given(deal_bodies, asking_moments(), fields)
def test_the_moves_of_groups_add_to_those_of_all(histories, at, field):
    together = Counter()
    for found in moves(histories, as_of=at, by=field).values():
        together.update({(move.stage, move.next_stage, move.pipeline, move.next_pipeline): move.n
                         for flow in found.stages for move in flow.moves})  # fmt: skip
    whole = moves(histories, as_of=at)
    assert together == {
        (move.stage, move.next_stage, move.pipeline, move.next_pipeline): move.n
        for flow in whole.stages
        for move in flow.moves
    }


# Chains


states = st.integers(0, 5)
chain_counts = st.dictionaries(st.tuples(states, st.integers(0, 7)), st.integers(0, 4), max_size=20)


def _reaches(counts, start, goals):
    """Whether one of the goals can be reached, by walking every way."""
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for (left, entered), n in counts.items():
            if n and left == here and entered not in seen:
                seen.add(entered)
                waiting.append(entered)
    return bool(seen & set(goals)), seen


@given(chain_counts)
def test_the_chances_of_all_ends_sum_to_exactly_1_or_say_why_not(counts):
    chain = AbsorbingChain.of(counts, absorbing=[6, 7])
    for each in chain.states:
        _, seen = _reaches(counts, each.state, [6, 7])
        sure = all(_reaches(counts, state, [6, 7])[0] for state in seen)
        assert (each.absorbed is not None) == (each.why_not is None) == sure
        if sure:
            assert sum(each.absorbed.values()) == 1
            assert all(0 <= chance <= 1 for chance in each.absorbed.values())
            assert each.steps == sum(each.visits.values()) >= 1
            assert each.visits[each.state] >= 1


@given(chain_counts)
def test_the_figures_solve_the_equations_of_the_chain(counts):
    chain = AbsorbingChain.of(counts, absorbing=[6, 7])
    for each in chain.states:
        if each.why_not is not None:
            continue
        out = {to: n for (here, to), n in counts.items() if here == each.state and n}
        left = sum(out.values())
        for end in (6, 7):
            onward = sum(n * chain.absorption(to)[end] for to, n in out.items())
            assert each.absorbed[end] == Fraction(onward) / left
        assert each.steps == 1 + sum(n * chain.steps(to) for to, n in out.items()) / Fraction(left)


@given(chain_counts)
def test_floating_point_agrees_with_fractions(counts):
    chain = AbsorbingChain.of(counts, absorbing=[6, 7])
    inner = [each.state for each in chain.states if each.why_not is None]
    left = Counter()
    for (here, _), n in counts.items():
        left[here] += n
    share = {move: n / left[move[0]] for move, n in counts.items() if n}
    inside = [[share.get((a, b), 0.0) for b in inner] for a in inner]
    out = [share.get((a, 6), 0.0) + share.get((a, 7), 0.0) for a in inner]
    found = solve(inside, out, [[share.get((a, 6), 0.0), 1.0] for a in inner])
    for state, (chance, steps) in zip(inner, found, strict=True):
        assert chance == pytest.approx(float(chain.absorption(state)[6]), abs=1e-12)
        assert steps == pytest.approx(float(chain.steps(state)), rel=1e-9)


# Strength


def _way(history, at):
    """The stages that a deal visited before it was closed for good, by a plain second look."""
    stages, closed_after, outcome = [], None, None
    for event in history.standing(at):
        if isinstance(event, Opened) and event.outcome is not Outcome.OPEN:
            closed_after, outcome = 0, event.outcome
        if isinstance(event, Won | Lost):
            closed_after = len(stages)
            outcome = Outcome.WON if isinstance(event, Won) else Outcome.LOST
        if isinstance(event, Reopened):
            closed_after = outcome = None
        stage = (getattr(event, "pipeline", None), getattr(event, "stage", None))
        if stage[1] is not None and (not stages or stages[-1] != stage):
            stages.append(stage)
    return tuple(stages[:closed_after]), outcome


@given(deal_bodies, asking_moments())
def test_paths_are_the_ways_of_deals(histories, at):
    plain = Counter(
        (stages, outcome or Outcome.OPEN)
        for stages, outcome in (_way(each, at) for each in histories if each.standing(at))
    )
    rows = paths(histories, as_of=at).rows
    assert {(row.stages, row.outcome): count.n for row, count in rows.items()} == plain


@given(deal_bodies, asking_moments())
def test_losses_by_stage_sum_to_the_deals_lost_and_every_deal_is_told(histories, at):
    found = stage_strength(histories, as_of=at, runs=0)
    ways = [_way(each, at) for each in histories if each.standing(at)]
    lost = sum(bool(stages) and outcome is Outcome.LOST for stages, outcome in ways)
    assert sum(each.losses.numerator for each in found.stages) == lost
    assert sum(each.loss_rate.numerator for each in found.stages) == lost
    assert all(each.losses.denominator == lost for each in found.stages)
    assert found.deals + sum(found.left_out.values()) == len(ways)


@given(deal_bodies, asking_moments())
def test_a_chance_with_the_chance_lost_here_is_that_of_those_that_go_on(histories, at):
    for each in stage_strength(histories, as_of=at, runs=0).stages:
        if each.lost_chance is not None:
            kept = 1 - Fraction(each.loss_rate.numerator, each.loss_rate.denominator)
            assert each.chance == kept * (each.chance + each.lost_chance)


# Reasons


@given(st.data(), deal_bodies, asking_moments())
def test_the_numbers_of_all_reasons_sum_to_the_closed_deals(data, histories, at):
    found = reasons(histories, as_of=at, by_stage=data.draw(st.booleans()))
    plain = Counter((deal.outcome, deal.reason) for deal in standing(histories, at))
    told = Counter()
    for each in found:
        told[each.outcome, each.reason] += each.n
        assert each.amounts.n == each.n
        assert each.share.denominator == sum(
            n for (outcome, _), n in plain.items() if outcome is each.outcome
        )
    assert told == {key: n for key, n in plain.items() if key[0] is not Outcome.OPEN}


# Profiles


@given(deal_bodies, asking_moments(), fields)
def test_the_numbers_of_all_values_sum_to_all_deals(histories, at, field):
    found = profile(histories, as_of=at, by=field)
    plain = Counter(deal.outcome for deal in standing(histories, at))
    for outcome in Outcome:
        assert sum(getattr(each, outcome.value) for each in found) == plain[outcome]
    assert sum(each.deals for each in found) == plain.total()
    for each in found:
        assert each.deals == each.open + each.number
        assert each.win_rate == Rate.of(each.won, each.number)
    lows = [-1 if r.win_rate.interval is None else r.win_rate.interval.low for r in found]
    assert lows == sorted(lows, reverse=True)
    tally = lifetimes(histories, as_of=at, by=field, by_at="creation")
    assert profile(tally) == found


# Customers


def _stage(event):
    if isinstance(event, LifecycleStageSet):
        return event.stage
    begun = event.creation if isinstance(event, Merged) else event
    return begun.lifecycle_stage if isinstance(begun, Created) else None


@given(contact_bodies, deal_bodies, asking_moments())
def test_customers_among_leads_are_those_of_a_plain_count(contacts, deals, at):
    won = {
        contact
        for deal in standing(deals, at)
        if deal.outcome is Outcome.WON
        for contact in deal.contacts
    }
    leads = customers = 0
    for history in contacts:
        known = history.standing(at)
        stages = [stage for stage in map(_stage, known) if stage is not None]
        if any(stage >= LifecycleStage.LEAD for stage in stages):
            leads += 1
            ids = {history.record, *(e.other for e in known if isinstance(e, Merged))}
            customers += bool(ids & won) or max(stages) >= LifecycleStage.CUSTOMER
    found = lead_to_customer(contacts, deals, as_of=at)
    assert found.rate == Rate.of(customers, leads)
    curve = found.time_to_customer
    assert curve.n + sum(curve.left_out.values()) == leads
    windowed = lead_to_customer(contacts, deals, as_of=at, window=5)
    young = sum(n for why, n in windowed.left_out.items() if why != "never_lead")
    assert windowed.rate.denominator + young == leads
    assert windowed.rate.numerator <= customers


@given(contact_bodies, asking_moments())
def test_cohorts_and_groups_of_leads_add_to_all(contacts, at):
    whole = lead_to_customer(contacts, as_of=at)
    groups = lead_to_customer(contacts, as_of=at, by="owner").values()
    assert sum(each.rate.denominator for each in groups) == whole.rate.denominator
    assert sum(each.rate.numerator for each in groups) == whole.rate.numerator
    span = [*WEEKS, Period(WEEKS[-1].end, WEEKS[-1].end + timedelta(days=60))]
    cohorts = [lead_to_customer(contacts, as_of=at, period=each).rate for each in span]
    assert sum(each.denominator for each in cohorts) == whole.rate.denominator


@given(deal_bodies, asking_moments())
def test_won_deals_are_of_customers_new_ones_or_nobody(deals, at):
    found = repeat_share(deals, as_of=at, of="contact")
    won = [deal for deal in standing(deals, at) if deal.outcome is Outcome.WON]
    assert found.from_customers.denominator + sum(found.left_out.values()) == len(won)
    buyers = Counter(contact for deal in won for contact in deal.contacts)
    again = sum(n > 1 for n in buyers.values())
    assert found.repeat_customers == Rate.of(again, len(buyers))


# Attempts


@given(deal_bodies, asking_moments())
def test_attempts_to_win_use_every_deal_or_say_why_not(deals, at):
    found = attempts_to_win(deals, as_of=at)
    assert found.n + sum(found.left_out.values()) == len(standing(deals, at))
    assert found.curve.n == found.n
    for before, after in pairwise(found.steps):
        ended = before.reached + before.given_up + before.still_trying
        assert after.tried == before.tried - ended
    if found.steps:
        last = found.steps[-1]
        assert last.tried == last.reached + last.given_up + last.still_trying


@given(contact_bodies, asking_moments())
def test_attempts_on_contacts_give_kaplan_and_meiers_product(contacts, at):
    found = attempts(contacts, as_of=at, stage="subscriber")
    left = Fraction(1)
    for step in found.steps:
        left *= Fraction(step.tried - step.reached, step.tried)
        assert step.share_reached == pytest.approx(float(1 - left), abs=1e-12)


def test_the_strategies_reach_what_the_laws_are_about():
    quick = settings(max_examples=500, database=None, phases=[Phase.generate])
    for bodies, reaches in (
        (deal_bodies, lambda body: attempts_to_win(body, as_of=NEVER).reached > 0),
        (contact_bodies, lambda body: attempts(body, as_of=NEVER).given_up > 0),
    ):
        assert find(bodies, reaches, settings=quick)
