"""What is wrong with deals, each by itself or beside the others, and with their pipelines."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from salespipeline._courses import ENTERING
from salespipeline.audit._body import (
    Body,
    Look,
    Sale,
    Seen,
    answers,
    every,
    kept,
    pipelines_given,
    value_of,
)
from salespipeline.audit._checks import Check, Severity
from salespipeline.events import NextStepPlanned
from salespipeline.periods import days_between
from salespipeline.pipelines import Journey, Outcome, Pipeline
from salespipeline.rules.graph import Odd

UNKNOWN_STAGE = Check(
    "unknown_stage", Severity.ERROR, "a stage its pipeline lacks",
    "add the stage to the pipeline, or name its successor in former",
    (
        ("deals_by_stage", "lists the stage after those of the pipelines"),
        ("time_in_stage", "keeps its stays apart from those of the stage that is meant"),
        ("win_rate_closed", "goes by what a reader took the stage for, which is open"),
    ),
)  # fmt: skip
WON_WITHOUT_AMOUNT = Check(
    "won_without_amount", Severity.ERROR, "a won deal has no amount",
    "enter the final amount",
    (
        ("average_deal_size", "is over the other won deals only"),
        ("pipeline_velocity", "takes the deal to be worth as much as the others"),
    ),
)  # fmt: skip
PROBABILITY_OUT_OF_RANGE = Check(
    "probability_out_of_range", Severity.ERROR, "no probability from 0 to 1",
    "divide a percentage by 100, or take the probability back",
)  # fmt: skip
PIPELINE_CANNOT_WIN = Check(
    "pipeline_cannot_win", Severity.ERROR, "no deal can ever be won here",
    "let the pipeline's rulebook have a way into a won stage",
    (("win_rate_closed", "is 0 for the pipeline's deals, however they went"),),
)  # fmt: skip
PIPELINE_CANNOT_LOSE = Check(
    "pipeline_cannot_lose", Severity.ERROR, "no deal can ever be lost here",
    "let the pipeline's rulebook have a way into a lost stage",
    (
        ("win_rate_closed", "is 1 for the pipeline's deals, however they went"),
        ("time_to_close", "counts deals that were lost as open"),
    ),
)  # fmt: skip
EXPECTED_CLOSE_PAST = Check(
    "expected_close_past", Severity.WARNING, "expected to close in the past",
    "close the deal, or ask for another date",
    (
        ("pipeline_velocity", "counts a deal as open that may be over"),
        ("time_to_close", "has it at risk for longer than it may have been"),
    ),
)  # fmt: skip
LOST_WITHOUT_REASON = Check(
    "lost_without_reason", Severity.WARNING, "a lost deal has no reason",
    "ask whoever lost it, and have the rulebook ask from now on",
)  # fmt: skip
OPEN_WITHOUT_OWNER = Check(
    "open_without_owner", Severity.WARNING, "an open deal has no owner",
    "assign somebody; nobody is asked about it",
    (("deals_by_stage", "by owner has it under nobody"),),
)  # fmt: skip
OPEN_WITHOUT_NEXT_STEP = Check(
    "open_without_next_step", Severity.WARNING, "an open deal has no next step",
    "agree on one with the buyer, with a date",
    (("pipeline_velocity", "counts a deal that nothing moves on as any other"),),
)  # fmt: skip
NEXT_STEP_OVERDUE = Check(
    "next_step_overdue", Severity.WARNING, "a next step is overdue",
    "do it, or agree on another date",
    (("pipeline_velocity", "counts a deal that waits as any other"),),
)  # fmt: skip
OPEN_WITHOUT_ASSESSMENT = Check(
    "open_without_assessment", Severity.WARNING, "past qualifying, not assessed",
    "answer the criteria now, or move the deal back to where they are asked",
    (
        ("deals_by_stage", "has it further on than anybody has made sure of"),
        ("win_rate_created", "may fall by deals that were no fit"),
    ),
)  # fmt: skip
PROBABILITY_AT_ODDS = Check(
    "probability_at_odds", Severity.WARNING, "a chance unlike its stage's",
    "say why, take the probability back, or move the deal to where it belongs",
)  # fmt: skip
ODD_CURRENCY = Check(
    "odd_currency", Severity.WARNING, "a currency that few deals have",
    "correct the currency, or give rates to figures over all deals",
    (
        ("average_deal_size", "keeps its amount apart, and has no total without rates"),
        ("pipeline_velocity", "cannot be had without rates"),
    ),
)  # fmt: skip
STUCK_IN_STAGE = Check(
    "stuck_in_stage", Severity.WARNING, "longer in its stage than most",
    "move it on, park it, or lose it with a reason",
    (
        ("pipeline_velocity", "counts it as a deal as likely to be won as any other"),
        ("time_to_close", "has it at risk for longer than it may have been"),
        ("time_in_stage", "counts a stay as going on that may be over"),
    ),
)  # fmt: skip
SILENT_DEAL = Check(
    "silent_deal", Severity.WARNING, "an open deal has gone silent",
    "get in touch, park it, or lose it with a reason",
    (
        ("pipeline_velocity", "counts it as a deal as likely to be won as any other"),
        ("time_to_close", "has it at risk for longer than it may have been"),
    ),
)  # fmt: skip


def _unknown_stage(sale: Sale, body: Body) -> Iterator[Seen]:
    for event in sale.events:
        if type(event) not in ENTERING:
            continue
        pipeline = body.pipelines.get(event.pipeline)
        if pipeline is None:
            message = f"there is no pipeline {event.pipeline!r}"
            yield Seen(message, event.sequence, event.pipeline, "a pipeline that was given")
        elif event.stage not in pipeline:
            message = f"pipeline {event.pipeline!r} has no stage {event.stage!r}"
            yield Seen(message, event.sequence, event.stage, f"a stage of {event.pipeline!r}")


def _won_without_amount(sale: Sale, _body: Body) -> Iterator[Seen]:
    if sale.record.outcome is Outcome.WON and sale.record.amount is None:
        yield Seen("it is won and has no amount", None, None, "an amount")


def _lost_without_reason(sale: Sale, _body: Body) -> Iterator[Seen]:
    if sale.record.outcome is Outcome.LOST and value_of(sale.record, "reason") is None:
        yield Seen("it is lost and has no reason", None, None, "a reason")


def _expected_close_past(sale: Sale, body: Body) -> Iterator[Seen]:
    deal = sale.record
    due = deal.expected_close
    if deal.outcome is Outcome.OPEN and due is not None and due < body.day:
        message = f"it is open and was expected to close on {due.isoformat()}"
        yield Seen(message, None, due.isoformat(), f"{body.day.isoformat()} or later")


def _without_owner(sale: Sale, _body: Body) -> Iterator[Seen]:
    if sale.record.outcome is Outcome.OPEN and sale.record.owner is None:
        yield Seen("it is open and has no owner", None, None, "an owner")


def _without_next_step(sale: Sale, body: Body) -> Iterator[Seen]:
    if body.active(sale.record) and sale.record.next_step is None:
        yield Seen("it is open and has no next step", None, None, "a next step")


def _steps_planned(body: Body) -> str | None:
    if any(type(event) is NextStepPlanned for sale in body.sales for event in sale.events):
        return None
    return "no next step of any deal was ever planned: it is not kept"


def _next_step_overdue(sale: Sale, body: Body) -> Iterator[Seen]:
    step = sale.record.next_step
    is_open = sale.record.outcome is Outcome.OPEN
    if is_open and step is not None and step.due is not None and step.due < body.day:
        due = step.due.isoformat()
        yield Seen(f"its next step was due on {due}", None, due, "the step done, or a later date")


def _some_assessed(body: Body) -> str | None:
    if body.assessed or any(any(answers(sale.events)) for sale in body.sales):
        return None
    return "no criterion of any deal was ever assessed: it is not kept"


def _qualification_stages(body: Body) -> str | None:
    if any(map(_past_qualification, body.pipelines.values())):
        return None
    return "no pipeline given has a stage of the journey's lead qualification"


def _past_qualification(pipeline: Pipeline) -> frozenset[str]:
    """The open stages, parked ones left out, after the last in which leads are qualified."""
    stages = pipeline.stages
    asked = [n for n, each in enumerate(stages) if each.journey is Journey.LEAD_QUALIFICATION]
    if not asked:
        return frozenset()
    later = (each for each in stages[asked[-1] + 1 :] if each.outcome is Outcome.OPEN)
    return frozenset(each.key for each in later if not each.parked)


def _unassessed(sale: Sale, body: Body) -> Iterator[Seen]:
    deal = sale.record
    pipeline = body.pipelines.get(deal.pipeline)
    if deal.outcome is not Outcome.OPEN or pipeline is None:
        return
    past = pipeline.current(deal.stage) in _past_qualification(pipeline)
    if past and not any(answers(sale.events)) and body.assessed.isdisjoint(deal.contacts):
        message = f"it is in {deal.stage!r}, past qualification, and no criterion was assessed"
        yield Seen(message, None, None, "an answer to at least one criterion")


def _out_of_range(sale: Sale, _body: Body) -> Iterator[Seen]:
    own = sale.record.probability
    if own is not None and not _in_range(own.value):
        seen = format(own.value)
        yield Seen(f"its probability is {seen}", None, seen, "a number from 0 to 1")


def _in_range(value: Decimal) -> bool:
    return Decimal(value).is_finite() and 0 <= value <= 1


def _at_odds(sale: Sale, body: Body) -> Iterator[Seen]:
    deal, own, stage = sale.record, sale.record.probability, body.stage(sale.record)
    if deal.outcome is not Outcome.OPEN or own is None or stage is None:
        return
    stated = stage.probability
    if stated is None or not _in_range(own.value):
        return
    if abs(own.value - stated) >= body.limits.probability_gap:
        message = f"its probability is {own.value}, that of its stage {stated}"
        yield Seen(message, None, format(own.value), f"about {stated}")


def _stage_chances(body: Body) -> str | None:
    stages = (each for pipeline in body.pipelines.values() for each in pipeline.stages)
    if any(each.probability is not None for each in stages if each.outcome is Outcome.OPEN):
        return None
    return "no stage of the pipelines given has a probability"


def _odd_currency(sale: Sale, body: Body) -> Iterator[Seen]:
    amount, counts = sale.record.amount, body.currencies
    if amount is None or counts[amount.currency] >= body.limits.odd_currency * counts.total():
        return
    n, whole = counts[amount.currency], counts.total()
    usual = max(sorted(counts), key=counts.__getitem__)
    message = f"its amount is in {amount.currency}, as are {n:,} of {whole:,}"
    yield Seen(message, None, amount.currency, usual)


def _stuck(sale: Sale, body: Body) -> Iterator[Seen]:
    deal = sale.record
    if not body.active(deal):
        return
    stage = body.stage(deal)
    rots = None if stage is None else stage.rot_after
    if rots is not None:
        stayed = body.at - deal.stage_since
        if stayed > rots:
            yield _stay(deal.stage, stayed.days, f"{_days(rots)} for its stage")
        return
    usual, days = body.usual_stay(deal), days_between(deal.stage_since, body.at, body.zone)
    if usual is not None and days > usual.days:
        over = (
            "the longest that ended" if usual.share is None else f"by which {usual.share:.0%} left"
        )
        yield _stay(deal.stage, days, f"{usual.days:g} days, {over}")


def _stay(stage: str, days: int, most: str) -> Seen:
    return Seen(
        f"it has been in {stage!r} for {days} days", None, f"{days} days", f"at most {most}"
    )


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):g} days"


def _unmeasured(body: Body) -> Iterable[str]:
    """How many deals stand in stages of which nobody knows how long is too long."""
    active = [sale.record for sale in body.sales if body.active(sale.record)]
    rots = (getattr(body.stage(deal), "rot_after", None) for deal in active)
    n = sum(
        rot is None and body.usual_stay(deal) is None
        for rot, deal in zip(rots, active, strict=True)
    )
    if n:
        few = f"fewer than {body.limits.stuck_visits} stays there have ended"
        yield f"{n:,} of {len(active):,} are in stages without rot_after, and {few}"


def _silent(sale: Sale, body: Body) -> Iterator[Seen]:
    deal = sale.record
    step = deal.next_step
    planned = step is not None and step.due is not None and step.due >= body.day
    if planned or not body.active(deal):
        return
    last = _last_touch(sale, body)
    if body.at - last > body.limits.silent:
        message = f"nothing has happened for {(body.at - last).days} days"
        yield Seen(message, None, last.isoformat(), f"a touch in {_days(body.limits.silent)}")


def _last_touch(sale: Sale, body: Body) -> datetime:
    """When anything last happened to a deal, or was done with one of its contacts."""
    known = body.last_activity
    with_contacts = (known[each] for each in sale.record.contacts if each in known)
    return max((sale.touched, *with_contacts))


def _cannot(pipeline: Pipeline, code: Odd) -> Iterator[Seen]:
    for odd in pipeline.lint():
        if odd.code is code:
            yield Seen(odd.message, None, None, f"a way into {' or '.join(map(repr, odd.states))}")


def _cannot_win(pipeline: Pipeline, _body: Body) -> Iterator[Seen]:
    return _cannot(pipeline, Odd.CANNOT_WIN)


def _cannot_lose(pipeline: Pipeline, _body: Body) -> Iterator[Seen]:
    return _cannot(pipeline, Odd.CANNOT_LOSE)


LOOKS: tuple[Look, ...] = (
    Look(UNKNOWN_STAGE, "deal", _unknown_stage, pipelines_given),
    Look(WON_WITHOUT_AMOUNT, "deal", _won_without_amount),
    Look(PROBABILITY_OUT_OF_RANGE, "deal", _out_of_range),
    Look(PIPELINE_CANNOT_WIN, "pipeline", _cannot_win, pipelines_given),
    Look(PIPELINE_CANNOT_LOSE, "pipeline", _cannot_lose, pipelines_given),
    Look(EXPECTED_CLOSE_PAST, "deal", _expected_close_past, kept("deal", "expected_close")),
    Look(LOST_WITHOUT_REASON, "deal", _lost_without_reason),
    Look(OPEN_WITHOUT_OWNER, "deal", _without_owner),
    Look(OPEN_WITHOUT_NEXT_STEP, "deal", _without_next_step, _steps_planned),
    Look(NEXT_STEP_OVERDUE, "deal", _next_step_overdue, _steps_planned),
    Look(
        OPEN_WITHOUT_ASSESSMENT, "deal", _unassessed,
        every(pipelines_given, _qualification_stages, _some_assessed),
    ),
    Look(
        PROBABILITY_AT_ODDS, "deal", _at_odds,
        every(pipelines_given, _stage_chances, kept("deal", "probability")),
    ),
    Look(ODD_CURRENCY, "deal", _odd_currency),
    Look(STUCK_IN_STAGE, "deal", _stuck, partly=_unmeasured),
    Look(SILENT_DEAL, "deal", _silent),
)  # fmt: skip
