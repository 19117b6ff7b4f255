"""A score model against the same rules written by hand, on 100,000 contacts with 30 activities.

Both start from the same histories and end with the fit, the engagement, the total and the tier of
each contact. The results are compared before anything is timed.
"""

import random
import time
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Any

from _table import options, race, row, show

from salespipeline import ContactHistory
from salespipeline.conditions import at_least, equals, one_of, present
from salespipeline.contacts import Contact
from salespipeline.events import ActivityRecorded, Created, FieldSet
from salespipeline.scoring import Decay, EngagementRule, FitRule, ScoreModel, Thresholds

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400
KINDS = (
    "email_open", "email_reply", "webinar", "pricing_page_visit", "content_download", "form",
    "call", "meeting_booked", "demo_requested", "unsubscribed",
)  # fmt: skip
INDUSTRIES = ("education", "banking", "retail", "health", "other")
COUNTRIES = ("DE", "DK", "US", "FR", "IN")


def days(number: int) -> timedelta:
    """So many days."""
    return timedelta(days=number)


MODEL = ScoreModel(
    "bench",
    fit=[
        FitRule("education", equals("attributes.industry", "education"), 20),
        FitRule("banking", equals("attributes.industry", "banking"), 10),
        FitRule("region", one_of("attributes.country", ["DE", "DK"]), 10),
        FitRule("far", equals("attributes.country", "IN"), -10),
        FitRule("staff", at_least("attributes.staff", 50), 10),
        FitRule("many staff", at_least("attributes.staff", 500), 15),
        FitRule("decides", equals("attributes.role", "decider"), 15),
        FitRule("magnet", equals("source", "guide"), 5),
        FitRule("company", present("company"), 5),
        FitRule("owned", present("owner"), 5),
    ],
    engagement=[
        EngagementRule("opens", "email_open", 1, decay=Decay.expiry(days(30)), cap=10),
        EngagementRule("replies", "email_reply", 10, decay=Decay.half_life(days(30))),
        EngagementRule("webinars", "webinar", 10, decay=Decay.linear(every=days(30), share="0.5")),
        EngagementRule("prices", "pricing_page_visit", 5, within=days(14), cap=20),
        EngagementRule("downloads", "content_download", 4, decay=Decay.half_life(days(60))),
        EngagementRule("form", "form", 15, once=True),
        EngagementRule("calls", "call", 3, decay=Decay.linear(every=days(7), share="0.25")),
        EngagementRule("meetings", "meeting_booked", 20, decay=Decay.half_life(days(90))),
        EngagementRule("demo", "demo_requested", 30, once=True, decay=Decay.expiry(days(180))),
        EngagementRule("left", "unsubscribed", -30),
    ],
    fit_cap=60,
    engagement_cap=100,
    tiers=Thresholds({"hot": 80, "warm": 40, "cold": -1000}),
    hand_over=80,
)


def made(contacts: int, activities: int, seed: int = 7) -> list[ContactHistory]:
    """So many contacts, each with so many activities over a year."""
    rng = random.Random(seed)
    return [_contact(rng, f"c-{number:06d}", activities) for number in range(contacts)]


def _contact(rng: random.Random, contact: str, activities: int) -> ContactHistory:
    source, owner = rng.choice(("guide", "fair", None)), rng.choice(("ada", None))
    said = {"industry": rng.choice(INDUSTRIES), "country": rng.choice(COUNTRIES)}
    created = Created(
        record=contact, sequence=1, at=FIRST, source=source, owner=owner,
        company=rng.choice(("Acme", None)), attributes=_attributes(said),
    )  # fmt: skip
    staff = FieldSet(
        record=contact, sequence=2, at=FIRST, field="attributes.staff", value=rng.randrange(1000)
    )
    role = FieldSet(
        record=contact, sequence=3, at=FIRST, field="attributes.role",
        value=rng.choice(("decider", "user")),
    )  # fmt: skip
    times = sorted(rng.randrange(365 * DAY) for _ in range(activities))
    done = [
        ActivityRecorded(
            record=contact, sequence=number, at=FIRST + timedelta(seconds=time_),
            kind=rng.choice(KINDS),
        )
        for number, time_ in enumerate(times, 4)
    ]  # fmt: skip
    return ContactHistory([created, staff, role, *done])


