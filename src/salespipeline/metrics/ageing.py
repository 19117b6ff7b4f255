"""How old the open deals are, in bands."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Any, cast, overload

from attrs import frozen

from salespipeline._doors import whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.history import DealHistory
from salespipeline.metrics._figure import Amounts, Counting
from salespipeline.metrics._result import Groups, Plain, Result, Table, even, plain
from salespipeline.pipelines import Pipeline, StageKey, by_key
from salespipeline.tallies import Count, Tally
from salespipeline.tallies._asking import asks
from salespipeline.tallies._book import OpenDeal, book

_BOOK = Counting[DealHistory](book, None, None)


@frozen
class AgeBand(Result):
    """The open deals of an age.

    Attributes:
        from_days: The least age in days.
        to_days: The least age in days that is too old for it; None for the last band.
        amounts: Their number and amounts by currency.
    """

    from_days: int
    to_days: int | None
    amounts: Amounts

    columns = ("from_days", "to_days", "amounts")


@frozen
class Ageing(Result):
    """The open deals by age, and by how long they have been in their stage.

    Attributes:
        open: All of them that count as active.
        by_age: Those of each band of days since the opening.
        by_stage_age: Those of each band of days in the stage.
        age_unknown: How many are only known to have been opened by some time.
        stage_age_unknown: How many are in a stage since nobody knows when.
    """

    open: Amounts
    by_age: Table[AgeBand]
    by_stage_age: Table[AgeBand]
    age_unknown: int
    stage_age_unknown: int

    columns = ("open", "age_unknown", "stage_age_unknown")

    def rows(self) -> list[Plain]:
        """One row for each band of age, then one for each band of days in the stage."""
        return even(
            plain({"of": of}) | band.row()
            for of, bands in (("age", self.by_age), ("stage_age", self.by_stage_age))
            for band in bands
        )


def _starts(bands: Any) -> tuple[int, ...]:
    """The days at which each band begins."""
    if isinstance(bands, str) or not isinstance(bands, Iterable):
        raise WrongTypeError("bands", "several whole numbers of days", bands)
    starts = (0, *(whole(each, "bands") for each in cast("Iterable[object]", bands)))
    faults = [f"{brief(b)} does not come after {brief(a)}" for a, b in pairwise(starts) if b <= a]
    if faults:
        raise InvalidValueError("bands", tuple(faults))
    return starts


@overload
def ageing(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    as_of: datetime | None = None,
    bands: Iterable[int] = (30, 60, 90),
    by: None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Ageing: ...


@overload
def ageing(
    deals: Iterable[DealHistory],
    *,
    as_of: datetime,
    bands: Iterable[int] = (30, 60, 90),
    by: str,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Groups[Hashable, Ageing]: ...


@asks(bands=_starts)
def ageing(
    deals: Iterable[DealHistory] | Tally[OpenDeal],
    *,
    as_of: datetime | None = None,
    bands: Iterable[int] = (30, 60, 90),
    by: str | None = None,
    pipelines: Iterable[Pipeline] = (),
    zone: tzinfo = UTC,
) -> Ageing | Groups[Hashable, Ageing]:
    """The number and amounts of open deals by age, and by how long they have been in their stage.

    Definition:
        Formula: days from the opening, and from entering the stage, to the instant, in bands
            from each number of days up to, and without, the next.
        Denominator: open deals; those in parked stages are left out as ``parked``. A deal whose
            opening, or entry into the stage, is not known is in ``open`` and in no band of it.
        Window: none: as of the instant. A group is the one then.
        Bias: the age of a reopened deal runs from its first opening. What is open is older than
            what has closed, so its mean age says little of how long deals take.
        Elsewhere: Salesforce has the age and the days since the last stage change as fields.

    Args:
        deals: The histories of deals, or a tally of `book`.
        as_of: The instant to judge from.
        bands: The days at which each band but the first begins, ascending from 1.
        by: A field of the deal to group by, as of the instant, such as ``stage``.
        pipelines: The pipelines, for their parked stages.
        zone: The zone whose calendar dates make days.

    Raises:
        InvalidValueError: The bands do not ascend from 1.
    """
    starts = _starts(bands)
    known = by_key(pipelines)

    def finish(tally: Tally[OpenDeal], _level: float) -> Ageing:
        return _ageing(tally, starts, known)

    return _BOOK.measure(finish, deals, as_of, None, by, 0.95, zone=zone)


def _ageing(
    tally: Tally[OpenDeal], starts: tuple[int, ...], known: Mapping[str, Pipeline]
) -> Ageing:
    check_days(tally)
    active = [(row, n) for row, n in tally.rows.items() if not is_parked(row.stage, known)]
    parked = tally.n - sum(count.n for _, count in active)

    def unknown(age: Callable[[OpenDeal], int | None]) -> int:
        return sum(count.n for row, count in active if age(row) is None)

    return Ageing(
        Amounts.of((row.currency, count) for row, count in active),
        _banded(active, starts, lambda row: row.age),
        _banded(active, starts, lambda row: row.stage_age),
        unknown(lambda row: row.age),
        unknown(lambda row: row.stage_age),
        left_out={"parked": parked} if parked else {},
    )


def check_days(tally: Tally[OpenDeal]) -> None:
    """Refuse a book whose ages are not in days.

    Raises:
        InvalidValueError: It was counted with a resolution.
    """
    if tally.resolution is not None:
        raise InvalidValueError("tally", ("it was counted with a resolution, not in days",))


def is_parked(stage: StageKey, known: Mapping[str, Pipeline]) -> bool:
    """Whether a deal in a stage is on hold, as far as its pipeline is known."""
    pipeline, key = stage
    return pipeline in known and key in known[pipeline] and known[pipeline].stage(key).parked


def _banded(
    rows: Iterable[tuple[OpenDeal, Count]],
    starts: tuple[int, ...],
    age: Callable[[OpenDeal], int | None],
) -> Table[AgeBand]:
    found: dict[int, list[tuple[str | None, Count]]] = {start: [] for start in starts}
    for row, count in rows:
        days = age(row)
        if days is not None:
            found[starts[bisect_right(starts, days) - 1]].append((row.currency, count))
    ends = (*starts[1:], None)
    return Table(
        AgeBand(start, end, Amounts.of(found[start]))
        for start, end in zip(starts, ends, strict=True)
    )
