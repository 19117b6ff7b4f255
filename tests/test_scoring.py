from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from contracts import STRANGE, check_door, check_value
from salespipeline.conditions import (
    NEVER,
    all_of,
    any_of,
    at_least,
    contains,
    elapsed,
    equals,
    less,
    made_by,
    named,
    not_,
    one_of,
    present,
)
from salespipeline.contacts import Contact
from salespipeline.errors import (
    InvalidValueError,
    NaiveTimeError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import ActivityRecorded, Deleted, Direction, OptedIn, OptedOut
from salespipeline.money import Money
from salespipeline.scoring import (
    Cap,
    Change,
    Decay,
    EngagementRule,
    Fading,
    FitRule,
    Flaw,
    Half,
    Matrix,
    ScoreModel,
    Thresholds,
)
from salespipeline.scoring.asking import quick
from salespipeline.triggers import STANDARD_TRIGGERS, Behaviour
from stories import contact, day, deal, lost, reached, won

DAY = timedelta(days=1)
MONTHLY = Decay.linear(every=30 * DAY, share="0.5")


def did(at, kind, direction=None, **late):
    return at, ActivityRecorded, {"kind": kind, "direction": direction} | late


def done(*days_and_kinds):
    """Activities as an adopter's own records tell them."""
    return [{"kind": kind, "at": day(at)} for at, kind in days_and_kinds]


def engaged(*rules, **more):
    return ScoreModel("m", engagement=rules, **more)


def total(model, activities, at, record=None):
    return model.score_of(record or {}, activities, as_of=day(at)).total


WEBINARS = EngagementRule("webinars", "webinar", 10, decay=MONTHLY)


# Points


@pytest.mark.parametrize(
    ("given", "held"), [(10, "10"), ("12.50", "12.5"), (Decimal("-0.01"), "-0.01"), (0, "0")]
)
def test_points_are_exact_to_hundredths(given, held):
    assert str(FitRule("r", present("a"), given).points) == held


def test_points_are_no_floats_and_have_no_third_place():
    with pytest.raises(WrongTypeError, match="'points' must be an exact number"):
        FitRule("r", present("a"), 0.5)
    with pytest.raises(InvalidValueError, match=r"'0\.001' is not from -1,000,000"):
        FitRule("r", present("a"), "0.001")
    with pytest.raises(InvalidValueError, match=r"'1000000\.01' is not from"):
        FitRule("r", present("a"), "1000000.01")
    check_door(
        lambda value: FitRule("r", present("a"), value),
        takes=lambda value: type(value) is int and abs(value) < 100,
    )


# Decay


def test_hubspots_ten_points_are_five_after_a_month_and_none_after_two():
    found = [total(engaged(WEBINARS), done((0, "webinar")), at) for at in (0, 29, 30, 59, 60, 900)]
    assert found == [10, 10, 5, 5, 0, 0]


def test_a_half_life_leaves_half_after_each_and_is_rounded_to_hundredths():
    model = engaged(EngagementRule("r", "form", 10, decay=Decay.half_life(10 * DAY)))
    found = [total(model, done((0, "form")), at) for at in (0, 5, 10, 20, 100, 110)]
    assert found == [10, Decimal("7.07"), 5, Decimal("2.5"), Decimal("0.01"), 0]


def test_a_half_of_a_hundredth_goes_to_the_even_neighbour():
    halves = Decay.half_life(DAY)
    assert halves.worths(3) == [3, 2, 1, 0]  # 1.5 up to 2, 0.75 to 1, 0.375 to 0
    assert halves.worths(5) == [5, 2, 1, 1, 0]  # 2.5 down to 2
    assert halves.worths(-5) == [-5, -2, -1, -1, 0]
    assert Decay.linear(every=DAY, share="0.5").worths(1) == [1, 0, 0]


def test_an_expiry_takes_all_points_on_its_day():
    model = engaged(EngagementRule("r", "form", 10, decay=Decay.expiry(7 * DAY)))
    assert [total(model, done((0, "form")), at) for at in (6, 7)] == [10, 0]


def test_an_age_is_in_whole_days_of_24_hours():
    model = engaged(EngagementRule("r", "form", 10, decay=Decay.expiry(DAY)))
    at = day(0) + timedelta(hours=15)
    said = [{"kind": "form", "at": at}]
    assert model.score_of({}, said, as_of=at + DAY - timedelta.resolution).total == 10
    assert model.score_of({}, said, as_of=at + DAY).total == 0


def test_the_worth_of_nothing_is_nothing_at_every_age():
    assert Decay.half_life(DAY).worths(0) == [0]


def test_a_decay_says_what_part_is_left():
    assert [MONTHLY.factor(age) for age in (0, 30, 60)] == [1, Decimal("0.5"), 0]
    assert Decay.half_life(30 * DAY).factor(15) == Decimal("0.707107")
    assert [Decay.expiry(DAY).factor(age) for age in (0, 1)] == [1, 0]
    assert Decay.none().factor(10_000) == 1
    assert str(Decay.linear(every=DAY, share="0.3333").factor(3)) == "0.0001"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Decay.half_life(-DAY),
        lambda: Decay.half_life(timedelta()),
        lambda: Decay.half_life(timedelta(hours=36)),
        lambda: Decay.half_life(timedelta(microseconds=1)),
        lambda: Decay.expiry(3_651 * DAY),
        lambda: Decay.linear(every=DAY, share=0),
        lambda: Decay.linear(every=DAY, share="1.5"),
        lambda: Decay.linear(every=DAY, share="0.00999"),
        lambda: EngagementRule("r", "form", 1, within=-DAY),
    ],
)
def test_a_length_of_time_or_share_that_is_none_is_refused(make):
    with pytest.raises(InvalidValueError, match="is not from"):
        make()


