"""The book of limits, on both databases: what it gives, to whom, and when it gives it back."""

import asyncio

import pytest
from sqlmodel import Session, col, select, update

from domain.limits import AHEAD, SECOND, STALE, TRANSIT, Ended, Limit
from store.database import Database, db_now
from store.limits import LEASE, LimitRow, SqlLimits, TurnRow, give_limit, reset_limit, standings

SLOW = Limit(per_second=0.01, burst=3)


@pytest.fixture
def book(database: Database) -> SqlLimits:
    return SqlLimits(database)


def later(database: Database, seconds: float) -> None:
    """As if so much time had passed."""

    def move(session: Session) -> None:
        for row in session.exec(select(TurnRow)):
            row.counts_until -= seconds
            row.lease_until -= seconds
        for limit in session.exec(select(LimitRow)):
            limit.earliest -= seconds
            limit.paused_until -= seconds

    database.write_sync(move)


async def test_processes_share_a_bucket_and_connections_do_not(book: SqlLimits) -> None:
    asked = await asyncio.gather(*(book.take("erp", SLOW, 2) for _ in range(4)))
    assert sum(len(each.turns) for each in asked) == 3
    assert all(90 < each.wait <= 100 for each in asked if len(each.turns) < 2)
    other = await book.take("crm", SLOW, 2)
    assert (len(other.turns), other.wait) == (2, 0.0)


async def test_who_asks_in_spare_time_leaves_a_turn_to_whoever_comes_next(database: Database, book: SqlLimits) -> None:
    limit = Limit(per_second=0.5, burst=1)
    await book.take("erp", limit, 1)
    later(database, 3.5)
    asked = await book.take("erp", limit, 1, spare=True)
    assert not asked.turns
    assert 0.3 < asked.wait <= 0.5, "nothing is taken ahead in spare time"
    assert len((await book.take("erp", limit, 1)).turns) == 1
    later(database, 6)
    assert len((await book.take("erp", limit, 1, spare=True)).turns) == 1


async def test_a_second_never_counts_more_than_its_limit_until_the_answers_are_older_than_that(
    database: Database, book: SqlLimits
) -> None:
    limit = Limit(per_second=2, burst=1)
    taken: list[int] = []
    for _ in range(2):
        taken += (await book.take("erp", limit, 1)).turns
        later(database, 0.5)
    assert not (await book.take("erp", limit, 1)).turns
    await book.take("erp", limit, 0, ended=[Ended(turn=turn, age=0.5, how="answered") for turn in taken])
    later(database, SECOND - 0.5 - AHEAD - 0.1)
    assert not (await book.take("erp", limit, 1)).turns
    later(database, 0.2)
    soon = await book.take("erp", limit, 1)
    assert len(soon.turns) == 1
    assert AHEAD - 0.2 < soon.after[0] <= AHEAD - 0.1 + 1e-3, "it may not be used before the second is over"


async def test_a_call_that_was_given_up_counts_longer_and_one_whose_process_died_longest(
    database: Database, book: SqlLimits
) -> None:
    limit = Limit(per_second=1, burst=1, concurrent=1)
    [turn] = (await book.take("erp", limit, 1)).turns
    await book.take("erp", limit, 0, ended=[Ended(turn=turn, age=0.0, how="given up")])
    later(database, SECOND + TRANSIT - AHEAD - 0.1)
    assert not (await book.take("erp", limit, 1)).turns
    later(database, AHEAD + 0.2)
    [turn] = (await book.take("erp", limit, 1)).turns  # and its process dies
    later(database, STALE + TRANSIT + SECOND + 0.1)
    assert not (await book.take("erp", limit, 1)).turns  # it may still be under way
    later(database, LEASE - STALE - TRANSIT - SECOND)
    assert len((await book.take("erp", limit, 1)).turns) == 1


async def test_a_call_that_lasts_keeps_its_place(database: Database, book: SqlLimits) -> None:
    limit = Limit(concurrent=1)
    [turn] = (await book.take("erp", limit, 1)).turns
    for _ in range(3):
        later(database, LEASE - 1)
        assert not (await book.take("erp", limit, 1, held=[turn])).turns
    await book.take("erp", limit, 0, ended=[Ended(turn=turn, age=0.0, how="answered")])
    assert len((await book.take("erp", limit, 1)).turns) == 1


async def test_a_turn_that_was_not_made_use_of_is_free_again(database: Database, book: SqlLimits) -> None:
    first = await book.take("erp", SLOW, 3)
    again = [Ended(turn=turn, age=0.0, how="not made") for turn in (*first.turns, *first.turns)]  # once each
    taken = await book.take("erp", SLOW, 5, ended=again)
    assert len(taken.turns) == 3
    rows = database.read_sync(lambda session: session.exec(select(TurnRow.id)).all())
    assert set(rows) == set(taken.turns)


async def test_a_pause_stops_one_connection_for_everybody(database: Database, book: SqlLimits) -> None:
    await book.pause("erp", 30)
    await book.pause("erp", 10)  # the longer one stands
    taken = await book.take("erp", SLOW, 1)
    assert (taken.turns, taken.paused) == ((), True)
    assert 29 < taken.wait <= 30
    assert len((await book.take("crm", SLOW, 1)).turns) == 1
    assert 29 < (await book.standings())["erp"].paused <= 30
    later(database, 31)
    assert await book.standings() == {}
    assert len((await book.take("erp", SLOW, 1)).turns) == 1


async def test_what_a_person_gives_wins_until_it_is_reset(database: Database, book: SqlLimits) -> None:
    database.write_sync(lambda session: give_limit(session, "erp", {"per_second": 0.02}))
    database.write_sync(lambda session: give_limit(session, "erp", {"burst": 1}))
    taken = await book.take("erp", SLOW, 3)
    assert (len(taken.turns), taken.limit) == (1, Limit(per_second=0.02, burst=1))
    database.write_sync(lambda session: give_limit(session, "erp", {"per_second": None}))
    assert len((await book.take("erp", SLOW, 9)).turns) == 9
    await book.pause("erp", 30)
    database.write_sync(lambda session: reset_limit(session, "erp"))
    assert database.read_sync(standings) == {}
    assert (await book.take("erp", SLOW, 1)).limit == SLOW


async def test_a_clock_that_was_set_back_does_not_close_a_connection(database: Database, book: SqlLimits) -> None:
    limit = Limit(per_second=10)
    await book.take("erp", limit, 1)

    def set_back(session: Session) -> None:
        session.execute(update(TurnRow).values(counts_until=db_now() + 3600, lease_until=db_now() + 3600))
        session.execute(update(LimitRow).values(earliest=db_now() + 3600))

    database.write_sync(set_back)
    await book.take("erp", limit, 1)
    await asyncio.sleep(0.15)
    assert len((await book.take("erp", limit, 1)).turns) == 1


async def test_turns_that_are_over_leave_nothing_behind(database: Database, book: SqlLimits) -> None:
    limit = Limit(per_second=100, burst=50)
    taken = await book.take("erp", limit, 50)
    await book.take("erp", limit, 0, ended=[Ended(turn=turn, age=9.0, how="answered") for turn in taken.turns])
    await book.take("erp", limit, 0)
    left = database.read_sync(lambda session: session.exec(select(TurnRow).order_by(col(TurnRow.id))).all())
    assert left == []
