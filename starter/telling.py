"""A client's calls to lifecycles, each a span whose trace goes along with what is told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.converter import PayloadConverter

from domain.keys import TRACE_HEADER
from starter.tracing import HEADER, SpanKind, span, traceparent

Headers = Mapping[str, Payload]


class Telling(Interceptor):
    """For a client. A query asks, and changes nothing: it is left alone."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Telling(next)


class _Telling(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        with _told(f"start {input.workflow}", input.id, input.headers) as input.headers:
            return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        with _told(f"signal {input.signal}", input.id, input.headers) as input.headers:
            await super().signal_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        with _told(f"update {input.update}", input.id, input.headers) as input.headers:
            return await super().start_workflow_update(input)


@contextmanager
def _told(name: str, workflow: str, headers: Headers) -> Iterator[Headers]:
    with span(name, SpanKind.PRODUCER, workflow=workflow):
        trace = traceparent()
        yield {**headers, TRACE_HEADER: PayloadConverter.default.to_payload({HEADER: trace})} if trace else headers
