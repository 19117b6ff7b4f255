"""Pipelines of Pipedrive and their stages."""

from datetime import timedelta
from decimal import Decimal

from salespipeline.connectors._frames import Frame, Frames, StageRow
from salespipeline.connectors._members import Members, number, percent


def frames() -> Frames:
    """Pipelines to be put together from rows of Pipedrive."""
    return Frames("pipeline_id", _frame, _stage)


def _frame(members: Members) -> Frame:
    switched = [members.flag(name) for name in ("deal_probability", "is_deal_probability_enabled")]
    return Frame(members.text("name"), _place(members), False not in switched)


def _stage(members: Members) -> StageRow:
    """What the row of a stage says; a probability of 100 % is nobody's claim."""
    chance = members.read("deal_probability", percent)
    rots = members.flag("rotten_flag") or members.flag("is_deal_rot_enabled")
    days = [members.read(name, _days) for name in ("rotten_days", "days_to_rotten")]
    rot_after = next((each for each in days if each is not None), None)
    is_deleted = members.flag("active_flag") is False or members.flag("is_deleted") is True
    return StageRow(
        members.text("name"),
        members.text("pipeline_name"),
        _place(members),
        (is_deleted,),
        None if chance == 1 else chance,
        rot_after if rots else None,
    )


def _place(members: Members) -> Decimal:
    return members.read("order_nr", number) or Decimal(0)


def _days(value: object, name: str) -> timedelta | None:
    days = number(value, name)
    return timedelta(days=float(days)) if days > 0 else None
