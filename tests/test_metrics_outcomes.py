"""How deals end, and how long they take to."""

from datetime import timedelta
from math import inf, nan, sqrt

import pytest

from contracts import check_door, check_value
from salespipeline.errors import (
    InvalidValueError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import FieldSet, Lost
from salespipeline.intervals import Interval, clustered, jeffreys, wilson
from salespipeline.metrics import Rate, Step, Survival, time_to_close, win_rate_closed
from salespipeline.metrics import win_rate_created as of_created
from salespipeline.metrics._figure import Counting
from salespipeline.metrics.outcomes import Hazard
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Lifetime, Moment, Tally, lifetimes, people
from stories import BY_THEN, day, days, deal, given_to, lost, reopened, won

BODY = (
    deal(0, won(9, 900), owner="ada"),
    deal(0, won(19), owner="ada"),
    deal(2, lost(12), owner="bob"),
    deal(5, owner="bob"),
    deal(11, lost(12), owner="bob"),
    deal(15),
)
MAINTAINED = (
    (9, True), (13, True), (13, False), (18, True), (23, True), (28, False), (31, True),
    (34, True), (45, False), (48, True), (161, False),
)  # fmt: skip
"""The maintained group of R's aml, which its survival package ships."""


# Win rates


def test_the_win_rate_of_closed_deals_leaves_out_open_ones():
    assert win_rate_closed(BODY, as_of=day(30)) == Rate.of(2, 4)
    assert win_rate_closed(BODY, as_of=day(10)) == Rate.of(1, 1)
    assert win_rate_closed(BODY, as_of=day(8)) == Rate.of(0, 0)


def test_the_win_rate_of_a_period_is_of_deals_closed_in_it():
    assert win_rate_closed(BODY, as_of=day(30), period=days(10, 13)) == Rate.of(0, 2)
    assert win_rate_closed(BODY, as_of=day(30), period=days(13, 20)) == Rate.of(1, 1)
    assert win_rate_closed(BODY, as_of=day(30), period=days(9, 10)) == Rate.of(1, 1)
    assert win_rate_closed(BODY, as_of=day(30), period=days(8, 9)) == Rate.of(0, 0)


def test_a_win_rate_takes_the_level_of_its_interval():
    assert win_rate_closed(BODY, as_of=day(30), level=0.5).interval.level == 0.5


def test_the_win_rate_of_created_deals_counts_open_ones_as_not_won():
    assert of_created(BODY, as_of=day(30)) == Rate.of(2, 6)
    assert of_created(BODY, as_of=day(3)) == Rate.of(0, 3)
    assert of_created([], as_of=day(3)) == Rate.of(0, 0)


def test_the_win_rate_of_a_period_is_of_deals_created_in_it():
    assert of_created(BODY, as_of=day(30), period=days(0, 2)) == Rate.of(2, 2)
    assert of_created(BODY, as_of=day(30), period=days(2, 15)) == Rate.of(0, 3)


def test_a_deal_known_only_by_then_counts_in_win_rates():
    histories = [deal(0, won(4), start=BY_THEN), deal(0, lost(5)), deal(0, start=BY_THEN)]
    assert win_rate_closed(histories, as_of=day(9)) == Rate.of(1, 2)
    assert of_created(histories, as_of=day(9)) == Rate.of(1, 3)


def test_a_reopened_deal_is_neither_won_nor_lost():
    history = deal(0, won(4), reopened(6), lost(8))
    rates = [win_rate_closed([history], as_of=day(at)) for at in (5, 7, 9)]
    assert rates == [Rate.of(1, 1), Rate.of(0, 0), Rate.of(0, 1)]


def test_closed_deals_belong_to_who_closed_them_and_created_ones_to_who_opened_them():
    history = deal(0, given_to(2, "bob"), won(4), given_to(6, "eve"), owner="ada")
    assert win_rate_closed([history], as_of=day(9), by="owner") == {"bob": Rate.of(1, 1)}
    assert of_created([history], as_of=day(9), by="owner") == {"ada": Rate.of(1, 1)}


def test_rates_by_owner_hold_each_owners_counts():
    assert win_rate_closed(BODY, as_of=day(30), by="owner") == {
        "ada": Rate.of(2, 2),
        "bob": Rate.of(0, 2),
        None: Rate.of(0, 0),
    }


# Rates of clusters, and by other intervals

ACCOUNTS = {"a": (3, 3), "b": (0, 4), "c": (1, 2), "d": (2, 4), "e": (0, 1)}
"""How many deals of how many each account won."""


def _of_accounts(accounts=ACCOUNTS):
    return [
        deal(0, won(9) if number < hits else lost(9), record=f"{name}-{number}", account=name)
        for name, (hits, of) in accounts.items()
        for number in range(of)
    ]


def test_deals_of_one_account_are_no_trials_of_their_own():
    rate = win_rate_closed(_of_accounts(), as_of=day(30), cluster="account")
    assert (rate.numerator, rate.denominator, rate.clusters) == (6, 14, 5)
    assert rate.interval == clustered(ACCOUNTS.values())
    assert rate.interval.method == "clustered"
    plain = win_rate_closed(_of_accounts(), as_of=day(30))
    assert (plain.clusters, plain.interval) == (None, wilson(6, 14))
    assert rate.interval.high - rate.interval.low > plain.interval.high - plain.interval.low


def test_an_open_deal_is_in_a_cluster_of_created_deals_and_in_none_of_closed_ones():
    deals = [
        *_of_accounts(),
        deal(0, record="f-1", account="f"),
        deal(0, record="a-9", account="a"),
    ]
    of_all = of_created(deals, as_of=day(30), cluster="account")
    assert (of_all.denominator, of_all.clusters) == (16, 6)
    assert of_all.interval == clustered([(3, 4), *list(ACCOUNTS.values())[1:], (0, 1)])
    assert win_rate_closed(deals, as_of=day(30), cluster="account").clusters == 5


def test_a_deal_without_an_account_is_a_cluster_of_its_own():
    alone = [deal(0, won(3), record="x-1"), deal(0, won(3), record="x-2"), deal(0, lost(3))]
    rate = win_rate_closed([*_of_accounts(), *alone], as_of=day(30), cluster="account")
    assert rate.clusters == 8
    assert rate.interval == clustered([*ACCOUNTS.values(), (1, 1), (1, 1), (0, 1)])


def test_fewer_than_5_clusters_have_no_interval_and_say_so():
    few = dict(list(ACCOUNTS.items())[:4])
    rate = win_rate_closed(_of_accounts(few), as_of=day(30), cluster="account")
    assert (rate.interval, rate.clusters, rate.value) == (None, 4, 6 / 13)
    assert str(rate) == "46.2% (6 of 13 in 4 clusters; no interval)"
    [told] = rate.to_dicts()
    assert (told["clusters"], told["low"], told["method"]) == (4, None, None)


def test_a_rate_of_clusters_reads_as_percent_with_their_number():
    rate = win_rate_closed(_of_accounts(), as_of=day(30), cluster="account")
    low, high = rate.interval.low, rate.interval.high
    assert str(rate) == f"42.9% (6 of 14 in 5 clusters; {low:.1%} to {high:.1%})"
    assert "clusters" not in win_rate_closed(_of_accounts(), as_of=day(30)).to_dicts()[0]


def test_clusters_without_any_trial_are_none():
    rate = win_rate_closed([deal(0, account="a")], as_of=day(30), cluster="account")
    assert (rate.value, rate.interval, rate.clusters, str(rate)) == (None, None, 0, "none (0 of 0)")
    assert Rate.of_clusters([(0, 0), (1, 2)]).clusters == 1


def test_a_cluster_is_read_when_a_group_is():
    history = deal(0, given_to(2, "bob"), won(4), given_to(6, "eve"), owner="ada")
    for moment, owner in (("creation", "ada"), ("closing", "bob"), ("as_of", "eve")):
        tally = lifetimes([history], as_of=day(9), cluster="owner", by_at=moment)
        assert [row.cluster for row in tally.rows] == [owner]
        assert (tally.by_at, tally.settings) == (moment, (("cluster", "owner"),))


def test_clusters_and_groups_go_together():
    deals = [
        deal(0, won(9) if n % 3 else lost(9), record=f"d-{n}", account=f"a-{n}", owner=owner)
        for owner in ("ada", "bob")
        for n in range(6)
    ]
    rates = win_rate_closed(deals, as_of=day(30), by="owner", cluster="account", level=0.8)
    assert {owner: (rate.clusters, rate.interval.level) for owner, rate in rates.items()} == {
        "ada": (6, 0.8),
        "bob": (6, 0.8),
    }


def test_a_tally_counted_by_clusters_finishes_with_them_and_without():
    deals = _of_accounts()
    halves = [lifetimes(half, as_of=day(30), cluster="account") for half in (deals[:5], deals[5:])]
    tally = halves[0] + halves[1]
    expected = win_rate_closed(deals, as_of=day(30), cluster="account")
    assert win_rate_closed(tally, cluster="account") == expected
    assert win_rate_closed(tally) == win_rate_closed(deals, as_of=day(30))


def test_a_tally_not_counted_by_the_cluster_is_refused():
    for tally in (
        lifetimes([], as_of=day(3)),
        lifetimes([], as_of=day(3), cluster="owner"),
        lifetimes([], as_of=day(3), causes={"stalled": ["silence"]}),
    ):
        with pytest.raises(InvalidValueError, match="not counted with cluster='account'"):
            win_rate_closed(tally, cluster="account")


def test_tallies_of_different_clusters_do_not_add():
    with pytest.raises(InvalidValueError, match="settings differs"):
        lifetimes([], as_of=day(3), cluster="owner") + lifetimes([], as_of=day(3))


def test_the_interval_of_a_rate_is_wilsons_or_jeffreys():
    assert win_rate_closed(BODY, as_of=day(30)).interval == wilson(2, 4)
    assert win_rate_closed(BODY, as_of=day(30), interval="wilson").interval == wilson(2, 4)
    assert of_created(BODY, as_of=day(30), interval="jeffreys").interval == jeffreys(2, 6)
    rates = win_rate_closed(BODY, as_of=day(30), by="owner", interval="jeffreys", level=0.9)
    assert rates["ada"].interval == jeffreys(2, 2, 0.9)


def test_an_interval_of_plain_trials_is_none_of_clusters():
    for interval in ("wilson", "jeffreys"):
        with pytest.raises(InvalidValueError, match="clusters do not"):
            win_rate_closed(BODY, as_of=day(30), cluster="account", interval=interval)


def test_strange_clusters_and_intervals_are_refused():
    check_door(
        lambda value: win_rate_closed(BODY, as_of=day(30), cluster=value),
        takes=lambda value: value is None,
    )
    check_door(
        lambda value: win_rate_closed(BODY, as_of=day(30), interval=value),
        takes=lambda value: value is None,
    )
    check_door(lambda value: Rate.of(1, 2, method=value))
    check_door(
        Rate.of_clusters,
        takes=lambda value: isinstance(value, tuple | list | dict | set) and not value,
    )
    with pytest.raises(UnknownKeyError, match="unknown interval: 'wald'; known: 'wilson'"):
        win_rate_closed(BODY, as_of=day(30), interval="wald")
    with pytest.raises(UnknownKeyError, match="unknown field of a deal: 'size'"):
        of_created([], as_of=day(30), cluster="size")


def test_what_is_not_counted_by_clusters_says_so():
    rate = Counting(people, Moment.CREATION, "cohort").rate(_always)
    assert rate([], as_of=day(3), interval="jeffreys") == Rate.of(0, 0)
    with pytest.raises(InvalidValueError, match="this figure is not counted by clusters"):
        rate([], as_of=day(3), cluster="account")


def _always(_row) -> bool:
    return True


# Causes


def lost_for(at, reason, stage="gone"):
    return at, Lost, {"stage": stage, "pipeline": "board", "reason": reason}


CAUSES = {"no_decision": ["no decision", "budget frozen"], "rival": {"price"}}


def test_a_cause_is_what_the_reason_of_a_loss_means():
    deals = [
        deal(0, won(4)),
        deal(0, lost_for(4, "budget frozen")),
        deal(0, lost_for(4, "price")),
        deal(0, lost_for(4, "Price")),
        deal(0, lost(4)),
        deal(0),
        deal(0, lost_for(4, "price"), reopened(5)),
        deal(0, stage="gone", outcome=Outcome.LOST),
    ]
    rows = (lifetimes([each], as_of=day(9), causes=CAUSES).rows for each in deals)
    found = [row.cause for one in rows for row in one]
    assert found == ["won", "no_decision", "rival", "lost", "lost", None, None, "lost"]
    assert {row.cause for row in lifetimes(deals, as_of=day(9)).rows} == {None}


def test_causes_are_part_of_what_was_asked_for():
    tally = lifetimes([], as_of=day(9), causes=CAUSES, cluster="account")
    causes = ("no_decision", ("budget frozen", "no decision")), ("rival", ("price",))
    assert tally.settings == (("cluster", "account"), ("causes", causes))
    hash(tally)
    assert lifetimes([], as_of=day(9), causes={}) == lifetimes([], as_of=day(9))


def test_causes_that_say_nothing_clear_are_refused_all_together():
    with pytest.raises(InvalidValueError) as caught:
        lifetimes([], as_of=day(9), causes={"": ["x"], "lost": ["y"], "a": "b", "c": [], "d": [5]})
    assert caught.value.faults == (
        "the cause '' is not text that is not empty",
        "'lost' is an outcome, and needs no reasons",
        "the reasons of 'a' are not several: 'b'",
        "no reason means 'c'",
        "the reason 5 of 'd' is not text that is not empty",
    )
    with pytest.raises(InvalidValueError, match="the reason 'x' means several causes"):
        lifetimes([], as_of=day(9), causes={"a": ["x", "y"], "b": ["x"]})
    empty = dict
    check_door(
        lambda value: lifetimes([], as_of=day(9), causes=value),
        takes=lambda value: value is None or (type(value) is empty and not value),
    )
    check_door(lambda value: lifetimes([], as_of=day(9), causes={"a": value}))
    check_door(
        lambda value: lifetimes([], as_of=day(9), causes={"a": [value]}),
        takes=lambda value: isinstance(value, str) and value,
    )


def test_a_rate_of_a_tally_with_causes_is_the_same():
    deals = [deal(0, won(4)), deal(0, lost_for(4, "price")), deal(0)]
    tally = lifetimes(deals, as_of=day(9), causes=CAUSES)
    assert win_rate_closed(tally) == Rate.of(1, 2)


def test_a_row_without_a_cause_and_a_cluster_needs_neither():
    row = Lifetime(None, None, None, 0, 5, None, Outcome.WON, None)
    assert (row.cluster, row.cause) == (None, None)
    assert isinstance(lifetimes([deal(0)], as_of=day(1)), Tally)


def test_a_cluster_may_be_an_attribute():
    history = deal(0, (1, FieldSet, {"field": "attributes.region", "value": "north"}), won(4))
    tally = lifetimes([history], as_of=day(9), cluster="attributes.region")
    assert [row.cluster for row in tally.rows] == ["north"]


# Survival from plain durations


def test_a_curve_and_its_steps_are_values():
    check_value(
        Survival.of(MAINTAINED),
        Survival.of(reversed(MAINTAINED)),
        Survival.of(MAINTAINED, level=0.9),
        Survival.of(MAINTAINED[1:]),
        Survival.of_counts({(0, age, over): 1 for age, over in MAINTAINED}, left_out={"x": 1}),
    )
    check_value(Step(9, 11, 1, 0.9, 0.1), Step(9, 11, 1, 0.9, 0.1), Step(9, 11, 1, 0.9, None))


def test_a_step_says_who_was_at_risk_and_how_many_ended():
    curve = Survival.of(MAINTAINED)
    assert [(step.day, step.at_risk, step.ended) for step in curve.steps] == [
        (9, 11, 1),
        (13, 10, 1),
        (18, 8, 1),
        (23, 7, 1),
        (31, 5, 1),
        (34, 4, 1),
        (48, 2, 1),
    ]
    assert (curve.n, curve.ended, curve.last_day) == (11, 7, 161)


def test_a_curve_tells_a_row_for_each_day_on_which_something_ended():
    rows = Survival.of([(1, True), (2, True), (2, False), (3, True)]).rows()
    assert [(row["day"], row["at_risk"], row["ended"], row["survival"]) for row in rows] == [
        (1, 4, 1, 0.75),
        (2, 3, 1, 0.5),
        (3, 1, 1, 0.0),
    ]
    assert rows[0]["error"] == pytest.approx(sqrt(3 / 64))
    assert [row["method"] for row in rows] == ["log-log", "log-log", None]


def test_what_is_still_there_on_a_day_is_at_risk_on_it():
    curve = Survival.of([(5, False), (5, True), (9, False)])
    assert [(step.at_risk, step.survival) for step in curve.steps] == [(3, pytest.approx(2 / 3))]


def test_what_ends_on_day_0_counts():
    curve = Survival.of([(0, True), (4, True)])
    assert [curve.at(0), curve.at(3), curve.at(4)] == [0.5, 0.5, 0.0]


def test_the_share_is_1_before_the_first_step_and_has_no_value_after_the_last_day():
    curve = Survival.of(MAINTAINED)
    assert [curve.at(0), curve.at(8.9), curve.at(161), curve.at(161.1)] == [
        1.0,
        1.0,
        pytest.approx(0.18409, abs=5e-6),
        None,
    ]


def test_the_error_is_greenwoods():
    curve = Survival.of([(1, True), (2, True), (3, False), (3, False)])
    greenwood = 1 / (4 * 3) + 1 / (3 * 2)
    assert curve.error_at(2) == pytest.approx(0.5 * sqrt(greenwood))
    assert (curve.error_at(0.5), curve.error_at(4)) == (0.0, None)


def test_where_nothing_lasts_there_is_no_error_and_no_interval():
    curve = Survival.of([(1, True), (2, True)])
    assert (curve.at(2), curve.error_at(2), curve.interval_at(2)) == (0.0, None, None)


def test_the_interval_of_a_share_is_log_log():
    interval = Survival.of(MAINTAINED).interval_at(9)
    assert interval.method == "log-log"
    # S = 10/11 to the power of exp(±1.96·0.0867 / (S·|ln S|))
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.508, 0.987)


