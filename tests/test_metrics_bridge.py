"""The bridge of the open pipeline from the start of a period to its end."""

from datetime import UTC, date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door
from salespipeline.errors import InvalidValueError, MixedCurrenciesError, UnknownKeyError
from salespipeline.events import (
    ActivityRecorded,
    CloseDateChanged,
    Deleted,
    Voided,
)
from salespipeline.history import DealHistory
from salespipeline.metrics.bridge import CHANGES, pipeline_bridge
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import standings
from salespipeline.tallies._flows import BridgeTerm, Flow, due_within, flows
from stories import day, days, deal, euros, given_to, lost, moved, reopened, won, worth

WEEK = days(10, 17)
MARCH = Period.month(2026, 3)


def due(at, *numbers):
    return at, CloseDateChanged, {"expected_close": date(*numbers) if numbers else None}


def bridged(*histories, period=WEEK, **asked):
    return pipeline_bridge(histories, period=period, **asked)


def told(bridge):
    """Every term with something in it, as (number, minor units by currency)."""
    parts = {"start": bridge.start, **bridge.changes, "end": bridge.end}
    parts["won_beside"] = bridge.won_beside
    return {
        str(name): (part.n, *(sum_.amount for _, sum_ in part.by_currency.values()))
        for name, part in parts.items()
        if part.n
    }


def late(history, number, recorded):
    """The same history, one of whose events was recorded later than it happened."""
    events = list(history.events)
    event = events[number - 1]
    facts = {name.name: getattr(event, name.name) for name in type(event).__attrs_attrs__}
    events[number - 1] = type(event)(**facts | {"recorded_at": day(recorded)})
    return DealHistory(events)


# One term each


def test_a_deal_that_nothing_happens_to_is_at_the_start_and_at_the_end():
    assert told(bridged(deal(0, amount=euros(5)))) == {"start": (1, 5), "end": (1, 5)}
    assert told(bridged(deal(0, (12, ActivityRecorded, {"kind": "call"}), amount=euros(5)))) == {
        "start": (1, 5),
        "end": (1, 5),
    }


def test_a_deal_opened_in_the_period_is_new():
    assert told(bridged(deal(12, amount=euros(5)))) == {"new": (1, 5), "end": (1, 5)}


def test_a_deal_won_or_lost_leaves_as_that():
    assert told(bridged(deal(0, won(12), amount=euros(5)))) == {"start": (1, 5), "won": (1, -5)}
    assert told(bridged(deal(0, lost(12), amount=euros(5)))) == {"start": (1, 5), "lost": (1, -5)}


def test_a_deal_won_at_another_amount_first_rises_or_falls_to_it():
    assert told(bridged(deal(0, won(12, 7), amount=euros(5)))) == {
        "start": (1, 5),
        "increased": (1, 2),
        "won": (1, -7),
    }
    assert told(bridged(deal(0, won(12, 4), amount=euros(5)))) == {
        "start": (1, 5),
        "decreased": (1, -1),
        "won": (1, -4),
    }
    first = told(bridged(deal(0, won(12, 4))))
    assert first == {"start": (1,), "increased": (1, 4), "won": (1, -4)}


def test_a_reopened_deal_comes_in_as_that():
    assert told(bridged(deal(0, lost(5), reopened(12), amount=euros(5)))) == {
        "reopened": (1, 5),
        "end": (1, 5),
    }


def test_every_change_of_an_amount_is_taken():
    history = deal(0, worth(11, euros(9)), worth(12, euros(6)), amount=euros(5))
    assert told(bridged(history)) == {
        "start": (1, 5),
        "increased": (1, 4),
        "decreased": (1, -3),
        "end": (1, 6),
    }


def test_an_amount_that_is_first_named_or_taken_back_rises_or_falls():
    named = bridged(deal(0, worth(11, euros(9))))
    assert told(named) == {"start": (1,), "increased": (1, 9), "end": (1, 9)}
    dropped = bridged(deal(0, worth(11, None), amount=euros(9)))
    assert told(dropped) == {"start": (1, 9), "decreased": (1, -9), "end": (1,)}


def test_an_amount_in_another_currency_is_redenominated():
    bridge = bridged(deal(0, worth(11, Money(9, "USD")), amount=euros(5)))
    assert told(bridge) == {"start": (1, 5), "redenominated": (2, -5, 9), "end": (1, 9)}
    assert bridge.currencies == ("EUR", "USD")
    assert not any(bridge.residual.values())


def test_a_deal_without_an_amount_is_counted_and_adds_nothing():
    bridge = bridged(deal(12), deal(0, won(12)))
    assert told(bridge) == {"start": (1,), "new": (1,), "won": (1,), "end": (1,)}
    assert bridge.start.without_amount == 1


