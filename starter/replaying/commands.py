"""What workflow code asks for, read from two sides: from the code that lives, and from a history that holds it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.client import WorkflowHistory

# The view is what people are shown: it may grow and be worded anew without endangering a running lifecycle.
SHOWN = {"view", "shows", "sequence", "run_started"}
LOCAL = "core_local_activity"
ANSWER, ATTRIBUTES, CANCEL_TIMER, CONTINUE, FAILURE, RESULT, TIMER = (
    *("answer", "search attributes", "cancel_timer", "continue as new", "failure", "result", "timer"),
)


@dataclass(frozen=True)
class Command:
    """One command. `key` tells it from the others of its history; `queue`: an activity's, beside the workflow's own."""

    key: str
    name: str
    input: Any
    queue: str = ""
    local: bool = False


def given(command: WorkflowCommand, number: int, own_queue: str) -> Command | None:
    """A command of living code, its `number`th upsert; None for one whose change is safe."""
    kind = command.WhichOneof("variant")
    match kind:
        case "schedule_activity":
            remote = command.schedule_activity
            name = remote.activity_type
            queue = remote.task_queue.removeprefix(own_queue)
            return Command(f"activity {remote.activity_id}", name, inputs(remote.arguments), queue)
        case "schedule_local_activity":
            near = command.schedule_local_activity
            return Command(f"activity {near.activity_id}", near.activity_type, inputs(near.arguments), local=True)
        case "start_timer":
            length = _seconds(command.start_timer.start_to_fire_timeout)
            return Command(f"timer {command.start_timer.seq}", TIMER, length)
        case "cancel_timer":
            return Command(f"{CANCEL_TIMER} {command.cancel_timer.seq}", CANCEL_TIMER, None)
        case "complete_workflow_execution":
            return Command(RESULT, RESULT, value(command.complete_workflow_execution.result))
        case "fail_workflow_execution":
            return Command(FAILURE, FAILURE, None)
        case "continue_as_new_workflow_execution":
            return Command(CONTINUE, CONTINUE, inputs(command.continue_as_new_workflow_execution.arguments))
        case "upsert_workflow_search_attributes":
            fields = command.upsert_workflow_search_attributes.search_attributes.indexed_fields
            return Command(f"{ATTRIBUTES} {number}", ATTRIBUTES, _attributes(fields))
        case "update_response":
            if not command.update_response.HasField("completed"):
                return None
            of = command.update_response.protocol_instance_id
            return Command(f"{ANSWER} {of}", ANSWER, value(command.update_response.completed))
        case "set_patch_marker" | "respond_to_query":
            return None
        case _:
            return Command(str(kind), str(kind), None)


def held(history: WorkflowHistory) -> Iterator[Command]:
    """The commands that a history holds, in its order. It does not hold what a local activity was given."""
    updates: dict[int, str] = {}
    attributes, own_queue = 0, ""
    for event in history.events:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                own_queue = event.workflow_execution_started_event_attributes.task_queue.name
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                asked = event.activity_task_scheduled_event_attributes
                yield Command(
                    f"activity {asked.activity_id}",
                    asked.activity_type.name,
                    inputs(asked.input.payloads),
                    asked.task_queue.name.removeprefix(own_queue),
                )
            case EventType.EVENT_TYPE_MARKER_RECORDED:
                marker = event.marker_recorded_event_attributes
                if marker.marker_name == LOCAL:
                    told = json.loads(marker.details["data"].payloads[0].data)
                    yield Command(f"activity {told['activity_id']}", told["activity_type"], None, local=True)
            case EventType.EVENT_TYPE_TIMER_STARTED:
                timer = event.timer_started_event_attributes
                yield Command(f"timer {timer.timer_id}", TIMER, _seconds(timer.start_to_fire_timeout))
            case EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
                fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
                if "TemporalChangeVersion" not in fields:
                    attributes += 1
                    yield Command(f"{ATTRIBUTES} {attributes}", ATTRIBUTES, _attributes(fields))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                accepted = event.workflow_execution_update_accepted_event_attributes
                updates[event.event_id] = accepted.protocol_instance_id
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
                answered = event.workflow_execution_update_completed_event_attributes
                if answered.outcome.HasField("success"):
                    of = updates[answered.accepted_event_id]
                    yield Command(f"{ANSWER} {of}", ANSWER, value(answered.outcome.success.payloads[0]))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
                result = event.workflow_execution_completed_event_attributes.result.payloads
                yield Command(RESULT, RESULT, value(result[0]) if result else None)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
                yield Command(FAILURE, FAILURE, None)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                handed = event.workflow_execution_continued_as_new_event_attributes.input.payloads
                yield Command(CONTINUE, CONTINUE, inputs(handed))


_OF_A_COMMAND = {
    EventType.Value(f"EVENT_TYPE_{name}")
    for name in (
        *("ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_CANCEL_REQUESTED", "MARKER_RECORDED"),
        *("TIMER_STARTED", "TIMER_CANCELED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_PROPERTIES_MODIFIED"),
        *("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED"),
        *("WORKFLOW_EXECUTION_COMPLETED", "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", "WORKFLOW_EXECUTION_FAILED"),
        *("WORKFLOW_EXECUTION_CANCELED",),
    )
}


def answered(history: WorkflowHistory) -> WorkflowHistory:
    """A history up to the last workflow task that was answered: what came since, code has not acted upon."""
    events: list[HistoryEvent] = list(history.events)
    last = max((at for at, event in enumerate(events) if _is_answer(event)), default=-1)
    if last < 0:
        return WorkflowHistory(history.workflow_id, [])
    end = last + 1
    while end < len(events) and events[end].event_type in _OF_A_COMMAND:
        end += 1
    return WorkflowHistory(history.workflow_id, events[:end])


def _is_answer(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


# ── payloads ─────────────────────────────────────────────────────────────────────────────────────────────────────


def inputs(payloads: Iterable[Payload]) -> list[Any]:
    return [value(payload) for payload in payloads]


def value(payload: Payload) -> Any:
    """A payload's JSON value, without what is only shown to people."""
    read = json.loads(payload.data) if payload.data else None
    return {key: each for key, each in read.items() if key not in SHOWN} if isinstance(read, dict) else read


def _attributes(fields: Any) -> dict[str, Any]:
    return {name: value(field) for name, field in sorted(fields.items())}


def _seconds(length: Duration) -> float:
    return length.ToTimedelta().total_seconds()
