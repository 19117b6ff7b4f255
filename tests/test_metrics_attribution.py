"""What a change in velocity comes from."""

from datetime import timedelta
from fractions import Fraction
from itertools import permutations
from math import log

import pytest

from contracts import check_door, check_value
from salespipeline.errors import InvalidValueError, MixedCurrenciesError
from salespipeline.metrics.attribution import Attribution, VelocityInput, velocity_attribution
from salespipeline.metrics.velocity import (
    CycleOf,
    NumberOf,
    Velocity,
    pipeline_velocity,
    velocity,
    velocity_series,
)
from salespipeline.money import Money
from salespipeline.periods import Period
from stories import days, deal, euros, given_to, lost, won


def rate(number=10, win=Fraction(1, 2), size=100, cycle=20, currency="EUR"):
    return Velocity(number, NumberOf.OPEN, win, size, currency, cycle)


def parts(before, after):
    return [part.exact for part in Attribution.of(before, after).parts]


def test_a_change_in_one_input_is_all_its_own():
    found = Attribution.of(rate(), rate(number=30))
    assert parts(rate(), rate(number=30)) == [50, 0, 0, 0]
    assert [part.money for part in found.parts] == [euros(50), euros(0), euros(0), euros(0)]
    assert (found.change, found.exact_change, found.growth) == (euros(50), 50, 2.0)
    assert [part.log_share for part in found.parts] == [1, 0, 0, 0]


def test_two_inputs_share_what_they_do_together():
    """10 to 20 deals and 100 to 300 euros: 25 to 150 a day.

    Alone the number adds 25 and the size 50; together 125, so 50 more, half to each.
    """
    assert parts(rate(), rate(number=20, size=300)) == [50, 0, 75, 0]


def test_a_shorter_cycle_speeds_up_and_a_longer_one_slows_down():
    assert parts(rate(), rate(cycle=10)) == [0, 0, 0, 25]
    assert parts(rate(), rate(cycle=40)) == [0, 0, 0, Fraction(-25, 2)]
    found = Attribution.of(rate(), rate(cycle=10))
    assert found.parts[3].log_part == pytest.approx(log(2))


def test_each_part_is_the_mean_over_all_orders_of_changing():
    """A second computation, as Shapley told it: every order, one input after the other."""
    before, after = rate(7, Fraction(1, 3), 250, 31), rate(12, Fraction(2, 7), 180, 19)

    def money(values):
        number, win, size, cycle = values
        return Fraction(number) * win * size / cycle

    old, new = (7, Fraction(1, 3), 250, 31), (12, Fraction(2, 7), 180, 19)
    sums = [Fraction()] * 4
    for order in permutations(range(4)):
        now = list(old)
        for place in order:
            had = money(now)
            now[place] = new[place]
            sums[place] += money(now) - had
    assert parts(before, after) == [each / 24 for each in sums]


def test_logarithms_sum_to_that_of_the_whole_factor_and_shares_to_one():
    found = Attribution.of(rate(), rate(15, Fraction(1, 4), 110, 18))
    whole = log(found.after.exact_per_day / found.before.exact_per_day)
    assert sum(part.log_part for part in found.parts) == pytest.approx(whole)
    assert sum(part.log_share for part in found.parts) == pytest.approx(1)


def test_an_input_of_0_has_a_part_in_money_and_none_in_logarithms():
    found = Attribution.of(rate(win=Fraction(0)), rate())
    assert [part.exact for part in found.parts] == [0, 25, 0, 0]
    assert {part.log_part for part in found.parts} == {None}
    assert found.growth is None


def test_inputs_that_cancel_out_have_parts_and_no_shares():
    found = Attribution.of(rate(), rate(number=20, cycle=40))
    assert (found.change, sum(part.exact for part in found.parts)) == (euros(0), 0)
    assert found.parts[0].exact == -found.parts[3].exact > 0
    assert found.parts[0].log_part == pytest.approx(log(2))
    assert {part.log_share for part in found.parts} == {None}


