"""A report as HTML, with every text in it escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from salespipeline.audit._checks import Finding
from salespipeline.audit._groups import Group

_SHOWN = 20
"""How many findings of a group are listed."""

_FOUND = ("finding", "severity", "found", "records", "of", "share", "meaning", "bends")
_LISTED = ("record", "event", "found", "seen", "expected")


def page(
    heading: str,
    groups: Sequence[Group],
    suppressions: Mapping[tuple[str, str], int],
    reasons: Mapping[tuple[str, str], Sequence[str]],
) -> str:
    """A whole report: a table of groups, the findings of each, and what was not looked at.

    Args:
        heading: How much was found.
        groups: What was found.
        suppressions: How many findings were suppressed, by code and reason.
        reasons: The codes of checks that were left out, by kind of record and reason.
    """
    parts = [f"<p>{escape(heading)}</p>"]
    if groups:
        parts.append(_table(_FOUND, map(_told, groups)))
        parts += map(_details, groups)
    if suppressions:
        told = ((code, f"{n:,}", why) for (code, why), n in suppressions.items())
        parts.append(f"<p>Suppressed:</p>{_table(('finding', 'found', 'why'), told)}")
    if reasons:
        rows = ((", ".join(codes), f"{kind}s", why) for (kind, why), codes in reasons.items())
        parts.append(f"<p>Not looked at:</p>{_table(('finding', 'of', 'why'), rows)}")
    return f"<div>{''.join(parts)}</div>"


def _told(group: Group) -> tuple[str, ...]:
    check = group.findings[0].check
    share = "–" if group.share is None else f"{group.share:.1%}"
    numbers = (f"{len(group.findings):,}", f"{group.records:,}")
    bent = ", ".join(name for name, _ in check.bends)
    return (group.code, check.severity, *numbers, f"{group.kind}s", share, check.meaning, bent)


def _details(group: Group) -> str:
    check, listed = group.findings[0].check, group.findings[:_SHOWN]
    bends = "".join(f"<li>{escape(name)} {escape(how)}</li>" for name, how in check.bends)
    more = len(group.findings) - len(listed)
    rest = f"<p>and {more:,} more</p>" if more else ""
    return (
        f"<details><summary>{escape(group.code)} of {escape(group.kind)}s</summary>"
        f"<p>{escape(check.advice)}</p><ul>{bends}</ul>"
        f"{_table(_LISTED, map(_row, listed))}{rest}</details>"
    )


def _row(finding: Finding) -> tuple[str, ...]:
    event = "" if finding.event is None else str(finding.event)
    seen, expected = finding.seen or "", finding.expected or ""
    return finding.record, event, finding.message, seen, expected


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
