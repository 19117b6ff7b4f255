"""Contacts and deals as JSON, there and back, against functions written by hand for just these.

The floor is what one would write for the same documents over the same parser, `json`: it checks
the exact type of every member, refuses names that it does not know, looks enums up, parses exact
numbers and instants, and builds the same objects by their constructors. Unlike ours it takes a
name that stands twice for its last value, and says nothing of where a fault is.

pydantic and msgspec read the same text into classes of their own, strictly, for the record; both
have parsers of their own in compiled code. They are left out where they are not installed.

Then a stream of JSON Lines is read at two lengths: what it takes beside the values must not grow.
"""

import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from _table import once, options, race, row, show

from salespipeline import Attributes, Contact, Deal, DealHistory, Money, Outcome, interchange
from salespipeline.events import (
    AmountChanged,
    ForecastCategory,
    Lost,
    Moved,
    NextStep,
    Opened,
    OwnerChanged,
    Probability,
    ProbabilityBasis,
    SaleType,
    Term,
    Won,
)
from salespipeline.lifecycle import LifecycleStage

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
STAGES = tuple(LifecycleStage)
LIMIT = 1.5


# What is written and read


def _at(rng: random.Random) -> datetime:
    return FIRST + timedelta(seconds=rng.randrange(40_000_000))


def contact(rng: random.Random, number: int) -> Contact:
    """A contact as a CRM holds it, about two thirds of its fields known."""
    reached, changed = _at(rng), _at(rng)
    is_sql = rng.random() < 0.3
    step = NextStep("call", date(2026, 3, 1 + number % 28)) if rng.random() < 0.3 else None
    return Contact(
        id=f"c-{number:06d}",
        version=rng.randrange(1, 30),
        lifecycle_stage=LifecycleStage.SQL if is_sql else rng.choice(STAGES),
        stage_since=reached,
        changed_at=changed,
        lead_status="connected" if is_sql else None,
        status_since=reached if is_sql else None,
        revisit_on=None,
        created_at=_at(rng),
        name=f"Person {number}",
        email=f"person{number}@example.org",
        company="Exámple" if number % 9 == 0 else f"Company {number % 700}",
        account=f"a-{number % 700}",
        owner=f"rep-{rng.randrange(40)}",
        source=rng.choice(["fair", "web", "referral"]),
        next_step=step,
        opted_out=rng.random() < 0.05,
        approvals=frozenset(),
        verdict=None,
        attributes=Attributes({"industry": "insurance", "seats": rng.randrange(500)}),
    )


def deal(rng: random.Random, number: int) -> Deal:
    """A deal as a CRM holds it."""
    closed = rng.random() < 0.6
    at = _at(rng)
    term = None
    if rng.random() < 0.2:
        term = Term(date(2026, 1, 1), date(2027, 1, 1), Money.of_minor(rng.randrange(10**6), "EUR"))
    sticky = Probability(Decimal("0.35"), ProbabilityBasis.STICKY) if rng.random() < 0.2 else None
    return Deal(
        id=f"d-{number:06d}",
        version=rng.randrange(1, 30),
        pipeline="six_stages",
        stage="closing" if closed else "proposal",
        stage_since=at,
        changed_at=at,
        opened_at=_at(rng),
        outcome=Outcome.WON if closed else Outcome.OPEN,
        closed_at=at if closed else None,
        closed_from="proposal" if closed else None,
        reason="price" if closed else None,
        title=f"Deal {number}",
        amount=Money.of_minor(rng.randrange(10**7), "EUR"),
        account=f"a-{number % 700}",
        contacts=(f"c-{number:06d}",),
        owner=f"rep-{rng.randrange(40)}",
        source="web",
        sale_type=rng.choice(tuple(SaleType)),
        expected_close=date(2026, 1 + number % 12, 1 + number % 28),
        forecast_category=ForecastCategory.COMMIT if rng.random() < 0.3 else None,
        probability=sticky,
        term=term,
        renews=None,
        next_step=None,
        approvals=frozenset({"legal"}) if rng.random() < 0.2 else frozenset(),
        verdict=None,
        attributes=Attributes({"region": "north"}),
    )


