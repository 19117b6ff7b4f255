"""How many contacts come how far."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import overload

from salespipeline._doors import choice, instance, instances
from salespipeline.contacts import Contact
from salespipeline.history import ContactHistory
from salespipeline.lifecycle import LifecycleStage, StatusScheme
from salespipeline.metrics._figure import Counting, Number, Rate
from salespipeline.metrics._result import Groups
from salespipeline.periods import Period
from salespipeline.tallies import Moment, Person, Tally, people
from salespipeline.tallies._asking import asks

_COHORT = Counting[ContactHistory](people, Moment.CREATION, "cohort", kind=Contact)
_NOW = Counting[ContactHistory](people, Moment.AS_OF, None, kind=Contact)


@_COHORT.figure
def leads(tally: Tally[Person], _level: float) -> Number:
    """The number of leads: contacts whose furthest stage is lead or beyond.

    A contact that skipped the lead stage counts. A group is the one of the first event at lead
    or beyond.

    Definition:
        Formula: the count of contacts with a recorded stage of lead or beyond.
        Denominator: none.
        Window: the first event at lead or beyond in the period; all time without one.
        Bias: grows with imports and duplicates: merge records of one person first.
        Elsewhere: HubSpot's funnel report of "all stages" has only those who passed the stages
            in order.

    Returns:
        The number; 0 where there is none.

    Source: ActiveCampaign, What is a sales pipeline? (number of leads).
    """
    return Number(_at_or_beyond(tally, LifecycleStage.LEAD))


@overload
def qualified_leads(
    contacts: Iterable[ContactHistory] | Tally[Person],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: None = None,
    at: LifecycleStage | str = LifecycleStage.MARKETING_QUALIFIED_LEAD,
    level: float = 0.95,
) -> Rate: ...


@overload
def qualified_leads(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    period: Period | None = None,
    by: str,
    at: LifecycleStage | str = LifecycleStage.MARKETING_QUALIFIED_LEAD,
    level: float = 0.95,
) -> Groups[Hashable, Rate]: ...


@asks(Contact, at=LifecycleStage)
def qualified_leads(
    contacts: Iterable[ContactHistory] | Tally[Person],
    *,
    as_of: datetime | None = None,
    period: Period | None = None,
    by: str | None = None,
    at: LifecycleStage | str = LifecycleStage.MARKETING_QUALIFIED_LEAD,
    level: float = 0.95,
) -> Rate | Groups[Hashable, Rate]:
    """Qualified leads among all leads: the numerator is their number.

    Definition:
        Formula: leads at the stage or beyond ÷ leads.
        Denominator: contacts at lead or beyond.
        Window: the first event at lead or beyond in the period; all time without one.
        Bias: young leads have had less time; compare cohorts of like age.
        Elsewhere: HubSpot's funnel report of "all stages" loses those who skipped the stage.

    Args:
        contacts: The histories of contacts, or a tally of people.
        as_of: The instant to judge from.
        period: Only leads of this cohort: whose first event at lead or beyond lies in it.
        by: A field of the contact to group by, as it was at that event.
        at: The stage from which a lead is qualified: marketing-qualified, or sales-qualified.
        level: The confidence of the interval.

    Returns:
        The rate; without any lead its value and interval are None.

    Source: ActiveCampaign, What is a sales pipeline? (how many leads have been qualified).
    """
    stage = choice(LifecycleStage, at, "at")

    def finish(tally: Tally[Person], level: float) -> Rate:
        qualified = _at_or_beyond(tally, max(stage, LifecycleStage.LEAD))
        return Rate.of(qualified, _at_or_beyond(tally, LifecycleStage.LEAD), level)

    return _COHORT.measure(finish, contacts, as_of, period, by, level)


@_COHORT.figure
def close_ratio(tally: Tally[Person], level: float) -> Rate:
    """Customers among leads.

    A group is the one of the first event at lead or beyond.

    Definition:
        Formula: leads that became customers by the instant ÷ leads.
        Denominator: contacts at lead or beyond.
        Window: the first event at lead or beyond in the period; all time without one.
        Bias: low for young leads, which have had less time: see `close_ratio_by_cohort`.
        Elsewhere: Oracle's "conversion rate" is of deals created; Kellblog's "close rate" is of
            sales-accepted leads in the period in which they close.

    Returns:
        The rate; without any lead its value and interval are None.

    Source: ActiveCampaign, What is a sales pipeline? (close ratio).
    """
    customers = _at_or_beyond(tally, LifecycleStage.CUSTOMER)
    return Rate.of(customers, _at_or_beyond(tally, LifecycleStage.LEAD), level)


@asks(Contact)
def close_ratio_by_cohort(
    contacts: Iterable[ContactHistory],
    *,
    as_of: datetime,
    periods: Iterable[Period],
    level: float = 0.95,
) -> Groups[Period, Rate]:
    """Customers among leads for each cohort, in the order of the periods.

    Definition:
        Formula: leads of the cohort that became customers by the instant ÷ leads of the cohort.
        Denominator: contacts whose first event at lead or beyond lies in the cohort's period.
        Window: one cohort per period.
        Bias: the last cohorts are low, since their leads have had less time.
        Elsewhere: most dashboards divide the customers of a month by the leads of the same month.

    Args:
        contacts: The histories of contacts.
        as_of: The instant to judge from.
        periods: The cohorts' periods, such as months; they do not overlap, and are in order.
        level: The confidence of the intervals.
    """
    cohorts = instances(Period, periods, "periods")
    tally = people(contacts, as_of=as_of, periods=cohorts)
    ratios = {cohort: close_ratio(tally, period=cohort, level=level) for cohort in cohorts}
    return Groups(ratios, tally.as_of)


@_NOW.figure
def contacts_by_lifecycle_stage(
    tally: Tally[Person], _level: float
) -> Groups[LifecycleStage | None, int]:
    """The number of contacts at each lifecycle stage, as of the instant.

    Definition:
        Formula: the count of contacts by their furthest recorded stage.
        Denominator: none.
        Window: the instant.
        Bias: a furthest stage is never left: a customer who went stays one.
        Elsewhere: HubSpot sorts "other" behind every stage; here it is no stage.

    Returns:
        One entry per stage, in order, zeros included; None, for contacts on no stage, is last.
    """
    order = (*LifecycleStage, None)
    found = {row: count.n for row, count in tally.rows.items()}
    return Groups(
        (stage, sum(n for row, n in found.items() if row.stage is stage)) for stage in order
    )


@overload
def contacts_by_lead_status(
    contacts: Iterable[ContactHistory] | Tally[Person],
    *,
    as_of: datetime | None = None,
    by: None = None,
    scheme: StatusScheme | None = None,
) -> Groups[str, int]: ...


@overload
def contacts_by_lead_status(
    contacts: Iterable[ContactHistory] | Tally[Person],
    *,
    as_of: datetime | None = None,
    by: str,
    scheme: StatusScheme | None = None,
) -> Groups[Hashable, Groups[str, int]]: ...


@asks(Contact, scheme=StatusScheme)
def contacts_by_lead_status(
    contacts: Iterable[ContactHistory] | Tally[Person],
    *,
    as_of: datetime | None = None,
    by: str | None = None,
    scheme: StatusScheme | None = None,
) -> Groups[str, int] | Groups[Hashable, Groups[str, int]]:
    """The number of contacts in each lead status, as of the instant.

    Definition:
        Formula: the count of contacts by the lead status in force.
        Denominator: none.
        Window: the instant.
        Bias: none known.
        Elsewhere: Salesforce's lead status is a list of its own that marks one as converted.

    Args:
        contacts: The histories of contacts, or a tally of people.
        as_of: The instant to judge from.
        by: A field of the contact to group by, as of the instant.
        scheme: The lead statuses in use: a contact with a retired key counts in its successor.

    Returns:
        One entry per status that occurs, the most frequent first; contacts without one are left
        out.
    """
    now = None if scheme is None else instance(StatusScheme, scheme, "scheme")

    def finish(tally: Tally[Person], _level: float) -> Groups[str, int]:
        found: dict[str, int] = {}
        for row, count in tally.rows.items():
            if row.status is not None:
                status = row.status if now is None else now.current(row.status)
                found[status] = found.get(status, 0) + count.n
        return Groups(sorted(found.items(), key=lambda each: (-each[1], each[0])))

    return _NOW.measure(finish, contacts, as_of, None, by, 0.95)


def _at_or_beyond(tally: Tally[Person], stage: LifecycleStage) -> int:
    return sum(
        count.n for row, count in tally.rows.items() if row.stage is not None and row.stage >= stage
    )
