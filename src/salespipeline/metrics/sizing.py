"""How many deals and leads a target needs."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import ceil, inf, isinf, sqrt
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, cast, overload

from attrs import evolve, frozen

from salespipeline._doors import hashable, instance, whole
from salespipeline.errors import (
    InvalidValueError,
    UnknownKeyError,
    WrongTypeError,
    brief,
)
from salespipeline.history import DealHistory
from salespipeline.intervals import Interval, check_level
from salespipeline.metrics._figure import Rate, as_fraction
from salespipeline.metrics._result import Groups, Result, stamped
from salespipeline.money import Money, Rates, exact_rates
from salespipeline.periods import Period, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies import courses
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import grouping

if TYPE_CHECKING:
    from random import Random

K = TypeVar("K", bound=Hashable)
Share: TypeAlias = float | Decimal | Fraction | str
"""A number from 0 to 1; a float is read by its shortest decimal text."""

_FEWEST_DRAWS, _MOST_DRAWS = 100, 1_000_000
_MOST_NEEDED = 1e15
_RESAMPLED = 1_000  # with more deals than these the mean of a resample is normal


@frozen
class Needed(Result):
    """How many are needed.

    Attributes:
        exact: The number before rounding; None where no number is enough.
        why: Why no number is enough, or None.
    """

    exact: Fraction | None
    why: str | None = None

    columns = ("n", "exact", "why")

    @property
    def n(self) -> int | None:
        """The number, rounded up: one fewer does not reach the target. None where none does."""
        return None if self.exact is None else ceil(self.exact)

    def __str__(self) -> str:
        """The number, or why there is none."""
        return str(self.why) if self.n is None else f"{self.n:,}"


def _check_target(target: object) -> Money:
    goal = instance(Money, target, "target")
    if goal.minor <= 0:
        raise InvalidValueError("target", (f"{brief(goal)} is not more than 0",))
    return goal


def _check_size(size: object) -> Money:
    amount = instance(Money, size, "average_size")
    if amount.minor < 0:
        raise InvalidValueError("average_size", (f"{brief(amount)} is negative",))
    return amount


@asks(target=_check_target, average_size=_check_size)
def deals_needed(target: Money, average_size: Money, *, rates: Rates | None = None) -> Needed:
    """How many won deals of an average size make a target.

    Definition:
        Formula: target ÷ average size, rounded up.
        Denominator: the average size of a won deal.
        Window: that of the target.
        Bias: an average hides how much deals differ; `sizing_from` gives a range.
        Elsewhere: spreadsheets round to the nearest, and so fall short every second time.

    Args:
        target: What is to be won, more than 0.
        average_size: The average size of a won deal, from 0 on.
        rates: For each other currency, how much of the target's currency one unit of it buys.

    Returns:
        The number; None with the reason where deals bring nothing.

    Raises:
        InvalidValueError: The target is not more than 0, or the size is negative.
        MixedCurrenciesError: They are of two currencies, and there is no rate.

    Source: ActiveCampaign, What is a sales pipeline? (the ideal size of a pipeline).

    >>> print(deals_needed(Money(100_000, "USD"), Money(500, "USD")))
    200
    """
    goal = _check_target(target)
    return _deals(goal, _size(average_size, goal.currency, rates))


def _check_needed(needed: object, name: str) -> Needed:
    if isinstance(needed, Needed):
        return needed
    if whole(needed, name) < 0:
        raise InvalidValueError(name, (f"{brief(needed)} is negative",))
    return Needed(Fraction(whole(needed, name)))


def _check_rate(rate: object) -> Fraction:
    share = as_fraction(rate, "win_rate")
    if not 0 <= share <= 1:
        raise InvalidValueError("win_rate", (f"{brief(rate)} is not from 0 to 1",))
    return share


@asks(deals=partial(_check_needed, name="deals"), win_rate=_check_rate)
def leads_needed(deals: int | Needed, win_rate: Share) -> Needed:
    """How many leads, or opened deals, it takes to win so many.

    Definition:
        Formula: deals to win ÷ win rate, rounded up.
        Denominator: the win rate: of leads for leads, of deals for deals.
        Window: that of the deals to win; the leads are needed a sales cycle earlier.
        Bias: so many leads win as many on average, so about every second time fewer.
        Elsewhere: pipeline coverage is the same in money: one divided by the win rate.

    Args:
        deals: How many are to be won, from 0 on.
        win_rate: From 0 to 1.

    Returns:
        The number; None with the reason where nothing is ever won.

    Raises:
        InvalidValueError: The number is negative, or the rate is not from 0 to 1.

    Source: ActiveCampaign, What is a sales pipeline? (the ideal size of a pipeline).

    >>> print(leads_needed(200, 0.8))
    250
    """
    wanted = _check_needed(deals, "deals")
    return _leads(wanted, _check_rate(win_rate))


def _check_people(people: object) -> int:
    if whole(people, "people") < 1:
        raise InvalidValueError("people", (f"{brief(people)} is not 1 or more",))
    return whole(people, "people")


@asks(needed=partial(_check_needed, name="needed"), people=_check_people)
def needed_each(needed: int | Needed, people: int) -> Needed:
    """How many of what is needed each of so many people takes, rounded up.

    Definition:
        Formula: needed ÷ people, rounded up.
        Denominator: the people.
        Window: that of what is needed.
        Bias: takes everybody for equally good; `sizing_by` takes each one's own rate.
        Elsewhere: no vendor known.

    Args:
        needed: How many are needed together, from 0 on.
        people: How many people there are, at least 1.

    >>> print(needed_each(leads_needed(200, 0.8), 10))
    25
    """
    return _each(_check_needed(needed, "needed"), _check_people(people))


def _deals(target: Money, size: Fraction | None) -> Needed:
    if size is None:
        return Needed(None, "no deal with an amount was won")
    if size <= 0:
        return Needed(None, "deals bring nothing")
    return Needed(Fraction(target.amount) / size)


def _leads(deals: Needed, rate: Fraction | None) -> Needed:
    if deals.n is None:
        return deals
    if rate is None:
        return Needed(None, "no deal was closed")
    return Needed(deals.n / rate) if rate else Needed(None, "nothing is won at a win rate of 0")


def _each(needed: Needed, people: int) -> Needed:
    return needed if needed.n is None else Needed(Fraction(needed.n, people))


def _size(size: object, currency: str, rates: Rates | None) -> Fraction:
    """An average size in a currency, exact."""
    amount = _check_size(size)
    return Fraction(amount.amount) * exact_rates(currency, rates, [code := amount.currency])[code]


@frozen
class Sizing(Result):
    """How large a pipeline a target needs.

    Attributes:
        target: What is to be won.
        average_size: The average size of a won deal, exact, in the target's currency; None where
            none is known.
        win_rate: Won among closed, exact; None where none is known.
        people: How many people share the leads.
        closed: The win rate as it was counted, or None where it was given.
        sizes: How many won deals the average size is of, or None where it was given.
        deals_range: The deals needed, with the average size as uncertain as it is; None where
            the inputs were given, or fewer than two deals with an amount were won.
        leads_range: The leads needed, with the win rate uncertain as well; None likewise.
    """

    target: Money
    average_size: Fraction | None
    win_rate: Fraction | None
    people: int = 1
    closed: Rate | None = None
    sizes: int | None = None
    deals_range: Interval | None = None
    leads_range: Interval | None = None

    columns = ("target", "average_size", "win_rate", "deals_n", "leads_n", "leads_each_n", "why")

    @property
    def deals(self) -> Needed:
        """How many deals are to be won."""
        return _deals(self.target, self.average_size)

    @property
    def leads(self) -> Needed:
        """How many leads it takes to win them."""
        return _leads(self.deals, self.win_rate)

    @property
    def leads_each(self) -> Needed:
        """How many of the leads each person takes."""
        return _each(self.leads, self.people)

    @property
    def deals_n(self) -> int | None:
        """The deals to win, or None."""
        return self.deals.n

    @property
    def leads_n(self) -> int | None:
        """The leads to have, or None."""
        return self.leads.n

    @property
    def leads_each_n(self) -> int | None:
        """The leads for each person, or None."""
        return self.leads_each.n

    @property
    def why(self) -> str | None:
        """Why no number is enough, or None."""
        return self.leads.why


@asks(target=_check_target, average_size=_check_size, win_rate=_check_rate, people=_check_people)
def sizing(
    target: Money,
    *,
    average_size: Money,
    win_rate: Share,
    people: int = 1,
    rates: Rates | None = None,
) -> Sizing:
    """How many deals and leads a target needs, and how many each person takes.

    Whole deals are won by whole leads of whole people, so each step is rounded up.

    Definition:
        Formula: target ÷ average size → deals; ÷ win rate → leads; ÷ people → each one's leads.
        Denominator: at each step that step's, as in `deals_needed` and `leads_needed`.
        Window: that of the target.
        Bias: takes averages for certain; `sizing_from` gives a range.
        Elsewhere: a coverage of three or four times the quota is the same with a guessed win rate.

    Args:
        target: What is to be won, more than 0.
        average_size: The average size of a won deal, from 0 on.
        win_rate: From 0 to 1.
        people: How many people share the leads.
        rates: For each other currency, how much of the target's currency one unit of it buys.

    Raises:
        InvalidValueError: The target is not more than 0, the size is negative, the rate is not
            from 0 to 1, or there is nobody.
        MixedCurrenciesError: Target and size are of two currencies, and there is no rate.

    Source: ActiveCampaign, What is a sales pipeline? (the ideal size of a pipeline).

    >>> month = sizing(
    ...     Money(100_000, "USD"), average_size=Money(500, "USD"), win_rate=0.8, people=10
    ... )
    >>> month.deals.n, month.leads.n, month.leads_each.n
    (200, 250, 25)
    """
    goal = _check_target(target)
    size = _size(average_size, goal.currency, rates)
    return Sizing(goal, size, _check_rate(win_rate), _check_people(people))


def _every(check: Callable[[object], object]) -> Callable[[object], None]:
    """The same check of each value of a mapping, or of what is given for all."""

    def checked(given: object) -> None:
        each = cast("Mapping[object, object]", given)
        for value in each.values() if isinstance(given, Mapping) else (given,):
            check(value)

    return checked


def _check_weights(weights: object) -> None:
    if not isinstance(weights, Mapping):
        raise WrongTypeError("weights", "a mapping of keys to numbers", weights)


@asks(
    target=_check_target, weights=_check_weights, average_size=_every(_check_size),
    win_rate=_every(_check_rate), people=_every(_check_people),
)  # fmt: skip
def sizing_by(
    target: Money,
    *,
    weights: Mapping[K, int | Decimal],
    average_size: Money | Mapping[K, Money],
    win_rate: Share | Mapping[K, Share],
    people: int | Mapping[K, int] = 1,
    rates: Rates | None = None,
) -> Groups[K, Sizing]:
    """How many deals and leads each month, or each person, needs for a part of a target.

    Definition:
        Formula: as `sizing`, of target × weight ÷ all weights.
        Denominator: as there.
        Window: one for each key.
        Bias: as there; and each part is rounded up, so all parts together need a little more.
        Elsewhere: quotas are often split evenly, whatever the season.

    Args:
        target: What is to be won together, more than 0.
        weights: How heavy each part is: months by their season, people by what they can carry.
            The parts sum to the target without a cent lost; a weight of 0 needs nothing.
        average_size: The average size of a won deal: one for all, or each one's own.
        win_rate: From 0 to 1: one for all, or each one's own.
        people: How many people share the leads of each part.
        rates: For each other currency, how much of the target's currency one unit of it buys.

    Returns:
        One sizing for each key of the weights, in their order; of a period it says the period.

    Raises:
        InvalidValueError: As in `sizing`, or a weight is negative, or none is more than 0.
        UnknownKeyError: A weight's key has no size, rate or people of its own.

    >>> quarter = sizing_by(
    ...     Money(90_000, "EUR"), weights={"ada": 2, "bob": 1},
    ...     average_size=Money(1000, "EUR"), win_rate={"ada": 0.5, "bob": 0.25},
    ... )
    >>> [(name, each.deals.n, each.leads.n) for name, each in quarter.items()]
    [('ada', 60, 120), ('bob', 30, 120)]
    """
    goal = _check_target(target)
    parts = goal.allocate(list(weights.values()))
    return Groups(
        {
            key: Sizing(
                part,
                _size(_own(average_size, key, "average_size"), goal.currency, rates),
                _check_rate(_own(win_rate, key, "win_rate")),
                _check_people(_own(people, key, "people")),
                period=key if isinstance(key, Period) else None,
            )
            for key, part in zip(weights, parts, strict=True)
        }
    )


def _own(given: object, key: Hashable, name: str) -> object:
    """What is given for a key, or for all of them."""
    if not isinstance(given, Mapping):
        return given
    each = cast("Mapping[Hashable, object]", given)
    if key not in each:
        raise UnknownKeyError(f"key of {name}", key, hashable(each, name))
    return each[key]


class _Sold(NamedTuple):
    """What a body of deals says of size and win rate."""

    outcomes: Counter[Outcome]
    amounts: list[Money]


def _check_draws(draws: object) -> int:
    if not _FEWEST_DRAWS <= whole(draws, "draws") <= _MOST_DRAWS:
        fault = f"{brief(draws)} is not from {_FEWEST_DRAWS} to {_MOST_DRAWS}"
        raise InvalidValueError("draws", (fault,))
    return whole(draws, "draws")


@overload
def sizing_from(
    deals: Iterable[DealHistory],
    *,
    target: Money,
    as_of: datetime,
    seed: int,
    period: Period | None = None,
    by: None = None,
    people: int = 1,
    rates: Rates | None = None,
    draws: int = 1000,
    level: float = 0.8,
) -> Sizing: ...


@overload
def sizing_from(
    deals: Iterable[DealHistory],
    *,
    target: Mapping[K, Money],
    as_of: datetime,
    seed: int,
    period: Period | None = None,
    by: str,
    people: int = 1,
    rates: Rates | None = None,
    draws: int = 1000,
    level: float = 0.8,
) -> Groups[K, Sizing]: ...


@asks(target=_every(_check_target), people=_check_people, draws=_check_draws)
def sizing_from(
    deals: Iterable[DealHistory],
    *,
    target: Money | Mapping[K, Money],
    as_of: datetime,
    seed: int,
    period: Period | None = None,
    by: str | None = None,
    people: int = 1,
    rates: Rates | None = None,
    draws: int = 1000,
    level: float = 0.8,
) -> Sizing | Groups[K, Sizing]:
    """How many deals and leads a target needs at the win rate and size that the deals show.

    Definition:
        Formula: target ÷ mean amount of won deals, rounded up; that ÷ (won ÷ closed), rounded
            up. The range: the same for draws of the mean, by resampling won deals, and of the
            win rate, from Beta(won + ½, lost + ½).
        Denominator: won deals with an amount; closed deals.
        Window: closing in the period; all time without one.
        Bias: that of the win rate among closed deals, which is too high where losses are slow or
            never marked: then too few leads. The range holds what is not known of size and rate,
            not the luck of the next months.
        Elsewhere: no vendor known to give a range.

    Args:
        deals: The histories of deals.
        target: What is to be won, more than 0; with ``by``, by each.
        as_of: The instant to judge from.
        seed: What the draws begin with; the same seed gives the same range.
        period: The period of the closings to learn from; all time if not given.
        by: A field of the deal to group by, as it was at closing.
        people: How many people share the leads.
        rates: For each other currency, how much of the target's currency one unit of it buys.
        draws: How many draws make the range, at least 100.
        level: The confidence of the ranges, and of the win rate's interval.

    Returns:
        The sizing; with ``by`` one for each with a target, with None and the reason for whoever
        closed nothing. Won deals without an amount are in the win rate and not in the size, and
        are told as ``no_amount``.

    Raises:
        InvalidValueError: A target is not more than 0, or there are too few or too many draws.
        MixedCurrenciesError: Deals were won in another currency, and there is no rate for it.
    """
    at, wanted = utc(as_of, "as_of"), _targets(target, by)
    times, start = _check_draws(draws), whole(seed, "seed")
    heads, share = _check_people(people), check_level(level)
    found = _sold(deals, at, period, by)
    results = {
        key: stamped(
            _sizing_of(found.get(key, _Sold(Counter(), [])), goal, heads, rates,
                       (times, start, share)), at, period,
        )
        for key, goal in wanted.items()
    }  # fmt: skip
    return results[None] if by is None else Groups(cast("dict[K, Sizing]", results), at, period)


def _targets(target: object, by: str | None) -> dict[Hashable, Money]:
    if by is None:
        return {None: _check_target(target)}
    if not isinstance(target, Mapping):
        raise WrongTypeError("target", "a mapping of groups to Money, as by= is given", target)
    each = cast("Mapping[Hashable, object]", target)
    return {key: _check_target(goal) for key, goal in each.items()}


def _sold(
    deals: Iterable[DealHistory], at: datetime, period: Period | None, by: str | None
) -> dict[Hashable, _Sold]:
    """What the deals closed in a period say, by group."""
    group, found = grouping(by), dict[Hashable, _Sold]()
    for each in courses(deals, at):
        outcome, closing, amount = each.outcome, each.closing, each.amount
        if closing is None or (period is not None and closing.at not in period):
            continue
        of = group and group(each, closing)
        sold = found.setdefault(of, _Sold(Counter(), []))
        sold.outcomes[outcome] += 1
        if outcome is Outcome.WON and amount is not None:
            sold.amounts.append(amount)
    return found


def _sizing_of(
    sold: _Sold, target: Money, people: int, rates: Rates | None, asked: tuple[int, int, float]
) -> Sizing:
    won, lost = sold.outcomes[Outcome.WON], sold.outcomes[Outcome.LOST]
    total, sizes = _sizes(sold.amounts, target.currency, rates)
    known = Sizing(
        target,
        total / len(sizes) if sizes else None,
        Fraction(won, won + lost) if won + lost else None,
        people,
        Rate.of(won, won + lost, asked[2]),
        len(sizes),
        left_out={"no_amount": won - len(sizes)} if won > len(sizes) else {},
    )
    if len(sizes) < 2 or known.leads.n is None:
        return known
    deals, leads = zip(*_drawn(known, sizes, asked), strict=True)
    return evolve(
        known,
        deals_range=_range(deals, asked[2], "bootstrap"),
        leads_range=_range(leads, asked[2], "bootstrap and jeffreys"),
    )


def _sizes(
    amounts: Sequence[Money], currency: str, rates: Rates | None
) -> tuple[Fraction, list[float]]:
    """The sum of amounts in a currency, exact, and each of them, the smallest first."""
    units = exact_rates(currency, rates, (each.currency for each in amounts))
    least = {code: rate * Fraction(Money.of_minor(1, code).amount) for code, rate in units.items()}
    minor: Counter[str] = Counter()
    for each in amounts:
        minor[each.currency] += each.minor
    parts = {code: unit.as_integer_ratio() for code, unit in least.items()}
    sizes = sorted(
        each.minor * many / of for each in amounts for many, of in (parts[each.currency],)
    )
    return sum((n * least[code] for code, n in minor.items()), Fraction()), sizes


def _drawn(
    known: Sizing, sizes: Sequence[float], asked: tuple[int, int, float]
) -> Iterator[tuple[float, float]]:
    """Draws of how many deals and leads are needed; infinitely many where deals bring nothing."""
    from random import Random  # noqa: PLC0415 - few ask, and importing it takes long

    times, seed, _ = asked
    rng, goal = Random(seed), float(known.target.amount)  # noqa: S311 - no secret hangs on it
    won = known.closed.numerator if known.closed else 0
    lost = known.closed.denominator - won if known.closed else 0
    for mean in _means(rng, sizes, times):
        deals = ceil(goal / mean) if mean > 0 and goal / mean < _MOST_NEEDED else inf
        leads = deals / rng.betavariate(won + 0.5, lost + 0.5)
        yield deals, ceil(leads) if leads < _MOST_NEEDED else inf


def _means(rng: "Random", sizes: Sequence[float], times: int) -> Iterator[float]:
    """The means of resamples of deals, or, of many, what they are distributed like."""
    n = len(sizes)
    if n <= _RESAMPLED:
        for _ in range(times):
            yield sum(rng.choices(sizes, k=n)) / n
        return
    mean = sum(sizes) / n
    error = sqrt(sum((size - mean) ** 2 for size in sizes)) / n
    for _ in range(times):
        yield rng.gauss(mean, error)


def _range(drawn: Sequence[float], level: float, method: str) -> Interval:
    """The middle share of draws; an end that is infinite is open."""
    ordered, beyond = sorted(drawn), (1 - level) / 2
    ends = ordered[int(beyond * len(ordered))], ordered[-int(beyond * len(ordered)) - 1]
    low, high = (None if isinf(end) else end for end in ends)
    return Interval(low, high, level, method)
