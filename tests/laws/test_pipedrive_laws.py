"""Whatever Pipedrive answers, reading ends in records and problems that add up."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from json_strategies import adds_up, ends_well, json_values, mutated
from salespipeline.connectors.pipedrive import read_contacts, read_deals, read_pipelines
from salespipeline.events import Lost, Moved, Opened, Reopened, Won
from salespipeline.pipelines import Outcome, Pipeline, Stage

LATER = datetime(2040, 1, 1, tzinfo=UTC)
SALES = Pipeline("1", [Stage("7"), Stage("8"), Stage("9")])
HASH = "3042fdabaaa338250d9d59b3431417407698d496"

STAGE = {
    "id": 7, "pipeline_id": 1, "name": "Talk", "order_nr": 1, "deal_probability": 40,
    "rotten_flag": True, "rotten_days": 14, "active_flag": True, "pipeline_name": "Sales",
}  # fmt: skip
PIPELINE = {"id": 1, "name": "Sales", "order_nr": 1, "deal_probability": 1}
DEAL = {
    "id": 5, "title": "Roof", "status": "lost", "stage_id": 8, "pipeline_id": 1, "value": 1200.5,
    "currency": "EUR", "probability": 60, "add_time": "2026-03-02 09:00:00",
    "update_time": "2026-03-21 10:00:00", "stage_change_time": "2026-03-05 10:00:00",
    "lost_time": "2026-03-20 15:30:00", "close_time": "2026-03-20 15:30:00", "won_time": None,
    "first_won_time": "2026-03-06 10:00:00", "lost_reason": "price", "active": False,
    "expected_close_date": "2026-04-01", "org_id": {"name": "Acme", "value": 3},
    "person_id": {"name": "Ada", "value": 77, "email": [{"value": "a@b.c", "primary": True}]},
    "user_id": {"id": 9, "value": 9, "name": "Bob"}, HASH: "gold", "deleted": False,
    "custom_fields": {"9" * 40: {"value": 3, "currency": "EUR"}},
}  # fmt: skip


def row(number, at, key, old, new, **more):
    return {
        "object": "dealChange", "timestamp": at,
        "data": {
            "id": number, "item_id": 5, "user_id": 9, "field_key": key, "old_value": old,
            "new_value": new, "log_time": at, "change_source": "app", **more,
        },
    }  # fmt: skip


FLOW = [
    row(9, "2026-03-20 15:30:00", "lost_reason", None, "price"),
    row(8, "2026-03-20 15:30:00", "status", "open", "lost"),
    row(7, "2026-03-19 10:00:00", "value", "100", "1200.5"),
    row(6, "2026-03-05 10:00:00", "stage_id", "7", "8"),
    row(5, "2026-03-04 10:00:00", HASH, {"tier": "tin"}, "gold"),
    {
        "object": "activity", "timestamp": "2026-03-04 00:00:00",
        "data": {"id": 2, "deal_id": 5, "type": "call", "done": True, "due_date": "2026-03-04",
                 "add_time": "2026-03-02 10:00:00", "subject": "ring", "user_id": 9},
    },
    {"object": "note", "timestamp": "2026-03-03 00:00:00", "data": {"id": 3, "deal_id": 5}},
    row(1, "2026-03-02 09:00:00", "add_time", None, "2026-03-02 09:00:00"),
]  # fmt: skip
CHANGELOG = [
    {"field_key": "status", "old_value": "open", "new_value": "lost", "actor_user_id": 9,
     "time": "2026-03-20T15:30:00Z", "change_source": "api"},
    {"field_key": "person_id", "old_value": "76", "new_value": "77", "actor_user_id": 9,
     "time": "2026-03-10T15:30:00Z"},
]  # fmt: skip
PERSON = {
    "id": 532, "name": "Ada L", "add_time": "2023-02-22 15:40:06", "org_name": "abc",
    "update_time": "2023-02-23 15:40:06", "delete_time": None, "active_flag": True,
    "email": [{"value": "", "primary": True}, {"value": "ada@example.com", "primary": False}],
    "org_id": None, "owner_id": {"id": 9, "value": 9}, "marketing_status": "unsubscribed",
}  # fmt: skip


@given(json_values(), json_values(), json_values())
def test_any_value_at_all_is_read_or_refused_by_an_error_of_ours(one, other, third):
    ends_well(lambda: read_pipelines(one, other))
    ends_well(lambda: read_deals(one, flow=other, currency=third))
    ends_well(lambda: read_deals([DEAL], flow={5: one}))
    ends_well(lambda: read_deals(one, pipelines=other))
    ends_well(lambda: read_contacts(one))


@given(st.lists(mutated(DEAL), max_size=4), st.lists(mutated(*FLOW, *CHANGELOG), max_size=8))
def test_damaged_deals_and_logs_add_up(deals, flow):
    for pipelines in ((), (SALES,)):
        found = read_deals(deals, flow={"5": flow}, pipelines=pipelines, currency="EUR")
        adds_up(found, deals, flow)


@given(st.lists(mutated(PIPELINE), max_size=3), st.lists(mutated(STAGE), max_size=5))
def test_damaged_pipelines_add_up(pipelines, stages):
    found = read_pipelines(pipelines, stages)
    adds_up(found, pipelines, stages)
    assert len({each.key for each in found.pipelines}) == len(found.pipelines)


@given(st.lists(mutated(PERSON, {"item": "person", "id": 4, "data": PERSON}), max_size=4))
def test_damaged_persons_add_up(persons):
    adds_up(read_contacts(persons), persons)


# Sound logs: what happened is what is read


@st.composite
def lives(draw):
    """A deal that moves, closes and reopens by the minute, as steps of (field, old, new)."""
    stage, status, steps = "7", "open", []
    for _ in range(draw(st.integers(0, 10))):
        if draw(st.booleans()):
            new = draw(st.sampled_from([each for each in ("7", "8", "9") if each != stage]))
            steps.append(("stage_id", stage, new))
            stage = new
        else:
            known = ("open", "won", "lost")
            new = draw(st.sampled_from([each for each in known if each != status]))
            steps.append(("status", status, new))
            status = new
    return steps, stage, status


def told(steps):
    return [
        row(number + 2, f"2026-03-02 10:{number:02}:00", key, old, new)
        for number, (key, old, new) in enumerate(steps)
    ]


def present(stage, status):
    return {
        "id": 5, "stage_id": int(stage), "pipeline_id": 1, "status": status,
        "add_time": "2026-03-02 09:00:00", "value": 100, "currency": "EUR",
    }  # fmt: skip


CREATED = row(1, "2026-03-02 09:00:00", "add_time", None, "2026-03-02 09:00:00")


def rebuilt(life):
    steps, stage, status = life
    flow = [*reversed(told(steps)), CREATED]
    found = read_deals([present(stage, status)], flow={5: flow}, pipelines=[SALES])
    assert found.problems == ()
    return found.histories[0]


@given(lives())
def test_a_deal_ends_where_its_row_says(life):
    _, stage, status = life
    deal = rebuilt(life).latest
    assert deal.outcome == status
    assert deal.stage == (stage if status == "open" else status)
    assert (deal.closed_at is None) == (status == "open")


@given(lives())
def test_every_status_of_a_log_is_one_event_that_leaves_the_place_before(life):
    steps, _, _ = life
    kinds = {"open": Reopened, "won": Won, "lost": Lost}
    wanted, stage, status = [], "7", "open"
    for key, _, new in steps:
        before = stage if status == "open" else status
        if key == "status":
            status = new
            wanted.append((kinds[new], before, stage if new == "open" else new))
        else:
            stage = new
            if status == "open":
                wanted.append((Moved, before, stage))
    placed = [event for event in rebuilt(life).events if hasattr(event, "stage_left")]
    got = [(type(event), event.stage_left, event.stage) for event in placed]
    assert got == wanted


@given(lives(), st.integers(0, 10))
def test_a_log_cut_short_gives_the_same_events_from_there_on(life, kept):
    steps, stage, status = life
    newest = [*reversed(told(steps)), CREATED][:kept]
    found = read_deals([present(stage, status)], flow={5: newest}, pipelines=[SALES])
    whole = rebuilt(life)
    if newest and found.histories:
        first = found.histories[0].events[0]
        cut = {event.identity: type(event) for event in found.histories[0].events[1:]}
        full = {event.identity: type(event) for event in whole.events}
        assert isinstance(first, Opened)
        assert first.at == whole.events[0].at
        assert first.identity == whole.events[0].identity
        assert cut.items() <= full.items()
        assert (first.observed_from is None) == (CREATED in newest)


@given(lives())
def test_the_order_of_a_log_changes_nothing(life):
    steps, stage, status = life
    flow = [CREATED, *told(steps)]
    found = read_deals([present(stage, status)], flow={"5": flow}, pipelines=[SALES])
    assert found.histories[0] == rebuilt(life)


@given(lives())
def test_the_age_of_a_deal_is_the_sum_of_its_stays(life):
    history = rebuilt(life)
    stays = history.visits(LATER)
    total = sum(((visit.left or LATER) - visit.entered for visit in stays), start=LATER - LATER)
    assert total == LATER - history.latest.opened_at
    assert all(visit.entry_known for visit in stays)


@given(lives())
def test_what_a_stage_means_is_open_whatever_the_status_is_called(life):
    _, _, status = life
    deal = rebuilt(life).latest
    assert SALES.outcome(deal.stage) is Outcome(status)
