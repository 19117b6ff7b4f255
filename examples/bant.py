"""A quarter of qualifying one lead: what is known, the verdict, and what to ask next.

Run it with ``python examples/bant.py``.
"""

from datetime import UTC, date, datetime, timedelta

from salespipeline import SIX_STAGES, Deal, DealHistory, Money
from salespipeline.events import DealEvent
from salespipeline.qualification import (
    BANT,
    MEDDPICC,
    THREE_OF_FOUR,
    Assessments,
    Authority,
    Budget,
    Need,
    Timeline,
)

PRICE = Money("35000", "EUR")
SOON_ENOUGH = date(2026, 6, 30)
HOLDS = timedelta(days=60)


def day(month: int, number: int) -> datetime:
    """Nine o'clock of a day in 2026."""
    return datetime(2026, month, number, 9, tzinfo=UTC)


def learnt() -> list[tuple[datetime, str, Budget | Authority | Need | Timeline]]:
    """What sales found out, call by call."""
    return [
        (day(3, 3), "need", Need("serious", "we lose a day a week to retyping")),
        (day(3, 3), "budget", Budget(Money("20000", "EUR"), Money("40000", "EUR"))),
        (day(3, 10), "authority", Authority("decides", others=["the head of finance"])),
        (day(3, 24), "timeline", Timeline(date(2026, 9, 1), date(2026, 12, 31))),
        (day(5, 20), "budget", Budget(Money("40000", "EUR"))),
        (day(5, 20), "authority", Authority("decides")),
        (day(5, 20), "timeline", Timeline(date(2026, 6, 15))),
    ]


def answered(found: Budget | Authority | Need | Timeline) -> str:
    """The answer that a finding gives."""
    if isinstance(found, Budget):
        return found.answer(PRICE)
    if isinstance(found, Timeline):
        return found.answer(by=SOON_ENOUGH)
    return found.answer()


def main() -> None:
    """Assess the deal call by call, and judge it as of several days."""
    deal, opened = Deal.open(
        "d-1", at=day(3, 2), by="sam", pipeline=SIX_STAGES, stage="qualification",
        title="Retyping no more", amount=PRICE,
    )  # fmt: skip
    events: list[DealEvent] = [opened]
    for at, criterion, found in learnt():
        deal, event = deal.assess(
            "bant", criterion, answered(found), at=at, by="sam",
            evidence=found.evidence, source="call", expires_at=at + HOLDS,
        )  # fmt: skip
        events.append(event)
    history = DealHistory(events)
    for as_of in (day(3, 4), day(3, 25), day(5, 15), day(5, 21)):
        known = Assessments.of(history, BANT, as_of=as_of)
        verdict = THREE_OF_FOUR.judge(known, as_of=as_of)
        print(f"As of {as_of:%d %B}: {verdict}")
        if verdict.lead_status is not None:
            print(f"lead status: {verdict.lead_status.value}")
        print()
    filled, said = Assessments.of(history, BANT, as_of=day(5, 21)).filled_for(MEDDPICC)
    print(f"{MEDDPICC.name} begins with {len(said)} answers that are known already:")
    for line in dict.fromkeys(said):
        print(f"- {line}")
    unknown = [key for key, each in filled.as_of(day(5, 21)).items() if each is None]
    print(f"still to find out: {len(unknown)} things, first of all {unknown[0]}")


if __name__ == "__main__":
    main()
