"""Qualification: is a lead worth the time, what speaks for it, and what to ask next.

A `Framework` is a list of criteria; `Assessments` are the answers to them, each with its evidence
and until when it holds; a `Policy` makes a `Verdict` of them. An answer that nobody knows is not a
no. A `Profile` says what the ideal customer is like.
"""

from salespipeline.qualification.answers import Answer, Assessment, Assessments
from salespipeline.qualification.bant import Authority, Budget, Need, Part, Severity, Timeline
from salespipeline.qualification.frameworks import (
    BANT,
    CHAMP,
    MEDDIC,
    MEDDPICC,
    OVERLAPS,
    Criterion,
    Framework,
)
from salespipeline.qualification.profiles import Fit, Profile, Trait, trait_of
from salespipeline.qualification.verdicts import (
    THREE_OF_FOUR,
    Policy,
    Qualified,
    Reason,
    Verdict,
)

__all__ = [
    "BANT",
    "CHAMP",
    "MEDDIC",
    "MEDDPICC",
    "OVERLAPS",
    "THREE_OF_FOUR",
    "Answer",
    "Assessment",
    "Assessments",
    "Authority",
    "Budget",
    "Criterion",
    "Fit",
    "Framework",
    "Need",
    "Part",
    "Policy",
    "Profile",
    "Qualified",
    "Reason",
    "Severity",
    "Timeline",
    "Trait",
    "Verdict",
    "trait_of",
]
