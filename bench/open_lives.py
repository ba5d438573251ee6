"""Many open lifecycles, made cheaply: as an import leaves them, in the middle of their term, with nothing left to do.

Each is one start with the state that the import's own functions make; store and box hold what goes with it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session
from temporalio.client import Client
from temporalio.common import Priority

from bench.agreed import ENTITY, Plain
from domain import keys, projection
from domain.company import Company
from domain.policies.risk import Risk
from domain.state import LifecycleState
from domain.steps import fingerprint
from domain.urgency import urgency
from domain.view import Stage
from sandbox.store import Store
from store.database import Database
from store.tables import LifecycleRow
from workflows.desk import at_start
from workflows.lifecycle import CustomerLifecycle

AT_ONCE = 32
ROWS = 250
HIGH_EVERY = 10
OVERDUE = timedelta(days=120)


@dataclass(frozen=True)
class OpenLife(Plain):
    """In its first term. Every tenth may be lost: its invoices have been overdue for months.

    `ahead`: how far its business time is before the machine's.
    """

    ahead: timedelta = timedelta()

    @property
    def stage(self) -> Stage:
        return Stage.SERVING

    @property
    def term(self) -> int:
        return 1

    @property
    def parent(self) -> None:
        return None

    @property
    def high(self) -> bool:
        return self.n % HIGH_EVERY == 0

    def begun(self, tenant: str, company: Company) -> LifecycleState:
        """At rest: what CRM and CS show is what it would show them."""
        life = self.state(tenant, company)
        life.shift_seconds = self.ahead.total_seconds()
        now = datetime.now(UTC) + self.ahead
        if self.high:
            life.overdue_since = (now - OVERDUE).date()
            life.risk = Risk(level="high", renewal_priority="urgent", reasons=("120 days overdue",))
        life.told = {level.key: fingerprint(level) for level in projection.levels(life, now)}
        return life


def fill_box(file: Path, lives: Sequence[OpenLife]) -> None:
    """Before the box is opened by its process."""
    file.parent.mkdir(parents=True, exist_ok=True)
    box = Store(str(file))
    with box.transaction():
        for each in lives:
            for system, kind, record in each.documents():
                name = record.get("id") or record.get("Id") or record["company"]
                external = record.get("external_id") or record.get("Tenure_External_Id__c")
                box.put(system, kind, str(name), record, external)
    box.close()


async def fill_store(database: Database, lives: Sequence[OpenLife], tenant: str) -> None:
    for first in range(0, len(lives), ROWS):
        part = lives[first : first + ROWS]

        def seed(session: Session, part: Sequence[OpenLife] = part) -> None:
            for each in part:
                for row in each.rows(tenant):
                    if isinstance(row, LifecycleRow):
                        row.clock_shift = each.ahead.total_seconds()
                    session.add(row)

        await database.write(seed)


async def begin(client: Client, lives: Sequence[OpenLife], tenant: str, company: Company, task_queue: str) -> None:
    """Start them, some at once. They live as soon as a worker serves `task_queue`."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(life: OpenLife) -> None:
        async with slots:
            state = life.begun(tenant, company)
            await client.start_workflow(
                CustomerLifecycle.run,
                state,
                id=keys.lifecycle_id(tenant, life.contract),
                task_queue=task_queue,
                search_attributes=at_start(life.account, ENTITY),
                priority=Priority(priority_key=urgency(state)),
            )

    await asyncio.gather(*map(one, lives))
