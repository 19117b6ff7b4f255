"""The errors of this library: few kinds, each carrying its facts.

Every error that bad input can cause is a `SalesPipelineError` and also the built-in that a
Python programmer would guess (`ValueError`, `TypeError`, `LookupError`).
A refused command raises `salespipeline.rules.DeniedError`, which carries the whole decision.
"""

from attrs import frozen


class SalesPipelineError(Exception):
    """The parent of every error that this library raises on purpose."""


@frozen
class InvalidValueError(SalesPipelineError, ValueError):
    """A value of the right type that cannot be what it is given for.

    Attributes:
        subject: What was being made or read, such as ``money``.
        faults: Every reason found, in the order found; never empty.
    """

    subject: str
    faults: tuple[str, ...]

    def __str__(self) -> str:
        """All faults in one line."""
        return f"{self.subject}: {'; '.join(self.faults)}"


@frozen
class WrongTypeError(SalesPipelineError, TypeError):
    """A value of a type that is not accepted here; nothing is coerced.

    Attributes:
        name: The argument or field.
        expected: What would be accepted, in words.
        value: What was given.
    """

    name: str
    expected: str
    value: object

    def __str__(self) -> str:
        """The name, what is accepted, and what was given."""
        return f"{self.name!r} must be {self.expected} (got {brief(self.value)})"


@frozen
class NaiveTimeError(SalesPipelineError, ValueError):
    """A datetime without a zone, which names no instant.

    Attributes:
        name: The argument or field.
        value: The naive datetime.
    """

    name: str
    value: object

    def __str__(self) -> str:
        """The name, the value, and what would do."""
        return (
            f"{self.name!r} must be a datetime with a zone (got {brief(self.value)}); "
            "attach one with .replace(tzinfo=...)"
        )


@frozen
class MixedCurrenciesError(SalesPipelineError, ValueError):
    """Amounts of several currencies where one is needed.

    Attributes:
        currencies: The currencies met, in the order met.
    """

    currencies: tuple[str, ...]

    def __str__(self) -> str:
        """The currencies met and what would do."""
        met = ", ".join(repr(currency) for currency in self.currencies)
        return f"cannot add or compare amounts of {met}: convert them with given rates first"


@frozen
class UnknownKeyError(SalesPipelineError, LookupError):
    """A key that names nothing here.

    Attributes:
        what: What the key should name, such as ``stage of pipeline 'six_stages'``.
        key: The key given.
        known: The keys that would do, in their own order.
    """

    what: str
    key: object
    known: tuple[object, ...]

    def __str__(self) -> str:
        """The key and those that would do."""
        known = ", ".join(repr(str(key)) for key in self.known)
        return f"unknown {self.what}: {brief(self.key)}; known: {known or 'none'}"


@frozen
class HistoryError(SalesPipelineError, ValueError):
    """Events that do not form the history of one record.

    Attributes:
        record: The record's id, or None where no event says.
        faults: Every reason found, in sequence order; never empty.
    """

    record: str | None
    faults: tuple[str, ...]

    def __str__(self) -> str:
        """All faults in one line."""
        return f"history of {self.record!r}: {'; '.join(self.faults)}"


def brief(value: object, limit: int = 60) -> str:
    """A value as text for a message: its repr in one line, cut to ``limit`` characters.

    A value whose own ``__repr__`` raises is named by its type.
    """
    try:
        text = repr(value).replace("\n", " ")
    except Exception:  # noqa: BLE001 - strange input must not break the message about it
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
