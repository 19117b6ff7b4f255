"""What was given up to win deals."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from functools import partial
from math import fsum
from typing import TypeVar, overload

from attrs import field, frozen

from salespipeline._courses import ENTERING, Course
from salespipeline._doors import choice, text
from salespipeline.errors import InvalidValueError
from salespipeline.events import AmountChanged, ConcessionMade, DealEvent, Lost, Merged, Opened, Won
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval, check_level, ratio_of_sums
from salespipeline.metrics._figure import Amounts, Rate
from salespipeline.metrics._result import Groups, Plain, Result, plain, stamped
from salespipeline.money import Money
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Count, courses
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import grouping

T = TypeVar("T")


@frozen
class Concessions(Result):
    """What was given up on deals of one outcome.

    Attributes:
        outcome: How the deals stand.
        deals: The deals with a concession, of all such deals.
        made: The concessions, and what they are worth by currency.
        by_kind: The same by what was given up, the most frequent first.
        amounts: What all such deals are worth, with a concession or without.
    """

    outcome: Outcome
    deals: Rate
    made: Amounts
    by_kind: Mapping[str, Amounts] = field(hash=False)
    amounts: Amounts

    def rows(self) -> list[Plain]:
        """One row for all, and one for each kind."""
        kinds: list[tuple[str | None, Amounts]] = [(None, self.made), *self.by_kind.items()]
        having, of = self.deals.numerator, self.deals.denominator
        return [
            plain({"kind": kind, "made": made, "deals_with": having, "deals": of})
            for kind, made in kinds
        ]

    def row(self) -> Plain:
        """The share of deals with one, and what all are worth."""
        return plain({"outcome": self.outcome, "deals": self.deals, "made": self.made})

    def share_of_amounts(self) -> dict[str, Fraction]:
        """What was given up as a share of what the deals are worth, exact, by currency.

        A currency is there where deals are worth more than nothing in it.
        """
        worth = {code: sum_.minor for code, (_, sum_) in self.amounts.by_currency.items()}
        given = {code: sum_.minor for code, (_, sum_) in self.made.by_currency.items()}
        return {code: Fraction(given.get(code, 0), of) for code, of in worth.items() if of > 0}


@overload
def concessions(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: None = None,
    outcome: Outcome | str = Outcome.WON,
    level: float = 0.95,
) -> Concessions: ...


@overload
def concessions(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    outcome: Outcome | str = Outcome.WON,
    level: float = 0.95,
) -> Groups[Hashable, Concessions]: ...


@asks()
def concessions(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str | None = None,
    outcome: Outcome | str = Outcome.WON,
    level: float = 0.95,
) -> Concessions | Groups[Hashable, Concessions]:
    """What was given up in negotiation on won deals, or on lost or open ones, by kind.

    It takes histories only.

    Definition:
        Formula: deals with a concession ÷ deals; Σ value of the concessions, by kind.
        Denominator: deals of the outcome, with a concession or without.
        Window: closing in the period, whenever the concession was made; all time without one.
        Bias: it knows what was recorded; a price that was cut without a word is in the discount,
            and in no concession.
        Elsewhere: no vendor known.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        period: The period in which they were closed; of open deals there is none.
        by: A field of the deal to group by, as at closing, or while open as of the instant.
        outcome: Which deals: won, lost or open.
        level: The confidence of the interval.

    Returns:
        How many deals had one, and what was given up, with its value by currency. A concession
        without a value is counted, and adds nothing.

    Source: "What are the 7 stages of the sales pipeline?" (negotiation: recording concessions).
    """
    which, trust, at = choice(Outcome, outcome, "outcome"), check_level(level), utc(as_of, "as_of")
    chosen = _closed(deals, at, period, by, which)
    return _grouped(chosen, by, at, period, lambda of: _concessions(of, which, trust))


def _closed(
    deals: Iterable[DealHistory],
    at: datetime,
    period: Period | None,
    by: str | None,
    outcome: Outcome,
) -> Iterator[tuple[Hashable, Course]]:
    """The courses of deals of an outcome, closed in a period, each with its group."""
    group = grouping(by)
    if period is not None and outcome is Outcome.OPEN:
        raise InvalidValueError("period", ("open deals are closed in none",))
    for each in courses(deals, at):
        closing = each.closing
        if each.outcome is not outcome:
            continue
        if period is None or (closing is not None and closing.at in period):
            yield group and group(each, closing or each.known[-1]), each


def _grouped(
    found: Iterable[tuple[Hashable, Course]],
    by: str | None,
    at: datetime,
    period: Period | None,
    finish: Callable[[list[Course]], T],
) -> T | Groups[Hashable, T]:
    parts: dict[Hashable, list[Course]] = {}
    for group, each in found:
        parts.setdefault(group, []).append(each)
    if by is None:
        return stamped(finish(parts.get(None, [])), at, period)
    results = {group: stamped(finish(part), at, period) for group, part in parts.items()}
    return Groups(results, at, period)


def _concessions(deals: list[Course], outcome: Outcome, level: float) -> Concessions:
    kinds: dict[str, list[Money | None]] = {}
    having = 0
    for deal in deals:
        made = [event for event in deal.known if type(event) is ConcessionMade]
        having += bool(made)
        for event in made:
            kinds.setdefault(event.what, []).append(event.value)
    ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    return Concessions(
        outcome,
        Rate.of(having, len(deals), level),
        _sums(value for _, values in ordered for value in values),
        {what: _sums(values) for what, values in ordered},
        _sums(deal.amount for deal in deals),
    )


def _sums(amounts: Iterable[Money | None]) -> Amounts:
    """How many there are, and their sum by currency."""
    n: Counter[str | None] = Counter()
    minor: Counter[str | None] = Counter()
    for amount in amounts:
        currency = None if amount is None else amount.currency
        n[currency] += 1
        minor[currency] += 0 if amount is None else amount.minor
    return Amounts.of((currency, Count(n[currency], minor[currency])) for currency in n)


class NotCompared(StrEnum):
    """Why a won deal is in no discount."""

    NO_AMOUNT = "no_amount"
    NOT_QUOTED = "not_quoted"
    STAGE_NOT_ENTERED = "stage_not_entered"
    ANOTHER_CURRENCY = "another_currency"


@frozen
class DiscountIn:
    """What won deals were quoted at in one currency, and what they were won at.

    Attributes:
        n: How many deals.
        quoted: What they were quoted at together.
        won: What they were won at together.
        mean_of_ratios: The plain mean of each deal's discount, small deals and large alike.
        interval: The interval of the discount, or None where there are too few deals.
    """

    n: int
    quoted: Money
    won: Money
    mean_of_ratios: float
    interval: Interval | None

    @property
    def value(self) -> Fraction:
        """What was given up of each unit quoted, exact; less than 0 where deals were raised."""
        return 1 - Fraction(self.won.minor, self.quoted.minor)


@frozen
class Discount(Result):
    """How far won deals fell from what they were quoted at.

    Attributes:
        by_currency: The discount in each currency.
        stage: The stage on whose entry the quote was read; None for the first amount named.
    """

    by_currency: Mapping[str, DiscountIn] = field(hash=False)
    stage: str | None

    def rows(self) -> list[Plain]:
        """One row for each currency."""
        rows = [
            {
                "currency": code,
                "n": each.n,
                "quoted": each.quoted.amount,
                "won": each.won.amount,
                "value": each.value,
                "interval": each.interval,
                "mean_of_ratios": each.mean_of_ratios,
            }
            for code, each in self.by_currency.items()
        ]
        return [plain(row) | self.row() for row in rows] or [self.row()]

    def row(self) -> Plain:
        """The stage, and what was left out."""
        return plain({"stage": self.stage}) | super().row()


@overload
def discount(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: None = None,
    stage: str | None = None,
    level: float = 0.95,
) -> Discount: ...


@overload
def discount(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    stage: str | None = None,
    level: float = 0.95,
) -> Groups[Hashable, Discount]: ...


@asks(stage=partial(text, name="stage"))
def discount(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str | None = None,
    stage: str | None = None,
    level: float = 0.95,
) -> Discount | Groups[Hashable, Discount]:
    """How far the amounts of won deals fell from what was quoted, in all.

    It takes histories only.

    Definition:
        Formula: 1 less Σ amount won ÷ Σ amount quoted, by currency: a ratio of sums. Beside it
            the mean of each deal's own ratio, which is another number.
        Denominator: won deals with both amounts in one currency; the others are left out by
            reason.
        Window: closing in the period; all time without one.
        Bias: deals that were lost rather than discounted are not in it; a quote that was raised
            takes from it.
        Elsewhere: no vendor known.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        period: The period in which they were won.
        by: A field of the deal to group by, as at closing.
        stage: The stage, such as proposal or negotiation, on whose first entry the amount is
            taken for the quote; where there was none yet, the first named later. Without a stage
            the quote is the first amount that was named at all.
        level: The confidence of the interval.

    Returns:
        The discount by currency, its interval that of a ratio of sums.
    """
    wanted = None if stage is None else text(stage, "stage")
    trust, at = check_level(level), utc(as_of, "as_of")
    chosen = _closed(deals, at, period, by, Outcome.WON)
    return _grouped(chosen, by, at, period, lambda of: _discount(of, wanted, trust))


def _discount(deals: list[Course], stage: str | None, level: float) -> Discount:
    pairs: dict[str, list[tuple[int, int]]] = {}
    left_out: Counter[str] = Counter()
    for deal in deals:
        quote, won = _quote(deal, stage), deal.amount
        if won is None:
            left_out[NotCompared.NO_AMOUNT.value] += 1
        elif isinstance(quote, NotCompared):
            left_out[quote.value] += 1
        elif quote.currency != won.currency:
            left_out[NotCompared.ANOTHER_CURRENCY.value] += 1
        else:
            pairs.setdefault(won.currency, []).append((won.minor, quote.minor))
    found = {code: _discount_in(code, both, level) for code, both in sorted(pairs.items())}
    return Discount(found, stage, left_out=dict(left_out))


def _quote(deal: Course, stage: str | None) -> Money | NotCompared:
    """The first amount of more than nothing that stood on or after a stage was entered."""
    amount: Money | None = None
    entered = stage is None
    for event in deal.known:
        if event is deal.closing:
            continue
        if type(event) in ENTERING and event.stage == stage:
            entered = True
        amount = _named(event, amount)
        if entered and amount is not None and amount.minor > 0:
            return amount
    return NotCompared.NOT_QUOTED if entered else NotCompared.STAGE_NOT_ENTERED


def _named(event: DealEvent, before: Money | None) -> Money | None:
    """The amount of a deal after an event."""
    if isinstance(event, Opened | AmountChanged):
        return event.amount
    if isinstance(event, Won | Lost):
        return before if event.amount is None else event.amount
    if isinstance(event, Merged) and isinstance(event.creation, Opened) and before is None:
        return event.creation.amount
    return before


def _discount_in(currency: str, pairs: list[tuple[int, int]], level: float) -> DiscountIn:
    ratio = ratio_of_sums(pairs, level)
    won, quoted = sum(won for won, _ in pairs), sum(quote for _, quote in pairs)
    return DiscountIn(
        len(pairs),
        Money.of_minor(quoted, currency),
        Money.of_minor(won, currency),
        1 - fsum(won / quote for won, quote in pairs) / len(pairs),
        None if ratio is None else _mirrored(ratio),
    )


def _mirrored(ratio: Interval) -> Interval:
    """The interval of what is missing to 1."""
    low, high = (None if end is None else 1 - end for end in (ratio.high, ratio.low))
    return Interval(low, high, ratio.level, ratio.method)
