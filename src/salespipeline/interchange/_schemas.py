"""The JSON Schemas of the documents: as shipped, and as the types of the rules make them."""

import json
from importlib.resources import files
from typing import Any

from salespipeline._doors import LARGEST_WHOLE
from salespipeline._kinds import LONGEST_TEXT, Kind
from salespipeline.conditions import (
    DEEPEST,
    EQUALITY,
    HELD,
    LARGEST,
    LASTED,
    LISTED,
    MOVE,
    PRESENCE,
    Op,
)
from salespipeline.errors import UnknownKeyError
from salespipeline.interchange._rulebooks import RULEBOOK
from salespipeline.rules.decisions import OVERRIDABLE, Code, Result
from salespipeline.rules.rule import Way
from salespipeline.rules.table import MOST, Course

SCHEMAS = {"rulebook": RULEBOOK.version}
"""The newest version of each schema of rules that is shipped, by its name."""

KINDS = (
    "attributes", "contact", "contact_history", "deal", "deal_history", "decision", "denial",
    "event", "interval", "money", "next_step", "override", "period", "pipeline", "probability",
    "ruling", "stage", "status", "status_scheme", "term", "trigger", "trigger_set", "visit",
)  # fmt: skip
"""What else documents hold, each kind with a schema of its name."""

