"""A score card against others: Odoo's way of counting on real deals, and scikit-learn's fit.

On the deals of Salvirt, without duplicates and on the same folds, both sides predict what they
have not seen. Copies of one signal are told to both. The fit is that of the weights alone, on
100,000 records of 20 columns of evidence.
"""

import argparse
import csv
import os
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import exp, log
from pathlib import Path

from salespipeline.prediction import Evaluation, evaluated, learn
from salespipeline.prediction._fitting import expit, logistic

FILE = Path("salvirt_b2b", "Salvirt_B2B_ML_dataset.csv")
REPEATS, FOLDS = 10, 5
LEAST = 0.0001
Row = Mapping[str, str]


class OdooLike:
    """Odoo's predictive lead scoring as its code was read: likelihoods multiplied.

    Each value of a field counts won and lost records, beginning at 0.1 each; unknown pairs of
    field and value are skipped; the result is held between 0.0001 and 0.9999.
    """

    def __init__(self, rows: Sequence[Row], outcome: str, won: str) -> None:
        """Count the values of rows whose outcome is known."""
        self.counts: dict[str, dict[str, list[float]]] = defaultdict(
            lambda: defaultdict(lambda: [0.1, 0.1])
        )
        for row in rows:
            place = 0 if row[outcome] == won else 1
            for field, value in row.items():
                if field != outcome and value:
                    self.counts[field][value][place] += 1
        closed = Counter(row[outcome] == won for row in rows)
        self.prior = log(closed[True] / len(rows)), log(closed[False] / len(rows))
        self.sums = {
            field: tuple(map(sum, zip(*values.values(), strict=True)))
            for field, values in self.counts.items()
        }

    def predict(self, row: Row) -> float:
        """The chance that a record is won."""
        won, lost = self.prior
        for field, values in self.counts.items():
            if (value := row.get(field)) in values:
                won += log(values[value][0] / self.sums[field][0])
                lost += log(values[value][1] / self.sums[field][1])
        return min(1 - LEAST, max(LEAST, expit(won - lost)))


def salvirt(folder: Path) -> list[dict[str, str]]:
    """The deals of Salvirt, each once."""
    with (folder / FILE).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return [dict(row) for row in dict.fromkeys(tuple(row.items()) for row in rows)]


def compared(rows: Sequence[Row], seed: int) -> tuple[Evaluation, Evaluation]:
    """The card and the likelihoods, each on the folds that it was not learned from."""
    dealt = list(range(len(rows)))
    random.Random(seed).shuffle(dealt)
    ours, theirs = [0.0] * len(rows), [0.0] * len(rows)
    for start in range(FOLDS):
        held = {*dealt[start::FOLDS]}
        rest = [row for place, row in enumerate(rows) if place not in held]
        card = learn(rest, outcome="Status", won="Won", seed=seed)
        odoo = OdooLike(rest, "Status", "Won")
        for place in held:
            ours[place] = card.predict(rows[place]).probability
            theirs[place] = odoo.predict(rows[place])
    came = [row["Status"] == "Won" for row in rows]
    return evaluated(ours, came), evaluated(theirs, came)


def copied(
    copies: int, *, number: int = 20_000, rate: float = 0.3, flipped: float = 0.0
) -> list[dict[str, str]]:
    """Records with one signal, seen in .6 of those that came out and .3 of the others.

    Args:
        copies: How many columns tell of the signal.
        number: How many records.
        rate: The share that comes out.
        flipped: The share of cells of the copies after the first that say the opposite.
    """
    chance, turns = random.Random(7), random.Random(8)
    rows: list[dict[str, str]] = []
    for _ in range(number):
        came = chance.random() < rate
        signal = chance.random() < (0.6 if came else 0.3)
        row = {"came": "yes" if came else "no"}
        for copy in range(copies):
            turned = copy > 0 and turns.random() < flipped
            row[f"signal {copy}"] = "there" if signal != turned else "absent"
        rows.append(row)
    return rows


