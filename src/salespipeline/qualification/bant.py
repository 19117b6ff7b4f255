"""BANT in types: what budget, authority, need and timeline say of themselves."""

from datetime import date
from enum import StrEnum

from attrs import Factory, field, frozen

from salespipeline._doors import choice, instance, instances, text
from salespipeline.errors import InvalidValueError
from salespipeline.money import Money
from salespipeline.periods import check_date
from salespipeline.qualification.answers import Answer


class Part(StrEnum):
    """What part somebody has in a decision to buy."""

    DECIDES = "decides"
    INFLUENCES = "influences"
    USES = "uses"
    NONE = "none"


class Severity(StrEnum):
    """How bad the problem is that they need solved."""

    NONE = "none"
    NUISANCE = "nuisance"
    SERIOUS = "serious"
    CRITICAL = "critical"


def _money(value: object) -> Money:
    return instance(Money, value, "budget")


@frozen
class Budget:
    """What they can spend: from an amount to an amount.

    Attributes:
        least: What they can spend for certain.
        most: What they can spend at the most; ``least`` if not given.

    Raises:
        InvalidValueError: ``most`` is below ``least``.
        MixedCurrenciesError: The two are of different currencies.

    >>> Budget(Money("8000", "EUR"), Money("12000", "EUR")).answer(Money("10000", "EUR")).value
    'partly'
    """

    least: Money = field(converter=_money)
    most: Money = field(default=Factory(lambda self: self.least, takes_self=True), converter=_money)

    def __attrs_post_init__(self) -> None:
        """Refuse a range that ends before it begins."""
        if self.most < self.least:
            raise InvalidValueError("budget", (f"{self.most} at most is below {self.least}",))

    def answer(self, price: Money) -> Answer:
        """Whether the budget covers a price: for certain, perhaps (partly), or not.

        Raises:
            MixedCurrenciesError: The price is in another currency.
        """
        if self.most < instance(Money, price, "price"):
            return Answer.UNMET
        return Answer.MET if self.least >= price else Answer.PARTLY

    @property
    def evidence(self) -> str:
        """The range in words."""
        return f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"


def _part(value: object) -> Part:
    return choice(Part, value, "part")


def _others(value: object) -> tuple[str, ...]:
    return tuple(text(each, "others") for each in instances(str, value, "others"))


@frozen
class Authority:
    """Who decides.

    Attributes:
        part: What part the person we speak to has.
        others: Who else must agree.

    >>> Authority("decides", others=["finance"]).answer().value
    'partly'
    """

    part: Part = field(converter=_part)
    others: tuple[str, ...] = field(default=(), converter=_others)

    def answer(self) -> Answer:
        """Met by one who decides alone; partly by one who needs others, or influences."""
        if self.part is Part.DECIDES and not self.others:
            return Answer.MET
        return Answer.PARTLY if self.part in {Part.DECIDES, Part.INFLUENCES} else Answer.UNMET

    @property
    def evidence(self) -> str:
        """The part in words, with who else must agree."""
        with_ = f", with {', '.join(self.others)}" if self.others else ""
        return f"{self.part.value}{with_}"


def _severity(value: object) -> Severity:
    return choice(Severity, value, "severity")


def _words(value: object) -> str:
    return instance(str, value, "words")


@frozen
class Need:
    """The problem that they have.

    Attributes:
        severity: How bad it is.
        words: It in their own words.

    >>> Need("serious", "we lose a day a week to retyping").answer().value
    'met'
    """

    severity: Severity = field(converter=_severity)
    words: str = field(default="", converter=_words)

    def answer(self) -> Answer:
        """Met by a serious or critical problem, partly by a nuisance."""
        if self.severity is Severity.NONE:
            return Answer.UNMET
        return Answer.PARTLY if self.severity is Severity.NUISANCE else Answer.MET

    @property
    def evidence(self) -> str:
        """The problem in their words, with how bad it is."""
        return f"{self.severity.value}: {self.words}" if self.words else self.severity.value


def _date(value: object) -> date:
    return check_date(value, "timeline")


@frozen
class Timeline:
    """When they will buy: on a date, or between two.

    Attributes:
        earliest: The first date on which they may buy.
        latest: The last; ``earliest`` if not given.

    Raises:
        InvalidValueError: ``latest`` is before ``earliest``.

    >>> Timeline(date(2026, 9, 1)).answer(by=date(2026, 6, 30)).value
    'unmet'
    """

    earliest: date = field(converter=_date)
    latest: date = field(
        default=Factory(lambda self: self.earliest, takes_self=True), converter=_date
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a range that ends before it begins."""
        if self.latest < self.earliest:
            raise InvalidValueError("timeline", (f"{self.latest} is before {self.earliest}",))

    def answer(self, *, by: date) -> Answer:
        """Whether they buy by a date: for certain, perhaps (partly), or only later.

        Args:
            by: The last date that is soon enough.
        """
        last = check_date(by, "by")
        if self.earliest > last:
            return Answer.UNMET
        return Answer.MET if self.latest <= last else Answer.PARTLY

    @property
    def evidence(self) -> str:
        """The date or dates."""
        same = self.earliest == self.latest
        return f"{self.earliest}" if same else f"{self.earliest} to {self.latest}"
