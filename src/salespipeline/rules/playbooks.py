"""A page to agree on: what each state means, who works there, and how a record comes and goes."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar, cast

from attrs import frozen

from salespipeline._doors import text
from salespipeline.conditions import in_words
from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.rules.decisions import caption
from salespipeline.rules.drawing import cell, line
from salespipeline.rules.graph import Graph
from salespipeline.rules.rule import Rule

S = TypeVar("S", bound=Hashable)

_UNSAID = "*not agreed yet*"


@frozen
class Sheet:
    """What people agree on about one state.

    Attributes:
        label: What people call it.
        meaning: When a record is there.
        owner: Who works a record there.
        entry: When a record enters it, beside what the rules say.
        next_step: What moves it on.
        rot_after: How long a record may stay before it counts as stuck, or None.
    """

    label: str
    meaning: str = ""
    owner: str = ""
    entry: str = ""
    next_step: str = ""
    rot_after: timedelta | None = None


def agreed(given: object, name: str, states: Iterable[S]) -> dict[S, str]:
    """What people agree on by state, each one text.

    Raises:
        WrongTypeError: It is no mapping, or holds what is no text.
        UnknownKeyError: It names what is no state.
    """
    if not isinstance(given, Mapping):
        raise WrongTypeError(name, "a mapping of states to text", given)
    known = {state: state for state in states}
    said: dict[S, str] = {}
    for state, words in cast("Mapping[Any, object]", given).items():
        if state not in known:
            raise UnknownKeyError(f"state in {name}", state, tuple(known))
        said[known[state]] = text(words, f"{name}[{caption(state)!r}]")
    return said


def playbook(
    title: str,
    intro: str,
    graph: Graph[S],
    sheets: Mapping[S, Sheet],
    rules: Iterable[Rule[S]],
    *,
    beginning: str = "new ones begin here",
    depth: int = 1,
) -> str:
    """A Markdown page with a section for each state, and the rules below.

    Args:
        title: The page's title.
        intro: What stands below it.
        graph: The moves.
        sheets: By state, what people agree on about it.
        rules: The rules, in order.
        beginning: What is said of a state that records are created in.
        depth: How deep in a larger page its title stands.
    """
    head = "#" * depth
    full = {state: sheets.get(state, Sheet(caption(state))) for state in graph.states}
    entries, exits = _ways(graph, full, beginning)
    lines = [f"{head} {cell(title)}", *(["", cell(intro)] if intro else [])]
    for number, (state, sheet) in enumerate(full.items(), 1):
        key = line(state).replace("`", "'")
        named = cell(sheet.label) + ("" if sheet.label == caption(state) else f" (`{key}`)")
        lines += ["", f"{head}# {number}. {named}", ""]
        lines += _section(sheet, entries[state], exits[state])
    below = list(_rules(rules, graph.rights))
    return "\n".join([*lines, *(["", f"{head}# Rules", "", *below] if below else [])])


def _section(sheet: Sheet, entries: list[str], exits: list[str]) -> Iterator[str]:
    """The lines about one state."""
    yield _point("Meaning", sheet.meaning)
    yield _point("Owner", sheet.owner)
    yield from _points("Entry", sheet.entry, entries or ["nothing leads here"])
    yield from _points("Exit", "", exits or ["nothing leaves it"])
    yield _point("Next step", sheet.next_step)
    if sheet.rot_after is not None:
        yield _point("Stuck after", str(sheet.rot_after).removesuffix(", 0:00:00"))


def _point(name: str, words: str) -> str:
    return f"- **{name}:** {cell(words) if words else _UNSAID}"


def _points(name: str, words: str, ways: list[str]) -> Iterator[str]:
    """What is said, with the ways below it; a single way with nothing said in the same line."""
    if not words and len(ways) == 1:
        yield f"- **{name}:** {ways[0]}"
    else:
        yield f"- **{name}:** {cell(words)}" if words else f"- **{name}:**"
        yield from (f"  - {way}" for way in ways)


def _ways(
    graph: Graph[S], sheets: Mapping[S, Sheet], beginning: str
) -> tuple[dict[S, list[str]], dict[S, list[str]]]:
    """For each state the ways into it and out of it, in words; those that need the same in one."""
    begun: dict[S, str] = {}
    into: dict[S, dict[str, list[str]]] = {state: {} for state in sheets}
    out: dict[S, dict[str, list[str]]] = {state: {} for state in sheets}
    for source, target, rules in graph.drawn():
        needs = _needs(rules)
        if source is None:
            begun[target] = f"{beginning}: {needs}" if needs else beginning
        else:
            into[target].setdefault(needs, []).append(cell(sheets[source].label))
            out[source].setdefault(needs, []).append(cell(sheets[target].label))
    others = len(sheets) - 1
    entries = {
        state: [*([begun[state]] if state in begun else []), *_told("from", ways, others)]
        for state, ways in into.items()
    }
    return entries, {state: list(_told("to", ways, others)) for state, ways in out.items()}


def _told(direction: str, ways: Mapping[str, list[str]], others: int) -> Iterator[str]:
    for needs, labels in ways.items():
        which = "any other" if len(labels) == others > 1 else _listed(labels)
        yield f"{direction} {which}: {needs}" if needs else f"{direction} {which}"


def _listed(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _needs(rules: Iterable[Rule[Any]]) -> str:
    return "; ".join(cell(rule.message or in_words(rule.condition)) for rule in rules)


def _rules(rules: Iterable[Rule[Any]], rights: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Each rule in words, with who may override it; then the same of the rulebook's own order."""
    asked = {rule.name: _needs([rule]) for rule in rules}
    whys = {rule.name: rule.meaning for rule in rules}
    codes = sorted({code for over in rights.values() for code in over} - {*asked})
    for name in (*asked, *codes):
        roles = [cell(role) for role, over in rights.items() if name in over]
        told = [asked.get(name, "the order of the states itself says so")]
        told += [f"why: {cell(whys[name])}"] if whys.get(name) else []
        told += [f"may be overridden by {_listed(roles)}"] if roles else []
        yield f"- **{cell(name)}:** {'; '.join(told)}"
