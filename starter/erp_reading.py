"""Reading what the ERPs have: each subscription with its prices, each customer's invoices. Nothing is written there.

Where a limit holds, it waits until nobody else needs the ERP. Whoever reads has claimed it for a minute; what a reader
that died has not kept is read again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import structlog
from sqlmodel import Session

from domain.errors import TenureError
from domain.limits import in_spare_time
from domain.ports import Invoice
from domain.ports.prices import PricedState
from store.database import Database, take_turn
from store.erp_states import (
    Due,
    DueCustomer,
    claim_customers,
    claim_states,
    customer_read,
    keep_invoices,
    keep_state,
    state_unread,
)
from store.tables import utc_now

log = structlog.get_logger()
Of = TypeVar("Of")
Found = TypeVar("Found")

TURN = "erp-reading"
AT_ONCE = 4
BATCH = 100


class Read(NamedTuple):
    """What was found, or why nothing was."""

    found: Any = None
    problem: str = ""


class ErpReading:
    """`erps`: the adapters by connection. `every`: how long what was read is good, where nothing is known to have
    changed. `rest`: for so long a lifecycle must not have changed. Any number may run.
    """

    def __init__(
        self,
        database: Database,
        erps: Mapping[str, Any],
        *,
        every: timedelta,
        rest: timedelta = timedelta(),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = database
        self._erps = erps
        self._every = every
        self._rest = rest
        self._clock = clock

    async def read(self) -> int:
        """One batch of subscriptions and one of customers' invoices; returns how many were due."""
        return await self._states() + await self._invoices()

    async def _states(self) -> int:
        moment = self._clock()
        due = await self._claimed(lambda session: claim_states(session, moment, self._every, BATCH, self._rest))
        read = await _together(due, self._state)

        def keep(session: Session) -> None:
            for each, (state, problem) in zip(due, read, strict=True):
                if problem:
                    state_unread(session, each.contract, problem)
                else:
                    keep_state(session, each, state.model_dump(mode="json"), state.entitled, moment)

        await self._keep(due, keep)
        return len(due)

    async def _invoices(self) -> int:
        moment = self._clock()
        due = await self._claimed(lambda session: claim_customers(session, moment, self._every, BATCH))
        read = await _together(due, self._pages)

        def keep(session: Session) -> None:
            for each, (invoices, problem) in zip(due, read, strict=True):
                keep_invoices(session, each, invoices or (), moment)
                customer_read(session, each, moment, problem)

        await self._keep(due, keep)
        return len(due)

    async def _claimed(self, claim: Callable[[Session], list[Of]]) -> list[Of]:
        def claimed(session: Session) -> list[Of]:
            take_turn(session, TURN)
            return claim(session)

        return await self._db.write(claimed)

    async def _keep(self, due: list[Of], keep: Callable[[Session], None]) -> None:
        if due:
            await self._db.write(keep)

    async def _state(self, due: Due) -> Read:
        if due.subscription is None:
            return Read(problem="no subscription of it in the ERP is known")
        state: PricedState = await self._erp(due.connection).priced_state(due.subscription)
        return Read(state)

    async def _pages(self, due: DueCustomer) -> Read:
        found: list[Invoice] = []
        cursor: str | None = None
        while True:
            page = await self._erp(due.connection).invoices(due.customer, cursor)
            found += page.invoices
            cursor = page.cursor
            if cursor is None:
                return Read(found)

    def _erp(self, connection: str) -> Any:
        erp = self._erps.get(connection)
        if erp is None:
            raise Unreadable(f"{connection} is not configured")
        if not hasattr(erp, "priced_state"):
            raise Unreadable(f"{connection} does not tell its prices")
        return erp


class Unreadable(Exception):
    """Why nothing can be read there, in words."""


async def _together(due: list[Of], read: Callable[[Of], Awaitable[Read]]) -> list[Read]:
    """A few at once; one that can't be read doesn't keep the others from it."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(each: Of) -> Read:
        async with turns:
            in_spare_time.set(True)  # in this task alone
            try:
                return await read(each)
            except (TenureError, Unreadable) as error:
                log.warning("not read in the ERP", due=each, error=str(error))
                return Read(problem=str(error)[:500])

    return list(await asyncio.gather(*(one(each) for each in due)))
