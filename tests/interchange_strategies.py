"""Hypothesis strategies for every value that has a document, and for documents that were spoilt."""

import copy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from condition_strategies import conditions, questions
from record_strategies import (
    contact_runs,
    deal_runs,
    people,
    read_contacts,
    read_deals,
)
from salespipeline.attributes import Attributes
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.events import (
    ActivityRecorded,
    ApprovalWithdrawn,
    CloseDateChanged,
    ConcessionMade,
    ContactLinked,
    ContactUnlinked,
    Created,
    Direction,
    FieldSet,
    ForecastCategory,
    ForecastCategorySet,
    LifecycleStageSet,
    Merged,
    Moved,
    NextStep,
    NextStepDone,
    Opened,
    OptedIn,
    Origin,
    Probability,
    ProbabilityBasis,
    ProbabilitySet,
    SaleType,
    Start,
    Term,
    Voided,
)
from salespipeline.history import ContactHistory, DealHistory, Visit
from salespipeline.intervals import Interval
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import Outcome
from salespipeline.rules import Code, Decision, Denial, Override, Result, Ruling
from salespipeline.triggers import HUBSPOT_TRIGGERS, STANDARD_TRIGGERS, Trigger, TriggerSet
from strategies import (
    attributes,
    days,
    money,
    periods,
    pipelines,
    rulebooks,
    stages,
    status_schemes,
    values,
)


def texts():
    """Text with everything that JSON writes in a way of its own."""
    return st.text('aé\U0001f40d\uffff\u2028\\"/\n\x00\x7f:', max_size=5)


def keys():
    return st.text("abé ", min_size=1, max_size=4)


def maybe(strategy):
    return st.none() | strategy


def moments():
    return st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def shares():
    return st.decimals(0, 1, places=4) | st.sampled_from([Decimal("0.50"), Decimal(1), Decimal(0)])


def odd_attributes():
    """Attributes with numbers of every size, and names of every kind."""
    numbers = st.integers(-(10**30), 10**30) | st.sampled_from(
        [Decimal("1E+500"), Decimal("-0.00"), Decimal("1E-400"), 2**53, -(2**53) + 1, -0.0, 1e300]
    )
    named = st.dictionaries(texts(), values() | numbers, max_size=3).map(Attributes)
    return attributes() | named


@st.composite
def terms(draw):
    start = draw(days())
    return Term(start, start + timedelta(draw(st.integers(1, 900))), draw(money()))


def next_steps():
    return st.builds(NextStep, texts(), maybe(days()))


def probabilities():
    return st.builds(Probability, shares(), st.sampled_from(ProbabilityBasis))


def intervals():
    numbers = maybe(st.floats(allow_nan=False, allow_infinity=False))
    return st.builds(Interval, numbers, numbers, st.floats(0.1, 0.99), texts())


def visits():
    return st.builds(
        Visit, texts(), maybe(texts()), moments(), maybe(moments()), st.integers(1, 9),
        st.booleans(),
    )  # fmt: skip


def facts():
    """What a denial may have found."""
    durations = st.timedeltas(timedelta(-5), timedelta(900))
    several = st.frozensets(texts() | st.integers(-3, 3).map(str), max_size=3)
    return values() | durations | several | conditions(questions())


def denials():
    codes = st.sampled_from(Code) | keys()
    return st.builds(Denial, codes, texts(), texts(), facts(), facts(), texts())


def overrides():
    return st.builds(Override, keys(), keys(), keys())


def rulings():
    return st.builds(
        Ruling, texts(), st.integers(1, 99), texts(),
        st.lists(denials(), max_size=2).map(tuple), maybe(overrides()),
    )  # fmt: skip


def decisions():
    ends = texts() | st.sampled_from(LifecycleStage) | st.lists(st.integers(1, 9)).map(tuple)
    several = st.lists(denials(), max_size=2).map(tuple)
    return st.builds(
        Decision, maybe(ends), ends, st.sampled_from(Result), several,
        st.lists(ends, max_size=3).map(tuple), texts(), several, maybe(overrides()),
    )  # fmt: skip


