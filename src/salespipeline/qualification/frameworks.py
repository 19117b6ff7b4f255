"""Frameworks: the criteria that a sales team qualifies by, as data."""

from collections.abc import Iterable
from typing import Any

from attrs import Factory, field, frozen

from salespipeline._doors import instances, repeated, text
from salespipeline.errors import InvalidValueError, UnknownKeyError


def _key(value: object) -> str:
    return text(value, "key")


def _in_words(thing: Any) -> str:
    words: str = thing.key.replace("_", " ")
    return words[:1].upper() + words[1:]


@frozen
class Criterion:
    """One thing that a framework asks about.

    Attributes:
        key: What answers name it by.
        question: What sales finds out.
        name: What people read; the key in words if not given.
    """

    key: str = field(converter=_key)
    question: str = ""
    name: str = field(default=Factory(_in_words, takes_self=True))


def _criteria(value: object) -> tuple[Criterion, ...]:
    return instances(Criterion, value, "criteria")


@frozen
class Framework:
    """The criteria of a way to qualify, in the order in which they are asked.

    Args:
        key: What answers name it by.
        criteria: The criteria, first things first.
        name: What people call it; the key in capitals if not given.
        source: Where its definition is from.

    Raises:
        InvalidValueError: There is no criterion, or a key occurs twice.

    >>> [criterion.key for criterion in BANT.criteria]
    ['budget', 'authority', 'need', 'timeline']
    """

    key: str = field(converter=_key)
    criteria: tuple[Criterion, ...] = field(converter=_criteria)
    name: str = field(default=Factory(lambda self: self.key.upper(), takes_self=True))
    source: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse a framework that asks nothing, or one thing twice."""
        faults = [] if self.criteria else ["there is no criterion"]
        if twice := repeated(self.keys):
            faults.append(f"the criteria {', '.join(map(repr, twice))} occur twice")
        if faults:
            raise InvalidValueError(f"framework {self.key!r}", tuple(faults))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the criteria, in order."""
        return tuple(criterion.key for criterion in self.criteria)

    def criterion(self, key: str) -> Criterion:
        """The criterion of a key.

        Raises:
            UnknownKeyError: There is none.
        """
        for criterion in self.criteria:
            if criterion.key == key:
                return criterion
        raise UnknownKeyError(f"criterion of framework {self.key!r}", key, self.keys)

    def check(self, keys: Iterable[str]) -> None:
        """Refuse keys that are none of a criterion.

        Raises:
            InvalidValueError: Some are none; all of them are named.
        """
        strange = [key for key in keys if key not in self.keys]
        if strange:
            known = ", ".join(map(repr, self.keys))
            named = ", ".join(map(repr, strange))
            raise InvalidValueError(
                f"framework {self.key!r}", (f"it has no criterion {named}; known: {known}",)
            )


BANT = Framework(
    "bant",
    (
        Criterion("budget", "is there money for it, against its price?"),
        Criterion("authority", "who decides, and who else must agree?"),
        Criterion("need", "which problem does it solve, and how bad is it?"),
        Criterion("timeline", "when will they buy?"),
    ),
    source="ActiveCampaign, What is a sales pipeline? (BANT, conceived by IBM)",
)
"""Budget, authority, need and timeline."""

CHAMP = Framework(
    "champ",
    (
        Criterion("challenges", "which problem do they have?"),
        Criterion("authority", "who decides, and who else must agree?"),
        Criterion("money", "is there money for it, against its price?"),
        Criterion("prioritization", "how urgent is it beside their other plans?"),
    ),
    source="InsightSquared, CHAMP (challenges, authority, money, prioritization)",
)
"""Challenges first, then authority, money and prioritization."""

_MEDDIC = (
    Criterion("metrics", "what will it be worth to them, in numbers?"),
    Criterion("economic_buyer", "who can say yes to the money?"),
    Criterion("decision_criteria", "by what will they choose?"),
    Criterion("decision_process", "by which steps, and until when?"),
    Criterion("identified_pain", "which problem costs them how much?"),
    Criterion("champion", "who sells it for us inside?"),
)

MEDDIC = Framework("meddic", _MEDDIC, source="Jack Napoli and Dick Dunkel, PTC, 1996 (MEDDIC)")
"""Metrics, economic buyer, decision criteria and process, pain, champion."""

MEDDPICC = Framework(
    "meddpicc",
    (
        *_MEDDIC[:4],
        Criterion("paper_process", "how does a contract get signed there?"),
        *_MEDDIC[4:],
        Criterion("competition", "against whom, doing nothing included?"),
    ),
    source="MEDDPICC: MEDDIC with paper process and competition",
)
"""MEDDIC with the paper process and the competition."""

OVERLAPS: tuple[frozenset[tuple[str, str]], ...] = (
    frozenset({("bant", "budget"), ("champ", "money")}),
    frozenset({
        ("bant", "authority"), ("champ", "authority"), ("meddic", "economic_buyer"),
        ("meddpicc", "economic_buyer"),
    }),
    frozenset({
        ("bant", "need"), ("champ", "challenges"), ("meddic", "identified_pain"),
        ("meddpicc", "identified_pain"),
    }),
    frozenset({("bant", "timeline"), ("champ", "prioritization")}),
    *(
        frozenset({("meddic", criterion.key), ("meddpicc", criterion.key)})
        for criterion in _MEDDIC
        if criterion.key not in {"economic_buyer", "identified_pain"}
    ),
)  # fmt: skip
"""The criteria, as pairs of framework and criterion, that ask about the same thing."""
