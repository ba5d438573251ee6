"""A step that is done is shown at once: its view is published before the workflow hears of it."""

import time
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.boundary import temporal_failures
from domain.books import ViewRow, Views
from domain.showing import face, view_after
from domain.steps import Perform, Performed


class Showing(Interceptor):
    """For the worker of a connection's task queue. A step that is performed again, since its answer or its view was
    lost, is done by its ledger's word and shown again: an older view never wins."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Showing(next, self._views)


class _Showing(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, views: Views) -> None:
        super().__init__(next)
        self._views = views

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        began = time.monotonic()
        result = await super().execute_activity(input)
        request = input.args[0] if input.args else None
        if not isinstance(request, Perform) or request.shows is None or not isinstance(result, Performed):
            return result
        shows = request.shows
        view = view_after(shows, request.step, result, _now(request.as_of, time.monotonic() - began))
        row = ViewRow(
            contract=request.contract,
            run_started=shows.run_started,
            sequence=shows.sequence,
            view=view.model_dump(mode="json"),
        )
        with temporal_failures():
            await self._views.publish(row)
        return result.model_copy(update={"shown": face(view)})


def _now(asked: datetime, took: float) -> datetime:
    """Business time: when the step was asked for, what it waited and was tried since, and this try."""
    info = activity.info()
    return asked + (info.started_time - info.scheduled_time) + timedelta(seconds=took)
