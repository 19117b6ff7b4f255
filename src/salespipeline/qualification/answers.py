"""Answers: what is known of each criterion, when it was learnt, and until when it holds."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from attrs import evolve, field, frozen

from salespipeline._doors import choice, instance, instances, text
from salespipeline.events import Assessed
from salespipeline.history import History
from salespipeline.periods import utc
from salespipeline.qualification.frameworks import OVERLAPS, Framework


class Answer(StrEnum):
    """What is known of a criterion; unknown is not no."""

    UNKNOWN = "unknown"
    UNMET = "unmet"
    PARTLY = "partly"
    MET = "met"


def _criterion(value: object) -> str:
    return text(value, "criterion")


def _answer(value: object) -> Answer:
    return choice(Answer, value, "answer")


def _text(value: object) -> str | None:
    return None if value is None else text(value, "evidence, source or by")


def _at(value: Any) -> datetime:
    return utc(value)


def _expires_at(value: Any) -> datetime | None:
    return None if value is None else utc(value, "expires_at")


@frozen
class Assessment:
    """One answer to one criterion.

    Attributes:
        criterion: The criterion's key.
        answer: Unknown, unmet, partly or met.
        at: When it was learnt.
        evidence: What it rests on, best in their words.
        source: Who or what gave it.
        by: Who noted it.
        expires_at: When it ceases to hold, or None; from then on it is unknown again. An answer
            that had run out when it was learnt never holds, and ends the one before it.
    """

    criterion: str = field(converter=_criterion)
    answer: Answer = field(converter=_answer)
    at: datetime = field(converter=_at)
    evidence: str | None = field(default=None, converter=_text)
    source: str | None = field(default=None, converter=_text)
    by: str | None = field(default=None, converter=_text)
    expires_at: datetime | None = field(default=None, converter=_expires_at)


@frozen
class Assessments:
    """Every answer that was ever given within a framework, in order; the latest one stands.

    Args:
        framework: The framework.
        given: The answers in the order in which they were noted; of two answers of one instant
            the later one here stands.

    Raises:
        InvalidValueError: An answer is to a criterion of another framework.

    >>> from datetime import UTC
    >>> from salespipeline.qualification.frameworks import BANT
    >>> march = datetime(2026, 3, 1, tzinfo=UTC)
    >>> known = Assessments(BANT).answered("budget", "met", at=march, evidence="40,000 approved")
    >>> known.as_of(march)["budget"].answer.value, known.as_of(march)["need"]
    ('met', None)
    """

    framework: Framework
    given: tuple[Assessment, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse answers to what the framework does not ask."""
        instance(Framework, self.framework, "framework")
        object.__setattr__(self, "given", instances(Assessment, self.given, "given"))
        self.framework.check(dict.fromkeys(each.criterion for each in self.given))

    @classmethod
    def of(cls, history: History[Any, Any], framework: Framework, *, as_of: datetime) -> Self:
        """The answers that a contact's or deal's events tell, as known at an instant.

        Args:
            history: The record's history; without such events there are no answers.
            framework: The framework. An answer that another system wrote under its name, to a
                criterion or with a word that it does not have, is left out.
            as_of: The instant.
        """
        instance(History, history, "history")
        keys = set(instance(Framework, framework, "framework").keys)
        events = history.standing(utc(as_of, "as_of"))
        return cls(
            framework,
            tuple(
                Assessment(
                    event.criterion, event.answer, event.at, event.evidence, event.source,
                    event.by, event.expires_at,
                )
                for event in events
                if type(event) is Assessed
                and event.framework == framework.key
                and event.criterion in keys
                and event.answer in set(Answer)
            ),
        )  # fmt: skip

    def answered(
        self,
        criterion: str,
        answer: Answer | str,
        *,
        at: datetime,
        evidence: str | None = None,
        source: str | None = None,
        by: str | None = None,
        expires_at: datetime | None = None,
    ) -> Self:
        """The same with one more answer; the earlier ones are kept.

        Args:
            criterion: The criterion's key.
            answer: Unknown, unmet, partly or met.
            at: When it was learnt.
            evidence: What it rests on.
            source: Who or what gave it.
            by: Who noted it.
            expires_at: When it ceases to hold.
        """
        more = Assessment(
            criterion,
            answer,
            at,
            evidence,
            source,
            by,
            expires_at,
        )
        return evolve(self, given=(*self.given, more))

    def as_of(self, at: datetime) -> Mapping[str, Assessment | None]:
        """By criterion, in order, the answer that stood at an instant; None where none did.

        Args:
            at: The instant; answers learnt later count for nothing, expired ones no longer.
        """
        moment = utc(at)
        latest: dict[str, Assessment | None] = dict.fromkeys(self.framework.keys)
        for each in self.given:
            before = latest[each.criterion]
            if each.at <= moment and (before is None or before.at <= each.at):
                latest[each.criterion] = each
        return MappingProxyType(
            {
                key: each if each is not None and not has_expired(each, moment) else None
                for key, each in latest.items()
            }
        )

    def expired(self, at: datetime) -> tuple[Assessment, ...]:
        """The answers that would stand at an instant had they not expired, in order."""
        moment, standing = utc(at), self.as_of(at)
        found: dict[str, Assessment] = {}
        for each in self.given:
            if each.at <= moment and standing[each.criterion] is None:
                found[each.criterion] = each
        return tuple(each for each in found.values() if has_expired(each, moment))

    def filled_for(
        self, framework: Framework, *, overlaps: Iterable[frozenset[tuple[str, str]]] = OVERLAPS
    ) -> tuple["Assessments", tuple[str, ...]]:
        """What these answers say within another framework, and what was taken from where.

        An answer goes over as it is, so that nothing becomes met that was not. A criterion that
        several here overlap with takes every answer of theirs, in order of instants.

        Args:
            framework: The other framework.
            overlaps: The criteria that ask about the same thing.

        Returns:
            The answers within the other framework; and for each, in words, where it is from.
        """
        instance(Framework, framework, "framework")
        groups = tuple(overlaps)
        taken: list[Assessment] = []
        said: list[str] = []
        for each in sorted(self.given, key=lambda given: given.at):
            here = (self.framework.key, each.criterion)
            for key in framework.keys:
                if any(here in group and (framework.key, key) in group for group in groups):
                    taken.append(evolve(each, criterion=key))
                    said.append(
                        f"{framework.name} {key}: {each.answer.value}, "
                        f"from {self.framework.name} {each.criterion}"
                    )
        return Assessments(framework, tuple(taken)), tuple(said)


def has_expired(assessment: Assessment, at: datetime) -> bool:
    """Whether an answer holds no longer at an instant."""
    return assessment.expires_at is not None and assessment.expires_at <= at
