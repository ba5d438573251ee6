"""Usage from a warehouse or product database: one query, through SQLAlchemy, in a transaction that may only read.

Proven on PostgreSQL and SQLite, where the database itself refuses a query that writes. On others whatever a query did
is rolled back; give the user no right to write there.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, TextClause, create_engine, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.turns import Limiter
from domain.effects import EffectClass
from domain.errors import AuthFailed, ContractBroken, NotFound, SourceUnavailable, TenureError
from domain.ports import Adoption, Probed, Problem

DEADLINE = timedelta(seconds=5)
CONCURRENT = 4
NOBODY = "tenure:probe"  # no account has this name

# A server that is gone without a word is noticed within seconds: its thread must not wait for ever.
POSTGRESQL = {
    "application_name": "tenure",
    "connect_timeout": "4",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "8000",
}

_REFUSED = re.compile(
    r"authentication failed|access denied|login failed|no password|(incorrect|invalid|wrong) .*(password|credential)"
    r"|role .* does not exist|no pg_hba.conf entry|permission denied",
    re.IGNORECASE,
)
# SQLite's result codes for what may pass: busy, locked, out of memory, interrupted, I/O, disk full, can't open
_SQLITE_PASSES = {5, 6, 7, 9, 10, 13, 14}


class SqlUsage:
    """`url`: SQLAlchemy's URL of the database. `query`: one statement with the parameter `:account`, which answers with
    one row for an account of which usage is known and with none for any other; its columns are `active` and `entitled`,
    and what others it has is not looked at.

    `concurrent`: connections (and threads) of this process at most, 4 unless given; who finds none free waits, within
    `deadline`. `limiter`: the connection's limit, which all processes share; a query leaves with a turn of it, and the
    time of waiting for that is not the query's. Raises ValueError, naming the setting and without its value, for what
    can't be used.
    """

    effects: Mapping[str, EffectClass] = {}

    def __init__(
        self,
        url: str,
        query: str,
        *,
        concurrent: int | None = None,
        deadline: timedelta = DEADLINE,
        limiter: Limiter | None = None,
    ) -> None:
        most = concurrent or CONCURRENT
        self._query = _read_query(query)
        self._engine = _open(url, most)
        self._deadline = deadline
        self._limiter = limiter
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="usage-sql")

    async def adoption(self, account: str) -> Adoption:
        """Raises NotFound for an account of which the query knows nothing."""
        return _adoption(await self._ask("adoption", self._rows, account))

    async def probe(self) -> Probed:
        """Runs the query for an account that doesn't exist, and looks at the user's rights on PostgreSQL."""
        rows, clock, superuser = await self._ask("probe", self._try)
        if rows:
            _adoption(rows, "probe")
        too_much = Problem(
            what="the database user is a superuser", mend="name one that may only SELECT what the query reads"
        )
        return Probed(problems=(too_much,) if superuser else (), clock=clock)

    async def close(self) -> None:
        """Whatever is still being asked ends at its deadline by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._engine.dispose)

    async def _ask(self, operation: str, work: Any, *arguments: Any) -> Any:
        """`work` when the limit allows it."""
        turn = None if self._limiter is None else await self._limiter.now()
        if self._limiter is None or turn is None:
            return await self._within(operation, work, *arguments)
        try:
            answer = await self._within(operation, work, *arguments)
        except BaseException:
            self._limiter.over(turn, "given up")
            raise
        self._limiter.over(turn, "answered")
        return answer

    async def _within(self, operation: str, work: Any, *arguments: Any) -> Any:
        """`work` in a thread, within the deadline. A driver can't be cancelled: the database ends the query itself."""
        until = time.monotonic() + self._deadline.total_seconds()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await loop.run_in_executor(self._threads, work, until, *arguments)
        except TimeoutError:
            seconds = self._deadline.total_seconds()
            raise SourceUnavailable(f"sql.{operation}: no answer within {seconds:g} s") from None
        except SQLAlchemyError as error:
            raise _error(operation, error) from None  # its text holds the query, and may hold values of rows

    def _rows(self, until: float, account: str) -> list[Mapping[str, Any]]:
        """At most two: one is too many already."""
        with self._engine.connect() as connection:
            _bound(connection, until)
            return self._answers(connection, account)

    def _try(self, until: float) -> tuple[list[Mapping[str, Any]], datetime | None, bool]:
        with self._engine.connect() as connection:
            _bound(connection, until)
            rows = self._answers(connection, NOBODY)
            if connection.dialect.name != "postgresql":
                return rows, None, False
            row = connection.execute(select(func.now(), func.current_setting("is_superuser"))).one()
            return rows, row[0], row[1] == "on"

    def _answers(self, connection: Connection, account: str) -> list[Mapping[str, Any]]:
        result = connection.execute(self._query, {"account": account})
        if not result.returns_rows:
            raise ContractBroken("sql: the query answers with no rows at all; it has to be a SELECT")
        columns = result.keys()
        names = [name.casefold() for name in columns]
        if missing := {"active", "entitled"} - set(names):
            raise ContractBroken(f"sql: the query's answer has no column {' and no column '.join(sorted(missing))}")
        return [dict(zip(names, row, strict=True)) for row in result.fetchmany(2)]