def test_a_move_between_stages_changes_nothing_without_a_group():
    assert told(bridged(deal(0, moved(12, "offer"), amount=euros(5)))) == {
        "start": (1, 5),
        "end": (1, 5),
    }


# Corrections


def test_a_voided_event_is_a_correction_of_the_period_in_which_it_was_voided():
    history = deal(0, won(5, 7), (12, Voided, {"voids": ("d-1", 2), "why": "no"}), amount=euros(5))
    assert told(bridged(history)) == {"corrected": (1, 5), "end": (1, 5)}
    before = told(bridged(history, period=days(3, 8)))
    assert before == {"start": (1, 5), "increased": (1, 2), "won": (1, -7)}


def test_a_voided_change_of_amount_corrects_by_the_difference():
    history = deal(
        0, worth(5, euros(50)), (12, Voided, {"voids": ("d-1", 2), "why": "no"}), amount=euros(5)
    )
    assert told(bridged(history)) == {"start": (1, 50), "corrected": (1, -45), "end": (1, 5)}
    dollars = deal(
        0, worth(5, Money(9, "USD")), (12, Voided, {"voids": ("d-1", 2), "why": "no"}),
        amount=euros(5),
    )  # fmt: skip
    assert told(bridged(dollars)) == {"start": (1, 9), "corrected": (2, 5, -9), "end": (1, 5)}


def test_a_void_that_changes_no_amount_corrects_nothing():
    history = deal(
        0, moved(5, "offer"), (12, Voided, {"voids": ("d-1", 2), "why": "no"}), amount=euros(5)
    )
    assert told(bridged(history)) == {"start": (1, 5), "end": (1, 5)}


def test_a_deleted_deal_is_a_correction():
    history = deal(0, (12, Deleted, {}), amount=euros(5))
    assert told(bridged(history)) == {"start": (1, 5), "corrected": (1, -5)}
    assert told(bridged(history, net=True)) == {"start": (1, 5), "corrected": (1, -5)}


def test_what_a_merge_fills_in_is_a_correction():
    history = deal(0).merge(deal(12, amount=euros(8), record="d-2"))
    assert told(bridged(history)) == {"start": (1,), "corrected": (1, 8), "end": (1, 8)}


# Knowledge


def test_an_event_counts_when_it_is_recorded():
    history = late(deal(0, won(5, 7), amount=euros(5)), 2, recorded=12)
    assert told(bridged(history)) == {"start": (1, 5), "increased": (1, 2), "won": (1, -7)}
    assert told(bridged(history, period=days(3, 8))) == {"start": (1, 5), "end": (1, 5)}


def test_an_event_learnt_of_after_a_later_one_is_put_down_to_itself():
    history = late(deal(0, lost(5), worth(7, euros(9)), amount=euros(5)), 2, recorded=12)
    assert told(bridged(history)) == {"start": (1, 9), "lost": (1, -9)}
    first = told(bridged(history, period=days(3, 8)))
    assert first == {"start": (1, 5), "increased": (1, 4), "end": (1, 9)}


def test_a_deal_whose_beginning_is_learnt_late_is_new_then():
    history = late(deal(0, worth(7, euros(9)), amount=euros(5)), 1, recorded=12)
    assert told(bridged(history)) == {"new": (1, 9), "end": (1, 9)}
    assert told(bridged(history, period=days(3, 8))) == {}


def test_instants_that_run_backwards_are_walked_in_the_order_of_instants():
    """The deal is closed in its fold from the loss on, whenever that is known."""
    history = deal(0, lost(15), worth(12, euros(9)), amount=euros(5))
    assert told(bridged(history)) == {"start": (1, 5), "increased": (1, 4), "lost": (1, -9)}


def test_the_ends_of_a_period_are_just_before_its_instants():
    history = deal(0, won(10), amount=euros(5))
    assert told(bridged(history)) == {"start": (1, 5), "won": (1, -5)}
    assert told(bridged(history, period=days(3, 10))) == {"start": (1, 5), "end": (1, 5)}


# Windows of due dates


def test_a_window_takes_deals_due_in_it():
    history = deal(0, amount=euros(5), expected_close=date(2026, 3, 31))
    assert told(bridged(history, window=MARCH)) == {"start": (1, 5), "end": (1, 5)}
    for outside in (date(2026, 4, 1), date(2026, 2, 28), None):
        history = deal(0, amount=euros(5), expected_close=outside)
        assert told(bridged(history, window=MARCH)) == {}


