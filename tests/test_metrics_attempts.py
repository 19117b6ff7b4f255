"""How many attempts it takes to reach somebody, or to win a deal."""

from fractions import Fraction

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import ActivityRecorded, Direction, LeadStatusSet, OptedIn, OptedOut
from salespipeline.metrics import Rate, Survival
from salespipeline.metrics.attempts import Attempts, AttemptStep, attempts, attempts_to_win
from salespipeline.tallies import people
from salespipeline.tallies._attempts import (
    STANDARD_ATTEMPTS,
    AttemptStatuses,
    Effort,
    Tried,
    attempts_on_contacts,
    attempts_on_deals,
)
from stories import contact, day, days, deal, given_to, lost, reached, reopened, won


def tried(at, kind="call"):
    return at, ActivityRecorded, {"kind": kind, "direction": Direction.OUTBOUND}


def answered(at, kind="email"):
    return at, ActivityRecorded, {"kind": kind, "direction": Direction.INBOUND}


def status(at, key):
    return at, LeadStatusSet, {"status": key}


def sql(at=1, key="new"):
    return reached(at, "sales_qualified_lead", key)


def worked(*steps, **facts):
    return contact(0, sql(), *steps, **facts)


def effort(*steps, at=20, **options):
    """How many attempts there were of one contact, and how matters stand."""
    (row,) = attempts_on_contacts([contact(0, *steps)], as_of=day(at), **options).rows
    return row.attempts, row.effort.value


# 1 connected on the first call, 2 on the second, 1 on the fourth; 1 unqualified after two,
# 1 quiet since the first, 1 called three times so far, 2 untouched; 1 called in by itself.
BODY = (
    worked(tried(2), status(3, "connected")),
    *[worked(tried(2), tried(3), status(4, "connected"))] * 2,
    worked(tried(2), tried(3), tried(4), tried(5), answered(6)),
    worked(tried(2), tried(3), status(4, "unqualified")),
    worked(tried(2)),
    worked(tried(30), tried(31), tried(39)),
    worked(),
    worked(),
    worked(status(3, "connected")),
)


def found(**options):
    return attempts(BODY, as_of=day(40), **options)


def test_the_results_are_values():
    def step(number):
        return AttemptStep(number, 3, 1, 1, 1, 0.5, None)

    check_value(step(1), step(1), step(2))
    curve = Survival.of([(1, True)])

    def made(n):
        return Attempts(n, 1, 1, 1, (step(1),), Fraction(1), curve, left_out={"without_attempt": 1})

    check_value(made(1), made(1), made(2))
    said = [AttemptStatuses(frozenset({"a"}), frozenset(), frozenset()) for _ in range(2)]
    assert said[0] == said[1] != STANDARD_ATTEMPTS


def test_everybody_is_reached_given_up_being_tried_or_untouched():
    now = found()
    assert (now.reached, now.given_up, now.trying, now.untouched) == (4, 2, 1, 2)
    assert (now.n, now.left_out) == (9, {"without_attempt": 1})
    assert now.naive_mean == Fraction(1 + 2 + 2 + 4, 4)


def test_each_attempt_has_those_tried_so_often_and_what_came_of_them():
    told = [(s.number, s.tried, s.reached, s.given_up, s.still_trying) for s in found().steps]
    assert told == [(1, 7, 1, 1, 0), (2, 5, 2, 1, 0), (3, 2, 0, 0, 1), (4, 1, 1, 0, 0)]


def test_the_share_reached_is_kaplan_and_meiers():
    now = found()
    assert now.share_reached(0) == 0
    assert now.share_reached(1) == pytest.approx(1 / 7)
    assert now.share_reached(2) == pytest.approx(1 - 6 / 7 * 3 / 5)
    assert now.share_reached(3) == now.share_reached(2)
    assert now.share_reached(4) == 1
    assert now.share_reached(5) is None
    assert now.median == 4
    assert now.steps[1].share_reached == now.share_reached(2)


def test_the_interval_of_the_share_is_that_of_the_curve_turned_around():
    now = found(level=0.9)
    band, turned = now.curve.interval_at(2), now.interval_at(2)
    assert (turned.low, turned.high) == (1 - band.high, 1 - band.low)
    assert turned.low < now.share_reached(2) < turned.high
    assert (turned.level, turned.method) == (0.9, "log-log")
    assert now.interval_at(4) is now.interval_at(9) is None


def test_giving_up_is_told_after_each_attempt_and_up_to_it():
    now = found()
    assert now.given_up_after(1) == Rate.of(1, 1 + 5)
    assert now.given_up_after(2) == Rate.of(1, 1 + 2)
    assert now.given_up_after(3) == Rate.of(0, 1)
    assert now.given_up_after(4) == now.given_up_after(99) == Rate.of(0, 0)
    assert now.given_up_within(0) == Rate.of(0, 2)
    assert now.given_up_within(1) == Rate.of(1, 2)
    assert now.given_up_within(2) == now.given_up_within(50) == Rate.of(2, 2)


