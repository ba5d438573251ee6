"""A workflow of six activities that do nothing: what an engine costs by itself."""

from datetime import timedelta

from temporalio import activity, workflow

ACTIVITIES = 6


@activity.defn(name="server.nothing")
async def nothing() -> None:
    """What is measured is the way to it, and back."""


@workflow.defn(name="SixNothings")
class SixNothings:
    @workflow.run
    async def run(self) -> None:
        for _ in range(ACTIVITIES):
            await workflow.execute_activity("server.nothing", start_to_close_timeout=timedelta(seconds=10))
