"""Waiting for a connection's limit, before an activity begins: no lease and no deadline runs meanwhile."""

from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.boundary import temporal_failures
from domain.errors import RateLimited
from domain.limits import Turns
from domain.urgency import USUAL

LATER = 1.5  # seconds that a call waits in the middle of an activity


class Paced(Interceptor):
    """For the worker of a connection's task queue. An activity waits here as long as its start-to-close allows beyond
    its heartbeat timeout, and heartbeats meanwhile, so that a wait costs no attempt and a dead worker is still noticed;
    without a heartbeat timeout, a third of its start-to-close. Of those that wait, the more urgent go first: by the
    priority that Temporal knows them by."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Paced(next, self._turns)


class _Paced(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, turns: Turns) -> None:
        super().__init__(next)
        self._turns = turns

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        attempt, beat = info.start_to_close_timeout or timedelta(), info.heartbeat_timeout
        wait = attempt - beat if beat else attempt / 3
        with temporal_failures():
            urgency = info.priority.priority_key or USUAL
            async with self._turns.ahead(wait.total_seconds(), later=LATER, meanwhile=_meanwhile, urgency=urgency):
                return await super().execute_activity(input)


def _meanwhile() -> None:
    if activity.is_worker_shutdown():
        raise RateLimited("the worker stops while the call waits for its turn", retry_after=timedelta(seconds=1))
    activity.heartbeat()
