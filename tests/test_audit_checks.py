"""Every check of the audit: a body in which it is found, and one in which it nearly is."""

from datetime import UTC, date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from salespipeline.audit import CATALOGUE, Limits, audit
from salespipeline.conditions import Op, Test
from salespipeline.deals import Deal
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    Assessed,
    CloseDateChanged,
    ContactUnlinked,
    FieldSet,
    LeadStatusSet,
    Lost,
    Moved,
    NextStepDone,
    NextStepPlanned,
    OwnerChanged,
    ProbabilitySet,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import (
    LIFECYCLE,
    RECYCLABLE_STATUSES,
    LifecycleStage,
    Status,
    StatusScheme,
)
from salespipeline.money import Money
from salespipeline.pipelines import SEVEN_STAGES, Pipeline, Stage
from salespipeline.rules import Grant, Override, Rule, Rulebook
from stories import BY_THEN, contact, day, deal, euros, lost, moved, reached, reopened, won

NOW = day(40)
TODAY = NOW.date()

BOARD = Pipeline(
    "board",
    [
        Stage("talk", rot_after=timedelta(days=10)),
        Stage("qualify", probability="0.2", journey="lead_qualification"),
        Stage("offer", probability="0.5"),
        Stage("hold", parked=True, rot_after=timedelta(days=10)),
        Stage("signed", outcome="won"),
        Stage("gone", outcome="lost"),
    ],
    former={"call": "talk"},
)
STEPWISE = BOARD.ruled(
    skips=False, required={"qualify": ["owner"]}, grants=[Grant("boss", ["no skips"])]
)
WINNERS_ONLY = Pipeline(
    "winners", [Stage("a")], rulebook=Rulebook.explicit("winners", {"a": ["won"], "won": ["lost"],
    "lost": []}, creation=["a"]),
)  # fmt: skip
NO_LOSS = Pipeline(
    "winners",
    [Stage("a")],
    rulebook=Rulebook.explicit("winners", {"a": ["won"], "won": [], "lost": []}, creation=["a"]),
)
NO_WIN = Pipeline(
    "losers",
    [Stage("a")],
    rulebook=Rulebook.explicit("losers", {"a": ["lost"], "won": [], "lost": []}, creation=["a"]),
)
ROLES = StatusScheme(
    "roles", [Status("new", kind="initial"), Status("later", kind="recycle"), Status("on")]
)
SQL = "sales_qualified_lead"


def told(at, field, said):
    return at, FieldSet, {"field": field, "value": said}


def called(at):
    return at, ActivityRecorded, {"kind": "call"}


def status(at, key, **facts):
    return at, LeadStatusSet, {"status": key, **facts}


def planned(at, due=None):
    return at, NextStepPlanned, {"what": "call", "due": due}


def answered(at, criterion="budget", **facts):
    return at, Assessed, {"framework": "bant", "criterion": criterion, "answer": "met", **facts}


def likely(at, value):
    return at, ProbabilitySet, {"probability": value}


def open_deal(*steps, opened=35, **facts):
    """An open deal that was touched of late."""
    return deal(opened, *steps, **facts)


def people(*told):
    """Contacts, each by its fields."""
    return [contact(0, record=f"c-{n}", **facts) for n, facts in enumerate(told)]


def body(*records, **options):
    """What to audit: histories of both kinds, and the options."""
    contacts = [each for each in records if isinstance(each, ContactHistory)]
    deals = [each for each in records if not isinstance(each, ContactHistory)]
    return {"contacts": contacts, "deals": deals} | options


def found(told):
    return audit(**({"as_of": NOW} | told))


def visits(length, n, still=0):
    """Deals that left the first stage after some days, and one that is still there."""
    gone = [deal(0, moved(length, "b", "p"), stage="a", pipeline="p", record=f"d-{k}")
            for k in range(n)]  # fmt: skip
    return [*gone, deal(40 - still, stage="a", pipeline="p", record="d-still")]


def overridden(by_whom):
    """The history of a deal that skipped a stage, held back by a rule, by somebody's right."""
    sale, opened = Deal.open("d-1", at=day(30), by="ada", pipeline=STEPWISE, stage="talk")
    _, skip = sale.move(
        "offer", at=day(31), by="ada", pipeline=STEPWISE, override=Override("eve", by_whom, "hurry")
    )
    return DealHistory([opened, skip])


TWO_OF_100 = [deal(0, amount=euros(1), record=f"d-{n}") for n in range(98)]
DOLLARS = [deal(0, amount=Money(1, "USD"), record=f"u-{n}") for n in range(2)]
CUSTOMER = contact(0, reached(1, "customer"), called(39))
STATUSES = [f"s-{n}" for n in range(9)]
NINE = StatusScheme(
    "nine", [Status(key, kind="working" if n else "initial") for n, key in enumerate(STATUSES)]
)


def holding(*statuses):
    return [contact(0, reached(1, SQL, key), record=f"c-{key}") for key in statuses]


