"""How every recorded life begins, and how most end."""

from datetime import timedelta
from typing import Any

from domain.changes.kinds import Change, ChangeContract
from domain.messages import EndContract
from tests.house import House, Life
from tests.workflow.lives import HOOLI, clock, done, go_live, rests, to_end
from workflows.lifecycle import CustomerLifecycle


async def start(house: House, path: str, payload: str = HOOLI, /, **changes: Any) -> Life:
    record = house.payload(payload)
    usage = {"active": 45, "entitled": 50}
    token = {"Authorization": "Bearer sandbox"}
    await house.http.put(f"/usage/accounts/{record['AccountId']}", json=usage, headers=token)
    return await house.start(record, f"corpus/{path}/1", **changes)


async def serve(life: Life) -> None:
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    await go_live(life)


async def change(life: Life, change: Change, name: str) -> None:
    command = ChangeContract(id=name, by="csm", change=change)
    await life.handle.execute_update(CustomerLifecycle.change, command)


async def end_soon(life: Life) -> None:
    day = (await clock(life)).date() + timedelta(days=10)
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=day))
    await to_end(life, day)
