"""One lead's way as the article on lead status and lifecycle stage tells it, step by step.

Source: "Lead Status vs Lifecycle Stage: The Key Distinctions Every Sales Team Must Understand".
"""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from salespipeline import (
    SEVEN_STAGES,
    Contact,
    ContactHistory,
    Deal,
    DealHistory,
    DeniedError,
    LifecycleStage,
    Money,
    audit,
    handled_by,
    metrics,
)
from salespipeline.events import LeadStatusSet, LifecycleStageSet
from salespipeline.journey import where
from salespipeline.triggers import STANDARD_TRIGGERS
from stories import START, reached
from stories import contact as read_contact


def on(month, day, year=2026):
    return datetime(year, month, day, 9, tzinfo=UTC)


VISITED = on(11, 3, 2025)
DOWNLOADED, WEBINAR, DEMO = on(11, 4, 2025), on(11, 10, 2025), on(11, 12, 2025)
CONFIRMED = on(11, 14, 2025)
FIRST_TRY, SECOND_TRY, THIRD_TRY = on(11, 17, 2025), on(11, 24, 2025), on(12, 1, 2025)
PROPOSAL, LATER = on(12, 8, 2025), on(1, 5)
BACK, COMMITTED, BOUGHT = on(4, 7), on(4, 20), on(4, 24)
END = on(5, 1)
REVISIT = date(2026, 4, 1)


class Telling:
    """The contact and the deal as they go on, with every event and the contact after each day."""

    def __init__(self):
        self.contact, created = Contact.create("c-1", at=VISITED, by="site", name="Robin")
        self.events, self.deal_events = [created], []
        self.deal = None

    def do(self, command, *arguments, **facts):
        self.contact, event = getattr(self.contact, command)(*arguments, **facts)
        self.events.append(event)

    def behave(self, behaviour, at, by="site"):
        """The activity is noted, and the trigger set says what follows."""
        self.do("record_activity", behaviour, at=at, by=by, direction="inbound")
        self.contact, events = STANDARD_TRIGGERS.apply(self.contact, behaviour, at=at, by=by)
        self.events += events

    def sell(self, command, *arguments, **facts):
        subject = Deal if self.deal is None else self.deal
        self.deal, event = getattr(subject, command)(*arguments, pipeline=SEVEN_STAGES, **facts)
        self.deal_events.append(event)


def marketing(telling):
    telling.behave("content_download", DOWNLOADED)
    telling.behave("webinar", WEBINAR)
    telling.behave("demo_requested", DEMO)


def first_round(telling):
    sales = {"by": "ada", "role": "sales"}
    telling.do("advance", "sales_qualified_lead", at=CONFIRMED, **sales)
    for at in (FIRST_TRY, SECOND_TRY, THIRD_TRY):
        telling.do("record_activity", "call", at=at, direction="outbound", **sales)
        if at == FIRST_TRY:
            telling.do("set_lead_status", "attempted_to_contact", at=at, **sales)
    telling.do("set_lead_status", "connected", at=THIRD_TRY, **sales)
    telling.sell(
        "open", "d-1", at=PROPOSAL, stage="proposal", contacts=["c-1"], amount=Money(9000, "EUR"),
        owner="ada", **sales,
    )  # fmt: skip
    telling.behave("deal_opened", PROPOSAL, by="ada")
    telling.sell("lose", at=LATER, reason="revisit in the second quarter", **sales)
    telling.do("set_lead_status", "bad_timing", at=LATER, revisit_on=REVISIT, **sales)


def second_round(telling):
    sales = {"by": "ada", "role": "sales"}
    telling.do("record_activity", "email_reply", at=BACK, by="site", direction="inbound")
    telling.do("set_lead_status", "connected", at=BACK, **sales)
    telling.sell("reopen", at=BACK, stage="negotiation_and_commitment", **sales)
    telling.behave("commitment", COMMITTED, by="ada")
    telling.sell("win", at=BOUGHT, **sales)
    telling.behave("deal_won", BOUGHT, by="ada")


