"""Time travel on a server that can skip time: one running workflow's clock moves, its timers fire on the way."""

import uuid
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import TimeSkippingConfig, WorkflowExecution
from temporalio.api.enums.v1 import FastForwardPollingResult
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionTimeSkippingRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from starter.mistakes import Mistake


class CannotTravel(Mistake):
    """The clock can't be moved; the message says why, in one line."""


class RunEnded(CannotTravel):
    """The lifecycle ended on the way."""


async def fast_forward(client: Client, workflow_id: str, by: timedelta) -> None:
    """Move one running workflow's clock ahead by `by`, whole seconds; returns when it is there.

    Raises RunEnded when the workflow ended on the way, CannotTravel when the server can't, or gave up.
    """
    execution = WorkflowExecution(workflow_id=workflow_id)
    travel_id = str(uuid.uuid4())
    config = TimeSkippingConfig(enabled=True, max_session_skip_count=10_000)
    config.fast_forward_config.id = travel_id
    config.fast_forward_config.duration.CopyFrom(Duration(seconds=int(by.total_seconds())))
    try:
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=execution,
                workflow_execution_options=WorkflowExecutionOptions(time_skipping_config=config),
                update_mask=FieldMask(paths=["time_skipping_config"]),
            )
        )
        while True:
            answer = await client.workflow_service.poll_workflow_execution_time_skipping(
                PollWorkflowExecutionTimeSkippingRequest(
                    namespace=client.namespace, workflow_execution=execution, fast_forward_id=travel_id
                )
            )
            result = FastForwardPollingResult.Name(answer.fast_forward_polling_result)
            if result.endswith("_COMPLETED"):
                return
            if result.endswith("_FAILED") and await _ended(client, workflow_id):
                raise RunEnded("the lifecycle ended on the way")
            if result.endswith("_FAILED"):
                raise CannotTravel(f"the clock stopped: {answer.failed_reason}")
            # a long poll that timed out: the clock is still moving, ask again
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise CannotTravel("there is no running lifecycle of this contract") from None
        raise CannotTravel(
            f"this Temporal server can't skip time ({error.message}); start the local one with: tenure up --time-travel"
        ) from None


async def _ended(client: Client, workflow_id: str) -> bool:
    return (await client.get_workflow_handle(workflow_id).describe()).close_time is not None


async def workflow_clock(client: Client, workflow_id: str) -> datetime:
    """The instant that the workflow's own clock shows: the real one where time was never skipped."""
    return clock_of(await client.get_workflow_handle(workflow_id).describe())


def clock_of(description: WorkflowExecutionDescription) -> datetime:
    """What it was o'clock there when it was described."""
    skipping = description.raw_description.workflow_extended_info.time_skipping_info
    if skipping.HasField("current_time"):
        return skipping.current_time.ToDatetime(tzinfo=UTC)
    return datetime.now(UTC)


async def pending_attempts(client: Client, workflow_id: str) -> dict[str, int]:
    """The activities under way, with the attempt each is at."""
    description = await client.get_workflow_handle(workflow_id).describe()
    return {pending.activity_type.name: pending.attempt for pending in description.raw_description.pending_activities}
