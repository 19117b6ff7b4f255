"""What holds for funnels and cohorts whatever the records are, dirty ones included."""

from collections import Counter
from datetime import timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from record_strategies import BOARD, ORDERLY, START, asking_moments, moments, read_deals
from salespipeline.history import DealHistory
from salespipeline.metrics.cohorts import cohort_rate, cohort_table, same_period_rate
from salespipeline.metrics.funnels import funnel
from salespipeline.metrics.outcomes import win_rate_created
from salespipeline.periods import Period, Unit, on
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Moment, lifetimes
from salespipeline.tallies._reach import Semantics, reach

WEEKS = tuple(Period(START, START + timedelta(days=60)).steps(Unit.WEEK))
STAGES = [("board", "talk"), ("board", "offer"), ("lean", "offer"), ("board", "signed")]
NESTED = [each for each in Semantics if each is not Semantics.ANY_VISIT]

bodies = st.lists(read_deals(), max_size=4)
fields = st.sampled_from([None, "owner", "stage", "attributes.a"])
windows = st.sampled_from([None, 0, 5, 20, timedelta(hours=30), timedelta(days=25)])
step_lists = st.lists(st.sampled_from(STAGES), min_size=1, max_size=4, unique=True)


@st.composite
def ways_asked(draw):
    """Steps, what reaching them means, and a window."""
    steps = draw(st.just({"pipeline": BOARD}) | st.builds(dict, steps=step_lists))
    return steps | {"semantics": draw(st.sampled_from(Semantics)), "window": draw(windows)}


@given(bodies, bodies, asking_moments(), ways_asked(), fields, fields, st.sampled_from(Moment))
def test_tallies_of_reach_add(one, two, at, asked, by, cluster, by_at):
    asked |= {"as_of": at, "by": by, "cluster": cluster, "by_at": by_at, "periods": WEEKS}
    whole = reach([*one, *two], **asked)
    assert reach(one, **asked) + reach(two, **asked) == whole
    assert reach([*two[::-1], *one[::-1]], **asked) == whole


@given(bodies, moments(), ways_asked(), st.sampled_from([None, "owner"]))
def test_what_comes_later_changes_no_funnel(deals, at, asked, by):
    asked |= {"as_of": at, "by": by}
    then = [deal.known(at) for deal in deals]
    # What was known then, told as it stood: events after the instant are gone.
    cut = [
        DealHistory([event for event in deal.events if event.at <= at])
        for deal, known in zip(deals, then, strict=True)
        if known and deal.events[0].at <= at and _in_sequence(deal, at)
    ]
    same = [
        deal
        for deal, known in zip(deals, then, strict=True)
        if known and deal.events[0].at <= at and _in_sequence(deal, at)
    ]
    assert funnel(cut, **asked) == funnel(same, **asked)


def _in_sequence(deal, at):
    """Whether the events up to an instant are the first ones, so that they are a history."""
    flags = [event.at <= at for event in deal.events]
    return flags == sorted(flags, reverse=True)


@given(bodies, asking_moments(), ways_asked())
def test_every_deal_is_in_the_funnel_once_or_left_out_by_reason(deals, at, asked):
    found = funnel(deals, as_of=at, **asked)
    there = sum(deal.as_of(at) is not None for deal in deals)
    out = sum(found.left_out.values())
    for step in found.steps:
        assert step.entered + out <= there
        assert step.skipped + step.re_entered <= there
    if asked["semantics"] is not Semantics.ANY_VISIT:
        assert found.entered + out == there


@given(bodies, asking_moments(), ways_asked())
def test_those_that_entered_went_on_or_stayed_or_left(deals, at, asked):
    found = funnel(deals, as_of=at, **asked)
    if asked["semantics"] is Semantics.ANY_VISIT:
        assert all(step.went_on is step.lost is step.rate is None for step in found.steps)
        return
    for step, following in pairwise([*found.steps, None]):
        stayed = step.still_there + step.open_elsewhere + step.won + step.lost
        assert step.entered == (step.went_on or 0) + stayed
        assert step.overall.denominator == found.entered
        if following:
            assert step.went_on == following.entered <= step.entered
            assert (following.rate.numerator, following.rate.denominator) == (
                step.went_on,
                step.entered,
            )
            timed = step.to_next.n + sum(step.to_next.left_out.values())
            assert timed == step.went_on
            assert step.progress.n + sum(step.progress.left_out.values()) == step.entered
    for step in found.steps:
        assert step.overall.value is None or 0 <= step.overall.value <= 1