def test_before_the_first_step_and_after_the_last_day_there_is_no_interval():
    curve = Survival.of(MAINTAINED)
    assert curve.interval_at(8) is None
    assert curve.interval_at(200) is None


def test_a_quantile_is_the_first_age_by_which_so_many_ended():
    curve = Survival.of([(day, True) for day in range(1, 11)])
    assert [curve.quantile(share) for share in (0.1, 0.11, 0.5, 0.95)] == [1, 2, 5, 10]
    assert Survival.of(MAINTAINED).quantile(0.9) is None


def test_a_median_exactly_at_half_is_reached_though_floats_round():
    curve = Survival.of([(day, True) for day in range(1, 25)])
    assert curve.steps[11].survival > 0.5
    assert curve.median == 12


def test_a_median_that_is_not_reached_is_none():
    assert Survival.of([(1, True), (5, False), (6, False)]).median is None


def test_the_interval_of_a_median_inverts_the_band():
    # the band reaches down to .508 on day 9, to .448 on day 13; up to .525 on day 48, and stays
    assert Survival.of(MAINTAINED).median_interval == Interval(13, None, 0.95, "log-log")


def test_a_narrower_level_closes_the_interval_of_a_median():
    assert Survival.of(MAINTAINED, level=0.5).median_interval == Interval(31, 34, 0.5, "log-log")


