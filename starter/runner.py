"""In what a lifecycle's code runs: the SDK's sandbox, without what it does for codecs where there is none."""

from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info


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


class ContextFreeRunner(SandboxedWorkflowRunner):
    """The SDK's sandbox, for a converter without a codec."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return ContextFree(super().create_instance(det))


def runner_for(converter: DataConverter) -> WorkflowRunner:
    """The sandbox for the lifecycles of a worker whose client converts so."""
    # what is asked for here is a codec's, or a storage's; payloads are converted within the sandbox, which knows better
    plain = converter.payload_codec is None and converter.external_storage is None
    return ContextFreeRunner() if plain else SandboxedWorkflowRunner()
