"""What a lifecycle costs of Temporal: its actions, events and bytes, read from the histories of all its runs.

An action is what Temporal Cloud bills, and what the server counts in its own `action` metric: by the same rule they are
counted here from the events. What leaves no event is not seen: a query, a refused update, a heartbeat.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

ONE_EACH = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "starts",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activities",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signals",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "updates",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: "memos",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: "options",
}
"""The events that are an action each, and what it is called."""
MARKERS = "local activities"
RETRIES = "activity retries"
TRAVEL = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
)
"""What moving a clock leaves behind: no contract that lives in real time has any."""


@dataclass
class TemporalCost:
    """Of all runs together. `actions` by kind; `bytes` of the events as the history has them. `complete`: False where
    an earlier run's history is over its retention."""

    runs: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    events: int = 0
    bytes: int = 0
    complete: bool = True

    @property
    def total(self) -> int:
        return self.actions.total()

    def add(self, history: WorkflowHistory) -> None:
        """One run more."""
        self.runs += 1
        self.actions.update(actions_of(history))
        self.events += len(history.events)
        self.bytes += sum(event.ByteSize() for event in history.events)


def actions_of(history: WorkflowHistory) -> Counter[str]:
    """The actions of one run, by kind. All markers of one workflow task (local activities, patches) are one action."""
    found: Counter[str] = Counter()
    tasks = set()
    for event in history.events:
        if (kind := ONE_EACH.get(event.event_type)) is not None:
            found[kind] += 1
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            tasks.add(event.marker_recorded_event_attributes.workflow_task_completed_event_id)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            found[RETRIES] += event.activity_task_started_event_attributes.attempt - 1
    found[MARKERS] += len(tasks)
    return +found


async def temporal_cost(client: Client, workflow_id: str) -> TemporalCost:
    """Of the newest run and of those that it continues. It reads histories: no workflow wakes."""
    cost = TemporalCost()
    async for history in _runs(client, workflow_id):
        if history is None:
            cost.complete = False
        else:
            cost.add(history)
    return cost


async def _runs(client: Client, workflow_id: str) -> AsyncIterator[WorkflowHistory | None]:
    """The newest first; None in the end where one is missing."""
    run: str | None = None
    while True:
        try:
            history = await client.get_workflow_handle(workflow_id, run_id=run).fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            yield None
            return
        yield history
        first = history.events[0].workflow_execution_started_event_attributes
        run = first.continued_execution_run_id
        if not run:
            return
