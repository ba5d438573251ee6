"""The feeds' schedules follow the configuration, and an operator's pause stays."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy

from domain import keys
from starter.schedules import ensure_schedules
from starter.settings import Settings
from tests.feeds import until


def settings_with(tenant: str, **feeds: dict[str, Any]) -> Settings:
    given = {name: {"connection": "erp", "every": 86_400.0, **feed} for name, feed in feeds.items()}
    return Settings.model_validate({"tenant": tenant, "feeds": given})


@pytest.fixture
async def tenant(temporal: Client) -> AsyncIterator[str]:
    name = f"t{uuid.uuid4().hex[:8]}"
    yield name
    await ensure_schedules(temporal, settings_with(name))


async def listed(temporal: Client, tenant: str) -> list[str]:
    prefix = keys.feed_schedule(tenant, "")
    return sorted([each.id async for each in await temporal.list_schedules() if each.id.startswith(prefix)])


async def test_one_schedule_per_feed_without_overlap_and_with_jitter(temporal: Client, tenant: str) -> None:
    assert await ensure_schedules(temporal, settings_with(tenant, erp={"jitter": 7}, books={})) == [
        f"feed/{tenant}/books",
        f"feed/{tenant}/erp",
    ]
    schedule = (await temporal.get_schedule_handle(f"feed/{tenant}/erp").describe()).schedule
    assert [each.every for each in schedule.spec.intervals] == [timedelta(days=1)]
    assert schedule.spec.jitter == timedelta(seconds=7)
    assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert schedule.policy.catchup_window == timedelta(seconds=10)


async def test_a_changed_configuration_changes_it_and_a_pause_stays(temporal: Client, tenant: str) -> None:
    await ensure_schedules(temporal, settings_with(tenant, erp={}))
    handle = temporal.get_schedule_handle(f"feed/{tenant}/erp")
    await handle.pause(note="the ERP moves this weekend")
    for _ in range(2):
        await ensure_schedules(temporal, settings_with(tenant, erp={"every": 600.0}))
    schedule = (await handle.describe()).schedule
    assert [each.every for each in schedule.spec.intervals] == [timedelta(minutes=10)]
    assert (schedule.state.paused, schedule.state.note) == (True, "the ERP moves this weekend")


async def test_a_feed_that_is_gone_takes_its_schedule_along_and_no_other(temporal: Client, tenant: str) -> None:
    neighbour = f"{tenant}-too"
    await ensure_schedules(temporal, settings_with(tenant, erp={}, books={}))
    await ensure_schedules(temporal, settings_with(neighbour, erp={}))

    async def seen() -> bool:  # what is listed follows after a moment
        return len(await listed(temporal, tenant)) == 2 and len(await listed(temporal, neighbour)) == 1

    await until(seen)
    await ensure_schedules(temporal, settings_with(tenant, books={}))

    async def gone() -> bool:
        return await listed(temporal, tenant) == [f"feed/{tenant}/books"]

    await until(gone)
    assert await listed(temporal, neighbour) == [f"feed/{neighbour}/erp"]
    await ensure_schedules(temporal, settings_with(neighbour))
