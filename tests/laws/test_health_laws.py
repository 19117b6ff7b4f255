"""What holds for slippage, stalled deals, ageing and reviews, whatever the records are."""

import random
from collections import Counter
from datetime import date, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from record_strategies import BOARD, START, deal_happenings, moments, read_contacts, read_deals
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError
from salespipeline.events import (
    ActivityRecorded,
    CloseDateChanged,
    Lost,
    Opened,
    Reopened,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.metrics.ageing import ageing
from salespipeline.metrics.review import review
from salespipeline.metrics.silence import silent_leads
from salespipeline.metrics.slippage import close_date_error, pushes, slippage
from salespipeline.metrics.stalled import StalledBy, stall_limits, stalled
from salespipeline.periods import Period, Unit, on
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.tallies._book import book
from salespipeline.tallies._due import Ended, due
from strategies import zones

PERIODS = tuple(Period(START, START + timedelta(days=60)).steps(Unit.WEEK))[1:6]
WEEK = timedelta(days=7)


def dates():
    return st.none() | st.integers(-5, 80).map(lambda number: date(2026, 1, 1) + timedelta(number))


@st.composite
def dated_deals(draw, **only):
    """Deals as read, with an expected date from the opening on and moves of it among the rest."""
    history = draw(read_deals(**only))
    first, *rest = history.events
    if draw(st.booleans()):
        first = evolve(first, outcome=Outcome.OPEN)
    events = [evolve(first, expected_close=draw(dates()))]
    for event in rest:
        if draw(st.booleans()):
            said = {"record": event.record, "at": event.at, "recorded_at": event.recorded_at}
            events.append(
                CloseDateChanged(sequence=len(events) + 1, expected_close=draw(dates()), **said)
            )
        events.append(evolve(event, sequence=len(events) + 1))
    return DealHistory(events)


@st.composite
def worked_deals(draw):
    """Deals opened early, with a date in the weeks asked about, and what befalls such deals."""
    place = {"pipeline": "board", "stage": draw(st.sampled_from(["talk", "offer"]))}
    owner = draw(st.sampled_from(["ada", "bob"]))
    hour = draw(st.integers(0, 150))
    said = {"record": "d-1", "sequence": 1, "at": START + timedelta(hours=hour)}
    events = [Opened(**said, **place, owner=owner, expected_close=draw(weeks()))]
    for sequence, kind in enumerate(draw(st.lists(st.sampled_from(_BEFALLS), max_size=6)), 2):
        hour += draw(st.integers(0, 300))
        said = {"record": "d-1", "sequence": sequence, "at": START + timedelta(hours=hour)}
        if kind is CloseDateChanged:
            events.append(kind(**said, expected_close=draw(weeks() | weeks() | st.none())))
        elif kind is ActivityRecorded:
            events.append(kind(**said, kind="call"))
        else:
            events.append(kind(**said, **place))
    return DealHistory(events)


def weeks():
    return st.integers(4, 60).map(lambda number: date(2026, 1, 1) + timedelta(number))


_BEFALLS = (CloseDateChanged,) * 4 + (ActivityRecorded,) * 2 + (Won, Lost, Reopened)


@st.composite
def late_enough(draw):
    """An instant after the beginning of the last period, and after most events, too."""
    return draw(st.integers(900, 2200).map(lambda hours: START + timedelta(hours=hours)))


bodies = st.lists(worked_deals() | dated_deals(), max_size=4)
periods = st.sampled_from(PERIODS)


# Slippage


@given(bodies, late_enough(), periods, zones())
def test_what_became_of_deals_partitions_those_due(body, at, period, zone):
    found = slippage(body, as_of=at, period=period, zone=zone)
    assert sum(end.amounts.n for end in found.ends) == found.due.n
    assert found.due.n <= len(body)
    for currency, (n, money) in found.due.by_currency.items():
        parts = [end.amounts.by_currency.get(currency) for end in found.ends]
        assert sum(part[0] for part in parts if part) == n
        assert sum(part[1].minor for part in parts if part) == money.minor
    if found.due.n:
        assert sum(end.share.value for end in found.ends) == pytest.approx(1)
    assert found.slipped.numerator <= found.not_closed.numerator <= found.not_won.numerator


@given(bodies, late_enough(), periods)
def test_pushes_by_day_are_no_fewer_than_by_month_nor_those_than_by_quarter(body, at, period):
    for row in due(body, as_of=at, periods=[period]).rows:
        assert row.later >= row.later_month >= row.later_quarter >= 0
        assert row.open_days is None or 0 <= row.open_days <= period.days()
    found = pushes(body, as_of=at, period=period)
    moved = [found.by_day, found.by_month, found.by_quarter]
    assert sorted(moved, key=lambda rate: -rate.moves) == moved
    assert sum(found.times.values()) == found.pushed.denominator
    for rate in (*moved, found.pull_ins):
        assert rate.interval is None or rate.value in rate.interval


@given(st.data(), bodies, bodies, late_enough(), zones())
def test_tallies_of_what_is_due_add_and_do_not_mind_the_order(data, one, two, at, zone):
    options = {
        "as_of": at,
        "periods": PERIODS,
        "by": data.draw(st.sampled_from([None, "owner", "stage", "attributes.a"])),
        "expected_at": data.draw(st.sampled_from(["opening", "period_start"])),
        "zone": zone,
    }
    whole = due([*one, *two], **options)
    assert due(one, **options) + due(two, **options) == whole
    shuffled = [*one, *two]
    random.Random(data.draw(st.integers(0, 99))).shuffle(shuffled)
    assert due(shuffled, **options).rows == whole.rows


@given(bodies, late_enough(), periods, st.lists(deal_happenings(), max_size=3))
def test_what_happens_later_changes_no_figure(body, at, period, happened):
    later = []
    for history in body:
        longer = history
        for kind, facts in happened:
            after = at + timedelta(hours=len(longer.events))
            said = {"record": history.record, "sequence": len(longer.events) + 1, "at": after}
            longer = longer.append(kind(**said, **facts))
        later.append(longer)
    figures = [slippage, pushes, close_date_error]
    for figure in figures:
        assert figure(body, as_of=at, period=period) == figure(later, as_of=at, period=period)
    for rule in StalledBy:
        asked = {"as_of": at, "rule": rule, "limits": WEEK, "pipelines": [BOARD]}
        assert stalled(body, **asked) == stalled(later, **asked)
    assert ageing(body, as_of=at) == ageing(later, as_of=at)
    asked = {"as_of": at, "period": period, "pipelines": [BOARD]}
    assert review(body, **asked) == review(later, **asked)


@given(
    st.lists(worked_deals() | dated_deals(late=False, voids=False), max_size=4),
    late_enough(),
    periods,
)
def test_slippage_agrees_with_two_snapshots(body, at, period):
    """Without late recording and voids, the fold at two instants says the same."""
    moment = timedelta(microseconds=1)
    first, last = on(period.start), on(period.end)
    plain = Counter()
    for history in body:
        was = history.as_of(period.start - moment)
        if was is None or was.outcome is not Outcome.OPEN or was.expected_close is None:
            continue
        if not first <= was.expected_close < last:
            continue
        now = history.as_of(min(at, period.end - moment))
        plain[_plain_end(now, last)] += 1
    found = slippage(body, as_of=at, period=period)
    assert {end.ended: end.amounts.n for end in found.ends if end.amounts.n} == plain


def _plain_end(now, last):
    if now is None:
        return Ended.GONE
    if now.outcome is not Outcome.OPEN:
        return Ended(now.outcome.value)
    if now.expected_close is None:
        return Ended.UNDATED
    return Ended.SLIPPED if now.expected_close >= last else Ended.STILL_DUE


@given(
    st.lists(worked_deals() | dated_deals(backwards=False, late=False, voids=False), max_size=4),
    late_enough(),
)
def test_pushes_agree_with_a_plain_count_of_days(body, at):
    """Day by day: the date at its end beside the date at its beginning, summed over all moves."""
    period = Period(PERIODS[0].start, PERIODS[-1].end)
    later = earlier = 0
    for history in body:
        if history.as_of(min(at, period.end - timedelta(microseconds=1))) is None:
            continue  # what is deleted later was moved all the same
        events = [e for e in history.events if e.at <= at and e.at < period.end]
        for place, event in enumerate(events):
            if not isinstance(event, CloseDateChanged) or event.at < period.start:
                continue
            before = Deal.replay(events[:place])
            closing = any(isinstance(e, Won | Lost) and e.at == event.at for e in events[place:])
            if before.outcome is not Outcome.OPEN or closing:
                continue
            dates_ = before.expected_close, event.expected_close
            if None not in dates_:
                later += dates_[1] > dates_[0]
                earlier += dates_[1] < dates_[0]
    found = pushes(body, as_of=at, period=period)
    assert (found.by_day.moves, found.pull_ins.moves) == (later, earlier)


@given(bodies, late_enough(), periods)
def test_groups_of_slippage_recombine(body, at, period):
    whole = slippage(body, as_of=at, period=period)
    groups = slippage(body, as_of=at, period=period, by="owner")
    assert sum(each.due.n for each in groups.values()) == whole.due.n
    for ended in Ended:
        assert (
            sum(each.of(ended).numerator for each in groups.values()) == whole.of(ended).numerator
        )


@given(bodies, late_enough(), periods, st.integers(0, 30))
def test_every_closing_in_a_period_has_an_error_or_a_reason(body, at, period, number):
    kinds = [
        {"expected_at": "opening"}, {"expected_at": "period_start"},
        {"expected_at": "before_closing", "days_before": number},
    ]  # fmt: skip
    counts = set()
    for kind in kinds:
        found = close_date_error(body, as_of=at, period=period, outcome=None, **kind)
        counts.add(found.n + sum(found.left_out.values()))
        assert sum(found.days.values()) == found.n
        if found.n:
            assert min(found.days) <= found.mean_days <= max(found.days)
            shares = (found.early, found.on_time, found.late)
            assert sum(rate.numerator for rate in shares) == found.n
    assert len(counts) == 1


# Stalled deals


@given(bodies, late_enough(), zones())
def test_stalled_deals_agree_with_the_snapshots(body, at, zone):
    for rule in StalledBy:
        found = stalled(body, as_of=at, rule=rule, limits=WEEK, pipelines=[BOARD], zone=zone)
        plain = [
            (history.record, days)
            for history in body
            if (days := _plain_days(history, at, rule, zone)) is not None and days > 7
        ]
        assert sorted((each.deal, each.days) for each in found.deals) == sorted(plain)
        assert found.share.denominator + sum(found.left_out.values()) == _open(body, at)
        for each in found.deals:
            assert each.since <= on(at, zone)


def _open(body, at):
    stood = [history.as_of(at) for history in body]
    return sum(deal is not None and deal.outcome is Outcome.OPEN for deal in stood)


def _plain_days(history, at, rule, zone):
    """The days that a definition looks at, from the snapshot; None where it does not apply."""
    deal = history.as_of(at)
    if deal is None or deal.outcome is not Outcome.OPEN or deal.stage == "hold":
        return None
    today = on(at, zone)
    if rule is StalledBy.AGE:
        known = history.known(at)[0].start.value == "exact"
        return (today - on(deal.opened_at, zone)).days if known else None
    if rule is StalledBy.TIME_IN_STAGE:
        visit = history.visits(at)[-1]
        return (today - on(visit.entered, zone)).days if visit.entry_known else None
    step = deal.next_step
    if rule is StalledBy.UNTOUCHED_AND_UNPLANNED and step and step.due and step.due >= today:
        return None
    calls = [event.at for event in history.known(at) if isinstance(event, ActivityRecorded)]
    return (today - on(max([deal.changed_at, *calls]), zone)).days


@given(bodies, late_enough())
def test_a_deal_in_a_parked_stage_is_never_stalled(body, at):
    resting = Pipeline("board", [Stage("talk", parked=True), Stage("ghost")])
    stood = [history.as_of(at) for history in body]
    parked = sum(
        deal is not None
        and deal.outcome is Outcome.OPEN
        and (deal.pipeline, deal.stage) == ("board", "talk")
        for deal in stood
    )
    for rule in StalledBy:
        limits = timedelta(days=1)
        found = stalled(body, as_of=at, rule=rule, limits=limits, pipelines=[resting])
        assert all((each.pipeline, each.stage) != ("board", "talk") for each in found.deals)
        assert found.left_out.get("parked", 0) == parked
    assert ageing(body, as_of=at, pipelines=[resting]).left_out.get("parked", 0) == parked


@given(bodies, bodies, late_enough())
def test_books_counted_in_parts_give_the_same_deals(one, two, at):
    tally = book(one, as_of=at) + book(two, as_of=at)
    for rule in StalledBy:
        asked = {"rule": rule, "limits": WEEK}
        whole = stalled([*two, *one], as_of=at, **asked)
        part = stalled(tally, **asked)
        assert sorted(part.deals, key=repr) == sorted(whole.deals, key=repr)
        assert (part.share, part.amounts) == (whole.share, whole.amounts)
    assert ageing(tally) == ageing([*two, *one], as_of=at)


@given(bodies, late_enough(), st.integers(1, 20), st.integers(1, 20))
def test_a_longer_limit_stalls_no_more(body, at, one, two):
    short, long = sorted((one, two))
    for rule in StalledBy:
        found = [
            {each.deal for each in stalled(body, as_of=at, rule=rule, limits=timedelta(days)).deals}
            for days in (short, long)
        ]
        assert found[1] <= found[0]


@given(bodies, late_enough(), st.floats(0.05, 0.95), st.integers(1, 3))
def test_a_learned_limit_is_one_of_the_stays_that_ended(body, at, share, least):
    for limit in stall_limits(body, as_of=at, share=share, least=least).limits:
        assert (limit.days is None) == (limit.why is not None)
        assert limit.ended <= limit.n
        assert limit.days is None or limit.ended >= least


# Ageing, leads and reviews


@given(bodies, late_enough(), st.lists(st.integers(1, 60), unique=True, max_size=4).map(sorted))
def test_every_open_deal_lies_in_one_band_or_has_no_known_age(body, at, bands):
    found = ageing(body, as_of=at, bands=bands)
    assert sum(band.amounts.n for band in found.by_age) + found.age_unknown == found.open.n
    banded = sum(band.amounts.n for band in found.by_stage_age)
    assert banded + found.stage_age_unknown == found.open.n == _open(body, at)


@given(st.lists(read_contacts(), max_size=4), late_enough(), st.integers(0, 40), st.integers(0, 40))
def test_more_days_of_silence_are_of_no_more_leads(body, at, one, two):
    short, long = sorted((one, two))
    few, many = (silent_leads(body, as_of=at, days=days) for days in (long, short))
    assert set(few.leads) <= set(many.leads)
    assert few.share.denominator == many.share.denominator
    assert all(lead.days >= long for lead in few.leads)
    last = [
        max((e.at for e in contact.known(at) if isinstance(e, ActivityRecorded)), default=None)
        for contact in body
    ]
    assert {lead.last_touch for lead in few.leads} <= set(last)


@given(bodies, late_enough(), periods)
def test_a_review_tells_of_every_open_deal_once_and_of_no_other(body, at, period):
    everybody = review(body, as_of=at, period=period, pipelines=[BOARD])
    parked = sum(
        deal is not None and deal.outcome is Outcome.OPEN and deal.stage == "hold"
        for deal in (history.as_of(at) for history in body)
    )
    assert sum(each.open.n for each in everybody.values()) == _open(body, at) - parked
    for owner, each in everybody.items():
        assert each.owner == owner
        assert all(movement.at in period and movement.at <= at for movement in each.moved)
        assert len(each.rows()) == sum(
            map(len, (each.moved, each.stuck, each.missing, each.questions))
        )
        lines = len(str(each).splitlines()) - 5
        lacking = len({gap.deal for gap in each.missing})
        assert lines == len(each.moved) + len(each.stuck) + lacking + len(each.questions)


@given(moments(), periods)
def test_a_period_that_has_not_begun_is_refused(at, period):
    if at < period.start:
        with pytest.raises(InvalidValueError, match="begins after"):
            slippage([], as_of=at, period=period)
    else:
        assert slippage([], as_of=at, period=period).due.n == 0
