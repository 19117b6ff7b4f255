"""How deals end and what they are worth, hand-written in pandas from a table of events."""

import math

import numpy as np
import pandas as pd
from _deals import AS_OF, QUARTER, QUARTERS
from _pandas_tables import (
    CLOSING,
    Told,
    days_between,
    entering_of,
    known_of,
    last_of,
    opened_of,
    spread_of,
    within,
    worth_of,
)

from salespipeline import Period

# How deals end


def summary(table: pd.DataFrame) -> Told:
    """Counts, win rates, average size, cycle and lifetime of the deals as of the instant."""
    known = known_of(table)
    last = last_of(known)
    last["amount"], last["opened"] = worth_of(known), opened_of(known)["at"]
    closed = last[last["kind"].isin(CLOSING)]
    days, won = days_between(closed["at"], closed["opened"]), closed["kind"] == "Won"
    wins = int(won.sum())
    return {
        "open": len(last) - len(closed),
        "won": wins,
        "win_rate_closed": wins / len(closed),
        "win_rate_created": wins / len(last),
        "average": closed.loc[won, "amount"].mean() / 100,
        **spread_of(days[won], "cycle "),
        **spread_of(days, "lifetime "),
    }


def win_rate_closed(table: pd.DataFrame) -> Told:
    """Won among closed."""
    last = last_of(known_of(table))["kind"]
    return {"of": int(last.isin(CLOSING).sum()), "n": int((last == "Won").sum())}


def win_rate_created(table: pd.DataFrame) -> Told:
    """Won among all."""
    last = last_of(known_of(table))["kind"]
    return {"of": len(last), "n": int((last == "Won").sum())}


def win_rate_of_clusters(table: pd.DataFrame) -> Told:
    """Won among closed, by owner, with the lower end of the interval by t."""
    known = known_of(table)
    last = last_of(known)
    closed = last[last["kind"].isin(CLOSING)]
    owners = known.dropna(subset=["owner"]).drop_duplicates("deal", keep="last")
    owners = owners.set_index("deal")["owner"].reindex(closed.index)
    each = (closed["kind"] == "Won").groupby(owners, observed=True).agg(["sum", "count"])
    n, of, clusters = each["sum"].sum(), each["count"].sum(), len(each)
    spread = ((each["sum"] - n / of * each["count"]) ** 2).sum() * clusters / (clusters - 1)
    low = n / of - 2.0226909 * math.sqrt(spread) / of  # t with 39 degrees of freedom
    return {"of": int(of), "n": int(n), "clusters": clusters, "low": low}


def same_period_rate(table: pd.DataFrame) -> Told:
    """Won in a quarter, and created in it."""
    known = known_of(table)
    last = last_of(known)
    won = (last["kind"] == "Won") & within(last["at"], QUARTER)
    created = within(opened_of(known)["at"], QUARTER)
    return {"won": int(won.sum()), "created": int(created.sum())}


def _cohort(table: pd.DataFrame) -> pd.DataFrame:
    """When each deal was opened, whether it was won, and at which age it ended."""
    known = known_of(table)
    found = opened_of(known)[["at"]].rename(columns={"at": "opened"})
    last = last_of(known)
    found["won"], found["age"] = last["kind"] == "Won", days_between(last["at"], found["opened"])
    return found


def cohort_rate(table: pd.DataFrame) -> Told:
    """Won within 90 days of those created in a quarter."""
    found = _cohort(table)
    found = found[within(found["opened"], QUARTER)]
    return {"of": len(found), "n": int((found["won"] & (found["age"] <= 90)).sum())}


def cohort_table(table: pd.DataFrame) -> Told:
    """Won within 30, 60 and 90 days of those created in each month that is so old."""
    found = _cohort(table)
    found = found[found["opened"].dt.year == 2025]
    told: Told = {}
    for month, part in found.groupby(found["opened"].dt.month):
        last = (pd.Timestamp(2025, int(str(month)), 1) + pd.offsets.MonthEnd()).date()
        for age in (30, 60, 90):
            if (AS_OF.date() - last).days < age:
                continue
            told[f"{month:02} {age} of"] = len(part)
            told[f"{month:02} {age} n"] = int((part["won"] & (part["age"] <= age)).sum())
    return told


def _by_age(table: pd.DataFrame) -> pd.DataFrame:
    """How many deals were won, lost, or open at each age, and how many were at risk."""
    known = known_of(table)
    last = last_of(known)
    closed = last["kind"].isin(CLOSING)
    ends = last["at"].where(closed, pd.Timestamp(AS_OF))
    age = days_between(ends, opened_of(known)["at"])
    by_age = pd.crosstab(age, last["kind"].astype(str).where(closed, "open"))
    by_age["ended"] = by_age["Won"] + by_age["Lost"]
    by_age["at_risk"] = by_age[["Won", "Lost", "open"]].sum(axis=1)[::-1].cumsum()[::-1]
    return by_age