def test_a_decay_that_lacks_or_has_too_much_is_refused():
    with pytest.raises(InvalidValueError, match="'linear' needs 'after'; 'linear' needs 'share'"):
        Decay("linear")
    with pytest.raises(InvalidValueError, match="'none' takes no 'after'"):
        Decay("none", DAY)
    with pytest.raises(WrongTypeError, match="'share' must be an exact number"):
        Decay.linear(every=DAY, share=0.5)
    check_door(Decay.half_life, takes=lambda _: False)
    check_door(lambda value: Decay(value, DAY))


def test_a_decay_is_a_value():
    check_value(
        MONTHLY, Decay(Fading.LINEAR, 30 * DAY, Decimal("0.50")), Decay.none(), Decay.expiry(DAY)
    )


# Rules of fit

SCHOOL = FitRule("school", equals("attributes.industry", "education"), 30)


def fitting(*rules, **more):
    return ScoreModel("m", fit=rules, **more)


def test_a_fit_rule_counts_where_it_is_met_and_not_where_it_is_unknown():
    model = fitting(SCHOOL, FitRule("not free", not_(equals("email_kind", "free")), 5))
    met = model.score_of({"attributes": {"industry": "education"}}, as_of=day(0))
    assert (met.fit, met.unknown) == (30, ("not free",))
    unmet = model.score_of(
        {"attributes": {"industry": "retail"}, "email_kind": "own"}, as_of=day(0)
    )
    assert (unmet.fit, unmet.unknown) == (5, ())


def test_a_fit_rule_may_take_points_off():
    model = fitting(SCHOOL, FitRule("student", equals("role", "student"), -50))
    record = {"attributes": {"industry": "education"}, "role": "student"}
    assert model.score_of(record, as_of=day(0)).total == -20


def test_a_fit_rule_may_wait_for_a_time_to_pass():
    model = fitting(FitRule("old hand", elapsed(10 * DAY, since="created_at"), 5))
    history = contact(0)
    found = [model.score(history, as_of=day(at)).fit for at in (9, 10)]
    assert found == [0, 5]
    assert [each.fit for each in model.scores([history], as_of=day(10))] == [5]


@pytest.mark.parametrize(
    "condition",
    [
        made_by("rep"),
        equals("context.season", "summer"),
        named("good"),
        elapsed(DAY, since="move.at"),
    ],
)
def test_a_fit_rule_asks_for_nothing_but_the_record(condition):
    with pytest.raises(InvalidValueError, match="is nothing that a record alone can answer"):
        FitRule("r", all_of(present("name"), condition), 5)


def test_a_rule_is_a_value():
    check_value(
        SCHOOL,
        FitRule("school", equals("attributes.industry", "education"), "30.00"),
        FitRule("school", equals("attributes.industry", "education"), 31),
        FitRule("school", equals("attributes.industry", "education"), 30, "who"),
    )
    check_value(
        WEBINARS,
        EngagementRule("webinars", "webinar", "10", decay=MONTHLY),
        EngagementRule("webinars", "webinar", 10),
    )
    WEBINARS.worths  # noqa: B018 - what is remembered is no part of the value
    assert EngagementRule("webinars", "webinar", "10", decay=MONTHLY) == WEBINARS


def test_what_a_python_function_would_say_is_left_to_the_judge():
    assert quick(named("good"))({}) is None
    assert quick(equals("a", 5))({"a": 5}) is True


CONDITIONS = (
    equals("source", "guide"), one_of("source", ["fair", "guide"]), less("source", "h"),
    equals("attributes.vip", True), at_least("attributes.staff", 50),
    not_(one_of("attributes.staff", [10, 50])), less("created_at", day(1)),
    equals("attributes.spent", Money(5, "EUR")), equals("attributes.day", day(0).date()),
    contains("approvals", "legal"), present("company"), not_(present("company")),
    all_of(present("source"), at_least("attributes.staff", 50)),
    all_of(contains("approvals", "legal"), present("company")),
    all_of(contains("approvals", "legal"), present("source")),
    any_of(present("company"), at_least("attributes.staff", 50)), all_of(), NEVER,
    equals("attributes.deep.down", 5), less("attributes.day", day(3)),
    equals("name.first", "Ada"), at_least("version", 2),
)  # fmt: skip
HELD = (
    {}, {"vip": True, "staff": 50, "spent": Money(5, "EUR"), "day": day(0).date()},
    {"vip": False, "staff": 10, "spent": Money(5, "USD"), "day": day(0)},
    {"vip": 1, "staff": Decimal("50.5"), "spent": 5}, {"staff": True}, {"staff": "many"},
)  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_a_fit_rule_says_of_many_records_what_it_says_of_each(condition):
    model = fitting(FitRule("r", condition, 5))
    histories = [
        contact(0, did(1, "form"), source=source, attributes=_attributes(held), record=f"c-{n}")
        for n, held in enumerate(HELD)
        for source in (None, "guide")
    ]
    each = [model.score(history, as_of=day(2)).total for history in histories]
    assert [score.total for score in model.scores(histories, as_of=day(2))] == each


def _attributes(held):
    person, _ = Contact.create("x", at=day(0), by="t", attributes=held)
    return person.attributes


# Rules of engagement


def test_each_occurrence_counts_or_only_the_first():
    said = done((0, "form"), (1, "form"), (2, "form"))
    assert total(engaged(EngagementRule("r", "form", 5)), said, 9) == 15
    assert total(engaged(EngagementRule("r", "form", 5, once=True)), said, 9) == 5


def test_what_is_done_once_is_dated_by_the_occurrence_that_met_the_rule():
    rule = EngagementRule("r", "form", 10, at_least=2, once=True, decay=MONTHLY)
    said = done((40, "form"), (0, "form"), (20, "form"))
    score = engaged(rule).score_of({}, said, as_of=day(51))
    (entry,) = score.ledger
    assert (entry.at, entry.event, entry.points) == (day(20), 3, 5)


