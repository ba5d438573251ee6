"""What a lifecycle does belongs to the trace of what it was told. Here that is carried through the workflow, unread.

No span is made in a workflow, and no id drawn: a header that came in goes out again. So a replay does the same with
tracing and without, and a life of years holds no span open.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

with workflow.unsafe.imports_passed_through():
    from domain.keys import LIFE_HEADER, TRACE_HEADER

QUIET = timedelta(minutes=10)
"""A lifecycle that has done nothing for so long of its own time acts by its calendar, no longer on what it was told."""

Headers = Mapping[str, Payload]


class CarriesTraces(Interceptor):
    """For a worker that runs workflows."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Causes:
    """Why one run acts: what it was told last, while that has consequences; else that it was started."""

    def __init__(self) -> None:
        self._start: Payload | None = None
        self._told: Payload | None = None
        self._last: datetime | None = None

    def started(self, headers: Headers) -> None:
        self._start = headers.get(LIFE_HEADER) or headers.get(TRACE_HEADER)

    def told(self, headers: Headers) -> None:
        self._told, self._last = headers.get(TRACE_HEADER), workflow.now()

    def acting(self, headers: Headers) -> dict[str, Payload]:
        """The headers of an activity."""
        moment = workflow.now()
        if self._last is not None and moment - self._last > QUIET:
            self._told = None
        self._last = moment
        cause = self._told or self._start
        named = {TRACE_HEADER: cause, LIFE_HEADER: None if self._start is cause else self._start}
        return {**headers, **{name: header for name, header in named.items() if header is not None}}

    def continuing(self, headers: Headers) -> dict[str, Payload]:
        """The headers of the next run."""
        return {**headers, **({TRACE_HEADER: self._start} if self._start is not None else {})}


class _Inbound(WorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self._causes = _Causes()

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self._causes))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        self._causes.started(input.headers)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        self._causes.told(input.headers)
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        self._causes.told(input.headers)
        return await super().handle_update_handler(input)


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, causes: _Causes) -> None:
        super().__init__(next)
        self._causes = causes

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._causes.acting(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._causes.acting(input.headers)
        return super().start_local_activity(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        input.headers = self._causes.continuing(input.headers)
        super().continue_as_new(input)
