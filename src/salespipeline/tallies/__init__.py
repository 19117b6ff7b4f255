"""Tallies: the small tables of counts that a figure needs of a body of records.

A metric counts histories into a tally and finishes the tally into a figure. Tallies add like
numbers: the tally of two bodies of records is the sum of theirs, so records can be counted in
parts, by several processes or by another engine, and finish to the same figure.
"""

from salespipeline.tallies._accounts import AccountMovement, RevenueFlow, accounts
from salespipeline.tallies._amounts import Size, amounts
from salespipeline.tallies._attempts import (
    STANDARD_ATTEMPTS,
    AttemptStatuses,
    Effort,
    Tried,
    Until,
    attempts_on_contacts,
    attempts_on_deals,
)
from salespipeline.tallies._book import OpenDeal, book
from salespipeline.tallies._categories import Categorised, categories
from salespipeline.tallies._closings import Closing, closings
from salespipeline.tallies._counting import Count, Moment, Tally, Why, courses
from salespipeline.tallies._cycles import cycles
from salespipeline.tallies._due import Due, Ended, Expected, NoDate, due
from salespipeline.tallies._flows import BridgeTerm, Flow, flows
from salespipeline.tallies._funnel_stages import FunnelStage
from salespipeline.tallies._lifetimes import Lifetime, lifetimes
from salespipeline.tallies._paths import Path, paths
from salespipeline.tallies._people import Person, people
from salespipeline.tallies._reach import Fate, LeftOut, Reach, Semantics, reach
from salespipeline.tallies._responses import Response, responses
from salespipeline.tallies._stage_totals import StageTotal, stage_totals
from salespipeline.tallies._standings import Standing, standings
from salespipeline.tallies._visits import Stay, visits

__all__ = [
    "STANDARD_ATTEMPTS", "AccountMovement", "AttemptStatuses", "BridgeTerm", "Categorised",
    "Closing", "Count", "Due", "Effort", "Ended", "Expected", "Fate", "Flow", "FunnelStage",
    "LeftOut", "Lifetime", "Moment", "NoDate", "OpenDeal", "Path", "Person", "Reach", "Response",
    "RevenueFlow", "Semantics", "Size", "StageTotal", "Standing", "Stay", "Tally", "Tried",
    "Until", "Why", "accounts", "amounts", "attempts_on_contacts", "attempts_on_deals", "book",
    "categories", "closings", "courses", "cycles", "due", "flows", "lifetimes", "paths", "people",
    "reach", "responses", "stage_totals", "standings", "visits",
]  # fmt: skip
