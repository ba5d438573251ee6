"""The replay gate: today's code lives recorded histories again, and asks for exactly what was asked then.

Temporal's own replay compares which commands come in which order. It does not see a changed activity input, a moved
timer or another end: those are compared here, with what `python -m tests.replay.record` wrote beside each history.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
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

from domain.state import LifecycleState
from workflows.carrying import CarriesTraces
from workflows.lifecycle import CustomerLifecycle

HISTORIES = Path(__file__).parent / "histories"
EXPECTED = ".expected.json"

# The view is what people are shown: it may grow and be worded anew without endangering a running lifecycle.
SHOWN = {"view", "sequence", "run_started"}
EMPTY: tuple[Any, ...] = (None, [], {}, "")

ADVICE = """\
Lifecycles that run for years hold histories like this one; with this change they would stop, or act twice.
 - Keep the old way for them:  if workflow.patched("<what changed>"): <new way>  else: <old way>
 - Or, where no lifecycle of the old kind exists anywhere, record anew and commit:  python -m tests.replay.record"""


class GateRed(AssertionError):
    """Today's code would not live a recorded history as it was lived."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"replay gate: {path}: {what}\n{ADVICE}")


@dataclass(frozen=True)
class Recorded:
    """A completed history and what was recorded beside it: {"commands": [[name, input], …], "state": …}."""

    path: str
    history: WorkflowHistory
    expected: dict[str, Any]


def corpus(folder: Path = HISTORIES, only: Iterable[str] = ()) -> list[Recorded]:
    """The recorded paths, or some of them."""
    names = sorted(only) or sorted(file.name.removesuffix(EXPECTED) for file in folder.glob(f"*{EXPECTED}"))
    return [
        Recorded(
            path=name,
            history=WorkflowHistory.from_json(f"replay-{name}", (folder / f"{name}.json").read_text()),
            expected=json.loads((folder / f"{name}{EXPECTED}").read_text()),
        )
        for name in names
    ]


async def replay_gate(histories: Sequence[Recorded]) -> None:
    """Raises GateRed at the first history that is not lived as it was recorded."""
    for recorded in histories:
        if scheduled(recorded.history) != [each for each in recorded.expected["commands"] if each[0] in REMOTE]:
            raise GateRed(recorded.path, f"what is written beside the history ({EXPECTED}) is not of this history")
        try:
            lived = await live_again(recorded.history)
        except Exception as error:
            raise GateRed(recorded.path, f"it can't be replayed any more: {error}") from error
        _compare(recorded.path, recorded.expected, lived)


def _compare(path: str, expected: dict[str, Any], lived: dict[str, Any]) -> None:
    for number, (was, now) in enumerate(zip(expected["commands"], lived["commands"], strict=False), 1):
        if was[0] != now[0] or not _as_before(was[1], now[1]):
            raise GateRed(path, f"command {number} was {was[0]}, now {now[0]}: {_difference(was[1], now[1])}")
    if len(expected["commands"]) != len(lived["commands"]):
        raise GateRed(path, f"{len(expected['commands'])} commands were given, now {len(lived['commands'])}")
    # As today's code reads what was recorded: fields that were added since then are at their defaults, at any depth.
    state = LifecycleState.model_validate(expected["state"]).model_dump(mode="json")
    if state != lived["state"]:
        raise GateRed(path, f"the final state is another: {_difference(state, lived['state'])}")


def _as_before(was: Any, now: Any) -> bool:
    """Whether two JSON values say the same. A field that was added since then says nothing while it is empty."""
    if isinstance(was, dict) and isinstance(now, dict):
        added = [value for name, value in now.items() if name not in was]
        return all(_as_before(was[name], now.get(name)) for name in was) and all(value in EMPTY for value in added)
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(_as_before, was, now))
    return bool(was == now)


