"""Where deals stand, how they move and who buys, hand-written in pandas."""

import pandas as pd
from _deals import AS_OF, PROBABILITIES, QUARTER, STAGES, STEPS, YEAR
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

# Where they stand


def _standing(known: pd.DataFrame) -> pd.DataFrame:
    """The open deals, with what they are worth."""
    last = last_of(known)
    found = last[~last["kind"].isin(CLOSING)]
    return found.assign(amount=worth_of(known).reindex(found.index) / 100)


def deals_by_stage(table: pd.DataFrame) -> Told:
    """The amount in each stage, and how many deals stand there."""
    known = known_of(table)
    last = last_of(known)
    last["amount"] = worth_of(known)
    stages = last.groupby("stage", observed=True)["amount"].agg(["size", "sum"])
    told = {f"{stage} n": float(n) for stage, n in stages["size"].items()}
    return told | {f"{stage} sum": total / 100 for stage, total in stages["sum"].items()}


def pipeline_value(table: pd.DataFrame) -> Told:
    """What is open."""
    amounts = _standing(known_of(table))["amount"]
    return {"n": len(amounts), "sum": amounts.sum()}


def weighted_value(table: pd.DataFrame) -> Told:
    """The weighted value of what is open, and how far it may stray."""
    found = _standing(known_of(table))
    stated = dict(zip(STAGES, map(float, PROBABILITIES), strict=True))
    amount, chance = found["amount"], found["stage"].map(stated).astype(float)
    return {
        "n": len(found),
        "open": amount.sum(),
        "weighted": (amount * chance).sum(),
        "variance": (amount**2 * chance * (1 - chance)).sum(),
    }


def _expected(known: pd.DataFrame) -> pd.Series:
    """The date on which each deal is expected to close."""
    said = known[known["kind"].isin(["Opened", "CloseDateChanged"])]
    return said.drop_duplicates("deal", keep="last").set_index("deal")["expected"]


def pipeline_by_due_date(table: pd.DataFrame) -> Told:
    """What is open by the month in which it is due; what is overdue comes first."""
    known = known_of(table)
    found = _standing(known)
    due = _expected(known).reindex(found.index)
    ahead = due >= pd.Timestamp(AS_OF).normalize()
    month = due[ahead].dt.year * 12 + due[ahead].dt.month
    sums = found.loc[ahead, "amount"].groupby(month).sum()
    return {str(number): total for number, total in enumerate(sums, 1)}


def pipeline_coverage(table: pd.DataFrame) -> Told:
    """What is due in a quarter, and what was won in it: nothing, since it is yet to come."""
    period, known = Period.quarter(2026, 1), known_of(table)
    found = _standing(known)
    due = _expected(known).reindex(found.index)
    amounts = found.loc[within(due, period), "amount"]
    return {"n": len(amounts), "due": amounts.sum()}


def pipeline_bridge(table: pd.DataFrame) -> Told:
    """The change of each event; no deal is opened again."""
    known = table[table["at"] < QUARTER.end].copy()
    known["worth"] = known.groupby("deal", sort=False)["amount"].ffill() / 100
    known["before"] = known.groupby("deal", sort=False)["worth"].shift(1)
    fresh = known[known["at"] >= QUARTER.start]
    kind, worth = fresh["kind"], fresh["worth"]
    gain = (worth - fresh["before"])[kind == "AmountChanged"]

    def standing(rows: pd.DataFrame) -> float:
        last = rows.drop_duplicates("deal", keep="last")
        return float(last.loc[~last["kind"].isin(CLOSING), "worth"].sum())

    return {
        "start": standing(known[known["at"] < QUARTER.start]),
        "new": worth[kind == "Opened"].sum(),
        "increased": gain[gain > 0].sum(),
        "decreased": gain[gain < 0].sum(),
        "won": -worth[kind == "Won"].sum(),
        "lost": -worth[kind == "Lost"].sum(),
        "end": standing(known),
    }


