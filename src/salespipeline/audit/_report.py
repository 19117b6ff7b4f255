"""What an audit found, grouped by what was looked for, as text, plain data and HTML."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, cast

from attrs import field, fields_dict, frozen

from salespipeline._doors import gathered, instances, text
from salespipeline.audit._catalogue import CATALOGUE
from salespipeline.audit._checks import Finding, LeftOut
from salespipeline.audit._groups import Group
from salespipeline.errors import UnknownKeyError

_WIDTH = 100
_KINDS = ("contact", "deal", "pipeline", "scheme")


def _code(value: object, name: str) -> str:
    code = text(value, name)
    if code not in CATALOGUE:
        from difflib import get_close_matches  # noqa: PLC0415 - few are mistaken

        nearest = get_close_matches(code, CATALOGUE, n=4, cutoff=0.0)
        raise UnknownKeyError("code of a check, the nearest being told", code, tuple(nearest))
    return code


def _why(value: object, name: str) -> str:
    return text(text(value, name).strip(), name)


def _ids(value: object, name: str) -> frozenset[str]:
    return frozenset(text(each, name) for each in instances(str, value, name))


def _kind(value: object, name: str) -> str:
    kind = text(value, name)
    if kind not in _KINDS:
        raise UnknownKeyError(name, kind, _KINDS)
    return kind


def _records(value: Iterable[str] | None) -> frozenset[str] | None:
    """What was given, which is checked with all else."""
    return cast("frozenset[str] | None", value)


@frozen
class Suppression:
    """Findings that are meant to be so, with the reason.

    Attributes:
        code: The code of the check.
        why: Why such findings are in order.
        records: The ids of the records for which they are; all if not given.
        kind: The kind of these records, where contacts and deals may have the same ids.

    Raises:
        SalesPipelineError: There is no such check, or no reason is given; every fault is named.

    >>> Suppression("open_without_owner", why="the pool is worked by all").code
    'open_without_owner'
    """

    code: str
    why: str = field(kw_only=True)
    records: frozenset[str] | None = field(default=None, kw_only=True, converter=_records)
    kind: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse what suppresses nothing that there is, naming every fault."""
        checks = {"code": _code, "why": _why, "records": _ids, "kind": _kind}
        doors = {name: (checks[name], getattr(self, name)) for name in fields_dict(Suppression)}
        for name, said in gathered("suppression", "code", "why", **doors).items():
            object.__setattr__(self, name, said)

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is among those meant."""
        return (
            finding.check.code == self.code
            and (self.records is None or finding.record in self.records)
            and self.kind in (None, finding.kind)
        )


@frozen
class Suppressed:
    """A finding that was suppressed.

    Attributes:
        finding: The finding.
        why: The reason given.
    """

    finding: Finding
    why: str


@frozen
class Report:
    """What an audit found.

    Attributes:
        as_of: The instant judged from.
        contacts: How many contacts were looked at.
        deals: How many deals were looked at.
        findings: Everything found, record by record in the order given, without what was
            suppressed.
        suppressed: What was suppressed, with the reasons.
        left_out: The checks that were not made, or not of everything, with the reasons.
    """

    as_of: datetime
    contacts: int
    deals: int
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def groups(self) -> tuple[Group, ...]:
        """The findings by code and kind of record, what bends the figures most first.

        Errors come before warnings, and these before what is harmless; among them what bends a
        figure before what bends none, and then what is found in the larger share of records.
        """
        found: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            found.setdefault((finding.check.code, finding.kind), []).append(finding)
        groups = (self._group(code, kind, alike) for (code, kind), alike in found.items())
        return tuple(sorted(groups, key=Group.harm))

    def _group(self, code: str, kind: str, findings: list[Finding]) -> Group:
        records = len({finding.record for finding in findings})
        whole = {"contact": self.contacts, "deal": self.deals}.get(kind)
        return Group(code, kind, tuple(findings), records, records / whole if whole else None)

    def by_code(self) -> dict[str, tuple[Finding, ...]]:
        """The findings of each code that occurs, in the order of `groups`."""
        found: dict[str, tuple[Finding, ...]] = {}
        for group in self.groups():
            found[group.code] = found.get(group.code, ()) + group.findings
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each finding as plain data, those suppressed last, with the reason in ``suppressed``.

        One dict for each, all with the same keys: for a data frame, or for JSON.
        """
        return [
            *({**finding.to_dict(), "suppressed": None} for finding in self.findings),
            *({**each.finding.to_dict(), "suppressed": each.why} for each in self.suppressed),
        ]

    @property
    def heading(self) -> str:
        """How much was found in how many records, in words."""
        looked = f"{self.contacts:,} contacts and {self.deals:,} deals"
        if not self.findings:
            return f"Nothing found in {looked}."
        return f"{len(self.findings):,} findings in {looked}."

    def suppressions(self) -> Counter[tuple[str, str]]:
        """How many findings were suppressed, by code and reason."""
        return Counter((each.finding.check.code, each.why) for each in self.suppressed)

    def reasons(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """The codes of checks that were left out, by kind of record and reason."""
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for each in self.left_out:
            reason = (each.kind, each.why)
            found[reason] = (*found.get(reason, ()), each.code)
        return found

    def __str__(self) -> str:
        """What was found, how often, and in what share of the records; then what was not."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.heading
        if self.findings:
            yield f"{'finding':<25}severity     found  records of         share  meaning"
            yield from map(str, self.groups())
        if self.suppressed:
            yield f"{len(self.suppressed):,} suppressed:"
            for (code, why), n in self.suppressions().items():
                yield from _wrapped(f"{code}, {n:,}: {why}")
        if self.left_out:
            yield "Not looked at:"
            for (kind, why), codes in self.reasons().items():
                yield from _wrapped(f"{', '.join(codes)} of {kind}s: {why}")

    def _repr_html_(self) -> str:
        """The same as tables, for a notebook; every text in it is escaped."""
        from salespipeline.audit._html import page  # noqa: PLC0415 - few ask

        return page(self.heading, self.groups(), self.suppressions(), self.reasons())


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, initial_indent="  ", subsequent_indent="    ")
