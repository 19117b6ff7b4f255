"""Prediction: score cards learned from outcomes, that know how sure they are.

`examples` turns histories into rows of what was known at each instant, `learn` makes a `Card` of
such rows or of any others, `evaluate` says how good such a card is on rows that it has not seen.
A record whose outcome is not known yet is unlabelled, never lost.
"""

from salespipeline.prediction.cards import (
    POINTS_PER_LOG_ODD,
    Card,
    Part,
    Prediction,
    Warned,
)
from salespipeline.prediction.evaluating import Bar, Evaluation, Lift, evaluate, evaluated
from salespipeline.prediction.features import RARE, UNKNOWN, Feature
from salespipeline.prediction.learning import Calibration, learn
from salespipeline.prediction.sampling import examples

__all__ = [
    "POINTS_PER_LOG_ODD",
    "RARE",
    "UNKNOWN",
    "Bar",
    "Calibration",
    "Card",
    "Evaluation",
    "Feature",
    "Lift",
    "Part",
    "Prediction",
    "Warned",
    "evaluate",
    "evaluated",
    "examples",
    "learn",
]
