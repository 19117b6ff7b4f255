"""What holds for chances, forecasts and roll-ups whatever the records are, dirty ones included."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from record_strategies import ORDERLY, START, deal_happenings, hours, moments, read_deals
from salespipeline.errors import InvalidValueError
from salespipeline.events import ForecastCategory, ForecastCategorySet, Opened, Won
from salespipeline.history import DealHistory
from salespipeline.metrics._semi_markov import Cell, Model
from salespipeline.metrics._spread import Spread
from salespipeline.metrics.categories import ByHand, CategoryPolicy, forecast_categories
from salespipeline.metrics.forecast import forecast
from salespipeline.metrics.open_chance import chance_table, win_chances
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import visits
from salespipeline.tallies._categories import categories

bodies = st.lists(read_deals(), max_size=5)
POLICY = CategoryPolicy({"board": {"offer": "commit"}}, by_hand=ByHand.UNTIL_MOVE)


SOLD = DealHistory(
    [
        Opened(
            record="sold", sequence=1, at=START - timedelta(days=9), pipeline="board", stage="talk",
            amount=Money(100, "EUR"),
        ),
        Won(
            record="sold", sequence=2, at=START - timedelta(days=1), pipeline="board",
            stage="signed",
        ),
    ]
)  # fmt: skip
"""A deal that was won before everything, so that there is something to learn from."""


def named(histories):
    """The same histories, each with an id of its own."""
    from attrs import evolve

    return [
        DealHistory([evolve(event, record=f"d-{n}") for event in history.events])
        for n, history in enumerate(histories)
    ]


def told(histories, at, **options):
    """A forecast of the ninety days from an instant, or None where nothing was won."""
    period = Period(at, at + timedelta(days=90))
    asked = {"period": period, "seed": 1, "runs": 30, "refits": 2, "currency": "EUR"}
    try:
        return forecast(histories, as_of=at, **(asked | options))
    except InvalidValueError as refused:
        if "no deal has been won" in str(refused):
            return None
        raise


def grown(data, histories, at):
    """The same histories with later events, or such as were recorded later."""
    more = []
    for history in histories:
        events = list(history.events)
        for kind, facts in data.draw(st.lists(deal_happenings(), max_size=2)):
            after = at + timedelta(microseconds=1) + data.draw(hours())
            happened = data.draw(st.sampled_from([at, after]))
            late = after if happened == at else None
            number = len(events) + 1
            said = {"record": history.record, "sequence": number, "at": happened}
            events.append(kind(recorded_at=late, **said, **facts))
        more.append(DealHistory(events))
    return more


# Chances


@given(bodies, moments(), st.integers(1, 200))
def test_every_open_deal_has_a_chance_from_0_to_1_or_none(histories, at, days):
    deals = named(histories)
    rows = win_chances(deals, as_of=at, horizon_days=days)
    stood = (each.as_of(at) for each in deals)
    open_ = [deal.id for deal in stood if deal is not None and deal.outcome is Outcome.OPEN]
    assert [row.deal for row in rows] == sorted(open_)
    for row in rows:
        if row.chance is not None:
            assert 0 <= row.chance <= row.ever + 1e-9
            assert row.ever <= 1 + 1e-9


@given(bodies, moments())
def test_a_longer_horizon_has_no_smaller_chance(histories, at):
    rows = [win_chances(named(histories), as_of=at, horizon_days=days) for days in (1, 7, 60)]
    for short, middle, long in zip(*rows, strict=True):
        if short.chance is not None:
            assert short.chance <= middle.chance + 1e-12 <= long.chance + 2e-12


STAGES = [("p", name) for name in "abc"]
cells = st.builds(
    Cell,
    st.sampled_from(STAGES),
    st.integers(0, 12),
    st.sampled_from([*STAGES, Outcome.WON, Outcome.LOST, None]),
)


@given(st.lists(cells, min_size=1, max_size=60), st.integers(1, 15), st.floats(-3, 3))
def test_the_chances_of_winning_and_of_losing_leave_a_share_open(found, days, shift):
    counts = Counter(found)
    turned = {Outcome.WON: Outcome.LOST, Outcome.LOST: Outcome.WON}
    other = Counter(Cell(each.stage, each.length, turned.get(each.to, each.to)) for each in found)
    won, lost = Model.of(counts, {}), Model.of(other, {})
    for stage in {each.stage for each in found}:
        for age in (0, 3, 20):
            ends = [each.within(days).standing(stage, age, days) for each in (won, lost)]
            assert sum(ends) <= 1 + 1e-9
            assert min(ends) >= 0
            shocked = won.shocked(shift).within(days).standing(stage, age, days)
            assert -1e-9 <= shocked <= 1 + 1e-9


def pushed(model, start, days):
    """What is won of one deal in a stage, pushed forward day by day, and move by move."""
    there, won = {(start, 0): 1.0}, 0.0
    for _ in range(days):
        arriving, staying = there, {}
        while any(share > 1e-9 for share in arriving.values()):
            again = {}
            for (stage, age), share in arriving.items():
                source, left = model.stages[stage], share
                for to, rates in source.rates.items():
                    gone = share * rates[min(age, source.ages)]
                    left -= gone
                    won += gone if to is Outcome.WON else 0.0
                    if to in model.stages:
                        again[to, 0] = again.get((to, 0), 0.0) + gone
                staying[stage, age + 1] = staying.get((stage, age + 1), 0.0) + left
            arriving = again
        there = staying
    return won


def _comes_to_rest(model):
    """Whether deals do not go round and round within a day."""
    return all(
        sum(rates[0] for to, rates in each.rates.items() if isinstance(to, tuple)) < 0.9
        for each in model.stages.values()
    )


@given(st.lists(cells, min_size=1, max_size=40), st.integers(1, 6))
def test_the_model_agrees_with_pushing_deals_forward_day_by_day(found, days):
    model = Model.of(Counter(found), {})
    assume(_comes_to_rest(model))
    within = model.within(days)
    for start in {each.stage for each in found}:
        assert within.entering(start, days) == pytest.approx(pushed(model, start, days), abs=1e-5)


@given(bodies, moments())
def test_parts_of_a_tally_tell_the_table_of_the_whole(histories, at):
    from record_strategies import BOARD, LEAN
    from salespipeline.pipelines import Pipeline, Stage

    known = [
        Pipeline(BOARD.key, [*BOARD.stages, Stage("ghost")]),
        Pipeline(LEAN.key, [*LEAN.stages, *map(Stage, ("talk", "signed", "gone", "ghost"))]),
    ]
    one, two = histories[:2], histories[2:]
    parts = visits(one, as_of=at) + visits(two, as_of=at)
    whole = visits(histories, as_of=at)
    options = {"horizon_days": 30, "pipelines": known}
    for a, b in zip(chance_table(parts, **options), chance_table(whole, **options), strict=True):
        assert (a.stage, a.stage_age, a.visits) == (b.stage, b.stage_age, b.visits)
        assert a.chance == pytest.approx(b.chance)


# Forecasts


@given(st.data(), st.lists(read_deals(), min_size=1, max_size=5), moments())
def test_order_and_grouping_change_no_forecast(data, histories, at):
    deals = [*named(histories), SOLD]
    found = told(deals, at)
    assert told(data.draw(st.permutations(deals)), at) == found
    by = told(deals, at, by=data.draw(st.sampled_from(["owner", "stage", "attributes.a"])))
    assert by.drawn == found.drawn
    assert tuple(map(sum, zip(*(each.drawn for each in by.by_group.values()), strict=True))) == (
        found.drawn
    )
    assert win_chances(data.draw(st.permutations(deals)), as_of=at, horizon_days=9) == win_chances(
        deals, as_of=at, horizon_days=9
    )


@given(st.data(), st.lists(read_deals(), min_size=1, max_size=5), moments())
def test_what_happens_or_is_learnt_later_changes_no_forecast(data, histories, at):
    deals = named(histories)
    later = grown(data, deals, at)
    assert told(later, at) == told(deals, at)
    assert told(later, at, shock="estimated") == told(deals, at, shock="estimated")
    options = {"as_of": at, "horizon_days": 30}
    assert win_chances(later, **options) == win_chances(deals, **options)
    assert forecast_categories(later, as_of=at, policy=POLICY) == forecast_categories(
        deals, as_of=at, policy=POLICY
    )


@given(st.lists(read_deals(), min_size=1, max_size=5), moments())
def test_quantiles_rise_and_a_quota_of_nothing_is_certain(histories, at):
    found = told([*named(histories), SOLD], at)
    quantiles = [found.quantile(share) for share in (0.05, 0.1, 0.5, 0.9, 0.95)]
    assert quantiles == sorted(quantiles)
    assert found.chance_of(Money(0, "EUR")).value == 1
    assert found.chance_of(found.won).value == 1
    assert quantiles[0] >= found.won


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_a_quantile_is_reached_by_the_share_it_says(drawn, share):
    spread = Spread(currency="EUR", drawn=tuple(drawn))
    value = spread.quantile(share).minor
    assert sum(each <= value for each in drawn) >= share * len(drawn) - 1e-9
    assert sum(each < value for each in drawn) < share * len(drawn)


# Roll-ups


@given(st.data(), bodies, bodies, moments())
def test_categories_part_the_deals_and_tallies_of_them_add(data, one, two, at):
    options = {"as_of": at, "policy": POLICY, "by": data.draw(st.sampled_from([None, "owner"]))}
    options["periods"] = data.draw(st.sampled_from([(), (Period(START, START + timedelta(30)),)]))
    whole = categories([*one, *two], **options)
    assert categories(one, **options) + categories(two, **options) == whole
    stood = [each for each in (each.as_of(at) for each in [*one, *two]) if each is not None]
    assert whole.n == len(stood)
    found = forecast_categories([*one, *two], as_of=at, policy=POLICY)
    assert sum(line.amounts.n for line in found.lines) == len(stood)
    assert found.closed.amounts.n == sum(deal.outcome is Outcome.WON for deal in stood)
    assert found.pipeline.cumulative.n == len(stood) - found.omitted.amounts.n


@given(st.lists(read_deals(**ORDERLY), max_size=4), moments(), st.sampled_from(ForecastCategory))
def test_what_is_said_by_hand_is_the_snapshots_word(histories, at, category):
    deals = named(histories)
    said = [
        DealHistory(
            [
                *each.events,
                ForecastCategorySet(
                    record=each.record,
                    sequence=len(each.events) + 1,
                    at=max(each.events[-1].at, at),
                    category=category,
                ),
            ]
        )
        for each in deals
    ]
    now = max([at, *(each.events[-1].at for each in said)], default=at)
    found = forecast_categories(said, as_of=now, policy=CategoryPolicy(by_hand="sticky"))
    open_ = sum(each.as_of(now).outcome is Outcome.OPEN for each in said if each.as_of(now))
    (line,) = (line for line in found.lines if line.category is category)
    assert line.by_hand == open_
    assert any(isinstance(event, Won) for each in said for event in each.events) or (
        found.closed.by_hand == (open_ if category is ForecastCategory.CLOSED else 0)
    )
