from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

from contracts import STRANGE, check_door, check_value
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.pipelines import (
    HUBSPOT_DEFAULT,
    SALESFORCE_DEFAULT,
    SEVEN_STAGES,
    SIX_STAGES,
    Journey,
    Outcome,
    Pipeline,
    Stage,
    check_probability,
)
from salespipeline.rules import Rulebook

READY_MADE = (SEVEN_STAGES, SIX_STAGES, HUBSPOT_DEFAULT, SALESFORCE_DEFAULT)
SHORT = Pipeline("short", [Stage("talk"), Stage("offer")], former={"call": "talk"})


def is_text(value):
    return isinstance(value, str) and value != ""


# Stages


def test_a_stage_is_a_value():
    stage = Stage("offer", "Offer", Outcome.OPEN, "0.5", timedelta(days=14), journey="proposal")
    check_value(
        stage,
        Stage("offer", probability=Decimal("0.50"), rot_after=timedelta(14), journey="proposal"),
        attrs.evolve(stage, key="bid"),
        attrs.evolve(stage, name="Bid"),
        attrs.evolve(stage, outcome="won"),
        attrs.evolve(stage, probability=None),
        attrs.evolve(stage, rot_after=None),
        attrs.evolve(stage, parked=True),
        attrs.evolve(stage, journey=None),
        attrs.evolve(stage, meaning="a bid is out"),
        attrs.evolve(stage, entry="the price is agreed"),
        attrs.evolve(stage, next_step="call"),
    )


def test_a_stage_reads_as_its_key_in_words():
    assert Stage("needs_analysis").name == "Needs analysis"


def test_a_stage_keeps_members_where_text_was_given():
    stage = Stage("offer", outcome="lost", journey="proposal")
    assert stage.outcome is Outcome.LOST
    assert stage.journey is Journey.PROPOSAL


def test_a_strange_part_of_a_stage_is_refused():
    check_door(Stage, takes=is_text)
    check_door(lambda outcome: Stage("x", outcome=outcome))
    check_door(lambda journey: Stage("x", journey=journey), takes=lambda x: x is None)
    check_door(lambda rot: Stage("x", rot_after=rot), takes=lambda x: x is None)
    check_door(
        lambda chance: Stage("x", probability=chance),
        takes=lambda x: x is None or (type(x) is int and x == 0),
    )


@pytest.mark.parametrize("rot_after", [timedelta(), timedelta(days=-1)])
def test_a_stage_does_not_rot_at_once(rot_after):
    with pytest.raises(InvalidValueError, match=r"^rot_after: .* is not more than nothing$"):
        Stage("offer", rot_after=rot_after)


@pytest.mark.parametrize(("given", "kept"), [("0.25", "0.25"), (0, "0"), (1, "1"), ("1.0", "1")])
def test_a_probability_is_kept_exactly(given, kept):
    assert check_probability(given) == Decimal(kept)


@pytest.mark.parametrize("chance", [20, "1.01", "-0.1"])
def test_a_percentage_is_no_probability(chance):
    with pytest.raises(InvalidValueError, match=r"is not from 0 to 1 \(divide a percentage by 100"):
        check_probability(chance)


def test_a_float_is_no_exact_probability():
    with pytest.raises(WrongTypeError, match=r"'probability' must be an exact number.*got 0\.2"):
        check_probability(0.2)


# Pipelines


def test_a_pipeline_is_a_value():
    check_value(
        SHORT,
        Pipeline("short", iter([Stage("talk"), Stage("offer")]), former={"call": "talk"}),
        attrs.evolve(SHORT, key="long"),
        attrs.evolve(SHORT, stages=[Stage("offer"), Stage("talk")]),
        attrs.evolve(SHORT, name="Brief"),
        attrs.evolve(SHORT, former={}),
        attrs.evolve(SHORT, source="a napkin"),
        attrs.evolve(SHORT, rulebook=Rulebook.forward("x", ["talk", "offer", "won", "lost"])),
    )


def test_a_pipeline_without_closing_stages_has_implicit_ones_that_are_not_counted():
    assert SHORT.keys == ("talk", "offer")
    assert SHORT.closing(Outcome.WON) == "won"
    assert SHORT.closing("lost") == "lost"
    assert SHORT.outcome("won") is Outcome.WON
    assert SHORT.stage("lost") == Stage("lost", outcome=Outcome.LOST)
    assert "won" in SHORT


def test_the_first_stage_of_an_outcome_closes():
    pipeline = Pipeline(
        "x",
        [Stage("a"), Stage("signed", outcome="won"), Stage("kept", outcome="won"), Stage("b")],
    )
    assert pipeline.closing(Outcome.WON) == "signed"
    assert pipeline.closing(Outcome.OPEN) == "a"
    assert pipeline.closing(Outcome.LOST) == "lost"
    assert "won" not in pipeline
    check_door(pipeline.closing)


def test_nothing_is_recognised_by_its_name():
    pipeline = Pipeline(
        "odd", [Stage("won", outcome="lost"), Stage("lost", outcome="won"), Stage("talk")]
    )
    assert pipeline.outcome("won") is Outcome.LOST
    assert pipeline.closing(Outcome.WON) == "lost"


def test_every_fault_of_a_pipeline_is_named():
    with pytest.raises(InvalidValueError) as caught:
        Pipeline(
            "broken",
            [Stage("signed", outcome="won"), Stage("signed", outcome="won")],
            former={"signed": "lost", "old": "nowhere"},
            rulebook=Rulebook.free("other", ["elsewhere"]),
        )
    assert caught.value.subject == "pipeline 'broken'"
    assert caught.value.faults == (
        "the stages 'signed' occur twice",
        "no stage is open",
        "the former key 'old' leads to the unknown 'nowhere'",
        "the former key 'signed' is still in use",
        "the rulebook 'other' lacks 'signed', 'lost'",
        "the rulebook 'other' has other stages: 'elsewhere'",
    )


