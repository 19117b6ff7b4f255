"""Pipelines: the stages of a deal as data, with the ready-made ones.

What a stage means stands in its fields; nothing is recognised by its name.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from attrs import Factory, evolve, field, frozen

from salespipeline._doors import NOTHING, choice, instance, instances, repeated, text
from salespipeline.attributes import Attributes
from salespipeline.errors import InvalidValueError, UnknownKeyError, brief
from salespipeline.money import exact
from salespipeline.rules import Rulebook, label

if TYPE_CHECKING:
    from salespipeline._kinds import Schema
    from salespipeline._usual import Usual
    from salespipeline.conditions import Predicate
    from salespipeline.rules import Finding, Grant, Rule
    from salespipeline.rules.graph import Graph

StageKey: TypeAlias = tuple[str, str]
"""The keys of a pipeline and of a stage in it."""


class Outcome(StrEnum):
    """How a deal stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Journey(StrEnum):
    """The seven broad stages from finding a prospect to keeping a customer.

    Source: "What are the 7 stages of the sales pipeline?".
    """

    PROSPECTING = "prospecting"
    LEAD_QUALIFICATION = "lead_qualification"
    INITIAL_CONTACT = "initial_contact"
    PROPOSAL = "proposal"
    NEGOTIATION_AND_COMMITMENT = "negotiation_and_commitment"
    CLOSING = "closing"
    FOLLOW_UP_AND_RETENTION = "follow_up_and_retention"


def check_probability(value: object) -> Decimal:
    """A probability from 0 to 1 as an exact number.

    Raises:
        WrongTypeError: It is a float or no number.
        InvalidValueError: It lies outside 0 to 1; percentages must be divided by 100.
    """
    number = exact(value, "probability")
    if not 0 <= number <= 1:
        fault = f"{brief(value)} is not from 0 to 1 (divide a percentage by 100)"
        raise InvalidValueError("probability", (fault,))
    return number


def _optional_probability(value: object) -> Decimal | None:
    return None if value is None else check_probability(value)


def _key(value: object) -> str:
    return text(value, "key")


def _outcome(value: object) -> Outcome:
    return choice(Outcome, value, "outcome")


def _journey(value: object) -> Journey | None:
    return None if value is None else choice(Journey, value, "journey")


def _rot_after(value: object) -> timedelta | None:
    duration = None if value is None else instance(timedelta, value, "rot_after")
    if duration is not None and duration <= timedelta():
        raise InvalidValueError("rot_after", (f"{brief(duration)} is not more than nothing",))
    return duration


def _words(keyed: "Stage | Pipeline") -> str:
    return keyed.key.replace("_", " ").capitalize()


@frozen
class Stage:
    """One stage of a pipeline.

    Attributes:
        key: What deals hold.
        name: What people read; the key in words if not given.
        outcome: Open, won or lost: entering a won or lost stage is winning or losing.
        probability: The chance of winning from here that the team states, from 0 to 1, or None.
        rot_after: How long a deal may stay before it counts as stuck, or None.
        parked: Whether deals here are on hold: out of active counts, still at risk.
        journey: The broad stage it belongs to, or None.
        meaning: When a deal is here.
        entry: What must be so to enter it.
        next_step: What moves a deal on.
    """

    key: str = field(converter=_key)
    name: str = field(default=Factory(_words, takes_self=True))
    outcome: Outcome = field(default=Outcome.OPEN, converter=_outcome)
    probability: Decimal | None = field(default=None, converter=_optional_probability)
    rot_after: timedelta | None = field(default=None, converter=_rot_after)
    parked: bool = False
    journey: Journey | None = field(default=None, converter=_journey)
    meaning: str = ""
    entry: str = ""
    next_step: str = ""


def _stages(value: object) -> tuple[Stage, ...]:
    return instances(Stage, value, "stages")


def _rulebook(value: object) -> Rulebook[str]:
    return cast("Rulebook[str]", instance(Rulebook, value, "rulebook"))


def _any_stage(pipeline: "Pipeline") -> Rulebook[str]:
    return Rulebook.free(pipeline.key, _outcomes(pipeline.stages))


