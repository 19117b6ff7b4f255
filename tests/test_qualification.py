from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from contracts import check_value
from salespipeline.conditions import at_least, equals, one_of
from salespipeline.deals import Deal
from salespipeline.errors import (
    InvalidValueError,
    MixedCurrenciesError,
    NaiveTimeError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import Assessed
from salespipeline.history import DealHistory
from salespipeline.money import Money
from salespipeline.pipelines import SIX_STAGES
from salespipeline.qualification import (
    BANT,
    CHAMP,
    MEDDIC,
    MEDDPICC,
    OVERLAPS,
    THREE_OF_FOUR,
    Answer,
    Assessment,
    Assessments,
    Authority,
    Budget,
    Criterion,
    Fit,
    Framework,
    Need,
    Policy,
    Profile,
    Qualified,
    Timeline,
    Trait,
    trait_of,
)

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def known(framework=BANT, **answers):
    """Answers by criterion, one a day from March on."""
    given = [
        Assessment(criterion, answer, MARCH + n * DAY)
        for n, (criterion, answer) in enumerate(answers.items())
    ]
    return Assessments(framework, given)


def verdict(policy=THREE_OF_FOUR, **answers):
    return policy.judge(known(**answers), as_of=MARCH + 90 * DAY)


# Frameworks


@pytest.mark.parametrize(
    ("framework", "keys"),
    [
        (BANT, ["budget", "authority", "need", "timeline"]),
        (CHAMP, ["challenges", "authority", "money", "prioritization"]),
        (
            MEDDIC,
            [
                "metrics", "economic_buyer", "decision_criteria", "decision_process",
                "identified_pain", "champion",
            ],
        ),
        (
            MEDDPICC,
            [
                "metrics", "economic_buyer", "decision_criteria", "decision_process",
                "paper_process", "identified_pain", "champion", "competition",
            ],
        ),
    ],
    ids=lambda each: getattr(each, "key", ""),
)  # fmt: skip
def test_each_framework_asks_its_criteria_in_order_and_says_where_it_is_from(framework, keys):
    assert list(framework.keys) == keys
    assert framework.source
    assert all(criterion.question.endswith("?") for criterion in framework.criteria)


def test_a_framework_is_a_value():
    one = Framework("own", [Criterion("fit", "does it fit?"), Criterion("fun")])
    check_value(one, Framework("own", one.criteria), Framework("other", one.criteria), BANT)
    assert one.name == "OWN"
    assert [criterion.name for criterion in one.criteria] == ["Fit", "Fun"]


def test_a_framework_that_asks_nothing_or_one_thing_twice_is_refused():
    with pytest.raises(InvalidValueError, match="framework 'x': there is no criterion"):
        Framework("x", [])
    with pytest.raises(InvalidValueError, match="the criteria 'a' occur twice"):
        Framework("x", [Criterion("a"), Criterion("b"), Criterion("a")])
    with pytest.raises(WrongTypeError, match="'criteria' must be several Criterion values"):
        Framework("x", "budget")
    with pytest.raises(WrongTypeError, match="'key' must be text that is not empty"):
        Criterion("")


def test_an_unknown_criterion_is_named_with_those_that_there_are():
    assert BANT.criterion("need").key == "need"
    with pytest.raises(UnknownKeyError, match="criterion of framework 'bant': 'pain'"):
        BANT.criterion("pain")


def test_the_overlaps_name_criteria_that_there_are():
    frameworks = {each.key: each for each in (BANT, CHAMP, MEDDIC, MEDDPICC)}
    for group in OVERLAPS:
        assert len(group) > 1
        for framework, criterion in group:
            frameworks[framework].criterion(criterion)


# Answers


def test_the_latest_answer_stands_and_the_earlier_ones_are_kept():
    found = known(budget="unmet").answered("budget", "met", at=MARCH + DAY, evidence="40,000")
    assert [each.answer for each in found.given] == [Answer.UNMET, Answer.MET]
    assert found.as_of(MARCH)["budget"].answer is Answer.UNMET
    assert found.as_of(MARCH + DAY)["budget"].evidence == "40,000"
    assert found.as_of(MARCH - DAY)["budget"] is None


def test_an_answer_that_was_learnt_earlier_does_not_replace_a_later_one():
    found = known(budget="met").answered("budget", "unmet", at=MARCH - DAY)
    assert found.as_of(MARCH)["budget"].answer is Answer.MET


def test_of_two_answers_of_one_instant_the_one_noted_later_stands():
    found = known(need="met").answered("need", "unmet", at=MARCH)
    assert found.as_of(MARCH)["need"].answer is Answer.UNMET


def test_an_expired_answer_is_unknown_again():
    found = known().answered("budget", "met", at=MARCH, expires_at=MARCH + 30 * DAY)
    assert found.as_of(MARCH + 29 * DAY)["budget"].answer is Answer.MET
    assert found.expired(MARCH + 29 * DAY) == ()
    assert found.as_of(MARCH + 30 * DAY)["budget"] is None
    assert [each.criterion for each in found.expired(MARCH + 30 * DAY)] == ["budget"]


def test_an_answer_that_had_run_out_when_it_was_learnt_ends_the_one_before():
    found = known(budget="met").answered("budget", "met", at=MARCH + DAY, expires_at=MARCH)
    assert found.as_of(MARCH)["budget"].answer is Answer.MET
    assert found.as_of(MARCH + DAY)["budget"] is None


def test_answers_to_what_the_framework_does_not_ask_are_refused_together():
    wrong = [Assessment("pain", "met", MARCH), Assessment("money", "met", MARCH)]
    with pytest.raises(InvalidValueError, match="it has no criterion 'pain', 'money'; known"):
        Assessments(BANT, wrong)
    with pytest.raises(UnknownKeyError, match="'maybe'"):
        known(budget="maybe")
    with pytest.raises(NaiveTimeError):
        Assessment("budget", "met", datetime(2026, 3, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(WrongTypeError):
        Assessment("budget", "met", MARCH, evidence=5)
    with pytest.raises(WrongTypeError, match="'framework' must be a Framework"):
        Assessments("bant")


def test_an_assessment_is_a_value():
    one = Assessment("need", "met", MARCH, "a day a week", "Ada", "sam", MARCH + DAY)
    check_value(
        one,
        Assessment("need", Answer.MET, MARCH, "a day a week", "Ada", "sam", MARCH + DAY),
        Assessment("need", "met", MARCH),
    )


def deal_history(*assessed):
    _, opened = Deal.open("d-1", at=MARCH, by="ada", pipeline=SIX_STAGES)
    events = [opened]
    for n, said in enumerate(assessed, 2):
        events.append(Assessed(record="d-1", sequence=n, at=MARCH + n * DAY, by="ada", **said))
    return DealHistory(events)


def test_the_answers_of_a_history_are_those_known_at_an_instant():
    history = deal_history(
        {"framework": "bant", "criterion": "budget", "answer": "unmet"},
        {"framework": "champ", "criterion": "money", "answer": "met"},
        {"framework": "bant", "criterion": "budget", "answer": "met", "evidence": "mail"},
    )
    early = Assessments.of(history, BANT, as_of=MARCH + 3 * DAY)
    assert [each.answer for each in early.given] == [Answer.UNMET]
    late = Assessments.of(history, BANT, as_of=MARCH + 9 * DAY)
    assert late.as_of(MARCH + 9 * DAY)["budget"].evidence == "mail"
    assert Assessments.of(history, BANT, as_of=MARCH - DAY).given == ()
    assert Assessments.of(history, MEDDIC, as_of=MARCH + 9 * DAY).given == ()


def test_a_voided_answer_is_none():
    history = deal_history({"framework": "bant", "criterion": "budget", "answer": "met"})
    voided, _ = history.void(2, at=MARCH + 5 * DAY, by="ada", why="it was another deal's")
    assert Assessments.of(voided, BANT, as_of=MARCH + 4 * DAY).given != ()
    assert Assessments.of(voided, BANT, as_of=MARCH + 5 * DAY).given == ()


def test_answers_in_another_systems_words_are_left_out():
    history = deal_history(
        {"framework": "bant", "criterion": "budget", "answer": "kind of"},
        {"framework": "bant", "criterion": "pain", "answer": "met"},
    )
    assert Assessments.of(history, BANT, as_of=MARCH + 9 * DAY).given == ()


def test_one_framework_is_filled_from_another_and_says_what_is_from_where():
    found, said = known(budget="met", authority="unmet", timeline="partly").filled_for(CHAMP)
    standing = found.as_of(MARCH + 9 * DAY)
    assert {key: each and each.answer.value for key, each in standing.items()} == {
        "challenges": None, "authority": "unmet", "money": "met", "prioritization": "partly",
    }  # fmt: skip
    assert said == (
        "CHAMP money: met, from BANT budget",
        "CHAMP authority: unmet, from BANT authority",
        "CHAMP prioritization: partly, from BANT timeline",
    )


def test_what_does_not_overlap_stays_unknown():
    found, said = known(budget="met", need="met").filled_for(MEDDPICC)
    assert [each.criterion for each in found.given] == ["identified_pain"]
    assert said == ("MEDDPICC identified_pain: met, from BANT need",)


# Verdicts


def test_three_of_four_qualify():
    found = verdict(budget="met", authority="met", need="met")
    assert (found.result, found.score, found.needed) == (Qualified.QUALIFIED, 3, 3)
    assert found.lead_status == "connected"
    assert found.ask_next.key == "timeline"


def test_two_of_four_are_incomplete_while_the_rest_is_unknown_and_disqualified_once_it_is_not():
    assert verdict(budget="met", need="met").result is Qualified.INCOMPLETE
    assert verdict(budget="met", need="met").lead_status is None
    unmet = verdict(budget="met", need="unmet", authority="unmet", timeline="met")
    assert unmet.result is Qualified.DISQUALIFIED
    assert (unmet.lead_status, unmet.ask_next) == ("unqualified", None)
    assert str(unmet).endswith("- the sum is 2 of 3 needed")


def test_what_is_met_in_part_counts_in_part_and_may_still_be_met():
    found = verdict(budget="met", need="met", authority="partly", timeline="partly")
    assert (found.result, found.score) == (Qualified.QUALIFIED, 3)
    less = verdict(budget="met", need="partly", authority="partly", timeline="partly")
    assert (less.result, less.score) == (Qualified.INCOMPLETE, Decimal("2.5"))


def test_a_good_fit_that_buys_only_later_is_to_be_nurtured():
    found = verdict(budget="met", authority="met", need="met", timeline="unmet")
    assert (found.result, found.lead_status) == (Qualified.NURTURE, "bad_timing")


def test_a_bad_fit_that_buys_only_later_is_not_to_be_nurtured():
    found = verdict(budget="unmet", authority="unmet", need="met", timeline="unmet")
    assert found.result is Qualified.DISQUALIFIED


def test_without_a_criterion_that_says_when_nobody_is_to_be_nurtured():
    policy = Policy(4, when=None)
    found = verdict(policy, budget="met", authority="met", need="met", timeline="unmet")
    assert found.result is Qualified.DISQUALIFIED


def test_what_must_be_met_disqualifies_where_it_is_not_and_is_asked_for_where_unknown():
    policy = Policy(2, must=["need"])
    assert verdict(policy, need="unmet", budget="met", authority="met").result == "disqualified"
    open_ = verdict(policy, budget="met", authority="met")
    assert (open_.result, open_.ask_next.key) == (Qualified.INCOMPLETE, "need")
    assert verdict(policy, need="partly", budget="met", authority="met").result == "incomplete"
    assert "need: unknown, and must be" in str(open_)


def test_weights_say_what_counts():
    policy = Policy(5, weights={"budget": 3, "need": "2.5", "authority": 0})
    found = verdict(policy, budget="met", need="met")
    assert (found.result, found.score) == (Qualified.QUALIFIED, Decimal("5.5"))


def test_the_next_question_is_the_one_that_would_move_the_verdict_furthest():
    assert verdict().ask_next.key == "budget"
    heavy = Policy(5, weights={"need": 4})
    assert verdict(heavy).ask_next.key == "need"
    assert verdict(Policy(3, must=["authority"]), budget="met", need="met").ask_next.key == (
        "authority"
    )


def test_an_expired_answer_is_told_and_asked_again():
    found = known(authority="met", need="met").answered(
        "budget", "met", at=MARCH, expires_at=MARCH + 10 * DAY
    )
    early = THREE_OF_FOUR.judge(found, as_of=MARCH + 9 * DAY)
    late = THREE_OF_FOUR.judge(found, as_of=MARCH + 10 * DAY)
    assert (early.result, late.result) == (Qualified.QUALIFIED, Qualified.INCOMPLETE)
    assert late.ask_next.key == "budget"
    assert "budget: the answer has expired" in str(late)


def test_a_verdict_tells_its_reasons_in_the_frameworks_order():
    found = THREE_OF_FOUR.judge(
        known(need="unmet").answered("budget", "met", at=MARCH, evidence="40,000 approved"),
        as_of=MARCH + DAY,
    )
    assert str(found) == (
        "incomplete: 1 of 3 needed\n"
        "- budget: met (40,000 approved)\n"
        "- authority: unknown\n"
        "- need: not met\n"
        "- timeline: unknown\n"
        "- the sum is 1 of 3 needed\n"
        "ask next: who decides, and who else must agree?"
    )


def test_a_policy_that_contradicts_itself_is_refused_with_every_fault():
    with pytest.raises(InvalidValueError) as caught:
        Policy(0, weights={"budget": -1}, partly=2)
    for fault in ("'budget' is negative", "needed must be above 0", "partly must be from 0 to 1"):
        assert fault in str(caught.value)
    with pytest.raises(WrongTypeError, match="never a float"):
        Policy(2.5)
    with pytest.raises(WrongTypeError, match="'weights' must be a mapping"):
        Policy(2, weights=[("budget", 1)])
    with pytest.raises(WrongTypeError):
        Policy(2, must="need")


def test_a_policy_that_a_framework_cannot_meet_is_refused():
    with pytest.raises(InvalidValueError, match="5 is needed, and all of BANT sums to 4"):
        verdict(Policy(5))
    with pytest.raises(InvalidValueError, match="it has no criterion 'pain', 'champion'"):
        verdict(Policy(1, weights={"pain": 1}, must=["champion"]))
    with pytest.raises(WrongTypeError, match="'assessments' must be an Assessments"):
        THREE_OF_FOUR.judge({"budget": "met"}, as_of=MARCH)


def test_a_score_is_exact_whatever_the_callers_decimal_context():
    policy = Policy("1", weights={"budget": "0.1234567", "need": "1.00000001"})
    with localcontext() as context:
        context.prec = 3
        assert verdict(policy, budget="met", need="met").score == Decimal("1.12345671")


# BANT in types


def euros(amount):
    return Money(str(amount), "EUR")


@pytest.mark.parametrize(
    ("price", "answer"), [(8000, "met"), (8001, "partly"), (12000, "partly"), (12001, "unmet")]
)
def test_a_budget_is_held_against_the_price(price, answer):
    budget = Budget(euros(8000), euros(12000))
    assert budget.answer(euros(price)) == answer
    assert budget.evidence == "8,000.00 EUR to 12,000.00 EUR"
    assert Budget(euros(5)).evidence == "5.00 EUR"


def test_a_budget_of_another_currency_or_the_wrong_way_round_is_refused():
    with pytest.raises(MixedCurrenciesError):
        Budget(euros(8000)).answer(Money("8000", "USD"))
    with pytest.raises(MixedCurrenciesError):
        Budget(euros(8000), Money("9000", "USD"))
    with pytest.raises(InvalidValueError, match="is below"):
        Budget(euros(8000), euros(7000))
    with pytest.raises(WrongTypeError, match="'budget' must be a Money"):
        Budget(8000)


@pytest.mark.parametrize(
    ("part", "others", "answer"),
    [
        ("decides", [], "met"), ("decides", ["finance"], "partly"), ("influences", [], "partly"),
        ("uses", [], "unmet"), ("none", ["the board"], "unmet"),
    ],
)  # fmt: skip
def test_authority_is_met_by_one_who_decides_alone(part, others, answer):
    assert Authority(part, others).answer() == answer


def test_authority_tells_who_else_must_agree():
    assert Authority("decides", ["finance", "IT"]).evidence == "decides, with finance, IT"
    assert Authority("uses").evidence == "uses"
    with pytest.raises(UnknownKeyError):
        Authority("boss")
    with pytest.raises(WrongTypeError):
        Authority("decides", "finance")


@pytest.mark.parametrize(
    ("severity", "answer"),
    [("none", "unmet"), ("nuisance", "partly"), ("serious", "met"), ("critical", "met")],
)
def test_a_need_is_met_by_a_serious_problem(severity, answer):
    assert Need(severity, "we retype").answer() == answer
    assert Need(severity, "we retype").evidence == f"{severity}: we retype"
    assert Need(severity).evidence == severity


@pytest.mark.parametrize(
    ("first", "last", "answer"),
    [(1, 30, "met"), (1, 31, "partly"), (30, 31, "partly"), (31, 31, "unmet")],
)
def test_a_timeline_is_met_where_they_buy_soon_enough(first, last, answer):
    timeline = Timeline(MARCH.date() + first * DAY, MARCH.date() + last * DAY)
    assert timeline.answer(by=MARCH.date() + 30 * DAY) == answer


def test_a_timeline_tells_its_dates_and_refuses_to_end_before_it_begins():
    assert Timeline(date(2026, 4, 1)).evidence == "2026-04-01"
    assert Timeline(date(2026, 4, 1), date(2026, 6, 30)).evidence == "2026-04-01 to 2026-06-30"
    with pytest.raises(InvalidValueError, match="2026-03-31 is before 2026-04-01"):
        Timeline(date(2026, 4, 1), date(2026, 3, 31))
    with pytest.raises(WrongTypeError):
        Timeline(MARCH)


# Profiles

IDEAL = Profile(
    "mid-size makers",
    [
        Trait("industry", one_of("attributes.industry", ["machines", "tools"])),
        Trait("size", at_least("attributes.staff", 50)),
        Trait("role", equals("attributes.role", "head of sales")),
    ],
)


def test_what_is_unknown_is_neither_matched_nor_unmatched():
    found = IDEAL.fit({"attributes": {"industry": "tools", "staff": 12}})
    assert found == Fit(("industry",), ("size",), ("role",))
    assert not found
    assert IDEAL.fit({"attributes": {"industry": "tools", "staff": 50, "role": "head of sales"}})


def test_a_profile_reads_in_words():
    assert str(IDEAL).splitlines()[0] == "mid-size makers"
    assert "- size: 'attributes.staff' must be at least 50" in str(IDEAL)


def test_a_profile_of_nothing_or_of_one_trait_twice_is_refused():
    with pytest.raises(InvalidValueError, match="there is no trait"):
        Profile("x", [])
    trait = IDEAL.traits[0]
    with pytest.raises(InvalidValueError, match="the traits 'industry' occur twice"):
        Profile("x", [trait, trait])
    with pytest.raises(WrongTypeError):
        Trait("size", "staff > 50")


ROWS = [
    {"value": "machines", "number": 40, "win_rate": Fraction(1, 2), "cycle_days": 30},
    {"value": "tools", "number": 20, "win_rate": 0.4},
    {"value": "shops", "number": 60, "win_rate": "0.2"},
    {"value": "banks", "number": 3, "win_rate": 1},
    {"value": None, "number": 50, "win_rate": 1},
    {"value": "farms", "number": 0, "win_rate": None},
]


def test_a_trait_is_made_of_the_values_that_win_more_often_than_all():
    # all: (20 + 8 + 12 + 3) / 123 = 35.0 %
    assert trait_of("industry", "industry", ROWS) == Trait(
        "industry", one_of("industry", ["machines", "tools"])
    )
    better = trait_of("industry", "industry", ROWS, better_than="0.45", fewest=1)
    assert better.condition == one_of("industry", ["machines", "banks"])


def test_no_value_good_enough_is_said():
    with pytest.raises(InvalidValueError, match=r"at least 20 deals wins more often than 60\.0%"):
        trait_of("industry", "industry", ROWS, better_than="0.6")
    with pytest.raises(InvalidValueError, match=r"wins more often than 0\.0%"):
        trait_of("industry", "industry", [])


def test_rows_at_fault_are_named_together():
    rows = [5, {"value": "a"}, {"value": "a", "number": 1.5, "win_rate": 7}]
    with pytest.raises(InvalidValueError) as caught:
        trait_of("industry", "industry", rows)
    assert len(caught.value.faults) == 4
    with pytest.raises(WrongTypeError):
        trait_of("industry", "industry", {"value": "a"})
    with pytest.raises(InvalidValueError, match="is no rate"):
        trait_of("industry", "industry", ROWS, better_than=True)
    with pytest.raises(InvalidValueError, match="is no rate"):
        trait_of("industry", "industry", ROWS, better_than="often")
