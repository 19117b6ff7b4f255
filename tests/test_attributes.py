import copy
import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from math import isfinite
from zoneinfo import ZoneInfo

import pytest

from contracts import Unprintable, check_door, check_value
from salespipeline.attributes import EMPTY, Attributes, plain
from salespipeline.errors import InvalidValueError, WrongTypeError
from salespipeline.money import Money


def is_plain(value):
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int)


class Size(StrEnum):
    LARGE = "large"


class Level(IntEnum):
    HIGH = 3


class OldSize(str, Enum):  # noqa: UP042 - others write them so
    LARGE = "large"


def test_attributes_are_a_value():
    check_value(
        Attributes({"seats": 40, "industry": "insurance"}),
        Attributes({"industry": "insurance", "seats": 40}),
        Attributes({"seats": 41, "industry": "insurance"}),
        Attributes({"seats": 40}),
        EMPTY,
    )


def test_attributes_read_as_a_mapping_in_the_order_of_their_names():
    attributes = Attributes({"b": 2, "a": 1})
    assert list(attributes) == ["a", "b"]
    assert len(attributes) == 2
    assert attributes["b"] == 2
    assert dict(attributes) == {"a": 1, "b": 2}
    assert attributes.get("c") is None
    assert repr(attributes) == "Attributes({'a': 1, 'b': 2})"


def test_attributes_are_no_plain_dict():
    assert Attributes({"a": 1}) != {"a": 1}


def test_a_missing_name_is_the_key_error_of_any_mapping():
    with pytest.raises(KeyError, match="seats"):
        EMPTY["seats"]


def test_attributes_are_not_changed_by_what_they_were_made_of():
    given = {"tags": ["a"]}
    attributes = Attributes(given)
    given["tags"].append("b")
    given["more"] = 1
    assert dict(attributes) == {"tags": ("a",)}


def test_setting_or_deleting_a_field_says_what_to_do_instead():
    attributes = Attributes({"a": 1})
    with pytest.raises(AttributeError, match=r"use with_value\('a', ...\)"):
        attributes.a = 2
    with pytest.raises(AttributeError, match=r"use without\('a'\)"):
        del attributes.a


def test_a_hash_is_the_same_before_and_after_it_was_asked_for():
    attributes = Attributes({"a": 1})
    first = hash(attributes)
    assert hash(attributes) == first
    assert hash(pickle.loads(pickle.dumps(attributes))) == first  # noqa: S301 - our own bytes
    assert hash(copy.copy(attributes)) == first


def test_with_and_without_leave_the_original_alone():
    attributes = Attributes({"a": 1})
    assert dict(attributes.with_value("b", [2])) == {"a": 1, "b": (2,)}
    assert dict(attributes.with_value("a", None)) == {"a": None}
    assert attributes.without("a") == EMPTY
    assert attributes.without("z") == attributes
    assert dict(attributes) == {"a": 1}


def test_a_new_name_must_be_text():
    check_door(lambda name: EMPTY.with_value(name, 1), takes=lambda x: isinstance(x, str))


def test_a_new_value_is_checked():
    with pytest.raises(InvalidValueError, match="'seats': 'value' must be plain"):
        EMPTY.with_value("seats", object())


@pytest.mark.parametrize(
    "value",
    ["text", "", True, 5, 2.5, Decimal("1e999"), date(2026, 1, 1), Money(1, "EUR"), None, ("a", 1)],
)
def test_a_plain_value_is_kept_as_it_is(value):
    kept = Attributes({"field": value})["field"]
    assert kept == value
    assert type(kept) is type(value)


def test_a_list_becomes_a_tuple_all_the_way_down():
    assert Attributes({"field": [1, [2, [3]]]})["field"] == (1, (2, (3,)))


def test_an_instant_is_kept_in_utc():
    at = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert Attributes({"met": at})["met"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert Attributes({"met": at})["met"].tzinfo is UTC


def test_a_member_of_an_enum_is_kept_as_its_value():
    kept = Attributes({"size": Size.LARGE, "level": Level.HIGH})
    assert (type(kept["size"]), type(kept["level"])) == (str, int)
    assert (kept["size"], kept["level"]) == ("large", 3)


def test_a_name_of_an_enum_is_kept_as_its_text():
    assert Attributes({OldSize.LARGE: 1})["large"] == 1


def test_every_fault_is_named():
    with pytest.raises(InvalidValueError) as caught:
        Attributes(
            {
                "score": float("nan"),
                5: "a number",
                "met": datetime(2026, 1, 1),  # noqa: DTZ001 - that is the point
                "fine": 1,
                "tags": {"a"},
            }
        )
    faults = caught.value.faults
    assert [fault[:12] for fault in faults] == [
        "'score': 'va", "the name 5 i", "'met': 'valu", "'tags': 'val",
    ]  # fmt: skip
    assert "a datetime with a zone" in faults[2]


def test_a_missing_time_of_pandas_is_no_value():
    pandas = pytest.importorskip("pandas", reason="the value is a real NaT")
    with pytest.raises(InvalidValueError, match=r"'gone': .*NaT names no instant"):
        Attributes({"gone": pandas.NaT})


def test_a_name_that_cannot_be_printed_is_refused():
    with pytest.raises(InvalidValueError, match="the name <Unprintable> is not text"):
        Attributes({Unprintable(): 1})


def test_values_nested_deeper_than_eight_are_refused():
    def nested(depth):
        return [nested(depth - 1)] if depth else 1

    assert Attributes({"field": nested(8)})
    with pytest.raises(InvalidValueError, match="a tuple of such at most 8 deep"):
        Attributes({"field": nested(9)})


def test_a_list_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(InvalidValueError, match="at most 8 deep"):
        Attributes({"field": endless})


def test_whatever_is_no_plain_value_is_refused():
    check_door(plain, takes=is_plain)
    check_door(lambda value: Attributes({"field": value}), takes=is_plain)


def test_a_signalling_nan_is_refused_like_any_other():
    with pytest.raises(WrongTypeError, match=r"a finite number.*got Decimal\('sNaN'\)"):
        plain(Decimal("sNaN"))


def test_attributes_are_made_of_a_mapping_or_nothing():
    assert Attributes() == Attributes(None) == Attributes({}) == EMPTY
    check_door(Attributes, takes=lambda x: x is None or x == {})