PROBE = {
    # code: (a body in which it is found, one in which it nearly is)
    "closed_before_opened": (body(deal(10, won(9))), body(deal(10, won(10)))),
    "event_before_creation": (
        body(contact(10, reached(9, "lead"))),
        body(contact(10, reached(9, "lead"), start=BY_THEN)),
    ),
    "instant_backward": (
        body(contact(0, told(8, "source", "a"), told(7, "source", "b"))),
        body(contact(0, told(8, "source", "a"), called(7))),
    ),
    "rule_broken": (
        body(open_deal(moved(36, "offer")), pipelines=[STEPWISE]),
        body(open_deal(moved(36, "qualify"), owner="ada"), pipelines=[STEPWISE]),
    ),
    "rule_overridden": (
        body(overridden("boss"), pipelines=[STEPWISE]),
        body(open_deal(moved(36, "offer")), pipelines=[STEPWISE]),
    ),
    "unknown_status": (
        body(contact(0, reached(1, SQL, "ghost"))),
        body(contact(0, reached(1, SQL, "connected"))),
    ),
    "status_before_sql": (
        body(contact(0, reached(1, "marketing_qualified_lead", "new"))),
        body(contact(0, reached(1, SQL, "new"))),
    ),
    "backward_lifecycle": (
        body(contact(0, reached(1, "customer"), reached(2, "lead"))),
        body(contact(0, reached(1, "customer"), reached(2, "customer"))),
    ),
    "sql_without_status": (
        body(contact(0, reached(1, SQL))),
        body(contact(0, reached(1, "opportunity"))),
    ),
    "too_many_statuses": (
        body(*holding(*STATUSES), scheme=NINE),
        body(*holding(*STATUSES[:8]), scheme=NINE),
    ),
    "recycled_untouched": (
        body(contact(0, reached(1, SQL, "new"), status(2, "bad_timing"), called(3)), as_of=day(96)),
        body(contact(0, reached(1, SQL, "new"), status(2, "bad_timing"), called(3)), as_of=day(95)),
    ),
    "lifecycle_skipped": (
        body(contact(0, reached(1, "lead"), reached(2, SQL, "new"))),
        body(contact(0, reached(1, "lead"), reached(2, "marketing_qualified_lead"))),
    ),
    "status_kept_after_sql": (
        body(contact(0, reached(1, "opportunity", "open_deal"))),
        body(
            contact(0, reached(1, "opportunity", "open_deal")), scheme=RECYCLABLE_STATUSES
        ),
    ),
    "unknown_stage": (
        body(open_deal(stage="ghost"), pipelines=[BOARD]),
        body(open_deal(stage="call"), pipelines=[BOARD]),
    ),
    "won_without_amount": (body(deal(0, won(5))), body(deal(0, won(5, amount=0)))),
    "probability_out_of_range": (
        body(open_deal(likely(36, Decimal(1000)))),
        body(open_deal(likely(36, Decimal(1)))),
    ),
    "pipeline_cannot_win": (body(pipelines=[NO_WIN]), body(pipelines=[WINNERS_ONLY])),
    "pipeline_cannot_lose": (body(pipelines=[NO_LOSS]), body(pipelines=[WINNERS_ONLY])),
    "expected_close_past": (
        body(open_deal(expected_close=TODAY - timedelta(days=1))),
        body(open_deal(expected_close=TODAY)),
    ),
    "lost_without_reason": (
        body(deal(0, lost(5))),
        body(deal(0, (5, Lost, {"stage": "gone", "pipeline": "board", "reason": "price"}))),
    ),
    "open_without_owner": (body(open_deal()), body(open_deal(owner="ada"))),
    "open_without_next_step": (
        body(open_deal(planned(36), (37, NextStepDone, {}))),
        body(open_deal(planned(36))),
    ),
    "next_step_overdue": (
        body(open_deal(planned(36, TODAY - timedelta(days=1)))),
        body(open_deal(planned(36, TODAY))),
    ),
    "open_without_assessment": (
        body(open_deal(stage="offer"), deal(0, answered(1), record="d-2"), pipelines=[BOARD]),
        body(open_deal(answered(36), stage="offer"), pipelines=[BOARD]),
    ),
    "probability_at_odds": (
        body(open_deal(likely(36, Decimal("0.8")), stage="offer"), pipelines=[BOARD]),
        body(open_deal(likely(36, Decimal("0.79")), stage="offer"), pipelines=[BOARD]),
    ),
    "odd_currency": (
        body(*TWO_OF_100, DOLLARS[0], limits=Limits(odd_currency=0.02)),
        body(*TWO_OF_100, *DOLLARS, limits=Limits(odd_currency=0.02)),
    ),
    "stuck_in_stage": (
        body(deal(29), pipelines=[BOARD]),
        body(deal(30), pipelines=[BOARD]),
    ),
    "silent_deal": (body(deal(0, called(9))), body(deal(0, called(10)))),
    "unknown_contact": (
        body(open_deal(contacts=("c-1", "c-2")), contact(0)),
        body(open_deal(contacts=("c-1",)), contact(0)),
    ),
    "contact_behind_deal": (
        body(contact(0, reached(1, SQL, "new")), open_deal(contacts=("c-1",))),
        body(contact(0, reached(1, "opportunity")), open_deal(contacts=("c-1",))),
    ),
    "customer_without_win": (
        body(CUSTOMER, deal(0, lost(5), contacts=("c-1",))),
        body(CUSTOMER, deal(0, won(5), contacts=("c-1",))),
    ),
    "opportunity_without_deal": (
        body(contact(0, reached(1, "opportunity")), deal(0, lost(5), contacts=("c-1",))),
        body(contact(0, reached(1, "opportunity")), deal(0, contacts=("c-1",))),
    ),
    "customer_untouched": (
        body(contact(0, reached(1, "customer")), as_of=day(94)),
        body(contact(0, reached(1, "customer")), as_of=day(93)),
    ),
    "deal_without_contact": (
        body(deal(0), deal(0, contacts=("c-1",), record="d-2")),
        body(deal(0, contacts=("c-1",)), deal(0, contacts=("c-1",), record="d-2")),
    ),
    "contact_without_deal": (
        body(contact(0, reached(1, SQL, "connected")), deal(0, contacts=("c-2",))),
        body(contact(0, reached(1, SQL, "new")), deal(0, contacts=("c-2",))),
    ),
    "missing_detail": (
        body(deal(0, source=" "), required={"deal": ["source"]}),
        body(deal(0, told(1, "source", "fair")), required={"deal": ["source"]}),
    ),
    "stale_detail": (
        body(
            deal(0, told(9, "attributes.seats", 4)),
            required={"deal": {"attributes.seats": timedelta(days=30)}},
        ),
        body(
            deal(0, told(10, "attributes.seats", 4)),
            required={"deal": {"attributes.seats": timedelta(days=30)}},
        ),
    ),
    "answer_expired": (
        body(open_deal(answered(36, expires_at=NOW))),
        body(open_deal(answered(36, expires_at=NOW + timedelta(seconds=1)))),
    ),
    "duplicate_email": (
        body(*people({"email": "Ann@Acme.com"}, {"email": " ann@acme.COM "})),
        body(*people({"email": "ann@acme.com"}, {"email": "ann+fair@acme.com"})),
    ),
    "without_source": (
        body(*people({"source": "fair"}, {})),
        body(*people({"source": "fair"}, {"source": "web"})),
    ),
    "test_record": (
        body(*people({"email": "ann@mail.example.com"})),
        body(*people({"email": "ann@example.com.au", "name": "Ann Test"})),
    ),
    "possible_duplicate": (
        body(*people({"name": "Ann  Lee", "company": "Acme"}, {"name": "ann lee",
             "company": "ACME"})),
        body(*people({"name": "Ann Lee", "company": "Acme"}, {"name": "Ann Lee"})),
    ),
}  # fmt: skip


