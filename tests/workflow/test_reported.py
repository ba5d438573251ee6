"""What the ERP says of a subscription: nobody is woken by what follows from our own writes; anything else is told."""

from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType

from tests.dispatch import Post
from tests.house import House, Life
from tests.workflow.lives import today

UPDATED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def report(post: Post, life: Life, version: int, status: str = "active", **fields: object) -> None:
    data = {"subscription": (await life.view()).effects[f"subscription:{life.contract}"], "status": status}
    said = {"entitled": True, "ends": (today() + timedelta(days=300)).isoformat(), "version": version, **fields}
    await post.desk.receive("subscription.changed", {**data, **said})
    await post.desk.route()
    await post.settle()


async def test_what_the_erp_was_asked_for_wakes_nobody(post: Post) -> None:
    life = await post.win("006-rpa")
    for version in (1, 2):
        await report(post, life, version)
    assert (await post.states(life))[1:] == ["recorded", "recorded"]
    assert [event async for event in life.handle.fetch_history_events() if event.event_type == UPDATED] == []


async def test_what_the_erp_suspends_and_ends_by_itself_is_told_once_each(post: Post) -> None:
    life = await post.win("006-rpb")
    await report(post, life, 2, entitled=False)
    view = await life.until(lambda view: view.entitlement == "suspended")
    await report(post, life, 1)  # of before
    await report(post, life, 2, entitled=False)
    assert (await life.view()).last_seq == view.last_seq
    await report(post, life, 3)
    await life.until(lambda view: view.entitlement == "active")
    await report(post, life, 4, "ended", ends=today().isoformat())
    await life.until(lambda view: view.entitlement == "ended")
