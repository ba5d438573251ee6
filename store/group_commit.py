"""Group commit: whoever wants to write while a commit is under way shares the next one."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field, fields
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from domain.errors import SourceUnavailable
from store.database import Database
from store.dead_letters import UNUSABLE, open_dead_letter
from store.tables import InboxRow, utc_now

MOST_ROWS = 500  # in one transaction, unless a single caller has more
_TRIES = 3
_DEADLOCK = "40P01"
_KEYS = ("source", "event_id")
_INSERT = {
    name: dialect.insert(InboxRow)
    .on_conflict_do_nothing(index_elements=_KEYS)
    .returning(col(InboxRow.source), col(InboxRow.event_id))
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}


@dataclass(slots=True)
class Received:
    """An inbox row to be: `InboxRow` says what each field is. Making one of those takes longer than a commit."""

    source: str
    event_id: str
    type: str
    subject: str
    payload: str
    state: str = "received"
    reason: str = ""
    problem: str = ""
    attempts: int = 0
    received_at: datetime = field(default_factory=utc_now)
    trace: str = ""


_COLUMNS = tuple(each.name for each in fields(Received))


@dataclass(frozen=True)
class _Waiting:
    rows: Sequence[Received]
    answer: asyncio.Future[Sequence[bool]]


class GroupCommit:
    """Inserts inbox rows, each (source, event id) once. A caller waits for the commit that holds its own rows."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, rows: Sequence[Received]) -> Sequence[bool]:
        """For each row, whether it is new. Durable when it returns; all of these rows, or none when it raises."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        # A loop that was closed may have left its writer behind.
        if self._writer is None or self._writer.done() or self._writer.get_loop() is not loop:
            # In a context of its own: it writes for everybody, not only for who came first.
            self._writer = loop.create_task(self._write_all(), context=Context())
        return await waiting.answer

    async def _write_all(self) -> None:
        # Nothing may be awaited between the last look and the end: `add` starts no second writer while this one lives.
        while batch := self._next_batch():
            try:
                await self._write(batch)
            except asyncio.CancelledError:
                for waiting in [*batch, *self._waiting]:
                    waiting.answer.cancel()
                self._waiting.clear()
                raise

    def _next_batch(self) -> list[_Waiting]:
        size, count = 0, 0
        for waiting in self._waiting:
            size, count = size + len(waiting.rows), count + 1
            if size >= MOST_ROWS:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _write(self, batch: list[_Waiting]) -> None:
        try:
            answers = await self._insert([waiting.rows for waiting in batch])
        except SourceUnavailable as error:  # then it is so for each of them
            _fail(batch, error)
        except Exception as error:  # somebody's row can't be stored; the others must not suffer from it
            if len(batch) == 1:
                _fail(batch, error)
                return
            for waiting in batch:
                await self._write([waiting])
        else:
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.answer.done():  # it is, when whoever asked has gone
                    waiting.answer.set_result(answer)

    async def _insert(self, groups: Sequence[Sequence[Received]]) -> list[list[bool]]:
        tries = 0
        while True:
            try:
                return await self._db.write(lambda session: _insert_once(session, groups))
            except SourceUnavailable as error:
                # two gateways that were sent the same events can stand in each other's way on PostgreSQL
                tries += 1
                if tries == _TRIES or getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) != _DEADLOCK:
                    raise


def _insert_once(session: Session, groups: Sequence[Sequence[Received]]) -> list[list[bool]]:
    first: dict[tuple[str, str], Received] = {}
    for row in (row for group in groups for row in group):
        first.setdefault((row.source, row.event_id), row)
    new: set[tuple[str, str]] = set()
    dead = [row for row in first.values() if row.state == "dead"]
    for row in dead:
        row.problem, row.attempts = row.problem or UNUSABLE, 1
    if first:
        values = [{name: getattr(row, name) for name in _COLUMNS} for row in first.values()]
        added = session.connection().execute(_INSERT[session.get_bind().dialect.name], values)
        new = {(source, event_id) for source, event_id in added}
    for row in dead:
        if (row.source, row.event_id) in new:
            open_dead_letter(session, InboxRow(**{name: getattr(row, name) for name in _COLUMNS}))
    return [[_take(new, row, first) for row in group] for group in groups]


def _take(new: set[tuple[str, str]], row: Received, first: dict[tuple[str, str], Received]) -> bool:
    """Of several rows with one key only the first can be the one that was inserted."""
    key = (row.source, row.event_id)
    return key in new and first[key] is row


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