def ageing(table: pd.DataFrame) -> Told:
    """How many open deals have which age."""
    known = known_of(table)
    found = _standing(known)
    today = pd.Timestamp(AS_OF).normalize()
    opened = opened_of(known)["at"].reindex(found.index)
    told: Told = {}
    for name, since in (("age", opened), ("stage", found["at"])):
        days = (today - since.dt.normalize()).dt.days
        bands = pd.cut(days, [0, 30, 60, 90, 99_999], right=False, labels=[0, 30, 60, 90])
        each = found["amount"].groupby(bands, observed=False).agg(["size", "sum"])
        for band, (n, total) in each.iterrows():
            told |= {f"{name} {band} n": n, f"{name} {band} sum": total}
    return told


def stalled(table: pd.DataFrame) -> Told:
    """The open deals that have been in their stage for more than 15 days."""
    found = _standing(known_of(table))
    days = (pd.Timestamp(AS_OF).normalize() - found["at"].dt.normalize()).dt.days
    amounts = found.loc[days > 15, "amount"]
    return {"of": len(found), "n": len(amounts), "sum": amounts.sum()}


def slippage(table: pd.DataFrame) -> Told:
    """What became of the deals that were due in a quarter."""
    start, end = pd.Timestamp(QUARTER.start), pd.Timestamp(QUARTER.end)
    known = table[table["at"] < end]
    before = known[known["at"] < start]
    was, dates = last_of(before), _expected(before)
    due = dates.reindex(was.index[~was["kind"].isin(CLOSING)])
    cohort = due.index[(due >= start) & (due < end)]
    kind, later = last_of(known)["kind"].reindex(cohort), _expected(known).reindex(cohort) >= end
    over = kind.isin(CLOSING)
    return {
        "n": len(cohort),
        "won": int((kind == "Won").sum()),
        "lost": int((kind == "Lost").sum()),
        "slipped": int((~over & later).sum()),
        "still_due": int((~over & ~later).sum()),
    }


def pushes(table: pd.DataFrame) -> Told:
    """How often the dates of deals were moved in a quarter, and how long they were open in it."""
    known = table[table["at"] < QUARTER.end]
    start, end = pd.Timestamp(QUARTER.start), pd.Timestamp(QUARTER.end)
    last = last_of(known)
    closed = last["at"].where(last["kind"].isin(CLOSING))
    closed = closed[~(closed < start)]
    opened = opened_of(known)["at"].reindex(closed.index).clip(lower=start)
    open_days = days_between(closed.fillna(end), opened).sum()
    said = known[known["kind"].isin(["Opened", "CloseDateChanged"])]
    before = said.groupby("deal", sort=False)["expected"].shift()
    moved = (said["kind"] == "CloseDateChanged") & (said["at"] >= QUARTER.start)
    now, before = said.loc[moved, "expected"], before[moved]
    months = (now.dt.year - before.dt.year) * 12 + now.dt.month - before.dt.month
    pushed = said.loc[moved, "deal"][now > before]
    return {
        "of": len(closed),
        "n": pushed.nunique(),
        "months": open_days / 30.436875,
        "day": int((now > before).sum()),
        "month": int((months > 0).sum()),
        "earlier": int((now < before).sum()),
    }


def close_date_error(table: pd.DataFrame) -> Told:
    """How far from the date expected when the quarter began deals were won in it."""
    last = last_of(known_of(table))
    won = last.loc[(last["kind"] == "Won") & within(last["at"], QUARTER), "at"]
    before = table[table["at"] < QUARTER.start]
    dates = _expected(before)
    both = pd.concat([won, dates.rename("expected")], axis=1, join="inner")
    days = days_between(both["at"], both["expected"])
    return {"n": len(days), "mean": days.mean()}


# How they move


def time_in_stage(table: pd.DataFrame) -> Told:
    """How many visits to each stage ended, and after how many days."""
    known = entering_of(table)
    days = days_between(known.groupby("deal", sort=False)["at"].shift(-1), known["at"])
    return _by_stage(days.groupby(known["stage"], observed=True).agg(["count", "mean", "median"]))


def _by_stage(stages: pd.DataFrame) -> Told:
    return {
        f"{stage} {name}": float(row[key])
        for stage, row in stages.iterrows()
        if row["count"]
        for key, name in (("count", "n"), ("mean", "mean"), ("median", "median"))
    }


