"""The text of a document, there and back: strict JSON with a format and a version."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, TypeAlias, cast

from attrs import frozen

from salespipeline._doors import instance
from salespipeline._plain import Faults, canonical
from salespipeline.errors import InvalidValueError, WrongTypeError, brief

MOST_FAULTS = 1000
"""How many faults of one document are told."""

_LONGEST_PATH = 40  # steps, of a place that holds a name twice
_MOST_DIGITS = 19  # a whole number with more is not made at all

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Lifts the members of a document of one version to those of the next."""

NO_UPCASTERS: Mapping[int, Upcaster] = MappingProxyType({})


# The quick way, for documents with nothing wrong in them


def utf_16(name: str) -> bytes:
    """What the names of a canonical document are sorted by."""
    return name.encode("utf-16-be", "surrogatepass")


def by_utf_16(data: Any) -> Any:
    """Plain data with the names of every object in their canonical order."""
    if isinstance(data, list):
        return [by_utf_16(each) for each in cast("list[Any]", data)]
    if isinstance(data, dict):
        members = cast("dict[str, Any]", data)
        return {name: by_utf_16(members[name]) for name in sorted(members, key=utf_16)}
    return data


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


_QUICK = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=lambda text: Unread(text),  # noqa: PLW0108 - made below
    parse_constant=lambda text: Unread(text),  # noqa: PLW0108 - made below
)  # fmt: skip
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def parsed(text: str) -> Any:
    """The plain data of a text in which there is nothing to look at twice.

    Raises:
        ValueError: There is: a name that stands twice, an escape by number, half of a character,
            or no JSON. Other errors of `json` are raised, too.
    """
    if "\\u" in text:
        raise ValueError
    if not text.isascii():
        text.encode()
    return _QUICK.decode(text)


def encoded(data: dict[str, Any]) -> str:
    """The text of plain data whose names are in their canonical order.

    Raises:
        ValueError: There is half of a character in it.
    """
    text = _ENCODER.encode(data)
    if not text.isascii():
        text.encode()
    return text


@frozen
class Form:
    """A form of document.

    Attributes:
        subject: What a document of it is, for messages.
        format: What its documents name as their ``format``.
        version: The newest version, which is the one that is written.
        longest: How many characters a document may have.
    """

    subject: str
    format: str
    version: int
    longest: int

    def written(self, members: dict[str, Any]) -> str:
        """The text of a document with these members.

        Raises:
            InvalidValueError: It would be too long to be read back.
        """
        head = {"format": self.format, "format_version": self.version}
        document = canonical({**head, **members})
        if len(document) > self.longest:
            self.refuse([f"it takes more than {self.longest:,} characters"])
        return document

    def read(self, text: object, faults: Faults, upcasters: object) -> dict[str, Any]:
        """The members of a document, those that say its form left out.

        Args:
            text: The document.
            faults: Takes what is wrong with it.
            upcasters: By version, what lifts a document to the next.

        Raises:
            WrongTypeError: The text is none, or the upcasters are no mapping.
            InvalidValueError: It is no document of this form, or one of a newer version.
        """
        instance(str, text, "text")
        lifts = cast("Mapping[object, object]", upcasters)
        if not isinstance(upcasters, Mapping) or not all(map(callable, lifts.values())):
            raise WrongTypeError("upcasters", "a mapping of versions to functions", lifts)
        data = self._parsed(cast("str", text), faults)
        if not isinstance(data, dict):
            self.refuse([f"the document: must be an object (got {brief(data)})"])
        members = self._lifted(cast("dict[str, Any]", data), lifts)
        return {k: v for k, v in members.items() if k not in {"format", "format_version"}}

    def _parsed(self, text: str, faults: Faults) -> object:
        if len(text) > self.longest:
            self.refuse([f"the document: has more than {self.longest:,} characters"])
        doubles: list[_Double] = []

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            plain = dict(pairs)
            if len(plain) < len(pairs):
                plain = _Double(pairs)
                doubles.append(plain)
            return plain

        try:
            data = json.loads(
                text, object_pairs_hook=members, parse_float=Unread, parse_int=_whole,
                parse_constant=Unread,
            )  # fmt: skip
        except RecursionError:
            self.refuse(["the document: is nested too deeply"])
        except ValueError as fault:
            self.refuse([f"the document: is no JSON: {fault}"])
        for path in _places(data) if doubles else ():
            faults.add(path, "has a name twice")
        return data

    def _lifted(
        self, document: dict[str, Any], upcasters: Mapping[object, object]
    ) -> dict[str, Any]:
        """The document as one of the newest version."""
        if document.get("format") != self.format:
            self.refuse([f"format: must be {self.format!r} (got {brief(document.get('format'))})"])
        version = document.get("format_version")
        if not isinstance(version, int) or isinstance(version, bool):
            self.refuse([f"format_version: must be a whole number (got {brief(version)})"])
        if version > self.version:
            fault = f"is {brief(version)}, and {self.version} is the newest that is known here"
            self.refuse([f"format_version: {fault}"])
        for older in range(version, self.version):
            if older not in upcasters:
                self.refuse([f"format_version: is {brief(older)}, which no upcaster lifts"])
            document = self._lift(document, older, cast("Upcaster", upcasters[older]))
        return document

    def _lift(self, document: dict[str, Any], older: int, upcaster: Upcaster) -> dict[str, Any]:
        try:
            lifted: object = upcaster(document)
        except Exception as fault:  # noqa: BLE001 - an upcaster is the caller's code
            self.refuse([f"the upcaster of version {older} raised {brief(fault)}"])
        if not isinstance(lifted, dict):
            self.refuse([f"the upcaster of version {older} gave no dict (got {brief(lifted)})"])
        return lifted

    def refuse(self, faults: list[str]) -> NoReturn:
        """Raise an error with all these faults.

        Raises:
            InvalidValueError: Always.
        """
        raise InvalidValueError(self.subject, tuple(faults)) from None


