"""What each answer of Tryton means: sessions, errors, doubt. The answers are what trytond 8.2 sends."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from adapters import tryton
from adapters.erp.tryton import TrytonErp
from adapters.tryton import ModuleMissing, TrytonLogin, TrytonRpc
from domain.effects import EffectClass, Guarantee
from domain.errors import (
    AuthFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    PeriodClosed,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)
from domain.ports import CreditHold

PASSWORD = "s3cret-of-the-user"
EFFECTS = {"make": EffectClass(guarantee=Guarantee.KEY, deadline=timedelta(seconds=0.5))}
Answer = Callable[[Any], httpx.Response | Awaitable[httpx.Response]]


class Server:
    """Logs in who knows the password; `answer` answers the rest."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.logins = 0
        self.calls: list[Any] = []
        self.sessions: set[str] = set()
        self.login_answer: httpx.Response | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/erp/rpc/"
        body = json.loads(request.content)
        assert set(body) == {"id", "method", "params"}
        if body["method"] == "common.db.login":
            self.logins += 1
            await asyncio.sleep(0.01)
            if self.login_answer is not None:
                return self.login_answer
            user, parameters = body["params"]
            if parameters != {"password": PASSWORD}:
                return httpx.Response(401)
            key = f"key{self.logins}"
            self.sessions.add(base64.b64encode(f"{user}:7:{key}".encode()).decode())
            return httpx.Response(200, json={"id": body["id"], "result": [7, key, None]})
        scheme, _, session = request.headers.get("authorization", "").partition(" ")
        if scheme != "Session" or session not in self.sessions:
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="Tryton"'})
        self.calls.append(body)
        given = self.answer(body)
        return given if isinstance(given, httpx.Response) else await given


def result(value: object) -> Answer:
    return lambda body: httpx.Response(200, json={"id": body["id"], "result": value})


def error(*parts: object) -> Answer:
    return lambda body: httpx.Response(200, json={"id": body["id"], "error": parts})


def status(code: int, headers: dict[str, str] | None = None) -> Answer:
    return lambda body: httpx.Response(code, headers=headers, text="<!doctype html><title>no</title>")


def rpc(server: Server, password: str = PASSWORD) -> TrytonRpc:
    client = httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://erp/")
    return TrytonRpc(client, "erp", TrytonLogin("erp", "tenure", password), EFFECTS)


async def fails(answer: Answer, *, write: bool) -> TenureError:
    api = rpc(Server(answer))
    with pytest.raises(TenureError) as raised:
        await (api.perform("make", {}, key="k") if write else api.read("look", {}))
    return raised.value


async def test_a_call_carries_key_operation_arguments_and_context() -> None:
    server = Server(result({"id": "7"}))
    api = rpc(server)
    assert await api.perform("make", {"a": "1"}, key="subscription:x") == {"id": "7"}
    assert await api.read("look", {"b": None}) == {"id": "7"}
    assert [(call["method"], call["params"]) for call in server.calls] == [
        ("model.tenure.command.perform", ["subscription:x", "make", {"a": "1"}, {}]),
        ("model.tenure.command.read", ["look", {"b": None}, {}]),
    ]
    assert server.logins == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error("UserError", ["no such subscription", "tenure:not_found", None]), NotFound),
        (error("UserError", ["it has ended", "tenure:rejected", None]), Rejected),
        (error("UserError", ["no line", "tenure:invalid", None]), InvalidInput),
        (error("UserError", ["other arguments", "tenure:key_mismatch", None]), Rejected),
        (error("UserError", ["the period is closed", "tenure:period_closed", None]), PeriodClosed),
        (error("UserError", ["the period is closed", "tenure:period_closed:2026-12-01", None]), PeriodClosed),
        (error("UserError", ["two of them", "tenure:ambiguous", None]), Rejected),
        (error("UserError", ["it is being done", "tenure:busy", None]), SourceUnavailable),
        (error("UserError", ["of a later version", "tenure:novel", None]), Rejected),
        (error("UserError", ["Der Code der Partei muss eindeutig sein.", "", None]), Rejected),
        (error("UserWarning", ["invoice_past.1", "The invoice is dated", ""]), Rejected),
        (error("ConcurrencyException", "Records were modified in the meanwhile"), SourceUnavailable),
        (error("LoginException", ["password", "Password", "password"]), AuthFailed),
        (error("'tenure.command'", ""), ModuleMissing),
        (status(403), AuthFailed),
        (status(404), SourceUnavailable),
        (status(413), InvalidInput),
        (status(422), InvalidInput),
        (status(429, {"retry-after": "7"}), RateLimited),
        (status(503, {"retry-after": "30"}), SourceUnavailable),
    ],
)
async def test_what_is_certain(answer: Answer, expected: type[TenureError]) -> None:
    for write in (True, False):
        raised = await fails(answer, write=write)
        assert type(raised) is expected
        assert not raised.sent or expected is ModuleMissing


