"""What is seen of an activity: a span in the trace of what asked for it, and its contract in every line of its log."""

import re
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio import activity
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.call_times import ABOUT
from domain.keys import LIFE_HEADER, TRACE_HEADER
from domain.urgency import OF_TASK, USUAL

_TRACER = trace.get_tracer("tenure")
_PROPAGATOR = TraceContextTextMapPropagator()
_LIFECYCLE = re.compile(r"lifecycle/[^/]+/(.+)")


class Observed(Interceptor):
    """For every worker that has activities; the outermost one, so that waiting for a turn is seen, too."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Observed(next)


class _Observed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        lifecycle = _LIFECYCLE.fullmatch(info.workflow_id or "")
        contract = {"contract": lifecycle[1]} if lifecycle else {}
        ABOUT.set(contract.get("contract", ""))
        OF_TASK.set(info.priority.priority_key or USUAL)
        # The activity has a task of its own: what is bound goes with it, and the SDK's last word on it is in there.
        structlog.contextvars.bind_contextvars(
            activity=info.activity_type, attempt=info.attempt, run=info.workflow_run_id, **contract
        )
        context = _context(input, TRACE_HEADER)
        life = trace.get_current_span(_context(input, LIFE_HEADER)).get_span_context()
        with _TRACER.start_as_current_span(
            info.activity_type,
            context=context,
            kind=SpanKind.CONSUMER,
            attributes={
                "tenure.attempt": info.attempt,
                "tenure.run": info.workflow_run_id or "",
                "tenure.queue": info.task_queue,
                **{f"tenure.{name}": value for name, value in contract.items()},
            },
            links=[Link(life)] if life.is_valid else [],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if (ids := span.get_span_context()).is_valid:
                structlog.contextvars.bind_contextvars(correlation=trace.format_trace_id(ids.trace_id))
            try:
                return await super().execute_activity(input)
            except ApplicationError as error:
                span.set_attribute("tenure.error", error.type or "")
                if error.category is not ApplicationErrorCategory.BENIGN:
                    span.set_status(StatusCode.ERROR, error.type)
                raise
            except Exception as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise


def _context(input: ExecuteActivityInput, header: str) -> Context:
    """What a header names; an empty one, in which a trace begins, where there is none."""
    given = input.headers.get(header)
    carrier = PayloadConverter.default.from_payload(given) if given is not None else {}
    return _PROPAGATOR.extract(carrier, Context())
