"""The table of a rulebook: its states, moves and rules, checked and written down."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from enum import Enum, StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast, get_origin

from attrs import field, frozen

from salespipeline._doors import (
    LARGEST_WHOLE,
    NOTHING,
    hashable,
    instance,
    instances,
    repeated,
    text,
)
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError, brief
from salespipeline.rules.decisions import Code, Decision, Result, label

if TYPE_CHECKING:
    from salespipeline._kinds import Schema
    from salespipeline.conditions import Predicate
    from salespipeline.rules.drawing import Counts
    from salespipeline.rules.graph import Finding, Graph
    from salespipeline.rules.playbooks import Sheet
    from salespipeline.rules.rule import Grant, Rule

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")


class Course(StrEnum):
    """How a rulebook says which moves there are."""

    FORWARD = "forward"
    FREE = "free"
    EXPLICIT = "explicit"


FORWARD_ONLY = "moves go forward only"
MOST = 1000
"""How many states, and how many rules, a rulebook may have."""


_NO_MOVE = frozenset({Code.ALREADY_THERE, Code.NO_SUCH_MOVE, Code.UNKNOWN_STATE})


class Prospect(NamedTuple):
    """What stands before a move between known states, whoever makes it and whatever the record.

    Attributes:
        obstacle: The code of what the rulebook itself has against it, or None.
        why: That in words; empty where there is none.
        rules: The rules that bear on it.
        yes: The decision where nothing stands before it.
    """

    obstacle: Code | None
    why: str
    rules: "tuple[Rule[Any], ...]"
    yes: Decision[Any]


@frozen
class Table(Generic[S]):
    """What every `Rulebook` is made of; its attributes are described there."""

    name: str
    states: tuple[S, ...]
    course: Course
    skips: bool = True
    edges: frozenset[tuple[S, S]] = frozenset()
    creation: frozenset[S] = frozenset()
    final: frozenset[S] = frozenset()
    version: int = 1
    meaning: str = ""
    rules: "tuple[Rule[S], ...]" = ()
    grants: "tuple[Grant, ...]" = ()
    schema: "Schema | None" = field(default=None, eq=False, repr=False)
    predicates: "Mapping[str, Predicate]" = field(default=NOTHING, eq=False, repr=False)
    fields: Mapping[str, str] = field(init=False, eq=False, repr=False)
    _ranks: dict[S, int] = field(init=False, eq=False, repr=False)
    _prospects: dict[S | None, dict[S, Prospect]] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a rulebook that contradicts itself, naming every fault."""
        _check_kinds(self)
        set_ = object.__setattr__
        # copied, so that whoever gave them cannot change a rulebook that others share
        set_(self, "predicates", MappingProxyType({**self.predicates}))
        if isinstance(self.schema, Mapping):
            set_(self, "schema", MappingProxyType({**self.schema}))
        set_(self, "_ranks", {state: n for n, state in enumerate(self.states)})
        set_(self, "_prospects", {})
        set_(self, "fields", NOTHING)
        faults = (*_structural_faults(self), *self._rule_faults())
        if faults:
            raise InvalidValueError(f"rulebook {self.name!r}", faults)

    def _rule_faults(self) -> tuple[str, ...]:
        """What is wrong with the rules and grants; the fields that they ask for are kept."""
        if not (self.rules or self.grants):
            return ()
        from salespipeline.rules.rule import declared, faults  # noqa: PLC0415 - not every book's

        fields, strange = declared(self.rules, self.schema)
        object.__setattr__(self, "fields", MappingProxyType(fields))
        names = [rule.name for rule in self.rules]
        most = (f"it has more than {MOST:,} rules",) if len(names) > MOST else ()
        return (*most, *faults(self.rules, self.grants, self.predicates), *strange)

    def __reduce__(self) -> tuple[Any, ...]:
        """A rulebook pickles as data; it is checked and compiled anew where it is read."""
        schema = dict(self.schema) if isinstance(self.schema, Mapping) else self.schema
        return type(self), (
            self.name, self.states, self.course, self.skips, self.edges, self.creation, self.final,
            self.version, self.meaning, self.rules, self.grants, schema, dict(self.predicates),
        )  # fmt: skip

    def known(self, state: S) -> S:
        """The rulebook's own state that equals one given; the one given where there is none.

        Raises:
            WrongTypeError: It is not hashable.
        """
        rank = _found(self._ranks, state)
        return state if rank is None else self.states[rank]

    def has(self, state: object) -> bool:
        """Whether it is a state of the rulebook.

        Raises:
            WrongTypeError: It is not hashable.
        """
        return _found(self._ranks, state) is not None

    def moves_from(self, source: S | None) -> Mapping[S, Prospect]:
        """For each state, in order, what stands before the move there; worked out once.

        Returns:
            Nothing for a source that the rulebook does not have.

        Raises:
            WrongTypeError: The source is not hashable.
        """
        made = _found(self._prospects, source)
        if made is not None:
            return made
        if source is not None and not self.has(source):
            return {}
        own = None if source is None else self.known(source)
        made = {target: self._prospect(own, target) for target in self.states}
        self._prospects[own] = made
        return made

    def prospect(self, source: S | None, target: S) -> Prospect | None:
        """What stands before a move; None where the rulebook lacks one of its states.

        Raises:
            WrongTypeError: A state is not hashable.
        """
        return _found(self.moves_from(source), target)

    def _prospect(self, source: S | None, target: S) -> Prospect:
        code = self.obstacle(source, target)
        why = "" if code is None else self._why(code, source)
        rules = () if code in _NO_MOVE else self._bearing(source, target)
        return Prospect(code, why, rules, Decision(source, target, Result.ALLOWED))

    def _why(self, code: Code, source: S | None) -> str:
        """What the rulebook itself has against a move, in words."""
        return {
            Code.ALREADY_THERE: "it is already there",
            Code.BACKWARD: self.meaning or FORWARD_ONLY,
            Code.FINAL: f"nothing leaves {label(source)}",
            Code.NO_SUCH_MOVE: f"{self.name!r} has no such move",
            Code.NOT_A_CREATION_STATE: "nothing begins there",
            Code.SKIP: f"{self.name!r} passes over no state",
        }[code]

    def _bearing(self, source: S | None, target: S) -> "tuple[Rule[S], ...]":
        """The rules that bear on a move between known states, in order."""
        return tuple(rule for rule in self.rules if rule.bears_on(source, target, self._ranks))

    def obstacle(self, source: S | None, target: S) -> Code | None:
        """The code of what the rulebook itself has against a move, or None.

        Raises:
            WrongTypeError: A state is not hashable.
        """
        if not self.has(target) or not (source is None or self.has(source)):
            return Code.UNKNOWN_STATE
        if source is None:
            return None if target in self.creation else Code.NOT_A_CREATION_STATE
        if source == target:
            return Code.ALREADY_THERE
        return Code.FINAL if source in self.final else self._off_course(source, target)

    def _off_course(self, source: S, target: S) -> Code | None:
        if self.course is Course.EXPLICIT:
            return None if (source, target) in self.edges else Code.NO_SUCH_MOVE
        if self.course is Course.FREE:
            return None
        steps = self._ranks[target] - self._ranks[source]
        if steps < 0:
            return Code.BACKWARD
        return None if steps == 1 or self.skips else Code.SKIP

    def to_plain(self) -> dict[str, Any]:
        """The rulebook as plain data: dicts, lists, text, bools, None and whole numbers.

        Raises:
            InvalidValueError: A state is not text, a number, an enum member or a tuple of them.
        """
        ranks = self._ranks
        edges = sorted(self.edges, key=lambda edge: (ranks[edge[0]], ranks[edge[1]]))
        return {
            "name": self.name,
            "version": self.version,
            "meaning": self.meaning,
            "states": _plain_states(self.states),
            "course": self.course.value,
            "skips": self.skips,
            "moves": [_plain_states(edge) for edge in edges],
            "creation": self._plain_several(self.creation),
            "final": self._plain_several(self.final),
            "fields": dict(self.fields),
            "rules": [self._plain_rule(rule) for rule in self.rules],
            "grants": [{"role": each.role, "over": sorted(each.over)} for each in self.grants],
        }

    def _plain_several(self, states: Iterable[S | None] | None) -> Any:
        """States whose order counts for nothing, each once, in the order of the rulebook."""
        if states is None:
            return "any"
        places: dict[Any, int] = {None: -1, **self._ranks}
        return _plain_states(sorted({*states}, key=places.__getitem__))

    def _plain_rule(self, rule: "Rule[S]") -> dict[str, Any]:
        from salespipeline._plain import plain_condition  # noqa: PLC0415 - imported when asked for

        return {
            "name": rule.name,
            "condition": plain_condition(rule.condition),
            "from": self._plain_several(rule.sources),
            "to": self._plain_several(rule.targets),
            "way": rule.way.value,
            "meaning": rule.meaning,
            "message": rule.message,
        }

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256, in hexadecimal, of all that decides: states, moves, rules and grants.

        Names of rules are in it, since denials carry them; the rulebook's name and version, and
        every meaning and message, are not. Equal rulebooks have equal fingerprints everywhere.

        Raises:
            InvalidValueError: A state is not text, a number, an enum member or a tuple of them.
        """
        from hashlib import sha256  # noqa: PLC0415 - few ask, and importing it takes long

        from salespipeline._plain import canonical  # noqa: PLC0415

        plain = self.to_plain()
        for words in ("name", "version", "meaning", "fields"):
            del plain[words]
        for rule in plain["rules"]:
            del rule["meaning"], rule["message"]
        for unordered in ("rules", "grants"):
            plain[unordered].sort(key=canonical)
        return sha256(canonical(plain).encode()).hexdigest()

    @cached_property
    def rights(self) -> Mapping[str, frozenset[str]]:
        """By role, the names of the rules and the codes that it may override."""
        rights: dict[str, frozenset[str]] = {}
        for grant in self.grants:
            rights[grant.role] = rights.get(grant.role, frozenset()) | grant.over
        return MappingProxyType(rights)

    def graph(self) -> "Graph[S]":
        """The moves that the rulebook has, as a graph to look through and to draw."""
        from salespipeline.rules.graph import Graph  # noqa: PLC0415 - imported by those who ask

        prospects = {
            (source, target): prospect
            for source in (None, *self.states)
            for target, prospect in self.moves_from(source).items()
        }
        last = self.states[-1:] if self.course is Course.FORWARD else ()
        return Graph(
            self.states,
            {move: each.rules for move, each in prospects.items() if each.obstacle is None},
            self.final.union(last),
            {
                move: (each.obstacle, each.rules)
                for move, each in prospects.items()
                if each.obstacle is not None and each.obstacle not in _NO_MOVE
            },
            self.rights,
        )

    def lint(self, *, forward_only: bool = False) -> "tuple[Finding, ...]":
        """What is odd about the rulebook, the most harmful first; nothing of a sound one.

        States that cannot be reached or left, no way to a final state, rules that bear on nothing,
        are duplicates or stand in the shadow of another, moves that no facts allow, and predicates
        that other programs cannot ask.

        Args:
            forward_only: Whether a move against the order of the states is a finding.
        """
        from salespipeline.rules.graph import findings  # noqa: PLC0415 - imported by those who ask

        return tuple(findings(self.graph(), self.rules, forward_only=forward_only))

    def to_markdown(self, counts: "Counts | None" = None) -> str:
        """The moves as a Markdown table: what each needs, and how often it was made.

        Args:
            counts: How often each move, a pair of source and target, was made.
        """
        from salespipeline.rules.drawing import markdown  # noqa: PLC0415 - imported when asked for

        return markdown(self.graph(), counts)

    def to_mermaid(self, counts: "Counts | None" = None) -> str:
        """The moves as the text of a Mermaid state diagram: every possible move is one arrow.

        Args:
            counts: How often each move, a pair of source and target, was made.
        """
        from salespipeline.rules.drawing import mermaid  # noqa: PLC0415 - imported when asked for

        return mermaid(self.graph(), counts)

    def playbook(self, sheets: "Mapping[S, Sheet] | None" = None) -> str:
        """A Markdown page to agree on: how each state is entered and left, and every rule.

        Args:
            sheets: By state, what people agree on about it; what is not said yet shows as such.

        Raises:
            UnknownKeyError: A sheet is for a state that the rulebook does not have.
        """
        from salespipeline.rules.playbooks import Sheet, playbook  # noqa: PLC0415 - few ask

        given: Mapping[S, Sheet] = {} if sheets is None else sheets
        if not isinstance(given, Mapping):
            raise WrongTypeError("sheets", "a mapping of states to sheets", sheets)
        for state, sheet in given.items():
            instance(Sheet, sheet, f"sheets[{label(state)}]")
            if not self.has(state):
                raise UnknownKeyError(f"state of {self.name!r}", state, self.states)
        return playbook(self.name, self.meaning, self.graph(), given, self.rules)


def _check_kinds(book: Table[S]) -> None:
    text(book.name, "name")
    instance(Course, book.course, "course")
    instance(bool, book.skips, "skips")
    instance(str, book.meaning, "meaning")
    instance(tuple, book.states, "states")
    hashable(book.states, "states")
    for name in ("edges", "creation", "final"):
        instance(frozenset, getattr(book, name), name)
    for edge in book.edges:
        if not isinstance(edge, tuple) or len(edge) != 2:
            raise WrongTypeError("edges", "pairs of a source and a target", edge)
    instance(tuple, book.rules, "rules")
    instance(tuple, book.grants, "grants")
    if book.rules or book.grants:
        from salespipeline.rules.rule import Grant, Rule  # noqa: PLC0415 - not every book's

        instances(Rule, book.rules, "rules")
        instances(Grant, book.grants, "grants")
    schema = book.schema
    if schema is not None and not isinstance(get_origin(schema) or schema, type | Mapping):
        raise WrongTypeError("schema", "a class, or a mapping of names to types or kinds", schema)
    if not isinstance(book.predicates, Mapping):
        raise WrongTypeError("predicates", "a mapping of names to functions", book.predicates)
    for name, predicate in book.predicates.items():
        if not callable(predicate):
            raise WrongTypeError(f"predicates[{brief(name)}]", "a function", predicate)


def _structural_faults(book: Table[S]) -> Iterator[str]:
    if not book.states:
        yield "it has no states"
    if len(book.states) > MOST:
        yield f"it has more than {MOST:,} states"
    if twice := repeated(book.states):
        yield f"it lists {', '.join(map(label, twice))} twice"
    if any(state is None for state in book.states):
        yield "None cannot be a state: it stands for creation"
    named = [
        ("a move", {state for edge in book.edges for state in edge}),
        ("creation", book.creation),
        ("final", book.final),
        *((f"rule {rule.name!r}", _named_states(rule)) for rule in book.rules[:MOST]),
    ]
    for place, states in named:
        strange = sorted(label(state) for state in states if not book.has(state))
        if strange:
            yield f"{place} names unknown states {', '.join(strange)}"
    if type(book.version) is not int or book.version < 1:
        yield f"its version must be a whole number from 1 (got {brief(book.version)})"


def _named_states(rule: "Rule[S]") -> set[S]:
    sources = () if rule.sources is None else rule.sources
    targets = () if rule.targets is None else rule.targets
    return {state for state in (*sources, *targets) if state is not None}


def _plain_states(states: Iterable[object]) -> list[Any]:
    return [_plain_state(state) for state in states]


def _plain_state(state: Any) -> Any:
    kind = cast("type[Any]", type(state))  # not isinstance: a state may be anyone's code
    if state is None:
        return None
    if issubclass(kind, str) and not any("\ud800" <= each <= "\udfff" for each in state):
        return str.__str__(state)
    if issubclass(kind, int) and abs(state) <= LARGEST_WHOLE:
        return int(state)
    if issubclass(kind, Enum) and not issubclass(kind, str | int):
        return {"enum": kind.__name__, "name": state.name}
    if issubclass(kind, tuple):
        return _plain_states(state)
    raise InvalidValueError("rulebook as data", (f"the state {brief(state)} has no stable text",))


def _found(by_state: Mapping[Any, T], state: object) -> T | None:
    """What a state is mapped to, None where there is no such state.

    Raises:
        WrongTypeError: It is not hashable.
    """
    try:
        return by_state.get(state)
    except Exception:  # noqa: BLE001 - the hash and the equality of a state may be anyone's code
        raise WrongTypeError("state", "hashable", state) from None
