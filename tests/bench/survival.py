"""Curves of a million durations in whole days against lifelines, in the same run.

Run it where the extra ``bench-survival`` is installed. Ours reads a list of pairs, theirs arrays
of numpy that are made already; the curves are compared before anything is timed.
"""

import random

import numpy as np
from _table import options, race, row, show
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from salespipeline.metrics import Incidence, Survival

DAYS = 700
CAUSES = {1: "won", 2: "lost"}


def made(number: int, seed: int = 11) -> list[tuple[int, int]]:
    """So many ages with how they ended: 0 still open, 1 won, 2 lost; none ends on day 0."""
    rng = random.Random(seed)
    lives: list[tuple[int, int]] = []
    for _ in range(number):
        cause = 1 if rng.random() < 0.25 else 2
        ends = 1 + int((45 if cause == 1 else 90) * rng.lognormvariate(0, 0.7))
        seen = rng.randrange(1, DAYS)
        lives.append((ends, cause) if ends <= seen else (seen, 0))
    return lives


def check(ours: float | None, theirs: float, what: str) -> None:
    """Stop where the two do not say the same."""
    if ours is None or abs(ours - theirs) > 1e-9:
        raise SystemExit(f"{what} differs: {ours} and {theirs}")


def main() -> None:
    """Make the durations, check that both sides agree, and time them."""
    parser = options(__doc__ or "")
    parser.add_argument("--lives", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    lives = made(asked.lives)
    pairs = [(age, cause > 0) for age, cause in lives]
    ways = [(age, CAUSES.get(cause)) for age, cause in lives]
    ages = np.array([age for age, _ in lives])
    causes = np.array([cause for _, cause in lives])

    def their_curve() -> KaplanMeierFitter:
        return KaplanMeierFitter().fit(ages, causes > 0)

    def their_shares() -> list[AalenJohansenFitter]:
        # It jitters the ties of whole days until none is left; with a seed it would not end.
        return [
            AalenJohansenFitter(calculate_variance=False).fit(ages, causes, cause)
            for cause in CAUSES
        ]

    curve = their_curve()
    for day in (1, 30, 365):
        check(Survival.of(pairs).at(day), float(curve.predict(day)), f"the curve on day {day}")
    rows = [
        row(name, *race(ours, theirs, rounds=asked.rounds), limit)
        for name, ours, theirs, limit in (
            ("Kaplan-Meier", lambda: Survival.of(pairs), their_curve, 1.5),
            ("Aalen-Johansen, both outcomes", lambda: Incidence.of(ways), their_shares, 1.0),
        )
    ]
    show(rows, as_json=asked.json)


if __name__ == "__main__":
    main()
