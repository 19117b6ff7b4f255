"""One good call of every public figure and tally, found by its parameters' names.

A figure added later is called by the same names; one with a parameter that has no good value here
fails until it is given one.
"""

import inspect
from datetime import date, timedelta
from fractions import Fraction

from record_strategies import BOARD, LEAN
from salespipeline import metrics, tallies
from salespipeline.deals import Term
from salespipeline.events import ActivityRecorded, ConcessionMade, Direction
from salespipeline.money import Money
from stories import (
    BY_THEN,
    contact,
    day,
    days,
    deal,
    euros,
    given_to,
    lost,
    moved,
    reached,
    reopened,
    won,
    worth,
)


def functions(module):
    """The public functions of a package, by name."""
    named = {name: getattr(module, name) for name in module.__all__}
    return {name: each for name, each in named.items() if inspect.isfunction(each)}


APART = frozenset(
    {
        "backtest", "calibration", "categories", "chance_table", "courses", "forecast",
        "forecast_categories", "win_chances",
    }
)  # fmt: skip
"""What is no tally, and the figures that learn from deals first: their own tests call them."""

FIGURES = {name: each for name, each in functions(metrics).items() if name not in APART}
TALLIES = {name: each for name, each in functions(tallies).items() if name not in APART}

AS_OF = day(90)
PERIOD = days(0, 60)


def _called(at, direction=Direction.OUTBOUND):
    return at, ActivityRecorded, {"kind": "call", "direction": direction}


def _term(first, last, amount):
    start = date(2026, 1, 1)
    return Term(start + timedelta(first), start + timedelta(last), euros(amount))


DEALS = (
    deal(
        0, _called(1), moved(3, "offer"), (4, ConcessionMade, {"what": "price", "value": euros(9)}),
        given_to(5, "bob"), won(9, 900), record="d-1", owner="ada", account="acme",
        amount=euros(1000), contacts=("c-1",), source="referral", term=_term(9, 40, 100),
        expected_close=date(2026, 1, 9),
    ),
    deal(
        41, won(50, 1200), record="d-2", owner="ada", account="acme", amount=euros(1200),
        renews="d-1", contacts=("c-1",), source="fair", term=_term(40, 400, 120),
    ),
    deal(2, moved(4, "hold"), lost(20), reopened(30), moved(31, "offer"), record="d-3",
         owner="bob", account="apex", amount=euros(500), expected_close=date(2026, 5, 1)),
    deal(10, _called(11), lost(30), record="d-4", owner="bob", amount=Money(70, "EUR")),
    deal(15, worth(16, euros(80)), record="d-5", owner="<b>", account="apex", attributes={"a": 1},
         expected_close=date(2026, 2, 1)),
    deal(20, moved(25, "offer"), moved(26, "talk"), record="d-6", start=BY_THEN, contacts=("c-2",)),
    deal(9, won(3, 40), record="d-7", account="ape", owner="<b>"),
    deal(50, lost(70), record="d-8", owner="ada", observed_from=day(55), amount=euros(3)),
)  # fmt: skip
CONTACTS = (
    contact(0, reached(1, "lead"), _called(2), reached(3, "sales_qualified_lead", "NEW"),
            _called(4), _called(5, Direction.INBOUND), reached(9, "customer"), record="c-1",
            owner="ada", source="referral"),
    contact(5, reached(6, "marketing_qualified_lead"), record="c-2", owner="<b>", source="fair"),
    contact(8, _called(30), record="c-3", stage="sales_qualified_lead", lead_status="NEW"),
    contact(20, reached(22, "lead"), record="c-4", owner="bob"),
)  # fmt: skip

GOOD = {
    "after": days(30, 60),
    "ages": (10, 30),
    "as_of": AS_OF,
    "average_size": euros(400),
    "before": days(0, 30),
    "contacts": CONTACTS,
    "cycle_days": Fraction(40),
    "days": 3,
    "deals": DEALS,
    "horizon_days": 30,
    "needed": 10,
    "number": "open",
    "people": 3,
    "period": PERIOD,
    "periods": (days(0, 30), days(30, 60)),
    "pipelines": (BOARD, LEAN),
    "policy": metrics.DEAL_FIRST,
    "promise": timedelta(hours=1),
    "quota": euros(2000),
    "records": DEALS,
    "rule": "time_in_stage",
    "runs": 20,
    "seed": 7,
    "target": euros(9000),
    "thresholds": (euros(100), euros(800)),
    "unit": "month",
    "weights": {"ada": 1, "bob": 2},
    "win_rate": 0.25,
}
"""What is given for a parameter that must be given, or whose usual value leaves little to see."""

OWN = {
    "attainment_steps": {"weights": (1, 2, 1)},
    "close_ratio": {"records": CONTACTS},
    "contacts_by_lifecycle_stage": {"records": CONTACTS},
    "cycles": {"start": ("board", "talk")},
    "funnel": {"pipeline": BOARD},
    "leads": {"records": CONTACTS},
    "leads_needed": {"deals": 20},
    "pipeline_velocity": {"period": None},
    "profile": {"by": "owner"},
    "reach": {"pipeline": BOARD},
    "stall_limits": {"least": 1},
    "velocity": {"number": 50},
}
"""What a figure is given otherwise than others of the same parameter."""

GROUPED = {
    "attainment": {"quota": {"ada": euros(100), "<b>": euros(5)}},
    "pipeline_coverage": {"quota": {"ada": euros(100), "<b>": euros(5)}},
    "sizing_from": {"target": {"ada": euros(100), "<b>": euros(5)}},
}
"""What else changes where a figure is asked for by a field."""


def asked(name, call, **otherwise):
    """The arguments of a good call, by name, some of them otherwise."""
    given = dict(GOOD) | OWN.get(name, {})
    found = {}
    for each in inspect.signature(call).parameters.values():
        usual = each.name in ("period", "periods", "pipelines", "runs", "deals", "contacts")
        own = each.name in OWN.get(name, {})
        if each.default is inspect.Parameter.empty or own or usual or each.name == "as_of":
            found[each.name] = given[each.name]
    if name in _OF_AN_INSTANT:
        found.pop("period", None)
    return found | otherwise


_OF_AN_INSTANT = frozenset({"contacts_by_lifecycle_stage", "deal_age", "summary"})
"""Figures that take a period as all made alike do, and refuse it."""


def called(name, call, **otherwise):
    """What a good call gives."""
    return call(**asked(name, call, **otherwise))


def called_by(name, call, by="owner"):
    """What a good call by a field gives."""
    return called(name, call, **({"by": by} | GROUPED.get(name, {})))
