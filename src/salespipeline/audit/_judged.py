"""Moves that rulebooks would have denied, told record by record."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from attrs import frozen

from salespipeline.conformance import Breach, Conformance, Of, judge
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage, StatusScheme
from salespipeline.pipelines import Pipeline
from salespipeline.rules import Code, Rulebook
from salespipeline.rules.comparing import shown
from salespipeline.rules.table import Course

_OWN_CHECKS: Mapping[Of, frozenset[str]] = {
    Of.STAGE: frozenset({Code.UNKNOWN_STATE}),
    Of.LEAD_STATUS: frozenset({Code.UNKNOWN_STATE}),
    Of.LIFECYCLE_STAGE: frozenset({Code.UNKNOWN_STATE, Code.BACKWARD}),
}
"""The denials that other checks find."""

_KINDS = {Of.STAGE: "deal", Of.LEAD_STATUS: "contact", Of.LIFECYCLE_STAGE: "contact"}


class Breached(NamedTuple):
    """A move that a rulebook would have denied.

    Attributes:
        event: The sequence number of the event.
        move: The move in words.
        rulebook: The name and version of the rulebook.
        why: What it has against the move, in words.
        overridden: Whether somebody with the right to overrode it then.
    """

    event: int
    move: str
    rulebook: str
    why: str
    overridden: bool


@frozen(eq=False)
class Judged:
    """What rulebooks have against the moves of a body of records.

    Attributes:
        breaches: By kind and id of the record.
        unjudged: What could not be judged, in words, by kind.
    """

    breaches: Mapping[tuple[str, str], Sequence[Breached]]
    unjudged: Mapping[str, Sequence[str]]


@frozen(eq=False)
class Books:
    """What moves are judged by.

    Attributes:
        only: The one rulebook to judge by in place of their own, or None.
        named: The rulebooks that events name.
        pipelines: The pipelines of the deals.
        scheme: The lead statuses in use.
    """

    only: Rulebook[Any] | None
    named: tuple[Rulebook[Any], ...]
    pipelines: tuple[Pipeline, ...]
    scheme: StatusScheme

    @property
    def only_of(self) -> Of | None:
        """Which moves the one rulebook is about, as its states tell."""
        if self.only is None:
            return None
        states = self.only.states
        if all(isinstance(state, LifecycleStage) for state in states):
            return Of.LIFECYCLE_STAGE
        keys = {*self.scheme.keys, *self.scheme.former}
        return Of.LEAD_STATUS if keys.issuperset(states) else Of.STAGE

    def can_judge(self, of: Of) -> bool:
        """Whether there is anything that could have something against such moves."""
        if self.only_of is of or self.named:
            return True
        if of is Of.STAGE:
            return bool(self.pipelines)
        return of is Of.LEAD_STATUS and _can_deny(self.scheme.rulebook)

    def judge(
        self,
        contacts: Sequence[ContactHistory],
        deals: Sequence[DealHistory],
        as_of: datetime,
    ) -> Judged:
        """Judge every move that can be."""
        breaches: dict[tuple[str, str], list[Breached]] = {}
        unjudged: dict[str, list[str]] = {}
        for of, kind in _KINDS.items():
            histories = deals if kind == "deal" else contacts
            if not self.can_judge(of) or self._allows_all(of):
                continue
            found = self._judged(histories, of, as_of)
            unjudged.setdefault(kind, []).extend(_unjudged(found, of))
            for breach in found.breaches:
                told = _told(breach, of)
                if told is not None:
                    breaches.setdefault((kind, breach.record), []).append(told)
        return Judged(breaches, unjudged)

    def _allows_all(self, of: Of) -> bool:
        """Whether deals have their own rulebooks alone, and none is against any move."""
        if of is not Of.STAGE or self.only_of is of or self.named:
            return False
        return not any(_can_deny(each.rulebook) for each in self.pipelines)

    def _judged(self, histories: Iterable[Any], of: Of, as_of: datetime) -> Conformance:
        return judge(
            histories,
            as_of=as_of,
            rulebook=self.only if self.only_of is of else None,
            rulebooks=self.named,
            pipelines=self.pipelines if of is Of.STAGE else (),
            scheme=self.scheme if of is Of.LEAD_STATUS else None,
            of=of,
        )


def _can_deny(book: Rulebook[Any]) -> bool:
    """Whether a rulebook has anything against any move between its states."""
    open_to_all = book.course is Course.FREE and not book.final
    return bool(book.rules) or not open_to_all or len(book.creation) < len(book.states)


def _told(breach: Breach, of: Of) -> Breached | None:
    """A breach in words; None where other checks find all that is against the move."""
    against = [each for each in breach.denials if each.code not in _OWN_CHECKS[of]]
    if not against:
        return None
    name, version = breach.rulebook
    why = ", and ".join(dict.fromkeys(denial.message for denial in against))
    move = shown((breach.source, breach.target))
    return Breached(breach.event, move, f"{name} version {version}", why, breach.overridden)


def _unjudged(found: Conformance, of: Of) -> Iterator[str]:
    n = found.unjudged.get("no_rulebook", 0)
    if n:
        yield f"no rulebook was given for {n:,} {'move' if n == 1 else 'moves'} of {_IN_WORDS[of]}"
    unknown = Counter(
        all(denial.code == Code.UNKNOWN_STATE for denial in breach.denials)
        for breach in found.breaches
    )[True]
    if unknown:
        yield f"the rulebook lacks a state of {unknown:,} moves of {_IN_WORDS[of]}"
    if found.not_asked:
        n = len(found.not_asked)
        yield f"{n} {'rule asks' if n == 1 else 'rules ask'} for a context, which no event records"


_IN_WORDS = {
    Of.STAGE: "deals",
    Of.LEAD_STATUS: "lead status",
    Of.LIFECYCLE_STAGE: "lifecycle stage",
}