@given(bodies, asking_moments(), ways_asked())
def test_stricter_meanings_reach_no_more(deals, at, asked):
    def entered(meaning):
        found = funnel(deals, as_of=at, **(asked | {"semantics": meaning, "window": None}))
        return [step.entered for step in found.steps]

    meanings = (
        Semantics.REACHED_OR_BEYOND,
        Semantics.IN_ORDER,
        Semantics.DIRECT_MOVE,
        Semantics.STRICT_ORDER,
    )
    for wider, stricter in pairwise(map(entered, meanings)):
        assert all(more >= fewer for more, fewer in zip(wider, stricter, strict=True))


@given(bodies, asking_moments(), ways_asked(), fields)
def test_groups_and_periods_add_up_to_the_whole(deals, at, asked, by):
    whole = funnel(deals, as_of=at, **asked)
    if by:
        parts = list(funnel(deals, as_of=at, by=by, **asked).values())
        assert _totals(parts) == _totals([whole]) or not deals
    always = Period(START - timedelta(days=1), START + timedelta(days=365))
    inside = funnel(deals, as_of=at, period=always, **asked)
    assert [step.entered for step in inside.steps] == [step.entered for step in whole.steps]


def _totals(found):
    totals = Counter()
    for each in found:
        totals.update({("left out", why): n for why, n in each.left_out.items()})
        for step in each.steps:
            for name in ("entered", "went_on", "still_there", "won", "lost", "skipped"):
                totals[step.number, name] += getattr(step, name) or 0
    return +totals


@given(bodies, asking_moments(), ways_asked())
def test_counting_stay_by_stay_agrees_with_counting_by_instants(deals, at, asked):
    by_instants = funnel(deals, as_of=at, zone=ZoneInfo("UTC"), **asked)
    assert funnel(deals, as_of=at, **asked) == by_instants


# A plain second computation, by what the meanings say


def visited(deal, at):
    """The stages of a deal's visits with the dates of entering, as `History.visits` tells."""
    return [((visit.pipeline, visit.state), on(visit.entered)) for visit in deal.visits(at)]


def _levels(stages, steps):
    """For each meaning, which steps were reached, by trying every choice of visits."""
    n = len(stages)
    found = {meaning: [False] * len(steps) for meaning in Semantics}
    for count in range(1, len(steps) + 1):
        chosen = [
            places
            for places in combinations(range(n), count)
            if all(stages[place] == steps[k] for k, place in enumerate(places))
        ]
        step = count - 1
        found[Semantics.IN_ORDER][step] = bool(chosen)
        found[Semantics.STRICT_ORDER][step] = any(p[-1] - p[0] == step for p in chosen)
        found[Semantics.DIRECT_MOVE][step] = any(
            all(stages[place - 1] == steps[k] for k, place in enumerate(p[1:])) for p in chosen
        )
        found[Semantics.ANY_VISIT][step] = steps[step] in stages
        found[Semantics.REACHED_OR_BEYOND][step] = any(s in stages for s in steps[step:])
    return found