VERSIONS: dict[str, int] = {**SCHEMAS, "score_model": 1, **dict.fromkeys(KINDS, 1)}
"""The newest version of every kind of document, which is the one that is written."""


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema, draft 2020-12, of a kind of document in its newest version.

    What it refuses is no such document. Reading asks for more, such as that rules name only states
    that there are.

    Args:
        name: What a document holds: ``rulebook``, or another kind, such as ``deal_history``.

    Raises:
        UnknownKeyError: There is no such schema.

    >>> schema("rulebook")["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    if not isinstance(name, str) or name not in VERSIONS:
        raise UnknownKeyError("schema", name, tuple(VERSIONS))
    shipped = files("salespipeline.interchange").joinpath(
        "schemas", f"{name}-{VERSIONS[name]}.json"
    )
    loaded: dict[str, Any] = json.loads(shipped.read_text(encoding="utf-8"))
    return loaded


def rulebook_schema() -> dict[str, Any]:
    """The schema of rulebooks, made from the types that they are made of."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{RULEBOOK.format}:{RULEBOOK.version}",
        "title": "A rulebook: which moves between states are allowed, and what they need",
    }
    kind = {
        "format": {"const": RULEBOOK.format},
        "format_version": {"const": RULEBOOK.version},
    }
    return {**head, **_object({**kind, **_members()}), "$defs": rulebook_parts()}


def rulebook_parts() -> dict[str, Any]:
    """What the schema of a rulebook refers to."""
    return {**_parts(), **_conditions(), **_values()}


def rulebook_body() -> dict[str, Any]:
    """The schema of a rulebook inside of another document."""
    return _object(_members())


def _members() -> dict[str, Any]:
    return {
        "name": _ref("name"),
        "version": {"type": "integer", "minimum": 1, "maximum": LARGEST_WHOLE},
        "meaning": _ref("text"),
        "states": {**_several("text", MOST), "minItems": 1, "uniqueItems": True},
        "course": _choice(Course),
        "skips": {"type": "boolean"},
        "moves": {"type": "array", "items": _ref("move"), "uniqueItems": True},
        "creation": {**_several("text", MOST), "uniqueItems": True},
        "final": {**_several("text", MOST), "uniqueItems": True},
        "fields": {
            "type": "object",
            "propertyNames": _ref("path"),
            "additionalProperties": _choice(Kind),
        },
        "rules": _several("rule", MOST),
        "grants": _several("grant", MOST),
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _choice(members: Any) -> dict[str, Any]:
    return {"enum": [str(each.value) for each in members]}


def _several(name: str, most: int) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name), "maxItems": most}


def _object(members: dict[str, Any]) -> dict[str, Any]:
    """An object with these members, all of them and no others."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _parts() -> dict[str, Any]:
    """What a rulebook is made of, beside conditions."""
    codes = ", ".join(sorted(OVERRIDABLE))
    return {
        "text": {"type": "string", "maxLength": LONGEST_TEXT},
        "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
        "path": {"type": "string", "maxLength": LONGEST_TEXT, "pattern": _path_pattern()},
        "move": {"type": "array", "items": _ref("text"), "minItems": 2, "maxItems": 2},
        "rule": _object(
            {
                "name": _ref("name"),
                "condition": _ref("condition"),
                "from": _side({"anyOf": [_ref("text"), {"type": "null"}]}),
                "to": _side(_ref("text")),
                "way": _choice(Way),
                "meaning": _ref("text"),
                "message": _ref("text"),
            }
        ),
        "grant": _object(
            {
                "role": _ref("name"),
                "over": {
                    "description": f"names of rules, and {codes}",
                    "type": "array",
                    "items": _ref("name"),
                    "minItems": 1,
                    "uniqueItems": True,
                },
            }
        ),
        "code": {"description": "the codes of denials", **_choice(Code)},
        "result": {"description": "what is said of a move", **_choice(Result)},
    }


def _side(state: dict[str, Any]) -> dict[str, Any]:
    """The states that a rule bears on."""
    return {"anyOf": [{"const": "any"}, {"type": "array", "items": state, "uniqueItems": True}]}


def _path_pattern() -> str:
    """One to eight names with dots between; what a move has; a record's field in its short form."""
    end = r"(?![\s\S])"
    roots = "record|move|context"
    refused = (
        rf"(?:{roots}){end}",
        rf"move\.(?!(?:{'|'.join(MOVE)}){end})",
        rf"record\.(?!(?:{roots})(?:\.|{end}))",
    )
    name = r"(?!__)[^.]+"
    return rf"^(?!{'|'.join(refused)}){name}(?:\.{name}){{0,{DEEPEST - 1}}}{end}"


def _conditions() -> dict[str, Any]:
    """Every form of a condition, and which it may be."""
    equal = [op for op in Op if op in EQUALITY]
    other = PRESENCE | EQUALITY | LISTED | HELD | LASTED
    ordered = [op for op in Op if op not in other]
    single = [kind for kind in Kind if kind not in {Kind.ANY, Kind.TEXTS}]
    forms = {
        "compound": {
            "op": {"enum": ["all", "any"]},
            "conditions": _several("condition", LARGEST),
        },
        "presence": _tested([op for op in Op if op in PRESENCE], {}),
        "holding": _tested([op for op in Op if op in HELD], {"value": _ref("name")}),
        "lasting": _tested([op for op in Op if op in LASTED], {"seconds": _ref("seconds")}),
        **{f"equality of {kind.value}": _compared(equal, kind) for kind in single},
        **{
            f"order of {kind.value}": _compared(ordered, kind)
            for kind in single
            if kind is not Kind.FLAG
        },
        **{
            f"listing of {kind.value}": _listed(kind)
            for kind in (Kind.TEXT, Kind.NUMBER, Kind.DATE)
        },
        "named": {
            "op": {"const": "named"},
            "name": _ref("name"),
            "negated": {"type": "boolean"},
            "params": {
                "type": "object",
                "maxProperties": LARGEST,
                "propertyNames": _ref("name"),
                "additionalProperties": {
                    "anyOf": [_ref("text"), {"type": "boolean"}, _ref("whole")]
                },
            },
        },
    }
    return {"condition": {"oneOf": [{"title": n, **_object(each)} for n, each in forms.items()]}}


def _tested(ops: list[Op], more: dict[str, Any]) -> dict[str, Any]:
    return {"op": _choice(ops), "field": _ref("path"), **more}


def _compared(ops: list[Op], kind: Kind) -> dict[str, Any]:
    return _tested(ops, {"kind": {"const": kind.value}, "value": _ref(f"{kind.value}_value")})


def _listed(kind: Kind) -> dict[str, Any]:
    values = {**_several(f"{kind.value}_value", LARGEST), "minItems": 1, "uniqueItems": True}
    return _tested(
        [op for op in Op if op in LISTED], {"kind": {"const": kind.value}, "values": values}
    )


def _values() -> dict[str, Any]:
    """How the values of each kind are written."""
    end = r"(?![\s\S])"
    day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    fraction = r"(?:\.[0-9]{1,6})?"
    return {
        "whole": {"type": "integer", "minimum": -LARGEST_WHOLE, "maximum": LARGEST_WHOLE},
        "seconds": {"type": "integer", "minimum": 0, "maximum": 86_399_999_999_999},
        "text_value": _ref("text"),
        "flag_value": {"type": "boolean"},
        "number_value": {
            "anyOf": [
                _ref("whole"),
                {
                    "type": "string",
                    "pattern": rf"^-?(?:0|[1-9][0-9]{{0,99}})(?:\.[0-9]{{1,99}})?{end}",
                },
            ]
        },
        "money_value": _object(
            {
                "currency": {"type": "string", "pattern": f"^[A-Z]{{3}}{end}"},
                "minor": _ref("number_value"),
            }
        ),
        "date_value": {"type": "string", "pattern": f"^{day}{end}"},
        "instant_value": {
            "type": "string",
            "pattern": f"^{day}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}{fraction}Z{end}",
        },
    }
