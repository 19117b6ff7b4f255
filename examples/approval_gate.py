"""A deal desk: a proposal above a limit needs its approval before negotiation begins.

Shows what a rep sees on the screen and why, what an approval changes and for how long, how a
director overrides the gate, and the list of all overrides that a controller reads later.

python examples/approval_gate.py
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from textwrap import fill

from salespipeline import SEVEN_STAGES, Deal, DealHistory, Decision, DeniedError, Money, Pipeline
from salespipeline.conditions import any_of, approved_by, at_most, present
from salespipeline.events import Event, StageEntered
from salespipeline.rules import Grant, Override, Rule

LIMIT = Money(50_000, "EUR")
NEGOTIATION = "negotiation_and_commitment"

GATED: Pipeline = SEVEN_STAGES.ruled(
    skips=False,
    backward=False,
    reopening=False,
    creation=["prospecting", "lead_qualification", "initial_contact"],
    rules=[
        Rule(
            "price", present("amount"), targets=[NEGOTIATION],
            meaning="nobody negotiates about a price that was never named",
        ),
        Rule(
            "deal desk", any_of(at_most("amount", LIMIT), approved_by("deal desk")),
            targets=[NEGOTIATION],
            meaning="terms of large deals are looked at before they are promised",
            message=f"above {LIMIT} the deal desk must approve",
        ),
    ],
    grants=[Grant("director", {"deal desk"})],
)  # fmt: skip
"""The seven stages with a gate before negotiation that a director may open, and no way round it."""

MAY_APPROVE = {"deal desk": {"dora", "dmitri"}}
"""Who acts for a role: the library records an approval, and this program says who may give one."""


def at(day: int, hour: int = 9) -> datetime:
    """An instant in March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def heading(text: str) -> None:
    """A line that begins a part of the transcript."""
    print(f"\n{text}\n{'-' * len(text)}")


def show_screen(deal: Deal, day: int, by: str) -> None:
    """What a rep sees: where the deal is, and the buttons to the stages further on."""
    print(f"{deal.title}, {deal.amount or 'no amount'}, in {GATED.stage(deal.stage).name!r}")
    for option in deal.options(pipeline=GATED, at=at(day), by=by, role="rep"):
        if GATED.keys.index(deal.stage) < _place(option.target):
            print(f"  {button(option)}")


def _place(stage: str) -> int:
    """The place of a stage in the pipeline; that of losing comes last."""
    return GATED.keys.index(stage) if stage in GATED.keys else len(GATED.keys)


def button(option: Decision[str]) -> str:
    """A button, or a grey one with all that stands against it."""
    name = GATED.stage(option.target).name
    if option:
        return f"[{name}]"
    why = "; ".join(dict.fromkeys(denial.message for denial in option.denials))
    return f"({name})  {why}"


def approve(deal: Deal, role: str, *, day: int, by: str) -> tuple[Deal, Event]:
    """Give the approval of a role, if one acts for it."""
    if by not in MAY_APPROVE[role]:
        raise PermissionError(f"{by} does not act for the {role}")
    return deal.approve(role, at=at(day), by=by, role=role)


def change_amount(deal: Deal, amount: Money, *, day: int, by: str) -> tuple[Deal, list[Event]]:
    """Change the amount, and with it withdraw what was approved for another one."""
    deal, changed = deal.change_amount(amount, at=at(day), by=by, role="rep")
    events: list[Event] = [changed]
    for approval in sorted(deal.approvals):
        deal, withdrawn = deal.withdraw_approval(approval, at=at(day), by=by, role="rep")
        events.append(withdrawn)
    return deal, events


def told(event: Event) -> str:
    """An event in a line: what happened, when, and by whom in which role."""
    role = "" if event.role is None else f" as {event.role}"
    return f"{event.at:%d %b}: {type(event).__name__} by {event.by}{role}"


