"""One recorded answer of Pipedrive's ``/recents``, read as it is."""

import json
from datetime import UTC, datetime

import pytest

from salespipeline.connectors.pipedrive import read_contacts, read_deals


@pytest.fixture(scope="module")
def answer(shared_data):
    path = shared_data / "api_fixtures" / "dlt_recents_response_with_null.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_item_whose_data_is_null_is_refused_and_its_id_incomplete(answer):
    found = read_contacts(answer)
    assert (found.used, found.refused, found.incomplete) == (2, 1, ("4",))
    [problem] = found.problems
    assert (problem.row, problem.column, problem.refused) == (2, "data", True)


def test_times_without_a_zone_are_utc(answer):
    first, second = read_contacts(answer).histories
    assert first.latest.created_at == datetime(2023, 2, 22, 15, 40, 6, tzinfo=UTC)
    assert second.latest.attributes["update_time"] == datetime(2023, 5, 12, 12, 41, 52, tzinfo=UTC)


def test_nothing_that_an_item_says_is_lost(answer):
    for item, history in zip(answer["data"][::2], read_contacts(answer).histories, strict=True):
        contact, said = history.latest, item["data"]
        fields = {"id", "name", "add_time", "owner_id", "org_id", "org_name", "email", "phone"}
        for name, value in said.items():
            if name not in fields | {"update_time"} and value not in {None, ""}:
                assert contact.attributes[name] == value
        assert (contact.id, contact.name) == (str(said["id"]), said["name"])
        assert (contact.company, contact.email) == (said["org_name"], None)
        assert contact.owner == str(said["owner_id"])


def test_custom_fields_keyed_by_40_hex_digits_are_empty_here_and_so_absent(answer):
    keys = [name for name in answer["data"][0]["data"] if len(name) == 40]
    assert len(keys) == 7
    assert not set(keys) & set(read_contacts(answer).histories[0].latest.attributes)


def test_persons_are_no_deals(answer):
    found = read_deals(answer)
    assert (found.used, found.refused, found.histories) == (0, 3, ())
