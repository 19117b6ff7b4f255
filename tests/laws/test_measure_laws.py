import pickle
from datetime import UTC, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import exp, log

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from salespipeline.attributes import Attributes
from salespipeline.errors import UnknownKeyError
from salespipeline.intervals import jeffreys, log_log, wilson
from salespipeline.lifecycle import LIFECYCLE, LifecycleStage
from salespipeline.money import MINOR_UNITS, Money, total, totals
from salespipeline.periods import Period, Unit, days_between, midnight, on, utc
from salespipeline.pipelines import Outcome
from salespipeline.rules import Result
from strategies import (
    attributes,
    books_with_move,
    books_with_states,
    counts,
    currencies,
    days,
    explicit_books,
    forward_books,
    instants,
    levels,
    money,
    names,
    periods,
    pipelines,
    rulebooks,
    status_schemes,
    values,
    zones,
)

WEIGHTS = st.lists(st.integers(0, 10**6) | st.decimals(0, 100, places=3), min_size=1, max_size=12)
UNITS = st.sampled_from(Unit)
MONTHS = st.integers(1, 12)


def there_and_back(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


# Money


@given(money(), WEIGHTS)
def test_parts_sum_to_the_whole_whatever_the_weights(whole, weights):
    assume(any(weights))
    parts = whole.allocate(weights)
    assert len(parts) == len(weights)
    assert sum(part.minor for part in parts) == whole.minor
    assert {part.currency for part in parts} == {whole.currency}


@given(money(), WEIGHTS)
def test_no_part_is_a_minor_unit_or_more_from_its_share(whole, weights):
    assume(any(weights))
    everything = sum(map(Fraction, weights))
    for part, weight in zip(whole.allocate(weights), weights, strict=True):
        assert abs(part.minor - whole.minor * Fraction(weight) / everything) < 1
        assert weight or not part


@given(money(), WEIGHTS)
def test_a_debt_splits_as_the_amount_does(whole, weights):
    assume(any(weights))
    assert (-whole).allocate(weights) == tuple(-part for part in whole.allocate(weights))


@given(
    st.lists(money(), max_size=20).flatmap(
        lambda given: st.tuples(st.just(given), st.permutations(given))
    )
)
def test_totals_do_not_depend_on_the_order(both):
    ordered, shuffled = both
    assert totals(ordered) == totals(shuffled)
    euros = [amount for amount in ordered if amount.currency == "EUR"]
    assert total(euros) == total(reversed(euros))


@given(st.lists(money("EUR"), min_size=1), st.integers(0, 50))
def test_a_total_is_the_total_of_the_totals_of_its_parts(amounts, cut):
    parts = [part for part in (total(amounts[:cut]), total(amounts[cut:])) if part is not None]
    assert total(parts) == total(amounts)
    assert total(amounts).minor == sum(amount.minor for amount in amounts)


@given(currencies().flatmap(lambda code: st.tuples(money(code), money(code), money(code))))
def test_money_adds_like_numbers(three):
    a, b, c = three
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert (a + b) - b == a
    assert a + (-a) == a * 0
    assert (a < b) == (a.amount < b.amount)
    assert (a >= b) == (a.amount >= b.amount)


@given(money())
def test_money_is_the_same_from_its_amount_its_text_and_its_minor_units(amount):
    code = amount.currency
    assert Money(amount.amount, code) == Money(str(amount.amount), code) == amount
    assert Money.of_minor(amount.minor, code) == amount
    assert eval(repr(amount), {"Money": Money}) == amount  # noqa: S307 - our own repr
    assert -amount.amount.as_tuple().exponent == MINOR_UNITS.get(code, 2)


@given(st.fractions(-(10**9), 10**9), currencies())
def test_rounding_moves_an_amount_by_half_a_minor_unit_at_most(number, code):
    minor = number * 10 ** MINOR_UNITS.get(code, 2)
    assert abs(Money.rounded(number, code).minor - minor) <= Fraction(1, 2)


@given(money("EUR"))
def test_a_rate_of_one_to_a_currency_of_as_many_places_changes_the_code_alone(amount):
    assert amount.convert("USD", Decimal(1)) == Money.of_minor(amount.minor, "USD")


# Instants and periods


@given(instants())
def test_an_instant_is_the_same_one_in_utc(at):
    assert utc(at).timestamp() == at.timestamp()
    assert utc(at).tzinfo is UTC
    assert utc(utc(at)) == utc(at)


@given(instants(), instants(), instants(), zones())
def test_days_between_are_antisymmetric_and_add_up(a, b, c, zone):
    assert days_between(a, b, zone) == -days_between(b, a, zone)
    assert days_between(a, b, zone) + days_between(b, c, zone) == days_between(a, c, zone)
    assert days_between(a, a, zone) == 0


@given(days(), days(), zones())
def test_days_between_midnights_are_the_difference_of_the_dates(first, last, zone):
    begun, ended = midnight(first, zone), midnight(last, zone)
    assert days_between(begun, ended, zone) == (last - first).days


@given(days(), zones())
def test_midnight_is_the_first_instant_of_its_date(day, zone):
    start = midnight(day, zone)
    assert on(start, zone) == day
    assert on(start - timedelta(microseconds=1), zone) == day - timedelta(days=1)


@given(instants(), UNITS, MONTHS, zones())
def test_the_step_that_contains_an_instant_contains_it(at, unit, first_month, zone):
    step = Period.containing(at, unit, first_month=first_month, zone=zone)
    assert at in step
    again = Period.containing(
        step.end - timedelta(microseconds=1), unit, first_month=first_month, zone=zone
    )
    assert again == step
    assert step.end not in step


@given(
    periods(), st.sampled_from([Unit.WEEK, Unit.MONTH, Unit.QUARTER, Unit.YEAR]), MONTHS, zones()
)
def test_steps_tile_a_period_without_gap_or_overlap(period, unit, first_month, zone):
    steps = list(period.steps(unit, first_month=first_month, zone=zone))
    assert steps[0].start <= period.start
    assert steps[0].end > period.start
    assert steps[-1].start < period.end <= steps[-1].end
    for before, after in pairwise(steps):
        assert before.end == after.start


@given(st.integers(2000, 2049), MONTHS, zones())
def test_days_weeks_and_months_of_a_fiscal_year_are_those_of_the_calendar(year, first_month, zone):
    whole = Period.year(year, first_month=first_month, zone=zone)
    months = list(whole.steps(Unit.MONTH, zone=zone))
    quarters = [Period.quarter(year, n, first_month=first_month, zone=zone) for n in (1, 2, 3, 4)]
    assert len(months) == 12
    assert list(whole.steps(Unit.QUARTER, first_month=first_month, zone=zone)) == quarters
    for step in (*months, *quarters):
        local = step.start.astimezone(zone)
        assert on(step.start, zone).day == 1
        assert local.hour in (0, 1)  # 1 where the clocks skip midnight, as they did in Brazil
    assert sum(month.days(zone) for month in months) == whole.days(zone) in (365, 366)


# Attributes


@given(st.dictionaries(names(), values(), max_size=6), st.randoms(use_true_random=False))
def test_attributes_are_equal_whatever_their_order(given_values, random):
    shuffled = list(given_values.items())
    random.shuffle(shuffled)
    one, other = Attributes(given_values), Attributes(dict(shuffled))
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == repr(other)
    assert list(one) == sorted(given_values)


@given(attributes())
def test_attributes_come_back_from_a_pickle_and_from_themselves(one):
    assert there_and_back(one) == one
    assert hash(there_and_back(one)) == hash(one)
    assert Attributes(one) == one


@given(attributes(), names(), values())
def test_a_value_that_was_set_is_there_and_can_be_taken_out(one, name, value):
    changed = one.with_value(name, value)
    assert changed[name] == value
    assert changed.without(name) == one.without(name)
    assert set(changed) == {*one, name}


# Intervals


@given(counts(), levels())
@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_an_interval_of_a_proportion_lies_within_zero_and_one_and_holds_the_estimate(
    method, count, level
):
    successes, trials = count
    interval = method(successes, trials, level)
    assert 0 <= interval.low <= interval.high <= 1
    assert successes / trials in interval


@given(counts(), levels(), levels())
@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_more_confidence_takes_a_wider_interval(method, count, one, other):
    narrow, wide = (method(*count, level) for level in sorted((one, other)))
    assert wide.low <= narrow.low + 1e-12
    assert narrow.high <= wide.high + 1e-12


@given(counts(), levels())
@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_failures_mirror_successes(method, count, level):
    successes, trials = count
    won, lost = method(successes, trials, level), method(trials - successes, trials, level)
    assert won.low == pytest.approx(1 - lost.high, abs=1e-12)
    assert won.high == pytest.approx(1 - lost.low, abs=1e-12)


@given(counts())
@pytest.mark.parametrize("method", [wilson, jeffreys])
def test_the_same_share_of_more_trials_is_surer(method, count):
    successes, trials = count
    few, many = method(successes, trials), method(10 * successes, 10 * trials)
    assert many.high - many.low < few.high - few.low


@given(st.floats(1e-6, 1 - 1e-6), st.floats(0, 0.5), levels())
def test_log_log_stays_within_zero_and_one_and_holds_the_estimate(survival, error, level):
    interval = log_log(survival, error, level)
    assert 0 <= interval.low <= survival <= interval.high <= 1


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.3), levels())
def test_the_ends_of_log_log_lie_equally_far_on_its_own_scale(survival, error, level):
    interval = log_log(survival, error, level)
    assume(exp(-600) < interval.low and interval.high < 1 - 1e-9)
    below, middle, above = (log(-log(p)) for p in (interval.low, survival, interval.high))
    assert below - middle == pytest.approx(middle - above, rel=1e-5)


