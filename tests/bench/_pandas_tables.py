"""What the figures in pandas read of a table of events, again and again."""

from datetime import datetime
from typing import TypeAlias

import pandas as pd
from _deals import AS_OF, ENTERING

from salespipeline import Period

Told: TypeAlias = dict[str, float]
CLOSING = ("Won", "Lost")


def known_of(table: pd.DataFrame, at: datetime = AS_OF) -> pd.DataFrame:
    """The events up to an instant."""
    return table[table["at"] <= at]


def entering_of(table: pd.DataFrame) -> pd.DataFrame:
    """The events that put a deal into a stage."""
    return table[(table["at"] <= AS_OF) & table["kind"].isin(ENTERING)]


def last_of(known: pd.DataFrame) -> pd.DataFrame:
    """The last event of each deal that put it into a stage."""
    last = known[known["kind"].isin(ENTERING)].drop_duplicates("deal", keep="last")
    return last.set_index("deal")


def worth_of(known: pd.DataFrame) -> pd.Series:
    """What each deal is worth."""
    amounts = known.dropna(subset=["amount"]).drop_duplicates("deal", keep="last")
    return amounts.set_index("deal")["amount"]


def opened_of(known: pd.DataFrame) -> pd.DataFrame:
    """The event that opened each deal."""
    return known[known["kind"] == "Opened"].set_index("deal")


def days_between(ends: pd.Series, starts: pd.Series) -> pd.Series:
    """The calendar days between instants."""
    return (ends.dt.normalize() - starts.dt.normalize()).dt.days


def spread_of(days: pd.Series, name: str = "") -> Told:
    """How many, their mean and their median."""
    told = {"n": len(days), "mean": days.mean(), "median": days.median()}
    return {f"{name}{key}": float(value) for key, value in told.items()}


def within(at: pd.Series, period: Period) -> pd.Series:
    """Which instants lie in a period."""
    return (at >= period.start) & (at < period.end)
