"""A process that reads a feed and dies in the middle of storing a page.

Arguments: directory with box.db and store.db, where to die (before, within or after the commit), at which write.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlmodel import Session
from temporalio.testing import ActivityEnvironment

from domain.feeds import ReadFeed
from store.database import Database
from tests.feeds import NAME, Meter, reader

T = TypeVar("T")

home, where, at = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Dying(Database):
    writes = 0

    async def write(self, fn: Callable[[Session], T]) -> T:
        self.writes += 1
        if self.writes < at:
            return await super().write(fn)
        if where == "before":
            die()

        def fatal(session: Session) -> T:
            result = fn(session)
            session.flush()
            if where == "within":
                die()
            return result

        result = await super().write(fatal)
        die()
        return result


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    meter = Meter(str(Path(home) / "box.db"))
    database = Dying(f"sqlite:///{Path(home) / 'store.db'}")
    await ActivityEnvironment().run(reader(database, meter.feed).read, ReadFeed(feed=NAME))


asyncio.run(main())
