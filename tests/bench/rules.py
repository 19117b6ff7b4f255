"""One lifecycle by hand, in this library and in three others: what a question and a move cost.

Seven stages, forward only, any may be skipped, and nobody moves without an owner. The floor is what
one would write by hand for exactly that: a table of ranks and one condition, in front of the
library's own events and snapshots, built through their own constructors. The peers move an object
in place and keep no event.

Every side first answers every question and makes every move there is, and all must agree.
The sides take turns, garbage collector on. A question and a command show the best of several
rounds; objects are made and moved through all stages in batches, so that the heaviest peer fits
into memory, and show the average of all batches.

The `permits` of python-statemachine looks a move up among its enabled events, for it has no
question about one; automat has no question at all, and leaves the condition to the caller.
"""

import gc  # noqa: F401 - what is timed turns it on
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from itertools import product
from operator import or_
from timeit import Timer
from typing import Any, Protocol

from _table import options, row
from automat import NoTransition, TypeMachineBuilder
from statemachine import State, StateMachine
from statemachine.exceptions import TransitionNotAllowed
from transitions import Machine, MachineError

from salespipeline import Contact, DeniedError, LifecycleStage
from salespipeline.attributes import EMPTY
from salespipeline.conditions import present
from salespipeline.events import Created, LifecycleStageSet
from salespipeline.lifecycle import LIFECYCLE
from salespipeline.rules import Code, Decision, Denial, Result, Rule, Rulebook

STAGES = tuple(LifecycleStage)
FIRST, LEAD, CUSTOMER = STAGES[0], LifecycleStage.LEAD, LifecycleStage.CUSTOMER
AT = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 1_000
PEERS = ("transitions", "statemachine", "automat")

BOOK = Rulebook.forward("lifecycle", LifecycleStage, rules=[Rule("owned", present("owner"))])
RULING = BOOK.ruling


# The floor

RANK = {stage: rank for rank, stage in enumerate(STAGES)}
NOBODY: frozenset[str] = frozenset()
YES = {
    source: {target: Decision(source, target, Result.ALLOWED) for target in STAGES}
    for source in STAGES
}


def permits(
    source: LifecycleStage,
    target: LifecycleStage,
    contact: Contact,
    *,
    at: datetime,  # noqa: ARG001 - asked as ours is
    by: str,  # noqa: ARG001 - asked as ours is
    role: str | None = None,  # noqa: ARG001 - asked as ours is
) -> bool:
    return RANK[target] > RANK[source] and contact.owner is not None


def decide(
    source: LifecycleStage,
    target: LifecycleStage,
    contact: Contact,
    *,
    at: datetime = AT,  # noqa: ARG001 - asked as ours is
    by: str = "",  # noqa: ARG001 - asked as ours is
    role: str | None = None,  # noqa: ARG001 - asked as ours is
) -> Decision[LifecycleStage]:
    if RANK[target] > RANK[source] and contact.owner is not None:
        return YES[source][target]
    instead = STAGES[RANK[source] + 1 :] if contact.owner is not None else ()
    denials = []
    if target is source:
        denials.append(Denial(Code.ALREADY_THERE, "lifecycle", "target", target, instead, "there"))
    elif RANK[target] < RANK[source]:
        denials.append(Denial(Code.BACKWARD, "lifecycle", "target", target, instead, "forward"))
    if contact.owner is None and target is not source:
        denials.append(Denial(Code.MISSING_FIELD, "owned", "owner", None, "present", "not owned"))
    return Decision(source, target, Result.DENIED, tuple(denials), instead)


def decide_all(source: LifecycleStage, contact: Contact) -> tuple[Decision[LifecycleStage], ...]:
    return tuple([decide(source, target, contact) for target in STAGES])


def advance(
    contact: Contact, stage: LifecycleStage, *, at: datetime, by: str, role: str | None = None
) -> tuple[Contact, LifecycleStageSet]:
    left = contact.lifecycle_stage
    if RANK[stage] <= RANK[left] or contact.owner is None:
        raise DeniedError(contact.id, decide(left, stage, contact))
    status = "new" if stage is LifecycleStage.SQL else None
    event = LifecycleStageSet(
        record=contact.id, sequence=contact.version + 1, at=at, by=by, role=role,
        stage=stage, stage_left=left, lead_status=status, ruling=RULING,
    )  # fmt: skip
    after = Contact(
        contact.id, contact.version + 1, stage, at, at, status, None if status is None else at,
        None, contact.created_at, contact.name, contact.email, contact.company, contact.account,
        contact.owner, contact.source, contact.next_step, contact.opted_out, NOBODY,
        contact.verdict, contact.attributes,
    )  # fmt: skip
    return after, event


