"""The inbox and the streams."""

import asyncio

import pytest
from sqlmodel import Session

from store.database import Database
from store.inbox import (
    RECEIVED,
    Inbox,
    add_delivery,
    mark_dead,
    mark_ignored,
    mark_parked,
    mark_routed,
    next_received,
    unpark,
)
from store.ledger import SqlLedger
from store.streams import Answer, Streams


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


@pytest.fixture
def streams(database: Database) -> Streams:
    return Streams(database)


async def fill(inbox: Inbox, database: Database, *, contract: str = "c", events: int = 3, start: int = 1) -> None:
    """Accept events and route every one of them to a contract."""
    for number in range(start, start + events):
        await inbox.accept("erp", f"{contract}-{number}", "invoice.overdue", "i", "{}")

    def route(session: Session) -> None:
        for row in next_received(session):
            assert row.id is not None
            mark_routed(session, row.id)
            add_delivery(session, row.id, contract, "overdue", {"event": row.event_id})

    await database.write(route)


async def test_an_event_is_accepted_once(inbox: Inbox) -> None:
    news = await asyncio.gather(*(inbox.accept("crm", "e1", "deal.won", "d1", str(n)) for n in range(8)))
    assert sorted(news) == [False] * 7 + [True]
    assert await inbox.accept("erp", "e1", "deal.won", "d1", "{}"), "the same id of another source is another event"
    assert await inbox.counts() == {"received": 2}


async def test_a_look_says_whether_anything_is_to_be_routed(inbox: Inbox, database: Database) -> None:
    assert not await database.any(RECEIVED)
    await inbox.accept("crm", "e1", "deal.won", "d1", "{}")
    assert await database.any(RECEIVED)
    await fill(inbox, database, events=1)
    assert not await database.any(RECEIVED)


async def test_a_dead_letter_can_be_mended_and_replayed(inbox: Inbox, database: Database) -> None:
    assert await inbox.accept("crm", "e1", "deal.won", "d1", "{", dead="not JSON")
    [dead] = await inbox.list(state="dead")
    assert (dead.reason, dead.payload) == ("not JSON", "{")
    assert await database.read(next_received) == []
    assert dead.id is not None
    assert await inbox.replay(dead.id, payload="{}")
    [mended] = await database.read(next_received)
    assert (mended.payload, mended.reason) == ("{}", "")
    assert not await inbox.replay(dead.id), "a received event is not replayed"


async def test_an_early_event_waits_for_its_alias_whoever_sent_it(inbox: Inbox, database: Database) -> None:
    for source, event in (("erp", "e1"), ("erp", "e2"), ("cs", "e3")):
        await inbox.accept(source, event, "t", "s", "{}")

    def park(session: Session) -> None:
        for row, wanted in zip(
            next_received(session), ("erp:subscription:1", "erp:subscription:2", "erp:subscription:1"), strict=True
        ):
            assert row.id is not None
            mark_parked(session, row.id, parked_for=wanted)

    await database.write(park)
    assert await inbox.counts() == {"parked": 3}
    assert await database.write(lambda session: unpark(session, "erp:subscription:1")) == 2
    assert [row.event_id for row in await database.read(next_received)] == ["e1", "e3"]


async def test_what_is_ignored_or_dead_is_not_offered_again(inbox: Inbox, database: Database) -> None:
    await inbox.accept("crm", "e1", "t", "s", "{}")
    await inbox.accept("crm", "e2", "t", "s", "{}")

    def judge(session: Session) -> None:
        first, second = (row.id or 0 for row in next_received(session))
        mark_ignored(session, first, "no contract of ours")
        mark_dead(session, second, "no such type")

    await database.write(judge)
    assert await database.read(next_received) == []
    assert {row.state: row.reason for row in await inbox.list()} == {
        "ignored": "no contract of ours",
        "dead": "no such type",
    }


