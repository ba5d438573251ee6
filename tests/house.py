"""A whole Tenure in one test: real worker in the production sandbox, real store, the box behind its HTTP API.

Only the Temporal server is shared; the task queue, the store, the box and the contracts are each test's own.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

import wiring
from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from adapters.limits import LimitedTransport
from adapters.seen import SeenTransport
from adapters.support.sandbox import SandboxSupport
from adapters.usage.sandbox import SandboxUsage
from domain import keys
from domain.company import Company, load_company
from domain.document import apply_fixes
from domain.limits import Limit
from domain.mapping import Mapping as FieldMapping
from domain.mapping import canonical, load_mapping
from domain.messages import EventBatch, LifecycleEvent
from domain.routes import Landscape, Route
from domain.state import LifecycleState
from domain.view import LifecycleView
from sandbox.app import create_app
from sandbox.webhooks import WebhookTarget
from starter.handles import LifecycleHandle
from starter.sections import KINDS, Kind
from starter.travel import fast_forward
from store.database import Database
from store.orders import SqlOrders
from tests.stores import lay
from workflows.desk import at_start
from workflows.lifecycle import CustomerLifecycle

EXAMPLES = Path(__file__).parent.parent / "examples"


@dataclass
class House:
    """What a test holds: the client, the store, the box's admin, and the lifecycles it starts.

    `boxes`: by the name of an ERP, the box that it is in.
    """

    client: Client
    database: Database
    company: Company
    mapping: FieldMapping
    http: httpx.AsyncClient
    task_queue: str
    systems: wiring.Systems
    landscape: Landscape
    boxes: dict[str, httpx.AsyncClient]

    def payload(self, name: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((EXAMPLES / "payloads" / f"{name}.json").read_text())
        return read

    async def start(self, record: dict[str, Any], contract: str | None = None, /, **changes: Any) -> "Life":
        """Start a lifecycle from a CRM record, `changes` being canonical paths of the order. Without a name the
        contract is nobody else's."""
        document = apply_fixes(canonical(record, self.mapping), changes)
        deal, account = document["deal_id"], document["account"]["id"]
        if parent := record["Account"].get("ParentId"):
            await self.http.post("/crm/accounts", json={"Id": parent, "Name": "Hooli Group"})
        (await self.http.post("/crm/opportunities", json=record)).raise_for_status()
        contract = contract or keys.contract_id(f"crm-{uuid.uuid4().hex[:6]}", deal)
        orders = SqlOrders(self.database)
        revision = await orders.add(contract, document, "test")
        state = LifecycleState(
            tenant=self.company.tenant,
            contract=contract,
            account=account,
            deal=deal,
            selling_entity=document.get("selling_entity", ""),
            order_revision=revision,
        )
        handle = await self.client.start_workflow(
            CustomerLifecycle.run,
            state,
            id=keys.lifecycle_id(self.company.tenant, contract),
            task_queue=self.task_queue,
            search_attributes=at_start(account, state.selling_entity),
        )
        return Life(self, contract, handle, orders)

    async def box(self) -> dict[str, Any]:
        """Everything the outside systems hold."""
        state: dict[str, Any] = (await self.http.get("/admin/state")).json()
        return state

    async def fault(self, **fault: Any) -> None:
        (await self.http.post("/admin/faults", json=fault)).raise_for_status()

    async def mend(self) -> None:
        (await self.http.delete("/admin/faults")).raise_for_status()


@dataclass
class Life:
    """One running lifecycle."""

    house: House
    contract: str
    handle: LifecycleHandle
    orders: SqlOrders
    seq: int = 0

    async def view(self) -> LifecycleView:
        return await self.handle.query(CustomerLifecycle.view)

    async def until(self, met: Callable[[LifecycleView], Any], seconds: float = 20) -> LifecycleView:
        """Wait until the view is as wanted and the lifecycle rests; fails with the last view."""
        view = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(RPCError):  # no query is answered before the first task
                        view = await self.view()
                        if met(view):
                            return view
                    await asyncio.sleep(0.05)
        raise AssertionError(f"not reached: {view.model_dump_json(indent=1) if view else 'no view'}")

    async def tell(self, *events: LifecycleEvent) -> list[str]:
        """Deliver events with the next seqs; answers their outcomes."""
        for event in events:
            self.seq += 1
            event.seq = self.seq
        answer = await self.handle.execute_update(CustomerLifecycle.deliver, EventBatch(events=list(events)))
        return [each.outcome for each in answer.answers]

    async def travel(self, days: float) -> None:
        await fast_forward(self.house.client, self.handle.id, timedelta(days=days))


