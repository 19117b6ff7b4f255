"""Figures: from records, or a tally of them, to a number with its counts and its interval.

Every figure takes the histories of records and the instant to judge from, ``as_of``; most take a
``period``, a ``by`` to group by, and the ``level`` of their intervals. Events after ``as_of``
change nothing. A figure with nothing under it is None, never 0.
"""

from salespipeline.metrics._figure import (
    Amounts,
    AverageSize,
    ContactFigure,
    DealFigure,
    Number,
    Rate,
    RateFigure,
    RateInterval,
)
from salespipeline.metrics._result import Groups, Result, Table
from salespipeline.metrics._spread import Baseline, Spread
from salespipeline.metrics.ageing import AgeBand, Ageing, ageing
from salespipeline.metrics.attainment import (
    Attainment,
    TeamAttainment,
    attainment,
    attainment_steps,
)
from salespipeline.metrics.attempts import Attempts, AttemptStep, attempts, attempts_to_win
from salespipeline.metrics.attribution import (
    Attribution,
    VelocityInput,
    VelocityPart,
    velocity_attribution,
)
from salespipeline.metrics.backtest import (
    Accuracy,
    Backtest,
    Backtested,
    ChancesOf,
    ForecastMethod,
    SkippedOrigin,
    backtest,
    calibration,
)
from salespipeline.metrics.book_value import (
    DEAL_FIRST,
    MODEL_FIRST,
    STAGE_ONLY,
    DueValue,
    Weighted,
    WeightedValue,
    WhenDue,
    pipeline_by_due_date,
    weighted_value,
)
from salespipeline.metrics.bridge import Bridge, pipeline_bridge
from salespipeline.metrics.categories import (
    ByHand,
    CategoryLine,
    CategoryPolicy,
    RollUp,
    forecast_categories,
)
from salespipeline.metrics.chain import AbsorbingChain, FromState
from salespipeline.metrics.cohorts import (
    CohortCell,
    SamePeriodRate,
    cohort_rate,
    cohort_table,
    same_period_rate,
)
from salespipeline.metrics.concessions import (
    Concessions,
    Discount,
    DiscountIn,
    concessions,
    discount,
)
from salespipeline.metrics.conversion import (
    close_ratio,
    close_ratio_by_cohort,
    contacts_by_lead_status,
    contacts_by_lifecycle_stage,
    leads,
    qualified_leads,
)
from salespipeline.metrics.coverage import Coverage, pipeline_coverage
from salespipeline.metrics.customers import (
    REFERRALS,
    Buyer,
    LeadConversion,
    Referrals,
    RepeatBusiness,
    lead_to_customer,
    referral_share,
    repeat_share,
)
from salespipeline.metrics.durations import Durations, cycle_length, deal_age, deal_lifetime
from salespipeline.metrics.forecast import Forecast, RestsOn, forecast
from salespipeline.metrics.funnels import Funnel, FunnelInterval, FunnelStep, funnel
from salespipeline.metrics.incidence import (
    Ending,
    Incidence,
    WinProbability,
    cumulative_incidence,
    win_probability,
)
from salespipeline.metrics.loyalty import (
    CustomerLifetime,
    Customers,
    Selling,
    customer_lifetime,
    new_and_existing,
)
from salespipeline.metrics.moves import Move, Moves, StageFlow, moves
from salespipeline.metrics.open_chance import (
    ChanceBasis,
    OpenChance,
    StageChance,
    chance_table,
    win_chances,
)
from salespipeline.metrics.outcomes import (
    Hazard,
    RestrictedMean,
    Step,
    Survival,
    time_to_close,
    win_rate_closed,
    win_rate_created,
)
from salespipeline.metrics.profiles import Segment, profile
from salespipeline.metrics.reasons import Reason, reasons
from salespipeline.metrics.response import (
    AnsweredWithin,
    ResponseTime,
    answered_within,
    lead_response_time,
)
from salespipeline.metrics.retention import (
    RecurringRevenue,
    Renewals,
    Retention,
    RevenueRetention,
    recurring_revenue,
    renewals,
    retention,
)
from salespipeline.metrics.review import Change, Gap, Missing, Movement, Question, Review, review
from salespipeline.metrics.silence import SilentLead, SilentLeads, silent_leads
from salespipeline.metrics.sizes import DealSizes, SizeBand, SizesIn, deal_sizes, win_rate_by_size
from salespipeline.metrics.sizing import (
    Needed,
    Sizing,
    deals_needed,
    leads_needed,
    needed_each,
    sizing,
    sizing_by,
    sizing_from,
)
from salespipeline.metrics.slippage import (
    CloseDateError,
    DueEnd,
    Pushes,
    Slippage,
    close_date_error,
    pushes,
    slippage,
)
from salespipeline.metrics.stage_time import (
    StageSpeed,
    StageSpeeds,
    StageTime,
    WhichVisit,
    stage_speed,
    time_in_stage,
    total_time_in_stage,
)
from salespipeline.metrics.stalled import (
    LimitFrom,
    NoLimit,
    Stalled,
    StalledBy,
    StalledDeal,
    StallLimit,
    StallLimits,
    stall_limits,
    stalled,
)
from salespipeline.metrics.strength import StageStrength, StageStrengths, Strength, stage_strength
from salespipeline.metrics.summary import Summary, summary
from salespipeline.metrics.value import (
    PipelineValue,
    StageCount,
    average_deal_size,
    deals_by_stage,
    pipeline_value,
)
from salespipeline.metrics.velocity import (
    CycleOf,
    NumberOf,
    Velocity,
    VelocityStep,
    consistent_velocity,
    pipeline_velocity,
    velocity,
    velocity_series,
)
from salespipeline.metrics.winnable import MostWinnable, RankedBy, Winnable, most_winnable