def test_a_day_on_which_the_last_one_ended_bounds_no_median():
    assert Survival.of([(5, True)]).median_interval == Interval(None, None, 0.95, "log-log")
    assert Survival.of([(5, True), (7, True)]).median_interval == Interval(5, None, 0.95, "log-log")


def test_any_quantile_has_an_interval():
    curve = Survival.of(MAINTAINED)
    assert curve.quantile(0.2) == 18
    # the band of R's table reaches down to .508 on day 9, and up to .836 on day 23, .753 on day 31
    assert curve.quantile_interval(0.2) == Interval(9, 31, 0.95, "log-log")
    assert curve.quantile_interval(0.5) == curve.median_interval
    assert curve.quantile_interval(0.95).high is None
    assert Survival.of([(5, False)]).quantile_interval(0.2) is None
    check_door(curve.quantile_interval)
    check_door(Survival.of([]).quantile_interval)


def test_hazards_are_the_share_that_ends_of_what_lasted_and_their_sum():
    hazards = Survival.of([(9, True), (13, True), (13, False), (18, True)]).hazards()
    assert [(each.day, each.at_risk, each.ended) for each in hazards] == [
        (9, 4, 1),
        (13, 3, 1),
        (18, 1, 1),
    ]
    assert [each.hazard for each in hazards] == [1 / 4, 1 / 3, 1]
    assert [each.cumulative for each in hazards] == pytest.approx([0.25, 7 / 12, 19 / 12])
    errors = [each.error for each in hazards]
    assert errors == pytest.approx([sqrt(1 / 16), sqrt(1 / 16 + 1 / 9), sqrt(1 / 16 + 1 / 9 + 1)])
    assert hazards.to_dicts()[0] == {
        "day": 9, "at_risk": 4, "ended": 1, "hazard": 0.25, "cumulative": 0.25, "error": 0.25,
        "left_out": 0, "left_out_why": None, "as_of": None, "period_start": None,
        "period_end": None,
    }  # fmt: skip
    assert tuple(Survival.of([]).hazards()) == ()
    check_value(
        Hazard(9, 4, 1, 0.25, 0.25, 0.25),
        Hazard(9, 4, 1, 0.25, 0.25, 0.25),
        Hazard(9, 4, 1, 0.25, 0.3, 0.25),
    )