def triggers():
    return st.sampled_from([*STANDARD_TRIGGERS.triggers, *HUBSPOT_TRIGGERS.triggers]) | st.builds(
        Trigger, keys(), maybe(st.sampled_from(LifecycleStage)), maybe(keys())
    )


def trigger_sets():
    listed = st.lists(triggers(), min_size=1, max_size=4, unique_by=lambda each: each.behaviour)
    return st.builds(TriggerSet, keys(), listed)


def contacts():
    return st.builds(
        Contact,
        id=keys(), version=st.integers(1, 2**53 - 1),
        lifecycle_stage=maybe(st.sampled_from(LifecycleStage)), stage_since=maybe(moments()),
        changed_at=moments(), lead_status=maybe(texts()), status_since=maybe(moments()),
        revisit_on=maybe(days()), created_at=moments(), name=maybe(texts()), email=maybe(texts()),
        company=maybe(texts()), account=maybe(texts()), owner=maybe(texts()), source=maybe(texts()),
        next_step=maybe(next_steps()), opted_out=st.booleans(),
        approvals=st.frozensets(texts(), max_size=3), verdict=maybe(texts()),
        attributes=odd_attributes(),
    )  # fmt: skip


def deals():
    return st.builds(
        Deal,
        id=keys(), version=st.integers(1, 99), pipeline=texts(), stage=texts(),
        stage_since=moments(), changed_at=moments(), opened_at=moments(),
        outcome=st.sampled_from(Outcome), closed_at=maybe(moments()), closed_from=maybe(texts()),
        reason=maybe(texts()), title=maybe(texts()), amount=maybe(money()), account=maybe(texts()),
        contacts=st.lists(texts(), max_size=3).map(tuple), owner=maybe(texts()),
        source=maybe(texts()), sale_type=maybe(st.sampled_from(SaleType)),
        expected_close=maybe(days()), forecast_category=maybe(st.sampled_from(ForecastCategory)),
        probability=maybe(probabilities()), term=maybe(terms()), renews=maybe(texts()),
        next_step=maybe(next_steps()), approvals=st.frozensets(texts(), max_size=3),
        verdict=maybe(texts()), attributes=odd_attributes(),
    )  # fmt: skip


@st.composite
def signed(draw):
    """What every event says."""
    origins = st.builds(Origin, keys(), st.integers(1, 9), moments())
    return {
        "record": draw(keys()), "sequence": draw(st.integers(1, 99)), "at": draw(moments()),
        "by": draw(maybe(texts())), "role": draw(maybe(texts())),
        "recorded_at": draw(maybe(moments())), "system": draw(maybe(texts())),
        "original_id": draw(maybe(texts())), "origin": draw(maybe(origins)),
    }  # fmt: skip


@st.composite
def field_sets(draw):
    field, value = draw(
        st.one_of(
            st.tuples(st.sampled_from(["name", "title", "renews", "source"]), maybe(texts())),
            st.tuples(st.just("term"), maybe(terms())),
            st.tuples(st.just("sale_type"), maybe(st.sampled_from(SaleType))),
            st.tuples(keys().map(lambda name: f"attributes.{name}"), values()),
        )
    )
    return FieldSet(field=field, value=value, **draw(signed()))


def creations():
    created = st.builds(
        lambda said, stage, own, ruling: Created(
            **said, lifecycle_stage=stage, attributes=own, ruling=ruling, start=Start.BY_THEN,
            observed_from=said["at"],
        ),
        signed(), maybe(st.sampled_from(LifecycleStage)), odd_attributes(), maybe(rulings()),
    )  # fmt: skip
    opened = st.builds(
        lambda said, amount, term, outcome, linked: Opened(
            **said, pipeline="p", stage="s", amount=amount, term=term, outcome=outcome,
            contacts=linked, sale_type=SaleType.UPSELL, expected_close=date(2026, 1, 1),
        ),
        signed(), maybe(money()), maybe(terms()), st.sampled_from(Outcome),
        st.lists(texts(), max_size=2).map(tuple),
    )  # fmt: skip
    return created | opened


