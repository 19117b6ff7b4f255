"""Test vectors of rulebooks as documents, there and back."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from attrs import field, frozen

from salespipeline._doors import choice, instance
from salespipeline._kinds import Kind
from salespipeline._plain import Faults, plain_condition, plain_value, read_value
from salespipeline.conditions import AllOf, AnyOf, Facts, Move, Named, Test, split
from salespipeline.errors import brief
from salespipeline.interchange._documents import NO_UPCASTERS, Form, Noted, Unread
from salespipeline.interchange._rulebooks import dump_rulebook
from salespipeline.rules.book import Rulebook
from salespipeline.rules.decisions import Code, Decision, Denial, Result
from salespipeline.rules.vectors import Vector, left_out, vectors

VECTORS = Form("test vectors", "salespipeline.rulebook.vectors", 1, 50_000_000)
_MOST_ITEMS = 100_000
_DEEPEST = 16
_OF_MOVE = {"at": Kind.INSTANT, "by": Kind.TEXT, "role": Kind.TEXT, "entered_at": Kind.INSTANT}


@frozen
class Expectation:
    """One move of a document of test vectors, with what its rulebook must say.

    Attributes:
        source: The state left, None for a creation.
        target: The state entered.
        facts: What is so.
        expected: The decision as plain data: ``result``, ``denials`` and, unless a predicate has a
            say in them, ``alternatives``.
    """

    source: str | None
    target: str
    facts: Facts = field(hash=False)
    expected: Mapping[str, Any] = field(hash=False)


def dump_vectors(book: Rulebook[Any]) -> str:
    """The test vectors of a rulebook as a JSON document, for a reader in any language.

    Each holds a move, facts, and the decision that every reader must come to. What the vectors
    cover says `salespipeline.rules.vectors.vectors`. Moves on which a named predicate bears are
    listed as left out.

    Args:
        book: The rulebook; its states must be text.

    Raises:
        InvalidValueError: A state is no text, or something is too long to be read back.
    """
    dump_rulebook(book)  # what cannot be written is refused there
    untold = _untold(book)
    return VECTORS.written(
        {
            "rulebook": _identity(book),
            "left_out": [
                {"from": plain_value(source), "to": plain_value(target)}
                for source, target in left_out(book)
            ],
            "vectors": [_plain_vector(vector, untold) for vector in vectors(book)],
        }
    )


def _identity(book: Rulebook[Any]) -> dict[str, Any]:
    return {"name": book.name, "version": book.version, "fingerprint": book.fingerprint}


def _plain_vector(vector: Vector, untold: frozenset[Any]) -> dict[str, Any]:
    made = vector.facts.move
    moved = {name: plain_value(getattr(made, name)) for name in _OF_MOVE}
    return {
        "from": plain_value(vector.source),
        "to": plain_value(vector.target),
        "facts": {
            "record": _plain(vector.facts.record),
            "move": {name: value for name, value in moved.items() if value is not None},
            "context": _plain(vector.facts.context),
        },
        "expected": _plain_decision(vector.decision, untold),
    }


def _plain(value: Any) -> Any:
    """What a field may hold as plain data."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {name: _plain(each) for name, each in members.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    return plain_value(value)


def _untold(book: Rulebook[Any]) -> frozenset[Any]:
    """The sources, None for creation, from which a predicate may forbid some move."""
    return frozenset(
        source
        for source in (None, *book.states)
        for prospect in book.moves_from(source).values()
        if prospect.obstacle is None
        for rule in prospect.rules
        for _ in rule.named()
    )


def _plain_decision(decision: Decision[Any], untold: frozenset[Any]) -> dict[str, Any]:
    """A decision as plain data, without the alternatives that only Python can tell."""
    told = decision.source not in untold
    alternatives = {"alternatives": _plain(decision.alternatives)} if told else {}
    return {
        "result": decision.result.value,
        "denials": [_plain_denial(each, told=told) for each in decision.denials],
        **alternatives,
    }


def _plain_denial(denial: Denial, *, told: bool) -> dict[str, Any]:
    plain = {
        "code": str(denial.code),
        "rule": denial.rule,
        "field": denial.field,
        "actual": _plain(denial.actual),
    }
    expected = denial.expected
    if isinstance(expected, Test | Named | AllOf | AnyOf):
        return {**plain, "expected": plain_condition(expected)}
    is_known = told or denial.code == Code.UNKNOWN_STATE
    return {**plain, "expected": _plain(expected)} if is_known else plain


def load_vectors(text: str, book: Rulebook[Any]) -> tuple[Expectation, ...]:
    """The moves of a document of test vectors, each with its facts and what must be said of it.

    Args:
        text: The document.
        book: The rulebook that they are of; the kinds of its fields say how facts are read.

    Raises:
        WrongTypeError: An argument is of another type.
        InvalidValueError: The document holds no vectors, or those of another rulebook. Every fault
            is named with the path of its place.
    """
    instance(Rulebook, book, "book")
    faults = Noted(VECTORS)
    members = VECTORS.read(text, faults, NO_UPCASTERS)
    faults.keys(members, "the document", ("rulebook", "left_out", "vectors"))
    head = faults.keys(members.get("rulebook"), "rulebook", _identity(book))
    if head.get("fingerprint") != book.fingerprint:
        faults.add("rulebook.fingerprint", f"must be {book.fingerprint!r}, that of the rulebook")
    for n, each in enumerate(faults.items(members.get("left_out"), "left_out", _MOST_ITEMS)):
        faults.keys(each, f"left_out[{n}]", ("from", "to"))
    items = faults.items(members.get("vectors"), "vectors", _MOST_ITEMS)
    read = [_vector(each, f"vectors[{n}]", book, faults) for n, each in enumerate(items)]
    faults.check()
    return tuple(read)


