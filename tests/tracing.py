"""The spans of this process, and their tree."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id


class Spans:
    """What was recorded of Tenure's own: in a test the outside systems are in the same process, too."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        found = self._exporter.get_finished_spans()
        return [span for span in found if span.instrumentation_scope and span.instrumentation_scope.name == "tenure"]

    def of(self, trace: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.context and format_trace_id(span.context.trace_id) == trace]

    def traces(self) -> set[str]:
        return {format_trace_id(span.context.trace_id) for span in self.all() if span.context}

    def paths(self) -> set[str]:
        """Each span by the names on the way to it from the first of its trace; one whose parent is not here begins
        with an ellipsis."""
        spans = {span.context.span_id: span for span in self.all() if span.context}

        def path(span: ReadableSpan) -> str:
            if span.parent is None:
                return span.name
            above = spans.get(span.parent.span_id)
            return f"{path(above) if above else '…'} > {span.name}"

        return {path(span) for span in spans.values()}

    def tree(self) -> str:
        """Every path once, indented: for people, and for the message of a failure."""
        lines = []
        for path in sorted(self.paths()):
            *above, name = path.split(" > ")
            lines.append("  " * len(above) + (f"… > {name}" if "…" in above else name))
        return "\n".join(lines)


@contextmanager
def recording() -> Iterator[Spans]:
    """Record spans in memory. A process has one provider for good: it is made once, and records only in here."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    exporter = InMemorySpanExporter()
    processor = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    try:
        yield Spans(exporter)
    finally:
        processor.shutdown()
        exporter.shutdown()