def history(rng: random.Random, number: int) -> DealHistory:
    """Some six events of a deal."""
    at, record = FIRST + timedelta(seconds=rng.randrange(30_000_000)), f"d-{number:06d}"
    amount = Money.of_minor(rng.randrange(10**7), "EUR")
    happened: list[tuple[Any, dict[str, Any]]] = [
        (Opened, {"pipeline": "six", "stage": "contact", "amount": amount, "owner": "rep-1"})
    ]
    for stage, left in (("meeting", "contact"), ("proposal", "meeting")):
        happened.append((Moved, {"pipeline": "six", "stage": stage, "stage_left": left}))
        happened.append((OwnerChanged, {"owner": f"rep-{rng.randrange(40)}"}))
    happened.append((AmountChanged, {"amount": Money.of_minor(rng.randrange(10**7), "EUR")}))
    end = rng.choice([Won, Lost])
    happened.append((end, {"pipeline": "six", "stage": end.__name__.lower(), "reason": "price"}))
    return DealHistory(
        [
            kind(
                record=record,
                sequence=n,
                at=at + n * timedelta(days=3, seconds=n),
                by="ada",
                **more,
            )
            for n, (kind, more) in enumerate(happened, 1)
        ]
    )


# The floor


def _refuse(data: object) -> Any:
    raise ValueError(data)


def _text(data: Any) -> str:
    return data if type(data) is str else _refuse(data)


def _count(data: Any) -> int:
    return data if type(data) is int and data > 0 else _refuse(data)


def _flag(data: Any) -> bool:
    return data if type(data) is bool else _refuse(data)


def _instant(data: Any) -> datetime:
    if type(data) is not str or data[-1:] != "Z" or data[10:11] != "T":
        _refuse(data)
    return datetime.fromisoformat(data)


def _day(data: Any) -> date:
    if type(data) is not str or len(data) != 10:
        _refuse(data)
    return date.fromisoformat(data)


def _money(data: Any) -> Money:
    if type(data) is not dict or len(data) != 2:
        _refuse(data)
    return Money(Decimal(_text(data["amount"])), _text(data["currency"]))


def _texts(data: Any) -> list[str]:
    return [_text(each) for each in data] if type(data) is list else _refuse(data)


def _attributes(data: Any) -> Attributes:
    for each in data.values():
        if type(each) not in (str, int, bool):
            _refuse(each)
    return Attributes(data)


STAGE = {each.value: each for each in LifecycleStage}
OUTCOME = {each.value: each for each in Outcome}
SALE = {each.value: each for each in SaleType}
CATEGORY = {each.value: each for each in ForecastCategory}
BASIS = {each.value: each for each in ProbabilityBasis}
OF_CONTACT = frozenset(Contact.names()) | {"format", "format_version"}
OF_DEAL = frozenset(Deal.names()) | {"format", "format_version"}


def _maybe(data: dict[str, Any], name: str, check: Callable[[Any], Any]) -> Any:
    value = data.get(name)
    return None if value is None else check(value)


def _step(data: Any) -> NextStep:
    if type(data) is not dict or not data.keys() <= {"what", "due"}:
        _refuse(data)
    return NextStep(_text(data["what"]), _maybe(data, "due", _day))


def _probability(data: Any) -> Probability:
    if type(data) is not dict or data.keys() != {"value", "basis"}:
        _refuse(data)
    value = Decimal(_text(data["value"]))
    return Probability(value, BASIS[data["basis"]]) if 0 <= value <= 1 else _refuse(data)


def _term(data: Any) -> Term:
    if type(data) is not dict or data.keys() != {"start", "end", "recurring"}:
        _refuse(data)
    return Term(_day(data["start"]), _day(data["end"]), _money(data["recurring"]))


def _head(data: Any, kind: str, known: frozenset[str]) -> None:
    if type(data) is not dict or not data.keys() <= known:
        _refuse(data)
    if data["format"] != kind or data["format_version"] != 1:
        _refuse(data)