@pytest.fixture(scope="module")
def story():
    telling = Telling()
    for chapter in (marketing, first_round, second_round):
        chapter(telling)
    history = ContactHistory(telling.events)
    assert history.latest == telling.contact
    return SimpleNamespace(contact=history, deal=DealHistory(telling.deal_events))


STEPS = [
    # at, lifecycle stage, lead status, who handles the contact, broad stage
    (VISITED, None, None, "marketing", None),
    (DOWNLOADED, "lead", None, "marketing", "prospecting"),
    (WEBINAR, "lead", None, "marketing", "prospecting"),
    (DEMO, "marketing_qualified_lead", None, "marketing", "lead_qualification"),
    (CONFIRMED, "sales_qualified_lead", "new", "sales", "lead_qualification"),
    (FIRST_TRY, "sales_qualified_lead", "attempted_to_contact", "sales", "lead_qualification"),
    (SECOND_TRY, "sales_qualified_lead", "attempted_to_contact", "sales", "lead_qualification"),
    (THIRD_TRY, "sales_qualified_lead", "connected", "sales", "initial_contact"),
    (PROPOSAL, "sales_qualified_lead", "open_deal", "sales", "proposal"),
    (LATER, "sales_qualified_lead", "bad_timing", "marketing", "lead_qualification"),
    (BACK, "sales_qualified_lead", "connected", "sales", "negotiation_and_commitment"),
    (COMMITTED, "opportunity", None, "sales", "negotiation_and_commitment"),
    (BOUGHT, "customer", None, "success", "follow_up_and_retention"),
]


@pytest.mark.parametrize(("at", "stage", "status", "team", "journey"), STEPS)
def test_at_every_step_the_contact_stands_where_the_article_says(
    story, at, stage, status, team, journey
):
    contact = story.contact.as_of(at)
    assert contact.lifecycle_stage == stage
    assert contact.lead_status == status
    assert handled_by(contact.lifecycle_stage, contact.lead_status) == team
    deal = story.deal.as_of(at)
    deals = [] if deal is None else [deal]
    assert where(contact, deals, pipelines=[SEVEN_STAGES]) == journey


def test_only_sales_confirms_the_sales_qualified_lead_and_the_first_status_comes_with_it(story):
    (confirmed,) = [
        event
        for event in story.contact.events
        if isinstance(event, LifecycleStageSet) and event.stage is LifecycleStage.SQL
    ]
    assert (confirmed.at, confirmed.role, confirmed.lead_status) == (CONFIRMED, "sales", "new")


def test_three_tries_are_one_status_and_three_activities(story):
    calls = [event for event in story.contact.events if getattr(event, "kind", None) == "call"]
    assert [event.at for event in calls] == [FIRST_TRY, SECOND_TRY, THIRD_TRY]
    tried = [v for v in story.contact.status_visits(END) if v.state == "attempted_to_contact"]
    assert [(visit.entered, visit.left) for visit in tried] == [(FIRST_TRY, THIRD_TRY)]


def test_a_deal_needed_a_proposal_and_the_contact_got_a_status_but_no_stage_for_it(story):
    (opened,) = [
        event
        for event in story.contact.events
        if isinstance(event, LeadStatusSet) and event.status == "open_deal"
    ]
    assert opened.at == PROPOSAL == story.deal.events[0].at
    before, after = story.contact.as_of(THIRD_TRY), story.contact.as_of(PROPOSAL)
    assert before.lifecycle_stage is after.lifecycle_stage is LifecycleStage.SQL
    assert before.stage_since == after.stage_since


def test_bad_timing_carries_the_date_to_revisit_until_the_next_status(story):
    assert story.contact.as_of(LATER).revisit_on == REVISIT
    assert story.contact.as_of(BACK).revisit_on is None


def test_three_months_later_sales_picks_up_at_connected_and_it_is_the_same_sql(story):
    parked, back = story.contact.as_of(LATER), story.contact.as_of(BACK)
    assert (back.status_since, back.stage_since) == (BACK, parked.stage_since)
    assert (BACK - LATER).days == 92