def _attributes(said: dict[str, Any]) -> Any:
    contact, _ = Contact.create("x", at=FIRST, by="bench", attributes=said)
    return contact.attributes


HALVES = {
    "email_reply": (1000, [2 ** -(age / 30) for age in range(400)]),
    "content_download": (400, [2 ** -(age / 60) for age in range(400)]),
    "meeting_booked": (2000, [2 ** -(age / 90) for age in range(400)]),
}
BOUNDS, LABELS = [-100_000, 4_000, 8_000], [None, "cold", "warm", "hot"]


def _fit_by_hand(contact: Any) -> int:  # noqa: C901 - one branch per rule
    """The ten rules of fit, as one would write them."""
    fields = contact.attributes
    industry, country, staff = fields.get("industry"), fields.get("country"), fields.get("staff")
    points = 0
    if industry == "education":
        points += 2000
    if industry == "banking":
        points += 1000
    if country in {"DE", "DK"}:
        points += 1000
    if country == "IN":
        points -= 1000
    if staff is not None and staff >= 50:
        points += 1000
    if staff is not None and staff >= 500:
        points += 1500
    if fields.get("role") == "decider":
        points += 1500
    if contact.source == "guide":
        points += 500
    if contact.company is not None:
        points += 500
    if contact.owner is not None:
        points += 500
    return min(points, 6000)


def _engagement_by_hand(events: Any) -> int:  # noqa: C901, PLR0912 - one branch per rule
    """The ten rules of engagement, in one pass."""
    points = opens = prices = 0
    forms = demo = False
    for event in events:
        if type(event) is not ActivityRecorded or event.at > AS_OF:
            continue
        kind, age = event.kind, (AS_OF - event.at).days
        if kind in HALVES:
            first, factors = HALVES[kind]
            points += round(first * factors[age])
        elif kind == "email_open":
            if age < 30:
                opens += 100
        elif kind == "webinar":
            points += 1000 if age < 30 else 500 if age < 60 else 0
        elif kind == "pricing_page_visit":
            if age < 14:
                prices += 500
        elif kind == "form":
            if not forms:
                forms = True
                points += 1500
        elif kind == "call":
            if age < 28:
                points += 300 * (4 - age // 7) // 4
        elif kind == "demo_requested":
            if not demo:
                demo = True
                points += 3000 if age < 180 else 0
        elif kind == "unsubscribed":
            points -= 3000
    return min(points + min(opens, 1000) + min(prices, 2000), 10_000)


def by_hand(histories: list[ContactHistory]) -> list[tuple[str, int, int, int, str | None]]:
    """The scores, by a loop over the same histories."""
    found = []
    for history in histories:
        contact = Contact.replay(event for event in history.events if event.at <= AS_OF)
        assert contact is not None
        fit, engagement = _fit_by_hand(contact), _engagement_by_hand(history.events)
        total = fit + engagement
        tier = LABELS[bisect_right(BOUNDS, total)]
        found.append((contact.id, fit, engagement, total, tier))
    return found


def main() -> None:
    """Make the contacts, check that both sides agree, and time them."""
    parser = options(__doc__ or "")
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--activities", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    start = time.perf_counter()
    histories = made(asked.contacts, asked.activities)
    loading = time.perf_counter() - start
    ours = [
        (each.record, *(int(part * 100) for part in each[2:5]), each.tier)
        for each in MODEL.scores(histories, as_of=AS_OF)
    ]
    if ours != by_hand(histories):
        raise SystemExit("the scores differ")
    times = race(
        lambda: MODEL.scores(histories, as_of=AS_OF),
        lambda: by_hand(histories),
        rounds=asked.rounds,
    )
    few = histories[: max(1, asked.contacts // 100)]
    start = time.perf_counter()
    for history in few:
        MODEL.score(history, as_of=AS_OF)
    single = (time.perf_counter() - start) / len(few)
    rows = [
        row("make the histories", loading, None, None),
        row(f"score {len(histories):,} contacts", *times, 1.5),
        row("one score with its ledger", single, None, None),
    ]
    show(rows, as_json=asked.json)


if __name__ == "__main__":
    main()
