"""What holds for retention whatever the terms are, overlapping and odd ones included."""

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import read_deals
from salespipeline.events import Deleted, FieldSet, Term
from salespipeline.metrics.loyalty import customer_lifetime, new_and_existing
from salespipeline.metrics.outcomes import Survival, win_rate_closed
from salespipeline.metrics.retention import recurring_revenue, renewals, retention
from salespipeline.money import MINOR_UNITS, Money
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import Outcome
from salespipeline.tallies._accounts import accounts
from stories import START, day, deal, lost, won

QUARTERS = tuple(Period.year(2026).steps(Unit.QUARTER))
OVER = QUARTERS[-1].end
ACCOUNTS = ("a", "b", "c", None)


@st.composite
def bodies(draw, most=8, accounts_of=ACCOUNTS):
    """Deals of few accounts, with terms that overlap, follow or leave gaps; some renew another."""
    histories = []
    for number in range(draw(st.integers(0, most))):
        opened = draw(st.integers(-400, 360))
        begins = date(2026, 1, 1) + timedelta(days=draw(st.integers(-500, 400)))
        lasts = draw(st.sampled_from([1, 27, 31, 90, 181, 365, 366, 730]))
        money = Money.of_minor(draw(st.integers(-50, 5000)), draw(st.sampled_from(["EUR", "JPY"])))
        closed = opened + draw(st.integers(0, 60))
        steps = draw(st.sampled_from([(won(closed),)] * 6 + [(lost(closed),), ()]))
        histories.append(
            deal(
                opened, *steps, record=f"d-{number}", account=draw(st.sampled_from(accounts_of)),
                owner=draw(st.sampled_from(["ada", "bob"])),
                renews=draw(st.none() | st.integers(0, most).map("d-{}".format)),
                term=draw(st.sampled_from([None] + [
                    Term(begins, begins + timedelta(days=lasts), money)
                ] * 5)),
            )
        )  # fmt: skip
    return histories


# A plain, slow second computation: from snapshots, day by day, month by month


def rate_of(term):
    """The amount of a month in major units."""
    whole = 0
    while term.start + relativedelta(months=whole + 1) <= term.end:
        whole += 1
    begun, next_one = (term.start + relativedelta(months=whole + n) for n in (0, 1))
    months = whole + Fraction((term.end - begun).days, (next_one - begun).days)
    return Fraction(term.recurring.amount) / months


def in_force_on(histories, at, on_date):
    """By account, what each deal in force on a date brings: (currency, rate)."""
    deals = [found for history in histories if (found := history.as_of(at))]
    usable = {
        each.id: each
        for each in deals
        if each.outcome is Outcome.WON and each.term and each.account is not None
        and each.term.recurring.minor >= 0
    }  # fmt: skip

    def age(each):
        return each.term.start, each.closed_at, each.id

    found = defaultdict(list)
    for each in usable.values():
        related = [
            other
            for other in usable.values()
            if other is not each and other.account == each.account
            and (other.renews == each.id or each.renews == other.id)
        ]  # fmt: skip
        replaced = any(age(o) > age(each) and o.term.start <= on_date for o in related)
        if each.term.start <= on_date < each.term.end and not replaced:
            found[each.account].append((each.term.recurring.currency, rate_of(each.term)))
    return found


def summed(parts):
    sums = defaultdict(Fraction)
    for currency, rate in parts:
        sums[currency] += rate
    return sums


@given(bodies(), st.sampled_from(QUARTERS))
def test_retention_is_what_a_slow_second_computation_gives(histories, period):
    found = retention(histories, as_of=OVER, period=period)
    edge = timedelta(days=1)
    was = in_force_on(histories, OVER, period.start.date() - edge)
    now = in_force_on(histories, OVER, period.end.date() - edge)
    gone = set(was) - set(now)
    assert (found.logo_churn.numerator, found.logo_churn.denominator) == (len(gone), len(was))
    assert found.new_accounts + found.reactivated_accounts == len(set(now) - set(was))
    assert all(MINOR_UNITS.get(each, 2) in (0, 2) for each in found.revenue)
    for currency in ("EUR", "JPY"):
        money = found.revenue.get(currency)
        if money is None:
            assert not any(
                c == currency for parts in [*was.values(), *now.values()] for c, _ in parts
            )
            continue
        olds = {account: summed(parts)[currency] for account, parts in was.items()}
        news = {account: summed(now.get(account, []))[currency] for account in was}
        stayed = set(was) - gone
        assert money.start == sum(olds.values())
        assert money.end == sum(news.values())
        assert money.churn == sum(olds[account] for account in gone)
        assert money.contraction == sum(max(0, olds[a] - news[a]) for a in stayed)
        assert money.expansion == sum(max(0, news[a] - olds[a]) for a in stayed)
        came = {account: summed(parts)[currency] for account, parts in now.items()}
        assert money.new + money.reactivated == sum(came[a] for a in came.keys() - was.keys())


