"""The way to the database: transactions off the event loop, the database's clock, and the dialects' upsert."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteBusy
from typing import Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import Connection, CursorResult, Engine, Float, Update, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, SQLModel, select

from domain.errors import SourceUnavailable

T = TypeVar("T")

BUSY_TIMEOUT = 30.0  # seconds that a connection waits for SQLite's one write lock


class db_now(FunctionElement[float]):
    """The database's clock: seconds since 1970 as a float, to the millisecond. Every lease is measured by it."""

    type = Float()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite_now(element: object, compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _postgresql_now(element: object, compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


def now(session: Session) -> float:
    """The database's clock, read in this transaction."""
    return session.exec(select(db_now())).one()


def insert_once(session: Session, row: SQLModel, *, keys: tuple[str, ...]) -> bool:
    """Insert a row unless one with the same `keys` (a unique constraint) is there. True when it was inserted.

    The row itself stays outside the session, and columns whose value is None are left to their default.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    values = {name: value for name, value in row.model_dump().items() if value is not None}
    insert = dialect.insert(type(row)).values(values).inline()
    return _rowcount(session.connection().execute(insert.on_conflict_do_nothing(index_elements=keys))) == 1


def change(session: Session, statement: Update) -> int:
    """Run an UPDATE past the identity map and return how many rows it changed."""
    return _rowcount(session.connection().execute(statement))


def _rowcount(result: CursorResult[Any]) -> int:
    return result.rowcount


class Database:
    """One database, used off the event loop.

    A write is `BEGIN IMMEDIATE` on SQLite (facts: a deferred read-then-write answers "database is locked" at once) and
    has one thread there, so that writers of this process queue up instead of polling for the lock. A write that has
    returned is durable. Rows stay readable after their transaction. Raises SourceUnavailable when the database does not
    answer; then nothing was written, or, when the connection broke during the commit, nobody knows.
    """

    def __init__(self, url: str, *, readers: int = 4) -> None:
        self.url = url
        self.engine = _engine(url, pool_size=readers + 2)
        self._for_writes = self.engine.execution_options(tenure_writes=True)
        self._readers = ThreadPoolExecutor(readers, "store-read")
        self._writers = ThreadPoolExecutor(1 if _is_sqlite(url) else readers, "store-write")

    async def read(self, fn: Callable[[Session], T]) -> T:
        """`fn` in a transaction that is rolled back: what it writes is lost."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self.read_sync, fn))

    async def write(self, fn: Callable[[Session], T]) -> T:
        """`fn` in a transaction that commits when it returns and rolls back when it raises.

        A cancelled caller does not take the write back: it may commit a moment later.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writers, partial(self.write_sync, fn))

    def read_sync(self, fn: Callable[[Session], T]) -> T:
        return self._in_session(self.engine, fn, commit=False)

    def write_sync(self, fn: Callable[[Session], T]) -> T:
        return self._in_session(self._for_writes, fn, commit=True)

    def close(self) -> None:
        """Wait for what is under way and close every connection."""
        self._readers.shutdown()
        self._writers.shutdown()
        self.engine.dispose()

    def _in_session(self, engine: Engine, fn: Callable[[Session], T], *, commit: bool) -> T:
        try:
            with Session(engine, expire_on_commit=False) as session:
                result = fn(session)
                if commit:
                    session.commit()
                return result
        except (OperationalError, InterfaceError) as error:
            raise SourceUnavailable(f"the store does not answer: {error.orig}") from error


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def _engine(url: str, *, pool_size: int) -> Engine:
    settings: Mapping[str, Any] = {"json_serializer": lambda value: to_json(value).decode(), "pool_size": pool_size}
    if not _is_sqlite(url):
        return create_engine(url, pool_pre_ping=True, hide_parameters=True, **settings)
    # parameters hold orders: an error's text must not
    arguments = {"check_same_thread": False, "timeout": BUSY_TIMEOUT}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, **settings)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: SqliteConnection, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: _begin_sqlite does
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            break
        except SqliteBusy:
            # Turning a new file to WAL ignores the busy timeout when another process does so at the same moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous=FULL").close()
    connection.execute("PRAGMA foreign_keys=ON").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("tenure_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
