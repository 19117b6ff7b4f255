"""What people did, as score models look at it: of events, and of an adopter's own records."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from salespipeline._doors import choice
from salespipeline._verdicts import look_up
from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.events import ActivityRecorded, Direction, Event
from salespipeline.periods import utc
from salespipeline.scoring.points import check_label

_MOST_TOLD = 8
"""How many faulty activities a message names."""


class Activity(NamedTuple):
    """One occurrence; in the order of these fields they are counted.

    Attributes:
        at: When.
        number: The sequence number of its event, or its place among those given, from 1.
        kind: What it was.
        direction: Inbound, outbound, or None.
    """

    at: datetime
    number: int
    kind: str
    direction: Direction | None


def of_events(events: Iterable[Event]) -> list[Activity]:
    """The activities among events, in sequence order; one whose kind is no text is none."""
    return [
        Activity(
            each.at, each.sequence, each.kind,
            each.direction if isinstance(each.direction, str) else None,
        )
        for each in events
        if isinstance(each, ActivityRecorded) and isinstance(each.kind, str)
    ]  # fmt: skip


def read_activities(given: object, at: datetime) -> list[Activity]:
    """The activities that an adopter's records tell, those not known at an instant left out.

    Args:
        given: Mappings or objects with ``kind`` and ``at``, and, if known, ``direction`` and
            ``recorded_at``.
        at: The instant.

    Raises:
        WrongTypeError: They cannot be iterated.
        InvalidValueError: One of them has no kind or no instant. Every fault is named, the
            first eight of many.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise WrongTypeError("activities", "several mappings or objects", cast("object", given))
    read: list[Activity] = []
    faults: list[str] = []
    for number, each in enumerate(cast("Iterable[object]", given), 1):
        try:
            read += _read(each, number, at)
        except SalesPipelineError as fault:
            faults.append(f"number {number}: {fault}")
        except Exception as fault:  # noqa: BLE001 - an activity may be anyone's code
            faults.append(f"number {number}: cannot be read: {brief(fault)}")
    if faults:
        more = [f"{len(faults) - _MOST_TOLD:,} more"] if len(faults) > _MOST_TOLD else []
        raise InvalidValueError("activities", (*faults[:_MOST_TOLD], *more))
    return read


def _read(given: Any, number: int, at: datetime) -> list[Activity]:
    kind = check_label(look_up(given, ("kind",)), "kind")
    happened = utc(look_up(given, ("at",)), "at")
    recorded = look_up(given, ("recorded_at",))
    way = look_up(given, ("direction",))
    direction = None if way is None else choice(Direction, way, "direction")
    learnt = happened if recorded is None else utc(recorded, "recorded_at")
    return [Activity(happened, number, kind, direction)] if max(happened, learnt) <= at else []


def id_of(record: Any) -> str | None:
    """The id of an adopter's record; None where it has none that is text."""
    try:
        held = look_up(record, ("id",))
    except Exception:  # noqa: BLE001 - a record may be anyone's code
        return None
    return held if type(held) is str else None


def has_opted_out(record: Any) -> bool:
    """Whether a record says that its person opted out.

    Whatever is not surely no counts as yes: nobody is handed over by a misreading.
    """
    try:
        held = look_up(record, ("opted_out",))
        return not (held is None or held is False or (type(held) is int and held == 0))
    except Exception:  # noqa: BLE001 - a record may be anyone's code
        return True
