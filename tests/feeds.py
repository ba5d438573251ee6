"""A change feed as it runs: a real schedule, a worker, the store, and the usage meter of a box that somebody uses."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlmodel import col, select
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleHandle, WorkflowHandle

import wiring
from activities.feeds import ConnectedFeed, FeedActivities
from adapters.feeds.sandbox import SandboxFeed
from domain import keys
from domain.feeds import FeedRead, ReadFeed
from domain.ports import ChangeFeed
from sandbox.app import create_app
from starter.schedules import ensure_schedules
from starter.settings import Settings
from store.database import Database
from store.feeds import SqlFeeds
from store.tables import FeedRow, InboxRow
from tests.kits.sandbox import client as box_client
from tests.stores import lay
from workflows.change_feed import ReadChangeFeed

NAME, SOURCE = "meter", "usage"
NEVER = 30 * 86_400.0  # seconds; a test triggers the schedule itself


class Meter:
    """The usage meter of a box: reports come in, and its feed tells them."""

    def __init__(self, path: str) -> None:
        self._app = create_app(path)
        self.http = box_client(self._app)
        self._clients = [box_client(self._app, "/usage"), box_client(self._app, "/usage", accepted=False)]
        self.feed, self.stranger = (SandboxFeed(each, "usage") for each in self._clients)

    async def report(self, *accounts: str) -> list[str]:
        """The ids of the events that tell it."""
        for account in accounts:
            (await self.http.put(f"/usage/accounts/{account}", json={"active": 1, "entitled": 2})).raise_for_status()
        told = (await self.http.get("/admin/webhooks")).json()
        return [event["id"] for event in told[len(told) - len(accounts) :]]

    async def forget(self, keep: int = 0) -> None:
        (await self.http.post("/admin/retention", json={"system": "usage", "keep": keep})).raise_for_status()

    async def calls(self, operation: str) -> int:
        answer = await self.http.get("/admin/calls", params={"system": "usage", "operation": operation})
        return len(answer.json())

    async def close(self) -> None:
        for each in (self.http, *self._clients):
            await each.aclose()
        await self._app.state.box.close()


@dataclass
class Ear:
    """What a test holds. `port` is what the worker reads; a test may put another in its place."""

    client: Client
    database: Database
    meter: Meter
    settings: Settings
    port: ChangeFeed

    @property
    def schedule(self) -> ScheduleHandle:
        return self.client.get_schedule_handle(keys.feed_schedule(self.settings.tenant, NAME))

    async def fire(self) -> FeedRead:
        """Trigger the schedule, and wait for the run that it starts."""
        before = (await self.schedule.describe()).info.num_actions
        await self.schedule.trigger()

        async def started() -> bool:
            return (await self.schedule.describe()).info.num_actions > before

        await until(started)
        action = (await self.schedule.describe()).info.recent_actions[-1].action
        assert isinstance(action, ScheduleActionExecutionStartWorkflow)
        run: WorkflowHandle[ReadChangeFeed, FeedRead] = self.client.get_workflow_handle_for(
            ReadChangeFeed.run, action.workflow_id, run_id=action.first_execution_run_id
        )
        return await run.result()

    async def read_at_once(self, runs: int) -> Sequence[FeedRead]:
        """As many runs as that, side by side: what the schedule never does."""
        return await asyncio.gather(
            *(
                self.client.execute_workflow(
                    ReadChangeFeed.run,
                    ReadFeed(feed=NAME),
                    id=f"{self.schedule.id}-{number}",
                    task_queue=self.settings.task_queue("feeds"),
                )
                for number in range(runs)
            )
        )

    async def received(self) -> list[str]:
        """The ids of the inbox's events, in the order in which they came."""
        return await inbox(self.database)

    async def row(self) -> FeedRow:
        return await self.database.read(lambda session: session.get_one(FeedRow, NAME))


class Replaceable:
    """The feed that an ear holds at the moment."""

    def __init__(self, now: Callable[[], ChangeFeed]) -> None:
        self._now = now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now(), name)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(400):
        if await true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to pass")


async def inbox(database: Database) -> list[str]:
    query = select(InboxRow.event_id).where(InboxRow.source == SOURCE).order_by(col(InboxRow.id))
    return list(await database.read(lambda session: session.exec(query).all()))


def reader(database: Database, port: ChangeFeed, begin: Literal["now", "everything"] = "now") -> FeedActivities:
    """The activities of one feed, to be called without Temporal."""
    return FeedActivities([ConnectedFeed(NAME, SOURCE, port, begin)], SqlFeeds(database))


@asynccontextmanager
async def open_ear(
    client: Client, home: Path, *, begin: Literal["now", "everything"] = "now", every: float = NEVER
) -> AsyncIterator[Ear]:
    """Bring it up with a schedule of its own, and take it down again."""
    url = f"sqlite:///{home / 'store.db'}"
    lay(url)
    database, meter = Database(url), Meter(str(home / "box.db"))
    mark = uuid.uuid4().hex[:8]
    settings = Settings.model_validate({
        "tenant": f"t{mark}",
        "temporal": {"task_queue_prefix": f"test-{mark}"},
        "feeds": {NAME: {"connection": "usage", "every": every, "jitter": 0, "source": SOURCE, "begin": begin}},
    })  # fmt: skip
    ear = Ear(client, database, meter, settings, meter.feed)
    feed = ConnectedFeed(NAME, SOURCE, Replaceable(lambda: ear.port), begin)
    async with AsyncExitStack() as stack:
        for worker in wiring.feed_workers(
            client, database, [feed], task_queue=settings.temporal.task_queue_prefix, graceful=1
        ):
            await stack.enter_async_context(worker)
        await ensure_schedules(client, settings)
        try:
            yield ear
        finally:
            await ensure_schedules(client, settings.model_copy(update={"feeds": {}}))
            await meter.close()
    await asyncio.to_thread(database.close)
