"""What is odd about a score model: rules, caps and thresholds that do not do what they say."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from math import inf

from attrs import frozen

from salespipeline.conditions import AllOf, leaves
from salespipeline.errors import brief
from salespipeline.rules.graph import can_be_met
from salespipeline.rules.rule import Rule
from salespipeline.scoring.points import hundredths
from salespipeline.scoring.rules import EngagementRule, FitRule
from salespipeline.scoring.sheet import Half, ScoreRule, Sheet, limit

_MOST_WEIGHED = 12
"""How many fit rules are weighed together for what they can give at most."""


class Flaw(StrEnum):
    """The stable codes of findings about a score model, the most harmful first."""

    NEVER_MATCHES = "never_matches"
    UNREACHABLE = "unreachable"
    CAP_BELOW_POINTS = "cap_below_points"
    ALWAYS_REACHED = "always_reached"
    DUPLICATE_RULE = "duplicate_rule"
    ASKS_NOTHING = "asks_nothing"
    WORTH_NOTHING = "worth_nothing"
    IDLE_CAP = "idle_cap"


@frozen
class Finding:
    """One odd thing about a score model.

    Attributes:
        code: Its stable code.
        message: What is odd, in words.
        rules: The names of the rules that it is about.
    """

    code: Flaw
    message: str
    rules: tuple[str, ...] = ()


@frozen
class Reach:
    """The least and the most that something can come to, in hundredths; maybe infinite."""

    least: float
    most: float

    def capped(self, most: int | None) -> "Reach":
        """The same, with a cap."""
        return self if most is None else Reach(min(self.least, most), min(self.most, most))

    def __add__(self, other: "Reach") -> "Reach":
        return Reach(self.least + other.least, self.most + other.most)


def findings(sheet: Sheet) -> tuple[Finding, ...]:
    """What is odd about a model, the most harmful first."""
    order = list(Flaw)
    found = [*_of_rules(sheet), *_of_caps(sheet), *_of_thresholds(sheet)]
    return tuple(sorted(found, key=lambda each: order.index(each.code)))


def _of_rules(sheet: Sheet) -> Iterator[Finding]:
    for fit in sheet.fit:
        if not _can_match([fit]):
            message = f"no record can meet the fit rule {fit.name!r}"
            yield Finding(Flaw.NEVER_MATCHES, message, (fit.name,))
        elif fit.condition == AllOf(()):
            message = f"the fit rule {fit.name!r} asks nothing: everybody gets its points"
            yield Finding(Flaw.ASKS_NOTHING, message, (fit.name,))
    for rule in sheet.rules:
        if not rule.points:
            message = f"the rule {rule.name!r} is worth nothing"
            yield Finding(Flaw.WORTH_NOTHING, message, (rule.name,))
    yield from _doubles(sheet.fit)
    yield from _doubles(sheet.engagement)


def _doubles(rules: Iterable[ScoreRule]) -> Iterator[Finding]:
    """The rules that give points for the same thing as one before."""
    met: dict[object, str] = {}
    for rule in rules:
        first = met.setdefault(_asked(rule), rule.name)
        if first != rule.name:
            message = f"the rule {rule.name!r} gives points for what {first!r} does"
            yield Finding(Flaw.DUPLICATE_RULE, message, (first, rule.name))


def _asked(rule: ScoreRule) -> object:
    if isinstance(rule, FitRule):
        return rule.condition
    return rule.activity, rule.direction, rule.at_least, rule.at_most, rule.within, rule.once


def _can_match(rules: Iterable[FitRule]) -> bool:
    return can_be_met(Rule[object](rule.name, rule.condition) for rule in rules)


# What caps cut


def _of_caps(sheet: Sheet) -> Iterator[Finding]:
    for rule in sheet.engagement:
        if rule.cap is not None and rule.cap < abs(rule.points):
            message = f"the cap {rule.cap} of {rule.name!r} is below its {abs(rule.points)} points"
            yield Finding(Flaw.CAP_BELOW_POINTS, message, (rule.name,))
    for name, cap, rules, reach in _scopes(sheet):
        large = tuple(rule.name for rule in rules if _single(rule) > cap)
        if large:
            named = ", ".join(map(repr, large))
            message = f"the cap {cap} of {name} is below the points of {named} alone"
            yield Finding(Flaw.CAP_BELOW_POINTS, message, large)
        elif reach.most <= hundredths(cap):
            message = f"the cap {cap} of {name} never cuts: at most {_told(reach.most)} can be had"
            yield Finding(Flaw.IDLE_CAP, message)


def _single(rule: ScoreRule) -> Decimal:
    """The points that one occurrence can give, the rule's own cap applied."""
    cap = rule.cap if isinstance(rule, EngagementRule) else None
    return rule.points if cap is None else min(rule.points, cap)


