"""The worker process: runs lifecycles and the activities of every connected system, until SIGTERM or SIGINT."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import structlog
from temporalio.worker import Interceptor

import wiring
from starter.deploying.build import this_version
from starter.interpreter import settle_interpreter
from starter.process import connected, run_process
from starter.ready import announce_ready
from starter.reconciling.composing import reconciler
from starter.reconciling.scheduled import reconcile_by_schedule
from starter.schedules import ensure_schedules
from starter.searching import check_search_attributes
from starter.settings import Settings

log = structlog.get_logger()


async def serve(settings: Settings, stop: asyncio.Event, *, beside: Sequence[Interceptor] = ()) -> None:
    """Work until told to stop; attempts under way are finished within the grace period. `beside`: interceptors of the
    lifecycles' worker."""
    company = wiring.read_company(settings)
    landscape = wiring.read_landscape(settings, company)
    database = wiring.open_store(settings)
    try:
        client = await connected(lambda: wiring.connect(settings), stop)
        if client is None:
            return
        await check_search_attributes(client)
        async with AsyncExitStack() as stack:
            limits = await stack.enter_async_context(wiring.open_limits(database))
            systems = await stack.enter_async_context(wiring.connect_systems(settings, limits))
            for worker in wiring.workers(
                client,
                database,
                systems,
                company,
                task_queue=settings.temporal.task_queue_prefix,
                landscape=landscape,
                sticky_timeout=settings.tuning.sticky_timeout,
                max_cached_workflows=settings.tuning.max_cached_workflows,
                workflow_tasks=settings.tuning.workflow_tasks,
                steps=settings.tuning.steps,
                graceful=settings.tuning.grace,
                deployment=this_version(settings.deploys),
                beside=beside,
            ):
                await stack.enter_async_context(worker)
            feeds = await stack.enter_async_context(wiring.connect_feeds(settings, limits))
            for worker in wiring.feed_workers(
                client,
                database,
                feeds,
                task_queue=settings.temporal.task_queue_prefix,
                graceful=settings.tuning.grace,
            ):
                await stack.enter_async_context(worker)
            await wiring.begin_feeds_of(database, feeds)
            # Here rather than in the dispatcher: a schedule is of use only where somebody can read its feed.
            await ensure_schedules(client, settings)
            if every := settings.reconciliation.every:
                compared = reconciler(settings, database, client, systems)
                task = asyncio.create_task(reconcile_by_schedule(compared, timedelta(seconds=every), stop))
                stack.push_async_callback(_broken_off, task)
            settle_interpreter()
            announce_ready()
            log.info("working", task_queue=settings.temporal.task_queue_prefix)
            await stop.wait()
    finally:
        database.close()


async def _broken_off(task: asyncio.Task[None]) -> None:
    """A run of reconciliation is not waited for: the next one reads everything anew."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    run_process("worker", serve)
