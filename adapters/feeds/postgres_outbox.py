"""A change feed over an outbox table in a PostgreSQL database (13 or later).

Writers insert `body`, a CloudEvent whose id names the fact and its version, in the transaction that makes the fact.
What is read:

- the outbox, whose rows are stamped with their transaction (`outbox_schema` makes it and the horizon);
- `<outbox>_horizon`, one row: the last (xid, id) that was forgotten (`forget_statement` does it, oldest first);
- `<outbox>_facts`, a view that the database's owner writes: fact (text, unique), changed_at (timestamptz) and body
  (jsonb), one row for each fact that is so now, with the event that tells it. It is asked when there is a gap.

A cursor is `(xid, id)`, never an id or a timestamp: a low id may become visible after a higher one was read. Rows of
transactions that began before the oldest one still open are final, and only those are read; so a transaction that stays
open, in any database of that server, holds the feed up, and loses nothing.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection, IsolationLevel, errors, sql
from psycopg.rows import TupleRow

from domain.errors import AuthFailed, ContractBroken, CursorExpired, SourceUnavailable, TenureError
from domain.feeds import ChangePage
from domain.ports import Probed, Problem

CONNECT_TIMEOUT = 5  # seconds
STATEMENT_TIMEOUT = 10_000  # milliseconds
DEADLINE = 20  # seconds for one call, whatever the network does

_BOUND = "SELECT set_config('statement_timeout', %s, true)"  # poolers refuse it as an option of the connection

Row = tuple[Any, ...]


class PostgresOutbox:
    """`database`: a connection string or URL; a role that may read the three relations is enough."""

    def __init__(self, database: str, table: str = "outbox") -> None:
        self._database = database
        self._table = table

    async def probe(self) -> Probed:
        """Whether the three relations are there, and may be read."""
        tables = [self._table, f"{self._table}_horizon", f"{self._table}_facts"]
        async with self._reading() as connection:
            [(clock,)] = await self._ask(connection, "SELECT clock_timestamp()", ())
            found = await self._ask(
                connection,
                "SELECT to_regclass(name) IS NOT NULL,"
                " to_regclass(name) IS NOT NULL AND has_table_privilege(to_regclass(name)::oid, 'SELECT')"
                " FROM unnest(%s::text[]) WITH ORDINALITY AS asked (name, n) ORDER BY n",
                ([_quoted(table) for table in tables],),
            )
        problems = []
        for table, (there, readable) in zip(tables, found, strict=True):
            if not there:
                what, mend = f"the database has no {table}", "let its owner make it, or mend `table` of the feed"
                problems.append(Problem(what=what, mend=mend))
            elif not readable:
                mend = f"let its owner GRANT SELECT ON {table} TO Tenure's role"
                problems.append(Problem(what=f"the role may not read {table}", mend=mend))
        return Probed(problems=tuple(problems), clock=clock)

    async def changes(self, cursor: str, limit: int) -> ChangePage:
        xid, row_id = _read_cursor(cursor)
        async with self._reading() as connection:
            await self._check_horizon(connection, xid, row_id)
            rows = await self._ask(
                connection,
                "SELECT xid::text, id, body FROM {outbox}"
                " WHERE (xid, id) > (%s::text::xid8, %s) AND xid < pg_snapshot_xmin(pg_current_snapshot())"
                " ORDER BY xid, id LIMIT %s",
                (xid, row_id, limit + 1),
            )
        page = rows[:limit]
        end = f"{page[-1][0]}:{page[-1][1]}" if page else cursor
        return ChangePage(events=tuple(_event(body) for *_, body in page), cursor=end, more=len(rows) > limit)

    async def head(self) -> str:
        """Every row below the oldest open transaction is visible to whoever asks from now on."""
        async with self._reading() as connection:
            [(xid,)] = await self._ask(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text", ())
        return f"{xid}:0"

    async def back_fill(self, since: datetime | None, position: str, limit: int) -> ChangePage:
        async with self._reading() as connection:
            rows = await self._ask(
                connection,
                "SELECT fact, body FROM {facts}"
                " WHERE fact > %s AND (%s::timestamptz IS NULL OR changed_at >= %s) ORDER BY fact LIMIT %s",
                (position, since, since, limit + 1),
            )
        page = rows[:limit]
        end = page[-1][0] if page else position
        return ChangePage(events=tuple(_event(body) for _, body in page), cursor=end, more=len(rows) > limit)

    async def _check_horizon(self, connection: AsyncConnection[TupleRow], xid: str, row_id: int) -> None:
        """In the snapshot that reads the page, so that nothing is forgotten in between.

        A database that was dumped and restored counts its transactions anew: what is ahead of them is of a past life.
        """
        [(ahead,)] = await self._ask(
            connection, "SELECT %s::text::xid8 > pg_snapshot_xmax(pg_current_snapshot())", (xid,)
        )
        forgotten = await self._ask(
            connection,
            "SELECT 1 FROM {horizon}"
            " WHERE (xid, id) > (%s::text::xid8, %s) AND xid < pg_snapshot_xmin(pg_current_snapshot())",
            (xid, row_id),
        )
        if ahead:
            raise CursorExpired("postgres_outbox: the cursor is ahead of the database's transactions")
        if forgotten:
            raise CursorExpired(f"postgres_outbox: {self._table} has forgotten rows that came after the cursor")

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection for one call, in one read-only snapshot. What goes wrong becomes one of our errors."""
        try:
            async with asyncio.timeout(DEADLINE):
                connection = await AsyncConnection.connect(
                    self._database,
                    connect_timeout=CONNECT_TIMEOUT,
                    application_name="tenure",
                )
                async with connection:
                    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
                    await connection.set_read_only(True)
                    await connection.execute(_BOUND, (str(STATEMENT_TIMEOUT),))
                    yield connection
        except TimeoutError:
            raise SourceUnavailable(f"postgres_outbox: no answer within {DEADLINE} s") from None
        except psycopg.Error as error:
            raise _error(error) from None  # its text may hold values of rows

    async def _ask(self, connection: AsyncConnection[TupleRow], query: LiteralString, values: Row) -> list[Row]:
        names = {"outbox": self._table, "horizon": f"{self._table}_horizon", "facts": f"{self._table}_facts"}
        composed = sql.SQL(query).format(**{name: _identifier(table) for name, table in names.items()})
        return await (await connection.execute(composed, values)).fetchall()


