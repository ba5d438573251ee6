"""The state machine of an import, contract by contract. Killed anywhere, the same command goes on where it stood."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain import keys
from domain.errors import TenureError
from domain.state import LifecycleState
from domain.urgency import urgency
from starter.importing.entry import Entrance, Unusable
from store.database import Database
from store.imports import Conflict, Imports, entered_on
from store.orders import SqlOrders
from store.transit import ImportRow
from workflows.desk import at_start
from workflows.lifecycle import CustomerLifecycle

AT_ONCE = 16
STARTED_WITHIN = timedelta(seconds=20)


class Importer:
    """Brings contracts in, up to the shadow. `task_queue` is the lifecycles'."""

    def __init__(self, database: Database, client: Client, entrance: Entrance, *, task_queue: str) -> None:
        self._imports = Imports(database)
        self._orders = SqlOrders(database)
        self._client = client
        self._entrance = entrance
        self._task_queue = task_queue

    async def run(self, rows: Sequence[ImportRow] = ()) -> dict[str, str]:
        """Read new ones, and take everything on that is on its way; returns who has to wait, and why."""
        if rows:
            await self._imports.read(rows)
        waiting: dict[str, str] = {}
        for state, step in (("read", self._check), ("checked", self._know), ("known", self._start)):
            waiting |= await self._each(state, step)
        return waiting

    async def _each(self, state: str, step: Callable[[ImportRow], Awaitable[None]]) -> dict[str, str]:
        waiting: dict[str, str] = {}
        slots = asyncio.Semaphore(AT_ONCE)

        async def take(row: ImportRow) -> None:
            async with slots:
                try:
                    await step(row)
                except (Unusable, Conflict) as error:
                    if state == "known":  # it has its rows: mend what is said, and go on
                        waiting[row.contract] = str(error)
                        return
                    reasons = [f"{each.path}: {each.message}" for each in getattr(error, "reasons", ())]
                    await self._imports.settle(row.contract, state, "refused", reasons=reasons or [str(error)])
                except TenureError as error:
                    waiting[row.contract] = str(error)
                except RPCError as error:
                    waiting[row.contract] = f"Temporal does not answer: {error.message}"

        after = ""
        while rows := await self._imports.waiting([state], after=after):
            await asyncio.gather(*map(take, rows))
            after = rows[-1].contract
        return waiting

    async def _check(self, row: ImportRow) -> None:
        existing, today = await self._entrance.check(row)
        facts = existing.model_dump(mode="json", exclude_defaults=True)
        await self._imports.settle(row.contract, "read", "checked", existing=facts, entered_on=today)

    async def _know(self, row: ImportRow) -> None:
        state = self._entrance.state(row, row.document or {}, entered_on(row))
        await self._imports.know(row.contract, self._entrance.known(row, state))

    async def _start(self, row: ImportRow) -> None:
        document = await self._orders.read(row.contract, 1)
        await start_lifecycle(
            self._client, self._entrance.state(row, document, entered_on(row)), task_queue=self._task_queue
        )
        await self._imports.entered(row.contract)


async def start_lifecycle(client: Client, state: LifecycleState, *, task_queue: str) -> None:
    """Start a lifecycle from a state that holds more than an order. One that was started before stays as it is."""
    try:
        await client.start_workflow(
            CustomerLifecycle.run,
            state,
            id=keys.lifecycle_id(state.tenant, state.contract),
            task_queue=task_queue,
            search_attributes=at_start(state.account, state.selling_entity),
            static_summary=state.contract,
            priority=Priority(priority_key=urgency(state)),
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            rpc_timeout=STARTED_WITHIN,
        )
    except WorkflowAlreadyStartedError:
        return