async def test_a_closed_period_says_from_when_on_one_is_open() -> None:
    for code, opens_on in (
        ("tenure:period_closed:2026-12-01", date(2026, 12, 1)),
        ("tenure:period_closed", None),
        ("tenure:period_closed:soon", None),
    ):
        raised = await fails(error("UserError", ["the period is closed", code, None]), write=True)
        assert isinstance(raised, PeriodClosed)
        assert raised.opens_on == opens_on


@pytest.mark.parametrize(
    "answer",
    [
        error("null value in column of res_user of Hooli GmbH", ""),
        error("UserError", "UserError"),
        error(),
        status(500),
        status(503),
        status(504),
    ],
)
async def test_what_is_in_doubt_after_a_write(answer: Answer) -> None:
    """Tryton answers 503 when its connection to PostgreSQL breaks during the commit, too."""
    written = await fails(answer, write=True)
    assert type(written) is OutcomeUnknown
    assert "Hooli" not in str(written)
    assert type(await fails(answer, write=False)) is SourceUnavailable


@pytest.mark.parametrize(
    "answer",
    [
        result([1]),
        result(None),
        lambda body: httpx.Response(200, text="<html>"),
        lambda body: httpx.Response(200, json={"other": []}),
        lambda body: httpx.Response(200, json={"id": body["id"] + 1, "result": {}}),
        lambda body: httpx.Response(200, json={"id": body["id"], "error": "no"}),
    ],
)
async def test_what_breaks_the_contract(answer: Answer) -> None:
    assert type(await fails(answer, write=True)) is ContractBroken
    assert type(await fails(answer, write=False)) is ContractBroken


async def test_messages_tell_the_reason_and_nobody_s_data() -> None:
    ours = await fails(error("UserError", ["the subscription is cancelled", "tenure:rejected", None]), write=True)
    assert str(ours) == "erp.make: the subscription is cancelled"
    stock = ['The value for "Street" on "Hooli GmbH" of ap@hooli.example is not valid.', "", None]
    assert (
        str(await fails(error("UserError", stock), write=True)) == "erp.make: The value for … on … of … is not valid."
    )
    warned = await fails(error("UserWarning", ["past_due.ab", "Hooli GmbH owes", ""]), write=True)
    assert str(warned) == "erp.make: Tryton warns of past_due.ab; look at it there"


async def test_an_expired_session_is_opened_anew_once() -> None:
    server = Server(result({}))
    api = rpc(server)
    await api.read("look", {})
    server.sessions.clear()
    assert await api.perform("make", {}, key="k") == {}
    assert (server.logins, len(server.calls)) == (2, 2)


async def test_a_session_that_is_refused_at_once_is_not_opened_for_ever() -> None:
    server = Server(status(401))
    with pytest.raises(AuthFailed):
        await rpc(server).perform("make", {}, key="k")
    assert (server.logins, len(server.calls)) == (2, 2)