def create(
    contact: str, stage: LifecycleStage, *, at: datetime, by: str, owner: str | None
) -> tuple[Contact, Created]:
    status = "new" if stage is LifecycleStage.SQL else None
    event = Created(
        record=contact, sequence=1, at=at, by=by, lifecycle_stage=stage, lead_status=status,
        owner=owner, ruling=LIFECYCLE.ruling,
    )  # fmt: skip
    after = Contact(
        contact, 1, stage, at, at, status, None if status is None else at, None, at,
        None, None, None, None, owner, None, None, False, NOBODY, None, EMPTY,
    )  # fmt: skip
    return after, event


# The peers: one event for each stage to reach, named for it

EARLIER = {target: STAGES[:rank] for rank, target in enumerate(STAGES) if rank}


class Person:
    def __init__(self, owner: str | None) -> None:
        self.owner = owner

    def owned(self) -> bool:
        return self.owner is not None


MACHINE = Machine(
    model=None, states=[stage.value for stage in STAGES], initial=FIRST.value,
    auto_transitions=False,
    transitions=[
        {"trigger": f"reach_{target}", "source": source.value, "dest": target.value,
         "conditions": "owned"}
        for target, earlier in EARLIER.items() for source in earlier
    ],
)  # fmt: skip


def with_transitions(owner: str | None, stage: str = FIRST) -> Any:
    person = Person(owner)
    MACHINE.add_model(person, initial=str(stage))
    return person


def lifecycle_of_states() -> Any:
    """A class of python-statemachine, made of data as the others are."""
    states = {
        stage.value: State(initial=stage is FIRST, final=stage is STAGES[-1]) for stage in STAGES
    }
    events = {
        f"reach_{target}": reduce(
            or_, (states[source].to(states[target], cond="owned") for source in earlier)
        )
        for target, earlier in EARLIER.items()
    }
    return type(StateMachine)("Lifecycle", (StateMachine,), states | events)


LIFECYCLE_OF_STATES = lifecycle_of_states()


def with_statemachine(owner: str | None, stage: str = FIRST) -> Any:
    return LIFECYCLE_OF_STATES(Person(owner), start_value=str(stage))


class Reaching(Protocol):
    def reach_lead(self) -> None: ...
    def reach_marketing_qualified_lead(self) -> None: ...
    def reach_sales_qualified_lead(self) -> None: ...
    def reach_opportunity(self) -> None: ...
    def reach_customer(self) -> None: ...
    def reach_evangelist(self) -> None: ...


def lifecycle_of_inputs() -> Any:
    builder = TypeMachineBuilder(Reaching, Person)
    states = {stage: builder.state(stage.value) for stage in STAGES}
    for target, earlier in EARLIER.items():
        for source in earlier:
            reach = states[source].upon(getattr(Reaching, f"reach_{target}"))
            reach.to(states[target]).returns(None)
    return builder.build()


LIFECYCLE_OF_INPUTS = lifecycle_of_inputs()


class Automatic:
    """A machine of automat beside the owner: it leaves conditions to the caller."""

    def __init__(self, owner: str | None) -> None:
        self.owner = owner
        self.machine = LIFECYCLE_OF_INPUTS(Person(owner))


def with_automat(owner: str | None, stage: str = FIRST) -> Any:
    person = Automatic(owner)
    if stage is not FIRST:
        getattr(person.machine, f"reach_{stage}")()
    return person


# All sides agree


def asked_of_transitions(person: Any, target: LifecycleStage) -> bool:
    return target is not FIRST and getattr(person, f"may_reach_{target}")()


def asked_of_statemachine(person: Any, target: LifecycleStage) -> bool:
    return any(event.id == f"reach_{target}" for event in person.enabled_events())


def refuses(move: Callable[[], Any], *errors: type[Exception]) -> bool:
    try:
        return move() is False
    except errors:
        return True


