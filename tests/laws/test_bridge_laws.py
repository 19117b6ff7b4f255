"""What every bridge of the pipeline keeps, whatever happened to the deals."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from record_strategies import START, deal_happenings, hours, moments, people, places
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    Deleted,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    Voided,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.metrics.bridge import CHANGES, pipeline_bridge
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies._flows import BridgeTerm, flows

WINDOW = Period.between(date(2026, 2, 1), date(2026, 3, 1))
MOMENT = timedelta(microseconds=1)


def money():
    return st.none() | st.builds(
        Money.of_minor, st.integers(0, 99_999), st.sampled_from(["EUR", "USD"])
    )


def due_dates():
    return st.none() | st.integers(0, 90).map(lambda days: date(2026, 1, 1) + timedelta(days))


def _happenings():
    closing = st.builds(dict, amount=money())
    return st.one_of(
        st.tuples(st.just(AmountChanged), st.builds(dict, amount=money())),
        st.tuples(st.just(CloseDateChanged), st.builds(dict, expected_close=due_dates())),
        st.tuples(st.just(OwnerChanged), st.builds(dict, owner=st.none() | people())),
        st.tuples(st.sampled_from([Won, Lost]), st.builds(lambda a, b: a | b, places(), closing)),
        st.tuples(st.sampled_from([Moved, Reopened]), places()),
        deal_happenings(),
    )


@st.composite
def dirty_deals(draw, record="d-1", *, orderly=False):
    """Histories with changes of all kinds, at few instants, told late and out of order."""
    opening = draw(places()) | {
        "amount": draw(money()),
        "expected_close": draw(due_dates()),
        "owner": draw(st.none() | people()),
        "outcome": draw(st.sampled_from([Outcome.OPEN, Outcome.OPEN, *Outcome])),
    }
    happened = [(Opened, opening), *draw(st.lists(_happenings(), max_size=7))]
    slots = [draw(st.integers(0, 12)) for _ in happened]
    slots = sorted(slots) if orderly else slots
    events = []
    for sequence, (slot, (kind, facts)) in enumerate(zip(slots, happened, strict=True), 1):
        dirt = 0 if orderly or sequence == 1 else draw(st.integers(0, 9))
        chosen, told = kind, facts
        if dirt == 1:
            mistake = draw(st.sampled_from(events)).identity
            chosen, told = Voided, {"voids": mistake, "why": "a mistake"}
        elif dirt == 2:
            chosen, told = Deleted, {}
        at = START + timedelta(days=5 * slot)
        late = None if orderly else draw(st.sampled_from([None, None, None, 5, 20]))
        events.append(
            chosen(
                record=record,
                sequence=sequence,
                at=at,
                recorded_at=None if late is None else at + timedelta(days=late),
                **told,
            )
        )
    return DealHistory(events)


def merged_deals():
    pairs = st.tuples(dirty_deals("d-7"), dirty_deals("d-8"))
    return pairs.map(lambda pair: pair[0].merge(pair[1]))


def bodies():
    return st.lists(dirty_deals() | dirty_deals(orderly=True) | merged_deals(), max_size=3)


def options():
    return st.fixed_dictionaries({"window": st.sampled_from([None, WINDOW]), "net": st.booleans()})


@st.composite
def periods(draw):
    """Periods that begin and end on, and between, the instants of events."""
    start = START + timedelta(days=5 * draw(st.integers(-1, 11)) + draw(st.sampled_from([0, 1])))
    return Period(start, start + timedelta(days=5 * draw(st.integers(1, 10))))


def plain(part):
    """The amounts of a term by currency, without those that are nothing."""
    sums = Counter({currency: sum_.minor for currency, (_, sum_) in part.by_currency.items()})
    return {currency: minor for currency, minor in sums.items() if minor}


def added(*parts):
    sums = Counter()
    for part in parts:
        for currency, minor in plain(part).items():
            sums[currency] += minor
    return {currency: minor for currency, minor in sums.items() if minor}


def standing(histories, at, window):
    """The amounts of open deals just before an instant, by the whole fold of each."""
    sums = Counter()
    for history in histories:
        deal = history.as_of(at - MOMENT)
        if deal is None or deal.outcome is not Outcome.OPEN or deal.amount is None:
            continue
        due = deal.expected_close
        if window is None or (due is not None and window.start.date() <= due < window.end.date()):
            sums[deal.amount.currency] += deal.amount.minor
    return {currency: minor for currency, minor in sums.items() if minor}


@given(bodies(), periods(), options())
def test_start_and_changes_sum_to_the_end_to_the_cent(histories, period, asked):
    bridge = pipeline_bridge(histories, period=period, **asked)
    assert not any(bridge.residual.values())
    assert added(bridge.start, *bridge.changes.values()) == plain(bridge.end)
    assert plain(bridge.start) == standing(histories, period.start, asked["window"])
    assert plain(bridge.end) == standing(histories, period.end, asked["window"])


@given(bodies(), st.lists(moments(), min_size=3, max_size=4, unique=True), options())
def test_bridges_of_adjacent_periods_add_change_by_change(histories, instants, asked):
    first, *more = sorted(instants)
    steps = [Period(*pair) for pair in pairwise([first, *more])]
    asked["net"] = False
    parts = [pipeline_bridge(histories, period=step, **asked) for step in steps]
    whole = pipeline_bridge(histories, period=Period(first, more[-1]), **asked)
    for earlier, later in pairwise(parts):
        assert earlier.end == later.start
    for term in CHANGES:
        pieces = [part.changes[term] for part in parts]
        assert added(*pieces) == plain(whole.changes[term]), term
        assert sum(piece.n for piece in pieces) == whole.changes[term].n
    assert added(*(part.won_beside for part in parts)) == plain(whole.won_beside)


@given(
    bodies(),
    periods(),
    options(),
    st.sampled_from(["owner", "stage", "pipeline", "source", "probability"]),
)
def test_bridges_of_groups_sum_to_the_whole_and_what_is_transferred_cancels(
    histories, period, asked, by
):
    groups = pipeline_bridge(histories, period=period, by=by, **asked).values()
    whole = pipeline_bridge(histories, period=period, **asked)
    assert all(not any(bridge.residual.values()) for bridge in groups)
    assert added(*(bridge.start for bridge in groups)) == plain(whole.start)
    assert added(*(bridge.end for bridge in groups)) == plain(whole.end)
    for term in CHANGES:
        parts = [bridge.changes[term] for bridge in groups]
        if term is BridgeTerm.TRANSFERRED:
            assert added(*parts) == {}
        else:
            assert added(*parts) == plain(whole.changes[term]), term


@given(bodies(), periods(), st.sampled_from([None, WINDOW]))
def test_net_and_gross_stand_on_the_same_ends(histories, period, window):
    gross, net = (
        pipeline_bridge(histories, period=period, window=window, net=each) for each in (False, True)
    )
    assert (gross.start, gross.end) == (net.start, net.end)
    assert not any(net.residual.values())


@given(dirty_deals(), periods(), st.sampled_from([None, WINDOW]))
def test_net_puts_a_deal_in_one_change_unless_it_came_in_another_currency(deal, period, window):
    changes = pipeline_bridge([deal], period=period, window=window, net=True).changes
    said = {term: part.n for term, part in changes.items() if part.n}
    assert list(said.values()) in ([], [1], [2])
    assert sum(said.values()) < 2 or set(said) == {BridgeTerm.REDENOMINATED}


@given(dirty_deals(orderly=True), periods(), options())
def test_a_history_told_late_but_at_once_makes_the_same_bridge(deal, period, asked):
    """An orderly history takes a short cut; recorded when it happened, it takes the long way."""
    events = deal.events
    long_way = DealHistory(
        type(event)(
            **{name: getattr(event, name) for name in _names(event)} | {"recorded_at": event.at}
        )
        for event in events
    )
    assert long_way.settled_at != deal.settled_at
    assert pipeline_bridge([long_way], period=period, **asked) == pipeline_bridge(
        [deal], period=period, **asked
    )


def _names(event):
    return [field.name for field in type(event).__attrs_attrs__]


@given(st.data(), bodies(), periods(), options())
def test_the_order_of_deals_and_counting_them_in_parts_change_nothing(
    data, histories, period, asked
):
    whole = pipeline_bridge(histories, period=period, **asked)
    assert pipeline_bridge(data.draw(st.permutations(histories)), period=period, **asked) == whole
    cut = data.draw(st.integers(0, len(histories)))
    parts = [flows(part, periods=[period], **asked) for part in (histories[:cut], histories[cut:])]
    assert pipeline_bridge(parts[0] + parts[1], period=period) == whole


@given(st.data(), dirty_deals(), periods(), options())
def test_what_becomes_known_after_the_period_changes_nothing(data, deal, period, asked):
    kind, facts = data.draw(_happenings())
    after = period.end + data.draw(hours())
    at = data.draw(st.sampled_from([after, period.start]))
    later = kind(
        record=deal.record,
        sequence=len(deal.events) + 1,
        at=at,
        recorded_at=None if at == after else after,
        **facts,
    )
    assert pipeline_bridge([deal.append(later)], period=period, **asked) == pipeline_bridge(
        [deal], period=period, **asked
    )


@given(bodies(), periods())
def test_what_was_won_is_in_the_bridge_or_beside_it(histories, period):
    """A window moves wins from the one to the other, and loses none."""
    narrow = pipeline_bridge(histories, period=period, window=WINDOW)
    wide = pipeline_bridge(histories, period=period)

    def wins(bridge):
        sums = Counter(plain(bridge.won_beside))
        for currency, minor in plain(bridge.changes[BridgeTerm.WON]).items():
            sums[currency] -= minor
        return {currency: minor for currency, minor in sums.items() if minor}

    assert wins(narrow) == wins(wide)


@given(bodies(), periods(), st.integers(1, 400), st.integers(1, 400))
def test_in_one_currency_the_terms_still_sum_and_equal_rates_change_nothing(
    histories, period, first, last
):
    bridge = pipeline_bridge(histories, period=period)
    rates, at_end = {"USD": f"{first}e-2"}, {"USD": f"{last}e-2"}
    one = bridge.reported("EUR", rates=rates, rates_at_end=at_end)
    assert not any(one.residual.values())
    assert one.currencies == ("EUR",)
    if first == last:
        assert one.changes[BridgeTerm.RATE_CHANGE].total() == Money(0, "EUR")
    same = bridge.reported("EUR", rates=rates)
    for term in CHANGES:
        assert same.changes[term] == one.changes[term]
