"""How the open pipeline came from one instant to another, change by change."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import cast, overload

from attrs import evolve, field, frozen

from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts
from salespipeline.metrics._result import Groups, Plain, Result, plain, stamped
from salespipeline.money import Money, Rates, check_currency, exact_rates
from salespipeline.periods import Period
from salespipeline.tallies import Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._flows import BridgeTerm, Flow, flows

CHANGES = tuple(
    term
    for term in BridgeTerm
    if term not in (BridgeTerm.START, BridgeTerm.END, BridgeTerm.WON_BESIDE, BridgeTerm.RATE_CHANGE)
)
"""What a change is put down to, in the order of a bridge."""


@frozen
class Bridge(Result):
    """The open pipeline at the start of a period, what changed it by then, and at its end.

    Attributes:
        start: The open deals just before the period.
        changes: What came in, less what left, by what it is put down to, in a fixed order; each
            with the number of changes.
        end: The open deals just before the period's end.
        won_beside: What was won in the period and is in no change, since the deal was not in the
            pipeline just before: due outside the window, lost before, or won at once.
        net: Whether only the two ends were compared, instead of taking each event.
        window: The due dates that count, or None for every open deal.
    """

    start: Amounts
    changes: Mapping[BridgeTerm, Amounts] = field(hash=False)
    end: Amounts
    won_beside: Amounts
    net: bool = False
    window: Period | None = None

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies of its amounts, in the order of their codes."""
        parts = (self.start, *self.changes.values(), self.end, self.won_beside)
        return tuple(sorted({currency for part in parts for currency in part.by_currency}))

    @property
    def residual(self) -> Mapping[str, Money]:
        """The start with all changes, less the end, by currency: nothing, always."""
        return {
            currency: Money.of_minor(
                _minor(self.start, currency)
                + sum(_minor(change, currency) for change in self.changes.values())
                - _minor(self.end, currency),
                currency,
            )
            for currency in self.currencies
        }

    def rows(self) -> list[Plain]:
        """One row for the start, each change, the end and what was won beside it."""
        lines = (
            (BridgeTerm.START, self.start),
            *self.changes.items(),
            (BridgeTerm.END, self.end),
            (BridgeTerm.WON_BESIDE, self.won_beside),
        )
        return [
            plain({"term": term, "n": part.n, **self._sums(part)}) for term, part in lines
        ]  # fmt: skip

    def row(self) -> Plain:
        """The start, the end, and every change in a column of its own."""
        parts = ((BridgeTerm.START, self.start), *self.changes.items(), (BridgeTerm.END, self.end))
        return plain({str(term): self._sums(part) for term, part in parts})

    def _sums(self, part: Amounts) -> dict[str, Decimal]:
        return {each: Money.of_minor(_minor(part, each), each).amount for each in self.currencies}

    def reported(
        self, currency: str, *, rates: Rates | None = None, rates_at_end: Rates | None = None
    ) -> "Bridge":
        """The same bridge in one currency, with what the rates changed as a term of its own.

        The start and every change are taken at the rates of the start, the end at those of the
        end. Amounts are rounded so that the terms still sum to the end: each is off its exact
        value by less than one minor unit.

        Args:
            currency: The currency wanted.
            rates: For each other currency, how much of it one unit buys at the start.
            rates_at_end: The same at the end; those of the start if not given.

        Raises:
            MixedCurrenciesError: There is no rate for a currency.

        >>> nothing = pipeline_bridge([], period=Period.month(2026, 3))
        >>> nothing.reported("EUR").changes[BridgeTerm.RATE_CHANGE].n
        0
        """
        code = check_currency(currency)
        if BridgeTerm.RATE_CHANGE in self.changes:
            raise InvalidValueError("bridge", ("it is in one currency already",))
        first = exact_rates(code, rates, self.currencies)
        last = exact_rates(code, rates_at_end or rates, self.currencies, "rates_at_end")
        reached = _worth(self.start, first)
        made: dict[BridgeTerm, Amounts] = {}
        start = _whole(self.start, Money.rounded(reached, code))
        for term, part in self.changes.items():
            before, reached = reached, reached + _worth(part, first)
            made[term] = _whole(part, _step(before, reached, code))
        end, beside = _worth(self.end, last), _worth(self.won_beside, last)
        made[BridgeTerm.RATE_CHANGE] = _whole(_NOTHING, _step(reached, end, code))
        return evolve(
            self,
            start=start,
            changes=made,
            end=_whole(self.end, Money.rounded(end, code)),
            won_beside=_whole(self.won_beside, Money.rounded(beside, code)),
        )


_NOTHING = Amounts.of([])
_MOMENT = timedelta(microseconds=1)


def _minor(part: Amounts, currency: str) -> int:
    return part.by_currency[currency][1].minor if currency in part.by_currency else 0


def _whole(part: Amounts, amount: Money) -> Amounts:
    """The same number of changes, worth an amount of one currency."""
    by_currency = {amount.currency: (part.n - part.without_amount, amount)}
    return Amounts(part.n, by_currency, part.without_amount)


def _step(before: Fraction, after: Fraction, currency: str) -> Money:
    """What a running sum grew by, each sum being rounded by itself: so steps sum to the whole."""
    return Money.rounded(after, currency) - Money.rounded(before, currency)


def _worth(part: Amounts, rates: Mapping[str, Fraction]) -> Fraction:
    """Amounts together in one currency, exact, in major units."""
    parts = ((rates[code], amount) for code, (_, amount) in part.by_currency.items())
    return sum((Fraction(amount.amount) * rate for rate, amount in parts), Fraction())


