"""What only PostgreSQL can do to the store: connections that break, a server that is away, and what it refuses."""

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import DataError
from sqlmodel import Session

from domain.errors import SourceUnavailable
from store.database import Database, insert_once
from store.lifecycles import Lifecycles, link_new
from store.migrate import migrate
from store.orders import SqlOrders
from store.settings import set_setting, setting
from store.tables import SettingRow
from tests.postgres import ON_POSTGRESQL, Postgres

pytestmark = ON_POSTGRESQL


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_driver_need_not_be_named(url: str, scheme: str) -> None:
    database = Database(url.replace("postgresql+psycopg", scheme, 1))
    try:
        database.write_sync(lambda session: set_setting(session, "a", scheme))
        assert database.read_sync(lambda session: setting(session, "a")) == scheme
    finally:
        database.close()


def test_an_empty_database_is_migrated_once_by_several(postgres: Postgres, url: str) -> None:
    empty = postgres.empty()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(migrate, [empty] * 4))
        database = Database(empty)
        assert database.write_sync(lambda s: insert_once(s, SettingRow(name="a", value="b"), keys=("name",)))
        database.close()
    finally:
        postgres.drop(empty)


async def test_a_connection_that_breaks_in_the_middle_leaves_nothing(
    postgres: Postgres, url: str, database: Database
) -> None:
    def broken(session: Session) -> None:
        set_setting(session, "a", "half")
        assert postgres.disconnect(url) > 0
        set_setting(session, "b", "half")

    with pytest.raises(SourceUnavailable, match="the store does not answer"):
        await database.write(broken)
    assert await database.read(lambda session: setting(session, "a", "nothing")) == "nothing"
    await database.write(lambda session: set_setting(session, "a", "whole"))
    assert await database.read(lambda session: setting(session, "a")) == "whole"


async def test_idle_connections_that_broke_are_not_noticed(postgres: Postgres, url: str, database: Database) -> None:
    await asyncio.gather(*(database.read(lambda session: setting(session, "a")) for _ in range(8)))
    assert postgres.disconnect(url) > 0
    for _ in range(8):
        await database.write(lambda session: set_setting(session, "a", "b"))


async def test_a_server_that_comes_back_is_used_again(postgres: Postgres, url: str, database: Database) -> None:
    await database.write(lambda session: set_setting(session, "a", "before"))
    postgres.stop()
    try:
        for work in (database.read, database.write):
            with pytest.raises(SourceUnavailable) as away:
                await work(lambda session: setting(session, "a"))
            assert "\n" not in str(away.value)
    finally:
        postgres.start()
    assert await database.read(lambda session: setting(session, "a")) == "before", "what returned was durable"
    await database.write(lambda session: set_setting(session, "a", "after"))


async def test_a_process_that_hangs_in_a_transaction_loses_it(url: str) -> None:
    """Else nobody could route while the one that holds the turn is frozen."""

    def hang(session: Session) -> None:
        set_setting(session, "a", "b")
        time.sleep(0.6)
        setting(session, "c")

    hung = Database(f"{url}&options=-c%20idle_in_transaction_session_timeout%3D200ms")
    try:
        with pytest.raises(SourceUnavailable):
            await hung.write(hang)
    finally:
        hung.close()


def test_locks_and_silent_servers_are_not_waited_for_without_end(database: Database) -> None:
    def shown(session: Session) -> list[object]:
        names = ("lock_timeout", "idle_in_transaction_session_timeout", "transaction_isolation")
        return [session.connection().exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    assert database.read_sync(shown) == ["30s", "1min", "read committed"]


async def test_what_no_row_can_hold_is_the_datas_fault(database: Database) -> None:
    """Not the server's: an event that brings it becomes a dead letter, and does not hold up the others."""
    with pytest.raises(DataError):
        await database.write(lambda session: set_setting(session, "a", "with\0nul"))
    longest = "".join(f"{number:x}" for number in range(9000))
    with pytest.raises(DataError):
        await database.write(lambda session: link_new(session, "crm", "deal", longest, "c"))
    assert await Lifecycles(database).find("crm", "deal", longest) is None


async def test_numbers_that_json_does_not_have_are_kept_as_text(database: Database) -> None:
    await SqlOrders(database).add("c", {"quantity": math.nan, "price": math.inf, "text": "\0"}, "ops")
    assert await SqlOrders(database).read("c", 1) == {"quantity": "NaN", "price": "Infinity", "text": "\0"}
