"""Histories judged by a rulebook: which moves it would have denied, and why.

Reading a history never asks a rulebook. This does, afterwards: by the rulebook that allowed each
move, by the one of its pipeline or scheme, or by a new one that is to come.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, cast

from attrs import field, frozen

from salespipeline._courses import ENTERING
from salespipeline._doors import choice, instance, instances, whole
from salespipeline.attributes import EMPTY
from salespipeline.conditions import Facts, Move
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import (
    Created,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.intervals import check_level
from salespipeline.lifecycle import LifecycleStage, StatusScheme
from salespipeline.metrics import Rate
from salespipeline.periods import utc
from salespipeline.pipelines import Pipeline
from salespipeline.rules import Denial, Rulebook, Ruling
from salespipeline.rules.comparing import Afterwards, Arrow, known, shown
from salespipeline.rules.decisions import OVERRIDABLE

Histories: TypeAlias = Iterable[ContactHistory] | Iterable[DealHistory]


class Of(StrEnum):
    """Which moves of a record are meant."""

    STAGE = "stage"
    LIFECYCLE_STAGE = "lifecycle_stage"
    LEAD_STATUS = "lead_status"


class Made(NamedTuple):
    """A move that was made, as its rulebook would have been asked.

    Attributes:
        record: The id of the record.
        event: The sequence number of the event.
        pipeline: The key of a deal's pipeline; None for a contact.
        source: The state left; None for a creation, and where a deal came from another pipeline.
        target: The state entered.
        facts: The record as it was, the move, and no context, since none was recorded.
        ruling: What allowed it, or None where the event does not say.
    """

    record: str
    event: int
    pipeline: str | None
    source: Any
    target: Any
    facts: Facts
    ruling: Ruling | None


def moves(histories: Histories, *, as_of: datetime, of: Of | str | None = None) -> Iterator[Made]:
    """The moves that records made, as known at an instant, record by record in sequence order.

    A deal that was won or lost is told with the reason and the amount of the event, a record that
    was created as it was made. A lead status that came or went with the lifecycle stage was no
    move of its own. A record that was deleted counts up to then.

    Args:
        histories: The histories of deals, or of contacts.
        as_of: The instant to judge from.
        of: Which moves: of deals their stages; of contacts their lifecycle stages if not given.

    Raises:
        InvalidValueError: Moves are asked for that such a record does not make.
    """
    at = utc(as_of, "as_of")
    wanted = None if of is None else choice(Of, of, "of")
    return (
        made
        for history in _several(histories)
        for made in _moves_of(history, at, _kind_of_moves(history, wanted))
    )


def _several(histories: object) -> Iterator[ContactHistory | DealHistory]:
    if isinstance(histories, str) or not isinstance(histories, Iterable):
        raise WrongTypeError("histories", "several histories", histories)
    return map(_one, cast("Iterable[object]", histories))


def _one(history: object) -> ContactHistory | DealHistory:
    if not isinstance(history, ContactHistory | DealHistory):
        raise WrongTypeError("histories", "histories of deals or contacts", history)
    return history


def _kind_of_moves(history: ContactHistory | DealHistory, wanted: Of | None) -> Of:
    of_deal = isinstance(history, DealHistory)
    if wanted is None:
        return Of.STAGE if of_deal else Of.LIFECYCLE_STAGE
    if (wanted is Of.STAGE) is not of_deal:
        fault = f"{history.record!r} is the history of a {history.snapshot_type.kind}"
        raise InvalidValueError(f"moves of {wanted.value}", (fault,))
    return wanted


def _moves_of(history: ContactHistory | DealHistory, at: datetime, of: Of) -> Iterator[Made]:
    """The moves of one record; what is recorded after its deletion happened to none."""
    record: Any = None
    for event in history.known(at):
        after: Any = history.snapshot_type.replay((event,), record)
        if of is Of.STAGE:
            made = _deal_move(record, event, after) if type(event) in ENTERING else None
        elif of is Of.LIFECYCLE_STAGE:
            made = _lifecycle_move(record, event, after)
        else:
            made = _status_move(record, event)
        if made is not None:
            yield made
        if after is None:
            return
        record = after


def _deal_move(deal: Deal | None, event: Any, after: Deal) -> Made:
    if deal is None:
        return _made(event, event.pipeline, None, event.stage, after, None)
    source = deal.stage if deal.pipeline == event.pipeline else None
    closes = isinstance(event, Won | Lost)
    judged = deal.closed_with(event.reason, event.amount) if closes else deal
    return _made(event, event.pipeline, source, event.stage, judged, deal.stage_since)


def _lifecycle_move(contact: Any, event: Any, after: Any) -> Made | None:
    if isinstance(event, Created):
        stage, left, judged, since = event.lifecycle_stage, None, after, None
    elif isinstance(event, LifecycleStageSet):
        stage, left = event.stage, contact.lifecycle_stage
        judged, since = contact, contact.stage_since
    else:
        return None
    return None if stage is None else _made(event, None, left, stage, judged, since)


def _status_move(contact: Any, event: Any) -> Made | None:
    if not isinstance(event, LeadStatusSet) or event.status is None:
        return None
    return _made(event, None, contact.lead_status, event.status, contact, contact.status_since)


def _made(
    event: Any, pipeline: str | None, source: Any, target: Any, record: Any, since: datetime | None
) -> Made:
    move = Move(source, target, event.at, event.by, event.role, since)
    facts = Facts(record, move)
    return Made(event.record, event.sequence, pipeline, source, target, facts, event.ruling)


def facts(
    histories: Histories, *, as_of: datetime, of: Of | str | None = None
) -> Iterator[tuple[Any, Any, Facts]]:
    """The source, target and facts of each move, as `salespipeline.rules.compare` takes them.

    The arguments are those of `moves`.
    """
    return ((made.source, made.target, made.facts) for made in moves(histories, as_of=as_of, of=of))


@frozen
class Breach:
    """A move that a rulebook would have denied.

    Attributes:
        record: The id of the record.
        event: The sequence number of the event.
        source: The state left, as the event names it; None for a creation.
        target: The state entered.
        rulebook: The name and version of the rulebook.
        denials: What it has against the move.
        overridden: Whether somebody with the right to overrode all these denials then.
    """

    record: str
    event: int
    source: Any
    target: Any
    rulebook: tuple[str, int]
    denials: tuple[Denial, ...]
    overridden: bool

    def __str__(self) -> str:
        """The record, the event, the move and what is against it."""
        why = ", and ".join(dict.fromkeys(denial.message for denial in self.denials))
        told = " (overridden)" if self.overridden else ""
        move = shown((self.source, self.target))
        return f"{self.record!r}, event {self.event}, {move}: {why}{told}"


@frozen
class RuleRate:
    """How often one rule, or a rulebook's own table of moves, would have denied a move.

    Attributes:
        rulebook: The name and version of the rulebook.
        rule: The name of the rule; None for the rulebook's own table of moves.
        denied: The share of the moves that it bore on, with its interval.
        overridden: How many of those denied somebody with the right to overrode.
    """

    rulebook: tuple[str, int]
    rule: str | None
    denied: Rate
    overridden: int


@frozen
class Conformance:
    """How far records kept to their rulebooks.

    Attributes:
        as_of: The instant judged from.
        denied: The share of the moves judged that would have been denied, with its interval.
        unjudged: How many were not judged, by reason: ``no_rulebook`` where none is known for
            them, ``same_state`` where the state entered is the one left.
        breaches: The moves that would have been denied, record by record.
        rules: For each rulebook and each of its rules, how often it would have denied.
        not_asked: The names of rules that hang on a context, which no event records.
    """

    as_of: datetime
    denied: Rate
    unjudged: Mapping[str, int] = field(hash=False)
    breaches: tuple[Breach, ...]
    rules: tuple[RuleRate, ...]
    not_asked: tuple[str, ...]

    @property
    def judged(self) -> int:
        """How many moves were judged."""
        return self.denied.denominator

    def by_record(self) -> dict[str, tuple[Breach, ...]]:
        """The breaches of each record that has any."""
        found: dict[str, list[Breach]] = {}
        for breach in self.breaches:
            found.setdefault(breach.record, []).append(breach)
        return {record: tuple(breaches) for record, breaches in found.items()}

    def by_rule(self) -> dict[str, tuple[Breach, ...]]:
        """The breaches of each rule that has any, of its own table by a rulebook's name."""
        found: dict[str, list[Breach]] = {}
        for breach in self.breaches:
            for rule in dict.fromkeys(denial.rule for denial in breach.denials):
                found.setdefault(rule, []).append(breach)
        return {rule: tuple(breaches) for rule, breaches in found.items()}

    def __str__(self) -> str:
        """A table: for each rule the share it would have denied of the moves that it bore on."""
        left = "".join(f"; {n:,} not judged ({why})" for why, n in self.unjudged.items())
        lines = [f"Denied: {self.denied}{left}."]
        rows = [("rulebook", "rule", "overridden", "denied")] if self.rules else []
        rows += [_row(each) for each in self.rules]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            f"{book:<{widths[0]}}  {rule:<{widths[1]}}  {overridden:>10}  {denied}"
            for book, rule, overridden, denied in rows
        ]
        if self.not_asked:
            lines.append(f"Not asked, for want of a context: {', '.join(self.not_asked)}.")
        return "\n".join(lines)