def outbox_schema(table: str = "outbox") -> str:
    """The statements that make outbox and horizon, for the database's owner."""
    named = _quoted(table), _quoted(f"{table}_horizon")
    return (
        f"CREATE TABLE {named[0]} (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), id bigserial NOT NULL,"
        " body jsonb NOT NULL, PRIMARY KEY (xid, id));"
        f"CREATE TABLE {named[1]} (single boolean PRIMARY KEY DEFAULT true CHECK (single),"
        " xid xid8 NOT NULL, id bigint NOT NULL);"
    )


def forget_statement(table: str = "outbox") -> str:
    """Forgets all but the newest `%(keep)s` of the final rows, oldest first, and says so on the horizon, atomically."""
    outbox, horizon = _quoted(table), _quoted(f"{table}_horizon")
    return (
        f"WITH gone AS (DELETE FROM {outbox} WHERE (xid, id) IN (SELECT xid, id FROM {outbox}"  # noqa: S608
        " WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid DESC, id DESC OFFSET %(keep)s)"
        " RETURNING xid, id)"
        f" INSERT INTO {horizon} AS kept (xid, id) SELECT xid, id FROM gone ORDER BY xid DESC, id DESC LIMIT 1"
        " ON CONFLICT (single) DO UPDATE SET xid = excluded.xid, id = excluded.id"
        " WHERE (excluded.xid, excluded.id) > (kept.xid, kept.id)"
    )


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _quoted(table: str) -> str:
    return _identifier(table).as_string(None)


def _read_cursor(cursor: str) -> tuple[str, int]:
    xid, _, row_id = cursor.partition(":")
    if not (_is_number(xid) and _is_number(row_id)):
        raise CursorExpired("postgres_outbox: the cursor is not one of this feed")
    return xid, int(row_id)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _event(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ContractBroken("postgres_outbox: a body is not a JSON object")
    return body


def _error(error: psycopg.Error) -> TenureError:
    """By SQLSTATE. Of the text only what a server says while it refuses a connection, where there is no SQLSTATE."""
    refusal = re.search(r"FATAL:\s+(.+)", str(error)) if error.sqlstate is None else None
    detail = error.sqlstate or (refusal[1] if refusal else "")
    said = f"postgres_outbox: {type(error).__name__}" + (f": {detail}" if detail else "")
    if isinstance(error, errors.InvalidAuthorizationSpecification | errors.InsufficientPrivilege):
        return AuthFailed(said)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return SourceUnavailable(said)
    return ContractBroken(said)
