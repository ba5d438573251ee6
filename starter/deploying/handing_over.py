"""A roll-back in place: an older version can't replay what a newer one has lived. So the newer one ends each run, and
hands its state on to a new run, which it leaves for the older version to begin."""

import asyncio
import logging
from typing import Any

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from domain.counting import many
from starter.deploying.pinned import AGAIN_AFTER, Pace, Say
from starter.deploying.versions import Versions
from starter.mistakes import Mistake

SOON = 20
"""A run that is longer than so many events has certainly begun."""


class LeftForTheOlder(Exception):
    """This run is begun by the version that is rolled back to."""


class BeginsNothing(Interceptor):
    """For a worker that hands over: it goes on with runs that have begun, and begins none."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        if not workflow.unsafe.is_replaying():
            raise LeftForTheOlder("left for the version that is rolled back to")
        return await super().execute_workflow(input)


def tell_of_others_only() -> None:
    """The SDK logs each failed task with where it failed: of those that are left it need not."""
    logging.getLogger("temporalio.worker._workflow_instance").addFilter(_is_of_another)


def _is_of_another(record: logging.LogRecord) -> bool:
    return not (record.exc_info and type(record.exc_info[1]).__name__ == LeftForTheOlder.__name__)


async def hand_over(client: Client, versions: Versions, pace: Pace, say: Say) -> int:
    """Have every open lifecycle wait as a new run that nobody has begun; returns how many do. Workers of this version
    that begin nothing must be at work, and no others. Said again, it goes on."""
    clock, told, left, moved_at = asyncio.get_running_loop().time, dict[str, float](), -1, 0.0
    held: set[str] = set()
    while True:
        every = [each async for each in versions.find()]
        held |= {each for each in every if each not in held and await _waits(client, each)}
        waiting = [each for each in every if each not in held]
        if not waiting:
            return len(every)
        if len(waiting) != left:
            left, moved_at = len(waiting), clock()
            say(f"{many(left, 'lifecycle is', 'lifecycles are')} still to be handed over")
        elif clock() - moved_at > pace.patience:
            late = many(left, "lifecycle has", "lifecycles have")
            raise Mistake(f"{late} not come to rest for {pace.patience:g} s; said again, it goes on")
        for each in waiting:
            if clock() - told.get(each, -AGAIN_AFTER) >= AGAIN_AFTER:
                await versions.nudge(each)
                told[each] = clock()
                await asyncio.sleep(1 / pace.rate)
        await asyncio.sleep(pace.look)


async def _waits(client: Client, workflow_id: str) -> bool:
    """Whether no task of the present run was ever completed."""
    handle = client.get_workflow_handle(workflow_id)
    try:
        described = await handle.describe()
        if described.history_length > SOON:
            return False
        history = await client.get_workflow_handle(workflow_id, run_id=described.run_id).fetch_history()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True
        raise Mistake(f"Temporal does not answer: {error.message}; said again, it goes on") from None
    return all(event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events)