def time_to_close(table: pd.DataFrame) -> Told:
    """Kaplan and Meier's curve, with Greenwood's error."""
    found = _by_age(table)
    n, d = found["at_risk"], found["ended"]
    curve = (1 - d / n).cumprod()
    told = {f"open {day}": float(curve.loc[:day].iloc[-1]) for day in (30, 60, 90)}
    spread = (d / (n * (n - d))).loc[:60].sum()
    return told | {"error 60": told["open 60"] * math.sqrt(spread)}


def _incidence(by_age: pd.DataFrame) -> tuple[dict[str, pd.Series], pd.Series]:
    before = (1 - by_age["ended"] / by_age["at_risk"]).cumprod().shift(1, fill_value=1.0)
    at_risk = by_age["at_risk"]
    return {kind: (before * by_age[kind] / at_risk).cumsum() for kind in CLOSING}, before


def cumulative_incidence(table: pd.DataFrame) -> Told:
    """Aalen and Johansen's curves, with the error of one."""
    by_age = _by_age(table)
    curves, before = _incidence(by_age)
    told = {
        f"{kind.lower()} {day}": float(curves[kind].loc[:day].iloc[-1])
        for kind in curves
        for day in (30, 60, 90)
    }
    up, s = by_age.loc[:60], before.loc[:60]
    n, d, own = up["at_risk"], up["ended"], up["Won"]
    ahead = told["won 60"] - curves["Won"].loc[:60]
    spread = (ahead**2 * (d / (n * (n - d))).where(n > d, 0)).sum()
    spread += (s**2 * own * (n - own) / n**3).sum() - 2 * (ahead * s * own / n**2).sum()
    return told | {"error 60": math.sqrt(spread)}


def win_probability(table: pd.DataFrame) -> Told:
    """The share won by 60 days by the same curve."""
    return {"won 60": float(_incidence(_by_age(table))[0]["Won"].loc[:60].iloc[-1])}


def _lived(table: pd.DataFrame, kinds: tuple[str, ...]) -> pd.Series:
    """The ages at which deals were closed."""
    known = known_of(table)
    last = last_of(known)
    ended = last.loc[last["kind"].isin(kinds), "at"]
    return days_between(ended, opened_of(known)["at"].reindex(ended.index))


def cycle_length(table: pd.DataFrame) -> Told:
    """Days from opening to winning."""
    return spread_of(_lived(table, ("Won",)))


def cycle_from_meeting(table: pd.DataFrame) -> Told:
    """Days from first entering the meeting to winning."""
    known = entering_of(table)
    first = known[known["stage"] == "meeting"].drop_duplicates("deal").set_index("deal")["at"]
    last = known.drop_duplicates("deal", keep="last").set_index("deal")
    won = last.loc[last["kind"] == "Won", "at"]
    both = pd.concat([won.rename("won"), first.rename("first")], axis=1, join="inner")
    return spread_of(days_between(both["won"], both["first"]))


def deal_lifetime(table: pd.DataFrame) -> Told:
    """Days from opening to the close."""
    return spread_of(_lived(table, CLOSING))


def deal_age(table: pd.DataFrame) -> Told:
    """How old open deals are."""
    known = known_of(table)
    last = last_of(known)["kind"]
    opened = opened_of(known)["at"].reindex(last.index[~last.isin(CLOSING)])
    return spread_of((pd.Timestamp(AS_OF).normalize() - opened.dt.normalize()).dt.days)


def reasons(table: pd.DataFrame) -> Told:
    """Why deals were won or lost, by stage."""
    known = known_of(table)
    entering = entering_of(table)
    before = entering.groupby("deal", sort=False)["stage"].shift(1)
    last = entering.assign(before=before).drop_duplicates("deal", keep="last").set_index("deal")
    last["amount"] = worth_of(known)
    closed = last[last["kind"].isin(CLOSING)]
    keys = ["kind", "reason", "before"]
    each = closed.groupby(keys, observed=True, dropna=False)["amount"].agg(["size", "sum"])
    told: Told = {}
    for key, (n, total) in each.iterrows():
        kind, reason, stage = key  # type: ignore[misc] # three keys
        name = f"{kind.lower()} {None if pd.isna(reason) else reason} {stage}"
        told |= {f"{name} n": float(n), f"{name} sum": total / 100}
    return told


def profile(table: pd.DataFrame) -> Told:
    """How the deals of each owner at creation ended."""
    known = known_of(table)
    opened, last = opened_of(known), last_of(known)
    won, lost = last["kind"] == "Won", last["kind"] == "Lost"
    each = pd.DataFrame({"owner": opened["owner"].reindex(last.index), "won": won, "lost": lost})
    each["amount"] = worth_of(known).reindex(last.index).where(won)
    each["days"] = days_between(last["at"], opened["at"].reindex(last.index)).where(won)
    told = each.groupby("owner", observed=True).agg(
        deals=("won", "size"),
        won=("won", "sum"),
        lost=("lost", "sum"),
        average=("amount", "mean"),
        cycle=("days", "mean"),
    )
    told["average"] /= 100
    return {f"{of} {name}": float(v) for of, row in told.iterrows() for name, v in row.items()}


