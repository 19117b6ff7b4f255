"""What every result tells of itself: rows of plain values, a table of text, a table of HTML."""

import copy
import json
import pickle
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import frozen

from salespipeline import metrics
from salespipeline.intervals import Interval
from salespipeline.metrics import Amounts, Groups, Incidence, Number, Rate, Survival, Table
from salespipeline.metrics._result import Result
from salespipeline.money import Money
from salespipeline.periods import Period
from salespipeline.pipelines import Outcome
from salespipeline.tallies import Count
from stories import day, deal, lost, won

PLAIN = (str, int, float, Decimal, date, type(None))
NOW, MAY = datetime(2026, 6, 1, tzinfo=UTC), Period.month(2026, 5)
WHEN = {"as_of": NOW, "period_start": MAY.start, "period_end": MAY.end}
NEVER = dict.fromkeys(WHEN)
NOTHING_LEFT_OUT = {"left_out": 0, "left_out_why": None}


@frozen
class Odd(Result):
    """A result with every kind of part."""

    share: Fraction
    interval: Interval | None
    spread_interval: Interval | None
    due_period: Period | None
    amount: Money | None
    outcome: Outcome
    stages: tuple[object, ...]
    by: dict[str, int]
    other: object

    columns = (
        "share", "interval", "spread_interval", "due_period", "amount", "outcome", "stages", "by",
        "other",
    )  # fmt: skip


ODD = Odd(
    Fraction(1, 4),
    Interval(0.1, None, 0.9, "made"),
    None,
    MAY,
    Money("12.50", "EUR"),
    Outcome.WON,
    ("a", Outcome.LOST),
    {"early": 1, "late": 2},
    timedelta(days=2),
    left_out={"start_unknown": 2, "too_odd": 0},
    as_of=NOW,
)


def test_what_has_parts_takes_several_columns():
    (row,) = ODD.to_dicts()
    assert row == {
        "share": 0.25,
        "low": 0.1,
        "high": None,
        "level": 0.9,
        "method": "made",
        "spread_low": None,
        "spread_high": None,
        "spread_level": None,
        "spread_method": None,
        "due_period_start": MAY.start,
        "due_period_end": MAY.end,
        "amount": Decimal("12.50"),
        "amount_currency": "EUR",
        "outcome": "won",
        "stages": "a, lost",
        "by_early": 1,
        "by_late": 2,
        "other": "2 days, 0:00:00",
        "left_out": 2,
        "left_out_why": "2 start_unknown",
    } | NEVER | {"as_of": NOW}


def test_a_period_that_is_none_has_its_columns_all_the_same():
    empty = Odd(Fraction(0), None, None, None, None, Outcome.OPEN, (), {}, None)
    (row,) = empty.to_dicts()
    assert (row["due_period_start"], row["due_period_end"], row["low"]) == (None, None, None)
    assert row["left_out"] == 0


def test_a_rate_tells_its_value_its_counts_and_its_interval():
    rate = Rate.of(1, 4)
    assert rate.to_dicts() == [
        {
            "value": 0.25,
            "numerator": 1,
            "denominator": 4,
            "low": rate.interval.low,
            "high": rate.interval.high,
            "level": 0.95,
            "method": "wilson",
        }
        | NOTHING_LEFT_OUT
        | NEVER
    ]


def test_a_figure_says_when_it_was_taken_and_of_which_period():
    sold = [deal(0, won(4)), deal(1, lost(9))]
    week = Period(day(0), day(7))
    rate = metrics.win_rate_closed(sold, as_of=day(20), period=week)
    assert (rate.as_of, rate.period) == (day(20), week)
    grouped = metrics.win_rate_closed(sold, as_of=day(20), by="owner")
    assert (grouped.as_of, grouped.period) == (day(20), None)
    assert {each.as_of for each in grouped.values()} == {day(20)}
    stages = metrics.time_in_stage(sold, as_of=day(20))
    assert stages.as_of == day(20)
    assert stages.to_dicts()[0]["as_of"] == day(20)


