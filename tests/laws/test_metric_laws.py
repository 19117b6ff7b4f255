"""What holds for tallies and figures whatever the records are, dirty ones included."""

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import (
    ORDERLY,
    START,
    hours,
    moments,
    read_contacts,
    read_deals,
)
from salespipeline import metrics
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.events import Created, LifecycleStageSet, Start
from salespipeline.lifecycle import LifecycleStage
from salespipeline.metrics import Survival
from salespipeline.money import Money
from salespipeline.periods import Period, Unit, on
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Moment, Stay, Why, lifetimes, people, standings, visits
from strategies import zones

DEAL_FIGURES = {
    "win_rate_closed": metrics.win_rate_closed,
    "win_rate_created": metrics.win_rate_created,
    "time_to_close": metrics.time_to_close,
    "average_deal_size": metrics.average_deal_size,
    "cycle_length": metrics.cycle_length,
    "deal_lifetime": metrics.deal_lifetime,
    "summary": metrics.summary,
    "deals_by_stage": metrics.deals_by_stage,
    "time_in_stage": metrics.time_in_stage,
    "pipeline_velocity": metrics.pipeline_velocity,
}
CONTACT_FIGURES = {
    "leads": metrics.leads,
    "qualified_leads": metrics.qualified_leads,
    "close_ratio": metrics.close_ratio,
    "contacts_by_lifecycle_stage": metrics.contacts_by_lifecycle_stage,
    "contacts_by_lead_status": metrics.contacts_by_lead_status,
}
WEEKS = tuple(Period(START, START + timedelta(days=60)).steps(Unit.WEEK))
GAPS = WEEKS[1:3] + WEEKS[5:6]

deal_bodies = st.lists(read_deals(), max_size=4)
contact_bodies = st.lists(read_contacts(), max_size=4)


def fields(kind):
    """Every field that records can be grouped by, or none."""
    names = [name for name in kind.names() if name != "attributes"]
    return st.none() | st.sampled_from([*names, "attributes.a"])


def resolutions():
    return st.none() | st.sampled_from([timedelta(hours=5), timedelta(days=1)])


def snapshots(histories, at):
    """The records as they stood, by the fold, which counting does not use."""
    stood = (history.as_of(at) for history in histories)
    return [record for record in stood if record is not None]


def known_start(history):
    return history.events[0].start is Start.EXACT


# Tallies add


@given(st.data(), deal_bodies, deal_bodies, moments(), zones(), resolutions())
def test_tallies_of_lifetimes_add(data, one, two, at, zone, resolution):
    options = {
        "as_of": at,
        "by": data.draw(fields(Deal)),
        "by_at": data.draw(st.sampled_from(Moment)),
        "periods": data.draw(st.sampled_from([(), WEEKS, GAPS])),
        "zone": zone,
        "resolution": resolution,
    }
    whole = lifetimes([*one, *two], **options)
    assert lifetimes(one, **options) + lifetimes(two, **options) == whole
    assert whole.n == len(snapshots([*one, *two], at))


@given(st.data(), deal_bodies, deal_bodies, moments(), zones(), resolutions())
def test_tallies_of_visits_add(data, one, two, at, zone, resolution):
    options = {"as_of": at, "by": data.draw(fields(Deal)), "zone": zone, "resolution": resolution}
    whole = visits([*one, *two], **options)
    assert visits(one, **options) + visits(two, **options) == whole


@given(st.data(), deal_bodies, deal_bodies, moments())
def test_tallies_of_standings_add(data, one, two, at):
    options = {"as_of": at, "by": data.draw(fields(Deal))}
    whole = standings([*one, *two], **options)
    assert standings(one, **options) + standings(two, **options) == whole
    assert whole.n == len(snapshots([*one, *two], at))


@given(st.data(), contact_bodies, contact_bodies, moments())
def test_tallies_of_people_add(data, one, two, at):
    options = {
        "as_of": at,
        "by": data.draw(fields(Contact)),
        "by_at": data.draw(st.sampled_from(Moment)),
        "periods": data.draw(st.sampled_from([(), WEEKS, GAPS])),
    }
    whole = people([*one, *two], **options)
    assert people(one, **options) + people(two, **options) == whole
    assert whole.n == len(snapshots([*one, *two], at))


# Tallies against the fold, and against plain counts