@overload
def pipeline_bridge(
    deals: Iterable[DealHistory] | Tally[Flow],
    *,
    period: Period,
    by: None = None,
    window: Period | None = None,
    net: bool = False,
    zone: tzinfo = UTC,
) -> Bridge: ...


@overload
def pipeline_bridge(
    deals: Iterable[DealHistory],
    *,
    period: Period,
    by: str,
    window: Period | None = None,
    net: bool = False,
    zone: tzinfo = UTC,
) -> Groups[Hashable, Bridge]: ...


@asks(window=Period, net=bool)
def pipeline_bridge(
    deals: Iterable[DealHistory] | Tally[Flow],
    *,
    period: Period,
    by: str | None = None,
    window: Period | None = None,
    net: bool = False,
    zone: tzinfo = UTC,
) -> Bridge | Groups[Hashable, Bridge]:
    """How the amount of the open deals came from the start of a period to its end.

    Every event's change is put down to one thing: a new deal, one reopened, one whose due date
    moved into the window or out of it, an amount that rose or fell, a deal won or lost, one that
    went to another group, an amount in another currency, or a correction (a voided event, a
    deletion, a merge). A deal won or lost at another amount first rises or falls to it, and is
    then won or lost at it. Start and changes sum to the end, per currency, to the last cent.

    The bridge walks through what was known: an event counts at the instant from which it had
    both happened and been recorded. It starts with what was known just before the period and
    ends with what was known just before the period's end, so bridges of periods that follow each
    other add up, change by change.

    Definition:
        Formula: end = start + new + reopened + moved in + increased + decreased + moved out + won
            + lost + transferred + redenominated + corrected, where what leaves is less than 0.
        Denominator: none; amounts of open deals, by currency. A deal without an amount is
            counted and adds nothing.
        Window: every event that becomes known in the period; with a window of due dates only
            deals expected to close in it are in the pipeline.
        Bias: none known; what was recorded late shows in the period in which it was recorded.
        Elsewhere: Salesforce's Pipeline Inspection has the same groups, states no identity that
            they keep, and looks for deals moved out only within six months after the period.

    Args:
        deals: The histories of deals, or a tally of flows.
        period: The period, at whose start and end the pipeline is compared.
        by: A field of the deal to group by, as it was at each event; what goes to another group
            is transferred out of the one and into the other.
        window: The due dates that count, such as those of a quarter.
        net: Whether to compare only the two ends: then each deal is in one change, or in two if
            it changed both in worth and in group, or in currency.
        zone: The zone whose calendar dates due dates are.

    Returns:
        The bridge; with ``by`` one for each group that the period saw.

    Raises:
        UnknownKeyError: The tally was not counted for the period.
        InvalidValueError: The tally was counted with another window, or otherwise.

    Source: Salesforce, Pipeline Inspection (the groups of changes).

    >>> from datetime import UTC, datetime
    >>> from salespipeline.deals import Deal
    >>> from salespipeline.pipelines import SIX_STAGES
    >>> def on(day):
    ...     return datetime(2026, 3, day, tzinfo=UTC)
    >>> deal, opened = Deal.open(
    ...     "d-1", at=on(2), by="ada", pipeline=SIX_STAGES, amount=Money(900, "EUR")
    ... )
    >>> deal, won = deal.win(
    ...     at=on(9), by="ada", pipeline=SIX_STAGES, amount=Money(1000, "EUR")
    ... )
    >>> bridge = pipeline_bridge([DealHistory([opened, won])], period=Period(on(1), on(31)))
    >>> {str(term): str(part.total()) for term, part in bridge.changes.items() if part.n}
    {'new': '900.00 EUR', 'increased': '100.00 EUR', 'won': '-1,000.00 EUR'}
    """
    if isinstance(deals, Tally):
        tally = _given(deals, by=by, window=window, net=net)
    else:
        tally = flows(deals, periods=(period,), by=by, window=window, net=net, zone=zone)
    if period not in tally.periods:
        raise UnknownKeyError("period of the tally", period, tally.periods)
    number = tally.periods.index(period)
    part = tally.where(lambda row: row.step == number)
    if by is None:
        return _bridge(part, period)
    groups = {group: _bridge(each, period) for group, each in part.groups().items()}
    return Groups(groups, period.end - _MOMENT, period)


def _given(tally: Tally[Flow], *, by: str | None, window: Period | None, net: bool) -> Tally[Flow]:
    settings = dict(tally.settings)
    faults: list[str] = []
    if tally.name != "flows":
        faults.append(f"it counts {tally.name}, and this figure needs flows")
    elif window not in (None, settings["window"]):
        faults.append(f"it was counted with the window {settings['window']}")
    if net and not settings.get("net"):
        faults.append("it was counted event by event")
    if by is not None:
        faults.append("it is counted already: give by= when counting, and use its groups()")
    if faults:
        raise InvalidValueError("tally", tuple(faults))
    return tally


def _bridge(tally: Tally[Flow], period: Period) -> Bridge:
    """The bridge of the rows of one period."""

    def part(term: BridgeTerm) -> Amounts:
        return Amounts.of(
            (row.currency, count) for row, count in tally.rows.items() if row.term is term
        )

    settings = dict(tally.settings)
    bridge = Bridge(
        part(BridgeTerm.START),
        {term: part(term) for term in CHANGES},
        part(BridgeTerm.END),
        part(BridgeTerm.WON_BESIDE),
        net=settings["net"] is True,
        window=cast("Period | None", settings["window"]),
    )
    return stamped(bridge, period.end - _MOMENT, period)
