"""Interval estimates of counts, sums and quantiles."""

from collections.abc import Iterable, Sequence
from math import exp, inf, lgamma, log, log1p, sqrt
from typing import cast

from attrs import evolve, frozen

from salespipeline._doors import whole
from salespipeline.errors import InvalidValueError, WrongTypeError, brief

_MOST = 10**12  # trials up to which doubles hold the counts and their beta quantiles
_LARGEST = 10**18  # the largest part of a sum whose ratios a double surely holds
_WORTH = 1e300  # the most trials that a share may be worth, so that a double surely holds them
FEWEST_CLUSTERS = 5
"""Below so many clusters nothing is said of how much they differ."""


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


def check_level(level: object, name: str = "level") -> float:
    """The level of confidence, or another share, itself: a number between 0 and 1.

    Raises:
        WrongTypeError: It is no number.
        InvalidValueError: It is not strictly between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, int | float):
        raise WrongTypeError(name, "a number between 0 and 1, such as 0.95", level)
    if not 0 < level < 1:
        raise InvalidValueError(name, (f"{brief(level)} is not between 0 and 1, such as 0.95",))
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
        InvalidValueError: The share is not from 0 to 1, the trials are not from 0 to 1e300, or
            the level is not between 0 and 1.
    """
    _check_share(share, "share")
    z2 = normal_quantile(level) ** 2
    if isinstance(trials, bool) or not isinstance(trials, int | float):
        raise WrongTypeError("trials", "a number", trials)
    if not 0 <= trials <= _WORTH:
        raise InvalidValueError("trials", (f"{brief(trials)} is not from 0 to {_WORTH}",))
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


def t_quantile(freedom: int, level: float = 0.95) -> float:
    """The t that a two-sided interval of a level needs: 2.776 for 0.95 with 4 degrees of freedom.

    Args:
        freedom: The degrees of freedom, at least 1.
        level: The confidence.

    Raises:
        WrongTypeError: The degrees of freedom are no whole number, or the level is no number.
        InvalidValueError: There are none of them, or over 10**12; or the level is not between 0
            and 1.

    >>> round(t_quantile(9), 3)
    2.262
    """
    inside = check_level(level)
    if not 1 <= whole(freedom, "freedom") <= _MOST:
        fault = f"{brief(freedom)} degrees of freedom are not from 1 to {_MOST}"
        raise InvalidValueError("freedom", (fault,))
    half = freedom / 2
    if _beta_cdf(0.5, half, 0.5) > 1 - inside:  # the smaller of two shares is the exact one
        beyond = _beta_quantile(1 - inside, half, 0.5)
        return sqrt(freedom * (1 - beyond) / beyond)
    within = _beta_quantile(inside, 0.5, half)
    return sqrt(freedom * within / (1 - within))


def clustered(pairs: Iterable[tuple[int, int]], level: float = 0.95) -> Interval | None:
    """The interval of a rate whose trials come in clusters, such as the deals of one owner.

    Deals of one owner or account end alike, so a hundred of them say less than a hundred deals
    of a hundred owners: Wilson's interval, which takes each for a trial of its own, is then too
    narrow. This one goes by how much the clusters differ: the rate R is the sum of the successes
    by the sum of the trials, its variance G/(G-1) of the sum of (successes - R trials)² by the
    square of all trials, with G the number of clusters, and t has G-1 degrees of freedom.

    Where all clusters have the same rate, 0 and 1 included, nothing can be told from how they
    differ; then each cluster is taken for a single trial, the least that it can be worth, in
    Wilson's interval, and the method is ``wilson-clusters``.

    Args:
        pairs: The successes and the trials of each cluster, in any order.
        level: The confidence.

    Returns:
        The interval, cut to 0 and 1, or None with fewer than five clusters; a cluster without
        trials does not count.

    Raises:
        WrongTypeError: There are no pairs, a count is no whole number, or the level no number.
        InvalidValueError: The counts are negative, more succeeded than were tried, or there are
            over 10**12 trials; or the level is not between 0 and 1.

    Source: Cochran, Sampling Techniques (3rd ed., 1977), section 9A.1 (clusters) and 6.4 (ratio).

    >>> interval = clustered([(9, 10), (1, 10), (5, 10), (6, 10), (2, 10)])
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.062, 0.858)
    """
    check_level(level)
    counts = _check_clusters(pairs)
    if len(counts) < FEWEST_CLUSTERS:
        return None
    share, error = _linearised(counts)
    if not error:
        return _of_equal_clusters(share, len(counts), level)
    reach = t_quantile(len(counts) - 1, level) * error
    return Interval(max(0.0, share - reach), min(1.0, share + reach), level, "clustered")


