import pickle
from datetime import UTC, datetime
from enum import Enum, StrEnum
from itertools import combinations

import attrs
import pytest

from contracts import STRANGE, check_door, check_value
from salespipeline.contacts import Contact
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.lifecycle import (
    LIFECYCLE,
    MOST_STATUSES,
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    Status,
    StatusKind,
    StatusScheme,
    Team,
    handled_by,
)
from salespipeline.ownership import OWNED_LIFECYCLE, OWNED_STATUSES
from salespipeline.rules import Code, DeniedError, Odd, Rulebook

FRESH = Status("fresh", kind="initial")
CALLED = Status("called")
SMALL = StatusScheme("small", [FRESH, CALLED], former={"rung": "called"})


class Attempts(StrEnum):
    FRESH = "fresh"
    FIRST_CALL = "first_call"


class Empty(StrEnum):
    pass


class Numbers(Enum):
    ONE = 1


def is_text(value):
    return isinstance(value, str) and value != ""


# The lifecycle


def test_the_seven_stages_stand_in_the_article_s_order():
    assert [stage.value for stage in LifecycleStage] == [
        "subscriber", "lead", "marketing_qualified_lead", "sales_qualified_lead",
        "opportunity", "customer", "evangelist",
    ]  # fmt: skip
    assert [stage.rank for stage in LifecycleStage] == [0, 1, 2, 3, 4, 5, 6]
    assert all(stage.meaning for stage in LifecycleStage)


def test_the_short_names_are_the_same_stages():
    assert LifecycleStage.MQL is LifecycleStage.MARKETING_QUALIFIED_LEAD
    assert LifecycleStage.SQL is LifecycleStage.SALES_QUALIFIED_LEAD
    assert LifecycleStage.SQL.value == "sales_qualified_lead"


@pytest.mark.parametrize(("lower", "higher"), list(combinations(LifecycleStage, 2)))
def test_stages_compare_by_rank(lower, higher):
    assert lower < higher
    assert lower <= higher
    assert higher > lower
    assert higher >= lower
    assert not higher < lower
    assert not higher <= lower
    assert not lower > higher
    assert not lower >= higher


def test_a_stage_is_neither_above_nor_below_itself():
    lead = LifecycleStage.LEAD
    assert lead <= LifecycleStage("lead")
    assert lead >= LifecycleStage("lead")
    assert not lead < LifecycleStage("lead")
    assert not lead > LifecycleStage("lead")


def test_the_furthest_stage_is_the_largest():
    stages = [LifecycleStage.CUSTOMER, LifecycleStage.LEAD, LifecycleStage.EVANGELIST]
    assert max(stages) is LifecycleStage.EVANGELIST
    assert min(stages) is LifecycleStage.LEAD


@pytest.mark.parametrize(
    "compare",
    [
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
    ],
)
def test_a_stage_does_not_compare_with_text_from_either_side(compare):
    with pytest.raises(WrongTypeError, match="'stage' must be a LifecycleStage to compare"):
        compare(LifecycleStage.LEAD, "customer")
    with pytest.raises(WrongTypeError, match="'stage' must be a LifecycleStage to compare"):
        compare("customer", LifecycleStage.LEAD)
    check_door(lambda value: compare(LifecycleStage.LEAD, value))


def test_a_stage_is_its_text_and_survives_pickling():
    assert LifecycleStage.LEAD == "lead"
    for stage in LifecycleStage:
        assert pickle.loads(pickle.dumps(stage)) is stage  # noqa: S301 - our own bytes


def test_a_lead_with_a_deal_skips_to_opportunity():
    assert LIFECYCLE.permits(LifecycleStage.LEAD, LifecycleStage.OPPORTUNITY)


def test_a_customer_does_not_become_a_lead_again():
    decision = LIFECYCLE.decide(LifecycleStage.CUSTOMER, LifecycleStage.LEAD)
    assert decision.denials[0].code == Code.BACKWARD
    assert decision.explain("contact 'c-1'") == (
        "cannot move contact 'c-1' from 'customer' to 'lead': "
        "the lifecycle moves forward only; allowed: 'evangelist'"
    )


def test_a_contact_may_begin_at_any_stage():
    assert LIFECYCLE.allowed(None) == tuple(LifecycleStage)


# Statuses


def test_a_status_is_a_value():
    check_value(
        Status("first_call"),
        Status("first_call", "First call", StatusKind.WORKING),
        Status("second_call", "First call"),
        Status("first_call", "Call"),
        Status("first_call", kind="recycle"),
        Status("first_call", parked=True),
        Status("first_call", meaning="we rang"),
        Status("first_call", next_step="ring again"),
    )