def test_rounded_parts_sum_to_the_rounded_change():
    before = rate(3, Fraction(1, 3), Fraction(1, 100), 3)
    found = Attribution.of(before, rate(4, Fraction(1, 2), Fraction(7, 100), 2))
    # 7 cents less a third of one, in parts that are no whole cents
    assert found.exact_change == Fraction(7 - Fraction(1, 3), 100)
    assert [float(part.exact * 100) % 1 > 0 for part in found.parts] == [True] * 4
    assert found.change == sum((part.money for part in found.parts), euros(0)) == euros("0.07")
    for part in found.parts:
        assert abs(part.money.minor - part.exact * 100) < 1
    yen = Attribution.of(rate(currency="JPY"), rate(11, Fraction(3, 7), 130, 17, currency="JPY"))
    assert sum(part.money.minor for part in yen.parts) == yen.change.minor


def test_what_rounding_leaves_goes_to_the_largest_remainder():
    """2.5 cents and 4.5 are 7: of two halves the first is rounded up."""
    odd = Attribution.of(
        rate(1, Fraction(1), Fraction(1, 100), 1), rate(2, Fraction(1), Fraction(4, 100), 1)
    )
    assert [part.exact * 100 for part in odd.parts] == [Fraction(5, 2), 0, Fraction(9, 2), 0]
    assert [part.money.minor for part in odd.parts] == [3, 0, 4, 0]


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ({"win": None}, "win_rate before is None"),
        ({"size": None}, "average_size before is None"),
        ({"cycle": None}, "cycle_days before is None"),
        ({"cycle": Fraction(0)}, "cycle_days before is 0"),
    ],
)
def test_where_an_input_is_not_defined_there_is_no_change_and_the_reason_is_said(missing, why):
    found = Attribution.of(rate(**missing), rate())
    assert found.undefined == (why,)
    assert (found.change, found.exact_change, found.growth) == (None, None, None)
    for part in found.parts:
        assert (part.exact, part.money, part.log_part, part.log_share) == (None,) * 4
    assert (found.parts[0].before, found.parts[0].after) == (10, 10)
    both = Attribution.of(rate(**missing), rate(**missing))
    assert both.undefined == (why, why.replace("before", "after"))


def test_velocities_in_two_currencies_or_of_other_deals_do_not_compare():
    with pytest.raises(MixedCurrenciesError):
        Attribution.of(rate(), rate(currency="USD"))
    nothing = Velocity(3, NumberOf.OPEN, None, None, None, None)
    assert Attribution.of(nothing, rate()).change is None
    other = Velocity(3, NumberOf.CLOSED, None, None, None, None, CycleOf.CLOSED)
    with pytest.raises(InvalidValueError) as caught:
        Attribution.of(rate(), other)
    assert caught.value.faults == (
        "number_of differs: open before, closed after",
        "cycle_of differs: won before, closed after",
    )


def test_plain_numbers_can_be_compared():
    found = Attribution.of(velocity(10, 0.5, euros(100), 20), velocity(10, 0.4, euros(100), 20))
    assert found.change == euros(-5)


def test_only_velocities_have_a_change():
    check_door(lambda value: Attribution.of(value, rate()))
    check_door(lambda value: Attribution.of(rate(), value))


def test_an_attribution_is_a_value_with_a_row_for_each_input():
    one, same = (Attribution.of(rate(), rate(number=30)) for _ in range(2))
    check_value(one, same, Attribution.of(rate(), rate(number=31)))
    check_value(one.parts[0], same.parts[0], one.parts[1])
    rows = one.to_dicts()
    assert [(row["input"], row["money"]) for row in rows] == [
        ("number", 50),
        ("win_rate", 0),
        ("average_size", 0),
        ("cycle_days", 0),
    ]


# From deals

FIRST, SECOND = days(0, 10), days(10, 20)
BODY = (
    deal(0, won(5, 1000), owner="ada"),
    deal(0, lost(8), owner="ada"),
    deal(1, won(15, 3000), owner="bob"),
    deal(2),
    deal(11, owner="bob"),
)


