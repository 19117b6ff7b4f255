"""Where deals go from each stage."""

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.metrics import Rate
from salespipeline.metrics.moves import Move, Moves, StageFlow, moves
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.rules import Way
from salespipeline.tallies import lifetimes, visits
from stories import day, deal, given_to, lost, moved, reopened, won

BOARD = Pipeline(
    "board",
    [
        Stage("talk"),
        Stage("hold", parked=True),
        Stage("offer"),
        Stage("terms"),
        Stage("signed", outcome="won"),
        Stage("gone", outcome="lost"),
    ],
    former={"call": "talk"},
)
BODY = (
    deal(0, moved(3, "offer"), moved(5, "terms"), won(9)),
    deal(0, moved(3, "offer"), moved(4, "talk"), lost(6)),
    deal(0, moved(3, "terms"), won(4)),
    deal(0, won(4)),
    deal(0, lost(2), reopened(3)),
    deal(0, moved(2, "hold")),
    deal(0),
)


def flows(found):
    return {flow.stage: (flow.entered, flow.left, flow.still_there) for flow in found.stages}


def went(found, stage):
    return {move.next_stage: (move.n, move.way) for move in found.of(stage).moves}


def test_the_results_are_values():
    move = Move("a", "x", "a", "y", None, Rate.of(1, 2))
    check_value(move, Move("a", "x", "a", "y", None, Rate.of(1, 2)),
                Move("a", "x", "a", "y", None, Rate.of(2, 2)))  # fmt: skip
    flow = StageFlow("a", "x", 3, 2, 1, (move,))
    check_value(flow, StageFlow("a", "x", 3, 2, 1, (move,)), StageFlow("a", "x", 3, 2, 1, ()))
    check_value(Moves((flow,)), Moves((flow,)), Moves(()))


def test_what_entered_a_stage_left_it_or_is_still_there():
    found = moves(BODY, as_of=day(50), pipelines=[BOARD])
    assert flows(found) == {
        "talk": (9, 7, 2),
        "hold": (1, 0, 1),
        "offer": (2, 2, 0),
        "terms": (2, 2, 0),
        "signed": (3, 0, 3),
        "gone": (2, 1, 1),
    }
    assert found.n == 12


def test_a_move_says_how_many_of_those_that_left_it_is_and_which_way_it_goes():
    found = moves(BODY, as_of=day(50), pipelines=[BOARD])
    assert went(found, "talk") == {
        "offer": (2, Way.FORWARD),
        "gone": (2, None),
        "hold": (1, None),
        "signed": (1, Way.SKIP),
        "terms": (1, Way.SKIP),
    }
    assert went(found, "offer") == {"terms": (1, Way.FORWARD), "talk": (1, Way.BACKWARD)}
    assert went(found, "terms") == {"signed": (2, Way.FORWARD)}
    assert went(found, "gone") == {"talk": (1, None)}
    assert (found.backward, found.skipping) == (1, 2)
    assert found.share("talk", "offer") == Rate.of(2, 7)
    assert found.share("offer", "signed") == Rate.of(0, 2)
    assert found.share("hold", "talk") == Rate.of(0, 0)


def test_moves_between_won_stages_and_to_another_pipeline_go_no_way():
    many = Pipeline(
        "board",
        [Stage("talk"), Stage("signed", outcome="won"), Stage("kept", outcome="won")],
    )
    other = Pipeline("lean", [Stage("talk"), Stage("trial")])
    body = (deal(0, won(3), moved(5, "kept")), deal(0, moved(4, "trial", pipeline="lean")))
    found = moves(body, as_of=day(50), pipelines=[many, other])
    ways = {(move.stage, move.next_stage): move.way for flow in found.stages for move in flow.moves}
    assert ways == {
        ("signed", "kept"): None,
        ("talk", "signed"): Way.FORWARD,
        ("talk", "trial"): None,
    }


def test_without_the_pipeline_no_way_is_known_and_stages_come_by_key():
    found = moves(BODY, as_of=day(50))
    assert [flow.stage for flow in found.stages] == sorted(flows(found))
    assert (found.backward, found.skipping) == (0, 0)