def _row(rate: RuleRate) -> tuple[str, str, str, str]:
    name, version = rate.rulebook
    rule = rate.rule or "(its own moves)"
    return f"{name} v{version}", rule, f"{rate.overridden:,}", str(rate.denied)


def judge(
    histories: Histories,
    *,
    as_of: datetime,
    rulebook: Rulebook[Any] | None = None,
    rulebooks: Iterable[Rulebook[Any]] = (),
    pipelines: Iterable[Pipeline] = (),
    scheme: StatusScheme | None = None,
    of: Of | str | None = None,
    level: float = 0.95,
) -> Conformance:
    """Which moves a rulebook would have denied, and why.

    Each move is judged by the ``rulebook`` if one is given; else by the one of ``rulebooks`` that
    its event names, by fingerprint; else by that of its pipeline or of the scheme; else not at
    all. A state that the rulebook lacks is read as its successor. A rule that asks for a context
    cannot be asked afterwards, and is left out; so is what stands beside rulebooks: whether the
    scheme was active, and the contact's own direction.

    Args:
        histories: The histories of deals, or of contacts.
        as_of: The instant to judge from.
        rulebook: The one rulebook to judge all by, such as one that is to come.
        rulebooks: The rulebooks that events name.
        pipelines: The pipelines of the deals, with the retired keys of their stages.
        scheme: The lead statuses in use, for moves of lead status, with their retired keys.
        of: Which moves: of deals their stages; of contacts their lifecycle stages if not given.
        level: The confidence of the intervals.

    Returns:
        The breaches and the rates; without a move there is no rate of any rule.

    >>> from datetime import UTC
    >>> from salespipeline.pipelines import SIX_STAGES
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> deal, opened = Deal.open("d-1", at=day, by="ada", pipeline=SIX_STAGES)
    >>> deal, moved = deal.move("proposal", at=day, by="ada", pipeline=SIX_STAGES)
    >>> deal, lost = deal.lose(at=day, by="ada", pipeline=SIX_STAGES)
    >>> stricter = SIX_STAGES.ruled(version=2, skips=False, reason_to_lose=True)
    >>> report = judge(
    ...     [DealHistory([opened, moved, lost])], as_of=day, rulebook=stricter.rulebook
    ... )
    >>> for breach in report.breaches:
    ...     print(breach)
    'd-1', event 2, 'contact' to 'proposal': no stage may be passed over
    'd-1', event 3, 'proposal' to 'lost': 'reason' must be present
    """
    at = utc(as_of, "as_of")
    books = cast("tuple[Rulebook[Any], ...]", instances(Rulebook, rulebooks, "rulebooks"))
    named = {book.fingerprint: book for book in books}
    homes = {each.key: each for each in instances(Pipeline, pipelines, "pipelines")}
    only = (
        None
        if rulebook is None
        else cast("Rulebook[Any]", instance(Rulebook, rulebook, "rulebook"))
    )
    statuses = None if scheme is None else instance(StatusScheme, scheme, "scheme")
    about_status = of is not None and choice(Of, of, "of") is Of.LEAD_STATUS
    bench, checked = _Bench(), check_level(level)
    for made in moves(histories, as_of=at, of=of):
        home = statuses if about_status else homes.get(made.pipeline or "")
        book = only or (named.get(made.ruling.fingerprint) if made.ruling else None)
        if home is None:
            bench.hear(made, book, EMPTY)
        else:
            bench.hear(made, book or home.rulebook, home.former)
    return bench.conformance(at, checked)


