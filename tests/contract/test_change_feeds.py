"""The change feeds pass their kit, and the sandbox's that of every reading operation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from adapters.feeds.sandbox import SandboxFeed
from domain.errors import NotFound
from domain.events import read_event
from sandbox.app import create_app
from sandbox.feeds import SYSTEMS
from tests.kits.box import BoxClient
from tests.kits.contracts import feed_contract
from tests.kits.feed import FeedContract, fill, read_to_end
from tests.kits.outbox import OutboxWorld
from tests.kits.reads import Read, ReadContract
from tests.kits.sandbox import SandboxWorld, client


class SandboxFeedWorld(SandboxWorld[SandboxFeed]):
    """Reports of usage, told by the usage meter's feed."""

    def again(self) -> SandboxFeed:
        return self.port

    async def happen(self, *facts: str) -> list[str]:
        told = []
        for fact in facts:
            report = {"active": 1, "entitled": 2}
            (await self.http.put(f"/usage/accounts/{fact}", json=report)).raise_for_status()
            told.append((await self.http.get("/admin/webhooks")).json()[-1]["id"])
        return told

    async def forget(self, keep: int) -> None:
        (await self.http.post("/admin/retention", json={"system": "usage", "keep": keep})).raise_for_status()


def usage_feed(http: httpx.AsyncClient) -> SandboxFeed:
    return SandboxFeed(http, "usage")


class TestSandboxFeed(FeedContract, ReadContract):
    reads = ("changes", "head", "back_fill")

    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxFeedWorld]:
        app = create_app(":memory:")
        world = SandboxFeedWorld("usage", usage_feed, app)
        yield world
        await world.close()
        await app.state.box.close()

    async def read(self, world: SandboxFeedWorld, reading: str) -> Read:
        await world.happen("a")
        cursor = await world.port.head()
        return {
            "changes": lambda port: port.changes(cursor, 10),
            "head": lambda port: port.head(),
            "back_fill": lambda port: port.back_fill(None, "", 10),
        }[reading]

    async def test_an_emptied_box_is_another_one(self, world: SandboxFeedWorld) -> None:
        [before] = await world.happen("a")
        await world.http.post("/admin/reset")
        [after] = await world.happen("a")
        assert before != after


@asynccontextmanager
async def outbox(outbox_url: str) -> AsyncIterator[OutboxWorld]:
    yield OutboxWorld(outbox_url)


TestPostgresOutbox = feed_contract(outbox)


async def test_each_system_of_the_box_tells_the_same_facts_in_feed_and_back_fill() -> None:
    app = create_app(":memory:")
    async with client(app) as http:
        box = BoxClient(http)
        feeds = {system: SandboxFeed(client(app, f"/{system}"), system) for system in SYSTEMS}
        starts = {system: await feed.head() for system, feed in feeds.items()}
        await live(box)
        for system, feed in feeds.items():
            told = [event for page in await read_to_end(feed, starts[system]) for event in page.events]
            last = {event["subject"]: event for event in told}
            snapshots = {event["subject"]: event for page in await fill(feed) for event in page.events}
            assert {event["id"] for event in snapshots.values()} == {event["id"] for event in last.values()}, system
            assert told, system
            for subject, event in snapshots.items():
                read_event(event)
                assert _said(event) == _said(last[subject])
    await app.state.box.close()


def _said(event: dict[str, Any]) -> tuple[str, Any]:
    """An unpaid invoice is overdue or not by its due date, whatever it was last told as."""
    return event["type"].replace("invoice.overdue", "invoice.posted"), event["data"]


async def live(box: BoxClient) -> None:
    """Something happens in every system, more than once where it can."""
    deal = {"AccountId": "001A", "Name": "Hooli", "CloseDate": "2026-11-20", "Account": {"Name": "Hooli GmbH"}}
    won = await box.do("POST", "/crm/opportunities", {**deal, "StageName": "Closed Won"})
    await box.do("PATCH", f"/crm/opportunities/{won['Id']}", {"StageName": "Negotiation"})
    await box.do("PATCH", f"/crm/opportunities/{won['Id']}", {"StageName": "Closed Won"})
    lost = await box.do("POST", "/crm/opportunities", {**deal, "StageName": "Closed Lost"})
    await box.do("POST", "/crm/opportunities", {**deal, "StageName": "Prospecting"})
    assert won["Id"] != lost["Id"]
    made = await box.subscription()
    await box.do("POST", "/admin/clock", {"now": "2027-01-10T12:00:00Z"})
    invoice = {"customer": made["customer"], "subscription": made["id"], "amount": "100.50", "due_on": "2027-01-09"}
    late, paid = [await box.do("POST", "/erp/invoices", invoice) for _ in range(2)]
    await box.do("POST", f"/erp/invoices/{late['id']}/remind")
    await box.do("POST", f"/erp/invoices/{paid['id']}/pay")
    company = await box.do("POST", "/cs/companies", {"external_id": "001A", "name": "Hooli GmbH"})
    plan = {"company": company["id"], "contract": "crm/1/1", "template": "standard", "starts": "2026-12-01"}
    tasks = [
        {"name": "Kick-off"},
        {"name": "Go live", "milestone": "go-live"},
        {"name": "Train", "milestone": "trained"},
    ]
    await box.do("POST", "/cs/plans", {**plan, "tasks": tasks})
    for task in (await box.do("GET", f"/cs/companies/{company['id']}/tasks"))["tasks"][:2]:
        await box.do("POST", f"/cs/tasks/{task['id']}/complete", {"completed_on": "2027-01-04"})
    cases = [await box.do("POST", "/support/cases", {"account": "001A", "severity": 2}) for _ in range(2)]
    await box.do("POST", f"/support/cases/{cases[0]['id']}/close")
    for active in (40, 45):
        await box.do("PUT", "/usage/accounts/001A", {"active": active, "entitled": 50, "as_of": "2027-01-05"})


async def test_a_wrong_address_is_not_a_gap() -> None:
    """404 is no 410: a misconfigured feed must not be filled for ever."""
    app = create_app(":memory:")
    async with client(app, "/nowhere") as http:
        with pytest.raises(NotFound):
            await SandboxFeed(http, "usage").changes("x", 1)
    await app.state.box.close()