def test_a_retired_stage_counts_for_its_successor_and_the_renaming_is_no_move():
    body = (
        deal(0, moved(3, "talk"), won(5), stage="call"),
        deal(0, moved(2, "offer"), stage="call"),
    )
    found = moves(body, as_of=day(50), pipelines=[BOARD])
    assert flows(found)["talk"] == (2, 2, 0)
    assert went(found, "talk") == {"offer": (1, Way.FORWARD), "signed": (1, Way.SKIP)}
    assert "call" in flows(moves(body, as_of=day(50)))


def test_the_most_frequent_move_comes_first():
    found = moves(BODY, as_of=day(50), pipelines=[BOARD])
    assert [move.next_stage for move in found.of("talk").moves] == [
        "gone", "offer", "hold", "signed", "terms",
    ]  # fmt: skip


def test_the_matrix_has_every_stage_both_ways_with_zeros():
    found = moves(BODY, as_of=day(50), pipelines=[BOARD])
    matrix = found.matrix()
    assert list(matrix) == [("board", flow.stage) for flow in found.stages]
    assert all(list(row) == list(matrix) for row in matrix.values())
    assert matrix["board", "talk"]["board", "offer"] == 2
    assert matrix["board", "offer"]["board", "offer"] == 0
    assert [sum(row.values()) for row in matrix.values()] == [7, 0, 2, 2, 0, 1]


def test_groups_are_of_the_beginning_of_the_visit():
    body = [deal(0, given_to(1, "bob"), moved(3, "offer"), won(5), owner="ada")]
    found = moves(body, as_of=day(50), by="owner")
    assert flows(found["ada"]) == {"offer": (0, 0, 0), "talk": (1, 1, 0)}
    assert flows(found["bob"]) == {"offer": (1, 1, 0), "signed": (1, 0, 1)}
    assert found.as_of == day(50)


def test_a_tally_of_visits_gives_the_same_and_the_level_sets_the_interval():
    tally = visits(BODY, as_of=day(50))
    assert moves(tally) == moves(BODY, as_of=day(50))
    narrow = moves(tally, level=0.5).share("talk", "offer").interval
    assert narrow.level == 0.5
    with pytest.raises(InvalidValueError, match="needs visits"):
        moves(lifetimes(BODY, as_of=day(50)))


def test_without_deals_there_are_the_stages_of_the_pipelines_alone():
    assert flows(moves([], as_of=day(1))) == {}
    assert flows(moves([], as_of=day(1), pipelines=[BOARD]))["talk"] == (0, 0, 0)
    assert str(moves([], as_of=day(1))) == "nothing"


def test_rows_are_one_for_each_move_and_one_for_a_stage_that_nothing_left():
    rows = moves(BODY, as_of=day(50), pipelines=[BOARD]).to_dicts()
    assert [(row["stage"], row["next_stage"]) for row in rows][4:7] == [
        ("talk", "terms"), ("hold", None), ("offer", "talk"),
    ]  # fmt: skip
    first = rows[0]
    assert (first["entered"], first["n"], first["share_denominator"]) == (9, 2, 7)
    assert {len(row) for row in rows} == {len(first)}
    assert "terms" in str(moves(BODY, as_of=day(50)))
    assert "<th>next_stage</th>" in moves(BODY, as_of=day(50))._repr_html_()
    assert moves([deal(0)], as_of=day(1)).of("talk").rows()[0]["n"] is None


def test_a_stage_that_several_pipelines_have_needs_its_pipeline():
    body = (deal(0), deal(0, pipeline="lean"))
    found = moves(body, as_of=day(5))
    assert found.of(("lean", "talk")).entered == 1
    with pytest.raises(InvalidValueError, match="'board', 'lean' have one"):
        found.of("talk")
    with pytest.raises(UnknownKeyError, match="'nowhere'"):
        found.of("nowhere")
    with pytest.raises(UnknownKeyError):
        found.share(("lean", "talk"), "nowhere")


def test_strange_input_is_refused_at_every_door():
    check_door(
        lambda value: moves(value, as_of=day(1)),
        takes=lambda value: (
            type(value) in (bytes, bytearray, tuple, list, dict, set, range) and not value
        ),
    )
    check_door(lambda value: moves(BODY, as_of=value))
    check_door(lambda value: moves(BODY, as_of=day(1), by=value), takes=lambda v: v is None)
    check_door(
        lambda value: moves(BODY, as_of=day(1), pipelines=value),
        takes=lambda value: type(value) in (tuple, list, dict, set) and not value,
    )
    check_door(lambda value: moves(BODY, as_of=day(1), level=value))
    check_door(moves(BODY, as_of=day(1)).of)
