"""One simulated lifecycle's clock: it goes from stop to stop, and whatever falls due on the way is done in between."""

import asyncio
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client

from starter.mistakes import Mistake
from starter.travel import CannotTravel, RunEnded, clock_of, fast_forward, workflow_clock

PATIENCE = 60.0
MARGIN = timedelta(minutes=1)
"""How far a jump leads past what is due at its end. By less a busy server might pass it before its timers have fired:
the clock goes on by itself, too."""
BACK_OFF = timedelta(minutes=1)
"""Longer than all attempts of one activity wait."""


class Clockwork:
    """`shift`: business time minus the workflow's clock. The server skips no time while anything is under way, so
    that one jump leads through all due dates on the way, in order."""

    def __init__(self, client: Client, workflow_id: str, shift: timedelta) -> None:
        self._client = client
        self._id = workflow_id
        self._shift = shift
        self._rested: datetime | None = None
        self.history = 0
        """How many events the lifecycle's history had when it last rested."""

    async def now(self) -> datetime:
        """Business time, when it last rested: while nothing is under way, nothing happens by itself but in a jump."""
        clock = self._rested or await workflow_clock(self._client, self._id)
        return clock + self._shift

    async def go(self, to: datetime) -> bool:
        """Be at a business instant, or a moment after it, with everything done. False when the lifecycle has ended."""
        ahead = to - await self.now()
        if ahead > timedelta() and not await self._skip(timedelta(seconds=int(ahead.total_seconds())) + MARGIN):
            return False
        return await self.rest()

    async def rest(self) -> bool:
        """Wait until nothing is under way any more. False when the lifecycle has ended."""
        give_up = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < give_up:
            described = await self._client.get_workflow_handle(self._id).describe()
            self.history = int(described.raw_description.workflow_execution_info.history_length)
            if described.close_time is not None:
                return False
            raw = described.raw_description
            if raw.HasField("pending_workflow_task"):
                if raw.pending_workflow_task.attempt > 1:
                    raise Mistake(f"the lifecycle's code fails: {await self._failure()}")
            elif not raw.pending_activities:
                self._rested = clock_of(described)
                return True
            elif all(_waits(each.state, each.attempt) for each in raw.pending_activities):
                if not await self._skip(BACK_OFF):  # it waits by the lifecycle's clock, not by ours
                    return False
                continue
            await asyncio.sleep(0.004)
        names = sorted({each.activity_type.name for each in raw.pending_activities})
        raise CannotTravel(f"the simulation does not come to rest; under way: {', '.join(names) or 'its decisions'}")

    async def _skip(self, by: timedelta) -> bool:
        try:
            await fast_forward(self._client, self._id, by)
        except RunEnded:
            return False
        return True

    async def _failure(self) -> str:
        """What the last failed workflow task says."""
        async for event in self._client.get_workflow_handle(self._id).fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message.splitlines()[0]
        return "see its history"


def _waits(state: PendingActivityState.ValueType, attempt: int) -> bool:
    return state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED and attempt > 1