@frozen
class Pipeline:
    """The ordered stages of a deal.

    Several stages may be won or lost. Without a won (lost) one there is an implicit closing
    stage ``won`` (``lost``), which is not counted among the stages.

    Args:
        key: What deals hold.
        stages: At least one, in order, at least one of them open.
        name: What people read; the key in words if not given.
        former: Retired stage keys, each with the key that succeeded it.
        rulebook: Which stage may follow which, implicit closing stages included; any may
            follow any if not given.
        source: Where its stages are described.

    Attributes:
        outcomes: How a deal stands in each stage, by key, implicit closing stages last.

    Raises:
        InvalidValueError: A key occurs twice, no stage is open, the key of an implicit closing
            stage is that of another stage, a former key is still in use or leads nowhere, or the
            rulebook lacks a stage or has others. All are named.

    >>> SIX_STAGES.outcome("closing").value, SIX_STAGES.closing(Outcome.LOST)
    ('won', 'lost')
    """

    key: str = field(converter=_key)
    stages: tuple[Stage, ...] = field(converter=_stages)
    name: str = field(default=Factory(_words, takes_self=True))
    former: Attributes = field(factory=Attributes, converter=Attributes)
    rulebook: Rulebook[str] = field(
        default=Factory(_any_stage, takes_self=True), converter=_rulebook
    )
    source: str = ""
    outcomes: Mapping[str, Outcome] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a pipeline that contradicts itself, naming every fault."""
        object.__setattr__(self, "outcomes", _outcomes(self.stages))
        faults = tuple(self._faults())
        if faults:
            raise InvalidValueError(f"pipeline {self.key!r}", faults)

    def _faults(self) -> Iterable[str]:
        known = self.outcomes
        if twice := repeated(self.keys):
            yield f"the stages {', '.join(map(repr, twice))} occur twice"
        if all(stage.outcome is not Outcome.OPEN for stage in self.stages):
            yield "no stage is open"
        for closed in (Outcome.WON, Outcome.LOST):
            if closed not in known.values():
                yield f"the stage {closed.value!r} is not {closed.value}, and neither is another"
        for key, successor in self.former.items():
            if key in known:
                yield f"the former key {key!r} is still in use"
            if successor not in known:
                yield f"the former key {key!r} leads to the unknown {brief(successor)}"
        if lacking := [key for key in known if key not in self.rulebook.states]:
            yield f"the rulebook {self.rulebook.name!r} lacks {', '.join(map(repr, lacking))}"
        if strange := [label(state) for state in self.rulebook.states if state not in known]:
            yield f"the rulebook {self.rulebook.name!r} has other stages: {', '.join(strange)}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the stages, in order, without implicit closing stages."""
        return tuple(stage.key for stage in self.stages)

    def __contains__(self, key: object) -> bool:
        """Whether a key, or a retired key, names a stage, implicit ones included."""
        return isinstance(key, str) and self.current(key) in self.outcomes

    def current(self, key: str) -> str:
        """A stage key as it is called now: a retired key gives its successor, any other itself."""
        successor = self.former.get(key) if isinstance(key, str) else None
        return successor if isinstance(successor, str) else key

    def outcome(self, key: str) -> Outcome:
        """How a deal in a stage stands.

        Raises:
            UnknownKeyError: The pipeline has no such stage.
        """
        if key not in self:
            known = tuple(self.outcomes)
            raise UnknownKeyError(f"stage of pipeline {self.key!r}", key, known)
        return self.outcomes[self.current(key)]

    def stage(self, key: str) -> Stage:
        """The stage that a key, or a retired key, names; an implicit one is made up.

        Raises:
            UnknownKeyError: The pipeline has no such stage.
        """
        outcome = self.outcome(key)
        current = self.current(key)
        named = (stage for stage in self.stages if stage.key == current)
        return next(named, None) or Stage(current, outcome=outcome)

    def closing(self, outcome: Outcome) -> str:
        """The key of the first stage of an outcome, the implicit one where there is none."""
        wanted = choice(Outcome, outcome, "outcome")
        return next(key for key, each in self.outcomes.items() if each is wanted)

    def ruled(
        self,
        *,
        version: int = 1,
        skips: bool = True,
        backward: bool = True,
        reopening: bool | timedelta = True,
        creation: Iterable[str] | None = None,
        required: Mapping[str, Iterable[str]] = NOTHING,
        verdicts: Mapping[str, str] = NOTHING,
        approvals: Mapping[str, Iterable[str]] = NOTHING,
        reason_to_lose: bool = False,
        required_to_win: Iterable[str] = (),
        rules: "Iterable[Rule[str]]" = (),
        grants: "Iterable[Grant]" = (),
        schema: "Schema | None" = None,
        predicates: "Mapping[str, Predicate]" = NOTHING,
    ) -> Self:
        """The same pipeline with a rulebook of the usual rules, and others if given.

        Nothing but ``reason_to_lose`` and an approval to enter a lost stage stands in the way of
        losing a deal. A parked stage lies beside the order: it is entered from anywhere, left for
        anywhere, and never passed over. A rule that would bear on no move of the pipeline, such
        as one against skips where there is nothing to pass over, is left out.

        Args:
            version: The rulebook's number in a line of changed ones.
            skips: Whether an open deal may pass over open stages; the rules are ``no skips``
                and, for winning from any but the last open stage, ``no early win``.
            backward: Whether an open deal may go back; the rule is ``no moves back``.
            reopening: Whether a closed deal may be opened again, always, never, or for so long
                after it was closed; the rules are ``no reopening`` and, for winning a lost deal
                at once, ``no win after a loss``.
            creation: The stages that a deal may be opened in; any if not given.
            required: By stage, the fields that a deal needs to go on from it; the rule is
                ``required to leave`` and the stage.
            verdicts: By stage, the verdict of a qualification that a deal needs to go on from
                it; the rule is ``verdict to leave`` and the stage.
            approvals: By stage, the roles whose approval a deal needs to enter it; the rule is
                ``approval to enter`` and the stage.
            reason_to_lose: Whether losing a deal needs a reason; the rule has this name in words.
            required_to_win: The fields that a deal needs to be won; the rule likewise.
            rules: Further rules.
            grants: Which roles may override which of them.
            schema: What the records hold, such as `Deal`, to check the fields of rules against.
            predicates: The functions of named conditions, by name.

        Raises:
            InvalidValueError: A rule names what there is not, or contradicts another.

        >>> careful = SIX_STAGES.ruled(backward=False, reason_to_lose=True)
        >>> careful.rulebook.permits("meeting", "contact")
        False
        >>> careful.rulebook.permits("meeting", "lost", {"reason": "too expensive"})
        True
        """
        from salespipeline._usual import further  # noqa: PLC0415 - imported by those who ask

        usual = self._usual()
        book = Rulebook.free(
            self.key, self.outcomes, creation=creation, version=version,
            rules=(
                *usual.courses(skips=skips, backward=backward),
                *usual.reopenings(reopening),
                *usual.requirements(required, verdicts, approvals),
                *usual.closings(reason_to_lose=reason_to_lose, required_to_win=required_to_win),
                *further(rules),
            ),
            grants=grants, schema=schema, predicates=predicates,
        )  # fmt: skip
        return evolve(self, rulebook=book)

    def _usual(self) -> "Usual":
        from salespipeline._usual import Usual  # noqa: PLC0415 - imported by those who ask

        parked = {stage.key for stage in self.stages if stage.parked}
        open_ = self._of(Outcome.OPEN)
        return Usual(
            tuple(key for key in open_ if key not in parked),
            tuple(key for key in open_ if key in parked),
            self._of(Outcome.WON),
            self._of(Outcome.LOST),
        )

    def _of(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(key for key, each in self.outcomes.items() if each is outcome)

    def lint(self) -> "tuple[Finding, ...]":
        """What is odd about the pipeline and its rulebook, the most harmful first.

        What `Rulebook.lint` looks for, with the closed stages as final ones; and whether no deal
        can become won, none can become lost, or one can be lost without a reason.
        """
        from salespipeline.rules.graph import by_harm, findings  # noqa: PLC0415 - few ask

        book = self.rulebook
        graph = book.graph()
        closed = (key for key, outcome in self.outcomes.items() if outcome is not Outcome.OPEN)
        ended = evolve(graph, final=graph.final.union(closed))
        return by_harm((*findings(ended, book.rules), *self._closing_findings(graph)))

    def _closing_findings(self, graph: "Graph[str]") -> "Iterator[Finding]":
        from salespipeline.rules.graph import Finding, Odd, asks_for  # noqa: PLC0415 - few ask

        ways, reached = graph.ways(), graph.reached()
        for outcome, code in ((Outcome.WON, Odd.CANNOT_WIN), (Outcome.LOST, Odd.CANNOT_LOSE)):
            entered = {
                self.outcomes[target]
                for source in reached
                for target in ways[source]
                if self.outcomes[source] is not outcome
            }
            if outcome not in entered:
                message = f"no deal can ever become {outcome.value}"
                yield Finding(code, message, self._of(outcome))
        lost_from: dict[str, None] = {}
        for source, target, rules in graph.drawn():
            closes = self.outcomes[target] is Outcome.LOST
            if closes and (source is None or self.outcomes[source] is not Outcome.LOST):
                asked = any(asks_for(rule.condition, "reason") for rule in rules)
                lost_from |= {} if asked else {target: None}
        for target in lost_from:
            message = f"a deal can be lost in {target!r} without a reason"
            yield Finding(Odd.LOST_WITHOUT_REASON, message, (target,))

    def playbook(
        self, *, entries: Mapping[str, str] = NOTHING, owners: Mapping[str, str] = NOTHING
    ) -> str:
        """The pipeline as a Markdown page to agree on, with a section for each stage.

        Each says the stage's meaning, owner, entry, exit and next step; the rules stand below.

        Args:
            entries: By stage, when a deal enters it; the stage's own ``entry`` if not given.
            owners: By stage, who works a deal there.

        Raises:
            UnknownKeyError: The pipeline has no such stage.
        """
        from salespipeline.rules.playbooks import Sheet, agreed, playbook  # noqa: PLC0415 - few ask

        book = self.rulebook
        entry = agreed(entries, "entries", self.outcomes)
        owner = agreed(owners, "owners", self.outcomes)
        sheets = {
            key: Sheet(
                stage.name,
                stage.meaning or _MEANT[stage.outcome],
                owner.get(key, ""),
                entry.get(key, stage.entry),
                stage.next_step,
                stage.rot_after,
            )
            for key in self.outcomes
            if (stage := self.stage(key))
        }
        source = f"Source: {self.source}" if self.source else ""
        return playbook(
            self.name, source, book.graph(), sheets, book.rules, beginning="new deals begin here"
        )


_MEANT = {Outcome.OPEN: "", Outcome.WON: "the deal is won", Outcome.LOST: "the deal is lost"}


def _outcomes(stages: Iterable[Stage]) -> dict[str, Outcome]:
    """The outcome by stage key in pipeline order, implicit closing stages last."""
    outcomes = {stage.key: stage.outcome for stage in stages}
    for closed in (Outcome.WON, Outcome.LOST):
        if closed not in outcomes.values():
            outcomes.setdefault(closed.value, closed)
    return outcomes


SEVEN_STAGES = Pipeline(
    "seven_stages",
    (
        Stage(
            "prospecting", journey=Journey.PROSPECTING,
            meaning="a possible buyer was found", next_step="research the fit",
        ),
        Stage(
            "lead_qualification", journey=Journey.LEAD_QUALIFICATION,
            meaning="budget, authority, need and timeline are being checked",
            next_step="qualify, or stop early",
        ),
        Stage(
            "initial_contact", journey=Journey.INITIAL_CONTACT,
            meaning="the first direct conversation: discovery call, demo or meeting",
            next_step="tie the offer to a concrete need",
        ),
        Stage(
            "proposal", journey=Journey.PROPOSAL,
            meaning="a tailored offer with price and plan is out", next_step="walk through it",
        ),
        Stage(
            "negotiation_and_commitment", "Negotiation and commitment",
            journey=Journey.NEGOTIATION_AND_COMMITMENT,
            meaning="price, terms and dates are discussed",
            next_step="record each concession and secure the commitment",
        ),
        Stage(
            "closing", journey=Journey.CLOSING,
            meaning="signatures and contracts are under way", next_step="sign and hand over",
        ),
        Stage(
            "follow_up_and_retention", "Follow-up and retention", Outcome.WON,
            journey=Journey.FOLLOW_UP_AND_RETENTION,
            meaning="the customer is served, renewed and grown", next_step="schedule check-ins",
        ),
    ),
    source="What are the 7 stages of the sales pipeline? (Griffin LaFleur)",
)  # fmt: skip
"""The seven broad stages, from prospecting to retention; closing is open until won."""

SIX_STAGES = Pipeline(
    "six_stages",
    (
        Stage(
            "contact", journey=Journey.PROSPECTING,
            meaning="somebody real is interested in what we sell", next_step="qualify them",
        ),
        Stage(
            "qualification", journey=Journey.LEAD_QUALIFICATION,
            meaning="is the lead ready for sales, by budget, authority, need and timeline?",
            next_step="book a meeting",
        ),
        Stage(
            "meeting", journey=Journey.INITIAL_CONTACT,
            meaning="we learn their goals, and they learn why us", next_step="propose",
        ),
        Stage(
            "proposal", journey=Journey.PROPOSAL,
            meaning="the lead was asked to become a customer", next_step="answer objections",
        ),
        Stage(
            "closing", outcome=Outcome.WON, journey=Journey.CLOSING,
            meaning="the contract is signed or the purchase made", next_step="welcome them",
        ),
        Stage(
            "retention", outcome=Outcome.WON, journey=Journey.FOLLOW_UP_AND_RETENTION,
            meaning="the customer is kept engaged", next_step="ask for feedback and referrals",
        ),
    ),
    source="ActiveCampaign, What is a sales pipeline? (the six common stages)",
)  # fmt: skip
"""The six common stages; only signed deals are in closing, so entering it is winning."""

_HUBSPOT = (
    ("appointmentscheduled", "Appointment scheduled", "0.2", Journey.INITIAL_CONTACT),
    ("qualifiedtobuy", "Qualified to buy", "0.4", Journey.LEAD_QUALIFICATION),
    ("presentationscheduled", "Presentation scheduled", "0.6", Journey.INITIAL_CONTACT),
    ("decisionmakerboughtin", "Decision maker bought-in", "0.8", Journey.PROPOSAL),
    ("contractsent", "Contract sent", "0.9", Journey.NEGOTIATION_AND_COMMITMENT),
    ("closedwon", "Closed won", "1", Journey.FOLLOW_UP_AND_RETENTION),
    ("closedlost", "Closed lost", "0", None),
)

_SALESFORCE = (
    ("Prospecting", "0.1", Journey.PROSPECTING),
    ("Qualification", "0.1", Journey.LEAD_QUALIFICATION),
    ("Needs Analysis", "0.2", Journey.INITIAL_CONTACT),
    ("Value Proposition", "0.5", Journey.INITIAL_CONTACT),
    ("Id. Decision Makers", "0.6", Journey.LEAD_QUALIFICATION),
    ("Perception Analysis", "0.7", Journey.INITIAL_CONTACT),
    ("Proposal/Price Quote", "0.75", Journey.PROPOSAL),
    ("Negotiation/Review", "0.9", Journey.NEGOTIATION_AND_COMMITMENT),
    ("Closed Won", "1", Journey.FOLLOW_UP_AND_RETENTION),
    ("Closed Lost", "0", None),
)

_CLOSED = {
    "closedwon": Outcome.WON,
    "closedlost": Outcome.LOST,
    "Closed Won": Outcome.WON,
    "Closed Lost": Outcome.LOST,
}

HUBSPOT_DEFAULT = Pipeline(
    "default",
    [
        Stage(key, name, _CLOSED.get(key, Outcome.OPEN), probability, journey=journey)
        for key, name, probability, journey in _HUBSPOT
    ],
    "HubSpot default",
    source="HubSpot, set up and customize deal pipelines (the default deal pipeline)",
)
"""HubSpot's default deal pipeline, by its internal stage ids."""

SALESFORCE_DEFAULT = Pipeline(
    "salesforce_default",
    [
        Stage(key, key, _CLOSED.get(key, Outcome.OPEN), probability, journey=journey)
        for key, probability, journey in _SALESFORCE
    ],
    "Salesforce default",
    source="Salesforce object reference, OpportunityStage (the default stages)",
)
"""Salesforce's default opportunity stages, by their API names."""


def by_key(pipelines: Iterable[Pipeline]) -> dict[str, Pipeline]:
    """Pipelines by their keys.

    Raises:
        WrongTypeError: They are not several pipelines.
    """
    return {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}