def hand_contact(text: str) -> Contact:
    """A contact from its document, by hand."""
    data = json.loads(text)
    _head(data, "salespipeline.contact", OF_CONTACT)
    return Contact(
        id=_text(data["id"]),
        version=_count(data["version"]),
        lifecycle_stage=_maybe(data, "lifecycle_stage", STAGE.__getitem__),
        stage_since=_maybe(data, "stage_since", _instant),
        changed_at=_instant(data["changed_at"]),
        lead_status=_maybe(data, "lead_status", _text),
        status_since=_maybe(data, "status_since", _instant),
        revisit_on=_maybe(data, "revisit_on", _day),
        created_at=_instant(data["created_at"]),
        name=_maybe(data, "name", _text),
        email=_maybe(data, "email", _text),
        company=_maybe(data, "company", _text),
        account=_maybe(data, "account", _text),
        owner=_maybe(data, "owner", _text),
        source=_maybe(data, "source", _text),
        next_step=_maybe(data, "next_step", _step),
        opted_out=_flag(data.get("opted_out", False)),
        approvals=frozenset(_texts(data.get("approvals", []))),
        verdict=_maybe(data, "verdict", _text),
        attributes=_attributes(data.get("attributes", {})),
    )


def hand_deal(text: str) -> Deal:
    """A deal from its document, by hand."""
    data = json.loads(text)
    _head(data, "salespipeline.deal", OF_DEAL)
    return Deal(
        id=_text(data["id"]),
        version=_count(data["version"]),
        pipeline=_text(data["pipeline"]),
        stage=_text(data["stage"]),
        stage_since=_instant(data["stage_since"]),
        changed_at=_instant(data["changed_at"]),
        opened_at=_instant(data["opened_at"]),
        outcome=OUTCOME[data["outcome"]],
        closed_at=_maybe(data, "closed_at", _instant),
        closed_from=_maybe(data, "closed_from", _text),
        reason=_maybe(data, "reason", _text),
        title=_maybe(data, "title", _text),
        amount=_maybe(data, "amount", _money),
        account=_maybe(data, "account", _text),
        contacts=tuple(_texts(data.get("contacts", []))),
        owner=_maybe(data, "owner", _text),
        source=_maybe(data, "source", _text),
        sale_type=_maybe(data, "sale_type", SALE.__getitem__),
        expected_close=_maybe(data, "expected_close", _day),
        forecast_category=_maybe(data, "forecast_category", CATEGORY.__getitem__),
        probability=_maybe(data, "probability", _probability),
        term=_maybe(data, "term", _term),
        renews=_maybe(data, "renews", _text),
        next_step=_maybe(data, "next_step", _step),
        approvals=frozenset(_texts(data.get("approvals", []))),
        verdict=_maybe(data, "verdict", _text),
        attributes=_attributes(data.get("attributes", {})),
    )


HAND = {Contact: hand_contact, Deal: hand_deal}


def _day_text(day: date) -> str:
    return day.isoformat()


def _instant_text(at: datetime) -> str:
    return f"{at.isoformat()[:-6]}Z"


def _money_data(money: Money) -> dict[str, str]:
    return {"amount": str(money.amount), "currency": money.currency}


def _step_data(step: NextStep) -> dict[str, str]:
    return {"what": step.what} if step.due is None else {"due": str(step.due), "what": step.what}


def _chance_data(chance: Probability) -> dict[str, str]:
    return {"basis": chance.basis.value, "value": str(chance.value)}


def _term_data(term: Term) -> dict[str, object]:
    money = _money_data(term.recurring)
    return {"end": str(term.end), "recurring": money, "start": str(term.start)}


def _put(data: dict[str, Any], value: Any, *names: str) -> None:
    """The text and whole numbers of a record that are there."""
    for name in names:
        each = getattr(value, name)
        if each is not None:
            data[name] = each


OF_BOTH = ("id", "version", "account", "owner", "source", "verdict")
OF_CONTACTS = (*OF_BOTH, "lead_status", "name", "email", "company")
OF_DEALS = (*OF_BOTH, "pipeline", "stage", "closed_from", "reason", "title", "renews")


