"""Conditions as plain data, there and back; and the one text that plain data has.

Plain data are dicts, lists, text, bools, None and whole numbers, as JSON has them. Numbers that are
not whole, or too large for some reader of JSON, are written as text.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias, cast

from salespipeline._doors import LARGEST_WHOLE, instance
from salespipeline._kinds import (
    Kind,
    constant,
    has_half,
    is_short,
    told_date,
    told_instant,
    told_text,
    told_texts,
)
from salespipeline.conditions import (
    DEEPEST,
    HELD,
    LARGEST,
    LASTED,
    LISTED,
    PRESENCE,
    AllOf,
    AnyOf,
    Condition,
    Named,
    Op,
    Test,
    check_name,
    check_operand,
    check_params,
    check_path,
    kinds_of,
)
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.money import Money

Plain: TypeAlias = "dict[str, Any] | list[Any] | str | bool | int | None"

_DEEPEST_DATA = 64
"""How deep plain data may be: deeper than a rulebook is, and no danger to the stack."""

_SETS = (set, frozenset)

_MOST_NAMED = 8
"""How many of the unknown members of an object a fault names."""


# The one text


def canonical(data: Plain) -> str:
    """Plain data as the one JSON text that they have.

    Raises:
        InvalidValueError: They hold what has no such text: a number that is not whole or beyond
            2 ** 53 - 1, half of a character, a name that is no text, or lists too deep.

    Source: RFC 8785, JSON Canonicalization Scheme, for data without fractions.
    """
    return _canonical(data, 0)


def _canonical(data: Any, depth: int) -> str:
    if isinstance(data, str):
        return _quoted(data)
    if data is None or isinstance(data, bool):
        return {None: "null", True: "true", False: "false"}[data]
    if isinstance(data, int) and -LARGEST_WHOLE <= data <= LARGEST_WHOLE:
        return int.__repr__(data)
    if depth < _DEEPEST_DATA and isinstance(data, list):
        items = (_canonical(each, depth + 1) for each in cast("list[Any]", data))
        return f"[{','.join(items)}]"
    if depth < _DEEPEST_DATA and isinstance(data, dict):
        members = cast("dict[Any, Any]", data)
        quoted = {name: _quoted(name) for name in members}
        return "{" + ",".join(
            f"{quoted[name]}:{_canonical(members[name], depth + 1)}"
            for name in sorted(members, key=_utf_16)
        ) + "}"  # fmt: skip
    raise InvalidValueError("plain data", (f"{brief(data)} has no canonical text",))


def _quoted(text: object) -> str:
    import json  # noqa: PLC0415 - few ask, and importing it takes long

    if not isinstance(text, str) or has_half(text):
        raise InvalidValueError("plain data", (f"{brief(text)} is not text of whole characters",))
    return json.dumps(text, ensure_ascii=False)


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")


# To plain data


def plain_value(value: Any) -> Plain:
    """A value as plain data, what is of no kind as its text in a message.

    A whole number is a JSON number up to 2 ** 53 - 1 and text beyond; any other number is text;
    an instant is ``2026-03-01T09:00:00.000000Z``; money is its currency and its minor units;
    a duration is its whole seconds; a set is sorted.
    """
    return _plain_value(value, 1)


def _plain_value(value: Any, depth: int) -> Plain:
    type_ = cast("type[object]", type(value))  # what it says of its type is not believed
    if value is None or type_ is bool:
        return cast("bool | None", value)
    if issubclass(type_, Money):
        return {"currency": value.currency, "minor": _plain_single(value.minor)}
    if issubclass(type_, timedelta):
        return cast("int", value // timedelta(seconds=1))
    if depth <= DEEPEST and issubclass(type_, (*_SETS, tuple, list)):
        members = [_plain_value(each, depth + 1) for each in value]
        return sorted(members, key=str) if issubclass(type_, _SETS) else members
    return _plain_single(value)


def _plain_single(value: Any) -> str | int:
    type_ = cast("type[object]", type(value))
    text, at, day = told_text(value), told_instant(value), told_date(value)
    if text is not None:
        return brief(text) if has_half(text) else text
    if issubclass(type_, int):
        return _plain_whole(int.__int__(value))
    if issubclass(type_, Decimal):
        exact = Decimal(value)
        return f"{exact:f}" if is_short(exact) else brief(exact)
    if at is not None:
        return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return brief(value) if day is None else day.isoformat()


def _plain_whole(number: int) -> str | int:
    if -LARGEST_WHOLE <= number <= LARGEST_WHOLE:
        return number
    return str(number) if is_short(number) else brief(number)


def plain_condition(condition: Condition) -> dict[str, Any]:
    """A condition as plain data."""
    if isinstance(condition, Named):
        return {
            "op": "named", "name": condition.name, "negated": condition.negated,
            "params": {name: plain_value(value) for name, value in condition.params.items()},
        }  # fmt: skip
    if isinstance(condition, AllOf | AnyOf):
        joint = "all" if isinstance(condition, AllOf) else "any"
        return {"op": joint, "conditions": [plain_condition(each) for each in condition.conditions]}
    plain: dict[str, Any] = {"op": condition.op.value, "field": condition.path}
    if condition.op in LASTED:
        plain["seconds"] = plain_value(condition.value)
    elif condition.op in LISTED:
        plain |= {"kind": condition.kind.value, "values": plain_value(condition.value)}
    elif condition.op in HELD:
        plain["value"] = condition.value
    elif condition.op not in PRESENCE:
        plain |= {"kind": condition.kind.value, "value": plain_value(condition.value)}
    return plain


# From plain data


class Faults:
    """What is wrong with a document, each fault with the path of its place.

    Attributes:
        found: The faults, in the order found.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, path: str, why: object) -> None:
        """Note a fault."""
        self.found.append(f"{path}: {why}")

    def tried(self, path: str, make: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """What a maker makes, or None where it refuses; all its faults are noted."""
        try:
            return make(*args, **named)
        except InvalidValueError as refused:
            for why in refused.faults:
                self.add(path, why)
        except WrongTypeError as refused:
            self.add(path, f"must be {refused.expected} (got {brief(refused.value)})")
        except SalesPipelineError as refused:
            self.add(path, refused)
        return None

    def keys(
        self, data: object, path: str, needed: Iterable[str], other: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The members of an object; what it lacks, and what is not known, is noted."""
        if not isinstance(data, dict):
            self.add(path, f"must be an object (got {brief(data)})")
            return {}
        members = cast("dict[str, Any]", data)
        for name in needed:
            if name not in members:
                self.add(path, f"lacks {name!r}")
        known = (*needed, *other)
        unknown = [name for name in members if name not in known]
        if unknown:
            shown = [brief(name) for name in unknown[:_MOST_NAMED]]
            more = [f"{len(unknown) - len(shown):,} more"] if len(unknown) > len(shown) else []
            self.add(path, f"has the unknown {', '.join(shown + more)}; known: {', '.join(known)}")
        return members

    def items(self, data: object, path: str, most: int) -> list[Any]:
        """The items of an array; none where it is no array or too long, which is noted."""
        if not isinstance(data, list):
            self.add(path, f"must be an array (got {brief(data)})")
            return []
        items = cast("list[Any]", data)
        if len(items) > most:
            self.add(path, f"must be an array of at most {most:,} items (got {len(items):,})")
            return []
        return items


_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", re.ASCII
)


def _read_text(data: object) -> str | None:
    return data if isinstance(data, str) else None


def _read_flag(data: object) -> bool | None:
    return data if isinstance(data, bool) else None


def _read_number(data: object) -> int | Decimal | None:
    if isinstance(data, str):
        return Decimal(data) if _NUMBER.fullmatch(data) else None
    if isinstance(data, bool) or not isinstance(data, int):
        return None
    return data if -LARGEST_WHOLE <= data <= LARGEST_WHOLE else None


def _read_money(data: object) -> Money | None:
    members = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    minor = _read_number(members.get("minor"))
    if minor is None or minor != int(minor) or members.keys() != {"currency", "minor"}:
        return None
    return Money.of_minor(int(minor), members["currency"])


def _read_date(data: object) -> date | None:
    return date.fromisoformat(data) if isinstance(data, str) and _DATE.fullmatch(data) else None


def _read_instant(data: object) -> datetime | None:
    if not isinstance(data, str) or not _INSTANT.fullmatch(data):
        return None
    return datetime.fromisoformat(data)


def _read_texts(data: object) -> frozenset[str] | None:
    return told_texts(cast("object", data)) if isinstance(data, list) else None


_READ: Mapping[Kind, tuple[Callable[[object], Any], str]] = {
    Kind.ANY: (lambda data: data, "anything"),
    Kind.TEXT: (_read_text, "text"),
    Kind.FLAG: (_read_flag, "true or false"),
    Kind.NUMBER: (_read_number, "a whole number of at most 2^53 - 1, or any number as text"),
    Kind.MONEY: (_read_money, 'money as {"currency": "EUR", "minor": 100}'),
    Kind.DATE: (_read_date, 'a date as "2026-03-01"'),
    Kind.INSTANT: (_read_instant, 'an instant as "2026-03-01T09:00:00Z"'),
    Kind.TEXTS: (_read_texts, "an array of text"),
}
"""How the values of a kind are read, and what they are called."""


def read_value(kind: Kind, data: object, path: str, faults: Faults) -> Any:
    """The value of a kind that plain data write; None, with the fault noted, where they do not."""
    read, called = _READ[kind]
    try:
        value = read(data)
    except (SalesPipelineError, ValueError):
        value = None
    if value is None:
        faults.add(path, f"must be {called} (got {brief(data)})")
    return value


def read_condition(data: object, path: str, faults: Faults) -> Condition | None:
    """The condition that plain data write, as it is written; None where anything is wrong.

    Args:
        data: The plain data.
        path: Where they stand in their document.
        faults: Where every fault is noted.
    """
    if _is_too_large(data):
        faults.add(path, f"holds more than {LARGEST} conditions")
        return None
    return _read(data, path, faults, 1)


def _is_too_large(data: object) -> bool:
    """Whether there are more conditions in it than one may hold; no more of them are looked at."""
    ahead = [data]
    met = 0
    while ahead and met <= LARGEST:
        met += 1
        each = ahead.pop()
        inner = cast("dict[str, object]", each).get("conditions") if isinstance(each, dict) else ()
        if isinstance(inner, list):
            ahead += cast("list[object]", inner)[: LARGEST + 1]
    return bool(ahead)


def _read(data: object, path: str, faults: Faults, depth: int) -> Condition | None:
    members = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    if "op" not in members:
        faults.add(path, f"must be an object with an 'op' (got {brief(cast('object', data))})")
        return None
    op, known = members["op"], ("all", "any", "named", *Op)
    if not isinstance(op, str) or op not in known:
        faults.add(f"{path}.op", f"must be one of {', '.join(known)} (got {brief(op)})")
        return None
    if op == "named":
        return _read_named(members, path, faults)
    if op in {"all", "any"}:
        joint = AllOf if op == "all" else AnyOf
        return _read_compound(joint, members, path, faults, depth)
    return _read_test(Op(op), members, path, faults)


def _read_compound(
    joint: type[AllOf] | type[AnyOf], data: dict[str, Any], path: str, faults: Faults, depth: int
) -> Condition | None:
    members = faults.keys(data, path, ("op", "conditions"))
    if depth >= DEEPEST and members.get("conditions"):
        faults.add(path, f"is more than {DEEPEST} deep")
        return None
    before = len(faults.found)
    inner = f"{path}.conditions"
    items = faults.items(members.get("conditions", []), inner, LARGEST)
    parts = [_read(each, f"{inner}[{n}]", faults, depth + 1) for n, each in enumerate(items)]
    if len(faults.found) > before or "conditions" not in members:
        return None
    return cast("Condition | None", faults.tried(path, joint, tuple(parts)))


def _read_named(data: dict[str, Any], path: str, faults: Faults) -> Named | None:
    before = len(faults.found)
    members = faults.keys(data, path, ("op", "name", "params", "negated"))
    doors: dict[str, Callable[[object, str], object]] = {
        "name": check_name,
        "params": check_params,
        "negated": lambda value, name: instance(bool, value, name),
    }
    for name, door in doors.items():
        if name in members:
            faults.tried(f"{path}.{name}", door, members[name], name)
    if len(faults.found) > before:
        return None
    return Named(members["name"], members["params"], members["negated"])


def _read_test(op: Op, data: dict[str, Any], path: str, faults: Faults) -> Test | None:
    before = len(faults.found)
    names = _MEMBERS.get(op, ("op", "field", "kind", "value"))
    members = faults.keys(data, path, names)
    if "field" in members:
        written = members["field"]
        field = faults.tried(f"{path}.field", check_path, written)
        if field is not None and field != written:
            faults.add(f"{path}.field", f"must be {brief(field)} (got {brief(written)})")
    value = None
    kind = _read_kind(op, members, path, faults) if "kind" in names else Kind.TEXT
    last = names[-1]
    if last in members and kind is not None and op not in PRESENCE:
        value = _read_operand(op, kind, members[last], f"{path}.{last}", faults)
    if len(faults.found) > before:
        return None
    return cast("Test | None", faults.tried(path, Test, members["field"], op, value))


def _read_kind(op: Op, members: dict[str, Any], path: str, faults: Faults) -> Kind | None:
    """The declared kind of a test's constant, where its operator can compare it."""
    if "kind" not in members:
        return None
    known = [kind for kind in Kind if kind in kinds_of(op)]
    if members["kind"] in known:
        return Kind(members["kind"])
    faults.add(f"{path}.kind", f"must be {', '.join(known)} (got {brief(members['kind'])})")
    return None


def _read_operand(op: Op, kind: Kind, data: object, path: str, faults: Faults) -> Any:
    """A test's constant; None, with the fault noted, where there is none."""
    before = len(faults.found)
    if op in LASTED:
        value: Any = faults.tried(path, _seconds, data)
    elif op in LISTED:
        items = faults.items(data, path, LARGEST)
        value = [_read_constant(kind, each, f"{path}[{n}]", faults) for n, each in enumerate(items)]
    else:
        value = _read_constant(kind, data, path, faults)
    made = None if len(faults.found) > before else faults.tried(path, check_operand, op, value)
    if made is not None and op in LISTED and len(made[1]) < len(value):
        faults.add(path, "lists a value twice")
    return value


def _read_constant(kind: Kind, data: object, path: str, faults: Faults) -> Any:
    value = read_value(kind, data, path, faults)
    return None if value is None else faults.tried(path, lambda: constant(value)[1])


def _seconds(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_SECONDS:
        raise WrongTypeError("seconds", f"a whole number from 0 to {_MOST_SECONDS:,}", value)
    return timedelta(seconds=value)


_MOST_SECONDS = timedelta.max // timedelta(seconds=1)
_MEMBERS: Mapping[Op, tuple[str, ...]] = {
    **dict.fromkeys(PRESENCE, ("op", "field")),
    **dict.fromkeys(HELD, ("op", "field", "value")),
    **dict.fromkeys(LISTED, ("op", "field", "kind", "values")),
    **dict.fromkeys(LASTED, ("op", "field", "seconds")),
}
"""The members that a test has, by its operator; the others compare a value of a kind."""
