"""The deals that the benchmark of the figures counts, as events and as an analyst's table."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from salespipeline import Money, Period
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    CloseDateChanged,
    Direction,
    Lost,
    Moved,
    Opened,
    OwnerChanged,
    Term,
    Won,
)
from salespipeline.pipelines import Pipeline, Stage

STAGES = ("contact", "qualification", "meeting", "proposal")
PROBABILITIES = ("0.1", "0.2", "0.4", "0.6")
STEPS = (*STAGES, "won")
ENTERING = ("Opened", "Moved", "Won", "Lost", "Reopened")
SOURCES = ("referral", "fair", "website", "partner referral")
REASONS = ("price", "no decision", "competitor")
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 12, 31, tzinfo=UTC)
DAY = 86_400
QUARTER = Period.quarter(2025, 2)
QUARTERS = tuple(Period.quarter(2025, number) for number in (1, 2, 3))
YEAR = Period(datetime(2024, 10, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC))
SIX = Pipeline(
    "six",
    [Stage(key, probability=chance) for key, chance in zip(STAGES, PROBABILITIES, strict=True)],
)
COLUMNS = ("deal", "at", "kind", "stage", "amount", "owner")
"""What most figures in pandas ask for."""
TERMS = ("deal", "at", "kind", "account", "renews", "recurring", "start", "end")
DATES = (*COLUMNS, "expected")


def made(deals: int, seed: int = 7) -> list[list[Any]]:
    """The events of so many deals over three years, about six each, some after the instant.

    Five deals have an account in common, on average; each sells a year, and some renew the one
    that the account opened before.
    """
    rng = random.Random(seed)
    starts = sorted(rng.randrange(3 * 365 * DAY) for _ in range(deals))
    latest: dict[str, tuple[str, date]] = {}
    found = [list(_deal(rng, number, start, latest)) for number, start in enumerate(starts)]
    rng.shuffle(found)
    return found


def _deal(
    rng: random.Random, number: int, start: int, latest: dict[str, tuple[str, date]]
) -> Iterator[Any]:
    opened = _opened(rng, number, FIRST + timedelta(seconds=start), latest)
    yield opened
    at, place = opened.at, 0
    for sequence in range(2, 99):
        at += timedelta(seconds=rng.randrange(3_600, 20 * DAY))
        said: dict[str, Any] = {"record": opened.record, "sequence": sequence, "at": at}
        ended = said | {"pipeline": "six", "stage_left": STAGES[place]}
        chance = rng.random()
        if sequence < 10 and chance < 0.42:
            yield _between(rng, chance, said)
        elif chance < 0.52:
            yield Lost(stage="lost", reason=rng.choice(REASONS), **ended)
            return
        elif place == 3:
            yield Won(stage="won", **ended)
            return
        else:
            place += 1
            yield Moved(stage=STAGES[place], **ended)


def _opened(
    rng: random.Random, number: int, at: datetime, latest: dict[str, tuple[str, date]]
) -> Opened:
    record, account = f"deal-{number:07d}", f"account-{rng.randrange(1 + number // 5):06d}"
    amount = Money.of_minor(rng.randrange(10_000, 5_000_000), "EUR")
    renews, first = None, at.date().replace(day=1)
    if account in latest and rng.random() < 0.4:
        renews, first = latest[account]
    latest[account] = record, first.replace(year=first.year + 1)
    return Opened(
        record=record,
        sequence=1,
        at=at,
        pipeline="six",
        stage=STAGES[0],
        amount=amount,
        owner=f"rep-{rng.randrange(40)}",
        source=rng.choice(SOURCES),
        expected_close=at.date() + timedelta(days=rng.randrange(20, 160)),
        account=account,
        term=Term(first, latest[account][1], amount),
        renews=renews,
    )


def _between(rng: random.Random, chance: float, said: dict[str, Any]) -> Any:
    """What happens to a deal that stays in its stage."""
    if chance < 0.12:
        return AmountChanged(amount=Money.of_minor(rng.randrange(10_000, 5_000_000), "EUR"), **said)
    if chance < 0.2:
        return OwnerChanged(owner=f"rep-{rng.randrange(40)}", **said)
    if chance < 0.3:
        day = said["at"].date() + timedelta(days=rng.randrange(5, 120))
        return CloseDateChanged(expected_close=day, **said)
    return ActivityRecorded(kind="call", direction=Direction.OUTBOUND, **said)


def frame(deals: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """The same events as a table that an analyst would have, with categories where few differ."""
    events = [event for each in deals for event in each]

    def told(name: str) -> list[Any]:
        return [getattr(event, name, None) for event in events]

    terms = told("term")
    columns = {
        "deal": [event.record for event in events],
        "at": pd.to_datetime([event.at for event in events], utc=True),
        "kind": pd.Categorical([type(event).__name__ for event in events]),
        "stage": pd.Categorical(told("stage")),
        "amount": [None if amount is None else amount.minor for amount in told("amount")],
        "owner": pd.Categorical(told("owner")),
        "source": pd.Categorical(told("source")),
        "reason": pd.Categorical(told("reason")),
        "account": told("account"),
        "renews": told("renews"),
        "recurring": [None if term is None else term.recurring.minor for term in terms],
        "start": pd.to_datetime([None if term is None else term.start for term in terms]),
        "end": pd.to_datetime([None if term is None else term.end for term in terms]),
        "expected": pd.to_datetime(told("expected_close"), utc=True),
    }
    return pd.DataFrame(columns)
