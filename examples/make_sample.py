"""Make the sample in `examples/data/`: 500 contacts and their deals over 18 months, with dirt.

The same seed gives the same files. Run it from anywhere: ``python examples/make_sample.py``.
"""

import csv
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 20260701
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
EXPORTED = datetime(2026, 7, 1, tzinfo=UTC)
DATA = Path(__file__).parent / "data"

OWNERS = ("Amira", "Bela", "Chidi", "Dana", "Emre", "Femke")
SOURCES = ("advertising", "cold outreach", "events", "networking", "referral", "social media")
INDUSTRIES = ("insurance", "manufacturing", "mortgage", "software", "solar")
STAGES = ("contact", "qualification", "meeting", "proposal")
REASONS = ("budget", "competitor", "no decision", "no need", "timing")

CONTACT_COLUMNS = (
    "contact", "when", "lifecycle", "status", "name", "company", "source", "owner", "activity",
    "industry",
)  # fmt: skip
DEAL_COLUMNS = (
    "deal", "when", "stage", "amount", "owner", "source", "account", "expected close", "reason",
    "industry",
)  # fmt: skip

Row = dict[str, str]


def stamp(at: datetime) -> str:
    """An instant as the two files write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Sample:
    """The rows of both files while they are being made."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.contacts: list[Row] = []
        self.deals: list[Row] = []

    def later(self, at: datetime, days: float) -> datetime:
        """An instant some days later, in working hours, most often sooner than ``days``."""
        moved = at + timedelta(days=self.rng.lognormvariate(0.0, 0.6) * days)
        return moved.replace(hour=self.rng.randrange(8, 18), minute=self.rng.randrange(60))

    def contact(self, number: int) -> None:
        """One contact from its first touch to wherever it has come, with its deal if it has one."""
        rng = self.rng
        days = (EXPORTED - FIRST).days
        at = FIRST + timedelta(days=rng.triangular(0, days, 0.6 * days), hours=rng.randrange(8, 18))
        contact, source = f"c-{number:03d}", rng.choice(SOURCES)
        industry, owner = rng.choice(INDUSTRIES), rng.choice(OWNERS)
        company = f"{industry.capitalize()} {number}"

        def say(at: datetime, **cells: str) -> None:
            if at < EXPORTED:
                self.contacts.append({"contact": contact, "when": stamp(at), **cells})

        say(
            at, lifecycle=rng.choice(("subscriber", "lead", "lead")), name=f"Person {number}",
            company=company, source=source, industry=industry,
        )  # fmt: skip
        steps = (("lead", 0.92, 9.0), ("marketing_qualified_lead", 0.72, 14.0))
        for stage, chance, wait in steps:
            at = self.later(at, wait)
            if rng.random() > chance:
                return
            say(at, lifecycle=stage, activity=rng.choice(("download", "pricing page", "webinar")))
        at = self.later(at, 10.0)
        if rng.random() > 0.74:
            return
        say(at, lifecycle="sales_qualified_lead", status="new", owner=owner)
        for status, chance in (("attempted_to_contact", 0.95), ("connected", 0.82)):
            at = self.later(at, 4.0)
            if rng.random() > chance:
                ending = rng.choice(("unqualified", "bad_timing", "bad_timing"))
                say(at, status=ending)
                return
            say(at, status=status, activity="call")
        at = self.later(at, 6.0)
        say(at, status="open_deal")
        won = self.deal(f"d-{number:03d}", at, owner, source, company, industry)
        say(at + timedelta(hours=1), lifecycle="opportunity")
        if won is not None:
            say(won, lifecycle="customer")
            if rng.random() < 0.15:
                say(self.later(won, 60.0), lifecycle="evangelist")

    def deal(
        self, deal: str, at: datetime, owner: str, source: str, account: str, industry: str
    ) -> datetime | None:
        """One deal from its opening to its end, or as far as it has come; when it was won."""
        rng = self.rng
        amount = round(rng.lognormvariate(9.1, 0.7), 2)

        def say(at: datetime, **cells: str) -> None:
            if at < EXPORTED:
                self.deals.append({"deal": deal, "when": stamp(at), **cells})

        expected = (at + timedelta(days=60)).date().isoformat()
        say(
            at, stage="contact", amount=f"{amount:.2f}", owner=owner, source=source,
            account=account, industry=industry, **{"expected close": expected},
        )  # fmt: skip
        for stage in STAGES[1:]:
            if rng.random() < 0.22:
                say(self.later(at, 45.0), stage="lost", reason=rng.choice(REASONS))
                return None
            at = self.later(at, 16.0)
            say(at, stage=stage)
            if rng.random() < 0.2:
                amount = round(amount * rng.uniform(0.7, 1.2), 2)
                say(at + timedelta(hours=2), amount=f"{amount:.2f}")
            if rng.random() < 0.12:
                say(at + timedelta(hours=3), owner=rng.choice(OWNERS))
        at = self.later(at, 20.0)
        if rng.random() < 0.35:
            say(self.later(at, 30.0), stage="lost", reason=rng.choice(REASONS))
            return None
        say(at, stage="closing")
        if rng.random() < 0.3:
            say(self.later(at, 30.0), stage="retention")
        return at

    def pushes(self) -> Iterable[Row]:
        """Close dates put off while a deal is open; drawn apart, so that all else stays."""
        rng = random.Random(SEED + 1)
        by_deal: dict[str, list[Row]] = {}
        for row in self.deals:
            by_deal.setdefault(row["deal"], []).append(row)
        for deal, rows in by_deal.items():
            ended = [row["when"] for row in rows if row.get("stage") in {"lost", "closing"}]
            end = datetime.fromisoformat(min(ended)) if ended else EXPORTED
            expected = datetime.fromisoformat(rows[0]["expected close"]).replace(tzinfo=UTC)
            while True:
                seen = expected - timedelta(days=rng.randrange(1, 15), hours=-rng.randrange(8, 18))
                if seen >= end or rng.random() < 0.3:
                    break
                expected += timedelta(days=rng.choice((14, 30, 30, 45, 60)))
                cells = {"expected close": expected.date().isoformat()}
                yield {"deal": deal, "when": stamp(seen), **cells}

    def dirt(self) -> None:
        """What real exports hold: broken rules, cells that cannot be read, a row in the wrong."""
        by_contact: dict[str, list[Row]] = {}
        for row in self.contacts:
            by_contact.setdefault(row["contact"], []).append(row)
        early = [rows for rows in by_contact.values() if rows[-1].get("lifecycle") == "lead"]
        for rows in early[:9]:
            rows[-1]["status"] = "new"
        customers = [
            rows for rows in by_contact.values() if rows[-1].get("lifecycle") == "customer"
        ]
        for rows in customers[:4]:
            when = datetime.fromisoformat(rows[-1]["when"]) + timedelta(days=5)
            row = {"contact": rows[0]["contact"], "when": stamp(when), "lifecycle": "lead"}
            self.contacts.append(row)
        by_deal: dict[str, list[Row]] = {}
        for row in self.deals:
            by_deal.setdefault(row["deal"], []).append(row)
        ends = ("lost", "closing", "retention")
        unclosed = [
            rows for rows in by_deal.values() if all(row.get("stage") not in ends for row in rows)
        ]
        for rows in unclosed[1:24:4]:
            rows[0]["owner"] = ""
        for rows in [rows for rows in unclosed if rows[-1].get("stage") == "meeting"][:4]:
            rows[-1]["stage"] = "demo"
        for rows in [rows for rows in unclosed if len(rows) > 2][2:20:3]:
            when = datetime.fromisoformat(rows[-2]["when"]) - timedelta(hours=3)
            rows[-1]["when"] = stamp(when)
        closed = [rows for rows in by_deal.values() if rows not in unclosed]
        closed[3][0]["amount"] = "tbd"
        closed[11][0]["amount"] = "12.345"
        won = [rows for rows in closed if rows[-1].get("stage") == "closing"]
        won[4][0]["amount"] = ""
        lost = [row for row in self.deals if row.get("stage") == "lost"]
        lost[2]["when"] = stamp(FIRST - timedelta(days=20))
        lost[5]["when"] = "32/01/2026"


def write(path: Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Write the rows, in the order of their instants as far as these can be compared."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, tuple(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Make both files."""
    sample = Sample(SEED)
    for number in range(1, 501):
        sample.contact(number)
    sample.contacts.sort(key=lambda row: row["when"])
    sample.deals.sort(key=lambda row: row["when"])
    pushes = list(sample.pushes())
    sample.dirt()
    for push in pushes:
        years = ((n, row["when"]) for n, row in enumerate(sample.deals) if row["when"][:2] == "20")
        later = (n for n, when in years if when > push["when"])
        sample.deals.insert(next(later, len(sample.deals)), push)
    DATA.mkdir(exist_ok=True)
    write(DATA / "contacts.csv", CONTACT_COLUMNS, sample.contacts)
    write(DATA / "deals.csv", DEAL_COLUMNS, sample.deals)
    print(
        f"{len(sample.contacts)} rows of contacts and {len(sample.deals)} of deals in {DATA.name}/"
    )


if __name__ == "__main__":
    main()
