"""Two dispatchers route the same inbox at the same time, on either database."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlmodel import col, select

from store.tables import InboxRow, LifecycleRow
from tests.intake import ACCOUNT, Desk, deal, open_desk


@pytest.fixture
def desk(either_url: str) -> Iterator[Desk]:
    with open_desk(either_url) as desk:
        yield desk


@pytest.fixture
def other(desk: Desk) -> Iterator[Desk]:
    """The same store from another process's connections."""
    with open_desk(desk.database.url) as other:
        yield other


async def test_two_deals_of_one_account_start_one_lifecycle(desk: Desk, other: Desk) -> None:
    for number in range(6):
        await desk.receive("deal.closed_won", deal(Id=f"deal-{number}"))
        await asyncio.gather(desk.route(), other.route())
    lives = await desk.database.read(lambda session: session.exec(select(LifecycleRow)).all())
    assert [(life.account, life.deal) for life in lives] == [(ACCOUNT, "deal-0")]


async def test_events_of_many_contracts_keep_their_order(desk: Desk, other: Desk) -> None:
    for number in range(4):
        await desk.receive("deal.closed_won", deal(Id=f"d{number}", AccountId=f"a{number}"))
    for day in range(1, 16):
        for number in range(4):
            milestone = {"contract": f"crm/d{number}/1", "milestone": "go-live", "completed_on": f"2028-03-{day:02}"}
            await desk.receive("milestone.completed", milestone)

    async def route(mine: Desk) -> int:
        routed = 0
        while moved := await mine.database.write(lambda session: mine.router.route(session, 5)):
            routed += moved
        return routed

    assert sum(await asyncio.gather(route(desk), route(other))) == 64
    states = select(InboxRow.state).order_by(col(InboxRow.id))
    assert set(await desk.database.read(lambda session: session.exec(states).all())) == {"routed"}
    queued = await desk.deliveries()
    for number in range(4):
        days = [payload["on"] for stream, kind, payload in queued if stream == f"crm/d{number}/1" and kind == "tell"]
        assert days == sorted(days)
        assert len(days) == 15