def test_the_statuses_went_back_and_forth(story):
    visits = story.contact.status_visits(END)
    assert [(visit.state, visit.number, visit.left) for visit in visits] == [
        ("new", 1, FIRST_TRY),
        ("attempted_to_contact", 1, THIRD_TRY),
        ("connected", 1, PROPOSAL),
        ("open_deal", 1, LATER),
        ("bad_timing", 1, BACK),
        ("connected", 2, COMMITTED),
    ]


def test_the_stages_only_went_forward(story):
    visits = story.contact.visits(END)
    assert [(visit.state, visit.entered) for visit in visits] == [
        ("lead", DOWNLOADED),
        ("marketing_qualified_lead", DEMO),
        ("sales_qualified_lead", CONFIRMED),
        ("opportunity", COMMITTED),
        ("customer", BOUGHT),
    ]
    assert [visit.number for visit in visits] == [1] * 5


def test_the_figures_see_the_big_picture_and_the_daily_work_apart(story):
    people = [story.contact]
    parked = {"as_of": on(2, 1)}
    assert metrics.contacts_by_lead_status(people, **parked) == {"bad_timing": 1}
    assert metrics.contacts_by_lifecycle_stage(people, **parked)[LifecycleStage.SQL] == 1
    assert metrics.qualified_leads(people, at="sales_qualified_lead", **parked).value == 1
    assert metrics.close_ratio(people, **parked).numerator == 0
    assert metrics.close_ratio(people, as_of=END).numerator == 1
    assert metrics.contacts_by_lead_status(people, as_of=END) == {}


def test_nothing_in_the_story_breaks_a_rule(story):
    report = audit.audit([story.contact], [story.deal], as_of=END, pipelines=[SEVEN_STAGES])
    assert report.findings == ()
    assert (report.contacts, report.deals) == (1, 1)


def test_the_behaviours_fed_again_change_nothing(story):
    customer = story.contact.latest
    for behaviour in STANDARD_TRIGGERS.behaviours:
        after = STANDARD_TRIGGERS.apply(customer, behaviour, at=END, by="site")
        if behaviour != "promoted_us":
            assert after == (customer, ())


# The two biggest mistakes


@pytest.mark.parametrize("stage", [None, "subscriber", "lead", "marketing_qualified_lead"])
@pytest.mark.parametrize("status", ["new", "attempted_to_contact"])
def test_a_status_for_somebody_who_is_not_yet_an_sql_is_denied(stage, status):
    contact, _ = Contact.create("c-1", at=START, by="form", stage=stage)
    with pytest.raises(DeniedError) as caught:
        contact.set_lead_status(status, at=START, by="ada")
    (denial,) = caught.value.decision.denials
    assert (denial.code, denial.expected) == ("status_inactive", (LifecycleStage.SQL,))


def test_taking_a_stage_back_for_want_of_a_status_is_denied_at_every_step(story):
    for at, stage, *_ in STEPS:
        contact = story.contact.as_of(at)
        for lower in LifecycleStage if stage else ():
            if lower < contact.lifecycle_stage:
                with pytest.raises(DeniedError, match="the lifecycle moves forward only") as caught:
                    contact.advance(lower, at=END, by="ada")
                assert [denial.code for denial in caught.value.decision.denials] == ["backward"]


def test_both_mistakes_in_records_of_another_system_are_found_and_no_stage_goes_back():
    early = read_contact(0, reached(2, "lead", "new"), record="early", stage="subscriber")
    sent_back = read_contact(
        0, reached(3, "sales_qualified_lead", "new"), reached(9, "lead"), record="sent-back"
    )
    clean = read_contact(0, reached(3, "sales_qualified_lead", "new"), record="clean")
    people = [early, sent_back, clean]
    found = audit.audit(people, as_of=END).by_code()
    assert {code: [f.record for f in findings] for code, findings in found.items()} == {
        "status_before_sql": ["early"],
        "backward_lifecycle": ["sent-back"],
        "sql_without_status": ["sent-back"],
    }
    by_stage = metrics.contacts_by_lifecycle_stage(people, as_of=END)
    assert {stage.value: n for stage, n in by_stage.items() if n} == {
        "lead": 1,
        "sales_qualified_lead": 2,
    }
    assert [visit.state for visit in sent_back.visits(END)] == ["sales_qualified_lead"]
