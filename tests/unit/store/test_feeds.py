"""A feed's cursor moves with its rows or not at all, from where it is expected alone: on SQLite and PostgreSQL."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlmodel import Session

from domain.feeds import Received
from store.cases import Cases
from store.database import Database
from store.feeds import SqlFeeds
from store.inbox import Inbox
from store.tables import FeedRow
from tests.stores import lay


@pytest.fixture
def postgres_store(outbox_server: str) -> Iterator[str]:
    name = f"store_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(outbox_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = outbox_server.replace("postgresql:", "postgresql+psycopg:", 1).replace("/postgres?", f"/{name}?", 1)
    lay(url)
    yield url
    with psycopg.connect(outbox_server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def sqlite_store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    return url


@pytest.fixture(params=["sqlite_store", "postgres_store"])
def either(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(request.getfixturevalue(request.param))
    yield database
    database.close()


def page(*ids: str) -> list[Received]:
    return [Received(event_id=each, type="t", subject="s", payload="{}") for each in ids]


async def test_rows_and_cursor_move_together_once(either: Database) -> None:
    feeds = SqlFeeds(either)
    assert (await feeds.position("erp")).cursor == ""
    assert await feeds.commit("erp", page("1", "2"), source="books", expected="", cursor="c2") == 2
    assert await feeds.commit("erp", page("1", "2", "3"), source="books", expected="", cursor="c3") is None
    assert await feeds.commit("erp", page("2", "3"), source="books", expected="c2", cursor="c3") == 1
    rows = await Inbox(either).list()
    assert [(row.source, row.event_id, row.state) for row in reversed(rows)] == [
        ("books", "1", "received"),
        ("books", "2", "received"),
        ("books", "3", "received"),
    ]
    assert await feeds.position("erp") == await SqlFeeds(either).position("erp")
    assert (await feeds.position("erp")).cursor == "c3"


async def test_of_many_who_expect_the_same_cursor_one_goes_on(either: Database) -> None:
    feeds = SqlFeeds(either)
    for step in range(3):
        before, after = f"c{step}" if step else "", f"c{step + 1}"
        answers = await asyncio.gather(
            *(feeds.commit("erp", page(f"{step}-{n}"), source="erp", expected=before, cursor=after) for n in range(4))
        )
        assert sorted(answers, key=str) == [1, None, None, None]
    assert await Inbox(either).counts() == {"received": 3}


async def test_a_page_that_can_not_be_stored_moves_nothing(either: Database) -> None:
    feeds = SqlFeeds(either)
    broken = page("2")[0].model_copy(update={"type": None})
    with pytest.raises(Exception, match=r"(?i)null"):
        await feeds.commit("erp", [*page("1"), broken], source="erp", expected="", cursor="c1")
    assert await Inbox(either).counts() == {}
    assert (await feeds.position("erp")).cursor == ""


async def test_read_at_is_the_last_time_that_nothing_came_after(either: Database) -> None:
    feeds = SqlFeeds(either)
    await feeds.commit("erp", [], source="erp", expected="", cursor="c1")
    assert (await feeds.position("erp")).read_at is None, "there was more"
    await feeds.commit("erp", [], source="erp", expected="c1", cursor="c2", age=60)
    first = (await feeds.position("erp")).read_at
    assert first is not None
    assert 55 < (datetime.now(UTC) - first).total_seconds() < 65
    await feeds.commit("erp", [], source="erp", expected="c2", cursor="c3", age=3600)
    assert (await feeds.position("erp")).read_at == first, "never back"
    await feeds.commit("erp", [], source="erp", expected="c3", cursor="c3", age=0)
    second = (await feeds.position("erp")).read_at
    assert second is not None
    assert second > first


async def test_gaps_are_counted_and_failures_are_a_case_until_it_is_read(either: Database) -> None:
    feeds, cases = SqlFeeds(either), Cases(either)
    await feeds.failed("erp", "SOURCE_UNAVAILABLE", "no answer")
    await feeds.failed("erp", "AUTH", "HTTP 401")
    [case] = await cases.list()
    assert (case.reasons, case.actor) == (["HTTP 401"], "engineer")
    await feeds.commit("erp", page("1"), source="erp", expected="", cursor="c1", gap=True)
    assert len(await cases.list()) == 1, "not read to the end yet"
    await feeds.commit("erp", [], source="erp", expected="c1", cursor="c2", age=0)
    assert await cases.list() == []

    def gaps(session: Session) -> int:
        return session.get_one(FeedRow, "erp").gaps

    assert await either.read(gaps) == 1