@pytest.mark.parametrize(("times", "points"), [(1, 0), (2, 10), (3, 15), (4, 0)])
def test_the_number_of_occurrences_must_lie_in_the_range(times, points):
    model = engaged(EngagementRule("r", "form", 5, at_least=2, at_most=3))
    assert total(model, done(*[(0, "form")] * times), 1) == points


def test_the_window_rolls_on_for_points_and_for_the_number():
    said = done((0, "form"), (5, "form"))
    each = engaged(EngagementRule("r", "form", 5, within=7 * DAY))
    both = engaged(EngagementRule("r", "form", 5, within=7 * DAY, at_least=2))
    assert [total(each, said, at) for at in (6, 7, 11, 12)] == [10, 5, 5, 0]
    assert [total(both, said, at) for at in (6, 7)] == [10, 0]


def test_a_direction_is_asked_for():
    said = [
        {"kind": "mail", "at": day(0), "direction": "inbound"},
        {"kind": "mail", "at": day(0), "direction": Direction.OUTBOUND},
        {"kind": "mail", "at": day(0)},
    ]
    assert total(engaged(EngagementRule("r", "mail", 5, direction="inbound")), said, 0) == 5
    assert total(engaged(EngagementRule("r", "mail", 5)), said, 0) == 15


def test_rules_that_nothing_can_meet_are_refused_with_every_fault():
    with pytest.raises(InvalidValueError, match=r"at_least .*got 0.*; .*the cap must be above 0"):
        EngagementRule("r", "form", 5, at_least=0, cap=-1)
    with pytest.raises(InvalidValueError, match="at_most must be from at_least"):
        EngagementRule("r", "form", 5, at_least=3, at_most=2)
    with pytest.raises(UnknownKeyError, match="'sideways'"):
        EngagementRule("r", "form", 5, direction="sideways")


def is_seven(value):
    return type(value) is int and value == 7


def is_label(value):
    return value in (" ", "\x00", "2026-01-01")


@pytest.mark.parametrize(
    ("make", "takes"),
    [
        (lambda v: FitRule(v, present("a"), 1), is_label),
        (lambda v: FitRule("r", v, 1), None),
        (
            lambda v: FitRule("r", present("a"), 1, v),
            lambda v: v in ("", " ", "\x00", "2026-01-01"),
        ),
        (lambda v: EngagementRule("r", v, 1), lambda v: v in (" ", "\x00", "2026-01-01")),
        (lambda v: EngagementRule("r", "a", 1, direction=v), lambda v: v is None),
        (lambda v: EngagementRule("r", "a", 1, at_least=v), is_seven),
        (lambda v: EngagementRule("r", "a", 1, at_most=v), lambda v: v is None or is_seven(v)),
        (lambda v: EngagementRule("r", "a", 1, within=v), lambda v: v is None),
        (lambda v: EngagementRule("r", "a", 1, once=v), lambda v: type(v) is bool),
        (lambda v: EngagementRule("r", "a", 1, decay=v), None),
        (lambda v: EngagementRule("r", "a", 1, cap=v), lambda v: v is None or is_seven(v)),
    ],
)
def test_a_rule_takes_nothing_strange(make, takes):
    check_door(make, takes=takes or (lambda _: False))


# Caps and the ledger


def test_caps_cut_in_their_order_and_each_cut_is_an_entry():
    model = ScoreModel(
        "m",
        fit=[SCHOOL, FitRule("large", at_least("staff", 50), 40)],
        engagement=[
            EngagementRule("opens", "open", 5, cap=10, group="mail"),
            EngagementRule("replies", "reply", 10, group="mail"),
            EngagementRule("calls", "call", 15),
        ],
        group_caps={"mail": 18},
        fit_cap=50,
        engagement_cap=30,
        total_cap=75,
    )
    record = {"attributes": {"industry": "education"}, "staff": 80}
    said = done((0, "open"), (0, "open"), (0, "open"), (0, "reply"), (0, "call"))
    score = model.score_of(record, said, as_of=day(0))
    cuts = [(e.cap, e.half, e.rule, e.group, e.points) for e in score.ledger if e.cap]
    assert cuts == [
        (Cap.HALF, Half.FIT, None, "", -20),
        (Cap.RULE, Half.ENGAGEMENT, "opens", "mail", -5),
        (Cap.GROUP, Half.ENGAGEMENT, None, "mail", -2),
        (Cap.HALF, Half.ENGAGEMENT, None, "", -3),
        (Cap.TOTAL, None, None, "", -5),
    ]
    assert (score.fit, score.engagement, score.total) == (50, 30, 75)
    assert sum(entry.points for entry in score.ledger) == 75


def test_the_cap_of_a_rule_bounds_what_it_takes_off_too():
    model = engaged(EngagementRule("spam", "bounce", -4, cap=10))
    score = model.score_of({}, done(*[(0, "bounce")] * 4), as_of=day(0))
    assert [entry.points for entry in score.ledger] == [-4, -4, -4, -4, 6]
    assert score.total == -10
    assert total(model, done((0, "bounce")), 0) == -4


def test_an_entry_says_where_its_points_come_from():
    history = contact(0, did(3, "webinar"), did(9, "call"))
    score = engaged(WEBINARS).score(history, as_of=day(40))
    (entry,) = score.ledger
    assert (entry.rule, entry.event, entry.at) == ("webinars", 2, day(3))
    assert (entry.base, entry.factor, entry.points) == (10, Decimal("0.5"), 5)


