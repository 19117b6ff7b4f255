"""What became of accounts and their recurring revenue, by the terms of won deals."""

from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from math import lcm
from typing import Any, NamedTuple, TypeAlias

from salespipeline._doors import instances, whole
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import Event, FieldSet, Merged, SaleType, Term
from salespipeline.history import DealHistory
from salespipeline.periods import Period, check_zone, midnight, on, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._counting import Known, Tally, courses, grouping, stepper, table

_MOMENT = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_TELLING = frozenset({FieldSet, Merged})  # the events after the first that may set a term
_MOST_GRACE = 3_660_000

Part: TypeAlias = tuple[int, int]
"""Minor units in so many months: a rate without rounding."""


class RevenueFlow(StrEnum):
    """What a row of `accounts` counts.

    The first seven have a row for accounts, without a currency, and one for each currency.
    """

    START = "start"
    CONTRACTION = "contraction"
    CHURN = "churn"
    EXPANSION = "expansion"
    END = "end"
    NEW = "new"
    REACTIVATED = "reactivated"
    CAME_AND_WENT = "came_and_went"
    OVERLAP = "overlap"
    ON_TIME = "on_time"
    LATE = "late"
    NOT_RENEWED = "not_renewed"
    OVERDUE = "overdue"
    OPEN = "open"
    LEFT_OUT = "left_out"
    UNLINKED = "unlinked"


class Unusable(StrEnum):
    """Why a won deal tells nothing of recurring revenue."""

    NO_TERM = "no_term"
    NO_ACCOUNT = "no_account"
    NEGATIVE_AMOUNT = "negative_amount"


class AccountMovement(NamedTuple):
    """A row of `accounts`: what happened to accounts, or terms, in one period.

    Attributes:
        group: The value of what they are grouped by; None without a grouping.
        period: The number of the period.
        flow: What is counted.
        currency: The currency of the amounts; None in a row that counts accounts or terms alone.
        months: The amounts of the row are for so many months.
        why: Why deals are left out, or None.
    """

    group: Hashable
    period: int
    flow: RevenueFlow
    currency: str | None
    months: int
    why: Unusable | None


class Service(NamedTuple):
    """What one deal says of the recurring revenue of its account.

    Attributes:
        record: The id of the deal.
        outcome: How it stands.
        closed_at: When it was closed, or None.
        term: What it sells over time, or None where that cannot be used.
        renews: The id of the deal that it renews, or None.
        is_renewal: Whether it says to renew something, whether or not what.
        known: Its events that hold.
    """

    record: str
    outcome: Outcome
    closed_at: datetime | None
    term: Term | None
    renews: str | None
    is_renewal: bool
    known: Known


class Stretch(NamedTuple):
    """The days on which a term is in force, up to the renewal that replaces it.

    Attributes:
        start: Its first day, as an ordinal.
        end: The first day after it.
        replaced_until: The day on which it would have ended; ``end`` if nothing replaced it.
        rate: What it brings.
        currency: In which currency.
        of: The deal.
    """

    start: int
    end: int
    replaced_until: int
    rate: Part
    currency: str
    of: Service


def accounts(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
    grace_days: int = 0,
) -> Tally[AccountMovement]:
    """Count what became of accounts and of their terms in each period, as known at an instant.

    An account has one balance at the beginning of a period, of what was in force just before it,
    and one at its end, of what was in force just before that; a period that is not over by
    ``as_of`` has none, and only terms that end in it. All deals of an account belong in one
    tally: tallies add where no account is in two of them.

    Args:
        deals: The histories of deals.
        as_of: The instant to judge from.
        by: A field of the deal, or ``attributes.`` and a name, to group by as it was when the
            period began (of accounts that came later, when it ended; of terms, when they ended):
            for an account that of the deal whose term began last.
        periods: Periods that do not overlap, in order.
        zone: The zone whose calendar dates terms go by.
        grace_days: A renewal won fewer than so many days after the last day is on time, too.
    """
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    stepper(steps)
    grace, today = check_grace(grace_days), on(at, check_zone(zone)).toordinal()
    group = grouping(Deal, by)
    left_out: Counter[tuple[Hashable, Unusable]] = Counter()
    found = services(deals, at, left_out, group)
    teller = _Teller(group)
    frames = [
        (number, step, _day_before(step.start, zone), _day_before(step.end, zone))
        for number, step in enumerate(steps)
    ]
    for sold in found.values():
        stretches = in_force(sold)
        for number, step, first, last in frames:
            if step.end <= at:
                teller.account(number, step, first, last, stretches)
            teller.terms(number, first, last, stretches, sold, (today, grace, zone))
    for number, *_ in frames:
        for (of, why), n in left_out.items():
            teller.add((of, number, RevenueFlow.LEFT_OUT, None, 1, why), n=n)
    rows = table(teller.counts, AccountMovement)
    return Tally("accounts", at, rows, steps, None, zone, by, None, (("grace_days", grace),))