def test_every_check_of_the_catalogue_is_tried():
    assert sorted(PROBE) == sorted(CATALOGUE)


@pytest.mark.parametrize("code", PROBE)
def test_what_a_check_looks_for_is_found(code):
    findings = found(PROBE[code][0]).by_code()[code]
    assert all(finding.message and finding.expected for finding in findings)
    assert all((finding.seen or "x").strip() for finding in findings)


@pytest.mark.parametrize("code", PROBE)
def test_what_is_nearly_so_is_looked_at_and_passed_over(code):
    kind = found(PROBE[code][0]).by_code()[code][0].kind
    report = found(PROBE[code][1])
    assert code not in report.by_code()
    assert (code, kind) not in [(each.code, each.kind) for each in report.left_out]


# Rules


def test_a_broken_rule_names_the_event_the_move_and_the_rule():
    (finding,) = found(PROBE["rule_broken"][0]).by_code()["rule_broken"]
    assert (finding.kind, finding.record, finding.event) == ("deal", "d-1", 2)
    assert finding.seen == "'talk' to 'offer'"
    assert finding.message == "'talk' to 'offer': no stage may be passed over (board version 1)"


def test_a_rulebook_given_judges_the_moves_that_its_states_are_about():
    forward = Rulebook.forward("lifecycle", LifecycleStage, skips=False)
    person = contact(0, reached(1, "lead"), reached(2, "customer"))
    (finding,) = found(body(person, rulebook=forward)).by_code()["rule_broken"]
    assert (finding.kind, finding.event) == ("contact", 3)
    stepwise = Rulebook.forward("steps", ["new", "connected", "unqualified"])
    person = contact(0, reached(1, SQL, "connected"), status(2, "new"))
    (finding,) = found(body(person, rulebook=stepwise)).by_code()["rule_broken"]
    assert (finding.event, finding.seen) == (3, "'connected' to 'new'")
    back = open_deal(moved(36, "talk"), stage="offer")
    book = Rulebook.forward("board", ["talk", "offer"])
    (finding,) = found(body(back, rulebook=book)).by_code()["rule_broken"]
    assert (finding.kind, finding.event) == ("deal", 2)


