"""One call, one table: what each answer of an outside system means."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from adapters.http import JsonApi, retry_after, segment
from domain.effects import EffectClass, Guarantee
from domain.errors import (
    AuthFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)

EFFECTS = {"make": EffectClass(guarantee=Guarantee.KEY, deadline=timedelta(seconds=0.2))}
Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler | httpx.AsyncBaseTransport) -> JsonApi:
    transport = handler if isinstance(handler, httpx.AsyncBaseTransport) else httpx.MockTransport(handler)
    client = httpx.AsyncClient(transport=transport, base_url="http://vendor/v1", headers={"authorization": "Bearer s3"})
    return JsonApi(
        client,
        "erp",
        EFFECTS,
        read_deadline=timedelta(seconds=0.2),
        reason=lambda document: document["message"] if isinstance(document, dict) else "",
        malformed=lambda document: isinstance(document, dict) and document.get("code") == "malformed",
    )


def answers(status: int, headers: dict[str, str] | None = None, body: object = None) -> JsonApi:
    return api(lambda request: httpx.Response(status, headers=headers, json=body))


async def error_of(call: JsonApi, *, write: bool) -> TenureError:
    with pytest.raises(TenureError) as raised:
        await (call.write("make", "POST", "things", {}, key="k") if write else call.read("look", "things"))
    return raised.value


@pytest.mark.parametrize(
    ("status", "on_write", "on_read"),
    [
        (302, ContractBroken, ContractBroken),
        (400, InvalidInput, InvalidInput),
        (401, AuthFailed, AuthFailed),
        (403, AuthFailed, AuthFailed),
        (404, NotFound, NotFound),
        (405, InvalidInput, InvalidInput),
        (408, OutcomeUnknown, SourceUnavailable),
        (409, Rejected, Rejected),
        (410, NotFound, NotFound),
        (422, Rejected, Rejected),
        (423, Rejected, Rejected),
        (429, RateLimited, RateLimited),
        (500, OutcomeUnknown, SourceUnavailable),
        (502, OutcomeUnknown, SourceUnavailable),
        (503, OutcomeUnknown, SourceUnavailable),
        (504, OutcomeUnknown, SourceUnavailable),
    ],
)
async def test_the_status_table(status: int, on_write: type[TenureError], on_read: type[TenureError]) -> None:
    assert type(await error_of(answers(status), write=True)) is on_write
    assert type(await error_of(answers(status), write=False)) is on_read


async def test_a_503_that_says_when_to_come_back_was_not_accepted() -> None:
    error = await error_of(answers(503, {"retry-after": "30"}), write=True)
    assert type(error) is SourceUnavailable
    assert error.retry_after == timedelta(seconds=30)


async def test_a_403_that_only_counts_calls_passes() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(403, json={"code": "used up"}))
    limited = JsonApi(
        httpx.AsyncClient(transport=transport, base_url="http://vendor"),
        "crm",
        {},
        read_deadline=timedelta(seconds=0.2),
        limited=lambda document: document["code"] == "used up",
    )
    assert type(await error_of(limited, write=False)) is RateLimited


async def test_a_long_question_is_posted_and_is_still_a_read() -> None:
    asked: list[tuple[str, bytes]] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.content))
        return httpx.Response(500 if len(asked) > 1 else 200, json={"results": []})

    vendor = api(keep)
    assert await vendor.read("search", "things/search", body={"limit": 1}) == {"results": []}
    assert asked == [("POST", b'{"limit":1}')]
    with pytest.raises(SourceUnavailable):
        await vendor.read("search", "things/search", body={"limit": 1})


async def test_a_422_that_blames_the_request_is_invalid_input() -> None:
    error = await error_of(answers(422, body={"code": "malformed", "message": "currency"}), write=True)
    assert type(error) is InvalidInput
    assert str(error) == "erp.make: HTTP 422: currency"


@pytest.mark.parametrize("body", [[], "text", None, 3])
async def test_success_without_an_object_breaks_the_contract(body: object) -> None:
    assert type(await error_of(answers(200, body=body), write=True)) is ContractBroken


async def test_an_answer_that_lacks_what_was_promised_breaks_the_contract() -> None:
    answer = await answers(200, body={"name": "private"}).read("look", "things")
    with pytest.raises(ContractBroken) as raised, api(lambda request: httpx.Response(200)).shape("look"):
        assert answer["id"]
    assert raised.value.__cause__ is None
    assert "private" not in str(raised.value)


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_without_a_connection_nothing_was_sent(failure: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure("no route to Bearer s3")

    error = await error_of(api(fail), write=True)
    assert type(error) is SourceUnavailable
    assert "s3" not in str(error)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
async def test_a_connection_lost_is_in_doubt_after_a_write_only(failure: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure("lost")

    assert type(await error_of(api(fail), write=True)) is OutcomeUnknown
    assert type(await error_of(api(fail), write=False)) is SourceUnavailable


class Dripping(httpx.AsyncBaseTransport):
    """Sends a byte now and then: no single read ever times out."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async def drip() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.02)

        return httpx.Response(200, content=drip())


async def test_the_deadline_bounds_the_whole_call() -> None:
    began = time.monotonic()
    assert type(await error_of(api(Dripping()), write=True)) is OutcomeUnknown
    assert time.monotonic() - began < 30  # it would never end


async def test_nothing_is_retried() -> None:
    requests: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(500)

    await error_of(api(fail), write=True)
    await error_of(api(fail), write=False)
    assert len(requests) == 2


async def test_a_key_of_any_letters_is_sent_as_a_header() -> None:
    sent: list[str] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["idempotency-key"])
        return httpx.Response(200, json={})

    for key in ("billing-start:crm/006/1:Sitz 1:1", "billing-start:crm/006/1:Plätze:1"):
        await api(keep).write("make", "POST", "things", {}, key=key)
    assert sent == ["billing-start:crm/006/1:Sitz 1:1", "billing-start:crm/006/1:Pl%C3%A4tze:1"]


async def test_a_reason_is_one_short_line_without_addresses() -> None:
    body = {"message": "blocked:\n ap@hooli.example " + "x" * 500}
    error = await error_of(answers(422, body=body), write=True)
    assert str(error).startswith("erp.make: HTTP 422: blocked: … xxx")
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", timedelta(seconds=7)),
        (" 0 ", timedelta(0)),
        ("999999999999", timedelta(days=1)),
        ("Fri, 20 Nov 2020 09:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(value: str, expected: timedelta | None) -> None:
    assert retry_after(httpx.Response(429, headers={"retry-after": value})) == expected


def test_retry_after_an_instant() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    wait = retry_after(httpx.Response(429, headers={"retry-after": at}))
    assert wait is not None
    assert timedelta(seconds=55) < wait <= timedelta(seconds=60)


def test_an_id_is_one_segment() -> None:
    assert segment("line/1 ?#ä") == "line%2F1%20%3F%23%C3%A4"
