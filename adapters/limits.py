"""The limits of a connection, kept in its HTTP transport: no call leaves without a turn, whichever process makes it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx

from adapters.http import DEADLINE, retry_after
from adapters.turns import Limiter, Turn
from domain.errors import SourceUnavailable


class LimitedTransport(httpx.AsyncBaseTransport):
    """Around a client's transport. A call that gets no turn raises RateLimited and was not sent.

    The time of waiting is not the call's: a deadline that is given with the request begins when it leaves.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, limiter: Limiter) -> None:
        self._inner = inner
        self._limiter = limiter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        turn = await self._turn(request)
        if turn is None:
            response = await self._inner.handle_async_request(request)
        else:
            try:
                response = await self._inner.handle_async_request(request)
            except BaseException:
                self._limiter.over(turn, "given up")
                raise
            if response.is_closed or not isinstance(response.stream, httpx.AsyncByteStream):
                self._limiter.over(turn, "answered")
            else:
                response.stream = _Body(response.stream, turn, self._limiter)
        if response.status_code == 429 and (wait := retry_after(response)):
            with suppress(SourceUnavailable):  # who is told now will wait all the same
                await self._limiter.pause(wait)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _turn(self, request: httpx.Request) -> Turn | None:
        deadline, began = request.extensions.get(DEADLINE), time.monotonic()
        if not isinstance(deadline, asyncio.Timeout) or deadline.expired() or (when := deadline.when()) is None:
            return await self._limiter.now()
        deadline.reschedule(None)
        try:
            return await self._limiter.now()
        finally:
            deadline.reschedule(when + time.monotonic() - began)


class _Body(httpx.AsyncByteStream):
    """An answer's body; the call is over when it is closed."""

    def __init__(self, inner: httpx.AsyncByteStream, turn: Turn, limiter: Limiter) -> None:
        self._inner = inner
        self._turn: Turn | None = turn
        self._limiter = limiter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            if self._turn is not None:
                turn, self._turn = self._turn, None
                self._limiter.over(turn, "answered")