@given(bodies(), st.sampled_from(QUARTERS), st.sampled_from([None, "owner"]), st.integers(0, 40))
def test_accounts_say_the_same_of_histories_and_of_their_tally(histories, period, by, grace):
    tally = accounts(histories, as_of=OVER, periods=(period,), by=by, grace_days=grace)
    kept = retention(histories, as_of=OVER, period=period, by=by)
    again = renewals(histories, as_of=OVER, period=period, by=by, grace_days=grace)
    if by is None:
        assert kept == retention(tally, period=period)
        assert again == renewals(tally, period=period, grace_days=grace)
        return
    groups = tally.groups()
    assert kept.keys() | again.keys() == groups.keys()
    for of, part in kept.items():
        assert part == retention(groups[of], period=period)
    for of, told in again.items():
        assert told == renewals(groups[of], period=period, grace_days=grace)


@given(bodies(), st.integers(-300, 400))
def test_recurring_revenue_is_what_a_slow_second_computation_gives(histories, after):
    on_date = START.date() + timedelta(days=after)
    found = recurring_revenue(histories, as_of=OVER, on_date=on_date)
    expected = in_force_on(histories, OVER, on_date)
    every = [part for parts in expected.values() for part in parts]
    assert found.per_month == dict(summed(every))
    assert (found.accounts, found.terms) == (len(expected), len(every))
    groups = recurring_revenue(histories, as_of=OVER, on_date=on_date, by="owner")
    assert sum(each.terms for each in groups.values()) == found.terms
    for currency, amount in found.per_month.items():
        parts = (each.per_month.get(currency, 0) for each in groups.values())
        assert sum(parts) == amount


# Identities


@given(bodies())
def test_the_balances_add_up_and_follow_each_other(histories):
    found = [retention(histories, as_of=OVER, period=period) for period in QUARTERS]
    for one in found:
        for money in one.revenue.values():
            assert money.start - money.contraction - money.churn + money.expansion == money.end
            assert min(getattr(money, name) for name in ("start", "churn", "new", "end")) >= 0
            if money.exact_gross is not None:
                assert 0 <= money.exact_gross <= 1
                assert money.exact_net >= money.exact_gross
                assert money.exact_net - money.exact_gross == money.expansion / money.start
            else:
                assert money.start == 0
    for one, two in pairwise(found):
        stayed = one.logo_churn.denominator - one.logo_churn.numerator
        came = one.new_accounts + one.reactivated_accounts
        assert stayed + came == two.logo_churn.denominator
        for currency in {*one.revenue, *two.revenue}:
            ends = one.revenue.get(currency)
            end = ends.end + ends.new + ends.reactivated if ends else 0
            start = two.revenue[currency].start if currency in two.revenue else 0
            assert end == start


@given(bodies(), st.integers(0, 400), st.integers(0, 40))
def test_every_term_that_ends_in_a_period_is_renewed_in_one_way(histories, after, grace):
    at = day(after)
    ended = 0
    for period in QUARTERS:
        found = renewals(histories, as_of=at, period=period, grace_days=grace)
        ended += found.ended
        assert found.rate.denominator <= found.ended >= found.on_time_rate.denominator
        longer = renewals(histories, as_of=at, period=period, grace_days=grace + 9)
        assert longer.on_time >= found.on_time
        assert longer.on_time + longer.late == found.on_time + found.late
    snapshots = [history.as_of(at) for history in histories]
    ends = [
        each.term.end
        for each in snapshots
        if each and each.outcome is Outcome.WON and each.term and each.account is not None
        and each.term.recurring.minor >= 0
    ]  # fmt: skip
    assert ended == sum(date(2026, 1, 1) <= end < date(2027, 1, 1) for end in ends)


# Order, parts, and time