def test_a_due_date_moves_a_deal_in_or_out():
    history = deal(0, due(12, 2026, 3, 5), amount=euros(5))
    assert told(bridged(history, window=MARCH)) == {"moved_in": (1, 5), "end": (1, 5)}
    history = deal(0, due(12, 2026, 9, 5), amount=euros(5), expected_close=date(2026, 3, 9))
    assert told(bridged(history, window=MARCH)) == {"start": (1, 5), "moved_out": (1, -5)}
    both = deal(0, due(11, 2026, 3, 5), due(12, 2026, 3, 6), due(13), amount=euros(5))
    assert told(bridged(both, window=MARCH)) == {"moved_in": (1, 5), "moved_out": (1, -5)}
    assert told(bridged(both, window=MARCH, net=True)) == {}


def test_a_deal_moved_out_by_two_years_is_moved_out():
    """Salesforce's Pipeline Inspection looks for it within six months only."""
    history = deal(0, due(12, 2028, 3, 5), amount=euros(5), expected_close=date(2026, 3, 9))
    assert told(bridged(history, window=MARCH))["moved_out"] == (1, -5)


def test_what_is_won_outside_the_window_stands_beside_the_bridge():
    history = deal(0, won(12, 7), amount=euros(5), expected_close=date(2026, 4, 9))
    assert told(bridged(history, window=MARCH)) == {"won_beside": (1, 7)}


def test_what_is_opened_as_won_or_won_after_a_loss_stands_beside_it_too():
    at_once = deal(12, amount=euros(3), outcome=Outcome.WON, stage="signed")
    assert told(bridged(at_once)) == {"won_beside": (1, 3)}
    after_a_loss = deal(0, lost(5), won(12, 4))
    assert told(bridged(after_a_loss)) == {"won_beside": (1, 4)}
    twice = deal(0, won(5, 3), won(12, 4))
    assert told(bridged(twice)) == {}