async def test_one_dispatcher_holds_a_stream(inbox: Inbox, streams: Streams, database: Database) -> None:
    await fill(inbox, database)
    assert await streams.ready() == ["c"]
    fences = await asyncio.gather(*(streams.lease("c", f"dispatcher-{n}", 5) for n in range(6)))
    assert sorted(filter(None, fences)) == [1]
    assert await streams.ready() == []
    await streams.release("c", 1)
    assert await streams.ready() == ["c"]
    assert await streams.lease("c", "dispatcher-9", 5) == 2


async def test_events_are_numbered_in_inbox_order_without_gaps(
    inbox: Inbox, streams: Streams, database: Database
) -> None:
    await fill(inbox, database)
    fence = await streams.lease("c", "me", 5)
    assert fence is not None
    first = await streams.number("c", fence)
    assert [(row.seq, row.payload["event"]) for row in first] == [(1, "c-1"), (2, "c-2"), (3, "c-3")]
    await fill(inbox, database, start=4, events=1)
    assert [row.seq for row in await streams.number("c", fence)] == [1, 2, 3, 4], "the undelivered keep their numbers"
    answers = {1: Answer("delivered"), 2: Answer("recorded"), 3: Answer("refused", "unknown line")}
    assert await streams.finish("c", fence, answers)
    assert [row.seq for row in await streams.number("c", fence)] == [4]


async def test_an_overtaken_dispatcher_changes_nothing(inbox: Inbox, streams: Streams, database: Database) -> None:
    await fill(inbox, database)
    old = await streams.lease("c", "slow", 0.05)
    assert old is not None
    await streams.number("c", old)
    await asyncio.sleep(0.1)
    new = await streams.lease("c", "quick", 5)
    assert new == old + 1
    assert not await streams.renew("c", old, 5)
    assert await streams.number("c", old) == []
    assert not await streams.finish("c", old, {1: Answer("delivered")})
    assert [row.seq for row in await streams.number("c", new)] == [1, 2, 3]
    await streams.release("c", old)
    assert await streams.lease("c", "third", 5) is None


async def test_renewing_keeps_the_stream(streams: Streams) -> None:
    fence = await streams.lease("c", "me", 0.1)
    assert fence is not None
    assert await streams.renew("c", fence, 5)
    await asyncio.sleep(0.15)
    assert await streams.lease("c", "other", 5) is None


async def test_a_refused_delivery_that_is_mended_gets_a_new_number(
    inbox: Inbox, streams: Streams, database: Database
) -> None:
    await fill(inbox, database, events=2)
    fence = await streams.lease("c", "me", 5)
    assert fence is not None
    first, _ = await streams.number("c", fence)
    await streams.finish("c", fence, {1: Answer("refused", "bad line"), 2: Answer("delivered")})

    def again(session: Session) -> bool:
        return add_delivery(session, first.inbox_id, "c", "overdue", {"event": "mended"})

    assert await database.write(again)
    assert not await database.write(again), "it is pending already"
    [mended] = await streams.number("c", fence)
    assert (mended.seq, mended.payload, mended.answer) == (3, {"event": "mended"}, "")
    await streams.finish("c", fence, {3: Answer("delivered")})
    assert not await database.write(again), "what was delivered is never queued again"


async def test_after_a_restore_no_event_bears_a_number_that_a_lifecycle_may_have_heard(
    inbox: Inbox, streams: Streams, database: Database
) -> None:
    """The lifecycle answers "stale" to a number that it has seen: a new event under it would be lost."""
    await fill(inbox, database)
    fence = await streams.lease("c", "me", 60) or 0
    heard = [row.seq or 0 for row in await streams.number("c", fence)]
    await streams.finish("c", fence, {seq: Answer("delivered") for seq in heard[:1]})
    await SqlLedger(database).new_epoch()
    await fill(inbox, database, events=1, start=9)
    await fill(inbox, database, contract="forgotten", events=1)

    numbers = [row.seq or 0 for row in await streams.number("c", fence)]
    assert numbers[:2] == heard[1:], "what has its number keeps it: it is the same event"
    assert numbers[2] > 1000
    fence = await streams.lease("forgotten", "me", 60) or 0
    assert [(row.seq or 0) > 1000 for row in await streams.number("forgotten", fence)] == [True]
