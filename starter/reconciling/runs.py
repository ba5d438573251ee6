"""Which lifecycles run, as Temporal lists them: no workflow is asked, and none wakes."""

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from domain import keys
from domain.errors import SourceUnavailable
from domain.ports.records import RecordKind, RecordPage, RunRecord

AT_ONCE = 500
CONNECTION = "temporal"


class Runs:
    """domain.ports.records.RecordReader of our own workflows."""

    kinds: tuple[RecordKind, ...] = ("runs",)

    def __init__(self, client: Client, tenant: str) -> None:
        self._client = client
        self._prefix = keys.lifecycle_id(tenant, "")
        self._query = (
            f"WorkflowType = 'CustomerLifecycle' AND WorkflowId STARTS_WITH '{self._prefix}'"
            " AND ExecutionStatus != 'ContinuedAsNew'"
        )

    async def records(self, kind: RecordKind, cursor: str | None = None, *, about: str | None = None) -> RecordPage:
        """The cursor is Temporal's own."""
        try:
            return await (self._page(cursor) if about is None else self._one(about))
        except RPCError as error:
            raise SourceUnavailable(f"temporal: {error.message}") from None

    async def _page(self, cursor: str | None) -> RecordPage:
        token = bytes.fromhex(cursor) if cursor else None
        listed = self._client.list_workflows(self._query, page_size=AT_ONCE, next_page_token=token)
        await listed.fetch_next_page()
        found: dict[str, RunRecord] = {}
        for each in listed.current_page or ():
            run = self._run(each)
            if run.running or run.id not in found:
                found[run.id] = run
        more = listed.next_page_token
        return RecordPage(records=tuple(found.values()), cursor=more.hex() if more else None)

    async def _one(self, contract: str) -> RecordPage:
        try:
            found = await self._client.get_workflow_handle(f"{self._prefix}{contract}").describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return RecordPage(records=())
            raise
        return RecordPage(records=(self._run(found),))

    def _run(self, found: WorkflowExecution) -> RunRecord:
        running = found.status is WorkflowExecutionStatus.RUNNING
        return RunRecord(id=found.id, contract=found.id.removeprefix(self._prefix), running=running)
