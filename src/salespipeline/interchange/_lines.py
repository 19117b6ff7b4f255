"""JSON Lines: a document on each line, read and written one after the other."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, Generic, Literal, Self, TypeVar, cast, overload

from attrs import frozen

from salespipeline._doors import NOTHING
from salespipeline.conditions import Predicate
from salespipeline.errors import InvalidValueError, UnknownKeyError, WrongTypeError
from salespipeline.interchange._documents import NO_UPCASTERS, Upcaster
from salespipeline.interchange._forms import Plan, asked, dump, read

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
OnFault = Literal["stop", "collect"]

MOST_KEPT = 10_000
"""How many faults are kept of all lines together; of further lines only their number."""


@frozen
class LineProblem:
    """A line that holds no such value.

    Attributes:
        line: Its number, from 1.
        faults: Every reason, each with the path of its place.
    """

    line: int
    faults: tuple[str, ...]


class Lines(Iterator[T_co], Generic[T_co]):
    """The values of lines, read one after the other as they are asked for.

    Attributes:
        problems: The lines that were refused so far, with every fault, for the first 10,000
            faults.
        used: How many values were given so far.
        refused: How many lines were refused so far.
    """

    def __init__(
        self,
        lines: Iterable[str],
        plan: Plan,
        predicates: Mapping[str, Predicate],
        upcasters: Mapping[int, Upcaster],
        *,
        stop: bool,
    ) -> None:
        self._lines = enumerate(lines, 1)
        self._plan, self._predicates, self._upcasters = plan, predicates, upcasters
        self._stop = stop
        self._kept = 0
        self._problems: list[LineProblem] = []
        self.used = self.refused = 0

    @property
    def problems(self) -> tuple[LineProblem, ...]:
        """The lines that were refused so far."""
        return tuple(self._problems)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        """The next value; lines of white space alone are passed over."""
        for number, line in self._lines:
            if not isinstance(line, str):
                raise WrongTypeError(f"line {number}", "text", line)
            if line.isspace() or not line:
                continue
            try:
                value = read(line, self._plan, self._predicates, self._upcasters)
            except InvalidValueError as refused:
                self._refuse(number, refused)
                continue
            self.used += 1
            return cast("T_co", value)
        raise StopIteration

    def _refuse(self, number: int, refused: InvalidValueError) -> None:
        if self._stop:
            faults = tuple(f"line {number}: {fault}" for fault in refused.faults)
            raise InvalidValueError(refused.subject, faults) from None
        self.refused += 1
        if self._kept < MOST_KEPT:
            self._kept += len(refused.faults)
            self._problems.append(LineProblem(number, refused.faults))


def dump_lines(values: Iterable[object]) -> Iterator[str]:
    r"""Values as JSON Lines: of each the document of `dump`, with a line feed at its end.

    Each line stands alone, so that lines can be sorted, split, joined and read from anywhere.

    Args:
        values: Any number of values, also of several types; they are taken as they are asked for.

    Raises:
        WrongTypeError: The values are not several, or one is of a type that no document holds.
        InvalidValueError: One of them cannot be written; its number, from 1, is named.

    >>> from salespipeline.money import Money
    >>> list(dump_lines([Money(1, "JPY")]))
    ['{"amount":"1","currency":"JPY","format":"salespipeline.money","format_version":1}\n']
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise WrongTypeError("values", "several values", values)
    return _dumped(values)


def _dumped(values: Iterable[object]) -> Iterator[str]:
    for number, value in enumerate(values, 1):
        try:
            yield f"{dump(value)}\n"
        except InvalidValueError as refused:
            faults = tuple(f"value {number}: {fault}" for fault in refused.faults)
            raise InvalidValueError(refused.subject, faults) from None


@overload
def load_lines(
    lines: Iterable[str],
    kind: type[T],
    *,
    on_fault: OnFault = "stop",
    attributes: Mapping[str, Any] | None = None,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> Lines[T]: ...
@overload
def load_lines(
    lines: Iterable[str],
    kind: UnionType,
    *,
    on_fault: OnFault = "stop",
    attributes: Mapping[str, Any] | None = None,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> Lines[Any]: ...
def load_lines(
    lines: Iterable[str],
    kind: Any,
    *,
    on_fault: OnFault = "stop",
    attributes: Mapping[str, Any] | None = None,
    predicates: Mapping[str, Predicate] = NOTHING,
    upcasters: Mapping[int, Upcaster] = NO_UPCASTERS,
) -> Lines[Any]:
    """The values of JSON Lines, one after the other, whatever their number.

    Args:
        lines: The lines, such as an open file; each a document of at most 50,000,000 characters.
            Lines of white space alone are passed over.
        kind: The type of the values, or several with ``|`` between.
        on_fault: ``stop`` raises at the first line that is refused; ``collect`` goes on, and
            keeps it among the problems.
        attributes: The types of the adopter's own fields, by name, as for `load`.
        predicates: The functions of named conditions, by name.
        upcasters: As for `load`.

    Returns:
        The values to iterate over, once; with ``problems``, and how many were ``used`` and
        ``refused`` so far.

    Raises:
        WrongTypeError: An argument is of another type, or a line is no text.
        UnknownKeyError: ``on_fault`` is neither.
        InvalidValueError: On iterating, a line holds no such value, with its number and every
            fault.

    >>> from salespipeline.money import Money
    >>> lines = load_lines(["[]", *dump_lines([Money(1, "JPY")])], Money, on_fault="collect")
    >>> list(lines), lines.problems[0].line
    ([Money('1', 'JPY')], 1)
    """
    if isinstance(lines, str | bytes) or not isinstance(lines, Iterable):
        raise WrongTypeError("lines", "several lines of text", lines)
    if not isinstance(on_fault, str) or on_fault not in ("stop", "collect"):
        raise UnknownKeyError("on_fault", on_fault, ("stop", "collect"))
    plan = asked(kind, attributes, predicates, upcasters)
    return Lines(lines, plan, predicates, upcasters, stop=on_fault == "stop")
