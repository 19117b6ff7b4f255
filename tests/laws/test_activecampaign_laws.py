"""Whatever ActiveCampaign answers, reading ends in records and problems that add up."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from json_strategies import adds_up, ends_well, json_values, mutated
from salespipeline.connectors.activecampaign import read_contacts, read_deals, read_pipelines
from salespipeline.events import Lost, Moved, Opened, Reopened, Won
from salespipeline.money import Money
from salespipeline.pipelines import Pipeline, Stage
from strategies import currencies

LATER = datetime(2040, 1, 1, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, 15, tzinfo=UTC)
SALES = Pipeline("1", [Stage("7"), Stage("8"), Stage("9")])

GROUP = {"id": "1", "title": "Sales", "currency": "usd", "links": {"stages": "https://x"}}
STAGE = {"id": "7", "group": "1", "title": "Talk", "order": "1", "cdate": None}
DEAL = {
    "id": "5", "title": "Roof", "value": "120050", "currency": "usd", "status": "1",
    "group": "1", "stage": "8", "owner": "3", "contact": "77", "account": None,
    "organization": "12", "percent": "40", "cdate": "2026-03-02T09:00:00-06:00",
    "mdate": "2026-03-21T09:00:00-05:00", "nextdate": None, "winProbability": 60,
    "winProbabilityMdate": "2026-03-19T09:00:00-05:00", "edate": "2026-03-07 00:00:00",
    "links": {"stage": "https://x"}, "isDisabled": False, "description": "",
}  # fmt: skip
CONTACT = {
    "id": "8", "email": "ada@example.com", "firstName": "Ada", "lastName": "L", "deleted": "0",
    "cdate": "2026-03-02T09:00:00-06:00", "udate": "2026-03-05T09:00:00-06:00", "orgid": "0",
    "orgname": "Acme", "scoreValues": [], "links": {"deals": "https://x"}, "deleted_at": None,
}  # fmt: skip
SCORE = {
    "id": "1", "score": "2", "contact": "8", "deal": None, "scoreValue": "35",
    "cdate": "2026-03-02T09:00:00-06:00", "mdate": "2026-03-09T09:00:00-06:00",
}  # fmt: skip


def activity(number, at, kind, old, new, **more):
    return {
        "id": str(number), "deal": "5", "d_id": "5", "userid": "3", "dataId": "0",
        "dataType": kind, "dataAction": new, "dataOldval": old, "cdate": at, **more,
    }  # fmt: skip


CREATED = activity(1, FIRST.isoformat(), "", "", "add")
ACTIVITIES = [
    CREATED,
    activity(2, "2026-03-03T09:00:00-06:00", "d_stageid", "7", "8"),
    activity(3, "2026-03-04T09:00:00-06:00", "note", "", "add", dataId="12"),
    activity(4, "2026-03-05T09:00:00-06:00", "userid", "4", "3"),
    activity(5, "2026-03-06T09:00:00-06:00", "contact", "", "add", dataId="77"),
    activity(6, "2026-03-20T09:00:00-05:00", "status", "0", "1"),
]


@given(json_values(), json_values(), json_values())
def test_any_value_at_all_is_read_or_refused_by_an_error_of_ours(one, other, third):
    ends_well(lambda: read_pipelines(one, other))
    ends_well(lambda: read_deals(one, activities=other, scores=third))
    ends_well(lambda: read_deals([DEAL], activities=one, currency=other))
    ends_well(lambda: read_deals([DEAL], pipelines=one, modified_closes=other))
    ends_well(lambda: read_contacts(one, scores=other))


@given(
    st.lists(mutated(DEAL), max_size=4),
    st.lists(mutated(*ACTIVITIES), max_size=8),
    st.lists(mutated(SCORE | {"deal": "5"}), max_size=3),
    st.booleans(),
)
def test_damaged_deals_activities_and_scores_add_up(deals, activities, scores, closes):
    for pipelines in ((), (SALES,)):
        found = read_deals(
            deals, activities=activities, scores=scores, pipelines=pipelines, modified_closes=closes
        )
        adds_up(found, deals, activities, scores)


@given(st.lists(mutated(GROUP), max_size=3), st.lists(mutated(STAGE), max_size=5))
def test_damaged_pipelines_add_up(groups, stages):
    found = read_pipelines(groups, stages)
    adds_up(found, groups, stages)
    assert len({each.key for each in found.pipelines}) == len(found.pipelines)


@given(st.lists(mutated(CONTACT), max_size=4), st.lists(mutated(SCORE), max_size=4))
def test_damaged_contacts_and_scores_add_up(contacts, scores):
    adds_up(read_contacts(contacts, scores=scores), contacts, scores)


# Sound activities: what happened is what is read


@st.composite
def lives(draw):
    """A deal that moves, closes and reopens by the minute, as steps of (type, old, new)."""
    stage, status, steps = "7", "0", []
    for _ in range(draw(st.integers(0, 10))):
        if draw(st.booleans()):
            new = draw(st.sampled_from([each for each in ("7", "8", "9") if each != stage]))
            steps.append(("d_stageid", stage, new))
            stage = new
        else:
            new = draw(st.sampled_from([each for each in ("0", "1", "2") if each != status]))
            steps.append(("status", status, new))
            status = new
    return steps, stage, status


def told(steps):
    return [
        activity(number + 2, (FIRST + timedelta(minutes=number + 1)).isoformat(), *step)
        for number, step in enumerate(steps)
    ]


def rebuilt(life, activities):
    _, stage, status = life
    row = {
        "id": "5", "stage": stage, "group": "1", "status": status, "cdate": FIRST.isoformat(),
    }  # fmt: skip
    found = read_deals([row], activities=activities, pipelines=[SALES])
    assert found.problems == ()
    return found.histories[0]


@given(lives(), st.randoms(use_true_random=False))
def test_every_activity_is_one_event_whatever_their_order(life, shuffler):
    steps, _, _ = life
    rows = [CREATED, *told(steps)]
    history = rebuilt(life, shuffler.sample(rows, len(rows)))
    kinds = {"0": Reopened, "1": Won, "2": Lost}
    wanted, status = [], "0"
    for kind, _, new in steps:
        if kind == "status":
            status = new
            wanted.append(kinds[new])
        elif status == "0":
            wanted.append(Moved)
    assert [type(each) for each in history.events if hasattr(each, "stage_left")] == wanted
    assert isinstance(history.events[0], Opened)
    assert history.events[0].stage == "7"


@given(lives())
def test_a_deal_ends_where_its_row_says_and_its_stays_sum_to_its_age(life):
    steps, stage, status = life
    history = rebuilt(life, [CREATED, *told(steps)])
    names = {"0": stage, "1": "won", "2": "lost"}
    assert history.latest.stage == names[status]
    assert (history.latest.closed_at is None) == (status == "0")
    stays = history.visits(LATER)
    total = sum(((stay.left or LATER) - stay.entered for stay in stays), start=timedelta())
    assert total == LATER - FIRST


@given(st.integers(-(10**9), 10**9), currencies())
def test_a_value_counts_hundredths_in_every_currency(cents, code):
    row = {
        "id": 5, "stage": 7, "group": 1, "status": 0, "cdate": FIRST.isoformat(),
        "value": cents, "currency": code.lower(),
    }  # fmt: skip
    found = read_deals([row])
    amount = found.histories[0].latest.amount
    if amount is None:
        assert cents % 100
        assert [problem.column for problem in found.problems] == ["value"]
    else:
        assert amount.amount * 100 == cents
        assert isinstance(amount, Money)
        assert amount.currency == code
