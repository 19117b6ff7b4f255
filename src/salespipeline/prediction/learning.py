"""Learning a score card from rows whose outcome is known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from salespipeline._doors import choice, whole
from salespipeline.errors import InvalidValueError, brief
from salespipeline.prediction._cells import UNANSWERED
from salespipeline.prediction._fitting import hessian, inverted, isotonic, platt, smoothed
from salespipeline.prediction._flags import TELLS_NOTHING
from salespipeline.prediction._rows import ROWS, Asked, Sheet, read_rows
from salespipeline.prediction._weighing import Model, Table, folds, has_both, picked, rest_of
from salespipeline.prediction.cards import Card, Doubt

FEWEST_FOR_ISOTONIC = 1_000
"""How many labelled rows an isotonic calibration needs."""

MOST_FEWEST = 1_000_000_000
_INNER_FOLDS = 5


class Calibration(StrEnum):
    """How scores are made into honest probabilities."""

    PLATT = "platt"
    ISOTONIC = "isotonic"


def learn(
    rows: Iterable[Mapping[str, Any]],
    *,
    outcome: str,
    won: object,
    columns: Collection[str] | None = None,
    team: str | None = None,
    record: str | None = None,
    at: str | None = None,
    unanswered: Collection[str] = UNANSWERED,
    calibration: Calibration | str = Calibration.PLATT,
    fewest: int = 20,
    seed: int = 0,
) -> Card:
    """The score card that rows with a known outcome teach.

    Each value of a column becomes its weight of evidence, shrunk to the rate of all records by
    ten pseudo-outcomes. Numbers and days of more than ten different values are put in ten bins
    of as many records each; unknown is a value of its own; values of fewer than five records are
    one, ``(rare)``. A logistic regression with a ridge of 10 weighs the columns; columns that say
    the same of every record share one weight. Platt's map, learned from the scores of five folds
    that were not learned from, makes the chances honest; where those scores do not rank records
    at all, every chance is that of all. The same rows and seed give the same card.

    Args:
        rows: Mappings of columns to plain values, as `csv.DictReader` or `examples` give them.
        outcome: The column of the outcome. A row where it is unknown is unlabelled: it is counted,
            and never taken for lost.
        won: The value of that column that is predicted, or several; any other is its opposite.
        columns: The columns to learn from. If not given: all but those that the other arguments
            name, ids, and columns of one value.
        team: A column of teams, a column to learn from too. What another column says within a
            team is shrunk to what it says in all, so that no team is judged by its few records.
        record: The column that says which record a row is of, where several are of one: its rows
            stay together in folds, and it is not learned from.
        at: The column of the instant at which each row was known: a datetime with a zone, a date,
            or ISO text of them. Without it the card says that look-ahead cannot be ruled out.
        unanswered: Texts that say that nothing was answered, whatever their case; a blank does
            anyway.
        calibration: Platt's map; or isotonic, from 1,000 labelled rows on.
        fewest: How many records of each outcome are needed to learn at all; at least 2.
        seed: Which folds the calibration uses.

    Returns:
        The card, with its ``warnings``: columns that nearly equal the outcome (an AUC above 0.90
        alone), that are filled only once it is known, that were left out.

    Raises:
        InvalidValueError: There are too few outcomes, a row is no mapping, a cell holds no plain
            value, a column is not there, or none is left to learn from. Every fault is named.
        WrongTypeError: The rows, or another argument, are of another type.

    >>> rows = [{"size": "big" if n % 3 else "small", "won": bool(n % 3) ^ (n % 7 == 0)}
    ...         for n in range(210)]
    >>> card = learn(rows, outcome="won", won=True)
    >>> print(card.predict({"size": "big"}))
    85.3% (71.4% to 93.1%)
     +39  size: big
    """
    asked = Asked.of(
        outcome, won, columns=columns, team=team, record=record, at=at, unanswered=unanswered
    )
    way = Way.of(calibration, fewest, seed)
    sheet = read_rows(rows, asked)
    way.check_enough(sheet)
    return learned(sheet, asked, way, range(len(sheet.outcomes))).card()


class Way(NamedTuple):
    """How to learn."""

    calibration: Calibration
    fewest: int
    seed: int

    @classmethod
    def of(cls, calibration: object, fewest: object, seed: object) -> "Way":
        """The arguments of a caller, checked."""
        least = whole(fewest, "fewest")
        if not 2 <= least <= MOST_FEWEST:
            fault = f"must be from 2 to {MOST_FEWEST:,} (got {brief(least)})"
            raise InvalidValueError("fewest", (fault,))
        return cls(choice(Calibration, calibration, "calibration"), least, whole(seed, "seed"))

    def check_enough(self, sheet: Sheet) -> None:
        """Refuse to learn from too little, with every reason."""
        units = sheet.records or range(len(sheet.outcomes))
        pairs = {*zip(units, sheet.outcomes, strict=True)}
        came = sum(outcome for _, outcome in pairs)
        counts = {"came out": came, "did not": len(pairs) - came}
        faults = [
            f"only {number:,} records {what}; at least {self.fewest:,} are needed"
            for what, number in counts.items()
            if number < self.fewest
        ]
        rows = len(sheet.outcomes)
        if self.calibration is Calibration.ISOTONIC and rows < FEWEST_FOR_ISOTONIC:
            needed = f"{FEWEST_FOR_ISOTONIC:,} outcomes"
            faults.append(f"isotonic calibration needs {needed} (there are {rows:,})")
        if not sheet.columns:
            left_out = [each.message for each in sheet.warnings if each.leaves_out]
            faults += ["there is no column to learn from", *left_out]
        if faults:
            raise InvalidValueError(ROWS, tuple(faults))


class Learned(NamedTuple):
    """A model that was calibrated.

    Attributes:
        asked: What the columns of the rows are.
        table: The rows, with the bins of the model.
        places: The rows that were learned from.
        model: The columns, weighed.
        offset: What calibration adds.
        slope: What it multiplies by.
        steps: The steps of an isotonic calibration; none with Platt's map.
        doubt: How the offset and the slope may be off, and together.
    """

    asked: Asked
    table: Table
    places: Sequence[int]
    model: Model
    offset: float
    slope: float
    steps: tuple[tuple[float, float], ...] = ()
    doubt: tuple[tuple[float, ...], ...] = ()

    def card(self) -> Card:
        """The score card."""
        sheet, asked = self.table.sheet, self.asked
        outcomes = picked(sheet.outcomes, self.places)
        warnings = sheet.warnings if self.model.groups else (*sheet.warnings, TELLS_NOTHING)
        return Card(
            f"{asked.outcome} is {brief(asked.won)}", self.model.features(self.table),
            len(outcomes), sum(outcomes), sheet.unlabelled, self.model.coefficients[0],
            self.offset, self.slope, self.steps, self.table.team, asked.unanswered, warnings,
            Doubt(self.model.groups, self.model.covariance, self.doubt),
        )  # fmt: skip

    def chances(self, places: Sequence[int]) -> list[float]:
        """The chances of some rows, as the card gives them."""
        card = self.card()
        scores = self.model.scores(self.table, places)
        return [card.chance(self.offset + self.slope * score) for score in scores]


def learned(sheet: Sheet, asked: Asked, way: Way, places: Sequence[int]) -> Learned:
    """The model that some rows teach, calibrated by folds of them."""
    table = Table.of(sheet, places, asked.team)
    model = Model.of(table, places)
    scores: list[float] = []
    came: list[bool] = []
    for fold in folds(sheet, places, _INNER_FOLDS, way.seed):
        rest = rest_of(places, fold)
        if has_both(sheet, rest):
            scores += Model.of(table, rest, near=model).scores(table, fold)
            came += picked(sheet.outcomes, fold)
    if way.calibration is Calibration.ISOTONIC:
        return Learned(asked, table, places, model, 0.0, 1.0, isotonic(scores, smoothed(came)))
    offset, slope = platt(scores, came) if scores else (0.0, 0.0)
    if slope <= 0:
        return Learned(asked, table, places, model.flat(table, places), 0.0, 1.0)
    told = hessian([scores], smoothed(came), (offset, slope), ridge=0.0)
    return Learned(asked, table, places, model, offset, slope, doubt=inverted(told))