def test_a_status_reads_as_its_key_in_words():
    assert Status("first_call").label == "First call"


def test_a_strange_key_or_kind_is_refused():
    check_door(Status, takes=is_text)
    check_door(lambda kind: Status("fresh", kind=kind))
    with pytest.raises(UnknownKeyError, match="unknown status kind: 'new'; known: 'initial', 'wor"):
        Status("fresh", kind="new")


# Schemes


def test_a_scheme_is_a_value():
    check_value(
        SMALL,
        StatusScheme("small", iter([FRESH, CALLED]), former={"rung": "called"}),
        attrs.evolve(SMALL, name="tiny"),
        attrs.evolve(SMALL, statuses=[CALLED, FRESH]),
        attrs.evolve(SMALL, former={}),
        attrs.evolve(SMALL, active_in=[LifecycleStage.MQL]),
        attrs.evolve(SMALL, rulebook=Rulebook.forward("small", ["fresh", "called"])),
    )


def test_the_standard_scheme_is_the_article_s():
    assert STANDARD_STATUSES.keys == tuple(status.value for status in LeadStatus)
    assert STANDARD_STATUSES.initial.key == "new"
    assert STANDARD_STATUSES.active_in == {LifecycleStage.SQL}
    kinds = {status.key: status.kind for status in STANDARD_STATUSES.statuses}
    assert kinds["bad_timing"] is StatusKind.RECYCLE
    assert kinds["unqualified"] is StatusKind.DISQUALIFIED
    assert [status.key for status in STANDARD_STATUSES.statuses if status.parked] == ["bad_timing"]
    assert all(status.meaning and status.next_step for status in STANDARD_STATUSES.statuses)


def test_a_lead_status_moves_in_any_direction():
    for source in LeadStatus:
        others = tuple(target for target in LeadStatus if target is not source)
        assert STANDARD_STATUSES.rulebook.allowed(source) == others


def test_the_recyclable_scheme_differs_only_in_where_it_is_active():
    widened = attrs.evolve(
        STANDARD_STATUSES,
        name="recyclable",
        active_in={LifecycleStage.SQL, LifecycleStage.OPPORTUNITY},
        rulebook=attrs.evolve(STANDARD_STATUSES.rulebook, name="recyclable"),
    )
    assert widened == RECYCLABLE_STATUSES


def test_every_fault_of_a_scheme_is_named():
    with pytest.raises(InvalidValueError) as caught:
        StatusScheme(
            "broken",
            [CALLED, CALLED, Status("fresh"), Status("gone")],
            former={"fresh": "called", "rung": "nobody"},
            rulebook=Rulebook.free("other", ["called", "strange", "odd"]),
        )
    assert caught.value.subject == "status scheme 'broken'"
    assert caught.value.faults == (
        "the statuses 'called' occur twice",
        "exactly one status must be of kind 'initial'",
        "the former key 'fresh' is still in use",
        "the former key 'rung' leads to the unknown 'nobody'",
        "the rulebook 'other' lacks 'fresh', 'gone'",
        "the rulebook 'other' has the unknown 'strange', 'odd'",
    )


def test_a_scheme_has_one_initial_status_and_not_two():
    with pytest.raises(InvalidValueError, match="exactly one status must be of kind 'initial'"):
        StatusScheme("two", [FRESH, Status("new", kind="initial")])


def test_a_scheme_without_statuses_is_refused():
    for none in ([], {}):
        with pytest.raises(InvalidValueError, match=r"^statuses: there are none$"):
            StatusScheme("none", none)
    with pytest.raises(InvalidValueError, match=r"^statuses: there are none$"):
        StatusScheme.of("none", Empty)


def test_a_strange_part_of_a_scheme_is_refused():
    check_door(lambda name: StatusScheme(name, [FRESH]), takes=is_text)
    check_door(lambda statuses: StatusScheme("x", statuses))
    check_door(lambda status: StatusScheme("x", [FRESH, status]))
    check_door(lambda stage: StatusScheme("x", [FRESH], [stage]))
    check_door(lambda book: StatusScheme("x", [FRESH], rulebook=book))
    check_door(
        lambda former: StatusScheme("x", [FRESH], former=former),
        takes=lambda x: x is None or x == {},
    )
    check_door(lambda successor: StatusScheme("x", [FRESH], former={"old": successor}))