__all__ = [
    "DEAL_FIRST", "MODEL_FIRST", "REFERRALS", "STAGE_ONLY", "AbsorbingChain", "Accuracy",
    "AgeBand", "Ageing", "Amounts", "AnsweredWithin", "Attainment", "AttemptStep", "Attempts",
    "Attribution", "AverageSize", "Backtest", "Backtested", "Baseline", "Bridge", "Buyer",
    "ByHand", "CategoryLine", "CategoryPolicy", "ChanceBasis", "ChancesOf", "Change",
    "CloseDateError", "CohortCell", "Concessions", "ContactFigure", "Coverage", "CustomerLifetime",
    "Customers", "CycleOf", "DealFigure", "DealSizes", "Discount", "DiscountIn", "DueEnd",
    "DueValue", "Durations", "Ending", "Forecast", "ForecastMethod", "FromState", "Funnel",
    "FunnelInterval", "FunnelStep", "Gap", "Groups", "Hazard", "Incidence", "LeadConversion",
    "LimitFrom", "Missing", "MostWinnable", "Move", "Movement", "Moves", "Needed", "NoLimit",
    "Number", "NumberOf", "OpenChance", "PipelineValue", "Pushes", "Question", "RankedBy", "Rate",
    "RateFigure", "RateInterval", "Reason", "RecurringRevenue", "Referrals", "Renewals",
    "RepeatBusiness", "ResponseTime", "RestrictedMean", "RestsOn", "Result", "Retention",
    "RevenueRetention", "Review", "RollUp", "SamePeriodRate", "Segment", "Selling", "SilentLead",
    "SilentLeads", "SizeBand", "SizesIn", "Sizing", "SkippedOrigin", "Slippage", "Spread",
    "StageChance", "StageCount", "StageFlow", "StageSpeed", "StageSpeeds", "StageStrength",
    "StageStrengths", "StageTime", "StallLimit", "StallLimits", "Stalled", "StalledBy",
    "StalledDeal", "Step", "Strength", "Summary", "Survival", "Table", "TeamAttainment",
    "Velocity", "VelocityInput", "VelocityPart", "VelocityStep", "Weighted", "WeightedValue",
    "WhenDue", "WhichVisit", "WinProbability", "Winnable", "ageing", "answered_within",
    "attainment", "attainment_steps", "attempts", "attempts_to_win", "average_deal_size",
    "backtest", "calibration", "chance_table", "close_date_error", "close_ratio",
    "close_ratio_by_cohort", "cohort_rate", "cohort_table", "concessions", "consistent_velocity",
    "contacts_by_lead_status", "contacts_by_lifecycle_stage", "cumulative_incidence",
    "customer_lifetime", "cycle_length", "deal_age", "deal_lifetime", "deal_sizes",
    "deals_by_stage", "deals_needed", "discount", "forecast", "forecast_categories", "funnel",
    "lead_response_time", "lead_to_customer", "leads", "leads_needed", "most_winnable", "moves",
    "needed_each", "new_and_existing", "pipeline_bridge", "pipeline_by_due_date",
    "pipeline_coverage", "pipeline_value", "pipeline_velocity", "profile", "pushes",
    "qualified_leads", "reasons", "recurring_revenue", "referral_share", "renewals",
    "repeat_share", "retention", "review", "same_period_rate", "silent_leads", "sizing",
    "sizing_by", "sizing_from", "slippage", "stage_speed", "stage_strength", "stall_limits",
    "stalled", "summary", "time_in_stage", "time_to_close", "total_time_in_stage", "velocity",
    "velocity_attribution", "velocity_series", "weighted_value", "win_chances", "win_probability",
    "win_rate_by_size", "win_rate_closed", "win_rate_created",
]  # fmt: skip