def test_hazards_say_what_the_curve_was_judged_from():
    hazards = time_to_close(BODY, as_of=day(20), period=days(0, 30)).hazards()
    assert (hazards.as_of, hazards.period) == (day(20), days(0, 30))


def test_without_any_end_the_median_has_no_interval():
    assert Survival.of([(5, False)]).median_interval is None


def test_a_curve_of_nothing_has_no_value_anywhere():
    curve = Survival.of([])
    assert (curve.steps, curve.n, curve.ended, curve.last_day) == ((), 0, 0, None)
    assert [curve.at(0), curve.error_at(0), curve.interval_at(0)] == [None, None, None]
    assert (curve.median, curve.median_interval, curve.quantile(0.1)) == (None, None, None)


def test_late_entry_joins_the_risk_set_late():
    curve = Survival.of([(4, True), (9, True, 5), (9, False, 9), (12, False)])
    assert [(step.day, step.at_risk, step.survival) for step in curve.steps] == [
        (4, 2, 0.5),
        (9, 3, pytest.approx(1 / 3)),
    ]


def test_what_ended_before_it_was_first_seen_is_left_out_and_counted():
    curve = Survival.of([(4, True, 5), (6, True, 6), (7, False, 8)])
    assert (curve.n, curve.ended, dict(curve.left_out)) == (1, 1, {"entry_after_end": 2})


