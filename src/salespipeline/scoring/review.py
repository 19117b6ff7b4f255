"""A score model held against history: which rules fired, and whether their points are deserved."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from math import sqrt
from typing import Any, cast

from attrs import frozen

from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.history import History
from salespipeline.intervals import Interval, check_level, wilson
from salespipeline.lifecycle import LifecycleStage
from salespipeline.pipelines import Outcome
from salespipeline.scoring.activities import of_events
from salespipeline.scoring.ledger import kept
from salespipeline.scoring.rules import FitRule
from salespipeline.scoring.sheet import Half, ScoreRule, Sheet


@frozen
class Share:
    """How many of some records won.

    Attributes:
        won: The number that won.
        n: The number of records.
        interval: Wilson's interval of the rate; None without a record.
    """

    won: int
    n: int
    interval: Interval | None

    @property
    def value(self) -> float | None:
        """The rate from 0 to 1; None without a record."""
        return self.won / self.n if self.n else None

    def __str__(self) -> str:
        """The rate with its counts."""
        rate = "none" if self.value is None else f"{self.value:.1%}"
        return f"{rate} ({self.won:,} of {self.n:,})"


@frozen
class RuleReview:
    """One rule held against what became of records.

    Attributes:
        rule: Its name.
        half: Fit or engagement.
        points: Its points.
        having: The records to which it gave or cost anything at the instant.
        lacking: The others.
        difference: The interval of the win rate of those having less that of those lacking;
            None where there are none of either.
    """

    rule: str
    half: Half
    points: Decimal
    having: Share
    lacking: Share
    difference: Interval | None

    @property
    def never_fired(self) -> bool:
        """Whether it gave nothing to any record."""
        return self.having.n == 0

    @property
    def is_at_odds(self) -> bool:
        """Whether the outcomes speak surely against the sign of its points."""
        if self.difference is None:
            return False
        low, high = cast("float", self.difference.low), cast("float", self.difference.high)
        return high < 0 if self.points > 0 else low > 0

    def __str__(self) -> str:
        """The rule with the rates of both sides."""
        odd = ", never fired" if self.never_fired else ", at odds" if self.is_at_odds else ""
        return f"{self.rule} ({self.points:+}): {self.having} with, {self.lacking} without{odd}"


@frozen
class Review:
    """A score model held against what became of records.

    Attributes:
        as_of: The instant at which the rules were judged.
        until: The instant by which a record must have won.
        rules: One entry per rule, in the order of the model.
        left_out: How many records were left out, by reason: ``absent`` at the instant,
            ``decided`` by then already.
    """

    as_of: datetime
    until: datetime
    rules: tuple[RuleReview, ...]
    left_out: tuple[tuple[str, int], ...]

    @property
    def never_fired(self) -> tuple[str, ...]:
        """The names of the rules that gave nothing to any record."""
        return tuple(each.rule for each in self.rules if each.never_fired)

    @property
    def at_odds(self) -> tuple[str, ...]:
        """The names of the rules whose points the outcomes speak surely against."""
        return tuple(each.rule for each in self.rules if each.is_at_odds)

    def __str__(self) -> str:
        """A line per rule."""
        return "\n".join(map(str, self.rules))


def review(
    sheet: Sheet,
    histories: Iterable[History[Any, Any]],
    *,
    as_of: datetime,
    until: datetime,
    level: float,
) -> Review:
    """The rules of a model judged at one instant, against what came of the records by another."""
    check_level(level)
    left_out = {"absent": 0, "decided": 0}
    met: list[tuple[set[str], bool]] = []
    for history in histories:
        events = history.standing(as_of)
        record = history.snapshot_type.replay(events)
        if record is None or _is_decided(record):
            left_out["absent" if record is None else "decided"] += 1
            continue
        entries = kept(sheet, record, of_events(events), as_of).entries
        names = {each.rule for each in entries if each.cap is None and each.hundredths}
        later = history.snapshot_type.replay(history.standing(until))
        met.append((cast("set[str]", names), later is not None and _has_won(later)))
    reviews = tuple(_reviewed(rule, met, level) for rule in sheet.rules)
    return Review(as_of, until, reviews, tuple(left_out.items()))


def _has_won(record: Contact | Deal | Any) -> bool:
    """Whether a deal is won, or a contact is a customer."""
    if isinstance(record, Deal):
        return record.outcome is Outcome.WON
    stage: LifecycleStage | None = record.lifecycle_stage
    return stage is not None and stage >= LifecycleStage.CUSTOMER


def _is_decided(record: Contact | Deal | Any) -> bool:
    closed = isinstance(record, Deal) and record.outcome is not Outcome.OPEN
    return closed or _has_won(record)


def _reviewed(rule: ScoreRule, met: list[tuple[set[str], bool]], level: float) -> RuleReview:
    having = _share([won for names, won in met if rule.name in names], level)
    lacking = _share([won for names, won in met if rule.name not in names], level)
    half = Half.FIT if isinstance(rule, FitRule) else Half.ENGAGEMENT
    difference = _difference(having, lacking, level)
    return RuleReview(rule.name, half, rule.points, having, lacking, difference)


def _share(outcomes: list[bool], level: float) -> Share:
    won = sum(outcomes)
    return Share(won, len(outcomes), wilson(won, len(outcomes), level))


def _difference(having: Share, lacking: Share, level: float) -> Interval | None:
    """The interval of the difference of two rates, from Wilson's interval of each.

    Source: Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
    """
    if having.interval is None or lacking.interval is None:
        return None
    first, second = having.won / having.n, lacking.won / lacking.n
    low, high = having.interval.low or 0.0, having.interval.high or 0.0
    other_low, other_high = lacking.interval.low or 0.0, lacking.interval.high or 0.0
    gap = first - second
    below = sqrt((first - low) ** 2 + (other_high - second) ** 2)
    above = sqrt((high - first) ** 2 + (second - other_low) ** 2)
    return Interval(gap - below, gap + above, level, "newcombe")
