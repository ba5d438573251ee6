"""The way to the database: transactions off the event loop, the database's clock, and the dialects' upsert."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from functools import cache, partial
from itertools import count
from queue import Empty, PriorityQueue
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteBusy
from typing import Any, NamedTuple, TypeVar

from psycopg.errors import ProgramLimitExceeded
from pydantic_core import to_json
from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    Float,
    Update,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, SQLModel, select

from domain.errors import SourceUnavailable
from domain.urgency import OF_TASK

T = TypeVar("T")

BUSY_TIMEOUT = 30.0  # seconds that a transaction waits for another's lock
TOGETHER = 8  # writes that share a commit of SQLite: each waits for all of them

# A server that is gone without a word is noticed within half a minute, and a process that hangs in the middle of a
# transaction loses it: the others wait for its locks.
POSTGRESQL = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "options": f"-c lock_timeout={BUSY_TIMEOUT:.0f}s -c idle_in_transaction_session_timeout=60s",
}


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


_NOW = select(db_now())


def now(session: Session) -> float:
    """The database's clock, read in this transaction."""
    # past the session: to look at the clock is no reason to write what is changed
    return session.connection().execute(_NOW).scalar_one()


def moment(session: Session) -> datetime:
    """The database's clock as an instant: what several machines compare must not depend on theirs."""
    return datetime.fromtimestamp(now(session), UTC)


def insert_once(session: Session, row: SQLModel, *, keys: tuple[str, ...]) -> bool:
    """Insert a row unless one with the same `keys` (a unique constraint) is there. True when it was inserted.

    The row itself stays outside the session, and columns whose value is None are left to their default.
    """
    return insert_values(session, type(row), row.model_dump(), keys=keys)


def insert_values(session: Session, table: type[SQLModel], values: Mapping[str, Any], *, keys: tuple[str, ...]) -> bool:
    """The same for a row's values, every column's that has no default in the database: a row that nobody looks at need
    not be made."""
    given = {name: value for name, value in values.items() if value is not None}
    statement = _insert_once(table, session.get_bind().dialect.name, keys)
    return _rowcount(session.connection().execute(statement, given)) == 1


@cache
def _insert_once(table: type[SQLModel], dialect: str, keys: tuple[str, ...]) -> Executable:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    # psycopg's count of an INSERT is gone (-1) unless it is asked for
    statement: Executable = insert.inline().on_conflict_do_nothing(index_elements=keys)
    return statement.execution_options(preserve_rowcount=True)


def take_turn(session: Session, name: str) -> None:
    """Be alone with every transaction that takes the same turn, until this one ends.

    For what is read and then written, where no one row could be locked. What is read after it is what the one before
    has left. On SQLite a write is alone anyhow.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"tenure:{name}"})


def share_turn(session: Session, name: str) -> None:
    """Be there together with others that share the turn, and never with one that takes it."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))"), {"name": f"tenure:{name}"}
        )


def change(session: Session, statement: Update, values: Mapping[str, Any] | None = None) -> int:
    """Run an UPDATE past the identity map and return how many rows it changed. `values`: of its bound parameters."""
    return _rowcount(session.connection().execute(statement, values))


def _rowcount(result: CursorResult[Any]) -> int:
    return result.rowcount


class Database:
    """One database, used off the event loop.

    A write is `BEGIN IMMEDIATE` on SQLite (facts: a deferred read-then-write answers "database is locked" at once) and
    has one thread there, so that writers of this process queue up instead of polling for the lock; those that stand in
    line share a commit, each in a savepoint of its own. On PostgreSQL it is READ COMMITTED: what is read and then
    written needs a locked row, or `take_turn`. A write that has returned is durable. Rows stay readable after their
    transaction. Raises SourceUnavailable when the database does not answer; then nothing was written, or, when the
    connection broke during the commit, nobody knows.

    Without `lasting` a write to SQLite doesn't wait for the disk: for a database that nobody needs after a crash.
    """

    def __init__(self, url: str, *, readers: int = 4, lasting: bool = True) -> None:
        self.url = url
        self.engine = _engine(url, pool_size=readers + 2, lasting=lasting)
        self._for_writes = self.engine.execution_options(tenure_writes=True)
        self.session_info: dict[str, Any] = {}
        self._readers = ThreadPoolExecutor(readers, "store-read")
        self._writers = ThreadPoolExecutor(1 if _is_sqlite(url) else readers, "store-write")
        self._most_at_once = TOGETHER if _is_sqlite(url) else 1
        self._line: PriorityQueue[tuple[int, int, _Write]] = PriorityQueue()
        self._came = count()

    async def read(self, fn: Callable[[Session], T]) -> T:
        """`fn` in a transaction that is rolled back: what it writes is lost."""
        # for a thread of a pool, too: what is logged and written there belongs to the trace of whoever asked
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, partial(copy_context().run, self.read_sync, fn)
        )

    async def write(self, fn: Callable[[Session], T]) -> T:
        """`fn` in a transaction that commits when it returns and rolls back when it raises. Of those that wait, that of
        the most urgent task goes first (domain/urgency.py).

        A cancelled caller does not take the write back: it may commit a moment later.
        """
        done: Future[T] = Future()
        in_context = partial(copy_context().run, self._in_session, fn=fn, commit=True)
        self._line.put((OF_TASK.get(), next(self._came), _Write(done, in_context)))
        self._writers.submit(self._write_next)
        return await asyncio.wrap_future(done)

    async def any(self, query: Executable) -> bool:
        """Whether a question has an answer: for what is asked many times a second, and takes no session."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._any, query)

    def read_sync(self, fn: Callable[[Session], T]) -> T:
        with _answering():
            return self._in_session(self.engine, fn, commit=False)

    def write_sync(self, fn: Callable[[Session], T]) -> T:
        with _answering():
            return self._in_session(self._for_writes, fn, commit=True)

    def close(self) -> None:
        """Wait for what is under way and close every connection."""
        self._readers.shutdown()
        self._writers.shutdown()
        self.engine.dispose()

    def _write_next(self) -> None:
        """The first of the line, and on SQLite who stands behind it and is as urgent."""
        try:
            urgency, _, first = self._line.get_nowait()
        except Empty:  # written already, with one before it
            return
        writes = [first]
        while len(writes) < self._most_at_once and self._line.queue and self._line.queue[0][0] == urgency:
            writes.append(self._line.get_nowait()[2])
        _write_together(self._for_writes, writes)

    def _any(self, query: Executable) -> bool:
        with _answering(), self.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _in_session(self, bind: Engine | Connection, fn: Callable[[Session], T], *, commit: bool) -> T:
        """Within a connection's transaction it is a savepoint."""
        with Session(
            bind, expire_on_commit=False, info=self.session_info, join_transaction_mode="create_savepoint"
        ) as session:
            result = fn(session)
            if commit:
                session.commit()
            return result


