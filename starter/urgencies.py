"""Who goes first in the engine's queue of workflow tasks: Temporal is told where a lifecycle's urgency has changed."""

import asyncio
from datetime import timedelta

import structlog
from google.protobuf.field_mask_pb2 import FieldMask
from sqlmodel import Session, col, select, update
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from store.database import Database, change
from store.tables import LifecycleRow

AT_ONCE = 20
ANSWERS_WITHIN = timedelta(seconds=10)
FOR_GOOD = (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNIMPLEMENTED)
"""It is over, or Temporal is older than that: telling it again would not help."""

log = structlog.get_logger()

Untold = tuple[str, str, int]
"""Contract, workflow id, urgency."""


class Urgencies:
    """What measuring has found (starter/measuring.py) is told once. Any number may tell at once: it is a level."""

    def __init__(self, database: Database, client: Client) -> None:
        self._db = database
        self._client = client

    async def tell(self) -> int:
        """Returns how many Temporal knows anew."""
        untold = await self._db.read(_untold)
        told = [each for each in await asyncio.gather(*map(self._tell, untold)) if each is not None]
        if told:
            await self._db.write(lambda session: _told(session, told))
        return len(told)

    async def _tell(self, untold: Untold) -> Untold | None:
        contract, workflow_id, urgency = untold
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            workflow_execution_options=WorkflowExecutionOptions(priority=Priority(priority_key=urgency)),
            update_mask=FieldMask(paths=["priority"]),
        )
        try:
            await self._client.workflow_service.update_workflow_execution_options(request, timeout=ANSWERS_WITHIN)
        except RPCError as error:
            if error.status not in FOR_GOOD:
                log.warning("Temporal does not know yet who goes first", contract=contract, error=error.message)
                return None
        return untold


def _untold(session: Session) -> list[Untold]:
    row = LifecycleRow
    query = (
        select(row.contract, row.workflow_id, row.urgency)
        .where(col(row.urgency) != col(row.urgency_told), col(row.started), ~col(row.closed))
        .limit(AT_ONCE)
    )
    return list(session.exec(query).all())


def _told(session: Session, told: list[Untold]) -> None:
    for contract, _, urgency in told:
        mine = col(LifecycleRow.contract) == contract
        change(session, update(LifecycleRow).where(mine).values(urgency_told=urgency))
