"""What an audit tells: checks, findings, and the checks that were not made."""

from enum import StrEnum
from typing import Any

from attrs import frozen


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    HARMLESS = "harmless"


@frozen
class Check:
    """One thing that an audit looks for.

    Attributes:
        code: Its stable code.
        severity: How much it matters.
        meaning: What is so where it is found.
        advice: What to do about it.
        bends: Which figures it bends, each a function of `salespipeline.metrics` with how; none
            where it bends no figure.
    """

    code: str
    severity: Severity
    meaning: str
    advice: str
    bends: tuple[tuple[str, str], ...] = ()


@frozen
class Finding:
    """One thing found in one record.

    Attributes:
        check: What was looked for; it says what to do, and which figures are bent.
        kind: ``contact`` or ``deal``; ``pipeline`` or ``scheme`` for what is about one of these.
        record: The id of the record, or the key of the pipeline or scheme.
        event: The sequence number of the event, or None where it is about how the record stands.
        message: What was found, in words.
        seen: What is there, in words; None where something is missing.
        expected: What would have been in order, in words; None where there is no telling.
    """

    check: Check
    kind: str
    record: str
    event: int | None
    message: str
    seen: str | None = None
    expected: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain data, with what its check says."""
        return {
            "code": self.check.code,
            "severity": self.check.severity.value,
            "kind": self.kind,
            "record": self.record,
            "event": self.event,
            "message": self.message,
            "seen": self.seen,
            "expected": self.expected,
            "advice": self.check.advice,
            "bends": dict(self.check.bends),
        }


@frozen
class LeftOut:
    """A check that was not made, or not of everything.

    Attributes:
        code: The code of the check.
        kind: The kind of records that it would have looked at.
        why: What was not given or is not kept, in words.
    """

    code: str
    kind: str
    why: str