def hand_dump_contact(value: Contact) -> str:
    """A contact as its document, by hand: what is not there is left out."""
    data: dict[str, Any] = {"format": "salespipeline.contact", "format_version": 1}
    _put(data, value, *OF_CONTACTS)
    data["changed_at"] = _instant_text(value.changed_at)
    data["created_at"] = _instant_text(value.created_at)
    if value.lifecycle_stage is not None:
        data["lifecycle_stage"] = value.lifecycle_stage.value
    if value.stage_since is not None:
        data["stage_since"] = _instant_text(value.stage_since)
    if value.status_since is not None:
        data["status_since"] = _instant_text(value.status_since)
    if value.revisit_on is not None:
        data["revisit_on"] = _day_text(value.revisit_on)
    if value.next_step is not None:
        data["next_step"] = _step_data(value.next_step)
    if value.opted_out:
        data["opted_out"] = True
    if value.approvals:
        data["approvals"] = sorted(value.approvals)
    if value.attributes:
        data["attributes"] = dict(value.attributes)
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def hand_dump_deal(value: Deal) -> str:  # noqa: C901 - one branch for each field that may lack
    """A deal as its document, by hand: what is not there is left out."""
    data: dict[str, Any] = {"format": "salespipeline.deal", "format_version": 1}
    _put(data, value, *OF_DEALS)
    data["changed_at"] = _instant_text(value.changed_at)
    data["opened_at"] = _instant_text(value.opened_at)
    data["stage_since"] = _instant_text(value.stage_since)
    data["outcome"] = value.outcome.value
    if value.closed_at is not None:
        data["closed_at"] = _instant_text(value.closed_at)
    if value.amount is not None:
        data["amount"] = _money_data(value.amount)
    if value.contacts:
        data["contacts"] = value.contacts
    if value.sale_type is not None:
        data["sale_type"] = value.sale_type.value
    if value.expected_close is not None:
        data["expected_close"] = _day_text(value.expected_close)
    if value.forecast_category is not None:
        data["forecast_category"] = value.forecast_category.value
    if value.probability is not None:
        data["probability"] = _chance_data(value.probability)
    if value.term is not None:
        data["term"] = _term_data(value.term)
    if value.next_step is not None:
        data["next_step"] = _step_data(value.next_step)
    if value.approvals:
        data["approvals"] = sorted(value.approvals)
    if value.attributes:
        data["attributes"] = dict(value.attributes)
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


HAND_DUMP: dict[Any, Callable[[Any], str]] = {Contact: hand_dump_contact, Deal: hand_dump_deal}


# Others


def pydantic_reader() -> Callable[[list[str]], object]:
    """Contacts read by pydantic, strictly."""
    from pydantic import ConfigDict, TypeAdapter
    from pydantic.dataclasses import dataclass

    made = dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))(_model("P"))
    read = TypeAdapter(made).validate_json
    return lambda texts: [read(text) for text in texts]


def msgspec_reader() -> Callable[[list[str]], object]:
    """Contacts read by msgspec, strictly."""
    import msgspec

    fields = [
        (name, kind, default) if default is not ... else (name, kind)
        for name, (kind, default) in FIELDS.items()
    ]
    made = msgspec.defstruct("M", fields, frozen=True, forbid_unknown_fields=True, kw_only=True)
    read = msgspec.json.Decoder(made, strict=True).decode
    return lambda texts: [read(text) for text in texts]


FIELDS: dict[str, tuple[Any, Any]] = {
    "format": (str, ...),
    "format_version": (int, ...),
    "id": (str, ...),
    "version": (int, ...),
    "changed_at": (datetime, ...),
    "created_at": (datetime, ...),
    "lifecycle_stage": (LifecycleStage | None, None),
    "stage_since": (datetime | None, None),
    "lead_status": (str | None, None),
    "status_since": (datetime | None, None),
    "revisit_on": (date | None, None),
    **dict.fromkeys(
        ("name", "email", "company", "account", "owner", "source", "verdict"), (str | None, None)
    ),
    "next_step": (NextStep | None, None),
    "opted_out": (bool, False),
    "approvals": (frozenset[str], frozenset()),
    "attributes": (dict[str, str | int | bool], {}),
}