@given(bodies(), st.randoms(use_true_random=False))
def test_the_order_of_deals_changes_nothing(histories, random):
    shuffled = random.sample(histories, len(histories))
    for figure in (retention, renewals):
        for by in (None, "owner"):
            asked = {"as_of": OVER, "period": QUARTERS[2], "by": by}
            assert figure(histories, **asked) == figure(shuffled, **asked)
    asked = {"as_of": OVER, "horizon_days": 50}
    assert customer_lifetime(histories, **asked) == customer_lifetime(shuffled, **asked)
    assert new_and_existing(histories, as_of=OVER) == new_and_existing(shuffled, as_of=OVER)


@given(
    bodies(accounts_of=("a", "b")), bodies(accounts_of=("c", "d")),
    st.none() | st.sampled_from(["owner", "account"]),
)  # fmt: skip
def test_tallies_of_different_accounts_add(one, two, by):
    asked = {"as_of": OVER, "periods": QUARTERS, "by": by, "grace_days": 4}
    assert accounts(one, **asked) + accounts(two, **asked) == accounts([*one, *two], **asked)


@given(bodies(), st.sampled_from(QUARTERS))
def test_groups_of_accounts_recombine(histories, period):
    whole = retention(histories, as_of=OVER, period=period)
    parts = retention(histories, as_of=OVER, period=period, by="account").values()
    for name in ("new_accounts", "reactivated_accounts", "came_and_went", "overlaps"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)
    for currency, money in whole.revenue.items():
        of = [part.revenue[currency] for part in parts if currency in part.revenue]
        for name in ("start", "contraction", "churn", "expansion", "end", "new", "reactivated"):
            assert sum(getattr(each, name) for each in of) == getattr(money, name)


@given(bodies(), st.integers(0, 300))
def test_events_after_the_instant_change_nothing(histories, after):
    at, later = day(200), day(201 + after)
    grown = []
    for history in histories:
        last = history.events[-1]
        known = {"record": last.record, "sequence": last.sequence + 1}
        if last.at <= later:
            changed = history.append(FieldSet(**known, at=later, field="account", value="z"))
            gone = Deleted(**(known | {"sequence": last.sequence + 2}), at=later)
            grown.append(changed.append(gone))
        else:
            grown.append(history)
    asked = {"as_of": at, "period": QUARTERS[0]}
    assert retention(grown, **asked) == retention(histories, **asked)
    assert renewals(grown, **asked) == renewals(histories, **asked)
    assert recurring_revenue(grown, as_of=at) == recurring_revenue(histories, as_of=at)
    asked = {"as_of": at, "horizon_days": 50}
    assert customer_lifetime(grown, **asked) == customer_lifetime(histories, **asked)
    assert new_and_existing(grown, as_of=at) == new_and_existing(histories, as_of=at)


# Lifetime, and new and existing customers


@given(bodies(), st.integers(1, 400))
def test_the_exact_mean_is_that_of_the_curve(histories, horizon):
    found = customer_lifetime(histories, as_of=day(365), horizon_days=horizon)
    assert (found.mean is None) == (found.exact_days is None)
    if found.mean is not None:
        assert float(found.exact_days) == pytest.approx(found.mean.days)
        assert 0 <= found.exact_days <= horizon


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 400)), max_size=12))
def test_the_lifetime_is_that_of_plain_ages(spells):
    histories = [
        deal(
            first - 9, won(first - 1), record=str(number), account=str(number),
            term=Term((START + timedelta(days=first)).date(),
                      (START + timedelta(days=first + lasts)).date(), Money(1, "EUR")),
        )
        for number, (first, lasts) in enumerate(spells)
    ]  # fmt: skip
    found = customer_lifetime(histories, as_of=day(200), horizon_days=50).survival
    lives = [(min(n, 200 - first), first + n <= 200) for first, n in spells if first <= 200]
    assert found.steps == Survival.of(lives).steps
    assert found.n == len(lives)


@given(st.lists(read_deals(), max_size=5))
def test_new_existing_and_unknown_customers_are_all_of_them(histories):
    at = START + timedelta(hours=1500)
    found = new_and_existing(histories, as_of=at)
    whole = win_rate_closed(histories, as_of=at)
    assert sum(each.win_rate.numerator for each in found) == whole.numerator
    assert sum(each.win_rate.denominator for each in found) == whole.denominator
    assert sum(each.opened for each in found) == sum(
        history.as_of(at) is not None for history in histories
    )