def test_without_anybody_there_is_nothing():
    none = attempts([], as_of=day(1))
    assert (none.n, none.steps, none.naive_mean, none.median) == (0, (), None, None)
    assert none.share_reached(1) is None
    assert none.given_up_within(1) == Rate.of(0, 0)
    assert attempts([worked()], as_of=day(9)).share_reached(0) == 0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([sql()], (0, "untouched")),
        ([sql(), tried(2)], (1, "trying")),
        ([tried(0.5), sql(), tried(2)], (1, "trying")),  # before sales began it was marketing's
        ([sql(), status(2, "attempted_to_contact")], (1, "trying")),
        ([sql(), tried(2), status(3, "attempted_to_contact")], (1, "trying")),
        ([sql(), status(3, "attempted_to_contact"), tried(4)], (1, "trying")),
        ([sql(), tried(2), status(3, "attempted_to_contact"), tried(4)], (2, "trying")),
        ([sql(), tried(2), tried(3), status(4, "connected"), tried(5)], (2, "reached")),
        ([sql(), tried(2), status(4, "open_deal")], (1, "reached")),
        (
            [sql(), status(2, "attempted_to_contact"), tried(3), status(4, "connected")],
            (1, "reached"),
        ),
        ([sql(), tried(2), answered(3)], (1, "reached")),
        ([sql(), answered(2), tried(3)], (1, "trying")),  # nobody had asked yet
        ([sql(), answered(2), status(2, "connected")], (0, "reached")),
        ([sql(), (2, ActivityRecorded, {"kind": "note"})], (0, "untouched")),
        ([sql(), tried(2), status(3, "bad_timing")], (1, "given_up")),
        ([sql(), status(3, "unqualified")], (0, "given_up")),
        ([sql(), tried(2), status(3, "unqualified"), status(4, "new")], (1, "trying")),
        ([sql(), tried(2), (3, OptedOut, {})], (1, "given_up")),
        ([sql(), tried(2), (3, OptedOut, {}), (4, OptedIn, {})], (1, "trying")),
        ([sql(key="attempted_to_contact")], (1, "trying")),
        ([status(0, "attempted_to_contact"), sql(key="attempted_to_contact")], (0, "untouched")),
        ([reached(1, "customer")], (0, "untouched")),
    ],
)
def test_what_counts_as_an_attempt_and_what_ends_it(steps, expected):
    assert effort(*steps) == expected


def test_a_contact_that_began_at_the_stage_is_worked_from_then_on():
    body = [contact(0, tried(2), stage="sales_qualified_lead", lead_status="attempted_to_contact")]
    (row,) = attempts_on_contacts(body, as_of=day(9)).rows
    assert (row.attempts, row.effort) == (1, Effort.TRYING)


def test_a_contact_is_given_up_when_it_was_quiet_for_longer_than_said():
    assert effort(sql(), tried(2), at=32) == (1, "trying")
    assert effort(sql(), tried(2), at=33) == (1, "given_up")
    assert effort(sql(), tried(2), at=7, quiet_days=4) == (1, "given_up")
    assert effort(sql(), at=500) == (0, "untouched")


def test_until_it_is_a_customer_an_answer_ends_nothing():
    steps = sql(), tried(2), answered(3), status(4, "connected"), tried(5)
    assert effort(*steps, until="won") == (2, "trying")
    assert effort(*steps, reached(6, "customer"), until="won") == (2, "reached")


def test_kinds_say_which_activities_count():
    steps = sql(), tried(2, "call"), tried(3, "email"), answered(4, "email")
    assert effort(*steps) == (2, "reached")
    assert effort(*steps, kinds=["call"]) == (1, "trying")
    assert effort(*steps, kinds={"email"}) == (1, "reached")
    with pytest.raises(InvalidValueError, match="no kind of activity"):
        effort(*steps, kinds=[])


def test_the_stage_says_where_the_work_begins():
    body = [contact(0, reached(1, "lead"), tried(2))]
    assert attempts(body, as_of=day(9)).n == 0
    assert attempts(body, as_of=day(9), stage="lead").trying == 1


def test_statuses_of_ones_own_count_every_attempt():
    own = AttemptStatuses(
        frozenset({"attempt_1", "attempt_2"}), frozenset({"spoke"}), frozenset({"recycled"})
    )
    steps = sql(), status(2, "attempt_1"), status(3, "attempt_2")
    assert effort(*steps, statuses=own) == (2, "trying")
    assert effort(*steps, status(4, "spoke"), statuses=own) == (2, "reached")
    assert effort(*steps, status(4, "recycled"), statuses=own) == (2, "given_up")
    assert effort(*steps) == (0, "untouched")


