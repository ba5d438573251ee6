"""The runs of reconciliation over all contracts. One of which nobody hears any more was broken off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import Session, col, func, select

from domain.errors import SourceUnavailable, TenureError
from domain.reconciling.difference import Freshness, Reconciled, RunState
from store.database import Database, take_turn
from store.difference_tables import ReconciliationRow
from store.tables import utc_now

BEAT = timedelta(seconds=20)
"""How often a run says that it is alive."""
QUIET = timedelta(minutes=3)
"""Without a word for so long, its process has died."""
_SOURCES = TypeAdapter(tuple[Freshness, ...])


class Reconciliations:
    """Which there were, what each found, and how it ended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(self) -> int:
        return await self._db.write(_begin)

    async def begin_if_due(self, every: timedelta) -> int | None:
        """None where one was begun within that time, whoever did."""

        def begin(session: Session) -> int | None:
            take_turn(session, "reconciliation")
            newest = session.exec(select(func.max(ReconciliationRow.started_at))).one()
            return None if newest is not None and newest > utc_now() - every else _begin(session)

        return await self._db.write(begin)

    @asynccontextmanager
    async def alive(self, run: int) -> AsyncIterator[None]:
        """Around the work of a run: it is seen to go on, and what breaks it off is kept."""
        beating = asyncio.create_task(self._beat(run))
        try:
            yield
        except BaseException as error:
            await self._break_off(run, _why(error))
            raise
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating

    async def end(self, run: int, **values: Any) -> Reconciled:
        def end(session: Session) -> Reconciled:
            row = session.get_one(ReconciliationRow, run)
            row.sqlmodel_update(values | {"ended_at": utc_now()})
            session.flush()
            return _seen(row)

        return await self._db.write(end)

    async def last(self) -> Reconciled | None:
        """The last one that came to its end: its sources say how fresh everything is."""
        query = select(ReconciliationRow).where(col(ReconciliationRow.ended_at).is_not(None))
        newest = query.order_by(col(ReconciliationRow.id).desc()).limit(1)
        row = await self._db.read(lambda session: session.exec(newest).one_or_none())
        return None if row is None else _seen(row)

    async def get(self, run: int) -> Reconciled | None:
        row = await self._db.read(lambda session: session.get(ReconciliationRow, run))
        return None if row is None else _seen(row)

    async def list(self, limit: int = 30) -> Sequence[Reconciled]:
        """Newest first, however each stands."""
        query = select(ReconciliationRow).order_by(col(ReconciliationRow.id).desc()).limit(limit)
        return [_seen(row) for row in await self._db.read(lambda session: session.exec(query).all())]

    async def _beat(self, run: int) -> None:
        while True:
            await asyncio.sleep(BEAT.total_seconds())
            with contextlib.suppress(SourceUnavailable):  # the next word may come through; the run itself fails or not
                await self._change(run, alive_at=utc_now())

    async def _break_off(self, run: int, why: str) -> None:
        await self._change(run, problem=why)

    async def _change(self, run: int, **values: Any) -> None:
        def change(session: Session) -> None:
            session.get_one(ReconciliationRow, run).sqlmodel_update(values)

        await self._db.write(change)


def _begin(session: Session) -> int:
    row = ReconciliationRow()
    session.add(row)
    session.flush()
    return row.id or 0


def _seen(row: ReconciliationRow) -> Reconciled:
    heard = row.alive_at or row.started_at
    problem = row.problem
    if not problem and row.ended_at is None and heard < utc_now() - QUIET:
        problem = f"its process has died: the last word of it came at {heard:%Y-%m-%d %H:%M} UTC"
    said = row.model_dump(exclude={"sources", "alive_at", "problem"})
    return Reconciled(
        **said,
        sources=_SOURCES.validate_python(row.sources),
        state=_state(row.ended_at, problem),
        problem="" if row.ended_at else problem,
    )


def _state(ended: datetime | None, problem: str) -> RunState:
    return "ended" if ended else "broken_off" if problem else "under_way"


def _why(error: BaseException) -> str:
    if isinstance(error, TenureError):
        return str(error)
    if isinstance(error, Exception):
        return f"an error of ours ({type(error).__name__}); the log says where"
    return "it was stopped"
