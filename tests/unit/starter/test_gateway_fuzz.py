"""Whatever comes in: no 5xx, nothing but problem documents, no authentic event lost, no forged one stored."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from schemathesis.core import NOT_SET

from starter.gateway import create_app
from starter.sections import Secret, WebhookSource
from starter.settings import Settings
from store.database import Database
from store.inbox import Inbox
from tests.senders import NEW, SIGN, Gate, open_gate, standard
from tests.stores import lay

CONNECTIONS = {"standard": "cs", "stripe": "erp", "hubspot": "crm", "zendesk": "support"}
EVENTS: dict[str, Any] = {
    "standard": {
        "specversion": "1.0",
        "id": "e1",
        "source": "/cs",
        "type": "tenure.milestone.completed.v1",
        "time": "2026-12-01T09:00:00Z",
        "data": {"contract": "crm/006A/1", "milestone": "go-live", "completed_on": "2026-12-01"},
    },
    "stripe": {
        "id": "evt_1",
        "type": "invoice.finalized",
        "created": 1763630000,
        "data": {"object": {"id": "in_1", "amount_due": 150000, "currency": "eur", "customer": "cus_9", "created": 1,
                            "due_date": 1766221000, "subscription": "sub_1", "metadata": {}}},
    },
    "hubspot": [
        {"eventId": 1, "occurredAt": 1763629000000, "subscriptionType": "deal.propertyChange", "objectId": 33,
         "propertyName": "dealstage", "propertyValue": "closedwon"},
        {"eventId": 1, "occurredAt": 1763629000000, "subscriptionType": "company.creation", "objectId": 34},
    ],
    "zendesk": {
        "id": "z1",
        "type": "zen:event-type:ticket.created",
        "time": "2026-11-20T05:33:18Z",
        "detail": {"id": "5158", "organization_id": "9", "priority": "URGENT", "status": "OPEN"},
    },
}  # fmt: skip

FUZZ = hypothesis_settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "\x00", "\ud800", "9" * 400, "2026-02-30", "1e999999999", 10**400, -(2**70)])
)
NUMBERS = itertools.count()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def configured(settings: Settings) -> Settings:
    secrets = (Secret(value=SecretStr(NEW)),)
    webhooks = {
        preset: WebhookSource.model_validate({"preset": preset, "connection": connection, "secrets": secrets})
        for preset, connection in CONNECTIONS.items()
    }
    return settings.model_copy(update={"webhooks": webhooks})


class Sync:
    """A gateway for tests that are called many times, by a library that knows no event loop."""

    def __init__(self, settings: Settings) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.gate: Gate = self.run(lambda: self._stack.enter_async_context(open_gate(settings)))

    def run(self, work: Callable[[], Any]) -> Any:
        async def done() -> Any:
            return await work()

        return self._runner.run(done())

    def close(self) -> None:
        self.run(self._stack.aclose)
        self._runner.close()

    def stored(self) -> dict[tuple[str, str], str]:
        return {(row.source, row.event_id): row.payload for row in self.run(self.gate.rows)}

    def post(self, source: str, body: bytes, headers: dict[str, str]) -> Any:
        sent = {name.encode(): value.encode("latin-1", errors="replace") for name, value in headers.items()}
        return self.run(lambda: self.gate.client.post(f"/webhooks/{source}", content=body, headers=sent))


@pytest.fixture
def sync(configured: Settings) -> Iterator[Sync]:
    sync = Sync(configured)
    yield sync
    sync.close()


@st.composite
def mutated(draw: st.DrawFn, source: str) -> Any:
    """An event of the source in which something stands that should not, or an array of such, or anything at all."""
    event = json.loads(json.dumps(EVENTS[source]))
    for each in event if isinstance(event, list) else [event]:
        each["eventId" if source == "hubspot" else "id"] = f"e{next(NUMBERS)}"  # or most of them would be duplicates
    for _ in range(draw(st.integers(0, 3))):
        node = event
        while isinstance(node, dict | list) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], dict | list) or draw(st.booleans()):
                node[key] = draw(JSON)
                break
            node = node[key]
    return draw(st.sampled_from([event, event, event, [event], [event, draw(JSON)], draw(JSON)]))


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


def _body_of(case: Case[Any]) -> bytes:
    """The very bytes that will be sent."""
    sent = case.as_transport_kwargs()
    body = sent["data"] if "data" in sent else dumped(sent["json"])
    return body if isinstance(body, bytes) else str(body).encode()


@pytest.mark.parametrize("source", sorted(EVENTS))
@FUZZ
@given(data=st.data())
def test_no_authentic_event_is_lost(sync: Sync, source: str, data: st.DataObject) -> None:
    document = data.draw(mutated(source))
    batch = source == "standard" and isinstance(document, list) and data.draw(st.booleans())
    body = dumped(document)
    headers = SIGN[source](body, NEW, time.time())
    if batch:
        headers["content-type"] = "application/cloudevents-batch+json"
    answer = sync.post(source, body, headers)
    assert answer.status_code == 202, answer.text
    split = batch or (source == "hubspot" and isinstance(document, list))
    events = document if split else [document]
    taken = answer.json().get("events", [answer.json()])
    assert len(taken) == len(events)
    stored = sync.stored()
    for event, each in zip(events, taken, strict=True):
        payload = stored[source, each["id"]]
        assert each["status"] in ("accepted", "hint", "ignored", "dead_letter", "duplicate")
        if each["status"] != "duplicate":
            assert json.loads(payload) == event


@pytest.mark.parametrize("source", sorted(EVENTS))
@FUZZ
@given(data=st.data())
def test_no_forged_event_is_stored(sync: Sync, source: str, data: st.DataObject) -> None:
    body = dumped(EVENTS[source])
    headers = SIGN[source](body, NEW, time.time())
    name = data.draw(st.sampled_from([*sorted(headers), "body"]))
    original = body if name == "body" else headers[name].encode()
    at, until = data.draw(st.integers(0, len(original))), data.draw(st.integers(0, 8))
    changed = original[:at] + data.draw(st.binary(max_size=8)) + original[at + until :]
    text = changed.decode("latin-1").strip()
    if name == "body":
        body = changed
    else:
        assume(all(character.isprintable() for character in text))  # no client sends other ones in a header
        headers[name] = text
    assume(changed != original and (name == "body" or not _says_the_same(name, text, original.decode())))
    assert sync.post(source, body, headers).status_code == 401
    assert sync.stored() == {}


def _says_the_same(name: str, changed: str, original: str) -> bool:
    """Lists of signatures hold more than the one that counts, and whitespace around it is none of it."""
    separator = {"Stripe-Signature": ",", "webhook-signature": " "}.get(name, "\0")
    parts = {part.strip() for part in changed.split(separator)}
    counted = {part for part in original.split(separator) if part.startswith(("t=", "v1=", "v1,"))} or {original}
    return counted <= parts


@FUZZ
@given(body=st.binary(max_size=200) | JSON.map(dumped), headers=st.dictionaries(st.sampled_from(
    ["webhook-id", "webhook-timestamp", "webhook-signature", "ce-specversion", "content-type", "stripe-signature"]
), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.strip)))  # fmt: skip
@pytest.mark.parametrize("source", ["standard", "stripe", "nobody"])
def test_unsigned_noise_is_refused(sync: Sync, source: str, body: bytes, headers: dict[str, str]) -> None:
    answer = sync.post(source, body, headers)
    assert answer.status_code == (404 if source == "nobody" else 401)
    assert answer.headers["content-type"] == "application/problem+json"
    assert sync.stored() == {}


@pytest.fixture
def api(configured: Settings) -> Iterator[Any]:
    configured.state_path.mkdir(parents=True)
    lay(configured.database_url)
    database = Database(configured.database_url)
    yield schemathesis.openapi.from_asgi("/openapi.json", create_app(configured, Inbox(database)))
    database.close()


OPERATIONS = [("POST", "/webhooks/{source}"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")]


def test_every_route_is_in_the_openapi_document(api: Any) -> None:
    described = [each.ok() for each in api.get_all_operations()]
    assert sorted((each.method.upper(), each.path) for each in described) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_gateway_keeps_to_its_own_openapi(api: Any, method: str, path: str) -> None:
    """Signed or not: every answer is one that the document announces, in the shape that it announces."""
    operation = api[path][method]
    anything = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)

    @hypothesis_settings(FUZZ, max_examples=60)
    @given(case=anything)
    def check(case: Case[Any]) -> None:
        case.call_and_validate()
        if path == "/webhooks/{source}" and case.body is not NOT_SET:
            case.path_parameters["source"] = "standard"
            signed = case.call(headers=standard(_body_of(case), NEW, time.time()))
            assert signed.status_code in (202, 400)
            case.validate_response(signed)

    check()
