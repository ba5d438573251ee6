"""The gate over what a cluster holds: its histories are fetched and lived again here. No workflow is woken, and no
worker is needed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.replaying.comparing import Red, judge
from starter.replaying.living import TYPES

PAGE = 100


@dataclass(frozen=True)
class Choice:
    """Which histories: of workflows that are open, and those that were closed since a moment. `workflow_id`: only of
    this one; `limit`: at most so many, the youngest."""

    since: datetime | None = None
    workflow_id: str | None = None
    limit: int | None = None

    @property
    def query(self) -> str:
        """For Temporal's visibility."""
        types = ", ".join(f"'{name}'" for name in TYPES)
        state = "ExecutionStatus = 'Running'"
        if self.since is not None:
            state = f"({state} OR CloseTime >= '{self.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}')"
        parts = [f"WorkflowType IN ({types})", state]
        if self.workflow_id is not None:
            quoted = self.workflow_id.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"WorkflowId = '{quoted}'")
        return " AND ".join(parts)


@dataclass(frozen=True)
class Checked:
    """One history that was looked at. `gone`: the server had deleted it by then."""

    workflow_id: str
    run_id: str
    events: int
    red: Red | None = None
    gone: bool = False


async def check_cluster(client: Client, choice: Choice = Choice()) -> AsyncIterator[Checked]:
    """Live each chosen history again, one after the other: one is held at a time, however many there are."""
    found = client.list_workflows(choice.query, page_size=PAGE, limit=choice.limit)
    async for each in found:
        handle = client.get_workflow_handle(each.id, run_id=each.run_id)
        try:
            history = await handle.fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            yield Checked(each.id, each.run_id, 0, gone=True)
            continue
        red, _ = await judge(contract_of(each.id), history)
        yield Checked(each.id, each.run_id, len(history.events), red)


def contract_of(workflow_id: str) -> str:
    """The contract that a lifecycle's id names; for another workflow its id."""
    kind, _, rest = workflow_id.partition("/")
    return rest.partition("/")[2] or workflow_id if kind == "lifecycle" else workflow_id