def test_a_period_selects_by_the_beginning_of_the_work_and_a_group_is_of_then():
    body = [
        contact(0, sql(3), given_to(4, "bob"), tried(5), owner="ada"),
        contact(0, sql(8), tried(9), owner="eve"),
    ]
    assert attempts(body, as_of=day(10), period=days(0, 5)).n == 1
    assert list(attempts(body, as_of=day(10), by="owner")) == ["ada", "eve"]


def test_tallies_of_attempts_add_and_are_read_as_they_were_counted():
    parts = [attempts_on_contacts(BODY[n::2], as_of=day(40), kinds=["call"]) for n in (0, 1)]
    whole = parts[0] + parts[1]
    assert attempts(whole) == attempts(whole, kinds=["call"]) == found(kinds=["call"])
    with pytest.raises(InvalidValueError, match="it was counted with kinds="):
        attempts(whole, kinds=["email"])
    with pytest.raises(InvalidValueError, match="tallies"):
        whole + attempts_on_contacts([], as_of=day(40))
    with pytest.raises(InvalidValueError, match="needs attempts_on_contacts"):
        attempts(people([], as_of=day(1)))
    assert whole.rows[Tried(None, None, 1, Effort.REACHED)].n == 1


# Deals


DEALS = (
    deal(0, tried(1), won(2)),
    deal(0, tried(1), tried(2), answered(3), won(4), tried(5)),
    deal(0, tried(1), tried(2), tried(3), lost(4)),
    deal(0, tried(1), won(2), reopened(3), tried(38)),
    deal(0, tried(1)),
    deal(0),
    deal(0, won(1)),
)


def test_attempts_to_win_end_with_the_closing_in_force():
    now = attempts_to_win(DEALS, as_of=day(40))
    assert (now.reached, now.given_up, now.trying, now.untouched) == (2, 2, 1, 1)
    assert now.left_out == {"without_attempt": 1}
    told = [(s.number, s.tried, s.reached, s.given_up, s.still_trying) for s in now.steps]
    assert told == [(1, 5, 1, 1, 0), (2, 3, 1, 0, 1), (3, 1, 0, 1, 0)]
    assert now.share_reached(2) == pytest.approx(1 - 4 / 5 * 2 / 3)


def test_attempts_to_win_take_kinds_periods_groups_and_tallies():
    body = [*DEALS, deal(20, tried(21, "email"), won(22), owner="ada")]
    assert attempts_to_win(body, as_of=day(40), kinds=["email"]).reached == 1
    assert attempts_to_win(body, as_of=day(40), period=days(20, 21)).n == 1
    assert attempts_to_win(body, as_of=day(40), by="owner")["ada"].reached == 1
    tally = attempts_on_deals(body, as_of=day(40), quiet_days=5)
    assert attempts_to_win(tally) == attempts_to_win(body, as_of=day(40), quiet_days=5)
    with pytest.raises(InvalidValueError, match="quiet_days=5, not 6"):
        attempts_to_win(tally, quiet_days=6)


def test_rows_are_one_for_each_attempt():
    rows = found().to_dicts()
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert rows[1]["share_reached"] == pytest.approx(1 - 6 / 7 * 3 / 5)
    assert found().row()["median"] == 4


def test_strange_input_is_refused_at_every_door():
    def empty(value):
        return type(value) in (bytes, bytearray, tuple, list, dict, set, range) and not value

    for figure in (attempts, attempts_to_win):
        check_door(lambda value, figure=figure: figure(value, as_of=day(1)), takes=empty)
        check_door(lambda value, figure=figure: figure([], as_of=value))
        check_door(lambda value, figure=figure: figure([], as_of=day(1), level=value))
        check_door(lambda value, figure=figure: figure([], as_of=day(1), zone=value))
        check_door(
            lambda value, figure=figure: figure([], as_of=day(1), quiet_days=value),
            takes=lambda value: type(value) is int and value >= 0,
        )
        check_door(
            lambda value, figure=figure: figure([], as_of=day(1), kinds=value),
            takes=lambda value: value is None or (type(value) is dict and value),
        )
    check_door(lambda value: attempts([], as_of=day(1), until=value))
    check_door(lambda value: attempts([], as_of=day(1), stage=value))
    check_door(lambda value: attempts([], as_of=day(1), statuses=value))
    keys = STANDARD_ATTEMPTS._replace
    with pytest.raises(WrongTypeError, match="'connected' must be several texts"):
        attempts([], as_of=day(1), statuses=keys(connected="connected"))
    now = found()
    whole = {"takes": lambda value: type(value) is int and value >= 0}
    check_door(now.share_reached, **whole)
    check_door(now.interval_at, **whole)
    check_door(now.given_up_within, **whole)
    check_door(now.given_up_after, takes=lambda value: type(value) is int and value > 0)