def total_time_in_stage(table: pd.DataFrame) -> Told:
    """How long deals that left a stage were there altogether."""
    known = entering_of(table)
    days = days_between(known.groupby("deal", sort=False)["at"].shift(-1), known["at"])
    spent = pd.DataFrame({"deal": known["deal"], "stage": known["stage"], "days": days})
    each = spent.groupby(["deal", "stage"], observed=True, sort=False)["days"]
    totals = each.agg(["sum", "count", "size"])
    over = totals[totals["count"] == totals["size"]]
    stages = over.groupby("stage", observed=True)["sum"].agg(["count", "mean", "median"])
    return _by_stage(stages)


def stage_speed(table: pd.DataFrame) -> Told:
    """All days spent in each stage by visits that ended."""
    known = entering_of(table)
    left = known.groupby("deal", sort=False)["at"].shift(-1)
    days = days_between(left.fillna(pd.Timestamp(AS_OF)), known["at"])
    spent = days.groupby(known["stage"], observed=True).sum()
    ended = left.notna().groupby(known["stage"], observed=True).sum()
    return {stage: float(spent[stage] / ended[stage]) for stage in STAGES}


def moves(table: pd.DataFrame) -> Told:
    """How many moves there were from each stage to each other."""
    known = entering_of(table)
    after = known.groupby("deal", sort=False)["stage"].shift(-1)
    n = known.groupby([known["stage"], after], observed=True).size()
    n = n[n > 0]
    share = n / n.groupby(level=0, observed=True).transform("sum")
    told = {f"{a} {b} n": float(value) for (a, b), value in n.items()}  # type: ignore[misc]
    return told | {f"{a} {b} share": value for (a, b), value in share.items()}  # type: ignore[misc]


def stage_strength(table: pd.DataFrame) -> Told:
    """The ways that deals took: what a strength is worked out from."""
    known = entering_of(table)
    ways = known.groupby("deal", sort=False)["stage"].agg(tuple).value_counts()
    return {"deals": int(ways.sum())}


def funnel(table: pd.DataFrame) -> Told:
    """How many reached each step in order, went on, and after how many days."""
    known = entering_of(table)
    first = known.drop_duplicates(["deal", "stage"]).set_index(["deal", "stage"])["at"]
    first = first.unstack("stage")  # noqa: PD010 - faster than a pivot table
    first = first.reindex(columns=list(STEPS))
    times = known.groupby(["deal", "stage"], observed=True, sort=False).size()
    again = (times > 1).groupby("stage", observed=True).sum()
    last = known.drop_duplicates("deal", keep="last").set_index("deal")["kind"].reindex(first.index)
    lost, over, reached = last.eq("Lost"), last.isin(CLOSING), first[STEPS[0]].notna()
    told: Told = {}
    for place, stage in enumerate(STEPS):
        later = first[list(STEPS[place + 1 :])].notna().any(axis=1)
        told[f"{stage} entered"] = float(reached.sum())
        told[f"{stage} re-entered"] = float(again.get(stage, 0))
        told[f"{stage} skipped"] = float((first[stage].isna() & later).sum())
        if stage == STEPS[-1]:
            break
        following = first[STEPS[place + 1]]
        on = reached & following.notna() & (following >= first[stage])
        told[f"{stage} lost"] = float((reached & ~on & lost).sum())
        told[f"{stage} open"] = float((reached & ~on & ~over).sum())
        told |= spread_of(days_between(following[on], first.loc[on, stage]), f"{stage} ")
        reached = on
    return told


def attempts_to_win(table: pd.DataFrame) -> Told:
    """How many calls it takes to win a deal."""
    known = known_of(table)
    calls = known[known["kind"] == "ActivityRecorded"].groupby("deal", sort=False).size()
    last = last_of(known)["kind"]
    made = calls.reindex(last.index, fill_value=0)
    won, lost = last == "Won", last == "Lost"
    return {
        "won": int((won & (made > 0)).sum()),
        "lost": int(lost.sum()),
        "untouched": int((~won & ~lost & (made == 0)).sum()),
        "mean": made[won & (made > 0)].mean(),
    }


# Customers


