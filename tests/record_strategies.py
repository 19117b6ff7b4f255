"""Hypothesis strategies for events, for records under commands and for histories as read.

A *run* is what commands yield: the events, and the snapshot after each of them. A *read* history
is what other systems hold: instants that run backwards, moves to the stage a deal is in, stages
that no pipeline has, late recording, voids, deletions, beginnings that are only known by then.
"""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import SalesPipelineError
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    Approved,
    Assessed,
    ContactLinked,
    Created,
    Deleted,
    FieldSet,
    ForecastCategory,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Merged,
    Moved,
    NextStepPlanned,
    Opened,
    OptedOut,
    OwnerChanged,
    ProbabilityBasis,
    ProbabilitySet,
    Reopened,
    Start,
    Voided,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import STANDARD_STATUSES, LeadStatus, LifecycleStage
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, Pipeline, Stage
from salespipeline.rules import Rulebook

START = datetime(2026, 1, 1, tzinfo=UTC)

BOARD = Pipeline(
    "board",
    [
        Stage("talk"),
        Stage("offer", probability="0.5"),
        Stage("hold", parked=True),
        Stage("signed", outcome="won"),
        Stage("kept", outcome="won"),
        Stage("gone", outcome="lost"),
        Stage("silent", outcome="lost"),
    ],
    former={"call": "talk"},
)
LEAN = Pipeline("lean", [Stage("offer"), Stage("trial")])
STRICT = Pipeline(
    "strict",
    [Stage("first"), Stage("second")],
    rulebook=Rulebook.explicit(
        "strict",
        {"first": ["second", "lost"], "second": ["won", "lost"], "won": [], "lost": ["first"]},
        creation=["first"],
    ),
)
PIPELINES = (BOARD, LEAN, STRICT)


def hours(first=0, last=1500):
    """Lengths of time in whole hours: none, within a day, and several weeks."""
    return st.integers(first, last).map(lambda number: timedelta(hours=number))


def moments():
    """Instants in some two months, few enough to meet each other."""
    return hours(last=1500).map(lambda after: START + after)


def asking_moments():
    """Instants to ask about: among those of `moments` or, now and then, after all of them."""
    return hours(last=2200).map(lambda after: START + after)


@st.composite
def mostly(draw, often, *seldom):
    """One strategy as often as several others together, however many choices these have."""
    return draw(often) if draw(st.booleans()) else draw(st.one_of(*seldom))


def people():
    return st.sampled_from(["ada", "bob", "eve"])


def dates():
    return st.none() | st.integers(0, 90).map(lambda number: date(2026, 1, 1) + timedelta(number))


def amounts():
    return st.none() | st.integers(0, 10_000).map(lambda euros: Money(euros, "EUR"))


# Records under commands


def shared_commands():
    """Commands of every record, each as ``(method, arguments, keyword arguments)``."""
    return st.one_of(
        st.tuples(st.just("change_owner"), st.tuples(st.none() | people()), st.just({})),
        st.tuples(
            st.just("set_field"),
            st.sampled_from(
                [("source", "fair"), ("source", None), ("attributes.seats", 4), ("account", "a")]
            ),
            st.just({}),
        ),
        st.just(("record_activity", ("call",), {})),
        st.tuples(st.just("plan_next_step"), st.just(("call",)), st.builds(dict, due=dates())),
        st.just(("complete_next_step", (), {})),
        st.tuples(
            st.just("assess"),
            st.just(("bant", "budget", "met")),
            st.builds(dict, verdict=st.sampled_from([None, "fit", "no fit"])),
        ),
        st.tuples(st.just("approve"), st.tuples(people()), st.just({})),
        st.tuples(st.just("withdraw_approval"), st.tuples(people()), st.just({})),
    )


def contact_commands(scheme=STANDARD_STATUSES):
    """Commands of a contact, every second one about its lifecycle stage."""
    return mostly(
        st.tuples(
            st.just("advance"),
            st.tuples(st.sampled_from(LifecycleStage)),
            st.just({"scheme": scheme}),
        ),
        st.tuples(
            st.just("set_lead_status"),
            st.tuples(st.sampled_from(LeadStatus)),
            st.builds(dict, scheme=st.just(scheme), revisit_on=dates()),
        ),
        st.sampled_from([("opt_out", (), {}), ("opt_in", (), {})]),
        shared_commands(),
    )


