"""Mutable twins of frozen classes: a value is written into a twin, and then frozen by its class.

That takes a quarter of the time of a frozen constructor, which passes every field through
`object.__setattr__`. Snapshots and the events of moves are made so, and nothing else is.
"""

from collections.abc import Mapping
from typing import Any

from salespipeline.events import (
    Event,
    LeadStatusSet,
    LifecycleStageSet,
    Lost,
    Moved,
    Reopened,
    Won,
)


def twin(frozen: Any) -> type:
    """A class with the slots of a frozen one that can be written to; its objects start empty.

    Assigning the frozen class to ``__class__`` of such an object freezes it.
    """
    slots = tuple(name for name in frozen.__slots__ if name != "__weakref__")
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(f"{frozen.__name__}Draft", (frozen.__base__,), {"__slots__": slots, **plain})


EVENTS: Mapping[type[Event], type] = {
    kind: twin(kind) for kind in (LifecycleStageSet, LeadStatusSet, Moved, Won, Lost, Reopened)
}
"""The twins of the events that moves make."""