def _terms(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The terms of won deals, cut where their renewal begins, and every deal's last event."""
    known = known_of(table)
    last = last_of(known)[["kind", "at"]]
    said = known.dropna(subset=["recurring"]).drop_duplicates("deal", keep="last")
    said = said.set_index("deal")[["account", "renews", "recurring", "start", "end"]]
    last = last.join(said)
    won = last[last["kind"] == "Won"].copy()
    months = (won["end"].dt.year - won["start"].dt.year) * 12
    won["rate"] = won["recurring"] / 100 / (months + won["end"].dt.month - won["start"].dt.month)
    return won, last


def retention(table: pd.DataFrame) -> Told:
    """What became of accounts and their recurring revenue in a year."""
    won, _ = _terms(table)
    first, end = (pd.Timestamp(at.date()) - pd.Timedelta(days=1) for at in (YEAR.start, YEAR.end))
    was, now = (
        won[(won["start"] <= day) & (won["end"] > day)].groupby("account")["rate"].sum()
        for day in (first, end)
    )
    before = won.loc[won["start"] <= first, "account"].unique()
    came = now.index[~now.index.isin(was.index)]
    after = now.reindex(was.index)
    gone, change = after.isna(), (after - was).dropna()
    return {
        "accounts": len(was),
        "churned": int(gone.sum()),
        "new": int((~came.isin(before)).sum()),
        "reactivated": int(came.isin(before).sum()),
        "start": was.sum(),
        "churn": was[gone].sum(),
        "contraction": -change[change < 0].sum(),
        "expansion": change[change > 0].sum(),
    }


def renewals(table: pd.DataFrame) -> Told:
    """How the terms that ended in a year were renewed."""
    won, last = _terms(table)
    first, end = (pd.Timestamp(at.date()) - pd.Timedelta(days=1) for at in (YEAR.start, YEAR.end))
    ending = won[(won["end"] > first) & (won["end"] <= end)]
    again = last[last["renews"].isin(ending.index)]
    closed = again[again["kind"] == "Won"].groupby("renews")["at"].min()
    closed = closed.dt.tz_localize(None).dt.normalize()
    ends = ending["end"].reindex(closed.index)
    left = again[~again["renews"].isin(closed.index)]
    return {
        "ended": len(ending),
        "on_time": int((closed < ends).sum()),
        "late": int((closed >= ends).sum()),
        "overdue": left.loc[~left["kind"].isin(CLOSING), "renews"].nunique(),
    }


def recurring_revenue(table: pd.DataFrame) -> Told:
    """What the terms in force bring a month."""
    won, _ = _terms(table)
    today = pd.Timestamp(AS_OF.date())
    there = won[(won["start"] <= today) & (won["end"] > today)]
    return {"accounts": there["account"].nunique(), "a month": there["rate"].sum()}


def new_and_existing(table: pd.DataFrame) -> Told:
    """How selling went to accounts that had bought before, and to others."""
    known = known_of(table)
    opened, last = opened_of(known)[["at", "account"]], last_of(known)[["kind", "at"]]
    each = opened.join(last, rsuffix="_closed").join(worth_of(known) / 100)
    first = each[each["kind"] == "Won"].groupby("account")["at_closed"].min()
    existing = each["account"].map(first) < each["at"]
    closed = each["kind"].isin(CLOSING)
    told: Told = {}
    for name, these in (("existing", existing), ("new", ~existing)):
        won = each[these & (each["kind"] == "Won")]
        told |= {f"{name} opened": int(these.sum()), f"{name} of": int((these & closed).sum())}
        told |= {f"{name} n": len(won), f"{name} size": won["amount"].mean()}
        told[f"{name} cycle"] = days_between(won["at_closed"], won["at"]).mean()
    return told


def repeat_share(table: pd.DataFrame) -> Told:
    """How many accounts bought again."""
    known = known_of(table)
    last = last_of(known)
    won = last.index[last["kind"] == "Won"]
    times = opened_of(known)["account"].reindex(won).value_counts()
    again = {"deals of": len(won), "deals n": len(won) - len(times)}
    return {"of": len(times), "n": int((times > 1).sum()), **again}


def referral_share(table: pd.DataFrame) -> Told:
    """The share of won deals that somebody referred."""
    known = known_of(table)
    last = last_of(known)
    won = last.index[last["kind"] == "Won"]
    source = opened_of(known)["source"].reindex(won)
    return {"of": len(won), "n": int(source.str.contains("referral").sum())}
