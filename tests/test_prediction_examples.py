import random
from datetime import timedelta

import pytest

from contracts import check_door
from salespipeline.errors import InvalidValueError, NaiveTimeError, WrongTypeError
from salespipeline.events import (
    ActivityRecorded,
    Deleted,
    Direction,
    FieldSet,
    Moved,
    Start,
    Won,
)
from salespipeline.history import DealHistory
from salespipeline.prediction import evaluate, examples, learn
from stories import (
    START,
    contact,
    day,
    deal,
    euros,
    given_to,
    lost,
    moved,
    reached,
    reopened,
    won,
    worth,
)

MONTH = timedelta(days=30)


def rows_of(*histories, as_of=365, horizon=MONTH):
    return examples(histories, as_of=day(as_of), horizon=horizon)


def told(*histories, **asked):
    return [(row["at"], row["stage"], row["outcome"]) for row in rows_of(*histories, **asked)]


def called(at):
    return at, ActivityRecorded, {"kind": "call", "direction": Direction.OUTBOUND}


def test_a_deal_gives_a_row_for_each_stage_it_was_open_in():
    one = deal(0, moved(10, "offer"), won(20))
    assert told(one) == [(day(0), "talk", "won"), (day(10), "offer", "won")]


def test_an_outcome_counts_within_the_horizon_only():
    one = deal(0, moved(10, "offer"), lost(35))
    assert told(one) == [(day(0), "talk", None), (day(10), "offer", "lost")]
    assert told(deal(0, lost(30))) == [(day(0), "talk", "lost")]


def test_a_row_is_labelled_only_once_its_whole_horizon_has_passed():
    one = deal(0, won(5))
    assert told(one, as_of=29) == [(day(0), "talk", None)]
    assert told(one, as_of=30) == [(day(0), "talk", "won")]
    assert told(contact(0, reached(5, "customer")), as_of=29) == [(day(0), None, None)]


def test_quick_wins_do_not_raise_the_share_of_what_was_won():
    # one deal a day: each third is won after 30 days, the others are lost after 90
    histories = [
        deal(n, *([won(n + 30)] if n % 3 == 0 else [lost(n + 90)]), record=f"d-{n}")
        for n in range(150)
    ]
    rows = rows_of(*histories, as_of=150, horizon=timedelta(days=90))
    labelled = [row["outcome"] for row in rows if row["outcome"]]
    assert labelled.count("won") / len(labelled) == pytest.approx(1 / 3, abs=0.02)
    known_by_then = [h.as_of(day(150)).outcome for h in histories]
    closed = [outcome for outcome in known_by_then if outcome != "open"]
    assert closed.count("won") / len(closed) > 0.35  # what the figure of closed deals makes of it


def test_a_deal_still_open_after_the_horizon_is_not_lost():
    assert told(deal(0)) == [(day(0), "talk", None)]


def test_a_deal_reopened_gives_a_row_that_asks_for_its_next_outcome():
    one = deal(0, lost(5), reopened(40), won(50))
    assert told(one) == [(day(0), "talk", "lost"), (day(40), "talk", "won")]


def test_a_row_says_what_was_known_then():
    one = deal(
        0, called(1), worth(2, euros(100)), moved(10, "offer"), given_to(12, "bob"), called(20),
        worth(25, euros(900)), moved(28, "talk"), owner="ada",
    )  # fmt: skip
    first, second, third = rows_of(one, horizon=timedelta(days=5))
    assert (first["amount"], second["amount"], third["amount"]) == (None, euros(100), euros(900))
    assert (first["currency"], second["currency"]) == (None, "EUR")
    assert (first["owner"], second["owner"], third["owner"]) == ("ada", "ada", "bob")
    assert [row["activities"] for row in (first, second, third)] == [0, 1, 2]
    assert [row["activities_30_days"] for row in (first, second, third)] == [0, 1, 2]
    assert [row["days_since_activity"] for row in (first, second, third)] == [None, 9, 8]
    assert [row["age_days"] for row in (first, second, third)] == [0, 10, 28]
    assert [row["stages_entered"] for row in (first, second, third)] == [1, 2, 3]


