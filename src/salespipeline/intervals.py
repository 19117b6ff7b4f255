"""Interval estimates of counts, sums and quantiles."""

from math import exp, inf, lgamma, log, log1p, sqrt

from attrs import frozen

from salespipeline._doors import whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief

_MOST = 10**12  # trials up to which doubles hold the counts and their beta quantiles


@frozen
class Interval:
    """The range that an estimate's true value lies in, at a level of confidence.

    Attributes:
        low: The lower end, or None where the data leave it open.
        high: The upper end, or None where the data leave it open.
        level: The confidence, such as 0.95.
        method: How it was computed.
    """

    low: float | None
    high: float | None
    level: float
    method: str

    def __contains__(self, value: float) -> bool:
        """Whether a value lies in it, ends included."""
        low = -inf if self.low is None else self.low
        high = inf if self.high is None else self.high
        return low <= value <= high


def check_level(level: object) -> float:
    """The level of confidence itself, a number between 0 and 1.

    Raises:
        WrongTypeError: It is no number.
        InvalidValueError: It is not strictly between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, int | float):
        raise WrongTypeError("level", "a number between 0 and 1, such as 0.95", level)
    if not 0 < level < 1:
        raise InvalidValueError("level", (f"{brief(level)} is not between 0 and 1, such as 0.95",))
    return float(level)


def normal_quantile(level: float) -> float:
    """The z that a two-sided interval of a level needs: 1.96 for 0.95."""
    from statistics import NormalDist  # noqa: PLC0415 - few ask, and importing it takes long

    return -NormalDist().inv_cdf((1 - check_level(level)) / 2)


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval | None:
    """Wilson's score interval of a proportion, the one to use unless there is a reason.

    Args:
        successes: How many of the trials succeeded.
        trials: How many there were.
        level: The confidence.

    Returns:
        The interval within 0 to 1, or None without a trial.

    Raises:
        WrongTypeError: A count is no whole number, or the level no number.
        InvalidValueError: The counts are negative, more succeeded than were tried, or there are
            over 10**12 trials; or the level is not between 0 and 1.

    Source: Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.

    >>> interval = wilson(81, 263)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2553, 0.3662)
    """
    _check_counts(successes, trials)
    check_level(level)
    if trials == 0:
        return None
    return wilson_share(successes / trials, trials, level)


def wilson_share(share: float, trials: float, level: float = 0.95) -> Interval | None:
    """Wilson's score interval of a share that is worth so many trials, not always whole ones.

    Args:
        share: The share, from 0 to 1.
        trials: How many trials it is worth.
        level: The confidence.

    Returns:
        The interval within 0 to 1, or None without a trial.

    Raises:
        WrongTypeError: The share, the trials or the level is no number.
        InvalidValueError: The share is not from 0 to 1, the trials are negative or infinite, or
            the level is not between 0 and 1.
    """
    _check_share(share, "share")
    z2 = normal_quantile(level) ** 2
    if isinstance(trials, bool) or not isinstance(trials, int | float):
        raise WrongTypeError("trials", "a number", trials)
    if not 0 <= trials < inf:
        raise InvalidValueError("trials", (f"{brief(trials)} is not a number from 0 on",))
    if trials == 0:
        return None
    middle = share + z2 / (2 * trials)
    reach = sqrt(z2 * (share * (1 - share) + z2 / (4 * trials)) / trials)
    scale = 1 + z2 / trials
    low = 0.0 if share == 0 else (middle - reach) / scale
    high = 1.0 if share == 1 else (middle + reach) / scale
    return Interval(low, high, level, "wilson")


def jeffreys(successes: int, trials: int, level: float = 0.95) -> Interval | None:
    """Jeffreys' interval of a proportion: equal tails of Beta(successes + ½, failures + ½).

    Args:
        successes: How many of the trials succeeded.
        trials: How many there were.
        level: The confidence.

    Returns:
        The interval, its lower end 0 where none and its upper end 1 where all succeeded, or
        None without a trial.

    Raises:
        SalesPipelineError: As `wilson` does.

    Source: Brown, Cai and DasGupta, Statistical Science 16 (2001) 101-133.

    >>> interval = jeffreys(15, 148)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0604, 0.1576)
    """
    _check_counts(successes, trials)
    tail = (1 - check_level(level)) / 2
    if trials == 0:
        return None
    a, b = successes + 0.5, trials - successes + 0.5
    low = 0.0 if successes == 0 else _beta_quantile(tail, a, b)
    high = 1.0 if successes == trials else 1 - _beta_quantile(tail, b, a)
    return Interval(low, high, level, "jeffreys")


def log_log(survival: float, error: float, level: float = 0.95) -> Interval | None:
    """The interval of a survival probability on the complementary log-log scale.

    It stays within 0 to 1 and need not be symmetric.

    Args:
        survival: The estimate S, from 0 to 1.
        error: Its standard error (Greenwood's).
        level: The confidence.

    Returns:
        The interval, or None where S is 0 or 1, at which the scale has no value, whatever the
        error is.

    Raises:
        WrongTypeError: An argument is no number.
        InvalidValueError: S or its error is not from 0 to 1, or the level is not between them.

    Source: Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data (2002), 1.4.

    >>> interval = log_log(0.5, 0.1)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2952, 0.6745)
    """
    z = normal_quantile(level)
    _check_share(survival, "survival")
    if survival in (0, 1):
        return None
    _check_share(error, "error")
    reach = z * error / (survival * abs(log(survival)))
    low, high = survival ** exp(min(reach, 700.0)), survival ** exp(-reach)
    return Interval(low, high, level, "log-log")


def _check_counts(successes: object, trials: object) -> None:
    if not 0 <= whole(successes, "successes") <= whole(trials, "trials") <= _MOST:
        fault = f"{brief(successes)} of {brief(trials)} is not a part of at most {_MOST} trials"
        raise InvalidValueError("counts", (fault,))


def _check_share(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongTypeError(name, "a number from 0 to 1", value)
    if not 0 <= value <= 1:
        raise InvalidValueError(name, (f"{brief(value)} is not from 0 to 1",))


def _beta_quantile(p: float, a: float, b: float) -> float:
    """The value below which a share ``p`` of Beta(a, b) lies, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return exp(front) * _continued_fraction(x, a, b) / a
    return 1 - exp(front) * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method.

    Source: DLMF 8.17.22.
    """
    tiny = 1e-300
    value, c, d = tiny, tiny, 0.0
    for m in range(1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) if m else 1.0
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
