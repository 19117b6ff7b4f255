"""Rulebooks as documents, there and back."""

from collections.abc import Mapping
from typing import Any

from salespipeline._doors import LARGEST_WHOLE, NOTHING, instance
from salespipeline._kinds import check_text
from salespipeline._plain import Faults
from salespipeline.conditions import Predicate
from salespipeline.errors import WrongTypeError, brief
from salespipeline.interchange._documents import NO_UPCASTERS, Form, Noted, Upcaster
from salespipeline.rules.book import Rulebook
from salespipeline.rules.reading import read_rulebook

RULEBOOK = Form("rulebook", "salespipeline.rulebook", 1, 1_000_000)


def dump_rulebook(book: Rulebook[Any]) -> str:
    """A rulebook as a JSON document, in the canonical form of RFC 8785.

    Equal rulebooks have equal documents. States of a text enum are written as their text, and are
    plain text when read back, which equals them. Functions of named conditions are not written.

    Args:
        book: The rulebook; its states must be text.

    Raises:
        InvalidValueError: A state is no text, or something is too long to be read back.

    >>> print(dump_rulebook(Rulebook.free("board", ["todo", "done"], final=["done"]))[:62])
    {"course":"free","creation":["todo","done"],"fields":{},"final
    """
    instance(Rulebook, book, "book")
    faults = Faults()
    check_writable(book, faults)
    if faults.found:
        RULEBOOK.refuse(faults.found)
    return RULEBOOK.written(book.to_plain())


def load_rulebook(
    text: str,
    *,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> Rulebook[str]:
    """The rulebook that a JSON document holds: equal to the one that was written.

    Args:
        text: The document, of at most 1,000,000 characters.
        predicates: The functions of named conditions, by name.
        upcasters: For each older version of the format, a function that lifts the dict of such a
            document to the next version.

    Raises:
        WrongTypeError: An argument is of another type.
        InvalidValueError: The document is none that holds a rulebook. Every fault is named with
            the path of its place, the first thousand of them.

    >>> book = Rulebook.free("board", ["todo", "done"], final=["done"])
    >>> load_rulebook(dump_rulebook(book)) == book
    True
    """
    if not isinstance(predicates, Mapping):
        raise WrongTypeError("predicates", "a mapping of names to functions", predicates)
    faults = Noted(RULEBOOK)
    members = RULEBOOK.read(text, faults, upcasters)
    book = read_rulebook(members, faults, predicates=predicates)
    faults.check()
    return book  # type: ignore[return-value] # without a fault there is one


def check_writable(book: Rulebook[Any], faults: Faults, path: str = "") -> None:
    """Note what of a rulebook no document can hold; the path is where it stands in one."""
    states = {f"states[{n}]": state for n, state in enumerate(book.states)}
    for place, each in {"name": book.name, "meaning": book.meaning, **states}.items():
        faults.tried(f"{path}{place}", check_text, each, place)
    if book.version > LARGEST_WHOLE:
        faults.add(f"{path}version", f"must be at most 2^53 - 1 (got {brief(book.version)})")
