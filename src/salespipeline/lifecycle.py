"""Lifecycle stage and lead status: the two views of a contact that must not be mixed.

The lifecycle stage is the macro view: the furthest milestone that a contact has reached, moving
forward only, shared by marketing and sales. The lead status is the micro view: what sales does
with a sales-qualified lead right now, moving in any direction.

Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must Understand".
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Self, cast

from attrs import Factory, field, frozen

from salespipeline._doors import NOTHING, choice, instance, instances, repeated, text
from salespipeline.attributes import Attributes
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError, brief
from salespipeline.rules import Rulebook, label

if TYPE_CHECKING:
    from salespipeline.rules import Finding


class LifecycleStage(StrEnum):
    """The furthest milestone of a contact on the way from first touch to advocate.

    Stages compare by rank, never as text, and only with each other.

    >>> LifecycleStage.LEAD < LifecycleStage.MQL < LifecycleStage.CUSTOMER
    True
    >>> LifecycleStage("sales_qualified_lead") is LifecycleStage.SQL
    True
    """

    rank: int
    meaning: str

    SUBSCRIBER = "subscriber", "signed up for news, and no more"
    LEAD = "lead", "showed interest: downloaded, visited pricing, filled in a form"
    MARKETING_QUALIFIED_LEAD = "marketing_qualified_lead", "worth evaluation by sales"
    SALES_QUALIFIED_LEAD = "sales_qualified_lead", "sales confirmed a fit worth pursuing"
    OPPORTUNITY = "opportunity", "has an active deal"
    CUSTOMER = "customer", "bought"
    EVANGELIST = "evangelist", "a customer who promotes the business to others"
    MQL = MARKETING_QUALIFIED_LEAD
    SQL = SALES_QUALIFIED_LEAD

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member whose rank is its place among the members."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.rank = len(cls.__members__)
        member.meaning = meaning
        return member

    def __lt__(self, other: object) -> bool:
        return self.rank < _rank(other)

    def __le__(self, other: object) -> bool:
        return self.rank <= _rank(other)

    def __gt__(self, other: object) -> bool:
        return self.rank > _rank(other)

    def __ge__(self, other: object) -> bool:
        return self.rank >= _rank(other)


def _rank(stage: object) -> int:
    if not isinstance(stage, LifecycleStage):
        raise WrongTypeError("stage", "a LifecycleStage to compare with another", stage)
    return stage.rank


LIFECYCLE = Rulebook.forward(
    "lifecycle", LifecycleStage, meaning="the lifecycle moves forward only"
)
"""The standard rulebook of the lifecycle: forward only, skips allowed, begun anywhere."""


class LeadStatus(StrEnum):
    """The standard statuses of a sales-qualified lead, as keys of `STANDARD_STATUSES`."""

    NEW = "new"
    ATTEMPTED_TO_CONTACT = "attempted_to_contact"
    CONNECTED = "connected"
    OPEN_DEAL = "open_deal"
    UNQUALIFIED = "unqualified"
    BAD_TIMING = "bad_timing"


class Team(StrEnum):
    """Who works a contact now."""

    MARKETING = "marketing"
    SALES = "sales"
    SUCCESS = "success"


MOST_STATUSES = 8
"""How many lead statuses people can still decide between."""


class StatusKind(StrEnum):
    """What a lead status means for the work on the lead."""

    INITIAL = "initial"
    WORKING = "working"
    RECYCLE = "recycle"
    DISQUALIFIED = "disqualified"


def _key(value: object) -> str:
    return text(value, "key")


def _kind(value: object) -> StatusKind:
    return choice(StatusKind, value, "status kind")


def _words(status: "Status") -> str:
    return status.key.replace("_", " ").capitalize()


@frozen
class Status:
    """One lead status of a scheme.

    Attributes:
        key: What records hold.
        label: What people read; the key in words if not given.
        kind: Initial, working, recycle (back to marketing) or disqualified.
        meaning: When a lead has this status.
        next_step: What sales does next.
        parked: Whether such a lead is out of the active count while it waits.
    """

    key: str = field(converter=_key)
    label: str = field(default=Factory(_words, takes_self=True))
    kind: StatusKind = field(default=StatusKind.WORKING, converter=_kind)
    meaning: str = ""
    next_step: str = ""
    parked: bool = False


def _name(value: object) -> str:
    return text(value, "name")


def _statuses(value: object) -> tuple[Status, ...]:
    statuses = instances(Status, value, "statuses")
    if not statuses:
        raise InvalidValueError("statuses", ("there are none",))
    return statuses


def _active_in(value: object) -> frozenset[LifecycleStage]:
    keys = instances(str, value, "active_in")
    return frozenset(choice(LifecycleStage, key, "lifecycle stage") for key in keys)


def _rulebook(value: object) -> Rulebook[str]:
    return cast("Rulebook[str]", instance(Rulebook, value, "rulebook"))


def _any_status(scheme: "StatusScheme") -> Rulebook[str]:
    return Rulebook.free(scheme.name, dict.fromkeys(scheme.keys))


@frozen
class StatusScheme:
    """The lead statuses of a team: a value to edit in an admin page.

    Reaching a stage that the scheme is active in sets the initial status; leaving the stages it
    is active in clears the status; setting one elsewhere is denied.

    Args:
        name: What the scheme is called.
        statuses: The statuses in order, exactly one of kind initial.
        active_in: The lifecycle stages in which a contact has a status.
        former: Retired keys, each with the key that succeeded it.
        rulebook: Which status may follow which; any may follow any if not given.

    Raises:
        InvalidValueError: A key occurs twice, no or several statuses are initial, a former key
            is still in use or leads nowhere, or the rulebook has other states. All are named.

    >>> STANDARD_STATUSES.initial.key
    'new'
    """

    name: str = field(converter=_name)
    statuses: tuple[Status, ...] = field(converter=_statuses)
    active_in: frozenset[LifecycleStage] = field(
        default=frozenset({LifecycleStage.SALES_QUALIFIED_LEAD}),
        converter=_active_in,
    )
    former: Attributes = field(factory=Attributes, converter=Attributes)
    rulebook: Rulebook[str] = field(
        default=Factory(_any_status, takes_self=True), converter=_rulebook
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a scheme that contradicts itself, naming every fault."""
        faults = tuple(self._faults())
        if faults:
            raise InvalidValueError(f"status scheme {self.name!r}", faults)

    def _faults(self) -> Iterable[str]:
        keys = self.keys
        if twice := repeated(keys):
            yield f"the statuses {', '.join(map(repr, twice))} occur twice"
        if sum(status.kind is StatusKind.INITIAL for status in self.statuses) != 1:
            yield "exactly one status must be of kind 'initial'"
        for key, successor in self.former.items():
            if key in keys:
                yield f"the former key {key!r} is still in use"
            if successor not in keys:
                yield f"the former key {key!r} leads to the unknown {brief(successor)}"
        states = self.rulebook.states
        if lacking := [label(key) for key in keys if key not in states]:
            yield f"the rulebook {self.rulebook.name!r} lacks {', '.join(lacking)}"
        if strange := [label(state) for state in states if state not in keys]:
            yield f"the rulebook {self.rulebook.name!r} has the unknown {', '.join(strange)}"

    @classmethod
    def of(cls, name: str, statuses: type[StrEnum] | Mapping[str, StatusKind]) -> Self:
        """A scheme from an enum of keys, its first the initial one, or from keys and kinds.

        Labels are the keys in words.

        >>> class Attempts(StrEnum):
        ...     FRESH = "fresh"
        ...     FIRST_CALL = "first_call"
        >>> [status.label for status in StatusScheme.of("attempts", Attempts).statuses]
        ['Fresh', 'First call']
        """
        kinds = _first_initial(statuses) if isinstance(statuses, type) else statuses
        if not isinstance(kinds, Mapping):
            raise WrongTypeError("statuses", "a StrEnum or a mapping of keys to kinds", statuses)
        return cls(name, tuple(Status(key, kind=kind) for key, kind in kinds.items()))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the statuses, in order."""
        return tuple(status.key for status in self.statuses)

    @property
    def initial(self) -> Status:
        """The status that a lead gets when the scheme becomes active."""
        return next(status for status in self.statuses if status.kind is StatusKind.INITIAL)

    def current(self, key: str) -> str:
        """A key as it is called now: a retired key gives its successor, any other itself."""
        successor = self.former.get(key) if isinstance(key, str) else None
        return successor if isinstance(successor, str) else key

    def status(self, key: str) -> Status:
        """The status that a key, or a retired key, names.

        Raises:
            UnknownKeyError: It names none.
        """
        if isinstance(key, str):
            current = self.current(key)
            for status in self.statuses:
                if status.key == current:
                    return status
        raise UnknownKeyError(f"lead status of scheme {self.name!r}", key, self.keys)

    def after(self, status: str | None, stage: LifecycleStage | None) -> str | None:
        """The lead status of a contact that has just reached a stage with a status.

        The status stays while the scheme is active; it begins as the initial one, and is none
        where the scheme is not active.
        """
        if stage is None or instance(LifecycleStage, stage, "stage") not in self.active_in:
            return None
        return self.initial.key if status is None else status

    def lint(self) -> "tuple[Finding, ...]":
        """What is odd about the scheme and its rulebook, the most harmful first.

        What `Rulebook.lint` looks for; and more than eight statuses, between which people can no
        longer decide.

        Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must
        Understand".
        """
        from salespipeline.rules.graph import Finding, Odd, by_harm  # noqa: PLC0415 - few ask

        found = self.rulebook.lint()
        if len(self.statuses) > MOST_STATUSES:
            many = f"{len(self.statuses)} statuses are more than {MOST_STATUSES}"
            found += (Finding(Odd.TOO_MANY_STATUSES, many, self.keys),)
        return by_harm(found)

    def playbook(self, *, entries: Mapping[str, str] = NOTHING) -> str:
        """The scheme as a Markdown page to agree on, with a section for each status.

        Each says the status's meaning, owner, entry, exit and next step; the rules stand below.

        Args:
            entries: By status, what makes sales set it.

        Raises:
            UnknownKeyError: The scheme has no such status.
        """
        return _status_page(self, agreed_on=entries, name="entries", depth=1)


def _in_words(stage: LifecycleStage) -> str:
    return stage.value.replace("_", " ")


def _first_initial(keys: type) -> dict[str, StatusKind] | None:
    """The kinds of an enum's keys, its first the initial one; None where it is no `StrEnum`."""
    if not issubclass(keys, StrEnum):
        return None
    initial, working = StatusKind.INITIAL, StatusKind.WORKING
    return {key.value: working if n else initial for n, key in enumerate(keys)}


