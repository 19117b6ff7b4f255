"""A deal: where a sale stands, as a small frozen snapshot with commands.

A command checks the rules and returns the next snapshot with the event to store; it changes
nothing. Entering a stage of outcome won or lost is winning or losing the deal.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Self, cast

from attrs import evolve, frozen

from salespipeline._doors import choice, gathered, instance, text
from salespipeline._folds import DEAL, Apply
from salespipeline._record import (
    Door,
    Record,
    check_attributes,
    check_contacts,
    check_id,
    check_start,
)
from salespipeline.attributes import EMPTY, Attributes
from salespipeline.errors import InvalidValueError, SalesPipelineError
from salespipeline.events import (
    AmountChanged,
    CloseDateChanged,
    ConcessionMade,
    ContactLinked,
    ContactUnlinked,
    ForecastCategory,
    ForecastCategorySet,
    Lost,
    Moved,
    NextStep,
    Opened,
    Probability,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    SaleType,
    Start,
    Term,
    Won,
)
from salespipeline.money import Money
from salespipeline.periods import check_date, utc
from salespipeline.pipelines import Outcome, Pipeline, check_probability
from salespipeline.rules import Code, Decision, Denial, DeniedError, Override, Result


def _sale_type(value: object, name: str) -> SaleType:
    return choice(SaleType, value, name)


def _term(value: object, name: str) -> Term:
    return instance(Term, value, name)


def _category(value: object, name: str) -> ForecastCategory:
    return choice(ForecastCategory, value, name)


def _on(value: object, _name: str) -> date:
    return check_date(value, "on")


def _probability(value: object, _name: str) -> Decimal:
    return check_probability(value)


def _basis(value: object, name: str) -> ProbabilityBasis:
    basis = choice(ProbabilityBasis, value, name)
    if basis is ProbabilityBasis.STAGE:
        raise InvalidValueError(name, ("a pipeline states the probability of its stages",))
    return basis


def _amount(value: object, name: str) -> Money:
    return instance(Money, value, name)


def _closing(reason: object, amount: object) -> dict[str, Door]:
    """What a deal is closed with, each with its door."""
    return {"reason": (text, reason), "amount": (_amount, amount)}


def _pipeline(value: object, name: str) -> Pipeline:
    return instance(Pipeline, value, name)


@frozen(weakref_slot=False)
class Deal(Record):
    """Where a deal stands after its events.

    Make one with `Deal.open`, or from events with a `DealHistory`.

    Attributes:
        id: Its id.
        version: The sequence number of its last event, to compare and set.
        pipeline: The key of the pipeline it is in.
        stage: The key of the stage it is in.
        stage_since: When it entered that stage.
        changed_at: The latest change of state; an activity is none.
        opened_at: When it came into being, or is first known of.
        outcome: Open, won or lost.
        closed_at: When it was last won or lost; None while it is open.
        closed_from: The stage it was closed from.
        reason: Why it was won or lost.
        title: What people call it.
        amount: What it is worth, or None where nobody said.
        account: The id of the buyer's account.
        contacts: The ids of the contacts that take part.
        owner: The id of who works it now.
        source: Where the lead came from.
        sale_type: New business, renewal, upsell or cross-sell.
        expected_close: The date on which it is expected to close.
        forecast_category: The category given by hand, or None.
        probability: Its own probability, or None where only its stage has one.
        term: What it sells over time.
        renews: The id of the deal that it renews.
        next_step: What was agreed to be done next.
        approvals: The roles whose approval is in force.
        verdict: The last verdict of a qualification.
        attributes: The adopter's own fields.

    >>> from datetime import UTC, datetime
    >>> from salespipeline.pipelines import SIX_STAGES
    >>> deal, _ = Deal.open(
    ...     "d-1", at=datetime(2026, 3, 1, tzinfo=UTC), by="ada", pipeline=SIX_STAGES
    ... )
    >>> deal, event = deal.win(
    ...     at=datetime(2026, 3, 9, tzinfo=UTC), by="ada", pipeline=SIX_STAGES,
    ...     amount=Money(900, "EUR"),
    ... )
    >>> deal.stage, deal.outcome.value, event.stage_left
    ('closing', 'won', 'contact')
    """

    id: str
    version: int
    pipeline: str
    stage: str
    stage_since: datetime
    changed_at: datetime
    opened_at: datetime
    outcome: Outcome
    closed_at: datetime | None
    closed_from: str | None
    reason: str | None
    title: str | None
    amount: Money | None
    account: str | None
    contacts: tuple[str, ...]
    owner: str | None
    source: str | None
    sale_type: SaleType | None
    expected_close: date | None
    forecast_category: ForecastCategory | None
    probability: Probability | None
    term: Term | None
    renews: str | None
    next_step: NextStep | None
    approvals: frozenset[str]
    verdict: str | None
    attributes: Attributes

    kind: ClassVar[str] = "deal"
    fields: ClassVar[Mapping[str, Callable[[object, str], Any]]] = {
        **dict.fromkeys(("title", "account", "source", "renews"), text),
        "sale_type": _sale_type,
        "term": _term,
    }
    _applied: ClassVar[Mapping[type, Apply]] = DEAL

    @classmethod
    def open(
        cls,
        deal: str,
        *,
        at: datetime,
        by: str,
        pipeline: Pipeline,
        role: str | None = None,
        stage: str | None = None,
        title: str | None = None,
        amount: Money | None = None,
        account: str | None = None,
        contacts: Iterable[str] = (),
        owner: str | None = None,
        source: str | None = None,
        sale_type: SaleType | str | None = None,
        expected_close: date | None = None,
        term: Term | None = None,
        renews: str | None = None,
        attributes: Mapping[str, object] = EMPTY,
        start: Start = Start.EXACT,
        context: Any = EMPTY,
        override: Override | None = None,
    ) -> tuple[Self, Opened]:
        """A new deal and the event that opens it.

        Args:
            deal: Its id.
            at: When it came into being.
            by: Who opened it.
            pipeline: The pipeline it goes through.
            role: What they acted as.
            stage: The key of its first stage; the pipeline's first if not given.
            title: What people call it.
            amount: What it is worth.
            account: The id of the buyer's account.
            contacts: The ids of the contacts that take part.
            owner: Who works it.
            source: Where the lead came from.
            sale_type: New business, renewal, upsell or cross-sell.
            expected_close: The date on which it is expected to close.
            term: What it sells over time.
            renews: The id of the deal that it renews.
            attributes: The adopter's own fields.
            start: Whether it came into being at that instant, or by then at the latest.
            context: What else the rulebook's conditions may know.
            override: Who overrides its denials, as what, and why.

        Raises:
            DeniedError: The pipeline's rulebook lets no deal begin there.
        """
        book = instance(Pipeline, pipeline, "pipeline").rulebook
        said = gathered(
            "deal", "record", "at", "by", "start", "stage", "contacts", "attributes",
            record=(check_id, deal), at=(utc, at), by=(text, by), role=(text, role),
            stage=(text, pipeline.keys[0] if stage is None else stage), start=(check_start, start),
            title=(text, title), amount=(_amount, amount), account=(text, account),
            contacts=(check_contacts, contacts), owner=(text, owner), source=(text, source),
            sale_type=(_sale_type, sale_type), expected_close=(check_date, expected_close),
            term=(_term, term), renews=(text, renews), attributes=(check_attributes, attributes),
        )  # fmt: skip
        said["stage"] = key = pipeline.current(said["stage"])
        said |= {"pipeline": pipeline.key, "outcome": pipeline.outcomes.get(key, Outcome.OPEN)}
        return cls.begun(Opened, said, book, key, context, override)

    def decide(
        self,
        stage: str,
        *,
        pipeline: Pipeline,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        reason: str | None = None,
        amount: Money | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
    ) -> Decision[str]:
        """Whether the deal may go to a stage, with every reason why not.

        A deal that comes from another pipeline begins anew in this one. Conditions are judged by
        the deal as it is, a move that closes it by the reason and final amount given with it.

        Args:
            stage: The key of the stage to enter.
            pipeline: The pipeline of that stage, whose rulebook decides.
            at: When; None leaves the time out of the decision.
            by: Who.
            role: What they act as.
            reason: Why it would be won or lost.
            amount: The final amount, if it is another.
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.
        """
        same = instance(Pipeline, pipeline, "pipeline").key == self.pipeline
        source = pipeline.current(self.stage) if same else None
        target, book = pipeline.current(text(stage, "stage")), pipeline.rulebook
        record = self
        outcome = pipeline.outcomes.get(target, Outcome.OPEN)
        if book.rules and outcome is not Outcome.OPEN and outcome is not self.outcome:
            record = self.closed_with(reason, amount)
        decision = book.decide(
            source, target, record,
            at=at, by=by, role=role, entered_at=self.stage_since, context=context,
        )  # fmt: skip
        if override is not None:
            decision = book.override(decision, override)
        early = self.too_early(at)
        return decision.denied(early) if early else decision

    def closed_with(self, reason: str | None, amount: Money | None) -> Self:
        """The deal as conditions on closing it see it: with the reason and the final amount.

        Args:
            reason: Why it would be won or lost; None for no reason.
            amount: The final amount; None where it is the amount before.
        """
        gathered(self.subject, reason=(text, reason), amount=(_amount, amount))
        if reason == self.reason and amount is None:
            return self
        return evolve(self, reason=reason, amount=self.amount if amount is None else amount)

    def options(
        self,
        *,
        pipeline: Pipeline,
        at: datetime | None = None,
        by: str | None = None,
        role: str | None = None,
        reason: str | None = None,
        amount: Money | None = None,
        context: Any = EMPTY,
    ) -> tuple[Decision[str], ...]:
        """One decision for each stage of a pipeline, implicit closing stages last.

        The arguments are those of `decide`.
        """
        states = instance(Pipeline, pipeline, "pipeline").rulebook.states
        return tuple(
            self.decide(
                stage, pipeline=pipeline, at=at, by=by, role=role,
                reason=reason, amount=amount, context=context,
            )
            for stage in states
        )  # fmt: skip

    def move(
        self,
        stage: str,
        *,
        at: datetime,
        by: str,
        pipeline: Pipeline,
        role: str | None = None,
        reason: str | None = None,
        amount: Money | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
    ) -> tuple[Self, Moved | Won | Lost | Reopened]:
        """Go to another stage; entering a won or lost one wins or loses the deal.

        Args:
            stage: The key of the stage to enter.
            at: When.
            by: Who.
            pipeline: The pipeline of that stage, whose rulebook decides.
            role: What they act as.
            reason: Why it was won or lost; only where this closes the deal.
            amount: The final amount; only where this closes the deal.
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.

        Raises:
            DeniedError: The rulebook does not allow it; the error carries the decision.
            InvalidValueError: A reason or amount is given, and the move closes nothing.
        """
        try:
            decision = self.decide(
                stage, pipeline=pipeline, at=at, by=by, role=role,
                reason=reason, amount=amount, context=context, override=override,
            )  # fmt: skip
        except SalesPipelineError:
            told: dict[str, Door] = {"stage": (text, stage), "pipeline": (_pipeline, pipeline)}
            self.passed(at, by, role, *told, **told, **_closing(reason, amount))
            raise
        if decision.result is not Result.ALLOWED:
            raise DeniedError(self.subject, decision)
        kind = self._kind_of_move(pipeline.outcomes[decision.target])
        if reason is not None or amount is not None:
            closing = _closing(reason, amount)
            if kind is Moved or kind is Reopened:
                given = (name for name, (_, fact) in closing.items() if fact is not None)
                faults = (f"{name} given, and the move closes nothing" for name in given)
                raise InvalidValueError("move", tuple(faults))
            said = self.passed(at, by, role, **closing)
            reason, amount = said["reason"], said["amount"]
        event = self.drafted(kind, at, by, role)
        event.pipeline, event.stage = pipeline.key, text(decision.target, "stage")
        event.pipeline_left, event.stage_left = self.pipeline, self.stage
        event.ruling = pipeline.rulebook.ruling_on(decision)
        if kind is Won or kind is Lost:
            event.reason, event.amount = reason, amount
        return self.sealed(kind, event)

    def _closing_stage(self, pipeline: Pipeline, stage: str | None, outcome: Outcome) -> str:
        """The stage given, which must be of an outcome; else the deal's own, or the first of it."""
        instance(Pipeline, pipeline, "pipeline")
        if stage is None:
            there = self.outcome is outcome and self.pipeline == pipeline.key
            return self.stage if there else pipeline.closing(outcome)
        if pipeline.outcome(stage) is not outcome:
            fault = f"{stage!r} of pipeline {pipeline.key!r} is not of outcome {outcome.value!r}"
            raise InvalidValueError("stage", (fault,))
        return stage

    def _kind_of_move(self, outcome: Outcome) -> type[Moved | Won | Lost | Reopened]:
        if outcome is self.outcome:
            return Moved
        return {Outcome.OPEN: Reopened, Outcome.WON: Won, Outcome.LOST: Lost}[outcome]

    def win(
        self,
        *,
        at: datetime,
        by: str,
        pipeline: Pipeline,
        role: str | None = None,
        stage: str | None = None,
        reason: str | None = None,
        amount: Money | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
    ) -> tuple[Self, Moved | Won]:
        """Go to a won stage: the pipeline's first, if none is given and the deal is not won yet.

        Args:
            at: When.
            by: Who.
            pipeline: The pipeline.
            role: What they act as.
            stage: The key of a won stage.
            reason: Why it was won.
            amount: The final amount.
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.

        Raises:
            DeniedError: The rulebook does not allow it.
            InvalidValueError: The stage given is not of outcome won.
        """
        key = self._closing_stage(pipeline, stage, Outcome.WON)
        after, event = self.move(
            key, at=at, by=by, pipeline=pipeline, role=role, reason=reason, amount=amount,
            context=context, override=override,
        )  # fmt: skip
        return after, cast("Moved | Won", event)

    def lose(
        self,
        *,
        at: datetime,
        by: str,
        pipeline: Pipeline,
        role: str | None = None,
        stage: str | None = None,
        reason: str | None = None,
        amount: Money | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
    ) -> tuple[Self, Moved | Lost]:
        """Go to a lost stage: the pipeline's first, if none is given and the deal is not lost yet.

        Args:
            at: When.
            by: Who.
            pipeline: The pipeline.
            role: What they act as.
            stage: The key of a lost stage.
            reason: Why it was lost.
            amount: The final amount.
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.

        Raises:
            DeniedError: The rulebook does not allow it.
            InvalidValueError: The stage given is not of outcome lost.
        """
        key = self._closing_stage(pipeline, stage, Outcome.LOST)
        after, event = self.move(
            key, at=at, by=by, pipeline=pipeline, role=role, reason=reason, amount=amount,
            context=context, override=override,
        )  # fmt: skip
        return after, cast("Moved | Lost", event)

    def reopen(
        self,
        *,
        at: datetime,
        by: str,
        pipeline: Pipeline,
        role: str | None = None,
        stage: str | None = None,
        context: Any = EMPTY,
        override: Override | None = None,
    ) -> tuple[Self, Reopened]:
        """Go back to an open stage: if none is given the one it was closed from, else the first.

        Args:
            at: When.
            by: Who.
            pipeline: The pipeline.
            role: What they act as.
            stage: The key of an open stage.
            context: What else the rulebook's conditions may know.
            override: Who overrides the rulebook's denials, as what, and why.

        Raises:
            DeniedError: The deal is not closed, or the rulebook does not allow it.
            InvalidValueError: The stage given is not open.
        """
        back = self._open_again(instance(Pipeline, pipeline, "pipeline"))
        key = self._closing_stage(pipeline, back if stage is None else stage, Outcome.OPEN)
        if self.outcome is Outcome.OPEN:
            wanted, why = (Outcome.WON, Outcome.LOST), "it is not closed"
            denial = Denial(Code.NOT_CLOSED, self.kind, "outcome", self.outcome, wanted, why)
            decision = self.decide(key, pipeline=pipeline, at=at).denied((denial,))
            raise DeniedError(self.subject, decision)
        after, event = self.move(
            key, at=at, by=by, pipeline=pipeline, role=role, context=context, override=override
        )
        return after, cast("Reopened", event)

    def _open_again(self, pipeline: Pipeline) -> str:
        """The open stage that the deal was closed from, or the pipeline's first."""
        left = self.closed_from
        if left is not None and left in pipeline and pipeline.outcome(left) is Outcome.OPEN:
            return left
        return pipeline.closing(Outcome.OPEN)

    def change_amount(
        self,
        amount: Money | None,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        reason: str | None = None,
    ) -> tuple[Self, AmountChanged]:
        """Give the deal another amount, or none."""
        doors: dict[str, Door] = {"amount": (_amount, amount), "reason": (text, reason)}
        return self.change(AmountChanged, at, by, role, **doors)

    def concede(
        self,
        what: str,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        value: Money | None = None,
    ) -> tuple[Self, ConcessionMade]:
        """Note something given up to the buyer, and what it is worth if that is known."""
        doors: dict[str, Door] = {"what": (text, what), "value": (_amount, value)}
        return self.change(ConcessionMade, at, by, role, "what", **doors)

    def expect_close(
        self, on: date | None, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, CloseDateChanged]:
        """Expect the deal to close on another date, or on none."""
        return self.change(CloseDateChanged, at, by, role, expected_close=(_on, on))

    def set_probability(
        self,
        probability: Decimal | int | str | None,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
        basis: ProbabilityBasis | str = ProbabilityBasis.UNTIL_MOVE,
    ) -> tuple[Self, ProbabilitySet]:
        """Give the deal a probability of its own, or take it back.

        Args:
            probability: From 0 to 1, exact; None takes it back.
            at: When.
            by: Who.
            role: What they act as.
            basis: By hand until the next move, by hand for good, or from a model.

        Raises:
            InvalidValueError: The probability lies outside 0 to 1, or the basis is the stage, whose
                probability its pipeline states.
        """
        doors: dict[str, Door] = {
            "probability": (_probability, probability),
            "basis": (_basis, basis),
        }
        return self.change(ProbabilitySet, at, by, role, "basis", **doors)

    def set_forecast_category(
        self,
        category: ForecastCategory | str | None,
        *,
        at: datetime,
        by: str,
        role: str | None = None,
    ) -> tuple[Self, ForecastCategorySet]:
        """Give the deal a forecast category by hand, or take it back."""
        return self.change(ForecastCategorySet, at, by, role, category=(_category, category))

    def link_contact(
        self, contact: str, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, ContactLinked]:
        """Note that a contact takes part in the deal."""
        return self.change(ContactLinked, at, by, role, "contact", contact=(text, contact))

    def unlink_contact(
        self, contact: str, *, at: datetime, by: str, role: str | None = None
    ) -> tuple[Self, ContactUnlinked]:
        """Note that a contact takes part in the deal no longer."""
        return self.change(ContactUnlinked, at, by, role, "contact", contact=(text, contact))

    def _thawed(self) -> Any:
        draft = self._draft()
        draft.id, draft.version = self.id, self.version
        draft.pipeline, draft.stage, draft.outcome = self.pipeline, self.stage, self.outcome
        draft.stage_since, draft.changed_at = self.stage_since, self.changed_at
        draft.opened_at, draft.closed_at = self.opened_at, self.closed_at
        draft.closed_from, draft.reason = self.closed_from, self.reason
        draft.title, draft.amount, draft.account = self.title, self.amount, self.account
        draft.contacts, draft.owner, draft.source = self.contacts, self.owner, self.source
        draft.sale_type, draft.expected_close = self.sale_type, self.expected_close
        draft.forecast_category, draft.probability = self.forecast_category, self.probability
        draft.term, draft.renews, draft.next_step = self.term, self.renews, self.next_step
        draft.approvals, draft.verdict = self.approvals, self.verdict
        draft.attributes = self.attributes
        return draft


Deal.prepare()