def stages_of(pipeline):
    """The keys of a pipeline's stages, implicit closing stages included."""
    return st.sampled_from(pipeline.rulebook.states)


@st.composite
def moves(draw):
    pipeline = draw(st.sampled_from(PIPELINES))
    return "move", (draw(stages_of(pipeline)),), {"pipeline": pipeline}


@st.composite
def closings(draw):
    method = draw(st.sampled_from(["win", "lose"]))
    facts = {"reason": draw(st.sampled_from([None, "price"])), "amount": draw(amounts())}
    return method, (), {"pipeline": draw(st.sampled_from(PIPELINES)), **facts}


def deal_commands():
    """Commands of a deal, every second one about its stage."""
    reopenings = st.tuples(
        st.just("reopen"), st.just(()), st.builds(dict, pipeline=st.sampled_from(PIPELINES))
    )
    return mostly(
        moves() | closings() | reopenings,
        st.tuples(st.just("change_amount"), st.tuples(amounts()), st.just({})),
        st.tuples(st.just("concede"), st.just(("discount",)), st.builds(dict, value=amounts())),
        st.tuples(st.just("expect_close"), st.tuples(dates()), st.just({})),
        st.tuples(
            st.just("set_probability"),
            st.tuples(st.sampled_from([None, "0.25", 1])),
            st.builds(dict, basis=st.sampled_from(["until_move", "sticky", "model"])),
        ),
        st.tuples(
            st.just("set_forecast_category"),
            st.tuples(st.none() | st.sampled_from(ForecastCategory)),
            st.just({}),
        ),
        st.tuples(
            st.sampled_from(["link_contact", "unlink_contact"]),
            st.tuples(st.sampled_from(["c-1", "c-2"])),
            st.just({}),
        ),
        shared_commands(),
    )


def _run(draw, record, creation, commands, most):
    """Every command that is allowed, one after the other, each after some time."""
    at, events, snapshots = creation.at, [creation], [record]
    asked = draw(st.lists(st.tuples(commands, st.integers(-50, 200)), max_size=most))
    for (method, arguments, facts), after in asked:
        at += timedelta(hours=max(0, after))
        with suppress(SalesPipelineError):
            record, event = getattr(record, method)(*arguments, at=at, by="ada", **facts)
            events.append(event)
            snapshots.append(record)
    return tuple(events), tuple(snapshots)


@st.composite
def contact_runs(draw, scheme=STANDARD_STATUSES, most=8):
    """The events of a contact under commands, with the snapshot after each."""
    record, creation = Contact.create(
        "c-1",
        at=draw(moments()),
        by="form",
        stage=draw(st.none() | st.sampled_from(LifecycleStage)),
        scheme=scheme,
    )
    return _run(draw, record, creation, contact_commands(scheme), most)


@st.composite
def deal_runs(draw, most=8):
    """The events of a deal under commands, with the snapshot after each."""
    pipeline = draw(st.sampled_from(PIPELINES))
    record, creation = Deal.open(
        "d-1",
        at=draw(moments()),
        by="ada",
        pipeline=pipeline,
        stage=draw(st.sampled_from(pipeline.rulebook.allowed(None))),
        amount=draw(amounts()),
    )
    return _run(draw, record, creation, deal_commands(), most)


# Histories as read


def _shared_happenings():
    """Events of every record, each as its type with facts."""
    return st.one_of(
        st.tuples(st.just(OwnerChanged), st.builds(dict, owner=st.none() | people())),
        st.tuples(st.just(ActivityRecorded), st.just({"kind": "call"})),
        st.tuples(st.just(NextStepPlanned), st.just({"what": "call"})),
        st.tuples(st.just(Approved), st.builds(dict, approval=people())),
        st.tuples(st.just(Merged), st.just({"other": "x-9"})),
        st.tuples(
            st.just(FieldSet),
            st.sampled_from(
                [{"field": "source", "value": "fair"}, {"field": "attributes.a", "value": 1}]
            ),
        ),
        st.tuples(
            st.just(Assessed),
            st.just({"framework": "bant", "criterion": "need", "answer": "met", "verdict": "fit"}),
        ),
    )


def contact_happenings():
    statuses = st.none() | st.sampled_from([*LeadStatus, "made_up"])
    return mostly(
        st.tuples(
            st.just(LifecycleStageSet),
            st.builds(dict, stage=st.sampled_from(LifecycleStage), lead_status=statuses),
        ),
        st.tuples(st.just(LeadStatusSet), st.builds(dict, status=statuses, revisit_on=dates())),
        st.tuples(st.just(OptedOut), st.just({})),
        _shared_happenings(),
    )


