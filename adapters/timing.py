"""Call times of one process, told to the book that all processes share every few seconds."""

import asyncio
from contextlib import suppress
from contextvars import Context

from domain.call_times import CallBook, Calls, CallTimes
from domain.errors import SourceUnavailable

TELL_EVERY = 5.0


class Times:
    """A Timekeeper (adapters.seen). A process that is killed loses a few seconds of measurements, and nothing else."""

    def __init__(self, book: CallBook) -> None:
        self._book = book
        self._untold: dict[str, CallTimes] = {}
        self._calls: dict[tuple[str, str], Calls] = {}
        self._teller: asyncio.Task[None] | None = None

    def called(self, connection: str, seconds: float, failed: bool, contract: str = "") -> None:
        self._untold.setdefault(connection, CallTimes()).add(seconds, failed)
        if contract:
            calls = self._calls.setdefault((contract, connection), Calls())
            calls.made += 1
            calls.failed += failed
        if self._teller is None or self._teller.done():
            self._teller = asyncio.get_running_loop().create_task(self._later(), context=Context())

    async def close(self) -> None:
        """Tell what is left."""
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)
        await self._tell()

    async def _later(self) -> None:
        # Nothing may be awaited between the last look and the end: `called` starts no second task while this one lives.
        while self._untold:
            await asyncio.sleep(TELL_EVERY)
            await self._tell()

    async def _tell(self) -> None:
        told, self._untold = self._untold, {}
        calls, self._calls = self._calls, {}
        if told:
            with suppress(
                SourceUnavailable
            ):  # the store's own outage is told by others; these few are not worth a wait
                await self._book.add(told, calls)