def _scopes(
    sheet: Sheet,
) -> Iterator[tuple[str, Decimal, Sequence[ScoreRule], Reach]]:
    """Each cap but those of rules: its name, what it bounds, and how far that could go."""
    every = sheet.rules
    caps = sheet.caps()
    for group in sheet.group_limits:
        name = f"the group {brief(group)}"
        rules = [rule for rule in every if rule.group == group]
        yield name, caps[name], rules, _reach_of(rules)
    for half in Half:
        if half.value in caps:
            yield half.value, caps[half.value], _rules(sheet, half), _grouped(sheet, half)
    if "the total" in caps:
        halves = _half(sheet, Half.FIT) + _half(sheet, Half.ENGAGEMENT)
        yield "the total", caps["the total"], every, halves


# How far points reach


def _reach_of(rules: Iterable[ScoreRule]) -> Reach:
    """How far rules reach together, before any cap but their own."""
    several = list(rules)
    reach = _reach_of_fit([rule for rule in several if isinstance(rule, FitRule)])
    for rule in several:
        if isinstance(rule, EngagementRule):
            reach += _reach_of_rule(rule)
    return reach


def _reach_of_rule(rule: EngagementRule) -> Reach:
    points = hundredths(rule.points)
    times = 1 if rule.once else inf if rule.at_most is None else rule.at_most
    far = points * times if points else 0
    cap = limit(rule.cap)
    far = far if cap is None else max(-cap, min(far, cap))
    return Reach(min(0, far), max(0, far))


def _reach_of_fit(rules: list[FitRule]) -> Reach:
    """What fit rules give together at least and at most: only those that one record can meet."""
    plus = [rule for rule in rules if rule.points > 0 and _can_match([rule])]
    minus = [rule for rule in rules if rule.points < 0 and _can_match([rule])]
    return Reach(-_most(minus), _most(plus))


def _most(rules: list[FitRule]) -> int:
    """The largest sum, without its sign, of rules of which no two exclude each other."""
    alike = sorted(rules, key=lambda rule: sorted({leaf.place for leaf in leaves(rule.condition)}))
    parts = (alike[n : n + _MOST_WEIGHED] for n in range(0, len(alike), _MOST_WEIGHED))
    return sum(_heaviest(part) for part in parts)


def _heaviest(rules: list[FitRule]) -> int:
    worths = [abs(hundredths(rule.points)) for rule in rules]
    places = range(len(rules))
    beside = {one: {n for n in places if _can_match([rules[one], rules[n]])} for one in places}
    best = 0
    ahead: list[tuple[set[int], int]] = [({*places}, 0)]
    while ahead:
        left, total = ahead.pop()
        best = max(best, total)
        if total + sum(worths[n] for n in left) > best:
            first = min(left)
            ahead.append((left - {first}, total))
            ahead.append(((left & beside[first]) - {first}, total + worths[first]))
    return best


def _rules(sheet: Sheet, half: Half) -> Sequence[ScoreRule]:
    return sheet.fit if half is Half.FIT else sheet.engagement


def _grouped(sheet: Sheet, half: Half) -> Reach:
    """How far a half reaches before its own cap."""
    rules = _rules(sheet, half)
    if not any(rule.group in sheet.group_limits for rule in rules):
        return _reach_of(rules)
    groups = dict.fromkeys(rule.group for rule in rules)
    reach = Reach(0, 0)
    for group in groups:
        several = [rule for rule in rules if rule.group == group]
        reach += _reach_of(several).capped(sheet.group_limits.get(group))
    return reach


def _half(sheet: Sheet, half: Half) -> Reach:
    return _grouped(sheet, half).capped(sheet.half_limit(half))


def reaches(sheet: Sheet) -> dict[str, Reach]:
    """How far the halves and the total of a model reach at most, by name, all caps applied."""
    halves = {half.value: _half(sheet, half) for half in Half}
    total = halves["fit"] + halves["engagement"]
    return {**halves, "total": total.capped(limit(sheet.total_cap))}


def _of_thresholds(sheet: Sheet) -> Iterator[Finding]:
    reach = reaches(sheet)
    asked = [] if sheet.tiers is None else [*sheet.tiers.leasts]
    for part, label, least in asked:
        if reach[part].most < hundredths(least):
            message = f"the tier {label!r} begins at {least}, and {part} reaches at most "
            yield Finding(Flaw.UNREACHABLE, message + _told(reach[part].most))
    if sheet.hand_over is None:
        return
    if reach["total"].most < hundredths(sheet.hand_over):
        message = f"the hand-over is at {sheet.hand_over}, and the total reaches at most "
        yield Finding(Flaw.UNREACHABLE, message + _told(reach["total"].most))
    elif reach["total"].least >= hundredths(sheet.hand_over):
        message = f"the hand-over is at {sheet.hand_over}, which everybody has"
        yield Finding(Flaw.ALWAYS_REACHED, message)


def _told(units: float) -> str:
    return f"{units / 100:g}"
