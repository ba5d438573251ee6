"""The ways of a repair, with lifecycles that live: what is taken over, what is linked, what goes on after a failure."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import col
from temporalio.client import Client

from bench.agreed import ENDS, Plain
from domain import keys
from domain.reconciling.difference import Difference
from domain.view import LifecycleView
from starter.mistakes import Mistake
from starter.reconciling.asked import AskedRuns
from starter.reconciling.reconciler import Reconciler
from starter.reconciling.repairs import Repairs
from starter.reconciling.scheduled import reconcile_by_schedule
from store.differences import Differences
from store.reconciliations import Reconciliations
from store.tables import LifecycleRow
from store.views import SqlViews
from tests.experience import over
from tests.reconciling.town import Town, open_town, repairs_of

SERVED = [4, 5, 6, 7, 8, 9, 10, 12, 13]


@pytest.fixture(scope="module")
async def town(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Fourteen contracts, nine of which a worker serves."""
    home: Path = tmp_path_factory.mktemp("town")
    async with open_town(temporal, home, 14) as opened, AsyncExitStack() as stack:
        for worker in opened.workers():
            await stack.enter_async_context(worker)
        await opened.settle([opened.contracts[n] for n in SERVED])
        yield opened


class Desk:
    """Reconciliation over the town."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.reconciler = Reconciler(town.database, town.sources, {}, settle=timedelta(0))
        self.repairs: Repairs = repairs_of(town, self.reconciler)
        self.differences = Differences(town.database)

    async def the(self, kind: str, of: Plain) -> Difference:
        found = await self.reconciler.one(of.contract)
        assert [each.kind for each in found] == [kind], [each.sentence for each in found]
        return found[0]

    async def view(self, of: Plain) -> LifecycleView:
        view = await SqlViews(self.town.database).get(of.contract)
        assert view is not None
        return view


@pytest.fixture
def desk(town: Town) -> Desk:
    return Desk(town)


async def test_a_quantity_of_the_erp_is_taken_over(town: Town, desk: Desk) -> None:
    of = town.contracts[4]
    town.edit_line(of.id("sub"), "2", quantity="60")
    found = await desk.the("erp_quantity", of)
    await desk.repairs.repair(found.id, "accept", by="finance", reason="agreed by telephone")
    assert [line["quantity"] for line in town.get("erp", "subscriptions", of.id("sub"))["lines"]][1] == "60"
    assert await _closed(desk, found, of) == "repaired by finance"
    assert [line.quantity for line in (await desk.view(of)).lines][1] == "60"


async def test_a_renewal_in_the_erp_is_taken_over_and_not_done_again(town: Town, desk: Desk) -> None:
    of = town.contracts[5]
    town.edit("erp", "subscriptions", of.id("sub"), term=2, ends=ENDS.replace(year=ENDS.year + 1).isoformat())
    found = await desk.the("erp_renewed_unasked", of)
    await desk.repairs.repair(found.id, "accept", by="finance", reason="renewed by the old process")
    assert await _closed(desk, found, of) == "repaired by finance"
    view = await desk.view(of)
    assert view.decision == "renew (finance)"
    assert keys.renewal(of.contract, 2) in view.effects
    assert not town.box.store.all("erp", "renewals")


async def test_a_subscription_that_ended_in_the_erp_ends_the_contract(town: Town, desk: Desk) -> None:
    of = town.contracts[6]
    town.edit("erp", "subscriptions", of.id("sub"), status="ended")
    found = await desk.the("erp_ended", of)
    await desk.repairs.repair(found.id, "accept", by="finance", reason="ended for cause in the ERP")
    assert await _closed(desk, found, of) == "repaired by finance"
    assert (await desk.view(of)).stage in ("ending", "ended")
    assert not town.box.store.all("erp", "endings")


async def test_another_customer_is_linked(town: Town, desk: Desk) -> None:
    of = town.contracts[7]
    town.put("erp", "customers", {**town.get("erp", "customers", of.id("cus")), "id": "cus_other", "external_id": None})
    town.drop("erp", "customers", of.id("cus"))
    found = await desk.the("erp_customer_missing", of)
    with pytest.raises(Mistake, match="say which record it is"):
        await desk.repairs.preview(found.id, "link", by="finance")
    await desk.repairs.repair(found.id, "link", by="finance", reason="merged in the ERP", choice="cus_other")
    assert await _closed(desk, found, of) == "repaired by finance"
    assert town.get("erp", "subscriptions", of.id("sub"))["customer"] == "cus_other"
    assert (await desk.view(of)).effects[keys.customer(of.account, "ACME-DE")] == "cus_other"


async def test_what_was_lost_together_with_its_owner_is_made_anew_with_it(town: Town, desk: Desk) -> None:
    """As after an older backup of the ERP and of CS: neither the customer nor its subscription is there any more."""
    of = town.contracts[13]
    lost = {
        ("erp", "customers"): "cus",
        ("erp", "subscriptions"): "sub",
        ("cs", "companies"): "company",
        ("cs", "plans"): "plan",
    }
    for (system, kind), short in lost.items():
        town.drop(system, kind, of.id(short))
    for _ in range(len(lost)):
        for found in await desk.reconciler.one(of.contract):
            with suppress(Mistake):  # what needs the new owner is repaired after it
                await desk.repairs.repair(found.id, "redrive", by="ops", reason="an older backup")
    assert await desk.reconciler.one(of.contract) == []
    view = await desk.view(of)
    made = [view.effects[key] for key in (keys.customer(of.account, "ACME-DE"), keys.subscription(of.contract))]
    assert town.get("erp", "subscriptions", made[1])["customer"] == made[0]
    company, plan = view.effects[keys.company(of.account)], view.effects[keys.onboarding(of.contract)]
    assert town.get("cs", "plans", plan)["company"] == company


async def test_a_repair_that_fails_goes_on_from_there_and_makes_nothing_twice(town: Town, desk: Desk) -> None:
    of = town.contracts[8]
    town.drop("erp", "subscriptions", of.id("sub"))
    found = await desk.the("erp_subscription_missing", of)
    fault = {"system": "erp", "operation": "activate_order", "kind": "down", "times": 1}
    (await town.http.post("/admin/faults", json=fault)).raise_for_status()
    with pytest.raises(Mistake, match="goes on from there"):
        await desk.repairs.repair(found.id, "redrive", by="finance", reason="lost")
    await desk.repairs.repair(found.id, "redrive", by="finance", reason="lost")
    made = [each for each in town.box.store.all("erp", "subscriptions") if each["contract"] == of.contract]
    assert [each["status"] for each in made] == ["active"]
    assert len([each for each in town.box.store.all("erp", "activations") if each["contract"] == of.contract]) == 1
    assert await _closed(desk, found, of) == "repaired by finance"
    notes = [each.what for each in await desk.differences.notes(found.id)]
    assert any("begun: redrive; lost" in each for each in notes)
    assert any("closed for maintenance" in each or "503" in each for each in notes)


async def test_a_difference_is_found_and_repaired_over_http(town: Town, desk: Desk) -> None:
    of = town.contracts[11]
    town.edit_line(of.id("sub"), "1", unit_price="3.21")
    async with (
        AskedRuns(desk.reconciler) as runs,
        over(town.database, client=town.client, repairs=desk.repairs, runs=runs) as experience,
    ):
        begun = await experience.post("/reconciliation/runs", key="run")
        assert begun.status_code == 202, begun.text
        where, number = begun.headers["location"].removeprefix("/api/v1"), begun.json()["run"]
        second = await experience.post("/reconciliation/runs", key="another")
        assert (second.status_code, f"{number} is under way" in second.json()["detail"]) == (409, True)
        while (run := await experience.get(where))["ended_at"] is None:  # noqa: ASYNC110 (it has no event to tell)
            await asyncio.sleep(0.05)
        assert run["found"] >= 1
        again = await experience.post("/reconciliation/runs", key="run")
        assert (again.status_code, again.json()["run"], again.json()["repeated"]) == (202, number, True)
        assert (await experience.get("/reconciliation/runs"))[0]["id"] == number
        [found] = (await experience.get("/reconciliation/differences", contract=of.contract))["items"]
        path, wanted = f"/reconciliation/differences/{found['id']}/repair", {"remedy": "redrive", "reason": "a slip"}
        seen = await experience.post(f"{path}/preview", wanted)
        assert (seen.status_code, len(seen.json()["steps"])) == (200, 1), seen.text
        assert town.get("erp", "subscriptions", of.id("sub"))["lines"][0]["unit_price"] == "3.21"
        done = await experience.post(path, wanted, key="repair")
        same = await experience.post(path, wanted, key="repair")
        assert (done.json()["message"], same.json()["repeated"]) == ("repaired by demo", True), done.text
        assert town.get("erp", "subscriptions", of.id("sub"))["lines"][0]["unit_price"] != "3.21"
        trail = (await experience.get("/audit", permission="reconciliation.repair"))["items"]
        assert [(line["outcome"], line["reason"]) for line in trail[-2:]] == [("done", "a slip"), ("begun", "a slip")]


async def test_a_difference_is_ignored_until_a_day_and_heals_by_itself(town: Town, desk: Desk) -> None:
    of = town.contracts[9]
    town.edit("cs", "plans", of.id("plan"), company="company_other")
    found = await desk.the("cs_onboarding_company", of)
    with pytest.raises(Mistake, match="for a reason"):
        await desk.repairs.ignore(found.id, by="csm", reason=" ", until=ENDS)
    ignored = await desk.repairs.ignore(found.id, by="csm", reason="moved next week", until=ENDS)
    assert (ignored.status, ignored.ignored_until, ignored.reason) == ("ignored", ENDS, "moved next week")
    assert (await desk.the("cs_onboarding_company", of)).status == "ignored"
    town.edit("cs", "plans", of.id("plan"), company=of.id("company"))
    assert await desk.reconciler.one(of.contract) == []
    healed = await desk.differences.get(found.id)
    assert healed is not None
    assert (healed.status, healed.settled) == ("healed", "it healed by itself")
    town.edit("cs", "plans", of.id("plan"), company="company_other")
    assert (await desk.the("cs_onboarding_company", of)).status == "open"
    town.edit("cs", "plans", of.id("plan"), company=of.id("company"))
    await desk.reconciler.one(of.contract)


async def test_a_system_that_is_away_closes_nothing(town: Town, desk: Desk) -> None:
    of = town.contracts[10]
    town.edit_line(of.id("sub"), "2", unit_price="1")
    found = await desk.the("erp_price", of)
    (await town.http.post("/admin/faults", json={"system": "erp", "kind": "error", "status": 403})).raise_for_status()
    try:
        run = await desk.reconciler.run()
    finally:
        await town.http.delete("/admin/faults")
    assert [each.source for each in run.sources if each.problem] == ["erp"]
    still = await desk.differences.get(found.id)
    assert still is not None
    assert still.status == "open"
    await desk.repairs.repair(found.id, "redrive", by="finance", reason="as sold")
    assert await _closed(desk, found, of) == "repaired by finance"


async def test_a_workflow_that_the_store_has_lost_is_taken_in(town: Town, desk: Desk) -> None:
    of = town.contracts[12]

    def forget(session: Any) -> None:
        session.execute(delete(LifecycleRow).where(col(LifecycleRow.contract) == of.contract))

    await town.database.write(forget)
    await desk.reconciler.run()
    [found] = await desk.differences.list(kind="run_orphaned")
    after = await desk.repairs.repair(found.id, "accept", by="engineer", reason="restored from an older backup")
    assert after.settled == "repaired by engineer"
    row = await town.database.read(lambda session: session.get(LifecycleRow, of.contract))
    assert row is not None
    assert (row.account, row.deal, row.started) == (of.account, of.deal, True)
    await desk.reconciler.run()
    assert await desk.differences.list(kind="run_orphaned") == []


async def test_by_schedule_one_run_is_made_when_it_is_due(town: Town, desk: Desk) -> None:
    runs = Reconciliations(town.database)
    before = await runs.list(limit=1)
    stop, last = asyncio.Event(), before[0].id if before else 0
    work = asyncio.create_task(reconcile_by_schedule(desk.reconciler, timedelta(seconds=0.01), stop))
    while (run := await runs.last()) is None or run.id == last:
        continue
    stop.set()
    await work
    assert run.contracts > 0


async def _closed(desk: Desk, found: Difference, of: Plain) -> str:
    """How it was settled; a lifecycle that was told shows it a moment later."""
    for _ in range(100):
        now = await desk.differences.get(found.id)
        if now is not None and now.closed_at is not None:
            return now.settled
        await desk.reconciler.one(of.contract)
    return ""