def test_a_score_is_told_in_words():
    model = ScoreModel(
        "m",
        fit=[SCHOOL, FitRule("large", at_least("staff", 50), 5)],
        engagement=[WEBINARS, EngagementRule("calls", "call", 9, cap=10, group="talk")],
        group_caps={"talk": 8},
        engagement_cap=12,
        total_cap=41,
        tiers=Thresholds({"warm": 40}),
    )
    record = {"attributes": {"industry": "education"}}
    said = done((0, "webinar"), (30, "call"), (30, "call"))
    assert str(model.score_of(record, said, as_of=day(30))) == (
        "41 (fit 30, engagement 12), warm\n- +30 school\n- +5 webinars (2026-01-01, 10 × 0.5)\n"
        "- +9 calls (2026-01-31)\n- +9 calls (2026-01-31)\n- -8 cap of calls\n- -2 cap of talk\n"
        "- -1 cap of engagement\n- -1 cap of the total\n- unknown: large"
    )
    assert str(model.scores([contact(0)], as_of=day(0))[0]) == "0 (fit 0, engagement 0)"


# Models


def test_a_model_that_contradicts_itself_is_refused_with_every_fault():
    with pytest.raises(InvalidValueError) as caught:
        ScoreModel(
            "m",
            fit=[FitRule("a", present("x"), 1, "g")],
            engagement=[EngagementRule("a", "form", 1, group="g")],
            group_caps={"h": -1},
            total_cap=0,
        )
    assert caught.value.faults == (
        "it has several rules named 'a'",
        "the group 'g' holds rules of both halves",
        "the group 'h' has a cap and no rule",
        "the cap of the group 'h' must be above 0 (got -1)",
        "the cap of the total must be above 0 (got 0)",
    )
    with pytest.raises(InvalidValueError, match="there is no rule in it"):
        ScoreModel("m")
    many = [EngagementRule(f"r{n}", "form", 1) for n in range(201)]
    with pytest.raises(InvalidValueError, match="201 rules of engagement; 200 may be"):
        ScoreModel("m", engagement=many)


def model_with(name):
    return lambda value: ScoreModel("m", **{"fit": [SCHOOL], name: value})


def is_none(value):
    return value is None


def is_number(value):
    return value is None or (type(value) is int and 0 < value < 10)


def is_text(value):
    return isinstance(value, str) and len(value) < 1_000 and value.isascii()


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("engagement", lambda value: value in (*EMPTY, {})),
        ("group_caps", lambda value: value == {}),
        ("fit_cap", is_number),
        ("engagement_cap", is_number),
        ("total_cap", is_number),
        ("tiers", is_none),
        ("hand_over", lambda value: is_number(value) or (type(value) is int and -9 < value < 1)),
        ("version", lambda value: is_number(value) and value is not None),
        ("meaning", is_text),
    ],
)
def test_a_model_takes_nothing_strange(name, takes):
    check_door(model_with(name), takes=takes)


def test_a_model_is_a_value_and_can_be_read():
    def made(**other):
        return ScoreModel(
            "leads",
            **{
                "fit": [SCHOOL], "engagement": [WEBINARS], "total_cap": 90, "hand_over": 80,
                "tiers": Thresholds({"hot": 80}),
            } | other,
        )  # fmt: skip

    model = made()
    model.scores([contact(0)], as_of=day(0))
    check_value(model, made(), made(version=2), made(tiers=Matrix([1], [1])), made(fit=[]))
    assert str(model) == (
        "leads, version 1\n- +30 school\n- +10 webinars\n- at most 90 for the total\n"
        "- handed over at 80"
    )
    assert str(made(hand_over=None)).endswith("- at most 90 for the total")


def test_a_model_is_held_against_the_fields_of_a_record():
    model = fitting(SCHOOL, FitRule("typo", equals("compnay", "x"), 1))
    assert fitting(SCHOOL).checked(Contact) == fitting(SCHOOL)
    with pytest.raises(InvalidValueError, match="rule 'typo': there is no field 'compnay'"):
        model.checked(Contact)


# Tiers


def test_thresholds_name_the_total_from_its_least_points_on():
    tiers = Thresholds([("cold", 0), ("hot", "79.5"), ("warm", 40)])
    assert [label for label, _ in tiers.bounds] == ["hot", "warm", "cold"]
    found = [tiers.tier(0, 0, units) for units in (-1, 0, 3_999, 4_000, 7_949, 7_950)]
    assert found == [None, "cold", "cold", "warm", "warm", "hot"]
    check_value(tiers, Thresholds({"hot": "79.50", "warm": 40, "cold": 0}), Thresholds({"a": 0}))


def test_a_matrix_has_a_letter_for_the_fit_and_a_number_for_the_engagement():
    matrix = Matrix(fit=[60, 30], engagement=[50, 20])
    pairs = [(6_000, 5_000), (5_999, 5_000), (2_999, 0), (9_999, 1_999), (3_000, 2_000)]
    assert [matrix.tier(*pair, 0) for pair in pairs] == ["A1", "B1", "C3", "A3", "B2"]
    check_value(matrix, Matrix(["60.0", 30], [50, 20]), Matrix([60, 31], [50, 20]))


def test_tiers_that_contradict_each_other_are_refused():
    with pytest.raises(InvalidValueError, match="the tier 'a' occurs twice; two tiers begin at 5"):
        Thresholds([("a", 5), ("a", 5)])
    with pytest.raises(InvalidValueError, match=r"there must be 1 to 25 tiers \(got 0\)"):
        Thresholds({})
    with pytest.raises(InvalidValueError, match="fit must have 1 to 25 bounds"):
        Matrix([], [5])
    with pytest.raises(InvalidValueError, match="the bounds of engagement must fall"):
        Matrix([5], [5, 5])
    check_door(Thresholds)
    check_door(lambda value: Matrix([5], value), takes=lambda value: value == range(3) and False)
    with pytest.raises(WrongTypeError, match="pairs of a tier and its least points"):
        Thresholds([("a", 5, 6)])


