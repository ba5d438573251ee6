"""Living a history again: in the worker's own sandbox and data converter, without a worker and without a server."""

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import BaseModel
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInterceptorClassInput,
)

from starter.replaying.commands import ATTRIBUTES, Command, given
from starter.runner import ContextFree, OneSandboxRunner
from workflows.carrying import CarriesTraces
from workflows.change_feed import ReadChangeFeed
from workflows.lifecycle import CustomerLifecycle

WORKFLOWS = (CustomerLifecycle, ReadChangeFeed)
"""Every type of workflow that a worker of ours runs."""
LONGEST, EACH = timedelta(seconds=30), timedelta(milliseconds=50)
"""How long a replay may take, and how much longer with each event: fifty times what it does."""
THREAD = "replay"
_here = threading.local()
TYPES = ("CustomerLifecycle", "ReadChangeFeed")


@dataclass
class Lived:
    """The commands that were given, and the state in which it ended: the run's argument, which it changes as it lives.
    None: it has not ended yet."""

    commands: list[Command] = field(default_factory=list)
    state: BaseModel | None = None


async def live_apart(history: WorkflowHistory) -> Lived:
    """Replay a history in a thread that can be left behind: the replayer never comes back from code that runs in
    circles. TimeoutError where it takes longer than any history does."""
    loop = asyncio.get_running_loop()
    lived: asyncio.Future[Lived] = loop.create_future()

    def settle(result: Lived | None, error: Exception | None) -> None:
        if lived.done():
            return
        if result is not None:
            lived.set_result(result)
        else:
            lived.set_exception(error or RuntimeError("the replay told nothing"))

    def live() -> None:
        result, failure = None, None
        try:
            result = asyncio.run(live_again(history))
        except Exception as error:  # raised in the thread that waits
            failure = error
        with suppress(RuntimeError):  # whoever waited has left with its loop
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=live, name=f"{THREAD} {history.workflow_id}", daemon=True).start()
    return await asyncio.wait_for(lived, LONGEST.total_seconds() + EACH.total_seconds() * len(history.events))


async def live_again(history: WorkflowHistory) -> Lived:
    """Replay a history with today's code. Raises what the replayer raises when that can't be done."""
    lived = Lived()
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=RecordingRunner(lived.commands),
        data_converter=pydantic_data_converter,
        interceptors=[StateKeeper(lived), CarriesTraces()],
        runtime=_silent(),
    )
    await replayer.replay_workflow(history)
    return lived


@cache
def _silent() -> Runtime:
    """The SDK would log each difference with the values of the history, in its core and in Python."""
    for module in ("_workflow", "_workflow_instance"):
        logging.getLogger(f"temporalio.worker.{module}").addFilter(_is_of_no_replay)
    return Runtime(telemetry=TelemetryConfig(logging=None))


def _is_of_no_replay(record: logging.LogRecord) -> bool:
    return not (getattr(_here, "lives_again", False) or (record.threadName or "").startswith(THREAD))


class RecordingRunner(OneSandboxRunner):
    """The production sandbox, reading along what the code in it commands."""

    commands: list[Command]

    def __init__(self, commands: list[Command]) -> None:
        super().__init__()
        object.__setattr__(self, "commands", commands)

    def create_instance(self, det: Any) -> WorkflowInstance:
        return _Instance(super().create_instance(det), self.commands)


class _Instance(ContextFree):
    def __init__(self, inner: WorkflowInstance, commands: list[Command]) -> None:
        super().__init__(inner)
        self._commands = commands
        self._attributes = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        _here.lives_again = True
        try:
            completion = super().activate(act)
        finally:
            _here.lives_again = False
        for each in completion.successful.commands:
            command = given(each, self._attributes + 1, self.get_info().task_queue)
            if command is not None:
                self._attributes += command.name == ATTRIBUTES
                self._commands.append(command)
        return completion


class StateKeeper(Interceptor):
    """Keeps the state in which the workflow ended."""

    def __init__(self, lived: Lived) -> None:
        self._lived = lived

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        lived = self._lived

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                result = await super().execute_workflow(input)
                lived.state = input.args[0]
                return result

        return Inbound