@given(st.floats(0.01, 0.99), st.floats(0, 0.5), levels(), levels())
def test_more_confidence_takes_a_wider_log_log_interval(survival, error, one, other):
    narrow, wide = (log_log(survival, error, level) for level in sorted((one, other)))
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


# Rulebooks


@given(books_with_move())
def test_allowed_lists_exactly_what_decide_allows_and_permits_says(move):
    book, source, _ = move
    decided = tuple(state for state in book.states if book.decide(source, state))
    permitted = tuple(state for state in book.states if book.permits(source, state))
    assert book.allowed(source) == decided == permitted


@given(books_with_move())
def test_options_cover_every_state_once_in_order(move):
    book, source, _ = move
    options = book.options(source)
    assert tuple(decision.target for decision in options) == book.states
    assert tuple(decision.target for decision in options if decision) == book.allowed(source)


@given(books_with_move())
def test_a_decision_allows_without_denials_or_denies_with_some(move):
    book, source, target = move
    decision = book.decide(source, target)
    assert bool(decision) == (not decision.denials) == (decision.result is Result.ALLOWED)
    if not decision:
        assert decision.alternatives == book.allowed(source)
        assert all(denial.message in decision.explain("it") for denial in decision.denials)


@given(books_with_states(forward_books()))
def test_a_forward_rulebook_never_allows_a_lower_rank(move):
    book, source, target = move
    if book.permits(source, target):
        steps = book.states.index(target) - book.states.index(source)
        assert steps >= 1
        assert steps == 1 or book.skips


