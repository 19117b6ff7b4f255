"""Tallies: the small tables of counts that a figure needs of a body of records.

A metric counts histories into a tally and finishes the tally into a figure. Tallies add like
numbers: the tally of two bodies of records is the sum of theirs, so records can be counted in
parts, by several processes or by another engine, and finish to the same figure.
"""

from salespipeline.tallies._counting import Count, Moment, Tally, Why, courses
from salespipeline.tallies._lifetimes import Lifetime, lifetimes
from salespipeline.tallies._people import Person, people
from salespipeline.tallies._standings import Standing, standings
from salespipeline.tallies._visits import Stay, visits

__all__ = [
    "Count",
    "Lifetime",
    "Moment",
    "Person",
    "Standing",
    "Stay",
    "Tally",
    "Why",
    "courses",
    "lifetimes",
    "people",
    "standings",
    "visits",
]
