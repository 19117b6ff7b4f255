"""Hypothesis strategies for score models, and for contacts that do things, shared by tests.

Kinds of activity, fields and values are drawn from the same small pools, so that they meet.
"""

from datetime import timedelta

from hypothesis import strategies as st

from record_strategies import START
from salespipeline.conditions import (
    all_of,
    any_of,
    at_least,
    elapsed,
    equals,
    less,
    not_,
    one_of,
    present,
)
from salespipeline.errors import InvalidValueError
from salespipeline.events import (
    ActivityRecorded,
    Created,
    Direction,
    FieldSet,
    OptedIn,
    OptedOut,
    Voided,
)
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.scoring import (
    Decay,
    EngagementRule,
    FitRule,
    Matrix,
    ScoreModel,
    Thresholds,
)

KINDS = ("webinar", "form", "call")
INDUSTRIES = ("education", "banking")


def seldom(strategy):
    """None more often than not: caps hide what else there is."""
    return st.one_of(st.none(), st.none(), st.none(), strategy)


def days(least=1, most=12):
    return st.integers(least, most).map(timedelta)


def points(least=-50, most=50):
    """Points of every number of decimal places that there may be."""
    return st.decimals(least, most, places=2) | st.integers(least, most)


def decays():
    share = st.decimals("0.01", 1, places=2)
    return st.one_of(
        st.just(Decay.none()),
        st.builds(lambda every, part: Decay.linear(every=every, share=part), days(), share),
        days().map(Decay.half_life),
        days().map(Decay.expiry),
    )


def fit_conditions():
    single = st.sampled_from(
        [
            equals("attributes.industry", "education"),
            equals("source", "guide"),
            one_of("attributes.industry", INDUSTRIES),
            at_least("attributes.staff", 50),
            less("attributes.staff", 200),
            present("company"),
            not_(present("company")),
            elapsed(timedelta(days=10), since="created_at"),
            not_(elapsed(timedelta(days=7), since="changed_at")),
            at_least("version", 3),
            less("created_at", START + timedelta(days=9)),
            equals("opted_out", True),
        ]
    )
    joint = st.sampled_from([all_of, any_of])
    return single | st.builds(_joined, joint, single, single)


def _joined(joint, one, other):
    """Both together; either, where both is refused as contradictory."""
    try:
        return joint(one, other)
    except InvalidValueError:
        return any_of(one, other)


@st.composite
def fit_rules(draw, name):
    group = draw(st.sampled_from(("", "who")))
    return FitRule(name, draw(fit_conditions()), draw(points()), group)


@st.composite
def engagement_rules(draw, name):
    least = draw(st.integers(1, 3))
    return EngagementRule(
        name,
        draw(st.sampled_from(KINDS)),
        draw(points()),
        direction=draw(st.none() | st.sampled_from(Direction)),
        at_least=least,
        at_most=draw(st.none() | st.integers(least, 5)),
        within=draw(st.none() | days()),
        once=draw(st.booleans()),
        decay=draw(decays()),
        cap=draw(seldom(points(1, 60))),
        group=draw(st.sampled_from(("", "web", "talk"))),
    )


@st.composite
def models(draw):
    fit = [draw(fit_rules(f"fit {n}")) for n in range(draw(st.integers(0, 4)))]
    several = draw(st.integers(0 if fit else 1, 4))
    engagement = [draw(engagement_rules(f"done {n}")) for n in range(several)]
    groups = {rule.group for rule in (*fit, *engagement)} - {""}
    cap = seldom(points(1, 90))
    return ScoreModel(
        "drawn",
        fit=fit,
        engagement=engagement,
        group_caps={group: draw(points(1, 60)) for group in sorted(groups) if draw(st.booleans())},
        fit_cap=draw(cap),
        engagement_cap=draw(cap),
        total_cap=draw(cap),
        tiers=draw(tiers()),
        hand_over=draw(points()),
        version=draw(st.integers(1, 9)),
        meaning=draw(st.sampled_from(("", "for tests"))),
    )


def tiers():
    bounds = st.lists(st.integers(-60, 90), min_size=1, max_size=4, unique=True)
    falling = bounds.map(lambda several: sorted(several, reverse=True))
    labelled = bounds.map(lambda several: Thresholds({f"tier {n}": n for n in several}))
    return labelled | st.builds(Matrix, falling, falling)


@st.composite
def _happening(draw, record, sequence, at):
    said = {"record": record, "sequence": sequence, "at": at}
    if draw(st.integers(0, 9)) == 0:
        said["recorded_at"] = at + timedelta(hours=12 * draw(st.integers(0, 20)))
    choice = draw(st.integers(0, 9))
    if choice == 0:
        return FieldSet(field="attributes.staff", value=draw(st.integers(0, 300)), **said)
    if choice == 1:
        return draw(st.sampled_from([OptedOut, OptedIn]))(**said)
    if choice == 2 and sequence > 2:
        return Voided(voids=(record, draw(st.integers(2, sequence - 1))), why="mistake", **said)
    return ActivityRecorded(
        kind=draw(st.sampled_from((*KINDS, "nothing"))),
        direction=draw(st.none() | st.sampled_from(Direction)),
        **said,
    )


@st.composite
def contacts(draw, most=12):
    """Histories of a contact that does things, in which some is late, voided or out of order."""
    hours = st.integers(0, 2 * 20).map(lambda halves: 12 * halves)
    created = Created(
        record="c-1", sequence=1, at=START,
        company=draw(st.none() | st.just("Acme")),
        source=draw(st.none() | st.sampled_from(("guide", "fair"))),
        lifecycle_stage=draw(st.none() | st.sampled_from(LifecycleStage)),
        attributes=_attributes(draw),
    )  # fmt: skip
    times = [START + timedelta(hours=draw(hours)) for _ in range(draw(st.integers(0, most)))]
    if draw(st.integers(0, 3)):
        times.sort()
    events = [draw(_happening("c-1", n, at)) for n, at in enumerate(times, 2)]
    return ContactHistory([created, *events])


def _attributes(draw):
    from salespipeline.attributes import Attributes

    industry = draw(st.none() | st.sampled_from((*INDUSTRIES, "retail", 7)))
    staff = draw(st.none() | st.sampled_from((10, 50, 200, "many", 70.5)))
    held = {"industry": industry, "staff": staff}
    return Attributes({name: value for name, value in held.items() if value is not None})


def instants(most=2 * 40):
    """Instants before, among and after those of `contacts`."""
    return st.integers(-2, most).map(lambda halves: START + timedelta(hours=12 * halves))