class _Docket:
    """The moves that were judged by one rulebook."""

    def __init__(self, book: Rulebook[Any]) -> None:
        self.book = Afterwards(book)
        self._rules = {rule.name for rule in book.rules}
        self._heard: Counter[Arrow] = Counter()
        self._denied: Counter[str | None] = Counter()
        self._overridden: Counter[str | None] = Counter()

    def judge(self, made: Made, move: Arrow) -> Breach | None:
        """What the rulebook has against a move, if anything."""
        self._heard[move] += 1
        denials = self.book.denials(move, made.facts)
        if not denials:
            return None
        overridden = [_was_overridden(denial, made.ruling) for denial in denials]
        names = [denial.rule if denial.rule in self._rules else None for denial in denials]
        against = dict(zip(names, overridden, strict=True))
        self._denied.update(list(against))
        self._overridden.update(name for name, was in against.items() if was)
        book = (self.book.book.name, self.book.book.version)
        return Breach(
            made.record, made.event, made.source, made.target, book, denials, all(overridden)
        )

    def rates(self, level: float) -> Iterator[RuleRate]:
        """The rates of the rulebook's own table and of each of its rules that can be asked."""
        book = self.book.book
        bore: Counter[str | None] = Counter({None: self._heard.total()})
        for (source, target), times in self._heard.items():
            is_known = source is None or book.has(source)
            ahead = book.moves_from(source).get(target) if is_known else None
            for rule in ahead.rules if ahead else ():
                bore[rule.name] += times
        for name in (None, *(rule.name for rule in book.rules)):
            if name not in self.book.silent:
                rate = Rate.of(self._denied[name], bore[name], level)
                yield RuleRate((book.name, book.version), name, rate, self._overridden[name])


