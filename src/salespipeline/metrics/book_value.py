"""What the open deals promise: each times its probability, by its due date."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import isqrt
from typing import TypeAlias, cast, overload

from attrs import evolve, field, frozen

from salespipeline._doors import choice, instances, repeated
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.events import ProbabilityBasis
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Counting
from salespipeline.metrics._result import Groups, Plain, Result, Table, plain
from salespipeline.metrics.value import in_use
from salespipeline.money import MINOR_UNITS, Money, Rates, check_currency, exact_rates
from salespipeline.periods import Period, Unit, midnight, on
from salespipeline.pipelines import Pipeline, StageKey
from salespipeline.tallies import Count, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._book import OpenDeal, Probabilities, book
from salespipeline.tallies._due import from_month

_BOOK = Counting[DealHistory](book, None, None, durations=True)

DEAL_FIRST = (
    ProbabilityBasis.STICKY,
    ProbabilityBasis.UNTIL_MOVE,
    ProbabilityBasis.MODEL,
    ProbabilityBasis.STAGE,
)
"""A policy: what people said of the deal, then what a model says, then what its stage states."""

MODEL_FIRST = (
    ProbabilityBasis.MODEL,
    ProbabilityBasis.STICKY,
    ProbabilityBasis.UNTIL_MOVE,
    ProbabilityBasis.STAGE,
)
"""A policy: what a model says, then what people said of the deal, then what its stage states."""

STAGE_ONLY = (ProbabilityBasis.STAGE,)
"""A policy: what the stage states, whatever was said of the deal."""


class NotWeighed(StrEnum):
    """Why an open deal is not in a weighted value."""

    NO_AMOUNT = "no_amount"
    NO_PROBABILITY = "no_probability"


@frozen
class Weighted:
    """Amounts of one currency times their probabilities.

    Attributes:
        n: How many deals.
        amount: Their amounts together, not weighed.
        exact: Σ amount × probability, exact, in major units.
        variance: Σ amount² × p × (1 - p), exact: the variance if each is won or not by itself.
    """

    n: int
    amount: Money
    exact: Fraction
    variance: Fraction

    @property
    def value(self) -> Money:
        """The weighted amount: what such deals are worth on average."""
        return Money.rounded(self.exact, self.amount.currency)

    @property
    def standard_deviation(self) -> Money:
        """How far what is won strays from it, if each deal is won or not by itself.

        Deals that share their luck stray further.
        """
        scale = 10 ** (MINOR_UNITS.get(self.amount.currency, 2) + 3)
        root = isqrt(int(self.variance * scale**2))
        return Money.rounded(Fraction(root, scale), self.amount.currency)


@frozen
class WeightedValue(Result):
    """The open deals, each times its probability.

    Attributes:
        open: All open deals, weighed or not.
        by_currency: For each currency, the weighted amounts.
        by_basis: How many were weighed by which kind of probability.
        policy: The kinds of probability, those that win first.
    """

    open: Amounts
    by_currency: Mapping[str, Weighted] = field(hash=False)
    by_basis: Mapping[ProbabilityBasis, int] = field(hash=False)
    policy: tuple[ProbabilityBasis, ...]

    @property
    def n(self) -> int:
        """How many deals were weighed."""
        return sum(self.by_basis.values())

    def rows(self) -> list[Plain]:
        """One row for each currency."""
        shared = self._shared()
        return [
            plain(
                {
                    "currency": currency,
                    "n": each.n,
                    "amount": each.amount.amount,
                    "weighted": each.value.amount,
                    "standard_deviation": each.standard_deviation.amount,
                }
            )
            | shared
            for currency, each in self.by_currency.items()
        ] or [plain({"currency": None, "n": 0}) | shared]

    def row(self) -> Plain:
        """The weighted amount in a column for each currency."""
        sums = {currency: each.value.amount for currency, each in self.by_currency.items()}
        return plain({"n": self.n, **sums}) | self._shared()

    def _shared(self) -> Plain:
        return plain({"open": self.open.n, "by": self.by_basis}) | super().row()

    def total(self, currency: str | None = None, rates: Rates | None = None) -> Weighted | None:
        """The weighted amounts of all currencies in one; None where none was weighed.

        Args:
            currency: The currency wanted; needed where there are several.
            rates: For each other currency, how much of ``currency`` one unit of it buys.

        Raises:
            MixedCurrenciesError: There are several currencies, and no rate for one of them.
        """
        wanted = check_currency(currency) if currency else next(iter(self.by_currency), None)
        if wanted is None or not self.by_currency:
            return None
        exact = exact_rates(wanted, rates, self.by_currency)
        parts = [(exact[code], each) for code, each in self.by_currency.items()]
        amount = sum((Fraction(each.amount.amount) * rate for rate, each in parts), Fraction())
        return Weighted(
            sum(each.n for _, each in parts),
            Money.rounded(amount, wanted),
            sum((each.exact * rate for rate, each in parts), Fraction()),
            sum((each.variance * rate**2 for rate, each in parts), Fraction()),
        )


def check_policy(policy: object) -> tuple[ProbabilityBasis, ...]:
    """The kinds of probability of a policy, those that win first.

    Raises:
        SalesPipelineError: There is none, one occurs twice, or one is no such kind.
    """
    if isinstance(policy, str) or not isinstance(policy, Iterable):
        raise WrongTypeError("policy", "several kinds of probability", policy)
    given = cast("Iterable[object]", policy)
    order = tuple(choice(ProbabilityBasis, each, "policy") for each in given)
    faults = [f"{each.value} occurs twice" for each in repeated(order)]
    if faults or not order:
        raise InvalidValueError("policy", tuple(faults) or ("it names no kind of probability",))
    return order


@overload
def weighted_value(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    policy: Iterable[ProbabilityBasis | str],
    as_of: datetime | None = None,
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
) -> WeightedValue: ...


@overload
def weighted_value(
    deals: Iterable[DealHistory],
    *,
    policy: Iterable[ProbabilityBasis | str],
    as_of: datetime,
    by: str,
    pipelines: Iterable[Pipeline] = (),
) -> Groups[Hashable, WeightedValue]: ...


@asks(policy=check_policy)
def weighted_value(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    policy: Iterable[ProbabilityBasis | str],
    as_of: datetime | None = None,
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
) -> WeightedValue | Groups[Hashable, WeightedValue]:
    """What the open deals are worth on average: each amount times its probability of being won.

    A deal may have several probabilities: one given by hand for good, one given until its next
    move, one of a model, and that of its stage. Which one counts is said by ``policy``: the first
    in it that the deal has. Every open deal is weighed, whatever its forecast category.

    Definition:
        Formula: Σ amount × probability; beside it √ Σ amount² × p × (1 - p).
        Denominator: open deals with an amount and a probability; those without are left out by
            reason, neither as 0 nor as 1.
        Window: the instant.
        Bias: as good as its probabilities are; it is a mean, and deals are won whole, so few
            large deals seldom come to it.
        Elsewhere: "weighted pipeline". Pipedrive and Krayin take 100 % for a stage whose
            probability nobody stated; in Pipedrive a deal's own always goes before its stage's.

    Args:
        deals: The histories of deals, or a tally of the book.
        policy: The kinds of probability that may count, those that win first, such as
            `DEAL_FIRST`, `MODEL_FIRST` or `STAGE_ONLY`.
        as_of: The instant to judge from.
        by: A field of the deal, such as its owner, to group by as of the instant.
        pipelines: What they state is the probability of a stage. For a stage that none states
            one for, it is what was last read as the stage's since the deal entered it.

    Returns:
        The weighted amounts by currency, how many deals were weighed by what, and how many could
        not be.

    Raises:
        SalesPipelineError: The policy is none, names a kind twice or one that there is not.

    >>> from datetime import UTC, datetime
    >>> from salespipeline.deals import Deal
    >>> from salespipeline.pipelines import Stage
    >>> sale = Pipeline("sale", [Stage("offer", probability="0.5")])
    >>> now = datetime(2026, 3, 1, tzinfo=UTC)
    >>> _, opened = Deal.open(
    ...     "d-1", at=now, by="ada", pipeline=sale, amount=Money(300, "EUR")
    ... )
    >>> worth = weighted_value(
    ...     [DealHistory([opened])], as_of=now, policy=STAGE_ONLY, pipelines=[sale]
    ... )
    >>> worth.total().value, worth.total().standard_deviation
    (Money('150.00', 'EUR'), Money('150.00', 'EUR'))
    """
    order, stated = check_policy(policy), StageProbabilities(pipelines)

    def finish(tally: Tally[OpenDeal], _level: float) -> WeightedValue:
        return weighed(tally, order, stated)

    return _BOOK.measure(finish, deals, as_of, None, by, 0.95)


class StageProbabilities:
    """The probabilities that pipelines state for their stages."""

    def __init__(self, pipelines: Iterable[Pipeline]) -> None:
        given = instances(Pipeline, pipelines, "pipelines")
        self._known = {each.key: each for each in given}
        self._of = {
            (pipeline.key, stage.key): stage.probability
            for pipeline in given
            for stage in pipeline.stages
        }

    def chosen(
        self, stage: StageKey, own: Probabilities, order: Iterable[ProbabilityBasis]
    ) -> tuple[ProbabilityBasis, Decimal] | None:
        """The probability that wins of those that a deal has, or None where none may count."""
        having = dict(own)
        stated = self._of.get(in_use(stage, self._known))
        if stated is not None:
            having[ProbabilityBasis.STAGE] = stated
        return next(((basis, having[basis]) for basis in order if basis in having), None)


def weighed(
    tally: Tally[OpenDeal], order: tuple[ProbabilityBasis, ...], stated: StageProbabilities
) -> WeightedValue:
    """The open deals of a tally, weighed."""
    used: Counter[ProbabilityBasis] = Counter()
    left_out: Counter[str] = Counter()
    sums: dict[str, list[Fraction]] = {}
    for (currency, stage, own), (n, minor, squares) in _alike(tally).items():
        found = stated.chosen(stage, own, order)
        if currency is None:
            left_out[NotWeighed.NO_AMOUNT.value] += n
        elif found is None:
            left_out[NotWeighed.NO_PROBABILITY.value] += n
        else:
            basis, chance = found[0], Fraction(found[1])
            used[basis] += n
            spread = squares * chance * (1 - chance)
            parts = (Fraction(n), Fraction(minor), minor * chance, spread)
            before = sums.get(currency, [Fraction()] * 4)
            sums[currency] = [sum_ + part for sum_, part in zip(before, parts, strict=True)]
    weighted = {currency: _of_minor(currency, *sum_) for currency, sum_ in sorted(sums.items())}
    by_basis = {basis: used[basis] for basis in order}
    return WeightedValue(open_amounts(tally), weighted, by_basis, order, left_out=dict(left_out))


_Alike: TypeAlias = tuple[str | None, StageKey, Probabilities]


def _alike(tally: Tally[OpenDeal]) -> dict[_Alike, list[int]]:
    """How many deals have the same chances, with the sums of their amounts, plain and squared."""
    sums: dict[_Alike, list[int]] = {}
    for deal, count in tally.rows.items():
        sum_ = sums.setdefault((deal.currency, deal.stage, deal.probabilities), [0, 0, 0])
        sum_[0] += count.n
        sum_[1] += count.minor
        sum_[2] += count.n * (deal.minor or 0) ** 2
    return sums


def _of_minor(
    currency: str, n: Fraction, minor: Fraction, exact: Fraction, variance: Fraction
) -> Weighted:
    unit = 10 ** MINOR_UNITS.get(currency, 2)
    amount = Money.of_minor(int(minor), currency)
    return Weighted(int(n), amount, exact / unit, variance / unit**2)


class WhenDue(StrEnum):
    """When open deals are expected to close, seen from the instant."""

    OVERDUE = "overdue"
    DUE = "due"
    UNDATED = "undated"


@frozen
class DueValue(Result):
    """The open deals that are due in one calendar step, or overdue, or due on no date.

    Attributes:
        due: Which of these.
        step: The calendar step, or None of what is overdue or undated.
        amounts: Their number and amounts.
        weighted: The same weighed, or None where no policy was given.
    """

    due: WhenDue
    step: Period | None
    amounts: Amounts
    weighted: WeightedValue | None

    columns = ("due", "step", "amounts", "weighted")

    def row(self) -> Plain:
        """The step by its start and end, the number and the amounts."""
        start, end = (None, None) if self.step is None else (self.step.start, self.step.end)
        told = {"due": self.due, "start": start, "end": end, "amounts": self.amounts}
        return plain(told if self.weighted is None else told | {"weighted": self.weighted})


@overload
def pipeline_by_due_date(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    as_of: datetime | None = None,
    by: None = None,
    unit: Unit | str = Unit.MONTH,
    first_month: int = 1,
    policy: Iterable[ProbabilityBasis | str] | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Table[DueValue]: ...


@overload
def pipeline_by_due_date(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str,
    unit: Unit | str = Unit.MONTH,
    first_month: int = 1,
    policy: Iterable[ProbabilityBasis | str] | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Groups[Hashable, Table[DueValue]]: ...


@asks(first_month=from_month, policy=check_policy)
def pipeline_by_due_date(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    unit: Unit | str = Unit.MONTH,
    first_month: int = 1,
    policy: Iterable[ProbabilityBasis | str] | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Table[DueValue] | Groups[Hashable, Table[DueValue]]:
    """What the open deals are worth by the month in which they are expected to close.

    Definition:
        Formula: Σ amount of the open deals, by the calendar step of their due date.
        Denominator: open deals; those overdue and those without a due date stand apart.
        Window: the instant; a deal is overdue once its due date is before the instant's date.
        Bias: due dates are hopes, and most of them move back.
        Elsewhere: "pipeline by close date"; most tools leave deals overdue in the month they
            were due in, and drop those without a date.

    Args:
        deals: The histories of deals, or a tally of the book.
        as_of: The instant to judge from.
        by: A field of the deal, such as its owner, to group by as of the instant.
        unit: Day, week, month, quarter or year.
        first_month: The month that years, and so quarters, begin with.
        policy: Which probabilities to weigh by, as in `weighted_value`; None weighs nothing.
        pipelines: What they state is the probability of a stage.
        zone: The zone whose calendar dates due dates are.

    Returns:
        What is overdue, then each step in which a deal is due, in order, then what is undated;
        each only where there is such a deal.
    """
    order = None if policy is None else check_policy(policy)
    stated, step = StageProbabilities(pipelines), choice(Unit, unit, "unit")
    Period.containing(datetime(2000, 1, 1, tzinfo=UTC), step, first_month=first_month)

    def step_of(day: date, within: tzinfo) -> Period:
        at = midnight(day, within)
        return Period.containing(at, step, first_month=first_month, zone=within)

    def finish(tally: Tally[OpenDeal], _level: float) -> Table[DueValue]:
        parts = _by_due_date(tally, step_of)
        return Table(_due_value(*due, part, order, stated) for due, part in parts)

    return _BOOK.measure(finish, deals, as_of, None, by, 0.95, zone=zone)


def _by_due_date(
    tally: Tally[OpenDeal], step_of: Callable[[date, tzinfo], Period]
) -> Iterable[tuple[tuple[WhenDue, Period | None], Tally[OpenDeal]]]:
    """The rows of the book by when they are due, in order."""
    today = on(tally.as_of, tally.zone)
    overdue, undated = dict[OpenDeal, Count](), dict[OpenDeal, Count]()
    by_day: dict[date, dict[OpenDeal, Count]] = {}
    for deal, count in tally.rows.items():
        day = deal.expected_close
        if day is None:
            undated[deal] = count
        elif day < today:
            overdue[deal] = count
        else:
            by_day.setdefault(day, {})[deal] = count
    parts: dict[tuple[WhenDue, Period | None], dict[OpenDeal, Count]] = {
        (WhenDue.OVERDUE, None): overdue
    }
    for day in sorted(by_day):
        parts.setdefault((WhenDue.DUE, step_of(day, tally.zone)), {}).update(by_day[day])
    parts[WhenDue.UNDATED, None] = undated
    return [(due, evolve(tally, rows=rows)) for due, rows in parts.items() if rows]


def _due_value(
    due: WhenDue,
    step: Period | None,
    tally: Tally[OpenDeal],
    order: tuple[ProbabilityBasis, ...] | None,
    stated: StageProbabilities,
) -> DueValue:
    weighted = None if order is None else weighed(tally, order, stated)
    return DueValue(due, step, open_amounts(tally), weighted)


def open_amounts(tally: Tally[OpenDeal]) -> Amounts:
    """The number and amounts of the open deals of a tally."""
    return Amounts.of((deal.currency, count) for deal, count in tally.rows.items())