def test_ages_must_be_numbers_from_0_on():
    for wrong in (-1, nan, inf):
        for life in ((wrong, True), (5, True, wrong)):
            with pytest.raises(InvalidValueError, match="not a number from 0 on"):
                Survival.of([life])
        with pytest.raises(InvalidValueError, match="not a number from 0 on"):
            Survival.of(MAINTAINED).at(wrong)
    numbers = (0, 7, 2.5, 10**5000)
    check_door(
        lambda value: Survival.of([(value, True)]),
        takes=lambda value: type(value) in (int, float) and value in numbers,
    )


def test_lives_must_be_pairs_or_triples():
    check_door(
        Survival.of,
        takes=lambda value: isinstance(value, tuple | list | dict | set) and not value,
    )
    check_door(lambda value: Survival.of([value]))
    for wrong in ((5,), (5, True, 0, 0), (5, "no"), (5, None), (5, 2), "5y"):
        with pytest.raises(WrongTypeError, match="'lives' must be pairs"):
            Survival.of([wrong])


def test_the_share_of_a_quantile_and_the_level_lie_between_0_and_1():
    check_door(Survival.of(MAINTAINED).quantile)
    check_door(lambda value: Survival.of(MAINTAINED, level=value))


def test_numbers_of_a_table_say_whether_it_ended():
    assert Survival.of([(9.0, 1.0), (13, 0)]) == Survival.of([[9, True], [13, False]])


