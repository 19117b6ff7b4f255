"""The catalogue: every check that an audit makes, and how each is made."""

from collections.abc import Iterator, Mapping

from salespipeline.audit._body import Look
from salespipeline.audit._checks import Check, Severity
from salespipeline.audit._deals import LOOKS as DEALS
from salespipeline.audit._details import LOOKS as DETAILS
from salespipeline.audit._lifecycle import LOOKS as LIFECYCLES
from salespipeline.audit._links import LOOKS as LINKS
from salespipeline.audit._order import LOOKS as ORDER

LOOKS: tuple[Look, ...] = (*ORDER, *LIFECYCLES, *DEALS, *LINKS, *DETAILS)
"""How each check is made of each kind of record."""


def _by_severity() -> Iterator[Check]:
    for severity in Severity:
        yield from (look.check for look in LOOKS if look.check.severity is severity)


CATALOGUE: Mapping[str, Check] = {check.code: check for check in _by_severity()}
"""Every check by its code, the most harmful first."""

PLACES: Mapping[str, int] = {code: place for place, code in enumerate(CATALOGUE)}
"""The place of each code in the catalogue."""


def catalogue_markdown() -> str:
    """The catalogue as a table in Markdown: each check, what to do, and which figures it bends.

    >>> print(catalogue_markdown().splitlines()[0])
    | code | severity | of | found | what to do | figures that it bends |
    """
    kinds: dict[str, list[str]] = {}
    for look in LOOKS:
        kinds.setdefault(look.check.code, []).append(look.kind)
    rows = [
        f"| `{check.code}` | {check.severity} | {', '.join(dict.fromkeys(kinds[check.code]))} "
        f"| {check.meaning} | {check.advice} "
        f"| {'; '.join(f'`{name}` {how}' for name, how in check.bends) or 'none'} |"
        for check in CATALOGUE.values()
    ]
    head = "| code | severity | of | found | what to do | figures that it bends |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])