def places():
    """A pipeline and a stage, known to us or not; the same stage key in several pipelines."""
    return st.builds(
        dict,
        pipeline=st.sampled_from(["board", "lean"]),
        stage=st.sampled_from(["talk", "offer", "signed", "gone", "ghost"]),
    )


@st.composite
def _stage_changes(draw):
    kind = draw(st.sampled_from([Moved, Moved, Won, Lost, Reopened]))
    facts = draw(places()) | {"stage_left": draw(st.sampled_from([None, "talk", "offer"]))}
    if kind in (Won, Lost):
        facts |= {"amount": draw(amounts()), "reason": "price"}
    return kind, facts


def deal_happenings():
    return mostly(
        _stage_changes(),
        st.tuples(st.just(AmountChanged), st.builds(dict, amount=amounts())),
        st.tuples(
            st.just(ProbabilitySet),
            st.builds(
                dict,
                probability=st.sampled_from([None, Decimal("0.4")]),
                basis=st.sampled_from(ProbabilityBasis),
            ),
        ),
        st.tuples(st.just(ContactLinked), st.just({"contact": "c-1"})),
        _shared_happenings(),
    )


def _beginnings():
    return st.builds(dict, start=st.sampled_from(Start), observed_from=st.none() | moments())


def _bits(number, place, count):
    """Whether some bits of a drawn number are all set; none of them is in the simplest number."""
    mask = (1 << count) - 1
    return (number >> place) & mask == mask


@st.composite
def _read(draw, record, first, happenings, *, backwards, late, voids, deletions, named, most):
    """The events of one record as another system tells them."""
    happened = [draw(first), *(draw(happenings) for _ in range(draw(st.integers(0, most))))]
    after = [draw(st.integers(0, 1500)) for _ in happened]
    events = []
    for sequence, (kind, facts) in enumerate(happened, 1):
        at = START + timedelta(hours=(after if backwards else sorted(after))[sequence - 1])
        dirt = draw(st.integers(0, 255))
        chosen, given = kind, facts
        if voids and events and _bits(dirt, 0, 2):
            mistaken = draw(st.sampled_from(events)).identity
            chosen, given = Voided, {"voids": mistaken, "why": "a mistake"}
        elif deletions and events and _bits(dirt, 2, 3):
            chosen, given = Deleted, {}
        identified = named or _bits(dirt, 5, 1)
        event = chosen(
            record=record,
            sequence=sequence,
            at=at,
            recorded_at=at + draw(hours(1, 400)) if late and _bits(dirt, 6, 2) else None,
            system="crm" if identified else None,
            original_id=f"e-{sequence}" if identified else None,
            **given,
        )
        events.append(event)
    return tuple(events)


_EVERYTHING = {
    "backwards": True, "late": True, "voids": True, "deletions": True, "named": False, "most": 6,
}  # fmt: skip


def read_contact_events(**only):
    """The events of a contact as read, the dirt chosen by `backwards=False` and so on."""
    statuses = st.none() | st.sampled_from(LeadStatus)
    stages = st.none() | st.sampled_from(LifecycleStage)
    facts = st.builds(dict, lifecycle_stage=stages, lead_status=statuses)
    first = st.builds(lambda how, what: (Created, how | what), _beginnings(), facts)
    return _read("c-1", first, contact_happenings(), **(_EVERYTHING | only))


def read_deal_events(**only):
    """The events of a deal as read, the dirt chosen by `backwards=False` and so on."""
    facts = st.builds(dict, amount=amounts(), outcome=st.sampled_from(Outcome))
    first = st.builds(
        lambda how, where, what: (Opened, how | where | what), _beginnings(), places(), facts
    )
    return _read("d-1", first, deal_happenings(), **(_EVERYTHING | only))


def read_contacts(**only):
    return read_contact_events(**only).map(ContactHistory)


def read_deals(**only):
    return read_deal_events(**only).map(DealHistory)


def read_histories(**only):
    return read_contacts(**only) | read_deals(**only)


ORDERLY = {"backwards": False, "late": False, "voids": False, "deletions": False}
"""A history whose instants never run backwards, with nothing voided, late or deleted."""
