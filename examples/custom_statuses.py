"""Lead statuses of a team's own: five attempts, then recycle; a parked one with a date to revisit.

Shows what a sales rep sees on the screen, what the check of the scheme says, and what becomes of
leads when the scheme is edited while they hold its keys.

python examples/custom_statuses.py
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from textwrap import fill
from typing import Any

from salespipeline import (
    Contact,
    Decision,
    DeniedError,
    LifecycleStage,
    Rulebook,
    Status,
    StatusScheme,
    handled_by,
)
from salespipeline.conditions import NEVER, present
from salespipeline.rules import Code, Result, Rule

TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC)

# The scheme, as an admin page holds it


def rows(attempts: int) -> list[dict[str, Any]]:
    """The statuses in order, as the rows of an admin page."""
    tries = [
        {
            "key": f"attempt_{number}",
            "meaning": f"{number} of {attempts} attempts made, and nobody reached",
            "next_step": "try again, another way" if number < attempts else "recycle it",
        }
        for number in range(1, attempts + 1)
    ]
    return [
        {
            "key": "new", "kind": "initial", "meaning": "nobody has tried yet",
            "next_step": "make the first attempt",
        },
        *tries,
        {"key": "connected", "meaning": "we spoke", "next_step": "agree what they need"},
        {"key": "quoted", "meaning": "an offer is out", "next_step": "walk through it"},
        {
            "key": "future_opportunity", "parked": True, "meaning": "a good fit, not now",
            "next_step": "call on the date agreed",
        },
        {
            "key": "recycled", "kind": "recycle", "meaning": "all attempts made in vain",
            "next_step": "marketing keeps in touch",
        },
    ]  # fmt: skip


def moves(attempts: int) -> dict[str, list[str]]:
    """Which status may follow which: attempts one by one, and recycling from any of them."""
    tries = [f"attempt_{number}" for number in range(1, attempts + 1)]
    reached = ["connected", "future_opportunity"]
    ways = {"new": [tries[0], *reached, "recycled"]}
    for number, each in enumerate(tries, 1):
        ways[each] = [*tries[number : number + 1], *reached, "recycled"]
    return ways | {
        "connected": [tries[0], "quoted", "future_opportunity"],
        "quoted": ["connected", "future_opportunity"],
        "future_opportunity": [tries[0], "connected"],
        "recycled": [tries[0], "connected"],
    }


def rulebook(attempts: int, version: int) -> Rulebook[str]:
    """The moves, with what must be so for some of them."""
    early = ["new", *(f"attempt_{number}" for number in range(1, attempts))]
    return Rulebook.explicit(
        "outreach",
        moves(attempts),
        creation=["new"],
        version=version,
        rules=[
            Rule(
                "all attempts first", NEVER, early, ["recycled"],
                message=f"only after {attempts} attempts",
            ),
            Rule(
                "a date to revisit", present("revisit_on"), None, ["future_opportunity"],
                message="say on which date to come back",
            ),
        ],
    )  # fmt: skip


def scheme(attempts: int, *, version: int, former: Mapping[str, str]) -> StatusScheme:
    """The team's statuses, for sales-qualified leads and those with a deal."""
    return StatusScheme(
        "outreach",
        [Status(**row) for row in rows(attempts)],
        active_in=[LifecycleStage.SQL, LifecycleStage.OPPORTUNITY],
        former=former,
        rulebook=rulebook(attempts, version),
    )


FIVE = scheme(5, version=1, former={})
THREE = scheme(3, version=2, former={"attempt_4": "attempt_3", "attempt_5": "attempt_3"})


# What a rep sees


def button(option: Decision[str], using: StatusScheme) -> str | None:
    """One button of the screen: to press, to press and fill in, or grey; None for no button."""
    label = using.status(option.target).label
    codes = {denial.code for denial in option.denials}
    if option.result is Result.NO_SUCH_MOVE or Code.ALREADY_THERE in codes:
        return None
    why = "; ".join(denial.message for denial in option.denials)
    if option:
        return f"  [{label}]"
    if codes == {Code.MISSING_FIELD}:
        asked = ", ".join(denial.field.removeprefix("context.") for denial in option.denials)
        return f"  [{label} ...]  asks for {asked}: {why}"
    return f"  ({label})  {why}"


