"""Scoring: how well a lead fits, how much it engages, and when sales is to be told.

A `ScoreModel` is data: rules for who people are and for what they do, how points decay, which caps
hold, and what the tiers are. A `Score` comes with a ledger whose entries sum to it exactly, for any
instant in the past.
"""

from salespipeline.scoring.decay import Decay, Fading
from salespipeline.scoring.ledger import Cap, Entry, Score
from salespipeline.scoring.linting import Finding, Flaw
from salespipeline.scoring.model import ScoreModel
from salespipeline.scoring.review import Review, RuleReview, Share
from salespipeline.scoring.rules import EngagementRule, FitRule
from salespipeline.scoring.sheet import Half
from salespipeline.scoring.tiers import Matrix, Thresholds
from salespipeline.scoring.timeline import Change

__all__ = [
    "Cap",
    "Change",
    "Decay",
    "EngagementRule",
    "Entry",
    "Fading",
    "Finding",
    "FitRule",
    "Flaw",
    "Half",
    "Matrix",
    "Review",
    "RuleReview",
    "Score",
    "ScoreModel",
    "Share",
    "Thresholds",
]