@given(
    st.lists(read_deals(**ORDERLY), max_size=4),
    asking_moments(),
    step_lists,
    st.sampled_from(Semantics),
)
def test_funnels_agree_with_a_search_of_all_visits(deals, at, steps, meaning):
    entered, lengths = Counter(), Counter()
    skipped, again, out = Counter(), Counter(), 0
    for deal in deals:
        visits = visited(deal, at)
        stages = [stage for stage, _ in visits]
        unknown = bool(visits) and not deal.visits(at)[0].entry_known
        if not visits:
            continue
        levels = _levels(stages, steps)[meaning]
        begins_later = meaning in NESTED and not levels[0]
        hidden = unknown and steps[0] not in stages
        hidden = hidden and meaning is not Semantics.REACHED_OR_BEYOND
        if not any(step in stages for step in steps) or begins_later or hidden:
            out += 1
            continue
        for number, step in enumerate(steps):
            entered[number] += levels[number]
            skipped[number] += step not in stages and any(s in stages for s in steps[number + 1 :])
            again[number] += stages.count(step) > 1
        if meaning is Semantics.IN_ORDER and all(visit.entry_known for visit in deal.visits(at)):
            dates = list(_firsts(visits, steps))
            lengths.update(
                (number, (after - before).days)
                for number, (before, after) in enumerate(pairwise(dates))
            )
    found = funnel(deals, as_of=at, steps=steps, semantics=meaning)
    assert sum(found.left_out.values()) == out
    for number, step in enumerate(found.steps):
        assert step.entered == entered[number]
        assert step.skipped == skipped[number]
        assert step.re_entered == again[number]
        if meaning is Semantics.IN_ORDER and step.to_next and not step.to_next.left_out:
            told = [days for (at_step, days), n in lengths.items() if at_step == number
                    for _ in range(n)]  # fmt: skip
            assert step.to_next.n >= len(told)
            if step.to_next.n == len(told) and told:
                assert step.to_next.mean_days == sum(told) / len(told)


def _firsts(visits, steps):
    """The dates on which the steps were reached in order."""
    left = iter(visits)
    for step in steps:
        date = next((date for stage, date in left if stage == step), None)
        if date is None:
            return
        yield date


# Cohorts


@given(bodies, bodies, asking_moments(), st.sampled_from([None, "owner"]))
def test_cohorts_of_parts_are_those_of_the_whole(one, two, at, by):
    halves = [lifetimes(part, as_of=at, by_at="creation", periods=WEEKS) for part in (one, two)]
    whole = cohort_table([*one, *two], as_of=at, periods=WEEKS, ages=(0, 10, 30))
    assert cohort_table(halves[0] + halves[1], ages=(0, 10, 30)) == whole
    assert cohort_table([*two, *one], as_of=at, periods=WEEKS, ages=(0, 10, 30)) == whole
    if by:
        parts = cohort_table([*one, *two], as_of=at, periods=WEEKS, ages=(0, 10, 30), by=by)
        for number, cell in enumerate(whole):
            assert sum(part[number].created for part in parts.values()) == cell.created


@given(bodies, asking_moments(), st.integers(0, 40))
def test_a_mature_cell_is_the_plain_share_of_deals_closed_by_the_age(deals, at, age):
    for cell in cohort_table(deals, as_of=at, periods=WEEKS, ages=(age,)):
        assert cell.mature == (cell.cohort.end + timedelta(days=age) <= at)
        assert (cell.observed is None) or cell.mature
        assert cell.share is None or -1e-9 <= cell.share <= 1 + 1e-9
        if cell.observed is None:
            continue
        born = [deal for deal in deals if deal.events[0].at in cell.cohort and deal.as_of(at)]
        stood = [deal.as_of(at) for deal in born]
        assert cell.created == len(born)
        won = [
            deal
            for deal in stood
            if deal.outcome is Outcome.WON
            and 0 <= (on(deal.closed_at) - on(deal.opened_at)).days <= age
        ]
        told = cell.observed.numerator
        assert told <= len(won)
        assert len(won) - told <= sum(cell.left_out.values())


@given(bodies, asking_moments(), st.sampled_from(WEEKS))
def test_the_two_rates_of_a_period_count_the_deals_that_they_say(deals, at, week):
    now = cohort_rate(deals, as_of=at, period=week)
    assert now == win_rate_created(deals, as_of=at, period=week)
    ratio = same_period_rate(deals, as_of=at, period=week)
    stood = [deal.as_of(at) for deal in deals]
    won = [d for d in stood if d and d.outcome is Outcome.WON and d.closed_at in week]
    assert (ratio.won, ratio.created) == (len(won), now.denominator)
    later = cohort_rate(deals, as_of=at, period=week, horizon_days=10)
    assert later.numerator <= now.numerator
    if week.end + timedelta(days=10) > at and now.denominator:
        assert later.left_out == {"horizon_not_over": now.denominator}