def check_grace(days: object) -> int:
    """A number of days of grace, from 0 on."""
    given = whole(days, "grace_days")
    if not 0 <= given <= _MOST_GRACE:
        raise InvalidValueError("grace_days", (f"{brief(given)} is not from 0 to {_MOST_GRACE}",))
    return given


def _day_before(instant: datetime, zone: tzinfo) -> int:
    """The date of the last moment before an instant."""
    return on(instant if instant == _FIRST else instant - _MOMENT, zone).toordinal()


def services(
    deals: Iterable[DealHistory],
    at: datetime,
    left_out: Counter[tuple[Hashable, Unusable]],
    group: Callable[[Known, Event], Hashable] | None = None,
) -> dict[str, list[Service]]:
    """What won deals with a term, and renewals of any outcome, say, by account.

    Args:
        deals: The histories of deals.
        at: The instant to judge from, in UTC.
        left_out: Where to count what cannot be used, by group and reason.
        group: How to read the group of a deal, or None.
    """
    found: dict[str, list[Service]] = {}
    won = Outcome.WON
    for known, _, stays, outcome, closing, _ in courses(deals, at):
        told: Any = known[0]
        record = told.record
        # where each event begins a stay none sets a field, and none needs a look
        if len(known) != len(stays) and not _TELLING.isdisjoint(map(type, known)):
            told = Deal.replay(known)
        term, renews, account = told.term, told.renews, told.account
        renewal = renews is not None or told.sale_type is SaleType.RENEWAL
        if outcome is not won:
            term = None
        elif term is None or account is None or term.recurring.minor < 0:
            left_out[group and group(known, known[-1]), _unusable(term, account)] += 1
            term = None
        if account is None or (renews is None and term is None):
            continue
        closed = None if closing is None else closing.at
        sold = Service(
            record, outcome, closed, term, None if renews == record else renews, renewal, known
        )
        there = found.get(account)
        if there is None:
            found[account] = [sold]
        else:
            there.append(sold)
    return found


def _unusable(term: Term | None, account: str | None) -> Unusable:
    if term is None:
        return Unusable.NO_TERM
    return Unusable.NO_ACCOUNT if account is None else Unusable.NEGATIVE_AMOUNT


def in_force(sold: Sequence[Service]) -> list[Stretch]:
    """The days on which each term of an account is in force.

    From the later beginning on, of a deal and its renewal only the later is: what both bring
    would be counted twice.
    """
    found: dict[str, Stretch] = {}
    for each in sold:
        if each.term is not None:
            start, end, months, scale = _length(each.term.start, each.term.end)
            paid = each.term.recurring
            rate = paid.minor * scale, months
            found[each.record] = Stretch(start, end, end, rate, paid.currency, each)
    for each in sold:
        if each.renews in found and each.record in found:
            pair = found[each.renews], found[each.record]
            early, late = sorted(pair, key=_order)
            if late.start < early.end:
                found[early.of.record] = early._replace(end=late.start)
    return list(found.values())


def _order(stretch: Stretch) -> tuple[int, datetime, str]:
    return stretch.start, stretch.of.closed_at or _FIRST, stretch.of.record


@lru_cache(maxsize=65536)
def _length(start: date, end: date) -> tuple[int, int, int, int]:
    """A term's first day and the one after its last, and its length as a fraction of months.

    A month is a calendar month from the first day on, whatever its days; what is left over is
    a part of the month that it lies in.
    """
    months = (end.year - start.year) * 12 + end.month - start.month
    months -= _later(start, months) > end.toordinal()
    begun = _later(start, months)
    rest, days = end.toordinal() - begun, _later(start, months + 1) - begun
    first, last = start.toordinal(), end.toordinal()
    return (first, last, months * days + rest, days) if rest else (first, last, months, 1)


