"""What a system gave, item by item: used or refused, with every problem met on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from csv import Error as CsvError
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar, cast

from attrs import field, frozen

from salespipeline.errors import InvalidValueError, SalesPipelineError, WrongTypeError, brief
from salespipeline.history import History
from salespipeline.pipelines import Pipeline

H = TypeVar("H", bound=History[Any, Any])
T = TypeVar("T")

Facts: TypeAlias = Mapping[str, Any]
"""What a row says, by field; absent fields are not in it."""


@frozen
class Problem:
    """A cell, or a whole row, that could not be read.

    Attributes:
        row: The number of the row, the first below the header being 1.
        column: The column, or None for the whole row.
        value: What stands there.
        reason: Why it cannot be read.
        refused: Whether the whole row was refused; else the cell was taken for absent.
        table: The table that the row is in, where several are read together; else empty.
    """

    row: int
    column: str | None
    value: object = field(repr=brief, hash=False)
    reason: str
    refused: bool
    table: str = ""


@frozen
class Read(Generic[H]):
    """What the rows of a system gave.

    Attributes:
        histories: One history per record, in the order in which records were met.
        problems: Every cell or row that could not be read, table by table in the order of rows.
        incomplete: The ids of records that lost a row, in the order of those rows.
        used: How many rows were used.
        refused: How many were refused.
        pipelines: The pipelines that were read, declared or given.
    """

    histories: tuple[H, ...]
    problems: tuple[Problem, ...]
    incomplete: tuple[str, ...]
    used: int
    refused: int
    pipelines: tuple[Pipeline, ...] = ()


class RowRefusedError(Exception):
    """A row that cannot be used: raised and caught within a reader."""


class Item:
    """One row, or one object of another shape, being read.

    Attributes:
        number: Its number, from 1.
        identity: The id of its record, or None as long as that is not read.
        given: What it holds.
        table: The table that it is in, where several are read together.
    """

    def __init__(
        self, number: int, given: Mapping[Any, Any], problems: list[Problem], table: str = ""
    ) -> None:
        self.number = number
        self.identity: str | None = None
        self.given = given
        self.table = table
        self._problems = problems

    def read(
        self,
        value: object,
        column: str,
        how: Callable[[object, str], T | None],
        *,
        name: str | None = None,
        needed: bool = False,
    ) -> T | None:
        """What a door makes of a value; None where it is absent or cannot be read.

        Args:
            value: What stands there; None is absent.
            column: Where it stands.
            how: The door.
            name: What the value is, for the door's message; the column if not given.
            needed: Whether the item cannot be used if the value is unreadable.
        """
        try:
            return None if value is None else how(value, column if name is None else name)
        except SalesPipelineError as fault:
            reason = str(fault)
        except Exception as why:  # noqa: BLE001 - what stands in a cell may be anyone's code
            reason = f"it cannot be read: {brief(why)}"
        self._report(column, reason, value, refused=needed)
        if needed:
            raise RowRefusedError
        return None

    def refuse(self, column: str | None, reason: str, value: object = None) -> NoReturn:
        """Give the item up, for what stands in a column, or as a whole."""
        self._report(column, reason, value, refused=True)
        raise RowRefusedError

    def note(self, column: str | None, reason: str, value: object = None) -> None:
        """Report what is taken for absent."""
        self._report(column, reason, value, refused=False)

    def _report(self, column: str | None, reason: str, value: object, *, refused: bool) -> None:
        self._problems.append(Problem(self.number, column, value, reason, refused, self.table))


class Intake:
    """Tables, or lists of objects, being read item by item.

    Attributes:
        used: How many items were used.
        refused: The refused items, each with the id of its record, where that is known.
        problems: What could not be read, in the order met.
    """

    def __init__(self) -> None:
        self.used = 0
        self.refused: list[str | None] = []
        self.problems: list[Problem] = []

    def each(
        self, given: object, use: Callable[[Item], None], *, what: str, table: str = ""
    ) -> None:
        """Use each item, or refuse it and say why.

        Args:
            given: The items: mappings.
            use: What to do with one; `Item.refuse` ends it.
            what: What they are, for the message where they are no items at all.
            table: The name of the table, where several are read together.

        Raises:
            WrongTypeError: They are none.
            InvalidValueError: They stop being readable.
        """
        for number, found in enumerate(walked(given, what), 1):
            cells = cells_of(found)
            item = Item(number, {} if cells is None else cells, self.problems, table)
            try:
                if cells is None:
                    item.refuse(None, f"it must be a mapping (got {brief(found)})", found)
                use(item)
            except RowRefusedError:
                self.refused.append(item.identity)
            else:
                self.used += 1

    def read(self, histories: Iterable[H], pipelines: Iterable[Pipeline] = ()) -> Read[H]:
        """What was given, once every item is taken."""
        return Read(
            tuple(histories), tuple(self.problems),
            tuple(dict.fromkeys(each for each in self.refused if each is not None)),
            self.used, len(self.refused), tuple(pipelines),
        )  # fmt: skip


def walked(given: object, what: str) -> Iterator[object]:
    """Items one by one; where they stop being readable, an error that says where.

    Raises:
        WrongTypeError: They are no items.
        InvalidValueError: A text file stops being one.
    """
    is_frame = all(hasattr(type(given), name) for name in ("columns", "to_dict"))
    if is_frame or isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise WrongTypeError("rows", what, cast("object", given))
    number, walk = 0, iter(cast("Iterable[object]", given))
    while True:
        try:
            found = next(walk)
        except StopIteration:
            return
        except (UnicodeError, CsvError) as fault:
            reason = f"what follows row {number} cannot be read: {fault}"
            raise InvalidValueError("rows", (reason,)) from fault
        number += 1
        yield found


def cells_of(found: object) -> dict[Any, Any] | None:
    """The members of a mapping, or None where it is none."""
    try:
        return dict(cast("Mapping[Any, Any]", found)) if isinstance(found, Mapping) else None
    except Exception:  # noqa: BLE001 - a mapping may be anyone's code
        return None
