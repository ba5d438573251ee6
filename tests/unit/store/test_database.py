"""Migrations, transactions and the clock."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_mock_engine, event
from sqlmodel import Session, SQLModel, select

import store.limits
import store.tables
import store.transit  # noqa: F401 (fills the metadata)
from domain.errors import SourceUnavailable
from domain.urgency import FIRST, LATER, OF_TASK, USUAL
from store.database import Database, db_now, insert_once, now
from store.migrate import MIGRATIONS, head, migrate
from store.settings import set_setting, setting
from store.tables import InboxRow, SettingRow
from tests.postgres import ON_SQLITE

POSTGRESQL = create_mock_engine("postgresql://", print).dialect


def test_models_and_migrations_agree(database: Database) -> None:
    def differences(session: Session) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(session.connection()), SQLModel.metadata))

    assert database.read_sync(differences) == []


def test_the_head_is_read_from_file_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [head()]


def test_migrating_from_several_places_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [url] * 4))
    database = Database(url)
    try:
        assert database.write_sync(lambda s: insert_once(s, SettingRow(name="a", value="b"), keys=("name",)))
    finally:
        database.close()


def test_migrating_again_keeps_the_data(url: str, database: Database) -> None:
    database.write_sync(lambda session: set_setting(session, "a", "kept"))
    migrate(url)
    assert database.read_sync(lambda session: setting(session, "a")) == "kept"


@ON_SQLITE
def test_the_file_is_in_wal_mode_and_synced_fully(url: str, database: Database) -> None:
    def pragmas(session: Session) -> list[object]:
        connection = session.connection()
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert database.read_sync(pragmas) == ["wal", 2, 1, 30_000]


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def fail(session: Session) -> None:
        set_setting(session, "a", "b")
        session.flush()
        raise RuntimeError("after the insert")

    with pytest.raises(RuntimeError):
        await database.write(fail)
    assert await database.read(lambda session: setting(session, "a", "nothing")) == "nothing"


@ON_SQLITE
async def test_a_write_takes_the_lock_at_its_beginning(url: str, database: Database) -> None:
    """Two read-then-write transactions at once would otherwise answer "database is locked"."""

    def increment(session: Session) -> None:
        value = int(setting(session, "n", "0"))
        time.sleep(0.01)
        set_setting(session, "n", str(value + 1))

    other = Database(url)
    try:
        await asyncio.gather(*(which.write(increment) for which in (database, other) for _ in range(10)))
    finally:
        other.close()
    assert await database.read(lambda session: setting(session, "n")) == "20"


async def test_of_the_writes_that_wait_the_most_urgent_goes_first(url: str, database: Database) -> None:
    narrow, begun, go_on = Database(url, readers=1), threading.Event(), threading.Event()
    order: list[str] = []

    async def write(name: str, urgency: int) -> None:
        OF_TASK.set(urgency)
        await narrow.write(lambda _: order.append(name))

    def hold(_: Session) -> None:
        begun.set()
        assert go_on.wait(10)

    try:
        holding = asyncio.create_task(narrow.write(hold))
        assert await asyncio.to_thread(begun.wait, 10)
        names = {"later": LATER, "usual": USUAL, "usual too": USUAL, "taken back": USUAL, "first": FIRST}
        waiting = {name: asyncio.create_task(write(name, urgency)) for name, urgency in names.items()}
        await asyncio.sleep(0.05)
        waiting["taken back"].cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(holding, *waiting.values(), return_exceptions=True)
    finally:
        go_on.set()
        narrow.close()
    assert order == ["first", "usual", "usual too", "later"]


async def test_the_loop_goes_on_while_the_database_works(database: Database) -> None:
    slow = asyncio.ensure_future(database.write(lambda session: time.sleep(1)))
    await asyncio.sleep(0.01)
    assert not slow.done()
    await slow


def test_the_databases_clock(database: Database) -> None:
    assert database.read_sync(now) == pytest.approx(time.time(), abs=0.5)
    assert "clock_timestamp()" in str(select(db_now()).compile(dialect=POSTGRESQL))


def test_moments_come_back_in_utc_and_need_a_zone(database: Database) -> None:
    noon = datetime(2028, 2, 29, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    def keep(session: Session) -> None:
        row = InboxRow(source="crm", event_id="1", type="t", subject="s", payload="{}", received_at=noon)
        insert_once(session, row, keys=("source", "event_id"))

    database.write_sync(keep)
    read = database.read_sync(lambda session: session.exec(select(InboxRow.received_at)).one())
    assert read == noon
    assert read.tzinfo is UTC
    naive = InboxRow(source="crm", event_id="2", type="t", subject="s", payload="{}")
    naive.received_at = datetime(2028, 2, 29)  # noqa: DTZ001
    with pytest.raises(Exception, match="time zone"):
        database.write_sync(lambda session: insert_once(session, naive, keys=("source", "event_id")))


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "not-a-database"
    sqlite3.connect(path).close()
    database = Database(f"sqlite:///{path}")
    try:
        with pytest.raises(SourceUnavailable):
            database.read_sync(lambda session: setting(session, "a"))
    finally:
        database.close()


async def lined_up(database: Database, *works: Callable[[Session], object]) -> list[object]:
    """What becomes of writes that stand in line together: what each returns, or raises."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Session) -> None:  # without a word to the database
        begun.set()
        assert go_on.wait(10)

    holding = asyncio.create_task(database.write(hold))
    try:
        assert await asyncio.to_thread(begun.wait, 10)
        waiting = [asyncio.create_task(database.write(work)) for work in works]
        await asyncio.sleep(0.05)
    finally:
        go_on.set()
    await holding
    return await asyncio.gather(*waiting, return_exceptions=True)


@ON_SQLITE
async def test_writes_in_line_share_a_commit_and_one_that_raises_leaves_the_others_alone(database: Database) -> None:
    commits: list[str] = []
    event.listen(database.engine, "commit", lambda _: commits.append("commit"))

    def write(name: str, session: Session) -> str:
        set_setting(session, name, "there")
        session.flush()
        if name == "bad":
            raise ValueError("of its own")
        return name

    names = ("a", "bad", "b")
    first, bad, second = await lined_up(database, *(partial(write, name) for name in names))
    assert (first, second, str(bad)) == ("a", "b", "of its own")
    assert len(commits) == 1
    found = await database.read(lambda session: {name: setting(session, name, "nothing") for name in names})
    assert found == {"a": "there", "bad": "nothing", "b": "there"}


@ON_SQLITE
async def test_where_the_database_does_not_answer_none_of_a_shared_commit_is_written(database: Database) -> None:
    def full(session: Session) -> None:  # as SQLite does when the disk is full: the transaction is gone
        session.connection().exec_driver_sql("ROLLBACK")
        session.connection().exec_driver_sql("SELECT * FROM nowhere")

    answers = await lined_up(
        database, partial(set_setting, name="a", value="b"), full, partial(set_setting, name="c", value="d")
    )
    assert [type(answer) for answer in answers] == [SourceUnavailable] * 3
    found = await database.read(lambda session: [setting(session, name, "nothing") for name in ("a", "c")])
    assert found == ["nothing", "nothing"]