def test_a_scheme_of_an_enum_begins_with_its_first_member():
    scheme = StatusScheme.of("attempts", Attempts)
    assert [(status.key, status.label, status.kind) for status in scheme.statuses] == [
        ("fresh", "Fresh", StatusKind.INITIAL), ("first_call", "First call", StatusKind.WORKING),
    ]  # fmt: skip
    assert {type(key) for key in scheme.keys} == {str}


def test_a_scheme_of_a_mapping_takes_its_kinds():
    scheme = StatusScheme.of("attempts", {"tried": "working", "fresh": StatusKind.INITIAL})
    assert scheme.keys == ("tried", "fresh")
    assert scheme.initial.key == "fresh"


def test_a_scheme_of_anything_else_is_refused():
    check_door(lambda statuses: StatusScheme.of("x", statuses))
    for kind in (int, Numbers):
        with pytest.raises(WrongTypeError, match="a StrEnum or a mapping of keys to kinds"):
            StatusScheme.of("x", kind)
    with pytest.raises(WrongTypeError, match="'key' must be text"):
        StatusScheme.of("x", {5: "initial"})


def test_a_retired_key_gives_its_successor():
    assert SMALL.current("rung") == "called"
    assert SMALL.current("called") == "called"
    assert SMALL.status("rung") == CALLED
    assert SMALL.status("called") == CALLED


def test_an_unknown_status_is_refused_with_those_there_are():
    expected = "unknown lead status of scheme 'small': 'lost'; known: 'fresh', 'called'"
    with pytest.raises(UnknownKeyError, match=expected):
        SMALL.status("lost")
    check_door(SMALL.status)


def test_a_strange_key_has_no_successor():
    for value in STRANGE:
        assert SMALL.current(value) is value


def test_reaching_an_active_stage_sets_the_initial_status():
    assert STANDARD_STATUSES.after(None, LifecycleStage.SQL) == "new"


def test_a_status_stays_while_the_scheme_is_active():
    assert STANDARD_STATUSES.after("connected", LifecycleStage.SQL) == "connected"
    assert RECYCLABLE_STATUSES.after("connected", LifecycleStage.OPPORTUNITY) == "connected"


@pytest.mark.parametrize("stage", [None, LifecycleStage.MQL, LifecycleStage.OPPORTUNITY])
def test_outside_its_stages_there_is_no_status(stage):
    assert STANDARD_STATUSES.after("connected", stage) is None


def test_a_strange_stage_has_no_status():
    check_door(lambda stage: STANDARD_STATUSES.after("new", stage), takes=lambda x: x is None)


# Teams


@pytest.mark.parametrize(
    ("stage", "status", "team"),
    [
        (None, None, Team.MARKETING),
        (LifecycleStage.SUBSCRIBER, None, Team.MARKETING),
        (LifecycleStage.MQL, None, Team.MARKETING),
        (LifecycleStage.SQL, None, Team.SALES),
        (LifecycleStage.SQL, LeadStatus.CONNECTED, Team.SALES),
        (LifecycleStage.SQL, "bad_timing", Team.MARKETING),
        (LifecycleStage.SQL, "unqualified", Team.SALES),
        (LifecycleStage.SQL, "never_heard_of", Team.SALES),
        (LifecycleStage.OPPORTUNITY, LeadStatus.OPEN_DEAL, Team.SALES),
        (LifecycleStage.CUSTOMER, None, Team.SUCCESS),
        (LifecycleStage.EVANGELIST, LeadStatus.BAD_TIMING, Team.SUCCESS),
    ],
)
def test_a_contact_is_worked_by_one_team(stage, status, team):
    assert handled_by(stage, status) is team


def test_a_retired_status_recycles_as_its_successor_does():
    scheme = attrs.evolve(STANDARD_STATUSES, former={"later": "bad_timing"})
    assert handled_by(LifecycleStage.SQL, "later", scheme=scheme) is Team.MARKETING
    assert handled_by(LifecycleStage.SQL, "later") is Team.SALES


def test_a_strange_stage_or_scheme_has_no_team():
    check_door(handled_by, takes=lambda x: x is None)
    check_door(lambda scheme: handled_by(LifecycleStage.SQL, scheme=scheme))
    for value in STRANGE:
        assert handled_by(LifecycleStage.SQL, value) is Team.SALES


# Who may move a contact


AT = datetime(2026, 3, 1, tzinfo=UTC)
OWNERS = {
    LifecycleStage.SUBSCRIBER: {"marketing"},
    LifecycleStage.LEAD: {"marketing"},
    LifecycleStage.MQL: {"marketing"},
    LifecycleStage.SQL: {"sales"},
    LifecycleStage.OPPORTUNITY: {"sales"},
    LifecycleStage.CUSTOMER: {"sales"},
    LifecycleStage.EVANGELIST: {"sales", "success"},
}