def test_a_backward_lifecycle_and_an_unknown_stage_are_told_once():
    person = contact(0, reached(1, "customer"), reached(2, "lead"))
    assert "rule_broken" not in found(body(person, rulebook=LIFECYCLE)).by_code()
    ghost = body(open_deal(moved(36, "ghost")), pipelines=[STEPWISE])
    report = found(ghost)
    assert "rule_broken" not in report.by_code()
    assert "the rulebook lacks a state of 1 moves of deals" in [e.why for e in report.left_out]


def test_a_rulebook_that_events_name_judges_them():
    report = found(body(overridden("boss"), rulebooks=[STEPWISE.rulebook]))
    assert "rule_overridden" in report.by_code()


def test_a_schemes_own_rulebook_judges_changes_of_status():
    scheme = StatusScheme(
        "one way", ROLES.statuses, rulebook=Rulebook.forward("one way", ["new", "later", "on"])
    )
    person = contact(0, reached(1, SQL, "on"), status(2, "later"))
    (finding,) = found(body(person, scheme=scheme)).by_code()["rule_broken"]
    assert finding.seen == "'on' to 'later'"


def test_moves_that_nothing_can_judge_are_told():
    elsewhere = open_deal(moved(36, "b", "other"), stage="a", pipeline="other")
    whys = [e.why for e in found(body(elsewhere, pipelines=[STEPWISE])).left_out]
    assert "no rulebook was given for 2 moves of deals" in whys
    only = open_deal(stage="a", pipeline="other")
    whys = [e.why for e in found(body(only, pipelines=[STEPWISE])).left_out]
    assert "no rulebook was given for 1 move of deals" in whys


def test_rules_that_ask_for_a_context_are_told_as_not_asked():
    strict = Rule("quarter end", Test("context.quarter_end", Op.EQUALS, True))
    asked = BOARD.ruled(skips=False, rules=[strict])
    whys = [e.why for e in found(body(open_deal(), pipelines=[asked])).left_out]
    assert "1 rule asks for a context, which no event records" in whys


# Contacts


def test_a_recycled_lead_with_a_date_is_to_be_touched_by_then():
    def back(revisit, *later):
        steps = (reached(1, SQL, "new"), status(2, "bad_timing", revisit_on=revisit), *later)
        return "recycled_untouched" in found(body(contact(0, *steps), as_of=day(300))).by_code()

    assert back(day(299).date())
    assert not back(day(300).date())
    assert back(day(200).date(), called(199))
    assert not back(day(200).date(), called(200))


def test_a_retired_key_of_a_recycling_status_recycles():
    renamed = StatusScheme("own", ROLES.statuses, former={"parked": "later"})
    person = contact(0, reached(1, SQL, "parked"))
    assert "recycled_untouched" in found(body(person, scheme=renamed, as_of=day(94))).by_code()


def test_a_stage_recorded_first_or_at_the_creation_skips_nothing():
    assert "lifecycle_skipped" not in found(body(contact(0, reached(1, "customer")))).by_code()
    assert "lifecycle_skipped" not in found(body(contact(0, stage="customer"))).by_code()
    (finding,) = found(
        body(contact(0, reached(1, "customer"), stage="lead"))
    ).by_code()["lifecycle_skipped"]  # fmt: skip
    assert finding.message == (
        "from 'lead' to 'customer', past 'marketing_qualified_lead', 'sales_qualified_lead', "
        "'opportunity'"
    )


def test_statuses_in_use_are_counted_as_the_scheme_calls_them_now():
    merged = StatusScheme("nine", NINE.statuses[:8], former={"s-8": "s-7"})
    assert "too_many_statuses" not in found(body(*holding(*STATUSES), scheme=merged)).by_code()
    (finding,) = found(PROBE["too_many_statuses"][0]).by_code()["too_many_statuses"]
    assert (finding.kind, finding.record) == ("scheme", "nine")
    assert finding.message == "contacts have 9 different statuses, more than 8"


def test_how_far_a_contact_with_an_open_deal_is_to_be_is_the_callers_to_say():
    told = PROBE["contact_behind_deal"][0]
    (finding,) = found(told).by_code()["contact_behind_deal"]
    assert finding.message == f"it is at {SQL!r}, and its deal 'd-1' is open"
    assert (finding.seen, finding.expected) == (SQL, "opportunity")
    at_sql = {"limits": Limits(with_open_deal=SQL)}
    assert "contact_behind_deal" not in found(told | at_sql).by_code()
    nobody = body(contact(0), open_deal(contacts=("c-1",)))
    (finding,) = found(nobody | at_sql).by_code()["contact_behind_deal"]
    assert finding.message == "it is on no stage, and its deal 'd-1' is open"
    assert (finding.seen, finding.expected) == (None, SQL)