def test_what_was_recorded_late_is_known_late():
    late = Moved(record="d-1", sequence=2, at=day(5), recorded_at=day(20), stage="offer",
                 pipeline="board")  # fmt: skip
    opened = deal(0).events[0]
    history = DealHistory([opened, late])
    assert [(row["at"], row["stage"]) for row in rows_of(history)] == [
        (day(0), "talk"), (day(20), "offer"),
    ]  # fmt: skip
    closed = Won(record="d-1", sequence=2, at=day(5), recorded_at=day(200), stage="signed",
                 pipeline="board")  # fmt: skip
    history = DealHistory([opened, closed])
    assert told(history) == [(day(0), "talk", "won")]
    assert told(history, as_of=100) == [(day(0), "talk", None)]


def test_a_turn_that_was_voided_later_was_held_for_true_until_then():
    one = deal(0, moved(10, "offer"))
    later, _ = one.void(one.events[1], at=day(40), by="ada", why="a slip")
    assert told(later) == told(one) == [(day(0), "talk", None), (day(10), "offer", None)]
    closed = deal(0, won(10))
    reopened_by_void, _ = closed.void(closed.events[1], at=day(20), by="ada", why="a slip")
    assert told(reopened_by_void) == [(day(0), "talk", None)]


def test_an_age_that_is_not_known_is_none():
    one = deal(0, moved(10, "offer"), start=Start.BY_THEN)
    assert [row["age_days"] for row in rows_of(one)] == [None, None]


def test_attributes_are_columns_of_their_own():
    one = deal(0, (3, FieldSet, {"field": "attributes.size", "value": "big"}), moved(10, "offer"))
    first, second = rows_of(one)
    assert "attributes.size" not in first
    assert second["attributes.size"] == "big"


def test_a_contact_gives_a_row_for_each_stage_until_it_is_a_customer():
    one = contact(0, reached(10, "lead"), reached(20, "customer"), reached(50, "evangelist"))
    assert told(one) == [(day(0), None, "customer"), (day(10), "lead", "customer")]
    slow = contact(0, reached(10, "lead"), reached(35, "customer"))
    assert told(slow) == [(day(0), None, "no customer"), (day(10), "lead", "customer")]
    (row,) = rows_of(contact(0, email="a@b.example"))
    assert (row["has_email"], row["has_company"], row["opted_out"]) == (True, False, False)


def test_a_record_that_was_deleted_is_not_labelled():
    gone = contact(0, (20, Deleted, {}))
    assert told(gone) == [(day(0), None, None)]
    assert told(deal(0, won(10), (20, Deleted, {}))) == [(day(0), "talk", None)]


def test_examples_are_learned_from_as_they_are():
    chance = random.Random(1)
    histories = []
    for n in range(300):
        source = chance.choice(["fair", "web"])
        closes = won if chance.random() < (0.7 if source == "fair" else 0.2) else lost
        histories.append(
            deal(n, moved(n + 3, "offer"), closes(n + 20), record=f"d-{n}", source=source)
        )
    rows = examples(histories, as_of=day(400), horizon=MONTH)
    asked = {"outcome": "outcome", "won": "won", "record": "record", "at": "at"}
    card = learn(rows, **asked)
    assert card.warnings == tuple(each for each in card.warnings if each.leaves_out)
    assert card.predict({"source": "fair"}).probability > 0.5
    found = evaluate(rows, **asked, horizon=MONTH)
    assert found.auc > 0.6
    assert card.to_model("deals", fields={}).fit


def test_strange_arguments_are_refused():
    check_door(lambda value: examples(value, as_of=START, horizon=MONTH),
               takes=lambda value: value in ((), [], set()))  # fmt: skip
    check_door(lambda value: examples([value], as_of=START, horizon=MONTH))
    check_door(lambda value: examples([], as_of=value, horizon=MONTH))
    check_door(lambda value: examples([], as_of=START, horizon=value))
    with pytest.raises(InvalidValueError, match="horizon: must be above nothing"):
        examples([], as_of=START, horizon=timedelta(0))
    with pytest.raises(NaiveTimeError):
        examples([], as_of=START.replace(tzinfo=None), horizon=MONTH)
    with pytest.raises(WrongTypeError, match="several histories"):
        examples({}, as_of=START, horizon=MONTH)
    assert examples([], as_of=START, horizon=MONTH) == []
