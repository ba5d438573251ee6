"""The contracts as others read them: docs/events is what the code says, and says nothing that breaks a reader."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from domain.events import CATALOG, ContractAmended
from domain.events.documents import documents, refusals
from domain.events.schemas import asyncapi, schemas
from domain.events.upcast import gaps

FOLDER = Path(__file__).parents[3] / "docs" / "events"
ASYNCAPI_3 = json.loads((Path(__file__).parent / "data" / "asyncapi-3.0.0.json").read_text())


def committed() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def at(document: dict[str, Any], reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_the_committed_files_are_those_of_the_code() -> None:
    made, found = documents(), committed()
    stale = sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))
    assert not stale, f"docs/events is stale ({', '.join(stale)}): run `make events`"


def test_nothing_in_the_code_breaks_a_committed_contract() -> None:
    assert refusals(committed()) == []


def test_every_old_version_is_read_as_the_newest() -> None:
    assert gaps(CATALOG) == []


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_schema_says_what_is_agreed(name: str) -> None:
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    contract = CATALOG[name].contract_
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:tenure:event:{name}"
    assert schema["title"] == CATALOG[name].__name__
    assert schema["description"].endswith(".")
    assert schema["x-tenure"] == contract.model_dump(exclude={"type"})
    assert schema.keys() >= {"type", "properties"}
    for field, said in schema["properties"].items():
        assert said.get("description"), f"{name}: {field} has no description"
        assert "title" not in said


def test_a_schema_demands_what_the_model_demands() -> None:
    schema = Draft202012Validator(schemas()["tenure.contract.amended.v1"])
    for document, good in (
        ({"contract": "c", "quantities": {"seats": "75"}}, True),
        ({"deal": "d", "quantities": {"seats": 75.5}, "new in some later version": 1}, True),
        ({"subscription": "s", "effective": "2027-01-01"}, True),
        ({"subscription": "s", "contract": None}, True),
        ({}, False),
        ({"contract": None}, False),
        ({"contract": ""}, False),
        ({"contract": "c", "quantities": {"seats": "many"}}, False),
        ({"contract": "c", "quantities": {"seats": "NaN"}}, False),
        ({"contract": "c", "effective": 1.5}, False),
    ):
        assert schema.is_valid(document) is good, document
        try:
            ContractAmended.model_validate(document)
        except ValueError:
            assert not good, document
        else:
            assert good, document


def test_the_bound_of_a_date_is_in_the_schema() -> None:
    assert schemas()["tenure.invoice.posted.v1"]["properties"]["due_on"]["formatExclusiveMaximum"] == "2200-01-01"


def test_the_asyncapi_document_keeps_the_schema_of_asyncapi_3() -> None:
    Draft7Validator.check_schema(ASYNCAPI_3)
    check = Draft7Validator(ASYNCAPI_3)
    document = asyncapi()
    assert [error.message for error in check.iter_errors(document)] == []
    document["operations"]["send"]["action"] = "publish"  # as it was called in AsyncAPI 2
    assert not check.is_valid(document)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    found = set(references(document))
    assert len(found) > 2 * len(CATALOG)
    for reference in found:
        assert reference.startswith("#/")
        assert at(document, reference)


def test_every_event_is_received_or_sent_over_its_own_channel() -> None:
    document = asyncapi()
    for action, channel, outgoing in (("receive", "incoming", False), ("send", "outgoing", True)):
        operation = document["operations"][action]
        assert operation["action"] == action
        assert operation["channel"]["$ref"] == f"#/channels/{channel}"
        of_channel = {f"#/channels/{channel}/messages/{name}" for name in document["channels"][channel]["messages"]}
        assert {one["$ref"] for one in operation["messages"]} == of_channel
        names = {name for name, data in CATALOG.items() if data.contract_.outgoing is outgoing}
        assert set(document["channels"][channel]["messages"]) == names


def test_a_message_of_the_asyncapi_document_is_the_whole_cloudevent() -> None:
    document = asyncapi()
    name = "tenure.milestone.completed.v1"
    payload = document["components"]["messages"][name]["payload"]
    check = Draft7Validator({**payload, "components": document["components"]})
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/cs",
        "type": name,
        "data": {"contract": "c", "milestone": "go-live", "completed_on": "2026-09-01"},
    }
    assert check.is_valid(event)
    assert not check.is_valid({**event, "type": "tenure.milestone.completed.v2"})
    assert not check.is_valid({**event, "data": {"contract": "c"}})
    assert not check.is_valid({key: value for key, value in event.items() if key != "id"})


def test_the_table_shows_every_event() -> None:
    lines = documents()["README.md"].splitlines()
    for name, data in CATALOG.items():
        (line,) = [line for line in lines if line.startswith(f"| [`{name}`]")]
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 9
        assert cells[1] == data.contract_.owner
        assert cells[6] == (data.contract_.wakes or "no")
