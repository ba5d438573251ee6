"""Several processes call one vendor: its limit is kept, counted at its door, also when one of them dies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.database import Database
from store.limits import LEASE
from tests.doors import most_in_a_second
from tests.postgres import ON_SQLITE

ROOT = Path(__file__).parents[2]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Door:
    """An outside system, as far as it counts. Its answers take `slow` seconds, or wait while `hangs`."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.now = self.most_at_once = 0
        self.slow = 0.0
        self.crowded = asyncio.Event()  # two at once
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.calls.append(time.time())
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
            if self.now == 2:
                self.crowded.set()
            try:
                await asyncio.sleep(self.slow)
                await self.hangs.wait()
            finally:
                self.now -= 1  # before it is answered: from then on the next one may come
            writer.write(ANSWER)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller is dead
        finally:
            writer.close()


@pytest.fixture
async def door() -> AsyncIterator[tuple[Door, str]]:
    door = Door()
    server = await asyncio.start_server(door.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    yield door, f"http://{host}:{port}"
    door.hangs.set()
    server.close()


def start(url: str, address: str, *, per_second: float = 0, at_once: int = 0, calls: int) -> subprocess.Popen[str]:
    numbers = [str(each) for each in (per_second, at_once, calls)]
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("limit_child.py")), url, address, *numbers],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def finished(*children: subprocess.Popen[str]) -> int:
    """How many answers they got, when all have ended well."""
    answers = 0
    for child in children:
        out, errors = await asyncio.to_thread(child.communicate, timeout=90)
        assert (child.returncode, errors) == (0, "")
        answers += out.split().count("200")
    return answers


async def test_the_rate_of_all_processes_together_stays_within_the_limit(
    url: str, database: Database, door: tuple[Door, str]
) -> None:
    vendor, address = door
    vendor.slow = 0.03
    assert await finished(*(start(url, address, per_second=10, calls=7) for _ in range(3))) == 21
    assert len(vendor.calls) == 21
    assert most_in_a_second(vendor.calls) <= 10


async def test_the_calls_at_once_of_all_processes_together_stay_within_the_limit(
    url: str, database: Database, door: tuple[Door, str]
) -> None:
    vendor, address = door
    vendor.slow = 0.05
    assert await finished(*(start(url, address, at_once=3, calls=8) for _ in range(3))) == 24
    assert vendor.most_at_once == 3


@ON_SQLITE
async def test_what_a_dead_process_held_is_free_when_its_lease_ends(
    url: str, database: Database, door: tuple[Door, str]
) -> None:
    vendor, address = door
    vendor.hangs.clear()
    dying = start(url, address, at_once=2, calls=2)
    await asyncio.wait_for(vendor.crowded.wait(), 30)
    dying.send_signal(signal.SIGKILL)
    dying.communicate()
    killed = time.time()
    vendor.hangs.set()
    other = start(url, address, at_once=2, calls=2)
    assert await finished(other) == 2
    # it can't be known whether the vendor still works on those two
    assert LEASE - 6 < min(vendor.calls[2:]) - killed < LEASE + 10
