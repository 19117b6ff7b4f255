"""Histories judged by a rulebook."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from contracts import check_door, check_value
from salespipeline.conditions import equals, made_by, not_, present, spent_at_least
from salespipeline.conformance import (
    Breach,
    Conformance,
    Of,
    RuleRate,
    draft,
    facts,
    judge,
    move_counts,
    moves,
)
from salespipeline.connectors.table import read_deals
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, NaiveTimeError
from salespipeline.events import Deleted, LeadStatusSet, LifecycleStageSet, Moved, Opened, Won
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import (
    LIFECYCLE,
    STANDARD_STATUSES,
    LifecycleStage,
    Status,
    StatusScheme,
)
from salespipeline.metrics import Rate
from salespipeline.money import Money
from salespipeline.ownership import OWNED_LIFECYCLE, OWNED_STATUSES
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.rules import Grant, Override, Rule, Rulebook, compare
from stories import contact, day, deal, lost, moved, reached, reopened, won

BOARD = Pipeline(
    "board",
    [Stage("talk"), Stage("offer"), Stage("signed", outcome="won"), Stage("gone", outcome="lost")],
)
LATER = day(900)


def judged(*histories, as_of=LATER, **options):
    return judge(histories, as_of=as_of, **options)


def told(report):
    return [
        (breach.record, breach.event, [denial.rule for denial in breach.denials])
        for breach in report.breaches
    ]


def rates(report):
    """Numerator and denominator by rule, None for the rulebook's own moves."""
    return {each.rule: (each.denied.numerator, each.denied.denominator) for each in report.rules}


# Moves as they were made


def test_each_move_of_a_deal_is_told_with_the_deal_as_it_was():
    history = deal(0, moved(2, "offer"), won(5, 900), reopened(7, "offer"), amount=Money(1, "EUR"))
    made = list(moves([history], as_of=LATER))
    assert [(each.event, each.source, each.target) for each in made] == [
        (1, None, "talk"), (2, "talk", "offer"), (3, "offer", "signed"), (4, "signed", "offer"),
    ]  # fmt: skip
    assert [each.facts.record.stage for each in made] == ["talk", "talk", "offer", "signed"]
    assert [each.facts.move.entered_at for each in made] == [None, day(0), day(2), day(5)]
    assert [each.facts.record.amount for each in made] == [
        Money(1, "EUR"), Money(1, "EUR"), Money(900, "EUR"), Money(900, "EUR"),
    ]  # fmt: skip
    assert {each.pipeline for each in made} == {"board"}
    assert made[1].record == "d-1"


def test_a_closed_deal_is_told_with_the_reason_of_its_event():
    history = deal(0, (3, Won, {"stage": "signed", "pipeline": "board", "reason": "price"}))
    assert [each.facts.record.reason for each in moves([history], as_of=LATER)] == [None, "price"]


def test_a_deal_that_comes_from_another_pipeline_leaves_no_stage():
    history = deal(0, moved(2, "talk", pipeline="lean"))
    assert [(each.pipeline, each.source) for each in moves([history], as_of=LATER)] == [
        ("board", None), ("lean", None),
    ]  # fmt: skip


def test_a_deleted_deal_made_its_moves_until_then():
    events = (
        Opened(record="d-1", sequence=1, at=day(0), pipeline="board", stage="talk"),
        Deleted(record="d-1", sequence=2, at=day(1)),
        Moved(record="d-1", sequence=3, at=day(2), pipeline="board", stage="offer"),
    )
    assert [each.event for each in moves([DealHistory(events)], as_of=LATER)] == [1]


def test_moves_after_the_instant_judged_from_are_not_told():
    history = deal(0, moved(2, "offer"), won(5, 900))
    assert [each.event for each in moves([history], as_of=day(2))] == [1, 2]
    assert list(moves([history], as_of=day(-1))) == []


def test_each_lifecycle_stage_recorded_is_a_move_from_the_furthest_before():
    history = contact(0, reached(1, "customer"), reached(2, "lead"), stage="subscriber")
    made = list(moves([history], as_of=LATER))
    assert [(each.source, each.target) for each in made] == [
        (None, "subscriber"), ("subscriber", "customer"), ("customer", "lead"),
    ]  # fmt: skip
    assert [each.facts.move.entered_at for each in made] == [None, day(0), day(1)]
    assert {each.pipeline for each in made} == {None}