@given(deal_bodies, moments(), zones())
def test_lifetimes_agree_with_the_fold(histories, at, zone):
    plain = Counter()
    for history in histories:
        deal = history.as_of(at)
        if deal is None:
            continue
        age = (on(deal.closed_at or at, zone) - on(deal.opened_at, zone)).days
        usable = known_start(history) and age >= 0
        currency = None if deal.amount is None else deal.amount.currency
        plain[age if usable else None, deal.outcome, currency] += 1
    counted = Counter()
    for row, count in lifetimes(histories, as_of=at, zone=zone).rows.items():
        counted[row.age, row.outcome, row.currency] += count.n
    assert counted == plain


@given(st.data(), deal_bodies, moments())
def test_standings_agree_with_the_fold(data, histories, at):
    field = data.draw(fields(Deal).filter(lambda name: name in Deal.names()))
    plain = Counter(
        (getattr(deal, field), (deal.pipeline, deal.stage), deal.outcome)
        for deal in snapshots(histories, at)
    )
    counted = Counter()
    for row, count in standings(histories, as_of=at, by=field).rows.items():
        counted[row.group, row.stage, row.outcome] += count.n
    assert counted == plain


@given(contact_bodies, moments())
def test_people_agree_with_the_fold(histories, at):
    plain = Counter(
        (contact.owner, contact.lifecycle_stage, contact.lead_status)
        for contact in snapshots(histories, at)
    )
    tally = people(histories, as_of=at, by="owner", by_at="as_of")
    counted = {(row.group, row.stage, row.status): n.n for row, n in tally.rows.items()}
    assert counted == plain


def _plain_stays(histories, at, length):
    """The rows of visits by a plain count of the visits that histories give."""
    plain = Counter()
    for history in histories:
        if history.as_of(at) is None:
            continue
        stays = history.visits(at)
        following = [(visit.pipeline, visit.state) for visit in stays[1:]] + [None]
        for place, (visit, after) in enumerate(zip(stays, following, strict=True)):
            so_long = length(visit.entered, visit.left or at)
            why = None if so_long >= 0 else Why.NEGATIVE_DURATION
            why = why if visit.entry_known else Why.ENTRY_UNKNOWN
            stage = (visit.pipeline, visit.state)
            row = Stay(None, stage, visit.number, None if why else so_long, why, after)
            plain[row._replace(latest=stage not in following[place:])] += 1
    return plain


def _counts(tally):
    return {row: count.n for row, count in tally.rows.items()}


@given(deal_bodies, moments())
def test_the_quick_count_of_calendar_days_is_the_plain_count(histories, at):
    plain = _plain_stays(histories, at, lambda start, end: (end.date() - start.date()).days)
    tally = visits(histories, as_of=at)
    assert _counts(tally) == plain
    assert tally.n == plain.total()


@given(deal_bodies, moments(), zones())
def test_visits_in_any_zone_are_the_plain_count(histories, at, zone):
    def length(start, end):
        return (on(end, zone) - on(start, zone)).days

    assert _counts(visits(histories, as_of=at, zone=zone)) == _plain_stays(histories, at, length)


