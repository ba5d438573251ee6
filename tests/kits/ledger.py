"""A write as Tenure performs it: under the effect ledger, tried again while another attempt has the key."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from activities.effects import Effect, Effects
from domain.effects import EffectClass
from domain.errors import Busy
from store.database import Database
from store.ledger import SqlLedger
from tests.stores import lay


class NoArguments(BaseModel):
    """The intention is told by its key alone."""


@asynccontextmanager
async def ledger() -> AsyncIterator[Effects]:
    """The real ledger, in a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        lay(url)
        database = Database(url)
        try:
            yield Effects(SqlLedger(database))
        finally:
            database.close()


async def once(
    effects: Effects,
    declared: EffectClass,
    send: Callable[[], Awaitable[Any]],
    find: Callable[[], Awaitable[Any]] | None,
    answer: type[BaseModel],
) -> BaseModel:
    """The same intention as often as this is called."""
    effect = Effect(
        key="intention", contract="crm/006/1", operation="kit.write", declared=declared, arguments=NoArguments(),
        answer=answer, send=send, find=find,
    )  # fmt: skip
    while True:
        try:
            return await effects.once(effect)
        except Busy as busy:
            await asyncio.sleep(min(0.2, busy.retry_after.total_seconds() if busy.retry_after else 0.2))
