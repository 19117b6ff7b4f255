"""Figures: from records, or a tally of them, to a number with its counts and its interval.

Every figure takes the histories of records and the instant to judge from, ``as_of``; most take a
``period``, a ``by`` to group by, and the ``level`` of their intervals. Events after ``as_of``
change nothing. A figure with nothing under it is None, never 0.
"""

from salespipeline.metrics._figure import Amounts, Figure, Number, Rate
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics.conversion import (
    close_ratio,
    close_ratio_by_cohort,
    contacts_by_lead_status,
    contacts_by_lifecycle_stage,
    leads,
    qualified_leads,
)
from salespipeline.metrics.incidence import Ending, Incidence, cumulative_incidence
from salespipeline.metrics.outcomes import (
    RestrictedMean,
    Step,
    Survival,
    time_to_close,
    win_rate_closed,
    win_rate_created,
)
from salespipeline.metrics.summary import Summary, summary
from salespipeline.metrics.value import StageCount, average_deal_size, deals_by_stage
from salespipeline.metrics.velocity import (
    Durations,
    NumberOf,
    StageTime,
    Velocity,
    VelocityStep,
    cycle_length,
    deal_lifetime,
    pipeline_velocity,
    time_in_stage,
    velocity,
    velocity_series,
)

__all__ = [
    "Amounts",
    "Durations",
    "Ending",
    "Figure",
    "Groups",
    "Incidence",
    "Number",
    "NumberOf",
    "Rate",
    "RestrictedMean",
    "Result",
    "StageCount",
    "StageTime",
    "Step",
    "Summary",
    "Survival",
    "Table",
    "Velocity",
    "VelocityStep",
    "average_deal_size",
    "close_ratio",
    "close_ratio_by_cohort",
    "contacts_by_lead_status",
    "contacts_by_lifecycle_stage",
    "cumulative_incidence",
    "cycle_length",
    "deal_lifetime",
    "deals_by_stage",
    "leads",
    "pipeline_velocity",
    "qualified_leads",
    "summary",
    "time_in_stage",
    "time_to_close",
    "velocity",
    "velocity_series",
    "win_rate_closed",
    "win_rate_created",
]