def test_the_change_between_two_periods_is_that_of_their_velocities():
    found = velocity_attribution(BODY, before=FIRST, after=SECOND)
    first, second = velocity_series(BODY, periods=[FIRST, SECOND])
    assert (found.before, found.after) == (first.velocity, second.velocity)
    # 2 open × 1/2 × 1000 ÷ 5 and 2 open × 1 × 3000 ÷ 14
    assert found.exact_change == Fraction(6000, 14) - 200
    assert sum(part.exact for part in found.parts) == found.exact_change
    assert found.parts[0].exact == 0
    assert found.period == SECOND
    assert found.change == second.change


def test_each_period_is_judged_as_known_at_its_own_end():
    found = velocity_attribution(BODY, before=FIRST, after=SECOND)
    last = FIRST.end - timedelta(microseconds=1)
    assert found.before == pipeline_velocity(BODY, as_of=last, period=FIRST)
    later = (*BODY, deal(25), deal(0, won(30, 9)), deal(3, won(20, 7)))
    changed = velocity_attribution(later, before=FIRST, after=SECOND)
    assert (changed.before.number, changed.after.number) == (2 + 2, 2 + 2)
    assert changed.after == Velocity(4, NumberOf.OPEN, 1, 3000, "EUR", 14)


def test_the_cycle_may_be_of_all_closed_deals():
    found = velocity_attribution(BODY, before=FIRST, after=SECOND, cycle_of="closed")
    assert (found.before.cycle_days, found.after.cycle_days) == (Fraction(13, 2), 14)


def test_the_change_by_owner_is_of_every_owner_of_either_period():
    histories = [
        deal(0, won(5, 1000), owner="ada"),
        deal(0, won(15, 3000), given_to(16, "bob"), owner="bob"),
        deal(1, owner="ada"),
    ]
    found = velocity_attribution(histories, before=FIRST, after=SECOND, by="owner")
    assert found["ada"].undefined == (
        "win_rate after is None",
        "average_size after is None",
        "cycle_days after is None",
    )
    assert found["bob"].after.number == 0
    assert (found.keys(), found.period) == ({"ada", "bob"}, SECOND)


def test_counts_of_unequal_periods_are_refused_and_open_deals_compare():
    """Frappe compares a month of 31 days with 30 before it as if they were as long."""
    january, february = Period.month(2026, 1), Period.month(2026, 2)
    asked = {"before": january, "after": february}
    for number in ("closed", "created"):
        with pytest.raises(InvalidValueError, match=r"31 days do not compare with those of 28"):
            velocity_attribution(BODY, **asked, number=number)
    assert velocity_attribution(BODY, **asked).before.number == 2
    even = velocity_attribution(BODY, before=february.preceding(), after=february, number="created")
    assert (even.before.number, even.after.number) == (1, 0)


def test_several_currencies_need_rates():
    histories = [deal(0, won(5, 10)), deal(0, won(12), amount=Money(20, "USD")), deal(0)]
    with pytest.raises(MixedCurrenciesError):
        velocity_attribution(histories, before=FIRST, after=SECOND)
    found = velocity_attribution(
        histories, before=FIRST, after=SECOND, currency="EUR", rates={"USD": 3}
    )
    assert (found.before.average_size, found.after.average_size) == (10, 60)


def test_what_is_asked_is_checked():
    asked = {"before": FIRST, "after": SECOND}

    def empty(value):
        return isinstance(value, tuple | list | dict | set) and not value

    check_door(lambda value: velocity_attribution(value, **asked), takes=empty)
    check_door(lambda value: velocity_attribution([], **asked | {"before": value}))
    check_door(lambda value: velocity_attribution([], **asked | {"after": value}))
    check_door(lambda value: velocity_attribution([], **asked, number=value))
    check_door(lambda value: velocity_attribution([], **asked, cycle_of=value))
    check_door(lambda value: velocity_attribution([], **asked, zone=value))
    assert velocity_attribution(iter(BODY), **asked) == velocity_attribution(BODY, **asked)
    assert [part.input for part in velocity_attribution([], **asked).parts] == list(VelocityInput)
