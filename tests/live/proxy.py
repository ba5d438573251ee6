"""A faulty way to a real system that is only read: an httpx transport which passes requests on, or spoils the answer.

What arrives there is what the adapter sent. tests/live/worlds/proxy.py does the same for Tryton's effects.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx

from tests.kits.world import Disturbance

_ANSWERS: dict[Disturbance, Callable[[], httpx.Response]] = {
    "rate_limit": lambda: httpx.Response(429, headers={"Retry-After": "7"}),
    "rate_limit_until": lambda: httpx.Response(429, headers={"Retry-After": _soon()}),
    "error": lambda: httpx.Response(500, text="Internal Server Error"),
    "garbage": lambda: httpx.Response(200, html="<html>Sign in</html>"),
    "misshapen": lambda: httpx.Response(200, json={"other": []}),
}


class FaultyProxy(httpx.AsyncBaseTransport):
    """`operation_of` names a request as the port does. Every request that comes here counts as a call of it."""

    def __init__(self, operation_of: Callable[[httpx.Request], str]) -> None:
        self._wire = httpx.AsyncHTTPTransport()
        self._operation_of = operation_of
        self._faults: dict[str, Disturbance] = {}
        self.calls: Counter[str] = Counter()

    def disturb(self, operation: str, how: Disturbance) -> None:
        """The next call of `operation` ("*": every call of any, until healed)."""
        self._faults[operation] = how

    def heal(self) -> None:
        self._faults.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = self._operation_of(request)
        self.calls[operation] += 1
        how = self._faults.get("*") or self._faults.pop(operation, None)
        match how:
            case None:
                return await self._wire.handle_async_request(request)
            case "lose_answer":
                await (await self._wire.handle_async_request(request)).aread()
                raise httpx.ReadError("connection reset")
            case "down":
                raise httpx.ConnectError("connection refused")
            case "hang":
                await asyncio.sleep(3600)
        return _ANSWERS[how]()

    async def aclose(self) -> None:
        await self._wire.aclose()


def _soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
