"""A score card learned from made-up leads: how good it is, what it says, and one lead explained.

Run it with ``python examples/score_leads.py``.
"""

import random

from salespipeline.prediction import evaluate, learn

SOURCES = {"referral": 0.8, "web form": 0.0, "event": 0.3, "bought list": -1.2}
BUDGETS = {"yes": 0.4, "no": 0.2, "Select": -1.0}


def leads(number: int, *, seed: int = 7) -> list[dict[str, str]]:
    """Leads as a form leaves them, the newest of which nobody knows the outcome of."""
    chance = random.Random(seed)
    rows: list[dict[str, str]] = []
    for n in range(number):
        source, budget = chance.choice([*SOURCES]), chance.choice([*BUDGETS])
        visits = chance.randrange(30)
        rate = 0.3 + 0.15 * (SOURCES[source] + BUDGETS[budget]) + visits / 100
        won = "won" if chance.random() < rate else "lost"
        rows.append(
            {
                "id": f"lead-{n}",
                "source": source,
                "budget": budget,
                "visits": "" if chance.random() < 0.1 else str(visits),
                "lost reason": chance.choice(["price", "timing"]) if won == "lost" else "",
                "outcome": won if n < number * 0.8 else "",
            }
        )
    return rows


def main() -> None:
    """Look at the flags, evaluate, learn, and explain one open lead."""
    rows = leads(1_500)
    first = learn(rows, outcome="outcome", won="won")
    print("What to know of the columns:")
    for warned in first.warnings:
        print(f"- {warned.message}")

    columns = ["source", "budget", "visits"]
    print("\nHow good is a card of source, budget and visits on leads that it has not seen?")
    print(evaluate(rows, outcome="outcome", won="won", columns=columns))

    card = learn(rows, outcome="outcome", won="won", columns=columns)
    print(f"\n{card}")

    lead = rows[-1]
    print(f"\nThe chance of {lead['id']}:")
    print(card.predict(lead))

    model = card.to_model("leads", hand_over=0.5)
    print(f"\nAs a score model: {len(model.fit)} rules; sales is told at {model.hand_over} points")


if __name__ == "__main__":
    main()
