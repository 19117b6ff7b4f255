"""One record about to move, judged by a rulebook: what is allowed, and every reason why not."""

from collections.abc import Hashable
from datetime import datetime
from typing import Any, Generic, TypeVar

from salespipeline._verdicts import Verdict, judge
from salespipeline.conditions import Facts, Move
from salespipeline.periods import utc
from salespipeline.rules.decisions import Code, Decision, Denial, Result, label
from salespipeline.rules.rule import Rule, denials_of
from salespipeline.rules.table import Prospect, Table

S = TypeVar("S", bound=Hashable)


class Case(Generic[S]):
    """A record in a state, and somebody who would move it; each rule is judged once."""

    __slots__ = (
        "_against", "_allowed", "_facts", "_prospects", "_source", "_table", "_verdicts",
    )  # fmt: skip

    def __init__(
        self,
        table: Table[S],
        source: S | None,
        record: Any,
        at: datetime | None,
        by: str | None,
        role: str | None,
        entered_at: datetime | None,
        context: Any,
    ) -> None:
        self._table = table
        self._prospects = table.moves_from(source)
        self._source = source if source is None else table.known(source)
        moved = None if at is None else utc(at)
        entered = None if entered_at is None else utc(entered_at, "entered_at")
        move = Move(self._source, None, moved, by, role, entered)
        self._facts = Facts(record, move, context)
        self._verdicts: dict[str, Verdict] = {}
        self._against: dict[str, tuple[Denial, ...]] = {}
        self._allowed: tuple[S, ...] | None = None

    def allows(self, target: S) -> bool:
        """Whether the record may move to a state."""
        prospect = self._table.prospect(self._source, target)
        if prospect is None or prospect.obstacle is not None:
            return False
        return self._meets(prospect.rules, prospect.yes.target)

    def allowed(self) -> tuple[S, ...]:
        """The states that the record may move to, in order."""
        if self._allowed is None:
            self._allowed = tuple(
                [
                    state
                    for state, each in self._prospects.items()
                    if each.obstacle is None and self._meets(each.rules, state)
                ]
            )
        return self._allowed

    def _meets(self, rules: tuple[Rule[S], ...], target: S) -> bool:
        for rule in rules:  # noqa: SIM110 - a generator takes twice as long
            if not self._verdict(rule, target).answer:
                return False
        return True

    def options(self) -> tuple[Decision[S], ...]:
        """What the rulebook says of the move to each state, in order."""
        if self._prospects:
            return tuple([self._decision(each) for each in self._prospects.values()])
        return tuple([self.decision(state) for state in self._table.states])

    def decision(self, target: S) -> Decision[S]:
        """What the rulebook says of the move to a state, with every reason against it."""
        prospect = self._table.prospect(self._source, target)
        return self._unknown(target) if prospect is None else self._decision(prospect)

    def _decision(self, prospect: Prospect) -> Decision[S]:
        code, why, rules, yes = prospect
        target, failed = yes.target, code is None
        denials: tuple[Denial, ...] = ()
        if code is not None:
            denials = (Denial(code, self._table.name, "target", target, self.allowed(), why),)
        for rule in rules:
            verdict = self._verdict(rule, target)
            if not verdict.answer:
                denials += self._denials(rule, verdict, target)
                failed = failed and verdict.raised
        if not denials:
            return yes
        result = Result.FAILED if failed else Result.DENIED
        if code is Code.NO_SUCH_MOVE:
            result = Result.NO_SUCH_MOVE
        return Decision(self._source, target, result, denials, self.allowed())

    def _unknown(self, target: S) -> Decision[S]:
        """The decision on a move from or to a state that the rulebook does not have."""
        name, states = self._table.name, self._table.states
        named = {"source": self._source, "target": target}
        denials = tuple(
            Denial(
                Code.UNKNOWN_STATE,
                name,
                part,
                state,
                states,
                f"{name!r} has no state {label(state)}",
            )
            for part, state in named.items()
            if not (part == "source" and state is None) and not self._table.has(state)
        )
        return Decision(self._source, target, Result.NO_SUCH_MOVE, denials, self.allowed())

    def _verdict(self, rule: Rule[S], target: S) -> Verdict:
        """What a rule says; asked again for another target only where it may matter."""
        if rule.asks_target:
            move = self._facts.move._replace(target=target)
            return judge(rule.condition, self._facts._replace(move=move), self._table.predicates)
        verdict = self._verdicts.get(rule.name)
        if verdict is None:
            verdict = judge(rule.condition, self._facts, self._table.predicates)
            self._verdicts[rule.name] = verdict
        return verdict

    def _denials(self, rule: Rule[S], verdict: Verdict, target: S) -> tuple[Denial, ...]:
        """What a rule that is not met has against the move, made again where it may differ."""
        if rule.asks_target or not verdict.against:
            return denials_of(rule, verdict, target)
        if rule.name not in self._against:
            self._against[rule.name] = denials_of(rule, verdict, target)
        return self._against[rule.name]
