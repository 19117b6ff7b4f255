"""Hypothesis strategies for bodies of records to audit: contacts and deals that know each other."""

from datetime import date, timedelta

from attrs import evolve
from hypothesis import strategies as st

from record_strategies import (
    BOARD,
    LEAN,
    STRICT,
    contact_runs,
    deal_runs,
    moments,
    read_contacts,
    read_deals,
)
from salespipeline.audit import CATALOGUE, Limits, Suppression
from salespipeline.events import Voided
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LIFECYCLE, RECYCLABLE_STATUSES, STANDARD_STATUSES
from salespipeline.pipelines import SIX_STAGES

IDS = ["r-0", "r-1", "r-2", "r-3"]
ACCOUNTS = st.sampled_from([None, "a-1", "a-2"])
EMAILS = st.sampled_from([None, "", "n/a", "a@b.com", "A+x@b.com", "x@example.com", "<b>@x.com"])
NAMES = st.sampled_from([None, "", "Ann", "ann ", "Test", "<script>alert(1)</script>"])
SOURCES = st.sampled_from([None, "fair"])


def renamed(history, record, **facts):
    """The same history of another record, which begins with some facts."""
    old, events = history.record, []
    for event in history.events:
        changed = {"record": record}
        if isinstance(event, Voided) and event.voids[0] == old:
            changed["voids"] = (record, event.voids[1])
        events.append(evolve(event, **changed))
    return type(history)([evolve(events[0], **facts), *events[1:]])


@st.composite
def _contacts(draw, each):
    facts = {
        "email": draw(EMAILS), "name": draw(NAMES), "company": draw(NAMES),
        "account": draw(ACCOUNTS), "source": draw(SOURCES),
    }  # fmt: skip
    return renamed(draw(each), "", **facts)


@st.composite
def _deals(draw, each):
    days = draw(st.none() | st.integers(0, 60))
    facts = {
        "contacts": tuple(draw(st.lists(st.sampled_from(IDS), unique=True, max_size=2))),
        "account": draw(ACCOUNTS), "source": draw(SOURCES), "title": draw(NAMES),
        "expected_close": None if days is None else date(2026, 1, 1) + timedelta(days),
    }  # fmt: skip
    return renamed(draw(each), "", **facts)


def _numbered(histories):
    return [renamed(each, record) for each, record in zip(histories, IDS, strict=False)]


def bodies(contacts=None, deals=None):
    """Contacts and deals, each with an id of its own, some of which name each other."""
    people = _contacts(read_contacts() if contacts is None else contacts)
    sales = _deals(read_deals() if deals is None else deals)
    return st.tuples(
        st.lists(people, max_size=4).map(_numbered), st.lists(sales, max_size=4).map(_numbered)
    )


def sound_bodies():
    """Bodies of records that were made by commands alone."""
    return bodies(
        contact_runs().map(lambda run: ContactHistory(run[0])),
        deal_runs().map(lambda run: DealHistory(run[0])),
    )


def options():
    """What else an audit may be given."""
    return st.fixed_dictionaries(
        {"as_of": moments()},
        optional={
            "pipelines": st.sampled_from([(), (BOARD,), (BOARD, LEAN, STRICT, SIX_STAGES)]),
            "scheme": st.sampled_from([STANDARD_STATUSES, RECYCLABLE_STATUSES]),
            "rulebook": st.sampled_from([None, LIFECYCLE, STRICT.rulebook]),
            "limits": st.builds(
                Limits,
                silent=st.timedeltas(timedelta(hours=1), timedelta(days=60)),
                stuck_visits=st.integers(1, 3),
                drop_tags=st.booleans(),
            ),
            "required": st.sampled_from(
                [{}, {"deal": ["owner"], "contact": {"email": timedelta(days=9)}}]
            ),
        },
    )


def suppressions():
    return st.builds(
        Suppression,
        st.sampled_from(list(CATALOGUE)),
        why=st.sampled_from(["so", "<b>so</b>"]),
        records=st.none() | st.sets(st.sampled_from(IDS)),
        kind=st.sampled_from([None, "contact", "deal"]),
    )