def test_a_won_deal_makes_a_customer_and_an_open_one_beside_it_matters_less():
    sales = [deal(0, record="d-0", contacts=("c-1",)),
             deal(0, won(5), contacts=("c-1",), record="d-9"),
             deal(0, won(5), contacts=("c-1",), record="d-8")]  # fmt: skip
    person = contact(0, reached(1, "opportunity"))
    (finding,) = found(body(person, *sales)).by_code()["contact_behind_deal"]
    assert finding.message == "it is at 'opportunity', and its deal 'd-8' is won"
    lost_ones = body(contact(0), deal(0, lost(5), contacts=("c-1",)))
    assert "contact_behind_deal" not in found(lost_ones).by_code()


def test_a_deal_of_the_account_stands_for_its_contacts_too():
    person = contact(0, reached(1, "customer"), account="a-1")
    assert "customer_without_win" not in found(body(person, deal(0, won(5), account="a-1")))\
        .by_code()  # fmt: skip
    assert "customer_without_win" in found(body(person, deal(0, won(5), account="a-2"))).by_code()
    lead = contact(0, reached(1, "lead"), account="a-1")
    assert "customer_without_win" not in found(body(lead, deal(0, account="a-1"))).by_code()


def test_an_opportunity_is_told_why_it_is_none():
    person = contact(0, reached(1, "opportunity"))
    (finding,) = found(body(person, deal(0, lost(5), contacts=("c-1",)))).by_code()[
        "opportunity_without_deal"
    ]
    assert finding.message == "it is at 'opportunity', and its deal 'd-1' is lost"
    (finding,) = found(body(person, deal(0, contacts=("c-9",)))).by_code()[
        "opportunity_without_deal"
    ]
    assert finding.message == "it is at 'opportunity', and it has no deal"


def test_work_on_a_deal_or_for_an_account_touches_a_customer():
    person = contact(0, reached(1, "customer"), account="a-1")
    for facts in ({"contacts": ("c-1",)}, {"account": "a-1"}):
        sale = deal(0, won(5), called(50), **facts)
        assert "customer_untouched" not in found(body(person, sale, as_of=day(142))).by_code()
        assert "customer_untouched" in found(body(person, sale, as_of=day(143))).by_code()


def test_who_has_a_deal_or_no_status_at_work_is_passed_over_as_without_one():
    connected = reached(1, SQL, "connected")
    other = deal(0, contacts=("c-2",))
    assert (
        "contact_without_deal"
        not in found(body(contact(0, connected), deal(0, contacts=("c-1",)))).by_code()
    )
    for person in (contact(0, reached(1, SQL)), contact(0, reached(1, "lead"))):
        assert "contact_without_deal" not in found(body(person, other)).by_code()


# Deals


def test_what_is_parked_is_neither_stuck_nor_silent_nor_without_a_step():
    parked = deal(0, planned(1), (2, NextStepDone, {}), stage="hold")
    codes = found(body(parked, pipelines=[BOARD])).by_code()
    assert {"stuck_in_stage", "silent_deal", "open_without_next_step"}.isdisjoint(codes)
    moved_on = deal(0, planned(1), (2, NextStepDone, {}), moved(3, "talk"), stage="hold")
    codes = found(body(moved_on, pipelines=[BOARD])).by_code()
    assert {"stuck_in_stage", "silent_deal", "open_without_next_step"} <= set(codes)


def test_closed_deals_are_neither_stuck_nor_silent_nor_late():
    steps = (
        planned(2, date(2026, 1, 4)),
        likely(3, Decimal("0.1")),
        answered(3, expires_at=day(4)),
    )
    closed = deal(0, won(1, amount=5), *steps, expected_close=date(2026, 1, 1), owner="ada")
    assert found(body(closed, pipelines=[BOARD])).by_code() == {}


def test_a_stage_without_a_time_to_rot_goes_by_the_other_deals():
    flat = Pipeline("p", [Stage("a"), Stage("b")])

    def stuck(*deals, **limits):
        report = found(body(*deals, pipelines=[flat], limits=Limits(**limits)))
        return [f.record for f in report.by_code().get("stuck_in_stage", ()) if f.seen]

    assert stuck(*visits(5, 20, still=6)) == ["d-still"]
    assert stuck(*visits(5, 20, still=5)) == []
    assert stuck(*visits(5, 19, still=6)) == []
    assert stuck(*visits(5, 19, still=6), stuck_visits=19) == ["d-still"]


def test_where_so_many_never_leave_the_longest_stay_that_ended_is_long():
    stay = [deal(20, stage="a", pipeline="p", record=f"s-{n}") for n in range(8)]
    some = [*visits(5, 12, still=6), *visits(9, 8, still=9)[:-1], *stay]
    found_in = found(body(*some)).by_code()["stuck_in_stage"]
    assert [f.record for f in found_in if f.seen == "20 days"] == [f"s-{n}" for n in range(8)]
    assert {f.expected for f in found_in} == {"at most 9 days, the longest that ended"}
    assert "d-still" not in [f.record for f in found_in]


