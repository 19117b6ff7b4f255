"""Findings of one code in records of one kind, and what is told of them in one line."""

from attrs import frozen

from salespipeline.audit._catalogue import PLACES
from salespipeline.audit._checks import Finding, Severity


@frozen
class Group:
    """The findings of one code in records of one kind.

    Attributes:
        code: The code.
        kind: The kind of the records.
        findings: The findings, in the order found.
        records: How many records have one at least.
        share: Their share of all records of the kind, or None for pipelines and the scheme.
    """

    code: str
    kind: str
    findings: tuple[Finding, ...]
    records: int
    share: float | None

    def harm(self) -> tuple[int, bool, float, int, str]:
        """What groups are sorted by, the one that bends the figures most first."""
        check = self.findings[0].check
        severity = list(Severity).index(check.severity)
        place = PLACES.get(self.code, len(PLACES))
        return severity, not check.bends, -(self.share or 0), place, self.kind

    def __str__(self) -> str:
        """One line: the code, its severity, the numbers and the meaning."""
        check, share = self.findings[0].check, "–" if self.share is None else f"{self.share:.1%}"
        return (
            f"{self.code:<25}{check.severity:<9}{len(self.findings):>9,}{self.records:>9,} "
            f"{self.kind + 's':<9}{share:>6}  {check.meaning}"
        )
