"""Money: an exact amount with a currency.

An amount is a whole number of the currency's minor units (cents), so sums are exact in any
decimal context. Amounts of two currencies meet only through a rate that the caller gives.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Self, TypeAlias, cast

from attrs import field, frozen

from salespipeline._doors import instances, whole
from salespipeline.errors import (
    InvalidValueError,
    MixedCurrenciesError,
    SalesPipelineError,
    WrongTypeError,
    brief,
)

Rates: TypeAlias = Mapping[str, Decimal | int | str]
"""For each other currency, how much of the one wanted a unit of it buys."""

_NO_PLACES = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_PLACES = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_PLACES = "CLF UYW"

MINOR_UNITS: Mapping[str, int] = {
    currency: places
    for places, currencies in ((0, _NO_PLACES), (3, _THREE_PLACES), (4, _FOUR_PLACES))
    for currency in currencies.split()
}
"""Decimal places of the currencies that do not have two.

Source: ISO 4217, list one.
"""

_LARGEST_EXPONENT = 30  # an amount beyond 10**30 is a fault of reading, not a sale
_TOO_MANY = {places: 10 ** (_LARGEST_EXPONENT + 1 + places) for places in (0, 2, 3, 4)}


def check_currency(value: object) -> str:
    """The three-letter code itself.

    Raises:
        WrongTypeError: It is no text.
        InvalidValueError: It is not three upper-case letters A to Z.
    """
    if not isinstance(value, str):
        raise WrongTypeError("currency", "a three-letter code such as 'EUR'", value)
    if not (len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):
        fault = f"{brief(value)} is not a three-letter upper-case code such as 'EUR'"
        raise InvalidValueError("currency", (fault,))
    return str.__str__(value)


def exact(value: object, name: str) -> Decimal:
    """A number as an exact `Decimal`.

    Args:
        value: A Decimal, an int, or text of one such as ``"12.50"``.
        name: What the number is, for the message.

    Raises:
        WrongTypeError: It is a float, a bool or anything else: a float is not exact.
        InvalidValueError: It is NaN, infinite, absurdly large, or text that is no number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise WrongTypeError(name, "an exact number: Decimal, int or text, never a float", value)
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        raise InvalidValueError(name, (f"{brief(value)} is not a number",)) from None
    if not number.is_finite():
        raise InvalidValueError(name, (f"{brief(value)} is not finite",))
    if number and not -_LARGEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT:
        raise InvalidValueError(name, (f"{brief(value)} is out of any sensible range",))
    return number


def _with_amount(fault: SalesPipelineError, amount: object) -> SalesPipelineError:
    """A fault of the currency, or one that names the amount's fault beside it."""
    try:
        exact(amount, "amount")
    except SalesPipelineError as other:
        return InvalidValueError("money", (str(fault), str(other)))
    return fault


def _minor(amount: object, currency: str) -> int:
    """The amount in minor units; refuses digits that the currency does not have."""
    places = MINOR_UNITS.get(currency, 2)
    numerator, denominator = exact(amount, "amount").as_integer_ratio()
    scale: int = 10**places
    minor, rest = divmod(numerator * scale, denominator)
    if rest:
        fault = f"{brief(str(amount))} has more than the {places} decimal places of {currency}"
        raise InvalidValueError("money", (f"{fault}; round it with Money.rounded",))
    return minor


