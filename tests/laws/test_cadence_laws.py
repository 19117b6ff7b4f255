"""What must be so of every cadence, whenever it begins and however it is asked."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from salespipeline.cadence import Attempts, Recurrence, Reminders, Roll, WorkingDays
from salespipeline.periods import Period, Unit, on

DATES = st.dates(date(2020, 1, 1), date(2032, 12, 31))
ZONES = st.sampled_from(
    [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), timezone(timedelta(hours=13))]
)
WORKING = st.builds(
    WorkingDays, st.sets(st.integers(0, 6), max_size=6), st.sets(DATES, max_size=20)
)
ROLLS = st.sampled_from(Roll)
CADENCES = st.one_of(
    st.builds(
        lambda days, working, counted, roll: Attempts(
            [(day, "call") for day in sorted(days)], days=working, counted=counted, roll=roll
        ),
        st.lists(st.integers(1, 60), min_size=1, max_size=6), WORKING, st.booleans(), ROLLS,
    ),
    st.builds(
        lambda unit, every, working, roll: Recurrence(unit, every, days=working, roll=roll),
        st.sampled_from(Unit), st.integers(1, 5), WORKING, ROLLS,
    ),
    st.builds(
        lambda days, working, roll: Reminders(days, days=working, roll=roll),
        st.lists(st.integers(0, 120), min_size=1, max_size=5), WORKING, ROLLS,
    ),
)  # fmt: skip
MINUTES = st.integers(0, 12 * 366 * 1440)
INSTANTS = MINUTES.map(lambda n: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@st.composite
def cut(draw):
    """A period and an instant in it."""
    first, middle, last = sorted(draw(st.lists(INSTANTS, min_size=3, max_size=3, unique=True)))
    return Period(first, last), middle


@given(CADENCES, DATES, cut(), ZONES)
def test_touches_lie_in_their_period_in_order_and_are_stable_when_asked_piecewise(
    cadence, start, cut_, zone
):
    period, middle = cut_
    found = cadence.within(period, start=start, zone=zone)
    assert [touch.on for touch in found] == sorted(touch.on for touch in found)
    assert [touch.number for touch in found] == sorted({touch.number for touch in found})
    assert all(touch.at(time(), zone) in period for touch in found)
    parts = [Period(period.start, middle), Period(middle, period.end)]
    assert found == tuple(
        touch for part in parts for touch in cadence.within(part, start=start, zone=zone)
    )


@given(CADENCES, DATES, DATES)
def test_the_next_touch_is_the_first_later_one(cadence, start, after):
    due = cadence.next_due(start=start, after=after)
    year = Period.between(after + timedelta(days=1), after + timedelta(days=2200))
    later = cadence.within(year, start=start)
    assert due == (later[0] if later else due)
    assert due is None or due.on > after


@given(CADENCES, DATES, INSTANTS, st.none() | DATES, ZONES)
def test_what_is_overdue_is_before_today_and_after_the_last_touch(
    cadence, start, as_of, after, zone
):
    late = cadence.overdue(start=start, as_of=as_of, after=after, zone=zone)
    assert all(touch.on < on(as_of, zone) for touch in late)
    assert all(after is None or touch.on > after for touch in late)
    due = cadence.next_due(start=start, after=after)
    if late:
        assert late[0] == due
    elif due is not None:
        assert due.on >= on(as_of, zone)


@given(WORKING, DATES, st.integers(-60, 60))
def test_working_days_counted_there_are_counted_back(working, day, number):
    begun = working.rolled(day, Roll.FOLLOWING)
    there = working.plus(begun, number)
    assert working.plus(there, -number) == begun
    assert there in working
    first, last = sorted([begun, there])
    assert working.between(first, last) == abs(number)


@given(WORKING, DATES, DATES, ROLLS)
def test_rolling_keeps_the_order_of_dates(working, one, other, roll):
    first, last = sorted([one, other])
    assert working.rolled(first, roll) <= working.rolled(last, roll)
    assert roll is Roll.STAY or working.rolled(one, roll) in working