def test_an_open_stage_cannot_take_the_key_of_the_closing_stage_that_lacks():
    with pytest.raises(InvalidValueError, match="the stage 'won' is not won, and neither is anoth"):
        Pipeline("x", [Stage("won")])
    pipeline = Pipeline("x", [Stage("won"), Stage("signed", outcome="won")])
    assert pipeline.outcome("won") is Outcome.OPEN
    assert pipeline.closing(Outcome.WON) == "signed"


def test_an_implicit_closing_stage_cannot_be_retired():
    with pytest.raises(InvalidValueError, match="the former key 'won' is still in use"):
        Pipeline("x", [Stage("talk")], former={"won": "talk"})


def test_a_retired_key_may_lead_to_an_implicit_closing_stage():
    pipeline = Pipeline("x", [Stage("talk")], former={"Closed Lost": "lost"})
    assert pipeline.outcome("Closed Lost") is Outcome.LOST


def test_a_pipeline_without_an_open_stage_is_refused():
    for none in ([], [Stage("signed", outcome="won")]):
        with pytest.raises(InvalidValueError, match="no stage is open"):
            Pipeline("x", none)


def test_a_strange_part_of_a_pipeline_is_refused():
    check_door(lambda key: Pipeline(key, [Stage("a")]), takes=is_text)
    check_door(lambda stages: Pipeline("x", stages))
    check_door(lambda stage: Pipeline("x", [Stage("a"), stage]))
    check_door(lambda book: Pipeline("x", [Stage("a")], rulebook=book))
    check_door(
        lambda former: Pipeline("x", [Stage("a")], former=former),
        takes=lambda x: x is None or x == {},
    )
    check_door(lambda successor: Pipeline("x", [Stage("a")], former={"old": successor}))


def test_a_retired_key_gives_its_successor():
    assert SHORT.current("call") == "talk"
    assert SHORT.current("talk") == "talk"
    assert SHORT.current("nowhere") == "nowhere"
    assert "call" in SHORT
    assert SHORT.stage("call") == Stage("talk")


def test_an_unknown_stage_is_refused_with_those_there_are():
    expected = "unknown stage of pipeline 'short': 'lunch'; known: 'talk', 'offer', 'won', 'lost'"
    for look_up in (SHORT.outcome, SHORT.stage):
        with pytest.raises(UnknownKeyError, match=expected):
            look_up("lunch")
        check_door(look_up)


def test_a_strange_key_is_in_no_pipeline():
    for value in STRANGE:
        assert value not in SHORT
        assert SHORT.current(value) is value


def test_any_stage_may_follow_any_if_not_said_otherwise():
    assert SHORT.rulebook.allowed("offer") == ("talk", "won", "lost")


# Ready-made pipelines


@pytest.mark.parametrize("pipeline", READY_MADE, ids=lambda pipeline: pipeline.key)
def test_a_ready_made_pipeline_names_its_source_and_closes_both_ways(pipeline):
    assert pipeline.source
    for outcome in Outcome:
        assert pipeline.outcome(pipeline.closing(outcome)) is outcome
    assert all(stage.name for stage in pipeline.stages)


def test_the_seven_stages_are_the_seven_broad_stages():
    assert SEVEN_STAGES.keys == tuple(journey.value for journey in Journey)
    assert [stage.journey for stage in SEVEN_STAGES.stages] == list(Journey)
    assert SEVEN_STAGES.outcome("closing") is Outcome.OPEN
    assert SEVEN_STAGES.closing(Outcome.WON) == "follow_up_and_retention"
    assert SEVEN_STAGES.stage("negotiation_and_commitment").name == "Negotiation and commitment"


def test_entering_closing_is_winning_in_the_six_stages():
    assert SIX_STAGES.keys == (
        "contact", "qualification", "meeting", "proposal", "closing", "retention",
    )  # fmt: skip
    assert SIX_STAGES.closing(Outcome.WON) == "closing"
    assert SIX_STAGES.outcome("retention") is Outcome.WON


def test_hubspot_s_default_pipeline_has_its_stage_ids_and_probabilities():
    chances = {stage.key: stage.probability for stage in HUBSPOT_DEFAULT.stages}
    assert chances == {
        "appointmentscheduled": Decimal("0.2"),
        "qualifiedtobuy": Decimal("0.4"),
        "presentationscheduled": Decimal("0.6"),
        "decisionmakerboughtin": Decimal("0.8"),
        "contractsent": Decimal("0.9"),
        "closedwon": 1,
        "closedlost": 0,
    }
    assert HUBSPOT_DEFAULT.closing(Outcome.WON) == "closedwon"
    assert HUBSPOT_DEFAULT.closing(Outcome.LOST) == "closedlost"


def test_salesforce_s_default_stages_have_their_names_and_probabilities():
    chances = [int(stage.probability * 100) for stage in SALESFORCE_DEFAULT.stages]
    assert chances == [10, 10, 20, 50, 60, 70, 75, 90, 100, 0]
    assert SALESFORCE_DEFAULT.closing(Outcome.WON) == "Closed Won"
    assert SALESFORCE_DEFAULT.closing(Outcome.LOST) == "Closed Lost"
    assert SALESFORCE_DEFAULT.keys[0] == "Prospecting"


def test_a_rulebook_with_other_stages_is_refused():
    book = Rulebook.free("odd", ["first", "won", "lost", "elsewhere"])
    with pytest.raises(InvalidValueError, match="'odd' has other stages: 'elsewhere'"):
        Pipeline("p", [Stage("first")], rulebook=book)