@frozen(init=False, repr=False)
class Money:
    """An exact amount of one currency.

    Args:
        amount: A Decimal, an int, or text such as ``"12.50"``; never a float.
        currency: A three-letter upper-case code.

    Attributes:
        minor: The amount as a whole number of minor units (cents, yen, fils).
        currency: The code.

    Raises:
        WrongTypeError: The amount is a float or no number at all.
        InvalidValueError: It is not finite, has more decimal places than the currency, or the
            currency is no code. All faults are named.

    >>> Money("12.50", "EUR") + Money(3, "EUR")
    Money('15.50', 'EUR')
    >>> print(Money("1234567.5", "EUR"))
    1,234,567.50 EUR
    """

    minor: int = field()
    currency: str = field()

    def __init__(self, amount: Decimal | int | str, currency: str) -> None:
        try:
            code = check_currency(currency)
        except SalesPipelineError as fault:
            raise _with_amount(fault, amount) from None
        self._fill(_minor(amount, code), code)

    def _fill(self, minor: int, currency: str) -> None:
        object.__setattr__(self, "minor", minor)
        object.__setattr__(self, "currency", currency)

    @classmethod
    def of_minor(cls, minor: int, currency: str) -> Self:
        """An amount from a whole number of minor units.

        Raises:
            WrongTypeError: It is no whole number.
            InvalidValueError: It is too large for any sale, or the currency is no code.

        >>> Money.of_minor(1999, "JPY")
        Money('1999', 'JPY')
        """
        code, units = check_currency(currency), whole(minor, "minor")
        if abs(units) >= _TOO_MANY[MINOR_UNITS.get(code, 2)]:
            raise InvalidValueError("money", (f"{brief(minor)} is out of any sensible range",))
        money = cls.__new__(cls)
        money._fill(units, code)  # noqa: SLF001 - its own class
        return money

    @classmethod
    def rounded(cls, amount: Decimal | Fraction | int | str, currency: str) -> Self:
        """The nearest amount that the currency can pay; halves go to the even neighbour.

        >>> Money.rounded("2.345", "EUR")
        Money('2.34', 'EUR')
        """
        code = check_currency(currency)
        number = amount if isinstance(amount, Fraction) else Fraction(exact(amount, "amount"))
        return cls.of_minor(round(number * 10 ** MINOR_UNITS.get(code, 2)), code)

    @property
    def amount(self) -> Decimal:
        """The amount in the currency's major unit, with all its decimal places."""
        digits = tuple(int(digit) for digit in str(abs(self.minor)))
        return Decimal((int(self.minor < 0), digits, -MINOR_UNITS.get(self.currency, 2)))

    def __repr__(self) -> str:
        return f"Money('{self.amount}', '{self.currency}')"

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"

    def __bool__(self) -> bool:
        """Whether it is more or less than nothing."""
        return self.minor != 0

    def __add__(self, other: Self) -> Self:
        self._check_same(other)
        return self.of_minor(self.minor + other.minor, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._check_same(other)
        return self.of_minor(self.minor - other.minor, self.currency)

    def __neg__(self) -> Self:
        return self.of_minor(-self.minor, self.currency)

    def __mul__(self, factor: int) -> Self:
        if isinstance(factor, bool) or not isinstance(factor, int):
            raise WrongTypeError(
                "factor", "an int (round other products with Money.rounded)", factor
            )
        return self.of_minor(self.minor * factor, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Self) -> bool:
        self._check_same(other)
        return self.minor < other.minor

    def __le__(self, other: Self) -> bool:
        self._check_same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Self) -> bool:
        return not self <= other

    def __ge__(self, other: Self) -> bool:
        return not self < other

    def _check_same(self, other: object) -> None:
        if not isinstance(other, Money):
            raise WrongTypeError("other", "money", other)
        if other.currency != self.currency:
            raise MixedCurrenciesError((self.currency, other.currency))

    def allocate(self, weights: Sequence[int | Decimal]) -> tuple[Self, ...]:
        """Split into parts in proportion to weights, with nothing lost to rounding.

        Each part is rounded towards zero; the minor units left over go one each to the parts
        that lost most by it, the earlier first where they lost the same.

        Args:
            weights: At least one weight, none negative, not all zero.

        Returns:
            One part per weight, in their order; the parts sum to the whole.

        >>> Money("10.00", "EUR").allocate([1, 1, 1])
        (Money('3.34', 'EUR'), Money('3.33', 'EUR'), Money('3.33', 'EUR'))
        """
        shares = _check_weights(weights)
        sign = -1 if self.minor < 0 else 1
        each = abs(self.minor) / sum(shares, Fraction())
        wanted = [each * share for share in shares]
        parts = [int(part) for part in wanted]
        by_loss = sorted(range(len(parts)), key=lambda n: (parts[n] - wanted[n], n))
        for n in by_loss[: abs(self.minor) - sum(parts)]:
            parts[n] += 1
        return tuple(self.of_minor(sign * part, self.currency) for part in parts)

    def convert(self, currency: str, rate: Decimal | int | str) -> Self:
        """The same value in another currency, at a rate that the caller gives.

        Args:
            currency: The currency wanted.
            rate: How much of it one major unit of this currency buys; more than zero.

        Returns:
            The amount rounded to what the currency can pay, halves to even.

        >>> Money("10.00", "USD").convert("EUR", "0.9155")
        Money('9.16', 'EUR')
        """
        number = exact(rate, "rate")
        if number <= 0:
            raise InvalidValueError("rate", (f"{brief(rate)} is not more than zero",))
        return self.rounded(Fraction(self.amount) * Fraction(number), currency)


