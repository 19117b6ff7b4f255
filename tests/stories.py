"""Small histories told in a line each, for tests that work a figure out by hand.

Days are whole numbers from `START`. A deal is told by its opening and its steps, each a tuple of
(day, type of event, facts); the record's number and the sequence are filled in.
"""

from datetime import UTC, datetime, timedelta

from salespipeline.events import (
    AmountChanged,
    Created,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Reopened,
    Start,
    Won,
)
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import LifecycleStage
from salespipeline.money import Money
from salespipeline.periods import Period

START = datetime(2026, 1, 1, tzinfo=UTC)
BY_THEN = Start.BY_THEN


def day(number):
    return START + timedelta(days=number)


def days(first, end):
    """The period from one day up to, and without, another."""
    return Period(day(first), day(end))


def euros(amount):
    return None if amount is None else Money(amount, "EUR")


def moved(at, stage, pipeline="board"):
    return at, Moved, {"stage": stage, "pipeline": pipeline}


def won(at, amount=None, stage="signed"):
    return at, Won, {"stage": stage, "pipeline": "board", "amount": euros(amount)}


def lost(at, stage="gone"):
    return at, Lost, {"stage": stage, "pipeline": "board"}


def reopened(at, stage="talk"):
    return at, Reopened, {"stage": stage, "pipeline": "board"}


def given_to(at, owner):
    return at, OwnerChanged, {"owner": owner}


def worth(at, amount):
    return at, AmountChanged, {"amount": amount}


def deal(opened, *steps, stage="talk", record="d-1", **facts):
    """The history of a deal opened on a day, with its steps."""
    opening = {"pipeline": "board", "stage": stage} | facts
    return DealHistory(_events(record, (opened, Opened, opening), steps))


def reached(at, stage, status=None):
    return at, LifecycleStageSet, {"stage": LifecycleStage(stage), "lead_status": status}


def contact(created, *steps, stage=None, record="c-1", **facts):
    """The history of a contact created on a day, with its steps."""
    first = None if stage is None else LifecycleStage(stage)
    creation = {"lifecycle_stage": first} | facts
    return ContactHistory(_events(record, (created, Created, creation), steps))


def _events(record, first, steps):
    return [
        kind(record=record, sequence=sequence, at=day(at), **facts)
        for sequence, (at, kind, facts) in enumerate((first, *steps), 1)
    ]