def test_a_contact_created_on_no_stage_begins_with_its_first():
    made = list(moves([contact(0, reached(3, "lead"))], as_of=LATER))
    assert [(each.event, each.source, each.target) for each in made] == [(2, None, "lead")]


def test_a_lead_status_is_a_move_where_it_was_set_by_itself():
    steps = [
        reached(1, "sales_qualified_lead", "new"),
        (2, LeadStatusSet, {"status": "connected"}),
        (3, LeadStatusSet, {"status": None}),
        (4, LeadStatusSet, {"status": "new"}),
    ]
    made = list(moves([contact(0, *steps)], as_of=LATER, of="lead_status"))
    assert [(each.event, each.source, each.target) for each in made] == [
        (3, "new", "connected"), (5, None, "new"),
    ]  # fmt: skip
    assert made[0].facts.move.entered_at == day(1)


def test_moves_of_a_kind_that_a_record_does_not_make_are_refused():
    for histories, of, kind in (
        ([deal(0)], Of.LIFECYCLE_STAGE, "deal"),
        ([deal(0)], Of.LEAD_STATUS, "deal"),
        ([contact(0)], Of.STAGE, "contact"),
    ):
        with pytest.raises(InvalidValueError, match=f"'.-1' is the history of a {kind}"):
            list(moves(histories, as_of=LATER, of=of))


def test_facts_are_the_moves_as_a_comparison_takes_them():
    history = deal(0, moved(2, "offer"))
    [_, (source, target, known)] = facts([history], as_of=LATER)
    assert (source, target, known.record.stage) == ("talk", "offer", "talk")
    assert known.move.at == day(2)


def test_what_is_no_history_is_refused():
    for call in (
        lambda x: list(moves(x, as_of=LATER)),
        lambda x: list(facts(x, as_of=LATER)),
        lambda x: judge(x, as_of=LATER),
    ):
        check_door(
            call, takes=lambda x: isinstance(x, tuple | list | dict | set | bytearray) and not x
        )
        check_door(lambda x, ask=call: ask([x]))