def _vector(data: object, path: str, book: Rulebook[Any], faults: Faults) -> Expectation:
    members = faults.keys(data, path, ("from", "to", "facts", "expected"))
    source, target = members.get("from"), members.get("to")
    if source is not None and not isinstance(source, str):
        faults.add(f"{path}.from", f"must be text or null (got {brief(source)})")
    if not isinstance(target, str):
        faults.add(f"{path}.to", f"must be text (got {brief(target)})")
    facts = faults.keys(members.get("facts"), f"{path}.facts", ("record", "move", "context"))
    roots = {
        name: _mapping(facts.get(name), f"{path}.facts.{name}", faults)
        for name in ("record", "context")
    }
    for field_, kind in book.fields.items():
        root, names = split(field_)
        if root in roots:
            _put(roots[root], names, Kind(kind))
    move = _move(facts.get("move"), f"{path}.facts.move", faults)
    expected = _expected(members.get("expected"), f"{path}.expected", faults)
    case = Facts(roots["record"], Move(source, target, **move), roots["context"])
    return Expectation(cast("str | None", source), cast("str", target), case, expected)


def _mapping(data: object, path: str, faults: Faults) -> dict[str, Any]:
    """Facts as they are written, in dicts of their own."""
    if not isinstance(data, dict):
        faults.add(path, f"must be an object (got {brief(data)})")
        return {}
    return cast("dict[str, Any]", _copied(cast("object", data), path, faults))


def _copied(data: object, path: str, faults: Faults, depth: int = 1) -> object:
    if depth > _DEEPEST:
        faults.add(path, f"is more than {_DEEPEST} deep")
    elif isinstance(data, dict):
        members = cast("dict[str, object]", data).items()
        return {name: _copied(each, path, faults, depth + 1) for name, each in members}
    elif isinstance(data, list):
        return [_copied(each, path, faults, depth + 1) for each in cast("list[object]", data)]
    elif isinstance(data, Unread):
        faults.add(path, f"holds {brief(data)}: write it as a whole number or as text")
    return data


def _put(place: Any, names: tuple[str, ...], kind: Kind) -> None:
    """Put the value of a kind in the place of what writes it; what does not write one stays."""
    for name in names[:-1]:
        place = cast("dict[str, Any]", place).get(name) if isinstance(place, dict) else None
    members = cast("dict[str, Any]", place) if isinstance(place, dict) else {}
    if names[-1] in members:
        value = read_value(kind, members[names[-1]], "", Faults())
        members[names[-1]] = members[names[-1]] if value is None else value


def _move(data: object, path: str, faults: Faults) -> dict[str, Any]:
    members = faults.keys(data, path, (), _OF_MOVE)
    return {
        name: read_value(_OF_MOVE[name], each, f"{path}.{name}", faults)
        for name, each in members.items()
        if name in _OF_MOVE
    }


def _expected(data: object, path: str, faults: Faults) -> dict[str, Any]:
    members = faults.keys(data, path, ("result", "denials"), ("alternatives",))
    faults.tried(f"{path}.result", choice, Result, members.get("result"), "result")
    items = faults.items(members.get("denials"), f"{path}.denials", _MOST_ITEMS)
    for n, each in enumerate(items):
        place = f"{path}.denials[{n}]"
        denial = faults.keys(each, place, ("code", "rule", "field", "actual"), ("expected",))
        faults.tried(f"{place}.code", choice, Code, denial.get("code"), "code")
    return members


def check_vectors(text: str, book: Rulebook[Any]) -> tuple[str, ...]:
    """Where a rulebook decides otherwise than a document of its test vectors says.

    Args:
        text: The document.
        book: The rulebook that they are of.

    Returns:
        A sentence for each vector that does not hold, in order; nothing where all hold.

    Raises:
        WrongTypeError: An argument is of another type.
        InvalidValueError: The document holds no vectors, or those of another rulebook.
    """
    return tuple(_differences(load_vectors(text, book), book))


def _differences(expectations: tuple[Expectation, ...], book: Rulebook[Any]) -> Iterator[str]:
    untold = _untold(book)
    for n, each in enumerate(expectations):
        made = each.facts.move
        decision = book.decide(
            each.source, each.target, each.facts.record, at=made.at, by=made.by, role=made.role,
            entered_at=made.entered_at, context=each.facts.context,
        )  # fmt: skip
        said = _plain_decision(decision, untold)
        for name, wanted in each.expected.items():
            if said.get(name) != wanted:
                yield (
                    f"vectors[{n}]: {decision.explain()}: the {name} must be {brief(wanted, 200)} "
                    f"(got {brief(said.get(name), 200)})"
                )
