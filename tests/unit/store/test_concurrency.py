"""Several processes' worth of connections at once: what was decided by one is seen by the next, on either database."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlmodel import Session, col, select

from domain.books import ViewRow
from domain.view import LifecycleView, Stage
from store.cases import Cases, open_case
from store.database import Database, take_turn
from store.inbox import Inbox, add_delivery, mark_parked, mark_routed, next_received
from store.ledger import SqlLedger
from store.orders import SqlOrders
from store.settings import set_setting, setting
from store.streams import Answer, Streams
from store.tables import CaseRow, DeliveryRow, InboxRow
from store.views import SqlViews
from tests.postgres import ON_POSTGRESQL

STREAMS, EVENTS = [f"crm/d{number}/1" for number in range(4)], 40


@pytest.fixture
def others(url: str) -> Iterator[list[Database]]:
    """Four connections' owners that know nothing of each other, as processes do."""
    opened = [Database(url, readers=2) for _ in range(4)]
    yield opened
    for each in opened:
        each.close()


def at_once(databases: list[Database], work: Callable[[Database, int], object]) -> list[object]:
    """The same work by each of them in its own thread, all setting out together; an error of any is raised."""
    start = threading.Barrier(len(databases))

    def run(database: Database, number: int) -> object:
        start.wait(10)
        return work(database, number)

    with ThreadPoolExecutor(len(databases)) as pool:
        return list(pool.map(run, databases, range(len(databases))))


def route_all(session: Session) -> int:
    """A router that needs no company: the subject is the contract."""
    rows = next_received(session, 7)
    for row in rows:
        add_delivery(session, row.id or 0, row.subject, "tell", {})
        mark_routed(session, row.id or 0)
    return len(rows)


async def fill(database: Database) -> None:
    for number in range(EVENTS):
        await Inbox(database).accept("crm", str(number), "t", STREAMS[number % len(STREAMS)], "{}")


async def deliveries(database: Database) -> list[DeliveryRow]:
    query = select(DeliveryRow).order_by(col(DeliveryRow.id))
    return list(await database.read(lambda session: session.exec(query).all()))


async def test_routers_at_once_keep_the_order_and_take_each_event_once(
    database: Database, others: list[Database]
) -> None:
    await fill(database)

    def work(mine: Database, _: int) -> int:
        routed = 0
        while moved := mine.write_sync(route_all):
            routed += moved
        return routed

    routed = await asyncio.to_thread(at_once, others, work)
    assert sum(int(str(each)) for each in routed) == EVENTS
    rows = await deliveries(database)
    assert [row.inbox_id for row in rows] == sorted(row.inbox_id for row in rows)
    assert len(rows) == EVENTS