def check() -> None:
    """Stop where two sides do not say the same."""
    for source, owner in product(STAGES, ("ada", None)):
        made = create("c-1", source, at=AT, by="ada", owner=owner)
        ours = Contact.create("c-1", at=AT, by="ada", stage=source, owner=owner)
        agree(f"{source} of {owner}", made, ours)
        for target in STAGES:
            check_move(made[0], source, target, owner)


def check_move(
    contact: Contact, source: LifecycleStage, target: LifecycleStage, owner: str | None
) -> None:
    """Stop where two sides do not say the same of one move."""
    name, may = (
        f"{source} to {target} of {owner}",
        permits(source, target, contact, at=AT, by="ada"),
    )
    theirs, ours = decide(source, target, contact), BOOK.decide(source, target, contact, at=AT)
    agree(name, may, BOOK.permits(source, target, contact, at=AT, by="ada"))
    agree(name, may, asked_of_transitions(with_transitions(owner, source), target))
    agree(name, may, asked_of_statemachine(with_statemachine(owner, source), target))
    agree(name, said(theirs), said(ours))
    if may:
        agree(
            name, advance(contact, target, at=AT, by="ada"),
            contact.advance(target, at=AT, by="ada", rulebook=BOOK),
        )  # fmt: skip
    if target is FIRST:
        return  # the peers have no event that leads there
    event = f"reach_{target}"
    person = with_transitions(owner, source)
    agree(name, may, not refuses(getattr(person, event), MachineError))
    person = with_statemachine(owner, source)
    agree(name, may, not refuses(getattr(person, event), TransitionNotAllowed))
    person = with_automat(owner, source)
    agree(
        name, may, owner is not None and not refuses(getattr(person.machine, event), NoTransition)
    )


def said(decision: Decision[LifecycleStage]) -> tuple[object, ...]:
    """What a decision says, without its words."""
    codes = tuple((str(denial.code), denial.rule) for denial in decision.denials)
    return decision.source, decision.target, bool(decision), codes, decision.alternatives


def agree(name: str, one: object, other: object) -> None:
    if one != other:
        raise SystemExit(f"{name} differs: {one} and {other}")


# What is timed: for each side a statement about each of a batch of owned subscribers

QUESTION = "BOOK.{}(FIRST, LEAD, each, at=AT, by='ada')"
MOVES = {
    "floor": "each, _ = advance(each, STAGES[{n}], at=AT, by='ada')",
    "ours": "each, _ = each.advance(STAGES[{n}], at=AT, by='ada', rulebook=BOOK)",
    "transitions": "each.reach_{stage}()",
    "statemachine": "each.reach_{stage}()",
    "automat": "if each.owner is not None: each.machine.reach_{stage}()",
}
MAKE: dict[str, Callable[[], Any]] = {
    "floor": lambda: create("c-1", FIRST, at=AT, by="ada", owner="bob")[0],
    "ours": lambda: Contact.create("c-1", at=AT, by="ada", stage=FIRST, owner="bob")[0],
    "transitions": lambda: with_transitions("bob"),
    "statemachine": lambda: with_statemachine("bob"),
    "automat": lambda: with_automat("bob"),
}
QUESTIONS: tuple[tuple[str, float | None, dict[str, str]], ...] = (
    ("permits", 1.7, {
        "floor": "permits(FIRST, LEAD, each, at=AT, by='ada')",
        "ours": QUESTION.format("permits"),
        "transitions": "each.may_reach_lead()",
        "statemachine": "asked_of_statemachine(each, LEAD)",
    }),
    ("decide, allowed", 2.2, {
        "floor": "decide(FIRST, LEAD, each, at=AT, by='ada')",
        "ours": QUESTION.format("decide"),
    }),
    ("decide, denied with reasons", None, {
        "floor": "decide(CUSTOMER, LEAD, each, at=AT, by='ada')",
        "ours": "BOOK.decide(CUSTOMER, LEAD, each, at=AT, by='ada')",
    }),
    ("options of 7 stages", None, {
        "floor": "decide_all(FIRST, each)",
        "ours": "BOOK.options(FIRST, each, at=AT, by='ada')",
        "transitions": "[asked_of_transitions(each, stage) for stage in STAGES]",
        "statemachine": "each.enabled_events()",
    }),
)  # fmt: skip
FASTER = {("permits", "transitions"): 20.0, ("command", "transitions"): 3.0}
"""How many times as fast as a peer an operation should be."""