# Histories and instants


def test_only_what_was_known_then_counts():
    history = contact(0, did(1, "webinar", recorded_at=day(5)), did(9, "webinar"))
    found = [engaged(WEBINARS).score(history, as_of=day(at)).total for at in (4, 5, 9)]
    assert found == [0, 10, 20]


def test_a_voided_activity_counts_until_it_is_voided():
    history = contact(0, did(1, "webinar"))
    history, _ = history.void(2, at=day(3), by="ada", why="a namesake")
    found = [engaged(WEBINARS).score(history, as_of=day(at)).total for at in (2, 3)]
    assert found == [10, 0]


def test_there_is_no_score_before_the_creation_and_after_the_deletion():
    history = contact(2, did(3, "webinar"), (5, Deleted, {}))
    model = engaged(WEBINARS, tiers=Thresholds({"warm": 5}))
    found = model.series(history, [day(1), day(4), day(5)])
    assert [score and score.total for score in found] == [None, 10, None]
    assert model.score(history, as_of=day(1)) is None
    assert model.next_change(history, as_of=day(1)) is None
    assert model.scores([history], as_of=day(5)) == []
    assert model.first_reached(history, as_of=day(1), points=-5) is None
    assert model.first_reached(history, as_of=day(9), points=10) == day(3)


def test_a_deal_is_scored_too():
    model = ScoreModel(
        "deals", fit=[FitRule("open", equals("outcome", "open"), 5)], engagement=[WEBINARS]
    )
    history = deal(0, did(1, "webinar"))
    assert model.score(history, as_of=day(2)).total == 15
    assert model.scores([history], as_of=day(2))[0][:8] == model.score(history, as_of=day(2))[:8]


def test_a_strange_kind_of_activity_counts_for_nothing():
    model = engaged(WEBINARS, EngagementRule("in", "call", 5, direction="inbound"))
    history = contact(0, did(1, ["no", "key"]), did(1, 5), did(2, "call", ["x"]), did(3, "webinar"))
    assert model.score(history, as_of=day(3)).total == 10
    assert [score.total for score in model.scores([history], as_of=day(3))] == [10]


def test_instants_and_histories_that_are_none_are_refused():
    model = engaged(WEBINARS, tiers=Thresholds({"warm": 5}), hand_over=5)
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is refused
    for ask in (model.score, model.next_change, model.first_reached):
        with pytest.raises(NaiveTimeError):
            ask(contact(0), as_of=naive)
        check_door(lambda value, ask=ask: ask(value, as_of=day(0)))
        check_door(lambda value, ask=ask: ask(contact(0), as_of=value))
    check_door(lambda value: model.series(contact(0), value), takes=lambda v: v in EMPTY)
    check_door(lambda value: model.scores(value, as_of=day(0)), takes=lambda v: v in EMPTY)
    check_door(lambda value: model.scores([value], as_of=day(0)))
    check_door(lambda value: model.score_of({}, value, as_of=day(0)), takes=lambda v: v in EMPTY)
    check_door(lambda value: model.score_of({}, [value], as_of=day(0)))


EMPTY = ((), [], set(), b"", bytearray(b""))


CAPPED = {"group_caps": {"web": 11, "who": 6}, "fit_cap": 35, "engagement_cap": 20, "total_cap": 50}


@pytest.mark.parametrize("caps", [{}, CAPPED], ids=["free", "capped"])
@pytest.mark.parametrize(
    "rule",
    [
        EngagementRule("r", "call", 3, direction="inbound", cap=5),
        EngagementRule("r", "call", 2, within=20 * DAY),
        EngagementRule("r", "form", 5, at_least=2, at_most=3, within=6 * DAY),
        EngagementRule("r", "form", 4, once=True, within=9 * DAY, at_least=2, decay=MONTHLY),
        EngagementRule("r", "form", 4, once=True, at_least=3, decay=Decay.half_life(5 * DAY)),
        EngagementRule("r", "mail", 1, within=9 * DAY, cap=3),
        EngagementRule("r", "webinar", 7, decay=MONTHLY),
        EngagementRule("r", "bounce", -7, cap=10),
    ],
    ids=str,
)
def test_many_contacts_are_scored_as_each_is_by_rules_of_every_form(rule, caps):
    model = ScoreModel(
        "m",
        fit=[SCHOOL, FitRule("busy", at_least("version", 5), 7, "who")],
        engagement=[rule, EngagementRule("mails", "mail", 1, group="web")],
        **caps,
    )
    said = [did(n, kind, way) for n in range(12) for kind, way in KINDS if n % len(kind) < 2]
    history = contact(0, *said, attributes=_attributes({"industry": "education"}))
    for at in range(50):
        score = model.score(history, as_of=day(at))
        assert [each[:8] for each in model.scores([history], as_of=day(at))] == [score[:8]]


KINDS = (
    ("call", Direction.INBOUND), ("call", Direction.OUTBOUND), ("form", None), ("mail", None),
    ("webinar", None), ("bounce", None), ("nothing", None),
)  # fmt: skip


# Records of one's own


class Odd:
    """An activity whose fields cannot be had."""

    @property
    def kind(self):
        raise RuntimeError("no kind to be had")


def test_faulty_activities_are_named_together():
    said = [{"kind": "form"}, {"at": day(0)}, Odd(), {"kind": "form", "at": day(0)}]
    with pytest.raises(InvalidValueError) as caught:
        engaged(WEBINARS).score_of({}, said, as_of=day(0))
    assert [fault[:9] for fault in caught.value.faults] == ["number 1:", "number 2:", "number 3:"]
    assert caught.value.faults[2] == ("number 3: cannot be read: RuntimeError('no kind to be had')")
    with pytest.raises(InvalidValueError) as caught:
        engaged(WEBINARS).score_of({}, [{}] * 20, as_of=day(0))
    assert (len(caught.value.faults), caught.value.faults[-1]) == (9, "12 more")