def _later(start: date, months: int) -> int:
    """The ordinal of the same day so many months later, or of the month's last day."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > date.max.year:  # only ever January of the year 10000
        return date.max.toordinal() + start.day
    day = min(start.day, monthrange(year, month + 1)[1])
    return date(year, month + 1, day).toordinal()


def together(stretches: Iterable[Stretch]) -> dict[str, Part]:
    """What terms bring together, by currency."""
    sums: dict[str, Part] = {}
    for each in stretches:
        before = sums.get(each.currency)
        sums[each.currency] = each.rate if before is None else _sum(before, each.rate)
    return sums


def _sum(one: Part, other: Part) -> Part:
    if one[1] == other[1]:
        return one[0] + other[0], one[1]
    months = lcm(one[1], other[1])
    return one[0] * (months // one[1]) + other[0] * (months // other[1]), months


class _Teller:
    """Rows being counted."""

    def __init__(self, group: Callable[[Known, Event], Hashable] | None) -> None:
        self.counts: dict[Any, list[int]] = {}
        self._group = group

    def add(self, key: tuple[Any, ...], minor: int = 0, n: int = 1) -> None:
        """Count one more, or so many, of a row."""
        row = self.counts.get(key)
        if row is None:
            self.counts[key] = row = [0, 0]
        row[0] += n
        row[1] += minor

    def account(
        self, number: int, step: Period, first: int, last: int, stretches: Sequence[Stretch]
    ) -> None:
        """Count what became of an account between the last days before a period and in it."""
        was = [each for each in stretches if each.start <= first < each.end]
        now = [each for each in stretches if each.start <= last < each.end]
        if was:
            of = self._of(was, step.start)
            self._kept(of, number, together(was), together(now))
        elif now:
            before = any(each.start <= first for each in stretches)
            of = self._of(now, step.end)
            self._all(
                of, number, RevenueFlow.REACTIVATED if before else RevenueFlow.NEW, together(now)
            )
        else:
            brief_ones = [each for each in stretches if first < each.start < each.end <= last]
            if brief_ones:
                key = (
                    self._of(brief_ones, step.end),
                    number,
                    RevenueFlow.CAME_AND_WENT,
                    None,
                    1,
                    None,
                )
                self.add(key)
        for each in stretches:
            if each.end < each.replaced_until and (
                each.end <= first < each.replaced_until or each.end <= last < each.replaced_until
            ):
                self.add((self._of([each], step.start), number, RevenueFlow.OVERLAP, None, 1, None))

    def _kept(self, of: Hashable, number: int, was: dict[str, Part], now: dict[str, Part]) -> None:
        """Count the balances of an account that was there at the beginning, and the change."""
        self._all(of, number, RevenueFlow.START, was)
        if not now:
            self._all(of, number, RevenueFlow.CHURN, was)
            return
        self._all(of, number, RevenueFlow.END, now)
        for currency in {**was, **now}:
            old = was.get(currency, (0, 1))
            minor, months = _sum(now.get(currency, (0, 1)), (-old[0], old[1]))
            if minor:
                flow = RevenueFlow.EXPANSION if minor > 0 else RevenueFlow.CONTRACTION
                self.add((of, number, flow, currency, months, None), abs(minor))

    def _all(self, of: Hashable, number: int, flow: RevenueFlow, parts: dict[str, Part]) -> None:
        self.add((of, number, flow, None, 1, None))
        for currency, (minor, months) in parts.items():
            self.add((of, number, flow, currency, months, None), minor)

    def terms(
        self,
        number: int,
        first: int,
        last: int,
        stretches: Sequence[Stretch],
        sold: Sequence[Service],
        asked: tuple[int, int, tzinfo],
    ) -> None:
        """Count the terms of an account that end in a period by how they were renewed."""
        for each in stretches:
            of, end = each.of, each.replaced_until
            if first < end <= last:
                flow = _renewed([other for other in sold if other.renews == of.record], end, asked)
                self.add((self._on(of, end, asked[2]), number, flow, None, 1, None))
            if of.is_renewal and first < each.start <= last and not _linked(of, sold):
                group = self._on(of, each.start, asked[2])
                self.add((group, number, RevenueFlow.UNLINKED, None, 1, None))

    def _of(self, stretches: Sequence[Stretch], instant: datetime) -> Hashable:
        """The group of an account: that of the deal whose term began last, as it was then."""
        if self._group is None:
            return None
        return self._read(max(stretches, key=_order).of.known, instant)

    def _on(self, sold: Service, day: int, zone: tzinfo) -> Hashable:
        if self._group is None:
            return None
        return self._read(sold.known, midnight(date.fromordinal(day), zone))

    def _read(self, known: Known, instant: datetime) -> Hashable:
        before = [event for event in known if event.at <= instant]
        return self._group and self._group(known, (before or known[:1])[-1])


def _renewed(again: Sequence[Service], end: int, asked: tuple[int, int, tzinfo]) -> RevenueFlow:
    """How a term was renewed, from the deals that renew it, today, the grace and the zone."""
    today, grace, zone = asked
    won = [
        on(each.closed_at, zone).toordinal()
        for each in again
        if each.outcome is Outcome.WON and each.closed_at is not None
    ]
    if won:
        return RevenueFlow.ON_TIME if min(won) < end + grace else RevenueFlow.LATE
    over = today >= end + grace
    if any(each.outcome is Outcome.OPEN for each in again):
        return RevenueFlow.OVERDUE if over else RevenueFlow.OPEN
    return RevenueFlow.NOT_RENEWED if again or over else RevenueFlow.OPEN


def _linked(renewal: Service, sold: Sequence[Service]) -> bool:
    return any(each.record == renewal.renews and each.term is not None for each in sold)
