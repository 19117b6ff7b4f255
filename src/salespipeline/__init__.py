"""Sales pipelines as plain values: contacts, deals, rules, histories and honest figures.

The types and errors stand here. What must be so for a move is said in `salespipeline.conditions`,
figures are functions of `salespipeline.metrics`, findings come from `salespipeline.audit` and
`salespipeline.conformance`, readers of other systems' shapes are modules of
`salespipeline.connectors`, forms to keep and to share come from `salespipeline.interchange`.
These modules are imported when they are first asked for.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from salespipeline.attributes import Attributes
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import (
    HistoryError,
    InvalidValueError,
    MixedCurrenciesError,
    NaiveTimeError,
    SalesPipelineError,
    UnknownKeyError,
    WrongTypeError,
)
from salespipeline.events import (
    ForecastCategory,
    NextStep,
    ProbabilityBasis,
    SaleType,
    Start,
    Term,
)
from salespipeline.history import ContactHistory, DealHistory, Reading, Visit
from salespipeline.intervals import Interval
from salespipeline.lifecycle import (
    LIFECYCLE,
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LeadStatus,
    LifecycleStage,
    Status,
    StatusScheme,
    handled_by,
)
from salespipeline.money import Money
from salespipeline.periods import Period, Unit
from salespipeline.pipelines import (
    HUBSPOT_DEFAULT,
    SALESFORCE_DEFAULT,
    SEVEN_STAGES,
    SIX_STAGES,
    Outcome,
    Pipeline,
    Stage,
)
from salespipeline.rules import Decision, DeniedError, Override, Rulebook

if TYPE_CHECKING:
    from salespipeline import audit, metrics

__all__ = [
    "HUBSPOT_DEFAULT",
    "LIFECYCLE",
    "RECYCLABLE_STATUSES",
    "SALESFORCE_DEFAULT",
    "SEVEN_STAGES",
    "SIX_STAGES",
    "STANDARD_STATUSES",
    "Attributes",
    "Contact",
    "ContactHistory",
    "Deal",
    "DealHistory",
    "Decision",
    "DeniedError",
    "ForecastCategory",
    "HistoryError",
    "Interval",
    "InvalidValueError",
    "LeadStatus",
    "LifecycleStage",
    "MixedCurrenciesError",
    "Money",
    "NaiveTimeError",
    "NextStep",
    "Outcome",
    "Override",
    "Period",
    "Pipeline",
    "ProbabilityBasis",
    "Reading",
    "Rulebook",
    "SaleType",
    "SalesPipelineError",
    "Stage",
    "Start",
    "Status",
    "StatusScheme",
    "Term",
    "Unit",
    "UnknownKeyError",
    "Visit",
    "WrongTypeError",
    "audit",
    "handled_by",
    "metrics",
]


_LATER = frozenset(
    {
        "audit", "cadence", "conditions", "conformance", "connectors", "interchange", "journey",
        "metrics", "ownership", "prediction", "qualification", "routing", "scoring", "tallies",
        "triggers",
    }
)  # fmt: skip


def __getattr__(name: str) -> ModuleType:
    """The module of that name, imported now."""
    if name in _LATER:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