def overrides(histories: Iterable[DealHistory]) -> list[str]:
    """All moves that were made although rules denied them: by whom, why, and against what."""
    return [
        f"{event.at:%d %b} {event.record} to {event.stage}, moved by {event.by}: overridden by "
        f"{ruling.override.by} as {ruling.override.role}\n"
        f"    because {ruling.override.why!r}\n"
        f"    against {', '.join(f'{each.rule} ({each.code})' for each in ruling.overridden)}"
        for history in histories
        for event in history.events
        if isinstance(event, StageEntered)
        and (ruling := event.ruling) is not None
        and ruling.override is not None
    ]


def opened(deal: str, title: str, amount: Money, day: int) -> tuple[Deal, list[Event]]:
    """A deal whose proposal is out."""
    begun, first = Deal.open(
        deal, at=at(day), by="rita", role="rep", pipeline=GATED, stage="initial_contact",
        title=title, amount=amount,
    )  # fmt: skip
    moved, second = begun.move("proposal", at=at(day, 15), by="rita", role="rep", pipeline=GATED)
    return moved, [first, second]


def through_the_gate() -> DealHistory:
    """A large deal that the deal desk approves, whose price changes, and that it approves again."""
    deal, events = opened("d-1", "Acme, 400 seats", Money(80_000, "EUR"), 2)
    heading("Before the approval")
    show_screen(deal, 3, "rita")
    print("rita presses the grey button all the same:")
    try:
        deal.move(NEGOTIATION, at=at(3), by="rita", role="rep", pipeline=GATED)
    except DeniedError as denied:
        print(fill(f"{denied}", 96, initial_indent="  ", subsequent_indent="  "))
    try:
        approve(deal, "deal desk", day=3, by="rita")
    except PermissionError as refused:
        print(f"  {refused}")

    heading("After the approval")
    deal, approved = approve(deal, "deal desk", day=4, by="dora")
    events.append(approved)
    print(told(approved))
    show_screen(deal, 4, "rita")

    heading("The price changes, and with it goes the approval")
    deal, changes = change_amount(deal, Money(95_000, "EUR"), day=5, by="rita")
    events += changes
    print(*map(told, changes), sep="\n")
    show_screen(deal, 5, "rita")

    heading("Approved again, the deal moves on")
    deal, approved = approve(deal, "deal desk", day=6, by="dmitri")
    deal, moved = deal.move(NEGOTIATION, at=at(6, 10), by="rita", role="rep", pipeline=GATED)
    events += [approved, moved]
    print(told(approved), told(moved), sep="\n")
    print(f"approvals in force after leaving the stage: {len(deal.approvals)}")
    return DealHistory(events)


def past_the_gate() -> DealHistory:
    """A large deal whose gate a director opens, the reason recorded."""
    deal, events = opened("d-2", "Globex, renewal", Money(120_000, "EUR"), 9)
    heading("An override")
    for by, role, why in (
        ("rita", "rep", "the quarter ends today"),
        ("dirk", "director", "same terms as last year, which the desk approved"),
    ):
        print(f"{by}, {role}: {why!r}")
        try:
            deal, moved = deal.move(
                NEGOTIATION, at=at(10), by="rita", role="rep", pipeline=GATED,
                override=Override(by, role, why),
            )  # fmt: skip
        except DeniedError as denied:
            print(f"  refused: {denied.decision.denials[-1].message}")
        else:
            events.append(moved)
            print(f"  {told(moved)}")
    return DealHistory(events)


def main() -> None:
    """Let two large deals go through the gate, and list what was overridden."""
    small, _ = opened("d-0", "Initech, 20 seats", Money(4_000, "EUR"), 2)
    heading("A small deal needs nobody")
    show_screen(small, 3, "rita")
    histories = [through_the_gate(), past_the_gate()]
    heading("What a controller reads at the end of the month")
    print(*overrides(histories), sep="\n")
    print(f"by version {GATED.rulebook.version} of the rules, {GATED.rulebook.fingerprint[:12]}…")


if __name__ == "__main__":
    main()
