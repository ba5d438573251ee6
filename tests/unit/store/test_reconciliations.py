"""Runs of reconciliation: begun once, seen to go on, ended; and broken off, also where nobody could say so."""

import asyncio
from datetime import timedelta

import pytest

from domain.errors import SourceUnavailable
from store.database import Database
from store.difference_tables import ReconciliationRow
from store.reconciliations import QUIET, Reconciliations
from store.tables import utc_now


async def newest(database: Database) -> tuple[str, str]:
    [run] = await Reconciliations(database).list(limit=1)
    return run.state, run.problem


async def test_only_one_begins_what_is_due(database: Database) -> None:
    runs, hour = Reconciliations(database), timedelta(hours=1)
    begun = await asyncio.gather(*(runs.begin_if_due(hour) for _ in range(4)))
    assert len([each for each in begun if each is not None]) == 1
    assert await runs.begin_if_due(timedelta(0)) is not None
    assert await runs.last() is None
    done = await runs.end(next(each for each in begun if each), contracts=3, sources=[])
    assert (done.state, await runs.last()) == ("ended", done)


async def test_a_run_whose_process_died_is_seen_as_broken_off(database: Database) -> None:
    runs = Reconciliations(database)
    number = await runs.begin()
    assert await newest(database) == ("under_way", "")

    def long_ago(session: object) -> None:
        row = session.get_one(ReconciliationRow, number)  # type: ignore[attr-defined]
        row.started_at = utc_now() - timedelta(hours=5)
        row.alive_at = utc_now() - QUIET * 2

    await database.write(long_ago)
    state, problem = await newest(database)
    assert (state, problem.partition(":")[0]) == ("broken_off", "its process has died")
    async with runs.alive(number):  # it was only slow
        pass
    assert (await runs.end(number, sources=[])).state == "ended"
    assert await newest(database) == ("ended", "")


async def test_a_run_says_that_it_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.reconciliations.BEAT", timedelta(milliseconds=1))
    number = await Reconciliations(database).begin()

    def alive(session: object) -> bool:
        return session.get_one(ReconciliationRow, number).alive_at is not None  # type: ignore[attr-defined]

    async with Reconciliations(database).alive(number):
        while not await database.read(alive):
            pass


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (SourceUnavailable("the store is away"), "the store is away"),
        (ZeroDivisionError(), "an error of ours (ZeroDivisionError); the log says where"),
        (asyncio.CancelledError(), "it was stopped"),
    ],
)
async def test_what_breaks_a_run_off_is_kept(database: Database, error: BaseException, problem: str) -> None:
    runs = Reconciliations(database)
    with pytest.raises(type(error)):
        async with runs.alive(await runs.begin()):
            raise error
    assert await newest(database) == ("broken_off", problem)
    assert await runs.last() is None