def _difference(was: Any, now: Any, at: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            if was.get(key) != now.get(key):
                return _difference(was.get(key), now.get(key), f"{at}.{key}")
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            if one != other:
                return _difference(one, other, f"{at}[{index}]")
    return f"{at or 'its input'} was {json.dumps(was)[:200]}, is {json.dumps(now)[:200]}"


# ── living a history again ───────────────────────────────────────────────────────────────────────────────────────


async def live_again(history: WorkflowHistory) -> dict[str, Any]:
    """Replay in the worker's own sandbox and data converter: the commands given, and the final state."""
    runner, keeper = RecordingRunner(), StateKeeper()
    replayer = Replayer(
        workflows=[CustomerLifecycle],
        workflow_runner=runner,
        data_converter=pydantic_data_converter,
        interceptors=[keeper, CarriesTraces()],
    )
    await replayer.replay_workflow(history)
    return {"commands": runner.commands, "state": keeper.state}


class RecordingRunner(SandboxedWorkflowRunner):
    """The production sandbox, reading along what the code in it commands."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "commands", [])

    commands: list[list[Any]]

    def create_instance(self, det: Any) -> WorkflowInstance:
        return _Instance(super().create_instance(det), self.commands)


class _Instance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, commands: list[list[Any]]) -> None:
        self._inner = inner
        self._commands = commands

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        self._commands += [read for each in completion.successful.commands if (read := command(each))]
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
    """Keeps the state in which the lifecycle ended: the run's argument, which it changes as it lives."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        keeper = self

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                result = await super().execute_workflow(input)
                keeper.state = input.args[0].model_dump(mode="json")
                return result

        return Inbound


# ── reading commands and payloads ────────────────────────────────────────────────────────────────────────────────

REMOTE_PREFIXES = ("crm.", "erp.", "cs.", "support.", "usage.")


class _Remote:
    """The names of activities that the history itself records with their input."""

    def __contains__(self, name: object) -> bool:
        return str(name).startswith(REMOTE_PREFIXES)


REMOTE = _Remote()


def command(given: WorkflowCommand) -> list[Any] | None:
    """A command as [name, input]; None for one whose change is safe."""
    kind = given.WhichOneof("variant")
    if kind == "schedule_activity":
        return [given.schedule_activity.activity_type, inputs(given.schedule_activity.arguments)]
    if kind == "schedule_local_activity":
        return [given.schedule_local_activity.activity_type, inputs(given.schedule_local_activity.arguments)]
    if kind == "start_timer":
        return ["timer", given.start_timer.start_to_fire_timeout.ToTimedelta().total_seconds()]
    if kind == "complete_workflow_execution":
        return ["result", value(given.complete_workflow_execution.result)]
    if kind == "upsert_workflow_search_attributes":
        fields = given.upsert_workflow_search_attributes.search_attributes.indexed_fields
        return ["search attributes", {name: value(field) for name, field in sorted(fields.items())}]
    if kind == "update_response" and given.update_response.HasField("completed"):
        return ["answer", value(given.update_response.completed)]
    if kind in ("update_response", "set_patch_marker", "respond_to_query"):
        return None
    return [str(kind), None]


def scheduled(history: WorkflowHistory) -> list[list[Any]]:
    """The activities that the history itself says were asked for."""
    asked = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    return [[each.activity_type.name, inputs(each.input.payloads)] for each in asked]


def inputs(payloads: Iterable[Payload]) -> list[Any]:
    return [value(payload) for payload in payloads]


def value(payload: Payload) -> Any:
    """A payload's JSON value, without what is only shown to people."""
    read = json.loads(payload.data) if payload.data else None
    return {key: each for key, each in read.items() if key not in SHOWN} if isinstance(read, dict) else read


def main() -> None:
    """`python -m tests.replay.gate [FOLDER [PATH …]]`: exit code 1 and what to do when the gate is red."""
    folder, code = Path(sys.argv[1]) if sys.argv[1:] else HISTORIES, 0
    try:
        asyncio.run(replay_gate(corpus(folder, sys.argv[2:])))
    except GateRed as red:
        sys.stderr.write(f"{red}\n")
        code = 1
    sys.stderr.flush()
    os._exit(code)  # a process that ends right after its replayer can crash in the SDK's teardown (sdk-python #300)


if __name__ == "__main__":
    main()