# What they are worth, and how fast that flows


def _won_amounts(table: pd.DataFrame) -> pd.DataFrame:
    known = known_of(table)
    last = last_of(known)
    won = last[last["kind"] == "Won"]
    return won.assign(amount=worth_of(known).reindex(won.index) / 100)


def average_deal_size(table: pd.DataFrame) -> Told:
    """The mean amount of won deals."""
    size = _won_amounts(table)["amount"]
    return {"n": len(size), "mean": size.mean()}


def deal_sizes(table: pd.DataFrame) -> Told:
    """How large won deals are."""
    size = _won_amounts(table)["amount"]
    shares = {"lower": 0.25, "median": 0.5, "upper": 0.75}
    told = {"n": len(size), "mean": round(size.mean(), 6)}
    return told | {
        name: float(np.quantile(size, share, method="averaged_inverted_cdf"))
        for name, share in shares.items()
    }


def win_rate_by_size(table: pd.DataFrame) -> Told:
    """Won among closed below, between and above two amounts."""
    known = known_of(table)
    last = last_of(known)
    closed = last[last["kind"].isin(CLOSING)]
    band = np.digitize(worth_of(known).reindex(closed.index) / 100, [10_000, 30_000])
    each = (closed["kind"] == "Won").groupby(band).agg(["size", "sum"])
    told = {f"{number} of": float(of) for number, of in each["size"].items()}
    return told | {f"{number} n": float(n) for number, n in each["sum"].items()}


def discount(table: pd.DataFrame) -> Told:
    """How far won amounts fell from those first quoted."""
    won = _won_amounts(table)["amount"]
    first = table.dropna(subset=["amount"]).drop_duplicates("deal").set_index("deal")["amount"]
    return {"n": len(won), "quoted": first.reindex(won.index).sum() / 100, "won": won.sum()}


def attainment(table: pd.DataFrame) -> Told:
    """What was won in a quarter."""
    won = _won_amounts(table)
    amounts = won.loc[within(won["at"], QUARTER), "amount"]
    return {"n": len(amounts), "won": amounts.sum()}


def attainment_steps(table: pd.DataFrame) -> Told:
    """What was won in each month of a year."""
    won = _won_amounts(table)
    won = won[won["at"].dt.year == 2025]
    sums = won.groupby(won["at"].dt.month)["amount"].sum()
    return {str(month): float(total) for month, total in sums.items()}


def _flow(table: pd.DataFrame, name: str = "", *, all_closed: bool = False) -> Told:
    """The inputs of a velocity, and their product."""
    known = known_of(table)
    last = last_of(known)
    last["amount"], last["opened"] = worth_of(known), opened_of(known)["at"]
    return _product(last[~last["kind"].isin(CLOSING)], last, name, all_closed=all_closed)


def _product(
    standing: pd.DataFrame, last: pd.DataFrame, name: str, *, all_closed: bool = False
) -> Told:
    closed = last[last["kind"].isin(CLOSING)]
    won = closed[closed["kind"] == "Won"]
    ended = closed if all_closed else won
    told = {"number": len(standing), "rate": len(won) / len(closed)}
    told["size"] = won["amount"].mean() / 100
    told["cycle"] = days_between(ended["at"], ended["opened"]).mean()
    told["a day"] = told["number"] * told["rate"] * told["size"] / told["cycle"]
    return {f"{name}{key}": float(value) for key, value in told.items()}


def pipeline_velocity(table: pd.DataFrame) -> Told:
    """The vendors' form."""
    return _flow(table)


def consistent_velocity(table: pd.DataFrame) -> Told:
    """The form with the lifetime of all closed deals."""
    return _flow(table, all_closed=True)


def _series(table: pd.DataFrame, periods: tuple[Period, ...]) -> Told:
    told: Told = {}
    for number, period in enumerate(periods):
        known = table[table["at"] < period.end]
        last = last_of(known)
        last["amount"], last["opened"] = worth_of(known), opened_of(known)["at"]
        standing = last[~last["kind"].isin(CLOSING)]
        told |= _product(standing, last[last["at"] >= period.start], f"{number} ")
    return told


def velocity_series(table: pd.DataFrame) -> Told:
    """Three quarters, each from its own end."""
    return _series(table, QUARTERS)


def velocity_attribution(table: pd.DataFrame) -> Told:
    """The two velocities; how their change divides takes no time."""
    return _series(table, QUARTERS[:2])
