"""What happens, or is learnt, after the instant changes no figure: each has a recipe here."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from later_strategies import grown, later_records
from metric_dictionary import figures
from record_strategies import (
    contact_happenings,
    deal_happenings,
    moments,
    read_contacts,
    read_deals,
)
from salespipeline import metrics
from salespipeline.errors import SalesPipelineError
from salespipeline.money import Money
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import SIX_STAGES
from stories import contact, day, deal, lost, moved, reached, won

FEWER = settings(max_examples=max(10, settings().max_examples // 3))
"""There are so many figures that a third of the usual examples of each is enough."""

EURO = Money(1000, "EUR")
ONE_FOR_ONE = {"EUR": 1, "USD": 1, "JPY": 1, "GBP": 1}
AT_RATES = {"currency": "EUR", "rates": {"USD": 2, "JPY": 3, "GBP": 4}}
MOMENT = timedelta(microseconds=1)


def before(at):
    """The week up to and with an instant."""
    return Period(at + MOMENT - timedelta(days=7), at + MOMENT)


def weeks(at):
    """Three weeks in order, the last of which ends with an instant."""
    return tuple(
        Period(at + MOMENT - timedelta(days=7 * n), at + MOMENT - timedelta(days=7 * (n - 1)))
        for n in (3, 2, 1)
    )


Recipe = Callable[[Any, Any], object]


def plainly(name: str, **options: object) -> Recipe:
    """The figure as of the instant, whole and by owner."""
    figure = getattr(metrics, name)

    def both(records, at):
        return (
            figure(records, as_of=at, **options),
            figure(records, as_of=at, by="owner", **options),
        )

    return both


def whole(name: str, **options: object) -> Recipe:
    """The figure as of the instant; it has no groups, or needs more than that to have them."""
    return lambda records, at: getattr(metrics, name)(records, as_of=at, **options)


def of_week(name: str, **options: object) -> Recipe:
    """The figure of the week before the instant."""
    figure = getattr(metrics, name)
    return lambda records, at: figure(records, as_of=at, period=before(at), **options)


OF_NUMBERS = {"deals_needed", "leads_needed", "needed_each", "sizing", "sizing_by", "velocity"}
"""The figures of plain numbers, which know no instant."""

OF_DEALS: dict[str, Recipe] = {
    **{
        name: plainly(name)
        for name in (
            "ageing",
            "attempts_to_win",
            "average_deal_size",
            "concessions",
            "cumulative_incidence",
            "cycle_length",
            "deal_age",
            "deal_lifetime",
            "deal_sizes",
            "deals_by_stage",
            "discount",
            "moves",
            "pipeline_by_due_date",
            "pipeline_value",
            "reasons",
            "recurring_revenue",
            "repeat_share",
            "stage_strength",
            "summary",
            "time_in_stage",
            "time_to_close",
            "win_rate_closed",
            "win_rate_created",
        )
    },
    "backtest": lambda deals, at: metrics.backtest(
        deals,
        as_of=at,
        origins=[at - timedelta(days=9)],
        horizon_days=7,
        seed=1,
        runs=100,
        refits=2,
        **AT_RATES,
    ),
    "calibration": lambda deals, at: metrics.calibration(
        deals, as_of=at, origins=[at - timedelta(days=9)], horizon_days=7
    ),
    "chance_table": whole("chance_table", horizon_days=30),
    "forecast": lambda deals, at: metrics.forecast(
        deals,
        as_of=at,
        period=Period(at, at + timedelta(days=20)),
        seed=1,
        runs=100,
        refits=2,
        **AT_RATES,
    ),
    "forecast_categories": lambda deals, at: metrics.forecast_categories(
        deals, as_of=at, period=Period(at, at + timedelta(days=20)), by="owner"
    ),
    "win_chances": whole("win_chances", horizon_days=30),
    "attainment": lambda deals, at: metrics.attainment(
        deals, quota=EURO, period=before(at), as_of=at, rates=ONE_FOR_ONE
    ),
    "attainment_steps": lambda deals, at: metrics.attainment_steps(
        deals, quota=EURO, period=before(at), unit=Unit.DAY, as_of=at, rates=ONE_FOR_ONE
    ),
    "close_date_error": of_week("close_date_error"),
    "cohort_rate": of_week("cohort_rate", by="owner"),
    "cohort_table": lambda deals, at: metrics.cohort_table(
        deals, as_of=at, periods=weeks(at), ages=(3, 9)
    ),
    "consistent_velocity": plainly("consistent_velocity", **AT_RATES),
    "customer_lifetime": plainly("customer_lifetime", horizon_days=30),
    "funnel": plainly("funnel", pipeline=SIX_STAGES),
    "most_winnable": whole("most_winnable", horizon_days=30, **AT_RATES),
    "new_and_existing": whole("new_and_existing"),
    "pipeline_bridge": lambda deals, at: metrics.pipeline_bridge(deals, period=before(at)),
    "pipeline_coverage": of_week("pipeline_coverage", quota=EURO, rates=ONE_FOR_ONE),
    "pipeline_velocity": plainly("pipeline_velocity", **AT_RATES),
    "profile": whole("profile", by="source", horizon_days=20),
    "pushes": of_week("pushes", by="owner"),
    "renewals": of_week("renewals", by="owner"),
    "retention": lambda deals, at: metrics.retention(
        deals, as_of=at, period=Period(at - timedelta(days=7), at)
    ),
    "review": of_week("review"),
    "same_period_rate": of_week("same_period_rate", by="owner"),
    "sizing_from": whole("sizing_from", target=EURO, seed=1, draws=100, rates=ONE_FOR_ONE),
    "slippage": of_week("slippage", by="owner"),
    "stage_speed": plainly("stage_speed", pipelines=[SIX_STAGES]),
    "stall_limits": whole("stall_limits", least=1),
    "stalled": plainly("stalled", rule="last_touch", limits=timedelta(days=3)),
    "total_time_in_stage": plainly("total_time_in_stage"),
    "velocity_attribution": lambda deals, at: metrics.velocity_attribution(
        deals, before=weeks(at)[0], after=weeks(at)[2], **AT_RATES
    ),
    "velocity_series": lambda deals, at: metrics.velocity_series(
        deals, periods=weeks(at), **AT_RATES
    ),
    "weighted_value": plainly("weighted_value", policy=("sticky", "until_move", "model", "stage")),
    "win_probability": plainly("win_probability", horizon_days=9),
    "win_rate_by_size": whole("win_rate_by_size", thresholds=[EURO], rates=ONE_FOR_ONE),
}
OF_CONTACTS: dict[str, Recipe] = {
    **{
        name: plainly(name)
        for name in (
            "attempts",
            "close_ratio",
            "contacts_by_lead_status",
            "contacts_by_lifecycle_stage",
            "lead_response_time",
            "lead_to_customer",
            "leads",
            "qualified_leads",
        )
    },
    "answered_within": plainly("answered_within", promise=timedelta(hours=4)),
    "close_ratio_by_cohort": lambda contacts, at: metrics.close_ratio_by_cohort(
        contacts, as_of=at, periods=weeks(at)
    ),
    "referral_share": whole("referral_share", referral_sources={"referral", "a"}),
    "silent_leads": whole("silent_leads", days=2),
}


def test_every_figure_has_a_recipe_here():
    assert sorted(figures()) == sorted({*OF_NUMBERS, *OF_DEALS, *OF_CONTACTS})


def told(recipe, records, at):
    """What a figure says, when it was taken included; or which error it gives, and why."""
    try:
        result = recipe(records, at)
    except SalesPipelineError as fault:
        return type(fault), str(fault)
    return result, _rows(result)


def _rows(result):
    results = result if type(result) is tuple else (result,)
    return [each.to_dicts() for each in results if hasattr(each, "to_dicts")]


SOUND = [
    deal(
        number, moved(number + 2, "offer"), *steps, record=f"d-{number}", owner="ada", source="a",
        account="acme", amount=Money(100 * number + 100, "EUR"),
        expected_close=day(number + 9).date(),
    )
    for number, steps in enumerate(
        [[won(5)], [lost(9)], [won(9, 700)], [], [lost(12)], [won(12)], [], [won(14)]]
    )
]  # fmt: skip
PEOPLE = [
    contact(number, reached(number + 1, "lead"), *steps, record=f"c-{number}", source="a")
    for number, steps in enumerate([[], [reached(7, "customer")], [reached(9, "opportunity")]])
]


@pytest.mark.parametrize("name", [*OF_DEALS, *OF_CONTACTS])
def test_a_recipe_gives_a_figure_of_sound_records(name):
    records, recipes = (SOUND, OF_DEALS) if name in OF_DEALS else (PEOPLE, OF_CONTACTS)
    result, rows = told(recipes[name], records, day(16))
    assert not isinstance(result, type), (result, rows)


deal_bodies = st.lists(read_deals(), min_size=1, max_size=3)
contact_bodies = st.lists(read_contacts(), min_size=1, max_size=3)


@pytest.mark.parametrize("name", OF_DEALS)
@FEWER
@given(data=st.data(), deals=deal_bodies, at=moments())
def test_what_happens_later_changes_no_figure_of_deals(name, data, deals, at):
    more = data.draw(grown(deals, at, deal_happenings())) + later_records(deals, at)
    assert told(OF_DEALS[name], more, at) == told(OF_DEALS[name], deals, at)


@pytest.mark.parametrize("name", OF_CONTACTS)
@FEWER
@given(data=st.data(), contacts=contact_bodies, at=moments())
def test_what_happens_later_changes_no_figure_of_contacts(name, data, contacts, at):
    more = data.draw(grown(contacts, at, contact_happenings())) + later_records(contacts, at)
    assert told(OF_CONTACTS[name], more, at) == told(OF_CONTACTS[name], contacts, at)
