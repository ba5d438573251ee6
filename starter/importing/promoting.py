"""Making a shadow live, and comparing it with the old process first."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from domain.base import Frozen
from domain.calendar import civil_date
from domain.comparison import Difference, compare, done_there
from domain.errors import TenureError
from domain.existing import entries
from domain.messages import Promote
from domain.ports.erp import SubscriptionState
from domain.standins import ELSEWHERE
from domain.state import LifecycleState
from starter.handles import LifecycleHandle, lifecycle_handle
from starter.importing.entry import Entrance, missing_ids
from starter.mistakes import Mistake
from store.database import Database
from store.imports import Conflict, Imports
from store.lifecycles import Lifecycles
from store.transit import ImportRow
from workflows.lifecycle import CustomerLifecycle

AT_ONCE = 16
ANSWER = timedelta(seconds=20)


class Compared(Frozen):
    """One contract in shadow. `unread`: why the ERP could not be asked."""

    contract: str
    differences: tuple[Difference, ...]
    unread: str = ""


class Promotion:
    """What is done with contracts in shadow."""

    def __init__(self, database: Database, client: Client, entrance: Entrance) -> None:
        self._imports = Imports(database)
        self._lifecycles = Lifecycles(database)
        self._client = client
        self._entrance = entrance

    async def compare(self, row: ImportRow) -> Compared:
        """What Tenure would have done since the contract entered, against what the old process did. Reads only."""
        state = await self._state(row)
        erp, unread = await self._erp(state)
        return Compared(
            contract=row.contract,
            differences=tuple(compare(state, erp, _today(state))),
            unread=unread,
        )

    async def report(self, rows: Sequence[ImportRow]) -> list[Compared]:
        """The same for several at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def take(row: ImportRow) -> Compared:
            async with slots:
                return await self.compare(row)

        return list(await asyncio.gather(*map(take, rows)))

    async def promote(
        self,
        row: ImportRow,
        by: str,
        *,
        cut_over: date | None = None,
        perform: Sequence[str] = (),
        leave: Sequence[str] = (),
    ) -> str:
        """Make a contract live; answers in words. Whoever dies in between says it again. Raises Mistake, with every
        reason, when the lifecycle refuses."""
        state = await self._state(row)
        if state.mode == "shadow":
            erp, unread = await self._erp(state)
            if unread:
                raise Mistake(f"the ERP can't be asked what the old process did: {unread}")
            done = missing_ids(row, state) | (done_there(state, erp) if erp is not None else {})
            await self._record(state, done)  # before the lifecycle acts: what is done there can't be done again
            command = Promote(
                by=by, cut_over=cut_over or row.cut_over, done=done, perform=tuple(perform), leave=tuple(leave)
            )
            await self._update(row, command)
            state = await self._state(row)
        await self._record(state, {key: ref for key, ref in state.effects.items() if ref == ELSEWHERE})
        await self._imports.settle(row.contract, "shadow", "promoted", reasons=[])
        return f"live since {state.cut_over}"

    async def each(self, rows: Sequence[ImportRow], by: str, cut_over: date | None = None) -> dict[str, str]:
        """Promote several at once; the answers by contract, those that were refused with `refused:`."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def take(row: ImportRow) -> str:
            async with slots:
                try:
                    return await self.promote(row, by, cut_over=cut_over)
                except Mistake as mistake:
                    await self._imports.settle(row.contract, "shadow", "shadow", reasons=[str(mistake)])
                    return f"refused: {mistake}"

        answers = await asyncio.gather(*map(take, rows))
        return {row.contract: answer for row, answer in zip(rows, answers, strict=True)}

    async def _handle(self, row: ImportRow) -> LifecycleHandle:
        life = await self._lifecycles.get(row.contract)
        if life is None:
            raise Mistake(f"{row.contract} has no lifecycle yet; run the import again")
        return lifecycle_handle(self._client, life.workflow_id)

    async def _state(self, row: ImportRow) -> LifecycleState:
        handle = await self._handle(row)
        try:
            return await handle.query(CustomerLifecycle.state, rpc_timeout=ANSWER)
        except RPCError as error:
            raise Mistake(f"the lifecycle does not answer ({error.message}); `tenure status` tells why") from None

    async def _erp(self, state: LifecycleState) -> tuple[SubscriptionState | None, str]:
        port = self._entrance.erps.get(state.connection("erp"))
        if port is None or state.subscription is None:
            return None, ""
        try:
            return await port.subscription_state(state.subscription), ""
        except TenureError as error:
            return None, str(error)

    async def _record(self, state: LifecycleState, done: dict[str, str]) -> None:
        try:
            await self._imports.record(state.contract, entries(state, done))
        except Conflict as conflict:
            raise Mistake(str(conflict)) from None

    async def _update(self, row: ImportRow, command: Promote) -> None:
        handle = await self._handle(row)
        try:
            await handle.execute_update(CustomerLifecycle.promote, command, rpc_timeout=ANSWER)
        except WorkflowUpdateFailedError as error:
            raise Mistake(error.cause.message if isinstance(error.cause, ApplicationError) else str(error)) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise Mistake("the lifecycle does not answer in time; say it again") from None
        except RPCError as error:
            raise Mistake(f"the lifecycle does not answer ({error.message}); say it again") from None


def _today(state: LifecycleState) -> date:
    return civil_date(datetime.now(UTC) + timedelta(seconds=state.shift_seconds), state.zone)
