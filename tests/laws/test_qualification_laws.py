"""What must be so of every framework, answer and policy."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from salespipeline.qualification import (
    BANT,
    CHAMP,
    MEDDIC,
    MEDDPICC,
    Answer,
    Assessment,
    Assessments,
    Policy,
    Qualified,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
FRAMEWORKS = st.sampled_from([BANT, CHAMP, MEDDIC, MEDDPICC])
ANSWERS = st.sampled_from(Answer)
HOURS = st.integers(0, 200).map(lambda hours: timedelta(hours=hours))
WEIGHTS = st.decimals(0, 5, places=1)
RANK = {result: -place for place, result in enumerate(Qualified)}


@st.composite
def assessments(draw, frameworks=FRAMEWORKS):
    framework = draw(frameworks)
    one = st.builds(
        lambda criterion, answer, at, lasts: Assessment(
            criterion, answer, START + at, expires_at=None if lasts is None else START + at + lasts
        ),
        st.sampled_from(framework.keys), ANSWERS, HOURS, st.none() | HOURS,
    )  # fmt: skip
    return Assessments(framework, draw(st.lists(one, max_size=12)))


@st.composite
def policies(draw, framework):
    weights = draw(st.dictionaries(st.sampled_from(framework.keys), WEIGHTS))
    most = sum(weights.get(key, Decimal(1)) for key in framework.keys)
    return Policy(
        draw(st.decimals("0.1", max(most, Decimal("0.1")), places=1)),
        weights={**weights, **({} if most else {framework.keys[0]: 1})},
        must=draw(st.lists(st.sampled_from(framework.keys), max_size=2)),
        when=draw(st.none() | st.sampled_from(framework.keys)),
        partly=draw(st.decimals(0, 1, places=1)),
    )


@st.composite
def judged(draw):
    given_ = draw(assessments())
    return given_, draw(policies(given_.framework)), START + draw(HOURS)


def standing(framework, answers):
    return Assessments(framework, [Assessment(key, answers[key], START) for key in framework.keys])


@given(judged(), st.data())
def test_an_unknown_answer_is_never_worse_than_the_same_answer_unmet(case, data):
    known, policy, at = case
    answers = {
        key: Answer.UNKNOWN if each is None else each.answer
        for key, each in known.as_of(at).items()
    }
    key = data.draw(st.sampled_from(known.framework.keys))
    ranks = [
        RANK[policy.judge(standing(known.framework, answers | {key: answer}), as_of=START).result]
        for answer in (Answer.UNMET, Answer.UNKNOWN, Answer.MET)
    ]
    assert ranks[0] <= ranks[1]


@given(judged())
def test_a_verdict_ignores_answers_learnt_later(case):
    known, policy, at = case
    then = Assessments(known.framework, [each for each in known.given if each.at <= at])
    assert policy.judge(known, as_of=at) == policy.judge(then, as_of=at)


@given(judged())
def test_the_next_question_is_an_unknown_one_and_none_moves_the_verdict_further(case):
    known, policy, at = case
    found, now = policy.judge(known, as_of=at), known.as_of(at)
    unknown = [key for key, each in now.items() if each is None or each.answer is Answer.UNKNOWN]
    assert (found.ask_next is None) == (not unknown)
    if found.ask_next is not None:
        reached = {
            key: RANK[policy.judge(known.answered(key, "met", at=at), as_of=at).result]
            for key in unknown
        }
        assert found.ask_next.key in unknown
        assert reached[found.ask_next.key] == max(reached.values())


@given(judged())
def test_a_verdict_is_qualified_only_where_the_sum_is_reached(case):
    known, policy, at = case
    found = policy.judge(known, as_of=at)
    assert found.score >= 0
    if found.result is Qualified.QUALIFIED:
        assert found.score >= found.needed
    assert len(found.reasons) == len(known.framework.criteria) + 1


@given(assessments(), FRAMEWORKS)
def test_filling_another_framework_never_invents_an_answer(known, framework):
    filled, said = known.filled_for(framework)
    assert len(said) == len(filled.given)
    told = {(each.answer, each.at, each.expires_at) for each in known.given}
    assert {(each.answer, each.at, each.expires_at) for each in filled.given} <= told


@given(assessments(), HOURS)
def test_of_one_criterion_at_most_one_answer_stands_and_it_was_given(known, after):
    at = START + after
    for key, each in known.as_of(at).items():
        if each is not None:
            assert each in known.given
            assert each.criterion == key
            assert each.at <= at
            assert each.expires_at is None or at < each.expires_at
            assert all(
                other.at <= each.at or other.at > at
                for other in known.given
                if other.criterion == key
            )
    gone = {each.criterion for each in known.expired(at)}
    assert all(known.as_of(at)[key] is None for key in gone)
