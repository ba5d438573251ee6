"""The whole local stack as processes of a test's own: own directory, free ports, driven from outside only."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, select
from temporalio.client import Client

import wiring
from domain.keys import lifecycle_id
from domain.view import LifecycleView
from starter.handles import lifecycle_handle
from starter.settings import Settings, load_settings
from starter.stack import LocalStack
from starter.travel import fast_forward
from store.database import Database
from store.tables import DeliveryRow, EffectRow, InboxRow
from tests.intake import deal
from tests.ports import free_port
from workflows.lifecycle import CustomerLifecycle

ROOT = Path(__file__).parents[1]
LEASE = "4"  # seconds that the stream of a killed dispatcher stays taken
EFFECTS = [
    *(("erp", kind) for kind in ("customers", "subscriptions", "activations", "billing_starts", "amendments")),
    *(("erp", "renewals"), ("cs", "companies"), ("cs", "plans"), ("cs", "playbooks"), ("crm", "opportunities")),
]
Records = list[dict[str, Any]]


class RunningStack:
    """What a test does to the stack from outside: work in the box, kill processes, look at what the box holds."""

    def __init__(self, settings: Settings, stack: LocalStack, box: httpx.AsyncClient, database: Database) -> None:
        self.settings = settings
        self.stack = stack
        self.box = box
        self.database = database
        self._client: Client | None = None

    async def kill(self, *names: str) -> None:
        for name in names:
            assert await asyncio.to_thread(self.stack.kill, name) is not None, f"{name} did not run"

    async def start(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self.stack.start, name)

    # ── work in the box ─────────────────────────────────────────────────────────────────────────────────────────

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        answer = await self.box.post(path, json=body or {})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def win(self, *numbers: str) -> list[str]:
        """New deals, each of an account of its own, are won in the CRM; returns the contracts' ids."""
        await self.box.post("/crm/accounts", json={"Id": "001Dn00000PaReNtAA0", "Name": "Hooli Group"})
        for number in numbers:
            await self.post("/crm/opportunities", deal(Id=number, AccountId=f"acc-{number}")["record"])
        return [f"crm/{number}/1" for number in numbers]

    async def upsell(self, number: str, of: str) -> None:
        record = deal("salesforce_upsell", Id=number, AccountId=f"acc-{of}", Amends_Deal__c=of)["record"]
        await self.post("/crm/opportunities", record)

    async def win_renewal(self, contract: str) -> None:
        """The salesperson wins the opportunity that Tenure has made for the renewal."""
        [open_one] = await self.of(contract, "crm", "opportunities", lambda each: each["Type"] == "Renewal")
        answer = await self.box.patch(f"/crm/opportunities/{open_one['Id']}", json={"StageName": "Closed Won"})
        answer.raise_for_status()

    async def reach(self, contract: str, milestone: str = "go-live") -> None:
        """The onboarding's task that carries the milestone is completed in CS."""
        [task] = await self.of(contract, "cs", "tasks", lambda each: each["milestone"] == milestone)
        await self.post(f"/cs/tasks/{task['id']}/complete")

    async def fault(self, system: str, operation: str, kind: str, *, seconds: float, times: int) -> None:
        fault = {"system": system, "operation": operation, "kind": kind, "seconds": seconds, "times": times}
        await self.post("/admin/faults", fault)

    async def in_flight(self, operation: str) -> int:
        """Calls that the box has not answered yet."""
        calls = (await self.box.get("/admin/calls", params={"operation": operation})).json()
        return sum(call["status"] is None for call in calls)

    async def renewing(self, *contracts: str) -> None:
        """Bring live contracts into their renewal windows."""
        client = await self.client()
        for contract in contracts:
            view = await self.view(contract)
            assert view.window_opens is not None
            assert view.as_of is not None
            days = (view.window_opens - view.as_of.date()).days + 1
            await fast_forward(client, lifecycle_id("acme", contract), timedelta(days=days))
        for contract in contracts:
            await self.until(partial(self.count, contract, "cs", "playbooks"), 1)
            await self.until(partial(self.count, contract, "crm", "opportunities"), 2)

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────────

    async def of(
        self, contract: str, system: str, kind: str, which: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> Records:
        """The box's records of one contract, or of its account."""
        number = contract.split("/")[1]
        found: Records = (await self.box.get("/admin/state")).json()["records"].get(system, {}).get(kind, [])
        return [each for each in found if number in str(each) and which(each)]

    async def count(self, contract: str, system: str, kind: str) -> int:
        return len(await self.of(contract, system, kind))

    async def holds(self, contract: str) -> dict[str, int]:
        """How often everything was done for one contract, from the outside systems themselves."""
        counted = {kind: await self.count(contract, system, kind) for system, kind in EFFECTS}
        return {kind: count for kind, count in counted.items() if count}

    async def until_holds(self, contract: str, wanted: dict[str, int], seconds: float = 60) -> None:
        await self.until(lambda: self.holds(contract), wanted, seconds)

    async def until(self, look: Callable[[], Any], wanted: Any, seconds: float = 60) -> None:
        """Look until it is as wanted; fails with what was there last."""
        seen, give_up = None, asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < give_up:
            seen = await look()
            if seen == wanted:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"wanted {wanted}, found {seen}")

    async def unsent(self) -> int:
        """Webhooks of the box that nobody has taken yet."""
        return sum(each["state"] != "delivered" for each in (await self.box.get("/admin/webhooks")).json())

    async def waiting(self) -> int:
        """Events that are not settled: not routed, or not delivered."""
        received = select(InboxRow.id).where(InboxRow.state == "received")
        pending = select(DeliveryRow.id).where(DeliveryRow.state == "pending")
        return await self.database.read(
            lambda session: len(session.exec(received).all()) + len(session.exec(pending).all())
        )

    async def deliveries(self, contract: str) -> list[DeliveryRow]:
        query = select(DeliveryRow).where(DeliveryRow.stream == contract).order_by(col(DeliveryRow.seq))
        return list(await self.database.read(lambda session: session.exec(query).all()))

    async def unfinished(self, contract: str) -> list[str]:
        """Effects that the ledger has begun, and does not know to be done."""
        query = select(EffectRow.key).where(EffectRow.contract == contract, EffectRow.state != "DONE")
        return await self.database.read(lambda session: list(session.exec(query).all()))

    async def risk(self, contract: str) -> str:
        [company] = await self.of(contract, "cs", "companies")
        state = (await self.box.get("/admin/state")).json()
        [health] = [each for each in state["records"]["cs"]["health"] if each["company"] == company["id"]]
        return str(health["risk"])

    async def client(self) -> Client:
        self._client = self._client or await wiring.connect(self.settings)
        return self._client

    async def view(self, contract: str) -> LifecycleView:
        handle = lifecycle_handle(await self.client(), lifecycle_id("acme", contract))
        return await handle.query(CustomerLifecycle.view)


@asynccontextmanager
async def open_stack(home: Path) -> AsyncIterator[RunningStack]:
    """Bring a stack with time travel up, and take it down again whatever happens."""
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.startswith(("TENURE_", "TEMPORAL_")):
                environment.delenv(name)
        environment.setenv("TEMPORAL_CONFIG_FILE", str(home / "no-such-profile.toml"))
        environment.setenv("TENURE_TUNING__LEASE", LEASE)
        settings = load_settings(
            ROOT / "tenure.toml",
            state_dir=home / "state",
            gateway={"port": free_port()},
            experience={"port": free_port()},
            sandbox={"port": free_port()},
            temporal={"port": free_port(), "ui_port": free_port()},
            tuning={"grace": 3.0},
        )
        stack = LocalStack(settings)
        try:
            await asyncio.to_thread(stack.up, time_travel=True)
            database = wiring.open_store(settings)
            token = {"Authorization": "Bearer sandbox"}
            async with httpx.AsyncClient(base_url=settings.sandbox_url, headers=token, trust_env=False) as box:
                yield RunningStack(settings, stack, box, database)
            database.close()
        finally:
            await asyncio.to_thread(stack.down)