def test_deals_in_stages_of_which_nobody_knows_how_long_is_long_are_told():
    whys = [e.why for e in found(body(*visits(5, 3, still=6))).left_out]
    told = "4 of 4 are in stages without rot_after, and fewer than 20 stays there have ended"
    assert told in whys
    assert not any("rot_after" in e.why for e in found(PROBE["stuck_in_stage"][1]).left_out)


def test_a_stay_that_rots_says_for_how_long():
    (finding,) = found(PROBE["stuck_in_stage"][0]).by_code()["stuck_in_stage"]
    assert finding.message == "it has been in 'talk' for 11 days"
    assert (finding.seen, finding.expected) == ("11 days", "at most 10 days for its stage")
    flat = Pipeline("p", [Stage("a"), Stage("b")])
    (finding,) = [f for f in found(body(*visits(5, 20, still=6), pipelines=[flat])).findings
                  if f.record == "d-still" and f.check.code == "stuck_in_stage"]  # fmt: skip
    assert finding.expected == "at most 5 days, by which 90% left"


def test_a_step_ahead_or_a_call_with_a_contact_breaks_the_silence():
    def silent(*records):
        return "silent_deal" in found(body(*records)).by_code()

    assert silent(deal(0, planned(1, TODAY - timedelta(days=1))))
    assert not silent(deal(0, planned(1, TODAY)))
    assert silent(deal(0, planned(1)))
    with_one = deal(0, contacts=("c-1",))
    assert not silent(with_one, contact(0, called(5), called(30), called(20)))
    assert silent(with_one, contact(0, told(30, "source", "fair")))
    unlinked = deal(0, (1, ContactUnlinked, {"contact": "c-1"}), contacts=("c-1",))
    assert silent(unlinked, contact(0, called(30)))


def test_an_odd_currency_says_how_few_have_it_and_which_is_usual():
    (finding,) = found(PROBE["odd_currency"][0]).by_code()["odd_currency"]
    assert finding.message == "its amount is in USD, as are 1 of 99"
    assert (finding.record, finding.seen, finding.expected) == ("u-0", "USD", "EUR")


def test_qualification_lies_behind_where_the_last_stage_of_it_does():
    other = deal(0, answered(1), record="d-2")

    def unassessed(stage, pipeline=BOARD, *more, **facts):
        sale = open_deal(stage=stage, pipeline=pipeline.key, **facts)
        report = found(body(sale, other, *more, pipelines=[BOARD, pipeline]))
        return "d-1" in [f.record for f in report.by_code().get("open_without_assessment", ())]

    assert not unassessed("qualify")
    assert not unassessed("hold")
    assert unassessed("proposal", SEVEN_STAGES)
    assert not unassessed("ghost")
    no_such = Pipeline("no_such", [Stage("offer")])
    assert not unassessed("offer", no_such)
    assessed = contact(0, answered(1))
    assert unassessed("offer", BOARD, assessed)
    assert not unassessed("offer", BOARD, assessed, contacts=("c-1",))
    whys = {e.why for e in found(body(other, pipelines=[no_such])).left_out}
    assert "no pipeline given has a stage of the journey's lead qualification" in whys


def test_a_chance_is_at_odds_with_one_that_its_stage_states_only():
    def at_odds(stage, value, **facts):
        sale = open_deal(likely(36, value), stage=stage, **facts)
        return "probability_at_odds" in found(body(sale, pipelines=[BOARD])).by_code()

    assert at_odds("qualify", Decimal("0.5"))
    assert not at_odds("talk", Decimal(1))
    assert not at_odds("offer", Decimal(80))
    assert not at_odds("ghost", Decimal(1))
    several = body(open_deal(likely(36, Decimal(1)), stage="offer"),
                   open_deal(stage="offer", record="d-2"), pipelines=[BOARD])  # fmt: skip
    assert [f.record for f in found(several).by_code()["probability_at_odds"]] == ["d-1"]
    for number in ("NaN", "Infinity", "-0.1"):
        wrong = body(open_deal(likely(36, Decimal(number))))
        assert "probability_out_of_range" in found(wrong).by_code()


def test_days_are_counted_in_the_zone_given():
    sale = body(open_deal(expected_close=TODAY))
    assert "expected_close_past" not in found(sale | {"as_of": NOW + timedelta(hours=20)}).by_code()
    later = sale | {"as_of": NOW + timedelta(hours=20), "zone": ZoneInfo("Pacific/Auckland")}
    assert "expected_close_past" in found(later).by_code()
    assert found(sale | {"zone": UTC}).findings == found(sale).findings


# Details


