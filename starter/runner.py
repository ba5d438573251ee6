"""In what a lifecycle's code runs: the SDK's sandbox, imported into once, and without a codec's context where there is
no codec."""

import threading
from dataclasses import dataclass, field
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext
from temporalio.worker.workflow_sandbox._runner import _Instance
from temporalio.workflow import Info


class _ContextOfThread(RestrictionContext, threading.local):
    """Whether a workflow runs now, for each thread: the sandbox is shared by all of them."""


class _Within(_Instance):
    """The SDK's instance, within a sandbox that is there already."""

    def __init__(self, details: WorkflowInstanceDetails, runner: SandboxedWorkflowRunner, importer: Importer) -> None:
        self.instance_details = details
        self.runner_class = runner.runner_class
        self.importer = importer
        self._current_thread_id = None
        self.globals_and_locals = {"__file__": "workflow_sandbox.py"}
        self._create_instance()


@dataclass(frozen=True)
class OneSandboxRunner(SandboxedWorkflowRunner):
    """The SDK's sandbox with all that it forbids; the code of the workflows is imported into it once, not for each run.
    What each run would pay for its own copies: 10 ms, 1,400 objects to look through for garbage, a third of a megabyte
    (docs/benchmarks.md). So no module of theirs may hold anything that changes: tests/replay/test_one_sandbox.py."""

    _importers: dict[str, Importer] = field(default_factory=dict, init=False, repr=False, compare=False)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        module = det.defn.cls.__module__
        if module not in self._importers:  # the first is the worker's own, before any thread runs one
            self._importers[module] = Importer(self.restrictions, _ContextOfThread(), workflow_module_name=module)
        return _Within(det, self, self._importers[module])


class ContextFree(WorkflowInstance):
    """The instance inside, without a context for a codec. The SDK asks for one several times for each payload, in and
    out, by compiling a program and entering the sandbox: a tenth of a worker's time, for nothing where there is no
    codec (docs/benchmarks.md)."""

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> None:
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


class ContextFreeRunner(OneSandboxRunner):
    """For a converter without a codec."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return ContextFree(super().create_instance(det))


def runner_for(converter: DataConverter) -> WorkflowRunner:
    """The sandbox for the lifecycles of a worker whose client converts so."""
    # what is asked for here is a codec's, or a storage's; payloads are converted within the sandbox, which knows better
    plain = converter.payload_codec is None and converter.external_storage is None
    return ContextFreeRunner() if plain else OneSandboxRunner()
