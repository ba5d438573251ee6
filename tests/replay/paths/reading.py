"""Readings of a change feed: longer than an attempt, and refused by the source."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from temporalio.client import WorkflowFailureError, WorkflowHandle

from activities import feeds
from domain.errors import AuthFailed
from domain.feeds import ReadFeed
from tests.feeds import NAME, Ear, open_ear
from tests.house import House
from workflows.change_feed import ReadChangeFeed

Run = WorkflowHandle[Any, Any]


async def feed_read(house: House) -> Run:
    """More than one attempt reads."""
    with tempfile.TemporaryDirectory() as home, patch.object(feeds, "PAGES", 1):
        async with open_ear(house.client, Path(home)) as ear:
            await ear.fire()
            await ear.meter.report(*(f"a{number % 90}" for number in range(450)))
            run = await _read(ear, "feed_read")
            await run.result()
            return run


async def feed_refused(house: House) -> Run:
    """The source refuses whoever reads: the store hears of it, and the run fails."""
    with tempfile.TemporaryDirectory() as home:
        async with open_ear(house.client, Path(home)) as ear:
            await ear.fire()
            ear.port = _Closed()
            run = await _read(ear, "feed_refused")
            with suppress(WorkflowFailureError):
                await run.result()
            return run


async def _read(ear: Ear, path: str) -> Run:
    queue = ear.settings.task_queue("feeds")
    return await ear.client.start_workflow(
        ReadChangeFeed.run, ReadFeed(feed=NAME), id=f"feed/corpus/{path}", task_queue=queue
    )


class _Closed:
    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: Any) -> Any:
            raise AuthFailed("the key is no longer valid")

        return refuse
