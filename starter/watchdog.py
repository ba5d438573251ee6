"""The watchdog: a lifecycle whose workflow task fails can't open a case itself. Somebody has to look."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlmodel import Session, col, select
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client
from temporalio.service import RPCError

from store.cases import open_case, resolve_case
from store.database import Database
from store.tables import CaseRow, LifecycleRow
from store.watching import STUCK, look_is_due, note_look

LOOK_EVERY = 5.0
ANSWERS_WITHIN = timedelta(seconds=10)
LAST_EVENTS = 20
LONGEST = 300
NONDETERMINISM = "NonDeterministicError"

# Temporal says so of a run after some failures in a row (of the embedded server: two, ten seconds), and no more after
# the next task that is completed.
FAILING = "WorkflowType = 'CustomerLifecycle' AND ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL"

log = structlog.get_logger()


class Watchdog:
    """Opens a case for each lifecycle that can't make its task, and resolves it when it can again. Any number may look
    at once."""

    def __init__(self, database: Database, client: Client, *, every: float = LOOK_EVERY) -> None:
        self._db = database
        self._client = client
        self._every = every
        self._next = float("-inf")

    async def look(self) -> int:
        """How many cases were opened or resolved; nothing is asked before it is time again."""
        clock = asyncio.get_running_loop().time()
        if clock < self._next:
            return 0
        self._next = clock + self._every
        try:
            failing = {each.id: each.run_id async for each in self._client.list_workflows(FAILING)}
            known = await self._db.read(_open_cases)
            lives = await self._db.read(lambda session: _lives(session, failing))
            new = {contract: workflow_id for contract, workflow_id in lives.items() if contract not in known}
            cases = [_case(contract, await self._reason(each, failing[each])) for contract, each in new.items()]
        except RPCError as error:
            log.warning("nobody knows which lifecycles can't go on: Temporal does not answer", error=error.message)
            return 0
        healed = sorted(known - lives.keys())
        due = await self._db.read(look_is_due)
        if cases or healed or due:
            await self._db.write(lambda session: _settle(session, cases, healed))
        for case in cases:
            log.error("a lifecycle can't make its task", contract=case.contract, reasons=case.reasons)
        return len(cases) + len(healed)

    async def _reason(self, workflow_id: str, run_id: str) -> str:
        """What the last failed task says."""
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            maximum_page_size=LAST_EVENTS,
        )
        answer = await self._client.workflow_service.get_workflow_execution_history_reverse(
            request, timeout=ANSWERS_WITHIN
        )
        for event in answer.history.events:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                failed = event.workflow_task_failed_event_attributes
                return _said(failed.cause, failed.failure)
        return "no worker has answered its task in time"


def _said(cause: WorkflowTaskFailedCause.ValueType, failure: Failure) -> str:
    """Of code that can't live its history, what differs; of anything else only the class of the error: what it says may
    be about people."""
    if cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR:
        return f"the code can't live its history: {' '.join(failure.message.split())}"[:LONGEST]
    kind = failure.application_failure_info.type or "an error without a class"
    return f"its code raises {kind}"


def _case(contract: str, reason: str) -> CaseRow:
    return CaseRow(
        id=f"{STUCK}:{contract}",
        contract=contract,
        kind=STUCK,
        problem=STUCK,
        title="the lifecycle can't go on: its workflow task fails",
        reasons=[reason],
        actor="engineer",
        mend="deploy code that can live it (tenure deploy), or take the last deploy back (tenure deploy rollback)",
    )


def _open_cases(session: Session) -> set[str]:
    """The contracts that have a case already."""
    found = session.exec(select(CaseRow.contract).where(CaseRow.kind == STUCK, CaseRow.state == "open"))
    return {contract for contract in found if contract}


def _lives(session: Session, failing: Mapping[str, str]) -> dict[str, str]:
    """By contract, the workflow ids of those that are ours."""
    query = select(LifecycleRow.contract, LifecycleRow.workflow_id).where(col(LifecycleRow.workflow_id).in_(failing))
    return dict(session.exec(query).all()) if failing else {}


def _settle(session: Session, cases: list[CaseRow], healed: list[str]) -> None:
    for case in cases:
        life = session.get(LifecycleRow, case.contract)
        case.account = life.account if life else None
        open_case(session, case)
    for contract in healed:
        resolve_case(session, f"{STUCK}:{contract}", "its workflow task is completed again")
    note_look(session)
