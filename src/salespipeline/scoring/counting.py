"""A score model made ready to count many records, without a ledger.

What an occurrence is worth at each age is looked up in a list, so that one pass over what somebody
did, and one over the rules, gives the sums; they are those of the ledger.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import add
from typing import Any, NamedTuple, TypeAlias

from salespipeline.conditions import Condition, leaves
from salespipeline.events import ActivityRecorded, Event
from salespipeline.scoring.activities import Activity, of_events
from salespipeline.scoring.asking import Quick, is_met, quick
from salespipeline.scoring.points import hundredths
from salespipeline.scoring.rules import EngagementRule, FitRule
from salespipeline.scoring.sheet import Half, Sheet, limit

Ages: TypeAlias = Mapping[object, list[int]]
"""The ages in days of what was done, by kind, and by kind and direction where a rule asks."""

Worth: TypeAlias = Callable[[list[int]], int]


class Sums(NamedTuple):
    """The sums of a score in hundredths."""

    fit: int
    engagement: int
    total: int


class Done(NamedTuple):
    """What somebody did, as far as a model looks at it.

    Attributes:
        points: What the rules give for it that add up freely, in hundredths.
        ages: The ages of what the other rules look at.
    """

    points: int
    ages: Ages


class Counter:
    """A score model made ready to count.

    Attributes:
        asks_version: Whether a fit rule asks for the record's version, which activities change.
    """

    def __init__(self, sheet: Sheet) -> None:
        rules = sheet.engagement
        self._limits = [sheet.half_limit(half) for half in Half]
        self._total_limit = limit(sheet.total_cap)
        self._oldest = max((_oldest(rule) for rule in rules), default=0)
        bound = {rule.activity for rule in rules if not _is_free(rule, sheet)}
        self._listed = frozenset(bound)
        self._directed = frozenset(rule.activity for rule in rules if rule.direction is not None)
        self._tables = _tables((rule for rule in rules if rule.activity not in bound), self._oldest)
        self._engagement = [
            (cap, [(_key(rule), _worth(rule, self._oldest)) for rule in several])
            for cap, several in _bucketed(sheet, [r for r in rules if r.activity in bound])
        ]
        self._fit = [(cap, [*map(_fit, several)]) for cap, several in _bucketed(sheet, sheet.fit)]
        asks = {leaf.place for fit in sheet.fit for leaf in leaves(fit.condition)}
        self.asks_version = "version" in asks

    def sums(self, record: Any, done: Done, at: datetime) -> Sums:
        """The sums of a record at an instant by which so much was done."""
        fit, engagement = self.fit(record, at), self.engagement(done)
        total, most = fit + engagement, self._total_limit
        return Sums(fit, engagement, total if most is None or total <= most else most)

    def fit(self, record: Any, at: datetime) -> int:
        """The half of fit."""
        half = 0
        for cap, rules in self._fit:
            part = 0
            for ask, points, condition in rules:
                try:
                    met = ask(record)
                except Exception:  # noqa: BLE001 - a record may be anyone's code
                    met = None  # the judge bears it
                if met or (met is None and is_met(condition, record, at)):
                    part += points
            half += part if cap is None or part <= cap else cap
        most = self._limits[0]
        return half if most is None or half <= most else most

    def engagement(self, done: Done) -> int:
        """The half of engagement."""
        half, ages = done
        for cap, rules in self._engagement:
            part = 0
            for key, worth in rules:
                if key in ages:
                    part += worth(ages[key])
            half += part if cap is None or part <= cap else cap
        most = self._limits[1]
        return half if most is None or half <= most else most

    def done(self, activities: Iterable[Activity], at: datetime) -> Done:
        """What activities come to at an instant."""
        points = 0
        found: defaultdict[object, list[int]] = defaultdict(list)
        for each in activities:
            age = min((at - each.at).days, self._oldest)
            if each.kind in self._tables:
                points += self._tables[each.kind][age]
            found[each.kind].append(age)
            if each.kind in self._directed:
                found[each.kind, each.direction].append(age)
        return Done(points, found)

    def split(self, events: Sequence[Event], at: datetime) -> tuple[list[Event], Done]:
        """The events that change a record, and what the activities among them come to."""
        try:
            return self._split(events, at)
        except TypeError:  # a kind or a direction that cannot be a key
            others = [event for event in events if type(event) is not ActivityRecorded]
            return others, self.done(of_events(events), at)

    def _split(self, events: Sequence[Event], at: datetime) -> tuple[list[Event], Done]:
        """The same in one pass, written out, as it is made for every event there is."""
        points, oldest = 0, self._oldest
        tables, listed, directed = self._tables, self._listed, self._directed
        found: dict[object, list[int]] = {}
        others: list[Event] = []
        for event in events:
            if type(event) is not ActivityRecorded:
                others.append(event)
                continue
            kind = event.kind
            table = tables.get(kind)
            if table is not None:
                age = (at - event.at).days
                points += table[age if age < oldest else oldest]  # noqa: FURB136 - min is slower
            elif kind in listed:
                age = min((at - event.at).days, oldest)
                found.setdefault(kind, []).append(age)
                if kind in directed:
                    found.setdefault((kind, event.direction), []).append(age)
        return others, Done(points, found)


def _fit(rule: FitRule) -> tuple[Quick, int, Condition]:
    return quick(rule.condition), hundredths(rule.points), rule.condition


def _oldest(rule: EngagementRule) -> int:
    """The age from which on nothing changes for a rule."""
    return max(len(rule.worths) - 1, 0 if rule.within is None else rule.within.days)


def _key(rule: EngagementRule) -> object:
    return rule.activity if rule.direction is None else (rule.activity, rule.direction)


def _bucketed(sheet: Sheet, rules: Sequence[Any]) -> list[tuple[int | None, list[Any]]]:
    """Rules by the cap of their group, those without a cap together; none where there are none."""
    limits = sheet.group_limits
    buckets: dict[str, list[Any]] = {}
    for rule in rules:
        buckets.setdefault(rule.group if rule.group in limits else "", []).append(rule)
    return [(limits.get(group), bucket) for group, bucket in buckets.items()]


def _is_simple(rule: EngagementRule) -> bool:
    """Whether every occurrence counts, whatever their number."""
    return not rule.once and rule.at_least == 1 and rule.at_most is None


def _is_free(rule: EngagementRule, sheet: Sheet) -> bool:
    """Whether what a rule gives for each occurrence is simply added to the half."""
    alone = rule.direction is None and rule.cap is None and rule.group not in sheet.group_limits
    return alone and _is_simple(rule)


def _tables(rules: Iterable[EngagementRule], oldest: int) -> dict[str, list[int]]:
    """By activity, what rules that are free give together for an occurrence of each age."""
    tables: dict[str, list[int]] = {}
    for rule in rules:
        held = tables.get(rule.activity, [0] * (oldest + 1))
        tables[rule.activity] = [*map(add, held, _padded(rule, oldest))]
    return tables


def _padded(rule: EngagementRule, oldest: int) -> list[int]:
    """What an occurrence is worth by its age, 0 out of the window."""
    worths = [*rule.worths, *[rule.worths[-1]] * (oldest + 1 - len(rule.worths))]
    if rule.within is not None:
        worths[rule.within.days :] = [0] * (len(worths) - rule.within.days)
    return worths


def _worth(rule: EngagementRule, oldest: int) -> Worth:
    """What a rule gives for the ages of what it looks at, its own cap applied."""
    worths = _padded(rule, oldest)
    each = worths.__getitem__
    summed: Worth = lambda ages: sum(map(each, ages))  # noqa: E731 - one of two
    return _capped(summed if _is_simple(rule) else _picky(rule, worths), limit(rule.cap))


def _picky(rule: EngagementRule, worths: list[int]) -> Worth:
    """A rule that asks how many there are, or counts one of them."""
    days = None if rule.within is None else rule.within.days
    least, once = rule.at_least, rule.once

    def worth(ages: list[int]) -> int:
        if len(ages) < least:
            return 0
        there = ages if days is None else [age for age in ages if age < days]
        if not rule.is_counted(len(there)):
            return 0
        if once:
            return worths[sorted(there, reverse=True)[least - 1]]
        return sum([worths[age] for age in there])

    return worth


def _capped(worth: Worth, cap: int | None) -> Worth:
    if cap is None:
        return worth
    return lambda ages: max(-cap, min(worth(ages), cap))
