"""Two ERPs side by side: orders of the US entity go to one, those of the German one to the other, and what happens to
one of them is nothing to the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from domain.document import apply_fixes
from domain.messages import CollectionsChanged, FixOrder, RetryStep
from domain.routes import Route
from domain.view import LifecycleView
from starter.thawing import Thawing
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from store.tables import LifecycleRow
from tests.dispatch import Post
from tests.house import House, Life, open_house
from tests.intake import Desk
from tests.workflow.lives import HOOLI, clock, done, eventually, go_live, health, rests
from workflows.lifecycle import CustomerLifecycle

US, EU = "erp-us", "erp-eu"
HOOLI_US = "salesforce_new_us"
ROUTES = (
    Route(kind="erp", connection=US, selling_entities=("ACME-US",), regions=("US",)),
    Route(kind="erp", connection=EU, selling_entities=("ACME-DE",)),
)


@pytest.fixture
async def two(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(temporal, tmp_path, erps=(US, EU), routes=ROUTES) as opened:
        yield opened


def activated(view: LifecycleView) -> bool:
    return done(view, "onboarding") and done(view, "billing-start") and rests(view)


async def held(house: House, erp: str, kind: str) -> list[dict[str, Any]]:
    """What one of the ERPs holds."""
    records: dict[str, Any] = (await house.boxes[erp].get("/admin/state")).json()["records"].get("erp", {})
    found: list[dict[str, Any]] = records.get(kind, [])
    return found


async def stop(house: House, erp: str) -> None:
    fault = {"system": "erp", "kind": "down", "retry_after": "1"}
    (await house.boxes[erp].post("/admin/faults", json=fault)).raise_for_status()


async def mend(house: House, erp: str) -> None:
    (await house.boxes[erp].delete("/admin/faults")).raise_for_status()


async def correct(life: Life, **fixes: Any) -> None:
    revisions = await life.orders.revisions(life.contract)
    revision = await life.orders.add(life.contract, apply_fixes(revisions[-1].document, fixes), "ops")
    await life.handle.execute_update(CustomerLifecycle.fix_order, FixOrder(revision=revision, by="ops"))


async def aliases(life: Life) -> set[tuple[str, str, str]]:
    rows = await Lifecycles(life.house.database).aliases(life.contract)
    return {(row.system, row.kind, row.foreign_id) for row in rows}


async def test_each_order_is_served_by_its_own_erp_and_the_same_ids_in_both_are_two_customers(two: House) -> None:
    lives = {US: await two.start(two.payload(HOOLI_US)), EU: await two.start(two.payload(HOOLI))}
    for erp, life in lives.items():
        view = await life.until(activated)
        assert view.connections == {"erp": erp, "cs": "cs", "support": "support", "usage": "usage"}
        [customer] = await held(two, erp, "customers")
        [subscription] = await held(two, erp, "subscriptions")
        assert (subscription["contract"], subscription["customer"]) == (life.contract, customer["id"])
        assert {("customer", customer["id"]), ("subscription", subscription["id"])} == {
            (kind, id) for system, kind, id in await aliases(life) if system == erp
        }
        operations = {row.operation for row in await SqlLedger(two.database).rows(life.contract)}
        assert {each for each in operations if each.startswith("erp")} == {
            f"{erp}.{method}"
            for method in ("create_customer", "create_subscription", "activate_order", "start_billing")
        }
    assert len({(await held(two, erp, "customers"))[0]["id"] for erp in lives}) == 1, "the same id, in two systems"


async def test_with_one_erp_stopped_the_other_s_work_and_cs_go_on(two: House) -> None:
    lives = {US: await two.start(two.payload(HOOLI_US)), EU: await two.start(two.payload(HOOLI))}
    for life in lives.values():
        await life.until(activated)
    await stop(two, US)
    await go_live(lives[EU])
    await lives[US].tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(lives[US])).date()))
    company = (await lives[US].view()).effects

    async def cs_heard() -> bool:
        rows = (await two.box())["records"]["cs"]["health"]
        return any(row["risk"] == "medium" and row["company"] in company.values() for row in rows)

    await eventually(cs_heard)
    new = await two.start({**two.payload(HOOLI_US), "Id": "006-late", "AccountId": "acc-late"})
    await new.until(lambda view: view.cases, 40)
    assert await held(two, US, "customers") == [(await held(two, US, "customers"))[0]]
    await mend(two, US)
    [case] = (await new.view()).cases
    assert (case.kind, case.connection) == ("source_unavailable", US)
    await new.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))
    await new.until(activated)
    assert len(await held(two, US, "customers")) == 2


async def test_an_order_that_no_route_fits_waits_as_a_case_until_it_is_corrected(two: House) -> None:
    life = await two.start(two.payload(HOOLI_US), **{"ship_to.address.country": "CA", "ship_to.tax_id": "123456782"})
    view = await life.until(lambda view: view.cases)
    [case] = view.cases
    assert (case.id, case.kind) == ("order", "invalid_order")
    assert any("No route leads orders of ACME-US to CA to a connection of kind erp" in why for why in case.reasons)
    await correct(life, **{"ship_to.address.country": "US"})
    view = await life.until(activated)
    assert view.connections["erp"] == US


async def test_a_correction_sends_an_order_elsewhere_only_while_no_erp_has_its_customer(two: House) -> None:
    await stop(two, EU)
    life = await two.start(two.payload(HOOLI))
    view = await life.until(lambda view: view.cases, 40)
    assert view.connections["erp"] == EU
    us = {"selling_entity": "ACME-US", "currency": "USD", **us_address()}
    await correct(life, **us)
    view = await life.until(activated)
    assert view.connections["erp"] == US
    assert (await held(two, EU, "customers"), len(await held(two, US, "customers"))) == ([], 1)


async def test_an_order_whose_customer_exists_stays_and_says_why(two: House) -> None:
    fault = {"system": "erp", "operation": "create_subscription", "kind": "refuse", "reason": "no such product"}
    (await two.boxes[EU].post("/admin/faults", json=fault)).raise_for_status()
    life = await two.start(two.payload(HOOLI))
    await life.until(lambda view: done(view, "customer") and view.cases)
    [customer] = await held(two, EU, "customers")
    await correct(life, selling_entity="ACME-US", currency="USD", **us_address())
    view = await life.until(lambda view: any(case.id == "order" for case in view.cases))
    [case] = [case for case in view.cases if case.id == "order"]
    assert f"would go to {US} now, and its customer is in {EU} already" in case.reasons[0]
    await mend(two, EU)
    sold_to = (await life.orders.revisions(life.contract))[0].document
    back = {name: sold_to.get(name) for name in ("selling_entity", "currency", "sold_to", "bill_to", "ship_to")}
    await correct(life, **back)
    await life.until(activated)
    assert [each["customer"] for each in await held(two, EU, "subscriptions")] == [customer["id"]]
    assert await held(two, US, "customers") == []


def us_address() -> dict[str, Any]:
    address = {"street": "1 Main St", "city": "Austin", "postal_code": "78701", "state": "TX", "country": "US"}
    party = {"name": "Example Inc.", "address": address}
    return {"sold_to": party, "bill_to": None, "ship_to": None}


async def register(house: House, *lives: Life) -> None:
    """The rows that intake would have made."""
    for life in lives:
        state = await life.handle.query(CustomerLifecycle.view)
        row = LifecycleRow(
            contract=life.contract,
            tenant=house.company.tenant,
            account=state.account,
            deal=state.deal,
            selling_entity=state.selling_entity,
            workflow_id=life.handle.id,
        )
        await Lifecycles(house.database).add(row)


@asynccontextmanager
async def dispatching(house: House) -> AsyncIterator[None]:
    """A dispatcher at work, as its process is."""
    stop = asyncio.Event()
    running = asyncio.create_task(Post(house).dispatcher().run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def test_a_frozen_erp_gets_nothing_while_events_are_taken_and_goes_on_soon_after_the_thaw(two: House) -> None:
    ledger = SqlLedger(two.database)
    await ledger.freeze(US, reason="year-end closing")
    us, eu = await two.start(two.payload(HOOLI_US)), await two.start(two.payload(HOOLI))
    await register(two, us, eu)
    async with dispatching(two):
        await eu.until(activated)
        view = await us.until(lambda view: view.cases)
        [case] = view.cases
        assert (case.kind, case.connection) == ("frozen", US)
        assert f"{US} is frozen (year-end closing)" in case.reasons[0]
        data = {"contract": us.contract, "milestone": "go-live", "completed_on": "2026-12-24"}
        event = await Desk(two.database).receive("milestone.completed", data)

        async def taken() -> bool:
            return (await Desk(two.database).row(event)).state == "routed" and (await us.view()).milestones != {}

        await eventually(taken)
        await asyncio.sleep(2)  # what is still frozen is left alone
        [case] = (await us.view()).cases
        assert case.kind == "frozen"
        assert await held(two, US, "customers") == []
        await ledger.thaw(US)
        view = await us.until(activated)
    assert view.milestones != {}
    assert len(await held(two, US, "customers")) == len(await held(two, US, "activations")) == 1


async def test_everything_frozen_stops_levels_too_and_they_catch_up(two: House) -> None:
    eu = await two.start(two.payload(HOOLI))
    await eu.until(activated)
    await health(two, risk="low")
    ledger = SqlLedger(two.database)
    await ledger.freeze()
    await eu.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(eu)).date()))
    view = await eu.until(lambda view: view.cases)
    assert [(case.id, case.kind) for case in view.cases] == [("cs.set_health", "frozen")]
    await health(two, risk="low")
    await register(two, eu)
    teller = Thawing(two.database, two.client, two.landscape)
    assert await teller.tell() == 0
    await ledger.thaw()

    async def told() -> bool:
        return await teller.tell() == 1

    await eventually(told)
    await health(two, risk="medium")
    await eu.until(rests)


async def test_a_lifecycle_from_before_is_served_by_the_home_under_the_names_of_old(
    temporal: Client, tmp_path: Path
) -> None:
    """It begins where no connections are recorded, and goes on beside two ERPs, the first of which is its home."""
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(
            open_house(temporal, tmp_path, erps=("tryton",), home_erp="tryton", recorded=False)
        )
        life = await old.start(old.payload(HOOLI))
        view = await life.until(activated)
        assert view.connections == {}
        assert any(key.endswith(":ACME-DE") for key in view.effects), "the key of old"
        queue = old.task_queue
    routes = (
        Route(kind="erp", connection="other", selling_entities=("ACME-US",)),
        Route(kind="erp", connection="tryton"),
    )
    async with open_house(
        temporal, tmp_path, task_queue=queue, erps=("tryton", "other"), routes=routes, home_erp="tryton"
    ) as house:
        life = Life(house, life.contract, life.handle, life.orders, life.seq)
        await go_live(life)
        second = await house.start({**house.payload(HOOLI), "Id": "006-second"})
        view = await second.until(activated)
        assert view.connections["erp"] == "tryton"
        [customer] = await held(house, "tryton", "customers")
        assert {each["customer"] for each in await held(house, "tryton", "subscriptions")} == {customer["id"]}
        assert await held(house, "other", "customers") == []
