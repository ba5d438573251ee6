"""Lifecycles that wait, and two later codes of theirs that can't go on."""

from datetime import timedelta

from temporalio import workflow


@workflow.defn(name="CustomerLifecycle")
class Waits:
    @workflow.run
    async def run(self) -> None:
        self._told = False
        await workflow.wait_condition(lambda: self._told, timeout=timedelta(days=400))

    @workflow.signal
    def nudge(self) -> None:
        """Makes a task."""


@workflow.defn(name="CustomerLifecycle")
class Changed(Waits):
    """Without the timer that its history holds."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="CustomerLifecycle")
class Raises(Waits):
    @workflow.run
    async def run(self) -> None:
        raise KeyError("ap@hooli.example")