def test_what_was_not_known_of_ones_own_activities_is_left_out():
    said = [
        {"kind": "webinar", "at": day(1)},
        {"kind": "webinar", "at": day(1), "recorded_at": day(6)},
        {"kind": "webinar", "at": day(9)},
    ]
    assert [total(engaged(WEBINARS), said, at) for at in (5, 6, 9)] == [10, 20, 30]


class Raising:
    """A record that says nothing."""

    def __getattr__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize("place", range(len(STRANGE) + 1))
def test_a_strange_record_is_scored_as_one_of_which_nothing_is_known(place):
    record = (*STRANGE, Raising())[place]
    model = fitting(SCHOOL, FitRule("new", elapsed(DAY, since="created"), 1), hand_over=0)
    model = ScoreModel("m", fit=model.fit, hand_over=0, tiers=Thresholds({"any": 0}))
    score = model.score_of(record, as_of=day(0))
    assert (score.total, score.record, score.unknown) == (0, None, ("school", "new"))
    assert model.next_change_of(record, as_of=day(0)) is None


@pytest.mark.parametrize(
    ("held", "out"),
    [({}, False), ({"opted_out": None}, False), ({"opted_out": False}, False),
     ({"opted_out": 0}, False), ({"opted_out": True}, True), ({"opted_out": 1}, True),
     ({"opted_out": "no"}, True), ({"opted_out": 0.0}, True)],
)  # fmt: skip
def test_whatever_is_not_surely_no_counts_as_opted_out(held, out):
    score = engaged(WEBINARS, hand_over=-5).score_of(held, as_of=day(0))
    assert (score.opted_out, score.is_ready) == (out, not out)


def test_a_record_that_cannot_say_is_not_handed_over():
    assert engaged(WEBINARS, hand_over=-5).score_of(Raising(), as_of=day(0)).opted_out


def test_the_id_of_ones_own_record_names_it():
    model = engaged(WEBINARS)
    assert model.score_of({"id": "c-7"}, as_of=day(0)).record == "c-7"
    assert model.score_of({"id": 7}, as_of=day(0)).record is None


# What is next, and when it first was

TIERED = engaged(WEBINARS, tiers=Thresholds({"hot": 20, "warm": 8, "cold": -99}), hand_over=20)


def test_the_tier_next_changes_when_enough_has_decayed():
    history = contact(0, did(0, "webinar"), did(10, "webinar"))
    assert TIERED.next_change(history, as_of=day(9)) == Change(day(30), "warm", "cold")
    assert TIERED.next_change(history, as_of=day(10)) == Change(day(30), "hot", "warm")
    assert TIERED.next_change(history, as_of=day(30)) == Change(day(60), "warm", "cold")
    assert TIERED.next_change(history, as_of=day(60)) is None


def test_a_score_can_rise_by_itself():
    blow = EngagementRule("bounce", "bounce", -10, decay=Decay.expiry(5 * DAY))
    waits = FitRule("old hand", elapsed(20 * DAY, since="created_at"), 20)
    model = ScoreModel(
        "m", fit=[waits], engagement=[blow], tiers=Thresholds({"c": -10, "b": 0, "a": 20})
    )
    history = contact(0, did(2, "bounce"))
    assert model.next_change(history, as_of=day(2)) == Change(day(7), "c", "b")
    assert model.next_change(history, as_of=day(7)) == Change(day(20), "b", "a")
    assert model.first_reached(history, as_of=day(99), points=20) == day(20)
    assert model.first_reached(history, as_of=day(19), points=20) is None


def test_a_fit_rule_that_waits_for_what_is_missing_changes_nothing():
    waits = FitRule("quiet", elapsed(5 * DAY, since="revisit_on"), 20)
    model = fitting(waits, tiers=Thresholds({"a": 20}))
    assert model.next_change(contact(0), as_of=day(0)) is None


def test_what_a_window_lets_go_changes_the_tier():
    rule = EngagementRule("calls", "call", 10, within=7 * DAY)
    model = engaged(rule, tiers=Thresholds({"warm": 5, "cold": -99}))
    assert model.next_change_of({}, done((2, "call")), as_of=day(2)) == Change(
        day(9), "warm", "cold"
    )


@pytest.mark.parametrize(
    "rule",
    [
        EngagementRule("r", "call", 10, at_most=1, within=7 * DAY),
        EngagementRule("r", "call", -10, within=7 * DAY, at_least=2),
        EngagementRule("r", "call", 20, once=True, within=7 * DAY, decay=Decay.linear(
            every=4 * DAY, share="0.5")),
    ],
    ids=["at most", "negative", "once in a window"],
)  # fmt: skip
def test_what_rises_and_falls_by_itself_is_found_step_by_step(rule):
    model = engaged(rule, tiers=Thresholds({f"t{n}": n for n in (-20, -10, 0, 5, 10, 15, 20)}))
    said = [{"kind": "call", "at": day(at)} for at in (0, 6)]
    history = contact(0, did(0, "call"), did(6, "call"))
    tiers = [model.score_of({}, said, as_of=day(at)).tier for at in range(6, 30)]
    at, turns = day(6), []
    while (change := model.next_change_of({}, said, as_of=at)) is not None:
        turns.append((change.at - day(0)).days)
        at = change.at
    assert turns == [n + 6 for n in range(1, len(tiers)) if tiers[n] != tiers[n - 1]]
    totals = [model.score(history, as_of=day(at)).total for at in range(30)]
    for least in (-10, 0, 10, 20):
        first = next((day(at) for at, each in enumerate(totals) if each >= least), None)
        assert model.first_reached(history, as_of=day(29), points=least) == first