async def test_a_stream_is_numbered_and_settled_by_one_holder_at_a_time(
    database: Database, others: list[Database]
) -> None:
    await fill(database)
    while await database.write(route_all):
        pass
    held: dict[str, int] = {}
    told: list[tuple[str, int]] = []

    async def deliver(mine: Database, owner: str) -> None:
        streams = Streams(mine)
        while waiting := await streams.ready():
            for stream in waiting:
                fence = await streams.lease(stream, owner, 30)
                if fence is None:
                    continue
                assert fence > held.get(stream, 0), "a fence that was given before"
                held[stream] = fence
                batch = await streams.number(stream, fence, 3)
                told.extend((stream, row.seq or 0) for row in batch)
                assert await streams.finish(stream, fence, {row.seq or 0: Answer("delivered") for row in batch})
                assert held[stream] == fence, "another had the stream meanwhile"
                await streams.release(stream, fence)

    await asyncio.gather(*(deliver(each, f"d{number}") for number, each in enumerate(others)))
    assert {row.state for row in await deliveries(database)} == {"delivered"}
    for stream in STREAMS:
        assert [seq for name, seq in told if name == stream] == list(range(1, EVENTS // len(STREAMS) + 1))


async def test_a_lease_that_ran_out_goes_to_just_one(database: Database, others: list[Database]) -> None:
    streams = Streams(database)
    old = await streams.lease("s", "dead", 0.0)
    got = await asyncio.gather(*(Streams(each).lease("s", "new", 30) for each in others for _ in range(4)))
    fences = [fence for fence in got if fence is not None]
    assert len(fences) == 1
    assert old is not None
    assert fences[0] > old
    assert not await streams.renew("s", old, 30)


async def test_a_key_is_claimed_by_just_one(database: Database, others: list[Database]) -> None:
    async def claim(mine: Database) -> str:
        given = await SqlLedger(mine).claim(
            "k", contract="c", operation="erp.create_order", arguments="h", lease=30, generation=1
        )
        return given.state

    answers = await asyncio.gather(*(claim(each) for each in others for _ in range(3)), return_exceptions=True)
    assert answers.count("send") == 1
    assert {type(each).__name__ for each in answers if not isinstance(each, str)} == {"Busy"}


async def test_the_newest_of_the_first_views_stands(database: Database, others: list[Database]) -> None:
    started = datetime(2028, 2, 29, tzinfo=UTC)
    stages = [Stage.ORDER_ACTIVATION, Stage.ONBOARDING, Stage.BILLING_ACTIVATION, Stage.SERVING]

    def row(number: int) -> ViewRow:
        view = LifecycleView(contract="c", stage=stages[number]).model_dump(mode="json")
        return ViewRow(contract="c", run_started=started, sequence=number + 1, view=view)

    def work(mine: Database, number: int) -> None:
        asyncio.run(SqlViews(mine).publish(row(number)))

    await asyncio.to_thread(at_once, others, work)
    view = await SqlViews(database).get("c")
    assert view is not None
    assert view.stage is stages[-1]


async def test_a_case_opened_by_several_is_one(database: Database, others: list[Database]) -> None:
    def work(mine: Database, number: int) -> None:
        mine.write_sync(lambda session: open_case(session, CaseRow(id="k", kind="dead", title=f"t{number}")))

    await asyncio.to_thread(at_once, others, work)
    [case] = await Cases(database).list()
    assert case.state == "open"


async def test_every_revision_of_an_order_is_kept(database: Database, others: list[Database]) -> None:
    added = await asyncio.gather(*(SqlOrders(each).add("c", {}, "ops") for each in others for _ in range(3)))
    assert sorted(added) == list(range(1, 13))


async def test_who_takes_a_turn_sees_what_the_one_before_has_left(database: Database, others: list[Database]) -> None:
    def count(session: Session) -> None:
        take_turn(session, "counting")
        set_setting(session, "n", str(int(setting(session, "n", "0")) + 1))

    def work(mine: Database, _: int) -> None:
        for _ in range(10):
            mine.write_sync(count)

    await asyncio.to_thread(at_once, others, work)
    assert await database.read(lambda session: setting(session, "n")) == "40"


@ON_POSTGRESQL
async def test_an_event_that_is_being_parked_is_not_missed_by_what_it_waits_for(
    database: Database, others: list[Database]
) -> None:
    """The alias comes after the router has looked for it in vain, and before it has parked the event."""
    router, ledger = others[0], SqlLedger(database)
    claim = await ledger.claim(
        "k", contract="c", operation="erp.create_subscription", arguments="h", lease=30, generation=1
    )
    await ledger.mark_sent("k", fence=claim.fence, deadline=1)
    await Inbox(database).accept("erp", "1", "t", "s", "{}")
    looked, go_on = threading.Event(), threading.Event()

    def park(session: Session) -> None:
        [row] = next_received(session)
        looked.set()
        go_on.wait(10)
        mark_parked(session, row.id or 0, parked_for="erp:subscription:s1")

    routing = asyncio.create_task(router.write(park))
    await asyncio.to_thread(looked.wait, 10)
    made = asyncio.create_task(ledger.done("k", fence=claim.fence, result={"id": "s1"}))
    await asyncio.sleep(0.2)
    assert not made.done()
    go_on.set()
    await asyncio.gather(routing, made)
    states = select(InboxRow.state)
    assert await database.read(lambda session: session.exec(states).all()) == ["received"]
