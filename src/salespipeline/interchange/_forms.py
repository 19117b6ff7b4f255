"""Any value as a JSON document, and back."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from json import loads
from types import UnionType
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_origin, overload
from typing import Union as AnyUnion

from salespipeline._doors import NOTHING
from salespipeline.attributes import Attributes
from salespipeline.conditions import Predicate
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, WrongTypeError, brief
from salespipeline.events import Event, NextStep, Probability, Term
from salespipeline.history import ContactHistory, DealHistory, Visit
from salespipeline.interchange._documents import (
    NO_UPCASTERS,
    Form,
    Upcaster,
    encoded,
    parsed,
)
from salespipeline.interchange._parts import DECLARABLE, AttributesDocument, RulebookShape, snake
from salespipeline.interchange._records import CONTACT_EVENTS, DEAL_EVENTS, EVENTS, Shapes
from salespipeline.interchange._rulebooks import RULEBOOK, dump_rulebook
from salespipeline.interchange._schemas import VERSIONS
from salespipeline.interchange._shapes import Found, Shape, Union
from salespipeline.intervals import Interval
from salespipeline.lifecycle import Status, StatusScheme
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Pipeline, Stage
from salespipeline.rules import Decision, Denial, Override, Rulebook, Ruling
from salespipeline.triggers import Trigger, TriggerSet

T = TypeVar("T")

_LONGEST = 50_000_000
LENGTHS: Mapping[str, int] = dict.fromkeys(("pipeline", "status_scheme"), 2_000_000)
"""How many characters a document may have, where that is less: a rulebook is not read so fast."""

TYPES: Mapping[type, str] = {
    kind: snake(kind)
    for kind in cast(
        "tuple[type, ...]",
        (
            Attributes, Contact, ContactHistory, Deal, DealHistory, Decision, Denial, Interval,
            Money, NextStep, Override, Period, Pipeline, Probability, Rulebook, Ruling, Stage,
            Status, StatusScheme, Term, Trigger, TriggerSet, Visit,
        ),
    )
}  # fmt: skip
"""The types that have documents of their own, each with the kind; every event has ``event``."""

FORMS: Mapping[str, Form] = {
    kind: Form(
        kind.replace("_", " "), f"salespipeline.{kind}", VERSIONS[kind], LENGTHS.get(kind, _LONGEST)
    )
    for kind in (*TYPES.values(), "event")
} | {"rulebook": RULEBOOK}
"""The form of each kind of document."""


TYPES_WANTED = {
    "kind": "a type that documents hold, such as DealHistory, or several with | between",
    "attributes": DECLARABLE,
}


class Plan(NamedTuple):
    """How documents of a type are read.

    Attributes:
        forms: By what a document names as its format, its form, version and shape.
    """

    forms: dict[str, tuple[Form, int, Shape]]


# Types and their shapes


@lru_cache(maxsize=16)
def _shapes(declared: tuple[tuple[str, object], ...] | None = None) -> Shapes:
    return Shapes(None if declared is None else dict(declared))


def document_shape(kind: str, shapes: Shapes | None = None) -> Shape:
    """The shape of the documents of a kind."""
    known = _shapes() if shapes is None else shapes
    if kind == "event":
        return known.events
    if kind == "rulebook":
        return RulebookShape()
    type_ = next(each for each, name in TYPES.items() if name == kind)
    if type_ is not Attributes:
        return known.of(type_)
    return AttributesDocument(known.of(Attributes))


@lru_cache(maxsize=128)
def _planned(kind: object, declared: tuple[tuple[str, object], ...] | None) -> Plan:
    """How documents of a type, or of several, are read.

    Raises:
        WrongTypeError: There are no documents of it, or an attribute is of no type.
    """
    shapes = _shapes(declared)
    is_union = isinstance(kind, UnionType) or get_origin(kind) is AnyUnion
    forms: dict[str, tuple[Form, int, Shape]] = {}
    happened: list[type] = []
    for each in get_args(kind) if is_union else (kind,):
        type_: Any = get_origin(each) or each
        own = _kinds_of(type_)
        name = TYPES.get(type_)
        if name is None and not own:
            raise WrongTypeError("kind", TYPES_WANTED["kind"], each)
        if name is None:
            happened += own
        else:
            form = FORMS[name]
            forms[form.format] = form, form.version, document_shape(name, shapes)
    if happened:
        form = FORMS["event"]
        forms[form.format] = form, form.version, _events(happened, shapes)
    return Plan(forms)


def _kinds_of(type_: object) -> list[type]:
    """The types of events that a type of event stands for; none for any other."""
    if not isinstance(type_, type) or not issubclass(type_, Event):
        return []
    return [event for event in EVENTS if issubclass(event, type_)]


def _events(happened: list[type], shapes: Shapes) -> Union:
    """The events that are asked for, as those of the records to which they can happen."""
    to_contact, to_deal = ({*happened} <= {*kinds} for kinds in (CONTACT_EVENTS, DEAL_EVENTS))
    union = shapes.events
    if to_contact != to_deal:
        union = shapes.contact_events if to_contact else shapes.deal_events
    wanted = [union.by_kind[kind] for kind in dict.fromkeys(happened)]
    return Union("event", "an event", wanted)


def asked(
    kind: object, attributes: Mapping[str, Any] | None, predicates: object, upcasters: object
) -> Plan:
    """How documents of a type are read, the arguments past their doors.

    Raises:
        WrongTypeError: An argument is of another type, or there are no documents of the kind.
    """
    for name, given in (("predicates", predicates), ("upcasters", upcasters)):
        if not isinstance(given, Mapping):
            raise WrongTypeError(name, "a mapping of functions", given)
    declared = None
    if attributes is not None:
        if not isinstance(attributes, Mapping) or not all(
            isinstance(name, str) for name in attributes
        ):
            raise WrongTypeError("attributes", "a mapping of names to types", attributes)
        declared = tuple(sorted(attributes.items(), key=lambda pair: pair[0]))
    for name, given in (("attributes", declared), ("kind", kind)):
        try:
            hash(given)
        except Exception:  # noqa: BLE001 - the hash of what stands for a type may be anyone's code
            raise WrongTypeError(name, TYPES_WANTED[name], given) from None
    return _planned(kind, declared)


# Writing


@lru_cache(maxsize=1)
def _writers() -> dict[type, tuple[Form, Shape, Callable[[Any], dict[str, Any]]]]:
    """By the type of a value, its form, its shape, and the quick way to its document."""
    writers: dict[type, tuple[Form, Shape, Callable[[Any], dict[str, Any]]]] = {}
    for type_, kind in (*TYPES.items(), *((each, "event") for each in EVENTS)):
        form, shape = FORMS[kind], document_shape(kind)
        head = {"format": form.format, "format_version": form.version}
        writers[type_] = form, shape, shape.document(head)
    return writers


def dump(value: object) -> str:
    """A value as a JSON document, in the canonical form of RFC 8785.

    Values that are equal, part by part of the same types, have equal text. What says nothing is
    left out: None, and what is the default of its type.

    Args:
        value: A value of any public type: money, a contact, a history, an event, a pipeline.

    Raises:
        WrongTypeError: It is of a type that no document holds.
        InvalidValueError: Something in it cannot be written, such as an instant without a zone;
            every such place is named.

    >>> dump(Money("12.50", "EUR"))
    '{"amount":"12.50","currency":"EUR","format":"salespipeline.money","format_version":1}'
    """
    known = _writers().get(type(value))
    if known is None:
        raise WrongTypeError("value", "of a type that documents hold, such as Money", value)
    form, shape, write = known
    if form is RULEBOOK:
        return dump_rulebook(cast("Rulebook[Any]", value))
    try:
        text = encoded(write(value))
        if len(text) <= form.longest:
            return text
    except Exception:  # noqa: BLE001, S110 - what stood in the way is looked for below
        pass
    faults = Found(form)
    shape.writing(value, "", faults)
    faults.check()
    raise InvalidValueError(
        form.subject, (f"the value: takes more than {form.longest:,} characters",)
    )


# Reading


@overload
def load(
    text: str,
    kind: type[T],
    *,
    attributes: Mapping[str, Any] | None = None,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> T: ...
@overload
def load(
    text: str,
    kind: UnionType,
    *,
    attributes: Mapping[str, Any] | None = None,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> Any: ...
def load(
    text: str,
    kind: Any,
    *,
    attributes: Mapping[str, Any] | None = None,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> Any:
    """The value that a JSON document holds: equal to the one that was written.

    Args:
        text: The document, of at most 50,000,000 characters.
        kind: The type of the value, or several with ``|`` between, such as ``DealEvent``.
        attributes: The types of the adopter's own fields, by name. Any other field, and a value
            of another type, is a fault. None takes any fields.
        predicates: The functions of named conditions, by name.
        upcasters: For each older version of the format, a function that lifts the dict of such a
            document to the next version.

    Raises:
        WrongTypeError: An argument is of another type, or no document holds the kind.
        InvalidValueError: The document holds no such value. Every fault is named with the path
            of its place, the first thousand of them.

    >>> load(dump(Money("12.50", "EUR")), Money)
    Money('12.50', 'EUR')
    """
    plan = asked(kind, attributes, predicates, upcasters)
    return read(text, plan, predicates, upcasters)


def read(
    text: object,
    plan: Plan,
    predicates: Mapping[str, Predicate],
    upcasters: Mapping[int, Upcaster],
) -> Any:
    """The value of a document, the quick way where it has no fault."""
    try:
        data = parsed(cast("str", text))
        form, newest, shape = plan.forms[data.pop("format")]
        version = data.pop("format_version")
        if type(version) is int and version == newest and len(cast("str", text)) <= form.longest:
            return shape.read(data)
    except Exception:  # noqa: BLE001, S110 - what stood in the way is looked for below
        pass
    form, _, shape = _chosen(text, plan)
    faults = Found(form, predicates)
    members = form.read(text, faults, upcasters)
    value = shape.reading(members, "", faults)
    faults.check()
    return value


def _chosen(text: object, plan: Plan) -> tuple[Form, int, Shape]:
    """The form that a document names, of those that are asked for; else the first of them.

    Raises:
        InvalidValueError: It names another than the several that are asked for.
    """
    first, *others = plan.forms.values()
    if not others or not isinstance(text, str) or len(text) > first[0].longest:
        return first
    try:
        data = loads(text)
    except (ValueError, RecursionError):
        return first
    named = cast("dict[str, Any]", data).get("format") if isinstance(data, dict) else None
    if isinstance(named, str) and named in plan.forms:
        return plan.forms[named]
    listed = " or ".join(repr(each) for each in plan.forms)
    raise InvalidValueError("document", (f"format: must be {listed} (got {brief(named)})",))