STALE = [
    ("owner", (9, OwnerChanged, {"owner": "ada"}), (10, OwnerChanged, {"owner": "bob"})),
    ("amount", (9, AmountChanged, {"amount": euros(1)}), (10, AmountChanged, {"amount": euros(1)})),
    ("expected_close", (9, CloseDateChanged, {"expected_close": TODAY}),
     (10, CloseDateChanged, {"expected_close": TODAY})),
    ("probability", likely(9, Decimal("0.5")), likely(10, Decimal("0.5"))),
    ("next_step", planned(9), planned(10)),
    ("verdict", answered(9, verdict="fit"), answered(10, verdict="fit")),
    ("amount", won(9, amount=5), won(10, amount=5)),
    ("reason", (9, Won, {"stage": "signed", "pipeline": "board", "reason": "price"}),
     (10, Won, {"stage": "signed", "pipeline": "board", "reason": "price"})),
]  # fmt: skip


@pytest.mark.parametrize(("field", "old", "recent"), STALE, ids=lambda each: str(each)[:30])
def test_a_detail_is_as_old_as_the_last_event_that_told_it(field, old, recent):
    required = {"deal": {field: timedelta(days=30)}}
    after = told(39, "source", "fair")
    assert "stale_detail" in found(body(deal(0, old, after), required=required)).by_code()
    assert "stale_detail" not in found(body(deal(0, recent, after), required=required)).by_code()


def test_a_detail_told_at_the_beginning_is_as_old_as_the_record():
    required = {"contact": {"source": timedelta(days=30), "email": timedelta(days=1)}}
    assert "stale_detail" in found(body(contact(9, source="fair"), required=required)).by_code()
    young = body(contact(10, called(39), source="fair"), required=required)
    assert "stale_detail" not in found(young).by_code()
    (missing,) = found(young).by_code()["missing_detail"]
    assert (missing.message, missing.expected) == ("it has no 'email'", "email")


def test_an_event_that_tells_no_amount_makes_none_younger():
    required = {"deal": {"amount": timedelta(days=30)}}
    sale = deal(0, won(39), amount=euros(5))
    assert "stale_detail" in found(body(sale, required=required)).by_code()


def test_a_list_without_anything_in_it_is_missing_and_a_no_is_not():
    assert "missing_detail" in found(body(deal(0), required={"deal": ["contacts"]})).by_code()
    no = {"contact": ["opted_out", "attributes.seats"]}
    person = contact(0, told(1, "attributes.seats", 0))
    assert "missing_detail" not in found(body(person, required=no)).by_code()


def test_the_last_answer_to_a_question_counts():
    again = open_deal(answered(36, expires_at=day(37)), answered(38))
    assert "answer_expired" not in found(body(again)).by_code()
    other = open_deal(answered(36, expires_at=day(37)), answered(38, "need"))
    (finding,) = found(body(other)).by_code()["answer_expired"]
    assert (finding.event, finding.seen) == (2, day(37).isoformat())
    assert finding.message == "the answer on 'budget' of 'bant' ended on 2026-02-07"
    assert "answer_expired" in found(body(contact(0, answered(1, expires_at=day(2))))).by_code()


def test_tags_of_an_address_are_dropped_where_the_caller_says_so():
    told = body(*people({"email": "a+x@b.com"}, {"email": "A+y@b.com"}, {"email": "a@b.com"}))
    assert "duplicate_email" not in found(told).by_code()
    dropped = found(told | {"limits": Limits(drop_tags=True)}).by_code()["duplicate_email"]
    assert [f.record for f in dropped] == ["c-0", "c-1", "c-2"]
    assert dropped[0].message == "the e-mail 'a@b.com' is also that of 'c-1' and 1 more"
    assert dropped[1].message == "the e-mail 'a@b.com' is also that of 'c-0' and 1 more"


@pytest.mark.parametrize("email", ["", " ", "n/a", "@acme.com", "ann@", "+x@acme.com"])
def test_what_is_no_address_is_that_of_nobody_else(email):
    told = body(*people({"email": email}, {"email": email}, {"email": "a@b.com"}),
                limits=Limits(drop_tags=True))  # fmt: skip
    assert "duplicate_email" not in found(told).by_code()


def test_two_who_share_an_address_are_not_told_again_by_their_name():
    ann = {"name": "Ann", "company": "Acme", "email": "a@acme.com"}
    assert "possible_duplicate" not in found(body(*people(ann, ann))).by_code()
    third = ann | {"email": "ann@acme.com"}
    possible = found(body(*people(ann, ann, third))).by_code()["possible_duplicate"]
    assert [f.record for f in possible] == ["c-0", "c-1", "c-2"]
    assert possible[2].message == "its name and company is also that of 'c-0' and 1 more"
    assert possible[2].seen == "ann, acme"


def test_test_records_are_known_by_name_title_and_domain():
    told = people({"name": " Test  TEST "}, {"email": "x@Example.org"}, {"email": "x@a.test"},
                  {"email": "x@y"}, {"name": "Tester McTest"})  # fmt: skip
    report = found(body(*told, deal(0, title="Test deal"), deal(0, title="Testing", record="d-2")))
    assert [f.record for f in report.by_code()["test_record"]] == ["c-0", "c-1", "c-2", "d-1"]
    own = Limits(test_names=["tester mctest"], test_domains={"Y"})
    report = found(body(*told, limits=own))
    assert [f.record for f in report.by_code()["test_record"]] == ["c-3", "c-4"]