_STANDARD = (
    Status(
        LeadStatus.NEW.value, "New", StatusKind.INITIAL,
        "a fresh SQL that nobody has contacted yet", "make the first attempt",
    ),
    Status(
        LeadStatus.ATTEMPTED_TO_CONTACT.value, "Attempted to contact", StatusKind.WORKING,
        "at least one attempt was made, and no connection", "try again, another way",
    ),
    Status(
        LeadStatus.CONNECTED.value, "Connected", StatusKind.WORKING,
        "we spoke, and it is worth pursuing", "agree what is needed for a proposal",
    ),
    Status(
        LeadStatus.OPEN_DEAL.value, "Open deal", StatusKind.WORKING,
        "an offer is being discussed", "move the deal on",
    ),
    Status(
        LeadStatus.UNQUALIFIED.value, "Unqualified", StatusKind.DISQUALIFIED,
        "sales found that it is no fit after all", "say why, and stop",
    ),
    Status(
        LeadStatus.BAD_TIMING.value, "Bad timing", StatusKind.RECYCLE,
        "a good fit that cannot buy now", "hand to marketing with a date to revisit", parked=True,
    ),
)  # fmt: skip

STANDARD_STATUSES = StatusScheme("standard", _STANDARD)
"""The six standard statuses, active for sales-qualified leads only."""

