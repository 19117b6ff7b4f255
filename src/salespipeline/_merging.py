"""Merging the histories of one person or one deal that was kept as several records.

A history is taken apart into its events as they were in the histories in which they happened, the
events of several are united by identity, and the union is put in order and numbered. A union is
commutative, associative and idempotent, and so is a merge.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias, cast

from attrs import evolve, fields_dict

from salespipeline._doors import repeated
from salespipeline.attributes import Attributes
from salespipeline.errors import HistoryError, brief
from salespipeline.events import Created, Event, Merged, Opened, Origin, Start

Events: TypeAlias = tuple[Event, ...]
"""All events of one record, in sequence order."""

Slot: TypeAlias = tuple[bool, object]
"""What one event only can be: the beginning of a record, or what is known by an identity."""

CREATIONS = frozenset({Created, Opened})

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LEFT = ("pipeline_left", "stage_left", "status_left")  # as far as a copy of a history knows it
_OWN = frozenset({"record", "sequence", "origin", *_LEFT})  # may differ in copies of one event


class Part(NamedTuple):
    """An event as it was in the history in which it happened.

    Attributes:
        event: The event, with its record and its sequence number there.
        latest_at: The latest instant of that history up to and with it.
    """

    event: Any
    latest_at: datetime

    @property
    def key(self) -> tuple[datetime, int, str]:
        """By what the events of several histories are put in order.

        The number comes before the record, so that an event added after a merge comes after all
        that was merged, whatever the ids of the records.
        """
        return self.latest_at, self.event.sequence, self.event.record


def merged(histories: Sequence[Events]) -> Events:
    """The events of several histories as those of one.

    Raises:
        HistoryError: An event is unfit to be told from others, or two have one identity and do
            not say the same. Every such event is named.
    """
    record = histories[0][0].record
    _refuse(record, (fault for events in histories for fault in _unfit(events)))
    parts, faults = _united(histories)
    _refuse(record, faults)
    return tuple(_numbered(_sorted(parts)))


def is_sound(event: Merged, begun: Created | Opened, creation: type[Event]) -> bool:
    """Whether what an event says to have been taken in is the beginning of that record."""
    if type(begun) is not creation or begun.origin is not None or type(event.origin) is not Origin:
        return False
    envelope = ("at", "by", "role", "recorded_at", "system", "original_id")
    instants = (begun.at, begun.recorded_at, begun.observed_from)
    return (
        (begun.record, begun.sequence) == (event.other, event.origin.sequence)
        and event.other == event.origin.record != event.record
        and all(getattr(begun, name) == getattr(event, name) for name in envelope)
        and all(at is None or _is_instant(at) for at in instants)
    )


def begun_later(events: tuple[Any, ...]) -> tuple[Any, ...]:
    """The events from the first beginning on that holds, where that of the record does not."""
    for place, event in enumerate(events):
        if type(event) is Merged and event.creation is not None:
            own = {"record": event.record, "sequence": event.sequence, "origin": event.origin}
            return (evolve(cast("Any", event.creation), **own), *events[place + 1 :])
    return ()


def _refuse(record: object, faults: Iterable[str]) -> None:
    told = tuple(faults)
    if told:
        raise HistoryError(record if isinstance(record, str) else None, told)


# What a merge cannot tell apart


def _unfit(events: Events) -> Iterator[str]:
    """Why the events of a history cannot be merged with others."""
    named: dict[object, list[str]] = {}
    for event in events:
        if not _is_named(event):
            yield f"{_called(event)} says no fit record, origin, system or original id"
        elif type(event) in CREATIONS and event.origin is not None:
            yield f"{_called(event)} says an origin, and a record begins where it is"
        else:
            named.setdefault(event.identity, []).append(_called(event))
    for identity, same in named.items():
        if len(same) > 1:
            yield f"{' and '.join(same)} have one identity, {identity}"


def _is_named(event: Event) -> bool:
    names: list[object] = [
        event.record, *(name for name in (event.system, event.original_id) if name is not None)
    ]  # fmt: skip
    origin: object = event.origin
    if isinstance(origin, Origin):
        names.append(origin.record)
        if type(origin.sequence) is not int or not _is_instant(origin.latest_at):
            return False
    elif origin is not None:
        return False
    return all(isinstance(name, str) for name in names)


def _is_instant(value: object) -> bool:
    return type(value) is datetime and value.tzinfo is UTC


def _called(event: Event) -> str:
    return f"event {event.sequence} ({type(event).__name__}) of {brief(event.record)}"


# Apart, and together


def _parts(events: Events) -> Iterator[Part]:
    """The events of a history as they were where they happened."""
    latest = _EARLIEST
    for event in events:
        origin = event.origin
        if origin is None:
            latest = max(latest, event.at)
            yield Part(event, latest)
            continue
        latest = max(latest, origin.latest_at)
        begun = event.creation if isinstance(event, Merged) else None
        own = {"record": origin.record, "sequence": origin.sequence, "origin": None}
        yield Part(begun or evolve(cast("Any", event), **own), origin.latest_at)


def _united(histories: Iterable[Events]) -> tuple[list[Part], list[str]]:
    """Each event of several histories once, with what speaks against it."""
    united: dict[Slot, Part] = {}
    faults: list[str] = []
    for part in (part for events in histories for part in _parts(events)):
        slot = _slot(part.event)
        united[slot] = _one(united[slot], part, faults.append) if slot in united else part
    parts = list(united.values())
    twice = repeated(part.event.identity for part in parts)
    faults.extend(f"two events have one identity, {each}; one begins a record" for each in twice)
    return parts, faults


def _slot(event: Event) -> Slot:
    begins = type(event) in CREATIONS
    return begins, event.record if begins else event.identity


def _one(first: Part, second: Part, fault: Callable[[str], None]) -> Part:
    """One of two copies of an event: that from the longer history."""
    if type(first.event) in CREATIONS:
        return _beginning(first, second, fault)
    differing = _differing(first.event, second.event)
    if differing or type(first.event) is not type(second.event):
        fault(_contradiction(first.event, second.event, differing))
    return min(first, second, key=_standing)


def _standing(part: Part) -> tuple[Any, ...]:
    """The rank of a copy of an event, the first best: whoever knows more before it goes first."""
    left = (brief(getattr(part.event, name, None), 200) for name in _LEFT)
    return -part.event.sequence, part.latest_at, part.event.record, *left


def _beginning(first: Part, second: Part, fault: Callable[[str], None]) -> Part:
    """The fuller of two beginnings of one record; of equals, what they say together."""
    if _fullness(first.event) != _fullness(second.event):
        return min(first, second, key=lambda part: _fullness(part.event))
    said = {name: _together(first.event, second.event, name) for name in _names(first.event)}
    differing = [name for name, value in said.items() if value is _CONTRARY]
    if differing:
        fault(_contradiction(first.event, second.event, differing))
        return first
    return Part(evolve(first.event, **said), first.latest_at)


def _fullness(creation: Created | Opened) -> tuple[bool, datetime, datetime]:
    by_then, seen = creation.start == Start.BY_THEN, creation.observed_from
    return by_then, seen or _EARLIEST, creation.at


_CONTRARY = object()


def _together(first: Event, second: Event, name: str) -> object:
    """What two events say of one thing, where one may say nothing."""
    one, other = getattr(first, name), getattr(second, name)
    if isinstance(one, Attributes) and isinstance(other, Attributes):
        both = {**one, **other}
        return Attributes(both) if both == {**other, **one} else _CONTRARY
    if one in (None, ()) or _is_same(one, other):
        return other
    return one if other in (None, ()) else _CONTRARY


def _differing(first: Event, second: Event) -> list[str]:
    """The names of what two events of one type do not say alike."""
    if type(first) is not type(second):
        return []
    own = (name for name in _names(first) if name not in _OWN)
    return [name for name in own if not _is_same(getattr(first, name), getattr(second, name))]


def _names(event: Event) -> Iterable[str]:
    return fields_dict(type(event))


def _is_same(one: object, other: object) -> bool:
    try:
        return one is other or bool(one == other)
    except Exception:  # noqa: BLE001 - what an event says may be anyone's code
        return False


def _contradiction(first: Event, second: Event, differing: Iterable[str]) -> str:
    facts = [
        f"{name} {_shown(getattr(first, name))} and {_shown(getattr(second, name))}"
        for name in differing
    ]
    both = f"{_called(first)} and {_called(second)} have one identity, {first.identity}"
    return f"{both}, and do not say the same{': ' if facts else ''}{', '.join(facts)}"


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else brief(value)


# In order


def _sorted(parts: list[Part]) -> list[Part]:
    """The beginning of the record that began first, then the other events in order."""
    first = min((part for part in parts if type(part.event) in CREATIONS), key=lambda p: p.key)
    rest = (part for part in parts if part is not first)
    return [first, *sorted(rest, key=lambda part: (part.key, str(part.event.identity)))]


def _numbered(parts: Sequence[Part]) -> Iterator[Event]:
    """The events of one record; each says its origin, where it is not there still."""
    record, latest = parts[0].event.record, _EARLIEST
    for number, (event, latest_at) in enumerate(parts, 1):
        own: str = event.record
        stays = (own, event.sequence, latest_at) == (record, number, max(latest, event.at))
        latest = max(latest, latest_at)
        origin = None if stays else Origin(own, event.sequence, latest_at)
        if type(event) in CREATIONS and number > 1:
            yield _taken_in(event, record, number, origin)
        else:
            yield evolve(event, record=record, sequence=number, origin=origin)


def _taken_in(begun: Created | Opened, record: str, number: int, origin: Origin | None) -> Merged:
    """The event by which another record came into this one, in the place of its beginning."""
    return Merged(
        record=record, sequence=number, at=begun.at, by=begun.by, role=begun.role,
        recorded_at=begun.recorded_at, system=begun.system, original_id=begun.original_id,
        origin=origin, other=begun.record, creation=begun,
    )  # fmt: skip
