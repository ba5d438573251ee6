"""Between an adapter and the live Tryton: what happens on networks and in front of servers, one call at a time."""

import json
from typing import Any

import httpx

from tests.kits.wire import FaultyWire
from tests.kits.world import Disturbance


class Proxy(FaultyWire):
    """Before Tryton's JSON-RPC. Logins pass undisturbed.

    `lose_every_answer`: each effect is performed, and its first answer never comes back; `lost` has their keys. What is
    to be refused is sent under `used_key`, which was used for something else: so Tryton itself refuses it.
    """

    def __init__(self) -> None:
        super().__init__(httpx.AsyncHTTPTransport(), lambda request: _asked(request)[0], late=0.3)
        self.lose_every_answer = False
        self.lost: list[str] = []
        self.used_key = "used for something else"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        operation, key = _asked(request)
        if operation == "login":
            self.calls[operation] += 1
            return await self._inner.handle_async_request(request)
        if self.lose_every_answer and key is not None and key not in self.lost:
            self.calls[operation] += 1
            self.lost.append(key)
            return await self._spoiled(request, "lose_answer")
        return await super().handle_async_request(request)

    async def _spoiled(self, request: httpx.Request, how: Disturbance) -> httpx.Response:
        if how != "refuse":
            return await super()._spoiled(request, how)
        body = json.loads(request.content)
        body["params"][0] = self.used_key
        return await self._inner.handle_async_request(_with(request, body))


def _asked(request: httpx.Request) -> tuple[str, str | None]:
    """The operation of a request, and its key where it is an effect."""
    body = json.loads(request.content)
    method, params = body["method"], body["params"]
    if method == "model.tenure.command.perform":
        return params[1], params[0]
    return (params[0], None) if method == "model.tenure.command.read" else ("login", None)


def _with(request: httpx.Request, body: Any) -> httpx.Request:
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    return httpx.Request(request.method, request.url, headers=headers, json=body, extensions=request.extensions)