def ratio_of_sums(pairs: Iterable[tuple[int, int]], level: float = 0.95) -> Interval | None:
    """The interval of one sum by another, such as the amount won by the amount closed.

    As `clustered`, of any whole numbers: amounts in minor units, or days. Not cut to anything.

    Args:
        pairs: The part of each deal, or cluster, in the sum above and in the sum below.
        level: The confidence.

    Returns:
        The interval, or None with fewer than five pairs that have a part below, or where all
        have the same ratio.

    Raises:
        WrongTypeError: There are no pairs, a part is no whole number, or the level no number.
        InvalidValueError: A part below is negative, a part is over 10**18, or the level is not
            between 0 and 1.

    Source: Cochran, Sampling Techniques (3rd ed., 1977), section 6.4.
    """
    check_level(level)
    parts = [pair for pair in _check_pairs(pairs) if _check_parts(*pair)]
    if sum(1 for _, below in parts if below) < FEWEST_CLUSTERS:
        return None
    ratio, error = _linearised(parts)
    if not error:
        return None
    reach = t_quantile(len(parts) - 1, level) * error
    return Interval(ratio - reach, ratio + reach, level, "ratio")


def bootstrap(
    clusters: Iterable[tuple[int, int]], seed: int, runs: int = 1000, level: float = 0.95
) -> Interval | None:
    """The percentile bootstrap's interval of a rate whose trials come in clusters.

    It draws as many clusters as there are, with replacement, so many times, and takes the middle
    of the rates. It is a little too narrow with few clusters; `clustered` is not, and is faster.
    Where all clusters have the same rate it says what `clustered` says.

    Args:
        clusters: The successes and the trials of each cluster, in any order.
        seed: Where the drawing starts: the same seed gives the same interval.
        runs: How many times to draw, from 100 to 100,000.
        level: The confidence.

    Returns:
        The interval, or None with fewer than five clusters; one without trials does not count.

    Raises:
        SalesPipelineError: As `clustered` does, or the seed or the runs are no such number.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    check_level(level)
    whole(seed, "seed")
    if not 100 <= whole(runs, "runs") <= 100_000:
        raise InvalidValueError("runs", (f"{brief(runs)} is not from 100 to 100,000",))
    counts = sorted(_check_clusters(clusters))
    if len(counts) < FEWEST_CLUSTERS:
        return None
    share, error = _linearised(counts)
    if not error:
        return _of_equal_clusters(share, len(counts), level)
    rates = _drawn(counts, seed, runs)
    tail = (1 - level) / 2
    ends = (rates[min(runs - 1, int(tail * runs))], rates[max(0, -1 - int(tail * runs) + runs)])
    return Interval(*ends, level, "bootstrap")


def _drawn(counts: Sequence[tuple[int, int]], seed: int, runs: int) -> list[float]:
    """The rates of so many draws, in ascending order."""
    from random import Random  # noqa: PLC0415 - few ask, and importing it takes long

    choices, rates = Random(seed).choices, list[float]()  # noqa: S311 - no secret is made of it
    for _ in range(runs):
        drawn = choices(counts, k=len(counts))
        rates.append(sum(won for won, _ in drawn) / sum(tried for _, tried in drawn))
    return sorted(rates)


def _linearised(parts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The ratio of two sums and its standard error, which is 0 only where all ratios are alike."""
    n, above, below = len(parts), sum(y for y, _ in parts), sum(x for _, x in parts)
    squares = sum((y * below - above * x) ** 2 for y, x in parts)  # whole, so never rounded to 0
    return above / below, sqrt(n * squares / ((n - 1) * below**4))


def _of_equal_clusters(share: float, clusters: int, level: float) -> Interval | None:
    interval = wilson_share(share, clusters, level)
    return interval and evolve(interval, method="wilson-clusters")


def _check_clusters(pairs: object) -> list[tuple[int, int]]:
    """The clusters that have trials."""
    counts = _check_pairs(pairs)
    for successes, trials in counts:
        _check_counts(successes, trials)
    return [pair for pair in counts if pair[1]]


def _check_pairs(pairs: object) -> list[tuple[int, int]]:
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise WrongTypeError("pairs", "several pairs of whole numbers", pairs)
    found: list[tuple[int, int]] = []
    for pair in cast("Iterable[object]", pairs):
        given = list(cast("Iterable[object]", pair)) if isinstance(pair, tuple | list) else []
        if len(given) != 2:
            raise WrongTypeError("pairs", "several pairs of whole numbers", cast("object", pair))
        found.append((whole(given[0], "pairs"), whole(given[1], "pairs")))
    return found


def _check_parts(above: int, below: int) -> bool:
    """Whether there is anything in a pair."""
    if not (0 <= below <= _LARGEST and abs(above) <= _LARGEST):
        fault = f"{brief(above)} by {brief(below)} is not within 0 and {_LARGEST}"
        raise InvalidValueError("pairs", (fault,))
    return bool(above or below)


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
