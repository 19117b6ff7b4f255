"""What became of deals, told alike of deals that are alike."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen

from salespipeline.events import Lost, Opened, Start, Won
from salespipeline.money import Money
from salespipeline.pipelines import Outcome


@frozen(eq=False)
class Life:
    """How long a deal lived, in calendar days of UTC, shared by every deal alike.

    Attributes:
        outcome: How it stands.
        days: The days from the opening to the closing; of an open deal the proleptic ordinal of
            the date on which it was opened.
        entry: How many days after the opening its history begins to be complete, from 0 on.
        start: Whether it is known when it was opened.
        currency: The currency of its amount, or None without an amount.
    """

    outcome: Outcome
    days: int
    entry: int
    start: Start
    currency: str | None


def life_of(
    known: Sequence[Any],
    closing: Opened | Won | Lost | None,
    outcome: Outcome,
    amount: Money | None,
) -> Life:
    """The life of a deal, one object for all deals alike, so that counting them is fast."""
    first: Opened = known[0]
    opened = first.at.toordinal()
    days = opened if closing is None else closing.at.toordinal() - opened
    seen = first.observed_from
    entry = 0 if seen is None else max(0, seen.toordinal() - opened)
    return _alike(outcome, days, entry, first.start, None if amount is None else amount.currency)


_alike = lru_cache(maxsize=65536)(Life)


def outcome_of(closing: Opened | Won | Lost | None) -> Outcome:
    """How a deal stands, by the event that closed it."""
    if closing is None:
        return Outcome.OPEN
    if isinstance(closing, Opened):
        return closing.outcome
    return Outcome.WON if isinstance(closing, Won) else Outcome.LOST
