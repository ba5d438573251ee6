"""Processes that die or freeze at every boundary of the protocol; counted at the vendor afterwards."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from domain.effects import Guarantee
from domain.errors import InDoubt
from domain.ports import Ref
from store.cases import Cases
from store.database import Database
from store.ledger import SqlLedger

KEY, LOOKUP, NONE = Guarantee.KEY, Guarantee.LOOKUP, Guarantee.NONE

Vendors = Callable[[Guarantee], Any]
Start = Callable[..., Any]
Retry = Callable[[Any], Any]


@pytest.mark.parametrize("guarantee", [KEY, LOOKUP])
async def test_killed_at_every_boundary_it_happens_once(
    guarantee: Guarantee,
    vendor: Vendors,
    call: Any,
    start_child: Start,
    retry: Retry,
    ledger: SqlLedger,
    boundaries: tuple[str, ...],
) -> None:
    outside = vendor(guarantee)
    child = start_child(outside, *({"key": place, "at": place, "how": "exit"} for place in boundaries))
    assert await child.result() == ["killed"] * len(boundaries)
    await asyncio.gather(*(retry(call(outside, place).effect()) for place in boundaries))
    assert {place: outside.commits(place) for place in boundaries} == dict.fromkeys(boundaries, 1)
    assert {row.state for row in await ledger.rows("crm/d1/1")} == {"DONE"}


async def test_killed_at_every_boundary_it_happens_at_most_once_and_a_doubt_is_told(
    vendor: Vendors, call: Any, start_child: Start, retry: Retry, boundaries: tuple[str, ...]
) -> None:
    outside = vendor(NONE)
    child = start_child(outside, *({"key": place, "at": place, "how": "exit"} for place in boundaries))
    await child.result()
    efforts = (retry(call(outside, place).effect()) for place in boundaries)
    results = await asyncio.gather(*efforts, return_exceptions=True)
    doubted = {place for place, result in zip(boundaries, results, strict=True) if isinstance(result, InDoubt)}
    assert doubted == {"sent", "before commit", "after commit", "answered"}
    commits = {place: outside.commits(place) for place in boundaries}
    assert commits == {place: 0 if place in ("sent", "before commit") else 1 for place in boundaries}


async def freeze(start_child: Start, outside: Any, *places: str) -> Any:
    """A child whose forks have frozen, each at its boundary; the boundary's name is also the key."""
    child = start_child(outside, *({"key": place, "at": place, "how": "stop"} for place in places))
    assert await child.frozen() == len(places)
    return child


async def test_zombies_with_a_key_do_no_harm(
    vendor: Vendors, call: Any, start_child: Start, retry: Retry, ledger: SqlLedger, database: Database
) -> None:
    places = ("claimed", "sent", "before commit", "after commit", "answered")
    outside = vendor(KEY)
    zombies = await freeze(start_child, outside, *places)
    taken = await asyncio.gather(*(retry(call(outside, place).effect()) for place in places))
    woken = dict(zip(places, await zombies.result(), strict=True))
    assert [outside.commits(place) for place in places] == [1] * len(places)
    assert {row.state for row in await ledger.rows("crm/d1/1")} == {"DONE"}
    assert await Cases(database).list() == []
    # One that had not called yet is told that it is too late; one that had brings the same record, if in time.
    assert (woken["claimed"], woken["sent"], woken["answered"]) == ("BUSY", "SOURCE_UNAVAILABLE", taken[-1].id)
    for place, answer in list(zip(places, taken, strict=True))[2:4]:
        assert woken[place] in (answer.id, "OUTCOME_UNKNOWN")


async def test_zombies_with_a_look_up_do_no_harm(
    vendor: Vendors, call: Any, start_child: Start, retry: Retry, database: Database
) -> None:
    places = ("claimed", "sent", "after commit", "answered")
    outside = vendor(LOOKUP)
    zombies = await freeze(start_child, outside, *places)
    takers = [call(outside, place) for place in places]
    await asyncio.gather(*(retry(taker.effect()) for taker in takers))
    assert [taker.calls for taker in takers] == [1, 1, 0, 0]
    await zombies.result()
    assert [outside.commits(place) for place in places] == [1] * len(places)
    assert await Cases(database).list() == []


async def test_a_zombie_that_froze_inside_its_call_is_noticed(
    vendor: Vendors, call: Any, start_child: Start, retry: Retry, database: Database, ledger: SqlLedger
) -> None:
    """The one gap that LOOKUP declares: the request leaves the process after the look-up. It ends as a case."""
    outside = vendor(LOOKUP)
    zombie = await freeze(start_child, outside, "before commit")
    assert await retry(call(outside, "before commit").effect()) == Ref(id="r1")
    assert await zombie.result() == ["r1"], "the first record stored is the one that everybody uses"
    assert outside.commits("before commit") == 2
    [case] = await Cases(database).list()
    assert case.id == "duplicate:before commit"
    [row] = await ledger.rows("crm/d1/1")
    assert (row.result, row.duplicate) == ({"id": "r1"}, {"id": "r2"})


async def test_zombies_with_neither_key_nor_look_up(
    vendor: Vendors, call: Any, start_child: Start, retry: Retry, database: Database
) -> None:
    outside = vendor(NONE)
    zombies = await freeze(start_child, outside, "answered", "after commit")
    for place in ("answered", "after commit"):
        with pytest.raises(InDoubt):
            await retry(call(outside, place).effect())
    again = await retry(call(outside, "after commit").effect(generation=2))
    woken = await zombies.result()
    # Nobody sent the first one again, so its late success is simply believed.
    assert await retry(call(outside, "answered").effect()) == Ref(id=woken[0])
    assert outside.commits("answered") == 1
    # The second one was sent again on a person's word: a duplicate, which is counted.
    assert woken[1] == again.id
    assert outside.commits("after commit") == 2
    assert [case.id for case in await Cases(database).list()] == ["duplicate:after commit"]
