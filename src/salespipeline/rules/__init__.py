"""Rulebooks: which moves between states are allowed, and why the others are not.

A `Rulebook` decides; its `Rule` says what must be so for some moves; a `Decision` says yes, or no
with every `Denial`. `compare` says what a changed rulebook would change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from salespipeline.rules.book import Rulebook
from salespipeline.rules.decisions import (
    Code,
    Decision,
    Denial,
    DeniedError,
    Override,
    Result,
    Ruling,
    label,
)
from salespipeline.rules.table import Course

if TYPE_CHECKING:
    from salespipeline.rules.comparing import Comparison, Flip, Stranded, compare
    from salespipeline.rules.graph import Finding, Odd
    from salespipeline.rules.playbooks import Sheet
    from salespipeline.rules.rule import Grant, Rule, Way

__all__ = [
    "Code",
    "Comparison",
    "Course",
    "Decision",
    "Denial",
    "DeniedError",
    "Finding",
    "Flip",
    "Grant",
    "Odd",
    "Override",
    "Result",
    "Rule",
    "Rulebook",
    "Ruling",
    "Sheet",
    "Stranded",
    "Way",
    "compare",
    "label",
]


_LATER = {
    **dict.fromkeys(("Comparison", "Flip", "Stranded", "compare"), "comparing"),
    **dict.fromkeys(("Finding", "Odd"), "graph"),
    **dict.fromkeys(("Grant", "Rule", "Way"), "rule"),
    "Sheet": "playbooks",
}


def __getattr__(name: str) -> Any:
    """What few ask for, imported now."""
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