@given(deal_bodies, moments(), hours(1, 40))
def test_visits_at_any_resolution_are_the_plain_count(histories, at, unit):
    plain = _plain_stays(histories, at, lambda start, end: (end - start) // unit)
    assert _counts(visits(histories, as_of=at, resolution=unit)) == plain


@given(st.lists(read_deals(), max_size=6), moments())
def test_what_enters_a_stage_leaves_it_or_is_still_there(histories, at):
    entered, left = Counter(), Counter()
    for history in histories:
        known = history.standing(at)
        if known:
            entered[known[0].pipeline, known[0].stage] += 1
    still_there = Counter((deal.pipeline, deal.stage) for deal in snapshots(histories, at))
    for row, count in visits(histories, as_of=at).rows.items():
        if row.next is not None:
            left[row.stage] += count.n
            entered[row.next] += count.n
    assert entered == left + still_there


@given(st.lists(read_deals(**ORDERLY), max_size=4), moments())
def test_stage_times_sum_to_the_time_since_the_opening(histories, at):
    seen = [each for each in histories if known_start(each) and not each.events[0].observed_from]
    days = [(on(at) - on(deal.opened_at)).days for deal in snapshots(seen, at)]
    stages = metrics.time_in_stage(seen, as_of=at)
    assert sum(stage.total_days for stage in stages) == sum(days)


# Order, later knowledge, nothing


@given(st.data(), st.lists(read_deals(), min_size=1, max_size=4), moments())
def test_shuffling_deals_changes_no_figure(data, histories, at):
    by = data.draw(st.sampled_from([None, "owner", "stage"]))
    shuffled = data.draw(st.permutations(histories))
    for name, figure in DEAL_FIGURES.items():
        assert figure(shuffled, as_of=at, by=by) == figure(histories, as_of=at, by=by), name


@given(st.data(), st.lists(read_contacts(), min_size=1, max_size=4), moments())
def test_shuffling_contacts_changes_no_figure(data, histories, at):
    by = data.draw(st.sampled_from([None, "owner", "lead_status"]))
    shuffled = data.draw(st.permutations(histories))
    for name, figure in CONTACT_FIGURES.items():
        assert figure(shuffled, as_of=at, by=by) == figure(histories, as_of=at, by=by), name


@given(st.lists(read_deals(), max_size=3), st.lists(read_contacts(), max_size=3))
def test_before_everything_there_is_nothing_to_any_figure(deals, contacts):
    before = START - timedelta(days=1)
    for figure in DEAL_FIGURES.values():
        assert figure(deals, as_of=before) == figure([], as_of=before)
        assert figure(deals, as_of=before, by="owner") == {}
    now = metrics.summary(deals, as_of=before)
    assert (now.open, now.won, now.lost, now.average_deal_size.n) == (0, 0, 0, 0)
    for rate in (now.win_rate_closed, now.win_rate_created):
        assert (rate.value, rate.interval, rate.denominator) == (None, None, 0)
    assert (now.cycle_length.mean_days, now.deal_lifetime.median_days) == (None, None)
    assert metrics.pipeline_velocity(deals, as_of=before).per_day is None
    assert metrics.close_ratio(contacts, as_of=before).interval is None
    assert metrics.leads(contacts, as_of=before).n == 0
    assert sum(metrics.contacts_by_lifecycle_stage(contacts, as_of=before).values()) == 0


# Groups and sums


def _sum_of_groups(grouped, part):
    return sum((part(each) for each in grouped.values()), Counter())


def _amounts(amounts):
    money = {currency: total.minor for currency, (_, total) in amounts.by_currency.items()}
    return Counter({"n": amounts.n, "none": amounts.without_amount} | money)


@given(
    st.sampled_from(["owner", "stage", "source", "attributes.a"]),
    st.lists(read_deals(), max_size=5),
    moments(),
)
def test_figures_of_groups_of_deals_sum_to_the_whole(by, histories, at):
    for figure in (metrics.win_rate_closed, metrics.win_rate_created):

        def part(rate):
            return Counter({"k": rate.numerator, "n": rate.denominator})

        assert _sum_of_groups(figure(histories, as_of=at, by=by), part) == +part(
            figure(histories, as_of=at)
        )
    sizes = metrics.average_deal_size(histories, as_of=at, by=by)
    whole = metrics.average_deal_size(histories, as_of=at)
    assert _sum_of_groups(sizes, _amounts) == +_amounts(whole)
    for figure in (metrics.cycle_length, metrics.deal_lifetime):

        def parts(durations):
            total = Fraction(durations.mean_days or 0) * durations.n
            return Counter({"n": durations.n, "days": round(total)} | durations.left_out)

        grouped = figure(histories, as_of=at, by=by)
        assert _sum_of_groups(grouped, parts) == +parts(figure(histories, as_of=at))
    curves = metrics.time_to_close(histories, as_of=at, by=by)
    curve = metrics.time_to_close(histories, as_of=at)
    assert sum(each.n for each in curves.values()) == curve.n
    assert sum(each.ended for each in curves.values()) == curve.ended


@given(contact_bodies, moments())
def test_figures_of_groups_of_contacts_sum_to_the_whole(histories, at):
    grouped = metrics.leads(histories, as_of=at, by="owner")
    assert sum(each.n for each in grouped.values()) == metrics.leads(histories, as_of=at).n
    ratios = metrics.close_ratio(histories, as_of=at, by="owner")
    whole = metrics.close_ratio(histories, as_of=at)
    assert sum(ratio.numerator for ratio in ratios.values()) == whole.numerator
    assert sum(ratio.denominator for ratio in ratios.values()) == whole.denominator
    stages = metrics.contacts_by_lifecycle_stage(histories, as_of=at, by="owner")
    counted = _sum_of_groups(stages, Counter)
    assert counted == +Counter(metrics.contacts_by_lifecycle_stage(histories, as_of=at))


@given(st.lists(read_deals(), max_size=5), moments())
def test_cohorts_of_all_periods_sum_to_the_whole(histories, at):
    eras = (Period(START - timedelta(days=1), START + timedelta(days=9)),)
    eras += (Period(eras[0].end, START + timedelta(days=99)),)
    for figure in (metrics.win_rate_closed, metrics.win_rate_created):
        parts = [figure(histories, as_of=at, period=period) for period in eras]
        whole = figure(histories, as_of=at)
        assert sum(rate.numerator for rate in parts) == whole.numerator
        assert sum(rate.denominator for rate in parts) == whole.denominator


@given(
    st.lists(read_deals(), max_size=5),
    moments(),
    moments(),
    st.sampled_from([None, "owner", "attributes.a"]),
    st.sampled_from([None, "owner", "source"]),
)
def test_rates_say_the_same_of_histories_and_of_their_tally(histories, at, begin, by, cluster):
    period = Period(begin, begin + timedelta(days=3))
    for figure, moment in (
        (metrics.win_rate_closed, Moment.CLOSING),
        (metrics.win_rate_created, Moment.CREATION),
    ):
        tally = lifetimes(
            histories, as_of=at, by=by, by_at=moment, periods=(period,), cluster=cluster
        )
        asked = {"period": period, "cluster": cluster}
        whole = figure(histories, as_of=at, by=by, **asked)
        if by is None:
            assert whole == figure(tally, **asked)
        else:
            parts = {of: figure(part, **asked) for of, part in tally.groups().items()}
            assert {of: rate for of, rate in whole.items() if rate.denominator} == {
                of: rate for of, rate in parts.items() if rate.denominator
            }
    created = lifetimes(histories, as_of=at, by_at=Moment.CREATION, periods=(period,))
    same = metrics.same_period_rate
    assert same(histories, as_of=at, period=period) == same(created, period=period)


@given(st.lists(read_deals(), max_size=5), moments())
def test_deals_by_stage_sum_to_the_deals_that_are_there(histories, at):
    stages = metrics.deals_by_stage(histories, as_of=at)
    plain = Counter((deal.pipeline, deal.stage, deal.outcome) for deal in snapshots(histories, at))
    assert {(each.pipeline, each.stage, each.outcome): each.amounts.n for each in stages} == plain


# Figures against plain counts


@given(st.lists(read_deals(), max_size=6), moments())
def test_win_rates_are_plain_counts_of_outcomes(histories, at):
    outcomes = Counter(deal.outcome for deal in snapshots(histories, at))
    won, lost = outcomes[Outcome.WON], outcomes[Outcome.LOST]
    closed = metrics.win_rate_closed(histories, as_of=at)
    assert (closed.numerator, closed.denominator) == (won, won + lost)
    created = metrics.win_rate_created(histories, as_of=at)
    assert (created.numerator, created.denominator) == (won, outcomes.total())
    assert closed.value == (won / (won + lost) if won + lost else None)


@given(st.lists(read_deals(), max_size=6), moments(), st.sampled_from(WEEKS))
def test_a_period_selects_what_was_closed_or_created_in_it(histories, at, week):
    deals = snapshots(histories, at)
    closed = Counter(deal.outcome for deal in deals if deal.closed_at and deal.closed_at in week)
    rate = metrics.win_rate_closed(histories, as_of=at, period=week)
    assert (rate.numerator, rate.denominator) == (closed[Outcome.WON], closed.total())
    created = Counter(deal.outcome for deal in deals if deal.opened_at in week)
    rate = metrics.win_rate_created(histories, as_of=at, period=week)
    assert (rate.numerator, rate.denominator) == (created[Outcome.WON], created.total())


@given(st.lists(read_deals(), max_size=6), moments())
def test_the_average_size_totals_the_money_of_won_deals(histories, at):
    won = [deal for deal in snapshots(histories, at) if deal.outcome is Outcome.WON]
    amounts = [deal.amount for deal in won if deal.amount is not None]
    size = metrics.average_deal_size(histories, as_of=at)
    assert (size.n, size.n - size.without_amount) == (len(won), len(amounts))
    assert size.total() == (sum(amounts, Money(0, "EUR")) if amounts else None)
    if amounts:
        exact = Fraction(sum(amount.minor for amount in amounts), 100 * len(amounts))
        assert abs(Fraction(size.mean()) - exact) <= Fraction(1, 2 * 10**6)


@given(st.lists(read_deals(), max_size=6), moments())
def test_durations_are_those_of_the_statistics_module(histories, at):
    ages, unusable = [], 0
    for history in histories:
        deal = history.as_of(at)
        if deal is not None and deal.outcome is Outcome.WON:
            age = (deal.closed_at.date() - deal.opened_at.date()).days
            usable = known_start(history) and age >= 0
            ages += [age] if usable else []
            unusable += 0 if usable else 1
    cycle = metrics.cycle_length(histories, as_of=at)
    assert (cycle.n, sum(cycle.left_out.values())) == (len(ages), unusable)
    assert cycle.mean_days == (mean(ages) if ages else None)
    assert cycle.median_days == (median(ages) if ages else None)


@given(st.lists(read_deals(), max_size=6), moments())
def test_the_four_inputs_of_a_velocity_multiply_to_it(histories, at):
    deals = snapshots(histories, at)
    now = metrics.pipeline_velocity(histories, as_of=at)
    assert now.number == sum(deal.outcome is Outcome.OPEN for deal in deals)
    cycle = metrics.cycle_length(histories, as_of=at)
    assert (now.cycle_days is None) == (cycle.n == 0)
    if now.exact_per_day is not None:
        product = now.number * now.win_rate * now.average_size
        assert now.exact_per_day * now.cycle_days == product
        assert now.per_day == Money.rounded(product / now.cycle_days, "EUR")
        assert float(now.cycle_days) == cycle.mean_days


@given(st.lists(read_contacts(), max_size=6), moments(), st.sampled_from(WEEKS))
def test_a_cohort_is_of_the_first_event_at_lead_or_beyond(histories, at, week):
    leads = customers = 0
    for history in histories:
        known = history.standing(at)
        stages = [(event.at, _stage(event)) for event in known]
        firsts = [when for when, stage in stages if stage and stage >= LifecycleStage.LEAD]
        if firsts and firsts[0] in week:
            leads += 1
            customers += any(stage and stage >= LifecycleStage.CUSTOMER for _, stage in stages)
    assert metrics.leads(histories, as_of=at, period=week).n == leads
    ratio = metrics.close_ratio(histories, as_of=at, period=week)
    assert (ratio.numerator, ratio.denominator) == (customers, leads)


def _stage(event):
    if isinstance(event, Created):
        return event.lifecycle_stage
    return event.stage if isinstance(event, LifecycleStageSet) else None


# Kaplan and Meier

ages = st.integers(0, 30)
lives = st.lists(
    st.tuples(ages, st.booleans()) | st.tuples(ages, st.booleans(), st.integers(0, 20)),
    max_size=25,
)


def _kaplan_meier(given_lives, day):
    """The product over days of the share that lasts, exact, each day looking at everyone."""
    seen = [(*life, 0)[:3] for life in given_lives]
    share = Fraction(1)
    for each in sorted({age for age, ended, entry in seen if ended and age >= entry}):
        at_risk = sum(entry <= each <= age for age, _, entry in seen)
        ended = sum(over and age == each >= entry for age, over, entry in seen)
        share *= Fraction(at_risk - ended, at_risk) if each <= day else 1
    return share


@given(lives, st.integers(0, 31))
def test_the_curve_is_the_product_of_the_shares_that_last(given_lives, day):
    curve, used = Survival.of(given_lives), [(*life, 0)[:3] for life in given_lives]
    last = max((age for age, _, entry in used if age >= entry), default=-1)
    if day > last:
        assert curve.at(day) is None
    else:
        assert curve.at(day) == pytest.approx(float(_kaplan_meier(given_lives, day)), abs=1e-12)


@given(lives)
def test_the_curve_never_rises_and_keeps_within_0_and_1(given_lives):
    curve = Survival.of(given_lives)
    shares = [1.0, *(step.survival for step in curve.steps)]
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)
    assert [step.day for step in curve.steps] == sorted({step.day for step in curve.steps})
    for step in curve.steps:
        band = curve.interval_at(step.day)
        assert band is None or 0 <= band.low <= step.survival <= band.high <= 1