class Noted(Faults):
    """The faults of a document of one form."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def add(self, path: str, why: object) -> None:
        """Note a fault.

        Raises:
            InvalidValueError: There are more than anybody reads.
        """
        super().add(path, why)
        if len(self.found) == MOST_FAULTS:
            self._form.refuse([*self.found, "the document: may have more"])

    def check(self) -> None:
        """Refuse the document if there is any fault.

        Raises:
            InvalidValueError: There is.
        """
        if self.found:
            self._form.refuse(self.found)


@frozen
class Unread:
    """A number that no document holds, such as one with a fraction; every reader refuses it."""

    text: str

    def __repr__(self) -> str:
        return self.text


class _Double(dict[str, Any]):
    """An object of a document in which a name stands twice."""


def _whole(text: str) -> int | Unread:
    return int(text) if len(text) <= _MOST_DIGITS else Unread(text)


Link: TypeAlias = "tuple[Link, str | int] | None"
"""A place in a document: the place that it is in, with the name or number there."""


def _places(data: object) -> Iterator[str]:
    """The paths of the objects in which a name stands twice."""
    ahead: list[tuple[Link, object]] = [(None, data)]
    while ahead:
        link, each = ahead.pop()
        if isinstance(each, _Double):
            yield _path(link)
        inner: Iterable[tuple[str | int, object]]
        if isinstance(each, list):
            inner = enumerate(cast("list[object]", each))
        else:
            inner = cast("dict[str | int, object]", each).items()
        holders: list[tuple[Link, object]] = [
            ((link, step), value) for step, value in inner if isinstance(value, dict | list)
        ]
        ahead += reversed(holders)


def _path(link: Link) -> str:
    """The end of a path, as much as anybody reads."""
    steps: list[str] = []
    while link is not None and len(steps) < _LONGEST_PATH:
        link, step = link
        plain = isinstance(step, str) and step.isidentifier() and len(step) < 60
        steps.append(f".{step}" if plain else f"[{brief(step)}]")
    path = "".join(reversed(steps)).removeprefix(".")
    return f"…{path}" if link is not None else path or "the document"
