"""What the store shows of a lifecycle is what the lifecycle says of itself."""

import json

from store.views import SqlViews
from tests.house import House
from tests.workflow.lives import eventually, rests, serving

NO_NEWS = {"as_of", "last_seq"}


async def test_each_view_has_a_number_of_its_own_and_the_last_one_stands(house: House) -> None:
    life = await serving(house)
    asked = await life.until(rests)

    async def stored() -> bool:
        shown = await SqlViews(house.database).get(life.contract)
        return shown is not None and shown.model_dump(exclude=NO_NEWS) == asked.model_dump(exclude=NO_NEWS)

    await eventually(stored)
    sequences = []
    async for event in life.handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            [request] = event.activity_task_scheduled_event_attributes.input.payloads
            sequences.append(json.loads(request.data)["view"]["sequence"])
    # several steps asked in one task show several states: none of them may pass for another
    assert sorted(set(sequences)) == sequences