def test_what_took_points_off_lets_them_be_reached_when_it_is_over():
    model = engaged(EngagementRule("bounce", "bounce", -5, decay=Decay.expiry(4 * DAY)))
    assert model.first_reached(contact(0, did(0, "bounce")), as_of=day(9), points=0) == day(4)


def test_what_is_recorded_late_is_reached_when_it_is_recorded():
    history = contact(0, did(1, "webinar"), did(2, "webinar", recorded_at=day(8)))
    assert TIERED.first_reached(history, as_of=day(20)) == day(8)


def test_a_rise_at_the_very_instant_of_a_mistake_undone_is_judged_without_it():
    waits = FitRule("old hand", elapsed(5 * DAY, since="created_at"), 10)
    model = ScoreModel("m", fit=[waits], engagement=[WEBINARS])
    history, _ = contact(0, did(1, "webinar")).void(2, at=day(5), by="ada", why="a namesake")
    assert model.first_reached(history, as_of=day(20), points=20) is None


def test_what_no_rule_looks_at_changes_no_tier():
    said = done((0, "webinar"), (0, "nothing"))
    assert TIERED.next_change_of({}, said, as_of=day(0)) == Change(day(30), "warm", "cold")


def test_a_change_beyond_the_calendar_is_none():
    at = datetime.max.replace(tzinfo=UTC) - DAY
    said = [{"kind": "webinar", "at": at}]
    assert TIERED.next_change_of({}, said, as_of=at) is None


def test_without_tiers_nothing_can_change():
    with pytest.raises(InvalidValueError, match="score model 'm': it has no tiers"):
        engaged(WEBINARS).next_change(contact(0), as_of=day(0))


def test_the_hand_over_is_when_the_sum_of_both_halves_first_was_enough():
    model = ScoreModel("m", fit=[SCHOOL], engagement=[WEBINARS], hand_over=50)
    school = _attributes({"industry": "education"})
    history = contact(
        0, did(1, "webinar"), did(40, "webinar"), did(45, "webinar"), attributes=school
    )
    assert model.first_reached(history, as_of=day(99)) == day(45)
    assert model.first_reached(history, as_of=day(44)) is None
    assert model.score(history, as_of=day(45)).is_ready
    assert not model.score(history, as_of=day(99)).is_ready


def test_who_opted_out_is_scored_and_handed_over_once_they_are_back():
    out, back = (1, OptedOut, {}), (5, OptedIn, {})
    history = contact(0, out, did(2, "webinar"), did(3, "webinar"), back)
    assert TIERED.first_reached(history, as_of=day(9)) == day(5)
    assert TIERED.first_reached(history, as_of=day(4)) is None
    assert TIERED.first_reached(history, as_of=day(4), points=20) == day(3)
    score = TIERED.score(history, as_of=day(4))
    assert (score.total, score.tier, score.opted_out, score.is_ready) == (20, "hot", True, False)


def test_without_a_hand_over_the_points_must_be_given():
    with pytest.raises(InvalidValueError, match="it has no hand-over: give the points to reach"):
        engaged(WEBINARS).first_reached(contact(0), as_of=day(0))


def test_the_hand_over_is_a_behaviour_of_the_standard_triggers():
    history = contact(0, did(1, "webinar"), did(2, "webinar"), stage="lead")
    at = TIERED.first_reached(history, as_of=day(9))
    person = history.as_of(at)
    after, _ = STANDARD_TRIGGERS.apply(person, Behaviour.SCORE_REACHED, at=at, by="scores")
    assert after.lifecycle_stage.value == "marketing_qualified_lead"


# Lint


def codes(model):
    return [(finding.code, finding.rules) for finding in model.lint()]


def test_a_sound_model_has_no_finding():
    model = ScoreModel(
        "m",
        fit=[SCHOOL, FitRule("large", at_least("staff", 50), 20, "size")],
        engagement=[WEBINARS, EngagementRule("calls", "call", 5, group="talk", cap=20)],
        group_caps={"talk": 15},
        engagement_cap=40,
        total_cap=80,
        tiers=Matrix([50, 30], [40, 10]),
        hand_over=60,
    )
    assert model.lint() == ()


def test_rules_that_can_never_match_or_always_do_are_found():
    clash = any_of(
        NEVER, all_of(at_least("staff", 50), any_of(less("staff", 10), less("staff", 5)))
    )
    model = fitting(
        FitRule("never", NEVER, 5), FitRule("clash", clash, 5), FitRule("all", all_of(), 5),
        FitRule("nothing", present("a"), 0),
    )  # fmt: skip
    assert codes(model) == [
        (Flaw.NEVER_MATCHES, ("never",)),
        (Flaw.NEVER_MATCHES, ("clash",)),
        (Flaw.ASKS_NOTHING, ("all",)),
        (Flaw.WORTH_NOTHING, ("nothing",)),
    ]


def test_rules_that_do_the_same_are_found():
    model = ScoreModel(
        "m",
        fit=[SCHOOL, FitRule("again", SCHOOL.condition, 5)],
        engagement=[WEBINARS, EngagementRule("more", "webinar", 1), EngagementRule("c", "call", 1)],
    )
    assert codes(model) == [
        (Flaw.DUPLICATE_RULE, ("school", "again")),
        (Flaw.DUPLICATE_RULE, ("webinars", "more")),
    ]