def _model(name: str) -> type:
    """A class with the fields of a contact, for others to make a dataclass of."""
    defaults: dict[str, Any] = {
        each: default for each, (_, default) in FIELDS.items() if default is not ...
    }
    from dataclasses import dataclass, field

    step = dataclass(
        type("Step", (), {"__annotations__": {"what": str, "due": date | None}, "due": None})
    )
    kinds = {each: kind for each, (kind, _) in FIELDS.items()} | {"next_step": step | None}
    defaults["attributes"] = field(default_factory=dict)
    return type(name, (), {"__annotations__": kinds, **defaults})


# The table


def peak(count: int, line: str) -> int:
    """The bytes that reading so many lines takes at most."""

    def lines() -> Iterator[str]:
        for _ in range(count):
            yield f"{line}\n"

    tracemalloc.start()
    found = interchange.load_lines(lines(), Deal, on_fault="collect")
    for _ in found:
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def rows_of(records: int, rounds: int) -> Iterator[dict[str, object]]:
    """Each measurement as a row."""
    rng = random.Random(7)
    contacts = [contact(rng, n) for n in range(records // 2)]
    deals = [deal(rng, n) for n in range(records - len(contacts))]
    for name, kind, values in (("contacts", Contact, contacts), ("deals", Deal, deals)):
        texts = [interchange.dump(each) for each in values]
        check(kind, values, texts)
        ours = lambda: [interchange.load(text, kind) for text in texts]  # noqa: B023, E731
        theirs = lambda: [HAND[kind](text) for text in texts]  # noqa: B023, E731
        yield row(f"load {len(texts):,} {name}", *race(ours, theirs, rounds=rounds), LIMIT)
        ours = lambda: [interchange.dump(each) for each in values]  # noqa: B023, E731
        theirs = lambda: [HAND_DUMP[kind](each) for each in values]  # noqa: B023, E731
        yield row(f"dump {len(texts):,} {name}", *race(ours, theirs, rounds=rounds), LIMIT)
    texts = [interchange.dump(each) for each in contacts]
    ours = lambda: [interchange.load(text, Contact) for text in texts]  # noqa: E731
    for name, made in (("pydantic", pydantic_reader), ("msgspec", msgspec_reader)):
        if find_spec(name):
            read = made()
            times = race(ours, lambda: read(texts), rounds=rounds)  # noqa: B023
            yield row(f"load contacts / {name}", *times, None)
    histories = [history(rng, n) for n in range(records // 5)]
    texts = [interchange.dump(each) for each in histories]
    loading = once(lambda: [interchange.load(text, DealHistory) for text in texts])
    yield row(f"load {len(texts):,} histories of 7", loading, None, None)
    dumping = once(lambda: [interchange.dump(each) for each in histories])
    yield row(f"dump {len(texts):,} histories of 7", dumping, None, None)


def check(kind: Any, values: list[Any], texts: list[str]) -> None:
    """Stop where the two do not say the same."""
    for value, text in zip(values[:500], texts, strict=False):
        if not value == interchange.load(text, kind) == HAND[kind](text):
            raise SystemExit(f"differs: {text}")
        if HAND_DUMP[kind](value) != text:
            raise SystemExit(f"differs: {text}\n{HAND_DUMP[kind](value)}")


def main() -> None:
    """Time loading and dumping, and weigh two streams."""
    parser = options(__doc__ or "")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=1_000_000)
    asked = parser.parse_args()
    rows = list(rows_of(asked.records, asked.rounds))
    line = interchange.dump(deal(random.Random(7), 1))
    short, long = peak(max(1, asked.lines // 10), line), peak(asked.lines, line)
    rows.append(row(f"MB for {asked.lines:,} lines / a tenth", long / 1e6, short / 1e6, 1.1))
    show(rows, as_json=asked.json)


if __name__ == "__main__":
    main()
