"""A merge whose process is killed at each of its writes, within and after it, and run again. Counted outside."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from store.moves import running_move
from tests.dispatch import Post
from tests.house import House
from tests.workflow.lives import counts, records, rests
from tests.workflow.test_accounts import acc, active, another

ROOT = Path(__file__).parents[2]
CHILD = ROOT / "tests" / "fault" / "merge_child.py"


async def child(house: House, what: str, where: str, at: int) -> int:
    """The process's exit code; it dies at its write number `at`, if it gets so far."""
    address = house.client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), house.database.url, address, what),
        *(acc(house, "one"), acc(house, "two"), where, str(at)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return await process.wait()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("where", ["within", "after"])
async def test_killed_at_each_write_there_and_back_nothing_is_made_twice_and_all_ends(house: House, where: str) -> None:
    post = Post(house)
    first, second = await active(post, "one"), await active(post, "two")
    before = [(await life.view()).effects for life in (first, second)]
    for what, account in (("merge", acc(house, "two")), ("undo", acc(house, "one"))):
        deaths = 0
        # each begins in the state in which the one before it has died, until one comes to the end
        while (code := await child(house, what, where, deaths + 1)) == -signal.SIGKILL:
            deaths += 1
        # the last write of an undo may be the one that it died after: then there is nothing left to undo
        assert (code == 0 or what == "undo", deaths >= 2) == (True, True)
        assert await house.database.read(lambda session: running_move(session, acc(house, "one"))) is None
        assert (await first.view()).account == account
    assert [(await life.view()).effects for life in (first, second)] == before
    third = await another(post, "three", acc(house, "one"))
    await third.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert (await third.view()).account == acc(house, "one")
    subscriptions = await records(house, "erp", "subscriptions")
    assert len({each["contract"] for each in subscriptions}) == len(subscriptions) == 3
    assert (await counts(house, "erp"))["customers"] == 2
    assert (await counts(house, "cs"))["companies"] == 2
