"""Markov chains of counted moves."""

from fractions import Fraction

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.metrics.chain import AbsorbingChain, FromState, solve

# Grinstead and Snell, Introduction to Probability (1997), 11.2: the drunkard's walk on the corners
# 0 to 4, who stays where he is at 0 and 4.
WALK = {(1, 0): 1, (1, 2): 1, (2, 1): 1, (2, 3): 1, (3, 2): 1, (3, 4): 1}


def test_the_drunkards_walk_is_as_published():
    chain = AbsorbingChain.of(WALK, absorbing=[0, 4])
    assert set(chain.transient) == {1, 2, 3}
    visits = [[chain.visits(a)[b] for b in (1, 2, 3)] for a in (1, 2, 3)]
    assert visits == [
        [Fraction(3, 2), 1, Fraction(1, 2)],
        [1, 2, 1],
        [Fraction(1, 2), 1, Fraction(3, 2)],
    ]
    assert [chain.steps(a) for a in (1, 2, 3)] == [3, 4, 3]
    ends = [[chain.absorption(a)[end] for end in (0, 4)] for a in (1, 2, 3)]
    assert ends == [
        [Fraction(3, 4), Fraction(1, 4)],
        [Fraction(1, 2), Fraction(1, 2)],
        [Fraction(1, 4), Fraction(3, 4)],
    ]


def test_counts_are_shares_of_those_that_left_whatever_their_number():
    many = {move: n * 1_000_003 for move, n in WALK.items()}
    chain, one = (AbsorbingChain.of(each, absorbing=[0, 4]) for each in (many, WALK))
    assert chain.absorption(1) == one.absorption(1)
    assert chain.counts[1, 0] == 1_000_003


def test_staying_in_a_state_is_a_step_and_changes_no_end():
    # half stay: as many more steps, the same ends
    chain = AbsorbingChain.of({("a", "a"): 2, ("a", "won"): 1, ("a", "lost"): 1},
                              absorbing=["won", "lost"])  # fmt: skip
    assert chain.absorption("a") == {"won": Fraction(1, 2), "lost": Fraction(1, 2)}
    assert (chain.steps("a"), chain.visits("a")) == (2, {"a": 2})


def test_an_absorbing_state_ends_in_itself_after_no_step():
    chain = AbsorbingChain.of(WALK, absorbing=[0, 4])
    assert chain.absorption(4) == {0: 0, 4: 1}
    assert (chain.steps(0), chain.visits(0)) == (0, {})


def test_a_state_that_nothing_has_left_is_unknown_and_so_is_what_leads_there():
    chain = AbsorbingChain.of(
        {("a", "b"): 3, ("a", "won"): 5, ("b", "x"): 1, ("b", "won"): 1, ("c", "won"): 1},
        absorbing=["won"],
    )
    why = {each.state: each.why_not for each in chain.states}
    assert why == {
        "a": "some go on to 'x', and nothing is known to end from there",
        "b": "some go on to 'x', and nothing is known to end from there",
        "x": "nothing has left it yet",
        "c": None,
    }
    assert chain.absorption("a") is chain.steps("b") is chain.visits("x") is None
    assert chain.absorption("c") == {"won": 1}


def test_a_circle_without_a_way_out_is_unknown_and_divides_nothing_by_0():
    chain = AbsorbingChain.of({("a", "b"): 1, ("b", "a"): 1}, absorbing=["won"])
    assert [each.why_not for each in chain.states] == ["no way leads to an end"] * 2
    assert chain.steps("a") is None


def test_without_moves_there_is_no_state():
    chain = AbsorbingChain.of({}, absorbing=["won"])
    assert (chain.transient, chain.absorbing, chain.states) == ((), ("won",), ())
    assert AbsorbingChain.of({("a", "b"): 0}, absorbing=[]).transient == ()
    assert AbsorbingChain.of(WALK, absorbing=[0, 4, 0]).absorbing == (0, 4)
    assert chain.rows() == []


def test_thirty_states_are_solved_exactly():
    # a game of doubling odds: from each state one up with 2 in 3, one down with 1 in 3
    counts = {(n, n + step): odds for n in range(1, 30) for step, odds in ((1, 2), (-1, 1))}
    chain = AbsorbingChain.of(counts, absorbing=[0, 30])
    ruin = (Fraction(1, 2) ** 1 - Fraction(1, 2) ** 30) / (
        1 - Fraction(1, 2) ** 30
    )  # Feller (1968), XIV.2
    assert chain.absorption(1)[0] == ruin
    assert sum(chain.absorption(17).values()) == 1


def test_floating_point_loses_nothing_where_exits_are_rare():
    rare = 1e-300
    found = solve([[0.0, 1.0], [1 - rare, 0.0]], [0.0, rare], [[0.0], [rare]])
    assert found == [[1.0], [1.0]]


def test_the_results_are_values():
    made = [AbsorbingChain.of(WALK, absorbing=[0, 4]) for _ in range(2)]
    check_value(*made, AbsorbingChain.of(WALK | {(1, 0): 2}, absorbing=[0, 4]))
    state = FromState("a", {"won": Fraction(1)}, Fraction(1), {"a": Fraction(1)})
    check_value(state, FromState("a", {"won": Fraction(1)}, Fraction(1), {"a": Fraction(1)}),
                FromState("b", {"won": Fraction(1)}, Fraction(1), {"a": Fraction(1)}))  # fmt: skip
    assert made[0].to_dicts()[0]["absorbed_0"] == 0.75


def test_what_is_no_chain_is_refused_with_every_fault():
    with pytest.raises(InvalidValueError) as caught:
        AbsorbingChain.of({("a", "b"): -1, ("won", "a"): 2}, absorbing=["won"])
    assert caught.value.faults == (
        "-1 moves from 'a' to 'b'", "the absorbing 'won' is left for 'a'",
    )  # fmt: skip
    for counts in ({("a", "b"): 1.0}, {("a", "b"): True}, {"ab": 1}, {("a",): 1}, {1: 1}):
        with pytest.raises(WrongTypeError):
            AbsorbingChain.of(counts, absorbing=["b"])
    with pytest.raises(UnknownKeyError):
        AbsorbingChain.of(WALK, absorbing=[0, 4]).steps(7)


def test_strange_input_is_refused_at_every_door():
    check_door(
        lambda value: AbsorbingChain.of(value, absorbing=["b"]), takes=lambda value: value == {}
    )
    check_door(
        lambda value: AbsorbingChain.of({("a", "b"): 1}, absorbing=value),
        takes=lambda value: (
            type(value) in (bytes, bytearray, tuple, list, dict, set, range)
            and all(map(_is_hashable, value))
        ),
    )
    chain = AbsorbingChain.of(WALK, absorbing=[0, 4])
    check_door(
        chain.absorption,
        takes=lambda value: value in (0, True, False) if _is_hashable(value) else False,
    )


def _is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True