def _check_weights(weights: Sequence[int | Decimal]) -> list[Fraction]:
    if isinstance(weights, str | bytes | bytearray) or not isinstance(weights, Sequence):
        raise WrongTypeError("weights", "a sequence of numbers", weights)
    shares = [Fraction(exact(weight, "weight")) for weight in weights]
    faults = tuple(
        f"weight {brief(weights[n])} is negative" for n, share in enumerate(shares) if share < 0
    )
    if not faults and not any(shares):
        faults = ("there is no weight above zero",)
    if faults:
        raise InvalidValueError("weights", faults)
    return shares


def total(
    amounts: Iterable[Money],
    *,
    currency: str | None = None,
    rates: Rates | None = None,
) -> Money | None:
    """The sum of amounts.

    Args:
        amounts: Any number of amounts.
        currency: The currency of the sum; needed only to convert.
        rates: For each other currency, how much of ``currency`` one unit of it buys.

    Returns:
        The sum, or None where there is no amount.

    Raises:
        MixedCurrenciesError: There are several currencies and no rate for one of them.

    >>> total([Money(1, "EUR"), Money(2, "USD")], currency="EUR", rates={"USD": "0.5"})
    Money('2.00', 'EUR')
    """
    asked, sums = None if currency is None else check_currency(currency), totals(amounts)
    wanted = asked or next(iter(sums), "")
    exact_rates(wanted, rates, sums)
    parts = (
        part if part.currency == wanted else part.convert(wanted, (rates or {})[part.currency])
        for part in sums.values()
    )
    return sum(parts, Money(0, wanted)) if sums else None


def exact_rates(
    currency: str, rates: object, wanted: Iterable[str], name: str = "rates"
) -> dict[str, Fraction]:
    """The exact rate of each currency wanted into one, its own among them.

    Raises:
        WrongTypeError: The rates are no mapping, or one is no exact number.
        MixedCurrenciesError: There is no rate for a currency.
        InvalidValueError: A rate is not more than zero.
    """
    known: object = {} if rates is None else rates
    if not isinstance(known, Mapping):
        raise WrongTypeError(name, "a mapping of currencies to rates", rates)
    given = cast("Mapping[str, object]", known)
    others = [code for code in dict.fromkeys(wanted) if code != currency]
    lacking = tuple(code for code in others if code not in given)
    if lacking:
        raise MixedCurrenciesError((currency, *lacking))
    found = {code: exact(given[code], name) for code in others}
    faults = tuple(f"that of {code} is not more than zero" for code in others if found[code] <= 0)
    if faults:
        raise InvalidValueError(name, faults)
    return {currency: Fraction(1)} | {code: Fraction(rate) for code, rate in found.items()}


def totals(amounts: Iterable[Money]) -> dict[str, Money]:
    """The sum of amounts per currency, in the order in which the currencies are met.

    >>> totals([Money(1, "EUR"), Money(2, "USD"), Money(3, "EUR")])
    {'EUR': Money('4.00', 'EUR'), 'USD': Money('2.00', 'USD')}
    """
    sums: dict[str, int] = {}
    for amount in instances(Money, amounts, "amounts"):
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    return {currency: Money.of_minor(minor, currency) for currency, minor in sums.items()}
