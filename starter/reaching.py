"""A client that connects with its first call: a server that is away is told as one that does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.service import RPCError, RPCStatusCode


class Reaching(Interceptor):
    """For a lazy client: the SDK raises a bare RuntimeError while it can't connect."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Reaching(next)


class _Reaching(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        with _reached():
            return await super().start_workflow(input)

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        with _reached():
            return await super().query_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        with _reached():
            return await super().signal_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        with _reached():
            return await super().start_workflow_update(input)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise RPCError("Temporal can't be reached", RPCStatusCode.UNAVAILABLE, b"") from error
