"""After a thaw, and after a merge: lifecycles that waited for it try again now, not when their own timers end."""

import asyncio
from datetime import timedelta

import structlog
from sqlmodel import Session, and_, col, or_, select
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import ConnectionFrozen
from domain.messages import RetryStep
from domain.routes import Landscape
from starter.handles import lifecycle_handle
from store.cases import FENCED, FROZEN, frozen_at
from store.database import Database
from store.fences import fenced
from store.freezing import EVERYTHING, frozen
from store.tables import CaseRow, LifecycleRow
from workflows.lifecycle import CustomerLifecycle

AT_ONCE = 16
NOT_AGAIN_WITHIN = 30.0  # seconds in which a lifecycle shows what became of it
ANSWERS_WITHIN = timedelta(seconds=10)

log = structlog.get_logger()


class Thawing:
    """Any number may run at once: a step that is told twice to try again tries once."""

    def __init__(self, database: Database, client: Client, landscape: Landscape) -> None:
        self._db = database
        self._client = client
        self._landscape = landscape
        self._told: dict[str, float] = {}

    async def tell(self) -> int:
        """One round over a few of those that wait, so that a thawed system is not met by all at once; returns how many
        try again."""
        now = asyncio.get_running_loop().time()
        self._told = {case: at for case, at in self._told.items() if now - at < NOT_AGAIN_WITHIN}
        waiting = await self._db.read(self._waiting)
        told = await asyncio.gather(*(self._retry(workflow_id, case, step) for workflow_id, case, step in waiting))
        self._told |= {case: now for _, case, _ in waiting}
        return sum(told)

    def _waiting(self, session: Session) -> list[tuple[str, str, str]]:
        """The oldest cases of a freeze or a merge that is over: workflow id, the case's own id, and the step's."""
        switched = frozen(session)
        if EVERYTHING in switched:
            return []
        still = {*switched} | {kind for kind, home in self._landscape.homes.items() if home in switched}
        still_frozen = col(CaseRow.problem).in_([frozen_at(name) for name in still])
        still_fenced = col(LifecycleRow.account).in_(fenced(session))
        query = (
            select(CaseRow, LifecycleRow.workflow_id)
            .join(LifecycleRow, col(LifecycleRow.contract) == col(CaseRow.contract))
            .where(CaseRow.state == "open", col(CaseRow.projected), ~col(LifecycleRow.closed))
            .where(or_(and_(CaseRow.kind == FROZEN, ~still_frozen), and_(CaseRow.kind == FENCED, ~still_fenced)))
            .where(col(CaseRow.id).not_in(list(self._told)))
            .order_by(col(CaseRow.opened_at))
            .limit(AT_ONCE)
        )
        found = session.exec(query).all()
        return [(workflow_id, case.id, case.id.removeprefix(f"{case.contract}:")) for case, workflow_id in found]

    async def _retry(self, workflow_id: str, case: str, step: str) -> bool:
        handle = lifecycle_handle(self._client, workflow_id)
        command = RetryStep(case=step, by=ConnectionFrozen.kind.lower())
        try:
            await handle.execute_update(CustomerLifecycle.retry_step, command, rpc_timeout=ANSWERS_WITHIN)
        except WorkflowUpdateFailedError:
            return False  # it went on by itself meanwhile
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False  # it is over
            log.warning("a lifecycle was not told of a thaw, its own timer will", case=case, error=error.message)
            return False
        return True
