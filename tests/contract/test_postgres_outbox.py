"""Transactions that commit out of order: what a cursor over ids, or over time, would have lost for ever."""

import re
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from adapters.feeds.postgres_outbox import PostgresOutbox
from domain.errors import AuthFailed, ContractBroken, CursorExpired, SourceUnavailable
from tests.kits.feed import ids, read_to_end
from tests.kits.outbox import OutboxWorld, change

_BY_ID = (
    """SELECT id, body->>'id', xid < pg_snapshot_xmin(pg_current_snapshot()) FROM outbox WHERE id > %s ORDER BY id"""
)


@pytest.fixture
def world(outbox_url: str) -> OutboxWorld:
    return OutboxWorld(outbox_url)


async def by_id(world: OutboxWorld, after: int, *, final: bool) -> list[tuple[int, str]]:
    """What a reader with an id for a cursor sees, with or without regard for open transactions."""
    async with await world.connect() as connection:
        found = await (await connection.execute(_BY_ID, (after,))).fetchall()
    return [(number, event) for number, event, is_final in found if is_final or not final]


async def begin(world: OutboxWorld) -> AsyncConnection[Any]:
    """A transaction that has its number."""
    connection = await world.connect()
    await connection.execute("SELECT pg_current_xact_id()")
    return connection


async def end(connection: AsyncConnection[Any]) -> None:
    await connection.commit()
    await connection.close()


async def test_a_lower_id_that_commits_under_a_higher_xid_is_not_lost(world: OutboxWorld) -> None:
    start = await world.port.head()
    early = await begin(world)
    late = await begin(world)
    low = await change(late, "low-id-high-xid")
    high = await change(early, "high-id-low-xid")
    await end(early)
    first = await world.port.changes(start, 10)
    assert ids(first) == [high]
    seen = await by_id(world, 0, final=True)
    assert [event for _, event in seen] == [high]
    await end(late)
    await world.settle()
    assert ids(*await read_to_end(world.port, first.cursor)) == [low]
    assert await by_id(world, seen[-1][0], final=True) == [], "an id cursor has lost it for ever"


async def test_a_slow_transaction_that_commits_behind_is_not_lost(world: OutboxWorld) -> None:
    start = await world.port.head()
    slow = await begin(world)
    behind = await change(slow, "slow")
    async with await world.connect() as quick:
        ahead = await change(quick, "quick")
    held = await world.port.changes(start, 10)
    assert (ids(held), held.more) == ([], False), "what is not final yet is held up, not skipped"
    seen = await by_id(world, 0, final=False)
    assert [event for _, event in seen] == [ahead]
    await end(slow)
    await world.settle()
    assert ids(*await read_to_end(world.port, held.cursor)) == [behind, ahead]
    assert await by_id(world, seen[-1][0], final=False) == [], "an id cursor has lost it for ever"


async def test_a_transaction_that_was_open_at_the_head_comes_after_it(world: OutboxWorld) -> None:
    slow = await begin(world)
    told = await change(slow, "slow")
    head = await world.port.head()
    filled = await world.port.back_fill(None, "", 10)
    assert ids(filled) == []
    await end(slow)
    await world.settle()
    assert ids(*await read_to_end(world.port, head)) == [told]


async def test_what_was_rolled_back_is_not_told(world: OutboxWorld) -> None:
    start = await world.port.head()
    given_up = await begin(world)
    await change(given_up, "a")
    await given_up.rollback()
    await given_up.close()
    told = await world.happen("b")
    assert ids(*await read_to_end(world.port, start)) == told


async def test_a_row_that_is_not_final_is_not_forgotten(world: OutboxWorld) -> None:
    start = await world.port.head()
    slow = await begin(world)
    told = await change(slow, "slow")
    async with await world.connect() as quick:
        ahead = await change(quick, "quick")
    await world.forget(keep=0)
    await end(slow)
    await world.settle()
    assert ids(*await read_to_end(world.port, start)) == [told, ahead]


async def test_a_restored_database_that_counts_anew_is_a_gap_and_no_endless_one(world: OutboxWorld) -> None:
    past = f"{2**40}:7"
    with pytest.raises(CursorExpired):
        await world.port.changes(past, 10)
    async with await world.connect() as connection:
        await connection.execute("INSERT INTO outbox_horizon (xid, id) VALUES (%s::text::xid8, 7)", (str(2**40),))
    head = await world.port.head()
    told = await world.happen("a")
    assert ids(*await read_to_end(world.port, head)) == told


async def test_the_reader_may_only_read(world: OutboxWorld) -> None:
    async with await world.connect() as connection:
        await connection.execute("REVOKE SELECT ON outbox FROM feed_reader")
    with pytest.raises(AuthFailed):
        await world.port.changes(await world.port.head(), 10)
    async with await world.connect() as connection:
        await connection.execute("SET ROLE feed_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("INSERT INTO outbox (body) VALUES ('{}')")


async def test_a_table_that_is_not_there_breaks_the_contract(outbox_url: str) -> None:
    with pytest.raises(ContractBroken, match="42P01"):
        await PostgresOutbox(outbox_url, "no.such").changes("1:0", 10)


async def test_a_body_that_is_no_object_breaks_it_too(world: OutboxWorld) -> None:
    start = await world.port.head()
    async with await world.connect() as connection:
        await connection.execute("INSERT INTO outbox (body) VALUES ('[1]')")
    await world.settle()
    with pytest.raises(ContractBroken):
        await world.port.changes(start, 10)


async def test_a_server_that_is_away_or_refuses_is_unavailable(outbox_url: str) -> None:
    with pytest.raises(SourceUnavailable):
        await PostgresOutbox("postgresql://x@127.0.0.1:1/x").head()
    nowhere = re.sub(r"/erp_\w+", "/nowhere", outbox_url, count=1)
    with pytest.raises(SourceUnavailable, match='database "nowhere" does not exist'):
        await PostgresOutbox(nowhere).head()


async def test_a_probe_of_a_sound_outbox_finds_no_problem_and_tells_the_time(world: OutboxWorld) -> None:
    probed = await world.port.probe()
    assert probed.problems == ()
    assert probed.clock is not None
    assert abs((datetime.now(UTC) - probed.clock).total_seconds()) < 10


async def test_a_probe_says_what_is_missing_and_what_may_not_be_read(world: OutboxWorld) -> None:
    async with await world.connect() as connection:
        await connection.execute("DROP VIEW outbox_facts")
        await connection.execute("REVOKE SELECT ON outbox_horizon FROM feed_reader")
    found = {problem.what: problem.mend for problem in (await world.port.probe()).problems}
    assert set(found) == {"the role may not read outbox_horizon", "the database has no outbox_facts"}
    assert (
        found["the role may not read outbox_horizon"] == "let its owner GRANT SELECT ON outbox_horizon TO Tenure's role"
    )


async def test_a_probe_without_a_server_is_unavailable_and_of_a_stranger_refused(world: OutboxWorld) -> None:
    with pytest.raises(SourceUnavailable):
        await PostgresOutbox("postgresql://127.0.0.1:9/nowhere").probe()
    with pytest.raises((AuthFailed, SourceUnavailable)):
        await PostgresOutbox(world.url.replace("postgres:", "a_stranger:", 1)).probe()
