"""Who may override what, and what is kept of it."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from contracts import STRANGE
from salespipeline.attributes import EMPTY
from salespipeline.conditions import all_of, approved_by, less, named, present
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import SalesPipelineError, WrongTypeError
from salespipeline.history import DealHistory
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import SIX_STAGES
from salespipeline.rules import (
    Code,
    Course,
    Decision,
    Denial,
    DeniedError,
    Grant,
    Override,
    Result,
    Rule,
    Rulebook,
)

BOSS = Override("eve", "boss", "the buyer is well known")
CLERK = Override("cyd", "clerk", "I would like to")
SALE = Rulebook.forward(
    "sale", ["new", "offer", "won", "void"], skips=False, creation=["new"], final=["void"],
    rules=[
        Rule("amount", present("amount"), targets=["won"]),
        Rule("small", less("amount", 100), targets=["won"]),
        Rule("checked", named("check"), sources=["new"]),
    ],
    grants=[
        Grant("boss", {"amount", "small", "backward"}),
        Grant("boss", {"checked", "final", "skip", "not_a_creation_state"}),
        Grant("clerk", {"amount"}),
    ],
    predicates={"check": lambda facts: facts.context["checked"]},
)  # fmt: skip


def codes(decision):
    return [denial.code for denial in decision.denials]


def at(day):
    return datetime(2026, 3, day, tzinfo=UTC)


# In a rulebook


def test_a_role_that_is_granted_it_overrides_a_rule():
    decision = SALE.decide("offer", "won", {"amount": 500})
    after = SALE.override(decision, BOSS)
    assert after
    assert (after.denials, after.alternatives) == ((), ())
    assert [(denial.code, denial.rule) for denial in after.overridden] == [("not_met", "small")]
    assert after.override == BOSS
    assert after.explain("sale 7") == "can move sale 7 from 'offer' to 'won'"


def test_a_role_that_is_not_granted_it_overrides_nothing_and_the_try_is_told():
    decision = SALE.decide("offer", "won", {"amount": 500})
    after = SALE.override(decision, CLERK)
    assert not after
    assert codes(after) == [Code.NOT_MET, Code.OVERRIDE_NOT_GRANTED]
    assert after.denials[-1] == Denial(
        Code.OVERRIDE_NOT_GRANTED, "sale", "override", "clerk", ("boss",),
        "'clerk' may not override 'small'",
    )  # fmt: skip
    assert (after.overridden, after.override) == ((), None)


def test_every_denial_must_be_granted():
    decision = SALE.decide("offer", "won")
    assert codes(decision) == [Code.MISSING_FIELD, Code.MISSING_FIELD]
    assert SALE.override(decision, BOSS)
    after = SALE.override(decision, CLERK)
    assert after.explain().count("'clerk' may not override 'small'") == 1
    assert after.denials[-1].expected == ("boss",)


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("won", "offer", Code.BACKWARD),
        ("void", "won", Code.FINAL),
        (None, "offer", Code.NOT_A_CREATION_STATE),
        ("new", "void", Code.SKIP),
    ],
)
def test_a_denial_of_the_rulebook_itself_is_overridden_by_its_code(source, target, code):
    decision = SALE.decide(source, target, {"amount": 5}, context={"checked": True})
    assert codes(decision) == [code]
    assert SALE.override(decision, BOSS).overridden[0].code == code
    assert not SALE.override(decision, CLERK)


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("new", "new", Code.ALREADY_THERE),
        ("new", "gone", Code.UNKNOWN_STATE),
        ("gone", "new", Code.UNKNOWN_STATE),
    ],
)
def test_no_grant_overrides_a_move_to_the_same_state_or_an_unknown_one(source, target, code):
    with pytest.raises(SalesPipelineError, match="is granted the unknown"):
        attrs.evolve(SALE, grants=(Grant("boss", {code}),))
    decision = SALE.decide(source, target)
    assert not SALE.override(decision, BOSS)
    if decision.result is Result.NO_SUCH_MOVE:
        assert SALE.override(decision, BOSS) is decision


def test_there_is_no_override_of_a_move_that_an_explicit_rulebook_does_not_have():
    book = Rulebook.explicit("door", {"open": ["shut"], "shut": ["open"], "locked": []})
    book = attrs.evolve(book, grants=(Grant("boss", {"backward", "skip"}),))
    decision = book.decide("open", "locked")
    assert book.override(decision, BOSS) is decision


def test_a_rule_that_could_not_be_asked_may_be_overridden_by_its_name():
    decision = SALE.decide("new", "offer")
    assert decision.result is Result.FAILED
    assert SALE.override(decision, BOSS).overridden[0].code == Code.FAILED
    after = SALE.override(decision, CLERK)
    assert after.result is Result.FAILED
    assert codes(after) == [Code.FAILED, Code.OVERRIDE_NOT_GRANTED]


def test_an_allowed_move_needs_no_override_and_keeps_none():
    decision = SALE.decide("offer", "won", {"amount": 5})
    assert SALE.override(decision, BOSS) is decision
    assert SALE.override(decision, None) is decision
    assert SALE.ruling_on(decision) is SALE.ruling


def test_a_decision_without_reasons_is_no_reason_to_override_one():
    odd = Decision("offer", "won", Result.DENIED)
    assert not SALE.override(odd, CLERK)


def test_a_rule_has_no_right_over_a_denial_that_is_not_its_own():
    """Neither by the name of the rulebook, nor by that of a record, nor by a code."""
    book = Rulebook.forward(
        "sale", ["new", "won"],
        rules=[Rule(name, present("amount")) for name in ("sale", "deal", "already_there")],
        grants=[Grant("boss", {"sale", "deal", "already_there"})],
    )  # fmt: skip
    record = {"amount": 5}
    assert codes(book.decide("won", "new", record)) == [Code.BACKWARD]
    assert not book.override(book.decide("won", "new", record), BOSS)
    there = book.override(book.decide("won", "won", record), BOSS)
    assert there.denials[-1].message == "'boss' may not override 'already_there'"
    assert there.denials[-1].expected == ()
    early = Denial(Code.BEFORE_LAST_EVENT, "deal", "at", at(1), at(2), "it is too early")
    assert not book.override(book.decide("new", "won", record).denied([early]), BOSS)
    assert book.override(book.decide("new", "won"), BOSS)


def test_an_override_is_an_override_and_a_decision_a_decision():
    decision = SALE.decide("offer", "won")
    for value in STRANGE:
        if value is not None:
            for asked in (decision, SALE.decide("new", "gone"), SALE.decide("new", "new")):
                with pytest.raises(WrongTypeError, match="'override' must be an Override"):
                    SALE.override(asked, value)
        with pytest.raises(WrongTypeError, match="'decision' must be a Decision"):
            SALE.override(value, BOSS)


def test_a_ruling_says_what_was_overridden_by_whom_and_why():
    after = SALE.override(SALE.decide("offer", "won", {"amount": 500}), BOSS)
    ruling = SALE.ruling_on(after)
    assert (ruling.rulebook, ruling.version, ruling.fingerprint) == ("sale", 1, SALE.fingerprint)
    assert (ruling.overridden, ruling.override) == (after.overridden, BOSS)


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (500, 500),
        ("much", "much"),
        ([1, "two", None], (1, "two", None)),
        ({"b", "a"}, ("a", "b")),
        (frozenset({2, "x"}), (2, "x")),
        ({"a": 1}, "{'a': 1}"),
        (LifecycleStage.LEAD, "lead"),
        (object(), "<object>"),
        (timedelta(days=1), "datetime.timedelta(days=1)"),
        (Money(5, "EUR"), Money(5, "EUR")),
    ],
)
def test_what_was_overridden_is_kept_as_plain_values(found, kept):
    decision = SALE.decide("offer", "won", {"amount": found})
    overridden = SALE.override(decision, BOSS).overridden
    if decision.denials:
        assert {denial.actual for denial in overridden} == {kept}
        assert overridden[-1].expected == "'amount' must be less than 100"
        hash(overridden)


def test_what_would_have_done_is_kept_in_words_or_as_states():
    backward = SALE.override(SALE.decide("won", "offer"), BOSS)
    assert backward.overridden[0].expected == ("void",)
    rule = Rule("amount", all_of(present("amount"), present("owner")))
    joined = attrs.evolve(SALE, rules=(rule,), grants=(Grant("boss", {"amount"}),))
    after = joined.override(joined.decide("new", "offer"), BOSS)
    assert [each.expected for each in after.overridden] == [
        "'amount' must be present",
        "'owner' must be present",
    ]


# In the commands of a deal

DESK = SIX_STAGES.ruled(
    backward=False,
    reopening=False,
    reason_to_lose=True,
    creation=["contact"],
    approvals={"proposal": ["deal desk"]},
    required_to_win=["amount"],
    grants=[
        Grant("director", {"approval to enter proposal", "no moves back", "not_a_creation_state"}),
        Grant("clerk", {"no moves back"}),
    ],
)
DIRECTOR = Override("dee", "director", "signed on paper")


def opened(day=1, **facts):
    return Deal.open("d-1", at=at(day), by="ada", pipeline=DESK, **facts)


def test_a_move_by_override_is_an_event_that_says_so():
    deal, _ = opened()
    facts = {"at": at(2), "by": "ada", "pipeline": DESK}
    with pytest.raises(DeniedError, match="'deal desk' must approve"):
        deal.move("proposal", **facts)
    after, event = deal.move("proposal", override=DIRECTOR, **facts)
    assert after.stage == "proposal"
    assert event.by == "ada"
    assert event.ruling.override == DIRECTOR
    (denial,) = event.ruling.overridden
    assert (denial.code, denial.rule) == (Code.APPROVAL_NEEDED, "approval to enter proposal")
    assert (denial.actual, denial.expected) == ((), "'deal desk' must approve")
    assert deal.decide("proposal", override=DIRECTOR, **facts).override == DIRECTOR


def test_a_move_that_needed_no_override_says_none():
    deal, _ = opened()
    _, event = deal.move("meeting", at=at(2), by="ada", pipeline=DESK, override=DIRECTOR)
    assert event.ruling == DESK.rulebook.ruling
    assert event.ruling.override is None


def test_an_override_that_is_not_granted_is_refused_with_that_reason():
    deal, _ = opened()
    clerk = Override("cyd", "clerk", "in a hurry")
    with pytest.raises(DeniedError) as caught:
        deal.move("proposal", at=at(2), by="cyd", pipeline=DESK, override=clerk)
    assert codes(caught.value.decision) == [Code.APPROVAL_NEEDED, Code.OVERRIDE_NOT_GRANTED]
    assert caught.value.decision.denials[-1].expected == ("director",)


def test_a_deal_may_be_opened_by_override_where_none_begins():
    with pytest.raises(DeniedError, match="nothing begins there"):
        opened(stage="meeting")
    deal, event = opened(stage="meeting", override=DIRECTOR)
    assert deal.stage == "meeting"
    assert event.ruling.overridden[0].code == Code.NOT_A_CREATION_STATE
    with pytest.raises(DeniedError, match="'clerk' may not override 'not_a_creation_state'"):
        opened(stage="meeting", override=Override("cyd", "clerk", "in a hurry"))


def test_an_override_cannot_turn_back_time():
    deal, _ = opened(day=5)
    decision = deal.decide("proposal", at=at(2), pipeline=DESK, override=DIRECTOR)
    assert codes(decision) == [Code.BEFORE_LAST_EVENT]
    assert decision.result is Result.DENIED
    with pytest.raises(DeniedError, match="is before its last change"):
        deal.move("proposal", at=at(2), by="ada", pipeline=DESK, override=DIRECTOR)


@pytest.mark.parametrize(
    ("command", "facts"),
    [("win", {}), ("lose", {}), ("reopen", {})],
)
def test_winning_losing_and_reopening_take_an_override_as_a_move_does(command, facts):
    grants = (Grant("boss", {"required to win", "reason to lose", "no reopening"}),)
    pipeline = attrs.evolve(DESK, rulebook=attrs.evolve(DESK.rulebook, grants=grants))
    deal, _ = opened()
    if command == "reopen":
        deal, _ = deal.lose(at=at(2), by="ada", pipeline=pipeline, reason="no budget")
    asked = {"at": at(3), "by": "ada", "pipeline": pipeline, **facts}
    with pytest.raises(DeniedError):
        getattr(deal, command)(**asked)
    after, event = getattr(deal, command)(override=BOSS, **asked)
    assert after.version == deal.version + 1
    assert event.ruling.override == BOSS
    with pytest.raises(DeniedError, match="may not override"):
        getattr(deal, command)(override=CLERK, **asked)


def test_an_overridden_move_is_kept_in_the_history_and_replayed_as_any_other():
    deal, first = opened()
    after, second = deal.move("proposal", at=at(2), by="ada", pipeline=DESK, override=DIRECTOR)
    history = DealHistory([first, second])
    assert history.latest == after
    assert history.events[-1].ruling.override.why == "signed on paper"


# In the commands of a contact


def lead(stage="customer", **facts):
    return Contact.create("c-1", at=at(1), by="form", stage=stage, **facts)[0]


FREE = Rulebook.free("free", LifecycleStage, grants=[Grant("boss", {"final", "backward"})])
GRANTED = Rulebook.forward(
    "granted", LifecycleStage, skips=False, creation=[LifecycleStage.LEAD],
    rules=[Rule("owned", present("owner"))],
    grants=[Grant("boss", {"backward", "skip", "not_a_creation_state", "owned"})],
)  # fmt: skip


@pytest.mark.parametrize("book", [FREE, GRANTED])
def test_the_direction_of_the_lifecycle_cannot_be_overridden(book):
    contact = lead()
    decision = contact.decide("lead", at=at(2), override=BOSS, rulebook=book)
    assert not decision
    assert Code.BACKWARD in codes(decision)
    with pytest.raises(DeniedError):
        contact.advance("lead", at=at(2), by="eve", override=BOSS, rulebook=book)
    for option in contact.options(rulebook=book):
        assert bool(option) is (option.target is LifecycleStage.EVANGELIST and book is FREE)
    assert decision.alternatives in ((), (LifecycleStage.EVANGELIST,))


def test_what_else_a_rulebook_of_the_lifecycle_denies_can_be_overridden():
    contact = lead("lead")
    facts = {"at": at(2), "by": "eve", "rulebook": GRANTED}
    with pytest.raises(DeniedError):
        contact.advance("customer", **facts)
    after, event = contact.advance("customer", override=BOSS, **facts)
    assert after.lifecycle_stage is LifecycleStage.CUSTOMER
    assert [denial.code for denial in event.ruling.overridden] == ["skip", "missing_field"]
    with pytest.raises(DeniedError, match="is already there"):
        after.advance("customer", override=BOSS, **{**facts, "at": at(3)})


def test_a_contact_may_begin_by_override_where_none_begins():
    facts = {"rulebook": GRANTED}
    with pytest.raises(DeniedError):
        lead("customer", **facts)
    assert lead("customer", override=BOSS, **facts).lifecycle_stage is LifecycleStage.CUSTOMER


def test_a_lead_status_takes_an_override_where_its_scheme_is_active():
    book = Rulebook.explicit(
        "strict", {**{key: [] for key in STANDARD_STATUSES.keys}, "new": ["connected"]},
        rules=[Rule("called", present("attributes.called"))], grants=[Grant("boss", {"called"})],
    )  # fmt: skip
    scheme = attrs.evolve(STANDARD_STATUSES, rulebook=book)
    contact = lead("sales_qualified_lead")
    facts = {"at": at(2), "by": "eve", "scheme": scheme}
    with pytest.raises(DeniedError, match=r"'attributes\.called' must be present"):
        contact.set_lead_status("connected", **facts)
    after, event = contact.set_lead_status("connected", override=BOSS, **facts)
    assert after.lead_status == "connected"
    assert event.ruling.override == BOSS
    with pytest.raises(DeniedError, match="and 'boss' may not override 'final'"):
        after.set_lead_status("new", override=BOSS, **{**facts, "at": at(3)})
    elsewhere = lead("customer").decide_status("new", override=BOSS, scheme=scheme)
    assert codes(elsewhere)[-1] == Code.STATUS_INACTIVE
    early = contact.decide_status(
        "connected", at=at(1) - timedelta(days=1), override=BOSS, scheme=scheme
    )
    assert codes(early) == [Code.BEFORE_LAST_EVENT]


# Conditions in the commands


def test_a_condition_on_entering_leaving_and_creating_is_asked_of_the_record():
    book = Rulebook.free(
        "six_stages", SIX_STAGES.outcomes,
        rules=[
            Rule("owned to begin", present("owner"), sources=[None]),
            Rule("account to leave contact", present("account"), sources=["contact"]),
            Rule("amount to propose", present("amount"), targets=["proposal"]),
        ],
    )  # fmt: skip
    pipeline = attrs.evolve(SIX_STAGES, rulebook=book)
    facts = {"by": "ada", "pipeline": pipeline}
    with pytest.raises(DeniedError, match="'owner' must be present"):
        Deal.open("d-1", at=at(1), **facts)
    deal, _ = Deal.open("d-1", at=at(1), owner="ada", **facts)
    assert [denial.field for denial in deal.decide("proposal", pipeline=pipeline).denials] == [
        "account", "amount",
    ]  # fmt: skip
    deal, _ = deal.set_field("account", "acme", at=at(2), by="ada")
    deal, _ = deal.change_amount(Money(5, "EUR"), at=at(2), by="ada")
    deal, event = deal.move("proposal", at=at(3), **facts)
    assert event.ruling.fingerprint == book.fingerprint


def test_an_approval_opens_a_gate_until_the_stage_is_left():
    deal, _ = opened()
    grey = {each.target: each for each in deal.options(pipeline=DESK)}["proposal"]
    assert codes(grey) == [Code.APPROVAL_NEEDED]
    deal, _ = deal.approve("deal desk", at=at(2), by="dee", role="deal desk")
    assert deal.decide("proposal", pipeline=DESK)
    deal, _ = deal.move("meeting", at=at(3), by="ada", pipeline=DESK)
    assert deal.approvals == frozenset()
    assert not deal.decide("proposal", pipeline=DESK)


def test_conditions_of_a_contact_are_asked_with_who_acts_and_in_which_role():
    book = Rulebook.forward(
        "owned", LifecycleStage, rules=[Rule("sales", approved_by("sales"), targets=["customer"])]
    )
    contact = lead("opportunity")
    assert codes(contact.decide("customer", rulebook=book)) == [Code.APPROVAL_NEEDED]
    contact, _ = contact.approve("sales", at=at(2), by="bob", role="sales")
    assert contact.advance("customer", at=at(3), by="bob", rulebook=book)


def test_a_rulebook_is_never_left_out_by_the_way_it_is_made():
    """A free course with rules is asked as any other; only an empty one has nothing to say."""
    book = Rulebook.free("six_stages", SIX_STAGES.outcomes, rules=[Rule("no", named("no"))],
                         predicates={"no": lambda _: False})  # fmt: skip
    assert book.course is Course.FREE
    pipeline = attrs.evolve(SIX_STAGES, rulebook=book)
    with pytest.raises(DeniedError, match="'no' must hold"):
        Deal.open("d-1", at=at(1), by="ada", pipeline=pipeline, context=EMPTY)
