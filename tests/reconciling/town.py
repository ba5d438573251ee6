"""Five hundred contracts that store and box agree about, put there directly: what reconciliation must find clean."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import Session
from temporalio.client import Client
from temporalio.worker import Worker

import wiring
from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from bench.agreed import ENTITY, Plain
from domain import keys
from domain.company import Company, load_company
from domain.mapping import load_mapping
from domain.state import LifecycleState
from domain.view import Stage
from sandbox.app import create_app
from sandbox.box import Box
from starter.handles import lifecycle_handle
from starter.office import Office
from starter.reconciling.composing import repairs
from starter.reconciling.reading import Source, Sources
from starter.reconciling.reconciler import Reconciler
from starter.reconciling.repairs import Repairs
from starter.reconciling.runs import CONNECTION, Runs
from starter.sections import Kind
from store.database import Database
from tests.house import EXAMPLES
from tests.stores import lay
from workflows.desk import at_start
from workflows.lifecycle import CustomerLifecycle

AT_ONCE = 20


@dataclass
class Town:
    """Store, box and Temporal, over which reconciliation runs. The task queue's name is the tenant's, too."""

    database: Database
    box: Box
    http: httpx.AsyncClient
    client: Client
    task_queue: str
    company: Company
    sources: Sources
    systems: wiring.Systems
    contracts: list[Plain]

    @property
    def served(self) -> str:
        """The task queue of those lifecycles that have a worker."""
        return f"{self.task_queue}-served"

    def workers(self) -> Sequence[Worker]:
        return wiring.workers(
            self.client, self.database, self.systems, self.company, task_queue=self.served, graceful=0
        )

    def put(self, system: str, kind: str, record: dict[str, Any]) -> None:
        id = record.get("id") or record.get("Id") or record["company"]
        external = record.get("external_id") or record.get("Tenure_External_Id__c")
        self.box.store.put(system, kind, id, record, external)

    def get(self, system: str, kind: str, id: str) -> dict[str, Any]:
        found = self.box.store.get(system, kind, id)
        assert found is not None, id
        return found

    def edit(self, system: str, kind: str, id: str, **fields: Any) -> None:
        self.put(system, kind, {**self.get(system, kind, id), **fields})

    def edit_line(self, sub: str, line: str, **fields: Any) -> None:
        lines = [
            {**each, **fields} if each["id"] == line else each
            for each in self.get("erp", "subscriptions", sub)["lines"]
        ]
        self.edit("erp", "subscriptions", sub, lines=lines)

    def drop(self, system: str, kind: str, id: str) -> None:
        self.get(system, kind, id)
        self.box.store.db.execute("DELETE FROM documents WHERE system = ? AND kind = ? AND id = ?", (system, kind, id))

    async def live(self, of: Plain) -> None:
        """A lifecycle that a worker of the town serves, and that stands where the contract stands."""
        await self.client.start_workflow(
            CustomerLifecycle.run,
            of.state(self.task_queue, self.company),
            id=keys.lifecycle_id(self.task_queue, of.contract),
            task_queue=self.served,
            search_attributes=at_start(of.account, ENTITY),
        )

    async def settle(self, served: Iterable[Plain]) -> None:
        """Every open contract has a lifecycle: those that are served come to rest first."""
        living = list(served)
        rest = [each for each in self.contracts if each.stage is not Stage.ENDED and each not in living]
        await asyncio.gather(*(self.live(each) for each in living))
        slots = asyncio.Semaphore(AT_ONCE)  # a busy machine answers so many within a call's time

        async def begin(each: Plain) -> None:
            async with slots:
                await self.begin(each.contract, each.account)

        await asyncio.gather(*map(begin, rest))
        for each in living:
            name = keys.lifecycle_id(self.task_queue, each.contract)
            handle = lifecycle_handle(self.client, name)
            while (view := await handle.query(CustomerLifecycle.view)).pending or view.cases:
                assert not view.cases, view.cases
                await asyncio.sleep(0.05)
            assert view.stage is each.stage, (view.stage, each)

    async def begin(self, contract: str, account: str = "nobody") -> None:
        """A lifecycle that no worker serves: it only stands there, to be listed."""
        await self.client.start_workflow(
            CustomerLifecycle.run,
            LifecycleState(tenant=self.task_queue, contract=contract),
            id=keys.lifecycle_id(self.task_queue, contract),
            task_queue=self.task_queue,
            search_attributes=at_start(account, ENTITY),
        )


@asynccontextmanager
async def open_town(client: Client, home: Path, count: int) -> AsyncIterator[Town]:
    url = f"sqlite:///{home / 'store.db'}"
    lay(url)
    database = Database(url, lasting=False)
    app = create_app(str(home / "box.db"))
    contracts = [Plain(n) for n in range(count)]
    queue = f"town-{uuid.uuid4().hex[:8]}"

    def seed(session: Session) -> None:
        for each in contracts:
            session.add_all(each.rows(queue))

    def to(system: str) -> httpx.AsyncClient:
        headers = {"Authorization": "Bearer sandbox"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://box/{system}", headers=headers)

    async with to("erp") as erp, to("crm") as crm, to("cs") as cs, to("") as http:
        ports: dict[Kind, Any] = {"erp": SandboxErp(erp), "crm": SandboxCrm(crm), "cs": SandboxCs(cs)}
        systems = {str(name): wiring.System(name, name, port) for name, port in ports.items()}
        sources = {str(name): Source(name, name, port.records) for name, port in ports.items()}
        sources[CONNECTION] = Source(CONNECTION, "workflow", Runs(client, queue))
        company = load_company((EXAMPLES / "company.toml").read_text())
        town = Town(database, app.state.box, http, client, queue, company, sources, systems, contracts)
        await database.write(seed)
        with town.box.store.transaction():
            for each in contracts:
                for document in each.documents():
                    town.put(*document)
        yield town
    await app.state.box.close()
    await asyncio.to_thread(database.close)


def repairs_of(town: Town, reconciler: Reconciler) -> Repairs:
    mapping = load_mapping((EXAMPLES / "mappings" / "salesforce.toml").read_text())
    office = Office(town.database, town.client, town.company, mapping, "crm")
    return repairs(
        office, reconciler, town.systems, wiring.on_demand(town.database, town.systems, town.company).perform
    )
