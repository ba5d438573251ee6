"""Temporal knows who goes first: from the start of a lifecycle, and again when it has changed."""

import uuid
from collections.abc import Iterator

import pytest
from sqlmodel import Session
from temporalio.client import Client
from temporalio.common import Priority

from domain.urgency import AT_RISK, NEW, USUAL
from starter.urgencies import Urgencies
from store.database import Database
from store.tables import LifecycleRow


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    database = Database(either_url)
    yield database
    database.close()


def life(name: str, *, urgency: int, told: int, closed: bool = False) -> LifecycleRow:
    return LifecycleRow(
        contract=f"crm/{name}/1",
        tenant="acme",
        account=f"A-{name}",
        deal=name,
        selling_entity="",
        workflow_id=f"lifecycle/acme/crm/{name}/1",
        urgency=urgency,
        urgency_told=told,
        started=True,
        closed=closed,
    )


async def test_what_has_changed_is_told_once(temporal: Client, database: Database) -> None:
    mark, queue = uuid.uuid4().hex[:8], uuid.uuid4().hex
    activated = life(f"A{mark}", urgency=USUAL, told=NEW)
    at_risk = life(f"R{mark}", urgency=AT_RISK, told=USUAL)
    as_told = life(f"T{mark}", urgency=NEW, told=NEW)
    for each in (activated, at_risk, as_told):
        await temporal.start_workflow(
            "Nobody", id=each.workflow_id, task_queue=queue, priority=Priority(priority_key=each.urgency_told)
        )
    over = life(f"O{mark}", urgency=USUAL, told=NEW, closed=True)
    gone = life(f"G{mark}", urgency=USUAL, told=NEW)  # its workflow is over, the store has not heard of it yet
    rows = {each.workflow_id: each for each in (activated, at_risk, as_told, over, gone)}

    def fill(session: Session) -> None:
        session.add_all(rows.values())

    await database.write(fill)
    urgencies = Urgencies(database, temporal)
    assert await urgencies.tell() == 3
    assert await urgencies.tell() == 0
    known = {}
    for each in (activated, at_risk, as_told):
        found = await temporal.get_workflow_handle(each.workflow_id).describe()
        known[each.workflow_id] = found.raw_description.workflow_execution_info.priority.priority_key
    assert known == {activated.workflow_id: USUAL, at_risk.workflow_id: AT_RISK, as_told.workflow_id: NEW}
