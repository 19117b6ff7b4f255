"""Prediction: score cards learned from outcomes, that know how sure they are.

`examples` turns histories into rows of what was known at each instant, `learn` makes a `Card` of
such rows or of any others, `evaluate` says how good such a card is on rows that it has not seen.
A record whose outcome is not known yet is unlabelled, never lost.
"""

from salespipeline.prediction._cells import RARE, UNANSWERED, UNKNOWN
from salespipeline.prediction._flags import Warned
from salespipeline.prediction.cards import POINTS_PER_LOG_ODD, Card, Part, Prediction
from salespipeline.prediction.evaluating import evaluate
from salespipeline.prediction.features import Feature, Value, Within
from salespipeline.prediction.learning import Calibration, learn
from salespipeline.prediction.measuring import Bar, Evaluation, Lift, evaluated
from salespipeline.prediction.sampling import examples

__all__ = [
    "POINTS_PER_LOG_ODD",
    "RARE",
    "UNANSWERED",
    "UNKNOWN",
    "Bar",
    "Calibration",
    "Card",
    "Evaluation",
    "Feature",
    "Lift",
    "Part",
    "Prediction",
    "Value",
    "Warned",
    "Within",
    "evaluate",
    "evaluated",
    "examples",
    "learn",
]
