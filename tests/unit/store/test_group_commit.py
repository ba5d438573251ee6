"""What comes in at the same time shares a commit, and nobody suffers from his neighbour."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import event

from store.database import Database
from store.group_commit import MOST_ROWS, GroupCommit, Received


def row(event_id: str, source: str = "s", payload: str = "{}") -> Received:
    return Received(source, event_id, "t", "", payload)


def commits(database: Database) -> list[str]:
    seen: list[str] = []
    event.listen(database.engine, "commit", lambda _: seen.append("commit"))
    return seen


def stored(database: Database) -> list[str]:
    rows = database.read_sync(
        lambda session: session.connection().exec_driver_sql("SELECT event_id FROM inbox ORDER BY id").all()
    )
    return [each for (each,) in rows]


def spoil(database: Database) -> None:
    """There can't be two rows that say "bad"."""
    only_one = "CREATE UNIQUE INDEX only_one ON inbox (payload) WHERE payload = 'bad'"
    database.write_sync(lambda session: session.connection().exec_driver_sql(only_one))


async def test_a_hundred_callers_share_a_few_commits(database: Database) -> None:
    writes, seen = GroupCommit(database), commits(database)
    answers = await asyncio.gather(*(writes.add([row(str(n))]) for n in range(100)))
    assert answers == [[True]] * 100
    assert len(stored(database)) == 100
    assert len(seen) <= 2


async def test_rows_of_one_caller_are_new_or_not_one_by_one(database: Database) -> None:
    writes = GroupCommit(database)
    assert await writes.add([row("a"), row("b"), row("a")]) == [True, True, False]
    assert await writes.add([row("c"), row("b"), row("b", source="other")]) == [True, False, True]
    assert await writes.add([]) == []
    assert stored(database) == ["a", "b", "c", "b"]


async def test_one_key_from_many_callers_at_once_is_new_to_one(database: Database) -> None:
    writes = GroupCommit(database)
    answers = await asyncio.gather(*(writes.add([row("a"), row(str(n))]) for n in range(20)))
    assert sorted(first for first, _ in answers) == [False] * 19 + [True]
    assert all(second for _, second in answers)


async def test_rows_that_cant_be_stored_fail_their_own_caller_alone(database: Database) -> None:
    spoil(database)
    writes = GroupCommit(database)
    groups: list[Sequence[Received]] = [
        [row("a")],
        [row("b"), row("c", payload="bad"), row("d", payload="bad")],
        [row("e")],
    ]
    first, bad, last = await asyncio.gather(*(writes.add(rows) for rows in groups), return_exceptions=True)
    assert (first, last) == ([True], [True])
    assert isinstance(bad, Exception)
    assert stored(database) == ["a", "e"], "of one caller's rows all are stored, or none"
    assert await writes.add([row("b")]) == [True], "and it goes on"


async def test_a_store_that_is_away_fails_everybody_and_then_is_back(database: Database) -> None:
    writes = GroupCommit(database)
    database.write_sync(lambda session: session.connection().exec_driver_sql("ALTER TABLE inbox RENAME TO gone"))
    answers = await asyncio.gather(*(writes.add([row(str(n))]) for n in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Exception) for answer in answers)
    database.write_sync(lambda session: session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO inbox"))
    assert await writes.add([row("a")]) == [True]


async def test_a_caller_that_goes_away_takes_nobody_along(database: Database) -> None:
    writes = GroupCommit(database)
    going, staying = (asyncio.ensure_future(writes.add([row(name)])) for name in ("going", "staying"))
    await asyncio.sleep(0)
    going.cancel()
    assert await staying == [True]
    with pytest.raises(asyncio.CancelledError):
        await going
    assert "staying" in stored(database)


async def test_more_than_a_transaction_holds_goes_into_several(database: Database) -> None:
    writes, seen = GroupCommit(database), commits(database)
    many = [row(f"m{n}") for n in range(MOST_ROWS + 1)]
    first, second = await asyncio.gather(writes.add(many), writes.add([row("one more")]))
    assert (sum(first), second) == (MOST_ROWS + 1, [True])
    assert len(seen) == 2


def test_it_serves_one_loop_after_another(database: Database) -> None:
    writes = GroupCommit(database)
    for number in range(3):
        assert asyncio.run(writes.add([row(str(number))])) == [True]
    assert stored(database) == ["0", "1", "2"]
