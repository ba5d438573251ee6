"""What calls to the connected systems took, as all processes measured it: since ever, and by five minutes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Executable, Integer, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel, col, delete

from domain.call_times import BOUNDS, Calls, CallTimes
from store.contract_calls import add_calls
from store.database import Database, now

SLOT = 300
KEEP = 8 * 86_400.0
EVER = 0


class CallTimesRow(SQLModel, table=True):
    """The calls of one connection that fell into one class (an index of domain.call_times.BOUNDS).

    `slot`: the five minutes that begin then, on the database's clock; 0 is since ever.
    """

    __tablename__ = "call_times"

    connection: str = Field(primary_key=True)
    slot: int = Field(primary_key=True, sa_type=BigInteger)
    class_: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"name": "class"})
    calls: int = Field(default=0, sa_type=BigInteger)
    failed: int = Field(default=0, sa_type=BigInteger)
    seconds: float = 0.0


class SqlCallTimes:
    """domain.call_times.CallBook."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._pruned = 0.0

    async def add(self, times: Mapping[str, CallTimes], calls: Mapping[tuple[str, str], Calls]) -> None:
        await self._db.write(lambda session: self._add(session, times, calls))

    def _add(self, session: Session, times: Mapping[str, CallTimes], calls: Mapping[tuple[str, str], Calls]) -> None:
        moment = now(session)
        slot = int(moment) // SLOT * SLOT
        # in one order, so that two processes that tell at the same moment don't wait for each other
        rows = [
            {"connection": connection, "slot": where, **counted}
            for connection in sorted(times)
            for where in (EVER, slot)
            for counted in _counted(times[connection])
        ]
        session.connection().execute(_adding(session.get_bind().dialect.name), rows)
        add_calls(session, calls)
        if moment > self._pruned + SLOT:
            old = col(CallTimesRow.slot).between(EVER + 1, int(moment - KEEP))
            session.exec(delete(CallTimesRow).where(old))
            self._pruned = moment


def call_times(session: Session, *, last: float | None = None) -> dict[str, CallTimes]:
    """By connection: since ever, or of the `last` seconds (full slots, so up to five minutes more)."""
    table = CallTimesRow.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    spoken = table.c.slot == EVER if last is None else table.c.slot > max(EVER, int(now(session) - last) - SLOT)
    names = (table.c.connection, table.c["class"])
    sums = (func.sum(table.c[name]) for name in ("calls", "failed", "seconds"))
    query = select(*names, *sums).where(spoken).group_by(*names).order_by(*names)
    found: dict[str, CallTimes] = {}
    for connection, class_, calls, failed, seconds in session.connection().execute(query):
        times = found.setdefault(connection, CallTimes())
        times.calls[class_] = int(calls)
        times.failed += int(failed)
        times.seconds += float(seconds)
    return found


def _counted(times: CallTimes) -> list[dict[str, Any]]:
    """The failures and the seconds of all classes are kept with the first one that has calls."""
    classes = [n for n in range(len(BOUNDS)) if times.calls[n]]
    return [
        {
            "class": n,
            "calls": times.calls[n],
            "failed": times.failed if n == classes[0] else 0,
            "seconds": times.seconds if n == classes[0] else 0.0,
        }
        for n in classes
    ]


def _adding(dialect: str) -> Executable:
    table = CallTimesRow.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    added = {name: table.c[name] + insert.excluded[name] for name in ("calls", "failed", "seconds")}
    statement: Executable = insert.on_conflict_do_update(index_elements=["connection", "slot", "class"], set_=added)
    return statement
