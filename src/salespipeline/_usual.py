"""The usual rules of a pipeline: about skips, ways back and what a deal needs to go on."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, cast

from salespipeline._doors import instance, instances, text
from salespipeline.conditions import (
    NEVER,
    Condition,
    all_of,
    approved_by,
    elapsed,
    equals,
    not_,
    present,
)
from salespipeline.errors import WrongTypeError
from salespipeline.rules.rule import Rule, Way


def further(rules: Iterable[Rule[str]]) -> tuple[Rule[str], ...]:
    """Rules beside the usual ones, past their door."""
    return cast("tuple[Rule[str], ...]", instances(Rule, rules, "rules"))


class Usual(NamedTuple):
    """The usual rules of a pipeline.

    Attributes:
        ordered: The keys of the open stages in order, without parked ones.
        parked: The keys of the open stages that lie beside the order.
        won: The keys of the won stages.
        lost: The keys of the lost stages.
    """

    ordered: tuple[str, ...]
    parked: tuple[str, ...]
    won: tuple[str, ...]
    lost: tuple[str, ...]

    def courses(self, *, skips: bool, backward: bool) -> Iterator[Rule[str]]:
        """The rules about where an open deal may go at all."""
        ordered = self.ordered
        if not instance(bool, skips, "skips") and len(ordered) > 1:
            why = "no stage may be passed over"
            if len(ordered) > 2:
                yield Rule("no skips", NEVER, ordered, ordered, Way.SKIP, message=why)
            yield Rule("no early win", NEVER, ordered[:-1], self.won, message=why)
        if not instance(bool, backward, "backward") and len(ordered) > 1:
            why = "an open deal does not go back"
            yield Rule("no moves back", NEVER, ordered, ordered, Way.BACKWARD, message=why)

    def reopenings(self, reopening: object) -> Iterator[Rule[str]]:
        """The rules about closed deals."""
        if reopening is True:
            return
        asked, why = _while_fresh(reopening)
        closed, open_ = (*self.won, *self.lost), (*self.ordered, *self.parked)
        yield Rule("no reopening", asked, closed, open_, message=f"a closed deal {why}")
        why = f"a lost deal {why}"
        yield Rule("no win after a loss", asked, self.lost, self.won, message=why)

    def requirements(
        self,
        required: Mapping[str, Iterable[str]],
        verdicts: Mapping[str, str],
        approvals: Mapping[str, Iterable[str]],
    ) -> Iterator[Rule[str]]:
        """The rules about what a deal needs to go on."""
        for key, fields in _by_stage(required, "required"):
            if needed := instances(str, fields, f"required[{key!r}]"):
                asked = all_of(*map(present, needed))
                yield Rule(f"required to leave {key}", asked, [key], self._onward(key))
        for key, verdict in _by_stage(verdicts, "verdicts"):
            asked = equals("verdict", text(verdict, f"verdicts[{key!r}]"))
            yield Rule(f"verdict to leave {key}", asked, [key], self._onward(key))
        for key, roles in _by_stage(approvals, "approvals"):
            if needed := instances(str, roles, f"approvals[{key!r}]"):
                yield Rule(f"approval to enter {key}", approved_by(*needed), targets=[key])

    def _onward(self, key: str) -> tuple[str, ...]:
        """The stages to go on to: those further on in the order, and the won ones."""
        ordered = self.ordered
        further = ordered[ordered.index(key) + 1 :] if key in ordered else ordered
        return (*further, *self.won)

    def closings(
        self, *, reason_to_lose: bool, required_to_win: Iterable[str]
    ) -> Iterator[Rule[str]]:
        """The rules about what a deal needs to become lost or won."""
        if instance(bool, reason_to_lose, "reason_to_lose"):
            sources = (None, *self.ordered, *self.parked, *self.won)
            yield Rule("reason to lose", present("reason"), sources, self.lost)
        if needed := instances(str, required_to_win, "required_to_win"):
            sources = (None, *self.ordered, *self.parked, *self.lost)
            yield Rule("required to win", all_of(*map(present, needed)), sources, self.won)


def _while_fresh(reopening: object) -> tuple[Condition, str]:
    """What must be so to change how a closed deal ended, and that in words."""
    if reopening is False:
        return NEVER, "stays as it is"
    most = instance(timedelta, reopening, "reopening")
    words = str(most).removesuffix(", 0:00:00")
    return not_(elapsed(most, since="closed_at")), f"stays as it is after {words}"


def _by_stage(given: object, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(given, Mapping):
        raise WrongTypeError(name, "a mapping by stage", given)
    for key, value in cast("Mapping[object, Any]", given).items():
        yield text(key, f"stage of {name}"), value
