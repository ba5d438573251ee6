"""A connection with a limit, and many orders at once: counted at its door, nothing is a case, nobody else waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from domain.limits import Limit
from domain.messages import AmendmentWon, CollectionsChanged
from store.limits import give_limit
from tests.doors import most_in_a_second
from tests.house import House, Life, open_house
from tests.workflow.lives import HOOLI, calls, clock, counts, done, events, eventually, health, rests, serving

ORDERS, PER_SECOND = 16, 8  # fewer a second than there would be without a limit, even on a busy machine


@pytest.fixture
async def limited(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(temporal, tmp_path, limited={"erp": Limit(per_second=PER_SECOND)}) as house:
        yield house


async def order(house: House, number: int) -> Life:
    record = house.payload(HOOLI)
    account = record["Account"] | {"Id": f"acc-{number}"}
    return await house.start(record | {"Id": f"006L{number:04d}", "AccountId": f"acc-{number}", "Account": account})


async def arrivals(house: House, system: str) -> list[float]:
    return [datetime.fromisoformat(call["received_at"]).timestamp() for call in await calls(house, system)]


async def all_activated(lives: Sequence[Life]) -> None:
    def active(view: Any) -> bool:
        return bool(done(view, "onboarding") and done(view, "billing-start") and rests(view))

    await asyncio.gather(*(life.until(active, 120) for life in lives))


async def test_a_rush_of_orders_stays_within_the_erps_limit_and_opens_no_case(limited: House) -> None:
    house = limited
    # the ERP itself turns away what is beyond the limit
    (await house.http.post("/admin/limits", json={"system": "erp", "per_second": PER_SECOND})).raise_for_status()
    lives = await asyncio.gather(*(order(house, number) for number in range(ORDERS)))
    await all_activated(lives)
    at_the_erp = await arrivals(house, "erp")
    assert len(at_the_erp) >= 5 * ORDERS
    assert most_in_a_second(at_the_erp) <= PER_SECOND
    assert {call["status"] for call in await calls(house, "erp")} <= {200, 201}
    in_erp = await counts(house, "erp")
    assert (in_erp["subscriptions"], in_erp["activations"]) == (ORDERS, ORDERS)
    # nobody had to try again for the limit's sake: each step took one attempt
    for life in lives:
        view = await life.view()
        assert not view.cases
        seen = await events(life)
        assert seen["ACTIVITY_TASK_FAILED"] == seen["ACTIVITY_TASK_TIMED_OUT"] == 0


async def test_a_limit_lowered_while_orders_wait_is_kept_at_once(limited: House) -> None:
    house = limited
    lives = await asyncio.gather(*(order(house, number) for number in range(4)))
    await asyncio.sleep(0.3)
    await house.database.write(lambda session: give_limit(session, "erp", {"per_second": 4}))
    lowered = time.time()
    await all_activated(lives)
    later = [at for at in await arrivals(house, "erp") if at > lowered + 1]
    assert later
    assert most_in_a_second(later) <= 4


async def test_an_erp_that_says_when_to_come_back_is_left_alone_by_all_of_its_work(house: House) -> None:
    await house.fault(system="erp", operation="create_customer", kind="rate_limit", times=1, retry_after="3")
    lives = await asyncio.gather(*(order(house, number) for number in range(3)))
    await all_activated(lives)
    asked = await calls(house, "erp")
    refused = [n for n, call in enumerate(asked) if call["status"] == 429]
    assert len(refused) == 1
    at = await arrivals(house, "erp")
    [said] = [at[n] for n in refused]
    # what was on its way already may have come in; then there is silence
    assert not [each for each in at if said + 0.3 < each < said + 2.9]


async def test_a_worker_stops_at_once_though_activities_wait_for_their_turn(temporal: Client, tmp_path: Path) -> None:
    async with open_house(temporal, tmp_path, limited={"erp": Limit(per_second=0.02)}) as house:
        for number in range(3):
            await order(house, number)

        async def others_wait() -> bool:
            return len(await calls(house, "erp")) == 1

        await eventually(others_wait)
        began = time.monotonic()
    assert time.monotonic() - began < 40  # a turn comes every 50 s


async def test_while_the_erps_work_waits_for_its_limit_cs_hears_of_risk_at_once(limited: House) -> None:
    house = limited
    life = await serving(house)
    await house.database.write(lambda session: give_limit(session, "erp", {"per_second": 0.02}))
    before = len(await calls(house, "erp"))
    others = await asyncio.gather(*(order(house, number) for number in range(3)))
    await life.tell(AmendmentWon(deal="UP-1", mode="target", changes={"PLATFORM": Decimal(60)}))
    began = time.monotonic()
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await health(house, risk="medium")
    assert time.monotonic() - began < 40
    # of the four that want something of the ERP, three at least wait for it, and that is nobody's case
    assert len(await calls(house, "erp")) - before <= 2
    views = [await each.view() for each in (life, *others)]
    assert sum(bool(view.pending) for view in views) >= 3
    assert not any(view.cases for view in views)
