"""What a lifecycle costs: the reference year within its budget, counted by the server and told by `tenure cost`."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from starter.cli.costing import cost_of
from starter.costing import TRAVEL, actions_of
from starter.office import Office
from tests.conftest import COUNTED
from tests.dispatch import CRM, Post
from tests.house import House, open_house
from tests.reference import Reference
from tests.workflow.lives import calls, eventually, settled_length


class Budget(NamedTuple):
    """What docs/cost.md promises."""

    actions: int
    events: int
    bytes: int


FIRST = Budget(actions=57, events=270, bytes=97_000)
FURTHER = Budget(actions=33, events=155, bytes=54_000)
LOOKS = "grpc_QueryWorkflow"
"""The test asks the workflow for what it needs to write an event; nobody else does."""
COUNTED_ONCE_A_SECOND = 1.2


@pytest.fixture
async def counted(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    """A house in the namespace whose actions nobody else adds to."""
    client = await Client.connect(
        temporal.service_client.config.target_host, namespace=COUNTED, data_converter=pydantic_data_converter
    )
    async with open_house(client, tmp_path) as opened:
        yield opened


async def actions(port: int) -> int:
    """What the server has counted, but for queries."""
    await asyncio.sleep(COUNTED_ONCE_A_SECOND)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        told = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    counted = re.findall(rf'^action{{action_type="(\w+)",namespace="{COUNTED}"[^}}]*}} (\S+)$', told, re.MULTILINE)
    return sum(int(float(number)) for kind, number in counted if kind != LOOKS)


def lived(history: WorkflowHistory) -> Budget:
    """What it costs whoever does not move clocks, on a machine that answers in time."""
    events = [event for event in history.events if event.event_type not in TRAVEL]
    spent = actions_of(history)
    return Budget(
        spent.total() - spent["options"] - spent["activity retries"],
        len(events),
        sum(event.ByteSize() for event in events),
    )


@pytest.mark.timeout(600)
async def test_the_reference_year_is_within_its_budget(counted: House, metrics_port: int) -> None:
    year = Reference(Post(counted), "006-year")
    await year.first_year()
    await settled_length(year.life)
    first = lived(await year.life.handle.fetch_history())
    await year.further_year()
    await settled_length(year.life)
    history = await year.life.handle.fetch_history()
    both = lived(history)
    further = Budget(*(now - then for now, then in zip(both, first, strict=True)))
    assert all(spent <= most for spent, most in zip(first + further, FIRST + FURTHER, strict=True)), (first, further)

    assert actions_of(history).total() == await actions(metrics_port), "estimated as the server counts"

    office = Office(counted.database, counted.client, counted.company, counted.mapping, CRM)

    async def told() -> bool:
        """What `tenure cost` says; calls are told to the store every few seconds."""
        found = await cost_of(office, year.number)
        temporal, counts = found["temporal"], {each["connection"]: each["calls"] for each in found["store"]["calls"]}
        assert (temporal["runs"], temporal["complete"], temporal["actions"]) == (1, True, dict(actions_of(history)))
        assert temporal["events"] == len(history.events)
        return all([counts.get(system) == len(await calls(counted, system)) for system in ("erp", "cs")])

    await eventually(told, 60)


async def test_retries_calls_and_local_activities_are_counted_as_the_server_does(
    counted: House, metrics_port: int
) -> None:
    before = await actions(metrics_port)
    await counted.fault(system="erp", operation="create_customer", kind="down", times=2, retry_after="0")
    life = Reference(Post(counted), "006-retried")
    await life.begin()
    await settled_length(life.life)
    history = await life.life.handle.fetch_history()
    spent = actions_of(history)
    assert spent["activity retries"] == 2
    assert spent.total() == await actions(metrics_port) - before
