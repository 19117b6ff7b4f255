"""What an audit goes by that a customer may change: limits, and which details must be there."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias, cast

from attrs import field, fields_dict, frozen

from salespipeline._doors import NOTHING, choice, gathered, instance, instances, text, whole
from salespipeline._folds import ATTRIBUTE
from salespipeline._record import Record
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import (
    InvalidValueError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
    brief,
)
from salespipeline.lifecycle import MOST_STATUSES, LifecycleStage
from salespipeline.money import exact

Details: TypeAlias = Mapping[str, Iterable[str] | Mapping[str, timedelta | None]]
"""By kind of record, the fields that must be there, each with how long what they say holds."""

TEST_DOMAINS = frozenset(
    {
        "example", "example.com", "example.net", "example.org", "invalid", "local", "localhost",
        "mailinator.com", "test", "test.com", "test.de",
    }
)  # fmt: skip
"""Domains that no buyer writes from, those below them included.

Source: RFC 2606 and RFC 6761 for the reserved ones; the others are in use for trying things out.
"""

TEST_NAMES = frozenset(
    {
        "asdf", "dummy", "foo bar", "john doe", "lorem ipsum", "max mustermann", "qwertz",
        "qwerty", "test", "test account", "test contact", "test deal", "test lead", "test person",
        "test test", "test user", "tester", "xxx",
    }
)  # fmt: skip
"""Names that nobody has, in lower case with single blanks."""


def _span(value: object, name: str) -> timedelta:
    span = instance(timedelta, value, name)
    if span <= timedelta():
        raise InvalidValueError(name, (f"{brief(span)} is not more than nothing",))
    return span


def _share(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongTypeError(name, "a number between 0 and 1, such as 0.9", value)
    if not 0 < value < 1:
        raise InvalidValueError(name, (f"{brief(value)} is not between 0 and 1",))
    return float(value)


def _gap(value: object, name: str) -> Decimal:
    gap = exact(value, name)
    if not 0 < gap <= 1:
        raise InvalidValueError(name, (f"{brief(value)} is not from 0 to 1",))
    return gap


def _count(value: object, name: str) -> int:
    count = whole(value, name)
    if count < 1:
        raise InvalidValueError(name, (f"{brief(count)} is not 1 or more",))
    return count


def _stage(value: object, name: str) -> LifecycleStage:
    return choice(LifecycleStage, value, name)


def _flag(value: object, name: str) -> bool:
    return instance(bool, value, name)


def _words(value: object, name: str) -> frozenset[str]:
    return frozenset(plain_name(text(word, name)) for word in instances(str, value, name))


def plain_name(name: object) -> str:
    """A name as names are compared: in lower case, with single blanks and none around it.

    What is no text, as an event made by hand may hold, is no name.
    """
    return " ".join(name.split()).casefold() if isinstance(name, str) else ""


_DOORS: Mapping[str, Callable[[object, str], object]] = {
    "silent": _span,
    "untouched_customer": _span,
    "untouched_recycled": _span,
    "stuck_share": _share,
    "stuck_visits": _count,
    "odd_currency": _share,
    "probability_gap": _gap,
    "most_statuses": _count,
    "with_open_deal": _stage,
    "with_won_deal": _stage,
    "drop_tags": _flag,
    "test_domains": _words,
    "test_names": _words,
}


def _several(words: Iterable[str]) -> frozenset[str]:
    """What was given, which is checked with all else; so are those that follow."""
    return cast("frozenset[str]", words)


def _reached(stage: LifecycleStage | str) -> LifecycleStage:
    return cast("LifecycleStage", stage)


def _exact(gap: Decimal | int | str) -> Decimal:
    return cast("Decimal", gap)


@frozen(kw_only=True)
class Limits:
    """The thresholds and lists that an audit goes by, all of them yours to change.

    Attributes:
        silent: After how long without any event an open deal counts as silent: 30 days; no
            source names a number.
        untouched_customer: The same for a customer and its deals: 92 days, the longest quarter.
        untouched_recycled: The same for a recycled contact without a date to come back: 92 days.
        stuck_share: A deal is stuck beyond the age by which this share of the visits to its stage
            is estimated to have ended, where the stage names no ``rot_after``: 0.9.
        stuck_visits: From how many ended visits on that estimate is used: 20.
        odd_currency: A currency is odd if a smaller share of the deals with an amount has it:
            0.02.
        probability_gap: From what difference on a deal's own probability is at odds with that of
            its stage: 0.3.
        most_statuses: More lead statuses in use are too many: 8.
        with_open_deal: The lifecycle stage that a contact with an open deal has reached:
            opportunity; SQL for those who go on at the commitment only.
        with_won_deal: The same for a won deal: customer.
        drop_tags: Whether ``ann+fair@x.com`` is the same address as ``ann@x.com``: no, since
            some give each office or product a tag of its own.
        test_domains: The domains of addresses that nobody buys with; `TEST_DOMAINS`.
        test_names: The names of records made to try something out; `TEST_NAMES`.

    Raises:
        SalesPipelineError: A limit cannot be one; every fault is named together.

    Source: "What are the 7 stages of the sales pipeline?" for reviews with customers once a
    quarter; "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must
    Understand" for eight statuses, and for a recycled lead that comes back after three months;
    ActiveCampaign, What is a sales pipeline? for silent and stuck deals, without a number.

    >>> Limits(silent=timedelta(days=14)).silent.days
    14
    """

    silent: timedelta = timedelta(days=30)
    untouched_customer: timedelta = timedelta(days=92)
    untouched_recycled: timedelta = timedelta(days=92)
    stuck_share: float = 0.9
    stuck_visits: int = 20
    odd_currency: float = 0.02
    probability_gap: Decimal = field(default=Decimal("0.3"), converter=_exact)
    most_statuses: int = MOST_STATUSES
    with_open_deal: LifecycleStage = field(default=LifecycleStage.OPPORTUNITY, converter=_reached)
    with_won_deal: LifecycleStage = field(default=LifecycleStage.CUSTOMER, converter=_reached)
    drop_tags: bool = False
    test_domains: frozenset[str] = field(default=TEST_DOMAINS, converter=_several)
    test_names: frozenset[str] = field(default=TEST_NAMES, converter=_several)

    def __attrs_post_init__(self) -> None:
        """Refuse what is no limit, naming every fault."""
        doors = {name: (_DOORS[name], getattr(self, name)) for name in fields_dict(Limits)}
        for name, limit in gathered("limits", *doors, **doors).items():
            object.__setattr__(self, name, limit)

    def address(self, email: object) -> str | None:
        """An e-mail address as addresses are compared; None for what is none.

        In lower case, without blanks around it; with ``drop_tags`` also without what stands from
        the first ``+`` up to the ``@``. Dots and everything else stay.

        >>> Limits().address(" Ann+fair@Example.COM"), Limits(drop_tags=True).address("a+b@x.com")
        ('ann+fair@example.com', 'a@x.com')
        """
        told = email if isinstance(email, str) else ""
        before, at, domain = told.strip().casefold().rpartition("@")
        local = before.partition("+")[0] if self.drop_tags else before
        return f"{local}@{domain}" if local and at and domain else None


LIMITS = Limits()


class Detail(NamedTuple):
    """A field that must be there.

    Attributes:
        field: Its name, or ``attributes.`` and a name.
        lasts: After how long what it says is out of date, or None for never.
    """

    field: str
    lasts: timedelta | None


_KINDS: Mapping[str, type[Record]] = {"contact": Contact, "deal": Deal}


def check_details(required: object) -> dict[str, tuple[Detail, ...]]:
    """The details that must be there, by kind of record.

    Raises:
        SalesPipelineError: It is no such mapping, or names what there is not.
    """
    if not isinstance(required, Mapping):
        raise WrongTypeError("required", "a mapping of 'contact' or 'deal' to fields", required)
    details: dict[str, tuple[Detail, ...]] = {}
    faults: list[str] = []
    for kind, wanted in cast("Mapping[object, object]", required).items():
        try:
            record = _KINDS[text(kind, "kind of record")]
            details[record.kind] = tuple(_details(record, wanted))
        except KeyError:
            faults.append(str(UnknownKeyError("kind of record", kind, tuple(_KINDS))))
        except SalesPipelineError as fault:
            faults.append(str(fault))
    if faults:
        raise InvalidValueError("required", tuple(faults))
    return details


def _details(record: type[Record], wanted: object) -> Iterable[Detail]:
    lasting = cast("Mapping[str, object]", wanted if isinstance(wanted, Mapping) else NOTHING)
    for name in instances(str, cast("object", wanted), f"fields of a {record.kind}"):
        lasts = lasting.get(name)
        yield Detail(_field(record, name), None if lasts is None else _span(lasts, name))


def _field(record: type[Record], name: str) -> str:
    known = tuple(each for each in record.names() if each != "attributes")
    if name in known or (name.startswith(ATTRIBUTE) and name != ATTRIBUTE):
        return name
    raise UnknownKeyError(f"field of a {record.kind}", name, (*known, f"{ATTRIBUTE}<name>"))