@asynccontextmanager
async def open_house(
    client: Client,
    home: Path,
    *,
    task_queue: str | None = None,
    erps: Sequence[str] = ("erp",),
    routes: Sequence[Route] = (),
    home_erp: str = "erp",
    recorded: bool = True,
    limited: Mapping[str, Limit] | None = None,
    instead: Mapping[str, Any] | None = None,
    rules: Mapping[str, Any] | None = None,
    webhook: WebhookTarget | None = None,
) -> AsyncIterator[House]:
    """Bring a house up, with workers running, and take it down again. Each ERP has a box of its own.

    Without `recorded`, lifecycles are not told which connections are theirs, as it was before there were several.
    `rules`: fields of the company that are other than in the example. `limited`: by connection. `instead`: adapters of
    other systems than the box's, by connection. `webhook`: where the boxes send their events.
    """
    url = f"sqlite:///{home / 'store.db'}"
    lay(url)
    database = Database(url)
    company = load_company((EXAMPLES / "company.toml").read_text()).model_copy(update=dict(rules or {}))
    mapping = load_mapping((EXAMPLES / "mappings" / "salesforce.toml").read_text())
    apps = [create_app(str(home / f"box{number}.db"), webhook) for number, _ in enumerate(erps)]
    queue = task_queue or f"test-{uuid.uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        limits = await stack.enter_async_context(wiring.open_limits(database))
        names = [*erps, *(kind for kind in KINDS if kind != "erp")]
        turns = {name: limits.of(name, (limited or {}).get(name, Limit())) for name in names}

        async def to(path: str, number: int = 0, connection: str = "") -> httpx.AsyncClient:
            out: httpx.AsyncBaseTransport = httpx.ASGITransport(app=apps[number])
            if connection:
                out = LimitedTransport(SeenTransport(out, connection, limits.times), turns[connection])
            return await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=out,
                    base_url=f"http://box{path}",
                    headers={"Authorization": "Bearer sandbox"},
                )
            )

        landscape = Landscape(
            connections={**dict.fromkeys(erps, "erp"), **{kind: kind for kind in KINDS if kind != "erp"}},
            homes={kind: kind for kind in KINDS if kind != "erp"} | ({"erp": home_erp} if home_erp in erps else {}),
            routes=tuple(routes),
        )

        def system(name: str, kind: Kind, port: Any) -> wiring.System:
            home = landscape.homes.get(kind) == name
            return wiring.System(name, kind, port, serves_kind=home, scope="" if home else name, turns=turns[name])

        systems = {
            "crm": system("crm", "crm", SandboxCrm(await to("/crm/", connection="crm"))),
            "cs": system("cs", "cs", SandboxCs(await to("/cs/", connection="cs"))),
            "support": system("support", "support", SandboxSupport(await to("/support/", connection="support"))),
            "usage": system("usage", "usage", SandboxUsage(await to("/usage/", connection="usage"))),
        }
        for number, name in enumerate(erps):
            systems[name] = system(name, "erp", SandboxErp(await to("/erp/", number, name)))
        for name, port in (instead or {}).items():
            systems[name] = system(name, systems[name].kind, port)
        for worker in wiring.workers(
            client,
            database,
            systems,
            company,
            task_queue=queue,
            landscape=landscape if recorded else None,
            graceful=1,
        ):
            await stack.enter_async_context(worker)
        boxes = {name: await to("", number) for number, name in enumerate(erps)}
        yield House(client, database, company, mapping, await to(""), queue, systems, landscape, boxes)
    for app in apps:
        await app.state.box.close()
    await asyncio.to_thread(database.close)