def test_a_cap_below_the_points_of_one_rule_is_found_and_one_that_never_cuts():
    model = ScoreModel(
        "m",
        fit=[SCHOOL],
        engagement=[
            EngagementRule("a", "form", -10, cap=5),
            EngagementRule("b", "call", 20, group="talk"),
            EngagementRule("c", "mail", 5, once=True, group="mail"),
        ],
        group_caps={"talk": 15, "mail": 5},
        fit_cap=30,
        engagement_cap=19,
        total_cap=50,
    )
    assert codes(model) == [
        (Flaw.CAP_BELOW_POINTS, ("a",)),
        (Flaw.CAP_BELOW_POINTS, ("b",)),
        (Flaw.CAP_BELOW_POINTS, ("b",)),
        (Flaw.IDLE_CAP, ()),
        (Flaw.IDLE_CAP, ()),
        (Flaw.IDLE_CAP, ()),
    ]
    assert model.lint()[-1].message == "the cap 50 of the total never cuts: at most 49 can be had"


def test_a_threshold_that_nobody_can_reach_is_found():
    school, bank = SCHOOL, FitRule("bank", equals("attributes.industry", "banking"), 20)
    model = ScoreModel(
        "m",
        fit=[school, bank],
        engagement=[EngagementRule("form", "form", 5, at_most=2)],
        tiers=Thresholds({"hot": 41, "warm": 40}),
        hand_over=45,
    )
    assert [finding.message for finding in model.lint()] == [
        "the tier 'hot' begins at 41, and total reaches at most 40",
        "the hand-over is at 45, and the total reaches at most 40",
    ]
    matrix = ScoreModel("m", fit=[school, bank], engagement=[WEBINARS], tiers=Matrix([31], [999]))
    assert [finding.message for finding in matrix.lint()] == [
        "the tier 'A' begins at 31, and fit reaches at most 30"
    ]


def test_a_hand_over_that_everybody_has_is_found():
    model = fitting(SCHOOL, FitRule("student", equals("role", "student"), -20), hand_over=-20)
    assert codes(model) == [(Flaw.ALWAYS_REACHED, ())]
    assert fitting(SCHOOL, hand_over=30).lint() == ()


def test_many_rules_of_fit_are_weighed_in_parts():
    rules = [FitRule(f"r{n}", equals("x", f"v{n}"), 10) for n in range(20)]
    model = fitting(*rules, hand_over=21)
    (finding,) = model.lint()
    assert finding.message == "the hand-over is at 21, and the total reaches at most 20"


# Review


def reviewed():
    model = ScoreModel(
        "m",
        fit=[FitRule("guide", equals("source", "guide"), 10)],
        engagement=[
            EngagementRule("forms", "form", 5), EngagementRule("calls", "call", -5),
            EngagementRule("fairs", "fair", 5),
        ],
    )  # fmt: skip
    customer = reached(20, "customer")
    histories = [
        *(contact(0, did(1, "form"), record=f"f{n}") for n in range(30)),
        *(contact(0, did(1, "call"), customer, record=f"c{n}") for n in range(30)),
        contact(0, reached(5, "customer"), did(6, "form"), source="guide", record="early"),
        contact(15, record="late"),
        contact(0, did(1, "form"), customer, (25, Deleted, {}), record="gone"),
    ]
    return model.review(histories, as_of=day(10), until=day(30))


def test_a_review_finds_rules_that_never_fired_and_points_at_odds_with_outcomes():
    found = reviewed()
    assert found.never_fired == ("guide", "fairs")
    assert found.at_odds == ("forms", "calls")
    assert dict(found.left_out) == {"absent": 1, "decided": 1}
    forms = found.rules[1]
    assert (forms.having.won, forms.having.n) == (0, 31)
    assert (forms.lacking.won, forms.lacking.n) == (30, 30)
    assert forms.lacking.value == 1
    assert forms.difference.high < -0.8
    assert found.rules[0].having.value is None
    assert found.rules[0].difference is None
    assert str(found).splitlines()[:2] == [
        "guide (+10): none (0 of 0) with, 49.2% (30 of 61) without, never fired",
        "forms (+5): 0.0% (0 of 31) with, 100.0% (30 of 30) without, at odds",
    ]


def test_a_rule_that_the_outcomes_bear_out_is_not_at_odds():
    model = engaged(EngagementRule("calls", "call", 5))
    deals = [
        *(deal(0, did(1, "call"), won(20), record=f"w{n}") for n in range(20)),
        *(deal(0, lost(20), record=f"l{n}") for n in range(20)),
        deal(0, won(2), record="before"),
    ]
    found = model.review(deals, as_of=day(10), until=day(30))
    assert found.at_odds == ()
    assert (found.rules[0].having.won, found.rules[0].lacking.n) == (20, 20)
    assert str(found) == "calls (+5): 100.0% (20 of 20) with, 0.0% (0 of 20) without"
    early = model.review(deals, as_of=day(10), until=day(15))
    assert early.rules[0].having.won == 0


def test_the_interval_of_the_difference_is_newcombes():
    # 56 of 70 less 48 of 80: method 10 of the paper's table II gives 0.0524 to 0.3339
    model = engaged(EngagementRule("calls", "call", 5))
    deals = [
        *(deal(0, did(1, "call"), *([won(20)] * (n < 56)), record=f"w{n}") for n in range(70)),
        *(deal(0, *([won(20)] * (n < 48)), record=f"l{n}") for n in range(80)),
    ]
    (rule,) = model.review(deals, as_of=day(10), until=day(30)).rules
    assert (round(rule.difference.low, 4), round(rule.difference.high, 4)) == (0.0524, 0.3339)


def test_a_review_needs_time_to_pass_and_a_level():
    model = engaged(WEBINARS)
    with pytest.raises(InvalidValueError, match="'until' must be after 'as_of'"):
        model.review([], as_of=day(1), until=day(1))
    with pytest.raises(InvalidValueError, match="level"):
        model.review([], as_of=day(1), until=day(2), level=2)
    check_door(
        lambda value: model.review(value, as_of=day(0), until=day(1)), takes=lambda v: v in EMPTY
    )
