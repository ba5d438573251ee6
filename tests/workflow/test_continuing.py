"""Continue-as-new in the middle of messages: a server that suggests it every few events, and nobody notices."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from domain.messages import AmendmentWon, EndContract, EventBatch, LifecycleEvent, MilestoneReached, SupportChanged
from domain.view import Stage
from starter.handles import lifecycle_handle
from store.views import SqlViews
from tests.conftest import FAST
from tests.house import House, Life, open_house
from tests.workflow.lives import HOOLI, counts, done, eventually, health, records, rests
from workflows.desk import SEARCH_ATTRIBUTES
from workflows.lifecycle import CustomerLifecycle

EVENTS_PER_RUN = 60


@pytest.fixture(scope="module")
async def restless() -> AsyncIterator[Client]:
    """A server without time travel that suggests a new run after a few events instead of 4,096."""
    binary = Path(sys.executable).with_name("temporal")
    few = ("--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={EVENTS_PER_RUN}")
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(binary if binary.exists() else shutil.which("temporal")),
        dev_server_extra_args=[*FAST, *few],
        dev_server_log_level="error",
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        yield environment.client


@pytest.fixture
async def house(restless: Client, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(restless, tmp_path) as opened:
        yield opened


async def runs(life: Life) -> int:
    """How many runs the lifecycle has had so far."""
    found = 0
    async for execution in life.house.client.list_workflows(f'WorkflowId = "{life.handle.id}"'):
        found += 1
        assert execution.status in (WorkflowExecutionStatus.CONTINUED_AS_NEW, WorkflowExecutionStatus.RUNNING)
    return found


async def served(house: House) -> Life:
    life = await house.start(house.payload(HOOLI))
    # the handle follows the chain of runs
    life.handle = lifecycle_handle(house.client, life.handle.id)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    return life


async def persist(life: Life, event: LifecycleEvent) -> set[str]:
    """As the dispatcher does: a task that fails at the turn to a new run fails its updates too; they are sent again."""
    life.seq += 1
    event.seq = life.seq
    while True:
        try:
            answer = await life.handle.execute_update(CustomerLifecycle.deliver, EventBatch(events=[event]))
        except RPCError:
            await asyncio.sleep(0.1)
        else:
            return {each.outcome for each in answer.answers}


async def test_nothing_is_lost_or_doubled_while_a_lifecycle_continues_as_new(house: House) -> None:
    life = await served(house)
    signalled = [f"checked-{number}" for number in range(20)]

    async def tell_upsells() -> None:
        for number in range(25):
            event: LifecycleEvent = AmendmentWon(
                deal=f"UP-{number}", mode="difference", changes={"PLATFORM": Decimal(1)}
            )
            assert await persist(life, event) <= {"applied", "stale"}

    async def signal_milestones() -> None:
        for name in signalled:
            event = MilestoneReached(milestone=name, on=date(2026, 12, 1))
            await life.handle.signal(CustomerLifecycle.tell, event.model_dump(mode="json"))
            await asyncio.sleep(0.05)

    await asyncio.gather(tell_upsells(), signal_milestones())
    view = await life.until(rests, 40)
    assert sorted(view.milestones) == sorted(signalled)
    assert view.last_seq == 25
    made = await records(house, "erp", "amendments")
    assert len(made) == 25
    quantities = [next(iter(amendment["quantities"].values())) for amendment in made]
    assert quantities == [str(50 + number) for number in range(1, 26)]
    assert await counts(house, "cs") == {"companies": 1, "plans": 1, "tasks": 5, "health": 1}
    assert {kind: number for kind, number in (await counts(house, "erp")).items() if kind != "amendments"} == {
        "customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 2,
    }  # fmt: skip

    async def continued() -> bool:
        return await runs(life) >= 4

    await eventually(continued)


async def test_what_was_heard_before_stays_heard_after_continuing(house: House) -> None:
    life = await served(house)
    for number in range(12):
        assert await life.tell(SupportChanged(severities={2: number % 2})) == ["applied"]
        await life.until(rests)

    async def continued() -> bool:
        return await runs(life) >= 2

    await eventually(continued)
    life.seq -= 1
    assert await life.tell(SupportChanged(severities={1: 9})) == ["stale"]
    await health(house, risk="medium")


async def test_a_continued_lifecycle_keeps_its_dates_its_view_and_its_end(house: House) -> None:
    life = await served(house)
    before = await life.view()
    for number in range(12):
        await life.tell(SupportChanged(severities={2: number % 2}))
        await life.until(rests)

    async def continued() -> bool:
        return await runs(life) >= 2

    await eventually(continued)
    view = await life.until(rests)
    kept = {"term_starts", "term_ends", "window_opens", "next_due", "lines", "effects", "stage"}
    assert view.model_dump(include=kept) == before.model_dump(include=kept)

    async def listed() -> bool:  # a run begins with what its starter knew, and sets the rest itself
        execution = (await life.handle.describe()).raw_description.workflow_execution_info
        return execution.search_attributes.indexed_fields["LifecycleStage"].data == b'"onboarding"'

    await eventually(listed)

    async def published() -> bool:
        shown, asked = await SqlViews(house.database).get(life.contract), await life.view()
        told = {"as_of", "last_seq"}
        return shown is not None and shown.model_dump(exclude=told) == asked.model_dump(exclude=told)

    await eventually(published)
    metadata = await life.handle.query("__temporal_workflow_metadata")
    assert life.contract in str(metadata)
    today = (await life.view()).as_of
    assert today is not None
    ending = EndContract(by="csm", reason="moved away", on=today.date() + timedelta(days=2))
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    assert (await life.until(rests)).stage is Stage.ENDING


async def test_a_window_that_opens_while_the_lifecycle_continues_is_prepared_once(house: House) -> None:
    """A term shorter than its window: activation, onboarding and renewal fall into the first few runs."""
    life = await house.start(house.payload(HOOLI), **{"terms.initial_months": 2, "terms.renewal_months": 2})
    life.handle = lifecycle_handle(house.client, life.handle.id)
    await life.until(lambda view: done(view, "readiness-note") and rests(view))

    async def continued() -> bool:
        return await runs(life) >= 2

    await eventually(continued)
    view = await life.until(rests)
    assert view.stage is Stage.RENEWAL
    in_cs = await counts(house, "cs")
    assert (in_cs["playbooks"], in_cs["notes"], in_cs["plans"]) == (1, 1, 1)
    opportunities = await records(house, "crm", "opportunities")
    assert len([each for each in opportunities if each["Type"] == "Renewal"]) == 1
