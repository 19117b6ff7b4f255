"""Deals and contacts kept in SQLite: every event for ever, and where each record stands now.

Nobody's change is lost. A save succeeds only if the record is still as the command found it;
else it writes nothing, and one reads the record again and decides anew.

python examples/sqlite_store.py      tells of two people who change one deal at the same time
"""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from textwrap import fill
from threading import Event as Signal
from typing import Any, TypeAlias, get_args

from attrs import fields, frozen

from salespipeline import (
    SIX_STAGES,
    Attributes,
    Contact,
    ContactHistory,
    Deal,
    DealHistory,
    DeniedError,
    ForecastCategory,
    LeadStatus,
    LifecycleStage,
    Money,
    NextStep,
    Outcome,
    Override,
    ProbabilityBasis,
    SaleType,
    Start,
    Term,
)
from salespipeline.conditions import NEVER
from salespipeline.events import ContactEvent, DealEvent, Direction, Event, Origin, Probability
from salespipeline.rules import Code, Denial, Rule, Ruling

# A form that lasts: JSON that says of each value what it is


@frozen
class Form:
    """How values of one type are written and read back."""

    type: type
    write: Callable[[Any], object]
    read: Callable[[Any], object]


def to_plain(value: object) -> Any:
    """A value as JSON holds it: as it is, or in a dict of one entry under the name of its type.

    >>> to_plain((Money("12.50", "EUR"), None))
    [{'Money': ['12.50', 'EUR']}, None]
    """
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    form = FORMS.get(type(value).__name__)
    if form is not None and form.type is type(value):
        return {form.type.__name__: form.write(value)}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"there is no form for a {type(value).__name__}: {value!r}")


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` wrote.

    >>> from_plain([{"Money": ["12.50", "EUR"]}, None])
    (Money('12.50', 'EUR'), None)
    """
    if isinstance(plain, list):
        return tuple(from_plain(each) for each in plain)
    if not isinstance(plain, dict):
        return plain
    [(name, held)] = plain.items()
    return FORMS[name].read(held)


def _of_fields(made: Callable[..., object]) -> Callable[[Any], object]:
    """What reads a mapping of names to values, and makes something of it."""
    return lambda held: made(**{name: from_plain(each) for name, each in held.items()})


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a value, without those that are None and need not be given."""
    facts = {each.name: (getattr(value, each.name), each) for each in fields(type(value))}
    return {
        name: to_plain(fact)
        for name, (fact, each) in facts.items()
        if fact is not None or each.default is not None
    }


ENUMS: tuple[type[StrEnum], ...] = (
    Code, Direction, ForecastCategory, LeadStatus, LifecycleStage, Outcome, ProbabilityBasis,
    SaleType, Start,
)  # fmt: skip
CLASSES = (
    *get_args(DealEvent), *get_args(ContactEvent), Deal, Contact,
    Denial, NextStep, Origin, Override, Probability, Ruling, Term,
)  # fmt: skip
FORMS = {
    form.type.__name__: form
    for form in (
        Form(datetime, datetime.isoformat, datetime.fromisoformat),
        Form(date, date.isoformat, date.fromisoformat),
        Form(Decimal, str, Decimal),
        Form(Money, lambda money: [str(money.amount), money.currency], lambda held: Money(*held)),
        Form(frozenset, sorted, frozenset),
        Form(
            Attributes,
            lambda attributes: {name: to_plain(each) for name, each in attributes.items()},
            _of_fields(lambda **values: Attributes(values)),
        ),
        *(Form(enum, lambda member: member.value, enum) for enum in ENUMS),
        *(Form(class_, _fields, _of_fields(class_)) for class_ in CLASSES),
    )
}
"""Every form by the name under which it is written: a name stays for ever."""


# The store

Snapshot: TypeAlias = Deal | Contact

TABLES = """
CREATE TABLE IF NOT EXISTS events (
    kind TEXT, record TEXT, sequence INTEGER, at TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, record, sequence)
);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT raise(ABORT, 'an event is never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_are_kept BEFORE DELETE ON events
    BEGIN SELECT raise(ABORT, 'an event is never deleted'); END;
CREATE TABLE IF NOT EXISTS snapshots (
    kind TEXT, record TEXT, version INTEGER NOT NULL, body TEXT,
    PRIMARY KEY (kind, record)
);
"""
"""The kind is part of each key, as a deal and a contact may have the same id.

The events are the truth; a snapshot can be made again from them at any time.
"""


@frozen
class ConflictError(Exception):
    """Somebody else changed the record since the command read it; nothing was written.

    Attributes:
        record: The record, such as ``deal 'd-7'``.
        expected: The version that the command started from; 0 for a new record.
        found: The version in the store; None where there is no such record.
    """

    record: str
    expected: int
    found: int | None

    def __str__(self) -> str:
        """What was expected, what was found, and what would do."""
        found = "not there" if self.found is None else f"at version {self.found} by now"
        begun = f"from version {self.expected}" if self.expected else "as if it were new"
        return f"{self.record} is {found}, and the command started {begun}; read it again"


class Store:
    """Records in a database file; each thread opens a store of its own."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)  # transactions as written
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def deal(self, record: str) -> Deal | None:
        """Where a deal stands; None where there is none, or it was deleted."""
        deal: Deal | None = self._snapshot(Deal.kind, record)
        return deal

    def contact(self, record: str) -> Contact | None:
        """Where a contact stands; None where there is none, or it was deleted."""
        contact: Contact | None = self._snapshot(Contact.kind, record)
        return contact

    def deal_history(self, record: str) -> DealHistory:
        """All that happened to a deal."""
        return DealHistory(self._events(Deal.kind, record))

    def contact_history(self, record: str) -> ContactHistory:
        """All that happened to a contact."""
        return ContactHistory(self._events(Contact.kind, record))

    def save(self, before: Snapshot | None, after: Snapshot | None, *events: Event) -> None:
        """Keep what commands made of a record: all of it, or nothing.

        Args:
            before: The record as the first command found it; None for a new one.
            after: The record after the events; None where it is deleted.
            events: All that happened between the two, in order.

        Raises:
            ConflictError: The record in the store is not at the version of ``before``.
            ValueError: The events do not lead from one version to the other.
        """
        version = 0 if before is None else before.version
        told = before or after
        if told is None or [each.sequence for each in events] != [
            version + number for number in range(1, len(events) + 1)
        ]:
            raise ValueError(f"these events do not follow version {version}: {events}")
        body = None if after is None else json.dumps(to_plain(after))
        rows = [
            (told.kind, each.record, each.sequence, each.at.isoformat(), json.dumps(to_plain(each)))
            for each in events
        ]
        with self._transaction():
            self._compare_and_set(told.kind, told.id, version, version + len(events), body)
            self._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)

    def _compare_and_set(
        self, kind: str, record: str, expected: int, version: int, body: str | None
    ) -> None:
        """Put a snapshot in place of the one of the version expected, and of no other."""
        if expected == 0:
            done = self._database.execute(
                "INSERT INTO snapshots VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (kind, record, version, body),
            )
        else:
            done = self._database.execute(
                "UPDATE snapshots SET version = ?, body = ? "
                "WHERE kind = ? AND record = ? AND version = ?",
                (version, body, kind, record, expected),
            )
        if done.rowcount != 1:
            found = self._row("version", kind, record)
            raise ConflictError(f"{kind} {record!r}", expected, found)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What is written inside stays together, or not at all."""
        self._database.execute("BEGIN IMMEDIATE")  # from here on nobody else writes
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _snapshot(self, kind: str, record: str) -> Any:
        body = self._row("body", kind, record)
        return None if body is None else from_plain(json.loads(body))

    def _row(self, column: str, kind: str, record: str) -> Any:
        """One column of a snapshot; None where there is none."""
        asked = "SELECT version, body FROM snapshots WHERE kind = ? AND record = ?"
        row = self._database.execute(asked, (kind, record)).fetchone()
        return row and dict(zip(("version", "body"), row, strict=True))[column]

    def _events(self, kind: str, record: str) -> list[Any]:
        asked = "SELECT body FROM events WHERE kind = ? AND record = ? ORDER BY sequence"
        rows = self._database.execute(asked, (kind, record))
        return [from_plain(json.loads(body)) for (body,) in rows]


def change_deal(
    store: Store,
    record: str,
    command: Callable[[Deal], tuple[Deal, Event]],
    *,
    tries: int = 3,
    told: Callable[[ConflictError], object] = repr,
) -> Deal:
    """Read a deal, let a command decide, save what it gave; after a conflict all of that again.

    Args:
        store: Where the deal is.
        record: Its id.
        command: What to do with the deal as it stands when it is read.
        tries: How often to try at most.
        told: What else to do at a conflict, such as logging it.

    Raises:
        LookupError: There is no such deal.
        DeniedError: The deal as it stands now may not do that.
        ConflictError: Somebody else was faster each time.
    """
    while True:
        tries -= 1
        deal = store.deal(record)
        if deal is None:
            raise LookupError(f"there is no deal {record!r}")
        after, event = command(deal)
        try:
            store.save(deal, after, event)
        except ConflictError as conflict:
            told(conflict)
            if tries <= 0:
                raise
        else:
            return after


# The story

PIPELINE = SIX_STAGES.ruled(
    reason_to_lose=True,
    rules=[
        Rule(
            "lost is lost", NEVER, sources=["lost"],
            message="a lost deal stays lost: open another if the buyer comes back",
        ),
    ],
)  # fmt: skip
DEAL = "d-7"


def march(day: int, hour: int = 9) -> datetime:
    """An hour of a day of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def heading(text: str) -> None:
    """A line that begins a part of the story."""
    print(f"\n{text}\n{'-' * len(text)}")


def say(words: str) -> None:
    """Words in lines that fit a page."""
    print(fill(words, 96, subsequent_indent="    "))


def begin(store: Store) -> None:
    """A deal that comes as far as a meeting."""
    heading("A deal is opened, and moved")
    price = Money(12_000, "EUR")
    deal, opened = Deal.open(DEAL, at=march(10), by="ada", pipeline=PIPELINE, amount=price)
    store.save(None, deal, opened)
    print(f"ada saves version {deal.version}: the deal is in {deal.stage!r}")
    for at, stage in ((march(12), "qualification"), (march(16), "meeting")):
        after, event = deal.move(stage, at=at, by="ada", pipeline=PIPELINE)
        store.save(deal, after, event)
        deal = after
        print(f"ada saves version {deal.version}: the deal is in {deal.stage!r}")


class Turns:
    """Who has come how far: only so that the story goes the same way each time it is told."""

    def __init__(self) -> None:
        self.ada_read, self.bob_read, self.ada_saved = Signal(), Signal(), Signal()


def ada(file: Path, turns: Turns) -> None:
    """Ada hears that the buyer has no budget, and loses the deal."""

    def lose(deal: Deal) -> tuple[Deal, Event]:
        print(f"ada reads version {deal.version}: the deal is in {deal.stage!r}")
        turns.ada_read.set()
        turns.bob_read.wait(timeout=5)
        return deal.lose(at=march(19, 12), by="ada", pipeline=PIPELINE, reason="budget was cut")

    with closing(Store(file)) as store:
        deal = change_deal(store, DEAL, lose)
        print(f"ada saves version {deal.version}: {deal.outcome}, because {deal.reason}")
        turns.ada_saved.set()


def bob(file: Path, turns: Turns) -> None:
    """Bob knows nothing of it, and is about to send a proposal."""

    def propose(deal: Deal) -> tuple[Deal, Event]:
        print(f"bob reads version {deal.version}: the deal is in {deal.stage!r}")
        turns.bob_read.set()
        made = deal.move("proposal", at=march(19, 14), by="bob", pipeline=PIPELINE)
        turns.ada_saved.wait(timeout=5)
        return made

    def come_back(deal: Deal) -> tuple[Deal, Event]:
        due = date(2026, 10, 1)
        return deal.plan_next_step("ask about next year", at=march(19, 15), by="bob", due=due)

    turns.ada_read.wait(timeout=5)
    with closing(Store(file)) as store:
        try:
            change_deal(store, DEAL, propose, told=lambda why: say(f"bob cannot save: {why}"))
        except DeniedError as denied:
            say(f"bob decides anew: {denied}")
        deal = change_deal(store, DEAL, come_back)
        print(
            f"bob saves version {deal.version}: next step, {deal.next_step and deal.next_step.what}"
        )


def race(file: Path) -> None:
    """Two people, each with a connection and a thread of their own."""
    heading("Two people change it at the same time")
    turns = Turns()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(person, file, turns) for person in (ada, bob)]:
            done.result()


def read_back(store: Store) -> None:
    """What is in the tables, and that the events tell the same as the snapshot."""
    heading("What was kept")
    history = store.deal_history(DEAL)
    for event in history.events:
        stage = getattr(event, "stage", "")
        line = (
            f"{event.sequence}  {event.at:%Y-%m-%d %H:%M}  {event.by}  {_name(event):<15}  {stage}"
        )
        print(line.rstrip())
    print(f"the last one as text: {json.dumps(to_plain(history.events[-1]), indent=2)}")
    heading("Read back")
    same = history.latest == store.deal(DEAL)
    print(f"the {len(history.events)} events, replayed, give the stored snapshot: {same}")
    for at in (march(15), march(20)):
        deal = history.as_of(at)
        if deal is not None:
            print(f"on {at.date()} it stood in {deal.stage!r}, {deal.outcome}, {deal.amount}")


def _name(event: Event) -> str:
    return type(event).__name__


def main() -> None:
    """Tell the story in a database that is gone after it."""
    print("A deal in a database, and two people who work on it")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sales.db"
        with closing(Store(file)) as store:
            begin(store)
            race(file)
            read_back(store)


if __name__ == "__main__":
    main()
