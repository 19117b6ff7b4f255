"""What to go through with the owner of deals."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts import check_door, check_value
from salespipeline.errors import (
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    ContactLinked,
    Deleted,
    Lost,
    NextStepPlanned,
    Voided,
)
from salespipeline.metrics.review import Change, Missing, review
from salespipeline.money import Money
from salespipeline.pipelines import Pipeline, Stage
from stories import (
    BY_THEN,
    START,
    contact,
    day,
    days,
    deal,
    euros,
    given_to,
    lost,
    moved,
    reopened,
    won,
    worth,
)

BOARD = Pipeline(
    "board",
    [
        Stage("talk", rot_after=timedelta(days=10)),
        Stage("offer", rot_after=timedelta(days=20)),
        Stage("hold", parked=True),
        Stage("signed", outcome="won"),
        Stage("kept", outcome="won"),
        Stage("gone", outcome="lost"),
    ],
    former={"call": "talk"},
)
WEEK = days(30, 37)
NOW = day(37)


def expects(at, number):
    on = None if number is None else (START + timedelta(days=number)).date()
    return at, CloseDateChanged, {"expected_close": on}


def plans(at, number):
    due = None if number is None else (START + timedelta(days=number)).date()
    return at, NextStepPlanned, {"what": "demo", "due": due}


def of(history, owner="ada", **options):
    asked = {"as_of": NOW, "period": WEEK, "pipelines": [BOARD]} | options
    return review([history], owner=owner, **asked)


def told(found):
    return [(each.change.value, each.before, each.after) for each in found.moved]


# A deal that lacks nothing and is not stuck.
def complete(*steps, opened=30, **facts):
    said = {
        "owner": "ada", "amount": euros(500), "expected_close": date(2026, 6, 1),
        "contacts": ("c-1",),
    }  # fmt: skip
    return deal(opened, plans(opened, 60), *steps, **said | facts)


# What moved


@pytest.mark.parametrize(
    ("step", "change", "before", "after"),
    [
        (moved(32, "offer"), "advanced", "talk", "offer"),
        (moved(32, "kept"), "advanced", "talk", "kept"),
        (moved(32, "hold"), "moved", "talk", "hold"),
        (moved(32, "ghost"), "moved", "talk", "ghost"),
        (moved(32, "trial", "lean"), "moved", "talk", "trial"),
        (won(32), "won", "talk", "signed"),
        (lost(32), "lost", "talk", "gone"),
        (given_to(32, "bob"), "given", "ada", "bob"),
        (worth(32, euros(900)), "amount_changed", "500.00 EUR", "900.00 EUR"),
        (worth(32, None), "amount_changed", "500.00 EUR", None),
        (expects(32, 180), "pushed", "2026-06-01", "2026-06-30"),
        (expects(32, 100), "pulled_in", "2026-06-01", "2026-04-11"),
        (expects(32, None), "dated", "2026-06-01", None),
    ],
)
def test_what_happened_in_the_period_is_told_with_before_and_after(step, change, before, after):
    found = of(complete(step, opened=20))
    assert told(found) == [(change, before, after)]
    assert found.moved[0].at == day(32)
    assert found.changes == {Change(change): 1}


def test_a_new_deal_was_opened_and_a_first_date_is_a_date():
    found = of(deal(31, expects(32, 90), owner="ada"))
    assert told(found) == [("opened", None, "talk"), ("dated", None, "2026-04-01")]


def test_a_deal_only_known_by_then_was_not_opened_then():
    assert told(of(deal(31, start=BY_THEN, owner="ada"))) == []


def test_a_move_back_and_a_reopening_are_told():
    found = of(complete(moved(31, "offer"), moved(32, "talk"), lost(33), reopened(34), opened=9))
    assert [each[0] for each in told(found)] == ["advanced", "went_back", "lost", "reopened"]


def test_what_changes_nothing_is_not_told():
    steps = [
        worth(31, euros(500)), expects(31, 151), given_to(31, "ada"), moved(31, "talk"),
        moved(32, "call"), (33, ActivityRecorded, {"kind": "call"}),
    ]  # fmt: skip
    assert told(of(complete(*steps, opened=20))) == []


def test_moves_of_pipelines_that_are_not_given_have_no_direction():
    found = of(complete(moved(32, "offer"), opened=20), pipelines=[])
    assert told(found) == [("moved", "talk", "offer")]


def test_what_happened_outside_the_period_or_after_the_instant_is_not_told():
    steps = [moved(29, "offer"), moved(30, "talk"), moved(36, "offer"), moved(37, "talk")]
    history = complete(*steps, opened=20)
    assert [each.at for each in of(history, as_of=day(40)).moved] == [day(30), day(36)]
    assert [each.at for each in of(history, as_of=day(35)).moved] == [day(30)]


def test_a_date_written_by_the_closing_is_not_told():
    for steps in (
        [expects(32, 32), won(32)],
        [won(32), expects(32, 32)],
        [won(32), expects(33, 1)],
    ):
        assert told(of(complete(*steps, opened=20))) == [("won", "talk", "signed")]


def test_a_reason_is_told():
    history = complete(
        (31, AmountChanged, {"amount": euros(400), "reason": "fewer seats"}),
        (32, Lost, {"stage": "gone", "pipeline": "board", "reason": "price"}),
        opened=20,
    )
    assert [each.reason for each in of(history).moved] == ["fewer seats", "price"]
    assert of(history).moved[1].amount == Money(400, "EUR")


def test_what_moved_is_of_whoever_had_the_deal_when_it_did():
    history = complete(moved(31, "offer"), given_to(33, "bob"), moved(35, "talk"), opened=20)
    everybody = review([history], as_of=NOW, period=WEEK, pipelines=[BOARD])
    assert list(everybody) == ["ada", "bob"]
    assert [each[0] for each in told(everybody["ada"])] == ["advanced", "given"]
    assert [each[0] for each in told(everybody["bob"])] == ["given", "went_back"]
    assert (everybody["ada"].open.n, everybody["bob"].open.n) == (0, 1)


def test_movements_of_several_deals_come_in_order_of_time():
    body = [
        complete(moved(33, "offer"), opened=20, record="a"),
        complete(moved(31, "offer"), opened=20, record="b"),
    ]
    found = review(body, owner="ada", as_of=NOW, period=WEEK, pipelines=[BOARD])
    assert [each.deal for each in found.moved] == ["b", "a"]


# What is stuck and missing


def test_stalled_deals_are_stuck_by_the_definition_asked_for():
    history = complete(opened=20)
    assert [each.deal for each in of(history).stuck] == ["d-1"]
    assert of(history, limits=timedelta(days=17)).stuck == ()
    assert of(history, rule="untouched_and_unplanned").stuck == ()
    assert of(history, pipelines=[]).left_out == {"no_limit": 1}


@pytest.mark.parametrize(
    ("change", "missing", "passed"),
    [
        ({"amount": None}, Missing.AMOUNT, None),
        ({"expected_close": None}, Missing.CLOSE_DATE, None),
        ({"expected_close": date(2026, 2, 6)}, Missing.CLOSE_DATE_PASSED, date(2026, 2, 6)),
        ({"contacts": ()}, Missing.CONTACT, None),
    ],
)
def test_what_an_open_deal_lacks_is_told(change, missing, passed):
    [gap] = of(complete(**change)).missing
    assert (gap.missing, gap.passed, gap.stage) == (missing, passed, "talk")
    assert [each.code for each in of(complete(**change)).questions] == [missing.value]


def test_a_next_step_may_be_missing_or_over():
    said = {
        "amount": euros(5),
        "expected_close": date(2026, 6, 1),
        "contacts": ("c",),
        "owner": "ada",
    }
    assert [gap.missing for gap in of(deal(30, **said)).missing] == [Missing.NEXT_STEP]
    [gap] = of(deal(30, plans(31, 36), **said)).missing
    assert (gap.missing, gap.passed) == (Missing.NEXT_STEP_PASSED, date(2026, 2, 6))
    assert of(deal(30, plans(31, 37), **said)).missing == ()
    assert of(deal(30, plans(31, None), **said)).missing == ()


def test_it_may_be_said_what_deals_should_not_lack():
    history = deal(30, owner="ada")
    assert len(of(history).missing) == 4
    assert [gap.missing for gap in of(history, missing=["amount"]).missing] == [Missing.AMOUNT]
    assert of(history, missing=()).questions == ()
    with pytest.raises(UnknownKeyError, match="unknown missing"):
        of(history, missing=["sponsor"])
    check_door(lambda value: of(history, missing=value), takes=_empty)


def test_a_deal_that_lacks_nothing_is_not_asked_about():
    found = of(complete())
    assert (found.missing, found.stuck, found.questions) == ((), (), ())
    assert found.open.total() == Money(500, "EUR")
    linked = complete((31, ContactLinked, {"contact": "c-9"}), contacts=())
    assert of(linked).missing == ()


def test_today_is_that_of_the_zone():
    history = complete(expected_close=date(2026, 2, 6))
    now = day(36) + timedelta(hours=23, minutes=30)
    assert of(history, as_of=now).missing == ()
    assert len(of(history, as_of=now, zone=ZoneInfo("Europe/Berlin")).missing) == 1


def test_parked_closed_and_deleted_deals_lack_nothing():
    for steps in ([moved(31, "hold")], [won(31)], [lost(31)]):
        found = of(deal(20, *steps, owner="ada"))
        assert (found.missing, found.stuck, found.open.n) == ((), (), 0)
    assert review([deal(20, (31, Deleted, {}))], as_of=NOW, period=WEEK) == {}


# What to ask


def test_questions_follow_from_what_is_stuck_missing_and_moved():
    history = deal(
        0, moved(10, "offer"), expects(31, 90), expects(32, 120), moved(33, "talk"),
        moved(34, "offer"),
        owner="ada", expected_close=date(2026, 3, 1), contacts=("c-1",), amount=euros(100),
    )  # fmt: skip
    found = of(history, limits=timedelta(days=2))
    assert [(each.code, each.deal) for each in found.questions] == [
        ("stalled", "d-1"), ("next_step", "d-1"), ("pushed", "d-1"), ("pushed", "d-1"),
        ("went_back", "d-1"),
    ]  # fmt: skip
    texts = [each.text for each in found.questions]
    assert texts[0] == (
        "it has been in 'offer' for 3 days, 2 at most (given): what would move it on?"
    )
    assert texts[3] == (
        "the close date went from 2026-04-01 to 2026-05-01: what changed for the buyer?"
    )
    assert texts[4] == "it went back from offer to talk: what had we taken for settled?"


def test_wins_and_losses_are_asked_about():
    body = [
        complete(won(31), opened=20, record="a"),
        complete(moved(21, "offer"), lost(32), opened=20, record="b"),
    ]
    found = review(body, owner="ada", as_of=NOW, period=WEEK, pipelines=[BOARD])
    assert [each.text for each in found.questions] == [
        "what made them decide to buy?",
        "it was lost from offer: why, and when could we have known?",
    ]


# The whole


REVIEWED = (
    complete(moved(31, "offer"), opened=20, record="d-1"),
    deal(5, worth(33, euros(300)), owner="ada", record="d-2", expected_close=date(2026, 2, 1)),
    deal(31, owner="bob", record="d-3"),
    complete((32, Lost, {"stage": "gone", "pipeline": "board", "reason": "price"}), opened=20,
             record="d-4"),
)  # fmt: skip


def test_a_review_reads_as_text():
    found = review(REVIEWED, owner="ada", as_of=NOW, period=WEEK, pipelines=[BOARD])
    assert str(found).splitlines() == [
        "ada: 2 open worth 800.00 EUR",
        "moved: 1 advanced, 1 lost, 1 amount changed",
        "  2026-02-01 d-1 advanced: talk to offer",
        "  2026-02-02 d-4 lost: talk to gone (price)",
        "  2026-02-03 d-2 amount changed: 300.00 EUR",
        "stuck: 1",
        "  d-2 has been in 'talk' for 32 days, 10 at most (stage)",
        "missing: 3",
        "  d-2: close date 2026-02-01 is over, no next step, no contact",
        "ask: 5",
        "  d-2: it has been in 'talk' for 32 days, 10 at most (stage): what would move it on?",
        "  d-2: it was to close by 2026-02-01: what is it waiting for?",
        "  d-2: what was agreed to be done next, by whom and by when?",
        "  d-2: whom do we speak with there, and who decides?",
        "  d-4: it was lost from talk: why, and when could we have known?",
    ]


def test_a_review_of_nothing_reads_as_text():
    [(owner, found)] = review([deal(5, won(9))], as_of=NOW, period=WEEK).items()
    assert owner is None
    assert str(found).splitlines() == [
        "nobody: 0 open", "moved: nothing", "stuck: 0", "missing: 0", "ask: 0",
    ]  # fmt: skip
    emptied = complete(worth(31, None), opened=20, owner=None)
    text = str(review([emptied], as_of=NOW, period=WEEK)[None])
    assert "d-1 amount changed: 500.00 EUR" in text
    step = str(of(deal(20, plans(21, 25), owner="ada")))
    assert "d-1: no amount, no close date, next step 2026-01-26 is over, no contact" in step


def test_a_review_is_told_in_rows():
    rows = review(REVIEWED, as_of=NOW, period=WEEK, pipelines=[BOARD]).to_dicts()
    sections = [row["section"] for row in rows if row["owner"] == "ada"]
    assert [sections.count(each) for each in ("moved", "stuck", "missing", "ask")] == [3, 1, 3, 5]
    found = review(REVIEWED, owner="ada", as_of=NOW, period=WEEK, pipelines=[BOARD])
    assert found.row()["changes_lost"] == 1
    assert (found.as_of, found.period) == (NOW, WEEK)
    assert "<td>pushed</td>" not in found._repr_html_()


def test_owners_are_all_who_ever_had_a_deal():
    history = complete(given_to(22, "bob"), given_to(24, None), opened=20)
    everybody = review([history], as_of=NOW, period=WEEK)
    assert list(everybody) == ["ada", "bob", None]
    assert str(everybody["bob"]).startswith("bob: 0 open")


def test_an_owner_whom_nobody_knows_is_refused():
    with pytest.raises(UnknownKeyError, match="unknown owner: 'adda'; known: 'ada', 'bob'"):
        review(REVIEWED, owner="adda", as_of=NOW, period=WEEK)
    with pytest.raises(UnknownKeyError, match="known: none"):
        review([deal(0)], owner="bob", as_of=NOW, period=WEEK)
    with pytest.raises(UnknownKeyError, match="'bob'"):
        review(REVIEWED, owner="bob", as_of=day(30), period=WEEK)


def test_a_voided_change_did_not_happen():
    history = complete(moved(31, "offer"), opened=20)
    void = Voided(record="d-1", sequence=4, at=day(33), voids=history.events[2].identity, why="no")
    history = history.append(void)
    assert told(of(history)) == []
    assert told(of(history, as_of=day(32))) == [("advanced", "talk", "offer")]


def test_a_review_is_a_value():
    def made(owner="ada"):
        return review(REVIEWED, owner=owner, as_of=NOW, period=WEEK, pipelines=[BOARD])

    check_value(made(), made(), made("bob"))


def test_strange_input_is_refused():
    options = {"as_of": NOW, "period": WEEK}
    check_door(lambda value: review(REVIEWED, **options, owner=value), takes=lambda v: v is None)
    check_door(lambda value: review(REVIEWED, **options | {"as_of": value}))
    check_door(lambda value: review(REVIEWED, **options | {"period": value}))
    check_door(lambda value: review(REVIEWED, **options, rule=value))
    check_door(lambda value: review(REVIEWED, **options, limits=value), takes=_nothing_given)
    check_door(lambda value: review(REVIEWED, **options, zone=value))
    check_door(lambda value: review(REVIEWED, **options, pipelines=value), takes=_empty)
    check_door(lambda value: review(value, **options), takes=_empty)
    with pytest.raises(WrongTypeError, match="DealHistory"):
        review([contact(0)], **options)


def _empty(value):
    return isinstance(value, (list, tuple, dict, set, bytes, bytearray)) and not value


def _nothing_given(value):
    return value is None or value == {}
