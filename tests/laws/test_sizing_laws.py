"""What holds for sizes and quotas whatever the numbers are."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from record_strategies import START, hours, moments, read_deals
from salespipeline.events import Deleted
from salespipeline.metrics.attainment import attainment, attainment_steps
from salespipeline.metrics.sizing import (
    deals_needed,
    leads_needed,
    needed_each,
    sizing_by,
    sizing_from,
)
from salespipeline.metrics.value import average_deal_size
from salespipeline.money import Money
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import Outcome
from stories import day, days, deal, won

TWO_MONTHS = Period.between(START.date(), START.date().replace(month=3))
LATER = TWO_MONTHS.end
euros = st.integers(1, 10**9).map(lambda minor: Money.of_minor(minor, "EUR"))
shares = st.fractions(0, 1, max_denominator=1000).filter(bool)
clean = {"voids": False, "deletions": False}


@given(st.integers(1, 2000), st.integers(1, 300))
def test_what_is_needed_attains_the_target_and_one_deal_fewer_does_not(target, size):
    goal, each = Money.of_minor(target, "EUR"), Money.of_minor(size, "EUR")
    needed = deals_needed(goal, each).n
    sold = [deal(0, won(1), amount=each) for _ in range(needed)]
    asked = {"quota": goal, "period": days(0, 9), "as_of": day(9)}
    assert attainment(sold, **asked).exact >= 1
    assert attainment(sold, **asked).is_met
    assert attainment(sold[1:], **asked).exact < 1


@given(euros, euros, shares, st.integers(1, 50))
def test_rounding_up_never_reaches_too_little_nor_one_too_many(target, size, rate, people):
    deals = deals_needed(target, size)
    leads = leads_needed(deals, rate)
    each = needed_each(leads, people)
    assert (deals.n - 1) * size.minor < target.minor <= deals.n * size.minor
    assert (leads.n - 1) * rate < deals.n <= leads.n * rate
    assert (each.n - 1) * people < leads.n <= each.n * people
    for step in (deals, leads, each):
        assert step.n - 1 < step.exact <= step.n


@given(
    euros,
    st.lists(st.integers(0, 9) | st.decimals(0, 9, places=2), min_size=1, max_size=12).filter(any),
)
def test_the_parts_of_a_target_sum_to_it(target, weights):
    found = sizing_by(
        target, weights=dict(enumerate(weights)), average_size=Money(7, "EUR"), win_rate=0.3
    )
    assert sum(each.target.minor for each in found.values()) == target.minor
    for weight, each in zip(weights, found.values(), strict=True):
        exact = Fraction(weight) * target.minor / sum(map(Fraction, weights))
        assert abs(each.target.minor - exact) < 1


@given(st.lists(read_deals(), max_size=6), moments(), st.integers(0, 10**6))
def test_a_sizing_is_that_of_the_rate_and_the_mean_of_closed_deals(histories, at, target):
    goal = Money.of_minor(target + 1, "EUR")
    found = sizing_from(histories, target=goal, as_of=at, seed=3, draws=100)
    stood = [each for history in histories if (each := history.as_of(at))]
    won_ones = [each for each in stood if each.outcome is Outcome.WON]
    closed = [each for each in stood if each.outcome is not Outcome.OPEN]
    amounts = [Fraction(each.amount.amount) for each in won_ones if each.amount is not None]
    mean = sum(amounts) / len(amounts) if amounts else None
    assert found.average_size == mean
    assert found.win_rate == (Fraction(len(won_ones), len(closed)) if closed else None)
    assert found.left_out.get("no_amount", 0) == len(won_ones) - len(amounts)
    if mean:
        assert found.deals.n == -(-Fraction(goal.amount) // mean)
        assert found.leads.n == -(-found.deals.n * len(closed) // len(won_ones))
    if found.leads_range is not None:
        assert found.leads_range.low >= found.deals_range.low >= 1


@given(st.lists(read_deals(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_deals_changes_no_sizing(histories, random):
    shuffled = random.sample(histories, len(histories))
    asked = {"as_of": LATER, "seed": 3, "draws": 100}
    target = {"ada": Money(100, "EUR"), None: Money(5, "EUR")}
    one = sizing_from(histories, target=target, by="owner", **asked)
    assert one == sizing_from(shuffled, target=target, by="owner", **asked)


@given(
    st.lists(read_deals(**clean), max_size=6),
    st.sampled_from([Unit.WEEK, Unit.MONTH, Unit.DAY]),
    st.integers(0, 10**6),
    moments(),
)
def test_steps_sum_to_the_period_they_are_of(histories, unit, quota, at):
    goal = Money.of_minor(quota, "EUR")
    asked = {"quota": goal, "period": TWO_MONTHS, "as_of": at}
    whole = attainment(histories, **asked)
    steps = attainment_steps(histories, **asked, unit=unit)
    assert sum(each.won.minor for each in steps) == whole.won.minor
    assert sum(each.quota.minor for each in steps) == goal.minor
    assert sum(each.deals for each in steps) == whole.deals
    assert sum(each.without_amount for each in steps) == whole.without_amount
    days_over = sum(each.elapsed * each.period.days() for each in steps)
    assert days_over == whole.elapsed * TWO_MONTHS.days()
    ends = [each.period.end for each in steps]
    assert [each.period.start for each in steps] == [TWO_MONTHS.start, *ends[:-1]]
    assert ends[-1] == TWO_MONTHS.end


@given(st.lists(read_deals(), max_size=6), moments())
def test_owners_with_and_without_a_quota_make_up_the_whole(histories, at):
    quotas = {"ada": Money(100, "EUR"), "bob": Money(50, "EUR")}
    asked = {"period": TWO_MONTHS, "as_of": at}
    team = attainment(histories, quota=quotas, by="owner", **asked)
    whole = average_deal_size(histories, **asked)
    others = team.without_quota.values()
    assert sum(e.deals for e in team.each.values()) + sum(o.n for o in others) == whole.n
    rest = sum(total.minor for other in others if (total := other.total()))
    total = whole.total()
    assert sum(e.won.minor for e in team.each.values()) + rest == (total.minor if total else 0)
    assert team.met.denominator == (2 if at > TWO_MONTHS.start else 0)
    if team.exact_mean is not None:
        ratios = [each.exact for each in team.each.values()]
        assert min(ratios) <= team.exact_median == team.exact_mean <= max(ratios)


@given(st.lists(read_deals(**clean), max_size=5), moments(), hours(1, 400))
def test_events_after_the_instant_change_nothing(histories, at, after):
    goal = Money(Decimal("123.45"), "EUR")
    grown = [
        history.append(
            Deleted(
                record=history.record,
                sequence=len(history.events) + 1,
                at=max(at, history.events[-1].at) + after,
            )
        )
        for history in histories
    ]
    asked = {"as_of": at, "period": TWO_MONTHS}
    assert attainment(grown, quota=goal, **asked) == attainment(histories, quota=goal, **asked)
    asked |= {"seed": 1, "draws": 100, "target": goal}
    assert sizing_from(grown, **asked) == sizing_from(histories, **asked)