def screen(contact: Contact, using: StatusScheme, *, at: datetime) -> None:
    """A lead's statuses as a rep sees them."""
    status = using.status(contact.lead_status or using.initial.key)
    team = handled_by(contact.lifecycle_stage, contact.lead_status, scheme=using)
    until = f", until {contact.revisit_on}" if contact.revisit_on else ""
    print(f"\n{contact.name}: {status.label}{until} ({team}: {status.next_step})")
    options = contact.status_options(at=at, by="ada", scheme=using)
    for shown in filter(None, (button(option, using) for option in options)):
        print(shown)


def lead(record: str, name: str, *statuses: str) -> Contact:
    """A sales-qualified lead that got some statuses, one a day."""
    contact, _ = Contact.create(
        record, at=TODAY, by="form", stage="sales_qualified_lead", name=name, scheme=FIVE
    )
    for days, status in enumerate(statuses, 1):
        at = TODAY + timedelta(days=days)
        contact, _ = contact.set_lead_status(status, at=at, by="ada", scheme=FIVE)
    return contact


def park(contact: Contact, on: date | None, *, at: datetime) -> Contact:
    """Put a lead aside until a date, which is kept on the event."""
    contact, _ = contact.set_lead_status(
        "future_opportunity", at=at, by="ada", revisit_on=on, scheme=FIVE
    )
    return contact


# The story


def heading(text: str) -> None:
    """A line that begins a part of the story."""
    print(f"\n{text}\n{'-' * len(text)}")


def check(using: StatusScheme) -> None:
    """What is odd about a scheme."""
    book = using.rulebook
    print(f"scheme {using.name!r}, version {book.version}: {len(using.keys)} statuses")
    for finding in using.lint():
        print(f"  {finding.code}: {finding.message}")
    if not using.lint():
        print("  nothing is odd")


def page(using: StatusScheme, *keys: str) -> None:
    """Some sections of the page that the team agrees on."""
    for section in using.playbook().split("\n## "):
        if any(f"(`{key}`)" in section for key in keys):
            print(f"## {section.rstrip()}\n...")


def due(contacts: Iterable[Contact], using: StatusScheme, on: date) -> list[Contact]:
    """The parked leads whose date has come."""
    return [
        contact
        for contact in contacts
        if contact.lead_status is not None
        and using.status(contact.lead_status).parked
        and contact.revisit_on is not None
        and contact.revisit_on <= on
    ]


def show_parking(zoe: Contact, *, at: datetime) -> None:
    """A lead that asks for later: on no date, on one, and when that has come."""
    heading("Parked, with a date to revisit")
    try:
        park(zoe, None, at=at)
    except DeniedError as denied:
        print(fill(f"without a date: {denied}", 96, subsequent_indent="    "))
    zoe = park(zoe, date(2026, 6, 1), at=at)
    screen(zoe, FIVE, at=at)
    print()
    for on in (date(2026, 5, 31), date(2026, 6, 1)):
        names = ", ".join(str(contact.name) for contact in due([zoe], FIVE, on))
        print(f"to call on {on}: {names or 'nobody'}")


def show_edit(tom: Contact, *, at: datetime) -> None:
    """The scheme is edited while a lead holds a status that is retired."""
    heading("Edited: three attempts are enough")
    check(THREE)
    print("\nbefore the edit:")
    screen(tom, FIVE, at=at)
    print(f"\nafter it, {tom.lead_status!r} is retired and reads as its successor:")
    screen(tom, THREE, at=at)
    tom, event = tom.set_lead_status("recycled", at=at, by="ada", scheme=THREE)
    version = event.ruling and event.ruling.version
    print(
        f"\non the event: {event.status_left} -> {event.status}, by version {version} of the rules"
    )


def main() -> None:
    """Five attempts, a parked lead, and an edit."""
    print("Lead statuses of a team's own")
    heading("The scheme")
    check(FIVE)

    heading("What a rep sees: [may be pressed]  [asks for something ...]  (grey)")
    week = TODAY + timedelta(days=7)
    attempts = [f"attempt_{number}" for number in range(1, 6)]
    for contact in (lead("c-1", "Ben", *attempts[:2]), lead("c-2", "Mia", *attempts)):
        screen(contact, FIVE, at=week)

    show_parking(lead("c-3", "Zoe", "connected"), at=week)
    show_edit(lead("c-4", "Tom", *attempts[:4]), at=week)

    heading("The page that the team agrees on, in part")
    page(THREE, "attempt_3", "recycled")


if __name__ == "__main__":
    main()