def _was_overridden(denial: Denial, ruling: Ruling | None) -> bool:
    """Whether a denial, or the like of another version of the rulebook, was overridden then.

    The codes of a rulebook's own denials are no rule's, and the other way round.
    """
    if ruling is None or ruling.override is None:
        return False
    own = denial.code in OVERRIDABLE
    return any(
        denial.code == then.code if own else denial.rule == then.rule for then in ruling.overridden
    )


class _Bench:
    """Moves being judged one after the other."""

    def __init__(self) -> None:
        self._unjudged: Counter[str] = Counter()
        self._dockets: dict[Rulebook[Any], _Docket] = {}
        self._breaches: list[Breach] = []
        self._judged = 0

    def hear(self, made: Made, book: Rulebook[Any] | None, former: Mapping[str, Any]) -> None:
        """Judge one move, its states read as the rulebook names them."""
        if book is None:
            self._unjudged["no_rulebook"] += 1
            return
        move = known(book, (made.source, made.target), former)
        if move[0] == move[1]:
            self._unjudged["same_state"] += 1
            return
        self._judged += 1
        docket = self._dockets.get(book)
        if docket is None:
            docket = self._dockets[book] = _Docket(book)
        breach = docket.judge(made, move)
        if breach is not None:
            self._breaches.append(breach)

    def conformance(self, as_of: datetime, level: float) -> Conformance:
        """What came out."""
        dockets = self._dockets.values()
        silent = {name for docket in dockets for name in docket.book.silent}
        return Conformance(
            as_of,
            Rate.of(len(self._breaches), self._judged, level),
            dict(self._unjudged),
            tuple(self._breaches),
            tuple(rate for docket in dockets for rate in docket.rates(level)),
            tuple(sorted(silent)),
        )