# Time to close


def test_open_deals_are_at_risk_up_to_their_age():
    curve = time_to_close(BODY, as_of=day(20))
    assert (curve.n, curve.ended, curve.last_day) == (6, 4, 19)
    # ages: 1 lost, 5 open, 9 won, 10 lost, 15 open, 19 won
    assert [(step.day, step.at_risk, step.ended) for step in curve.steps] == [
        (1, 6, 1),
        (9, 4, 1),
        (10, 3, 1),
        (19, 1, 1),
    ]
    assert curve.median == 10


def test_time_to_close_of_a_period_is_of_deals_created_in_it():
    curve = time_to_close(BODY, as_of=day(30), period=days(0, 5))
    assert [step.day for step in curve.steps] == [9, 10, 19]
    assert curve.n == 3


def test_time_to_close_leaves_out_what_has_no_age_by_reason():
    histories = [
        deal(0, start=BY_THEN),
        deal(0, won(4), start=BY_THEN),
        deal(9, won(4)),
        deal(0, won(4), observed_from=day(6)),
        deal(0, won(4)),
    ]
    curve = time_to_close(histories, as_of=day(20))
    assert (curve.n, curve.ended) == (1, 1)
    assert curve.left_out == {"start_unknown": 2, "negative_duration": 1, "entry_after_end": 1}


