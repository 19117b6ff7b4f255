"""Rulebooks by which each stage and status is moved by the team that owns it.

Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must Understand".
"""

from salespipeline.conditions import made_by
from salespipeline.lifecycle import STANDARD_STATUSES, LifecycleStage, StatusScheme, Team
from salespipeline.rules import Rulebook
from salespipeline.rules.rule import Rule

OWNED_LIFECYCLE = Rulebook.forward(
    "owned lifecycle",
    LifecycleStage,
    meaning="the lifecycle moves forward only",
    rules=[
        Rule(
            "marketing up to MQL", made_by(Team.MARKETING),
            targets=[LifecycleStage.SUBSCRIBER, LifecycleStage.LEAD, LifecycleStage.MQL],
            meaning="marketing finds and nurtures people until sales should look at them",
        ),
        Rule(
            "sales beyond", made_by(Team.SALES),
            targets=[LifecycleStage.SQL, LifecycleStage.OPPORTUNITY, LifecycleStage.CUSTOMER],
            meaning="only sales says that somebody is worth pursuing, and what became of it",
        ),
        Rule(
            "sales or success for advocates", made_by(Team.SALES, Team.SUCCESS),
            targets=[LifecycleStage.EVANGELIST],
            meaning="those who serve a customer know who promotes the business",
        ),
    ],
)  # fmt: skip
"""The lifecycle with owners: marketing moves up to MQL, sales beyond, by the role of a move."""

OWNED_STATUSES = StatusScheme(
    "owned",
    STANDARD_STATUSES.statuses,
    rulebook=Rulebook.free(
        "owned statuses",
        STANDARD_STATUSES.keys,
        rules=[Rule("sales only", made_by(Team.SALES), meaning="lead status is sales' alone")],
    ),
)
"""The six standard statuses, set by sales only, by the role of the one who sets them."""
