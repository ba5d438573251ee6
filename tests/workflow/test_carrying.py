"""What is carried through a workflow: the cause of an activity, by the workflow's own time, over runs and replays."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import PayloadConverter
from temporalio.worker import Replayer, Worker

from domain.keys import LIFE_HEADER, TRACE_HEADER
from starter.telling import Telling
from starter.tracing import correlation, span, traceparent
from starter.travel import fast_forward
from tests.tracing import recording
from workflows.carrying import CarriesTraces

SOON, LATER = timedelta(minutes=9), timedelta(days=300)


@activity.defn(name="probe.do")
async def do() -> None:
    return None


@workflow.defn(name="CarryingProbe")
class Probe:
    """Does something whenever it is told to, and so long afterwards; or goes on as a new run, and does it there."""

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._anew = False

    @workflow.run
    async def run(self, anew: bool) -> None:
        if anew:
            await self._do()
            return
        while not self._anew:
            await workflow.wait_condition(lambda: bool(self._waits) or self._anew)
            if self._waits:
                await workflow.sleep(self._waits.pop(0))
                await self._do()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(True)

    async def _do(self) -> None:
        await workflow.execute_activity(do, start_to_close_timeout=timedelta(seconds=5))

    @workflow.update
    async def tell(self, wait: float) -> None:
        self._waits.append(wait)

    @workflow.signal
    def go_on(self) -> None:
        self._anew = True


def named(headers: Mapping[str, Payload], header: str) -> str:
    found = headers.get(header)
    return "" if found is None else correlation(PayloadConverter.default.from_payload(found)["traceparent"])


async def causes(handle: WorkflowHandle[Any, Any]) -> list[tuple[str, str]]:
    """Of each activity of a run: the trace that it belongs to, and the one that its life belongs to, if another."""
    scheduled = [
        event.activity_task_scheduled_event_attributes.header.fields
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    return [(named(headers, TRACE_HEADER), named(headers, LIFE_HEADER)) for headers in scheduled]


@asynccontextmanager
async def working(temporal: Client) -> AsyncIterator[tuple[Client, str]]:
    client = Client(temporal.service_client, data_converter=temporal.data_converter, interceptors=[Telling()])
    queue = f"carrying-{uuid.uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[Probe], activities=[do], interceptors=[CarriesTraces()]):
        yield client, queue


async def until(handle: WorkflowHandle[Any, Any], activities: int) -> list[tuple[str, str]]:
    """Wait until so many were asked for."""
    for _ in range(400):
        if len(found := await causes(handle)) >= activities:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"only {found}")


@contextmanager
def caused() -> Iterator[str]:
    """A trace of its own; its id."""
    with span("cause", parent=""):
        yield correlation(traceparent())


async def test_a_cause_has_what_follows_from_it_and_the_calendar_has_the_rest(temporal: Client) -> None:
    async with working(temporal) as (client, queue):
        with recording():
            with caused() as born:
                handle = await client.start_workflow(Probe.run, False, id=queue, task_queue=queue)
            with caused() as told:
                await handle.execute_update(Probe.tell, args=[0.0])
            assert await until(handle, 1) == [(told, born)]
            with caused() as again:
                await handle.execute_update(Probe.tell, args=[SOON.total_seconds()])
            await fast_forward(client, queue, SOON + timedelta(seconds=1))
            assert (await until(handle, 2))[1] == (again, born)
            with caused():
                await handle.execute_update(Probe.tell, args=[LATER.total_seconds()])
            await fast_forward(client, queue, LATER + timedelta(seconds=1))
            assert (await until(handle, 3))[2] == (born, "")
            with caused():
                await handle.signal(Probe.go_on)
            history = await handle.fetch_history()
            await handle.result()
        assert await causes(client.get_workflow_handle(queue)) == [(born, "")], "the next run was begun by the same"
    for interceptors in ([], [CarriesTraces()]):
        replayer = Replayer(workflows=[Probe], data_converter=temporal.data_converter, interceptors=interceptors)
        await replayer.replay_workflow(history)


async def test_without_a_trace_nothing_is_added_to_a_history(temporal: Client) -> None:
    async with working(temporal) as (_, queue):
        handle = await temporal.start_workflow(Probe.run, False, id=queue, task_queue=queue)
        await handle.execute_update(Probe.tell, args=[0.0])
        await until(handle, 1)
        async for event in handle.fetch_history_events():
            assert "_tracer" not in str(event)
        await handle.terminate()