def move_counts(
    histories: Histories,
    *,
    as_of: datetime,
    of: Of | str | None = None,
    pipeline: Pipeline | None = None,
    scheme: StatusScheme | None = None,
) -> Counter[Arrow]:
    """How often each move, a pair of source and target, was made; creations with None as source.

    `Rulebook.to_mermaid` and `Rulebook.to_markdown` draw them. To stay in a state is no move.

    Args:
        histories: The histories of deals, or of contacts.
        as_of: The instant to judge from.
        of: Which moves: of deals their stages; of contacts their lifecycle stages if not given.
        pipeline: The pipeline whose deals are meant, and whose retired keys are read as their
            successors; needed where the deals go through several.
        scheme: The lead statuses in use, whose retired keys are read likewise.

    Raises:
        InvalidValueError: The deals go through several pipelines, and none is named.
    """
    only = None if pipeline is None else instance(Pipeline, pipeline, "pipeline")
    statuses = None if scheme is None else instance(StatusScheme, scheme, "scheme")
    current: Callable[[Any], Any] = _as_is
    if only is not None:
        current = only.current
    elif statuses is not None:
        current = statuses.current
    counts: Counter[Arrow] = Counter()
    pipelines: dict[str | None, None] = {}
    for made in moves(histories, as_of=as_of, of=of):
        if only is not None and made.pipeline != only.key:
            continue
        pipelines[made.pipeline] = None
        source, target = current(made.source), current(made.target)
        if source != target:
            counts[source, target] += 1
    if len(pipelines) > 1:
        several = ", ".join(repr(key) for key in pipelines)
        raise InvalidValueError("moves", (f"the deals go through several pipelines: {several}",))
    return counts


def _as_is(state: Any) -> Any:
    return state


def draft(
    histories: Histories,
    *,
    as_of: datetime,
    name: str,
    of: Of | str | None = None,
    pipeline: Pipeline | None = None,
    scheme: StatusScheme | None = None,
    least: int = 1,
) -> Rulebook[Any]:
    """A rulebook drafted from the moves that were made: what people really do.

    Args:
        histories: The histories of deals, or of contacts.
        as_of: The instant to judge from.
        name: The rulebook's name.
        of: Which moves: of deals their stages; of contacts their lifecycle stages if not given.
        pipeline: The pipeline whose deals are meant, and whose stages are taken, entered or not;
            needed where the deals go through several.
        scheme: The lead statuses in use, taken likewise.
        least: How often a move must have been made to be taken in.

    Returns:
        An explicit rulebook; with ``least`` of 1 it allows every move that was made from one
        state to another. Compare it with the declared one by `salespipeline.rules.compare`.

    Raises:
        InvalidValueError: There is no move, or the deals go through several pipelines and none is
            named.
    """
    often = whole(least, "least")
    counts = move_counts(histories, as_of=as_of, of=of, pipeline=pipeline, scheme=scheme)
    if not counts:
        raise InvalidValueError("draft", ("no move was made",))
    order: Iterable[Any] = ()
    if pipeline is not None:
        order = pipeline.outcomes
    elif scheme is not None:
        order = scheme.keys
    elif any(isinstance(target, LifecycleStage) for _, target in counts):
        order = LifecycleStage
    leads_to: dict[Any, list[Any]] = {state: [] for state in order}
    begun: list[Any] = []
    for source, target in counts:
        leads_to.setdefault(target, [])
        if source is not None:
            leads_to.setdefault(source, [])
    for (source, target), times in counts.items():
        if times >= often:
            (begun if source is None else leads_to[source]).append(target)
    return Rulebook.explicit(name, leads_to, creation=begun)
