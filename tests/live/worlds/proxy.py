"""Between an adapter and the live Tryton: what happens on networks and in front of servers, one call at a time."""

import asyncio
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

_PLAIN = {"content-type": "application/json"}


class Proxy(httpx.AsyncBaseTransport):
    """Passes requests on to the server. `disturb` spoils the next one of an operation (`times`: None for all of them).

    `calls` counts the requests of each operation that have arrived here. Logins pass undisturbed, unless asked for by
    the name "login". `lose_every_answer`: each effect is performed, and its first answer never comes back.
    """

    def __init__(self) -> None:
        self._wire = httpx.AsyncHTTPTransport()
        self._faults: dict[str, list[tuple[str, int | None]]] = defaultdict(list)
        self._late: set[asyncio.Task[httpx.Response]] = set()
        self.calls: Counter[str] = Counter()
        self.lose_every_answer = False
        self.lost: list[str] = []
        self.used_key = "used for something else"

    def disturb(self, operation: str, how: str, times: int | None = 1) -> None:
        self._faults[operation].append((how, times))

    def heal(self) -> None:
        self._faults.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        operation, key = _asked(body)
        self.calls[operation] += 1
        if self.lose_every_answer and key is not None and key not in self.lost:
            self.lost.append(key)
            await self._performed(request)
            raise httpx.ReadError("the answer is lost")
        how = self._next(operation) or (None if operation == "login" else self._next("*"))
        return await self._disturbed(how, request, body) if how else await self._wire.handle_async_request(request)

    async def _disturbed(self, how: str, request: httpx.Request, body: Any) -> httpx.Response:
        match how:
            case "lose_answer":
                await self._performed(request)
                raise httpx.ReadError("the answer is lost")
            case "commit_late":
                late = asyncio.create_task(self._performed(request, after=0.3))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
                raise httpx.ReadTimeout("no answer")
            case "refuse":
                # a key that was used for something else: Tryton itself refuses it
                body["params"][0] = self.used_key
                return await self._wire.handle_async_request(_with(request, body))
            case "down":
                raise httpx.ConnectError("refused")
            case "hang":
                await asyncio.sleep(3600)
            case "rate_limit":
                return httpx.Response(429, headers={"retry-after": "7"})
            case "rate_limit_until":
                until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
                return httpx.Response(429, headers={"retry-after": until})
            case "error":
                return httpx.Response(500, text="Internal Server Error")
            case "garbage":
                return httpx.Response(200, headers=_PLAIN, text="<html>no JSON")
            case "misshapen":
                return httpx.Response(200, headers=_PLAIN, text='{"other": []}')
        raise LookupError(how)

    async def _performed(self, request: httpx.Request, *, after: float = 0) -> httpx.Response:
        await asyncio.sleep(after)
        answer = await self._wire.handle_async_request(request)
        await answer.aread()
        return answer

    def _next(self, operation: str) -> str | None:
        waiting = self._faults[operation]
        if not waiting:
            return None
        how, times = waiting[0]
        if times is not None:
            waiting[0] = (how, times - 1)
            if times == 1:
                waiting.pop(0)
        return how

    async def aclose(self) -> None:
        for late in self._late:
            late.cancel()
        await self._wire.aclose()


def _asked(body: Any) -> tuple[str, str | None]:
    """The operation of a request, and its key where it is an effect."""
    method, params = body["method"], body["params"]
    if method == "model.tenure.command.perform":
        return params[1], params[0]
    return (params[0], None) if method == "model.tenure.command.read" else ("login", None)


def _with(request: httpx.Request, body: Any) -> httpx.Request:
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    return httpx.Request(request.method, request.url, headers=headers, json=body, extensions=request.extensions)
