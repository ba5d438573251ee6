"""A reader that is killed between reading a page and storing it, or while it stores it: nothing lost, nothing twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from domain.feeds import FeedRead, ReadFeed
from store.database import Database
from store.feeds import SqlFeeds
from tests.feeds import NAME, Meter, inbox, reader
from tests.stores import lay

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("feed_child.py")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    await asyncio.to_thread(database.close)


@pytest.fixture
async def meter(tmp_path: Path) -> AsyncIterator[Meter]:
    meter = Meter(str(tmp_path / "box.db"))
    yield meter
    await meter.close()


async def read(database: Database, meter: Meter) -> FeedRead:
    return await ActivityEnvironment().run(reader(database, meter.feed).read, ReadFeed(feed=NAME))


async def killed(home: Path, where: str, at: int) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), str(home), where, str(at)), env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert await child.wait() == -signal.SIGKILL


@pytest.mark.parametrize("where", ["before", "within", "after"])
async def test_a_reader_killed_at_its_second_page(database: Database, meter: Meter, tmp_path: Path, where: str) -> None:
    await read(database, meter)
    told = await meter.report(*(f"a{number}" for number in range(450)))
    await killed(tmp_path, where, 2)
    stored = 400 if where == "after" else 200
    assert await inbox(database) == told[:stored], "rows and cursor go together"
    cursor = (await SqlFeeds(database).position(NAME)).cursor
    assert [event["id"] for event in (await meter.feed.changes(cursor, 1)).events] == [told[stored]]
    assert (await read(database, meter)).new == 450 - stored
    assert await inbox(database) == told


@pytest.mark.parametrize("where", ["before", "within", "after"])
async def test_a_reader_killed_while_it_fills_a_gap(
    database: Database, meter: Meter, tmp_path: Path, where: str
) -> None:
    await read(database, meter)
    told = await meter.report(*(f"a{number}" for number in range(450)))
    await meter.forget()
    await killed(tmp_path, where, 3)  # the last page of the three, with which the cursor jumps
    stored = 450 if where == "after" else 400
    assert sorted(await inbox(database)) == sorted(told[:stored])
    again = await read(database, meter)
    assert (again.gap, again.new) == (where != "after", 450 - stored)
    assert sorted(await inbox(database)) == sorted(told)