def test_a_reopened_deal_is_judged_as_open():
    again = deal(0, lost(5), reopened(6))
    assert "lost_without_reason" not in found(body(again)).by_code()
    assert "silent_deal" in found(body(again)).by_code()
    twice = deal(0, (5, Moved, {"stage": "talk", "pipeline": "board"}))
    assert "silent_deal" in found(body(twice)).by_code()


# What is left out, and the edges of what is looked at


def left_out(told):
    return {(each.code, each.kind): each.why for each in found(told).left_out}


def test_without_rulebooks_no_move_of_a_contact_is_judged():
    told = left_out(body(contact(0), open_deal()))
    assert told["rule_broken", "contact"] == "no rulebook was given for its moves"
    assert told["rule_overridden", "deal"] == "no rulebook was given for its moves"
    assert ("rule_broken", "deal") not in left_out(body(open_deal(), pipelines=[BOARD]))


def test_what_was_not_given_and_what_nobody_has_are_told_apart():
    told = left_out(body(contact(0), open_deal(), pipelines=[Pipeline("board", [Stage("talk")])]))
    assert told["without_source", "deal"] == "no deal has source: it is not kept"
    assert told["duplicate_email", "contact"] == "no contact has email: it is not kept"
    assert told["deal_without_contact", "deal"] == "no deal names a contact: it is not kept"
    assert told["probability_at_odds", "deal"].startswith("no stage of the pipelines given has a")
    assert told["missing_detail", "deal"] == "no field of a deal is declared to be required"
    told = left_out(body(contact(0), required={"contact": ["email"]}))
    assert ("missing_detail", "contact") not in told
    assert told["stale_detail", "contact"].endswith("is declared to go out of date")
    assert told["contact_behind_deal", "contact"] == "no deals were given"
    assert left_out(body(open_deal()))["unknown_contact", "deal"] == "no contacts were given"
    assert left_out(body(open_deal()))["unknown_stage", "deal"] == "no pipelines were given"


@pytest.mark.parametrize(
    ("of_contact", "of_deal", "tied"), [(None, "a-1", False), ("a-1", None, False),
                                        ("a-2", "a-1", True)],
)  # fmt: skip
def test_contacts_and_deals_are_tied_by_accounts_where_both_have_some(of_contact, of_deal, tied):
    told = body(contact(0, account=of_contact), open_deal(account=of_deal))
    assert (("customer_without_win", "contact") not in left_out(told)) is tied


def test_the_latest_touch_of_several_deals_counts():
    person = contact(0, reached(1, "customer"))
    sales = [
        deal(0, won(5), called(at), contacts=("c-1",), record=f"d-{at}") for at in (20, 60, 30)
    ]
    assert "customer_untouched" not in found(body(person, *sales, as_of=day(152))).by_code()
    assert "customer_untouched" in found(body(person, *sales, as_of=day(153))).by_code()


def test_what_was_seen_of_an_opportunity_is_its_lost_deal():
    (finding,) = found(PROBE["opportunity_without_deal"][0]).by_code()["opportunity_without_deal"]
    assert (finding.seen, finding.expected) == ("lost", "an open deal")


@pytest.mark.parametrize("value", [0, 1])
def test_a_sure_chance_and_none_at_all_are_probabilities(value):
    told = body(open_deal(likely(36, Decimal(value))))
    assert "probability_out_of_range" not in found(told).by_code()
    assert Limits(probability_gap=1).probability_gap == 1


def test_two_of_one_name_without_a_company_are_not_told():
    told = people({"name": "Ann"}, {"name": "Ann"}, {"name": "Bob", "company": "Acme"})
    assert "possible_duplicate" not in found(body(*told)).by_code()


def test_what_an_event_made_by_hand_holds_in_place_of_text_is_no_text():
    strange = {"email": 5, "name": b"Ann", "company": ["Acme"], "account": 7}
    told = people(strange, strange, {"company": "Acme", "email": "a@b.com"})
    codes = found(body(*told, deal(0, title=3.5, owner=1))).by_code()
    assert {"duplicate_email", "possible_duplicate", "test_record"}.isdisjoint(codes)


def test_a_closed_deal_needs_no_assessment_any_more():
    closed = deal(0, moved(1, "offer"), lost(2, stage="offer"))
    told = body(closed, deal(0, answered(1), record="d-2"), pipelines=[BOARD])
    assert "open_without_assessment" not in found(told).by_code()


def test_the_findings_of_a_record_are_in_the_order_of_its_events():
    person = contact(0, reached(1, SQL, "ghost"), reached(2, "lead", "new"), status(3, "spook"))
    codes = [(f.check.code, f.event) for f in found(body(person)).findings]
    assert codes == [("unknown_status", 2), ("backward_lifecycle", 3), ("unknown_status", 4)]
