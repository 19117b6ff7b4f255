"""The ledger of a score: every point, where it comes from, and what caps took off."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from attrs import frozen

from salespipeline._verdicts import judge
from salespipeline.scoring.activities import Activity
from salespipeline.scoring.asking import facts_at
from salespipeline.scoring.points import hundredths, shown
from salespipeline.scoring.rules import EngagementRule
from salespipeline.scoring.sheet import Half, Sheet, limit


class Cap(StrEnum):
    """The caps, in the order in which they are applied."""

    RULE = "rule"
    GROUP = "group"
    HALF = "half"
    TOTAL = "total"


@frozen
class Entry:
    """One line of a ledger: the points of a rule, or what a cap takes off.

    Attributes:
        hundredths: The points that it adds, in hundredths; `points` as a decimal.
        half: Fit or engagement; None for the cap of the total.
        rule: The name of the rule; None for any other cap.
        group: The group of the rule, or of the cap; empty without one.
        event: The sequence number of the event that it is for, or the place of the activity
            among those given, from 1; None where it is for none.
        at: When that was.
        base: The points of the rule before decay; None for a cap.
        factor: What part of them is left; None for a cap.
        cap: Which cap it is that cuts; None for a rule's points.
    """

    hundredths: int
    half: Half | None
    rule: str | None = None
    group: str = ""
    event: int | None = None
    at: datetime | None = None
    base: Decimal | None = None
    factor: Decimal | None = None
    cap: Cap | None = None

    @property
    def points(self) -> Decimal:
        """The points that it adds."""
        return shown(self.hundredths)

    def __str__(self) -> str:
        """The line in words."""
        if self.cap is not None:
            named = {Cap.RULE: self.rule, Cap.GROUP: self.group, Cap.HALF: self.half}
            return f"{self.points:+} cap of {named.get(self.cap, 'the total')}"
        said = f"{self.points:+} {self.rule}"
        if self.at is None:
            return said
        left = "" if self.factor == 1 else f", {self.base} × {self.factor}"
        return f"{said} ({self.at:%Y-%m-%d}{left})"


class Score(NamedTuple):
    """What a model says of a record at an instant.

    Attributes:
        record: The id of the record, or None where it has none.
        as_of: The instant.
        fit: The points for who they are.
        engagement: The points for what they did.
        total: Both together, after the cap of the total.
        tier: The name of the tier, or None without one.
        opted_out: Whether they asked not to be contacted.
        is_ready: Whether the total has reached the threshold of the hand-over to sales; never
            for those who opted out.
        ledger: Every entry; their points sum exactly to the total. None where scores of many
            records were asked for.
        unknown: The names of the fit rules of which too little is known; None likewise.
    """

    record: str | None
    as_of: datetime
    fit: Decimal
    engagement: Decimal
    total: Decimal
    tier: str | None
    opted_out: bool
    is_ready: bool
    ledger: tuple[Entry, ...] | None = None
    unknown: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """The score in words, with every entry."""
        tier = "" if self.tier is None else f", {self.tier}"
        lines = [f"{self.total} (fit {self.fit}, engagement {self.engagement}){tier}"]
        lines += [f"- {entry}" for entry in self.ledger or ()]
        lines += [f"- unknown: {rule}" for rule in self.unknown or ()]
        return "\n".join(lines)


class Ledger(NamedTuple):
    """The entries of a score and the sums of its halves and of all, in hundredths."""

    entries: tuple[Entry, ...]
    fit: int
    engagement: int
    total: int
    unknown: tuple[str, ...]


def kept(sheet: Sheet, record: Any, activities: Iterable[Activity], at: datetime) -> Ledger:
    """The ledger of a record at an instant.

    Args:
        sheet: The model.
        record: The record as it stands then.
        activities: What is known then of what they did.
        at: The instant.
    """
    fit, unknown = _fit_entries(sheet, record, at)
    done = sorted(activities)
    engagement = [
        entry for rule in sheet.engagement for entry in engagement_entries(rule, done, at)
    ]
    fit += _half_caps(sheet, Half.FIT, fit)
    engagement += _half_caps(sheet, Half.ENGAGEMENT, engagement)
    sums = summed(fit), summed(engagement)
    cut = list(_cut(sum(sums), limit(sheet.total_cap), Entry(0, None, cap=Cap.TOTAL)))
    entries = (*fit, *engagement, *cut)
    return Ledger(entries, *sums, summed(entries), unknown)


def summed(entries: Iterable[Entry]) -> int:
    """The points of entries together, in hundredths."""
    return sum(entry.hundredths for entry in entries)


def _fit_entries(sheet: Sheet, record: Any, at: datetime) -> tuple[list[Entry], tuple[str, ...]]:
    facts = facts_at(record, at)
    answers = [(rule, judge(rule.condition, facts).answer) for rule in sheet.fit]
    entries = [
        Entry(
            hundredths(rule.points), Half.FIT, rule.name, rule.group,
            base=rule.points, factor=Decimal(1),
        )
        for rule, answer in answers
        if answer
    ]  # fmt: skip
    return entries, tuple(rule.name for rule, answer in answers if answer is None)


def engagement_entries(
    rule: EngagementRule, activities: Iterable[Activity], at: datetime
) -> Iterator[Entry]:
    """The entries of one rule, for activities in the order in which they happened."""
    hits = [
        (each, (at - each.at).days)
        for each in activities
        if each.kind == rule.activity
        if rule.direction is None or rule.direction == each.direction
        if rule.within is None or at - each.at < rule.within
    ]
    if not rule.is_counted(len(hits)):
        return
    entries = [
        Entry(
            rule.worth(age), Half.ENGAGEMENT, rule.name, rule.group, each.number, each.at,
            rule.points, rule.decay.factor(age),
        )
        for each, age in (hits[rule.at_least - 1 : rule.at_least] if rule.once else hits)
    ]  # fmt: skip
    yield from entries
    cap, total = limit(rule.cap), summed(entries)
    line = Entry(0, Half.ENGAGEMENT, rule.name, rule.group, cap=Cap.RULE)
    if cap is not None and total < 0:
        for cut in _cut(-total, cap, line):
            yield _line(line, -cut.hundredths)
    else:
        yield from _cut(total, cap, line)


def _half_caps(sheet: Sheet, half: Half, entries: list[Entry]) -> list[Entry]:
    """What the caps of the groups take off, in the order of the groups, then that of the half."""
    cuts: list[Entry] = []
    for group in sheet.groups[half is Half.ENGAGEMENT]:
        total = summed(entry for entry in entries if entry.group == group)
        line = Entry(0, half, group=group, cap=Cap.GROUP)
        cuts += _cut(total, sheet.group_limits.get(group), line)
    total = summed(entries) + summed(cuts)
    return [*cuts, *_cut(total, sheet.half_limit(half), Entry(0, half, cap=Cap.HALF))]


def _cut(total: int, most: int | None, line: Entry) -> Iterator[Entry]:
    """The entry of a cap, where it cuts."""
    if most is not None and total > most:
        yield _line(line, most - total)


def _line(line: Entry, units: int) -> Entry:
    return Entry(units, line.half, line.rule, line.group, cap=line.cap)
