"""A faulty way to a vendor: an httpx transport before another one, which passes requests on or spoils what comes back.

Before a live system, and before a stand-in as well: `httpx.MockTransport`, `httpx.ASGITransport`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx

from tests.kits.world import Disturbance


class FaultyWire(httpx.AsyncBaseTransport):
    """`operation_of` names a request as the port does; each one that comes here is a call of it. `refusal` is how the
    vendor says that a business rule forbids it. `late`: after so many seconds a late commit is performed (within S).
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        operation_of: Callable[[httpx.Request], str],
        *,
        refusal: Callable[[], httpx.Response] = lambda: httpx.Response(409, json={}),
        late: float = 0.2,
    ) -> None:
        self._inner = inner
        self._operation_of = operation_of
        self._refusal = refusal
        self._late = late
        self._faults: dict[str, Disturbance] = {}
        self._performing: set[asyncio.Task[None]] = set()
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
        if how is None:
            return await self._inner.handle_async_request(request)
        return await self._spoiled(request, how)

    async def _spoiled(self, request: httpx.Request, how: Disturbance) -> httpx.Response:
        match how:
            case "lose_answer":
                await self._perform(request)
                raise httpx.ReadError("the answer is lost")
            case "commit_late":
                task = asyncio.create_task(self._perform(request, after=self._late))
                self._performing.add(task)
                task.add_done_callback(self._performing.discard)
                raise httpx.ReadTimeout("no answer")
            case "down":
                raise httpx.ConnectError("refused")
            case "hang":
                await asyncio.sleep(3600)
                raise httpx.ReadTimeout("no answer")
            case "refuse":
                return self._refusal()
            case "error":
                return httpx.Response(500, text="Internal Server Error")
            case "rate_limit":
                return httpx.Response(429, headers={"Retry-After": "7"})
            case "rate_limit_until":
                until = datetime.now(UTC) + timedelta(seconds=90)
                return httpx.Response(429, headers={"Retry-After": format_datetime(until, usegmt=True)})
            case "garbage":
                return httpx.Response(200, html="<html>Sign in</html>")
            case "misshapen":
                return httpx.Response(200, json={"other": []})

    async def _perform(self, request: httpx.Request, *, after: float = 0) -> None:
        await asyncio.sleep(after)
        answer = await self._inner.handle_async_request(request)
        await answer.aread()

    async def aclose(self) -> None:
        for task in self._performing:
            task.cancel()
        await self._inner.aclose()