RECYCLABLE_STATUSES = StatusScheme(
    "recyclable", _STANDARD, {LifecycleStage.SQL, LifecycleStage.OPPORTUNITY}
)
"""The same six, kept through the opportunity, so that a lost deal's contact can be recycled."""


def handled_by(
    stage: LifecycleStage | None,
    status: str | None = None,
    *,
    scheme: StatusScheme = STANDARD_STATUSES,
) -> Team:
    """Which team works a contact at a stage with a lead status.

    Marketing up to and with the marketing-qualified lead, and whenever the status recycles;
    sales from there to the opportunity; success for customers and evangelists.

    Args:
        stage: The lifecycle stage, or None before any.
        status: The lead status, or None.
        scheme: What the statuses mean; a status it does not know does not recycle.

    >>> handled_by(LifecycleStage.SQL, LeadStatus.BAD_TIMING).value
    'marketing'
    """
    if stage is None or stage < LifecycleStage.SALES_QUALIFIED_LEAD:
        return Team.MARKETING
    if stage >= LifecycleStage.CUSTOMER:
        return Team.SUCCESS
    known = instance(StatusScheme, scheme, "scheme")
    key = None if status is None else known.current(status)
    recycled = any(each.key == key and each.kind is StatusKind.RECYCLE for each in known.statuses)
    return Team.MARKETING if recycled else Team.SALES


