"""Traces (OpenTelemetry): where a process's spans go, and the spans of whatever comes in or is told to a lifecycle.

Off, nothing of the SDK is loaded, and a span is one that records nothing.
"""

import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from starter.sections import Tracing
from store.tracing import traceparent

__all__ = [
    "OWN_SPANS",
    "SpanKind",
    "StatusCode",
    "configure_tracing",
    "correlation",
    "fresh_traceparent",
    "given_traceparent",
    "span",
    "stop_tracing",
    "traceparent",
]

OWN_SPANS: Any = {"tracing": False, "metrics": False, "logs": False}
"""For FastAPI, whose own telemetry would trust whoever sends a traceparent, and tell each path and query."""

HEADER = "traceparent"
_W3C = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("tenure")


def configure_tracing(process: str, settings: Tracing) -> None:
    """Send the process's spans to the OTLP collector that the settings name, if they name one."""
    if settings.endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    names = {
        "service.namespace": "tenure",
        "service.name": f"tenure-{process}",
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(settings.ratio)), resource=Resource.create(names))
    exporter = OTLPSpanExporter(f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)


def stop_tracing() -> None:
    """Send what is still here. At a process's end, which may be too hard for exit handlers."""
    if stop := getattr(trace.get_tracer_provider(), "shutdown", None):
        stop()


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: str | None = None,
    links: Sequence[str] = (),
    began: int | None = None,
    **attributes: str | int | bool,
) -> Iterator[Span]:
    """A span around what follows; attributes are named `tenure.<name>`. An error is told by its type alone: its words
    may repeat what was sent.

    `parent` and `links` are traceparents; with an empty parent a trace begins, with none it is the span around.
    `began`: nanoseconds since the epoch.
    """
    context = None if parent is None else context_of(parent)
    with _TRACER.start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=named(attributes),
        links=[Link(each) for text in links if (each := _span_context(text)).is_valid],
        start_time=began,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield opened
        except Exception as error:
            opened.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def named(attributes: Mapping[str, str | int | bool]) -> dict[str, str | int | bool]:
    return {f"tenure.{name}": value for name, value in attributes.items()}


def given_traceparent(headers: Mapping[str, str]) -> str:
    """What a sender says that its message belongs to; empty when it says nothing, or nothing that can be read."""
    given = headers.get(HEADER, "")
    return given if _W3C.fullmatch(given) else ""


def fresh_traceparent() -> str:
    """Of a trace that nobody records: its id ties the lines of the logs together."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def correlation(traceparent: str) -> str:
    """The id that everything with one cause has: the trace's."""
    return traceparent[3:35]


def context_of(traceparent: str) -> Context:
    return _PROPAGATOR.extract({HEADER: traceparent}, Context())


def _span_context(traceparent: str) -> Any:
    return trace.get_current_span(context_of(traceparent)).get_span_context()