@given(st.sampled_from(LifecycleStage), st.sampled_from(LifecycleStage))
def test_the_lifecycle_allows_exactly_what_lies_ahead(source, target):
    assert LIFECYCLE.permits(source, target) == (source.rank < target.rank)


@given(books_with_states())
def test_nothing_leaves_a_final_state_and_nothing_stays(move):
    book, source, target = move
    assert not book.permits(source, source)
    assert source not in book.final or not book.permits(source, target)


@given(rulebooks())
def test_an_equal_rulebook_has_an_equal_fingerprint(book):
    copied = there_and_back(book)
    assert copied == book
    assert hash(copied) == hash(book)
    assert copied.fingerprint == book.fingerprint
    assert attrs.evolve(book, meaning="other words").fingerprint == book.fingerprint


@given(books_with_states(explicit_books()))
def test_a_fingerprint_differs_when_any_move_does(move):
    book, source, target = move
    changed = attrs.evolve(book, edges=book.edges ^ {(source, target)}, final=frozenset())
    same = attrs.evolve(book, final=frozenset())
    assert changed.fingerprint != same.fingerprint


@given(books_with_states())
def test_a_fingerprint_differs_when_a_beginning_or_an_end_does(move):
    book, state, _ = move
    begun = attrs.evolve(book, creation=book.creation ^ {state})
    ended = attrs.evolve(book, final=book.final ^ {state})
    assert len({book.fingerprint, begun.fingerprint, ended.fingerprint}) == 3


@given(rulebooks(), rulebooks())
def test_rulebooks_with_one_fingerprint_decide_alike(one, other):
    if one.fingerprint == other.fingerprint:
        assert one.states == other.states
        for source in (None, *one.states):
            assert one.allowed(source) == other.allowed(source)


@given(rulebooks())
def test_a_drawing_holds_an_arrow_for_every_allowed_move(book):
    arrows = book.to_mermaid().count("-->")
    moves = sum(len(book.allowed(source)) for source in (None, *book.states))
    ends = sum(not book.allowed(source) for source in book.states)
    assert arrows == moves + ends
    assert len(book.to_markdown().splitlines()) == 3 + len(book.states)


# Schemes and pipelines


@given(status_schemes(), names())
def test_a_scheme_knows_its_keys_and_its_retired_keys_and_no_others(scheme, key):
    assert scheme.initial.key in scheme.keys
    for retired, successor in scheme.former.items():
        assert scheme.status(retired) == scheme.status(successor)
    if key in scheme.keys:
        assert scheme.status(key).key == key
    else:
        with pytest.raises(UnknownKeyError):
            scheme.status(key)


@given(status_schemes(), st.none() | names(), st.none() | st.sampled_from(LifecycleStage))
def test_a_contact_has_a_status_exactly_where_the_scheme_is_active(scheme, status, stage):
    after = scheme.after(status, stage)
    assert (after is not None) == (stage in scheme.active_in)
    assert scheme.after(after, stage) == after


@given(status_schemes())
def test_a_scheme_comes_back_from_a_pickle(scheme):
    assert there_and_back(scheme) == scheme


@given(pipelines())
def test_every_pipeline_can_be_won_and_lost(pipeline):
    for outcome in Outcome:
        key = pipeline.closing(outcome)
        assert pipeline.outcome(key) is outcome
        assert pipeline.stage(key).outcome is outcome
        assert key in pipeline.rulebook.states


@given(pipelines(), names())
def test_a_pipeline_holds_its_stages_and_its_retired_keys_and_no_others(pipeline, key):
    assert [pipeline.stage(each.key) for each in pipeline.stages] == list(pipeline.stages)
    for retired in pipeline.former:
        assert pipeline.stage(retired) in pipeline.stages
    assert (key in pipeline) == (key in pipeline.keys)


@given(pipelines())
def test_a_pipeline_comes_back_from_a_pickle(pipeline):
    assert there_and_back(pipeline) == pipeline
