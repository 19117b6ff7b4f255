"""Rulebooks for people: a diagram and a table."""

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from salespipeline.conditions import in_words
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.rules.decisions import caption
from salespipeline.rules.graph import Graph
from salespipeline.rules.rule import Rule

S = TypeVar("S", bound=Hashable)


Counts: TypeAlias = Mapping[tuple[Any, Any], int]
"""How often each move, a pair of source and target, was made."""

Drawn: TypeAlias = tuple[Any, Any, tuple[Rule[Any], ...] | None]
"""A move with its rules; None for them where it was made and no rulebook allows it."""

_NOT_ALLOWED = "not allowed"
_BLANK = "(blank)"
_MOST = 10**18


def line(state: object) -> str:
    """A state's text in one line that any file can hold."""
    words = " ".join(caption(state).split())
    return "".join(each if each.isprintable() else "\ufffd" for each in words)


_MEANS_SOMETHING_IN_MERMAID = {"<": "lt", ">": "gt", "&": "amp", '"': "quot"} | {
    sign: str(ord(sign)) for sign in "#:;%[]`\\"
}


def coded(words: str) -> str:
    """Words in a diagram, each sign that means something there by its entity code.

    Source: Mermaid, flowcharts, "Entity codes to escape characters".
    """
    codes = _MEANS_SOMETHING_IN_MERMAID
    return "".join(f"#{codes[sign]};" if sign in codes else sign for sign in words)


_MEANS_SOMETHING_IN_MARKDOWN = re.compile(r"[\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")


def cell(state: object) -> str:
    """A state's text in a table."""
    return _MEANS_SOMETHING_IN_MARKDOWN.sub(r"\\\g<0>", line(state) or _BLANK)


def needs(rules: Iterable[Rule[Any]]) -> str:
    """What rules ask, in words; nothing without rules."""
    return "; ".join(in_words(rule.condition) for rule in rules)


def _moves(graph: Graph[S], made: Counts) -> list[Drawn]:
    """The moves that some facts allow, and those made nevertheless; creations first."""
    allowed: list[Drawn] = [*graph.drawn()]
    known = {(source, target) for source, target, _ in allowed}
    extra: list[Drawn] = [(*move, None) for move in made if move not in known and made[move]]
    ranks: dict[Any, int] = {state: n for n, state in enumerate((None, *graph.states))}
    return sorted([*allowed, *extra], key=lambda move: (ranks[move[0]], ranks[move[1]]))


def _checked(graph: Graph[S], counts: Counts | None) -> Counts:
    """Counts of moves between states of the graph; none where none are given."""
    if counts is None:
        return {}
    if not isinstance(counts, Mapping):
        raise WrongTypeError("counts", "a mapping of pairs of source and target", counts)
    states = {None, *graph.states}
    faults = [
        f"{brief(move)} is no pair of states of the rulebook"
        for move in counts
        if not _is_move(move) or move[1] is None or not {*move} <= states
    ]
    faults += [
        f"{brief(move)} was made {brief(times)} times"
        for move, times in counts.items()
        if type(times) is not int or not 0 <= times < _MOST
    ]
    if faults:
        raise InvalidValueError("counts", tuple(faults))
    return counts


def _is_move(move: object) -> bool:
    return isinstance(move, tuple) and len(cast("tuple[object, ...]", move)) == 2


def mermaid(graph: Graph[S], counts: Counts | None) -> str:
    """The text of a Mermaid state diagram, with conditions and counts as labels."""
    names: dict[Any, str] = {state: f"s{n}" for n, state in enumerate(graph.states)}
    made = _checked(graph, counts)
    lines = ["stateDiagram-v2"]
    lines += [
        f'    state "{coded(line(state) or _BLANK)}" as {names[state]}' for state in graph.states
    ]
    left: set[Any] = set()
    for source, target, rules in _moves(graph, made):
        asked = _NOT_ALLOWED if rules is None else coded(line(needs(rules)))
        count = "" if counts is None else f"({made.get((source, target), 0):,})"
        told = " ".join(filter(None, (asked, count)))
        arrow = f"    {names.get(source, '[*]')} --> {names[target]}"
        lines.append(f"{arrow} : {told}" if told else arrow)
        left |= set() if rules is None else {source}
    lines += [f"    {names[state]} --> [*]" for state in graph.states if state not in left]
    return "\n".join(lines)


def markdown(graph: Graph[S], counts: Counts | None) -> str:
    """A Markdown table: a row for each state where nothing is asked, else one for each move."""
    made = _checked(graph, counts)
    moves = _moves(graph, made)
    if counts is None and not any(rules for _, _, rules in moves):
        return _by_state(graph, moves)
    rows = [("from", "to", "needs", "moves")]
    for source, target, rules in moves:
        asked = _NOT_ALLOWED if rules is None else cell(needs(rules)) if rules else "nothing"
        count = f"{made.get((source, target), 0):,}"
        rows.append((_begun(source), cell(target), asked, count))
    return _table([row[: 3 if counts is None else 4] for row in rows])


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def _begun(source: object) -> str:
    return "(new)" if source is None else cell(source)


def _by_state(graph: Graph[S], moves: list[Drawn]) -> str:
    targets: dict[Any, list[str]] = {None: [], **{state: [] for state in graph.states}}
    for source, target, _ in moves:
        targets[source].append(cell(target))
    rows: list[tuple[str, ...]] = [("from", "may move to")]
    rows += [(_begun(state), ", ".join(told) or "nothing") for state, told in targets.items()]
    return _table(rows)
