"""A real life, as its subscribers hear of it."""

from itertools import pairwise
from typing import Any

from sqlmodel import col, select

from domain.events import read_event
from store.tables import OutgoingRow
from tests.house import House, Life
from tests.workflow.lives import eventually, renewing, rests


async def told(life: Life) -> list[dict[str, Any]]:
    query = select(OutgoingRow).where(OutgoingRow.contract == life.contract).order_by(col(OutgoingRow.id))
    rows = await life.house.database.read(lambda session: session.exec(query).all())
    return [row.body for row in rows]


def turns(events: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["type"].split(".")[2] in names]


async def test_the_turns_of_a_life_are_told_once_and_in_order(house: House) -> None:
    life = await renewing(house)
    view = await life.until(rests)

    async def settled() -> bool:
        stages = turns(await told(life), "stage_changed")
        return bool(stages) and stages[-1]["stage"] == view.stage.value

    await eventually(settled)
    events = await told(life)
    [started] = turns(events, "started")
    [activated] = turns(events, "activated")
    [opened] = turns(events, "renewal_opened")
    assert started == {key: started[key] for key in ("contract", "account", "deal", "on")}
    assert activated["subscription"] == view.effects[f"subscription:{life.contract}"]
    assert activated["customer"] in view.effects.values()
    assert (activated["term_ends"], opened["term_ends"]) == (str(view.term_ends), str(view.term_ends))
    billed = {line["line"]: line["starts"] for line in turns(events, "billing_started")}
    assert billed == {line.id: str(line.billing_starts) for line in view.lines}
    assert len(turns(events, "billing_started")) == len(view.lines)
    stages = turns(events, "stage_changed")
    assert stages[0]["before"] == ""
    assert all(one["stage"] == other["before"] for one, other in pairwise(stages))
    assert not turns(events, "ended", "cancelled", "renewal_decided", "term_begun")
    assert len({event["id"] for event in events}) == len(events)
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert all(read_event(event).data for event in events)