@contextmanager
def _answering() -> Iterator[None]:
    """Raises SourceUnavailable where the database does not answer."""
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error, OperationalError | InterfaceError) and not error.connection_invalidated:
            raise
        reason = str(error.orig).partition("\n")[0]
        raise SourceUnavailable(f"the store does not answer: {reason}") from error


class _Write(NamedTuple):
    """One that waits: whom to tell, and what it does with the engine, or within a transaction."""

    done: Future[Any]
    work: Callable[[Engine | Connection], Any]


def _write_together(engine: Engine, writes: Sequence[_Write]) -> None:
    """One transaction for all of them. One that raises leaves the others alone; where the database does not answer,
    none is written. Everybody is told after the commit."""
    left = [write for write in writes if write.done.set_running_or_notify_cancel()]  # who has not given up
    written: list[tuple[_Write, Any]] = []
    try:
        with _answering():
            if len(left) == 1:
                written.append((left[0], left[0].work(engine)))
            elif left:
                with engine.begin() as connection:
                    written.extend(_written(connection, left))
    except BaseException as error:  # it belongs to whoever waits
        for write in left:
            if not write.done.done():
                write.done.set_exception(error)
    else:
        for write, result in written:
            write.done.set_result(result)


def _written(connection: Connection, writes: Sequence[_Write]) -> Iterator[tuple[_Write, Any]]:
    """Those that did not raise, and what they return."""
    for write in writes:
        try:
            yield write, write.work(connection)
        except (OperationalError, InterfaceError):  # the transaction may be gone with it
            raise
        except BaseException as error:
            write.done.set_exception(error)


def _is_sqlite(url: str) -> bool:
    return _address(url).get_backend_name() == "sqlite"


def _address(url: str) -> URL:
    """What most people write for PostgreSQL names no driver: psycopg is meant."""
    scheme, colon, rest = url.partition(":")
    return make_url(f"postgresql+psycopg:{rest}" if colon and scheme in ("postgres", "postgresql") else url)


def _engine(url: str, *, pool_size: int, lasting: bool) -> Engine:
    # JSON has no NaN, and PostgreSQL takes none; parameters hold orders: an error's text must not
    settings: Mapping[str, Any] = {
        "json_serializer": lambda value: to_json(value, inf_nan_mode="strings").decode(),
        "pool_size": pool_size,
        "hide_parameters": True,
    }
    address = _address(url)
    if not _is_sqlite(url):
        arguments = {name: value for name, value in POSTGRESQL.items() if name not in address.query}
        engine = create_engine(address, pool_pre_ping=True, connect_args=arguments, **settings)
        event.listen(engine, "handle_error", _blame_the_data)
        return engine
    engine = create_engine(address, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT}, **settings)
    event.listen(engine, "connect", partial(_prepare_sqlite, synchronous="FULL" if lasting else "OFF"))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _blame_the_data(context: ExceptionContext) -> None:
    """A key that is too long for an index is the event's fault, and no reason to try again for ever."""
    if isinstance(context.original_exception, ProgramLimitExceeded):
        raise DataError(context.statement, None, context.original_exception, hide_parameters=True)


def _prepare_sqlite(connection: SqliteConnection, _: object, *, synchronous: str) -> None:
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
    connection.execute(f"PRAGMA synchronous={synchronous}").close()
    connection.execute("PRAGMA foreign_keys=ON").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("tenure_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
