"""What interfaces answer: any JSON, and good objects damaged; what reading them must keep."""

import copy
from datetime import UTC

from hypothesis import strategies as st

from salespipeline.errors import SalesPipelineError

TELLING = (
    None, True, False, 0, 1, -1, 2, 5, 7, 100, 101, 1e300, 0.1, 12.345, 10**40, 2**53 + 1,
    "", " ", "0", "1", "2", "5", "7", "open", "won", "lost", "deleted", "EUR", "eur", "xx",
    "2026-03-05 10:00:00", "2026-03-05T10:00:00Z", "2026-03-05", "0000-00-00 00:00:00",
    "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "soon", "nan", "\x00", "a" * 300,
    "add_time", "stage_id", "status", "d_stageid", "d_groupid", "userid", "note", "person",
)  # fmt: skip


def json_values():
    """Any value that JSON can say, NaN and infinity as Python reads them included."""
    plain = st.one_of(
        st.sampled_from(TELLING), st.none(), st.booleans(), st.integers(), st.floats(),
        st.text(max_size=6),
    )  # fmt: skip
    names = st.sampled_from(
        ["id", "data", "item", "object", "value", "deals", "custom_fields", "timestamp"]
    ) | st.text(max_size=4)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


@st.composite
def mutated(draw, *good):
    """One of several good objects with some members replaced or taken away, or no object."""
    if draw(st.integers(0, 14)) == 0:
        return draw(json_values())
    one = copy.deepcopy(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(0, 4))):
        place = one
        inner = [each for each in one.values() if isinstance(each, dict) and each]
        if inner and draw(st.booleans()):
            place = draw(st.sampled_from(inner))
        name = draw(st.sampled_from(sorted(place))) if place else "x"
        if draw(st.integers(0, 3)) == 0:
            place.pop(name, None)
        else:
            place[name] = draw(st.sampled_from(TELLING) | json_values())
    return one


def adds_up(found, *tables):
    """Assert that every row is used or refused, and every problem can be acted on."""
    rows = sum(len(table) for table in tables)
    assert found.used + found.refused == rows
    refused = [problem for problem in found.problems if problem.refused]
    assert len(refused) == found.refused
    for problem in found.problems:
        assert problem.reason
        assert repr(problem)
        assert problem.table
    for history in found.histories:
        identities = [event.identity for event in history.events]
        assert len(set(identities)) == len(identities)
        assert all(event.at.tzinfo is UTC for event in history.events)


def ends_well(read):
    """Assert that reading ends in a result or one of our errors."""
    assert said_by(read)


def said_by(read):
    """What an error of ours says, or that all went well."""
    try:
        read()
    except SalesPipelineError as error:
        return str(error)
    return "read"
