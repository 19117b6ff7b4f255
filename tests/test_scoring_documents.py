"""Score models as documents.

Run as a program, this file writes the shipped schema anew from the types.
"""

import json
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from contracts import check_door
from salespipeline.conditions import all_of, at_least, equals, present
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.interchange._models import dump_model, load_model, model_schema
from salespipeline.scoring import (
    Decay,
    EngagementRule,
    FitRule,
    Matrix,
    ScoreModel,
    Thresholds,
)

SHIPPED = files("salespipeline.interchange").joinpath("schemas", "score_model-1.json")
DAY = timedelta(days=1)
FULL = ScoreModel(
    "leads",
    fit=[
        FitRule("school", equals("attributes.industry", "education"), 30, "who"),
        FitRule("size", all_of(at_least("staff", 50), present("name")), "-2.5"),
    ],
    engagement=[
        EngagementRule("calls", "call", 5, direction="inbound", at_least=2, at_most=9, once=True),
        EngagementRule(
            "forms", "form", "7.25", within=30 * DAY, cap=20, group="web",
            decay=Decay.linear(every=7 * DAY, share="0.25"),
        ),
        EngagementRule("fairs", "fair", 5, decay=Decay.half_life(14 * DAY)),
        EngagementRule("gone", "gone", -5, decay=Decay.expiry(90 * DAY)),
    ],
    group_caps={"who": 40, "web": "50.5"},
    fit_cap=50,
    engagement_cap=60,
    total_cap=100,
    tiers=Thresholds({"hot": 80, "warm": "40.5"}),
    hand_over=80,
    version=3,
    meaning="who is worth a call",
)  # fmt: skip
PLAIN = ScoreModel("m", engagement=[EngagementRule("w", "webinar", 10)], tiers=Matrix([2], [3, 1]))
BARE = ScoreModel("bare", fit=[FitRule("named", present("name"), 1)])


