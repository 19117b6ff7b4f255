"""Rows to learn from: small ones whose figures are known, and leads as forms leave them."""

import random

SIZES = ("small", "middle", "big", "")
STAFF = 40


def deals(number=300, *, seed=1, copies=1):
    """Deals whose size tells something, whose colour does not, and whose staff tells a little."""
    chance = random.Random(seed)
    rows = []
    for n in range(number):
        size = chance.choice(SIZES)
        staff = chance.randrange(500)
        rate = {"small": 0.2, "middle": 0.4, "big": 0.8, "": 0.3}[size] + staff / 5000
        row = {"n": n, "won": "yes" if chance.random() < rate else "no"}
        row |= {f"size {copy}" if copy else "size": size for copy in range(copies)}
        rows.append(row | {"colour": chance.choice(["red", "blue"]), "staff": staff})
    return rows


def without(rows, *columns):
    return [{key: value for key, value in row.items() if key not in columns} for row in rows]


def leads(number=9_000, *, kinds=30, seed=1):
    """Leads as a form leaves them: unanswered, rare, as text; ids; columns that tell too much."""
    chance = random.Random(seed)
    rows = []
    for n in range(number):
        keen = chance.gauss(0, 1)
        came = chance.random() < 1 / (1 + 2.718 ** (0.4 - 1.2 * keen))
        row = {"Lead Id": f"{chance.getrandbits(64):016x}", "Number": str(660_000 - 7 * n)}
        for place in range(kinds):
            levels = 3 + place % 12
            shown = int(chance.gauss(0, 1) + (keen if place % 4 == 0 else 0) + levels / 2)
            answer = f"v{min(levels - 1, max(0, shown))}"
            row[f"kind {place}"] = chance.choices([answer, "Select", ""], [8, 1, 1])[0]
        row["rare"] = f"r{int(chance.expovariate(0.05))}"
        row["visits"] = str(chance.choice([0, 0, 0, 1, 2, 3, 5, 8, 12, 17, 25]))
        row["seconds"] = str(max(0, int(500 * keen + chance.gauss(300, 300))))
        row["pages"] = f"{max(0.0, keen + chance.gauss(2, 1)):.2f}"
        row |= {"never": "", "same": "No"}
        told = came and chance.random() < 0.92
        row["tag"] = "will come" if told else chance.choice(["ringing", "busy"])
        row["lost reason"] = "price" if not came and chance.random() < 0.6 else ""
        rows.append(row | {"Converted": "1" if came else "0"})
    return rows