def all_there(copies: int) -> dict[str, str]:
    """A record that has the signal in every copy."""
    return {f"signal {copy}": "there" for copy in range(copies)}


def matrix(number: int, width: int) -> tuple[list[list[float]], list[bool]]:
    """Columns of evidence, and outcomes that they tell of."""
    chance = random.Random(1)
    levels = [[chance.gauss(0, 0.5) for _ in range(2 + n % 9)] for n in range(width)]
    columns = [[chance.choice(each) for _ in range(number)] for each in levels]
    outcomes = [
        chance.random() < 1 / (1 + exp(0.5 - sum(row))) for row in zip(*columns, strict=True)
    ]
    return columns, outcomes


def show_salvirt(folder: Path) -> None:
    """Print how both sides do on the deals of Salvirt."""
    if not (folder / FILE).is_file():
        print(f"no published data at {folder}; name their folder in SALESPIPELINE_DATA")
        return
    pairs = [compared(salvirt(folder), seed) for seed in range(REPEATS)]
    print(f"{'Salvirt':<12}{'Brier':>8}{'log-loss':>10}{'Cox a':>8}{'Cox b':>8}   AUC")
    for name, found in zip(("card", "Odoo-like"), zip(*pairs, strict=True), strict=True):
        figures = [
            sum(getattr(each, figure) for each in found) / REPEATS
            for figure in ("brier", "log_loss", "intercept", "slope", "auc")
        ]
        brier, loss, intercept, slope, auc = figures
        ends = found[0].auc_interval
        print(
            f"{name:<12}{brier:>8.4f}{loss:>10.4f}{intercept:>+8.2f}{slope:>8.2f}   {auc:.3f} "
            f"(first repeat {found[0].auc:.3f}, {ends.low:.3f} to {ends.high:.3f})"
        )
    better = sum(ours.brier < o.brier and ours.log_loss < o.log_loss for ours, o in pairs)
    print(f"better on Brier and on log-loss in {better} of {REPEATS} repeats\n")


def show_copies() -> None:
    """Print what copies of a signal do to both sides."""
    print("a signal copied: chance of a record that has it")
    for copies, flipped in ((1, 0.0), (4, 0.0), (3, 0.05)):
        rows = copied(copies, flipped=flipped)
        card = learn(rows, outcome="came", won="yes").predict(all_there(copies)).probability
        odoo = OdooLike(rows, "came", "yes").predict(all_there(copies))
        print(f"{copies} columns, {flipped:.0%} flipped: card {card:.4f}, Odoo-like {odoo:.4f}")
    print()


def main() -> None:
    """Compare, race the fit, and print what came out."""
    from _table import options, race, row, show

    parser: argparse.ArgumentParser = options(__doc__ or "")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=20)
    asked = parser.parse_args()
    if not asked.json:
        named = os.environ.get("SALESPIPELINE_DATA")
        root = Path(__file__).resolve().parents[2]
        show_salvirt(Path(named) if named else root.parent / "shared" / "data")
        show_copies()
    columns, outcomes = matrix(asked.records, asked.columns)
    name = f"fit of {asked.records:,} x {asked.columns}"
    try:
        import numpy as np
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        ours, _ = race(lambda: logistic(columns, outcomes, ridge=10.0), tuple, rounds=3)
        show([row(name, ours, None, 60.0)], as_json=asked.json)
        return
    table, came = np.array(columns).T.copy(), np.array(outcomes)
    model = LogisticRegression(C=0.1)
    ours, theirs = race(
        lambda: logistic(columns, outcomes, ridge=10.0), lambda: model.fit(table, came), rounds=3
    )
    show([row(name, ours, theirs, 60.0)], as_json=asked.json)
    found = logistic(columns, outcomes, ridge=10.0)
    model = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000).fit(table, came)
    off = max(abs(a - b) for a, b in zip(found[1:], model.coef_[0], strict=True))
    if off > 1e-4:
        raise SystemExit(f"the weights differ by {off}")


if __name__ == "__main__":
    main()
