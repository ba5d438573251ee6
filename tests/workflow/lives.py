"""What the lifecycle tests share: bringing a contract to where a test begins, moving its clock, asking the box."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError

from domain import calendar
from domain.messages import LifecycleOutcome, MilestoneReached
from domain.view import LifecycleView
from starter.travel import CannotTravel, fast_forward, workflow_clock
from tests.house import House, Life

HOOLI = "salesforce_new_hooli"
ZONE = "Europe/Berlin"


def rests(view: LifecycleView) -> bool:
    return not view.pending and not view.cases


def done(view: LifecycleView, fact: str) -> bool:
    """Whether a fact of this kind is recorded, such as "onboarding"."""
    return any(key.startswith(f"{fact}:") for key in view.effects)


async def onboarding(house: House, **changes: Any) -> Life:
    """An activated contract whose go-live is still to come."""
    life = await house.start(house.payload(HOOLI), **changes)
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view))
    return life


async def serving(house: House, **changes: Any) -> Life:
    """A live contract: all its lines are billed."""
    life = await onboarding(house, **changes)
    await go_live(life)
    return life


async def go_live(life: Life) -> LifecycleView:
    today = (await clock(life)).date()
    assert await life.tell(MilestoneReached(milestone="go-live", on=today)) == ["applied"]
    return await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))


async def renewing(house: House, **changes: Any) -> Life:
    """A live contract whose renewal window has opened and is prepared."""
    life = await serving(house, **changes)
    await open_window(life)
    return life


async def open_window(life: Life) -> LifecycleView:
    await to_day(life, _known((await life.view()).window_opens))
    return await life.until(prepared)


def prepared(view: LifecycleView) -> bool:
    term = f":{view.term}"
    facts = ("renewal-opportunity:", "playbook:", "readiness-note:")
    made = [any(key.startswith(fact) and key.endswith(term) for key in view.effects) for fact in facts]
    return view.readiness is not None and all(made)


def readiness(view: LifecycleView) -> dict[str, Any]:
    """The view's readiness as a reader of JSON sees it; empty before it is known."""
    return view.readiness or {}


def opportunity(view: LifecycleView) -> str:
    """The CRM's renewal opportunity of the term that runs."""
    keys = [key for key in view.effects if key.startswith("renewal-opportunity:") and key.endswith(f":{view.term}")]
    return view.effects[keys[0]]


async def settled_length(life: Life) -> int:
    """The history's length, once it grows no more: the last levels are told."""
    length = -1
    for _ in range(50):
        if (now := await history_length(life)) == length:
            return length
        length = now
        await asyncio.sleep(0.3)
    raise AssertionError(f"the history grows on: {length}")


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def clock(life: Life) -> datetime:
    """The lifecycle's clock as its contract's zone reads it: its date is the contract's day."""
    return (await workflow_clock(life.house.client, life.handle.id)).astimezone(ZoneInfo(ZONE))


def today() -> date:
    """The day in the zone of the tests' contracts, which for some hours is not the one in UTC."""
    return datetime.now(ZoneInfo(ZONE)).date()


async def to_instant(life: Life, instant: datetime, *, box: bool = True) -> None:
    """Move the lifecycle's clock, and the box's with it, to an instant (the whole second after it)."""
    if box:
        await set_box_clock(life.house, instant)
    ahead = instant - await clock(life)
    await fast_forward(life.house.client, life.handle.id, timedelta(seconds=int(ahead.total_seconds()) + 1))


async def to_day(life: Life, day: date | None, zone: str = ZONE) -> None:
    await to_instant(life, calendar.start_of_day(_known(day), zone))


async def to_term_end(life: Life, zone: str = ZONE) -> None:
    await to_day(life, _known((await life.view()).term_ends), zone)


async def to_end(life: Life, day: date, zone: str = ZONE) -> LifecycleOutcome:
    """Move to the day on which the contract ends; the clock stops with the lifecycle."""
    with suppress(CannotTravel):
        await to_instant(life, calendar.start_of_day(day, zone) + timedelta(days=1))
    return await life.handle.result()


async def set_box_clock(house: House, instant: datetime) -> None:
    (await house.http.post("/admin/clock", json={"now": instant.isoformat()})).raise_for_status()


def _known(day: date | None) -> date:
    assert day is not None
    return day


# ── the outside world ────────────────────────────────────────────────────────────────────────────────────────────


async def records(house: House, system: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await house.box())["records"].get(system, {}).get(kind, [])
    return found


async def counts(house: House, system: str) -> dict[str, int]:
    found: dict[str, int] = (await house.box())["counts"].get(system, {})
    return found


async def calls(house: House, system: str, operation: str | None = None) -> list[dict[str, Any]]:
    query = {"system": system} | ({"operation": operation} if operation else {})
    found: list[dict[str, Any]] = (await house.http.get("/admin/calls", params=query)).json()
    return found


async def deal(life: Life) -> dict[str, Any]:
    """The CRM's deal that the contract was won with."""
    deal_id = (await life.view()).deal
    [found] = [each for each in await records(life.house, "crm", "opportunities") if each["Id"] == deal_id]
    return found


async def eventually(met: Callable[[], Awaitable[Any]], seconds: float = 20) -> None:
    """Wait until the outside world is as wanted."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        if await met():
            return
        assert asyncio.get_running_loop().time() < until, f"{met.__qualname__} did not come true"
        await asyncio.sleep(0.05)


async def health(house: House, **wanted: str) -> None:
    """Wait until the CSM sees this of the one company in CS."""

    async def shown() -> bool:
        found = await records(house, "cs", "health")
        return len(found) == 1 and wanted.items() <= found[0].items()

    await eventually(shown)


# ── the history ──────────────────────────────────────────────────────────────────────────────────────────────────


async def history_length(life: Life) -> int:
    described = await life.handle.describe()
    return int(described.raw_description.workflow_execution_info.history_length)


async def events(life: Life) -> Counter[str]:
    """How often each type of event stands in the history, such as TIMER_STARTED."""
    history = await life.handle.fetch_history()
    return Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)


async def refusal(command: Awaitable[Any]) -> str:
    """The reason for which an update is refused; fails when it is not."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await command
    return str(caught.value.cause)
