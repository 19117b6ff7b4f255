"""How good a score card is on records that it was not learned from."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, cast

from salespipeline._doors import instance, whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.intervals import check_level
from salespipeline.prediction._cells import UNANSWERED
from salespipeline.prediction._rows import ROWS, Asked, Sheet, read_rows
from salespipeline.prediction._weighing import folds, has_both, picked, rest_of
from salespipeline.prediction.learning import Calibration, Way, learned
from salespipeline.prediction.measuring import Evaluation, measured

MOST_PARTS = 1_000

Split = tuple[Sequence[int], Sequence[int]]
"""The rows to learn from, and those to predict."""


def evaluate(
    rows: Iterable[Mapping[str, Any]],
    *,
    outcome: str,
    won: object,
    columns: Collection[str] | None = None,
    team: str | None = None,
    record: str | None = None,
    at: str | None = None,
    horizon: timedelta | None = None,
    unanswered: Collection[str] = UNANSWERED,
    calibration: Calibration | str = Calibration.PLATT,
    fewest: int = 20,
    parts: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> Evaluation:
    """How good a card learned from such rows is on rows that it has not seen.

    With ``at``, a card learned from the first four fifths of the rows predicts the last fifth. A
    row is learned from only if its ``horizon`` had passed by then, and no row of its record is to
    be predicted. Without ``at``, each of several folds is predicted by a card that was learned
    from the others. Rows without an outcome are counted, and never taken for lost.

    Args:
        rows: As for `learn`, as are the arguments that are not told here.
        outcome: The column of the outcome.
        won: The value of that column that is predicted.
        columns: The columns to learn from.
        team: The column of teams.
        record: The column that says which record a row is of: its rows are never both learned
            from and predicted.
        at: The column of the instant at which each row was known.
        horizon: With ``at``: how long after it an outcome may have become known, as for
            `examples`.
        unanswered: Texts that say that nothing was answered.
        calibration: Platt's map or isotonic.
        fewest: How many records of each outcome are needed.
        parts: How many folds, where there is no ``at``.
        seed: Which folds.
        level: The level of confidence of the intervals.

    Returns:
        The figures, over all rows that were predicted.

    Raises:
        InvalidValueError: As `learn` does; or one side of the split holds no outcome of a kind, a
            horizon is given without ``at``, or the number of folds is not from 2 to 1,000.
        WrongTypeError: An argument is of another type.

    >>> rows = [{"size": "big" if n % 3 else "small", "won": bool(n % 3) ^ (n % 7 == 0)}
    ...         for n in range(210)]
    >>> found = evaluate(rows, outcome="won", won=True)
    >>> round(found.auc, 2), found.split
    (0.8, '5 folds')
    """
    asked = Asked.of(
        outcome, won, columns=columns, team=team, record=record, at=at, unanswered=unanswered
    )
    way, number, sure = Way.of(calibration, fewest, seed), _parts(parts), check_level(level)
    wait = None if horizon is None else instance(timedelta, horizon, "horizon")
    if wait is not None and at is None:
        raise InvalidValueError("horizon", ("it needs the column of instants, 'at'",))
    sheet = read_rows(rows, asked)
    way.check_enough(sheet)
    splits, said = _splits(sheet, number, way.seed, wait or timedelta(0))
    held = list(chain.from_iterable(places for _, places in splits))
    chances: list[float] = []
    for rest, places in splits:
        chances += learned(sheet, asked, way, rest).chances(places)
    return measured(
        chances, picked(sheet.outcomes, held), unlabelled=sheet.unlabelled, split=said,
        level=sure, warnings=sheet.warnings,
    )  # fmt: skip


def _parts(parts: object) -> int:
    number = whole(parts, "parts")
    if not 2 <= number <= MOST_PARTS:
        raise InvalidValueError(
            "parts", (f"must be from 2 to {MOST_PARTS:,} (got {brief(number)})",)
        )
    return number


def _splits(sheet: Sheet, number: int, seed: int, wait: timedelta) -> tuple[Sequence[Split], str]:
    """The rows to learn from and those to predict, part by part, and how they were told apart."""
    if sheet.instants is None:
        splits, said = _by_folds(sheet, number, seed), f"{number} folds"
    else:
        cut = _cut(sheet.instants)
        splits = [_by_time(sheet, cut, wait)]
        said = f"learned before {cut:%Y-%m-%d}, predicted from then on"
    _check(sheet, splits)
    return splits, said


def _by_folds(sheet: Sheet, number: int, seed: int) -> list[Split]:
    places = range(len(sheet.outcomes))
    return [(rest_of(places, fold), fold) for fold in folds(sheet, places, number, seed)]


def _cut(instants: Sequence[datetime]) -> datetime:
    """The instant from which on the last fifth of rows was known."""
    return sorted(instants)[len(instants) * 4 // 5]


def _by_time(sheet: Sheet, cut: datetime, wait: timedelta) -> Split:
    """The rows whose outcome may have been known by an instant, and those from it on."""
    instants = cast("list[datetime]", sheet.instants)
    held = [place for place, at in enumerate(instants) if at >= cut]
    predicted: set[str] = set() if sheet.records is None else {*picked(sheet.records, held)}
    rest = [
        place
        for place, at in enumerate(instants)
        if at < cut
        and cut - at >= wait
        and (sheet.records is None or sheet.records[place] not in predicted)
    ]
    return rest, held


def _check(sheet: Sheet, splits: Sequence[Split]) -> None:
    """Refuse a split in which nothing can be learned, or nothing told."""
    faults: list[str] = []
    if not all(has_both(sheet, rest) for rest, _ in splits):
        faults.append("the rows to learn from must have both outcomes in every part")
    if not has_both(sheet, [place for _, held in splits for place in held]):
        faults.append("the rows to predict must have both outcomes")
    if faults:
        raise InvalidValueError(ROWS, tuple(faults))
