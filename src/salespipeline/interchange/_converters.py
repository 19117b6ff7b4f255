"""The types of the library for cattrs converters, which read and write an adopter's classes."""

from collections.abc import Callable
from typing import Any

from cattrs import Converter

from salespipeline._doors import NOTHING, instance
from salespipeline.errors import WrongTypeError
from salespipeline.events import ContactEvent, DealEvent
from salespipeline.interchange._documents import Form
from salespipeline.interchange._forms import FORMS, TYPES, document_shape
from salespipeline.interchange._records import EVENTS
from salespipeline.interchange._shapes import Found, Shape


def teach(converter: Converter) -> None:
    """Teach a cattrs converter how the types of the library are read and written.

    Each is written as in its document, without the members that name a format, and read as
    strictly. An event may be asked for by its type, as ``ContactEvent`` or as ``DealEvent``.

    Args:
        converter: The converter; its own settings stay as they are.

    Raises:
        WrongTypeError: It is none.

    >>> from attrs import frozen
    >>> from salespipeline.money import Money
    >>> @frozen
    ... class Invoice:
    ...     number: int
    ...     total: Money
    >>> converter = Converter()
    >>> teach(converter)
    >>> plain = converter.unstructure(Invoice(7, Money("12.50", "EUR")))
    >>> plain
    {'number': 7, 'total': {'amount': '12.50', 'currency': 'EUR'}}
    >>> converter.structure(plain, Invoice) == Invoice(7, Money("12.50", "EUR"))
    True
    """
    instance(Converter, converter, "converter")
    events = document_shape("event"), FORMS["event"]
    known: dict[Any, tuple[Shape, Form]] = {
        **{kind: (document_shape(name), FORMS[name]) for kind, name in TYPES.items()},
        **dict.fromkeys((*EVENTS, ContactEvent, DealEvent), events),
    }
    readers = {kind: _reader(*form) for kind, form in known.items()}
    writers = {kind: _writer(*form) for kind, form in known.items()}
    # by function: a hook by type would have cattrs look up names that only type checkers import
    converter.register_structure_hook_func(
        readers.__contains__, lambda data, kind: readers[kind](data, kind)
    )
    converter.register_unstructure_hook_func(
        writers.__contains__, lambda value: writers[type(value)](value)
    )


def _reader(shape: Shape, form: Form) -> Callable[[Any, Any], Any]:
    """Reads plain data, which are left as they are."""

    def read(data: Any, kind: Any) -> Any:
        faults = Found(form)
        value = shape.reading(data, "", faults)
        faults.check()
        if not isinstance(value, kind):
            raise WrongTypeError(form.subject, f"a {kind.__name__}", value)
        return value

    return read


def _writer(shape: Shape, form: Form) -> Callable[[Any], Any]:
    """Writes plain data; names what cannot be written."""
    document = shape.document(NOTHING)

    def write(value: Any) -> Any:
        faults = Found(form)
        shape.writing(value, "", faults)
        faults.check()
        return document(value)

    return write
