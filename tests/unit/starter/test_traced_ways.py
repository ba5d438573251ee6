"""The ways in and out, as far as traces go: whose traceparent is believed, and who is sent one."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import select

from starter.gateway import create_app
from starter.posting import Postman
from starter.sections import Secret, Subscriber, WebhookSource
from starter.settings import Settings
from starter.tracing import correlation
from store.database import Database
from store.inbox import Inbox
from store.outgoing import Letter
from store.tables import InboxRow
from tests.stores import lay
from tests.tracing import recording
from tests.unit.starter.test_gateway import event, signed

SECRET = "whsec_" + "B" * 32
SENT = f"00-{'e' * 32}-{'f' * 16}-01"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
async def gateway(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    webhooks = {"erp": WebhookSource(connection="erp", secrets=(Secret(value=SecretStr(SECRET)),))}
    app = create_app(settings.model_copy(update={"webhooks": webhooks}), Inbox(database))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def send(gateway: httpx.AsyncClient, *bodies: dict[str, Any], secret: str = SECRET, trace: str = SENT) -> int:
    content = json.dumps(bodies[0] if len(bodies) == 1 else list(bodies)).encode()
    kind = "application/cloudevents" + ("" if len(bodies) == 1 else "-batch") + "+json"
    headers = {**signed(content, secret), "content-type": kind, "traceparent": trace}
    return (await gateway.post("/webhooks/erp", content=content, headers=headers)).status_code


async def traces(database: Database) -> list[str]:
    return list(await database.read(lambda session: session.exec(select(InboxRow.trace)).all()))


async def test_what_a_known_sender_sends_goes_on_with_its_trace(gateway: httpx.AsyncClient, database: Database) -> None:
    with recording() as spans:
        assert await send(gateway, event(id="1"), event(id="2")) == 202
    [webhook] = spans.all()
    assert webhook.context is not None
    assert webhook.parent is not None
    assert f"{webhook.parent.span_id:016x}" == "f" * 16
    assert await traces(database) == [f"00-{'e' * 32}-{webhook.context.span_id:016x}-01"] * 2


async def test_nothing_is_seen_of_who_is_not_known(gateway: httpx.AsyncClient, database: Database) -> None:
    with recording() as spans:
        assert await send(gateway, event(), secret="whsec_" + "Z" * 32) == 401
    assert spans.all() == []
    assert await traces(database) == []


async def test_a_traceparent_that_cant_be_read_begins_a_trace(gateway: httpx.AsyncClient, database: Database) -> None:
    assert await send(gateway, event(), trace=f"{SENT}; drop table inbox") == 202
    [trace] = await traces(database)
    assert len(correlation(trace)) == 32
    assert correlation(trace) != correlation(SENT)


async def test_a_subscriber_is_sent_the_trace_of_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[httpx.Request] = []
    subscriber = Subscriber(url="https://subscriber.example/in", secrets=(Secret(value=SecretStr(SECRET)),))
    postman = Postman("crm", subscriber, [SECRET], timeout=5)

    def take(request: httpx.Request) -> httpx.Response:
        taken.append(request)
        return httpx.Response(500, stream=httpx.ByteStream(b""))

    monkeypatch.setattr(postman, "_client", httpx.AsyncClient(transport=httpx.MockTransport(take)))
    with recording() as spans:
        await postman.send(Letter(1, "crm/1/1", "evt", {"type": "tenure.lifecycle.risk_changed.v1"}, 0, SENT))
    await postman.close()
    [sent] = spans.all()
    assert sent.context is not None
    assert taken[0].headers["traceparent"] == f"00-{'e' * 32}-{sent.context.span_id:016x}-01"
    assert (sent.name, sent.status.description) == ("send crm", "it answered 500")