def _status_page(
    scheme: StatusScheme, *, agreed_on: Mapping[str, str], name: str, depth: int
) -> str:
    from salespipeline.rules.playbooks import Sheet, agreed, playbook  # noqa: PLC0415 - few ask

    begun = {scheme.initial.key: "the contact has come to such a stage"}
    entry = begun | agreed(agreed_on, name, scheme.keys)
    sheets = {
        status.key: Sheet(
            status.label,
            status.meaning,
            (Team.MARKETING if status.kind is StatusKind.RECYCLE else Team.SALES).value,
            entry.get(status.key, ""),
            status.next_step,
        )
        for status in scheme.statuses
    }
    stages = [_in_words(stage) for stage in LifecycleStage if stage in scheme.active_in]
    intro = f"A contact has a lead status while its lifecycle stage is {' or '.join(stages)}."
    book = scheme.rulebook
    title = f"Lead status ({scheme.name})"
    return playbook(
        title, intro, book.graph(), sheets, book.rules,
        beginning="given to a contact without one", depth=depth,
    )  # fmt: skip


_NEXT = {
    LifecycleStage.SUBSCRIBER: "send what they signed up for, and show them where to go on",
    LifecycleStage.LEAD: "answer what they came for, and watch for signs of readiness",
    LifecycleStage.MQL: "hand over to sales, who confirm the fit or say why not",
    LifecycleStage.SQL: "work them by lead status",
    LifecycleStage.OPPORTUNITY: "move the deal on until it is won or lost",
    LifecycleStage.CUSTOMER: "welcome them, and stay in touch",
    LifecycleStage.EVANGELIST: "thank them, and ask whom else to talk to",
}


def lifecycle_playbook(
    rulebook: Rulebook[LifecycleStage] = LIFECYCLE,
    *,
    scheme: StatusScheme = STANDARD_STATUSES,
    entries: Mapping[LifecycleStage, str] = NOTHING,
    status_entries: Mapping[str, str] = NOTHING,
) -> str:
    """The lifecycle and the lead statuses as one Markdown page for all teams to agree on.

    Args:
        rulebook: Which stage may follow which.
        scheme: The lead statuses in use.
        entries: By stage, what a contact must have done to enter it.
        status_entries: By status, what makes sales set it.

    Raises:
        UnknownKeyError: There is no such stage or status.

    Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must
    Understand".

    >>> page = lifecycle_playbook(entries={LifecycleStage.MQL: "a score of 60 or a demo request"})
    >>> print(page.splitlines()[0])
    # Lifecycle stages and lead statuses
    """
    from salespipeline.rules.playbooks import Sheet, agreed, playbook  # noqa: PLC0415 - few ask

    book = cast("Rulebook[LifecycleStage]", instance(Rulebook, rulebook, "rulebook"))
    statuses = instance(StatusScheme, scheme, "scheme")
    entry = agreed(entries, "entries", LifecycleStage)
    sheets = {
        stage: Sheet(
            _in_words(stage).capitalize(),
            stage.meaning,
            handled_by(stage).value,
            entry.get(stage, ""),
            _NEXT[stage],
        )
        for stage in LifecycleStage
    }
    stages = playbook(
        "Lifecycle stages", book.meaning, book.graph(), sheets, book.rules,
        beginning="new contacts begin here", depth=2,
    )  # fmt: skip
    return "\n\n".join(
        (
            "# Lifecycle stages and lead statuses",
            "The stage says how far a contact has come, the status what sales does about it now.",
            stages,
            _status_page(statuses, agreed_on=status_entries, name="status_entries", depth=2),
        )
    )
