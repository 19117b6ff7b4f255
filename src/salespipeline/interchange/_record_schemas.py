"""The JSON Schemas of all documents but those of rules, as the types make them."""

import json
from typing import Any

from salespipeline._doors import LARGEST_WHOLE
from salespipeline.interchange._forms import FORMS, document_shape
from salespipeline.interchange._leaves import (
    DATE,
    DURATION,
    FLOAT,
    INSTANT,
    NUMBER,
    exactly,
)
from salespipeline.interchange._parts import MoneyShape
from salespipeline.interchange._schemas import rulebook_parts
from salespipeline.interchange._values import WHOLE_PATTERN


def record_schema(kind: str) -> dict[str, Any]:
    """The schema of the documents of a kind."""
    form = FORMS[kind]
    parts: dict[str, Any] = {}
    reference = document_shape(kind).schema(parts)
    _add_values(parts)
    head = {"format": {"const": form.format}, "format_version": {"const": form.version}}
    name = reference["$ref"].rpartition("/")[2]
    body = _headed(parts, name, head)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{form.format}:{form.version}",
        "title": f"A document of the kind {kind}",
        **body,
        "$defs": parts,
    }


def _headed(parts: dict[str, Any], name: str, head: dict[str, Any]) -> dict[str, Any]:
    """A part, or each of those that may stand in its place, as a document of its own."""
    body = parts[name]
    if "oneOf" in body:
        names = [each["$ref"].rpartition("/")[2] for each in body["oneOf"]]
        del parts[name]
        return {"oneOf": [_headed(parts, each, head) for each in names]}
    if not _is_used(parts, name):
        del parts[name]
    required = [*head, *body.get("required", ())]
    return {**body, "properties": {**head, **body["properties"]}, "required": required}


def _is_used(parts: dict[str, Any], name: str) -> bool:
    """Whether another part refers to it."""
    others = {each: part for each, part in parts.items() if each != name}
    return f'"#/$defs/{name}"' in json.dumps(others)


def _add_values(parts: dict[str, Any]) -> None:
    """Put what values refer to among the parts, where anything refers to them."""
    written = json.dumps(parts)
    if '"#/$defs/fact"' in written:
        parts.update(rulebook_parts())
    for name, kinds in (("value", _kinds(parts)), ("fact", _more_kinds(parts))):
        if f'"#/$defs/{name}"' in written:
            reference = {"$ref": f"#/$defs/{name}"}
            several = {"type": "array", "items": reference}
            if name == "fact":
                unique = {**several, "uniqueItems": True}
                kinds["set"] = unique
            parts[name] = {
                "anyOf": [
                    {"type": ["string", "boolean", "null"]},
                    {"type": "integer", "minimum": -LARGEST_WHOLE, "maximum": LARGEST_WHOLE},
                    several,
                    *(_kind(kind, schema) for kind, schema in kinds.items()),
                ]
            }


def _kind(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that says its kind."""
    return {
        "type": "object",
        "properties": {"kind": {"const": kind}, "value": schema},
        "required": ["kind", "value"],
        "additionalProperties": False,
    }


def _kinds(parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How each kind of value is written."""
    return {
        "whole": exactly(WHOLE_PATTERN),
        "decimal": NUMBER.schema(parts),
        "float": FLOAT.schema(parts),
        "date": DATE.schema(parts),
        "instant": INSTANT.schema(parts),
        "money": MoneyShape().body(parts),
    }


def _more_kinds(parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How each kind of fact is written."""
    condition = {"$ref": "#/$defs/condition"}
    return {**_kinds(parts), "duration": DURATION.schema(parts), "condition": condition}
