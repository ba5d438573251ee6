"""Living a history again: in the worker's own sandbox and data converter, without a worker and without a server."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInterceptorClassInput,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from starter.replaying.commands import ATTRIBUTES, Command, given
from workflows.carrying import CarriesTraces
from workflows.change_feed import ReadChangeFeed
from workflows.lifecycle import CustomerLifecycle

WORKFLOWS = (CustomerLifecycle, ReadChangeFeed)
"""Every type of workflow that a worker of ours runs."""
TYPES = ("CustomerLifecycle", "ReadChangeFeed")


@dataclass
class Lived:
    """The commands that were given, and the state in which it ended: the run's argument, which it changes as it lives.
    None: it has not ended yet."""

    commands: list[Command] = field(default_factory=list)
    state: BaseModel | None = None


async def live_again(history: WorkflowHistory) -> Lived:
    """Replay a history with today's code. Raises what the replayer raises when that can't be done."""
    lived = Lived()
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=RecordingRunner(lived.commands),
        data_converter=pydantic_data_converter,
        interceptors=[StateKeeper(lived), CarriesTraces()],
    )
    await replayer.replay_workflow(history)
    return lived


class RecordingRunner(SandboxedWorkflowRunner):
    """The production sandbox, reading along what the code in it commands."""

    commands: list[Command]

    def __init__(self, commands: list[Command]) -> None:
        super().__init__()
        object.__setattr__(self, "commands", commands)

    def create_instance(self, det: Any) -> WorkflowInstance:
        return _Instance(super().create_instance(det), self.commands)


class _Instance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, commands: list[Command]) -> None:
        self._inner = inner
        self._commands = commands
        self._attributes = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        for each in completion.successful.commands:
            command = given(each, self._attributes + 1, self._inner.get_info().task_queue)
            if command is not None:
                self._attributes += command.name == ATTRIBUTES
                self._commands.append(command)
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Any:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


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