def _read_query(query: str) -> TextClause:
    clause = text(query.strip().removesuffix(";"))
    if set(clause.compile().params) != {"account"}:
        raise ValueError("query: it needs the parameter :account, and no other")
    return clause


def _open(url: str, concurrent: int) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return create_engine(_only_read(parsed), poolclass=NullPool, hide_parameters=True)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        arguments = POSTGRESQL if parsed.drivername in ("postgresql+psycopg", "postgresql+psycopg2") else {}
        return create_engine(
            parsed,
            connect_args=dict(arguments),
            pool_size=concurrent,
            max_overflow=0,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,
        )
    except ImportError as error:
        raise ValueError(f"url: it needs the driver {error.name}, which is not installed") from None
    except (ArgumentError, ValueError):
        raise ValueError("url: it is not an SQLAlchemy URL of a known database") from None


def _only_read(url: URL) -> URL:
    """A file that isn't there must not be made."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return url
    return url.set(database=f"file:{quote(url.database)}", query={**url.query, "mode": "ro", "uri": "true"})


def _bound(connection: Connection, until: float) -> None:
    """The transaction may only read, and no statement of it outlives `until`."""
    left = max(1, int((until - time.monotonic()) * 1000))
    if connection.dialect.name == "postgresql":
        read_only = func.set_config("transaction_read_only", "on", True)
        connection.execute(select(read_only, func.set_config("statement_timeout", str(left), True)))
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {left}")
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > until, 10_000)


def _adoption(rows: Sequence[Mapping[str, Any]], operation: str = "adoption") -> Adoption:
    if not rows:
        raise NotFound(f"sql.{operation}: the query has no row for this account")
    if len(rows) > 1:
        raise ContractBroken(f"sql.{operation}: the query has several rows for one account")
    active, entitled = (_count(operation, name, rows[0][name]) for name in ("active", "entitled"))
    return Adoption(active=active, entitled=entitled)


def _count(operation: str, name: str, value: Any) -> Decimal:
    if value is None:
        raise ContractBroken(f"sql.{operation}: {name} is NULL; an account without usage has no row, or zero")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ContractBroken(f"sql.{operation}: {name} is no number")
    number = Decimal(str(value))
    if not (number.is_finite() and number >= 0):
        raise ContractBroken(f"sql.{operation}: {name} is negative, or no finite number")
    return number


def _error(operation: str, error: SQLAlchemyError) -> TenureError:
    """By SQLSTATE or SQLite's code where there is one, else by the driver's class of error, and for a connection that
    was refused by what the server says."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    state, code = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorcode", None)
    known = state or getattr(cause, "sqlite_errorname", None)
    said = f"sql.{operation}: {type(cause or error).__name__}" + (f" ({known})" if known else "")
    refused = ContractBroken(f"{said}; the database refuses the query")
    if code is not None:
        return SourceUnavailable(said) if code & 0xFF in _SQLITE_PASSES else refused
    if state is None and isinstance(error, OperationalError) and _REFUSED.search(str(cause)):
        return AuthFailed(said)
    if state is not None and (state.startswith("28") or state == "42501"):
        return AuthFailed(said)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return SourceUnavailable(said)
    return refused
