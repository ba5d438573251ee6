"""A dispatcher that reads hints back: from a thin event to a lifecycle, and to an orderly end."""

import asyncio
from datetime import datetime
from functools import partial

from adapters.crm.sandbox import SandboxCrm
from domain.ports import ChangedDeals, CrmReader, DealRecord
from starter.dispatcher import Dispatcher
from starter.hints import Hints
from starter.routing import Router
from store.database import insert_once
from store.tables import InboxRow
from tests.dispatch import CRM, Post
from tests.house import House
from tests.intake import deal


class Silent:
    """A CRM that never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def read_deal(self, deal: str) -> DealRecord:
        self.asked.set()
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits that long")

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        return ChangedDeals(deals=())


def dispatcher(post: Post, reader: CrmReader) -> Dispatcher:
    house = post.house
    router = Router(house.company, house.mapping, CRM)
    hints = Hints(house.database, {CRM: reader})
    return Dispatcher(house.database, post.deliverer(), router, house.company, poll=0.02, hints=hints)


async def ring(house: House, number: str) -> None:
    row = InboxRow(source=CRM, event_id=number, type="hint.deal", subject=number, payload="{}", state="hint")
    await house.database.write(partial(insert_once, row=row, keys=("source", "event_id")))


async def test_a_hint_at_a_won_deal_starts_its_lifecycle(house: House) -> None:
    reader = house.systems["crm"].port
    assert isinstance(reader, SandboxCrm)
    post, stop = Post(house), asyncio.Event()
    await house.http.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
    record = deal(Id="1", AccountId="acc-1")["record"]
    (await house.http.post("/crm/opportunities", json=record)).raise_for_status()
    running = asyncio.create_task(dispatcher(post, reader).run(stop))
    await ring(house, "1")
    async with asyncio.timeout(20):
        while not await post.lifecycles.get(f"{CRM}/1/1"):  # noqa: ASYNC110 - another process would tell nobody
            await asyncio.sleep(0.05)
    life = await post.life("1")
    await life.until(lambda view: "onboarding" in str(view.effects))
    stop.set()
    await running


async def test_a_crm_that_never_answers_does_not_hold_up_the_end(house: House) -> None:
    silent, stop = Silent(), asyncio.Event()
    running = asyncio.create_task(dispatcher(Post(house), silent).run(stop))
    await ring(house, "1")
    await asyncio.wait_for(silent.asked.wait(), 10)
    stop.set()
    await asyncio.wait_for(running, 10)
