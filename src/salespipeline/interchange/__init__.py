"""Values as JSON documents of a stated format and version, written one way and read strictly.

A document is an object whose ``format`` and ``format_version`` say how to read it. It is written in
the canonical form of RFC 8785, so equal values have equal text. Reading names every fault with the
path of its place; nothing is coerced, passed over or guessed.
"""

from salespipeline.interchange._converters import teach
from salespipeline.interchange._forms import dump, load
from salespipeline.interchange._lines import LineProblem, Lines, dump_lines, load_lines
from salespipeline.interchange._models import dump_model, load_model
from salespipeline.interchange._rulebooks import dump_rulebook, load_rulebook
from salespipeline.interchange._schemas import schema
from salespipeline.interchange._vectors import (
    Expectation,
    check_vectors,
    dump_vectors,
    load_vectors,
)

__all__ = [
    "Expectation",
    "LineProblem",
    "Lines",
    "check_vectors",
    "dump",
    "dump_lines",
    "dump_model",
    "dump_rulebook",
    "dump_vectors",
    "load",
    "load_lines",
    "load_model",
    "load_rulebook",
    "load_vectors",
    "schema",
    "teach",
]