def test_when_it_was_taken_is_no_part_of_what_a_result_says():
    one, other = Rate.of(1, 4), Rate(1, 4, Rate.of(1, 4).interval, as_of=NOW, period=MAY)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Rate(1, 4, one.interval, left_out={"start_unknown": 1})


def test_a_number_reads_as_a_number():
    assert str(Number(1234)) == "1,234"
    assert Number(3).to_dicts() == [{"n": 3} | NOTHING_LEFT_OUT | NEVER]


def test_amounts_tell_a_row_for_each_currency():
    amounts = Amounts.of([("EUR", Count(2, 1050)), ("JPY", Count(1, 7)), (None, Count(3))])
    assert [list(row.values())[:3] for row in amounts.to_dicts()] == [
        ["EUR", 2, Decimal("10.50")],
        ["JPY", 1, Decimal(7)],
        [None, 3, None],
    ]
    assert [row["currency"] for row in Amounts.of([("EUR", Count(1, 5))]).rows()] == ["EUR"]
    assert [row["n"] for row in Amounts.of([]).rows()] == [0]


def test_a_curve_tells_a_row_for_each_day_on_which_something_ended():
    curve = Survival.of([(3, True), (5, True), (9, False)])
    assert [(row["day"], row["ended"]) for row in curve.to_dicts()] == [(3, 1), (5, 1)]
    shares = Incidence.of([(3, "won"), (5, "lost"), (9, None)])
    told = [(row["day"], row["cause"], row["ended"]) for row in shares.to_dicts()]
    assert told == [(3, "won", 1), (3, "lost", 0), (5, "won", 0), (5, "lost", 1)]
    assert shares.row()["ended_lost"] == 1


def test_a_summary_is_one_row_with_the_figures_of_each_name():
    sold = [deal(0, won(4)), deal(1)]
    (row,) = metrics.summary(sold, as_of=day(20)).to_dicts()
    assert (row["won"], row["win_rate_closed"], row["win_rate_closed_denominator"]) == (1, 1.0, 1)
    assert row["time_to_close_n"] == 2


def test_groups_and_tables_have_one_row_for_each_row_of_each():
    groups = Groups({"ada": Rate.of(1, 4), None: Rate.of(0, 0)}, NOW, MAY)
    rows = groups.to_dicts()
    assert [(row["group"], row["value"]) for row in rows] == [("ada", 0.25), (None, None)]
    assert rows[0] | WHEN == rows[0]
    table = Table([Number(1), Rate.of(1, 2)], NOW)
    assert [(row["n"], row["value"]) for row in table.to_dicts()] == [(1, None), (None, 0.5)]
    assert Groups({Outcome.WON: 3}).to_dicts() == [{"group": "won", "n": 3} | NEVER]
    nested = Groups({"ada": Groups({"new": 2})})
    assert nested.rows() == [{"group": "ada", "subgroup": "new", "n": 2}]


def test_every_value_told_is_plain():
    sold = [deal(0, won(4)), deal(1)]
    results = [
        ODD,
        metrics.summary(sold, as_of=day(20), by="owner"),
        metrics.time_in_stage(sold, as_of=day(20)),
        metrics.deals_by_stage(sold, as_of=day(20), by="owner"),
        metrics.pipeline_velocity(sold, as_of=day(20)),
        metrics.velocity_series(sold, periods=[MAY]),
        metrics.time_to_close(sold, as_of=day(20)).restricted_mean(3),
    ]
    for result in results:
        rows = result.to_dicts()
        assert all(isinstance(value, PLAIN) for row in rows for value in row.values())
        assert len({tuple(row) for row in rows}) <= 1
        json.dumps(rows, default=str)


@pytest.mark.parametrize(
    "result",
    [Groups({"a": 1}, NOW, MAY), Table([1, 2], NOW, MAY), ODD],
    ids=["groups", "table", "one"],
)
def test_results_are_copied_and_pickled_with_when_they_were_taken(result):
    for other in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):  # noqa: S301 - our own bytes
        assert (other, other.as_of, other.period) == (result, result.as_of, result.period)
        assert type(other) is type(result)


