"""The API as a user writes it: checked by mypy and pyright, never run.

A call that must fail is marked by a comment that both honour; where one of them lets it pass, that
checker reports the comment instead.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import assert_type

from salespipeline import (
    LIFECYCLE,
    SIX_STAGES,
    STANDARD_STATUSES,
    Contact,
    ContactHistory,
    Deal,
    DealHistory,
    Decision,
    DeniedError,
    Interval,
    LeadStatus,
    LifecycleStage,
    Money,
    Outcome,
    Period,
    Pipeline,
    Reading,
    Rulebook,
    Stage,
    StatusScheme,
    Unit,
    Visit,
    audit,
    metrics,
)
from salespipeline.attributes import Value
from salespipeline.audit import Finding, Report
from salespipeline.connectors.table import Problem, Read, read_contacts, read_deals
from salespipeline.events import (
    ActivityRecorded,
    AmountChanged,
    ContactEvent,
    Created,
    DealEvent,
    Deleted,
    LifecycleStageSet,
    Lost,
    Moved,
    Opened,
    Probability,
    Reopened,
    Won,
)
from salespipeline.metrics import (
    Durations,
    Groups,
    Incidence,
    Rate,
    StageCount,
    StageTime,
    Survival,
    Table,
)
from salespipeline.rules import Denial
from salespipeline.tallies import Lifetime, Tally, lifetimes, people

NOW = datetime(2026, 3, 1, tzinfo=UTC)


# Contacts


def contacts() -> ContactHistory:
    contact, created = Contact.create("c-1", at=NOW, by="form", stage="lead")
    assert_type(contact, Contact)
    assert_type(created, Created)
    assert_type(contact.lifecycle_stage, LifecycleStage | None)
    assert_type(contact.lead_status, str | None)
    assert_type(contact.stage_since, datetime | None)

    contact, reached = contact.advance(LifecycleStage.SQL, at=NOW, by="ada", role="sales")
    assert_type(reached, LifecycleStageSet)
    contact, called = contact.record_activity("call", at=NOW, by="ada", direction="outbound")
    assert_type(called, ActivityRecorded)
    contact, _ = contact.set_lead_status(LeadStatus.BAD_TIMING, at=NOW, by="ada")
    contact, _ = contact.set_lead_status("own_key", at=NOW, by="ada", revisit_on=date(2026, 9, 1))
    contact, _ = contact.set_field("attributes.seats", 4, at=NOW, by="ada")
    assert_type(contact.attributes["seats"], Value)

    assert_type(contact.decide("customer"), Decision[LifecycleStage])
    assert_type(contact.options(), tuple[Decision[LifecycleStage], ...])
    assert_type(contact.status_options(), tuple[Decision[str], ...])
    gone, deleted = contact.delete(at=NOW, by="ada")
    assert_type(gone, None)
    assert_type(deleted, Deleted)

    contact.lifecycle_stage = LifecycleStage.LEAD  # type: ignore[misc]
    contact.advance("customer", at=NOW)  # type: ignore[call-arg]
    contact.advance("customer", NOW, "ada")  # type: ignore[call-arg]
    contact.advance(3, at=NOW, by="ada")  # type: ignore[arg-type]
    contact.advance("customer", at="2026-03-01", by="ada")  # type: ignore[arg-type]
    contact.advance("customer", at=NOW, by="ada", rulebook=SIX_STAGES.rulebook)  # type: ignore[arg-type]
    contact.win(at=NOW, by="ada")  # type: ignore[attr-defined]
    return ContactHistory([created, reached, called, deleted])


def stages(stage: LifecycleStage) -> None:
    assert_type(stage < LifecycleStage.CUSTOMER, bool)
    assert_type(max(stage, LifecycleStage.MQL), LifecycleStage)
    assert_type(stage.rank, int)


class Calls(StrEnum):
    FRESH = "fresh"
    CALLED = "called"


def schemes() -> None:
    assert_type(StatusScheme.of("calls", Calls), StatusScheme)
    assert_type(STANDARD_STATUSES.after(None, LifecycleStage.SQL), str | None)


# Deals


def deals() -> DealHistory:
    deal, opened = Deal.open(
        "d-1",
        at=NOW,
        by="ada",
        pipeline=SIX_STAGES,
        amount=Money("900.00", "EUR"),
        contacts=["c-1"],
        sale_type="renewal",
        attributes={"seats": 4},
    )
    assert_type(deal, Deal)
    assert_type(opened, Opened)
    assert_type(deal.amount, Money | None)
    assert_type(deal.outcome, Outcome)
    assert_type(deal.probability, Probability | None)

    deal, moved = deal.move("meeting", at=NOW, by="ada", pipeline=SIX_STAGES)
    assert_type(moved, Moved | Won | Lost | Reopened)
    deal, changed = deal.change_amount(Money(800, "EUR"), at=NOW, by="ada", reason="discount")
    assert_type(changed, AmountChanged)
    deal, _ = deal.set_probability("0.4", at=NOW, by="ada", basis="sticky")
    deal, won = deal.win(at=NOW, by="ada", pipeline=SIX_STAGES, reason="price")
    assert_type(won, Moved | Won)
    decision = deal.decide("proposal", pipeline=SIX_STAGES)
    assert_type(decision, Decision[str])
    assert_type(decision.denials, tuple[Denial, ...])

    deal.outcome = Outcome.WON  # type: ignore[misc]
    deal.move("meeting", at=NOW, by="ada")  # type: ignore[call-arg]
    deal.move("meeting", at=NOW, by="ada", pipeline="six_stages")  # type: ignore[arg-type]
    deal.win(at=NOW, by="ada", pipeline=SIX_STAGES, amount=900)  # type: ignore[arg-type]
    deal.set_probability(0.4, at=NOW, by="ada")  # type: ignore[arg-type]
    deal.advance("customer", at=NOW, by="ada")  # type: ignore[attr-defined]
    Deal.open("d-2", at=NOW, by="ada")  # type: ignore[call-arg]
    return DealHistory([opened, moved, changed, won])


def refused(deal: Deal) -> str:
    try:
        deal.lose(at=NOW, by="ada", pipeline=SIX_STAGES)
    except DeniedError as error:
        assert_type(error.subject, str)
        return ", ".join(denial.code for denial in error.decision.denials)
    return "nothing"


# Rules and pipelines


def rulebooks() -> None:
    doors = Rulebook.explicit("door", {"open": ["shut"], "shut": ["open", "locked"], "locked": []})
    assert_type(doors, Rulebook[str])
    assert_type(doors.permits(None, "shut"), bool)
    assert_type(doors.allowed("shut"), tuple[str, ...])
    assert_type(LIFECYCLE.allowed(None), tuple[LifecycleStage, ...])
    numbers = Rulebook.forward("numbers", [1, 2, 3], skips=False)
    assert_type(numbers, Rulebook[int])
    if decision := numbers.decide(1, 2):
        assert_type(decision, Decision[int])
    assert_type(decision.explain("the door"), str)

    numbers.decide("1", 2)  # type: ignore[arg-type]
    LIFECYCLE.permits("lead", LifecycleStage.CUSTOMER)  # type: ignore[arg-type]


def pipelines() -> Pipeline:
    short = Pipeline(
        "short",
        [Stage("talk"), Stage("offer", probability="0.5"), Stage("signed", outcome="won")],
        former={"call": "talk"},
    )
    assert_type(short.stages, tuple[Stage, ...])
    assert_type(short.keys, tuple[str, ...])
    assert_type(short.outcome("signed"), Outcome)
    assert_type(short.stage("offer").probability, Decimal | None)
    short.key = "long"  # type: ignore[misc]
    return short


# Measures


def measures() -> None:
    price = Money("12.50", "EUR")
    assert_type(price + Money(3, "EUR"), Money)
    assert_type(price * 3, Money)
    assert_type(price.amount, Decimal)
    assert_type(price.allocate([1, 2]), tuple[Money, ...])
    month = Period.month(2026, 3)
    assert_type(month.days(), int)
    assert_type(list(month.steps(Unit.WEEK)), list[Period])
    assert_type(NOW in month, bool)

    Money(12.5, "EUR")  # type: ignore[arg-type]
    _ = price + 3  # type: ignore[operator]
    _ = price < 3  # type: ignore[operator]
    month.steps("week")  # type: ignore[arg-type]


# Histories


def histories(contact: ContactHistory, deal: DealHistory) -> None:
    assert_type(contact.latest, Contact | None)
    assert_type(deal.latest, Deal | None)
    assert_type(deal.as_of(NOW, reading=Reading.AS_KNOWN_NOW), Deal | None)
    assert_type(contact.events, tuple[ContactEvent, ...])
    assert_type(deal.known(NOW), tuple[DealEvent, ...])
    assert_type(deal.visits(NOW), tuple[Visit, ...])
    assert_type(contact.status_visits(NOW), tuple[Visit, ...])
    assert_type(deal.append(deal.events[0]), DealHistory)

    _ = deal.latest.stage  # type: ignore[union-attr]
    deal.as_of()  # type: ignore[call-arg]
    deal.status_visits(NOW)  # type: ignore[attr-defined]


# Figures


def figures(of: Iterable[DealHistory], people: list[ContactHistory]) -> None:
    month = Period.month(2026, 3)
    assert_type(metrics.win_rate_closed(of, as_of=NOW), Rate)
    assert_type(metrics.win_rate_closed(of, as_of=NOW, by="owner"), Groups[Hashable, Rate])
    assert_type(metrics.win_rate_created(of, as_of=NOW, period=month, level=0.9), Rate)
    assert_type(metrics.win_rate_closed(of, as_of=NOW).value, float | None)
    assert_type(metrics.win_rate_closed(of, as_of=NOW).interval, Interval | None)
    assert_type(metrics.average_deal_size(of, as_of=NOW), metrics.AverageSize)
    assert_type(metrics.average_deal_size(of, as_of=NOW).mean("EUR"), Decimal | None)
    assert_type(metrics.cycle_length(of, as_of=NOW, by="source"), Groups[Hashable, Durations])
    assert_type(metrics.time_to_close(of, as_of=NOW).median, float | None)
    assert_type(metrics.cumulative_incidence(of, as_of=NOW), Incidence)
    assert_type(metrics.cumulative_incidence(of, as_of=NOW).at("won", 90), float | None)
    assert_type(metrics.time_to_close(of, as_of=NOW, by="account"), Groups[Hashable, Survival])
    assert_type(metrics.summary(of, as_of=NOW), metrics.Summary)

    assert_type(metrics.time_in_stage(of, as_of=NOW), Table[StageTime])
    assert_type(
        metrics.time_in_stage(of, as_of=NOW, by="owner", pipelines=[SIX_STAGES]),
        Groups[Hashable, Table[StageTime]],
    )
    assert_type(metrics.deals_by_stage(of, as_of=NOW), Table[StageCount])
    assert_type(
        metrics.deals_by_stage(of, as_of=NOW, by="owner"),
        Groups[Hashable, Table[StageCount]],
    )

    assert_type(metrics.leads(people, as_of=NOW), metrics.Number)
    assert_type(metrics.leads(people, as_of=NOW, by="source"), Groups[Hashable, metrics.Number])
    assert_type(metrics.qualified_leads(people, as_of=NOW, at="customer"), Rate)
    assert_type(metrics.close_ratio(people, as_of=NOW, by="source"), Groups[Hashable, Rate])
    assert_type(
        metrics.close_ratio_by_cohort(people, as_of=NOW, periods=[month]), Groups[Period, Rate]
    )
    assert_type(
        metrics.contacts_by_lifecycle_stage(people, as_of=NOW), Groups[LifecycleStage | None, int]
    )
    assert_type(metrics.contacts_by_lead_status(people, as_of=NOW), Groups[str, int])

    metrics.win_rate_closed(people, as_of=NOW)  # type: ignore[arg-type]
    metrics.close_ratio(of, as_of=NOW)  # type: ignore[arg-type]
    metrics.win_rate_closed(of, NOW)  # type: ignore[call-overload]
    metrics.win_rate_closed(of, as_of=NOW, pipeline=SIX_STAGES)  # type: ignore[call-overload]
    metrics.time_in_stage(people, as_of=NOW)  # type: ignore[arg-type]
    metrics.win_rate_closed(of, by="owner")  # type: ignore[call-overload]


def more_figures(of: list[DealHistory], people: list[ContactHistory]) -> None:
    quarter = Period.quarter(2026, 2)
    assert_type(metrics.win_rate_closed(of, as_of=NOW, cluster="account"), Rate)
    assert_type(metrics.win_rate_created(of, as_of=NOW, interval="jeffreys"), Rate)
    assert_type(
        metrics.win_probability(of, as_of=NOW, horizon_days=90, by="owner"),
        Groups[Hashable, metrics.WinProbability],
    )
    assert_type(metrics.cumulative_incidence(of, as_of=NOW, causes={"x": ["y"]}), Incidence)
    assert_type(metrics.funnel(of, as_of=NOW, pipeline=SIX_STAGES), metrics.Funnel)
    assert_type(metrics.cohort_table(of, as_of=NOW, periods=[quarter]), Table[metrics.CohortCell])
    assert_type(metrics.moves(of, as_of=NOW), metrics.Moves)
    assert_type(metrics.stage_strength(of, as_of=NOW, seed=1), metrics.StageStrengths)
    assert_type(metrics.reasons(of, as_of=NOW), Table[metrics.Reason])
    assert_type(metrics.profile(of, as_of=NOW, by="source"), Table[metrics.Segment])
    assert_type(metrics.lead_to_customer(people, of, as_of=NOW), metrics.LeadConversion)
    assert_type(metrics.attempts(people, as_of=NOW), metrics.Attempts)
    assert_type(metrics.pipeline_bridge(of, period=quarter), metrics.Bridge)
    assert_type(metrics.pipeline_bridge(of, period=quarter).residual, Mapping[str, Money])
    assert_type(metrics.weighted_value(of, as_of=NOW, policy=["stage"]), metrics.WeightedValue)
    assert_type(
        metrics.pipeline_coverage(of, as_of=NOW, period=quarter, quota=Money(1, "EUR")),
        metrics.Coverage,
    )
    assert_type(
        metrics.velocity_attribution(of, before=quarter.preceding(), after=quarter),
        metrics.Attribution,
    )
    assert_type(metrics.lead_response_time(people, as_of=NOW), metrics.ResponseTime)
    assert_type(metrics.retention(of, period=quarter, as_of=NOW), metrics.Retention)
    assert_type(metrics.slippage(of, as_of=NOW, period=quarter), metrics.Slippage)
    assert_type(metrics.stalled(of, as_of=NOW, rule="age"), metrics.Stalled)
    assert_type(metrics.win_rate_closed(of, as_of=NOW).to_dicts(), list[dict[str, object]])

    metrics.funnel(people, as_of=NOW, pipeline=SIX_STAGES)  # type: ignore[arg-type]
    metrics.weighted_value(of, as_of=NOW)  # type: ignore[call-overload]
    metrics.pipeline_bridge(of)  # type: ignore[call-overload]


def velocities(of: list[DealHistory]) -> None:
    now = metrics.pipeline_velocity(of, as_of=NOW, number="closed", currency="EUR")
    assert_type(now, metrics.Velocity)
    assert_type(now.per_day, Money | None)
    assert_type(now.win_rate, Fraction | None)
    assert_type(
        metrics.pipeline_velocity(of, as_of=NOW, by="owner"), Groups[Hashable, metrics.Velocity]
    )
    assert_type(metrics.velocity(50, 0.25, Money(4000, "USD"), 40), metrics.Velocity)
    months = Period.year(2026).steps(Unit.MONTH)
    assert_type(metrics.velocity_series(of, periods=months), Table[metrics.VelocityStep])
    metrics.velocity(50, 0.25, 4000, 40)  # type: ignore[arg-type]
    metrics.velocity_series(of)  # type: ignore[call-overload]


def tallies(first: list[DealHistory], second: list[DealHistory]) -> None:
    both = lifetimes(first, as_of=NOW) + lifetimes(second, as_of=NOW)
    assert_type(both, Tally[Lifetime])
    assert_type(metrics.win_rate_closed(both), Rate)
    assert_type(metrics.pipeline_velocity(both), metrics.Velocity)
    assert_type(both.groups(), dict[Hashable, Tally[Lifetime]])

    lifetimes(first)  # type: ignore[call-arg]
    people(first, as_of=NOW)  # type: ignore[arg-type]


# Audit and tables


def audits(contact: ContactHistory, deal: DealHistory) -> None:
    report = audit.audit([contact], [deal], as_of=NOW, pipelines=[SIX_STAGES])
    assert_type(report, Report)
    assert_type(report.by_code(), dict[str, tuple[Finding, ...]])
    assert_type([finding.check.code for finding in report.findings], list[str])

    audit.audit([deal], as_of=NOW)  # type: ignore[list-item]
    audit.audit([contact], [deal])  # type: ignore[call-arg]


def tables(rows: list[dict[str, str]]) -> None:
    mapping = {"record": "deal", "columns": {"id": "ID", "opened": "Since", "stage": "Stage"}}
    read = read_deals(rows, mapping, pipelines=[SIX_STAGES])
    assert_type(read, Read[DealHistory])
    assert_type(read.histories, tuple[DealHistory, ...])
    assert_type(read.problems, tuple[Problem, ...])
    assert_type(metrics.win_rate_closed(read.histories, as_of=NOW), Rate)
    assert_type(read_contacts(rows, mapping).histories, tuple[ContactHistory, ...])

    read_deals(rows)  # type: ignore[call-arg]
    read_deals("deals.csv", mapping)  # type: ignore[arg-type]
