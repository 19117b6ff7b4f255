"""What the figures of value keep, whatever the deals."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from record_strategies import BOARD, LEAN, deal_happenings, hours, moments, read_deals
from salespipeline.events import (
    CloseDateChanged,
    Lost,
    Moved,
    Opened,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    Won,
)
from salespipeline.metrics.book_value import DEAL_FIRST, pipeline_by_due_date, weighted_value
from salespipeline.metrics.concessions import concessions, discount
from salespipeline.metrics.coverage import pipeline_coverage
from salespipeline.metrics.sizes import deal_sizes, win_rate_by_size
from salespipeline.metrics.value import pipeline_value
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies._amounts import amounts
from salespipeline.tallies._book import book

PIPELINES = (BOARD, LEAN)
ENTERING = (Opened, Moved, Won, Lost, Reopened)
QUARTER = Period.quarter(2026, 1)
FIGURES = {
    "pipeline_value": lambda deals, at: pipeline_value(deals, as_of=at, pipelines=PIPELINES),
    "weighted_value": lambda deals, at: weighted_value(
        deals, as_of=at, policy=DEAL_FIRST, pipelines=PIPELINES
    ),
    "pipeline_by_due_date": lambda deals, at: pipeline_by_due_date(deals, as_of=at),
    "pipeline_coverage": lambda deals, at: pipeline_coverage(
        deals, as_of=at, period=QUARTER, quota=Money(5000, "EUR")
    ),
    "deal_sizes": lambda deals, at: deal_sizes(deals, as_of=at),
    "win_rate_by_size": lambda deals, at: win_rate_by_size(
        deals, as_of=at, thresholds=[Money(2000, "EUR"), Money(7000, "EUR")]
    ),
    "concessions": lambda deals, at: concessions(deals, as_of=at),
    "discount": lambda deals, at: discount(deals, as_of=at),
}


def due(history, day):
    """The history with a due date set at the instant of its last event."""
    last = history.events[-1]
    return history.append(
        CloseDateChanged(
            record=last.record, sequence=last.sequence + 1, at=last.at, expected_close=day
        )
    )


def bodies():
    days = st.integers(0, 120).map(lambda number: date(2026, 1, 1) + timedelta(number))
    return st.lists(read_deals() | st.builds(due, read_deals(), days), max_size=6)


def standing(histories, at):
    """The snapshots of those that are there, each by the whole fold."""
    deals = (history.as_of(at) for history in histories)
    return [deal for deal in deals if deal is not None]


def sums(deals):
    return Counter(
        {"n": len(deals), "minor": sum(deal.amount.minor for deal in deals if deal.amount)}
    )


def of(parts):
    return Counter(
        {
            "n": parts.n,
            "minor": sum(amount.minor for _, amount in parts.by_currency.values()),
        }
    )


@given(st.data(), bodies(), moments())
def test_shuffling_deals_changes_no_figure_of_value(data, histories, at):
    shuffled = data.draw(st.permutations(histories))
    for name, figure in FIGURES.items():
        assert figure(shuffled, at) == figure(histories, at), name


@given(st.data(), bodies(), moments())
def test_what_happens_or_is_learnt_later_changes_no_figure_of_value(data, histories, at):
    grown = []
    for history in histories:
        kind, facts = data.draw(deal_happenings())
        after = at + timedelta(microseconds=1) + data.draw(hours())
        happened = data.draw(st.sampled_from([after, at]))
        later = kind(
            record=history.record,
            sequence=len(history.events) + 1,
            at=happened,
            recorded_at=None if happened == after else after,
            **facts,
        )
        grown.append(history.append(later))
    for name, figure in FIGURES.items():
        assert figure(grown, at) == figure(histories, at), name


@given(st.data(), bodies(), moments(), st.sampled_from([book, amounts]))
def test_tallies_of_parts_add_up(data, histories, at, count):
    cut = data.draw(st.integers(0, len(histories)))
    parts = [count(part, as_of=at, by="owner") for part in (histories[:cut], histories[cut:])]
    assert parts[0] + parts[1] == count(histories, as_of=at, by="owner")


@given(bodies(), moments())
def test_a_row_of_the_book_says_what_the_snapshot_says(histories, at):
    deals = [deal for deal in standing(histories, at) if deal.outcome is Outcome.OPEN]
    tally = book(histories, as_of=at)
    assert tally.n == len(deals)
    told = Counter()
    for row, count in tally.rows.items():
        own = None if row.probability is None else (row.probability, row.basis)
        touched = at - timedelta(days=row.since_change)
        told[row.stage, row.owner, row.minor, own, touched.date(), row.next_planned] += count.n
    expected = Counter(
        (
            (deal.pipeline, deal.stage),
            deal.owner,
            None if deal.amount is None else deal.amount.minor,
            deal.probability and (deal.probability.value, deal.probability.basis),
            deal.changed_at.date(),
            deal.next_step is not None,
        )
        for deal in deals
    )
    assert told == expected


@given(bodies(), moments())
def test_the_pipeline_is_the_sum_of_open_deals_and_of_its_stages(histories, at):
    deals = [deal for deal in standing(histories, at) if deal.outcome is Outcome.OPEN]
    value = pipeline_value(histories, as_of=at, pipelines=PIPELINES)
    assert of(value.amounts) == sums(deals)
    assert sum((of(each.amounts) for each in value.stages), Counter()) == +sums(deals)
    groups = pipeline_value(histories, as_of=at, by="owner").values()
    assert sum((of(each.amounts) for each in groups), Counter()) == +sums(deals)


@given(bodies(), moments(), st.permutations(DEAL_FIRST), st.integers(1, 4))
def test_a_weighted_value_lies_between_nothing_and_the_whole(histories, at, order, most):
    worth = weighted_value(histories, as_of=at, policy=order[:most], pipelines=PIPELINES)
    total = worth.total()
    assert worth.n + sum(worth.left_out.values()) == worth.open.n
    if total is None:
        assert worth.n == 0
    else:
        assert 0 <= total.exact <= Fraction(total.amount.amount)
        assert total.amount <= worth.open.total()
        assert 0 <= total.variance <= Fraction(total.amount.amount) ** 2 / 4


def chances(history, at):
    """The probabilities that a deal has, each looked for backwards from the instant."""
    known = history.standing(at)
    places = [(event.pipeline, event.stage) for event in known if isinstance(event, ENTERING)]
    moved_at = cleared_at = -1
    for number, event in enumerate(known):
        if isinstance(event, ENTERING):
            gone = sum(isinstance(each, ENTERING) for each in known[:number])
            moved_at = number if gone and places[gone] != places[gone - 1] else moved_at
        elif isinstance(event, ProbabilitySet) and event.probability is None:
            cleared_at = number
    found = {}
    for basis in ProbabilityBasis:
        ends_with_a_move = basis in (ProbabilityBasis.STAGE, ProbabilityBasis.UNTIL_MOVE)
        from_ = max(cleared_at, moved_at) if ends_with_a_move else cleared_at
        said = [
            event.probability
            for event in known[from_ + 1 :]
            if isinstance(event, ProbabilitySet) and event.basis is basis
        ]
        found |= {basis: said[-1]} if said else {}
    return found


@given(bodies(), moments(), st.permutations(DEAL_FIRST), st.integers(1, 4))
def test_a_weighted_value_is_a_plain_sum_over_histories(histories, at, order, most):
    policy = order[:most]
    exact, used = Fraction(), Counter()
    for history in histories:
        deal = history.as_of(at)
        if deal is None or deal.outcome is not Outcome.OPEN or deal.amount is None:
            continue
        having = chances(history, at)
        if (deal.pipeline, deal.stage) == ("board", "offer"):
            having[ProbabilityBasis.STAGE] = Decimal("0.5")
        for basis in policy:
            if basis in having:
                exact += Fraction(having[basis]) * Fraction(deal.amount.amount)
                used[basis] += 1
                break
    worth = weighted_value(histories, as_of=at, policy=policy, pipelines=PIPELINES)
    assert +Counter(worth.by_basis) == used
    assert (worth.total() is None) == (not used)
    assert worth.total() is None or worth.total().exact == exact


@given(bodies(), moments())
def test_due_dates_part_the_pipeline(histories, at):
    parts = pipeline_by_due_date(histories, as_of=at)
    whole = pipeline_value(histories, as_of=at).amounts
    assert sum((of(each.amounts) for each in parts), Counter()) == +of(whole)
    steps = [each.step.start for each in parts if each.step is not None]
    assert steps == sorted(set(steps))


@given(bodies(), moments(), st.integers(0, 9000))
def test_coverage_times_what_remains_is_the_pipeline(histories, at, quota):
    coverage = pipeline_coverage(histories, as_of=at, period=QUARTER, quota=Money(quota, "EUR"))
    assert (coverage.value is None) == (coverage.remaining <= Money(0, "EUR"))
    assert (coverage.value is None) == (coverage.why_none == "quota_met")
    if coverage.value is not None:
        assert coverage.value * coverage.remaining.minor == coverage.pipeline.minor
        assert coverage.value >= coverage.of_quota >= 0


@given(bodies(), moments(), st.sampled_from(Outcome))
def test_sizes_are_those_of_the_statistics_module(histories, at, outcome):
    deals = [deal for deal in standing(histories, at) if deal.outcome is outcome]
    minor = [deal.amount.minor for deal in deals if deal.amount is not None]
    sizes = deal_sizes(histories, as_of=at, outcome=outcome)
    assert (sizes.n, sizes.without_amount) == (len(deals), len(deals) - len(minor))
    if minor:
        found = sizes.by_currency["EUR"]
        assert found.median == median(map(Decimal, minor)) / 100
        assert (found.smallest.minor, found.largest.minor) == (min(minor), max(minor))
    else:
        assert sizes.by_currency == {}


@given(bodies(), moments(), st.integers(0, 5000), st.integers(1, 5000))
def test_bands_part_the_deals_that_have_an_amount(histories, at, first, more):
    ends = [Money(first, "EUR"), Money(first + more, "EUR")]
    bands = win_rate_by_size(histories, as_of=at, thresholds=ends)
    deals = [deal for deal in standing(histories, at) if deal.amount is not None]
    for place, band in enumerate(bands):
        inside = [deal for deal in deals if sum(end <= deal.amount for end in ends) == place]
        won = sum(deal.outcome is Outcome.WON for deal in inside)
        lost = sum(deal.outcome is Outcome.LOST for deal in inside)
        assert (band.win_rate.numerator, band.win_rate.denominator) == (won, won + lost)
        assert band.open.n == len(inside) - won - lost


@given(bodies(), moments())
def test_every_won_deal_is_in_the_discount_or_left_out_by_reason(histories, at):
    won = [deal for deal in standing(histories, at) if deal.outcome is Outcome.WON]
    found = discount(histories, as_of=at)
    compared = sum(each.n for each in found.by_currency.values())
    assert compared + sum(found.left_out.values()) == len(won)
    assert concessions(histories, as_of=at).deals.denominator == len(won)
