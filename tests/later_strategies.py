"""What happens, or is learnt, after an instant: it must change nothing that was known at it."""

from datetime import timedelta

from hypothesis import strategies as st

from record_strategies import hours
from salespipeline.events import Deleted, Opened, Voided


@st.composite
def grown(draw, histories, at, happenings):
    """The same histories with later events, and such as were recorded later."""
    more = []
    for history in histories:
        events = list(history.events)
        for kind, facts in draw(st.lists(happenings, max_size=3)):
            chosen, given_facts = draw(
                st.sampled_from(
                    [
                        (kind, facts),
                        (kind, facts),
                        (Deleted, {}),
                        (Voided, {"voids": events[0].identity, "why": "a mistake"}),
                    ]
                )
            )
            after = at + timedelta(microseconds=1) + draw(hours())
            happened = draw(st.sampled_from([after, at]))
            events.append(
                chosen(
                    record=events[0].record,
                    sequence=len(events) + 1,
                    at=happened,
                    recorded_at=after if happened == at else None,
                    **given_facts,
                )
            )
        more.append(type(history)(events))
    return more


def later_records(histories, at):
    """Whole records that were created after an instant."""
    moved = []
    for history in histories:
        first = history.events[0]
        facts = {"record": "later", "sequence": 1, "at": at + timedelta(seconds=1)}
        if isinstance(first, Opened):
            facts |= {"pipeline": first.pipeline, "stage": first.stage, "outcome": first.outcome}
        moved.append(type(history)([type(first)(**facts)]))
    return moved