def written(value):
    """The schema as it is shipped."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def changed(path, value, model=FULL):
    """The document of a model with another value at a place."""
    document = json.loads(dump_model(model))
    *way, last = path
    place = document
    for step in way:
        place = place[step]
    place[last] = value
    return json.dumps(document)


@pytest.mark.parametrize("model", [FULL, PLAIN, BARE], ids=["full", "plain", "bare"])
def test_a_model_reads_back_equal_and_its_text_is_canonical(model):
    text = dump_model(model)
    assert load_model(text) == model
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert json.loads(text)["format"] == "salespipeline.score_model"


def test_points_may_be_written_as_numbers_or_as_text():
    text = changed(["fit", 0, "points"], "30.00")
    assert load_model(text) == FULL


FAULTS = [
    (["fit", 0, "points"], 1.5, "fit[0].points: must be a whole number"),
    (["fit", 0, "points"], "0.001", "fit[0].points: '0.001' is not from"),
    (["fit", 0, "name"], "", "fit[0].name: must be text that is not empty"),
    (["fit", 0, "colour"], 1, "fit[0]: has the unknown 'colour'"),
    (["fit", 0, "condition", "op"], "is", "fit[0].condition.op: must be one of"),
    (["fit", 0, "condition", "field"], "move.at", "fit[0].condition: 'move.at' holds instant"),
    (["fit", 0, "condition", "field"], "context.a", "fit[0]: 'context.a' is nothing that a record"),
    (["fit", 1, "name"], "school", "the document: it has several rules named 'school'"),
    (["fit"], {}, "fit: must be an array"),
    (["engagement", 0, "direction"], "up", "engagement[0].direction: unknown direction: 'up'"),
    (["engagement", 0, "at_least"], 0, "engagement[0]: at_least must be from 1"),
    (["engagement", 0, "at_most"], True, "engagement[0].at_most: must be a whole number"),
    (["engagement", 1, "within_days"], -3, "engagement[1].within_days: must be a whole number"),
    (["engagement", 1, "decay", "way"], "fast", "engagement[1].decay.way: unknown way: 'fast'"),
    (["engagement", 1, "decay", "share"], "9", "engagement[1].decay: '9' is not from 0.01"),
    (["engagement", 1, "decay", "days"], None, "engagement[1].decay: 'linear' needs 'after'"),
    (["engagement", 1, "decay"], 5, "engagement[1].decay: must be an object"),
    (["engagement", 1, "once"], 1, "engagement[1].once: must be a bool"),
    (["group_caps"], [], "group_caps: must be an object"),
    (["group_caps"], {"": 5}, "group_caps['']: must be text"),
    (["group_caps", "who"], "much", "group_caps['who']: must be a whole number"),
    (["total_cap"], -1, "the document: the cap of the total must be above 0"),
    (["hand_over"], [], "hand_over: must be a whole number"),
    (["version"], 0, "version: must be a whole number from 1"),
    (["tiers", "of"], "moods", "tiers: must be an object 'of' thresholds or matrix"),
    (["tiers"], 5, "tiers: must be an object 'of' thresholds or matrix"),
    (["tiers", "bounds", 0, "least"], None, "tiers.bounds[0].least: must be a whole number"),
    (["tiers", "bounds", 1, "tier"], "hot", "tiers: the tier 'hot' occurs twice"),
]


@pytest.mark.parametrize(("path", "value", "fault"), FAULTS, ids=[fault for *_, fault in FAULTS])
def test_a_fault_is_named_with_its_place(path, value, fault):
    with pytest.raises(InvalidValueError) as caught:
        load_model(changed(path, value))
    assert caught.value.faults[0].startswith(fault)


def test_all_faults_are_named_at_once():
    document = json.loads(dump_model(FULL))
    document["fit"][0]["points"] = 0.5
    document["engagement"][3]["once"] = None
    del document["hand_over"]
    document["more"] = 1
    with pytest.raises(InvalidValueError) as caught:
        load_model(json.dumps(document))
    places = [fault.split(": ")[:2] for fault in caught.value.faults]
    assert places == [
        ["the document", "lacks 'hand_over'"],
        ["the document", "has the unknown 'more'; known"],
        ["fit[0].points", NO_NUMBER],
        ["engagement[3].once", "must be a bool (got None)"],
    ]


NO_NUMBER = "must be a whole number of at most 2^53 - 1, or any number as text (got 0.5)"


def test_a_fault_of_a_matrix_is_named_with_its_place():
    with pytest.raises(InvalidValueError, match="tiers: the bounds of engagement must fall"):
        load_model(changed(["tiers", "engagement"], [1, 3], PLAIN))


def test_what_is_no_document_is_refused():
    check_door(load_model)
    check_door(dump_model)
    with pytest.raises(InvalidValueError, match=r"format: must be 'salespipeline\.score_model'"):
        load_model('{"format":"salespipeline.rulebook","format_version":1}')
    with pytest.raises(WrongTypeError, match="upcasters"):
        load_model("{}", upcasters=5)


def test_an_older_document_is_lifted():
    text = dump_model(FULL).replace('"format_version":1', '"format_version":0')
    assert load_model(text, upcasters={0: lambda document: document}) == FULL


def test_the_shipped_schema_is_the_one_of_the_types():
    assert SHIPPED.read_text(encoding="utf-8") == written(model_schema())


@pytest.mark.parametrize("model", [FULL, PLAIN, BARE], ids=["full", "plain", "bare"])
def test_the_schema_takes_what_is_written(model):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(model_schema())
    assert list(validator.iter_errors(json.loads(dump_model(model)))) == []


def test_the_schema_refuses_what_reading_refuses_by_form():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(model_schema())
    formal = [(["fit", 0, "points"], 1.5), (["tiers", "of"], "moods"), (["fit", 0, "x"], 1)]
    for path, value in formal:
        assert list(validator.iter_errors(json.loads(changed(path, value)))), path


if __name__ == "__main__":
    Path(str(SHIPPED)).write_text(written(model_schema()), encoding="utf-8")