def batch(side: str) -> list[Any]:
    """New people, each an owned subscriber."""
    MACHINE.models.clear()
    return [MAKE[side]() for _ in range(BATCH)]


def timed(statement: str, some: Sequence[object], **names: object) -> float:
    """The seconds that a statement about each of some takes on average, with the collector on."""
    lines = f"for each in some:\n    {statement}"
    timer = Timer(lines, "gc.collect(); gc.enable()", globals=globals() | names | {"some": some})
    return timer.timeit(1) / len(some)


def best_of(
    statements: Mapping[str, str], people: Callable[[str], list[Any]], rounds: int
) -> dict[str, float]:
    """The best time of each side, taken in turn."""
    best = dict.fromkeys(statements, float("inf"))
    for _ in range(rounds):
        for side, statement in statements.items():
            best[side] = min(best[side], timed(statement, people(side)))
    return best


def whole_lives(objects: int) -> tuple[dict[str, float], dict[str, float]]:
    """The average time to make an object, and to move it once on the way from first to last."""
    climbs = {
        side: "\n    ".join(move.format(n=n, stage=stage) for n, stage in enumerate(STAGES) if n)
        for side, move in MOVES.items()
    }
    batches = objects // BATCH
    making, moving = dict.fromkeys(MOVES, 0.0), dict.fromkeys(MOVES, 0.0)
    for _ in range(batches):
        for side, climb in climbs.items():
            people: list[Any] = []
            MACHINE.models.clear()
            keep = timed("keep(make())", range(BATCH), make=MAKE[side], keep=people.append)
            making[side] += keep / batches
            moving[side] += timed(climb, people) / batches / len(EARLIER)
    return making, moving


def line(name: str, times: dict[str, float], limit: float | None) -> dict[str, object]:
    """One line of the table: ours beside the floor, and how many times as long the peers take."""
    peers = {
        side: {
            "seconds": seconds,
            "times_ours": seconds / times["ours"],
            "at_least": FASTER.get((name, side)),
        }
        for side, seconds in times.items()
        if side in PEERS
    }
    return {**row(name, times["ours"], times["floor"], limit), "peers": peers}


def show(lines: Iterable[dict[str, Any]]) -> None:
    """Print the lines as a table for people, in microseconds."""
    heads = "".join(f"{peer:>22}" for peer in PEERS)
    print(f"{'microseconds':<32}{'floor':>9}{'ours':>9}{'ratio':>7}{'limit':>7}{heads}")
    for each in lines:
        limit = each["limit"] or "–"
        cells = f"{each['theirs'] * 1e6:>9.3f}{each['ours'] * 1e6:>9.3f}{each['ratio']:>7.2f}"
        print(
            f"{each['name']:<32}{cells}{limit:>7}",
            *map(cell, map(each["peers"].get, PEERS)),
            sep="",
        )


def cell(peer: dict[str, Any] | None) -> str:
    """What a peer takes, and how many times as long as ours that is."""
    if peer is None:
        return f"{'n/a':>22}"
    least = "" if peer["at_least"] is None else f" (≥ {peer['at_least']:g})"
    return f"{peer['seconds'] * 1e6:.2f} = {peer['times_ours']:.1f} ×{least}".rjust(22)


def main() -> None:
    """Check that all sides agree, time them in turn, and print what came out."""
    parser = options(__doc__ or "")
    parser.add_argument("--objects", type=int, default=100_000, help=f"a multiple of {BATCH:,}")
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    objects = max(BATCH, asked.objects // BATCH * BATCH)
    check()
    standing = {side: batch(side) for side in MOVES}
    lines = [
        line(name, best_of(statements, standing.__getitem__, asked.rounds), limit)
        for name, limit, statements in QUESTIONS
    ]
    command = {side: move.format(n=1, stage="lead") for side, move in MOVES.items()}
    making, moving = whole_lives(objects)
    lines += [
        line("command", best_of(command, batch, asked.rounds), 1.3),
        line(f"a move of {objects:,} × {len(EARLIER)}", moving, None),
        line(f"making one of {objects:,}", making, None),
    ]
    if asked.json:
        print(json.dumps(lines, indent=2))
    else:
        show(lines)


if __name__ == "__main__":
    main()
