"""Databases with usage in them, as the kit's worlds: PostgreSQL with a role that may read, and an SQLite file."""

import asyncio
import sqlite3
import threading
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from sqlalchemy import Engine, Pool, event, make_url

from adapters.usage.sql import NOBODY, SqlUsage
from tests.kits.world import Disturbance
from tests.postgres import Postgres

# '*' is everybody: by it a disturbed view answers whoever is asked for
QUERY = "SELECT active, entitled FROM adoption WHERE account IN (:account, '*');"

TABLE = "CREATE TABLE reports (id {serial}, account text, active numeric, entitled numeric)"
SOUND = """SELECT account, active, entitled FROM reports
WHERE id IN (SELECT max(id) FROM reports GROUP BY account)"""
GARBAGE = "SELECT '*' AS account, 'many' AS active, 'some' AS entitled"
PASSWORD = "planted-password"
MISSHAPEN = "SELECT '*' AS account, 1 AS active"


class SqlWorld(ABC):
    """`port` is the adapter over `url`. What is disturbed is the view that the query reads, or the way to it."""

    serial: ClassVar[str]
    failing: ClassVar[str]

    def __init__(self, url: str, deadline: timedelta) -> None:
        self.url = url
        self.port = SqlUsage(url, QUERY, deadline=deadline)
        self._deadline = deadline
        self._calls: Counter[str] = Counter()
        self._once = False
        self._sound = threading.Event()
        self._sound.set()

    def with_query(self, query: str) -> SqlUsage:
        return SqlUsage(self.url, query, deadline=self._deadline)

    @abstractmethod
    def change(self, *statements: str) -> None:
        """As the database's owner, in one transaction."""

    @abstractmethod
    def block(self) -> None:
        """Nobody can read until healed."""

    @abstractmethod
    def shut(self) -> None:
        """Nobody can connect until healed."""

    def view(self, query: str) -> None:
        self.change("DROP VIEW IF EXISTS adoption", f"CREATE VIEW adoption AS {query}")

    async def report(self, account: str, active: Decimal, entitled: Decimal) -> None:
        values = f"('{account}', {active}, {entitled})"
        self.change(f"INSERT INTO reports (account, active, entitled) VALUES {values}")  # noqa: S608

    async def disturb(self, operation: str, how: Disturbance) -> None:
        match how:
            case "hang":
                self.block()
            case "down":
                self.shut()
            case "error" | "garbage" | "misshapen":
                views = {"error": self.failing, "garbage": GARBAGE, "misshapen": MISSHAPEN}
                self.view(views[how])
                self._once = operation != "*"
            case _:
                raise LookupError(f"a database does nothing like {how}")

    async def calls(self, operation: str) -> int:
        await asyncio.to_thread(self._sound.wait, 10)  # a query may be behind its caller, who waited no longer
        return self._calls[operation]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Counts the queries that reach the driver; a disturbance of one call ends with it."""

        def count(_: Any, __: Any, statement: str, parameters: Any, *more: Any) -> None:
            if "FROM adoption" in statement:
                self._calls["probe" if NOBODY in str(parameters) else "adoption"] += 1
                if self._once:
                    self._once = False
                    self._sound.clear()

        def heal(*_: Any) -> None:
            if not self._sound.is_set():
                self.view(SOUND)
                self._sound.set()

        event.listen(Engine, "before_cursor_execute", count)
        event.listen(Pool, "checkin", heal)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", count)
            event.remove(Pool, "checkin", heal)


class PostgresWorld(SqlWorld):
    serial = "bigserial"
    failing = "SELECT '*'::text AS account, fail() AS active, 1 AS entitled"

    def __init__(self, server: Postgres, owner: str, role: str) -> None:
        self.server, self.owner, self.role = server, owner, role
        super().__init__(self.as_reader(PASSWORD), timedelta(seconds=2))
        self.stranger = SqlUsage(self.as_reader("wrong"), QUERY)
        self._blocking: psycopg.Connection[Any] | None = None

    def as_reader(self, password: str) -> str:
        reader = make_url(self.owner).set(username=self.role, password=password, drivername="postgresql")
        return reader.render_as_string(hide_password=False)

    def change(self, *statements: str) -> None:
        with self._connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(self._role))

    def block(self) -> None:
        self._blocking = self._connect()
        self._blocking.execute("LOCK TABLE reports IN ACCESS EXCLUSIVE MODE")

    def shut(self) -> None:
        name = sql.Identifier(make_url(self.owner).database or "")
        self.server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
        self.server.disconnect(self.owner)

    def allow(self, connections: int) -> None:
        """So many at most for the adapter's role; those that there are, end."""
        limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
        self.server.execute(limit.format(self._role, sql.Literal(connections)))
        self.server.disconnect(self.owner)

    async def heal(self) -> None:
        if self._blocking is not None:
            self._blocking.close()

    @property
    def _role(self) -> sql.Identifier:
        return sql.Identifier(self.role)

    def _connect(self) -> psycopg.Connection[Any]:
        url = make_url(self.owner).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False))


