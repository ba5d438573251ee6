"""Fast-forward as people mean it: from due date to due date, everything that is due done before the clock goes on.

Three clocks move together: the workflow's (by the server), the store's view of it (for the sweep), and the box's.
"""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from sqlmodel import col, func, select

from domain.calendar import start_of_day
from starter.delivery import zone_of
from starter.settings import Settings
from starter.sweep import next_sweep, sweep_one
from starter.travel import CannotTravel, RunEnded, fast_forward, pending_attempts, workflow_clock
from store.lifecycles import Lifecycles
from store.tables import DeliveryRow, InboxRow, LifecycleRow

if TYPE_CHECKING:
    from starter.office import Office

PATIENCE = 90.0
FARTHEST = timedelta(days=36_525)  # the server counts a jump in nanoseconds, which end after 292 years


class TimeMachine:
    """Moves one lifecycle's clock. The box's clock follows where the connections lead to the local sandbox."""

    def __init__(self, office: "Office", settings: Settings) -> None:
        self._office = office
        self._box = httpx.AsyncClient(base_url=settings.sandbox_url, timeout=5, trust_env=False)
        self._with_box = any(connection.base_url is None for connection in settings.connections.values())

    async def clock(self, life: LifecycleRow) -> datetime:
        return await workflow_clock(self._office.client, life.workflow_id)

    async def go(self, life: LifecycleRow, *, day: date | None, by: timedelta) -> list[dict[str, Any]]:
        """Go to the start of `day`, or ahead by `by`; returns the stops, with what each was for.

        Raises CannotTravel while an activity retries (its back-off would be skipped too), when the lifecycle does not
        come to rest, and on a server that can't skip time.
        """
        view = await self._office.view(life)
        now = await self.clock(life)
        zone = await self._zone(life)
        if day is not None and abs(day - now.date()) > FARTHEST:
            raise CannotTravel(f"{day} is too far away: at most {FARTHEST.days} days at once")
        goal = start_of_day(day, zone) if day else now + by
        if goal <= now:
            raise CannotTravel(f"it is {now:%Y-%m-%d %H:%M} UTC for this lifecycle already; time travels forward only")
        await self._refuse_retries(life)
        stops = []
        while now < goal:
            view = await self._office.view(life)
            at, why = await self._next_stop(life, view.next_due, view.next_step, now, goal)
            stops.append({"at": at, "why": why})
            try:
                await fast_forward(self._office.client, life.workflow_id, _whole_seconds(at - now))
            except RunEnded:
                break
            now = await self.clock(life)
            await self._move_others(life, now)
            if not await self._rest(life):
                break
        return stops

    async def _next_stop(
        self, life: LifecycleRow, due: datetime | None, step: str, now: datetime, goal: datetime
    ) -> tuple[datetime, str]:
        zone = await self._zone(life)
        stops = [(goal, "arrived")]
        if due is not None:
            stops.append((due, step))
        if sweep_day := await self._office.database.read(
            lambda session: next_sweep(session, session.get_one(LifecycleRow, life.contract), self._office.company)
        ):
            stops.append((start_of_day(sweep_day, zone), "an invoice's due date passes"))
        if self._with_box and (box := (await self._box.get("/admin/due")).json()["next"]):
            stops.append((datetime.fromisoformat(box), "something is due in the sandbox"))
        return min((stop for stop in stops if stop[0] > now), default=(goal, "arrived"))

    async def _move_others(self, life: LifecycleRow, now: datetime) -> None:
        """The store's clock of this lifecycle and the box's follow; what their due dates bring is ticked."""
        shift = (now - datetime.now(UTC)).total_seconds()
        await Lifecycles(self._office.database).shift_clock(life.contract, shift)
        if self._with_box:
            await self._box.post("/admin/clock", json={"now": now.isoformat()})
        await self._office.database.write(lambda session: sweep_one(session, life.contract, self._office.company))

    async def _rest(self, life: LifecycleRow) -> bool:
        """Wait until nothing is under way any more; False when the lifecycle has ended."""
        give_up = asyncio.get_running_loop().time() + PATIENCE
        calm = 0
        while calm < 2:
            if asyncio.get_running_loop().time() > give_up:
                attempts = await pending_attempts(self._office.client, life.workflow_id)
                raise CannotTravel(f"{life.contract} does not come to rest; under way: {attempts or 'its events'}")
            description = await self._office.handle(life).describe()
            if description.close_time is not None:
                return False
            raw = description.raw_description
            busy = raw.pending_activities or raw.HasField("pending_workflow_task") or await self._waiting(life)
            calm = 0 if busy else calm + 1
            await asyncio.sleep(0.05)
        return True

    async def _waiting(self, life: LifecycleRow) -> int:
        """Events that are not delivered yet, here and in the box's outbox."""
        if self._with_box:
            webhooks = (await self._box.get("/admin/webhooks")).json()
            if any(webhook["state"] == "pending" for webhook in webhooks):
                return 1
        received = select(func.count()).where(InboxRow.state == "received")
        pending = select(func.count()).where(DeliveryRow.state == "pending", col(DeliveryRow.stream) == life.contract)
        return await self._office.database.read(
            lambda session: session.exec(received).one() + session.exec(pending).one()
        )

    async def _refuse_retries(self, life: LifecycleRow) -> None:
        retrying = {
            name: attempt
            for name, attempt in (await pending_attempts(self._office.client, life.workflow_id)).items()
            if attempt > 1
        }
        if retrying:
            names = ", ".join(f"{name} (attempt {attempt})" for name, attempt in retrying.items())
            raise CannotTravel(f"an activity retries and its waiting would be skipped: {names}; mend it or wait")

    async def _zone(self, life: LifecycleRow) -> str:
        return await self._office.database.read(lambda session: zone_of(session, life.contract))


def _whole_seconds(by: timedelta) -> timedelta:
    """The server moves by whole seconds; arriving a moment late is on time, a moment early is not."""
    return timedelta(seconds=int(by.total_seconds()) + 1)
