"""Verdicts: what a policy makes of answers, why, and what to ask next."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from typing import Any, cast

from attrs import field, frozen

from salespipeline._doors import instance, instances, text
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.lifecycle import LeadStatus
from salespipeline.money import exact
from salespipeline.periods import utc
from salespipeline.qualification.answers import Answer, Assessment, Assessments
from salespipeline.qualification.frameworks import Criterion, Framework


class Qualified(StrEnum):
    """What comes of a qualification, the best first."""

    QUALIFIED = "qualified"
    INCOMPLETE = "incomplete"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"


_STATUS = {
    Qualified.QUALIFIED: LeadStatus.CONNECTED,
    Qualified.NURTURE: LeadStatus.BAD_TIMING,
    Qualified.DISQUALIFIED: LeadStatus.UNQUALIFIED,
}
_EXACT = Context(prec=200)
_WORTH = {Answer.UNKNOWN: Decimal(0), Answer.UNMET: Decimal(0), Answer.MET: Decimal(1)}


@frozen
class Reason:
    """One thing that a verdict rests on.

    Attributes:
        criterion: The criterion's key, or None for the sum of them.
        answer: Its answer, or None for the sum.
        message: What it means for the verdict, in words.
    """

    criterion: str | None
    answer: Answer | None
    message: str


@frozen
class Verdict:
    """What a policy says of answers at an instant.

    Attributes:
        result: Qualified; incomplete; nurture, a good fit that will not buy now; or disqualified.
        score: The sum of the weights that are met, and of the part of those met partly.
        needed: The sum that the policy asks for.
        reasons: What it rests on, in the framework's order, the sum last.
        lead_status: The standard lead status that it suggests, or None while it is incomplete.
        ask_next: The unknown criterion whose being met would move the verdict furthest, the
            first of them in the framework's order; None where none is unknown.
    """

    result: Qualified
    score: Decimal
    needed: Decimal
    reasons: tuple[Reason, ...]
    lead_status: LeadStatus | None
    ask_next: Criterion | None

    def __str__(self) -> str:
        """The verdict in words, with every reason."""
        lines = [f"{self.result.value}: {self.score} of {self.needed} needed"]
        lines += [f"- {reason.message}" for reason in self.reasons]
        if self.ask_next is not None:
            lines.append(f"ask next: {self.ask_next.question or self.ask_next.name}")
        return "\n".join(lines)


def _keys(value: object) -> tuple[str, ...]:
    keys = instances(str, value, "must")
    return tuple(dict.fromkeys(text(key, "must") for key in keys))


def _weights(value: Any) -> Attributes:
    if not isinstance(value, Mapping):
        raise WrongTypeError("weights", "a mapping of criteria to numbers", value)
    given = cast("Mapping[Any, Any]", value)
    return Attributes(
        {key: exact(weight, f"weights[{brief(key)}]") for key, weight in given.items()}
    )


def _needed(value: Any) -> Decimal:
    return exact(value, "needed")


def _part(value: Any) -> Decimal:
    return exact(value, "partly")


def _when(value: object) -> str | None:
    return None if value is None else text(value, "when")


@frozen
class Policy:
    """How answers become a verdict.

    Args:
        needed: The sum of weights that qualifies.
        weights: By criterion, what it counts when met; 1 where not given.
        must: The criteria without which nothing qualifies.
        when: The criterion that says when they will buy; where it alone is in the way, the
            lead is a good fit for later.
        partly: What part of its weight a criterion that is met partly counts.

    Raises:
        InvalidValueError: A weight is negative, ``needed`` is not above 0, or ``partly`` is not
            from 0 to 1. Every fault is named.

    >>> Policy(3, must=["need"]).needed
    Decimal('3')
    """

    needed: Decimal = field(converter=_needed)
    weights: Attributes = field(default=EMPTY, converter=_weights)
    must: tuple[str, ...] = field(default=(), converter=_keys)
    when: str | None = field(default="timeline", converter=_when)
    partly: Decimal = field(default=Decimal("0.5"), converter=_part)

    def __attrs_post_init__(self) -> None:
        """Refuse a policy that nothing, or everything, can meet."""
        weights = self._weighed()
        faults = [f"the weight of {key!r} is negative" for key, each in weights.items() if each < 0]
        if self.needed <= 0:
            faults.append(f"needed must be above 0 (got {self.needed})")
        if not 0 <= self.partly <= 1:
            faults.append(f"partly must be from 0 to 1 (got {self.partly})")
        if faults:
            raise InvalidValueError("policy", tuple(faults))

    def _weighed(self) -> dict[str, Decimal]:
        return {key: weight for key, weight in self.weights.items() if isinstance(weight, Decimal)}

    def judge(self, assessments: Assessments, *, as_of: datetime) -> Verdict:
        """What the policy says of the answers that stand at an instant.

        A criterion that must be met and is unmet disqualifies. All that must be are met, and the
        sum is reached: qualified. It is out of reach even if all that is unknown or met partly
        were met: disqualified. Else incomplete. Where ``when`` is unmet, the same is asked as if
        it were met, and what would be qualified is to be nurtured. An unknown answer is never
        worse than the same answer unmet.

        Args:
            assessments: The answers.
            as_of: The instant: later answers count for nothing, expired ones are unknown.

        Raises:
            InvalidValueError: The framework has not the criteria that the policy names, or its
                weights never sum to what is needed.
        """
        at, framework = (
            utc(as_of, "as_of"),
            instance(Assessments, assessments, "assessments").framework,
        )
        self._check(framework)
        standing = assessments.as_of(at)
        answers = {
            key: Answer.UNKNOWN if each is None else each.answer for key, each in standing.items()
        }
        result = self._result(answers)
        gone = {each.criterion for each in assessments.expired(at)}
        score = self._score(answers)
        reasons = tuple(
            Reason(
                key,
                answers[key],
                self._why(framework.criterion(key), standing[key], expired=key in gone),
            )
            for key in answers
        )
        total = Reason(None, None, f"the sum is {score} of {self.needed} needed")
        return Verdict(
            result, score, self.needed, (*reasons, total), _STATUS.get(result),
            self._next(framework, answers),
        )  # fmt: skip

    def _check(self, framework: Framework) -> None:
        named = (*self.weights, *self.must)
        framework.check(dict.fromkeys(named))
        most = self._score(dict.fromkeys(framework.keys, Answer.MET))
        if most < self.needed:
            fault = f"{self.needed} is needed, and all of {framework.name} sums to {most}"
            raise InvalidValueError("policy", (fault,))

    def _weight(self, key: str) -> Decimal:
        weight = self.weights.get(key, Decimal(1))
        return weight if isinstance(weight, Decimal) else Decimal(1)

    def _score(self, answers: Mapping[str, Answer]) -> Decimal:
        worth = {**_WORTH, Answer.PARTLY: self.partly}
        with localcontext(_EXACT):
            parts = (self._weight(key) * worth[answer] for key, answer in answers.items())
            return sum(parts, Decimal(0)).normalize() + 0

    def _result(self, answers: Mapping[str, Answer]) -> Qualified:
        if self.when is not None and answers.get(self.when) is Answer.UNMET:
            now = self._result({**answers, self.when: Answer.MET})
            return Qualified.NURTURE if now is Qualified.QUALIFIED else now
        if any(answers[key] is Answer.UNMET for key in self.must):
            return Qualified.DISQUALIFIED
        best = {
            key: answer if answer is Answer.UNMET else Answer.MET for key, answer in answers.items()
        }
        if self._score(best) < self.needed:
            return Qualified.DISQUALIFIED
        met = all(answers[key] is Answer.MET for key in self.must)
        reached = met and self._score(answers) >= self.needed
        return Qualified.QUALIFIED if reached else Qualified.INCOMPLETE

    def _next(self, framework: Framework, answers: Mapping[str, Answer]) -> Criterion | None:
        """The unknown criterion that would move the verdict furthest, if it were met."""
        unknown = [key for key in framework.keys if answers[key] is Answer.UNKNOWN]
        order = list(Qualified)

        def moved(key: str) -> tuple[int, bool, Fraction]:
            after = {**answers, key: Answer.MET}
            return (
                order.index(self._result(after)),
                key not in self.must,
                -Fraction(self._weight(key)),
            )

        return framework.criterion(min(unknown, key=moved)) if unknown else None

    def _why(self, criterion: Criterion, standing: Assessment | None, *, expired: bool) -> str:
        """What one answer means, in words."""
        name = criterion.name.lower()
        if standing is None or standing.answer is Answer.UNKNOWN:
            said = "the answer has expired" if expired else "unknown"
        else:
            said = {"unmet": "not met", "partly": "met in part", "met": "met"}[
                standing.answer.value
            ]
            said += f" ({standing.evidence})" if standing.evidence else ""
        must = ", and must be" if criterion.key in self.must else ""
        return f"{name}: {said}{must}"


THREE_OF_FOUR = Policy(3)
"""Three of four criteria: how IBM is said to have judged BANT."""
