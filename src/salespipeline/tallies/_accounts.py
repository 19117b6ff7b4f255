"""What became of accounts and their recurring revenue, by the terms of won deals."""

from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache, partial
from math import lcm
from typing import Any, NamedTuple, TypeAlias

from salespipeline._courses import Course
from salespipeline._doors import instances, whole
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, brief
from salespipeline.events import Event, FieldSet, Merged, SaleType, Term
from salespipeline.history import DealHistory
from salespipeline.periods import Period, check_zone, midnight, on, utc
from salespipeline.pipelines import Outcome
from salespipeline.tallies._asking import asks
from salespipeline.tallies._counting import Tally, courses, grouping, stepper, table

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
        term: What it sells over time, or None where that cannot be used.
        renews: The id of the deal that it renews, or None.
        is_renewal: Whether it says to renew something, whether or not what.
        course: What counting reads of its events.
        start: The first day of the term, as an ordinal; 0 without a term.
        end: The first day after it, or on which the renewal that replaces it begins.
        replaced_until: The first day after it, even if it is replaced.
    """

    record: str
    term: Term | None
    renews: str | None
    is_renewal: bool
    course: Course
    start: int
    end: int
    replaced_until: int

    @property
    def closed_at(self) -> datetime | None:
        """When it was closed, or None."""
        closing = self.course.closing
        return None if closing is None else closing.at


def check_grace(days: object) -> int:
    """A number of days of grace, from 0 on."""
    given = whole(days, "grace_days")
    if not 0 <= given <= _MOST_GRACE:
        raise InvalidValueError("grace_days", (f"{brief(given)} is not from 0 to {_MOST_GRACE}",))
    return given


@asks(grace_days=check_grace)
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
    return _counted(deals, as_of=as_of, by=by, periods=periods, zone=zone, grace_days=grace_days)


def _counted(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    by: str | None = None,
    periods: Iterable[Period] = (),
    zone: tzinfo = UTC,
    grace_days: int = 0,
    balances: bool = True,
    endings: bool = True,
) -> Tally[AccountMovement]:
    at, steps = utc(as_of, "as_of"), instances(Period, periods, "periods")
    stepper(steps)
    grace, today = check_grace(grace_days), on(at, check_zone(zone)).toordinal()
    group = grouping(by)
    left_out: Counter[tuple[Hashable, Unusable]] = Counter()
    teller = _Teller(group)
    frames = [
        (number, step, _day_before(step.start, zone), _day_before(step.end, zone))
        for number, step in enumerate(steps)
    ]
    relevant = None if balances else _having_ends([(first, last) for *_, first, last in frames])
    found = services(deals, at, left_out, group, unwon=endings, relevant=relevant)
    for _, sold in found:
        terms = in_force(sold)
        for number, step, first, last in frames:
            if balances and step.end <= at:
                teller.account(number, step, first, last, terms)
            if endings:
                teller.endings(number, first, last, terms, sold, (today, grace, zone))
    for number, *_ in frames:
        for (of, why), n in left_out.items():
            teller.add((of, number, RevenueFlow.LEFT_OUT, None, 1, why), n=n)
    rows = table(teller.counts, AccountMovement)
    return Tally("accounts", at, rows, steps, None, zone, by, None, (("grace_days", grace),))


of_balances = partial(_counted, endings=False)
"""`accounts` with the rows of accounts alone."""

of_endings = partial(_counted, balances=False)
"""`accounts` with the rows of terms that end alone."""


def _day_before(instant: datetime, zone: tzinfo) -> int:
    """The date of the last moment before an instant."""
    return on(instant if instant == _FIRST else instant - _MOMENT, zone).toordinal()


def services(
    deals: Iterable[DealHistory],
    at: datetime,
    left_out: Counter[tuple[Hashable, Unusable]],
    group: Callable[[Course, Event], Hashable] | None = None,
    *,
    unwon: bool = False,
    relevant: Callable[[Sequence[Any]], bool] | None = None,
) -> Iterator[tuple[str, list[Service]]]:
    """What won deals with a term say, account by account.

    Args:
        deals: The histories of deals.
        at: The instant to judge from, in UTC.
        left_out: Where to count what cannot be used, by group and reason, before the first account.
        group: How to read the group of a deal, or None.
        unwon: Whether to tell of renewals that are not won, or have no term, too.
        relevant: Of which accounts to tell, by what says the terms of their deals; of all if None.
    """
    found: dict[str, list[Any]] = {}  # of each deal its events' course, and what says its terms
    won = Outcome.WON
    for each in courses(deals, at):
        known, _, _, outcome, _, _, kinds = each
        if outcome is not won and not unwon:
            continue
        told: Any = known[0] if _TELLING.isdisjoint(kinds) else Deal.replay(known)
        account = told.account
        wanted = unwon and told.renews is not None
        if outcome is won:
            why = _unusable(told.term, account)
            wanted = wanted or why is None
            if why is not None:
                left_out[group and group(each, known[-1]), why] += 1
        if account is None or not wanted:
            continue
        there = found.get(account)
        if there is None:
            found[account] = [each, told]
        else:
            there += (each, told)
    for account, pairs in found.items():
        if relevant is not None and not relevant(pairs[1::2]):
            continue
        yield account, [_service(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]


def _service(each: Course, told: Any) -> Service:
    record, renews = each.known[0].record, told.renews
    term: Term | None = told.term if each.outcome is Outcome.WON else None
    if term is not None and term.recurring.minor < 0:
        term = None
    renewal = renews is not None or told.sale_type is SaleType.RENEWAL
    start, end = (0, 0) if term is None else (term.start.toordinal(), term.end.toordinal())
    other = None if renews == record else renews
    return Service(record, term, other, renewal, each, start, end, end)


def _having_ends(spans: Sequence[tuple[int, int]]) -> Callable[[Sequence[Any]], bool]:
    """How to tell whether any term of an account begins or ends in one of some spans of days."""

    def has(said: Sequence[Any]) -> bool:
        terms = [told.term for told in said if told.term is not None]
        days = [day.toordinal() for term in terms for day in (term.start, term.end)]
        return any(first < day <= last for day in days for first, last in spans)

    return has


def _unusable(term: Term | None, account: str | None) -> Unusable | None:
    if term is None:
        return Unusable.NO_TERM
    if account is None:
        return Unusable.NO_ACCOUNT
    return Unusable.NEGATIVE_AMOUNT if term.recurring.minor < 0 else None


def in_force(sold: Sequence[Service]) -> list[Service]:
    """The terms of an account, each with the days on which it is in force.

    From the later beginning on, of a deal and its renewal only the later is: what both bring
    would be counted twice.
    """
    found = {each.record: each for each in sold if each.term is not None}
    for each in sold:
        if each.renews in found and each.record in found:
            pair = found[each.renews], found[each.record]
            early, late = min(pair, key=order_of), max(pair, key=order_of)
            if late.start < early.end:
                found[early.record] = early._replace(end=late.start)
    return list(found.values())


def order_of(service: Service) -> tuple[int, datetime, str]:
    return service.start, service.closed_at or _FIRST, service.record


@lru_cache(maxsize=65536)
def _length(start: date, end: date) -> tuple[int, int]:
    """The length of a term in months, as a fraction.

    A month is a calendar month from the first day on, whatever its days; what is left over is
    a part of the month that it lies in.
    """
    months = (end.year - start.year) * 12 + end.month - start.month
    months -= _later(start, months) > end.toordinal()
    begun = _later(start, months)
    rest, days = end.toordinal() - begun, _later(start, months + 1) - begun
    return (months * days + rest, days) if rest else (months, 1)


def _later(start: date, months: int) -> int:
    """The ordinal of the same day so many months later, or of the month's last day."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > date.max.year:  # only ever January of the year 10000
        return date.max.toordinal() + start.day
    day = min(start.day, monthrange(year, month + 1)[1])
    return date(year, month + 1, day).toordinal()


