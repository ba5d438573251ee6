"""Usage from a database passes the kit, on PostgreSQL and SQLite, and what only a query can do wrong is told."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.turns import Limits
from adapters.usage.sql import SqlUsage
from domain.errors import AuthFailed, ContractBroken, NotFound, RateLimited, SourceUnavailable
from domain.limits import Limit
from store.database import Database
from store.limits import SqlLimits
from tests.contract.sql_worlds import QUERY, PostgresWorld, SqliteWorld, SqlWorld, postgres_world, sqlite_world
from tests.kits.usage import UsageContract
from tests.kits.world import World
from tests.postgres import Postgres
from tests.stores import lay


@pytest.fixture
async def on_postgres(postgres: Postgres) -> AsyncIterator[PostgresWorld]:
    async with postgres_world(postgres) as world:
        yield world


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[SqliteWorld]:
    async with sqlite_world(tmp_path) as world:
        yield world


@pytest.fixture(params=["postgres", "sqlite"])
def either(request: pytest.FixtureRequest) -> SqlWorld:
    world: SqlWorld = request.getfixturevalue(f"on_{request.param}")
    return world


class TestPostgres(UsageContract):
    @pytest.fixture
    def world(self, on_postgres: PostgresWorld) -> PostgresWorld:
        return on_postgres

    async def test_a_limited_read_says_how_long(self, world: World[object], reading: str) -> None:
        """No database says how long; too many connections is all that there is, and it passes."""
        assert isinstance(world, PostgresWorld)
        read = await self.read(world, "adoption")
        world.allow(connections=0)
        with pytest.raises(SourceUnavailable):
            await read(world.port)
        world.allow(connections=-1)
        await read(world.port)


class TestSqlite(UsageContract):
    @pytest.fixture
    def world(self, on_sqlite: SqliteWorld) -> SqliteWorld:
        return on_sqlite

    @pytest.mark.skip(reason="an SQLite file limits nobody")
    async def test_a_limited_read_says_how_long(self, world: World[object], reading: str) -> None: ...

    @pytest.mark.skip(reason="an SQLite file knows no users")
    async def test_a_stranger_reads_nothing(self, world: World[object], reading: str) -> None: ...


@pytest.mark.parametrize(
    ("selected", "said"),
    [
        ("NULL AS active, 5 AS entitled", "active is NULL"),
        ("1 AS active, -5 AS entitled", "entitled is negative"),
        ("'5' AS active, 5 AS entitled", "active is no number"),
        ("1 AS Active, 1 AS seats", "no column entitled"),
        ("1 AS active, 5 AS entitled UNION ALL SELECT 2, 5", "several rows"),
    ],
)
async def test_an_answer_that_is_no_adoption_is_told(either: SqlWorld, selected: str, said: str) -> None:
    port = either.with_query(f"SELECT {selected} WHERE :account = '001'")
    with pytest.raises(ContractBroken, match=said):
        await port.adoption("001")
    await port.close()


async def test_columns_may_be_in_capitals_and_have_company(either: SqlWorld) -> None:
    port = either.with_query('SELECT :account AS who, 3 AS "ACTIVE", 4 AS "Entitled"')
    adoption = await port.adoption("001")
    assert (adoption.active, adoption.entitled) == (Decimal(3), Decimal(4))
    await port.close()


@pytest.mark.parametrize("number", ["'NaN'::numeric", "'Infinity'::float8"])
async def test_what_is_no_finite_number_is_told(on_postgres: PostgresWorld, number: str) -> None:
    port = on_postgres.with_query(f"SELECT {number} AS active, 1 AS entitled, CAST(:account AS text)")
    with pytest.raises(ContractBroken, match="no finite number"):
        await port.adoption("001")
    await port.close()


async def test_an_account_is_a_value_and_never_sql(either: SqlWorld) -> None:
    await either.report("001", Decimal(1), Decimal(2))
    with pytest.raises(NotFound):
        await either.port.adoption("' OR account = '001")


WRITES = (
    "DELETE FROM reports WHERE account = :account RETURNING active, entitled",
    "UPDATE reports SET active = 9 WHERE account = :account RETURNING active, entitled",
    "INSERT INTO reports (account, active, entitled) VALUES (:account, 9, 9) RETURNING active, entitled",
)
ON_POSTGRES = (
    "WITH gone AS (DELETE FROM reports WHERE account = :account RETURNING *) SELECT active, entitled FROM gone",
    "SELECT active, entitled FROM forget(:account)",
)


async def _refused(world: SqlWorld, query: str, said: str) -> None:
    await world.report("001", Decimal(1), Decimal(2))
    port = world.with_query(query)
    with pytest.raises(ContractBroken, match=said):
        await port.adoption("001")
    await port.close()
    assert (await world.port.adoption("001")).active == 1


@pytest.mark.parametrize("query", [*WRITES, *ON_POSTGRES])
async def test_postgresql_refuses_a_query_that_writes(on_postgres: PostgresWorld, query: str) -> None:
    on_postgres.change(
        "CREATE FUNCTION forget(who text) RETURNS SETOF reports LANGUAGE sql AS"
        " $$ DELETE FROM reports WHERE account = who RETURNING * $$",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {on_postgres.role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {on_postgres.role}",
    )
    await _refused(on_postgres, query, "ReadOnlySqlTransaction")


@pytest.mark.parametrize("query", WRITES)
async def test_sqlite_refuses_a_query_that_writes(on_sqlite: SqliteWorld, query: str) -> None:
    await _refused(on_sqlite, query, "SQLITE_READONLY")


async def test_sqlite_refuses_it_behind_an_address_of_ones_own_too(on_sqlite: SqliteWorld) -> None:
    on_sqlite.url = f"sqlite:///file:{on_sqlite.file}?mode=rw&uri=true"
    await _refused(on_sqlite, WRITES[0], "SQLITE_READONLY")


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    port = SqlUsage(f"sqlite:///{tmp_path / 'none.db'}", "SELECT 1 AS active, 1 AS entitled WHERE :account = ''")
    with pytest.raises(SourceUnavailable):
        await port.adoption("001")
    await port.close()
    assert os.listdir(tmp_path) == []


async def test_a_connection_that_is_lost_is_made_again(on_postgres: PostgresWorld) -> None:
    """As after a fail-over: the pool notices before it asks."""
    await on_postgres.report("001", Decimal(1), Decimal(2))
    await on_postgres.port.adoption("001")
    assert on_postgres.server.disconnect(on_postgres.owner) >= 1
    assert (await on_postgres.port.adoption("001")).active == 1


async def test_a_connection_that_is_lost_in_the_middle_is_unavailable(on_postgres: PostgresWorld) -> None:
    port = on_postgres.with_query(
        "SELECT pg_terminate_backend(pg_backend_pid())::int AS active, 1 AS entitled WHERE :account <> ''"
    )
    with pytest.raises(SourceUnavailable):
        await port.adoption("001")
    await port.close()


async def test_a_slow_query_is_ended_in_the_database(on_postgres: PostgresWorld) -> None:
    port = on_postgres.with_query("SELECT 1 AS active, 1 AS entitled FROM pg_sleep(60) WHERE :account <> ''")
    with pytest.raises(SourceUnavailable):
        await port.adoption("001")
    await port.close()
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND query LIKE '%%pg_sleep%%' AND state = 'active'"
    )
    with on_postgres._connect() as connection:
        for _ in range(50):
            [(count,)] = connection.execute(running, (on_postgres.role,)).fetchall()
            connection.rollback()
            if not count:
                return
            connection.execute("SELECT pg_sleep(0.1)")
    raise AssertionError("it still runs")


async def test_no_more_connections_than_allowed(on_postgres: PostgresWorld) -> None:
    """Who finds none free waits within the deadline."""
    port = SqlUsage(
        on_postgres.url,
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) AS active, 1 AS entitled"
        " FROM pg_sleep(0.1) WHERE :account <> ''",
        concurrent=2,
    )
    adoptions = await asyncio.gather(*(port.adoption(f"00{n}") for n in range(8)))
    assert max(adoption.active for adoption in adoptions) == 2
    await port.close()


async def test_the_user_without_a_grant_is_told(on_postgres: PostgresWorld) -> None:
    on_postgres.change("CREATE TABLE secret (active int, entitled int)")
    with on_postgres._connect() as connection:
        connection.execute(f"REVOKE ALL ON secret FROM {on_postgres.role}".encode())
    port = on_postgres.with_query("SELECT active, entitled FROM secret WHERE :account <> ''")
    with pytest.raises(AuthFailed, match=r"^sql.adoption: InsufficientPrivilege \(42501\)$"):
        await port.adoption("001")
    await port.close()


async def test_a_probe_runs_the_query_and_knows_the_superuser(on_postgres: PostgresWorld) -> None:
    probed = await on_postgres.port.probe()
    assert probed.problems == ()
    assert probed.clock is not None
    owner = SqlUsage(on_postgres.owner, "SELECT active, entitled FROM reports WHERE account = :account")
    [problem] = (await owner.probe()).problems
    assert problem.what == "the database user is a superuser"
    await owner.close()
    broken = on_postgres.with_query("SELECT active FROM nowhere WHERE account = :account")
    with pytest.raises(ContractBroken, match="UndefinedTable"):
        await broken.probe()
    await broken.close()


@pytest.mark.parametrize(
    ("url", "query", "said"),
    [
        ("sqlite:///x.db", "SELECT 1 AS active, 1 AS entitled", "query: it needs the parameter :account"),
        ("sqlite:///x.db", "SELECT 1 WHERE :account = :tenant", "query: it needs the parameter :account"),
        ("postgresql//user:hidden@db/usage", "SELECT :account", "url: it is not an SQLAlchemy URL"),
        ("nosuch://user:hidden@db/usage", "SELECT :account", "url: it is not an SQLAlchemy URL"),
        ("mysql+pymysql://user:hidden@db/usage", "SELECT :account", "url: it needs the driver pymysql"),
    ],
)
def test_a_mistake_in_the_configuration_is_told_without_its_secret(url: str, query: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        SqlUsage(url, query)
    assert "hidden" not in str(raised.value)


async def test_no_error_holds_the_query_the_account_or_the_password(on_postgres: PostgresWorld) -> None:
    port = on_postgres.with_query("SELECT 'planted' || :account AS active, 1 / 0 AS entitled")
    with pytest.raises(ContractBroken) as raised:
        await port.adoption("acct-planted")
    await port.close()
    with pytest.raises(AuthFailed) as refused:
        await on_postgres.stranger.adoption("acct-planted")
    for error in (raised.value, refused.value):
        assert error.__suppress_context__
        assert "planted" not in f"{error} {error.__cause__} {port!r} {vars(port)}"


async def test_a_query_leaves_with_a_turn_of_the_limit_that_all_processes_share(
    on_sqlite: SqliteWorld, tmp_path: Path
) -> None:
    lay(url := f"sqlite:///{tmp_path / 'limits.db'}")
    database = Database(url)
    ours, theirs = (Limits(SqlLimits(database)) for _ in range(2))
    rate = Limit(per_second=1, burst=1)
    port = SqlUsage(on_sqlite.url, QUERY, limiter=ours.of("usage", rate))
    await on_sqlite.report("001", Decimal(3), Decimal(5))
    turn = await theirs.of("usage", rate).now()
    assert turn is not None
    theirs.of("usage", rate).over(turn, "answered")
    began = time.monotonic()
    assert (await port.adoption("001")).active == 3
    assert time.monotonic() - began > 0.5
    await ours.of("usage", rate).pause(timedelta(seconds=60))
    with pytest.raises(RateLimited):
        await port.adoption("001")
    for each in (port, ours, theirs):
        await each.close()
    database.close()