def lone_events():
    """Events of every type, sound by themselves."""

    def happened(type_, /, **said):
        return st.builds(lambda who, what: type_(**who, **what), signed(), st.builds(dict, **said))

    others = st.one_of(
        happened(LifecycleStageSet, stage=st.sampled_from(LifecycleStage), ruling=maybe(rulings())),
        happened(Moved, pipeline=texts(), stage=texts(), ruling=maybe(rulings())),
        happened(
            Voided, why=texts(),
            voids=st.tuples(texts(), texts() | st.integers(1, 99)),
        ),
        happened(Merged, other=texts(), creation=maybe(creations())),
        happened(ProbabilitySet, probability=maybe(shares())),
        happened(ForecastCategorySet, category=maybe(st.sampled_from(ForecastCategory))),
        happened(CloseDateChanged, expected_close=maybe(days())),
        happened(ConcessionMade, what=texts(), value=maybe(money())),
        happened(ActivityRecorded, kind=texts(), direction=maybe(st.sampled_from(Direction))),
        happened(ApprovalWithdrawn, approval=people()),
        happened(NextStepDone),
        happened(OptedIn),
        happened(ContactLinked, contact=texts()),
        happened(ContactUnlinked, contact=texts()),
    )  # fmt: skip
    of_histories = st.one_of(read_contacts(), read_deals()).map(lambda each: each.events[-1])
    return creations() | field_sets() | others | of_histories


def histories():
    """Histories by commands and as read, clean and dirty."""
    return st.one_of(
        contact_runs().map(lambda run: ContactHistory(run[0])),
        deal_runs().map(lambda run: DealHistory(run[0])),
        read_contacts(),
        read_deals(),
    )


BY_KIND = {
    "attributes": odd_attributes(),
    "contact": contacts(),
    "contact_history": st.one_of(
        contact_runs().map(lambda run: ContactHistory(run[0])), read_contacts()
    ),
    "deal": deals(),
    "deal_history": st.one_of(deal_runs().map(lambda run: DealHistory(run[0])), read_deals()),
    "decision": decisions(),
    "denial": denials(),
    "event": lone_events(),
    "interval": intervals(),
    "money": money(),
    "next_step": next_steps(),
    "override": overrides(),
    "period": periods(),
    "pipeline": pipelines(),
    "probability": probabilities(),
    "rulebook": rulebooks(),
    "ruling": rulings(),
    "stage": stages("abc", Outcome.OPEN),
    "status": status_schemes().map(lambda scheme: scheme.statuses[-1]),
    "status_scheme": status_schemes(),
    "term": terms(),
    "trigger": triggers(),
    "trigger_set": trigger_sets(),
    "visit": visits(),
}
"""For each kind of document, its values."""


def documented():
    """A kind of document with a value of it."""
    return st.sampled_from(sorted(BY_KIND)).flatmap(
        lambda kind: st.tuples(st.just(kind), BY_KIND[kind])
    )


# Documents that were spoilt

SPANNERS = (
    None, True, False, 0, -1, 1.5, 2**53, 10**30, float("nan"), "", "x", "2026-01-01", "0.5",
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "a\nb", "\ud800", '"', [], {}, [[]], [None],
    ["a", "a"], {"kind": "set", "value": [1, 1]}, {"kind": "date", "value": 5}, {"kind": []},
    {"kind": "float", "value": "NaN"}, {"amount": "1.005", "currency": "EUR"},
    {"amount": 1, "currency": "eur"}, {"event": "won"}, {"event": []}, [[[[[[[[[[1]]]]]]]]]],
)  # fmt: skip


def places(data, path=()):
    """The path of everything in a document, the document left out."""
    members = data.items() if isinstance(data, dict) else ()
    items = enumerate(data) if isinstance(data, list) else members
    for step, each in items:
        yield (*path, step)
        yield from places(each, (*path, step))


@st.composite
def spoilt(draw, data, most=3):
    """A document of which a few members were changed, taken out or added."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from([*places(data)] or [("format",)]))
        holder = data
        for step in path[:-1]:
            holder = holder[step]
        act = draw(st.sampled_from(["change", "change", "take out", "double"]))
        if act == "change" or path[-1] not in (holder if isinstance(holder, dict) else range(99)):
            holder[path[-1]] = copy.deepcopy(draw(st.sampled_from(SPANNERS)))
        elif act == "take out":
            del holder[path[-1]]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[f"{path[-1]} "] = holder[path[-1]]
    return data