def test_the_dates_of_a_window_are_those_that_begin_in_it():
    within = due_within(MARCH, UTC)
    assert [within(each) for each in (date(2026, 3, 1), date(2026, 4, 1), None)] == [
        True,
        False,
        False,
    ]
    berlin = due_within(
        Period.month(2026, 3, zone=ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin")
    )
    assert [berlin(date(2026, 2, 28)), berlin(date(2026, 3, 1))] == [False, True]
    noon = due_within(Period(day(0.5), day(2.5)), UTC)
    assert [noon(date(2026, 1, number)) for number in (1, 2, 3, 4)] == [False, True, True, False]


# Groups


def test_a_deal_given_to_somebody_else_is_transferred_out_and_in():
    groups = bridged(deal(0, given_to(12, "bob"), owner="ada", amount=euros(5)), by="owner")
    assert {who: told(bridge) for who, bridge in groups.items()} == {
        "ada": {"start": (1, 5), "transferred": (1, -5)},
        "bob": {"transferred": (1, 5), "end": (1, 5)},
    }
    assert groups.period == WEEK


def test_a_win_is_of_the_group_that_the_deal_was_in():
    groups = bridged(deal(0, won(12, 7), amount=euros(5)), by="stage")
    assert {stage: told(bridge) for stage, bridge in groups.items()} == {
        "talk": {"start": (1, 5), "increased": (1, 2), "won": (1, -7)}
    }


def test_a_deal_moved_to_another_pipeline_is_transferred_by_pipeline():
    history = deal(0, moved(12, "talk", "other"), amount=euros(5))
    groups = bridged(history, by="pipeline")
    assert told(groups["board"])["transferred"] == (1, -5)
    assert told(groups["other"])["transferred"] == (1, 5)


# Net


def test_net_compares_the_two_ends():
    history = deal(0, worth(11, euros(9)), worth(12, euros(6)), amount=euros(5))
    assert told(bridged(history, net=True)) == {
        "start": (1, 5),
        "increased": (1, 1),
        "end": (1, 6),
    }
    gone = deal(0, worth(11, euros(9)), lost(12), amount=euros(5))
    assert told(bridged(gone, net=True)) == {"start": (1, 5), "lost": (1, -5)}
    assert told(bridged(deal(11, lost(12), amount=euros(5)), net=True)) == {}
    assert bridged(gone, net=True).net


# In one currency


def both_currencies():
    return bridged(
        deal(0, amount=euros(100)),
        deal(0, won(12), amount=Money(10, "USD")),
        deal(0, amount=Money(30, "USD")),
        deal(12, amount=Money(50, "USD")),
    )


def test_what_the_rates_changed_is_a_term_of_its_own():
    bridge = both_currencies().reported("EUR", rates={"USD": "0.5"}, rates_at_end={"USD": "0.75"})
    assert told(bridge) == {
        "start": (3, 120),
        "new": (1, 25),
        "won": (1, -5),
        "end": (3, 160),
    }
    change = bridge.changes[BridgeTerm.RATE_CHANGE]
    assert change.total() == euros(20)
    assert not any(bridge.residual.values())


def test_at_the_same_rates_they_change_nothing():
    bridge = both_currencies().reported("EUR", rates={"USD": "0.333"})
    assert bridge.changes[BridgeTerm.RATE_CHANGE].total() == euros(0)
    assert not any(bridge.residual.values())
    assert bridge.end.total() == Money("126.64", "EUR")


def test_in_one_currency_halves_of_cents_do_not_get_lost():
    cent = Money("0.01", "USD")
    bridge = bridged(deal(0, amount=cent), deal(12, amount=cent)).reported(
        "EUR", rates={"USD": "0.5"}
    )
    assert told(bridge) == {
        "start": (1, 0),
        "new": (1, Decimal("0.01")),
        "end": (2, Decimal("0.01")),
    }
    assert not any(bridge.residual.values())


def test_a_bridge_in_one_currency_needs_every_rate_and_is_not_changed_again():
    with pytest.raises(MixedCurrenciesError):
        both_currencies().reported("EUR")
    with pytest.raises(InvalidValueError, match="rates_at_end"):
        both_currencies().reported("EUR", rates={"USD": 1}, rates_at_end={"USD": -1})
    one = both_currencies().reported("EUR", rates={"USD": 1})
    with pytest.raises(InvalidValueError, match="in one currency already"):
        one.reported("EUR")
    check_door(both_currencies().reported)


# What it tells


def test_a_bridge_reads_from_the_start_down_to_the_end():
    bridge = bridged(deal(0, won(12, 7), amount=euros(5)), deal(12, amount=Money(3, "USD")))
    lines = str(bridge).splitlines()
    assert [line.split()[0] for line in lines] == [
        "term", "start", *map(str, CHANGES), "end", "won_beside",
    ]  # fmt: skip
    assert lines[0].split() == ["term", "n", "EUR", "USD"]
    assert lines[1].split() == ["start", "1", "5.00", "0.00"]
    rows = bridge.to_dicts()
    assert rows[0]["EUR"] == Decimal(5)
    assert rows[0]["period_end"] == WEEK.end
    assert bridge.row()["won_EUR"] == Decimal(-7)


def test_a_bridge_of_nothing_is_of_nothing():
    bridge = bridged()
    assert (told(bridge), bridge.currencies, bridge.residual) == ({}, (), {})
    assert bridged(by="owner") == {}
    assert bridge.reported("EUR").end.total() == euros(0)


# Of a tally


def test_a_tally_of_flows_makes_the_bridge_of_each_of_its_periods():
    histories = [deal(0, won(12, 7), amount=euros(5)), deal(18, amount=euros(3))]
    weeks = (days(3, 10), WEEK, days(17, 24))
    tally = flows(histories, periods=weeks)
    for week in weeks:
        assert pipeline_bridge(tally, period=week) == bridged(*histories, period=week)
    assert tally.rows[Flow(None, 1, BridgeTerm.WON, "EUR", ("board", "talk"))].minor == -700
    with pytest.raises(UnknownKeyError):
        pipeline_bridge(tally, period=days(3, 24))


def test_a_tally_counted_otherwise_is_refused():
    tally = flows([], periods=[WEEK])
    with pytest.raises(InvalidValueError, match="window None; it was counted event by event"):
        pipeline_bridge(tally, period=WEEK, window=MARCH, net=True)
    with pytest.raises(InvalidValueError, match="use its groups"):
        pipeline_bridge(tally, period=WEEK, by="owner")
    with pytest.raises(InvalidValueError, match="this figure needs flows"):
        pipeline_bridge(standings([], as_of=day(1)), period=WEEK, net=True)
    windowed = flows([], periods=[WEEK], window=MARCH, net=True)
    assert pipeline_bridge(windowed, period=WEEK).window == MARCH
    with pytest.raises(InvalidValueError, match="settings differs"):
        tally + windowed


def test_the_doors_of_flows_and_bridges_refuse_what_is_strange():
    check_door(lambda value: flows(value, periods=[WEEK]), takes=_several)
    check_door(lambda value: flows([], periods=value))
    check_door(lambda value: flows([], periods=[value]))
    check_door(lambda value: flows([], periods=[WEEK], by=value), takes=lambda v: v is None)
    check_door(lambda value: flows([], periods=[WEEK], window=value), takes=lambda v: v is None)
    check_door(lambda value: flows([], periods=[WEEK], zone=value))
    check_door(lambda value: flows([], periods=[WEEK], net=value), takes=lambda v: type(v) is bool)
    check_door(lambda value: flows([value], periods=[WEEK]))
    check_door(lambda value: pipeline_bridge([], period=value))
    with pytest.raises(InvalidValueError, match="does not begin after"):
        flows([], periods=[WEEK, days(12, 20)])


def _several(value):
    return isinstance(value, tuple | list | dict | set) and not value