@given(st.lists(ages, min_size=1, max_size=25), st.integers(0, 30))
def test_without_censoring_the_curve_is_the_share_that_lasted(days, day):
    curve = Survival.of((age, True) for age in days)
    if day <= max(days):
        share = sum(age > day for age in days) / len(days)
        assert curve.at(day) == pytest.approx(share, abs=1e-12)
    half = min(each for each in days if 2 * sum(age > each for age in days) <= len(days))
    assert curve.median == half
    for step in curve.steps[:-1]:
        binomial = (step.survival * (1 - step.survival) / len(days)) ** 0.5
        assert step.error == pytest.approx(binomial)


@given(lives)
def test_everyone_is_used_or_left_out_by_reason(given_lives):
    curve = Survival.of(given_lives)
    assert curve.n + sum(curve.left_out.values()) == len(given_lives)
    assert curve.ended == sum(step.ended for step in curve.steps)


@given(st.lists(read_deals(), max_size=6), moments())
def test_time_to_close_uses_every_deal_or_says_why_not(histories, at):
    curve = metrics.time_to_close(histories, as_of=at)
    assert curve.n + sum(curve.left_out.values()) == len(snapshots(histories, at))
    assert set(curve.left_out) <= {"start_unknown", "negative_duration", "entry_after_end"}