async def test_those_who_call_together_share_one_session() -> None:
    server = Server(result({}))
    api = rpc(server)
    await asyncio.gather(*(api.read("look", {}) for _ in range(8)))
    server.sessions.clear()
    await asyncio.gather(*(api.read("look", {}) for _ in range(8)))
    assert (server.logins, len(server.calls)) == (2, 16)


async def test_a_refused_password_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(result({}))
    api = rpc(server, "wrong")
    for _ in range(3):
        with pytest.raises(AuthFailed) as raised:
            await api.perform("make", {}, key="k")
        assert "wrong" not in str(raised.value)
    assert server.logins == 1


async def test_a_refused_password_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tryton, "SLOWER", 0.0)
    server = Server(result({}))
    api = rpc(server, "wrong")
    for _ in range(2):
        with pytest.raises(AuthFailed):
            await api.perform("make", {}, key="k")
    assert server.logins == 2
    assert server.calls == []


@pytest.mark.parametrize(
    ("code", "expected"), [(404, SourceUnavailable), (429, RateLimited), (500, SourceUnavailable), (403, AuthFailed)]
)
async def test_a_login_that_fails_did_nothing(code: int, expected: type[TenureError]) -> None:
    server = Server(result({}))
    server.login_answer = httpx.Response(code)
    api = rpc(server)
    with pytest.raises(expected) as raised:
        await api.perform("make", {}, key="k")
    assert not raised.value.sent
    assert PASSWORD not in str(raised.value)
    server.login_answer = None
    await api.perform("make", {}, key="k")


async def test_a_login_that_hangs_did_nothing_and_keeps_the_deadline() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    client = httpx.AsyncClient(transport=httpx.MockTransport(hang), base_url="http://erp/")
    api = TrytonRpc(client, "erp", TrytonLogin("erp", "tenure", PASSWORD), EFFECTS)
    began = time.monotonic()
    with pytest.raises(SourceUnavailable):
        await api.perform("make", {}, key="k")
    assert time.monotonic() - began < 30


async def test_login_and_call_share_the_deadline() -> None:
    async def late(body: Any) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    began = time.monotonic()
    assert type(await fails(late, write=True)) is OutcomeUnknown
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadError])
async def test_a_connection_lost_is_in_doubt_only_once_the_call_is_sent(failure: type[httpx.TransportError]) -> None:
    def lost(body: Any) -> httpx.Response:
        raise failure("lost")

    written = await fails(lost, write=True)
    assert type(written) is (SourceUnavailable if failure is httpx.ConnectError else OutcomeUnknown)

    def no_login(request: httpx.Request) -> httpx.Response:
        raise failure("lost")

    client = httpx.AsyncClient(transport=httpx.MockTransport(no_login), base_url="http://erp/")
    with pytest.raises(SourceUnavailable):
        await TrytonRpc(client, "erp", TrytonLogin("erp", "tenure", PASSWORD), EFFECTS).perform("make", {}, key="k")


def test_a_login_shows_no_password() -> None:
    assert PASSWORD not in repr(TrytonLogin("erp", "tenure", PASSWORD))


async def test_the_probe_says_when_the_module_is_not_there() -> None:
    server = Server(error("'tenure.command'", ""))
    client = httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://erp/")
    probed = await TrytonErp(client, database="erp", user="tenure", password=PASSWORD).probe()
    assert [problem.what for problem in probed.problems] == ["the module tenure is not installed in Tryton"]


async def test_a_credit_hold_can_be_set_again_and_again() -> None:
    server = Server(result({"id": "1"}))
    client = httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://erp/")
    erp = TrytonErp(client, database="erp", user="tenure", password=PASSWORD)
    for held in (True, False, True):
        await erp.set_credit_hold(CreditHold(customer="1", held=held, reason="overdue"))
    assert len({call["params"][0] for call in server.calls}) == 3
