"""Forecasts that others make: the weighted pipeline, and as much as in the last period."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import pairwise

from salespipeline.deals import Deal
from salespipeline.metrics._spread import Baseline, baseline
from salespipeline.metrics._tracks import Track
from salespipeline.money import Money
from salespipeline.periods import Period, on
from salespipeline.pipelines import Outcome, Pipeline, StageKey

_LEAST = timedelta(microseconds=1)

Minor = Callable[[Money | None], int | None]
"""How many minor units of the currency wanted an amount is; None without one."""


def won_share(found: Iterable[Track]) -> dict[StageKey, Fraction]:
    """For each stage, the share of the closed deals that were ever in it that were won."""
    closed: dict[StageKey, int] = {}
    won: dict[StageKey, int] = {}
    for track in found:
        for stage in {visit.stage for visit in track.passed if track.outcome is not Outcome.OPEN}:
            closed[stage] = closed.get(stage, 0) + 1
            won[stage] = won.get(stage, 0) + (track.outcome is Outcome.WON)
    return {stage: Fraction(won[stage], number) for stage, number in closed.items()}


def stated(
    track: Track,
    deal: Deal,
    known: Mapping[str, Pipeline],
    shares: Mapping[StageKey, Fraction],
) -> Fraction | None:
    """The probability of an open deal that a CRM would show.

    Its own where one is set, else its stage's where one is stated, else the share of closed
    deals that were won among those that were ever in its stage; None without any.
    """
    if deal.probability is not None:
        return Fraction(deal.probability.value)
    pipeline, stage = track.passed[-1].stage
    told = known[pipeline].stage(stage).probability if _has(known, pipeline, stage) else None
    return shares.get((pipeline, stage)) if told is None else Fraction(told)


def _has(known: Mapping[str, Pipeline], pipeline: str, stage: str) -> bool:
    return pipeline in known and stage in known[pipeline]


def weighted_pipeline(
    found: Sequence[Track],
    minor: Minor,
    known: Mapping[str, Pipeline],
    period: Period,
    zone: tzinfo,
    won: int,
    currency: str,
) -> Baseline:
    """What was won in the period, and amount times probability of every open deal.

    A deal whose expected close is known to lie outside the period is not in it, nor is one
    without an amount or without a probability. The variance is that of independent deals.
    """
    shares = won_share(found)
    first, last = on(period.start, zone), on(period.end - _LEAST, zone)
    mean, variance, n = Fraction(won), Fraction(), 0
    for track in found:
        amount = minor(track.amount)
        if track.outcome is not Outcome.OPEN or amount is None:
            continue
        deal = Deal.replay(track.course.known)
        if deal is None or not _expected(deal, first, last):
            continue
        chance = stated(track, deal, known, shares)
        if chance is not None:
            mean, n = mean + amount * chance, n + 1
            variance += amount * amount * chance * (1 - chance)
    return baseline(mean, float(variance), n, currency)


def _expected(deal: Deal, first: date, last: date) -> bool:
    return deal.expected_close is None or first <= deal.expected_close <= last


def last_period(
    found: Sequence[Track],
    minor: Minor,
    period: Period,
    at: datetime,
    currency: str,
) -> Baseline | None:
    """What was won in the last period of that length before the origin, or before the period.

    The variance is the mean square of what changed from each such period of the history to the
    next; None where the history holds fewer than two. None where it holds no such period.
    """
    end, length = min(period.start, at), period.end - period.start
    begun = min((track.course.known[0].at for track in found), default=end)
    whole = (end - begun) // length
    if not whole:
        return None
    sums = [0] * whole
    for track in found:
        amount = minor(track.amount)
        if track.outcome is Outcome.WON and track.closing is not None and amount is not None:
            ago = (end - track.closing.at - _LEAST) // length
            if 0 <= ago < whole:
                sums[ago] += amount
    squares = [(later - sooner) ** 2 for later, sooner in pairwise(sums)]
    variance = sum(squares) / len(squares) if squares else None
    return baseline(sums[0], variance, whole, currency)