@pytest.mark.parametrize("role", [*Team, "support", None])
@pytest.mark.parametrize(("stage", "owners"), OWNERS.items())
def test_each_team_moves_contacts_to_its_own_stages_only(stage, owners, role):
    contact, _ = Contact.create("c-1", at=AT, by="form")
    decision = contact.decide(stage, role=role, rulebook=OWNED_LIFECYCLE)
    assert bool(decision) is (role in owners)
    if role is None:
        assert [denial.code for denial in decision.denials] == [Code.MISSING_FIELD]
    elif role not in owners:
        assert [denial.code for denial in decision.denials] == [Code.ROLE_NEEDED]


def test_marketing_is_told_that_a_sales_qualified_lead_is_sales_word():
    lead, _ = Contact.create(
        "c-1", at=AT, by="form", role="marketing", stage="lead", rulebook=OWNED_LIFECYCLE
    )
    with pytest.raises(DeniedError) as caught:
        lead.advance(
            "sales_qualified_lead", at=AT, by="mia", role="marketing", rulebook=OWNED_LIFECYCLE
        )
    assert str(caught.value) == (
        "cannot move contact 'c-1' from 'lead' to 'sales_qualified_lead': "
        "the role must be 'sales' (it is 'marketing'); allowed: 'marketing_qualified_lead'"
    )
    lead, _ = lead.advance("sales_qualified_lead", at=AT, by="ada", role="sales",
        rulebook=OWNED_LIFECYCLE)  # fmt: skip
    assert lead.lifecycle_stage is LifecycleStage.SQL


def test_the_owned_lifecycle_goes_forward_only_too():
    for source, target in combinations(LifecycleStage, 2):
        decision = OWNED_LIFECYCLE.decide(target, source, role="sales")
        assert Code.BACKWARD in {denial.code for denial in decision.denials}


def test_lead_status_is_sales_alone():
    sql, _ = Contact.create("c-1", at=AT, by="ada", stage="sales_qualified_lead")
    assert sql.lead_status == "new"
    for status in OWNED_STATUSES.keys[1:]:
        assert sql.decide_status(status, role="sales", scheme=OWNED_STATUSES)
        for role in ("marketing", "success"):
            decision = sql.decide_status(status, role=role, scheme=OWNED_STATUSES)
            assert [denial.rule for denial in decision.denials] == ["sales only"]
    denied = sql.decide_status("bad_timing", role="marketing", scheme=OWNED_STATUSES)
    assert denied.explain("contact 'c-1'") == (
        "cannot set the lead status 'bad_timing' of contact 'c-1': "
        "the role must be 'sales' (it is 'marketing')"
    )


def test_the_owned_statuses_are_the_standard_ones():
    assert OWNED_STATUSES.statuses == STANDARD_STATUSES.statuses
    assert OWNED_STATUSES.active_in == STANDARD_STATUSES.active_in


# What is odd about them


@pytest.mark.parametrize(
    "shipped", [STANDARD_STATUSES, RECYCLABLE_STATUSES, OWNED_STATUSES], ids=lambda x: x.name
)
def test_nothing_is_odd_about_a_scheme_that_ships(shipped):
    assert shipped.lint() == ()


@pytest.mark.parametrize("shipped", [LIFECYCLE, OWNED_LIFECYCLE], ids=lambda x: x.name)
def test_nothing_is_odd_about_a_lifecycle_that_ships(shipped):
    assert shipped.lint(forward_only=True) == ()


def numbered(count, **facts):
    statuses = [FRESH, *(Status(f"call_{n}") for n in range(1, count))]
    return StatusScheme("many", statuses, **facts)


def test_more_than_eight_statuses_are_odd_and_eight_are_not():
    assert MOST_STATUSES == 8
    assert numbered(8).lint() == ()
    [finding] = numbered(9).lint()
    assert finding.code is Odd.TOO_MANY_STATUSES
    assert finding.message == "9 statuses are more than 8"
    assert finding.states == numbered(9).keys


def test_what_is_odd_about_the_rulebook_of_a_scheme_comes_first():
    keys = numbered(9).keys
    book = Rulebook.explicit("many", dict.fromkeys(keys[1:], keys[:1]) | {keys[0]: []},
        creation=keys[:1])  # fmt: skip
    assert [finding.code for finding in numbered(9, rulebook=book).lint()] == [
        *[Odd.UNREACHABLE] * 8, Odd.TOO_MANY_STATUSES,
    ]  # fmt: skip
