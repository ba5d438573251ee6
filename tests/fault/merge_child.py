"""A process that merges accounts, or takes it back, and dies at a write of its store: before, within or after it.

Arguments: store's url, Temporal's address, merge or undo, from, into, where to die, at which write.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from starter.accounts import AccountMoves
from store.database import Database

T = TypeVar("T")

url, address, what, account, into, where, at = sys.argv[1:]


class Dying(Database):
    writes = 0

    async def write(self, fn: Callable[[Session], T]) -> T:
        self.writes += 1
        if self.writes != int(at):
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
    moves = AccountMoves(Dying(url), await Client.connect(address, data_converter=pydantic_data_converter))
    await (moves.merge(account, into, "ops") if what == "merge" else moves.undo(account, "ops"))


asyncio.run(main())