def together(terms: Iterable[Service]) -> dict[str, Part]:
    """What terms bring together, by currency."""
    sums: dict[str, Part] = {}
    for term in (each.term for each in terms if each.term is not None):
        paid, (months, scale) = term.recurring, _length(term.start, term.end)
        rate, before = (paid.minor * scale, months), sums.get(paid.currency)
        sums[paid.currency] = rate if before is None else _sum(before, rate)
    return sums


def _sum(one: Part, other: Part) -> Part:
    if one[1] == other[1]:
        return one[0] + other[0], one[1]
    months = lcm(one[1], other[1])
    return one[0] * (months // one[1]) + other[0] * (months // other[1]), months


class _Teller:
    """Rows being counted."""

    def __init__(self, group: Callable[[Course, Event], Hashable] | None) -> None:
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
        self, number: int, step: Period, first: int, last: int, terms: Sequence[Service]
    ) -> None:
        """Count what became of an account between the last days before a period and in it."""
        was = [each for each in terms if each.start <= first < each.end]
        now = [each for each in terms if each.start <= last < each.end]
        if was:
            of = self._of(was, step.start)
            self._kept(of, number, together(was), together(now))
        elif now:
            before = any(each.start <= first for each in terms)
            of = self._of(now, step.end)
            self._all(
                of, number, RevenueFlow.REACTIVATED if before else RevenueFlow.NEW, together(now)
            )
        else:
            brief_ones = [each for each in terms if first < each.start < each.end <= last]
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
        for each in terms:
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

    def endings(
        self,
        number: int,
        first: int,
        last: int,
        terms: Sequence[Service],
        sold: Sequence[Service],
        asked: tuple[int, int, tzinfo],
    ) -> None:
        """Count the terms of an account that end in a period by how they were renewed."""
        for of in terms:
            end = of.replaced_until
            if first < end <= last:
                flow = _renewed([other for other in sold if other.renews == of.record], end, asked)
                self.add((self._on(of, end, asked[2]), number, flow, None, 1, None))
            if of.is_renewal and first < of.start <= last and not _linked(of, sold):
                group = self._on(of, of.start, asked[2])
                self.add((group, number, RevenueFlow.UNLINKED, None, 1, None))

    def _of(self, terms: Sequence[Service], instant: datetime) -> Hashable:
        """The group of an account: that of the deal whose term began last, as it was then."""
        if self._group is None:
            return None
        return self._read(max(terms, key=order_of).course, instant)

    def _on(self, sold: Service, day: int, zone: tzinfo) -> Hashable:
        if self._group is None:
            return None
        return self._read(sold.course, midnight(date.fromordinal(day), zone))

    def _read(self, course: Course, instant: datetime) -> Hashable:
        before = [event for event in course.known if event.at <= instant]
        return self._group and self._group(course, (before or course.known[:1])[-1])


def _renewed(again: Sequence[Service], end: int, asked: tuple[int, int, tzinfo]) -> RevenueFlow:
    """How a term was renewed, from the deals that renew it, today, the grace and the zone."""
    today, grace, zone = asked
    won = [
        on(each.closed_at, zone).toordinal()
        for each in again
        if each.course.outcome is Outcome.WON and each.closed_at is not None
    ]
    if won:
        return RevenueFlow.ON_TIME if min(won) < end + grace else RevenueFlow.LATE
    over = today >= end + grace
    if any(each.course.outcome is Outcome.OPEN for each in again):
        return RevenueFlow.OVERDUE if over else RevenueFlow.OPEN
    return RevenueFlow.NOT_RENEWED if again or over else RevenueFlow.OPEN


def _linked(renewal: Service, sold: Sequence[Service]) -> bool:
    return any(each.record == renewal.renews and each.term is not None for each in sold)
