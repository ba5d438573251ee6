"""Two live Trytons side by side, each with a database of its own: the US entity's orders go to one, the German one's to
the other, and what happens to one is nothing to the other."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client

from domain import keys
from domain.messages import MilestoneReached, RetryStep
from domain.routes import Route
from domain.view import LifecycleView
from tests.house import House, Life, open_house
from tests.live.test_tryton_journey import PATIENCE, an_order, live, parties, subscriptions
from tests.live.tryton import TrytonServer
from tests.live.worlds.tryton import TrytonWorld, tryton_world
from tests.workflow.lives import clock, done, rests
from workflows.lifecycle import CustomerLifecycle

US, EU = "tryton-us", "tryton-eu"
ORDERS = {US: "salesforce_new_us", EU: "salesforce_new_hooli"}
ROUTES = (
    Route(kind="erp", connection=US, selling_entities=("ACME-US",)),
    Route(kind="erp", connection=EU, selling_entities=("ACME-DE",)),
)


@dataclass(frozen=True)
class Two:
    house: House
    worlds: Mapping[str, TrytonWorld]

    def other(self, name: str) -> TrytonWorld:
        return self.worlds[EU if name == US else US]


@pytest.fixture
async def two(temporal: Client, tmp_path: Path, tryton_server: TrytonServer) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        worlds = {
            name: await stack.enter_async_context(tryton_world(stack.enter_context(tryton_server.fresh())))
            for name in (US, EU)
        }
        ports = {name: world.port for name, world in worlds.items()}
        opened = open_house(temporal, tmp_path, erps=(US, EU), routes=ROUTES, instead=ports)
        yield Two(await stack.enter_async_context(opened), worlds)


def activated(view: LifecycleView) -> bool:
    return done(view, "onboarding") and done(view, "billing-start") and rests(view)


async def test_each_order_is_once_in_its_own_though_both_lose_every_answer(two: Two) -> None:
    for world in two.worlds.values():
        world.proxy.lose_every_answer = True
    records = {name: an_order(two.house, payload) for name, payload in ORDERS.items()}
    lives: dict[str, Life] = {name: await two.house.start(record) for name, record in records.items()}
    for name, life in lives.items():
        await life.until(activated, PATIENCE)
        await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
        view = await life.until(live, PATIENCE)
        account = records[name]["Account"]["Name"]
        assert view.connections["erp"] == name
        assert (parties(two.worlds[name], account), subscriptions(two.worlds[name], life)) == (1, 1)
        assert (parties(two.other(name), account), subscriptions(two.other(name), life)) == (0, 0)


async def test_with_one_away_the_other_goes_on_and_what_waited_is_done_once(two: Two) -> None:
    await two.worlds[US].disturb("*", "down")
    waiting = await two.house.start(record := an_order(two.house, ORDERS[US]))
    served = await two.house.start(an_order(two.house, ORDERS[EU]))
    await served.until(activated, PATIENCE)
    view = await waiting.until(lambda view: view.cases, PATIENCE)
    [case] = view.cases
    assert (case.kind, case.connection) == ("source_unavailable", US)
    assert case.id.startswith(keys.customer(record["AccountId"], "ACME-US"))
    await two.worlds[US].heal()
    await waiting.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))
    await waiting.until(activated, PATIENCE)
    assert subscriptions(two.worlds[US], waiting) == subscriptions(two.worlds[EU], served) == 1
    assert parties(two.worlds[US], record["Account"]["Name"]) == 1
