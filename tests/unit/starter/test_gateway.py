"""The gateway over ASGI, with the real inbox on SQLite: what is answered, and what is stored."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from starter.gateway import create_app
from starter.sections import Secret, WebhookSource
from starter.settings import Settings, SettingsError
from store.database import Database
from store.inbox import Inbox
from tests.stores import lay

OLD, NEW, FOREIGN = (f"whsec_{letter * 32}" for letter in "ABC")
LIMIT = 4096

Send = Callable[..., Any]


@pytest.fixture
def configured(settings: Settings) -> Settings:
    secrets = tuple(Secret(value=SecretStr(secret)) for secret in (NEW, OLD))
    webhooks = {source: WebhookSource(connection=source, secrets=secrets) for source in ("crm", "erp")}
    limits = settings.limits.model_copy(update={"body_bytes": LIMIT})
    return settings.model_copy(update={"webhooks": webhooks, "limits": limits})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


@pytest.fixture
async def gateway(configured: Settings, inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    async with _client(configured, inbox) as client:
        yield client


def _client(configured: Settings, inbox: Any, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(configured, inbox, **options), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


def event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "/sandbox/erp",
        "type": "tenure.milestone.completed.v1",
        "subject": "crm/006A/1",
        "data": {"contract": "crm/006A/1", "milestone": "go-live", "completed_on": "2026-12-01"},
    } | changes


def signed(body: bytes, secret: str = NEW, *, at: float | None = None) -> dict[str, str]:
    moment = datetime.fromtimestamp(at if at is not None else time.time(), UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
    }


async def send(
    gateway: httpx.AsyncClient, body: Any, source: str = "crm", secret: str = NEW, at: float | None = None
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await gateway.post(f"/webhooks/{source}", content=content, headers=signed(content, secret, at=at))


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]


async def metric(gateway: httpx.AsyncClient, line: str) -> float:
    lines = (await gateway.get("/metrics")).text.splitlines()
    return next((float(found.split()[-1]) for found in lines if found.startswith(line)), 0.0)


async def test_a_good_event_is_durable_before_202(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    answer = await send(gateway, event())
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "id": "evt-1"}
    (row,) = await inbox.list()
    assert (row.source, row.event_id, row.state) == ("crm", "evt-1", "received")
    assert (row.type, row.subject) == ("tenure.milestone.completed.v1", "crm/006A/1")
    assert json.loads(row.payload) == event()


async def test_the_same_event_again_is_202_and_nothing_more(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    await send(gateway, event())
    answer = await send(gateway, event(subject="another delivery"))
    assert answer.status_code == 202
    assert answer.json() == {"status": "duplicate", "id": "evt-1"}
    (row,) = await inbox.list()
    assert row.subject == "crm/006A/1"


async def test_the_same_id_from_another_source_is_another_event(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    await send(gateway, event())
    assert (await send(gateway, event(), source="erp")).json()["status"] == "accepted"
    assert len(await inbox.list()) == 2


async def test_each_valid_secret_is_good_so_that_one_can_be_changed(gateway: httpx.AsyncClient) -> None:
    assert (await send(gateway, event(id="a"), secret=OLD)).status_code == 202
    assert (await send(gateway, event(id="b"), secret=NEW)).status_code == 202


async def test_a_forged_event_is_401_and_only_counted(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    assert_problem(await send(gateway, event(), secret=FOREIGN), 401)
    assert await inbox.counts() == {}
    assert await metric(gateway, 'tenure_webhooks_refused_total{reason="wrong_signature",source="crm"}') == 1


async def test_a_changed_body_is_401(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    headers = signed(json.dumps(event()).encode())
    answer = await gateway.post("/webhooks/crm", json=event(id="evt-2"), headers=headers)
    assert_problem(answer, 401)
    assert await inbox.counts() == {}


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_missing_header_is_401(gateway: httpx.AsyncClient, inbox: Inbox, missing: str) -> None:
    body = json.dumps(event()).encode()
    headers = {name: value for name, value in signed(body).items() if name != missing}
    assert_problem(await gateway.post("/webhooks/crm", content=body, headers=headers), 401)
    assert await inbox.counts() == {}
    assert await metric(gateway, 'tenure_webhooks_refused_total{reason="missing_signature",source="crm"}') == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "inf"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": "v1,a,b"},
    ],
)
async def test_a_broken_header_is_401(gateway: httpx.AsyncClient, inbox: Inbox, broken: dict[str, str]) -> None:
    body = json.dumps(event()).encode()
    assert_problem(await gateway.post("/webhooks/crm", content=body, headers=signed(body) | broken), 401)
    assert await inbox.counts() == {}


@pytest.mark.parametrize("seconds", [-301, 305])
async def test_outside_of_the_tolerance_is_401(gateway: httpx.AsyncClient, inbox: Inbox, seconds: int) -> None:
    assert_problem(await send(gateway, event(), at=time.time() + seconds), 401)
    assert await inbox.counts() == {}
    assert await metric(gateway, 'tenure_webhooks_refused_total{reason="outside_tolerance",source="crm"}') == 1


async def test_late_but_within_the_tolerance_is_taken(gateway: httpx.AsyncClient) -> None:
    assert (await send(gateway, event(), at=time.time() - 280)).status_code == 202


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (event(type="tenure.order.shipped.v1"), "unknown event type"),
        (event(data={"contract": "crm/006A/1"}), "milestone"),
        (event(data="text"), "data"),
        ([event()], "not a valid event"),
        ("a string", "not a valid event"),
    ],
)
async def test_authentic_but_unusable_is_kept_with_its_reason(
    gateway: httpx.AsyncClient, inbox: Inbox, body: Any, reason: str
) -> None:
    answer = await send(gateway, body)
    assert answer.status_code == 202
    assert answer.json()["status"] == "dead_letter"
    (row,) = await inbox.list()
    assert row.state == "dead"
    assert reason in row.reason
    assert json.loads(row.payload) == body
    assert (await send(gateway, body)).json()["status"] == "duplicate"


@pytest.mark.parametrize("unusable_id", [None, "", 7, "x" * 300, "line\nbreak", "nul\0", "\ud800"])
async def test_without_a_usable_id_the_message_id_serves(
    gateway: httpx.AsyncClient, inbox: Inbox, unusable_id: object
) -> None:
    answer = await send(gateway, event(id=unusable_id))
    assert answer.status_code == 202
    assert answer.json()["id"] == "msg_1"
    (row,) = await inbox.list()
    assert row.event_id == "msg_1"


@pytest.mark.parametrize("body", [b"", b"{", b'{"id": NaN}', b"[" * 4000, b"\xef\xbb\xbf{}"])
async def test_what_is_not_json_is_400(gateway: httpx.AsyncClient, inbox: Inbox, body: bytes) -> None:
    assert_problem(await send(gateway, body), 400)
    assert await inbox.counts() == {}
    assert await metric(gateway, 'tenure_webhooks_refused_total{reason="not_json",source="crm"}') == 1


async def test_bytes_that_are_no_text_are_refused(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    answer = await gateway.post("/webhooks/crm", content=b"\xff\xfe", headers=signed(b"{}"))
    assert_problem(answer, 401)
    assert await inbox.counts() == {}


async def test_the_limit_itself_is_taken_and_one_byte_more_is_413(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    body = json.dumps(event()).encode()
    assert (await send(gateway, body.ljust(LIMIT))).status_code == 202
    assert_problem(await send(gateway, body.ljust(LIMIT + 1)), 413)
    assert sum((await inbox.counts()).values()) == 1


async def test_a_body_without_a_length_is_not_read_beyond_the_limit(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while given < 100 * LIMIT:
            given += 1024
            yield b"x" * 1024

    assert_problem(await gateway.post("/webhooks/crm", content=endless(), headers=signed(b"x")), 413)
    assert given <= LIMIT + 2048
    assert await inbox.counts() == {}


async def test_a_length_that_lies_does_not_help(gateway: httpx.AsyncClient) -> None:
    headers = signed(b"x") | {"content-length": "10"}
    assert_problem(await gateway.post("/webhooks/crm", content=b"x" * (LIMIT + 1), headers=headers), 413)


async def test_unknown_paths_and_methods_are_problems_too(gateway: httpx.AsyncClient, inbox: Inbox) -> None:
    assert_problem(await send(gateway, event(), source="nobody"), 404)
    assert_problem(await gateway.get("/nothing"), 404)
    wrong_method = await gateway.get("/webhooks/crm")
    assert_problem(wrong_method, 405)
    assert wrong_method.headers["allow"] == "POST"
    assert await inbox.counts() == {}


async def test_a_store_that_is_down_is_503_and_never_202(
    configured: Settings, database: Database, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    database.write_sync(lambda session: session.connection().exec_driver_sql("ALTER TABLE inbox RENAME TO gone"))
    async with _client(configured, inbox) as gateway:
        answer = await send(gateway, event())
        assert_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert await metric(gateway, 'tenure_webhooks_refused_total{reason="store_unavailable",source="crm"}') == 1
        written = "".join(capfd.readouterr())
        assert "webhook not stored" in written
        assert "go-live" not in written

        database.write_sync(lambda session: session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO inbox"))
        assert (await send(gateway, event())).json()["status"] == "accepted"


async def test_alive_and_ready_without_temporal(configured: Settings, inbox: Inbox) -> None:
    async with _client(configured, inbox, check_store=inbox.counts) as gateway:
        assert (await gateway.get("/healthz")).json() == {"status": "ok"}
        answer = await gateway.get("/readyz")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "store": "ok", "temporal": "unreachable"}


async def test_not_ready_without_its_store(configured: Settings, inbox: Inbox) -> None:
    async def broken() -> None:
        raise OSError("disk full")

    async with _client(configured, inbox, check_store=broken) as gateway:
        assert_problem(await gateway.get("/readyz"), 503)
        assert (await gateway.get("/healthz")).status_code == 200


async def test_what_was_taken_is_counted_by_outcome(gateway: httpx.AsyncClient) -> None:
    for body in (event(), event(), event(id="evt-2", type="unknown")):
        await send(gateway, body)
    for outcome in ("accepted", "duplicate", "dead_letter"):
        assert await metric(gateway, f'tenure_webhooks_total{{outcome="{outcome}",source="crm"}}') == 1


async def test_neither_body_nor_secret_is_logged(gateway: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]) -> None:
    data = event()["data"] | {"note": "0xCAFE-in-the-body"}
    await send(gateway, event(data=data))
    await send(gateway, event(id="evt-2", data=data, type="unknown"))
    await send(gateway, event(data=data), secret=FOREIGN)
    written = "".join(capfd.readouterr())
    assert "evt-1" in written
    assert "0xCAFE" not in written
    assert NEW not in written


def test_a_secret_that_is_none_stops_the_start(configured: Settings, inbox: Inbox) -> None:
    webhooks = {"crm": WebhookSource(connection="crm", secrets=(Secret(value=SecretStr("whsec_%")),))}
    with pytest.raises(SettingsError, match=r"webhooks\.crm\.secrets"):
        create_app(configured.model_copy(update={"webhooks": webhooks}), inbox)