def test_a_deal_seen_late_is_at_risk_from_then_on():
    histories = [deal(0, won(4)), deal(0, won(9)), deal(0, won(12), observed_from=day(6))]
    curve = time_to_close(histories, as_of=day(20))
    assert [(step.day, step.at_risk) for step in curve.steps] == [(4, 2), (9, 2), (12, 1)]


def test_time_to_close_comes_in_days_at_any_resolution():
    histories = [deal(0, won(1.75)), deal(0, won(3.5))]
    days_alone = time_to_close(histories, as_of=day(20))
    hours = time_to_close(histories, as_of=day(20), resolution=timedelta(hours=6))
    assert [step.day for step in days_alone.steps] == [1, 3]
    assert [step.day for step in hours.steps] == [1.75, 3.5]
    assert hours.last_day == 3.5


def test_time_to_close_by_owner_is_of_who_opened_the_deal():
    history = deal(0, given_to(2, "bob"), won(4), owner="ada")
    curves = time_to_close([history], as_of=day(9), by="owner", level=0.9)
    assert {owner: (curve.median, curve.level) for owner, curve in curves.items()} == {
        "ada": (4, 0.9)
    }


def test_time_to_close_of_nothing_is_an_empty_curve():
    assert time_to_close([], as_of=day(9)) == Survival.of([])


def test_a_strange_day_is_refused_by_one_clear_error():
    curve = time_to_close(BODY, as_of=day(20))
    with pytest.raises(SalesPipelineError, match="'age' must be a number of days"):
        curve.at("9")
