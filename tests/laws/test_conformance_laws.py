"""Laws of judging histories, of drafts, and of comparing rulebooks."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st

from record_strategies import (
    BOARD,
    LEAN,
    PIPELINES,
    START,
    STRICT,
    asking_moments,
    contact_runs,
    deal_commands,
    read_histories,
)
from salespipeline.conditions import (
    Facts,
    Move,
    Test,
    at_least,
    leaves,
    made_by,
    present,
    spent_at_least,
)
from salespipeline.conformance import draft, facts, judge, move_counts, moves
from salespipeline.deals import Deal
from salespipeline.errors import SalesPipelineError
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LIFECYCLE, STANDARD_STATUSES
from salespipeline.money import Money
from salespipeline.rules import Grant, Override, Rule, Rulebook, compare
from strategies import asked_facts, rulebooks, ruled_books

LATER = START + timedelta(days=4000)
RULES = (
    Rule("owned", present("owner"), ["offer", "trial"]),
    Rule("rich", at_least("amount", Money(500, "EUR")), targets=["won", "signed"]),
    Rule("patient", spent_at_least(timedelta(hours=24)), way="forward"),
    Rule("by sales", made_by("sales"), targets=["offer"]),
)


def some_rules(pipeline, chosen):
    """Some of those rules, each on the stages that the pipeline has."""
    for rule in chosen:
        ends = [
            None if ends is None else [key for key in ends if key in pipeline.outcomes]
            for ends in (rule.sources, rule.targets)
        ]
        yield attrs.evolve(rule, sources=ends[0], targets=ends[1])


@st.composite
def ruled(draw, pipeline):
    """A pipeline with some of the usual rules and of those above, which a boss may override."""
    flag = st.booleans()
    made = pipeline.ruled(
        version=draw(st.integers(1, 9)),
        skips=draw(flag),
        backward=draw(flag),
        reopening=draw(st.sampled_from([True, False, timedelta(days=1)])),
        reason_to_lose=draw(flag),
        required_to_win=draw(st.sampled_from([(), ["amount"]])),
        creation=draw(st.sampled_from([None, pipeline.keys[:1]])),
        rules=some_rules(pipeline, draw(st.lists(st.sampled_from(RULES), unique=True))),
    )
    names = [rule.name for rule in made.rulebook.rules]
    over = draw(st.lists(st.sampled_from(names))) if names else []
    rights = [Grant("boss", over)] if over else []
    return attrs.evolve(made, rulebook=attrs.evolve(made.rulebook, grants=tuple(rights)))


MOVING = frozenset({"move", "win", "lose", "reopen"})


@st.composite
def ruled_runs(draw, *, overriding=False):
    """The history of a deal under commands that heed rules, and the pipelines with their rules."""
    by_key = {each.key: draw(ruled(each)) for each in (BOARD, LEAN)} | {STRICT.key: STRICT}
    begun = by_key[draw(st.sampled_from(sorted(by_key)))]
    amount = draw(st.sampled_from([None, Money(900, "EUR")]))
    at = START
    facts_first = {"owner": "ada", "amount": amount, "role": "sales"}
    deal, opened = Deal.open("d-1", at=at, by="ada", pipeline=begun, **facts_first)
    events = [opened]
    asked = draw(st.lists(st.tuples(deal_commands(), st.integers(0, 80)), max_size=8))
    for (method, arguments, facts_given), after in asked:
        at += timedelta(hours=after)
        told = {**facts_given, "role": draw(st.sampled_from(["sales", "boss"]))}
        if "pipeline" in told:
            told["pipeline"] = by_key[told["pipeline"].key]
        if overriding and method in MOVING:
            told["override"] = Override("eve", "boss", "so be it")
        with suppress(SalesPipelineError):
            deal, event = getattr(deal, method)(*arguments, at=at, by="ada", **told)
            events.append(event)
    return DealHistory(events), tuple(by_key.values())


def books(pipelines):
    return [pipeline.rulebook for pipeline in pipelines]


# Histories made by commands


@given(ruled_runs())
def test_what_was_moved_by_commands_conforms_to_the_rulebooks_that_allowed_it(run):
    history, pipelines = run
    report = judge([history], as_of=LATER, rulebooks=books(pipelines))
    assert report.breaches == ()
    assert report.judged == len(list(moves([history], as_of=LATER)))
    assert all(each.denied.numerator == 0 for each in report.rules)


@given(ruled_runs(overriding=True))
def test_what_was_overridden_comes_back_as_breaches_that_say_so(run):
    history, pipelines = run
    report = judge([history], as_of=LATER, rulebooks=books(pipelines))
    overridden = {
        event.sequence: [denial.rule for denial in event.ruling.overridden]
        for event in history.events
        if getattr(event, "ruling", None) is not None and event.ruling.override is not None
    }
    found = {breach.event: [denial.rule for denial in breach.denials] for breach in report.breaches}
    assert found == overridden
    assert all(breach.overridden for breach in report.breaches)
    assert sum(each.overridden for each in report.rules) == sum(
        len({*rules}) for rules in overridden.values()
    )


@given(contact_runs())
def test_what_a_contact_did_by_commands_conforms(run):
    history = ContactHistory(run[0])
    for of, book in (("lifecycle_stage", LIFECYCLE), ("lead_status", STANDARD_STATUSES.rulebook)):
        for options in ({"rulebook": book}, {"rulebooks": [book]}):
            report = judge([history], as_of=LATER, of=of, **options)
            assert report.breaches == ()
            assert report.judged + report.unjudged.get("same_state", 0) == len(
                list(moves([history], as_of=LATER, of=of))
            )


# Any history


HOMES = {"pipelines": PIPELINES, "scheme": STANDARD_STATUSES}


def kinds(history):
    return ["stage"] if isinstance(history, DealHistory) else ["lifecycle_stage", "lead_status"]


@given(read_histories(), asking_moments())
def test_every_move_is_judged_or_counted_as_not(history, as_of):
    for of in kinds(history):
        report = judge([history], as_of=as_of, of=of, **HOMES)
        known = list(moves([history], as_of=as_of, of=of))
        assert report.judged + sum(report.unjudged.values()) == len(known)
        assert len(report.breaches) == report.denied.numerator <= report.judged
        assert {breach.event for breach in report.breaches} <= {made.event for made in known}


@given(read_histories(), asking_moments())
def test_events_that_were_not_known_yet_change_nothing(history, as_of):
    known = [
        event
        for event in history.events
        if event.at <= as_of and (event.recorded_at or event.at) <= as_of
    ]
    assume(known != list(history.events) and known == list(history.events[: len(known)]))
    for of in kinds(history) if known else ():
        reports = (
            judge([each], as_of=as_of, of=of, **HOMES) for each in (history, type(history)(known))
        )
        one, other = reports
        assert one == other


@given(st.lists(read_histories(), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_the_order_of_the_breaches_only(histories, rng):
    shuffled = [*histories]
    rng.shuffle(shuffled)
    one, other = (
        judge(each, as_of=LATER, rulebook=None, **HOMES) for each in (histories, shuffled)
    )
    assert Counter(map(str, one.breaches)) == Counter(map(str, other.breaches))
    assert one.denied == other.denied
    assert {*one.rules} == {*other.rules}
    assert dict(one.unjudged) == dict(other.unjudged)


@given(ruled_runs(), ruled(BOARD))
def test_a_rate_is_over_the_moves_that_the_rule_bears_on(run, pipeline):
    history, _ = run
    book = pipeline.rulebook
    report = judge([history], as_of=LATER, rulebook=book)
    ranks = {state: n for n, state in enumerate(book.states)}
    bore = Counter()
    for made in moves([history], as_of=LATER):
        states = {made.source, made.target} - {None}
        if states <= {*book.states} and made.source != made.target:
            bore.update(
                rule.name for rule in book.rules if rule.bears_on(made.source, made.target, ranks)
            )
    for each in report.rules:
        assert each.denied.denominator == (report.judged if each.rule is None else bore[each.rule])
        assert 0 <= each.overridden <= each.denied.numerator <= each.denied.denominator


# Drafts


@given(read_histories(), asking_moments())
def test_a_draft_allows_every_move_that_it_was_drafted_from(history, as_of):
    for of in kinds(history):
        for home in ({}, {"pipeline": BOARD}, {"scheme": STANDARD_STATUSES}):
            given_ = {"as_of": as_of, "of": of, **home}
            with suppress(SalesPipelineError):
                book = draft([history], name="drafted", **given_)
                counts = move_counts([history], **given_)
                assert all(book.permits(*move) for move in counts)
                assert {move for move in counts if move[0] is None} == {
                    (None, state) for state in book.creation
                }


@given(st.lists(read_histories(), min_size=1, max_size=4), st.integers(1, 4))
def test_a_higher_bar_leaves_a_smaller_draft(histories, least):
    deals = [each for each in histories if isinstance(each, DealHistory)]
    with suppress(SalesPipelineError):
        wide, narrow = (
            draft(deals, as_of=LATER, name="x", pipeline=BOARD, least=n) for n in (least, least + 1)
        )
        assert narrow.edges <= wide.edges
        assert narrow.creation <= wide.creation
        assert compare(wide, narrow).added == ()


# Comparing rulebooks


@st.composite
def triples(draw, book):
    """Facts about moves of a rulebook and of a stranger."""
    states = st.sampled_from([*book.states, "stranger"])
    record, told = draw(asked_facts())
    source, target = draw(states | st.none()), draw(states)
    context = told.pop("context")
    return source, target, Facts(record, Move(source, target, **told), context)


@st.composite
def books_with_facts(draw):
    book = draw(ruled_books())
    return book, draw(st.lists(triples(book), max_size=6))


@given(books_with_facts())
def test_a_rulebook_compared_with_itself_changes_nothing(given_):
    book, known = given_
    found = compare(book, book, known, standing=book.states)
    assert not found, str(found)
    assert str(found).splitlines()[0].endswith(": no change")


@given(books_with_facts(), ruled_books())
def test_what_the_way_there_adds_the_way_back_removes(given_, new):
    old, known = given_
    there, back = compare(old, new, known), compare(new, old, known)
    assert {*there.added} == {*back.removed}
    assert {*there.removed} == {*back.added}
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    for one, other in ((there.rules, back.rules), (there.rights, back.rights)):
        assert {(name, turned[change]) for name, change in one} == {*other}
    for one, other in (
        (there.newly_allowed, back.newly_denied),
        (there.newly_denied, back.newly_allowed),
    ):
        assert Counter(map(str, one)) == Counter(map(str, other))
        assert {*one} == {*other}
    assert (there.old, there.new, there.not_asked) == (back.new, back.old, back.not_asked)


@given(books_with_facts(), ruled_books())
def test_only_facts_that_are_decided_otherwise_flip(given_, new):
    old, known = given_
    found = compare(old, new, known)
    flips = sum(flip.count for flip in (*found.newly_allowed, *found.newly_denied))
    if "context" in asked_of(old) | asked_of(new):
        return
    decided = [
        [book.permits(source, target, known_.record, **told_of(known_)) for book in (old, new)]
        for source, target, known_ in known
    ]
    assert flips == sum(before is not after for before, after in decided)


def told_of(known):
    told = known.move._asdict()
    return {name: told[name] for name in ("at", "by", "role", "entered_at")}


def asked_of(book):
    """Where the rules of a rulebook look."""
    asked = (leaf for rule in book.rules for leaf in leaves(rule.condition))
    return {leaf.where[0] for leaf in asked if isinstance(leaf, Test)}


@given(rulebooks())
def test_to_rename_every_state_changes_nothing(book):
    names = {state: f"new {state}" for state in book.states}
    renamed = Rulebook(
        book.name,
        tuple(names.values()),
        book.course,
        book.skips,
        frozenset((names[source], names[target]) for source, target in book.edges),
        frozenset(map(names.get, book.creation)),
        frozenset(map(names.get, book.final)),
        book.version + 1,
        book.meaning,
    )
    moved = [(None, state, Facts({}, Move(None, state))) for state in book.states]
    moved += [
        (source, target, Facts({}, Move(source, target)))
        for source in book.states
        for target in book.states
    ]
    found = compare(book, renamed, moved, standing=book.states, former=names)
    assert not found, str(found)


@given(ruled_runs(), ruled(BOARD), ruled(BOARD))
def test_facts_of_histories_flip_exactly_where_judgements_differ(run, old, new):
    history, _ = run
    known = facts([history], as_of=LATER)
    found = compare(old.rulebook, new.rulebook, known)
    before, after = (
        {breach.event for breach in judge([history], as_of=LATER, rulebook=each.rulebook).breaches}
        for each in (old, new)
    )
    assert sum(flip.count for flip in found.newly_denied) == len(after - before)
    assert sum(flip.count for flip in found.newly_allowed) == len(before - after)
