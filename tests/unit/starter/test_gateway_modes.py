"""CloudEvents in each of their modes, and what else a request of a standard source can hold."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from starter.sections import Secret, WebhookSource
from starter.settings import Settings
from starter.sources.reading import Sources, Usable
from tests.senders import NEW, Gate, open_gate, standard

BATCH = "application/cloudevents-batch+json"


@pytest.fixture
def configured(settings: Settings) -> Settings:
    source = WebhookSource(connection="cs", secrets=(Secret(value=SecretStr(NEW)),))
    return settings.model_copy(update={"webhooks": {"cs": source}})


@pytest.fixture
async def gate(configured: Settings) -> AsyncIterator[Gate]:
    async with open_gate(configured) as gate:
        yield gate


DATA = {"contract": "crm/006A/1", "milestone": "go-live", "completed_on": "2026-12-01"}


def event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e1",
        "source": "/cs",
        "type": "tenure.milestone.completed.v1",
        "subject": "crm/006A/1",
        "time": "2026-12-01T09:00:00Z",
        "data": DATA,
    } | changes


def attributes(**changes: str) -> dict[str, str]:
    of_event = {name: value for name, value in event().items() if name != "data"} | changes
    return {f"ce-{name}": value for name, value in of_event.items()} | {"content-type": "application/json"}


async def post(gate: Gate, body: bytes, headers: dict[str, str], message: str = "msg_1") -> dict[str, Any]:
    answer = await gate.post("cs", body, headers | standard(body, NEW, time.time(), message=message))
    assert answer.status_code == 202, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def test_binary_mode_is_stored_in_the_structured_form(gate: Gate, configured: Settings) -> None:
    assert (await post(gate, json.dumps(DATA).encode(), attributes()))["status"] == "accepted"
    row = await gate.row()
    assert (row.state, row.type, row.subject) == ("received", "tenure.milestone.completed.v1", "crm/006A/1")
    assert {"id": "e1", "data": DATA}.items() <= json.loads(row.payload).items()
    reading = Sources(configured).read(row.source, row.payload)
    assert isinstance(reading, Usable)
    assert reading.event.data.model_dump(mode="json", exclude_none=True) == DATA


async def test_a_recorded_binary_message_can_not_be_sent_as_another_event(gate: Gate) -> None:
    """Headers are not signed, apart from the message's id: that is what counts as the event's."""
    body = json.dumps(DATA).encode()
    recorded = standard(body, NEW, time.time())
    assert (await gate.post("cs", body, attributes() | recorded)).json() == {"status": "accepted", "id": "msg_1"}
    forged = attributes(id="e2", type="tenure.renewal.decided.v1") | recorded
    assert (await gate.post("cs", body, forged)).json() == {"status": "duplicate", "id": "msg_1"}
    assert (await gate.row()).type == "tenure.milestone.completed.v1"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", attributes()),
        (b"<a/>", attributes() | {"content-type": "text/xml"}),
    ],
)
async def test_what_is_no_binary_event_is_400(gate: Gate, body: bytes, headers: dict[str, str]) -> None:
    answer = await gate.post("cs", body, headers | standard(body, NEW, time.time()))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert await gate.rows() == []


async def test_a_batch_is_stored_event_by_event(gate: Gate) -> None:
    body = json.dumps([event(), event(id="e2"), event(), event(id="e3", type="x"), {"no": "event"}, 7]).encode()
    taken = (await post(gate, body, {"content-type": BATCH}))["events"]
    assert [(each["status"], each["id"]) for each in taken] == [
        ("accepted", "e1"),
        ("accepted", "e2"),
        ("duplicate", "e1"),
        ("dead_letter", "e3"),
        ("dead_letter", "msg_1/4"),
        ("dead_letter", "msg_1/5"),
    ]
    rows = await gate.rows()
    assert [row.problem for row in rows] == ["", "", "unknown_type", "broken_contract", "broken_contract"]
    assert json.loads(rows[0].payload) == event()
    again = (await post(gate, body, {"content-type": BATCH}))["events"]
    assert {each["status"] for each in again} == {"duplicate"}


async def test_a_batch_of_one_and_of_none(gate: Gate) -> None:
    assert await post(gate, json.dumps([event()]).encode(), {"content-type": BATCH}) == {
        "status": "accepted",
        "id": "e1",
    }
    assert await post(gate, b"[]", {"content-type": BATCH}) == {"status": "accepted", "events": []}
    assert (await post(gate, b"{}", {"content-type": BATCH}))["status"] == "dead_letter"


async def test_a_batch_is_stored_whole_or_not_at_all(gate: Gate) -> None:
    only_one = "CREATE UNIQUE INDEX only_one ON inbox (type) WHERE type = 'twice'"
    gate.database.write_sync(lambda session: session.connection().exec_driver_sql(only_one))
    body = json.dumps([event(), event(id="e2", type="twice"), event(id="e3", type="twice")]).encode()
    answer = await gate.post("cs", body, {"content-type": BATCH} | standard(body, NEW, time.time()))
    assert answer.status_code == 503
    assert await gate.rows() == []


@pytest.mark.parametrize("body", [b'[{"data": 1e999}]', b'[{"data": ' + b"[" * 900 + b"]" * 900 + b"}]"])
async def test_what_is_hardly_json_is_stored_or_refused_in_order(gate: Gate, body: bytes) -> None:
    headers = {"content-type": BATCH} | standard(body, NEW, time.time())
    answer = await gate.post("cs", body, headers)
    assert answer.status_code in (202, 400)
    assert len(await gate.rows()) == (1 if answer.status_code == 202 else 0)


async def test_text_that_no_database_takes_is_stored_as_it_came(gate: Gate) -> None:
    body = b'[{"specversion": "1.0", "id": "n\\u0000", "type": "\\ud800", "data": {"x": "\\u0000 \\udfff"}}]'
    assert (await post(gate, body, {"content-type": BATCH}))["status"] == "dead_letter"
    row = await gate.row()
    assert json.loads(row.payload) == json.loads(body)[0]
    assert row.event_id == "msg_1/0"


async def test_types_of_its_own_can_be_mapped_beside_ours(settings: Settings) -> None:
    source = WebhookSource.model_validate(
        {
            "connection": "cs",
            "secrets": [{"value": NEW}],
            "types": [
                {
                    "type": "com.acme.golive",
                    "becomes": "tenure.milestone.completed.v1",
                    "data": {
                        "contract": "data.ref",
                        "milestone": "'go-live'",
                        "completed_on": {"from": "time", "type": "date"},
                    },
                }
            ],
        }
    )
    configured = settings.model_copy(update={"webhooks": {"cs": source}})
    async with open_gate(configured) as gate:
        await post(gate, json.dumps(event(type="com.acme.golive", data={"ref": "crm/006A/1"})).encode(), {})
        await post(gate, json.dumps(event(id="e2")).encode(), {})
        data = []
        for row in await gate.rows():
            reading = Sources(configured).read(row.source, row.payload)
            assert isinstance(reading, Usable)
            data.append(reading.event.data.model_dump(mode="json", exclude_none=True))
        assert data == [DATA, DATA]


async def test_events_are_counted_by_source_and_outcome(gate: Gate) -> None:
    body = json.dumps([event(), event(), event(id="e3", type="x")]).encode()
    await post(gate, body, {"content-type": BATCH})
    lines = (await gate.client.get("/metrics")).text
    for outcome in ("accepted", "duplicate", "dead_letter"):
        assert f'tenure_webhooks_total{{outcome="{outcome}",source="cs"}} 1.0' in lines