def test_an_instant_needs_a_zone_and_is_checked_at_once():
    with pytest.raises(NaiveTimeError):
        moves([], as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - the fault is the test
    check_door(lambda of: moves([], as_of=LATER, of=of), takes=lambda x: x is None)


# Judged by one rulebook


def test_a_move_that_the_rulebook_would_have_denied_is_a_breach_with_every_reason():
    book = BOARD.ruled(
        version=2, skips=False, required_to_win=["amount"], rules=[Rule("owned", present("owner"))]
    ).rulebook
    report = judged(deal(0, won(5), owner="ada"), deal(0, record="d-2"), rulebook=book)
    assert told(report) == [("d-1", 2, ["no early win", "required to win"]), ("d-2", 1, ["owned"])]
    breach = report.breaches[0]
    assert (breach.source, breach.target, breach.rulebook) == ("talk", "signed", ("board", 2))
    assert str(breach) == (
        "'d-1', event 2, 'talk' to 'signed': no stage may be passed over, and "
        "'amount' must be present"
    )
    assert str(report.breaches[1]) == "'d-2', event 1, (new) to 'talk': 'owner' must be present"
    assert not breach.overridden


def test_a_rate_is_of_the_moves_that_the_rule_bore_on():
    book = BOARD.ruled(
        backward=False,
        reason_to_lose=True,
        required={"talk": ["owner"]},
        required_to_win=["amount"],
    ).rulebook
    report = judged(
        deal(0, moved(1, "offer"), moved(2, "talk"), lost(3), record="d-1"),
        deal(0, moved(1, "offer"), won(2, 5), record="d-2", owner="ada"),
        rulebook=book,
    )
    assert rates(report) == {
        None: (0, 7),
        "no moves back": (1, 1),
        "required to leave talk": (1, 2),
        "reason to lose": (1, 1),
        "required to win": (0, 1),
    }
    assert report.denied == Rate.of(3, 7)
    assert report.judged == 7
    assert report.rules[2].denied == Rate.of(1, 2)


def test_a_rulebook_s_own_order_has_a_rate_of_all_moves():
    book = Rulebook.explicit(
        "narrow", {"talk": ["offer"], "offer": ["signed"], "signed": [], "gone": []},
        creation=["talk"],
    )  # fmt: skip
    report = judged(
        deal(0, lost(1)), deal(0, moved(1, "ghost"), record="d-2"), deal(0, stage="offer"),
        rulebook=book,
    )  # fmt: skip
    assert rates(report) == {None: (3, 5)}
    assert [breach.denials[0].code for breach in report.breaches] == [
        "no_such_move", "unknown_state", "not_a_creation_state",
    ]  # fmt: skip


def test_rules_bear_on_moves_from_and_to_states_that_the_rulebook_has_only():
    book = Rulebook.free("b", ["talk"], rules=[Rule("owned", present("owner"))])
    report = judged(deal(0, moved(1, "ghost"), moved(2, "talk")), rulebook=book)
    assert rates(report) == {None: (2, 3), "owned": (1, 1)}


def test_to_stay_in_a_state_is_no_move():
    report = judged(deal(0, moved(1, "talk"), moved(2, "offer")), rulebook=BOARD.rulebook)
    assert dict(report.unjudged) == {"same_state": 1}
    assert report.judged == 2


def test_rules_see_who_moved_what_when():
    book = BOARD.ruled(
        rules=[
            Rule("by sales", made_by("sales"), targets=["offer"]),
            Rule("not by eve", not_(equals("move.by", "eve")), targets=["offer"]),
            Rule("slowly", spent_at_least(timedelta(days=2)), targets=["offer"]),
        ]
    ).rulebook
    made = {"stage": "offer", "pipeline": "board"}
    report = judged(
        deal(0, (2, Moved, made | {"by": "ada", "role": "sales"}), record="d-1"),
        deal(0, (1, Moved, made | {"by": "eve", "role": "support"}), record="d-2"),
        rulebook=book,
    )
    assert told(report) == [("d-2", 2, ["by sales", "not by eve", "slowly"])]


def test_a_rule_on_the_context_is_left_out_and_named():
    book = BOARD.ruled(
        rules=[
            Rule("open season", equals("context.season", "open")),
            Rule("owned", present("owner")),
        ]
    ).rulebook
    report = judged(deal(0, moved(1, "offer")), rulebook=book)
    assert told(report) == [("d-1", 1, ["owned"]), ("d-1", 2, ["owned"])]
    assert report.not_asked == ("open season",)
    assert rates(report) == {None: (0, 2), "owned": (2, 2)}
    assert str(report).endswith("Not asked, for want of a context: open season.")
    free = judged(deal(0, owner="ada"), rulebook=book)
    assert free.breaches == ()


# Judged by the rulebook that each event names, or by that of its home


def test_each_move_is_judged_by_the_rulebook_that_its_event_names():
    first, second = BOARD.ruled(skips=False), BOARD.ruled(version=2, backward=False)
    history = []
    one, event = Deal.open("d-1", at=day(0), by="ada", pipeline=BOARD)
    history.append(event)
    one, event = one.move("offer", at=day(1), by="ada", pipeline=first)
    history.append(event)
    one, event = one.win(at=day(2), by="ada", pipeline=second)
    history.append(event)
    one, event = one.reopen(at=day(3), by="ada", pipeline=second, stage="talk")
    history.append(event)
    books = [first.rulebook, second.rulebook]
    report = judged(DealHistory(history), rulebooks=books)
    assert report.breaches == ()
    assert dict(report.unjudged) == {"no_rulebook": 1}
    assert {each.rulebook for each in report.rules} == {("board", 1), ("board", 2)}
    assert report.judged == 3


def test_the_rulebook_given_goes_before_the_one_named_and_that_before_the_pipeline_s():
    named, own, only = BOARD.ruled(skips=False), BOARD.ruled(version=2), BOARD.ruled(version=3)
    start, opened = Deal.open("d-1", at=day(0), by="ada", pipeline=named)
    history = DealHistory([opened, start.move("offer", at=day(1), by="ada", pipeline=named)[1]])
    pipelines, books = [own], [named.rulebook]
    for options, version in (
        ({"pipelines": pipelines}, 2),
        ({"pipelines": pipelines, "rulebooks": books}, 1),
        ({"pipelines": pipelines, "rulebooks": books, "rulebook": only.rulebook}, 3),
    ):
        assert {each.rulebook for each in judged(history, **options).rules} == {("board", version)}


def test_a_move_without_any_rulebook_is_not_judged():
    report = judged(deal(0, moved(1, "offer")), contact(0, stage="lead"))
    assert (report.judged, dict(report.unjudged), report.rules) == (0, {"no_rulebook": 3}, ())
    assert report.denied == Rate(0, 0, None)
    assert str(report) == "Denied: none (0 of 0); 3 not judged (no_rulebook)."
    assert str(judged()) == "Denied: none (0 of 0)."


def test_deals_of_several_pipelines_are_judged_each_by_its_own():
    lean = Pipeline("lean", [Stage("talk")]).ruled(reason_to_lose=True)
    report = judged(
        deal(0, lost(1)),
        deal(0, moved(1, "talk", pipeline="lean"), record="d-2"),
        pipelines=[BOARD.ruled(reason_to_lose=True), lean],
    )
    assert told(report) == [("d-1", 2, ["reason to lose"])]
    assert [(each.rulebook[0], each.rule, each.denied.denominator) for each in report.rules] == [
        ("board", None, 3),
        ("board", "reason to lose", 1),
        ("lean", None, 1),
        ("lean", "reason to lose", 0),
    ]
    assert report.rules[-1].denied.value is None


# Stages and statuses that were renamed, merged or retired


NEW_NAMES = Pipeline(
    "board",
    [Stage("first"), Stage("bid"), Stage("signed", outcome="won"), Stage("gone", outcome="lost")],
    former={"talk": "first", "call": "first", "offer": "bid"},
)


def test_a_history_of_old_names_conforms_to_the_rulebook_of_the_new_ones():
    pipeline = NEW_NAMES.ruled(version=2, skips=False, creation=["first"])
    history = deal(0, moved(1, "offer"), moved(2, "bid"), moved(3, "call"), moved(4, "bid"), won(5))
    assert history.as_of(LATER).stage == "signed"
    assert [visit.state for visit in history.visits(LATER)] == [
        "talk", "offer", "bid", "call", "bid", "signed",
    ]  # fmt: skip
    for options in ({}, {"rulebook": pipeline.rulebook}):
        report = judged(history, pipelines=[pipeline], **options)
        assert report.breaches == ()
        assert dict(report.unjudged) == {"same_state": 1}
    assert judged(history, rulebook=pipeline.rulebook).breaches != ()


def test_a_breach_keeps_the_name_of_its_time():
    pipeline = NEW_NAMES.ruled(reason_to_lose=True)
    [breach] = judged(deal(0, lost(1)), pipelines=[pipeline]).breaches
    assert (breach.source, breach.target) == ("talk", "gone")


def test_a_move_under_an_old_rulebook_is_judged_by_its_own_names():
    old = BOARD.ruled(skips=False)
    start, opened = Deal.open("d-1", at=day(0), by="ada", pipeline=old)
    between, first = start.move("offer", at=day(1), by="ada", pipeline=old)
    new = NEW_NAMES.ruled(version=2, skips=False)
    after, second = between.move("signed", at=day(2), by="ada", pipeline=new)
    assert second.stage_left == "offer"
    report = judged(
        DealHistory([opened, first, second]),
        pipelines=[new],
        rulebooks=[old.rulebook, new.rulebook],
    )
    assert report.breaches == ()
    assert {each.rulebook[1] for each in report.rules} == {1, 2}
    assert after.stage == "signed"


def test_a_history_goes_on_in_a_pipeline_whose_stages_were_merged():
    merged = Pipeline("board", [Stage("talk")], former={"offer": "talk"})
    start = deal(0, moved(1, "offer")).latest
    assert merged.stage(start.stage).key == "talk"
    assert not start.decide("talk", pipeline=merged)
    report = judged(deal(0, moved(1, "offer")), pipelines=[merged])
    assert (report.judged, dict(report.unjudged)) == (1, {"same_state": 1})
    found = compare(
        BOARD.rulebook, Pipeline("board", [*merged.stages, *BOARD.stages[2:]]).rulebook,
        facts([deal(0, moved(1, "offer"), won(2))], as_of=LATER),
        standing=["offer"], former=merged.former,
    )  # fmt: skip
    assert not found, str(found)


def test_a_status_that_was_retired_is_read_as_its_successor():
    scheme = StatusScheme(
        "calls", [Status("fresh", kind="initial"), Status("called")],
        former={"rung": "called", "mailed": "called"},
    )  # fmt: skip
    steps = [reached(1, "sales_qualified_lead", "fresh")]
    steps += [(n, LeadStatusSet, {"status": key}) for n, key in enumerate(("rung", "mailed"), 2)]
    history = contact(0, *steps)
    report = judged(history, scheme=scheme, of="lead_status")
    assert (report.judged, report.breaches) == (1, ())
    assert dict(report.unjudged) == {"same_state": 1}
    assert [visit.state for visit in history.status_visits(LATER)] == ["fresh", "rung", "mailed"]
    book = draft([history], as_of=LATER, name="calls", of="lead_status", scheme=scheme)
    assert book.states == ("fresh", "called")
    assert not compare(scheme.rulebook, book, former=scheme.former).added
    older = Rulebook.free("calls", ["fresh", "rung", "mailed"])
    assert not compare(
        older, scheme.rulebook, facts([history], as_of=LATER, of="lead_status"),
        standing=["mailed"], former=scheme.former,
    )  # fmt: skip


# What was overridden


GRANTING = BOARD.ruled(
    skips=False, creation=["talk"], required_to_win=["amount"],
    grants=[Grant("head", ["no early win", "required to win", "not_a_creation_state"])],
)  # fmt: skip
WORD = Override("eve", "head", "a friend")


def test_an_overridden_move_comes_back_as_a_breach_that_says_so():
    start, opened = Deal.open("d-1", at=day(0), by="ada", pipeline=GRANTING)
    _, event = start.win(at=day(1), by="ada", pipeline=GRANTING, override=WORD)
    report = judged(DealHistory([opened, event]), rulebooks=[GRANTING.rulebook])
    [breach] = report.breaches
    assert breach.overridden
    assert str(breach).endswith("'amount' must be present (overridden)")
    assert {each.rule: each.overridden for each in report.rules} == {
        None: 0, "no early win": 1, "required to win": 1,
    }  # fmt: skip


def test_a_creation_overridden_counts_for_the_rulebook_s_own_order():
    _, opened = Deal.open(
        "d-1", at=day(0), by="ada", pipeline=GRANTING, stage="offer", override=WORD
    )
    report = judged(DealHistory([opened]), pipelines=[GRANTING])
    assert report.breaches[0].overridden
    assert report.rules[0] == RuleRate(("board", 1), None, Rate.of(1, 1), 1)


def test_a_creation_overridden_counts_so_by_a_rulebook_of_another_name_too():
    _, opened = Deal.open(
        "d-1", at=day(0), by="ada", pipeline=GRANTING, stage="offer", override=WORD
    )
    renamed = Rulebook.free("renamed", BOARD.keys, creation=["talk"])
    assert judged(DealHistory([opened]), rulebook=renamed).breaches[0].overridden
    narrow = Rulebook.free("narrow", ["talk"])
    assert not judged(DealHistory([opened]), rulebook=narrow).breaches[0].overridden


def test_what_a_newer_rulebook_denies_beside_was_not_overridden():
    start, opened = Deal.open("d-1", at=day(0), by="ada", pipeline=GRANTING)
    _, event = start.win(at=day(1), by="ada", pipeline=GRANTING, override=WORD)
    newer = BOARD.ruled(
        version=2, required_to_win=["amount"], rules=[Rule("owned", present("owner"), ["talk"])]
    )
    report = judged(DealHistory([opened, event]), rulebook=newer.rulebook)
    assert not report.breaches[0].overridden
    assert {each.rule: each.overridden for each in report.rules} == {
        None: 0, "required to win": 1, "owned": 0,
    }  # fmt: skip


# Contacts


def test_the_lifecycle_is_judged_by_the_rulebook_given():
    history = contact(0, reached(1, "customer"), reached(2, "lead"), stage="subscriber")
    report = judged(history, rulebook=LIFECYCLE)
    assert [str(breach) for breach in report.breaches] == [
        "'c-1', event 3, 'customer' to 'lead': the lifecycle moves forward only"
    ]
    assert rates(report) == {None: (1, 3)}


def test_the_owned_lifecycle_knows_who_moved_a_contact():
    steps = [
        (1, LifecycleStageSet, {"stage": LifecycleStage.MQL, "role": "marketing"}),
        (2, LifecycleStageSet, {"stage": LifecycleStage.SQL, "role": "marketing"}),
        (3, LifecycleStageSet, {"stage": LifecycleStage.CUSTOMER, "role": "sales"}),
    ]
    report = judged(contact(0, *steps), rulebook=OWNED_LIFECYCLE)
    assert told(report) == [("c-1", 3, ["sales beyond"])]
    assert report.breaches[0].denials[0].code == "role_needed"


def test_lead_statuses_are_judged_by_the_scheme():
    steps = [
        reached(1, "sales_qualified_lead", "new"),
        (2, LeadStatusSet, {"status": "connected", "role": "sales"}),
        (3, LeadStatusSet, {"status": "bad_timing", "role": "marketing"}),
        (4, LeadStatusSet, {"status": "made_up", "role": "sales"}),
    ]
    report = judged(contact(0, *steps), scheme=OWNED_STATUSES, of=Of.LEAD_STATUS)
    assert told(report) == [("c-1", 4, ["sales only"]), ("c-1", 5, ["owned statuses"])]
    lifecycle = judged(contact(0, *steps), scheme=OWNED_STATUSES)
    assert dict(lifecycle.unjudged) == {"no_rulebook": 1}


def test_a_contact_moved_by_commands_conforms_to_the_rulebooks_it_was_moved_by():
    one, created = Contact.create("c-1", at=day(0), by="form", role="marketing", stage="lead",
        rulebook=OWNED_LIFECYCLE)  # fmt: skip
    one, qualified = one.advance(
        "sales_qualified_lead", at=day(1), by="ada", role="sales", rulebook=OWNED_LIFECYCLE
    )
    one, status = one.set_lead_status(
        "connected", at=day(2), by="ada", role="sales", scheme=OWNED_STATUSES
    )
    history = ContactHistory([created, qualified, status])
    books = [OWNED_LIFECYCLE, OWNED_STATUSES.rulebook]
    for of, count in (("lifecycle_stage", 2), ("lead_status", 1)):
        report = judged(history, rulebooks=books, of=of)
        assert (report.judged, report.breaches) == (count, ())


# The report


def test_a_report_reads_as_a_table():
    book = BOARD.ruled(
        version=2, backward=False, rules=[Rule("somebody must own it", present("owner"))]
    ).rulebook
    report = judged(
        deal(0, moved(1, "offer"), moved(2, "talk"), moved(3, "talk")),
        deal(0, moved(1, "offer"), record="d-2", owner="ada"),
        rulebook=book,
    )
    assert str(report).splitlines() == [
        "Denied: 60.0% (3 of 5; 23.1% to 88.2%); 1 not judged (same_state).",
        "rulebook  rule                  overridden  denied",
        "board v2  (its own moves)                0  0.0% (0 of 5; 0.0% to 43.4%)",
        "board v2  no moves back                  0  100.0% (1 of 1; 20.7% to 100.0%)",
        "board v2  somebody must own it           0  60.0% (3 of 5; 23.1% to 88.2%)",
    ]


def test_breaches_are_told_by_record_and_by_rule():
    book = BOARD.ruled(skips=False, required_to_win=["amount"]).rulebook
    report = judged(
        deal(0, won(5), reopened(6), record="d-1"), deal(0, won(2, 9), record="d-2"),
        deal(0, record="d-3"), rulebook=book,
    )  # fmt: skip
    first, second = report.breaches
    assert report.by_record() == {"d-1": (first,), "d-2": (second,)}
    assert report.by_rule() == {"no early win": (first, second), "required to win": (first,)}


def test_the_level_of_the_intervals_is_given():
    report = judged(deal(0), rulebook=BOARD.rulebook, level=0.8)
    assert report.denied.interval.level == report.rules[0].denied.interval.level == 0.8
    check_door(lambda level: judged(level=level))


def test_strange_rulebooks_pipelines_and_schemes_are_refused():
    check_door(lambda x: judged(rulebook=x), takes=lambda x: x is None)
    empty = (tuple, list, dict, set, bytearray)
    for name in ("rulebooks", "pipelines"):
        check_door(
            lambda x, name=name: judged(**{name: x}),
            takes=lambda x: isinstance(x, empty) and not x,
        )
    check_door(lambda x: judged(scheme=x), takes=lambda x: x is None)
    check_door(lambda x: judged(of=x), takes=lambda x: x is None)


def test_what_a_report_is_made_of_are_values():
    breach = Breach("d-1", 2, "a", "b", ("x", 1), (), False)
    check_value(
        breach,
        Breach("d-1", 2, "a", "b", ("x", 1), (), overridden=False),
        Breach("d-2", 2, "a", "b", ("x", 1), (), False),
        Breach("d-1", 2, "a", "b", ("x", 2), (), False),
        Breach("d-1", 2, "a", "b", ("x", 1), (), True),
    )
    rate = RuleRate(("x", 1), "owned", Rate.of(1, 2), 0)
    check_value(
        rate,
        RuleRate(("x", 1), "owned", Rate.of(1, 2), 0),
        RuleRate(("x", 1), None, Rate.of(1, 2), 0),
        RuleRate(("x", 1), "owned", Rate.of(1, 3), 0),
        RuleRate(("x", 1), "owned", Rate.of(1, 2), 1),
    )
    report = Conformance(LATER, Rate.of(1, 2), {}, (breach,), (rate,), ())
    check_value(
        report,
        Conformance(LATER, Rate.of(1, 2), {}, (breach,), (rate,), ()),
        Conformance(LATER, Rate.of(1, 2), {"same_state": 1}, (breach,), (rate,), ()),
        Conformance(LATER, Rate.of(1, 2), {}, (), (rate,), ()),
    )


# A rulebook drafted from what was done


def test_a_draft_allows_what_was_done_in_the_order_of_the_pipeline():
    histories = [
        deal(0, moved(1, "offer"), won(2), record="d-1"),
        deal(0, moved(1, "offer"), moved(2, "talk"), record="d-2"),
    ]
    book = draft(histories, as_of=LATER, name="as worked", pipeline=BOARD)
    assert book.states == ("talk", "offer", "signed", "gone")
    assert book.creation == {"talk"}
    assert [book.allowed(state) for state in book.states] == [
        ("offer",), ("talk", "signed"), (), (),
    ]  # fmt: skip
    assert judge(histories, as_of=LATER, rulebook=book).breaches == ()


def test_a_draft_without_a_pipeline_has_the_states_met_in_the_order_met():
    book = draft([deal(0, moved(1, "offer"), moved(2, "ghost"))], as_of=LATER, name="x")
    assert book.states == ("talk", "offer", "ghost")


def test_a_draft_leaves_out_what_was_done_too_seldom():
    histories = [deal(0, moved(1, "offer"), record=f"d-{n}") for n in range(2)]
    histories.append(deal(0, lost(1)))
    book = draft(histories, as_of=LATER, name="x", least=2)
    assert book.allowed("talk") == ("offer",)
    assert book.has("gone")
    assert draft(histories, as_of=LATER, name="x", least=4).allowed(None) == ()


def test_a_draft_reads_retired_keys_as_their_successors():
    book = draft([deal(0, moved(1, "offer"))], as_of=LATER, name="x", pipeline=NEW_NAMES)
    assert book.allowed("first") == ("bid",)
    assert not book.has("talk")


def test_a_draft_of_the_lifecycle_has_every_stage_in_order():
    history = contact(0, reached(1, "customer"), stage="lead")
    book = draft([history], as_of=LATER, name="x")
    assert book.states == tuple(LifecycleStage)
    assert book.allowed(LifecycleStage.LEAD) == (LifecycleStage.CUSTOMER,)
    assert compare(LIFECYCLE, book).added == ()


def test_a_draft_of_the_lead_status_has_every_status_of_the_scheme():
    history = contact(0, reached(1, "sales_qualified_lead", "new"),
        (2, LeadStatusSet, {"status": "connected"}))  # fmt: skip
    book = draft([history], as_of=LATER, name="x", of="lead_status", scheme=STANDARD_STATUSES)
    assert book.states == STANDARD_STATUSES.keys
    assert book.allowed("new") == ("connected",)


def test_deals_of_several_pipelines_need_one_to_be_named():
    histories = [deal(0, moved(1, "talk", pipeline="lean"))]
    with pytest.raises(InvalidValueError, match="go through several pipelines: 'board', 'lean'"):
        draft(histories, as_of=LATER, name="x")
    assert draft(histories, as_of=LATER, name="x", pipeline=BOARD).allowed(None) == ("talk",)


def test_a_draft_of_nothing_is_refused():
    for histories in ([], [contact(0)]):
        with pytest.raises(InvalidValueError, match=r"^draft: no move was made$"):
            draft(histories, as_of=LATER, name="x")
    with pytest.raises(InvalidValueError, match=r"^draft: no move was made$"):
        draft([deal(0)], as_of=LATER, name="x", pipeline=Pipeline("lean", [Stage("talk")]))


def test_strange_arguments_of_a_draft_are_refused():
    histories = [deal(0)]
    check_door(
        lambda name: draft(histories, as_of=LATER, name=name),
        takes=lambda x: isinstance(x, str) and x != "",
    )
    check_door(
        lambda least: draft(histories, as_of=LATER, name="x", least=least),
        takes=lambda x: type(x) is int,
    )
    for name in ("pipeline", "scheme"):
        check_door(
            lambda x, name=name: draft(histories, as_of=LATER, name="x", **{name: x}),
            takes=lambda x: x is None,
        )


def test_moves_are_counted_between_different_states():
    histories = [
        deal(0, moved(1, "offer"), moved(2, "offer"), record="d-1"),
        deal(0, moved(1, "call"), record="d-2"),
    ]
    assert move_counts(histories, as_of=LATER) == {
        (None, "talk"): 2, ("talk", "offer"): 1, ("talk", "call"): 1,
    }  # fmt: skip
    counts = move_counts(histories, as_of=LATER, pipeline=NEW_NAMES)
    assert counts == {(None, "first"): 2, ("first", "bid"): 1}
    assert "| (new) | first | nothing | 2 |" in NEW_NAMES.rulebook.to_markdown(counts)


def test_a_draft_held_against_the_declared_rulebook_says_where_work_departs():
    declared = BOARD.ruled(skips=False, backward=False, reopening=False)
    histories = [deal(0, won(2), record="d-1"), deal(0, moved(1, "offer"), lost(2), record="d-2")]
    worked = draft(histories, as_of=LATER, name="as worked", pipeline=BOARD)
    found = compare(declared.rulebook, worked, facts(histories, as_of=LATER))
    assert found.added == (("talk", "signed"),)
    assert ("talk", "gone") in found.removed
    assert [(flip.source, flip.target, flip.count) for flip in found.newly_allowed] == [
        ("talk", "signed", 1)
    ]


# Published records


TICKETS = {
    "record": "deal",
    "shape": "events",
    "system": "volvo",
    "columns": {
        "id": "case_id",
        "sequence": "seq",
        "stage": "status",
        "at": "at",
        "owner": "owner",
    },
}
PROBLEMS = Pipeline(
    "problems",
    [
        Stage("Queued-Awaiting Assignment"),
        Stage("Accepted-Assigned"),
        Stage("Accepted-In Progress"),
        Stage("Accepted-Wait", parked=True),
        Stage("Unmatched-Unmatched"),
        Stage("Completed-Closed", outcome="won"),
        Stage("Completed-Cancelled", outcome="lost"),
    ],
)


@pytest.fixture(scope="module")
def tickets(shared_data):
    path = shared_data / "bpi2013_closed_problems" / "events.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        return read_deals(csv.DictReader(stream), TICKETS, pipelines=[PROBLEMS]).histories


def test_every_status_of_the_ticket_log_is_judged_or_follows_itself(tickets):
    report = judge(tickets, as_of=datetime(2030, 1, 1, tzinfo=UTC), pipelines=[PROBLEMS])
    assert (report.judged, dict(report.unjudged)) == (6660 - 478, {"same_state": 478})
    assert report.breaches == ()


def test_the_reopened_tickets_breach_a_rulebook_without_reopening(tickets):
    final = PROBLEMS.ruled(reopening=False)
    report = judge(tickets, as_of=datetime(2030, 1, 1, tzinfo=UTC), rulebook=final.rulebook)
    assert report.denied.denominator == 6660 - 478
    closed = {breach.record for breach in report.breaches if breach.source == "Completed-Closed"}
    assert len(closed) == 58
    assert Counter(breach.denials[0].rule for breach in report.breaches) == {
        "no reopening": 1565 - 1487 + 3
    }


def test_a_draft_of_the_ticket_log_allows_all_of_it(tickets):
    as_of = datetime(2030, 1, 1, tzinfo=UTC)
    book = draft(tickets, as_of=as_of, name="as worked", pipeline=PROBLEMS)
    assert judge(tickets, as_of=as_of, rulebook=book).breaches == ()
    assert sum(move_counts(tickets, as_of=as_of).values()) == 6660 - 478
