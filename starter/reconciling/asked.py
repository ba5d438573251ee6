"""Reconciliations that somebody has asked for and does not wait for: one at a time, in the background."""

import asyncio
import contextlib
from types import TracebackType

import structlog

from domain.errors import TenureError
from starter.logs import where
from starter.mistakes import Refusal
from starter.reconciling.reconciler import Reconciler
from store.database import Database
from store.reconciliations import Reconciliations

log = structlog.get_logger()


class AskedRuns:
    """Open it around what may ask. A run that its process does not survive is seen as broken off: it is asked for
    again, and the next one by schedule comes anyhow."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._running: tuple[int, asyncio.Task[None]] | None = None

    async def __aenter__(self) -> "AskedRuns":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running[1].cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running[1]

    def check(self) -> None:
        """Raises Refusal while one is under way: the outside is read once."""
        if self._running is not None and not self._running[1].done():
            raise Refusal(f"the reconciliation {self._running[0]} is under way; see what it finds first")

    async def begin(self, database: Database) -> int:
        """Begin one; returns its number. `database`: where its beginning is written."""
        self.check()
        number = await Reconciliations(database).begin()
        self._running = (number, asyncio.create_task(self._run(number)))
        return number

    async def _run(self, number: int) -> None:
        try:
            await self._reconciler.run(number)
        except TenureError as error:
            log.warning("a reconciliation that was asked for can't go on", run=number, error=str(error))
        except Exception as error:  # nobody waits for it who could be told
            log.error("a reconciliation that was asked for was broken off", run=number, where=where(error))