class SqliteWorld(SqlWorld):
    serial = "integer PRIMARY KEY"
    # more than anybody waits for
    failing = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
SELECT '*' AS account, count(*) AS active, 1 AS entitled FROM n"""

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(f"sqlite:///{file}", timedelta(seconds=1))
        self._blocking: sqlite3.Connection | None = None

    @property
    def stranger(self) -> SqlUsage:
        raise LookupError("an SQLite file knows no users")

    def change(self, *statements: str) -> None:
        connection = sqlite3.connect(self.file, isolation_level=None)
        for statement in ("BEGIN IMMEDIATE", *statements, "COMMIT"):
            connection.execute(statement)
        connection.close()

    def block(self) -> None:
        self._blocking = sqlite3.connect(self.file, isolation_level=None)
        self._blocking.execute("BEGIN EXCLUSIVE")

    def shut(self) -> None:
        self.file.rename(self.file.with_suffix(".away"))

    async def heal(self) -> None:
        if self._blocking is not None:
            self._blocking.close()


@contextmanager
def role_with_password(server: Postgres) -> Iterator[str]:
    """A role that has to tell its password; the wheel's server trusts everybody else on its socket."""
    role = f"reader_{uuid.uuid4().hex[:8]}"
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
    server.execute(create)
    [(rules,)] = server.execute(sql.SQL("SHOW hba_file"))
    before = Path(rules).read_text() if server.bin else ""
    try:
        if server.bin:
            Path(rules).write_text(f"local all {role} scram-sha-256\n{before}")
            server.execute(sql.SQL("SELECT pg_reload_conf()"))
        yield role
    finally:
        if server.bin:
            Path(rules).write_text(before)
        server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


async def _trusted_no_more(world: PostgresWorld) -> None:
    """The server takes up its rules a moment after it was told to."""
    for _ in range(100):
        try:
            psycopg.connect(world.as_reader("wrong")).close()
        except psycopg.OperationalError:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the server lets everybody in")


@asynccontextmanager
async def postgres_world(server: Postgres) -> AsyncIterator[PostgresWorld]:
    with role_with_password(server) as role:
        owner = server.empty()
        world = PostgresWorld(server, owner, role)
        try:
            await _trusted_no_more(world)
            _furnish(world)
            with world.watched():
                yield world
        finally:
            await world.heal()
            await world.port.close()
            await world.stranger.close()
            server.drop(owner)


def _furnish(world: PostgresWorld) -> None:
    world.change(
        TABLE.format(serial=world.serial),
        "CREATE FUNCTION fail() RETURNS numeric LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$",
    )
    world.view(SOUND)


@asynccontextmanager
async def sqlite_world(directory: Path) -> AsyncIterator[SqliteWorld]:
    world = SqliteWorld(directory / "usage.db")
    world.change(TABLE.format(serial=world.serial))
    world.view(SOUND)
    try:
        with world.watched():
            yield world
    finally:
        await world.heal()
        await world.port.close()
