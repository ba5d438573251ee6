"""A lifecycle whose code can't live it has a case with the reason, once, until it is healed."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session, select
from temporalio.client import Client
from temporalio.worker import Worker

from starter.watchdog import Watchdog
from store.database import Database
from store.tables import CaseRow, LifecycleRow
from store.watching import STUCK, watch
from tests.stores import lay
from tests.stuck import Changed, Raises, Waits
from tests.workflow.lives import eventually


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    database = Database(either_url)
    yield database
    database.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    lay(url)
    database = Database(url)
    yield database
    database.close()


def _add(life: LifecycleRow, session: Session) -> None:
    session.add(life)


@asynccontextmanager
async def working(client: Client, queue: str, kind: type) -> AsyncIterator[None]:
    sticky = timedelta(seconds=1)
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[kind],
        sticky_queue_schedule_to_start_timeout=sticky,
    )
    async with worker:
        yield


async def test_a_lifecycle_that_cannot_go_on_has_a_case_until_it_can(temporal: Client, sqlite: Database) -> None:
    queues = {kind: uuid.uuid4().hex for kind in (Changed, Raises)}
    names = {kind: f"crm/DOG-{queue[:8]}/1" for kind, queue in queues.items()}
    for kind, queue in queues.items():
        name = names[kind]
        workflow_id = f"lifecycle/acme/{name}"
        life = LifecycleRow(
            contract=name,
            tenant="acme",
            account=f"A-{kind.__name__}",
            deal="D",
            selling_entity="",
            workflow_id=workflow_id,
        )
        await sqlite.write(partial(_add, life))
        async with working(temporal, queue, Waits):
            handle = await temporal.start_workflow("CustomerLifecycle", id=workflow_id, task_queue=queue)
            await handle.query("__temporal_workflow_metadata")
        await handle.signal("nudge")
    watchdog = Watchdog(sqlite, temporal, every=0)

    async def cases() -> dict[str, CaseRow]:
        await watchdog.look()
        query = select(CaseRow).where(CaseRow.state == "open")
        return {case.contract or "": case for case in await sqlite.read(lambda session: session.exec(query).all())}

    async def both() -> bool:
        return len(await cases()) == 2

    async with working(temporal, queues[Changed], Changed), working(temporal, queues[Raises], Raises):
        await eventually(both, 90)
    found = await cases()
    changed, raises = found[names[Changed]], found[names[Raises]]
    assert (changed.kind, changed.account, changed.actor) == (STUCK, "A-Changed", "engineer")
    assert changed.reasons[0].startswith("the code can't live its history: [TMPRL1100]")
    assert raises.reasons == ["its code raises KeyError"]
    assert "tenure deploy" in raises.mend
    watched = await sqlite.read(watch)
    assert watched.stuck == 2
    assert watched.watched < 90

    async def healed() -> bool:
        return not await cases()

    async with working(temporal, queues[Changed], Waits), working(temporal, queues[Raises], Waits):
        await eventually(healed, 90)
    resolved = await sqlite.read(lambda session: session.get_one(CaseRow, changed.id))
    assert (resolved.state, resolved.resolution) == ("resolved", "its workflow task is completed again")
    for name in names.values():
        await temporal.get_workflow_handle(f"lifecycle/acme/{name}").terminate()


async def test_without_an_answer_nothing_is_healed(temporal: Client, database: Database) -> None:
    away = Client(temporal.service_client, namespace="gone")
    case = CaseRow(id=f"{STUCK}:crm/DOG-0/1", contract="crm/DOG-0/1", kind=STUCK, title="t")
    await database.write(lambda session: session.add(case))
    assert await Watchdog(database, away).look() == 0
    kept = await database.read(lambda session: session.get_one(CaseRow, case.id))
    assert kept.state == "open"
