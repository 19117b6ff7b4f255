"""What a change in velocity comes from."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from enum import StrEnum
from fractions import Fraction
from itertools import combinations
from math import comb, log, prod
from typing import overload

from attrs import frozen

from salespipeline._doors import instance, instances
from salespipeline.errors import InvalidValueError, MixedCurrenciesError
from salespipeline.history import DealHistory
from salespipeline.metrics._result import Groups, Plain, Result, even, stamped
from salespipeline.metrics.velocity import (
    CycleOf,
    NumberOf,
    Velocity,
    as_long,
    check_cycle_of,
    check_number_of,
    counted_at_end,
    finished_at_end,
    of_group,
)
from salespipeline.money import MINOR_UNITS, Money, Rates
from salespipeline.periods import Period
from salespipeline.tallies._asking import asks


class VelocityInput(StrEnum):
    """What a velocity is made of."""

    NUMBER = "number"
    WIN_RATE = "win_rate"
    AVERAGE_SIZE = "average_size"
    CYCLE_DAYS = "cycle_days"


@frozen
class VelocityPart(Result):
    """What one input of a velocity does to its change.

    Attributes:
        input: The input.
        before: Its value before, exact, or None.
        after: Its value after, exact, or None.
        exact: What its change makes of the change in money a day, exact and in major units; None
            where the change is not defined.
        money: The same in money; the parts so rounded sum to the change so rounded.
        log_part: The logarithm of the factor by which it multiplies the velocity; None unless
            both velocities are more than 0.
        log_share: That as a share of the logarithm of the whole factor; None where that is 1.
    """

    input: VelocityInput
    before: Fraction | None
    after: Fraction | None
    exact: Fraction | None
    money: Money | None
    log_part: float | None
    log_share: float | None

    columns = ("input", "before", "after", "money", "log_part", "log_share")


@frozen
class Attribution(Result):
    """The change from one velocity to another, as the sum of what its four inputs do.

    Attributes:
        before: The velocity before.
        after: The velocity after.
        parts: One for each input: number, win rate, average size and cycle days.
        undefined: Why the change is not defined, such as ``win_rate before is None``; empty
            where it is.
    """

    before: Velocity
    after: Velocity
    parts: tuple[VelocityPart, ...]
    undefined: tuple[str, ...]

    columns = ("change", "growth", "undefined")

    @property
    def exact_change(self) -> Fraction | None:
        """The change in money a day, exact; None where it is not defined."""
        old, new = self.before.exact_per_day, self.after.exact_per_day
        return None if self.undefined or old is None or new is None else new - old

    @property
    def change(self) -> Money | None:
        """The change in money a day; None where it is not defined."""
        change, currency = self.exact_change, self.after.currency
        return None if change is None or currency is None else Money.rounded(change, currency)

    @property
    def growth(self) -> float | None:
        """The change as a share of the velocity before; None where that is 0 or undefined."""
        change, old = self.exact_change, self.before.exact_per_day
        return float(change / old) if change is not None and old else None

    def rows(self) -> list[Plain]:
        """One row for each input."""
        return even(part.row() for part in self.parts)

    @classmethod
    def of(cls, before: Velocity, after: Velocity) -> "Attribution":
        """The change from one velocity to another.

        Definition:
            Formula: Shapley's value of each input: what changing it adds to the money a day,
                averaged over the 24 orders in which the four can be changed, exact. The
                logarithms of the factors beside it.
            Denominator: the two velocities; where an input is missing, or a cycle takes no time,
                there is no change, and the reason is said.
            Window: whatever the two velocities are of.
            Bias: it says which input moved, not why; inputs that move together share what they
                do together.
            Elsewhere: no vendor known.

        Args:
            before: The velocity before.
            after: The velocity after, in the same currency.

        Returns:
            One part for each input; they sum to the change exactly.

        Raises:
            WrongTypeError: One is no velocity.
            InvalidValueError: They count different deals, or take different cycles.
            MixedCurrenciesError: They are in different currencies.

        Source: L. S. Shapley, "A value for n-person games" (1953).
        """
        _check_alike(instance(Velocity, before, "before"), instance(Velocity, after, "after"))
        undefined = (*_missing(before, "before"), *_missing(after, "after"))
        exact = None if undefined else _shapley(_factors(before), _factors(after))
        logs = None if undefined else _logs(_factors(before), _factors(after))
        money = None if exact is None else _split(exact, str(after.currency))
        level = before.exact_per_day == after.exact_per_day
        whole = None if logs is None or level else sum(logs)
        parts = tuple(
            VelocityPart(
                each,
                _value(before, each),
                _value(after, each),
                None if exact is None else exact[place],
                None if money is None else money[place],
                None if logs is None else logs[place],
                logs[place] / whole if logs is not None and whole else None,
            )
            for place, each in enumerate(VelocityInput)
        )
        return stamped(cls(before, after, parts, undefined), after.as_of, after.period)


def _check_alike(before: Velocity, after: Velocity) -> None:
    faults = [
        f"{name} differs: {getattr(before, name).value} before, {getattr(after, name).value} after"
        for name in ("number_of", "cycle_of")
        if getattr(before, name) is not getattr(after, name)
    ]
    if faults:
        raise InvalidValueError("velocities", tuple(faults))
    named = {each.currency for each in (before, after) if each.currency is not None}
    if len(named) > 1:
        raise MixedCurrenciesError(tuple(sorted(named)))


def _value(velocity: Velocity, each: VelocityInput) -> Fraction | None:
    value: Fraction | int | None = getattr(velocity, each.value)
    return None if value is None else Fraction(value)


def _missing(velocity: Velocity, when: str) -> Iterator[str]:
    for each in VelocityInput:
        value = _value(velocity, each)
        if value is None or (each is VelocityInput.CYCLE_DAYS and not value):
            yield f"{each.value} {when} is {value}"


def _factors(velocity: Velocity) -> tuple[Fraction, ...]:
    """What a velocity with no input missing is the product of."""
    number, rate, size, days = (_value(velocity, each) or Fraction() for each in VelocityInput)
    return number, rate, size, 1 / days


def _shapley(before: Sequence[Fraction], after: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """What each factor adds to a product, averaged over the orders in which they change."""
    n = len(before)
    weights = [Fraction(1, n * comb(n - 1, size)) for size in range(n)]

    def part(place: int) -> Fraction:
        others = [each for each in range(n) if each != place]
        changed = (chosen for size in range(n) for chosen in combinations(others, size))
        context = sum(
            weights[len(first)]
            * prod(after[each] if each in first else before[each] for each in others)
            for first in changed
        )
        return (after[place] - before[place]) * context

    return tuple(part(place) for place in range(n))


def _logs(before: Sequence[Fraction], after: Sequence[Fraction]) -> tuple[float, ...] | None:
    """The logarithm of what each factor multiplies by; None unless all are more than 0."""
    if min(*before, *after) <= 0:
        return None
    return tuple(_log(new) - _log(old) for old, new in zip(before, after, strict=True))


def _log(value: Fraction) -> float:
    return log(value.numerator) - log(value.denominator)  # a float may not hold the fraction


def _split(exact: Sequence[Fraction], currency: str) -> tuple[Money, ...]:
    """Parts rounded to what the currency can pay, so that they sum to the rounded whole.

    What rounding down leaves goes to the largest remainders, in order; a part of 0 stays 0.
    """
    scale = 10 ** MINOR_UNITS.get(currency, 2)
    floors = [part * scale // 1 for part in exact]
    rest = round(sum(exact) * scale) - sum(floors)
    by_rest = sorted(range(len(exact)), key=lambda n: floors[n] - exact[n] * scale)
    raised = set(by_rest[:rest])
    return tuple(Money.of_minor(floor + (n in raised), currency) for n, floor in enumerate(floors))


@overload
def velocity_attribution(
    deals: Iterable[DealHistory],
    *,
    before: Period,
    after: Period,
    by: None = None,
    number: NumberOf | str = NumberOf.OPEN,
    cycle_of: CycleOf | str = CycleOf.WON,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Attribution: ...


@overload
def velocity_attribution(
    deals: Iterable[DealHistory],
    *,
    before: Period,
    after: Period,
    by: str,
    number: NumberOf | str = NumberOf.OPEN,
    cycle_of: CycleOf | str = CycleOf.WON,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Groups[Hashable, Attribution]: ...


@asks(number=check_number_of, cycle_of=check_cycle_of)
def velocity_attribution(
    deals: Iterable[DealHistory],
    *,
    before: Period,
    after: Period,
    by: str | None = None,
    number: NumberOf | str = NumberOf.OPEN,
    cycle_of: CycleOf | str = CycleOf.WON,
    currency: str | None = None,
    rates: Rates | None = None,
    zone: tzinfo = UTC,
) -> Attribution | Groups[Hashable, Attribution]:
    """Why pipeline velocity changed from one period to another: the part of each of its inputs.

    Definition:
        Formula: the change in money a day as the sum of four parts, one for the number of deals,
            the win rate, the average size and the cycle: Shapley's value of each, exact.
        Denominator: as in `pipeline_velocity`, or with the cycle of closed deals as in
            `consistent_velocity`.
        Window: each period as of its last moment. A group is the one at closing, and of open
            deals at the period's end.
        Bias: it says which input moved, not why. Closed and created deals are more in a longer
            period, so those two numbers are refused for periods of unequal length.
        Elsewhere: no vendor known; Frappe compares a month of 31 days with 30 days before it.

    Args:
        deals: The histories of deals.
        before: The period before; ``after.preceding()`` is as long as the one after.
        after: The period after.
        by: A field of the deal to group by, as in `pipeline_velocity`.
        number: Which deals to count: open at the period's end, or closed or created in it.
        cycle_of: Whether the cycle is of won or of all closed deals.
        currency: The currency of the result; needed where there are several.
        rates: For each other currency, how much of ``currency`` one unit of it buys.
        zone: The zone whose calendar dates make days.

    Returns:
        The two velocities and one part for each input; with ``by`` for each group of either
        period.

    Raises:
        InvalidValueError: Closed or created deals are counted over unequal periods.
        MixedCurrenciesError: Won deals have several currencies, and no rate for one of them.
    """
    number_of, cycle = check_number_of(number), check_cycle_of(cycle_of)
    if number_of is not NumberOf.OPEN and not as_long(before, after, zone):
        fault = (
            f"{number_of.value} deals of {before.days(zone)} days do not compare with those of "
            f"{after.days(zone)}: take before=after.preceding(), or open deals"
        )
        raise InvalidValueError("periods", (fault,))
    histories = instances(DealHistory, deals, "deals")
    tallies = [counted_at_end(histories, period, by, zone) for period in (before, after)]

    def attributed(group: Hashable) -> Attribution:
        velocities = (
            finished_at_end(
                tally if by is None else of_group(tally, group),
                period,
                number_of,
                cycle,
                currency,
                rates,
            )
            for tally, period in zip(tallies, (before, after), strict=True)
        )
        return Attribution.of(*velocities)

    if by is None:
        return attributed(None)
    groups = dict.fromkeys(row.group for tally in tallies for row in tally.rows)
    return Groups(((group, attributed(group)) for group in groups), tallies[1].as_of, after)
