"""Score models as documents, there and back, and the schema of such a document."""

from collections.abc import Iterable, Mapping
from typing import Any

from salespipeline._doors import LARGEST_WHOLE, instance
from salespipeline.events import Direction
from salespipeline.interchange._documents import NO_UPCASTERS, Form, Noted, Upcaster
from salespipeline.interchange._schemas import rulebook_schema
from salespipeline.scoring.decay import Fading
from salespipeline.scoring.model import ScoreModel
from salespipeline.scoring.points import MOST_DAYS
from salespipeline.scoring.reading import read_model
from salespipeline.scoring.rules import MOST_OCCURRENCES
from salespipeline.scoring.sheet import MOST_RULES
from salespipeline.scoring.tiers import MOST_TIERS

SCORE_MODEL = Form("score model", "salespipeline.score_model", 1, 1_000_000)


def dump_model(model: ScoreModel) -> str:
    """A score model as a JSON document, in the canonical form of RFC 8785.

    Equal models have equal documents.

    Args:
        model: The score model.

    Raises:
        InvalidValueError: It is too long to be read back.

    >>> from salespipeline.scoring import EngagementRule
    >>> text = dump_model(ScoreModel("leads", engagement=[EngagementRule("w", "webinar", 10)]))
    >>> text[:53]
    '{"engagement":[{"activity":"webinar","at_least":1,"at'
    """
    return SCORE_MODEL.written(instance(ScoreModel, model, "model").to_plain())


def load_model(text: str, *, upcasters: Mapping[int, Upcaster] = NO_UPCASTERS) -> ScoreModel:
    """The score model that a JSON document holds: equal to the one that was written.

    Args:
        text: The document, of at most 1,000,000 characters.
        upcasters: For each older version of the format, a function that lifts the dict of such a
            document to the next version.

    Raises:
        WrongTypeError: An argument is of another type.
        InvalidValueError: The document is none that holds a score model. Every fault is named
            with the path of its place, the first thousand of them.

    >>> from salespipeline.scoring import EngagementRule
    >>> model = ScoreModel("leads", engagement=[EngagementRule("w", "webinar", 10)])
    >>> load_model(dump_model(model)) == model
    True
    """
    faults = Noted(SCORE_MODEL)
    model = read_model(SCORE_MODEL.read(text, faults, upcasters), faults)
    faults.check()
    return model  # type: ignore[return-value] # without a fault there is one


# The schema


def model_schema() -> dict[str, Any]:
    """The schema of score models, made from the types that they are made of."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCORE_MODEL.format}:{SCORE_MODEL.version}",
        "title": "A score model: what leads are worth, for who they are and for what they do",
    }
    points, capped = _ref("number_value"), _maybe(_ref("number_value"))
    members = {
        "format": {"const": SCORE_MODEL.format},
        "format_version": {"const": SCORE_MODEL.version},
        "name": _ref("name"),
        "version": {"type": "integer", "minimum": 1, "maximum": LARGEST_WHOLE},
        "meaning": _ref("text"),
        "fit": _several(_ref("fit_rule"), MOST_RULES),
        "engagement": _several(_ref("engagement_rule"), MOST_RULES),
        "group_caps": {
            "type": "object", "propertyNames": _ref("name"), "additionalProperties": points
        },
        **dict.fromkeys(("fit_cap", "engagement_cap", "total_cap", "hand_over"), capped),
        "tiers": _maybe({"oneOf": [_ref("thresholds"), _ref("matrix")]}),
    }  # fmt: skip
    return {**head, **_object(members), "$defs": {**_parts(), **_of_rulebooks()}}


def _of_rulebooks() -> dict[str, Any]:
    """What a document of rulebooks has, too: conditions and values."""
    named = ("text", "name", "path", "condition", "whole", "seconds")
    known = rulebook_schema()["$defs"]
    return {name: each for name, each in known.items() if name in named or name.endswith("_value")}


def _parts() -> dict[str, Any]:
    points = _ref("number_value")
    sides = {**_several(points, MOST_TIERS), "minItems": 1}
    bound = _object({"tier": _ref("name"), "least": points})
    days = {"type": "integer", "minimum": 1, "maximum": MOST_DAYS}
    count = {"type": "integer", "minimum": 1, "maximum": MOST_OCCURRENCES}
    ways = [way.value for way in Fading]
    return {
        "fit_rule": _object(
            {"name": _ref("name"), "condition": _ref("condition"), "points": points}
            | {"group": _ref("text")}
        ),
        "engagement_rule": _object(
            {
                "name": _ref("name"), "activity": _ref("name"), "points": points,
                "direction": {"enum": [None, *(way.value for way in Direction)]},
                "at_least": count, "at_most": _maybe(count), "within_days": _maybe(days),
                "once": {"type": "boolean"}, "decay": _ref("decay"), "cap": _maybe(points),
                "group": _ref("text"),
            }
        ),
        "decay": _object({"way": {"enum": ways}, "days": _maybe(days), "share": _maybe(points)}),
        "thresholds": _object(
            {
                "of": {"const": "thresholds"},
                "bounds": {**_several(bound, MOST_TIERS), "minItems": 1},
            }
        ),
        "matrix": _object({"of": {"const": "matrix"}, "fit": sides, "engagement": sides}),
    }  # fmt: skip


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _several(schema: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": schema, "maxItems": most}


def _object(members: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these members, all of them and no others."""
    required: Iterable[str] = members
    return {
        "type": "object",
        "properties": {**members},
        "required": [*required],
        "additionalProperties": False,
    }
