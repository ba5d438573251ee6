"""What the store shows of a lifecycle is what the lifecycle says of itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from domain.errors import SourceUnavailable
from domain.view import LifecycleView
from starter import delivery
from store.views import SqlViews
from tests.dispatch import Post
from tests.house import House, Life
from tests.workflow.lives import done, eventually, rests, serving, settled_length

NO_NEWS = {"as_of", "last_seq"}


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def shown(life: Life) -> LifecycleView | None:
    return await SqlViews(life.house.database).get(life.contract)


async def as_it_says(life: Life) -> bool:
    """Whether the store shows what the lifecycle says."""
    seen, said = await shown(life), await life.view()
    return seen is not None and seen.model_dump(exclude=NO_NEWS) == said.model_dump(exclude=NO_NEWS)


@asynccontextmanager
async def watched(life: Life) -> AsyncIterator[list[LifecycleView]]:
    """What a reader of the store sees meanwhile."""
    seen: list[LifecycleView] = []

    async def look() -> None:
        while True:
            if (now := await shown(life)) is not None and (not seen or now != seen[-1]):
                seen.append(now)
            await asyncio.sleep(0.005)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


async def test_each_view_has_a_number_of_its_own_and_the_last_one_stands(house: House) -> None:
    life = await serving(house)
    await life.until(rests)
    await eventually(lambda: as_it_says(life))
    sequences = []
    async for event in life.handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            [request] = event.activity_task_scheduled_event_attributes.input.payloads
            asked = json.loads(request.data)
            if row := asked["view"] or asked.get("shows"):
                sequences.append(row["sequence"])
    # several steps asked in one task show several states: none of them may pass for another
    assert sorted(set(sequences)) == sequences


async def test_what_was_shown_as_done_stays_shown(house: House) -> None:
    """Steps of several systems end in any order, and each shows what it has done."""
    await house.fault(system="cs", operation="ensure_company", kind="slow", seconds=0.3)
    life = await house.start(house.payload("salesforce_new_hooli"))
    async with watched(life) as seen:
        await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view))
        await eventually(lambda: as_it_says(life))
    for before, after in pairwise(seen):
        assert before.effects.items() <= after.effects.items()


async def test_a_step_that_fails_for_hours_hides_neither_itself_nor_what_else_happens(post: Post) -> None:
    life = await post.win("006-views-1")
    await post.house.fault(system="erp", operation="amend_subscription", kind="down", retry_after="0")
    await post.upsell("006-views-up", 5, to="006-views-1")
    await post.settle()
    await life.travel(0.01)

    async def in_need() -> bool:
        seen = await shown(life)
        return seen is not None and any(case.id.startswith("amendment:") for case in seen.cases)

    await eventually(in_need)
    await post.milestone(life, "kick-off")
    await post.settle()

    async def told() -> bool:
        seen = await shown(life)
        return seen is not None and "kick-off" in seen.milestones and bool(seen.cases)

    await eventually(told)


async def test_a_dispatcher_that_dies_with_the_answer_in_hand_loses_no_view(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await post.win("006-views-2")
    await settled_length(life)

    def dies(*_: Any) -> bool:
        raise SourceUnavailable("the store is away")

    monkeypatch.setattr(delivery, "publish_view", dies)
    await post.milestone(life, "kick-off")
    with pytest.raises(SourceUnavailable):
        await post.settle()
    assert "kick-off" in (await life.view()).milestones
    assert "pending" in await post.states(life)
    monkeypatch.undo()
    await post.settle()
    seen = await shown(life)
    assert seen is not None
    assert "kick-off" in seen.milestones


async def test_an_event_that_nothing_follows_from_costs_one_action(post: Post) -> None:
    life = await post.win("006-views-3")
    before = await settled_length(life)
    await post.milestone(life, "kick-off")
    await post.settle()
    assert await settled_length(life) - before == 5, "one Update: two tasks of events, accepted and completed"