def test_a_table_of_text_is_aligned_and_leaves_out_what_nothing_says():
    table = Table([Number(5), Number(1000, left_out={"too_odd": 1})])
    assert str(table).splitlines() == [
        "    n  left_out  left_out_why",
        "    5         0  –",
        "1,000         1  1 too_odd",
    ]
    assert str(Table()) == "nothing"
    assert str(Groups()) == "nothing"
    assert str(Table([Number(5)])) == "n  5"


def test_a_single_result_reads_as_a_list_of_what_it_tells():
    lines = str(ODD).splitlines()
    assert lines[0].split() == ["share", "0.25", "(0.1", "to", "–)"]
    assert ["amount", "12.50", "EUR"] in [line.split() for line in lines]
    assert lines[-1] == "intervals: 90 % made"
    assert str(Durations_of(12_345.678)).splitlines()[1].split() == ["mean_days", "12,345.7"]


def Durations_of(days):  # noqa: N802 - reads as what it makes
    return metrics.Durations(1, days, None)


def test_a_figure_stands_with_its_counts_its_interval_and_its_currency():
    @frozen
    class Line(Result):
        name: str
        rate: Rate
        spread_interval: Interval | None
        worth: Money | None
        sums: Amounts
        at: datetime | None

        columns = ("name", "rate", "spread_interval", "worth", "sums", "at")

    sums = Amounts.of([("EUR", Count(2, 1050)), (None, Count(3))])
    odd = Rate(1, 4, None, left_out={"too_odd": 2})
    table = Table(
        [
            Line("a", Rate.of(1, 4), Interval(1, None, 0.9, "made"), Money(5, "EUR"), sums, NOW),
            Line("b", Rate.of(0, 0), None, None, sums, NOW + timedelta(hours=3)),
            Line("c", odd, None, None, Amounts.of([]), None),
        ]
    )
    assert [" ".join(line.split()) for line in str(table).splitlines()] == [
        "name rate spread worth sums_n sums_EUR at",
        "a 25.0% (1 of 4; 4.6% to 69.9%) 1 to – 5.00 EUR 5 (3 without amount) 10.50 2026-06-01",
        "b none (0 of 0) – – 5 (3 without amount) 10.50 2026-06-01 03:00",
        "c 25.0% (1 of 4; left out: 2 too_odd) – – 0 – –",
        "intervals: 95 % wilson, 90 % made",
    ]


def test_an_interval_without_its_figure_is_shown_alone():
    @frozen
    class Ends(Result):
        interval: Interval | None
        columns = ("interval",)

    ends = Table([Ends(Interval(0.25, 0.5, 0.95, "made")), Ends(None)])
    assert str(ends).split("\n")[:3] == ["interval", "0.25 to 0.5", "–"]
    assert str(metrics.RestrictedMean(3.5, 9.0, 1.0, 0.95)).startswith(
        "days     3.5 (1.54 to 5.46)"
    )


def test_the_html_of_a_result_is_escaped():
    evil = Groups({"<script>alert(1)</script>": Number(1), "a&b": Number(2)}, NOW, MAY)
    page = evil._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a&amp;b" in page
    assert "as of 2026-06-01" in page
    assert ODD._repr_html_().startswith("<table><caption>Odd, as of 2026-06-01")
    assert Table([Number(1)])._repr_html_().count("<tr>") == 2


def test_a_yes_or_no_reads_as_such():
    @frozen
    class Flag(Result):
        flagged: bool
        columns = ("flagged",)

    assert str(Table([Flag(flagged=True), Flag(flagged=False)])).split() == ["flagged", "yes", "no"]


def test_an_average_size_tells_its_mean_and_not_the_sum():
    sold = [deal(0, won(4, 100)), deal(1, won(5, 101)), deal(1, won(6))]
    size = metrics.average_deal_size(sold, as_of=day(20))
    assert size.to_dicts()[0]["mean"] == Decimal("100.50")
    assert [row["currency"] for row in size.rows()] == ["EUR", None]
    assert size.rows()[1]["mean"] is None
    (row,) = metrics.summary(sold, as_of=day(20)).to_dicts()
    assert row["average_deal_size_EUR"] == Decimal("100.50")
    assert row["average_deal_size_n"] == 3
